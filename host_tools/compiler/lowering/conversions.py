"""The conversion functions `X_TO_Y`, `TO_Y`, `TRUNC`, BCD (IEC 61131-3:2013 Tables 22 to 27).

Units where time becomes a number: TIME and TOD milliseconds, DATE and DT seconds since 1970, the L
forms nanoseconds. Durations to REAL keep the fraction of the millisecond.
"""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import arguments, expressions
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    DEFAULT_STRING,
    DINT,
    ELEMENTARY,
    LINT,
    Elementary,
    EnumType,
    StringType,
    Type,
    Unknown,
    base_of,
    is_aggregate,
    is_bits,
    is_integer,
    is_real,
)

DAY = 86_400_000_000_000
TIME_GROUPS = ("time", "date", "tod", "dt")
BCD_WIDTH = {"u8": "BYTE", "u16": "WORD", "u32": "DWORD", "u64": "LWORD"}


def _named(name: str) -> Type | None:
    if name == "STRING":
        return DEFAULT_STRING
    if name == "WSTRING":
        return StringType(True, 80)
    return ELEMENTARY.get(name)


def _unit(t: Elementary) -> int:
    """Nanoseconds of one unit when a time of type `t` is converted to a number."""
    if t.name.startswith("L"):
        return 1
    return 1_000_000_000 if t.group in ("date", "dt") else 1_000_000


def is_conversion(name: str) -> bool:
    """Whether `name` has the form of a conversion function."""
    key = fold(name)
    if key.startswith("TRUNC") or "_TRUNC_" in key or "BCD" in key:
        return True
    source, _, target = key.rpartition("_TO_")
    if not source:
        return key.startswith("TO_") and _named(key[3:]) is not None
    return _named(source) is not None and _named(target) is not None


def call(body: Body, node: tree.Call, name: str, expected: Type | None) -> Value | None:
    """Lower a conversion; None where `name` is not one."""
    key = fold(name)
    if key == "TRUNC" or "_TRUNC_" in key or key.startswith("TRUNC_"):
        return _trunc(body, node, key, expected)
    if "BCD" in key:
        return _bcd(body, node, key)
    source_name, _, target_name = key.rpartition("_TO_")
    if source_name in ("", "ANY"):
        if not key.startswith(("TO_", "ANY_TO_")):
            return None
        source, target_name = None, key.removeprefix("ANY_")[3:]
    else:
        source = _named(source_name)
        if source is None:
            return None
    target = _named(target_name)
    if target is None:
        return None
    value = _argument(body, node, key, source)
    if value is None:
        return expressions.unknown(node.span)
    return conversion(body, value, target, node.span, key)


def _argument(body: Body, node: tree.Call, name: str, source: Type | None) -> Value | None:
    if len(node.arguments) != 1 or node.arguments[0].output or node.arguments[0].value is None:
        body.reporter.report(
            "E0245",
            f"{name} takes 1 parameter, {len(node.arguments)} are given",
            node.span,
            help=f"write {name}(value)",
        )
        return None
    value = expressions.expression(body, node.arguments[0].value, source)
    if isinstance(value.type, Unknown):
        return None
    if source is None or (isinstance(source, StringType) and isinstance(value.type, StringType)):
        value = expressions.settle(body, value)
    else:
        value = expressions.convert(body, value, source, f"argument of {name}")
    return None if isinstance(value.type, Unknown) else value


def conversion(body: Body, value: Value, target: Type, span: Span, name: str) -> Value:
    """The explicit conversion of `value` to the elementary or string type `target`."""
    source = base_of(value.type)
    if isinstance(source, EnumType):
        source = source.base
        value = Value(source, value.expr, value.span, value.const)
    if isinstance(target, StringType):
        made = _to_string(body, value, source, target, span)
    elif isinstance(source, StringType):
        assert isinstance(target, Elementary)
        made = _from_string(body, value, source, target, span)
    elif isinstance(source, Elementary) and isinstance(target, Elementary):
        made = _elementary(value, source, target, span)
    else:
        made = None
    if made is None:
        body.reporter.report(
            "E0254",
            f"there is no conversion from {value.type} to {target}",
            span,
            label=f"{name} is not defined",
            help=_instead(source, target),
        )
        return expressions.unknown(span)
    return made


def _instead(source: Type, target: Type) -> str:
    """What to do where there is no conversion."""
    if is_aggregate(source):
        return "convert its members or elements one by one"
    if isinstance(source, Elementary) and isinstance(target, Elementary):
        if source.group in TIME_GROUPS and target.group in TIME_GROUPS:
            return "DT converts to DATE and TOD, DATE to DT; CONCAT_DATE_TOD(…) puts them together"
        if "char" in (source.group, target.group):
            return "go by way of STRING or BYTE"
    return "go by way of a type that both convert to, for example DINT or STRING"


