"""Integers: arithmetic at the edges of each type, division, loops, CASE, subranges, indices."""

from __future__ import annotations

from collections.abc import Callable

from tests.conformance.case_tables.model import INTEGERS, CaseFile, Integer, row


def quotient(a: int, b: int) -> int:
    """Towards zero."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


OPERATORS: tuple[tuple[str, str, str, Callable[[int, int], int]], ...] = (
    ("+", "71.11", "addition", lambda a, b: a + b),
    ("-", "71.12", "subtraction", lambda a, b: a - b),
    ("*", "71.8", "multiplication", lambda a, b: a * b),
    ("/", "71.9", "division", quotient),
    ("MOD", "71.10", "remainder", lambda a, b: a - b * quotient(a, b)),
)


def pairs(t: Integer) -> list[tuple[int, int]]:
    found = [(7, 2), (0, 5), (t.high, 1), (t.high, t.high), (t.low, 1), (1, t.high), (100, 27)]
    if t.signed:
        found += [(t.low, -1), (-7, 2), (7, -2), (-7, -2), (t.low, t.high)]
    else:
        found += [(1, 2), (t.high // 2 + 1, 2), (3, t.high)]
    return found


def files() -> list[CaseFile]:
    return [arithmetic(), comparisons(), faults(), loops(), subranges()]


def arithmetic() -> CaseFile:
    f = CaseFile("7_3_2_integer_arithmetic", "integers", "Arithmetic of integers (7.3.2).")
    for t in INTEGERS:
        for op, tag, word, compute in OPERATORS:
            f.program(
                f"{t.name}: {word}",
                f"{tag}, {t.row}",
                f"a, b : {t.name}; r : ARRAY[1..15] OF {t.name};",
                *(
                    row(
                        f"a := {a}; b := {b}; r[{i}] := a {op} b;",
                        f"main.r[{i}]",
                        t.wrap(compute(a, b)),
                    )
                    for i, (a, b) in enumerate(pairs(t), 1)
                ),
            )
            f.program(
                f"{t.name}: {word} of constants",
                f"{tag}, 14.5, {t.row}",
                f"r : ARRAY[1..15] OF {t.name};",
                *(
                    row(
                        f"r[{i}] := {t.name}#{a} {op} {t.name}#{b};",
                        f"main.r[{i}]",
                        t.wrap(compute(a, b)),
                    )
                    for i, (a, b) in enumerate(pairs(t), 1)
                ),
            )
        f.program(
            f"{t.name}: sums in a chain wrap like single ones",
            f"71.11, 71.12, 71.1, {t.row}",
            f"a : {t.name} := {t.high}; b : {t.name} := 3; x, y, z : {t.name};",
            row("x := a + b - b;", "main.x", t.high),
            row("y := (a + b) / b;", "main.y", quotient(t.wrap(t.high + 3), 3)),
            row(
                "z := a * b MOD b;",
                "main.z",
                t.wrap(t.high * 3) - 3 * quotient(t.wrap(t.high * 3), 3),
            ),
        )
        f.program(
            f"{t.name}: a step at a time over both ends",
            f"71.11, 71.12, {t.row}",
            f"up : {t.name} := {t.high - 1}; down : {t.name} := {t.low + 1};",
            "up := up + 1; down := down - 1;",
            f"// expect after 1 scan: main.up = {t.high}",
            f"// expect after 2 scans: main.up = {t.low}",
            f"// expect after 3 scans: main.up = {t.low + 1}",
            f"// expect after 1 scan: main.down = {t.low}",
            f"// expect after 2 scans: main.down = {t.high}",
            f"// expect after 3 scans: main.down = {t.high - 1}",
        )
        f.program(
            f"{t.name}: unary plus",
            f"71.5, {t.row}",
            f"a : {t.name} := {t.high}; x : {t.name};",
            row("x := +a;", "main.x", t.high),
        )
        if t.signed:
            f.program(
                f"{t.name}: negation",
                f"71.4, {t.row}",
                f"a : {t.name}; r : ARRAY[1..5] OF {t.name};",
                *(
                    row(f"a := {a}; r[{i}] := -a;", f"main.r[{i}]", t.wrap(-a))
                    for i, a in enumerate((5, -5, 0, t.high, t.low), 1)
                ),
            )
    return f


def comparisons() -> CaseFile:
    f = CaseFile("7_3_2_integer_comparisons", "integers", "Comparison of integers (7.3.2).")
    for t in INTEGERS:
        values = [(0, 0), (0, 1), (1, 0), (t.low, t.high), (t.high, t.low), (t.high, t.high)]
        values += [(-1, 0), (-1, 1)] if t.signed else [(t.high, 0), (t.high // 2, t.high // 2 + 1)]
        for op, tag, answer in (
            ("<", "71.13", lambda a, b: a < b),
            (">", "71.13", lambda a, b: a > b),
            ("<=", "71.13", lambda a, b: a <= b),
            (">=", "71.13", lambda a, b: a >= b),
            ("=", "71.14", lambda a, b: a == b),
            ("<>", "71.15", lambda a, b: a != b),
        ):
            f.program(
                f"{t.name}: {op}",
                f"{tag}, {t.row}",
                f"a, b : {t.name}; r : ARRAY[1..8] OF BOOL;",
                *(
                    row(f"a := {a}; b := {b}; r[{i}] := a {op} b;", f"main.r[{i}]", answer(a, b))
                    for i, (a, b) in enumerate(values, 1)
                ),
            )
    return f


def faults() -> CaseFile:
    f = CaseFile(
        "7_3_2_integer_division_by_zero", "integers", "Division of integers by zero (7.3.2)."
    )
    for t in INTEGERS:
        for op, tag in (("/", "71.9"), ("MOD", "71.10")):
            f.program(
                f"{t.name}: {op} by zero",
                f"{tag}, {t.row}",
                f"a : {t.name} := 9; zero : {t.name}; x : {t.name} := 5; y : INT;",
                "y := 1;",
                f"x := a {op} zero;  // expect fault = DIVISION here",
                "y := 2;",
                "// expect main.x = 5",
                "// expect main.y = 1",
            )
            f.program(
                f"{t.name}: {op} by the constant zero is refused",
                f"{tag}, {t.row}",
                f"a : {t.name} := 9;",
                f"a := a {op} 0;  // error: E0251 at 'a {op} 0'",
            )
    return f


def loops() -> CaseFile:
    f = CaseFile(
        "7_3_3_for_at_limits", "integers", "FOR and CASE with each type of integers (7.3.3)."
    )
    for t in INTEGERS:
        v = f"i : {t.name}; n : INT; seen : ARRAY[0..5] OF {t.name};"
        body = "seen[n] := i; n := n + 1;"
        f.program(
            f"{t.name}: FOR up to the largest value ends",
            f"72.6, {t.row}",
            v,
            f"FOR i := {t.high - 2} TO {t.high} DO {body} END_FOR",
            "// expect main.n = 3",
            f"// expect main.seen = [{t.high - 2}, {t.high - 1}, {t.high}, 0, 0, 0]",
            f"// expect main.i = {t.low}",
        )
        f.program(
            f"{t.name}: FOR to the largest value in steps that miss it",
            f"72.6, {t.row}",
            v,
            f"FOR i := {t.high - 4} TO {t.high} BY 3 DO {body} END_FOR",
            "// expect main.n = 2",
            f"// expect main.i = {t.wrap(t.high + 2)}",
        )
        f.program(
            f"{t.name}: FOR over nothing",
            f"72.6, {t.row}",
            v,
            f"FOR i := 5 TO 4 DO {body} END_FOR",
            "// expect main.n = 0",
            "// expect main.i = 5",
        )
        f.program(
            f"{t.name}: end and step of FOR are evaluated once",
            f"72.6, {t.row}",
            f"i, last, step : {t.name}; n : INT;",
            "last := 6; step := 2;",
            "FOR i := 0 TO last BY step DO last := 0; step := 1; n := n + 1; END_FOR",
            "// expect main.n = 4",
            "// expect main.i = 8",
        )
        f.program(
            f"{t.name}: FOR with step 0",
            f"72.6, {t.row}",
            f"i, step : {t.name}; n : INT;",
            "FOR i := 0 TO 3 BY step DO  // expect fault = STEP here",
            "    n := n + 1;",
            "END_FOR",
            "// expect main.n = 0",
        )
        f.program(
            f"{t.name}: FOR downwards by a literal",
            f"72.6, {t.row}",
            v,
            f"FOR i := 9 TO 2 BY -3 DO {body} END_FOR",
            "// expect main.n = 3",
            "// expect main.seen = [9, 6, 3, 0, 0, 0]",
            "// expect main.i = 0",
        )
        f.program(
            f"{t.name}: FOR downwards to 0 ends",
            f"72.6, {t.row}",
            v,
            f"FOR i := 2 TO 0 BY -1 DO {body} END_FOR",
            "// expect main.seen = [2, 1, 0, 0, 0, 0]",
            f"// expect main.i = {t.wrap(-1)}",
        )
        if t.signed:
            f.program(
                f"{t.name}: FOR down to the smallest value ends",
                f"72.6, {t.row}",
                v,
                f"FOR i := {t.low + 2} TO {t.low} BY -1 DO {body} END_FOR",
                "// expect main.n = 3",
                f"// expect main.seen = [{t.low + 2}, {t.low + 1}, {t.low}, 0, 0, 0]",
                f"// expect main.i = {t.high}",
            )
        f.program(
            f"{t.name}: CASE at the limits",
            f"72.5, {t.row}",
            f"x : {t.name}; r : ARRAY[1..6] OF INT; i : INT;",
            "FOR i := 1 TO 6 DO",
            "    CASE i OF",
            *(
                f"    {i}: x := {value};"
                for i, value in enumerate((t.low, t.low + 1, t.high - 1, t.high, 50, 61), 1)
            ),
            "    END_CASE",
            "    CASE x OF",
            f"    {t.low}: r[i] := 1;",
            f"    {t.low + 1}, {t.high}: r[i] := 2;",
            "    40..60: r[i] := 3;",
            "    ELSE r[i] := 4;",
            "    END_CASE",
            "END_FOR",
            "// expect main.r = [1, 2, 4, 2, 3, 4]",
        )
    return f


def subranges() -> CaseFile:
    f = CaseFile(
        "6_4_4_4_subranges", "integers", "Subranges and indices of each integer type (6.4.4)."
    )
    for t in INTEGERS:
        kind = f"TYPE Part : {t.name}(10..20); END_TYPE"
        f.program(
            f"{t.name}: a subrange holds both of its ends",
            f"11.3a, {t.row}",
            f"p, q : Part; x : {t.name};",
            row("p := 10; q := 20; x := p + q;", "main.x", 30),
            "// expect main.p = 10",
            before=kind,
        )
        for word, value in (("below", 9), ("above", 21)):
            f.program(
                f"{t.name}: a value {word} a subrange",
                f"11.3a, {t.row}",
                f"p : Part; x : {t.name} := {value};",
                "p := x;  // expect fault = RANGE here",
                "// expect main.p = 10",
                before=kind,
            )
            f.program(
                f"{t.name}: a constant {word} a subrange is refused",
                f"11.3a, {t.row}",
                "p : Part;",
                f"p := {value};  // error: E0226 at '{value}'",
                before=kind,
            )
        f.program(
            f"{t.name}: the lowest value of a subrange is its default, another can be declared",
            f"11.3a, 11.3b, {t.row}",
            "p : Part; q : Preset;",
            "// expect main.p = 10",
            "// expect main.q = 15",
            before=f"TYPE Part : {t.name}(10..20); Preset : {t.name}(10..20) := 15; END_TYPE",
        )
        f.program(
            f"{t.name}: as index of an array",
            f"11.4a, 13.3, {t.row}",
            f"a : ARRAY[3..5] OF INT := [30, 40, 50]; i : {t.name}; x, y : INT;",
            row("i := 3; x := a[i];", "main.x", 30),
            row("i := i + 2; y := a[i];", "main.y", 50),
            row("a[i - 1] := 7;", "main.a", [30, 7, 50]),
        )
        for word, value in (("below", 2), ("above", 6), ("far above", t.high)):
            f.program(
                f"{t.name}: as index {word} an array",
                f"11.4a, {t.row}",
                f"a : ARRAY[3..5] OF INT; i : {t.name} := {value};",
                "a[i] := 7;  // expect fault = INDEX here",
                "// expect main.a = [0, 0, 0]",
            )
    return f
