"""Methods, properties and interfaces as Structured Text."""

from __future__ import annotations

from dataclasses import replace

from host_tools.plcopen import declarations, model
from host_tools.plcopen.report import Report, Stop
from host_tools.plcopen.scope import Declared, Scope
from host_tools.plcopen.sfc import statements_of
from host_tools.plcopen.statements import comment_lines
from host_tools.plcopen.structure import indented


def member_lines(owner: model.Pou, names: Declared, report: Report) -> list[str]:
    """The methods and properties of a POU as ST."""
    lines: list[str] = []
    for one in owner.methods:
        lines += ["", *_method_lines(one, owner, names, report)]
    for prop in owner.properties:
        lines += ["", *_property_lines(prop, owner, names, report)]
    return lines


def interface_lines(one: model.Interface) -> list[str]:
    head = f"INTERFACE {one.name}"
    if one.extends:
        head += f" EXTENDS {', '.join(one.extends)}"
    lines = [*comment_lines(one.comment), head]
    for method in one.methods:
        lines += indented(
            _method_lines(replace(method, modifiers=(), bodies=()), None, None, None)
        )
    for prop in one.properties:
        lines += indented(_property_lines(replace(prop, modifiers=()), None, None, None))
    return [*lines, "END_INTERFACE"]


def _statements(
    one: model.Pou, owner: model.Pou | None, names: Declared | None, report: Report | None
) -> tuple[Scope | None, list[str]]:
    """What a method does; it sees the variables of its function block, too."""
    if owner is None or names is None or report is None:
        return None, []
    around = replace(one, kind="FUNCTION", lists=(*one.lists, *owner.lists))
    scope = Scope(around, names)
    lines: list[str] = []
    for body in one.bodies:
        try:
            lines += statements_of(body, scope, report)
        except Stop:
            continue
    return scope, lines


def _method_lines(
    one: model.Pou, owner: model.Pou | None, names: Declared | None, report: Report | None
) -> list[str]:
    scope, body = _statements(one, owner, names, report)
    return declarations.pou(one, scope, body)


def _property_lines(
    one: model.Property, owner: model.Pou | None, names: Declared | None, report: Report | None
) -> list[str]:
    head = " ".join(("PROPERTY", *one.modifiers, one.name))
    lines = [*comment_lines(one.comment), f"{head} : {declarations.type_text(one.type)}"]
    for word, accessor in (("GET", one.getter), ("SET", one.setter)):
        if accessor is None:
            continue
        given = accessor if owner is not None else replace(accessor, bodies=())
        result = one.type if word == "GET" else None
        scope, body = _statements(replace(given, result=result), owner, names, report)
        inner: list[str] = []
        for declared in given.lists:
            inner += indented(declarations.var_list(declared))
        inner += indented(declarations.added(scope))
        lines += indented([word, *inner, *indented(body), f"END_{word}"])
    return [*lines, "END_PROPERTY"]
