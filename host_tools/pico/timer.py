"""Makes the emulated timer's alarms fire at their tick, as RP2040 data sheet 4.6.3 has it.

The emulator counts whole microseconds from the middle of one, so its alarms come up to a
microsecond early: software that reads the timer in their interrupt finds that it is not due yet.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

_TIMER = 0x40054
_TICK_NS = 1000


class TickAlarm:
    """In the place of an alarm of the emulator's clock."""

    def __init__(self, timer: Any, alarm: Any) -> None:
        self._timer = timer
        self._alarm = alarm
        self._within = alarm.clock_alarm

    @staticmethod
    def attach(mcu: RP2040) -> None:
        """For all alarms of a chip."""
        timer: Any = mcu.peripherals[_TIMER]
        for alarm in timer.alarms:
            alarm.clock_alarm = TickAlarm(timer, alarm)

    def schedule(self, _: float) -> None:
        """At the tick that was written into the alarm's register; now where it has just begun."""
        elapsed_ns = self._timer.clock.nanos - self._timer._epoch_nanos
        ticks = self._alarm.target_micros - int(elapsed_ns // _TICK_NS) & 0xFFFFFFFF
        self._within.schedule(max(0, math.ceil(ticks * _TICK_NS - elapsed_ns % _TICK_NS)))

    def cancel(self) -> None:
        self._within.cancel()
