"""Traces on a bench: play a stimulus, expect what a file says, compare with a golden trace.

    traces.play("fill.csv")
    traces.expect("fill_expected.csv", jitter="20ms")
    traces.golden("fill", signals.pump_1, signals.level, jitter="10ms", tolerance=0.5)

Files are beside the test; golden traces are `golden/NAME.csv` there. `pytest --record-golden`
writes them from what happens; without it, what happens is compared with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from hil_tests.clock import Clock, Duration, nanoseconds
from hil_tests.recording import Check, Recording
from hil_tests.report.quantities import time_text
from hil_tests.signals import Signal, Signals
from hil_tests.trace_compare import Comparison, compare
from hil_tests.trace_csv import Trace, play, read_trace, trace_of, trace_text
from hil_tests.where import calling_line
from host_tools.failure import USAGE, Failure
from host_tools.record import replace


class HasParts(Protocol):
    """What traces need of a bench."""

    clock: Clock
    signals: Signals


class Traces:
    """Of one test. `begin_ns` is the time of the device that times in files are counted from:
    that of the last `play`, or the beginning of the test."""

    def __init__(
        self, bench: HasParts, recording: Recording, folder: Path, record_golden: bool = False
    ) -> None:
        self._bench = bench
        self._recording = recording
        self._folder = folder
        self._record = record_golden
        self.begin_ns = bench.clock.now

    def play(self, file: str | Path) -> Trace:
        """Apply the stimulus in a CSV file (hil_tests/trace_csv.py), from now on; time passes to
        its last row. Raises Failure."""
        path = self._folder / file
        trace = read_trace(path, self._recording.signals)
        for row in trace.rows:
            if not self._recording.signals[row.signal].to_device:
                raise Failure(
                    f"{path}:{row.line}: '{row.signal}' is an output of the device",
                    "a stimulus sets inputs; put outputs into a file to expect",
                    USAGE,
                )
        clock, signals = self._bench.clock, self._bench.signals
        self.begin_ns = clock.now
        play(trace, clock.run_to, lambda name, value: signals[name].set(value), self.begin_ns)
        return trace

    def expect(self, file: str | Path, jitter: Duration = 0, tolerance: float = 0.0) -> None:
        """Signals do what a CSV file says, `jitter` earlier or later and ± `tolerance` at most,
        where the file says nothing else; time passes to its last row. Raises AssertionError with
        a diff, and Failure."""
        trace = read_trace(self._folder / file, self._recording.signals)
        jitter_ns = nanoseconds(jitter)
        late_ns = max([jitter_ns, *trace.jitters_ns.values()])
        self._bench.clock.run_to(self.begin_ns + trace.end_ns + late_ns)
        self._judge(self._compared(trace, Path(file).name, jitter_ns, tolerance))

    def golden(
        self, name: str, *signals: Signal, jitter: Duration = 0, tolerance: float = 0.0
    ) -> None:
        """What the signals did from `begin_ns` to now is what they did when the golden trace was
        recorded. Raises AssertionError with a diff, and Failure where there is none yet."""
        path = self._folder / "golden" / f"{name}.csv"
        names = [signal.name for signal in signals]
        if self._record:
            self._write(path, names)
            return
        if not path.is_file():
            raise Failure(
                f"there is no golden trace '{path}'",
                "record it, look at it and commit it: pytest --record-golden",
                USAGE,
            )
        trace = read_trace(path, self._recording.signals)
        missing = [n for n in names if n not in trace.signals and self._recording.of(n)]
        if missing:
            raise Failure(
                f"the golden trace '{path}' has no {', '.join(missing)}",
                "record it again: pytest --record-golden",
                USAGE,
            )
        self._judge(self._compared(trace, path.name, nanoseconds(jitter), tolerance))

    def _compared(self, trace: Trace, name: str, jitter_ns: int, tolerance: float) -> Comparison:
        named = Trace(name, trace.rows, trace.tolerances, trace.jitters_ns)
        now = self._bench.clock.now
        return compare(named, self._recording, self.begin_ns, now, jitter_ns, tolerance)

    def _judge(self, made: Comparison) -> None:
        where = calling_line()
        self._recording.checks.extend(replace(check, where=where) for check in made.checks)
        if made.deviations:
            raise AssertionError(f"not as in {made.name}\n{made.text}")

    def _write(self, path: Path, names: list[str]) -> None:
        now = self._bench.clock.now
        trace = trace_of(self._recording, names, self.begin_ns, now)
        text = trace_text(trace, "A golden trace; `pytest --record-golden` writes it.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise Failure(f"cannot write '{path}': {error.strerror}", exit_code=USAGE) from None
        span = time_text(now - self.begin_ns)
        self._recording.checks.append(
            Check(
                self.begin_ns, now, f"golden trace {path.name} recorded", True, span, tuple(names)
            )
        )
