"""Random statements: each is its lines and, beside them, a Python function that does it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.conformance import independent_values as iv
from tests.conformance.independent_blocks import Block
from tests.conformance.independent_expressions import Expressions
from tests.conformance.independent_types import (
    NULL,
    Array,
    E,
    Env,
    Fault,
    Struct,
    Subrange,
    Type,
    V,
    evaluated,
    fitted,
    put,
)
from tests.conformance.independent_values import BITS, INTEGERS, PATTERNS

INDENT = "    "
Run = Callable[[Env], None]


class Exit(Exception):
    pass


class Continue(Exception):
    pass


class Return(Exception):
    pass


@dataclass(frozen=True)
class S:
    """A statement: its lines, and what it does."""

    lines: list[str]
    run: Run


@dataclass(frozen=True)
class Instance:
    """A function block instance in a variable of the POU."""

    name: str
    block: Block


def sequence(statements: list[S]) -> Run:
    runs = [s.run for s in statements]

    def run(env: Env) -> None:
        for one in runs:
            one(env)

    return run


def indented(statements: list[S]) -> list[str]:
    return [INDENT + line for s in statements for line in s.lines]


class Body(Expressions):
    """Statements on what is in scope."""

    def __init__(self, r: random.Random, lreal: bool) -> None:
        super().__init__(r, lreal)
        self.instances: list[Instance] = []
        self.counters: list[V] = []
        self.guards: list[V] = []
        self.references: list[tuple[str, Type]] = []
        self.in_loop = 0

    def block(self, depth: int, low: int = 1, high: int = 3) -> list[S]:
        return [self.statement(depth) for _ in range(self.r.randint(low, high))]

    def statement(self, depth: int) -> S:
        forms: list[Callable[[int], S | None]] = [self.assign] * 8 + [self.part, self.calling]
        forms += [self.latch, self.chain, self.piece, self.split, self.bind, self.through]
        forms += [self.instance] * 2
        if depth > 0:
            forms += [self.branch, self.branch, self.case, self.loop, self.loop, self.circle]
        if self.in_loop:
            forms += [self.leave]
        for _ in range(5):
            made = self.r.choice(forms)(depth)
            if made is not None:
                return made
        return S([";"], lambda env: None)

    # --- assignments -------------------------------------------------------------------------

    def target(self) -> V | None:
        found = [v for v in self.variables if v.writable and v.root not in self.locked]
        if not found:
            return None
        v = self.r.choice(found)
        while isinstance(v.type, Array | Struct) and not self.chance(0.15):
            if isinstance(v.type, Array):
                v = self.element(v)
            else:
                name, t = self.r.choice(v.type.members)
                v = self.member(v, name, t)
        return v

    def assigned(self, t: Type, depth: int) -> E | None:
        """What may be assigned to a variable of type `t`."""
        if isinstance(t, Array | Struct):
            v = self.reach(t)
            return E(v.text, t, v.read) if v is not None else None
        if isinstance(t, Subrange):
            e = self.expr(t.base, depth)
            if self.chance(self.risk) and e.named:
                return e
            low, high = t.low, t.high
            text = f"LIMIT({low}, {e.text}, {high})"
            return E(text, t, lambda env: min(max(e.ev(env), low), high))
        return self.narrower(t, depth)

    def assign(self, depth: int) -> S | None:
        v = self.target()
        e = self.assigned(v.type, self.r.choice((1, 2, 3))) if v is not None else None
        if v is None or e is None:
            return None
        target, given = v, e

        def run(env: Env) -> None:
            holder, key, value = evaluated(target, given, env)
            put(holder, key, fitted(value, target.type))

        return S([f"{v.text} := {e.text};"], run)

    def part(self, depth: int) -> S | None:
        t = self.r.choice((*PATTERNS, *INTEGERS))
        v = self.reach(t, write=True)
        if v is None:
            return None
        variable = v
        bit = self.r.randrange(BITS[t])
        e = self.expr("BOOL", 2)

        def run(env: Env) -> None:
            holder, key, value = evaluated(variable, e, env)
            x = holder[key] & ~(1 << bit) | (int(value) << bit)
            holder[key] = iv.wrap(x, t)

        return S([f"{v.text}.%X{bit} := {e.text};"], run)

    def latch(self, depth: int) -> S | None:
        v = self.reach("BOOL", write=True)
        if v is None:
            return None
        variable, on, e = v, self.chance(0.5), self.expr("BOOL", 2)

        def run(env: Env) -> None:
            holder, key, value = evaluated(variable, e, env)
            if value:
                holder[key] = on

        return S([f"{v.text} {'S=' if on else 'R='} {e.text};"], run)

    def chain(self, depth: int) -> S | None:
        t = self.r.choice(self.scalars)
        first, second = self.reach(t, write=True), self.reach(t, write=True)
        if first is None or second is None or "[" in first.text + second.text:
            return None
        a, b, e = first, second, self.narrower(t, 2)

        def run(env: Env) -> None:
            value = e.ev(env)
            b.write(env, value)
            a.write(env, value)

        return S([f"{a.text} := {b.text} := {e.text};"], run)

    def piece(self, depth: int) -> S | None:
        """A byte, word or double word of a longer bit string."""
        part, kind, n = self.r.choice((("B", "BYTE", 8), ("W", "WORD", 16), ("D", "DWORD", 32)))
        t = self.r.choice([p for p in PATTERNS if BITS[p] > n])
        v = self.reach(t, write=True)
        if v is None:
            return None
        variable, e = v, self.expr(kind, 2)
        at = self.r.randrange(BITS[t] // n)
        mask = (1 << n) - 1 << at * n

        def run(env: Env) -> None:
            holder, key, value = evaluated(variable, e, env)
            holder[key] = holder[key] & ~mask | value << at * n

        return S([f"{v.text}.%{part}{at} := {e.text};"], run)

    def split(self, depth: int) -> S | None:
        """A date and time taken apart, into integers of any type."""
        found = [self.reach(self.r.choice(INTEGERS), write=True) for _ in range(3)]
        targets = [v for v in found if v is not None and "[" not in v.text]
        if len(targets) < 3:
            return None
        t = self.r.choice(("DT", "LDT"))
        e = self.expr(t, 1)
        picked = sorted(self.r.sample(range(7), 3))  # outputs are assigned in their order
        made = [(*iv.PARTS[i], v) for i, v in zip(picked, targets, strict=True)]
        outputs = ", ".join(f"{n} => {v.text}" for n, _, v in made)

        def run(env: Env) -> None:
            ns = e.ev(env)
            for _, part, v in made:
                v.write(env, iv.wrap(part(ns), v.type))

        return S([f"SPLIT_{t}(IN := {e.text}, {outputs});"], run)

    # --- references --------------------------------------------------------------------------

    def bind(self, depth: int) -> S | None:
        if not self.references:
            return None
        name, t = self.r.choice(self.references)
        found = [v for v in self.variables if v.type == t and v.writable and v.static]
        if not found or self.chance(0.2):
            return S([f"{name} := NULL;"], lambda env: env.update({name: None}))
        v = self.r.choice(found)
        return S([f"{name} := REF({v.text});"], lambda env: env.update({name: v.where(env)}))

    def through(self, depth: int) -> S | None:
        if not self.references:
            return None
        name, t = self.r.choice(self.references)
        e = self.narrower(t, 2)
        v = self.reach(t, write=True)
        if v is None:
            return None
        target, checked = v, not self.chance(self.risk)

        def run(env: Env) -> None:
            if env[name] is None and checked:
                return
            value = e.ev(env)
            if env[name] is None:
                raise Fault(NULL)
            holder, key = env[name]
            holder[key] = value
            target.write(env, holder[key])

        lines = [f"{name}^ := {e.text};", f"{v.text} := {name}^;"]
        if checked:
            lines = [f"IF {name} <> NULL THEN", *(INDENT + line for line in lines), "END_IF;"]
        return S(lines, run)

    # --- calls -------------------------------------------------------------------------------

    def calling(self, depth: int) -> S | None:
        """A function with in-outs and outputs."""
        found = [f for f in self.functions if f.inouts or f.outputs]
        if not found:
            return None
        f = self.r.choice(found)
        args = [self.narrower(t, 2) for _, t in f.inputs]
        inouts = [self.reach(t, write=True) for _, t in f.inouts]
        outputs = [self.reach(t, write=True) for _, t in f.outputs]
        if None in inouts or any(v is not None and "[" in v.text for v in (*inouts, *outputs)):
            return None
        call = f.call
        assert call is not None
        texts = [f"{n} := {a.text}" for (n, _), a in zip(f.inputs, args, strict=True)]
        texts += [f"{n} := {v.text}" for (n, _), v in zip(f.inouts, inouts, strict=True) if v]
        texts += [f"{n} => {v.text}" for (n, _), v in zip(f.outputs, outputs, strict=True) if v]
        kinds = [t for _, t in f.inputs]

        def run(env: Env) -> None:
            given = [fitted(a.ev(env), t) for a, t in zip(args, kinds, strict=True)]
            references = [v.where(env) for v in inouts if v is not None]
            _, made = call(env, given, references)
            for v, value in zip(outputs, made, strict=True):
                if v is not None:
                    v.write(env, value)

        return S([f"{f.name}({', '.join(texts)});"], run)

    def instance(self, depth: int) -> S | None:
        if not self.instances:
            return None
        one = self.r.choice(self.instances)
        block = one.block
        given = [
            (n, t, self.narrower(t, 2))
            for n, t in block.inputs
            if n not in ("PT", "PV") and self.chance(0.8)
        ]
        got = [(n, self.reach(t, write=True)) for n, t in block.outputs if self.chance(0.4)]
        outputs = [(n, v) for n, v in got if v is not None and "[" not in v.text]
        texts = [f"{n} := {e.text}" for n, _, e in given]
        texts += [f"{n} => {v.text}" for n, v in outputs]
        name, step = one.name, block.step

        def run(env: Env) -> None:
            b = env[name]
            for n, t, e in given:
                b[n] = fitted(e.ev(env), t)
            step(b, env.g["now"])
            for n, v in outputs:
                v.write(env, b[n])

        return S([f"{name}({', '.join(texts)});"], run)

    # --- control -----------------------------------------------------------------------------

    def branch(self, depth: int) -> S:
        tests = [self.expr("BOOL", 2) for _ in range(self.r.choice((1, 1, 2)))]
        bodies = [self.block(depth - 1) for _ in tests]
        otherwise = self.block(depth - 1) if self.chance(0.5) else []
        lines: list[str] = []
        for word, test, body in zip(("IF", "ELSIF"), tests, bodies, strict=False):
            lines += [f"{word} {test.text} THEN", *indented(body)]
        if otherwise:
            lines += ["ELSE", *indented(otherwise)]
        runs = [(t.ev, sequence(b)) for t, b in zip(tests, bodies, strict=True)]
        last = sequence(otherwise)

        def run(env: Env) -> None:
            for test, body in runs:
                if test(env):
                    return body(env)
            return last(env)

        return S([*lines, "END_IF;"], run)

    def case(self, depth: int) -> S:
        r = self.r
        if self.enums and self.chance(0.3):
            t: Type = r.choice(self.enums)
            picked = r.sample(t.values, r.randint(1, len(t.values)))
            labels = [(f"{t.name}#{name}", ((v, v),)) for name, v in picked]
        else:
            t = r.choice((*INTEGERS, *PATTERNS[:3]))
            at, labels = max(iv.limits(t)[0], r.choice((-2, 0, 1))), []
            for _ in range(r.randint(1, 4)):
                end = at + r.choice((0, 0, 3))
                text = str(at) if at == end else f"{at}..{end}"
                ranges = ((at, end),)
                if self.chance(0.3):
                    text, ranges = f"{text}, {end + 2}", (*ranges, (end + 2, end + 2))
                labels.append((text, ranges))
                at = end + 4
        selector = self.expr(t, 2)
        if t in INTEGERS and self.chance(0.6):
            inner = selector.ev
            text = f"({selector.text} MOD {t}#9)"
            selector = E(text, t, lambda env: iv.arithmetic("MOD", t)(inner(env), 9))
        bodies = [self.block(depth - 1) for _ in labels]
        otherwise = self.block(depth - 1) if self.chance(0.5) else []
        lines = [f"CASE {selector.text} OF"]
        for (text, _), body in zip(labels, bodies, strict=True):
            lines += [f"{INDENT}{text}:", *(INDENT + line for line in indented(body))]
        if otherwise:
            lines += ["ELSE", *indented(otherwise)]
        runs = [(ranges, sequence(b)) for (_, ranges), b in zip(labels, bodies, strict=True)]
        last = sequence(otherwise)

        def run(env: Env) -> None:
            value = selector.ev(env)
            for ranges, body in runs:
                if any(low <= value <= high for low, high in ranges):
                    return body(env)
            return last(env)

        return S([*lines, "END_CASE;"], run)

    def looped(self, name: str, depth: int) -> list[S]:
        self.locked.add(name)
        self.in_loop += 1
        made = self.block(depth - 1)
        self.in_loop -= 1
        self.locked.discard(name)
        return made

    def loop(self, depth: int) -> S | None:
        free = [v for v in self.counters if v.root not in self.locked]
        if not free or self.in_loop >= 2:
            return None
        r = self.r
        v = r.choice(free)
        low, high = iv.limits(v.type)
        first, last, step = r.choice((0, 1)), r.randint(0, 5), r.choice((1, 1, 1, 2))
        if self.chance(0.2):
            first, last = high - r.randint(0, 3), high
        elif low and self.chance(0.3):
            first, last, step = last, first - 2, -step
        stop = E(f"{v.type}#{last}", v.type, lambda _: last)
        by = f" BY {step}" if step != 1 else ""
        body = self.looped(v.root, depth)
        run_body = sequence(body)

        def run(env: Env) -> None:
            at, end = first, stop.ev(env)
            try:
                while at <= end if step > 0 else at >= end:
                    v.write(env, at)
                    with suppress(Continue):
                        run_body(env)
                    at += step
                v.write(env, iv.wrap(at, v.type))
            except Exit:
                pass

        lines = [f"FOR {v.text} := {first} TO {stop.text}{by} DO", *indented(body), "END_FOR;"]
        return S(lines, run)

    def circle(self, depth: int) -> S | None:
        """WHILE and REPEAT, which a counter of their own ends."""
        free = [v for v in self.guards if v.root not in self.locked]
        if not free or self.in_loop >= 2:
            return None
        v = self.r.choice(free)
        most = self.r.randint(1, 4)
        test = self.expr("BOOL", 2)
        body = self.looped(v.root, depth)
        run_body = sequence(body)
        repeat = self.chance(0.5)
        count = f"{INDENT}{v.text} := {v.text} + 1;"
        if repeat:
            lines = [f"{v.text} := 0;", "REPEAT", count, *indented(body)]
            lines += [f"UNTIL {test.text} OR ({v.text} >= {most})", "END_REPEAT;"]
        else:
            head = f"WHILE ({v.text} < {most}) AND {test.text} DO"
            lines = [f"{v.text} := 0;", head, count, *indented(body), "END_WHILE;"]

        def run(env: Env) -> None:
            n = 0
            v.write(env, 0)
            try:
                while True:
                    if not repeat and not ((n < most) & test.ev(env)):
                        return
                    n += 1
                    v.write(env, n)
                    with suppress(Continue):
                        run_body(env)
                    if repeat and test.ev(env) | (n >= most):
                        return
            except Exit:
                pass

        return S(lines, run)

    def leave(self, depth: int) -> S:
        test = self.expr("BOOL", 1)
        word, what = self.r.choice((("EXIT", Exit), ("CONTINUE", Continue)))

        def run(env: Env) -> None:
            if test.ev(env):
                raise what

        return S([f"IF {test.text} THEN {word}; END_IF;"], run)

    def finish(self) -> S:
        test = self.expr("BOOL", 2)

        def run(env: Env) -> None:
            if test.ev(env):
                raise Return

        return S([f"IF {test.text} THEN RETURN; END_IF;"], run)
