"""Puts points into a syntax tree that note which statements and branches were reached.

A point is a `tree.Cover` statement, which stores a 1 into its byte of the image. Working on the
tree keeps the rest of the compiler, and every engine, free of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler import tree
from host_tools.compiler.source import Source, Span
from host_tools.record import record, replace


@record(frozen=True)
class Point:
    """A statement (`branch` empty), or one way that a statement may go: `span` is that of the
    statement or condition, `branch` says which way."""

    span: Span
    branch: str = ""


class Instrumented:
    """Sources with points; `points` are numbered in the order of this list."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def unit(self, unit: tree.Unit) -> tree.Unit:
        """The same source with points in all bodies but those of tests."""
        made = tuple(
            d if isinstance(d, tree.TestBlock) else self._node(d) for d in unit.declarations
        )
        return replace(unit, declarations=made)

    def _point(self, span: Span, branch: str = "") -> tree.Cover:
        self.points.append(Point(span, branch))
        return tree.Cover(span, len(self.points) - 1)

    def _node(self, node: tree.Node) -> tree.Node:
        """A declaration, part or statement with points in what it holds."""
        match node:
            case tree.If():
                return self._if(node)
            case tree.Case():
                return self._case(node)
            case tree.For() | tree.While() | tree.RepeatUntil():
                return self._loop(node)
        changes: dict[str, tuple[tree.Node, ...]] = {}
        for name in node._fields:
            value = getattr(node, name)
            if isinstance(value, tuple) and value and isinstance(value[0], tree.Node):
                if isinstance(value[0], tree.Statement):
                    changes[name] = self._statements(value)
                elif not isinstance(value[0], tree.Expr | tree.VarBlock | tree.Argument):
                    changes[name] = tuple(self._node(v) for v in value)
        return replace(node, **changes) if changes else node

    def _statements(
        self, nodes: Iterable[tree.Statement], *before: tree.Statement
    ) -> tuple[tree.Statement, ...]:
        made = list(before)
        for node in nodes:
            made.append(self._point(_shown(node)))
            made.append(self._node(node))  # type: ignore[arg-type]
        return tuple(made)

    def _if(self, node: tree.If) -> tree.If:
        branches = []
        for b in node.branches:
            taken = self._point(b.condition.span, "TRUE")
            branches.append(replace(b, body=self._statements(b.body, taken)))
        last = node.branches[-1].condition.span
        orelse = self._statements(node.orelse or (), self._point(last, "FALSE"))
        return tree.If(node.span, tuple(branches), orelse)

    def _case(self, node: tree.Case) -> tree.Case:
        branches = []
        for b in node.branches:
            labels = b.labels[0].span.to(b.labels[-1].span) if b.labels else b.span
            taken = self._point(labels, labels.text)
            branches.append(replace(b, body=self._statements(b.body, taken)))
        none = self._point(node.selector.span, "ELSE")
        orelse = self._statements(node.orelse or (), none)
        return tree.Case(node.span, node.selector, tuple(branches), orelse)

    def _loop(self, node: tree.For | tree.While | tree.RepeatUntil) -> tree.Node:
        """A loop goes round at least once, or not at all; REPEAT always does."""
        if isinstance(node, tree.RepeatUntil):
            return replace(node, body=self._statements(node.body))
        span = node.condition.span if isinstance(node, tree.While) else node.variable.span
        return replace(node, body=self._statements(node.body, self._point(span, "the loop")))


def _shown(node: tree.Statement) -> Span:
    """What of a statement is marked: of one that holds others its head."""
    match node:
        case tree.If():
            return Span(node.span.source, node.span.start, node.branches[0].condition.span.end)
        case tree.Case():
            return Span(node.span.source, node.span.start, node.selector.span.end)
        case tree.For():
            return Span(node.span.source, node.span.start, node.stop.span.end)
        case tree.While():
            return Span(node.span.source, node.span.start, node.condition.span.end)
        case tree.RepeatUntil():
            return Span(node.span.source, node.span.start, node.span.start + len("REPEAT"))
    return node.span


def instrument(
    units: list[tree.Unit], which: frozenset[int]
) -> tuple[list[tree.Unit], list[Point]]:
    """The units, those of the sources with an index in `which` with points."""
    made = Instrumented()
    return [made.unit(u) if _index(u) in which else u for u in units], made.points


def _index(unit: tree.Unit) -> int:
    source: Source = unit.span.source
    return source.index
