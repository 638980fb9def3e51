"""Where things are drawn on the timeline: traces, ticks, lanes. The page's script does the same
again when the view moves.

A row is 1000 wide and 100 high whatever its size on the screen; time runs from left to right, the
axis of y points down.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from hil_tests.report.quantities import span_text
from host_tools.record import record

WIDTH = 1000


@record(frozen=True)
class Trace:
    """Paths of an SVG: the line of a signal, the area under it, and where nothing drives it."""

    line: str
    area: str
    open: str


def trace(
    times: Sequence[int],
    values: Sequence[float | None],
    view: tuple[int, int],
    scale: tuple[float, float],
    end_ns: int,
) -> Trace:
    """The steps of a signal within `view` (begin, end), `scale` being the values at the lower and
    upper edge. Of changes that fall into one column the lowest, the highest and the last are
    drawn, so that nothing short is lost. Nothing is drawn after `end_ns`."""
    begin, end = view
    stop = min(end, end_ns)
    lowest, highest = scale
    line: list[str] = []
    area: list[str] = []
    gaps: list[str] = []
    run = ""
    since = 0.0

    def y(value: float) -> str:
        return _short(100 * (highest - value) / (highest - lowest))

    def x_of(time_ns: int) -> float:
        return (time_ns - begin) * WIDTH / (end - begin)

    def close(x: float) -> None:
        line.append(f"{run}H{_short(x)}")
        area.append(f"{run}H{_short(x)}V100H{run[1:].split(' ', 1)[0]}Z")

    k = bisect_right(times, begin)
    value = values[k - 1] if k else None
    known = k > 0
    if value is not None:
        run = f"M0 {y(value)}"
    while k < len(times) and times[k] <= stop:
        column = int(x_of(times[k]))
        last = k + 1
        while last < len(times) and times[last] <= stop and int(x_of(times[last])) == column:
            last += 1
        group = values[k:last]
        x = x_of(times[k]) if last == k + 1 else min(column + 0.5, WIDTH)
        numbers = [v for v in group if v is not None]
        if value is not None and numbers:
            run += f"H{_short(x)}"
        elif numbers:
            if known:
                gaps.append(f"M{_short(since)} 50H{_short(x)}")
            run = f"M{_short(x)} {y(numbers[0])}"
        if last > k + 1 and numbers:
            run += f"V{y(min(numbers))}V{y(max(numbers))}"
        value = group[-1]
        if value is not None:
            run += f"V{y(value)}"
        elif run:
            close(x)
            run, since = "", x
        else:
            since = since if known else x
        known = True
        k = last
    right = x_of(max(stop, begin))
    if value is not None:
        close(right)
    elif known and right > since:
        gaps.append(f"M{_short(since)} 50H{_short(right)}")
    return Trace("".join(line), "".join(area), "".join(gaps))


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def columns(times: Sequence[int], view: tuple[int, int]) -> list[tuple[float, int]]:
    """Where marks are drawn for the times: for each column that has any (x, place in `times`) of
    the first."""
    begin, end = view
    found: dict[int, tuple[float, int]] = {}
    for k in range(bisect_right(times, begin - 1), bisect_right(times, end)):
        x = (times[k] - begin) * WIDTH / (end - begin)
        found.setdefault(int(x), (x, k))
    return list(found.values())


def ticks(view: tuple[int, int], most: int = 10) -> list[tuple[int, str]]:
    """(time, label) at round times: in seconds, or from the first tick on where that would take
    more than three decimals."""
    begin, end = view
    step = _step(end - begin, most)
    first = -(-begin // step) * step
    times = range(first, end + 1, step)
    if step < 1_000_000:
        base = f"{first / 1e9:.9f}".rstrip("0") + " s"
        return [(t, base if t == first else f"+{span_text(t - first)}") for t in times]
    decimals = max(0, 9 - len(str(step)) + 1)
    return [(t, f"{t / 1e9:.{decimals}f} s") for t in times]


def _step(span: int, most: int) -> int:
    """Of 1, 2, 5, 10 … ns, the least that gives no more than `most` ticks."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if span <= factor * size * most:
                return factor * size
        size *= 10


def nice_scale(values: Sequence[float]) -> tuple[float, float]:
    """Round numbers below and above the values, with some air."""
    lowest, highest = min(values, default=0.0), max(values, default=1.0)
    if highest == lowest:
        air = abs(highest) / 10 or 1.0
        lowest, highest = lowest - air, highest + air
    step = 10.0 ** math.floor(math.log10((highest - lowest) / 6))
    step *= next(f for f in (1, 2, 5, 10) if (highest - lowest) / (f * step) <= 6)
    return math.floor(lowest / step) * step, math.ceil(highest / step) * step


def lanes(spans: Sequence[tuple[int, int]]) -> list[int]:
    """The lane of each span (begin, end), so that those of one lane do not overlap."""
    until: list[int] = []
    given = [0] * len(spans)
    for k in sorted(range(len(spans)), key=lambda k: spans[k]):
        begin, end = spans[k]
        lane = next((n for n, free in enumerate(until) if free <= begin), len(until))
        if lane == len(until):
            until.append(end)
        until[lane] = max(end, begin + 1)
        given[k] = lane
    return given


def first_view(
    failed: Sequence[tuple[int, int]], end_ns: int, edges: Sequence[int] = ()
) -> tuple[int, int]:
    """What is shown at first: all, or the surroundings of the first failed check where that would
    be too small to be seen. `edges` are those of its signals, in order: the last one before it is
    shown, if it is not too far."""
    end_ns = max(end_ns, 1)
    if not failed:
        return 0, end_ns
    begin, end = min(failed)
    span = max(end - begin, end_ns // 200, 1)
    if 10 * span >= end_ns:
        return 0, end_ns
    # More of the past than of what comes after: causes come before it.
    first = begin - 3 * span
    k = bisect_left(edges, begin)
    if k and begin - edges[k - 1] <= 12 * span:
        first = min(first, edges[k - 1] - span)
    step = _step(span, 4)
    return max(0, first // step * step), min(end_ns, -(-(end + 2 * span) // step) * step)
