"""What the rules report, from warnings.txt; and that they say nothing where nothing is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.build import check as check_project
from host_tools.compiler import Options, compile_sources
from host_tools.compiler.codes import CODES
from host_tools.compiler.source import Source
from host_tools.project import load
from tests.unit.error_cases import Case, cases, check, names
from tests.unit.work import calls

ROOT = Path(__file__).parents[2]
CASES = cases(Path(__file__).with_name("warnings.txt"))
EXAMPLES = sorted(p.parent for p in (ROOT / "examples").glob("*/takt.toml"))
LIBRARY = sorted((ROOT / "host_tools" / "compiler" / "library").glob("*.st"))


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_one_mistake_is_one_warning(case: Case) -> None:
    compiled = compile_sources([Source("test.st", case.text)], Options(rules=True))
    check(case, compiled.diagnostics)


def test_every_rule_has_a_case() -> None:
    rules = {code for code in CODES if "W0303" <= code <= "W0329"}
    assert rules == {c.code for c in CASES if c.code}


@pytest.mark.parametrize("folder", EXAMPLES, ids=[p.name for p in EXAMPLES])
def test_the_examples_give_no_warnings(folder: Path) -> None:
    found = check_project(load(folder), rules=True).diagnostics
    assert [(d.code, d.message, str(d.span)) for d in found] == []


@pytest.mark.parametrize("path", LIBRARY, ids=[p.stem for p in LIBRARY])
def test_the_library_gives_no_warnings(path: Path) -> None:
    """But for W0310: what computes logarithms and the like compares exactly, and means it."""
    source = Source(path.name, path.read_text(encoding="utf-8"))
    found = compile_sources([source], Options(rules=True)).diagnostics
    assert [(d.code, d.message, str(d.span)) for d in found if d.code != "W0310"] == []


def test_rules_wait_until_there_are_no_errors() -> None:
    text = "PROGRAM p VAR unused : INT; END_VAR y := 1; END_PROGRAM"
    found = compile_sources([Source("test.st", text)], Options(rules=True)).diagnostics
    assert [d.code for d in found] == ["E0200"]


def test_what_the_wiring_uses_is_used() -> None:
    text = "VAR_GLOBAL level : INT; END_VAR PROGRAM p VAR set : INT; END_VAR END_PROGRAM"
    options = Options(rules=True, outside=frozenset({"LEVEL", "P", "SET"}))
    assert compile_sources([Source("test.st", text)], options).diagnostics == []


BLOCK = """
FUNCTION_BLOCK f{n}
VAR_INPUT a : INT; END_VAR
VAR_OUTPUT q : BOOL; END_VAR
VAR t : TON; k : INT; x : ARRAY[1..9] OF INT; END_VAR
    t(IN := a > {n}, PT := T#1s);
    FOR k := 1 TO 9 DO x[k] := x[k] + a; END_FOR;
    IF t.Q AND x[1] > 3 THEN q := TRUE; ELSIF a < 0 THEN q := FALSE; END_IF;
END_FUNCTION_BLOCK
"""


def test_the_work_of_the_rules_grows_with_the_program() -> None:
    def work(count: int) -> int:
        text = "".join(BLOCK.format(n=n) for n in range(count))
        sources = [Source("test.st", text)]
        with_rules = calls(lambda: compile_sources(sources, Options(rules=True)))
        return with_rules - calls(lambda: compile_sources(sources))

    small, large = work(20), work(100)
    assert large < 6 * small
