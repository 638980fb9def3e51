"""What lexer and parser report: code, place, message and help, from syntax_errors.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.compiler import compile_sources
from host_tools.compiler.source import Source
from tests.unit.error_cases import Case, cases, check, names

CASES = cases(Path(__file__).with_name("syntax_errors.txt"))


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_one_mistake_is_one_diagnostic(case: Case) -> None:
    check(case, compile_sources([Source("test.st", case.text)]).diagnostics)
