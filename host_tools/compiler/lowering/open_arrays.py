"""Lowers parameters ARRAY[*] (IEC 61131-3:2013, 6.5.3, Table 15).

Such a parameter is the address of a descriptor: u32 the address of the first element, then an i32
lower and upper bound for each dimension. The caller makes it in its frame; that of a VAR_IN_OUT of
a function block is in the instance. Indices are checked against these bounds.
"""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.lowering import expressions, places, storage
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Bounds, Place, Symbol, Value
from host_tools.compiler.types import (
    DINT,
    ArrayType,
    EnumType,
    OpenArrayType,
    Type,
    Unknown,
    base_of,
    is_integer,
    size_align,
)

_NEEDS_64_BITS = ("u32", "i64", "u64")


def bounds_of(where: Place) -> Bounds:
    """Lower and upper bound of each dimension of an array, as i32."""
    if isinstance(where.type, ArrayType):
        return tuple((ir.Const("i32", a), ir.Const("i32", b)) for a, b in where.type.bounds)
    return where.bounds


def bind(symbol: Symbol, descriptor: ir.Addr) -> None:
    """Give the symbol of a parameter its bounds, which stand behind the address."""
    assert isinstance(symbol.type, OpenArrayType)

    def load(at: int) -> ir.Expr:
        return ir.Load("i32", storage.shifted(descriptor, at))

    symbol.bounds = tuple((load(4 + 8 * i), load(8 + 8 * i)) for i in range(symbol.type.dims))


def enter(body: Body, symbol: Symbol) -> None:
    """At the start of a function: put address and bounds of the parameter into locals."""
    descriptor = ir.Addr("ptr", 0, (), ir.Local("u32", symbol.offset))
    bind(symbol, descriptor)
    address = body.temporary(ir.Load("u32", descriptor))
    assert isinstance(address, ir.Local)
    symbol.storage, symbol.offset = "ref", address.index
    symbol.bounds = tuple((body.temporary(a), body.temporary(b)) for a, b in symbol.bounds)


# --- giving an array -------------------------------------------------------------------------


def argument(
    body: Body,
    node: tree.Expr | None,
    t: OpenArrayType,
    name: str,
    declared_at: Span,
    span: Span,
    *,
    write: bool,
    into: ir.Addr | None = None,
) -> Value:
    """Make the descriptor of the array given for the parameter: in the frame, or at `into`."""
    where = None
    if node is not None and (write or places.is_variable(body, node)):
        where = places.place(body, node, write=write)
    elif node is not None:
        value = expressions.expression(body, node)
        where = Place(value.type, node.span, value.addr) if value.addr is not None else None
        if where is None and not isinstance(value.type, Unknown):
            where = Place(value.type, node.span)
    if node is None:
        body.reporter.report(
            "E0246",
            f"the parameter '{name}' needs a variable",
            span,
            others=[Label(declared_at, "declared here")],
            help=f"write {name} := <an array of {t.element}>",
        )
    if where is None:
        return expressions.unknown(span)
    where = storage.opened(body, where)
    if not fits(where.type, t):
        body.reporter.report(
            "E0247",
            f"'{name}' is {t}, this is {where.type}",
            where.span,
            others=[Label(declared_at, "declared here")],
            help=f"give an array of {t.dims} dimension{'s' * (t.dims != 1)} of {t.element}",
        )
        return expressions.unknown(span)
    slot = into if into is not None else body.frame_slot(t)
    body.emit(ir.Store(slot, ir.AddrOf("u32", storage.address(where))))
    for i, (low, high) in enumerate(bounds_of(where)):
        body.emit(ir.Store(storage.shifted(slot, 4 + 8 * i), low))
        body.emit(ir.Store(storage.shifted(slot, 8 + 8 * i), high))
    return Value(t, ir.AddrOf("u32", slot), span)


def fits(given: Type, t: OpenArrayType) -> bool:
    if isinstance(given, OpenArrayType):
        return given == t
    same = isinstance(given, ArrayType) and given.element == t.element
    return same and isinstance(given, ArrayType) and len(given.bounds) == t.dims


