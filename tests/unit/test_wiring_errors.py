"""What is reported of takt.toml: code, place, message and help, from wiring_errors.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.build import Rejected, compile
from host_tools.build import check as check_project
from host_tools.compiler.source import Source, Span
from host_tools.project import load
from host_tools.record import replace
from tests.unit.error_cases import Case, cases, check, names

CASES = cases(Path(__file__).with_name("wiring_errors.txt"))
PROGRAM = "PROGRAM main\nVAR n : INT; END_VAR\nn := n + 1;\nEND_PROGRAM\n"
BELOW = "\n-----\n"


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_one_mistake_is_one_diagnostic(case: Case, tmp_path: Path) -> None:
    wiring, below, program = case.text.partition(BELOW)
    (tmp_path / "takt.toml").write_text(wiring + "\n", encoding="utf-8")
    (tmp_path / "tank.st").write_text(program if below else PROGRAM, encoding="utf-8")
    whole = Source("", case.text)

    def in_case(span: Span) -> Span:
        shift = len(wiring + BELOW) if span.source.name.endswith(".st") else 0
        return Span(whole, span.start + shift, span.end + shift)

    found = check_project(load(tmp_path)).diagnostics
    if case.code and not found:  # it shows when machine code is made
        with pytest.raises(Rejected) as rejected:
            compile(load(tmp_path)).bundle()
        found = rejected.value.diagnostics
    places = [
        replace(
            d,
            span=in_case(d.span),
            others=tuple(replace(o, span=in_case(o.span)) for o in d.others),
        )
        for d in found
    ]
    check(case, places)
