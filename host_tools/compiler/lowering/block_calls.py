"""Calls instances of function blocks: stores inputs, runs the body, delivers outputs."""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.lowering import (
    expressions,
    methods,
    open_arrays,
    parameters,
    passing,
    places,
    pointers,
    storage,
    variables,
)
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    FbType,
    Field,
    OpenArrayType,
    RefType,
    Unknown,
    base_of,
    is_duration,
)


def call_block(body: Body, node: tree.Call, where: Place, t: FbType) -> Value | None:
    """Inputs are stored into the instance in the order written, the body runs, outputs are copied
    out. Inputs that are not given keep their value. A block has no value."""
    if where.symbol is not None and where.symbol.task:
        body.reporter.report(
            "E0357",
            f"'{where.symbol.name}' is run by task '{where.symbol.task}'",
            node.span,
            others=[Label(where.symbol.span, "declared here")],
            help="assign to its inputs and read its outputs instead of calling it",
        )
        return None
    after: list[tuple[Place, ir.Addr]] = []
    instance = storage.address(where)
    inputs = [f for f in t.fields.values() if f.section in ("VAR_INPUT", "VAR_IN_OUT")]
    outputs: list[tuple[tree.Argument, Field]] = []
    seen: dict[str, tree.Argument] = {}
    position_ = 0
    for a in node.arguments:
        if a.name is None:
            if parameters.meant_assignment(body, a, list(t.fields)):
                return None
            if position_ >= len(inputs):
                body.reporter.report(
                    "E0245",
                    f"{t} has {len(inputs)} input{'s' * (len(inputs) != 1)}",
                    a.span,
                    label="one too many",
                    help="name the parameters: inputs with :=, outputs with =>",
                )
                return None
            field: Field | None = inputs[position_]
            position_ += 1
        else:
            field = t.member(fold(a.name.name))
            if field is not None and field.section not in (
                "VAR_INPUT",
                "VAR_IN_OUT",
                "VAR_OUTPUT",
            ):
                field = None
        if field is None:
            assert a.name is not None
            known = [
                f.name
                for f in t.fields.values()
                if f.section in ("VAR_INPUT", "VAR_IN_OUT", "VAR_OUTPUT")
            ]
            parameters.no_parameter(body, a.name, str(t), known)
            continue
        if a.name is not None and a.output != (field.section == "VAR_OUTPUT"):
            parameters.wrong_arrow(body, a, field.name, field.section)
            continue
        key = fold(field.name)
        if key in seen:
            body.reporter.report(
                "E0249",
                f"'{field.name}' is given twice",
                a.span,
                others=[Label(seen[key].span, "first here")],
                help="remove one of them",
            )
            continue
        seen[key] = a
        if a.output:
            outputs.append((a, field))
        elif a.value is not None:
            _input(body, a.value, field, instance, after)
    for field in inputs:
        # By THIS and SUPER the variables of the call at hand are there already.
        needed = field.section == "VAR_IN_OUT" and not where.is_self
        if needed and not _is_given(seen, field.name):
            passing.no_variable(body, node, field.name, field.type, field.span)
    variables.note_write(body, where, node.span)
    methods.call_body(body, where, t, node, instance)
    passing.copy_back(body, after)
    for a, field in outputs:
        if a.value is None:
            continue
        target = places.place(body, a.value, write=True, properties=True)
        if target is None:
            continue
        source = Place(field.type, a.span, storage.shifted(instance, field.offset))
        passing.deliver(body, target, storage.load(body, source), a.negated)
    return None


def _is_given(given: dict[str, tree.Argument], name: str) -> bool:
    argument = given.get(fold(name))
    return argument is not None and argument.value is not None


def _input(
    body: Body,
    node: tree.Expr,
    field: Field,
    instance: ir.Addr,
    after: list[tuple[Place, ir.Addr]],
) -> None:
    slot = Place(field.type, node.span, storage.shifted(instance, field.offset))
    if isinstance(field.type, OpenArrayType):
        open_arrays.argument(
            body,
            node,
            field.type,
            field.name,
            field.span,
            node.span,
            write=not field.constant,
            into=slot.addr,
        )
        return
    if field.section == "VAR_IN_OUT":
        wanted = parameters.Parameter(
            field.name, field.type, field.section, None, field.span, field.constant
        )
        value = passing.reference_to(body, node, wanted, after)
        if not isinstance(value.type, Unknown):
            assert slot.addr is not None
            body.emit(ir.Store(slot.addr, value.expr))
        return
    if isinstance(field.type, RefType) and pointers.is_reference(field.type):
        value = pointers.argument(body, node, field.type, field.name, field.span)
        if not isinstance(value.type, Unknown):
            storage.store(body, slot, value)
        return
    value = expressions.expression(body, node, field.type)
    if field.name == "PT" and field.span.source.library and is_duration(base_of(value.type)):
        value = expressions.retype(value, field.type)  # TP, TON and TOF take LTIME too, Table 46
    value = expressions.convert(body, value, field.type, f"input '{field.name}'")
    if not isinstance(value.type, Unknown):
        storage.store(body, slot, value)
