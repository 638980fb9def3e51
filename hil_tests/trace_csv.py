"""Traces in CSV files: stimuli, expectations, golden traces.

Two forms, told apart by the header. Long, a row for each change:

    time, signal, value
    0, selector, on
    1.5, level, 80.2

Wide, a column for each signal; an empty cell leaves the signal as it is:

    time, selector, level
    0, on, 20
    1.5, , 80.2

Times are seconds, or what the header says (`time_ms`, `time_us`, `time_ns`), or have their unit
in the cell (50ms). Values are numbers; of digital signals 0, 1, true, false, on, off, high, low;
`open` is an open line; `*` in an expectation: from here on it may have any value. A row
`tolerance` (in the wide form in the column of time, in the long one `tolerance, level, 0.5`) says
how far values may be off; a row `jitter` how far times may be. Lines that begin with # are
comments. Columns are separated by commas, tabs or semicolons; with semicolons 1,5 is a number too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

from hil_tests.recording import Recording, SignalInfo, Value
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.duration import parse_duration
from host_tools.failure import USAGE, Failure
from host_tools.record import field, record

_UNITS = {"time": 10**9, "time_s": 10**9, "time_ms": 10**6, "time_us": 10**3, "time_ns": 1}
_LEVELS = {"1": True, "true": True, "on": True, "high": True}
_LEVELS |= {"0": False, "false": False, "off": False, "low": False}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_LONGEST_NS = (1 << 63) - 1


class Any_:
    """Stands for a value that is not looked at."""

    def __repr__(self) -> str:
        return "*"


ANY = Any_()


@record(frozen=True)
class Row:
    """A signal has a value from `time_ns` on; `line` is where that stands."""

    time_ns: int
    signal: str
    value: Value | Any_
    line: int


@record()
class Trace:
    """What a file says, in the order of time. `tolerances` and `jitters_ns` are those of signals
    that it gives any for."""

    name: str
    rows: list[Row] = field(default_factory=list)
    tolerances: dict[str, float] = field(default_factory=dict)
    jitters_ns: dict[str, int] = field(default_factory=dict)

    @property
    def signals(self) -> list[str]:
        return list(dict.fromkeys(row.signal for row in self.rows))

    @property
    def end_ns(self) -> int:
        return self.rows[-1].time_ns if self.rows else 0


def read_trace(path: Path, signals: Mapping[str, SignalInfo]) -> Trace:
    """The trace in a file, of signals of the bench. Raises Failure, with file:line:column."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise Failure(f"there is no file '{path}'", "name a CSV file", USAGE) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Failure(f"cannot read '{path}': {why}", exit_code=USAGE) from None
    return parse_trace(text, str(path), signals)


def parse_trace(text: str, name: str, signals: Mapping[str, SignalInfo]) -> Trace:
    """The same of a text."""
    return _Reader(name, signals).read(text)


