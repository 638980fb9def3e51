"""Writes types, variable lists, POUs and configurations as ST."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from host_tools.plcopen import model
from host_tools.plcopen.scope import Scope
from host_tools.plcopen.statements import comment_lines
from host_tools.plcopen.structure import indented

_WIDTH = 99


def type_text(type_: model.Type) -> str:
    """A type where it is used, on one line."""
    if isinstance(type_, model.Named):
        return type_.name
    if isinstance(type_, model.Array):
        ranges = ", ".join(f"{low}..{high}" for low, high in type_.ranges)
        return f"ARRAY[{ranges}] OF {type_text(type_.element)}"
    if isinstance(type_, model.Enum):
        values = ", ".join(n if v is None else f"{n} := {v}" for n, v in type_.values)
        return (f"{type_text(type_.base)} " if type_.base else "") + f"({values})"
    if isinstance(type_, model.Subrange):
        return f"{type_text(type_.base)}({type_.low}..{type_.high})"
    if isinstance(type_, model.Pointer):
        return f"POINTER TO {type_text(type_.target)}"
    fields = " ".join(
        f"{f.name} : {type_text(f.type)}{_initial(f.initial)};" for f in type_.fields
    )
    return f"STRUCT {fields} END_STRUCT"


def value_text(value: model.Value) -> str:
    """An initial value."""
    if isinstance(value, model.ArrayValue):
        parts = []
        for count, element in value.elements:
            text = value_text(element)
            parts.append(text if count == "1" else f"{count}({text})")
        return f"[{', '.join(parts)}]"
    if isinstance(value, model.StructValue):
        return f"({', '.join(f'{n} := {value_text(v)}' for n, v in value.fields)})"
    return " ".join(value.split()) if "\n" in value else value


def _initial(value: model.Value | None) -> str:
    return "" if value is None else f" := {value_text(value)}"


def _with_comment(line: str, comment: Sequence[str]) -> list[str]:
    """A declaration with its comment behind it, or above it where that is too long."""
    said = [c for c in comment_lines(comment) if c != "//"]
    if not said:
        return [line]
    if len(said) == 1 and len(line) + len(said[0]) + 6 <= _WIDTH:
        return [f"{line}  {said[0]}"]
    return [*said, line]


def data_types(types: Iterable[model.DataType]) -> list[str]:
    """A TYPE block with all types, or nothing."""
    lines: list[str] = []
    for t in types:
        if lines:
            lines.append("")
        lines += comment_lines(t.comment)
        if isinstance(t.type, model.Struct):
            lines.append(f"{t.name} : STRUCT")
            for f in t.type.fields:
                lines += indented(_variable(f))
            lines.append(f"END_STRUCT{_initial(t.initial)};")
        elif isinstance(t.type, model.Enum) and len(type_text(t.type)) > 70:
            base = f"{type_text(t.type.base)} " if t.type.base else ""
            lines.append(f"{t.name} : {base}(")
            values = [n if v is None else f"{n} := {v}" for n, v in t.type.values]
            lines += indented([f"{v}," for v in values[:-1]] + values[-1:])
            lines.append(f"){_initial(t.initial)};")
        else:
            lines.append(f"{t.name} : {type_text(t.type)}{_initial(t.initial)};")
    return ["TYPE", *indented(lines), "END_TYPE"] if lines else []


def _variable(v: model.Variable) -> list[str]:
    at = f" AT {v.address}" if v.address else ""
    return _with_comment(f"{v.name}{at} : {type_text(v.type)}{_initial(v.initial)};", v.comment)


def var_list(one: model.VarList) -> list[str]:
    """A VAR block; nothing where it is empty."""
    if not one.variables:
        return []
    lines = comment_lines(one.comment)
    lines.append(" ".join((one.kind, *one.qualifiers)))
    for v in one.variables:
        if one.kind == "VAR_EXTERNAL" and v.initial is not None:
            v = model.Variable(v.name, v.type, None, None, v.comment, v.place)
        lines += indented(_variable(v))
    return [*lines, "END_VAR"]


def pou(one: model.Pou, scope: Scope | None, body: Sequence[str]) -> list[str]:
    """A whole POU or method; `scope` has the variables that the translation added."""
    head = " ".join((one.kind, *one.modifiers, one.name))
    if one.extends:
        head += f" EXTENDS {one.extends}"
    if one.implements:
        head += f" IMPLEMENTS {', '.join(one.implements)}"
    if one.result is not None:
        head += f" : {type_text(one.result)}"
    lines = [*comment_lines(one.comment), head]
    for declared in one.lists:
        lines += indented(var_list(declared))
    lines += indented(added(scope))
    if body:
        lines += [*([""] if one.kind != "METHOD" else []), *indented(body)]
    return [*lines, f"END_{one.kind}"]


def added(scope: Scope | None) -> list[str]:
    """The variables that the translation of a body has made."""
    lines: list[str] = []
    for kind in ("VAR", "VAR_TEMP"):
        made = [(n, t) for k, n, t in scope.made if k == kind] if scope is not None else []
        if made:
            lines += [f"{kind}  // added by the import"]
            lines += indented([f"{n} : {type_text(t)};" for n, t in made])
            lines += ["END_VAR"]
    return lines


def configuration(one: model.Configuration) -> list[str]:
    lines = [*comment_lines(one.comment), f"CONFIGURATION {one.name}"]
    for g in one.globals:
        lines += indented(var_list(g))
    for r in one.resources:
        inner: list[str] = []
        for g in r.globals:
            inner += var_list(g)
        for t in r.tasks:
            given = [f"SINGLE := {t.single}"] if t.single else []
            given += [f"INTERVAL := {t.interval}"] if t.interval else []
            given.append(f"PRIORITY := {t.priority}")
            inner += _with_comment(f"TASK {t.name}({', '.join(given)});", t.comment)
        for t in r.tasks:
            for p in t.programs:
                inner += _with_comment(f"PROGRAM {p.name} WITH {t.name} : {p.type};", p.comment)
        for p in r.programs:
            inner += _with_comment(f"PROGRAM {p.name} : {p.type};", p.comment)
        lines += indented(
            [*comment_lines(r.comment), f"RESOURCE {r.name} ON PLC", *indented(inner),
             "END_RESOURCE"]
        )  # fmt: skip
    return [*lines, "END_CONFIGURATION"]


def global_lists(lists: Iterable[model.VarList]) -> list[str]:
    lines: list[str] = []
    for one in lists:
        lines += [*([""] if lines else []), *var_list(one)]
    return lines


def file_name(text: str) -> str:
    """A file name for a POU, the same on every file system."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", text)
