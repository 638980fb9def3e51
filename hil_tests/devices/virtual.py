"""A device whose program is served release by release, and whose time stands still between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from controller import image as im
from hil_tests.device import Point
from hil_tests.devices.beat import Beat
from hil_tests.recording import Recording, Value
from host_tools.build import Program
from host_tools.simulation import fault_of
from host_tools.variables import Variables

Changes = list[tuple[int, str, Any]]
"""(ns of the device's time, pin, level or volts)."""


class Controller(Protocol):
    """hil_tests/devices/stepped.py, here or elsewhere."""

    def power_on(self, now_ns: int) -> Changes: ...

    def power_off(self) -> None: ...

    def run(self, until_ns: int) -> tuple[int, Changes]: ...

    def write(self, pin: str, value: Value) -> None: ...

    def post(self, offset: int, data: bytes, mask: int | None) -> None: ...

    def image(self) -> tuple[bytes, str | None]:
        """The image, and the exception behind an internal fault."""
        ...

    def close(self) -> None: ...


class VirtualDevice:
    """A `Device` (hil_tests/device.py). Scans take no time: an output changes at its release.

    The steps of `every` that are due at a release come before it; what is written at a time is
    seen by the release at that time.
    """

    capabilities = frozenset({"virtual-time", "power", "variables"})

    def __init__(self, kind: str, program: Program, controller: Controller) -> None:
        self.kind = kind
        self.recording = Recording()
        self._program = program
        self._controller = controller
        self._manifest = program.manifest()
        self._variables = Variables(program.layout)
        self._image_size = program.ir.image_size
        self._beat = Beat()
        self._watchers: dict[str, list[Callable[[int, Value], None]]] = {}
        self._driven: dict[str, Value] = {}
        self._now_ns = 0
        self._on = False
        self._stopped = False

    @property
    def time_ns(self) -> int:
        return self._now_ns

    def start(self) -> None:
        self.power_on()

    def run_for(self, duration_ns: int) -> None:
        end_ns = self._now_ns + duration_ns
        self._stopped = False
        beat = self._beat
        while self._now_ns < end_ns and not self._stopped:
            if beat.next_ns <= self._now_ns:
                beat.serve(self._now_ns)
                continue
            until_ns = min(end_ns, beat.next_ns)
            if not self._on:
                self._now_ns = until_ns
                continue
            self._now_ns, changes = self._controller.run(until_ns)
            self._tell(changes)
        self.recording.end_ns = max(self.recording.end_ns, self._now_ns)

    def stop_run(self) -> None:
        self._stopped = True

    def _tell(self, changes: Changes) -> None:
        for time_ns, pin, value in changes:
            self._driven[pin] = value
            for callback in self._watchers.get(pin, ()):
                callback(time_ns, value)

    def write(self, point: Point, value: Value) -> None:
        self._controller.write(point.pin, value)

    def read(self, point: Point) -> Value:
        return self._driven.get(point.pin)

    def watch(self, point: Point, callback: Callable[[int, Value], None]) -> None:
        self._watchers.setdefault(point.pin, []).append(callback)

    def every(self, period_ns: int, step: Callable[[int], None]) -> None:
        self._beat.add(period_ns, step, self._now_ns)

    def at(self, time_ns: int, call: Callable[[int], None]) -> None:
        self._beat.once(time_ns, call)

    def variable(self, path: str) -> object:
        return self._variables.read(self._image()[0], path)

    def set_variable(self, path: str, value: object) -> None:
        offset, data, bit = self._variables.encode(path, value)
        self.recording.acted_ns = self._now_ns
        if bit is None:
            self._controller.post(offset, data, None)
        else:
            self._controller.post(offset, bytes((data[0] << bit,)), 1 << bit)

    def fault(self) -> dict[str, object] | None:
        if not self._on:
            return None
        data, error = self._image()
        return fault_of(im.read_fault(data), self._manifest, error)

    def _image(self) -> tuple[bytes, str | None]:
        if not self._on:
            raise RuntimeError("the device has no power")
        return self._controller.image()

    def power_cut(self) -> None:
        self.recording.acted_ns = self._now_ns
        self._controller.power_off()
        self._on = False
        self._tell([(self._now_ns, pin, None) for pin in self._driven])

    def power_on(self) -> None:
        self._on = True
        self.recording.acted_ns = self._now_ns
        self._tell(self._controller.power_on(self._now_ns))

    def close(self) -> None:
        self._controller.close()
