"""Formats one source, and proves that nothing but its layout has changed."""

from __future__ import annotations

import gc
from collections.abc import Sequence

from host_tools.compiler.diagnostics import Diagnostic, Reporter
from host_tools.compiler.lexer import Token, lex, with_comments
from host_tools.compiler.parser import parse
from host_tools.compiler.source import Source
from host_tools.compiler.syntax.scl import is_scl
from host_tools.compiler.tree import Literal
from host_tools.formatter.items import items
from host_tools.formatter.rows import text_of
from host_tools.formatter.structure import lines
from host_tools.record import Record


class Formatted(Record):
    """`text` is None where the source has errors; they are in `diagnostics`."""

    text: str | None
    diagnostics: tuple[Diagnostic, ...] = ()


def format_source(source: Source) -> Formatted:
    """The source in the one layout. Raises ChangedMeaning, which would be a fault of this package,
    rather than return a text that parses to anything else than the source."""
    collecting = gc.isenabled()
    gc.disable()  # there are no cycles, and looking for them would take most of the time
    try:
        return _format(source)
    finally:
        if collecting:
            gc.enable()


def _format(source: Source) -> Formatted:
    reporter = Reporter()
    tree = parse(source, reporter)
    if reporter.has_errors:
        return Formatted(None, tuple(reporter.diagnostics))
    if is_scl(source.text):
        return Formatted(source.text)  # lines have a meaning there, such as that of REGION
    before, text = layout(source)
    after = Source(source.name, text)
    reporter = Reporter()
    again = parse(after, reporter)
    if reporter.has_errors or not same_tree(tree, again):
        raise ChangedMeaning(source.name)
    if _content(before) != _content(with_comments(after, lex(after, Reporter()))):
        raise ChangedMeaning(source.name)
    return Formatted(text)


class ChangedMeaning(Exception):
    """The formatter would have changed more than the layout of the source it names."""


def layout(source: Source) -> tuple[list[Token], str]:
    """The tokens and comments of a source without lexical errors, and its text in the one layout.
    What does not parse is laid out as well as it can be; nothing is lost."""
    plain = Source(source.name, source.text.replace("\r\n", "\n").replace("\r", "\n"))
    tokens = with_comments(plain, lex(plain, Reporter()))
    return tokens, text_of(lines(items(plain.text, tokens)))


def _content(tokens: Sequence[Token]) -> tuple[list[str], list[str]]:
    """Comments and pragmas, and everything else but ';', in order and without regard to blanks
    and case."""
    aside = [
        " ".join(token.text.split()) for token in tokens if token.kind in ("comment", "pragma")
    ]
    code = [
        token.text if token.text[:1] in "'\"" else token.text.upper()
        for token in tokens
        if token.kind not in ("comment", "pragma", ";", "eof")
    ]
    return aside, code


def same_tree(one: object, other: object) -> bool:
    """Do two trees say the same? The case of names does not matter (6.1.2), nor the kind of line
    ends in a pragma."""
    pairs: list[tuple[object, object]] = [(one, other)]
    while pairs:
        a, b = pairs.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, Literal) and isinstance(b, Literal):
            if a.kind != b.kind or a.value != b.value:
                return False
            pairs.append((a.prefix, b.prefix))
        elif isinstance(a, Record) and isinstance(b, Record):
            pairs += [(getattr(a, name), getattr(b, name)) for name in a._compared]
        elif isinstance(a, tuple) and isinstance(b, tuple):
            if len(a) != len(b):
                return False
            pairs += zip(a, b, strict=True)
        elif isinstance(a, str) and isinstance(b, str):
            if a.upper().split() != b.upper().split():
                return False
        elif a != b:
            return False
    return True
