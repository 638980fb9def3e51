"""`takt bench-run`: runs the tests of a bench with pytest and the plugin in hil_tests/."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from host_tools.failure import INTERRUPTED, OK, PROGRAM, USAGE, Failure

EPILOG = """\
devices:
  host          the program on this computer, in virtual time (default)
  micropython   in a MicroPython process, in virtual time
  pico          deployed on an emulated RP2040 with real firmware
  NAME          [dut.NAME] of bench.toml, such as a board on a serial port

The same tests run with plain pytest: `pytest --dut pico`. docs/bench.md tells how to write them.
"""
_PLUGIN = "takt_bench"


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "paths", metavar="FOLDER|FILE", nargs="*", help="tests; default: those below this folder"
    )
    parser.add_argument(
        "--dut", metavar="NAME", action="append", help="device under test, or several by commas"
    )
    parser.add_argument(
        "--bench", metavar="FILE", help="bench.toml; default: beside the tests or above"
    )
    parser.add_argument("-k", metavar="PATTERN", help="tests that match, as in pytest")
    parser.add_argument("-x", action="store_true", help="end at the first failure")
    parser.add_argument(
        "--out", metavar="FOLDER", default="bench-results", help="reports (default: bench-results)"
    )


def run(options: argparse.Namespace) -> int:
    if find_spec("pytest") is None:
        raise Failure("the bench needs pytest", "pip install 'takt-plc[bench]'", USAGE)
    paths = [Path(path) for path in options.paths] or [Path.cwd()]
    _check(options, paths)
    import pytest

    listener = _Listener()
    arguments = [*_arguments(options), *map(str, paths)]
    if options.json:
        with redirect_stdout(sys.stderr):
            code = int(pytest.main(arguments, plugins=[listener]))
        print(json.dumps(listener.summary()))
    else:
        code = int(pytest.main(arguments, plugins=[listener]))
    return _exit_code(code, listener)


def _check(options: argparse.Namespace, paths: list[Path]) -> None:
    """What can be said before anything runs. Raises Failure."""
    from hil_tests.bench_file import FILE, find_bench, read_bench

    for path in paths:
        if not path.exists():
            raise Failure(f"there is no file or folder '{path}'", "", USAGE)
    given = [Path(options.bench)] if options.bench else []
    if not given:
        folders = [path if path.is_dir() else path.parent for path in paths]
        above = [found for folder in folders if (found := find_bench(folder.resolve()))]
        given = above or [found for folder in folders for found in sorted(folder.rglob(FILE))]
    if not given:
        raise Failure(
            f"there is no {FILE} here, below or in a folder above",
            "write one (docs/bench.md), or name it with --bench FILE",
            USAGE,
        )
    names = [n.strip() for text in options.dut or [] for n in text.split(",") if n.strip()]
    for path in dict.fromkeys(given):
        file = read_bench(path)
        for name in names:
            file.dut(name)


def _arguments(options: argparse.Namespace) -> list[str]:
    """For pytest."""
    arguments = ["--bench-out", options.out]
    if not any(point.name == _PLUGIN for point in entry_points(group="pytest11")):
        arguments += ["-p", "hil_tests.plugin"]  # from a folder, not installed
    if options.bench:
        arguments += ["--bench", options.bench]
    for name in options.dut or []:
        arguments += ["--dut", name]
    if options.k:
        arguments += ["-k", options.k]
    if options.x:
        arguments.append("-x")
    return arguments


class _Listener:
    """A plugin that hears what the session came to."""

    def __init__(self) -> None:
        self.gathered: Any = None
        self.worst = OK

    def pytest_sessionfinish(self, session: Any) -> None:
        from hil_tests.plugin import FAILURES

        self.gathered = session.config.pluginmanager.get_plugin("takt_bench_gathering")
        self.worst = max(session.config.stash.get(FAILURES, []), default=OK)

    def summary(self) -> dict[str, Any]:
        from hil_tests.outcomes import Gathered, summary

        return summary(self.gathered.gathered if self.gathered is not None else Gathered())


def _exit_code(code: int, listener: _Listener) -> int:
    """Of the command, for pytest's."""
    import pytest

    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise Failure(
            "there are no tests to run",
            "tests are functions test_… in files test_….py that take `signals`, `clock` or `dut`",
            USAGE,
        )
    if code == pytest.ExitCode.TESTS_FAILED:
        return listener.worst or PROGRAM
    return {
        pytest.ExitCode.OK: OK,
        pytest.ExitCode.INTERRUPTED: INTERRUPTED,
        pytest.ExitCode.USAGE_ERROR: USAGE,
    }.get(pytest.ExitCode(code), PROGRAM)
