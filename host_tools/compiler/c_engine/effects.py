"""What functions write, and which scalars a loop may hold in registers.

A C compiler cannot know that a store to an element of an array leaves the loop's counter alone:
all of it is one block of bytes. The IR tells: elements stay inside of their checked bounds,
references reach only the variable they were made of, and a call writes what its function writes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterable, Iterator

from host_tools.compiler import ir
from host_tools.compiler.ir_walk import expressions_of, faults_itself, stmt_parts, walk
from host_tools.record import field, record

MOST = 7
"""Scalars held by one loop; small processors have eight registers that all instructions reach."""

MOST_SAME = 3
"""Values that a loop keeps since they are the same in every pass."""

Range = tuple[int, int]
"""From the first byte to behind the last one, from the start of a base."""

_EVERYWHERE: Range = (0, 1 << 40)


@record()
class Effects:
    """What a function and all it calls write and read: ranges of the image, whether through
    pointers; whether they have loops; whether they may fault."""

    static: list[Range] = field(default_factory=list)
    pointers: bool = False
    loops: bool = False
    reads: list[Range] = field(default_factory=list)
    reads_pointers: bool = False
    faults: bool = False
    own: list[Range] = field(default_factory=list)
    """What is written of the instance whose body it is."""


@record(frozen=True)
class Held:
    """A scalar at a constant address."""

    base: str
    offset: int
    kind: str


def extent(e: ir.Expr) -> Range:
    """Least and greatest value of an index."""
    match e:
        case ir.Const(value=int() as v):
            return v, v
        case ir.Check(low=low, high=high):
            return low, high
    low, high = ir.INT_RANGE[e.kind]
    if isinstance(e, ir.Convert) and not e.truncate and e.x.kind in ir.INT_RANGE:
        inner = extent(e.x)
        if low <= inner[0] and inner[1] <= high:
            return inner
    return low, high


def reach(addr: ir.Addr, size: int) -> Range:
    """The bytes that an access of this size may touch, from the start of its base."""
    low = high = addr.offset
    for e, scale in addr.terms:
        least, most = extent(e)
        low += min(least * scale, most * scale)
        high += max(least * scale, most * scale)
    return low, high + size


def overlap(a: Range, b: Range) -> bool:
    return a[0] < b[1] and b[0] < a[1]


@record()
class _Touched:
    """Bytes that a loop writes and reads other than as scalars at constant addresses, by base."""

    written: dict[str, list[Range]] = field(default_factory=lambda: {"static": [], "self": []})
    read: dict[str, list[Range]] = field(default_factory=lambda: {"static": [], "self": []})
    bits: list[tuple[str, Range]] = field(default_factory=list)
    faults: bool = False


class Knowledge:
    """What is known of the functions of a program."""

    def __init__(self, program: ir.Program) -> None:
        self._starts = [offset for offset, _ in program.objects]
        self._ends = [offset + size for offset, size in program.objects]
        self.functions: dict[str, Effects] = {}
        self.taken = [
            self._object(addr) for f in program.functions for addr in _addresses(f.body, "static")
        ]
        for f in program.functions:
            self._add(f)
        self._by_task = _reached(program)

    def _object(self, addr: ir.Addr) -> Range:
        """The variable that an address lies in: nothing made of it leads out of there."""
        return self.around(reach(addr, 1))

    def around(self, where: Range) -> Range:
        at = bisect_right(self._starts, where[0]) - 1
        if at < 0 or where[1] > self._ends[at]:
            return _EVERYWHERE
        return self._starts[at], self._ends[at]

    def _add(self, f: ir.Func) -> None:
        """A callee comes before its callers."""
        found = Effects()
        for s in walk(f.body):
            for base, where in writes(s):
                if base == "static":
                    found.static.append(where)
                elif base == "self":
                    found.own.append(where)
                found.pointers = found.pointers or base == "ptr"
            for base, where in _reads(s):
                if base == "static":
                    found.reads.append(where)
                found.reads_pointers = found.reads_pointers or base == "ptr"
            found.faults = found.faults or _faults(s)
            if isinstance(s, ir.Loop):
                found.loops = True
            elif isinstance(s, ir.Call):
                inner = self.functions.get(s.func)
                if inner is None:
                    inner = Effects([_EVERYWHERE], True, True, [_EVERYWHERE], True, True)
                found.static += inner.static
                found.reads += inner.reads
                found.pointers = found.pointers or inner.pointers
                found.reads_pointers = found.reads_pointers or inner.reads_pointers
                found.loops = found.loops or inner.loops
                found.faults = found.faults or inner.faults
                if s.instance is not None and s.instance.base == "static":
                    found.static.append(self._object(s.instance))
                    found.reads.append(self._object(s.instance))
                elif s.instance is not None and s.instance.base == "ptr":
                    found.pointers = found.reads_pointers = True
                elif s.instance is not None and s.instance.base == "self":
                    d = s.instance.offset
                    found.own += [(low + d, high + d) for low, high in inner.own]
                    if s.instance.terms:
                        found.own.append(_EVERYWHERE)
            if any(isinstance(e, ir.AddrOf) and e.addr.base == "self" for e in expressions_of(s)):
                found.own.append(_EVERYWHERE)
        found.static = joined(found.static)
        found.reads = joined(found.reads)
        found.own = joined(found.own)
        self.functions[f.name] = found

    def held(self, loop: ir.Loop, f: ir.Func) -> tuple[list[Held], list[Held]]:
        """The scalars that the loop may keep in locals, the most used first; and those of them
        that the image need not get before the loop ends or faults, since nobody looks."""
        used: dict[Held, int] = {}
        stored: set[Held] = set()
        touched = _Touched()
        for depth, s in _with_depth((loop,)):
            self._count(s, 4**depth, used, stored, touched)
        if f.has_self:
            self._meet(used, stored, touched)
        spoilt = {base: joined(ranges) for base, ranges in touched.written.items()}
        by_place: dict[tuple[str, int], set[str]] = {}
        for one in used:
            by_place.setdefault((one.base, one.offset), set()).add(one.kind)
        fit = [
            h
            for h in used
            if used[h] >= 4
            and len(by_place[h.base, h.offset]) == 1
            and not any(overlap(_bytes(h), other) for other in spoilt[h.base])
            and not any(_inside(h, other) for other in used)
        ]
        fit.sort(key=lambda h: (-used[h], h.base, h.offset))
        fit = fit[:MOST]
        if touched.faults:
            return fit, []
        seen = {base: joined(ranges) for base, ranges in touched.read.items()}
        owed = [
            h
            for h in fit
            if h in stored
            and not any(overlap(_bytes(h), other) for other in seen[h.base])
            and (h.kind in ir.INT_RANGE or not any(overlap(_bytes(h), w) for _, w in touched.bits))
            and self._is_private(h, f)
        ]
        return fit, owed

    def _is_private(self, h: Held, f: ir.Func) -> bool:
        """No other task, which could come between, has to do with it."""
        if len(self._by_task) < 2:
            return True
        if h.base != "static" or sum(f.name in names for _, names in self._by_task) != 1:
            return False
        for task, names in self._by_task:
            if f.name in names:
                continue
            other = self.functions[task]
            ranges = [*other.static, *other.reads]
            if other.pointers or other.reads_pointers:
                ranges += self.taken
            if any(overlap(_bytes(h), where) for where in ranges):
                return False
        return True

    def _meet(self, used: dict[Held, int], stored: set[Held], touched: _Touched) -> None:
        """An instance may be a variable that its own body also reaches by its place: fields and
        variables meet where the variable is large enough for the field to be in it."""
        statics = [h for h in used if h.base == "static"]
        new: list[tuple[dict[str, list[Range]], str, Range]] = []
        for into, both in (
            (touched.written, [h for h in stored if h.base == "static"]),
            (touched.read, statics),
        ):
            bits = touched.bits if into is touched.read else []
            for where in (
                *into["static"],
                *map(_bytes, both),
                *(w for base, w in bits if base == "static"),
            ):
                low, high = self.around(where)
                new.append((into, "self", (0, high - low)))
            mine = [h for h in (stored if into is touched.written else used) if h.base == "self"]
            for where in (
                *into["self"],
                *map(_bytes, mine),
                *(w for base, w in bits if base == "self"),
            ):
                for h in statics:
                    low, high = self.around(_bytes(h))
                    if where[0] < high - low:
                        new.append((into, "static", _bytes(h)))
        for into, base, where in new:
            into[base].append(where)

    def _count(
        self,
        s: ir.Stmt,
        weight: int,
        used: dict[Held, int],
        stored: set[Held],
        touched: _Touched,
    ) -> None:
        spoilt, seen = touched.written, touched.read
        for e in expressions_of(s):
            match e:
                case ir.Load(kind=kind, addr=addr) if kind in ir.SIZE and _is_fixed(addr):
                    one = Held(addr.base, addr.offset, kind)
                    used[one] = used.get(one, 0) + weight
                case ir.LoadBit(addr=addr) if _is_fixed(addr):
                    touched.bits.append((addr.base, reach(addr, 1)))
                case ir.AddrOf(addr=addr) if addr.base in spoilt:
                    where = self._object(addr) if addr.base == "static" else _EVERYWHERE
                    spoilt[addr.base].append(where)
        if isinstance(s, ir.Store) and s.value.kind in ir.SIZE and _is_fixed(s.addr):
            one = Held(s.addr.base, s.addr.offset, s.value.kind)
            used[one] = used.get(one, 0) + weight
            stored.add(one)
        else:
            for base, where in writes(s):
                if base in spoilt:
                    spoilt[base].append(where)
                elif base == "ptr":
                    spoilt["self"].append(_EVERYWHERE)
                    spoilt["static"] += self.taken
        for base, where in _reads(s, fixed=False):
            if base in seen:
                seen[base].append(where)
            elif base == "ptr":
                seen["self"].append(_EVERYWHERE)
                seen["static"] += self.taken
        if isinstance(s, ir.Call):
            self._call(s, touched)

    def _call(self, s: ir.Call, touched: _Touched) -> None:
        spoilt, seen = touched.written, touched.read
        inner = self.functions.get(s.func)
        # A method may change the instance this body belongs to, also through a reference.
        spoilt["self"].append(_EVERYWHERE)
        seen["self"].append(_EVERYWHERE)
        if inner is None:
            spoilt["static"].append(_EVERYWHERE)
            touched.faults = True
            return
        touched.faults = touched.faults or inner.faults
        spoilt["static"] += inner.static
        seen["static"] += inner.reads
        if inner.pointers:
            spoilt["static"] += self.taken
        if inner.reads_pointers:
            seen["static"] += self.taken
        if s.instance is not None and s.instance.base == "static":
            spoilt["static"].append(self._object(s.instance))
        elif s.instance is not None and s.instance.base == "ptr":
            spoilt["static"] += self.taken


def unchanged(loop: ir.Loop, held: Container[Held]) -> list[ir.Expr]:
    """Divisions that give the same value in every pass and cannot fault: what no branch of the
    loop's body decides on, of held scalars and locals that the loop leaves alone."""
    changed: set[int | Held] = set()
    for s in walk((*loop.body, *loop.step)):
        match s:
            case ir.SetLocal(index=index) | ir.Call(result=int() as index):
                changed.add(index)
            case ir.Store(addr=addr, value=value) if not addr.terms:
                changed.add(Held(addr.base, addr.offset, value.kind))

    def keeps(e: ir.Expr) -> bool:
        match e:
            case ir.Const(value=int()):
                return True
            case ir.Local(index=index, kind=kind):
                return index not in changed and kind in ir.INT_RANGE
            case ir.Load(kind=kind, addr=addr):
                one = Held(addr.base, addr.offset, kind)
                return not addr.terms and one in held and one not in changed
            case ir.Binary(a=a, b=b):
                return e.kind in ir.INT_RANGE and not faults_itself(e) and keeps(a) and keeps(b)
            case ir.Convert(x=x):
                return x.kind in ir.INT_RANGE and keeps(x)
        return False

    found: list[ir.Expr] = []
    for s in (*loop.body, *loop.step):
        for e in expressions_of(s):
            if isinstance(e, ir.Binary) and e.op in ("div", "mod") and e not in found and keeps(e):
                found.append(e)
    return found[:MOST_SAME]


