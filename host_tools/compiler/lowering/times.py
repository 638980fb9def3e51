"""Functions of durations and dates (IEC 61131-3:2013, Tables 35 and 36)."""

from __future__ import annotations

from host_tools.compiler import tree
from host_tools.compiler.lowering import arguments, expressions, operators
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import (
    ANY_INT,
    ELEMENTARY,
    INT,
    TIME,
    Type,
    Unknown,
    base_of,
    is_duration,
    is_integer,
)


def scaled(op: str, symbol: str) -> arguments.Handler:
    """MUL_TIME, DIV_TIME and their like: a duration times or by any number (Table 35)."""

    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.evaluate(body, args)
        if values is None:
            return arguments.nothing(node)
        first = base_of(values[0].type)
        if not is_duration(first):
            return arguments.refuse(
                body, "a time function", first, node, "TIME or LTIME as the first"
            )
        return operators.arithmetic(body, op, values[0], values[1], node.span, symbol, expected)

    return handler


def time(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    return Value(TIME, body.now(), node.span)


def day_of_week(
    body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
) -> Value:
    """0 Sunday … 6 Saturday, in the integer type that the context wants (Table 36, 13)."""
    values = arguments.evaluate(body, args)
    if values is None:
        return arguments.nothing(node)
    day = expressions.convert(body, values[0], ELEMENTARY["LDATE"], "IN of DAY_OF_WEEK")
    if isinstance(day.type, Unknown):
        return arguments.nothing(node)
    made = arguments.library_call(body, "__DAY_OF_WEEK", [day], node.span)
    wanted = base_of(expected) if expected is not None else INT
    if isinstance(made.type, Unknown) or not is_integer(wanted) or wanted is ANY_INT:
        return made
    return expressions.retype(made, wanted)
