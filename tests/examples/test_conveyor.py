"""What examples/conveyor promises: sorting by tracking, counters, batches, and what stops it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from tests.examples.plant import Plant

WIRES = {
    "start": "%IX0.0", "stop_closed": "%IX0.1", "acknowledge": "%IX0.2", "encoder": "%IX0.3",
    "entry_eye": "%IX0.4", "height_eye": "%IX0.5", "exit_eye": "%IX0.6", "home": "%IX0.7",
    "motor": "%QX0.0", "pusher": "%QX0.1", "green": "%QX0.2", "red": "%QX0.3",
    "small": "sorter.small_items.CV", "tall": "sorter.tall_items.CV",
    "lost": "sorter.lost_items.CV", "unexpected": "sorter.unexpected_items.CV",
    "batch": "sorter.batch.CV", "state": "sorter.state", "why": "sorter.why",
}  # fmt: skip
SCAN = 0.005
SPEED = 250.0  # mm/s
PUSHER, EXIT = 640.0, 1100.0  # mm from the entry eye


@dataclass
class Item:
    tall: bool
    length: float = 80.0
    front: float = 0.0
    bounces: bool = False  # the pusher misses it


@dataclass
class Belt:
    """The machine: a belt, its eyes, the pusher; steps with the scans of the program."""

    plant: Plant
    items: list[Item] = field(default_factory=list)
    pushed: list[Item] = field(default_factory=list)
    arrived: list[Item] = field(default_factory=list)
    travel: float = 0.0
    encoder_works: bool = True
    pusher_returns: bool = True
    out: bool = False

    def step(self) -> None:
        p = self.plant
        if p.get("motor"):
            self.travel += SPEED * SCAN
            for item in self.items:
                item.front += SPEED * SCAN
        pushing = p.get("pusher")
        if pushing:
            for item in list(self.items):
                # the middle of the item within reach of the plate
                if abs(item.front - item.length / 2 - PUSHER) < 40 and not item.bounces:
                    self.items.remove(item)
                    self.pushed.append(item)
        self.out = pushing or (self.out and not self.pusher_returns)
        for item in list(self.items):
            if item.front - item.length > EXIT + 100:
                self.items.remove(item)
                self.arrived.append(item)
        p.set(
            encoder=self.encoder_works and int(self.travel / 5) % 2 == 1,
            entry_eye=any(0 <= i.front <= i.length for i in self.items),
            height_eye=any(0 <= i.front <= i.length and i.tall for i in self.items),
            exit_eye=any(EXIT <= i.front <= EXIT + i.length for i in self.items),
            home=not self.out,
        )
        p.sim.run(for_ns=5_000_000)
        assert p.sim.fault is None

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / SCAN)):
            self.step()

    def press(self, button: str) -> None:
        self.plant.set(**{button: True})
        self.run(0.05)
        self.plant.set(**{button: False})
        self.run(0.05)

    def feed(self, *items: Item, every: float = 1.2) -> None:
        for item in items:
            self.items.append(item)
            self.run(every)

    def counts(self) -> tuple[int, ...]:
        return tuple(self.plant.get(n) for n in ("small", "tall", "lost", "unexpected"))


@pytest.fixture
def belt() -> Belt:
    belt = Belt(Plant("conveyor", WIRES))
    belt.plant.set(stop_closed=True)
    belt.press("start")
    belt.run(2.5)
    assert belt.plant.get("motor")
    return belt


def test_warns_before_it_moves() -> None:
    belt = Belt(Plant("conveyor", WIRES))
    belt.plant.set(stop_closed=True)
    belt.run(1)
    assert not belt.plant.get("motor")
    belt.press("start")
    changes, last = 0, belt.plant.get("green")
    for _ in range(360):
        belt.step()
        changes, last = changes + (belt.plant.get("green") != last), belt.plant.get("green")
    assert changes >= 6
    assert not belt.plant.get("motor")
    belt.run(0.2)
    assert belt.plant.get("motor")
    assert belt.plant.get("green")


def test_sorts_and_counts(belt: Belt) -> None:
    heights = [False, True, True, False, True, False, False]
    belt.feed(*(Item(tall=h, length=60 + 10 * k) for k, h in enumerate(heights)))
    belt.run(6)
    assert [i.tall for i in belt.pushed] == [True, True, True]
    assert [i.tall for i in belt.arrived] == [False] * 4
    assert belt.counts() == (4, 3, 0, 0)


def test_close_behind_each_other(belt: Belt) -> None:
    belt.feed(*(Item(tall=k % 2 == 1) for k in range(8)), every=0.6)
    belt.run(6)
    assert belt.counts() == (4, 4, 0, 0)
    assert all(i.tall for i in belt.pushed)


def test_stopping_forgets_nothing(belt: Belt) -> None:
    belt.feed(Item(tall=True), Item(tall=False))
    belt.plant.set(stop_closed=False)
    belt.run(1)
    assert not belt.plant.get("motor")
    belt.plant.set(stop_closed=True)
    belt.run(1)
    assert not belt.plant.get("motor")
    belt.press("start")
    belt.run(8)
    assert belt.counts() == (1, 1, 0, 0)


def test_batch_stops_the_belt(belt: Belt) -> None:
    belt.plant.set(batch_size=2)
    belt.feed(Item(tall=False), Item(tall=False), Item(tall=False))
    belt.run(6)
    assert belt.plant.get("batch") == 2
    assert belt.plant.get("state") == "stopped"
    belt.press("start")
    belt.run(6)
    assert belt.plant.get("batch") == 1
    assert belt.counts() == (3, 0, 0, 0)


def test_lost_and_unexpected_items(belt: Belt) -> None:
    belt.feed(Item(tall=False))
    belt.items.clear()  # taken off by hand
    belt.run(5)
    assert belt.counts() == (0, 0, 1, 0)
    belt.items.append(Item(tall=False, front=300))  # put down half-way
    belt.run(5)
    assert belt.counts() == (0, 0, 1, 1)
    belt.feed(Item(tall=True, bounces=True))
    belt.run(6)
    assert belt.counts() == (0, 1, 1, 2)


def test_three_lost_in_a_row_stop_the_belt(belt: Belt) -> None:
    for _ in range(3):
        belt.feed(Item(tall=False))
        belt.items.clear()
    belt.run(6)
    assert belt.plant.get("why") == "items_lost"
    assert (belt.plant.get("motor"), belt.plant.get("red")) == (False, True)
    belt.press("start")
    assert belt.plant.get("state") == "fault"
    belt.press("acknowledge")
    assert belt.plant.get("state") == "stopped"
    belt.press("start")
    belt.run(3)
    assert belt.plant.get("motor")


def test_jam(belt: Belt) -> None:
    belt.items.append(Item(tall=False, length=10_000))
    seconds = belt.plant.sim.time_ns
    while belt.plant.get("motor"):
        belt.step()
    assert (belt.plant.sim.time_ns - seconds) / 1e9 == pytest.approx(3.0, abs=0.1)
    assert belt.plant.get("why") == "jam"
    # not gone: acknowledging does not help for long
    belt.press("acknowledge")
    belt.press("start")
    belt.run(6)
    assert belt.plant.get("why") == "jam"


def test_belt_that_stands(belt: Belt) -> None:
    belt.encoder_works = False
    belt.run(1.2)
    assert belt.plant.get("why") == "belt_stands"


def test_pusher_that_does_not_return(belt: Belt) -> None:
    belt.pusher_returns = False
    belt.feed(Item(tall=True))
    belt.run(4)
    assert belt.plant.get("why") == "pusher_stuck"


def test_counters_are_cleared_from_the_network(belt: Belt) -> None:
    belt.feed(Item(tall=True), Item(tall=False))
    belt.run(5)
    assert belt.counts() == (1, 1, 0, 0)
    belt.plant.set(**{"sorter.clear_counters": True})
    belt.run(0.1)
    assert belt.counts() == (0, 0, 0, 0)
    assert belt.plant.get("sorter.clear_counters") is False


def test_simulated_belt_moves_and_drives_nothing() -> None:
    plant = Plant("conveyor", WIRES)
    plant.set(simulate=True, batch_size=1000)
    for _ in range(30):
        plant.run(1)
        assert not plant.get("motor")
        assert not plant.get("pusher")
    assert plant.get("tall") >= 6
    assert plant.get("small") >= 12
    assert (plant.get("lost"), plant.get("unexpected"), plant.get("why")) == (0, 0, "none")
