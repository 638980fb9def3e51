"""Runs a compiled program scan by scan, in the scheduler of a controller, without files."""

from __future__ import annotations

import types
from typing import Any

from controller import image as im
from controller.mailbox import Mailbox
from controller.scheduler import Scheduler
from host_tools.bundle import initial_part
from host_tools.compiler.compilation import Compilation, compile_sources
from host_tools.compiler.python_engine import emit
from host_tools.compiler.source import Source
from host_tools.variables import Variables


class Run:
    def __init__(self, compilation: Compilation) -> None:
        program, layout = compilation.program, compilation.layout
        assert program is not None, [d.message for d in compilation.diagnostics]
        assert layout is not None
        self.variables = Variables(layout)
        module: Any = types.ModuleType("program")
        exec(compile(emit(program), "program.py", "exec"), module.__dict__)
        digest = bytes.fromhex(layout["hash"])
        image: Any = im.create(
            program.image_size, len(program.tasks), digest, initial_part(program.initial)
        )
        self.data = image.data
        tasks = [
            {
                "name": t.name,
                "interval_ns": t.interval_ns,
                "priority": t.priority,
                "single": None,
                "outputs": [],
            }
            for t in program.tasks
        ]
        self.scheduler: Any = Scheduler(image, tasks, module, None, Mailbox(image), safe=[])

    def scan(self) -> None:
        self.scheduler.run_virtual(1)

    def get(self, path: str) -> Any:
        return self.variables.read(self.data, path)

    def set(self, path: str, value: Any) -> None:
        offset, data, bit = self.variables.encode(path, value)
        assert bit is None
        self.data[offset : offset + len(data)] = data


def history(text: str, path: str, scans: int) -> list[Any]:
    """The value of a variable after each scan."""
    run = Run(compile_sources([Source("test.st", text)]))
    found = []
    for _ in range(scans):
        run.scan()
        found.append(run.get(path))
    return found
