"""The models of hil_tests/plants that follow differential equations, against their solutions."""

from __future__ import annotations

from math import exp, log, pi, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil_tests.plants import Heater, Motor, Table, Tank
from hil_tests.plants.response import first_order, ramp
from hil_tests.recording import Value

few = settings(derandomize=True, max_examples=40, deadline=None)
amounts = st.floats(0.01, 100.0)


@few
@given(st.floats(-50, 50), st.floats(-50, 50), amounts, st.floats(0, 20), st.integers(2, 9))
def test_first_order_in_one_step_or_many(
    value: float, target: float, seconds: float, lag_s: float, steps: int
) -> None:
    once, area = first_order(value, target, seconds, lag_s)
    total = 0.0
    for _ in range(steps):
        value, part = first_order(value, target, seconds / steps, lag_s)
        total += part
    assert value == pytest.approx(once, abs=1e-9)
    assert total == pytest.approx(area, rel=1e-9, abs=1e-9)


@few
@given(st.floats(-50, 50), st.floats(-50, 50), amounts, amounts, st.integers(2, 9))
def test_ramp_in_one_step_or_many(
    value: float, target: float, seconds: float, rate: float, steps: int
) -> None:
    once, area = ramp(value, target, seconds, rate)
    assert abs(once - value) <= rate * seconds * 1.000001
    total = 0.0
    for _ in range(steps):
        value, part = ramp(value, target, seconds / steps, rate)
        total += part
    assert value == pytest.approx(once, abs=1e-9)
    assert total == pytest.approx(area, rel=1e-9, abs=1e-6)


# --- tank --------------------------------------------------------------------------------------


def run_tank(tank: Tank, seconds: float, **inputs: Value) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for _ in range(round(seconds * 1e9 / tank.step_ns)):
        given = tank.step(inputs)
    return given


def balance_l(tank: Tank) -> float:
    """What is in the pit and what has left it, less what came: the first content."""
    left = tank.pumped_l + tank.leaked_l + tank.overflowed_l
    return tank.volume_l + left - tank.run_in_l


@pytest.mark.parametrize("step_ms", [1, 10, 50])
def test_the_pit_fills_at_the_rate_of_the_inflow(step_ms: float) -> None:
    tank = Tank(step_ms=step_ms, level_percent=10, inflow_l_per_s=5)  # of 500 l
    assert run_tank(tank, 20)["level"] == pytest.approx(30)
    assert tank.pumps[0].starts == 0


@pytest.mark.parametrize("step_ms", [1, 10, 50])
def test_a_pump_lifts_what_it_promises_after_its_lag(step_ms: float) -> None:
    tank = Tank(step_ms=step_ms, level_percent=80, inflow_l_per_s=0, pump_lag_s=0.5)
    run_tank(tank, 10, pump_1=True)
    # The integral of 12 * (1 - exp(-t / 0.5)).
    assert tank.pumped_l == pytest.approx(12 * (10 - 0.5 * (1 - exp(-20))))
    run_tank(tank, 10)
    assert tank.pumped_l == pytest.approx(120)


@pytest.mark.parametrize("step_ms", [5, 20, 100])
def test_a_leak_follows_torricelli(step_ms: float) -> None:
    tank = Tank(step_ms=step_ms, level_percent=64, inflow_l_per_s=0, area_m2=0.25, height_m=2.0)
    tank.leak_mm2 = 1000
    run_tank(tank, 60)
    # dh/dt = -0.6 * a / A * sqrt(2 g h)
    left_m = (sqrt(1.28) - 60 * 0.6 * 1e-3 / 0.25 * sqrt(2 * 9.81) / 2) ** 2
    assert tank.level_percent == pytest.approx(left_m / 2.0 * 100)
    run_tank(tank, 300)
    assert tank.level_percent == 0.0
    assert tank.leaked_l == pytest.approx(320)


@few
@given(
    st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 200)), max_size=8),
    st.floats(0, 60), st.floats(0, 3000), st.floats(0, 100), st.floats(0, 1),
)  # fmt: skip
def test_no_water_is_made_or_lost(
    story: list[tuple[bool, bool, int]], inflow: float, leak: float, level: float, outlet: float
) -> None:
    tank = Tank(inflow_l_per_s=inflow, level_percent=level, step_ms=50)
    tank.leak_mm2, tank.outlet_open = leak, outlet
    first = tank.volume_l
    for one, two, steps in story:
        for _ in range(steps):
            shown = tank.step({"pump_1": one, "pump_2": two})
            assert 0.0 <= tank.volume_l <= tank.capacity_l
            assert 0.0 <= float(shown["level"] or 0) <= 100.0
            assert not shown["high_float"] or shown["low_float"]
    assert balance_l(tank) == pytest.approx(first, abs=1e-6)


