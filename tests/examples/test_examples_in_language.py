"""The tests in Structured Text of every example pass, here and in MicroPython, and reach it."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import load, run_tests
from host_tools.build import check

EXAMPLES = sorted(p.parent for p in (Path(__file__).parents[2] / "examples").glob("*/takt.toml"))
NAMES = [folder.name for folder in EXAMPLES]
REACHED = ("conveyor", "lift", "tank", "traffic")
"""Whose tests in Structured Text are to reach (nearly) everything; others have some in Python."""


@pytest.mark.parametrize("folder", EXAMPLES, ids=NAMES)
def test_it_checks(folder: Path) -> None:
    assert [d.message for d in check(load(folder), True, True).diagnostics] == []


@pytest.mark.parametrize("folder", EXAMPLES, ids=NAMES)
def test_its_tests_pass_and_reach_it(folder: Path) -> None:
    done = run_tests(folder, coverage=True)
    assert [(r.name, r.broken) for r in done.failed] == []
    if folder.name not in REACHED:
        return
    assert done.coverage is not None
    hit, of = done.coverage.count(False)
    assert hit >= 0.97 * of
    taken, ways = done.coverage.count(True)
    assert taken >= 0.9 * ways


@pytest.mark.parametrize("folder", EXAMPLES, ids=NAMES)
def test_its_tests_pass_in_micropython(folder: Path) -> None:
    done = run_tests(folder, on="micropython")
    assert [(r.name, r.broken) for r in done.failed] == []
