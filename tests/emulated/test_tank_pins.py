"""The tank example on the emulated Pico, driven through the board's pins: what its outputs do.

The bundle as it is built, its wiring, the firmware's own clock. One run of the whole story is
recorded once, every pin with virtual time; the tests look at the record. All contacts switch to
ground: a closed contact is a low pin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from host_tools.board_link import PicoLink
from host_tools.build import compile
from host_tools.deployment import start_run
from host_tools.pico import Edge, EmulatedPico
from host_tools.project import load
from host_tools.remote import Outcome, listen

pytestmark = pytest.mark.emulated

TANK = Path(__file__).parents[2] / "examples" / "tank"
SELECTOR, HAND_1, ACKNOWLEDGE = 2, 3, 5
LOW_FLOAT, HIGH_FLOAT, PROTECTOR_1, PROTECTOR_2 = 6, 7, 8, 9
TRANSMITTER = 26
PUMP_1, PUMP_2, LAMP, HORN = OUTPUTS = (16, 17, 18, 19)

MS = 1_000_000
SCAN_MS = 10
CONTACT_MS, FLOAT_MS = 20, 50  # the input filters of takt.toml


@dataclass(slots=True)
class Record:
    """What happened at the pins: `edges` of the outputs and `marks`, the times of what was done
    to the inputs; both in virtual ns. `before` are the outputs before the first scan."""

    before: dict[int, bool | None] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    outcome: Outcome | None = None

    def between(self, first: str, last: str) -> list[tuple[int, bool | None]]:
        """(pin, level) of the edges between two marks."""
        start, end = self.marks[first], self.marks[last]
        return [(e.pin, e.level) for e in self.edges if start <= e.time_ns < end]

    def edge_ns(self, mark: str, pin: int, level: bool) -> int:
        """Time of the first edge of a pin to a level after a mark."""
        since = self.marks[mark]
        times = (e.time_ns for e in self.edges if e.pin == pin and e.level is level)
        found = next((time for time in times if time >= since), None)
        assert found is not None, f"GP{pin} never went to {level} after {mark!r}"
        return found

    def delay_ms(self, mark: str, pin: int, level: bool) -> float:
        """How long after a mark a pin went to a level."""
        return (self.edge_ns(mark, pin, level) - self.marks[mark]) / MS

    def at(self, mark: str) -> tuple[bool | None, ...]:
        """The outputs (pump 1, pump 2, lamp, horn) at a mark."""
        levels = dict(self.before)
        levels.update((e.pin, e.level) for e in self.edges if e.time_ns <= self.marks[mark])
        return tuple(levels[pin] for pin in OUTPUTS)


class Bench:
    """The wires of the pit on a board's pins."""

    def __init__(self, board: EmulatedPico, record: Record) -> None:
        self._board = board
        self._record = record

    def mark(self, name: str) -> None:
        assert name not in self._record.marks
        self._record.marks[name] = self._board.time_ns

    def wait_until(self, time_ns: int) -> None:
        assert time_ns >= self._board.time_ns
        self._board.run_for(time_ns - self._board.time_ns)

    def wait(self, milliseconds: float) -> None:
        self._board.run_for(round(milliseconds * MS))

    def contact(self, pin: int, closed: bool) -> None:
        self._board.drive(pin, False if closed else None)

    def close(self, pin: int, name: str) -> None:
        self.mark(name)
        self.contact(pin, True)

    def open(self, pin: int, name: str) -> None:
        self.mark(name)
        self.contact(pin, False)

    def level(self, percent: float, name: str) -> None:
        """The transmitter's current through 150 ohms, as counts of the converter."""
        self.mark(name)
        microamperes = 4000 + 160 * percent
        self._board.set_adc(TRANSMITTER, round(microamperes / 22_000 * 4095))

    def glitch(self, pins: tuple[int, ...], milliseconds: float, edge_ns: int) -> None:
        """Open closed contacts for a moment that a release falls into: outputs change 2 to 4 ms
        after a release, and did at `edge_ns`."""
        self._board.run_for((edge_ns - 5 * MS - self._board.time_ns) % (SCAN_MS * MS))
        for pin in pins:
            self.contact(pin, False)
        self.wait(milliseconds)
        for pin in pins:
            self.contact(pin, True)
        self.wait(4 * SCAN_MS)


