"""The same programs give the same image after every scan on a Cortex-M3 in QEMU, as machine code
for armv7m in MicroPython, as on this machine: all examples, and generated programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import firmware
from tests.conformance import generate
from tests.conformance.agreement import Job, Processes, differences, examples, job
from tests.emulated.qemu_m3 import QemuM3

pytestmark = pytest.mark.emulated

PROGRAMS = 12
MANY = 300


@pytest.fixture(scope="module")
def image() -> Path:
    return firmware.ensure("qemu-m3", progress=print)


def generated(folder: Path, count: int) -> list[Job]:
    """A third of them may use LREAL, which MicroPython has not there."""
    made = [*generate.collect(count - count // 3), *generate.collect(count // 3, lreal=True)]
    return [
        job(f"generated{n}", p.text, p.stimulus, folder, generate.SCANS)
        for n, p in enumerate(made)
    ]


def found(jobs: list[Job], image: Path, folder: Path) -> list[str]:
    host = ("host", Processes(folder).host)
    return differences(jobs, host, ("the Cortex-M3", QemuM3(image, folder, "native").run))


def test_examples_and_generated_programs(image: Path, tmp_path: Path, own_cache: Path) -> None:
    jobs = examples(100) + generated(tmp_path, PROGRAMS)
    assert found(jobs, image, tmp_path) == []


def test_by_the_python_engine(image: Path, tmp_path: Path, own_cache: Path) -> None:
    jobs = examples(20)
    host = ("host", Processes(tmp_path).host)
    board = ("the Cortex-M3", QemuM3(image, tmp_path, "python").run)
    assert differences(jobs, host, board) == []


@pytest.mark.slow
def test_many_generated_programs(image: Path, tmp_path: Path, own_cache: Path) -> None:
    assert found(generated(tmp_path, MANY), image, tmp_path) == []
