"""The native scan kernel from Python's side: makes its tables, starts, stops and reads it.

firmware/kernel/kernel.h says what the tables hold and what the interrupts do. Code, tables and
image lie in one block at the end of the heap, as far from what a soft reset overwrites first as
can be. Python takes no part in a scan: `run` counts a heartbeat up, hands over what was posted to
the mailbox, and scans freewheeling tasks.
"""

import asyncio
import gc
import struct

import machine
import uctypes

from controller import image as im
from controller.garbage import Collector
from controller.image import const
from controller.io import AnalogueInput, DigitalInput, DigitalOutput, Exchange
from controller.mailbox import Mailbox
from controller.scheduler import _safe_rows

# Words of the kernel and of a task (kernel.h).
_UNTIL = const(0)
_M = const(3)
_CODE = const(4)
_RUNNING = const(5)
_TASKS = const(6)
_TASK = const(7)
_TIMER = const(8)
_ALARM = const(9)
_ALARM_IRQ = const(10)
_SPARE_IRQ = const(11)
_GPIO_IN = const(12)
_GPIO_SET = const(13)
_GPIO_CLEAR = const(14)
_ADC = const(15)
_OUTPUTS = const(16)
_ANALOGUE_OUTPUTS = const(17)
_FORCES = const(18)
_FORCE = const(19)
_MAILS = const(20)
_MAIL_OFFSETS = const(21)
_MAIL_LENGTHS = const(22)
_MAIL_BYTES = const(23)
_HEARTBEAT = const(25)
_PATIENCE_US = const(28)
_TELLTALE = const(29)
_TELLTALE_MASK = const(30)
_STOPPED = const(33)
_RELEASES_LEFT = const(34)
_FREEWHEELING = const(35)
_STACK_LOW = const(45)
_KERNEL_WORDS = const(46)

_INTERVAL_NS = const(0)
_NUMBER = const(6)
_LEVEL = const(7)
_RECORD = const(8)
_INTERVAL_US = const(9)
_INTERVAL_REST = const(10)
_ON_OVERRUN = const(18)
_WATCHDOG_US = const(19)
_SINGLE = const(20)
_SINGLE_MASK = const(21)
_INPUTS = const(23)
_TASK_OUTPUTS = const(24)
_ANALOGUE_INPUTS = const(25)
_TASK_ANALOGUE_OUTPUTS = const(26)
_FAULT_CHANGES = const(27)
_FAULT_COUNT = const(28)
_TASK_WORDS = const(30)

# Operations of the machine code, beyond the numbers of tasks.
_BASE = const(257)
_LENGTH = const(258)
_START = const(259)
_STOP = const(260)
_SCAN = const(261)

_ALARM_NUMBER = const(1)  # 2 and 3 are MicroPython's
_FIRST_SPARE = const(26)  # RP2040 data sheet 2.3.2: 26 to 31 are not connected
_PATIENCE = const(10000000)  # µs without a sign of Python before all is made safe
_FORCE_ROWS = const(16)
_SPAN_MAX = const(0x7FFFFF)

REASONS = ("", "Python", "no heartbeat", "soft reset", "hard fault", "all tasks faulted", "end")


class _Tables:
    """Hands out space of the block; counts it first, where `base` is 0."""

    def __init__(self, base, words):
        self.base = base
        self.words = words  # of the block, or None
        self.at = 0

    def take(self, n):
        """`n` words; returns the index of the first."""
        index = self.at // 4
        self.at += 4 * n
        return index

    def address(self, index):
        return self.base + 4 * index

    def put(self, values):
        """Words with these values; returns their address."""
        index = self.take(len(values))
        if self.words is not None:
            k = index
            for value in values:
                self.words[k] = value & 0xFFFFFFFF
                k += 1
        return self.address(index)


def _last_block(size):
    """A bytearray of `size` bytes as near to the end of the heap as possible."""
    gc.collect()
    low = 0
    high = gc.mem_free()
    while high - low > 256:  # the largest piece that is free
        middle = (low + high) // 2
        try:
            bytearray(middle)
            low = middle
        except MemoryError:
            high = middle
    filler = []
    if low > size + 512:
        try:
            filler.append(bytearray(low - size - 512))
        except MemoryError:
            pass
    block = bytearray(size)
    filler.clear()
    gc.collect()
    return block


