"""Random expressions in Structured Text against values computed here, and against themselves with
constants for variables: what is folded and what is run must be the same."""

from __future__ import annotations

import math
import random
import struct
import types
from dataclasses import dataclass
from typing import Any

import pytest

from host_tools.compiler.compilation import compile_sources
from host_tools.compiler.python_engine import emit
from host_tools.compiler.source import Source
from host_tools.variables import Variables

BITS = {"SINT": 8, "INT": 16, "DINT": 32, "LINT": 64, "USINT": 8, "UINT": 16, "UDINT": 32,
        "ULINT": 64, "BYTE": 8, "WORD": 16, "DWORD": 32, "LWORD": 64}  # fmt: skip
SIGNED = ("SINT", "INT", "DINT", "LINT")
UNSIGNED = ("USINT", "UINT", "UDINT", "ULINT")
PATTERNS = ("BYTE", "WORD", "DWORD", "LWORD")
REALS = ("REAL", "LREAL")
EVERY = (*SIGNED, *UNSIGNED, *PATTERNS, *REALS, "BOOL")
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Expression:
    """`text` with variables, `constant` with constants in their place, and the value."""

    text: str
    constant: str
    value: Any


def limits(t: str) -> tuple[int, int]:
    n = BITS[t]
    return (-(1 << n - 1), (1 << n - 1) - 1) if t in SIGNED else (0, (1 << n) - 1)


def wrapped(value: int, t: str) -> int:
    low, _ = limits(t)
    return (value - low) % (1 << BITS[t]) + low


