"""The instrument Pico's protocol, stamps and patterns, without a board."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil_tests.instrument_pico import frames
from hil_tests.instruments import pico as instrument
from hil_tests.instruments.pico import PicoInstrument
from hil_tests.instruments.stamps import Stamp, Stamps
from host_tools.failure import Failure

ALL = 0xFFFFFFFF
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789+/=@ ", min_size=1, max_size=60).map(
    lambda text: " ".join(text.split()) or "hello"
)


@settings(derandomize=True, deadline=None)
@given(sequence=st.integers(0, 1 << 30), text=words, garbage=st.binary(max_size=40))
def test_a_frame_arrives_whatever_comes_before_it(
    sequence: int, text: str, garbage: bytes
) -> None:
    line = garbage.replace(b"\n", b"") + frames.encode(sequence, text)
    if "@" not in text:
        assert frames.decode(line) == (sequence, text.split(" "))


@settings(derandomize=True, deadline=None)
@given(text=words, data=st.data())
def test_a_damaged_frame_is_none(text: str, data: st.DataObject) -> None:
    line = bytearray(frames.encode(7, text))
    place = data.draw(st.integers(0, len(line) - 10))
    line[place] ^= 1 << data.draw(st.integers(0, 6))
    assert frames.decode(bytes(line)) is None


def records(*pairs: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<II", *pair) for pair in pairs)


def test_stamps_tell_the_levels_at_the_start_and_then_the_changes() -> None:
    stamps = Stamps(first_pin=4, pins=2, count_ns=64.0)
    found = list(stamps.feed(records((0b10, ALL), (0b11, ALL - 1000), (0b01, ALL - 1001))))
    assert found == [
        Stamp(0, 4, False),
        Stamp(0, 5, True),
        Stamp(64_000, 4, True),
        Stamp(64_064, 5, False),
    ]


def capture(edges: list[int], start: int) -> bytes:
    """What the capture program delivers for a pin that toggles at these counts after the start,
    its counter at `start`: see the program in instrument_pico/capture.py."""
    found = [(0, start)]
    elapsed = level = 0
    last = start

    def turns(until: int) -> None:
        """Records of the turns of the counter before a count."""
        nonlocal elapsed, last
        while until - elapsed > last:
            elapsed += last + 1
            # In the middle of a record, a turn is passed over.
            if last != 0:
                found.append((level, ALL))
            last = ALL

    for at in edges:
        turns(at)
        last -= at - elapsed
        elapsed, level = at, level ^ 1
        found.append((level, last))
    return records(*found)


@settings(derandomize=True, deadline=None)
@given(
    gaps=st.lists(
        st.one_of(st.integers(4, 100), st.integers(1 << 31, 3 << 32)), min_size=1, max_size=12
    ),
    start=st.one_of(st.integers(0, 31), st.just(ALL)),
)
def test_stamps_follow_the_counter_through_its_turns(gaps: list[int], start: int) -> None:
    edges = [sum(gaps[: n + 1]) for n in range(len(gaps))]
    stamps = Stamps(first_pin=0, pins=1, count_ns=1.0, counter=start)
    found = list(stamps.feed(capture(edges, start)))
    assert [stamp.time_ns for stamp in found] == [0, *edges]


@settings(derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(40, 40_000_000_000)), min_size=1, max_size=20)
)
def test_a_pattern_is_played_to_half_a_clock_cycle(pattern: list[tuple[bool, int]]) -> None:
    coded, played = instrument._words(pattern, 125_000_000)
    assert all(0 <= word <= ALL for word in coded)
    wanted = given_ns = 0
    for (_, duration), made in zip(pattern, played, strict=True):
        wanted += duration
        given_ns += made
        assert abs(given_ns - wanted) <= 4
    cycles = [(word >> 1) + 4 for word in coded]
    assert sum(cycles) * 8 == given_ns
    levels = [word & 1 for word in coded]
    assert [v for n, v in enumerate(levels) if n == 0 or v != levels[n - 1]] == [
        int(v) for n, (v, _) in enumerate(pattern) if n == 0 or v != pattern[n - 1][0]
    ]


def test_a_level_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="24 ns is too short: 32 ns at least"):
        instrument._words([(True, 24)], 125_000_000)


class Line:
    """A link to something that answers with what it is given, damaged or late."""

    name = "the line"

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def read_line(self, timeout_s: float) -> bytes | None:
        return self.answers.pop(0) if self.answers else None

    def close(self) -> None: ...


HELLO = frames.encode(0, "ok takt-instrument 1 1.0 e66 125000000 8")


def test_a_request_is_repeated_until_its_answer_comes() -> None:
    line = Line(
        b"MicroPython v1.26\n",
        None,
        HELLO[:-4] + b"\n",
        None,
        HELLO,
        HELLO,
        frames.encode(1, "ok 1"),
    )
    pico = PicoInstrument(line)
    assert pico.identity.resolution_ns == 64.0
    # The second answer to the first request is passed over.
    assert pico.read(3)
    assert [frames.decode(sent) for sent in line.sent] == [
        (0, ["hello"]),
        (0, ["hello"]),
        (0, ["hello"]),
        (1, ["read", "3"]),
    ]


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ([b">>> \r\n"], "no instrument answers on the line"),
        ([frames.encode(0, "ok takt-instrument 9 3.0 e66 1 8")], "not version 1"),
        ([HELLO, frames.encode(1, "error ValueError: invalid pin")], "refuses 'read 77'"),
    ],
)
def test_what_is_no_instrument_is_told_in_words(answers: list[bytes], text: str) -> None:
    with pytest.raises(Failure, match=text):
        PicoInstrument(Line(*answers)).read(77)
