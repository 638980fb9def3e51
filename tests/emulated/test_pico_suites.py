"""The bench suites on the emulated Pico: the same files as on the host and on MicroPython."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bench_suites import SUITES, run_suite

pytestmark = pytest.mark.emulated


@pytest.mark.parametrize(
    "suite",
    [SUITES[0], *(pytest.param(suite, marks=pytest.mark.slow) for suite in SUITES[1:])],
)
def test_a_sample_of_a_suite_passes(suite: str, tmp_path: Path) -> None:
    assert run_suite(suite, "pico", "sample", tmp_path) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("suite", SUITES)
def test_a_whole_suite_passes(suite: str, tmp_path: Path) -> None:
    assert run_suite(suite, "pico", "", tmp_path) >= 12
