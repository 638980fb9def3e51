"""The lexer: every literal of the standard, comments, pragmas, and what it says about the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from work import calls

from host_tools.compiler.diagnostics import Diagnostic, Reporter
from host_tools.compiler.lexer import Token, lex
from host_tools.compiler.source import Source
from host_tools.compiler.tree import Literal, Unary

SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def lexed(text: str) -> tuple[list[Token], list[Diagnostic]]:
    reporter = Reporter()
    return lex(Source("test.st", text), reporter), reporter.diagnostics


def kinds(text: str) -> list[str]:
    tokens, diagnostics = lexed(text)
    assert not diagnostics
    assert tokens.pop().kind == "eof"
    return [t.text if t.kind in ("name", "literal", "direct") else t.kind for t in tokens]


def literal(text: str) -> tuple[str, object, str | None]:
    tokens, diagnostics = lexed(text)
    assert not diagnostics, diagnostics
    assert [t.kind for t in tokens] == ["literal", "eof"]
    assert (tokens[0].start, tokens[0].end) == (0, len(text))
    node = tokens[0].value
    assert isinstance(node, Literal)
    assert node.span.text == text
    return node.kind, node.value, node.prefix


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("12", 12),
        ("1_000", 1000),
        ("007", 7),
        ("2#1010_0101", 0xA5),
        ("8#17", 15),
        ("10#99", 99),
        ("16#FF", 255),
        ("16#fF_00", 0xFF00),
        ("18446744073709551615", 2**64 - 1),
        ("16#FFFF_FFFF_FFFF_FFFF", 2**64 - 1),
    ],
)
def test_integers(text: str, value: int) -> None:
    assert literal(text) == ("int", value, None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5", "1.5"),
        ("0.0", "0.0"),
        ("1.5e3", "1.5e3"),
        ("1.34E-12", "1.34E-12"),
        ("1.0E+6", "1.0E+6"),
        ("3.14159_26", "3.1415926"),
        ("1_000.5", "1000.5"),
        ("1e3", "1e3"),
    ],
)
def test_reals(text: str, value: str) -> None:
    assert literal(text) == ("real", value, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INT#5", ("int", 5, "INT")),
        ("word#16#FF", ("int", 255, "WORD")),
        ("BYTE#2#1111_0000", ("int", 0xF0, "BYTE")),
        ("ULINT#1_000", ("int", 1000, "ULINT")),
        ("BOOL#1", ("int", 1, "BOOL")),
        ("BOOL#0", ("int", 0, "BOOL")),
        ("BOOL#TRUE", ("bool", True, "BOOL")),
        ("REAL#1.5e3", ("real", "1.5e3", "REAL")),
        ("LREAL#2", ("real", "2", "LREAL")),
        ("TRUE", ("bool", True, None)),
        ("false", ("bool", False, None)),
        ("Colour#Red", ("typed", "Red", "Colour")),
    ],
)
def test_typed_and_boolean_literals(text: str, expected: tuple[str, object, str]) -> None:
    assert literal(text) == expected


@pytest.mark.parametrize(
    ("text", "op", "value", "prefix"),
    [
        ("INT#-5", "-", 5, "INT"),
        ("DINT#+5", "+", 5, "DINT"),
        ("REAL#-1.5", "-", "1.5", "REAL"),
        ("LINT#-9223372036854775808", "-", 2**63, "LINT"),
    ],
)
def test_the_sign_of_a_typed_literal_is_a_unary(
    text: str, op: str, value: object, prefix: str
) -> None:
    tokens, diagnostics = lexed(text)
    assert not diagnostics
    node = tokens[0].value
    assert isinstance(node, Unary)
    assert isinstance(node.operand, Literal)
    assert (node.op, node.operand.value, node.operand.prefix) == (op, value, prefix)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("''", ("string", "", None)),
        ("'abc'", ("string", "abc", None)),
        ("'a\"b'", ("string", 'a"b', None)),
        ("'$$ $' $\" $L$N$P$R$T$l$n$p$r$t'", ("string", "$ ' \" \n\n\f\r\t\n\n\f\r\t", None)),
        ("'$C4$cb$00'", ("string", "\xc4\xcb\0", None)),
        ("'Füllstand'", ("string", "Füllstand", None)),
        ('"abc"', ("wstring", "abc", None)),
        ('"it\'s"', ("wstring", "it's", None)),
        ('"$20AC$00C4"', ("wstring", "€Ä", None)),
        ('"€"', ("wstring", "€", None)),
        ("STRING#'OK'", ("string", "OK", "STRING")),
        ('WSTRING#"OK"', ("wstring", "OK", "WSTRING")),
        ("CHAR#'a'", ("string", "a", "CHAR")),
        ("CHAR#'$N'", ("string", "\n", "CHAR")),
        ('wchar#"$20AC"', ("wstring", "€", "WCHAR")),
    ],
)
def test_strings(text: str, expected: tuple[str, object, str]) -> None:
    assert literal(text) == expected


@pytest.mark.parametrize(
    ("text", "value", "prefix"),
    [
        ("T#14ms", 14_000_000, "TIME"),
        ("T#-14ms", -14_000_000, "TIME"),
        ("t#+1s", SECOND, "TIME"),
        ("TIME#14.7s", 14_700_000_000, "TIME"),
        ("T#14.7d", 14 * DAY + 7 * DAY // 10, "TIME"),
        ("T#90s", 90 * SECOND, "TIME"),
        ("T#25h_15m", 25 * 3600 * SECOND + 15 * 60 * SECOND, "TIME"),
        ("T#1h_30m", 5400 * SECOND, "TIME"),
        ("T#1d2h3m4s5ms6us7ns", DAY + 7384_005_006_007, "TIME"),
        ("LTIME#5d_14h_12m_18s_3.5ms", 5 * DAY + 51138 * SECOND + 3_500_000, "LTIME"),
        ("LT#1us", 1000, "LTIME"),
        ("T#1_000ms", SECOND, "TIME"),
        ("T#0s", 0, "TIME"),
        ("T#1m30.5s", 90_500_000_000, "TIME"),
        ("T#0.000001ms", 1, "TIME"),
    ],
)
def test_durations(text: str, value: int, prefix: str) -> None:
    assert literal(text) == ("time", value, prefix)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D#1970-01-01", ("date", 0, "DATE")),
        ("DATE#2024-02-29", ("date", 19782 * DAY, "DATE")),
        ("LD#1969-12-31", ("date", -DAY, "LDATE")),
        ("LDATE#2000-01-01", ("date", 10957 * DAY, "LDATE")),
        ("TOD#12:30:00.5", ("tod", 45_000_500_000_000, "TOD")),
        ("TIME_OF_DAY#23:59:59", ("tod", 86_399 * SECOND, "TOD")),
        ("LTOD#00:00:00.000_000_001", ("tod", 1, "LTOD")),
        ("TOD#6:15", ("tod", 22_500 * SECOND, "TOD")),
        ("DT#1970-01-02-00:00:01", ("dt", DAY + SECOND, "DT")),
        ("DATE_AND_TIME#2024-02-29-12:30:00.25", ("dt", 19782 * DAY + 45_000_250_000_000, "DT")),
        ("LDT#1970-01-01-00:00:00.000000009", ("dt", 9, "LDT")),
    ],
)
def test_dates(text: str, expected: tuple[str, object, str]) -> None:
    assert literal(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:=b;", ["a", ":=", "b", ";"]),
        ("1..5", ["1", "..", "5"]),
        ("a.3", ["a", ".", "3"]),
        ("w.%X3", ["w", ".", "partial"]),
        ("a&b and c", ["a", "AND", "b", "AND", "c"]),
        ("a<=b>=c<>d**e=>f", ["a", "<=", "b", ">=", "c", "<>", "d", "**", "e", "=>", "f"]),
        ("a--b", ["a", "-", "-", "b"]),
        ("D#2024-01-02-x", ["D#2024-01-02", "-", "x"]),
        ("16#1E+5", ["16#1E", "+", "5"]),
        ("%IX0.3 %qw4 %M* %MD1.2.3", ["%IX0.3", "%qw4", "%M*", "%MD1.2.3"]),
        ("a // b\nc", ["a", "c"]),
        ("a (* b (* c *) d *) e", ["a", "e"]),
        ("a /* b /* c */ d */ e", ["a", "e"]),
        ("a (* /* *) b", ["a", "b"]),
        ("a (* ' *) 'b'", ["a", "'b'"]),
        ("{attribute 'x'} a {b {c} d}", ["pragma", "a", "pragma"]),
        ("if End_If IFX", ["IF", "END_IF", "IFX"]),
        ("_a a__b c_ größe ж1", ["_a", "a__b", "c_", "größe", "ж1"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


def test_words_that_only_sometimes_mean_something_are_names() -> None:
    words = (
        "STEP ACTION TASK ON R S N D P INTERVAL PRIORITY SINGLE R_EDGE F_EDGE AT WITH METHOD "
        "TRANSITION RESOURCE OVERLAP CONSTANT RETAIN POINTER REFERENCE STRING TEST T TIME NULL"
    )
    tokens, _ = lexed(words)
    assert {t.kind for t in tokens[:-1]} == {"name"}


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("a @@ b", "E0001", "@@"),
        ("a \\ b", "E0001", "\\"),
        ("a }", "E0001", "}"),
        ("a \ufffd", "E0001", "\ufffd"),
        ("²", "E0001", "²"),
        ("a (* b", "E0002", "(*"),
        ("a /* b", "E0002", "/*"),
        ("'abc", "E0003", "'abc"),
        ("x := 'abc);\ny", "E0003", "'abc"),
        ('"abc', "E0003", '"abc'),
        ("'", "E0003", "'"),
        ("'abc$'", "E0003", "'abc$'"),
        ("'a$Zb'", "E0004", "$Z"),
        ("'a$1'", "E0004", "$1"),
        ('"$12"', "E0004", "$1"),
        ("1_", "E0005", "1_"),
        ("1__0", "E0005", "1__0"),
        ("0x1F", "E0005", "0x1F"),
        ("5ms", "E0005", "5ms"),
        ("12abc", "E0005", "12abc"),
        ("1.5e", "E0005", "1.5e"),
        ("5. ", "E0005", "5."),
        ("16#", "E0005", "16#"),
        ("3#12", "E0006", "3"),
        ("99#12", "E0006", "99"),
        ("2#102", "E0007", "2"),
        ("16#FG", "E0007", "G"),
        ("a == b", "E0008", "=="),
        ("a != b", "E0008", "!="),
        ("a && b", "E0008", "&&"),
        ("a || b", "E0008", "||"),
        ("a % b", "E0008", "%"),
        ("!a", "E0008", "!"),
        ("a =< b", "E0008", "=<"),
        ("a += 1", "E0008", "+="),
        ("a << 1", "E0008", "<<"),
        ("p->x", "E0008", "->"),
        ("T#5", "E0009", "T#5"),
        ("T#", "E0009", "T#"),
        ("T#5x", "E0009", "T#5x"),
        ("T#1s2m", "E0009", "T#1s2m"),
        ("T#1s2s", "E0009", "T#1s2s"),
        ("T#1.5m2s", "E0009", "T#1.5m2s"),
        ("T#1.5ns", "E0009", "T#1.5ns"),
        ("T#1h_", "E0009", "T#1h_"),
        ("T#1h90m", "E0010", "90m"),
        ("T#1d24h", "E0010", "24h"),
        ("T#1s1000ms", "E0010", "1000ms"),
        ("D#2023-02-29", "E0011", "2023-02-29"),
        ("D#2024-13-01", "E0011", "2024-13-01"),
        ("D#2024", "E0011", "D#2024"),
        ("D#0000-01-01", "E0011", "0000-01-01"),
        ("DT#2024-02-30-12:00:00", "E0011", "2024-02-30"),
        ("DT#2024-02-28", "E0011", "DT#2024-02-28"),
        ("TOD#24:00:00", "E0012", "24:00:00"),
        ("TOD#12:60:00", "E0012", "12:60:00"),
        ("TOD#12", "E0012", "TOD#12"),
        ("DT#2024-02-28-25:00:00", "E0012", "25:00:00"),
        ("%IX", "E0013", "%IX"),
        ("%QZ3", "E0013", "%QZ3"),
        ("{abc", "E0014", "{"),
        ("INT#", "E0015", "INT#"),
        ("INT# 5", "E0015", "INT#"),
        ("INT#1.5", "E0015", "INT#1.5"),
        ("INT#x", "E0015", "INT#x"),
        ("BOOL#2", "E0015", "BOOL#2"),
        ("BOOL#-1", "E0015", "BOOL#-1"),
        ("REAL#x", "E0015", "REAL#x"),
        ("STRING#5", "E0015", "STRING#5"),
        ('STRING#"a"', "E0015", 'STRING#"a"'),
        ("Colour#5", "E0015", "Colour#5"),
        ("CHAR#'ab'", "E0016", "CHAR#'ab'"),
        ("CHAR#''", "E0016", "CHAR#''"),
        ("18446744073709551616", "E0017", "18446744073709551616"),
        ("9" * 5000, "E0017", "9" * 5000),
        ("16#" + "F" * 17, "E0017", "16#" + "F" * 17),
        ("T#106752d", "E0017", "T#106752d"),
        ("T#" + "9" * 5000 + "s", "E0017", "T#" + "9" * 5000 + "s"),
        ("D#2263-01-01", "E0017", "D#2263-01-01"),
        ("'5 €'", "E0018", "€"),
    ],
)
def test_one_mistake_is_one_diagnostic(text: str, code: str, at: str) -> None:
    _, diagnostics = lexed(text)
    assert [(d.code, d.span.text) for d in diagnostics] == [(code, at)]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0x1F", "16#1F"),
        ("0b101", "2#101"),
        ("5ms", "T#5ms"),
        ("a == b", "'='"),
        ("a % b", "MOD"),
        ("T#1h90m", "up to 59"),
        ("D#2023-02-29", "2023-02 has 28 days"),
        ("“a”", "straight quote"),
        ("a ≤ b", "<="),
        ("'5 €'", "WSTRING"),
        ("TIM#5s", "'TIME'"),
    ],
)
def test_help_says_what_to_write(text: str, advice: str) -> None:
    _, diagnostics = lexed(text)
    assert advice in diagnostics[0].help


def test_an_unclosed_comment_cites_the_innermost_opening_and_the_outermost() -> None:
    _, diagnostics = lexed("x (* a (* b *) (* c")
    assert len(diagnostics) == 1
    assert diagnostics[0].span.start == 15
    assert [label.span.start for label in diagnostics[0].others] == [2]


def test_an_unclosed_string_does_not_swallow_the_end_of_the_statement() -> None:
    tokens, _ = lexed("f('abc);\ny")
    assert [t.kind for t in tokens] == ["name", "(", "literal", ")", ";", "name", "eof"]


def test_an_unclosed_pragma_ends_with_its_line() -> None:
    tokens, diagnostics = lexed("{attribute\nx : INT; {b} y")
    assert [t.kind for t in tokens] == ["name", ":", "name", ";", "pragma", "name", "eof"]
    assert len(diagnostics) == 1


def test_foreign_operators_become_what_was_meant() -> None:
    tokens, _ = lexed("a == !b && c % d")
    assert [t.kind for t in tokens[:-1]] == [
        "name",
        "=",
        "NOT",
        "name",
        "AND",
        "name",
        "MOD",
        "name",
    ]


@pytest.mark.parametrize(
    "piece",
    [
        "(* ",
        "/* ",
        "{",
        "{ }}",
        "'",
        "'$",
        '"a\n',
        "1_",
        "T#1h",
        "%",
        "((",
        "a#",
        "..",
        "(* *",
        "5.",
    ],
)
def test_time_grows_linearly(piece: str) -> None:
    """Twice the text costs twice the calls, not four times."""
    times = 5_000 // len(piece)
    once = calls(lambda: lexed(piece * times))
    assert calls(lambda: lexed(piece * (2 * times))) < 2.5 * once + 200


@given(st.text())
@settings(derandomize=True, max_examples=300, deadline=None)
def test_any_text_becomes_tokens_that_cover_it_in_order(text: str) -> None:
    tokens, diagnostics = lexed(text)
    at = 0
    for token in tokens:
        assert at <= token.start <= token.end <= len(text)
        at = token.end
    assert tokens[-1].kind == "eof"
    for d in diagnostics:
        assert 0 <= d.span.start <= d.span.end <= len(text)
        assert d.message


@given(st.integers(0, 2**64 - 1), st.sampled_from([(2, "b"), (8, "o"), (10, "d"), (16, "X")]))
@settings(derandomize=True, deadline=None)
def test_integers_read_back_in_every_base(value: int, base: tuple[int, str]) -> None:
    assert literal(f"{base[0]}#{value:{base[1]}}") == ("int", value, None)


@given(st.text(alphabet=st.characters(max_codepoint=255)))
@settings(derandomize=True, deadline=None)
def test_strings_read_back_when_escaped(value: str) -> None:
    escaped = "".join(
        c if c.isalnum() and c.isascii() else f"${ord(c):02X}" if c not in "$'" else f"${c}"
        for c in value
    )
    assert literal(f"'{escaped}'") == ("string", value, None)


@given(st.integers(0, 10**9), *(st.integers(0, n) for n in (23, 59, 59, 999, 999, 999)))
@settings(derandomize=True, deadline=None)
def test_durations_add_up(d: int, h: int, m: int, s: int, ms: int, us: int, ns: int) -> None:
    d %= 100_000
    total = ((((((d * 24 + h) * 60 + m) * 60 + s) * 1000 + ms) * 1000) + us) * 1000 + ns
    assert literal(f"T#{d}d{h}h{m}m{s}s{ms}ms{us}us{ns}ns") == ("time", total, "TIME")
    assert literal(f"T#-{d}d_{h}h_{m}m_{s}s_{ms}ms_{us}us_{ns}ns") == ("time", -total, "TIME")
