"""Whatever the text: the compiler ends with a program or with diagnostics that lie inside it."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from host_tools.compiler import Options, compile_sources
from host_tools.compiler.codes import CODES
from host_tools.compiler.diagnostics import Diagnostic, Reporter
from host_tools.compiler.lexer import lex
from host_tools.compiler.python_engine import emit
from host_tools.compiler.source import Source, read_source
from host_tools.project import is_test_file

ROOT = Path(__file__).parents[2]
EXAMPLES = [
    path
    for path in sorted((ROOT / "examples").glob("*/*.st"))
    if not is_test_file(path.name) or path.name == "traffic_test.st"
]
SMALL = ("conveyor", "tank", "traffic")
STEP = 29
"""Of the large examples this test takes every so many tokens; the slow one takes all."""


def by_size(step: int) -> list[Any]:
    """Every example: the small ones with every token and place, the large ones with some, and
    once more, slow, with all."""
    rows = []
    for path in EXAMPLES:
        name = f"{path.parent.name}/{path.name}"
        if path.parent.name in SMALL:
            rows.append(pytest.param(path, 1, id=name))
        else:
            rows.append(pytest.param(path, step, id=name))
            rows.append(pytest.param(path, 1, id=f"{name}, all", marks=pytest.mark.slow))
    return rows


CASES = ROOT / "tests" / "conformance" / "cases"


def check(*texts: str) -> list[Diagnostic]:
    """Compile; the errors found. Each has a place inside of its text, a registered code and help;
    a program without errors prints as a module of the python engine."""
    sources = [Source(f"{i}.st", text) for i, text in enumerate(texts)]
    compilation = compile_sources(sources, Options(rules=True))
    for d in compilation.diagnostics:
        assert d.code in CODES
        assert d.message
        assert d.help
        for span in (d.span, *(other.span for other in d.others)):
            assert 0 <= span.start <= span.end <= len(span.source.text)
            assert span.line >= 1
            assert span.column >= 1
    errors = [d for d in compilation.diagnostics if d.is_error]
    assert compilation.ok == (not errors)
    if compilation.program is not None:
        compile(emit(compilation.program), "program.py", "exec")
    return errors


def tokens(text: str) -> list[tuple[int, int]]:
    """Where the tokens of a text start and end."""
    return [(t.start, t.end) for t in lex(Source("", text), Reporter()) if t.end > t.start]


def others(path: Path) -> list[str]:
    """The rest of the program that a file belongs to."""
    beside = [p for p in sorted(path.parent.glob("*.st")) if not is_test_file(p.name)]
    return [other.read_text(encoding="utf-8") for other in beside if other != path]


# --- examples --------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "step"), by_size(STEP))
def test_every_single_token_can_be_missing(path: Path, step: int) -> None:
    """Nearly all deletions are told by one diagnostic, and none by a flood of them."""
    text, rest = path.read_text(encoding="utf-8"), others(path)
    assert check(text, *rest) == []
    places = tokens(text)[::step]
    counts = [len(check(text[:start] + text[end:], *rest)) for start, end in places]
    assert max(counts) <= 4
    assert sum(n > 1 for n in counts) <= 2 + len(counts) // 50
    assert sum(n == 1 for n in counts) > len(counts) * 7 // 10


@pytest.mark.parametrize(("path", "step"), by_size(STEP))
def test_the_end_can_be_missing(path: Path, step: int) -> None:
    text, rest = path.read_text(encoding="utf-8"), others(path)
    for end in range(0, len(text), 50 * step):
        check(text[:end], *rest)


# --- mutilated programs ----------------------------------------------------------------------


def programs() -> list[list[str]]:
    """The programs of the case files, as tokens: they use all of the language."""
    found = []
    for path in sorted(CASES.glob("*.st")):
        for text in re.split(r"^// case: .*$", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            found.append([text[start:end] for start, end in tokens(text)])
    return found


PROGRAMS = programs()
WORDS = sorted({word for program in PROGRAMS for word in program})


@given(some.data())
@settings(derandomize=True, max_examples=400, deadline=None)
def test_any_mutilated_program(data: some.DataObject) -> None:
    words = list(data.draw(some.sampled_from(PROGRAMS)))
    for _ in range(data.draw(some.integers(1, 4))):
        at = data.draw(some.integers(0, len(words) - 1))
        match data.draw(some.sampled_from(["delete", "double", "swap", "move", "put", "insert"])):
            case "delete" if len(words) > 1:
                del words[at]
            case "double":
                words.insert(at, words[at])
            case "swap":
                words[at - 1], words[at] = words[at], words[at - 1]
            case "move":
                words.insert(data.draw(some.integers(0, len(words) - 1)), words.pop(at))
            case "put":
                words[at] = data.draw(some.sampled_from(WORDS))
            case _:
                words.insert(at, data.draw(some.sampled_from(WORDS)))
    check(" ".join(words))


@given(some.lists(some.sampled_from(WORDS), max_size=80))
@settings(derandomize=True, max_examples=200, deadline=None)
def test_any_words(words: list[str]) -> None:
    check(" ".join(words))


def test_statements_of_one_program_in_another() -> None:
    """Names that mean nothing or something else there; types that do not fit."""
    choice = random.Random(3)
    for _ in range(300):
        body, head = choice.choice(PROGRAMS), choice.choice(PROGRAMS)
        if "END_VAR" in head and "END_VAR" in body:
            declarations = head[: head.index("END_VAR") + 1]
            check(" ".join(declarations + body[body.index("END_VAR") + 1 :]))


# --- noise -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_ten_kilobytes_of_random_bytes(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "noise.st"
    path.write_bytes(random.Random(seed).randbytes(10_000))
    assert check(read_source(path).text)


@given(some.text())
@settings(derandomize=True, max_examples=100, deadline=None)
def test_any_text(text: str) -> None:
    check(text)


@given(some.text())
@settings(derandomize=True, max_examples=100, deadline=None)
def test_any_text_among_statements(text: str) -> None:
    check(f"PROGRAM p VAR x : INT; END_VAR x := 1; {text} END_PROGRAM")


# --- what is large ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declarations",
    [
        "x : ARRAY[0..99999999999999999999] OF INT;",
        "x : ARRAY[-9223372036854775808..9223372036854775807] OF INT;",
        "x : ARRAY[1..1000, 1..1000, 1..1000] OF INT;",
        "x : ARRAY[1..1000] OF ARRAY[1..1000] OF STRING[1000];",
        "x : STRING[9999999999];",
        "x : INT(0..99999999999999999999);",
        "x : ARRAY[1..10] OF INT := [99999999999(1)];",
        "x AT %QW99999999999 : INT;",
        "x : REAL := 1.0E999999999999;",
        "x : INT := 1" + "0" * 5000 + ";",
        "x : INT := " + "9999999999 * " * 300 + "1;",
        "x : INT := 2 ** 64 ** 64 ** 64 ** 64;",
        "x : TIME := T#99999999999999999999d;",
        "a : ARRAY[1..4000000] OF DINT; b : ARRAY[1..4000000] OF DINT;",
    ],
)
def test_too_much_is_an_error(declarations: str) -> None:
    assert check(f"PROGRAM p VAR {declarations} END_VAR END_PROGRAM")


def test_many_calls_are_checked_for_recursion_quickly() -> None:
    """Each function calls the next one twice: as many paths as 2^60."""
    texts = ["FUNCTION f60 : INT END_FUNCTION"]
    for i in range(60):
        texts.append(f"FUNCTION f{i} : INT f{i} := f{i + 1}() + f{i + 1}(); END_FUNCTION")
    texts.append("PROGRAM p VAR x : INT; END_VAR x := f0(); END_PROGRAM")
    assert check("\n".join(texts)) == []
