"""The scan kernel on the emulated Pico: nothing that happens to Python leaves outputs driven."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from host_tools.build import compile
from host_tools.device_files import runtime_files
from host_tools.pico import EmulatedPico, PicoError
from host_tools.pico.board import Edge
from host_tools.project import load
from host_tools.remote import staged_files

pytestmark = pytest.mark.emulated

MS = 1_000_000
OUT, LAMP = 2, 3
BLINK = """\
PROGRAM main
VAR q AT %QX0.0 : BOOL; lamp AT %QX0.1 : BOOL; END_VAR
    q := NOT q;
    lamp := FALSE;
END_PROGRAM
CONFIGURATION c
    TASK t(INTERVAL := T#1ms, PRIORITY := 1);
    PROGRAM main WITH t : main;
END_CONFIGURATION
"""
WIRING = """\
[project]
name = "blink"
board = "pico"
engine = "native"

[io]
"%QX0.0" = { pin = "GP2" }
"%QX0.1" = { pin = "GP3", safe = true }
"""
START = """\
import asyncio, machine, micropython
from controller.session import Session
from controller.io import machine_pins
session = Session('/slot', machine_pins(), True)
async def main(after=None):
    task = asyncio.create_task(after) if after else None
    await session.run()
"""
LEFT_ALONE = START + "session.scheduler._start(None, None)\n"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return program_files(tmp_path_factory.mktemp("blink"), BLINK)


def program_files(folder: Path, text: str, io: str = "[io]") -> dict[str, bytes]:
    (folder / "main.st").write_text(text)
    (folder / "takt.toml").write_text(WIRING.replace("[io]", io))
    found = {f"/lib/{name}": content for name, content in runtime_files().items()}
    bundle = compile(load(folder)).bundle()
    return found | {f"/slot/{n}": content for n, content in staged_files(bundle).items()}


class Bench:
    """A board whose kernel scans, and what its pins do after something happens to Python."""

    def __init__(self, uf2: Path, files: dict[str, bytes]) -> None:
        self.board = EmulatedPico(uf2)
        self.board.boot()
        self.board.put_files(files)
        self.edges: list[Edge] = self.board.capture(OUT)

    def after(self, event: Callable[[EmulatedPico], None], virtual_ms: int = 150) -> float | None:
        """Milliseconds from the event to the last edge of the output, None if there was none."""
        start = self.board.time_ns
        event(self.board)
        self.board.run_for(virtual_ms * MS)
        late = [edge.time_ns for edge in self.edges if edge.time_ns > start]
        return (late[-1] - start) / MS if late else None

    def is_safe(self) -> bool:
        return self.board.level(OUT) is False and self.board.level(LAMP) is True


def typed(text: str) -> Callable[[EmulatedPico], None]:
    return lambda board: board.write_console(b"\x02" + text.encode())


def test_the_kernel_scans_while_python_does_nothing(
    pico_uf2: Path, files: dict[str, bytes]
) -> None:
    bench = Bench(pico_uf2, files)
    assert bench.board.raw_exec(LEFT_ALONE) == (b"", b"")
    last_ms = bench.after(lambda board: None, 20)
    assert last_ms is not None
    assert last_ms > 18
    assert bench.board.level(LAMP) is False


@pytest.mark.parametrize("text", ["\x04", "machine.soft_reset()\r"])
def test_a_soft_reset_under_a_running_kernel_makes_the_outputs_safe(
    text: str, pico_uf2: Path, files: dict[str, bytes]
) -> None:
    bench = Bench(pico_uf2, files)
    assert bench.board.raw_exec(LEFT_ALONE) == (b"", b"")
    last_ms = bench.after(typed(text))
    assert last_ms is None or last_ms < 100
    assert bench.is_safe()


def test_heap_that_is_used_again_after_a_soft_reset_wakes_nothing(
    pico_uf2: Path, files: dict[str, bytes]
) -> None:
    bench = Bench(pico_uf2, files)
    assert bench.board.raw_exec(LEFT_ALONE) == (b"", b"")
    bench.after(typed("\x04"))
    bench.edges.clear()
    output, error = bench.board.raw_exec(
        "import gc\nx=[bytearray(b'\\xa5' * 4000) for _ in range(40)]\nprint(len(x))"
    )
    assert (output.strip(), error) == (b"40", b"")
    assert bench.edges == []
    assert bench.is_safe()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ("await asyncio.sleep_ms(5)\n    raise RuntimeError('out of order')", b""),
        ("await asyncio.sleep_ms(5)\n    session.scheduler.stopping = True", b""),
    ],
)
def test_an_end_of_the_program_makes_the_outputs_safe(
    body: str, shown: bytes, pico_uf2: Path, files: dict[str, bytes]
) -> None:
    bench = Bench(pico_uf2, files)
    ending = f"async def after():\n    {body}\n"
    if "raise" in body:
        ending = "import sys\n" + ending.replace("raise RuntimeError", "sys.exit")
        run = "try:\n    asyncio.run(asyncio.gather(session.run(), after()))\n"
        run += "except SystemExit:\n    pass\n"
        run += "session.scheduler.stop()\n"
    else:
        run = "asyncio.run(main(after()))\n"
    output, error = bench.board.raw_exec(START + ending + run, timeout_virtual_s=20)
    assert (output, error) == (shown, b"")
    assert bench.after(lambda board: None, 20) is None
    assert bench.is_safe()


def test_ctrl_c_makes_the_outputs_safe(pico_uf2: Path, files: dict[str, bytes]) -> None:
    bench = Bench(pico_uf2, files)
    # As a file, so that Ctrl-C meets a running program; controller.console does the same.
    bench.board.raw_exec(
        START
        + "f=open('/go.py','w')\n"
        + "f.write('from __main__ import *\\ntry:\\n asyncio.run(main())\\nfinally:\\n"
        + " session.scheduler.stop()\\n')\nf.close()\n"
    )
    bench.board.write_console(b"\x02import go\r")
    bench.board.run_for(200 * MS)
    assert bench.after(lambda board: None, 10) is not None
    last_ms = bench.after(lambda board: board.write_console(b"\x03"))
    assert last_ms is not None
    assert last_ms < 100
    assert bench.is_safe()


def slow(*values: object) -> ParameterSet:
    return pytest.param(*values, marks=pytest.mark.slow)


DIE = """\
import micropython
@micropython.asm_thumb
def die(r0):
    {}
die({})
"""


@pytest.mark.parametrize(
    ("instruction", "argument", "cause"),
    [
        ("data(2, 0xde00)", 0, "an undefined instruction"),
        # Those of test_pico.py: all come to the same handler.
        slow("data(2, 0xbe00)", 0, "a breakpoint instruction"),
        slow("ldr(r0, [r0, 0])", 0x20000001, "a word is not aligned at 0x20000001"),
        slow("ldr(r0, [r0, 0])", 0x30000000, "no memory at 0x30000000"),
        slow("str(r0, [r0, 0])", 0x60000000, "no memory at 0x60000000"),
    ],
)
def test_a_hard_fault_of_python_makes_the_outputs_safe(
    instruction: str, argument: int, cause: str, pico_uf2: Path, files: dict[str, bytes]
) -> None:
    bench = Bench(pico_uf2, files)
    assert bench.board.raw_exec(LEFT_ALONE) == (b"", b"")
    lamp = bench.board.capture(LAMP)
    with pytest.raises(PicoError, match=f"{cause} .*HardFault handler gave up"):
        bench.board.raw_exec(DIE.format(instruction, argument))
    # MicroPython's own handler, to which the kernel's goes on, is a breakpoint: the core is dead.
    assert bench.is_safe()
    assert bench.board.time_ns - lamp[-1].time_ns < 100 * MS


FAULTS = """\
VAR_GLOBAL wrong AT %IX0.0 : BOOL; END_VAR
PROGRAM good
VAR q AT %QX0.0 : BOOL; END_VAR
    q := NOT q;
END_PROGRAM
PROGRAM bad
VAR
    lamp AT %QX0.1 : BOOL; n : DINT; d : DINT; i : INT; a : ARRAY[1..4] OF DINT;
    r : REF_TO DINT; b : BOOL;
END_VAR
    lamp := FALSE;
    n := n + 1;
    IF n > 5 THEN
        {}
    END_IF
END_PROGRAM
CONFIGURATION c
    TASK fast(INTERVAL := T#1ms, PRIORITY := 1);
    TASK slow(INTERVAL := T#5ms, PRIORITY := 2);
    PROGRAM good WITH fast : good;
    PROGRAM bad WITH slow : bad;
END_CONFIGURATION
"""
TELL = """\
from controller import image as im
import time
session.scheduler._start(None, None)
time.sleep_ms(80)
data = session.image.data
before = im.read_task(data, 0)['scans']
time.sleep_ms(20)
fault = im.read_fault(data)
print(fault['code'], fault['line'], fault['task'], fault['scan'], im.read_task(data, 1)['state'],
      im.read_task(data, 0)['scans'] - before >= 19)
"""


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("d := n / d;", 1),
        ("i := 7; a[i] := 1;", 2),
        ("r^ := 1;", 4),
        ("WHILE n > 0 DO d := d + 1; END_WHILE", 7),
    ],
)
def test_a_fault_ends_one_task_and_leaves_the_other(
    statement: str, code: int, pico_uf2: Path, tmp_path: Path
) -> None:
    bench = Bench(pico_uf2, program_files(tmp_path, FAULTS.format(statement)))
    output, error = bench.board.raw_exec(START + TELL, timeout_virtual_s=20)
    assert error == b""
    assert output.split() == [str(code).encode(), b"14", b"1", b"5", b"2", b"True"]
    assert bench.board.level(LAMP) is True


INTERVALS = """\
PROGRAM main
VAR n : DINT; END_VAR
    n := n + 1;
END_PROGRAM
CONFIGURATION c
    TASK lone(INTERVAL := T#1ms, PRIORITY := 1);
    TASK together(INTERVAL := T#2ms, PRIORITY := 2);
    TASK broken(INTERVAL := T#1ms500us500ns, PRIORITY := 3);
    TASK hourly(INTERVAL := T#1h, PRIORITY := 4);
    PROGRAM a WITH lone : main;
    PROGRAM b WITH together : main;
    PROGRAM d WITH broken : main;
    PROGRAM e WITH hourly : main;
END_CONFIGURATION
"""
SCANNED = """\
from controller import image as im
async def main():
    await session.run(None, 60_000_000)
    for k in range(4):
        record = im.read_task(session.image.data, k)
        print(record['scans'], record['skipped'], record['overruns'], record['release'])
asyncio.run(main())
"""


def test_every_interval_is_kept(pico_uf2: Path, tmp_path: Path) -> None:
    bench = Bench(pico_uf2, program_files(tmp_path, INTERVALS))
    output, error = bench.board.raw_exec(START + SCANNED, timeout_virtual_s=20)
    assert error == b""
    told = [tuple(map(int, line.split())) for line in output.splitlines()]
    assert told == [
        (60, 0, 0, 59_000_000),
        (30, 0, 0, 58_000_000),
        (40, 0, 0, 39 * 1_500_500),
        (1, 0, 0, 0),
    ]


HANG = b"""\
import machine
from controller.io import machine_pins
from controller.session import Session
session = Session("/takt/a", machine_pins(), True)
session.scheduler._start(None, None)
machine.disable_irq()
while True:
    pass
"""


@pytest.mark.slow
def test_the_hardware_watchdog_starts_a_board_again_on_which_nothing_runs(
    pico_uf2: Path, tmp_path: Path
) -> None:
    found = program_files(tmp_path, BLINK, "hardware_watchdog_ms = 250\n\n[io]")
    # As a board has it that was deployed to.
    found |= {f"/takt/a/{name[6:]}": found.pop(name) for name in list(found) if "/slot/" in name}
    found |= {
        "/hang.py": HANG,
        "/takt/active": b"a",
        "/main.py": b"import controller.boot as b\nb.start()\n",
    }
    bench = Bench(pico_uf2, found)
    board = bench.board
    boot = b'"is": "running"'

    def told(text: bytes) -> bool:
        nonlocal heard
        heard += board.read_console()
        return text in heard

    heard = b""
    assert board.run_until(lambda: told(boot), 10)
    board.run_for(600 * MS)  # it is fed
    assert bench.after(lambda board: None, 20) is not None
    board.write_console(b"\x03")
    board.run_for(600 * MS)  # stopped on purpose it is off
    assert told(b"interrupted")
    heard = b""
    board.write_console(b"import hang\r")
    assert board.run_until(lambda: board.level(LAMP) is True, 5)
    assert board.run_until(lambda: told(boot), 10)
    assert b"the hardware watchdog has reset the board" in heard
    board.write_console(b"\x03")
    board.run_for(60 * MS)
    output, error = board.raw_exec("from controller import log\nprint(log.read()[-1]['is'])")
    assert (output.split(), error) == ([b"restart"], b"")
