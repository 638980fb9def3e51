"""Every kind of task and channel under the scan kernel, and the same by the portable scheduler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host_tools.build import compile
from host_tools.device_files import runtime_files
from host_tools.pico import EmulatedPico
from host_tools.project import load
from host_tools.remote import staged_files
from host_tools.variables import Variables

pytestmark = pytest.mark.emulated

MS = 1_000_000
BUTTON, START, HOLD, LAMP, VALVE, HORN, MOTOR = 2, 3, 4, 5, 8, 9, 10
PROGRAM = """\
VAR_GLOBAL
    button AT %IX0.0 : BOOL;
    start AT %IX0.1 : BOOL;
    hold AT %IX0.2 : BOOL;
END_VAR
PROGRAM io
VAR
    lamp AT %QX0.0 : BOOL;
    motor AT %QX0.3 : BOOL;
    level AT %IW1 : INT;
    dimmed AT %QW1 : INT;
    pressed : R_TRIG;
    presses : INT;
    asked : INT;
END_VAR
    pressed(CLK := button);
    IF pressed.Q THEN
        presses := presses + 1;
    END_IF
    lamp := NOT button;
    motor := FALSE;
    dimmed := level;
END_PROGRAM
PROGRAM counting
VAR n : DINT; END_VAR
    n := n + 1;
END_PROGRAM
PROGRAM edges
VAR n : DINT; seen : BOOL; END_VAR
    n := n + 1;
    seen := start;
END_PROGRAM
PROGRAM both
VAR n : DINT; seen : BOOL; END_VAR
    n := n + 1;
    seen := hold;
END_PROGRAM
FUNCTION_BLOCK Long
VAR i : DINT; x : DINT := 12345678; END_VAR
    FOR i := 1 TO 40000 DO
        x := x / 3 + i;
    END_FOR
END_FUNCTION_BLOCK
PROGRAM late
VAR valve AT %QX0.1 : BOOL; n : DINT; work : Long; END_VAR
    valve := FALSE;
    n := n + 1;
    IF n > 3 THEN
        work();
    END_IF
END_PROGRAM
PROGRAM over
VAR horn AT %QX0.2 : BOOL; n : DINT; work : Long; END_VAR
    horn := FALSE;
    n := n + 1;
    IF n > 20 THEN
        work();
    END_IF
