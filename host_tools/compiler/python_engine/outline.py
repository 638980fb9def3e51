"""Move parts of large branches and loops into functions: MicroPython's jumps reach 16 KiB."""

from __future__ import annotations

from collections import Counter

from host_tools.compiler import ir
from host_tools.compiler.python_engine.analysis import expressions_of, stmt_parts, walk
from host_tools.compiler.record import Record, replace

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
    if all(_weight((s,)) <= LIMIT for s in func.body if any(stmt_parts(s)[2])):
        return Outlined(func)
    outliner = _Outliner(func)
    body = tuple(outliner.statement(s) for s in func.body)
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


class _Outliner:
    def __init__(self, func: ir.Func) -> None:
        self.func = func
        self.pieces: list[tuple[Piece, ir.Func]] = []
        self._mentions = _mentions(func.body)
        # Parameters are set and the result is read outside of every statement.
        self._mentions.update(range(func.parameters))
        if func.result is not None:
            self._mentions[func.result] += 1

    def statement(self, s: ir.Stmt) -> ir.Stmt:
        if _weight((s,)) <= LIMIT:
            return s
        match s:
            case ir.If(then=then, orelse=orelse):
                return replace(s, then=self._block(then), orelse=self._block(orelse))
            case ir.Switch(branches=branches, orelse=orelse):
                new = tuple((ranges, self._block(b)) for ranges, b in branches)
                return replace(s, branches=new, orelse=self._block(orelse))
            case ir.Loop(body=body, step=step):
                # The first statement often is the loop's condition: it stays.
                first = tuple(self.statement(x) for x in body[:1])
                return replace(s, body=first + self._block(body[1:]), step=self._block(step))
        return s

    def _block(self, block: tuple[ir.Stmt, ...]) -> tuple[ir.Stmt, ...]:
        out: list[ir.Stmt] = []
        run: list[ir.Stmt] = []
        for s in (self.statement(s) for s in block):
            if not _stays(s):
                run.append(s)
                if _weight(tuple(run)) <= LIMIT and len(self._gives(run)) <= 1:
                    continue
                run.pop()
            self._move(run, out)
            if _stays(s) or len(self._gives([s])) > 1:
                out.append(s)
                run = []
            else:
                run = [s]
        self._move(run, out)
        return tuple(out)

    def _move(self, run: list[ir.Stmt], out: list[ir.Stmt]) -> None:
        """Put the run into a piece if it is worth a call, else leave it where it is."""
        body = tuple(run)
        if _weight(body) <= _WORTH:
            out.extend(body)
            return
        inside = _mentions(body)
        takes = tuple(sorted(i for i in inside if inside[i] < self._mentions[i]))
        gives = self._gives(run)
        number = len(self.pieces) + 1
        piece = Piece(f"{self.func.name}#{number}", takes, gives[0] if gives else None)
        name = f"{self.func.source_name or self.func.name}_{number}"
        pos = next((s.pos for s in walk(body) if isinstance(s, ir.Mark)), self.func.pos)
        func = replace(
            self.func, name=piece.name, source_name=name, result=piece.gives, body=body, pos=pos
        )
        self.pieces.append((piece, _started(func, takes)))
        out.append(piece)
        # What was said inside of a piece about its locals is now said by the call.
        self._mentions -= inside
        self._mentions += Counter(_piece_locals(piece))

    def _gives(self, run: list[ir.Stmt]) -> list[int]:
        """Locals that the run sets and that are mentioned outside of it."""
        inside = _mentions(tuple(run))
        return sorted(i for i in _set_in(tuple(run)) if inside[i] < self._mentions[i])


def _piece_locals(piece: Piece) -> list[int]:
    return [*piece.takes, *([] if piece.gives is None else [piece.gives])]


def _mentions(block: tuple[ir.Stmt, ...]) -> Counter[int]:
    """How often each local is read or set."""
    found: Counter[int] = Counter()
    for s in walk(block):
        if isinstance(s, Piece):
            found.update(_piece_locals(s))
        for e in expressions_of(s):
            if isinstance(e, ir.Local):
                found[e.index] += 1
    found.update(_sets(block))
    return found


def _sets(block: tuple[ir.Stmt, ...]) -> list[int]:
    found = []
    for s in walk(block):
        if isinstance(s, ir.SetLocal):
            found.append(s.index)
        elif isinstance(s, ir.Call) and s.result is not None:
            found.append(s.result)
    return found


def _set_in(block: tuple[ir.Stmt, ...]) -> set[int]:
    pieces = {s.gives for s in walk(block) if isinstance(s, Piece) and s.gives is not None}
    return set(_sets(block)) | pieces


def _weight(block: tuple[ir.Stmt, ...]) -> int:
    """Nodes, those of an image access counted three times."""
    total = 0
    for s in walk(block):
        total += 1 + 3 * len(stmt_parts(s)[0])
        for e in expressions_of(s):
            total += 3 if isinstance(e, ir.Load | ir.LoadBit) else 1
    return total


def _stays(s: ir.Stmt, loops: int = 0) -> bool:
    """The statement can leave the block otherwise than at its end."""
    match s:
        case ir.Return():
            return True
        case ir.Break() | ir.Continue():
            return loops == 0
        case ir.Loop():
            loops += 1
    return any(_stays(inner, loops) for block in stmt_parts(s)[2] for inner in block)
