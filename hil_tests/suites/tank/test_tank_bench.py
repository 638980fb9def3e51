"""What the pump pit promises (examples/tank/README.md), at its terminals.

Tests with `pit` alone drive the signals themselves; those with `plant` put the controller on a
modelled pit (hil_tests/plants/tank.py).
"""

from __future__ import annotations

from typing import Any

import pytest

from hil_tests.expect import expect

CONTACT: dict[str, Any] = {"within": "45ms", "not_before": "20ms"}  # filter 20 ms, two scans
FLOAT: dict[str, Any] = {"within": "75ms", "not_before": "50ms"}
NOW = "35ms"  # what has no filter


class Pit:
    """The signals of the pit, and what somebody does there."""

    def __init__(self, signals: Any, clock: Any) -> None:
        self.signals = signals
        self.clock = clock

    def __getattr__(self, name: str) -> Any:
        return self.signals[name]

    def fill(self, percent: float | None) -> None:
        """The transmitter shows another level; None: its wire is broken."""
        self.level.set(percent)
        self.clock.run("30ms")

    def press(self, button: str) -> None:
        self.signals[button].set(True)
        self.clock.run("50ms")
        self.signals[button].set(False)
        self.clock.run("50ms")

    @property
    def pumps(self) -> tuple[Any, Any]:
        return self.pump_1.value, self.pump_2.value


@pytest.fixture
def pit(signals: Any, clock: Any) -> Pit:
    """The pit in automatic; with a level of 50 % where there is no plant."""
    made = Pit(signals, clock)
    signals.selector.set(True)
    clock.run("100ms")
    return made


# --- levels ------------------------------------------------------------------------------------


def test_nothing_runs_and_nothing_is_wrong_at_first(pit: Pit) -> None:
    expect(pit.pump_1).stays(False, for_="1s")
    assert pit.pumps == (False, False)
    assert (pit.lamp.value, pit.horn.value) == (False, False)
    assert not list(pit.lamp.rises().times(pit.clock.now - 1))


def test_one_pump_from_the_start_level_to_the_stop_level(pit: Pit) -> None:
    pit.fill(59)
    expect(pit.pump_1).stays(False, for_="200ms")
    pit.level.set(61)
    expect(pit.pump_1).rises(within=NOW)
    pit.fill(79)
    assert pit.pumps == (True, False)
    pit.fill(21)
    assert pit.pumps == (True, False)
    pit.level.set(19)
    expect(pit.pump_1).falls(within=NOW)
    pit.fill(59)
    expect(pit.pump_1).stays(False, for_="2500ms")
    assert pit.pumps == (False, False)


def test_the_second_pump_helps_from_its_level_on_until_all_stop(pit: Pit) -> None:
    pit.level.set(81)
    expect(pit.pump_1).rises(within=NOW)
    expect(pit.pump_2).rises(within=NOW)
    pit.fill(21)
    assert pit.pumps == (True, True)
    pit.level.set(19)
    expect(pit.pump_1).falls(within=NOW)
    expect(pit.pump_2).falls(within=NOW)


def test_the_pumps_take_turns(pit: Pit) -> None:
    seen = []
    for _ in range(4):
        pit.fill(61)
        seen.append(pit.pumps)
        pit.fill(19)
        assert pit.pumps == (False, False)
        pit.clock.run("2s")  # they rest
    assert seen == [(True, False), (False, True)] * 2


def test_a_motor_rests_for_two_seconds(pit: Pit) -> None:
    pit.fill(81)
    pit.fill(19)
    pit.level.set(81)
    expect(pit.pump_1).rises(within="2050ms", not_before="1970ms", after=pit.pump_1.falls())
    expect(pit.pump_2).rises(within="2050ms", not_before="1970ms", after=pit.pump_2.falls())


def test_the_high_float_starts_both_pumps_whatever_the_level(pit: Pit) -> None:
    pit.high_float.set(True)
    expect(pit.pump_1).rises(**FLOAT)
    expect(pit.pump_2).rises(**FLOAT)
    pit.high_float.set(False)
    pit.fill(21)
    pit.clock.run("100ms")
    assert pit.pumps == (True, True)


