"""What the sorting belt promises (examples/conveyor/README.md), with parts on a modelled belt."""

from __future__ import annotations

from typing import Any

import pytest

from hil_tests.expect import expect
from hil_tests.plants.conveyor import Part

CONTACT: dict[str, Any] = {"within": "40ms", "not_before": "20ms"}  # filter 20 ms, two scans


class Line:
    """The belt with its controller, and what somebody does there."""

    def __init__(self, signals: Any, plant: Any, clock: Any) -> None:
        self.signals = signals
        self.plant = plant
        self.clock = clock

    def __getattr__(self, name: str) -> Any:
        return self.signals[name]

    def press(self, button: str) -> None:
        self.signals[button].set(True)
        self.clock.run("50ms")
        self.signals[button].set(False)
        self.clock.run("50ms")

    def start_up(self) -> None:
        """Press start, and wait until the belt moves."""
        self.press("start")
        self.clock.until(self.motor.rises(), timeout="2100ms")

    def pass_through(self, *parts: Part) -> None:
        """Feed parts and wait until the last one is off the belt or stands."""
        self.plant.feed(*parts)
        self.clock.run(sum(round((p.length_mm + p.gap_mm) * 2e6) for p in parts))
        self.clock.run("2500ms")


@pytest.fixture
def line(plant: Any, signals: Any, clock: Any) -> Line:
    """The belt, before anybody has pressed a button."""
    made = Line(signals, plant, clock)
    clock.run("50ms")
    return made


@pytest.fixture
def belt(line: Line) -> Line:
    """The belt, moving."""
    line.start_up()
    return line


def counts(dut: Any) -> tuple[Any, ...]:
    """Of small, tall, lost and unexpected items."""
    names = ("small_items", "tall_items", "lost_items", "unexpected_items")
    return tuple(dut.variable(f"sorter.{name}.CV") for name in names)


# --- start and stop ----------------------------------------------------------------------------


@pytest.mark.sample
def test_it_warns_before_it_moves(line: Line) -> None:
    assert (line.motor.value, line.green.value, line.red.value) == (False, False, False)
    line.start.set(True)
    expect(line.motor).rises(within="2050ms", not_before="2010ms")
    line.start.set(False)
    blinks = list(line.green.rises().times(0))
    assert 3 <= len(blinks) <= 5
    expect(line.green).stays(True, for_="600ms")


@pytest.mark.parametrize("broken", [False, None], ids=["pressed", "broken wire"])
def test_stop_stops_at_once_and_for_good(belt: Line, broken: bool | None) -> None:
    belt.stop_closed.set(broken)
    expect(belt.motor).falls(**CONTACT)
    expect(belt.green).is_(False, within="5ms", after=belt.motor.falls())
    belt.press("start")
    belt.clock.run("2100ms")
    assert belt.motor.value is False  # not while it is pressed
    belt.stop_closed.set(True)
    belt.clock.run("2100ms")
    assert belt.motor.value is False  # nor by itself
    belt.start_up()
    assert belt.red.value is False


def test_stop_ends_the_warning(line: Line) -> None:
    line.press("start")
    line.clock.run("1s")
    line.stop_closed.set(False)
    line.clock.run("2s")
    assert list(line.motor.rises().times(0)) == []


@pytest.mark.needs("power")
def test_after_a_power_cut_nothing_moves_by_itself(belt: Line, faults: Any) -> None:
    belt.plant.feed(Part())
    belt.clock.run("1s")
    with faults.power_cut():
        belt.clock.run("300ms")
        assert belt.plant.motion_mm_per_s == 0
    belt.clock.run("3s")
    assert belt.motor.value is False
    belt.start_up()


# --- normal flow -------------------------------------------------------------------------------


def test_tall_parts_are_pushed_off_and_small_ones_arrive(belt: Line) -> None:
    heights = [False, True, True, False, True]
    parts = [Part(tall=t, length_mm=60 + 10 * n) for n, t in enumerate(heights)]
    belt.pass_through(*parts)
    assert belt.plant.pushed == [p for p in parts if p.tall]
    assert belt.plant.arrived == [p for p in parts if not p.tall]
    assert belt.motor.value is True
    expect(belt.pusher).pulses("300ms", tolerance="10ms", within="1s", after=belt.pusher.rises())


@pytest.mark.needs("variables")
def test_parts_are_counted_and_counters_cleared(belt: Line, dut: Any) -> None:
    belt.pass_through(Part(), Part(tall=True), Part())
    assert counts(dut) == (2, 1, 0, 0)
    dut.set_variable("sorter.clear_counters", True)
    belt.clock.run("50ms")
    assert counts(dut) == (0, 0, 0, 0)
    belt.pass_through(Part())
    assert counts(dut) == (1, 0, 0, 0)


@pytest.mark.needs("variables")
def test_stopping_forgets_nothing(belt: Line, dut: Any) -> None:
    belt.plant.feed(Part(), Part(tall=True))
    belt.clock.run("900ms")
    belt.stop_closed.set(False)
    belt.clock.run("500ms")
    belt.stop_closed.set(True)
    belt.start_up()
    belt.clock.run("3s")
    assert counts(dut) == (1, 1, 0, 0)
    assert [p.tall for p in belt.plant.pushed] == [True]


@pytest.mark.needs("variables")
def test_a_full_batch_stops_the_belt(belt: Line, dut: Any) -> None:
    dut.set_variable("batch_size", 2)
    belt.pass_through(Part(), Part(), Part())
    assert belt.motor.value is False
    assert belt.red.value is False
    assert dut.variable("sorter.batch.CV") == 2
    belt.start_up()
    belt.clock.run("1500ms")
    assert dut.variable("sorter.batch.CV") == 1
    assert counts(dut) == (3, 0, 0, 0)


