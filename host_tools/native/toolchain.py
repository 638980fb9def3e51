"""Compiles C to machine code with `zig cc` (PyPI package ziglang), keeping what it made."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from host_tools.compiler.c_engine.runtime import RUNTIME, runtime_text
from host_tools.failure import DEVICE, Failure
from host_tools.mpy import cache_folder, write_whole

HEADERS = Path(__file__).parents[1] / "compiler" / "c_engine"

# What rt.h relies on: wrapping integers, the image as bytes of any type, floats rounded after
# every operation, and nothing but this code at run time.
_FLAGS = """
-std=gnu11 -O2 -fno-unroll-loops -w -ffreestanding -nostdlib -fwrapv -fno-strict-aliasing
-ffp-contract=off
-fno-math-errno -fno-unwind-tables -fno-asynchronous-unwind-tables -fno-stack-protector
-fno-sanitize=all -fno-ident -fomit-frame-pointer -g0
"""
MEANING = _FLAGS.split()

GCC_MEANING = [*MEANING, "-frounding-math"]
"""For gcc, which else makes -x of 0.0 - x where x comes from an integer: -0.0 of 0.0."""


@lru_cache
def zig_version() -> str:
    """Version of the installed ziglang. Raises Failure where there is none."""
    if importlib.util.find_spec("ziglang") is None:
        raise Failure(
            "the native engine needs a C compiler, and ziglang is not installed",
            "install it into the same environment as Takt: pip install ziglang",
            DEVICE,
        )
    run = subprocess.run(
        [sys.executable, "-m", "ziglang", "version"], capture_output=True, text=True, check=False
    )
    return run.stdout.strip()


def zig(arguments: Sequence[str], folder: Path) -> None:
    """Run zig in a folder. Raises Failure where it fails."""
    zig_version()
    run = subprocess.run(
        [sys.executable, "-m", "ziglang", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        said = run.stderr.strip().splitlines()
        errors = [line for line in said if "error:" in line] or said[-3:]
        raise Failure(f"the C compiler refuses the program: {'; '.join(errors[:3])}")


def compile_c(text: str, flags: Sequence[str], suffix: str) -> Path:
    """The file that `zig cc` makes of a C text with these flags, in the cache. Raises Failure."""
    parts = [zig_version(), *MEANING, *flags, runtime_text(), text]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    kept = cache_folder() / "native" / f"{key}{suffix}"
    if kept.is_file():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="takt-") as name:
        folder = Path(name)
        (folder / "program.c").write_text(text, encoding="utf-8")
        for file in RUNTIME:
            (folder / file).write_bytes((HEADERS / file).read_bytes())
        zig(["cc", *MEANING, *flags, "program.c", "-o", "made"], folder)
        with contextlib.suppress(FileExistsError):
            write_whole(kept, (folder / "made").read_bytes())
    return kept
