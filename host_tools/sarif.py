"""Diagnostics as SARIF 2.1.0 (OASIS), the form in which CI systems show what checkers found.

Places are in UTF-16 code units, the default of the standard; files are named relative to the
folder `takt` was started in, which is the root of the repository in most pipelines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from host_tools.compiler.codes import CODES
from host_tools.compiler.diagnostics import Diagnostic
from host_tools.compiler.source import Span
from host_tools.version import version

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_REPLACEMENTS = (
    re.compile(r"did you mean '([^' ]+)'\?\Z"),
    re.compile(r"write '([^']+)'\Z"),
)
"""Help texts that give what is to stand at the place of the diagnostic."""


def log(diagnostics: Iterable[Diagnostic], explain: Any) -> dict[str, Any]:
    """The sarifLog of one run. `explain(code)` gives the text of a page, or None."""
    told = list(diagnostics)
    codes = sorted({d.code for d in told})
    rules = [_rule(code, explain(code)) for code in codes]
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "takt",
                        "version": version(),
                        "rules": rules,
                    }
                },
                "columnKind": "utf16CodeUnits",
                "results": [_result(d, codes.index(d.code)) for d in told],
            }
        ],
    }


def _rule(code: str, page: str | None) -> dict[str, Any]:
    title = CODES[code]
    rule: dict[str, Any] = {
        "id": code,
        "shortDescription": {"text": title},
        "defaultConfiguration": {"level": "error" if code.startswith("E") else "warning"},
    }
    if page is not None:
        body = page.partition("\n")[2].strip()
        rule["fullDescription"] = {"text": body.partition("\n## ")[0].strip() or title}
        rule["help"] = {"text": body, "markdown": body}
    return rule


def _result(d: Diagnostic, index: int) -> dict[str, Any]:
    text = d.message + (f"; {d.help}" if d.help else "")
    result: dict[str, Any] = {
        "ruleId": d.code,
        "ruleIndex": index,
        "level": "error" if d.is_error else "warning",
        "message": {"text": text},
        "locations": [_location(d.span, d.label)],
    }
    if d.others:
        result["relatedLocations"] = [
            {"id": n, **_location(o.span, o.text)} for n, o in enumerate(d.others, 1)
        ]
    replacement = _replacement(d)
    if replacement is not None:
        result["fixes"] = [
            {
                "description": {"text": d.help},
                "artifactChanges": [
                    {
                        "artifactLocation": {"uri": _uri(d.span)},
                        "replacements": [
                            {
                                "deletedRegion": _region(d.span),
                                "insertedContent": {"text": replacement},
                            }
                        ],
                    }
                ],
            }
        ]
    return result


def _replacement(d: Diagnostic) -> str | None:
    """What to put in place of the span, where the help gives exactly that."""
    if not re.fullmatch(r"\w+", d.span.text):
        return None
    for pattern in _REPLACEMENTS:
        m = pattern.match(d.help)
        if m is not None and re.fullmatch(r"\w+", m[1]):
            return m[1]
    return None


def _location(span: Span, text: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(span)},
            "region": _region(span),
        }
    }
    if text:
        made["message"] = {"text": text}
    return made


def _uri(span: Span) -> str:
    path = Path(span.source.name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _region(span: Span) -> dict[str, int]:
    end_line, _ = span.source.line_col(span.end)
    return {
        "startLine": span.line,
        "startColumn": _utf16_column(span, span.start),
        "endLine": end_line,
        "endColumn": _utf16_column(span, span.end),
    }


def _utf16_column(span: Span, offset: int) -> int:
    _, column = span.source.line_col(offset)
    before = span.source.text[offset - column + 1 : offset]
    return len(before.encode("utf-16-le", "surrogatepass")) // 2 + 1
