"""Times, spans of time and values of signals as people read them."""

from __future__ import annotations

from hil_tests.recording import SignalInfo, Value


def time_text(ns: int, digits: int = 9) -> str:
    """A time on the axis in seconds, to the ms at least: "12.340 s", "0.000125 s". `digits` after
    the point: 9 is exact."""
    unit = 10 ** (9 - digits)
    rounded = (abs(ns) + unit // 2) // unit * unit
    whole, rest = divmod(rounded, 1_000_000_000)
    shown = f"{rest:09d}"
    while len(shown) > 3 and shown.endswith("000"):
        shown = shown[:-3]
    return f"{'-' if ns < 0 else ''}{whole}.{shown} s"


def span_text(ns: int) -> str:
    """A span of time in the unit that fits it, to six digits: "20 ms", "2.0 s", "150 µs"."""
    for limit, unit in ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")):
        if abs(ns) >= limit:
            shown = f"{ns / limit:.6g}"
            return f"{shown}.0 s" if unit == "s" and shown.isdecimal() else f"{shown} {unit}"
    return f"{ns} ns"


def number_text(number: float) -> str:
    """To five digits, without an exponent where it can be: "80", "0.012346", "123457"."""
    if 100_000 <= abs(number) < 1e9:
        return f"{number:.0f}"
    return f"{number:.5g}"


def value_text(value: Value, info: SignalInfo) -> str:
    """ "high", "low", "80.5 %", or "open" where nothing drives the line."""
    if value is None:
        return "open"
    if info.kind == "digital":
        return "high" if value else "low"
    shown = number_text(float(value))
    return f"{shown} {info.unit}" if info.unit else shown
