"""The build for tests: the program's blocks, and one task that runs the test that is chosen.

What it needs is in the image, at places that `Suite` names: so the same build runs on every engine
and target that runs programs.
"""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler import ir, tree
from host_tools.compiler.compilation import Options
from host_tools.compiler.coverage import Point, instrument
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.linker import Linker
from host_tools.compiler.lowering.configuration import TaskPlan, configure
from host_tools.compiler.lowering.tasks import Tasks
from host_tools.compiler.lowering.test_units import (
    Case,
    TestFile,
    lower_choice,
    lower_tests,
    place_variables,
)
from host_tools.compiler.lowering.testing import Assertion, Harness
from host_tools.compiler.source import Source
from host_tools.compiler.symbols import ProgramInstance, Touch
from host_tools.compiler.types import ELEMENTARY, LWORD, ArrayType, Type
from host_tools.record import record, replace

BUDGET = 5_000_000
"""Back-edges of a whole test."""

_INTERVAL_NS = 10_000_000


@record(eq=False)
class Suite:
    """What is needed to run the tests of a build and to read what came of them. Offsets in the
    image: `selector` (u32, the number of the test to run), `failed` (u32, the number of the
    assertion that did not hold, from 1; 0: none did), `cover` (a byte for each of `points`),
    `clock` (i64, ns, where the test's time stands). `impossible` are the indices of points that no
    test can reach."""

    files: list[TestFile]
    assertions: list[Assertion]
    points: list[Point]
    selector: int
    failed: int
    clock: int
    cover: int
    impossible: set[int]

    def cases(self) -> list[tuple[Source, Case]]:
        """All tests with their sources, in order."""
        return [(f.source, case) for f in self.files for case in f.cases]


class TestLinker(Linker):
    """Puts the tests together."""

    __test__ = False

    def __init__(
        self, units: list[tree.Unit], sources: list[Source], reporter: Reporter, options: Options
    ) -> None:
        units, self.points = instrument(units, options.coverage)
        options = replace(options, budget=BUDGET)
        super().__init__(units, sources, reporter, options)
        self.names.has_mocks = any("MOCK" in f.source.text.upper() for f in self.tests)
        self.names.test_sources = options.test_sources
        self.harness = Harness(self._take, dry=False)

    def _configure(self) -> tuple[list[TaskPlan], list[ProgramInstance]]:
        configure(self.names)  # for what is wrong there
        return [TaskPlan("tests", _INTERVAL_NS, 1)], []

    def _directs(self, unit: tree.Unit) -> Iterable[tree.Direct]:
        yield from unit.directs
        for d in unit.declarations:
            if isinstance(d, tree.TestBlock):
                yield from d.directs

    def _all_blocks(self) -> Iterable[Iterable[tree.VarBlock]]:
        yield from super()._all_blocks()
        for unit in self.units:
            for d in unit.declarations:
                if isinstance(d, tree.TestBlock):
                    yield d.blocks

    def _take(self, t: Type) -> int:
        """Space for a value, with the capacity of a string."""
        offset = self.image.take(t)
        self.allocation.constants[offset, -1] = (offset, t, None)
        return offset

    def _lower_tests(self) -> None:
        h = self.harness
        assert h is not None
        h.selector = self.image.take(ELEMENTARY["UDINT"])
        h.failed = self.image.take(ELEMENTARY["UDINT"])
        h.clock = self.image.take(LWORD)
        h.values = {w: self.image.take(LWORD) for w in ("actual", "expected", "tolerance")}
        h.cover = self.image.at
        if self.points:
            h.cover = self.image.take(ArrayType(((1, len(self.points)),), ELEMENTARY["BYTE"]))
        self.image.at = place_variables(self.names, self.tests, self.image.align())
        self.image.align()
        self._find_instantiated()
        lowered = lower_tests(self._body, self.tests, h)
        for name, (func, touch) in lowered.items():
            self.functions.add(name, replace(func, name=name), touch)
        self.suite = Suite(
            self.tests,
            h.assertions,
            self.points,
            h.selector,
            h.failed,
            h.clock,
            h.cover,
            h.impossible,
        )

    def _task_function(self, tasks: Tasks, plan: TaskPlan, name: str) -> tuple[ir.Func, Touch]:
        assert self.harness is not None
        made = lower_choice(self._body, self.tests, self.harness, name)
        for other, (func, touch) in made.items():
            self.functions.add(other, replace(func, name=other), touch)
        return self.functions.made[name], self.functions.touches[name]
