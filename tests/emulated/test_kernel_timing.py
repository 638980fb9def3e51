"""When the scan kernel runs tasks on an emulated RP2040, whatever Python does beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from host_tools.bench import releases
from host_tools.bench.cycles import empty_release
from host_tools.bench.pico import stand_on
from host_tools.bench.stand import Load, Stand, bench_bundle
from host_tools.bench.traffic import UNIT
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
    traffic = run[2]
    assert traffic is not None
    assert traffic.wrong == []
    assert traffic.timeouts == 0
    assert traffic.answers >= 5 * seconds
    check_frames(traffic.frames)
    assert found["fault"] is None
    assert found["releases"] == round(seconds * 1000)
    assert [task["scans"] for task in found["tasks"]] == [
        round(seconds * 1000 / every_ms) for every_ms in (1, 10, 100)
    ]
    assert (found["overruns"], found["skipped"]) == (0, 0)
    assert found["p9999_us"] <= 8
    assert found["max_us"] <= 15
    # What is left out is what was due while the firmware had interrupts off for the flash.
    assert found["flash"]["releases"] <= found["flash"]["operations"]
    # The outside agrees: every scan has its edge, where the record says it began.
    assert found["edges"]["edges"] == found["releases"]
    low, high = found["edges"]["after_start_us"]
    assert 0 < low < high < EDGE_WITHIN_US
    assert found["load"]["rounds"] > 2
    return found


def check_frames(frames: list[tuple[bytes, bytes]]) -> None:
    """The bench's master and the board's server share a CRC: somebody else is to read both."""
    for reader, side in ((FramerRTU(DecodePDU(True)), 0), (FramerRTU(DecodePDU(False)), 1)):
        for pair in frames:
            _, pdu = reader.handleFrame(pair[side], 0, 0)
            assert pdu is not None
            assert not pdu.isError()
            assert (pdu.dev_id, pdu.function_code) == (UNIT, pair[0][1])
            assert reader.buildFrame(pdu) == pair[side]


def test_releases_are_on_time_while_python_is_busy(stand: Stand) -> None:
    hold(stand, 1.0, Load(pause_ms=60))


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [10, 60])
def test_releases_are_on_time_under_the_heaviest_load(stand: Stand, seconds: int) -> None:
    found = hold(stand, seconds, Load())
    assert found["load"]["files"] > 3 * seconds
    assert found["load"]["rounds"] > 30 * seconds


def test_a_task_every_100_us_holds_with_64_points(stand: Stand) -> None:
    stand.open("points")
    found = releases.points(stand.run(0.2))
    assert found["fault"] is None
    assert found["scans"] == 2000
    assert (found["overruns"], found["skipped"]) == (0, 0)


def test_the_release_of_an_empty_task_costs_no_more_than_400_cycles(stand: Stand) -> None:
    found = empty_release(pico_of(stand), stand)
    assert found["releases"] > 20
    assert found["cycles"] <= 400
