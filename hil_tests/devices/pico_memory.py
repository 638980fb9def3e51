"""What a debugger would see of a running program: image, records and mailbox in a Pico's RAM."""

from __future__ import annotations

import struct
from typing import Any

from controller import image as im
from host_tools.pico import EmulatedPico
from host_tools.record import record

_RAM = 0x20000000
_TIMERAWL = 0x40054028  # RP2040 data sheet 4.6.5

# Of firmware/kernel/kernel.h, as words from the kernel's address.
_MAGIC = struct.pack("<I", 0x544B5441)
_AT_MAGIC, _AT_M, _AT_RUNNING, _AT_START_US = 2, 3, 5, 38
_AT_MAILS, _AT_MAIL_OFFSETS, _AT_MAIL_LENGTHS, _AT_MAIL_BYTES = 20, 21, 22, 23

_HEADER = im.MAGIC + struct.pack("<H", im.VERSION)


@record(frozen=True)
class Found:
    """Addresses of the image and of the kernel, 0 without one; `start_us` is the tick of the
    timer at logical time 0, where the kernel tells it."""

    image: int
    kernel: int = 0
    start_us: int = 0


class Memory:
    """The image of a program with this layout in the RAM of a Pico, while one runs there."""

    def __init__(self, pico: EmulatedPico, layout: bytes, size: int) -> None:
        self._pico = pico
        self._layout = layout
        self._size = size

    def find(self, by_kernel: bool) -> Found | None:
        """Where the program is, None while it is not running. A look at the whole of the RAM."""
        ram = bytes(self._pico.mcu.sram)
        return self._by_kernel(ram) if by_kernel else self._portable(ram)

    def _by_kernel(self, ram: bytes) -> Found | None:
        at = ram.find(_MAGIC)
        while at >= 0:
            base = at - 4 * _AT_MAGIC
            if base >= 0 and base % 8 == 0 and base + 4 * _AT_START_US + 4 <= len(ram):
                words = struct.unpack_from("<39I", ram, base)
                image = words[_AT_M] - _RAM
                if words[_AT_RUNNING] == 1 and self._is_image(ram, image):
                    return Found(words[_AT_M], _RAM + base, words[_AT_START_US])
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
        if not 0 <= at <= len(ram) - self._size or not ram.startswith(_HEADER, at):
            return False
        head = ram[at : at + im.HEADER_SIZE]
        state = struct.unpack_from("<I", head, 4 * im.STATE)[0]
        return self._layout in head and state != im.STOPPED

    def image(self, found: Found) -> bytes:
        at = found.image - _RAM
        return bytes(self._pico.mcu.sram[at : at + self._size])

    def timer_us(self) -> int:
        ticks: int = self._pico.mcu.read_uint32(_TIMERAWL)
        return ticks

    def post(self, found: Found, offset: int, data: bytes, mask: int | None) -> bool:
        """Hand a write to the kernel as Python there does (controller/kernel_mailbox.py), or store
        it where there is no kernel; False while that is not possible."""
        mcu: Any = self._pico.mcu
        if not found.kernel:
            if mcu.read_uint32(found.image + 4 * im.SEQUENCE) & 1:
                return False  # in the middle of a scan
            if mask is not None:
                was = mcu.read_uint8(found.image + offset)
                data = bytes((was & ~mask | data[0],))
            for n, byte in enumerate(data):
                mcu.write_uint8(found.image + offset + n, byte)
            return True

        def word(n: int) -> int:
            value: int = mcu.read_uint32(found.kernel + 4 * n)
            return value

        if word(_AT_MAILS):
            return False
        mcu.write_uint32(word(_AT_MAIL_OFFSETS), offset)
        mcu.write_uint16(word(_AT_MAIL_LENGTHS), len(data) if mask is None else 0)
        for n, byte in enumerate(data if mask is None else bytes((mask, data[0]))):
            mcu.write_uint8(word(_AT_MAIL_BYTES) + n, byte)
        mcu.write_uint32(found.kernel + 4 * _AT_MAILS, 1)
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
