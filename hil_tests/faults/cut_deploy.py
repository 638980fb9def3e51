"""The cut sweep over `takt deploy`:

    python -m hil_tests.faults.cut_deploy [PROJECT] [--on pico|micropython] [--first]
                                          [--engine E] [--seeds N] [--out FILE] [--at-once N]

A new version of PROJECT is deployed over an old one, through the board's REPL, while each flash
operation is recorded, those of the first boot with its trial among them. Then the board is booted
from what a cut in each operation leaves. Exit code 1 where neither version scans.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hil_tests.bench import program_of
from hil_tests.devices.deployed import deployed_files
from hil_tests.faults.cut_sweep import (
    NO_MAIN,
    Boot,
    PicoBoots,
    Sweep,
    boot_process,
    judge,
    make_sweep,
)
from hil_tests.faults.flash import FlashOperation, FlashProbe
from hil_tests.faults.process_board import ProcessBoard, empty_flash
from host_tools.board_link import PicoLink
from host_tools.bundle import Bundle
from host_tools.deployment import deploy
from host_tools.device_files import ROOT
from host_tools.failure import Failure
from host_tools.pico import EmulatedPico
from host_tools.pico.flash import FILE_SYSTEM_START, with_files
from host_tools.record import record, replace

_NOTHING = (NO_MAIN, "no program is active", "holds no complete program")


@record(frozen=True)
class Recorded:
    """A deployment: what the flash held before it, its operations, and how to boot from what a
    cut has left."""

    first: bytes
    operations: list[FlashOperation]
    boot: Callable[[bytes], Boot]


def versions(project: Path, engine: str, target: str) -> tuple[Bundle, Bundle]:
    """The bundles of a project as its versions "old" and "new"."""
    program = program_of(project, engine, target)
    # A process has no pins, and its servers' ports are those of this machine.
    changed: dict[str, Any] = {} if target == "pico" else {"servers": {}, "io": {}}
    bundle = program.bundle()
    old, new = (bundle.manifest | changed | {"version": v} for v in ("old", "new"))
    return replace(bundle, manifest=old), replace(bundle, manifest=new)


def recorded_on_pico(old: Bundle | None, new: Bundle, uf2: Path) -> Recorded:
    """Deploy `new` on an emulated Pico that has `old`, through its REPL."""
    flash = EmulatedPico(uf2).flash_image()
    flash = with_files(flash, deployed_files(old) if old is not None else {})
    board = EmulatedPico(uf2, flash=flash)
    link = PicoLink(board)
    link.upload = True
    probe = FlashProbe(board)
    deploy(link, new, None, lambda text: None)
    operations = [replace(o, address=o.address - FILE_SYSTEM_START) for o in probe.operations]
    boots = PicoBoots(uf2, flash[:FILE_SYSTEM_START])
    return Recorded(flash[FILE_SYSTEM_START:], operations, boots)


def recorded_in_process(old: Bundle | None, new: Bundle) -> Recorded:
    """The same on a MicroPython process."""
    with ProcessBoard(empty_flash()) as board:
        board.execute("")  # makes the file system
        if old is not None:
            deploy(board, old, None, lambda text: None)
        first = board.flash()
    with ProcessBoard(first) as board:
        deploy(board, new, None, lambda text: None)
        return Recorded(first, board.operations, boot_process)


def outcome_of(boot: Boot) -> str:
    """old, new, none (the board says that it has no program) or neither."""
    if boot.message is not None:
        return str(boot.message["version"])
    return "none" if any(text in boot.text for text in _NOTHING) else "neither"


def sweep_over(
    recorded: Recorded, seeds: int, say: Callable[[str], None], at_once: int = 1, kept: str = ""
) -> Sweep:
    """The sweep, judged. `kept`: a file that boots are added to as they are done, and taken from
    where they are there already."""
    sweep = make_sweep(recorded.first, recorded.operations, tuple(range(1, seeds + 1)))
    boots = _read_kept(kept) if kept else {}
    used = {row.flash: row.found.used for row in sweep.rows}
    say(f"{len(sweep.operations)} operations, {sweep.cuts} cuts, {len(sweep.rows)} boots")

    def boot(flash: bytes) -> Boot:
        key = used[flash]
        if key not in boots:
            boots[key] = recorded.boot(flash)
            if kept:
                with open(kept, "a", encoding="utf-8") as file:
                    row = {"used": key, "message": boots[key].message, "text": boots[key].text}
                    file.write(json.dumps(row) + "\n")
        return boots[key]

    judge(sweep, boot, outcome_of, say, at_once)
    return sweep


def _read_kept(path: str) -> dict[str, Boot]:
    if not Path(path).exists():
        return {}
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return {row["used"]: Boot(row["message"], row["text"]) for row in rows}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "cut_deploy", description="Cuts the power at every flash operation of a deployment."
    )
    parser.add_argument("project", nargs="?", type=Path, default=ROOT / "examples" / "tank")
    parser.add_argument("--on", choices=("pico", "micropython"), default="pico")
    parser.add_argument("--first", action="store_true", help="on a board without a program")
    parser.add_argument("--engine", choices=("auto", "python", "native"), default="auto")
    parser.add_argument("--seeds", type=int, default=1, help="sets of torn states")
    parser.add_argument("--out", default="", help="boots are added to this file, and read there")
    parser.add_argument("--at-once", type=int, default=1, help="processes at a time")
    options = parser.parse_args(arguments)

    def say(text: str) -> None:
        print(text, flush=True)

    try:
        if options.on == "pico":
            from host_tools import firmware

            old, new = versions(options.project, options.engine, "pico")
            before = None if options.first else old
            recorded = recorded_on_pico(before, new, firmware.ensure("pico"))
        else:
            old, new = versions(options.project, "python", "micropython")
            recorded = recorded_in_process(None if options.first else old, new)
        sweep = sweep_over(recorded, options.seeds, say, options.at_once, options.out)
    except Failure as failure:
        print(f"{failure}\n{failure.help}", file=sys.stderr)
        return failure.exit_code
    print(sweep.table())
    wanted = {"none", "new"} if options.first else {"old", "new"}
    good = set(sweep.outcomes()) <= wanted and not any(row.found.error for row in sweep.rows)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
