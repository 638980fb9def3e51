"""Lowers names and literals, and converts values."""

from __future__ import annotations

import math
from fractions import Fraction

from host_tools.compiler import ir, tree
from host_tools.compiler.constants import round_float, wrap
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.ir import INT_RANGE
from host_tools.compiler.lowering import (
    aggregates,
    calls,
    methods,
    operators,
    places,
    storage,
    typed_functions,
)
from host_tools.compiler.lowering.body import Body, scalar_const
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import ConstValue, Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ANY_INT,
    ANY_REAL,
    BETWEEN_TIMES,
    BOOL,
    DINT,
    ELEMENTARY,
    LINT,
    REAL,
    ULINT,
    UNKNOWN,
    ArrayType,
    Elementary,
    EnumType,
    FbType,
    InterfaceType,
    OpenArrayType,
    RefType,
    StringType,
    SubrangeType,
    Type,
    Unknown,
    base_of,
    conversion_name,
    converts_implicitly,
    fits,
    is_aggregate,
    is_integer,
    is_number,
    is_time,
    kind_of,
    size_align,
)

NOTHING = ir.Const("i32", 0)
MOMENTS = {"date": "D#2024-12-31", "tod": "TOD#23:59:59", "dt": "DT#2024-12-31-23:59:59"}


def unknown(span: Span) -> Value:
    """The value of what has already been reported."""
    return Value(UNKNOWN, NOTHING, span)


def constant_value(t: Type, value: ConstValue, span: Span) -> Value:
    """A known value of a scalar type."""
    expr: ir.Expr
    if isinstance(value, Fraction):
        expr = ir.Const("f64", round_float(value, "f64"))
    else:
        expr = scalar_const(t, value)
    return Value(t, expr, span, value)


def expression(body: Body, node: tree.Expr, expected: Type | None = None) -> Value:
    """Lower `node`. `expected` is the type the context wants: it decides what literals are and
    nothing else; the caller still converts."""
    value = _expression(body, node, expected)
    if body.notes is not None:
        body.notes.values[id(node)] = value
    return value


def _expression(body: Body, node: tree.Expr, expected: Type | None) -> Value:
    match node:
        case tree.Literal():
            return literal(body, node, expected)
        case tree.Unary():
            return operators.unary(body, node, expected)
        case tree.Binary():
            return operators.binary(body, node, expected)
        case tree.Call():
            value = calls.call(body, node, expected, wants_value=True)
            return behind(body, value) if value is not None else unknown(node.span)
        case typed_functions.Typed(operand=operand, type=t):
            return convert(body, expression(body, operand, t), t)
        case tree.Missing():
            return unknown(node.span)
        case tree.ArrayInit() | tree.StructInit() | tree.Repeat():
            return aggregates.value(body, node, expected)
        case tree.Name():
            named = _named_value(body, node, expected)
            if named is not None:
                return named
            if isinstance(expected, EnumType) and _is_nothing(body, node):
                return _enum_value(body, expected, node.name, node.span)
        case tree.Member(base=tree.Member()) if body.declarations.naming.namespaces:
            collapsed = places.qualified(body, node)
            if collapsed is not node:
                return expression(body, collapsed, expected)
        case tree.Member(base=tree.Name() as base):
            collapsed = places.qualified(body, node)
            if collapsed is not node:
                return expression(body, collapsed, expected)
            named = _enum_member(body, base, node)
            if named is not None:
                return named
    where = places.place(body, node, properties=True)
    if where is not None and isinstance(node, tree.Direct) and expected is not None:
        where.type = direct_type(node, where.type, expected)
    return storage.load(body, where) if where is not None else unknown(node.span)


def behind(body: Body, value: Value) -> Value:
    """What the result REFERENCE TO of a call refers to; other values as they are."""
    if not (isinstance(value.type, RefType) and value.type.kind == "REFERENCE TO"):
        return value
    pointer = ir.NotNull("u32", value.expr, position(value.span))
    where = Place(value.type.target, value.span, ir.Addr("ptr", 0, (), pointer))
    return storage.load(body, where)


