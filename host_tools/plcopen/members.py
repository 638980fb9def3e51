"""Reads what CODESYS adds to PLCopen XML: methods, properties, interfaces, inheritance.

They stand in `addData`: Method and Property of a POU, Inheritance in its interface, Interface of
the project. Modifiers are in the declaration as text that goes with each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from host_tools.plcopen import model
from host_tools.plcopen.document import Element, text_lines
from host_tools.plcopen.report import Stop

if TYPE_CHECKING:
    from host_tools.plcopen.reader import Reader

_MODIFIERS = ("ABSTRACT", "FINAL", "PUBLIC", "PRIVATE", "PROTECTED", "INTERNAL", "OVERRIDE")
_HEAD = re.compile(
    r"\b(?:METHOD|PROPERTY|FUNCTION_BLOCK|INTERFACE)\b((?:\s+(?:"
    + "|".join(_MODIFIERS)
    + r")\b)*)",
    re.IGNORECASE,
)
_EXTENDS = re.compile(r"\bINTERFACE\b[^:;]*?\bEXTENDS\s+([\w.]+(?:\s*,\s*[\w.]+)*)", re.IGNORECASE)
_READ = {"Method", "Property", "Inheritance", "AccessModifiers", "InterfaceAsPlainText"}


def _data(element: Element | None) -> Iterator[Element]:
    """The vendor data of an element."""
    if element is not None:
        for added in element.all("addData"):
            yield from added.all("data")


def mark(reader: Reader, element: Element) -> None:
    """Vendor data of `element` and its interface that is read here is not told of."""
    interface = element.child("interface")
    lists = interface.children if interface is not None else []
    for holder in (element, interface, *lists):
        for data in _data(holder):
            if data.children and all(c.name in _READ for c in data.children):
                reader.understood.add(id(data))


def _declaration(element: Element) -> str:
    """The declaration as text, where it goes along."""
    holders = [element, *_data(element), *_data(element.child("interface"))]
    for holder in holders:
        plain = holder.child("InterfaceAsPlainText")
        if plain is not None:
            text = "\n".join(line.text for line in text_lines(plain))
            return re.sub(r"//[^\n]*|\(\*.*?\*\)|\{.*?\}", " ", text, flags=re.DOTALL)
    return ""


def _modifiers(element: Element) -> tuple[str, ...]:
    found = _HEAD.search(_declaration(element))
    if found is not None:
        return tuple(word.upper() for word in found[1].split())
    for data in (*_data(element), *_data(element.child("interface"))):
        access = data.child("AccessModifiers")
        if access is not None:
            given = [k for k, v in access.attributes.items() if v.strip() in ("true", "1")]
            given += [child.name for child in access.children]
            return tuple(m for m in _MODIFIERS if m in {g.upper() for g in given})
    return ()


def heritage(reader: Reader, element: Element) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    """Modifiers, base and interfaces of a POU."""
    extends: str = ""
    implements: list[str] = []
    for data in _data(element.child("interface")):
        inheritance = data.child("Inheritance")
        if inheritance is not None:
            reader.known(inheritance, "Extends", "Implements")
            extends = next((c.text for c in inheritance.all("Extends") if c.text), extends)
            for child in inheritance.all("Implements"):
                implements += [n.strip() for n in child.text.split(",") if n.strip()]
    return _modifiers(element), extends, tuple(implements)


def of_pou(
    reader: Reader, element: Element
) -> tuple[tuple[model.Pou, ...], tuple[model.Property, ...]]:
    """The methods and properties of a POU."""
    methods: list[model.Pou] = []
    properties: list[model.Property] = []
    for data in _data(element):
        for child in data.children:
            try:
                if child.name == "Method":
                    methods.append(_method(reader, child))
                elif child.name == "Property":
                    properties.append(_property(reader, child))
            except Stop:
                continue
    return tuple(methods), tuple(properties)


def _method(reader: Reader, element: Element, name: str = "") -> model.Pou:
    mark(reader, element)
    reader.known(element, "interface", "body", "InterfaceAsPlainText")
    name = name or reader.name(element)
    result, lists, comment = reader.interface(element)
    bodies = [body for b in element.all("body") for body in reader.body(b)]
    return model.Pou(
        name,
        "METHOD",
        result,
        tuple(lists),
        tuple(bodies),
        comment,
        element.place,
        modifiers=_modifiers(element),
    )


def _property(reader: Reader, element: Element) -> model.Property:
    mark(reader, element)
    reader.known(element, "interface", "GetAccessor", "SetAccessor", "InterfaceAsPlainText")
    name = reader.name(element)
    result, _, comment = reader.interface(element)
    if result is None:
        raise reader.report.stop(element.place, f"property '{name}' has no type")
    accessors = [element.child("GetAccessor"), element.child("SetAccessor")]
    getter, setter = (_method(reader, a, name) if a is not None else None for a in accessors)
    return model.Property(
        name, result, _modifiers(element), getter, setter, comment, element.place
    )


def interface(reader: Reader, element: Element) -> None:
    """An Interface of the project."""
    mark(reader, element)
    reader.known(element, "Methods", "Properties", "InterfaceAsPlainText", "interface")
    try:
        name = reader.name(element)
    except Stop:
        return
    _, base, more = heritage(reader, element)
    extends = [base, *more] if base else []
    found = _EXTENDS.search(_declaration(element))
    if found is not None:
        extends = [n.strip() for n in found[1].split(",")]
    methods, properties = list(of_pou(reader, element)[0]), list(of_pou(reader, element)[1])
    for group, one in (("Methods", "Method"), ("Properties", "Property")):
        for holder in element.all(group):
            reader.known(holder, one)
            for child in holder.all(one):
                try:
                    if one == "Method":
                        methods.append(_method(reader, child))
                    else:
                        properties.append(_property(reader, child))
                except Stop:
                    continue
    reader.interfaces.append(
        model.Interface(
            name,
            tuple(extends),
            tuple(methods),
            tuple(properties),
            reader.comment(element),
            element.place,
        )
    )
