"""Mutation of the registry: every code is reached by a case that checks its place."""

from __future__ import annotations

from pathlib import Path

from host_tools.compiler.codes import CODES
from tests.unit.error_cases import cases

TABLES = ("syntax_errors", "compiler_errors", "warnings", "wiring_errors", "bench_errors")


def test_every_code_has_a_case_with_its_place() -> None:
    found = {
        case.code
        for table in TABLES
        for case in cases(Path(__file__).with_name(f"{table}.txt"))
        if case.code
    }
    assert set(CODES) - found == set()
    assert found - set(CODES) == set()
