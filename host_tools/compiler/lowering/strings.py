"""Functions of strings: LEN, LEFT, CONCAT, FIND and their like (IEC 61131-3:2013, Table 34)."""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import arguments, expressions
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import (
    ANY_INT,
    DINT,
    INT,
    Elementary,
    StringType,
    Type,
    Unknown,
    base_of,
    is_integer,
)


def string_function(name: str, shape: str) -> arguments.Handler:
    """shape: a letter for each argument, s string, n integer; a final 'i': the result is INT."""
    wanted, gives_int = shape.removesuffix("i"), shape.endswith("i")

    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.evaluate(body, args)
        if values is None:
            return arguments.nothing(node)
        wide: bool | None = None
        length = 0
        for i, (letter, v) in enumerate(zip(wanted, values, strict=False)):
            t = base_of(v.type)
            if letter == "n":
                if t is ANY_INT:
                    v = expressions.convert(body, v, DINT)
                elif not is_integer(t):
                    return arguments.refuse(
                        body, name.upper(), t, node, "integers as lengths and positions"
                    )
                values[i] = v
                continue
            if isinstance(t, Elementary) and t.group == "char":
                v = expressions.convert(body, v, StringType(t.kind == "u16", 1))
                t = v.type
                values[i] = v
            if not isinstance(t, StringType) or (wide is not None and t.wide != wide):
                return arguments.refuse(body, name.upper(), t, node, "strings of one kind")
            wide = t.wide
            length += t.length
        if any(isinstance(v.type, Unknown) for v in values):
            return arguments.nothing(node)
        exprs = tuple(v.expr for v in values)
        if gives_int:
            found: ir.Expr = ir.Intrinsic("i32", name, exprs)
            return Value(INT, ir.Convert("i16", found), node.span)
        t = StringType(bool(wide), min(max(length, 1), 32_767))
        return Value(t, ir.Intrinsic(t.kind, name, exprs), node.span)

    return handler


def concat(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    two = string_function("concat", "ss")
    if len(args) == 2:
        return two(body, node, args, expected)
    values = arguments.evaluate(body, args)
    if values is None:
        return arguments.nothing(node)
    for i, v in enumerate(values):
        one = base_of(v.type)
        if isinstance(one, Elementary) and one.group == "char":
            values[i] = expressions.convert(body, v, StringType(one.kind == "u16", 1))
    result = values[0]
    for v in values[1:]:
        a, b = base_of(result.type), base_of(v.type)
        if not (isinstance(a, StringType) and isinstance(b, StringType) and a.wide == b.wide):
            return arguments.refuse(body, "CONCAT", b, node, "strings of one kind")
        t = StringType(a.wide, min(a.length + b.length, 32_767))
        result = Value(t, ir.Intrinsic(t.kind, "concat", (result.expr, v.expr)), node.span)
    return result
