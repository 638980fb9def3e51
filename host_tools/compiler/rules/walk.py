"""One walk over the statements of the sources: who reads, writes and calls what, and in which
branch; the rules about single nodes are asked on the way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from host_tools.compiler import tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.lowering.notes import Notes
from host_tools.compiler.rules import choices, conditions, flow, numbers
from host_tools.compiler.rules.facts import REST, Event, Facts, Key, Site
from host_tools.compiler.symbols import Symbol
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import ArrayType, FbType, RefType, StructType, Type

GOES_ON, SOME_LEAVE, LEAVES = 0, 1, 2
"""What a statement does to those after it: nothing; some of its branches leave; all do."""

_CHART_CONTROLS = {"SFCINIT", "SFCRESET", "SFCPAUSE", "SFCCURRENTSTEP"}  # docs/sfc.md
_TAKES_ADDRESS = ("ADR", "REF")
_PARAMETERS = ("VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT")


class Walk:
    """Walks POUs one after the other; `facts` holds what it found."""

    def __init__(self, notes: Notes, declarations: Declarations, reporter: Reporter) -> None:
        self.notes = notes
        self.declarations = declarations
        self.reporter = reporter
        self.facts = Facts()
        self.events: list[Event] = []
        self.path: tuple[tuple[int, int], ...] = ()
        self.loops = 0
        self.pou: tree.Pou | None = None
        self.in_body = False
        self._parameters: dict[int, list[tuple[str, str]]] = {}
        self._methods: set[str] = set()
        for pou in declarations.pous.values():
            self._methods |= {fold(m.name.name) for m in pou.methods}
            self._methods |= {fold(p.name.name) for p in pou.properties}

    # --- declarations ------------------------------------------------------------------------

    def declaration(self, d: tree.Declaration) -> None:
        if isinstance(d, tree.Pou):
            self.pou = d
            if d.sfc is not None:
                self.facts.mentioned |= _CHART_CONTROLS
            self.in_body = True
            self.events = []
            self.block(d.body)
            self.in_body = False
            for name in d._fields:
                if name not in ("span", "body"):
                    self._anything(getattr(d, name))
            self.pou = None
        else:
            if isinstance(d, tree.Configuration):
                self._paths(d)
            self._anything(d)

    def _paths(self, node: Any) -> None:
        """The variables that a configuration speaks of by their paths: VAR_CONFIG, VAR_ACCESS,
        blocks with tasks of their own."""
        if isinstance(node, tuple):
            for one in node:
                self._paths(one)
        elif isinstance(node, tree.Identifier | tree.Name):
            self.facts.mentioned.update(fold(n) for n in re.findall(r"\w+", node.name))
        elif isinstance(node, tree.Node) and getattr(node, "kind", "") != "VAR_GLOBAL":
            for name in node._fields:
                if name != "span":
                    self._paths(getattr(node, name))

    def _anything(self, node: Any) -> None:
        """A node of a kind without a method of its own: all that is in it."""
        if isinstance(node, tuple):
            if node and isinstance(node[0], tree.Statement):
                self.block(node)
            else:
                for one in node:
                    self._anything(one)
        elif isinstance(node, tree.Expr):
            self.expr(node)
        elif isinstance(node, tree.Statement):
            self.block((node,))
        elif isinstance(node, tree.Argument):
            self._argument(node, "VAR_OUTPUT" if node.output else "VAR_INPUT")
        elif isinstance(node, tree.Association):
            self._association(node)
        elif isinstance(node, tree.Node):
            for name in node._fields:
                if name != "span":
                    self._anything(getattr(node, name))

    def _association(self, node: tree.Association) -> None:
        """A step sets a Boolean variable, or runs an action that may set indicator variables."""
        symbol = self.notes.symbols.get(id(node.action.span))
        if symbol is not None:
            self.facts.writes.setdefault(id(symbol.span), node.action.span)
        if node.time is not None:
            self.expr(node.time)
        for one in node.indicators:
            self.expr(one)
            self.target(one)

    # --- statements --------------------------------------------------------------------------

    def block(self, statements: Iterable[tree.Statement]) -> bool:
        """Walk a list of statements; whether it always leaves."""
        before = self.path
        pending: flow.Pending = {}
        left: tree.Statement | None = None
        for node in statements:
            if left is not None:
                flow.unreachable(self.reporter, left, node)
                self._anything_after(statements, node)
                break
            first = len(self.events)
            end = self.statement(node)
            flow.overwritten(self.reporter, pending, self.events, first, node)
            if end == LEAVES:
                left = node
            elif end == SOME_LEAVE:
                self.path = (*self.path, (id(node), REST))
                self.facts.leaving[id(node)] = flow.head(node)
        self.path = before
        return left is not None

    def _anything_after(self, statements: Iterable[tree.Statement], first: tree.Statement) -> None:
        """What is never reached is not looked at closely, but what it names is used."""
        found = False
        for node in statements:
            found = found or node is first
            if found:
                self.statement(node)

    def statement(self, node: tree.Statement) -> int:
        method = _STATEMENTS.get(type(node))
        if method is not None:
            return method(self, node)
        self.events.append(("all", 0, node.span))
        in_body, self.in_body = self.in_body, False
        for name in node._fields:
            if name != "span":
                self._anything(getattr(node, name))
        self.in_body = in_body
        return GOES_ON

    def _assign(self, node: tree.Assign) -> int:
        self.expr(node.value)
        if node.op == "REF=" and isinstance(node.value, _PLACES):
            self.target(node.value)
        for other in node.more:
            self.target(other)
        self.target(node.target)
        if isinstance(node.value, tree.Call) and _has_enable(node.value):
            kind, key, span = self.events.pop()
            self.events.append(("part" if kind == "write" else kind, key, span))
        if node.op == ":=":
            flow.self_assignment(self.reporter, node)
        return GOES_ON

    def _call_statement(self, node: tree.CallStatement) -> int:
        self._call(node.call)
        return GOES_ON

    def _if(self, node: tree.If) -> int:
        conditions.repeated(self.reporter, node)
        outer, key = self.path, id(node)
        leaving: set[int] = set()
        for n, one in enumerate(node.branches):
            self.expr(one.condition)
            conditions.constant(self, one.condition, "IF" if n == 0 else "ELSIF")
            conditions.empty(self.reporter, one)
            self.path = (*outer, (key, n))
            if self.block(one.body):
                leaving.add(n)
        count = len(node.branches)
        if node.orelse is not None:
            self.path = (*outer, (key, count))
            if self.block(node.orelse):
                leaving.add(count)
        self.path = outer
        return self._joined(key, leaving, count + 1)

    def _joined(self, key: int, leaving: set[int], count: int) -> int:
        """After the branches 0 to `count` - 1, of which some leave."""
        if len(leaving) == count:
            return LEAVES
        self.facts.alternatives[key] = {*leaving, REST} if leaving else set(range(count))
        return SOME_LEAVE if leaving else GOES_ON

    def _case(self, node: tree.Case) -> int:
        self.expr(node.selector)
        choices.missing_values(self, node)
        outer, key = self.path, id(node)
        leaving: set[int] = set()
        for n, one in enumerate(node.branches):
            for label in one.labels:
                self.expr(label.low)
                if label.high is not None:
                    self.expr(label.high)
            self.path = (*outer, (key, n))
            if self.block(one.body):
                leaving.add(n)
        count = len(node.branches)
        complete = node.orelse is None and choices.is_complete(self, node)
        if node.orelse is not None:
            self.path = (*outer, (key, count))
            if self.block(node.orelse):
                leaving.add(count)
        self.path = outer
        return self._joined(key, leaving, count if complete else count + 1)

    def _for(self, node: tree.For) -> int:
        self.expr(node.start)
        self.expr(node.stop)
        if node.step is not None:
            self.expr(node.step)
        symbol = self.notes.symbols.get(id(node.variable.span))
        if symbol is None:
            self.facts.mentioned.add(fold(node.variable.name))
        else:
            key = id(symbol.span)
            self.facts.writes.setdefault(key, node.variable.span)
            self.facts.reads.setdefault(key, node.variable.span)
            self.events.append(("read", key, node.variable.span))
        self._loop(node, node.body, {0, 1})
        return GOES_ON

    def _while(self, node: tree.While) -> int:
        first = len(self.events)
        self.expr(node.condition)
        condition_end = len(self.events)
        exits = self._loop(node, node.body, {0, 1}, first)
        value = self.notes.values.get(id(node.condition))
        forever = value is not None and value.const == 1
        if value is not None and value.const == 0:
            conditions.constant(self, node.condition, "WHILE")
        elif not exits:
            waits = self.events[first:condition_end], self.events[condition_end:]
            if forever or flow.never_changes(*waits):
                flow.never_ends(self.reporter, node, forever)
        return LEAVES if forever and not exits else GOES_ON

    def _repeat(self, node: tree.RepeatUntil) -> int:
        first = len(self.events)
        exits = self._loop(node, node.body, {0}, first)
        value = self.notes.values.get(id(node.condition))
        before = len(self.events)
        self.expr(node.condition)
        forever = value is not None and value.const == 0
        if not exits and (
            forever or flow.never_changes(self.events[before:], self.events[first:before])
        ):
            flow.never_ends(self.reporter, node, forever)
        return LEAVES if forever and not exits else GOES_ON

    def _loop(
        self,
        node: tree.Statement,
        body: tuple[tree.Statement, ...],
        needed: set[int],
        first: int | None = None,
    ) -> bool:
        """Walk the body of a loop; whether it may be left from inside."""
        outer, begin = self.path, len(self.events)
        self.facts.alternatives[id(node)] = needed
        self.path = (*outer, (id(node), 0))
        self.loops += 1
        self.block(body)
        self.loops -= 1
        self.path = outer
        # What the loop reads may have been written by the pass before.
        for kind, key, span in self.events[begin if first is None else first :]:
            if kind == "read":
                self.events.append((kind, key, span))
        return flow.leaves_loop(body)

    def _leave(self, node: tree.Statement) -> int:
        self.events.append(("all", 0, node.span))
        return LEAVES

    # --- expressions -------------------------------------------------------------------------

    def expr(self, node: tree.Expr) -> None:
        method = _EXPRESSIONS.get(type(node))
        if method is not None:
            method(self, node)
        else:
            for name in node._fields:
                if name != "span":
                    self._anything(getattr(node, name))

    def _literal(self, node: tree.Literal) -> None:
        pass

    def _name(self, node: tree.Name) -> None:
        symbol = self.notes.symbols.get(id(node.span))
        if symbol is None:
            self.facts.mentioned.add(fold(node.name))
            self._maybe_accessor(node.name, node)
            return
        key = id(symbol.span)
        self.facts.reads.setdefault(key, node.span)
        self.events.append(("read", key, node.span))

    def _maybe_accessor(self, name: str, node: tree.Expr) -> None:
        """What looks like a variable may be a property, which runs statements."""
        if fold(name) in self._methods:
            self.events.append(("all", 0, node.span))

    def _direct(self, node: tree.Direct) -> None:
        self.events.append(("all", 0, node.span))

    def _member(self, node: tree.Member) -> None:
        self.expr(node.base)
        self._name_of_member(node)

    def _name_of_member(self, node: tree.Member) -> None:
        if not isinstance(self.type_of(node.base), StructType):
            self.facts.members.add(fold(node.name))
            self._maybe_accessor(node.name, node)

    def _index(self, node: tree.Index) -> None:
        self.expr(node.base)
        for one in node.indices:
            self.expr(one)

    def _deref(self, node: tree.Deref) -> None:
        self.expr(node.base)
        self.events.append(("all", 0, node.span))

    def _unary(self, node: tree.Unary) -> None:
        self.expr(node.operand)

    def _binary(self, node: tree.Binary) -> None:
        chain: list[tree.Binary] = []
        left: tree.Expr = node
        while isinstance(left, tree.Binary):
            chain.append(left)
            left = left.left
        self.expr(left)
        for step in reversed(chain):
            self.expr(step.right)
            conditions.comparison(self, step)
            numbers.folded(self, step)

    def _call(self, node: tree.Call) -> None:
        callee = node.callee
        sections: list[tuple[str, str]] | None = None
        if isinstance(callee, tree.Name):
            symbol = self.notes.symbols.get(id(callee.span))
            if symbol is not None and isinstance(symbol.type, FbType):
                self._instance(node, symbol, symbol.type)
                sections = self._sections(symbol.type.pou, block=True)
            else:
                sections = self._function(node, callee)
        else:
            sections = self._inner_instance(node, callee)
        position = 0
        for a in node.arguments:
            section = "VAR_OUTPUT" if a.output else "VAR_IN_OUT"
            if sections is not None and not a.output:
                if a.name is not None:
                    wanted = fold(a.name.name)
                    section = next((s for n, s in sections if n == wanted), "VAR_INPUT")
                else:
                    section = sections[position][1] if position < len(sections) else "VAR_INPUT"
                    position += 1
            self._argument(a, section)
        if sections is None:  # what it does with them is not known here
            self.events.append(("all", 0, node.span))

    def _argument(self, a: tree.Argument, section: str) -> None:
        if a.value is None:
            return
        if section == "VAR_INPUT" or not isinstance(a.value, _PLACES):
            self.expr(a.value)
            return
        if section != "VAR_OUTPUT":
            self.expr(a.value)
        self.target(a.value)

    def _function(self, node: tree.Call, callee: tree.Name) -> list[tuple[str, str]] | None:
        """A call by a name that is no variable."""
        name = fold(callee.name)
        self.facts.mentioned.add(name)
        pou = self.declarations.pous.get(name)
        if pou is not None:
            self.events.append(("all", 0, node.span))
            return self._sections(pou, block=False)
        self._maybe_accessor(callee.name, node)
        if name in _TAKES_ADDRESS:
            return None
        if name in ("__QUERYINTERFACE", "__QUERYPOINTER"):
            return [("", "VAR_INPUT"), ("", "VAR_IN_OUT")]
        numbers.conversion(self, node, name)
        found = self.declarations.find_pou(callee.name, callee.span)
        return self._sections(found, block=False) if found is not None else []

    def _sections(self, pou: tree.Pou, block: bool) -> list[tuple[str, str]]:
        """Folded names and sections of the parameters; of blocks without the outputs, which have
        no place in an informal list."""
        found = self._parameters.get(id(pou))
        if found is None:
            found = [
                (fold(ident.name), b.kind)
                for b, _, ident in declared(pou.blocks)
                if b.kind in _PARAMETERS and not (block and b.kind == "VAR_OUTPUT")
            ]
            self._parameters[id(pou)] = found
        return found

    # --- instances ---------------------------------------------------------------------------

    def _instance(self, node: tree.Call, symbol: Symbol, t: FbType) -> None:
        key = id(symbol.span)
        self.facts.called.add(key)
        self._called(node, t, key)
        self._site(node, t, key, symbol)

    def _called(self, node: tree.Call, t: FbType, key: Key) -> None:
        self.events.append(("call", key, node.span))
        if not t.pou.span.source.library:
            self.events.append(("all", 0, node.span))

    def _inner_instance(self, node: tree.Call, callee: tree.Expr) -> list[tuple[str, str]] | None:
        """`axes[1](…)`, `machine.timer(…)`, `object.Method(…)`."""
        self.expr(callee)
        symbol, t = self._root(callee), self.type_of(callee)
        if symbol is None:
            self.events.append(("all", 0, node.span))
            return None
        self.facts.called.add(id(symbol.span))
        if not isinstance(t, FbType):
            self.events.append(("all", 0, node.span))
            return None
        self._called(node, t, id(symbol.span))
        if self._is_fixed(callee):
            self._site(node, t, id(symbol.span), symbol)
        return self._sections(t.pou, block=True)

    def _site(self, node: tree.Call, t: FbType, key: Key, symbol: Symbol) -> None:
        text = "".join(node.callee.span.text.upper().split())
        site = Site(self.path, node, t, symbol, self.loops > 0, self.in_body)
        self.facts.sites.setdefault((key, text), []).append(site)

    def _root(self, node: tree.Expr) -> Symbol | None:
        while isinstance(node, tree.Member | tree.Index):
            node = node.base
        return self.notes.symbols.get(id(node.span)) if isinstance(node, tree.Name) else None

    def _is_fixed(self, node: tree.Expr) -> bool:
        """Whether the place is the same one each time: no variable indices, no references."""
        while isinstance(node, tree.Member | tree.Index):
            if isinstance(node, tree.Index):
                values = [self.notes.values.get(id(n)) for n in node.indices]
                if any(v is None or v.const is None for v in values):
                    return False
            node = node.base
        return isinstance(node, tree.Name)

    def type_of(self, node: tree.Expr) -> Type | None:
        """The type of a place, where that is plain to see."""
        if isinstance(node, tree.Name):
            symbol = self.notes.symbols.get(id(node.span))
            return symbol.type if symbol is not None else None
        if isinstance(node, tree.Member):
            t = self.type_of(node.base)
            if isinstance(t, StructType | FbType):
                member = t.fields.get(fold(node.name))
                return member.type if member is not None else None
        if isinstance(node, tree.Index):
            t = self.type_of(node.base)
            if isinstance(t, ArrayType) and len(t.bounds) == len(node.indices):
                return t.element
        return None

    # --- writing -----------------------------------------------------------------------------

    def target(self, node: tree.Expr) -> None:
        """`node` is written."""
        whole = True
        base = node
        while isinstance(base, tree.Member | tree.Index):
            whole = False
            if isinstance(base, tree.Index):
                for one in base.indices:
                    self.expr(one)
            else:
                self._name_of_member(base)
            base = base.base
        if isinstance(base, tree.Direct):
            if whole and base.area == "Q":
                place = f"%{base.area}{base.size}{base.address}"
                self.events.append(("write", place, node.span))
            return
        if not isinstance(base, tree.Name):
            self.expr(base)
            return
        symbol = self.notes.symbols.get(id(base.span))
        if symbol is None:
            self.facts.mentioned.add(fold(base.name))
            return
        key = id(symbol.span)
        self.facts.writes.setdefault(key, base.span)
        if isinstance(node, tree.Name | tree.Index):
            t = self.type_of(node)
            while isinstance(t, ArrayType):
                t = t.element
            if isinstance(t, FbType):
                self.facts.called.add(key)  # as VAR_IN_OUT: who gets it calls it
        if isinstance(symbol.type, RefType):
            self.facts.reads.setdefault(key, base.span)
        keeps = symbol.storage not in ("local", "frame") and symbol.section != "VAR_IN_OUT"
        if whole and keeps and not isinstance(symbol.type, RefType):
            self.events.append(("write", key, node.span))
        else:
            self.events.append(("part", key, node.span))


def _has_enable(node: tree.Call) -> bool:
    """Whether EN decides that the call is made and its result stored."""
    return any(a.name is not None and fold(a.name.name) == "EN" for a in node.arguments)


_PLACES = (tree.Name, tree.Direct, tree.Member, tree.Index, tree.Deref)

_STATEMENTS: dict[type, Callable[[Walk, Any], int]] = {
    tree.Assign: Walk._assign,
    tree.CallStatement: Walk._call_statement,
    tree.If: Walk._if,
    tree.Case: Walk._case,
    tree.For: Walk._for,
    tree.While: Walk._while,
    tree.RepeatUntil: Walk._repeat,
    tree.Exit: Walk._leave,
    tree.Continue: Walk._leave,
    tree.Return: Walk._leave,
}

_EXPRESSIONS: dict[type, Callable[[Walk, Any], None]] = {
    tree.Literal: Walk._literal,
    tree.Name: Walk._name,
    tree.Direct: Walk._direct,
    tree.Member: Walk._member,
    tree.Index: Walk._index,
    tree.Deref: Walk._deref,
    tree.Unary: Walk._unary,
    tree.Binary: Walk._binary,
    tree.Call: Walk._call,
}
