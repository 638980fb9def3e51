"""Print operations on STRING and WSTRING: calls of strings.h, with room on the stack."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir
from host_tools.compiler.c_engine.scope import Scope
from host_tools.compiler.c_engine.text import ATOM, SIGN, UNIT, Text

_COUNTED = {"left": 1, "right": 1, "mid": 1, "insert": 2, "delete": 1, "replace": 2, "char": 1}
"""Number of the first argument that is a count or position."""

Value = Callable[[ir.Expr, Scope], Text]
Ordered = Callable[[list[ir.Expr], Scope], tuple[list[Text], str]]
InOrder = Callable[[str, str, int], Text]


def literal(data: bytes) -> str:
    """A C string literal of these bytes (a NUL follows, which nobody reads)."""
    text = ""
    for byte in data:
        c = chr(byte)
        if c in '"\\?' or not 32 <= byte < 127:
            text += f"\\{byte:03o}"
        else:
            text += c
    return f'"{text}"'


def intrinsic(
    e: ir.Intrinsic, scope: Scope, value: Value, ordered: Ordered, in_order: InOrder
) -> Text:
    name = e.name
    texts, declared = ordered(list(e.args), scope)
    if name in _COUNTED:
        first = _COUNTED[name]
        for i in range(first, len(texts)):
            texts[i] = _long(texts[i], e.args[i].kind)
    args = [t.text for t in texts]
    if name == "len":
        args = [texts[0].at(ATOM)]
    unit = UNIT.get(e.args[0].kind, UNIT.get(e.kind, 1))
    return in_order(declared, _call(e, args, unit, scope), SIGN)


def _long(t: Text, kind: str) -> Text:
    """A count as i64: what is too large for it is as good as the largest."""
    if kind == "u64":
        return Text(f"({{ u64 v_ = {t.text}; (i64)(v_ >> 63 ? ~0ull >> 1 : v_); }})")
    return t


def _call(e: ir.Intrinsic, args: list[str], unit: int, scope: Scope) -> str:
    name = e.name
    match name:
        case "len":
            return f"(i32){args[0]}.n"
        case "left" | "cut":
            return f"str_left({args[0]}, {args[1]})"
        case "right":
            return f"str_right({args[0]}, {args[1]}, {unit})"
        case "mid":
            return f"str_mid({args[0]}, {args[1]}, {args[2]}, {unit})"
        case "find":
            return f"str_find({args[0]}, {args[1]}, {unit})"
        case "char":
            return f"(u{8 * unit})str_char({args[0]}, {args[1]}, {unit})"
        case "str_to_int":
            return f"str_to_int({args[0]})"
    room = scope.room(e)
    match name:
        case "concat" | "insert" | "replace":
            return f"str_{name}({room}, {', '.join(args)}, {unit})"
        case "delete":
            return (
                f'str_replace({room}, {args[0]}, str_const("", 0), {args[1]}, {args[2]}, {unit})'
            )
        case "from_char":
            return f"str_from_char({room}, {args[0]}, {UNIT[e.kind]})"
        case "int_to_str":
            signed = ir.INT_RANGE[e.args[0].kind][0] < 0
            if signed:
                return f"({{ i64 v_ = {args[0]}; int_to_str({room}, (u64)v_, v_ < 0); }})"
            return f"int_to_str({room}, {args[0]}, 0)"
        case _:
            return f"{name}({room}, {args[0]})"
