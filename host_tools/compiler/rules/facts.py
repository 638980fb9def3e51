"""What the walk finds out about variables and instances."""

from __future__ import annotations

from host_tools.compiler import tree
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Symbol
from host_tools.compiler.types import FbType
from host_tools.record import field, record

Key = int
"""A variable: the id of the span of its name in its declaration."""

Event = tuple[str, "Key | str", Span]
"""What happens to a variable, or to a direct address as text, in the order of the text:

read   its value may be used
write  all of it is written
part   a part of it is written, or it may be
call   the instance is called
all    anything may be read, or the rest of the list may be skipped
"""

REST = -1
"""The branch that consists of all that follows an IF some of whose branches leave."""


@record(eq=False)
class Site:
    """One call of an instance. `path` lists (branching statement, branch) from the outside in."""

    path: tuple[tuple[int, int], ...]
    call: tree.Call
    type: FbType
    symbol: Symbol
    in_loop: bool
    in_body: bool


@record(eq=False)
class Facts:
    """`mentioned`: folded names whose meaning is not known here; any variable of such a name
    counts as used; `members`: those after a point, which may be variables of a function block,
    seen by its own methods. `alternatives`: the branches of a statement, by its id, that together
    are every way past it; `leaving`: where statements stand some of whose branches leave."""

    reads: dict[Key, Span] = field(default_factory=dict)
    writes: dict[Key, Span] = field(default_factory=dict)
    called: set[Key] = field(default_factory=set)
    mentioned: set[str] = field(default_factory=set)
    members: set[str] = field(default_factory=set)
    sites: dict[tuple[Key, str], list[Site]] = field(default_factory=dict)
    alternatives: dict[int, set[int]] = field(default_factory=dict)
    leaving: dict[int, Span] = field(default_factory=dict)
