"""Literals of durations, dates and times of day (IEC 61131-3:2013, 6.3.4 and 6.3.5)."""

from __future__ import annotations

import re

from host_tools.compiler.syntax.scan import Scan
from host_tools.compiler.tree import Literal

# Every spelling of the prefixes of durations and dates, and the one the tree uses.
TIME_TYPES = {
    "T": "TIME",
    "TIME": "TIME",
    "LT": "LTIME",
    "LTIME": "LTIME",
    "D": "DATE",
    "DATE": "DATE",
    "LD": "LDATE",
    "LDATE": "LDATE",
    "TOD": "TOD",
    "TIME_OF_DAY": "TOD",
    "LTOD": "LTOD",
    "LTIME_OF_DAY": "LTOD",
    "DT": "DT",
    "DATE_AND_TIME": "DT",
    "LDT": "LDT",
    "LDATE_AND_TIME": "LDT",
}

_WORD = re.compile(r"\w*")
_GROUPED = re.compile(r"[0-9]+(?:_[0-9]+)*")
_DURATION = re.compile(r"[+-]?(?:\w|\.(?=[0-9]))*")
_PART = re.compile(r"([0-9][0-9_]*)(?:\.([0-9][0-9_]*))?([A-Za-z]*)_?")
_DATE = re.compile(r"([0-9]+)-([0-9]+)-([0-9]+)")
_CLOCK = re.compile(r"([0-9]+):([0-9]+)(?::([0-9]+)(?:\.([0-9][0-9_]*))?)?")
_DATE_LIKE = re.compile(r"(?:[\w:-]|\.(?=[0-9]))*")

_DAY = 86_400_000_000_000
_HOUR = 3_600_000_000_000
_MINUTE = 60_000_000_000
_SECOND = 1_000_000_000
# unit: nanoseconds, and the first value that overflows it when a bigger unit stands before
UNITS = {
    "d": (_DAY, 0),
    "h": (_HOUR, 24),
    "m": (_MINUTE, 60),
    "s": (_SECOND, 60),
    "ms": (1_000_000, 1000),
    "us": (1000, 1000),
    "ns": (1, 1000),
}


def temporal(scan: Scan, prefix: str, start: int, at: int) -> tuple[Literal, int]:
    if prefix in ("TIME", "LTIME"):
        value, end = _duration(scan, start, at)
        kind = "time"
    elif prefix in ("DATE", "LDATE"):
        value, end = _date(scan, start, at)
        kind = "date"
    elif prefix in ("TOD", "LTOD"):
        value, end = _time_of_day(scan, start, at)
        kind = "tod"
    else:
        value, end = _date_and_time(scan, start, at)
        kind = "dt"
    if not -(1 << 63) <= value < 1 << 63:
        scan.error(
            "E0017",
            f"'{scan.text[start:end][:40]}' does not fit into 64 bits of nanoseconds",
            start,
            end,
            help="durations reach to about 292 years, dates from 1677-09-22 to 2262-04-11",
        )
        value = 0
    return Literal(scan.span(start, end), kind, value, prefix), end


def _duration(scan: Scan, start: int, at: int) -> tuple[int, int]:
    """Table 8. Only the first unit may overflow, only the last may have a fraction."""
    m = _DURATION.match(scan.text, at)
    end = m.end() if m else at
    first = at + 1 if scan.text[at : at + 1] in ("+", "-") and end > at else at
    total = 0
    bigger: str | None = None
    fraction_of: str | None = None
    here = first
    while here < end or here == first:
        part = _PART.match(scan.text, here, end)
        if part is None or _GROUPED.fullmatch(part[1]) is None:
            return _no_duration(
                scan, start, end, "write numbers with units, as in T#1h30m or T#1.5s"
            )
        unit = part[3].lower()
        if unit not in UNITS:
            advice = "the units are d, h, m, s, ms, us and ns"
            return _no_duration(scan, start, end, advice if unit else f"add a unit; {advice}")
        nanoseconds, limit = UNITS[unit]
        if fraction_of is not None:
            advice = f"only the last part may have a fraction, not '{fraction_of}'"
            return _no_duration(scan, start, end, advice)
        if bigger is not None and UNITS[bigger][0] <= nanoseconds:
            advice = "order the units d, h, m, s, ms, us, ns, each at most once"
            return _no_duration(scan, start, end, advice)
        digits = part[1].replace("_", "").lstrip("0") or "0"
        if len(digits) > 25:
            return 1 << 64, end
        count = int(digits)
        if bigger is not None and count >= limit:
            scan.error(
                "E0010",
                f"{count}{unit} is more than one {_above(unit)}",
                here,
                part.end(3),
                help=f"after '{bigger}' the '{unit}' part goes up to {limit - 1}",
            )
            return 0, end
        total += count * nanoseconds
        if part[2] is not None:
            fraction_of = unit
            small = part[2].replace("_", "").rstrip("0")
            if len(small) > 25 or nanoseconds * int(small or "0") % 10 ** len(small):
                return _no_duration(scan, start, end, "the finest duration is one nanosecond")
            total += nanoseconds * int(small or "0") // 10 ** len(small)
        bigger = unit
        here = part.end()
    if scan.text[end - 1] == "_":
        return _no_duration(scan, start, end, "underscores stand singly between the parts")
    return (-total if scan.text[at] == "-" else total), end


