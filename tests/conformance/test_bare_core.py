"""Machine code for ARMv6-M on a bare emulated core: what loops leave in the image, and what the
caller finds in its registers, also where a fault goes straight back to it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from controller import image as im
from host_tools.bench.core import RAM, Core
from host_tools.bundle import initial_part
from host_tools.native.module import machine_code
from tests.conformance.agreement import Job, job
from tests.conformance.loop_programs import Loops
from tests.conformance.reference import Fault, Interpreter

CODE, IMAGE, ARGUMENTS = RAM + 0x1000, RAM + 0x20000, RAM + 0x800
SCANS = 4
KEPT = {n: 0x5EED0000 + n for n in (4, 5, 6, 7, 8, 9, 10, 11)}


def outcomes(made: Job) -> tuple[list[tuple[int, bytes]], list[tuple[int, bytes]]]:
    """Fault code and state after each scan of the first task, by the IR and on the core."""
    program, manifest = made.program, made.program.manifest()
    start, size = manifest["state"]
    tasks = len(manifest["tasks"])
    layout = bytes.fromhex(manifest["layout"])
    image = im.create(manifest["image_size"], tasks, layout, initial_part(program.ir.initial))
    core = Core()
    core.write(CODE, machine_code(program.ir, "armv6m"))
    core.write(IMAGE, bytes(image.data))
    core.write(ARGUMENTS, struct.pack("<II", IMAGE << 1 | 1, 1))
    machine = Interpreter(program.ir, image.data)
    wanted, found = [], []
    for n in range(SCANS):
        now = struct.pack("<q", n * 10_000_000)
        image.data[24:32] = now
        core.write(IMAGE + 24, now)
        try:
            machine.run(0)
            code = 0
        except Fault as fault:
            code = fault.code
        wanted.append((code, bytes(image.data[start : start + size])))
        for register, value in KEPT.items():
            core.mcu.core.registers[register] = value
        result, _ = core.call(CODE, 0, 2, 0, ARGUMENTS)
        found.append((result >> 1, core.read(IMAGE + start, size)))
        assert {r: core.mcu.core.registers[r] for r in KEPT} == KEPT
        if code:
            break
    return wanted, found


@pytest.mark.parametrize("seed", range(8))
def test_loops_and_registers(seed: int, tmp_path: Path) -> None:
    made = job("loops", Loops(seed).program(), (), tmp_path, SCANS)
    wanted, found = outcomes(made)
    assert [code for code, _ in found] == [code for code, _ in wanted]
    assert found == wanted
