"""The bench suites on MicroPython; on the host they run by themselves, as part of hil_tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bench_suites import SUITES, run_suite


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_passes_on_micropython(suite: str, tmp_path: Path) -> None:
    assert run_suite(suite, "micropython", "", tmp_path) >= 12
