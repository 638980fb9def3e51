"""The times that transports live by, on CPython's and on MicroPython's asyncio.

Ticks are counted modulo 2**30, the period of ticks on 32-bit boards (12 days of ms, 18 minutes of
µs): a difference of two is taken `& TICKS`.
"""

import asyncio
import time

TICKS = 0x3FFFFFFF

if hasattr(asyncio, "sleep_ms"):  # MicroPython
    sleep_ms = asyncio.sleep_ms

    def ticks_ms():
        return time.ticks_ms() & TICKS  # type: ignore[operator]

    def ticks_us():
        return time.ticks_us() & TICKS  # type: ignore[operator]

else:  # CPython

    def sleep_ms(duration_ms):
        return asyncio.sleep(duration_ms / 1000)

    def ticks_ms():
        return time.monotonic_ns() // 1000000 & TICKS  # type: ignore[attr-defined]

    def ticks_us():
        return time.monotonic_ns() // 1000 & TICKS  # type: ignore[attr-defined]
