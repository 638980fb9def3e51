"""The device `host`: the program in this process, as in `takt run`, with pins."""

from __future__ import annotations

from typing import Any

from controller import image as im
from hil_tests.devices.stepped import Stepped
from hil_tests.devices.virtual import Changes, VirtualDevice
from hil_tests.recording import Value
from host_tools.build import Program
from host_tools.bundle import initial_part
from host_tools.simulation import program_module


class HostController:
    def __init__(self, program: Program) -> None:
        self._program = program
        self._manifest = program.manifest()
        self._initial = initial_part(program.ir.initial)
        self._module = program_module(program)
        self._applied: dict[str, Any] = {}
        self._stepped: Stepped | None = None

    def power_on(self, now_ns: int) -> Changes:
        manifest = self._manifest
        layout = bytes.fromhex(manifest["layout"])
        size, tasks = manifest["image_size"], len(manifest["tasks"])
        image = im.create(size, tasks, layout, self._initial)
        self._stepped = Stepped(manifest, image, self._module, self._applied, now_ns)
        return self._stepped.taken()

    def power_off(self) -> None:
        self._stepped = None

    @property
    def _running(self) -> Stepped:
        assert self._stepped is not None, "the device has no power"
        return self._stepped

    def run(self, until_ns: int) -> tuple[int, Changes]:
        stepped = self._running
        return stepped.run(until_ns), stepped.taken()

    def write(self, pin: str, value: Value) -> None:
        if self._stepped is None:
            self._applied[pin] = value
        else:
            self._stepped.write(pin, value)

    def post(self, offset: int, data: bytes, mask: int | None) -> None:
        self._running.post(offset, data, mask)

    def image(self) -> tuple[bytes, str | None]:
        return self._running.image.data, self._running.error()

    def close(self) -> None:
        self._stepped = None


def host_device(program: Program) -> VirtualDevice:
    """The program on this computer; nothing moves before `start`."""
    return VirtualDevice("host", program, HostController(program))
