"""Finds the variable that a path in takt.toml names, in the layout of a compiled program."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from host_tools.compiler.diagnostics import nearest
from host_tools.compiler.types import ELEMENTARY

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Place:
    """A variable in the image. `type` is the layout's, `bit` that of a located BOOL."""

    path: str
    type: Any
    offset: int
    bit: int | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """Why there is no such variable, and what to write instead."""

    text: str
    help: str = ""


def scalar_kind(type_: Any, types: dict[str, Any] | None = None) -> str | None:
    """The kind of an elementary or enumerated type of the layout, None for others."""
    if isinstance(type_, list) and type_[0] == "enum" and types is not None:
        type_ = types[type_[1]]["base"]
    found = ELEMENTARY.get(type_) if isinstance(type_, str) else None
    return found.kind if found else None


def find(layout: dict[str, Any], path: str) -> Place | NotFound:
    """The variable at `path`: names, `.field` and `[index]`, not case-sensitive."""
    rows = layout["vars"]
    fold = path.upper().replace(" ", "")
    best: dict[str, Any] | None = None
    for row in rows:
        name = row["path"].upper()
        if fold == name or (fold.startswith(name) and fold[len(name)] in ".["):
            best = row if best is None or len(row["path"]) > len(best["path"]) else best
    if best is None:
        return _unknown(path, (row["path"] for row in rows))
    place = Place(
        best["path"],
        best["type"],
        best["offset"],
        best.get("bit"),
    )
    rest, at = path.replace(" ", "")[len(best["path"]) :], 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            return NotFound(f"'{path}' is not the name of a variable")
        at = step.end()
        inner = _field(layout, place, step[1]) if step[1] else _element(layout, place, step[2])
        if isinstance(inner, NotFound):
            return inner
        place = inner
    return place


def _unknown(path: str, names: Iterable[str]) -> NotFound:
    names = list(names)
    close = nearest(path, names)
    if close is None:
        # Somebody who left the instance out: `level` for `main.level`.
        ends = [n for n in names if n.upper().endswith("." + path.upper())]
        close = ends[0] if ends else None
    return NotFound(
        f"the program has no variable '{path}'", f"did you mean '{close}'?" if close else ""
    )


def _field(layout: dict[str, Any], place: Place, name: str) -> Place | NotFound:
    if not (isinstance(place.type, list) and place.type[0] == "struct"):
        return NotFound(f"{place.path} has no fields")
    fields = layout["types"][place.type[1]]["fields"]
    for field_name, type_, offset, *_ in fields:
        if field_name.upper() == name.upper():
            return Place(f"{place.path}.{field_name}", type_, place.offset + offset)
    names = [f[0] for f in fields]
    close = nearest(name, names)
    return NotFound(
        f"{place.path} has no field '{name}'",
        f"did you mean '{close}'?" if close else f"its fields are: {', '.join(names)}",
    )


def _element(layout: dict[str, Any], place: Place, text: str) -> Place | NotFound:
    if not (isinstance(place.type, list) and place.type[0] == "array"):
        return NotFound(f"{place.path} is not an array")
    _, bounds, element, size = place.type
    parts = text.split(",")
    if not all(re.fullmatch(r"-?\d{1,9}", p) for p in parts) or len(parts) != len(bounds):
        return NotFound(f"{place.path} has {len(bounds)} indices, whole numbers")
    number = 0
    for part, (low, high) in zip(parts, bounds, strict=True):
        if not low <= int(part) <= high:
            return NotFound(f"{part} is outside of {place.path}, which goes from {low} to {high}")
        number = number * (high - low + 1) + int(part) - low
    return Place(f"{place.path}[{text}]", element, place.offset + number * size)


def element_count(type_: Any) -> int:
    """Elements of an array type, 1 for others."""
    if not (isinstance(type_, list) and type_[0] == "array"):
        return 1
    count = 1
    for low, high in type_[1]:
        count *= high - low + 1
    return count
