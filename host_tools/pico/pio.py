"""Keeps idle PIO blocks out of the emulator's inner loop, which asks both at every instruction.

Worth a third of the emulator's time. The loop takes its blocks by iterating over `mcu.pio` and
everything else takes them by index: a mapping that is empty but answers for every index serves
both. A block that firmware starts ends the loop's batch at that very instruction, so the block
runs from there on: nothing depends on how the loop is cut into batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

_ADDRESS_KEYS = (0x50200, 0x50300)


class PioBlocks:
    """The two PIO blocks of a chip, in the loop only while one of them runs."""

    def __init__(self, mcu: RP2040, end_batch: Callable[[], None]) -> None:
        self._mcu = mcu
        self._end_batch = end_batch
        self._blocks = list(mcu.pio)
        self._idle = _Idle(self._blocks)
        self._parked = False
        self.started = False
        """Whether a block was started since the caller last cleared this."""
        for key, block in zip(_ADDRESS_KEYS, self._blocks, strict=True):
            mcu.peripherals[key] = _Watched(block, self._written)
        self.settle()

    def settle(self) -> None:
        """Take the blocks out of the loop when neither runs; call it between batches."""
        if not self._parked and all(block.stopped for block in self._blocks):
            self._parked = True
            setattr(self._mcu, "pio", self._idle)  # noqa: B010

    def _written(self) -> None:
        if self._parked and not all(block.stopped for block in self._blocks):
            self._parked = False
            self._mcu.pio = self._blocks
            self.started = True
            self._end_batch()


class _Idle(dict[int, Any]):
    """Iterates over nothing, answers by index."""

    def __init__(self, blocks: list[Any]) -> None:
        super().__init__()
        self._blocks = blocks

    def __missing__(self, index: int) -> Any:
        return self._blocks[index]


class _Watched:
    """A block on the bus that reports writes."""

    def __init__(self, block: Any, written: Callable[[], None]) -> None:
        self._written = written
        self._block = block
        self.read_uint32 = block.read_uint32
        self.reset = block.reset

    def write_uint32(self, offset: int, value: int) -> None:
        self._block.write_uint32(offset, value)
        self._written()

    def write_uint32_atomic(self, offset: int, value: int, atomic_type: int) -> None:
        self._block.write_uint32_atomic(offset, value, atomic_type)
        self._written()
