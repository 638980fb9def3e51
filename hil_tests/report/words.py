"""The last relevant edges in words, for a check that does not hold.

"pump_1 was high since 12.340 s; level rose above 80 % at 14.000 s; then nothing changed for
2.0 s; horn rose at 16.000 s, 2.0 s after level rose above 80 %".
"""

from __future__ import annotations

from collections.abc import Sequence

from hil_tests.recording import Change, Check, FaultSpan, Recording, SignalInfo, Value
from hil_tests.report.quantities import number_text, span_text, time_text, value_text
from host_tools.record import record

SEEN = "_seen"
"""Ends the name of what the device sees of a signal while a fault distorts it
(hil_tests/signals.py)."""

_MOST = 8
"""Edges that are told; of more, the first two and the last ones."""


@record(frozen=True)
class Edge:
    """Something that happened: `what` without its time, "pump_1 rose"."""

    time_ns: int
    what: str


def last_edges(recording: Recording, check: Check) -> str:
    """What the signals of the check, or all where it names none, did until it ended."""
    names = [n for n in check.signals if n in recording.signals] or [
        n for n in recording.signals if not n.endswith(SEEN)
    ]
    limits = limits_of(check)
    edges: list[Edge] = []
    for name in names:
        edges.extend(_edges(recording, name, limits.get(name, ()), check))
    edges.extend(_fault_edges(recording.faults, check))
    edges.sort(key=lambda edge: edge.time_ns)
    said = [_start(recording, name, check.begin_ns) for name in names[:12]]
    said += [_standing(f) for f in recording.faults if _stands(f, check.begin_ns)]
    said += _story(recording, names, edges, check)
    said += _distorted(recording, check.end_ns)
    for name in names:
        if name in check.signals and (later := _later(recording, name, check)):
            said.append(later)
    return "; ".join(said)


def limits_of(check: Check) -> dict[str, tuple[float, ...]]:
    """Signal -> the values that the check speaks of."""
    limits: dict[str, tuple[float, ...]] = {}
    for name, value in check.limits:
        limits[name] = (*limits.get(name, ()), value)
    return limits


def _at(time_ns: int) -> str:
    """To the µs: devices in virtual time round to some ns."""
    return time_text(time_ns, 6)


def _start(recording: Recording, name: str, begin_ns: int) -> str:
    """What a signal was when the check began, and since when."""
    info = recording.signals[name]
    before = recording.of(name, 0, begin_ns + 1)
    if not before:
        return f"{name} had no value yet"
    last = before[-1]
    value = value_text(last.value, info)
    if info.kind != "digital" and last.value is not None:
        return f"{name} was {value} at {_at(begin_ns)}"
    if len(before) == 1:
        return f"{name} was {value} from the beginning"
    if last.time_ns == begin_ns:
        return f"{name} {_turn(before[-2].value, last.value)} at {_at(begin_ns)}"
    return f"{name} was {value} since {_at(last.time_ns)}"


def _turn(before: Value, value: Value) -> str:
    if value is None:
        return "became open"
    if before is None:
        return f"became {'high' if value else 'low'}"
    return "rose" if value else "fell"


def _edges(recording: Recording, name: str, limits: Sequence[float], check: Check) -> list[Edge]:
    """What a signal did after the check began: edges, or the crossings of limits."""
    info = recording.signals[name]
    changes = recording.of(name, check.begin_ns + 1, check.end_ns + 1)
    before = recording.value_at(name, check.begin_ns)
    made = []
    for change in changes:
        if info.kind == "digital":
            made.append(Edge(change.time_ns, f"{name} {_turn(before, change.value)}"))
        else:
            made.extend(_crossings(info, before, change, limits))
        before = change.value
    return made


def _crossings(
    info: SignalInfo, before: Value, change: Change, limits: Sequence[float]
) -> list[Edge]:
    if change.value is None:
        return [Edge(change.time_ns, f"{info.name} became open")]
    if before is None:
        shown = value_text(change.value, info)
        return [Edge(change.time_ns, f"{info.name} became {shown}")]
    made = []
    for limit in limits:
        shown = value_text(limit, info)
        if before <= limit < change.value:
            made.append(Edge(change.time_ns, f"{info.name} rose above {shown}"))
        elif change.value < limit <= before:
            made.append(Edge(change.time_ns, f"{info.name} fell below {shown}"))
    return made


