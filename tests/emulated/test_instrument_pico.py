"""The instrument's program on an emulated Pico, and two emulated Picos wired to each other."""

from __future__ import annotations

import random
import statistics
from itertools import pairwise
from pathlib import Path

import pytest

from hil_tests.capture import percentile, periods
from hil_tests.instrument_pico import frames
from hil_tests.instruments.link import EmulatedLink
from hil_tests.instruments.pico import PicoInstrument, program_files
from hil_tests.instruments.wire import SKEW_NS, WiredBoards
from host_tools.failure import Failure
from host_tools.pico import EmulatedPico

pytestmark = pytest.mark.emulated

RESOLUTION_NS = 64
US = 1000
MS = 1_000_000


@pytest.fixture(scope="module")
def flash(pico_uf2: Path) -> bytes:
    board = EmulatedPico(pico_uf2)
    board.boot()
    board.put_files(program_files())
    return board.flash_image()


def instrument(uf2: Path, flash: bytes) -> tuple[EmulatedPico, EmulatedLink, PicoInstrument]:
    board = EmulatedPico(uf2, flash=flash)
    board.boot()
    link = EmulatedLink(board)
    return board, link, PicoInstrument(link)


@pytest.fixture
def one(pico_uf2: Path, flash: bytes) -> tuple[EmulatedPico, EmulatedLink, PicoInstrument]:
    return instrument(pico_uf2, flash)


def test_the_percentiles_of_captured_jitter_are_those_of_the_injected(
    pico_uf2: Path, flash: bytes
) -> None:
    """50 Hz from one emulated Pico, captured by a second one."""
    source, source_link, stimulus = instrument(pico_uf2, flash)
    sink, sink_link, capture = instrument(pico_uf2, flash)
    chance = random.Random(50)
    count = 100
    jitter = [round(chance.gauss(0, 200 * US)) for _ in range(count)]
    # A few that are far out, as of a scan that was held up.
    for n in range(10, count, 25):
        jitter[n] += 3 * MS
    rises = [20 * MS * (n + 1) + late for n, late in enumerate(jitter)]
    high_ns = 10 * MS
    pattern = [(False, rises[0])]
    for rise, following in pairwise([*rises, rises[-1] + 2 * high_ns]):
        pattern += [(True, high_ns), (False, following - rise - high_ns)]
    stimulus.stimulus(15, pattern)
    capture.capture([2])

    boards = WiredBoards([source, sink])
    boards.connect(source, 15, sink, 2)
    source_link.join(boards)
    sink_link.join(boards)
    capture.start()
    stimulus.start()
    boards.run_for(rises[-1] + 20 * MS)
    edges = capture.edges()

    assert capture.lost == 0
    assert not capture.held_up
    seen = [edge.time_ns for edge in edges if edge.level]
    assert len(seen) == count
    # Where the source began is known only from the edges themselves.
    start = statistics.median(at - wanted for at, wanted in zip(seen, rises, strict=True))
    captured = [round(at - start) - 20 * MS * (n + 1) for n, at in enumerate(seen)]
    for percent in (0, 1, 5, 25, 50, 75, 95, 99, 100):
        assert abs(percentile(captured, percent) - percentile(jitter, percent)) <= US
        off = percentile(periods(seen), percent) - percentile(periods(rises), percent)
        assert abs(off) <= US
    # More than asked for: every period to two counts.
    worst = max(abs(a - b) for a, b in zip(periods(seen), periods(rises), strict=True))
    assert worst <= 2 * RESOLUTION_NS
    assert boards.edges == 2 * count
    assert boards.late_ns <= SKEW_NS


def test_captures_what_it_plays_itself_from_one_start(
    one: tuple[EmulatedPico, EmulatedLink, PicoInstrument],
) -> None:
    board, _, pico = one
    assert pico.identity.clock_hz == 125_000_000
    assert pico.identity.resolution_ns == RESOLUTION_NS
    first = [(True, 5 * US), (False, 304), (True, 7 * US), (False, 1 * MS), (True, 40)]
    second = [(False, 200 * US), (True, 100 * US)]
    pico.stimulus(10, first)
    pico.stimulus(12, second, repeat=True)
    pico.capture([10, 11, 12])
    exact = board.capture(10)
    pico.start()
    board.run_for(2 * MS)
    edges = pico.edges()
    assert pico.lost == 0
    played = [edge.time_ns for edge in exact if edge.level is not None]
    # The levels at the start are the first ones of the patterns.
    assert [(e.pin, e.level) for e in edges if e.time_ns == 0] == [
        (10, True),
        (11, False),
        (12, False),
    ]
    stamps = [e.time_ns for e in edges if e.pin == 10 and e.time_ns]
    assert [b - a for a, b in pairwise(played[-4:])] == [304, 7000, 1_000_000]
    assert len(stamps) == 4
    # The 304 ns are less than two looks: both its edges are there, and no later than 128 ns.
    for at, wanted in zip(stamps, [5000, 5304, 12_304, 1_012_304], strict=True):
        assert 0 <= at - wanted <= 2 * RESOLUTION_NS + 32
    square = [e.time_ns for e in edges if e.pin == 12 and e.time_ns]
    assert len(square) >= 13
    for n, (early, late) in enumerate(pairwise(square)):
        assert abs(late - early - (200 if n % 2 else 100) * US) <= RESOLUTION_NS
    assert pico.left(10) == 0
    pico.stop()
    assert pico.edges() == []


