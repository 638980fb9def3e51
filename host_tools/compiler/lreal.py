"""Does a program compute with binary64 numbers? Boards with single-precision Python cannot."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler import ir


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
        elif isinstance(part, ir.Expr | ir.Stmt | ir.Addr):
            if isinstance(part, ir.Expr) and part.kind == "f64":
                return True
            waiting += [getattr(part, name) for name in type(part).__match_args__]
    return False
