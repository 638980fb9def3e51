"""Converters: ADS1115 on I2C (TI SBAS444) and MCP3208 on SPI (Microchip DS21298)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from host_tools.pico import EmulatedPico

# Address pointer (SBAS444, table 7).
_CONVERSION, _CONFIG, _LO_THRESH, _HI_THRESH = range(4)
# Config register (table 8).
_OS = 1 << 15
_MODE_SINGLE = 1 << 8
_COMP_WINDOW = 1 << 4
_COMP_ACTIVE_HIGH = 1 << 3
_COMP_LATCHING = 1 << 2
_CONFIG_RESET = 0x8583
_FULL_SCALE_V = (6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256)
_RATE_HZ = (8, 16, 32, 64, 128, 250, 475, 860)
# Positive and negative input by MUX; None is ground.
_MUX: tuple[tuple[int, int | None], ...] = (
    (0, 1),
    (0, 3),
    (1, 3),
    (2, 3),
    (0, None),
    (1, None),
    (2, None),
    (3, None),
)
_QUEUE = (1, 2, 4)
_READY_PULSE_NS = 8000


class Ads1115:
    """`volts` are those at AIN0 to AIN3 against ground; 16 bits, of which a conversion takes its
    sample at its end."""

    def __init__(self) -> None:
        self.volts = [0.0, 0.0, 0.0, 0.0]
        self._registers = [0, _CONFIG_RESET, 0x8000, 0x7FFF]
        self._pointer = _CONVERSION
        self._bytes: list[int] | None = None
        self._position = 0
        self._converting = False
        self._out = 0
        self._alert_now = False
        self._alert: Callable[[bool | None], None] = lambda level: None
        self._conversion: Any = None
        self._ready: Any = None

    def attach(
        self, pico: EmulatedPico, bus: int = 0, address: int = 0x48, alert: int | None = None
    ) -> None:
        """On a bus of a board, ALERT/RDY (open drain) at a pin of it."""
        pico.i2c(bus).attach(address, self)
        if alert is not None:
            pin = alert
            self._alert = lambda level: pico.drive(pin, level)
        self._conversion = pico.mcu.clock.create_alarm(self._converted)
        self._ready = pico.mcu.clock.create_alarm(lambda: self._show(False))
        self._show(False)

    # -- the bus: a pointer, then words, most significant byte first (section 9.5.2) --

    def start(self, read: bool) -> bool:
        self._bytes = None if read else []
        self._position = 0
        return True

    def write(self, value: int) -> bool:
        if self._bytes is None:
            return False
        self._bytes.append(value)
        if len(self._bytes) == 1:
            self._pointer = value & 3
        elif len(self._bytes) == 3:
            self._write_register(self._bytes[1] << 8 | self._bytes[2])
            del self._bytes[1:]
        return True

    def read(self) -> int:
        word = self._registers[self._pointer]
        if self._pointer == _CONFIG:
            word = word & ~_OS | (0 if self._converting else _OS)
        if self._pointer == _CONVERSION and self._registers[_CONFIG] & _COMP_LATCHING:
            self._show(False)
        self._position ^= 1
        return word >> 8 if self._position else word & 0xFF

    def stop(self) -> None: ...

    def _write_register(self, word: int) -> None:
        if self._pointer == _CONVERSION:
            return
        self._registers[self._pointer] = word
        if self._pointer == _CONFIG:
            self._out = 0
            continuous = not word & _MODE_SINGLE
            if continuous or (word & _OS and not self._converting):
                self._begin()
        self._show(False)

    # -- conversions --

    def _begin(self) -> None:
        self._converting = True
        rate = _RATE_HZ[self._registers[_CONFIG] >> 5 & 7]
        self._conversion.schedule(1e9 / rate)

    def _converted(self) -> None:
        config = self._registers[_CONFIG]
        positive, negative = _MUX[config >> 12 & 7]
        volts = self.volts[positive] - (self.volts[negative] if negative is not None else 0.0)
        counts = round(volts / _FULL_SCALE_V[config >> 9 & 7] * 0x8000)
        counts = max(-0x8000, min(0x7FFF, counts))
        self._registers[_CONVERSION] = counts & 0xFFFF
        self._converting = False
        self._compare(counts)
        if not config & _MODE_SINGLE:
            self._begin()

    def _compare(self, counts: int) -> None:
        """Sections 9.3.7 and 9.3.8: comparator and conversion-ready output."""
        config = self._registers[_CONFIG]
        queue = config & 3
        if queue == 3:
            return
        low, high = _signed(self._registers[_LO_THRESH]), _signed(self._registers[_HI_THRESH])
        if high < 0 <= low:
            self._show(True)
            if not config & _MODE_SINGLE:
                self._ready.schedule(_READY_PULSE_NS)
            return
        window = bool(config & _COMP_WINDOW)
        beyond = counts > high or (window and counts < low)
        back = counts < low if not window else not beyond
        self._out = self._out + 1 if beyond else 0
        if self._out >= _QUEUE[queue]:
            self._show(True)
        elif back and not config & _COMP_LATCHING:
            self._show(False)

    def _show(self, active: bool) -> None:
        self._alert_now = active
        high = active is bool(self._registers[_CONFIG] & _COMP_ACTIVE_HIGH)
        self._alert(None if high else False)

    @property
    def alert(self) -> bool:
        """Whether ALERT/RDY is active."""
        return self._alert_now


class Mcp3208:
    """`volts` are those at CH0 to CH7 against ground, 12 bits of `reference_v`."""

    def __init__(self, reference_v: float = 3.3) -> None:
        self.volts = [0.0] * 8
        self.reference_v = reference_v
        self._command: list[int] = []
        self._answer: list[int] | None = None

    def attach(self, pico: EmulatedPico, bus: int = 0, chip_select: int = 17) -> None:
        """On a bus of a board."""
        pico.attach_spi(bus, self, chip_select)

    def select(self) -> None:
        self._command = []
        self._answer = None

    def deselect(self) -> None: ...

    def transfer(self, value: int) -> int:
        answer = 0
        for bit in range(7, -1, -1):
            answer = answer << 1 | self._clock(value >> bit & 1)
        return answer

    def _clock(self, bit: int) -> int:
        """One clock of figure 5-1: start, SGL/DIFF, D2, D1, D0, sample, null, B11 to B0, then B1
        to B11 again, then zeros."""
        if self._answer is not None:
            return self._answer.pop(0) if self._answer else 0
        if self._command or bit:
            self._command.append(bit)
        if len(self._command) == 5:
            counts = self._convert(*self._command[1:])
            bits = [counts >> n & 1 for n in range(11, -1, -1)]
            # Nothing drives the line during the sample; then comes the null bit.
            self._answer = [1, 0, *bits, *bits[-2::-1]]
        return 1

    def _convert(self, single: int, d2: int, d1: int, d0: int) -> int:
        channel = d2 << 2 | d1 << 1 | d0
        volts = self.volts[channel]
        if not single:
            volts -= self.volts[channel ^ 1]
        return max(0, min(4095, int(volts / self.reference_v * 4096)))


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word
