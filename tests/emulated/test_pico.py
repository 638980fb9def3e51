"""The emulated Pico: virtual time, console, files, pins, UART, ADC, reset, and cheap waiting."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from host_tools.pico import FLASH_BYTES, Edge, EmulatedPico, PicoError, SerialConsole

pytestmark = pytest.mark.emulated

SECOND_NS = 1_000_000_000


def run(board: EmulatedPico, source: str, virtual_s: float = 10.0) -> str:
    """What `source` prints on the board; fails on a traceback."""
    out, error = board.raw_exec(source, virtual_s)
    assert not error, error.decode()
    return out.decode().replace("\r\n", "\n")


def start(board: EmulatedPico, source: str) -> None:
    """Start `source` in the paste mode of the REPL and leave it running."""
    board.write_console(b"\x05" + source.encode() + b"\x04")


def test_boots_real_micropython(pico: EmulatedPico) -> None:
    pico.run_until(lambda: pico.unsent == 0, 0.1)
    answer = run(pico, "import sys; print(sys.implementation.name, sys.platform)")
    assert answer == "micropython rp2\n"


def test_reports_a_traceback_and_goes_on(pico: EmulatedPico) -> None:
    out, error = pico.raw_exec("print('a')\n1/0")
    assert out == b"a\r\n"
    assert error.endswith(b"ZeroDivisionError: divide by zero\r\n")
    assert b"SyntaxError" in pico.raw_exec("x ===")[1]
    assert run(pico, "print(7)") == "7\n"


def test_says_when_a_program_does_not_end(pico: EmulatedPico) -> None:
    with pytest.raises(PicoError, match=r"within 0\.05 virtual seconds"):
        pico.raw_exec("while True: pass", 0.05)
    assert run(pico, "print('interrupted')") == "interrupted\n"


def test_pastes_a_program_larger_than_its_window(pico: EmulatedPico) -> None:
    numbers = list(range(400))
    assert run(pico, f"print(sum({numbers}))") == f"{sum(numbers)}\n"


@pytest.mark.parametrize(
    ("program", "most_cycles"),
    [
        ("pass", 2_000),
        ("import time\ntime.sleep(2)", 2_000),
        ("import time\nwhile True: time.sleep_ms(10)\n", 1_000_000),
        (
            "import asyncio\nasync def f():\n  while True: await asyncio.sleep_ms(50)\n"
            "asyncio.run(f())",
            1_500_000,
        ),
    ],
)
def test_a_second_of_waiting_executes_next_to_nothing(
    pico: EmulatedPico, program: str, most_cycles: int, capsys: pytest.CaptureFixture[str]
) -> None:
    # Here 1,500,000 cycles take 0.2 s; a second of a busy loop is 125,000,000.
    start(pico, program)
    pico.run_for(SECOND_NS // 10)
    cycles, wall = pico.cycles, time.monotonic()
    pico.run_for(SECOND_NS)
    wall = time.monotonic() - wall
    with capsys.disabled():
        print(
            f"\n1 s of {program.splitlines()[-1]!r}: {pico.cycles - cycles} cycles, {wall:.3f} s"
        )
    assert pico.cycles - cycles <= most_cycles


def test_virtual_time_is_what_the_board_counts(pico: EmulatedPico) -> None:
    before = pico.time_ns
    told = run(
        pico, "import time\nt=time.ticks_us()\ntime.sleep_ms(1500)\nprint(time.ticks_us()-t)"
    )
    assert 1_500_000 <= int(told) < 1_500_100
    assert 1_500_000_000 < pico.time_ns - before < 1_520_000_000


def test_run_until_tells_whether_it_came_about(pico: EmulatedPico) -> None:
    started = pico.time_ns
    assert not pico.run_until(lambda: False, 0.25)
    assert pico.time_ns - started == 250_000_000
    assert pico.run_until(lambda: pico.time_ns >= started + 300_000_000, 1.0)
    assert pico.time_ns == started + 300_000_000


def test_drives_and_reads_pins(pico: EmulatedPico) -> None:
    source = """
