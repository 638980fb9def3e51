"""Random programs in Structured Text with the inputs to play to them: a Hypothesis strategy.

They are well typed: what the compiler refuses is a mistake of one of the two. Most run for ever,
some fault on purpose after some scans. `small` leaves out what takes an emulated board long.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.conformance.generate_bodies import (
    INDENT,
    Bodies,
    Locals,
    initial,
    initial_value,
)
from tests.conformance.generate_scope import STANDARD, Signature, World, block_type
from tests.conformance.generate_types import (
    BITS,
    BOOL,
    CHAR,
    DATE,
    DINT,
    DT,
    DWORD,
    INT,
    LDT,
    LINT,
    LREAL,
    LTIME,
    LWORD,
    REAL,
    SINT,
    TIME,
    TOD,
    UINT,
    USINT,
    WCHAR,
    WORD,
    Choices,
    T,
    array,
    integer,
    is_scalar,
    literal,
    string,
)

SCANS = 30
"""Release instants a stimulus is made for."""


PATTERNS = [0x7F800001, 0xFFC12345, 0x7FC00000, 0xFF800000, 0x7F7FFFFF, 0x00000001, 0x807FFFFF]
PATTERNS += [0x00800000, 0x80000000, 0x3F800001, 0xC1234567, 0x4B7FFFFF, 0x5F000000, 0xDF000001]
"""Remarkable numbers of REAL: NaNs of all sorts, subnormal ones, limits of integers."""


@dataclass(frozen=True)
class Generated:
    """A program and its inputs: (release instant, path, value as `takt run --set` takes it)."""

    text: str
    stimulus: tuple[tuple[int, str, Any], ...]
    lreal: bool


def programs(lreal: bool = False, small: bool = False) -> st.SearchStrategy[Generated]:
    """Programs of 30 to 150 lines or so. `lreal`: they may use LREAL. They do not shrink: what
    differs is made smaller by reduce.py, from the text."""
    seeds = st.integers(0, (1 << 32) - 1)
    return seeds.map(lambda seed: _Writer(Choices(seed), lreal, small).program())


def collect(count: int, lreal: bool = False, small: bool = False) -> list[Generated]:
    """Always the same `count` programs, all different."""
    found: dict[str, Generated] = {}

    @settings(
        max_examples=count + count // 2 + 20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(lreal=lreal, small=small))
    def gather(made: Generated) -> None:
        found.setdefault(made.text, made)

    gather()
    assert len(found) >= count, f"only {len(found)} different programs"
    return list(found.values())[:count]


Rows = list[tuple[str, T]]


class _Writer:
    def __init__(self, c: Choices, lreal: bool, small: bool) -> None:
        self.c = c
        self.world = World(c, lreal, small)
        self.world.risk = c.pick([0, 0, 0, 0, 2])
        self.lines: list[str] = []
        self.stimulated: list[tuple[str, T]] = []
        self.counter = 0

    def name(self, stem: str) -> str:
        self.counter += 1
        made = f"{stem}{self.counter}"
        self.world.names.add(made)
        return made

    # --- types -------------------------------------------------------------------------------

    def scalar(self) -> T:
        w = self.world
        kinds = [BOOL] * 4 + [INT, DINT] * 3 + w.ints + [REAL] * 5 + BITS + [TIME] * 2
        kinds += [LTIME, DT, LDT, TOD, DATE, CHAR, WCHAR] + w.enums * 2 + w.subranges * 2
        kinds += [LREAL] * 6 if w.lreal else []
        return self.c.pick(kinds)

    def text(self) -> T:
        return string(self.c.pick([5, 12, 20]), wide=self.c.chance(25))

    def array(self) -> T:
        low = self.c.pick([0, 1, -2])
        bounds = [(low, low + self.c.between(1, 5))]
        if self.c.chance(30):
            bounds.append((0, self.c.between(1, 2)))
        element = self.scalar()
        if self.world.structs and self.c.chance(20):
            element = self.c.pick(self.world.structs)
        elif self.c.chance(10):
            element = self.text()
        made = array(bounds, element)
        if self.c.chance(10) and len(bounds) == 1:
            made = array([(1, 2)], made)
        return made

    def type(self) -> T:
        form = self.c.below(20)
        if form < 13:
            return self.scalar()
        if form < 16:
            return self.array()
        if form < 18:
            return self.text()
        return self.c.pick(self.world.structs) if self.world.structs else self.scalar()

    def declare_types(self) -> None:
        c, w = self.c, self.world
        lines = []
        for _ in range(c.below(3)):
            name = self.name("Enum")
            values = [self.name("v") for _ in range(c.between(2, 5))]
            base = c.pick(["", "", " : USINT", " : DINT", " : WORD"])
            shown, following = [], 0
            for value in values:
                given = ""
                if c.chance(30):
                    following += c.between(0, 9)
                    given = f" := {following}"
                shown.append(value + given)
                following += 1
            if base.startswith(" : "):
                lines.append(f"{name} :{base[2:]} ({', '.join(shown)});")
            else:
                lines.append(f"{name} : ({', '.join(shown)});")
            w.enums.append(T(name, "enum", values=tuple(values)))
        for _ in range(c.below(3)):
            t = c.pick([INT, SINT, DINT, USINT, UINT])
            low = c.pick([0, 1, -2]) if t.low else c.pick([0, 1])
            high = low + c.pick([1, 3, 9, 50])
            name = self.name("Range")
            lines.append(f"{name} : {t.name} ({low}..{high});")
            w.subranges.append(T(name, "sub", low, high, t))
        for _ in range(c.below(3)):
            name = self.name("Struct")
            body = Bodies(w, Locals(), 0)
            members = []
            lines.append(f"{name} : STRUCT")
            for _ in range(c.between(1, 5)):
                t = self.type()
                member = self.name("m")
                lines.append(f"{INDENT}{member} : {t.name}{initial(body, t)};")
                members.append((member, t, ""))
            lines.append("END_STRUCT;")
            w.structs.append(T(name, "struct", members=tuple(members)))
        if lines:
            self.lines += ["TYPE", *(INDENT + line for line in lines), "END_TYPE", ""]

    # --- declarations ------------------------------------------------------------------------

    def variables(self, head: str, rows: list[str]) -> list[str]:
        """A block of declarations, several on a line."""
        lines: list[str] = []
        for row in rows:
            if lines and len(lines[-1]) + len(row) < 90:
                lines[-1] += " " + row
            else:
                lines.append(INDENT + row)
        return [head, *lines, "END_VAR"] if rows else []

    def stimulate(self, path: str, t: T) -> None:
        """Let the inputs change this variable, too, or a part of it."""
        if is_scalar(t):
            self.stimulated.append((path, t))
        elif t.group == "struct":
            for name, member, _ in t.members:
                self.stimulate(f"{path}.{name}", member)
        elif t.group == "array" and t.base is not None:
            indices = ", ".join(str(self.c.between(low, high)) for low, high in t.bounds)
            self.stimulate(f"{path}[{indices}]", t.base)

    def declare_globals(self) -> None:
        c, w = self.c, self.world
        body = Bodies(w, Locals(), 0)
        rows = []
        for _ in range(c.below(4)):
            t = c.pick([*w.ints, REAL, TIME, BOOL, WORD])
            name = self.name("c")
            rows.append(f"{name} : {t.name} := {literal(c, t, typed=c.chance(50))};")
            w.constants.append((name, t))
        self.lines += self.variables("VAR_GLOBAL CONSTANT", rows)
        rows = []
        kinds = [REAL, DINT, LINT, DWORD, BOOL, string(20), TIME, LREAL if w.lreal else UINT]
        for k in range(c.between(5, 10)):
            t = kinds[k] if k < 3 else c.pick([*kinds, self.type()])
            name = self.name("g")
            rows.append(f"{name} : {t.name}{initial(body, t)};")
            w.globals.append((name, t, False))
            self.stimulate(name, t)
        if c.chance(40):
            # What the inputs put into %ID5 is any pattern of bits.
            name = self.name("i")
            rows.append(f"{name} AT %ID5 : REAL;")
            w.globals.append((name, REAL, True))
        for n in range(c.below(3)):
            where, t = c.pick(
                [
                    (f"%IX{n}.{c.below(8)}", BOOL),
                    (f"%IW{n}", c.pick([WORD, INT, UINT])),
                    (f"%ID{n}", c.pick([REAL, DINT, DWORD])),
                    (f"%IL{n}", LWORD),
                    (f"%IB{4 + n}", BITS[0]),
                ]
            )
            name = self.name("i")
            rows.append(f"{name} AT {where} : {t.name};")
            w.globals.append((name, t, True))
            self.stimulate(name, t)
        self.lines += self.variables(c.pick(["VAR_GLOBAL", "VAR_GLOBAL RETAIN"]), rows)

    def scope(self, statements: int) -> tuple[Bodies, list[str]]:
        """A body with globals and loop counters, and the declarations of these counters."""
        c = self.c
        loops = Locals()
        rows = []
        for _ in range(2):
            for stem, found in (("k", loops.counters), ("n", loops.guards)):
                t = c.pick([INT, DINT, INT, *self.world.ints])
                name = self.name(stem)
                found.append((name, t))
                rows.append(f"{name} : {t.name};")
        body = Bodies(self.world, loops, statements)
        for name, t, read_only in self.world.globals:
            body.declare(name, t, write=not read_only, static=not read_only)
        for name, t in loops.counters:
            body.declare(name, t)
        for name, t in loops.guards:
            body.declare(name, t, write=False)
        return body, rows

    def locals(
        self, body: Bodies, low: int, high: int, static: bool, made: Rows | None = None
    ) -> list[str]:
        rows = []
        for _ in range(self.c.between(low, high)):
            t = self.type()
            name = self.name("x")
            rows.append(f"{name} : {t.name}{initial(body, t)};")
            body.declare(name, t, static=static)
            if made is not None:
                made.append((name, t))
        return rows

    def parameters(self, body: Bodies, low: int, high: int) -> tuple[list[str], Rows]:
        rows: list[str] = []
        made: Rows = []
        for _ in range(self.c.between(low, high)):
            t = self.type()
            name = self.name("p")
            default = initial(body, t) if is_scalar(t) and self.c.chance(30) else ""
            rows.append(f"{name} : {t.name}{default};")
            made.append((name, t))
            body.declare(name, t)
        return rows, made

    def instances(self, body: Bodies, low: int, high: int) -> list[str]:
        rows = []
        for _ in range(self.c.between(low, high)):
            blocks = [t for t, _ in self.world.blocks]
            t = self.c.pick([block_type(self.c.pick(STANDARD)), *blocks, *blocks])
            name = self.name("f")
            if self.c.chance(15):
                t = array([(0, self.c.between(1, 2))], t)
            rows.append(f"{name} : {t.name};")
            body.declare(name, t)
        return rows

    # --- POUs --------------------------------------------------------------------------------

    def function(self) -> None:
        c = self.c
        name = self.name("Fun")
        body, loop_rows = self.scope(c.between(2, 5))
        inputs, ins = self.parameters(body, 1, 3)
        inouts, ios = self.parameters(body, 0, 1) if c.chance(40) else ([], [])
        outputs, outs = self.parameters(body, 0, 1) if c.chance(40) else ([], [])
        result = None
        if c.chance(85):
            result = self.type() if c.chance(40) else self.scalar()
            body.declare(name, result)
        local = self.locals(body, 0, 3, False)
        lines = body.body()
        if result is not None:
            value = body.value(result, 2)
            lines += [f"{name} := {value};"] if value else []
        loops = any(" DO" in line or "REPEAT" in line for line in lines)
        shown = f" : {result.name}" if result is not None else ""
        self.lines += [f"FUNCTION {name}{shown}"]
        self.lines += self.variables("VAR_INPUT", inputs)
        self.lines += self.variables("VAR_IN_OUT", inouts)
        self.lines += self.variables("VAR_OUTPUT", outputs)
        self.lines += self.variables("VAR", local + loop_rows)
        self.lines += [*(INDENT + line for line in lines), "END_FUNCTION", ""]
        self.world.functions.append(
            Signature(
                name, tuple(ins), tuple(ios), tuple(outs), result, loops or self.nested(lines)
            )
        )

    def nested(self, lines: list[str]) -> bool:
        """Whether something that is called has loops."""
        text = "\n".join(lines)
        return any(s.loops and f"{s.name}(" in text for s in self.world.functions)

    def function_block(self) -> None:
        c = self.c
        name = self.name("Block")
        body, loop_rows = self.scope(c.between(3, 7))
        inputs, ins = self.parameters(body, 1, 3)
        inouts, ios = self.parameters(body, 0, 1) if c.chance(40) else ([], [])
        outputs, outs = self.parameters(body, 1, 2)
        local = self.locals(body, 0, 3, True) + self.instances(body, 0, 2) + loop_rows
        temps = self.locals(body, 0, 2, False) if c.chance(40) else []
        lines = body.body()
        self.lines += [f"FUNCTION_BLOCK {name}"]
        self.lines += self.variables("VAR_INPUT", inputs)
        self.lines += self.variables("VAR_IN_OUT", inouts)
        self.lines += self.variables("VAR_OUTPUT", outputs)
        self.lines += self.variables("VAR", local)
        self.lines += self.variables("VAR_TEMP", temps)
        self.lines += [*(INDENT + line for line in lines), "END_FUNCTION_BLOCK", ""]
        loops = any(" DO" in line or "REPEAT" in line for line in lines)
        loops = loops or self.nested(lines) or bool(body.instances)
        sig = Signature(name, tuple(ins), tuple(ios), tuple(outs), None, loops)
        self.world.blocks.append((block_type(sig), sig))

    def one_program(self, n: int, alone: bool, faults: bool) -> tuple[str, Rows, Rows, Rows]:
        c = self.c
        name = f"Prog{n}"
        most = (14 if self.world.small else 30) // (1 if alone else 2)
        body, loop_rows = self.scope(c.between(6, most))
        inputs, ins = self.parameters(body, 0, 2)
        outputs, outs = self.parameters(body, 0, 2)
        poked = list(ins)
        local = self.locals(body, 3, 8, True, poked)
        if c.chance(30):
            local += self.references(body)
        retained = self.locals(body, 1, 2, True) if c.chance(25) else []
        constant = self.constants(body) if c.chance(25) else []
        local += self.instances(body, 0, 3) + loop_rows
        temps = self.locals(body, 1, 2, False) if c.chance(30) else []
        located = []
        for bit in range(c.below(3)):
            t, where = c.pick([(BOOL, f"%QX{n}.{bit}"), (INT, f"%QW{4 * n + bit}")])
            output = self.name("q")
            located.append(f"{output} AT {where} : {t.name};")
            body.declare(output, t, packed=t is BOOL)
        body.outputs = [(f"%QX{n}.6", BOOL), (f"%QX{n}.7", BOOL), (f"%QW{4 * n + 3}", WORD)]
        body.outputs += [(f"%QD{n}", DWORD), (f"%MW{n}", WORD), (f"%MX{n}.0", BOOL)]
        body.inputs = [("%IX3.0", BOOL), ("%IX3.1", BOOL), ("%IW5", WORD), ("%ID5", DWORD)]
        for where, t in body.inputs:
            self.stimulate(where, t)
        lines = body.body()
        if faults:
            scan = self.name("s")
            local.append(f"{scan} : INT;")
            lines += body.fault(scan, c.between(0, 20))
        self.lines += [f"PROGRAM {name}"]
        self.lines += self.variables("VAR_INPUT", inputs)
        self.lines += self.variables("VAR_OUTPUT", outputs)
        self.lines += self.variables("VAR", local + located)
        self.lines += self.variables("VAR RETAIN", retained)
        self.lines += self.variables("VAR CONSTANT", constant)
        self.lines += self.variables("VAR_TEMP", temps)
        self.lines += [*(INDENT + line for line in lines), "END_PROGRAM", ""]
        return name, ins, outs, poked

    def references(self, body: Bodies) -> list[str]:
        targets = [t for t in body.types.values() if t.group in ("int", "real", "bits")]
        rows = []
        for kind in ("REF_TO", "POINTER TO", "REFERENCE TO"):
            t = self.c.pick(targets)
            name = self.name("r")
            rows.append(f"{name} : {kind} {t.name};")
            if kind == "REFERENCE TO":
                body.references.append((name, t))
            else:
                body.declare(name, T(f"{kind} {t.name}", "ref", base=t))
        return rows

    def constants(self, body: Bodies) -> list[str]:
        """VAR CONSTANT: values, arrays and structures that cannot be changed."""
        rows = []
        for _ in range(self.c.between(1, 2)):
            t = self.type()
            name = self.name("c")
            rows.append(f"{name} : {t.name} := {initial_value(body, t)};")
            if t.group in ("array", "struct"):
                body.declare(name, t, write=False)
            else:
                body.constants.append((name, t))
        return rows

    # --- the whole ---------------------------------------------------------------------------

    def program(self) -> Generated:
        c = self.c
        small = self.world.small
        self.declare_types()
        self.declare_globals()
        for _ in range(c.below(3 if small else 4)):
            self.function()
        for _ in range(c.below(2 if small else 3)):
            self.function_block()
        count = c.pick([1, 1, 2] if small else [1, 2, 2, 3])
        faulty = c.below(count) if c.chance(17) else -1
        made = [self.one_program(n, count == 1, n == faulty) for n in range(count)]
        if count > 1 or c.chance(60):
            self.configuration(made)
        else:
            for name, _, _, poked in made:
                for p, t in poked:
                    self.stimulate(f"{name}.{p}", t)
        return Generated("\n".join(self.lines) + "\n", self.stimulus(), self.world.lreal)

    def configuration(self, made: list[tuple[str, Rows, Rows, Rows]]) -> None:
        c = self.c
        intervals = ["T#10ms", "T#10ms", "T#5ms", "T#20ms", "T#1ms", "T#7ms", "T#2500us", "T#30ms"]
        head, tail = [], []
        for n, (name, ins, outs, poked) in enumerate(made):
            form = c.below(10)
            task = f" WITH task{n}"
            if form == 9 and n:
                task = ""  # freewheeling
            else:
                wanted = f"INTERVAL := {c.pick(intervals)}, PRIORITY := {c.below(3)}"
                if form == 8 and n:
                    events = ["%IX3.0"] + [g for g, t, _ in self.world.globals if t is BOOL]
                    wanted = f"SINGLE := {c.pick(events)}"
                head.append(f"TASK task{n}({wanted});")
            args = [f"{p} := {literal(c, t)}" for p, t in ins if is_scalar(t) and c.chance(30)]
            for p, t in outs:
                fits = [
                    g for g, kind, read_only in self.world.globals if kind == t and not read_only
                ]
                if fits and c.chance(50):
                    args.append(f"{p} => {c.pick(fits)}")
            given = f"({', '.join(args)})" if args else ""
            tail.append(f"PROGRAM inst{n}{task} : {name}{given};")
            for p, t in poked:
                self.stimulate(f"inst{n}.{p}", t)
        self.lines += ["CONFIGURATION Plant", f"{INDENT}RESOURCE cpu ON board"]
        self.lines += [INDENT * 2 + line for line in (*head, *tail)]
        self.lines += [f"{INDENT}END_RESOURCE", "END_CONFIGURATION"]

    def stimulus(self) -> tuple[tuple[int, str, Any], ...]:
        c = self.c
        rows = []
        for at in range(SCANS):
            count = len(self.stimulated) // 2 if at == 0 else c.pick([0, 1, 2, 3, 3])
            for _ in range(count):
                path, t = c.pick(self.stimulated)
                value = self.setting(t)
                if value is not None and not any(r[:2] == (at, path) for r in rows):
                    rows.append((at, path, value))
        return tuple(rows)

    def setting(self, t: T) -> Any:
        c = self.c
        if t is DWORD and c.chance(40):
            return c.pick(PATTERNS)
        if t.group in ("int", "bits"):
            return integer(c, t)
        if t.group == "bool":
            return c.chance(50)
        if t.group == "real":
            text = literal(c, t, typed=False)
            return text if c.chance(94) else c.pick(["NaN", "Infinity", "-Infinity"])
        if t.group == "sub":
            return c.between(t.low, t.high)
        if t.group == "time":
            return c.pick([0, 1, 5_000_000, 10_000_000, 25_000_000, -3, 1 << 62, c.below(10**12)])
        if t.group in ("str", "wstr"):
            return c.pick(["", "abc", "12", "-3.5", "xyzab", "aXbc", "7_000"])
        if t.group == "enum":
            return c.pick(t.values)
        return None
