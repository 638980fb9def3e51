"""Rules about conditions: W0309, W0310, W0319, W0320, W0325, W0326."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.ir import INT_RANGE
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import Elementary, SubrangeType, base_of, is_integer, is_real

if TYPE_CHECKING:
    from host_tools.compiler.rules.walk import Walk

_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
_SAME_SENSELESS = (*_COMPARISONS, "AND", "OR", "XOR", "AND_THEN", "OR_ELSE", "-", "/", "MOD")
_EMPTY = re.compile(r"[\s;]*\Z")


def constant(walk: Walk, condition: tree.Expr, word: str) -> None:
    """W0309: a condition of literals. One that names a CONSTANT is a switch for the engineer."""
    value = walk.notes.values.get(id(condition))
    if value is None or value.const is None or _names(condition):
        return
    always = "TRUE" if value.const else "FALSE"
    walk.reporter.report(
        "W0309",
        f"this condition is always {always}",
        condition.span,
        help=f"remove the {word}, or declare a CONSTANT as its switch"
        if always == "FALSE"
        else f"remove the {word} around the statements, or declare a CONSTANT as its switch",
    )


def _names(node: tree.Expr) -> bool:
    """Whether anything but literals is in it."""
    if isinstance(node, tree.Binary):
        return _names(node.left) or _names(node.right)
    if isinstance(node, tree.Unary):
        return _names(node.operand)
    return not isinstance(node, tree.Literal)


def repeated(reporter: Reporter, node: tree.If) -> None:
    """W0326: the condition of an ELSIF stood before."""
    if len(node.branches) < 2:
        return
    seen: dict[tree.Expr, tree.Expr] = {}
    for one in node.branches:
        first = seen.setdefault(one.condition, one.condition)
        if first is not one.condition and not _calls(first):
            reporter.report(
                "W0326",
                "this condition was already tested",
                one.condition.span,
                label="never TRUE here",
                others=[Label(first.span, "tested first here")],
                help="write the condition that was meant, or remove the branch",
            )


def _calls(node: tree.Expr) -> bool:
    if isinstance(node, tree.Binary):
        return _calls(node.left) or _calls(node.right)
    if isinstance(node, tree.Unary):
        return _calls(node.operand)
    return isinstance(node, tree.Call)


def empty(reporter: Reporter, branch: tree.Branch) -> None:
    """W0320: nothing stands between THEN and the end, not even a comment."""
    if branch.body:
        return
    text = branch.span.source.text
    rest = text[branch.condition.span.end : branch.span.end]
    found = re.search(r"\bTHEN\b", rest, re.IGNORECASE)
    if found is None or not _EMPTY.match(rest[found.end() :]):
        return
    after = text[branch.span.end : branch.span.end + 200].lstrip(" \t\r\n;")
    if after.startswith(("//", "(*", "/*", "{")):
        return
    reporter.report(
        "W0320",
        "nothing happens when this condition is TRUE",
        branch.condition.span,
        help="write the statements after THEN, or a comment that says why there are none",
    )


def comparison(walk: Walk, node: tree.Binary) -> None:
    """W0310, W0319, W0325: comparisons that do not tell what they seem to."""
    values = walk.notes.values
    if node.op in _SAME_SENSELESS and node.left == node.right and not _calls(node.left):
        value = values.get(id(node.left))
        # `x - x` and `x <> x` on REAL are the tests for infinity and NaN.
        is_real_test = value is not None and is_real(base_of(value.type))
        if not is_real_test and not isinstance(node.left, tree.Literal):
            walk.reporter.report(
                "W0325",
                f"both sides of '{node.op}' are the same",
                node.span,
                help="one of them was probably meant to be another variable",
            )
        return
    if node.op not in _COMPARISONS:
        return
    left, right = values.get(id(node.left)), values.get(id(node.right))
    if left is None or right is None:
        return
    if node.op in ("=", "<>"):
        _equal_reals(walk, node, left, right)
    if not _decided(walk, node, node.op, left, right):
        _decided(walk, node, _MIRRORED.get(node.op, node.op), right, left)


def _equal_reals(walk: Walk, node: tree.Binary, left: Value, right: Value) -> None:
    if not (is_real(base_of(left.type)) or is_real(base_of(right.type))):
        return
    # Zero is exact: it guards divisions and says "not set". Two constants are no measurement.
    if left.const == 0 or right.const == 0 or (left.const is not None and right.const is not None):
        return
    test = "<" if node.op == "=" else ">="
    walk.reporter.report(
        "W0310",
        f"'{node.op}' compares every bit of two REAL values",
        node.span,
        label="computed values are hardly ever equal",
        help=f"write ABS({node.left.span.text} - {node.right.span.text}) {test} 0.001, "
        "with the tolerance that suits the process",
    )


_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _decided(walk: Walk, node: tree.Binary, op: str, x: Value, limit: Value) -> bool:
    """W0319: `x op limit` with a literal at or beyond the end of x's type."""
    t = x.type
    if isinstance(t, SubrangeType) or not isinstance(t, Elementary) or not is_integer(t):
        return False
    if x.const is not None or not isinstance(limit.const, int) or t.universal:
        return False
    if not limit.span.text[:1].isdigit() and not limit.span.text.startswith("-"):
        return False
    low, high = INT_RANGE[t.kind]
    c = limit.const
    always = {
        "<": (c > high, c <= low),
        "<=": (c >= high, c < low),
        ">": (c < low, c >= high),
        ">=": (c <= low, c > high),
        "=": (False, not low <= c <= high),
        "<>": (not low <= c <= high, False),
    }[op]
    if not any(always):
        return False
    walk.reporter.report(
        "W0319",
        f"this is always {'TRUE' if always[0] else 'FALSE'}: {t} goes from {low} to {high}",
        node.span,
        help="compare with a value inside of that range, or declare the variable "
        f"as {'a signed type' if low == 0 else 'a wider type'}",
    )
    return True
