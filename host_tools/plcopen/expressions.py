"""ST expressions as trees: read with the compiler's parser, built, printed, and their types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.parser import parse
from host_tools.compiler.source import Source, Span
from host_tools.compiler.tree import fold

NOWHERE = Span(Source("", ""), 0, 0)

# IEC 61131-3:2013, Table 71, weakest first.
_BINDING = {
    "OR": 1, "OR_ELSE": 1, "XOR": 2, "AND": 3, "AND_THEN": 3, "=": 4, "<>": 4,
    "<": 5, "<=": 5, ">": 5, ">=": 5, "+": 6, "-": 6, "*": 7, "/": 7, "MOD": 7, "**": 8,
}  # fmt: skip
_UNARY = 9
_LEAF = 10
_ASSOCIATIVE = {"OR", "XOR", "AND", "+", "*"}

OPERATORS = {
    "AND": "AND", "OR": "OR", "XOR": "XOR", "ADD": "+", "SUB": "-", "MUL": "*", "DIV": "/",
    "MOD": "MOD", "GT": ">", "GE": ">=", "EQ": "=", "NE": "<>", "LE": "<=", "LT": "<",
    "EXPT": "**",
}  # fmt: skip
"""Standard functions that ST has an operator for."""


# --- reading ---------------------------------------------------------------------------------


def read_expression(text: str) -> tree.Expr | None:
    """The tree of one expression; None where `text` is anything else."""
    if "\n" in text or "\r" in text:
        text = " ".join(text.split())
    reporter = Reporter()
    unit = parse(Source("", f"PROGRAM p\nx := {text}\n;END_PROGRAM"), reporter)
    if reporter.diagnostics or len(unit.declarations) != 1:
        return None
    pou = unit.declarations[0]
    if not isinstance(pou, tree.Pou) or len(pou.body) != 1 or pou.blocks:
        return None
    statement = pou.body[0]
    if not isinstance(statement, tree.Assign) or statement.op != ":=":
        return None
    if any(isinstance(e, tree.Missing) for e in walk(statement.value)):
        return None
    return statement.value


def read_place(text: str) -> tree.Expr | None:
    """The tree of something that can be assigned to."""
    e = read_expression(text)
    places = (tree.Name, tree.Member, tree.Index, tree.Deref, tree.Direct)
    return e if isinstance(e, places) else None


def is_initial(text: str) -> bool:
    """Is `text` an initial value, also one of an array or a structure?"""
    if "\n" in text or "\r" in text:
        text = " ".join(text.split())
    reporter = Reporter()
    source = Source("", f"PROGRAM p\nVAR\nx : t := {text}\n;END_VAR\nEND_PROGRAM")
    unit = parse(source, reporter)
    if reporter.diagnostics or len(unit.declarations) != 1:
        return False
    pou = unit.declarations[0]
    return (
        isinstance(pou, tree.Pou)
        and not pou.body
        and len(pou.blocks) == 1
        and len(pou.blocks[0].decls) == 1
        and pou.blocks[0].decls[0].init is not None
    )


def walk(e: tree.Expr) -> Iterator[tree.Expr]:
    """`e` and all expressions inside it."""
    todo: list[tree.Expr] = [e]
    while todo:
        e = todo.pop()
        yield e
        if isinstance(e, tree.Unary):
            todo.append(e.operand)
        elif isinstance(e, tree.Binary):
            todo += [e.left, e.right]
        elif isinstance(e, tree.Member | tree.Deref):
            todo.append(e.base)
        elif isinstance(e, tree.Index):
            todo += [e.base, *e.indices]
        elif isinstance(e, tree.Call):
            todo += [e.callee, *(a.value for a in e.arguments if a.value is not None)]


# --- building --------------------------------------------------------------------------------


def name(text: str) -> tree.Name:
    return tree.Name(NOWHERE, text)


def literal(text: str) -> tree.Expr:
    e = read_expression(text)
    assert e is not None
    return e


TRUE = literal("TRUE")
FALSE = literal("FALSE")


def member(base: tree.Expr, field: str) -> tree.Expr:
    return tree.Member(NOWHERE, base, field)


def binary(op: str, left: tree.Expr, right: tree.Expr) -> tree.Expr:
    return tree.Binary(NOWHERE, op, left, right)


def chain(op: str, operands: Iterable[tree.Expr]) -> tree.Expr:
    """The operands with `op` between them, from left to right."""
    first, *rest = operands
    for e in rest:
        first = binary(op, first, e)
    return first


def argument(formal: str | None, value: tree.Expr, output: bool = False) -> tree.Argument:
    named = tree.Identifier(NOWHERE, formal) if formal else None
    return tree.Argument(NOWHERE, named, value, output)


def call(callee: tree.Expr, arguments: Iterable[tree.Argument]) -> tree.Call:
    return tree.Call(NOWHERE, callee, tuple(arguments))


def negation(e: tree.Expr) -> tree.Expr:
    """NOT e, without a NOT where that says the same (NaN is neither = nor < anything, so only
    = and <> can be turned around)."""
    if isinstance(e, tree.Unary) and e.op == "NOT":
        return e.operand
    if isinstance(e, tree.Binary) and e.op in ("=", "<>"):
        return binary("<>" if e.op == "=" else "=", e.left, e.right)
    if e == TRUE:
        return FALSE
    if e == FALSE:
        return TRUE
    return tree.Unary(NOWHERE, "NOT", e)


def conjunction(factors: Iterable[tree.Expr]) -> tree.Expr:
    """All of them; TRUE where there are none."""
    kept = [f for f in factors if f != TRUE]
    return chain("AND", kept) if kept else TRUE


# --- printing --------------------------------------------------------------------------------


def show(e: tree.Expr, at_least: int = 0) -> str:
    """The text of an expression, with the parentheses it needs inside an operator that binds as
    strongly as `at_least`."""
    text, binding = _shown(e)
    return f"({text})" if binding < at_least else text


def _shown(e: tree.Expr) -> tuple[str, int]:
    if isinstance(e, tree.Binary):
        # A chain such as a AND b AND c is as deep as it is long.
        operands: list[tree.Expr] = []
        left: tree.Expr = e
        op, binding = e.op, _BINDING[e.op]
        while isinstance(left, tree.Binary) and left.op == op:
            operands.append(left.right)
            left = left.left
        parts = [show(left, binding)]
        for right in reversed(operands):
            same = op in _ASSOCIATIVE and isinstance(right, tree.Binary) and right.op == op
            exact = same and op in ("AND", "OR", "XOR")
            parts.append(show(right, binding if exact else binding + 1))
        return f" {op} ".join(parts), binding
    if isinstance(e, tree.Unary):
        operand = show(e.operand, _UNARY if e.op == "NOT" else _LEAF)
        return (f"NOT {operand}" if e.op == "NOT" else f"{e.op}{operand}"), _UNARY
    if isinstance(e, tree.Name):
        return e.name, _LEAF
    if isinstance(e, tree.Member):
        return f"{show(e.base, _LEAF)}.{e.name}", _LEAF
    if isinstance(e, tree.Index):
        return f"{show(e.base, _LEAF)}[{', '.join(show(i) for i in e.indices)}]", _LEAF
    if isinstance(e, tree.Deref):
        return f"{show(e.base, _LEAF)}^", _LEAF
    if isinstance(e, tree.Call):
        return f"{show(e.callee, _LEAF)}({', '.join(map(_argument, e.arguments))})", _LEAF
    text = " ".join(e.span.text.split()) if "\n" in e.span.text else e.span.text
    return text, _UNARY if text.startswith(("-", "+")) else _LEAF


def _argument(a: tree.Argument) -> str:
    value = show(a.value) if a.value is not None else ""
    if a.name is None:
        return value
    negated = "NOT " if a.negated else ""
    return f"{negated}{a.name.name} {'=>' if a.output else ':='} {value}".rstrip()


# --- names -----------------------------------------------------------------------------------


def names(e: tree.Expr) -> set[str]:
    """The folded names that `e` mentions; "%" where it reads an address."""
    found = set()
    for part in walk(e):
        if isinstance(part, tree.Name):
            found.add(fold(part.name))
        elif isinstance(part, tree.Direct):
            found.add("%")
    return found


def root_name(e: tree.Expr) -> str | None:
    """The folded variable that a place is a part of; None for an address."""
    while isinstance(e, tree.Member | tree.Index | tree.Deref):
        e = e.base
    return fold(e.name) if isinstance(e, tree.Name) else None


def size(e: tree.Expr) -> int:
    """How many names and literals stand in it."""
    return sum(isinstance(p, tree.Name | tree.Literal | tree.Direct) for p in walk(e))


def identifier(text: str) -> str:
    """A name made of any text: `tank.level[2]` gives tank_level_2."""
    word = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return word if word[:1].isalpha() else f"v{'_' * bool(word)}{word}"
