"""What examples/batch promises: a batch, its recipe, rinsing, hold, abort, alarms."""

from __future__ import annotations

import pytest

from host_tools.cli import main
from tests.examples.plant import ROOT, Plant

WIRES = {
    "start": "%IX0.0", "no_hold": "%IX0.1", "no_abort": "%IX0.2", "acknowledge": "%IX0.3",
    "clean": "%IX0.4", "taken": "%IX0.5", "motor_ok": "%IX0.6", "valve_a": "%QX0.0",
    "valve_b": "%QX0.1", "water": "%QX0.2", "drain": "%QX0.3", "stirrer": "%QX0.4",
    "heater": "%QX0.5", "circulation": "%QX0.6", "spray": "%QX0.7", "horn": "%QX1.0",
    "lamp": "%QX1.1", "step": "batch.unit.SFCCurrentStep", "state": "batch.state",
    "weight": "batch.weight",
}  # fmt: skip


class Vessel(Plant):
    def __init__(self) -> None:
        super().__init__("batch", WIRES)
        self.set(simulate=True, motor_ok=True, no_hold=True, no_abort=True)
        self.run(0.5)

    def at(self, step: str, limit: float = 3600) -> float:
        return self.until(lambda: bool(self.get(f"batch.unit.{step}.X")), limit)

    def press(self, name: str) -> None:
        self.set(**{name: True})
        self.run(0.3)
        self.set(**{name: False})
        self.run(0.3)


@pytest.fixture
def vessel() -> Vessel:
    """A batch that has just begun to charge A."""
    vessel = Vessel()
    vessel.set(start=True)
    vessel.run(0.5)
    assert vessel.get("horn")
    vessel.set(start=False)
    vessel.at("ChargeA", 5)
    vessel.run(1)
    return vessel


def test_a_batch(vessel: Vessel) -> None:
    assert vessel.get("state") == "running"
    assert vessel.get("valve_a")
    assert vessel.get("circulation")
    vessel.at("ChargeB")
    assert vessel.get("batch.unit.charged_a") == pytest.approx(120, abs=1)
    vessel.run(0.3)
    assert [vessel.get(n) for n in ("valve_a", "valve_b", "stirrer")] == [False, True, True]
    vessel.at("Heat")
    assert vessel.get("batch.unit.charged_b") == pytest.approx(60, abs=1)
    vessel.at("Hold")
    begin = vessel.get("batch.unit.Hold.T")
    assert begin == 0
    assert vessel.at("Ready") == pytest.approx(600, abs=1)
    assert vessel.get("batch.temperature") == pytest.approx(66, abs=1.5)
    vessel.run(60)
    vessel.press("taken")
    assert vessel.get("drain")
    vessel.at("Idle")
    vessel.run(2)
    assert vessel.get("state") == "stopped"
    assert vessel.get("batch.unit.batches") == 1
    assert not any(vessel.get(n) for n in ("drain", "stirrer", "circulation", "heater", "lamp"))


def test_the_recipe_is_the_one_of_the_beginning(vessel: Vessel) -> None:
    vessel.set(**{"recipe.ingredient_a": 20.0})
    vessel.at("ChargeB")
    assert vessel.get("batch.unit.charged_a") == pytest.approx(120, abs=1)


def test_hold_stops_valves_and_times_and_start_goes_on(vessel: Vessel) -> None:
    vessel.set(**{"batch.remote_hold": True})
    vessel.run(0.5)
    assert vessel.get("state") == "held"
    assert not vessel.get("valve_a")
    assert vessel.get("horn")
    before = vessel.get("batch.unit.ChargeA.T")
    vessel.run(3600)
    assert vessel.get("batch.unit.ChargeA.T") == before
    vessel.set(**{"batch.remote_hold": False})
    vessel.run(1)
    assert vessel.get("state") == "held"
    vessel.press("start")
    assert vessel.get("state") == "running"
    assert vessel.get("valve_a")
    vessel.at("ChargeB")


def test_an_ingredient_that_does_not_come_holds_the_batch(vessel: Vessel) -> None:
    vessel.set(**{"plant.blocked": True})
    vessel.run(240)
    assert vessel.get("batch.alarms.charge")
    assert vessel.get("state") == "held"
    assert not vessel.get("valve_a")
    vessel.set(**{"plant.blocked": False})
    vessel.press("start")
    assert vessel.get("state") == "held"
    vessel.press("acknowledge")
    assert not vessel.get("batch.alarms.charge")
    vessel.press("start")
    assert vessel.get("state") == "running"
    vessel.at("ChargeB")


def test_abort_forgets_the_batch_and_empties_the_vessel(vessel: Vessel) -> None:
    vessel.at("ChargeB")
    vessel.run(5)
    vessel.set(**{"batch.remote_abort": True})
    vessel.run(0.5)
    assert vessel.get("state") == "aborted"
    outputs = ("valve_a", "valve_b", "stirrer", "heater", "circulation", "drain")
    assert not any(vessel.get(n) for n in outputs)
    assert vessel.get("step") == "Idle"
    vessel.set(**{"batch.remote_abort": False})
    vessel.run(0.5)
    assert vessel.get("drain")
    vessel.until(lambda: vessel.get("weight") <= 1.0, 200)
    vessel.run(0.5)
    assert not vessel.get("drain")
    vessel.press("acknowledge")
    assert vessel.get("state") == "stopped"


def test_a_tripped_motor_holds_the_batch(vessel: Vessel) -> None:
    vessel.at("Heat")
    vessel.set(simulate=False, motor_ok=False)
    vessel.run(0.3)
    assert vessel.get("batch.alarms.motor")
    assert not vessel.get("stirrer")
    assert not vessel.get("heater")
    assert vessel.get("state") == "held"


def test_rinsing_with_the_key() -> None:
    vessel = Vessel()
    vessel.set(clean=True)
    vessel.at("RinseFill", 5)
    for _ in range(2):
        assert vessel.at("RinseSpray", 60) > 0
        vessel.run(1)
        assert vessel.get("spray")
        vessel.run(20)
        assert not vessel.get("spray")
        vessel.at("RinseDrain", 10)
    vessel.at("Rinsed", 60)
    vessel.set(clean=False)
    vessel.at("Idle", 10)
    vessel.run(2)
    assert vessel.get("state") == "stopped"


def test_the_example_has_no_warnings_and_its_tests_pass(
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = str(ROOT / "examples" / "batch")
    assert main(["check", folder]) == 0
    assert "warning" not in capsys.readouterr().err
    assert main(["test", folder]) == 0
    assert main(["fmt", "--check", folder]) == 0
