"""Values of the elementary types, and what operators, conversions and standard functions make of
them, by IEC 61131-3:2013 and docs/language.md alone.

Nothing here knows the compiler: integers are Python's, cut to their width, REAL is rounded by
`struct`, dates come from `datetime`. Durations and moments are nanoseconds, strings and characters
Python text (one character for each code unit).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

BITS = {"SINT": 8, "INT": 16, "DINT": 32, "LINT": 64, "USINT": 8, "UINT": 16, "UDINT": 32,
        "ULINT": 64, "BYTE": 8, "WORD": 16, "DWORD": 32, "LWORD": 64}  # fmt: skip
SIGNED = ("SINT", "INT", "DINT", "LINT")
UNSIGNED = ("USINT", "UINT", "UDINT", "ULINT")
PATTERNS = ("BYTE", "WORD", "DWORD", "LWORD")
INTEGERS = SIGNED + UNSIGNED
REALS = ("REAL", "LREAL")
DURATIONS = ("TIME", "LTIME")
MOMENTS = ("DATE", "LDATE", "TOD", "LTOD", "DT", "LDT")
CHARS = ("CHAR", "WCHAR")
SCALARS = ("BOOL", *INTEGERS, *PATTERNS, *REALS, *DURATIONS, *MOMENTS, *CHARS)
DAY = 86_400 * 10**9

WIDER = {
    "SINT": ("INT", "DINT", "LINT", "REAL", "LREAL"),
    "INT": ("DINT", "LINT", "REAL", "LREAL"),
    "DINT": ("LINT", "LREAL"),
    "LINT": (),
    "USINT": ("UINT", "UDINT", "ULINT", "INT", "DINT", "LINT", "REAL", "LREAL"),
    "UINT": ("UDINT", "ULINT", "DINT", "LINT", "REAL", "LREAL"),
    "UDINT": ("ULINT", "LINT", "LREAL"),
    "ULINT": (),
    "BOOL": ("BYTE", "WORD", "DWORD", "LWORD"),
    "BYTE": ("WORD", "DWORD", "LWORD"),
    "WORD": ("DWORD", "LWORD"),
    "DWORD": ("LWORD",),
    "REAL": ("LREAL",),
    "TIME": ("LTIME",),
    "DATE": ("LDATE",),
    "TOD": ("LTOD",),
    "DT": ("LDT",),
    "CHAR": ("WCHAR",),
}
"""Figure 12: what a type converts to by itself."""


def limits(t: str) -> tuple[int, int]:
    n = BITS.get(t, 64)
    return (0, (1 << n) - 1) if t in UNSIGNED + PATTERNS else (-(1 << n - 1), (1 << n - 1) - 1)


def wrap(value: int, t: str) -> int:
    low, high = limits(t)
    return (value - low) % (high - low + 1) + low


def single(x: float) -> float:
    """Sums, products, quotients and roots of binary32 numbers may be rounded to binary64 first:
    it has more than twice their digits."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def nearest(x: Fraction | int, t: str) -> float:
    """An exact number rounded once to REAL or LREAL, half to even."""
    x = Fraction(x)
    if x == 0:
        return 0.0
    digits, lowest, highest = (24, -149, 128) if t == "REAL" else (53, -1074, 1024)
    exponent = abs(x.numerator).bit_length() - x.denominator.bit_length() - digits
    for e in (exponent, exponent + 1, exponent + 2):
        unit = max(e, lowest)
        n = round(x / Fraction(2) ** unit)
        if abs(n) <= 1 << digits:
            if abs(n) * Fraction(2) ** unit >= Fraction(2) ** highest:
                return math.copysign(math.inf, x)
            return math.ldexp(n, unit)
    raise AssertionError(x)


def rounded(x: float, t: str) -> float:
    return single(x) if t == "REAL" else x


# --- operators -------------------------------------------------------------------------------


