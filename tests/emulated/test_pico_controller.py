"""The runtime on the emulated RP2040: a release allocates nothing, and releases are in time."""

import json

import pytest

from host_tools.device_files import runtime_files
from host_tools.pico import EmulatedPico

pytestmark = pytest.mark.emulated

SCRIPT = """
import asyncio, gc, json
from controller import image as im
from controller.clock import Clock
from controller.io import Exchange, machine_pins
from controller.garbage import Collector
from controller.mailbox import Mailbox
from controller.scheduler import Scheduler

class Program:
    def attach(self, data):
        pass
    def nothing(self):
        pass
program = Program()
program.TASKS = (program.nothing,) * 2

def row(interval_ns):
    return {"name": "t", "interval_ns": interval_ns, "priority": 1,
            "inputs": [[1024, 8]], "outputs": [[1032, 16]]}

io = {
    "inputs": [
        {"address": "a", "offset": 1024, "bit": 0, "pin": "GP2", "pull": "up", "filter_ms": 3},
        {"address": "b", "offset": 1030, "kind": "i16", "adc": "GP26", "scale": [0, 27648]},
    ],
    "outputs": [
        {"address": "c", "offset": 1032, "bit": 0, "pin": "GP3", "invert": True},
        {"address": "d", "offset": 1040, "kind": "u16", "pwm": "GP4", "scale": [0, 65535]},
    ],
}
rows = [row(20000000), row(30000000)]

def made():
    image = im.create(2048, 2, bytes(8), b"")
    exchange = Exchange(io, image.data, rows, {"I": [1024, 8]}, machine_pins())
    clock = Clock()
    return Scheduler(
        image, rows, program, exchange, Mailbox(image), clock, (), Collector(clock))

sched = made()
sched.run_virtual(5)
gc.collect()
gc.disable()
before = gc.mem_alloc()
sched.run_virtual(40)
virtual = gc.mem_alloc() - before

# In real time as run() does it, but for asyncio, which allocates for itself.
sched = made()
sched.start(True)
def real(n):
    for _ in range(n):
        sched._advance(sched._next)
        sched._early = True
        sched._pass()
real(3)
gc.collect()
before = gc.mem_alloc()
real(20)
timed = gc.mem_alloc() - before
gc.enable()

sched = made()
asyncio.run(sched.run(20))
record = im.read_task(sched.image.data, 0)
print(json.dumps([virtual, timed, record["scans"], record["skipped"], record["overruns"]]))
"""


def test_a_release_allocates_nothing_and_nothing_is_late(pico: EmulatedPico) -> None:
    pico.put_files({f"lib/{name}": data for name, data in runtime_files().items()})
    output, errors = pico.raw_exec(SCRIPT, 60)
    assert errors == b""
    # 20 release instants at 0, 20, 30, 40, 60, ... ms: 15 of them are of the first task.
    assert json.loads(output) == [0, 0, 15, 0, 0]
