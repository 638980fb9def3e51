"""`takt fmt`: Structured Text in one layout."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import stat
import sys
import tempfile
from difflib import unified_diff
from pathlib import Path

from host_tools.build import Rejected
from host_tools.compiler.diagnostics import Diagnostic, Reporter
from host_tools.compiler.source import Source, Span
from host_tools.failure import OK, PROGRAM, USAGE, Failure
from host_tools.formatter import format_source
from host_tools.project import load
from host_tools.record import Record
from host_tools.render import Style, diagnostic_json, diagnostics_text

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        metavar="PROJECT|FILE.st|-",
        nargs="*",
        help="default: the project here; - reads standard input and writes standard output",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="change nothing; list what would change, and end with 1 if there is anything",
    )
    parser.add_argument(
        "--diff", action="store_true", help="change nothing; print what would change"
    )


def run(options: argparse.Namespace) -> int:
    if "-" in options.paths:
        if len(options.paths) > 1:
            raise Failure(
                "'-' and files are too much for one command", "name one or the other", USAGE
            )
        return _standard_input(options)
    project = load(*options.paths)
    sources = (*project.sources, *project.tests)
    if not sources:
        raise Rejected(project, project.diagnostics)
    results = [_result(source.name, _read(Path(source.name))) for source in sources]
    if not options.check and not options.diff:
        for result in results:
            if result.is_changed:
                _write(Path(result.name), result.after)
    if options.json:
        _print_json(results, options)
    else:
        _print(results, options)
    return _exit_code(results, options)


class _Result(Record):
    """One file: its bytes, those it should have (the same where it has errors), the errors."""

    name: str
    before: bytes
    after: bytes
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def is_changed(self) -> bool:
        return self.before != self.after

    def diff(self) -> str:
        before, after = (_LINE.findall(b.decode()) for b in (self.before, self.after))
        names = f"{self.name} (as it is)", f"{self.name} (formatted)"
        printed = [
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in unified_diff(before, after, *names)
        ]
        return "".join(printed)


def _result(name: str, content: bytes) -> _Result:
    """`content` formatted; left as it is where it has errors."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _Result(name, content, content, (_not_text(name, error),))
    formatted = format_source(Source(name, text))
    if formatted.text is None:
        return _Result(name, content, content, formatted.diagnostics)
    return _Result(name, content, formatted.text.encode())


def _not_text(name: str, error: UnicodeDecodeError) -> Diagnostic:
    content = error.object
    before = content[: error.start].decode()
    source = Source(name, content.decode(errors="replace"))
    reporter = Reporter()
    reporter.report(
        "E0001",
        f"the file is not valid UTF-8 here: byte 16#{content[error.start]:02X}",
        Span(source, len(before), len(before) + 1),
        help="save the file with UTF-8 encoding",
    )
    return reporter.diagnostics[0]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read '{path}': {error.strerror}") from None


def _write(path: Path, content: bytes) -> None:
    """Put `content` into the place of a file, whole or not at all, with the file's mode."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if not os.access(path, os.W_OK):
            raise PermissionError(0, "the file is read-only")
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                file.close()
                os.chmod(file.name, mode)
                os.replace(file.name, path)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(file.name)
                raise
    except OSError as error:
        raise Failure(f"cannot write '{path}': {error.strerror}") from None


def _standard_input(options: argparse.Namespace) -> int:
    result = _result("standard input", sys.stdin.buffer.read())
    if options.json:
        _print_json([result], options)
    elif result.diagnostics or options.check or options.diff:
        _print([result], options)
    else:
        # As bytes: the terminal's encoding and line ends are none of the file's business.
        sys.stdout.flush()
        sys.stdout.buffer.write(result.after)
    return _exit_code([result], options)


def _exit_code(results: list[_Result], options: argparse.Namespace) -> int:
    if any(result.diagnostics for result in results):
        return PROGRAM
    return PROGRAM if options.check and any(r.is_changed for r in results) else OK


def _print(results: list[_Result], options: argparse.Namespace) -> None:
    errors = [d for result in results for d in result.diagnostics]
    changed = [result for result in results if result.is_changed]
    if options.diff:
        sys.stdout.write("".join(result.diff() for result in changed))
    else:
        word = "would format" if options.check else "formatted"
        for result in changed:
            print(f"{word} {result.name}")
    if errors:
        print(diagnostics_text(errors, Style(sys.stderr)), file=sys.stderr)
    if not options.diff:
        refused = sum(bool(result.diagnostics) for result in results)
        counts = (
            (len(changed), "to format" if options.check else "formatted"),
            (len(results) - len(changed) - refused, "as it should be"),
            (refused, "with errors, left alone"),
        )
        files = f"{len(results)} file{'s' if len(results) != 1 else ''}"
        print(f"{files}: {', '.join(f'{n} {what}' for n, what in counts if n)}")


def _print_json(results: list[_Result], options: argparse.Namespace) -> None:
    is_input = options.paths == ["-"]
    writes = not (options.check or options.diff or is_input)
    files = []
    for result in results:
        file: dict[str, object] = {
            "file": result.name,
            "changed": result.is_changed,
            "written": writes and result.is_changed,
        }
        if options.diff:
            file["diff"] = result.diff() if result.is_changed else ""
        if is_input and not result.diagnostics:
            file["text"] = result.after.decode()
        files.append(file)
    errors = [diagnostic_json(d) for result in results for d in result.diagnostics]
    ok = _exit_code(results, options) == OK
    print(json.dumps({"ok": ok, "files": files, "diagnostics": errors}))
