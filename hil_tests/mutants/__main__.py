"""The command: python -m hil_tests.mutants SUITE."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from hil_tests.mutants import campaign as campaigns
from hil_tests.mutants import report
from hil_tests.mutants.mutants import choose
from hil_tests.report.run_page import write_matrix_page
from host_tools.failure import PROGRAM, USAGE, Failure


def _arguments() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m hil_tests.mutants",
        description="Break the program of a bench suite in many places, one at a time, and see "
        "which the suite notices.",
    )
    p.add_argument("suite", type=Path, help="folder with bench.toml and the tests")
    p.add_argument("tests", nargs="*", help="tests to run, as for pytest; default: the folder")
    p.add_argument("--count", type=int, default=40, help="mutants, 0 for all (default: 40)")
    p.add_argument("--seed", type=int, default=1, help="of the choice (default: 1)")
    p.add_argument("--source", action="append", default=[], help="a source to break; default: all")
    p.add_argument("--dut", default="host", help="kind of device (default: host)")
    p.add_argument("--first", action="store_true", help="the first test that kills is enough")
    p.add_argument("--jobs", type=int, default=1, help="suites at a time (default: 1)")
    p.add_argument("--least", type=float, default=0, help="percent that must be killed")
    p.add_argument("--list", action="store_true", help="only list the mutants")
    p.add_argument("--json", type=Path, help="write the report to a file")
    p.add_argument("--markdown", type=Path, help="write the table to a file")
    p.add_argument("--html", type=Path, help="write the table mutant × test as a page")
    return p


def _tell(verdict: campaigns.Verdict) -> None:
    print(report.line(verdict), flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = _arguments()
    options = parser.parse_args(arguments)
    if options.count < 0:
        parser.error("--count is a number of mutants, 0 for all")
    suite = options.suite.parent if options.suite.is_file() else options.suite
    try:
        made = campaigns.open_campaign(suite, options.dut, options.seed)
        mutants = choose(made.project, options.count or None, options.seed, options.source)
        if options.list:
            for mutant in mutants:
                print(f"{mutant.number:4}  {mutant.name}")
            return 0
        tests = options.tests or [str(suite)]
        tests += ["-x"] if options.first else []
        campaigns.run(made, mutants, tests, max(1, options.jobs), _tell)
        print(report.summary(made))
        if options.html:
            table = report.matrix(made)
            write_matrix_page(options.html, table.title, [table])
        if options.json:
            options.json.write_text(report.as_json(made) + "\n", encoding="utf-8")
        if options.markdown:
            options.markdown.write_text(report.markdown(made) + "\n", encoding="utf-8")
    except OSError as error:
        print(f"error: cannot write '{error.filename}': {error.strerror}", file=sys.stderr)
        return USAGE
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        if failure.help:
            print(f"help: {failure.help}", file=sys.stderr)
        return failure.exit_code
    killed = 100 * made.killed / len(mutants) if mutants else 100
    return 0 if killed >= options.least else PROGRAM


if __name__ == "__main__":
    sys.exit(main())
