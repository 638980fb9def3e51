"""Literals: numbers, typed literals and strings (IEC 61131-3:2013, 6.3.2 and 6.3.3).

Every function is given the scan and the place where the literal starts, and returns its tree node
and the place after it. A malformed literal is reported and becomes a harmless value of its kind,
so that nothing after the lexer stumbles over it.
"""

from __future__ import annotations

import re

from host_tools.compiler.diagnostics import did_you_mean
from host_tools.compiler.source import Span
from host_tools.compiler.syntax.scan import Scan
from host_tools.compiler.syntax.times import TIME_TYPES, UNITS, temporal
from host_tools.compiler.tree import Expr, Literal, Unary

INTEGER_TYPES = frozenset(
    {
        "SINT",
        "INT",
        "DINT",
        "LINT",
        "USINT",
        "UINT",
        "UDINT",
        "ULINT",
        "BYTE",
        "WORD",
        "DWORD",
        "LWORD",
        "BOOL",
    }
)
REAL_TYPES = frozenset({"REAL", "LREAL"})
STRING_TYPES = frozenset({"STRING", "WSTRING", "CHAR", "WCHAR"})
_DIGITS = re.compile(r"[0-9]+(?:_[0-9]+)*")
_NUMBER = re.compile(
    r"(?P<base>[0-9][0-9_]*)\#(?P<digits>\w*)"
    r"|(?P<whole>[0-9][0-9_]*)(?P<fraction>\.[0-9][0-9_]*)?(?P<exponent>[eE][+-]?[0-9][0-9_]*)?"
    r"(?P<rest>\w*)"
)
_WORD = re.compile(r"\w*")
_NAME_START = re.compile(r"[^\W\d]")
_LINE_REST = re.compile(r"[^\r\n]*")
_QUOTED = re.compile(r"""'(?:[^$'\r\n]++|\$[^\r\n])*+'|"(?:[^$"\r\n]++|\$[^\r\n])*+\"""")

_ESCAPES = {
    "$": "$",
    "'": "'",
    '"': '"',
    "L": "\n",
    "N": "\n",
    "P": "\f",
    "R": "\r",
    "T": "\t",
    "l": "\n",
    "n": "\n",
    "p": "\f",
    "r": "\r",
    "t": "\t",
}
# More digits than any 64-bit value has in base 2; longer texts are not even converted.
_MOST_DIGITS = 200


def integer(scan: Scan, digits: str, start: int) -> Literal:
    """A plain decimal integer without underscores."""
    value = (
        int(digits) if len(digits) <= 19 else _int(scan, digits, 10, start, start + len(digits))
    )
    return Literal(Span(scan.source, start, start + len(digits)), "int", value)


def number(scan: Scan, start: int, prefix: str | None = None) -> tuple[Literal, int]:
    """An unsigned number at `start`: decimal, based, or real (6.3.2)."""
    m = _NUMBER.match(scan.text, start)
    assert m is not None
    end = m.end()
    span = scan.span(start, end)
    if m["base"] is not None:
        return Literal(span, "int", _based(scan, m["base"], m["digits"], start, end), prefix), end
    whole, fraction, exponent = m["whole"], m["fraction"] or "", m["exponent"] or ""
    text = scan.text
    if not fraction and not exponent and not m["rest"] and _has_open_point(text, start, end):
        end += 1
        scan.error(
            "E0005",
            f"a digit is missing after '{text[start:end][-20:]}'",
            start,
            end,
            help=f"write '{text[start:end][-20:]}0'",
        )
        return Literal(scan.span(start, end), "real", "0.0", prefix), end
    kind = "real" if fraction or exponent else "int"
    if m["rest"] or not all(_well_grouped(part) for part in (whole, fraction[1:], exponent)):
        _malformed(scan, text[start:end], m["rest"], start, end)
        return Literal(span, kind, "0.0" if kind == "real" else 0, prefix), end
    if kind == "real":
        return Literal(span, "real", (whole + fraction + exponent).replace("_", ""), prefix), end
    return Literal(span, "int", _int(scan, whole, 10, start, end), prefix), end


def prefixed(scan: Scan, start: int, at: int) -> tuple[Expr, int]:
    """A literal with a type before '#' (6.3.2, Table 5 no. 7, 6.3.4); `at` is after the '#'."""
    written = scan.text[start : at - 1]
    prefix = written.upper()
    if prefix in TIME_TYPES:
        return temporal(scan, TIME_TYPES[prefix], start, at)
    if prefix in STRING_TYPES:
        return _typed_string(scan, prefix, start, at)
    if prefix in INTEGER_TYPES or prefix in REAL_TYPES:
        return _typed_number(scan, prefix, start, at)
    if _NAME_START.match(scan.text, at):
        end = _word_end(scan, at)
        name = scan.text[at:end]
        return Literal(scan.span(start, end), "typed", name, written), end
    end = _word_end(scan, at)
    scan.error(
        "E0015",
        f"expected a name after '{written}#'",
        start,
        max(end, at),
        help=did_you_mean(prefix, sorted(INTEGER_TYPES | REAL_TYPES | set(TIME_TYPES)))
        or f"an enumerated value is written '{written}#Name'",
    )
    return Literal(scan.span(start, end), "int", 0), end


