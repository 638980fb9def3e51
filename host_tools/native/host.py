"""Runs a program as machine code of this computer, in the shape of the python engine's module."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

from controller.rt import Fault
from host_tools.compiler import ir
from host_tools.compiler.c_engine import emit
from host_tools.compiler.c_engine.module import FAULT_AT
from host_tools.native.toolchain import compile_c

_SHARED = ("-shared", "-fPIC")


class NativeProgram:
    """`attach(image)` and `TASKS`, as in the module that the python engine makes."""

    def __init__(self, program: ir.Program) -> None:
        library = ctypes.CDLL(str(compile_c(emit(program), _SHARED, ".so")))
        self._enter = library.takt_enter
        self._enter.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
        self._enter.restype = ctypes.c_uint32
        self._image: Any = None
        self._address = 0
        self.TASKS: tuple[Callable[[], None], ...] = tuple(
            lambda n=n: self._run(n)  # type: ignore[misc]
            for n in range(len(program.tasks))
        )

    def attach(self, image: bytearray) -> None:
        # The buffer object keeps the bytearray from moving.
        self._image = (ctypes.c_char * len(image)).from_buffer(image)
        self._address = ctypes.addressof(self._image)
        self._data = image

    def _run(self, number: int) -> None:
        code = self._enter(self._address, number)
        if code:
            raise Fault(code, struct.unpack_from("<I", self._data, FAULT_AT)[0])
