"""Loads from places and stores to them: addresses, references, what is not aligned, bits."""

from __future__ import annotations

from host_tools.compiler import ir, relative
from host_tools.compiler.lowering import methods
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Place, PropertyUse, Value
from host_tools.compiler.types import (
    UNKNOWN,
    FbType,
    OpenArrayType,
    RefType,
    StringType,
    Type,
    is_aggregate,
    kind_of,
    size_align,
)


def held(body: Body, value: Value) -> Place:
    """A place that holds a value which was just computed."""
    if value.addr is not None:
        return Place(value.type, value.span, value.addr)
    if isinstance(value.type, StringType):
        slot = body.frame_slot(value.type)
        body.initialise(slot, value.type)
        body.emit(ir.Store(slot, value.expr))
        return Place(value.type, value.span, slot)
    expr = body.temporary(value.expr)
    if isinstance(expr, ir.Local):
        return Place(value.type, value.span, local=expr.index)
    index = body.new_local("", expr.kind)
    body.emit(ir.SetLocal(index, expr))
    return Place(value.type, value.span, local=index)


def bound(body: Body, pointer: ir.Expr, span: Span) -> ir.Expr:
    """The address that a VAR_IN_OUT stands for. A method may be called before the block itself
    has ever been, and then there is none."""
    if body.pou is not None and body.pou.kind == "METHOD":
        return ir.NotNull("u32", pointer, position(span))
    return pointer


def shifted(addr: ir.Addr, by: int) -> ir.Addr:
    return ir.Addr(addr.base, addr.offset + by, addr.terms, addr.pointer)


def opened(body: Body, base: Place) -> Place:
    """REFERENCE TO goes through by itself."""
    if isinstance(base.type, RefType) and base.type.kind == "REFERENCE TO":
        return through(body, base, base.span)
    return base


def has_address(body: Body, where: Place, span: Span) -> bool:
    """Whether a reference to the place is possible; reported where not."""
    if where.bit is not None:
        no_address(body, span)
        return False
    if where.overlaid and relative.holds_bool(where.type):
        not_whole(body, where.type, span)
        return False
    if where.unaligned:
        body.reporter.report(
            "E0248",
            f"{where.type} at an odd place has no address",
            span,
            help="copy it to a variable of its own, use that, and copy it back",
        )
        return False
    return True


def not_whole(body: Body, t: Type, span: Span) -> None:
    code, message, at, help_ = relative.not_whole(span, t)
    body.reporter.report(code, message, at, help=help_)


def no_address(body: Body, span: Span) -> None:
    """A bit that is not a variable of its own cannot be pointed at."""
    body.reporter.report(
        "E0248",
        "a single bit has no address",
        span,
        help="copy it to a BOOL variable, use that, and copy it back",
    )


def through(body: Body, base: Place, span: Span) -> Place:
    """The place a reference refers to; null is a fault."""
    assert isinstance(base.type, RefType)
    stored = Place(RefType(base.type.target), base.span, base.addr, None, base.local, base.symbol)
    pointer = ir.NotNull("u32", load(body, stored).expr, position(span))
    return Place(base.type.target, span, ir.Addr("ptr", 0, (), pointer), dynamic=True)


def address(where: Place) -> ir.Addr:
    """The image address of a place. A local that has none gets one when its POU is lowered for a
    second time; until then any will do."""
    if where.addr is None:
        assert where.symbol is not None
        where.symbol.needs_address = True
        return ir.Addr("frame", 0)
    return where.addr


def load(body: Body, where: Place) -> Value:
    """The value at a place; aggregates are their address."""
    t = where.type
    if where.prop is not None:
        value = methods.get_property(body, where)
        if isinstance(t, RefType) and t.kind == "REFERENCE TO" and value.type == t:
            return load(body, held(body, value))
        return value
    if isinstance(t, RefType) and t.kind == "REFERENCE TO":
        return load(body, through(body, where, where.span))
    if is_aggregate(t) or isinstance(t, OpenArrayType):
        addr = address(where)
        if where.overlaid and relative.holds_bool(t):
            not_whole(body, t, where.span)
            return Value(UNKNOWN, ir.Const("i32", 0), where.span)
        return Value(t, ir.AddrOf("u32", addr), where.span, addr=addr)
    kind = kind_of(t)
    if where.local is not None:
        return Value(t, ir.Local(kind, where.local), where.span)
    assert where.addr is not None
    if where.bit is not None:
        return Value(t, ir.LoadBit("b1", where.addr, where.bit), where.span)
    if where.unaligned:
        return Value(t, _load_bytes(body, where, kind), where.span)
    if where.overlaid and kind == "b1":
        byte = ir.Load("u8", where.addr)
        return Value(t, ir.Compare("b1", "ne", byte, ir.Const("u8", 0)), where.span)
    limit = t.length if isinstance(t, StringType) and not _any_length(where) else 0
    return Value(t, ir.Load(kind, where.addr, limit), where.span)