def _elementary(value: Value, source: Elementary, target: Elementary, span: Span) -> Value | None:
    kind = target.kind
    s, t = source.group, target.group
    if source == target or (s == t and s in TIME_GROUPS):
        return Value(target, value.expr, span, value.const)
    pair = {source.kind, kind}
    if {s, t} == {"bit", "real"} and pair in ({"u32", "f32"}, {"u64", "f64"}):
        return Value(target, ir.Bits(kind, value.expr), span)
    if s in TIME_GROUPS and t in TIME_GROUPS:
        return _moments(value, source, target, span)
    if s in TIME_GROUPS and t != "bool":
        return _time_to_number(value, source, target, span)
    if t in TIME_GROUPS:
        return _number_to_time(value, source, target, span)
    if t == "bool":
        return Value(target, ir.Convert("b1", value.expr), span)
    return expressions.retype(Value(source, value.expr, span, value.const), target)


def _time_to_number(value: Value, source: Elementary, target: Elementary, span: Span) -> Value:
    unit = _unit(source)
    if is_real(target):
        number: ir.Expr = ir.Convert(target.kind, value.expr)
        if unit != 1:
            number = ir.Binary(target.kind, "div", number, ir.Const(target.kind, float(unit)))
        return Value(target, number, span)
    number = value.expr
    if unit != 1:
        number = ir.Binary("i64", "div", number, ir.Const("i64", unit))
    return Value(target, number if target.kind == "i64" else ir.Convert(target.kind, number), span)


def _number_to_time(value: Value, source: Elementary, target: Elementary, span: Span) -> Value:
    unit = _unit(target)
    if is_real(source):
        number: ir.Expr = value.expr
        if unit != 1:
            number = ir.Binary(source.kind, "mul", number, ir.Const(source.kind, float(unit)))
        return Value(target, ir.Convert("i64", number), span)
    number = value.expr if source.kind == "i64" else ir.Convert("i64", value.expr)
    if unit != 1:
        number = ir.Binary("i64", "mul", number, ir.Const("i64", unit))
    return Value(target, number, span)


def _moments(value: Value, source: Elementary, target: Elementary, span: Span) -> Value | None:
    """DT to DATE (its day) and to TOD (its time of day); DATE to DT (its midnight); durations and
    times of day are nanoseconds both."""
    if (source.group, target.group) in (("date", "dt"), ("time", "tod"), ("tod", "time")):
        return Value(target, value.expr, span)
    if source.group != "dt" or target.group not in ("date", "tod"):
        return None
    day = ir.Const("i64", DAY)
    rest = ir.Binary("i64", "mod", value.expr, day)
    negative = ir.Compare("b1", "lt", rest, ir.Const("i64", 0))
    time = ir.Select("i64", negative, ir.Binary("i64", "add", rest, day), rest)
    if target.group == "tod":
        return Value(target, time, span)
    return Value(target, ir.Binary("i64", "sub", value.expr, time), span)


def _to_string(
    body: Body, value: Value, source: Type, target: StringType, span: Span
) -> Value | None:
    if isinstance(source, StringType):
        if source.wide == target.wide:
            return value
        made: ir.Expr = ir.Intrinsic(
            target.kind, "to_wide" if target.wide else "to_narrow", (value.expr,)
        )
        return Value(StringType(target.wide, source.length), made, span)
    if not isinstance(source, Elementary):
        return None
    text: Value
    narrow = DEFAULT_STRING
    if source.group == "bool":
        yes, no = ir.Const("str", b"TRUE"), ir.Const("str", b"FALSE")
        text = Value(narrow, ir.Select("str", value.expr, yes, no), span)
    elif source.group == "char":
        wide = source.kind == "u16"
        kind = "wstr" if wide else "str"
        text = Value(StringType(wide, 1), ir.Intrinsic(kind, "from_char", (value.expr,)), span)
        return _to_string(body, text, text.type, target, span)
    elif is_integer(source) or source.group == "bit":
        text = Value(narrow, ir.Intrinsic("str", "int_to_str", (value.expr,)), span)
    elif source.group == "time":
        text = Value(narrow, ir.Intrinsic("str", "time_to_str", (value.expr,)), span)
    else:
        short = source.name.removeprefix("L") if source.group != "real" else source.name
        text = arguments.library_call(body, f"__{short}_TO_STRING", [value], span)
    if target.wide and not isinstance(text.type, Unknown):
        return Value(StringType(True, 80), ir.Intrinsic("wstr", "to_wide", (text.expr,)), span)
    return text


