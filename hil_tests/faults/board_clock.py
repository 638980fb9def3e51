"""The clocks of an emulated Pico: its counter of microseconds overflows soon, its calendar jumps.

A program's time is logical: it is counted from releases, and neither may touch it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from host_tools.pico import EmulatedPico

WRAP_NS = (1 << 32) * 1000
"""After what time the low word of the counter overflows (RP2040 data sheet, 4.6.1): 71.6 minutes;
MicroPython's `ticks_us`, which has 30 bits, does so then too."""


def overflow_in(board: EmulatedPico, in_ns: int) -> None:
    """Let the counter be so far that it overflows in `in_ns`. To be called just after a reset:
    while something runs, a counter does not jump."""
    from rp2040py.peripherals.timer import RPTimer

    timer: Any = _only(board, RPTimer)
    timer._epoch_nanos = board.time_ns - (WRAP_NS - in_ns)


def step_calendar(board: EmulatedPico, by_s: float) -> None:
    """Set the real-time clock forward, or back where `by_s` is negative."""
    from rp2040py.peripherals.rtc import RP2040RTC

    calendar: Any = _only(board, RP2040RTC)
    calendar.baseline += timedelta(seconds=by_s)


def _only(board: EmulatedPico, kind: type) -> Any:
    return next(p for p in board.mcu.peripherals.values() if isinstance(p, kind))