def _load_bytes(body: Body, where: Place, kind: str) -> ir.Expr:
    """A number that is not aligned, put together from its bytes."""
    addr = frozen(body, where).addr
    assert addr is not None
    size = size_align(where.type)[0]
    plain = f"u{8 * size}"
    made: ir.Expr = ir.Const(plain, 0)
    for i in range(size):
        byte: ir.Expr = ir.Convert(plain, ir.Load("u8", shifted(addr, i)))
        if i:
            byte = ir.Binary(plain, "shl", byte, ir.Const("u8", 8 * i))
        made = byte if not i else ir.Binary(plain, "or", made, byte)
    if kind == plain:
        return made
    return ir.Bits(kind, made) if kind in ("f32", "f64") else ir.Convert(kind, made)


def _store_bytes(body: Body, where: Place, value: ir.Expr) -> None:
    size = size_align(where.type)[0]
    plain = f"u{8 * size}"
    value = body.temporary(value)
    addr = frozen(body, where).addr
    assert addr is not None
    if value.kind in ("f32", "f64"):
        value = body.temporary(ir.Bits(plain, value))
    elif value.kind != plain:
        value = body.temporary(ir.Convert(plain, value))
    for i in range(size):
        part = value if not i else ir.Binary(plain, "shr", value, ir.Const("u8", 8 * i))
        body.emit(ir.Store(shifted(addr, i), ir.Convert("u8", part)))


def _any_length(where: Place) -> bool:
    """A VAR_IN_OUT string may stand for a longer one."""
    symbol = where.symbol
    return symbol is not None and symbol.section == "VAR_IN_OUT" and symbol.type is where.type


def store(body: Body, where: Place, value: Value) -> None:
    """Store a value that already has the type of the place."""
    if where.prop is not None:
        methods.set_property(body, where, value)
        return
    if where.local is not None:
        body.emit(ir.SetLocal(where.local, value.expr))
        return
    assert where.addr is not None
    if is_aggregate(where.type):
        assert value.addr is not None
        size = size_align(where.type)[0]
        to, source = where.addr, value.addr
        if isinstance(where.type, FbType) and where.type.type_id:
            # What it is stays; only what it holds is copied.
            size, to, source = size - 4, shifted(to, 4), shifted(source, 4)
        if size:
            body.emit(ir.Copy(to, source, size))
    elif where.bit is not None:
        body.emit(ir.StoreBit(where.addr, where.bit, value.expr))
    elif where.unaligned:
        _store_bytes(body, where, value.expr)
    else:
        body.emit(ir.Store(where.addr, value.expr))


def frozen(body: Body, where: Place) -> Place:
    """The place with every index and pointer evaluated now, so that later statements do not change
    what it designates."""
    addr = where.addr
    if where.prop is not None and where.prop.receiver is not None:
        use = where.prop
        receiver = frozen(body, where.prop.receiver)
        kept = PropertyUse(receiver, use.getter, use.setter, use.name)
        return Place(where.type, where.span, prop=kept)
    if addr is None or (not addr.terms and addr.pointer is None):
        return where
    if not addr.terms and isinstance(addr.pointer, ir.Local):
        return where
    pointer = body.temporary(ir.AddrOf("u32", addr))
    return Place(
        where.type,
        where.span,
        ir.Addr("ptr", 0, (), pointer),
        where.bit,
        None,
        where.symbol,
        where.section,
        where.dynamic,
        where.is_self,
        None,
        where.bounds,
        where.unaligned,
        where.overlaid,
    )
