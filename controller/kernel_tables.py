"""Makes the tables of the native scan kernel: code, tables and image in one block.

It lies at the end of the heap, as far from what a soft reset overwrites first as can be. Loaded
for the start alone: controller.session forgets it with all that only a start needs.
"""

import gc

import machine
import uctypes

from controller import image as im
from controller.image import const
from controller.io import AnalogueInput, DigitalInput, DigitalOutput, Exchange, safe_rows

# Words of the kernel and of a task (kernel.h).
_M = const(3)
_CODE = const(4)
_TASKS = const(6)
_TASK = const(7)
_TIMER = const(8)
_GPIO_IN = const(12)
_GPIO_SET = const(13)
_GPIO_CLEAR = const(14)
_TELLTALE = const(15)
_TELLTALE_MASK = const(16)
_FIRST = const(17)
_SPARE_IRQ = const(20)
_ADC = const(21)
_OUTPUTS = const(22)
_ANALOGUE_OUTPUTS = const(23)
_FORCE = const(25)
_MAIL_OFFSETS = const(27)
_MAIL_LENGTHS = const(28)
_MAIL_BYTES = const(29)
_PATIENCE_US = const(34)
_SLOT = const(47)
_KERNEL_WORDS = const(58)

_INTERVAL_NS = const(0)
_NUMBER = const(6)
_LEVEL = const(7)
_RECORD = const(8)
_INTERVAL_US = const(9)
_INTERVAL_REST = const(10)
_RARE = const(16)
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
_FURTHER = const(29)
_SPARE_BIT = const(30)
_LIMIT_US = const(31)
_KIND = const(32)
_TASK_WORDS = const(34)
# Of `kind` and `rare`.
_PLAIN = const(1)
_GRID = const(2)
_FAR = const(3)
_FAR_NS = const(1 << 40)
_RARE_ANALOGUE = const(16)
_RARE_FIRST = const(32)

# Operations of the machine code, beyond the numbers of tasks.
_BASE = const(257)
_LENGTH = const(258)

_HARD_FAULT = const(3)
_ALARM_NUMBER = const(1)  # 2 and 3 are MicroPython's
_FIRST_SPARE = const(26)  # RP2040 data sheet 2.3.2: 26 to 31 are not connected
_PATIENCE = const(10000000)  # µs without a sign of Python before all is made safe
FORCE_ROWS = 16
_SPAN_MAX = const(0x7FFFFF)


class _Space:
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


def _fits(size):
    # In a frame of its own: what is left on the stack keeps memory from being collected.
    try:
        bytearray(size)
        return True
    except MemoryError:
        return False


