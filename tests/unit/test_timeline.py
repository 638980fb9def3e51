"""The timeline is one well-formed file that needs nothing else and holds all that was recorded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Page
from recordings import MS, S, recordings, tank

from hil_tests.recording import Check, FaultSpan, Recording, SignalInfo
from hil_tests.report.timeline import data as timeline_data
from hil_tests.report.timeline.data import timeline, unpacked
from hil_tests.report.timeline.geometry import (
    columns,
    first_view,
    lanes,
    nice_scale,
    ticks,
    trace,
)
from hil_tests.report.timeline.page import timeline_page, write_timeline
from hil_tests.report.words import last_edges
from host_tools.failure import Failure


def page(recording: Recording, title: str = "test_x", **about: str) -> Page:
    return Page(timeline_page(recording, title, about))


def test_the_tank_shows_signals_and_checks_on_one_axis() -> None:
    read = page(tank(), "test_tank.py::test_horn", device="host", wiring="3f2a")
    text = " ".join(read.texts)
    for said in ("✗ 1 of 2 checks failed", "✗ horn rises within 1 s after level > 80 %",
                 "horn rose only at 19.140 s, 2.24 s after the check ended", "1 check passed",
                 "host", "3f2a", "level: stuck at 77.6 %", "unit 5, read holding registers 0-1",
                 "All 371 changes of signals are in this page"):  # fmt: skip
        assert said in text
    # the surroundings of the failed check, not all of the recording
    assert "13 s" in read.texts
    assert "2 s" not in read.texts
    rows = [a["data-row"] for _, a in read.elements if "data-row" in a]
    assert rows == ["checks", "faults", "notes", *(f"s{k}" for k in range(6)), "t0", "b0"]
    labels = [a["aria-label"] for tag, a in read.elements if tag == "svg"]
    assert labels[0] == "level, analogue, 160 changes, 40 % to 91.599 %"
    assert labels[1] == "horn, digital, 2 changes"
    assert len(read.of_class("hurt")) == 2
    assert len(read.of_class("band")) == 1
    for part in ("line", "area"):
        assert len([a for a in read.of_class(part) if a["d"]]) == 6
    assert [a["d"] for a in read.of_class("open") if a["d"]] != []


def test_nothing_is_fetched() -> None:
    text = timeline_page(tank(), "x", {})
    assert "default-src 'none'" in text
    assert not re.findall(
        r"https?:|//[a-z]|@import|url\(|src=|href=|import\s*\(", _no_comments(text)
    )
    assert "fetch(" not in text
    assert "XMLHttpRequest" not in text


def _no_comments(text: str) -> str:
    text = re.sub(r'id="data">[^<]*<', "", text)
    return re.sub(r"^\s*//.*$|  // .*$", "", text, flags=re.MULTILINE)


def test_every_text_is_escaped() -> None:
    evil = "<script>alert(1)</script>&\"'"
    r = Recording()
    r.add_signal(SignalInfo(evil, "analogue", evil, True, evil))
    r.change(0, evil, 1.0)
    r.checks.append(Check(0, S, evil, False, evil, (evil,), evil, ((evil, 2.0),)))
    r.checks.append(Check(0, S, evil, True, evil))
    r.faults.append(FaultSpan(0, evil, evil))
    r.notes.append((0, evil))
    read = page(r, evil, **{evil: evil})
    assert [tag for tag, _ in read.elements].count("script") == 2
    assert sum(evil in text for text in read.texts) >= 8


@settings(derandomize=True, max_examples=60, deadline=None)
@given(recording=recordings())
def test_the_page_holds_every_recording(recording: Recording) -> None:
    read = page(recording)
    data = unpacked(read.raw["data"])
    found = {s["name"]: s for s in data["signals"]}
    assert set(found) == set(recording.signals)
    for name in recording.signals:
        times, at = [], 0
        for difference in found[name]["t"]:
            at += difference
            times.append(at)
        changes = recording.of(name)
        assert times == [c.time_ns for c in changes]
        for value, change in zip(found[name]["v"], changes, strict=True):
            expected = (
                None if change.value is None else pytest.approx(float(change.value), rel=1e-6)
            )
            assert value == expected
    assert [c[4] for c in data["checks"]] == [c.text for c in recording.checks]
    assert sum(len(t["t"]) for t in data["tasks"]) == len(recording.releases)
    assert sum(len(b["f"]) for b in data["buses"]) == len(recording.frames)
    begin, end = data["view"]
    assert 0 <= begin < end <= data["end"]
    assert begin <= data["cursor"] <= end
    for check in recording.checks:
        if not check.passed:
            assert f"✗ {check.text}".strip() in [text.strip() for text in read.texts]


def test_what_the_device_sees_stands_below_the_signal() -> None:
    r = Recording()
    for name in ("a", "level", "b", "level_seen", "c_seen"):
        r.add_signal(SignalInfo(name, "analogue", "%", to_device=True))
        r.change(0, name, 400.0 if name == "level_seen" else 1.0)
    r.add_signal(SignalInfo("horn", "digital"))
    r.checks.append(Check(0, S, "x", False, "", ("horn", "level"), "", (("level", 2.0),)))
    shown = timeline(r, "")
    names = [row.info.name for row in shown.signals]
    assert names == ["level", "level_seen", "horn", "a", "b", "c_seen"]
    level, seen = shown.signals[:2]
    assert level.scale == seen.scale == (0, 500)
    assert level.limits == seen.limits == (2.0,)
    assert "level was 1 % then, but the device saw 400 %" in last_edges(r, r.checks[0])


def test_a_recording_of_nothing_is_a_page() -> None:
    assert "no checks" in page(Recording()).texts


def test_a_long_recording_is_thinned_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_data, "MOST_CHANGES", 300)
    r = Recording()
    r.add_signal(SignalInfo("noise", "analogue"))
    r.add_signal(SignalInfo("lamp", "digital"))
    for k in range(1000):
        r.change(k * MS, "noise", 100.0 if k == 501 else float(k % 7))
    r.change(3 * MS, "lamp", True)
    read = page(r)
    noise, lamp = unpacked(read.raw["data"])["signals"]
    assert 50 < len(noise["t"]) <= 160
    assert max(noise["v"]) == 100
    assert min(noise["v"]) == 0
    assert lamp["t"] == [3 * MS]
    assert f"This page holds {len(noise['t']) + 1} of 1001 changes" in "".join(read.texts)


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="cannot write"):
        write_timeline(tank(), tmp_path / "no" / "x.html", "x")


# Geometry


def test_a_trace_steps() -> None:
    drawn = trace([0, 500, 750], [0.0, 1.0, None], (0, 1000), (0.0, 1.0), 900)
    assert drawn.line == "M0 100H500V0H750"
    assert drawn.area == "M0 100H500V0H750V100H0Z"
    assert drawn.open == "M750 50H900"


def test_a_trace_before_and_behind_the_recording_is_empty() -> None:
    assert trace([], [], (0, 10), (0.0, 1.0), 10).line == ""
    assert trace([5], [1.0], (0, 10), (0.0, 1.0), 7).line == "M500 0V0H700"
    assert trace([5], [1.0], (20, 30), (0.0, 1.0), 7).line == "M0 0H0"


def test_changes_in_one_column_span_their_range() -> None:
    drawn = trace([0, 10, 11, 12, 13], [5.0, 0.0, 10.0, None, 4.0], (0, 100_000), (0, 10), 100_000)
    assert drawn.line == "M0 50H0.5V100V0V60H1000"


@settings(derandomize=True, max_examples=200, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 300), st.one_of(st.none(), st.floats(0, 1))), max_size=60
    ),
    begin=st.integers(0, 5000),
    wide=st.integers(1, 20_000),
)
def test_a_trace_stays_in_its_row(
    steps: list[tuple[int, float | None]], begin: int, wide: int
) -> None:
    times, values, at = [], [], 0
    for step, value in steps:
        at += step
        times.append(at)
        values.append(value)
    drawn = trace(times, values, (begin, begin + wide), (0.0, 1.0), at + 100)
    xs: list[float] = []
    for path in re.findall(r"M[^M]*", drawn.line):
        for command, number in re.findall(r"([MHV ])(-?[\d.]+)", path):
            assert 0 <= float(number) <= (100 if command in "V " else 1000.05)
            if command in "MH":
                xs.append(float(number))
    assert xs == sorted(xs)
    assert drawn.line.count("M") == drawn.area.count("Z")
    visible = [v for t, v in zip(times, values, strict=True) if begin < t <= begin + wide]
    for value in visible:
        if value is not None:
            y = f"{100 * (1 - value):.1f}"
            drawn_ys = [float(n) for n in re.findall(r"[V ](-?[\d.]+)", drawn.line)]
            assert drawn_ys
            assert min(drawn_ys) - 0.051 <= float(y) <= max(drawn_ys) + 0.051


def test_ticks_are_round_and_have_a_unit() -> None:
    assert ticks((0, 20 * S))[:3] == [(0, "0 s"), (2 * S, "2 s"), (4 * S, "4 s")]
    assert ticks((14 * S, 14 * S + 100 * MS))[1] == (14_010 * MS, "14.01 s")
    assert ticks((14 * S + 3, 14 * S + 95_003))[:2] == [
        (14 * S + 10_000, "14.00001 s"),
        (14 * S + 20_000, "+10 µs"),
    ]
    assert ticks((0, 1)) == [(0, "0 s"), (1, "+1 ns")] or ticks((0, 1))


@settings(derandomize=True, max_examples=200, deadline=None)
@given(begin=st.integers(0, 10**14), wide=st.integers(1, 10**14))
def test_there_are_never_many_ticks(begin: int, wide: int) -> None:
    made = ticks((begin, begin + wide))
    assert len(made) <= 11
    assert all(begin <= t <= begin + wide for t, _ in made)
    assert len({label for _, label in made}) == len(made)


def test_scales_are_round() -> None:
    assert nice_scale([40, 92.2]) == (40, 100)
    assert nice_scale([]) == (0, 1)
    lowest, highest = nice_scale([5.0, 5.0])
    assert lowest < 5 < highest
    assert nice_scale([0.0, 0.0])[1] > 0


@settings(derandomize=True, max_examples=200, deadline=None)
@given(spans=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=20))
def test_spans_of_a_lane_do_not_overlap(spans: list[tuple[int, int]]) -> None:
    placed = [(b, b + n) for b, n in spans]
    given_lanes = lanes(placed)
    for k, (begin, end) in enumerate(placed):
        for j, (other, until) in enumerate(placed):
            if j != k and given_lanes[j] == given_lanes[k]:
                assert until <= begin or end <= other


def test_marks_share_columns() -> None:
    assert columns([0, 1, 2, 500, 5000], (0, 1_000_000)) == [(0.0, 0), (5.0, 4)]
    assert columns([5, 10, 15], (10, 20)) == [(0.0, 1), (500.0, 2)]


def test_the_first_view_shows_the_failure_and_what_came_before() -> None:
    assert first_view([], 100) == (0, 100)
    assert first_view([(10, 60)], 100) == (0, 100)
    assert first_view([(60 * S, 61 * S)], 100 * S) == (57 * S, 63 * S)
    # back to the edge before, if that is not too far
    assert first_view([(60 * S, 61 * S)], 100 * S, [1 * S, 51 * S, 60 * S]) == (50 * S, 63 * S)
    assert first_view([(60 * S, 61 * S)], 100 * S, [30 * S]) == (57 * S, 63 * S)
    assert timeline(tank(), "").view == (12 * S + 500 * MS, 19 * S)
