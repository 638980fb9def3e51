"""How often a loop of a PIO program can be taken for granted, so that it need not be executed.

A loop that changes nothing, or only counts a register down to zero, is known from one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.pico.pio_machine import Instruction

Registers = Sequence[int]
"""X, Y, ISR, OSR."""

_ALL = 0xFFFFFFFF
# The places of the registers, by their number in MOV (data sheet, 3.4.8).
_PLACE = {1: 0, 2: 1, 6: 2, 7: 3}
_X, _Y, _ISR, _OSR = range(4)
_JMP, _WAIT, _IN, _OUT, _, _MOV, _, _SET = range(8)
# A count goes down by no more than there are instructions.
_LARGEST_STEP = 32


def iterations_of(
    path: Sequence[Instruction], before: Registers, now: Registers
) -> tuple[int, tuple[bool, ...], int | None] | None:
    """What further passes do that go the way of `path`, which led from `before` to `now` and is
    silent: (how much the registers go down with each, which ones do, how many passes are certain;
    None: any number). None when that cannot be told."""
    changing = tuple(a != b for a, b in zip(before, now, strict=True))
    if not any(changing):
        return 0, changing, None
    steps = {(a - b) & _ALL for a, b, c in zip(before, now, changing, strict=True) if c}
    step = steps.pop()
    if steps or step > _LARGEST_STEP:
        return None
    tests = _tests(path, now, changing, step)
    if not tests:
        return None
    return step, changing, min((value - 1) // step + 1 if value else 0 for value in tests)


def _tests(
    path: Sequence[Instruction], now: Registers, changing: Sequence[bool], step: int
) -> list[int] | None:
    """The values of the count that the path compares with zero; None when it does more with it
    than to count, to compare and to keep it in another register."""
    # A count's value in each register; None where there is none.
    count = [v if c else None for v, c in zip(now, changing, strict=True)]
    tests: list[int] = []
    for instruction in path:
        if not _follow(instruction, count, tests):
            return None
    end = [(v - step) & _ALL if c else None for v, c in zip(now, changing, strict=True)]
    return tests if count == end else None


def _follow(instruction: Instruction, count: list[int | None], tests: list[int]) -> bool:
    op, argument = instruction.op, instruction.argument
    high, low = argument >> 5, argument & 7
    if op == _JMP:
        return _follow_jump(high, count, tests)
    if op == _IN:
        whole = argument & 0x1F == 0
        if _at(high, count) is not None:
            return False
        if count[_ISR] is not None and not whole:
            return False
        count[_ISR] = None
    elif op == _OUT:
        if count[_OSR] is not None:
            return False
        if high in _PLACE and high != 7:
            count[_PLACE[high]] = None
    elif op == _MOV:
        value = _at(low, count)
        if value is not None and (argument >> 3 & 3 or high not in _PLACE):
            return False
        if high in _PLACE:
            count[_PLACE[high]] = value
    elif op == _SET:
        count[_PLACE[high]] = None
    return True


def _follow_jump(condition: int, count: list[int | None], tests: list[int]) -> bool:
    if condition in (1, 2, 3, 4):
        place = _X if condition < 3 else _Y
        value = count[place]
        if value is not None:
            tests.append(value)
            if condition in (2, 4):
                count[place] = (value - 1) & _ALL
    elif condition == 5:
        return count[_X] is None and count[_Y] is None
    return True


def _at(number: int, count: list[int | None]) -> int | None:
    return count[_PLACE[number]] if number in _PLACE else None
