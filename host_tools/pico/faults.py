"""Makes the emulated core enter HardFault where a real one does (ARMv6-M, B1.5.6 and B1.5.14).

The emulator stops at a breakpoint and at an undefined instruction, and only writes a line where
memory is not there or a word is not aligned. Here each of these is the exception that it is on a
chip without a debugger. In HardFault itself they lock the core up: the same instruction again and
again, which ends a run.

Found are: BKPT and UDF, instructions that the emulator does not know, reads of an unaligned word,
access to addresses where an RP2040 has nothing. Not found: writes of an unaligned word, a branch
to an address without Thumb bit. A load that faults has already filled its register.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040
    from rp2040py.utils.logging import Logger

_NMI, _HARD_FAULT = 2, 3
# Where an RP2040 has something, or may have: RP2040 data sheet 2.2, ARMv6-M B3.1 for the last.
_MAPPED = (
    (0x00000000, 0x00004000),
    (0x10000000, 0x19000000),
    (0x20000000, 0x20042000),
    (0x21000000, 0x21040000),
    (0x40000000, 0x40070000),
    (0x50000000, 0x50400000),
    (0xD0000000, 0xD0001000),
    (0xE0000000, 0xE0100000),
)
_NO_MEMORY = re.compile(r"(Read from invalid memory|Write to undefined) address: ([0-9a-f]+)")
_UNALIGNED = re.compile(r"read from address ([0-9a-f]+), which is not 32 bit aligned")
_UNKNOWN = re.compile(r"Instruction at [0-9a-f]+ is not implemented")


class Faults:
    """Watches a chip; what the emulator has to say goes through it on to its own logger."""

    def __init__(self, mcu: RP2040, end_batch: Callable[[], None]) -> None:
        self._mcu = mcu
        self._end_batch = end_batch
        self._logger: Logger = mcu.logger
        mcu.logger = self
        mcu.on_break = self._on_break
        self._at: int | None = None
        self._cause = ""
        self._first = ""

    @property
    def pending(self) -> bool:
        """Whether an instruction has faulted and `enter` is due."""
        return self._at is not None

    def forget(self) -> None:
        """What was found outside of the chip's own run, by somebody who looks into its memory."""
        self._at = None

    def enter(self) -> bool:
        """Enter HardFault; False where the core is in it already, and locks up."""
        core, at = self._mcu.core, self._at
        assert at is not None
        self._at = None
        core.pc = at
        if core.ipsr in (_NMI, _HARD_FAULT):
            self._end_batch()
            return False
        self._first = f"{self._cause} at 0x{at:08x}"
        core.exception_entry(_HARD_FAULT)
        return True

    def text(self) -> str:
        """What has locked the core up."""
        return f"{self._first}, and its HardFault handler gave up: {self._cause}"

    def _pc(self) -> int:
        # The emulator keeps the Thumb bit of a vector.
        return int(self._mcu.core.pc) & ~1

    def _found(self, cause: str, at: int) -> None:
        if self._at is None:
            self._at = at
            self._cause = cause
            self._end_batch()

    def _on_break(self, _: int) -> None:
        at = self._pc() - 2
        breakpoint_ = self._mcu.read_uint16(at) >> 8 == 0xBE
        self._found(f"{'a breakpoint' if breakpoint_ else 'an undefined'} instruction", at)

    # -- of the emulator's logger ----------------------------------------------------------

    def warning(self, component_name: str, message: str) -> None:
        pc = self._pc()
        if match := _NO_MEMORY.search(message):
            address = int(match[2], 16)
            if not any(start <= address < end for start, end in _MAPPED):
                fetched = address == pc & ~3
                self._found(f"no memory at 0x{address:08x}", pc if fetched else pc - 2)
        elif match := _UNALIGNED.search(message):
            self._found(f"a word is not aligned at 0x{match[1]:0>8}", pc - 2)
        elif _UNKNOWN.search(message):
            self._found("an undefined instruction", pc - 2)
        self._logger.warning(component_name, message)

    def debug(self, component_name: str, message: str) -> None:
        self._logger.debug(component_name, message)

    def info(self, component_name: str, message: str) -> None:
        self._logger.info(component_name, message)

    def error(self, component_name: str, message: str) -> None:
        self._logger.error(component_name, message)
