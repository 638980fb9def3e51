"""Expressions by precedence, without recursion for operators and parentheses.

IEC 61131-3:2013, 7.3.2, Table 71. All binary operators group from the left; negation and NOT bind
tighter than '**', as the table has it: -2**2 is 4.
"""

from __future__ import annotations

from host_tools.compiler.lexer import END_KEYWORDS, KEYWORDS, Token
from host_tools.compiler.source import Span
from host_tools.compiler.syntax.cursor import FIRM, MAX_HEIGHT, Cursor
from host_tools.compiler.tree import (
    Argument,
    ArrayInit,
    Binary,
    Call,
    Deref,
    Direct,
    Expr,
    FieldInit,
    Identifier,
    Index,
    Literal,
    Member,
    Missing,
    Name,
    Repeat,
    StructInit,
    Unary,
)
from host_tools.record import Record

_PRECEDENCE = {
    "OR": 1,
    "OR_ELSE": 1,
    "XOR": 2,
    "AND": 3,
    "AND_THEN": 3,
    "=": 4,
    "<>": 4,
    "<": 5,
    ">": 5,
    "<=": 5,
    ">=": 5,
    "+": 6,
    "-": 6,
    "*": 7,
    "/": 7,
    "MOD": 7,
    "**": 8,
}
_UNARY = 9
_PAREN = -1
_PREFIXES = frozenset({"-", "+", "NOT", "("})
_POSTFIXES = frozenset({".", "[", "^", "("})
OPERATORS = frozenset(_PRECEDENCE)
_CALLED_OPERATORS = ("AND", "OR", "XOR", "MOD")  # also functions: MOD(a, b), Tables 29 and 30
_AFTER_NAME = OPERATORS | {";", ")", "]", ",", ":=", ".", "..", "^", "[", "THEN", "DO", "OF"}


class _Pending(Record):
    """A prefix, an opening parenthesis or a left operand with its operator, waiting for what
    comes after it."""

    precedence: int
    token: Token
    start: int
    left: Expr | None = None
    height: int = 0


def expression(c: Cursor) -> Expr:
    """One expression; `c.height` is its height. A Missing node where there is none."""
    stack: list[_Pending] = []
    depth = c.depth
    while True:
        while c.tok.kind in _PREFIXES:
            token = c.advance()
            c.depth += token.kind == "("
            if token.kind == "(" and c.nested_too_deeply("parentheses"):
                c.depth = depth
                return c.missing()
            if token.kind == "(" and stack and stack[-1].token.kind == "NOT":
                _formal_name(c)
            stack.append(_Pending(_PAREN if token.kind == "(" else _UNARY, token, token.start))
        start = c.tok.start
        expr = _primary(c)
        if c.tok.kind in _POSTFIXES and not isinstance(expr, Literal | Missing):
            expr = _postfix(c, expr, start)
        height = c.height
        while True:
            precedence = _PRECEDENCE.get(c.tok.kind, 0)
            while stack and stack[-1].precedence >= precedence:
                pending = stack.pop()
                start = pending.start
                height = 1 + max(height, pending.height)
                expr = _reduced(c, pending, expr, height)
            if not precedence and stack:
                precedence = _inside_parenthesis(c)
            if precedence:
                stack.append(_Pending(precedence, c.advance(), start, expr, height))
                break
            if not stack:
                c.depth = depth
                c.height = height
                return expr
            opening = stack.pop().token
            c.depth -= 1
            start = opening.start
            if c.closing(")", opening) and c.tok.kind in _POSTFIXES:
                c.height = height
                expr = _postfix(c, expr, start)
                height = c.height


def _formal_name(c: Cursor) -> None:
    """Pass over the parameter's name of `NOT(IN := x)`, the function of Table 31."""
    if c.tok.kind == "name" and c.tok.text.upper() == "IN" and c.peek().kind == ":=":
        c.advance()
        c.advance()


