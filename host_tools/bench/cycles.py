"""What a release of an empty task costs: every instruction of the kernel's interrupts, counted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from host_tools.bench.stand import Stand
from host_tools.failure import DEVICE, Failure

if TYPE_CHECKING:
    from host_tools.pico import EmulatedPico

# Exception numbers: interrupt 1 is the kernel's alarm, 26 to 28 run the scans (kernel.py).
ALARM = 16 + 1
LEVELS = (16 + 26, 16 + 27, 16 + 28)
_WARM_UP = 20


def empty_release(
    pico: EmulatedPico, stand: Stand, name: str = "empty", releases: int = 40
) -> dict[str, Any]:
    """The part "release" of the report, from a run of a program with one empty task."""
    stand.restart()
    code = stand.opening(name) + Stand.running(10)
    console = stand.link.start(code)
    line = next((text for text in console.lines(quiet_s=5) if text.startswith("[")), None)
    if line is None:
        raise Failure("the bench's empty program does not start", "", DEVICE)
    record_at = json.loads(line)[3] + 80

    def scans() -> int:
        return int(pico.mcu.read_uint32(record_at))

    if not pico.run_until(lambda: scans() >= _WARM_UP, 5):
        raise Failure("the bench's empty program does not scan", "", DEVICE)
    last = scans() + releases

    def steps() -> Iterator[tuple[int, int]]:
        while scans() < last or pico.mcu.core.ipsr:
            yield pico.step()

    found = release_cycles(steps())
    return found


def release_cycles(steps: Iterable[tuple[int, int]]) -> dict[str, Any]:
    """From (exception number, cycles) of each instruction: cycles of the kernel's interrupts from
    the first to the last of an activation; with a scan, and without."""
    releases: list[int] = []
    checks: list[int] = []
    cycles, scanned = 0, False
    for number, taken in steps:
        if number == ALARM or number in LEVELS:
            cycles += taken
            scanned = scanned or number in LEVELS
        elif cycles:
            (releases if scanned else checks).append(cycles)
            cycles, scanned = 0, False
    # The last one may be cut off.
    return {
        "releases": len(releases),
        "cycles": round(sum(releases) / len(releases)) if releases else None,
        "max_cycles": max(releases, default=None),
        "checks": len(checks),
        "check_cycles": round(sum(checks) / len(checks)) if checks else None,
    }