def _reached(program: ir.Program) -> list[tuple[str, set[str]]]:
    """The function of each task, and the names of all that it may run."""
    calls = {
        f.name: {s.func for s in walk(f.body) if isinstance(s, ir.Call)} for f in program.functions
    }
    found: list[tuple[str, set[str]]] = []
    for task in program.tasks:
        names: set[str] = set()
        open_ = [task.func]
        while open_:
            name = open_.pop()
            if name not in names:
                names.add(name)
                open_ += calls.get(name, ())
        found.append((task.func, names))
    return found


def _bytes(h: Held) -> Range:
    return h.offset, h.offset + ir.SIZE[h.kind]


def _faults(s: ir.Stmt) -> bool:
    if isinstance(s, ir.Loop | ir.RaiseFault):
        return True
    return any(faults_itself(e) for e in expressions_of(s))


def _reads(s: ir.Stmt, fixed: bool = True) -> Iterator[tuple[str, Range]]:
    """Base and bytes of what a statement itself reads; `fixed`: scalars at constant addresses,
    too."""
    for e in expressions_of(s):
        match e:
            case ir.Load(kind=kind, addr=addr):
                if kind not in ir.SIZE:
                    yield addr.base, (reach(addr, 1)[0], _EVERYWHERE[1])
                elif fixed or not _is_fixed(addr):
                    yield addr.base, reach(addr, ir.SIZE[kind])
            case ir.LoadBit(addr=addr) if fixed or not _is_fixed(addr):
                yield addr.base, reach(addr, 1)
    if isinstance(s, ir.Copy):
        yield s.source.base, reach(s.source, s.size)


