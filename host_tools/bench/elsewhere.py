"""The bench where less can be had: this computer, MicroPython's unix port, a real board."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from host_tools.bench import releases, speed
from host_tools.bench.costs import change_one_line, sizes, turnaround
from host_tools.bench.stand import Load, Stand, bench_bundle, slot_files
from host_tools.failure import Failure
from host_tools.runs import Request, run_on

Say = Callable[[str], None]

HOST_NOTES = [
    "plain C: cycles of this computer's processor are not counted, so there is no ratio to C; "
    "use --on pico",
    "releases, the 100 µs task and heap: on the host tasks run in virtual time; use --on pico",
]
MICROPYTHON_NOTES = [
    "plain C and cycles: use --on pico",
    "the release of an empty task, the 100 µs task and heap: the scan kernel is for the RP2040",
    "latencies are those of the portable scheduler in a process of this computer, whatever else "
    "that does",
]
BOARD_NOTES = [
    "plain C and cycles: they are counted by the emulator; use --on pico",
    "edges of pins seen from outside: that takes an instrument at GP2",
    "Modbus traffic: that takes a master at GP0 and GP1; the server runs and nobody asks it",
]


def on_host(parts: Sequence[str], seconds: float, say: Say) -> dict[str, Any]:
    """Time of a scan with both engines on this computer, size and compile time."""
    report: dict[str, Any] = {}
    if "speed" in parts:
        rows = [_host_row(name, say) for name in speed.program_names()]
        report["speed"] = _in_time(rows)
    return report | _costs(parts, say)


def _host_row(name: str, say: Say) -> dict[str, Any]:
    from host_tools.simulation import Simulation

    say(f"speed: {name}")
    row: dict[str, Any] = {"name": name}
    results = []
    for engine in ("native", "python"):
        program = speed.compiled(name, engine)
        simulation = Simulation(program)
        runs = []
        for _ in range(5):
            start = time.perf_counter_ns()
            simulation.run(speed.SCANS)
            runs.append((time.perf_counter_ns() - start) / speed.SCANS)
        row[f"ns_{engine}"] = round(statistics.median(runs))
        results.append(simulation.get("main.result"))
    _agree(name, results)
    return row


def _agree(name: str, results: list[Any]) -> None:
    if any(result != results[0] for result in results):
        raise Failure(f"the engines disagree on the bench's program {name}: {results}")


def _in_time(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"scans": speed.SCANS, **speed.speed_summary([]), "compiler": None, "programs": rows}


def _costs(parts: Sequence[str], say: Say) -> dict[str, Any]:
    report: dict[str, Any] = {}
    if "size" in parts:
        say("size")
        report["size"] = sizes(bench_bundle("tank"), None)
    if "turnaround" in parts:
        say("compile time")
        report["turnaround"] = {
            "compile_s": round(change_one_line().compile_s, 3),
            "deploy_s": None,
        }
    return report


def on_micropython(parts: Sequence[str], seconds: float, say: Say) -> dict[str, Any]:
    """Both engines in a MicroPython process: time of a scan, latencies of the scheduler."""
    report: dict[str, Any] = {}
    if "speed" in parts:
        report["speed"] = _in_time([_process_row(name, say) for name in speed.program_names()])
    if "determinism" in parts:
        say("determinism")
        told = _console_run("micropython", "three_tasks", seconds)
        report["determinism"] = releases.determinism(told, told) | {"load": None}
    return report | _costs(parts, say)


def _process_row(name: str, say: Say) -> dict[str, Any]:
    from host_tools.variables import Variables

    say(f"speed: {name}")
    row: dict[str, Any] = {"name": name}
    results = []
    for engine in ("native", "python"):
        program = speed.compiled(name, engine)
        # Times by the real clock; results by the virtual one, where every run has the same times.
        task = run_on("micropython", program, Request(scans=speed.SCANS, clock="real")).tasks[0]
        row[f"us_{engine}"] = round(task["exec_total"] / task["scans"], 1)
        result = run_on("micropython", program, Request(scans=speed.SCANS, clock="virtual"))
        results.append(Variables(program.layout).read(result.image, "main.result"))
    _agree(name, results)
    return row


def _console_run(target: str, name: str, seconds: float) -> dict[str, Any]:
    from host_tools.bench.stand import PROJECTS
    from host_tools.build import compile
    from host_tools.project import load

    program = compile(load(str(PROJECTS / name), engine="native"))
    request = Request(until_ns=int(seconds * 1e9), clock="real", modbus_port=0)
    result = run_on(target, program, request)
    told = {"tasks": result.tasks, "rounds": None, "fault": result.fault}
    return releases.phase(told, None)


def on_board(link: Any, parts: Sequence[str], seconds: float, say: Say) -> dict[str, Any]:
    """An RP2040 board on a serial port: what the same programs tell about themselves. What is
    deployed there is interrupted; programs of the bench stay in its folder /bench."""
    from host_tools.deployment import check_board, install_runtime
    from host_tools.wiring.boards import load_board

    board = load_board("pico")
    check_board(link, board)
    runtime = install_runtime(link, say)
    names = [
        name
        for part, name in (("size", "tank"), ("determinism", "three_tasks"), ("ten_khz", "points"))
        if part in parts
    ]
    bundles = {name: bench_bundle(name) for name in names}
    say("copying the programs")
    link.put(slot_files(bundles))
    stand = Stand(link, lambda: None, runtime.use)
    report: dict[str, Any] = {}
    if "size" in parts:
        say("size")
        report["size"] = sizes(bundles["tank"], stand.open("tank"))
    if "determinism" in parts:
        phases = []
        for load, text in (
            (None, "idle"),
            (Load(writes=False), "under load"),
            (Load(), "under load, with files written"),
        ):
            say(f"determinism: {text}")
            stand.open("three_tasks")
            phases.append(releases.phase(stand.run(seconds, load), None))
        report["determinism"] = _with_writes(*phases)
    if "ten_khz" in parts:
        say("the 100 µs task")
        stand.open("points")
        report["ten_khz"] = releases.points(stand.run(seconds / 4))
    if "turnaround" in parts:
        say("turn-around")
        report["turnaround"] = turnaround(change_one_line(), link, board, None)
    return report


def _with_writes(
    idle: dict[str, Any], load: dict[str, Any], writes: dict[str, Any]
) -> dict[str, Any]:
    """Flash operations cannot be told from outside on a board: they are what the run with files
    has more than the one without."""
    found = releases.determinism(idle, load)
    longest = max(load["max_us"], writes["max_us"])
    by_flash = writes["max_us"] > load["max_us"]
    cause = "flash operation" if by_flash else "interrupts masked by the firmware"
    return found | {"writes": writes, "stall": {"us": longest, "cause": cause}}