END_PROGRAM
CONFIGURATION c
    TASK t_io(INTERVAL := T#1ms, PRIORITY := 1);
    TASK t_edges(SINGLE := start, PRIORITY := 2);
    TASK t_both(INTERVAL := T#5ms, SINGLE := hold, PRIORITY := 3);
    TASK t_late(INTERVAL := T#10ms, PRIORITY := 4);
    TASK t_over(INTERVAL := T#3ms, PRIORITY := 5);
    PROGRAM io WITH t_io : io;
    PROGRAM edges WITH t_edges : edges;
    PROGRAM both WITH t_both : both;
    PROGRAM late WITH t_late : late;
    PROGRAM over WITH t_over : over;
    PROGRAM free : counting;
END_CONFIGURATION
"""
WIRING = """\
[project]
name = "kinds"
board = "pico"
engine = "native"

[io]
"%IX0.0" = { pin = "GP2", pull = "up", invert = true, filter_ms = 5 }
"%IX0.1" = { pin = "GP3" }
"%IX0.2" = { pin = "GP4" }
"%QX0.0" = { pin = "GP5", invert = true }
"%QX0.1" = { pin = "GP8", safe = true }
"%QX0.2" = { pin = "GP9", safe = true }
"%QX0.3" = { pin = "GP10" }
"%IW1" = { adc = "GP26", scale = [0, 27648] }
"%QW1" = { pwm = "GP6", scale = [0, 27648], safe = 6912 }

[task.t_late]
watchdog_ms = 2

[task.t_over]
on_overrun = "fault"
"""
GO = """\
import asyncio, machine
from controller.session import Session
from controller.io import machine_pins
session = Session('/slot', machine_pins(), {kernel})
kernel = session.kernel
row = ({motor}, {motor_mask}, {motor_mask})
if kernel:
    from controller.kernel_trace import Trace
    session.scheduler.force([row])
    trace = Trace(session.scheduler, 0, [({presses}, 2)], 8, 3, ({presses}, 2, True, '>', 0))
else:
    session.scheduler.force.rows = [row]
seen = []
async def beside():
    await asyncio.sleep_ms(20)
    session.mailbox.post({asked}, b'\\x34\\x12')
    session.mailbox.post_bits({asked} + 1, 0x80, 0x80)
    seen.append(session.mailbox.settled())
    while not session.mailbox.settled():
        await asyncio.sleep_ms(1)
    seen.append(session.mailbox.settled())
    await asyncio.sleep_ms(60)
    at = 0x4005000C + 0x14 * 3
    seen.append((machine.mem32[at] & 0xffff) * 1000 // ((machine.mem32[at + 4] & 0xffff) + 1))
try:
    asyncio.run(session.run(None, None, beside()))
except KeyboardInterrupt:
    pass
finally:
    session.scheduler.stop()
"""
TELL = """\
import binascii, machine, go
from controller import image as im
print(binascii.hexlify(go.session.image.data).decode())
print(go.seen[0], go.seen[1], go.seen[2])
print(machine.mem32[0x40050048] & 0xffff, (machine.mem32[0x4005004c] & 0xffff) + 1)
print([row[1] for row in go.trace.read()] if go.kernel else [0, 0, 0, 1, 1, 1, 1, 1])
print([im.read_task(go.session.image.data, k)['fault_code'] for k in range(6)])
print([im.read_task(go.session.image.data, k)['scans'] for k in range(6)])
"""


@pytest.mark.parametrize("kernel", [True, False])
def test_every_kind_of_task_and_channel(kernel: bool, pico: EmulatedPico, tmp_path: Path) -> None:
    (tmp_path / "main.st").write_text(PROGRAM)
    (tmp_path / "takt.toml").write_text(WIRING)
    program = compile(load(tmp_path))
    variables = Variables(program.layout)

    def offset(path: str) -> int:
        return variables.find(path).offset

    files = {f"/lib/{name}": content for name, content in runtime_files().items()}
    files |= {f"/slot/{n}": content for n, content in staged_files(program.bundle()).items()}
    files["/go.py"] = GO.format(
        kernel=kernel,
        motor=offset("io.motor"),
        motor_mask=8,
        presses=offset("io.presses"),
        asked=offset("io.asked"),
    ).encode()
    pico.put_files(files)
    pico.boot()
    for pin in (START, HOLD):
        pico.drive(pin, False)
    pico.set_adc(26, 2048)
    pico.write_console(b"import go\r")
    assert pico.run_until(lambda: pico.level(MOTOR) is True, 5)  # forced
    begun_ns = pico.time_ns
    pico.run_for(20 * MS)
    assert pico.level(LAMP) is False  # inverted
    for _ in range(3):  # bounces that the filter takes away
        pico.drive(BUTTON, False)
        pico.run_for(2 * MS)
        pico.drive(BUTTON, None)
        pico.run_for(2 * MS)
    pico.drive(BUTTON, False)
    pico.run_for(30 * MS)
    assert pico.level(LAMP) is True
    pico.drive(BUTTON, None)
    for _ in range(3):
        pico.drive(START, True)
        pico.run_for(12 * MS)
        pico.drive(START, False)
        pico.run_for(12 * MS)
    assert (pico.level(VALVE), pico.level(HORN)) == (True, True)  # safe after their faults
    pico.drive(HOLD, True)
    periodic_ms = (pico.time_ns - begun_ns) / MS
    pico.run_for(50 * MS)
    pico.write_console(b"\x03")
    pico.run_for(60 * MS)
    assert pico.level(MOTOR) is False
    assert pico.level(LAMP) is True  # safe is FALSE, inverted
    output, error = pico.raw_exec(TELL)
    assert error == b""
    lines = output.decode().split("\r\n")
    image = bytes.fromhex(lines[0])

    def value(path: str) -> Any:
        return variables.read(image, variables.find(path))

    assert value("io.presses") == 1
    assert value("edges.n") == 3
    assert value("io.level") == value("io.dimmed") == pytest.approx(13827, abs=20)
    assert value("io.asked") & 0xFFFF == 0x9234
    assert value("io.motor") is True
    assert (value("late.valve"), value("over.horn")) == (True, True)
    assert value("free.n") > 20
    assert value("both.seen") is True
    settled, applied, permille = lines[1].split()
    assert (settled, applied) == ("False", "True")
    assert int(permille) == pytest.approx(500, abs=2)
    level, top = map(int, lines[2].split())
    assert level / top == pytest.approx(0.25, abs=0.002)
    assert lines[3] == "[0, 0, 0, 1, 1, 1, 1, 1]"
    assert lines[4] == "[0, 0, 0, 8, 9, 0]"
    scans = [int(n) for n in lines[5].strip("[]").split(", ")]
    assert (scans[1], scans[3]) == (3, 4)
    # Periodic until hold came, then once, for the edge.
    assert 0 < scans[2] <= periodic_ms / 5 + 2
