"""Collects what the sources declare; finds POUs, types and variables by their names."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from host_tools.compiler import fields, foreign, heritage, library_index, tree, type_specs
from host_tools.compiler.constant_values import Constants
from host_tools.compiler.diagnostics import Label, Reporter, did_you_mean
from host_tools.compiler.scopes import Scopes
from host_tools.compiler.sfc_state import state_type
from host_tools.compiler.source import Source, Span
from host_tools.compiler.symbols import Symbol
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ELEMENTARY,
    UNKNOWN,
    ArrayType,
    EnumType,
    FbType,
    InterfaceType,
    RefType,
    Type,
)

if TYPE_CHECKING:
    from host_tools.compiler.lowering.body import Body

_UNDER_ANY = (
    *("DERIVED", "ELEMENTARY", "MAGNITUDE", "NUM", "REAL", "INT", "UNSIGNED", "SIGNED"),
    *("DURATION", "BIT", "CHARS", "STRING", "CHAR", "DATE"),
)
GENERIC = frozenset(["ANY", *(f"ANY_{one}" for one in _UNDER_ANY)])
"""The generic types of the standard's own functions (IEC 61131-3:2013, Figure 5)."""


class Declarations:
    """Everything the sources declare, by folded name; types and constants are resolved on demand,
    so that the order of declarations does not matter."""

    def __init__(
        self, units: Iterable[tree.Unit], sources: list[Source], reporter: Reporter
    ) -> None:
        self.reporter = reporter
        self.sources = sources
        self.units = list(units)
        self.pous: dict[str, tree.Pou] = {}
        self._library_pous: dict[str, tree.Pou] = {}
        self.type_decls: dict[str, tree.TypeDecl] = {}
        self.globals: dict[str, tree.Declared] = {}
        self.enum_values: dict[str, list[tuple[EnumType, int]]] = {}
        self.configurations: list[tree.Configuration] = []
        self.configured: list[tree.Declared] = []
        """What VAR_CONFIG says of variables, by their paths."""
        self.global_symbols: dict[str, Symbol] = {}
        self.static_symbols: dict[int, Symbol] = {}
        self.longest_string = 80
        self.default_images: dict[int, tuple[Type, bytes]] = {}
        """The initial values of structures and blocks, by the identity of their types."""
        self.binding: dict[int, bool] = {}
        """Whether instances of these types may hold references into themselves."""
        self._types: dict[str, Type] = {}
        self.new_body: Callable[[], Body] | None = None
        self._resolving: list[str] = []
        self._open_references: list[tuple[RefType, tree.RefSpec]] = []
        self._fb_types: dict[int, FbType] = {}
        self.interfaces: dict[str, tree.Interface] = {}
        self.interface_types: dict[int, InterfaceType] = {}
        self.base_names: set[str] = set()
        self.type_ids: set[int] = set()
        self.families: dict[int, list[FbType]] | None = None
        self.instantiated: set[int] = set()
        self.scopes: dict[object, dict[str, Symbol]] = {}
        self.constants = Constants(self)
        self.has_mocks = False
        self.test_sources: frozenset[int] = frozenset()
        self._extents: dict[Source, list[tuple[int, tree.Pou | tree.TestBlock]]] = {}
        self.naming = Scopes(self.units, reporter, self._declared_at, self._all_names)
        self._collect()

    # --- collecting --------------------------------------------------------------------------

    def _collect(self) -> None:
        for unit in self.units:
            for d in unit.declarations:
                match d:
                    case tree.Pou():
                        self._add_extent(d)
                        if self._is_new(d.name):
                            self.pous[fold(d.name.name)] = d
                        self.base_names.update([fold(tree.short_name(b.name)) for b in d.extends])
                        if d.kind == "PROGRAM":
                            self._add_globals([b for b in d.blocks if b.kind == "VAR_GLOBAL"])
                    case tree.Interface():
                        if self._is_new(d.name):
                            self.interfaces[fold(d.name.name)] = d
                    case tree.TypeDecl():
                        if self._is_new(d.name):
                            self.type_decls[fold(d.name.name)] = d
                    case tree.GlobalVars():
                        self._add_globals([self.naming.listed(d)])
                    case tree.TestBlock():
                        self._add_extent(d)
                    case tree.Configuration():
                        self._add_configuration(d)
        self.naming.add_lists(self.units)
        self.naming.check_directives()
        for type_decl in self.type_decls.values():
            if isinstance(type_decl.spec, tree.EnumSpec):
                self.declared_type(type_decl)

    def _add_extent(self, pou: tree.Pou | tree.TestBlock) -> None:
        self._extents.setdefault(pou.span.source, []).append((pou.span.start, pou))

    def enclosing(self, span: Span) -> tree.Pou | tree.TestBlock | None:
        """The POU or test in whose text `span` lies."""
        extents = self._extents.get(span.source, [])
        at = bisect_right(extents, span.start, key=lambda e: e[0]) - 1
        if at < 0 or extents[at][1].span.end < span.end:
            return None
        return extents[at][1]

    def _declared_at(self, key: str) -> Span | None:
        """Where something is declared, by its full name in upper case."""
        if key in self.pous:
            return self.pous[key].name.span
        if key in self.type_decls:
            return self.type_decls[key].name.span
        if key in self.interfaces:
            return self.interfaces[key].name.span
        return self.globals[key][2].span if key in self.globals else None

    def _all_names(self) -> list[str]:
        """The full names of everything that is declared."""
        names = [d.name.name for d in self.pous.values()]
        names += [d.name.name for d in self.type_decls.values()]
        return names + [ident.name for _, _, ident in self.globals.values()]

    def declared_type(self, decl: tree.TypeDecl) -> Type:
        """The type of a TYPE declaration."""
        return self._type_of(decl, fold(decl.name.name), decl.name.span)

    def _type_of(self, decl: tree.TypeDecl, key: str, span: Span) -> Type:
        if key in self._types:
            return self._types[key]
        if key in self._resolving:
            self._type_cycle(key, span)
            return UNKNOWN
        self._resolving.append(key)
        t = self.resolve(decl.spec, decl.name.name)
        self._resolving.pop()
        if isinstance(t, EnumType) and decl.pragmas and isinstance(decl.spec, tree.EnumSpec):
            t.strict = tree.has_attribute(decl.pragmas, "strict")
            t.qualified = tree.has_attribute(decl.pragmas, "qualified_only")
        self._types[key] = t
        self._complete_references()
        return t

    def _is_new(self, name: tree.Identifier) -> bool:
        key = fold(name.name)
        first = self._name_of(key)
        if first is None and key in self.globals:
            first = self.globals[key][2]
        if first is not None:
            self.duplicate(name, first.span)
            return False
        if key in ELEMENTARY:
            self.reporter.report(
                "E0202",
                f"'{name.name}' is the name of an elementary type",
                name.span,
                help="choose another name",
            )
        return True

    def _name_of(self, key: str) -> tree.Identifier | None:
        """The POU, type or interface that is called so."""
        found: tree.Pou | tree.TypeDecl | tree.Interface | None = self.pous.get(key)
        found = found or self.type_decls.get(key) or self.interfaces.get(key)
        return found.name if found is not None else None

    def _add_configuration(self, d: tree.Configuration) -> None:
        if self.configurations:
            self.reporter.report(
                "E0209",
                "there is a second CONFIGURATION",
                d.name.span,
                label="this one",
                others=[Label(self.configurations[0].name.span, "the first one")],
                help="a project has one CONFIGURATION; put the tasks of both into it",
            )
            return
        self.configurations.append(d)
        self._add_globals(d.globals)
        for resource in d.resources:
            self._add_globals(resource.globals)

    def _add_globals(self, blocks: Iterable[tree.VarBlock]) -> None:
        for block, decl, name in tree.declared(blocks):
            key = fold(name.name)
            if block.kind == "VAR_CONFIG":
                self.configured.append((block, decl, name))
            elif key in self.globals:
                self.duplicate(name, self.globals[key][2].span)
            elif (taken := self._name_of(key)) is not None:
                self.duplicate(name, taken.span)
            else:
                self.globals[key] = (block, decl, name)

    def duplicate(self, name: tree.Identifier, first: Span) -> None:
        self.reporter.report(
            "E0201",
            f"'{name.name}' is declared twice",
            name.span,
            label="declared again here",
            others=[Label(first, "first declared here")],
            help="rename one of them (upper and lower case make no difference)",
        )

    # --- POUs --------------------------------------------------------------------------------

    def find_pou(self, name: str, span: Span) -> tree.Pou | None:
        """A POU of the user or, loaded on demand, of the standard library. What stands in the
        library (`span` is there) means the library, whatever names the user has given."""
        own = None if span.source.library else self.pous.get(self.naming.full(name, span))
        return own or self.library_pou(name)

    def find_interface(self, name: str, span: Span) -> tree.Interface | None:
        """An INTERFACE by its name."""
        return None if span.source.library else self.interfaces.get(self.naming.full(name, span))

    def library_pou(self, name: str) -> tree.Pou | None:
        """A POU of the standard library, parsed when it is first asked for."""
        key = fold(name)
        pou = self._library_pous.get(key)
        if pou is not None:
            return pou
        entry = library_index.index().get(key)
        if entry is None:
            return None
        library_name = f"library/{entry.file}"
        known = [s.index for s in self.sources if s.library and s.name == library_name]
        number = known[0] if known else len(self.sources)
        if not known:
            self.sources.append(Source(library_name, "", number, library=True))
        pou = library_index.parse_entry(entry, number)
        self._add_extent(pou)
        self._library_pous[key] = pou
        return pou

    def pou_names(self) -> list[str]:
        """All names that can be called or instantiated, for suggestions."""
        own = [p.name.name for p in self.pous.values()]
        library = [e.name for e in library_index.index().values()]
        return own + [n for n in library if not n.startswith("__")]

    def cycle(self, names: list[str], span: Span, help_: str) -> None:
        chain = " → ".join([*names, names[0]])
        self.reporter.report("E0205", f"this declaration needs itself: {chain}", span, help=help_)

    def circle(self, names: list[str], span: Span) -> None:
        self.cycle(names, span, "remove one EXTENDS")

    def _type_cycle(self, key: str, span: Span) -> None:
        at = self._resolving.index(key)
        names = []
        for one in self._resolving[at:]:
            found = self.type_decls.get(one) or self.pous.get(one)
            names.append(found.name.name if found is not None else one)
        self.cycle(names, span, "break the circle with a reference: REF_TO …")

    # --- types -------------------------------------------------------------------------------

    def default_init(self, spec: tree.TypeSpec) -> tree.Expr | None:
        """The initial value that a TYPE declaration gives to its variables, if it does."""
        seen: set[str] = set()
        while isinstance(spec, tree.NamedType):
            key = self.naming.full(spec.name, spec.span)
            if key in seen:
                return None
            seen.add(key)
            decl = self.type_decls.get(key)
            if decl is None or decl.init is not None:
                return decl.init if decl is not None else None
            spec = decl.spec
        return None

    def named_type(self, name: str, span: Span) -> Type:
        key = fold(name)
        if not key:
            return UNKNOWN  # the parser found no type and said so
        if key in ELEMENTARY:
            return ELEMENTARY[key]
        key = self.naming.full(name, span)
        decl = self.type_decls.get(key)
        if decl is not None:
            return self._type_of(decl, key, span)
        interface = self.find_interface(name, span)
        if interface is not None:
            return heritage.interface_type(self, interface)
        pou = self.find_pou(name, span)
        if pou is not None and pou.kind == "FUNCTION_BLOCK":
            return self.fb_type(pou, span)
        if pou is not None:
            self.reporter.report(
                "E0204",
                f"'{name}' is a {pou.kind}, not a type",
                span,
                label="a type is needed here",
                help="only types and function blocks can be declared as variables",
            )
            return UNKNOWN
        if key in GENERIC:
            self.reporter.report(
                "E0338",
                f"{key} stands for many types and goes with standard functions only",
                span,
                label="one type is needed here",
                help="write one type, and a FUNCTION for each other type that is needed",
            )
            return UNKNOWN
        known = [*ELEMENTARY, "STRING", "WSTRING", *self.pou_names()]
        known += [d.name.name for d in self.type_decls.values()]
        known += [d.name.name for d in self.interfaces.values()]
        self.reporter.report(
            "E0203",
            f"there is no type '{name}'",
            span,
            label="not found",
            help=foreign.type_advice(name)
            or did_you_mean(name, known)
            or "declare it with TYPE … END_TYPE",
        )
        return UNKNOWN

    def resolve(self, spec: tree.TypeSpec, name: str = "", parameter: bool = False) -> Type:
        """The type that `spec` means; `name` where a TYPE declaration gives it one. A `parameter`
        may be ARRAY[*]."""
        match spec:
            case tree.NamedType():
                return self.named_type(spec.name, spec.span)
            case tree.StringSpec():
                return type_specs.string(self, spec)
            case tree.ArraySpec():
                return type_specs.array(self, spec, parameter)
            case tree.StructSpec():
                return fields.struct(self, spec, name)
            case tree.EnumSpec():
                return type_specs.enum(self, spec, name)
            case tree.SubrangeSpec():
                return type_specs.subrange(self, spec, name)
            case tree.RefSpec():
                return self._reference(spec)
            case tree.StepSpec() | tree.ControlSpec() | tree.SfcSpec():
                return state_type(spec)
        return UNKNOWN

    def _reference(self, spec: tree.RefSpec) -> Type:
        t = RefType(UNKNOWN, spec.kind)
        self._open_references.append((t, spec))
        self._complete_references()
        return t

    def _complete_references(self) -> None:
        """Resolve what references are to, once no type is half done: they may be to that type."""
        while self._open_references and not self._resolving:
            t, spec = self._open_references.pop()
            t.target = self.resolve(spec.target)
            seen: list[Type] = [t]
            inner = t.target
            while isinstance(inner, RefType | ArrayType):
                if any(inner is other for other in seen):
                    self.cycle([spec.span.text], spec.span, "refer to a STRUCT that holds it")
                    t.target = UNKNOWN
                    break
                seen.append(inner)
                inner = inner.target if isinstance(inner, RefType) else inner.element

    def fb_type(self, pou: tree.Pou, span: Span | None = None) -> FbType:
        """The layout of the instances of a function block; `span` is where it is mentioned."""
        known = self._fb_types.get(id(pou))
        if known is not None:
            return known
        key = fold(pou.name.name)
        t = FbType(pou.name.name, pou)
        if pou.name.span.source.library:
            t.aliases.update(library_index.LONG_NAMES.get(key, {}))
        if key in self._resolving:
            self._type_cycle(key, span or pou.name.span)
            return t
        self._resolving.append(key)
        heritage.inherit(self, t)
        fields.lay_out(self, t)
        self._resolving.pop()
        fields.close(self, t, pou.name.span)
        self._fb_types[id(pou)] = t
        self._complete_references()
        return t
