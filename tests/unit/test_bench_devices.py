"""Host and MicroPython on the bench: the same edges at the same times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from hil_tests.bench import Bench
from hil_tests.recording import Change
from host_tools.failure import Failure
from tests.unit.bench_story import MS, cut_power, edges, opened, play


@pytest.fixture(scope="module", params=["host", "micropython"])
def played(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with closing(opened(request.param)) as bench:
        play(bench)
        yield bench


def test_it_does_what_the_program_says(played: Bench) -> None:
    assert all(check.passed for check in played.dut.recording.checks)
    assert edges(played)[:5] == [
        ("lamp", False, 0),
        ("valve", True, 0),
        ("drive", 0, 0),
        ("valve", False, 0),
        ("drive", 40, 0),
    ]


def test_devices_of_both_kinds_do_the_same(played: Bench) -> None:
    host = opened("host")
    play(host)
    mine = [c for c in played.dut.recording.changes if c.signal != "drive"]
    assert mine == [c for c in host.dut.recording.changes if c.signal != "drive"]
    assert edges(played) == edges(host)


def test_power_brings_back_the_initial_values() -> None:
    for kind in ("host", "micropython"):
        with closing(opened(kind)) as bench:
            play(bench)
            cut_power(bench, "15ms")


def test_a_step_comes_before_the_release_of_its_time() -> None:
    bench = opened("host")
    seen: list[tuple[int, object]] = []

    def step(now_ns: int) -> None:
        bench.signals.level.drive(now_ns / (10 * MS))
        seen.append((now_ns, bench.signals.drive.value))

    bench.dut.every(20 * MS, step)
    bench.begin()
    bench.clock.run("60ms")
    assert [(time_ns, value) for time_ns, value in seen] == [
        (0, 0.0),
        (20 * MS, pytest.approx(0, abs=0.11)),
        (40 * MS, pytest.approx(2, abs=0.11)),
    ]
    bench.clock.run("1ns")
    assert seen[-1][0] == 60 * MS


def test_a_run_ends_where_a_callback_stops_it() -> None:
    bench = opened("host")
    bench.begin()
    changes: list[Change] = []

    def listen(change: Change) -> None:
        changes.append(change)
        bench.dut.stop_run()

    bench.dut.recording.listeners.append(listen)
    bench.signals.level.set(80.0)
    changes.clear()
    bench.clock.run("1s")
    assert [(c.signal, c.time_ns) for c in changes] == [("valve", 0), ("drive", 0)]
    assert bench.clock.now == 0


def test_inputs_alone_are_set_and_of_their_kind() -> None:
    bench = opened("host")
    bench.begin()
    with pytest.raises(Failure, match="'lamp' is an output of the device"):
        bench.signals.lamp.set(True)
    with pytest.raises(Failure, match="'level' takes a number, not True"):
        bench.signals.level.set(True)
    with pytest.raises(Failure, match="'button' takes True or False, not 1"):
        bench.signals.button.set(1)
    with pytest.raises(Failure, match="no signal 'lmp'") as raised:
        _ = bench.signals.lmp
    assert raised.value.help == "did you mean 'lamp'?"


def test_a_transform_stands_between_signal_and_device() -> None:
    bench = opened("host")
    bench.begin()
    bench.clock.run("10ms")
    level, lamp = bench.signals.level, bench.signals.lamp
    level.set(50.0)
    level.transforms.append(lambda now_ns, value: 10.0)
    level.refresh()
    bench.clock.run("20ms")
    assert level.value == 50.0
    assert bench.signals.drive.value == pytest.approx(10, abs=0.1)
    recording = bench.dut.recording
    assert [c.value for c in recording.of("level_seen")] == [10.0]
    level.transforms.clear()
    level.refresh()
    bench.clock.run("20ms")
    assert bench.signals.drive.value == pytest.approx(50, abs=0.1)
    assert [c.value for c in recording.of("level_seen")] == [10.0, 50.0]
    lamp.transforms.append(lambda now_ns, value: True)
    lamp.refresh()
    assert lamp.value is True