def single(x: float) -> float:
    """The nearest binary32 number. Sums, products and quotients of two binary32 numbers are first
    rounded to binary64 here, which is known not to change the result."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def rounded(x: float, t: str) -> float:
    return single(x) if t == "REAL" else x


def divided(a: float, b: float) -> float:
    if b == 0.0:
        if a == 0.0 or math.isnan(a):
            return math.nan
        return math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def truncated(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def to_integer(x: float, t: str) -> int:
    low, high = limits(t)
    if math.isnan(x):
        return 0
    if math.isinf(x):
        return high if x > 0 else low
    return min(max(round(x), low), high)


class Generator:
    """Makes expressions; the variables they use are in `leaves`: (type, value)."""

    def __init__(self, seed: int) -> None:
        self.choice = random.Random(seed)
        self.leaves: list[tuple[str, Any]] = []

    def value(self, t: str) -> Any:
        if t == "BOOL":
            return self.choice.random() < 0.5
        if t in REALS:
            x = self.choice.choice(
                [0.0, 0.5, 1.5, 2.5, -1.0, 0.1, 3.0e38, -1.0e-40, 16777217.0, 1234.5678]
            )
            return rounded(x if self.choice.random() < 0.7 else self.choice.gauss(0, 1000), t)
        low, high = limits(t)
        near = [low, low + 1, -1, 0, 1, 2, 7, high - 1, high, self.choice.randint(low, high)]
        return min(max(self.choice.choice(near), low), high)

    def literal(self, t: str, value: Any) -> str:
        if t == "BOOL":
            return "TRUE" if value else "FALSE"
        if t in REALS:
            text = f"{abs(value):.25E}"
            return f"-{t}#{text}" if math.copysign(1.0, value) < 0 else f"{t}#{text}"
        return f"{t}#{value}"

    def leaf(self, t: str) -> Expression:
        value = self.value(t)
        if self.choice.random() < 0.2:
            text = f"({self.literal(t, value)})"
            return Expression(text, text, value)
        self.leaves.append((t, value))
        number = len(self.leaves) - 1
        return Expression(f"v{number}", f"C{number}", value)

    def join(self, template: str, value: Any, *parts: Expression) -> Expression:
        texts = (template.format(*(p.text for p in parts)),)
        constants = template.format(*(p.constant for p in parts))
        return Expression(texts[0], constants, value)

    def make(self, t: str, depth: int) -> Expression:
        if depth == 0 or self.choice.random() < 0.1:
            return self.leaf(t)
        if self.choice.random() < 0.15:
            return self.convert(t, depth - 1)
        if t == "BOOL":
            return self.truth(depth - 1)
        if t in REALS:
            return self.real(t, depth - 1)
        if t in PATTERNS:
            return self.pattern(t, depth - 1)
        return self.integer(t, depth - 1)

    def integer(self, t: str, depth: int) -> Expression:
        a, b = self.make(t, depth), self.make(t, depth)
        op = self.choice.choice(["+", "-", "*", "/", "MOD", "neg", "ABS", "MIN", "MAX", "SEL"])
        x, y = a.value, b.value
        if op in ("/", "MOD") and y == 0:
            op = "+"
        match op:
            case "neg":
                return self.join("(-{0})", wrapped(-x, t), a)
            case "ABS":
                return self.join("ABS({0})", wrapped(abs(x), t), a)
            case "MIN" | "MAX":
                value = min(x, y) if op == "MIN" else max(x, y)
                return self.join(op + "({0}, {1})", value, a, b)
            case "SEL":
                g = self.make("BOOL", 0)
                return self.join("SEL({0}, {1}, {2})", y if g.value else x, g, a, b)
        results = {"+": x + y, "-": x - y, "*": x * y}
        if op == "/":
            value = truncated(x, y)
        elif op == "MOD":
            value = x - truncated(x, y) * y
        else:
            value = results[op]
        return self.join("({0} " + op + " {1})", wrapped(value, t), a, b)

    def pattern(self, t: str, depth: int) -> Expression:
        a, b = self.make(t, depth), self.make(t, depth)
        x, y, n = a.value, b.value, BITS[t]
        op = self.choice.choice(["AND", "OR", "XOR", "NOT", "SHL", "SHR", "ROL", "ROR"])
        if op == "NOT":
            return self.join("(NOT {0})", wrapped(~x, t), a)
        if op in ("AND", "OR", "XOR"):
            value = {"AND": x & y, "OR": x | y, "XOR": x ^ y}[op]
            return self.join("({0} " + op + " {1})", value, a, b)
        count = self.choice.choice([0, 1, 3, n - 1, n, n + 1, 100])
        places = Expression(f"INT#{count}", f"INT#{count}", count)
        if op == "SHL":
            value = x << count
        elif op == "SHR":
            value = x >> count
        else:
            by = count % n if op == "ROL" else -count % n
            value = x << by | x >> (n - by)
        return self.join(op + "({0}, {1})", wrapped(value, t), a, places)

    def real(self, t: str, depth: int) -> Expression:
        a, b = self.make(t, depth), self.make(t, depth)
        x, y = a.value, b.value
        op = self.choice.choice(["+", "-", "*", "/", "neg", "ABS"])
        if op == "neg":
            return self.join("(-{0})", -x, a)
        if op == "ABS":
            return self.join("ABS({0})", abs(x), a)
        if op == "/" and y == 0.0:
            op = "*"  # two constants would be refused
        try:
            value = {"+": x + y, "-": x - y, "*": x * y}[op] if op != "/" else divided(x, y)
        except OverflowError:
            value = math.inf
        return self.join("({0} " + op + " {1})", rounded(value, t), a, b)

    def truth(self, depth: int) -> Expression:
        op = self.choice.choice(["AND", "OR", "XOR", "NOT", "AND_THEN", "OR_ELSE", "compare"])
        if op == "compare":
            return self.comparison(depth)
        a, b = self.make("BOOL", depth), self.make("BOOL", depth)
        if op == "NOT":
            return self.join("(NOT {0})", not a.value, a)
        value = {"AND": a.value and b.value, "OR": a.value or b.value}.get(op[:3].rstrip("_"))
        if op == "XOR":
            value = a.value != b.value
        return self.join("({0} " + op + " {1})", bool(value), a, b)

    def comparison(self, depth: int) -> Expression:
        t = self.choice.choice(EVERY)
        a, b = self.make(t, depth), self.make(t, depth)
        op = self.choice.choice(COMPARISONS)
        x, y = a.value, b.value
        value = {"=": x == y, "<>": x != y, "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]
        return self.join("({0} " + op + " {1})", value, a, b)

    def convert(self, t: str, depth: int) -> Expression:
        """An explicit conversion from any other type."""
        source = self.choice.choice([s for s in EVERY if s != t])
        a = self.make(source, depth)
        x = a.value
        pair = {source, t}
        if pair in ({"DWORD", "REAL"}, {"LWORD", "LREAL"}):
            return self.make(t, depth)  # keeps the bits; tested elsewhere
        if t == "BOOL":
            value: Any = x != 0
        elif t in REALS:
            value = rounded_from(x, t)
        elif source in REALS:
            value = to_integer(x, t)
        else:
            value = wrapped(int(x), t)
        return self.join(f"{source}_TO_{t}" + "({0})", value, a)


def rounded_from(x: Any, t: str) -> float:
    """An integer or real as a REAL or LREAL, rounded once."""
    if t == "LREAL" or isinstance(x, float):
        return rounded(float(x), t)
    # An integer of 64 bits goes straight to 24: keep the first 25 and whether more follow.
    n = abs(int(x))
    shift = max(0, n.bit_length() - 26)
    kept = n >> shift | bool(n & ((1 << shift) - 1))
    return single(math.copysign(float(kept) * 2.0**shift, x))


def program(seed: int) -> tuple[str, list[tuple[str, Expression]]]:
    generator = Generator(seed)
    made = []
    for _ in range(60):
        t = generator.choice.choice(EVERY)
        made.append((t, generator.make(t, 4)))
    lines = ["PROGRAM p", "VAR CONSTANT"]
    for i, (t, value) in enumerate(generator.leaves):
        lines.append(f"C{i} : {t} := {generator.literal(t, value)};")
    lines += ["END_VAR", "VAR"]
    for i, (t, _) in enumerate(generator.leaves):
        lines.append(f"v{i} : {t} := C{i};")
    for i, (t, _) in enumerate(made):
        lines.append(f"r{i}, s{i} : {t};")
    lines.append("END_VAR")
    for i, (_, e) in enumerate(made):
        lines.append(f"r{i} := {e.text};")
        lines.append(f"s{i} := {e.constant};")
    return "\n".join([*lines, "END_PROGRAM"]), made


def same(got: Any, want: Any, t: str) -> bool:
    if t not in REALS:
        return bool(got == want)
    got = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(got, got)
    if math.isnan(want):
        return math.isnan(got)
    got = rounded(got, t)
    return bool(got == want) and math.copysign(1.0, got) == math.copysign(1.0, want)


@pytest.mark.parametrize("seed", range(12))
def test_expressions_have_their_value(seed: int) -> None:
    text, made = program(seed)
    compilation = compile_sources([Source("test.st", text)])
    errors = [(d.message, d.span.source.line_text(d.span.line)) for d in compilation.diagnostics]
    assert errors == []
    assert compilation.program is not None
    assert compilation.layout is not None
    module = types.ModuleType("program")
    exec(compile(emit(compilation.program), "program.py", "exec"), module.__dict__)
    image = bytearray(compilation.program.image_size)
    for offset, data in compilation.program.initial:
        image[offset : offset + len(data)] = data
    module.attach(image)
    module.TASKS[0]()
    variables = Variables(compilation.layout)
    wrong = []
    for i, (t, e) in enumerate(made):
        for path, shown in ((f"p.r{i}", e.text), (f"p.s{i}", e.constant)):
            got = variables.read(image, path)
            if not same(got, e.value, t):
                wrong.append(f"{t}: {shown} = {got}, not {e.value}")
    assert wrong == []
