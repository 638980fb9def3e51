"""Bit strings: logic, shifts and rotations, partial access."""

from __future__ import annotations

from tests.conformance.case_tables.model import BITS, CaseFile, Integer, row


def files() -> list[CaseFile]:
    return [logic(), shifts(), parts()]


def hexed(value: int) -> str:
    return f"16#{value:X}"


def patterns(t: Integer) -> tuple[int, ...]:
    ones = t.high
    return (0, ones, ones // 3, ones // 3 * 2, 0x0F, 1 << t.bits - 1)


def logic() -> CaseFile:
    f = CaseFile("7_3_2_bit_logic", "bits", "AND, OR, XOR, NOT of bit strings (7.3.2).")
    f.program(
        "BOOL: truth tables",
        "71.16a, 71.16b, 71.17, 71.18, 71.6, 10.1",
        "a, b : BOOL; n, i : INT; r : ARRAY[0..3] OF BOOL; s, t, u : ARRAY[0..3] OF BOOL;",
        "FOR i := 0 TO 3 DO",
        "    a := i >= 2; b := i MOD 2 = 1;",
        "    r[i] := a AND b; s[i] := a OR b; t[i] := a XOR b; u[i] := a & NOT b;",
        "END_FOR",
        "// expect main.r = [false, false, false, true]",
        "// expect main.s = [false, true, true, true]",
        "// expect main.t = [false, true, true, false]",
        "// expect main.u = [false, false, true, false]",
    )
    for t in BITS:
        values = patterns(t)
        for op, tag, compute in (
            ("AND", "71.16b", lambda a, b: a & b),
            ("&", "71.16a", lambda a, b: a & b),
            ("OR", "71.18", lambda a, b: a | b),
            ("XOR", "71.17", lambda a, b: a ^ b),
        ):
            pairs = [(a, b) for i, a in enumerate(values) for b in values[i:]]
            f.program(
                f"{t.name}: {op}",
                f"{tag}, {t.row}",
                f"a, b : {t.name}; r : ARRAY[1..{len(pairs)}] OF {t.name};",
                *(
                    row(
                        f"a := {hexed(a)}; b := {hexed(b)}; r[{i}] := a {op} b;",
                        f"main.r[{i}]",
                        compute(a, b),
                    )
                    for i, (a, b) in enumerate(pairs, 1)
                ),
            )
        f.program(
            f"{t.name}: NOT",
            f"71.6, {t.row}",
            f"a : {t.name}; r : ARRAY[1..{len(values)}] OF {t.name};",
            *(
                row(f"a := {hexed(a)}; r[{i}] := NOT a;", f"main.r[{i}]", t.high ^ a)
                for i, a in enumerate(values, 1)
            ),
        )
        f.program(
            f"{t.name}: AND before XOR before OR",
            f"71.16b, 71.17, 71.18, 71.1, {t.row}",
            f"a : {t.name} := 16#0C; b : {t.name} := 16#0A; c : {t.name} := 16#06; "
            f"x, y, z : {t.name};",
            row("x := a OR b XOR c AND a;", "main.x", 0x0C | (0x0A ^ (0x06 & 0x0C))),
            row("y := (a OR b) XOR c AND a;", "main.y", (0x0C | 0x0A) ^ (0x06 & 0x0C)),
            row("z := NOT a AND b;", "main.z", (t.high ^ 0x0C) & 0x0A),
        )
        for op in ("+", "-", "*", "/"):
            f.program(
                f"{t.name}: {op} is not for bit strings",
                f"{t.row}",
                f"a, b : {t.name};",
                f"a := a {op} b;  // error: E0250 at 'a {op} b'",
            )
    return f


def shifted(t: Integer, function: str, value: int, count: int) -> int:
    if function == "SHL":
        return t.high & value << count
    if function == "SHR":
        return value >> count
    count %= t.bits
    if function == "ROR":
        count = (t.bits - count) % t.bits
    return t.high & (value << count | value >> t.bits - count)


def shifts() -> CaseFile:
    f = CaseFile("6_6_2_5_10_shifts", "bits", "Shifts and rotations (6.6.2.5.10).")
    for t in BITS:
        counts = (0, 1, 3, t.bits - 1, t.bits, t.bits + 1, 2 * t.bits, 1000)
        value = 0x96 if t.bits == 8 else t.high // 0xFFFF * 0x9625
        for number, function in enumerate(("SHL", "SHR", "ROL", "ROR"), 1):
            f.program(
                f"{t.name}: {function}",
                f"30.{number}, {t.row}",
                f"a : {t.name} := {hexed(value)}; n : INT; r : ARRAY[1..8] OF {t.name};",
                *(
                    row(
                        f"n := {n}; r[{i}] := {function}(a, n);",
                        f"main.r[{i}]",
                        shifted(t, function, value, n),
                    )
                    for i, n in enumerate(counts, 1)
                ),
            )
            f.program(
                f"{t.name}: {function} by a constant, formal",
                f"30.{number}, 20.1a, {t.row}",
                f"x, y : {t.name} := {hexed(value)};",
                row(
                    f"x := {function}(IN := x, N := 2);", "main.x", shifted(t, function, value, 2)
                ),
                row(
                    f"y := {function}(IN := y, N := {t.bits});",
                    "main.y",
                    shifted(t, function, value, t.bits),
                ),
            )
            f.program(
                f"{t.name}: {function} by a negative count",
                f"30.{number}, {t.row}",
                f"a, x : {t.name} := 16#5A; n : INT := -1;",
                f"x := {function}(a, n);  // expect fault = SHIFT here",
                "// expect main.x = 16#5A",
            )
            f.program(
                f"{t.name}: {function} by a negative constant is refused",
                f"30.{number}, {t.row}",
                f"a : {t.name};",
                f"a := {function}(a, -1);  // error: E0255 at '-1'",
            )
    return f


SIZES = {"X": ("BOOL", 1), "B": ("BYTE", 8), "W": ("WORD", 16), "D": ("DWORD", 32)}
PARTS = {
    ("X", 8): "17.1a",
    ("X", 16): "17.1b",
    ("X", 32): "17.1c",
    ("X", 64): "17.1d",
    ("B", 16): "17.2a",
    ("B", 32): "17.2b",
    ("B", 64): "17.2c",
    ("W", 32): "17.3a",
    ("W", 64): "17.3b",
    ("D", 64): "17.4",
}


def parts() -> CaseFile:
    f = CaseFile("6_5_5_partial_access", "bits", "Partial access to bit strings (6.5.5).")
    for t in BITS:
        value = 0xD3A5_7E1C_C2B4_6987 & t.high
        for letter, (kind, bits) in SIZES.items():
            tag = PARTS.get((letter, t.bits))
            last = t.bits // bits
            if tag is None:
                f.program(
                    f"{t.name}: has no %{letter}1",
                    "",
                    f"a : {t.name}; x : {kind};",
                    f"x := a.%{letter}1;  // error: E0235 at 'a.%{letter}1'",
                )
                continue
            mask = (1 << bits) - 1
            got = [value >> bits * i & mask for i in range(last)]
            shown = [bool(g) for g in got] if letter == "X" else got
            f.program(
                f"{t.name}: reading %{letter}",
                f"{tag}, {t.row}",
                f"a : {t.name} := {hexed(value)}; r : ARRAY[0..{last - 1}] OF {kind};",
                *(
                    row(f"r[{i}] := a.%{letter}{i};", f"main.r[{i}]", s)
                    for i, s in enumerate(shown)
                ),
            )
            ones = "TRUE" if letter == "X" else hexed(mask)
            f.program(
                f"{t.name}: writing %{letter}",
                f"{tag}, {t.row}",
                " ".join(f"x{i} : {t.name};" for i in range(last)),
                *(
                    row(f"x{i}.%{letter}{i} := {ones};", f"main.x{i}", mask << bits * i)
                    for i in range(last)
                ),
            )
            f.program(
                f"{t.name}: clearing the first and the last %{letter}",
                f"{tag}, {t.row}",
                f"x, y : {t.name} := {hexed(t.high)};",
                row(
                    f"x.%{letter}0 := {'FALSE' if letter == 'X' else 0};", "main.x", t.high ^ mask
                ),
                row(
                    f"y.%{letter}{last - 1} := {'FALSE' if letter == 'X' else 0};",
                    "main.y",
                    t.high ^ mask << bits * (last - 1),
                ),
            )
            f.program(
                f"{t.name}: there is no %{letter}{last}",
                f"{tag}, {t.row}",
                f"a : {t.name}; x : {kind};",
                f"x := a.%{letter}{last};  // error: E0235 at 'a.%{letter}{last}'",
            )
        f.program(
            f"{t.name}: a bit by its number alone",
            f"{PARTS['X', t.bits]}, {t.row}",
            f"a, b : {t.name} := 16#5A; x, y : BOOL;",
            "x := a.1; y := a.2; b.0 := x; b.1 := y;",
            "// expect main.x = true",
            "// expect main.y = false",
            f"// expect main.b = {0x59}",
        )
    return f
