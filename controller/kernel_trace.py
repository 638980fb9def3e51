"""The trace of the scan kernel: samples of signals around a trigger, taken in the scans.

    trace = Trace(kernel, task=0, signals=[(424, 2), (1016, 4)], rows=200, before=50,
                  trigger=(424, 2, True, ">", 1000))
    ...
    if trace.complete(): rows = trace.read()

A signal is (offset, bytes) of the image. The trigger is (offset, bytes, signed, how, threshold);
`how` is ">" when the value rises above the threshold, "<" when it falls below, "=" when it is
that, "" at once. `before` rows are there before the row that triggers. What is read are the bits
of the signals: who asked for them knows their types.
"""

import uctypes

from controller.image import const

_RARE_TRACE = const(8)  # a bit of the kernel's `rare` (kernel.h)
_TRACE = const(37)  # a word of it, and then those of a trace
_TASK = const(0)
_STATE = const(1)
_SIGNALS = const(2)
_ROWS = const(3)
_ROW = const(4)
_AFTER = const(5)
_FILLED = const(6)
_BEFORE = const(7)
_TRIGGER = const(8)
_TRIGGER_SIZE = const(9)
_TRIGGER_SIGNED = const(10)
_COMPARE = const(11)
_THRESHOLD = const(12)
_LAST = const(13)
_ARMED = const(14)
_RING = const(15)
_WHERE = const(16)
_WORDS = const(32)

_SIGNALS_MAX = const(16)
_HOW = ("", ">", "<", "=")


def _view(address, count):
    return uctypes.struct(address, (uctypes.ARRAY | 0, uctypes.UINT32 | count))


class Trace:
    """A trace that is being taken; one at a time. Raises ValueError for what it cannot take."""

    def __init__(self, kernel, task, signals, rows, before=0, trigger=None):
        offset, size, signed, how, threshold = trigger or (0, 1, False, "", 0)
        if how not in _HOW:
            raise ValueError("a trigger is one of > < =, or none")
        if not 0 < len(signals) <= _SIGNALS_MAX:
            raise ValueError("a trace has 1 to %d signals" % _SIGNALS_MAX)
        if not 0 <= before < rows:
            raise ValueError("the rows before the trigger are fewer than all")
        for at, length in list(signals) + [(offset, size)]:
            if length not in (1, 2, 4) or at % length or at + length > len(kernel.image.data):
                raise ValueError("a signal has 1, 2 or 4 bytes of the image")
        self._kernel = kernel
        self.stop()
        # In one block with the ring, which the collector finds by this reference.
        count = _WORDS + rows * (len(signals) + 1)
        self._block = block = bytearray(4 * count + 4)
        base = uctypes.addressof(block) + 3 & ~3
        self._words = words = _view(base, count)
        words[_TASK] = task
        words[_SIGNALS] = len(signals)
        words[_ROWS] = rows
        words[_AFTER] = rows - before
        words[_BEFORE] = before
        words[_TRIGGER] = offset
        words[_TRIGGER_SIZE] = size
        words[_TRIGGER_SIGNED] = 1 if signed else 0
        words[_COMPARE] = _HOW.index(how)
        words[_THRESHOLD] = threshold & 0xFFFFFFFF
        words[_RING] = base + 4 * _WORDS
        for k in range(len(signals)):
            words[_WHERE + k] = signals[k][0] | signals[k][1] << 24
        words[_STATE] = 1
        kernel.words[_TRACE] = base
        kernel.tell(_RARE_TRACE, True)
        kernel.trace = self  # or the block would be collected

    def complete(self):
        return self._words[_STATE] == 3

    def triggered(self):
        return self._words[_STATE] >= 2

    def stop(self):
        """Ends it; what was taken can still be read."""
        self._kernel.tell(_RARE_TRACE, False)

    def read(self):
        """The rows so far, the oldest first: low 32 bits of the release in ns, the signals."""
        words = self._words
        wide = words[_SIGNALS] + 1
        rows = words[_ROWS]
        filled = words[_FILLED]
        found = []
        for n in range(filled):
            at = _WORDS + (words[_ROW] + rows - filled + n) % rows * wide
            found.append([words[k] for k in range(at, at + wide)])
        return found
