"""Loops as machine code leave what the IR says, also where a fault ends them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import foreign
from tests.conformance.agreement import differences, job, reference
from tests.conformance.loop_programs import Loops

SCANS, TOGETHER = 6, 50


def differing(folder: Path, count: int) -> list[str]:
    made = [job(f"loops{n}", Loops(n).program(), (), folder, SCANS) for n in range(count)]
    native = foreign.runner(foreign.PROCESSORS["native"])
    found: list[str] = []
    for start in range(0, count, TOGETHER):
        some = made[start : start + TOGETHER]
        found += differences(some, ("the IR", reference), ("native", native))
    return found


def test_loops_as_machine_code(tmp_path: Path) -> None:
    assert not differing(tmp_path, 50)


@pytest.mark.slow
def test_many_loops_as_machine_code(tmp_path: Path) -> None:
    assert not differing(tmp_path, 1000)
