"""Does a program compute with binary64 numbers? Boards with single-precision Python cannot."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler import ir

_PLAIN = frozenset({str, int, bool, float, bytes, type(None)})


def uses_lreal(functions: Iterable[ir.Func]) -> bool:
    """True where a local or a value anywhere in the functions is of kind f64."""
    waiting: list[object] = []
    for function in functions:
        if any(local.kind == "f64" for local in function.locals):
            return True
        waiting.append(function.body)
    while waiting:
        part = waiting.pop()
        if part.__class__ is tuple:
            waiting += part
        elif part.__class__ not in _PLAIN:
            fields = part.__dict__
            if fields.get("kind") == "f64":
                return True
            waiting += [value for value in fields.values() if value.__class__ not in _PLAIN]
    return False
