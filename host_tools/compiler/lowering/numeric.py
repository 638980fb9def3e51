"""Numerical, arithmetic and comparison functions (IEC 61131-3:2013, Tables 28, 29, 31, 33)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.constants import wrap
from host_tools.compiler.lowering import arguments, expressions, operators
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
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

Operation = Callable[[Body, str, Value, Value, Span, str, Type | None], Value]


def absolute(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    values = arguments.evaluate(body, args, expected)
    if values is None:
        return arguments.nothing(node)
    value = values[0]
    if isinstance(value.const, int) and value.type is ANY_INT:
        return expressions.constant_value(ANY_INT, abs(value.const), node.span)
    value = expressions.settle(body, value)
    t = base_of(value.type)
    if not (is_number(t) or (isinstance(t, Elementary) and t.group == "time")):
        return arguments.refuse(body, "ABS", t, node, "a number")
    if isinstance(value.const, int):
        return expressions.constant_value(t, wrap(abs(value.const), kind_of(t)), node.span)
    if isinstance(t, Elementary) and t.group == "uint":
        return value
    return Value(t, ir.Intrinsic(kind_of(t), "abs", (value.expr,)), node.span)


def engine_real(name: str) -> arguments.Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.real_argument(body, name.upper(), node, args, expected)
        if values is None:
            return arguments.nothing(node)
        t = values[0].type
        return Value(t, ir.Intrinsic(kind_of(t), name, (values[0].expr,)), node.span)

    return handler


def library_real(name: str) -> arguments.Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.real_argument(body, name, node, args, expected)
        if values is None:
            return arguments.nothing(node)
        return arguments.library_call(body, f"__{name}_{values[0].type}", values, node.span)

    return handler


def power(body: Body, left: Value, right: Value, span: Span, expected: Type | None) -> Value:
    """`**` and EXPT: ANY_REAL to the power of ANY_NUM."""
    if isinstance(left.type, Unknown) or isinstance(right.type, Unknown):
        return expressions.unknown(span)
    a, b = base_of(left.type), base_of(right.type)
    if not (is_number(a) and is_number(b)):
        body.reporter.report(
            "E0250", f"'**' does not go with {a} and {b}", span, help="it needs numbers"
        )
        return expressions.unknown(span)
    if (
        (
            a is ANY_INT
            and b is ANY_INT
            and isinstance(left.const, int)
            and isinstance(right.const, int)
        )
        and 0 <= right.const <= 64
        and abs(left.const) <= 1 << 32
    ):
        return expressions.constant_value(ANY_INT, left.const**right.const, span)
    t = LREAL if LREAL in (a, b) or (expected is LREAL and REAL not in (a, b)) else REAL
    values = []
    for v in (left, right):
        source = base_of(v.type)
        if isinstance(source, Elementary) and source.universal:
            values.append(expressions.convert(body, v, t))
        elif is_integer(source):
            values.append(expressions.retype(v, t))
        else:
            values.append(expressions.convert(body, v, t))
    return arguments.library_call(body, f"__EXPT_{t}", values, span)


def exponential(
    body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
) -> Value:
    values = arguments.evaluate(body, args, expected)
    if values is None:
        return arguments.nothing(node)
    return power(body, values[0], values[1], node.span, expected)


def repeated(operation: Operation, op: str, symbol: str) -> arguments.Handler:
    """ADD, AND and their like: an operator between all inputs, from the left."""

    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.evaluate(body, args, expected)
        if values is None:
            return arguments.nothing(node)
        result = values[0]
        for v in values[1:]:
            result = operation(body, op, result, v, node.span, symbol, expected)
        return result

    return handler


def compare(op: str, symbol: str) -> arguments.Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.evaluate(body, args)
        if values is None:
            return arguments.nothing(node)
        for v in values:
            if v.const is None:
                v.expr = body.temporary(v.expr)
        result: Value | None = None
        for a, b in itertools.pairwise(values):
            one = operators.compare(body, op, a, b, node.span, symbol)
            if result is None:
                result = one
            else:
                result = operators.logic(body, "and", result, one, node.span, "AND")
        assert result is not None
        return result

    return handler


def move(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    return expressions.expression(body, args[0], expected)
