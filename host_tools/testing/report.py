"""Tells about tests on a terminal and as JSON."""

from __future__ import annotations

from typing import Any

from host_tools.render import Style, marked
from host_tools.testing.results import Broken, Result, Run


def failure_text(result: Result, style: Style) -> str:
    """A test that failed: which, where, what was there and what was expected."""
    broken = result.broken
    assert broken is not None
    lines = [style("red", "failed") + style("bold", f": {result.name}")]
    lines += marked(broken.span, broken.said, "red", style)
    width = len(str(broken.span.line))
    for text in notes(result, broken):
        lines.append(" " * width + style("blue", " = ") + text)
    return "\n".join(lines)


def notes(result: Result, broken: Broken) -> list[str]:
    """What else is to be said: the words of the test, and where it stands if that is elsewhere."""
    found = list(broken.details)
    if broken.message:
        found.append(broken.message)
    if broken.kind == "fault":
        where = f"{result.file}:{result.line}"
        found.append(f"a fault ended the test of {where}")
    return found


def run_text(run: Run, style: Style) -> str:
    """All failures, and a line that sums up."""
    parts = [failure_text(r, style) for r in run.failed]
    parts.append(summary_text(run, style))
    return "\n\n".join(parts)


def summary_text(run: Run, style: Style) -> str:
    """`12 tests passed on host in 0.1 s`"""
    failed, count = len(run.failed), len(run.results)
    passed = count - failed
    where = f"{run.name} on {run.on}, {run.seconds:.1f} s"
    if not failed:
        return style("green", f"{count} test{'s' * (count != 1)} passed") + f": {where}"
    return style("red", f"{failed} of {count} tests failed") + f", {passed} passed: {where}"


def run_json(run: Run) -> dict[str, Any]:
    """What `takt test --json` prints."""
    shown: dict[str, Any] = {
        "ok": run.ok,
        "name": run.name,
        "on": run.on,
        "passed": len(run.results) - len(run.failed),
        "failed": len(run.failed),
        "seconds": round(run.seconds, 3),
        "tests": [_result(r) for r in run.results],
    }
    if run.coverage is not None:
        shown["coverage"] = run.coverage.json()
    return shown


def _result(r: Result) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": r.name,
        "file": r.file,
        "line": r.line,
        "passed": r.passed,
        "seconds": round(r.seconds, 6),
    }
    if r.broken is not None:
        b = r.broken
        made["failure"] = {
            "kind": b.kind,
            "name": b.name,
            "said": b.said,
            "file": b.span.source.name,
            "line": b.span.line,
            "column": b.span.column,
            "actual": b.actual,
            "expected": b.expected,
            "tolerance": b.tolerance,
            "message": b.message,
        }
    return made
