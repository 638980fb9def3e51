"""The C compiler for ESP32 (Xtensa): Espressif's gcc, as ESP-IDF, PlatformIO and Arduino bring
it. Takt looks for it and brings none."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from host_tools.compiler.c_engine.runtime import RUNTIME
from host_tools.failure import DEVICE, Failure
from host_tools.native.relocated import Code, relocated
from host_tools.native.toolchain import GCC_MEANING, HEADERS
from host_tools.record import record

OLDEST = (11, 2)
"""gcc of ESP-IDF 5.0."""

_NAMES = {"xtensa-esp32-elf-gcc": (), "xtensa-esp-elf-gcc": ("-mdynconfig=xtensa_esp32.so",)}
"""What the compiler is called, with what chooses the ESP32 where it is for several chips."""

_FLAGS = ("-mlongcalls", "-ffunction-sections", "-fdata-sections")

_START = """
/* Called at the first byte; the constants that code loads must lie before it. */
__asm__(".section .text.start, \\"ax\\", @progbits\\n.align 4\\n.global takt_start\\n"
        "takt_start: j takt_entry\\n.align 4\\n.text\\n");
"""
_SCRIPT = """\
ENTRY(takt_start)
SECTIONS
{{
    .text {text:#x} : {{
        KEEP(*(.text.start)) *(.literal .literal.*) *(.text .text.*) . = ALIGN(4);
    }}
    .rodata {rodata:#x} : {{ *(.rodata .rodata.*) . = ALIGN(4); }}
    .moving : {{ *(.data .data.* .bss .bss.* COMMON) }}
    ASSERT(SIZEOF(.moving) == 0, "writable data")
    /DISCARD/ : {{ *(.comment) *(.eh_frame*) *(.note*) *(.debug*) }}
}}
"""


@record(frozen=True)
class Compiler:
    path: Path
    flags: tuple[str, ...]
    version: str


def find() -> Compiler:
    """The first that is new enough. Raises Failure, with what to install."""
    old = []
    for path in _candidates():
        version = _version(path)
        numbers = tuple(int(n) for n in re.findall(r"\d+", version)[:2])
        if numbers >= OLDEST:
            return Compiler(path, _NAMES[path.stem], version)
        old.append(f"{path} is version {version or 'unknown'}")
    needed = ".".join(map(str, OLDEST))
    if old:
        message = f"the C compiler for ESP32 is too old: {'; '.join(old)}, needed is {needed}"
    else:
        message = "the native engine needs Espressif's C compiler for an ESP32, and there is none"
    raise Failure(
        message,
        "install ESP-IDF 5 (`idf_tools.py install xtensa-esp-elf`), the platform espressif32 of "
        "PlatformIO, or the esp32 boards of Arduino; or use --engine python, which needs none",
        DEVICE,
    )


def _candidates() -> Iterator[Path]:
    """Compilers in PATH and where the usual installers put them, newest first."""
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            yield Path(found)
    home = Path.home()
    idf = [Path(os.environ["IDF_TOOLS_PATH"])] if os.environ.get("IDF_TOOLS_PATH") else []
    arduino = [home / ".arduino15", home / "Library/Arduino15"]
    if os.environ.get("LOCALAPPDATA"):
        arduino.append(Path(os.environ["LOCALAPPDATA"], "Arduino15"))
    places = [(root, "tools/xtensa-esp*-elf/*/*/bin") for root in (*idf, home / ".espressif")]
    places.append((home / ".platformio", "packages/toolchain-xtensa-esp*/bin"))
    places += [(root, "packages/*/tools/*/*/bin") for root in arduino]
    for root, pattern in places:
        for folder in sorted(root.glob(pattern), key=_order, reverse=True):
            for name in _NAMES:
                for path in (folder / name, folder / f"{name}.exe"):
                    if path.is_file():
                        yield path


def _order(path: Path) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", str(path))]


def _version(path: Path) -> str:
    try:
        done = subprocess.run(
            [path, "-dumpfullversion"], capture_output=True, text=True, check=False, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def machine_code(text: str, compiler: Compiler | None = None) -> Code:
    """Of a C text with its entry `takt_entry`. Raises Failure."""
    chosen = compiler or find()
    with tempfile.TemporaryDirectory(prefix="takt-") as name:
        folder = Path(name)
        (folder / "program.c").write_text(text + _START, encoding="utf-8")
        for file in RUNTIME:
            (folder / file).write_bytes((HEADERS / file).read_bytes())
        _run(chosen, [*GCC_MEANING, *_FLAGS, "-c", "program.c", "-o", "program.o"], folder)

        def link(text: int, rodata: int) -> tuple[bytes, bytes]:
            (folder / "place.ld").write_text(_SCRIPT.format(text=text, rodata=rodata))
            arguments = ["-nostdlib", "-static", "-T", "place.ld", "-Wl,--gc-sections"]
            _run(chosen, [*arguments, "program.o", "-o", "made.elf", "-lgcc"], folder)
            content = (folder / "made.elf").read_bytes()
            return section(content, ".text"), section(content, ".rodata")

        return relocated(link)


def _run(compiler: Compiler, arguments: list[str], folder: Path) -> None:
    done = subprocess.run(
        [compiler.path, *compiler.flags, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        errors = [line for line in said if "error" in line or "undefined" in line] or said[-3:]
        raise Failure(f"the C compiler refuses the program: {'; '.join(errors[:3])}")


def section(elf: bytes, name: str) -> bytes:
    """The content of a section of a 32-bit little-endian ELF file; nothing where it has none."""
    (table,) = struct.unpack_from("<I", elf, 32)
    size, count, names = struct.unpack_from("<3H", elf, 46)
    headers = [struct.unpack_from("<6I", elf, table + size * n) for n in range(count)]
    for called, _, _, _, start, length in headers:
        at = headers[names][4] + called
        if elf[at : elf.index(b"\0", at)] == name.encode():
            return elf[start : start + length]
    return b""
