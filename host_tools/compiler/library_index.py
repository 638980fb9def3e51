"""Finds the functions and function blocks of the standard library without parsing all of it.

The library is Structured Text (`library/*.st`). Only what a program uses is parsed: a look over
the texts finds where each POU starts and ends, and the parser gets that slice, with line breaks
before it so that positions stay those of the file.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.source import Source
from host_tools.record import record

_DIRECTORY = Path(__file__).parent / "library"
_POU = re.compile(r"^(FUNCTION_BLOCK|FUNCTION)[ \t]+(\w+).*?^END_\1\b", re.MULTILINE | re.DOTALL)


LONG_NAMES = {
    "SR": {"SET1": "S1", "RESET": "R"},
    "RS": {"SET": "S", "RESET1": "R1"},
}
"""The long names of inputs (IEC 61131-3:2013, Table 43, 1b and 2b)."""


ALSO_CALLED = {
    "LTP": "TP_LTIME",
    "LTON": "TON_LTIME",
    "LTOF": "TOF_LTIME",
    "LCTU": "CTU_ULINT",
    "LCTD": "CTD_ULINT",
    "LCTUD": "CTUD_ULINT",
}
"""What the 64-bit blocks are called in the Standard64 library of CODESYS."""


@record(frozen=True)
class Entry:
    """Where a library POU stands."""

    file: str
    kind: str
    name: str
    start: int
    end: int


@cache
def _text(file: str) -> str:
    return (_DIRECTORY / file).read_text(encoding="utf-8")


@cache
def index() -> dict[str, Entry]:
    """Folded name -> entry, for the whole library."""
    found: dict[str, Entry] = {}
    for path in sorted(_DIRECTORY.glob("*.st")):
        for m in _POU.finditer(_text(path.name)):
            entry = Entry(path.name, m[1], m[2], m.start(), m.end())
            found[tree.fold(m[2])] = entry
    for name, meant in ALSO_CALLED.items():
        found[name] = found[meant]
    return found


@cache
def parse_entry(entry: Entry, source_index: int) -> tree.Pou:
    """The syntax tree of one library POU. A library that does not parse is a bug of ours."""
    from host_tools.compiler.parser import parse

    text = _text(entry.file)
    before = text.count("\n", 0, entry.start)
    slice_ = "\n" * before + text[entry.start : entry.end] + "\n"
    reporter = Reporter()
    unit = parse(Source(f"library/{entry.file}", slice_, source_index, library=True), reporter)
    for declaration in unit.declarations:
        if isinstance(declaration, tree.Pou) and not reporter.has_errors:
            return declaration
    raise AssertionError(f"library/{entry.file}: {entry.name}: {reporter.diagnostics}")
