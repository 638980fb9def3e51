"""Passes arguments to functions and blocks, by value or by reference, and delivers outputs."""

from __future__ import annotations

from host_tools.compiler import constant_values, ir, tree
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.lowering import (
    expressions,
    open_arrays,
    parameters,
    places,
    pointers,
    storage,
)
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.types import (
    BOOL,
    LINT,
    FbType,
    InterfaceType,
    OpenArrayType,
    RefType,
    StringType,
    Type,
    Unknown,
    base_of,
    derives,
    is_aggregate,
    is_integer,
    same,
)


def argument(
    body: Body,
    p: parameters.Parameter,
    given: tree.Argument | None,
    node: tree.Call,
    outputs: list[tuple[Place, ir.Addr, Type, bool]],
    after: list[tuple[Place, ir.Addr]],
) -> Value:
    span = given.span if given is not None else node.span
    if isinstance(p.type, OpenArrayType):
        array = given.value if given is not None else None
        write = p.section != "VAR_INPUT" and not p.constant
        return open_arrays.argument(body, array, p.type, p.name, p.span, span, write=write)
    if p.section == "VAR_OUTPUT":
        slot = body.frame_slot(p.type)
        if given is not None and given.value is not None:
            target = places.place(body, given.value, write=True, properties=True)
            if target is not None:
                outputs.append((storage.frozen(body, target), slot, p.type, given.negated))
        return Value(p.type, ir.AddrOf("u32", slot), span)
    if p.section == "VAR_IN_OUT":
        if given is None or given.value is None:
            no_variable(body, node, p.name, p.type, p.span)
            return expressions.unknown(span)
        return reference_to(body, given.value, p, after)
    if given is None or given.value is None:
        return _default(body, p, span)
    if isinstance(p.type, RefType) and pointers.is_reference(p.type):
        return pointers.argument(body, given.value, p.type, p.name, p.span)
    value = expressions.expression(body, given.value, p.type)
    if p.type is LINT and p.span.source.library and is_integer(base_of(value.type)):
        value = expressions.retype(value, LINT)  # what CONCAT_DATE and the like take is ANY_INT
    value = expressions.convert(body, value, p.type, f"parameter '{p.name}'")
    if isinstance(p.type, StringType) and not isinstance(value.type, Unknown):
        value.expr = as_argument(p.type, value)
    return value


def as_argument(t: Type, value: Value) -> ir.Expr:
    """The expression that passes a value by value: text is cut to its length, an aggregate goes
    by its address."""
    if isinstance(t, StringType):
        return ir.Intrinsic(t.kind, "cut", (value.expr, ir.Const("i32", t.length)))
    if value.addr is not None:
        return ir.AddrOf("u32", value.addr)
    return value.expr


def no_variable(body: Body, node: tree.Call, name: str, t: Type, declared_at: Span) -> None:
    body.reporter.report(
        "E0246",
        f"the VAR_IN_OUT parameter '{name}' needs a variable",
        node.span,
        others=[Label(declared_at, "declared here")],
        help=f"write {name} := <a variable of type {t}>",
    )


def _default(body: Body, p: parameters.Parameter, span: Span) -> Value:
    if is_aggregate(p.type) and p.init is not None and not isinstance(p.type, FbType):
        slot = body.frame_slot(p.type)
        body.initialise(slot, p.type, p.init)
        return Value(p.type, ir.AddrOf("u32", slot), span, addr=slot)
    if is_aggregate(p.type):
        body.reporter.report(
            "E0245",
            f"parameter '{p.name}' is missing",
            span,
            others=[Label(p.span, "declared here")],
            help=f"write {p.name} := <a variable of type {p.type}>",
        )
        return expressions.unknown(span)
    if p.init is not None:
        value = body.declarations.constants.value(p.init, p.type, "a default value")
        return value if value is not None else expressions.unknown(span)
    return expressions.constant_value(p.type, constant_values.default_value(p.type), span)


def reference_to(
    body: Body, node: tree.Expr, p: parameters.Parameter, after: list[tuple[Place, ir.Addr]]
) -> Value:
    """The address of the variable given for a VAR_IN_OUT parameter. What has no address of its own
    (a bit of a word) is copied to the frame, and back in `after`; so are the values that a
    VAR_IN_OUT CONSTANT takes as well."""
    wanted, name = p.type, p.name
    if p.constant and not places.is_variable(body, node):
        value = expressions.convert(body, expressions.expression(body, node, wanted), wanted)
        if isinstance(value.type, Unknown):
            return value
        slot = body.frame_slot(wanted)
        body.initialise(slot, wanted)
        storage.store(body, Place(wanted, node.span, slot), value)
        return Value(wanted, ir.AddrOf("u32", slot), node.span)
    where = places.place(body, node, write=not p.constant)
    if where is None:
        return expressions.unknown(node.span)
    where = storage.opened(body, where)
    strings = isinstance(where.type, StringType) and isinstance(wanted, StringType)
    if isinstance(wanted, InterfaceType) and isinstance(where.type, FbType):
        return _as_interface(body, where, wanted, node)
    is_instance = isinstance(where.type, FbType) and isinstance(wanted, FbType)
    fits = (
        (is_instance and derives(where.type, wanted))
        or same(where.type, wanted)
        or (
            strings and where.type.wide == wanted.wide  # type: ignore[union-attr]
        )
    )
    if not fits:
        body.reporter.report(
            "E0247",
            f"VAR_IN_OUT '{name}' is {wanted}, this variable is {where.type}",
            node.span,
            others=[Label(p.span, "declared here")],
            help="both must have the same type, since the block works on the variable itself",
        )
        return expressions.unknown(node.span)
    if where.overlaid and not storage.has_address(body, where, node.span):
        return expressions.unknown(node.span)
    if where.bit is not None or where.unaligned:
        where = storage.frozen(body, where)
        slot = body.frame_slot(where.type)
        body.emit(ir.Store(slot, storage.load(body, where).expr))
        after.append((where, slot))
        return Value(wanted, ir.AddrOf("u32", slot), node.span)
    return Value(wanted, ir.AddrOf("u32", storage.address(where)), node.span)


def _as_interface(body: Body, where: Place, wanted: InterfaceType, node: tree.Expr) -> Value:
    """An instance for a VAR_IN_OUT that is an interface: a variable of that type refers to it."""
    instance = expressions.convert(body, storage.load(body, where), wanted)
    if isinstance(instance.type, Unknown):
        return instance
    slot = body.frame_slot(wanted)
    body.emit(ir.Store(slot, instance.expr))
    return Value(wanted, ir.AddrOf("u32", slot), node.span)


def copy_back(body: Body, after: list[tuple[Place, ir.Addr]]) -> None:
    """Give the variables that stood in for VAR_IN_OUT parameters their new values."""
    for target, slot in after:
        value = storage.load(body, Place(target.type, target.span, slot))
        storage.store(body, target, value)


def deliver(body: Body, target: Place, value: Value, negated: bool) -> None:
    """`output => target`"""
    if negated:
        value = Value(BOOL, ir.Unary("b1", "not", value.expr), value.span)
    value = expressions.convert(body, value, target.type, "output")
    if not isinstance(value.type, Unknown):
        storage.store(body, target, value)
