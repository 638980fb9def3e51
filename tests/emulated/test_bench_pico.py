"""The emulated Pico on the bench does what the host does, as far as its pins tell."""

from __future__ import annotations

import pytest

from hil_tests.bench import Bench
from hil_tests.devices.pico import LEAD_NS, PicoDevice
from hil_tests.expect import scan_latency
from host_tools.failure import Failure
from tests.unit.bench_story import MS, OUTPUTS, cut_power, edges, opened, play

pytestmark = pytest.mark.emulated

LATE_NS = 100_000
"""A scan of this program with everything around it, from its release on, is over by then."""


@pytest.fixture(scope="module")
def played() -> Bench:
    bench = opened("pico")
    play(bench)
    return bench


@pytest.fixture(scope="module")
def on_host() -> Bench:
    bench = opened("host")
    play(bench)
    return bench


def test_the_checks_of_the_story_hold(played: Bench) -> None:
    assert len(played.dut.recording.checks) > 8
    assert all(check.passed for check in played.dut.recording.checks)


def test_digital_outputs_change_as_on_the_host(played: Bench, on_host: Bench) -> None:
    mine, host = (
        [c for c in bench.dut.recording.changes if c.signal in ("lamp", "valve") and c.time_ns > 0]
        for bench in (played, on_host)
    )
    mine = [c for c in mine if c.time_ns > LATE_NS]
    host = [c for c in host if c.time_ns > LATE_NS]
    assert [(c.signal, c.value) for c in mine] == [(c.signal, c.value) for c in host]
    late = [a.time_ns - b.time_ns for a, b in zip(mine, host, strict=True)]
    assert min(late) >= LEAD_NS
    assert max(late) < LATE_NS


def test_analogue_outputs_follow(played: Bench, on_host: Bench) -> None:
    last = {name: played.signals[name].value for name in OUTPUTS}
    assert last["drive"] == pytest.approx(on_host.signals.drive.value, abs=0.2)
    assert [v for name, v, _ in edges(played) if name == "drive"][-3:] == [40, 90, 0]


def test_every_release_is_recorded_with_its_latency(played: Bench) -> None:
    releases = played.dut.recording.releases
    instants = [(r.time_ns - LEAD_NS) / (10 * MS) for r in releases]
    assert instants == [float(n) for n in range(len(instants))]
    assert len(instants) > 80
    assert {r.task for r in releases} == {"main"}
    assert all(0 <= r.latency_ns <= 15_000 for r in releases)
    assert all(0 < r.duration_ns < LATE_NS for r in releases)


def test_percentiles_of_the_latency_are_asserted(played: Bench) -> None:
    latencies = scan_latency(played.dut, "main")
    assert len(latencies) == len(played.dut.recording.releases)
    assert latencies.percentile(99.9) <= "15us"
    with pytest.raises(AssertionError, match="percentile 99 of scan latency of main < 0 ms"):
        _ = latencies.percentile(99) < 0
    with pytest.raises(Failure, match="no task 'mian' has been scanned") as raised:
        scan_latency(played.dut, "mian")
    assert raised.value.help == "did you mean 'main'?"
    played.dut.recording.checks.pop()


def test_the_board_boots_after_a_power_cut(played: Bench) -> None:
    device = played.dut
    assert isinstance(device, PicoDevice)
    cut_power(played, "2s")
    assert [text for _, text in device.recording.notes if "{" in text] == []
    assert "running" in [text for _, text in device.recording.notes]
