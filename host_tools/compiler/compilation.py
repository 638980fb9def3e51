"""From sources to a program: parses them, links it, and says what is wrong."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Diagnostic, Reporter, in_order
from host_tools.compiler.heritage import own_members
from host_tools.compiler.linker import Linker
from host_tools.compiler.parser import parse
from host_tools.compiler.source import Source
from host_tools.compiler.suppression import without_suppressed
from host_tools.record import field, record

if TYPE_CHECKING:
    from host_tools.compiler.test_build import Suite

DEFAULT_BUDGET = 200_000
"""Back-edges a task release may take before it counts as a runaway loop."""

RECURSION = 20_000


@record(frozen=True)
class Options:
    """`areas`: least sizes in bytes of "IX", "IW", ... (what the wiring file needs). `rules`: also
    look for what compiles and is hardly meant; `outside` are folded names that the wiring file
    uses, so that these rules know of it. `tests`: build what runs the TEST blocks in place of the
    tasks; `coverage`: the indices of the sources whose statements note that they were reached;
    `test_sources` of those that hold tests alone."""

    areas: dict[str, int] = field(default_factory=dict)
    budget: int = DEFAULT_BUDGET
    rules: bool = False
    outside: frozenset[str] = frozenset()
    tests: bool = False
    coverage: frozenset[int] = frozenset()
    test_sources: frozenset[int] = frozenset()


@record()
class Compilation:
    """`program` and `layout` are None where there were errors; `suite` is there in a build for
    tests."""

    diagnostics: list[Diagnostic]
    sources: list[Source]
    program: ir.Program | None = None
    layout: dict[str, Any] | None = None
    suite: Suite | None = None

    @property
    def ok(self) -> bool:
        return self.program is not None


def compile_sources(sources: Iterable[Source], options: Options | None = None) -> Compilation:
    """Compile Structured Text. Source indices are set here, in the order given. Where the syntax
    of declarations is wrong, nothing else is told: much of it would follow from that."""
    numbered = [Source(s.name, s.text, i, s.library) for i, s in enumerate(sources)]
    reporter = Reporter()
    before, collecting = sys.getrecursionlimit(), gc.isenabled()
    sys.setrecursionlimit(max(before, RECURSION))
    gc.disable()  # trees and IR stay until the end; looking through them takes a quarter longer
    try:
        units = [parse(s, reporter) for s in numbered]
        if not _are_whole(units, reporter.diagnostics):
            return Compilation(in_order(reporter.diagnostics), numbered)
        reporter.end_of_syntax()
        options = options or Options()
        linker = Linker
        if options.tests:
            from host_tools.compiler.test_build import TestLinker as linker
        linked = linker(units, numbered, reporter, options)
        program, layout = linked.link()
    finally:
        sys.setrecursionlimit(before)
        if collecting:
            gc.enable()
    told = without_suppressed(reporter.diagnostics)
    result = Compilation(in_order(told), numbered)
    if not reporter.has_errors:
        result.program, result.layout, result.suite = program, layout, linked.suite
    return result


def _are_whole(units: list[tree.Unit], errors: list[Diagnostic]) -> bool:
    """Whether all that was reported so far lies among the statements of POUs, so that nothing that
    is declared got lost."""
    wrong = [d for d in errors if d.is_error]
    if not wrong:
        return True
    bodies = [
        where
        for unit in units
        for d in unit.declarations
        if isinstance(d, tree.Pou | tree.TestBlock)
        for where in _bodies(d)
    ]
    return all(
        d.code != "E0119"
        and any(
            source is d.span.source and start <= d.span.start <= end
            for source, start, end in bodies
        )
        for d in wrong
    )


def _bodies(pou: tree.Pou | tree.TestBlock) -> Iterable[tuple[Source, int, int]]:
    """Where the statements, the chart or the actions of a POU and of its methods stand: from the
    first to the end of the POU, or to the next of its methods."""
    if isinstance(pou, tree.TestBlock):
        if pou.body:
            yield pou.span.source, pou.body[0].span.start, pou.span.end
        return
    members = [m for _, m in own_members(pou.methods, pou.properties)]
    chart = [*pou.sfc.steps, *pou.sfc.transitions] if pou.sfc is not None else []
    within = pou.span
    starts = [n.span.start for n in (*pou.body[:1], *chart, *pou.actions)]
    start = min((s for s in starts if within.start <= s <= within.end), default=-1)
    if start >= 0:
        later = [m.span.start for m in (*members, *pou.properties) if m.span.start > start]
        yield within.source, start, min([within.end, *later])
    for member in members:
        yield from _bodies(member)
