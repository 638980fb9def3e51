"""MicroPython's own build, run on unpacked Debian packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from email.utils import parsedate_to_datetime
from pathlib import Path

from host_tools.firmware.packages import Package, Progress, tail
from host_tools.firmware.recipe import FirmwareError, Recipe
from host_tools.firmware.uf2 import wrap

_UNPACKED = {"pico-sdk-source": "usr/src/pico-sdk", "tinyusb-source": "usr/src/tinyusb"}
_MANIFEST, _LIBRARY = "manifest.py", "micropython-lib"
_PERCENT = re.compile(rb"^\[\s*(\d+)%\]")
_REPORT_EVERY_PERCENT = 10


def build(
    made: Recipe,
    packages: dict[str, Package],
    work: Path,
    log: Path,
    progress: Progress,
    jobs: int,
) -> bytes:
    """Build the firmware in `work` and return it, of the kind that the recipe says."""
    progress("unpacking the sources")
    places = {name: _unpack(package, work / name) for name, package in packages.items()}
    source = places["micropython"]
    for link, name in made.links.items():
        target = source / "lib" / link
        if target.is_dir() and not target.is_symlink():
            target.rmdir()
        target.symlink_to(places[name])
    manifest = work / _MANIFEST
    manifest.write_text(made.manifest, encoding="utf-8")
    # The build only asks whether this folder has a README.md; nothing in the manifest needs more.
    library = work / _LIBRARY
    library.mkdir()
    (library / "README.md").touch()
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": str(_released(packages["micropython"])),
        "GIT_CEILING_DIRECTORIES": str(work),
    }
    run = _Runner(log, environment, progress)
    run("compiling mpy-cross", ["make", "-C", str(source / "mpy-cross"), f"-j{jobs}"])
    make = _with_make if made.image == "elf" else _with_cmake
    return make(made, places, work, run, jobs)


def _with_cmake(
    made: Recipe, places: dict[str, Path], work: Path, run: _Runner, jobs: int
) -> bytes:
    tree = work / "build"
    run(
        "configuring MicroPython",
        [
            "cmake",
            "-S",
            str(places["micropython"] / "ports" / made.port),
            "-B",
            str(tree),
            f"-DPICO_SDK_PATH={places['pico-sdk-source']}",
            f"-DMICROPY_BOARD={made.board}",
            "-DPICO_NO_PICOTOOL=1",
            f"-DMICROPY_LIB_DIR={work / _LIBRARY}",
            f"-DMICROPY_FROZEN_MANIFEST={work / _MANIFEST}",
        ],
    )
    run("compiling MicroPython", ["make", "-C", str(tree), f"-j{jobs}"])
    binary = tree / "firmware.bin"
    copy = ["arm-none-eabi-objcopy", "-O", "binary", str(tree / "firmware.elf"), str(binary)]
    run("writing the image", copy)
    return wrap(binary.read_bytes(), made.flash_base, made.family)


def _with_make(
    made: Recipe, places: dict[str, Path], work: Path, run: _Runner, jobs: int
) -> bytes:
    tree = work / "build"
    modules = work / "modules" / "takt"
    modules.mkdir(parents=True)
    for name, text in made.modules.items():
        (modules / name).write_text(text, encoding="utf-8")
    run(
        "compiling MicroPython",
        [
            "make",
            "-C",
            str(places["micropython"] / "ports" / made.port),
            f"-j{jobs}",
            f"BOARD={made.board}",
            f"BUILD={tree}",
            f"FROZEN_MANIFEST={work / _MANIFEST}",
            f"MPY_LIB_DIR={work / _LIBRARY}",
            f"USER_C_MODULES={modules.parent}",
            *(argument.format(modules=modules) for argument in made.arguments),
        ],
    )
    return (tree / "firmware.elf").read_bytes()


def upstream_version(debian_version: str) -> str:
    """1.26.1 out of 1.26.1+ds-1."""
    return re.split(r"[+~-]", debian_version.split(":")[-1])[0]


def _unpack(package: Package, place: Path) -> Path:
    place.mkdir()
    if package.name in _UNPACKED:
        done = subprocess.run(
            ["dpkg-deb", "-x", str(package.files[0]), str(place)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise FirmwareError(f"cannot unpack {package.files[0].name}: {done.stderr.strip()}")
        return place / _UNPACKED[package.name]
    # Debian's patches serve its own packages (system mbedtls, documentation): not applied.
    with tarfile.open(_file(package, ".orig.tar.")) as archive:
        if sys.version_info >= (3, 12):
            archive.extractall(place, filter="tar")
        else:
            archive.extractall(place)
    (top,) = place.iterdir()
    return top


def _file(package: Package, part: str) -> Path:
    for path in package.files:
        if part in path.name:
            return path
    raise FirmwareError(f"the source package {package.name} {package.version} has no {part} file")


def _released(package: Package) -> int:
    """When the package was released: its change log's newest entry, in seconds since 1970."""
    with tarfile.open(_file(package, ".debian.tar.")) as archive:
        file = archive.extractfile("debian/changelog")
        text = file.read().decode("utf-8", "replace") if file else ""
    match = re.search(r"^ -- .*>  (.+)$", text, re.MULTILINE)
    return int(parsedate_to_datetime(match[1]).timestamp()) if match else 0


class _Runner:
    """Runs the build's commands with their output in the log and their progress told."""

    def __init__(self, log: Path, environment: dict[str, str], progress: Progress) -> None:
        self._log = log
        self._environment = environment
        self._progress = progress

    def __call__(self, phase: str, command: list[str]) -> None:
        self._progress(phase)
        reported = 0
        with self._log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    log.write(line)
                    match = _PERCENT.match(line)
                    percent = int(match[1]) if match else 0
                    if percent >= reported + _REPORT_EVERY_PERCENT:
                        reported = percent - percent % _REPORT_EVERY_PERCENT
                        self._progress(f"{phase}: {reported} %")
            except BaseException:
                process.terminate()
                raise
            finally:
                code = process.wait()
        if code != 0:
            raise FirmwareError(
                f"{phase} failed (exit code {code}). The end of {self._log}:\n{tail(self._log)}"
            )
