"""`takt devices`: boards on serial ports, and what else can run programs on this machine."""

from __future__ import annotations

import argparse
import json
import sys
from importlib.util import find_spec
from typing import Any

from host_tools.failure import Failure
from host_tools.render import Style, table_text


def add(parser: argparse.ArgumentParser) -> None:
    pass


def targets() -> list[dict[str, Any]]:
    """What `takt run --on` takes besides ports: name, ready, text."""
    from host_tools.remote import find_micropython

    try:
        micropython = find_micropython()
        ready, text = True, micropython
    except Failure as failure:
        ready, text = False, failure.help
    rows = [
        {"name": "host", "ready": True, "text": "Python on this computer, virtual clock"},
        {"name": "micropython", "ready": ready, "text": text},
    ]
    if find_spec("rp2040py") is None or find_spec("littlefs") is None:
        pico = (False, "needs the emulator: pip install 'takt-plc[pico]'")
    else:
        from host_tools import firmware

        images = firmware.status("pico")
        pico = (
            (True, f"MicroPython {images[0].version} on an emulated RP2040")
            if images
            else (True, "builds its firmware at the first use; see `takt firmware status`")
        )
    rows.append({"name": "pico", "ready": pico[0], "text": pico[1]})
    return rows


def ports() -> list[dict[str, Any]]:
    """Serial ports with the names of the boards that have their USB id."""
    from host_tools.board_link import serial_ports
    from host_tools.wiring.boards import all_boards

    boards = list(all_boards())
    found = serial_ports()
    for port in found:
        port["boards"] = [b.name for b in boards if port["usb"] and port["usb"] in b.usb]
    return found


def run(options: argparse.Namespace) -> int:
    virtual, serial = targets(), ports()
    if options.json:
        print(json.dumps({"targets": virtual, "ports": serial}))
        return 0
    style = Style(sys.stdout)
    rows = [[t["name"], "ready" if t["ready"] else "missing", t["text"]] for t in virtual]
    print(table_text(["TARGET", "STATE", ""], rows, style))
    print()
    if not serial:
        print("no serial ports; a board shows up here when its USB cable is plugged in")
        return 0
    rows = [
        [p["port"], p["usb"] or "-", " or ".join(p["boards"]) or "-", p["description"]]
        for p in serial
    ]
    print(table_text(["PORT", "USB", "BOARD", ""], rows, style))
    return 0
