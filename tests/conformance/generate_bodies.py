"""Random bodies of POUs: what is in scope, and statements on it. The expressions are in
generate_expressions.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.conformance.generate_expressions import Expressions
from tests.conformance.generate_scope import Access, World
from tests.conformance.generate_types import (
    BITS,
    BOOL,
    INTS,
    T,
    is_scalar,
    literal,
    number,
)

INDENT = "    "


@dataclass
class Locals:
    """What a POU declares for its loops: counters of FOR, and of WHILE and REPEAT."""

    counters: list[tuple[str, T]] = field(default_factory=list)
    guards: list[tuple[str, T]] = field(default_factory=list)


class Bodies(Expressions):
    """Writes statements for one POU. `left` is how many statements it may still have."""

    def __init__(self, world: World, loops: Locals, statements: int) -> None:
        super().__init__(world)
        self.loops = loops
        self.left = statements
        self.written: dict[Access, int] = {}
        self.references: list[tuple[str, T]] = []

    # --- blocks ------------------------------------------------------------------------------

    def body(self) -> list[str]:
        lines: list[str] = []
        while self.left > 0:
            lines += self.statement(2 if self.c.chance(70) else 0)
        return lines

    def block(self, depth: int) -> list[str]:
        lines: list[str] = []
        for _ in range(self.c.pick([1, 1, 2, 3])):
            lines += self.statement(depth)
        return [INDENT + line for line in lines]

    def statement(self, depth: int) -> list[str]:
        self.left -= 1
        forms = [self.assign] * 14 + [self.latch, self.part, self.call, self.call, self.block_call]
        forms += [self.block_call] * 2 + [self.direct, self.bind, self.through, self.refer]
        if depth > 0 and self.left > 0:
            forms += [self.branch] * 3 + [self.case] * 2 + [self.for_loop, self.for_loop]
            forms += [self.while_loop, self.repeat_loop]
        if self.in_loop:
            forms += [self.leave]
        elif depth < 2 and self.c.chance(5):
            forms += [self.finish]
        for _ in range(4):
            self.depth = depth
            lines = self.c.pick(forms)()
            if lines:
                return lines
        return [";"] if self.c.chance(20) else self.assign() or [";"]

    # --- assignments -------------------------------------------------------------------------

    def assign(self) -> list[str]:
        t, target = self.target()
        value = self.value(t, self.c.pick([1, 2, 3, 3]))
        return [f"{target} := {value};"] if value else []

    def target(self) -> tuple[T, str]:
        """A variable to assign to: best a number, and one that was not assigned to yet."""
        c = self.c
        names = [name for name, found in self.writes.items() if self.free(found)]
        numbers = [n for n in names if self.types[n].group in ("int", "bits", "real", "time")]
        texts = [n for n in names if self.types[n].group in ("str", "wstr")]
        if numbers and c.chance(55):
            names = numbers
        elif texts and c.chance(20):
            names = texts
        picked = [c.pick(names) for _ in range(3)]
        found = [(t, c.pick(self.free(self.writes[t]))) for t in picked]
        name, access = min(found, key=lambda f: self.written.get(f[1], 0))
        self.written[access] = self.written.get(access, 0) + 1
        return self.types[name], self.render(access)

    def free(self, found: list[Access]) -> list[Access]:
        return [a for a in found if a.root not in self.locked]

    def writable(self, t: T, addressed: bool = False) -> str | None:
        """A variable of the type that may be written, and pointed at if `addressed`."""
        found = [a for a in self.free(self.writes.get(t.name, [])) if not (addressed and a.packed)]
        return self.render(self.c.pick(found)) if found else None

    def latch(self) -> list[str]:
        target = self.writable(BOOL)
        if target is None:
            return []
        return [f"{target} {self.c.pick(['S=', 'R='])} {self.expr(BOOL, 2).text};"]

    def part(self) -> list[str]:
        """Partial access on the left side."""
        t = self.c.pick([*BITS, *INTS])
        target = self.writable(t, addressed=True)
        if target is None or "]" in target:
            return []
        part, kind = self.part_of(t)
        return [f"{target}{part} := {self.expr(kind, 2).text};"]

    def direct(self) -> list[str]:
        """Outputs without a name; each program has some of its own."""
        if not self.outputs:
            return []
        where, t = self.c.pick(self.outputs)
        return [f"{where} := {self.expr(t, 2).text};"]

    # --- references --------------------------------------------------------------------------

    def bind(self) -> list[str]:
        refs = [self.types[n] for n in self.writes if self.types[n].group == "ref"]
        if not refs:
            return []
        t = self.c.pick(refs)
        target = self.writable(t)
        value = self.reference(t)
        return [f"{target} := {value};"] if target and value else []

    def through(self) -> list[str]:
        """Through a reference, which is checked before."""
        refs = [self.types[n] for n in self.reads if self.types[n].group == "ref"]
        if not refs:
            return []
        t = self.c.pick(refs)
        assert t.base is not None
        name = self.render(self.c.pick(self.reads[t.name]))
        value = self.value(t.base, 2)
        target = self.writable(t.base)
        if value is None or "[" in name:
            return []
        lines = [f"{INDENT}{name}^ := {value};"]
        if target:
            lines.append(f"{INDENT}{target} := {name}^;")
        return [f"IF {name} <> NULL THEN", *lines, "END_IF;"]

    def refer(self) -> list[str]:
        """A REFERENCE TO is bound and used like a variable."""
        if not self.references:
            return []
        name, t = self.c.pick(self.references)
        found = self.reference(T("REF_TO", "ref", base=t))
        target = self.writable(t)
        if found in (None, "NULL") or target is None:
            return []
        assert found is not None
        bound = found.removeprefix("REF(").removesuffix(")")
        lines = [f"{name} REF= {bound};", f"{name} := {self.expr(t, 2).text};"]
        return [*lines, f"{target} := {name};"]

    # --- calls -------------------------------------------------------------------------------

    def call(self) -> list[str]:
        found = [s for s in self.callable() if s.outputs or s.inouts or s.result is None]
        if not found:
            return []
        text = self.function(self.c.pick(found), 2)
        return [text + ";"] if text else []

    def block_call(self) -> list[str]:
        found = [(a, s) for a, s in self.instances if not (self.in_loop and s.loops)]
        if not found:
            return []
        access, sig = self.c.pick(found)
        args: list[str] = []
        for name, t in sig.inouts:
            target = self.writable(t, addressed=True)
            if target is None:
                return []
            args.append(f"{name} := {target}")
        for name, t in sig.inputs:
            if self.c.chance(75):
                value = self.value(t, 1)
                if value is not None:
                    args.append(f"{name} := {value}")
        for name, t in sig.outputs:
            if self.c.chance(25):
                target = self.writable(t)
                if target:
                    args.append(f"{self.negated(t)}{name} => {target}")
        return [f"{self.render(access)}({', '.join(args)});"]

    # --- branches ----------------------------------------------------------------------------

    def branch(self) -> list[str]:
        depth = self.depth - 1
        lines = [f"IF {self.condition()} THEN", *self.block(depth)]
        for _ in range(self.c.pick([0, 0, 0, 1, 2])):
            lines += [f"ELSIF {self.condition()} THEN", *self.block(depth)]
        if self.c.chance(50):
            lines += ["ELSE", *self.block(depth)]
        return [*lines, "END_IF;"]

    def condition(self) -> str:
        """Both outcomes shall be met: often something that changes."""
        form = self.c.below(10)
        if form < 3:
            return self.leaf(BOOL).text
        if form < 6:
            t = self.near([*INTS, *BITS])
            found = self.variable(t, indexed=False)
            if found:
                return f"{found}.%X{self.c.below(4)}"
        return self.expr(BOOL, 2).text

    def case(self) -> list[str]:
        depth = self.depth - 1
        enums = [t for t in self.world.enums if t.name in self.reads]
        t = self.c.pick([*self.world.ints, *BITS[:3], *enums, *enums])
        # A deep expression first: most values are small then, and meet a branch.
        selector = self.expr(t, 1).text
        if t.group == "int" and self.c.chance(50):
            selector = f"{selector} MOD {number(self.c, t, 5, True)}"
        lines = [f"CASE {selector} OF"]
        if t.group == "enum":
            names = list(t.values)
            while names and self.c.chance(70):
                name = names.pop(self.c.below(len(names)))
                label = name if self.c.chance(30) and not self.world.hidden(name) else ""
                lines += [f"{INDENT}{label or f'{t.name}#{name}'}:"]
                lines += [INDENT + line for line in self.block(depth)]
        else:
            at = max(t.low, self.c.pick([-3, 0, 0, 1]))
            for _ in range(self.c.pick([1, 2, 2, 3, 5])):
                labels = []
                for _ in range(self.c.pick([1, 1, 2])):
                    end = at + self.c.pick([0, 0, 0, 3])
                    typed = self.c.chance(20)
                    label = number(self.c, t, at, typed)
                    labels.append(label if end == at else f"{label}..{number(self.c, t, end, 0)}")
                    at = end + self.c.pick([1, 1, 4])
                lines += [f"{INDENT}{', '.join(labels)}:"]
                lines += [INDENT + line for line in self.block(depth)]
        if len(lines) == 1:
            return []
        if self.c.chance(50):
            lines += ["ELSE", *self.block(depth)]
        return [*lines, "END_CASE;"]

    # --- loops -------------------------------------------------------------------------------

    def enter(self, lines: list[str], name: str, depth: int) -> None:
        self.locked.add(name)
        self.in_loop += 1
        lines += self.block(depth)
        self.in_loop -= 1
        self.locked.discard(name)

    def for_loop(self) -> list[str]:
        counters = [v for v in self.loops.counters if v[0] not in self.locked]
        if not counters or self.in_loop >= 2:
            return []
        depth = self.depth - 1
        name, t = self.c.pick(counters)
        first, last, step = self.c.between(0, 3), self.c.between(0, 5), 1
        if t.low < 0 and self.c.chance(30):
            first, last = last, first - 2
            step = self.c.pick([-1, -1, -2])
        elif self.c.chance(20):
            step = self.c.pick([2, 3])
        elif self.c.chance(15):  # to the very end of the type
            first, last = t.high - self.c.below(4), t.high
        known = True
        start, stop = self.bound(t, first), self.bound(t, last)
        if self.c.chance(15) and first < 6 and last < 6:
            known = False
            stop = self.clamped(t, 0, 4, 1)
        by = f" BY {number(self.c, t, step, self.c.chance(30))}" if step != 1 else ""
        if not known and self.c.chance(30):
            by = f" BY {self.clamped(t, 1, 3, 1)}"
        lines = [f"FOR {name} := {start} TO {stop}{by} DO"]
        inside = (name, min(first, last), max(first, last)) if known else None
        if inside:
            self.ranges.append(inside)
        self.enter(lines, name, depth)
        if inside:
            self.ranges.remove(inside)
        return [*lines, "END_FOR;"]

    def bound(self, t: T, value: int) -> str:
        return number(self.c, t, value, self.c.chance(40))

    def while_loop(self) -> list[str]:
        guard = self.guard()
        if guard is None:
            return []
        name, t = guard
        depth = self.depth - 1
        op = self.c.pick(["AND", "AND_THEN", "&"])
        limit = number(self.c, t, self.c.between(1, 4), False)
        lines = [f"{name} := 0;"]
        lines += [f"WHILE ({name} < {limit}) {op} {self.expr(BOOL, 1).text} DO"]
        lines += [f"{INDENT}{name} := {name} + 1;"]
        self.enter(lines, name, depth)
        return [*lines, "END_WHILE;"]

    def repeat_loop(self) -> list[str]:
        guard = self.guard()
        if guard is None:
            return []
        name, t = guard
        depth = self.depth - 1
        op = self.c.pick(["OR", "OR_ELSE"])
        limit = number(self.c, t, self.c.between(1, 4), False)
        lines = [f"{name} := 0;", "REPEAT", f"{INDENT}{name} := {name} + 1;"]
        self.enter(lines, name, depth)
        return [*lines, f"UNTIL {self.expr(BOOL, 1).text} {op} ({name} >= {limit})", "END_REPEAT;"]

    def guard(self) -> tuple[str, T] | None:
        free = [v for v in self.loops.guards if v[0] not in self.locked]
        return self.c.pick(free) if free and self.in_loop < 2 else None

    def leave(self) -> list[str]:
        word = self.c.pick(["EXIT", "CONTINUE"])
        return [f"IF {self.expr(BOOL, 1).text} THEN", f"{INDENT}{word};", "END_IF;"]

    def finish(self) -> list[str]:
        return [f"IF {self.expr(BOOL, 2).text} THEN", f"{INDENT}RETURN;", "END_IF;"]

    # --- faults ------------------------------------------------------------------------------

    def fault(self, scan: str, after: int) -> list[str]:
        """A fault on purpose when the counter `scan` has passed `after`."""
        ints = [t for t in self.world.ints if self.free(self.writes.get(t.name, []))]
        form = self.c.below(5)
        lines: list[str] = []
        if ints:
            t = self.c.pick(ints)
            target = self.writable(t)
            value = self.expr(t, 1).text
            if form == 0:
                lines = [f"{target} := {value} / ({scan_of(t, scan)} - {scan_of(t, scan)});"]
            elif form == 1:
                lines = [f"{target} := SHL({value}, -{scan});"]
            elif form == 2:
                lines = [f"{target} := MUX({scan} + 2, {value}, {value});"]
        found = [a for name in self.reads for a in self.reads[name] if a.indexed]
        if form == 3 and found:
            access = self.c.pick(found)
            text = self.render(access, index=f"{scan} + 30")
            t = self.types[access.type]
            target = self.writable(t)
            if target and target != text and is_scalar(t):
                lines = [f"{target} := {text};"]
        if not lines:
            lines = [f"WHILE {scan} > 0 DO", f"{INDENT}{scan} := {scan} + 1;"]
            lines += [f"{INDENT}IF {scan} > 30000 THEN", f"{INDENT * 2}{scan} := 1;"]
            lines += [f"{INDENT}END_IF;", "END_WHILE;"]
        indented = [INDENT + line for line in lines]
        return [f"{scan} := {scan} + 1;", f"IF {scan} > {after} THEN", *indented, "END_IF;"]


def scan_of(t: T, scan: str) -> str:
    return scan if t.name == "INT" else f"INT_TO_{t.name}({scan})"


def initial(body: Expressions, t: T) -> str:
    """An initial value for a declaration, with its `:=`, or nothing."""
    c = body.c
    if t.group in ("fb", "ref") or c.chance(30):
        return ""
    return f" := {initial_value(body, t)}"


def initial_value(body: Expressions, t: T) -> str:
    c = body.c
    if t.group == "array":
        assert t.base is not None
        count = 1
        for low, high in t.bounds:
            count *= high - low + 1
        if c.chance(30):
            return f"[{count}({initial_value(body, t.base)})]"
        given = min(count, c.between(1, 6))
        return f"[{', '.join(initial_value(body, t.base) for _ in range(given))}]"
    if t.group == "struct":
        given_members = [m for m in t.members if c.chance(60)] or [t.members[0]]
        return f"({', '.join(f'{n} := {initial_value(body, m)}' for n, m, _ in given_members)})"
    return literal(c, t, typed=c.chance(30))
