"""What compiles and is hardly meant: the rules behind the warnings W0303 to W0326.

They look at the trees of the user's sources with what lowering has noted about them, in one walk,
and only where there are no errors: what is not understood cannot be judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from host_tools.compiler import tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.lowering.notes import Notes
from host_tools.compiler.rules import instances, numbers, tasks, usage
from host_tools.compiler.rules.walk import Walk
from host_tools.compiler.suppression import check_pragmas
from host_tools.compiler.symbols import Touch


def check(
    names: Declarations,
    notes: Notes,
    units: Iterable[tree.Unit],
    programs: Iterable[Sequence[str]],
    touches: Mapping[str, Touch],
    outside: frozenset[str],
) -> None:
    """Report what the rules find. `programs`: the program instances of each task; `outside`: the
    folded names that takt.toml uses."""
    reporter: Reporter = names.reporter
    own = [unit for unit in units if not unit.span.source.library]
    walk = Walk(notes, names, reporter)
    for unit in own:
        for declaration in unit.declarations:
            walk.declaration(declaration)
    for value, target in notes.converted:
        if not value.span.source.library:
            numbers.widened(reporter, value, target)
    instances.check(reporter, walk.facts)
    usage.check(reporter, names, walk.facts, own, outside)
    tasks.check(reporter, programs, touches)
    check_pragmas([unit.span.source for unit in own], reporter)
