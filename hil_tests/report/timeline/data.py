"""What a timeline shows of a recording, in the order of its rows, and how it is put into the
page: as JSON, deflated, in base64."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

from hil_tests.recording import Check, FaultSpan, Recording, SignalInfo
from hil_tests.report.bus_log import frame_texts, messages
from hil_tests.report.timeline.geometry import first_view, lanes, nice_scale
from hil_tests.report.words import SEEN
from host_tools.record import record, replace

MOST_CHANGES = 400_000
"""That a page carries; a longer recording is thinned."""


@record(frozen=True)
class SignalRow:
    """A signal with all its values as numbers (None: open). `limits` are those that checks speak
    of, `failed` tells that one of them failed, `faults` are the spans of its faults."""

    info: SignalInfo
    times: Sequence[int]
    values: Sequence[float | None]
    scale: tuple[float, float]
    limits: tuple[float, ...]
    failed: bool
    faults: tuple[FaultSpan, ...]

    @property
    def digital(self) -> bool:
        return self.info.kind == "digital"

    @property
    def edges(self) -> tuple[float, float]:
        """The values at the lower and upper edge of the row: those of the scale are inside."""
        lowest, highest = self.scale
        air = 0.25 if self.digital else 0.05 * (highest - lowest)
        return lowest - air, highest + air


@record(frozen=True)
class TaskRow:
    """A task: when it was released, and how late and how long each scan was."""

    name: str
    times: Sequence[int]
    latencies: Sequence[int]
    durations: Sequence[int]


@record(frozen=True)
class BusFrame:
    """A frame in the row of its bus."""

    time_ns: int
    to_device: bool
    good: bool
    text: str


@record(frozen=True)
class Timeline:
    """All that is shown. `view` is the part of it that is shown at first, `cursor_ns` the time of
    which the values are given; `thinned` says that changes were left out."""

    title: str
    end_ns: int
    view: tuple[int, int]
    cursor_ns: int
    signals: tuple[SignalRow, ...]
    tasks: tuple[TaskRow, ...]
    buses: tuple[tuple[str, tuple[BusFrame, ...]], ...]
    checks: tuple[Check, ...]
    faults: tuple[FaultSpan, ...]
    notes: tuple[tuple[int, str], ...]
    thinned: bool

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.passed]


def timeline(recording: Recording, title: str) -> Timeline:
    """The rows: the signals of failed checks first, then inputs and outputs as they were added."""
    checks = tuple(sorted(recording.checks, key=lambda c: c.begin_ns))
    failed = [check for check in checks if not check.passed]
    ends = [recording.end_ns, 1]
    ends += [c.time_ns for c in recording.changes] + [c.end_ns for c in checks]
    ends += [r.time_ns + r.latency_ns + r.duration_ns for r in recording.releases]
    ends += [f.time_ns for f in recording.frames] + [t for t, _ in recording.notes]
    ends += [t for f in recording.faults for t in (f.begin_ns, f.end_ns or 0)]
    end_ns = max(ends)
    view = first_view([(c.begin_ns, c.end_ns) for c in failed], end_ns, _edges(recording, failed))
    rows = [_signal(recording, info, checks) for info in recording.signals.values()]
    rows = _ordered(rows)
    thinned = len(recording.changes) > MOST_CHANGES
    if thinned:
        rows = [_thin(row, MOST_CHANGES // len(rows)) for row in rows]
    return Timeline(
        title,
        end_ns,
        view,
        min((c.end_ns for c in failed), default=view[1]),
        tuple(rows),
        _tasks(recording),
        _buses(recording),
        checks,
        tuple(sorted(recording.faults, key=lambda f: f.begin_ns)),
        tuple(sorted(recording.notes)),
        thinned,
    )


def _edges(recording: Recording, failed: Sequence[Check]) -> list[int]:
    """Of the digital signals of the first failed check."""
    if not failed:
        return []
    names = [n for n in failed[0].signals if n in recording.signals]
    digital = [n for n in names if recording.signals[n].kind == "digital"]
    return sorted(c.time_ns for n in digital for c in recording.of(n) if c.time_ns)


def _ordered(rows: list[SignalRow]) -> list[SignalRow]:
    """Signals of failed checks, inputs, outputs; what the device sees of a signal below it."""
    named = {row.info.name: row for row in rows}
    below = {n: named[n + SEEN] for n in named if n + SEEN in named}
    seen = {row.info.name for row in below.values()}
    ordered = []
    for row in sorted(rows, key=lambda row: (not row.failed, not row.info.to_device)):
        name = row.info.name
        if name in seen:
            continue
        if name not in below:
            ordered.append(row)
            continue
        other = below[name]
        scale = row.scale if row.digital else nice_scale([*row.scale, *other.scale])
        ordered.append(replace(row, scale=scale))
        ordered.append(replace(other, failed=row.failed, scale=scale, limits=row.limits))
    return ordered


def _signal(recording: Recording, info: SignalInfo, checks: Sequence[Check]) -> SignalRow:
    changes = sorted(recording.of(info.name), key=lambda c: c.time_ns)
    values = [None if c.value is None else float(c.value) for c in changes]
    limits = tuple(dict.fromkeys(v for c in checks for n, v in c.limits if n == info.name))
    numbers = [v for v in values if v is not None]
    scale = (0.0, 1.0) if info.kind == "digital" else nice_scale([*numbers, *limits])
    return SignalRow(
        info,
        [c.time_ns for c in changes],
        values,
        scale,
        limits,
        any(not c.passed and info.name in c.signals for c in checks),
        tuple(f for f in recording.faults if f.signal == info.name),
    )


def _thin(row: SignalRow, most: int) -> SignalRow:
    """With no more than about `most` changes: of each group the lowest, highest and last."""
    n = len(row.times)
    if n <= most:
        return row
    size = 3 * n // most + 1
    kept: set[int] = set()
    for first in range(0, n, size):
        group = range(first, min(n, first + size))
        known = [k for k in group if row.values[k] is not None]
        kept.add(group[-1])
        if known:
            kept.add(min(known, key=lambda k: row.values[k] or 0))
            kept.add(max(known, key=lambda k: row.values[k] or 0))
    order = sorted(kept)
    times, values = [row.times[k] for k in order], [row.values[k] for k in order]
    return SignalRow(row.info, times, values, row.scale, row.limits, row.failed, row.faults)


def _tasks(recording: Recording) -> tuple[TaskRow, ...]:
    rows = []
    for task in dict.fromkeys(r.task for r in recording.releases):
        scans = sorted((r for r in recording.releases if r.task == task), key=lambda r: r.time_ns)
        rows.append(
            TaskRow(
                task,
                [r.time_ns for r in scans],
                [r.latency_ns for r in scans],
                [r.duration_ns for r in scans],
            )
        )
    return tuple(rows)


def _buses(recording: Recording) -> tuple[tuple[str, tuple[BusFrame, ...]], ...]:
    frames = recording.frames
    found: dict[str, list[BusFrame]] = {}
    for frame, text, said in zip(frames, frame_texts(frames), messages(frames), strict=True):
        good = frame.good and not (said is not None and said.wrong)
        found.setdefault(frame.bus, []).append(
            BusFrame(frame.time_ns, frame.to_device, good, text)
        )
    return tuple((bus, tuple(sorted(own, key=lambda f: f.time_ns))) for bus, own in found.items())


def span_lanes(shown: Timeline) -> tuple[list[int], list[int]]:
    """The lanes of the checks, and of the faults."""
    checks = lanes([(c.begin_ns, c.end_ns) for c in shown.checks])
    faults = lanes([(f.begin_ns, fault_end(f, shown.end_ns)) for f in shown.faults])
    return checks, faults


def fault_end(fault: FaultSpan, end_ns: int) -> int:
    return end_ns if fault.end_ns is None else fault.end_ns


def fault_text(fault: FaultSpan) -> str:
    """Its text, with the signal in front where that is not in it."""
    named = fault.signal and fault.signal not in fault.text
    return f"{fault.signal}: {fault.text}" if named else fault.text


def data(shown: Timeline) -> dict[str, Any]:
    """What the page's script gets: times as differences, values to seven digits."""
    check_lanes, fault_lanes = span_lanes(shown)
    return {
        "end": shown.end_ns,
        "view": shown.view,
        "cursor": shown.cursor_ns,
        "signals": [
            {
                "name": row.info.name,
                "unit": row.info.unit,
                "digital": row.digital,
                "scale": row.edges,
                "t": _differences(row.times),
                "v": [_number(v, row.digital) for v in row.values],
                "limits": row.limits,
                "faults": [[f.begin_ns, fault_end(f, shown.end_ns)] for f in row.faults],
            }
            for row in shown.signals
        ],
        "tasks": [
            {
                "name": row.name,
                "t": _differences(row.times),
                "l": row.latencies,
                "d": row.durations,
            }
            for row in shown.tasks
        ],
        "buses": [
            {"name": bus, "f": [[f.time_ns, f.to_device, f.good, f.text] for f in frames]}
            for bus, frames in shown.buses
        ],
        "checks": [
            [c.begin_ns, c.end_ns, lane, "pass" if c.passed else "fail", c.text]
            for c, lane in zip(shown.checks, check_lanes, strict=True)
        ],
        "faults": [
            [f.begin_ns, fault_end(f, shown.end_ns), lane, "fault", fault_text(f)]
            for f, lane in zip(shown.faults, fault_lanes, strict=True)
        ],
        "notes": [[t, t, 0, "note", text] for t, text in shown.notes],
    }


def _differences(times: Sequence[int]) -> list[int]:
    return [t - before for t, before in zip(times, [0, *times], strict=False)]


def _number(value: float | None, digital: bool) -> float | int | None:
    if value is None:
        return None
    short = float(f"{value:.7g}")
    return int(short) if digital or short.is_integer() else short


def packed(shown: Timeline) -> str:
    """The data as they stand in the page."""
    text = json.dumps(data(shown), separators=(",", ":"), allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(text: str) -> Any:
    """The reverse, for tests."""
    return json.loads(zlib.decompress(base64.b64decode(text)))
