"""The same programs give the same image after every scan on a Cortex-M3 in QEMU, as machine code
for armv7m in MicroPython, as on this machine: all examples, and generated programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools import firmware
from tests.conformance import corpus
from tests.conformance.agreement import Job, examples
from tests.emulated.qemu_m3 import QemuM3

pytestmark = pytest.mark.emulated

PROGRAMS = 12
CASES = 190, 3
"""Every so many, and the first."""
TOGETHER = 25
"""What the board's heap holds."""


@pytest.fixture(scope="module")
def image() -> Path:
    return firmware.ensure("qemu-m3", progress=print)


def found(jobs: list[Job], image: Path, folder: Path, engine: str) -> list[str]:
    board = QemuM3(image, folder, engine)
    return corpus.differing(jobs, "the Cortex-M3", board.run, TOGETHER, told=True)


def test_examples_and_generated_programs(image: Path, tmp_path: Path, own_cache: Path) -> None:
    jobs = examples(100) + corpus.generated(PROGRAMS)
    assert found(jobs, image, tmp_path, "native") == []


def test_more_with_their_code_in_one_module(image: Path, tmp_path: Path) -> None:
    jobs = corpus.generated(PROGRAMS) + corpus.hard() + corpus.cases(*CASES)
    assert found(jobs, image, tmp_path, "shared") == []


def test_by_the_python_engine(image: Path, tmp_path: Path, own_cache: Path) -> None:
    assert found(examples(20), image, tmp_path, "python") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "jobs", [lambda: corpus.generated(corpus.MANY), corpus.cases], ids=["generated", "cases"]
)
def test_all(image: Path, tmp_path: Path, jobs: Callable[[], list[Job]]) -> None:
    assert found(jobs(), image, tmp_path, "shared") == []
