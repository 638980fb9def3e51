"""What `takt run` tells: live values, the result as JSON, and the summary."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import IO, Any

from host_tools.duration import duration_text
from host_tools.render import Style, table_text
from host_tools.simulation import fault_of
from host_tools.values import extent, value_text
from host_tools.variables import Variable, Variables

REFRESH_MS = 250


def task_rows(
    records: Sequence[dict[str, Any]], tasks: Sequence[dict[str, Any]], virtual: bool
) -> list[dict[str, Any]]:
    """The statistics of each task; times are None where a virtual clock made them meaningless."""
    rows = []
    for task, record in zip(tasks, records, strict=True):
        scans = record["scans"]
        timed = scans > 0 and not virtual
        rows.append(
            {
                "name": task["name"],
                "interval_ns": task["interval_ns"],
                "scans": scans,
                "faulted": record["state"] == 2,
                "overruns": record["overruns"],
                "skipped": record["skipped"],
                "exec_us": {
                    "min": record["exec_min"],
                    "avg": round(record["exec_total"] / scans, 1),
                    "max": record["exec_max"],
                }
                if timed
                else None,
                "latency_us": {
                    "min": record["latency_min"],
                    "max": record["latency_max"],
                    "histogram": record["histogram"],
                }
                if timed
                else None,
            }
        )
    return rows


def result_json(
    image: bytes | bytearray,
    variables: Variables,
    manifest: dict[str, Any],
    *,
    scans: int,
    time_ns: int,
    records: Sequence[dict[str, Any]],
    virtual: bool,
    fault: dict[str, Any] | None,
) -> dict[str, Any]:
    """The object that `takt run --json` prints. `fault` is in words already."""
    return {
        "scans": scans,
        "time_ns": time_ns,
        "variables": variables.tree(image),
        "tasks": task_rows(records, manifest["tasks"], virtual),
        "fault": fault,
    }


def summary_text(result: dict[str, Any], title: str, style: Style) -> str:
    """The last lines of a run: how long, and a line for each task."""
    head = ["TASK", "SCANS", "EXEC MIN", "AVG", "MAX µs", "LATENCY MIN", "MAX µs"]
    head += ["OVERRUNS", "SKIPPED"]
    rows = []
    for task in result["tasks"]:
        run, late = task["exec_us"], task["latency_us"]
        rows.append(
            [
                task["name"] + (" (faulted)" if task["faulted"] else ""),
                str(task["scans"]),
                *(_microseconds(run[k]) if run else "-" for k in ("min", "avg", "max")),
                *(str(late[k]) if late else "-" for k in ("min", "max")),
                str(task["overruns"]),
                str(task["skipped"]),
            ]
        )
    lines = [
        style("bold", f"{title}: {_scans(result['scans'])}, {duration_text(result['time_ns'])}"),
        table_text(head, rows, style),
    ]
    fault = result["fault"]
    if fault:
        place = f" at {fault['file']}:{fault['line']}" if fault["file"] else ""
        lines.append(
            style("red", "fault")
            + f" {fault['code']}: {fault['message']}{place}, task {fault['task']}, "
            f"scan {fault['scan']}"
        )
    return "\n".join(lines)


def _microseconds(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if value < 1000 else f"{value:.0f}"


def _scans(count: int) -> str:
    return "1 scan" if count == 1 else f"{count} scans"


def values_text(image: bytes | bytearray, variables: Variables, which: list[Variable]) -> str:
    """One line for each variable."""
    width = max((len(v.path) for v in which), default=0)
    return "\n".join(
        f"{v.path:<{width}}  {value_text(variables, v, variables.read(image, v))}" for v in which
    )


class LiveView:
    """Values while a program runs: redrawn in place on a terminal, lines of changes elsewhere.

    `ranges` are what it needs of the image; `update` gets their bytes.
    """

    def __init__(
        self, variables: Variables, which: list[Variable], size: int, stream: IO[str]
    ) -> None:
        self._variables = variables
        self._which = which
        self._image = bytearray(size)
        self._stream = stream
        self._terminal = stream.isatty()
        self._drawn = 0
        self._told: dict[str, str] = {}
        self.ranges = [extent(variables, v) for v in which]

    def update(self, time_ns: int, data: Sequence[bytes]) -> None:
        """Show the bytes of `ranges` as they were at a logical time."""
        for (offset, size), content in zip(self.ranges, data, strict=True):
            self._image[offset : offset + size] = content
        texts = {
            v.path: value_text(self._variables, v, self._variables.read(self._image, v))
            for v in self._which
        }
        if self._terminal:
            self._draw(time_ns, texts)
            return
        for path, text in texts.items():
            if self._told.get(path) != text:
                self._stream.write(f"{time_ns / 1e9:10.3f} s  {path} = {text}\n")
        self._told = texts
        self._stream.flush()

    def _draw(self, time_ns: int, texts: dict[str, str]) -> None:
        columns, rows = shutil.get_terminal_size()
        width = max((len(p) for p in texts), default=0)
        lines = [f"{time_ns / 1e9:.1f} s"]
        lines += [f"  {path:<{width}}  {text}" for path, text in texts.items()]
        if len(lines) > rows - 2:
            lines = [*lines[: rows - 3], f"  … {len(lines) - rows + 3} more; choose with --watch"]
        up = f"\033[{self._drawn}A" if self._drawn else ""
        self._drawn = len(lines)
        self._stream.write(up + "".join(f"\033[2K{line[: columns - 1]}\n" for line in lines))
        self._stream.flush()


def default_watch(variables: Variables) -> list[Variable]:
    """What is shown when nothing was chosen: scalars and strings, no instances or arrays."""
    return [
        v
        for v in variables.roots.values()
        if isinstance(v.type, str) or v.type[0] in ("enum", "string", "wstring")
    ]


def print_result(
    image: bytes | bytearray | None, variables: Variables, result: dict[str, Any], title: str
) -> None:
    """The values of `image`, if it is given, and the summary, on stdout."""
    text = values_text(image, variables, list(variables.roots.values())) if image else ""
    if text:
        print(text)
    print("\n" + summary_text(result, title, Style(sys.stdout)))


__all__ = [
    "REFRESH_MS",
    "LiveView",
    "default_watch",
    "fault_of",
    "print_result",
    "result_json",
    "summary_text",
    "task_rows",
    "values_text",
]
