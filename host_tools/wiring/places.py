"""Finds the variable that a path in takt.toml names, in the layout of a compiled program."""

from __future__ import annotations

from typing import Any

from host_tools.record import record
from host_tools.variables import SCALARS, Variable, VariableError, Variables


@record(frozen=True)
class NotFound:
    """Why there is no such variable, and what to write instead."""

    text: str
    help: str = ""


def find(variables: Variables, path: str) -> Variable | NotFound:
    """The variable at `path`: names, `.field` and `[index]`, not case-sensitive."""
    try:
        return variables.find(path.replace(" ", ""))
    except VariableError as error:
        text, _, help = str(error).partition("; ")
        return NotFound(text, help)


def scalar_kind(type_: Any, types: dict[str, Any]) -> str | None:
    """The kind of an elementary or enumerated type of the layout, None for others."""
    if isinstance(type_, list) and type_[0] == "enum":
        type_ = types[type_[1]]["base"]
    return SCALARS.get(type_) if isinstance(type_, str) else None


def element_count(type_: Any) -> int:
    """Elements of an array type, 1 for others."""
    if not (isinstance(type_, list) and type_[0] == "array"):
        return 1
    count = 1
    for low, high in type_[1]:
        count *= high - low + 1
    return count
