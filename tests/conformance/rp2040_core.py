"""Machine code for armv6m on the RP2040's emulated core; as a process, on a slow, right one.

    python -m tests.conformance.rp2040_core CODE        (it speaks as foreign_main.h says)

rp2040py 0.3 takes the borrow of an SBCS for a part of the operand when it computes the overflow
flag (Arm DDI 0419, AddWithCarry): where 0x7FFFFFFF and a borrow are subtracted, a signed
comparison of 64 bits comes out wrong. The compiled core cannot be mended from here, the one in
Python can.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

if __name__ == "__main__":
    os.environ["RP2040PY_SKIP_CYTHON"] = "1"

from host_tools.bench.core import RAM, Core

FLASH, ARGUMENTS, IMAGE = 0x10000000, RAM + 0x100, RAM + 0x1000
_SBCS = 0b0100000110 << 6


class Code:
    """Code with a `takt_entry`, in flash, called as MicroPython calls it."""

    def __init__(self, code: bytes) -> None:
        self._core = Core()
        self._core.mcu.flash[: len(code)] = code

    def run(self, number: int, image: bytearray) -> int:
        """Run a task on the image; 0 or the code of a fault."""
        self._core.write(ARGUMENTS, struct.pack("<II", IMAGE << 1 | 1, number << 1 | 1))
        there = memoryview(self._core.mcu.sram)[IMAGE - RAM :][: len(image)]
        there[:] = image
        result, _ = self._core.call(FLASH, 0, 2, 0, ARGUMENTS)
        image[:] = there
        return result >> 1


def mend() -> None:
    """Give the core in Python an SBCS with the right flags."""
    from rp2040py import _cortex_m0_core as arm

    def sbcs(core: arm.CortexM0Core, opcode: int, opcode2: int, opcode_pc: int) -> int:
        n, m = opcode & 7, opcode >> 3 & 7
        a, b = core.registers[n], core.registers[m] ^ 0xFFFFFFFF
        total = a + b + core.c
        result = total & 0xFFFFFFFF
        core.n, core.z, core.c = result >> 31 == 1, result == 0, total > result
        core.v = bool((a ^ result) & (b ^ result) & 0x80000000)
        core.registers[n] = result
        return 1

    for opcode in range(_SBCS, _SBCS + 64):
        arm._DISPATCH_TABLE[opcode] = sbcs


def main(path: str) -> None:
    mend()
    code = Code(Path(path).read_bytes())
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(8):
        number, size = struct.unpack("<II", head)
        image = bytearray(source.read(size))
        sink.write(struct.pack("<I", code.run(number, image)) + image)
        sink.flush()


if __name__ == "__main__":
    main(sys.argv[1])
