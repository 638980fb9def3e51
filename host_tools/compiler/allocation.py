"""Gives variables their places in the image: globals, program variables, statics, constants."""

from __future__ import annotations

from host_tools.compiler import fields, tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.fields import MAX_BYTES, init_arguments
from host_tools.compiler.heritage import own_members
from host_tools.compiler.layout import Allocated, Image
from host_tools.compiler.lowering.configuration import mark_blocks
from host_tools.compiler.lowering.instances import Direct, Instances
from host_tools.compiler.lowering.pou import located_symbol
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import ProgramInstance, Symbol
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import (
    BOOL,
    UDINT,
    UNKNOWN,
    ArrayType,
    FbType,
    StructType,
    Type,
    Unknown,
)

_OF_PROGRAM = ("VAR", "VAR_INPUT", "VAR_OUTPUT", "VAR_STAT", "STEP", "HIDDEN")


class Allocation:
    """The variables of one program in `image`. `instances` are the symbols of each instance of a
    program, by its name; `constants` what `static_constant` placed."""

    def __init__(
        self,
        names: Declarations,
        image: Image,
        configured: Instances,
        direct: Direct,
        for_tests: bool,
    ) -> None:
        self._names = names
        self._image = image
        self._configured = configured
        self._direct = direct
        self._for_tests = for_tests
        self._retained: list[tuple[Allocated, Symbol]] = []
        self.instances: dict[str, dict[str, Symbol]] = {}
        self.constants: dict[tuple[int, int], tuple[int, Type, tree.Expr | None]] = {}
        self.range_cell: int | None = None
        self.oversized = False

    def place(self, instances: list[ProgramInstance]) -> None:
        """Place globals and program variables, but for those of the retain range."""
        for key, (block, decl, ident) in self._names.globals.items():
            if self._names.constants.global_symbol(ident.name) is not None:
                continue
            symbol = self._variable(block, decl, ident, ident.name, False)
            if symbol is not None:
                self._names.global_symbols[key] = symbol
        for instance in instances:
            symbols: dict[str, Symbol] = {}
            for block, decl, ident in declared(instance.pou.blocks):
                if block.kind not in _OF_PROGRAM:
                    continue
                if "CONSTANT" in block.qualifiers:
                    continue
                path = f"{instance.name}.{ident.name}"
                at = len(self._image.variables)
                symbol = self._variable(block, decl, ident, path, instance.retain)
                for entry in self._image.variables[at:]:
                    entry.symbols = symbols
                if symbol is None:
                    continue
                if fold(ident.name) in symbols:
                    self._names.duplicate(ident, symbols[fold(ident.name)].span)
                symbols.setdefault(fold(ident.name), symbol)
                if decl.edge is not None and block.kind == "VAR_INPUT":
                    symbol.edge = decl.edge
                    for what in ("edge", "before"):
                        name = f"{ident.name} {what}"
                        offset = self._image.take(BOOL)
                        hidden = Symbol(name, BOOL, "static", offset, ident.span)
                        symbols[fold(name)] = hidden
            mark_blocks(self._names, instance, symbols)
            self.instances[instance.name] = symbols
        self._allocate_static({id(i.pou) for i in instances})
        self._locate_hidden({id(i.pou) for i in instances})

    def place_retained(self) -> tuple[int, int]:
        """Place what is retained behind all the rest; returns the offset and size of its range."""
        self._image.align()
        start = self._image.at
        for variable, symbol in self._retained:
            variable.offset = symbol.offset = self._image.take(variable.type)
            self.check_size(symbol.span)
        return start, self._image.align() - start

    def _allocate_static(self, used: set[int]) -> None:
        """VAR_STAT of functions and function blocks: one variable for all calls and instances.
        A program that no task runs is only checked, unless tests do."""
        owners = [(p.name.name, p) for p in self._names.pous.values() if id(p) not in used]
        for pou in self._names.pous.values():
            for _, method in own_members(pou.methods, pou.properties):
                owners.append((f"{pou.name.name}.{method.name.name}", method))
        for owner, pou in owners:
            for block, decl, ident in declared(pou.blocks):
                if block.kind != "VAR_STAT" or "CONSTANT" in block.qualifiers:
                    continue
                if pou.kind == "PROGRAM" and not self._for_tests:
                    t = self._names.resolve(decl.type)
                    symbol = Symbol(ident.name, t, "static", 0, ident.span, block.kind)
                    self._names.static_symbols[id(ident)] = symbol
                    continue
                path = f"{owner}.{ident.name}"
                made = self._variable(block, decl, ident, path, False)
                if made is not None:
                    self._names.static_symbols[id(ident)] = made

    def _locate_hidden(self, used: set[int]) -> None:
        """Initial values of what function blocks declare AT an address; it has no path. In a build
        for tests a program is one."""
        kinds = ("FUNCTION_BLOCK",) if not self._for_tests else ("FUNCTION_BLOCK", "PROGRAM")
        for unit in self._names.units:
            for d in unit.declarations:
                if not isinstance(d, tree.Pou) or id(d) in used or d.kind not in kinds:
                    continue
                for block, decl, ident in declared(d.blocks):
                    if decl.location is None or decl.init is None:
                        continue
                    if decl.location.address is None:
                        continue
                    t = self._names.resolve(decl.type)
                    symbol = located_symbol(self._names, self._direct, block, decl, ident, t)
                    if symbol is not None and symbol.storage == "static":
                        place = Allocated(ident.name, t, symbol.offset, symbol.bit, init=decl.init)
                        place.hidden = True
                        self._image.variables.append(place)

    def _variable(
        self,
        block: tree.VarBlock,
        decl: tree.VarDecl,
        ident: tree.Identifier,
        path: str,
        always: bool,
    ) -> Symbol | None:
        t = self._names.resolve(decl.type)
        init = decl.init if decl.init is not None else self._names.default_init(decl.type)
        if decl.location is not None:
            if decl.location.address is None:
                decl = self._configured.completed(path, decl, ident)
                init = decl.init if decl.init is not None else init
                if decl.location is None or decl.location.address is None:
                    return Symbol(ident.name, UNKNOWN, "const", 0, ident.span)
            symbol = located_symbol(self._names, self._direct, block, decl, ident, t)
            if symbol is not None and symbol.storage == "static":
                self._image.variables.append(
                    Allocated(path, t, symbol.offset, symbol.bit, False, block.kind, init)
                )
            return symbol
        fields.no_abstract(self._names, t, decl.type.span)
        retain = always or bool({"RETAIN", "PERSISTENT"} & block.qualifiers) or _has_retained(t)
        retain = retain and "NON_RETAIN" not in block.qualifiers
        symbol = Symbol(ident.name, t, "static", 0, ident.span, block.kind)
        symbol.is_constant = "CONSTANT" in block.qualifiers
        entry = Allocated(path, t, 0, None, retain, block.kind, init, block.kind == "HIDDEN")
        entry.arguments = init_arguments(decl.type, t)
        self._image.variables.append(entry)
        if isinstance(t, Unknown):
            return symbol
        if retain:
            self._retained.append((entry, symbol))
        else:
            entry.offset = symbol.offset = self._image.take(t)
        self.check_size(ident.span)
        return symbol

    def check_size(self, span: Span) -> None:
        """Report, once, that the image becomes too large with what stands at `span`."""
        if self._image.at > MAX_BYTES and not self.oversized:
            self.oversized = True
            fields.too_large(self._names, "with this the image would take", self._image.at, span)

    def image_range(self) -> int:
        """Two UDINT in the image: where what pointers may point at begins and ends."""
        if self.range_cell is None:
            self.range_cell = self._image.take(ArrayType(((0, 1),), UDINT))
        return self.range_cell

    def static_constant(self, t: Type, init: tree.Expr | None, name: str) -> int:
        """Space for a constant array or structure of a POU, after the retain range."""
        key = (id(t), id(init))
        known = self.constants.get(key)
        if known is None:
            known = self.constants[key] = (self._image.take(t), t, init)
        return known[0]


def _has_retained(t: Type) -> bool:
    while isinstance(t, ArrayType):
        t = t.element
    return isinstance(t, FbType | StructType) and any(
        f.retain or _has_retained(f.type) for f in t.fields.values()
    )
