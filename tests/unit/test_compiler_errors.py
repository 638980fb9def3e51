"""What the compiler's middle reports: code, place, message and help, from compiler_errors.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.compiler import compile_sources
from host_tools.compiler.codes import CODES
from host_tools.compiler.source import Source
from tests.unit.error_cases import Case, cases, check, names

CASES = cases(Path(__file__).with_name("compiler_errors.txt"))


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_one_mistake_is_one_diagnostic(case: Case) -> None:
    check(case, compile_sources([Source("test.st", case.text)]).diagnostics)


def test_every_code_of_the_middle_has_a_case() -> None:
    """The rules, W0303 to W0329, have their cases in warnings.txt, two are the
    parser's."""
    rules = {code for code in CODES if "W0303" <= code <= "W0329"}
    own = (
        {code for code in CODES if code[:3] in ("E02", "E03", "W03")} - rules - {"E0390", "E0395"}
    )
    assert own == {c.code for c in CASES} - {"E0105"}
