"""`takt deploy`: puts the program on a board, to run from now on and after every reset."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from host_tools.bundle import SUFFIX, Bundle, read_bundle
from host_tools.commands import tell_warnings
from host_tools.commands.build import add_engine
from host_tools.commands.run import check_target
from host_tools.failure import DEVICE, USAGE, Failure
from host_tools.render import Progress
from host_tools.wiring.boards import Board, load_board

EPILOG = """\
The board checks every part of the program against its hash before it takes it, runs it on trial
and goes back to the one before if it does not get through its first scans.

PORT is a serial port, such as /dev/ttyACM0 or COM3, or pico for a demonstration on an emulated
RP2040, which is deployed to, then reset as if by its button, and forgotten.
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("port", metavar="PORT", nargs="?", help="`takt devices` lists them")
    parser.add_argument(
        "path", metavar="PROJECT|BUNDLE", nargs="?", help="default: the project here"
    )
    parser.add_argument("--on", metavar="PORT", help="the port, in place of the first argument")
    add_engine(parser)
    parser.add_argument(
        "--replace-main",
        action="store_true",
        help="overwrite a main.py that is not from takt",
    )


def run(options: argparse.Namespace) -> int:
    from host_tools.runs import open_link

    port, path = options.port, options.path
    if options.on is not None:
        if path is not None:
            raise Failure("there is one path too many", "takt deploy --on PORT [PROJECT]", USAGE)
        port, path = options.on, options.port
    if port is None:
        raise Failure("deploy needs the port of a board", "`takt devices` lists the ports", USAGE)
    if port in ("host", "micropython"):
        raise Failure(
            f"there is nothing to deploy to on {port}",
            "name the port of a board, or pico for the emulated one",
            USAGE,
        )
    if path is None and port != "pico" and os.path.exists(port) and "/dev/" not in port:
        raise Failure(
            f"'{port}' is no port of a board",
            f"the port comes first: takt deploy PORT {port}",
            USAGE,
        )
    check_target(port)
    bundle, board = _bundle(path, options.engine)
    if bundle.manifest["board"] == "host":
        raise Failure(
            "the project is for board 'host', which is this computer",
            "set `board` under [project] in takt.toml",
            USAGE,
        )
    with Progress(f"deploying to {port}") as progress, open_link(port, progress) as link:
        done = _deploy(link, bundle, board, options, progress)
        again = _press_reset(link, done.slot, progress) if port == "pico" else None
    _report(port, bundle, done, again, options.json)
    return 0


def _bundle(path: str | None, engine: str | None) -> tuple[Bundle, Board | None]:
    if path is not None and path.endswith(SUFFIX):
        bundle = read_bundle(Path(path))
        return bundle, load_board(bundle.manifest["board"])
    from host_tools.build import compile, with_engine
    from host_tools.project import load

    project = with_engine(load(path, engine=engine) if path else load(engine=engine))
    with Progress(f"compiling {project.name}"):
        program = compile(project)
    tell_warnings(program.diagnostics)
    return program.bundle(), program.project.wiring.board


def _deploy(
    link: Any,
    bundle: Bundle,
    board: Board | None,
    options: argparse.Namespace,
    progress: Progress,
) -> Any:
    from host_tools.deployment import deploy, install_runtime

    if link.name == "pico":
        # An emulated board is new each time. Its runtime is laid into its flash, which saves half
        # a minute; the program takes the way it takes on a real board.
        install_runtime(link, progress.say)
        link.upload = True
    return deploy(link, bundle, board, progress.say, options.replace_main)


def _press_reset(link: Any, slot: str, progress: Progress) -> dict[str, Any]:
    """Does the program start by itself after a reset? Raises Failure if not."""
    from host_tools.deployment import wait_until_it_scans

    progress.say("pressing reset")
    try:
        return wait_until_it_scans(link.press_reset(), slot)
    except Failure as failure:
        raise Failure(f"after a reset: {failure.message}", failure.help, DEVICE) from None


def _report(
    port: str, bundle: Bundle, done: Any, again: dict[str, Any] | None, as_json: bool
) -> None:
    manifest, firmware = bundle.manifest, done.firmware
    version = ".".join(map(str, firmware.version))
    if as_json:
        print(
            json.dumps(
                {
                    "port": port,
                    "name": manifest["name"],
                    "version": manifest["version"],
                    "layout": manifest["layout"],
                    "engine": manifest["engine"],
                    "slot": done.slot,
                    "machine": firmware.machine,
                    "micropython": version,
                    "runtime_copied": done.runtime_copied,
                    "releases": done.message["releases"],
                    "mem_free": done.message.get("mem_free"),
                    "after_reset": None if again is None else again["releases"],
                }
            )
        )
        return
    print(f"{firmware.machine}, MicroPython {version}, on {port}")
    print(f"runtime: {'copied' if done.runtime_copied else 'already there'}")
    print(
        f"{manifest['name']} {manifest['version']} runs from slot {done.slot}, "
        f"{manifest['engine']} engine: "
        f"{done.message['releases']} releases, {done.message.get('mem_free')} bytes free"
    )
    if again is not None:
        print(f"after a reset it started by itself: {again['releases']} releases")
