"""FLOOR, CEIL, ROUND, FRAC, SQR, NORM_X and SCALE_X, common beside the standard's functions.

Where the context wants an integer, FLOOR, CEIL, ROUND and SCALE_X give one, and saturate as
conversions do.
"""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import arguments, expressions, operators
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import (
    ANY_INT,
    LREAL,
    REAL,
    Elementary,
    Type,
    Unknown,
    base_of,
    is_integer,
    is_number,
    kind_of,
)


def _integer(expected: Type | None) -> Type | None:
    t = base_of(expected) if expected is not None else None
    return t if t is not None and is_integer(t) and t is not ANY_INT else None


def whole(name: str) -> Callable[[Body, tree.Call, list[tree.Expr], Type | None], Value]:
    """FLOOR and CEIL."""

    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.real_argument(body, name.upper(), node, args, expected)
        if values is None:
            return arguments.nothing(node)
        kind = values[0].expr.kind
        made = Value(values[0].type, ir.Intrinsic(kind, name, (values[0].expr,)), node.span)
        wanted = _integer(expected)
        return made if wanted is None else expressions.retype(made, wanted)

    return handler


def nearest(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """ROUND: the nearest whole number, half to even."""
    values = arguments.real_argument(body, "ROUND", node, args, expected)
    if values is None:
        return arguments.nothing(node)
    value = Value(values[0].type, values[0].expr, node.span)
    wanted = _integer(expected)
    if wanted is not None:
        return expressions.retype(value, wanted)
    return arguments.library_call(body, f"__ROUND_{value.type}", [value], node.span)


def fraction(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """FRAC: what TRUNC takes away, with the sign of the number."""
    values = arguments.real_argument(body, "FRAC", node, args, expected)
    if values is None:
        return arguments.nothing(node)
    kind = values[0].expr.kind
    x = body.temporary(values[0].expr)
    below = ir.Compare("b1", "lt", x, ir.Const(kind, 0.0))
    up, down = (ir.Intrinsic(kind, name, (x,)) for name in ("ceil", "floor"))
    part = ir.Binary(kind, "sub", x, ir.Select(kind, below, up, down))
    return Value(values[0].type, part, node.span)


def square(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """SQR: x * x."""
    values = arguments.evaluate(body, args, expected)
    if values is None:
        return arguments.nothing(node)
    value = expressions.settle(body, values[0])
    if not is_number(base_of(value.type)):
        return arguments.refuse(body, "SQR", value.type, node, "a number")
    if value.const is None:
        value.expr = body.temporary(value.expr)
    return operators.arithmetic(body, "mul", value, value, node.span, "SQR", expected)


def _line(
    body: Body, name: str, node: tree.Call, args: list[tree.Expr]
) -> tuple[Type, list[ir.Expr]] | None:
    """The arguments as REAL, or as LREAL where one of them is."""
    values = arguments.evaluate(body, args)
    if values is None:
        return None
    t = LREAL if any(v.type is LREAL for v in values) else REAL
    made = []
    for v in values:
        source = base_of(v.type)
        if not is_number(source):
            arguments.refuse(body, name, v.type, node, "numbers")
            return None
        universal = isinstance(source, Elementary) and source.universal
        v = expressions.convert(body, v, t) if universal else expressions.retype(v, t)
        if isinstance(v.type, Unknown):
            return None
        made.append(body.temporary(v.expr))
    return t, made


def _between(kind: str, op: str, a: ir.Expr, b: ir.Expr) -> ir.Expr:
    return ir.Binary(kind, op, a, b)


def normed(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """NORM_X: (VALUE - MIN) / (MAX - MIN), not limited."""
    given = _line(body, "NORM_X", node, args)
    if given is None:
        return arguments.nothing(node)
    t, (low, value, high) = given
    kind = kind_of(t)
    span = _between(kind, "sub", high, low)
    return Value(t, _between(kind, "div", _between(kind, "sub", value, low), span), node.span)


def scaled(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """SCALE_X: MIN + VALUE * (MAX - MIN), not limited."""
    given = _line(body, "SCALE_X", node, args)
    if given is None:
        return arguments.nothing(node)
    t, (low, value, high) = given
    kind = kind_of(t)
    product = _between(kind, "mul", value, _between(kind, "sub", high, low))
    made = Value(t, _between(kind, "add", product, low), node.span)
    wanted = _integer(expected)
    return made if wanted is None else expressions.retype(made, wanted)
