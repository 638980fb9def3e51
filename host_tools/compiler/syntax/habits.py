"""What people write who come from other languages, and what to write instead.

C, Pascal, Python, SCL of Siemens, the dialect of Rockwell, Instruction List. None of this changes
what a right program means: it is asked only where the parser knows that something is wrong, or
before a name that no statement goes on with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from host_tools.compiler.source import Span

if TYPE_CHECKING:
    from host_tools.compiler.lexer import Token
    from host_tools.compiler.syntax.cursor import Cursor

_UNITS = {
    **dict.fromkeys(("ns", "nanosecond", "nanoseconds"), "ns"),
    **dict.fromkeys(("us", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("h", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}

_TYPES = {
    **{
        t: t
        for t in (
            *("BOOL", "BYTE", "WORD", "DWORD", "LWORD", "SINT", "INT", "DINT", "LINT", "USINT"),
            *("UINT", "UDINT", "ULINT", "REAL", "LREAL", "TIME", "LTIME", "STRING", "WSTRING"),
        )
    },
    "FLOAT": "REAL",
    "DOUBLE": "LREAL",
    "CHAR": "CHAR",
    "LONG": "DINT",
    "SHORT": "INT",
    "INTEGER": "INT",
    "BOOLEAN": "BOOL",
    "UNSIGNED": "UDINT",
    "SIGNED": "DINT",
}

_LISTED = frozenset({"LD", "LDN", "ST", "STN", "ANDN", "ORN", "XORN", "JMPC", "JMPCN", "RETC"})
"""Operators of Instruction List that no keyword of ST is."""

_CALLS = frozenset({"CAL", "CALL", "CALC", "CALCN"})
_JUMPS = frozenset({"GOTO", "JMP"})
_LOOPS = ("END_FOR", "END_WHILE", "END_REPEAT")


# --- help for what was found -----------------------------------------------------------------


def advice(c: Cursor, code: str) -> str:
    """A help for an unexpected token, empty where no habit explains it."""
    before = c.tokens[c.index - 1] if c.index else c.tok
    if code == "E0100":
        return _after_a_statement(c, before, c.tok)
    if code == "E0104":
        return _no_value(before, c.tok)
    return ""


def _after_a_statement(c: Cursor, before: Token, token: Token) -> str:
    follows = c.peek()
    is_number = before.text[:1].isdigit()
    if token.kind == ",":
        if is_number and follows.text[:1].isdigit() and follows.start == token.end:
            return f"the decimal mark is a point: write '{before.text}.{follows.text}'"
        return "a statement ends with ';'"
    if token.kind == ":":
        return "a statement ends with ';'"
    if token.kind == "." and before.text[:1] == '"':
        return f"names stand without quotes: {before.text[1:-1][:30]}.{follows.text[:30]}"
    if token.kind == "name" and is_number and token.text.lower() in _UNITS:
        return f"a duration is written 'T#{before.text}{_UNITS[token.text.lower()]}'"
    if token.kind == "name" and token.text.upper() == "DIV":
        return "integers are divided with '/'"
    if before.kind == "^" and token.kind in ("name", "literal", "("):
        return "a power is written 'x ** y'; '^' follows a reference"
    if token.kind in (")", "]"):
        return f"remove it, or add the opening '{'(' if token.kind == ')' else '['}'"
    if before.kind == "name" and token.kind in ("name", "literal") and not c.on_new_line():
        one, other = before.text[:30], token.text[:30]
        return f"put an operator between the two, or write '{one}({other})' for a call"
    return ""


def _no_value(before: Token, token: Token) -> str:
    if token.text == "&":
        return "a reference to a variable is written REF(x), a pointer ADR(x)"
    if token.kind == "THEN" and before.kind == "AND":
        return "write 'AND_THEN' as one word, or remove AND"
    if token.kind == "ELSE" and before.kind == "OR":
        return "write 'OR_ELSE' as one word, or remove OR"
    if token.kind == ":=" and before.kind == "[":
        return "write ':='; '[:=]' is of another dialect"
    if token.kind in (";", ")", "]", ",") and before.kind not in ("name", "literal", "("):
        return f"write a value after '{before.text[:30]}', or remove it"
    return ""


# --- statements ------------------------------------------------------------------------------


def statement(c: Cursor) -> bool:
    """A statement of another language at a name: report and step over what is foreign in it."""
    word = c.tok.text.upper()
    follows = c.peek()
    same_line = c.source.text.find("\n", c.tok.end, follows.start) < 0
    alone = follows.kind == ";" or not same_line
    if follows.text.upper() in ("S", "R", "REF") and c.peek(2).kind == "=":
        return False  # x S= y
    if word in c.owed and (alone or follows.kind != "name"):
        c.owed.remove(word)
        c.advance()
        c.accept(";")
        return True
    if word == "END" and alone and c.open:
        return _end(c)
    if word == "BEGIN":
        return _begin(c)
    if word in ("BREAK", "END_REGION") and alone:
        advice = _break(c) if word == "BREAK" else "remove it, or write {endregion}"
        c.error("E0112", f"{word} is no statement of Structured Text", help=advice)
        c.skip()
        c.broken = False
        return True
    if word == "REGION":
        return _region(c)
    if not same_line or follows.kind not in ("name", "literal"):
        return False
    if word in _CALLS and follows.kind == "name":
        c.error(
            "E0112",
            f"{word} is no statement of Structured Text",
            help=f"write '{follows.text[:30]}(...);'",
        )
        c.advance()
        c.broken = False
        return True
    if word in _TYPES and follows.kind == "name":
        name = follows.text[:30]
        c.error(
            "E0119",
            f"expected a statement, found the declaration of '{name}'",
            c.here().to(c.of(follows)),
            help=f"write '{name} : {_TYPES[word]};' between VAR and END_VAR",
        )
    elif word in _JUMPS:
        c.error(
            "E0112",
            "Structured Text has no jumps",
            c.here().to(c.of(follows)),
            help="write IF or WHILE around the statements; EXIT leaves a loop, RETURN the POU",
        )
    elif word in _LISTED:
        c.error(
            "E0112",
            "this is Instruction List, not Structured Text",
            c.here().to(c.of(follows)),
            help="write it as an assignment, 'x := a AND b;'; `takt import` translates whole "
            "projects",
        )
        c.advance()
        c.skip_line()
        c.broken = False
        return True
    elif word in ("SET", "RESET") and c.peek(2).kind == ";":
        value = "TRUE" if word == "SET" else "FALSE"
        c.error(
            "E0112",
            f"{word} is no statement of Structured Text",
            c.here().to(c.of(follows)),
            help=f"write '{follows.text[:30]} := {value};'",
        )
    else:
        return False
    c.skip()
    c.broken = False
    return True


def _end(c: Cursor) -> bool:
    end = c.open[-1]
    c.error("E0109", "'END' alone ends nothing", help=f"write '{end}'")
    c.broken = False
    c.tok.kind = end
    return True


def _begin(c: Cursor) -> bool:
    c.error(
        "E0112",
        "BEGIN is no statement of Structured Text",
        help="remove it and its END: statements stand directly after THEN, DO and ELSE",
    )
    c.advance()
    c.owed.append("END")
    c.broken = False
    return True


def _region(c: Cursor) -> bool:
    line = c.tok.end
    end = c.source.text.find("\n", line)
    title = c.source.text[line : end if end >= 0 else None].strip()
    c.error(
        "E0112",
        "REGION is no statement of Structured Text",
        help=f"write it as a pragma, '{{region {title[:30]}}}', or as a comment",
    )
    c.advance()
    while c.tok.kind != "eof" and not c.on_new_line():
        c.advance()
    c.owed.append("END_REGION")
    c.broken = False
    return True


def _break(c: Cursor) -> str:
    inner = next((end for end in reversed(c.open) if end in (*_LOOPS, "END_CASE")), None)
    if inner == "END_CASE":
        return "remove it: a branch of CASE ends where the next label stands"
    return "to leave a loop write 'EXIT;'" if inner else "to leave a POU write 'RETURN;'"


def switch(c: Cursor) -> bool:
    """`switch (x) { ... }`; without braces it may be a call."""
    at = c.index + 1
    depth = 0
    while c.tokens[at].kind not in (";", "eof", ":="):
        depth += (c.tokens[at].kind == "(") - (c.tokens[at].kind == ")")
        at += 1
        if depth == 0:
            break
    if at not in c.pragmas:
        return False
    inside = Span(c.source, c.tokens[c.index + 1].end, c.tokens[at - 1].start).text
    c.error(
        "E0112",
        "'switch' is no statement of Structured Text",
        help=f"write 'CASE {inside[:30]} OF 1: ...; END_CASE;'",
    )
    c.back_to(at, len(c.directs))
    c.broken = False
    return True
