"""`takt run`: runs a program on the desk, in MicroPython, on an emulated Pico or on a board."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from host_tools.build import Program, compile, with_engine
from host_tools.commands import tell_warnings
from host_tools.commands.build import add_engine
from host_tools.duration import parse_duration
from host_tools.failure import INTERRUPTED, OK, PROGRAM, USAGE, Failure
from host_tools.project import load
from host_tools.render import Progress
from host_tools.runs import Request, Result, run_on
from host_tools.stimuli import parse_sets, read_script
from host_tools.variables import Variable, Variables

EPILOG = """\
targets:
  host          this computer, virtual clock, as fast as it can (default)
  micropython   the same bundle in a MicroPython process on this computer
  pico          MicroPython firmware on an emulated RP2040
  PORT          a board on a serial port, such as /dev/ttyACM0 or COM3

A program runs for 10 s of logical time on the host and until Ctrl-C elsewhere, unless --scans or
--for says otherwise.
"""
_HOST_NS = 10_000_000_000


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument(
        "paths", metavar="PROJECT|FILE.st", nargs="*", help="default: the project here"
    )
    parser.add_argument("--on", metavar="TARGET", default="host", help="where (default: host)")
    add_engine(parser)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--scans", metavar="N", help="end after N release instants")
    length.add_argument("--for", metavar="T#10s", dest="length", help="of logical time")
    parser.add_argument(
        "--set",
        metavar="PATH=VALUE",
        action="append",
        default=[],
        help="before the first scan; may be repeated",
    )
    parser.add_argument(
        "--script", metavar="FILE", help="timed writes: lines AT,PATH,VALUE, or JSON"
    )
    parser.add_argument(
        "--watch",
        metavar="GLOB",
        action="append",
        default=[],
        help="variables to show while it runs; may be repeated",
    )
    parser.add_argument(
        "--clock", choices=["virtual", "real"], help="default: virtual on the host, else real"
    )
    parser.add_argument(
        "--modbus-port", metavar="N", help="in place of the port in takt.toml; 0: any free one"
    )
    parser.add_argument(
        "--trace-crc",
        action="store_true",
        help="add the CRC-32 of the state after every release instant to the JSON",
    )


def run(options: argparse.Namespace) -> int:
    scans = _number(options.scans, "--scans", 1, 2**31)
    until_ns = None if options.length is None else parse_duration(options.length)
    port = _number(options.modbus_port, "--modbus-port", 0, 65535)
    check_target(options.on)
    clock = options.clock or ("virtual" if options.on == "host" else "real")
    if port is not None and clock == "virtual":
        raise Failure(
            "--modbus-port needs the real clock: in virtual time no server runs",
            "add --clock real",
            USAGE,
        )
    if options.trace_crc and not options.json:
        raise Failure("--trace-crc goes with --json", "add --json", USAGE)
    project = with_engine(load(*options.paths, engine=options.engine), options.on)
    with Progress(f"compiling {project.name}"):
        program = compile(project)
    tell_warnings(program.diagnostics)
    variables = Variables(program.layout)
    request = Request(
        scans=scans,
        until_ns=until_ns,
        clock=clock,
        sets=parse_sets(variables, options.set),
        script=read_script(
            options.script, variables, [task.interval_ns for task in program.ir.tasks]
        )
        if options.script
        else [],
        watch=_watched(variables, options.watch),
        crc=options.trace_crc,
        modbus_port=port,
        quiet=options.json,
    )
    endless = scans is None and until_ns is None
    if endless and options.on == "host" and request.clock == "virtual":
        request.until_ns, endless = _HOST_NS, False
    result = run_on(options.on, program, request)
    _print(program, variables, request, result, options)
    if result.fault is not None:
        return PROGRAM
    return INTERRUPTED if result.interrupted and not endless else OK


def check_target(target: str) -> None:
    """Failure where `target` is neither a known one nor looks like a port."""
    from host_tools.compiler.diagnostics import did_you_mean

    known = ("host", "micropython", "pico")
    upper = target.upper()
    if target in known or "/" in target or (upper.startswith("COM") and upper[3:].isdigit()):
        return
    raise Failure(
        f"there is no target '{target}'",
        did_you_mean(target, known) or f"targets are {', '.join(known)} and serial ports",
        USAGE,
    )


def _number(text: str | None, option: str, low: int, high: int) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or not low <= int(text) <= high:
        raise Failure(f"{option} takes a whole number, {low} to {high}, not '{text}'", "", USAGE)
    return int(text)


def _watched(variables: Variables, globs: list[str]) -> list[Variable]:
    found: dict[str, Variable] = {}
    for glob in globs:
        matches = variables.match(glob)
        if not matches:
            from host_tools.compiler.diagnostics import did_you_mean

            known = list(variables.roots)
            raise Failure(
                f"no variable matches '{glob}'",
                did_you_mean(glob, [variables.roots[k].path for k in known])
                or "names begin with the instance, such as main.level; main.* is all of main",
                USAGE,
            )
        found.update({v.path: v for v in matches})
    return list(found.values())


def _print(
    program: Program,
    variables: Variables,
    request: Request,
    result: Result,
    options: argparse.Namespace,
) -> None:
    from host_tools.report import print_result, result_json

    shown = result_json(
        result.image,
        variables,
        program.manifest(),
        scans=result.scans,
        time_ns=result.time_ns,
        records=result.tasks,
        virtual=request.clock == "virtual",
        fault=result.fault,
    )
    if options.json:
        if request.crc:
            shown["crc"] = result.crcs
        if result.interrupted:
            shown["interrupted"] = True
        if result.servers:
            shown["servers"] = result.servers
        print(json.dumps(shown))
        return
    engine = f"{program.engine} engine, "
    if program.engine == "python" and options.on in ("host", "micropython"):
        engine = ""
    title = f"{program.project.name} on {options.on}, {engine}{request.clock} clock"
    if result.interrupted:
        title += ", interrupted"
    print_result(None if result.shown else result.image, variables, shown, title)
    _tell_memory(result.end)
    sys.stdout.flush()


def _tell_memory(end: dict[str, Any]) -> None:
    if end.get("mem_free"):
        print(
            f"{end['mem_free']} bytes free, {end.get('collections', 0)} collections, "
            f"{end.get('collections_forced', 0)} outside of slack, "
            f"longest {end.get('collection_longest_us', 0)} µs"
        )
