"""Lowers values of arrays and structures in statements: `p := (x := 1, y := k)`, `a := [1, 2(k)]`.

The value is made in the frame (in the constants of the image where nothing in it changes), so that
it may use what it is assigned to. What is not given has its initial value.
"""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.initial import flatten
from host_tools.compiler.lowering import expressions, storage
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import ArrayType, StructType, Type, Unknown, size_align


def value(body: Body, node: tree.Expr, t: Type | None) -> Value:
    """The value that a list of values has as a `t`."""
    if isinstance(t, Unknown):
        return expressions.unknown(node.span)
    if body.constants_only or not isinstance(t, ArrayType | StructType):
        single = isinstance(node, tree.StructInit) and len(node.fields) == 1
        body.reporter.report(
            "E0221",
            "a list of values stands where one value is needed",
            node.span,
            help="write a single value" if not single else "to compare write '='",
        )
        return expressions.unknown(node.span)
    shape = tree.ArrayInit if isinstance(t, ArrayType) else tree.StructInit
    if not isinstance(node, shape):
        form = "[value, value, …]" if shape is tree.ArrayInit else "(member := value, …)"
        body.reporter.report("E0221", f"this is no value for {t}", node.span, help=f"write {form}")
        return expressions.unknown(node.span)
    if body.statics is not None and _is_constant(body, node):
        at = ir.Addr("static", body.statics(t, node, ""))
        return Value(t, ir.AddrOf("u32", at), node.span, addr=at)
    slot = body.frame_slot(t)
    body.initialise(slot, t)
    _fill(body, Place(t, node.span, slot), node)
    return Value(t, ir.AddrOf("u32", slot), node.span, addr=slot)


def _is_constant(body: Body, node: tree.Expr | None) -> bool:
    match node:
        case tree.ArrayInit(elements=elements):
            return all(_is_constant(body, e) for e in elements)
        case tree.Repeat(values=values):
            return all(_is_constant(body, e) for e in values)
        case tree.StructInit(fields=fields):
            return all(_is_constant(body, f.value) for f in fields)
        case tree.Unary(operand=operand):
            return _is_constant(body, operand)
        case tree.Binary(left=left, right=right):
            return _is_constant(body, left) and _is_constant(body, right)
        case tree.Literal():
            return True
    return False


def _fill(body: Body, where: Place, node: tree.Expr) -> None:
    t = where.type
    if isinstance(node, tree.StructInit) and isinstance(t, StructType):
        _fill_struct(body, where, t, node)
    elif isinstance(node, tree.ArrayInit) and isinstance(t, ArrayType):
        _fill_array(body, where, t, node)
    elif not isinstance(t, Unknown):
        made = expressions.convert(body, expressions.expression(body, node, t), t)
        if not isinstance(made.type, Unknown):
            storage.store(body, where, made)


def _fill_struct(body: Body, where: Place, t: StructType, node: tree.StructInit) -> None:
    given: dict[str, tree.FieldInit] = {}
    for one in node.fields:
        key, name = fold(one.name.name), one.name.name
        member = t.fields.get(key)
        if member is None:
            known = [f.name for f in t.fields.values()]
            body.reporter.report(
                "E0231",
                f"{t} has no member '{name}'",
                one.name.span,
                help=did_you_mean(name, known) or f"it has {', '.join(known[:12])}",
            )
        elif key in given:
            body.reporter.report(
                "E0249",
                f"'{name}' is given twice",
                one.span,
                others=[Label(given[key].span, "first here")],
                help="remove one of them",
            )
        else:
            given[key] = one
            place = Place(
                member.type,
                one.value.span,
                storage.shifted(storage.address(where), member.offset),
                member.bit,
                unaligned=member.unaligned,
            )
            _fill(body, place, one.value)


def _fill_array(body: Body, where: Place, t: ArrayType, node: tree.ArrayInit) -> None:
    step = size_align(t.element)[0]
    values: list[tree.Expr | None] = []
    flatten(body.declarations, node.elements, values, t.count)
    rows = len(t.bounds) > 1 and all(isinstance(v, tree.ArrayInit) for v in values)
    one: Type = ArrayType(t.bounds[1:], t.element, t.init) if rows else t.element
    one_count = one.count if rows and isinstance(one, ArrayType) else 1
    most = t.count // one_count
    if len(values) > most:
        what = "row" if rows else "element"
        body.reporter.report(
            "E0219",
            f"too many values for {t}",
            node.span,
            help=f"it has {most} {what}{'s' * (most != 1)}; remove the surplus",
        )
        return
    repeated: dict[int, Value] = {}
    for i, v in enumerate(values):
        if v is None:
            continue
        at = storage.shifted(storage.address(where), i * one_count * step)
        place = Place(one, v.span, at)
        if isinstance(v, tree.ArrayInit | tree.StructInit):
            _fill(body, place, v)
            continue
        made = repeated.get(id(v))
        if made is None:
            made = expressions.convert(body, expressions.expression(body, v, one), one)
            if made.const is None and made.addr is None and not isinstance(made.type, Unknown):
                made.expr = body.temporary(made.expr)
            repeated[id(v)] = made
        if isinstance(made.type, Unknown):
            return
        storage.store(body, place, made)