def _last_block(size):
    """A bytearray of `size` bytes as near to the end of the heap as possible."""
    gc.collect()
    low = 0
    high = gc.mem_free()
    while high - low > 256:  # the largest piece that is free
        middle = (low + high) // 2
        if _fits(middle):
            low = middle
        else:
            high = middle
    gc.collect()
    filler = []
    if low > size + 512:
        try:
            filler.append(bytearray(low - size - 512))
        except MemoryError:
            pass
    try:
        block = bytearray(size)
    except MemoryError:  # anywhere, rather than not at all
        filler.clear()
        gc.collect()
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
            # As slow as it goes: the clock divider ends at 65536.
            keeper = rp2.StateMachine(n, idle, freq=machine.freq() // 60000)
            keeper.active(1)
        except (ValueError, OSError):
            continue
        return 0x50200000 + (n >> 2 << 20), 1 << (n & 3), keeper
    raise ValueError("the scan kernel needs one state machine of a PIO, and all are in use")


def _words(address, count):
    return uctypes.struct(address, (uctypes.ARRAY | 0, uctypes.UINT32 | count))


def _move(enter, old, new):
    """Makes the function run the copy of its code, so that the original can be collected."""
    words = _words(id(enter), 4)
    for k in range(4):
        if words[k] == old:
            words[k] = new


class Tables:
    """The block and where things are in it, for a Kernel; `enter` runs the code of the block."""

    def __init__(self, manifest, image, program, pins):
        enter = program.enter
        tasks = manifest["tasks"]
        exchange = Exchange(manifest.get("io"), image.data, tasks, manifest.get("areas", {}), pins)
        entries, room = manifest.get("mailbox", (128, 512))
        self.free = [
            k for k in range(len(tasks)) if not tasks[k]["interval_ns"] and not tasks[k]["single"]
        ]
        self.telltale = _telltale()
        length = enter(0, _LENGTH)
        plan = (manifest, tasks, exchange, entries, room, length, len(image.data))
        counted = _Space(0, None)
        self._lay(counted, plan)
        self.block = block = _last_block(counted.at + 8)
        base = uctypes.addressof(block) + 7 & ~7
        words = _words(base, counted.at // 4)
        self.words = words
        self.base = base
        self._lay(_Space(base, words), plan)
        code = uctypes.bytearray_at(enter(0, _BASE), length)
        uctypes.bytearray_at(base + self._code_at, length)[:] = code
        moved = uctypes.bytearray_at(base + self._image_at, len(image.data))
        moved[:] = image.data
        self.image = im.Image(moved, image.tasks)
        self.mailbox = (entries, room)
        _move(enter, enter(0, _BASE), base + self._code_at)
        self.enter = enter

    def _lay(self, tables, plan):
        """Puts everything into `tables`; the same twice: to count, then for good."""
        manifest, tasks, exchange, entries, room, length, image_size = plan
        words = tables.words
        tables.take(_KERNEL_WORDS)
        order = (
            sorted(
                [k for k in range(len(tasks)) if k not in self.free],
                key=lambda k: (tasks[k]["priority"], k),
            )
            + self.free
        )
        first = tables.take(_TASK_WORDS * len(order))
        self._code_at = 4 * tables.take((length + 3) // 4)
        tables.take(tables.at // 4 & 1)  # the image is aligned to 8 bytes
        self._image_at = 4 * tables.take((image_size + 7) // 8 * 2)
        m = tables.base + self._image_at
        forces = tables.take(3 * FORCE_ROWS)
        self.force_at = forces
        offsets = tables.take(entries)
        lengths = tables.take((entries + 1) // 2)
        mail_bytes = tables.take((room + 3) // 4)
        self.mail_at = (4 * offsets, 4 * lengths, 4 * mail_bytes)
        places = {}
        for channels in exchange.inputs:
            for channel in channels:
                if id(channel) not in places:
                    places[id(channel)] = tables.put(_input_words(channel))
        for channel in exchange.all_outputs():
            places[id(channel)] = tables.put(_output_words(channel))
        levels = []
        chains = [0, 0, 0]  # of each level: the word that will point to its next task
        if words is not None:
            for level in range(3):
                chains[level] = _FIRST + level
                # Where it has none, one that is never pending there.
                words[_FIRST + level] = tables.address(first)
        for n, k in enumerate(order):
            row = tasks[k]
            if row["priority"] not in levels and k not in self.free:
                levels.append(row["priority"])
            lists = [
                self._list(tables, places, exchange.inputs[k], True, True),
                self._list(tables, places, exchange.outputs[k], True, True),
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
            level = 3 if k in self.free else min(2, levels.index(row["priority"]))
            words[at + _LEVEL] = level
            if level < 3:
                words[chains[level]] = tables.address(at)
                chains[level] = at + _FURTHER
            words[at + _RECORD] = m + im.HEADER_SIZE + im.RECORD_SIZE * k
            words[at + _INTERVAL_US] = ns // 1000 & 0xFFFFFFFF
            words[at + _INTERVAL_REST] = ns % 1000
            far = ns > _FAR_NS
            if ns:
                plain = not (ns % 1000 or row["single"])
                words[at + _KIND] = _FAR if far else _PLAIN if plain else _GRID
            words[at + _SPARE_BIT] = 1 << _FIRST_SPARE + level
            words[at + _ON_OVERRUN] = row.get("on_overrun") == "fault"
            watchdog_us = (row.get("watchdog_ms") or 0) * 1000
            words[at + _WATCHDOG_US] = watchdog_us
            interval_us = ns // 1000 if ns and not far else 0xFFFFFFFF
            words[at + _LIMIT_US] = min(interval_us, watchdog_us or interval_us)
            analogue = any(
                not isinstance(channel, (DigitalInput, DigitalOutput))
                for channels in (exchange.inputs[k], exchange.outputs[k])
                for channel in channels
            )
            words[at + _RARE] = _RARE_FIRST | (_RARE_ANALOGUE if analogue else 0)
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
        vectors = machine.mem32[0xE000ED08]  # VTOR (ARMv6-M, B3.2.5)
        for index, value in (
            (_M, m),
            (_CODE, tables.base + self._code_at),
            (_TASKS, len(order)),
            (_TASK, tables.address(first)),
            (_TIMER, 0x40054000),
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
            (_SLOT, vectors + 4 * (16 + _ALARM_NUMBER)),
            (_SLOT + 1, vectors + 4 * (16 + _FIRST_SPARE)),
            (_SLOT + 2, vectors + 4 * (16 + _FIRST_SPARE + 1)),
            (_SLOT + 3, vectors + 4 * (16 + _FIRST_SPARE + 2)),
            (_SLOT + 4, vectors + 4 * _HARD_FAULT),
            (_TELLTALE, self.telltale[0]),
            (_TELLTALE_MASK, self.telltale[1]),
        ):
            words[index] = value

    def _list(self, tables, places, channels, digital, or_none=False):
        """A list of addresses that ends in 0; 0 for an empty one with `or_none`."""
        found = []
        for channel in channels:
            if isinstance(channel, (DigitalInput, DigitalOutput)) == digital:
                found.append(places[id(channel)])
        if or_none and not found:
            return 0
        found.append(0)
        return tables.put(found)


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
    changes.extend(safe_rows(manifest.get("safe", ()), ranges))
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