def joined(ranges: Iterable[Range]) -> list[Range]:
    """The same bytes in few ranges, in order."""
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1]:
            found[-1] = found[-1][0], max(high, found[-1][1])
        else:
            found.append((low, high))
    return found


def _inside(one: Held, other: Held) -> bool:
    return one != other and one.base == other.base and overlap(_bytes(one), _bytes(other))


def _is_fixed(addr: ir.Addr) -> bool:
    return addr.base in ("static", "self") and not addr.terms


def writes(s: ir.Stmt) -> Iterator[tuple[str, Range]]:
    """Base and bytes of what a statement itself writes."""
    match s:
        case ir.Store(addr=addr, value=value):
            if value.kind in ir.SIZE:
                yield addr.base, reach(addr, ir.SIZE[value.kind])
            else:  # a string: up to its capacity, which is not known here
                yield addr.base, (reach(addr, 1)[0], _EVERYWHERE[1])
        case ir.StoreBit(addr=addr):
            yield addr.base, reach(addr, 1)
        case ir.Copy(to=to, size=size):
            yield to.base, reach(to, size)
        case ir.Init(addr=addr, data=data):
            yield addr.base, reach(addr, len(data))


def _addresses(block: tuple[ir.Stmt, ...], base: str) -> Iterator[ir.Addr]:
    """Every address that is taken of a base, and every instance there that is called."""
    for s in walk(block):
        for e in expressions_of(s):
            if isinstance(e, ir.AddrOf) and e.addr.base == base:
                yield e.addr


def _with_depth(block: tuple[ir.Stmt, ...], depth: int = 0) -> Iterator[tuple[int, ir.Stmt]]:
    for s in block:
        yield depth, s
        inner = depth + isinstance(s, ir.Loop)
        for nested in stmt_parts(s)[2]:
            yield from _with_depth(nested, inner)
