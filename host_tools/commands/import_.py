"""`takt import project.xml`: a PLCopen XML project as Structured Text."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from host_tools.compiler.compilation import compile_sources
from host_tools.compiler.diagnostics import Diagnostic
from host_tools.compiler.source import Source
from host_tools.failure import OK, PROGRAM, USAGE, Failure
from host_tools.plcopen.importer import Imported, import_project
from host_tools.plcopen.report import Remark
from host_tools.render import Style, diagnostic_json, diagnostics_text

WIRING = "takt.toml"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="PROJECT.xml", help="PLCopen XML (TC6)")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="folder to write to (default: named after the file)"
    )
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")


def run(options: argparse.Namespace) -> int:
    source = Path(options.file)
    try:
        data = source.read_bytes()
    except OSError as error:
        raise Failure(f"cannot read '{source}': {error.strerror}", "", USAGE) from None
    folder = Path(options.output) if options.output else source.with_suffix("")
    if folder.exists() and not folder.is_dir():
        raise Failure(f"'{folder}' is not a folder", "name another with -o DIR", USAGE)
    imported = import_project(data, source.name)
    style = Style(sys.stderr)
    for remark in imported.report.remarks:
        print(remark_text(remark, str(source), style), file=sys.stderr)
    if not imported.ok:
        errors = sum(r.severity == "error" for r in imported.report.remarks)
        print(f"{errors} error{'s' * (errors != 1)}; nothing was written", file=sys.stderr)
        _json(options, imported, str(source), folder, [], [])
        return PROGRAM
    files = dict(imported.files)
    if not (folder / WIRING).exists():
        files[WIRING] = imported.wiring
    if not options.force:
        refuse_existing(folder, files)
    found = compile_sources(Source(str(folder / n), t) for n, t in imported.files.items())
    write_all(folder, files)
    _json(options, imported, str(source), folder, list(files), found.diagnostics)
    if found.diagnostics:
        print(diagnostics_text(found.diagnostics, style), file=sys.stderr)
    if not found.ok:
        print(f"imported to {folder}/, but it has to be corrected there", file=sys.stderr)
        return PROGRAM
    if not options.json:
        print(f"imported to {folder}/: {', '.join(files)}. Next:\n\n    takt check {folder}")
    return OK


def remark_text(remark: Remark, file: str, style: Style) -> str:
    """One error or note with its place."""
    place = remark.place
    element = f" <{place.element}>" if place.element else ""
    color = "red" if remark.severity == "error" else "blue"
    text = f"{file}:{place.line}:{place.column}:{element} " + style(color, remark.severity)
    text += style("bold", f": {remark.message}")
    return f"{text}\n  help: {remark.help}" if remark.help else text


def refuse_existing(folder: Path, files: dict[str, str]) -> None:
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise Failure(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} in '{folder}' already",
            "import to another folder with -o DIR, or overwrite with --force",
            USAGE,
        )


def write_all(folder: Path, files: dict[str, str]) -> None:
    """Write all files or none: each is complete under another name before any gets its own."""
    ready: list[tuple[str, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            handle, made = tempfile.mkstemp(prefix=".import-", dir=folder)
            ready.append((made, folder / name))
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
            os.chmod(made, 0o666 & ~_umask())
        for target in (t for _, t in ready):
            if target.is_dir():
                raise Failure(f"'{target}' is a folder", "import to another folder with -o DIR")
        for made, target in ready:
            os.replace(made, target)
    except OSError as error:
        raise Failure(f"cannot write to '{folder}': {error.strerror}") from None
    finally:
        for made, _ in ready:
            with suppress(OSError):
                os.unlink(made)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _json(
    options: argparse.Namespace,
    imported: Imported,
    file: str,
    folder: Path,
    files: list[str],
    diagnostics: list[Diagnostic],
) -> None:
    if not options.json:
        return
    remarks: list[dict[str, Any]] = [
        {
            "severity": r.severity,
            "message": r.message,
            "file": file,
            "line": r.place.line,
            "column": r.place.column,
            "element": r.place.element,
            "help": r.help,
        }
        for r in imported.report.remarks
    ]
    ok = imported.ok and not any(d.is_error for d in diagnostics)
    found = [diagnostic_json(d) for d in diagnostics]
    print(
        json.dumps(
            {
                "ok": ok,
                "folder": str(folder),
                "files": files,
                "remarks": remarks,
                "diagnostics": found,
            }
        )
    )
