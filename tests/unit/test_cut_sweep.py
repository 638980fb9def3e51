"""A power cut at every flash operation of a deployment: the old program or the new one scans.

The board is a MicroPython process with a Pico's flash under MicroPython's own littlefs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from hil_tests.faults.cut_sweep import NO_MAIN, Boot, Sweep, boot_process, judge, make_sweep
from hil_tests.faults.process_board import ProcessBoard, empty_flash
from host_tools import deployment
from host_tools.build import compile
from host_tools.bundle import Bundle
from host_tools.deployment import MAIN, deploy
from host_tools.device_files import ROOT, runtime_files
from host_tools.failure import Failure
from host_tools.mpy import compile_mpy
from host_tools.project import load

Compiled = Callable[..., Bundle]

MARKED = '"platform": "new",'


def silent(text: str) -> None:
    pass


@pytest.fixture(scope="module")
def tank() -> Compiled:
    """Makes bundles of the tank, told apart by their version; without its network and pins."""
    program = compile(load(ROOT / "examples" / "tank")).bundle()

    def made(version: str, program_mpy: bytes | None = None) -> Bundle:
        manifest = program.manifest | {"version": version, "io": {}, "servers": {}}
        parts = dict(program.parts)
        if program_mpy is not None:
            parts["program.mpy"] = program_mpy
        return Bundle(manifest, parts)

    return made


@pytest.fixture(scope="module", autouse=True)
def small_runtime() -> Iterator[dict[str, bytes]]:
    """What the tank needs of the runtime, and what a start needs; the more is copied, the more
    operations there are, all alike."""
    without = ("bus/", "drivers/", "controller/kernel", "controller/rt_s", "controller/servers")
    without += ("controller/console", "controller/testing")
    files = {n: f for n, f in runtime_files().items() if not n.startswith(without)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deployment, "runtime_files", lambda say: files)
        yield files


@pytest.fixture(scope="module")
def fresh() -> bytes:
    """The flash of a board that MicroPython has just been put on."""
    with ProcessBoard(empty_flash()) as board:
        board.execute("")
        return board.flash()


@pytest.fixture(scope="module")
def old(tank: Compiled, fresh: bytes) -> bytes:
    """The flash of a board that scans version "old"."""
    with ProcessBoard(fresh) as board:
        deploy(board, tank("old"), None, silent)
        return board.flash()


@pytest.fixture
def new_runtime(monkeypatch: pytest.MonkeyPatch, small_runtime: dict[str, bytes]) -> None:
    """Another runtime than the one of `old`, which calls its platform "new"."""
    source = (ROOT / "controller" / "session.py").read_text(encoding="utf-8")
    assert '"platform": sys.platform,' in source
    source = source.replace('"platform": sys.platform,', MARKED)
    session = compile_mpy(source, "controller/session.py")
    files = small_runtime | {"controller/session.mpy": session}
    monkeypatch.setattr(deployment, "runtime_files", lambda say: files)


def swept(flash: bytes, bundle: Bundle, seeds: tuple[int, ...] = (1,)) -> Sweep:
    """The sweep over deploying `bundle` to a board with `flash`, each distinct cut booted."""
    with ProcessBoard(flash) as board:
        with contextlib.suppress(Failure):  # of a program that gives way
            deploy(board, bundle, None, silent)
        operations = board.operations
    sweep = make_sweep(flash, operations, seeds, by_files=True)
    judge(sweep, boot_process, outcome, at_once=4)
    print(sweep.table())
    return sweep


def outcome(boot: Boot) -> str:
    if boot.message is not None:
        return str(boot.message["version"])
    nothing = (
        NO_MAIN,
        "no program is active",
        "slot b is no help: /takt/b holds no complete program",
    )
    return "none" if any(text in boot.text for text in nothing) else "neither"


def first_damage(sweep: Sweep) -> str:
    return next((f"{row.cuts[0]}: {row.found.error}" for row in sweep.rows if row.found.error), "")


@pytest.fixture(scope="module")
def plain(old: bytes, tank: Compiled) -> Sweep:
    """The sweep over a deployment in which nothing else changes."""
    return swept(old, tank("new"), (1, 2))


def test_after_a_cut_in_a_deployment_the_old_or_the_new_program_scans(plain: Sweep) -> None:
    sweep = plain
    assert set(sweep.outcomes()) == {"old", "new"}
    assert first_damage(sweep) == ""
    assert sweep.cuts > 5 * len(sweep.operations)
    # Once it is new it stays so, but for the trial, in which a cut gives the new program up.
    at = [row for row in sweep.rows if row.outcome == "new"]
    assert at[0].cuts[0].number > 100
    assert sweep.rows[-1].outcome == "new"


def test_after_such_a_cut_the_next_deployment_succeeds(plain: Sweep, tank: Compiled) -> None:
    for row in plain.rows[::6]:
        with ProcessBoard(row.flash) as board:
            assert deploy(board, tank("next"), None, silent).message["version"] == "next"


@pytest.mark.usefixtures("new_runtime")
def test_a_deployment_that_brings_another_runtime_and_main_can_be_cut_too(
    old: bytes, tank: Compiled
) -> None:
    with ProcessBoard(old) as board:
        board.execute(f"with open({MAIN!r}, 'a') as f:\n f.write('# older')\n")
        flash = board.flash()
    sweep = swept(flash, tank("new"))
    assert set(sweep.outcomes()) == {"old", "new"}
    assert first_damage(sweep) == ""
    # Each program runs with the runtime that it came with.
    for row in sweep.rows:
        assert row.boot.message is not None
        assert (row.boot.message["platform"] == "new") == (row.outcome == "new"), row.cuts


def test_a_first_deployment_leaves_nothing_or_the_program(fresh: bytes, tank: Compiled) -> None:
    sweep = swept(fresh, tank("new"))
    assert set(sweep.outcomes()) == {"none", "new"}
    assert first_damage(sweep) == ""


def test_a_program_that_gives_way_does_not_come_back(old: bytes, tank: Compiled) -> None:
    tasks = len(tank("old").manifest["tasks"])
    source = "def attach(image): pass\ndef scan(): raise ValueError('broken')\n"
    source += f"TASKS = (scan,) * {tasks}\n"
    sweep = swept(old, tank("broken", compile_mpy(source, "program.py")))
    assert any("it faults in its first passes" in row.boot.text for row in sweep.rows)
    assert set(sweep.outcomes()) == {"old"}
    assert first_damage(sweep) == ""


class SerialBoard(ProcessBoard):
    """With lines that end as on a serial port; `written` are the files that were put there."""

    written: tuple[str, ...] = ()

    def execute(self, code: str, timeout_s: float = 10) -> str:
        return super().execute(code, timeout_s).replace("\n", "\r\n")

    def put(self, files: dict[str, bytes]) -> None:
        self.written += tuple(files)
        super().put(files)


def test_what_is_there_is_not_written_again(old: bytes, tank: Compiled) -> None:
    with SerialBoard(old) as board:
        assert not deploy(board, tank("new"), None, silent).runtime_copied
        assert board.written == ("/takt/arrived.taktb",)
