"""Literals: numbers, typed literals, strings, durations and dates (IEC 61131-3:2013, 6.3).

Every function is given the scan and the place where the literal starts, and returns its tree node
and the place after it. A malformed literal is reported and becomes a harmless value of its kind,
so that nothing after the lexer stumbles over it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from host_tools.compiler.diagnostics import Label, Reporter, did_you_mean
from host_tools.compiler.source import Source, Span
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
# Every spelling of the prefixes of durations and dates, and the one the tree uses.
TIME_TYPES = {
    "T": "TIME",
    "TIME": "TIME",
    "LT": "LTIME",
    "LTIME": "LTIME",
    "D": "DATE",
    "DATE": "DATE",
    "LD": "LDATE",
    "LDATE": "LDATE",
    "TOD": "TOD",
    "TIME_OF_DAY": "TOD",
    "LTOD": "LTOD",
    "LTIME_OF_DAY": "LTOD",
    "DT": "DT",
    "DATE_AND_TIME": "DT",
    "LDT": "LDT",
    "LDATE_AND_TIME": "LDT",
}

_DIGITS = re.compile(r"[0-9]+(?:_[0-9]+)*")
_NUMBER = re.compile(
    r"(?P<base>[0-9][0-9_]*)\#(?P<digits>\w*)"
    r"|(?P<whole>[0-9][0-9_]*)(?P<fraction>\.[0-9][0-9_]*)?(?P<exponent>[eE][+-]?[0-9][0-9_]*)?"
    r"(?P<rest>\w*)"
)
_WORD = re.compile(r"\w*")
_NAME_START = re.compile(r"[^\W\d]")
_DURATION = re.compile(r"[+-]?(?:\w|\.(?=[0-9]))*")
_PART = re.compile(r"([0-9][0-9_]*)(?:\.([0-9][0-9_]*))?([A-Za-z]*)_?")
_DATE = re.compile(r"([0-9]+)-([0-9]+)-([0-9]+)")
_CLOCK = re.compile(r"([0-9]+):([0-9]+)(?::([0-9]+)(?:\.([0-9][0-9_]*))?)?")
_DATE_LIKE = re.compile(r"(?:[\w:-]|\.(?=[0-9]))*")
_LINE_REST = re.compile(r"[^\r\n]*")
_QUOTED = re.compile(r"""'(?:[^$'\r\n]++|\$[^\r\n])*+'|"(?:[^$"\r\n]++|\$[^\r\n])*+\"""")

_DAY = 86_400_000_000_000
_HOUR = 3_600_000_000_000
_MINUTE = 60_000_000_000
_SECOND = 1_000_000_000
# unit: nanoseconds, and the first value that overflows it when a bigger unit stands before
_UNITS = {
    "d": (_DAY, 0),
    "h": (_HOUR, 24),
    "m": (_MINUTE, 60),
    "s": (_SECOND, 60),
    "ms": (1_000_000, 1000),
    "us": (1000, 1000),
    "ns": (1, 1000),
}
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


@dataclass(frozen=True, slots=True)
class Scan:
    """What a piece of the lexer needs: the text and where to report."""

    source: Source
    text: str
    reporter: Reporter

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def error(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        *,
        label: str = "",
        others: Iterable[Label] = (),
        help: str = "",
    ) -> None:
        span = Span(self.source, start, end)
        self.reporter.report(code, message, span, label=label, others=others, help=help)


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
        return _temporal(scan, TIME_TYPES[prefix], start, at)
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
    wide = text[start] == '"'
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
    elif rest.lower() in _UNITS:
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
    scan.error("E0015", f"expected {wanted} directly after '{prefix}#'", start, end)


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
    if char != quote:
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


# --- durations and dates ---------------------------------------------------------------------


def _temporal(scan: Scan, prefix: str, start: int, at: int) -> tuple[Literal, int]:
    if prefix in ("TIME", "LTIME"):
        value, end = _duration(scan, start, at)
        kind = "time"
    elif prefix in ("DATE", "LDATE"):
        value, end = _date(scan, start, at)
        kind = "date"
    elif prefix in ("TOD", "LTOD"):
        value, end = _time_of_day(scan, start, at)
        kind = "tod"
    else:
        value, end = _date_and_time(scan, start, at)
        kind = "dt"
    if not -(1 << 63) <= value < 1 << 63:
        scan.error(
            "E0017",
            f"'{scan.text[start:end][:40]}' does not fit into 64 bits of nanoseconds",
            start,
            end,
            help="durations reach to about 292 years, dates from 1677-09-22 to 2262-04-11",
        )
        value = 0
    return Literal(scan.span(start, end), kind, value, prefix), end


