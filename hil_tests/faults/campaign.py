"""A campaign: each fault of a list, in a fresh device, against each expectation of a list.

    python -m hil_tests.faults.campaign BENCH [--dut NAME] [--json]

An expectation holds or does not; a fault is seen by those that come out otherwise than without
it. The table says which fault is seen by which, and which one passes unnoticed: the program
neither told of it nor was disturbed by it. That is right for faults that it is to tolerate, such
as a contact that bounces, and for no others. Exit code 1 where it is not so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from hil_tests.bench import Bench
from hil_tests.faults.injection import Fault, Faults
from hil_tests.recording import Value
from hil_tests.report.matrix import Cell, Matrix, matrix_object, matrix_text
from hil_tests.report.run_page import write_matrix_page
from host_tools.failure import PROGRAM, Failure
from host_tools.record import field, record

Say = Callable[[str], None]


@record(frozen=True)
class FaultCase:
    """A fault to inject; `put` does it."""

    name: str
    put: Callable[[Bench, Faults], Fault]
    lasts_ns: int | None = None
    """None: to the end of the run."""
    tolerated: bool = False
    """Nothing is to come out otherwise."""


@record(frozen=True)
class Expected:
    """What may hold: `holds(bench, begin_ns, end_ns)`, asked at the end of a run, whose fault
    began at `begin_ns`. An AssertionError, as of `expect`, is a no."""

    name: str
    holds: Callable[[Bench, int, int], bool]


@record(frozen=True)
class Campaign:
    """A run is: signals are `set`, `settle_ns` pass, the fault comes, `run_ns` pass, in which
    `steps` set signals: (ns since the fault, values). `has_plant`: with the model of [plant]."""

    name: str
    faults: tuple[FaultCase, ...]
    expected: tuple[Expected, ...]
    settle_ns: int
    run_ns: int
    set: dict[str, Value] = field(default_factory=dict)
    steps: tuple[tuple[int, dict[str, Value]], ...] = ()
    has_plant: bool = False


@record()
class Coverage:
    """What came out: `sound` without a fault, `found` with each one, by names; `tolerated` are
    the faults that are to be."""

    campaign: str
    tolerated: tuple[str, ...] = ()
    sound: dict[str, bool] = field(default_factory=dict)
    found: dict[str, dict[str, bool]] = field(default_factory=dict)

    def seen_by(self, fault: str) -> list[str]:
        """The expectations that come out otherwise with this fault."""
        return [name for name, held in self.found[fault].items() if held != self.sound[name]]

    @property
    def unnoticed(self) -> list[str]:
        """Faults that no expectation sees."""
        return [fault for fault in self.found if not self.seen_by(fault)]

    @property
    def wrong(self) -> list[str]:
        """Faults that are seen and should not be, or the other way round."""
        unnoticed = self.unnoticed
        return [f for f in self.found if (f in unnoticed) != (f in self.tolerated)]

    @property
    def idle(self) -> list[str]:
        """Expectations that see no fault."""
        seen = {name for fault in self.found for name in self.seen_by(fault)}
        return [name for name in self.sound if name not in seen]

    def matrix(self) -> Matrix:
        """The table, for reports (hil_tests/report/matrix.py)."""
        made = Matrix(f"Coverage: {self.campaign}", "fault")
        for fault, row in self.found.items():
            for name, held in row.items():
                sound = self.sound[name]
                about = f"{_word(sound)} without the fault, {_word(held)} with it"
                seen = "bad" if fault in self.tolerated else "good"
                made.put(fault, name, Cell("none" if held == sound else seen, about=about))
        unnoticed = self.unnoticed
        made.notes.append(f"{len(self.found) - len(unnoticed)} of {len(self.found)} are seen")
        for fault in self.found:
            if fault in self.tolerated:
                word = "tolerated" if fault in unnoticed else "not tolerated"
                made.notes.append(f"{word}: {fault}")
            elif fault in unnoticed:
                made.notes.append(f"unnoticed: {fault}")
        made.notes += [f"sees no fault: {name}" for name in self.idle]
        return made


def _word(held: bool) -> str:
    return "holds" if held else "does not hold"


def run_campaign(
    campaign: Campaign, open_fresh: Callable[[], Bench], say: Say = lambda text: None
) -> Coverage:
    """`open_fresh` opens the bench anew, for each run. Raises Failure."""
    tolerated = tuple(fault.name for fault in campaign.faults if fault.tolerated)
    coverage = Coverage(campaign.name, tolerated)
    coverage.sound = _run(campaign, None, open_fresh)
    for fault in campaign.faults:
        coverage.found[fault.name] = _run(campaign, fault, open_fresh)
        seen = coverage.seen_by(fault.name)
        say(f"{fault.name}: {', '.join(seen) or 'unnoticed'}")
    return coverage


def _run(
    campaign: Campaign, case: FaultCase | None, open_fresh: Callable[[], Bench]
) -> dict[str, bool]:
    with closing(open_fresh()) as bench:
        if campaign.has_plant:
            bench.connect_plant()
        bench.begin()
        for name, value in campaign.set.items():
            bench.signals[name].set(value)
        bench.clock.run(campaign.settle_ns)
        begin_ns = bench.clock.now
        fault = case.put(bench, Faults(bench)) if case is not None else None
        events: list[tuple[int, dict[str, Value] | None]] = [*campaign.steps]
        if case is not None and case.lasts_ns is not None:
            events.append((case.lasts_ns, None))
        for at_ns, values in sorted(events, key=lambda event: event[0]):
            bench.clock.run_to(begin_ns + at_ns)
            if values is None:
                assert fault is not None
                fault.end()
            for name, value in (values or {}).items():
                bench.signals[name].set(value)
        bench.clock.run_to(begin_ns + campaign.run_ns)
        end_ns = bench.clock.now
        return {e.name: _holds(e, bench, begin_ns, end_ns) for e in campaign.expected}


def _holds(expected: Expected, bench: Bench, begin_ns: int, end_ns: int) -> bool:
    try:
        return expected.holds(bench, begin_ns, end_ns)
    except AssertionError:
        return False


def main(arguments: list[str] | None = None) -> int:
    from hil_tests.bench import open_bench
    from hil_tests.bench_file import read_bench
    from hil_tests.faults.campaign_file import read_campaigns

    parser = argparse.ArgumentParser("campaign", description="Runs the [[campaign]]s of a bench.")
    parser.add_argument("bench", type=Path, help="a bench.toml, or its folder")
    parser.add_argument("--dut", default="host", help="device under test (default: host)")
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")
    parser.add_argument("--html", type=Path, help="write the tables as a page")
    options = parser.parse_args(arguments)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    found = []
    try:
        file = read_bench(options.bench)
        for campaign in read_campaigns(file):
            found.append(run_campaign(campaign, lambda: open_bench(file, options.dut), say))
        if options.html:
            tables = [coverage.matrix() for coverage in found]
            write_matrix_page(options.html, f"Faults of {file.name}", tables)
    except Failure as failure:
        print(f"{failure}\n{failure.help}".rstrip(), file=sys.stderr)
        return failure.exit_code
    if options.json:
        print(json.dumps([matrix_object(coverage.matrix()) for coverage in found], indent=2))
    else:
        print("\n".join(matrix_text(coverage.matrix()) for coverage in found), end="")
    return PROGRAM if any(coverage.wrong for coverage in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