def test_too_much_water_flows_over() -> None:
    tank = Tank(level_percent=99, inflow_l_per_s=10)
    shown = run_tank(tank, 3)
    assert shown["level"] == 100
    assert shown["high_float"] is True
    assert tank.overflowed_l == pytest.approx(25)


def test_floats_have_a_hysteresis() -> None:
    tank = Tank(level_percent=8.4, inflow_l_per_s=0)
    assert tank.step({})["low_float"] is False
    tank.level_percent = 8.6
    assert tank.step({})["low_float"] is True
    tank.level_percent = 7.6
    assert tank.step({})["low_float"] is True
    tank.level_percent = 7.4
    assert tank.step({})["low_float"] is False
    tank.float_stuck["low_float"] = True
    assert tank.step({})["low_float"] is True


def test_waves_reach_sensors_and_leave_the_volume_alone() -> None:
    tank = Tank(level_percent=50, inflow_l_per_s=0, step_ms=10)
    tank.wave_percent, tank.wave_period_s = 3, 0.4
    seen = [float(tank.step({})["level"] or 0) for _ in range(40)]
    assert max(seen) == pytest.approx(53)
    assert min(seen) == pytest.approx(47)
    assert tank.level_percent == 50


def test_a_blocked_pump_trips_its_protector_and_lifts_nothing() -> None:
    tank = Tank(level_percent=50, inflow_l_per_s=0, trip_after_s=1.0)
    tank.pumps[0].is_blocked = True
    assert run_tank(tank, 0.99, pump_1=True)["protector_1"] is True
    assert run_tank(tank, 0.02, pump_1=True)["protector_1"] is False
    assert tank.pumped_l == 0
    tank.pumps[0].is_blocked = False
    assert run_tank(tank, 5, pump_1=True)["protector_1"] is False
    assert tank.pumped_l == 0
    tank.reset_protector(1)
    assert run_tank(tank, 5, pump_1=True)["protector_1"] is True
    assert tank.pumped_l > 0
    tank.trip(1)
    assert run_tank(tank, 0.01, pump_1=True)["protector_1"] is False
    assert tank.pumps[0].starts == 1


def test_a_pump_without_water_runs_dry() -> None:
    tank = Tank(level_percent=3, inflow_l_per_s=0, suction_percent=4)
    run_tank(tank, 2, pump_2=True)
    assert tank.pumps[1].dry_s == pytest.approx(2)
    assert tank.pumps[1].running_s == pytest.approx(2)
    assert tank.pumped_l == 0


def test_worn_pumps_blocked_outlets_welded_contactors() -> None:
    tank = Tank(level_percent=90, inflow_l_per_s=0, pump_lag_s=0)
    tank.pumps[0].wear = 0.25
    run_tank(tank, 1, pump_1=True)
    assert tank.pumped_l == pytest.approx(9)
    tank.outlet_open = 0.0
    run_tank(tank, 1, pump_1=True, pump_2=True)
    assert tank.pumped_l == pytest.approx(9)
    tank.outlet_open = 1.0
    tank.pumps[1].contactor_welded = True
    run_tank(tank, 1)
    assert tank.pumped_l == pytest.approx(21)


def test_a_line_that_nobody_drives_is_an_open_contactor() -> None:
    tank = Tank()
    run_tank(tank, 1, pump_1=None)
    assert tank.pumps[0].running_s == 0


# --- heater ------------------------------------------------------------------------------------


def run_heater(heater: Heater, seconds: float, heating: Value = 0.0) -> float:
    shown: Value = None
    for _ in range(round(seconds * 1e9 / heater.step_ns)):
        shown = heater.step({"heating": heating})["temperature"]
    assert shown is not None
    return float(shown)


@pytest.mark.parametrize("step_ms", [50, 100, 500])
def test_the_heater_answers_in_first_order_after_its_dead_time(step_ms: float) -> None:
    heater = Heater(step_ms=step_ms, dead_time_s=5)  # 2 kW, 20 W/K: 100 K; 1000 s
    assert run_heater(heater, 5, 50) == 20
    assert run_heater(heater, 1000, 50.0) == pytest.approx(20 + 50 * (1 - exp(-1)))
    assert run_heater(heater, 20_000, 50.0) == pytest.approx(70)


