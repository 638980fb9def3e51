"""`takt test`: runs the TEST blocks of a project, anywhere a program can run."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.failure import OK, PROGRAM, USAGE, Failure
from host_tools.project import Project, is_test_file, load
from host_tools.render import Progress, Style

if TYPE_CHECKING:
    from host_tools.testing.results import Run

EPILOG = """\
targets:
  host          this computer, as fast as it can (default)
  micropython   a MicroPython process on this computer
  pico          MicroPython firmware on an emulated RP2040

A test file that is named alone is run with the project it stands in.
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "paths", metavar="PROJECT|FILE.st", nargs="*", help="default: the project here"
    )
    parser.add_argument(
        "-k", metavar="PATTERN", dest="pattern", default="", help="tests with this in their name"
    )
    parser.add_argument("--on", metavar="TARGET", default="host", help="where (default: host)")
    parser.add_argument(
        "--engine",
        choices=["python", "native"],
        default="python",
        help="native: as machine code (default: python)",
    )
    parser.add_argument("--jobs", metavar="N", help="processes at most (default: as useful)")
    parser.add_argument("--junit", metavar="FILE", help="write a JUnit XML report")
    parser.add_argument("--coverage", action="store_true", help="tell what the tests reach")
    parser.add_argument("--coverage-html", metavar="DIR", help="write it as pages, too")
    parser.add_argument("--list", action="store_true", help="show the tests and run none")


def run(options: argparse.Namespace) -> int:
    from host_tools.testing.build import build
    from host_tools.testing.run import TARGETS, run

    jobs = _jobs(options.jobs)
    if options.on not in TARGETS:
        from host_tools.compiler.diagnostics import did_you_mean

        help_ = did_you_mean(options.on, TARGETS) or f"targets are {', '.join(TARGETS)}"
        raise Failure(f"there is no target '{options.on}' for tests", help_, USAGE)
    project, files = _project(options.paths, options.engine)
    coverage = options.coverage or options.coverage_html is not None
    with Progress(f"compiling {project.name}"):
        built = build(project, coverage=coverage, on=options.on)
    cases = built.choose(options.pattern, files)
    if options.list:
        shown = [
            {"name": c.name, "file": c.block.span.source.name, "line": c.block.span.line}
            for c in cases
        ]
        if options.json:
            print(json.dumps({"tests": shown}))
        else:
            for one in shown:
                print(f"{one['file']}:{one['line']}: {one['name']}")
        return OK
    result = run(built, cases, on=options.on, jobs=jobs)
    if options.junit:
        from host_tools.testing.junit import write_junit

        write_junit(result, Path(options.junit))
    if options.coverage_html is not None and result.coverage is not None:
        from host_tools.testing.coverage_html import write_pages

        write_pages(result.coverage, Path(options.coverage_html), project.name)
    _print(result, options)
    return OK if result.ok else PROGRAM


def _print(result: Run, options: argparse.Namespace) -> None:
    from host_tools.testing.report import run_json, run_text

    if options.json:
        print(json.dumps(run_json(result)))
        return
    style = Style(sys.stdout)
    print(run_text(result, style))
    if result.coverage is not None:
        print("\n" + result.coverage.text(style))


def _jobs(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 256:
        raise Failure(f"--jobs takes a whole number, 1 to 256, not '{text}'", "", USAGE)
    return int(text)


def _project(paths: list[str], engine: str) -> tuple[Project, list[str]]:
    """The project, and the files whose tests are wanted. Test files alone belong to the project
    around them, if there is one."""
    places = [Path(p) for p in paths]
    if places and all(p.suffix.lower() == ".st" and is_test_file(p.name) for p in places):
        for folder in places[0].resolve().parents:
            if all(p.is_file() for p in places) and (folder / "takt.toml").is_file():
                project = load(folder, engine=engine)
                known = {str(Path(s.name).resolve()) for s in project.tests}
                if all(str(p.resolve()) in known for p in places):
                    return project, paths
                break
    return load(*paths, engine=engine), []
