"""Types, literals and random choices of the generated programs (generate.py)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

A = TypeVar("A")


@dataclass(frozen=True)
class T:
    """A type by the name a declaration gives it, which is its identity too.

    group: bool bits int real time date tod dt char str wstr enum sub struct array fb ref.
    `members` are (name, type, section); `values` those of an enumeration; `base` of a subrange,
    `element` of an array or reference.
    """

    name: str
    group: str
    low: int = 0
    high: int = 0
    base: T | None = None
    members: tuple[tuple[str, T, str], ...] = ()
    bounds: tuple[tuple[int, int], ...] = ()
    values: tuple[str, ...] = ()


def _integers() -> list[T]:
    made = []
    for name, bits in (("SINT", 8), ("INT", 16), ("DINT", 32), ("LINT", 64)):
        made.append(T(name, "int", -(1 << bits - 1), (1 << bits - 1) - 1))
        made.append(T("U" + name, "int", 0, (1 << bits) - 1))
    return made


BOOL = T("BOOL", "bool", 0, 1)
BITS = [
    T(name, "bits", 0, (1 << bits) - 1)
    for name, bits in (("BYTE", 8), ("WORD", 16), ("DWORD", 32), ("LWORD", 64))
]
BYTE, WORD, DWORD, LWORD = BITS
INTS = _integers()
SINT, USINT, INT, UINT, DINT, UDINT, LINT, ULINT = INTS
REAL, LREAL = T("REAL", "real"), T("LREAL", "real")
TIME, LTIME = T("TIME", "time"), T("LTIME", "time")
DATE, TOD, DT, LDT = T("DATE", "date"), T("TOD", "tod"), T("DT", "dt"), T("LDT", "dt")
CHAR, WCHAR = T("CHAR", "char"), T("WCHAR", "char")
STRING, WSTRING = T("STRING", "str", high=80), T("WSTRING", "wstr", high=80)
WIDTH = {t.name: t.high.bit_length() + (t.low < 0) for t in (*INTS, *BITS)}

NARROWER = {
    "INT": [SINT, USINT],
    "DINT": [SINT, INT, USINT, UINT],
    "LINT": [SINT, INT, DINT, USINT, UINT, UDINT],
    "UINT": [USINT],
    "UDINT": [USINT, UINT],
    "ULINT": [USINT, UINT, UDINT],
    "WORD": [BYTE],
    "DWORD": [BYTE, WORD],
    "LWORD": [BYTE, WORD, DWORD],
    "REAL": [SINT, INT, USINT, UINT],
    "LREAL": [REAL, INT, DINT, UDINT],
    "LTIME": [TIME],
    "LDT": [DT],
}
"""What may stand at the right of an operator whose left side has the type."""


def string(length: int, wide: bool = False) -> T:
    return T(f"{'W' * wide}STRING[{length}]", "wstr" if wide else "str", high=length)


def array(bounds: Sequence[tuple[int, int]], element: T) -> T:
    ranges = ", ".join(f"{low}..{high}" for low, high in bounds)
    return T(f"ARRAY[{ranges}] OF {element.name}", "array", base=element, bounds=tuple(bounds))


def is_scalar(t: T) -> bool:
    return t.group not in ("struct", "array", "fb")


# --- choices ---------------------------------------------------------------------------------


class Choices:
    """Random decisions."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, n: int) -> int:
        return self._random.randrange(n)

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def pick(self, choices: Sequence[A]) -> A:
        return choices[self.below(len(choices))]

    def some(self, low: int, high: int, make: Callable[[], A]) -> list[A]:
        return [make() for _ in range(self.between(low, high))]


# --- literals --------------------------------------------------------------------------------