# --- by hand -----------------------------------------------------------------------------------


@pytest.mark.parametrize("pump", [1, 2])
def test_by_hand_a_pump_runs_while_its_button_is_pressed(pit: Pit, pump: int) -> None:
    mine, other = pit.signals[f"pump_{pump}"], pit.signals[f"pump_{3 - pump}"]
    button = pit.signals[f"hand_{pump}"]
    button.set(True)
    expect(mine).stays(False, for_="100ms")  # in automatic it counts for nothing
    pit.selector.set(False)
    expect(mine).rises(**CONTACT)
    pit.fill(85)
    assert other.value is False
    button.set(False)
    expect(mine).falls(**CONTACT)
    pit.clock.run("100ms")
    assert pit.pumps == (False, False)


def test_a_contact_that_bounces_starts_a_pump_once(pit: Pit, faults: Any, dut: Any) -> None:
    pit.selector.set(False)
    pit.clock.run("50ms")
    faults.bounce(pit.hand_1, for_="15ms")
    for pressed in (True, False):
        pit.hand_1.set(pressed)
        pit.clock.run("100ms")
    assert [c.value for c in dut.recording.of("pump_1")][-2:] == [True, False]
    assert len(list(pit.pump_1.rises().times(0))) == 1


def test_out_of_automatic_the_pumps_stop(pit: Pit) -> None:
    pit.fill(81)
    pit.selector.set(False)
    expect(pit.pump_1).falls(**CONTACT)
    expect(pit.pump_2).falls(**CONTACT)


# --- dry run -----------------------------------------------------------------------------------


def test_no_pump_runs_dry(pit: Pit) -> None:
    pit.fill(81)
    pit.low_float.set(False)
    expect(pit.pump_1).falls(within="380ms", not_before="345ms")
    expect(pit.pump_2).falls(within="380ms", not_before="345ms")
    expect(pit.horn).rises(within="1090ms", not_before="1045ms")
    pit.selector.set(False)
    pit.hand_1.set(True)
    pit.hand_2.set(True)
    pit.clock.run("2100ms")  # they would have rested
    assert pit.pumps == (False, False)
    pit.low_float.set(True)
    expect(pit.pump_1).rises(**FLOAT)
    expect(pit.pump_2).rises(**FLOAT)


def test_a_wave_stops_no_pump(pit: Pit) -> None:
    pit.fill(61)
    pit.low_float.set(False)
    pit.clock.run("250ms")
    pit.low_float.set(True)
    pit.clock.run("1100ms")
    assert list(pit.pump_1.falls().times(0)) == []
    assert pit.horn.value is False


def test_when_water_is_back_the_level_decides_again(pit: Pit) -> None:
    pit.fill(61)
    pit.fill(50)
    assert pit.pumps == (True, False)
    pit.low_float.set(False)
    pit.clock.run("500ms")
    pit.low_float.set(True)
    pit.clock.run("2100ms")  # it would have rested
    assert pit.pumps == (False, False)
    pit.fill(61)
    assert pit.pumps in ((True, False), (False, True))


# --- the transmitter ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "value"), [("open wire", None), ("short", 135.0), ("weak", -5.0)]
)
def test_without_a_level_the_floats_are_in_control(
    pit: Pit, faults: Any, broken: str, value: float | None
) -> None:
    faults.stuck(pit.level, value)
    expect(pit.horn).rises(within="2050ms", not_before="1990ms")
    assert pit.pumps == (False, False), broken
    pit.high_float.set(True)
    expect(pit.pump_1).rises(**FLOAT)
    expect(pit.pump_2).rises(**FLOAT)
    pit.high_float.set(False)
    pit.clock.run("200ms")
    assert pit.pumps == (True, True)  # until it is dry
    pit.low_float.set(False)
    expect(pit.pump_1).falls(within="380ms", not_before="345ms")
    pit.low_float.set(True)
    pit.clock.run("100ms")
    assert pit.pumps == (False, False)


