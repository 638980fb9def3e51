"""Lowers statements."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable

from host_tools.compiler import ir, tree
from host_tools.compiler.constants import wrap
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.ir import INT_RANGE
from host_tools.compiler.lowering import calls, methods, open_arrays, pointers, testing
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.expressions import (
    constant_value,
    convert,
    direct_type,
    expression,
    is_literal,
    settle,
    unknown,
)
from host_tools.compiler.lowering.places import place
from host_tools.compiler.lowering.storage import frozen, load, opened, store, through
from host_tools.compiler.source import position
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ANY_INT,
    BOOL,
    Elementary,
    EnumType,
    RefType,
    SubrangeType,
    Type,
    Unknown,
    base_of,
    derives,
    is_bits,
    is_integer,
    kind_of,
    same,
)


def statements(body: Body, nodes: Iterable[tree.Statement]) -> None:
    for node in nodes:
        statement(body, node)


def statement(body: Body, node: tree.Statement) -> None:
    body.mark(node.span)
    match node:
        case tree.Assign():
            assign(body, node)
        case tree.CallStatement():
            if not (body.in_test and testing.call(body, node.call)):
                calls.call(body, node.call)
        case tree.If():
            branch(body, node.branches, node.orelse)
        case tree.Case():
            case(body, node)
        case tree.For():
            for_loop(body, node)
        case tree.While():
            while_loop(body, node)
        case tree.RepeatUntil():
            repeat_loop(body, node)
        case tree.Exit() | tree.Continue():
            leave = isinstance(node, tree.Exit)
            if not body.loops:
                body.reporter.report(
                    "E0260",
                    f"{'EXIT' if leave else 'CONTINUE'} outside of a loop",
                    node.span,
                    help="to leave a POU early, write RETURN",
                )
            body.emit(ir.Break() if leave else ir.Continue())
        case tree.Return():
            body.make_return()
        case tree.Cover() | tree.Mock() | tree.MockFunction():
            testing.statement(body, node)


# --- assignment ------------------------------------------------------------------------------


PLACES = (tree.Name, tree.Direct, tree.Member, tree.Index, tree.Deref)


def assign(body: Body, node: tree.Assign) -> None:
    if node.op in ("S=", "R="):
        _latch(body, node)
        return
    if node.more:
        _chain(body, node)
        return
    if not isinstance(node.target, PLACES):
        expression(body, node.value)  # the parser has reported the target
        return
    where = place(body, node.target, write=True, properties=node.op == ":=")
    if node.op == "REF=":
        _bind_reference(body, node, where)
        return
    if node.op == "?=":
        _attempt(body, node, where)
        return
    if where is None:
        expression(body, node.value)
        return
    if isinstance(where.type, RefType) and where.type.kind == "REFERENCE TO":
        where = through(body, where, where.span)
    if isinstance(node.value, (*PLACES, tree.Call)) and open_arrays.assign(
        body, where, node.value, node.span
    ):
        return
    before = len(body.block)
    value = expression(body, node.value, where.type)
    if len(body.block) > before:
        later = body.block[before:]
        del body.block[before:]
        where = frozen(body, where)
        body.block.extend(later)
    if isinstance(node.target, tree.Direct):
        where.type = direct_type(node.target, where.type, value.type)
    if value.temporary is not None and not pointers.check_outlives(body, where, value):
        return
    value = convert(body, value, where.type)
    if not isinstance(value.type, Unknown):
        store(body, where, value)


def _attempt(body: Body, node: tree.Assign, where: Place | None) -> None:
    value = expression(body, node.value)
    if where is None:
        return
    where = frozen(body, where)
    found = methods.attempt(body, where, value, node.span)
    if found is not None:
        store(body, where, Value(where.type, found, node.span))


def _chain(body: Body, node: tree.Assign) -> None:
    """`a := b := c`: the value goes into b, and then what b took goes into a."""
    targets = []
    for one in (node.target, *node.more):
        where = place(body, one, write=True, properties=True) if isinstance(one, PLACES) else None
        if where is not None and isinstance(where.type, RefType):
            where = opened(body, where)
        targets.append(where if where is None else frozen(body, where))
    last = targets[-1]
    value = expression(body, node.value, last.type if last is not None else None)
    if value.addr is None and value.const is None and not isinstance(value.type, Unknown):
        value.expr = body.temporary(value.expr)
    for where in reversed(targets):
        if where is None:
            continue
        made = convert(body, value, where.type)
        if isinstance(made.type, Unknown):
            return
        store(body, where, made)
        if not is_literal(value):
            value = made
            if value.addr is None and value.const is None:
                value.expr = body.temporary(value.expr)


def _latch(body: Body, node: tree.Assign) -> None:
    """`x S= y`: set where y is TRUE; `x R= y`: reset where y is TRUE."""
    if not isinstance(node.target, PLACES):
        return
    where = place(body, node.target, write=True, properties=True)
    value = convert(body, expression(body, node.value, BOOL), BOOL)
    if where is None or isinstance(value.type, Unknown):
        return
    if base_of(where.type) is not BOOL:
        body.reporter.report(
            "E0250",
            f"'{node.op}' does not go with {where.type}",
            node.target.span,
            help="it sets and resets BOOL variables",
        )
        return
    with body.nested() as then:
        store(body, where, constant_value(BOOL, 1 if node.op == "S=" else 0, node.span))
    body.emit(ir.If(value.expr, tuple(then)))


def _bind_reference(body: Body, node: tree.Assign, where: Place | None) -> None:
    """`r REF= x`: r refers to x."""
    if where is None:
        return
    if not isinstance(where.type, RefType):
        body.reporter.report(
            "E0243",
            f"{where.type} is not a reference",
            node.target.span,
            label="REF= binds one",
            help="to copy a value write ':='",
        )
        return
    zero = isinstance(node.value, tree.Literal) and node.value.value == 0
    if pointers.is_null(node.value) or zero:
        value = constant_value(where.type, 0, node.value.span)
    elif isinstance(node.value, tree.Call):
        called = calls.call(body, node.value, where.type, wants_value=True)
        value = called if called is not None else unknown(node.value.span)
    else:
        value = pointers.reference_to(body, node.value, where.type.kind, node.value.span)
    if isinstance(value.type, Unknown):
        return
    if not isinstance(value.type, RefType) or not (
        same(value.type.target, where.type.target) or derives(value.type.target, where.type.target)
    ):
        found = value.type.target if isinstance(value.type, RefType) else value.type
        body.reporter.report(
            "E0247",
            f"this is {found}, not what {where.type} refers to",
            node.value.span,
            help="both must have the same type",
        )
        return
    if pointers.check_outlives(body, where, value):
        store(body, where, Value(where.type, value.expr, value.span))


# --- IF and CASE -----------------------------------------------------------------------------


def condition(body: Body, node: tree.Expr, what: str) -> Value:
    value = convert(body, expression(body, node, BOOL), BOOL, what)
    if isinstance(value.type, Unknown):
        value = Value(BOOL, ir.Const("b1", 0), node.span)
    return value


def branch(
    body: Body, branches: tuple[tree.Branch, ...], orelse: tuple[tree.Statement, ...] | None
) -> None:
    """IF … ELSIF … ELSE: the conditions of later branches are evaluated only when needed."""
    pending: list[tuple[list[ir.Stmt], ir.Expr, tuple[ir.Stmt, ...]]] = []
    outer = body.block
    for one in branches:
        test = condition(body, one.condition, "condition of IF")
        with body.nested() as then:
            statements(body, one.body)
        pending.append((body.block, test.expr, tuple(then)))
        body.block = []
    if orelse is not None:
        statements(body, orelse)
    rest = tuple(body.block)
    for block, test_expr, then_block in reversed(pending):
        block.append(ir.If(test_expr, then_block, rest))
        rest = tuple(block)
    body.block = outer
    body.forget_mark()


def case(body: Body, node: tree.Case) -> None:
    selector = settle(body, expression(body, node.selector))
    t = base_of(selector.type)
    if not (isinstance(t, EnumType | Unknown) or is_integer(t) or (is_bits(t) and t is not BOOL)):
        body.reporter.report(
            "E0261",
            f"CASE needs an integer or an enumeration, not {t}",
            node.selector.span,
            help="use IF and ELSIF",
        )
        t = Unknown()
    value = body.temporary(selector.expr)
    taken: list[tuple[int, int, tree.CaseLabel]] = []
    made: list[tuple[tuple[tuple[int, int], ...], tuple[ir.Stmt, ...]]] = []
    for one in node.branches:
        ranges = [r for label in one.labels if (r := _label(body, label, t, taken)) is not None]
        with body.nested() as inside:
            statements(body, one.body)
        made.append((tuple(ranges), tuple(inside)))
    with body.nested() as rest:
        if node.orelse is not None:
            statements(body, node.orelse)
    body.emit(ir.Switch(value, tuple(made), tuple(rest)))
    if body.harness is not None and isinstance(t, EnumType):
        testing.complete(body, node, t, [(low, high) for low, high, _ in taken])


def _label(
    body: Body, label: tree.CaseLabel, t: Type, taken: list[tuple[int, int, tree.CaseLabel]]
) -> tuple[int, int] | None:
    """The values of a label; `taken` are those of the labels before it, in ascending order."""
    if isinstance(t, Unknown):
        return None
    bounds: list[int] = []
    for node in (label.low, label.high):
        if node is None:
            continue
        value = convert(body, _constant_label(body, node, t), t)
        if isinstance(value.type, Unknown):
            return None
        if not isinstance(value.const, int):
            body.reporter.report(
                "E0210",
                "a CASE label must be constant",
                node.span,
                label="this is only known when the program runs",
                help="use literals and variables declared CONSTANT",
            )
            return None
        bounds.append(value.const)
    low, high = bounds[0], bounds[-1]
    if high < low:
        body.reporter.report(
            "E0262", f"the range {low}..{high} is empty", label.span, help=f"write {high}..{low}"
        )
        return None
    at = bisect_right(taken, low, key=lambda r: r[0])
    before = taken[at - 1] if at and taken[at - 1][1] >= low else None
    other = before or (taken[at] if at < len(taken) and taken[at][0] <= high else None)
    if other is not None:
        covered = other[0] <= low and high <= other[1]
        body.reporter.report(
            "E0263",
            f"{label.span.text} is already handled"
            if covered
            else f"a part of {label.span.text} is already handled",
            label.span,
            label="never reached" if covered else "",
            others=[Label(other[2].span, "by this label")],
            help="remove it, or narrow the ranges",
        )
        return None
    taken.insert(at, (low, high, label))
    return low, high


def _constant_label(body: Body, node: tree.Expr, t: Type) -> Value:
    """A label may use the constants of the POU; statements it would need are thrown away."""
    with body.nested():
        return expression(body, node, t)


# --- loops -----------------------------------------------------------------------------------


def while_loop(body: Body, node: tree.While) -> None:
    with body.nested() as inside:
        test = condition(body, node.condition, "condition of WHILE")
        body.emit(ir.If(inverse(test.expr), (ir.Break(),)))
        body.loops += 1
        statements(body, node.body)
        body.loops -= 1
    body.emit(ir.Loop(tuple(inside), (), position(node.span)))


def inverse(test: ir.Expr) -> ir.Expr:
    if isinstance(test, ir.Const):
        return ir.Const("b1", 1 - int(test.value))
    if isinstance(test, ir.Unary) and test.op == "not":
        return test.x
    return ir.Unary("b1", "not", test)


def repeat_loop(body: Body, node: tree.RepeatUntil) -> None:
    with body.nested() as inside:
        body.loops += 1
        statements(body, node.body)
        body.loops -= 1
    with body.nested() as step:
        test = condition(body, node.condition, "condition of UNTIL")
        body.emit(ir.If(test.expr, (ir.Break(),)))
    body.emit(ir.Loop(tuple(inside), tuple(step), position(node.span)))


def for_loop(body: Body, node: tree.For) -> None:
    """Start, stop and step are evaluated once. After the last pass the variable stands one step
    beyond it (wrapped at the end of its type; a subrange is never left), and the loop ends."""
    if not node.variable.name:
        return  # the parser found no variable and said so
    where = place(body, tree.Name(node.variable.span, node.variable.name), write=True)
    if where is None:
        _only_check(body, node)
        return
    where = opened(body, where)
    t = base_of(where.type)
    if not is_integer(t) or where.bit is not None:
        body.reporter.report(
            "E0264",
            f"FOR counts integers, '{node.variable.name}' is {where.type}",
            node.variable.span,
            help="declare it as INT or DINT",
        )
        _only_check(body, node)
        return
    assert isinstance(t, Elementary)

    def evaluate(bound: tree.Expr) -> Callable[[], Value]:
        return lambda: convert(body, expression(body, bound, t), t)

    bounds = [evaluate(node.start), evaluate(node.stop)]
    by = [] if node.step is None else [lambda by=node.step: _step_of_for(body, by, t)]
    values = body.in_order([*bounds, *by])
    if any(isinstance(v.type, Unknown) for v in values):
        _only_check(body, node)
        return
    step = values[2] if node.step is not None else constant_value(t, 1, node.span)
    if step.const == 0:
        body.reporter.report(
            "E0265", "FOR with step 0 never ends", step.span, help="use BY 1 or BY -1"
        )
        _only_check(body, node)
        return
    _counted(body, node, where, t, values[0], values[1], step)


def _step_of_for(body: Body, node: tree.Expr, t: Elementary) -> Value:
    """The value behind BY. An unsigned variable can count down by a literal, too: the value's
    `const` is negative, its expression wraps."""
    value = expression(body, node, t)
    low, high = INT_RANGE[t.kind]
    if value.type is ANY_INT and isinstance(value.const, int) and -high <= value.const < low:
        return Value(t, ir.Const(t.kind, wrap(value.const, t.kind)), value.span, value.const)
    return convert(body, value, t)


def _only_check(body: Body, node: tree.For) -> None:
    """The head of the loop is wrong; what is inside may be so as well."""
    with body.nested():
        body.loops += 1
        statements(body, node.body)
        body.loops -= 1


def _counted(
    body: Body, node: tree.For, where: Place, t: Elementary, start: Value, stop: Value, step: Value
) -> None:
    kind = t.kind
    where = frozen(body, where)
    if stop.const is None or step.const is None:
        start.expr = body.temporary(start.expr)
    stop_expr = body.temporary(stop.expr)
    step_expr = body.temporary(step.expr)
    pos = position(node.span)
    zero = ir.Const(kind, 0)
    if step.const is None:
        none = ir.Compare("b1", "eq", step_expr, zero)
        body.emit(ir.If(none, (ir.RaiseFault(ir.Fault.STEP, pos),)))
    if isinstance(where.type, SubrangeType):
        start = convert(body, Value(t, start.expr, start.span, start.const), where.type)
        if isinstance(start.type, Unknown):
            return
    store(body, where, start)
    current = load(body, where).expr
    if isinstance(step.const, int):
        op = "gt" if step.const > 0 else "lt"
        beyond: ir.Expr = ir.Compare("b1", op, current, stop_expr)
    else:
        up = ir.Compare("b1", "gt", current, stop_expr)
        down = ir.Compare("b1", "lt", current, stop_expr)
        beyond = ir.Select("b1", ir.Compare("b1", "gt", step_expr, zero), up, down)
    with body.nested() as inside:
        body.emit(ir.If(beyond, (ir.Break(),)))
        body.loops += 1
        body.loop_variables.append(fold(node.variable.name))
        statements(body, node.body)
        body.loop_variables.pop()
        body.loops -= 1
    next_ = Value(t, ir.Binary(kind, "add", current, step_expr), node.span)
    with body.nested() as steps:
        if _cannot_pass_the_end(stop, step, where.type):
            store(body, where, next_)
        else:
            last = body.temporary(_last_pass(kind, current, stop_expr, step_expr, step))
            if isinstance(where.type, SubrangeType):
                _leave_subrange(body, where, next_, last)
            else:
                store(body, where, next_)
                body.emit(ir.If(last, (ir.Break(),)))
    body.emit(ir.Loop(tuple(inside), tuple(steps), pos))


def _leave_subrange(body: Body, where: Place, next_: Value, last: ir.Expr) -> None:
    """After the last pass the variable goes one step beyond it only where its type allows that."""
    t = where.type
    assert isinstance(t, SubrangeType)
    kind = next_.expr.kind
    value = body.temporary(next_.expr)
    above = ir.Compare("b1", "ge", value, ir.Const(kind, t.low))
    below = ir.Compare("b1", "le", value, ir.Const(kind, t.high))
    with body.nested() as beyond:
        store(body, where, Value(t, value, next_.span))
    with body.nested() as end:
        body.emit(ir.If(ir.Binary("b1", "and", above, below), tuple(beyond)))
        body.emit(ir.Break())
    body.emit(ir.If(last, tuple(end)))
    store(body, where, convert(body, Value(next_.type, value, next_.span), t))


def _cannot_pass_the_end(stop: Value, step: Value, t: Type) -> bool:
    """Whether stop + step fits the type, so that counting on can never wrap before the test."""
    if not (isinstance(stop.const, int) and isinstance(step.const, int)):
        return False
    low, high = (t.low, t.high) if isinstance(t, SubrangeType) else INT_RANGE[kind_of(t)]
    return low <= stop.const <= high and low <= stop.const + step.const <= high


def _last_pass(
    kind: str, current: ir.Expr, stop: ir.Expr, step_expr: ir.Expr, step: Value
) -> ir.Expr:
    """Whether another step would go beyond the stop, computed without overflow: the distance
    that is left and the step, both as unsigned numbers."""
    unsigned = "u" + kind[1:]

    def as_unsigned(e: ir.Expr) -> ir.Expr:
        return e if kind == unsigned else ir.Convert(unsigned, e)

    left_up = as_unsigned(ir.Binary(kind, "sub", stop, current))
    left_down = as_unsigned(ir.Binary(kind, "sub", current, stop))
    if isinstance(step.const, int):
        size = ir.Const(unsigned, wrap(abs(step.const), unsigned))
        return ir.Compare("b1", "lt", left_up if step.const > 0 else left_down, size)
    negated = as_unsigned(ir.Unary(kind, "neg", step_expr))
    return ir.Select(
        "b1",
        ir.Compare("b1", "gt", step_expr, ir.Const(kind, 0)),
        ir.Compare("b1", "lt", left_up, as_unsigned(step_expr)),
        ir.Compare("b1", "lt", left_down, negated),
    )
