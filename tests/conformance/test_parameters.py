"""The implementer-specific parameters are what docs/conformance.md says (parameters.py)."""

from __future__ import annotations

import pytest

from host_tools.compiler.compilation import compile_sources
from host_tools.compiler.fields import MAX_BYTES
from host_tools.compiler.located import MAX_ADDRESS
from host_tools.compiler.source import Source
from host_tools.compiler.syntax.cursor import MAX_HEIGHT, MAX_NESTING
from host_tools.compiler.type_specs import MAX_STRING
from tests.conformance.case_files import CASES
from tests.conformance.parameters import PARAMETERS


def codes(text: str) -> list[str]:
    """What is wrong with a text."""
    found = compile_sources([Source("test.st", text)]).diagnostics
    return [d.code for d in found if d.is_error]


def program(variables: str, statements: str = "") -> list[str]:
    return codes(f"PROGRAM main\nVAR\n{variables}\nEND_VAR\n{statements}\nEND_PROGRAM\n")


def test_identifiers() -> None:
    name = "n" * 3000
    assert program(f"{name}1 : INT; {name}2 : BOOL;", f"{name}1 := 1; {name}2 := TRUE;") == []


def test_comments() -> None:
    assert program("x : INT;", "(*" * 10_000 + "*)" * 10_000 + " x := 1;") == []
    assert program("x : INT;", "/*" * 10_000 + "*/" * 10_000 + " x := 1;") == []
    assert program("x : INT;", "(*" + "long " * 50_000 + "*) x := 1;") == []


def test_dates() -> None:
    assert program("x : DT;", "x := DT#1677-09-22-00:00:00; x := DT#2262-04-11-23:00:00;") == []
    assert program("x : DATE;", "x := D#1677-09-20;") == ["E0017"]
    assert program("x : DATE;", "x := D#2262-04-12;") == ["E0017"]


def test_strings() -> None:
    for kind in ("STRING", "WSTRING"):
        assert program(f"x : {kind}[{MAX_STRING}];") == []
        assert program(f"x : {kind}[{MAX_STRING + 1}];") == ["E0212"]


def test_enumerations() -> None:
    values = ", ".join(f"v{i}" for i in range(32_768))
    assert codes(f"TYPE Many : ({values}); END_TYPE") == []
    assert codes(f"TYPE Many : ({values}, more); END_TYPE") == ["E0216"]


def test_dimensions() -> None:
    assert program(f"x : ARRAY[{', '.join(['0..1'] * 16)}] OF BOOL;") == []


def test_bounds() -> None:
    high = (1 << 63) - 1
    assert program(f"x : ARRAY[{high - 2}..{high}] OF INT; i : LINT;", "x[i] := 1;") == []
    assert program(f"x : ARRAY[{-high}..{-high + 2}] OF INT; i : LINT;", "x[i] := 1;") == []


def test_sizes() -> None:
    assert program(f"x : ARRAY[1..{MAX_BYTES // 2}] OF BYTE;") == []
    assert program(f"x : ARRAY[1..{MAX_BYTES + 1}] OF BYTE;") == ["E0214"]


def test_structures() -> None:
    types = "".join(f"t{i} : STRUCT a : t{i + 1}; END_STRUCT; " for i in range(100))
    assert (
        codes(f"TYPE {types} t100 : INT; END_TYPE PROGRAM p VAR x : t0; END_VAR END_PROGRAM") == []
    )


def test_addresses() -> None:
    last = MAX_ADDRESS // 2 - 1
    assert program(f"x AT %QW{last} : INT;") == []
    assert program(f"x AT %QW{MAX_ADDRESS} : INT;") == ["E0270"]
    assert program("x AT %QX1.8 : BOOL;") == ["E0270"]


def test_extensible() -> None:
    assert program("x : INT;", f"x := MAX({', '.join(['x'] * 300)});") == []


def test_recursion() -> None:
    assert codes("FUNCTION f : INT f := f(); END_FUNCTION") == ["E0283"]


@pytest.mark.parametrize(("priority", "expected"), [(0, []), (65_535, []), (65_536, ["E0227"])])
def test_priorities(priority: int, expected: list[str]) -> None:
    text = f"""
        PROGRAM p ; END_PROGRAM
        CONFIGURATION c
            TASK t(INTERVAL := T#1ms, PRIORITY := {priority});
            PROGRAM q WITH t : p;
        END_CONFIGURATION"""
    assert codes(text) == expected


def test_expressions() -> None:
    deep, over = MAX_NESTING - 5, MAX_NESTING + 5
    assert program("x : INT;", f"x := {'(' * deep}1{')' * deep};") == []
    assert program("x : INT;", f"x := {'(' * over}1{')' * over};") == ["E0108"]
    assert program("x : INT;", f"x := {' + '.join(['x'] * (MAX_HEIGHT - 5))};") == []
    assert program("x : INT;", f"x := {' + '.join(['x'] * (MAX_HEIGHT + 5))};") == ["E0108"]
    assert program("x : INT;", "IF TRUE THEN " * deep + "x := 1;" + " END_IF;" * deep) == []


def test_every_test_that_is_named_is_there() -> None:
    for p in PARAMETERS:
        here = f"test_{p.test}" in globals()
        there = (CASES.parent / p.test).is_file() or any(CASES.rglob(f"{p.test}.st"))
        assert not p.test or here or there, p.test
