"""The bench on the emulated Pico: everything there is to measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from host_tools.bench import releases, speed
from host_tools.bench.costs import change_one_line, sizes, turnaround
from host_tools.bench.cycles import empty_release
from host_tools.bench.stand import Load, Stand, bench_bundle, slot_files
from host_tools.board_link import PicoLink
from host_tools.bundle import Bundle
from host_tools.deployment import install_runtime
from host_tools.failure import DEVICE, Failure

PYTHON_PROGRAMS = ("integers", "machines", "nested")
_PYTHON_SCANS = 3
NOTES = [
    "the time that the flash needs to erase and program: the emulator does it at once, so a stall "
    "by a flash operation is shorter here than on a board",
    "cycles of the entry to interrupts and the return from them: the emulator counts none",
]
Say = Callable[[str], None]


def stand_on(link: PicoLink, bundles: dict[str, Bundle]) -> Stand:
    """An emulated board with runtime and programs in its flash, freshly booted."""
    runtime = install_runtime(link, lambda text: None)
    link.put(slot_files(bundles))

    def restart() -> None:
        link.pico.reset()
        link.pico.boot()

    return Stand(link, restart, runtime.use)


def measure(link: PicoLink, parts: Sequence[str], seconds: float, say: Say) -> dict[str, Any]:
    """The parts of the report that were asked for. Raises Failure."""
    bundles = {
        name: bench_bundle(name)
        for part, name in (
            ("size", "tank"),
            ("determinism", "three_tasks"),
            ("ten_khz", "points"),
            ("release", "empty"),
        )
        if part in parts
    }
    python_names = PYTHON_PROGRAMS if "speed" in parts else ()
    for name in python_names:
        bundles[name] = speed.compiled(name, "python").bundle()
    stand = stand_on(link, bundles)
    report: dict[str, Any] = {}
    if "size" in parts:
        say("size")
        report["size"] = sizes(bundles["tank"], stand.open("tank"))
    if "speed" in parts:

        def python_cycles(name: str) -> float:
            taken = stand.python_us(name, _PYTHON_SCANS, speed.INTERVAL_NS)
            return sum(taken) / len(taken) * link.pico.mcu.clk_sys / 1e6

        report["speed"] = speed.measure(
            speed.program_names(), speed.SCANS, python_cycles, python_names, say
        )
    if "determinism" in parts:
        say("determinism: idle")
        pico = link.pico
        idle = releases.phase(*releases.run_watched(pico, stand, "three_tasks", seconds, None))
        say("determinism: under load")
        loaded = releases.run_watched(pico, stand, "three_tasks", seconds, Load())
        report["determinism"] = releases.determinism(idle, releases.phase(*loaded))
    if "ten_khz" in parts:
        say("the 100 µs task")
        stand.open("points")
        report["ten_khz"] = releases.points(stand.run(seconds / 4))
    if "release" in parts:
        say("the release of an empty task")
        report["release"] = empty_release(link.pico, stand)
    if "turnaround" in parts:
        say("turn-around")
        report["turnaround"] = _turnaround(link)
    for part in ("determinism", "ten_khz"):
        if part in report and (found := report[part].get("fault")):
            raise Failure(f"the bench's program faults: {found}", "", DEVICE)
    return report


def _turnaround(link: PicoLink) -> dict[str, Any]:
    changed = change_one_line()
    link.pico.reset()
    link.pico.boot()
    link.upload = True
    try:
        return turnaround(changed, link, None, lambda: link.pico.time_ns)
    finally:
        link.upload = False
