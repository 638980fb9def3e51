"""When the tasks of the emulated Pico start, and what a pin shows of it outside the chip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller import image as im
from host_tools.bench.figures import bucket_percentile, counted, percentile
from host_tools.bench.stand import Load, Opened, Stand
from host_tools.bench.traffic import Master, Traffic
from host_tools.record import field, record

if TYPE_CHECKING:
    from host_tools.pico import Edge, EmulatedPico

WATCHED_PIN = 2
INTERVAL_US = 1000
_TIMERAWL = 0x40054028  # RP2040 data sheet 4.6.5
_START_US = 38 * 4  # of the kernel's words (firmware/kernel/kernel.h)
_LATENCY_LAST = 32  # of a task record (docs/image.md)
_QSPI_SS = 1
# A flash operation keeps interrupts off for longer than the chip is selected: it goes back to
# execution in place afterwards, which takes up to 10 µs in the emulation.
_FLASH_MARGIN_NS = 20_000
# The chip is selected many times in one operation.
_FLASH_APART_NS = 50_000


@record()
class Observed:
    """What was seen of a task, scan by scan: `latencies_us` as the board counts, `edges_ns` the
    pin's change after the release instant, `in_flash`: the flash chip was selected in between, or
    until shortly before. `operations` are those of the flash."""

    latencies_us: list[int] = field(default_factory=list)
    edges_ns: list[int] = field(default_factory=list)
    in_flash: list[bool] = field(default_factory=list)
    operations: int = 0


class Observer:
    """Follows the first task of the program at its pin, without the program's knowing."""

    def __init__(self, pico: EmulatedPico, opened: Opened, interval_us: int = INTERVAL_US) -> None:
        self._pico = pico
        self._record = opened.image + im.HEADER_SIZE
        self._kernel = opened.kernel
        self._interval_us = interval_us
        self._edges: list[tuple[int, int]] = []  # when, and when the flash was selected last
        self._latencies: list[int] = []
        self._offset_ns = 1 << 62
        self._flash_ns = -(1 << 62)
        self._operations = 0
        self._on = True
        self._forget = pico.watch(WATCHED_PIN, self._edge)
        pico.mcu.qspi[_QSPI_SS].add_listener(self._selected)

    def _selected(self, *_: object) -> None:
        if self._on:
            now_ns = self._pico.time_ns
            self._operations += now_ns - self._flash_ns > _FLASH_APART_NS
            self._flash_ns = now_ns

    def _edge(self, edge: Edge) -> None:
        mcu = self._pico.mcu
        scans = mcu.read_uint32(self._record)
        if scans != len(self._edges):
            return  # outputs are made safe before the first scan and after the last one
        timer_ns = mcu.read_uint32(_TIMERAWL) * 1000
        self._offset_ns = min(self._offset_ns, edge.time_ns - timer_ns)
        self._edges.append((edge.time_ns, self._flash_ns))
        if scans:
            self._latencies.append(mcu.read_uint32(self._record + _LATENCY_LAST))

    def finish(self, last_latency_us: int) -> Observed:
        """What was seen; `last_latency_us` is the record's, after the last scan."""
        self._forget()
        self._on = False
        first_us = self._pico.mcu.read_uint32(self._kernel + _START_US)
        first_ns = first_us * 1000 + self._offset_ns
        step_ns = self._interval_us * 1000
        due_ns = [first_ns + n * step_ns for n in range(len(self._edges))]
        pairs = list(zip(self._edges, due_ns, strict=True))
        return Observed(
            [*self._latencies, last_latency_us],
            [at - due for (at, _), due in pairs],
            [flash > due - _FLASH_MARGIN_NS for (_, flash), due in pairs],
            self._operations,
        )


def run_watched(
    pico: EmulatedPico, stand: Stand, name: str, seconds: float, load: Load | None
) -> tuple[dict[str, Any], Observed, Traffic | None]:
    """Run a program of the bench for virtual seconds: what it tells, what was seen, and under
    load what went over the serial line."""
    opened = stand.open(name)
    observer = Observer(pico, opened)
    master = Master(pico) if load else None
    told = stand.run(seconds, load)
    seen = observer.finish(told["tasks"][0]["latency_last"])
    return told, seen, master.finish() if master else None


def phase(
    told: dict[str, Any], seen: Observed | None, traffic: Traffic | None = None
) -> dict[str, Any]:
    """A run's part of the report. Latencies are those of the first, the fastest task: exact ones
    where they were seen one by one, else from its histogram."""
    tasks = told["tasks"]
    fast = tasks[0]
    found: dict[str, Any] = {
        "releases": fast["scans"],
        "overruns": sum(task["overruns"] for task in tasks),
        "skipped": sum(task["skipped"] for task in tasks),
        "fault": told["fault"],
        "histogram": fast["histogram"],
        "tasks": [_task(task) for task in tasks],
    }
    if told["rounds"]:
        found["load"] = dict(zip(("rounds", "files"), told["rounds"], strict=True))
    if traffic:
        found["modbus"] = traffic.summary()
    if seen is None:
        found["p9999_us"] = bucket_percentile(fast["histogram"], 99.99, fast["latency_max"])
        found["max_us"] = fast["latency_max"]
        return found
    found |= latencies(seen)
    found["edges"] = edges(seen)
    return found


def _task(task: dict[str, Any]) -> dict[str, Any]:
    keys = ("scans", "overruns", "skipped", "exec_max", "latency_min", "latency_max")
    return {key: task[key] for key in keys}


def latencies(seen: Observed) -> dict[str, Any]:
    """Percentile and maximum outside of flash operations, and what flash operations do."""
    pairs = list(zip(seen.latencies_us, seen.in_flash, strict=True))
    outside = [us for us, flash in pairs if not flash]
    inside = [us for us, flash in pairs if flash]
    longest = max(pairs, default=(0, False))
    return {
        "p9999_us": percentile(outside, 99.99) if outside else None,
        "max_us": max(outside, default=None),
        "counts": counted(outside),
        "flash": {
            "operations": seen.operations,
            "releases": len(inside),
            "max_us": max(inside, default=None),
        },
        "stall": {
            "us": longest[0],
            "cause": "flash operation" if longest[1] else "interrupts masked by the firmware",
        },
    }


def edges(seen: Observed) -> dict[str, Any]:
    """The pin's word on it: an edge comes when its latency and the scan are over, which takes the
    same time in every scan; `spread_us` says how far that is from true."""
    rest = [edge / 1000 - us for edge, us in zip(seen.edges_ns, seen.latencies_us, strict=True)]
    outside = [ns for ns, flash in zip(seen.edges_ns, seen.in_flash, strict=True) if not flash]
    return {
        "edges": len(rest),
        "min_us": round(min(outside, default=0) / 1000, 3),
        "max_us": round(max(outside, default=0) / 1000, 3),
        "after_start_us": [round(min(rest), 3), round(max(rest), 3)] if rest else None,
        "spread_us": round(max(rest) - min(rest), 3) if rest else None,
    }


def determinism(idle: dict[str, Any], load: dict[str, Any]) -> dict[str, Any]:
    """The part "determinism" of the report: its first figures are those under load."""
    keys = ("overruns", "skipped", "p9999_us", "max_us", "stall")
    return {**{key: load[key] for key in keys if key in load}, "idle": idle, "load": load}


def points(told: dict[str, Any], interval_us: int = 100) -> dict[str, Any]:
    """The part "ten_khz" of the report."""
    task = told["tasks"][0]
    return {"points": 64, "interval_us": interval_us, **_task(task), "fault": told["fault"]}
