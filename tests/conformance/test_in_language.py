"""The tests of in_language/*.st come out as their comments say, on every engine and target here.

`// fails: text` stands behind the assertion that does not hold, with its message in parentheses;
`// fault: text` where a fault ends the test. All other tests pass.
"""

from __future__ import annotations

import re
import struct
import types
from functools import cache
from pathlib import Path

import pytest
from reference import Fault, Interpreter

from controller import image as im
from controller.testing import Tests
from host_tools.bundle import initial_part
from host_tools.project import load
from host_tools.testing.build import TestBuild, build
from host_tools.testing.results import Result
from host_tools.testing.run import AT_ONCE, run
from host_tools.testing.subset import subset

FOLDER = Path(__file__).parent / "in_language"
FILES = sorted(FOLDER.glob("*.st"))
SAID = re.compile(r"// (fails|fault): (.+?)\s*$")
TEST = re.compile(r"^(TEST '|SETUP|TEARDOWN|END_TEST|END_TEARDOWN)")


@cache
def built(path: Path, engine: str = "python") -> TestBuild:
    return build(load(path, engine=engine), coverage=True)


def expected(path: Path) -> dict[int, tuple[str, str]]:
    """Line -> what is told of it."""
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        said = SAID.search(line)
        if said is not None:
            found[number] = (said[1], said[2])
    return found


def told(result: Result) -> tuple[int, tuple[str, str]] | None:
    broken = result.broken
    if broken is None:
        return None
    said = f"{broken.said} ({broken.message})" if broken.message else broken.said
    return broken.span.line, ("fails" if broken.kind == "assertion" else "fault", said)


TARGETS = ("python host", "python micropython", "native host", "native micropython")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_tests_come_out_as_they_say(path: Path, target: str) -> None:
    engine, target = target.split()
    one = built(path, engine)
    done = run(one, one.choose(), on=target)
    wrong = [t for r in done.results if (t := told(r)) is not None]
    assert dict(wrong) == expected(path)
    assert len(wrong) == len(dict(wrong))
    assert len(done.results) > len(wrong)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_targets_reach_the_same_statements(path: Path) -> None:
    one = built(path)
    cases = one.choose("", [])
    texts = []
    for target in ("host", "micropython"):
        coverage = run(one, cases, on=target, jobs=2).coverage
        texts.append(coverage.json() if coverage is not None else None)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_reference_agrees(path: Path) -> None:
    """Every byte but those of the stack is the same after a test on the independent interpreter
    of the IR."""
    one = built(path)
    program, suite = one.program.ir, one.suite
    module = types.ModuleType("program")
    exec(compile(one.program.python(), "program.py", "exec"), module.__dict__)
    initial = initial_part(program.initial)
    wanted = im.create(program.image_size, 1, bytes(8), initial).data
    tests = Tests(
        module, wanted, {"selector": suite.selector, "failed": suite.failed, "cover": [0, 0]}
    )
    for _, case in suite.cases():
        if case.name == "a loop without an end":
            continue  # it would take the interpreter minutes
        failed, code, position, _ = tests.run(case.number)
        image = im.create(program.image_size, 1, bytes(8), initial).data
        struct.pack_into("<I", image, suite.selector, case.number)
        fault = 0, 0
        try:
            Interpreter(program, image).run()
        except Fault as caught:
            fault = caught.code, caught.pos
        assert fault == (code, position)
        assert struct.unpack_from("<I", image, suite.failed)[0] == failed
        end = program.tasks[0].stack
        assert bytes(image[:end]) == bytes(wanted[:end]), case.name


def test_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is short, only some tests are loaded together; nothing else changes."""
    monkeypatch.setitem(AT_ONCE, "micropython", 4)
    one = built(FOLDER / "mocks.st")
    cases = one.choose()
    here, there = run(one, cases), run(one, cases, on="micropython", jobs=1)
    assert [told(r) for r in there.results] == [told(r) for r in here.results]
    assert here.coverage is not None
    assert there.coverage is not None
    assert there.coverage.json() == here.coverage.json()


def test_only_what_is_run_is_loaded() -> None:
    one = built(FOLDER / "mocks.st")
    numbers = [case.number for case in one.choose("called too often")]
    names = {f.name for f in subset(one.program, numbers).ir.functions}
    assert {n for n in names if n.startswith("test_")} == {f"test_{numbers[0]}"}
    assert "Raw" in names
    assert "Valve" not in names


def test_many_tests(tmp_path: Path) -> None:
    """More than one function can choose among."""
    file = tmp_path / "many.st"
    text = "".join(f"TEST 'n{k}' ASSERT_NEQ({k}, 77); END_TEST\n" for k in range(130))
    file.write_text(text, encoding="utf-8")
    for engine in ("python", "native"):
        one = build(load(file, engine=engine))
        done = run(one, one.choose(), jobs=1)
        assert len(done.results) == 130
        assert [r.name for r in done.failed] == ["n77"]
