"""Lowers calls: finds what is called, and calls functions, methods and instances."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import foreign, ir, tree
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.compiler.lowering import (
    actions,
    block_calls,
    control,
    expressions,
    members,
    methods,
    parameters,
    passing,
    places,
    storage,
)
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ArrayType,
    FbType,
    InterfaceType,
    Type,
    Unknown,
    base_of,
    is_aggregate,
    is_integer,
    kind_of,
)
from host_tools.record import replace


def call(
    body: Body, node: tree.Call, expected: Type | None = None, wants_value: bool = False
) -> Value | None:
    """Lower a call; None where it has no value or was reported. `wants_value`: to have none is a
    mistake."""
    from host_tools.compiler.lowering import standard, testing

    callee = node.callee
    if isinstance(callee, tree.Member):
        callee = places.qualified(body, callee)
        if callee is not node.callee:
            node = replace(node, callee=callee)
    if isinstance(callee, tree.Name):
        action = actions.find_action(body.pou, callee.name)
        if action is not None:
            if wants_value:
                no_value(body, node, "an action gives nothing back;")
            elif actions.without_arguments(body, node, action):
                actions.call_own(body, action, node.span)
            return None
        symbol = body.lookup(callee.name, callee.span)
        if symbol is None or symbol.section == "RESULT":
            if methods.own_member(body, fold(callee.name)) is not None:
                return methods.call_own(body, node, callee.name, wants_value)
            plain = not wants_value and not node.arguments
            if plain and actions.call_around(body, callee.name, node.span):
                return None
            if fold(callee.name) in methods.BUILTINS and not body.constants_only:
                return methods.builtin(body, node, fold(callee.name))
            if methods.self_word(callee):
                where = methods.self_place(body, fold(callee.name), callee.span)
                _instance(body, node, where, wants_value)
                return None
            full = body.declarations.naming.full(callee.name, callee.span)
            own = full in body.declarations.pous
            if not own or callee.span.source.library:
                if control.has_control(node) and standard.is_standard(callee.name):
                    return control.controlled(
                        body,
                        node,
                        (),
                        expected,
                        lambda n: standard.call(body, n, callee.name, expected),
                    )
                made = standard.call(body, node, callee.name, expected)
                if made is not None:
                    return made
            pou = body.declarations.find_pou(callee.name, callee.span)
            if pou is not None and pou.kind == "FUNCTION":
                if wants_value and pou.result is None and not body.constants_only:
                    no_value(body, node, "give the FUNCTION a result type, or")
                    return None
                if control.has_control(node):
                    known = [fold(p.name) for p in parameters.parameters_of(body, pou)]
                    return control.controlled(
                        body, node, known, expected, lambda n: _function(body, n, pou)
                    )
                return _function(body, node, pou)
            if pou is not None:
                _not_callable(body, callee, pou)
                return None
            if testing.is_for_tests(body, node, callee):
                return None
            if fold(callee.name) in body.unknown:
                return None
            body.unknown.add(fold(callee.name))
            known = body.declarations.pou_names() + standard.names() + body.names()
            body.reporter.report(
                "E0207",
                f"there is no function '{callee.name}'",
                callee.span,
                label="not found",
                help=foreign.function_advice(callee.name)
                or did_you_mean(callee.name, known)
                or "declare the function, or an instance of a function block, of this name",
            )
            return None
    if isinstance(callee, tree.Member) and not callee.name[:1].isdigit():
        base = members.member_base(body, callee, False)
        if base is None:
            return None
        found = actions.of_place(storage.opened(body, base), callee.name)
        if found is not None:
            if wants_value:
                no_value(body, node, "an action gives nothing back;")
            elif actions.without_arguments(body, node, found[1]):
                actions.call_of(body, *found, node.span)
            return None
        is_method, made = methods.call_member(body, node, base, wants_value)
        if is_method:
            return made
        where = members.member_of(body, base, callee, False)
        if where is not None and where.prop is not None:
            where = places.place(body, callee)
    else:
        where = places.place(body, callee)
    _instance(body, node, where, wants_value)
    return None


def _instance(body: Body, node: tree.Call, where: Place | None, wants_value: bool) -> None:
    """Call an instance of a function block."""
    callee = node.callee
    if where is None:
        return
    where = storage.opened(body, where)
    if isinstance(where.type, FbType) and where.type.pou.is_class:
        _no_body(body, node, where.type)
        return
    if isinstance(where.type, InterfaceType):
        _no_body(body, node, where.type)
        return
    if not isinstance(where.type, FbType):
        if not isinstance(where.type, Unknown):
            many = isinstance(where.type, ArrayType) and isinstance(where.type.element, FbType)
            body.reporter.report(
                "E0244",
                f"{where.type} cannot be called",
                callee.span,
                help=f"call one of its elements: {callee.span.text}[…](…)"
                if many
                else f"an element of an array is written {callee.span.text}[…]"
                if isinstance(where.type, ArrayType)
                else "only functions and function block instances can",
            )
        return
    if wants_value:
        no_value(body, node, "read the outputs of the block, and")
        return
    instance, block = storage.frozen(body, where), where.type
    if control.has_control(node):
        known = list(block.fields)
        control.controlled(
            body, node, known, None, lambda n: block_calls.call_block(body, n, instance, block)
        )
    else:
        block_calls.call_block(body, node, instance, block)


def _no_body(body: Body, node: tree.Call, t: FbType | InterfaceType) -> None:
    names = methods.names_of_members(t)
    body.reporter.report(
        "E0244",
        f"{t} has no statements that a call could run",
        node.callee.span,
        help=f"call a method of it: {node.callee.span.text}.{names[0] if names else '…'}(…)",
    )


def no_value(body: Body, node: tree.Call, help_: str) -> None:
    body.reporter.report(
        "E0244",
        "this call has no value",
        node.span,
        help=f"{help_} call it in a statement of its own",
    )


def _not_callable(body: Body, callee: tree.Name, pou: tree.Pou) -> None:
    if pou.kind == "FUNCTION_BLOCK":
        help_ = f"declare an instance: my_{callee.name.lower()} : {pou.name.name}; and call that"
    else:
        help_ = "programs are started by tasks: PROGRAM name WITH task : Type;"
    body.reporter.report(
        "E0206",
        f"'{callee.name}' is a {pou.kind} and cannot be called by its name",
        callee.span,
        help=help_,
    )


def _function(body: Body, node: tree.Call, pou: tree.Pou) -> Value | None:
    if body.constants_only:
        body.reporter.report(
            "E0210",
            f"a call of {pou.name.name} is not constant",
            node.span,
            help="call it in the body, or write its value as a literal",
        )
        return None
    name = body.function(pou, node.span)
    return invoke(
        body, node, pou, lambda args, result: body.emit(ir.Call(name, args, None, result))
    )


def invoke(
    body: Body,
    node: tree.Call,
    pou: tree.Pou,
    emit: Callable[[tuple[ir.Expr, ...], int | None], None],
) -> Value | None:
    """Evaluate the arguments of a function or method, let `emit` make the call, deliver its
    outputs."""
    params = parameters.parameters_of(body, pou)
    given = parameters.matched(body, node, params, pou.name.name)
    if given is None:
        return None
    steps = []
    outputs: list[tuple[Place, ir.Addr, Type, bool]] = []
    after: list[tuple[Place, ir.Addr]] = []
    for p in params:
        steps.append(
            lambda p=p: passing.argument(body, p, given.get(fold(p.name)), node, outputs, after)
        )
    values = body.in_order(steps)  # type: ignore[arg-type]
    if any(isinstance(v.type, Unknown) for v in values):
        return None
    args = [v.expr for v in values]
    result_type = body.declarations.resolve(pou.result) if pou.result is not None else None
    result_slot: ir.Addr | None = None
    if result_type is not None and is_aggregate(result_type):
        result_slot = body.frame_slot(result_type)
        args.append(ir.AddrOf("u32", result_slot))
    result = None
    if result_type is not None and result_slot is None and not isinstance(result_type, Unknown):
        result = body.new_local("", kind_of(result_type))
    emit(tuple(args), result)
    passing.copy_back(body, after)
    any_integer = pou.name.span.source.library and fold(pou.name.name).startswith("SPLIT_")
    for target, slot, t, negated in outputs:
        value = storage.load(body, Place(t, target.span, slot))
        wanted = base_of(target.type)
        if any_integer and is_integer(wanted):
            value = expressions.retype(value, wanted)  # the outputs are ANY_INT, Table 36
        passing.deliver(body, target, value, negated)
    if result_type is None:
        return None
    if result_slot is not None:
        return Value(result_type, ir.AddrOf("u32", result_slot), node.span, addr=result_slot)
    if result is None:
        return None
    return Value(result_type, ir.Local(kind_of(result_type), result), node.span)
