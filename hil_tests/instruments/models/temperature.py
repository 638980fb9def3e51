"""The temperature sensor LM75B on I2C (NXP LM75B data sheet, sections 7 and 8)."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.pico import EmulatedPico

# Pointer register (table 6).
_TEMP, _CONF, _THYST, _TOS = range(4)
# Configuration (table 8).
_SHUTDOWN, _INTERRUPT_MODE, _ACTIVE_HIGH = 0x01, 0x02, 0x04
_QUEUE = (1, 2, 4, 6)
_CONVERSION_NS = 100_000_000
_STEP_C = 0.125
# A conversion gives 11 bits; thresholds have 9, steps of 0.5 °C.
_LIMIT_HALVES = 0x80


class Lm75:
    """`temperature_c` is what the chip is exposed to; it converts ten times a second."""

    def __init__(self, temperature_c: float = 25.0) -> None:
        self.temperature_c = temperature_c
        self._pointer = _TEMP
        self._expects_pointer = False
        self._temp = 0
        self._conf = 0
        self._limits = {_THYST: 75 * 256, _TOS: 80 * 256}
        self._bytes: list[int] = []
        self._position = 0
        self._beyond = 0
        self._alarm = False
        self._hot = False
        self._os: Callable[[bool | None], None] = lambda level: None
        self._watchers: list[Callable[[bool], None]] = []
        self._told = False
        self._convert()

    def attach(
        self, pico: EmulatedPico, bus: int = 0, address: int = 0x48, os: int | None = None
    ) -> None:
        """On a bus of a board, the overtemperature output OS (open drain) at a pin of it."""
        pico.i2c(bus).attach(address, self)
        if os is not None:
            pin = os
            self._os = lambda level: pico.drive(pin, level)
        clock = pico.mcu.clock

        def again() -> None:
            self.convert()
            alarm.schedule(_CONVERSION_NS)

        alarm = clock.create_alarm(again)
        alarm.schedule(_CONVERSION_NS)
        self._show()

    @property
    def overtemperature(self) -> bool:
        """Whether OS is active."""
        return self._alarm

    def convert(self) -> None:
        """One conversion, unless the chip is shut down (section 7.1)."""
        if not self._conf & _SHUTDOWN:
            self._convert()
            self._compare()

    def _convert(self) -> None:
        steps = round(max(-55.0, min(125.0, self.temperature_c)) / _STEP_C)
        self._temp = (steps << 5) & 0xFFFF

    def _compare(self) -> None:
        """Section 7.4: comparator and interrupt mode, with the fault queue."""
        now = _signed(self._temp)
        high, low = _signed(self._limits[_TOS]), _signed(self._limits[_THYST])
        beyond = now < low if self._hot else now > high
        self._beyond = self._beyond + 1 if beyond else 0
        if self._beyond >= _QUEUE[self._conf >> 3 & 3]:
            self._hot = not self._hot
            self._beyond = 0
            self._alarm = True if self._conf & _INTERRUPT_MODE else self._hot
        elif not self._conf & _INTERRUPT_MODE:
            self._alarm = self._hot
        self._show()

    def watch(self, callback: Callable[[bool], None]) -> None:
        """Call at each change of OS: whether it is active."""
        self._watchers.append(callback)

    def _show(self) -> None:
        if self._alarm is not self._told:
            self._told = self._alarm
            for watcher in self._watchers:
                watcher(self._alarm)
        high = self._alarm is bool(self._conf & _ACTIVE_HIGH)
        self._os(None if high else False)

    # -- the bus: a pointer, then one or two bytes (section 7.3) --

    def start(self, read: bool) -> bool:
        self._expects_pointer = not read
        self._bytes = []
        if read:
            self._position = 0
            if self._conf & _INTERRUPT_MODE:
                self._alarm = False
                self._show()
        return True

    def write(self, value: int) -> bool:
        if self._expects_pointer:
            self._pointer = value & 3
            self._expects_pointer = False
        elif self._pointer == _CONF:
            self._conf = value & 0x1F
            self._show()
        elif self._pointer in self._limits:
            self._bytes.append(value)
            if len(self._bytes) == 2:
                high, low = self._bytes
                self._limits[self._pointer] = high << 8 | low & _LIMIT_HALVES
        return True

    def read(self) -> int:
        if self._pointer == _CONF:
            return self._conf
        word = self._temp if self._pointer == _TEMP else self._limits[self._pointer]
        value = word >> 8 if self._position % 2 == 0 else word & 0xFF
        self._position += 1
        return value

    def stop(self) -> None: ...


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word
