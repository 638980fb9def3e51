"""What captured edges say: periods, latencies, pulse widths, duty, and their percentiles.

Times are ns. A percentile is by nearest rank, exact: the p-th of n values is the ceil(p·n/100)-th
smallest, the smallest for p = 0. It is always one of the values, nothing is interpolated; of 1000
values the 99.9th is the 999th smallest.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from hil_tests.recording import Recording
from hil_tests.report.quantities import span_text
from host_tools.record import record


def percentile(values: Sequence[int], percent: float) -> int:
    """The smallest value that `percent` per cent of all do not exceed. Raises ValueError for no
    values, and for a `percent` that is not within 0..100."""
    if not values:
        raise ValueError("no values have no percentile")
    if not 0 <= percent <= 100:
        raise ValueError(f"{percent} is not within 0..100")
    # As it is written: 99.9 is 999/1000, not the binary number next to it.
    rank = math.ceil(Fraction(str(percent)) * len(values) / 100)
    return sorted(values)[max(rank, 1) - 1]


def edges(
    recording: Recording,
    signal: str,
    rising: bool = True,
    begin_ns: int = 0,
    end_ns: int | None = None,
) -> list[int]:
    """When a digital signal rose (fell) from `begin_ns` to before `end_ns`. From an open line, and
    from no value, nothing rises or falls."""
    found = []
    before = None
    for change in recording.of(signal, 0, end_ns):
        if before is (not rising) and change.value is rising and change.time_ns >= begin_ns:
            found.append(change.time_ns)
        before = change.value
    return found


def periods(times: Sequence[int]) -> list[int]:
    """From each time to the next."""
    return [after - before for before, after in pairwise(times)]


def latencies(causes: Sequence[int], effects: Sequence[int]) -> tuple[list[int], list[int]]:
    """(latencies, causes without an effect): from each cause to the first effect that is not
    before it; one that comes at the next cause or later belongs to that. Both are in order."""
    found, alone = [], []
    for k, cause in enumerate(causes):
        place = bisect_left(effects, cause)
        following = causes[k + 1] if k + 1 < len(causes) else None
        if place == len(effects) or (following is not None and effects[place] >= following):
            alone.append(cause)
        else:
            found.append(effects[place] - cause)
    return found, alone


def widths(
    recording: Recording,
    signal: str,
    level: bool = True,
    begin_ns: int = 0,
    end_ns: int | None = None,
) -> list[int]:
    """Of each pulse to `level` that begins and ends within the times."""
    found = []
    began: int | None = None
    before = None
    for change in recording.of(signal, 0, end_ns):
        if change.value is level and before is (not level) and change.time_ns >= begin_ns:
            began = change.time_ns
        elif began is not None:
            if change.value is (not level):
                found.append(change.time_ns - began)
            began = None
        before = change.value
    return found


def duty(recording: Recording, signal: str, begin_ns: int, end_ns: int) -> Fraction:
    """The share of the time from `begin_ns` to `end_ns` in which the signal is high, of that in
    which it is high or low: exact. Raises ValueError where it is neither at any time."""
    high = low = 0
    value, since = recording.value_at(signal, begin_ns), begin_ns
    later = recording.of(signal, begin_ns + 1, end_ns)
    for time_ns, after in [*((c.time_ns, c.value) for c in later), (end_ns, None)]:
        if value is not None and value:
            high += time_ns - since
        elif value is not None:
            low += time_ns - since
        value, since = after, time_ns
    if not high + low:
        raise ValueError(f"'{signal}' has no level in that time")
    return Fraction(high, high + low)


@record(frozen=True)
class Summary:
    """Of durations in ns; `percentiles` are (percent, ns)."""

    count: int
    shortest: int
    mean: float
    longest: int
    percentiles: tuple[tuple[float, int], ...]

    def figures(self, name: str) -> dict[str, int | float | str]:
        """For the results of a run, in µs: "latency_p99_us"."""
        made: dict[str, int | float | str] = {
            f"{name}_min_us": self.shortest / 1000,
            f"{name}_max_us": self.longest / 1000,
        }
        made |= {f"{name}_p{percent:g}_us": ns / 1000 for percent, ns in self.percentiles}
        return made

    def __str__(self) -> str:
        shown = ", ".join(f"p{percent:g} {span_text(ns)}" for percent, ns in self.percentiles)
        return (
            f"{self.count} values, {span_text(self.shortest)} to {span_text(self.longest)}, "
            f"mean {span_text(round(self.mean))}, {shown}"
        )


def summary(values: Sequence[int], percents: Sequence[float] = (50, 90, 99, 99.9)) -> Summary:
    """Of durations in ns. Raises ValueError for none."""
    return Summary(
        len(values),
        percentile(values, 0),
        sum(values) / len(values),
        percentile(values, 100),
        tuple((percent, percentile(values, percent)) for percent in percents),
    )
