"""The same programs give the same image after every scan on a Cortex-M3 in QEMU, as machine code
for armv7m in MicroPython, as on this machine: all examples, and generated programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import firmware
from tests.conformance import generate
from tests.conformance.agreement import Job, Processes, differences, examples, job
from tests.conformance.case_files import typed
from tests.conformance.test_cases import RUN
from tests.emulated.qemu_m3 import QemuM3

pytestmark = pytest.mark.emulated

PROGRAMS, CASES = 12, 15
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


def case_files(folder: Path, count: int) -> list[Job]:
    """So many of the conformance suite's programs, from all of its files."""
    made = []
    for n, case in enumerate(RUN[3 :: len(RUN) // count]):
        stimulus = [(scan, path, typed(value)) for scan, path, value in case.sets]
        scans = max(e.scan for e in case.expectations)
        made.append(job(f"case{n}", case.text, stimulus, folder, scans))
    return made


def found(jobs: list[Job], image: Path, folder: Path) -> list[str]:
    host = ("host", Processes(folder).host)
    return differences(jobs, host, ("the Cortex-M3", QemuM3(image, folder, "native").run))


def test_examples_and_generated_programs(image: Path, tmp_path: Path, own_cache: Path) -> None:
    jobs = examples(100) + generated(tmp_path, PROGRAMS) + case_files(tmp_path, CASES)
    assert found(jobs, image, tmp_path) == []


def test_by_the_python_engine(image: Path, tmp_path: Path, own_cache: Path) -> None:
    jobs = examples(20)
    host = ("host", Processes(tmp_path).host)
    board = ("the Cortex-M3", QemuM3(image, tmp_path, "python").run)
    assert differences(jobs, host, board) == []


@pytest.mark.slow
def test_many_generated_programs(image: Path, tmp_path: Path, own_cache: Path) -> None:
    jobs = generated(tmp_path, MANY) + case_files(tmp_path, MANY)
    assert found(jobs, image, tmp_path) == []
