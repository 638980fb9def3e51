"""Compares what signals did with a trace, with tolerances of time and value.

**Digital** signals match edge by edge: the k-th edge has to be the k-th of the trace, no more than
`jitter` earlier or later. **Analogue** ones match as curves do in a tube: at every time the value
lies between the lowest and the highest that the trace has within ± `jitter`, ± `tolerance`, and
the same the other way round, so that a missing pulse is found like an extra one. With jitter 0
and tolerance 0 both must be equal at all times. Edges that jitter could move over the end of the
comparison are not missed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from hil_tests.recording import Check, Recording, SignalInfo, Value
from hil_tests.report.quantities import number_text, span_text, time_text, value_text
from hil_tests.trace_csv import Any_, Trace
from host_tools.record import record

_AROUND = 4
"""Edges that the text of a deviation shows before and after it."""

Steps = tuple[list[int], list[Value | Any_]]
"""Times and the value from each on, without repetitions."""


@record(frozen=True)
class Deviation:
    """The first one of a signal. Times are those of the trace; `expected` and `seen` say in words
    what differs."""

    signal: str
    time_ns: int
    expected: str
    seen: str


@record(frozen=True)
class Comparison:
    """Of a trace with a recording, whose time `begin_ns` is the trace's 0."""

    name: str
    begin_ns: int
    end_ns: int
    deviations: tuple[Deviation, ...]
    checks: tuple[Check, ...]
    text: str
    """A diff of the first deviations to read; "" where there are none."""


def compare(
    trace: Trace,
    recording: Recording,
    begin_ns: int = 0,
    end_ns: int | None = None,
    jitter_ns: int = 0,
    tolerance: float = 0.0,
) -> Comparison:
    """The signals of the trace with what they did from `begin_ns` to `end_ns` (the end of the
    recording); `jitter_ns` and `tolerance` hold for signals of which the trace says nothing."""
    stop_ns = recording.end_ns if end_ns is None else end_ns
    span_ns = max(0, stop_ns - begin_ns)
    deviations: list[Deviation] = []
    checks: list[Check] = []
    texts: list[str] = []
    for name in trace.signals:
        info = recording.signals[name]
        expected = _expected(trace, name, span_ns + trace.jitters_ns.get(name, jitter_ns))
        seen = _seen(recording, name, begin_ns, span_ns)
        late_ns = trace.jitters_ns.get(name, jitter_ns)
        off = trace.tolerances.get(name, tolerance)
        if info.kind == "digital":
            found = _digital(info, expected, seen, late_ns, span_ns)
        else:
            found = _analogue(info, expected, seen, late_ns, off, span_ns)
        text = f"{name} follows {trace.name}{_within(info, late_ns, off)}"
        if found is None:
            checks.append(Check(begin_ns, begin_ns + span_ns, text, True, "", (name,)))
            continue
        deviations.append(found)
        at = begin_ns + found.time_ns
        detail = f"at {time_text(found.time_ns)}: {found.seen}, expected {found.expected}"
        # The check ends where it is decided, so that a timeline shows the deviation.
        checks.append(Check(begin_ns, at, text, False, detail, (name,)))
        texts.append(_diff(info, found, expected, seen))
    deviations.sort(key=lambda deviation: deviation.time_ns)
    text = "\n".join(texts)
    return Comparison(
        trace.name, begin_ns, begin_ns + span_ns, tuple(deviations), tuple(checks), text
    )


def _within(info: SignalInfo, jitter_ns: int, tolerance: float) -> str:
    parts = []
    if info.kind != "digital":
        parts.append(f"± {number_text(tolerance)}{info.unit and ' ' + info.unit}")
    if jitter_ns:
        parts.append(f"± {span_text(jitter_ns)}")
    return f" ({', '.join(parts)})" if parts else ""


