"""Type specifications and the declarations of variables (IEC 61131-3:2013, 6.4.4 and 6.5)."""

from __future__ import annotations

from host_tools.compiler.lexer import KEYWORDS, Token
from host_tools.compiler.source import Span
from host_tools.compiler.syntax.cursor import FIRM, Cursor
from host_tools.compiler.syntax.expressions import (
    bare_array,
    direct,
    equals_for_assignment,
    expression,
    initial_value,
    operand,
)
from host_tools.compiler.syntax.literals import INTEGER_TYPES, REAL_TYPES, STRING_TYPES
from host_tools.compiler.syntax.times import TIME_TYPES
from host_tools.compiler.tree import (
    Argument,
    ArraySpec,
    Call,
    Direct,
    EnumSpec,
    EnumValue,
    Expr,
    Identifier,
    Name,
    NamedType,
    RangeSpec,
    RefSpec,
    StringSpec,
    StructSpec,
    SubrangeSpec,
    TypeSpec,
    VarBlock,
    VarDecl,
)

_QUALIFIERS = frozenset(
    {
        "CONSTANT",
        "RETAIN",
        "NON_RETAIN",
        "PERSISTENT",
        "PUBLIC",
        "PRIVATE",
        "PROTECTED",
        "INTERNAL",
    }
)
_ELEMENTARY = (
    INTEGER_TYPES | REAL_TYPES | STRING_TYPES | (set(TIME_TYPES) - set("TD") - {"LT", "LD"})
)


def no_type(c: Cursor) -> NamedType:
    """The type without a name: stands where none was found and an error was reported."""
    return NamedType(Span(c.source, c.tok.start, c.tok.start), "")


def type_spec(c: Cursor) -> TypeSpec:
    """What stands after the ':' of a declaration."""
    token = c.tok
    weight = 2 if token.kind == "STRUCT" or c.at_word("UNION") else 1
    c.depth += weight
    if c.nested_too_deeply("types", weight):
        if token.kind == "STRUCT":
            c.skip_block(frozenset({"STRUCT"}), frozenset({"END_STRUCT"}))
        spec: TypeSpec = no_type(c)
    elif token.kind == "name":
        spec = _beginning_with_name(c, token)
    elif token.kind == "ARRAY":
        spec = _array(c)
    elif token.kind == "STRUCT":
        spec = _struct(c, "END_STRUCT")
    elif token.kind == "REF_TO":
        c.advance()
        target = type_spec(c)
        spec = RefSpec(c.span(token.start), "REF_TO", target)
    elif token.kind == "(":
        spec = _enum(c, None)
    else:
        c.error("E0116", f"expected a type, found {c.found()}")
        spec = no_type(c)
    c.depth -= weight
    return spec


def _beginning_with_name(c: Cursor, token: Token) -> TypeSpec:
    word = token.text.upper()
    follows = c.peek()
    if word in ("STRING", "WSTRING"):
        c.advance()
        return _string(c, token)
    if word in ("POINTER", "REFERENCE") and follows.kind == "TO":
        c.advance()
        c.advance()
        target = type_spec(c)
        return RefSpec(c.span(token.start), f"{word} TO", target)
    if word == "UNION" and (follows.kind == "name" or follows.kind == "END_UNION"):
        return _struct(c, "END_UNION")
    named = type_name(c)
    if word == "USTRING" and c.tok.kind == "[":
        _string(c, token)
    if c.tok.kind != "(":
        return named
    if c.peek().kind == "name" and c.peek(2).kind in (",", ")", ":="):
        return _enum(c, named)
    return _subrange(c, named)


def type_name(c: Cursor) -> NamedType:
    """A type by its name, with dots where it is qualified."""
    start = c.tok.start
    name = c.name("a type")
    if name is None:
        return no_type(c)
    text = name.name
    while c.tok.kind == "." and c.peek().kind == "name":
        c.advance()
        text += "." + c.advance().text
    return NamedType(c.span(start), text)


def _string(c: Cursor, token: Token) -> StringSpec:
    length: Expr | None = None
    opening = c.accept("[") or c.accept("(")
    if opening is not None:
        length = expression(c)
        c.closing("]" if opening.kind == "[" else ")", opening)
    return StringSpec(c.span(token.start), token.text[0] in "wW", length)


def _subrange(c: Cursor, base: NamedType) -> SubrangeSpec:
    opening = c.advance()
    bounds = _range(c, "a subrange")
    c.closing(")", opening)
    return SubrangeSpec(c.span(base.span.start), base, bounds)


