"""What functions write, and which scalars a loop may hold in registers.

A C compiler cannot know that a store to an element of an array leaves the loop's counter alone:
all of it is one block of bytes. The IR tells: elements stay inside of their checked bounds,
references reach only the variable they were made of, and a call writes what its function writes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from host_tools.compiler import ir
from host_tools.compiler.ir_walk import expressions_of, stmt_parts, walk
from host_tools.record import field, record

MOST = 7
"""Scalars held by one loop; small processors have eight registers that all instructions reach."""

Range = tuple[int, int]
"""From the first byte to behind the last one, from the start of a base."""

_EVERYWHERE: Range = (0, 1 << 40)


@record()
class Effects:
    """What a function and all it calls write: ranges of the image, whether through pointers."""

    static: list[Range] = field(default_factory=list)
    pointers: bool = False
    loops: bool = False


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


class Knowledge:
    """What is known of the functions printed so far; a callee comes before its callers."""

    def __init__(self, program: ir.Program) -> None:
        self._starts = [offset for offset, _ in program.objects]
        self._ends = [offset + size for offset, size in program.objects]
        self.functions: dict[str, Effects] = {}
        self._taken = [
            self._object(addr) for f in program.functions for addr in _addresses(f.body, "static")
        ]

    def _object(self, addr: ir.Addr) -> Range:
        """The variable that an address lies in: nothing made of it leads out of there."""
        low, high = reach(addr, 1)
        at = bisect_right(self._starts, low) - 1
        if at < 0 or high > self._ends[at]:
            return _EVERYWHERE
        return self._starts[at], self._ends[at]

    def add(self, f: ir.Func) -> Effects:
        found = Effects()
        for s in walk(f.body):
            for base, where in _writes(s):
                if base == "static":
                    found.static.append(where)
                found.pointers = found.pointers or base == "ptr"
            if isinstance(s, ir.Loop):
                found.loops = True
            elif isinstance(s, ir.Call):
                inner = self.functions.get(s.func)
                if inner is None:
                    found.static.append(_EVERYWHERE)
                    found.pointers = found.loops = True
                    continue
                found.static += inner.static
                found.pointers = found.pointers or inner.pointers
                found.loops = found.loops or inner.loops
                if s.instance is not None and s.instance.base == "static":
                    found.static.append(self._object(s.instance))
        found.static = joined(found.static)
        self.functions[f.name] = found
        return found

    def held(self, loop: ir.Loop) -> list[Held]:
        """The scalars that the loop may keep in locals, the most used first. Their stores still go
        to the image, so that it is right at every fault."""
        used: dict[Held, int] = {}
        spoilt: dict[str, list[Range]] = {"static": [], "self": []}
        for depth, s in _with_depth((loop,)):
            self._count(s, 4**depth, used, spoilt)
        for base in ("static", "self"):
            taken = joined(spoilt[base])
            for one in [h for h in used if h.base == base]:
                mine = (one.offset, one.offset + ir.SIZE[one.kind])
                if any(overlap(mine, other) for other in taken):
                    del used[one]
        by_place: dict[tuple[str, int], set[str]] = {}
        for one in used:
            by_place.setdefault((one.base, one.offset), set()).add(one.kind)
        fit = [h for h in used if used[h] >= 4 and len(by_place[h.base, h.offset]) == 1]
        fit = [h for h in fit if not any(_inside(h, other) for other in used)]
        fit.sort(key=lambda h: (-used[h], h.base, h.offset))
        return fit[:MOST]

    def _count(
        self,
        s: ir.Stmt,
        weight: int,
        used: dict[Held, int],
        spoilt: dict[str, list[Range]],
    ) -> None:
        for e in expressions_of(s):
            match e:
                case ir.Load(kind=kind, addr=addr) if kind in ir.SIZE and _is_fixed(addr):
                    one = Held(addr.base, addr.offset, kind)
                    used[one] = used.get(one, 0) + weight
                case ir.AddrOf(addr=addr) if addr.base in spoilt:
                    where = self._object(addr) if addr.base == "static" else _EVERYWHERE
                    spoilt[addr.base].append(where)
        if isinstance(s, ir.Store) and s.value.kind in ir.SIZE and _is_fixed(s.addr):
            one = Held(s.addr.base, s.addr.offset, s.value.kind)
            used[one] = used.get(one, 0) + weight
            return
        for base, where in _writes(s):
            if base in spoilt:
                spoilt[base].append(where)
            elif base == "ptr":
                spoilt["self"].append(_EVERYWHERE)
                spoilt["static"] += self._taken
        if isinstance(s, ir.Call):
            self._call(s, spoilt)

    def _call(self, s: ir.Call, spoilt: dict[str, list[Range]]) -> None:
        inner = self.functions.get(s.func)
        if inner is None:
            spoilt["static"].append(_EVERYWHERE)
            spoilt["self"].append(_EVERYWHERE)
            return
        spoilt["static"] += inner.static
        # A method may change the instance this body belongs to, also through a reference.
        spoilt["self"].append(_EVERYWHERE)
        if inner.pointers:
            spoilt["static"] += self._taken
        if s.instance is not None and s.instance.base == "static":
            spoilt["static"].append(self._object(s.instance))
        elif s.instance is not None and s.instance.base == "ptr":
            spoilt["static"] += self._taken


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
    if one is other or one.base != other.base:
        return False
    mine = (one.offset, one.offset + ir.SIZE[one.kind])
    return overlap(mine, (other.offset, other.offset + ir.SIZE[other.kind]))


def _is_fixed(addr: ir.Addr) -> bool:
    return addr.base in ("static", "self") and not addr.terms


def _writes(s: ir.Stmt) -> Iterator[tuple[str, Range]]:
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