@pytest.mark.needs("variables")
@pytest.mark.parametrize("value", [-2.0, 105.0])
def test_currents_a_little_out_of_range_are_no_failure(pit: Pit, dut: Any, value: float) -> None:
    # 3.68 mA and 20.8 mA: NAMUR NE 43 still calls them a measurement.
    pit.fill(value)
    assert pit.pumps == ((True, True) if value > 0 else (False, False))
    pit.clock.run("2100ms")
    assert dut.variable("tank.alarms") == (2 if value > 0 else 0)


def test_a_pump_that_runs_goes_on_when_the_transmitter_fails(pit: Pit, faults: Any) -> None:
    pit.fill(61)
    with faults.open(pit.level):
        pit.clock.run("2100ms")
        assert pit.pumps == (True, False)
        assert pit.horn.value is True
    pit.fill(19)
    assert pit.pumps == (False, False)
    pit.press("acknowledge")
    assert (pit.horn.value, pit.lamp.value) == (False, False)


# --- motor protectors --------------------------------------------------------------------------


def test_a_tripped_pump_is_replaced_and_locked_until_acknowledged(pit: Pit) -> None:
    pit.fill(61)
    pit.protector_1.set(False)
    expect(pit.pump_1).falls(**CONTACT)
    expect(pit.pump_2).rises(within="55ms", not_before="20ms")
    expect(pit.horn).rises(**CONTACT)
    pit.press("acknowledge")  # has been seen, is still tripped
    assert (pit.horn.value, pit.lamp.value) == (False, True)
    pit.protector_1.set(True)
    expect(pit.pump_1).stays(False, for_="2100ms")
    assert pit.pump_2.value is True
    pit.press("acknowledge")
    assert pit.pumps == (True, False)
    assert pit.lamp.value is False


def test_the_other_pump_is_replaced_as_well(pit: Pit) -> None:
    pit.fill(61)
    pit.fill(19)
    pit.fill(61)
    assert pit.pumps == (False, True)
    pit.clock.run("2s")
    pit.protector_2.set(False)
    expect(pit.pump_2).falls(**CONTACT)
    expect(pit.pump_1).rises(within="55ms", not_before="20ms")
    expect(pit.horn).rises(**CONTACT)
    pit.protector_2.set(True)
    pit.clock.run("2100ms")
    assert pit.pumps == (True, False)
    pit.press("acknowledge")
    assert pit.pumps == (False, True)


def test_a_trip_while_nothing_runs_is_told(pit: Pit) -> None:
    pit.protector_2.set(False)
    expect(pit.horn).rises(**CONTACT)
    pit.fill(81)
    pit.clock.run("100ms")
    assert pit.pumps == (True, False)
    pit.selector.set(False)
    pit.hand_2.set(True)
    pit.clock.run("100ms")
    assert pit.pumps == (False, False)


# --- alarms ------------------------------------------------------------------------------------


def test_an_alarm_blinks_until_it_is_seen_and_stays_until_it_has_gone(pit: Pit) -> None:
    pit.fill(94)
    pit.clock.run("1200ms")
    assert pit.horn.value is False
    pit.level.set(96)
    expect(pit.horn).rises(within="1050ms", not_before="990ms")
    expect(pit.lamp).rises(within="560ms", not_before="490ms", after=pit.horn.rises())
    expect(pit.lamp).blinks("1020ms", tolerance="30ms", times=2)
    expect(pit.lamp).pulses("510ms", tolerance="20ms")
    pit.acknowledge.set(True)
    expect(pit.horn).falls(**CONTACT)
    pit.acknowledge.set(False)
    pit.clock.run("100ms")
    expect(pit.lamp).stays(True, for_="1200ms")
    pit.level.set(90)
    expect(pit.lamp).falls(within=NOW)
    assert pit.horn.value is False