def _reduced(c: Cursor, pending: _Pending, right: Expr, height: int) -> Expr:
    if height > MAX_HEIGHT:
        _too_high(c, pending.token)
        return c.missing()
    span = c.span(pending.start)
    if pending.left is None:
        return Unary(span, pending.token.kind, right)
    return Binary(span, pending.token.kind, pending.left, right)


def _too_high(c: Cursor, token: Token) -> None:
    c.error(
        "E0108",
        "the expression is nested too deeply",
        c.of(token),
        label=f"the limit is {MAX_HEIGHT} operators",
        help="compute a part of it in an assignment of its own",
    )


def _inside_parenthesis(c: Cursor) -> int:
    """What takes the place of an operator between parentheses by mistake counts as one."""
    if c.tok.kind == ":=":
        assignment_for_comparison(c)
        c.tok.kind = "="
    elif c.tok.kind == "=>":
        arrow_for_comparison(c)
        c.tok.kind = ">="
    return _PRECEDENCE.get(c.tok.kind, 0)


def assignment_for_comparison(c: Cursor) -> None:
    """Report the ':=' at hand."""
    c.error("E0106", "':=' assigns and is not part of an expression", help="to compare write '='")


def arrow_for_comparison(c: Cursor) -> None:
    """Report the '=>' at hand."""
    c.error(
        "E0100",
        "'=>' connects an output of a call and does not compare",
        help="'greater or equal' is written '>='",
    )


def condition(c: Cursor) -> Expr:
    """The expression after IF, WHILE and the like, where ':=' can only be a mistake."""
    expr = expression(c)
    while c.tok.kind in (":=", "=>"):
        _inside_parenthesis(c)
        c.advance()
        right = expression(c)
        expr = Binary(expr.span.to(right.span), "=", expr, right)
    return expr


def operand(c: Cursor) -> Expr:
    """A literal, or a variable or call with everything that follows its name."""
    start = c.tok.start
    expr = _primary(c)
    if c.tok.kind in _POSTFIXES and not isinstance(expr, Literal | Missing):
        return _postfix(c, expr, start)
    return expr


def _primary(c: Cursor) -> Expr:
    token = c.tok
    kind = token.kind
    c.height = 0
    if kind == "name":
        c.advance()
        return Name(Span(c.source, token.start, token.end), token.text)
    if kind == "literal":
        c.advance()
        assert token.value is not None
        return token.value
    if kind == "direct":
        return direct(c)
    if kind in _CALLED_OPERATORS and c.peek().kind == "(" and token.text.isalpha():
        c.advance()
        return Name(Span(c.source, token.start, token.end), token.text)
    _no_operand(c)
    return c.missing()


def _no_operand(c: Cursor) -> None:
    """Report that there is no expression here, and why."""
    token = c.tok
    kind = token.kind
    before = c.tokens[c.index - 1] if c.index else token
    second = c.tokens[c.index - 2] if c.index > 1 else token
    if before.kind in ("+", "-") and second.kind == before.kind and second.end == before.start:
        c.error(
            "E0008",
            f"'{second.text}{before.text}' is not an operator of Structured Text",
            c.of(second).to(c.of(before)),
            help=f"write 'x := x {before.text} 1;'",
        )
    elif kind in KEYWORDS and not c.on_new_line():
        c.error("E0104", f"expected an expression, found the keyword '{token.text}'")
        if kind in FIRM and kind not in END_KEYWORDS and c.peek().kind in _AFTER_NAME:
            c.advance()  # it was meant to be a name
    elif kind == "[":
        c.error(
            "E0104",
            "expected an expression, found '['",
            help="a list of values can only stand in an initial value",
        )
    elif kind == "." and c.peek().text[:1].isdigit():
        c.error(
            "E0104",
            "expected an expression, found '.'",
            help=f"write '0.{c.peek().text[:20]}'",
        )
    elif c.on_new_line() or kind == "eof":
        c.error(
            "E0104",
            f"expected an expression after '{before.text[:30]}'",
            c.before() if kind == "eof" else Span(c.source, before.start, before.end),
        )
    else:
        c.error("E0104", f"expected an expression, found {c.found()}")