@few
@given(st.lists(st.tuples(st.floats(-10, 120), st.integers(1, 100)), max_size=6), amounts)
def test_no_heat_is_made_or_lost(story: list[tuple[float, int]], first_c: float) -> None:
    heater = Heater(temperature_c=first_c, ambient_c=20, dead_time_s=0.5)
    for heating, steps in story:
        for _ in range(steps):
            heater.step({"heating": heating})
            assert min(first_c, 20) - 1e-9 <= heater.temperature_c <= max(first_c, 120) + 1e-9
    stored_j = heater.heat_capacity_j_per_k * (heater.temperature_c - first_c)
    assert heater.arrived_j - heater.lost_j == pytest.approx(stored_j, abs=1e-3)
    assert heater.arrived_j <= heater.heated_j + 1e-9


def test_what_can_go_wrong_with_a_heater() -> None:
    heater = Heater(dead_time_s=0, heat_capacity_j_per_k=100)
    heater.element_broken = True
    assert run_heater(heater, 100, True) == 20
    heater.element_broken, heater.contactor_welded = False, True
    assert run_heater(heater, 100) == pytest.approx(120)
    heater.contactor_welded, heater.loss_factor = False, 2.0
    assert run_heater(heater, 100, True) == pytest.approx(70)
    heater.sensor_fell_off = True
    assert run_heater(heater, 1, True) == 20
    assert heater.temperature_c == pytest.approx(70)
    heater.sensor_fell_off, heater.load_w = False, 200.0
    assert run_heater(heater, 100) == pytest.approx(25)


def test_a_sensor_lags_behind() -> None:
    heater = Heater(dead_time_s=0, heat_capacity_j_per_k=1e-3, sensor_lag_s=10, step_ms=10)
    assert run_heater(heater, 10, True) == pytest.approx(20 + 100 * (1 - exp(-1)), abs=0.1)


# --- motor -------------------------------------------------------------------------------------


def run_motor(motor: Motor, seconds: float, volts: Value) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for _ in range(round(seconds * 1e9 / motor.step_ns)):
        given = motor.step({"voltage": volts})
    return given


def test_the_motor_comes_up_in_first_order_and_rests_at_its_speed() -> None:
    motor = Motor()
    at_rest = 0.1 * 12 / 2 / (0.0001 + 0.1**2 / 2)
    tau = motor.time_constant_s
    run_motor(motor, 0.2, 12)
    assert motor.speed_rad_per_s == pytest.approx(at_rest * (1 - exp(-0.2 / tau)))
    assert motor.angle_rad == pytest.approx(at_rest * (0.2 - tau * (1 - exp(-0.2 / tau))))
    shown = run_motor(motor, 10, 12)
    assert shown["speed"] == pytest.approx(at_rest * 60 / (2 * pi))
    # At rest the motor's torque is what viscous friction takes.
    assert shown["current"] == pytest.approx(0.0001 * at_rest / 0.1)


@pytest.mark.parametrize("volts", [6.0, -6.0])
def test_the_encoder_counts_the_angle_in_quadrature(volts: float) -> None:
    motor, count = Motor(lines=16), 0
    before = (False, False)
    ring = [(False, False), (True, False), (True, True), (False, True)]
    for _ in range(2000):
        given = motor.step({"voltage": volts})
        now = (bool(given["encoder_a"]), bool(given["encoder_b"]))
        turned = (ring.index(now) - ring.index(before)) % 4
        assert turned != 2, "a change was missed"
        count += (0, 1, 0, -1)[turned]
        before = now
    assert count / 64 == pytest.approx(motor.angle_rad / (2 * pi), abs=1.1 / 64)
    assert count * volts > 0


def test_a_blocked_rotor_draws_the_current_of_its_resistance() -> None:
    motor = Motor()
    run_motor(motor, 1, 12)
    motor.rotor_blocked = True
    angle = motor.angle_rad
    shown = run_motor(motor, 0.1, 12)
    assert shown["current"] == pytest.approx(6)
    assert (shown["speed"], motor.angle_rad) == (0, angle)
    motor.rotor_blocked = False
    assert float(run_motor(motor, 1, 12)["speed"] or 0) > 0


