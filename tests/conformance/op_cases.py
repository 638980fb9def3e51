"""One task for each operation of the IR, and operand values at its edges."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from host_tools.compiler import ir
from tests.conformance.reference import CODE

A, B, C, RESULT = 512, 520, 528, 536  # operands and result in the image
SIZE = 1024
INTS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
UNSIGNED = ("u8", "u16", "u32", "u64")
FLOATS = ("f32", "f64")
POS = 77


@dataclass(frozen=True)
class Op:
    """An operation: the kinds of its operands and the expression that computes it."""

    name: str
    operands: tuple[str, ...]
    value: ir.Expr


def load(kind: str, at: int) -> ir.Expr:
    return ir.Load(kind, ir.Addr("static", at))


def const(kind: str, v: int | float) -> ir.Const:
    return ir.Const(kind, v)


def binary(op: str, kind: str, count: str = "") -> Op:
    x = ir.Binary(kind, op, load(kind, A), load(count or kind, B), POS)
    return Op(f"{op} {kind} {count}", (kind, count or kind), x)


def unary(name: str, kind: str, x: ir.Expr) -> Op:
    return Op(name, (kind,), x)


def operations() -> list[Op]:
    ops: list[Op] = []
    for k in INTS:
        ops += [binary(op, k) for op in ("add", "sub", "mul", "div", "mod", "and", "or", "xor")]
        ops += [binary(op, k, c) for op in ("shl", "shr") for c in ("i8", "u8", "i32", k)]
        ops += [binary(op, k, c) for op in ("rol", "ror") for c in ("i16", "u32")]
        ops += [unary(f"{op} {k}", k, ir.Unary(k, op, load(k, A))) for op in ("neg", "not")]
        low, high = ir.INT_RANGE[k]
        for c in {1, 2, 3, 7, 10, 100, high, low, -1 if low else 1}:
            if c and low <= c <= high:
                ops += [
                    unary(f"{op} {k} by {c}", k, ir.Binary(k, op, load(k, A), const(k, c), POS))
                    for op in ("div", "mod", "mul", "add", "sub", "and", "or")
                ]
                ops.append(
                    unary(f"{c} - {k}", k, ir.Binary(k, "sub", const(k, c), load(k, A), POS))
                )
        for n in (0, 1, 5, 8, 31, 63, 64, -1):
            count = const("i8", n)
            ops += [
                unary(f"{op} {k} by {n}", k, ir.Binary(k, op, load(k, A), count, POS))
                for op in ("shl", "shr", "rol", "ror")
            ]
        for to in (*INTS, "b1", *FLOATS):
            ops.append(unary(f"{k} to {to}", k, ir.Convert(to, load(k, A))))
        # Wrapping may wait to the end of a chain, but not past a division or a comparison.
        x, y = load(k, A), load(k, B)
        chain = ir.Binary(k, "mul", ir.Binary(k, "add", x, y), ir.Binary(k, "sub", x, y))
        ops.append(Op(f"(a + b) * (a - b) {k}", (k, k), chain))
        ops.append(Op(f"chain div {k}", (k, k), ir.Binary(k, "div", chain, const(k, 3))))
        ops.append(Op(f"chain mod {k}", (k, k), ir.Binary(k, "mod", chain, const(k, 7))))
        ops.append(Op(f"chain shr {k}", (k, k), ir.Binary(k, "shr", chain, const(k, 2))))
        ops.append(Op(f"chain not {k}", (k, k), ir.Unary(k, "not", chain)))
        ops.append(Op(f"chain lt {k}", (k, k), ir.Compare("b1", "lt", chain, x)))
        ops.append(Op(f"chain to i64 {k}", (k, k), ir.Convert("i64", chain)))
        ops.append(Op(f"chain to u8 {k}", (k, k), ir.Convert("u8", chain)))
        ops.append(Op(f"chain abs {k}", (k, k), ir.Intrinsic(k, "abs", (chain,))))
        ops.append(unary(f"abs {k}", k, ir.Intrinsic(k, "abs", (x,))))
        ops.append(unary(f"swap {k}", k, ir.Intrinsic(k, "swap", (x,))))
        for low, high in ((0, 10), (-3, 3), (5, 5), (0, 255), (-128, 127), (300, 400)):
            check = ir.Check(k, x, low, high, ir.Fault.RANGE, POS)
            ops.append(unary(f"check {k} {low}..{high}", k, check))
            check = ir.Check(k, chain, low, high, ir.Fault.INDEX, POS)
            ops.append(Op(f"check chain {k} {low}..{high}", (k, k), check))
    for k in UNSIGNED:
        ops.append(unary(f"bcd_to {k}", k, ir.Intrinsic(k, "bcd_to", (load(k, A),))))
        ops.append(unary(f"to_bcd {k}", k, ir.Intrinsic(k, "to_bcd", (load(k, A),))))
    for k in ("b1", *INTS, *FLOATS):
        x, y = load(k, A), load(k, B)
        for op in ("eq", "ne", "lt", "le", "gt", "ge"):
            c = ir.Compare("b1", op, x, y)
            ops.append(Op(f"{op} {k}", (k, k), c))
            ops.append(Op(f"not {op} {k}", (k, k), ir.Unary("b1", "not", c)))
            ops.append(Op(f"{op} {k} selects", (k, k), ir.Select(k, c, x, y)))
        ops.append(Op(f"bool {k}", (k,), ir.Convert("b1", x)))
    for k in (*INTS, *FLOATS):
        for op in ("min", "max"):
            ops.append(Op(f"{op} {k}", (k, k), ir.Intrinsic(k, op, (load(k, A), load(k, B)))))
    x, y, z = load("b1", A), load("b1", B), load("b1", C)
    for op in ("and", "or", "xor"):
        ops.append(binary(op, "b1"))
        both = ir.Binary("b1", op, ir.Unary("b1", "not", x), y)
        ops.append(Op(f"{op} not", ("b1", "b1"), both))
        ops.append(Op(f"{op} to i16", ("b1", "b1"), ir.Convert("i16", both)))
        ops.append(Op(f"not {op}", ("b1", "b1"), ir.Unary("b1", "not", both)))
        for inner in ("and", "or", "xor"):
            nested = ir.Binary("b1", op, x, ir.Binary("b1", inner, y, z))
            ops.append(Op(f"{op} of {inner}", ("b1", "b1", "b1"), nested))
    quotient = ir.Binary("i32", "div", const("i32", 8), ir.Convert("i32", y), POS)
    faulty = ir.Compare("b1", "gt", quotient, const("i32", 0))
    for op in ("and", "or"):
        ops.append(Op(f"{op} faults", ("b1", "b1"), ir.Binary("b1", op, x, faulty)))
        ops.append(Op(f"{op} cut short", ("b1", "b1"), ir.Shortcut("b1", op, x, faulty)))
    ops.append(Op("select", ("b1", "b1"), ir.Select("b1", x, faulty, y)))
    ops.append(Op("not not", ("b1",), ir.Unary("b1", "not", ir.Unary("b1", "not", x))))
    for bit in range(8):
        bit_of = ir.LoadBit("b1", ir.Addr("static", A), bit)
        ops.append(Op(f"bit {bit}", ("u8",), bit_of))
        ops.append(Op(f"bit {bit} as number", ("u8",), ir.Convert("i32", bit_of)))
        ops.append(Op(f"not bit {bit}", ("u8",), ir.Unary("b1", "not", bit_of)))
        nots = ir.Unary("b1", "not", ir.Unary("b1", "not", bit_of))
        ops.append(Op(f"not not bit {bit}", ("u8",), nots))
        ops.append(Op(f"bit {bit} and", ("u8", "b1"), ir.Binary("b1", "and", bit_of, y)))
        ops.append(Op(f"bit {bit} or", ("u8", "b1"), ir.Binary("b1", "or", y, bit_of)))
    for k, u in (("f32", "u32"), ("f64", "u64")):
        x, y, z = load(k, A), load(k, B), load(k, C)
        ops += [binary(op, k) for op in ("add", "sub", "mul", "div")]
        ops.append(Op(f"a * b + c {k}", (k, k, k), ir.Binary(
            k, "add", ir.Binary(k, "mul", x, y), z)))  # fmt: skip
        ops.append(Op(f"c - a / b {k}", (k, k, k), ir.Binary(
            k, "sub", z, ir.Binary(k, "div", x, y))))  # fmt: skip
        ops.append(unary(f"neg {k}", k, ir.Unary(k, "neg", x)))
        for name in ("abs", "sqrt", "floor", "ceil"):
            ops.append(unary(f"{name} {k}", k, ir.Intrinsic(k, name, (x,))))
        for to in (*INTS, "b1", *FLOATS):
            ops.append(unary(f"{k} to {to}", k, ir.Convert(to, x)))
            if to in INTS:
                ops.append(unary(f"trunc {k} to {to}", k, ir.Convert(to, x, True)))
        ops.append(unary(f"copy {k}", k, x))
        ops.append(unary(f"bits of {k}", k, ir.Bits(u, x)))
        ops.append(unary(f"bits of -{k}", k, ir.Bits(u, ir.Unary(k, "neg", x))))
        ops.append(unary(f"{k} from bits", u, ir.Bits(k, load(u, A))))
        for c in (0.1, -0.0, 1e-40, 1.5, 16777216.0, 3.0000000054977558e38, float("inf")):
            c = struct.unpack(CODE[k], struct.pack(CODE[k], c))[0]
            ops.append(unary(f"{k} + {c}", k, ir.Binary(k, "add", x, const(k, c))))
            ops.append(unary(f"{k} * {c}", k, ir.Binary(k, "mul", x, const(k, c))))
        ops.append(unary(f"{k} nan", k, ir.Binary(k, "add", x, const(k, float("nan")))))
    ops.append(Op("now", (), ir.Intrinsic("i64", "now")))
    return ops


def program(ops: list[Op]) -> ir.Program:
    """Task n stores the result of operation n."""
    functions, tasks = [], []
    for n, op in enumerate(ops):
        store = ir.Store(ir.Addr("static", RESULT), op.value)
        functions.append(ir.Func(f"op_{n}", f"op_{n}", 0, (), None, False, 0, (store,), n))
        tasks.append(ir.Task(f"t{n}", f"op_{n}", 10_000_000, 1, 768))
    lreal = any("f64" in (*op.operands, op.value.kind) for op in ops)
    return ir.Program(tuple(functions), tuple(tasks), SIZE, (), 100, ("ops.st",), lreal)


def single(x: float) -> float:
    (y,) = struct.unpack("<f", struct.pack("<f", x))
    return float(y)


def patterns(kind: str, rng: random.Random, extra: int = 12) -> list[bytes]:
    """Operand values as image bytes: the edges of the kind, small numbers, random ones."""
    if kind == "b1":
        return [b"\0", b"\1"]
    size = ir.SIZE[kind]
    if kind in ir.INT_RANGE:
        low, high = ir.INT_RANGE[kind]
        values = {low, low + 1, high, high - 1, 0, 1, 2, 3, 7, 10, 12, 99}
        values |= {1 << n for n in (7, 8, 15, 16, 24, 30, 31, 53, 62) if 1 << n <= high}
        values |= {-v for v in values if -v >= low}
        values |= {(1 << n) + 1 for n in (24, 25, 53, 54) if (1 << n) + 1 <= high}
        values |= {rng.randint(low, high) for _ in range(extra)}
        values |= {rng.randint(low, high) >> rng.randrange(size * 8) for _ in range(extra)}
        code = CODE[kind]
        return [struct.pack(code, v) for v in sorted(values) if low <= v <= high]
    if kind == "f32":
        bits = [0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0x1000000, 0x3F800000, 0x3F800001,
                0x3F7FFFFF, 0x3F000000, 0x3FC00000, 0x40200000, 0x3DCCCCCD, 0x3EAAAAAB,
                0x4B000000, 0x4B000001, 0x4AFFFFFF, 0x4B800000, 0x4F000000, 0x4EFFFFFF,
                0x5F000000, 0x5F800000, 0x5EFFFFFF, 0x7F000000, 0x7F7FFFFF, 0x7F800000,
                0x437F0000, 0x437F8000, 0x477FFF00, 0x42FF0000, 0x7FC00000, 0x7F800001,
                0x7FFFFFFF, 0x1F800000, 0x20000000, 0x0D800000, 0x0E000001]  # fmt: skip
        bits += [b | 1 << 31 for b in bits] + [rng.getrandbits(32) for _ in range(extra)]
        return [struct.pack("<I", b) for b in bits]
    values64 = [0.0, 5e-324, 2.2250738585072009e-308, 2.2250738585072014e-308, 1.0, 0.1, 1 / 3,
                0.5, 1.5, 2.5, 2.0**24, 2.0**24 + 1, 2.0**52, 2.0**53 - 1, 2.0**53, 2.0**63,
                2.0**64, 9.223372036854775e18, 1.7976931348623157e308, 1e200, 1e-200, 255.5,
                65535.5, 32767.5, 2147483647.5, 3.4028235677973366e38, 3.4028234663852886e38,
                1.1754943508222875e-38, 1e-45, 7e-46, 1.401298464324817e-45, float("inf"),
                1.0000000596046448, 1.00000017881393433]  # fmt: skip
    values64 += [-v for v in values64]
    nans = [struct.pack("<Q", b) for b in (0x7FF8 << 48, 0xFFF8 << 48, (0x7FF0 << 48) + 1)]
    randoms = [struct.pack("<Q", rng.getrandbits(64)) for _ in range(extra)]
    return [struct.pack("<d", v) for v in values64] + nans + randoms


def cases(op: Op, rng: random.Random, limit: int = 240) -> list[tuple[bytes, ...]]:
    """Operand tuples of an operation: all pairs where they are few, else a sample."""
    pools = [patterns(k, rng) for k in op.operands]
    if not pools:
        return [()]
    count = 1
    for pool in pools:
        count *= len(pool)
    if count <= limit:
        tuples: list[tuple[bytes, ...]] = [()]
        for pool in pools:
            tuples = [(*t, x) for t in tuples for x in pool]
        return tuples
    return [tuple(rng.choice(pool) for pool in pools) for _ in range(limit)]