def _stands(fault: FaultSpan, time_ns: int) -> bool:
    return fault.begin_ns <= time_ns and (fault.end_ns is None or time_ns < fault.end_ns)


def _standing(fault: FaultSpan) -> str:
    return f"the fault “{fault.text}” stood since {_at(fault.begin_ns)}"


def _fault_edges(faults: Sequence[FaultSpan], check: Check) -> list[Edge]:
    made = []
    for fault in faults:
        if check.begin_ns < fault.begin_ns <= check.end_ns:
            made.append(Edge(fault.begin_ns, f"the fault “{fault.text}” began"))
        if fault.end_ns is not None and check.begin_ns < fault.end_ns <= check.end_ns:
            made.append(Edge(fault.end_ns, f"the fault “{fault.text}” ended"))
    return made


def _story(
    recording: Recording, names: Sequence[str], edges: Sequence[Edge], check: Check
) -> list[str]:
    """The edges with their times, and the time in which nothing happened."""
    told = list(edges) if len(edges) <= _MOST else [*edges[:2], *edges[2 - _MOST :]]
    said: list[str] = []
    before: Edge | None = None
    at = check.begin_ns
    wide = check.end_ns - check.begin_ns
    for k, edge in enumerate(told):
        if k == 2 and len(told) < len(edges):
            said.append(f"… {len(edges) - len(told)} edges more …")
        elif 2 * (edge.time_ns - at) >= wide > 0:
            said.append(_still(recording, names, at, edge.time_ns))
        text = f"{edge.what} at {_at(edge.time_ns)}"
        if before is not None:
            text += f", {_after(edge, before)}"
        said.append(text)
        before, at = edge, edge.time_ns
    if 4 * (check.end_ns - at) >= wide > 0:
        said.append(f"{_still(recording, names, at, check.end_ns)}, until the check ended")
    return said


def _after(edge: Edge, before: Edge) -> str:
    if edge.time_ns == before.time_ns:
        return "at the same time"
    return f"{span_text(edge.time_ns - before.time_ns)} after {before.what}"


def _still(recording: Recording, names: Sequence[str], begin_ns: int, end_ns: int) -> str:
    """That nothing changed in between, but the analogue signals that moved."""
    moved = []
    for name in names:
        info = recording.signals[name]
        if info.kind != "digital" and recording.of(name, begin_ns + 1, end_ns):
            first = recording.value_at(name, begin_ns)
            last = recording.value_at(name, end_ns)
            if first is not None and last is not None:
                start = number_text(float(first))
                moved.append(f"{name}, from {start} to {value_text(last, info)}")
    but = f" but {' and '.join(moved)}" if moved else ""
    return f"then nothing changed for {span_text(end_ns - begin_ns)}{but}"


def _distorted(recording: Recording, time_ns: int) -> list[str]:
    """The signals that the device sees as something else: it acts on that."""
    said = []
    for name, info in recording.signals.items():
        if name + SEEN in recording.signals and recording.of(name + SEEN, 0, time_ns + 1):
            value = recording.value_at(name, time_ns)
            seen = recording.value_at(name + SEEN, time_ns)
            if value != seen:
                shown = value_text(value, info), value_text(seen, info)
                said.append(f"{name} was {shown[0]} then, but the device saw {shown[1]}")
    return said


def _later(recording: Recording, name: str, check: Check) -> str:
    """The first edge of a digital signal after the check has ended: what came too late."""
    if recording.signals[name].kind != "digital":
        return ""
    later = recording.of(name, check.end_ns + 1)
    if not later:
        return ""
    turn = _turn(recording.value_at(name, check.end_ns), later[0].value)
    late = span_text(later[0].time_ns - check.end_ns)
    return f"{name} {turn} only at {_at(later[0].time_ns)}, {late} after the check ended"
