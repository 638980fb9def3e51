"""Plays levels with exact durations on a pin: a PIO state machine fed by DMA.

A word is `(cycles - 4) << 1 | level`; the level lasts for that many clock cycles, 4 at the least.
After the last word the level stays.
"""

# mypy: disable-error-code=name-defined

import rp2
import uctypes
from machine import Pin

_PIO0 = 0x50200000
_TXF0 = _PIO0 + 0x10
_DREQ_PIO0_TX0 = 0
# READ_ADDR_TRIG (RP2040 data sheet, table 124), by its place among a channel's registers.
_AL3_READ_ADDR_TRIG = 0x3C
_DMA = 0x50000000
_CHANNEL_BYTES = 0x40


def _play():
    pull(block)
    out(pins, 1)
    out(x, 31)
    label("wait")
    jmp(x_dec, "wait")


def _program(high):
    level = rp2.PIO.OUT_HIGH if high else rp2.PIO.OUT_LOW
    return rp2.asm_pio(
        out_init=level, out_shiftdir=rp2.PIO.SHIFT_RIGHT, fifo_join=rp2.PIO.JOIN_TX
    )(_play)


class Stimulus:
    """State machine 1, 2 or 3 with two DMA channels; `mask` is its bit in the block's CTRL."""

    def __init__(self, number):
        self._number = number
        self.mask = 1 << number
        self._data = rp2.DMA()
        self._again = rp2.DMA()
        self._words = bytearray(0)
        self._address = bytearray(4)
        self._program = None

    def load(self, count):
        """Make room for `count` words."""
        self.stop()
        self._words = bytearray(4 * count)

    def fill(self, offset, data):
        """Put bytes of words at a byte offset."""
        if offset + len(data) > len(self._words):
            raise ValueError("more words than there is room for")
        self._words[offset : offset + len(data)] = data

    def arm(self, pin, high, repeat):
        """Drive `pin` to its first level and play from the start on, once or for ever."""
        self.stop()
        self._program = _program(high)
        rp2.StateMachine(self._number, self._program, out_base=Pin(pin))
        start = uctypes.addressof(self._words)
        data, again = self._data, self._again
        chain = data.channel  # type: ignore[attr-defined]
        if repeat:
            chain = again.channel  # type: ignore[attr-defined]
            self._address[:] = start.to_bytes(4, "little")
            again.config(
                read=self._address,
                write=_DMA + data.channel * _CHANNEL_BYTES + _AL3_READ_ADDR_TRIG,  # type: ignore[attr-defined]
                count=1,
                ctrl=again.pack_ctrl(size=2, inc_read=False, inc_write=False),
            )
        data.config(
            read=start,
            write=_TXF0 + 4 * self._number,
            count=len(self._words) // 4,
            ctrl=data.pack_ctrl(
                size=2,
                inc_write=False,
                treq_sel=_DREQ_PIO0_TX0 + self._number,
                chain_to=chain,
            ),
            trigger=True,
        )

    def left(self):
        """How many words were not handed to the state machine yet."""
        return self._data.count if self._program is not None else 0  # type: ignore[attr-defined]

    def stop(self):
        """Leave the pin at its level."""
        self._again.active(0)
        self._data.active(0)
        if self._program is not None:
            rp2.StateMachine(self._number).active(0)
            rp2.PIO(0).remove_program(self._program)
            self._program = None
