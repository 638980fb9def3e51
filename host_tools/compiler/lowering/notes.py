"""What lowering learns about the names and expressions of a source, kept for the rules."""

from __future__ import annotations

from host_tools.compiler.symbols import Symbol, Value
from host_tools.compiler.types import Type


class Notes:
    """Filled while bodies are lowered; trees live as long as this, so nodes are known by `id`.

    symbols    id of the span of a name -> the variable or constant it means
    values     id of an expression -> its type, and its value where that is constant
    converted  implicit conversions: the value before, the type after
    """

    def __init__(self) -> None:
        self.symbols: dict[int, Symbol] = {}
        self.values: dict[int, Value] = {}
        self.converted: list[tuple[Value, Type]] = []
