"""Runs programs as machine code, many from one translation unit: of this computer, or of another
processor. The scheduler is on this machine, and the tasks run in a process of that processor in
QEMU's user mode (foreign_main.h), or on the RP2040's emulated core."""

from __future__ import annotations

import atexit
import ctypes
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from controller.rt import Fault
from host_tools.compiler import ir
from host_tools.native.espressif import Compiler, machine_code
from host_tools.native.module import ENTRY, TARGETS, code_of
from host_tools.native.toolchain import GCC_MEANING, HEADERS, compile_c
from tests.conformance.agreement import Job, Runner, Trace, in_process
from tests.conformance.many_programs import number, together
from tests.conformance.rp2040_core import Code

HERE = Path(__file__).parent
_FAULT_AT = 76  # of the image's header (docs/image.md)


LOADED = (0x800000, 0xA00000)
LOADER = """
typedef unsigned char u8;
typedef unsigned u32;
__asm__(".section .loaded_text, \\"ax\\"\\n.incbin \\"text\\"\\n"
        ".section .loaded_rodata, \\"a\\"\\n.incbin \\"rodata\\"\\n.text\\n");
static u32 takt_enter(u8 *image, u32 number)
{
    u32 args[2] = {(u32)image << 1 | 1, number << 1 | 1};
    return ((u32 (*)(void *, u32, u32, u32 *))%#x)(0, 2, 0, args) >> 1;
}
"""


def by_zig(architecture: str) -> Callable[[str, str], Path]:
    def build(text: str, main: str) -> Path:
        target = TARGETS[architecture]
        flags = ["-target", target.triple, f"-mcpu={target.cpu}", *target.flags, "-static"]
        return compile_c(text + main, [*flags, "-rtlib=compiler-rt", "-lcompiler_rt"], ".elf")

    return build


def arm64(text: str, main: str) -> Path:
    return compile_c(text + main, ["-target", "aarch64-linux-none", "-static"], ".elf")


