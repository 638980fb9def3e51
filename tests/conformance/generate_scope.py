"""What POUs of generated programs share, and what is in scope of one of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.conformance.generate_types import (
    BOOL,
    CHAR,
    DT,
    INT,
    INTS,
    LREAL,
    LTIME,
    REAL,
    TIME,
    WCHAR,
    Choices,
    T,
)

Bounds = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Signature:
    """A FUNCTION or FUNCTION_BLOCK. `loops`: it has loops, so it is not called from one."""

    name: str
    inputs: tuple[tuple[str, T], ...]
    inouts: tuple[tuple[str, T], ...] = ()
    outputs: tuple[tuple[str, T], ...] = ()
    result: T | None = None
    loops: bool = False


@dataclass(frozen=True)
class Access:
    """A way to a scalar, string, structure, ...: text, with bounds where an index goes."""

    root: str
    type: str
    parts: tuple[str | Bounds, ...]
    packed: bool = False

    @property
    def indexed(self) -> bool:
        return any(not isinstance(p, str) for p in self.parts)


@dataclass
class World:
    """What all POUs of a program share. `risk`: percent of guards that are left out."""

    c: Choices
    lreal: bool
    small: bool
    risk: int = 0
    enums: list[T] = field(default_factory=list)
    subranges: list[T] = field(default_factory=list)
    structs: list[T] = field(default_factory=list)
    functions: list[Signature] = field(default_factory=list)
    blocks: list[tuple[T, Signature]] = field(default_factory=list)
    globals: list[tuple[str, T, bool]] = field(default_factory=list)
    constants: list[tuple[str, T]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    ints: list[T] = field(default_factory=lambda: list(INTS))

    @property
    def reals(self) -> list[T]:
        return [REAL, LREAL] if self.lreal else [REAL]

    def hidden(self, enumerated: str) -> bool:
        """Whether a bare enumerated value could mean something else."""
        owners = sum(enumerated in t.values for t in self.enums)
        return owners > 1 or enumerated in self.names


STANDARD = [
    Signature("TON", (("IN", BOOL), ("PT", TIME)), (), (("Q", BOOL), ("ET", TIME))),
    Signature("TOF", (("IN", BOOL), ("PT", TIME)), (), (("Q", BOOL), ("ET", TIME))),
    Signature("TP", (("IN", BOOL), ("PT", TIME)), (), (("Q", BOOL), ("ET", TIME))),
    Signature("TON_LTIME", (("IN", BOOL), ("PT", LTIME)), (), (("Q", BOOL), ("ET", LTIME))),
    Signature("R_TRIG", (("CLK", BOOL),), (), (("Q", BOOL),)),
    Signature("F_TRIG", (("CLK", BOOL),), (), (("Q", BOOL),)),
    Signature("SR", (("S1", BOOL), ("R", BOOL)), (), (("Q1", BOOL),)),
    Signature("RS", (("S", BOOL), ("R1", BOOL)), (), (("Q1", BOOL),)),
    Signature("RTC", (("IN", BOOL), ("PDT", DT)), (), (("Q", BOOL), ("CDT", DT))),
] + [
    Signature(name + suffix, inputs, (), outputs)
    for suffix, t in (("", INT), ("_DINT", INTS[4]), ("_ULINT", INTS[7]))
    for name, inputs, outputs in (
        ("CTU", (("CU", BOOL), ("R", BOOL), ("PV", t)), (("Q", BOOL), ("CV", t))),
        ("CTD", (("CD", BOOL), ("LD", BOOL), ("PV", t)), (("Q", BOOL), ("CV", t))),
        (
            "CTUD",
            (("CU", BOOL), ("CD", BOOL), ("R", BOOL), ("LD", BOOL), ("PV", t)),
            (("QU", BOOL), ("QD", BOOL), ("CV", t)),
        ),
    )
]


def block_type(sig: Signature) -> T:
    members = [(n, t, "in") for n, t in sig.inputs] + [(n, t, "out") for n, t in sig.outputs]
    return T(sig.name, "fb", members=tuple(members))


class Scope:
    """Everything in scope of a POU: how it is reached, by type."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.c = world.c
        self.types: dict[str, T] = {}
        self.reads: dict[str, list[Access]] = {}
        self.writes: dict[str, list[Access]] = {}
        self.instances: list[tuple[Access, Signature]] = []
        self.outputs: list[tuple[str, T]] = []
        self.inputs: list[tuple[str, T]] = []
        self.static: set[str] = set()
        self.constants = list(world.constants)
        self.locked: set[str] = set()
        self.ranges: list[tuple[str, int, int]] = []
        self.in_loop = 0
        self.depth = 0

    # --- scope -------------------------------------------------------------------------------

    def declare(
        self, name: str, t: T, write: bool = True, packed: bool = False, static: bool = False
    ) -> None:
        if static:
            self.static.add(name)
        self._reach(name, t, (name,), write, packed)

    def _reach(
        self, root: str, t: T, parts: tuple[str | Bounds, ...], write: bool, packed: bool
    ) -> None:
        access = Access(root, t.name, parts, packed)
        self.types[t.name] = t
        if t.group == "fb":
            sigs = [*STANDARD, *(s for _, s in self.world.blocks)]
            self.instances.append((access, next(s for s in sigs if s.name == t.name)))
        else:
            self.reads.setdefault(t.name, []).append(access)
            if write:
                self.writes.setdefault(t.name, []).append(access)
        if t.group in ("struct", "fb"):
            for name, member, section in t.members:
                inside = (*parts, f".{name}")
                self._reach(root, member, inside, write and section != "out", False)
        elif t.group == "array":
            assert t.base is not None
            self._reach(root, t.base, (*parts, t.bounds), write, False)
        elif t.group == "sub":
            assert t.base is not None
            self.types[t.base.name] = t.base
            self.reads.setdefault(t.base.name, []).append(access)
        elif t.group in ("str", "wstr"):
            self._reach(
                root, WCHAR if t.group == "wstr" else CHAR, (*parts, ((1, t.high),)), write, False
            )

    def near(self, kinds: list[T]) -> T:
        """One of the types, most often one that there are variables of."""
        groups = {t.group for t in self.types.values()} & {"str", "wstr"}
        found = [t for t in kinds if t.name in self.reads or t.group in groups]
        return self.c.pick(found if found and self.c.chance(85) else kinds)
