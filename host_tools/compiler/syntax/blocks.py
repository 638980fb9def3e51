"""Where blocks of statements begin and end: THEN, DO, OF, labels of CASE, END_IF and the like."""

from __future__ import annotations

from host_tools.compiler.lexer import END_KEYWORDS, VAR_KEYWORDS, Token
from host_tools.compiler.source import Span
from host_tools.compiler.syntax.cursor import FIRM, UNIT_KEYWORDS, Cursor, near_keyword
from host_tools.compiler.syntax.expressions import OPERATORS

ENDS = END_KEYWORDS | UNIT_KEYWORDS | VAR_KEYWORDS | {"ELSE", "ELSIF", "UNTIL", "eof"}
STATEMENT_ENDS = frozenset({"END_IF", "END_CASE", "END_FOR", "END_WHILE", "END_REPEAT"})
_LABEL_TOKENS = frozenset({"literal", "name", ".", "..", ",", "+", "-"})
_OPENERS = frozenset({"IF", "CASE", "FOR", "WHILE", "REPEAT"})


def too_deep(c: Cursor) -> bool:
    """Count one level up; beyond the limit, report and step over the block at hand."""
    c.depth += 1
    if not c.nested_too_deeply("statements"):
        return False
    c.implied = None
    c.skip_block(_OPENERS, STATEMENT_ENDS)
    c.told_at = c.index
    c.accept(";")
    c.broken = False
    c.depth -= 1
    return True


def first_keyword(c: Cursor) -> Token:
    """IF, CASE, FOR, WHILE or REPEAT, also where something else stood for it."""
    if c.implied is not None:
        token, c.implied = c.implied, None
        return token
    token = c.advance()
    if c.tok.kind == token.kind:
        c.error("E0100", f"{token.kind} stands here twice", help="remove one of them")
        c.advance()
        c.broken = False
    return token


def end(c: Cursor, opening: Token, end: str) -> Span:
    """The END of a block; the span of the whole."""
    c.open.pop()
    c.close(opening, end)
    span = c.span(opening.start)
    c.accept(";")
    c.depth -= 1
    return span


def keyword(c: Cursor, keyword: str, after: str) -> bool:
    """THEN, DO or OF. Where it is missing, it is found or imagined. False where braces stand in
    its place: they are taken for the whole block."""
    if c.tok.kind == keyword:
        c.advance()
        c.broken = False
        return True
    if c.index in c.pragmas:
        _braces(c, keyword)
        return False
    if c.tok.kind in ("THEN", "DO", "OF", ":"):
        end = c.open[-1]
        c.error(
            "E0102",
            f"expected {keyword} after {after}, found {c.found()}",
            help=f"write '{keyword}'" + f", and {end} after the block" * (c.tok.kind == ":"),
        )
        if c.tok.kind == ":":
            c.excused.add(end)  # as in Python, where blocks have no end
        c.advance()
    elif c.tok.kind == "name" and near_keyword(c.tok.text, frozenset({keyword})):
        c.respell((keyword,))
        c.advance()
    elif _skip_to(c, keyword, after):
        pass
    elif c.at_beginning() or (keyword == "OF" and at_label(c)):
        c.error(
            "E0102",
            f"expected {keyword} after {after}, found {c.found()}",
            c.before(),
            label=f"add '{keyword}' here",
            help=f"add '{keyword}' here",
        )
    else:
        c.error("E0102", f"expected {keyword} after {after}, found {c.found()}")
        c.skip_line()
    c.broken = False
    return True


def _skip_to(c: Cursor, keyword: str, after: str) -> bool:
    """When `keyword` comes later in the same statement, report and step over what is before."""
    at = c.ahead(keyword)
    if at is None:
        return False
    c.error(
        "E0102",
        f"expected {keyword} after {after}, found {c.found()}",
        help=f"put an operator before {c.found()}, or remove what stands before {keyword}",
    )
    c.back_to(at + 1, len(c.directs))
    return True


def _braces(c: Cursor, keyword: str) -> None:
    brace = c.source.text.find("{", c.end)
    c.error(
        "E0110",
        "braces do not make a block; they enclose pragmas",
        Span(c.source, brace, brace + 1),
        help=f"write {keyword} ... END_{c.open[-1][4:]}",
    )
    while c.tok.kind in ("ELSE", "ELSIF") and c.open[-1] == "END_IF":
        while not (c.tok.kind in FIRM and c.tok.kind != "ELSE" and c.tok.kind != "ELSIF"):
            c.advance()
            if c.index in c.pragmas:
                break
    c.accept(";")
    c.broken = False


def leave(c: Cursor, opening: Token) -> Span:
    """Leave a block whose body stood in braces."""
    c.open.pop()
    c.depth -= 1
    return c.span(opening.start)


def at_label(c: Cursor) -> bool:
    """Does a label of CASE begin here, and not a statement?"""
    kind = c.tok.kind
    if kind in ("literal", "-", "+"):
        return True
    if kind != "name":
        return False
    tokens = c.tokens
    at = c.index + 1
    kind = tokens[at].kind
    while kind == "." and tokens[at + 1].kind in ("name", "literal"):
        at += 2
        kind = tokens[at].kind
    while kind in OPERATORS or kind in ("name", "literal"):
        at += 1
        kind = tokens[at].kind
    if kind == ":":
        return tokens[at + 1].kind != "="
    return kind in (",", "..")


def at_label_of_outer_case(c: Cursor) -> bool:
    """Does a label of a CASE around the block at hand begin here, so that its END is missing?"""
    if "END_CASE" not in c.open[:-1] or not at_label(c):
        return False
    at = c.index
    while c.tokens[at].kind in _LABEL_TOKENS:
        at += 1
    return c.tokens[at].kind == ":" and c.tokens[at + 1].kind != "="
