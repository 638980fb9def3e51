"""`takt firmware build|status|path`: MicroPython for boards, in the user's cache folder."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from host_tools.failure import DEVICE, PROGRAM, USAGE, Failure
from host_tools.render import Progress, Style, table_text


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", choices=["build", "status", "path"], metavar="build|status|path", help="what to do"
    )
    parser.add_argument("board", nargs="?", default="pico", help="board (default: pico)")
    group = parser.add_argument_group("for build")
    group.add_argument(
        "--micropython", metavar="VERSION", help="of MicroPython, such as 1.26; any by default"
    )
    group.add_argument("--force", action="store_true", help="even if the cache has an image")
    group.add_argument("--image", metavar="FILE", help="take this UF2 file instead of building")
    group.add_argument(
        "--download", metavar="SHA256", help="download the official image with this checksum"
    )


def run(options: argparse.Namespace) -> int:
    from host_tools import firmware

    if options.download and not re.fullmatch(r"[0-9A-Fa-f]{64}", options.download):
        raise Failure(
            f"'{options.download}' is no SHA-256 checksum",
            "64 hexadecimal digits, from a source that you trust",
            USAGE,
        )
    try:
        if options.what == "status":
            return _status(options)
        if options.what == "path":
            return _path(options)
        with Progress(f"firmware for {options.board}") as progress:
            if options.image:
                image = firmware.adopt(options.board, _file(options.image))
            elif options.download:
                image = firmware.download(
                    options.board,
                    options.download,
                    version=options.micropython,
                    progress=progress.tell,
                )
            else:
                image = firmware.build(
                    options.board,
                    version=options.micropython,
                    force=options.force,
                    progress=progress.tell,
                )
    except firmware.FirmwareError as error:
        raise Failure(str(error), "", DEVICE) from None
    if options.json:
        print(json.dumps(_row(image)))
    else:
        print(f"MicroPython {image.version} for {image.board}, {image.origin}: {image.path}")
    return 0


def _file(name: str) -> Path:
    file = Path(name)
    if not file.is_file():
        raise Failure(f"there is no file '{name}'", "name a UF2 file", USAGE)
    return file


def _row(image: Any) -> dict[str, Any]:
    return {
        "board": image.board,
        "version": image.version,
        "origin": image.origin,
        "path": str(image.path),
        "sha256": image.sha256,
        "packages": image.packages,
    }


def _status(options: argparse.Namespace) -> int:
    from host_tools import firmware

    images = firmware.status(options.board)
    if options.json:
        print(json.dumps({"board": options.board, "images": [_row(i) for i in images]}))
    elif not images:
        print(f"no firmware for {options.board} yet: `takt firmware build {options.board}`")
    else:
        rows = [[i.board, i.version, i.origin, i.sha256[:16], str(i.path)] for i in images]
        head = ["BOARD", "MICROPYTHON", "ORIGIN", "SHA-256", "FILE"]
        print(table_text(head, rows, Style(sys.stdout)))
    return 0


def _path(options: argparse.Namespace) -> int:
    from host_tools import firmware

    images = firmware.status(options.board)
    if not images:
        raise Failure(
            f"there is no firmware for {options.board} yet",
            f"`takt firmware build {options.board}` makes it",
            PROGRAM,
        )
    print(json.dumps({"path": str(images[0].path)}) if options.json else images[0].path)
    return 0
