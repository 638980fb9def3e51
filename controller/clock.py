"""The clock of a real run: microsecond ticks that wrap, and waiting for one of them.

A port with a hardware timer that can wake asyncio may give the scheduler a clock of its own; all
that takes is `ticks_us`, `ticks_add`, `ticks_diff`, `near`, `until` and `idle`.
"""

import asyncio
import sys
import time

try:
    from time import sleep_us, ticks_add, ticks_diff, ticks_us

    sleep_ms = asyncio.sleep_ms
except ImportError:  # CPython
    _PERIOD = 1 << 30  # that of 32-bit boards, 17.9 minutes, so that a desk meets the wrap too

    def ticks_us():  # type: ignore[misc]
        return time.monotonic_ns() // 1000 & (_PERIOD - 1)  # type: ignore[attr-defined]

    def ticks_add(tick, delta):  # type: ignore[misc]
        return (tick + delta) & (_PERIOD - 1)

    def ticks_diff(late, early):  # type: ignore[no-redef]
        return ((late - early + (_PERIOD >> 1)) & (_PERIOD - 1)) - (_PERIOD >> 1)

    def sleep_us(duration_us):  # type: ignore[misc]
        time.sleep(duration_us / 1000000)

    def sleep_ms(duration_ms):
        return asyncio.sleep(duration_ms / 1000)


if sys.platform == "rp2":
    # sleep_us() polls on this port. An alarm that wakes machine.idle() leaves the core asleep,
    # which also is what an emulator skips.
    import machine

    _alarm = machine.Timer()
    _ALARM = {"mode": machine.Timer.ONE_SHOT, "tick_hz": 1000000, "callback": lambda timer: None}

    def _sleep_us(duration_us):
        due_us = ticks_add(ticks_us(), duration_us)
        _alarm.init(period=duration_us, **_ALARM)
        while ticks_diff(due_us, ticks_us()) > 0:
            machine.idle()
else:
    _sleep_us = sleep_us


# asyncio counts milliseconds and may run something else first: it gets the time until _EARLY_US
# before the release, the last stretch is slept through and the end of it polled, since sleep_us of
# a desktop system oversleeps by tens of µs.
_EARLY_US = 2000
_POLL_US = 100


class Clock:
    """Real time of the machine this runs on."""

    ticks_us = staticmethod(ticks_us)
    ticks_add = staticmethod(ticks_add)
    ticks_diff = staticmethod(ticks_diff)

    async def near(self, due_us):
        """Lets other asyncio tasks run, at least once, and returns shortly before `due_us`."""
        left_us = ticks_diff(due_us, ticks_us())
        if left_us < _EARLY_US:
            await sleep_ms(0)
            left_us = ticks_diff(due_us, ticks_us())
        while left_us >= _EARLY_US:
            await sleep_ms((left_us - _EARLY_US // 2) // 1000)
            left_us = ticks_diff(due_us, ticks_us())

    def until(self, due_us):
        """Returns at `due_us`, at once if it is over. Nothing else runs: a request that was
        answered now would delay the release."""
        left_us = ticks_diff(due_us, ticks_us())
        if left_us > 2 * _POLL_US:
            _sleep_us(left_us - _POLL_US)
        while ticks_diff(due_us, ticks_us()) > 0:
            pass

    async def idle(self, duration_ms):
        """Lets other asyncio tasks run for about that long, 0: once."""
        await sleep_ms(duration_ms)