def _above(unit: str) -> str:
    names = {"h": "day", "m": "hour", "s": "minute", "ms": "second", "us": "millisecond"}
    return names.get(unit, "microsecond")


def _no_duration(scan: Scan, start: int, end: int, advice: str) -> tuple[int, int]:
    text = scan.text[start:end]
    scan.error("E0009", f"'{text[:40]}' is not a duration", start, end, help=advice)
    return 0, end


def _date(scan: Scan, start: int, at: int) -> tuple[int, int]:
    m = _DATE.match(scan.text, at)
    if m is None or _runs_on(scan, m.end()):
        return _no_date(scan, start, at, "write year-month-day, as in D#2024-02-29")
    return _day(scan, m, start) * _DAY, m.end()


def _time_of_day(scan: Scan, start: int, at: int) -> tuple[int, int]:
    m = _CLOCK.match(scan.text, at)
    if m is None or _runs_on(scan, m.end()):
        end = _loose_end(scan, at)
        _no_clock(scan, start, end, "write hours:minutes:seconds, as in TOD#12:30:00.5")
        return 0, end
    return _clock(scan, m), m.end()


def _date_and_time(scan: Scan, start: int, at: int) -> tuple[int, int]:
    day = _DATE.match(scan.text, at)
    clock = None
    if day is not None and scan.text[day.end() : day.end() + 1] == "-":
        clock = _CLOCK.match(scan.text, day.end() + 1)
    if day is None or clock is None or _runs_on(scan, clock.end()):
        advice = "write the date, '-' and the time, as in DT#2024-02-29-12:30:00"
        return _no_date(scan, start, at, advice)
    return _day(scan, day, start) * _DAY + _clock(scan, clock), clock.end()


def _runs_on(scan: Scan, end: int) -> bool:
    """Is there more that looks like part of the date directly after it?"""
    text = scan.text
    if _WORD.match(text, end).end() > end or text[end : end + 1] == ":":  # type: ignore[union-attr]
        return True
    return text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()


def _loose_end(scan: Scan, at: int) -> int:
    m = _DATE_LIKE.match(scan.text, at)
    return m.end() if m else at


def _no_date(scan: Scan, start: int, at: int, advice: str) -> tuple[int, int]:
    end = _loose_end(scan, at)
    text = scan.text[start:end]
    scan.error("E0011", f"'{text[:40]}' is not a date", start, end, help=advice)
    return 0, end


def _day(scan: Scan, m: re.Match[str], start: int) -> int:
    """Days since 1970-01-01."""
    year, month, day = (group.lstrip("0") or "0" for group in m.groups())
    from datetime import date  # rarely needed, and not free to import

    try:
        if max(map(len, (year, month, day))) > 4:
            raise ValueError
        return date(int(year), int(month), int(day)).toordinal() - 719_163
    except ValueError:
        advice = "years have four digits, months go from 1 to 12"
        if len(month) <= 2 and 1 <= int(month) <= 12 and len(year) <= 4 and int(year):
            last = _last_day(int(year), int(month))
            advice = f"{int(year):04}-{int(month):02} has {last} days"
        scan.error("E0011", f"there is no date {m[0][:40]}", m.start(), m.end(), help=advice)
        return 0


def _last_day(year: int, month: int) -> int:
    from datetime import date

    if month == 12:
        return 31
    return (date(year, month + 1, 1) - date(year, month, 1)).days


def _clock(scan: Scan, m: re.Match[str]) -> int:
    """Nanoseconds since midnight."""
    values = [int((group or "0").lstrip("0")[:9] or "0") for group in m.groups()[:3]]
    fraction = (m[4] or "0").replace("_", "").rstrip("0")
    for value, limit, unit in zip(
        values, (23, 59, 59), ("hours", "minutes", "seconds"), strict=True
    ):
        if value > limit:
            advice = f"{unit} go from 0 to {limit}"
            _no_clock(scan, m.start(), m.end(), advice)
            return 0
    if len(fraction) > 9:
        _no_clock(scan, m.start(), m.end(), "the finest fraction is one nanosecond")
        return 0
    hours, minutes, seconds = values
    return hours * _HOUR + minutes * _MINUTE + seconds * _SECOND + int(fraction.ljust(9, "0"))


def _no_clock(scan: Scan, start: int, end: int, advice: str) -> None:
    text = scan.text[start:end]
    scan.error("E0012", f"'{text[:40]}' is not a time of day", start, end, help=advice)
