"""Statements: assignments, calls, selections and iterations (IEC 61131-3:2013, 7.3.3)."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler.diagnostics import Label
from host_tools.compiler.lexer import END_KEYWORDS, Token
from host_tools.compiler.source import Span
from host_tools.compiler.syntax import blocks
from host_tools.compiler.syntax.cursor import FIRM, Cursor
from host_tools.compiler.syntax.expressions import condition, equals_for_assignment, expression
from host_tools.compiler.syntax.simple_statements import simple_statement
from host_tools.compiler.tree import (
    Branch,
    Case,
    CaseBranch,
    CaseLabel,
    Continue,
    Exit,
    Expr,
    For,
    Identifier,
    If,
    RepeatUntil,
    Return,
    Statement,
    While,
)

# Words that begin a part of a POU (or of a source) when a name follows, and the END of that part.
PARTS = {
    "METHOD": "END_METHOD",
    "PROPERTY": "END_PROPERTY",
    "ACTION": "END_ACTION",
    "ACTIONS": "END_ACTIONS",
    "STEP": "END_STEP",
    "INITIAL_STEP": "END_STEP",
    "TRANSITION": "END_TRANSITION",
    "INTERFACE": "END_INTERFACE",
    "CLASS": "END_CLASS",
    "NAMESPACE": "END_NAMESPACE",
    "TEST": "END_TEST",
    "SETUP": "END_SETUP",
    "TEARDOWN": "END_TEARDOWN",
}

# ENDs that can only be left over when they stand between the statements of a POU.
_STRAY_IN_POU = blocks.STATEMENT_ENDS | {"END_VAR", "END_STRUCT", "END_UNION"}

_BELONGS_TO = {
    "ELSE": ("END_IF", "END_CASE"),
    "ELSIF": ("END_IF",),
    "UNTIL": ("END_REPEAT",),
}


def at_part(c: Cursor) -> bool:
    """Does a METHOD, STEP, TEST or the like begin here, and not a statement?"""
    follows = c.tokens[c.index + 1].kind
    if follows == "(" and c.tokens[c.index + 2].text.upper() == "PRIORITY":
        return c.tok.text.upper() == "TRANSITION"
    if follows not in ("name", "literal"):
        return False
    word = c.tok.text.upper()
    if word in ("GET", "SET"):
        return follows == "name" and "END_PROPERTY" in c.open
    return word in PARTS and (follows == "name" or word == "TEST")


def statements(c: Cursor, in_case: bool = False) -> tuple[Statement, ...]:
    """Statements up to the end of the block they stand in; in a CASE also up to a label."""
    found: list[Statement] = []
    while True:
        token = c.tok
        kind = token.kind
        c.anchor = token.start
        if kind in blocks.ENDS:
            if not _stray(c):
                return tuple(found)
            continue
        if (in_case and blocks.at_label(c)) or (kind == "name" and at_part(c)):
            return tuple(found)
        if kind in ("literal", "name") and not in_case and blocks.at_label_of_outer_case(c):
            return tuple(found)
        index = c.index
        statement = _PARSERS.get(kind, _unexpected)(c)
        if c.implied is not None:
            statement = _PARSERS[c.implied.kind](c)
        if statement is not None:
            found.append(statement)
        elif c.index == index and c.tok.kind == kind:
            c.advance()


def statements_or_stray(c: Cursor) -> tuple[Statement, ...]:
    """Statements; where none begins, steps over what stands there."""
    index, kind = c.index, c.tok.kind
    found = statements(c)
    if c.index == index and c.tok.kind == kind:
        stray(c) if kind in END_KEYWORDS else c.advance()
    return found


def _stray(c: Cursor) -> bool:
    """Step over an ELSE or END that no block around waits for."""
    kind = c.tok.kind
    if kind in _BELONGS_TO:
        if any(end in c.open for end in _BELONGS_TO[kind]):
            return False
    elif kind not in _STRAY_IN_POU or kind in c.open:
        return False
    elif c.open and c.open[-1] in blocks.STATEMENT_ENDS and kind not in c.forgiven:
        return False  # the block at hand takes it for its own END
    stray(c)
    return True


def stray(c: Cursor) -> None:
    """Report the ELSE or END at hand, which belongs to nothing, and step over it."""
    if c.forgive():
        return
    kind = c.tok.kind
    end = _BELONGS_TO[kind][0] if kind in _BELONGS_TO else kind
    begins = end.removeprefix("END_")
    c.error("E0114", f"{kind} without {begins}", help=f"remove it, or add the missing {begins}")
    c.advance()
    c.accept(";")
    c.broken = False


def _if(c: Cursor) -> Statement | None:
    if blocks.too_deep(c):
        return None
    opening = blocks.first_keyword(c)
    c.open.append("END_IF")
    branches: list[Branch] = []
    start = opening.start
    while True:
        test = condition(c)
        if not blocks.keyword(c, "THEN", "the condition"):
            return If(blocks.leave(c, opening), (*branches, Branch(test.span, test, ())), None)
        body = statements(c)
        branches.append(Branch(c.span(start), test, body))
        start = c.tok.start
        if not c.accept("ELSIF"):
            break
    orelse = None
    if c.accept("ELSE"):
        inner = c.tok if c.tok.kind == "IF" and not c.on_new_line() else None
        orelse = statements(c)
        if inner is not None:
            _else_if(c, opening, inner)
        while c.tok.kind in ("ELSE", "ELSIF"):
            orelse += _after_else(c)
    return If(blocks.end(c, opening, "END_IF"), tuple(branches), orelse)


def _else_if(c: Cursor, opening: Token, inner: Token) -> None:
    """`ELSE IF` opens a second IF. Where its END_IF was the last one, ELSIF was meant."""
    if c.tok.kind in ("END_IF", "ELSE", "ELSIF", "name"):
        return
    c.error(
        "E0103",
        f"IF is not closed: expected END_IF, found {c.found()}",
        others=[
            Label(c.of(opening), "IF begins here"),
            Label(c.of(inner), "and here a second one"),
        ],
        help="write 'ELSIF' in place of 'ELSE IF', or add another 'END_IF'",
    )
    c.broken = False
    c.excused.add("END_IF")


def _after_else(c: Cursor) -> tuple[Statement, ...]:
    word = c.tok.text.upper()
    c.error("E0100", f"{word} after ELSE", help="ELSE is the last part of IF and of CASE")
    if c.advance().kind == "ELSIF":
        condition(c)
        c.accept("THEN")
    c.broken = False
    return statements(c)


def _case(c: Cursor) -> Statement | None:
    if blocks.too_deep(c):
        return None
    opening = blocks.first_keyword(c)
    c.open.append("END_CASE")
    selector = condition(c)
    if not blocks.keyword(c, "OF", "the selector"):
        return Case(blocks.leave(c, opening), selector, (), None)
    branches: list[CaseBranch] = []
    if c.tok.kind not in blocks.ENDS and not blocks.at_label(c):
        c.error(
            "E0102",
            f"expected a label before the first statement of CASE, found {c.found()}",
            help="write the values before the statements: '1, 3..5: statements'",
        )
        c.broken = False
        statements(c, in_case=True)
    while c.tok.kind not in blocks.ENDS and blocks.at_label(c):
        start = c.tok.start
        labels = _labels(c)
        body = statements(c, in_case=True)
        branches.append(CaseBranch(c.span(start), labels, body))
    orelse = None
    if c.accept("ELSE"):
        c.accept(":")
        orelse = statements(c)
        while c.tok.kind in ("ELSE", "ELSIF"):
            orelse += _after_else(c)
    return Case(blocks.end(c, opening, "END_CASE"), selector, tuple(branches), orelse)


def _labels(c: Cursor) -> tuple[CaseLabel, ...]:
    c.anchor = c.tok.start
    labels: list[CaseLabel] = []
    while True:
        start = c.tok.start
        low = expression(c)
        high = expression(c) if c.accept("..") else None
        labels.append(CaseLabel(c.span(start), low, high))
        if not c.accept(","):
            break
    if not c.broken and c.symbol(":", "after the label"):
        return tuple(labels)
    while c.tok.kind not in FIRM and c.tok.kind not in (":", ";", "name") and not c.on_new_line():
        c.advance()
    c.accept(":")
    c.broken = False
    return tuple(labels)


def _for(c: Cursor) -> Statement | None:
    if blocks.too_deep(c):
        return None
    opening = blocks.first_keyword(c)
    c.open.append("END_FOR")
    variable = _control_variable(c)
    if not c.broken:
        if c.tok.kind == "=":
            equals_for_assignment(c)
            c.advance()
            c.broken = False
        elif c.at_word("IN"):
            c.error(
                "E0102",
                f"expected ':=' after the control variable, found {c.found()}",
                help=f"write 'FOR {variable.name} := first TO last DO'",
            )
        else:
            c.symbol(":=", "after the control variable")
    start: Expr = c.missing()
    stop: Expr = start
    step = None
    if not c.broken:
        start = expression(c)
    if not c.broken:
        if c.accept("TO"):
            stop = expression(c)
        elif c.at_word("DOWNTO"):
            c.error(
                "E0102",
                "expected TO after the start value, found 'DOWNTO'",
                help="write 'TO ... BY -1'",
            )
        else:
            c.error(
                "E0102", f"expected TO after the start value, found {c.found()}", help="add 'TO'"
            )
    if c.at_word("STEP") and not c.broken:
        c.error("E0102", "expected DO or BY after the range, found 'STEP'", help="write 'BY'")
        c.broken = False
        c.tok.kind = "BY"
    if c.accept("BY"):
        step = expression(c)
    if not blocks.keyword(c, "DO", "the range"):
        return For(blocks.leave(c, opening), variable, start, stop, step, ())
    body = statements(c)
    return For(blocks.end(c, opening, "END_FOR"), variable, start, stop, step, body)


def _control_variable(c: Cursor) -> Identifier:
    token = c.tok
    if token.kind == "(":
        c.error(
            "E0115",
            "expected the control variable of FOR, found '('",
            help="write 'FOR i := first TO last BY step DO'",
        )
        _skip_parentheses(c)
        return Identifier(c.of(token), "")
    name = c.name("the control variable of FOR")
    if name is not None and c.tok.kind in (".", "[", "^"):
        c.error(
            "E0115",
            "the control variable of FOR is a plain variable",
            Span(c.source, token.start, c.tok.end),
            help="count in a variable of its own and assign inside the loop",
        )
    return name or Identifier(c.of(token), "")


def _skip_parentheses(c: Cursor) -> None:
    depth = 0
    while c.tok.kind not in FIRM:
        kind = c.advance().kind
        depth += (kind == "(") - (kind == ")")
        if depth <= 0:
            return


def _while(c: Cursor) -> Statement | None:
    if blocks.too_deep(c):
        return None
    opening = blocks.first_keyword(c)
    c.open.append("END_WHILE")
    test = condition(c)
    if not blocks.keyword(c, "DO", "the condition"):
        return While(blocks.leave(c, opening), test, ())
    body = statements(c)
    return While(blocks.end(c, opening, "END_WHILE"), test, body)


def _repeat(c: Cursor) -> Statement | None:
    if blocks.too_deep(c):
        return None
    opening = c.advance()
    c.open.append("END_REPEAT")
    body = statements(c)
    until: Expr = c.missing()
    if c.accept("UNTIL"):
        until = condition(c)
        c.accept(";")
    elif c.tok.kind == "END_REPEAT":
        c.error(
            "E0102",
            "expected UNTIL and a condition before END_REPEAT",
            help="add 'UNTIL condition' before END_REPEAT",
        )
    c.broken = False
    return RepeatUntil(blocks.end(c, opening, "END_REPEAT"), body, until)


def _exit(c: Cursor) -> Statement:
    return Exit(_word(c))


def _continue(c: Cursor) -> Statement:
    return Continue(_word(c))


def _return(c: Cursor) -> Statement:
    return Return(_word(c))


def _word(c: Cursor) -> Span:
    token = c.advance()
    kind = c.tok.kind
    if kind in ("name", "literal", "(", "-", "NOT") and not c.on_new_line():
        c.error(
            "E0100",
            f"expected ';' after {token.kind}, found {c.found()}",
            help="assign the result to the function's name, then write 'RETURN;'"
            if token.kind == "RETURN"
            else f"write '{token.kind};'",
        )
    c.semicolon(token.kind)
    return c.of(token)


def _empty(c: Cursor) -> None:
    c.advance()


def _unexpected(c: Cursor) -> None:
    """Nothing begins with the token at hand."""
    token = c.tok
    advice = ""
    if token.kind in ("THEN", "DO", "OF", "TO", "BY"):
        before = {"THEN": "IF", "OF": "CASE", "DO": "FOR or WHILE"}.get(token.kind, "FOR")
        advice = f"{token.kind} belongs to {before}"
    elif token.kind in (")", "]"):
        advice = "there is no opening bracket for it"
    c.error("E0100", f"expected a statement, found {c.found()}", help=advice)
    c.advance()
    c.skip()
    c.broken = False


_PARSERS: dict[str, Callable[[Cursor], Statement | None]] = {
    "IF": _if,
    "CASE": _case,
    "FOR": _for,
    "WHILE": _while,
    "REPEAT": _repeat,
    "EXIT": _exit,
    "CONTINUE": _continue,
    "RETURN": _return,
    ";": _empty,
    "name": simple_statement,
    "direct": simple_statement,
    "literal": simple_statement,
    "(": simple_statement,
}
