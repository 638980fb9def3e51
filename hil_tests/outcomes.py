"""Gathers what the tests of a run came to, and leaves its reports: hil_tests/report/.

A test's result travels with its last report, from the process that ran it to the one that writes.
"""

from __future__ import annotations

import base64
import pickle
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hil_tests.report.results import CaseResult, Figure, RunResults
from host_tools.failure import Failure
from host_tools.record import field, record, replace

if TYPE_CHECKING:
    from hil_tests.bench import Bench

BENCH = pytest.StashKey["Bench"]()
_PHASES = pytest.StashKey[list[pytest.TestReport]]()
_TRAVELS = "takt_bench"
DUT_NAME = "_takt_dut_name"
"""The plugin's fixture that has the name of the device."""


@record(frozen=True)
class Told:
    """The result of a test, and what it was run on, where that is known."""

    case: CaseResult
    bench_name: str = ""
    bench_path: str = ""
    hashes: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)


def add_phase(item: pytest.Item, report: pytest.TestReport, out: Path | None) -> None:
    """Called with each report of a test; the last one, of its end, gets the result."""
    phases = item.stash.setdefault(_PHASES, [])
    phases.append(report)
    if report.when == "teardown":
        _travel(report, _told(item, phases, out))


def add_crash(item: pytest.Item, report: pytest.TestReport) -> None:
    """For a test that has left nothing but this report."""
    _travel(report, Told(_case(item, [report])))


def _travel(report: pytest.TestReport, told: Told) -> None:
    setattr(report, _TRAVELS, base64.b64encode(pickle.dumps(told)).decode())


def _told(item: pytest.Item, phases: list[pytest.TestReport], out: Path | None) -> Told:
    from hil_tests.identity import about, hashes
    from hil_tests.report.run import failure_words

    case = _case(item, phases)
    bench = item.stash.get(BENCH, None)
    if bench is None:  # it could not be set up, or was not: the test is skipped
        return Told(case)
    recording = bench.dut.recording
    failed = case.outcome in ("failed", "error")
    case = replace(
        case,
        virtual_ns=recording.end_ns,
        words=failure_words(recording) if failed else "",
        checks=tuple(recording.checks),
        faults=tuple(recording.faults),
    )
    told = Told(case, bench.file.name, str(bench.file.path), hashes(bench), about(bench))
    if not failed or out is None:
        return told
    return replace(told, case=replace(case, folder=_leave(bench, told, out)))


def _case(item: pytest.Item, phases: list[pytest.TestReport]) -> CaseResult:
    """What the reports alone say."""
    failed = next((report for report in phases if report.failed), None)
    skipped = next((report for report in phases if report.skipped), None)
    outcome = "passed"
    if failed is not None:
        outcome = "failed" if failed.when == "call" else "error"
    elif skipped is not None:
        outcome = "skipped"
    file, line, _ = item.location
    message, text = _why(failed or skipped)
    callspec = getattr(item, "callspec", None)
    figures: dict[str, Figure] = {
        name: value for name, value in item.user_properties if isinstance(value, int | float | str)
    }
    return CaseResult(
        name=item.name,
        outcome=outcome,
        seconds=sum(report.duration for report in phases),
        device=callspec.params.get(DUT_NAME, "") if callspec is not None else "",
        file=file,
        line=(line or 0) + 1,
        message=message,
        text=text,
        figures=figures,
    )


def _leave(bench: Bench, told: Told, out: Path) -> str:
    """The files of a failure; the name of their folder."""
    from hil_tests.report.run import folder_name, write_failure

    case = told.case
    name = folder_name(f"{told.bench_name}-{case.name}")
    seen = told.about | told.hashes
    title = f"{told.bench_name}: {case.name}"
    try:
        write_failure(bench.dut.recording, out / name, title, seen, case.message)
    except Failure as failure:  # the failure of the test matters more
        print(f"the files of this failure are not complete: {failure}")
    return name


def _why(report: pytest.TestReport | None) -> tuple[str, str]:
    """(one line, everything) of why a test did not pass."""
    if report is None:
        return "", ""
    if isinstance(report.longrepr, tuple):  # a skip: file, line, reason
        reason = report.longrepr[2].removeprefix("Skipped: ")
        return reason, reason
    crash = getattr(report.longrepr, "reprcrash", None)
    text = report.longreprtext
    message = crash.message if crash is not None else text
    first = message.strip().partition("\n")[0]
    return first.removeprefix("Failed: "), text  # of pytest.fail


@record()
class Gathered:
    """The results of a session, in the order in which they came in."""

    told: list[Told] = field(default_factory=list)
    started: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S%z"))

    def add(self, report: pytest.TestReport) -> None:
        travelled = getattr(report, _TRAVELS, None)
        if travelled is not None:
            self.told.append(pickle.loads(base64.b64decode(travelled)))

    def results(self) -> RunResults:
        """All of them as one run."""
        runs = {(told.bench_path, told.case.device): told for told in self.told}
        names = list(dict.fromkeys(told.bench_name for told in self.told if told.bench_name))
        paths = dict.fromkeys(told.bench_path for told in self.told if told.bench_path)
        devices = dict.fromkeys(told.case.device for told in self.told)
        results = RunResults(
            name=", ".join(names) or "bench",
            bench=", ".join(paths),
            device=", ".join(devices),
            started=self.started,
            tests=[told.case for told in self.told],
        )
        for told in runs.values():
            # Of several, the names say which.
            of = told.bench_name + " " if len(names) > 1 else ""
            if len(devices) > 1:
                of += told.case.device + " "
            results.hashes |= {of + name: value for name, value in told.hashes.items()}
            results.about |= {of + name: value for name, value in told.about.items()}
        return results


def leave_reports(gathered: Gathered, out: Path) -> Path:
    """Write the reports of a run; the page to open. Raises Failure."""
    from hil_tests.report.run import write_run

    write_run(gathered.results(), out)
    return out / "index.html"


def summary(gathered: Gathered) -> dict[str, Any]:
    """For `takt bench-run --json`."""
    from hil_tests.report.results import results_object

    return results_object(gathered.results())
