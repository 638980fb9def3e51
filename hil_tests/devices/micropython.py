"""The device `micropython`: the program in a real MicroPython process, stepped over its pipes."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from hil_tests.devices import stepped
from hil_tests.devices.virtual import Changes, VirtualDevice
from hil_tests.recording import Value
from host_tools.build import Program
from host_tools.device_files import runtime_files
from host_tools.failure import DEVICE, Failure
from host_tools.remote import (
    find_micropython,
    read_message,
    stage,
    start_process,
    write_library,
)
from host_tools.runs import architecture

_HEAP = "8m"
_LEVELS = {True: "high", False: "low", None: "open"}


class ProcessController:
    """hil_tests/devices/stepped.py in a process, in a folder of its own that is removed."""

    def __init__(self, program: Program) -> None:
        executable = find_micropython()
        bundle = program.bundle(architecture("micropython", program))
        self._last: list[str] = []

        def fill(folder: Path) -> None:
            write_library(folder, runtime_files())
            shutil.copy(Path(stepped.__file__), folder / "lib" / "stepped.py")
            stage(bundle, folder / "slot", skip=("layout.json", "program.py"))

        run = "import stepped; stepped.serve('slot')"
        self._folder, self._process = start_process(
            "takt-bench-",
            fill,
            [executable, "-X", f"heapsize={_HEAP}", "-c", run],
            {},
            subprocess.PIPE,
        )

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.encode() + b"\n")
        except OSError:
            self._died()

    def _ask(self, text: str, answer: str) -> dict[str, Any]:
        """The message that answers; what else the program prints is kept for a complaint."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._say(text)
        try:
            self._process.stdin.flush()
        except OSError:
            self._died()
        for line in self._process.stdout:
            message = read_message(line.decode(errors="replace").rstrip("\r\n"))
            if message["is"] == answer:
                return message
            self._last = [*self._last[-9:], str(message.get("text", message))]
        self._died()
        raise AssertionError("unreachable")

    def _died(self) -> None:
        last = "\n".join(self._last)
        raise Failure("the MicroPython process has ended", f"its last words:\n{last}", DEVICE)

    def power_on(self, now_ns: int) -> Changes:
        return self._changes(self._ask(f"o {now_ns}", "ran"))

    @staticmethod
    def _changes(message: dict[str, Any]) -> Changes:
        return [(time_ns, pin, value) for time_ns, pin, value in message["changes"]]

    def power_off(self) -> None:
        self._say("c")

    def run(self, until_ns: int) -> tuple[int, Changes]:
        message = self._ask(f"r {until_ns}", "ran")
        return message["now"], self._changes(message)

    def write(self, pin: str, value: Value) -> None:
        level = isinstance(value, bool) or value is None
        self._say(f"w {pin} {_LEVELS[value] if level else repr(value)}")  # type: ignore[index]

    def post(self, offset: int, data: bytes, mask: int | None) -> None:
        self._say(f"p {offset} {data.hex()}" + (f" {mask}" if mask is not None else ""))

    def image(self) -> tuple[bytes, str | None]:
        message = self._ask("i", "image")
        return bytes.fromhex(message["hex"]), message["error"]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not sent yet
                    pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def micropython_device(program: Program) -> VirtualDevice:
    """The program in a MicroPython process; nothing moves before `start`. Raises Failure."""
    return VirtualDevice("micropython", program, ProcessController(program))
