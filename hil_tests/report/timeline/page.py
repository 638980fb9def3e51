"""Writes a recording as a page: one file that needs no network, complete without its script for
the part that it shows first."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from hil_tests.recording import Check, Recording
from hil_tests.report.quantities import number_text, span_text, time_text, value_text
from hil_tests.report.timeline.data import (
    BusFrame,
    SignalRow,
    TaskRow,
    Timeline,
    fault_end,
    fault_text,
    packed,
    span_lanes,
    timeline,
)
from hil_tests.report.timeline.geometry import WIDTH, columns, ticks, trace
from hil_tests.report.timeline.script import SCRIPT
from hil_tests.report.timeline.style import STYLE
from hil_tests.report.words import last_edges
from host_tools.failure import USAGE, Failure

# The page may run its own script and use its own style, and fetch nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
_TEXTS_OF_FRAMES = 24
"""Frames in view up to which their texts are shown."""
_LAST_CHANGES = 40

Span = tuple[int, int, int, str, str]
"""(begin, end, lane, class, text)"""


def write_timeline(
    recording: Recording, path: Path, title: str, about: Mapping[str, str] | None = None
) -> None:
    """Write the page. `about` is shown below the title. Raises Failure."""
    try:
        path.write_text(timeline_page(recording, title, about or {}), encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write '{path}': {error.strerror}", exit_code=USAGE) from None


def timeline_page(recording: Recording, title: str, about: Mapping[str, str]) -> str:
    """The page as text."""
    shown = timeline(recording, title)
    body = "\n".join(
        (
            _header(shown, about),
            _verdict(recording, shown),
            _tools(),
            _map(shown),
            _chart(shown),
            _footer(recording, shown),
        )
    )
    longest = max((len(row.info.name) for row in shown.signals), default=0)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n"
        f'<body><main style="--longest:{longest}">\n{body}\n</main>\n'
        f'<script type="text/plain" id="data">{packed(shown)}</script>'
        f"\n<script>{SCRIPT}</script>\n</body></html>\n"
    )


def _header(shown: Timeline, about: Mapping[str, str]) -> str:
    failed, all = len(shown.failed), _checks(shown.checks)
    if failed:
        pill = f'<p class="pill fail">✗ {failed} of {all} failed</p>'
    elif shown.checks:
        pill = f'<p class="pill">✓ {all} passed</p>'
    else:
        pill = '<p class="pill">no checks</p>'
    rows = {**about, "time": f"{time_text(shown.end_ns, 6)} of the device"}
    items = "".join(
        f"<div><dt>{escape(name)}</dt>{_told_value(value)}</div>" for name, value in rows.items()
    )
    return f"<header><h1>{escape(shown.title)}</h1>{pill}<dl>{items}</dl></header>"


def _told_value(value: str) -> str:
    """Of a hash its beginning, the whole on demand."""
    if len(value) == 64 and not set(value) - set("0123456789abcdef"):
        return f'<dd title="{value}">{value[:12]}…</dd>'
    return f"<dd>{escape(value)}</dd>"


def _verdict(recording: Recording, shown: Timeline) -> str:
    parts = []
    for check in shown.failed[:20]:
        where = f' <span class="where">{escape(check.where)}</span>' if check.where else ""
        detail = f"<p>{escape(check.detail)}{where}</p>" if check.detail or where else ""
        phrases = last_edges(recording, check).split("; ")
        said = "".join(f"<li>{escape(phrase)}</li>" for phrase in phrases if phrase)
        parts.append(f"<article><h2>✗ {escape(check.text)}</h2>{detail}<ol>{said}</ol></article>")
    if len(shown.failed) > 20:
        parts.append(f"<p>… and {len(shown.failed) - 20} more</p>")
    passed = [check for check in shown.checks if check.passed]
    if passed:
        items = "".join(_passed(check) for check in passed[:200])
        more = f"<li>… and {len(passed) - 200} more</li>" if len(passed) > 200 else ""
        parts.append(
            f"<details><summary>{_checks(passed)} passed</summary><ul>{items}{more}</ul></details>"
        )
    return f'<section class="verdict" aria-label="Checks">{"".join(parts)}</section>'


def _checks(checks: Sequence[Check]) -> str:
    return f"{len(checks)} {'check' if len(checks) == 1 else 'checks'}"


def _passed(check: Check) -> str:
    detail = f" ({escape(check.detail)})" if check.detail else ""
    return f"<li>{time_text(check.end_ns)}: {escape(check.text)}{detail}</li>"


def _tools() -> str:
    buttons = (
        ("in", "+", "Zoom in"),
        ("out", "−", "Zoom out"),
        ("all", "All", "Show all of the recording"),
        ("failure", "Failed check", "Show the next failed check"),
        ("before", "◀ edge", "Put the cursor on the edge before"),
        ("after", "edge ▶", "Put the cursor on the next edge"),
        ("mark", "Measure", "Measure times from the cursor"),
    )
    made = "".join(
        f'<button type="button" data-do="{name}" title="{about}" aria-label="{about}">'
        f"{text}</button>"
        for name, text, about in buttons
    )
    return (
        f'<div class="tools" role="toolbar" aria-label="View">{made}<p id="reading"></p></div>'
        '<div class="said" id="said" aria-live="polite"></div>'
    )


def _map(shown: Timeline) -> str:
    """The strip that shows which part of the recording is in view."""
    whole = (0, shown.end_ns)
    marks = [(f.begin_ns, fault_end(f, shown.end_ns), "fault") for f in shown.faults]
    marks += [(c.begin_ns, c.end_ns, "pass" if c.passed else "fail") for c in shown.checks]
    made = "".join(
        f'<i class="{kind}" style="{_place(begin, end, whole)}"></i>' for begin, end, kind in marks
    )
    return f'<div class="map" id="map">{made}<b style="{_place(*shown.view, whole)}"></b></div>'


def _place(begin: int, end: int, view: tuple[int, int]) -> str:
    """Left and width in per cent of the view, cut at its left edge."""
    wide = view[1] - view[0]
    left = max(0.0, 100 * (begin - view[0]) / wide)
    right = 100 * (end - view[0]) / wide
    return f"left:{left:.3f}%;width:{max(0.0, right - left):.3f}%"


def _chart(shown: Timeline) -> str:
    check_lanes, fault_lanes = span_lanes(shown)
    rows = [_axis(shown.view)]
    checks: list[Span] = [
        (c.begin_ns, c.end_ns, lane, "pass" if c.passed else "fail", c.text)
        for c, lane in zip(shown.checks, check_lanes, strict=True)
    ]
    faults: list[Span] = [
        (f.begin_ns, fault_end(f, shown.end_ns), lane, "fault", fault_text(f))
        for f, lane in zip(shown.faults, fault_lanes, strict=True)
    ]
    notes: list[Span] = [(t, t, 0, "note", text) for t, text in shown.notes]
    for name, key, spans in (
        ("Checks", "checks", checks),
        ("Faults", "faults", faults),
        ("Notes", "notes", notes),
    ):
        if spans:
            rows.append(_lanes(name, key, spans, shown.view))
    group = ""
    for k, row in enumerate(shown.signals):
        named = _group(row)
        if named != group:
            rows.append(f'<div class="group">{named}</div>')
            group = named
        rows.append(_signal(k, row, shown))
    if shown.tasks:
        rows.append('<div class="group">Tasks</div>')
        rows += [_task(k, row, shown.view) for k, row in enumerate(shown.tasks)]
    if shown.buses:
        rows.append('<div class="group">Buses</div>')
        rows += [_bus(k, *bus, shown.view) for k, bus in enumerate(shown.buses)]
    at = _x(shown.cursor_ns, shown.view)
    left = ' class="left"' if at > 85 else ""
    over = (
        f'<div class="over"><i id="cursor"{left} style="left:{at:.3f}%">'
        f"<b>{time_text(shown.cursor_ns)}</b></i></div>"
    )
    return (
        '<div class="chart" id="chart" tabindex="0" role="group" aria-label="Timeline: signals, '
        'checks, faults, tasks and buses on one axis of time. Arrow keys move, + and - zoom.">'
        f'<div class="under" id="under">{_under(shown)}</div>{"".join(rows)}{over}</div>'
    )


def _name(name: str) -> str:
    long = ' class="long"' if len(name) > 22 else ""
    return f"<span{long}>{escape(name)}</span>"


def _x(time_ns: int, view: tuple[int, int]) -> float:
    return 100 * (time_ns - view[0]) / (view[1] - view[0])


def _axis(view: tuple[int, int]) -> str:
    marks = "".join(f'<b style="left:{_x(t, view):.3f}%">{label}</b>' for t, label in ticks(view))
    return (
        '<div class="row axis"><div class="name"><span>Time of the device</span></div>'
        f'<div class="scale"></div><div class="plot" id="axis">{marks}</div></div>'
    )


def _under(shown: Timeline) -> str:
    """What lies below all rows: the grid, and the failed checks as bands."""
    lines = "".join(f'<i style="left:{_x(t, shown.view):.3f}%"></i>' for t, _ in ticks(shown.view))
    bands = "".join(
        f'<i class="band" style="{_place(c.begin_ns, c.end_ns, shown.view)}"></i>'
        for c in shown.failed
        if _meets(c.begin_ns, c.end_ns, shown.view)
    )
    return lines + bands


def _meets(begin: int, end: int, view: tuple[int, int]) -> bool:
    return begin <= view[1] and end >= view[0]


def _lanes(name: str, key: str, spans: Sequence[Span], view: tuple[int, int]) -> str:
    count = 1 + max(span[2] for span in spans)
    return (
        f'<div class="row lanes" style="--lanes:{count}"><div class="name"><span>{name}</span>'
        f'</div><div class="scale"></div><div class="plot" data-row="{key}">'
        f"{_spans(spans, view)}</div></div>"
    )


def _spans(spans: Sequence[Span], view: tuple[int, int]) -> str:
    """Each with the room for its text until the next one of its lane begins."""
    made = []
    following: dict[int, int] = {}
    for begin, end, lane, kind, text in reversed(spans):
        room = max(end, following.get(lane, view[1]))
        following[lane] = begin
        if not _meets(begin, end, view):
            continue
        wide = max(1, room - max(begin, view[0]))
        share = min(100.0, 100 * (end - max(begin, view[0])) / wide)
        sign = {"pass": "✓ ", "fail": "✗ "}.get(kind, "")
        made.append(
            f'<div class="span {kind}" title="{escape(_told(begin, end, text))}" '
            f'style="{_place(begin, room, view)};top:{25 * lane + 4}px">'
            f'<i style="width:{share:.3f}%"></i>{sign}{escape(text)}</div>'
        )
    return "".join(reversed(made))


def _told(begin: int, end: int, text: str) -> str:
    at = time_text(begin) if begin == end else f"{time_text(begin)} to {time_text(end)}"
    return f"{text} ({at})"


def _group(row: SignalRow) -> str:
    if row.failed:
        return "Signals of the failed check"
    return "Inputs of the device" if row.info.to_device else "Outputs of the device"


def _signal(k: int, row: SignalRow, shown: Timeline) -> str:
    info, view = row.info, shown.view
    way = "in" if info.to_device else "out"
    classes = f"row {'digital' if row.digital else 'analogue'} {way}"
    classes += " failed" if row.failed else ""
    classes += " quiet" if len(row.times) < 2 and row.digital and not row.failed else ""
    drawn = trace(row.times, row.values, view, row.edges, shown.end_ns)
    lines = labels = ""
    for limit in row.limits:
        y = _y(limit, row.edges)
        lines += f'<path class="limit" d="M0 {y:.1f}H{WIDTH}"/>'
        below = " below" if y < 20 else ""
        shown_limit = escape(value_text(limit, info))
        labels += f'<b class="limit{below}" style="top:{y:.1f}%">{shown_limit}</b>'
    hurt = "".join(
        f'<div class="hurt" title="{escape(fault_text(f))}" '
        f'style="{_place(f.begin_ns, fault_end(f, shown.end_ns), view)}"></div>'
        for f in row.faults
        if _meets(f.begin_ns, fault_end(f, shown.end_ns), view)
    )
    about = f"{info.name}: {info.about}" if info.about else info.name
    kind = f"{'input' if info.to_device else 'output'} of the device"
    return (
        f'<div class="{classes}"><div class="name" title="{escape(about)} ({kind})">'
        f'{_name(info.name)}<b id="v{k}">{_value(row, shown.cursor_ns)}'
        f'</b></div><div class="scale">{_scale(row)}</div>'
        f'<div class="plot" data-row="s{k}">{hurt}<svg viewBox="0 0 {WIDTH} 100" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(_summary(row))}">'
        f'{lines}<path class="area" d="{drawn.area}"/><path class="line" d="{drawn.line}"/>'
        f'<path class="open" d="{drawn.open}"/></svg>{labels}</div></div>'
    )


def _y(value: float, edges: tuple[float, float]) -> float:
    return 100 * (edges[1] - value) / (edges[1] - edges[0])


def _scale(row: SignalRow) -> str:
    if row.digital:
        return ""
    lowest, highest = row.scale
    unit = f" {escape(row.info.unit)}" if row.info.unit else ""
    return f"<b>{number_text(highest)}{unit}</b><b>{number_text(lowest)}</b>"


def _value(row: SignalRow, time_ns: int) -> str:
    """The value at the cursor."""
    k = bisect_right(row.times, time_ns)
    if not k:
        return "–"
    value = row.values[k - 1]
    return escape(
        value_text(bool(value) if row.digital and value is not None else value, row.info)
    )


def _summary(row: SignalRow) -> str:
    """For those who do not see the trace."""
    said = f"{row.info.name}, {row.info.kind}, {len(row.times)} changes"
    known = [v for v in row.values if v is not None]
    if not row.digital and known:
        lowest, highest = value_text(min(known), row.info), value_text(max(known), row.info)
        said += f", {lowest} to {highest}"
    return said


def _task(k: int, row: TaskRow, view: tuple[int, int]) -> str:
    releases = runs = ""
    scale = WIDTH / (view[1] - view[0])
    for x, n in columns(row.times, view):
        releases += f"M{x:.1f} 15V85"
        if row.durations[n]:
            runs += f"M{x + row.latencies[n] * scale:.2f} 60h{row.durations[n] * scale:.2f}"
    said = f"{row.name}, {len(row.times)} releases"
    if any(row.durations):
        said += f", longest scan {span_text(max(row.durations))}"
    return (
        f'<div class="row task"><div class="name" title="{escape(said)}">'
        f'{_name(row.name)}<b id="t{k}"></b></div><div class="scale"></div>'
        f'<div class="plot" data-row="t{k}"><svg viewBox="0 0 {WIDTH} 100" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(said)}">'
        f'<path class="runs" d="{runs}"/><path class="marks" d="{releases}"/></svg></div></div>'
    )


def _bus(k: int, bus: str, frames: Sequence[BusFrame], view: tuple[int, int]) -> str:
    seen = [f for f in frames if view[0] <= f.time_ns <= view[1]]
    marks = {True: "", False: ""}
    for good in marks:
        for to_device, top, bottom in ((True, 4, 48), (False, 54, 98)):
            times = [f.time_ns for f in seen if f.good is good and f.to_device is to_device]
            marks[good] += "".join(f"M{x:.1f} {top}V{bottom}" for x, _ in columns(times, view))
    texts = ""
    if len(seen) <= _TEXTS_OF_FRAMES:
        for n, frame in enumerate(seen):
            later = [f.time_ns for f in seen[n + 1 :] if f.to_device is frame.to_device]
            room = later[0] if later else view[1]
            texts += (
                f'<div class="span frame bus{"" if frame.good else " bad"}" '
                f'title="{escape(_told(frame.time_ns, frame.time_ns, frame.text))}" '
                f'style="{_place(frame.time_ns, room, view)};'
                f'top:{3 if frame.to_device else 24}px">'
                f"<i></i>{escape(frame.text)}</div>"
            )
    bad = sum(not f.good for f in frames)
    said = f"{bus}, {len(frames)} frames, {bad} bad; above those to the device, below from it"
    return (
        f'<div class="row bus"><div class="name" title="{escape(said)}">{_name(bus)}'
        f'</div><div class="scale"><b>to device</b><b>from it</b></div>'
        f'<div class="plot" data-row="b{k}"><svg viewBox="0 0 {WIDTH} 100" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(said)}">'
        f'<path class="marks" d="{marks[True]}"/><path class="marks bad" d="{marks[False]}"/>'
        f"</svg>{texts}</div></div>"
    )


def _footer(recording: Recording, shown: Timeline) -> str:
    """The last changes as a table, what the page holds, and its keys."""
    last = [c for c in recording.changes if c.time_ns <= shown.cursor_ns][-_LAST_CHANGES:]
    rows = "".join(
        f"<tr><td>{time_text(c.time_ns)}</td><td>{escape(c.signal)}</td>"
        f"<td>{escape(value_text(c.value, recording.signals[c.signal]))}</td></tr>"
        for c in reversed(last)
    )
    table = (
        f"<details><summary>The last {len(last)} changes before {time_text(shown.cursor_ns)}"
        "</summary><table><tr><th>Time</th><th>Signal</th><th>Value</th></tr>"
        f"{rows}</table></details>"
        if last
        else ""
    )
    count = len(recording.changes)
    held = f"All {count} changes of signals are in this page"
    if shown.thinned:
        kept = sum(len(row.times) for row in shown.signals)
        held = f"This page holds {kept} of {count} changes, extremes kept; trace.vcd has all"
    begin, end = (time_text(t) for t in shown.view)
    return (
        f"<footer>{table}<p>{held}. Where several fall into one column, the column spans their "
        "range. A value holds until the next change; dashed lines are open, nothing drives them."
        f"</p><noscript><p>Without its script the page shows {begin} to {end} only.</p></noscript>"
        '<p class="keys">Wheel: zoom · drag or <kbd>←</kbd> <kbd>→</kbd>: move · <kbd>+</kbd> '
        "<kbd>−</kbd>: zoom · <kbd>0</kbd>: all · <kbd>f</kbd>: failed check · <kbd>p</kbd> "
        "<kbd>n</kbd>: edge before, next edge · click or <kbd>m</kbd>: measure from here · "
        "<kbd>Esc</kbd>: stop measuring</p></footer>"
    )
