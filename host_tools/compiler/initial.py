"""Writes initial values into an image."""

from __future__ import annotations

import re
from collections.abc import Iterable

from host_tools.compiler import constant_values, ir, tree
from host_tools.compiler.constants import pack_scalar
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.fields import MAX_BYTES
from host_tools.compiler.symbols import Symbol
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ArrayType,
    FbType,
    Field,
    InterfaceType,
    RefType,
    StringType,
    StructType,
    Type,
    Unknown,
    kind_of,
    size_align,
)
from host_tools.record import field, record


@record(frozen=True)
class Scope:
    """Where an initial value stands: the variables that REF(x) in it may mean beside the global
    ones; those of a function block are in the instance at `base`."""

    symbols: dict[str, Symbol] = field(default_factory=dict)
    base: int = 0


GLOBAL = Scope()


def write_initial(
    names: Declarations,
    data: bytearray,
    at: int,
    t: Type,
    init: tree.Expr | None,
    scope: Scope = GLOBAL,
) -> None:
    """Write the initial value of a variable of type `t` into `data` at offset `at`."""
    if isinstance(t, Unknown):
        return
    if isinstance(t, ArrayType):
        _array(names, data, at, t, init, scope)
    elif isinstance(t, StructType | FbType):
        _struct(names, data, at, t, init, scope)
    elif (isinstance(t, RefType) and isinstance(init, tree.Call)) or (
        isinstance(t, InterfaceType) and _is_instance(init)
    ):
        assert init is not None
        data[at : at + 4] = _address(names, init, t, scope).to_bytes(4, "little")
    elif isinstance(t, StringType):
        value = names.constants.value(init, t, "an initial value") if init is not None else None
        text = value.const if value is not None else b""
        assert isinstance(text, bytes)
        width = 2 if t.wide else 1
        text = text[: t.length * width]
        length = len(text) // width
        data[at : at + 4] = t.length.to_bytes(2, "little") + length.to_bytes(2, "little")
        data[at + 4 : at + 4 + len(text)] = text
    else:
        const = constant_values.default_value(t)
        if init is not None:
            value = names.constants.value(init, t, "an initial value")
            if value is not None and isinstance(value.const, int | float):
                const = value.const
        assert isinstance(const, int | float)
        raw = pack_scalar(const, kind_of(t))
        data[at : at + len(raw)] = raw


def _is_instance(init: tree.Expr | None) -> bool:
    """Whether the initial value of an interface names a variable."""
    if isinstance(init, tree.Name):
        return fold(init.name) != "NULL"
    return isinstance(init, tree.Member | tree.Index | tree.Deref)


def _address(
    names: Declarations, init: tree.Expr, t: RefType | InterfaceType, scope: Scope
) -> int:
    """The image address that REF(x), ADR(x) or an instance for an interface stands for."""
    from host_tools.compiler.lowering.expressions import convert, expression

    assert names.new_body is not None
    body = names.new_body()
    body.symbols = scope.symbols
    value = convert(body, expression(body, init, t), t)
    if isinstance(value.type, Unknown):
        return 0
    where = value.expr.addr if isinstance(value.expr, ir.AddrOf) else None
    if where is None or where.terms or where.base not in ("static", "self") or body.block:
        names.reporter.report(
            "E0210",
            "the initial value of a reference must be constant",
            init.span,
            label="this is only known when the program runs",
            help="refer to a variable that stays, with constant indices, or assign in the body",
        )
        return 0
    return where.offset + (scope.base if where.base == "self" else 0)


def _binds(names: Declarations, t: Type) -> bool:
    """Whether an instance may hold references into itself from the start."""
    while isinstance(t, ArrayType):
        t = t.element
    if not isinstance(t, StructType | FbType):
        return False
    known = names.binding.get(id(t))
    if known is None:
        known = any(
            _refers(f.init)
            or (isinstance(f.type, InterfaceType) and _is_instance(f.init))
            or _binds(names, f.type)
            for f in t.fields.values()
        )
        names.binding[id(t)] = known
    return known


def _refers(init: tree.Expr | None) -> bool:
    if isinstance(init, tree.ArrayInit):
        return any(_refers(e) for e in init.elements)
    if isinstance(init, tree.StructInit):
        return any(_refers(f.value) for f in init.fields)
    return isinstance(init, tree.Call)


def _array(
    names: Declarations,
    data: bytearray,
    at: int,
    t: ArrayType,
    init: tree.Expr | None,
    scope: Scope,
) -> None:
    """The values given, then the default of the element. A multi-dimensional array may be
    written flat or as arrays of rows."""
    step = size_align(t.element)[0]
    values: list[tree.Expr | None] = []
    if isinstance(init, tree.ArrayInit):
        flatten(names, init.elements, values, t.count)
    elif init is not None and not isinstance(init, tree.Missing):
        _wrong_shape(names, init, t, "[value, value, …]")
    rows = len(t.bounds) > 1 and bool(values)
    rows = rows and all(isinstance(v, tree.ArrayInit) for v in values)
    one: Type = ArrayType(t.bounds[1:], t.element, t.init) if rows else t.element
    one_count = one.count if rows and isinstance(one, ArrayType) else 1
    most = t.count // one_count
    if len(values) > most:
        assert init is not None
        what = "row" if rows else "element"
        names.reporter.report(
            "E0219",
            f"too many initial values for {t}",
            init.span,
            help=f"it has {most} {what}{'s' * (most != 1)}; remove the surplus, or make it larger",
        )
        del values[most:]
    for i, v in enumerate(values):
        value = v if v is not None or rows else t.init
        write_initial(names, data, at + i * one_count * step, one, value, scope)
    start = len(values) * one_count
    if _binds(names, t.element):
        for i in range(start, t.count):
            write_initial(names, data, at + i * step, t.element, t.init, scope)
    elif start < t.count:
        default = bytearray(step)
        write_initial(names, default, 0, t.element, t.init)
        if any(default):
            data[at + start * step : at + t.count * step] = bytes(default) * (t.count - start)


