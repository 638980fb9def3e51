"""Does a program compute with binary64 numbers? Boards with single-precision Python cannot."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler import ir
from host_tools.record import Record


def uses_lreal(functions: Iterable[ir.Func]) -> bool:
    """True where a local or a value anywhere in the functions is of kind f64."""
    waiting: list[object] = []
    for function in functions:
        if any(local.kind == "f64" for local in function.locals):
            return True
        waiting.append(function.body)
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple):
            waiting += part
        elif isinstance(part, Record):
            fields = part.__dict__
            if fields.get("kind") == "f64":
                return True
            waiting += fields.values()
    return False
