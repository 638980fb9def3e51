"""A controller with virtual pins in virtual time: the portable scheduler, release by release.

It runs in this process (host.py) and, the same file, in a MicroPython process that is told over
its pipes what to do (micropython.py). Pins carry levels and volts as on a board, so that `invert`,
`filter_ms`, `pull` and `scale` of takt.toml are at work.
"""

import binascii
import sys

try:  # noqa: SIM105
    from typing import Any
except ImportError:  # MicroPython, which does not look at annotations
    pass

from controller.io import Exchange
from controller.mailbox import Mailbox
from controller.scheduler import Scheduler

FULL_SCALE_V = 3.3
"""Of the converter, and the height of a PWM output."""


def converted(volts: float | None) -> int:
    """What a 12-bit converter reads, as `machine.ADC.read_u16` gives it: RP2040's port."""
    counts = int(min(max(volts or 0.0, 0.0), FULL_SCALE_V) / FULL_SCALE_V * 4095 + 0.5)
    return counts << 4 | counts >> 8


_LEVELS = {"high": True, "low": False, "open": None}


class Pins:
    """The provider of controller/io.py. `applied` is what the outside drives, by pin: a level,
    None for open, or volts; `driven` what the program drives; `changes` collects (ns, pin, value)
    of the latter, at the time `now_ns`."""

    def __init__(self, applied: dict[str, Any]) -> None:
        self.applied = applied
        self.driven: dict[str, Any] = {}
        self.changes: list[tuple[int, str, Any]] = []
        self.now_ns = 0
        self._inputs: dict[str, Any] = {}

    def write(self, pin: str, value: Any) -> None:
        self.applied[pin] = value
        if pin in self._inputs:
            cell, taken = self._inputs[pin]
            cell[0] = taken(value)

    def _input(self, name: str, taken: Any) -> Any:
        cell = [taken(self.applied.get(name))]
        self._inputs[name] = (cell, taken)
        return lambda: cell[0]

    def _output(self, name: str, value: Any) -> None:
        self.driven[name] = value
        self.changes.append((self.now_ns, name, value))

    def digital_in(self, name: str, pull: str | None) -> Any:
        rest = 1 if pull == "up" else 0
        return self._input(name, lambda level: rest if level is None else 1 if level else 0)

    def digital_out(self, name: str, initial: int) -> Any:
        def drive(level: int) -> None:
            value = level != 0
            if value is not self.driven[name]:
                self._output(name, value)

        self._output(name, initial != 0)
        return drive

    def adc(self, name: str) -> Any:
        return self._input(name, converted)

    def pwm(self, name: str, freq: int) -> Any:
        def drive(duty: int) -> None:
            volts = duty * FULL_SCALE_V / 65535
            if volts != self.driven[name]:
                self._output(name, volts)

        self._output(name, 0.0)
        return drive


class Stepped:
    """A program that has been started at `start_ns` of the device's time."""

    def __init__(
        self, manifest: Any, image: Any, program: Any, applied: dict[str, Any], start_ns: int
    ) -> None:
        self.manifest = manifest
        self.image = image
        self.start_ns = start_ns
        self.pins = Pins(applied)
        self.pins.now_ns = start_ns
        self.write = self.pins.write
        tasks = manifest["tasks"]
        self.mailbox: Any = Mailbox(image, *manifest.get("mailbox", ()))
        areas = manifest.get("areas", {})
        exchange = Exchange(manifest.get("io"), image.data, tasks, areas, self.pins)
        safe = manifest.get("safe", ())
        self.scheduler: Any = Scheduler(image, tasks, program, exchange, self.mailbox, safe=safe)

    def run(self, until_ns: int) -> int:
        """Serves the release instants before `until_ns`, ending after one that changes an output;
        the time that was reached."""
        scheduler = self.scheduler
        pins = self.pins
        start_ns = self.start_ns
        until_ns -= start_ns
        while True:
            at_ns: int = scheduler.time_ns()
            if at_ns >= until_ns:
                break
            pins.now_ns = start_ns + at_ns
            scheduler.run_virtual(None, at_ns + 1)
            if pins.changes:
                return pins.now_ns
            if scheduler.time_ns() <= at_ns:
                break  # every task has faulted
        return start_ns + until_ns

    def taken(self) -> list[tuple[int, str, Any]]:
        """The changes since the last call."""
        changes = self.pins.changes
        self.pins.changes = []
        return changes

    def post(self, offset: int, data: bytes, mask: int | None = None) -> None:
        """Write bytes, or bits of one, before the next scan."""
        if mask is None:
            self.mailbox.post(offset, data)
        else:
            self.mailbox.post_bits(offset, mask, data[0])

    def error(self) -> str | None:
        error = self.scheduler.error
        return None if error is None else repr(error)


def serve(directory: str) -> None:
    """The other end of micropython.py: takes lines from stdin, answers with messages.

    w PIN VALUE     apply: high, low, open or volts          c     power off
    r NS            run until then     -> ran                 o NS  power on at that time -> ran
    p OFFSET HEX [MASK]  post                                 i     -> image
    """
    from controller import bundle
    from controller.session import hexed, tell

    applied: dict[str, Any] = {}
    stepped: Any = None

    def ran(now_ns: int) -> None:
        tell({"is": "ran", "now": now_ns, "changes": stepped.taken()})

    while True:
        words = sys.stdin.readline().split()
        if not words:
            return
        what = words[0]
        if what == "w":
            value = _LEVELS[words[2]] if words[2] in _LEVELS else float(words[2])
            if stepped is None:
                applied[words[1]] = value
            else:
                stepped.write(words[1], value)
        elif what == "r":
            ran(stepped.run(int(words[1])))
        elif what == "p":
            mask = int(words[3]) if len(words) > 3 else None
            stepped.post(int(words[1]), binascii.unhexlify(words[2]), mask)
        elif what == "c":
            stepped = None
            sys.modules.pop("program", None)
        elif what == "o":
            manifest, image, program = bundle.load(directory)
            stepped = Stepped(manifest, image, program, applied, int(words[1]))
            ran(stepped.start_ns)
        elif what == "i":
            data = stepped.image.data
            tell({"is": "image", "hex": hexed(data), "error": stepped.error()})
