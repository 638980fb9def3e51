"""`takt check`: everything that can be found without running the program."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from host_tools.build import check
from host_tools.compiler.diagnostics import Diagnostic
from host_tools.failure import OK, PROGRAM, USAGE, Failure
from host_tools.project import load
from host_tools.record import replace
from host_tools.render import Progress, Style, diagnostic_json, diagnostics_text


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", metavar="PROJECT|FILE.st", nargs="*", help="default: the project here"
    )
    parser.add_argument("--werror", action="store_true", help="take warnings for errors")
    parser.add_argument(
        "--sarif", metavar="FILE", help="write what was found as SARIF 2.1.0; '-' for stdout"
    )


def run(options: argparse.Namespace) -> int:
    if options.sarif == "-" and options.json:
        raise Failure("--json and --sarif - both write to stdout", "name a file", USAGE)
    project = load(*options.paths)
    if options.werror:
        policy = replace(project.wiring.policy, warnings="error")
        project = replace(project, wiring=replace(project.wiring, policy=policy))
    with Progress(f"checking {project.name}"):
        checked = check(project, True, True)
    if options.json:
        found = [diagnostic_json(d) for d in checked.diagnostics]
        print(json.dumps({"ok": checked.ok, "name": project.name, "diagnostics": found}))
    if options.sarif:
        _write_sarif(options.sarif, checked.diagnostics)
    if checked.diagnostics:
        print(diagnostics_text(checked.diagnostics, Style(sys.stderr)), file=sys.stderr)
    quiet = options.json or options.sarif == "-"
    if checked.ok and not quiet and checked.compilation.program:
        tasks = ", ".join(t.name for t in checked.compilation.program.tasks)
        files = len(project.sources) + len(project.tests)
        what = f"tasks: {tasks}" if checked.runs else "no PROGRAM: there is nothing to run"
        print(f"{project.name}: ok, {files} file{'s' if files != 1 else ''}, {what}")
    return OK if checked.ok else PROGRAM


def _write_sarif(target: str, diagnostics: Sequence[Diagnostic]) -> None:
    from host_tools.commands.explain import page
    from host_tools.sarif import log

    def text(code: str) -> str | None:
        file = page(code)
        return file.read_text(encoding="utf-8") if file is not None else None

    made = json.dumps(log(diagnostics, text), indent=2, ensure_ascii=False)
    if target == "-":
        print(made)
        return
    try:
        Path(target).write_text(made + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write '{target}': {error.strerror}", exit_code=USAGE) from None
