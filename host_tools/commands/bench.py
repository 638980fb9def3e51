"""`takt bench`: what a board or its emulation reaches, measured."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_tools.commands.run import check_target
from host_tools.failure import OK, PROGRAM, USAGE, Failure
from host_tools.render import Progress

PARTS = ("speed", "release", "determinism", "ten-khz", "size", "turnaround")
EPILOG = """\
parts:
  speed         a scan of the bench's programs by each engine, against plain C
  release       the release of an empty task, in cycles
  determinism   latencies of a 1 ms, a 10 ms and a 100 ms task, idle and under load
  ten-khz       a 100 µs task with 64 digital points
  size          heap and bundle of the tank example
  turnaround    from a changed line to a scanning board

targets: pico, an emulated RP2040 (default); host; micropython; or the port of a Pico. What a
target cannot measure is said in the report. docs/benchmarks.md tells how it is measured.
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("--on", metavar="TARGET", default="pico", help="where (default: pico)")
    parser.add_argument(
        "--seconds", metavar="N", default="10", help="of each timed run, virtual ones on the pico"
    )
    parser.add_argument(
        "--only", metavar="PART", action="append", choices=PARTS, help="may be repeated"
    )
    parser.add_argument("--html", metavar="FILE", help="write the report as a page as well")
    parser.add_argument(
        "--check", action="store_true", help="end with 1 where a figure misses its bar"
    )


def run(options: argparse.Namespace) -> int:
    check_target(options.on)
    seconds = _seconds(options.seconds)
    page = None if options.html is None else _writable(Path(options.html))
    parts = [part.replace("-", "_") for part in options.only or PARTS]
    with Progress("bench") as progress:
        report = measure(options.on, parts, seconds, progress.say, progress)
    if page is not None:
        from host_tools.bench.page import page as page_text

        page.write_text(page_text(report), encoding="utf-8")
    if options.json:
        print(json.dumps(report))
    else:
        from host_tools.bench.report import report_text

        print(report_text(report))
    sys.stdout.flush()
    missed = options.check and not all(row["met"] for row in report["bars"])
    return PROGRAM if missed else OK


def measure(
    target: str, parts: list[str], seconds: float, say: Callable[[str], None], progress: Progress
) -> dict[str, Any]:
    """The report as JSON shows it. Raises Failure."""
    from host_tools.bench import elsewhere, speed
    from host_tools.bench.bars import bars
    from host_tools.version import version

    if target == "host":
        found, notes = elsewhere.on_host(parts, seconds, say), elsewhere.HOST_NOTES
    elif target == "micropython":
        found = elsewhere.on_micropython(parts, seconds, say)
        notes = elsewhere.MICROPYTHON_NOTES
    else:
        from host_tools.runs import open_link

        with open_link(target, progress) as link:
            if target == "pico":
                from host_tools.bench import pico

                found, notes = pico.measure(link, parts, seconds, say), pico.NOTES
                if "speed" in parts and found["speed"]["geomean_ratio_to_c"] is None:
                    notes = [*notes, speed.GET_GCC]
            else:
                found = elsewhere.on_board(link, parts, seconds, say)
                notes = elsewhere.BOARD_NOTES
    report = {
        "takt": version(),
        "target": target,
        "emulated": target == "pico",
        "seconds": seconds,
        **found,
        "not_measured": notes,
    }
    # Bars are for the Pico; other targets are for comparing with themselves.
    report["bars"] = bars(found) if target not in ("host", "micropython") else []
    return report


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 3600:
        raise Failure(f"--seconds takes a number, 0.1 to 3600, not '{text}'", "", USAGE)
    return value


def _writable(path: Path) -> Path:
    """Found out now, not after minutes. Raises Failure."""
    if path.is_dir() or not path.parent.is_dir():
        raise Failure(f"'{path}' cannot be written", "give --html the name of a file", USAGE)
    return path
