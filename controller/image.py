"""The process image: its header and task records (docs/image.md), made, updated and read.

Whatever a scan calls here allocates nothing on a board: views are made once, 64-bit values are
added up sixteen bits at a time, and a memoryview is copied into another one. What remains: 32-bit
MicroPython keeps integers within -2**30..2**30-1 for free, so a counter beyond that (12 days of a
1 ms task) costs 16 bytes each time it is counted on.
"""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):  # type: ignore[misc]
        return value


MAGIC = b"TAKT"
VERSION = const(2)
HEADER_SIZE = const(80)
RECORD_SIZE = const(160)

STOPPED = const(0)
RUNNING = const(1)
FAULTED = const(2)

# Header fields as indices of 32-bit words.
SEQUENCE = const(4)
STATE = const(5)
RELEASES = const(8)
FAULT_CODE = const(10)
FAULT_POSITION = const(11)
FAULT_TASK = const(12)
FAULT_SCAN = const(13)

# Header fields in bytes.
NOW = const(24)
_FAULT_TIME = const(56)

# Task record fields as 32-bit words from its start.
_SCANS = const(0)
_OVERRUNS = const(1)
_SKIPPED = const(2)
_STATE = const(3)
_EXEC_LAST = const(4)
_EXEC_MIN = const(5)
_EXEC_MAX = const(6)
_FAULT_CODE = const(7)
_LATENCY_LAST = const(8)
_LATENCY_MIN = const(9)
_LATENCY_MAX = const(10)
_HISTOGRAM = const(14)
_BUCKETS = const(24)

# Task record fields in bytes.
_EXEC_TOTAL = const(48)
_RELEASE = const(152)

_U32 = const(0xFFFFFFFF)
_SMALL = const(0x3FFFFFFF)

# Format of module struct by the kind of a scalar (host_tools/compiler/ir.py).
FORMATS = {
    "b1": "<B",
    "u8": "<B",
    "i8": "<b",
    "u16": "<H",
    "i16": "<h",
    "u32": "<I",
    "i32": "<i",
    "u64": "<Q",
    "i64": "<q",
    "f32": "<f",
    "f64": "<d",
}

