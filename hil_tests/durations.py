"""Durations that were captured, and assertions about their percentiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from hil_tests.capture import percentile
from hil_tests.clock import Duration, nanoseconds
from hil_tests.recording import Check, Recording
from hil_tests.where import calling_line
from host_tools.duration import duration_text

__tracebackhide__ = True


class Decides(Protocol):
    recording: Recording

    def decide(self, check: Check) -> None: ...


class Durations:
    """ns, in the order of time. A comparison of `percentile`, `longest` or `shortest` with a
    duration is an assertion: it is recorded, and raises AssertionError where it does not hold."""

    def __init__(
        self, judge: Decides, text: str, values: Sequence[int], signals: tuple[str, ...]
    ) -> None:
        self.values = tuple(values)
        self.text = text
        self._judge = judge
        self._signals = signals

    def __iter__(self) -> Iterator[int]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def percentile(self, percent: float) -> Figure:
        return self._figure(f"percentile {percent:g} of", lambda v: percentile(v, percent))

    @property
    def longest(self) -> Figure:
        return self._figure("longest", max)

    @property
    def shortest(self) -> Figure:
        return self._figure("shortest", min)

    def _figure(self, what: str, of: Callable[[Sequence[int]], int]) -> Figure:
        text = f"{what} {self.text}"
        if not self.values:
            self._decide(text, False, "none was captured")
            return Figure(self, text, 0)
        return Figure(self, text, of(self.values))

    def _decide(self, text: str, passed: bool, detail: str) -> None:
        end_ns = self._judge.recording.end_ns
        self._judge.decide(Check(0, end_ns, text, passed, detail, self._signals, calling_line()))

    def decide(self, text: str, passed: bool, seen_ns: int) -> bool:
        detail = f"{duration_text(seen_ns)}, of {len(self.values)}"
        self._decide(text, passed, detail)
        return passed


class Figure:
    """One duration, `ns`, to be compared."""

    def __init__(self, of: Durations, text: str, ns: int) -> None:
        self.ns = ns
        self._of = of
        self._text = text

    def _compare(self, sign: str, other: Duration, passed: Callable[[int, int], bool]) -> bool:
        limit_ns = nanoseconds(other)
        text = f"{self._text} {sign} {duration_text(limit_ns)}"
        return self._of.decide(text, passed(self.ns, limit_ns), self.ns)

    def __lt__(self, other: Duration) -> bool:
        return self._compare("<", other, lambda a, b: a < b)

    def __le__(self, other: Duration) -> bool:
        return self._compare("≤", other, lambda a, b: a <= b)

    def __gt__(self, other: Duration) -> bool:
        return self._compare(">", other, lambda a, b: a > b)

    def __ge__(self, other: Duration) -> bool:
        return self._compare("≥", other, lambda a, b: a >= b)

    def __repr__(self) -> str:
        return duration_text(self.ns)
