"""Traces in CSV files, and their comparison with what happened."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from recordings import MS, S, recordings

from hil_tests.recording import Recording, SignalInfo, Value
from hil_tests.trace_compare import Comparison, compare
from hil_tests.trace_csv import (
    ANY,
    Row,
    Trace,
    parse_trace,
    play,
    read_trace,
    trace_of,
    trace_text,
)
from host_tools.failure import Failure

SIGNALS = {
    "pump": SignalInfo("pump", "digital"),
    "level": SignalInfo("level", "analogue", "%"),
    "horn": SignalInfo("horn", "digital"),
}


def rows(trace: Trace) -> list[tuple[int, str, object]]:
    return [(row.time_ns, row.signal, row.value) for row in trace.rows]


def of(*changes: tuple[int, str, Value], end_ns: int = 0) -> Recording:
    made = Recording()
    for info in SIGNALS.values():
        made.add_signal(info)
    for time_ns, name, value in changes:
        made.change(time_ns, name, value)
    made.end_ns = max(made.end_ns, end_ns)
    return made


def test_the_long_form() -> None:
    text = """\
# a comment
time, signal, value
tolerance, level, 0.5
jitter, pump, 20ms
0, pump, off
0.1, level, 80.25

250ms, pump, on
1.000000001, level, open
2, horn, *
"""
    made = parse_trace(text, "x.csv", SIGNALS)
    assert rows(made) == [
        (0, "pump", False), (100 * MS, "level", 80.25), (250 * MS, "pump", True),
        (1_000_000_001, "level", None), (2 * S, "horn", ANY),
    ]  # fmt: skip
    assert made.tolerances == {"level": 0.5}
    assert made.jitters_ns == {"pump": 20 * MS}
    assert made.rows[1].line == 6


@pytest.mark.parametrize(
    "text",
    [
        "time_ms,pump,level\ntolerance,,0.5\n0,0,1.5\n10,,2.5\n20,1,\n",
        "time_ms;pump;level\r\ntolerance;;0,5\r\n0;low;1,5\r\n10;;2,5\r\n20;high;\r\n",
        "\ufefftime_us\tpump\tlevel\ntolerance\t\t0.5\n0\toff\t1.5\n10000\t\t2.5\n20000\tTRUE\n",
    ],
)
def test_the_wide_form_with_any_separator(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode())
    made = read_trace(tmp_path / "x.csv", SIGNALS)
    assert rows(made) == [
        (0, "pump", False), (0, "level", 1.5), (10 * MS, "level", 2.5), (20 * MS, "pump", True),
    ]  # fmt: skip
    assert made.tolerances == {"level": 0.5}


ERRORS = [
    ("", "x.csv:1:1: there is no header"),
    ("t,pump\n", "x.csv:1:1: the first column is 't', not a time"),
    ("time\n", "x.csv:1:1: there are no signals"),
    ("time,pumpp\n", "x.csv:1:6: the bench has no signal 'pumpp'"),
    ("time,pump,pump\n", "x.csv:1:11: signal 'pump' has two columns"),
    ("time,pump\n0,maybe\n", "x.csv:2:3: 'maybe' is not a level of 'pump'"),
    ("time,level\n0,  full\n", "x.csv:2:5: 'full' is not a number"),
    ("time,level\n0,nan\n", "x.csv:2:3: 'nan' is not a number"),
    ("time,level\n0,1,5\n", "x.csv:2:5: 3 columns, the header has 2"),
    ("time,level\nsoon,1\n", "x.csv:2:1: 'soon' is not a time"),
    ("time,level\n-1,1\n", "x.csv:2:1: the time -1 is out of range"),
    ("time,level\n1,1\n0.5,2\n", "x.csv:3:1: this time is before that of the row above"),
    ("time,signal,value\n0,leve,1\n", "x.csv:2:3: the bench has no signal 'leve'"),
    ("time,signal,value\n0,level\n", "x.csv:2:8: '' is not a number"),
    ("time,signal,value\ntolerance,pump,1\n", "x.csv:2:16: 'pump' has no tolerance 1: it is dig"),
    ("time,level\ntolerance,-1\n", "x.csv:2:11: 'level' has no tolerance -1: that is negative"),
    ("time,level\njitter,x\n", "x.csv:2:8: 'x' is not a time"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), ERRORS)
def test_errors_say_where(text: str, said: str) -> None:
    with pytest.raises(Failure) as told:
        parse_trace(text, "x.csv", SIGNALS)
    assert str(told.value).startswith(said)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="there is no file"):
        read_trace(tmp_path / "x.csv", SIGNALS)
    (tmp_path / "x.csv").write_bytes(b"time,level\n0,\xff\n")
    with pytest.raises(Failure, match="not UTF-8"):
        read_trace(tmp_path / "x.csv", SIGNALS)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from('time,;pumlev 01.5\n*#on-"\t'), max_size=60))
def test_any_text_gives_a_trace_or_an_error_with_its_place(text: str) -> None:
    said = "x.csv:"
    try:
        parse_trace("time,pump,level\n" + text, "x.csv", SIGNALS)
    except Failure as failure:
        said = str(failure)
    assert said.startswith("x.csv:")


@settings(derandomize=True, max_examples=80, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read_again(data: st.DataObject) -> None:
    trace = Trace("x.csv")
    at = 0
    for _ in range(data.draw(st.integers(0, 20))):
        at += data.draw(st.integers(0, 10**12))
        name = data.draw(st.sampled_from(sorted(SIGNALS)))
        value = (
            st.booleans() if name != "level" else st.floats(allow_nan=False, allow_infinity=False)
        )
        trace.rows.append(Row(at, name, data.draw(st.one_of(st.none(), st.just(ANY), value)), 0))
    trace.tolerances["level"] = data.draw(st.floats(0, 1e6))
    trace.jitters_ns["pump"] = data.draw(st.integers(0, 10**12))
    made = parse_trace(trace_text(trace, "two\nlines"), "x.csv", SIGNALS)
    assert rows(made) == rows(trace)
    assert (made.tolerances, made.jitters_ns) == (trace.tolerances, trace.jitters_ns)


def test_a_stimulus_is_played_on_the_devices_time() -> None:
    done: list[object] = []
    trace = parse_trace("time,pump,level\n0.5,on,20\n1,*,30\n2,open\n", "x.csv", SIGNALS)
    play(trace, done.append, lambda name, value: done.append((name, value)), 10 * S)
    assert done == [
        10_500 * MS, ("pump", True), 10_500 * MS, ("level", 20.0), 11 * S, 11 * S,
        ("level", 30.0), 12 * S, ("pump", None),
    ]  # fmt: skip


# Comparison


def told(text: str, recording: Recording, **options: int) -> Comparison:
    return compare(parse_trace(text, "golden.csv", SIGNALS), recording, **options)


def test_a_late_edge_is_told_with_its_surroundings() -> None:
    recording = of(
        (0, "pump", False), (1 * S, "pump", True), (3060 * MS, "pump", False), end_ns=5 * S
    )
    text = "time,pump\njitter,20ms\n0,off\n1.01,on\n3,off\n"
    made = told(text, recording)
    assert made.text == (
        "pump at 3.000 s: low from 3.060 s on, 60 ms late, "
        "expected low from 3.000 s on ± 20 ms\n"
        "           expected  seen\n"
        "  0.000 s  low       low\n"
        "  1.000 s            high\n"
        "  1.010 s  high\n"
        "  3.000 s  low             <--\n"
        "  3.060 s            low\n"
    )
    (check,) = made.checks
    assert (check.passed, check.begin_ns, check.end_ns) == (False, 0, 3 * S)
    assert check.text == "pump follows golden.csv (± 20 ms)"
    assert told(text.replace("20ms", "60ms"), recording).deviations == ()


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("0,off\n", "pump at 1.000 s: high from 1.000 s on, expected no more edges"),
        ("0,on\n", "pump at 0.000 s: low, expected high"),
        ("0,off\n1,on\n2,off\n3,on", "pump at 2.000 s: no edge, expected low from 2.000 s on"),
        ("0,off\n1.5,on\n", "pump at 1.000 s: high from 1.000 s on, 500 ms early, expected high"),
        (
            "0,off\n1,open\n",
            "pump at 1.000 s: high from 1.000 s on, expected open from 1.000 s on",
        ),
        ("0.5,*\n2,off\n", "pump at 2.000 s: high, expected low"),
    ],
)
def test_deviations_of_edges(expected: str, said: str) -> None:
    recording = of((0, "pump", False), (1 * S, "pump", True), end_ns=5 * S)
    made = told(f"time,pump\n{expected}", recording)
    assert made.text.startswith(said)


def test_what_may_be_any_is_not_compared() -> None:
    recording = of((0, "pump", False), (1 * S, "pump", True), (2 * S, "pump", False), end_ns=5 * S)
    assert not told("time,pump\n0,off\n0.5,*\n2.5,off\n", recording).deviations
    assert not told("time,pump\n2,off\n", recording).deviations
    assert not told("time,level\n0,*\n", of(end_ns=S)).deviations


def test_a_curve_stays_in_its_tube() -> None:
    changes = [(k * 100 * MS, "level", 10.0 + k) for k in range(50)]
    text = "time,level\n" + "".join(f"{k / 10},{10 + k}\n" for k in range(50))
    moved = of(*((t + 40 * MS, n, v + 0.3) for t, n, v in changes), end_ns=6 * S)
    moved.change(5900 * MS, "level", 59.0)
    trace = parse_trace(text, "x.csv", SIGNALS)
    assert not compare(trace, moved, jitter_ns=40 * MS, tolerance=0.3).deviations
    assert compare(trace, moved, jitter_ns=40 * MS, tolerance=0.25).deviations
    assert compare(trace, moved, jitter_ns=30 * MS, tolerance=0.3).deviations
    assert compare(trace, moved, tolerance=1.5).deviations
    made = compare(trace, of((0, "level", 10.0), end_ns=6 * S), jitter_ns=50 * MS, tolerance=2)
    assert made.text.startswith("level at 0.300 s: 10 %, expected 13 % ± 2 %\n")


def test_a_missing_and_an_extra_peak_are_found() -> None:
    flat = of((0, "level", 1.0), end_ns=9 * S)
    peak = of((0, "level", 1.0), (4 * S, "level", 9.0), (4010 * MS, "level", 1.0), end_ns=9 * S)
    for expected, seen in ((flat, peak), (peak, flat)):
        trace = trace_of(expected, ["level"], 0, 9 * S, "x.csv")
        made = compare(trace, seen, jitter_ns=100 * MS, tolerance=1)
        assert abs(made.deviations[0].time_ns - 4 * S) <= 100 * MS


@settings(derandomize=True, max_examples=200, deadline=None)
@given(recording=recordings(), jitter=st.integers(0, S), tolerance=st.floats(0, 10))
def test_a_trace_matches_itself(recording: Recording, jitter: int, tolerance: float) -> None:
    trace = trace_of(recording, recording.signals, 0, recording.end_ns, "self.csv")
    made = compare(trace, recording, 0, None, jitter, tolerance)
    assert made.deviations == ()
    assert all(check.passed for check in made.checks)


@st.composite
def walks(draw: st.DrawFn) -> list[tuple[int, Value]]:
    """Changes of one signal at least 1 ms apart, whose values differ by 1 at least."""
    at, value, made = 0, 0, [(0, 0)]
    for _ in range(draw(st.integers(1, 12))):
        at += draw(st.integers(1, 3000)) * MS
        value += draw(st.sampled_from([-3, -1, 1, 2]))
        made.append((at, value))
    return [(t, float(v)) for t, v in made]


def shifted(walk: list[tuple[int, Value]], by_ns: int, name: str) -> Recording:
    changes = [(max(0, t + by_ns) if t else 0, name, v) for t, v in walk]
    return of(*changes, end_ns=60 * S)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    walk=walks(), jitter=st.integers(0, 500), more=st.integers(-400, 3000), digital=st.booleans()
)
def test_a_shift_is_found_when_it_exceeds_the_tolerance_and_only_then(
    walk: list[tuple[int, Value]], jitter: int, more: int, digital: bool
) -> None:
    name = "pump" if digital else "level"
    if digital:
        walk = [(t, bool(k & 1)) for k, (t, _) in enumerate(walk)]
    by_ns, jitter_ns = (jitter + more) * MS, jitter * MS
    assume(by_ns >= 0)
    trace = trace_of(shifted(walk, 0, name), [name], 0, 60 * S, "x.csv")
    late = compare(trace, shifted(walk, by_ns, name), 0, None, jitter_ns, 0.4)
    assert bool(late.deviations) == (by_ns > jitter_ns)
    if by_ns < walk[1][0]:
        early = compare(trace, shifted(walk, -by_ns, name), 0, None, jitter_ns, 0.4)
        assert bool(early.deviations) == (by_ns > jitter_ns)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(walk=walks(), off=st.integers(0, 20), within=st.integers(0, 20))
def test_an_offset_is_found_when_it_exceeds_the_tolerance_and_only_then(
    walk: list[tuple[int, Value]], off: int, within: int
) -> None:
    trace = trace_of(shifted(walk, 0, "level"), ["level"], 0, 60 * S, "x.csv")
    moved = [(t, None if v is None else v + off / 50) for t, v in walk]
    made = compare(trace, shifted(moved, 0, "level"), 0, None, 0, within / 50)
    assert bool(made.deviations) == (off > within)
