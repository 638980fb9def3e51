"""Assignments and calls, and what is written instead (IEC 61131-3:2013, 7.3.3.2)."""

from __future__ import annotations

from host_tools.compiler.lexer import END_KEYWORDS, STATEMENT_KEYWORDS, VAR_KEYWORDS, Token
from host_tools.compiler.source import Span
from host_tools.compiler.syntax import habits
from host_tools.compiler.syntax.cursor import FIRM, UNIT_KEYWORDS, Cursor, near_keyword
from host_tools.compiler.syntax.expressions import (
    OPERATORS,
    equals_for_assignment,
    expression,
    list_or_expression,
    operand,
)
from host_tools.compiler.syntax.mocks import at_mock, mock
from host_tools.compiler.syntax.type_specs import var_block
from host_tools.compiler.tree import (
    Assign,
    Call,
    CallStatement,
    Deref,
    Direct,
    Expr,
    Index,
    Member,
    Missing,
    Name,
    Statement,
    VarBlock,
)

PLACES = (Name, Direct, Member, Index, Deref)
_NOT_AFTER_NAME = STATEMENT_KEYWORDS | VAR_KEYWORDS | UNIT_KEYWORDS
_NOT_AFTER_NAME |= {"name", "literal", "direct", "NOT", "STRUCT"}
_GOES_ON = frozenset({":=", "(", ".", "[", "^", ":", ",", "=", "?="})
_IN_DECLARATION = frozenset({"name", ",", ":"})
_FORGOTTEN = {"THEN": "IF", "DO": "WHILE", "OF": "CASE", "TO": "FOR"}
_MISSPELT = STATEMENT_KEYWORDS | VAR_KEYWORDS | END_KEYWORDS | {"ELSE", "ELSIF", "UNTIL"}


def simple_statement(c: Cursor) -> Statement | None:
    """An assignment or a call."""
    token = c.tok
    start = token.start
    index, directs = c.index, len(c.directs)
    if token.kind == "name":
        follows = c.peek().kind
        if follows == "name" and at_mock(c):
            return mock(c)
        if follows not in _GOES_ON and habits.statement(c):
            return None
        if follows == "(" and token.text.upper() == "SWITCH" and habits.switch(c):
            return None
        if follows in _NOT_AFTER_NAME and _misspelt_keyword(c):
            return None
        if follows in _IN_DECLARATION and at_declaration(c):
            _misplaced_declaration(c)
            return None
        target = operand(c)
    elif token.kind == "direct":
        target = operand(c)
    else:
        target = expression(c)
    if c.tok.kind == "=" and not c.broken:
        keyword = c.ahead("THEN", "DO")
        if keyword is not None:
            _forgotten(c, token, index, directs, c.tokens[keyword].kind)
            return None
    op = _assignment_operator(c)
    if op is not None:
        if not c.broken and not isinstance(target, PLACES):
            _not_assignable(c, target)
        value = list_or_expression(c)
        if c.tok.kind == "TO" and not c.broken:
            _forgotten(c, token, index, directs, "TO")
            return None
        more: list[Expr] = []
        while op == ":=" and c.tok.kind == ":=" and not c.broken:
            if not isinstance(value, PLACES):
                _not_assignable(c, value)
            c.advance()
            more.append(value)
            value = list_or_expression(c)
        if c.tok.kind in (":=", "?="):
            c.error(
                "E0111",
                f"a statement has one '{op}'",
                help="write one assignment after the other",
            )
        statement = Assign(c.span(start), target, value, op, tuple(more))
        c.semicolon("the assignment")
        return statement
    compared = c.tok.kind in OPERATORS and c.ahead("THEN", "DO") is not None
    if isinstance(target, Call) and c.tok.kind not in ("THEN", "DO", "OF") and not compared:
        call = CallStatement(target.span, target)
        c.semicolon("the call")
        return call
    if not c.broken and not isinstance(target, Missing):
        if token.kind == "name" and _respelt(c, token, index, directs):
            return None
        at = c.ahead("THEN", "DO", "OF", "TO")
        if at is not None and c.tokens[at].kind != "TO":
            _forgotten(c, token, index, directs, c.tokens[at].kind)
            return None
        _not_a_statement(c, token, target)
    c.semicolon("the statement")
    return None


def _misspelt_keyword(c: Cursor) -> bool:
    """`WHLE x DO`, `END_FI`, `ELSEIF x`: a name before something no statement goes on with."""
    follows = c.peek()
    if follows.kind == "name" and c.peek(2).kind == "=":
        return False  # x S= y
    if c.respell_end():
        return True
    if c.source.text.find("\n", c.tok.end, follows.start) >= 0:
        return False
    return c.respell(_MISSPELT)


