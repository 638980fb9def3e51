"""Numeric and character literals of each type, and those that do not fit (6.3.2, 6.3.3)."""

from __future__ import annotations

from tests.conformance.case_tables.model import BITS, INTEGERS, CaseFile, Integer, row

ESCAPES = (
    ("$$", "7.1", "$"),
    ("$'", "7.2", "'"),
    ("$L", "7.3", "\n"),
    ("$l", "7.3", "\n"),
    ("$N", "7.4", "\n"),
    ("$n", "7.4", "\n"),
    ("$P", "7.5", "\f"),
    ("$p", "7.5", "\f"),
    ("$R", "7.6", "\r"),
    ("$r", "7.6", "\r"),
    ("$T", "7.7", "\t"),
    ("$t", "7.7", "\t"),
    ('$"', "7.8", '"'),
)


def files() -> list[CaseFile]:
    return [integers(), reals(), characters()]


def based(value: int, base: int) -> str:
    digits = {2: f"{value:b}", 8: f"{value:o}", 16: f"{value:X}"}[base]
    return f"{base}#{digits}"


def grouped(digits: str, size: int) -> str:
    first = len(digits) % size
    parts = [digits[:first]] if first else []
    return "_".join(parts + [digits[i : i + size] for i in range(first, len(digits), size)])


def integers() -> CaseFile:
    f = CaseFile(
        "6_3_2_integer_literals", "literals", "Literals of integers and bit strings (6.3.2)."
    )
    for t in (*INTEGERS, *BITS):
        top = t.high
        f.program(
            f"{t.name}: decimal up to the limits",
            f"5.1, {t.row}",
            f"x, y, z : {t.name};",
            row(f"x := {top};", "main.x", top),
            row(f"y := {t.low};", "main.y", t.low),
            row(f"z := {grouped(str(top), 3)};", "main.z", top),
        )
        for base, tag, word in (
            (2, "5.4", "binary"),
            (8, "5.5", "octal"),
            (16, "5.6", "hexadecimal"),
        ):
            text = based(top, base)
            spread = text.split("#")[0] + "#" + grouped(text.split("#")[1], 4)
            f.program(
                f"{t.name}: {word}",
                f"{tag}, {t.row}",
                f"x, y, z : {t.name};",
                row(f"x := {text};", "main.x", top),
                row(f"y := {spread};", "main.y", top),
                row(f"z := {based(0, base)};", "main.z", 0),
            )
            f.program(
                f"{t.name}: {word} with its type",
                f"{tag}, 5.9, {t.row}",
                f"x, y : {t.name};",
                row(f"x := {t.name}#{text};", "main.x", top),
                row(f"y := {t.name.lower()}#{based(5, base).lower()};", "main.y", 5),
            )
        f.program(
            f"{t.name}: decimal with its type",
            f"5.9, {t.row}",
            f"x, y : {t.name};",
            row(f"x := {t.name}#{top};", "main.x", top),
            row(f"y := {t.name}#{t.low};", "main.y", t.low),
        )
        refused(f, t)
    f.program(
        "BOOL: 0 and 1, FALSE and TRUE, with the type",
        "5.7, 5.8, 5.9, 10.1",
        "a, b, c, d, e : BOOL; g : BOOL := TRUE;",
        row("a := 1;", "main.a", True),
        row("b := TRUE;", "main.b", True),
        row("c := BOOL#1;", "main.c", True),
        row("d := BOOL#TRUE;", "main.d", True),
        row("e := NOT BOOL#FALSE;", "main.e", True),
        row("g := 0;", "main.g", False),
    )
    f.program("BOOL: 2 is refused", "10.1", "a : BOOL;", "a := 2;  // error: E0227 at '2'")
    return f


def refused(f: CaseFile, t: Integer) -> None:
    if t.bits < 64:
        for text in (str(t.high + 1), f"16#{(t.high + 1):X}", f"2#{(t.high + 1):b}"):
            for literal in (text, f"{t.name}#{text}"):
                f.program(
                    f"{t.name}: {literal} does not fit",
                    t.row,
                    f"x : {t.name};",
                    f"x := {literal};  // error: E0227 at '{literal}'",
                )
    low = t.low - 1
    if low >= -(1 << 63):
        f.program(
            f"{t.name}: {low} does not fit",
            t.row,
            f"x : {t.name};",
            f"x := {low};  // error: E0227 at '{low}'",
        )
    for text, code in (("1__0", "E0005"), ("2#12", "E0007"), ("8#8", "E0007"), ("16#G", "E0007")):
        f.program(
            f"{t.name}: {text} is no number",
            t.row,
            f"x : {t.name};",
            f"x := {text};  // error: {code} at '{text if code == 'E0005' else text[-1]}'",
        )


