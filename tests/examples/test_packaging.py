"""What examples/packaging promises: the cycle, recipes, registration, alarms, guard and stop."""

from __future__ import annotations

import pytest

from host_tools.cli import main
from tests.examples.plant import ROOT, Plant

WIRES = {
    "start": "%IX0.0", "stop_closed": "%IX0.1", "acknowledge": "%IX0.2", "guard": "%IX0.3",
    "product": "%IX0.4", "mark": "%IX0.5", "closed": "%IX0.6", "open": "%IX0.7",
    "temperature": "%IW0", "heater": "%QX0.0", "close": "%QX0.1", "knife": "%QX0.2",
    "green": "%QX0.3", "red": "%QX0.4", "horn": "%QX0.5", "film": "%QW0", "belt": "%QW1",
    "state": "packer.state", "bags": "packer.bags", "first": "alarm_list.first",
}  # fmt: skip
SCAN = 0.005


class Machine(Plant):
    """The machine: film with marks, products on the belt, a jaw that takes 0.15 s."""

    def __init__(self, recipe: int = 1, length: float = 120.0) -> None:
        super().__init__("packaging", WIRES)
        self.length = length
        self.film = self.belt = self.jaw = 0.0
        self.products = self.jaw_works = self.marks = True
        self.cuts: list[float] = []
        self.knife = False
        self.set(stop_closed=True, guard=True, temperature=1400, chosen=recipe)

    def go(self, seconds: float) -> None:
        for _ in range(round(seconds / SCAN)):
            self.film += self.get("film") * SCAN
            self.belt += self.get("belt") * SCAN
            if self.jaw_works:
                self.jaw = min(max(self.jaw + (1 if self.get("close") else -1) / 30, 0.0), 1.0)
            if self.get("knife") and not self.knife:
                self.cuts.append(self.film)
            self.knife = self.get("knife")
            at = self.film % self.length
            self.set(
                product=self.products and self.belt % 160 < 40,
                mark=self.marks and abs(at - 0.63 * self.length) < 4,
                closed=self.jaw >= 1.0,
                open=self.jaw <= 0.0,
            )
            self.run(SCAN)

    def press(self, name: str) -> None:
        self.set(**{name: True})
        self.go(0.1)
        self.set(**{name: False})
        self.go(0.05)


@pytest.fixture
def running() -> Machine:
    machine = Machine()
    machine.press("start")
    machine.go(2.5)
    assert machine.get("state") == "Producing"
    return machine


def test_it_waits_for_the_temperature() -> None:
    machine = Machine()
    machine.set(temperature=1000)
    machine.press("start")
    machine.go(5)
    assert machine.get("state") == "Heating"
    assert machine.get("heater")
    machine.set(temperature=1400)
    machine.go(2.5)
    assert machine.get("state") == "Producing"


def test_it_packs(running: Machine) -> None:
    running.go(10)
    assert running.get("bags") >= 7
    assert running.get("green")
    assert abs(running.get("packer.bags_per_minute") - 55) < 15


def test_bags_are_as_long_as_the_recipe_says(running: Machine) -> None:
    running.go(10)
    lengths = [b - a for a, b in zip(running.cuts, running.cuts[1:], strict=False)]
    assert len(lengths) > 5
    # the drive takes whole millimetres a second
    assert all(abs(length - 120.0) < 1.5 for length in lengths)


def test_marks_lead_on_printed_film() -> None:
    machine = Machine(recipe=3, length=203.0)  # the print is longer than the recipe says
    machine.press("start")
    machine.go(15)
    lengths = [b - a for a, b in zip(machine.cuts, machine.cuts[1:], strict=False)]
    assert len(lengths) > 5
    assert all(abs(length - 203.0) < 3.0 for length in lengths[2:])


def test_missing_marks_stop_it() -> None:
    machine = Machine(recipe=3, length=200.0)
    machine.marks = False
    machine.press("start")
    machine.go(10)
    assert machine.get("first") == "MarkMissing"


def test_a_missing_product_stops_it(running: Machine) -> None:
    running.products = False
    running.go(5)
    assert running.get("first") == "ProductMissing"
    assert running.get("red")
    assert running.get("horn")
    assert running.get("film") == 0
    assert not running.get("heater")


def test_a_blocked_jaw_opens_again(running: Machine) -> None:
    running.jaw_works = False
    running.go(4)
    assert running.get("first") == "JawBlocked"
    assert not running.get("close")


def test_the_guard_halts_it_and_it_starts_again(running: Machine) -> None:
    running.set(guard=False)
    running.go(0.2)
    assert running.get("state") == "Faulted"
    assert running.get("first") == "GuardOpen"
    assert running.get("belt") == 0
    running.press("acknowledge")
    assert running.get("state") in ("Stopped", "Faulted")
    running.set(guard=True)
    running.press("acknowledge")
    assert running.get("state") == "Stopped"
    assert not running.get("horn")
    running.press("start")
    running.go(4)
    assert running.get("state") == "Producing"


def test_stop(running: Machine) -> None:
    running.set(stop_closed=False)
    running.go(0.3)
    assert running.get("state") == "Stopped"
    assert running.get("film") == 0
    assert running.get("belt") == 0
    assert not running.get("close")


def test_another_recipe_is_taken_when_it_stands(running: Machine) -> None:
    running.set(chosen=2)
    running.go(1)
    assert running.get("packer.recipe.name") == "small, plain"
    running.set(stop_closed=False)
    running.go(0.1)
    assert running.get("packer.recipe.name") == "large, plain"


def test_nothing_moves_in_simulation() -> None:
    machine = Machine()
    machine.set(simulate=True)
    machine.run(20)
    assert machine.get("bags") > 5
    assert machine.get("film") == 0
    assert not machine.get("heater")


def test_its_tests_in_structured_text_pass() -> None:
    assert main(["test", str(ROOT / "examples/packaging")]) == 0