@pytest.mark.parametrize(
    ("signal", "wrong", "right"),
    [("low_float", False, True), ("high_float", True, False), ("level", None, 50.0),
     ("protector_1", False, True), ("protector_2", False, True)],
)  # fmt: skip
def test_each_alarm_waits_until_somebody_has_seen_it(
    pit: Pit, signal: str, wrong: Any, right: Any
) -> None:
    pit.signals[signal].set(wrong)
    pit.clock.until(pit.horn.rises(), timeout="2100ms")
    expect(pit.horn).stays(True, for_="100ms")
    pit.signals[signal].set(right)
    expect(pit.horn).stays(True, for_="100ms")
    pit.press("acknowledge")
    assert (pit.horn.value, pit.lamp.value) == (False, False)


def test_an_alarm_that_has_gone_stays_until_somebody_has_seen_it(pit: Pit) -> None:
    pit.high_float.set(True)
    expect(pit.horn).rises(within="1100ms", not_before="1045ms")
    pit.high_float.set(False)
    pit.clock.run("300ms")
    assert pit.horn.value is True
    pit.acknowledge.set(True)
    expect(pit.horn).falls(**CONTACT)
    expect(pit.lamp).is_(False, within="50ms")


def test_a_high_level_for_a_moment_is_no_alarm(pit: Pit) -> None:
    pit.fill(96)
    pit.clock.run("800ms")
    pit.fill(90)
    pit.clock.run("1200ms")
    assert pit.horn.value is False


# --- what can be read and set over the network -------------------------------------------------


@pytest.mark.needs("variables")
def test_the_alarms_are_bits_of_a_word(pit: Pit, dut: Any) -> None:
    def alarms() -> object:
        pit.clock.run("100ms")
        return dut.variable("tank.alarms")

    assert alarms() == 0
    pit.protector_1.set(False)
    assert alarms() == 8
    pit.protector_2.set(False)
    assert alarms() == 24
    pit.low_float.set(False)
    pit.level.set(None)
    pit.clock.run("2100ms")
    assert alarms() == 29
    for signal in (pit.protector_1, pit.protector_2, pit.low_float):
        signal.set(True)
    pit.level.set(50)
    pit.press("acknowledge")
    pit.high_float.set(True)
    pit.clock.run("1s")
    assert alarms() == 2
    pit.high_float.set(False)
    assert alarms() == 2  # until somebody has seen it
    pit.press("acknowledge")
    assert alarms() == 0


@pytest.mark.needs("variables")
def test_an_alarm_can_be_acknowledged_from_afar(pit: Pit, dut: Any) -> None:
    pit.protector_1.set(False)
    expect(pit.horn).rises(**CONTACT)
    dut.set_variable("tank.remote_acknowledge", True)
    pit.clock.run("50ms")
    assert pit.horn.value is False
    assert dut.variable("tank.remote_acknowledge") is False
    pit.protector_1.set(True)
    pit.clock.run("100ms")
    assert pit.lamp.value is True  # the acknowledgement has not stayed


@pytest.mark.needs("variables")
def test_levels_can_be_set_and_are_kept_in_order(pit: Pit, dut: Any) -> None:
    def at(percent: float) -> tuple[Any, Any]:
        pit.fill(percent)
        pit.clock.run("50ms")
        return pit.pumps

    pit.fill(44)
    dut.set_variable("stop_level", 40.0)
    dut.set_variable("start_level", 30.0)
    dut.set_variable("assist_level", 20.0)
    assert at(44) == (False, False)
    assert at(46) == (True, True)  # 5 % above where it stops
    assert at(41) == (True, True)
    assert at(39) == (False, False)
    # A board takes one value in each scan: the order matters.
    dut.set_variable("start_level", 99.0)
    dut.set_variable("assist_level", 120.0)
    dut.set_variable("stop_level", 0.0)
    dut.set_variable("high_level", 30.0)
    pit.clock.run("100ms")
    assert at(94.5) == (False, False)
    pit.clock.run("2100ms")  # the pumps rest
    assert pit.horn.value is True
    assert at(96) == (False, True)
    assert at(103) == (True, True)  # as full as can be measured
    assert at(5.5) == (True, True)
    assert at(4.5) == (False, False)
    dut.set_variable("stop_level", 90.0)
    dut.set_variable("start_level", 0.0)
    dut.set_variable("assist_level", 100.0)
    pit.clock.run("2100ms")
    assert at(84) == (False, False)
    assert at(86) == (True, False)
    assert at(79) == (False, False)