def reals() -> CaseFile:
    f = CaseFile("6_3_2_real_literals", "literals", "Literals of REAL and LREAL (6.3.2).")
    forms = (
        ("0.0", "5.2", 0.0),
        ("3.14159", "5.2", 3.14159),
        ("-12.5", "5.2", -12.5),
        ("3.141_5", "5.2", 3.1415),
        ("1_000.5", "5.2", 1000.5),
        ("1.0E3", "5.3", 1000.0),
        ("1.0e3", "5.3", 1000.0),
        ("1.5E+2", "5.3", 150.0),
        ("25.0E-2", "5.3", 0.25),
        ("-1.34E-12", "5.3", -1.34e-12),
    )
    for name, tag in (("REAL", "10.10"), ("LREAL", "10.11")):
        for text, feature, value in forms:
            f.program(
                f"{name}: {text}",
                f"{feature}, {tag}",
                f"x, y : {name};",
                row(f"x := {text};", "main.x", value),
                row(f"y := {name}#{text};", "main.y", value),
            )
        f.program(
            f"{name}: whole numbers",
            f"5.1, {tag}",
            f"x, y : {name};",
            row("x := 7;", "main.x", 7.0),
            row(f"y := {name}#-3;", "main.y", -3.0),
        )
        for text in ("1.0E", "1_.5", "1.5_"):
            f.program(
                f"{name}: {text} is no number",
                tag,
                f"x : {name};",
                f"x := {text};  // error: E0005 at '{text}'",
            )
    return f


def characters() -> CaseFile:
    f = CaseFile(
        "6_3_3_character_literals", "literals", "Character strings (6.3.3, Tables 6 and 7)."
    )
    for wide, kind, quote, rows in (
        (False, "STRING", "'", "6.1"),
        (True, "WSTRING", '"', "6.2"),
    ):
        char = "W" * wide + "CHAR"
        row_of = "10.16b" if wide else "10.16a"
        char_row = "10.17b" if wide else "10.17a"
        for written, tag, value in ESCAPES:
            f.program(
                f"{kind}: {written}",
                f"{tag}, {rows}f, {row_of}",
                f"x, y : {kind}; n : INT;",
                row(f"x := {quote}{written}{quote};", "main.x", value),
                row(f"y := {quote}a{written}b{quote};", "main.y", f"a{value}b"),
                row(f"n := LEN({quote}{written}{quote});", "main.n", 1),
            )
            f.program(
                f"{char}: {written}",
                f"{tag}, {rows}b, {char_row}",
                f"x : {char};",
                row(f"x := {quote}{written}{quote};", "main.x", value),
            )
        digits = 4 if wide else 2
        for code in (0x41, 0x0A, 0xE9, 0x00, 0xFF, *((0x20AC, 0x0416) if wide else ())):
            f.program(
                f"{kind}: the character of code 16#{code:02X}",
                f"{rows}g, {row_of}",
                f"x : {kind}; c : {char};",
                row(f"x := {quote}<${code:0{digits}X}>{quote};", "main.x", f"<{chr(code)}>"),
                row(f"c := {quote}${code:0{digits}x}{quote};", "main.c", chr(code)),
            )
        for word, tag, text in (
            ("empty", "a", ""),
            ("one character", "b", "A"),
            ("a space", "c", " "),
            ("a single quote", "d", "it's"),
            ("a double quote", "e", 'say "so"'),
        ):
            inside = text.replace(quote, "$" + quote)
            f.program(
                f"{kind}: {word}",
                f"{rows}{tag}, {row_of}",
                f"x, y : {kind} := {quote}old{quote}; n : INT;",
                row(f"x := {quote}{inside}{quote};", "main.x", text),
                row("n := LEN(x);", "main.n", len(text)),
                row(f"y := {kind}#{quote}{inside}{quote};", "main.y", text),
            )
        f.program(
            f"{kind} and {char}: with the type in front",
            "6.4a, 6.4b" if wide else "6.3a, 6.3b",
            f"x : {kind}; c : {char};",
            row(f"x := {kind}#{quote}OK{quote};", "main.x", "OK"),
            row(f"c := {char}#{quote}X{quote};", "main.c", "X"),
        )
        f.program(
            f"{kind}: '$' before another letter is refused",
            row_of,
            f"x : {kind};",
            f"x := {quote}a$qb{quote};  // error: E0004 at '$q'",
        )
        f.program(
            f"{char}: two characters are refused",
            char_row,
            f"c : {char};",
            f"c := {char}#{quote}ab{quote};  // error: E0016 at '{char}#{quote}ab{quote}'",
        )
    f.program(
        "WSTRING and WCHAR in single quotes with the type in front",
        "6.4c, 6.4d",
        "x : WSTRING; c : WCHAR;",
        row("x := WSTRING#'OK';", "main.x", "OK"),
        row("c := WCHAR#'X';", "main.c", "X"),
    )
    return f
