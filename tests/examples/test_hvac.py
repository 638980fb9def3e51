"""What examples/hvac promises: start and stop, control, night, season, frost, fans, filters."""

from __future__ import annotations

import pytest

from host_tools.cli import main
from tests.examples.plant import ROOT, Plant

WIRES = {
    "enable": "%IX0.0", "warm": "%IX0.1", "filter_1": "%IX0.2", "filter_2": "%IX0.3",
    "air_1": "%IX0.4", "air_2": "%IX0.5", "open": "%IX0.6", "no_fire": "%IX0.7",
    "acknowledge": "%IX1.0", "longer": "%IX1.1", "outside": "%IW0", "supply": "%IW1",
    "room": "%IW2", "damper": "%QX0.0", "fan_1": "%QX0.1", "fan_2": "%QX0.2", "pump": "%QX0.3",
    "lamp": "%QX0.4", "heating": "%QW0", "cooling": "%QW1", "mixing": "%QW2",
    "alarms": "unit.alarms", "mode": "unit.mode",
}  # fmt: skip
FROST, FIRE, FAN, SENSOR, DAMPER, FILTER_1, FILTER_2 = (1 << i for i in range(7))
MONDAY = "DT#2024-01-08-"


class Unit(Plant):
    """The unit on a winter day, five minutes before people come; damper and fans obey."""

    def __init__(self, clock: str = "05:55:00") -> None:
        super().__init__("hvac", WIRES)
        self.set(**{"unit.date_and_time": MONDAY + clock})
        self.set(enable=True, warm=True, no_fire=True)
        self.temperatures(outside=-5, supply=18, room=19)
        self.obey = True

    def temperatures(self, **values: float) -> None:
        self.set(**{name: round(value * 100) for name, value in values.items()})

    def go(self, seconds: float) -> None:
        """Runs, with the damper following in 0.2 s and the pressure switches with their fans."""
        for _ in range(round(seconds * 5)):
            self.run(0.2)
            if self.obey:
                self.set(open=self.get("damper"), air_1=self.get("fan_1"), air_2=self.get("fan_2"))

    def press_acknowledge(self) -> None:
        self.set(acknowledge=True)
        self.go(0.4)
        self.set(acknowledge=False)
        self.go(0.4)


@pytest.fixture
def running() -> Unit:
    unit = Unit("06:00:00")
    unit.go(90)
    assert unit.get("mode") == "running"
    return unit


def test_it_starts_when_people_come_and_warms_the_coil_before() -> None:
    unit = Unit()
    unit.go(290)
    assert unit.get("mode") == "off"
    assert unit.get("pump")  # it is cold outside
    unit.go(15)
    assert unit.get("mode") == "preheating"
    assert unit.get("heating") == 10_000
    assert not unit.get("damper")
    unit.go(62)
    assert unit.get("damper")
    assert unit.get("fan_1")
    assert not unit.get("fan_2")
    unit.go(12)
    assert unit.get("fan_2")
    assert unit.get("mode") == "running"


def test_it_stops_when_people_have_gone() -> None:
    unit = Unit("18:28:00")
    unit.go(115)
    assert unit.get("mode") == "running"
    unit.go(10)
    assert not unit.get("fan_1")
    unit.go(12)
    assert unit.get("mode") == "off"
    assert not unit.get("damper")


def test_a_cold_room_opens_the_heating_valve_and_a_warm_one_closes_it(running: Unit) -> None:
    running.temperatures(room=18, supply=18)
    running.go(60)
    assert running.get("heating") > 2_000
    assert running.get("mixing") == 3_000
    running.temperatures(room=24, supply=25)
    running.go(600)
    assert running.get("heating") == 0
    assert running.get("mixing") == 10_000  # cold air from outside costs nothing
    assert running.get("cooling") == 0  # in winter the chiller is off


