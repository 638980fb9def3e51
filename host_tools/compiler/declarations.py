"""Collects what the sources declare; resolves types, constants and the layout of instances."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from host_tools.compiler import foreign, heritage, library_index, relative, tree
from host_tools.compiler.diagnostics import Label, Reporter, did_you_mean
from host_tools.compiler.scopes import Scopes
from host_tools.compiler.sfc_state import state_type
from host_tools.compiler.source import Source, Span
from host_tools.compiler.symbols import Symbol, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    ELEMENTARY,
    INT,
    UNKNOWN,
    ArrayType,
    Elementary,
    EnumType,
    FbType,
    Field,
    InterfaceType,
    OpenArrayType,
    RefType,
    StringType,
    StructType,
    SubrangeType,
    Type,
    Unknown,
    fits,
    is_integer,
    size_align,
)

if TYPE_CHECKING:
    from host_tools.compiler.lowering.body import Body

FIELD_SECTIONS = ("VAR", "VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT", "STEP", "HIDDEN")
"""Blocks whose variables live in the instance."""

_UNDER_ANY = (
    *("DERIVED", "ELEMENTARY", "MAGNITUDE", "NUM", "REAL", "INT", "UNSIGNED", "SIGNED"),
    *("DURATION", "BIT", "CHARS", "STRING", "CHAR", "DATE"),
)
GENERIC = frozenset(["ANY", *(f"ANY_{one}" for one in _UNDER_ANY)])
"""The generic types of the standard's own functions (IEC 61131-3:2013, Figure 5)."""

MAX_STRING = 32_767
MAX_BYTES = 1 << 24
"""The largest array, structure, frame and image."""

Declared = tuple[tree.VarBlock, tree.VarDecl, tree.Identifier]

MOCKED, CALLS = "mocked?", "calls?"
"""Hidden members of instances in a build for tests with mocks; no source can name them."""


def declared(blocks: Iterable[tree.VarBlock]) -> Iterator[Declared]:
    """Every declared name with its block and declaration, in order."""
    for block in blocks:
        for decl in block.decls:
            for name in decl.names:
                yield block, decl, name


def add_mock_fields(t: FbType) -> None:
    """Room for whether an instance is mocked and how often it was called."""
    for name, of in ((CALLS, ELEMENTARY["UDINT"]), (MOCKED, ELEMENTARY["BOOL"])):
        if name not in t.fields:
            size, align = size_align(of)
            offset = (t.size + align - 1) // align * align
            t.fields[name] = Field(name, of, offset, None, t.pou.name.span)
            t.size, t.align = offset + size, max(t.align, align)


def static_name(method: tree.Pou, name: str) -> str:
    """The field that holds a VAR_INST of a method; no name of a source has a point in it."""
    accessor = "" if method.result is not None else "()"
    return f"{method.name.name}{accessor}.{name}"


