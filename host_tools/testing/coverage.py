"""Which statements and branches the tests reached, file by file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from host_tools.compiler.coverage import Point
from host_tools.compiler.source import Source
from host_tools.record import field, record
from host_tools.render import Style, table_text

if TYPE_CHECKING:
    from host_tools.testing.build import TestBuild


@record(eq=False)
class FileCoverage:
    """The points of one source: those reached and those missed, in its order. `name` is what a
    person sees here, `path` that in the project."""

    source: Source
    name: str
    path: str
    hit: list[Point] = field(default_factory=list)
    missed: list[Point] = field(default_factory=list)

    def count(self, branches: bool) -> tuple[int, int]:
        """How many statements (or branches) were reached, and how many there are."""
        hit = sum(bool(p.branch) is branches for p in self.hit)
        return hit, hit + sum(bool(p.branch) is branches for p in self.missed)

    @property
    def missing_lines(self) -> list[int]:
        """Lines on which a statement begins that was never reached."""
        return sorted({p.span.line for p in self.missed if not p.branch})

    @property
    def missed_branches(self) -> list[Point]:
        """Branches never taken of statements that were reached."""
        dead = set(self.missing_lines)
        found = [p for p in self.missed if p.branch and p.span.line not in dead]
        return sorted(found, key=lambda p: p.span.start)


@record(eq=False)
class Coverage:
    files: list[FileCoverage]

    def count(self, branches: bool) -> tuple[int, int]:
        """As FileCoverage.count, of all files."""
        counts = [f.count(branches) for f in self.files]
        return sum(c[0] for c in counts), sum(c[1] for c in counts)

    def text(self, style: Style) -> str:
        """A table, and under it what is missing in each file."""
        rows = [_row(f.name, f.count(False), f.count(True)) for f in self.files]
        if len(rows) > 1:
            rows.append(_row("total", self.count(False), self.count(True)))
        lines = [table_text(("coverage", "statements", "", "branches", ""), rows, style)]
        for f in self.files:
            if f.missing_lines:
                lines.append(f"{f.name}: lines not reached: {ranges_text(f.missing_lines)}")
            if f.missed_branches:
                lines.append(f"{f.name}: branches not taken: {branches_text(f.missed_branches)}")
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """For `--json`."""
        made = {
            f.name: {
                "statements": list(f.count(False)),
                "branches": list(f.count(True)),
                "missing_lines": f.missing_lines,
                "missed_branches": [
                    {"line": p.span.line, "column": p.span.column, "branch": p.branch}
                    for p in f.missed_branches
                ],
            }
            for f in self.files
        }
        return {
            "statements": list(self.count(False)),
            "branches": list(self.count(True)),
            "files": made,
        }


def _row(name: str, statements: tuple[int, int], branches: tuple[int, int]) -> tuple[str, ...]:
    return (
        name,
        f"{statements[0]}/{statements[1]}",
        percent(*statements),
        f"{branches[0]}/{branches[1]}",
        percent(*branches),
    )


def percent(hit: int, of: int) -> str:
    """Never "100%" where something is missing."""
    if not of:
        return "-"
    return f"{100 * hit // of}%"


def ranges_text(lines: list[int]) -> str:
    """`3, 7-9`"""
    parts: list[list[int]] = []
    for line in lines:
        if parts and line == parts[-1][1] + 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in parts)


def branches_text(points: list[Point]) -> str:
    """`12 (FALSE), 30 (ELSE)`"""
    return ", ".join(f"{p.span.line} ({p.branch})" for p in points)


def summary(build: TestBuild, covered: bytearray) -> Coverage:
    """The coverage of all sources that are the project's own and hold no tests alone."""
    files: dict[int, FileCoverage] = {}
    for n, (point, reached) in enumerate(zip(build.suite.points, covered, strict=True)):
        if n in build.suite.impossible and not reached:
            continue
        source = point.span.source
        one = files.get(source.index)
        if one is None:
            one = FileCoverage(source, source.name, build.project.names[source.index])
            files[source.index] = one
        (one.hit if reached else one.missed).append(point)
    return Coverage([files[k] for k in sorted(files)])