from machine import Pin
i = Pin(2, Pin.IN, Pin.PULL_UP)
o = Pin(3, Pin.OUT)
def follow(_): o.value(i.value())
i.irq(follow, Pin.IRQ_RISING | Pin.IRQ_FALLING)
o.value(1)
"""
    run(pico, source)
    edges = pico.capture(3)
    assert pico.level(2) is True
    assert pico.level(3) is True
    for level in (False, True, False):
        pico.drive(2, level)
        pico.run_for(1_000_000)
        assert pico.level(3) is level
    pico.drive(2, None)
    assert run(pico, "print(i.value())") == "1\n"
    assert [edge.level for edge in edges] == [False, True, False, True]
    assert all(edge.pin == 3 for edge in edges)


def test_stamps_edges_with_virtual_time(pico: EmulatedPico) -> None:
    edges = pico.capture(25)
    run(
        pico,
        "from machine import Pin\nimport time\np = Pin(25, Pin.OUT, value=0)\n"
        "for _ in range(3):\n p.toggle()\n time.sleep_ms(20)",
    )
    assert [edge.level for edge in edges] == [True, False, True]
    gaps = [late.time_ns - early.time_ns for early, late in pairwise(edges)]
    assert all(20_000_000 <= gap < 20_100_000 for gap in gaps)


def test_runs_pio_programs_on_time(pico: EmulatedPico) -> None:
    edges = pico.capture(15)
    source = """
import rp2, time
from machine import Pin
@rp2.asm_pio(set_init=rp2.PIO.OUT_LOW)
def square():
    set(pins, 1)[9]
    set(pins, 0)[9]
sm = rp2.StateMachine(0, square, freq=100_000, set_base=Pin(15))
sm.active(1); time.sleep_us(1000); sm.active(0)
"""
    run(pico, source)
    rises = [edge.time_ns for edge in edges if edge.level]
    assert len(rises) >= 4
    # 100 kHz, 20 steps a period: 200 us, kept to one step of the processor.
    gaps = [late - early for early, late in pairwise(rises)]
    assert all(abs(gap - 200_000) <= 1_000 for gap in gaps)


def test_reads_its_outputs_back(pico: EmulatedPico) -> None:
    source = (
        "from machine import Pin\np = Pin(4, Pin.OUT)\nq = Pin(5, Pin.IN, Pin.PULL_UP)\n"
        "for v in 1, 0, 1:\n p(v)\n print(p(), q())\n"
        "p.init(Pin.IN, Pin.PULL_DOWN)\nprint(p())"
    )
    assert run(pico, source) == "1 1\n0 1\n1 1\n0\n"


def test_reads_the_analogue_inputs(pico: EmulatedPico) -> None:
    pico.set_adc(26, 0)
    pico.set_adc(27, 4095)
    pico.set_adc(28, 2048)
    told = run(
        pico, "from machine import ADC\nprint(*[ADC(n).read_u16() >> 4 for n in (26,27,28)])"
    )
    assert told == "0 4095 2048\n"


def test_sends_serial_characters_at_the_baud_rate(pico: EmulatedPico) -> None:
    line = pico.uart(0)
    stamps: list[int] = []
    line.on_byte = lambda value, time_ns: stamps.append(time_ns)
    text = bytes(range(60))
    told = run(
        pico,
        "from machine import Pin, UART\n"
        "u = UART(0, 19200, tx=Pin(0), rx=Pin(1), timeout=200)\n"
        f"u.write({text!r})\nu.flush()\nprint(u.txdone())",
    )
    assert told == "True\n"
    assert line.take() == text
    assert line.baud == 19200
    gaps = {late - early for early, late in pairwise(stamps)}
    # Ten bits at 19200 baud; the divider is a little off (RP2040 data sheet 4.2.7.1).
    assert all(abs(gap - 520_833) < 100 for gap in gaps)


def test_receives_serial_characters_and_their_end(pico: EmulatedPico) -> None:
    source = """