def play(bench: Bench, record: Record) -> None:
    """Some seconds of a day at the pit, from the first scan on."""
    bench.wait(30)
    bench.level(61, "61 %, selector by hand")
    bench.wait(40)
    bench.close(SELECTOR, "automatic")
    bench.wait(60)
    bench.mark("glitches")
    edge_ns = record.edge_ns("automatic", PUMP_1, True)
    bench.glitch((SELECTOR, PROTECTOR_1), 5, edge_ns)
    bench.glitch((SELECTOR, PROTECTOR_1), 15, edge_ns)
    bench.level(81, "81 %")
    bench.wait(50)
    bench.open(PROTECTOR_2, "trip 2")
    bench.wait(70)
    bench.level(19, "emptied")
    bench.wait(50)
    # Pump 2 is next and has to rest until two seconds after its trip.
    bench.level(61, "full again")
    bench.wait(980)
    bench.close(ACKNOWLEDGE, "trip 2 acknowledged")
    bench.wait(60)
    bench.contact(ACKNOWLEDGE, False)
    bench.close(PROTECTOR_2, "protector 2 reset")
    bench.wait(60)
    bench.close(ACKNOWLEDGE, "reset acknowledged")
    bench.wait(60)
    bench.contact(ACKNOWLEDGE, False)
    # Then the other one would be ready as well.
    bench.wait_until(record.edge_ns("emptied", PUMP_1, False) + 2050 * MS)
    bench.open(LOW_FLOAT, "dry")
    bench.level(50, "50 %")
    bench.wait(450)
    bench.open(SELECTOR, "by hand")
    bench.close(HAND_1, "hand 1 pressed while dry")
    bench.wait(650)
    bench.close(ACKNOWLEDGE, "dry acknowledged")
    bench.wait(60)
    bench.contact(ACKNOWLEDGE, False)
    bench.close(LOW_FLOAT, "wet again")
    bench.wait(100)
    bench.close(HIGH_FLOAT, "too full")
    bench.wait(100)
    bench.close(SELECTOR, "automatic again")
    bench.wait(60)
    bench.open(HAND_1, "hand 1 released")
    bench.wait(60)
    bench.mark("full without hand")
    bench.open(PROTECTOR_2, "trip 2 again")
    bench.wait(60)


@pytest.fixture(scope="module")
def record(pico_uf2: Path) -> Record:
    """The whole story, played once."""
    made = Record()
    board = EmulatedPico(pico_uf2)
    bench = Bench(board, made)
    made.edges = board.capture(*OUTPUTS)
    for pin in (LOW_FLOAT, PROTECTOR_1, PROTECTOR_2):
        bench.contact(pin, closed=True)
    program = compile(load(TANK))
    console = start_run(PicoLink(board), program.bundle(), {}, lambda text: None)
    bench.level(50, "start")
    # The lamp is on until the program has it: its safe state.
    assert board.run_until(lambda: board.level(LAMP) is True, 5)
    made.before = {pin: board.level(pin) for pin in OUTPUTS}
    made.edges.clear()
    assert board.run_until(lambda: board.level(LAMP) is False, 1)
    bench.mark("first scan")
    play(bench, made)
    bench.mark("Ctrl-C")
    console.interrupt()
    made.outcome = listen(console, program.ir.image_size, made.messages.append)
    bench.mark("end")
    return made


def within(record: Record, mark: str, pin: int, level: bool, at_least_ms: float = 0) -> bool:
    """A pin followed a mark after that time and three scans at the most; a collection of garbage
    may come between."""
    assert record.outcome is not None
    pause_ms = record.outcome.end["collection_longest_us"] / 1000
    assert pause_ms < 2 * SCAN_MS
    delay_ms = record.delay_ms(mark, pin, level)
    print(f"{mark}: GP{pin} after {delay_ms:.3f} ms")
    return at_least_ms < delay_ms <= at_least_ms + 3 * SCAN_MS + pause_ms


def test_the_outputs_are_safe_until_the_first_scan(record: Record) -> None:
    assert record.before == {PUMP_1: False, PUMP_2: False, LAMP: True, HORN: False}
    assert record.edges[0][1:] == (LAMP, False)
    assert record.between("first scan", "automatic") == []


def test_a_high_level_starts_a_pump_once_the_selector_allows_it(record: Record) -> None:
    assert within(record, "automatic", PUMP_1, True, CONTACT_MS)
    assert record.between("automatic", "glitches") == [(PUMP_1, True)]


def test_glitches_shorter_than_the_filter_do_nothing(record: Record) -> None:
    # Without the filter the selector would stop the pump, and the protector lock it for good.
    assert record.between("glitches", "81 %") == []
    assert record.marks["81 %"] - record.marks["glitches"] > 100 * MS


