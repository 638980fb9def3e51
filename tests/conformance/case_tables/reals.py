"""REAL and LREAL: each operation rounded once, special values, to integers and back."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

from tests.conformance.case_tables.model import INTEGERS, CaseFile, row, shown

ROWS = {"REAL": "10.10", "LREAL": "10.11"}
SINGLE_MAX = struct.unpack("<f", b"\xff\xff\x7f\x7f")[0]
LARGEST = {"REAL": SINGLE_MAX, "LREAL": 1.7976931348623157e308}


def single(value: float) -> float:
    """To the nearest binary32, half to even."""
    if not math.isfinite(value) or abs(value) >= SINGLE_MAX * (1 + 2.0**-25):
        return math.copysign(math.inf, value) if value == value else value
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def rounded(name: str, value: float) -> float:
    return single(value) if name == "REAL" else value


def decimal(name: str, value: float) -> float:
    """The shortest fraction that is this value in its type; whole numbers in full."""
    if name == "LREAL" or not math.isfinite(value) or value == int(value):
        return value
    return next(d for p in range(1, 10) if single(d := float(f"{value:.{p}g}")) == value)


def quotient(a: float, b: float) -> float:
    if b:
        return a / b
    if a == 0 or a != a:
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1, b)


def files() -> list[CaseFile]:
    return [arithmetic(), specials(), to_integers()]


def arithmetic() -> CaseFile:
    f = CaseFile("7_3_2_real_arithmetic", "reals", "Arithmetic of REAL and LREAL (7.3.2).")
    pairs = ((1.5, 0.25), (0.1, 0.2), (1.0, 3.0), (-7.5, 2.0), (16777216.0, 1.0), (1e10, 1e-10))
    pairs += ((3e38, 3e38), (1e-30, 1e-30), (100.0, 0.1), (-0.3, -0.1))
    for name in ROWS:
        for op, tag, compute in (
            ("+", "71.11", lambda a, b: a + b),
            ("-", "71.12", lambda a, b: a - b),
            ("*", "71.8", lambda a, b: a * b),
            ("/", "71.9", quotient),
        ):
            f.program(
                f"{name}: {op}",
                f"{tag}, {ROWS[name]}",
                f"a, b : {name}; r : ARRAY[1..{len(pairs)}] OF {name};",
                *(
                    row(
                        f"a := {a!r}; b := {b!r}; r[{i}] := a {op} b;".replace("e", "E"),
                        f"main.r[{i}]",
                        decimal(name, rounded(name, compute(rounded(name, a), rounded(name, b)))),
                    )
                    for i, (a, b) in enumerate(pairs, 1)
                ),
            )
            f.program(
                f"{name}: {op} of constants",
                f"{tag}, 14.5, {ROWS[name]}",
                f"r : ARRAY[1..{len(pairs)}] OF {name};",
                *(
                    row(
                        f"r[{i}] := {name}#{a!r} {op} {name}#{b!r};".replace("e", "E"),
                        f"main.r[{i}]",
                        decimal(name, rounded(name, compute(rounded(name, a), rounded(name, b)))),
                    )
                    for i, (a, b) in enumerate(pairs, 1)
                ),
            )
        f.program(
            f"{name}: negation, plus",
            f"71.4, 71.5, {ROWS[name]}",
            f"a : {name} := 2.5; x, y : {name};",
            row("x := -a;", "main.x", -2.5),
            row("y := +a;", "main.y", 2.5),
        )
        bases = ((2.0, 10), (2.0, -2), (-3.0, 3), (10.0, 0), (0.5, 4), (1.5, 2))
        f.program(
            f"{name}: powers with whole exponents",
            f"71.7, {ROWS[name]}",
            f"a : {name}; n : INT; r : ARRAY[1..6] OF {name};",
            *(
                row(
                    f"a := {a!r}; n := {n}; r[{i}] := a ** n;",
                    f"main.r[{i}]",
                    float(Fraction(a) ** n),
                )
                for i, (a, n) in enumerate(bases, 1)
            ),
        )
        f.program(
            f"{name}: no remainder",
            f"71.10, {ROWS[name]}",
            f"a : {name};",
            "a := a MOD 2;  // error: E0250 at 'a MOD 2'",
        )
        f.program(
            f"{name}: sums of tenths are not exact",
            f"72.6, 71.11, {ROWS[name]}",
            f"sum : {name}; i : INT;",
            "FOR i := 1 TO 10 DO sum := sum + 0.1; END_FOR",
            f"// expect main.sum = {shown(decimal(name, tenths(name)))}",
        )
        sixteen = 2.0 ** (24 if name == "REAL" else 53)
        f.program(
            f"{name}: where whole numbers end",
            f"71.11, 71.14, {ROWS[name]}",
            f"a : {name} := {sixteen!r}; x, y : {name}; same : BOOL;",
            row("x := a + 1.0;", "main.x", sixteen),
            row("y := a + 2.0;", "main.y", sixteen + 2),
            row("same := a + 1.0 = a;", "main.same", True),
        )
    return f


def tenths(name: str) -> float:
    total = 0.0
    for _ in range(10):
        total = rounded(name, total + rounded(name, 0.1))
    return total


def specials() -> CaseFile:
    f = CaseFile("7_3_2_real_specials", "reals", "Infinities, NaN and signed zero (7.3.2).")
    for name, tag in ROWS.items():
        v = f"one : {name} := 1.0; zero : {name}; x, y, z : {name}; r : ARRAY[1..7] OF BOOL;"
        inf = math.inf
        f.program(
            f"{name}: division by zero gives infinity",
            f"71.9, {tag}",
            v,
            row("x := one / zero;", "main.x", inf),
            row("y := -one / zero;", "main.y", -inf),
            row("z := one / x;", "main.z", 0.0),
            "// expect no fault",
        )
        f.program(
            f"{name}: what is not a number",
            f"71.9, 71.12, 71.8, {tag}",
            v,
            row("x := zero / zero;", "main.x", math.nan),
            row("y := one / zero - one / zero;", "main.y", math.nan),
            row("z := one / zero * zero;", "main.z", math.nan),
        )
        f.program(
            f"{name}: NaN is equal to nothing",
            f"71.13, 71.14, 71.15, {tag}",
            v,
            "x := zero / zero;",
            "r[1] := x = x; r[2] := x <> x; r[3] := x < one; r[4] := x > one;",
            "r[5] := x <= x; r[6] := x >= x; r[7] := NOT (x < one);",
            "// expect main.r = [false, true, false, false, false, false, true]",
        )
        f.program(
            f"{name}: infinities compare",
            f"71.13, 71.14, {tag}",
            v,
            "x := one / zero; y := -x;",
            "r[1] := x = x; r[2] := x > 1.0E30; r[3] := y < -1.0E30; r[4] := y < x;",
            "// expect main.r = [true, true, true, true, false, false, false]",
        )
        f.program(
            f"{name}: zero has a sign that only division shows",
            f"71.4, 71.9, 71.14, {tag}",
            v,
            "x := -zero;",
            row("r[1] := x = zero;", "main.r[1]", True),
            row("y := one / x;", "main.y", -inf),
        )
        top = LARGEST[name]
        f.program(
            f"{name}: beyond the largest is infinity",
            f"71.8, 71.11, {tag}",
            f"a : {name} := {str(top).replace('e', 'E')}; x, y, z : {name};",
            row("x := a + a;", "main.x", inf),
            row("y := a * -2.0;", "main.y", -inf),
            row("z := a + 1.0;", "main.z", top),
        )
        small = 1e-45 if name == "REAL" else 5e-324
        f.program(
            f"{name}: the smallest, and below it zero",
            f"71.9, 71.8, {tag}",
            f"a : {name} := {str(small).replace('e', 'E')}; x, y, z : {name};",
            row("x := a / 2.0;", "main.x", 0.0),
            row("y := a * 2.0;", "main.y", decimal(name, rounded(name, small) * 2)),
            row("z := a * 0.75;", "main.z", decimal(name, rounded(name, small))),
        )
        word, big = ("1.0E39", "REAL") if name == "REAL" else ("1.0E309", "LREAL")
        f.program(
            f"{name}: a literal beyond the largest is refused",
            f"5.3, {tag}",
            f"a : {big};",
            f"a := {word};  // error: E0227 at '{word}'",
        )
    return f


def to_integers() -> CaseFile:
    f = CaseFile("6_6_2_5_3_real_to_integer", "reals", "REAL and LREAL to integers (6.6.2.5.3).")
    values = (0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, 100.75, -100.75)
    for name in ROWS:
        for t in INTEGERS:

            def clamp(v: float, low: int = t.low, high: int = t.high) -> int:
                return max(low, min(high, int(v)))

            f.program(
                f"{name}_TO_{t.name}: to the nearest, half to even",
                f"22.1a, {ROWS[name]}, {t.row}",
                f"a : {name}; r : ARRAY[1..8] OF {t.name};",
                *(
                    row(
                        f"a := {v}; r[{i}] := {name}_TO_{t.name}(a);",
                        f"main.r[{i}]",
                        clamp(round(Fraction(v))),
                        50,
                    )
                    for i, v in enumerate(values, 1)
                ),
            )
            f.program(
                f"{name}_TO_{t.name}: what does not fit",
                f"22.1a, {ROWS[name]}, {t.row}",
                f"zero : {name}; a : {name}; r : ARRAY[1..5] OF {t.name};",
                row(f"a := 1.0E30; r[1] := {name}_TO_{t.name}(a);", "main.r[1]", t.high, 50),
                row(f"a := -1.0E30; r[2] := {name}_TO_{t.name}(a);", "main.r[2]", t.low, 50),
                row(f"a := 1.0 / zero; r[3] := {name}_TO_{t.name}(a);", "main.r[3]", t.high, 50),
                row(f"a := -1.0 / zero; r[4] := {name}_TO_{t.name}(a);", "main.r[4]", t.low, 50),
                row(f"a := zero / zero; r[5] := {name}_TO_{t.name}(a);", "main.r[5]", 0, 50),
            )
            f.program(
                f"{name}_TRUNC_{t.name}: towards zero",
                f"22.2b, {ROWS[name]}, {t.row}",
                f"a : {name}; r : ARRAY[1..8] OF {t.name};",
                *(
                    row(
                        f"a := {v}; r[{i}] := {name}_TRUNC_{t.name}(a);",
                        f"main.r[{i}]",
                        clamp(math.trunc(v)),
                        50,
                    )
                    for i, v in enumerate(values, 1)
                ),
            )
    return f