def init_arguments(spec: tree.TypeSpec, t: Type) -> tree.InitArguments:
    """What `Motor(axis := 3)` gives to FB_Init; to the parser it looks like an enumeration. For
    an array it may be given one by one."""
    while isinstance(spec, tree.ArraySpec) and isinstance(t, ArrayType):
        if spec.each:
            return tuple(one.values for one in spec.each)
        spec, t = spec.element, t.element
    return spec.values if isinstance(spec, tree.EnumSpec) and isinstance(t, FbType) else None


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
        self.globals: dict[str, Declared] = {}
        self.enum_values: dict[str, list[tuple[EnumType, int]]] = {}
        self.configurations: list[tree.Configuration] = []
        self.configured: list[Declared] = []
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
        self._constants: dict[int, Symbol | None] = {}
        self._evaluating: list[tree.Identifier] = []
        self._locals: dict[int, dict[str, Declared]] = {}
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
        for block, decl, name in declared(blocks):
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

    # --- constants ---------------------------------------------------------------------------

    def constant(self, node: tree.Expr, expected: Type | None, what: str) -> Value | None:
        """The value of an expression that must be constant (bounds, lengths, initial values)."""
        from host_tools.compiler.lowering.body import Body
        from host_tools.compiler.lowering.expressions import convert, expression

        body = Body.for_constants(self)
        value = expression(body, node, expected)
        if expected is not None:
            value = convert(body, value, expected)
        if isinstance(value.type, Unknown):
            return None
        if value.const is None:
            self.reporter.report(
                "E0210",
                f"{what} must be constant",
                node.span,
                label="this is only known when the program runs",
                help="use literals and variables declared CONSTANT",
            )
            return None
        return value

    def integer_constant(self, node: tree.Expr | None, what: str) -> int | None:
        if node is None:
            return None
        value = self.constant(node, None, what)
        if value is None:
            return None
        if isinstance(value.const, int) and (
            isinstance(value.type, EnumType | SubrangeType) or is_integer(value.type)
        ):
            return value.const
        self.reporter.report(
            "E0211",
            f"{what} must be an integer, not {value.type}",
            node.span,
            help="use a whole number or an integer CONSTANT",
        )
        return None

    def global_constant(self, name: str, span: Span | None = None) -> Symbol | None:
        """The symbol of a scalar VAR_GLOBAL CONSTANT by its name at `span`, or by its full name;
        or None."""
        key = fold(name) if span is None else self.naming.full(name, span)
        entry = self.globals.get(key)
        if entry is None or "CONSTANT" not in entry[0].qualifiers:
            return None
        if entry[1].location is not None:
            return None
        return self.constant_symbol(*entry)

    def local_symbol(self, name: str, span: Span) -> Symbol | None:
        """What `name` means in a constant expression at `span` by the declarations of the POU
        around it. A variable is a symbol without a place: only its declaration matters."""
        pou = self.enclosing(span)
        if pou is None:
            return None
        for around in self._around(pou, span):
            locals_ = self._locals.get(id(around))
            if locals_ is None:
                locals_ = self._locals[id(around)] = {}
                for found in declared(around.blocks):
                    if found[0].kind != "VAR_EXTERNAL":
                        locals_.setdefault(fold(found[2].name), found)
            if fold(name) in locals_:
                block, decl, ident = locals_[fold(name)]
                constant = "CONSTANT" in block.qualifiers and decl.location is None
                symbol = self.constant_symbol(block, decl, ident) if constant else None
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
            one = self.find_pou(base.name, base.span) if base is not None else None

    def constant_symbol(
        self, block: tree.VarBlock, decl: tree.VarDecl, name: tree.Identifier
    ) -> Symbol | None:
        """A symbol without storage for a scalar CONSTANT; None for arrays and structures."""
        if id(name) in self._constants:
            return self._constants[id(name)]
        if any(name is other for other in self._evaluating):
            return self._endless_constant(name, block)
        self._evaluating.append(name)
        symbol = self._constant_symbol(block, decl, name)
        self._evaluating.pop()
        return self._constants.setdefault(id(name), symbol)

    def _constant_symbol(
        self, block: tree.VarBlock, decl: tree.VarDecl, name: tree.Identifier
    ) -> Symbol | None:
        t = self.resolve(decl.type)
        if isinstance(t, ArrayType | StructType | FbType):
            return None
        if isinstance(t, Unknown):
            return Symbol(name.name, t, "const", 0, name.span, block.kind, is_constant=True)
        init = decl.init if decl.init is not None else self.default_init(decl.type)
        symbol = Symbol(name.name, t, "const", 0, name.span, block.kind, is_constant=True)
        if init is None:
            symbol.constant = self.default_value(t)
            return symbol
        value = self.constant(init, t, f"the value of constant '{name.name}'")
        if value is None:
            symbol.type, symbol.constant = UNKNOWN, 0
        else:
            symbol.constant = value.const
        return symbol

    def _endless_constant(self, name: tree.Identifier, block: tree.VarBlock) -> Symbol:
        """`name` is needed for its own value: it gets none."""
        at = next(i for i, other in enumerate(self._evaluating) if other is name)
        circle = self._evaluating[at:]
        self._cycle([n.name for n in circle], name.span, "give one of them a value of its own")
        symbol = Symbol(name.name, UNKNOWN, "const", 0, name.span, block.kind, is_constant=True)
        return self._constants.setdefault(id(name), symbol) or symbol

    def _cycle(self, names: list[str], span: Span, help_: str) -> None:
        chain = " → ".join([*names, names[0]])
        self.reporter.report("E0205", f"this declaration needs itself: {chain}", span, help=help_)

    def circle(self, names: list[str], span: Span) -> None:
        self._cycle(names, span, "remove one EXTENDS")

    def _type_cycle(self, key: str, span: Span) -> None:
        at = self._resolving.index(key)
        names = []
        for one in self._resolving[at:]:
            found = self.type_decls.get(one) or self.pous.get(one)
            names.append(found.name.name if found is not None else one)
        self._cycle(names, span, "break the circle with a reference: REF_TO …")

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
                return self._string(spec)
            case tree.ArraySpec():
                return self._array(spec, parameter)
            case tree.StructSpec():
                return self._struct(spec, name)
            case tree.EnumSpec():
                return self._enum(spec, name)
            case tree.SubrangeSpec():
                return self._subrange(spec, name)
            case tree.RefSpec():
                return self._reference(spec)
            case tree.StepSpec() | tree.ControlSpec() | tree.SfcSpec():
                return state_type(spec)
        return UNKNOWN

    def _string(self, spec: tree.StringSpec) -> Type:
        if spec.length is None:
            return StringType(spec.wide, 80)
        length = self.integer_constant(spec.length, "the length of a string")
        if length is None:
            return UNKNOWN
        if not 1 <= length <= MAX_STRING:
            self.reporter.report(
                "E0212",
                f"a string cannot be {length} characters long",
                spec.length.span,
                help=f"lengths from 1 to {MAX_STRING} are possible",
            )
            return UNKNOWN
        self.longest_string = max(self.longest_string, length)
        return StringType(spec.wide, length)

    def _open_array(self, spec: tree.ArraySpec, parameter: bool) -> Type:
        """ARRAY[*, *] OF …"""
        stars = [r for r in spec.ranges if r.low is None]
        if not parameter or len(stars) != len(spec.ranges):
            self.reporter.report(
                "E0333",
                "ARRAY[*] only goes with parameters"
                if not parameter
                else "either all bounds of an array are *, or none",
                stars[0].span,
                label="nothing says how large it is" if not parameter else "",
                help="write the bounds, for example ARRAY[1..10]; * is for VAR_IN_OUT, and for "
                "VAR_INPUT and VAR_OUTPUT of functions and methods"
                if not parameter
                else "write * for each dimension",
            )
            return UNKNOWN
        element = self.resolve(spec.element)
        return UNKNOWN if isinstance(element, Unknown) else OpenArrayType(len(stars), element)

    def _array(self, spec: tree.ArraySpec, parameter: bool) -> Type:
        if any(r.low is None for r in spec.ranges):
            return self._open_array(spec, parameter)
        bounds: list[tuple[int, int]] = []
        for r in spec.ranges:
            low = self.integer_constant(r.low, "an array bound")
            high = self.integer_constant(r.high, "an array bound")
            if low is None or high is None:
                return UNKNOWN
            if high < low:
                self.reporter.report(
                    "E0213",
                    f"the bounds {low}..{high} are the wrong way round",
                    r.span,
                    help=f"write {high}..{low}",
                )
                return UNKNOWN
            bounds.append((low, high))
        element = self.resolve(spec.element)
        if isinstance(element, Unknown):
            return UNKNOWN
        t = ArrayType(tuple(bounds), element, self.default_init(spec.element))
        if spec.each and not self._check_each(spec, t):
            return UNKNOWN
        size = t.count * size_align(element)[0]
        if size > MAX_BYTES:
            self.too_large("this array would take", size, spec.span)
            return UNKNOWN
        return t

    def _check_each(self, spec: tree.ArraySpec, t: ArrayType) -> bool:
        """`ARRAY[1..2] OF Axis[(id := 1), (id := 2)]` has one list for each instance."""
        if isinstance(t.element, FbType) and len(spec.each) == t.count:
            return True
        span = spec.each[0].span.to(spec.each[-1].span)
        if isinstance(t.element, FbType):
            message, help_ = (
                f"{len(spec.each)} lists are given for {t.count} instances",
                f"write one for each of them, or one for all: {t.element}(…)",
            )
        else:
            message, help_ = f"{t.element} has no FB_Init", "write the values behind ':='"
        self.reporter.report("E0320", message, span, help=help_)
        return False

    def _struct(self, spec: tree.StructSpec, name: str) -> Type:
        t = StructType(name, span=spec.span)
        if spec.extends is not None:
            self._extend(t, spec.extends)
        if relative.is_relative(spec, self):
            relative.place_members(self, t, spec)
            self._close(t, spec.span)
            return t
        for decl in spec.fields:
            for ident in decl.names:
                self._field(t, decl, ident, "VAR", retain=False)
        self._close(t, spec.span)
        return t

    def _extend(self, t: StructType, spec: tree.NamedType) -> None:
        """`TYPE a EXTENDS b : STRUCT`: the members of the base come first."""
        base = self.named_type(spec.name, spec.span)
        if isinstance(base, StructType):
            t.base = base
            t.fields.update(base.fields)
            t.size, t.align = base.size, base.align
        elif not isinstance(base, Unknown):
            self.reporter.report(
                "E0303",
                f"'{spec.name}' is {base}, not a STRUCT",
                spec.span,
                label="EXTENDS of a type takes a structure",
                help="name a structure, or remove EXTENDS",
            )

    def _field(
        self,
        owner: StructType | FbType,
        decl: tree.VarDecl,
        ident: tree.Identifier,
        section: str,
        retain: bool,
        access: str = "",
    ) -> None:
        key = fold(ident.name)
        if key in owner.fields:
            self.duplicate(ident, owner.fields[key].span)
            return
        t = self.resolve(decl.type, parameter=section == "VAR_IN_OUT")
        if section != "VAR_IN_OUT":
            self.no_abstract(t, decl.type.span)
        size, align = (4, 4) if section == "VAR_IN_OUT" else size_align(t)
        if isinstance(t, OpenArrayType):
            size, align = size_align(t)
        offset = (owner.size + align - 1) // align * align
        init = decl.init if decl.init is not None else self.default_init(decl.type)
        made = Field(ident.name, t, offset, init, ident.span, section, retain)
        made.access, made.arguments = access, init_arguments(decl.type, t)
        made.owner = owner if isinstance(owner, FbType) else None
        made.hidden = section == "HIDDEN"
        owner.fields[key] = made
        owner.size = offset + size
        owner.align = max(owner.align, align)

    def _edge_fields(
        self, owner: FbType, decl: tree.VarDecl, ident: tree.Identifier, retain: bool
    ) -> None:
        """Room for the edge of an input and for its value at the last call; the input itself
        stands before them."""
        owner.fields[fold(ident.name)].edge = decl.edge
        for what in ("edge", "before"):
            name = f"{ident.name} {what}"
            field = Field(name, BOOL, owner.size, None, ident.span, "VAR", retain, hidden=True)
            owner.fields[fold(name)] = field
            owner.size += 1

    def no_abstract(self, t: Type, span: Span) -> None:
        """Report an instance of an ABSTRACT function block."""
        while isinstance(t, ArrayType):
            t = t.element
        if isinstance(t, FbType) and t.is_abstract:
            self.reporter.report(
                "E0310",
                f"'{t}' is ABSTRACT and has no instances",
                span,
                others=[Label(t.pou.name.span, "declared ABSTRACT here")],
                help="declare an instance of a function block that extends it",
            )

    def _close(self, owner: StructType | FbType, span: Span) -> None:
        """Round the size up to the alignment; nothing has size 0."""
        owner.size = max((owner.size + owner.align - 1) // owner.align * owner.align, owner.align)
        if owner.size > MAX_BYTES:
            self.too_large(f"{owner} would take", owner.size, span)
            owner.fields.clear()
            owner.size = owner.align = 1

    def too_large(self, what: str, size: int, span: Span) -> None:
        self.reporter.report(
            "E0214",
            f"{what} {size:,} bytes",
            span,
            help=f"the limit is {MAX_BYTES:,} bytes; boards have far less",
        )

    def _enum(self, spec: tree.EnumSpec, name: str) -> Type:
        base = INT
        if spec.base is not None:
            found = self.resolve(spec.base)
            if isinstance(found, FbType | Unknown):
                return found  # no enumeration, but `motor : Motor(axis := 3)`, for FB_Init
            if not (isinstance(found, Elementary) and found.group in ("sint", "uint", "bit")):
                self.reporter.report(
                    "E0215",
                    f"an enumeration cannot be based on {found}",
                    spec.base.span,
                    help="use an integer type or BYTE, WORD, DWORD, LWORD",
                )
                return UNKNOWN
            base = found
        t = EnumType(name, base, span=spec.span)
        following = 0
        first: dict[str, Span] = {}
        for i, v in enumerate(spec.values):
            key = fold(v.name.name)
            if key in t.values:
                self.duplicate(v.name, first[key])
                continue
            first[key] = v.name.span
            if v.value is not None:
                number = self.integer_constant(v.value, "an enumerated value")
                if number is None and not name:
                    return UNKNOWN  # its values have no other name to be known by
                following = number if number is not None else following
            if not fits(following, base):
                self.reporter.report(
                    "E0216",
                    f"the value {following} does not fit {base}",
                    v.span,
                    help=f"give {name or 'the enumeration'} a wider base type",
                )
                following = 0
            t.values[key] = following
            t.spelling[key] = v.name.name
            # Known from here on: the values after it may use it.
            self.enum_values.setdefault(key, []).append((t, following))
            if i == 0:
                t.default = following
            following += 1
        return t

    def _subrange(self, spec: tree.SubrangeSpec, name: str) -> Type:
        base = self.named_type(spec.base.name, spec.base.span)
        low = self.integer_constant(spec.range.low, "a subrange bound")
        high = self.integer_constant(spec.range.high, "a subrange bound")
        if isinstance(base, Unknown) or low is None or high is None:
            return UNKNOWN
        if not (isinstance(base, Elementary) and is_integer(base)):
            self.reporter.report(
                "E0217",
                f"a subrange needs an integer type, not {base}",
                spec.base.span,
                help="use SINT … ULINT",
            )
            return UNKNOWN
        if high < low or not fits(low, base) or not fits(high, base):
            self.reporter.report(
                "E0218",
                f"{low}..{high} is not a range of {base}",
                spec.range.span,
                help="the lower bound comes first, and both must fit the type",
            )
            return UNKNOWN
        return SubrangeType(name, base, low, high)

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
                    self._cycle([spec.span.text], spec.span, "refer to a STRUCT that holds it")
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
        for block, decl, ident in declared(pou.blocks):
            constant = "CONSTANT" in block.qualifiers
            if block.kind not in FIELD_SECTIONS or (constant and block.kind == "VAR"):
                continue
            if decl.location is None or decl.location.address is None:
                retain = bool({"RETAIN", "PERSISTENT"} & block.qualifiers)
                access = heritage.access_of(block.qualifiers)
                self._field(t, decl, ident, block.kind, retain, access)
                if constant:
                    t.fields[fold(ident.name)].constant = True
                if decl.location is not None:
                    t.fields[fold(ident.name)].location = decl.location
                if decl.edge is not None and block.kind == "VAR_INPUT":
                    self._edge_fields(t, decl, ident, retain)
        for _, method in heritage.own_members(pou.methods, pou.properties):
            self._static_fields(t, method)
        if self.has_mocks:
            add_mock_fields(t)
        self._resolving.pop()
        self._close(t, pou.name.span)
        self._fb_types[id(pou)] = t
        self._complete_references()
        return t

    def _static_fields(self, t: FbType, method: tree.Pou) -> None:
        """VAR_INST of a method: hidden variables of the instance."""
        for block, decl, ident in declared(method.blocks):
            if block.kind == "VAR_INST" and "CONSTANT" not in block.qualifiers:
                name = tree.Identifier(ident.span, static_name(method, ident.name))
                self._field(t, decl, name, block.kind, retain=False)
                t.fields[fold(name.name)].hidden = True

    # --- initial values ----------------------------------------------------------------------

    def default_value(self, t: Type) -> int | float | bytes:
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