class _Reader:
    def __init__(self, name: str, signals: Mapping[str, SignalInfo]) -> None:
        self._signals = signals
        self._trace = Trace(name)
        self._line = 0
        self._raw = ""
        self._separator = ","
        self._unit_ns = 10**9

    def read(self, text: str) -> Trace:
        header: list[str] | None = None
        for self._line, self._raw in enumerate(text.splitlines(), 1):
            if not self._raw.strip(" \t,;") or self._raw.lstrip().startswith("#"):
                continue
            if header is None:
                self._separator = next((s for s in ";\t" if s in self._raw), ",")
                header = self._header(self._cells())
                continue
            cells = self._cells()
            if len(cells) > len(header) and any(cells[len(header) :]):
                self._refuse(
                    f"{len(cells)} columns, the header has {len(header)}",
                    "decimals have a point; separate columns by semicolons to write 1,5",
                    len(header),
                )
            cells += [""] * (len(header) - len(cells))
            if header[1:3] == ["signal", "value"]:
                self._long(cells)
            else:
                self._wide(header, cells)
        if header is None:
            self._line = 1
            self._refuse("there is no header", "begin with: time, signal, value", 0)
        return self._trace

    def _cells(self) -> list[str]:
        return [cell.strip().strip('"').strip() for cell in self._raw.split(self._separator)]

    def _header(self, cells: list[str]) -> list[str]:
        first = cells[0].lower()
        if first not in _UNITS:
            self._refuse(
                f"the first column is '{cells[0]}', not a time",
                "begin the header with one of: " + ", ".join(_UNITS),
                0,
            )
        self._unit_ns = _UNITS[first]
        while len(cells) > 1 and not cells[-1]:
            cells.pop()
        if [c.lower() for c in cells[1:]] == ["signal", "value"]:
            return ["time", "signal", "value"]
        if len(cells) < 2:
            self._refuse("there are no signals", "name a signal in each further column", 0)
        for k, name in enumerate(cells[1:], 1):
            self._known(name, k)
            if name in cells[1:k]:
                self._refuse(f"signal '{name}' has two columns", "remove one", k)
        return ["time", *cells[1:]]

    def _known(self, name: str, column: int) -> SignalInfo:
        if name not in self._signals:
            help = did_you_mean(name, list(self._signals)) or (
                "there are: " + ", ".join(self._signals)
            )
            self._refuse(f"the bench has no signal '{name}'", help, column)
        return self._signals[name]

    def _long(self, cells: list[str]) -> None:
        info = self._known(cells[1], 1)
        self._cell(cells[0].lower(), cells, 2, info)

    def _wide(self, header: list[str], cells: list[str]) -> None:
        for k, name in enumerate(header[1:], 1):
            if cells[k]:
                self._cell(cells[0].lower(), cells, k, self._signals[name])

    def _cell(self, first: str, cells: list[str], column: int, info: SignalInfo) -> None:
        text = cells[column]
        if first == "tolerance":
            number = self._number(text, column)
            if number < 0 or info.kind == "digital":
                why = "it is digital" if info.kind == "digital" else "that is negative"
                self._refuse(f"'{info.name}' has no tolerance {text}: {why}", "", column)
            self._trace.tolerances[info.name] = number
        elif first == "jitter":
            self._trace.jitters_ns[info.name] = self._time(text, column)
        else:
            row = Row(
                self._time(cells[0], 0), info.name, self._value(text, info, column), self._line
            )
            if self._trace.rows and row.time_ns < self._trace.rows[-1].time_ns:
                self._refuse("this time is before that of the row above", "sort the rows", 0)
            self._trace.rows.append(row)

    def _time(self, text: str, column: int) -> int:
        plain = text.replace(",", ".") if self._separator == ";" else text
        if _NUMBER.fullmatch(plain):
            # A float would not do: times of weeks in ns need more digits.
            exact = Fraction(plain) * self._unit_ns
            if not 0 <= exact <= _LONGEST_NS:
                self._refuse(f"the time {text} is out of range", "times begin at 0", column)
            return round(exact)
        try:
            return parse_duration(plain, zero=True)
        except Failure:
            self._refuse(f"'{text}' is not a time", "write seconds, as 1.5, or 250ms", column)

    def _value(self, text: str, info: SignalInfo, column: int) -> Value | Any_:
        lower = text.lower()
        if lower in ("open", "z"):
            return None
        if text == "*":
            return ANY
        if info.kind == "digital":
            if lower not in _LEVELS:
                self._refuse(
                    f"'{text}' is not a level of '{info.name}'",
                    "write on or off, 1 or 0; open for an open line",
                    column,
                )
            return _LEVELS[lower]
        return self._number(text, column)

    def _number(self, text: str, column: int) -> float:
        plain = text.replace(",", ".") if self._separator == ";" else text
        if not _NUMBER.fullmatch(plain) or not math.isfinite(float(plain)):
            self._refuse(f"'{text}' is not a number", "write it without its unit, as 80.5", column)
        return float(plain)

    def _refuse(self, message: str, help: str, column: int) -> NoReturn:
        cells = self._raw.split(self._separator)
        before = sum(len(cell) + 1 for cell in cells[:column])
        blanks = len(cells[column]) - len(cells[column].lstrip()) if column < len(cells) else 0
        place = f"{self._trace.name}:{self._line}:{min(before + blanks, len(self._raw)) + 1}"
        raise Failure(f"{place}: {message}", help, USAGE)


def trace_of(
    recording: Recording, signals: Iterable[str], begin_ns: int, end_ns: int, name: str = ""
) -> Trace:
    """What the signals did from `begin_ns` to `end_ns`, times counted from `begin_ns`."""
    rows = []
    for signal in signals:
        if recording.of(signal, 0, begin_ns + 1):
            rows.append(Row(0, signal, recording.value_at(signal, begin_ns), 0))
        rows += [
            Row(change.time_ns - begin_ns, signal, change.value, 0)
            for change in recording.of(signal, begin_ns + 1, end_ns + 1)
        ]
    rows.sort(key=lambda row: row.time_ns)
    return Trace(name, rows)


def trace_text(trace: Trace, comment: str = "") -> str:
    """As a file in the long form, with tolerances; `read_trace` gives the same trace again."""
    lines = [f"# {line}" for line in comment.splitlines()]
    lines.append("time, signal, value")
    lines += [f"tolerance, {name}, {value!r}" for name, value in trace.tolerances.items()]
    lines += [f"jitter, {name}, {_seconds(ns)}" for name, ns in trace.jitters_ns.items()]
    lines += [f"{_seconds(r.time_ns)}, {r.signal}, {_written(r.value)}" for r in trace.rows]
    return "\n".join(lines) + "\n"


def _seconds(ns: int) -> str:
    whole, rest = divmod(ns, 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")


def _written(value: Value | Any_) -> str:
    if value is None:
        return "open"
    if isinstance(value, bool):
        return "on" if value else "off"
    return repr(value)


def play(
    trace: Trace, run_to: Callable[[int], None], put: Callable[[str, Value], None], begin_ns: int
) -> None:
    """Apply a stimulus: `run_to(ns)` lets the device's time pass, `put(signal, value)` sets."""
    for row in trace.rows:
        run_to(begin_ns + row.time_ns)
        if not isinstance(row.value, Any_):
            put(row.signal, row.value)
