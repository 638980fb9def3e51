"""The timing diagrams and examples of docs/sfc.md are what the compiler does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from host_tools.compiler import compile_sources
from host_tools.compiler.source import Source
from tests.conformance.sfc_run import history

PAGE = (Path(__file__).parents[2] / "docs" / "sfc.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^((?:lamp|Run)\((.+)\)|\w+\.X) +([_#o]{10})$", PAGE, re.MULTILINE)
EXAMPLES = re.findall(
    r"^```st\n((?:PROGRAM|FUNCTION_BLOCK).*?)^```$", PAGE, re.DOTALL | re.MULTILINE
)

SEQUENCE = """
    INITIAL_STEP Idle: END_STEP
    STEP Work: {use}; END_STEP
    STEP Wait: END_STEP
    STEP Reset: {action}(R); END_STEP
    TRANSITION FROM Idle TO Work := scan = 2; END_TRANSITION
    TRANSITION FROM Work TO Wait := scan = 6; END_TRANSITION
    TRANSITION FROM Wait TO Reset := scan = 8; END_TRANSITION
    TRANSITION FROM Reset TO Idle := scan = 9; END_TRANSITION
    INITIAL_STEP Always: Record(N); END_STEP
"""
RUN = "ACTION Run: mark := SEL(Run.Q, 'o', '#'); END_ACTION"
RECORD = (
    "ACTION Record: history := CONCAT(history, {mark}); mark := '_'; scan := scan + 1; END_ACTION"
)
VARIABLES = "VAR lamp : BOOL; scan : INT; mark : STRING := '_'; history : STRING; END_VAR"


@pytest.mark.parametrize("row", ROWS, ids=[r[0] for r in ROWS])
def test_a_row_of_a_diagram(row: tuple[str, str, str]) -> None:
    use, _, expected = row
    mark = "mark" if use.startswith("Run") else "SEL(lamp, '_', '#')"
    if use.endswith(".X"):
        mark, use = f"SEL({use}, '_', '#')", "lamp(N)"
    text = SEQUENCE.format(use=use, action=use.split("(")[0])
    # Record stands last, so that it sees what Run did in this scan.
    actions = [RUN, RECORD.format(mark=mark)] if "Run" in use else [RECORD.format(mark=mark)]
    program = f"PROGRAM main {VARIABLES} {text} {' '.join(actions)} END_PROGRAM"
    assert history(program, "main.history", 10)[-1] == expected


def test_there_are_rows_for_all_qualifiers() -> None:
    used = {r[1].split(",")[0] for r in ROWS}
    assert used >= {"N", "S", "L", "D", "P", "P0", "P1", "SD", "DS", "SL"}


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_compiles(text: str) -> None:
    found = compile_sources([Source("example.st", text)])
    assert found.diagnostics == []
