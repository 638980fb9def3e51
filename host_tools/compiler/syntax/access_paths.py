"""VAR_ACCESS: names for what other systems may read or write (IEC 61131-3:2013, 6.8.1)."""

from __future__ import annotations

from host_tools.compiler.syntax.cursor import FIRM, Cursor
from host_tools.compiler.syntax.expressions import direct
from host_tools.compiler.syntax.type_specs import part_of_path, type_spec
from host_tools.compiler.tree import AccessDecl, Direct, Identifier


def access_block(c: Cursor) -> list[AccessDecl]:
    """VAR_ACCESS … END_VAR at hand."""
    opening = c.advance()
    c.open.append("END_VAR")
    found: list[AccessDecl] = []
    while c.tok.kind not in FIRM:
        c.anchor = c.tok.start
        if c.accept(";"):
            continue
        if c.respell_end():
            break
        index = c.index
        one = _access(c)
        if one is not None:
            found.append(one)
        if c.index == index:
            c.advance()
    c.open.pop()
    c.close(opening, "END_VAR")
    c.accept(";")
    return found


def _access(c: Cursor) -> AccessDecl | None:
    """`LEVEL : station.main.tank.level : REAL READ_ONLY;`"""
    start = c.tok.start
    name = c.name("the name of an access path")
    path: Identifier | None = None
    location: Direct | None = None
    writable = False
    if name is not None and c.symbol(":", "after the name of the access path"):
        path, location = _target(c)
    spec = None
    if not c.broken and c.symbol(":", "before the type"):
        spec = type_spec(c)
    if c.at_word("READ_ONLY", "READ_WRITE"):
        writable = c.advance().text.upper() == "READ_WRITE"
    span = c.span(start)
    c.semicolon("the access path")
    if name is None or spec is None:
        return None
    return AccessDecl(span, name, path, location, spec, writable)


def _target(c: Cursor) -> tuple[Identifier | None, Direct | None]:
    """`resource.program.block.variable[1]`, `%IX0.1` or `resource.%IX0.1`."""
    if c.tok.kind == "direct":
        return None, direct(c)
    path = c.name("a variable")
    while path is not None and c.tok.kind in (".", "["):
        if c.tok.kind == "." and c.peek().kind == "direct":
            c.advance()
            return None, direct(c)
        longer = part_of_path(c, path)
        if longer is None:
            break
        path = longer
    return path, None
