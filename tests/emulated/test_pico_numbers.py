"""What the compiler relies on in the arithmetic of MicroPython on the RP2040 (binary32 REAL)."""

from __future__ import annotations

import ctypes
import math
import random
import struct

import pytest

from host_tools.pico import EmulatedPico

pytestmark = pytest.mark.emulated

LARGEST_DENORMAL = 0x007FFFFF
INFINITY = 0x7F800000
SIGN = 0x80000000

DEVICE = """
from array import array
from binascii import hexlify, unhexlify
import math, uctypes
def arithmetic(text):
    a = array('f', unhexlify(text)); out = array('f')
    for i in range(0, len(a), 2):
        x, y = a[i], a[i + 1]
        out.append(x + y); out.append(x - y); out.append(x * y)
        out.append(x / y if y else 0.0)
    print(hexlify(bytes(out)).decode())
def roots(text):
    print(hexlify(bytes(array('f', [math.sqrt(x) for x in array('f', unhexlify(text))]))).decode())
def floats(numbers):
    print(hexlify(bytes(array('f', [float(n) for n in numbers]))).decode())
def through(text):
    source = bytearray(unhexlify(text)); target = bytearray(len(source)); n = len(source) // 4
    kind = (uctypes.ARRAY | 0, uctypes.FLOAT32 | n)
    a = uctypes.struct(uctypes.addressof(source), kind, uctypes.NATIVE)
    b = uctypes.struct(uctypes.addressof(target), kind, uctypes.NATIVE)
    for i in range(n):
        b[i] = a[i]
    print(hexlify(target).decode())
def stored(name, numbers):
    b = bytearray(8)
    kind = (uctypes.ARRAY | 0, getattr(uctypes, name) | 1)
    a = uctypes.struct(uctypes.addressof(b), kind, uctypes.NATIVE)
    out = []
    for n in numbers:
        a[0] = n
        out.append(a[0])
    print(out)
"""


@pytest.fixture(scope="module")
def board(pico_uf2) -> EmulatedPico:
    pico = EmulatedPico(pico_uf2)
    assert pico.raw_exec(DEVICE) == (b"", b"")
    return pico


def ask(board: EmulatedPico, call: str) -> str:
    out, error = board.raw_exec(call, 60.0)
    assert not error, error.decode()
    return out.decode().strip()


def words(board: EmulatedPico, function: str, bits: list[int]) -> list[int]:
    """Call a device function on binary32 values given and returned as their bits."""
    text = struct.pack(f"<{len(bits)}I", *bits).hex()
    answer = bytes.fromhex(ask(board, f"{function}('{text}')"))
    return list(struct.unpack(f"<{len(answer) // 4}I", answer))


def real(bits: int) -> float:
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def rounded(value: float) -> int:
    """The bits of the binary32 nearest to a double (IEEE 754, round to nearest, ties to even)."""
    return struct.unpack("<I", bytes(ctypes.c_float(value)))[0]


def is_denormal(bits: int) -> bool:
    return 0 < bits & ~SIGN <= LARGEST_DENORMAL


def test_normal_numbers_give_the_bits_ieee_asks_for(board: EmulatedPico) -> None:
    # A double holds sum, product and quotient of two binary32 well enough to round only once.
    choose = random.Random(4)
    edges = [0, SIGN, 0x00800000, 0x7F7FFFFF, 0x3F800000, 0x3F800001, 0x3F7FFFFF, 0x4B800000]
    pairs = [(a, b) for a in edges for b in edges]
    for _ in range(240):
        exponent = choose.randrange(1, 255)
        near = min(254, max(1, exponent + choose.randrange(-26, 27)))
        pairs.append(
            tuple(
                choose.getrandbits(1) << 31 | e << 23 | choose.getrandbits(23)
                for e in (exponent, near)
            )
        )
    flat = [bits for pair in pairs for bits in pair]
    answers = words(board, "arithmetic", flat)
    compared = 0
    for number, (a, b) in enumerate(pairs):
        x, y = real(a), real(b)
        wanted = [x + y, x - y, x * y, x / y if y else 0.0]
        for sign, want, got in zip("+-*/", wanted, answers[4 * number :], strict=False):
            if not is_denormal(rounded(want)):
                assert got == rounded(want), f"{a:08x} {sign} {b:08x}"
                compared += 1
    assert compared > 1000


