"""The runtime that a board needs beside a program: controller and bus as byte code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from host_tools.mpy import compile_mpy

ROOT = Path(__file__).parents[1]
PACKAGES = ("controller", "bus", "drivers")


def runtime_files(say: Callable[[str], None] = lambda text: None) -> dict[str, bytes]:
    """Path below a folder of sys.path -> content, for every module a device may import."""
    files = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            say(f"compiling {name}")
            files[name[:-3] + ".mpy"] = compile_mpy(path.read_text(encoding="utf-8"), name)
    return files


def runtime_hash(files: dict[str, bytes]) -> str:
    """One hash over names and contents."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
