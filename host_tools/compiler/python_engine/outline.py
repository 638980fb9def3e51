"""Move parts of large branches and loops into functions: MicroPython's jumps reach 16 KiB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from host_tools.compiler import ir
from host_tools.compiler.ir_walk import expressions_of, stmt_parts, walk
from host_tools.record import Record, replace

LIMIT = 1500
"""Nodes of IR that a compound statement may have; a node makes 5 to 7 bytes of byte code."""

_WORTH = LIMIT // 30  # nodes that a call of their own has to be worth


class Piece(ir.Stmt):
    """Run the piece `name` of this function: locals `takes` go in, local `gives` comes back."""

    name: str
    takes: tuple[int, ...]
    gives: int | None


class Outlined(Record):
    """A function and the pieces that were moved out of it, in the order of definition. A piece
    has the locals, the instance and the frame of its function."""

    func: ir.Func
    pieces: tuple[tuple[Piece, ir.Func], ...] = ()


def outline(func: ir.Func) -> Outlined:
    """Shorten compound statements that are larger than LIMIT, where that can be done: a piece
    neither leaves the function or a loop around it nor sets two locals that others use."""
    outliner = _Outliner(func)
    if all(outliner.weight(s) <= LIMIT for s in func.body if any(stmt_parts(s)[2])):
        return Outlined(func)
    body = tuple([outliner.statement(s) for s in func.body])
    return Outlined(_started(replace(func, body=body)), tuple(outliner.pieces))


def _started(func: ir.Func, known: tuple[int, ...] | None = None) -> ir.Func:
    """The function with a value for each local that goes into a piece before it is first set.
    `known`: the locals that have a value at the start, where these are not the parameters."""
    given = set(range(func.parameters) if known is None else known)
    taken = {i for s in walk(func.body) if isinstance(s, Piece) for i in s.takes}
    empty: dict[str, float | bytes] = {"str": b"", "wstr": b"", "f32": 0.0, "f64": 0.0}
    start = []
    for i in sorted(taken - given):
        kind = func.locals[i].kind
        start.append(ir.SetLocal(i, ir.Const(kind, empty.get(kind, 0))))
    return replace(func, body=(*start, *func.body))


class _Facts(Record):
    """What counts about a statement, all that is nested in it included."""

    weight: int  # nodes, those of an image access counted three times
    mentions: Counter[int]  # how often each local is read or set
    sets: frozenset[int]  # locals it sets
    leaves: bool  # a RETURN, or BREAK or CONTINUE of a loop around it
    returns: bool  # a RETURN


class _Outliner:
    def __init__(self, func: ir.Func) -> None:
        self.func = func
        self.pieces: list[tuple[Piece, ir.Func]] = []
        self._facts: dict[int, tuple[ir.Stmt, _Facts]] = {}  # by id; keeps the statement alive
        # Parameters are set and the result is read outside of every statement.
        self._mentions = Counter(range(func.parameters))
        if func.result is not None:
            self._mentions[func.result] += 1
        for s in func.body:
            self._mentions += self._about(s).mentions

    def weight(self, s: ir.Stmt) -> int:
        return self._about(s).weight

    def _about(self, s: ir.Stmt) -> _Facts:
        known = self._facts.get(id(s))
        if known is None:
            known = self._facts[id(s)] = (s, self._found(s))
        return known[1]

    def _found(self, s: ir.Stmt) -> _Facts:
        addrs, _, blocks = stmt_parts(s)
        weight = 1 + 3 * len(addrs)
        mentions: Counter[int] = Counter()
        sets: set[int] = set()
        for e in expressions_of(s):
            weight += 3 if isinstance(e, ir.Load | ir.LoadBit) else 1
            if isinstance(e, ir.Local):
                mentions[e.index] += 1
        match s:
            case Piece(takes=takes, gives=gives):
                mentions.update(takes)
                sets = set() if gives is None else {gives}
            case ir.SetLocal(index=index):
                sets = {index}
            case ir.Call(result=int() as index):
                sets = {index}
        mentions.update(sets)
        returns = isinstance(s, ir.Return)
        leaves = isinstance(s, ir.Return | ir.Break | ir.Continue)
        for block in blocks:
            for inner in block:
                about = self._about(inner)
                weight += about.weight
                mentions.update(about.mentions)
                sets |= about.sets
                returns = returns or about.returns
                leaves = leaves or about.leaves
        if isinstance(s, ir.Loop):
            leaves = returns
        return _Facts(weight, mentions, frozenset(sets), leaves, returns)

    def statement(self, s: ir.Stmt) -> ir.Stmt:
        """`s`, first what is in it shortened, then itself where it is still too large."""
        if self.weight(s) <= LIMIT:
            return s
        s = self._with_blocks(s, self._shortened)
        return s if self.weight(s) <= LIMIT else self._with_blocks(s, self._moved)

    def _with_blocks(
        self, s: ir.Stmt, change: Callable[[tuple[ir.Stmt, ...]], tuple[ir.Stmt, ...]]
    ) -> ir.Stmt:
        match s:
            case ir.If(then=then, orelse=orelse):
                return replace(s, then=change(then), orelse=change(orelse))
            case ir.Switch(branches=branches, orelse=orelse):
                new = tuple([(ranges, change(b)) for ranges, b in branches])
                return replace(s, branches=new, orelse=change(orelse))
            case ir.Loop(body=body, step=step):
                return replace(s, body=change(body), step=change(step))
        return s

    def _shortened(self, block: tuple[ir.Stmt, ...]) -> tuple[ir.Stmt, ...]:
        return tuple([self.statement(s) for s in block])

    def _moved(self, block: tuple[ir.Stmt, ...]) -> tuple[ir.Stmt, ...]:
        """The block with runs of its statements in pieces."""
        out: list[ir.Stmt] = []
        run = _Run()
        for s in block:
            about = self._about(s)
            longer = run.with_(s, about)
            if not about.leaves and longer.weight <= LIMIT and len(self._gives(longer)) <= 1:
                run = longer
                continue
            self._move(run, out)
            run = _Run().with_(s, about)
            if about.leaves or len(self._gives(run)) > 1:
                out.append(s)
                run = _Run()
        self._move(run, out)
        return tuple(out)

    def _gives(self, run: _Run) -> list[int]:
        """Locals that the run sets and that are mentioned outside of it."""
        return sorted(i for i in run.sets if run.mentions[i] < self._mentions[i])

    def _move(self, run: _Run, out: list[ir.Stmt]) -> None:
        """Put the run into a piece if it is worth a call, else leave it where it is."""
        if run.weight <= _WORTH:
            out.extend(run.body)
            return
        takes = tuple(sorted(i for i in run.mentions if run.mentions[i] < self._mentions[i]))
        gives = self._gives(run)
        number = len(self.pieces) + 1
        piece = Piece(f"{self.func.name}#{number}", takes, gives[0] if gives else None)
        name = f"{self.func.source_name or self.func.name}_{number}"
        pos = next((s.pos for s in walk(run.body) if isinstance(s, ir.Mark)), self.func.pos)
        func = replace(
            self.func,
            name=piece.name,
            source_name=name,
            result=piece.gives,
            body=run.body,
            pos=pos,
        )
        self.pieces.append((piece, _started(func, takes)))
        out.append(piece)
        # What was said inside of a piece about its locals is now said by the call.
        self._mentions -= run.mentions
        self._mentions += self._about(piece).mentions


class _Run:
    """Statements one after the other, and what counts about them together."""

    def __init__(self) -> None:
        self.body: tuple[ir.Stmt, ...] = ()
        self.weight = 0
        self.mentions: Counter[int] = Counter()
        self.sets: frozenset[int] = frozenset()

    def with_(self, s: ir.Stmt, about: _Facts) -> _Run:
        longer = _Run()
        longer.body = (*self.body, s)
        longer.weight = self.weight + about.weight
        longer.mentions = self.mentions + about.mentions
        longer.sets = self.sets | about.sets
        return longer