def test_counts_what_it_loses(one: tuple[EmulatedPico, EmulatedLink, PicoInstrument]) -> None:
    board, _, pico = one
    pico.stimulus(10, [(False, 2 * US), (True, 2 * US)] * 1200)
    pico.capture([10])
    pico.start()
    board.run_for(5 * MS)
    edges = pico.edges()
    # 2400 records, the last level is not followed by an edge; the ring holds 2048.
    assert pico.lost == 2400 - 2048
    assert not pico.held_up
    assert len(edges) == 2048
    assert abs(edges[-1].time_ns - 2399 * 2 * US) <= RESOLUTION_NS


def test_stamps_go_on_when_the_counter_turns(
    one: tuple[EmulatedPico, EmulatedLink, PicoInstrument],
) -> None:
    board, _, pico = one
    for count in (0, 1, 2, 9):
        pico.stimulus(10, [(False, 200 + 8 * 9), (True, 1000), (False, 1000)])
        pico.capture([10], count_from=count)
        pico.start()
        board.run_for(100 * US)
        stamps = [edge.time_ns for edge in pico.edges()]
        pico.stop()
        assert len(stamps) == 3
        for at, wanted in zip(stamps[1:], [272, 1272], strict=True):
            # A turn is recorded in three passes, in which an edge has to wait.
            assert 0 <= at - wanted <= 3 * RESOLUTION_NS


def test_pins_pwm_and_voltages_between_two_boards(pico_uf2: Path, flash: bytes) -> None:
    left, left_link, a = instrument(pico_uf2, flash)
    right, right_link, b = instrument(pico_uf2, flash)
    boards = WiredBoards([left, right])
    left_link.join(boards)
    right_link.join(boards)
    boards.connect(left, 3, right, 4)
    boards.connect(right, 5, left, 6)
    boards.connect_low_pass(left, 8, right, 26, time_constant_ns=200 * US)
    b.release(4)
    a.release(6, "up")
    for level in (True, False, True):
        a.set(3, level)
        assert b.read(4) is level
        b.set(5, not level)
        assert a.read(6) is not level
    # Where nobody drives, the pull of the far end decides, and where there is none the near one's.
    b.release(4, "up")
    a.release(3, "down")
    assert b.read(4)
    a.set(3, False)
    assert not b.read(4)
    b.release(4)
    a.release(3, "up")
    assert b.read(4)
    for fraction in (0.25, 0.8):
        a.pwm(8, fraction)
        boards.run_for(2 * MS)
        # The ripple of 20 kHz behind 200 us is 6 %.
        assert b.volts(26) == pytest.approx(3.3 * fraction, abs=0.2)
    assert boards.late_ns <= SKEW_NS + 200


def test_survives_garbage_and_executes_a_request_once(
    one: tuple[EmulatedPico, EmulatedLink, PicoInstrument],
) -> None:
    board, link, pico = one
    pico.set(7, False)
    edges = board.capture(7)
    link.write(b"\x00\xff@@*zz\nnonsense\n@5 set 7 1*00000000\n" + bytes(range(128, 200)) + b"\n")
    request = frames.encode(1000, "set 7 1")
    link.write(request)
    assert frames.decode(link.read_line(1.0) or b"") == (1000, ["ok"])
    pico.set(7, False)
    # An answer that was lost on its way: asked again, not done again.
    read = frames.encode(1001, "read 7")
    link.write(read)
    link.write(frames.encode(1002, "set 7 1"))
    link.write(frames.encode(1002, "set 7 1"))
    answers = [frames.decode(link.read_line(1.0) or b"") for _ in range(3)]
    assert answers == [(1001, ["ok", "0"]), (1002, ["ok"]), (1002, ["ok"])]
    assert [edge.level for edge in edges] == [True, False, True]
    with pytest.raises(Failure, match="refuses 'read 77'"):
        pico.read(77)
    with pytest.raises(Failure, match="refuses 'pwm 7 1 65535'"):
        pico.pwm(7, 1.0, hertz=1)
    # Ctrl-C ends the program; Ctrl-A right behind it, as mpremote sends it, is for the REPL.
    link.write(b"\r\x03\r\x01")
    assert board.run_until(lambda: b"raw REPL; CTRL-B" in link._received, 0.2)
    link.close()
    assert board.raw_exec("print(6 * 7)") == (b"42\r\n", b"")