def quotient(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def arithmetic(op: str, t: str) -> Callable[[Any, Any], Any]:
    """+ - * / MOD of two values of type `t`; the divisor of integers is not 0."""
    if t in REALS:

        def real(a: float, b: float) -> float:
            if op == "/" and b == 0.0:
                if a == 0.0 or math.isnan(a):
                    return math.nan
                return math.copysign(math.inf, a) * math.copysign(1.0, b)
            if op == "/":
                return rounded(a / b, t)
            return rounded(a + b if op == "+" else a - b if op == "-" else a * b, t)

        return real
    return {
        "+": lambda a, b: wrap(a + b, t),
        "-": lambda a, b: wrap(a - b, t),
        "*": lambda a, b: wrap(a * b, t),
        "/": lambda a, b: wrap(quotient(a, b), t),
        "MOD": lambda a, b: a - quotient(a, b) * b,
    }[op]


def logic(op: str) -> Callable[[Any, Any], Any]:
    return {"AND": lambda a, b: a & b, "OR": lambda a, b: a | b, "XOR": lambda a, b: a ^ b}[op]


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def shifted(op: str, x: int, n: int, t: str) -> int:
    width = BITS[t]
    x %= 1 << width
    if op == "SHL":
        made = x << min(n, 64)
    elif op == "SHR":
        made = x >> n
    else:
        n = (n if op == "ROL" else -n) % width
        made = x << n | x >> (width - n)
    return wrap(made, t)


# --- conversions -----------------------------------------------------------------------------


def to_integer(x: float, t: str, truncate: bool = False) -> int:
    low, high = limits(t)
    if math.isnan(x):
        return 0
    if math.isinf(x):
        return high if x > 0 else low
    return min(max(math.trunc(x) if truncate else round(x), low), high)


def unit(t: str) -> int:
    """Nanoseconds of one unit of a time as an integer."""
    if t.startswith("L"):
        return 1
    return 1_000_000 if t in ("TIME", "TOD") else 10**9


def convertible(source: str, target: str) -> bool:
    """Whether `converted` knows the conversion."""
    times = DURATIONS + MOMENTS
    if source in times and target in times:
        same = source.removeprefix("L") == target.removeprefix("L")
        split = source in ("DT", "LDT") and target not in DURATIONS
        return same or split or (source.endswith("DATE") and target.endswith("DT"))
    if source in REALS or target in REALS:
        return not {source, target} & {*times, *CHARS}
    return not (source in CHARS and target in times) and not (source in times and target in CHARS)


def converted(x: Any, source: str, target: str) -> Any:
    """`source_TO_target` of x."""
    pair = (source, target)
    if pair in (("DWORD", "REAL"), ("LWORD", "LREAL")):
        code = ("<I", "<f") if target == "REAL" else ("<Q", "<d")
        return struct.unpack(code[1], struct.pack(code[0], x))[0]
    if pair in (("REAL", "DWORD"), ("LREAL", "LWORD")):
        code = ("<f", "<I") if source == "REAL" else ("<d", "<Q")
        if math.isnan(x):
            return 0x7FC00000 if source == "REAL" else 0x7FF8000000000000
        return struct.unpack(code[1], struct.pack(code[0], x))[0]
    if source in DURATIONS + MOMENTS and target in DURATIONS + MOMENTS:
        if source.endswith("DT") and target.endswith("DATE"):
            return x - x % DAY
        return x % DAY if source.endswith("DT") and target.endswith("TOD") else x
    if source in CHARS:
        if target in CHARS:
            return x if target == "WCHAR" else chr(ord(x) & 255)
        x = ord(x)
    if target == "BOOL":
        return x != 0
    if target in CHARS:
        return chr(int(x) % (256 if target == "CHAR" else 65536))
    if source in REALS:
        if target in REALS:
            return rounded(x, target)
        return to_integer(x, target)
    if target in REALS:
        return nearest(int(x), target)
    n = int(x)
    if source in DURATIONS + MOMENTS:
        n = quotient(n, unit(source))
    if target in DURATIONS + MOMENTS:
        return wrap(wrap(n, "LINT") * unit(target), "LINT")
    return wrap(n, target)


def bcd(x: int) -> int:
    """The number that digits of four bits make."""
    return sum((x >> 4 * i & 15) * 10**i for i in range(16))


def to_bcd(x: int, t: str) -> int:
    return sum((x // 10**i % 10) << 4 * i for i in range(BITS[t] // 4))


def swapped(x: int, t: str) -> int:
    n = BITS[t] // 8
    return wrap(int.from_bytes((x % (1 << 8 * n)).to_bytes(n, "little"), "big"), t)


def valid_bcd(x: int) -> bool:
    return all(d in "0123456789" for d in f"{x:X}")


# --- text ------------------------------------------------------------------------------------


def number_in(s: str) -> int:
    """STRING_TO_LINT."""
    m = re.match(r"[ \t]*([+-]?)([0-9][0-9_]*)", s)
    if m is None:
        return 0
    n = int(m[2].replace("_", ""))
    return min(max(-n if m[1] == "-" else n, -(1 << 63)), (1 << 63) - 1)


def duration_text(ns: int) -> str:
    text = ""
    rest = abs(ns)
    for size, name in (
        (DAY, "d"), (3600 * 10**9, "h"), (60 * 10**9, "m"), (10**9, "s"),
        (10**6, "ms"), (1000, "us"), (1, "ns"),
    ):  # fmt: skip
        if rest >= size:
            text += f"{rest // size}{name}"
            rest %= size
    return f"T#{'-' if ns < 0 else ''}{text or '0s'}"


def mid(s: str, n: int, at: int) -> str:
    return "".join(c for i, c in enumerate(s, 1) if at <= i < at + n)


def delete(s: str, n: int, at: int) -> str:
    return "".join(c for i, c in enumerate(s, 1) if not at <= i < at + n)


def insert(s: str, t: str, at: int) -> str:
    return s[: max(at, 0)] + t + s[max(at, 0) :]


def replace(s: str, t: str, n: int, at: int) -> str:
    before = "".join(c for i, c in enumerate(s, 1) if i < at)
    after = "".join(c for i, c in enumerate(s, 1) if i >= max(at, 1) and i >= at + max(n, 0))
    return before + t + after


# --- dates -----------------------------------------------------------------------------------


def day_of(ns: int) -> date:
    return date(1970, 1, 1) + timedelta(days=ns // DAY)


def days(y: int, m: int, d: int) -> int:
    return (date(y, m, d) - date(1970, 1, 1)).days


PARTS: list[tuple[str, Callable[[int], int]]] = [
    ("YEAR", lambda ns: day_of(ns).year),
    ("MONTH", lambda ns: day_of(ns).month),
    ("DAY", lambda ns: day_of(ns).day),
    ("HOUR", lambda ns: ns % DAY // (3600 * 10**9)),
    ("MINUTE", lambda ns: ns % DAY // (60 * 10**9) % 60),
    ("SECOND", lambda ns: ns % DAY // 10**9 % 60),
    ("MILLISECOND", lambda ns: ns % DAY // 10**6 % 1000),
]
"""The outputs of SPLIT_DT, in their order."""


# --- literals --------------------------------------------------------------------------------


def quoted(s: str, wide: bool) -> str:
    q = '"' if wide else "'"
    digits = 4 if wide else 2
    plain = [c if c.isalnum() and c.isascii() else f"${ord(c):0{digits}X}" for c in s]
    return q + "".join(plain) + q


def literal(t: str, v: Any) -> str:
    """A value with its type in front."""
    if t == "BOOL":
        return "TRUE" if v else "FALSE"
    if t in REALS:
        sign = "-" if math.copysign(1.0, v) < 0 else ""
        return f"{t}#{sign}{abs(v):.25E}"
    if t in DURATIONS:
        return f"{t}#{v}ns"
    if t in CHARS:
        return f"{t}#{quoted(v, t == 'WCHAR')}"
    if t in MOMENTS:
        clock = v % DAY
        seconds, ns = divmod(clock, 10**9)
        text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ns:09}"
        if t.endswith("TOD"):
            return f"{t}#{text}"
        day = day_of(v).isoformat()
        return f"{t}#{day}" if t.endswith("DATE") else f"{t}#{day}-{text}"
    return f"{t}#{v}"
