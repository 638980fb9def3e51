"""What a name means at a place of the source: namespaces, USING, lists of global variables.

IEC 61131-3:2013, 6.9. Declarations are known by their full names in upper case, "PLANT.DRIVE". A
name is looked for from the inside out: the USING directives of the POU, the namespace around and
its directives, the namespace around that, and so on to the global level. Within one level what
the namespace declares itself hides what a directive brings.

Lists of global variables (CODESYS): a source that declares nothing but VAR_GLOBAL is a list named
like its file, and `List.x` is its variable x. With `{attribute 'qualified_only'}` the variable is
found in no other way.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Label, Reporter, did_you_mean
from host_tools.compiler.source import Source, Span
from host_tools.compiler.tree import fold
from host_tools.record import record, replace


@record(eq=False)
class _Level:
    """A scope among those of its source. `name` is in upper case; `prefixes` are it and the names
    around it down to the next level; `usings` are full names of namespaces with the place of the
    directive."""

    name: str
    prefixes: list[str]
    outer: _Level | None
    start: int
    end: int
    usings: list[tuple[str, Span]]


class Scopes:
    """Finds declarations by the names that are used for them. `declared_at` gives the place of a
    declaration by its full name, None where there is none; `all_names` gives their full names."""

    def __init__(
        self,
        units: Iterable[tree.Unit],
        reporter: Reporter,
        declared_at: Callable[[str], Span | None],
        all_names: Callable[[], Iterable[str]],
    ) -> None:
        self._reporter = reporter
        self._all_names = all_names
        self._declared_at = declared_at
        self.namespaces: dict[str, str] = {}
        """Full names in upper case, and as they are spelt."""
        self._levels: dict[Source, list[_Level]] = {}
        self._internal: dict[str, str] = {}
        self._lists: dict[str, dict[str, str]] = {}
        self.qualified_only: dict[str, list[str]] = {}
        """Variables that are only found with the name of their list: the full names."""
        self._known: dict[tuple[int, str], str] = {}
        self._waiting: list[tuple[_Level, tree.Identifier]] = []
        for unit in units:
            self._add(unit)
        self.active = bool(self._levels or self.namespaces)

    # --- collecting --------------------------------------------------------------------------

    def _add(self, unit: tree.Unit) -> None:
        for scope in unit.scopes:
            self._add_level(scope)
        for name in unit.internals:
            self._internal[fold(name.name)] = fold(name.name).rpartition(".")[0]

    def _add_level(self, scope: tree.Scope) -> None:
        levels = self._levels.setdefault(scope.span.source, [])
        outer = self._at(scope.span)
        key = fold(scope.name)
        parts = scope.name.split(".") if scope.name else []
        for i in range(len(parts)):
            full = ".".join(parts[: i + 1])
            self.namespaces.setdefault(fold(full), full)
        if scope.internal:
            self._internal[key] = key.rpartition(".")[0]
        around = next((one.name for one in _outwards(outer) if one.name), "")
        prefixes, prefix = [], key
        while prefix and prefix != around:
            prefixes.append(prefix)
            prefix = prefix.rpartition(".")[0]
        level = _Level(key, prefixes, outer, scope.span.start, scope.span.end, [])
        levels.append(level)
        levels.sort(key=lambda one: one.start)
        self._waiting += [(level, name) for name in scope.usings]

    def listed(self, d: tree.GlobalVars) -> tree.VarBlock:
        """The variables of a list; of one that is `qualified_only` with their full names."""
        stem = PurePath(d.span.source.name).stem
        if not tree.has_attribute(d.pragmas, "qualified_only") or not stem.isidentifier():
            return d.block
        self.namespaces.setdefault(fold(stem), stem)
        self.active = True
        decls = []
        for decl in d.block.decls:
            names = [tree.Identifier(n.span, f"{stem}.{n.name}") for n in decl.names]
            for n in decl.names:
                self.qualified_only.setdefault(fold(n.name), []).append(f"{stem}.{n.name}")
            decls.append(replace(decl, names=tuple(names)))
        return replace(d.block, decls=tuple(decls))

    def add_lists(self, units: Iterable[tree.Unit]) -> None:
        """Make sources that hold nothing but VAR_GLOBAL known by their names."""
        for unit in units:
            source = unit.span.source
            stem = PurePath(source.name).stem
            blocks = [d.block for d in unit.declarations if isinstance(d, tree.GlobalVars)]
            if not blocks or len(blocks) < len(unit.declarations) or not stem.isidentifier():
                continue
            if self._declared_at(fold(stem)) is not None:
                continue
            known = self._lists.setdefault(fold(stem), {})
            for block in blocks:
                for decl in block.decls if block.kind == "VAR_GLOBAL" else ():
                    known.update((fold(n.name), fold(n.name)) for n in decl.names)
            self.namespaces.setdefault(fold(stem), stem)
            self.active = True

    def check_directives(self) -> None:
        """Find the namespaces of all USING directives, or say that there are none."""
        for level, name in self._waiting:
            found = next(
                (full for full in _relative(level, fold(name.name)) if full in self.namespaces),
                None,
            )
            if found is not None:
                level.usings.append((found, name.span))
                continue
            self._reporter.report(
                "E0352",
                f"there is no namespace '{name.name}'",
                name.span,
                help=did_you_mean(name.name, self.namespaces.values())
                or (
                    f"there is {', '.join(sorted(self.namespaces.values())[:6])}"
                    if self.namespaces
                    else "declare it: NAMESPACE … END_NAMESPACE"
                ),
            )
        self._waiting.clear()

    # --- finding -----------------------------------------------------------------------------

    def _at(self, span: Span) -> _Level | None:
        levels = self._levels.get(span.source)
        if not levels:
            return None
        at = bisect_right(levels, span.start, key=lambda one: one.start) - 1
        level: _Level | None = levels[at] if at >= 0 else None
        while level is not None and not level.start <= span.start < level.end:
            level = level.outer
        return level

    def full(self, name: str, span: Span) -> str:
        """The full name in upper case of what `name`, perhaps with dots, means at `span`. Where
        it means nothing, the name itself in upper case."""
        key = fold(name)
        if not self.active or span.source.library:
            return key
        level = self._at(span)
        known = self._known.get((id(level), key))
        if known is None:
            known, unique = self._search(level, key, span)
            if unique:
                self._known[id(level), key] = known
        self._check_access(known, level, span)
        return known

    def _search(self, level: _Level | None, key: str, span: Span) -> tuple[str, bool]:
        """The full name of `key`, and whether it is the only one that it can mean."""
        for one in _outwards(level):
            for prefix in one.prefixes:
                if self._is_declared(f"{prefix}.{key}"):
                    return self._real(f"{prefix}.{key}"), True
            if one.end == len(span.source.text) and self._is_declared(key):
                break  # the directives of a whole source come after the global level
            brought = {
                self._real(f"{using}.{key}")
                for using, _ in one.usings
                if self._is_declared(f"{using}.{key}")
            }
            if brought:
                if len(brought) > 1:
                    self._ambiguous(sorted(brought), key, span)
                return min(brought), len(brought) == 1
        return self._real(key), True

    def _is_declared(self, key: str) -> bool:
        if self._declared_at(key) is not None:
            return True
        list_, _, name = key.rpartition(".")
        return self._declared_at(self._lists.get(list_, {}).get(name, "")) is not None

    def _real(self, key: str) -> str:
        """The full name of `LIST.X`, which may be X alone."""
        list_, _, name = key.rpartition(".")
        if list_ not in self._lists or self._declared_at(key) is not None:
            return key
        return self._lists[list_].get(name, key)

    def _ambiguous(self, found: list[str], key: str, span: Span) -> None:
        places = [(full, self._declared_at(full)) for full in found]
        self._reporter.report(
            "E0351",
            f"'{span.text if fold(span.text) == key else key}' may mean {' or '.join(found)}",
            span,
            label="which one?",
            others=[Label(at, full) for full, at in places if at is not None],
            help=f"write the full name: {found[0]}",
        )

    def _check_access(self, key: str, level: _Level | None, span: Span) -> None:
        """Report what is INTERNAL and used outside of its namespace (6.9.3)."""
        if not self._internal:
            return
        parts = key.split(".")
        for i in range(len(parts), 0, -1):
            full = ".".join(parts[:i])
            inside = self._internal.get(full)
            if inside is None:
                continue
            here = next((one.name for one in _outwards(level) if one.name), "")
            if not inside or here == inside or here.startswith(inside + "."):
                continue
            at = self._declared_at(key)
            self._reporter.report(
                "E0350",
                f"{full} is INTERNAL",
                span,
                label=f"only what stands in {inside} may use it",
                others=[Label(at, "declared here")] if at is not None else [],
                help=f"declare it without INTERNAL, or use it inside of NAMESPACE {inside}",
            )
            return

    def closed_to(self, span: Span, declared: Span) -> str:
        """The namespace outside of which `span` is, where a member that is INTERNAL is declared
        inside of it; empty where the member can be used."""
        inside = next((one.name for one in _outwards(self._at(declared)) if one.name), "")
        here = next((one.name for one in _outwards(self._at(span)) if one.name), "")
        return "" if here == inside or here.startswith(inside + ".") else inside

    def visible(self, namespace: str, span: Span) -> bool:
        """Can what is declared in `namespace` (upper case) be named at `span` without it?"""
        return not namespace or any(
            namespace in level.prefixes or any(using == namespace for using, _ in level.usings)
            for level in _outwards(self._at(span))
        )

    # --- expressions -------------------------------------------------------------------------

    def collapsed(self, node: tree.Expr) -> tree.Expr:
        """`Plant.Pumps.limit.x` with the name of the longest declaration it begins with as one
        Name; the node itself where it begins with no namespace."""
        chain: list[tree.Member] = []
        at = node
        while isinstance(at, tree.Member):
            chain.append(at)
            at = at.base
        if not chain or not isinstance(at, tree.Name):
            return node
        words, most = at.name, 0
        name = words
        for i, member in enumerate(reversed(chain)):
            words += "." + member.name
            full = self.full_quietly(words, at.span)
            if self._is_declared(full):
                most, name = i + 1, words
                break
        if not most:
            return node
        inner = chain[len(chain) - most]
        made: tree.Expr = tree.Name(inner.span, name)
        for member in reversed(chain[: len(chain) - most]):
            made = replace(member, base=made)
        return made

    def full_quietly(self, name: str, span: Span) -> str:
        known = self._known.get((id(self._at(span)), fold(name)))
        return known or self._search(self._at(span), fold(name), span)[0]

    def suggestion(self, name: str) -> str:
        """Help for a full name that is not there."""
        known = [full for full in self._all_names() if "." in full]
        return did_you_mean(name, known) or "write the full name, as it is declared"

    def begins(self, name: str, span: Span) -> bool:
        """Is `name` the first part of the name of a namespace at `span`?"""
        return any(full in self.namespaces for full in _relative(self._at(span), fold(name)))


def _outwards(level: _Level | None) -> Iterator[_Level]:
    while level is not None:
        yield level
        level = level.outer


def _relative(level: _Level | None, key: str) -> Iterator[str]:
    """The full names that `key` may stand for at `level`, inner ones first."""
    for one in _outwards(level):
        for prefix in one.prefixes:
            yield f"{prefix}.{key}"
    yield key
