"""REAL on boards with single precision is IEEE 754 on a model of the RP2040's float routines."""

from __future__ import annotations

import math
import random
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import rt_double, rt_single
from host_tools.compiler import ir
from tests.conformance import reference


class RomFloat(float):
    """A binary32 as the RP2040's boot ROM computes with it (subnormals are zero)."""

    def __new__(cls, x: float) -> RomFloat:
        return super().__new__(cls, rt_double.f_of_d(x))


def _flushed(x: float) -> float:
    """Subnormals as zero of the same sign."""
    return math.copysign(0.0, x) if abs(x) < 2.0**-126 else x


def _rom(f):
    def method(a, b=0.0):
        r = f(_flushed(float(RomFloat(a))), _flushed(float(RomFloat(b))))
        return r if isinstance(r, bool) else RomFloat(_flushed(rt_double.f_of_d(r)))

    return method


def _rom_mul(x: float, y: float) -> float:
    inf = float("inf")
    if abs(x) == inf and y == 0 and reference.negative(y):
        return x
    if abs(y) == inf and x == 0 and reference.negative(x):
        return y
    return x * y


for _name, _f in {
    "__add__": lambda x, y: x + y,
    "__sub__": lambda x, y: x - y,
    "__mul__": _rom_mul,
    "__truediv__": lambda x, y: x / y,
    "__lt__": lambda x, y: x < y,
    "__le__": lambda x, y: x <= y,
    "__gt__": lambda x, y: x > y,
    "__ge__": lambda x, y: x >= y,
    "__eq__": lambda x, y: x == y,
    "__ne__": lambda x, y: x != y,
}.items():
    setattr(RomFloat, _name, _rom(_f))
RomFloat.__neg__ = lambda self: RomFloat(-float(self))  # type: ignore[method-assign]
RomFloat.__hash__ = float.__hash__  # type: ignore[method-assign]


class RomCell:
    """A binary32 view whose elements come back as the board's floats."""

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def __getitem__(self, i: int) -> RomFloat:
        return RomFloat(self.view[i])

    def __setitem__(self, i: int, x: float) -> None:
        self.view[i] = float(x)


EDGES = [0, 1, 2, 0x400000, 0x7FFFFF, 0x800000, 0x800001, 0xFFFFFF, 0x1000000, 0x0D7FFFFF,
         0x0E000000, 0x0E000001, 0x1F800000, 0x20000000, 0x33800000, 0x3F7FFFFF, 0x3F800000,
         0x3F800001, 0x40490FDB, 0x4B000000, 0x4B800000, 0x5F000000, 0x5F800000, 0x7E800000,
         0x7F7FFFFF, 0x7F800000, 0x7FC00000]  # fmt: skip
BITS = st.one_of(
    st.sampled_from(EDGES + [e | 1 << 31 for e in EDGES]),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 0x01FFFFFF),
)


@pytest.fixture
def rom(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """rt_single computing with RomFloat."""
    monkeypatch.setattr(rt_single, "_f", RomCell(rt_single._f))
    for name in ("NAN", "_SAFE_SUM", "_SAFE", "_MAX", "_INT_LOW", "_INT_HIGH"):
        monkeypatch.setattr(rt_single, name, RomFloat(getattr(rt_single, name)))
    return rt_single


def bits_of(x: float) -> int:
    return rt_double.f_bits(float(x))


def test_the_model_of_the_boot_rom_is_as_wrong_as_measured(rom: types.ModuleType) -> None:
    tiny, inf, zero = (rom.f_from_bits(n) for n in (1, 0x7F800000, 0x80000000))
    assert tiny == 0.0
    assert not tiny + tiny > 0.0
    assert bits_of(inf * zero) == 0x7F800000
    assert inf * tiny != inf * tiny
    with pytest.raises(ZeroDivisionError):
        tiny / tiny


@pytest.mark.parametrize("seed", range(4))
def test_single_precision_is_ieee_on_the_boot_rom(rom: types.ModuleType, seed: int) -> None:
    rng = random.Random(seed)
    pool = EDGES + [e | 1 << 31 for e in EDGES]

    def pick() -> int:
        kind = rng.randrange(4)
        if kind == 0:
            return rng.choice(pool)
        if kind == 1:
            return rng.getrandbits(25) | rng.getrandbits(1) << 31
        return rng.getrandbits(32) if kind == 2 else rng.choice(pool) ^ rng.getrandbits(3)

    for _ in range(2000):
        n, m = pick(), pick()
        a, b = rom.f_from_bits(n), rom.f_from_bits(m)
        for op in ("add", "sub", "mul", "div"):
            want = reference.arithmetic(op, float(a), float(b), "f32")
            got = getattr(rom, "f" + op)(a, b)
            assert bits_of(got) == bits_of(want), (op, hex(n), hex(m))
        x, y = float(a), float(b)
        compared = {
            "eq": x == y,
            "ne": x != y,
            "lt": x < y,
            "le": x <= y,
            "gt": x > y,
            "ge": x >= y,
        }
        for op, truth in compared.items():
            assert bool(getattr(rom, "f" + op)(a, b)) == truth, (op, hex(n), hex(m))
        assert bits_of(rom.fmin(a, b)) == bits_of(x if x < y else y)
        assert bits_of(rom.fmax(a, b)) == bits_of(x if x > y else y)
        assert rom.fbool(a) == (x != 0)
        assert bits_of(rom.fsqrt(a)) == bits_of(reference.root(x, "f32"))
        for kind in ("i8", "u16", "i32", "i64", "u64"):
            low, high = ir.INT_RANGE[kind]
            assert rom.fround(a, low, high) == reference.convert(x, "f32", kind, False)
            assert rom.ftrunc(a, low, high) == reference.convert(x, "f32", kind, True)
        for name in ("floor", "ceil"):
            want = reference.number(name, "f32", [x])
            assert bits_of(getattr(rom, "f" + name)(a)) == bits_of(want), (name, hex(n))


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.one_of(st.integers(-(1 << 63), (1 << 64) - 1), st.integers(-(1 << 40), 1 << 40)))
def test_integers_to_real_round_once(x: int) -> None:
    want = bits_of(reference.convert(x, "i64", "f32", False))
    assert bits_of(rt_double.f_of_int(x)) == want
    assert rt_single.f_bits(rt_single.f_of_int(x)) == want
    assert rt_double.d_of_int(x) == reference.convert(x, "i64", "f64", False)


@settings(derandomize=True, deadline=None, max_examples=500)
@given(BITS, BITS)
def test_soft_float(n: int, m: int) -> None:
    a, b = rt_double.f_from_bits(n), rt_double.f_from_bits(m)
    for op in ("add", "mul", "div"):
        got = getattr(rt_single, "soft_" + op)(n, m)
        assert got == bits_of(reference.arithmetic(op, a, b, "f32")), op
