"""No cascades: one slip in an example gives an error near it, and two diagnostics at most."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.compiler import Options, compile_sources
from host_tools.compiler.source import Source
from tests.unit.slips import KINDS, Slip, slips

EXAMPLES = Path(__file__).parents[2] / "examples"
PROJECTS = {
    "tank": ("tank.st", "plant.st"),
    "conveyor": ("conveyor.st", "plant.st"),
    "traffic": ("traffic.st",),
}
TEXTS = {
    name: [(EXAMPLES / name / file).read_text(encoding="utf-8") for file in files]
    for name, files in PROJECTS.items()
}
SLIPS = [(name, slip) for name, texts in TEXTS.items() for slip in slips(texts[0], 2)]
LINES = 3


@pytest.mark.parametrize(
    ("name", "slip"), SLIPS, ids=[f"{n}-{s.kind}-{i}" for i, (n, s) in enumerate(SLIPS)]
)
def test_one_slip_gives_an_error_near_it_and_no_cascade(name: str, slip: Slip) -> None:
    sources = [Source(PROJECTS[name][0], slip.text)]
    sources += [
        Source(file, text) for file, text in zip(PROJECTS[name][1:], TEXTS[name][1:], strict=True)
    ]
    found = compile_sources(sources, Options(rules=True)).diagnostics
    line = sources[0].line_col(slip.at)[0]
    if slip.kind == "missing declaration":
        # One that only repeated a global variable is not missed; others are missed where used.
        assert all(d.code in ("E0200", "E0207", "E0231", "E0252") for d in found)
    else:
        assert found
        places = [s for d in found for s in (d.span, *(o.span for o in d.others))]
        assert any(
            abs(s.line - line) <= LINES and s.source.name == sources[0].name for s in places
        ) or slip.kind in ("missing END_FUNCTION_BLOCK", "missing END_VAR")
    assert all(d.is_error and d.help for d in found)
    assert [(d.code, str(d.span), d.message) for d in found[2:]] == []


def test_there_are_many_slips_of_all_kinds() -> None:
    assert len(SLIPS) > 200
    assert {slip.kind for _, slip in SLIPS} == set(KINDS)
