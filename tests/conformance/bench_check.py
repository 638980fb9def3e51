"""How long `takt check` takes, and how much memory: `python -m tests.conformance.bench_check`.

Checks generated programs of 5,000 and 50,000 lines (other numbers as arguments) in processes of
their own, three times each, and prints the best.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from tests.conformance.large_program import large_program

_RUNS = 3


def check(path: Path) -> tuple[float, float, int]:
    """User CPU seconds, wall-clock seconds and peak memory in KiB of `takt check PATH`."""
    from time import perf_counter

    started = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "host_tools.cli", "check", str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"takt check {path} failed")
    return usage.ru_utime, perf_counter() - started, usage.ru_maxrss


def main(sizes: list[int]) -> None:
    best: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            text = large_program(size)
            path = Path(folder) / f"plant_{size}.st"
            path.write_text(text, encoding="utf-8")
            runs = [check(path) for _ in range(_RUNS)]
            user, wall, memory = (min(column) for column in zip(*runs, strict=True))
            lines = text.count("\n")
            best.append((lines, user))
            print(
                f"{lines:>7,} lines: {user:6.2f} s CPU, {wall:6.2f} s, {memory / 1024:5.0f} MiB, "
                f"{lines / user:,.0f} lines/s"
            )
    for (few, quick), (many, slow) in pairwise(best):
        print(f"{many / few:.1f} times the lines take {slow / quick:.1f} times the time")


if __name__ == "__main__":
    main([int(a) for a in sys.argv[1:]] or [5_000, 50_000])