from machine import Pin, UART
import time
ended = []
u = UART(1, 9600, tx=Pin(4), rx=Pin(5), rxbuf=512)
u.irq(lambda u: ended.append(u.any()), UART.IRQ_RXIDLE)
"""
    run(pico, source)
    frame = bytes(i * 7 & 255 for i in range(100))
    pico.uart(1).send(frame)
    pico.run_for(200_000_000)
    assert run(pico, "print(u.read() == " + repr(frame) + ", ended[-1])") == "True 100\n"


def test_loses_characters_when_nobody_reads(pico: EmulatedPico) -> None:
    run(pico, "from machine import UART\nimport machine\nu = UART(0, 115200, rxbuf=32)")
    pico.uart(0).send(bytes(200))
    pico.run_for(50_000_000)
    kept = int(run(pico, "print(len(u.read()))"))
    # The ring buffer of the driver and the 32 characters of the chip's FIFO, no more.
    assert 32 <= kept <= 64


def test_files_laid_into_the_flash_are_there_after_boot(pico: EmulatedPico) -> None:
    files = {"/main.py": b"print('from main')\n", "/lib/pack/a.bin": bytes(5000), "/empty": b""}
    pico.put_files(files)
    assert pico.files() == files
    pico.boot()
    assert run(
        pico, "import os; print(os.listdir('/lib/pack'), os.stat('/lib/pack/a.bin')[6])"
    ) == ("['a.bin'] 5000\n")
    run(pico, "with open('/made', 'w') as f: f.write('on the board')")
    assert pico.files() == {**files, "/made": b"on the board"}


def test_says_when_files_do_not_fit(pico: EmulatedPico) -> None:
    with pytest.raises(PicoError, match="cannot put /big"):
        pico.put_files({"/big": bytes(1_500_000)})


def test_uploads_files_through_the_raw_repl(pico: EmulatedPico) -> None:
    # Ctrl-C, Ctrl-D and the like among the content must not mean anything.
    files = {"/lib/x/all.bin": bytes(range(256)) * 3, "/plain.txt": b"text"}
    pico.upload_files(files)
    assert pico.files() == files
    assert pico.get_file("/lib/x/all.bin") == files["/lib/x/all.bin"]
    with pytest.raises(PicoError, match="ENOENT"):
        pico.get_file("/none")


def test_reset_keeps_the_flash_and_nothing_else(pico: EmulatedPico) -> None:
    run(pico, "x = 1\nwith open('/kept', 'w') as f: f.write('1')")
    run(pico, "from machine import Pin\nPin(6, Pin.OUT, value=1)")
    assert pico.level(6) is True
    edges = pico.capture(6)
    pico.reset()
    assert pico.level(6) is not True
    assert not pico.connected
    pico.boot()
    assert run(pico, "import os; print('x' in globals(), os.listdir('/'))") == "False ['kept']\n"
    # A pin that is what it was before the reset has changed all the same.
    run(pico, "from machine import Pin\nPin(6, Pin.OUT, value=1)")
    assert edges[-1].level is True


def test_machine_reset_and_watchdog_boot_again(pico: EmulatedPico) -> None:
    start(pico, "import machine\nmachine.reset()")
    assert pico.run_until(lambda: not pico.connected, 1.0)
    pico.boot()
    start(pico, "import machine\nmachine.WDT(timeout=20)\nwhile True: pass\n")
    assert pico.run_until(lambda: not pico.connected, 1.0)
    pico.boot()
    assert (
        run(pico, "import machine; print(machine.reset_cause() == machine.WDT_RESET)") == "True\n"
    )


def test_a_flash_image_boots_on_another_board(pico: EmulatedPico, pico_uf2: Path) -> None:
    run(pico, "with open('/mark', 'w') as f: f.write('42')")
    image = pico.flash_image()
    assert len(image) == FLASH_BYTES
    other = EmulatedPico(pico_uf2, flash=image)
    assert run(other, "print(open('/mark').read())") == "42\n"
    with pytest.raises(PicoError, match="flash image"):
        EmulatedPico(pico_uf2, flash=image[:-1])


def test_the_same_inputs_give_the_same_run(pico_uf2: Path) -> None:
    def once() -> tuple[bytes, list[Edge], int, int]:
        board = EmulatedPico(pico_uf2)
        board.boot()
        edges = board.capture(3)
        start(
            board,
            "from machine import Pin, Timer\nimport time\n"
            "i=Pin(2, Pin.IN); o=Pin(3, Pin.OUT)\n"
            "t=Timer(period=3, callback=lambda t: o.value(i.value()))\n"
            "for n in range(5): print(n, time.ticks_us()); time.sleep_ms(7)",
        )
        for level in (True, False, True):
            board.run_for(9_876_543)
            board.drive(2, level)
        board.run_for(50_000_000)
        return board.read_console(), edges, board.cycles, board.time_ns

    first, second = once(), once()
    assert first == second
    assert first[1]


@pytest.mark.parametrize(
    ("instruction", "argument", "cause"),
    [
        ("data(2, 0xbe00)", 0, "a breakpoint instruction at 0x20"),
        ("data(2, 0xde00)", 0, "an undefined instruction at 0x20"),
        ("data(2, 0xf7f0, 0xa000)", 0, "an undefined instruction at 0x20"),
        ("data(2, 0xb100)", 0, "an undefined instruction at 0x20"),
        ("ldr(r0, [r0, 0])", 0x20000002, "a word is not aligned at 0x20000002 at 0x20"),
        ("ldr(r0, [r0, 0])", 0x30000000, "no memory at 0x30000000 at 0x20"),
        ("ldrb(r0, [r0, 0])", 0x60000000, "no memory at 0x60000000 at 0x20"),
        ("str(r0, [r0, 0])", 0x60000000, "no memory at 0x60000000 at 0x20"),
    ],
)
def test_a_crash_of_the_firmware_is_told(
    instruction: str, argument: int, cause: str, pico: EmulatedPico
) -> None:
    vector = pico.mcu.read_uint32(0x2000000C)
    text = f"@micropython.asm_thumb\ndef die(r0):\n  {instruction}\ndie({argument})\n"
    start(pico, text)
    # MicroPython's handler of hard faults is a breakpoint.
    with pytest.raises(PicoError, match=f"{cause}.* gave up: a breakpoint instruction"):
        pico.run_for(SECOND_NS)
    core = pico.mcu.core
    assert (core.ipsr, core.pc, core.lr) == (3, vector & ~1, 0xFFFFFFF9)
    # It does not come back from there.
    with pytest.raises(PicoError, match=cause):
        pico.run_for(SECOND_NS)
    pico.reset()
    pico.boot()
    assert pico.raw_exec("print(1)") == (b"1\r\n", b"")


def test_mpremote_works_over_the_serial_console(pico: EmulatedPico, tmp_path: Path) -> None:
    source = tmp_path / "sent.txt"
    source.write_bytes(b"x" * 700)

    def mpremote(*arguments: str) -> str:
        command = [sys.executable, "-m", "mpremote", "connect", console.path, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with SerialConsole(pico) as console:
        assert mpremote("exec", "print(6 * 7)") == "42\n"
        mpremote("cp", str(source), ":sent.txt")
        mpremote("reset")
        assert mpremote("eval", "open('sent.txt').read(3)") == "xxx\n"
    assert pico.files()["/sent.txt"] == source.read_bytes()


@pytest.mark.parametrize("pin", [-1, 30])
def test_pins_outside_the_chip_are_refused(pico: EmulatedPico, pin: int) -> None:
    with pytest.raises(PicoError, match="GP29"):
        pico.level(pin)


def test_files_that_are_no_firmware_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PicoError, match="cannot read"):
        EmulatedPico(tmp_path / "none.uf2")
    wrong = tmp_path / "wrong.uf2"
    wrong.write_bytes(bytes(512))
    with pytest.raises(PicoError, match="not a UF2 image for the RP2040"):
        EmulatedPico(wrong)
