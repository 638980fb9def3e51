"""The project model: a folder with takt.toml and Structured Text, or just source files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from glob import has_magic
from pathlib import Path

from host_tools.compiler.diagnostics import Diagnostic, Reporter, did_you_mean
from host_tools.compiler.source import Source, Span, read_source
from host_tools.failure import USAGE, Failure
from host_tools.record import record, replace
from host_tools.wiring.boards import load_board
from host_tools.wiring.file import Wiring, read_wiring

FILE = "takt.toml"


@record(frozen=True)
class Project:
    """What was found on disk. `diagnostics` are those of takt.toml; `names` the sources' paths in
    the project, which go into the bundle, while `sources` carry names to show to a person.
    `tests` are sources, too, but no part of the program: `*_test.st`, and what is in a folder
    `tests`; `test_names` their paths."""

    folder: Path
    wiring: Wiring
    sources: tuple[Source, ...]
    names: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    has_file: bool = True
    tests: tuple[Source, ...] = ()
    test_names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.wiring.name


def load(*paths: str | os.PathLike[str], engine: str | None = None) -> Project:
    """The project in a folder, that of a takt.toml, or one made of the given source files.

    Without a path: the project of the working directory or the nearest folder above it. What is
    wrong inside the files is in `diagnostics`; Failure is for what cannot be found or read.
    `engine` is used in place of what takt.toml says.
    """
    project = _load(paths)
    if engine is None:
        return project
    return replace(project, wiring=replace(project.wiring, engine=engine))


def _load(paths: Sequence[str | os.PathLike[str]]) -> Project:
    places = [Path(p) for p in paths]
    if not places:
        return _load_folder(_find_upwards(_here()))
    for place in places:
        if not place.exists():
            help = _near(place) or "name a project folder or source files"
            raise Failure(f"there is no file or folder '{place}'", help, USAGE)
    if len(places) == 1 and places[0].is_dir():
        if not (places[0] / FILE).is_file():
            raise Failure(
                f"there is no {FILE} in '{places[0]}'",
                "name the folder of a project, or source files; `takt new NAME` makes a project",
                USAGE,
            )
        return _load_folder(places[0])
    if len(places) == 1 and places[0].name == FILE:
        return _load_folder(places[0].parent)
    for place in places:
        if place.is_dir() or place.suffix.lower() == ".toml":
            raise Failure(
                f"'{place}' is a project, which cannot be joined with other files",
                "name one project folder, or source files only",
                USAGE,
            )
    return _load_files(places)


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise Failure(
            f"the working folder cannot be used: {error.strerror}", "change to another", USAGE
        ) from None


def _find_upwards(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise Failure(
        f"there is no {FILE} here or in a folder above",
        "name a project folder or source files; `takt new NAME` makes a project",
        USAGE,
    )


def _near(place: Path) -> str:
    folder = place.parent
    if not folder.is_dir():
        return ""
    return did_you_mean(place.name, [p.name for p in folder.iterdir()])


def _shown(path: Path) -> str:
    """The path as a person would write it from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _read(path: Path, index: int = 0) -> Source:
    try:
        return read_source(path, index, _shown(path))
    except OSError as error:
        raise Failure(f"cannot read '{path}': {error.strerror}", exit_code=USAGE) from None


def _read_sources(paths: Sequence[Path], reporter: Reporter) -> tuple[Source, ...]:
    """The source files. One that is not text is told once, and left empty."""
    sources = []
    for index, path in enumerate(paths):
        source = _read(path, index)
        if source.text.startswith("TAKTB1\n"):
            raise Failure(
                f"'{path}' is a bundle, not Structured Text",
                "name its project, or the bundle in `takt deploy PORT BUNDLE`",
                USAGE,
            )
        at = source.text.find("\0")
        if at >= 0:
            reporter.report(
                "E0001",
                "this file is not text: it has a byte 0 here",
                Span(source, at, at + 1),
                help="is it the right file? Structured Text is saved as UTF-8",
            )
            source = Source(source.name, "", index)
        sources.append(source)
    return tuple(sources)


def _load_files(places: Sequence[Path]) -> Project:
    reporter = Reporter()
    tests = [place for place in places if is_test_file(place.name)]
    program = [place for place in places if place not in tests]
    sources = _read_sources(program, reporter)
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in places[0].stem)[:32]
    wiring = Wiring(
        name=name if name[:1].isalpha() else "program",
        version="0.1.0",
        engine="auto",
        board=load_board("host"),
        sources=(),
        source=Source(FILE, ""),
    )
    names = tuple(place.name for place in program)
    read = _read_sources(tests, reporter)
    found = tuple(reporter.diagnostics)
    test_names = tuple(place.name for place in tests)
    return Project(_here(), wiring, sources, names, found, False, read, test_names)


def _load_folder(folder: Path) -> Project:
    reporter = Reporter()
    source = _read(folder / FILE)
    wiring = read_wiring(source, reporter)
    if wiring is None:
        wiring = Wiring("unnamed", "0.1.0", "auto", None, (), source=source)
    paths: list[Path] = []
    for pattern, span in wiring.sources:
        matched = _match(folder, pattern, span, reporter)
        paths += [p for p in matched if p not in paths]

    def name(path: Path) -> str:
        return path.relative_to(folder).as_posix()

    tests = sorted({*(p for p in paths if is_test_file(name(p))), *_test_files(folder, paths)})
    paths = [path for path in paths if path not in tests]
    sources = _read_sources(paths, reporter)
    read = _read_sources(tests, reporter)
    found = tuple(reporter.diagnostics)
    names, test_names = tuple(map(name, paths)), tuple(map(name, tests))
    return Project(folder, wiring, sources, names, found, True, read, test_names)


def is_test_file(name: str) -> bool:
    """Whether a file holds tests and nothing of the program, by its path in the project."""
    path = Path(name)
    return path.stem.lower().endswith("_test") or "tests" in path.parts[:-1]


def _test_files(folder: Path, paths: Sequence[Path]) -> set[Path]:
    """Test files that no pattern names: beside the sources, and in the folder `tests`."""
    found = set((folder / "tests").rglob("*.st"))
    for place in {folder, *(path.parent for path in paths)}:
        found |= set(place.glob("*_test.st"))
    return {path for path in found if path.is_file()}


def _match(folder: Path, pattern: str, span: Span, reporter: Reporter) -> list[Path]:
    """The files of one pattern, by name; E0619 where there are none."""
    outside = Path(pattern).is_absolute() or ".." in Path(pattern).parts
    found: list[Path] = []
    if not outside and pattern and "\0" not in pattern:
        try:
            found = sorted(path for path in folder.glob(pattern) if path.is_file())
        except (ValueError, NotImplementedError):
            found = []
    if not found:
        all_names = [p.relative_to(folder).as_posix() for p in folder.rglob("*.st")]
        if outside:
            help = "sources lie in the folder of the project, or below it"
        elif has_magic(pattern):
            help = "add a program, such as main.st"
        else:
            help = did_you_mean(pattern, all_names)
            if not help and all_names:
                help = f"there is {', '.join(sorted(all_names)[:4])}"
        reporter.report("E0619", f"no source file matches '{pattern}'", span, help=help)
    return found
