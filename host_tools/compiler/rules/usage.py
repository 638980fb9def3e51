"""Rules about variables as a whole: W0303 to W0306, W0321, W0322."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler import tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.heritage import own_members
from host_tools.compiler.rules.facts import Facts
from host_tools.compiler.tree import Declared, declared, fold, short_name
from host_tools.compiler.types import ArrayType, FbType, RefType, Type

_OWN = ("VAR", "VAR_TEMP", "VAR_STAT")
_KEPT = frozenset({"RETAIN", "PERSISTENT"})


def check(
    reporter: Reporter,
    names: Declarations,
    facts: Facts,
    units: Iterable[tree.Unit],
    outside: frozenset[str],
) -> None:
    """`outside`: folded names that takt.toml uses."""
    usage = _Usage(reporter, names, facts, outside)
    for unit in units:
        for d in unit.declarations:
            if isinstance(d, tree.Pou):
                usage.pou(d)
    library = {id(unit.span.source) for unit in units}
    for found in names.globals.values():
        if id(found[2].span.source) in library:
            usage.global_(found)


def _is_object(t: Type) -> bool:
    """Whether an instance is used by its methods, and may be without calling it itself; or has
    nothing that a call could run."""
    return isinstance(t, FbType) and bool(t.members or t.type_id or not t.pou.body)


class _Usage:
    def __init__(
        self, reporter: Reporter, names: Declarations, facts: Facts, outside: frozenset[str]
    ) -> None:
        self.reporter = reporter
        self.names = names
        self.facts = facts
        self.outside = outside

    def _is_known(self, ident: tree.Identifier) -> bool:
        """Whether something the walk does not understand may use it."""
        name = fold(ident.name)
        if self.names.naming.namespaces and short_name(name) in self.facts.members:
            return True  # perhaps by its full name
        return name in self.facts.mentioned or name in self.outside

    def pou(self, pou: tree.Pou) -> None:
        self._result(pou)
        for _, method in own_members(pou.methods, pou.properties):
            self.method(method)
        is_object = bool(pou.methods or pou.properties or pou.extends)
        for found in declared(pou.blocks):
            block, decl, ident = found
            self._hides(pou, block, ident)
            if self._is_known(ident) or decl.location is not None:
                continue
            if "PUBLIC" in block.qualifiers or "INTERNAL" in block.qualifiers:
                continue
            if is_object and fold(ident.name) in self.facts.members:
                continue
            if fold(ident.name) in ("EN", "ENO"):
                continue
            if block.kind in _OWN:
                self._own(pou, found)
            elif (pou.body or pou.sfc) and pou.kind != "PROGRAM":
                self._parameter(pou, found)
            elif (pou.body or pou.sfc) and block.kind == "VAR_OUTPUT":
                self._output(pou, found)

    def method(self, method: tree.Pou) -> None:
        """Its parameters are those that an interface or a base may ask for."""
        self._result(method)
        for found in declared(method.blocks):
            if found[0].kind in (*_OWN, "VAR_INST") and not self._is_known(found[2]):
                self._own(method, found)

    def _type(self, decl: tree.VarDecl) -> Type:
        t = self.names.resolve(decl.type)
        while isinstance(t, ArrayType):
            t = t.element
        return t

    def _own(self, pou: tree.Pou, found: Declared) -> None:
        block, decl, ident = found
        facts, key = self.facts, id(ident.span)
        read, written = key in facts.reads, key in facts.writes
        if key in facts.called:
            return
        if not read and not written:
            self._never_used(
                ident, "variable" if "CONSTANT" not in block.qualifiers else "constant"
            )
            return
        if "CONSTANT" in block.qualifiers:
            return
        t = self._type(decl)
        if isinstance(t, FbType):
            if not _is_object(t):
                self._never_called(ident, t)
        elif not read and not isinstance(t, RefType):
            if not (_KEPT & block.qualifiers):
                self._never_read(pou, ident)
        elif not written and decl.init is None and not (_KEPT & block.qualifiers):
            self._never_written(pou, ident)

    def _parameter(self, pou: tree.Pou, found: Declared) -> None:
        block, _, ident = found
        key = id(ident.span)
        if block.kind == "VAR_OUTPUT":
            self._output(pou, found)
        elif (
            block.kind in ("VAR_INPUT", "VAR_IN_OUT")
            and key not in self.facts.reads
            and key not in self.facts.writes
            and key not in self.facts.called
        ):
            self._never_used(ident, "parameter")

    def _output(self, pou: tree.Pou, found: Declared) -> None:
        _, decl, ident = found
        key = id(ident.span)
        if key in self.facts.writes or key in self.facts.called or decl.init is not None:
            return
        if isinstance(self._type(decl), FbType):
            return
        self.reporter.report(
            "W0305",
            f"output '{ident.name}' is never set",
            ident.span,
            help=f"assign it in {pou.name.name}: {ident.name} := …; or remove it",
        )

    def global_(self, found: Declared) -> None:
        block, decl, ident = found
        if self._is_known(ident) or decl.location is not None:
            return
        facts, key = self.facts, id(ident.span)
        if key in facts.called:
            return
        if key not in facts.reads and key not in facts.writes:
            self._never_used(ident, "constant" if "CONSTANT" in block.qualifiers else "variable")
        elif "CONSTANT" not in block.qualifiers and isinstance(self._type(decl), FbType):
            if not _is_object(self._type(decl)):
                self._never_called(ident, self._type(decl))
        elif (
            key not in facts.writes
            and decl.init is None
            and not ({"CONSTANT", *_KEPT} & block.qualifiers)
        ):
            self._never_written(None, ident)

    def _never_used(self, ident: tree.Identifier, what: str) -> None:
        self.reporter.report(
            "W0303",
            f"{what} '{ident.name}' is never used",
            ident.span,
            help="remove it, or use it where it was meant to be",
        )

    def _never_read(self, pou: tree.Pou, ident: tree.Identifier) -> None:
        written = self.facts.writes[id(ident.span)]
        help_ = "use it, or remove it"
        if pou.kind != "FUNCTION":
            help_ = "use it, remove it, or declare it in VAR_OUTPUT if it is there to be looked at"
        self.reporter.report(
            "W0304",
            f"'{ident.name}' is written and never read",
            ident.span,
            others=[Label(written, "written here")],
            help=help_,
        )

    def _never_written(self, pou: tree.Pou | None, ident: tree.Identifier) -> None:
        read = self.facts.reads[id(ident.span)]
        help_ = f"assign it: {ident.name} := …; or give it an initial value if it is to be fixed"
        if pou is None or pou.kind == "PROGRAM":
            help_ = (
                "assign it, connect it in takt.toml, or write ':= <value>' in the declaration "
                "if only the tools set it"
            )
        self.reporter.report(
            "W0305",
            f"'{ident.name}' is read and never written",
            ident.span,
            others=[Label(read, "read here")],
            help=help_,
        )

    def _never_called(self, ident: tree.Identifier, t: Type) -> None:
        used = self.facts.reads.get(id(ident.span)) or self.facts.writes.get(id(ident.span))
        self.reporter.report(
            "W0306",
            f"instance '{ident.name}' of {t} is never called",
            ident.span,
            label="its outputs never change",
            others=[Label(used, "used here")] if used is not None else (),
            help=f"call it once in every scan: {ident.name}(…);",
        )

    def _result(self, pou: tree.Pou) -> None:
        if pou.kind not in ("FUNCTION", "METHOD") or pou.result is None or not pou.body:
            return
        if pou.kind == "METHOD" and fold(pou.name.name).startswith("FB_"):
            return  # FB_Init and its kin have a result that nobody looks at
        name = pou.name
        if id(name.span) in self.facts.writes:
            return
        self.reporter.report(
            "W0321",
            f"{pou.kind} {name.name} never sets its result",
            name.span,
            help=f"assign it: {name.name} := …;",
        )

    def _hides(self, pou: tree.Pou, block: tree.VarBlock, ident: tree.Identifier) -> None:
        if block.kind == "VAR_EXTERNAL":
            return
        hidden = self.names.globals.get(fold(ident.name))
        if hidden is None:
            return
        self.reporter.report(
            "W0322",
            f"'{ident.name}' hides the global variable of that name",
            ident.span,
            label=f"this one is known only in {pou.name.name}",
            others=[Label(hidden[2].span, "the global variable")],
            help="rename one of them, or write VAR_EXTERNAL to mean the global one",
        )
