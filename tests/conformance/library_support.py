"""Compiles Structured Text and runs it scan by scan with the python engine on this interpreter."""

from __future__ import annotations

import struct
import types
from typing import Any

from host_tools.compiler.compilation import Options, compile_sources
from host_tools.compiler.python_engine import emit
from host_tools.compiler.source import Source
from host_tools.variables import Variables

NOW = 24  # offset of the logical clock in the image header


class Running:
    """A program in its image. Paths are those of the layout; `now` is the logical clock in ns."""

    def __init__(self, text: str, budget: int = 100_000_000) -> None:
        compilation = compile_sources([Source("test.st", text)], Options(budget=budget))
        assert compilation.program is not None, [
            f"{d.code} {d.message} at {d.span.source.name}:{d.span.line}"
            for d in compilation.diagnostics
        ]
        assert compilation.layout is not None
        self.program = compilation.program
        self.layout = compilation.layout
        self.variables = Variables(self.layout)
        self.image = bytearray(self.program.image_size)
        for offset, data in self.program.initial:
            self.image[offset : offset + len(data)] = data
        self.source = emit(self.program)
        module = types.ModuleType("program")
        exec(compile(self.source, "program.py", "exec"), module.__dict__)
        module.attach(self.image)
        self.task: Any = module.TASKS[0]
        self.now = 0

    def scan(self, now: int | None = None) -> None:
        if now is not None:
            self.now = now
        struct.pack_into("<q", self.image, NOW, self.now)
        self.task()

    def at(self, path: str) -> int:
        return self.variables.find(path).offset

    def get(self, path: str, code: str) -> Any:
        return struct.unpack_from("<" + code, self.image, self.at(path))[0]

    def put(self, path: str, code: str, value: Any) -> None:
        struct.pack_into("<" + code, self.image, self.at(path), value)

    def text(self, path: str) -> str:
        at = self.at(path)
        length = struct.unpack_from("<H", self.image, at + 2)[0]
        return self.image[at + 4 : at + 4 + length].decode("latin-1")

    def put_text(self, path: str, text: str) -> None:
        at = self.at(path)
        data = text.encode("latin-1")
        capacity = struct.unpack_from("<H", self.image, at)[0]
        assert len(data) <= capacity
        struct.pack_into("<H", self.image, at + 2, len(data))
        self.image[at + 4 : at + 4 + len(data)] = data
