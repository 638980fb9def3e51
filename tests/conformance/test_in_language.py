"""The tests of in_language/*.st come out as their comments say, on every engine and target here.

`// fails: text` stands behind the assertion that does not hold, with its message in parentheses;
`// fault: text` where a fault ends the test. All other tests pass.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from host_tools.project import load
from host_tools.testing.build import TestBuild, build
from host_tools.testing.results import Result
from host_tools.testing.run import run

FOLDER = Path(__file__).parent / "in_language"
FILES = sorted(FOLDER.glob("*.st"))
SAID = re.compile(r"// (fails|fault): (.+?)\s*$")
TEST = re.compile(r"^(TEST '|SETUP|TEARDOWN|END_TEST|END_TEARDOWN)")


@cache
def built(path: Path) -> TestBuild:
    return build(load(path), coverage=True)


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


@pytest.mark.parametrize("target", ["host", "micropython"])
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_tests_come_out_as_they_say(path: Path, target: str) -> None:
    one = built(path)
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
