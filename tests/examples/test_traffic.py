"""What examples/traffic promises: the round and its times, requests, night, a broken lamp."""

from __future__ import annotations

import random

import pytest

from tests.examples.plant import Plant

WIRES = {
    "button": "%IX0.0", "night": "%IX0.1", "lamps_ok": "%IX0.2", "red": "%QX0.0",
    "yellow": "%QX0.1", "green": "%QX0.2", "people_red": "%QX0.3", "people_green": "%QX0.4",
    "wait": "%QX0.5", "state": "crossing.state",
}  # fmt: skip


class Crossing(Plant):
    def __init__(self) -> None:
        super().__init__("traffic", WIRES)
        self.set(lamps_ok=True)

    def lights(self) -> str:
        """The lamps that are lit: cars / people."""
        cars = "".join(n[0] for n in ("red", "yellow", "green") if self.get(n))
        return f"{cars}/{'R' * self.get('people_red')}{'G' * self.get('people_green')}"

    def press(self) -> None:
        self.set(button=True)
        self.run(0.1)
        self.set(button=False)
        self.run(0.02)

    def trace(self, seconds: float) -> list[tuple[str, float]]:
        """The pictures of the lights in order, and how long each was there."""
        pictures: list[tuple[str, float]] = []
        for _ in range(round(seconds / 0.02)):
            self.run(0.02)
            now = self.lights()
            if pictures and pictures[-1][0] == now:
                pictures[-1] = (now, pictures[-1][1] + 0.02)
            else:
                pictures.append((now, 0.02))
        return pictures


@pytest.fixture
def crossing() -> Crossing:
    crossing = Crossing()
    assert crossing.until(lambda: crossing.lights() == "g/R", 10) == pytest.approx(4, abs=0.2)
    return crossing


def test_cars_keep_green_without_a_request(crossing: Crossing) -> None:
    assert [p for p, _ in crossing.trace(120)] == ["g/R"]


def test_the_round_and_its_times(crossing: Crossing) -> None:
    crossing.run(20)
    crossing.press()
    pictures = crossing.trace(40)
    assert [p for p, _ in pictures] == ["y/R", "r/R", "r/G", "r/R", "ry/R", "g/R"]
    expected = [3, 2, 6, 3, 1]
    for (picture, seconds), wanted in zip(pictures, expected, strict=False):
        assert wanted - 0.15 <= seconds <= wanted + 0.1, picture


def test_cars_have_their_time_first(crossing: Crossing) -> None:
    crossing.press()
    assert crossing.until(lambda: crossing.get("yellow"), 20) == pytest.approx(7.9, abs=0.15)


def test_one_press_is_remembered_and_shown(crossing: Crossing) -> None:
    assert not crossing.get("wait")
    crossing.press()
    assert crossing.get("wait")
    crossing.until(lambda: crossing.get("people_green"), 20)
    crossing.run(0.1)
    assert not crossing.get("wait")
    # pressed while they have green: served; while they leave: next round
    crossing.press()
    assert not crossing.get("wait")
    crossing.until(lambda: crossing.get("people_red"), 20)
    crossing.press()
    assert crossing.get("wait")
    crossing.until(lambda: crossing.get("people_green"), 30)
    assert crossing.get("crossing.walks") == 2
    assert crossing.get("crossing.requests") == 3


def test_night(crossing: Crossing) -> None:
    crossing.run(10)
    crossing.set(night=True)
    pictures = [p for p, _ in crossing.trace(8)]
    assert pictures[:2] == ["y/R", "r/R"]
    assert set(pictures[2:]) == {"y/", "/"}
    assert len(pictures) >= 6
    crossing.press()
    assert not crossing.get("wait")
    crossing.set(night=False)
    pictures = crossing.trace(10)
    assert [p for p, _ in pictures if p not in ("y/", "/")] == ["r/R", "ry/R", "g/R"]


def test_broken_red_lamp(crossing: Crossing) -> None:
    crossing.set(lamps_ok=False)
    crossing.until(lambda: crossing.get("state") == "night", 20)
    assert set(crossing.lights()) <= set("y/")
    crossing.set(lamps_ok=True)
    assert crossing.until(lambda: crossing.get("green"), 10) == pytest.approx(4.0, abs=0.2)


def test_settings_that_are_too_short_are_not_used(crossing: Crossing) -> None:
    crossing.set(people_time=0, leave_time=0)
    crossing.run(20)
    crossing.press()
    times = dict(crossing.trace(9.5))
    assert times["r/G"] == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("seed", range(3))
def test_never_both(seed: int) -> None:
    rng, crossing = random.Random(seed), Crossing()
    last, red_since = "", 0.0
    for _ in range(6000):
        if rng.random() < 0.02:
            crossing.set(
                button=rng.random() < 0.4,
                night=rng.random() < 0.1,
                lamps_ok=rng.random() < 0.95,
                people_time=rng.randrange(-(10**9), 10**10),
                leave_time=rng.randrange(-(10**9), 10**10),
            )
        crossing.run(0.02)
        lights = crossing.lights()
        cars, people = lights.split("/")
        if people == "G":
            assert cars == "r"
            assert red_since >= 1.9  # cars had time to stop
        if "g" in cars:
            assert people == "R"
            assert "G" not in last
        red_since = red_since + 0.02 if cars == "r" else 0.0
        last = people
