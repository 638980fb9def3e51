"""What examples/tank promises: levels, alternation, dry-run protection, alarms, settings."""

from __future__ import annotations

import pytest

from tests.examples.plant import Plant

WIRES = {
    "automatic": "%IX0.0", "hand_1": "%IX0.1", "hand_2": "%IX0.2", "acknowledge": "%IX0.3",
    "low_float": "%IX0.4", "high_float": "%IX0.5", "protector_1": "%IX0.6",
    "protector_2": "%IX0.7", "current": "%IW0", "pump_1": "%QX0.0", "pump_2": "%QX0.1",
    "lamp": "%QX0.2", "horn": "%QX0.3", "alarms": "tank.alarms",
}  # fmt: skip
DRY, HIGH, SENSOR, TRIP_1, TRIP_2 = 1, 2, 4, 8, 16


class Pit(Plant):
    def __init__(self) -> None:
        super().__init__("tank", WIRES)
        self.set(automatic=True, low_float=True, protector_1=True, protector_2=True)
        self.level(50)
        self.run(3)

    def level(self, percent: float) -> None:
        self.set(current=round(4000 + percent * 160))

    def pumps(self) -> tuple[bool, bool]:
        return self.get("pump_1"), self.get("pump_2")

    def at(self, percent: float) -> tuple[bool, bool]:
        """The pumps, 3 s after the level has come to a value."""
        self.level(percent)
        self.run(3)
        return self.pumps()

    def press_acknowledge(self) -> None:
        self.set(acknowledge=True)
        self.run(0.05)
        self.set(acknowledge=False)
        self.run(0.05)


@pytest.fixture
def pit() -> Pit:
    return Pit()


def test_one_pump_between_start_and_stop(pit: Pit) -> None:
    assert pit.get("alarms") == 0
    assert pit.at(59) == (False, False)
    assert pit.at(61) == (True, False)
    assert pit.at(21) == (True, False)
    assert pit.at(19) == (False, False)
    assert pit.at(59) == (False, False)


def test_pumps_take_turns(pit: Pit) -> None:
    seen = []
    for _ in range(4):
        seen.append(pit.at(61))
        assert pit.at(19) == (False, False)
    assert seen == [(True, False), (False, True), (True, False), (False, True)]
    assert pit.get("tank.pump_1.starts") == pit.get("tank.pump_2.starts") == 2


def test_both_pumps_when_one_cannot_hold_the_level(pit: Pit) -> None:
    assert pit.at(70) == (True, False)
    assert pit.at(81) == (True, True)
    assert pit.at(50) == (True, True)
    assert pit.at(19) == (False, False)


def test_dry_run_protection(pit: Pit) -> None:
    assert pit.at(70) == (True, False)
    pit.set(low_float=False)
    assert pit.until(lambda: pit.pumps() == (False, False), 1) <= 0.4
    pit.run(2)
    assert pit.get("alarms") == DRY
    assert pit.get("horn")
    # a wave that uncovers the float for a moment stops nothing
    pit.set(low_float=True)
    pit.press_acknowledge()
    pit.run(3)
    assert pit.pumps() != (False, False)
    pit.set(low_float=False)
    pit.run(0.2)
    assert pit.pumps() != (False, False)
    pit.set(low_float=True)
    pit.run(2)
    assert pit.get("alarms") == 0


def test_a_tripped_pump_is_replaced_and_locked_until_acknowledged(pit: Pit) -> None:
    assert pit.at(70) == (True, False)
    pit.set(protector_1=False)
    pit.run(0.1)
    assert pit.pumps() == (False, True)
    assert pit.get("alarms") == TRIP_1
    pit.set(protector_1=True)
    pit.run(3)
    assert pit.pumps() == (False, True)
    pit.press_acknowledge()
    assert pit.get("alarms") == 0
    assert pit.pumps() == (True, False)


def test_a_motor_rests_before_it_starts_again(pit: Pit) -> None:
    assert pit.at(70) == (True, False)
    pit.set(protector_1=False)
    pit.run(0.05)
    pit.set(protector_1=True)
    pit.press_acknowledge()
    assert pit.until(lambda: pit.pumps()[0], 5) == pytest.approx(1.9, abs=0.1)


def test_broken_wire_leaves_the_floats_in_control(pit: Pit) -> None:
    pit.set(current=0)
    pit.run(3)
    assert pit.get("alarms") == SENSOR
    assert pit.pumps() == (False, False)
    pit.set(high_float=True)
    pit.run(3)
    assert pit.pumps() == (True, True)
    pit.set(high_float=False)
    pit.run(3)
    assert pit.pumps() == (True, True)
    pit.set(low_float=False)
    pit.run(1)
    assert pit.pumps() == (False, False)
    # the signal is back: alarm stays until somebody has seen it
    pit.set(low_float=True)
    pit.level(50)
    pit.run(3)
    assert pit.get("alarms") & SENSOR
    pit.press_acknowledge()
    assert pit.get("alarms") == 0


def test_high_level_alarm_horn_and_lamp(pit: Pit) -> None:
    pit.level(96)
    assert pit.until(lambda: pit.get("horn"), 5) == pytest.approx(1.0, abs=0.1)
    changes, last = 0, pit.get("lamp")
    for _ in range(220):
        pit.sim.run(scans=1)
        changes, last = changes + (pit.get("lamp") != last), pit.get("lamp")
    assert changes == 4  # half a second on, half a second off, in 2.2 s
    pit.press_acknowledge()
    assert (pit.get("horn"), pit.get("lamp"), pit.get("alarms")) == (False, True, HIGH)
    pit.level(50)
    pit.run(0.1)
    assert (pit.get("lamp"), pit.get("alarms")) == (False, 0)


def test_by_hand(pit: Pit) -> None:
    assert pit.at(70) == (True, False)
    pit.set(automatic=False)
    pit.run(3)
    assert pit.pumps() == (False, False)
    pit.set(hand_2=True)
    pit.run(0.1)
    assert pit.pumps() == (False, True)
    pit.set(low_float=False)
    pit.run(1)
    assert pit.pumps() == (False, False)


def test_settings_from_the_network_stay_in_order(pit: Pit) -> None:
    pit.set(start_level=30.0, stop_level=40.0)
    pit.run(0.1)
    assert pit.get("tank.first_at") == 45.0
    assert pit.at(46) == (True, False)
    assert pit.at(39) == (False, False)
    pit.set(**{"tank.remote_acknowledge": True})
    pit.run(0.1)
    assert pit.get("tank.remote_acknowledge") is False


def test_run_time_is_counted(pit: Pit) -> None:
    assert pit.at(70) == (True, False)
    pit.run(10)
    assert pit.get("tank.pump_1.run_time") == pytest.approx(13e9, abs=0.1e9)


def test_simulated_pit_moves_and_drives_nothing() -> None:
    pit = Plant("tank", WIRES)
    pit.set(simulate=True)
    levels, outputs = [], set()
    for _ in range(1000):
        pit.sim.run(scans=1)
        levels.append(pit.get("tank.level"))
        outputs.add((pit.get("pump_1"), pit.get("pump_2")))
    assert min(levels) < 21
    assert max(levels) > 59
    assert outputs == {(False, False)}
    assert pit.get("alarms") == 0
    assert pit.get("tank.pump_1.starts") == 1
    pit.run(240)
    assert pit.get("tank.pump_1.starts") > 5
    assert pit.get("tank.pump_2.starts") > 5
