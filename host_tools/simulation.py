"""Runs a program on this computer in virtual time: the host target of `takt run`, and the API.

The same scheduler and the same engine source as on a controller; inputs are what is set, since
there are no pins.
"""

from __future__ import annotations

import struct
import types
import zlib
from collections.abc import Callable
from typing import Any

from controller import faults
from controller import image as im
from controller.bundle import BundleError
from controller.mailbox import Mailbox
from controller.scheduler import Scheduler
from host_tools.build import Program
from host_tools.bundle import initial_part
from host_tools.failure import Failure
from host_tools.variables import Variables


def program_module(program: Program) -> Any:
    """The program's logic, ready for a scheduler of this process."""
    if program.engine == "native":
        from host_tools.native.host import NativeProgram

        return NativeProgram(program.ir)
    module = types.ModuleType("program")
    exec(compile(program.python(), "program.py", "exec"), module.__dict__)
    return module


class Simulation:
    """A program that stands between two release instants; `run` lets time pass.

    `sim["main.level"]` reads a variable, `sim["main.level"] = 80` and `sim.set` write one. Values
    are as in `takt run --json`: BOOL as bool, times as nanoseconds, arrays as lists, structures
    and instances as dicts.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.variables = Variables(program.layout)
        manifest = program.manifest()
        module = program_module(program)
        try:
            self.image: Any = im.create(
                manifest["image_size"],
                len(manifest["tasks"]),
                bytes.fromhex(manifest["layout"]),
                initial_part(program.ir.initial),
            )
        except (ValueError, BundleError) as error:
            raise Failure(f"the program cannot be started: {error}") from None
        self.mailbox: Any = Mailbox(self.image)
        self.scheduler: Any = Scheduler(
            self.image, manifest["tasks"], module, None, self.mailbox, safe=manifest["safe"]
        )
        self._state = manifest["state"]
        self._manifest = manifest

    # --- variables ---------------------------------------------------------------------------

    def set(self, path: str, value: Any) -> None:
        """Store a value, as the mailbox of a controller does between two scans. Raises
        VariableError (a ValueError) for what does not exist or fit."""
        offset, data, bit = self.variables.encode(path, value)
        image = self.image.data
        if bit is None:
            image[offset : offset + len(data)] = data
        elif data[0]:
            image[offset] |= 1 << bit
        else:
            image[offset] &= ~(1 << bit)

    def get(self, path: str) -> Any:
        """The value of a variable, member or element."""
        return self.variables.read(self.image.data, path)

    __setitem__ = set
    __getitem__ = get

    def values(self, pattern: str = "*") -> dict[str, Any]:
        """All variables whose path matches a glob, in the order of their declaration."""
        if pattern == "*":
            return self.variables.tree(self.image.data)
        return {v.path: self.variables.read(self.image.data, v) for v in self.match(pattern)}

    def match(self, pattern: str) -> list[Any]:
        """The variables that match a glob."""
        return self.variables.match(pattern)

    # --- time --------------------------------------------------------------------------------

    def run(self, scans: int | None = None, *, for_ns: int | None = None) -> int:
        """Run for a number of release instants, or for a stretch of logical time; how many
        instants there were. It ends earlier when every task has faulted."""
        if scans is None and for_ns is None:
            scans = 1
        until = None if for_ns is None else self.time_ns + for_ns
        done: int = self.scheduler.run_virtual(scans, until)
        return done

    def run_until(self, scans: int | None, until_ns: int | None) -> int:
        """As run, up to an absolute logical time."""
        done: int = self.scheduler.run_virtual(scans, until_ns)
        return done

    @property
    def release_ns(self) -> int:
        """Logical time of the release instant that is being served or was served last."""
        time_ns: int = struct.unpack_from("<q", self.image.data, im.NOW)[0]
        return time_ns

    @property
    def time_ns(self) -> int:
        """Logical time of the next release instant."""
        time_ns: int = self.scheduler.time_ns()
        return time_ns

    @property
    def scans(self) -> int:
        """Release instants so far."""
        releases: int = self.image.words[im.RELEASES]
        return releases

    def on_release(
        self,
        before: Callable[[int], None] | None = None,
        after: Callable[[int], None] | None = None,
    ) -> None:
        """Call `before(n)` and `after(n)` around the n-th release instant, counted from 0."""
        self.scheduler.stimulus = before
        self.scheduler.observe = after

    # --- state -------------------------------------------------------------------------------

    def crc(self) -> int:
        """CRC-32 of the state range: equal on every target after the same scans."""
        offset, size = self._state
        return zlib.crc32(memoryview(self.image.data)[offset : offset + size])

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """The task records, by the names of docs/image.md."""
        return [im.read_task(self.image.data, k) for k in range(self.image.tasks)]

    @property
    def fault(self) -> dict[str, Any] | None:
        """The first fault: code, message, file, line, task, scan, time_ns; None without one."""
        return fault_of(im.read_fault(self.image.data), self._manifest, self.scheduler.error)


def fault_of(
    record: dict[str, Any] | None, manifest: dict[str, Any], error: object = None
) -> dict[str, Any] | None:
    """The fault record of an image, in words; `error` is the exception behind an internal one."""
    if record is None:
        return None
    sources, tasks = manifest["sources"], manifest["tasks"]
    message = faults.message(record["code"])
    if error:
        message += f": {error}"
    known = record["line"] > 0 and record["source"] < len(sources)
    return {
        "code": record["code"],
        "message": message,
        "file": sources[record["source"]] if known else None,
        "line": record["line"] if known else None,
        "task": tasks[record["task"]]["name"] if record["task"] < len(tasks) else None,
        "scan": record["scan"],
        "time_ns": record["time_ns"],
    }


def simulate(program: Program) -> Simulation:
    """A simulation of a compiled program, before its first scan."""
    return Simulation(program)
