"""Rules about numbers that lose what they carry: W0311, W0312, W0313."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.ir import INT_RANGE
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import (
    ANY_INT,
    Elementary,
    StringType,
    Type,
    base_of,
    is_integer,
    is_real,
)

if TYPE_CHECKING:
    from host_tools.compiler.rules.walk import Walk

_CONVERSION = re.compile(r"(?:[A-Z]+_)?TO_([A-Z]+)\Z")
_OPERATORS = {"add": "+", "sub": "-", "mul": "*"}


def folded(walk: Walk, node: tree.Binary) -> None:
    """Arithmetic of constants: W0312 for `1 / 2`, W0313 where the result wraps."""
    if node.op not in ("+", "-", "*", "/"):
        return
    values = walk.notes.values
    made = values.get(id(node))
    left, right = values.get(id(node.left)), values.get(id(node.right))
    if made is None or left is None or right is None:
        return
    a, b = left.const, right.const
    if not (isinstance(a, int) and isinstance(b, int) and isinstance(made.const, int)):
        return
    if node.op == "/":
        if made.type is ANY_INT and b and a % b and isinstance(node.right, tree.Literal):
            _whole_division(walk.reporter, node, made.const)
        return
    exact = a + b if node.op == "+" else a - b if node.op == "-" else a * b
    t = base_of(made.type)
    if exact != made.const and isinstance(t, Elementary) and is_integer(t):
        low, high = INT_RANGE[t.kind]
        walk.reporter.report(
            "W0313",
            f"{exact} does not fit {t} and becomes {made.const}",
            node.span,
            label=f"{t} goes from {low} to {high}",
            help="declare the constants as a wider type",
        )


def _whole_division(reporter: Reporter, node: tree.Binary, result: int) -> None:
    reporter.report(
        "W0312",
        f"whole numbers are divided without a remainder: this is {result}",
        node.span,
        help=f"write {node.left.span.text}.0 / {node.right.span.text}.0 for the fraction"
        if node.left.span.text.isdigit() and node.right.span.text.isdigit()
        else "write one of them with a point for the fraction",
    )


def conversion(walk: Walk, node: tree.Call, name: str) -> None:
    """A call of a conversion: of a constant that does not fit (W0313), or of a product that has
    overflowed before it is converted (W0311, W0312)."""
    if "TO_" not in name or len(node.arguments) != 1 or node.arguments[0].value is None:
        return
    matched = _CONVERSION.match(name)
    made = walk.notes.values.get(id(node))
    value = walk.notes.values.get(id(node.arguments[0].value))
    if matched is None or made is None or value is None:
        return
    source, target = base_of(value.type), base_of(made.type)
    if value.const is None:
        widened(walk.reporter, value, target)
        return
    if not (isinstance(source, Elementary) and isinstance(target, Elementary)):
        return
    number = isinstance(value.const, int | float) and not isinstance(value.const, bool)
    if not number or not is_integer(target) or not (is_integer(source) or is_real(source)):
        return
    low, high = INT_RANGE[target.kind]
    assert not isinstance(value.const, bytes)
    if not low <= value.const <= high:
        walk.reporter.report(
            "W0313",
            f"{value.span.text} does not fit {target}",
            value.span,
            label=f"{target} goes from {low} to {high}",
            help="write a value in this range, or convert to a wider type",
        )


def widened(reporter: Reporter, value: Value, target: Type) -> None:
    """An arithmetic result of one type on its way into another."""
    source = base_of(value.type)
    target = base_of(target)
    if isinstance(target, StringType):
        _cut(reporter, value, target)
        return
    expr = value.expr
    if not (isinstance(expr, ir.Binary) and isinstance(source, Elementary)):
        return
    if not (is_integer(source) and isinstance(target, Elementary)):
        return
    if is_real(target) and expr.op == "div":
        reporter.report(
            "W0312",
            f"{source} is divided without a remainder, and then becomes {target}",
            value.span,
            label="7 / 2 is 3 here",
            help=f"convert first: {source}_TO_{target}(…) / …",
        )
    elif expr.op in _OPERATORS and _is_wider(target, source):
        if not _may_well_overflow(expr, source):
            return
        low, high = _extent(expr, 0)
        least, most = INT_RANGE[source.kind]
        if low < least or high > most:
            reporter.report(
                "W0311",
                f"'{_OPERATORS[expr.op]}' is computed as {source}, and only then becomes {target}",
                value.span,
                label=f"wraps beyond {most}",
                help=f"convert an operand first: {source}_TO_{target}(…) {_OPERATORS[expr.op]} …",
            )


def _may_well_overflow(expr: ir.Binary, source: Elementary) -> bool:
    """Products up to 32 bits, sums of variables up to 16: what is larger hardly ever wraps."""
    bits = int(source.kind[1:])
    if expr.op == "mul":
        return bits <= 32
    return bits <= 16 and not (isinstance(expr.a, ir.Const) or isinstance(expr.b, ir.Const))


def _is_wider(target: Elementary, source: Elementary) -> bool:
    if is_real(target):
        return True
    return is_integer(target) and int(target.kind[1:]) > int(source.kind[1:])


def _extent(expr: ir.Expr, depth: int) -> tuple[int, int]:
    """The values that an integer expression can have, roughly."""
    if isinstance(expr, ir.Const) and isinstance(expr.value, int):
        return expr.value, expr.value
    whole = INT_RANGE.get(expr.kind, (0, 0))
    if depth > 4:
        return whole
    if isinstance(expr, ir.Check):
        return expr.low, expr.high
    if isinstance(expr, ir.Convert):
        inner = _extent(expr.x, depth + 1) if expr.x.kind in INT_RANGE else whole
        return inner if whole[0] <= inner[0] and inner[1] <= whole[1] else whole
    if isinstance(expr, ir.Binary) and expr.op == "mod" and isinstance(expr.b, ir.Const):
        most = abs(int(expr.b.value)) - 1
        return (0 if whole[0] == 0 else -most), most
    if isinstance(expr, ir.Binary) and expr.op in ("add", "sub", "mul", "div"):
        a, b = _extent(expr.a, depth + 1), _extent(expr.b, depth + 1)
        if expr.op == "add":
            made = a[0] + b[0], a[1] + b[1]
        elif expr.op == "sub":
            made = a[0] - b[1], a[1] - b[0]
        elif expr.op == "mul":
            products = [x * y for x in a for y in b]
            made = min(products), max(products)
        else:
            if b[0] != b[1] or b[0] <= 0:
                return whole
            made = _towards_zero(a[0], b[0]), _towards_zero(a[1], b[0])
        if depth == 0 or (whole[0] <= made[0] and made[1] <= whole[1]):
            return made
    return whole


def _towards_zero(a: int, b: int) -> int:
    return abs(a) // b * (1 if a >= 0 else -1)


def _cut(reporter: Reporter, value: Value, target: StringType) -> None:
    if not isinstance(value.const, bytes):
        return
    length = len(value.const) // (2 if target.wide else 1)
    if length > target.length:
        reporter.report(
            "W0313",
            f"this text of {length} characters is cut to {target.length}",
            value.span,
            help=f"declare {'W' * target.wide}STRING[{length}], or shorten the text",
        )
