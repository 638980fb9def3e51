"""What belongs to a function block or interface: methods, properties (IEC 61131-3:2013, 6.6.5)."""

from __future__ import annotations

from host_tools.compiler.lexer import END_KEYWORDS, VAR_KEYWORDS, Token
from host_tools.compiler.source import Span
from host_tools.compiler.syntax.cursor import UNIT_KEYWORDS, Cursor
from host_tools.compiler.syntax.sfc import WORDS as CHART_AND_ACTIONS
from host_tools.compiler.syntax.sfc import closes_first, misplaced_chart
from host_tools.compiler.syntax.simple_statements import at_declaration, misplaced_variables
from host_tools.compiler.syntax.statements import at_part, statements_or_stray, stray
from host_tools.compiler.syntax.type_specs import no_type, type_name, type_spec, var_block
from host_tools.compiler.tree import (
    Identifier,
    Interface,
    NamedType,
    Pou,
    Property,
    Statement,
    TypeSpec,
    VarBlock,
    VarDecl,
)

MODIFIERS = ("ABSTRACT", "FINAL", "PUBLIC", "PRIVATE", "PROTECTED", "INTERNAL", "OVERRIDE")
_MEMBERS = ("METHOD", "PROPERTY")
_OUTER_ENDS = frozenset(
    {"END_FUNCTION", "END_FUNCTION_BLOCK", "END_PROGRAM", "END_CONFIGURATION", "END_CLASS"}
    | {"END_INTERFACE", "END_NAMESPACE", "END_METHOD", "END_PROPERTY", "END_GET", "END_SET"}
)


def modifiers(c: Cursor) -> frozenset[str]:
    """ABSTRACT, FINAL, PUBLIC and the like, up to the name they stand before."""
    found: set[str] = set()
    while c.at_word(*MODIFIERS) and c.peek().kind == "name":
        found.add(c.advance().text.upper())
    return frozenset(found)


def lacks_name(c: Cursor, kind: str) -> bool:
    """Whether a specifier stands where the name of a METHOD or the like should; reports that."""
    if not c.at_word(*MODIFIERS):
        return False
    c.advance()
    c.error(
        "E0115",
        f"expected the name of a {kind}, found {c.found()}",
        c.before(),
        label="add a name here",
        help=f"every {kind} has a name",
    )
    return True


def heritage(c: Cursor, word: str) -> tuple[NamedType, ...]:
    """The names after EXTENDS or IMPLEMENTS, where that stands here."""
    found: list[NamedType] = []
    while c.at_word(word):
        c.advance()
        while True:
            if c.tok.kind != "name":
                c.name(f"a name after {word}")
                break
            found.append(type_name(c))
            if not c.accept(","):
                break
    return tuple(found)


def interface(c: Cursor) -> Interface | None:
    """INTERFACE ... END_INTERFACE, its methods and properties without statements (6.6.6)."""
    pragmas = c.pragmas.get(c.index, ())
    opening = c.advance()
    opening.kind = "INTERFACE"
    modifiers(c)
    name: Identifier | None = None
    if not (c.on_new_line() and c.at_word(*_MEMBERS)):
        name = c.name("the name of an INTERFACE")
    else:
        c.error(
            "E0115",
            "expected the name of an INTERFACE",
            c.of(opening),
            help="every INTERFACE has a name",
        )
    extends = heritage(c, "EXTENDS")
    _end_of_line(c)
    c.open.append("END_INTERFACE")
    methods: list[Pou] = []
    properties: list[Property] = []
    while True:
        c.anchor = c.tok.start
        kind = c.tok.kind
        if c.at_word("METHOD"):
            methods.append(method(c, is_prototype=True))
        elif c.at_word("PROPERTY"):
            properties.append(property_(c, is_prototype=True))
        elif kind == ";":
            c.advance()
        elif kind == "END_INTERFACE" or kind in UNIT_KEYWORDS or kind == "eof" or at_part(c):
            break
        elif not c.respell_end():
            c.error(
                "E0100",
                f"expected METHOD, PROPERTY or END_INTERFACE, found {c.found()}",
                help="an INTERFACE has methods and properties, and no variables",
            )
            _to_next_member(c)
            c.broken = False
    c.open.pop()
    c.close(opening, "END_INTERFACE")
    span = c.span(opening.start)
    c.accept(";")
    if name is None:
        return None
    return Interface(span, name, extends, tuple(methods), tuple(properties), pragmas)


