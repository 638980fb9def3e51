"""What a debugger sees of a running program: its image in a Pico's RAM."""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from pathlib import Path
from typing import Any

from controller import image as im
from host_tools.pico import EmulatedPico
from host_tools.record import record

_RAM = 0x20000000
_TIMERAWL = 0x40054028  # RP2040 data sheet 4.6.5

_MAGIC = struct.pack("<I", 0x544B5441)  # firmware/kernel/kernel.h
_WORD = re.compile(r"WORD_OF\(kernel, (\w+), (\d+)\)")
_KERNEL_H = Path(__file__).parents[2] / "firmware" / "kernel" / "kernel.h"


@lru_cache(maxsize=1)
def kernel_words() -> dict[str, int]:
    """Name -> index of the kernel's words, as kernel.h asserts them."""
    return {name: int(n) for name, n in _WORD.findall(_KERNEL_H.read_text(encoding="utf-8"))}


_HEADER = im.MAGIC + struct.pack("<H", im.VERSION)


@record(frozen=True)
class Found:
    """The image's address; `start_us` is the tick of the timer at logical time 0, None where
    there is no kernel to tell it."""

    image: int
    start_us: int | None = None


class Memory:
    """The image of a program that runs on a Pico, found in the RAM by the hash of its layout, its
    size and its number of tasks."""

    def __init__(self, pico: EmulatedPico, layout: bytes, size: int, tasks: int) -> None:
        self._pico = pico
        self._tasks = tasks
        self._layout = layout
        self._size = size

    def find(self, by_kernel: bool) -> Found | None:
        """Where the program is, None while it is not running. A look at the whole of the RAM."""
        ram = bytes(self._pico.mcu.sram)
        return self._by_kernel(ram) if by_kernel else self._portable(ram)

    def _by_kernel(self, ram: bytes) -> Found | None:
        at_word = kernel_words()
        at_m = at_word["m"]
        at = ram.find(_MAGIC)
        while at >= 0:
            base = at - 4 * (at_m - 1)  # `magic` stands before `m`
            if base >= 0 and base % 8 == 0 and base + 4 * 64 <= len(ram):
                words = struct.unpack_from("<64I", ram, base)
                image = words[at_m] - _RAM
                if words[at_word["running"]] == 1 and self._is_image(ram, image):
                    return Found(words[at_m], words[at_word["start_us"]])
            at = ram.find(_MAGIC, at + 1)
        return None

    def _portable(self, ram: bytes) -> Found | None:
        at = ram.find(_HEADER)
        while at >= 0:
            if self._is_image(ram, at):
                return Found(_RAM + at)
            at = ram.find(_HEADER, at + 1)
        return None

    def _is_image(self, ram: bytes, at: int) -> bool:
        """An image that is scanned: there are copies of its parts, from loading it."""
        if not 0 <= at <= len(ram) - self._size or at % 8 or not ram.startswith(_HEADER, at):
            return False
        tasks, layout, _, state = struct.unpack_from("<H8sII", ram, at + len(_HEADER))
        running = state in (im.RUNNING, im.FAULTED)
        return running and layout == self._layout and tasks == self._tasks

    def image(self, found: Found) -> bytes:
        at = found.image - _RAM
        return bytes(self._pico.mcu.sram[at : at + self._size])

    def timer_us(self) -> int:
        ticks: int = self._pico.mcu.read_uint32(_TIMERAWL)
        return ticks

    def ahead_us(self, tick_us: int) -> int:
        """How far a tick of the timer is away; negative where it is over."""
        return (tick_us - self.timer_us() + (1 << 31)) % (1 << 32) - (1 << 31)

    def store(self, found: Found, offset: int, data: bytes, mask: int | None) -> bool:
        """Store bytes, or the bits of `mask`, between two scans; False in the middle of one."""
        mcu: Any = self._pico.mcu
        if mcu.read_uint32(found.image + 4 * im.SEQUENCE) & 1:
            return False
        at = found.image + offset
        if mask is not None:
            data = bytes((mcu.read_uint8(at) & ~mask | data[0],))
        for n, byte in enumerate(data):
            mcu.write_uint8(at + n, byte)
        return True

    def tasks(self, found: Found, count: int) -> list[dict[str, Any]]:
        """Scans, logical release time, latency and duration of each task's last scan."""
        at = found.image - _RAM + im.HEADER_SIZE
        ram = self._pico.mcu.sram
        rows = []
        for n in range(count):
            record = bytes(ram[at + n * im.RECORD_SIZE : at + (n + 1) * im.RECORD_SIZE])
            scans, exec_us, latency_us = (
                struct.unpack_from("<I", record, o)[0] for o in (0, 16, 32)
            )
            release_ns = struct.unpack_from("<q", record, 152)[0]
            rows.append(
                {
                    "scans": scans,
                    "release": release_ns,
                    "exec_us": exec_us,
                    "latency_us": latency_us,
                }
            )
        return rows