# --- using it --------------------------------------------------------------------------------


def element(body: Body, base: Place, indices: list[tree.Expr], span: Span) -> Place | None:
    """The element at as many indices as there are dimensions, checked."""
    t = base.type
    assert isinstance(t, OpenArrayType)

    def evaluate(node: tree.Expr) -> Callable[[], Value]:
        return lambda: expressions.expression(body, node)

    values = body.in_order([evaluate(n) for n in indices])
    linear: ir.Expr | None = None
    for (low, high), value in zip(base.bounds, values, strict=True):
        index = _checked(body, value, low, high)
        if index is None:
            return None
        offset: ir.Expr = ir.Binary("i32", "sub", index, low)
        if linear is not None:
            linear = ir.Binary("i32", "mul", linear, _length(low, high))
            offset = ir.Binary("i32", "add", linear, offset)
        linear = offset
    assert linear is not None
    addr = storage.address(base)
    terms = (*addr.terms, (linear, size_align(t.element)[0]))
    made = ir.Addr(addr.base, addr.offset, terms, addr.pointer)
    return Place(t.element, span, made, symbol=base.symbol, section=base.section)


def _length(low: ir.Expr, high: ir.Expr) -> ir.Expr:
    if isinstance(low, ir.Const) and isinstance(high, ir.Const):
        return ir.Const("i32", int(high.value) - int(low.value) + 1)
    distance = ir.Binary("i32", "sub", high, low)
    return ir.Binary("i32", "add", distance, ir.Const("i32", 1))


def _checked(body: Body, value: Value, low: ir.Expr, high: ir.Expr) -> ir.Expr | None:
    t = base_of(value.type)
    if isinstance(t, EnumType):
        t = t.base
    if isinstance(t, Unknown):
        return None
    if not is_integer(t):
        body.reporter.report(
            "E0238",
            f"an array index must be an integer, not {t}",
            value.span,
            help="use an integer",
        )
        return None
    value = expressions.settle(body, value)
    kind = "i64" if value.expr.kind in _NEEDS_64_BITS else "i32"

    def widened(e: ir.Expr) -> ir.Expr:
        return e if e.kind == kind else ir.Convert(kind, e)

    index = body.temporary(widened(value.expr))
    below = ir.Compare("b1", "lt", index, widened(low))
    above = ir.Compare("b1", "gt", index, widened(high))
    raise_ = ir.RaiseFault(ir.Fault.INDEX, position(value.span))
    body.emit(ir.If(ir.Binary("b1", "or", below, above), (raise_,)))
    return index if kind == "i32" else body.temporary(ir.Convert("i32", index))


def size_of(where: Place) -> ir.Expr:
    """SIZEOF: what the array takes in bytes."""
    assert isinstance(where.type, OpenArrayType)
    total: ir.Expr = ir.Const("i32", size_align(where.type.element)[0])
    for low, high in where.bounds:
        total = ir.Binary("i32", "mul", total, _length(low, high))
    return ir.Convert("u32", total)


