"""Conditional pragmas, as CODESYS has them: `{IF defined (x)} … {ELSE} … {END_IF}`.

`{define x}` and `{undefine x}` hold from there to the end of the source. What a condition leaves
out is not parsed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.lexer import Token
from host_tools.compiler.source import Source, Span

_WORD = re.compile(r"\{\s*(IF|ELSIF|ELSE|END_IF|DEFINE|UNDEFINE)\b\s*([^{};]*?)\s*\}", re.I)
_PART = re.compile(r"\s*(?:(defined)\s*\(\s*(\w+)\s*\)|(NOT|AND|OR)\b|([()])|(.+))", re.I | re.S)


def selected(source: Source, tokens: Sequence[Token], reporter: Reporter) -> list[Token]:
    """The tokens that the conditions leave."""
    kept: list[Token] = []
    known: set[str] = set()
    # For each open condition: the pragma, is this branch taken, was one taken, is the outside.
    open_: list[tuple[Token, bool, bool, bool]] = []
    active = True
    for token in tokens:
        m = _WORD.match(token.text) if token.kind == "pragma" else None
        if m is None:
            if active or token.kind == "eof":
                kept.append(token)
            continue
        word, rest = m[1].upper(), m[2]
        if word in ("DEFINE", "UNDEFINE"):
            name = rest.split()[0].upper() if rest else ""
            if active:
                known.add(name) if word == "DEFINE" else known.discard(name)
        elif word == "IF":
            taken = active and _is_true(source, token, rest, known, reporter)
            open_.append((token, taken, taken, active))
            active = taken
        elif not open_:
            _report(source, reporter, token, f"{{{word}}} without {{IF …}}", "remove it")
        elif word == "END_IF":
            active = open_.pop()[3]
        else:
            first, _, before, outside = open_.pop()
            taken = outside and not before
            if word == "ELSIF" and taken:
                taken = _is_true(source, token, rest, known, reporter)
            open_.append((first, taken, taken or before, outside))
            active = taken
    for first, *_ in open_:
        _report(source, reporter, first, "{IF …} is not closed", "add {END_IF}")
    return kept


def has_conditions(source: Source) -> bool:
    return "{" in source.text and _WORD.search(source.text) is not None


def _is_true(source: Source, token: Token, text: str, known: set[str], reporter: Reporter) -> bool:
    """NOT before AND before OR, and parentheses."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        m = _PART.match(text, at)
        if m is None:
            break
        at = m.end()
        if m[5] is not None:
            parts = []
            break
        parts.append(m[3].upper() if m[3] else m[4] or ("1" if m[2].upper() in known else "0"))
    value, rest = _or(parts)
    if not parts or rest or value is None:
        _report(
            source,
            reporter,
            token,
            f"this condition cannot be decided: {text[:60] or 'there is none'}",
            "write defined (name), NOT, AND, OR; names are set with {define name}",
        )
        return False
    return value


def _or(parts: list[str]) -> tuple[bool | None, list[str]]:
    value, parts = _and(parts)
    while parts and parts[0] == "OR" and value is not None:
        right, parts = _and(parts[1:])
        value = None if right is None else value or right
    return value, parts


def _and(parts: list[str]) -> tuple[bool | None, list[str]]:
    value, parts = _not(parts)
    while parts and parts[0] == "AND" and value is not None:
        right, parts = _not(parts[1:])
        value = None if right is None else value and right
    return value, parts


def _not(parts: list[str]) -> tuple[bool | None, list[str]]:
    negated = False
    while parts and parts[0] == "NOT":
        negated, parts = not negated, parts[1:]
    if parts and parts[0] == "(":
        value, parts = _or(parts[1:])
        if not parts or parts[0] != ")":
            return None, parts
        parts = parts[1:]
    elif parts and parts[0] in "01":
        value, parts = parts[0] == "1", parts[1:]
    else:
        return None, parts
    return (None if value is None else value != negated), parts


def _report(source: Source, reporter: Reporter, token: Token, message: str, help_: str) -> None:
    reporter.report(
        "E0361",
        message,
        Span(source, token.start, token.end),
        help=help_,
    )
