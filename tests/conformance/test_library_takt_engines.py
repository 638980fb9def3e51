"""Takt's own blocks with inputs that wander: the same image on CPython and MicroPython."""

from __future__ import annotations

import subprocess
import types
from pathlib import Path

from tests.conformance import device_library
from tests.conformance.library_support import Running
from tests.conformance.test_engine_ops import ROOT, executable

SCANS = 400
# `noise` is a linear congruential generator; `x` wanders over some tens of units and is now and
# then NaN or infinite.
PROGRAM = """
PROGRAM p
VAR noise : UDINT := 12345; k : DINT; x, y, zero : REAL; hot : BOOL;
    pid1 : PID := (KP := 3.0, TI := T#300ms, TD := T#40ms, SP := 5.0);
    pid2 : PID := (KP := -0.7, TI := T#20s, N := 0.0, TD := T#10ms, OUT_MIN := -50.0);
    ramp1 : RAMP := (UP := 33.3, DOWN := 7.1);
    lowpass1 : LOWPASS := (T1 := T#70ms);
    average1 : MOVING_AVERAGE := (N := 7);
    average2 : MOVING_AVERAGE := (N := 12, EVERY := T#25ms);
    hysteresis1 : HYSTERESIS := (HIGH := 8.0, LOW := -3.0);
    two1 : TWO_POINT := (SP := 1.0, MIN_ON := T#30ms, MIN_OFF := T#20ms);
    three1 : THREE_POINT := (SP := 1.0, PAUSE := T#20ms);
    pwm1 : PWM_OUTPUT := (PERIOD := T#80ms, MIN_PULSE := T#15ms);
    alarm1 : ALARM_DELAY := (ON_DELAY := T#20ms, OFF_DELAY := T#40ms);
    blink1 : BLINK := (TIMEHIGH := T#35ms, TIMELOW := T#20ms);
    week1 : WEEK_TIMER := (DAYS := [2#0011_1110, 2#0100_0001, 16#7F],
        START := [TOD#06:00:00, TOD#22:00:00, TOD#12:00:00],
        STOP := [TOD#18:00:00, TOD#04:00:00, TOD#12:30:00]);
    s : REAL; si : INT; day : DT := DT#2024-02-26-00:00:00;
END_VAR
    k := k + 1;
    noise := noise * 1664525 + 1013904223;
    x := 0.9 * y + DINT_TO_REAL(UDINT_TO_DINT(SHR(noise, 8)) - 8388608) / 1.0E6;
    y := x;
    IF noise MOD 40 = 0 THEN
        x := x / zero;
    ELSIF noise MOD 41 = 0 THEN
        x := zero / zero;
    END_IF;
    hot := x > 2.0;
    pid1(PV := x, AUTO := k MOD 50 < 35, MAN := y);
    pid2(PV := y, SP := x, FF := pid1.OUT);
    ramp1(IN := x, HOLD := k MOD 30 > 25);
    lowpass1(IN := x, RESET := k MOD 100 = 0);
    average1(IN := x);
    average2(IN := x);
    hysteresis1(IN := x);
    two1(PV := x, COOL := k > 200);
    three1(PV := x);
    pwm1(IN := 10.0 * x);
    alarm1(IN := hot, ACK := k MOD 16 = 0);
    blink1(ENABLE := k MOD 64 < 50);
    week1(NOW := day);
    day := day + T#31m;
    s := SCALE(x, -5.0, 8.0, 20.0, 4.0);
    si := SCALE_INT(REAL_TO_INT(100.0 * x), -500, 900, 27648, -27648);
END_PROGRAM
"""


def test_same_images_on_micropython(tmp_path: Path) -> None:
    running = Running(PROGRAM)
    (tmp_path / "own.py").write_text(running.source, encoding="utf-8")
    (tmp_path / "own.image").write_bytes(running.image)
    module = types.ModuleType("own")
    exec(compile(running.source, "own", "exec"), module.__dict__)
    expected = bytes(device_library.scan_images(module, bytearray(running.image), SCANS))
    # Every output has moved: the comparison is not one of zeros.
    size = len(running.image)
    for name in ("pid1.OUT", "pid2.OUT", "ramp1.OUT", "lowpass1.OUT", "average1.OUT",
                 "average2.OUT", "hysteresis1.Q", "two1.Q", "three1.UP", "three1.DOWN", "pwm1.Q",
                 "alarm1.Q", "alarm1.UNACK", "blink1.OUT", "week1.Q", "s", "si"):  # fmt: skip
        at = running.at("p." + name)
        assert len({expected[k * size + at] for k in range(SCANS)}) > 1, name
    driver = ROOT / "tests/conformance/device_library.py"
    command = [executable("micropython"), driver, ROOT, tmp_path, str(SCANS), "own"]
    subprocess.run(command, check=True, timeout=120)
    result = (tmp_path / "own.result").read_bytes()
    assert len(result) == len(expected)
    wrong = [i for i in range(len(expected)) if result[i] != expected[i]]
    assert not wrong, (wrong[0] // size, wrong[0] % size)
