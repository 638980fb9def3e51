"""The pins of a real board, by the pins of an instrument that are wired to them."""

from __future__ import annotations

from hil_tests.device import pin_number
from hil_tests.instruments.pico import VOLTS, PicoInstrument
from hil_tests.recording import Value
from host_tools.failure import USAGE, Failure


class BoardPins:
    """`wires`: pin of the board -> pin of the instrument. An analogue input of the board has a
    low-pass before it, an analogue output one behind it."""

    def __init__(self, instrument: PicoInstrument, wires: dict[str, str], name: str) -> None:
        self._instrument = instrument
        self._wires = {pin: pin_number(to) for pin, to in wires.items()}
        self._pin_of = {to: pin for pin, to in self._wires.items()}
        self._name = name

    def _at(self, pin: str) -> int:
        """Raises Failure where the board's pin has no wire."""
        if pin not in self._wires:
            raise Failure(
                f"pin {pin} of the board is not wired to the instrument '{self._name}'",
                f'add {pin} = "GP…" to `wires` of [instrument.{self._name}]',
                USAGE,
            )
        return self._wires[pin]

    def write(self, pin: str, value: Value, analogue: bool) -> None:
        """A level, None for open; or a voltage."""
        at = self._at(pin)
        if analogue:
            self._instrument.pwm(at, min(1.0, max(0.0, float(value or 0.0) / VOLTS)))
        elif value is None:
            self._instrument.release(at)
        else:
            self._instrument.set(at, bool(value))

    def read(self, pin: str, analogue: bool) -> Value:
        at = self._at(pin)
        return self._instrument.volts(at) if analogue else self._instrument.read(at)

    def begin(self, pins: list[str]) -> None:
        """Stamp the edges of these pins from now on."""
        if pins:
            self._instrument.capture([self._at(pin) for pin in pins])
            self._instrument.start()

    def edges(self) -> list[tuple[int, str, bool]]:
        """(ns since `begin`, pin, level) since the last call. Raises Failure where some are lost:
        what they said is not known."""
        found = [(s.time_ns, s.pin, s.level) for s in self._instrument.edges()]
        if self._instrument.lost or self._instrument.held_up:
            raise Failure(
                f"the instrument '{self._name}' has lost edges: they come too fast for it",
                "wire fewer or slower signals to it",
            )
        return [(ns, self._pin_of[pin], level) for ns, pin, level in found if pin in self._pin_of]

    def time_ns(self) -> int:
        """Since `begin`."""
        return self._instrument.time_ns()

    def close(self) -> None:
        self._instrument.close()
