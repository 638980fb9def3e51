"""What examples/barcode promises: codes from the reader, lanes, pushers in time, statistics."""

from __future__ import annotations

import pytest

from host_tools.cli import main
from tests.examples.plant import ROOT, Plant

WIRES = {
    "running": "%IX0.0", "eye": "%IX0.1", "pulse": "%IX0.2", "pusher_1": "%QX0.0",
    "pusher_2": "%QX0.1", "pusher_3": "%QX0.2", "lamp": "%QX0.3",
}  # fmt: skip
LANE_1, LANE_2 = "]E04006381333931", "5012345678900"
WRONG = "]E04006381333932"


class Belt(Plant):
    def __init__(self) -> None:
        super().__init__("barcode", WIRES)
        self.set(running=True)
        self.run(0.05)

    def read(self, text: str) -> None:
        """The reader writes two characters into each register, then their number."""
        data = text.encode("latin-1")
        for i in range(0, len(data), 2):
            word = int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big")
            self.sim.set(f"sorter.registers[{i // 2}]", word)
        self.sim.set("sorter.length", len(data))
        self.run(0.02)

    def parcel(self, text: str) -> None:
        if text:
            self.read(text)
        self.set(eye=True)
        self.run(0.03)
        self.set(eye=False)
        self.run(0.03)

    def move(self, pieces: int) -> list[str]:
        """Turns the belt; the pushers that moved, each with the piece."""
        moved = []
        for n in range(pieces):
            self.set(pulse=True)
            self.run(0.02)
            moved += [f"{p} {n + 1}" for p in ("pusher_1", "pusher_2", "pusher_3") if self.get(p)]
            self.set(pulse=False)
            self.run(0.4)
        return moved


@pytest.fixture
def belt() -> Belt:
    return Belt()


def test_each_parcel_is_pushed_into_its_lane(belt: Belt) -> None:
    belt.parcel(LANE_1)
    assert belt.move(3) == []
    belt.parcel(LANE_2)
    assert belt.move(40) == ["pusher_1 7", "pusher_2 20"]
    assert belt.get("statistics.by_lane") == [1, 1, 0, 0]


def test_a_wrong_code_goes_to_the_end_of_the_belt(belt: Belt) -> None:
    belt.parcel(WRONG)
    belt.parcel("")
    assert belt.move(40) == []
    assert belt.get("statistics.by_lane") == [0, 0, 0, 2]
    assert belt.get("sorter.lines")[:2] == [
        "1     L4 4006381333932  check digit",
        "2     L4                no read",
    ]


def test_a_code_counts_for_one_parcel_only(belt: Belt) -> None:
    belt.parcel(LANE_1)
    belt.move(1)
    belt.parcel("")
    assert belt.get("statistics.by_lane") == [1, 0, 0, 1]


def test_the_lamp_tells_of_three_bad_codes_in_a_row(belt: Belt) -> None:
    for text, lamp in ((WRONG, False), (WRONG, False), ("", True), (LANE_1, False)):
        belt.parcel(text)
        assert belt.get("lamp") is lamp


def test_a_stopped_belt_forgets_nothing(belt: Belt) -> None:
    belt.parcel(LANE_1)
    belt.move(5)
    belt.set(running=False)
    assert belt.move(20) == []
    belt.set(running=True)
    assert belt.move(10) == ["pusher_1 5"]


def test_weight_lot_and_date_of_a_gs1_code(belt: Belt) -> None:
    belt.parcel("]C101076130354123471724123110LOT-7\x1d3102001250")
    assert belt.get("statistics.weight") == 12.5
    assert belt.get("sorter.lines")[0] == "1     L2 7613035412347  ok, lot LOT-7"
    belt.set(**{"sorter.today": "D#2025-01-01"})
    belt.parcel("]C101076130354123471724123110LOT-7\x1d3102001250")
    assert belt.get("statistics.expired") == 1
    belt.set(**{"sorter.clear": True})
    belt.run(0.05)
    assert belt.get("statistics.read") == 0


def test_its_tests_in_structured_text_pass() -> None:
    assert main(["test", str(ROOT / "examples/barcode")]) == 0
