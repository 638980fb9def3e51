"""What a program costs beside cycles: heap, bytes, and the time from a change to a scan."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_tools.bench.stand import TANK, Opened
from host_tools.bundle import Bundle, read_bundle
from host_tools.device_files import ROOT
from host_tools.failure import Failure
from host_tools.record import record

_LINE = "start_level : REAL := 60.0;"
_CHANGED = "start_level : REAL := 61.0;"


def sizes(bundle: Bundle, opened: Opened | None) -> dict[str, Any]:
    """The part "size" of the report; `opened` is what the board says with the program loaded."""
    return {
        "program": bundle.manifest["name"],
        "bundle": len(bundle.pack()),
        "parts": {name: len(content) for name, content in bundle.parts.items()},
        "image": bundle.manifest["image_size"],
        "heap_before": opened.before if opened else None,
        "heap_used": opened.used if opened else None,
        "heap_free": opened.free if opened else None,
    }


@record(frozen=True)
class Changed:
    """A program before and after a change of one line."""

    first: Bundle
    second: Bundle
    compile_s: float


def change_one_line() -> Changed:
    """Build a copy of the tank, change one line of it, and build it again in a new process, as
    somebody at the keyboard does. Raises Failure."""
    with tempfile.TemporaryDirectory(prefix="takt-") as folder:
        copy = Path(folder, "tank")
        shutil.copytree(TANK, copy, ignore=shutil.ignore_patterns("build"))
        _build(copy)
        first = read_bundle(copy / "build" / "tank.taktb")
        file = next(path for path in sorted(copy.glob("*.st")) if _LINE in path.read_text("utf-8"))
        file.write_text(file.read_text("utf-8").replace(_LINE, _CHANGED), "utf-8")
        taken_s = _build(copy)
        return Changed(first, read_bundle(copy / "build" / "tank.taktb"), taken_s)


def _build(project: Path) -> float:
    """Seconds of `takt build`, the start of Python included."""
    command = [sys.executable, "-m", "host_tools.cli", "build", str(project), "--engine", "native"]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failure(f"the tank does not build: {done.stderr.strip()[-300:]}")
    return time.monotonic() - start


def turnaround(
    changed: Changed, link: Any, board: Any, time_ns: Callable[[], int] | None
) -> dict[str, Any]:
    """The part "turnaround" of the report: deploy both over the link; the second one counts.
    `time_ns` is the board's own clock where it is an emulated one."""
    from host_tools.deployment import deploy

    deploy(link, changed.first, board, lambda text: None)
    start, start_ns = time.monotonic(), time_ns() if time_ns else 0
    deploy(link, changed.second, board, lambda text: None)
    taken_s = time.monotonic() - start
    found: dict[str, Any] = {
        "changed": _CHANGED,
        "compile_s": round(changed.compile_s, 3),
        "deploy_s": round(taken_s, 3),
    }
    if time_ns:
        # An emulator takes longer than what it emulates: seconds of the board are what counts.
        found["deploy_s"] = round((time_ns() - start_ns) / 1e9, 3)
        found["deploy_wall_s"] = round(taken_s, 3)
    found["total_s"] = round(found["compile_s"] + found["deploy_s"], 3)
    return found