def test_denormal_numbers_count_as_zero(board: EmulatedPico) -> None:
    half = 0x3F000000
    assert words(board, "arithmetic", [LARGEST_DENORMAL, SIGN])[:3] == [0, 0, SIGN]
    # Smallest normal times a half: the exact result is denormal.
    assert words(board, "arithmetic", [0x00800000, half])[2] == 0
    assert words(board, "arithmetic", [SIGN | 0x00800000, half])[2] == SIGN
    told = ask(
        board, "x = array('f', unhexlify('ffff7f00'))[0]; print(x == 0.0, bool(x), x < 2e-38)"
    )
    assert told == "True False True"
    error = board.raw_exec("1.0 / x")[1]
    assert b"ZeroDivisionError" in error


def test_minus_infinity_times_minus_zero_is_the_one_wrong_result(board: EmulatedPico) -> None:
    # IEEE 754 asks for NaN. Should it ever come right, this test shows that the guard can go.
    minus = SIGN | INFINITY
    for a, b in ((INFINITY, 0), (INFINITY, SIGN), (minus, 0)):
        assert math.isnan(real(words(board, "arithmetic", [a, b])[2]))
        assert math.isnan(real(words(board, "arithmetic", [b, a])[2]))
    assert words(board, "arithmetic", [minus, SIGN])[2] == INFINITY
    assert words(board, "arithmetic", [SIGN, minus])[2] == INFINITY


def test_square_roots_are_correctly_rounded(board: EmulatedPico) -> None:
    choose = random.Random(5)
    bits = [choose.randrange(0, INFINITY) for _ in range(200)]
    bits += [0, SIGN, 1, LARGEST_DENORMAL, 0x7F7FFFFF, INFINITY]
    answers = words(board, "roots", bits)
    assert answers == [rounded(math.sqrt(real(value))) for value in bits]


def test_integers_of_forty_bits_become_the_nearest_real(board: EmulatedPico) -> None:
    choose = random.Random(6)
    numbers = [
        choose.choice((1, -1)) * (choose.getrandbits(bits) | 1 << (bits - 1))
        for bits in (24, 25, 31, 32, 33, 40)
        for _ in range(10)
    ]
    answer = bytes.fromhex(ask(board, f"floats({numbers})"))
    # Exact in a double, so rounding that once more is the single rounding.
    assert list(struct.unpack(f"<{len(numbers)}I", answer)) == [rounded(n) for n in numbers]


def test_every_bit_pattern_survives_load_and_store(board: EmulatedPico) -> None:
    choose = random.Random(7)
    bits = [choose.getrandbits(32) for _ in range(100)]
    bits += [0, SIGN, 1, LARGEST_DENORMAL, INFINITY, 0x7FC00000, 0x7F800001, 0xFFFFFFFF]
    assert words(board, "through", bits) == bits


@pytest.mark.parametrize("width", [8, 16, 32, 64])
def test_stores_wrap_integers_at_their_width(board: EmulatedPico, width: int) -> None:
    top = 1 << (width - 1)
    numbers = [0, -1, top - 1, top, -top, -top - 1, 2 * top - 1, 2 * top, 5 * top + 3, -(1 << 70)]
    unsigned = [n % (2 * top) for n in numbers]
    assert ask(board, f"stored('UINT{width}', {numbers})") == str(unsigned)
    signed = [n - 2 * top if n >= top else n for n in unsigned]
    assert ask(board, f"stored('INT{width}', {numbers})") == str(signed)