def armv6m(text: str, main: str) -> Path:
    """Code alone, for rp2040_core.py."""
    folder = Path(tempfile.mkdtemp(prefix="takt-armv6m-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "code").write_bytes(code_of(text + ENTRY, "armv6m")[0])
    return folder / "code"


def lx106_gcc() -> Path:
    """Debian's gcc for the ESP8266, whose way of calling is call0: its code is never shipped."""
    compiler = shutil.which("xtensa-lx106-elf-gcc")
    assert compiler is not None, "xtensa-lx106-elf-gcc is not installed: sh install.sh test"
    return Path(compiler)


def xtensa_routines() -> str:
    return (HERE / "xtensa_routines.h").read_text(encoding="utf-8")


def lx106(text: str, main: str) -> Path:
    return by_lx106_gcc(text + main + xtensa_routines())


def loaded_lx106(text: str, main: str) -> Path:
    """The code as MicroPython loads it, its addresses put right for where it is then linked to."""
    code = machine_code(text + xtensa_routines() + ENTRY, Compiler(lx106_gcc(), (), ""))
    parts = dict(zip(("text", "rodata"), code.placed(*LOADED), strict=True))
    starts = [
        f"-Wl,--section-start=.loaded_{n}={at:#x}" for n, at in zip(parts, LOADED, strict=True)
    ]
    return by_lx106_gcc(LOADER % LOADED[0] + main, starts, parts)


def by_lx106_gcc(
    text: str, arguments: Sequence[str] = (), files: Mapping[str, bytes] = MappingProxyType({})
) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="takt-xtensa-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "program.c").write_text(text, encoding="utf-8")
    flags = [
        *GCC_MEANING,
        "-mlongcalls",
        "-static",
        "-I",
        str(HEADERS),
        "-Wl,-e,_start",
        *arguments,
    ]
    made = folder / "program"
    command = [lx106_gcc(), *flags, "program.c", "-o", str(made), "-lgcc"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return made


@dataclass(frozen=True)
class Processor:
    emulator: tuple[str, ...]
    build: Callable[[str, str], Path]
    """The executable file that is made of the C text of the programs, and of foreign_main.h."""


class Process:
    """The programs of a list on one processor."""

    def __init__(self, processor: Processor, programs: Sequence[ir.Program]) -> None:
        emulator, *options = processor.emulator
        path = shutil.which(emulator)
        assert path is not None, f"{emulator} is not installed: sh install.sh test"
        main = (HERE / "foreign_main.h").read_text(encoding="utf-8")
        file = processor.build(together(programs), main)
        file.chmod(0o755)
        self._process = subprocess.Popen(
            [path, *options, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def run(self, task: int, image: bytearray) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(struct.pack("<II", task, len(image)) + image)
        self._process.stdin.flush()
        answer = self._process.stdout.read(4 + len(image))
        assert len(answer) == 4 + len(image), f"it ended with {self._process.wait()}"
        (code,) = struct.unpack_from("<I", answer)
        image[:] = answer[4:]
        if code:
            raise Fault(code, struct.unpack_from("<I", image, _FAULT_AT)[0])


class Rp2040:
    """The programs of a list on the emulated core."""

    def __init__(self, programs: Sequence[ir.Program]) -> None:
        self._code = Code(code_of(together(programs) + ENTRY, "armv6m")[0])

    def __enter__(self) -> Rp2040:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, task: int, image: bytearray) -> None:
        code = self._code.run(task, image)
        if code:
            raise Fault(code, struct.unpack_from("<I", image, _FAULT_AT)[0])


class Library:
    """The programs of a list on this computer."""

    def __init__(self, programs: Sequence[ir.Program]) -> None:
        made = compile_c(together(programs), ("-shared", "-fPIC"), ".so")
        self._enter = ctypes.CDLL(str(made)).takt_enter
        self._enter.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
        self._enter.restype = ctypes.c_uint32

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def run(self, task: int, image: bytearray) -> None:
        # The buffer object keeps the bytearray from moving.
        held = (ctypes.c_char * len(image)).from_buffer(image)
        code = self._enter(ctypes.addressof(held), task)
        del held
        if code:
            raise Fault(code, struct.unpack_from("<I", image, _FAULT_AT)[0])


RV32 = Processor(("qemu-riscv32",), by_zig("rv32imc"))
ARMV7EM = Processor(("qemu-arm",), by_zig("armv7em"))
ARM64 = Processor(("qemu-aarch64",), arm64)
XTENSA = Processor(("qemu-xtensa", "-cpu", "lx106"), lx106)
LOADED_XTENSA = Processor(("qemu-xtensa", "-cpu", "lx106"), loaded_lx106)

Running = Process | Rp2040 | Library
Start = Callable[[Sequence[ir.Program]], Running]
PROCESSORS: dict[str, Start] = {
    "native": Library,
    "rv32": partial(Process, RV32),
    "xtensa": partial(Process, XTENSA),
    "rp2040": Rp2040,
    "armv7em": partial(Process, ARMV7EM),
    "arm64": partial(Process, ARM64),
}

_MENDED = Processor((sys.executable, "-m", "tests.conformance.rp2040_core"), armv6m)
SECOND: dict[str, Start] = {"rp2040": partial(Process, _MENDED)}
"""Slow, for what differs on an emulator that has a fault: what this says counts."""


class Machine:
    """A program that is there, in the shape of the python engine's module."""

    def __init__(self, process: Running, place: int, program: ir.Program) -> None:
        self.TASKS = tuple(
            lambda n=n: process.run(number(place, n), self._image)
            for n in range(len(program.tasks))
        )

    def attach(self, image: bytearray) -> None:
        self._image = image


def runner(start: Start) -> Runner:
    """For agreement.differences."""

    def run(jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
        traces = {}
        with start([j.program.ir for j in jobs]) as process:
            for place, j in enumerate(jobs):

                def engine(program: ir.Program, place: int = place) -> Any:
                    return Machine(process, place, program)

                traces[j.name] = in_process(j, engine, j.scans if scans is None else scans)
        return traces

    return run