def flatten(
    names: Declarations, elements: Iterable[tree.Expr], into: list[tree.Expr | None], most: int
) -> None:
    """The elements of an array's value with all repetitions written out; None for a default."""
    for e in elements:
        if isinstance(e, tree.Call):
            e = _repetition(names, e)
        if not isinstance(e, tree.Repeat):
            into.append(e)
            continue
        count = names.constants.integer(e.count, "a repetition count")
        if count is None:
            continue
        if not 0 <= count <= MAX_BYTES:
            names.reporter.report(
                "E0220",
                f"{count} is no repetition count",
                e.count.span,
                help="it says how often the values in parentheses are repeated",
            )
            continue
        one: list[tree.Expr | None] = []
        if e.values:
            flatten(names, e.values, one, most)
        else:
            one = [None]
        into.extend(one * min(count, most + 1))


def _repetition(names: Declarations, e: tree.Call) -> tree.Expr:
    """`N(0)` where N is a constant: only now it is known that this is no call."""
    callee = e.callee
    if not isinstance(callee, tree.Name) or any(a.name is not None for a in e.arguments):
        return e
    symbol = names.constants.local_symbol(
        callee.name, callee.span
    ) or names.constants.global_symbol(callee.name)
    if symbol is None or symbol.storage != "const":
        return e
    values = tuple(a.value for a in e.arguments if a.value is not None)
    return tree.Repeat(e.span, callee, values)


def _struct(
    names: Declarations,
    data: bytearray,
    at: int,
    t: StructType | FbType,
    init: tree.Expr | None,
    scope: Scope,
) -> None:
    if init is None and not _binds(names, t):
        default = names.default_images.get(id(t))
        if default is None:
            made = bytearray(t.size)
            _members(names, made, 0, t, {}, scope)
            default = names.default_images[id(t)] = (t, bytes(made))
        data[at : at + t.size] = default[1]
        return
    given: dict[str, tree.Expr] = {}
    if isinstance(init, tree.StructInit):
        for f in init.fields:
            key = fold(f.name.name)
            if isinstance(t, FbType):
                key = t.aliases.get(key, key)
            if key not in t.fields:
                members = [x.name for x in t.fields.values() if not x.hidden]
                names.reporter.report(
                    "E0231",
                    f"{t} has no member '{f.name.name}'",
                    f.name.span,
                    help=did_you_mean(f.name.name, members) or f"it has {', '.join(members[:12])}",
                )
            elif key in given:
                names.reporter.report(
                    "E0249",
                    f"'{f.name.name}' is given twice",
                    f.span,
                    others=[Label(given[key].span, "first here")],
                    help="remove one of them",
                )
            else:
                given[key] = f.value
    elif init is not None and not isinstance(init, tree.Missing):
        _wrong_shape(names, init, t, "(member := value, …)")
    _members(names, data, at, t, given, scope)


def _members(
    names: Declarations,
    data: bytearray,
    at: int,
    t: StructType | FbType,
    given: dict[str, tree.Expr],
    scope: Scope,
) -> None:
    if isinstance(t, FbType) and t.type_id:
        data[at : at + 4] = t.type_id.to_bytes(4, "little")
    inside = GLOBAL
    if isinstance(t, FbType) and _binds(names, t):
        inside = Scope({k: _member(f) for k, f in t.fields.items()}, at)
    chosen = t.fields
    if isinstance(t, StructType) and t.overlap:
        chosen = _that_count(t, given)
    for key, member in chosen.items():
        if member.section != "VAR_IN_OUT":
            value, where = (given[key], scope) if key in given else (member.init, inside)
            if member.bit is not None:
                _bit(names, data, at + member.offset, member, value)
                continue
            write_initial(names, data, at + member.offset, member.type, value, where)


def _that_count(t: StructType, given: dict[str, tree.Expr]) -> dict[str, Field]:
    """Of members that overlap, those with an initial value; the first one where none has any."""
    found = {k: f for k, f in t.fields.items() if k in given or (f.init and not given)}
    return found or dict(list(t.fields.items())[:1])


def _bit(
    names: Declarations, data: bytearray, at: int, member: Field, init: tree.Expr | None
) -> None:
    value = (
        names.constants.value(init, member.type, "an initial value") if init is not None else None
    )
    assert member.bit is not None
    data[at] &= ~(1 << member.bit) & 255
    if value is not None and value.const:
        data[at] |= 1 << member.bit


def _member(f: Field) -> Symbol:
    storage = "selfref" if f.section == "VAR_IN_OUT" else "self"
    return Symbol(f.name, f.type, storage, f.offset, f.span, f.section)


def _wrong_shape(names: Declarations, init: tree.Expr, t: Type, form: str) -> None:
    names.reporter.report(
        "E0221", f"this is no initial value for {t}", init.span, help=f"write {form}"
    )


_RUN = re.compile(rb"[^\0]++(?:\0{1,14}[^\0]++)*+")


def runs(data: bytearray, start: int) -> list[tuple[int, bytes]]:
    """The parts of `data` that are not zero; gaps under 16 bytes stay inside a run."""
    return [(m.start(), m.group()) for m in _RUN.finditer(bytes(data), start)]
