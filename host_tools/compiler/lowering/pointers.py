"""Lowers references: what they are bound to, and the arithmetic of POINTER TO.

REF_TO, POINTER TO and REFERENCE TO are image addresses; null is 0. POINTER TO counts bytes, as
CODESYS has it: `p + 4`, `p - q`, and `p[i]` for the i-th value behind p. What is computed so must
lie in the image and be aligned for its type, else the fault is INDEX.
"""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.lowering import expressions, places, storage
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    DINT,
    ELEMENTARY,
    RefType,
    Type,
    Unknown,
    base_of,
    is_integer,
    same,
    size_align,
)

BYTES = ("BYTE", "USINT", "SINT", "CHAR")
"""POINTER TO one of these takes the address of anything."""


def is_pointer(t: Type) -> bool:
    return isinstance(t, RefType) and t.kind == "POINTER TO"


def is_reference(t: Type) -> bool:
    """REFERENCE TO, which is gone through by itself."""
    return isinstance(t, RefType) and t.kind == "REFERENCE TO"


def is_byte_pointer(t: Type) -> bool:
    return isinstance(t, RefType) and t.target in [ELEMENTARY[n] for n in BYTES]


def stored(body: Body, where: Place) -> ir.Expr:
    """The address that the reference at `where` holds."""
    assert isinstance(where.type, RefType)
    plain = Place(RefType(where.type.target), where.span, where.addr, None, where.local)
    return storage.load(body, plain).expr


# --- binding ---------------------------------------------------------------------------------


def reference_to(body: Body, node: tree.Expr, kind: str, span: Span) -> Value:
    """REF(x), ADR(x) and what `REF=` binds to; of a REFERENCE TO, what that refers to."""
    where = places.place(body, node, write=True)
    if where is None:
        return expressions.unknown(node.span)
    if isinstance(where.type, RefType) and is_reference(where.type):
        return Value(RefType(where.type.target, kind), stored(body, where), span)
    if not storage.has_address(body, where, node.span):
        return expressions.unknown(node.span)
    made = Value(RefType(where.type, kind), ir.AddrOf("u32", storage.address(where)), span)
    symbol = where.symbol
    if symbol is not None and symbol.storage in ("frame", "local"):
        made.temporary = symbol
    return made


def check_outlives(body: Body, where: Place, value: Value) -> bool:
    """Report a reference to a variable that ends with the call, stored where it stays."""
    if value.temporary is None or where.local is not None:
        stays = value.temporary is not None and where.section == "RESULT"
    else:
        stays = where.section == "RESULT" or where.addr is None or where.addr.base != "frame"
    if not stays or value.temporary is None:
        return True
    body.reporter.report(
        "E0331",
        f"this would outlive '{value.temporary.name}', which it refers to",
        value.span,
        label="ends with this call",
        others=[Label(value.temporary.span, "declared here")],
        help="refer to a variable that stays: in VAR of a PROGRAM or FUNCTION_BLOCK, in "
        "VAR_GLOBAL, or in VAR_STAT",
    )
    return False


def argument(body: Body, node: tree.Expr, t: RefType, name: str, declared_at: Span) -> Value:
    """What is given for a parameter REFERENCE TO: the variable itself is bound to it."""
    if not places.is_variable(body, node):
        value = expressions.expression(body, node, t)
        if isinstance(value.type, RefType) and same(value.type.target, t.target):
            return Value(t, value.expr, node.span)
        if not isinstance(value.type, Unknown):
            body.reporter.report(
                "E0246",
                f"'{name}' is {t} and needs a variable",
                node.span,
                others=[Label(declared_at, "declared here")],
                help="copy the value to a variable first",
            )
        return expressions.unknown(node.span)
    value = reference_to(body, node, t.kind, node.span)
    if isinstance(value.type, RefType) and isinstance(value.type.target, RefType):
        inner = value.type.target  # a REF_TO given for a REFERENCE TO
        if same(inner.target, t.target) and not same(value.type.target, t.target):
            value = expressions.expression(body, node, inner)
    if isinstance(value.type, RefType) and not same(value.type.target, t.target):
        body.reporter.report(
            "E0247",
            f"this is {value.type.target}, not what {t} refers to",
            node.span,
            others=[Label(declared_at, "declared here")],
            help="both must have the same type",
        )
        return expressions.unknown(node.span)
    return value


