"""Cycles of a scan: the bench's programs by Takt and in plain C, on a bare core."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controller import image as im
from host_tools.bench.core import RAM, Core
from host_tools.bench.figures import geometric_mean
from host_tools.build import Program, compile
from host_tools.bundle import initial_part
from host_tools.failure import Failure
from host_tools.native.module import machine_code
from host_tools.project import load
from host_tools.record import record
from host_tools.variables import Variables

PROGRAMS = Path(__file__).parent / "programs"
INTERVAL_NS = 10_000_000
SCANS = 50

GCC = "arm-none-eabi-gcc"
GET_GCC = (
    "plain C is not measured: there is no arm-none-eabi-gcc. On Debian and Ubuntu: "
    "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi "
    "(`takt firmware build pico` installs it as well)"
)
_C_FLAGS = "-mcpu=cortex-m0plus -mthumb -O2 -ffunction-sections --specs=nano.specs"
_CODE = RAM + 0x1000
_IMAGE = RAM + 0x10000
_ARGUMENTS = RAM + 0x800
_SCRIPT = """\
SECTIONS {
    . = %#x;
    .text : { *(.text .text.* .rodata .rodata.*) }
    .data : { *(.data .data.*) *(.bss .bss.* COMMON) }
    /DISCARD/ : { *(.ARM.*) *(.comment) }
}
"""


@record(frozen=True)
class Measured:
    """Cycles of each scan, the program's `result`, and bytes of code and data."""

    cycles: tuple[int, ...]
    result: tuple[int, ...]
    code: int
    data: int

    @property
    def mean(self) -> float:
        return sum(self.cycles) / len(self.cycles)


def program_names() -> list[str]:
    return sorted(path.stem for path in PROGRAMS.glob("*.st"))


def compiled(name: str, engine: str = "native") -> Program:
    """The ST of a program of the bench."""
    return compile(load(str(PROGRAMS / f"{name}.st"), engine=engine))


def plain_c(name: str, scans: int = SCANS) -> Measured:
    """A program in plain C, compiled by arm-none-eabi-gcc -O2 with its own libgcc, on the bare
    core. Raises Failure where there is no such compiler."""
    if shutil.which(GCC) is None:
        raise Failure(GET_GCC)
    with tempfile.TemporaryDirectory(prefix="takt-") as folder:
        at = Path(folder)
        (at / "flat.ld").write_text(_SCRIPT % _CODE)
        link = "-nostartfiles -Wl,--gc-sections -Wl,-e,scan -Wl,-T,flat.ld -Wl,-u,result"
        source = str(PROGRAMS / f"{name}.c")
        _tool(at, GCC, *_C_FLAGS.split(), *link.split(), source, "-o", "x.elf", "-lc", "-lgcc")
        _tool(at, "arm-none-eabi-objcopy", "-O", "binary", "x.elf", "x.bin")
        symbols = {
            row[2]: int(row[0], 16)
            for row in map(str.split, _tool(at, "arm-none-eabi-nm", "x.elf").splitlines())
            if len(row) == 3
        }
        text, data, bss = _tool(at, "arm-none-eabi-size", "x.elf").splitlines()[1].split()[:3]
        binary = (at / "x.bin").read_bytes()
    core = Core()
    core.write(_CODE, binary)  # what is zero at the start lies behind it
    cycles = []
    for n in range(scans):
        now_ns = n * INTERVAL_NS
        cycles.append(core.call(symbols["scan"], now_ns & 0xFFFFFFFF, now_ns >> 32)[1])
    result = struct.unpack("<4i", core.read(symbols["result"], 16))
    return Measured(tuple(cycles), result, int(text), int(data) + int(bss))


def _tool(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"{command[0]} fails: {done.stderr.strip()[-300:]}")
    return done.stdout


def native(name: str, scans: int = SCANS) -> Measured:
    """A program as Takt compiles it, checks and budget included, on the bare core."""
    program = compiled(name)
    code = machine_code(program.ir, "armv6m")
    size = program.ir.image_size
    layout = bytes.fromhex(program.layout["hash"])
    image = im.create(size, 1, layout, initial_part(program.ir.initial))
    core = Core()
    core.write(_CODE, code)
    core.write(_IMAGE, bytes(image.data))
    core.write(_ARGUMENTS, struct.pack("<II", _IMAGE << 1 | 1, 1))
    cycles = []
    for n in range(scans):
        core.write(_IMAGE + im.NOW, struct.pack("<q", n * INTERVAL_NS))
        answer, taken = core.call(_CODE, 0, 2, 0, _ARGUMENTS)
        if answer != 1:
            raise Failure(f"the bench's program {name} faults with code {answer >> 1}")
        cycles.append(taken)
    result = _result(program, core.read(_IMAGE, size))
    return Measured(tuple(cycles), result, len(code), size)


def on_the_host(name: str, scans: int = SCANS, engine: str = "python") -> tuple[int, ...]:
    """What `result` is after these scans on this computer: the reference."""
    from host_tools.simulation import Simulation

    program = compiled(name, engine)
    simulation = Simulation(program)
    simulation.run(scans)
    return _result(program, bytes(simulation.image.data))


def _result(program: Program, image: bytes) -> tuple[int, ...]:
    return tuple(Variables(program.layout).read(image, "main.result"))


def measure(
    names: Sequence[str],
    scans: int = SCANS,
    python_cycles: Callable[[str], float] | None = None,
    python_names: Sequence[str] = (),
    say: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """The part "speed" of the report. `python_cycles` measures the python engine.
    Raises Failure where results differ."""
    rows = []
    has_gcc = shutil.which(GCC) is not None
    for name in names:
        say(f"speed: {name}")
        ours = native(name, scans)
        theirs = plain_c(name, scans) if has_gcc else None
        expected = theirs.result if theirs else on_the_host(name, scans)
        if ours.result != expected:
            raise Failure(
                f"the bench's program {name} computes {list(ours.result)} as machine code, "
                f"and {list(expected)} {'in plain C' if theirs else 'with the python engine'}",
                "one of them is wrong: nothing was measured",
            )
        rows.append(speed_row(name, theirs, ours))
        if python_cycles is not None and name in python_names:
            rows[-1]["cycles_python"] = round(python_cycles(name))
    return {"scans": scans, **speed_summary(rows), "compiler": gcc_version(), "programs": rows}


def speed_row(name: str, plain: Measured | None, ours: Measured) -> dict[str, Any]:
    """One of `speed.programs`."""
    return {
        "name": name,
        "cycles_c": round(plain.mean) if plain else None,
        "cycles_native": round(ours.mean),
        "cycles_python": None,
        "ratio": round(ours.mean / plain.mean, 3) if plain else None,
        "code_c": plain.code if plain else None,
        "code_native": ours.code,
        "data_c": plain.data if plain else None,
        "data_native": ours.data,
    }


def speed_summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and worst of the ratios; None where there is no C compiler."""
    known = [row for row in rows if row["ratio"] is not None]
    if not known:
        return {"geomean_ratio_to_c": None, "worst": None, "worst_ratio": None}
    worst = max(known, key=lambda row: row["ratio"])
    mean = geometric_mean([row["ratio"] for row in known])
    return {
        "geomean_ratio_to_c": round(mean, 3),
        "worst": worst["name"],
        "worst_ratio": worst["ratio"],
    }


def gcc_version() -> str | None:
    """What the C compiler says it is; None without one."""
    if shutil.which(GCC) is None:
        return None
    said = subprocess.run([GCC, "--version"], capture_output=True, text=True, check=False).stdout
    return f"{(said.splitlines() or [GCC])[0]}, {_C_FLAGS}"
