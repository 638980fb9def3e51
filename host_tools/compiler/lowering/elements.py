"""Lowers elements of arrays and characters of strings."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import places, storage
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import position
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.types import (
    DINT,
    ELEMENTARY,
    ArrayType,
    EnumType,
    OpenArrayType,
    RefType,
    StringType,
    Type,
    Unknown,
    base_of,
    conversion_name,
    is_integer,
    size_align,
)


def element(body: Body, node: tree.Index, write: bool) -> Place | None:
    base = places.base_place(body, node.base, write)
    if base is None:
        return None
    base = storage.opened(body, base)
    t: Type = base.type
    if isinstance(t, Unknown):
        return None
    pointed = isinstance(t, RefType) and t.kind == "POINTER TO" and len(node.indices) == 1
    if pointed and isinstance(t, RefType) and not isinstance(t.target, ArrayType | Unknown):
        from host_tools.compiler.lowering import pointers

        return pointers.element(body, base, node.indices[0], node.span)
    if isinstance(t, StringType):
        return _character(body, base, t, node)
    if not isinstance(t, ArrayType | OpenArrayType):
        body.reporter.report(
            "E0236",
            f"{t} is not an array",
            node.span,
            label="an index does not go with it",
            help=f"write ^ first: {node.base.span.text}^[…]"
            if isinstance(t, RefType)
            else f"write {node.base.span.text} without an index, or declare it as an ARRAY",
        )
        return None
    addr = storage.address(base)
    indices = list(node.indices)
    while indices and isinstance(t, ArrayType | OpenArrayType):
        dims = t.dims if isinstance(t, OpenArrayType) else len(t.bounds)
        here, indices = indices[:dims], indices[dims:]
        if len(here) < dims:
            body.reporter.report(
                "E0237",
                f"this array has {dims} dimensions, not {len(here)}",
                node.span,
                help="give an index for each dimension: "
                f"{node.base.span.text}[{', '.join('…' for _ in range(dims))}]",
            )
            return None
        if isinstance(t, OpenArrayType):
            from host_tools.compiler.lowering import open_arrays

            found = open_arrays.element(body, base, here, node.span)
            if found is None:
                return None
            addr, t = storage.address(found), t.element
            continue
        made = _index_terms(body, addr, t, here)
        if made is None:
            return None
        addr, t = made, t.element
    if indices:
        body.reporter.report(
            "E0237",
            "there are more indices than dimensions",
            node.span,
            help=f"remove {'one' if len(indices) == 1 else len(indices)}",
        )
        return None
    made_place = Place(t, node.span, addr, symbol=base.symbol, section=base.section)
    made_place.overlaid = base.overlaid
    return made_place


def _index_terms(
    body: Body, addr: ir.Addr, t: ArrayType, indices: list[tree.Expr]
) -> ir.Addr | None:
    from host_tools.compiler.lowering.expressions import expression

    scale = size_align(t.element)[0]
    scales: list[int] = []
    for low, high in reversed(t.bounds):
        scales.append(scale)
        scale *= high - low + 1
    scales.reverse()

    def evaluate(node: tree.Expr) -> Callable[[], Value]:
        return lambda: expression(body, node)

    values = body.in_order([evaluate(n) for n in indices])
    for (low, high), step, value in zip(t.bounds, scales, values, strict=True):
        index_type = base_of(value.type)
        if isinstance(index_type, Unknown):
            return None
        if isinstance(index_type, EnumType):
            index_type = index_type.base
        if not is_integer(index_type):
            name = conversion_name(index_type, DINT)
            body.reporter.report(
                "E0238",
                f"an array index must be an integer, not {index_type}",
                value.span,
                help=f"convert it, for example {name}(…)" if name else "use an integer",
            )
            return None
        if isinstance(value.const, int):
            if not low <= value.const <= high:
                body.reporter.report(
                    "E0239",
                    f"index {value.const} is outside of {low}..{high}",
                    value.span,
                    help=f"indices go from {low} to {high}",
                )
                return None
            addr = storage.shifted(addr, (value.const - low) * step)
            continue
        # A subrange is not sure to be inside either: Modbus and the tools write what they like.
        at = position(value.span)
        index = ir.Check(value.expr.kind, value.expr, low, high, ir.Fault.INDEX, at)
        terms = (*addr.terms, (index, step))
        addr = ir.Addr(addr.base, addr.offset - low * step, terms, addr.pointer)
    return addr


def _character(body: Body, base: Place, t: StringType, node: tree.Index) -> Place | None:
    """`text[i]`: character i of a string, from 1, within its declared length (IEC 6.4.2)."""
    if len(node.indices) != 1:
        body.reporter.report(
            "E0237",
            "a string has one index",
            node.span,
            help="the position of the character, from 1",
        )
        return None
    characters = ArrayType(((1, t.length),), ELEMENTARY["WCHAR" if t.wide else "CHAR"])
    addr = _index_terms(
        body, storage.shifted(storage.address(base), 4), characters, list(node.indices)
    )
    if addr is None:
        return None
    return Place(characters.element, node.span, addr, symbol=base.symbol)
