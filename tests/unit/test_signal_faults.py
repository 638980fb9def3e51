"""Faults of signals: their laws, and that they come and go on a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil_tests.bench import Bench
from hil_tests.expect import expect
from hil_tests.faults import Faults
from hil_tests.faults.bus import cut_off, flipped, late, silence, twice, wrong_crc
from hil_tests.faults.transforms import Bounce, Late, drift, noise, stuck
from hil_tests.recording import Value
from host_tools.failure import Failure
from tests.unit.bench_story import MS, opened

LAW = settings(derandomize=True, max_examples=200, deadline=None)
TIMES = st.integers(0, 10**12)
NUMBERS = st.floats(-1e6, 1e6)


# --- laws ------------------------------------------------------------------------------------


@LAW
@given(TIMES, NUMBERS, st.floats(0, 1e3), st.integers(0, 99))
def test_noise_stays_within_its_amplitude_and_repeats(
    time_ns: int, value: float, amplitude: float, seed: int
) -> None:
    seen = noise(amplitude, MS, seed)(time_ns, value)
    assert seen is not None
    assert abs(seen - value) <= amplitude * (1 + 1e-9) + 1e-9
    assert noise(amplitude, MS, seed)(time_ns, value) == seen
    assert noise(amplitude, MS, seed)(time_ns // MS * MS, value) == seen
    assert noise(amplitude, MS, seed)(time_ns, None) is None


def test_noise_is_spread_evenly() -> None:
    seen = [noise(10.0, MS, 3)(k * MS, 0.0) or 0.0 for k in range(4000)]
    assert abs(sum(seen) / len(seen)) < 0.5
    assert min(seen) < -9.9
    assert max(seen) > 9.9
    assert len(set(seen)) == len(seen)


@LAW
@given(TIMES, TIMES, NUMBERS, st.floats(-100, 100))
def test_drift_is_a_straight_line(begin_ns: int, later_ns: int, value: float, by: float) -> None:
    per_ns = 60_000 * MS
    drifting = drift(by, per_ns, begin_ns)
    assert drifting(begin_ns, value) == value
    seen = drifting(begin_ns + later_ns, value)
    assert seen == pytest.approx(value + by * later_ns / per_ns)
    assert drifting(begin_ns + later_ns, None) is None


@LAW
@given(TIMES, st.booleans() | NUMBERS | st.none(), st.booleans() | NUMBERS | st.none())
def test_what_is_stuck_does_not_move(time_ns: int, held: Value, value: Value) -> None:
    assert stuck(held)(time_ns, value) == held


@LAW
@given(
    st.lists(st.integers(20 * MS, 50 * MS), min_size=1, max_size=5),
    st.integers(0, 4),
    st.integers(0, 99),
)
def test_each_change_bounces_and_ends_where_it_was_going(
    pauses: list[int], pairs: int, seed: int
) -> None:
    instants: list[int] = []
    bounce = Bounce(5 * MS, 2 * pairs, seed, instants.append)
    now, level = 0, False
    assert bounce(now, level) is False
    for pause in pauses:
        now, level = now + pause, not level
        instants.clear()
        seen = [bounce(now, level)]
        assert len(instants) == 2 * pairs
        assert all(now < instant <= now + 5 * MS for instant in instants)
        seen += [bounce(instant, level) for instant in sorted(instants)]
        assert seen == [level, *[not level, level] * pairs]
        assert bounce(now + 5 * MS, level) is level


@LAW
@given(st.lists(st.tuples(st.integers(1, 30 * MS), st.booleans()), max_size=8))
def test_what_is_late_is_the_same_later(steps: list[tuple[int, bool]]) -> None:
    looks: list[int] = []
    late = Late(25 * MS, looks.append)
    now, told = 0, [(0, False)]
    assert late(0, False) is False
    for pause, value in steps:
        now += pause
        told.append((now, value))
        before = [v for t, v in told if t <= now - 25 * MS] or [False]
        assert late(now, value) is before[-1]
    for look in sorted(looks):
        if look >= now:
            assert late(look, told[-1][1]) is [v for t, v in told if t <= look - 25 * MS][-1]


# --- on a device -----------------------------------------------------------------------------


@pytest.fixture(params=["host", "micropython"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with closing(opened(request.param)) as made:
        made.signals.level.drive(40.0)
        made.begin()
        yield made


def test_a_stuck_input_is_seen_by_the_program_and_let_go(bench: Bench) -> None:
    signals, clock, faults = bench.signals, bench.clock, Faults(bench)
    signals.sensor.set(True)
    with faults.stuck(signals.level, 90) as fault:
        expect(signals.drive).near(90, tolerance=0.5, within="20ms")
        expect(signals.valve).is_(True)
        signals.level.set(10.0)
        clock.run("50ms")
        expect(signals.drive).near(90, tolerance=0.5)
        assert signals.level.value == 10.0
    expect(signals.drive).near(10, tolerance=0.5, within="20ms")
    span = fault.span
    assert span.text == "level is stuck at 90 %"
    assert (span.signal, span.begin_ns) == ("level", 0)
    assert span.end_ns is not None
    assert 50 * MS <= span.end_ns <= bench.clock.now
    assert bench.dut.recording.faults == [span]
    fault.end()  # nothing
    assert signals.level.transforms == []


def test_a_stuck_output_deceives_who_looks(bench: Bench) -> None:
    signals, clock, faults = bench.signals, bench.clock, Faults(bench)
    clock.run("20ms")
    fault = faults.stuck("valve")
    signals.sensor.set(True)
    signals.level.set(80.0)
    clock.run("50ms")
    assert signals.valve.value is False
    fault.end()
    assert signals.valve.value is True
    expect(signals.valve).rises(within="0ms")


def test_an_open_wire_falls_to_its_pull(bench: Bench) -> None:
    signals, clock, faults = bench.signals, bench.clock, Faults(bench)
    signals.button.set(True)
    expect(signals.lamp).rises(within="200ms")
    with faults.open(signals.button):
        expect(signals.lamp).falls(within="40ms")
        expect(signals.lamp).stays(False, for_="300ms")
    expect(signals.lamp).rises(within="200ms")
    with faults.open(signals.level):
        clock.run("30ms")
        expect(signals.drive).near(0, tolerance=0.5)


def test_noise_and_drift_come_to_the_program_while_time_goes_on(bench: Bench) -> None:
    signals, clock, faults = bench.signals, bench.clock, Faults(bench)
    clock.run("20ms")
    with faults.drift(signals.level, 6.0, per="1s"):
        clock.run("2s")
        expect(signals.drive).near(52, tolerance=0.8)
    with faults.noise(signals.level, 5.0, seed=7):
        clock.run("1s")
    begin_ns = faults.all[1].span.begin_ns + 15 * MS
    seen = [float(c.value or 0) for c in bench.dut.recording.of("drive", begin_ns)]
    assert len(seen) > 80
    assert all(34.5 < value < 45.5 for value in seen)
    assert max(seen) - min(seen) > 8
    clock.run("20ms")
    changes = len(bench.dut.recording.changes)
    clock.run("500ms")
    assert len(bench.dut.recording.changes) == changes


def test_a_contact_that_bounces_is_filtered_or_is_not(bench: Bench) -> None:
    signals, clock, faults = bench.signals, bench.clock, Faults(bench)
    clock.run("45ms")
    faults.bounce(signals.button, for_="8ms", edges=6)
    signals.button.set(True)
    clock.run("60ms")
    seen = bench.dut.recording.of("button_seen", 45 * MS)
    assert [c.value for c in seen] == [False, *[True, False] * 3, True]
    assert seen[-1].time_ns <= 53 * MS
    expect(signals.lamp).rises(within="170ms", not_before="120ms")
    # Without a filter the program sees some of it.
    signals.level.set(80.0)
    faults.bounce(signals.sensor, for_="80ms", edges=12, seed=2)
    signals.sensor.set(True)
    clock.run("120ms")
    edges = [c.value for c in bench.dut.recording.of("valve", clock.now - 120 * MS)]
    assert len(edges) > 3
    assert edges == [k % 2 == 0 for k in range(len(edges))]
    assert edges[-1] is True


def test_what_comes_late_comes(bench: Bench) -> None:
    signals, faults = bench.signals, Faults(bench)
    signals.level.set(80.0)
    with faults.late(signals.sensor, by="100ms"):
        signals.sensor.set(True)
        expect(signals.valve).rises(within="120ms", not_before="100ms")
        signals.sensor.set(False)
        expect(signals.valve).stays(True, for_="90ms")
    expect(signals.valve).falls(within="20ms")


def test_two_faults_of_one_signal_go_in_any_order(bench: Bench) -> None:
    signals, clock, faults = bench.signals, bench.clock, Faults(bench)
    first = faults.stuck(signals.level, 70)
    faults.drift(signals.level, 600.0, per="1s")
    clock.run("20ms")
    first.end()
    clock.run("80ms")
    expect(signals.drive).near(100, tolerance=12.5)
    faults.end_all()
    expect(signals.drive).near(40, tolerance=0.5, within="20ms")
    assert [fault.active for fault in faults.all] == [False, False]


def test_the_power_goes_and_comes(bench: Bench) -> None:
    signals, clock, faults = bench.signals, bench.clock, Faults(bench)
    clock.run("20ms")
    with faults.power_cut():
        clock.run("50ms")
        assert signals.drive.value is None
    expect(signals.drive).near(40, tolerance=0.5, within="20ms")


def test_what_cannot_be_is_said() -> None:
    bench = opened("host")
    bench.begin()
    faults = Faults(bench)
    for wrong, text in (
        (lambda: faults.noise("button", 1.0), "'button' is digital: noise is for analogue"),
        (lambda: faults.bounce("level"), "'level' is no contact"),
        (lambda: faults.bounce("button", edges=3), "does not bounce with 3 edges"),
        (lambda: faults.stuck("level", True), "stuck at a number, not at True"),
        (lambda: faults.stuck("buton"), "has no signal 'buton'"),
        (lambda: faults.late("button", "0ms"), "is no time"),
        (lambda: faults.flash_cut(), "is no device with a flash"),
        (lambda: faults.plant("leak", 1), "has no plant"),
    ):
        with pytest.raises(Failure, match=text):
            wrong()
    assert bench.dut.recording.faults == []


# --- frames ----------------------------------------------------------------------------------


@LAW
@given(st.binary(min_size=4, max_size=256), st.integers(1, 12), st.integers(0, 99))
def test_frames_are_flipped_cut_and_repeated(frame: bytes, bits: int, seed: int) -> None:
    ((delay_ns, seen),) = flipped(bits, seed)(7, frame)
    differing = int.from_bytes(seen, "big") ^ int.from_bytes(frame, "big")
    assert (delay_ns, len(seen), differing.bit_count()) == (0, len(frame), bits)
    assert flipped(bits, seed)(7, frame) == [(0, seen)]
    ((_, spoilt),) = wrong_crc()(1, frame)
    assert spoilt[:-2] == frame[:-2]
    assert all(a != b for a, b in zip(spoilt[-2:], frame[-2:], strict=True))
    assert cut_off(3)(1, frame) == [(0, frame[:3])]
    assert cut_off(None)(1, frame) == [(0, frame[: len(frame) // 2])]
    assert twice(5)(1, frame) == [(0, frame), (5, frame)]
    assert late(5)(1, frame) == [(5, frame)]
    assert silence()(1, frame) == []
