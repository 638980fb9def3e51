"""Compiles a project for its tests, and chooses among them."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from host_tools.build import Program, Rejected
from host_tools.compiler.compilation import Options, compile_sources
from host_tools.compiler.diagnostics import Diagnostic, did_you_mean
from host_tools.compiler.lowering.test_units import Case
from host_tools.compiler.source import Source
from host_tools.compiler.test_build import Suite
from host_tools.failure import USAGE, Failure
from host_tools.project import Project
from host_tools.record import record, replace
from host_tools.wiring.resolve import Rows

_HOW = "write one: TEST 'name' … END_TEST, beside the program or in a file NAME_test.st"


@record(frozen=True)
class TestBuild:
    """A project built for its tests."""

    __test__ = False

    project: Project
    program: Program
    suite: Suite
    sources: tuple[Source, ...]

    def choose(self, pattern: str = "", files: Iterable[str] = ()) -> list[Case]:
        """The tests whose name contains `pattern`, or matches it as a glob; of some files only.
        Raises Failure where there are none."""
        wanted = {str(Path(f).resolve()) for f in files}
        cases = [
            (source, case)
            for source, case in self.suite.cases()
            if not wanted or str(Path(source.name).resolve()) in wanted
        ]
        if not cases:
            raise Failure(f"'{self.project.name}' has no tests", _HOW, USAGE)
        chosen = [case for _, case in cases if matches(case.name, pattern)]
        if not chosen:
            names = [case.name for _, case in cases]
            raise Failure(
                f"no test matches '{pattern}'",
                did_you_mean(pattern, names) or "`takt test --list` shows their names",
                USAGE,
            )
        return chosen


def matches(name: str, pattern: str) -> bool:
    """Whether a test is chosen by `-k pattern`."""
    name, pattern = name.upper(), pattern.upper()
    if any(c in pattern for c in "*?["):
        return fnmatchcase(name, pattern)
    return pattern in name


def test_diagnostics(project: Project) -> list[Diagnostic]:
    """What is wrong in the test files of a project whose program is sound."""
    shown = {source.name for source in project.tests}
    sources = [*project.sources, *project.tests]
    found = compile_sources(sources, _options(project)).diagnostics
    return [d for d in found if d.span.source.name in shown]


def _options(project: Project, covered: int = 0) -> Options:
    """For a build of the sources with the test files behind them."""
    count = len(project.sources)
    return Options(
        areas=project.wiring.areas(),
        tests=True,
        coverage=frozenset(range(covered)),
        test_sources=frozenset(range(count, count + len(project.tests))),
    )


def build(project: Project, *, coverage: bool = False, on: str = "host") -> TestBuild:
    """Compile the program with its tests. Raises Rejected, which carries the diagnostics."""
    covered = len(project.sources) if coverage else 0
    sources = (*project.sources, *project.tests)
    names = (*project.names, *project.test_names)
    if not sources:
        raise Failure(f"'{project.name}' has no sources", _HOW, USAGE)
    whole = replace(project, sources=sources, names=names, tests=(), test_names=())
    compilation = compile_sources(sources, _options(project, covered))
    errors = [d for d in (*project.diagnostics, *compilation.diagnostics) if d.is_error]
    if errors or compilation.program is None or compilation.layout is None:
        raise Rejected(whole, errors)
    assert compilation.suite is not None
    if on == "pico":
        _check_floats(whole, compilation.program.uses_lreal)
    program = Program(whole, compilation.program, compilation.layout, Rows(), ())
    return TestBuild(whole, program, compilation.suite, tuple(compilation.sources))


def _check_floats(project: Project, uses_lreal: bool) -> None:
    if uses_lreal:
        raise Failure(
            f"'{project.name}' uses LREAL, which MicroPython on the Pico does not have",
            "run its tests with --on host or --on micropython",
        )