def _duration(scan: Scan, start: int, at: int) -> tuple[int, int]:
    """Table 8. Only the first unit may overflow, only the last may have a fraction."""
    m = _DURATION.match(scan.text, at)
    end = m.end() if m else at
    first = at + 1 if scan.text[at : at + 1] in ("+", "-") and end > at else at
    total = 0
    bigger: str | None = None
    fraction_of: str | None = None
    here = first
    while here < end or here == first:
        part = _PART.match(scan.text, here, end)
        if part is None or not (_well_grouped(part[1].rstrip("_")) and part[1][-1] != "_"):
            return _no_duration(
                scan, start, end, "write numbers with units, as in T#1h30m or T#1.5s"
            )
        unit = part[3].lower()
        if unit not in _UNITS:
            advice = "the units are d, h, m, s, ms, us and ns"
            return _no_duration(scan, start, end, advice if unit else f"add a unit; {advice}")
        nanoseconds, limit = _UNITS[unit]
        if fraction_of is not None:
            advice = f"only the last part may have a fraction, not '{fraction_of}'"
            return _no_duration(scan, start, end, advice)
        if bigger is not None and _UNITS[bigger][0] <= nanoseconds:
            advice = "order the units d, h, m, s, ms, us, ns, each at most once"
            return _no_duration(scan, start, end, advice)
        digits = part[1].replace("_", "").lstrip("0") or "0"
        if len(digits) > 25:
            return 1 << 64, end
        count = int(digits)
        if bigger is not None and count >= limit:
            scan.error(
                "E0010",
                f"{count}{unit} is more than one {_above(unit)}",
                here,
                part.end(3),
                help=f"after '{bigger}' the '{unit}' part goes up to {limit - 1}",
            )
            return 0, end
        total += count * nanoseconds
        if part[2] is not None:
            fraction_of = unit
            small = part[2].replace("_", "").rstrip("0")
            if len(small) > 25 or nanoseconds * int(small or "0") % 10 ** len(small):
                return _no_duration(scan, start, end, "the finest duration is one nanosecond")
            total += nanoseconds * int(small or "0") // 10 ** len(small)
        bigger = unit
        here = part.end()
    if scan.text[end - 1] == "_":
        return _no_duration(scan, start, end, "underscores stand singly between the parts")
    return (-total if scan.text[at] == "-" else total), end


def _above(unit: str) -> str:
    names = {"h": "day", "m": "hour", "s": "minute", "ms": "second", "us": "millisecond"}
    return names.get(unit, "microsecond")


def _no_duration(scan: Scan, start: int, end: int, advice: str) -> tuple[int, int]:
    text = scan.text[start:end]
    scan.error("E0009", f"'{text[:40]}' is not a duration", start, end, help=advice)
    return 0, end


def _date(scan: Scan, start: int, at: int) -> tuple[int, int]:
    m = _DATE.match(scan.text, at)
    if m is None or _runs_on(scan, m.end()):
        return _no_date(scan, start, at, "write year-month-day, as in D#2024-02-29")
    return _day(scan, m, start) * _DAY, m.end()


def _time_of_day(scan: Scan, start: int, at: int) -> tuple[int, int]:
    m = _CLOCK.match(scan.text, at)
    if m is None or _runs_on(scan, m.end()):
        end = _loose_end(scan, at)
        _no_clock(scan, start, end, "write hours:minutes:seconds, as in TOD#12:30:00.5")
        return 0, end
    return _clock(scan, m), m.end()


def _date_and_time(scan: Scan, start: int, at: int) -> tuple[int, int]:
    day = _DATE.match(scan.text, at)
    clock = None
    if day is not None and scan.text[day.end() : day.end() + 1] == "-":
        clock = _CLOCK.match(scan.text, day.end() + 1)
    if day is None or clock is None or _runs_on(scan, clock.end()):
        advice = "write the date, '-' and the time, as in DT#2024-02-29-12:30:00"
        return _no_date(scan, start, at, advice)
    return _day(scan, day, start) * _DAY + _clock(scan, clock), clock.end()


def _runs_on(scan: Scan, end: int) -> bool:
    """Is there more that looks like part of the date directly after it?"""
    text = scan.text
    if _WORD.match(text, end).end() > end or text[end : end + 1] == ":":  # type: ignore[union-attr]
        return True
    return text[end : end + 1] == "." and text[end + 1 : end + 2].isdigit()


def _loose_end(scan: Scan, at: int) -> int:
    m = _DATE_LIKE.match(scan.text, at)
    return m.end() if m else at


def _no_date(scan: Scan, start: int, at: int, advice: str) -> tuple[int, int]:
    end = _loose_end(scan, at)
    text = scan.text[start:end]
    scan.error("E0011", f"'{text[:40]}' is not a date", start, end, help=advice)
    return 0, end


def _day(scan: Scan, m: re.Match[str], start: int) -> int:
    """Days since 1970-01-01."""
    year, month, day = (group.lstrip("0") or "0" for group in m.groups())
    try:
        if max(map(len, (year, month, day))) > 4:
            raise ValueError
        return date(int(year), int(month), int(day)).toordinal() - 719_163
    except ValueError:
        advice = "years have four digits, months go from 1 to 12"
        if len(month) <= 2 and 1 <= int(month) <= 12 and len(year) <= 4 and int(year):
            last = _last_day(int(year), int(month))
            advice = f"{int(year):04}-{int(month):02} has {last} days"
        scan.error("E0011", f"there is no date {m[0][:40]}", m.start(), m.end(), help=advice)
        return 0


def _last_day(year: int, month: int) -> int:
    if month == 12:
        return 31
    return (date(year, month + 1, 1) - date(year, month, 1)).days


def _clock(scan: Scan, m: re.Match[str]) -> int:
    """Nanoseconds since midnight."""
    values = [int((group or "0").lstrip("0")[:9] or "0") for group in m.groups()[:3]]
    fraction = (m[4] or "0").replace("_", "").rstrip("0")
    for value, limit, unit in zip(
        values, (23, 59, 59), ("hours", "minutes", "seconds"), strict=True
    ):
        if value > limit:
            advice = f"{unit} go from 0 to {limit}"
            _no_clock(scan, m.start(), m.end(), advice)
            return 0
    if len(fraction) > 9:
        _no_clock(scan, m.start(), m.end(), "the finest fraction is one nanosecond")
        return 0
    hours, minutes, seconds = values
    return hours * _HOUR + minutes * _MINUTE + seconds * _SECOND + int(fraction.ljust(9, "0"))


def _no_clock(scan: Scan, start: int, end: int, advice: str) -> None:
    text = scan.text[start:end]
    scan.error("E0012", f"'{text[:40]}' is not a time of day", start, end, help=advice)
