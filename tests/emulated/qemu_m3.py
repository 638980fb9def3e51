"""Runs jobs of tests/conformance/agreement.py in MicroPython on QEMU's Cortex-M3, one process for
all of them. Their files are a ROM file system (MicroPython's VfsRom) in the board's PSRAM."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from host_tools.device_files import runtime_files
from host_tools.mpy import compile_mpy
from host_tools.remote import staged_files
from tests.conformance.agreement import DRIVER, Job, Trace, heard
from tests.conformance.shared_code import library, sharing

PSRAM, PSRAM_BYTES = 0x21000000, 16 << 20  # Arm AN385, memory map
ROM_MAGIC = b"\xd2\xcd\x31"
ROM_DATA, ROM_FOLDER, ROM_FILE = 2, 4, 5
START = """\
import machine, sys, uctypes, vfs
vfs.mount(vfs.VfsRom(uctypes.bytearray_at({psram}, {size})), "/rom")
sys.path.append("/rom/lib")
{run}; machine.reset()
"""


class QemuM3:
    """`engine`: python, native, or shared: machine code of all jobs in one library."""

    def __init__(self, firmware: Path, folder: Path, engine: str) -> None:
        self.firmware, self.folder, self.engine = firmware, folder, engine

    def run(self, jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
        files = {f"lib/{name}": content for name, content in runtime_files().items()}
        driver = DRIVER.read_text(encoding="utf-8")
        files["lib/device_agreement.mpy"] = compile_mpy(driver, DRIVER.name)
        if self.engine == "shared":
            files["lib/shared.mpy"] = library([j.program.ir for j in jobs], "armv7m")
            bundles = [
                sharing(j.bundle, j.program.ir, "shared", place, "armv7m")
                for place, j in enumerate(jobs)
            ]
        else:
            bundles = [j.native("armv7m") if self.engine == "native" else j.bundle for j in jobs]
        lines = []
        for j, bundle in zip(jobs, bundles, strict=True):
            for name, content in staged_files(bundle).items():
                files[f"{j.name}/{name}"] = content
            lines.append(json.dumps(j.options(f"/rom/{j.name}", scans)) + "\n")
        files["jobs"] = "".join(lines).encode()
        run = 'import device_agreement; device_agreement.main("/rom/jobs")'
        return heard(self.console(files, run, 60 + 4 * len(jobs)).split("\n"), jobs)

    def console(self, files: dict[str, bytes], run: str, timeout_s: float) -> str:
        """What the board prints from its start to its reset, which ends QEMU. `run`: a line of
        Python."""
        rom = rom_of(files)
        assert len(rom) <= PSRAM_BYTES
        image = self.folder / "files.rom"
        image.write_bytes(rom)
        command = ["qemu-system-arm", "-machine", "mps2-an385", "-nographic", "-monitor", "null"]
        command += ["-semihosting", "-serial", "stdio", "-kernel", str(self.firmware)]
        command += ["-device", f"loader,file={image},addr={PSRAM:#x},force-raw=on"]
        typed = START.format(psram=PSRAM, size=len(rom), run=run).replace("\n", "\r")
        try:
            output = subprocess.run(
                command,
                input=typed.encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=timeout_s,
                check=False,
            ).stdout
        except subprocess.TimeoutExpired as error:
            output = error.stdout or b""
        return output.decode(errors="replace").replace("\r", "")


def rom_of(files: dict[str, bytes]) -> bytes:
    """The files, by their paths, as an image for VfsRom (MicroPython's extmod/vfs_rom.c)."""
    body = records(files)
    size = vuint(len(body))
    if (len(ROM_MAGIC) + len(size) + len(body)) % 2:
        size = b"\x80" + size
    return ROM_MAGIC + size + body


def records(files: dict[str, bytes]) -> bytes:
    folders: dict[str, dict[str, bytes]] = {}
    made = b""
    for path, content in sorted(files.items()):
        name, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(name, {})[rest] = content
        else:
            made += record(ROM_FILE, string(name) + record(ROM_DATA, content))
    for name, inner in folders.items():
        made += record(ROM_FOLDER, string(name) + records(inner))
    return made


def record(kind: int, payload: bytes) -> bytes:
    return vuint(kind) + vuint(len(payload)) + payload


def string(text: str) -> bytes:
    return vuint(len(text)) + text.encode()


def vuint(n: int) -> bytes:
    """Seven bits a byte, the highest first."""
    made = bytes((n & 0x7F,))
    while n := n >> 7:
        made = bytes((n & 0x7F | 0x80,)) + made
    return made
