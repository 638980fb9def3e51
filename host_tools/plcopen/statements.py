"""Collects the statements of one body, and keeps values that are still to be used correct.

A value that was computed earlier in the source (the current result of IL, a link in a network) is
written where it is used. When a statement in between changes what the value depends on, the value
is stored in a temporary variable first; only then is one made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from host_tools.compiler import tree
from host_tools.compiler.tree import fold
from host_tools.plcopen import model
from host_tools.plcopen.expressions import (
    argument,
    call,
    member,
    name,
    names,
    root_name,
    show,
    walk,
)
from host_tools.plcopen.report import Place, Report
from host_tools.plcopen.scope import Scope, is_standard_block, is_standard_function
from host_tools.plcopen.structure import Entry, Lines, structured


class Held:
    """A value that statements further on may use; `hint` names its temporary, if it needs one."""

    __slots__ = ("expr", "hint", "place", "type", "uses")

    def __init__(
        self,
        expr: tree.Expr,
        hint: str,
        place: Place,
        uses: int = 1,
        type_: model.Type | None = None,
    ) -> None:
        self.type = type_
        self.expr = expr
        self.hint = hint
        self.place = place
        self.uses = uses


class Statements:
    def __init__(self, scope: Scope, report: Report) -> None:
        self.scope = scope
        self.report = report
        self.entries: list[Entry] = []
        self.held: list[Held] = []

    # --- writing -------------------------------------------------------------------------------

    def comment(self, lines: Sequence[str]) -> None:
        if any(line.strip() for line in lines):
            self.entries.append(Lines(tuple(comment_lines(lines)), True))

    def raw(self, *lines: str) -> None:
        self.entries.append(Lines(lines))

    def assign(
        self, target: tree.Expr, value: tree.Expr, condition: tree.Expr | None = None
    ) -> None:
        """`target := value;`, inside of IF where there is a condition."""
        for part in walk(value):
            if isinstance(part, tree.Call) and self.scope.has_effects(part):
                self.before_write(self.changed_by(part))
        written = self.written(target)
        # What was written can be read back instead of being stored twice.
        same = [h for h in self.held if condition is None and h.expr == value]
        same = [h for h in same if written & self.scope.touched(h.expr)]
        type_ = self.scope.type_of(value)
        if same and (type_ is None or type_ != self.scope.type_of(target)):
            same = []
        for held in same:
            self.release(held)
        self.before_write(written)
        self._when(condition, f"{show(target)} := {show(value)};")
        for held in same:
            held.expr = target
            self.held.append(held)

    def invoke(self, called: tree.Call, condition: tree.Expr | None = None) -> None:
        """A call as a statement."""
        self.before_write(self.changed_by(called))
        self._when(condition, f"{show(called)};")

    def _when(self, condition: tree.Expr | None, statement: str) -> None:
        if condition is None:
            self.raw(statement)
        else:
            self.raw(f"IF {show(condition)} THEN", f"    {statement}", "END_IF;")

    def lines(self) -> list[str]:
        """The finished body. Raises Stop."""
        return structured(self.entries, self.report)

    # --- values that wait ----------------------------------------------------------------------

    def hold(
        self,
        expr: tree.Expr,
        hint: str,
        place: Place,
        uses: int = 1,
        type_: model.Type | None = None,
    ) -> Held:
        """`type_` is the type of the value where that is known without looking at it."""
        held = Held(expr, hint, place, uses, type_)
        self.held.append(held)
        return held

    def release(self, held: Held) -> None:
        self.held = [h for h in self.held if h is not held]

    def use(self, held: Held) -> tree.Expr:
        """The value, for one of its uses."""
        held.uses -= 1
        if held.uses <= 0:
            self.release(held)
        return held.expr

    def store(self, held: Held) -> None:
        """Put the value into a variable of its own now."""
        type_ = held.type or self.scope.storable(held.expr)
        if type_ is None:
            raise self.report.stop(
                held.place,
                f"the type of '{show(held.expr)}' is not known, so it cannot be stored in between",
                "assign it to a variable of its own there",
            )
        made = name(self.scope.fresh(held.hint, type_, False))
        self.raw(f"{made.name} := {show(held.expr)};")
        held.expr = made

    def before_write(self, written: Iterable[str]) -> None:
        """Store the values that depend on what is about to change."""
        changes = set(written)
        for held in list(self.held):
            if changes & self.scope.touched(held.expr):
                self.store(held)

    def written(self, target: tree.Expr) -> set[str]:
        """What an assignment to `target` changes."""
        root = root_name(target)
        found = {root} if root else {"%", "@"}
        aliased = any(isinstance(part, tree.Deref) for part in walk(target))
        if root is None or aliased:
            found.add("@")
        elif root in self.scope.variables:
            kind, variable = self.scope.variables[root]
            if kind == "VAR_IN_OUT" or variable.address is not None:
                found.add("@")
        elif (shared := self.scope.project.globals.get(root)) and shared.address:
            found.add("@")
        return found

    def changed_by(self, called: tree.Call) -> set[str]:
        """What a call changes: its instance, what it is given to write, and, where the code is
        not of the standard library, everything shared."""
        found = names(called.callee)
        callee = called.callee
        known = isinstance(callee, tree.Name) and is_standard_function(callee.name)
        if isinstance(callee, tree.Name):
            block = self.scope.block_type(callee.name)
            known = known or (block is not None and is_standard_block(block))
            parameters = self.in_outs(block or fold(callee.name))
        else:
            parameters = set()
        if not known:
            found.add("@")
        for a in called.arguments:
            formal = fold(a.name.name) if a.name else ""
            if a.value is not None and (a.output or formal in parameters):
                found |= self.written(a.value)
        return found

    def in_outs(self, pou: str) -> set[str]:
        found = self.scope.project.pous.get(pou)
        if found is None:
            return set()
        return {
            fold(v.name) for one in found.lists if one.kind == "VAR_IN_OUT" for v in one.variables
        }

    def trigger(self, clock: tree.Expr, edge: str, hint: str, place: Place) -> tree.Expr:
        """TRUE in the scan in which `clock` rises or falls; adds the block that finds edges."""
        if self.scope.pou.kind == "FUNCTION":
            raise self.report.stop(
                place, "a function has no memory, so it cannot find edges", "use a function block"
            )
        kind = "R_TRIG" if edge == "rising" else "F_TRIG"
        instance = name(self.scope.fresh(f"{hint}_{edge}", model.Named(kind), True))
        self.invoke(call(instance, [argument("CLK", clock)]))
        return member(instance, "Q")


def comment_lines(lines: Iterable[str]) -> list[str]:
    """Text as comments of ST, one a line, without characters that would end the line."""
    out = []
    for line in lines:
        clean = "".join(c if c.isprintable() else " " for c in line).rstrip()
        out.append(f"// {clean}".rstrip())
    return out