def test_the_thermostat_stops_the_unit_and_opens_the_valve(running: Unit) -> None:
    running.set(warm=False)
    running.go(1)
    assert (running.get("fan_1"), running.get("damper")) == (False, False)
    assert running.get("heating") == 10_000
    assert running.get("alarms") == FROST
    running.set(warm=True)
    running.go(5)
    assert running.get("mode") == "locked"
    running.press_acknowledge()
    assert running.get("alarms") == 0
    running.go(90)
    assert running.get("mode") == "running"


def test_cold_supply_air_opens_the_valve_before_the_thermostat_does(running: Unit) -> None:
    running.temperatures(supply=6.5, room=24)
    running.go(1)
    assert running.get("heating") >= 5_000
    assert running.get("mode") == "running"


def test_a_fan_without_air(running: Unit) -> None:
    running.obey = False
    running.set(air_1=False)
    running.go(20)
    assert running.get("mode") == "locked"
    assert running.get("alarms") == FAN
    assert not running.get("fan_1")


def test_a_damper_that_does_not_open() -> None:
    unit = Unit("06:00:00")
    unit.obey = False
    unit.go(155)
    assert unit.get("mode") == "locked"
    assert unit.get("alarms") == DAMPER


def test_fire_stops_at_once(running: Unit) -> None:
    running.set(no_fire=False)
    running.go(0.4)
    assert (running.get("fan_1"), running.get("fan_2"), running.get("damper")) == (False,) * 3
    assert running.get("alarms") == FIRE


def test_a_broken_sensor_stops_the_unit(running: Unit) -> None:
    running.temperatures(room=-50)
    running.go(3)
    assert running.get("mode") == "locked"
    assert running.get("alarms") == SENSOR


def test_a_dirty_filter_is_told_after_a_minute_and_the_unit_goes_on(running: Unit) -> None:
    running.set(filter_1=True)
    running.go(59)
    assert running.get("alarms") == 0
    running.go(2)
    assert running.get("alarms") == FILTER_1
    assert running.get("mode") == "running"
    lamp = set()
    for _ in range(10):
        running.go(0.4)
        lamp.add(running.get("lamp"))
    assert lamp == {True, False}  # it blinks
    running.press_acknowledge()
    assert running.get("lamp")
    running.set(filter_1=False)
    running.go(1)
    assert not running.get("lamp")


def test_night_setback_heats_with_the_air_of_the_building() -> None:
    unit = Unit("02:00:00")
    unit.go(30)
    assert unit.get("mode") == "off"
    unit.temperatures(room=16.8)
    unit.go(90)
    assert unit.get("mode") == "running"
    assert unit.get("mixing") == 0
    assert unit.get("heating") > 0
    unit.temperatures(room=19.2)
    unit.go(600)
    assert unit.get("mode") == "off"


def test_two_hours_more_by_the_button() -> None:
    unit = Unit("20:00:00")
    unit.set(longer=True)
    unit.go(1)
    unit.set(longer=False)
    unit.go(100)
    assert unit.get("mode") == "running"
    unit.run(7200)
    assert unit.get("mode") == "off"


def test_summer_comes_slowly_and_brings_cooling() -> None:
    unit = Unit("06:00:00")
    unit.temperatures(outside=14)
    unit.go(1)
    unit.temperatures(outside=45, supply=20, room=27)
    unit.go(90)
    assert not unit.get("unit.summer")
    unit.run(4.5 * 3600)
    assert unit.get("unit.summer")
    unit.temperatures(outside=28)
    unit.go(600)
    assert unit.get("mode") == "running"
    assert unit.get("cooling") > 0
    assert unit.get("heating") == 0
    assert unit.get("mixing") == 3_000  # it is warmer outside


def test_nothing_moves_in_simulation() -> None:
    unit = Unit("06:00:00")
    unit.set(simulate=True)
    unit.run(3600)
    assert unit.get("mode") == "running"
    assert not unit.get("fan_1")
    assert unit.get("plant_room") > 20.0


def test_its_tests_in_structured_text_pass() -> None:
    assert main(["test", str(ROOT / "examples/hvac")]) == 0
