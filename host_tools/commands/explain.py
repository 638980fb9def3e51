"""`takt explain CODE`: prints the page of a diagnostic."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from sysconfig import get_path

from host_tools.compiler.codes import CODES
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.failure import USAGE, Failure

FOLDERS = (
    Path(__file__).parents[2] / "docs" / "errors",
    Path(get_path("data")) / "share" / "takt" / "errors",
)
"""Where pages are: in the source tree, and where an installed distribution has its data."""


GROUPS = {
    "E00": "Characters and literals",
    "E01": "The form of programs",
    "E02": "Names, types, statements and tasks",
    "E03": "Objects, references, namespaces, charts and tests",
    "W03": "Warnings about programs",
    "E06": "takt.toml",
    "W06": "Warnings about takt.toml",
    "E07": "bench.toml",
    "E08": "Machine code",
}
"""How codes begin, in the order in which they are listed."""


def _group(prefix: str, heading: str) -> str:
    codes = [f"  {code}  {title}" for code, title in sorted(CODES.items()) if code[:3] == prefix]
    return "\n".join([heading, *codes])


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", metavar="CODE", nargs="?", help="such as E0101; none lists all")


def page(code: str) -> Path | None:
    """The file that explains `code`."""
    for folder in FOLDERS:
        file = folder / f"{code}.md"
        if file.is_file():
            return file
    return None


def run(options: argparse.Namespace) -> int:
    if options.code is None:
        if options.json:
            print(json.dumps(CODES))
        else:
            print("\n\n".join(_group(prefix, heading) for prefix, heading in GROUPS.items()))
        return 0
    code = options.code.strip().upper()
    title = CODES.get(code)
    file = page(code)
    if title is None or file is None:
        raise Failure(
            f"there is no code '{options.code}'",
            did_you_mean(code, CODES) or "`takt explain` without a code lists them all",
            USAGE,
        )
    text = file.read_text(encoding="utf-8").rstrip()
    if options.json:
        print(json.dumps({"code": code, "title": title, "text": text}))
    else:
        print(text)
    return 0
