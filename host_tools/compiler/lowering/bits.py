"""Functions of bits: shifts, SWAP, the bits of a float (IEC 61131-3:2013, Table 30)."""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import arguments, expressions
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import position
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import (
    ANY_INT,
    DINT,
    DWORD,
    Elementary,
    Type,
    Unknown,
    base_of,
    is_bits,
    is_integer,
    kind_of,
)


def shift(op: str) -> arguments.Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.evaluate(body, args)
        if values is None:
            return arguments.nothing(node)
        value, count = values
        t = base_of(value.type)
        if t is ANY_INT:
            wants = isinstance(expected, Elementary) and (
                is_bits(expected) or is_integer(expected)
            )
            t = expected if wants and expected is not None else DWORD
            value = expressions.convert(body, value, t)
        if not (is_bits(t) or is_integer(t)):
            return arguments.refuse(body, op.upper(), t, node, "a bit string")
        n = base_of(count.type)
        if n is ANY_INT:
            count = expressions.convert(body, count, DINT)
        elif not (is_integer(n) or is_bits(n)):
            return arguments.refuse(
                body, op.upper(), n, node, "an integer as the number of places"
            )
        if isinstance(value.type, Unknown) or isinstance(count.type, Unknown):
            return arguments.nothing(node)
        if isinstance(count.const, int) and count.const < 0:
            body.reporter.report(
                "E0255",
                f"{op.upper()} by {count.const} places",
                count.span,
                help="the number of places cannot be negative; use the opposite direction",
            )
            return arguments.nothing(node)
        kind = kind_of(t)
        unsigned = "u8" if kind == "b1" else "u" + kind[1:]
        x = value.expr if kind == unsigned else ir.Convert(unsigned, value.expr)
        shifted: ir.Expr = ir.Binary(unsigned, op, x, count.expr, position(node.span))
        if kind == "b1":
            # A BOOL is one bit wide: rotating keeps it, shifting by one or more clears it.
            if op in ("rol", "ror"):
                return value
            zero = ir.Compare("b1", "eq", count.expr, ir.Const(count.expr.kind, 0))
            return Value(t, ir.Binary("b1", "and", value.expr, zero), node.span)
        if kind != unsigned:
            shifted = ir.Convert(kind, shifted)
        return Value(t, shifted, node.span)

    return handler


def swap(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    values = arguments.evaluate(body, args)
    if values is None:
        return arguments.nothing(node)
    t = base_of(values[0].type)
    if not (isinstance(t, Elementary) and t.group in ("bit", "uint") and t.kind != "u8"):
        return arguments.refuse(body, "SWAP", t, node, "WORD, DWORD or LWORD")
    return Value(t, ir.Intrinsic(t.kind, "swap", (values[0].expr,)), node.span)


def bits_of(source: Elementary, target: Elementary) -> arguments.Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.evaluate(body, args, source)
        if values is None:
            return arguments.nothing(node)
        value = expressions.convert(body, values[0], source)
        return Value(target, ir.Bits(target.kind, value.expr), node.span)

    return handler
