"""Every elementary type wherever a variable can be: defaults, initial values, passing around."""

from __future__ import annotations

from tests.conformance.case_tables.model import ELEMENTARY, CaseFile, Elementary, shown


def files() -> list[CaseFile]:
    return [variables(), derived(), calls(), comparisons()]


def variables() -> CaseFile:
    f = CaseFile(
        "6_4_2_values_of_types", "types", "Values of variables of each type (6.4.2, 6.5.1)."
    )
    for t in ELEMENTARY:
        f.program(
            f"{t.name}: default",
            f"{t.row}, 13.1",
            f"x : {t.name};",
            f"// expect main.x = {shown(t.default)}",
        )
        names = [f"x{i}" for i in range(len(t.samples))]
        f.program(
            f"{t.name}: initial values",
            f"{t.row}, 14.1",
            " ".join(f"{n} : {t.name} := {s[0]};" for n, s in zip(names, t.samples, strict=True)),
            *(
                f"// expect main.{n} = {shown(s[1])}"
                for n, s in zip(names, t.samples, strict=True)
            ),
        )
        f.program(
            f"{t.name}: assigned values",
            f"{t.row}, 72.1a",
            f"{', '.join(names)}, y : {t.name};",
            *(
                f"{n} := {s[0]};  // expect main.{n} = {shown(s[1])}"
                for n, s in zip(names, t.samples, strict=True)
            ),
            f"y := x0;  // expect main.y = {shown(t.samples[0][1])}",
        )
        literal, value = t.samples[0]
        f.case(
            f"{t.name}: global variables and constants",
            f"{t.row}, 14.4, 72.1a",
            f"VAR_GLOBAL g : {t.name}; h : {t.name} := {literal}; END_VAR",
            f"VAR_GLOBAL CONSTANT K : {t.name} := {literal}; END_VAR",
            "PROGRAM main",
            f"VAR CONSTANT C : {t.name} := K; END_VAR",
            f"VAR x : {t.name} := C; END_VAR",
            "    g := K;",
            "END_PROGRAM",
            f"// expect g = {shown(value)}",
            f"// expect h = {shown(value)}",
            f"// expect main.x = {shown(value)}",
        )
        f.program(
            f"{t.name}: a constant cannot be assigned to",
            f"{t.row}, 14.4",
            "",
            f"K := {literal};  // error: E0240 at 'K'",
            before=f"VAR_GLOBAL CONSTANT K : {t.name} := {literal}; END_VAR",
        )
    return f


def derived(kinds: tuple[Elementary, ...] = ELEMENTARY) -> CaseFile:
    f = CaseFile("6_4_4_made_of_each_type", "types", "User-defined types of each type (6.4.4).")
    for t in kinds:
        literal, value = t.samples[0]
        other, second = t.samples[1]
        f.program(
            f"{t.name}: a type of another name",
            f"{t.row}, 11.11a, 11.11b, 13.2, 14.2",
            "x : Other; y : Preset; z : Preset := " + other + ";",
            f"x := {other};",
            f"// expect main.x = {shown(second)}",
            f"// expect main.y = {shown(value)}",
            f"// expect main.z = {shown(second)}",
            before=f"TYPE Other : {t.name}; Preset : {t.name} := {literal}; END_TYPE",
        )
        f.program(
            f"{t.name}: elements of arrays",
            f"{t.row}, 11.4a, 11.4b, 13.3, 14.3",
            f"a : ARRAY[1..3] OF {t.name} := [{literal}, {other}]; b : List; i : INT := 3;",
            "a[i] := a[1]; b[i - 2] := a[2];",
            f"// expect main.a = [{shown(value)}, {shown(second)}, {shown(value)}]",
            f"// expect main.b = [{shown(second)}, {shown(value)}]",
            before=f"TYPE List : ARRAY[1..2] OF {t.name} := [2({literal})]; END_TYPE",
        )
        f.program(
            f"{t.name}: members of structures",
            f"{t.row}, 11.6a, 11.6b, 14.2, 72.1b",
            f"s : Pair; u, v : Pair := (a := {other});",
            f"s.a := v.b; v := s; v.b := {other};",
            f'// expect main.s = {{"a": {shown(value)}, "b": {shown(value)}}}',
            f'// expect main.u = {{"a": {shown(second)}, "b": {shown(value)}}}',
            f'// expect main.v = {{"a": {shown(value)}, "b": {shown(second)}}}',
            before=f"TYPE Pair : STRUCT a : {t.name}; b : {t.name} := {literal}; END_STRUCT; "
            "END_TYPE",
        )
        f.program(
            f"{t.name}: references",
            f"{t.row}, 12.1, 12.3a, 12.4, 12.2c, 13.4, 72.1c, 71.3",
            f"x : {t.name}; r, s : REF_TO {t.name}; y : {t.name}; was, set : BOOL;",
            f"was := r = NULL; r := REF(x); s := r; set := s <> NULL; s^ := {literal}; y := r^;",
            f"// expect main.x = {shown(value)}",
            f"// expect main.y = {shown(value)}",
            "// expect main.was = true",
            "// expect main.set = true",
        )
    return f


