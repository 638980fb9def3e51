"""The firmware cache: finished images under the user's cache folder, one folder each."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.firmware.recipe import FirmwareError, Recipe

_RECORD = "image.json"


@dataclass(frozen=True)
class Image:
    """One finished firmware image and where it came from."""

    path: Path
    board: str
    version: str
    """MicroPython version, such as 1.26.1; "given" for an image the user brought along."""
    origin: str
    """How it was obtained: "built", "downloaded" or "given"."""
    sha256: str
    packages: dict[str, str]
    """Package -> version it was built from; empty when it was not built here."""
    recipe: int


def root() -> Path:
    """Takt's cache folder: `$XDG_CACHE_HOME/takt`, else `~/.cache/takt`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # An unset or relative value is to be ignored (XDG Base Directory Specification).
    folder = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return folder / "takt"


def folder(board: str) -> Path:
    """Where the images of one board lie."""
    return root() / "firmware" / board


def images(made: Recipe) -> list[Image]:
    """The finished images of a board that its present recipe made, newest version first."""
    found = []
    for record in sorted(folder(made.name).glob(f"*/{_RECORD}")):
        try:
            data = json.loads(record.read_text(encoding="utf-8"))
            image = Image(path=record.parent / _image(made), **data)
        except (OSError, ValueError, TypeError):
            continue
        if image.recipe == made.number and image.path.is_file():
            found.append(image)
    return sorted(found, key=_newest, reverse=True)


def _image(made: Recipe) -> str:
    return f"firmware.{made.image}"


def _newest(image: Image) -> tuple[bool, tuple[int, ...]]:
    numbers = tuple(int(part) for part in image.version.split(".") if part.isdigit())
    # An image the user gave was given on purpose: it comes first.
    return image.origin == "given", numbers


def store(
    made: Recipe, image: bytes, *, version: str, origin: str, packages: dict[str, str]
) -> Image:
    """Put a finished image into the cache, whole or not at all."""
    digest = hashlib.sha256(image).hexdigest()
    record: dict[str, Any] = {
        "board": made.name,
        "version": version,
        "origin": origin,
        "sha256": digest,
        "packages": packages,
        "recipe": made.number,
    }
    contents = json.dumps(packages, sort_keys=True) if packages else digest
    key = hashlib.sha256(contents.encode()).hexdigest()[:12]
    home = folder(made.name)
    place = home / f"{version}-r{made.number}-{key}"
    with scratch(made.name) as temporary:
        whole = temporary / "image"
        whole.mkdir()
        (whole / _image(made)).write_bytes(image)
        (whole / _RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        if place.exists():
            place.rename(temporary / "replaced")
        whole.rename(place)
    return Image(path=place / _image(made), **record)


@contextmanager
def scratch(board: str) -> Iterator[Path]:
    """A temporary folder beside the images, gone afterwards."""
    home = _made(folder(board))
    path = Path(tempfile.mkdtemp(prefix=".work-", dir=home))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def lock(board: str, waiting: str, progress: Any) -> Iterator[None]:
    """Hold the board's build lock; says `waiting` when another process has it."""
    with (_made(folder(board)) / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            progress(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _made(path: Path) -> Path:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FirmwareError(
            f"cannot make the cache folder {path}: {error.strerror}. "
            "Set XDG_CACHE_HOME to a folder that can be written."
        ) from error
    return path
