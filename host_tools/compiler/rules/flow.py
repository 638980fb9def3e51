"""Rules about the order of statements: W0307, W0308, W0317, W0318."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.rules.facts import Event, Key
from host_tools.compiler.source import Span

Pending = dict[Key | str, Span]
"""Written and not read since."""


def unreachable(reporter: Reporter, left: tree.Statement, node: tree.Statement) -> None:
    """W0307: `node` stands behind a statement that always leaves."""
    name = {tree.Return: "RETURN", tree.Exit: "EXIT", tree.Continue: "CONTINUE"}.get(type(left))
    reporter.report(
        "W0307",
        "this is never reached",
        node.span,
        others=[
            Label(
                left.span if name else head(left),
                f"{name} always leaves here"
                if name
                else "every way through this leaves, or stays",
            )
        ],
        help=f"remove it, or put the {name} inside of an IF"
        if name
        else "remove it, or leave on one way only",
    )


def head(node: tree.Statement) -> Span:
    """The first word of a statement of several lines."""
    text = node.span.text
    size = next((n for n, c in enumerate(text) if not c.isalnum() and c != "_"), len(text))
    return Span(node.span.source, node.span.start, node.span.start + max(size, 1))


def overwritten(
    reporter: Reporter, pending: Pending, events: list[Event], first: int, node: tree.Statement
) -> None:
    """W0317: a value is written and written again before anything reads it. `pending` is brought
    up to date with the events of `node`, those from `first` on."""
    own = len(events) - 1 if isinstance(node, tree.Assign) and node.op == ":=" else -1
    for n in range(first, len(events)):
        kind, key, span = events[n]
        if kind == "all":
            pending.clear()
        elif kind == "write":
            before = pending.get(key)
            if n == own and before is not None:
                reporter.report(
                    "W0317",
                    f"'{before.text}' is written here and always overwritten before it is read",
                    before,
                    label="this has no effect",
                    others=[Label(span, "overwritten here")],
                    help="write one assignment: join the conditions with OR, "
                    "or put this one behind the other",
                )
            pending[key] = span
        else:
            pending.pop(key, None)


def self_assignment(reporter: Reporter, node: tree.Assign) -> None:
    """W0318: `x := x`."""
    if isinstance(node.target, tree.Name | tree.Member | tree.Direct) and (
        node.target == node.value
        or (
            isinstance(node.target, tree.Name)
            and isinstance(node.value, tree.Name)
            and node.target.name.upper() == node.value.name.upper()
        )
    ):
        reporter.report(
            "W0318",
            f"'{node.target.span.text}' is assigned to itself",
            node.span,
            help="remove it, or name the variable that was meant",
        )


def never_changes(condition: Iterable[Event], body: Sequence[Event]) -> bool:
    """Whether nothing in the body of a loop can change what its condition reads."""
    read: set[Key | str] = set()
    for kind, key, _ in condition:
        if kind != "read":
            return False
        read.add(key)
    if not read:
        return False
    return not any(kind == "all" or (kind != "read" and key in read) for kind, key, _ in body)


def never_ends(reporter: Reporter, node: tree.While | tree.RepeatUntil, constant: bool) -> None:
    """W0308."""
    why = "is always the same" if constant else "does not change inside of the loop"
    reporter.report(
        "W0308",
        "this loop never ends by itself",
        node.condition.span,
        label=f"this {why}",
        help="inputs change only between two scans: write IF and come back in the next scan, "
        "or leave with EXIT",
    )


def leaves_loop(body: Iterable[tree.Statement]) -> bool:
    """Whether a loop may be left from inside: EXIT of it, or RETURN."""
    for node in body:
        if isinstance(node, tree.Exit | tree.Return):
            return True
        if isinstance(node, tree.If | tree.Case):
            parts = [b.body for b in node.branches] + [node.orelse or ()]
        elif isinstance(node, tree.For | tree.While | tree.RepeatUntil):
            if _returns(node.body):
                return True
            continue
        else:
            continue
        if any(leaves_loop(part) for part in parts):
            return True
    return False


def _returns(body: Iterable[tree.Statement]) -> bool:
    for node in body:
        if isinstance(node, tree.Return):
            return True
        if isinstance(node, tree.If | tree.Case):
            parts = [b.body for b in node.branches] + [node.orelse or ()]
        elif isinstance(node, tree.For | tree.While | tree.RepeatUntil):
            parts = [node.body]
        else:
            continue
        if any(_returns(part) for part in parts):
            return True
    return False
