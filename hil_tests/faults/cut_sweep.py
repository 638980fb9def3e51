"""The cut sweep: the power is cut at every flash operation of something, and the board boots.

Many cuts leave what a board cannot tell apart: they differ only in blocks of the flash that no
file is in yet. MicroPython's own littlefs driver says which blocks a mount and a reading of all
files look at (`survey`); where those are equal the board is booted once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hil_tests.faults.flash import TEARS, Cut, Flash, FlashOperation, cuts
from hil_tests.faults.process_board import Found, ProcessBoard, survey
from host_tools.pico import EmulatedPico
from host_tools.record import field, record
from host_tools.remote import read_message

NO_MAIN = "there is no main.py"


@record(frozen=True)
class Boot:
    """What a board does after a cut: `message` is its word that a program scans, or None; then
    `text` says what it does instead."""

    message: dict[str, Any] | None
    text: str = ""


@record()
class Row:
    """Cuts that leave the same for a board, and what it makes of them."""

    cuts: list[Cut]
    flash: bytes
    found: Found
    boot: Boot = Boot(None, "not booted")
    outcome: str = ""


@record()
class Sweep:
    """A sweep over `operations`, which act on a flash that is `first` before them."""

    first: bytes
    operations: list[FlashOperation]
    rows: list[Row] = field(default_factory=list)

    @property
    def cuts(self) -> int:
        return sum(len(row.cuts) for row in self.rows)

    def outcomes(self) -> dict[str, tuple[int, int]]:
        """Outcome -> (cuts, boots)."""
        counts: dict[str, tuple[int, int]] = {}
        for row in self.rows:
            n, boots = counts.get(row.outcome, (0, 0))
            counts[row.outcome] = n + len(row.cuts), boots + 1
        return counts

    def table(self) -> str:
        """The outcomes as lines of text."""
        erases = sum(operation.data is None for operation in self.operations)
        lines = [
            f"{len(self.operations)} flash operations ({len(self.operations) - erases} pages, "
            f"{erases} erases), {self.cuts} cuts, {len(self.rows)} of them distinct to a board"
        ]
        for outcome, (n, boots) in sorted(self.outcomes().items()):
            lines.append(f"  {outcome or 'not judged':8} {n:5} cuts {boots:5} boots")
        for row in self.rows:
            if row.outcome == "neither" or row.found.error:
                lines.append(f"  cut {row.cuts[0]}: {row.found.error or row.boot.text}")
        return "\n".join(lines)


def make_sweep(
    first: bytes,
    operations: list[FlashOperation],
    seeds: tuple[int, ...] = (1,),
    tears: tuple[str, ...] = TEARS,
    by_files: bool = False,
) -> Sweep:
    """All cuts of these operations, those that are the same to a board in one row; no boots yet.

    `first` is the file system's part of the flash. Each seed gives another set of torn states.
    `by_files`: those are the same whose files are, though they may lie elsewhere in the flash, or
    the rests of something begun lie beside them.
    """
    made = Sweep(first, operations)
    of: dict[str, Row] = {}
    for seed in seeds:
        steps = list(_steps(first, operations, seed, tears))
        found = iter(survey(first, steps))
        flash = Flash(first)
        for step in steps:
            if isinstance(step, FlashOperation):
                flash.apply(step)
                continue
            if seed != seeds[0] and step.tear is None:
                next(found)  # the same for each seed
                continue
            seen = next(found)
            key = seen.tree + seen.error if by_files else seen.used
            row = of.get(key)
            if row is None:
                row = of[key] = Row([], flash.cut(step), seen)
                made.rows.append(row)
            row.cuts.append(step)
    return made


def _steps(
    first: bytes, operations: list[FlashOperation], seed: int, tears: tuple[str, ...]
) -> Iterator[Cut | FlashOperation]:
    number = 0
    for cut in cuts(Flash(first), operations, seed, tears):
        if cut.number != number:
            yield operations[number]
            number = cut.number
        yield cut


def judge(
    sweep: Sweep,
    boot: Callable[[bytes], Boot],
    outcome: Callable[[Boot], str],
    say: Callable[[str], None] = lambda text: None,
    at_once: int = 1,
) -> None:
    """Boot a board from each distinct state, `at_once` at a time, and name the outcome of each."""
    # Without main.py MicroPython goes to its prompt.
    rows = [row for row in sweep.rows if row.found.main or row.found.error]
    for row in sweep.rows:
        row.boot = Boot(None, NO_MAIN)
        row.outcome = outcome(row.boot)
    with ThreadPoolExecutor(at_once) as pool:
        for row, found in zip(rows, pool.map(boot, [r.flash for r in rows]), strict=True):
            row.boot = found
            row.outcome = outcome(found)
            say(f"cut {row.cuts[0]} and {len(row.cuts) - 1} more: {row.outcome} {found.text}")


# --- boots -----------------------------------------------------------------------------------


def boot_process(flash: bytes) -> Boot:
    """Boot a MicroPython process from the file system of a flash."""
    with ProcessBoard(flash, boot=True) as board:
        return follow(board.lines())


def follow(lines: Iterable[str]) -> Boot:
    """Read what a board prints after a reset, until a program scans or nothing will."""
    heard: list[str] = []
    for line in lines:
        message = read_message(line)
        if message["is"] == "running":
            return Boot(message, "; ".join(heard))
        if message["is"] in ("print", "fallback", "stopped", "fault"):
            heard.append(message["text"].strip())
        if message["is"] == "stopped":
            break
    return Boot(None, "; ".join(filter(None, heard[-6:])) or "it says nothing")


class PicoBoots:
    """Boots of an emulated Pico; `firmware` is what its flash holds before the file system."""

    def __init__(self, uf2: Path, firmware: bytes, quiet_s: float = 5) -> None:
        self._uf2 = uf2
        self._firmware = firmware
        self._quiet_s = quiet_s

    def __call__(self, flash: bytes) -> Boot:
        board = EmulatedPico(self._uf2, flash=self._firmware + flash)
        return follow(self._lines(board))

    def _lines(self, board: EmulatedPico) -> Iterator[str]:
        """What the board prints, until it sits at its prompt or is quiet for long."""
        text = bytearray()
        board.take_console(text.extend)
        seen = 0

        def printed() -> bool:
            return len(text) > seen

        while board.run_until(printed, self._quiet_s):
            while b"\n" in text:
                line, _, rest = bytes(text).partition(b"\n")
                text[:] = rest
                yield line.decode(errors="replace").rstrip("\r")
            if text == b">>> ":
                return
            seen = len(text)
