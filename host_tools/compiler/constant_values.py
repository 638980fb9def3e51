"""Evaluates constant expressions, and gives what is declared CONSTANT its value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from host_tools.compiler import heritage, tree
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Symbol, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    UNKNOWN,
    ArrayType,
    Elementary,
    EnumType,
    FbType,
    StringType,
    StructType,
    SubrangeType,
    Type,
    Unknown,
    is_integer,
)

if TYPE_CHECKING:
    from host_tools.compiler.declarations import Declarations


class Constants:
    """The constants of the sources, evaluated when they are first asked for."""

    def __init__(self, names: Declarations) -> None:
        self._names = names
        self._known: dict[int, Symbol | None] = {}
        self._evaluating: list[tree.Identifier] = []
        self._locals: dict[int, dict[str, tree.Declared]] = {}

    def value(self, node: tree.Expr, expected: Type | None, what: str) -> Value | None:
        """The value of an expression that must be constant (bounds, lengths, initial values)."""
        from host_tools.compiler.lowering.body import Body
        from host_tools.compiler.lowering.expressions import convert, expression

        body = Body.for_constants(self._names)
        value = expression(body, node, expected)
        if expected is not None:
            value = convert(body, value, expected)
        if isinstance(value.type, Unknown):
            return None
        if value.const is None:
            self._names.reporter.report(
                "E0210",
                f"{what} must be constant",
                node.span,
                label="this is only known when the program runs",
                help="use literals and variables declared CONSTANT",
            )
            return None
        return value

    def integer(self, node: tree.Expr | None, what: str) -> int | None:
        if node is None:
            return None
        value = self.value(node, None, what)
        if value is None:
            return None
        if isinstance(value.const, int) and (
            isinstance(value.type, EnumType | SubrangeType) or is_integer(value.type)
        ):
            return value.const
        self._names.reporter.report(
            "E0211",
            f"{what} must be an integer, not {value.type}",
            node.span,
            help="use a whole number or an integer CONSTANT",
        )
        return None

    def global_symbol(self, name: str, span: Span | None = None) -> Symbol | None:
        """The symbol of a scalar VAR_GLOBAL CONSTANT by its name at `span`, or by its full name;
        or None."""
        key = fold(name) if span is None else self._names.naming.full(name, span)
        entry = self._names.globals.get(key)
        if entry is None or "CONSTANT" not in entry[0].qualifiers:
            return None
        if entry[1].location is not None:
            return None
        return self.symbol(*entry)

    def local_symbol(self, name: str, span: Span) -> Symbol | None:
        """What `name` means in a constant expression at `span` by the declarations of the POU
        around it. A variable is a symbol without a place: only its declaration matters."""
        pou = self._names.enclosing(span)
        if pou is None:
            return None
        for around in self._around(pou, span):
            locals_ = self._locals.get(id(around))
            if locals_ is None:
                locals_ = self._locals[id(around)] = {}
                for found in tree.declared(around.blocks):
                    if found[0].kind != "VAR_EXTERNAL":
                        locals_.setdefault(fold(found[2].name), found)
            if fold(name) in locals_:
                block, decl, ident = locals_[fold(name)]
                constant = "CONSTANT" in block.qualifiers and decl.location is None
                symbol = self.symbol(block, decl, ident) if constant else None
                return symbol or Symbol(ident.name, UNKNOWN, "nowhere", 0, ident.span, block.kind)
        return None

    def _around(
        self, pou: tree.Pou | tree.TestBlock, span: Span
    ) -> Iterator[tree.Pou | tree.TestBlock]:
        """The method at `span`, the POU or test it is in, and what that extends."""
        if isinstance(pou, tree.TestBlock):
            yield pou
            return
        for _, method in heritage.own_members(pou.methods, pou.properties):
            if method.span.start <= span.start < method.span.end:
                yield method
        seen: list[tree.Pou] = []
        one: tree.Pou | None = pou
        while one is not None and all(one is not other for other in seen):
            seen.append(one)
            yield one
            base = one.extends[0] if one.extends else None
            one = self._names.find_pou(base.name, base.span) if base is not None else None

    def symbol(
        self, block: tree.VarBlock, decl: tree.VarDecl, name: tree.Identifier
    ) -> Symbol | None:
        """A symbol without storage for a scalar CONSTANT; None for arrays and structures."""
        if id(name) in self._known:
            return self._known[id(name)]
        if any(name is other for other in self._evaluating):
            return self._endless(name, block)
        self._evaluating.append(name)
        symbol = self._symbol(block, decl, name)
        self._evaluating.pop()
        return self._known.setdefault(id(name), symbol)

    def _symbol(
        self, block: tree.VarBlock, decl: tree.VarDecl, name: tree.Identifier
    ) -> Symbol | None:
        t = self._names.resolve(decl.type)
        if isinstance(t, ArrayType | StructType | FbType):
            return None
        if isinstance(t, Unknown):
            return Symbol(name.name, t, "const", 0, name.span, block.kind, is_constant=True)
        init = decl.init if decl.init is not None else self._names.default_init(decl.type)
        symbol = Symbol(name.name, t, "const", 0, name.span, block.kind, is_constant=True)
        if init is None:
            symbol.constant = default_value(t)
            return symbol
        value = self.value(init, t, f"the value of constant '{name.name}'")
        if value is None:
            symbol.type, symbol.constant = UNKNOWN, 0
        else:
            symbol.constant = value.const
        return symbol

    def _endless(self, name: tree.Identifier, block: tree.VarBlock) -> Symbol:
        """`name` is needed for its own value: it gets none."""
        at = next(i for i, other in enumerate(self._evaluating) if other is name)
        circle = self._evaluating[at:]
        self._names.cycle(
            [n.name for n in circle], name.span, "give one of them a value of its own"
        )
        symbol = Symbol(name.name, UNKNOWN, "const", 0, name.span, block.kind, is_constant=True)
        return self._known.setdefault(id(name), symbol) or symbol


def default_value(t: Type) -> int | float | bytes:
    """The default initial value of a scalar type (IEC 61131-3:2013 Table 10)."""
    if isinstance(t, EnumType):
        return t.default
    if isinstance(t, SubrangeType):
        return t.low
    if isinstance(t, StringType):
        return b""
    if isinstance(t, Elementary) and t.group == "real":
        return 0.0
    return 0
