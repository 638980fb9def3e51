"""Standard functions with their type in the name, as ADD_INT (IEC 61131-3:2013, Table 21, 2a).

Their inputs are of that type; the selector of SEL and MUX and the count of shifts are not.
"""

from __future__ import annotations

from host_tools.compiler import tree
from host_tools.compiler.tree import fold
from host_tools.compiler.types import DEFAULT_STRING, ELEMENTARY, StringType, Type

_ALL = (
    *("ABS", "SQRT", "LN", "LOG", "EXP", "SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN"),
    *("ADD", "MUL", "SUB", "DIV", "MOD", "MOVE", "AND", "OR", "XOR", "MAX", "MIN", "LIMIT"),
    *("GT", "GE", "EQ", "LE", "LT", "NE"),
)
_AFTER_FIRST = ("SEL", "MUX")
_ONLY_FIRST = ("SHL", "SHR", "ROL", "ROR")


class Typed(tree.Expr):
    """An argument that is converted to `type` where it stands."""

    operand: tree.Expr
    type: Type


def named(name: str) -> tuple[str, Type] | None:
    """The overloaded function and the type behind a name such as ADD_INT."""
    stem, _, suffix = fold(name).rpartition("_")
    if stem not in _ALL and stem not in _AFTER_FIRST and stem not in _ONLY_FIRST:
        return None
    t: Type | None = ELEMENTARY.get(suffix)
    if suffix in ("STRING", "WSTRING"):
        t = StringType(suffix == "WSTRING", DEFAULT_STRING.length)
    return (stem, t) if t is not None else None


def typed(stem: str, args: list[tree.Expr], t: Type) -> list[tree.Expr]:
    """The arguments, those that have the type of the name with it."""
    first = 1 if stem in _AFTER_FIRST else 0
    last = 1 if stem in _ONLY_FIRST else len(args)
    return [Typed(a.span, a, t) if first <= i < last else a for i, a in enumerate(args)]