def _to_next_member(c: Cursor) -> None:
    """Step over what belongs to nothing, to the next METHOD or PROPERTY, or to the end."""
    while True:
        c.advance()
        kind = c.tok.kind
        if c.at_word(*_MEMBERS) and c.on_new_line():
            return
        if kind == "END_INTERFACE" or kind in UNIT_KEYWORDS or kind == "eof" or at_part(c):
            return


def method(c: Cursor, *, is_prototype: bool = False) -> Pou:
    """METHOD ... END_METHOD; one without a name (which is reported) has an empty one."""
    pragmas = c.pragmas.get(c.index, ())
    opening = c.advance()
    opening.kind = "METHOD"
    found = modifiers(c)
    name = (None if lacks_name(c, "METHOD") else c.name("the name of a METHOD")) or _no_name(c)
    result: TypeSpec | None = None
    if c.accept(":"):
        result = _type_here(c)
    _end_of_line(c)
    c.open.append("END_METHOD")
    blocks, body = _contents(c, "METHOD", is_prototype)
    c.open.pop()
    c.close(opening, "END_METHOD")
    span = c.span(opening.start)
    c.accept(";")
    return Pou(span, "METHOD", name, result, blocks, body, pragmas, found)


def property_(c: Cursor, *, is_prototype: bool = False) -> Property:
    """PROPERTY name : type, GET ... END_GET, SET ... END_SET, END_PROPERTY (CODESYS)."""
    pragmas = c.pragmas.get(c.index, ())
    opening = c.advance()
    opening.kind = "PROPERTY"
    found = modifiers(c)
    lacks = lacks_name(c, "PROPERTY")
    name = (None if lacks else c.name("the name of a PROPERTY")) or _no_name(c)
    spec: TypeSpec = no_type(c)
    if c.symbol(":", "before the type of the property"):
        spec = _type_here(c)
    _end_of_line(c)
    c.open.append("END_PROPERTY")
    accessors: dict[str, Pou] = {}
    while True:
        c.anchor = c.tok.start
        kind = c.tok.kind
        if c.at_word("GET", "SET"):
            one = _accessor(c, name, spec, found, is_prototype)
            word = "GET" if one.result is not None else "SET"
            if word in accessors:
                c.error("E0100", f"a second {word} of '{name.name}'", one.span)
                c.broken = False
            accessors.setdefault(word, one)
        elif kind == ";":
            c.advance()
        elif kind in VAR_KEYWORDS:
            c.error(
                "E0119",
                f"{kind} outside of GET and SET",
                help="each accessor has variables of its own: write them after GET or SET",
            )
            c.broken = False
            var_block(c)
        elif kind in ("END_GET", "END_SET"):
            stray(c)
        elif kind in END_KEYWORDS or kind in UNIT_KEYWORDS or kind == "eof" or at_part(c):
            break
        elif not c.respell_end():
            c.error(
                "E0100",
                f"expected GET, SET or END_PROPERTY, found {c.found()}",
                help="the statements of a property stand in GET … END_GET and SET … END_SET",
            )
            c.advance()
            c.skip()
            c.broken = False
    c.open.pop()
    c.close(opening, "END_PROPERTY")
    span = c.span(opening.start)
    c.accept(";")
    getter, setter = accessors.get("GET"), accessors.get("SET")
    return Property(span, name, spec, getter, setter, found, pragmas)


