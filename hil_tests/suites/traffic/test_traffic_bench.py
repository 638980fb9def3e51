"""What the crossing promises (examples/traffic/README.md), with people and cars who keep to the
lights. After each test the whole recording is looked through: nobody may have had green together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hil_tests.expect import expect

LIGHTS = ("cars_red", "cars_yellow", "cars_green", "people_red", "people_green")
RED_FOR_ALL = {"cars_red", "people_red"}


def pictures(recording: Any) -> list[tuple[int, set[str]]]:
    """(ns, lights that are lit) from each time on at which one changes."""
    times = sorted({c.time_ns for name in LIGHTS for c in recording.of(name)})
    return [(t, {n for n in LIGHTS if recording.value_at(n, t)}) for t in times]


@pytest.fixture(autouse=True)
def never_both(dut: Any) -> Iterator[None]:
    """People and cars never have their way together, in all that a test has recorded. A picture
    counts when it has lasted: outputs of one scan do not change at the same nanosecond."""
    yield
    shown = pictures(dut.recording)
    ends = [time_ns for time_ns, _ in shown[1:]] + [dut.recording.end_ns]
    for (begin_ns, lit), end_ns in zip(shown, ends, strict=True):
        if end_ns - begin_ns < 1_000_000:
            continue
        at = f"{begin_ns / 1e9:.3f} s: {sorted(lit)}"
        assert not {"cars_green", "people_green"} <= lit, at
        assert "people_green" not in lit or "cars_red" in lit, at
        assert "cars_green" not in lit or "people_red" in lit, at


class Crossing:
    def __init__(self, signals: Any, plant: Any, clock: Any) -> None:
        self.signals = signals
        self.plant = plant
        self.clock = clock

    def __getattr__(self, name: str) -> Any:
        return self.signals[name]

    def press(self) -> None:
        """Somebody comes and presses the button."""
        self.plant.press()
        self.clock.run("100ms")

    def lit(self) -> set[str]:
        return {name for name in LIGHTS if self.signals[name].value}


@pytest.fixture
def waking(plant: Any, signals: Any, clock: Any) -> Crossing:
    """The crossing, just switched on."""
    made = Crossing(signals, plant, clock)
    clock.run("100ms")
    return made


@pytest.fixture
def crossing(waking: Crossing, dut: Any) -> Crossing:
    """The crossing, as soon as cars have green, with the shortest times that it accepts."""
    for setting in ("cars_at_least", "people_time", "leave_time"):
        dut.set_variable(setting, 0)
    waking.clock.until(waking.cars_green.rises(), timeout="5s")
    return waking


@pytest.mark.sample
def test_it_wakes_up_with_red_for_all(waking: Crossing) -> None:
    assert waking.lit() == RED_FOR_ALL
    yellow_ns = waking.clock.until(waking.cars_yellow.rises(), timeout="4s")
    assert 2_950_000_000 <= yellow_ns <= 3_100_000_000
    expect(waking.cars_green).rises(
        within="1050ms", not_before="990ms", after=waking.cars_yellow.rises()
    )
    waking.clock.run("50ms")
    assert waking.lit() == {"cars_green", "people_red"}


def test_a_full_round_and_its_times(waking: Crossing) -> None:
    crossing = waking
    crossing.clock.until(crossing.cars_green.rises(), timeout="5s")
    crossing.press()
    assert crossing.please_wait.value is True
    expect(crossing.cars_yellow).rises(
        within="8060ms", not_before="7990ms", after=crossing.cars_green.rises()
    )
    expect(crossing.cars_red).rises(
        within="3060ms", not_before="2990ms", after=crossing.cars_yellow.rises()
    )
    expect(crossing.people_green).rises(
        within="2060ms", not_before="1990ms", after=crossing.cars_red.rises()
    )
    crossing.clock.run("50ms")
    assert crossing.please_wait.value is False
    expect(crossing.people_green).falls(
        within="6060ms", not_before="5990ms", after=crossing.people_green.rises()
    )
    expect(crossing.cars_yellow).rises(
        within="3060ms", not_before="2990ms", after=crossing.people_green.falls()
    )
    expect(crossing.cars_green).rises(
        within="1060ms", not_before="990ms", after=crossing.cars_yellow.rises()
    )
    assert crossing.plant.people_through == 1
    assert crossing.plant.near_misses == 0


def test_settings_that_are_too_short_for_safety_are_not_used(crossing: Crossing) -> None:
    crossing.press()
    expect(crossing.cars_yellow).rises(
        within="5060ms", not_before="4990ms", after=crossing.cars_green.rises()
    )
    crossing.clock.until(crossing.people_green.rises(), timeout="6s")
    expect(crossing.people_green).falls(
        within="4060ms", not_before="3990ms", after=crossing.people_green.rises()
    )
    expect(crossing.cars_yellow).rises(
        within="2060ms", not_before="1990ms", after=crossing.people_green.falls()
    )


def test_without_a_request_the_cars_go_on(crossing: Crossing) -> None:
    expect(crossing.cars_green).stays(True, for_="10s")
    assert crossing.plant.cars_waiting <= 1
    assert crossing.please_wait.value is False


def test_a_stuck_button_gives_people_one_turn_and_the_cars_the_road_back(
    crossing: Crossing, faults: Any
) -> None:
    stuck = faults.plant("button_stuck", True)
    crossing.clock.until(crossing.people_green.rises(), timeout="15s")
    crossing.clock.until(crossing.cars_green.rises(), timeout="12s")
    expect(crossing.cars_green).stays(True, for_="8s")
    assert crossing.please_wait.value is False
    # Repaired, it works again.
    stuck.end()
    crossing.clock.run("500ms")
    crossing.press()
    assert crossing.please_wait.value is True


def test_a_dead_button_stops_no_cars(crossing: Crossing, faults: Any) -> None:
    faults.plant("button_stuck", False)
    crossing.press()
    expect(crossing.cars_green).stays(True, for_="7s")
    assert crossing.plant.people_waiting == 1


def test_a_press_while_people_leave_counts_for_the_next_round(
    crossing: Crossing, dut: Any
) -> None:
    crossing.press()
    crossing.clock.until(crossing.people_green.rises(), timeout="15s")
    crossing.clock.run("1s")
    crossing.press()  # is served already
    crossing.clock.run("1s")
    assert crossing.please_wait.value is False
    crossing.clock.until(crossing.people_green.falls(), timeout="7s")
    crossing.press()
    assert crossing.please_wait.value is True
    crossing.clock.until(crossing.people_green.rises(), timeout="20s")
    crossing.clock.run("50ms")
    assert crossing.plant.near_misses == 0
    assert dut.variable("crossing.requests") == 3
    assert dut.variable("crossing.walks") == 2


def test_a_pulse_shorter_than_the_filter_is_no_request(crossing: Crossing, faults: Any) -> None:
    with faults.stuck(crossing.button, True):
        crossing.clock.run("15ms")
    crossing.clock.run("200ms")
    assert crossing.please_wait.value is False


def test_a_minute_of_cars_and_people(crossing: Crossing) -> None:
    crossing.plant.person_every_s = 7
    crossing.clock.run("1m")
    assert crossing.plant.near_misses == 0
    assert crossing.plant.people_through >= 5
    assert crossing.plant.cars_through >= 10


def test_at_night_yellow_blinks_and_in_the_morning_everybody_has_red_first(
    crossing: Crossing,
) -> None:
    crossing.plant.night = True
    crossing.clock.until(crossing.people_red.falls(), timeout="15s")
    begin_ns = crossing.clock.now
    expect(crossing.cars_yellow).blinks("1020ms", tolerance="30ms", times=2)
    for name in ("cars_red", "cars_green", "people_red", "people_green"):
        assert list(crossing.signals[name].rises().times(begin_ns)) == []
    crossing.press()
    assert crossing.please_wait.value is False
    crossing.plant.night = False
    crossing.clock.until(crossing.cars_red.rises(), timeout="1s")
    crossing.clock.run("100ms")
    assert crossing.lit() == RED_FOR_ALL
    expect(crossing.cars_green).rises(
        within="4100ms", not_before="3950ms", after=crossing.cars_red.rises()
    )


def test_a_broken_red_lamp_lets_nobody_rely_on_it(crossing: Crossing) -> None:
    crossing.plant.broken.add("cars_red")
    crossing.press()
    crossing.clock.until(crossing.people_red.falls(), timeout="20s")
    assert list(crossing.people_green.rises().times(0)) == []
    expect(crossing.cars_yellow).blinks("1020ms", tolerance="30ms", times=2)
    assert crossing.plant.people_through == 0


def test_a_guard_relay_that_flickers_does_not_matter(crossing: Crossing) -> None:
    crossing.plant.broken.add("people_red")
    crossing.clock.run("300ms")
    crossing.plant.broken.clear()
    expect(crossing.cars_green).stays(True, for_="6s")


@pytest.mark.needs("power")
def test_after_a_power_cut_everybody_has_red_first(crossing: Crossing, faults: Any) -> None:
    crossing.press()
    crossing.clock.until(crossing.people_green.rises(), timeout="15s")
    with faults.power_cut():
        crossing.clock.run("1s")
        assert crossing.lit() == set()
    expect(crossing.cars_red).is_(True, within="3s")
    crossing.clock.run("100ms")
    assert crossing.lit() == RED_FOR_ALL
    crossing.clock.until(crossing.cars_green.rises(), timeout="5s")
    assert crossing.plant.near_misses == 0
