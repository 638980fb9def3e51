"""A run of the bench as JUnit XML, with the hashes of what it was run on as properties."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path

from hil_tests.report.results import CaseResult, Figure, RunResults

_TAGS = {"failed": "failure", "error": "error", "skipped": "skipped"}


def junit(run: RunResults) -> ET.Element:
    """`testsuites` with a `testsuite` for each file of tests and each device."""
    root = ET.Element("testsuites", name=_clean(run.name))
    _count(root, run.tests)
    suites: dict[tuple[str, str], list[CaseResult]] = {}
    for case in run.tests:
        suites.setdefault((case.file, case.device or run.device), []).append(case)
    for (file, device), cases in suites.items():
        suite = ET.SubElement(root, "testsuite", name=_clean(file or run.name))
        _count(suite, cases)
        if run.started:
            suite.set("timestamp", run.started)
        hashes = {f"sha256.{name}": value for name, value in run.hashes.items()}
        known = {"bench": run.bench, "device": device, **hashes, **run.about, **run.figures}
        _properties(suite, {name: value for name, value in known.items() if value != ""})
        for case in cases:
            suite.append(_case(case))
    return root


def _count(element: ET.Element, cases: Sequence[CaseResult]) -> None:
    outcomes = [case.outcome for case in cases]
    element.set("tests", str(len(cases)))
    element.set("failures", str(outcomes.count("failed")))
    element.set("errors", str(outcomes.count("error")))
    element.set("skipped", str(outcomes.count("skipped")))
    element.set("time", f"{sum(case.seconds for case in cases):.6f}")


def _properties(element: ET.Element, values: Mapping[str, Figure]) -> None:
    if values:
        properties = ET.SubElement(element, "properties")
        for name, value in values.items():
            ET.SubElement(properties, "property", name=_clean(name), value=_clean(str(value)))


def _case(case: CaseResult) -> ET.Element:
    made = ET.Element("testcase", name=_clean(case.name), classname=_clean(Path(case.file).stem))
    made.set("time", f"{case.seconds:.6f}")
    if case.file:
        made.set("file", _clean(case.file))
        made.set("line", str(case.line))
    figures: dict[str, Figure] = {**case.figures}
    if case.virtual_ns:
        figures["virtual_ns"] = case.virtual_ns
    if case.folder:
        figures["timeline"] = f"{case.folder}/timeline.html"
    _properties(made, figures)
    if tag := _TAGS.get(case.outcome):
        told = ET.SubElement(made, tag, message=_clean(case.message))
        told.text = _clean("\n".join(part for part in (case.text, case.words) if part))
    return made


def _clean(text: str) -> str:
    """Without the characters that XML does not have."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def junit_text(run: RunResults) -> str:
    """The document."""
    root = junit(run)
    ET.indent(root)
    return f"<?xml version='1.0' encoding='utf-8'?>\n{ET.tostring(root, encoding='unicode')}\n"
