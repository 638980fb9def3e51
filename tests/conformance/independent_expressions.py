"""Random expressions: each is its text and, beside it, a Python function that gives its value."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from tests.conformance import independent_values as iv
from tests.conformance.independent_types import (
    DIVISION,
    INDEX,
    SHIFT,
    Array,
    E,
    Enum,
    Env,
    Fault,
    Function,
    Struct,
    Subrange,
    Text,
    Type,
    V,
    fitted,
    fraction,
    holds,
    squared,
    whole,
    widened,
)
from tests.conformance.independent_values import (
    BITS,
    DURATIONS,
    INTEGERS,
    MOMENTS,
    PATTERNS,
    REALS,
    SCALARS,
    SIGNED,
    UNSIGNED,
    limits,
    wrap,
)


class Expressions:
    """`variables` is what is in scope."""

    def __init__(self, r: random.Random, lreal: bool) -> None:
        self.r = r
        self.variables: list[V] = []
        self.functions: list[Function] = []
        self.constants: list[E] = []
        self.enums: list[Enum] = []
        self.subranges: list[Subrange] = []
        self.locked: set[str] = set()
        self.risk = 0.0
        self.scalars = [t for t in SCALARS if lreal or t != "LREAL"]
        self.reals = REALS if lreal else ("REAL",)

    def chance(self, p: float) -> bool:
        return self.r.random() < p

    # --- values ------------------------------------------------------------------------------

    def value(self, t: Type) -> Any:
        r = self.r
        if isinstance(t, Text):
            letters = "abzAZ019 -+_." + ("é" if not t.wide else "éΔ€")
            return "".join(r.choice(letters) for _ in range(r.randint(0, min(t.length, 8))))
        if isinstance(t, Enum):
            return r.choice(t.values)[1]
        if isinstance(t, Subrange):
            return r.randint(t.low, t.high)
        if isinstance(t, Array):
            count = math.prod(b - a + 1 for a, b in t.bounds)
            return [self.value(t.element) for _ in range(count)]
        if isinstance(t, Struct):
            return {name: self.value(m) for name, m in t.members}
        if t == "BOOL":
            return self.chance(0.5)
        if t in REALS:
            x = r.choice([0.0, -0.0, 0.5, 1.5, 2.5, -1.0, 0.1, 1e30, 1e-40, 16777217.0, 32767.6])
            return iv.rounded(x if self.chance(0.5) else r.gauss(0, 10 ** r.randint(0, 9)), t)
        if t in iv.CHARS:
            return r.choice("Az09 -é" if t == "CHAR" else "Az09 -éΔ€")
        if t in DURATIONS:
            near = [0, 1, -1, 10**6, 10**7, 25 * 10**6, 10**9, -(10**9), iv.DAY, 3_723_004_005_006]
            return r.choice([*near, r.randint(-(10**15), 10**15)])
        if t in MOMENTS:
            clock = r.choice([0, 1, iv.DAY - 1, 10**9, r.randrange(iv.DAY)])
            day = r.choice([0, 1, 59, 11_016, 19_782, r.randrange(40_000)])
            return clock if t.endswith("TOD") else day * iv.DAY + clock * t.endswith("DT")
        low, high = limits(t)
        near = [low, low + 1, -1, 0, 1, 2, 3, 7, 100, high - 1, high, r.randint(low, high)]
        return min(max(r.choice(near), low), high)

    def literal(self, t: Type, bare: bool = False) -> E:
        v = self.value(t)
        if isinstance(t, Enum):
            name = next(n for n, number in t.values if number == v)
            return E(f"{t.name}#{name}", t, lambda _: v)
        if isinstance(t, Subrange):
            return E(str(v), t, lambda _: v)
        if isinstance(t, Text):
            return E(iv.quoted(v, t.wide), t, lambda _: v)
        if bare and t in INTEGERS + PATTERNS:
            return E(str(v) if self.chance(0.7) or v < 0 else f"16#{v:X}", t, lambda _: v)
        return E(iv.literal(t, v), t, lambda _: v)

    # --- variables ---------------------------------------------------------------------------

    def declare(
        self, name: str, t: Type, where: Any, writable: bool = True, static: bool = False
    ) -> None:
        self.variables.append(V(name, t, where, writable, name.upper(), static))

    def reach(self, t: Type, write: bool = False) -> V | None:
        """A variable of exactly this type, or a part of one."""
        found: list[V] = []
        for v in self.variables:
            if write and (not v.writable or v.root in self.locked):
                continue
            if holds(v.type, t):
                found.append(v)
        return self.inside(self.r.choice(found), t) if found else None

    def inside(self, v: V, t: Type) -> V | None:
        """`v`, or one of its parts of type `t`."""
        while v.type != t:
            if isinstance(v.type, Array):
                v = self.element(v)
            else:
                name, member = self.r.choice([m for m in v.type.members if holds(m[1], t)])
                v = self.member(v, name, member)
        return v

    def member(self, v: V, name: str, t: Type) -> V:
        return V(f"{v.text}.{name}", t, lambda env: (v.read(env), name), v.writable, v.root)

    def element(self, v: V) -> V:
        t = v.type
        indices = [self.index(low, high) for low, high in t.bounds]

        def where(env: Env) -> tuple[Any, Any]:
            at = 0
            array = v.read(env)
            for e, (low, high) in zip(indices, t.bounds, strict=True):
                i = e.ev(env)
                if not low <= i <= high:
                    raise Fault(INDEX)
                at = at * (high - low + 1) + i - low
            return array, at

        text = f"{v.text}[{', '.join(e.text for e in indices)}]"
        return V(text, t.element, where, v.writable, v.root)

    def index(self, low: int, high: int) -> E:
        if self.chance(0.4):
            n = self.r.randint(low, high)
            return E(str(n), "INT", lambda _: n)
        t = self.r.choice(("SINT", "INT", "DINT", "LINT"))
        v = self.scalar_variable(t)
        if v is None:
            return E(str(low), "INT", lambda _: low)
        if self.chance(self.risk):
            return E(v.text, t, v.read)
        ev = v.read
        return E(f"LIMIT({low}, {v.text}, {high})", t, lambda env: min(max(ev(env), low), high))

    def scalar_variable(self, t: Type) -> V | None:
        found = [v for v in self.variables if v.type == t]
        return self.r.choice(found) if found else None

    # --- expressions -------------------------------------------------------------------------

    def leaf(self, t: Type) -> E:
        constants = [e for e in self.constants if e.type == t]
        if constants and self.chance(0.25):
            return self.r.choice(constants)
        v = self.reach(t) if self.chance(0.9) else None
        if v is not None:
            return E(v.text, t, v.read)
        if isinstance(t, str) and self.chance(0.75):
            found = [s for s in self.scalars if s != t and iv.convertible(s, t)]
            s = self.r.choice(found)
            v = self.reach(s)
            if v is not None:
                read = v.read
                return E(f"{s}_TO_{t}({v.text})", t, lambda env: iv.converted(read(env), s, t))
        return self.literal(t)

    def narrower(self, t: Type, depth: int) -> E:
        """A value of `t` or of a type that converts to it by itself."""
        found = [s for s, wider in iv.WIDER.items() if t in wider and s in self.scalars]
        if not (isinstance(t, str) and found and self.chance(0.2)):
            if isinstance(t, str) and self.chance(0.08):
                return self.literal(t, bare=True)
            return self.expr(t, depth)
        s = self.r.choice(found)
        e = self.expr(s, depth)
        return E(e.text, t, widened(e.ev, s, t))

    def expr(self, t: Type, depth: int) -> E:
        if depth <= 0 or self.chance(0.1) or isinstance(t, Array | Struct | Subrange):
            return self.leaf(t)
        if self.chance(0.1):
            called = self.call(t, depth - 1)
            if called is not None:
                return called
        if self.chance(0.12):
            return self.selection(t, depth - 1)
        if isinstance(t, Text):
            return self.text(t, depth - 1)
        if isinstance(t, Enum):
            return self.leaf(t)
        if self.chance(0.2):
            return self.conversion(t, depth - 1)
        if t == "BOOL":
            return self.truth(depth - 1)
        if t in INTEGERS:
            return self.integer(t, depth - 1)
        if t in PATTERNS:
            return self.pattern(t, depth - 1)
        if t in REALS:
            return self.real(t, depth - 1)
        if t in DURATIONS:
            return self.duration(t, depth - 1)
        if t in MOMENTS:
            return self.moment(t, depth - 1)
        return self.leaf(t)

    def two(self, op: str, a: E, b: E, t: Type, f: Callable[[Any, Any], Any]) -> E:
        x, y = a.ev, b.ev

        def ev(env: Env) -> Any:
            left = x(env)
            return f(left, y(env))

        return E(f"({a.text} {op} {b.text})", t, ev)

    def listed(self, name: str, args: list[E], t: Type, f: Callable[..., Any]) -> E:
        evs = [a.ev for a in args]
        text = f"{name}({', '.join(a.text for a in args)})"
        return E(text, t, lambda env: f(*[e(env) for e in evs]))

    def selection(self, t: Type, depth: int) -> E:
        a, b = self.expr(t, depth), self.expr(t, depth)
        if self.chance(0.6):
            g = self.expr("BOOL", depth)
            return self.listed("SEL", [g, a, b], t, lambda g, x, y: y if g else x)
        risk, self.risk = self.risk, 0.0
        k = self.index(0, 1)
        self.risk = risk
        return self.listed("MUX", [k, a, b], t, lambda k, x, y: (x, y)[k])

    def call(self, t: Type, depth: int) -> E | None:
        found = [f for f in self.functions if f.result == t and not f.inouts and not f.outputs]
        if not found:
            return None
        f = self.r.choice(found)
        named = self.chance(0.5)
        args: list[E | None] = [
            None if named and self.chance(0.2) else self.narrower(kind, depth)
            for _, kind in f.inputs
        ]
        kinds = [kind for _, kind in f.inputs]
        evs = [
            (lambda _, v=v: v) if a is None else a.ev
            for a, v in zip(args, f.defaults, strict=True)
        ]
        call = f.call
        assert call is not None

        def ev(env: Env) -> Any:
            given = [fitted(e(env), kind) for e, kind in zip(evs, kinds, strict=True)]
            return call(env, given, [])[0]

        texts = [
            f"{n} := {a.text}" if named else a.text
            for (n, _), a in zip(f.inputs, args, strict=True)
            if a is not None
        ]
        return E(f"{f.name}({', '.join(texts)})", t, ev)

    # --- by type -----------------------------------------------------------------------------

    def truth(self, depth: int) -> E:
        r = self.r
        form = r.randrange(10)
        if form < 4:
            t = r.choice([*self.scalars, Text(False, 10), Text(True, 10), *self.enums])
            op = r.choice(list(iv.COMPARISONS))
            a, b = self.expr(t, depth), self.expr(t, depth)
            if isinstance(t, str) and t in INTEGERS + REALS and self.chance(0.3):
                b = self.narrower(t, depth)
            return self.two(op, a, b, "BOOL", iv.COMPARISONS[op])
        if form == 4:
            t = r.choice(self.scalars)
            name = r.choice(("GT", "GE", "EQ", "LE", "LT"))
            f = iv.COMPARISONS[{"GT": ">", "GE": ">=", "EQ": "=", "LE": "<=", "LT": "<"}[name]]
            args = [self.expr(t, depth) for _ in range(3)]
            return self.listed(name, args, "BOOL", lambda a, b, c: f(a, b) and f(b, c))
        if form == 5:
            a = self.expr("BOOL", depth)
            return E(f"(NOT {a.text})", "BOOL", lambda env: not a.ev(env))
        if form == 6:
            t = r.choice((*PATTERNS, *INTEGERS))
            v = self.reach(t)
            if v is not None:
                bit = r.randrange(BITS[t])
                read = v.read
                text = f"{v.text}.{r.choice(('', '%X'))}{bit}"
                return E(text, "BOOL", lambda env: bool(read(env) >> bit & 1))
        if form == 7:
            t = r.choice((*self.reals, *PATTERNS))
            a = self.expr(t, depth)
            if t in REALS:
                return self.listed("IS_VALID", [a], "BOOL", math.isfinite)
            return self.listed("IS_VALID_BCD", [a], "BOOL", iv.valid_bcd)
        a, b = self.expr("BOOL", depth), self.expr("BOOL", depth)
        x, y = a.ev, b.ev
        op = r.choice(("AND", "OR", "XOR", "&", "AND_THEN", "OR_ELSE"))
        if op == "AND_THEN":
            return E(f"({a.text} {op} {b.text})", "BOOL", lambda env: x(env) and y(env))
        if op == "OR_ELSE":
            return E(f"({a.text} {op} {b.text})", "BOOL", lambda env: x(env) or y(env))
        return self.two(op, a, b, "BOOL", iv.logic({"&": "AND"}.get(op, op)))

    def divisor(self, t: Type, depth: int) -> E:
        if self.chance(self.risk):
            v = self.reach(t)
            if v is not None:
                return E(v.text, t, v.read)
        if self.chance(0.4):
            low, high = limits(t)
            n = self.r.choice([2, 3, 7, 10, high, *([-1, -3, low] if low else [])])
            return E(f"{t}#{n}", t, lambda _: n)
        e = self.expr(t, depth)
        return E(f"({e.text} OR {t}#1)", t, lambda env: e.ev(env) | 1)

    def integer(self, t: Type, depth: int) -> E:
        r = self.r
        a = self.expr(t, depth)
        form = r.randrange(14)
        if form < 4:
            op = r.choice("+-*")
            return self.two(op, a, self.narrower_integer(t, depth), t, iv.arithmetic(op, t))
        if form < 6:
            op = r.choice(("/", "MOD"))
            f = iv.arithmetic(op, t)

            def divided(x: int, y: int) -> int:
                if y == 0:
                    raise Fault(DIVISION)
                return int(f(x, y))

            return self.two(op, a, self.divisor(t, depth), t, divided)
        if form == 6:
            return E(f"(-{a.text})", t, lambda env: wrap(-a.ev(env), t))
        if form == 7:
            return self.listed("ABS", [a], t, lambda x: wrap(abs(x), t))
        if form == 8:
            return self.extremes(t, a, depth)
        if form == 9:
            return self.shift(t, a)
        if form == 10:
            op = r.choice(("AND", "OR", "XOR"))
            b = self.expr(t, depth)
            return self.two(op, a, b, t, lambda x, y: wrap(iv.logic(op)(x, y), t))
        if form == 11:
            b, c = self.expr(t, depth), self.expr(t, depth)
            name, op = r.choice((("ADD", "+"), ("MUL", "*")))
            f = iv.arithmetic(op, t)
            return self.listed(name, [a, b, c], t, lambda x, y, z: f(f(x, y), z))
        if form == 12:
            x = self.expr(r.choice(self.reals), depth)
            name = r.choice((f"TRUNC_{t}", f"{x.type}_TRUNC_{t}"))
            return self.listed(name, [x], t, lambda v: iv.to_integer(v, t, truncate=True))
        return self.counted(t, depth)

    def narrower_integer(self, t: str, depth: int) -> E:
        e = self.narrower(t, depth)
        return e if e.type == t else self.expr(t, depth)

    def counted(self, t: str, depth: int) -> E:
        """Lengths, positions, days of the week, digits."""
        r = self.r
        text = Text(self.chance(0.4), 10)
        form = r.randrange(5)
        if form == 0:
            made = self.listed("LEN", [self.expr(text, depth)], "INT", len)
        elif form == 1:
            a, b = self.expr(text, depth), self.expr(text, depth)
            made = self.listed("FIND", [a, b], "INT", lambda x, y: x.find(y) + 1 if y else 0)
        elif form == 2:
            d = self.leaf("DATE")
            made = self.listed(
                "DAY_OF_WEEK", [d], "INT", lambda ns: (iv.day_of(ns).weekday() + 1) % 7
            )
        elif form == 3 and t in UNSIGNED:
            source = r.choice(PATTERNS)
            x = self.expr(source, depth)
            # Digits over 9 count as their value; the number is cut to the pattern first.
            return self.listed(
                f"{source}_BCD_TO_{t}", [x], t, lambda v: wrap(iv.bcd(v) % (1 << BITS[source]), t)
            )
        else:
            s = self.expr(Text(False, 10), depth)
            return self.listed(f"STRING_TO_{t}", [s], t, lambda v: wrap(iv.number_in(v), t))
        if t == "INT":
            return made
        return E(f"INT_TO_{t}({made.text})", t, lambda env: wrap(made.ev(env), t))

    def extremes(self, t: str, a: E, depth: int) -> E:
        b, c = self.expr(t, depth), self.expr(t, depth)

        def least(x: Any, y: Any) -> Any:
            return x if x < y else y

        def greatest(x: Any, y: Any) -> Any:
            return x if x > y else y

        name = self.r.choice(("MIN", "MAX", "LIMIT"))
        if name == "LIMIT":
            return self.listed(name, [a, b, c], t, lambda lo, x, hi: least(greatest(x, lo), hi))
        f = least if name == "MIN" else greatest
        return self.listed(name, [a, b, c], t, lambda x, y, z: f(f(x, y), z))

    def shift(self, t: str, a: E) -> E:
        r = self.r
        op = r.choice(("SHL", "SHR", "ROL", "ROR"))
        if self.chance(0.5):
            n = r.choice((0, 1, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 200))
            count = E(str(n), "INT", lambda _: n)
        else:
            kind = r.choice(("USINT", "UINT", "INT", "DINT"))
            v = self.reach(kind)
            count = E(v.text, kind, v.read) if v is not None else E("1", "INT", lambda _: 1)
            if kind in SIGNED and v is not None and not self.chance(self.risk):
                inner = count.ev
                count = E(f"({count.text} AND {kind}#63)", kind, lambda env: inner(env) & 63)

        def f(x: int, n: int) -> int:
            if n < 0:
                raise Fault(SHIFT)
            return iv.shifted(op, x, n, t)

        return self.listed(op, [a, count], t, f)

    def pattern(self, t: str, depth: int) -> E:
        r = self.r
        a = self.expr(t, depth)
        form = r.randrange(9)
        if form < 3:
            op = r.choice(("AND", "OR", "XOR", "&"))
            f = iv.logic({"&": "AND"}.get(op, op))
            return self.two(op, a, self.narrower_integer(t, depth), t, f)
        if form == 3:
            return E(f"(NOT {a.text})", t, lambda env: wrap(~a.ev(env), t))
        if form < 6:
            return self.shift(t, a)
        if form == 6:
            if t == "BYTE":
                return a
            name = r.choice(("SWAP", "TO_BIG_ENDIAN", "FROM_BIG_ENDIAN"))
            return self.listed(name, [a], t, lambda x: iv.swapped(x, t))
        if form == 7:
            source = r.choice(UNSIGNED)
            x = self.expr(source, depth)
            return self.listed(f"{source}_TO_BCD_{t}", [x], t, lambda v: iv.to_bcd(v, t))
        v = self.reach("LWORD")
        if v is None or t == "LWORD":
            return a
        part, bits = {"BYTE": ("B", 8), "WORD": ("W", 16), "DWORD": ("D", 32)}[t]
        n = r.randrange(64 // bits)
        read = v.read
        mask = (1 << bits) - 1
        return E(f"{v.text}.%{part}{n}", t, lambda env: read(env) >> n * bits & mask)

    def real(self, t: str, depth: int) -> E:
        r = self.r
        a = self.expr(t, depth)
        form = r.randrange(13)
        if form == 11:
            return E(f"({a.text} ** 2)", t, lambda env: squared(a.ev(env), t))
        if form == 12:
            text = f"STRING_TO_{t}({t}_TO_STRING({a.text}))"
            return E(text, t, a.ev)
        if form < 5:
            op = r.choice("+-*/")
            b = self.narrower(t, depth)
            if op == "/" and not b.named:
                b = self.expr(t, 1)
            if op == "/" and not a.named:
                v = self.reach(t)
                a = E(v.text, t, v.read) if v is not None else a
                op = "/" if v is not None else "*"
            return self.two(op, a, b, t, iv.arithmetic(op, t))
        if form == 5:
            return E(f"(-{a.text})", t, lambda env: -a.ev(env))
        if form == 6:
            return self.listed("ABS", [a], t, abs)
        if form == 7:
            return self.extremes(t, a, depth)
        if form == 8:

            def root(x: float) -> float:
                return iv.rounded(math.sqrt(x), t) if x >= 0 else math.nan

            return self.listed("SQRT", [a], t, root)
        if form == 9:
            name, f = r.choice((("FLOOR", math.floor), ("CEIL", math.ceil), ("ROUND", round)))
            return self.listed(name, [a], t, lambda x: whole(f, x))
        return self.listed("FRAC", [a], t, fraction)

    def duration(self, t: str, depth: int) -> E:
        r = self.r
        form = r.randrange(9)
        if form < 3:
            op = r.choice("+-")
            a, b = self.expr(t, depth), self.expr(t, depth)
            return self.two(op, a, b, t, iv.arithmetic(op, "LINT"))
        if form == 8:
            a = self.expr(t, depth)
            return E(f"STRING_TO_{t}({t}_TO_STRING({a.text}))", t, a.ev)
        if form == 3:
            a, n = self.expr(t, depth), self.expr(r.choice(INTEGERS), depth)
            name = f"MUL_{t}" if self.chance(0.5) else "MUL"
            return self.listed(name, [a, n], t, lambda x, k: wrap(x * wrap(k, "LINT"), "LINT"))
        if form == 4:
            a, n = self.expr(t, depth), self.divisor(r.choice(("SINT", "INT", "DINT", "UINT")), 1)

            def divided(x: int, k: int) -> int:
                if k == 0:
                    raise Fault(DIVISION)
                return wrap(iv.quotient(x, k), "LINT")

            return self.two("/", a, n, t, divided)
        if form == 5:
            kind = r.choice(("DATE", "TOD", "DT")) if t == "TIME" else r.choice(("LTOD", "LDT"))
            a, b = self.expr(kind, depth), self.expr(kind, depth)
            return self.two("-", a, b, t, iv.arithmetic("-", "LINT"))
        if form == 6:
            return self.extremes(t, self.expr(t, depth), depth)
        a = self.expr(t, depth)
        return E(f"(-{a.text})", t, lambda env: wrap(-a.ev(env), "LINT"))

    def moment(self, t: str, depth: int) -> E:
        if t.endswith("DATE"):
            y, m, d = (self.r.choice(c) for c in ((1970, 2000, 2024), (1, 2, 12), (1, 28)))
            if t == "DATE" and self.chance(0.5):
                ns = iv.days(y, m, d) * iv.DAY
                return E(f"CONCAT_DATE({y}, {m}, {d})", t, lambda _: ns)
            return self.leaf(t)
        if t.endswith("DT") and self.chance(0.2):
            a = self.expr(t, depth)
            return E(f"STRING_TO_{t}({t}_TO_STRING({a.text}))", t, a.ev)
        op = self.r.choice("+-")
        duration = "LTIME" if t.startswith("L") else "TIME"
        a, b = self.expr(t, depth), self.expr(duration, depth)
        return self.two(op, a, b, t, iv.arithmetic(op, "LINT"))

    def conversion(self, t: str, depth: int) -> E:
        found = [s for s in self.scalars if s != t and iv.convertible(s, t)]
        s = self.r.choice(found)
        # The bits of a NaN that was never stored may be any.
        keeps_bits = s in REALS and t in ("DWORD", "LWORD")
        v = self.reach(s) if keeps_bits else None
        if keeps_bits and v is None:
            return self.leaf(t)
        a = self.expr(s, depth) if v is None else E(v.text, s, v.read)
        name = f"{s}_TO_{t}" if self.chance(0.8) else f"TO_{t}"
        return self.listed(name, [a], t, lambda x: iv.converted(x, s, t))

    def text(self, t: Text, depth: int) -> E:
        r = self.r
        a = self.expr(t, depth)
        form = r.randrange(9)
        small = [self.index(-1, 12) for _ in range(2)]
        if form == 0:
            return self.listed("LEFT", [a, small[0]], t, lambda s, n: s[: max(n, 0)])
        if form == 1:
            return self.listed("RIGHT", [a, small[0]], t, lambda s, n: s[-n:] if n > 0 else "")
        if form == 2:
            return self.listed("MID", [a, *small], t, iv.mid)
        if form == 3:
            return self.listed("DELETE", [a, *small], t, iv.delete)
        if form == 4:
            return self.listed("INSERT", [a, self.expr(t, depth), small[0]], t, iv.insert)
        if form == 5:
            return self.listed("REPLACE", [a, self.expr(t, depth), *small], t, iv.replace)
        if form == 6 and not t.wide:
            kind = r.choice((*INTEGERS, "TIME", "BOOL"))
            e = self.expr(kind, depth)
            if kind == "BOOL":
                return self.listed("BOOL_TO_STRING", [e], t, lambda b: "TRUE" if b else "FALSE")
            f = iv.duration_text if kind == "TIME" else str
            return self.listed(f"{kind}_TO_STRING", [e], t, f)
        if form == 7:
            c = self.expr("WCHAR" if t.wide else "CHAR", 1)
            name = "WCHAR_TO_WSTRING" if t.wide else "CHAR_TO_STRING"
            return self.listed(name, [c], t, str)
        return self.listed("CONCAT", [a, self.expr(t, depth)], t, lambda x, y: x + y)
