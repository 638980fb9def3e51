"""TEST, SETUP and TEARDOWN: tests of a program, beside it or in files of their own."""

from __future__ import annotations

from host_tools.compiler.lexer import VAR_KEYWORDS
from host_tools.compiler.syntax.cursor import UNIT_KEYWORDS, Cursor
from host_tools.compiler.syntax.simple_statements import at_declaration, misplaced_variables
from host_tools.compiler.syntax.statements import PARTS, at_part, statements_or_stray
from host_tools.compiler.syntax.type_specs import var_block
from host_tools.compiler.tree import Literal, Statement, TestBlock, VarBlock

TEST_WORDS = ("TEST", "SETUP", "TEARDOWN")
_ENDS = frozenset(f"END_{word}" for word in TEST_WORDS)


def at_test_block(c: Cursor) -> bool:
    """Does a TEST, SETUP or TEARDOWN begin here, at the top of a source?"""
    return c.at_word(*TEST_WORDS) and c.peek().kind not in (":=", "(", ".", "[", ":", ",", "^")


def test_block(c: Cursor) -> TestBlock:
    """TEST 'name' … END_TEST and the like. Without its name a test is called ''."""
    opening = c.advance()
    kind = opening.kind = opening.text.upper()
    end = f"END_{kind}"
    name = _name(c) if kind == "TEST" else None
    c.broken = False
    c.accept(";")
    c.open.append(end)
    before = len(c.directs)
    blocks: list[VarBlock] = []
    body: list[Statement] = []
    while True:
        c.anchor = c.tok.start
        found = c.tok.kind
        if found in VAR_KEYWORDS:
            if body:
                c.error(
                    "E0119",
                    f"{found} after the statements of the {kind}",
                    help="move the declarations before the first statement",
                )
                c.broken = False
            blocks.append(var_block(c))
        elif found in UNIT_KEYWORDS or found in _ENDS or found == "eof":
            break
        elif found == "name" and (
            at_part(c) or (c.at_word(*TEST_WORDS) and c.peek().kind == "VAR")
        ):
            if c.at_word(*TEST_WORDS):
                break
            c.error(
                "E0390",
                f"{c.tok.text.upper()} inside of a {kind}",
                help=f"declare it outside, and use it in the {kind}",
            )
            _step_over(c)
        elif found == "name" and c.next_firm() == "END_VAR" and at_declaration(c):
            blocks += misplaced_variables(c)
        else:
            body += statements_or_stray(c)
    c.open.pop()
    c.close(opening, end)
    span = c.span(opening.start)
    c.accept(";")
    directs = tuple(c.directs[before:])
    del c.directs[before:]
    return TestBlock(span, kind, name, tuple(blocks), tuple(body), directs)


def _name(c: Cursor) -> Literal | None:
    token = c.tok
    value = token.value
    if token.kind == "literal" and isinstance(value, Literal) and "string" in value.kind:
        if not value.value:
            c.error("E0395", "this TEST has no name", help="write TEST 'what must hold'")
        c.advance()
        return value
    given = token.kind == "name" and not c.on_new_line()
    c.error(
        "E0395",
        f"expected the name of the TEST in quotes, found {c.found()}",
        c.here() if given else c.before(),
        help=f"write TEST '{token.text if given else 'what must hold'}'",
    )
    if given:
        c.advance()
    return None


def misplaced_test(c: Cursor, kind: str) -> None:
    """Report a TEST inside a POU, and read it all the same."""
    word = c.tok.text.upper()
    c.error("E0390", f"{word} inside of a {kind}", help=f"move it below END_{kind}")
    c.broken = False
    test_block(c)


def _step_over(c: Cursor) -> None:
    end = PARTS[c.tok.text.upper()]
    while c.tok.kind not in UNIT_KEYWORDS and c.tok.kind not in _ENDS and c.tok.kind != "eof":
        if c.advance().kind == end:
            break
    c.accept(";")
    c.broken = False
