"""Where a conversion is missing, help names functions that are there and do it."""

from __future__ import annotations

import re

import pytest

from host_tools.compiler import compile_sources
from host_tools.compiler.diagnostics import Diagnostic
from host_tools.compiler.source import Source
from tests.conformance.case_tables.conversions import IMPLICIT
from tests.conformance.case_tables.model import ELEMENTARY

NAMES = [t.name for t in ELEMENTARY]


def errors(source: str, target: str, statement: str) -> list[Diagnostic]:
    text = (
        f"PROGRAM p\nVAR a : {source}; x : {target}; c : BOOL; END_VAR\n{statement}\nEND_PROGRAM"
    )
    found = compile_sources([Source("help.st", text)]).diagnostics
    return [d for d in found if d.is_error]


@pytest.mark.parametrize("source", NAMES)
def test_what_an_assignment_is_told_to_call_does_it(source: str) -> None:
    for target in NAMES:
        if target == source or target in IMPLICIT.get(source, "").split():
            continue
        (told,) = errors(source, target, "x := a;")
        for function in re.findall(r"\b(\w+_TO_\w+)\(", told.help):
            assert errors(source, target, f"x := {function}(a);") == [], told.help


@pytest.mark.parametrize("source", NAMES)
def test_what_a_comparison_is_told_to_call_is_there(source: str) -> None:
    for target in NAMES:
        for told in errors(source, target, "c := x = a;"):
            for function in re.findall(r"\b(\w+)_TO_\w+\(", told.help):
                side = "a" if function == source else "x"
                call = re.findall(r"\b\w+_TO_\w+\(", told.help)[0]
                other = "x" if side == "a" else "a"
                assert errors(source, target, f"c := {other} = {call}{side});") == [], told.help