def bound(upper: bool) -> Callable[[Body, tree.Call, list[tree.Expr], Type | None], Value]:
    """LOWER_BOUND(a, n) and UPPER_BOUND(a, n): a bound of dimension n, from 1."""

    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        where = places.place(body, args[0])
        if where is None:
            return expressions.unknown(node.span)
        where = storage.opened(body, where)
        name = "UPPER_BOUND" if upper else "LOWER_BOUND"
        if not isinstance(where.type, ArrayType | OpenArrayType):
            if not isinstance(where.type, Unknown):
                body.reporter.report(
                    "E0236",
                    f"{where.type} is not an array",
                    args[0].span,
                    help=f"{name} takes an array and the number of one of its dimensions",
                )
            return expressions.unknown(node.span)
        values = bounds_of(where)
        number = expressions.settle(body, expressions.expression(body, args[1], DINT))
        if isinstance(number.type, Unknown):
            return number
        if not is_integer(base_of(number.type)):
            expressions.convert(body, number, DINT, f"DIM of {name}")
            return expressions.unknown(node.span)
        if isinstance(number.const, int):
            if not 1 <= number.const <= len(values):
                body.reporter.report(
                    "E0239",
                    f"the array has {len(values)} dimension{'s' * (len(values) != 1)}",
                    number.span,
                    label="there is none of this number",
                    help="dimensions count from 1",
                )
                return expressions.unknown(node.span)
            chosen = values[number.const - 1][upper]
            if isinstance(chosen, ir.Const):
                return expressions.constant_value(DINT, chosen.value, node.span)
            return Value(DINT, chosen, node.span)
        at = position(node.span)
        check = ir.Check(number.expr.kind, number.expr, 1, len(values), ir.Fault.INDEX, at)
        k = body.temporary(check)
        result = values[-1][upper]
        for i in range(len(values) - 1, 0, -1):
            test = ir.Compare("b1", "eq", k, ir.Const(k.kind, i))
            result = ir.Select("i32", test, values[i - 1][upper], result)
        return Value(DINT, result, node.span)

    return handler


def assign(body: Body, where: Place, node: tree.Expr, span: Span) -> bool:
    """`a := b` where one side is ARRAY[*]: lengths must agree when the program runs. False where
    neither is one."""
    if not isinstance(where.type, ArrayType | OpenArrayType):
        return False
    source: Place | None = None
    if places.is_variable(body, node) and not isinstance(node, tree.Deref):
        marks = len(body.block)
        source = places.place(body, node)
        if source is None:
            return True
        source = storage.opened(body, source)
        if OpenArrayType not in (type(where.type), type(source.type)):
            del body.block[marks:]
            return False
    if source is None:
        if not isinstance(where.type, OpenArrayType):
            return False
        value = expressions.expression(body, node)
        source = Place(value.type, node.span, value.addr)
    t = where.type
    if not isinstance(t, OpenArrayType):
        assert isinstance(source.type, OpenArrayType)
        t = source.type
    if isinstance(source.type, Unknown) or isinstance(where.type, Unknown):
        return True
    if not (fits(source.type, t) and fits(where.type, t)):
        body.reporter.report(
            "E0230",
            f"{source.type} does not convert to {where.type} by itself",
            node.span,
            label=f"this is {source.type}",
            help="both need as many dimensions and the same type of elements",
        )
        return True
    _copy(body, where, source, t.element, span)
    return True


def _copy(body: Body, where: Place, source: Place, element_type: Type, span: Span) -> None:
    at = position(span)
    to, from_ = bounds_of(where), bounds_of(source)
    total: ir.Expr = ir.Const("i32", 1)
    different: ir.Expr | None = None
    for (a, b), (c, d) in zip(to, from_, strict=True):
        length = _length(a, b)
        unequal = ir.Compare("b1", "ne", length, _length(c, d))
        different = unequal if different is None else ir.Binary("b1", "or", different, unequal)
        total = ir.Binary("i32", "mul", total, length)
    assert different is not None
    body.emit(ir.If(different, (ir.RaiseFault(ir.Fault.INDEX, at),)))
    count = body.temporary(total)
    target_at = body.temporary(ir.AddrOf("u32", storage.address(where)))
    source_at = body.temporary(ir.AddrOf("u32", storage.address(source)))
    size = size_align(element_type)[0]
    number = body.new_local("", "i32")
    body.emit(ir.SetLocal(number, ir.Const("i32", 0)))
    i = ir.Local("i32", number)
    end = ir.If(ir.Compare("b1", "ge", i, count), (ir.Break(),))
    copy = ir.Copy(
        ir.Addr("ptr", 0, ((i, size),), target_at),
        ir.Addr("ptr", 0, ((i, size),), source_at),
        size,
    )
    step = ir.SetLocal(number, ir.Binary("i32", "add", i, ir.Const("i32", 1)))
    body.emit(ir.Loop((end, copy), (step,), at))