def _telltale():
    """(address, mask) of a register bit that a soft reset clears, and what keeps it set: an idle
    state machine. MicroPython disables those it knows before it gives up the heap."""
    import rp2

    @rp2.asm_pio()
    def idle():
        nop()  # type: ignore[name-defined]  # noqa: F821

    for n in (7, 3, 6, 2, 5, 1, 4, 0):
        try:
            keeper = rp2.StateMachine(n, idle)
            keeper.active(1)
        except (ValueError, OSError):
            continue
        return 0x50200000 + (n >> 2 << 20), 1 << (n & 3), keeper
    raise ValueError("the scan kernel needs one state machine of a PIO, and all are in use")


def _words(address, count):
    return uctypes.struct(address, (uctypes.ARRAY | 0, uctypes.UINT32 | count))


class _KernelMailbox(Mailbox):
    def __init__(self, image, entries, size, handed):
        super().__init__(image, entries, size)
        self._handed = handed  # True while the kernel has some

    def settled(self):
        return self.count == 0 and not self._handed()


class Kernel:
    """In the place of a Scheduler, for a program with machine code and kernel on an RP2040.

    `image` and `mailbox` are in the kernel's block. Making it drives the outputs to their safe
    state. Raises ValueError for wiring that the board or the kernel refuses.
    """

    def __init__(self, manifest, image, program, pins):
        self.error = None
        self.stopping = False
        self.observe = self.stimulus = None
        self.collector = Collector(None)
        self._enter = program.enter
        tasks = manifest["tasks"]
        exchange = Exchange(manifest.get("io"), image.data, tasks, manifest.get("areas", {}), pins)
        self.exchange = exchange
        entries, room = manifest.get("mailbox", (128, 512))
        self._free = [
            k for k in range(len(tasks)) if not tasks[k]["interval_ns"] and not tasks[k]["single"]
        ]
        self._telltale = _telltale()
        length = self._enter(0, _LENGTH)
        plan = (manifest, tasks, exchange, entries, room, length, len(image.data))
        counted = _Tables(0, None)
        self._lay(counted, plan)
        self._block = block = _last_block(counted.at + 8)
        base = uctypes.addressof(block) + 7 & ~7
        words = _words(base, counted.at // 4)
        self.words = words
        self._base = base
        self._lay(_Tables(base, words), plan)
        code = uctypes.bytearray_at(self._enter(0, _BASE), length)
        uctypes.bytearray_at(base + self._code_at, length)[:] = code
        moved = uctypes.bytearray_at(base + self._image_at, len(image.data))
        moved[:] = image.data
        self.image = im.Image(moved, image.tasks)
        self.mailbox = _KernelMailbox(self.image, entries, room, self._handed)
        self._started = False
        self._priorities = None

    # Tables.

    def _lay(self, tables, plan):
        """Puts everything into `tables`; the same twice: to count, then for good."""
        manifest, tasks, exchange, entries, room, length, image_size = plan
        words = tables.words
        tables.take(_KERNEL_WORDS)
        order = (
            sorted(
                [k for k in range(len(tasks)) if k not in self._free],
                key=lambda k: (tasks[k]["priority"], k),
            )
            + self._free
        )
        first = tables.take(_TASK_WORDS * len(order))
        self._code_at = 4 * tables.take((length + 3) // 4)
        tables.take(tables.at // 4 & 1)  # the image is aligned to 8 bytes
        self._image_at = 4 * tables.take((image_size + 7) // 8 * 2)
        m = tables.base + self._image_at
        forces = tables.take(3 * _FORCE_ROWS)
        self._force_at = forces
        offsets = tables.take(entries)
        lengths = tables.take((entries + 1) // 2)
        mail_bytes = tables.take((room + 3) // 4)
        self._mail_at = (4 * offsets, 4 * lengths, 4 * mail_bytes)
        places = {}
        for channels in exchange.inputs:
            for channel in channels:
                if id(channel) not in places:
                    places[id(channel)] = tables.put(_input_words(channel))
        for channel in exchange.all_outputs():
            places[id(channel)] = tables.put(_output_words(channel))
        levels = []
        for n, k in enumerate(order):
            row = tasks[k]
            if row["priority"] not in levels and k not in self._free:
                levels.append(row["priority"])
            lists = [
                self._list(tables, places, exchange.inputs[k], True),
                self._list(tables, places, exchange.outputs[k], True),
                self._list(tables, places, exchange.inputs[k], False),
                self._list(tables, places, exchange.outputs[k], False),
            ]
            changes = _fault_changes(manifest, row, exchange, k, places)
            where = tables.put([word for change in changes for word in change])
            if words is None:
                continue
            at = first + n * _TASK_WORDS
            ns = row["interval_ns"]
            words[at + _INTERVAL_NS] = ns & 0xFFFFFFFF
            words[at + _INTERVAL_NS + 1] = ns >> 32
            words[at + _NUMBER] = k
            level = 3 if k in self._free else min(2, levels.index(row["priority"]))
            words[at + _LEVEL] = level
            words[at + _RECORD] = m + im.HEADER_SIZE + im.RECORD_SIZE * k
            words[at + _INTERVAL_US] = ns // 1000
            words[at + _INTERVAL_REST] = ns % 1000
            words[at + _ON_OVERRUN] = row.get("on_overrun") == "fault"
            words[at + _WATCHDOG_US] = (row.get("watchdog_ms") or 0) * 1000
            if row["single"]:
                words[at + _SINGLE] = row["single"][0]
                words[at + _SINGLE_MASK] = 1 << row["single"][1]
            words[at + _INPUTS] = lists[0]
            words[at + _TASK_OUTPUTS] = lists[1]
            words[at + _ANALOGUE_INPUTS] = lists[2]
            words[at + _TASK_ANALOGUE_OUTPUTS] = lists[3]
            words[at + _FAULT_CHANGES] = where
            words[at + _FAULT_COUNT] = len(changes)
        digital = self._list(tables, places, exchange.all_outputs(), True)
        analogue = self._list(tables, places, exchange.all_outputs(), False)
        if words is None:
            return
        for index, value in (
            (_M, m),
            (_CODE, tables.base + self._code_at),
            (_TASKS, len(order)),
            (_TASK, tables.address(first)),
            (_TIMER, 0x40054000),
            (_ALARM, _ALARM_NUMBER),
            (_ALARM_IRQ, _ALARM_NUMBER),
            (_SPARE_IRQ, _FIRST_SPARE),
            (_GPIO_IN, 0xD0000004),
            (_GPIO_SET, 0xD0000014),
            (_GPIO_CLEAR, 0xD0000018),
            (_ADC, 0x4004C000),
            (_OUTPUTS, digital),
            (_ANALOGUE_OUTPUTS, analogue),
            (_FORCE, tables.address(forces)),
            (_MAIL_OFFSETS, tables.address(offsets)),
            (_MAIL_LENGTHS, tables.address(lengths)),
            (_MAIL_BYTES, tables.address(mail_bytes)),
            (_PATIENCE_US, _PATIENCE),
            (_TELLTALE, self._telltale[0]),
            (_TELLTALE_MASK, self._telltale[1]),
            (_STACK_LOW, 0xFFFFFFFF),
        ):
            words[index] = value

    def _list(self, tables, places, channels, digital):
        """A list of addresses that ends in 0."""
        found = []
        for channel in channels:
            if isinstance(channel, (DigitalInput, DigitalOutput)) == digital:
                found.append(places[id(channel)])
        found.append(0)
        return tables.put(found)

    # Running.

    def _start(self, scans, until_ns):
        words = self.words
        words[_RELEASES_LEFT] = 0xFFFFFFFF if scans is None else scans
        until_ns = (1 << 64) - 1 if until_ns is None else until_ns
        words[_UNTIL] = until_ns & 0xFFFFFFFF
        words[_UNTIL + 1] = until_ns >> 32
        # Interrupts of MicroPython below the tasks; NVIC_IPR0 to 7 take whole words only.
        mem32 = machine.mem32
        self._priorities = [mem32[0xE000E400 + 4 * k] & 0xFFFFFFFF for k in range(8)]
        levels = bytearray(b"\xc0" * 32)
        levels[_ALARM_NUMBER] = 0
        levels[_FIRST_SPARE] = 0x40
        levels[_FIRST_SPARE + 1] = 0x80
        for k in range(8):
            mem32[0xE000E400 + 4 * k] = struct.unpack_from("<I", levels, 4 * k)[0]
        self._started = True
        self._enter(self._base, _START)

    async def run(self, scans=None, until_ns=None):
        """Runs for `scans` release instants, until `until_ns` of logical time, or for ever.

        Returns how many release instants there were, after all outputs were driven to their safe
        state; also when it is cancelled or `stopping` was set, and when every task has faulted.
        """
        words = self.words
        pause_ms = 0 if self._free else 4
        try:
            self._start(scans, until_ns)
            while words[_RUNNING] and not self.stopping:
                words[_HEARTBEAT] = (words[_HEARTBEAT] + 1) & 0x3FFFFFFF
                if self.mailbox.count and not words[_MAILS]:
                    self._hand_over()
                for k in self._free:
                    words[_FREEWHEELING] = k
                    self._enter(self._base, _SCAN)
                await asyncio.sleep_ms(pause_ms)
        finally:
            self.stop()
        return self.image.words[im.RELEASES]

    def _handed(self):
        return self.words[_MAILS] != 0

    def _hand_over(self):
        """Gives the kernel what waits in the mailbox, to be applied at the next release."""
        box = self.mailbox
        count = box.count
        base = self._base
        at = self._mail_at
        uctypes.bytearray_at(base + at[0], 4 * count)[:] = memoryview(box._offsets)[:count]
        uctypes.bytearray_at(base + at[1], 2 * count)[:] = memoryview(box._lengths)[:count]
        uctypes.bytearray_at(base + at[2], box._used)[:] = memoryview(box._bytes)[: box._used]
        box._used = 0
        box.count = 0
        self.words[_MAILS] = count

    def stop(self):
        """Ends the scans and drives all outputs to their safe state; the image stays."""
        if self._started:
            self._enter(self._base, _STOP)
            if self._priorities is not None:
                for k in range(8):
                    machine.mem32[0xE000E400 + 4 * k] = self._priorities[k]
                self._priorities = None
        self.exchange.make_safe()

    def force(self, rows):
        """Forces bits: rows of (offset, mask, value), imposed around every scan; none ends it."""
        if len(rows) > _FORCE_ROWS:
            raise ValueError("no more than %d bytes can be forced" % _FORCE_ROWS)
        words = self.words
        words[_FORCES] = 0
        at = self._force_at
        for row in rows:
            for value in row:
                words[at] = value
                at += 1
        words[_FORCES] = len(rows)

    def time_ns(self):
        """Logical time after the latest release, as far as its task is periodic."""
        latest = 0
        for k in range(self.image.tasks):
            record = im.read_task(self.image.data, k)
            latest = max(latest, record["release"])
        return latest

    def why_stopped(self):
        """In words, "" while it runs."""
        return REASONS[self.words[_STOPPED]]


def _pin(name):
    return int("".join(c for c in name if c.isdigit()))


def _input_words(channel):
    row = channel.row
    if isinstance(channel, AnalogueInput):
        return [_pin(row["adc"]) - 26, channel.offset] + _scale_words(channel)
    bit = row.get("bit")
    bits = 0 if bit is None else 1 << bit
    inverted = 1 if row.get("invert") else 0
    filter_us = row.get("filter_ms", 0) * 1000
    return [1 << _pin(row["pin"]), channel.offset, bits, inverted, filter_us, 2, 0, 0]


def _output_words(channel):
    row = channel.row
    if isinstance(channel, DigitalOutput):
        bit = row.get("bit")
        bits = 0xFF if bit is None else 1 << bit
        inverted = 1 if row.get("invert") else 0
        safe = 1 if row.get("safe") else 0
        return [1 << _pin(row["pin"]), channel.offset, bits, inverted, safe, 0]
    pin = _pin(row["pwm"])
    # The slice's compare register; its wrap value is the word behind (RP2040 data sheet 4.5.3).
    compare = 0x4005000C + 0x14 * (pin >> 1 & 7)
    shift = 16 * (pin & 1)
    size, low, span, sign = _scale_words(channel)
    top = (machine.mem32[compare + 4] & 0xFFFF) + 1
    safe = machine.mem32[compare] >> shift & 0xFFFF
    signed = 1 if channel._signed else 0
    return [compare, shift, top, channel.offset, size, signed, low, span, sign, 0, safe]


def _scale_words(channel):
    if channel._span > _SPAN_MAX:
        raise ValueError(
            "channel %s: the scale spans more than %d, the most for the native scan kernel"
            % (channel.row["address"], _SPAN_MAX)
        )
    return [channel._size, channel._low, channel._span, channel._sign]


def _fault_changes(manifest, task, exchange, k, places):
    """What a fault of task `k` does to the image and to pins, as words of `change`."""
    ranges = task["outputs"]
    changes = []
    for row in ranges:
        mask = row[2] if len(row) > 2 else 0xFF
        for offset in range(row[0], row[0] + row[1]):
            changes.append((offset, mask, 0))
    changes.extend(_safe_rows(manifest.get("safe", ()), ranges))
    for channel in exchange.outputs[k]:
        if channel in exchange.shared:
            digital = isinstance(channel, DigitalOutput)
            changes.append((0x80000000, 0 if digital else 1, places[id(channel)]))
            continue
        safe = channel.row.get("safe") or 0
        if isinstance(channel, DigitalOutput):
            bit = channel.row.get("bit")
            mask = 0xFF if bit is None else 1 << bit
            changes.append((channel.offset, mask, (1 if bit is None else mask) if safe else 0))
        else:
            for n in range(channel._size):
                changes.append((channel.offset + n, 0xFF, safe >> 8 * n & 0xFF))
    return changes