try:
    import uctypes

    def _view(data, size):
        kind = uctypes.UINT32 if size == 4 else uctypes.UINT16
        # Indexing this touches the bytes of `data` in place, as a cast memoryview would.
        layout = (uctypes.ARRAY | 0, kind | (len(data) // size))
        return uctypes.struct(uctypes.addressof(data), layout)

except ImportError:  # CPython

    def _view(data, size):
        whole = len(data) // size * size
        return memoryview(data)[:whole].cast("I" if size == 4 else "H")


class _Slicer:
    def __getitem__(self, what):
        return what


# `view[:]` makes a slice each time, 16 bytes in MicroPython 1.25; this one is there already.
WHOLE = _Slicer()[:]


def halves(data):
    """A view of `data` as unsigned 16-bit integers."""
    return _view(data, 2)


def add64(halves, at, value):
    """Adds `value` >= 0 to the 64-bit integer whose lowest 16 bits are halves[at]; wraps."""
    end = at + 4
    while value and at < end:
        value += halves[at]
        halves[at] = value & 0xFFFF
        value >>= 16
        at += 1


class Image:
    """The bytearray `data` and the views into it; `tasks` is how many task records it has.

    Every scan and counter goes through `words` (32 bits) and `halves` (16 bits).
    """

    def __init__(self, data, tasks):
        self.data = data
        self.tasks = tasks
        self.words = _view(data, 4)
        self.halves = _view(data, 2)
        self.now = memoryview(data)[NOW : NOW + 8]


def create(size, tasks, layout, initial):
    """A new Image of `size` bytes with `tasks` task records.

    `layout` is the layout's hash, 8 bytes; `initial` the bundle's part of that name: runs of u32
    offset, u32 length and the bytes, over zeros. Raises ValueError, saying what is wrong, if a run
    leaves the image or the part ends in the middle of one.
    """
    if size < HEADER_SIZE + RECORD_SIZE * tasks:
        raise ValueError("an image of %d bytes is too small for %d tasks" % (size, tasks))
    data = bytearray(size)
    at = 0
    end = len(initial)
    source = memoryview(initial)
    while at < end:
        if at + 8 > end:
            raise ValueError("the initial image ends in the middle of a run")
        offset, length = struct.unpack_from("<II", initial, at)
        at += 8
        if at + length > end:
            raise ValueError("the initial image ends in the middle of a run")
        if offset + length > size:
            raise ValueError("the initial image has a run that ends outside the image")
        data[offset : offset + length] = source[at : at + length]
        at += length
    for k in range(HEADER_SIZE + RECORD_SIZE * tasks):
        data[k] = 0
    struct.pack_into("<4sHH8s", data, 0, MAGIC, VERSION, tasks, layout)
    return Image(data, tasks)


class TaskRecord:
    """One task's record: counts scans, times, overruns, skipped releases; allocates nothing."""

    def __init__(self, image, index):
        at = HEADER_SIZE + RECORD_SIZE * index
        self._words = image.words
        self._halves = image.halves
        self._at = at // 4
        self._total = (at + _EXEC_TOTAL) // 2
        self._release = (at + _RELEASE) // 2
        self.release = memoryview(image.data)[at + _RELEASE : at + _RELEASE + 8]

    def scans(self):
        return self._words[self._at]

    def advance(self, ns):
        """Moves the logical time of the task's latest release on."""
        add64(self._halves, self._release, ns)

    def scanned_virtually(self):
        """Counts a scan that took no time and began in time."""
        # As _count, without the call.
        words = self._words
        at = self._at
        n = words[at] + 1
        words[at] = n if n <= _SMALL else n & _U32
        at += _HISTOGRAM
        n = words[at] + 1
        words[at] = n if n <= _SMALL else n & _U32

    def scanned(self, exec_us, latency_us):
        """Counts a scan and its times, µs."""
        words = self._words
        at = self._at
        n = words[at] + 1
        first = n == 1
        words[at] = n if n <= _SMALL else n & _U32
        words[at + _EXEC_LAST] = exec_us
        if first or exec_us < words[at + _EXEC_MIN]:
            words[at + _EXEC_MIN] = exec_us
        if exec_us > words[at + _EXEC_MAX]:
            words[at + _EXEC_MAX] = exec_us
        add64(self._halves, self._total, exec_us)
        words[at + _LATENCY_LAST] = latency_us
        if first or latency_us < words[at + _LATENCY_MIN]:
            words[at + _LATENCY_MIN] = latency_us
        if latency_us > words[at + _LATENCY_MAX]:
            words[at + _LATENCY_MAX] = latency_us
        at += _HISTOGRAM
        last = at + _BUCKETS - 1
        while latency_us and at < last:
            latency_us >>= 1
            at += 1
        _count(words, at)

    def overran(self):
        _count(self._words, self._at + _OVERRUNS)

    def skipped(self, releases):
        at = self._at + _SKIPPED
        self._words[at] = (self._words[at] + releases) & _U32

    def faulted(self, code):
        self._words[self._at + _STATE] = FAULTED
        self._words[self._at + _FAULT_CODE] = code


def _count(words, at):
    # The mask is beyond what 32-bit MicroPython keeps for free, hence only where it is needed.
    n = words[at] + 1
    words[at] = n if n <= _SMALL else n & _U32


def record_fault(image, code, position, task, scan):
    """Enters a fault into the header, unless one is there already: the first one is kept."""
    words = image.words
    words[STATE] = FAULTED
    if words[FAULT_CODE] == 0:
        words[FAULT_CODE] = code
        words[FAULT_POSITION] = position
        words[FAULT_TASK] = task
        words[FAULT_SCAN] = scan
        image.data[_FAULT_TIME : _FAULT_TIME + 8] = image.now


def read_header(data):
    """The header as a dict by the names of docs/image.md; for reports, it allocates."""
    names = ("sequence", "state", "now", "releases")
    header = dict(zip(names, struct.unpack_from("<IIqI", data, 16)))
    header["tasks"] = struct.unpack_from("<H", data, 6)[0]
    header["layout"] = bytes(data[8:16])
    header["fault"] = read_fault(data)
    return header


def read_fault(data):
    """The fault record of the header as a dict, or None. `source` and `line` say where."""
    code, position, task, scan, time_ns = struct.unpack_from("<IIIIq", data, 40)
    if not code:
        return None
    return {
        "code": code,
        "source": position >> 22,
        "line": position & 0x3FFFFF,
        "task": task,
        "scan": scan,
        "time_ns": time_ns,
    }


def read_task(data, index):
    """Task record `index` as a dict by the names of docs/image.md; for reports, it allocates."""
    at = HEADER_SIZE + RECORD_SIZE * index
    names = (
        "scans",
        "overruns",
        "skipped",
        "state",
        "exec_last",
        "exec_min",
        "exec_max",
        "fault_code",
        "latency_last",
        "latency_min",
        "latency_max",
    )
    record = dict(zip(names, struct.unpack_from("<11I", data, at)))
    record["exec_total"] = struct.unpack_from("<Q", data, at + _EXEC_TOTAL)[0]
    record["histogram"] = list(struct.unpack_from("<24I", data, at + 4 * _HISTOGRAM))
    record["release"] = struct.unpack_from("<q", data, at + _RELEASE)[0]
    return record
