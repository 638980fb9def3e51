"""Selection: SEL, MIN, MAX, LIMIT, MUX (IEC 61131-3:2013, Table 32)."""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.ir_walk import may_fault
from host_tools.compiler.lowering import arguments, expressions
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import position
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import (
    BOOL,
    Elementary,
    Type,
    Unknown,
    base_of,
    is_aggregate,
    is_integer,
    is_string,
    kind_of,
)


def _chosen(t: Type, expr: ir.Expr, node: tree.Call) -> Value:
    """The value that was selected; of structures and arrays, the address was."""
    if is_aggregate(t):
        return Value(t, expr, node.span, addr=ir.Addr("ptr", pointer=expr))
    return Value(t, expr, node.span)


def select(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    steps = [lambda: expressions.expression(body, args[0], BOOL)]
    steps += [lambda a=a: expressions.expression(body, a, expected) for a in args[1:]]  # type: ignore[misc]
    values = body.in_order(steps)
    if any(isinstance(v.type, Unknown) for v in values):
        return arguments.nothing(node)
    test = expressions.convert(body, values[0], BOOL, "G of SEL")
    pair = values[1:]
    t = arguments.together(body, pair, "SEL", node.span, expected)
    if t is None or isinstance(test.type, Unknown):
        return arguments.nothing(node)
    _evaluate_all(body, pair)
    if isinstance(test.const, int):
        return pair[1] if test.const else pair[0]
    return _chosen(t, ir.Select(kind_of(t), test.expr, pair[1].expr, pair[0].expr), node)


def _evaluate_all(body: Body, values: list[Value]) -> None:
    """All inputs of a function are evaluated: let those that could fault not be skipped."""
    for v in values:
        if may_fault(v.expr):
            v.expr = body.temporary(v.expr)


def extreme(name: str) -> arguments.Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = arguments.evaluate(body, args, expected)
        if values is None:
            return arguments.nothing(node)
        t = arguments.together(body, values, name.upper(), node.span, expected)
        if t is None:
            return arguments.nothing(node)
        result = values[0]
        for v in values[1:]:
            result = _two(body, name, t, result, v, node)
        return result

    return handler


def _two(body: Body, name: str, t: Type, a: Value, b: Value, node: tree.Call) -> Value:
    """MIN or MAX of two values of type `t`."""
    if isinstance(a.const, int) and isinstance(b.const, int):
        chosen = min(a.const, b.const) if name == "min" else max(a.const, b.const)
        return expressions.constant_value(t, chosen, node.span)
    if is_string(t):
        x, y = body.temporary(a.expr), body.temporary(b.expr)
        test = ir.Compare("b1", "lt" if name == "min" else "gt", x, y)
        return Value(t, ir.Select(kind_of(t), test, x, y), node.span)
    if not isinstance(t, Elementary):
        return arguments.refuse(body, name.upper(), t, node, "numbers, times or strings")
    if t.group == "bool":
        op = "and" if name == "min" else "or"
        return Value(t, ir.Binary("b1", op, a.expr, b.expr, position(node.span)), node.span)
    return Value(t, ir.Intrinsic(t.kind, name, (a.expr, b.expr)), node.span)


def limit(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    values = arguments.evaluate(body, args, expected)
    if values is None:
        return arguments.nothing(node)
    t = arguments.together(body, values, "LIMIT", node.span, expected)
    if t is None:
        return arguments.nothing(node)
    low, value, high = values
    return _two(body, "min", t, _two(body, "max", t, value, low, node), high, node)


def multiplex(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    steps = [lambda: expressions.expression(body, args[0], None)]
    steps += [lambda a=a: expressions.expression(body, a, expected) for a in args[1:]]  # type: ignore[misc]
    values = body.in_order(steps)
    if any(isinstance(v.type, Unknown) for v in values):
        return arguments.nothing(node)
    selector, choices = expressions.settle(body, values[0]), values[1:]
    if not is_integer(base_of(selector.type)):
        return arguments.refuse(body, "MUX", selector.type, node, "an integer K")
    t = arguments.together(body, choices, "MUX", node.span, expected)
    if t is None:
        return arguments.nothing(node)
    last = len(choices) - 1
    if isinstance(selector.const, int) and 0 <= selector.const <= last:
        _evaluate_all(body, choices)
    if isinstance(selector.const, int):
        if 0 <= selector.const <= last:
            return choices[selector.const]
        body.reporter.report(
            "E0239",
            f"MUX has inputs 0..{last}, not {selector.const}",
            selector.span,
            help="K counts the inputs from 0",
        )
        return arguments.nothing(node)
    kind = selector.expr.kind
    check = ir.Check(kind, selector.expr, 0, last, ir.Fault.INDEX, position(node.span))
    k = body.temporary(check)
    _evaluate_all(body, choices)
    result = choices[last].expr
    for i in range(last - 1, -1, -1):
        test = ir.Compare("b1", "eq", k, ir.Const(kind, i))
        result = ir.Select(kind_of(t), test, choices[i].expr, result)
    return _chosen(t, result, node)
