"""Durations as people write them: `T#10s`, `T#1h30m`, and plain `10s`."""

from __future__ import annotations

import re

from host_tools.failure import USAGE, Failure

_UNITS = {
    "d": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "m": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
_PART = re.compile(r"(\d[\d_]*)(?:\.(\d+))?(d|h|ms|us|ns|m|s)")
_LONGEST_NS = (1 << 63) - 1


def parse_duration(text: str, *, zero: bool = False) -> int:
    """Nanoseconds of a TIME literal (IEC 61131-3:2013, 6.3.4), the prefix may be left out.
    Raises Failure for anything else, for more than a TIME holds, and for 0 unless `zero`."""
    body = re.sub(r"^(T|TIME|LT|LTIME)#", "", text.strip(), flags=re.IGNORECASE).lower()
    total, at = 0, 0
    for part in _PART.finditer(body):
        if part.start() != at:
            break
        at = part.end()
        unit = _UNITS[part[3]]
        total += int(part[1].replace("_", "")) * unit
        if part[2]:
            digits = part[2][:15]
            total += int(digits) * unit // 10 ** len(digits)
        if body[at : at + 1] == "_":
            at += 1
    if not body or at != len(body) or not (0 if zero else 1) <= total <= _LONGEST_NS:
        raise Failure(
            f"'{text}' is not a duration", "write it as T#10s, T#1h30m or T#250ms", USAGE
        )
    return total


def duration_text(ns: int) -> str:
    """Such as "1h 2m 3.004s"; milliseconds and below for short ones."""
    if ns < 1_000_000_000:
        return f"{ns / 1e6:g} ms"
    parts = []
    for unit in ("d", "h", "m"):
        count, ns = divmod(ns, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    if ns or not parts:
        parts.append(f"{ns / 1e9:g}s")
    return " ".join(parts)
