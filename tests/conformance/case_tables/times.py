"""Durations, dates and times of day: literals and operators, in nanoseconds."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from tests.conformance.case_tables.model import DAY, CaseFile, row

SECOND = 1_000_000_000
HIGH, LOW = (1 << 63) - 1, -(1 << 63)
UNITS = (
    ("d", "8.1a", DAY),
    ("h", "8.1b", 3600 * SECOND),
    ("m", "8.1c", 60 * SECOND),
    ("s", "8.1d", SECOND),
    ("ms", "8.1e", 1_000_000),
    ("us", "8.1f", 1000),
    ("ns", "8.1g", 1),
)
DURATIONS = (("TIME", "10.12a", "T", "TIME"), ("LTIME", "10.12b", "LT", "LTIME"))


def wrap(value: int) -> int:
    return (value - LOW) % (1 << 64) + LOW


def moment(text: str) -> int:
    """Nanoseconds since 1970 of YYYY-MM-DD."""
    return (date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()) * DAY


def clock(hours: int, minutes: int, seconds: str = "0") -> int:
    return (hours * 3600 + minutes * 60) * SECOND + int(Fraction(seconds) * SECOND)


def files() -> list[CaseFile]:
    return [durations(), dates(), arithmetic(), moments()]


def durations() -> CaseFile:
    f = CaseFile("6_3_4_durations", "times", "Duration literals (6.3.4).")
    for name, tag, short, long in DURATIONS:
        for unit, feature, size in UNITS:
            for prefix, form in ((short, "8.2a"), (long, "8.2b")):
                f.program(
                    f"{name}: {prefix}# with {unit}",
                    f"{feature}, {form}, {tag}",
                    f"x, y, z : {name};",
                    row(f"x := {prefix}#1{unit};", "main.x", size),
                    row(f"y := {prefix}#250{unit};", "main.y", 250 * size),
                    row(f"z := {prefix}#-7{unit.upper()};", "main.z", -7 * size),
                )
            if size > 1:
                f.program(
                    f"{name}: a fraction of {unit}",
                    f"{feature}, 8.2a, {tag}",
                    f"x, y : {name};",
                    row(f"x := {short}#1.5{unit};", "main.x", size * 3 // 2),
                    row(f"y := {short}#0.125{unit};", "main.y", size // 8),
                )
        for prefix, form in ((short, "8.3a"), (long, "8.3b")):
            f.program(
                f"{name}: {prefix}# with underscores",
                f"{form}, {tag}",
                f"x, y : {name};",
                row(f"x := {prefix}#25h_15m;", "main.x", clock(25, 15)),
                row(
                    f"y := {prefix}#5d_14h_12m_18s_3.5ms;",
                    "main.y",
                    5 * DAY + clock(14, 12, "18.0035"),
                ),
            )
        f.program(
            f"{name}: all units at once",
            f"8.2a, 8.1a, 8.1b, 8.1c, 8.1d, 8.1e, 8.1f, 8.1g, {tag}",
            f"x, y : {name};",
            row(
                f"x := {short}#1d2h3m4s5ms6us7ns;",
                "main.x",
                DAY + clock(2, 3, "4") + 5_006_007,
            ),
            row(f"y := {short}#-1h1ms;", "main.y", -(clock(1, 0) + 1_000_000)),
        )
        f.program(
            f"{name}: only the first unit overflows",
            f"8.2a, {tag}",
            f"x, y : {name};",
            row(f"x := {short}#90m30s;", "main.x", clock(1, 30, "30")),
            row(f"y := {short}#100000ms;", "main.y", 100 * SECOND),
        )
        for text, part in (
            ("1h60m", "60m"),
            ("1m60s", "60s"),
            ("1s1000ms", "1000ms"),
            ("1d24h", "24h"),
        ):
            f.program(
                f"{name}: {text} is refused",
                tag,
                f"x : {name};",
                f"x := {short}#{text};  // error: E0010 at '{part}'",
            )
        for text in ("1s1m", "1s1s", "5", "1x", "1.5h30m", "1_s", "0.1ns"):
            f.program(
                f"{name}: {text} is refused",
                tag,
                f"x : {name};",
                f"x := {short}#{text};  // error: E0009 at '{short}#{text}'",
            )
        f.program(
            f"{name}: beyond 64 bits of nanoseconds",
            tag,
            f"x : {name};",
            f"x := {short}#106752d;  // error: E0017 at '{short}#106752d'",
        )
        f.program(
            f"{name}: the largest and the smallest",
            f"8.2a, {tag}",
            f"x, y : {name};",
            row(f"x := {short}#{HIGH}ns;", "main.x", HIGH),
            row(f"y := {short}#-{-LOW}ns;", "main.y", LOW),
        )
    return f


def dates() -> CaseFile:
    f = CaseFile("6_3_5_dates", "times", "Literals of dates and times of day (6.3.5).")
    for name, tag, forms in (
        ("DATE", "10.13a", (("DATE", "9.1a"), ("D", "9.1b"))),
        ("LDATE", "10.13b", (("LDATE", "9.2a"), ("LD", "9.2b"))),
    ):
        for prefix, feature in forms:
            f.program(
                f"{name}: {prefix}#",
                f"{feature}, {tag}",
                f"x, y, z : {name};",
                row(f"x := {prefix}#2024-02-29;", "main.x", moment("2024-02-29")),
                row(f"y := {prefix}#1969-12-31;", "main.y", -DAY),
                row(f"z := {prefix}#2000-1-1;", "main.z", moment("2000-01-01")),
            )
            for text in ("2023-02-29", "2100-02-29", "2023-13-01", "2023-04-31", "2023-00-10"):
                f.program(
                    f"{name}: {prefix}#{text} is no day",
                    tag,
                    f"x : {name};",
                    f"x := {prefix}#{text};  // error: E0011 at '{text[:10]}'",
                )
        f.program(
            f"{name}: leap days of centuries",
            f"{forms[1][1]}, {tag}",
            f"x, y : {name};",
            row(f"x := {forms[1][0]}#2000-02-29;", "main.x", moment("2000-02-29")),
            row(f"y := {forms[1][0]}#2200-12-31;", "main.y", moment("2200-12-31")),
        )
    for name, tag, forms in (
        ("TOD", "10.14a", (("TIME_OF_DAY", "9.3a"), ("TOD", "9.3b"))),
        ("LTOD", "10.14b", (("LTIME_OF_DAY", "9.4a"), ("LTOD", "9.4b"))),
    ):
        for prefix, feature in forms:
            f.program(
                f"{name}: {prefix}#",
                f"{feature}, {tag}",
                f"x, y, z : {name};",
                row(f"x := {prefix}#15:36:55.36;", "main.x", clock(15, 36, "55.36")),
                row(f"y := {prefix}#00:00:00;", "main.y", 0),
                row(f"z := {prefix}#23:59:59.999999999;", "main.z", DAY - 1),
            )
            for text in ("24:00:00", "12:60:00", "12:00:60"):
                f.program(
                    f"{name}: {prefix}#{text} is no time of a day",
                    tag,
                    f"x : {name};",
                    f"x := {prefix}#{text};  // error: E0012 at '{text}'",
                )
    for name, tag, forms in (
        ("DT", "10.15a", (("DATE_AND_TIME", "9.5a"), ("DT", "9.5b"))),
        ("LDT", "10.15b", (("LDATE_AND_TIME", "9.6a"), ("LDT", "9.6b"))),
    ):
        for prefix, feature in forms:
            f.program(
                f"{name}: {prefix}#",
                f"{feature}, {tag}",
                f"x, y : {name};",
                row(
                    f"x := {prefix}#1984-06-25-15:36:55.36;",
                    "main.x",
                    moment("1984-06-25") + clock(15, 36, "55.36"),
                ),
                row(f"y := {prefix}#1970-01-01-00:00:00;", "main.y", 0),
            )
            text = "2023-02-29-00:00:00"
            f.program(
                f"{name}: {prefix}#{text} is refused",
                tag,
                f"x : {name};",
                f"x := {prefix}#{text};  // error: E0011 at '{text[:10]}'",
            )
    return f


def arithmetic() -> CaseFile:
    f = CaseFile("7_3_2_durations", "times", "Operators of TIME and LTIME (7.3.2).")
    for name, tag, short, _ in DURATIONS:
        ns = [90 * SECOND, -1, 0, HIGH, LOW, 3 * DAY + 1]
        written = [f"{short}#{v}ns" for v in ns]
        pairs = [(a, b) for a in range(len(ns)) for b in (0, 1, 3)]
        for op, feature, compute in (
            ("+", "71.11", lambda a, b: a + b),
            ("-", "71.12", lambda a, b: a - b),
        ):
            f.program(
                f"{name}: {op} wraps at 64 bits",
                f"{feature}, {tag}",
                f"a, b : {name}; r : ARRAY[1..{len(pairs)}] OF {name};",
                *(
                    row(
                        f"a := {written[i]}; b := {written[j]}; r[{n}] := a {op} b;",
                        f"main.r[{n}]",
                        wrap(compute(ns[i], ns[j])),
                        76,
                    )
                    for n, (i, j) in enumerate(pairs, 1)
                ),
            )
        f.program(
            f"{name}: negation",
            f"71.4, {tag}",
            f"a : {name} := {short}#1h; b : {name} := {written[4]}; x, y : {name};",
            row("x := -a;", "main.x", -clock(1, 0)),
            row("y := -b;", "main.y", LOW),
        )
        f.program(
            f"{name}: times and by whole numbers",
            f"71.8, 71.9, {tag}",
            f"a : {name} := {short}#10s; n : INT := -3; r : ARRAY[1..4] OF {name};",
            row("r[1] := a * n;", "main.r[1]", -30 * SECOND),
            row("r[2] := a / n;", "main.r[2]", -(10 * SECOND // 3)),
            row("r[3] := a * 1000;", "main.r[3]", 10_000 * SECOND),
            row("r[4] := a / 4;", "main.r[4]", 2_500_000_000),
        )
        f.program(
            f"{name}: times and by fractions",
            f"71.8, 71.9, {tag}",
            f"a : {name} := {short}#10s; x : REAL := 0.25; r : ARRAY[1..3] OF {name};",
            row("r[1] := a * x;", "main.r[1]", 2_500_000_000),
            row("r[2] := a / x;", "main.r[2]", 40 * SECOND),
            row("r[3] := a * -0.5;", "main.r[3]", -5 * SECOND),
        )
        f.program(
            f"{name}: by zero",
            f"71.9, {tag}",
            f"a : {name} := {short}#1s; n : INT;",
            "a := a / n;  // expect fault = DIVISION here",
            f"// expect main.a = {SECOND}",
        )
        f.program(
            f"{name}: comparisons",
            f"71.13, {tag}",
            f"a : {name} := {short}#1s; b : {name} := {short}#-1s; r : ARRAY[1..6] OF BOOL;",
            f"r[1] := a > b; r[2] := a < b; r[3] := a >= {short}#1000ms; r[4] := b <= a;",
            f"r[5] := b < {short}#0s; r[6] := a > {short}#1s1ns;",
            "// expect main.r = [true, false, true, true, true, false]",
        )
        for op in ("*", "/", "MOD"):
            f.program(
                f"{name}: {op} of two durations is refused",
                tag,
                f"a, b : {name};",
                f"a := a {op} b;  // error: E0250 at 'a {op} b'",
            )
    return f


def moments() -> CaseFile:
    f = CaseFile("7_3_2_dates", "times", "Operators of dates and times of day (7.3.2).")
    for name, tag, long, text, start in (
        ("TOD", "10.14a", "", "10:00:00", clock(10, 0)),
        ("LTOD", "10.14b", "L", "10:00:00", clock(10, 0)),
        ("DT", "10.15a", "", "2024-02-28-10:00:00", moment("2024-02-28") + clock(10, 0)),
        ("LDT", "10.15b", "L", "2024-02-28-10:00:00", moment("2024-02-28") + clock(10, 0)),
    ):
        d = long + "TIME"
        f.program(
            f"{name}: plus and minus a duration",
            f"71.11, 71.12, {tag}",
            f"a : {name} := {name}#{text}; d : {d} := {d}#90m; x, y : {name};",
            row("x := a + d;", "main.x", start + clock(1, 30)),
            row("y := a - d;", "main.y", start - clock(1, 30)),
        )
        f.program(
            f"{name}: the duration between two",
            f"71.12, {tag}",
            f"a, b : {name} := {name}#{text}; x, y : {d};",
            f"b := b + {d}#1m;",
            row("x := b - a;", "main.x", 60 * SECOND),
            row("y := a - b;", "main.y", -60 * SECOND),
        )
        f.program(
            f"{name}: two do not add",
            tag,
            f"a : {name};",
            "a := a + a;  // error: E0250 at 'a + a'",
        )
    for name, tag, long in (("TOD", "10.14a", ""), ("LTOD", "10.14b", "L")):
        f.program(
            f"{name}: sums are not cut at midnight",
            f"71.11, 71.12, {tag}",
            f"a : {name} := {name}#23:00:00; x, y : {name};",
            row(f"x := a + {long}TIME#2h;", "main.x", clock(25, 0)),
            row(f"y := a - {long}TIME#24h;", "main.y", -clock(1, 0)),
        )
    for name, tag, long in (("DATE", "10.13a", ""), ("LDATE", "10.13b", "L")):
        f.program(
            f"{name}: the duration between two",
            f"71.12, {tag}",
            f"a : {name} := {name}#2024-03-01; b : {name} := {name}#2024-02-28; "
            f"x, y : {long}TIME;",
            row("x := a - b;", "main.x", 2 * DAY),
            row("y := b - a;", "main.y", -2 * DAY),
        )
    for name, tag, first, second in (
        ("DATE", "10.13a", "D#1999-12-31", "D#2000-01-01"),
        ("LDATE", "10.13b", "LD#1999-12-31", "LD#2000-01-01"),
        ("TOD", "10.14a", "TOD#09:59:59", "TOD#10:00:00"),
        ("LTOD", "10.14b", "LTOD#09:59:59", "LTOD#10:00:00"),
        ("DT", "10.15a", "DT#1969-12-31-23:59:59", "DT#1970-01-01-00:00:00"),
        ("LDT", "10.15b", "LDT#1969-12-31-23:59:59", "LDT#1970-01-01-00:00:00"),
    ):
        f.program(
            f"{name}: comparisons",
            f"71.13, {tag}",
            f"a : {name} := {first}; b : {name} := {second}; r : ARRAY[1..6] OF BOOL;",
            "r[1] := a < b; r[2] := b < a; r[3] := a <= b; r[4] := b >= a; r[5] := a > b;",
            "r[6] := a >= a;",
            "// expect main.r = [true, false, true, true, false, true]",
        )
    return f
