"""`takt new NAME`: a small project, complete with wiring, that checks and runs."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from host_tools.compiler.diagnostics import did_you_mean
from host_tools.failure import USAGE, Failure

_PINS = {  # start button, stop button, motor, lamp
    "pico": ("GP2", "GP3", "GP16", "GP25"),
    "pico2": ("GP2", "GP3", "GP16", "GP25"),
    "pico_w": ("GP2", "GP3", "GP16", "LED"),
    "esp32": ("GPIO18", "GPIO19", "GPIO22", "GPIO23"),
}

_PROJECT = """\
# {name}: what the program is connected to. `takt check` tells what is wrong here, with the line.
# All sections and keys: docs/wiring.md of Takt.

[project]
name = "{name}"
board = "{board}"
"""

_IO = """
[io]                # address in the program = what is connected
"%IX0.0" = {{ pin = "{0}", pull = "up", invert = true, filter_ms = 5 }}  # start: closes to ground
"%IX0.1" = {{ pin = "{1}", pull = "up", invert = true, filter_ms = 5 }}  # stop: opens, so that a
                                                                       # broken wire stops as well
"%QX0.0" = {{ pin = "{2}", safe = false }}  # motor contactor; off after a fault
"%QX0.1" = {{ pin = "{3}", safe = false }}  # lamp
"""

_TASK = """
[task.fast]         # the task of the CONFIGURATION in main.st
on_overrun = "count"
watchdog_ms = 100   # a scan that takes longer is a fault
"""

_PROGRAM = """\
// A motor with start and stop buttons, and a lamp that blinks while it runs.

PROGRAM main
VAR
    start AT %IX0.0 : BOOL;             // pressed
    stop_closed AT %IX0.1 : BOOL;       // the stop button opens this when it is pressed
    motor AT %QX0.0 : BOOL;
    lamp AT %QX0.1 : BOOL;
    started : R_TRIG;
    half_second : TON;
END_VAR
VAR RETAIN
    starts : UDINT;                     // a count worth keeping
END_VAR

    motor := (start OR motor) AND stop_closed;

    started(CLK := motor);
    IF started.Q THEN
        starts := starts + 1;
    END_IF;

    half_second(IN := motor AND NOT half_second.Q, PT := T#500ms);
    IF NOT motor THEN
        lamp := FALSE;
    ELSIF half_second.Q THEN
        lamp := NOT lamp;
    END_IF;
END_PROGRAM

CONFIGURATION plant
    TASK fast(INTERVAL := T#10ms, PRIORITY := 1);
    PROGRAM main WITH fast : main;
END_CONFIGURATION
"""

_TESTS = """\
// What main.st promises; `takt test` runs it, and nothing of it gets onto the controller.

SETUP
VAR
    p : main;                           // an instance of the program, fresh for each test
END_VAR
    %IX0.1 := TRUE;                     // nobody presses the stop button
    p();
END_SETUP

TEST 'the start button starts the motor, which goes on'
    %IX0.0 := TRUE;
    p();
    ASSERT_TRUE(%QX0.0);
    %IX0.0 := FALSE;
    p();
    ASSERT_TRUE(%QX0.0);
    ASSERT_EQ(p.starts, 1);
END_TEST

TEST 'the stop button stops the motor'
    p.motor := TRUE;
    p();
    %IX0.1 := FALSE;
    p();
    ASSERT_FALSE(p.motor);
    ASSERT_FALSE(p.lamp, 'the lamp goes out with it');
END_TEST

TEST 'the lamp blinks while the motor runs'
VAR
    i, changes : INT;
    before : BOOL;
END_VAR
    p.motor := TRUE;
    FOR i := 1 TO 300 DO                // 3 s in scans of 10 ms
        before := p.lamp;
        p();
        IF p.lamp <> before THEN
            changes := changes + 1;
        END_IF;
        ADVANCE_TIME(T#10ms);
    END_FOR;
    ASSERT_NEAR(changes, 6, 1, 'on or off every half second');
END_TEST
"""

_IGNORE = "build/\n"


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the project; also its new folder")
    parser.add_argument("--board", default="pico", help="board (default: pico)")


def run(options: argparse.Namespace) -> int:
    from host_tools.wiring.boards import board_names

    folder = Path(options.name)
    name = folder.name or (folder.resolve().name if options.name else "")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,31}", name):
        raise Failure(
            f"'{name}' cannot be the name of a project",
            "a letter, then letters, digits, '-' and '_', 32 characters at most",
            USAGE,
        )
    if options.board not in board_names():
        known = board_names()
        raise Failure(
            f"there is no board '{options.board}'",
            did_you_mean(options.board, known) or f"known are: {', '.join(known)}",
            USAGE,
        )
    _check_free(folder)
    files = {"takt.toml": _wiring(name, options.board), "main.st": _PROGRAM}
    files["main_test.st"] = _TESTS
    files[".gitignore"] = _IGNORE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"cannot make '{folder}': {error.strerror}", exit_code=USAGE) from None
    if options.json:
        print(json.dumps({"folder": str(folder), "files": sorted(files)}))
        return 0
    print(
        f"made {folder}/ with main.st, its tests and takt.toml for board {options.board}. Next:\n"
    )
    print(f"    takt check {folder}")
    print(f"    takt test {folder}")
    print(f"    takt run {folder} --for T#3s --set %IX0.1=TRUE --set %IX0.0=TRUE")
    return 0


def _check_free(folder: Path) -> None:
    try:
        if folder.exists() and not folder.is_dir():
            raise Failure(f"'{folder}' is a file", "choose another name", USAGE)
        if folder.exists() and any(folder.iterdir()):
            raise Failure(f"the folder '{folder}' is not empty", "choose another name", USAGE)
    except OSError as error:
        raise Failure(f"cannot look into '{folder}': {error.strerror}", exit_code=USAGE) from None


def _wiring(name: str, board: str) -> str:
    pins = _PINS.get(board)
    text = _PROJECT.format(name=name, board=board)
    if pins:
        text += _IO.format(*pins)
    return text + _TASK
