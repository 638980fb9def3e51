"""FLOOR, CEIL, ROUND and FRAC, common beside the standard's TRUNC.

Where the context wants an integer, the first three give one, and saturate as conversions do.
"""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import expressions, standard
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import ANY_INT, Type, base_of, is_integer


def _integer(expected: Type | None) -> Type | None:
    t = base_of(expected) if expected is not None else None
    return t if t is not None and is_integer(t) and t is not ANY_INT else None


def whole(name: str) -> Callable[[Body, tree.Call, list[tree.Expr], Type | None], Value]:
    """FLOOR and CEIL."""

    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = standard.real_argument(body, name.upper(), node, args, expected)
        if values is None:
            return standard.nothing(node)
        kind = values[0].expr.kind
        made = Value(values[0].type, ir.Intrinsic(kind, name, (values[0].expr,)), node.span)
        wanted = _integer(expected)
        return made if wanted is None else expressions.retype(made, wanted)

    return handler


def nearest(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """ROUND: the nearest whole number, half to even."""
    values = standard.real_argument(body, "ROUND", node, args, expected)
    if values is None:
        return standard.nothing(node)
    value = Value(values[0].type, values[0].expr, node.span)
    wanted = _integer(expected)
    if wanted is not None:
        return expressions.retype(value, wanted)
    return standard.library_call(body, f"__ROUND_{value.type}", [value], node.span)


def fraction(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """FRAC: what TRUNC takes away, with the sign of the number."""
    values = standard.real_argument(body, "FRAC", node, args, expected)
    if values is None:
        return standard.nothing(node)
    kind = values[0].expr.kind
    x = body.temporary(values[0].expr)
    below = ir.Compare("b1", "lt", x, ir.Const(kind, 0.0))
    up, down = (ir.Intrinsic(kind, name, (x,)) for name in ("ceil", "floor"))
    part = ir.Binary(kind, "sub", x, ir.Select(kind, below, up, down))
    return Value(values[0].type, part, node.span)