def test_both_pumps_at_the_assist_level(record: Record) -> None:
    assert within(record, "81 %", PUMP_2, True)
    assert record.between("81 %", "trip 2") == [(PUMP_2, True)]
    assert record.at("trip 2") == (True, True, False, False)


def test_a_tripped_motor_stops_at_once_and_the_other_goes_on(record: Record) -> None:
    assert within(record, "trip 2", PUMP_2, False, CONTACT_MS)
    assert within(record, "trip 2", HORN, True, CONTACT_MS)
    assert record.at("emptied") == (True, False, False, True)


def test_a_low_level_stops_the_pump(record: Record) -> None:
    assert within(record, "emptied", PUMP_1, False)


def test_the_lamp_blinks_until_somebody_acknowledges(record: Record) -> None:
    horn_ns = record.edge_ns("trip 2", HORN, True)
    on_ns, off_ns = (record.edge_ns("trip 2", LAMP, level) for level in (True, False))
    assert 490 <= (on_ns - horn_ns) / MS <= 530
    assert 490 <= (off_ns - on_ns) / MS <= 530
    assert within(record, "trip 2 acknowledged", HORN, False, CONTACT_MS)
    assert within(record, "trip 2 acknowledged", LAMP, True, CONTACT_MS)
    # It has tripped until that is acknowledged after the protector was reset.
    assert record.at("reset acknowledged") == (False, False, True, False)
    assert within(record, "reset acknowledged", LAMP, False, CONTACT_MS)


def test_the_other_pump_is_next_after_it_has_rested(record: Record) -> None:
    rested_ns = record.edge_ns("trip 2", PUMP_2, False) + 2000 * MS
    started_ns = record.edge_ns("full again", PUMP_2, True)
    assert 0 <= started_ns - rested_ns <= 4 * SCAN_MS * MS
    # Pump 1 was in good order and ready, too, in the end.
    started = [e for e in record.between("emptied", "dry") if e[0] in (PUMP_1, PUMP_2)]
    assert started == [(PUMP_1, False), (PUMP_2, True)]


def test_dry_run_stops_the_pump_and_raises_the_alarm(record: Record) -> None:
    assert record.at("dry") == (False, True, False, False)
    assert within(record, "dry", PUMP_2, False, FLOAT_MS + 300)
    assert within(record, "dry", HORN, True, FLOAT_MS + 1000)
    # By hand neither.
    assert record.at("dry acknowledged") == (False, False, False, True)
    assert within(record, "dry acknowledged", HORN, False, CONTACT_MS)
    assert within(record, "dry acknowledged", LAMP, True, CONTACT_MS)


def test_a_pump_runs_by_hand_as_soon_as_there_is_water(record: Record) -> None:
    assert within(record, "wet again", PUMP_1, True, FLOAT_MS)
    assert record.at("too full") == (True, False, False, False)


def test_the_high_float_keeps_pumping_whatever_the_level(record: Record) -> None:
    # At 50 % nothing else would: not the button, which counts by hand only and is let go.
    assert record.between("too full", "trip 2 again") == []
    assert record.at("full without hand") == (True, False, False, False)


def test_ctrl_c_leaves_the_outputs_safe(record: Record) -> None:
    assert record.at("Ctrl-C") == (True, False, False, True)
    for pin, level in ((PUMP_1, False), (LAMP, True), (HORN, False)):
        assert record.delay_ms("Ctrl-C", pin, level) < 100
    assert record.at("end") == (False, False, True, False)
    assert len(record.between("Ctrl-C", "end")) == 3


def test_every_release_is_accounted_for(record: Record) -> None:
    outcome = record.outcome
    assert outcome is not None
    assert outcome.interrupted
    assert outcome.fault is None
    scans = (record.marks["Ctrl-C"] - record.marks["first scan"]) // (SCAN_MS * MS)
    # A collection, and looking at the free memory, take longer than this task's interval.
    skipped_most = 4 * outcome.end["collections_forced"]
    for task, every in zip(outcome.tasks, (1, 5), strict=True):
        assert abs(task["scans"] + task["skipped"] - scans // every) <= 3
        assert task["skipped"] <= skipped_most
        assert task["overruns"] <= skipped_most


def test_it_says_that_a_pico_has_no_network(record: Record) -> None:
    notes = [message["text"] for message in record.messages if message["is"] == "note"]
    assert len(notes) == 1
    assert "modbus-tcp is not started: no network here" in notes[0]
