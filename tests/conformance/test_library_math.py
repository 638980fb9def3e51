"""SIN to EXPT of REAL and LREAL: errors in ulp, special values, hard arguments."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.conformance import exact_math
from tests.conformance.library_support import Running

SLOTS = 500
INF, NAN = math.inf, math.nan


class Format:
    """REAL or LREAL: how it lies in the image, and where numbers for tests come from."""

    def __init__(self, name: str, code: str, precision: int, lowest: int) -> None:
        self.name, self.code = name, code
        self.precision, self.lowest = precision, lowest
        self.bits = struct.calcsize(code) * 8

    def __str__(self) -> str:
        return self.name

    def round(self, x: float) -> float:
        try:
            return float(struct.unpack(self.code, struct.pack(self.code, x))[0])
        except OverflowError:
            return math.copysign(INF, x)

    def from_bits(self, bits: int) -> float:
        return float(struct.unpack(self.code, bits.to_bytes(self.bits // 8, "little"))[0])


REAL, LREAL = Format("REAL", "<f", 24, -149), Format("LREAL", "<d", 53, -1074)
FORMATS = pytest.mark.parametrize("fmt", [REAL, LREAL], ids=str)


def evaluate(call: str, fmt: Format, arguments: list[tuple[float, ...]]) -> list[float]:
    """`call` of x and y, through the compiler and the python engine, for each pair."""
    running = Running(f"""
        PROGRAM main
        VAR
            x : ARRAY[1..{SLOTS}] OF {fmt}; y : ARRAY[1..{SLOTS}] OF {fmt};
            z : ARRAY[1..{SLOTS}] OF {fmt}; n : DINT; i : DINT;
        END_VAR
            FOR i := 1 TO n DO z[i] := {call.replace("x", "x[i]").replace("y", "y[i]")}; END_FOR;
        END_PROGRAM""")
    at = running.at
    results: list[float] = []
    for start in range(0, len(arguments), SLOTS):
        part = arguments[start : start + SLOTS]
        for path, values in zip(("main.x", "main.y"), zip(*part, strict=True), strict=False):
            struct.pack_into(f"<{len(part)}{fmt.code[1]}", running.image, at(path), *values)
        running.put("main.n", "i", len(part))
        running.scan()
        results += struct.unpack_from(f"<{len(part)}{fmt.code[1]}", running.image, at("main.z"))
    return results


# --- how exact ---------------------------------------------------------------------------------


def anything(fmt: Format, rng: random.Random) -> Iterator[float]:
    while True:
        x = fmt.from_bits(rng.getrandbits(fmt.bits))
        if math.isfinite(x):
            yield x


def angles(fmt: Format, rng: random.Random) -> Iterator[float]:
    """Common ones, near multiples of pi/2, and of every magnitude."""
    wide = anything(fmt, rng)
    while True:
        yield rng.uniform(-7, 7)
        yield rng.uniform(-900, 900)
        yield rng.randrange(1 << rng.randrange(1, 20)) * math.pi / 2
        yield next(wide)


def unit(fmt: Format, rng: random.Random) -> Iterator[float]:
    while True:
        yield rng.uniform(-1, 1)
        yield math.copysign(1 - rng.random() * 2.0 ** -rng.randrange(24), rng.random() - 0.5)
        yield rng.uniform(-1, 1) * 2.0 ** -rng.randrange(60)


def spread(fmt: Format, rng: random.Random) -> Iterator[float]:
    while True:
        yield rng.uniform(-3, 3)
        yield rng.uniform(-1, 1) * 2.0 ** rng.randrange(-60, 60)


def exponents(fmt: Format, rng: random.Random) -> Iterator[float]:
    limit = 87 if fmt is REAL else 708
    while True:
        yield rng.uniform(-limit, limit)
        yield rng.uniform(-1, 1) * 2.0 ** -rng.randrange(40)


def positive(fmt: Format, rng: random.Random) -> Iterator[float]:
    wide = anything(fmt, rng)
    while True:
        yield rng.uniform(0.4, 2.1)
        yield 1 + rng.uniform(-1, 1) * 2.0 ** -rng.randrange(fmt.precision)
        yield abs(next(wide)) or 1.0


Domain = Callable[[Format, random.Random], Iterator[float]]
Exact = Callable[[float], Decimal]
FUNCTIONS: list[tuple[str, Exact, Domain]] = [
    ("SIN", exact_math.sin, angles),
    ("COS", exact_math.cos, angles),
    ("TAN", exact_math.tan, angles),
    ("ASIN", exact_math.asin, unit),
    ("ACOS", exact_math.acos, unit),
    ("ATAN", exact_math.atan, spread),
    ("EXP", exact_math.exp, exponents),
    ("LN", exact_math.ln, positive),
    ("LOG", exact_math.log10, positive),
]


def measure(name: str, fmt: Format, exact: Exact, domain: Domain, count: int) -> float:
    source = domain(fmt, random.Random(f"{name} {fmt}"))
    arguments = [fmt.round(next(source)) for _ in range(count)]
    results = evaluate(f"{name}(x)", fmt, [(x,) for x in arguments])
    worst, where = 0.0, 0.0
    for x, y in zip(arguments, results, strict=True):
        error = exact_math.ulps(y, exact(x), fmt.precision, fmt.lowest)
        if error > worst:
            worst, where = error, x
    print(f"{name} {fmt}: {worst:.3f} ulp at {where!r} of {count} arguments")
    return worst


@FORMATS
@pytest.mark.parametrize(("name", "exact", "domain"), FUNCTIONS, ids=lambda v: str(v)[:4])
def test_error_is_below_one_ulp(name: str, exact: Exact, domain: Domain, fmt: Format) -> None:
    assert measure(name, fmt, exact, domain, 1200) < 0.9


@pytest.mark.slow
@FORMATS
@pytest.mark.parametrize(("name", "exact", "domain"), FUNCTIONS, ids=lambda v: str(v)[:4])
def test_error_of_many(name: str, exact: Exact, domain: Domain, fmt: Format) -> None:
    assert measure(name, fmt, exact, domain, 200_000) < 0.95


@FORMATS
def test_error_of_expt(fmt: Format) -> None:
    rng = random.Random(5)
    limit = 125 if fmt is REAL else 1020
    source = positive(fmt, rng)
    arguments = []
    while len(arguments) < 1500:
        x = fmt.round(next(source))
        if x != 1:
            y = fmt.round(rng.uniform(-limit, limit) / abs(math.log2(x)))
            arguments.append((x, y))
    arguments += [(-3.0, 3.0), (-2.0, -5.0), (10.0, -3.0), (1.5, 2.0), (7.0, 1.0)]
    results = evaluate("x ** y", fmt, arguments)
    worst = max(
        exact_math.ulps(z, exact_math.power(x, y), fmt.precision, fmt.lowest)
        for (x, y), z in zip(arguments, results, strict=True)
    )
    print(f"EXPT {fmt}: {worst:.3f} ulp")
    assert worst < 0.9


@FORMATS
def test_error_of_atan2(fmt: Format) -> None:
    rng = random.Random(6)
    arguments = []
    for _ in range(1500):
        x = fmt.round(rng.uniform(-1, 1) * 2.0 ** rng.randrange(-100, 100))
        arguments.append((fmt.round(x * rng.uniform(-1, 1) * 2.0 ** rng.randrange(-4, 5)), x))
    results = evaluate("ATAN2(y, x)", fmt, [(x, y) for y, x in arguments])
    worst = max(
        exact_math.ulps(z, exact_math.atan2(y, x), fmt.precision, fmt.lowest)
        for (y, x), z in zip(arguments, results, strict=True)
    )
    print(f"ATAN2 {fmt}: {worst:.3f} ulp")
    assert worst < 0.9


def test_hardest_angles() -> None:
    """The arguments of each format that lie closest to a multiple of pi/2."""
    for fmt, x in ((REAL, 16367173.0 * 2.0**72), (LREAL, 6381956970095103.0 * 2.0**797)):
        for name, exact in (("SIN", exact_math.sin), ("COS", exact_math.cos)):
            y = evaluate(f"{name}(x)", fmt, [(x,)])[0]
            assert exact_math.ulps(y, exact(x), fmt.precision, fmt.lowest) < 0.9


@FORMATS
def test_exact_results_are_exact(fmt: Format) -> None:
    pairs = [
        (2.0, 10.0),
        (10.0, 2.0),
        (3.0, 4.0),
        (0.5, 3.0),
        (-2.0, 3.0),
        (16.0, 0.5),
        (9.0, -1.0),
    ]
    assert evaluate("x ** y", fmt, pairs)[:6] == [1024.0, 100.0, 81.0, 0.125, -8.0, 4.0]
    assert evaluate("LOG(x)", fmt, [(10.0**k,) for k in range(10)]) == [
        float(k) for k in range(10)
    ]
    assert evaluate("EXP(x)", fmt, [(0.0,)]) == [1.0]


# --- IEEE 754-2019, 9.2.1 ----------------------------------------------------------------------

SPECIAL = {
    "SIN": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (-INF, NAN), (NAN, NAN)],
    "COS": [(0.0, 1.0), (-0.0, 1.0), (INF, NAN), (NAN, NAN)],
    "TAN": [(0.0, 0.0), (-0.0, -0.0), (INF, NAN), (NAN, NAN)],
    "ASIN": [(0.0, 0.0), (-0.0, -0.0), (1.5, NAN), (-INF, NAN), (NAN, NAN)],
    "ACOS": [(1.0, 0.0), (1.5, NAN), (INF, NAN), (NAN, NAN)],
    "ATAN": [(0.0, 0.0), (-0.0, -0.0), (NAN, NAN)],
    "EXP": [(0.0, 1.0), (-0.0, 1.0), (INF, INF), (-INF, 0.0), (NAN, NAN), (1e4, INF), (-1e4, 0.0)],
    "LN": [
        (1.0, 0.0),
        (0.0, -INF),
        (-0.0, -INF),
        (-1.0, NAN),
        (INF, INF),
        (-INF, NAN),
        (NAN, NAN),
    ],
    "LOG": [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (-1.0, NAN), (INF, INF), (NAN, NAN)],
}


def same(a: float, b: float) -> bool:
    return (
        math.isnan(a) if math.isnan(b) else a == b and math.copysign(1, a) == math.copysign(1, b)
    )


@FORMATS
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name: str, fmt: Format) -> None:
    results = evaluate(f"{name}(x)", fmt, [(x,) for x, _ in SPECIAL[name]])
    for (x, wanted), y in zip(SPECIAL[name], results, strict=True):
        assert same(y, wanted), (name, x, y, wanted)


@FORMATS
def test_smallest_values(fmt: Format) -> None:
    tiny = 2.0**fmt.lowest
    for name in ("SIN", "TAN", "ASIN", "ATAN"):
        assert evaluate(f"{name}(x)", fmt, [(tiny,), (-3 * tiny,)]) == [tiny, -3 * tiny]
    (y,) = evaluate("LN(x)", fmt, [(tiny,)])
    assert exact_math.ulps(y, exact_math.ln(tiny), fmt.precision, fmt.lowest) < 0.9
    limits = [(math.log(2) * (fmt.lowest + 0.1),), (math.log(2) * (fmt.lowest - 1.1),)]
    assert evaluate("EXP(x)", fmt, [(fmt.round(x),) for (x,) in limits]) == [tiny, 0.0]


ODDITIES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e30, -1e30, INF, -INF, NAN]


@FORMATS
def test_special_values_of_expt(fmt: Format) -> None:
    pairs = [(x, y) for x in ODDITIES for y in ODDITIES]
    for (x, y), z in zip(pairs, evaluate("x ** y", fmt, pairs), strict=True):
        x, y = fmt.round(x), fmt.round(y)
        try:
            wanted = math.pow(x, y)
        except ValueError:  # Python raises where IEEE 754 gives NaN or an infinity
            odd = y % 2 == 1
            wanted = math.copysign(INF, x if odd else 1.0) if x == 0 else NAN
        except OverflowError:
            wanted = INF
        assert same(z, fmt.round(wanted)), (x, y, z, wanted)


@FORMATS
def test_special_values_of_atan2(fmt: Format) -> None:
    pairs = [(y, x) for x in ODDITIES for y in ODDITIES]
    results = evaluate("ATAN2(y, x)", fmt, [(x, y) for y, x in pairs])
    for (y, x), z in zip(pairs, results, strict=True):
        wanted = fmt.round(math.atan2(fmt.round(y), fmt.round(x)))
        assert same(z, wanted) or math.isclose(z, wanted, rel_tol=2.0 ** (1 - fmt.precision)), (
            y,
            x,
        )
