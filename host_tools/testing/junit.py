"""Writes results as JUnit XML, the form that build servers read."""

from __future__ import annotations

import platform
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

from host_tools.failure import USAGE, Failure
from host_tools.render import Style
from host_tools.testing.results import Result, Run


def junit(run: Run) -> ET.Element:
    """`testsuites` with a `testsuite` for each file. Assertions that do not hold are failures,
    faults are errors."""
    root = ET.Element("testsuites", name=run.name)
    _count(root, list(run.results))
    files: dict[str, list[Result]] = {}
    for result in run.results:
        files.setdefault(result.file, []).append(result)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for number, (file, results) in enumerate(files.items()):
        suite = ET.SubElement(root, "testsuite", name=file, id=str(number), package=run.name)
        _count(suite, results)
        suite.set("skipped", "0")
        suite.set("timestamp", stamp)
        suite.set("hostname", platform.node() or "localhost")
        properties = ET.SubElement(suite, "properties")
        ET.SubElement(properties, "property", name="target", value=run.on)
        for result in results:
            suite.append(_case(result))
        ET.SubElement(suite, "system-out")
        ET.SubElement(suite, "system-err")
    return root


def _count(element: ET.Element, results: list[Result]) -> None:
    broken = [r.broken for r in results if r.broken is not None]
    faults = sum(b.kind == "fault" for b in broken)
    element.set("tests", str(len(results)))
    element.set("failures", str(len(broken) - faults))
    element.set("errors", str(faults))
    element.set("time", f"{sum(r.seconds for r in results):.6f}")


def _case(result: Result) -> ET.Element:
    from host_tools.testing.report import failure_text

    case = ET.Element("testcase", name=_clean(result.name), classname=Path(result.file).stem)
    case.set("time", f"{result.seconds:.6f}")
    broken = result.broken
    if broken is not None:
        tag = "error" if broken.kind == "fault" else "failure"
        said = f"{broken.said} ({broken.message})" if broken.message else broken.said
        told = ET.SubElement(case, tag, message=_clean(said), type=broken.name)
        told.text = _clean(failure_text(result, Style.plain()))
    return case


def _clean(text: str) -> str:
    """Without the characters that XML does not have."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def write_junit(run: Run, path: Path) -> None:
    """Put the report into a file; its folder is made. Raises Failure."""
    tree = ET.ElementTree(junit(run))
    ET.indent(tree)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tree.write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise Failure(f"cannot write '{path}': {error.strerror}", exit_code=USAGE) from None