@pytest.mark.needs("variables")
def test_exactly_at_a_setting_it_acts(pit: Pit, dut: Any) -> None:
    def at(percent: float, setting: str) -> None:
        pit.fill(percent)
        dut.set_variable(setting, dut.variable("tank.level"))
        pit.clock.run("50ms")

    at(50, "start_level")
    assert pit.pumps == (True, False)
    at(70, "assist_level")
    assert pit.pumps == (True, True)
    at(30, "stop_level")
    assert pit.pumps == (False, False)
    at(28, "high_level")
    expect(pit.horn).rises(within="1100ms")


@pytest.mark.needs("variables")
def test_starts_and_running_time_are_counted(pit: Pit, dut: Any) -> None:
    for _ in range(2):
        pit.fill(81)
        pit.clock.run("970ms")
        pit.fill(19)
        pit.clock.run("2s")
    assert dut.variable("tank.pump_1.starts") == 2
    assert dut.variable("tank.pump_2.starts") == 2
    ran_ns = dut.variable("tank.pump_1.run_time")
    assert abs(ran_ns - 2_000_000_000) <= 40_000_000


@pytest.mark.needs("variables")
def test_level_and_pumps_wanted_can_be_read(pit: Pit, dut: Any) -> None:
    pit.fill(70)
    assert abs(dut.variable("tank.level") - 70) < 0.1
    assert dut.variable("tank.wanted") == 1
    pit.fill(-1)
    assert dut.variable("tank.level") == 0
    pit.fill(104)
    assert dut.variable("tank.level") == 100


@pytest.mark.needs("variables")
def test_nothing_real_moves_while_the_pit_is_only_a_model(pit: Pit, dut: Any) -> None:
    pit.fill(85)
    assert pit.pumps == (True, True)
    dut.set_variable("simulate", True)
    pit.clock.run("50ms")
    assert pit.pumps == (False, False)
    # Nor does the model feel what is real.
    for signal in (pit.selector, pit.protector_1, pit.protector_2, pit.low_float):
        signal.set(False)
    pit.high_float.set(True)
    pit.level.set(None)
    pit.clock.run("500ms")
    assert dut.variable("tank.wanted") == 2  # as before, until the model is empty
    assert dut.variable("plant_pumps") == 2
    assert 30 < dut.variable("tank.level") < 45
    pit.clock.run("2500ms")
    assert pit.pumps == (False, False)
    assert dut.variable("tank.wanted") == 0
    assert dut.variable("tank.alarms") == 0


# --- the pit as a whole ------------------------------------------------------------------------


def never_dry(plant: Any) -> bool:
    return all(pump.dry_s == 0 for pump in plant.pumps)


def test_a_minute_of_normal_weather(plant: Any, pit: Pit, dut: Any) -> None:
    plant.inflow_l_per_s, plant.pump_l_per_s = 30.0, 80.0  # fills in 17 s
    pit.clock.run("1m")
    levels = [c.value for c in dut.recording.of("level", 10_000_000_000)]
    assert min(levels) >= 18
    assert max(levels) <= 63
    assert plant.overflowed_l == 0
    assert never_dry(plant)
    assert pit.horn.value is False
    starts = [pump.starts for pump in plant.pumps]
    assert sum(starts) >= 4
    assert abs(starts[0] - starts[1]) <= 1


def test_heavy_rain_needs_both_pumps(plant: Any, pit: Pit) -> None:
    plant.level_percent = 76
    plant.inflow_l_per_s = 18
    expect(pit.pump_2).rises(within="150ms", after=pit.level.exceeds(79.9), wait="10s")
    assert pit.pumps == (True, True)
    pit.clock.until(pit.level.falls_below(78), timeout="10s")
    assert plant.overflowed_l == 0
    assert pit.horn.value is False


