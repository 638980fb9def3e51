"""Writes a recording as a Value Change Dump (IEEE 1364-2005, clause 18) for wave form viewers.

Scopes: `signals` (digital ones as wires, with z where nothing drives the line; analogue ones as
reals, with NaN there), `tasks` (an event for each release, a wire that is high while the task
runs, where that is measured), `faults`, `checks` and `notes` (strings, an extension that GTKWave
reads), and `buses` (an event and a string for each frame). Times are in ns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from hil_tests.recording import Change, Recording, SignalInfo
from hil_tests.report.bus_log import frame_texts
from host_tools.failure import USAGE, Failure

_ASCII = {"µ": "u", "≥": ">=", "≤": "<=", "…": "...", "–": "-", "→": "->", "°": "deg ", "±": "+-"}
_MISSING = "writing a VCD needs the package pyvcd"

Event = tuple[int, Any, Any]
"""(time in ns, variable, value)"""


def write_vcd(recording: Recording, path: Path, title: str = "") -> None:
    """Write the file. Raises Failure where pyvcd is missing or the file cannot be written."""
    _writer_class()
    try:
        with path.open("w", encoding="ascii", newline="\n") as file:
            dump(recording, file, title)
    except OSError as error:
        raise Failure(f"cannot write '{path}': {error.strerror}", exit_code=USAGE) from None


def _writer_class() -> Any:
    try:
        from vcd import VCDWriter
    except ImportError:
        raise Failure(_MISSING, "install it: pip install 'takt-plc[bench]'", USAGE) from None
    return VCDWriter


def dump(recording: Recording, file: TextIO, title: str = "") -> None:
    """The same into an open file. Raises Failure where pyvcd is missing."""
    comment = plain(title).replace("$end", "$ end")
    with _writer_class()(file, "1 ns", date="", version="takt", comment=comment) as writer:
        events: list[Event] = []
        for part in (_signals, _tasks, _faults, _checks, _frames, _notes):
            events.extend(part(recording, writer))
        # Written now and not with the first change: what happens at 0 would fall together.
        writer.flush(0)
        for time_ns, variable, value in sorted(events, key=lambda event: event[0]):
            writer.change(variable, max(0, time_ns), value)
        last = max((event[0] for event in events), default=0)
        writer.flush(max(last, recording.end_ns))


def plain(text: str) -> str:
    """In ASCII, all that the readers of these files take."""
    for sign, spelled in _ASCII.items():
        text = text.replace(sign, spelled)
    text = text.encode("ascii", "backslashreplace").decode()
    return "".join(c if c.isprintable() or c in "\t\n\r" else f"\\x{ord(c):02x}" for c in text)


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """Name -> how it is called in the file: without blanks and brackets, unique."""
    used: set[str] = set()
    given = {}
    for name in names:
        kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.:-/") else "_" for c in name)
        called, number = kept or "_", 2
        while called in used:
            called, number = f"{kept or '_'}_{number}", number + 1
        used.add(called)
        given[name] = called
    return given


def _signals(recording: Recording, writer: Any) -> Iterator[Event]:
    variables = {}
    for name, called in identifiers(recording.signals).items():
        if recording.signals[name].kind == "digital":
            variables[name] = writer.register_var("signals", called, "wire", size=1, init="x")
        else:
            variables[name] = writer.register_var("signals", called, "real", init=float("nan"))
    for change in recording.changes:
        info = recording.signals[change.signal]
        yield change.time_ns, variables[change.signal], _value(change, info)


def _value(change: Change, info: SignalInfo) -> Any:
    if info.kind == "digital":
        return None if change.value is None else bool(change.value)
    return float("nan") if change.value is None else float(change.value)


def _tasks(recording: Recording, writer: Any) -> Iterator[Event]:
    for task, called in identifiers(sorted({r.task for r in recording.releases})).items():
        released = writer.register_var(("tasks", called), "release", "event")
        scans = [r for r in recording.releases if r.task == task]
        measured = any(r.duration_ns for r in scans)
        if measured:
            running = writer.register_var(("tasks", called), "runs", "wire", size=1, init=0)
        until = -1
        for scan in sorted(scans, key=lambda r: r.time_ns):
            yield scan.time_ns, released, True
            begin = scan.time_ns + scan.latency_ns
            if measured and begin > until:
                if until >= 0:
                    yield until, running, False
                yield begin, running, True
            until = max(until, begin + scan.duration_ns)
        if measured:
            yield until, running, False


def _faults(recording: Recording, writer: Any) -> Iterator[Event]:
    if recording.faults:
        spans = [(f.begin_ns, f.end_ns, _fault_text(f)) for f in recording.faults]
        yield from _active(spans, writer.register_var("faults", "active", "string"))


def _fault_text(fault: Any) -> str:
    named = fault.signal and fault.signal not in fault.text
    return f"{fault.signal}: {fault.text}" if named else str(fault.text)


def _active(spans: list[tuple[int, int | None, str]], variable: Any) -> Iterator[Event]:
    """A string of what is going on, at each time when that changes."""
    times = {begin for begin, _, _ in spans} | {end for _, end, _ in spans if end is not None}
    for time_ns in sorted(times):
        on = [t for begin, end, t in spans if begin <= time_ns and (end is None or time_ns < end)]
        yield time_ns, variable, plain(" + ".join(on))


def _checks(recording: Recording, writer: Any) -> Iterator[Event]:
    if not recording.checks:
        return
    awaited = writer.register_var("checks", "awaited", "string")
    result = writer.register_var("checks", "result", "string")
    passed = writer.register_var("checks", "passed", "event")
    failed = writer.register_var("checks", "failed", "event")
    yield from _active([(c.begin_ns, c.end_ns, c.text) for c in recording.checks], awaited)
    for check in recording.checks:
        said = f"{'passed' if check.passed else 'FAILED'}: {check.text}"
        yield check.end_ns, result, plain(f"{said} ({check.detail})" if check.detail else said)
        yield check.end_ns, passed if check.passed else failed, True


def _frames(recording: Recording, writer: Any) -> Iterator[Event]:
    texts = frame_texts(recording.frames)
    for bus, called in identifiers(sorted({f.bus for f in recording.frames})).items():
        begun = writer.register_var(("buses", called), "frame", "event")
        content = writer.register_var(("buses", called), "content", "string")
        for frame, text in zip(recording.frames, texts, strict=True):
            if frame.bus == bus:
                yield frame.time_ns, begun, True
                yield frame.time_ns, content, plain(text)


def _notes(recording: Recording, writer: Any) -> Iterator[Event]:
    if recording.notes:
        variable = writer.register_var("notes", "note", "string")
        for time_ns, text in recording.notes:
            yield time_ns, variable, plain(text)
