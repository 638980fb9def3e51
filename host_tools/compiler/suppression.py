"""`{warning disable W0303}` and `{warning restore W0303}`: warnings that are not told.

A pragma holds from where it stands to its `restore` or to the end of its source. Without a code it
speaks of all warnings. Codes of other systems, such as CODESYS's `C0195`, are carried and ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from host_tools.compiler.codes import CODES
from host_tools.compiler.diagnostics import Diagnostic, Reporter, did_you_mean
from host_tools.compiler.lexer import lex
from host_tools.compiler.source import Source, Span

_PRAGMA = re.compile(r"\{\s*warning\s+(disable|restore)\b([^{}]*)\}", re.IGNORECASE)
_OURS = re.compile(r"[EW]\d+\Z", re.IGNORECASE)
_WORD = re.compile(r"[^\s,;]+")
_END = 1 << 60

Ranges = dict[str, list[list[int]]]
"""Code, "" for all -> [start, end) in the source."""


def without_suppressed(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics but for the warnings that a pragma in their source disables."""
    ranges: dict[Source, Ranges] = {}
    kept = []
    for d in diagnostics:
        if d.is_error:
            kept.append(d)
            continue
        source = d.span.source
        if source not in ranges:
            ranges[source] = _ranges(source)
        disabled = ranges[source].get(d.code, []) + ranges[source].get("", [])
        if not any(start <= d.span.start < end for start, end in disabled):
            kept.append(d)
    return kept


def _ranges(source: Source) -> Ranges:
    found: Ranges = {}
    for verb, codes, at in _pragmas(source):
        for code in [c.upper() for c, _ in codes] or [""]:
            if verb == "disable":
                found.setdefault(code, []).append([at, _END])
                continue
            for ranges in found.values() if code == "" else [found.get(code, [])]:
                for one in ranges:
                    one[1] = min(one[1], at)
    return found


def _pragmas(source: Source) -> list[tuple[str, list[tuple[str, Span]], int]]:
    """verb, codes with their places, and where the pragma stands."""
    if not _PRAGMA.search(source.text):
        return []
    found = []
    for token in lex(source, Reporter()):
        m = _PRAGMA.fullmatch(token.text) if token.kind == "pragma" else None
        if m is not None:
            begin = token.start + m.start(2)
            codes = [
                (w.group(), Span(source, begin + w.start(), begin + w.end()))
                for w in _WORD.finditer(m[2])
            ]
            found.append((m[1].lower(), codes, token.start))
    return found


def check_pragmas(sources: Iterable[Source], reporter: Reporter) -> None:
    """W0324: a pragma that names a code there is not, or an error, which cannot be disabled."""
    for source in sources:
        for _, codes, _ in _pragmas(source):
            for code, span in codes:
                if not _OURS.match(code):
                    continue
                upper = code.upper()
                if upper in CODES and upper.startswith("W"):
                    continue
                warnings = [c for c in CODES if c.startswith("W")]
                is_error = upper in CODES
                reporter.report(
                    "W0324",
                    f"{upper} is an error and cannot be disabled"
                    if is_error
                    else f"there is no warning {upper}",
                    span,
                    help="remove the code here, and the mistake there"
                    if is_error
                    else did_you_mean(upper, warnings) or "`takt explain` lists the codes",
                )