def _steps(pairs: Sequence[tuple[int, Value | Any_]], span_ns: int) -> Steps:
    times: list[int] = []
    values: list[Value | Any_] = []
    for time_ns, value in pairs:
        if time_ns > span_ns:
            break
        if times and times[-1] == time_ns:
            times.pop()
            values.pop()
        if not values or (values[-1] is not value and values[-1] != value):
            times.append(time_ns)
            values.append(value)
    return times, values


def _expected(trace: Trace, name: str, span_ns: int) -> Steps:
    return _steps([(r.time_ns, r.value) for r in trace.rows if r.signal == name], span_ns)


def _seen(recording: Recording, name: str, begin_ns: int, span_ns: int) -> Steps:
    pairs: list[tuple[int, Value | Any_]] = []
    if recording.of(name, 0, begin_ns + 1):
        pairs.append((0, recording.value_at(name, begin_ns)))
    changes = recording.of(name, begin_ns + 1)
    return _steps([*pairs, *((c.time_ns - begin_ns, c.value) for c in changes)], span_ns)


def _at(steps: Steps, time_ns: int) -> Value | Any_:
    k = bisect_right(steps[0], time_ns)
    return steps[1][k - 1] if k else None


# Digital


def _digital(
    info: SignalInfo, expected: Steps, seen: Steps, jitter_ns: int, span_ns: int
) -> Deviation | None:
    """Part by part, where the trace has times with any value between them."""
    times, values = expected
    first: int | None = None
    for k, value in enumerate([*values, Any_()]):
        if not isinstance(value, Any_):
            first = k if first is None else first
        elif first is not None:
            begin, end = times[first], times[k] if k < len(times) else span_ns
            part = times[first:k], values[first:k]
            low = bisect_right(seen[0], begin)
            high = bisect_left(seen[0], end) if k < len(times) else len(seen[0])
            own = [begin, *seen[0][low:high]], [_at(seen, begin), *seen[1][low:high]]
            found = _edges(info, part, own, jitter_ns, begin, end)
            if found is not None:
                return found
            first = None
    return None


def _edges(
    info: SignalInfo, expected: Steps, seen: Steps, jitter_ns: int, begin_ns: int, end_ns: int
) -> Deviation | None:
    wanted, own = _as_pairs(expected), _as_pairs(seen)
    # A first edge that jitter moves over the begin is a first value on one side only.
    if wanted and own and wanted[0][1] != own[0][1]:
        for one, other in ((wanted, own), (own, wanted)):
            if len(one) > 1 and one[1][0] <= begin_ns + jitter_ns and one[1][1] == other[0][1]:
                one.pop(0)
                break
    for k in range(max(len(wanted), len(own))):
        want = wanted[k] if k < len(wanted) else None
        have = own[k] if k < len(own) else None
        if want and have and want[1] == have[1] and abs(want[0] - have[0]) <= jitter_ns:
            continue
        late = end_ns - jitter_ns
        if (want is None or want[0] > late) and (have is None or have[0] > late):
            return None
        return _edge_deviation(info, want, have, jitter_ns, begin_ns)
    return None


def _as_pairs(steps: Steps) -> list[tuple[int, Value | Any_]]:
    return list(zip(*steps, strict=True))


def _edge_deviation(
    info: SignalInfo,
    want: tuple[int, Value | Any_] | None,
    have: tuple[int, Value | Any_] | None,
    jitter_ns: int,
    begin_ns: int,
) -> Deviation:
    slack = f" ± {span_text(jitter_ns)}" if jitter_ns else ""
    expected = "no more edges" if want is None else _edge(info, want, begin_ns) + slack
    seen = "no edge" if have is None else _edge(info, have, begin_ns)
    if want and have and want[1] == have[1]:
        late = have[0] - want[0]
        seen += f", {span_text(abs(late))} {'late' if late > 0 else 'early'}"
    time_ns = min(pair[0] for pair in (want, have) if pair is not None)
    return Deviation(info.name, time_ns, expected, seen)


def _edge(info: SignalInfo, pair: tuple[int, Value | Any_], begin_ns: int) -> str:
    shown = _shown(pair[1], info)
    return shown if pair[0] <= begin_ns else f"{shown} from {time_text(pair[0])} on"


