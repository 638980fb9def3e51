"""Random well-typed expressions in the scope of one POU."""

from __future__ import annotations

from typing import NamedTuple

from tests.conformance.generate_scope import Access, Scope, Signature
from tests.conformance.generate_types import (
    BITS,
    BOOL,
    BYTE,
    CHAR,
    DATE,
    DINT,
    DT,
    DWORD,
    INT,
    INTS,
    LDT,
    LREAL,
    LTIME,
    LWORD,
    NARROWER,
    REAL,
    STRING,
    TIME,
    TOD,
    WCHAR,
    WIDTH,
    WORD,
    WSTRING,
    T,
    literal,
    number,
)


class E(NamedTuple):
    """Text of an expression; `const` where it is made of literals only, and so is folded."""

    text: str
    const: bool = False


class Expressions(Scope):
    """Expressions on what is in scope."""

    # --- variables ---------------------------------------------------------------------------

    def render(self, access: Access, index: str = "") -> str:
        text = ""
        for part in access.parts:
            if isinstance(part, str):
                text += part
            else:
                indices = [self.index(low, high) for low, high in part]
                if index:
                    indices[0] = index
                text += f"[{', '.join(indices)}]"
        return text

    def risky(self) -> bool:
        return self.world.risk > 0 and self.c.chance(self.world.risk)

    def index(self, low: int, high: int) -> str:
        c = self.c
        form = c.below(10)
        loops = [n for n, a, b in self.ranges if low <= a and b <= high]
        if loops and form < 7:
            return c.pick(loops)
        subs = [t for t in self.world.subranges if low <= t.low and t.high <= high]
        if form == 7:
            plain = [a for t in subs for a in self.reads.get(t.name, ()) if not a.indexed]
            if plain:
                return self.render(c.pick(plain))
        if form >= 8:
            t = c.pick(self.world.ints)
            if t.low <= low and high <= t.high:
                risk = self.variable(t, indexed=False) if self.risky() else None
                return risk or self.clamped(t, low, high, 0)
        return str(c.between(low, high))

    def clamped(self, t: T, low: int, high: int, depth: int) -> str:
        """An expression of the type within low..high."""
        value = self.expr(t, depth) if depth else self.leaf(t, indexed=False)
        a, b = (number(self.c, t, n, self.c.chance(50)) for n in (low, high))
        if low == 0 and t.low == 0 and self.c.chance(50):
            return f"({value.text} MOD {number(self.c, t, high + 1, True)})"
        return f"LIMIT({a}, {value.text}, {b})"

    # --- expressions -------------------------------------------------------------------------

    def value(self, t: T, depth: int) -> str | None:
        """What may be assigned to a variable of type `t`; None where there is nothing."""
        c = self.c
        if t.group == "sub":
            assert t.base is not None
            if c.chance(30):
                return self.leaf(t).text
            if self.risky():
                return self.expr(t.base, depth).text
            return self.clamped(t.base, t.low, t.high, depth)
        if t.group == "ref":
            return self.reference(t)
        if t.group in ("struct", "array"):
            made = self.call_for(t, depth) if c.chance(40) else None
            if made is None and t.name in self.reads:
                found = self.reads[t.name]
                made = self.render(c.pick(found)) if len(found) > 1 else None
            return made
        if t.name in NARROWER and c.chance(10):
            return self.expr(c.pick(NARROWER[t.name]), depth).text
        inputs = [
            where for where, kind in self.inputs if WIDTH.get(kind.name) == WIDTH.get(t.name)
        ]
        if t.group in ("int", "bits") and inputs and c.chance(15):
            return c.pick(inputs)
        if c.chance(5):
            return literal(c, t, typed=False)
        return self.expr(t, depth).text

    def reference(self, t: T) -> str | None:
        assert t.base is not None
        found = [
            a
            for a in self.writes.get(t.base.name, ())
            if a.root in self.static and a.root not in self.locked and not a.packed
        ]
        if not found or self.c.chance(15):
            return "NULL"
        take = "ADR" if t.name.startswith("POINTER") else "REF"
        return f"{take}({self.render(self.c.pick(found))})"

    def variable(self, t: T, indexed: bool = True) -> str | None:
        found = [a for a in self.reads.get(t.name, []) if indexed or not a.indexed]
        return self.render(self.c.pick(found)) if found else None

    def leaf(self, t: T, indexed: bool = True) -> E:
        c = self.c
        found = self.variable(t, indexed) if c.chance(88) else None
        if found:
            return E(found)
        inputs = [where for where, kind in self.inputs if kind is t]
        if inputs and c.chance(60):
            return E(c.pick(inputs))
        if t.group in ("int", "bits", "real") and t.name not in self.reads and c.chance(80):
            source = self.near([INT, *INTS, *self.world.reals, *BITS])
            found = self.variable(source, indexed)
            if found:
                return E(f"{source.name}_TO_{t.name}({found})")
        constants = [name for name, kind in self.constants if kind == t]
        if constants and c.chance(50):
            return E(c.pick(constants), True)
        return E(literal(c, t), True)

    def expr(self, t: T, depth: int) -> E:
        """A value of exactly this type, a literal with its prefix."""
        if t.group == "sub":
            return self.leaf(t)
        if depth <= 0 or self.c.chance(8):
            return self.leaf(t)
        if self.c.chance(15):
            called = self.call_for(t, depth - 1)
            if called is not None:
                return E(called)
        if t.group not in ("char", "date", "tod") and self.c.chance(10):
            return self.selection(t, depth - 1)
        made: E = getattr(self, f"{t.group}_")(t, depth - 1)
        return made

    def right(self, t: T, depth: int) -> E:
        """The right side of an operator whose left side is `t`."""
        if t.name in NARROWER and self.c.chance(20):
            return self.expr(self.c.pick(NARROWER[t.name]), min(depth, 1))
        if t.group in ("int", "bits", "real", "bool") and self.c.chance(12):
            return E(literal(self.c, t, typed=False), True)
        return self.expr(t, depth)

    def two(self, t: T, ops: list[str], depth: int) -> E:
        a, b = self.expr(t, depth), self.right(t, depth)
        return E(f"({a.text} {self.c.pick(ops)} {b.text})", a.const and b.const)

    def listed(self, name: str, *args: E) -> E:
        return E(f"{name}({', '.join(a.text for a in args)})", all(a.const for a in args))

    def selection(self, t: T, depth: int) -> E:
        a, b = self.expr(t, depth), self.expr(t, depth)
        if self.c.chance(65):
            return self.listed("SEL", self.expr(BOOL, depth), a, b)
        choices = [a, b, *self.c.some(0, 2, lambda: self.expr(t, depth))]
        k = self.c.pick(self.world.ints)
        risk = self.variable(k) if self.risky() else None
        selector = risk or self.clamped(k, 0, len(choices) - 1, depth)
        return self.listed("MUX", E(selector), *choices)

    # --- calls -------------------------------------------------------------------------------

    def callable(self) -> list[Signature]:
        return [s for s in self.world.functions if not (self.in_loop and s.loops)]

    def call_for(self, t: T, depth: int) -> str | None:
        found = [s for s in self.callable() if s.result == t]
        return self.function(self.c.pick(found), depth) if found else None

    def function(self, sig: Signature, depth: int) -> str | None:
        c = self.c
        named = bool(sig.inouts or sig.outputs) or c.chance(40)
        args = []
        for name, t in sig.inputs:
            value = self.value(t, depth)
            if value is None:
                return None
            if not named:
                args.append(value)
            elif t.group in ("struct", "array") or c.chance(85):
                args.append(f"{name} := {value}")
        for name, t in sig.inouts:
            found = [
                a
                for a in self.writes.get(t.name, ())
                if a.root not in self.locked and not a.packed
            ]
            if not found:
                return None
            args.append(f"{name} := {self.render(c.pick(found))}")
        for name, t in sig.outputs:
            found = [a for a in self.writes.get(t.name, ()) if a.root not in self.locked]
            if found and c.chance(70):
                args.append(f"{self.negated(t)}{name} => {self.render(c.pick(found))}")
        return f"{sig.name}({', '.join(args)})"

    def negated(self, t: T) -> str:
        return "NOT " if t is BOOL and self.c.chance(25) else ""

    # --- by type -----------------------------------------------------------------------------

    def bool_(self, t: T, depth: int) -> E:
        c = self.c
        form = c.below(12)
        if form < 5:
            return self.comparison(depth)
        if form < 8:
            ops = ["AND", "OR", "XOR", "&", "AND_THEN", "OR_ELSE"]
            a, b = self.expr(BOOL, depth), self.expr(BOOL, depth)
            return E(f"({a.text} {c.pick(ops)} {b.text})", a.const and b.const)
        if form == 8:
            a = self.expr(BOOL, depth)
            return E(f"(NOT {a.text})", a.const)
        if form == 9:
            source = self.near([*self.world.ints, *BITS])
            return self.listed(f"{source.name}_TO_BOOL", self.expr(source, depth))
        if form == 10:
            bits = [b for b in [*BITS, *INTS] if b.name in self.reads]
            if bits:
                kind = c.pick(bits)
                found = [a for a in self.reads[kind.name] if not a.indexed]
                if found:
                    name = self.render(c.pick(found))
                    return E(f"{name}.{c.pick(['%X', ''])}{c.below(WIDTH[kind.name])}")
        source = self.near([*self.world.ints, *self.world.reals, TIME])
        op = c.pick(["GT", "GE", "EQ", "LE", "LT"])
        return self.listed(op, *(self.expr(source, depth) for _ in range(c.between(2, 3))))

    def comparison(self, depth: int) -> E:
        kinds = [*self.world.ints, *self.world.reals, *self.world.reals, *BITS, TIME, LTIME, DT]
        kinds += [STRING, WSTRING, TOD, DATE, LDT, CHAR, WCHAR, BOOL, *self.world.enums]
        t = self.near(kinds)
        return self.two(t, ["=", "<>", "<", "<=", ">", ">="], depth)

    def int_(self, t: T, depth: int) -> E:
        c = self.c
        form = c.below(20)
        if form < 6:
            return self.two(t, ["+", "-", "*"], depth)
        if form < 8:
            a, b = self.expr(t, depth), self.divisor(t, depth)
            return E(f"({a.text} {c.pick(['/', 'MOD'])} {b.text})", a.const and b.const)
        if form == 8:
            a = self.expr(t, depth)
            return E(f"(-{a.text})", a.const)
        if form == 9:
            if c.chance(40):
                return self.listed("ABS", self.expr(t, depth))
            args = c.some(2, 3, lambda: self.expr(t, depth))
            return self.listed(c.pick(["MIN", "MAX"]), *args)
        if form == 10:
            return self.listed("LIMIT", *(self.expr(t, depth) for _ in range(3)))
        if form == 11:
            return self.shift(t, depth)
        if form == 12:
            if c.chance(40):
                a = self.expr(t, depth)
                return E(f"(NOT {a.text})", a.const)
            return self.two(t, ["AND", "OR", "XOR"], depth)
        if form == 13:
            args = c.some(2, 4, lambda: self.expr(t, depth))
            if c.chance(30):
                return self.listed("SUB", *args[:2])
            if c.chance(20):
                return self.listed("DIV", args[0], self.divisor(t, depth))
            return self.listed(c.pick(["ADD", "MUL"]), *args)
        if form == 14:
            r = self.expr(c.pick(self.world.reals), depth)
            return self.listed(f"TRUNC_{t.name}", r)
        if form == 15 and t.low == 0:
            bits = c.pick(BITS)
            return self.listed(f"{bits.name}_BCD_TO_{t.name}", self.expr(bits, depth))
        if form == 16 and t is INT:
            if c.chance(50):
                return self.listed("LEN", self.expr(STRING, depth))
            return self.listed("FIND", self.expr(STRING, depth), self.expr(STRING, depth))
        if form == 17 and t is INT:
            return self.listed("DAY_OF_WEEK", self.expr(DATE, depth))
        return self.conversion(t, depth)

    def conversion(self, t: T, depth: int) -> E:
        c = self.c
        kinds = [*self.world.ints, *BITS, *self.world.reals, *self.world.reals, BOOL, TIME, LTIME]
        kinds += [TOD, DT, DATE]
        source = self.near(kinds)
        if c.chance(5) and not self.world.small:
            source = STRING
        if source is t:
            source = BOOL
        name = f"{source.name}_TO_{t.name}" if c.chance(85) else f"TO_{t.name}"
        return E(self.listed(name, self.expr(source, depth)).text)

    def divisor(self, t: T, depth: int, typed: bool = False) -> E:
        c = self.c
        risk = self.variable(t) if self.risky() else None
        if risk:
            return E(risk)
        if c.chance(40):
            value = c.pick([2, 3, 7, 10, 100, t.high, *([-1, -2, t.low] if t.low else [])])
            return E(number(c, t, value, typed or c.chance(50)), True)
        a = self.expr(t, depth)
        one = number(c, t, 1, True)
        text = c.pick([f"MAX({a.text}, {one})", f"({a.text} OR {one})"])
        return E(text, a.const)

    def shift(self, t: T, depth: int) -> E:
        c = self.c
        a = self.expr(t, depth)
        form = c.below(4)
        if form == 0:
            kind = c.pick([INTS[1], INTS[3], INTS[5], *BITS[:2]])
            count = self.expr(kind, depth)
        elif form == 1:
            kind = c.pick([INT, INTS[4], INTS[0]])
            count = self.expr(kind, depth)
            if count.const or not self.risky():
                count = E(f"({count.text} AND {number(c, kind, 63, True)})", count.const)
        else:
            count = E(str(c.pick([0, 1, 3, 4, 7, 8, 15, 16, 31, 32, 33, 63, 64, 200])), True)
        return self.listed(c.pick(["SHL", "SHR", "ROL", "ROR"]), a, count)

    def bits_(self, t: T, depth: int) -> E:
        c = self.c
        form = c.below(12)
        if form < 4:
            return self.two(t, ["AND", "OR", "XOR", "&"], depth)
        if form == 4:
            a = self.expr(t, depth)
            return E(f"(NOT {a.text})", a.const)
        if form < 7:
            return self.shift(t, depth)
        if form == 7 and t is not BYTE:
            return self.listed("SWAP", self.expr(t, depth))
        if form == 8:
            source = c.pick([INTS[1], INTS[3], INTS[5], INTS[7]])
            return self.listed(f"{source.name}_TO_BCD_{t.name}", self.expr(source, depth))
        if form == 9:
            wider = [b for b in BITS if WIDTH[b.name] > WIDTH[t.name] and b.name in self.reads]
            if wider:
                kind = c.pick(wider)
                found = [a for a in self.reads[kind.name] if not a.indexed]
                if found:
                    letter = {8: "B", 16: "W", 32: "D"}[WIDTH[t.name]]
                    part = c.below(WIDTH[kind.name] // WIDTH[t.name])
                    return E(f"{self.render(c.pick(found))}.%{letter}{part}")
        if form == 10:
            return self.listed(c.pick(["MIN", "MAX"]), self.expr(t, depth), self.expr(t, depth))
        return self.conversion(t, depth)

    def part_of(self, t: T) -> tuple[str, T]:
        """A partial access on a variable of the type, and what it takes."""
        kinds = [("X", 1, BOOL), ("B", 8, BYTE), ("W", 16, WORD), ("D", 32, DWORD)]
        letter, size, kind = self.c.pick([k for k in kinds if k[1] < WIDTH[t.name]])
        number_ = self.c.below(WIDTH[t.name] // size)
        if size == 1 and self.c.chance(50):
            return f".{number_}", BOOL
        return f".%{letter}{number_}", kind

    def real_(self, t: T, depth: int) -> E:
        c = self.c
        form = c.below(20)
        if form < 9:
            return self.two(t, ["+", "-", "*", "/"], depth)
        if form == 9:
            a = self.expr(t, depth)
            return E(f"(-{a.text})", a.const)
        if form == 10:
            return self.listed(c.pick(["ABS", "SQRT", "FLOOR", "CEIL"]), self.expr(t, depth))
        if form == 11:
            args = c.some(2, 3, lambda: self.expr(t, depth))
            return self.listed(c.pick(["MIN", "MAX", "ADD", "MUL"]), *args)
        if form == 12:
            return self.listed("LIMIT", *(self.expr(t, depth) for _ in range(3)))
        if form == 13 and c.chance(25 if self.world.small else 60):
            names = ["SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN", "EXP", "LN", "LOG"]
            if c.chance(20):
                if c.chance(50):
                    a, b = self.expr(t, depth), self.expr(t, depth)
                    return E(f"({a.text} ** {b.text})")
                return E(self.listed("ATAN2", self.expr(t, depth), self.expr(t, depth)).text)
            return E(self.listed(c.pick(names), self.expr(t, depth)).text)
        if form == 14:
            bits = DWORD if t is REAL else LWORD
            return E(self.listed(f"{bits.name}_TO_{t.name}", self.expr(bits, depth)).text)
        if form == 15 and self.world.lreal:
            other = LREAL if t is REAL else REAL
            return E(self.listed(f"{other.name}_TO_{t.name}", self.expr(other, depth)).text)
        return self.conversion(t, depth)

    def time_(self, t: T, depth: int) -> E:
        c = self.c
        form = c.below(10)
        if form < 4:
            return self.two(t, ["+", "-"], depth)
        if form == 4:
            factor = self.expr(self.near([*self.world.ints, *self.world.reals]), depth)
            a = self.expr(t, depth)
            if c.chance(50):
                return E(f"({a.text} * {factor.text})")
            return E(f"({factor.text} * {a.text})")
        if form == 5:
            kind = c.pick([*self.world.ints, *self.world.reals])
            whole = kind.group == "int"
            by = self.divisor(kind, depth, True) if whole else self.expr(kind, depth)
            return E(f"({self.expr(t, depth).text} / {by.text})")
        if form == 6:
            a = self.expr(t, depth)
            return c.pick([E(f"(-{a.text})", a.const), self.listed("ABS", a)])
        if form == 7:
            return self.listed(c.pick(["MIN", "MAX"]), self.expr(t, depth), self.expr(t, depth))
        if form == 8 and t is LTIME:
            return E(f"({self.expr(LDT, depth).text} - {self.expr(LDT, depth).text})")
        if form == 9 and t is TIME:
            a, kind = self.expr(TIME, depth), self.near([*self.world.ints, *self.world.reals])
            if c.chance(50):
                return E(f"MUL_TIME({a.text}, {self.expr(kind, depth).text})")
            return E(f"{c.pick(['ADD', 'SUB'])}_TIME({a.text}, {self.expr(TIME, depth).text})")
        if form == 8 and t is TIME:
            a, b = self.expr(DT, depth), self.expr(DT, depth)
            return c.pick([E("TIME()"), E(f"({a.text} - {b.text})")])
        source = c.pick([*self.world.ints, *self.world.reals])
        return E(self.listed(f"{source.name}_TO_{t.name}", self.expr(source, depth)).text)

    def dt_(self, t: T, depth: int) -> E:
        form = self.c.below(4)
        if t is LDT:
            if form < 2:
                return E(f"({self.expr(LDT, depth).text} - {self.expr(LTIME, depth).text})")
            return E(f"LINT_TO_LDT({self.expr(INTS[6], depth).text})")
        if form < 2:
            op = self.c.pick(["+", "-"])
            return E(f"({self.expr(DT, depth).text} {op} {self.expr(TIME, depth).text})")
        if form == 2:
            return E(f"CONCAT_DATE_TOD({self.expr(DATE, 0).text}, {self.expr(TOD, 0).text})")
        source = self.c.pick([*INTS[4:]])
        return E(self.listed(f"{source.name}_TO_DT", self.expr(source, depth)).text)

    def tod_(self, t: T, depth: int) -> E:
        if self.c.chance(40):
            return E(f"({self.expr(TOD, 0).text} + {self.expr(TIME, depth).text})")
        return E(f"DT_TO_TOD({self.expr(DT, depth).text})")

    def date_(self, t: T, depth: int) -> E:
        if self.c.chance(25):
            parts = ", ".join(self.expr(self.c.pick([INT, DINT]), 0).text for _ in range(3))
            return E(f"CONCAT_DATE({parts})")
        return E(f"DT_TO_DATE({self.expr(DT, depth).text})")

    def enum_(self, t: T, depth: int) -> E:
        return self.selection(t, depth)

    def char_(self, t: T, depth: int) -> E:
        if t is WCHAR:
            return E(f"WORD_TO_WCHAR({self.expr(WORD, depth).text})")
        source = self.c.pick([BYTE, INTS[1], STRING])
        return E(f"{source.name}_TO_CHAR({self.expr(source, depth).text})")

    def text(self, wide: bool) -> E:
        kind = "wstr" if wide else "str"
        found = [t for n, t in self.types.items() if t.group == kind and n in self.reads]
        if found and self.c.chance(75):
            return self.leaf(self.c.pick(found))
        return E(literal(self.c, WSTRING if wide else STRING), True)

    def wstr_(self, t: T, depth: int) -> E:
        return self.str_(t, depth)

    def str_(self, t: T, depth: int) -> E:
        c = self.c
        wide = t.group == "wstr"
        form = c.below(12)

        def place() -> E:
            if c.chance(50):
                return E(str(c.between(-1, 12)), True)
            return self.expr(c.pick([INT, INTS[1], DINT, *INTS]), depth)

        a = self.str_(t, depth - 1) if depth > 0 and c.chance(30) else self.text(wide)
        if form < 3:
            return self.listed(
                "CONCAT", a, self.text(wide), *c.some(0, 1, lambda: self.text(wide))
            )
        if form == 3:
            return self.listed(c.pick(["LEFT", "RIGHT"]), a, place())
        if form == 4:
            return self.listed("MID", a, place(), place())
        if form == 5:
            return self.listed("INSERT", a, self.text(wide), place())
        if form == 6:
            return self.listed("DELETE", a, place(), place())
        if form == 7:
            return self.listed("REPLACE", a, self.text(wide), place(), place())
        if form == 8:
            return E(
                f"{'STRING_TO_W' if wide else 'WSTRING_TO_'}STRING({self.text(not wide).text})"
            )
        if form < 11:
            kinds = [*self.world.ints, *BITS, BOOL, TIME]
            if not self.world.small:
                kinds += [*self.world.reals, DT, TOD, DATE]
            source = self.near(kinds)
            return E(f"{source.name}_TO_{'W' * wide}STRING({self.expr(source, depth).text})")
        return a