def test_dry_friction_holds_until_it_breaks_loose_and_stops_the_motor() -> None:
    motor = Motor(dry_friction_nm=0.2)
    run_motor(motor, 1, 3.9)  # 0.195 Nm
    assert motor.angle_rad == 0
    run_motor(motor, 2, 12)
    speed = motor.speed_rad_per_s
    assert speed == pytest.approx((0.6 - 0.2) / motor.damping, rel=1e-3)
    angle = motor.angle_rad
    run_motor(motor, 2, 0)
    assert motor.speed_rad_per_s == 0
    # dw/dt = -(w + r) / tau, r = T_c / damping: at rest after tau * ln(1 + w / r).
    r, tau = 0.2 / motor.damping, motor.time_constant_s
    expected = tau * speed - r * tau * log(1 + speed / r)
    assert motor.angle_rad - angle == pytest.approx(expected, rel=1e-6)


def test_a_load_can_turn_the_motor_and_an_encoder_can_fail() -> None:
    motor = Motor(load_nm=0.1)
    run_motor(motor, 1, 0)
    assert motor.speed_rad_per_s < 0
    motor.load_nm, motor.slip = 0.0, 0.5
    angle, seen = motor.angle_rad, motor.seen_rad
    run_motor(motor, 1, 12)
    assert motor.seen_rad - seen == pytest.approx((motor.angle_rad - angle) / 2)
    motor.encoder_broken, seen = True, motor.seen_rad
    run_motor(motor, 1, 12)
    assert motor.seen_rad == seen
    motor.encoder_broken, motor.track_broken = False, "a"
    assert not any(motor.step({"voltage": 12.0})["encoder_a"] for _ in range(100))


# --- table -------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_ms", [1, 5, 40])
def test_an_axis_runs_up_and_down_its_ramp(step_ms: float) -> None:
    table = Table(step_ms=step_ms, x_mm=50, speed_mm_per_s=200, acceleration_mm_per_s2=1000)
    for _ in range(round(1000 / step_ms)):
        shown = table.step({"x_speed": 150.0})
    # 0.15 s up, over 11.25 mm, then 0.85 s at 150 mm/s.
    assert shown["x"] == pytest.approx(50 + 11.25 + 127.5)
    for _ in range(round(400 / step_ms)):
        shown = table.step({"x_speed": None})
    assert shown["x"] == pytest.approx(50 + 11.25 + 127.5 + 11.25)
    assert shown["y"] == 100


@few
@given(st.lists(st.tuples(st.floats(-500, 500), st.integers(1, 60)), max_size=8))
def test_an_axis_stays_within_its_stops(story: list[tuple[float, int]]) -> None:
    table = Table(step_ms=20)
    axis = table.axes["y"]
    for speed, steps in story:
        for _ in range(steps):
            shown = table.step({"y_speed": speed})
            assert 0 <= axis.position_mm <= 300
            assert abs(axis.motion_mm_per_s) <= 200
            assert not (shown["y_home"] and shown["y_end"])
    assert axis.stops_hit or axis.position_mm == pytest.approx(100 + axis.commanded_mm)


def test_a_stop_is_hit_once_and_the_switch_says_so() -> None:
    table = Table(x_mm=20)
    for _ in range(200):
        shown = table.step({"x_speed": -100.0})
    assert (shown["x"], shown["x_home"], shown["x_end"]) == (0, True, False)
    assert table.axes["x"].stops_hit == 1
    assert table.axes["x"].hardest_mm_per_s == 100


def test_what_can_go_wrong_with_an_axis() -> None:
    table = Table()
    axis = table.axes["x"]
    axis.slip = 0.1
    for _ in range(100):
        table.step({"x_speed": 100.0})
    assert axis.position_mm - 100 == pytest.approx(0.9 * axis.commanded_mm)
    axis.is_blocked, place = True, axis.position_mm
    for _ in range(100):
        table.step({"x_speed": 100.0})
    assert axis.position_mm == place
    axis.switch_stuck["end"] = True
    assert table.step({})["x_end"] is True


# --- parameters --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Tank(height_m=0), "tank: height_m is 0, it must be above 0"),
        (lambda: Tank(inflow_l_per_s=-1), "tank: inflow_l_per_s is -1, it cannot be below 0"),
        (lambda: Tank(level_percent=101), "tank: a level of 101 %, it is within 0 and 100 %"),
        (lambda: Tank(step_ms=0), "tank: step_ms is 0, it must be above 0"),
        (lambda: Heater(loss_w_per_k=float("nan")), "loss_w_per_k is nan"),
        (lambda: Motor(lines=1000), "take a shorter step or fewer lines"),
        (lambda: Table(x_mm=500), "table: x_mm is 500, it must be within 0 and 400"),
    ],
)
def test_wrong_parameters_are_told(make: object, what: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=what):
        make()
