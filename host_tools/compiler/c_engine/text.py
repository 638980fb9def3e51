"""Pieces of C text with their precedence, and names that are unique."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler import ir
from host_tools.compiler.c_engine.runtime import macros
from host_tools.record import record


class EngineError(Exception):
    """The program is right, but machine code cannot be made of it. `pos` is an IR position
    (source index << 22 | line), 0 where there is none."""

    def __init__(self, message: str, pos: int = 0) -> None:
        super().__init__(message)
        self.pos = pos


# C's precedences as far as they are told apart here, loosest first. Bitwise operators count as
# looser than comparisons, as in C, but their operands get parentheses: few know that by heart.
COND, LOR, LAND, BIT, COMPARE, SHIFT, SUM, PRODUCT, SIGN, ATOM = range(10)

CTYPE = {"b1": "u8"} | {k: k for k in ir.SIZE if k != "b1"} | {"str": "str", "wstr": "str"}
"""The C type of a value of an IR kind."""

HELD = CTYPE | {"b1": "u32", "u8": "u32", "u16": "u32", "i8": "i32", "i16": "i32"}
"""The C type of a local: small processors extend a narrow one again at each use."""

UNSIGNED = {"i8": "u8", "i16": "u16", "i32": "u32", "i64": "u64"}
NARROW = ("i8", "u8", "i16", "u16", "b1")
"""Kinds that C computes with as int."""

UNIT = {"str": 1, "wstr": 2}
"""Bytes of a character."""


@record(frozen=True)
class Text:
    text: str
    prec: int = ATOM

    def at(self, prec: int) -> str:
        """The text, in parentheses if it binds looser than `prec`."""
        return self.text if self.prec >= prec else f"({self.text})"


def integer(value: int, kind: str) -> Text:
    """A constant of an integer kind."""
    if kind == "u64":
        return Text(f"{value}ull")
    if kind == "u32":
        return Text(f"{value}u")
    if kind == "i64":
        if value == -(1 << 63):
            return Text("(-9223372036854775807ll - 1)")
        return Text(f"{value}ll", ATOM if value >= 0 else SIGN)
    if kind == "i32" and value == -(1 << 31):
        return Text("(-2147483647 - 1)")
    return Text(str(value), ATOM if value >= 0 else SIGN)


_TAKEN = """
auto break case char const continue default do double else enum extern float for goto if inline int
long register restrict return short signed sizeof static struct switch typedef union unsigned void
volatile while asm typeof bool true false main mem str task m s f fault check not_null count
back_edge steps digits within likely unlikely
u8 u16 u32 u64 i8 i16 i32 i64 f32 f64 uptr U8 U16 U32 U64 I8 I16 I32 I64 F32 F64
PUSH_HIGH POP_HIGH SAVED FAIL BACK_EDGE CHECK NOT_NULL DIVIDED COUNT
PLACE INLINE ROUTINE COLD NOW NATIVE STEPS FAULT_AT HIDDEN NAKED OWN CHECKS SHIFTS TO_INTEGER
DIVISION COMPARISONS LOW_QUOTIENT INDEX RANGE
NULL_REFERENCE SHIFT STEP BUDGET I64_LOW SIGNED_DIVISION UNSIGNED_DIVISION
memcpy memmove memset memcmp to_wide to_narrow int_to_str str_to_int time_to_str
"""

_PREFIXES = """
takt_ check_ div_ mod_ shl_ shr_ rol_ ror_ swap_ bcd_to_ to_bcd_ bits_ f32_ f64_ stored_ abs_ neg_
min_ max_ eq_ ne_ lt_ le_ gt_ ge_ any_ nan_ sorted_ size_
fail_ same_ size64_ whole_ floor_ ceil_ sqrt_ str_ next_ done_ held_ at_ room_ t_ __
quotient_ low_quotient_ QUOTIENT_ REST_
"""


class Names:
    """Gives out C names that are unique in a scope and its enclosing one, and none of rt.h."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken) | set(_TAKEN.split()) | macros()

    def take(self, wanted: str) -> str:
        """`wanted` if it is free and a C name, else something close."""
        base = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in wanted)
        if not base or base[0].isdigit() or base.startswith(tuple(_PREFIXES.split())):
            base = "v_" + base
        name, n = base, 1
        while name in self._taken:
            n += 1
            name = f"{base}_{n}"
        self._taken.add(name)
        return name

    def inner(self) -> Names:
        return Names(self._taken)
