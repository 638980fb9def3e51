"""The board of the bench: its programs in flash, opened and run one by one.

The same scripts run on the emulated Pico and on a board on a serial port; what only an emulator
can see, edges of pins and cycles, is in releases.py and cycles.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from host_tools.board_link import Link
from host_tools.build import compile
from host_tools.bundle import Bundle
from host_tools.failure import DEVICE, Failure
from host_tools.project import load
from host_tools.record import record
from host_tools.remote import staged_files

PROJECTS = Path(__file__).parent / "projects"
TANK = Path(__file__).parents[2] / "examples" / "tank"
SLOTS = "/bench"

_OPEN = """\
import gc, json, sys, asyncio, uctypes
s = program = None
sys.modules.pop('program', None)
gc.collect()
before = gc.mem_alloc()
from controller.session import Session
from controller.io import machine_pins
from controller import image as im
s = Session({slot!r}, machine_pins(), True)
del machine_pins
s.slim()
gc.collect()
at = (uctypes.addressof(s.image.data), getattr(s.scheduler, 'base', 0))
print(json.dumps([before, gc.mem_alloc(), gc.mem_free(), at[0], at[1]]))
"""

# The load: a collection in every round and garbage for the next one, and a file in every tenth
# round. Modbus is served beside it, to whoever asks.
_LOAD = """\
rounds = [0, 0]
async def load():
    import os
    while True:
        gc.collect()
        garbage = [bytearray(100) for n in range(50)]
        if {writes} and rounds[0] % 10 == 0:
            with open('/bench%d.txt' % (rounds[0] // 10 % 4), 'w') as file:
                file.write('what a log line holds, some forty bytes\\n' * 8)
            rounds[1] += 1
        rounds[0] += 1
        await asyncio.sleep_ms({pause_ms})
"""
_RUN = """\
{load}
async def main():
    await s.serve()
    try:
        await s.run(None, {until_ns}, {beside})
        return {{kind: server.stats() for kind, place, server in s.servers}}
    finally:
        await s.close()
served = asyncio.run(main())
found = {{'tasks': [im.read_task(s.image.data, n) for n in range(s.image.tasks)]}}
found['rounds'] = {rounds}
found['served'] = served
found['fault'] = im.read_fault(s.image.data)
print(json.dumps(found))
"""
_PYTHON = """\
import gc, json, sys, time
sys.modules.pop('program', None)
gc.collect()
from controller import bundle
manifest, image, program = bundle.load({slot!r})
program.attach(image.data)
now = image.now
taken = []
gc.disable()
for n in range({scans}):
    now[:] = (n * {interval_ns}).to_bytes(8, 'little')
    start = time.ticks_us()
    program.TASKS[0]()
    taken.append(time.ticks_diff(time.ticks_us(), start))
    gc.collect()
gc.enable()
print(json.dumps(taken))
"""


@record(frozen=True)
class Opened:
    """What a board says of a program that it has loaded: bytes of heap, and where things lie."""

    before: int
    used: int
    free: int
    image: int
    kernel: int


@record(frozen=True)
class Load:
    """What Python does beside the tasks; `pause_ms` between the rounds lets an emulated processor
    sleep, which is what makes the emulation bearable."""

    writes: bool = True
    pause_ms: int = 0


def bench_bundle(name: str, engine: str = "native") -> Bundle:
    """The bundle of a project of the bench, for the Pico."""
    folder = TANK if name == "tank" else PROJECTS / name
    return compile(load(str(folder), engine=engine)).bundle("armv6m")


def slot_files(bundles: Mapping[str, Bundle]) -> dict[str, bytes]:
    """Path on the board -> content of programs that lie beside each other."""
    return {
        f"{SLOTS}/{name}/{file}": content
        for name, bundle in bundles.items()
        for file, content in staged_files(bundle).items()
    }


class Stand:
    """A board with runtime and programs on it. `restart` brings a fresh MicroPython up."""

    def __init__(self, link: Link, restart: Callable[[], None], use: str) -> None:
        """`use`: code that lets the board's imports find the runtime."""
        self.link = link
        self.restart = restart
        self.use = use

    def open(self, name: str) -> Opened:
        """Load a program, as a controller does at its start. Where another one was open, the
        modules of the runtime are there already."""
        return Opened(*self._told(self.link.execute(self.opening(name), 30)))

    def opening(self, name: str) -> str:
        return self.use + _OPEN.format(slot=f"{SLOTS}/{name}")

    def run(self, seconds: float, load: Load | None = None) -> dict[str, Any]:
        """Run what is open for this much logical time: task records, rounds of the load, fault."""
        return dict(self._told(self.link.execute(self.running(seconds, load), seconds * 3 + 60)))

    @staticmethod
    def running(seconds: float, load: Load | None = None) -> str:
        text = _LOAD.format(writes=load.writes, pause_ms=load.pause_ms) if load else ""
        return _RUN.format(
            load=text,
            until_ns=int(seconds * 1e9),
            beside="load()" if load else "None",
            rounds="rounds" if load else "None",
        )

    def python_us(self, name: str, scans: int, interval_ns: int) -> list[int]:
        """µs of each scan of a program with the python engine, the scheduler left out."""
        code = self.use + _PYTHON.format(
            slot=f"{SLOTS}/{name}", scans=scans, interval_ns=interval_ns
        )
        return list(self._told(self.link.execute(code, 60)))

    def _told(self, answer: str) -> Any:
        try:
            return json.loads(answer.strip().splitlines()[-1])
        except (ValueError, IndexError):
            raise Failure(
                f"the bench does not understand what '{self.link.name}' says",
                repr(answer[-300:]),
                DEVICE,
            ) from None
