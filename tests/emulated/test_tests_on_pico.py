"""Tests in Structured Text come out on the emulated Pico as they do here, with both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import run_tests
from host_tools.testing.results import Run

pytestmark = pytest.mark.emulated

FOLDER = Path(__file__).parents[1] / "conformance" / "in_language"


def told(run: Run) -> list[tuple[str, str, object, object]]:
    return [
        (r.name, b.said, b.actual, b.expected) if (b := r.broken) else (r.name, "", None, None)
        for r in run.results
    ]


@pytest.mark.parametrize("engine", ["python", "native"])
def test_tests_on_the_pico(engine: str, pico_uf2: Path) -> None:
    file = FOLDER / "mocks.st"
    here = run_tests(file, coverage=True)
    there = run_tests(file, on="pico", engine=engine, coverage=True)
    assert told(there) == told(here)
    assert here.coverage is not None
    assert there.coverage is not None
    assert there.coverage.json() == here.coverage.json()


def test_assertions_on_the_pico(pico_uf2: Path) -> None:
    file = FOLDER / "assertions.st"
    assert told(run_tests(file, on="pico", engine="native")) == told(run_tests(file))
