"""The statements of tests that have a form of their own: MOCK and MOCK_FUNCTION."""

from __future__ import annotations

from host_tools.compiler.syntax.cursor import Cursor
from host_tools.compiler.syntax.expressions import expression, operand
from host_tools.compiler.tree import Expr, Identifier, Mock, MockFunction, Statement


def at_mock(c: Cursor) -> bool:
    """Does MOCK or MOCK_FUNCTION begin here, and not a statement about a variable of that name?"""
    if not c.at_word("MOCK", "MOCK_FUNCTION") or c.peek().kind != "name":
        return False
    return c.peek(2).kind != "="  # mock S= x


def mock(c: Cursor) -> Statement:
    """`MOCK a.b[1];` or `MOCK_FUNCTION a.f RETURNS value;`"""
    token = c.advance()
    if token.text.upper() == "MOCK":
        target = operand(c)
        statement = Mock(c.span(token.start), target)
        c.semicolon("MOCK")
        return statement
    name = c.name("the name of a function after MOCK_FUNCTION")
    while name is not None and c.tok.kind == "." and c.peek().kind == "name":
        c.advance()
        part = c.advance()
        name = Identifier(c.span(name.span.start), f"{name.name}.{part.text}")
    value: Expr | None = None
    if c.at_word("RETURNS"):
        c.advance()
        value = expression(c)
    elif c.tok.kind != ";" and not c.at_beginning():
        c.error(
            "E0102",
            f"expected RETURNS after the name of the function, found {c.found()}",
            help="write MOCK_FUNCTION name RETURNS value;",
        )
        c.skip_line()
    span = c.span(token.start)
    c.semicolon("MOCK_FUNCTION")
    return MockFunction(span, name or Identifier(span, ""), value)