# --- what goes wrong with parts ----------------------------------------------------------------


@pytest.mark.needs("variables")
def test_a_jam_stops_the_belt_until_it_is_cleared(belt: Line, faults: Any, dut: Any) -> None:
    obstacle = faults.plant("obstacle_mm", 40)
    belt.plant.feed(Part(), Part(gap_mm=20))
    expect(belt.motor).falls(
        within="3050ms", not_before="2990ms", after=belt.entry_eye.rises(), wait="2s"
    )
    expect(belt.red).is_(True, within="5ms", after=belt.motor.falls())
    assert dut.variable("sorter.why") == "jam"
    belt.press("start")
    belt.clock.run("2100ms")
    assert belt.motor.value is False  # it has to be acknowledged
    belt.press("acknowledge")
    assert belt.red.value is False
    belt.start_up()
    expect(belt.motor).falls(within="3050ms", after=belt.motor.rises())  # still jammed
    obstacle.end()
    belt.plant.take_off()
    belt.press("acknowledge")
    belt.start_up()
    belt.clock.run("3200ms")
    assert belt.motor.value is True


@pytest.mark.needs("variables")
def test_a_part_that_the_pusher_misses_is_noticed_at_the_end(belt: Line, dut: Any) -> None:
    belt.pass_through(Part(tall=True, slips=True))
    assert len(belt.plant.arrived) == 1
    assert counts(dut) == (0, 1, 0, 1)
    assert belt.motor.value is True


@pytest.mark.needs("variables")
def test_parts_that_come_and_go_by_hand_are_noticed(belt: Line, dut: Any) -> None:
    belt.plant.feed(Part())
    belt.clock.run("1s")
    belt.plant.take_off()
    belt.clock.run("2s")
    assert counts(dut) == (0, 0, 1, 0)
    belt.plant.put_down(Part(), 300)
    belt.clock.run("2s")
    assert counts(dut) == (0, 0, 1, 1)
    assert belt.motor.value is True


@pytest.mark.needs("variables")
def test_a_double_part_is_taken_for_one_and_what_is_left_of_it_noticed(
    belt: Line, dut: Any
) -> None:
    tall, small = Part(tall=True), Part(gap_mm=0)
    belt.pass_through(tall, small)
    # Too long for the plate: it gets the part behind, the one before goes on to the end.
    assert (belt.plant.pushed, belt.plant.arrived) == ([small], [tall])
    assert counts(dut) == (0, 1, 0, 1)
    belt.pass_through(Part(), Part(gap_mm=0))
    assert counts(dut) == (1, 1, 0, 1)


@pytest.mark.needs("variables")
def test_three_lost_parts_in_a_row_stop_the_belt(belt: Line, faults: Any, dut: Any) -> None:
    with faults.stuck(belt.exit_eye, True):  # dirty: it sees no part leave
        belt.plant.feed(Part(), Part(), Part())
        expect(belt.motor).falls(within="8s", after=belt.motor.rises())
        expect(belt.red).is_(True, within="5ms", after=belt.motor.falls())
    assert len(belt.plant.arrived) >= 2
    assert dut.variable("sorter.why") == "items_lost"
    belt.plant.take_off()
    belt.press("acknowledge")
    belt.start_up()
    belt.pass_through(Part())
    assert belt.motor.value is True


# --- what goes wrong with the machine ----------------------------------------------------------


@pytest.mark.needs("variables")
@pytest.mark.parametrize("what", ["belt_torn", "encoder_broken"])
def test_a_belt_that_stands_is_noticed(belt: Line, faults: Any, dut: Any, what: str) -> None:
    belt.clock.run("500ms")
    faults.plant(what, True)
    # It may run out, and the last pulse may have been a while ago.
    expect(belt.motor).falls(within="1210ms", not_before="980ms")
    expect(belt.red).is_(True, within="5ms", after=belt.motor.falls())
    assert dut.variable("sorter.why") == "belt_stands"


@pytest.mark.needs("variables")
def test_a_pusher_that_does_not_come_home_stops_the_belt(
    belt: Line, faults: Any, dut: Any
) -> None:
    belt.plant.feed(Part(tall=True))
    belt.clock.until(belt.pusher_home.falls(), timeout="4s")
    belt.clock.run("100ms")
    faults.plant("pusher_stuck", True)
    expect(belt.motor).falls(
        within="1050ms", not_before="990ms", after=belt.pusher.falls(), wait="1s"
    )
    expect(belt.red).is_(True, within="5ms", after=belt.motor.falls())
    assert dut.variable("sorter.why") == "pusher_stuck"


def test_a_part_at_the_eye_while_the_belt_stands_is_no_jam(belt: Line) -> None:
    belt.plant.feed(Part())
    belt.clock.until(belt.entry_eye.rises(), timeout="1s")
    belt.stop_closed.set(False)
    belt.clock.run("3500ms")
    assert belt.red.value is False


@pytest.mark.needs("variables")
def test_nothing_real_moves_while_the_belt_is_only_a_model(line: Line, dut: Any) -> None:
    dut.set_variable("simulate", True)
    line.clock.run("9s")
    assert dut.variable("sorter.state") == "running"
    small, tall, lost, unexpected = counts(dut)
    assert small >= 1
    assert tall >= 1
    assert (lost, unexpected) == (0, 0)
    for signal in (line.motor, line.pusher):
        assert list(signal.rises().times(0)) == []
