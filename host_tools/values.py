"""Values as an engineer writes them in Structured Text, for terminals."""

from __future__ import annotations

from typing import Any

from host_tools.variables import Variable, Variables

_TIMES = ("TIME", "LTIME")
_MOST = 12


def value_text(variables: Variables, variable: Variable, value: Any) -> str:
    """`value`, in the form Variables.read gives it, as Structured Text."""
    return _text(variables, variable.type, value)


def _text(variables: Variables, type_: Any, value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(type_, str):
        if type_ in _TIMES:
            return time_text(value)
        return repr(value) if isinstance(value, float) else str(value)
    kind = type_[0]
    if kind in ("string", "wstring"):
        quote = "'" if kind == "string" else '"'
        return quote + "".join(c if c.isprintable() else f"${ord(c):02X}" for c in value) + quote
    if kind == "array":
        shown = [_text(variables, type_[2], v) for v in value[:_MOST]]
        return f"[{', '.join(shown)}{', …' if len(value) > _MOST else ''}]"
    if kind == "struct":
        described = variables.types[type_[1]]
        shown = [
            f"{name} := {_text(variables, field_type, value[name])}"
            for name, field_type, _, section, *_ in described["fields"]
            if section != "VAR" or described["kind"] == "struct"
        ]
        return f"({', '.join(shown)})"
    return str(value)


def time_text(ns: int) -> str:
    """A TIME literal (IEC 61131-3:2013, 6.3.4)."""
    if ns == 0:
        return "T#0s"
    parts, rest = [], abs(ns)
    for unit, size in (
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return f"T#{'-' if ns < 0 else ''}{''.join(parts)}"


def extent(variables: Variables, variable: Variable) -> tuple[int, int]:
    """The byte range (offset, size) of a variable of any type."""
    end = variable.offset + 1
    for leaf in variables.leaves(variable):
        type_ = leaf.type
        if isinstance(type_, list) and type_[0] in ("string", "wstring"):
            size = 4 + type_[1] * (2 if type_[0] == "wstring" else 1)
        elif isinstance(type_, list) and type_[0] == "enum":
            base = variables.types[type_[1]]["base"]
            size = Variable("", base, 0).size
        else:
            size = leaf.size or 4  # a reference is an image offset
        end = max(end, leaf.offset + size)
    return variable.offset, end - variable.offset