def _shown(value: Value | Any_, info: SignalInfo) -> str:
    return "any value" if isinstance(value, Any_) else value_text(value, info)


# Analogue


def _analogue(
    info: SignalInfo,
    expected: Steps,
    seen: Steps,
    jitter_ns: int,
    tolerance: float,
    span_ns: int,
) -> Deviation | None:
    """The first time at which one side leaves the tube around the other."""
    if not expected[0]:
        return None
    start_ns = expected[0][0]
    times = {start_ns, span_ns}
    for steps in (expected, seen):
        times |= {t + d for t in steps[0] for d in (-jitter_ns, 0, jitter_ns)}
    for time_ns in sorted(t for t in times if start_ns <= t <= span_ns):
        want, have = _at(expected, time_ns), _at(seen, time_ns)
        if isinstance(want, Any_):
            continue
        if seen[0] and time_ns < seen[0][0] <= time_ns + jitter_ns:
            continue  # it has no value yet
        window = time_ns - jitter_ns, time_ns + jitter_ns
        slack = f" ± {value_text(tolerance, info)}" if tolerance else ""
        if not _in_tube(have, expected, window, tolerance):
            wanted = _tube(info, expected, window) + slack
            return Deviation(info.name, time_ns, wanted, _shown(have, info))
        if window[1] <= span_ns and not _in_tube(want, seen, window, tolerance):
            wanted = _shown(want, info) + slack
            return Deviation(info.name, time_ns, wanted, _tube(info, seen, window))
    return None


def _window(steps: Steps, window: tuple[int, int]) -> list[Value | Any_]:
    first = bisect_right(steps[0], window[0])
    values = steps[1][first : bisect_right(steps[0], window[1])]
    return [*([steps[1][first - 1]] if first else []), *values]


def _in_tube(value: Value | Any_, steps: Steps, window: tuple[int, int], tolerance: float) -> bool:
    values = _window(steps, window)
    if any(isinstance(v, Any_) for v in values):
        return True
    if value is None or isinstance(value, Any_):
        return not values or None in values
    numbers = [float(v) for v in values if v is not None and not isinstance(v, Any_)]
    if not numbers:
        return False
    # Sums of decimals, as 0.1 + 0.2, are not told from their limit.
    slack = tolerance + 1e-12 * max(abs(tolerance), *map(abs, numbers))
    return min(numbers) - slack <= float(value) <= max(numbers) + slack


def _tube(info: SignalInfo, steps: Steps, window: tuple[int, int]) -> str:
    values = _window(steps, window)
    numbers = [float(v) for v in values if v is not None and not isinstance(v, Any_)]
    if not numbers:
        return _shown(values[0], info) if values else "no value"
    if min(numbers) == max(numbers):
        return value_text(numbers[0], info)
    return f"{number_text(min(numbers))} to {value_text(max(numbers), info)}"


# To read


def _diff(info: SignalInfo, deviation: Deviation, expected: Steps, seen: Steps) -> str:
    """The edges around a deviation, expected and seen side by side."""
    times = sorted({*expected[0], *seen[0]})
    place = bisect_left(times, deviation.time_ns)
    shown = times[max(0, place - _AROUND) : place + _AROUND + 1]
    rows = [["", "expected", "seen"]]
    for time_ns in shown:
        sides = [
            _shown(_at(steps, time_ns), info) if time_ns in steps[0] else ""
            for steps in (expected, seen)
        ]
        rows.append([time_text(time_ns), *sides])
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    lines = [
        f"{info.name} at {time_text(deviation.time_ns)}: {deviation.seen}, "
        f"expected {deviation.expected}"
    ]
    for row in rows:
        cells = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        mark = "  <--" if row[0] == time_text(deviation.time_ns) else ""
        lines.append(f"  {cells}{mark}".rstrip())
    return "\n".join(lines) + "\n"