def _from_string(
    body: Body, value: Value, source: StringType, target: Elementary, span: Span
) -> Value | None:
    if target.group == "char":
        text = value.expr
        if source.wide and target.kind == "u8":
            text = ir.Intrinsic("str", "to_narrow", (text,))
        elif not source.wide and target.kind == "u16":
            text = ir.Intrinsic("wstr", "to_wide", (text,))
        made = ir.Intrinsic(target.kind, "char", (text, ir.Const("i32", 1)))
        return Value(target, made, span)
    narrow = value.expr
    if source.wide:
        narrow = ir.Intrinsic("str", "to_narrow", (narrow,))
    if target.group == "bool":
        text = body.temporary(narrow)
        test: ir.Expr = ir.Compare("b1", "eq", text, ir.Const("str", b"TRUE"))
        for other in (b"true", b"1"):
            also = ir.Compare("b1", "eq", text, ir.Const("str", other))
            test = ir.Binary("b1", "or", test, also)
        return Value(BOOL, test, span)
    if is_integer(target) or target.group == "bit":
        number: ir.Expr = ir.Intrinsic("i64", "str_to_int", (narrow,))
        return Value(
            target, number if target.kind == "i64" else ir.Convert(target.kind, number), span
        )
    name = target.name if is_real(target) else target.name.removeprefix("L")
    parsed = arguments.library_call(
        body, f"__STRING_TO_{name}", [Value(DEFAULT_STRING, narrow, span)], span
    )
    return parsed if isinstance(parsed.type, Unknown) else Value(target, parsed.expr, span)


def _trunc(body: Body, node: tree.Call, name: str, expected: Type | None) -> Value | None:
    """TRUNC, TRUNC_DINT, REAL_TRUNC_DINT: towards zero."""
    source: Type | None = None
    target: Type | None = None
    if name == "TRUNC":
        wanted = base_of(expected) if expected is not None else None
        target = wanted if wanted is not None and is_integer(wanted) else DINT
    else:
        left, _, right = name.rpartition("TRUNC_")
        target = ELEMENTARY.get(right)
        source = ELEMENTARY.get(left.rstrip("_")) if left else None
        if target is None or not is_integer(target) or (left and source is None):
            return None
    value = _argument(body, node, name, source)
    if value is None:
        return expressions.unknown(node.span)
    if not is_real(base_of(value.type)):
        body.reporter.report(
            "E0250",
            f"TRUNC does not go with {value.type}",
            node.span,
            help="it needs REAL or LREAL",
        )
        return expressions.unknown(node.span)
    assert isinstance(target, Elementary)
    return Value(target, ir.Convert(target.kind, value.expr, truncate=True), node.span)


def _bcd(body: Body, node: tree.Call, name: str) -> Value | None:
    """`BCD_TO_UINT`, `WORD_BCD_TO_UINT`, `TO_BCD_WORD`, `UINT_TO_BCD_WORD` (Table 22)."""
    left, _, right = name.partition("_TO_" if "_TO_" in name else "TO_")
    to_bcd = "BCD" in right
    source = ELEMENTARY.get(left) if left and "BCD" not in left else None
    if to_bcd:
        target = ELEMENTARY.get(right.removeprefix("BCD").lstrip("_"))
    else:
        target = ELEMENTARY.get(right)
        prefix = left.removesuffix("BCD").rstrip("_")
        source = ELEMENTARY.get(prefix) if prefix else None
    if target is None or not (is_integer(target) or is_bits(target)):
        return None
    value = _argument(body, node, name, source)
    if value is None:
        return expressions.unknown(node.span)
    if value.expr.kind[0] != "u":
        if not is_integer(base_of(value.type)):
            body.reporter.report(
                "E0250",
                f"{name} does not go with {value.type}",
                node.span,
                help="it needs an integer",
            )
            return expressions.unknown(node.span)
        value = expressions.retype(value, ELEMENTARY["U" + LINT.name])
    kind = value.expr.kind
    if to_bcd:
        wide: ir.Expr = value.expr if kind == "u64" else ir.Convert("u64", value.expr)
        made: ir.Expr = ir.Intrinsic("u64", "to_bcd", (wide,))
        return Value(
            target, made if target.kind == "u64" else ir.Convert(target.kind, made), node.span
        )
    made = ir.Intrinsic(kind, "bcd_to", (value.expr,))
    return Value(target, made if kind == target.kind else ir.Convert(target.kind, made), node.span)
