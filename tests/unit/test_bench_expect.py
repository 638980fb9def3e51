"""`expect(…)`: what holds, what does not, what is said of it, and how far the clock runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from hil_tests.bench import Bench
from hil_tests.expect import expect, scan_latency
from hil_tests.recording import Check, Value
from host_tools.failure import Failure
from tests.unit.bench_story import MS, opened


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = opened("host")
    made.begin()
    yield made
    made.close()


def script(bench: Bench, name: str, changes: list[tuple[int, Value]]) -> None:
    """Let a signal change at these times (ms), whatever the test does."""
    left = list(changes)

    def step(now_ns: int) -> None:
        while left and left[0][0] * MS <= now_ns:
            bench.signals[name].drive(left.pop(0)[1])

    bench.dut.every(MS, step)


def square(period_ms: int, count: int, begin_ms: int = 10) -> list[tuple[int, Value]]:
    half = period_ms // 2
    times = [begin_ms + n * half for n in range(2 * count)]
    return [(at, n % 2 == 0) for n, at in enumerate(times)]


def last_check(bench: Bench) -> Check:
    return bench.dut.recording.checks[-1]


def refused(bench: Bench, seen: str) -> None:
    """The last check has failed, and says what was seen."""
    check = last_check(bench)
    assert not check.passed
    assert check.detail == seen


# --- edges ---------------------------------------------------------------------------------------


def test_an_edge_within_a_time_after_an_event(bench: Bench) -> None:
    script(bench, "sensor", [(30, True)])
    script(bench, "button", [(42, True)])
    sensor, button = bench.signals.sensor, bench.signals.button
    assert expect(button).rises(within="12ms", after=sensor.rises()) == 12 * MS
    assert bench.clock.now == 42 * MS  # no further than it takes
    assert last_check(bench).text == "button rises within 12 ms after sensor rises"
    assert last_check(bench).signals == ("button", "sensor")
    with pytest.raises(AssertionError, match="button rises within 11 ms after sensor rises"):
        expect(button).rises(within="11ms", after=sensor.rises())
    refused(bench, "after 12 ms")
    with pytest.raises(AssertionError, match="not before 13 ms"):
        expect(button).rises(within="1s", not_before="13ms", after=sensor.rises())
    refused(bench, "after 12 ms")


def test_an_edge_that_does_not_come(bench: Bench) -> None:
    with pytest.raises(AssertionError) as raised:
        expect(bench.signals.button).falls(within="50ms")
    refused(bench, "no such edge, it is false")
    assert str(raised.value).splitlines()[:2] == [
        "button falls within 50 ms",
        "seen: no such edge, it is false",
    ]
    assert 50 * MS < bench.clock.now <= 50 * MS + 1


def test_without_after_time_counts_from_what_was_done_last(bench: Bench) -> None:
    script(bench, "button", [(25, True)])
    bench.clock.run("20ms")
    bench.signals.sensor.set(True)
    bench.clock.run("10ms")
    assert expect(bench.signals.button).rises(within="5ms") == 5 * MS
    assert bench.clock.now == 30 * MS  # it had passed already
    bench.dut.set_variable("main.limit", 7)
    with pytest.raises(AssertionError):
        expect(bench.signals.button).rises(within="5ms")


def test_without_within_it_has_happened_by_now(bench: Bench) -> None:
    script(bench, "button", [(25, True)])
    bench.clock.run("20ms")
    with pytest.raises(AssertionError):
        expect(bench.signals.button).rises()
    assert bench.clock.now == 20 * MS
    bench.clock.run("20ms")
    assert expect(bench.signals.button).rises() == 25 * MS


def test_an_event_that_never_comes_is_said(bench: Bench) -> None:
    level = bench.signals.level
    with pytest.raises(AssertionError):
        expect(bench.signals.button).rises("5ms", after=level.exceeds(80), wait="200ms")
    refused(bench, "level exceeds 80 % did not happen within 200 ms")
    assert last_check(bench).limits == (("level", 80),)


def test_the_tolerance_of_the_device_widens_times(bench: Bench) -> None:
    script(bench, "button", [(12, True)])
    bench.judge.edge_ns = 2 * MS
    assert expect(bench.signals.button).rises(within="10ms") == 12 * MS
    expect(bench.signals.button).rises(within="1s", not_before="14ms")
    bench.judge.edge_ns = 2 * MS - 1
    with pytest.raises(AssertionError):
        expect(bench.signals.button).rises(within="10ms")


# --- pulses and periods --------------------------------------------------------------------------


def test_the_width_of_a_pulse(bench: Bench) -> None:
    script(bench, "button", [(10, True), (35, False), (50, True), (90, False)])
    button = bench.signals.button
    assert expect(button).pulses(width="24ms", tolerance="1ms") == 25 * MS
    assert expect(button).pulses(width=("15ms", "16ms"), level=False) == 15 * MS
    second = button.falls()
    bench.clock.run("25ms")
    with pytest.raises(AssertionError, match=r"button pulses for 39 ms to 39\.5 ms after"):
        expect(button).pulses(width=("39ms", "39.5ms"), after=second)
    refused(bench, "for 40 ms")
    with pytest.raises(AssertionError):
        expect(button).pulses(width="1ms", after=button.falls(), within="50ms")
    refused(bench, "it did not begin")
    button.drive(True)
    with pytest.raises(AssertionError):
        expect(button).pulses(width="1ms", after=button.rises(), within="50ms")
    refused(bench, "it did not end")


def test_blinking(bench: Bench) -> None:
    script(bench, "button", [*square(40, 6), (250, True), (300, False), (320, True)])
    button = bench.signals.button
    bench.clock.run("15ms")
    assert expect(button).blinks(period="40ms", times=3) == [40 * MS] * 3
    with pytest.raises(AssertionError, match="button blinks every 49 ms to 51 ms, 2 times"):
        expect(button).blinks(period="50ms", tolerance="1ms", times=2)
    bench.clock.run_to(400 * MS)
    with pytest.raises(AssertionError):
        expect(button).blinks(period="40ms", times=1)
    refused(bench, "it rose 0 times")


def test_percentiles_of_periods_and_latencies(bench: Bench) -> None:
    late = [(10 + 20 * n, n % 2 == 0) for n in range(21)]
    script(bench, "sensor", late)
    script(bench, "button", [(at + (5 if n == 8 else 2), up) for n, (at, up) in enumerate(late)])
    bench.clock.run("500ms")
    button, sensor = bench.signals.button, bench.signals.sensor
    periods = expect(button).period()
    assert sorted(set(periods)) == [37 * MS, 40 * MS, 43 * MS]
    assert len(periods) == 10
    assert periods.percentile(80) < "41ms"
    assert periods.percentile(80).ns == 40 * MS
    with pytest.raises(AssertionError, match="percentile 99 of period of button < 41 ms"):
        _ = periods.percentile(99) < "41ms"
    refused(bench, "43 ms, of 10")
    delays = expect(button).latency(after=sensor.rises())
    assert delays.values.count(2 * MS) == 10
    assert delays.longest <= "5ms"
    assert delays.shortest >= "2ms"
    with pytest.raises(AssertionError, match="longest time from sensor rises to button rises > 6"):
        _ = delays.longest > "6ms"
    none = expect(bench.signals.lamp).period()
    with pytest.raises(AssertionError, match="none was captured"):
        _ = none.percentile(50) < "1s"


# --- values --------------------------------------------------------------------------------------


def test_a_value_now_and_within_a_time(bench: Bench) -> None:
    script(bench, "level", [(30, 50.0), (60, None)])
    level, lamp = bench.signals.level, bench.signals.lamp
    expect(lamp).is_(False)
    assert bench.clock.now == 0
    with pytest.raises(AssertionError, match="lamp is true"):
        expect(lamp).is_(True)
    refused(bench, "false")
    expect(level).near(52, tolerance=2, within="30ms")
    assert bench.clock.now == 30 * MS
    with pytest.raises(AssertionError, match="level is 52 % ± 1"):
        expect(level).near(52, tolerance=1)
    refused(bench, "50 %")
    bench.judge.analogue = 1.0  # % of 0..100
    expect(level).near(52, tolerance=1)
    expect(level).is_(None, within="60ms")
    assert last_check(bench).detail == "open after 60 ms"


def test_staying(bench: Bench) -> None:
    script(bench, "button", [(50, True), (80, False)])
    script(bench, "level", [(100, 20.0), (120, 20.4), (140, 21.0)])
    button, level = bench.signals.button, bench.signals.level
    expect(button).stays(False, for_="50ms")
    assert bench.clock.now == 50 * MS
    with pytest.raises(AssertionError, match="button stays true for 40 ms after button rises"):
        expect(button).stays(True, for_="40ms", after=button.rises())
    refused(bench, "false after 30 ms")
    with pytest.raises(AssertionError, match="button does not change for 100 ms"):
        expect(button).changes_not(for_="100ms", after=button.rises())
    expect(button).changes_not(for_="100ms")
    expect(level).stays(20, for_="39ms", tolerance=0.5, after=level.equals(20.0))
    with pytest.raises(AssertionError, match=re.escape("level stays 20 % ± 0.5 for 50 ms")):
        expect(level).stays(20, for_="50ms", tolerance=0.5, after=level.equals(20.0))
    refused(bench, "21 % after 40 ms")


# --- events and clock ----------------------------------------------------------------------------


def test_events_of_one_signal(bench: Bench) -> None:
    script(bench, "level", [(10, 70.0), (20, 90.0), (30, 85.0), (40, None), (50, 81.0), (60, 5.0)])
    level = bench.signals.level
    bench.clock.run("100ms")
    assert [t // MS for t in level.exceeds(80).times(0)] == [20, 50]
    assert [t // MS for t in level.falls_below(10).times(0)] == [0, 60]
    assert [t // MS for t in level.equals(None).times(0)] == [40]
    assert [t // MS for t in level.changes().times(11 * MS)] == [20, 30, 40, 50, 60]
    assert level.exceeds(80).latest() == 50 * MS
    assert level.exceeds(99).latest() is None


def test_either_and_both(bench: Bench) -> None:
    script(bench, "sensor", [(20, True), (60, False)])
    script(bench, "button", [(40, True), (50, False)])
    sensor, button = bench.signals.sensor, bench.signals.button
    either = sensor.rises() | button.rises()
    both = sensor.falls() & button.falls()
    assert either.text == "sensor rises or button rises"
    assert bench.clock.until(either) == 20 * MS
    assert bench.clock.until(either) == 40 * MS
    assert bench.clock.until(both, timeout="1s") == 60 * MS
    assert (list(either.times(0)), list(both.times(0))) == ([20 * MS, 40 * MS], [60 * MS])
    bench.clock.run("1ms")
    with pytest.raises(AssertionError, match="button rises: not within 30 ms"):
        bench.clock.until(button.rises(), timeout="30ms")


def test_the_clock_stops_at_the_event(bench: Bench) -> None:
    bench.signals.sensor.set(True)
    bench.signals.level.set(80.0)
    bench.clock.run("25ms")
    bench.signals.level.set(10.0)
    assert bench.clock.until(bench.signals.valve.falls()) == 30 * MS == bench.clock.now


@pytest.mark.parametrize(
    ("duration", "ns"), [("50ms", 50 * MS), ("T#1s500ms", 1500 * MS), (7, 7), ("0s", 0)]
)
def test_durations_are_texts_or_ns(bench: Bench, duration: str | int, ns: int) -> None:
    bench.clock.run(duration)
    assert bench.clock.now == ns


@pytest.mark.parametrize("duration", ["5 apples", -1, True])
def test_what_is_no_duration(bench: Bench, duration: str | int) -> None:
    with pytest.raises(Failure, match="is not a duration"):
        bench.clock.run(duration)


def test_the_latency_of_scans_is_not_measured_in_virtual_time(bench: Bench) -> None:
    with pytest.raises(Failure, match="'host' does not measure the latency of scans"):
        scan_latency(bench.dut)


def test_expect_takes_a_signal(bench: Bench) -> None:
    with pytest.raises(Failure, match="expect takes a signal, not True"):
        expect(True)  # type: ignore[arg-type]