@pytest.mark.sample
def test_a_pump_with_a_blocked_rotor_is_replaced(plant: Any, pit: Pit, faults: Any) -> None:
    faults.plant("pumps.0.is_blocked", True)
    plant.level_percent = 62
    expect(pit.pump_1).rises(within="100ms", after=pit.level.exceeds(60))
    expect(pit.pump_2).rises(within="80ms", after=pit.protector_1.falls())
    expect(pit.pump_1).is_(False, within="5ms", after=pit.pump_2.rises())
    pit.clock.until(pit.level.falls_below(60), timeout="20s")
    assert pit.horn.value is True


def test_a_leak_empties_the_pit_and_no_pump_runs_dry(plant: Any, pit: Pit, faults: Any) -> None:
    plant.level_percent = 30
    faults.plant("leak_mm2", 12_000)
    pit.selector.set(False)
    pit.hand_1.set(True)
    expect(pit.pump_1).falls(within="400ms", after=pit.low_float.falls(), wait="20s")
    expect(pit.horn).rises(within="1100ms", after=pit.low_float.falls())
    pit.clock.run("2s")
    assert pit.pumps == (False, False)
    assert plant.level_percent < 8
    assert never_dry(plant)


def test_a_blocked_outlet_is_told_before_the_pit_is_full(
    plant: Any, pit: Pit, faults: Any
) -> None:
    plant.level_percent = 88
    faults.plant("outlet_open", 0.0)
    plant.inflow_l_per_s = 10
    expect(pit.horn).rises(within="1050ms", after=pit.level.exceeds(95), wait="10s")
    assert plant.overflowed_l == 0
    assert pit.pumps == (True, True)


def test_a_frozen_transmitter_does_not_let_the_pit_overflow(
    plant: Any, pit: Pit, faults: Any
) -> None:
    faults.stuck(pit.level)
    plant.level_percent = 94
    expect(pit.pump_1).rises(within="80ms", after=pit.high_float.rises(), wait="10s")
    expect(pit.pump_2).is_(True, within="5ms", after=pit.pump_1.rises())
    pit.clock.until(pit.high_float.falls(), timeout="10s")
    assert plant.overflowed_l == 0
    # It believes in 50 %: the pumps go on until the low float falls.
    plant.level_percent = 12
    expect(pit.pump_1).falls(within="400ms", after=pit.low_float.falls(), wait="10s")
    assert never_dry(plant)


def test_waves_and_noise_do_not_make_a_pump_chatter(plant: Any, pit: Pit, faults: Any) -> None:
    faults.noise(pit.level, 0.5, every="50ms")
    plant.level_percent = 59
    plant.wave_percent = 2.0
    pit.clock.run("6s")
    assert plant.pumps[0].starts == 1
    plant.level_percent = 22
    pit.clock.until(pit.pump_1.falls(), timeout="10s")
    pit.clock.run("3s")
    assert [pump.starts for pump in plant.pumps] == [1, 0]


@pytest.mark.needs("power")
def test_a_power_cut_in_the_middle_of_pumping(plant: Any, pit: Pit, faults: Any) -> None:
    plant.level_percent = 62
    pit.clock.until(pit.pump_1.rises(), timeout="2s")
    pit.clock.run("1s")
    before = plant.level_percent
    with faults.power_cut():
        pit.clock.run("3s")
        assert [bool(value) for value in pit.pumps] == [False, False]
        assert plant.level_percent > before
    expect(pit.pump_1).is_(True, within="6s")
    assert pit.horn.value is False
    peak = plant.level_percent
    pit.clock.run("3s")
    assert plant.level_percent < peak


@pytest.mark.needs("power")
def test_after_a_power_cut_the_pit_waits_for_its_start_level(
    plant: Any, pit: Pit, faults: Any
) -> None:
    plant.level_percent = 62
    pit.clock.until(pit.pump_1.rises(), timeout="2s")
    plant.level_percent = 40
    with faults.power_cut():
        pit.clock.run("1s")
    pit.clock.run("3s")
    assert pit.pumps == (False, False)
    plant.level_percent = 62
    expect(pit.pump_1).rises(within="100ms", after=pit.level.exceeds(60))
