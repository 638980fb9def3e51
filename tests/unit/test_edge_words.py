"""The last edges in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from recordings import MS, S, recordings, tank

from hil_tests.recording import Check, FaultSpan, Recording, SignalInfo
from hil_tests.report.quantities import span_text, time_text, value_text
from hil_tests.report.words import last_edges


def test_the_tank() -> None:
    recording = tank()
    assert last_edges(recording, recording.checks[1]) == (
        "horn was low from the beginning; level was 77.133 % at 15.900 s; "
        "the fault “stuck at 77.6 %” stood since 15.000 s; "
        "then nothing changed for 1.0 s, until the check ended; "
        "horn rose only at 19.140 s, 2.24 s after the check ended"
    )


def test_edges_have_distances_and_limits() -> None:
    r = Recording()
    r.add_signal(SignalInfo("pump_1", "digital"))
    r.add_signal(SignalInfo("level", "analogue", "%", to_device=True))
    r.add_signal(SignalInfo("horn", "digital"))
    r.change(0, "pump_1", False)
    r.change(0, "horn", False)
    r.change(12_340 * MS, "pump_1", True)
    for k in range(140, 180):
        r.change(k * 100 * MS, "level", 66.0 + k / 10)
    check = Check(13 * S, 18 * S, "horn", False, "", ("pump_1", "level", "horn"), "",
                  (("level", 80.0),))  # fmt: skip
    assert last_edges(r, check) == (
        "pump_1 was high since 12.340 s; level had no value yet; horn was low from the beginning; "
        "level became 80 % at 14.000 s; "
        "level rose above 80 % at 14.100 s, 100 ms after level became 80 %; "
        "then nothing changed for 3.9 s but level, from 80.1 to 83.9 %, until the check ended"
    )
    r.change(18 * S, "horn", True)
    r.change(18 * S + 500 * MS, "horn", False)
    assert last_edges(r, check).endswith(
        "then nothing changed for 3.9 s but level, from 80.1 to 83.9 %; "
        "horn rose at 18.000 s, 3.9 s after level rose above 80 %; "
        "horn fell only at 18.500 s, 500 ms after the check ended"
    )


def test_many_edges_are_thinned_and_faults_told() -> None:
    r = Recording()
    r.add_signal(SignalInfo("lamp", "digital"))
    for k in range(30):
        r.change(k * 100 * MS, "lamp", bool(k & 1))
    r.change(3 * S, "lamp", None)
    r.faults.append(FaultSpan(1 * S, "short", "lamp", 3 * S))
    said = last_edges(r, Check(50 * MS, 3 * S, "x", False, "", ("lamp",)))
    assert "… 24 edges more …" in said
    assert said.endswith(
        "lamp became open at 3.000 s, 100 ms after lamp rose; "
        "the fault “short” ended at 3.000 s, at the same time"
    )
    assert said.startswith("lamp was low from the beginning; lamp rose at 0.100 s; lamp fell at")
    # a check that names no signal speaks of all
    assert "lamp rose" in last_edges(r, Check(50 * MS, 200 * MS, "x", False))


@settings(derandomize=True, max_examples=150, deadline=None)
@given(recording=recordings())
def test_every_check_can_be_told(recording: Recording) -> None:
    for check in recording.checks:
        said = last_edges(recording, check)
        assert all(name in said for name in check.signals)


@pytest.mark.parametrize(
    ("ns", "at", "span"),
    [
        (0, "0.000 s", "0 ns"),
        (12_340_000_000, "12.340 s", "12.34 s"),
        (125_000, "0.000125 s", "125 µs"),
        (20_000_123, "0.020000123 s", "20.0001 ms"),
        (2_000_000_000, "2.000 s", "2.0 s"),
        (-1_500, "-0.000001500 s", "-1.5 µs"),
    ],
)
def test_times_and_spans(ns: int, at: str, span: str) -> None:
    assert (time_text(ns), span_text(ns)) == (at, span)


def test_times_may_be_rounded() -> None:
    assert time_text(100_000_002, 6) == "0.100 s"
    assert time_text(3_650_035_506, 6) == "3.650036 s"
    assert time_text(999_999_999, 6) == "1.000 s"


def test_values() -> None:
    level = SignalInfo("level", "analogue", "%")
    plain = SignalInfo("count", "analogue")
    lamp = SignalInfo("lamp", "digital")
    assert [value_text(v, level) for v in (80.0, 0.0123456, None)] == [
        "80 %",
        "0.012346 %",
        "open",
    ]
    assert [value_text(v, plain) for v in (123456.7, 2.5e9, True)] == ["123457", "2.5e+09", "1"]
    assert [value_text(v, lamp) for v in (True, False, None)] == ["high", "low", "open"]
