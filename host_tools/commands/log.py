"""`takt log`: shows what a board that was deployed to has to say."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from host_tools.commands.run import check_target
from host_tools.failure import OK, PROGRAM, USAGE, Failure
from host_tools.render import Progress, Style
from host_tools.report import summary_text, task_rows

EPILOG = """\
Faults with file and line, the statistics of the tasks, why nothing runs, the slots, and the last
entries of the log that the board keeps over resets.

To be read the program is stopped, its outputs are safe meanwhile, and started again if it ran
without a fault. After a fault it stays stopped; --restart starts it then, too, --stay never.
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.add_argument("port", metavar="PORT", help="`takt devices` lists them")
    after = parser.add_mutually_exclusive_group()
    after.add_argument("--restart", action="store_true", help="start the program again")
    after.add_argument("--stay", action="store_true", help="leave it stopped")


def run(options: argparse.Namespace) -> int:
    from host_tools.deployment import check_board, read_log
    from host_tools.runs import open_link

    if options.port in ("host", "micropython"):
        raise Failure(f"there is no log on {options.port}", "name the port of a board", USAGE)
    check_target(options.port)
    with (
        Progress(f"reading {options.port}") as progress,
        open_link(options.port, progress) as link,
    ):
        firmware = check_board(link, None)
        status = read_log(link)
        restarted = options.restart or (status["state"] == "running" and not options.stay)
        if restarted:
            link.restart()
    shown = log_json(status)
    head = {
        "port": options.port,
        "machine": firmware.machine,
        "micropython": ".".join(map(str, firmware.version)),
    }
    shown = {**head, **shown, "restarted": restarted}
    print(json.dumps(shown) if options.json else log_text(shown, Style(sys.stdout)))
    return PROGRAM if shown["fault"] else OK


def log_json(status: dict[str, Any]) -> dict[str, Any]:
    """What `takt log --json` prints, of the answer of controller/log.py."""
    records = status.get("tasks") or []
    return {
        "name": status.get("name"),
        "version": status.get("version"),
        "layout": status.get("layout"),
        "state": status["state"],
        "note": status.get("note") or "",
        "why": status.get("why") or "",
        "kernel": status.get("kernel", False),
        "slot": status.get("slot"),
        "active": status["active"],
        "trial": status["trial"],
        "mem_free": status.get("mem_free"),
        "scans": status.get("releases", 0),
        "tasks": task_rows(records, records, False),
        "fault": _fault(status["fault"]) if status.get("fault") else None,
        "log": [_entry(entry) for entry in status["log"]],
    }


def _fault(record: dict[str, Any]) -> dict[str, Any]:
    """As in the JSON of `takt run`."""
    return {
        "code": record["code"],
        "message": record["text"],
        "file": record["file"] if record["line"] else None,
        "line": record["line"] or None,
        "task": record["task"],
        "scan": record["scan"],
        "time_ns": record["time_ns"],
    }


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    found = {key: entry.get(key) for key in ("is", "slot", "name")}
    if entry.get("is") == "fault":
        return found | _fault(entry)
    return found | {"message": entry.get("text", "")}


def log_text(shown: dict[str, Any], style: Style) -> str:
    """The same for people."""
    lines = [f"{shown['machine']}, MicroPython {shown['micropython']}, on {shown['port']}"]
    slots = f"slot {shown['active']} is active" if shown["active"] else "no slot is active"
    if shown["trial"]:
        slots += f", on trial ({shown['trial']})"
    lines.append(slots + (f"; {shown['note']}" if shown["note"] else ""))
    if shown["name"] is not None:
        by = "the scan kernel" if shown["kernel"] else "the portable scheduler"
        title = f"{shown['name']} {shown['version']} in slot {shown['slot']}, {shown['state']}"
        latest = max(
            (t["interval_ns"] * max(0, t["scans"] - 1) for t in shown["tasks"]), default=0
        )
        lines += ["", summary_text({**shown, "time_ns": latest}, title, style)]
        lines.append(f"run by {by}, {shown['mem_free']} bytes free")
        if shown["why"] not in ("", "Python"):
            lines.append(f"it was stopped: {shown['why']}")
    if shown["log"]:
        lines += ["", style("bold", "kept over resets, the latest last:")]
    for entry in shown["log"]:
        place = ""
        if entry["is"] == "fault":
            place = f", {entry['file']}:{entry['line']}" if entry["file"] else ""
            place += f", task {entry['task']}, scan {entry['scan']}"
        name = f"{entry['name']}, " if entry["name"] else ""
        lines.append(f"  {entry['is']}: {name}slot {entry['slot']}: {entry['message']}{place}")
    if shown["name"] is not None or shown["active"]:
        again = "it was started again" if shown["restarted"] else "it stays stopped"
        lines += ["", f"the program was stopped to be read; {again}"]
    return "\n".join(lines)
