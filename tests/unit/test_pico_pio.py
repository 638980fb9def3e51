"""The PIO state machines of the emulated Pico: what they do does not depend on when one looks."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.pico import pio_machine
from host_tools.pico.pio_machine import NEVER, Machine

CYCLE = 256
END = 300 * CYCLE

Seen = list[tuple[int, str, int]]


class Block:
    """What surrounds a machine, with the times of what it does to it."""

    def __init__(self) -> None:
        self.pins = 0
        self.flags = 0
        self.machine: Machine | None = None
        self.seen: Seen = []

    def note(self, what: str, value: int) -> None:
        assert self.machine is not None
        self.seen.append((self.machine.at, what, value))

    def set_pins(self, value: int, base: int, count: int) -> None:
        self.note("pins", value & ((1 << count) - 1))

    def set_directions(self, value: int, base: int, count: int) -> None:
        self.note("directions", value & ((1 << count) - 1))

    def set_flag(self, number: int, up: bool) -> None:
        self.flags = self.flags | 1 << number if up else self.flags & ~(1 << number)
        self.note("flag", number << 1 | up)

    def fifo_changed(self, machine: Machine) -> None:
        if machine.rx:
            self.note("push", machine.rx.pop(0))

    def stalled_on(self, machine: Machine, transmit: bool) -> None:
        pass


def build(words: list[int], *, shiftctrl: int = 0xC0000, wrap_top: int | None = None) -> Machine:
    block = Block()
    memory = [*words, *[0] * (32 - len(words))]
    machine = Machine(block, 0, memory)
    block.machine = machine
    machine.execctrl = (len(words) - 1 if wrap_top is None else wrap_top) << 12 | 3 << 24
    machine.shiftctrl = shiftctrl
    machine.pinctrl = 1 << 20 | 1 << 26
    machine.enabled = True
    machine.configure()
    return machine


def play(
    machine: Machine, pins: list[tuple[int, int]], looks: list[int], words: list[int]
) -> tuple[Seen, tuple[int, ...]]:
    """Run to END with these changes of the pins, looking at the machine at these times."""
    block = machine._block
    assert isinstance(block, Block)
    machine.tx.extend(words)
    changes = sorted({*pins, (END, 0)})
    times = sorted({*looks, *(time for time, _ in changes)})
    machine.predict()
    for time in times:
        for _ in range(1000):
            if machine.event > time:
                break
            machine.sync(machine.event)
            machine.act()
            machine.predict()
        assert machine.event > time
        machine.sync(time)
        for at, level in changes:
            if at == time:
                block.pins = level
                machine.nudge(time)
                machine.predict()
    state = (machine.x, machine.y, machine.isr, machine.osr, machine.pc)
    return block.seen, state


def step_by_step(monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]) -> object:
    with monkeypatch.context() as patch:
        patch.setattr(pio_machine, "iterations_of", lambda *_: None)
        patch.setattr(pio_machine, "_AHEAD", 40)
        return run()


# Words with a bias to loops that count, move and look at pins.
instruction = st.one_of(
    st.integers(0, 0xFFFF),
    st.builds(lambda c, a: c << 5 | a, st.integers(0, 7), st.integers(0, 7)),
    st.builds(
        lambda to, how, of: 0xA000 | to << 5 | how << 3 | of,
        st.sampled_from([1, 2, 6, 7]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from([0, 1, 2, 3, 6, 7]),
    ),
    st.builds(lambda to, v: 0xE000 | to << 5 | v, st.sampled_from([0, 1, 2]), st.integers(0, 31)),
    st.sampled_from([0x8020, 0x80A0, 0x4001, 0x6001, 0x603F, 0x4020, 0x20A0, 0x2021]),
)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    words=st.lists(instruction, min_size=1, max_size=8),
    pins=st.lists(
        st.tuples(st.integers(0, 299).map(lambda c: c * CYCLE), st.integers(0, 15)), max_size=4
    ),
    looks=st.lists(st.integers(0, END), max_size=4),
    fifo=st.lists(st.integers(0, 300), max_size=4),
)
def test_does_the_same_whether_loops_are_skipped_and_whenever_one_looks(
    words: list[int], pins: list[tuple[int, int]], looks: list[int], fifo: list[int]
) -> None:
    pins = list(dict(pins).items())
    with pytest.MonkeyPatch.context() as patch:
        expected = step_by_step(patch, lambda: play(build(words), pins, [], fifo))
    assert play(build(words), pins, looks, fifo) == expected


def test_a_counting_loop_costs_one_step() -> None:
    # 0: set x, 0; 1: mov x, ~x; 2: jmp x--, 2; 3: set pins, 1
    machine = build([0xE020, 0xA029, 0x0042, 0xE001])
    machine.predict()
    assert machine.event == (2 + (1 << 32)) * CYCLE


def test_a_loop_that_nobody_leaves_has_no_event() -> None:
    # 0: jmp pin, 2; 1: jmp 0; 2: set pins, 1
    machine = build([0x00C2, 0x0000, 0xE001])
    block = machine._block
    assert isinstance(block, Block)
    machine.predict()
    assert machine.event == NEVER
    machine.sync(1001 * CYCLE)
    block.pins = 8
    machine.predict()
    # The look at cycle 1000 is past; the next is at 1002.
    assert machine.event == 1003 * CYCLE


def test_the_divider_and_delays_set_the_pace() -> None:
    # 0: set pins, 1 [3]; 1: set pins, 0
    machine = build([0xE301, 0xE000])
    machine.clkdiv = 2 << 16 | 128 << 8
    machine.configure()
    seen, _ = play(machine, [], [], [])
    rises = [time for time, what, value in seen if what == "pins" and value]
    assert {b - a for a, b in itertools.pairwise(rises)} == {5 * (2 * 256 + 128)}