def quoted(scan: Scan, start: int, prefix: str | None = None) -> tuple[Literal, int]:
    """A character string at its opening quote (6.3.3, Tables 6 and 7)."""
    text = scan.text
    wide = text[start] == '"' or (prefix is not None and prefix[0] == "W")
    m = _QUOTED.match(text, start)
    if m is None:
        return _unclosed_string(scan, start, prefix)
    close = m.end() - 1
    body = text[start + 1 : close]
    value = _unescape(scan, body, start + 1, wide) if "$" in body else body
    if not wide and not body.isascii():
        _check_narrow(scan, body, start + 1)
    kind = "wstring" if wide else "string"
    return Literal(scan.span(start, close + 1), kind, value, prefix), close + 1


# --- numbers ---------------------------------------------------------------------------------


def _has_open_point(text: str, start: int, end: int) -> bool:
    """Is this `5.`, a real without its fraction, and not `1..5`, `x.3.y` or `5.name`?"""
    if text[end : end + 1] != "." or text[end + 1 : end + 2] == ".":
        return False
    if start and text[start - 1] == ".":
        return False
    return not _NAME_START.match(text, end + 1) and text[end + 1 : end + 2] != "%"


def _well_grouped(part: str) -> bool:
    """Are there only single underscores between digits?"""
    return "_" not in part or _DIGITS.fullmatch(part.lstrip("eE+-")) is not None


def _malformed(scan: Scan, text: str, rest: str, start: int, end: int) -> None:
    advice = ""
    if re.fullmatch(r"0[xX][0-9a-fA-F_]+", text):
        advice = f"hexadecimal is written '16#{text[2:]}'"
    elif re.fullmatch(r"0[bB][01_]+", text):
        advice = f"binary is written '2#{text[2:]}'"
    elif re.fullmatch(r"0[oO][0-7_]+", text):
        advice = f"octal is written '8#{text[2:]}'"
    elif rest.lower() in UNITS:
        advice = f"a duration is written 'T#{text}'"
    elif rest.lower() in ("e", "e_"):
        advice = "write the exponent after 'e'"
    elif rest and rest.strip("_"):
        advice = "names do not start with a digit; put a space or an operator after a number"
    else:
        advice = "underscores stand singly between digits"
    scan.error("E0005", f"'{text[:40]}' is not a number", start, end, help=advice)


def _int(scan: Scan, digits: str, base: int, start: int, end: int) -> int:
    digits = digits.replace("_", "")
    if len(digits) > 40:
        digits = digits.lstrip("0") or "0"
    value = int(digits, base) if len(digits) <= _MOST_DIGITS else 1 << 64
    if value >= 1 << 64:
        scan.error(
            "E0017",
            "this integer does not fit into 64 bits",
            start,
            end,
            help="the largest integer is 18446744073709551615 (ULINT, LWORD)",
        )
        return 0
    return value


def _based(scan: Scan, base_text: str, digits: str, start: int, end: int) -> int:
    known = {"2": 2, "8": 8, "10": 10, "16": 16}
    base = known.get(base_text.replace("_", ""))
    at = start + len(base_text) + 1
    if base is None:
        scan.error(
            "E0006",
            f"there is no number base {base_text[:20]}",
            start,
            at - 1,
            help="the bases are 2#, 8#, 10# and 16#",
        )
        return 0
    legal = "0123456789ABCDEF"[:base]
    for i, char in enumerate(digits):
        if char != "_" and char.upper() not in legal:
            hint = f"base {base} has the digits {legal[0]} to {legal[-1]}"
            scan.error(
                "E0007", f"'{char}' is not a digit of base {base}", at + i, at + i + 1, help=hint
            )
            return 0
    if not digits or digits[0] == "_" or digits[-1] == "_" or "__" in digits:
        advice = "underscores stand singly between digits" if digits else "write digits after '#'"
        scan.error(
            "E0005", f"'{base_text}#{digits[:40]}' is not a number", start, end, help=advice
        )
        return 0
    return _int(scan, digits, base, start, end)


