"""Stamps each change of a range of pins: a PIO state machine counts, DMA fills a ring.

A record is two words: the levels (bit 0 is the first pin) and a counter that goes down by one in
each 8 clock cycles. The first record tells the levels at the start; one with the counter at all
ones and nothing changed marks a turn of the counter.
"""

# mypy: disable-error-code=name-defined

import rp2
import uctypes
from machine import Pin, mem32

CYCLES = 8
RECORD_BYTES = 8

_PIO0 = 0x50200000
_RXF0 = _PIO0 + 0x20
_FDEBUG = _PIO0 + 0x08
_RXSTALL0 = 1 << 0
_DREQ_PIO0_RX0 = 4
_RING_BITS = 14
_RING_BYTES = 1 << _RING_BITS
_RECORDS = _RING_BYTES // RECORD_BYTES
# The upper four bits are a mode on RP2350.
_WORDS_MAX = 0x0FFFFFFF


def _program(count):
    # X is what was seen last, OSR the counter. A pass takes 8 cycles; one with a record takes 16
    # and counts two; a turn of the counter takes 24 and counts three.
    @rp2.asm_pio(fifo_join=rp2.PIO.JOIN_RX, in_shiftdir=rp2.PIO.SHIFT_LEFT)
    def capture():
        wrap_target()
        mov(isr, null)
        in_(pins, count)
        mov(y, isr)
        jmp(x_not_y, "changed")
        label("count")
        mov(x, osr)
        jmp(x_dec, "go")
        mov(osr, x)
        mov(isr, y)[4]
        label("changed")
        push(block)
        mov(isr, osr)
        push(block)
        mov(x, osr)
        jmp(x_dec, "counted")
        label("counted")
        mov(osr, x)[1]
        jmp("count")
        label("go")
        mov(osr, x)
        mov(x, y)
        wrap()

    return capture


class Capture:
    """State machine 0 with a DMA channel; `mask` is its bit in the block's CTRL."""

    mask = 1

    def __init__(self):
        self._dma = rp2.DMA()
        # A ring must begin at a multiple of its size.
        self._memory = bytearray(2 * _RING_BYTES)
        self._offset = -uctypes.addressof(self._memory) % _RING_BYTES
        self._read = 0
        self._program = None

    def arm(self, first, count, counter):
        """Watch pins `first` to `first + count - 1` from the start on; `counter` below 32 is where
        it begins (to see it turn), else all ones."""
        self.stop()
        self._program = _program(count)
        machine = rp2.StateMachine(0, self._program, in_base=Pin(first))
        # Bits that no pin has, so that the first pass makes a record.
        machine.exec("mov(x, invert(null))")
        machine.exec("mov(osr, invert(null))")
        if counter < 32:
            machine.exec("set(y, %d)" % counter)
            machine.exec("mov(osr, y)")
        mem32[_FDEBUG] = _RXSTALL0
        self._read = 0
        dma = self._dma
        dma.config(
            read=_RXF0,
            write=uctypes.addressof(self._memory) + self._offset,
            count=_WORDS_MAX,
            ctrl=dma.pack_ctrl(
                size=2,
                inc_read=False,
                inc_write=True,
                ring_sel=True,
                ring_size=_RING_BITS,
                treq_sel=_DREQ_PIO0_RX0,
            ),
            trigger=True,
        )

    def stop(self):
        """Forget everything."""
        self._dma.active(0)
        if self._program is not None:
            rp2.StateMachine(0).active(0)
            rp2.PIO(0).remove_program(self._program)
            self._program = None

    def _written(self):
        return (_WORDS_MAX - self._dma.count) >> 1  # type: ignore[attr-defined]

    def take(self, most):
        """(records made so far, lost before these, whether the clock was held up, records): at
        most `most` of those that were not taken before."""
        if self._program is None:
            return 0, 0, False, b""
        written = self._written()
        first = max(self._read, written - _RECORDS)
        place = first % _RECORDS
        count = min(written - first, most, _RECORDS - place)
        start = self._offset + place * RECORD_BYTES
        data = bytes(memoryview(self._memory)[start : start + count * RECORD_BYTES])
        # What was overwritten while it was copied is lost as well.
        passed = min(count, max(0, self._written() - _RECORDS - first))
        lost = first + passed - self._read
        self._read = first + count
        stalled = bool(mem32[_FDEBUG] & _RXSTALL0)
        return written, lost, stalled, data[passed * RECORD_BYTES :]
