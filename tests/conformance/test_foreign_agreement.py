"""The same programs give the same image after every scan on processors that this machine has not:
RISC-V of 32 bits (rv32imc) and Xtensa, in QEMU's user mode."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance import foreign, generate
from tests.conformance.agreement import Job, Processes, differences, examples, job
from tests.conformance.foreign import PROCESSORS

PROGRAMS, MANY, TOGETHER = 45, 1200, 100


def generated(folder: Path, count: int) -> list[Job]:
    """A third of them may use LREAL."""
    made = [*generate.collect(count - count // 3), *generate.collect(count // 3, lreal=True)]
    return [
        job(f"generated{n}", p.text, p.stimulus, folder, generate.SCANS)
        for n, p in enumerate(made)
    ]


def found(jobs: list[Job], name: str, folder: Path) -> list[str]:
    host = ("host", Processes(folder).host)
    differing: list[str] = []
    for start in range(0, len(jobs), TOGETHER):
        some = jobs[start : start + TOGETHER]
        differing += differences(some, host, (name, foreign.runner(PROCESSORS[name])))
    return differing


@pytest.mark.parametrize("name", PROCESSORS)
def test_examples_and_generated_programs(name: str, tmp_path: Path) -> None:
    assert found(examples(100) + generated(tmp_path, PROGRAMS), name, tmp_path) == []


def test_code_with_addresses_put_right(tmp_path: Path) -> None:
    """The way of code for ESP32 into a .mpy, by another compiler."""
    jobs = generated(tmp_path, 9)
    host = ("host", Processes(tmp_path).host)
    assert differences(jobs, host, ("loaded", foreign.runner(foreign.LOADED_XTENSA))) == []


# docs/native.md, "What it cannot do"; strict, so that the day it is mended is noticed.
RV32 = pytest.mark.xfail(strict=True, reason="machine code for rv32imc differs in rare cases")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(p, marks=RV32) if p == "rv32" else p for p in PROCESSORS]
)
def test_many_generated_programs(name: str, tmp_path: Path) -> None:
    assert found(generated(tmp_path, MANY), name, tmp_path) == []
