"""REAL and LREAL to text and back: shortest, exact, and the same as Python's own conversions."""

from __future__ import annotations

import math
import random
import re
import struct
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conformance.library_support import Running

_running: dict[str, Running] = {}


def program(kind: str) -> Running:
    if kind not in _running:
        _running[kind] = Running(f"""
            PROGRAM main
            VAR x : {kind}; y : {kind}; s : STRING; t : STRING; END_VAR
                s := {kind}_TO_STRING(x);
                y := STRING_TO_{kind}(t);
            END_PROGRAM""")
    return _running[kind]


CODES = {"REAL": "f", "LREAL": "d"}


def to_text(kind: str, x: float) -> str:
    running = program(kind)
    running.put("main.x", CODES[kind], x)
    running.put_text("main.t", "")
    running.scan()
    return running.text("main.s")


def from_text(kind: str, text: str) -> float:
    running = program(kind)
    running.put("main.x", CODES[kind], 0.0)
    running.put_text("main.t", text)
    running.scan()
    return float(running.get("main.y", CODES[kind]))


def single(x: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


def nearest_single(exact: Fraction) -> float:
    """The REAL nearest to `exact`, ties to even, without a detour over binary64."""
    largest = single(3.4028235e38)
    guess = single(float(max(-Fraction(largest), min(exact, Fraction(largest)))))
    bits = struct.unpack("<i", struct.pack("<f", abs(guess)))[0]
    around = [b for b in (bits - 1, bits, bits + 1) if b >= 0]
    target = abs(exact)

    def value(b: int) -> Fraction:
        return (
            Fraction(2) ** 128
            if b >= 0x7F800000
            else Fraction(struct.unpack("<f", struct.pack("<i", b))[0])
        )

    best = min(around, key=lambda b: (abs(value(b) - target), b & 1))
    return math.copysign(struct.unpack("<f", struct.pack("<i", best))[0], -1 if exact < 0 else 1)


def digits_of(text: str) -> tuple[str, int]:
    """Significant digits without zeros around them, and the power of ten of the first."""
    mantissa, _, exponent = text.lstrip("-").upper().partition("E")
    whole, _, fraction = mantissa.partition(".")
    power = len(whole) - 1 + int(exponent or "0")
    digits = whole + fraction
    power -= len(digits) - len(digits.lstrip("0"))
    return digits.strip("0"), power


LITERAL = re.compile(r"-?\d+\.\d+(E[+-]\d+)?")


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0, "0.0"), (-0.0, "-0.0"), (1.0, "1.0"), (-1.5, "-1.5"), (0.1, "0.1"),
        (100.0, "100.0"), (1234567.0, "1234567.0"), (12345678.0, "1.2345678E+7"),
        (1e10, "1.0E+10"), (1e-5, "0.00001"), (1.25e-5, "0.0000125"), (9.5e-6, "9.5E-6"),
        (3.4028235e38, "3.4028235E+38"),
        (1e-45, "1.0E-45"), (math.inf, "INF"), (-math.inf, "-INF"), (math.nan, "NAN"),
        (16777216.0, "1.6777216E+7"), (0.3, "0.3"), (2.0**-126, "1.1754944E-38"),
    ],
)  # fmt: skip
def test_real_to_string(x: float, text: str) -> None:
    assert to_text("REAL", x) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.1, "0.1"), (1 / 3, "0.3333333333333333"), (1e15 - 1, "999999999999999.0"),
        (1e15, "1.0E+15"), (1e22, "1.0E+22"), (1e23, "1.0E+23"), (5e-324, "5.0E-324"),
        (1.7976931348623157e308, "1.7976931348623157E+308"), (-123.456, "-123.456"),
        (2.0**-1022, "2.2250738585072014E-308"), (2.0**60, "1.152921504606847E+18"),
    ],
)  # fmt: skip
def test_lreal_to_string(x: float, text: str) -> None:
    assert to_text("LREAL", x) == text


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
@example(9007199254740993.0)
@example(2.0**-1074 * 3)
def test_lreal_text_is_shortest_and_reads_back(x: float) -> None:
    text = to_text("LREAL", x)
    assert LITERAL.fullmatch(text)
    assert float(text) == x
    assert from_text("LREAL", text) == x
    if x:
        assert digits_of(text) == digits_of(repr(x))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(2.0**24)
@example(2.0**-126)
def test_real_text_is_shortest_and_reads_back(x: float) -> None:
    text = to_text("REAL", x)
    assert LITERAL.fullmatch(text)
    assert nearest_single(Fraction(text)) == x
    assert from_text("REAL", text) == x
    digits, power = digits_of(text)
    if x and len(digits) > 1:
        # no shorter text is as near: the two with one digit less belong to other values
        unit = Fraction(10) ** (power - len(digits) + 2)
        below = abs(Fraction(x)) // unit * unit
        for other in (below, below + unit):
            assert nearest_single(other) != abs(x)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.from_regex(r"[+-]?[0-9]{1,25}(\.[0-9]{0,25})?(E[+-]?[0-9]{1,3})?", fullmatch=True))
@example("2.4703282292062327208e-324")
@example("2.47032822920623272088284396434110686182e-324")
@example("1.7976931348623158e308")
@example("1.7976931348623159e308")
@example("9007199254740993")
@example("9007199254740993.00000000000000000000000000000000000000000001")
@example("0.500000000000000166533453693773481063544750213623046875")
@example("12345678901234567890123456789012345678901234567890123456789012345678901234567e-9")
def test_nearest_value(text: str) -> None:
    assert from_text("LREAL", text) == float(text)
    mantissa, _, exponent = text.upper().partition("E")
    exact = Fraction(mantissa) * Fraction(10) ** int(exponent or "0")
    assert from_text("REAL", text) == nearest_single(exact)


@pytest.mark.parametrize(
    ("text", "x"),
    [
        ("", 0.0), ("abc", 0.0), ("  12.5 bar", 12.5), ("-7", -7.0), ("+.5", 0.5), ("3.", 3.0),
        ("1_000.5", 1000.5), ("1E", 1.0), ("1E+", 1.0), ("2e3x", 2000.0), ("INF", math.inf),
        ("-inf", -math.inf), ("1e99999999", math.inf), ("1e-99999999", 0.0), ("1.2.3", 1.2),
        ("0e99999", 0.0), ("1e39", math.inf), ("-", 0.0), ("000000.0000001", 1e-7),
    ],
)  # fmt: skip
def test_forgiving_reader(text: str, x: float) -> None:
    assert from_text("REAL", text) == single(x)
    assert math.isnan(from_text("REAL", "NAN"))


@pytest.mark.parametrize("kind", ["REAL", "LREAL"])
def test_halfway_cases(kind: str) -> None:
    """Exactly between two values: to the even one; a digit more: away from it."""
    rng = random.Random(8)
    code = "<" + CODES[kind]
    for _ in range(100):
        x = rng.uniform(1, 2) * 2.0 ** rng.randrange(-8, 20)
        bits = int.from_bytes(struct.pack(code, x), "little")
        size = struct.calcsize(code)
        low, high = (struct.unpack(code, b.to_bytes(size, "little"))[0] for b in (bits, bits + 1))
        middle = (Fraction(low) + Fraction(high)) / 2
        scaled = middle * 10**62
        assert scaled.denominator == 1
        text = str(scaled.numerator) + "E-62"
        assert len(text) <= 80
        assert from_text(kind, text) == (low if bits % 2 == 0 else high)
        assert from_text(kind, str(scaled.numerator + 1) + "E-62") == high
        assert from_text(kind, str(scaled.numerator - 1) + "E-62") == low
