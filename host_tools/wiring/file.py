"""Reads takt.toml as a whole: everything that can be said about it without the program."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from host_tools.compiler.diagnostics import Label, Reporter, did_you_mean, nearest
from host_tools.compiler.source import Source, Span
from host_tools.record import field, record
from host_tools.wiring.boards import Board, board_names, load_board
from host_tools.wiring.channels import Channel, check_channels
from host_tools.wiring.modbus_map import Entry
from host_tools.wiring.policy import WarningPolicy, check_policy
from host_tools.wiring.schema import (
    Field,
    Items,
    Node,
    Text,
    Values,
    Whole,
    check_table,
    read_toml,
    report_unknown,
)
from host_tools.wiring.servers import Server, check_servers

PROJECT = (
    Field(
        "name",
        Text(
            pattern=r"[A-Za-z][A-Za-z0-9_-]{0,31}",
            form="a letter, then letters, digits, '-' and '_', 32 characters at most",
        ),
        "what the bundle is called",
        required=True,
    ),
    Field("board", Text(), "the board the program is for", required=True),
    Field(
        "version",
        Text(
            pattern=r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,31}",
            form='such as "1.0.3", 32 characters at most',
        ),
        "of the program, for people",
        default="0.1.0",
    ),
    Field("engine", Text(("auto", "python", "native")), "what runs the logic", default="auto"),
    Field("sources", Items(Text(), 1), "patterns of the program's files", default=["*.st"]),
    Field(
        "hardware_watchdog_ms",
        Whole(250, 8_388, "ms"),
        "the chip starts again when nothing has gone on for this long; not used by default",
    ),
)

TASK = (
    Field(
        "on_overrun",
        Text(("count", "fault")),
        "when a scan ends after the next release was due",
        default="count",
    ),
    Field(
        "watchdog_ms",
        Whole(1, 1_000_000, "ms"),
        "a scan that lasts longer is a fault; none by default",
    ),
)

_PROJECT_KEYS = tuple(each.name for each in PROJECT)
_SECTIONS = ("project", "io", "server", "task", "check")
_LATER = {"bus": "fieldbuses", "security": "keys and roles", "device": "I/O devices"}


@record(frozen=True)
class TaskPolicy:
    """[task.NAME]; `key` is where the name stands."""

    name: str
    on_overrun: str
    watchdog_ms: int | None
    key: Span


@record(frozen=True)
class Wiring:
    """takt.toml, checked. `sources` are patterns with their places."""

    name: str
    version: str
    engine: str
    board: Board | None
    sources: tuple[tuple[str, Span], ...]
    channels: tuple[Channel, ...] = ()
    servers: tuple[Server, ...] = ()
    tasks: tuple[TaskPolicy, ...] = ()
    policy: WarningPolicy = field(default_factory=WarningPolicy)
    hardware_watchdog_ms: int | None = None
    source: Source = field(default_factory=lambda: Source("takt.toml", ""))

    def entries(self) -> list[Entry]:
        """What the maps of all servers show."""
        return [entry for server in self.servers for entry in server.map.entries]

    def variable_names(self) -> frozenset[str]:
        """Every name in a path of a variable that is wired or served, in upper case."""
        paths = [c.target for c in self.channels if isinstance(c.target, str)]
        paths += [e.target for e in self.entries() if isinstance(e.target, str)]
        return frozenset(n.upper() for path in paths for n in re.findall(r"[^\W\d]\w*", path))

    def areas(self) -> dict[str, int]:
        """Least sizes in bytes of the I, Q and M ranges, so that what is wired exists."""
        sizes: dict[str, int] = {}
        for channel in self.channels:
            if not isinstance(channel.target, str):
                name = channel.target.range_name
                sizes[name] = max(sizes.get(name, 0), channel.target.end)
        for entry in self.entries():
            if isinstance(entry.target, str):
                continue
            target, count = entry.target, entry.count or 1
            if target.size == "X":
                end = (target.index * 8 + (target.bit or 0) + count + 7) // 8
            else:
                end = target.index * target.width + (count * 2 if target.size != "B" else count)
                end = max(end, target.end)
            sizes[target.range_name] = max(sizes.get(target.range_name, 0), end)
        return sizes


def read_wiring(source: Source, reporter: Reporter) -> Wiring | None:
    """The wiring file, with everything wrong with it reported; None where nothing can be read."""
    root = read_toml(source, reporter)
    if root is None:
        return None
    outside = [n for n, node in root.entries() if _is_project_key(n, node)]
    for name, node in root.entries():
        if name in outside[1:]:
            continue  # the first one tells
        if name in _LATER:
            reporter.report(
                "E0606",
                f"[{name}] ({_LATER[name]}) is not supported yet",
                node.key,
                help="take this section out for now",
            )
        elif name not in _SECTIONS:
            _no_section(name, node, reporter)
    project = root.get("project")
    values: Values | None = None
    others = [name for name, _ in root.entries() if name not in _SECTIONS and name not in _LATER]
    if project is None and any(_stands_for_project(name) for name in others):
        pass  # it is there, misspelt, or its first line is missing
    elif project is None:
        reporter.report(
            "E0602",
            "the section [project] is missing",
            Span(source, 0, min(1, len(source.text))),
            help='begin with [project], name = "…" and board = "pico"',
        )
    else:
        values = check_table(project, PROJECT, reporter, "[project]")
    board = _check_board(values, reporter) if values else None
    io = root.get("io")
    channels = check_channels(io, board, reporter) if io else []
    servers = check_servers(root.get("server"), board, channels, reporter)
    return Wiring(
        name=(values["name"] if values else None) or "unnamed",
        version=values["version"] if values else "0.1.0",
        engine=values["engine"] if values else "auto",
        board=board,
        sources=_sources(values, source),
        channels=tuple(channels),
        servers=tuple(servers),
        tasks=tuple(_check_tasks(root.get("task"), reporter)),
        policy=check_policy(root.get("check"), reporter),
        hardware_watchdog_ms=values["hardware_watchdog_ms"] if values else None,
        source=source,
    )


def _no_section(name: str, node: Node, reporter: Reporter) -> None:
    if _is_project_key(name, node):
        reporter.report(
            "E0601",
            f"'{name}' stands outside of a section",
            node.key,
            help="write [project] on a line above it",
        )
        return
    what = "section" if isinstance(node.value, dict) else "key"
    shown = f"[{name}]" if what == "section" else f"'{name}'"
    report_unknown(name, node.key, _SECTIONS, reporter, f"there is no {what} {shown}")


def _is_project_key(name: str, node: Node) -> bool:
    return not isinstance(node.value, dict) and name in _PROJECT_KEYS


def _stands_for_project(name: str) -> bool:
    return name in _PROJECT_KEYS or nearest(name, _SECTIONS) == "project"


def _check_board(values: Values, reporter: Reporter) -> Board | None:
    name = values["board"]
    if name is None:
        return None
    board = load_board(name)
    if board is None:
        names = board_names()
        reporter.report(
            "E0605",
            f"there is no board '{name}'",
            values.span("board"),
            help=did_you_mean(name, names) or f"known are: {', '.join(names)}",
        )
    return board


def _sources(values: Values | None, source: Source) -> tuple[tuple[str, Span], ...]:
    if values is None:
        return (("*.st", Span(source, 0, 0)),)
    node = values.node.get("sources")
    if node is None or "sources" in values.bad:
        return (("*.st", values.node.key),)
    return tuple((n.value, n.span) for n in node.value)


def _check_tasks(node: Node | None, reporter: Reporter) -> list[TaskPolicy]:
    if node is None:
        return []
    if not isinstance(node.value, dict):
        reporter.report("E0603", "[task] must be a table of tasks", node.span)
    policies: list[TaskPolicy] = []
    for name, inner in node.entries():
        values = check_table(inner, TASK, reporter, f"[task.{name}]")
        if values is None:
            continue
        for other in policies:
            if other.name.upper() == name.upper():
                reporter.report(
                    "E0614",
                    f"task '{name}' has two sections",
                    inner.key,
                    others=[Label(other.key, "first here")],
                    help="names of the program do not differ by upper and lower case",
                )
        policies.append(TaskPolicy(name, values["on_overrun"], values["watchdog_ms"], inner.key))
    return policies


def check_task_names(wiring: Wiring, tasks: Iterable[str], reporter: Reporter) -> None:
    """E0614 for each [task.NAME] that is no task of the program."""
    names = list(tasks)
    known = {name.upper() for name in names}
    for policy in wiring.tasks:
        if policy.name.upper() not in known:
            reporter.report(
                "E0614",
                f"the program has no task '{policy.name}'",
                policy.key,
                help=did_you_mean(policy.name, names) or f"its tasks are: {', '.join(names)}",
            )


def task_options(wiring: Wiring, task: str) -> dict[str, Any]:
    """on_overrun and watchdog_ms of `task` for the manifest."""
    for policy in wiring.tasks:
        if policy.name.upper() == task.upper():
            return {"on_overrun": policy.on_overrun, "watchdog_ms": policy.watchdog_ms}
    return {"on_overrun": "count", "watchdog_ms": None}