def calls() -> CaseFile:
    f = CaseFile("6_6_parameters_of_each_type", "types", "Parameters of each type (6.6.2, 6.6.3).")
    for t in ELEMENTARY:
        literal, value = t.samples[0]
        other, second = t.samples[1]
        f.program(
            f"{t.name}: inputs, outputs, in-outs and result of a function",
            f"{t.row}, 19.1b, 19.2a, 19.2b, 19.2c, 20.1a, 71.2, 72.1d",
            f"x, y, z : {t.name};",
            f"z := {other};",
            "x := Pass(a := z, o => y, io := z);",
            f"// expect main.x = {shown(second)}",
            f"// expect main.y = {shown(second)}",
            f"// expect main.z = {shown(value)}",
            before=f"FUNCTION Pass : {t.name}\n"
            f"VAR_INPUT a : {t.name}; END_VAR VAR_OUTPUT o : {t.name}; END_VAR\n"
            f"VAR_IN_OUT io : {t.name}; END_VAR\n"
            f"    Pass := a; o := io; io := {literal};\nEND_FUNCTION",
        )
        f.program(
            f"{t.name}: values that a function begins with",
            f"{t.row}, 19.3a, 20.1b, 20.2",
            f"x, y, z : {t.name} := {other};",
            f"x := First(); y := First({other}); z := Nothing();",
            f"// expect main.x = {shown(value)}",
            f"// expect main.y = {shown(second)}",
            f"// expect main.z = {shown(t.default)}",
            before=f"FUNCTION First : {t.name}\nVAR_INPUT a : {t.name} := {literal}; END_VAR\n"
            f"    First := a;\nEND_FUNCTION\nFUNCTION Nothing : {t.name} ; END_FUNCTION",
        )
        f.program(
            f"{t.name}: function blocks keep values",
            f"{t.row}, 40.2a, 40.2b, 40.2e, 40.3a, 40.3b, 40.3c, 42.2, 42.7, 42.8a",
            f"h, k : Hold; n : INT; x, y : {t.name};",
            "n := n + 1;",
            f"IF n = 1 THEN h(a := {other}, before => y); ELSE h(before => y); END_IF",
            "k(); x := h.o;",
            f"// expect after 2 scans: main.x = {shown(second)}",
            f"// expect after 1 scan: main.y = {shown(value)}",
            f"// expect after 2 scans: main.y = {shown(second)}",
            f"// expect after 2 scans: main.k.o = {shown(value)}",
            before=f"FUNCTION_BLOCK Hold\nVAR_INPUT a : {t.name} := {literal}; END_VAR\n"
            f"VAR_OUTPUT o, before : {t.name} := {literal}; END_VAR\n"
            f"VAR last : {t.name} := {literal}; END_VAR\n"
            "    before := last; last := a; o := a;\nEND_FUNCTION_BLOCK",
        )
        f.program(
            f"{t.name}: temporary variables begin anew",
            f"{t.row}, 40.2d, 40.3d, 47.2d, 47.3d, 19.2e, 19.3c",
            f"x, y, z : {t.name} := {other}; f : Fresh; END_VAR "
            f"VAR_TEMP t : {t.name} := {literal};",
            f"x := t; t := {other}; f(o => y); z := Again();",
            f"// expect after 2 scans: main.x = {shown(value)}",
            f"// expect after 2 scans: main.y = {shown(value)}",
            f"// expect after 2 scans: main.z = {shown(value)}",
            before=f"FUNCTION_BLOCK Fresh\nVAR_TEMP t : {t.name} := {literal}; END_VAR\n"
            f"VAR_OUTPUT o : {t.name}; END_VAR\n    o := t; t := {other};\nEND_FUNCTION_BLOCK\n"
            f"FUNCTION Again : {t.name}\nVAR v : {t.name} := {literal}; END_VAR\n"
            f"    Again := v; v := {other};\nEND_FUNCTION",
        )
    return f


def comparisons() -> CaseFile:
    f = CaseFile("7_3_2_equality_of_each_type", "types", "= and <> of each type (7.3.2).")
    for t in ELEMENTARY:
        (literal, _), (other, _) = t.samples[:2]
        f.program(
            f"{t.name}: equality",
            f"71.14, 71.15, {t.row}",
            f"a, b : {t.name} := {literal}; c : {t.name} := {other}; r : ARRAY[1..4] OF BOOL;",
            "r[1] := a = b;  r[2] := a = c;  r[3] := a <> b;  r[4] := a <> c;",
            "// expect main.r = [true, false, false, true]",
        )
        f.program(
            f"{t.name}: IF and WHILE with a comparison",
            f"72.4, 72.7, {t.row}",
            f"a, b : {t.name} := {literal}; c : {t.name} := {other}; n, m : INT;",
            "IF a = b AND a <> c THEN n := 1; ELSE n := 2; END_IF  // expect main.n = 1",
            "WHILE b = a DO b := c; m := m + 1; END_WHILE  // expect main.m = 1",
        )
    return f