def _range(c: Cursor, of: str) -> RangeSpec:
    start = c.tok.start
    low = expression(c)
    high: Expr | None = None
    if c.accept(".."):
        high = expression(c)
    else:
        c.error(
            "E0102",
            f"expected '..' between the bounds of {of}, found {c.found()}",
            help="write 'lowest..highest'",
        )
    return RangeSpec(c.span(start), low, high if high is not None else c.missing())


def _array(c: Cursor) -> TypeSpec:
    token = c.advance()
    ranges: list[RangeSpec] = []
    if c.symbol("[", "after ARRAY"):
        opening = c.tokens[c.index - 1]
        while True:
            star = c.accept("*")
            if star is not None:
                ranges.append(RangeSpec(c.of(star), None, None))
            else:
                ranges.append(_range(c, "an array"))
            if not c.accept(","):
                break
        c.closing("]", opening, of_list=True)
    if not c.accept("OF"):
        c.error("E0102", f"expected OF after the bounds, found {c.found()}", help="add 'OF'")
    element = type_spec(c)
    each: list[EnumSpec] = []
    if c.tok.kind == "[" and c.peek().kind == "(" and isinstance(element, NamedType):
        opening = c.advance()
        while c.tok.kind == "(":
            each.append(_enum(c, None))
            if not c.accept(","):
                break
        c.closing("]", opening, of_list=True)
    return ArraySpec(c.span(token.start), tuple(ranges), element, tuple(each))


def _enum(c: Cursor, base: TypeSpec | None) -> EnumSpec:
    start = base.span.start if base is not None else c.tok.start
    opening = c.advance()
    values: list[EnumValue] = []
    while True:
        at = c.tok.start
        name = c.name("the name of a value")
        if name is None:
            if c.accept(","):
                continue
            break
        value = None
        if c.accept(":="):
            value = expression(c)
        elif c.tok.kind == "=":
            equals_for_assignment(c)
            c.advance()
            value = expression(c)
        values.append(EnumValue(c.span(at), name, value))
        if not c.accept(","):
            break
    c.closing(")", opening, of_list=True)
    if base is None and c.tok.kind == "name" and not c.on_new_line():
        # the base type after the values, as CODESYS has it
        base = type_name(c)
    return EnumSpec(c.span(start), base, tuple(values))


def _struct(c: Cursor, end: str) -> StructSpec:
    opening = c.advance()
    overlap = end == "END_UNION"
    if c.at_word("OVERLAP") and c.peek().kind not in (":", ","):
        c.advance()
        overlap = True
    fields = _declarations(c, opening, end)
    return StructSpec(c.span(opening.start), fields, overlap)


# --- variables -------------------------------------------------------------------------------


def var_block(c: Cursor, implied: str | None = None) -> VarBlock:
    """A block from VAR, VAR_INPUT, ... to END_VAR; its first keyword is `implied` where it was
    forgotten and that was reported."""
    at = c.tok.start
    opening = c.advance() if implied is None else Token(implied, implied, at, at)
    qualifiers: set[str] = set()
    while c.at_word(*_QUALIFIERS) and (c.peek().kind not in (":", ",") or _ends_line(c)):
        qualifiers.add(c.advance().text.upper())
    two_names = c.tok.kind == "name" and c.peek().kind == "name" and not c.on_new_line()
    if two_names and c.peek().text.upper() != "AT" and c.respell(_QUALIFIERS):
        qualifiers.add(c.advance().kind)
    decls = _declarations(c, opening, "END_VAR")
    c.accept(";")
    return VarBlock(c.span(opening.start), opening.kind, frozenset(qualifiers), decls)


def _declarations(c: Cursor, opening: Token, end: str) -> tuple[VarDecl, ...]:
    """Declarations up to and with the END of their block."""
    decls: list[VarDecl] = []
    c.open.append(end)
    while True:
        token = c.tok
        c.anchor = token.start
        if token.kind == end:
            break
        if token.kind == "name":
            if c.respell_end() or _left_open(c, opening, end):
                break
        elif token.kind == ";":
            c.advance()
            continue
        elif token.kind in FIRM and token.kind != "STRUCT" and c.peek().kind not in (":", ","):
            break
        index = c.index
        decls.append(_declaration(c, dotted=opening.kind == "VAR_CONFIG"))
        if c.index == index:
            c.advance()
    c.open.pop()
    c.close(opening, end)
    return tuple(decls)


def _ends_line(c: Cursor) -> bool:
    """Whether the word at hand stands behind VAR and ends the line: then it is no name, whatever
    comes in the next one."""
    between = c.source.text[c.tok.end : c.peek().start]
    return not c.on_new_line() and "\n" in between


