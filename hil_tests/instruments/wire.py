"""Emulated boards wired to each other, pin to pin, in one virtual time.

A board that runs before it is wired costs less: it need not wait for others.

Each board has a clock of its own; the one that is behind runs next. It may run until another one
could do something that it sees: to the next alarm of a board that sleeps, 1 us ahead of a board
that executes instructions; and it stops at each edge on a wire. An edge reaches the other board at
its own time when that board is behind, which is the rule, and at most `SKEW_NS` (and one
instruction) late when it is ahead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from host_tools.pico import Edge, EmulatedPico
from host_tools.pico.board import ADC_FULL_SCALE

SKEW_NS = 1000
"""How far a board may run ahead of one whose processor executes instructions."""

_CHECK_NS = 1_000_000


class WiredBoards:
    """Boards that share a time; 0 is now. Only this may step them from here on."""

    def __init__(self, boards: Sequence[EmulatedPico]) -> None:
        self._boards = list(boards)
        self._start = {id(board): board.time_ns for board in boards}
        self.edges = 0
        """How many edges went over wires."""
        self.late_ns = 0
        """By how much the latest of them came late."""

    @property
    def time_ns(self) -> int:
        """Up to where all boards have run."""
        return min(self._time(board) for board in self._boards)

    def time_of(self, board: EmulatedPico, time_ns: int) -> int:
        """A time of a board's own, such as an edge's, as one of the wires'."""
        return time_ns - self._start[id(board)]

    def connect(
        self,
        source: EmulatedPico,
        source_pin: int,
        sink: EmulatedPico,
        sink_pin: int,
    ) -> None:
        """A wire: `sink_pin` has what `source` drives on `source_pin` from now on. While it drives
        nothing, a pull of the sink decides, and where there is none the source's."""
        gpio = source.mcu.gpio[source_pin]

        def apply(driven: bool | None, pulled: bool | None) -> None:
            level = pulled if driven is None and sink.pulled(sink_pin) is None else driven
            sink.drive(sink_pin, level)

        def carry(_state: object, _before: object) -> None:
            at = self.time_of(source, source.time_ns) + self._start[id(sink)]
            self.edges += 1
            self.late_ns = max(self.late_ns, sink.time_ns - at)
            sink.at(at, partial(apply, source.driven(source_pin), source.pulled(source_pin)))
            source.wake()

        apply(source.driven(source_pin), source.pulled(source_pin))
        gpio.add_listener(carry)

    def connect_low_pass(
        self,
        source: EmulatedPico,
        source_pin: int,
        sink: EmulatedPico,
        sink_pin: int,
        *,
        time_constant_ns: int = 1_000_000,
    ) -> None:
        """A resistor and a capacitor from a pin that carries PWM to an analogue input; the voltage
        at the input is that at the last edge."""
        fraction = 0.0
        since, level = source.time_ns, bool(source.level(source_pin))

        def charge(edge: Edge) -> None:
            nonlocal fraction, since, level
            left = math.exp((since - edge.time_ns) / time_constant_ns)
            fraction = level + (fraction - level) * left
            since, level = edge.time_ns, bool(edge.level)
            sink.set_adc(sink_pin, round(fraction * ADC_FULL_SCALE))

        sink.set_adc(sink_pin, 0)
        source.watch(source_pin, charge)

    def run_for(self, virtual_ns: int) -> None:
        """Let time pass for all boards."""
        end = self.time_ns + virtual_ns
        while self.time_ns < end:
            self._turn(end)

    def run_until(self, predicate: Callable[[], bool], virtual_s: float) -> bool:
        """Run until `predicate()` holds; False when `virtual_s` went by first. It is asked after
        all that the outside of a board can notice."""
        end = self.time_ns + round(virtual_s * 1e9)
        while not predicate():
            now = self.time_ns
            if now >= end:
                return False
            self._turn(min(end, now + _CHECK_NS))
        return True

    def _time(self, board: EmulatedPico) -> int:
        return board.time_ns - self._start[id(board)]

    def _turn(self, end: int) -> None:
        """Let the board that is behind run as far as it may."""
        behind = min(self._boards, key=self._time)
        until = float(end)
        for other in self._boards:
            if other is not behind:
                until = min(until, self._time(other) + max(other.idle_ns, SKEW_NS))
        behind.run_to_event(until - self._time(behind))
