"""Enumerations with each base type: values, defaults, CASE, conversion to the base (6.4.4.2)."""

from __future__ import annotations

from tests.conformance.case_tables.model import BITS, INTEGERS, CaseFile


def files() -> list[CaseFile]:
    f = CaseFile(
        "6_4_4_2_enumerations", "enumerations", "Enumerations of each base type (6.4.4.2)."
    )
    for t in (*INTEGERS, *BITS):
        kind = f"TYPE Level : {t.name} (Low := {t.low}, Mid := 5, High := {t.high}); END_TYPE"
        f.program(
            f"{t.name}: values up to the limits of the base",
            f"11.2a, {t.row}",
            f"a, b : Level; x, y : {t.name};",
            "a := High; x := a; b := Low; y := b;",
            '// expect main.a = "High"',
            f"// expect main.x = {t.high}",
            f"// expect main.y = {t.low}",
            before=kind,
        )
        f.program(
            f"{t.name}: the first value is the default, another can be declared",
            f"11.2a, 11.2b, 14.2, {t.row}",
            "a : Level; b : Level := Mid; c : Preset; d : ARRAY[1..2] OF Preset;",
            '// expect main.a = "Low"',
            '// expect main.b = "Mid"',
            '// expect main.c = "On"',
            '// expect main.d = ["On", "On"]',
            before=f"{kind}\nTYPE Preset : {t.name} (Off, On) := On; END_TYPE",
        )
        f.program(
            f"{t.name}: values that are not given count on",
            f"11.2a, {t.row}",
            f"x, y, z : {t.name};",
            "x := First; y := Third; z := Fifth;",
            "// expect main.x = 0",
            "// expect main.y = 11",
            "// expect main.z = 13",
            before=f"TYPE Steps : {t.name} (First, Second := 10, Third, Fourth, Fifth); END_TYPE",
        )
        f.program(
            f"{t.name}: CASE, comparisons and qualified names",
            f"11.2a, 72.5, 71.14, {t.row}",
            "a : Level := Level#Mid; n : INT; r : ARRAY[1..3] OF BOOL;",
            "CASE a OF Low: n := 1; Level#Mid: n := 2; High: n := 3; END_CASE",
            "r[1] := a = Mid; r[2] := a <> Level#Mid; r[3] := a = Level.Mid;",
            "// expect main.n = 2",
            "// expect main.r = [true, false, true]",
            before=kind,
        )
        f.program(
            f"{t.name}: a number is no enumerated value",
            f"11.2a, {t.row}",
            f"a : Level; x : {t.name} := 5;",
            "a := x;  // error: E0230 at 'x'",
            before=kind,
        )
        if t.bits < 64:
            f.program(
                f"{t.name}: a value beyond its base is refused",
                f"11.2a, {t.row}",
                "a : Level;",
                ";",
                before=f"TYPE Level : {t.name} (Low, High := {t.high + 1});"
                f"  // error: E0216 at 'High := {t.high + 1}'\nEND_TYPE",
            )
    return [f]