_FLOATS = """
0.0 1.0 -1.0 0.5 -0.5 2.5 -1.5 0.1 3.1415927 100.25 -0.0 16777216.0 16777217.0 1.0E-20 1.0E-38
1.17549435E-38 1.0E-40 -1.0E-44 1.4E-45 3.4028235E38 1.0E38 -2.0E30 1.0E20 8388607.5 4194303.5
2147483648.0 9.2233720E18 -32768.5 0.33333334 1.0E-30
"""
_DOUBLES = "2.2250738585072014E-308 4.9E-324 1.7976931348623157E308 1.0E-310 9.007199254740993E15"
_DURATIONS = "0s 1ms 10ms -5ms 35ms 1s500ms 250us 7ns 2h30m 1d 100000d -3s 999ms999us999ns"
_REALS = _FLOATS.split()
_LREALS = [*_REALS, *_DOUBLES.split()]
_TIMES = _DURATIONS.split()
_DATES = ["1970-01-01", "2024-02-29", "1999-12-31", "2000-03-01", "2105-06-30", "1969-12-31"]
_CLOCKS = ["00:00:00", "12:34:56.789", "23:59:59.999", "06:00:00"]
_TEXTS = ["", "a", "abc", "12", "-7 x", "1.5E3", "Hello, world", "$41$$", "it$'s", "$FF$00z"]
_WTEXTS = ["", "b", "xyz", "42", "$0394t", "$00E9$FFFE"]


def integer(c: Choices, t: T) -> int:
    """A value of an integer or bit string type, often a remarkable one."""
    form = c.below(10)
    if form < 4:
        return min(max(c.pick([0, 1, 2, 3, 7, 10, -1, -3, 100, 5]), t.low), t.high)
    if form < 6:
        return c.pick([t.high, t.low, t.high - 1, min(t.low + 1, t.high), t.high // 2])
    if form == 6:
        return min(1 << c.below(WIDTH[t.name]), t.high)
    if form == 7:
        return c.between(max(t.low, -1000), min(t.high, 1000))
    return c.between(t.low, t.high)


def real(c: Choices, t: T) -> str:
    """A number: seldom a remarkable one, mostly digits that do not end in binary."""
    if c.chance(30):
        return c.pick(_REALS if t.name == "REAL" else _LREALS)
    if c.chance(20):
        return f"{c.between(-99, 99)}.{c.pick([0, 25, 5, 75])}"
    power = c.between(-4, 7) if c.chance(80) else c.between(-44, 37)
    return f"{c.between(-9, 9)}.{c.below(10**8)}E{power}"


def literal(c: Choices, t: T, typed: bool = True) -> str:
    """A literal of the type; with `typed` one that has it without any context."""
    group = t.group
    if group in ("int", "bits"):
        return number(c, t, integer(c, t), typed)
    if group == "bool":
        return c.pick(["FALSE", "TRUE"])
    if group == "real":
        text = real(c, t)
        return f"{t.name}#{text}" if typed else text
    if group == "time":
        return f"{t.name}#{c.pick(_TIMES)}"
    if group == "date":
        return f"D#{c.pick(_DATES)}"
    if group == "tod":
        return f"TOD#{c.pick(_CLOCKS)}"
    if group == "dt":
        return f"{t.name}#{c.pick(_DATES)}-{c.pick(_CLOCKS)}"
    if group == "char":
        if t is WCHAR:
            return f'WCHAR#"{c.pick(["A", "1", "$0394"])}"'
        return f"CHAR#'{c.pick(['A', 'z', '0', ' ', '$FF'])}'"
    if group == "str":
        return f"'{c.pick(_TEXTS)}'"
    if group == "wstr":
        return f'"{c.pick(_WTEXTS)}"'
    if group == "enum":
        return f"{t.name}#{c.pick(t.values)}"
    if group == "ref":
        return "NULL"
    assert group == "sub"
    assert t.base is not None
    return number(c, t.base, c.between(t.low, t.high), typed)


def number(c: Choices, t: T, value: int, typed: bool) -> str:
    prefix = f"{t.name}#" if typed else ""
    if value >= 0 and (t.group == "bits" or c.chance(15)):
        return f"{prefix}16#{value:X}"
    return f"{prefix}{value}"
