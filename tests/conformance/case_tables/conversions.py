"""Implicit conversions: which pairs of elementary types there are, and what must not convert."""

from __future__ import annotations

from typing import Any

from tests.conformance.case_tables.model import BITS, ELEMENTARY, INTEGERS, CaseFile, shown

# Figure 11 of the standard: to what a type converts by itself.
IMPLICIT = {
    "BOOL": "BYTE WORD DWORD LWORD",
    "BYTE": "WORD DWORD LWORD",
    "WORD": "DWORD LWORD",
    "DWORD": "LWORD",
    "SINT": "INT DINT LINT REAL LREAL",
    "INT": "DINT LINT REAL LREAL",
    "DINT": "LINT LREAL",
    "USINT": "UINT UDINT ULINT INT DINT LINT REAL LREAL",
    "UINT": "UDINT ULINT DINT LINT REAL LREAL",
    "UDINT": "ULINT LINT LREAL",
    "REAL": "LREAL",
    "TIME": "LTIME",
    "DATE": "LDATE",
    "TOD": "LTOD",
    "DT": "LDT",
    "CHAR": "STRING WCHAR",
    "WCHAR": "WSTRING",
}
LIMITS = {t.name: (t.low, t.high) for t in (*INTEGERS, *BITS)}
# The functions of the standard that convert explicitly, where a forbidden pair has one.
TEXT = ("STRING", "WSTRING", "CHAR", "WCHAR")


def files() -> list[CaseFile]:
    return [allowed(), forbidden(), mixed()]


def values(name: str) -> tuple[tuple[str, Any], ...]:
    """Values of a type as written and as JSON has them, its limits among them."""
    if name in LIMITS:
        return tuple((str(v), v) for v in LIMITS[name])
    return next(t.samples for t in ELEMENTARY if t.name == name)


def allowed() -> CaseFile:
    f = CaseFile("6_6_1_6_implicit", "conversions", "Conversions without a call (6.6.1.6).")
    rows = {t.name: t.row for t in ELEMENTARY}
    for source, targets in IMPLICIT.items():
        for target in targets.split():
            (first, a), (second, b) = values(source)[:2]
            if source == "BOOL":
                a, b = int(a), int(b)
            f.program(
                f"{source} to {target}",
                f"{rows[source]}, {rows[target]}",
                f"a : {source} := {first}; b : {source} := {second}; x, y, z : {target};",
                "x := a; y := Same(b); z := Same(v := a);",
                f"// expect main.x = {shown(a)}",
                f"// expect main.y = {shown(b)}",
                f"// expect main.z = {shown(a)}",
                before=f"FUNCTION Same : {target} VAR_INPUT v : {target}; END_VAR "
                "Same := v; END_FUNCTION",
            )
    return f


def forbidden() -> CaseFile:
    f = CaseFile(
        "6_6_1_6_refused", "conversions", "Pairs that do not convert by themselves (6.6.1.6)."
    )
    for source in ELEMENTARY:
        for target in ELEMENTARY:
            if source is target or target.name in IMPLICIT.get(source.name, "").split():
                continue
            f.program(
                f"{source.name} to {target.name}",
                f"{source.row}, {target.row}",
                f"a : {source.name}; x : {target.name};",
                "x := a;  // error: E0230 at 'a'",
            )
    return f


def mixed() -> CaseFile:
    """Operands of two types meet in the smaller of the types that both convert to."""
    f = CaseFile(
        "6_6_1_6_mixed_operands", "conversions", "Operands of two types (6.6.1.6, 7.3.2)."
    )
    for narrow, wide, result in (
        ("SINT", "INT", "INT"),
        ("SINT", "DINT", "DINT"),
        ("SINT", "LINT", "LINT"),
        ("INT", "DINT", "DINT"),
        ("INT", "LINT", "LINT"),
        ("DINT", "LINT", "LINT"),
        ("USINT", "UINT", "UINT"),
        ("USINT", "UDINT", "UDINT"),
        ("USINT", "ULINT", "ULINT"),
        ("UINT", "UDINT", "UDINT"),
        ("UINT", "ULINT", "ULINT"),
        ("UDINT", "ULINT", "ULINT"),
        ("USINT", "INT", "INT"),
        ("USINT", "DINT", "DINT"),
        ("USINT", "LINT", "LINT"),
        ("UINT", "DINT", "DINT"),
        ("UINT", "LINT", "LINT"),
        ("UDINT", "LINT", "LINT"),
        ("USINT", "SINT", "INT"),
        ("UINT", "INT", "DINT"),
        ("UDINT", "DINT", "LINT"),
    ):
        high = LIMITS[narrow][1]
        f.program(
            f"{narrow} and {wide} meet in {result}",
            "71.11, 71.8, 71.13",
            f"a : {narrow} := {high}; b : {wide} := 3; x, y : {result}; p, q : BOOL;",
            f"x := a + b;  // expect main.x = {high + 3}"
            if high + 3 <= LIMITS[result][1]
            else f"x := a - b;  // expect main.x = {high - 3}",
            f"y := b - a;  // expect main.y = {3 - high}"
            if LIMITS[result][0] < 0
            else f"y := a / b;  // expect main.y = {high // 3}",
            "p := a > b;  // expect main.p = true",
            "q := b >= a;  // expect main.q = false",
        )
    for signed, unsigned in (
        ("SINT", "ULINT"),
        ("INT", "ULINT"),
        ("DINT", "ULINT"),
        ("LINT", "ULINT"),
    ):
        f.program(
            f"{signed} and {unsigned} meet in no type",
            "71.11",
            f"a : {signed}; b : {unsigned};",
            "b := a + b;  // error: E0250 at 'a + b'",
        )
    for integer in ("SINT", "USINT", "INT", "UINT"):
        high = LIMITS[integer][1]
        f.program(
            f"{integer} and REAL meet in REAL",
            "71.11, 71.9",
            f"a : {integer} := {high}; b : REAL := 0.5; x, y : REAL;",
            f"x := a + b;  // expect main.x = {high + 0.5}",
            f"y := a / 2 * b;  // expect main.y = {high // 2 * 0.5}",
        )
    for integer in ("SINT", "USINT", "INT", "UINT", "DINT", "UDINT"):
        high = LIMITS[integer][1]
        f.program(
            f"{integer} and LREAL meet in LREAL",
            "71.11, 71.9",
            f"a : {integer} := {high}; b : LREAL := 0.5; x, y : LREAL;",
            f"x := a + b;  // expect main.x = {high + 0.5}",
            f"y := a / b;  // expect main.y = {high * 2}",
        )
    for integer, real in (
        ("DINT", "REAL"),
        ("UDINT", "REAL"),
        ("LINT", "LREAL"),
        ("ULINT", "LREAL"),
    ):
        f.program(
            f"{integer} and {real} would lose digits",
            "71.11",
            f"a : {integer}; b : {real};",
            "b := a + b;  // error: E0250 at 'a + b'",
        )
    return f
