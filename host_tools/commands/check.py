"""`takt check`: everything that can be found without running the program."""

from __future__ import annotations

import argparse
import json
import sys

from host_tools.build import check
from host_tools.failure import OK, PROGRAM
from host_tools.project import load
from host_tools.render import Progress, Style, diagnostic_json, diagnostics_text


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="PROJECT|FILE.st", nargs="*", help="default: the project here"
    )


def run(options: argparse.Namespace) -> int:
    project = load(*options.paths)
    with Progress(f"checking {project.name}"):
        checked = check(project)
    if options.json:
        found = [diagnostic_json(d) for d in checked.diagnostics]
        print(json.dumps({"ok": checked.ok, "name": project.name, "diagnostics": found}))
    if checked.diagnostics:
        print(diagnostics_text(checked.diagnostics, Style(sys.stderr)), file=sys.stderr)
    if checked.ok and not options.json and checked.compilation.program:
        tasks = ", ".join(t.name for t in checked.compilation.program.tasks)
        files = len(project.sources)
        what = f"tasks: {tasks}" if checked.runs else "no PROGRAM: there is nothing to run"
        print(f"{project.name}: ok, {files} file{'s' if files != 1 else ''}, {what}")
    return OK if checked.ok else PROGRAM
