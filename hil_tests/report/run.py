"""What the plugin calls: the files of a failed test, and those of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hil_tests.recording import Recording
from hil_tests.report.bus_log import write_bus_log
from hil_tests.report.junit import junit_text
from hil_tests.report.quantities import time_text
from hil_tests.report.results import RunResults, check_object, results_object
from hil_tests.report.run_page import run_page
from hil_tests.report.timeline.page import write_timeline
from hil_tests.report.vcd import write_vcd
from hil_tests.report.words import last_edges
from host_tools.failure import USAGE, Failure

_LONGEST_NAME = 120


def folder_name(test: str) -> str:
    """A name for the folder of a test, safe on every file system; long ones end in a hash."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in test)
    while "--" in kept:
        kept = kept.replace("--", "-")
    kept = kept.strip("-.") or "test"
    if len(kept) <= _LONGEST_NAME:
        return kept
    told_apart = hashlib.sha256(test.encode()).hexdigest()[:8]
    return f"{kept[: _LONGEST_NAME - 9]}-{told_apart}"


def failure_words(recording: Recording) -> str:
    """The last relevant edges of the last check that failed, in words; "" without one."""
    failed = [check for check in recording.checks if not check.passed]
    return last_edges(recording, failed[-1]) if failed else ""


def write_failure(
    recording: Recording,
    folder: Path,
    title: str,
    about: Mapping[str, str] | None = None,
    message: str = "",
) -> list[Path]:
    """Leave timeline.html, trace.vcd, bus.txt, bus.jsonl (where there were frames) and
    failure.json in the folder, which is made.

    `about` names what was tested: device, hashes. A `message` is added to the recording, as a note
    at its end, where no check has failed. Raises Failure where a file cannot be written; where
    pyvcd is missing, the other files are there before.
    """
    _make(folder)
    failed = [check for check in recording.checks if not check.passed]
    if message and not failed:
        recording.notes.append((recording.end_ns, message))
    pages = [folder / "timeline.html", folder / "failure.json"]
    write_timeline(recording, pages[0], title, about)
    _write(pages[1], json.dumps(_failure_object(recording, title, about or {}, message), indent=1))
    pages += write_bus_log(recording, folder)
    write_vcd(recording, folder / "trace.vcd", title)
    return [*pages, folder / "trace.vcd"]


def _failure_object(
    recording: Recording, title: str, about: Mapping[str, str], message: str
) -> dict[str, Any]:
    return {
        "title": title,
        "about": dict(about),
        "message": message,
        "end_ns": recording.end_ns,
        "end": time_text(recording.end_ns),
        "checks": [
            check_object(check)
            | ({} if check.passed else {"last_edges": last_edges(recording, check)})
            for check in recording.checks
        ],
        "faults": [
            {"begin_ns": f.begin_ns, "end_ns": f.end_ns, "signal": f.signal, "text": f.text}
            for f in recording.faults
        ],
        "signals": {
            name: {
                "kind": info.kind,
                "unit": info.unit,
                "to_device": info.to_device,
                "changes": len(recording.of(name)),
                "value": recording.value_at(name, recording.end_ns),
            }
            for name, info in recording.signals.items()
        },
    }


def write_run(results: RunResults, folder: Path) -> list[Path]:
    """Leave index.html, results.json and junit.xml in the folder, which is made. The folders of
    failures are expected in it. Raises Failure."""
    _make(folder)
    files = {
        case.folder: sorted(path.name for path in (folder / case.folder).glob("*.*"))
        for case in results.tests
        if case.folder
    }
    made = {
        "index.html": run_page(results, files),
        "results.json": json.dumps(results_object(results), indent=1, ensure_ascii=False) + "\n",
        "junit.xml": junit_text(results),
    }
    for name, text in made.items():
        _write(folder / name, text)
    return [folder / name for name in made]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"cannot make '{folder}': {error.strerror}", exit_code=USAGE) from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot write '{path}': {error.strerror}", exit_code=USAGE) from None
