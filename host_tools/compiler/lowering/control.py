"""EN and ENO: calls that are made only where EN is TRUE (IEC 61131-3:2013, 6.6.1.6, Table 18).

Every call may have both. Where the POU declares them itself they are ordinary parameters; if it
declares both, its body runs only where EN is TRUE. All other calls are guarded where they stand:
without EN nothing of the call happens (no input is stored, no output is copied), its value is the
default value of its type, and ENO says so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from host_tools.compiler import constant_values, ir, tree
from host_tools.compiler.lowering import expressions, places, storage, variables
from host_tools.compiler.lowering.body import Body, scalar_const
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import BOOL, Type, Unknown, base_of, is_aggregate, kind_of

NAMES = ("EN", "ENO")


def has_control(node: tree.Call) -> bool:
    return any(a.name is not None and fold(a.name.name) in NAMES for a in node.arguments)


def controlled(
    body: Body,
    node: tree.Call,
    declared: Collection[str],
    expected: Type | None,
    run: Callable[[tree.Call], Value | None],
) -> Value | None:
    """Lower the call by `run`, without the EN and ENO that are not among the folded names of its
    `declared` parameters, where EN is TRUE."""
    found: dict[str, tree.Argument] = {}
    rest: list[tree.Argument] = []
    for a in node.arguments:
        key = fold(a.name.name) if a.name is not None else ""
        if key not in NAMES or key in declared:
            rest.append(a)
        elif key in found:
            body.reporter.report(
                "E0249",
                f"'{key}' is given twice",
                a.span,
                help="remove one of them",
            )
        elif a.output != (key == "ENO"):
            body.reporter.report(
                "E0253",
                f"'{key}' is {'VAR_OUTPUT' if key == 'ENO' else 'VAR_INPUT'}",
                a.span,
                help=f"write {key} => …" if key == "ENO" else "write EN := …",
            )
        else:
            found[key] = a
    if len(rest) == len(node.arguments):
        return run(node)
    call = tree.Call(node.span, node.callee, tuple(rest))
    test = _test(body, found.get("EN"))
    target = _target(body, found.get("ENO"))
    if test is None:
        value = run(call)
        if value is not None and value.const is None and not isinstance(value.type, Unknown):
            value = _kept(body, value, expected, node.span, None, [])
    else:
        with body.nested() as then:
            value = run(call)
        if value is None or isinstance(value.type, Unknown):
            body.emit(ir.If(test, tuple(then)))
        else:
            value = _kept(body, value, expected, node.span, test, then)
    if target is not None:
        negated = found["ENO"].negated
        done = test if test is not None else ir.Const("b1", 1)
        result = ir.Unary("b1", "not", done) if negated else done
        made = expressions.convert(body, Value(BOOL, result, node.span), target.type, "ENO")
        if not isinstance(made.type, Unknown):
            storage.store(body, target, made)
    return value


def _test(body: Body, given: tree.Argument | None) -> ir.Expr | None:
    if given is None or given.value is None:
        return None
    value = expressions.expression(body, given.value, BOOL)
    value = expressions.convert(body, value, BOOL, "EN")
    if isinstance(value.type, Unknown):
        return ir.Const("b1", 1)
    return body.temporary(value.expr)


def _target(body: Body, given: tree.Argument | None) -> Place | None:
    if given is None or given.value is None:
        return None
    where = places.place(body, given.value, write=True)
    return storage.frozen(body, where) if where is not None else None


def _kept(
    body: Body,
    value: Value,
    expected: Type | None,
    span: Span,
    test: ir.Expr | None,
    then: list[ir.Stmt],
) -> Value:
    """The value of the call, put where it stays; the default of its type where `test` is FALSE."""
    if is_aggregate(value.type):
        assert value.addr is not None
        if test is None:
            return value
        slot = body.frame_slot(value.type)
        body.initialise(slot, value.type)
        then.append(body.copy(slot, value))
        body.emit(ir.If(test, tuple(then)))
        return Value(value.type, ir.AddrOf("u32", slot), span, addr=slot)
    if expected is not None and value.type != expected:
        literal = expressions.is_literal(value)
        value = expressions.convert(body, value, expected) if literal else value
    value = expressions.settle(body, value)
    t = base_of(value.type)
    if isinstance(t, Unknown):
        return value
    index = body.new_local("", kind_of(t))
    body.emit(ir.SetLocal(index, scalar_const(t, constant_values.default_value(t))))
    then.append(ir.SetLocal(index, value.expr))
    if test is None:
        body.block.extend(then)
    else:
        body.emit(ir.If(test, tuple(then)))
    return Value(value.type, ir.Local(kind_of(t), index), span)


# --- POUs that declare EN and ENO ------------------------------------------------------------


def enter(body: Body, pou: tree.Pou) -> None:
    """The start of the body of a POU that declares both EN and ENO: it returns at once where EN
    is FALSE, and ENO is TRUE until the body says otherwise."""
    en, eno = body.symbols.get("EN"), body.symbols.get("ENO")
    if en is None or eno is None or en.section != "VAR_INPUT" or eno.section != "VAR_OUTPUT":
        return
    if base_of(en.type) is not BOOL or base_of(eno.type) is not BOOL:
        return
    span = pou.name.span
    test = storage.load(body, variables.symbol_place(body, en, span, False))
    where = variables.symbol_place(body, eno, span, True)
    storage.store(body, where, test)
    with body.nested() as leave:
        body.make_return()
    body.emit(ir.If(ir.Unary("b1", "not", test.expr), tuple(leave)))
