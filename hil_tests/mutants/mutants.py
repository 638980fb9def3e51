"""Chooses mutants of a project: by rule and seed, before anybody has looked at them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from hil_tests.mutants.operators import RULES, Edit, edits
from host_tools.build import Program, Rejected, compile
from host_tools.compiler.diagnostics import Reporter, did_you_mean
from host_tools.compiler.parser import parse
from host_tools.compiler.source import Source
from host_tools.failure import USAGE, Failure
from host_tools.project import Project
from host_tools.record import record, replace


@record(frozen=True)
class Mutant:
    """A project with one edit. It compiles, to other code than the project's. `file` is the
    source's path in the project."""

    number: int
    file: str
    edit: Edit

    @property
    def place(self) -> str:
        return f"{self.file}:{self.edit.span.line}"

    @property
    def name(self) -> str:
        return f"{self.place} {self.edit.rule}: {self.edit.what}"

    def write(self, project: Project, folder: Path) -> None:
        """The mutated project, in a folder that is made."""
        folder.mkdir(parents=True)
        (folder / "takt.toml").write_text(project.wiring.source.text, encoding="utf-8")
        for name, source in zip(project.names, project.sources, strict=True):
            text = self.edit.text() if name == self.file else source.text
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")


def chosen_files(project: Project, files: Sequence[str]) -> list[str]:
    """The sources to break: all of the project where none is named. Raises Failure."""
    for file in files:
        if file not in project.names:
            help = did_you_mean(file, project.names) or f"there is {', '.join(project.names)}"
            raise Failure(f"'{project.name}' has no source '{file}'", help, USAGE)
    return list(files) or list(project.names)


def all_edits(project: Project, files: Sequence[str]) -> list[tuple[str, Edit]]:
    """Every edit of these sources, whether it compiles or not, with its file."""
    found = []
    for name, source in zip(project.names, project.sources, strict=True):
        if name in files:
            found += [(name, edit) for edit in edits(parse(source, Reporter()))]
    return found


def in_turns(found: list[tuple[str, Edit]], seed: int) -> Iterator[tuple[str, Edit]]:
    """In an order that depends on the seed alone: one of each rule in turn."""
    rng = random.Random(seed)
    heaps = [[e for e in found if e[1].rule == rule] for rule in RULES]
    for heap in heaps:
        rng.shuffle(heap)
    while any(heaps):
        for heap in heaps:
            if heap:
                yield heap.pop()


def choose(
    project: Project, count: int | None, seed: int = 1, files: Sequence[str] = ()
) -> list[Mutant]:
    """At most `count` mutants (None: all), in the order of their places. Raises Failure."""
    files = chosen_files(project, files)
    original = compile(project).python()
    found: list[tuple[str, Edit]] = []
    for file, edit in in_turns(all_edits(project, files), seed):
        if count is not None and len(found) == count:
            break
        program = _compiled(project, file, edit)
        if program is not None and program.python() != original:
            found.append((file, edit))
    found.sort(key=lambda e: (e[0], e[1].span.start))
    return [Mutant(k, *e) for k, e in enumerate(found, 1)]


def _compiled(project: Project, file: str, edit: Edit) -> Program | None:
    sources = list(project.sources)
    at = project.names.index(file)
    sources[at] = Source(sources[at].name, edit.text(), sources[at].index)
    try:
        return compile(replace(project, sources=tuple(sources)))
    except Rejected:
        return None
