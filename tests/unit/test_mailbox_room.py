"""The room in the mailbox that the host asks for is enough for every write the map allows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.modbus.map import RegisterMap
from bus.modbus.pdu import ILLEGAL_ADDRESS
from host_tools.wiring.mailbox import LEAST, largest_write, mailbox_room

IMAGE = 8000


class Meter:
    """A mailbox without room that keeps the largest reservation it was asked for."""

    def __init__(self) -> None:
        self.entries = self.size = 0

    def reserve(self, entries: int, size: int) -> bool:
        self.entries, self.size = max(self.entries, entries), max(self.size, size)
        return False


def really(rows: list[list[Any]], starts: range) -> tuple[int, int]:
    """The largest reservation of all requests that begin at one of these addresses."""
    meter = Meter()
    store = RegisterMap(rows, bytearray(IMAGE), meter)
    for write, limit in ((store.write_bits, 1968), (store.write_words, 123)):
        for first in starts:
            for count in (limit, limit // 2, 9, 2, 1):
                write(first, count, bytes(256), 0)
            # And as much as is mapped from there on.
            low, high = 1, limit
            while low < high:
                middle = (low + high + 1) // 2
                if write(first, middle, bytes(256), 0) == ILLEGAL_ADDRESS:
                    high = middle - 1
                else:
                    low = middle
    return meter.entries, meter.size


def assert_enough(rows: list[list[Any]], starts: range) -> None:
    entries, size = really(rows, starts)
    room = largest_write(rows)
    assert entries <= room[0]
    assert size <= room[1]


@pytest.mark.parametrize(
    ("rows", "room"),
    [
        ([], LEAST),
        ([["holding", 0, 1000, 0, "u16", False], ["discrete", 0, 9, 0, 0, 8, False]], LEAST),
        ([["holding", 0, 1000, 0, "u16", True], ["coil", 0, 4000, 0, 0, 1, True]], LEAST),
        ([["coil", 0, 1968, 0, 0, 8, True]], (128, 1968 + 240 + 8)),
        ([["coil", 0, 5000, 0, 0, 8, True]], (128, 1968 + 240 + 8)),
        ([["coil", 0, 300, 0, 0, 24, True]], (300 + 32 + 12, 300 + 240 + 8)),
    ],
)
def test_small_maps_cost_nothing_and_large_ones_what_they_need(
    rows: list[list[Any]], room: tuple[int, int]
) -> None:
    assert mailbox_room(rows) == room


def test_thousands_of_single_coils() -> None:
    scattered = [["coil", n, 1, 3 * n % 7919, 0, 8, True] for n in range(4000)]
    assert_enough(scattered, range(0, 2000, 97))
    neighbours = [["coil", n, 1, n, 0, 8, True] for n in range(4000)]
    assert_enough(neighbours, range(0, 2000, 97))
    assert largest_write(neighbours)[0] < 20


COIL = st.tuples(
    st.integers(0, 3), st.integers(1, 60), st.integers(0, 7), st.sampled_from([1, 1, 8, 8, 16])
)
WORD = st.tuples(
    st.integers(0, 2),
    st.integers(1, 20),
    st.sampled_from(["bool", "u8", "i16", "f32", "i64"]),
    st.booleans(),
)


def rows_of(coils: list[Any], words: list[Any], apart: int) -> list[list[Any]]:
    rows: list[list[Any]] = []
    address = offset = 0
    for gap, count, bit, stride in coils:
        address += gap // 3  # mostly none
        rows.append(["coil", address, count, offset, bit if stride == 1 else 0, stride, True])
        address += count
        offset += (count * stride + 14) // 8 + apart * gap
    address = 0
    for gap, count, kind, low_first in words:
        registers = {"f32": 2, "i64": 4}.get(kind, 1)
        rows.append(["holding", address, count * registers, offset, kind, True, low_first])
        address += count * registers + gap // 2
        size = 1 if kind in ("bool", "u8") else 2 * registers
        offset += count * size + apart * gap
    return rows


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.lists(COIL, max_size=30), st.lists(WORD, max_size=20), st.integers(0, 1))
def test_it_is_enough_for_any_request(coils: list[Any], words: list[Any], apart: int) -> None:
    rows = rows_of(coils, words, apart)
    assert_enough(rows, range(0, 1200, 11))
