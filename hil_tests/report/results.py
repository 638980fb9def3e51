"""What a run of the bench has shown: its tests and what they were run on."""

from __future__ import annotations

from typing import Any

from hil_tests.recording import Check, FaultSpan
from hil_tests.report.matrix import Matrix, matrix_object
from host_tools.record import field, record

Figure = int | float | str

OUTCOMES = ("passed", "failed", "error", "skipped")
"""Of a test: "error" where something but the test itself broke, in a fixture or the device."""


@record(frozen=True)
class CaseResult:
    """One test. `message` says why it did not pass, in a line, `text` all that is to be told,
    `words` the last edges; `folder` holds the files of its failure, relative to that of the run.
    `figures` are what it measured, by names with their units ("latency_p99_us")."""

    name: str
    outcome: str
    seconds: float = 0.0
    virtual_ns: int = 0
    device: str = ""
    file: str = ""
    line: int = 0
    message: str = ""
    text: str = ""
    words: str = ""
    folder: str = ""
    checks: tuple[Check, ...] = ()
    faults: tuple[FaultSpan, ...] = ()
    figures: dict[str, Figure] = field(default_factory=dict)


@record()
class RunResults:
    """A run: `bench` is the path of bench.toml, `device` the kind of the device under test, or
    several. `hashes` are SHA-256 in hex of "firmware", "bundle", "wiring" and "bench", as far as
    the kind has them; `about` is more to know, such as the firmware's version or the port.
    `started` is a time of the day (ISO 8601). `matrices` are tables of campaigns and mutants."""

    name: str
    bench: str = ""
    device: str = ""
    started: str = ""
    hashes: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    tests: list[CaseResult] = field(default_factory=list)
    matrices: list[Matrix] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        return sum(test.outcome == outcome for test in self.tests)


def results_object(run: RunResults) -> dict[str, Any]:
    """The run for JSON; times in ns of the device, `seconds` of the wall clock."""
    return {
        "name": run.name,
        "bench": run.bench,
        "device": run.device,
        "started": run.started,
        "sha256": run.hashes,
        "about": run.about,
        "summary": {outcome: run.count(outcome) for outcome in OUTCOMES},
        "figures": run.figures,
        "tests": [_case_object(case) for case in run.tests],
        "matrices": [matrix_object(matrix) for matrix in run.matrices],
    }


def _case_object(case: CaseResult) -> dict[str, Any]:
    made: dict[str, Any] = {"name": case.name, "outcome": case.outcome}
    for name in ("device", "file", "line", "message", "words", "folder", "figures"):
        if value := getattr(case, name):
            made[name] = value
    made["seconds"] = round(case.seconds, 6)
    made["virtual_ns"] = case.virtual_ns
    made["checks"] = [check_object(check) for check in case.checks]
    made["faults"] = [
        {"begin_ns": f.begin_ns, "end_ns": f.end_ns, "signal": f.signal, "text": f.text}
        for f in case.faults
    ]
    return made


def check_object(check: Check) -> dict[str, Any]:
    """A check for JSON."""
    return {
        "begin_ns": check.begin_ns,
        "end_ns": check.end_ns,
        "text": check.text,
        "passed": check.passed,
        "detail": check.detail,
        "signals": list(check.signals),
        "where": check.where,
    }