def is_valid(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    """__ISVALIDREF(r): whether a REFERENCE TO is bound."""
    where = places.place(body, args[0])
    if where is None:
        return expressions.unknown(node.span)
    if not isinstance(where.type, RefType):
        if not isinstance(where.type, Unknown):
            body.reporter.report(
                "E0243",
                f"{where.type} is not a reference",
                args[0].span,
                help="__ISVALIDREF asks whether a REFERENCE TO is bound",
            )
        return expressions.unknown(node.span)
    test = ir.Compare("b1", "ne", stored(body, where), ir.Const("u32", 0))
    return Value(BOOL, test, node.span)


# --- arithmetic ------------------------------------------------------------------------------


def arithmetic(body: Body, op: str, left: Value, right: Value, span: Span) -> Value | None:
    """`p + n`, `n + p`, `p - n`, `p - q`; None where neither side is a POINTER TO."""
    if op == "add" and isinstance(right.type, RefType):
        left, right = right, left
    t = left.type
    if not isinstance(t, RefType) or op not in ("add", "sub") or isinstance(right.type, Unknown):
        return None
    if isinstance(right.type, RefType):
        if op == "add" or not is_pointer(t) or not is_pointer(right.type):
            return _no_arithmetic(body, t, right.type, span)
        distance = ir.Binary("u32", "sub", left.expr, right.expr)
        return Value(DINT, ir.Convert("i32", distance), span)
    if not is_pointer(t) or not is_integer(base_of(right.type)):
        return _no_arithmetic(body, t, right.type, span)
    count = expressions.settle(body, right)
    return moved(body, left, op, ir.Convert("u32", count.expr), span)


def _no_arithmetic(body: Body, a: Type, b: Type, span: Span) -> Value:
    help_ = "a POINTER TO takes whole numbers of bytes: p + n, p - n, p - q"
    if isinstance(a, RefType) and not is_pointer(a):
        help_ = "only POINTER TO can be calculated with; refer to an ARRAY and use an index: r^[i]"
    body.reporter.report("E0332", f"{a} and {b} do not add up to a reference", span, help=help_)
    return expressions.unknown(span)


def moved(body: Body, pointer: Value, op: str, count: ir.Expr, span: Span) -> Value:
    """The pointer, some bytes further; a fault where that is no place for what it points to."""
    t = pointer.type
    assert isinstance(t, RefType)
    assert body.image_range is not None
    at = position(span)
    start = ir.NotNull("u32", pointer.expr, at)
    made = body.temporary(ir.Binary("u32", op, start, count))
    size, align = size_align(t.target)
    cell = body.image_range()
    low = ir.Load("u32", ir.Addr("static", cell))
    high = ir.Load("u32", ir.Addr("static", cell + 4))
    wrong: ir.Expr = ir.Compare("b1", "lt", made, low)
    room = ir.Binary("u32", "sub", high, ir.Const("u32", size))
    wrong = ir.Binary("b1", "or", wrong, ir.Compare("b1", "gt", made, room))
    if align > 1:
        rest = ir.Binary("u32", "and", made, ir.Const("u32", align - 1))
        crooked = ir.Compare("b1", "ne", rest, ir.Const("u32", 0))
        wrong = ir.Binary("b1", "or", wrong, crooked)
    body.emit(ir.If(wrong, (ir.RaiseFault(ir.Fault.INDEX, at),)))
    return Value(t, made, span)


def element(body: Body, base: Place, index: tree.Expr, span: Span) -> Place | None:
    """`p[i]`: the i-th value behind the POINTER TO."""
    t = base.type
    assert isinstance(t, RefType)
    pointer = stored(body, base)

    def read() -> Value:
        return Value(t, pointer, base.span)

    values = body.in_order([read, lambda: expressions.expression(body, index)])
    number = values[1]
    if isinstance(number.type, Unknown):
        return None
    if not is_integer(base_of(number.type)):
        body.reporter.report(
            "E0238",
            f"an index must be an integer, not {number.type}",
            number.span,
            help="use an integer",
        )
        return None
    number = expressions.settle(body, number)
    size = ir.Const("u32", size_align(t.target)[0])
    bytes_ = ir.Binary("u32", "mul", ir.Convert("u32", number.expr), size)
    made = moved(body, values[0], "add", bytes_, span)
    return Place(t.target, span, ir.Addr("ptr", 0, (), made.expr))


def is_null(node: tree.Expr) -> bool:
    return isinstance(node, tree.Name) and fold(node.name) == "NULL"