def _postfix(c: Cursor, expr: Expr, start: int) -> Expr:
    """`.name`, `[...]`, `^` and `(...)` after `expr`, which starts at `start`."""
    height = c.height
    while True:
        token = c.tok
        kind = token.kind
        if kind not in _POSTFIXES:
            c.height = height
            return expr
        c.advance()
        inner = 0
        if kind == ".":
            qualified = _typed(c, expr, start)
            if qualified is not None:
                c.height = height
                return qualified
            name = _member(c)
            if name is None:
                return c.missing()
            expr = Member(c.span(start), expr, name)
        elif kind == "^":
            expr = Deref(c.span(start), expr)
        else:
            c.depth += 1
            if c.nested_too_deeply("calls and indices"):
                c.depth -= 1
                return c.missing()
            if kind == "[":
                indices = [expression(c)]
                inner = c.height
                while c.accept(","):
                    indices.append(expression(c))
                    inner = max(inner, c.height)
                c.closing("]", token, of_list=True)
                expr = Index(c.span(start), expr, tuple(indices))
            else:
                values = arguments(c, token)
                inner = c.height
                expr = Call(c.span(start), expr, values)
            c.depth -= 1
        height = 1 + max(height, inner)
        if height > MAX_HEIGHT:
            _too_high(c, token)
            expr = c.missing()
            height = 0


def _typed(c: Cursor, base: Expr, start: int) -> Expr | None:
    """`Plant.Colour#Red` after its point: to the lexer `Colour#Red` is a literal."""
    value = c.tok.value
    if c.tok.kind != "literal" or not isinstance(value, Literal) or value.kind != "typed":
        return None
    words: list[str] = [value.prefix or ""]
    while isinstance(base, Member):
        words.insert(0, base.name)
        base = base.base
    if not isinstance(base, Name):
        return None
    c.advance()
    return Literal(c.span(start), "typed", value.value, ".".join([base.name, *words]))


def _member(c: Cursor) -> str | None:
    """What follows a '.': a name, a bit number or `%X3`."""
    token = c.tok
    if token.kind == "name":
        return c.advance().text
    if token.kind == "literal" and token.text.isdigit():
        return c.advance().text
    if token.kind == "partial":
        return c.advance().text.upper()
    name = c.name("the name of a member")
    return name.name if name else None


def arguments(c: Cursor, opening: Token, *, with_tasks: bool = False) -> tuple[Argument, ...]:
    """The arguments of a call after its '(', to after its ')' (7.3.3.2.4); `with_tasks`: those of
    a program, where `block WITH task` may stand."""
    found: list[Argument] = []
    height = 0
    while c.tok.kind != ")" or found:
        token = c.tok
        follows = c.peek().kind
        name: Identifier | None = None
        value: Expr | None = None
        negated = token.kind == "NOT" and follows == "name" and c.peek(2).kind == "=>"
        output = negated or (token.kind == "name" and follows == "=>")
        if negated:
            c.advance()
        if output or (token.kind == "name" and follows == ":="):
            name = c.identifier(c.advance())
            c.advance()
        elif token.kind in KEYWORDS and follows in (":=", "=>"):
            c.name("the name of a parameter")
        c.height = 0
        if name is None or c.tok.kind not in (",", ")"):
            value = list_or_expression(c)
            height = max(height, c.height)
        task = _after_informal(c, with_tasks) if name is None else None
        found.append(Argument(c.span(token.start), name, value, output, negated, task))
        if not c.accept(","):
            break
    c.closing(")", opening, of_list=True)
    c.height = height
    return tuple(found)


def _after_informal(c: Cursor, with_tasks: bool) -> Identifier | None:
    """The task that a function block is given to, if it is."""
    if c.tok.kind == "=>":
        arrow_for_comparison(c)
    elif c.at_word("WITH") and c.peek().kind == "name":
        if not with_tasks:
            c.error(
                "E0357",
                "a call cannot give a block to a task",
                help="write it in the CONFIGURATION: PROGRAM p WITH task : Type(block WITH task)",
            )
        c.advance()
        return c.identifier(c.advance())
    return None


