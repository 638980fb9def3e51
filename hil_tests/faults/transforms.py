"""What faults do to the value of a signal: functions of time and value, the same for one seed.

Each is a `Transform` of hil_tests/signals.py: (ns, value) -> value, where None is an open wire.
Those that look back (`Bounce`, `Late`) are called with times that do not go back.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable

from hil_tests.recording import Value

At = Callable[[int], None]
"""Asks for the signal to be looked at again at a time, ns."""


def stuck(value: Value) -> Callable[[int, Value], Value]:
    """Always `value`; None: open."""
    return lambda _time_ns, _value: value


def noise(amplitude: float, step_ns: int, seed: int) -> Callable[[int, Value], Value]:
    """Adds what is evenly spread from -amplitude to amplitude, another one in each `step_ns`."""

    def noisy(time_ns: int, value: Value) -> Value:
        if value is None:
            return None
        return value + random.Random(f"{seed} {time_ns // step_ns}").uniform(-amplitude, amplitude)

    return noisy


def drift(by: float, per_ns: int, begin_ns: int) -> Callable[[int, Value], Value]:
    """Adds `by` for each `per_ns` since `begin_ns`."""

    def drifting(time_ns: int, value: Value) -> Value:
        return None if value is None else value + by * (time_ns - begin_ns) / per_ns

    return drifting


class Bounce:
    """Each change is followed by `edges` more of them (an even number) within `for_ns`."""

    def __init__(self, for_ns: int, edges: int, seed: int, at: At) -> None:
        self._for_ns = for_ns
        self._edges = edges
        self._chance = random.Random(seed)
        self._at = at
        self._begun = False
        self._last: Value = None
        self._before: Value = None
        self._instants: list[int] = []

    def __call__(self, time_ns: int, value: Value) -> Value:
        if not self._begun:
            self._begun = True
            self._last = self._before = value
        elif value != self._last:
            self._before, self._last = self._last, value
            self._instants = self._bounces(time_ns)
            for instant in self._instants:
                self._at(instant)
        odd = bisect_right(self._instants, time_ns) % 2
        return self._before if odd else value

    def _bounces(self, time_ns: int) -> list[int]:
        span = range(time_ns + 1, time_ns + self._for_ns + 1)
        return sorted(self._chance.sample(span, self._edges))


class Late:
    """Everything comes `by_ns` later; before the first that is known, the first."""

    def __init__(self, by_ns: int, at: At) -> None:
        self._by_ns = by_ns
        self._at = at
        self._seen: list[tuple[int, Value]] = []

    def __call__(self, time_ns: int, value: Value) -> Value:
        seen = self._seen
        if not seen:
            seen.append((time_ns - self._by_ns, value))
        elif seen[-1][1] != value or type(seen[-1][1]) is not type(value):
            seen.append((time_ns, value))
            self._at(time_ns + self._by_ns)
        while len(seen) > 1 and seen[1][0] <= time_ns - self._by_ns:
            del seen[0]
        return seen[0][1]
