"""The models of hil_tests/plants that move parts, cars and people: nothing gets lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil_tests.plants import Conveyor, Traffic
from hil_tests.plants.conveyor import Part
from hil_tests.recording import Value

few = settings(derandomize=True, max_examples=40, deadline=None)
Trace = list[dict[str, Value]]


def run_belt(belt: Conveyor, seconds: float, motor: Value = True, pusher: Value = False) -> Trace:
    steps = round(seconds * 1e9 / belt.step_ns)
    return [belt.step({"motor": motor, "pusher": pusher}) for _ in range(steps)]


def edges(trace: Trace, signal: str) -> int:
    """How often a signal comes."""
    return sum(bool(b[signal]) and not a[signal] for a, b in pairwise(trace))


@pytest.mark.parametrize("step_ms", [1, 2.5, 10])
def test_the_belt_comes_up_on_a_ramp_and_its_encoder_counts(step_ms: float) -> None:
    belt = Conveyor(step_ms=step_ms)
    trace = run_belt(belt, 4.05)
    # 0.1 s up, over 12.5 mm; then 250 mm/s.
    assert belt.travel_mm == pytest.approx(12.5 + 3.95 * 250)
    assert edges(trace, "encoder") == int(belt.travel_mm / 10 + 0.5)


def test_a_part_passes_the_eyes_at_its_places() -> None:
    belt = Conveyor()
    belt.feed(Part(tall=True, length_mm=100))
    trace = run_belt(belt, 6)
    dark_s = [
        [k * 0.005 for k, shown in enumerate(trace) if shown[eye]]
        for eye in ("entry_eye", "height_eye", "exit_eye")
    ]
    assert dark_s[0] == dark_s[1]
    # 100 mm at 250 mm/s, and 0.05 s longer on the ramp.
    assert len(dark_s[0]) * 0.005 == pytest.approx(0.45, abs=0.011)
    assert len(dark_s[2]) * 0.005 == pytest.approx(0.4, abs=0.011)
    assert dark_s[2][0] == pytest.approx(1100 / 250 + 0.05, abs=0.011)
    assert len(belt.arrived) == 1
    assert not belt.on_belt


@pytest.mark.parametrize("slips", [False, True])
def test_the_pusher_takes_what_lies_before_it(slips: bool) -> None:
    belt = Conveyor()
    belt.put_down(Part(slips=slips), 680)
    belt.put_down(Part(), 400)
    trace = run_belt(belt, 0.2, motor=False, pusher=True)
    assert len(belt.pushed) == (not slips)
    assert [shown["pusher_home"] for shown in trace[:2]] == [True, False]
    assert run_belt(belt, 0.2, motor=False)[-1]["pusher_home"] is True
    run_belt(belt, 8)
    assert len(belt.arrived) == 1 + slips


def test_a_jam_piles_parts_up_and_an_eye_stays_dark() -> None:
    belt = Conveyor()
    belt.obstacle_mm = 300
    belt.feed(*(Part(length_mm=80, gap_mm=10) for _ in range(5)))
    trace = run_belt(belt, 10)
    assert [p.front_mm for p in belt.on_belt] == [300, 220, 140, 60]
    assert len(belt.waiting) == 1
    assert all(shown["entry_eye"] for shown in trace[-100:])
    belt.obstacle_mm = None
    run_belt(belt, 12)
    assert len(belt.arrived) == 5


def test_a_double_part_is_one_to_the_eyes() -> None:
    belt = Conveyor()
    belt.feed(Part(), Part(gap_mm=0))
    trace = run_belt(belt, 8)
    assert (edges(trace, "entry_eye"), edges(trace, "exit_eye")) == (1, 1)
    assert len(belt.arrived) == 2
    belt.feed(Part(), Part(gap_mm=20))
    assert edges(run_belt(belt, 8), "entry_eye") == 2


def test_an_unseen_part_passes_the_eyes() -> None:
    belt = Conveyor()
    belt.feed(Part(unseen=True))
    trace = run_belt(belt, 6)
    assert edges(trace, "entry_eye") == edges(trace, "exit_eye") == 0
    assert len(belt.arrived) == 1


def test_what_can_go_wrong_with_a_belt() -> None:
    belt = Conveyor()
    belt.belt_torn = True
    run_belt(belt, 1)
    assert belt.travel_mm == 0
    belt.belt_torn, belt.encoder_broken = False, True
    assert edges(run_belt(belt, 1), "encoder") == 0
    assert belt.travel_mm > 0
    belt.pusher_stuck = True
    assert run_belt(belt, 1, pusher=True)[-1]["pusher_home"] is True
    belt.pusher_stuck = False
    run_belt(belt, 1, pusher=True)
    belt.pusher_stuck = True
    assert run_belt(belt, 1)[-1]["pusher_home"] is False
    belt.dirty_eyes.add("exit_eye")
    assert run_belt(belt, 0.01)[-1]["exit_eye"] is True


def test_parts_are_put_down_where_there_is_room() -> None:
    belt = Conveyor()
    belt.put_down(Part(length_mm=100), 500)
    with pytest.raises(ValueError, match="another part lies at 580 mm"):
        belt.put_down(Part(length_mm=100), 580)
    belt.put_down(Part(length_mm=100), 600)
    assert [p.front_mm for p in belt.take_off()] == [600, 500]
    assert len(belt.taken) == belt.fed == 2


def test_a_step_too_long_for_the_encoder_is_told() -> None:
    with pytest.raises(ValueError, match="take a shorter step"):
        Conveyor(step_ms=25)
    with pytest.raises(ValueError, match="the exit eye is at 1100 mm"):
        Conveyor(length_mm=1000)


parts = st.builds(
    Part,
    tall=st.booleans(),
    length_mm=st.floats(20, 150),
    gap_mm=st.floats(0, 200),
    slips=st.booleans(),
)
actions = st.tuples(
    st.booleans(),
    st.booleans(),
    st.lists(parts, max_size=3),
    st.one_of(st.none(), st.floats(0, 1200)),
    st.integers(1, 300),
)


@few
@given(st.lists(actions, max_size=6))
def test_no_part_gets_lost_and_none_lies_on_another(
    story: list[tuple[bool, bool, list[Part], float | None, int]],
) -> None:
    belt = Conveyor(step_ms=10)
    for motor, pusher, fed, obstacle_mm, steps in story:
        belt.obstacle_mm = obstacle_mm
        belt.feed(*fed)
        for _ in range(steps):
            belt.step({"motor": motor, "pusher": pusher})
            for ahead, behind in pairwise(belt.on_belt):
                assert behind.front_mm <= ahead.end_mm + 1e-9
    everywhere = (belt.waiting, belt.on_belt, belt.pushed, belt.arrived, belt.taken)
    assert sum(map(len, everywhere)) == belt.fed


# --- traffic -----------------------------------------------------------------------------------

GO = {"cars_green": True, "people_red": True}
WALK = {"cars_red": True, "people_green": True}


def run_road(road: Traffic, seconds: float, lamps: dict[str, Value]) -> Trace:
    return [road.step(lamps) for _ in range(round(seconds * 1e9 / road.step_ns))]


def test_cars_queue_at_red_and_leave_one_by_one() -> None:
    road = Traffic(car_every_s=3, headway_s=1.5)
    run_road(road, 30.1, {"cars_red": True, "people_red": True})
    assert (road.cars_arrived, road.cars_waiting, road.cars_through) == (10, 10, 0)
    run_road(road, 6, GO)
    assert road.cars_through == 4
    run_road(road, 60, GO)
    assert road.cars_waiting <= 1


def test_people_press_wait_and_walk() -> None:
    road = Traffic(car_every_s=0, walk_s=2.5, press_s=0.3)
    road.press()
    shown = run_road(road, 1, GO)
    assert sum(bool(s["button"]) for s in shown) == 15
    assert road.people_waiting == 1
    run_road(road, 1, WALK)
    assert (road.people_waiting, len(road.on_road)) == (0, 1)
    run_road(road, 2, GO)
    assert (len(road.on_road), road.people_through) == (0, 1)


def test_a_car_that_drives_off_among_people_is_noted() -> None:
    road = Traffic(car_every_s=1, walk_s=5)
    road.press()
    run_road(road, 2, WALK)
    assert road.near_misses == 0
    run_road(road, 1, GO)
    assert road.near_misses == 1


def test_people_who_see_the_lamp_do_not_press() -> None:
    road = Traffic(car_every_s=0, person_every_s=1)
    shown = run_road(road, 5.1, GO | {"please_wait": True})
    assert not any(s["button"] for s in shown)
    assert road.people_waiting == 5


def test_the_guard_relay_keeps_its_verdict_while_the_lamps_are_off() -> None:
    road = Traffic()
    road.broken.add("cars_red")
    assert run_road(road, 1, GO)[-1]["lamps_ok"] is True
    assert run_road(road, 1, WALK)[-1]["lamps_ok"] is False
    assert run_road(road, 1, {"cars_yellow": True})[-1]["lamps_ok"] is False
    road.broken.clear()
    assert run_road(road, 1, {})[-1]["lamps_ok"] is False
    assert run_road(road, 1, WALK)[-1]["lamps_ok"] is True


def test_a_dark_lamp_is_not_seen_and_a_stuck_button_stays() -> None:
    road = Traffic(car_every_s=0)
    road.broken.add("people_green")
    road.press()
    run_road(road, 3, WALK)
    assert road.people_waiting == 1
    road.button_stuck = True
    assert all(s["button"] for s in run_road(road, 2, GO))
    road.button_stuck = False
    road.press()
    assert not any(s["button"] for s in run_road(road, 2, GO))
    road.night = True
    assert run_road(road, 0.1, GO)[-1]["night"] is True


@few
@given(
    st.lists(st.tuples(st.sets(st.sampled_from(["cars_green", "people_green"])),
                       st.integers(1, 300)), max_size=8),
    st.floats(0, 5), st.floats(0, 5),
)  # fmt: skip
def test_nobody_gets_lost(
    story: list[tuple[set[str], int]], car_every_s: float, person_every_s: float
) -> None:
    road = Traffic(car_every_s=car_every_s, person_every_s=person_every_s)
    for lit, steps in story:
        for _ in range(steps):
            road.step(dict.fromkeys(lit, True))
    assert road.cars_arrived == road.cars_waiting + road.cars_through
    walking = road.people_waiting + len(road.on_road) + road.people_through
    assert road.people_arrived == walking