def direct_type(node: tree.Direct, default: Type, wanted: Type) -> Type:
    """A directly represented variable has a size but no type: it takes the type of its context
    where the size is the same, else it is a bit string."""
    wanted = base_of(wanted)
    plain = isinstance(wanted, Elementary) and not wanted.universal and node.size != "X"
    return wanted if plain and size_align(wanted)[0] == size_align(default)[0] else default


def _is_nothing(body: Body, node: tree.Name) -> bool:
    """Whether the name is neither a variable nor a POU."""
    nothing = body.lookup(node.name, node.span) is None
    return nothing and body.declarations.find_pou(node.name, node.span) is None


# --- literals --------------------------------------------------------------------------------


def literal(body: Body, node: tree.Literal, expected: Type | None) -> Value:
    value, span = node.value, node.span
    if node.kind == "typed":
        t = body.declarations.named_type(node.prefix or "", node.span)
        return _enum_value(body, t, str(node.value), node.span)
    prefix = ELEMENTARY.get(fold(node.prefix)) if node.prefix else None
    if node.kind == "bool":
        return constant_value(BOOL, int(bool(value)), span)
    if node.kind == "int":
        assert isinstance(value, int)
        plain = Value(ANY_INT, ir.Const("i64", value), span, value)
        return plain if prefix is None else convert(body, plain, prefix)
    if node.kind == "real":
        plain = constant_value(ANY_REAL, exactly(str(value)), span)
        return plain if prefix is None else convert(body, plain, prefix)
    if node.kind in ("string", "wstring"):
        wide = node.kind == "wstring"
        text = str(value)
        data = (
            text.encode("utf-16-le", "surrogatepass")
            if wide
            else text.encode("latin-1", errors="replace")
        )
        string = StringType(wide, max(len(data) // (2 if wide else 1), 1))
        made = Value(string, ir.Const(string.kind, data), span, data)
        return convert(body, made, prefix) if prefix is not None else made
    assert isinstance(value, int)
    name = node.prefix or {"time": "TIME", "date": "DATE", "tod": "TOD", "dt": "DT"}[node.kind]
    return constant_value(ELEMENTARY[fold(name)], value, span)


def exactly(digits: str) -> Fraction:
    """The value of a real literal. Far outside of all types it need not be exact, and computing it
    could take for ever."""
    mantissa, _, exponent = digits.lower().partition("e")
    size = len(mantissa.partition(".")[0]) + int(exponent or 0)
    if abs(size) > 5_000 and any(d in "123456789" for d in mantissa):
        return Fraction(10) ** (5_000 if size > 0 else -5_000)
    return Fraction(digits)


def _enum_value(body: Body, t: Type, name: str, span: Span) -> Value:
    if isinstance(t, Unknown):
        return unknown(span)
    if not isinstance(t, EnumType):
        body.reporter.report(
            "E0223",
            f"{t} is not an enumeration",
            span,
            help="'.' and '#' after the name of a type give one of its values",
        )
        return unknown(span)
    number = t.values.get(fold(name))
    if number is None:
        body.reporter.report(
            "E0224",
            f"{t} has no value '{name}'",
            span,
            help=did_you_mean(name, t.spelling.values())
            or f"its values are {', '.join(t.spelling.values())}",
            others=[Label(t.span, "declared here")] if t.span is not None else (),
        )
        return unknown(span)
    return constant_value(t, number, span)


def _enum_member(body: Body, base: tree.Name, node: tree.Member) -> Value | None:
    """`Colour.Red` where Colour is a type and no variable of that name hides it. An enumeration is
    not hidden by a variable of that type and name, which has no members."""
    symbol = body.lookup(base.name, base.span)
    key = body.declarations.naming.full(base.name, base.span)
    decl = body.declarations.type_decls.get(key)
    if decl is None:
        return None
    if symbol is not None and not isinstance(symbol.type, EnumType):
        named = isinstance(decl.spec, tree.EnumSpec) and symbol.storage == "nowhere"
        if not named:
            return None
    if symbol is not None and not isinstance(decl.spec, tree.EnumSpec):
        return None
    t = body.declarations.named_type(base.name, base.span)
    return _enum_value(body, t, node.name, node.span)


def _named_value(body: Body, node: tree.Name, expected: Type | None) -> Value | None:
    """Constants and enumerated values by their bare name; None for variables."""
    symbol = body.lookup(node.name, node.span)
    if symbol is not None:
        if symbol.storage != "const":
            return None
        if body.notes is not None:
            body.notes.symbols[id(node.span)] = symbol
        if symbol.constant is None or isinstance(symbol.type, Unknown):
            return unknown(node.span)
        return constant_value(symbol.type, symbol.constant, node.span)
    key = fold(node.name)
    if methods.is_own_property(body, key):
        return None
    if key == "NULL":
        return Value(RefType(UNKNOWN), ir.Const("u32", 0), node.span, 0)
    candidates = body.declarations.enum_values.get(fold(node.name), [])
    qualified = [t for t, _ in candidates if t.qualified]
    if qualified:
        candidates = [c for c in candidates if not c[0].qualified]
        if not candidates:
            body.reporter.report(
                "E0358",
                f"'{node.name}' is only found with the name of its type",
                node.span,
                others=[Label(t.span, "declared here") for t in qualified[:1] if t.span],
                help=f"write {qualified[0]}.{node.name}",
            )
            return unknown(node.span)
    if isinstance(expected, EnumType):
        for t, number in candidates:
            if t is expected:
                return constant_value(t, number, node.span)
    if body.declarations.naming.active:
        candidates = _visible(body, candidates, node.span)
    if len(candidates) > 1:
        body.reporter.report(
            "E0225",
            f"'{node.name}' is a value of several enumerations",
            node.span,
            label="which one?",
            others=[Label(t.span, f"one is in {t}") for t, _ in candidates if t.span],
            help=f"write {candidates[0][0]}#{node.name}",
        )
        return unknown(node.span)
    if candidates:
        return constant_value(candidates[0][0], candidates[0][1], node.span)
    return None


def _visible(
    body: Body, candidates: list[tuple[EnumType, int]], span: Span
) -> list[tuple[EnumType, int]]:
    """Those of enumerations whose namespace need not be written at `span`."""
    visible = body.declarations.naming.visible
    return [c for c in candidates if visible(fold(c[0].name).rpartition(".")[0], span)]


# --- conversion ------------------------------------------------------------------------------


def convert(body: Body, value: Value, target: Type, what: str = "") -> Value:
    """`value` as a `target`, by the implicit conversions; anything else is reported with the
    function to call. Checks subranges."""
    source = value.type
    if isinstance(source, Unknown) or isinstance(target, Unknown):
        return Value(UNKNOWN, value.expr, value.span)
    if isinstance(target, SubrangeType):
        return _into_subrange(body, value, target)
    if isinstance(source, OpenArrayType) or isinstance(target, OpenArrayType):
        _refuse(body, value, source, target, what)
        return unknown(value.span)
    source = base_of(source)
    if source == target:
        return Value(target, value.expr, value.span, value.const, value.addr)
    if isinstance(target, Elementary) and target.universal:
        return value
    if isinstance(target, RefType) and target.kind == "POINTER TO":
        from host_tools.compiler.lowering.pointers import is_byte_pointer

        if value.const == 0 and source is ANY_INT:
            return Value(target, ir.Const("u32", 0), value.span, 0)
        into = isinstance(source, RefType) and (
            is_byte_pointer(target)
            or (isinstance(source.target, ArrayType) and source.target.element == target.target)
        )
        if into:
            return Value(target, value.expr, value.span, value.const)
    if isinstance(source, Elementary) and source.universal:
        return _from_literal(body, value, target)
    if (
        isinstance(target, Elementary)
        and target.group == "char"
        and isinstance(source, StringType)
        and isinstance(value.const, bytes)
        and len(value.const) == (2 if source.wide else 1)
        and (not source.wide or target.kind == "u16")
    ):
        return constant_value(target, int.from_bytes(value.const, "little"), value.span)
    if not converts_implicitly(source, target):
        _refuse(body, value, source, target, what)
        return unknown(value.span)
    if body.notes is not None:
        body.notes.converted.append((value, target))
    if isinstance(target, StringType):
        if isinstance(source, Elementary):
            return Value(target, ir.Intrinsic(target.kind, "from_char", (value.expr,)), value.span)
        return Value(target, value.expr, value.span, value.const)
    if isinstance(target, InterfaceType) and value.addr is not None:
        return Value(target, ir.AddrOf("u32", value.addr), value.span)
    if is_aggregate(target):
        return value
    return retype(value, target)


def retype(value: Value, target: Type) -> Value:
    """`value` converted to the kind of `target` without asking whether that is allowed."""
    kind = kind_of(target)
    if value.expr.kind == kind:
        return Value(target, value.expr, value.span, value.const, value.addr)
    if value.const is not None and isinstance(value.const, int | float):
        if kind in ("f32", "f64"):
            return constant_value(target, round_float(value.const, kind), value.span)
        if isinstance(value.const, int) and kind != "b1":
            return constant_value(target, wrap(value.const, kind), value.span)
    return Value(target, ir.Convert(kind, value.expr), value.span)


def _into_subrange(body: Body, value: Value, target: SubrangeType) -> Value:
    source = value.type
    made = convert(body, value, target.base)
    if isinstance(made.type, Unknown):
        return made
    if isinstance(made.const, int):
        if not target.low <= made.const <= target.high:
            body.reporter.report(
                "E0226",
                f"{made.const} is outside of {target.low}..{target.high}",
                value.span,
                help=f"{target} takes values from {target.low} to {target.high}",
            )
            return unknown(value.span)
        return Value(target, made.expr, value.span, made.const)
    if (
        isinstance(source, SubrangeType)
        and target.low <= source.low
        and source.high <= target.high
    ):
        return Value(target, made.expr, value.span)
    check = ir.Check(
        made.expr.kind, made.expr, target.low, target.high, ir.Fault.RANGE, position(value.span)
    )
    return Value(target, check, value.span)


def _from_literal(body: Body, value: Value, target: Type) -> Value:
    """A literal meets its type."""
    const = value.const
    assert const is not None
    assert not isinstance(const, bytes)
    if isinstance(target, Elementary):
        if target.group == "real" and isinstance(const, int | Fraction):
            rounded = round_float(Fraction(const), target.kind)
            if not math.isinf(rounded):
                return constant_value(target, rounded, value.span)
            further = target is REAL and not math.isinf(round_float(Fraction(const), "f64"))
            _does_not_fit(body, value, target, "LREAL reaches further" if further else "")
            return unknown(value.span)
        if isinstance(const, int) and target.group in ("sint", "uint", "bit", "bool"):
            if fits(const, target):
                return constant_value(target, const, value.span)
            _does_not_fit(body, value, target, _fitting_type(const, target))
            return unknown(value.span)
        if isinstance(const, Fraction) and is_integer(target):
            body.reporter.report(
                "E0230",
                f"a real literal does not convert to {target} by itself",
                value.span,
                help=f"write it without a fraction, or call REAL_TO_{target}(…) or TRUNC(…)",
            )
            return unknown(value.span)
    if isinstance(target, InterfaceType) and const == 0:
        return Value(target, ir.Const("u32", 0), value.span, 0)
    _refuse(body, value, value.type, target, "")
    return unknown(value.span)


def _does_not_fit(body: Body, value: Value, target: Elementary, help_: str) -> None:
    const = value.const
    assert isinstance(const, int | Fraction)
    shown = str(const) if isinstance(const, int) else value.span.text
    low, high = INT_RANGE[target.kind] if isinstance(const, int) else (0, 0)
    is_whole = target.group != "real"
    body.reporter.report(
        "E0227",
        f"{shown} does not fit {target}",
        value.span,
        label="too large" if const > 0 else "too small",
        help=help_
        or (f"{target} takes {low} to {high}" if is_whole else "LREAL ends at 1.797E+308"),
    )


def _fitting_type(const: int, target: Elementary) -> str:
    """A help that names the smallest type of the same sort that holds `const`."""
    if target is BOOL:
        return "BOOL takes TRUE and FALSE; to test a number, compare it"
    if const < 0 and target.group in ("bit", "uint"):
        return f"{target} has no negative values"
    names = {
        "sint": ("SINT", "INT", "DINT", "LINT"),
        "uint": ("USINT", "UINT", "UDINT", "ULINT"),
        "bit": ("BYTE", "WORD", "DWORD", "LWORD"),
    }[target.group]
    low, high = INT_RANGE[target.kind]
    for name in names:
        if fits(const, ELEMENTARY[name]):
            return f"{target} takes {low} to {high}; {name} would hold it"
    return f"{target} takes {low} to {high}"


def _refuse(body: Body, value: Value, source: Type, target: Type, what: str) -> None:
    name = conversion_name(source, target)
    help_ = f"call {name}(…)" if name else f"write a value of type {target}"
    shown = "NULL" if isinstance(source, RefType) and source.target is UNKNOWN else str(source)
    if isinstance(target, EnumType):
        help_ = f"write one of its values, for example {next(iter(target.spelling.values()), '')}"
    elif isinstance(target, InterfaceType):
        help_ = f"write an instance of a function block that IMPLEMENTS {target}, or NULL"
        if isinstance(source, FbType):
            help_ = f"declare FUNCTION_BLOCK {source} … IMPLEMENTS {target}"
        elif isinstance(source, InterfaceType):
            help_ = "ask at run time what it is: target ?= source;"
    elif isinstance(source, InterfaceType):
        help_ = "ask at run time what it is: target ?= source;"
    elif isinstance(source, FbType):
        outputs = [f.name for f in source.fields.values() if f.section == "VAR_OUTPUT"]
        help_ = f"name one of its outputs: {', '.join(outputs)}" if outputs else ""
    elif isinstance(target, Elementary) and target.group == "time" and is_number(source):
        units = "nanoseconds" if target.name == "LTIME" else "milliseconds"
        call = name or f"DINT_TO_{target}"
        help_ = f"write a duration, for example T#500ms, or call {call}(…) with {units}"
    elif isinstance(target, Elementary) and target.group == "char":
        help_ = "write one character, for example 'A', or \"A\" for WCHAR"
    elif isinstance(target, Elementary) and target.group in MOMENTS and value.const is not None:
        help_ = f"write, for example, {MOMENTS[target.group]}"
    elif is_time(source) and is_time(target) and name is None:
        help_ = f"no function makes {target} of {source}; {BETWEEN_TIMES}"
    elif target is BOOL and is_integer(source):
        help_ = "compare it, for example (… <> 0)"
    elif isinstance(target, RefType):
        help_ = "take its reference: REF(…)"
        if isinstance(source, RefType):
            help_ = "both references must be to the same type"
    elif isinstance(source, RefType):
        help_ = "write ^ behind it to get what it refers to"
        if shown == "NULL":
            help_ = f"NULL is for references; write a value of type {target}"
    elif isinstance(target, ArrayType) and isinstance(source, ArrayType):
        help_ = "both need the same bounds and the same type of elements; copy in a FOR loop"
    elif is_aggregate(target) and is_aggregate(source):
        help_ = f"declare both as {target}, or copy member by member"
    elif is_aggregate(target) or is_aggregate(source):
        help_ = "name one of its elements or members"
    elif (
        isinstance(target, StringType)
        and isinstance(source, StringType)
        and source.wide
        and value.span.text[:1] == '"'
    ):
        help_ = f"text of STRING stands in single quotes: '{value.span.text[1:-1][:30]}'"
    elif isinstance(target, StringType) and source in (ANY_INT, ANY_REAL):
        help_ = f"write it as text: '{value.span.text}'"
    literal_ = isinstance(source, Elementary) and source.universal
    body.reporter.report(
        "E0230",
        f"{shown} does not convert to {target} by itself" + (f" ({what})" if what else ""),
        value.span,
        label="" if literal_ else f"this is {shown}",
        help=help_,
    )


def is_literal(value: Value) -> bool:
    """Whether the value has not met its type yet."""
    return isinstance(value.type, Elementary) and value.type.universal


def settle(body: Body, value: Value) -> Value:
    """Give a literal that met no context a type of its own: DINT, LINT or ULINT; REAL."""
    if isinstance(value.type, Elementary) and value.type.universal:
        if value.type is ANY_REAL:
            return convert(body, value, REAL)
        assert isinstance(value.const, int)
        for t in (DINT, LINT, ULINT):
            if fits(value.const, t):
                return convert(body, value, t)
        return convert(body, value, ULINT)
    return value
