"""MicroPython firmware for the boards: found in the cache, built, downloaded or given."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from host_tools.firmware import cache
from host_tools.firmware.cache import Image
from host_tools.firmware.micropython import build as _compile
from host_tools.firmware.micropython import upstream_version
from host_tools.firmware.packages import (
    Package,
    PrivateApt,
    Progress,
    debian_archives,
    install_tools,
    installed_versions,
)
from host_tools.firmware.recipe import (
    FirmwareError,
    Mix,
    Recipe,
    boards,
    mixes_for,
    recipe,
)
from host_tools.firmware.uf2 import check

__all__ = [
    "FirmwareError",
    "Image",
    "adopt",
    "boards",
    "build",
    "download",
    "ensure",
    "status",
]

_DOWNLOAD_TIMEOUT_S = 60
_LARGEST_IMAGE_BYTES = 32 * 1024 * 1024


def _silent(phase: str) -> None:
    pass


def ensure(
    board: str = "pico", *, version: str | None = None, progress: Progress = _silent
) -> Path:
    """The board's firmware image, built first when it is not in the cache.

    `version` such as "1.26" asks for that MicroPython; without it any cached image does.
    `progress` is called with a line of text at each phase. Raises `FirmwareError`.
    """
    return build(board, version=version, progress=progress).path


def build(
    board: str = "pico",
    *,
    version: str | None = None,
    force: bool = False,
    progress: Progress = _silent,
    jobs: int | None = None,
) -> Image:
    """Build the board's firmware from Debian packages, unless the cache has it.

    `force` builds all the same. Without `version` the newest recipe is tried first and the next
    one when it fails, which `progress` is told. Raises `FirmwareError`.
    """
    made = recipe(board)
    mixes = mixes_for(made, version)
    waiting = "another takt is building this firmware, waiting for it"
    if not force and (found := _cached(made, version)):
        return found
    with cache.lock(board, waiting, progress):
        if not force and (found := _cached(made, version)):
            return found
        log = cache.folder(board) / "build.log"
        log.write_bytes(b"")
        install_tools(made.tools, log, progress)
        for mix in mixes[:-1]:
            try:
                return _build_mix(made, mix, log, progress, jobs)
            except FirmwareError as error:
                shutil.copyfile(log, log.with_name(f"build-{mix.version}.log"))
                progress(f"MicroPython {mix.version} cannot be built here: {error}")
        return _build_mix(made, mixes[-1], log, progress, jobs)


def status(board: str = "pico") -> list[Image]:
    """The images in the cache for a board, the one `ensure` would return first."""
    return cache.images(recipe(board))


def adopt(board: str, file: Path) -> Image:
    """Put an image the user has into the cache, as the one to use for the board."""
    made = recipe(board)
    _check(made, file)
    return cache.store(made, file.read_bytes(), version="given", origin="given", packages={})


def download(
    board: str,
    sha256: str,
    *,
    version: str | None = None,
    url: str | None = None,
    progress: Progress = _silent,
) -> Image:
    """Download the image MicroPython's makers publish and check it against `sha256`.

    They publish no checksum beside it, so the caller has to say which one to trust.
    Raises `FirmwareError` when the file cannot be had or is another one.
    """
    made = recipe(board)
    version = version or next(iter(made.official), "")
    address = url or made.official.get(version)
    if address is None:
        raise FirmwareError(
            f"there is no download known for MicroPython {version} on the {made.title}. "
            f"Known: {', '.join(made.official) or 'none'}; or give the address of the file."
        )
    progress(f"downloading {address}")
    try:
        with urllib.request.urlopen(address, timeout=_DOWNLOAD_TIMEOUT_S) as answer:
            content = answer.read(_LARGEST_IMAGE_BYTES)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise FirmwareError(
            f"cannot download {address}: {error}. "
            "Download it in another way and give it: takt firmware build pico --image FILE.uf2"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise FirmwareError(
            f"what {address} sent is not the image asked for: its SHA-256 is {found}, "
            f"expected {sha256.lower()}. Nothing was kept."
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "firmware"
        file.write_bytes(content)
        _check(made, file)
    return cache.store(made, content, version=version, origin="downloaded", packages={})


def _check(made: Recipe, file: Path) -> None:
    """Raise `FirmwareError` unless the file is an image for the recipe's board."""
    if made.image == "uf2":
        check(file, made.family, made.title)
    elif not file.read_bytes().startswith(b"\x7fELF"):
        raise FirmwareError(f"{file} is no ELF file. The {made.title} needs firmware.elf.")


def _cached(made: Recipe, version: str | None) -> Image | None:
    for image in cache.images(made):
        if version is None or image.version == version or image.version.startswith(version + "."):
            return image
    return None


def _build_mix(made: Recipe, mix: Mix, log: Path, progress: Progress, jobs: int | None) -> Image:
    archives = debian_archives()
    if not archives:
        raise FirmwareError(
            "this machine's apt sources (/etc/apt/sources.list and sources.list.d) name no Debian "
            "archive to take the source packages from. Add a deb822 file that does, or give an "
            "image: takt firmware build pico --image FILE.uf2"
        )
    with cache.scratch(made.name) as work:
        apt = PrivateApt(work / "apt", log, progress)
        apt.update(archives[0], mix)
        debian_version = apt.version_of("micropython", mix.sources["micropython"])
        if not debian_version.startswith(mix.expect):
            raise FirmwareError(
                f"Debian {mix.sources['micropython']} now has MicroPython {debian_version}, "
                f"and this recipe was made for {mix.expect}x."
            )
        packages: dict[str, Package] = {}
        for name, suite in mix.sources.items():
            packages[name] = apt.fetch_source(name, suite)
        for name, suite in mix.binaries.items():
            packages[name] = apt.fetch_binary(name, suite)
        image = _compile(made, packages, work, log, progress, jobs or os.cpu_count() or 1)
        return cache.store(
            made,
            image,
            version=upstream_version(debian_version),
            origin="built",
            packages={
                **{name: package.version for name, package in sorted(packages.items())},
                **installed_versions(made.compiler),
            },
        )