def direct(c: Cursor) -> Direct:
    """The directly represented variable at hand (6.5.5.2)."""
    token = c.advance()
    text = token.text.upper()
    size = text[2] if text[2] in "XBWDL" else "X"
    digits = text[1:].lstrip("IQMXBWDL")
    address = None if digits == "*" else tuple(_address(part) for part in digits.split("."))
    node = Direct(Span(c.source, token.start, token.end), text[1], size, address)
    c.directs.append(node)
    return node


def _address(part: str) -> int:
    # No image is that big; longer numbers are not worth converting.
    return int(part) if len(part) < 19 else 1 << 62


# --- initial values --------------------------------------------------------------------------


def initial_value(c: Cursor) -> Expr:
    """What follows ':=' in a declaration (6.4.4.2): an expression, `[...]` or `(a := 1)`."""
    token = c.tok
    if token.kind == "[":
        return _array_init(c)
    if token.kind == "STRUCT" and c.peek().kind == "(":
        c.advance()  # STRUCT(a := 1), as CODESYS has it
        return _struct_init(c)
    is_struct = c.peek().kind == "name" and c.peek(2).kind == ":="
    if token.kind == "(" and (is_struct or c.peek().kind == ")"):
        return _struct_init(c)
    expr = expression(c)
    if isinstance(expr, Literal) and c.tok.kind == "(":
        return _repeat(c, expr)
    return expr


def list_or_expression(c: Cursor) -> Expr:
    """What is assigned or given in a statement: an expression, `[...]` or `(a := 1)`."""
    kind = c.tok.kind
    if kind == "[" or (kind == "STRUCT" and c.peek().kind == "("):
        return initial_value(c)
    if kind == "(" and c.peek().kind == "name" and c.peek(2).kind == ":=":
        return initial_value(c)
    return expression(c)


def _array_init(c: Cursor) -> Expr:
    opening = c.advance()
    c.depth += 1
    if c.nested_too_deeply("initial values"):
        c.depth -= 1
        return c.missing()
    elements: list[Expr] = []
    while c.tok.kind != "]":
        elements.append(initial_value(c))
        if not c.accept(","):
            break
    c.closing("]", opening, of_list=True)
    c.depth -= 1
    return ArrayInit(c.span(opening.start), tuple(elements))


def _repeat(c: Cursor, count: Literal) -> Expr:
    opening = c.advance()
    c.depth += 1
    if c.nested_too_deeply("initial values"):
        c.depth -= 1
        return c.missing()
    values: list[Expr] = []
    while c.tok.kind != ")":
        values.append(initial_value(c))
        if not c.accept(","):
            break
    c.closing(")", opening, of_list=True)
    c.depth -= 1
    return Repeat(c.span(count.span.start), count, tuple(values))


def _struct_init(c: Cursor) -> Expr:
    opening = c.advance()
    c.depth += 1
    if c.nested_too_deeply("initial values"):
        c.depth -= 1
        return c.missing()
    fields: list[FieldInit] = []
    while c.tok.kind != ")":
        start = c.tok.start
        name = c.name("the name of a member")
        if name is None:
            break
        if c.tok.kind == "=":
            equals_for_assignment(c)
            c.advance()
        elif not c.symbol(":=", "after the name of a member"):
            break
        value = initial_value(c)
        fields.append(FieldInit(c.span(start), name, value))
        if not c.accept(","):
            break
    c.closing(")", opening, of_list=True)
    c.depth -= 1
    return StructInit(c.span(opening.start), tuple(fields))


def bare_array(c: Cursor, first: Expr) -> Expr:
    """`1, 2, 3(0)`: an array's initial value without brackets, after its first element."""
    if c.tok.kind != "," and not isinstance(first, Repeat):
        return first
    elements = [first]
    while c.accept(","):
        elements.append(initial_value(c))
    return ArrayInit(c.span(first.span.start), tuple(elements))


def equals_for_assignment(c: Cursor) -> None:
    """Report the '=' at hand."""
    c.error("E0105", "'=' compares and does not assign", help="to assign write ':='")
