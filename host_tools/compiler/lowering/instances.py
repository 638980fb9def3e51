"""What the configuration says of single instances: VAR_CONFIG, VAR_ACCESS, blocks with a task.

IEC 61131-3:2013, 6.5.5.3 (addresses `%I*` that are given later), 6.8.1, 6.8.2. A variable of a
program or VAR_GLOBAL simply gets its address. One of a function block keeps its place in the
instance: before a task runs, inputs are copied there, and afterwards outputs from there, as the
image of the process is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from host_tools.compiler import ir, tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.compiler.layout import Allocated, Image
from host_tools.compiler.lowering import storage, variables
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.pou import located_symbol
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Place, Symbol, Value
from host_tools.compiler.tree import Declared, fold
from host_tools.compiler.types import (
    ArrayType,
    FbType,
    Field,
    StringType,
    StructType,
    Type,
    Unknown,
    is_aggregate,
    same,
    size_align,
)
from host_tools.record import record, replace

Direct = Callable[[tree.Direct], tuple[int, int | None] | None]
_STEP = re.compile(r"\.(\w+)|\[([-\d,]+)\]")


@record(eq=False)
class Found:
    """A variable by its path. `bit` of a packed one; `field` where it is a member."""

    type: Type
    offset: int
    bit: int | None
    field: Field | None


@record(frozen=True)
class Linked:
    """A variable of a function block, in its instance, and the address it was given."""

    path: str
    inside: Place
    outside: Symbol
    span: Span


class Instances:
    """The paths of one program, and what is said of them."""

    def __init__(self, names: Declarations, direct: Direct) -> None:
        self._names = names
        self._direct = direct
        self._entries: dict[str, Declared] = {}
        self._used: set[str] = set()
        self._roots: dict[str, Allocated] = {}
        self._open: dict[int, list[tuple[str, Field]]] = {}
        self.linked: list[Linked] = []
        self._outer = [fold(c.name.name) for c in names.configurations]
        for configuration in names.configurations:
            self._outer += [fold(r.name.name) for r in configuration.resources if r.name]
        for entry in names.configured:
            key = self._key(entry[2].name)
            if key in self._entries:
                names.duplicate(entry[2], self._entries[key][2].span)
            self._entries.setdefault(key, entry)

    def _key(self, path: str) -> str:
        """A path in upper case, without the configuration and resource it is in."""
        key = fold(path)
        for outer in self._outer:
            head, _, rest = key.partition(".")
            if head == outer and rest and key not in self._roots:
                key = rest
        return key

    # --- variables of programs, and global ones ----------------------------------------------

    def completed(self, path: str, decl: tree.VarDecl, name: tree.Identifier) -> tree.VarDecl:
        """The declaration of a variable AT %I* with the address that VAR_CONFIG gives it."""
        key = self._key(path)
        entry = self._entries.get(key)
        if entry is None or entry[1].location is None:
            self._missing(path, decl.location, self._names.resolve(decl.type), name.span)
            return decl
        self._used.add(key)
        _, given, ident = entry
        self._check_type(self._names.resolve(decl.type), given, ident)
        if not self._check_area(decl.location, given.location, ident):
            return decl
        return replace(decl, location=given.location, init=given.init or decl.init)

    def _missing(
        self, path: str, location: tree.Direct | None, t: Type, declared_at: Span
    ) -> None:
        assert location is not None
        letter = {1: "B", 2: "W", 4: "D", 8: "L"}.get(size_align(t)[0], "W")
        address = f"%{location.area}X0.0" if str(t) == "BOOL" else f"%{location.area}{letter}0"
        self._names.reporter.report(
            "E0354",
            f"{path} has no address",
            location.span,
            label="to be given in VAR_CONFIG",
            help=f"write VAR_CONFIG {path} AT {address} : {t}; END_VAR",
        )

    def _check_area(
        self, declared: tree.Direct | None, given: tree.Direct | None, ident: tree.Identifier
    ) -> bool:
        fits = declared is None or given is None or declared.area == given.area
        if declared is not None and given is not None and not fits:
            self._names.reporter.report(
                "E0355",
                f"'{ident.name}' is declared AT %{declared.area}*",
                given.span,
                help=f"give it an address in the area {declared.area}",
            )
        return fits

    def _check_type(self, t: Type, given: tree.VarDecl, ident: tree.Identifier) -> None:
        wanted = self._names.resolve(given.type)
        if not same(t, wanted):
            self._names.reporter.report(
                "E0355",
                f"'{ident.name}' is {t} where it is declared, {wanted} here",
                given.type.span,
                help=f"write {t}",
            )

    # --- everything else ---------------------------------------------------------------------

    def finish(self, image: Image) -> None:
        """Give addresses and initial values to the members of instances, once all is placed."""
        self._roots = {fold(v.path): v for v in image.variables if not v.hidden}
        self._entries = {self._key(key): entry for key, entry in self._entries.items()}
        for key, (block, decl, ident) in self._entries.items():
            if key not in self._used:
                self._apply(image, key, block, decl, ident)
        for root in list(self._roots.values()):
            for rest, field in self._waiting(root.type):
                if fold(root.path + rest) not in self._used:
                    self._missing(root.path + rest, field.location, field.type, field.span)

    def _apply(
        self,
        image: Image,
        key: str,
        block: tree.VarBlock,
        decl: tree.VarDecl,
        ident: tree.Identifier,
    ) -> None:
        found = self.find(key, ident.span)
        if found is None or isinstance(found.type, Unknown):
            return
        self._used.add(key)
        self._check_type(found.type, decl, ident)
        if decl.location is not None:
            field = found.field
            if field is None or field.location is None:
                self._names.reporter.report(
                    "E0355",
                    f"'{ident.name}' is not declared AT %I*, %Q* or %M*",
                    decl.location.span,
                    help="declare it so where it is declared, or leave the address out here",
                )
                return
            if not self._check_area(field.location, decl.location, ident):
                return
            outside = located_symbol(self._names, self._direct, block, decl, ident, found.type)
            if outside is None or outside.storage != "static":
                return
            inside = Place(found.type, ident.span, ir.Addr("static", found.offset))
            self.linked.append(Linked(key, inside, outside, decl.location.span))
            init = decl.init or field.init
            if init is not None and outside.area != "I":
                self._initial(image, key, found.type, outside.offset, outside.bit, init)
        if decl.init is not None:
            self._initial(image, key, found.type, found.offset, found.bit, decl.init)

    def _initial(
        self, image: Image, path: str, t: Type, offset: int, bit: int | None, init: tree.Expr
    ) -> None:
        image.variables.append(Allocated(path, t, offset, bit, init=init, hidden=True))

    def _waiting(self, t: Type) -> list[tuple[str, Field]]:
        """The members AT %I* of a type, with their paths from there."""
        if isinstance(t, ArrayType):
            inner = self._waiting(t.element)
            return [
                (i + rest, field) for i in _indices(t.bounds) if inner for rest, field in inner
            ]
        if not isinstance(t, FbType | StructType):
            return []
        known = self._open.get(id(t))
        if known is None:
            known = self._open[id(t)] = []
            for field in t.fields.values():
                if field.location is not None:
                    known.append((f".{field.name}", field))
                elif field.section != "VAR_IN_OUT":
                    inner = self._waiting(field.type)
                    known += [(f".{field.name}{rest}", member) for rest, member in inner]
        return known

    # --- paths -------------------------------------------------------------------------------

    def find(self, path: str, span: Span) -> Found | None:
        """The variable at `path`; reports what is wrong with it."""
        key = self._key(path)
        root, rest = key, ""
        while root not in self._roots:
            cut = max(root.rfind("."), root.rfind("["))
            if cut < 0:
                known = [v.path for v in self._roots.values()]
                self._nothing(span, did_you_mean(span.text, known), known)
                return None
            root, rest = root[:cut], root[cut:] + rest
        variable = self._roots[root]
        t, offset, bit, field = variable.type, variable.offset, variable.bit, None
        at = 0
        while at < len(rest):
            m = _STEP.match(rest, at)
            if m is None:
                self._nothing(span, "", ())
                return None
            at = m.end()
            if m[1] is not None and isinstance(t, FbType | StructType):
                field = t.fields.get(m[1])
                if field is None:
                    members = [f.name for f in t.fields.values() if not f.hidden]
                    self._nothing(span, did_you_mean(m[1], members), members)
                    return None
                t, offset = field.type, offset + field.offset
            elif m[2] is not None and isinstance(t, ArrayType):
                index = _flat(t, m[2])
                if index is None:
                    self._nothing(span, f"the bounds are those of {t}", ())
                    return None
                offset += index * size_align(t.element)[0]
                t = t.element
            else:
                self._nothing(span, f"{t} has no such part", ())
                return None
        return Found(t, offset, bit, field)

    def _nothing(self, span: Span, help_: str, known: Iterable[str]) -> None:
        some = ", ".join(list(known)[:6])
        self._names.reporter.report(
            "E0355",
            f"there is no variable '{span.text}'",
            span,
            label="paths begin with a program of the configuration or a global variable",
            help=help_ or (f"there is {some}" if some else "declare it"),
        )

    # --- access paths ------------------------------------------------------------------------

    def accesses(self, image: Image, programs: Iterable[tuple[str, tree.Pou]]) -> None:
        """Add the names of VAR_ACCESS to the layout."""
        for configuration in self._names.configurations:
            for one in configuration.accesses:
                self._access(image, one, "")
        for name, pou in programs:
            for one in pou.accesses:
                self._access(image, one, name)

    def _access(self, image: Image, one: tree.AccessDecl, program: str) -> None:
        prefix = f"{program}." if program else ""
        path = prefix + one.name.name
        t = self._names.resolve(one.type)
        taken = self._roots.get(fold(path))
        if taken is not None:
            self._names.reporter.report(
                "E0356",
                f"'{path}' is the name of a variable",
                one.name.span,
                help="give the access path a name of its own",
            )
            return
        if one.location is not None:
            decl = tree.VarDecl(one.span, (one.name,), one.type, None, one.location)
            block = tree.VarBlock(one.span, "VAR_ACCESS", frozenset(), (decl,))
            symbol = located_symbol(self._names, self._direct, block, decl, one.name, t)
            if symbol is None or symbol.storage != "static":
                return
            found: Found | None = Found(t, symbol.offset, symbol.bit, None)
        elif one.path is not None:
            found = self.find(prefix + one.path.name, one.path.span)
        else:
            return
        if found is None or isinstance(found.type, Unknown) or isinstance(t, Unknown):
            return
        if not same(found.type, t):
            self._names.reporter.report(
                "E0356",
                f"'{one.path.name if one.path else path}' is {found.type}, not {t}",
                one.type.span,
                help=f"write {found.type}",
            )
            return
        made = Allocated(path, t, found.offset, found.bit, section="VAR_ACCESS")
        made.writable = one.writable
        self._roots[fold(path)] = made
        image.variables.append(made)

    def names(self) -> frozenset[str]:
        """Variables that the configuration gives values, addresses or access paths, in upper
        case."""
        found = [ident.name for _, _, ident in self._names.configured]
        accesses = [a for c in self._names.configurations for a in c.accesses]
        accesses += [a for p in self._names.pous.values() for a in p.accesses]
        found += [a.path.name for a in accesses if a.path is not None]
        return frozenset(fold(word) for path in found for word in re.findall(r"\w+", path))

    # --- tasks -------------------------------------------------------------------------------

    def take_in(self, body: Body, linked: Iterable[Linked]) -> list[Callable[[], None]]:
        """Copy inputs and memory into the instances; what is returned copies back afterwards."""
        after: list[Callable[[], None]] = []
        for one in linked:
            area = one.outside.area
            before: Value | None = None
            if area in "IM":
                outside = variables.symbol_place(body, one.outside, one.span, write=False)
                before = storage.load(body, outside)
                if not is_aggregate(before.type) and not isinstance(before.type, StringType):
                    before.expr = body.temporary(before.expr)
                storage.store(body, one.inside, before)
            if area in "QM":
                after.append(lambda one=one, before=before: _give(body, one, before))  # type: ignore[misc]
        return after


def _give(body: Body, one: Linked, before: Value | None) -> None:
    """Copy from the instance to the address; memory only where it was changed."""
    value = storage.load(body, one.inside)
    scalar = not is_aggregate(value.type) and not isinstance(value.type, StringType)
    with body.nested() as store:
        storage.store(body, variables.symbol_place(body, one.outside, one.span, write=True), value)
    if before is not None and scalar:
        changed = ir.Compare("b1", "ne", value.expr, before.expr)
        body.emit(ir.If(changed, tuple(store)))
    else:
        for statement in store:
            body.emit(statement)


def _indices(bounds: tuple[tuple[int, int], ...]) -> list[str]:
    found = [""]
    for low, high in bounds:
        found = [f"{i}{',' * bool(i)}{n}" for i in found for n in range(low, high + 1)]
    return [f"[{i}]" for i in found]


def _flat(t: ArrayType, text: str) -> int | None:
    """The number of an element, None where the indices do not fit."""
    numbers = [int(n) for n in text.split(",") if n.lstrip("-").isdigit()]
    if len(numbers) != len(t.bounds):
        return None
    flat = 0
    for number, (low, high) in zip(numbers, t.bounds, strict=True):
        if not low <= number <= high:
            return None
        flat = flat * (high - low + 1) + number - low
    return flat