def _type_here(c: Cursor) -> TypeSpec:
    """The type after a ':', and not what stands on the line after it."""
    starts = c.at_word("GET", "SET", *_MEMBERS) or c.peek().kind in (":=", "(", ".", "^")
    if c.on_new_line() and starts and c.tok.kind == "name":
        c.error(
            "E0116",
            f"expected a type, found {c.found()}",
            c.before(),
            label="add a type here",
            help="write a type, for example INT",
        )
        return no_type(c)
    return type_spec(c)


def _accessor(
    c: Cursor, name: Identifier, spec: TypeSpec, found: frozenset[str], is_prototype: bool
) -> Pou:
    """GET is a method with the property as its result, SET one with it as its input."""
    opening = c.advance()
    word = opening.text.upper()
    opening.kind = word
    c.accept(";")
    c.open.append(f"END_{word}")
    blocks, body = _contents(c, word, is_prototype)
    c.open.pop()
    c.close(opening, f"END_{word}")
    span = c.span(opening.start)
    c.accept(";")
    if word == "GET":
        return Pou(span, "METHOD", name, spec, blocks, body, (), found)
    value = VarDecl(name.span, (name,), spec)
    value_block = VarBlock(name.span, "VAR_INPUT", frozenset(), (value,))
    return Pou(span, "METHOD", name, None, (value_block, *blocks), body, (), found)


def _contents(
    c: Cursor, kind: str, is_prototype: bool
) -> tuple[tuple[VarBlock, ...], tuple[Statement, ...]]:
    """Variables and statements, up to what ends them."""
    blocks: list[VarBlock] = []
    body: list[Statement] = []
    while True:
        c.anchor = c.tok.start
        found = c.tok.kind
        if found in VAR_KEYWORDS:
            if found == "VAR_GLOBAL" and body:
                break
            block = _block(c, kind, bool(body))
            if block is not None:
                blocks.append(block)
        elif at_part(c) and c.at_word(*CHART_AND_ACTIONS) and closes_first(c, kind):
            misplaced_chart(c, kind)
        elif _at_end(c, kind):
            break
        elif found == "name" and c.next_firm() == "END_VAR" and at_declaration(c):
            blocks += misplaced_variables(c)
        else:
            body += statements_or_stray(c)
    if body and is_prototype:
        c.error(
            "E0300",
            f"a {kind} of an INTERFACE has no statements",
            body[0].span,
            help="an INTERFACE only declares; a function block that IMPLEMENTS it has the body",
        )
        c.broken = False
        body.clear()
    return tuple(blocks), tuple(body)


def _at_end(c: Cursor, kind: str) -> bool:
    """Does something begin or end here that is not part of the METHOD, GET or SET at hand?"""
    found = c.tok.kind
    if found in UNIT_KEYWORDS or found in _OUTER_ENDS or found == "eof" or at_part(c):
        return True
    return kind in ("GET", "SET") and _at_accessor(c)


def _at_accessor(c: Cursor) -> bool:
    """Does another GET or SET begin here, so that the END of this one is missing?"""
    return c.at_word("GET", "SET") and (c.peek().kind in VAR_KEYWORDS or c.peek().kind == "name")


def _block(c: Cursor, kind: str, late: bool) -> VarBlock | None:
    found = c.tok.kind
    if found in ("VAR_GLOBAL", "VAR_CONFIG", "VAR_ACCESS"):
        c.error("E0119", f"{found} cannot stand inside a {kind}")
    elif late:
        c.error(
            "E0119",
            f"{found} after the statements of the {kind}",
            help="move the declarations before the first statement",
        )
    c.broken = False
    block = var_block(c)
    return None if found in ("VAR_GLOBAL", "VAR_CONFIG", "VAR_ACCESS") else block


def _no_name(c: Cursor) -> Identifier:
    return Identifier(Span(c.source, c.tok.start, c.tok.start), "")


def _end_of_line(c: Cursor) -> None:
    if c.broken:
        c.skip_line()
    c.accept(";")
    c.broken = False


def opened(c: Cursor, kind: str) -> Token:
    """Step over a first word that is a name to the lexer and a keyword here."""
    token = c.advance()
    token.kind = kind
    return token
