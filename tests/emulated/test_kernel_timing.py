"""When the scan kernel runs tasks on an emulated RP2040, whatever Python does beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host_tools.bench import releases
from host_tools.bench.cycles import empty_release
from host_tools.bench.pico import stand_on
from host_tools.bench.stand import Load, Stand, bench_bundle
from host_tools.board_link import PicoLink
from host_tools.pico import EmulatedPico

pytestmark = pytest.mark.emulated

# From the start of a scan to the pin's change: the scan itself, and now and then the alarm's
# interrupt in the middle of it.
EDGE_WITHIN_US = 8


@pytest.fixture(scope="module")
def stand(pico_uf2: Path) -> Stand:
    pico = EmulatedPico(pico_uf2)
    names = ("three_tasks", "points", "empty")
    return stand_on(PicoLink(pico), {name: bench_bundle(name) for name in names})


def pico_of(stand: Stand) -> EmulatedPico:
    link = stand.link
    assert isinstance(link, PicoLink)
    return link.pico


def hold(stand: Stand, seconds: float, load: Load) -> dict[str, Any]:
    """Run the three tasks under load, and check all that is promised of them."""
    run = releases.run_watched(pico_of(stand), stand, "three_tasks", seconds, load)
    found = releases.phase(*run)
    assert found["fault"] is None
    assert found["releases"] == round(seconds * 1000)
    assert [task["scans"] for task in found["tasks"]] == [
        round(seconds * 1000 / every_ms) for every_ms in (1, 10, 100)
    ]
    assert (found["overruns"], found["skipped"]) == (0, 0)
    assert found["p9999_us"] <= 8
    assert found["max_us"] <= 15
    # The outside agrees: every scan has its edge, where the record says it began.
    assert found["edges"]["edges"] == found["releases"]
    low, high = found["edges"]["after_start_us"]
    assert 0 < low < high < EDGE_WITHIN_US
    assert found["load"]["rounds"] > 2
    assert found["load"]["requests"] > 10
    return found


def test_releases_are_on_time_while_python_is_busy(stand: Stand) -> None:
    hold(stand, 1.0, Load(pause_ms=60))


@pytest.mark.slow
def test_releases_are_on_time_for_ten_seconds_of_the_heaviest_load(stand: Stand) -> None:
    found = hold(stand, 10.0, Load())
    assert found["load"]["files"] > 10
    assert found["load"]["rounds"] > 300


def test_a_task_every_100_us_holds_with_64_points(stand: Stand) -> None:
    stand.open("points")
    found = releases.points(stand.run(0.2))
    assert found["fault"] is None
    assert found["scans"] == 2000
    assert (found["overruns"], found["skipped"]) == (0, 0)


@pytest.mark.slow
@pytest.mark.xfail(
    reason="853 cycles: 380 of the alarm's interrupt, 440 of the scan's, and a check"
)
def test_the_release_of_an_empty_task_costs_no_more_than_400_cycles(stand: Stand) -> None:
    found = empty_release(pico_of(stand), stand)
    assert found["releases"] > 20
    assert found["cycles"] <= 400