def _typed_number(scan: Scan, prefix: str, start: int, at: int) -> tuple[Expr, int]:
    text = scan.text
    sign = text[at : at + 1] if text[at : at + 1] in ("+", "-") else ""
    first = at + len(sign)
    wanted = "a number" if prefix in REAL_TYPES else "an integer"
    if prefix == "BOOL":
        wanted = "0, 1, TRUE or FALSE"
    if not text[first : first + 1] or text[first] not in "0123456789":
        end = _word_end(scan, first)
        word = text[first:end].upper()
        if prefix == "BOOL" and not sign and word in ("TRUE", "FALSE"):
            return Literal(scan.span(start, end), "bool", word == "TRUE", prefix), end
        _unsuitable(scan, prefix, wanted, start, end)
        return _zero(scan, prefix, start, end), end
    literal, end = number(scan, first, prefix)
    value = literal.value
    if prefix in REAL_TYPES:
        if literal.kind == "int":
            value = str(value)
        literal = Literal(scan.span(start, end), "real", value, prefix)
    elif literal.kind != "int" or (prefix == "BOOL" and (sign or value not in (0, 1))):
        _unsuitable(scan, prefix, wanted, start, end)
        return _zero(scan, prefix, start, end), end
    else:
        literal = Literal(scan.span(start, end), "int", value, prefix)
    return (Unary(literal.span, sign, literal) if sign else literal), end


def _zero(scan: Scan, prefix: str, start: int, end: int) -> Literal:
    if prefix in REAL_TYPES:
        return Literal(scan.span(start, end), "real", "0.0", prefix)
    return Literal(scan.span(start, end), "int", 0, prefix)


def _unsuitable(scan: Scan, prefix: str, wanted: str, start: int, end: int) -> None:
    example = "TRUE" if prefix == "BOOL" else "1.5" if prefix in REAL_TYPES else "5"
    scan.error(
        "E0015",
        f"expected {wanted} directly after '{prefix}#'",
        start,
        end,
        help=f"for example {prefix}#{example}; to convert a variable, call a function",
    )


def _word_end(scan: Scan, at: int) -> int:
    m = _WORD.match(scan.text, at)
    return m.end() if m else at


# --- strings ---------------------------------------------------------------------------------


def _typed_string(scan: Scan, prefix: str, start: int, at: int) -> tuple[Literal, int]:
    wide = prefix[0] == "W"
    quote = '"' if wide else "'"
    char = scan.text[at : at + 1]
    if char not in ("'", '"') or not char:
        end = _word_end(scan, at)
        _unsuitable(scan, prefix, f"{quote}text{quote}", start, end)
        return Literal(scan.span(start, end), "wstring" if wide else "string", "", prefix), end
    literal, end = quoted(scan, at, prefix)
    if char != quote and not wide:  # WSTRING#'text' is Table 6 no. 4c
        _unsuitable(scan, prefix, f"{quote}text{quote} with this quote", start, end)
    value = literal.value
    assert isinstance(value, str)
    if prefix in ("CHAR", "WCHAR") and len(value) != 1:
        scan.error(
            "E0016",
            f"{prefix}# takes exactly one character, not {len(value)}",
            start,
            end,
            help=f"a string is written {quote}...{quote} or {'W' * wide}STRING#{quote}...{quote}",
        )
        value = " "
    return Literal(scan.span(start, end), "wstring" if wide else "string", value, prefix), end


def _unclosed_string(scan: Scan, start: int, prefix: str | None) -> tuple[Literal, int]:
    """Report; what looks like the end of the statement is not taken for text."""
    quote = scan.text[start]
    m = _LINE_REST.match(scan.text, start)
    line = m.group() if m else quote
    end = start + max(1, len(line.rstrip(" \t;),]")))
    advice = f"close it with {quote} on the same line"
    if f"${quote}" in line:
        advice += f"; '${quote}' is a quote inside the text, '$$' a dollar sign"
    scan.error("E0003", "string is not closed", start, end, label="opened here", help=advice)
    kind = "wstring" if quote == '"' else "string"
    return Literal(scan.span(start, end), kind, " ", prefix), end


def _unescape(scan: Scan, body: str, at: int, wide: bool) -> str:
    out: list[str] = []
    digits = 4 if wide else 2
    i = 0
    while True:
        dollar = body.find("$", i)
        if dollar < 0:
            out.append(body[i:])
            return "".join(out)
        out.append(body[i:dollar])
        char = body[dollar + 1 : dollar + 2]
        code = body[dollar + 1 : dollar + 1 + digits]
        if char and char in _ESCAPES:
            out.append(_ESCAPES[char])
            i = dollar + 2
        elif re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", code):
            out.append(chr(int(code, 16)))
            i = dollar + 1 + digits
        else:
            scan.error(
                "E0004",
                f"'${char}' does not begin a valid escape",
                at + dollar,
                at + dollar + 1 + len(char),
                help="the escapes are $$ $' $\" $L $N $P $R $T and "
                + ("$hhhh with four" if wide else "$hh with two")
                + " hexadecimal digits; a dollar sign is '$$'",
            )
            i = dollar + 1 + len(char)


def _check_narrow(scan: Scan, body: str, at: int) -> None:
    for i, char in enumerate(body):
        if ord(char) > 255:
            scan.error(
                "E0018",
                f"'{char}' does not fit into a byte of a STRING"
                if char.isprintable()
                else f"U+{ord(char):04X} does not fit into a byte of a STRING",
                at + i,
                at + i + 1,
                help='write a WSTRING: "text" in double quotes',
            )
            return
