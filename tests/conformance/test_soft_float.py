"""What the native engine brings along for ARMv6-M, on a bare emulated core: REAL arithmetic, the
divider of the RP2040 and the memory routines, against exact results."""

from __future__ import annotations

import random
import struct

import pytest

from host_tools.bench.core import RAM, Core
from host_tools.native.module import TARGETS, linked
from host_tools.native.toolchain import compile_c
from tests.conformance.reference import arithmetic

CODE, MEMORY = RAM + 0x1000, RAM + 0x20000
OPERATIONS = ("mul", "add", "sub", "div", "i2f", "u2f", "eq", "lt", "le",
              "quotient", "rest", "uquotient", "urest", "move", "compare")  # fmt: skip
TEXT = """
#include "rt.h"
#include "soft.h"
void takt_run(mem m, u32 number) {}
#define DIVIDER ((volatile u32 *)0xD0000060)
static u32 divide(u32 a, u32 b, u32 op)
{
    switch (op) {
    case 9: return QUOTIENT_i32((i32)a, (i32)b);
    case 10: return REST_i32((i32)a, (i32)b);
    case 11: return QUOTIENT_u32(a, b);
    }
    return REST_u32(a, b);
}
__attribute__((section(".text.entry"), used)) u32 takt_entry(u32 a, u32 b, u32 op, u32 c)
{
    f32 x = f32_of_bits(a), y = f32_of_bits(b);
    if (op >= 9 && op <= 12 && c) { /* as if an interrupt had come while the divider was in use */
        DIVIDER[0] = 1234567;
        DIVIDER[1] = 89;
        u32 found = divide(a, b, op);
        return DIVIDER[5] == 1234567 % 89 && DIVIDER[4] == 1234567 / 89 ? found : 0xDEADBEEF;
    }
    switch (op) {
    case 0: return bits_f32(x * y);
    case 1: return bits_f32(x + y);
    case 2: return bits_f32(x - y);
    case 3: return bits_f32(x / y);
    case 4: return bits_f32((f32)(i32)a);
    case 5: return bits_f32((f32)a);
    case 6: return eq_f32(x, y);
    case 7: return lt_f32(x, y);
    case 8: return le_f32(x, y);
    case 13: return (u32)memmove((void *)a, (void *)b, c);
    case 14: return memcmp((void *)a, (void *)b, c);
    }
    return divide(a, b, op);
}
"""
SPECIAL = (
    0, 0x80000000, 1, 0x007FFFFF, 0x00800000, 0x00800001, 0x3F800000, 0x3F7FFFFF, 0x3F800001,
    0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x4B000000, 0x4B800000, 0x33800000,
)  # fmt: skip


@pytest.fixture(scope="module")
def core() -> Core:
    target = TARGETS["armv6m"]
    chosen = ("-target", target.triple, f"-mcpu={target.cpu}")
    flags = (*chosen, *target.flags, "-c", "-ffunction-sections", "-fdata-sections")
    made = Core()
    made.write(CODE, linked(compile_c(TEXT, flags, ".o"), chosen, CODE))
    return made


def run(core: Core, op: str, a: int, b: int, c: int = 0) -> int:
    return core.call(CODE, a & 0xFFFFFFFF, b & 0xFFFFFFFF, OPERATIONS.index(op), c)[0]


def number(n: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", n))[0])


def bits(x: float) -> int:
    if x != x:
        return 0x7FC00000
    return int(struct.unpack("<I", struct.pack("<f", x))[0])


def pairs(count: int) -> list[tuple[int, int]]:
    """Operands: all special ones with each other, and random ones of several kinds."""
    rng = random.Random(5)
    made = [(a, b) for a in SPECIAL for b in SPECIAL]
    for n in range(count):
        a, b = rng.getrandbits(32), rng.getrandbits(32)
        match n % 6:
            case 1:  # exponents that are close
                b = ((a & 0xFF800000) + (rng.randrange(3) << 23) + (b & 0x7FFFFF)) & 0xFFFFFFFF
            case 2:  # nearly the same
                b = a ^ (rng.getrandbits(32) & 0x8000000F)
            case 3:
                a = rng.choice(SPECIAL)
            case 4:  # results that need no rounding, or lie in the middle
                a, b = a & 0xFFFF0000, b & 0xFFFFF000
            case 5:
                a, b = bits(rng.uniform(-100, 100)), bits(rng.uniform(-100, 100))
        made.append((a, b))
    return made


@pytest.mark.parametrize("op", ["mul", "add", "sub", "div"])
def test_arithmetic(core: Core, op: str) -> None:
    for a, b in pairs(500):
        got = run(core, op, a, b)
        got = 0x7FC00000 if got & 0x7FFFFFFF > 0x7F800000 else got
        want = bits(arithmetic(op, number(a), number(b), "f32"))
        assert got == want, f"{a:08x} {op} {b:08x}: {got:08x}, not {want:08x}"


def test_comparisons(core: Core) -> None:
    for a, b in pairs(150):
        x, y = number(a), number(b)
        for op, want in (("eq", x == y), ("lt", x < y), ("le", x <= y)):
            assert run(core, op, a, b) == want, f"{a:08x} {op} {b:08x}"


def test_from_integers(core: Core) -> None:
    rng = random.Random(6)
    numbers = [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x1000001, 0x1000003, 0x1FFFFFF]
    numbers += [rng.getrandbits(32) >> rng.randrange(32) for _ in range(200)]
    for n in numbers:
        signed = n - (1 << 32) if n >> 31 else n
        assert run(core, "u2f", n, 0) == bits(float(n)), hex(n)
        assert run(core, "i2f", n, 0) == bits(float(signed)), hex(n)


@pytest.mark.parametrize("in_use", [0, 1])
def test_division(core: Core, in_use: int) -> None:
    rng = random.Random(7)
    edges = [1, 2, 7, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFF9]
    cases = [(a, b) for a in [0, *edges] for b in edges]
    cases += [(rng.getrandbits(32), rng.getrandbits(32) >> rng.randrange(31)) for _ in range(150)]
    for a, b in cases:
        b = b or 1
        assert run(core, "uquotient", a, b, in_use) == a // b
        assert run(core, "urest", a, b, in_use) == a % b
        x, y = (n - (1 << 32) if n >> 31 else n for n in (a, b))
        quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)
        assert run(core, "quotient", a, b, in_use) == quotient & 0xFFFFFFFF
        assert run(core, "rest", a, b, in_use) == (x - quotient * y) & 0xFFFFFFFF


def test_memory(core: Core) -> None:
    """Copies of every length and alignment, also onto themselves; comparisons."""
    rng = random.Random(8)
    for _ in range(300):
        size = rng.choice([0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 32, 40])
        a, b = rng.randrange(64), rng.randrange(64)
        if rng.randrange(3) == 0:
            a, b = a & ~3, b & ~3
        data = bytearray(rng.randbytes(112))
        core.write(MEMORY, bytes(data))
        assert run(core, "move", MEMORY + a, MEMORY + b, size) == MEMORY + a
        data[a : a + size] = data[b : b + size]
        assert core.read(MEMORY, len(data)) == data, (a, b, size)
        if size and rng.randrange(2):
            data[a + rng.randrange(size)] ^= 1
            core.write(MEMORY, bytes(data))
        one, other = bytes(data[a : a + size]), bytes(data[b : b + size])
        got = run(core, "compare", MEMORY + a, MEMORY + b, size)
        order = got - (1 << 32) if got >> 31 else got
        assert (order > 0) - (order < 0) == (one > other) - (one < other)
