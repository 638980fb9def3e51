"""STRING and WSTRING of several lengths: cut off, compared, taken apart."""

from __future__ import annotations

from tests.conformance.case_tables.model import CaseFile, row, shown

KINDS = (("STRING", "CHAR", "'", "10.16a"), ("WSTRING", "WCHAR", '"', "10.16b"))


def files() -> list[CaseFile]:
    return [lengths(), comparisons()]


def lengths() -> CaseFile:
    f = CaseFile("6_4_2_string_lengths", "strings", "Strings and their lengths (6.4.2).")
    text = "0123456789" * 30
    for kind, char, q, tag in KINDS:
        for n in (1, 2, 3, 79, 80, 81, 254, 255, 256):
            f.program(
                f"{kind}[{n}]: holds {n} characters and cuts off the rest",
                f"{tag}, 72.1a",
                f"long : {kind}[300] := {q}{text}{q}; x : {kind}[{n}]; size : INT;",
                "x := long; size := LEN(x);",
                f"// expect main.size = {n}",
                f"// expect main.x = {shown(text[:n])}",
            )
        f.program(
            f"{kind}: holds 80 characters when nothing else is said",
            tag,
            f"long : {kind}[100] := {q}{text[:100]}{q}; x : {kind}; n : INT;",
            "x := long; n := LEN(x);",
            "// expect main.n = 80",
        )
        f.program(
            f"{kind}: of a named length",
            f"{tag}, 14.5, 11.12",
            f"x : {kind}[N]; y : {kind}[N + 1];",
            f"x := {q}abcdef{q}; y := {q}abcdef{q};",
            '// expect main.x = "abcd"',
            '// expect main.y = "abcde"',
            before="VAR_GLOBAL CONSTANT N : INT := 4; END_VAR",
        )
        f.program(
            f"{kind}: characters are elements",
            f"{tag}, 10.17{'a' if char == 'CHAR' else 'b'}",
            f"x : {kind}[5] := {q}abcde{q}; c : {char}; i : INT := 4;",
            f"c := x[i];  // expect main.c = {shown('d')}",
            f"x[1] := {q}Z{q};  // expect main.x = {shown('Zbcde')}",
        )
        for word, i in (("below", 0), ("above", 6)):
            f.program(
                f"{kind}: no character {word}",
                tag,
                f"x : {kind}[5] := {q}abcde{q}; c : {char}; i : INT := {i};",
                "c := x[i];  // expect fault = INDEX here",
            )
        for size in ("0", "-1"):
            f.program(
                f"{kind}[{size}]: impossible",
                tag,
                f"x : {kind}[{size}];  // error: E0212 at '{size}'",
            )
        f.program(
            f"{kind}: a literal that is too long is cut off, too",
            f"{tag}, 14.1",
            f"x : {kind}[3] := {q}abc{q}; y : {kind}[2];",
            f"y := {q}xyz{q};  // expect main.y = {shown('xy')}",
            f"x := {q}{q};  // expect main.x = {shown('')}",
        )
        f.program(
            f"{kind}: arrays, structures, functions keep their lengths",
            f"{tag}, 11.4a, 11.6a, 19.1b",
            f"a : ARRAY[1..2] OF {kind}[2]; s : STRUCT t : {kind}[3]; END_STRUCT; r : {kind};",
            f"a[1] := {q}abcd{q}; s.t := {q}abcd{q}; r := Short({q}abcd{q});",
            f"// expect main.a = {shown(['ab', ''])}",
            f"// expect main.s = {shown({'t': 'abc'})}",
            f"// expect main.r = {shown('abcd'[:1])}",
            before=f"FUNCTION Short : {kind}[1] VAR_INPUT v : {kind}; END_VAR "
            "Short := v; END_FUNCTION",
        )
    return f


def comparisons() -> CaseFile:
    f = CaseFile("7_3_2_string_comparisons", "strings", "Comparison of strings (7.3.2).")
    pairs = (("", ""), ("", "a"), ("a", "b"), ("b", "a"), ("ab", "abc"), ("Z", "a"), ("10", "9"))
    pairs += (("abc", "abd"), ("é", "z"), ("same", "same"))
    for kind, _, q, tag in KINDS:
        for op, feature, answer in (
            ("<", "71.13", lambda a, b: a < b),
            ("<=", "71.13", lambda a, b: a <= b),
            (">", "71.13", lambda a, b: a > b),
            (">=", "71.13", lambda a, b: a >= b),
            ("=", "71.14", lambda a, b: a == b),
            ("<>", "71.15", lambda a, b: a != b),
        ):
            f.program(
                f"{kind}: {op}",
                f"{feature}, {tag}",
                f"a, b : {kind}; r : ARRAY[1..{len(pairs)}] OF BOOL;",
                *(
                    row(
                        f"a := {q}{a}{q}; b := {q}{b}{q}; r[{i}] := a {op} b;",
                        f"main.r[{i}]",
                        answer(a, b),
                    )
                    for i, (a, b) in enumerate(pairs, 1)
                ),
            )
    return f