def _left_open(c: Cursor, opening: Token, end: str) -> bool:
    """Did a statement begin, so that the END_VAR was forgotten? It was not if it comes before any
    other keyword: then the thing at hand is a declaration gone wrong."""
    if end == "END_VAR" and c.at_word("METHOD", "PROPERTY") and c.peek().kind == "name":
        return True
    follows = c.peek().kind
    if end != "END_VAR" or follows not in (":=", "(", "[", "^", "."):
        return False
    if follows in (".", "[") and opening.kind == "VAR_CONFIG":
        return False
    return c.next_firm() != "END_VAR"


def _declaration(c: Cursor, dotted: bool) -> VarDecl:
    """`a, b AT %IX0.0 : BOOL R_EDGE := TRUE;`"""
    start = c.tok.start
    pragmas = c.pragmas.get(c.index, ())
    names: list[Identifier] = []
    if not (c.at_word("AT") and c.peek().kind == "direct"):
        names = _names(c, dotted)
    location = _location(c) if c.at_word("AT") else None
    spec = _declared_type(c, names)
    edge = c.advance().text.upper() if c.at_word("R_EDGE", "F_EDGE") else None
    init: Expr | None = None
    if c.tok.kind == "=" and not c.broken:
        equals_for_assignment(c)
        c.tok.kind = ":="
    if not (c.broken and c.tok.kind != ":=") and c.accept(":="):
        init = bare_array(c, initial_value(c))
    elif c.at_word("REF") and c.peek().kind == "=":
        init = _bound(c)
    decl = VarDecl(c.span(start), tuple(names), spec, init, location, edge, pragmas)
    c.semicolon("the declaration")
    return decl


def _bound(c: Cursor) -> Expr:
    """`REF= x` after the type, as CODESYS has it: the same as `:= REF(x)`."""
    token = c.advance()
    c.advance()
    target = operand(c)
    callee = Name(Span(c.source, token.start, token.end), token.text)
    return Call(c.span(token.start), callee, (Argument(target.span, None, target),))


def _names(c: Cursor, dotted: bool) -> list[Identifier]:
    names: list[Identifier] = []
    while True:
        name = c.name("the name of a variable")
        if name is None:
            return names
        while dotted and c.tok.kind in (".", "["):
            longer = part_of_path(c, name)
            if longer is None:
                break
            name = longer
        names.append(name)
        if not c.accept(","):
            return names


def part_of_path(c: Cursor, path: Identifier) -> Identifier | None:
    """`path` and the `.name` or `[1, 2]` at hand; None where there is none."""
    if c.tok.kind == "." and c.peek().kind == "name":
        c.advance()
        token = c.advance()
        text = f"{path.name}.{token.text}"
    elif c.tok.kind == "[":
        opening = c.advance()
        text = path.name + "["
        while c.tok.kind in ("literal", "-", ","):
            text += c.advance().text
        text += "]"
        if not c.closing("]", opening):
            return None
    else:
        return None
    return Identifier(Span(c.source, path.span.start, c.end), text)


def _location(c: Cursor) -> Direct | None:
    c.advance()
    if c.tok.kind == "direct":
        return direct(c)
    if c.tok.kind == "partial":
        return _relative(c)
    c.error(
        "E0013",
        f"expected a direct address after AT, found {c.found()}",
        help="write area, size and number: %IX0.3, %QW4, %MD8, or %I* to leave it open",
    )
    return None


def _relative(c: Cursor) -> Direct:
    """`%B4`, `%X3.5`: the place of a member in its structure (6.4.4.6)."""
    token = c.advance()
    numbers = [token.text[2:]]
    while c.tok.kind == "." and c.peek().kind == "literal" and c.peek().text.isdigit():
        c.advance()
        numbers.append(c.advance().text)
    address = tuple(int(n) if len(n) < 19 else 1 << 62 for n in numbers)
    return Direct(c.span(token.start), "", token.text[1].upper(), address)


def _declared_type(c: Cursor, names: list[Identifier]) -> TypeSpec:
    """`: type`, with the usual ways to get it wrong."""
    if c.accept(":"):
        return type_spec(c)
    if c.broken or not names:
        return no_type(c)
    first = names[0]
    if c.tok.kind == "name" and first.name.upper() in _ELEMENTARY and not c.on_new_line():
        c.error(
            "E0102",
            f"expected ':' after the name, found {c.found()}",
            help=f"the name comes first: '{c.tok.text[:30]} : {first.name};'",
        )
        return no_type(c)
    if c.tok.kind == "name" or (c.tok.kind in KEYWORDS and c.tok.kind not in FIRM):
        c.symbol(":", "before the type")
        if not c.on_new_line():
            return type_spec(c)
        return no_type(c)
    c.error(
        "E0102",
        f"expected ':' and a type after '{names[-1].name[:30]}', found {c.found()}",
        c.before() if c.on_new_line() else c.here(),
        help=f"write '{names[-1].name[:30]} : INT' or another type",
    )
    return no_type(c)
