"""What printing one function needs to know: names, room for strings, and temporaries."""

from __future__ import annotations

from host_tools.compiler import ir
from host_tools.compiler.c_engine.effects import Held
from host_tools.compiler.c_engine.ranges import Ranges
from host_tools.compiler.c_engine.text import UNIT, EngineError, Names
from host_tools.compiler.ir_walk import accesses, expressions_of, stmt_parts, walk
from host_tools.record import record

MOST_ROOM = 65_535
"""Bytes of stack that the characters of one value may take."""

_MADE = {"from_char": 1, "int_to_str": 20, "time_to_str": 48}
_SUMS = ("concat", "insert", "replace")
NEEDS_ROOM = frozenset((*_MADE, *_SUMS, "delete", "to_wide", "to_narrow"))
"""Operations that make characters; all others choose some that are there."""


@record(frozen=True)
class Callable:
    """A function in C: its name, whether it takes the frame, and how many characters its result
    has at most."""

    name: str
    takes_frame: bool
    bound: int = 0


Place = tuple[str, str, tuple[tuple[ir.Expr, int], ...]]
"""What an element's address depends on: its base, the pointer it starts from, the indexes."""


class Scope:
    """The names of one function; `rooms` and `steps` belong to the statement being printed."""

    def __init__(self, program: ir.Program, func: ir.Func, callables: dict[str, Callable]) -> None:
        self.program = program
        self.func = func
        self.callables = callables
        names = Names(c.name for c in callables.values())
        self.locals = [names.take(v.name or f"x{i}") for i, v in enumerate(func.locals)]
        self.takes_frame = takes_frame(func, callables)
        self.pointers, self.references = _pointers(func)
        self.rooms: list[str] = []
        self.held: dict[Held, str] = {}  # scalars of the image that are locals now
        self.owed: dict[Held, str] = {}  # those of them that the image gets when the loop ends
        self.fail = 0  # the loop that pays them in front of a fault
        self.same: dict[ir.Expr, str] = {}  # values that a loop does not change
        self.ranges: Ranges = {}  # where the values of held scalars lie
        self.places: dict[Place, tuple[str, int]] = {}  # pointers to elements, and their offsets
        self._count = 0
        self.bounds = [0] * len(func.locals)
        for i, v in enumerate(func.locals[: func.parameters]):
            if v.kind in UNIT:
                self.bounds[i] = program.longest_string
        self._find_bounds()

    def pointer(self, e: ir.Expr | None) -> str | None:
        """The name of the C pointer that an address is, if it is one."""
        if not isinstance(e, ir.Local):
            return None
        if e.index in self.pointers:
            return self.locals[e.index]
        return f"at_{self.locals[e.index]}" if e.index in self.references else None

    def fresh(self, prefix: str = "t_") -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def room(self, e: ir.Expr) -> str:
        """The name of room for the characters of `e`, which this statement has on its stack."""
        name = self.fresh("room_")
        self.rooms.append(room(name, e.kind, self.bound(e)))
        return name

    def bound(self, e: ir.Expr) -> int:
        """Characters that the string `e` has at most."""
        match e:
            case ir.Const(value=bytes() as value):
                return len(value) // UNIT[e.kind]
            case ir.Load():
                return e.limit or self.program.longest_string
            case ir.Local(index=index):
                return self.bounds[index]
            case ir.Select(a=a, b=b):
                return max(self.bound(a), self.bound(b))
            case ir.Intrinsic(name=name, args=args):
                if name in _MADE:
                    return _MADE[name]
                if name in _SUMS:
                    return self.bound(args[0]) + self.bound(args[1])
                most = self.bound(args[0])
                count = args[1] if name in ("left", "right", "mid", "cut") else None
                if isinstance(count, ir.Const) and isinstance(count.value, int):
                    return min(most, max(count.value, 0))
                return most
        raise EngineError(f"the native engine does not know the string {type(e).__name__}")

    def _find_bounds(self) -> None:
        """How long the strings in locals get; each assignment can only make it more."""
        sets: list[tuple[int, ir.Expr | str]] = []
        for s in walk(self.func.body):
            if isinstance(s, ir.SetLocal) and s.value.kind in UNIT:
                sets.append((s.index, s.value))
            elif (
                isinstance(s, ir.Call)
                and s.result is not None
                and self.func.locals[s.result].kind in UNIT
            ):
                sets.append((s.result, s.func))
        for _ in range(len(sets) + 1):
            grown = False
            for index, source in sets:
                n = self.callables[source].bound if isinstance(source, str) else self.bound(source)
                if n > self.bounds[index]:
                    self.bounds[index], grown = n, True
            if not grown:
                return
        raise EngineError("a string in a local has no greatest length", self.func.pos)


def _pointers(func: ir.Func) -> tuple[set[int], set[int]]:
    """Locals that hold nothing but addresses, and parameters that are only read and used as one:
    in C both are pointers."""
    other = {s.result for s in walk(func.body) if isinstance(s, ir.Call)}
    places: set[int] = set()
    for s in walk(func.body):
        if isinstance(s, ir.SetLocal):
            (places if isinstance(s.value, ir.AddrOf) else other).add(s.index)
    used: set[int | None] = set()
    for s in walk(func.body):
        addrs = [*stmt_parts(s)[0]]
        addrs += [e.addr for e in expressions_of(s) if hasattr(e, "addr")]
        for addr in addrs:
            if isinstance(addr.pointer, ir.Local):
                used.add(addr.pointer.index)
    kinds = [v.kind for v in func.locals]
    pointers = {i for i in places - other if i >= func.parameters and kinds[i] == "u32"}
    given = {i for i in range(func.parameters) if kinds[i] == "u32" and i in used}
    return pointers, given - places - other


def room(name: str, kind: str, characters: int) -> str:
    """The declaration of room for that many characters."""
    size = max(characters, 1) * UNIT[kind]
    if size > MOST_ROOM:
        raise EngineError(
            f"a string value may have {characters} characters, which is more than fits the stack; "
            "declare the strings shorter or take them apart in several statements"
        )
    return f"u8 {name}[{size}] __attribute__((aligned(4)));"


def takes_frame(func: ir.Func, callables: dict[str, Callable]) -> bool:
    return (
        func.frame > 0
        or any(base == "frame" for base, _ in accesses(func))
        or any(
            isinstance(s, ir.Call) and s.func in callables and callables[s.func].takes_frame
            for s in walk(func.body)
        )
    )
