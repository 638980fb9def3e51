"""W0314: a CASE that forgets values of its enumeration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.types import EnumType, base_of

if TYPE_CHECKING:
    from host_tools.compiler.rules.walk import Walk

_MOST_NAMED = 4


def _missing(walk: Walk, node: tree.Case) -> tuple[EnumType | None, list[str]]:
    value = walk.notes.values.get(id(node.selector))
    t = base_of(value.type) if value is not None else None
    if not isinstance(t, EnumType):
        return None, []
    left = {number: name for name, number in t.values.items()}
    for branch in node.branches:
        for label in branch.labels:
            low = walk.notes.values.get(id(label.low))
            high = walk.notes.values.get(id(label.high)) if label.high is not None else low
            if low is None or high is None:
                return None, []
            if not (isinstance(low.const, int) and isinstance(high.const, int)):
                return None, []
            for number in [n for n in left if low.const <= n <= high.const]:
                del left[number]
    return t, [t.spelling[name] for name in left.values()]


def is_complete(walk: Walk, node: tree.Case) -> bool:
    """Whether the labels are all values of an enumeration."""
    t, missing = _missing(walk, node)
    return t is not None and not missing


def missing_values(walk: Walk, node: tree.Case) -> None:
    if node.orelse is not None:
        return
    t, missing = _missing(walk, node)
    if t is None or not missing:
        return
    shown = ", ".join(missing[:_MOST_NAMED]) + (" …" if len(missing) > _MOST_NAMED else "")
    walk.reporter.report(
        "W0314",
        f"this CASE does not handle {shown} of {t}",
        node.selector.span,
        others=[Label(t.span, f"{t} is declared here")] if t.span is not None else (),
        help=f"add '{missing[0]}:', or an ELSE that says what happens otherwise "
        "('ELSE ;' for nothing)",
    )
