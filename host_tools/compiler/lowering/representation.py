"""How values are represented: byte order and validity (IEC 61131-3:2013, Tables 37 and 39).

The image is little-endian: to and from big-endian exchanges the bytes, the other direction changes
nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import arguments, expressions
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import (
    ANY_INT,
    BOOL,
    REAL,
    Elementary,
    EnumType,
    Type,
    base_of,
    is_real,
    kind_of,
)


def byte_order(
    name: str, swapped: bool
) -> Callable[[Body, tree.Call, list[tree.Expr], Type | None], Value]:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.evaluate(body, args, expected)
        if values is None:
            return arguments.nothing(node)
        value = values[0]
        t = base_of(value.type)
        if t is ANY_INT:
            value = expressions.settle(body, value)
            t = value.type
        if is_real(t):
            wanted = f"the bits; {t}_TO_{'DWORD' if t is REAL else 'LWORD'}(…) gives them"
            return arguments.refuse(body, name, t, node, wanted)
        if not isinstance(t, Elementary | EnumType):
            return arguments.refuse(body, name, t, node, "values of elementary types")
        kind = kind_of(t)
        if not swapped or ir.SIZE[kind] == 1:
            return Value(value.type, value.expr, node.span, value.const)
        unsigned = "u" + kind[1:]
        x = value.expr if kind == unsigned else ir.Convert(unsigned, value.expr)
        made: ir.Expr = ir.Intrinsic(unsigned, "swap", (x,))
        if kind != unsigned:
            made = ir.Convert(kind, made)
        return Value(t, made, node.span)

    return handler


def is_valid(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """FALSE for NaN and the infinities."""
    values = arguments.real_argument(body, "IS_VALID", node, args, None)
    if values is None:
        return arguments.nothing(node)
    kind = values[0].expr.kind
    x = body.temporary(values[0].expr)
    # Only of a finite number the difference with itself is 0.
    difference = ir.Binary(kind, "sub", x, x)
    return Value(BOOL, ir.Compare("b1", "eq", difference, ir.Const(kind, 0.0)), node.span)


def is_valid_bcd(
    body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
) -> Value:
    """Whether each group of four bits is a decimal digit."""
    values = arguments.evaluate(body, args)
    if values is None:
        return arguments.nothing(node)
    value = expressions.settle(body, values[0])
    t = base_of(value.type)
    if not (isinstance(t, Elementary) and t.group == "bit"):
        return arguments.refuse(
            body, "IS_VALID_BCD", t, node, "BYTE, WORD, DWORD or LWORD, for example WORD#16#1234"
        )
    kind = t.kind
    digits = 2 * ir.SIZE[kind]
    x = body.temporary(value.expr)
    # A digit is over 9 where its bit 3 is set together with bit 2 or bit 1.
    either = ir.Binary(kind, "or", _shifted(kind, x, 1), x)
    over = ir.Binary(kind, "and", x, _shifted(kind, either, 1))
    over = ir.Binary(kind, "and", over, ir.Const(kind, int("8" * digits, 16)))
    return Value(BOOL, ir.Compare("b1", "eq", over, ir.Const(kind, 0)), node.span)


def _shifted(kind: str, x: ir.Expr, places: int) -> ir.Expr:
    return ir.Binary(kind, "shl", x, ir.Const("i32", places))