def _respelt(c: Cursor, token: Token, index: int, directs: int) -> bool:
    """`RETRUN;`, `WHLE(x) DO`, `ELES` at the end of a line: begin again with the right keyword."""
    if c.tok.kind in (";", "THEN", "DO", "OF", "eof") or c.on_new_line():
        keyword = near_keyword(token.text, _MISSPELT)
        if keyword is not None:
            c.back_to(index, directs)
            return c.respell_end() or c.respell(_MISSPELT)
    return False


def _forgotten(c: Cursor, token: Token, index: int, directs: int, keyword: str) -> None:
    """`a > b THEN`, `i := 1 TO 2 DO`: report; the block is parsed as if its first keyword, which
    becomes `c.implied`, were there."""
    word = _FORGOTTEN[keyword]
    wanted = word
    if word == "IF" and c.open and c.open[-1] == "END_IF":
        wanted = "IF or ELSIF"
        c.excused.add("END_IF")
    c.error(
        "E0102",
        f"expected {wanted} before '{token.text[:30]}': {keyword} follows",
        Span(c.source, token.start, token.start),
        label=f"add '{word}' here",
        help=f"add '{word}' here",
    )
    c.broken = False
    c.back_to(index, directs)
    c.implied = Token(word, word, token.start, token.start)


def at_declaration(c: Cursor) -> bool:
    """Is this `a, b : INT;`?"""
    at = c.index
    while c.tokens[at].kind in ("name", ",", "direct"):
        at += 1
    return c.tokens[at].kind == ":" and c.tokens[at + 1].kind != "="


def _misplaced_declaration(c: Cursor) -> None:
    """A declaration inside a block of statements. Where it is clear that VAR is missing before
    several, the POU parses them: see `declarations.pou`."""
    _told_misplaced(c)
    c.skip()
    c.broken = False


def misplaced_variables(c: Cursor) -> tuple[VarBlock, ...]:
    """The declarations at hand, which end with END_VAR and begin without VAR, or with a slip of
    that word, which is put right."""
    if c.peek().kind == "name" and c.respell(VAR_KEYWORDS):
        return ()
    _told_misplaced(c)
    c.broken = False
    return (var_block(c, "VAR"),)


def _told_misplaced(c: Cursor) -> None:
    c.error(
        "E0119",
        f"expected a statement, found the declaration of '{c.tok.text[:30]}'",
        help="declarations stand between VAR and END_VAR, before the first statement",
    )


def _assignment_operator(c: Cursor) -> str | None:
    """Step over ':=', '?=', 'S=', 'R=' or 'REF=', or over what was meant to be one."""
    kind = c.tok.kind
    if kind == ":=" or kind == "?=":
        c.advance()
        return kind
    if kind == "name":
        follows = c.peek()
        word = c.tok.text.upper()
        if follows.kind == "=" and follows.start == c.tok.end and word in ("S", "R", "REF"):
            c.advance()
            c.advance()
            return word + "="
    elif kind == "=":
        equals_for_assignment(c)
        c.advance()
        return ":="
    elif kind == ":" and c.peek().kind == "=":
        c.error(
            "E0100",
            "':=' is written without a space",
            c.here().to(c.of(c.peek())),
            help="write ':='",
        )
        c.advance()
        c.advance()
        return ":="
    return None


def _not_assignable(c: Cursor, target: Expr) -> None:
    what = "a call" if isinstance(target, Call) else "this expression"
    c.error(
        "E0118",
        f"cannot assign to {what}",
        target.span,
        help="a variable stands on the left of ':='",
    )


def _not_a_statement(c: Cursor, token: Token, target: Expr) -> None:
    text = token.text[:30]
    follows = c.peek()
    if c.tok.kind in ("+", "-") and follows.kind == c.tok.kind and follows.start == c.tok.end:
        c.error(
            "E0008",
            f"'{c.tok.text}{follows.text}' is not an operator of Structured Text",
            c.here().to(c.of(follows)),
            help=f"write '{text} := {text} {c.tok.text} 1;'",
        )
    elif c.tok.kind == ";" or c.tok.kind in FIRM or c.on_new_line():
        advice = "assign it to a variable with ':='"
        if isinstance(target, Name | Member):
            advice = f"to call it write '{target.span.text[:30]}();', to assign to it ':='"
        c.error("E0112", "this is not a statement: it does nothing", target.span, help=advice)
    elif c.tok.kind in OPERATORS:
        c.error(
            "E0112",
            "an expression is not a statement: its value is not used",
            Span(c.source, target.span.start, c.tok.end),
            help="assign it to a variable with ':='",
        )
    else:
        c.error(
            "E0100",
            f"expected ':=' or '(' after '{target.span.text[-30:]}', found {c.found()}",
        )
