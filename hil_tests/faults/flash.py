"""The power is cut during a flash operation: each program and erase, whole, torn or not begun.

A NOR flash (W25Q16JV data sheet, 8.2) clears bits when it programs a page of 256 bytes and sets
all bits of a sector of 4 KiB (or a block of 32 or 64 KiB) when it erases. While either is under
way the state of the bits concerned is not defined; all others keep theirs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from host_tools.pico import EmulatedPico
from host_tools.record import record

PAGE = 256
SECTOR = 4096

# Commands of the flash chip (W25Q16JV data sheet, 8.1.2).
_PROGRAM = 0x02
_ERASES = {0x20: SECTOR, 0x52: 32768, 0xD8: 65536}


@record(frozen=True)
class FlashOperation:
    """One command to the flash: `data` is what is programmed at `address`, or None for an erase
    of `size` bytes. `time_ns` is when, in the time of what was recorded."""

    address: int
    size: int
    data: bytes | None
    time_ns: int = 0

    def __str__(self) -> str:
        what = "erase" if self.data is None else "program"
        return f"{what} {self.size} bytes at 0x{self.address:06x}"

    def over(self, before: bytes) -> bytes:
        """What stands in its `size` bytes after it, where `before` stood."""
        if self.data is None:
            return b"\xff" * self.size
        return bytes(a & b for a, b in zip(before, self.data, strict=True))


TEARS = ("prefix", "weak")
"""Ways in which a cut leaves an operation: its first bytes are done, or each bit that it changes
is done or not (for an erase: anything)."""


def torn(operation: FlashOperation, before: bytes, tear: str, seed: int) -> bytes:
    """What stands in the operation's bytes when the power was cut in the middle of it. The same
    for the same `seed`. For `tear` see TEARS."""
    chance = random.Random(f"{seed} {operation.address} {tear}")
    after = operation.over(before)
    if tear == "prefix":
        done = chance.randrange(1, operation.size)
        return after[:done] + before[done:]
    if operation.data is None:
        return chance.randbytes(operation.size)
    mask = chance.randbytes(operation.size)
    # A bit changes only from 1 to 0; those that the mask has are not there yet.
    return bytes(b & (a | m) for b, a, m in zip(before, after, mask, strict=True))


@record(frozen=True)
class Cut:
    """The flash as a cut leaves it: in or before operation `number` of a recording (its length:
    after the last). `tear` is None for a cut between two operations. `patch` is what differs from
    the state before the operation: (address, bytes), or None."""

    number: int
    tear: str | None
    patch: tuple[int, bytes] | None

    def __str__(self) -> str:
        return f"{self.number} {self.tear or 'before'}"


class Flash:
    """The content of a flash that a recording of operations is applied to."""

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content)

    def apply(self, operation: FlashOperation) -> tuple[int, bytes]:
        """Do one operation; what it put where."""
        end = operation.address + operation.size
        after = operation.over(bytes(self.content[operation.address : end]))
        self.content[operation.address : end] = after
        return operation.address, after

    def cut(self, cut: Cut) -> bytes:
        """The whole content with what the cut has left."""
        content = bytearray(self.content)
        if cut.patch is not None:
            address, data = cut.patch
            content[address : address + len(data)] = data
        return bytes(content)


def cuts(
    flash: Flash, operations: list[FlashOperation], seed: int = 1, tears: tuple[str, ...] = TEARS
) -> Iterator[Cut]:
    """Every state in which a cut during `operations` can leave the flash: before each one, torn
    in each of `tears`, and after the last. The flash is carried along: at each state it is as it
    was before that operation."""
    for number, operation in enumerate(operations):
        yield Cut(number, None, None)
        at = slice(operation.address, operation.address + operation.size)
        before = bytes(flash.content[at])
        for tear in tears:
            yield Cut(number, tear, (operation.address, torn(operation, before, tear, seed)))
        flash.apply(operation)
    yield Cut(len(operations), None, None)


class FlashProbe:
    """Sees every erase and program of an emulated Pico's flash, and can cut the power in one.

    `operations` has them all, in order. At a cut the flash gets what the cut leaves, `left` says
    what that is, and from then on the flash does nothing, until `cancel`.
    """

    def __init__(self, board: EmulatedPico) -> None:
        self.operations: list[FlashOperation] = []
        self.left: Cut | None = None
        self._board = board
        self._plan: tuple[int, str | None, int] | None = None
        self._on_cut: Callable[[], None] | None = None
        chip = _chip(board)
        apply = chip._apply_command

        def applied() -> None:
            operation = self._decoded(chip)
            if operation is not None and not self._comes(operation):
                chip._write_enabled = False
                chip._tx_buffer = bytearray()
                return
            apply()

        chip._apply_command = applied
        chip.probe = self

    @classmethod
    def of(cls, board: EmulatedPico) -> FlashProbe:
        """The probe of a board, made where it has none yet."""
        found = getattr(_chip(board), "probe", None)
        return found if isinstance(found, FlashProbe) else cls(board)

    def cut_at(
        self,
        number: int,
        tear: str | None = None,
        seed: int = 1,
        on_cut: Callable[[], None] | None = None,
    ) -> None:
        """Cut the power when operation `number` (from 0, of this probe) comes: before it, or in
        the middle of it, torn as `tear` says. `on_cut` is called then."""
        self._plan = (number, tear, seed)
        self._on_cut = on_cut

    def cut_next(
        self, tear: str | None = "weak", seed: int = 1, on_cut: Callable[[], None] | None = None
    ) -> None:
        """Cut the power in the next operation."""
        self.cut_at(len(self.operations), tear, seed, on_cut)

    def cancel(self) -> None:
        """Do not cut; after a cut, let the flash work again."""
        self._plan = self._on_cut = self.left = None

    def _decoded(self, chip: Any) -> FlashOperation | None:
        command = bytes(chip._tx_buffer)
        if len(command) < 4 or not chip._write_enabled:
            return None
        address = int.from_bytes(command[1:4], "big")
        now = self._board.time_ns
        if command[0] == _PROGRAM and len(command) > 4:
            data = command[4 : 4 + PAGE]
            return FlashOperation(address, len(data), data, now)
        size = _ERASES.get(command[0])
        return FlashOperation(address & -size, size, None, now) if size else None

    def _comes(self, operation: FlashOperation) -> bool:
        """Note an operation; False if it is not to be done."""
        if self.left is not None:
            return False
        if self._plan is None or self._plan[0] != len(self.operations):
            self.operations.append(operation)
            return True
        number, tear, seed = self._plan
        patch = None
        if tear is not None:
            flash = self._board.mcu.flash
            at = slice(operation.address, operation.address + operation.size)
            left = torn(operation, bytes(flash[at]), tear, seed)
            flash[at] = left
            patch = operation.address, left
        self.left = Cut(number, tear, patch)
        self._board.wake()
        if self._on_cut is not None:
            self._on_cut()
        return False


def _chip(board: EmulatedPico) -> Any:
    """The emulator's model of the serial interface with the flash chip behind it."""
    from rp2040py.peripherals.ssi import RPSSI

    return next(p for p in board.mcu.peripherals.values() if isinstance(p, RPSSI))
