"""The Pico's flash as an image: the littlefs file system MicroPython keeps behind its firmware."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from host_tools.pico.errors import PicoError

if TYPE_CHECKING:
    from littlefs import LittleFS

FLASH_BYTES = 2 * 1024 * 1024
"""Flash of a Raspberry Pi Pico (W25Q16JV, 16 Mbit)."""

# ports/rp2/boards/RPI_PICO/mpconfigboard.h: the last 1408 KiB are the file system.
FILE_SYSTEM_BYTES = 1408 * 1024
FILE_SYSTEM_START = FLASH_BYTES - FILE_SYSTEM_BYTES
_BLOCK_BYTES = 4096
# As MicroPython mounts it (ports/rp2/modules/_boot.py, extmod/vfs_lfs.c): a file is kept inline
# up to a limit that follows from the cache size, so that has to be the same.
_READ_BYTES = 32
_PROGRAM_BYTES = 256
_CACHE_BYTES = 4 * _PROGRAM_BYTES
_LOOKAHEAD_BYTES = 32
_DISK_VERSION = 0x00020001
_ERASED = b"\xff"


def files_in(flash: bytes) -> dict[str, bytes]:
    """Path -> content of every file in a flash image; empty when it has no file system yet."""
    fs = _mounted(flash)
    if fs is None:
        return {}
    found = {}
    for folder, _folders, names in fs.walk("/"):
        for name in names:
            path = f"{folder.rstrip('/')}/{name}"
            with fs.open(path, "rb") as file:
                found[path] = bytes(file.read())
    return found


def with_files(flash: bytes, files: Mapping[str, bytes]) -> bytes:
    """The flash image with these files added or replaced; formats it when it has no file system.

    Raises `PicoError` when they do not fit.
    """
    fs = _mounted(flash) or _file_system(None)
    from littlefs import LittleFSError

    try:
        for path, content in files.items():
            absolute = "/" + path.strip("/")
            folder = absolute.rpartition("/")[0]
            if folder:
                fs.makedirs(folder, exist_ok=True)
            with fs.open(absolute, "wb") as file:
                file.write(content)
    except LittleFSError as error:
        raise PicoError(
            f"cannot put {path} ({len(content)} bytes) into the Pico's file system of "
            f"{FILE_SYSTEM_BYTES} bytes: {error}"
        ) from error
    return flash[:FILE_SYSTEM_START] + bytes(fs.context.buffer)


def _mounted(flash: bytes) -> LittleFS | None:
    part = flash[FILE_SYSTEM_START:FLASH_BYTES]
    # littlefs's superblock lies in the first two blocks ("littlefs" follows its tag).
    if b"littlefs" not in part[: 2 * _BLOCK_BYTES]:
        return None
    return _file_system(part)


def _file_system(content: bytes | None) -> LittleFS:
    try:
        from littlefs import LittleFS, UserContext
    except ImportError as error:
        raise PicoError(
            "putting files on the emulated Pico needs the littlefs-python package, which is not "
            "installed. Install it with: pip install 'takt-plc[pico]'"
        ) from error
    context = UserContext(FILE_SYSTEM_BYTES)
    context.buffer[:] = _ERASED * FILE_SYSTEM_BYTES if content is None else content
    fs = LittleFS(
        context=context,
        mount=False,
        block_size=_BLOCK_BYTES,
        block_count=FILE_SYSTEM_BYTES // _BLOCK_BYTES,
        read_size=_READ_BYTES,
        prog_size=_PROGRAM_BYTES,
        cache_size=_CACHE_BYTES,
        lookahead_size=_LOOKAHEAD_BYTES,
        disk_version=_DISK_VERSION,
    )
    if content is None:
        fs.format()
    fs.mount()
    return fs
