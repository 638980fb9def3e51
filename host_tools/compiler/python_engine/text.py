"""Pieces of Python text with what has to be known to put them together: precedence and range."""

from __future__ import annotations

import keyword
from collections.abc import Iterable

from host_tools.compiler import ir
from host_tools.record import record


class EngineError(Exception):
    """The program is right, but the python engine cannot express it. `pos` is an IR position
    (source index << 22 | line), 0 where there is none."""

    def __init__(self, message: str, pos: int = 0) -> None:
        super().__init__(message)
        self.pos = pos


# Python's precedences, loosest first.
WALRUS, TERNARY, OR, AND, NOT, COMPARE, BITOR, BITXOR, BITAND, SHIFT, SUM, PRODUCT, SIGN, ATOM = (
    range(14)
)

BITS = {k: 1 if k == "b1" else ir.SIZE[k] * 8 for k in ir.INT_RANGE}
"""Width of an integer kind."""

MASK = {k: (1 << n) - 1 for k, n in BITS.items()}
"""All bits of an integer kind."""

KEYWORDS = frozenset([*keyword.kwlist, *keyword.softkwlist, "print"])

LONGEST_NAME = 100
"""Longer names are cut: MicroPython has none of more than 255 characters."""

CONSTANT_PREFIXES = ("_R_", "_L_")
"""How the names of the module's REAL and LREAL constants begin; no other name does."""


@record(frozen=True)
class Text:
    """An expression's text. For integers `lo`..`hi` is the range of the Python value, which may be
    wider than the kind where the caller asked for the value modulo the kind's width only."""

    text: str
    prec: int = ATOM
    lo: int = 0
    hi: int = 0

    def at(self, prec: int) -> str:
        """The text, in parentheses if it binds looser than `prec`."""
        return self.text if self.prec >= prec else f"({self.text})"

    @property
    def is_name(self) -> bool:
        """Evaluating it twice costs nothing and cannot fault: a name or a number."""
        return self.text.isidentifier() or self.text.lstrip("-").isdigit()


def number(value: int) -> Text:
    return Text(str(value), ATOM if value >= 0 else SIGN, value, value)


class Names:
    """Gives out Python names that are unique in a scope and its enclosing one."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def reserve(self, name: str) -> str:
        self._taken.add(name)
        return name

    def take(self, wanted: str) -> str:
        """`wanted` if it is free and a Python name, else something close."""
        base = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in wanted)
        if not base or base[0].isdigit():
            base = "_" + base
        if base.startswith(CONSTANT_PREFIXES):
            base = "v" + base
        base = base[:LONGEST_NAME]
        name, n = base, 1
        while name in self._taken or name in KEYWORDS:
            n += 1
            name = f"{base}_" if n == 2 else f"{base}_{n}"
        return self.reserve(name)

    def inner(self) -> Names:
        return Names(self._taken)
