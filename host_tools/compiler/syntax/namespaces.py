"""NAMESPACE blocks and USING directives (IEC 61131-3:2013, 6.9).

What is declared inside of a NAMESPACE gets its full name, with dots, here; the tree has no level
for it. What a name means inside of a block is decided when it is looked up
(`host_tools.compiler.scopes`).
"""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler.source import Span
from host_tools.compiler.syntax.cursor import Cursor
from host_tools.compiler.syntax.sfc import trailing_actions
from host_tools.compiler.tree import (
    Configuration,
    Declaration,
    GlobalVars,
    Identifier,
    Pou,
    Scope,
    TypeDecl,
)
from host_tools.record import replace

Parse = Callable[[Cursor, list[Declaration]], Declaration | None]


def namespace(c: Cursor, parse: Parse) -> list[Declaration]:
    """NAMESPACE … END_NAMESPACE at hand; `parse` reads one declaration, or adds several to the
    list."""
    opening = c.advance()
    opening.kind = "NAMESPACE"
    internal = c.at_word("INTERNAL") and c.peek().kind == "name"
    if internal:
        c.advance()
    name = dotted_name(c, "the name of a NAMESPACE")
    if c.broken:
        c.skip_line()
        c.broken = False
    c.accept(";")
    outer = c.namespace
    full = outer
    if name is not None:
        full = f"{outer}.{name.name}" if outer else name.name
    c.namespace = full
    c.open.append("END_NAMESPACE")
    c.depth += 2
    place = len(c.scopes)
    c.scopes.append(Scope(c.of(opening), full, (), internal))
    usings: list[Identifier] = []
    found: list[Declaration] = []
    too_deep = c.nested_too_deeply("namespaces", 2)
    while c.tok.kind not in ("END_NAMESPACE", "eof"):
        c.anchor = c.tok.start
        c.broken = False
        index = c.index
        if too_deep:
            c.advance()
        elif at_using(c):
            usings += using(c)
        elif c.at_word("ACTION", "ACTIONS"):
            trailing_actions(c, found)
        else:
            inner: list[Declaration] = []
            declaration = parse(c, inner)
            if declaration is not None:
                inner.append(declaration)
            nested = index < len(c.tokens) and c.tokens[index].kind == "NAMESPACE"
            found += inner if nested else _named(c, inner)
        if c.index == index:
            c.advance()
    c.depth -= 2
    c.open.pop()
    c.close(opening, "END_NAMESPACE")
    c.scopes[place] = Scope(c.span(opening.start), full, tuple(usings), internal)
    c.accept(";")
    c.namespace = outer
    return found


def _named(c: Cursor, declarations: list[Declaration]) -> list[Declaration]:
    """The declarations with their full names."""
    found: list[Declaration] = []
    for d in declarations:
        if isinstance(d, Configuration) or (isinstance(d, Pou) and d.kind == "PROGRAM"):
            kind = "PROGRAM" if isinstance(d, Pou) else "CONFIGURATION"
            c.error(
                "E0353",
                f"a {kind} cannot stand in a NAMESPACE",
                d.name.span,
                help="move it out, and write USING before it",
            )
            c.broken = False
        elif isinstance(d, GlobalVars):
            decls = tuple(
                replace(decl, names=tuple(full_name(c, n) for n in decl.names))
                for decl in d.block.decls
            )
            if "INTERNAL" in d.block.qualifiers:
                c.internals += [n for decl in decls for n in decl.names]
            found.append(replace(d, block=replace(d.block, decls=decls)))
        elif hasattr(d, "name"):
            name = full_name(c, d.name)
            if d.name in c.internal_names:
                c.internals.append(name)
            found.append(replace(d, name=name))
        else:
            found.append(d)
    c.internal_names.clear()
    return found


def full_name(c: Cursor, name: Identifier) -> Identifier:
    return Identifier(name.span, f"{c.namespace}.{name.name}" if c.namespace else name.name)


def dotted_name(c: Cursor, what: str) -> Identifier | None:
    """`a.b.c`"""
    name = c.name(what)
    while name is not None and c.tok.kind == "." and c.peek().kind == "name":
        c.advance()
        part = c.advance()
        name = Identifier(Span(c.source, name.span.start, part.end), f"{name.name}.{part.text}")
    return name


def at_using(c: Cursor) -> bool:
    return c.at_word("USING") and c.peek().kind == "name"


def using(c: Cursor) -> list[Identifier]:
    """`USING a.b, c;`"""
    c.advance()
    found: list[Identifier] = []
    while True:
        name = dotted_name(c, "the name of a NAMESPACE")
        if name is None:
            break
        found.append(name)
        if not c.accept(","):
            break
    c.semicolon("the directive USING")
    return found


def using_in_pou(c: Cursor) -> None:
    """A directive inside of a POU: kept until its span is known."""
    c.usings_of_pou += using(c)


def internal(c: Cursor) -> bool:
    """`FUNCTION INTERNAL f`, `TYPE INTERNAL`: step over the word, and remember that what follows
    is for its namespace only."""
    if not (c.at_word("INTERNAL") and c.peek().kind == "name"):
        return False
    c.advance()
    if c.tok.kind == "name":
        c.internal_names.add(c.identifier(c.tok))
    return True


def scope_of_pou(c: Cursor, declaration: Declaration) -> None:
    """Remember the directives that stood in `declaration`."""
    if c.usings_of_pou:
        if isinstance(declaration, Pou | TypeDecl):
            c.scopes.append(Scope(declaration.span, "", tuple(c.usings_of_pou)))
        c.usings_of_pou = []
