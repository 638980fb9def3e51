"""A slow interpreter of the IR that follows ir.py word by word: what every engine must agree with.

Integers are Python integers, floats go through exact fractions and are rounded once; nothing is
shared with the engines. Values: int, float (NaN: any), bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction

from host_tools.compiler import ir

PRECISION = {"f32": (24, -149, 128), "f64": (53, -1074, 1024)}
CODE = {
    "b1": "<B", "i8": "<b", "u8": "<B", "i16": "<h", "u16": "<H", "i32": "<i", "u32": "<I",
    "i64": "<q", "u64": "<Q", "f32": "<f", "f64": "<d",
}  # fmt: skip
NAN = float("nan")
INF = float("inf")


class Fault(Exception):
    def __init__(self, code: int, pos: int) -> None:
        super().__init__(code, pos)
        self.code, self.pos = code, pos


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


class _Return(Exception):
    pass


def wrap(x: int, kind: str) -> int:
    low, high = ir.INT_RANGE[kind]
    return (x - low) % (high - low + 1) + low


def negative(x: float) -> bool:
    return math.copysign(1.0, x) < 0


def signed(x: float, minus: bool) -> float:
    return -abs(x) if minus else abs(x)


def rounded(x: Fraction, kind: str) -> float:
    """Nearest value of the kind, ties to even, overflow to infinity. Zero is +0."""
    p, smallest, top = PRECISION[kind]
    if not x:
        return 0.0
    e = abs(x.numerator).bit_length() - x.denominator.bit_length()
    if abs(x) < Fraction(2) ** e:
        e -= 1
    unit = Fraction(2) ** max(e - p + 1, smallest)
    r = round(x / unit) * unit
    if abs(r) >= Fraction(2) ** top:
        return INF if r > 0 else -INF
    return signed(float(r), x < 0)


def root(x: float, kind: str) -> float:
    if x != x or x < 0:
        return NAN
    if x in (0.0, INF):
        return x
    # A fraction with 80 exact bits and a sticky one rounds like the root itself.
    f = Fraction(x) * Fraction(4) ** 1200
    n = f.numerator // f.denominator
    shift = max(0, (n.bit_length() - 160) // 2)
    r = math.isqrt(n >> 2 * shift)
    exact = Fraction(r << shift) ** 2 == f
    return rounded(Fraction((2 * r + (not exact)) << shift, 2) / Fraction(2) ** 1200, kind)


def arithmetic(op: str, a: float, b: float, kind: str) -> float:
    if a != a or b != b:
        return NAN
    if op == "sub":
        return arithmetic("add", a, -b, kind)
    if op == "add":
        if math.isinf(a) or math.isinf(b):
            return NAN if math.isinf(a) and math.isinf(b) and a != b else a if math.isinf(a) else b
        total = Fraction(a) + Fraction(b)
        if total == 0:
            return -0.0 if negative(a) and negative(b) else 0.0
        return rounded(total, kind)
    minus = negative(a) != negative(b)
    if op == "mul":
        if math.isinf(a) or math.isinf(b):
            return NAN if 0 in (a, b) else signed(INF, minus)
        return signed(rounded(Fraction(a) * Fraction(b), kind), minus)
    if math.isinf(a) or b == 0:
        return NAN if (a == 0 or math.isinf(b)) else signed(INF, minus)
    if math.isinf(b):
        return signed(0.0, minus)
    return signed(rounded(Fraction(a) / Fraction(b), kind), minus)


def convert(x: int | float, source: str, kind: str, truncate: bool) -> int | float:
    if kind == "b1":
        return int(x != 0)
    if source in ir.INT_RANGE:
        return wrap(int(x), kind) if kind in ir.INT_RANGE else rounded(Fraction(x), kind)
    if kind in ir.INT_RANGE:
        low, high = ir.INT_RANGE[kind]
        if x != x:
            return 0
        if math.isinf(x):
            return high if x > 0 else low
        f = Fraction(x)
        n = math.trunc(f) if truncate else round(f)
        return min(max(n, low), high)
    if x != x or math.isinf(x):
        return x
    return signed(rounded(Fraction(x), kind), negative(float(x)))


class Interpreter:
    """Runs a program on an image; `run(task)` raises Fault."""

    def __init__(self, program: ir.Program, image: bytearray) -> None:
        self.program = program
        self.image = image
        self.functions = {f.name: f for f in program.functions}
        self.budget = 0

    def run(self, task: int = 0) -> None:
        self.budget = self.program.budget
        t = self.program.tasks[task]
        self.call(self.functions[t.func], [], None, t.stack)

    def call(self, f: ir.Func, args: list, self_at: int | None, frame: int) -> int | float | None:
        activation = _Activation(self, f, args, self_at, frame)
        with suppress(_Return):
            activation.block(f.body)
        return None if f.result is None else activation.locals[f.result]


class _Activation:
    def __init__(
        self, machine: Interpreter, f: ir.Func, args: list, self_at: int | None, frame: int
    ) -> None:
        self.machine, self.image, self.f = machine, machine.image, f
        self.locals: list = [*args, *[None] * (len(f.locals) - len(args))]
        self.self_at, self.frame = self_at, frame

    # --- expressions

    def addr(self, a: ir.Addr) -> int:
        start = {"static": 0, "self": self.self_at, "frame": self.frame}.get(a.base)
        at = self.eval(a.pointer) if a.base == "ptr" else start
        return at + sum(self.eval(e) * scale for e, scale in a.terms) + a.offset

    def load(self, at: int, kind: str):
        if kind in ("str", "wstr"):
            unit = 1 if kind == "str" else 2
            (n,) = struct.unpack_from("<H", self.image, at + 2)
            return bytes(self.image[at + 4 : at + 4 + n * unit])
        (x,) = struct.unpack_from(CODE[kind], self.image, at)
        return x

    def store(self, at: int, kind: str, x) -> None:
        if kind in ("str", "wstr"):
            unit = 1 if kind == "str" else 2
            (cap,) = struct.unpack_from("<H", self.image, at)
            x = x[: cap * unit]
            struct.pack_into("<H", self.image, at + 2, len(x) // unit)
            self.image[at + 4 : at + 4 + len(x)] = x
            return
        if kind in PRECISION and x != x:
            x = NAN
        struct.pack_into(CODE[kind], self.image, at, x)

    def eval(self, e: ir.Expr):
        return getattr(self, "x_" + type(e).__name__)(e)

    def x_Const(self, e):
        return e.value

    def x_Local(self, e):
        return self.locals[e.index]

    def x_Load(self, e):
        return self.load(self.addr(e.addr), e.kind)

    def x_LoadBit(self, e):
        return self.image[self.addr(e.addr)] >> e.bit & 1

    def x_AddrOf(self, e):
        return self.addr(e.addr)

    def x_Unary(self, e):
        x = self.eval(e.x)
        if e.op == "neg":
            return wrap(-x, e.kind) if e.kind in ir.INT_RANGE else -x
        return 1 - x if e.kind == "b1" else wrap(~x, e.kind)

    def x_Binary(self, e):
        a, b = self.eval(e.a), self.eval(e.b)
        kind, op = e.kind, e.op
        if kind in PRECISION:
            return arithmetic(op, a, b, kind)
        if op in ("div", "mod"):
            if b == 0:
                raise Fault(ir.Fault.DIVISION, e.pos)
            q = abs(a) // abs(b)
            q = -q if (a < 0) != (b < 0) else q
            return wrap(q if op == "div" else a - q * b, kind)
        if op in ("shl", "shr", "rol", "ror"):
            if b < 0:
                raise Fault(ir.Fault.SHIFT, e.pos)
            width = ir.SIZE[kind] * 8
            a %= 1 << width
            if op == "shl":
                return wrap(a << b if b < width else 0, kind)
            if op == "shr":
                return wrap(a >> b if b < width else 0, kind)
            b = b % width if op == "rol" else -b % width
            return wrap(a << b | a >> (width - b), kind)
        f: Callable[[int, int], int] = {
            "add": int.__add__, "sub": int.__sub__, "mul": int.__mul__,
            "and": int.__and__, "or": int.__or__, "xor": int.__xor__,
        }[op]  # fmt: skip
        return wrap(f(a, b), kind)

    def x_Compare(self, e):
        a, b = self.eval(e.a), self.eval(e.b)
        if e.a.kind == "wstr":
            a, b = list(memoryview(a).cast("H")), list(memoryview(b).cast("H"))
        return int(
            {"eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b}[
                e.op
            ]
        )

    def x_Shortcut(self, e):
        a = self.eval(e.a)
        if e.op == "and":
            return self.eval(e.b) if a else 0
        return 1 if a else self.eval(e.b)

    def x_Select(self, e):
        return self.eval(e.a) if self.eval(e.test) else self.eval(e.b)

    def x_Convert(self, e):
        return convert(self.eval(e.x), e.x.kind, e.kind, e.truncate)

    def x_Bits(self, e):
        x = self.eval(e.x)
        if e.x.kind in PRECISION:
            x = NAN if x != x else x
            return int.from_bytes(struct.pack(CODE[e.x.kind], x), "little")
        (y,) = struct.unpack(CODE[e.kind], struct.pack(CODE[e.x.kind], x))
        return y

    def x_Check(self, e):
        x = self.eval(e.x)
        if not e.low <= x <= e.high:
            raise Fault(e.code, e.pos)
        return x

    def x_NotNull(self, e):
        x = self.eval(e.x)
        if x == 0:
            raise Fault(ir.Fault.NULL, e.pos)
        return x

    def x_Intrinsic(self, e):
        if e.name == "now":
            return self.load(24, "i64")
        args = [self.eval(a) for a in e.args]
        unit = 2 if "wstr" in (e.kind, *(a.kind for a in e.args)) else 1
        return intrinsic(e.name, e.kind, args, unit)

    # --- statements

    def block(self, body) -> None:
        for s in body:
            getattr(self, "s_" + type(s).__name__)(s)

    def s_Mark(self, s):
        pass

    def s_SetLocal(self, s):
        self.locals[s.index] = self.eval(s.value)

    def s_Store(self, s):
        x = self.eval(s.value)
        self.store(self.addr(s.addr), s.value.kind, x)

    def s_StoreBit(self, s):
        on = self.eval(s.value)
        at = self.addr(s.addr)
        self.image[at] = self.image[at] & ~(1 << s.bit) | on << s.bit

    def s_Copy(self, s):
        to, source = self.addr(s.to), self.addr(s.source)
        self.image[to : to + s.size] = bytes(self.image[source : source + s.size])

    def s_Init(self, s):
        at = self.addr(s.addr)
        self.image[at : at + len(s.data)] = s.data

    def s_If(self, s):
        self.block(s.then if self.eval(s.test) else s.orelse)

    def s_Switch(self, s):
        x = self.eval(s.value)
        for ranges, body in s.branches:
            if any(low <= x <= high for low, high in ranges):
                self.block(body)
                return
        self.block(s.orelse)

    def s_Loop(self, s):
        while True:
            try:
                self.block(s.body)
            except _Break:
                return
            except _Continue:
                pass
            try:
                self.block(s.step)
            except _Break:
                return
            self.machine.budget -= 1
            if self.machine.budget < 0:
                raise Fault(ir.Fault.BUDGET, s.pos)

    def s_Break(self, s):
        raise _Break

    def s_Continue(self, s):
        raise _Continue

    def s_Return(self, s):
        raise _Return

    def s_RaiseFault(self, s):
        raise Fault(s.code, s.pos)

    def s_Call(self, s):
        at = None if s.instance is None else self.addr(s.instance)
        args = [self.eval(a) for a in s.args]
        f = self.machine.functions[s.func]
        result = self.machine.call(f, args, at, self.frame + self.f.frame)
        if s.result is not None:
            self.locals[s.result] = result


# --- intrinsics


def intrinsic(name: str, kind: str, args: list, unit: int):
    if name in ("abs", "sqrt", "floor", "ceil", "min", "max", "bcd_to", "to_bcd", "swap"):
        return number(name, kind, args)
    if name in ("to_wide", "to_narrow", "int_to_str", "str_to_int", "time_to_str", "from_char"):
        return conversion(name, kind, args[0])
    strings = [
        [a[i : i + unit] for i in range(0, len(a), unit)] if isinstance(a, bytes) else a
        for a in args
    ]
    r = string(name, strings)
    if name == "char":
        return int.from_bytes(r, "little")
    return r if isinstance(r, int) else b"".join(r)


def number(name: str, kind: str, args: list):
    x = args[0]
    if name == "abs":
        return wrap(abs(x), kind) if kind in ir.INT_RANGE else signed(x, False)
    if name == "sqrt":
        return root(x, kind)
    if name in ("floor", "ceil"):
        if x != x or math.isinf(x):
            return x
        f = Fraction(x)
        return signed(float(math.floor(f) if name == "floor" else math.ceil(f)), negative(x))
    if name == "min":
        return x if x < args[1] else args[1]
    if name == "max":
        return x if x > args[1] else args[1]
    size = ir.SIZE[kind]
    if name == "swap":
        return wrap(int.from_bytes((x % (1 << size * 8)).to_bytes(size, "little"), "big"), kind)
    if name == "bcd_to":
        return wrap(sum((x >> 4 * i & 15) * 10**i for i in range(size * 2)), kind)
    return sum((x // 10**i % 10) << 4 * i for i in range(size * 2))


def conversion(name: str, kind: str, x):
    if name == "to_wide":
        return x.decode("latin-1").encode("utf-16-le")
    if name == "to_narrow":
        codes = memoryview(x).cast("H")
        return bytes(c if c < 256 else ord("?") for c in codes)
    if name == "int_to_str":
        return str(x).encode()
    if name == "from_char":
        return x.to_bytes(1 if kind == "str" else 2, "little")
    if name == "str_to_int":
        text = x.decode("latin-1").lstrip(" \t")
        minus = text.startswith("-")
        if text[:1] in ("+", "-"):
            text = text[1:]
        digits = ""
        for c in text:
            if c in "0123456789":
                digits += c
            elif c != "_" or not digits:
                break
        n = int(digits or "0") * (-1 if minus else 1)
        return min(max(n, -(1 << 63)), (1 << 63) - 1)
    if x == 0:
        return b"T#0s"
    rest, text = abs(x), "T#-" if x < 0 else "T#"
    for unit, size in (
        ("d", 86400 * 10**9), ("h", 3600 * 10**9), ("m", 60 * 10**9), ("s", 10**9),
        ("ms", 10**6), ("us", 1000), ("ns", 1),
    ):  # fmt: skip
        n, rest = divmod(rest, size)
        text += f"{n}{unit}" if n else ""
    return text.encode()


def string(name: str, args: list):
    """On lists of characters."""
    s = args[0]
    if name == "len":
        return len(s)
    if name in ("left", "cut"):
        return s[: max(args[1], 0)]
    if name == "right":
        return s[max(len(s) - max(args[1], 0), 0) :]
    if name == "char":
        return s[args[1] - 1] if 1 <= args[1] <= len(s) else b"\0"
    if name == "concat":
        return s + args[1]
    if name == "insert":
        at = min(max(args[2], 0), len(s))
        return s[:at] + args[1] + s[at:]
    if name == "find":
        places = [i + 1 for i in range(len(s)) if args[1] and s[i : i + len(args[1])] == args[1]]
        return places[0] if places else 0
    n, pos = max(args[-2], 0), args[-1]
    inside = [pos <= i + 1 < pos + n for i in range(len(s))]
    if name == "mid":
        return [c for c, at in zip(s, inside, strict=True) if at]
    start = min(max(pos - 1, 0), len(s))
    tail = s[start:] if not n else [c for i, c in enumerate(s) if i >= start and not inside[i]]
    middle = args[1] if name == "replace" else []
    return s[:start] + middle + tail
