"""Stimuli and expectations from CSV files, and golden traces, on a bench."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.bench import Bench
from hil_tests.traces import Traces
from host_tools.failure import Failure
from tests.unit.bench_story import opened

MS = 1_000_000
STIMULUS = "time_ms, button, sensor, level\n0, off, off, 40\n45, on,,\n200,, on,\n400,,, 80\n"
EXPECTED = """\
time_ms, lamp, valve, drive
jitter, 5ms, 0, 10ms
tolerance,,, 0.5
0, off, off, 40
170, on,,
290, off,,
400, *, on, 80
"""


@pytest.fixture
def bench() -> Bench:
    made = opened("host")
    made.signals.level.drive(40.0)
    made.begin()
    made.clock.run("100ms")
    return made


def traces(bench: Bench, folder: Path, record: bool = False) -> Traces:
    return Traces(bench, bench.dut.recording, folder, record)


def test_a_stimulus_is_played_and_an_expectation_met(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(STIMULUS)
    (tmp_path / "out.csv").write_text(EXPECTED)
    made = traces(bench, tmp_path)
    made.play("in.csv")
    assert bench.clock.now == 500 * MS
    assert (bench.signals.button.value, bench.signals.level.value) == (True, 80.0)
    made.expect("out.csv")
    # to the last row, and as far as jitter may move it
    assert bench.clock.now == 510 * MS
    checks = bench.dut.recording.checks
    assert all(c.passed and c.where.startswith("test_bench_traces.py:") for c in checks)
    assert {c.text for c in checks} == {
        "lamp follows out.csv (± 5 ms)",
        "valve follows out.csv",
        "drive follows out.csv (± 0.5 %, ± 10 ms)",
    }


def test_what_deviates_is_shown_as_a_diff(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(STIMULUS)
    (tmp_path / "out.csv").write_text(EXPECTED.replace("290, off", "310, off"))
    made = traces(bench, tmp_path)
    made.play("in.csv")
    with pytest.raises(AssertionError) as told:
        made.expect("out.csv")
    lines = str(told.value).splitlines()
    assert lines[0] == "not as in out.csv"
    assert lines[1].startswith("lamp at 0.2")
    assert "early, expected low from 0.310 s on ± 5 ms" in lines[1]
    assert [c.passed for c in bench.dut.recording.checks].count(False) == 1


def test_wrong_files_are_told_with_their_place(bench: Bench, tmp_path: Path) -> None:
    made = traces(bench, tmp_path)
    with pytest.raises(Failure, match=r"there is no file '.*in\.csv'"):
        made.play("in.csv")
    (tmp_path / "in.csv").write_text("time, lamp\n0, on\n")
    with pytest.raises(Failure, match=r"in\.csv:2: 'lamp' is an output of the device"):
        made.play("in.csv")
    (tmp_path / "in.csv").write_text("time, buton\n0, on\n")
    with pytest.raises(Failure, match=r"in\.csv:1:7: the bench has no signal 'buton'") as told:
        made.play("in.csv")
    assert "button" in told.value.help


def run_button(bench: Bench, late: str = "0ms") -> None:
    bench.clock.run("20ms")
    bench.clock.run(late)
    bench.signals.button.set(True)
    bench.clock.run("500ms")


def test_a_golden_trace_is_recorded_once_and_compared_then(tmp_path: Path) -> None:
    def run(record: bool, late: str = "0ms", jitter: str = "10ms") -> Bench:
        bench = opened("host")
        bench.begin()
        made = traces(bench, tmp_path, record)
        run_button(bench, late)
        made.golden("blink", bench.signals.lamp, bench.signals.drive, jitter=jitter, tolerance=1)
        return bench

    with pytest.raises(Failure, match="there is no golden trace") as told:
        run(False)
    assert "--record-golden" in told.value.help
    (check,) = run(True).dut.recording.checks
    assert check.text == "golden trace blink.csv recorded"
    text = (tmp_path / "golden" / "blink.csv").read_text()
    assert text.splitlines()[1:4] == ["time, signal, value", "0, lamp, off", "0, drive, 0.0"]
    assert [c.passed for c in run(False).dut.recording.checks] == [True, True]
    run(False, late="10ms")
    with pytest.raises(AssertionError, match="30 ms late, expected high from"):
        run(False, late="30ms")
    run(False, late="30ms", jitter="30ms")
    (tmp_path / "golden" / "blink.csv").write_text("time, drive\n0, 0\n")
    with pytest.raises(Failure, match="has no lamp"):
        run(False)
