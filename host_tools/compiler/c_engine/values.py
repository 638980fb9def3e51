"""Locals that still hold what was read from a place: a reference that a statement before has found
not to be null, and the type of the instance it leads to."""

from __future__ import annotations

from collections.abc import Iterator

from host_tools.compiler import ir
from host_tools.compiler.c_engine.effects import Held, Knowledge, Range, overlap, reach, writes
from host_tools.compiler.ir_walk import walk, walk_expr
from host_tools.record import record, replace


@record(frozen=True)
class Known:
    """`local` holds what is at bytes `where` of a variable, or behind the pointer in a local."""

    local: int
    where: Range
    pointer: int | None = None


class Values:
    """What is known at one point of a function's text."""

    def __init__(self, effects: Knowledge) -> None:
        self._effects = effects
        self.known: dict[ir.Expr, Known] = {}
        self.same: dict[int, int] = {}  # locals that are copies of others

    def saved(self) -> tuple[dict[ir.Expr, Known], dict[int, int]]:
        return dict(self.known), dict(self.same)

    def merge(self, before: tuple[dict[ir.Expr, Known], dict[int, int]]) -> None:
        """Behind a block, what was known in front of it and still is."""
        self.known = {k: v for k, v in before[0].items() if self.known.get(k) == v}
        self.same = {k: v for k, v in before[1].items() if self.same.get(k) == v}

    def find(self, e: ir.Expr) -> int | None:
        """A local that holds the value, if there is one."""
        if not self.known:
            return None
        key = self._key(e)
        found = self.known.get(key) if key is not None else None
        return found.local if found else None

    def note(self, index: int, e: ir.Expr, held: dict[Held, str]) -> None:
        """A local has been set."""
        self.forget({index})
        key = self._key(e)
        if key is None or any(index == i for i in _locals(key)):
            return
        if key in self.known:
            self.same[index] = self.known[key].local
            return
        load = key.x if isinstance(key, ir.NotNull) else key
        assert isinstance(load, ir.Load)
        where = reach(load.addr, 4)
        if load.addr.base == "static":
            inner = (x for t, _ in load.addr.terms for x in walk_expr(t))
            if all(not isinstance(x, ir.Load) or _held(x) in held for x in inner):
                self.known[key] = Known(index, self._effects.around(where))
        elif isinstance(load.addr.pointer, ir.Local):
            self.known[key] = Known(index, where, load.addr.pointer.index)

    def _key(self, e: ir.Expr) -> ir.Expr | None:
        """The value without positions, for the few kinds of values that are worth it."""
        match e:
            case ir.NotNull(x=ir.Load(addr=addr) as x) if addr.base == "static":
                terms = tuple((_plain(t), scale) for t, scale in addr.terms)
                return replace(e, x=replace(x, addr=replace(addr, terms=terms)), pos=0)
            case ir.Load(
                kind="u32", addr=ir.Addr(base="ptr", pointer=ir.Local(index=i), terms=())
            ):
                pointer = ir.Local("u32", self.same.get(i, i))
                return replace(e, addr=replace(e.addr, pointer=pointer))
        return None

    # --- what changes ------------------------------------------------------------------------

    def forget(self, changed: set[int | str | Held]) -> None:
        """Locals or held scalars have changed."""
        for key, found in list(self.known.items()):
            used: set[int | str | Held] = {found.local, *_locals(key)}
            used |= {_held(x) for x in walk_expr(key) if isinstance(x, ir.Load)}
            if used & changed:
                del self.known[key]
        self.same = {a: b for a, b in self.same.items() if a not in changed and b not in changed}

    def after(self, s: ir.Stmt) -> None:
        """A statement has been run."""
        if not self.known:
            return
        for base, where in writes(s):
            pointer = _pointer(_target(s)) if base == "ptr" else None
            self._written(base, where, pointer)
        if isinstance(s, ir.Call):
            self._called(s)

    def after_all(self, block: tuple[ir.Stmt, ...]) -> None:
        for s in walk(block):
            self.after(s)

    def _called(self, s: ir.Call) -> None:
        inner = self._effects.functions.get(s.func)
        if inner is None:
            self.known.clear()
            return
        for where in inner.static:
            self._written("static", where, None)
        if inner.pointers:
            self._written("ptr", (0, 1 << 40), None)
        if s.instance is None:
            return
        d = s.instance.offset
        for low, high in inner.own:
            if s.instance.base == "static":
                self._written("static", self._effects.around(reach(s.instance, 1)), None)
            else:
                self._written(s.instance.base, (low + d, high + d), _pointer(s.instance))

    def _written(self, base: str, where: Range, pointer: int | None) -> None:
        if pointer is not None:
            pointer = self.same.get(pointer, pointer)
        taken = self._effects.taken
        for key, found in list(self.known.items()):
            if found.pointer is None:  # in a variable
                gone = base == "self"
                gone |= base == "static" and overlap(found.where, where)
                gone |= base == "ptr" and any(overlap(found.where, t) for t in taken)
            elif base == "ptr":
                gone = pointer != found.pointer or overlap(found.where, where)
            else:
                gone = base != "static" or any(overlap(where, t) for t in taken)
            if gone:
                del self.known[key]


def _target(s: ir.Stmt) -> ir.Addr | None:
    match s:
        case ir.Store(addr=addr) | ir.StoreBit(addr=addr) | ir.Init(addr=addr) | ir.Copy(to=addr):
            return addr
    return None


def _pointer(addr: ir.Addr | None) -> int | None:
    """The local that an address without indexes starts from."""
    if addr is None or addr.terms or not isinstance(addr.pointer, ir.Local):
        return None
    return addr.pointer.index


def _plain(e: ir.Expr) -> ir.Expr:
    match e:
        case ir.Check(x=x):
            return replace(e, x=_plain(x), pos=0)
        case ir.Convert(x=x):
            return replace(e, x=_plain(x))
        case ir.Binary(a=a, b=b):
            return replace(e, a=_plain(a), b=_plain(b), pos=0)
    return e


def _locals(e: ir.Expr) -> Iterator[int]:
    return (x.index for x in walk_expr(e) if isinstance(x, ir.Local))


def _held(x: ir.Load) -> Held:
    return Held(x.addr.base, x.addr.offset, x.kind)
