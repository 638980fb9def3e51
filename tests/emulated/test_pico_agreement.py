"""The same bundles give the same image after every scan on the emulated Pico as on this machine:
all examples, and a sample of generated programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_tools.board_link import PicoLink
from host_tools.device_files import runtime_files
from host_tools.mpy import compile_mpy
from host_tools.pico import EmulatedPico
from host_tools.remote import staged_files
from tests.conformance import generate
from tests.conformance.agreement import (
    DRIVER,
    Job,
    Processes,
    Trace,
    differences,
    examples,
    heard,
    job,
)

pytestmark = pytest.mark.emulated

PROGRAMS = 12
SCANS = 10
EXAMPLE_SCANS = 40
START = "import device_agreement\ndevice_agreement.main('/jobs')"


class Board:
    """Runs jobs one after another on an emulated Pico that is booted once for all of them."""

    def __init__(self, uf2: Path, engine: str) -> None:
        self.uf2 = uf2
        self.engine = engine

    def run(self, jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
        files = {f"/lib/{name}": content for name, content in runtime_files().items()}
        driver = DRIVER.read_text(encoding="utf-8")
        files["/lib/device_agreement.mpy"] = compile_mpy(driver, DRIVER.name)
        lines = []
        for j in jobs:
            slot = f"/{j.name}"
            lines.append(json.dumps(j.options(slot, scans)) + "\n")
            for name, content in staged_files(
                j.native("armv6m") if self.engine == "native" else j.bundle
            ).items():
                files[f"{slot}/{name}"] = content
        files["/jobs"] = "".join(lines).encode()
        board = EmulatedPico(self.uf2)
        board.boot()
        board.put_files(files)
        return heard(PicoLink(board).start(START).lines(quiet_s=30), jobs)


def test_examples_and_generated_programs(
    pico_uf2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    jobs = examples(EXAMPLE_SCANS)
    assert jobs
    for n, p in enumerate(generate.collect(PROGRAMS, small=True)):
        jobs.append(job(f"generated{n}", p.text, p.stimulus, tmp_path, SCANS))
    host = ("host", Processes(tmp_path).host)
    board = ("the emulated Pico", Board(pico_uf2, "python").run)
    native = ("the emulated Pico as machine code", Board(pico_uf2, "native").run)
    found = differences(jobs, host, board) + differences(jobs, host, native)
    assert not found, "\n".join([f"{len(found)} of {len(jobs)} programs differ", *found])
