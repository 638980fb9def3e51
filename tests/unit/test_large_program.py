"""Large programs: work grows as the text does, and 50,000 lines fit in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.compiler.compilation import Compilation, compile_sources
from host_tools.compiler.source import Source
from tests.conformance.large_program import large_program
from tests.unit.work import calls


def _check(text: str) -> Compilation:
    return compile_sources([Source("large.st", text)])


def _growth(few: str, many: str) -> float:
    """How many times the work of `few` that of `many` is. The first check of all does what is done
    once, such as reading the library."""
    _check(few)
    return calls(lambda: _check(many)) / calls(lambda: _check(few))


def test_the_same_number_gives_the_same_text() -> None:
    assert large_program(400) == large_program(400)


def test_large_program_has_no_mistakes() -> None:
    result = _check(large_program(1_000))
    assert not result.diagnostics
    assert result.program is not None


def test_work_grows_linearly() -> None:
    few, many = large_program(500), large_program(2_500)
    lines = many.count("\n") / few.count("\n")
    assert _growth(few, many) < 1.25 * lines


@pytest.mark.slow
def test_work_grows_linearly_to_50_000_lines() -> None:
    few, many = large_program(5_000), large_program(50_000)
    lines = many.count("\n") / few.count("\n")
    assert lines > 9.5
    assert _growth(few, many) < 1.1 * lines


@pytest.mark.slow
def test_50_000_lines_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "large.st"
    path.write_text(large_program(50_000), encoding="utf-8")
    measured = (
        "import resource, sys; from host_tools.cli import main;"
        "code = main(['check', sys.argv[1]]);"
        "print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measured, str(path)], capture_output=True, text=True, check=True
    )
    code, kilobytes = done.stdout.split()[-2:]
    assert code == "0"
    assert int(kilobytes) < 1_000_000


# Each has one thing very often; the number says how often.
_MANY = {
    "statements": lambda n: _program("a : DINT;", [f"a := a + {i};" for i in range(n)]),
    "constants": lambda n: _program(
        "a : DINT; END_VAR VAR CONSTANT " + " ".join(f"c{i} : DINT := {i};" for i in range(n)),
        [f"a := c{i};" for i in range(n)],
    ),
    "instances": lambda n: _program(
        " ".join(f"t{i} : TON;" for i in range(n)),
        [f"t{i}(IN := t{(i + 1) % n}.Q);" for i in range(n)],
    ),
    "labels": lambda n: _program(
        "a : DINT;", ["CASE a OF", *(f"{i} : a := 1;" for i in range(n)), "END_CASE;"]
    ),
    "functions": lambda n: "\n".join(
        f"FUNCTION f{i} : DINT VAR_INPUT x : DINT; END_VAR f{i} := x; END_FUNCTION"
        for i in range(n)
    ),
    "locals with an address": lambda n: (
        "FUNCTION g : INT VAR_IN_OUT x : INT; END_VAR x := 1; END_FUNCTION FUNCTION f : INT VAR "
        + " ".join(f"a{i} : INT;" for i in range(n))
        + "END_VAR\n"
        + "\n".join(f"f := g(a{i});" for i in range(n))
        + "\nEND_FUNCTION"
    ),
    "values of an enumeration": lambda n: (
        "TYPE e : (" + ",\n".join(f"v{i} := {i}" for i in range(n)) + "); END_TYPE"
    ),
    "syntax errors": lambda n: _program("a : DINT;", ["a := b ? ? ;"] * n),
    "type errors": lambda n: _program("a : DINT; s : STRING;", ["a := s;"] * n),
    "outputs of two tasks": lambda n: (
        _program("", [f"%QX{i}.0 := TRUE;" for i in range(n)])
        + "CONFIGURATION c TASK s(INTERVAL := T#1s); TASK t(INTERVAL := T#2s);"
        "PROGRAM a WITH s : p; PROGRAM b WITH t : p; END_CONFIGURATION"
    ),
}


def _program(variables: str, body: list[str]) -> str:
    return f"PROGRAM p VAR {variables} END_VAR\n" + "\n".join(body) + "\nEND_PROGRAM\n"


@pytest.mark.parametrize("what", _MANY)
def test_work_grows_linearly_with(what: str) -> None:
    make = _MANY[what]
    assert _growth(make(150), make(600)) < 4.6
