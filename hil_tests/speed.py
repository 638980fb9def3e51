"""How long a bench takes: virtual seconds of a program with its plant, in seconds of wall time.

python -m hil_tests.speed hil_tests/suites/tank --dut host,pico --for 100s
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from hil_tests.bench import open_bench
from hil_tests.bench_file import read_bench
from host_tools.duration import parse_duration
from host_tools.failure import Failure

SETTINGS = {"selector": True}
"""Signals that have to be so for something to happen: the tank's selector, in automatic."""
TANK = Path(__file__).parent / "suites" / "tank"


def measure(path: Path, name: str, duration_ns: int) -> dict[str, Any]:
    """Start the device `name` of a bench with its plant and let time pass. Raises Failure."""
    begin = time.perf_counter()
    bench = open_bench(read_bench(path), name)
    try:
        if bench.file.plant is not None:
            bench.connect_plant()
        for name_of, value in SETTINGS.items():
            if name_of in bench.signals:
                bench.signals[name_of].drive(value)
        bench.begin()
        started, busy = time.perf_counter(), time.process_time()
        bench.clock.run(duration_ns)
        ended, busy = time.perf_counter(), time.process_time() - busy
        found = {
            "device": name,
            "engine": bench.program.engine,
            "virtual_s": duration_ns / 1e9,
            "start_s": round(started - begin, 3),
            "run_s": round(ended - started, 3),
            "processor_s": 0.0,
            "changes": len(bench.dut.recording.changes),
            "plant_steps": duration_ns // bench.plant.step_ns if bench.plant else 0,
            "fault": bench.dut.fault(),
        }
        others = _children_s()
    finally:
        bench.close()
    # A MicroPython process has told how long it was busy when it has ended.
    found["processor_s"] = round(busy + _children_s() - others, 3)
    return found


def _children_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def text(found: dict[str, Any]) -> str:
    return (
        f"{found['device']} ({found['engine']}): {found['virtual_s']:g} virtual seconds, "
        f"{found['plant_steps']} steps of the plant, {found['changes']} changes: "
        f"{found['run_s']:.1f} s ({found['processor_s']:.1f} s of processor time), "
        f"started in {found['start_s']:.1f} s"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hil_tests.speed", description=__doc__)
    parser.add_argument("bench", nargs="?", type=Path, default=TANK, help="default: the tank's")
    parser.add_argument("--dut", default="host", help="devices, by commas (default: host)")
    parser.add_argument("--for", dest="duration", default="100s", help="default: 100s")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    found = []
    try:
        duration_ns = parse_duration(options.duration)
        for name in options.dut.split(","):
            found.append(measure(options.bench, name, duration_ns))
            if not options.json:
                print(text(found[-1]), flush=True)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        if failure.help:
            print(f"help: {failure.help}", file=sys.stderr)
        return failure.exit_code
    if options.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
