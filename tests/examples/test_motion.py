"""What examples/motion promises: the cycle of the gantry, stopping, errors, settings."""

from __future__ import annotations

import pytest

from host_tools.cli import main
from tests.examples.plant import ROOT, Plant

WIRES = {
    "key": "%IX0.0", "start": "%IX0.1", "stop_closed": "%IX0.2", "acknowledge": "%IX0.3",
    "ready": "%IX0.4", "low": "%IX0.5", "high": "%IX0.6", "gripped": "%IX0.7",
    "transducer": "%IW0", "enable": "%QX0.0", "gripper": "%QX0.1", "green": "%QX0.2",
    "red": "%QX0.3", "speed": "%QW0", "step": "gantry.phase", "state": "gantry.axis.state",
    "parts": "gantry.parts",
}  # fmt: skip


class Gantry(Plant):
    """The gantry with a drive that does what its inputs say."""

    def __init__(self) -> None:
        super().__init__("motion", WIRES)
        self.place = 50.0
        self.follows = True
        self.set(stop_closed=True, ready=True, low=True, high=True)

    def go(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.005)):
            if self.get("enable") and self.follows:
                self.place += (self.get("speed") - 10000) / 10.0 * 0.005
            self.set(transducer=round(self.place * 10), gripped=self.get("gripper"))
            self.run(0.005)

    def go_until(self, step: str, limit: float) -> None:
        for _ in range(round(limit / 0.005)):
            self.go(0.005)
            if self.get("step") == step:
                return
        raise AssertionError(f"{step} never came")

    def press(self, name: str) -> None:
        self.set(**{name: True})
        self.go(0.1)
        self.set(**{name: False})


@pytest.fixture
def on() -> Gantry:
    gantry = Gantry()
    gantry.set(key=True)
    gantry.go(0.1)
    assert gantry.get("state") == "Standstill"
    return gantry


def test_the_drive_is_off_without_the_key() -> None:
    gantry = Gantry()
    gantry.press("start")
    gantry.go(1)
    assert not gantry.get("enable")
    assert gantry.get("speed") == 10000
    assert gantry.get("state") == "Disabled"


def test_it_carries_parts(on: Gantry) -> None:
    on.press("start")
    on.go_until("Grip", 1)
    on.go(0.1)
    assert abs(on.place - 100.0) < 1.0
    assert on.get("gripper")
    on.go_until("LetGo", 3)
    on.go(0.1)
    assert abs(on.place - 500.0) < 1.0
    assert not on.get("gripper")
    on.go(9.0)
    assert on.get("parts") >= 3


def test_it_passes_the_post_slowly_and_without_stopping(on: Gantry) -> None:
    on.press("start")
    speeds = []
    for _ in range(800):
        on.go(0.005)
        if on.get("step") == "ToPlace" and 200 < on.place < 295:
            speeds.append(on.get("speed") - 10000)
    assert speeds
    assert max(speeds) < 2700
    assert min(speeds) > 2000


def test_stop_halts_it_and_start_goes_on(on: Gantry) -> None:
    on.press("start")
    on.go(0.1)
    on.set(stop_closed=False)
    on.go(0.4)
    assert on.get("state") == "Stopping"
    place = on.place
    on.go(1.0)
    assert abs(on.place - place) < 0.5
    on.set(stop_closed=True)
    on.go(0.1)
    assert on.get("state") == "Standstill"
    on.press("start")
    on.go(4.0)
    assert on.get("parts") >= 1


def test_a_drive_that_does_not_follow_is_an_error(on: Gantry) -> None:
    on.press("start")
    on.go(1.3)
    on.follows = False
    on.go(0.5)
    assert on.get("state") == "ErrorStop"
    assert on.get("speed") == 10000
    on.go(0.6)
    reds = set()
    for _ in range(30):
        on.go(0.1)
        reds.add(on.get("red"))
    assert reds == {False, True}
    on.follows = True
    on.press("acknowledge")
    on.go(0.1)
    assert on.get("state") == "Standstill"


def test_a_limit_switch_stops_it(on: Gantry) -> None:
    on.press("start")
    on.go(1.3)
    on.set(high=False)
    on.go(0.5)
    assert on.get("state") == "ErrorStop"
    assert on.get("gantry.axis.error") == 5


def test_places_are_settings() -> None:
    gantry = Gantry()
    gantry.set(place_at=400.0, key=True)
    gantry.go(0.1)
    gantry.press("start")
    gantry.go_until("LetGo", 4)
    assert abs(gantry.place - 400.0) < 1.0


def test_nothing_moves_in_simulation() -> None:
    gantry = Gantry()
    gantry.set(simulate=True)
    gantry.run(10)
    assert gantry.get("parts") >= 3
    assert not gantry.get("enable")
    assert gantry.get("speed") == 10000


def test_its_tests_in_structured_text_pass() -> None:
    assert main(["test", str(ROOT / "examples/motion")]) == 0
