"""Runs the tests of a project: what `takt test` does, and `run_tests` for scripts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.testing.results import Run

__all__ = ["run_tests"]


def run_tests(
    *paths: str | os.PathLike[str],
    pattern: str = "",
    on: str = "host",
    jobs: int | None = None,
    coverage: bool = False,
    files: Iterable[str] = (),
    engine: str = "python",
) -> Run:
    """Run the TEST blocks of a project or of source files and return what came of them.

    `pattern` chooses tests by a part of their name or a glob, in any case; `on` is "host",
    "micropython" or "pico"; `jobs` how many processes at most (the default: as many as there are
    processors, where that is worth it). `engine` is "python" or "native", which needs a C
    compiler. `files` limits the tests to those of some files. Raises Rejected where the program or
    a test has errors, and Failure where there are no such tests or the target cannot run them.
    """
    from host_tools.project import load
    from host_tools.testing.build import build
    from host_tools.testing.run import run

    built = build(load(*paths, engine=engine), coverage=coverage, on=on)
    return run(built, built.choose(pattern, files), on=on, jobs=jobs)
