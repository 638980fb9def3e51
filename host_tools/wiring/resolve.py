"""Joins the wiring with the compiled program: rows of the manifest for channels and servers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.ir import INT_RANGE, Task
from host_tools.record import field, record
from host_tools.variables import Variables
from host_tools.wiring.addresses import Address
from host_tools.wiring.channels import (
    ANALOGUE_INPUT,
    ANALOGUE_OUTPUT,
    DIGITAL_INPUT,
    DIGITAL_OUTPUT,
    SAFE_ONLY,
    Channel,
)
from host_tools.wiring.file import Wiring, check_task_names
from host_tools.wiring.places import NotFound, find, scalar_kind
from host_tools.wiring.registers import modbus_rows

_ANALOGUE_KINDS = ("u8", "i8", "u16", "i16", "u32", "i32")
_WORD_KINDS = {"W": ("u16", "i16"), "D": ("u32", "i32"), "B": ("u8", "i8"), "L": ("u64", "i64")}


@record()
class Rows:
    """What the manifest gets: see docs/bundle.md and controller/io.py."""

    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    safe: list[list[Any]] = field(default_factory=list)
    servers: dict[str, Any] = field(default_factory=dict)


@record(frozen=True)
class _Spot:
    offset: int
    bit: int | None
    kind: str


def resolve(
    wiring: Wiring, layout: dict[str, Any], tasks: Sequence[Task], reporter: Reporter
) -> Rows:
    """The rows for a program, with E06xx for what takt.toml names and the program lacks."""
    check_task_names(wiring, (task.name for task in tasks), reporter)
    rows = Rows()
    taken: dict[tuple[int, int | None], Channel] = {}
    for channel in wiring.channels:
        spot = _spot(channel, layout, reporter)
        if spot is None:
            continue
        first = taken.setdefault((spot.offset, spot.bit), channel)
        if first is not channel and str(first.target).upper() == str(channel.target).upper():
            continue  # check_channels tells of that
        if first is not channel:
            reporter.report(
                "E0612",
                f"{channel.target} and {first.target} are the same variable",
                channel.key,
                label="again here",
                others=[Label(first.key, "first here")],
            )
            continue
        if isinstance(channel.target, Address) and not wiring.servers:
            _check_used(channel, spot, tasks, reporter)
        _add(rows, channel, spot)
    for server in wiring.servers:
        shown = modbus_rows(server.map, layout, reporter)
        rows.servers[server.kind] = {**server.options, "map": shown}
    return rows


def _spot(channel: Channel, layout: dict[str, Any], reporter: Reporter) -> _Spot | None:
    """Where in the image a channel lies, and as what."""
    digital = channel.role in (DIGITAL_INPUT, DIGITAL_OUTPUT)
    target = channel.target
    if isinstance(target, Address):
        offset = target.offset(layout["areas"])
        assert offset is not None, "the compiler was told the least sizes of the areas"
        if target.size == "X":
            return _Spot(offset, target.bit, "b1")
        kind = _kind_at(target, offset, channel, layout)
    else:
        place = find(Variables(layout), target)
        if isinstance(place, NotFound):
            reporter.report("E0613", place.text, channel.key, help=place.help)
            return None
        found = scalar_kind(place.type, layout["types"])
        if channel.role == SAFE_ONLY:
            digital = isinstance(channel.options["safe"], bool)
        if digital and found != "b1":
            _report_type(channel, place.path, place.type, "a pin needs a BOOL", reporter)
            return None
        if not digital and found not in _ANALOGUE_KINDS:
            _report_type(
                channel,
                place.path,
                place.type,
                "an analogue channel needs an integer of 8, 16 or 32 bits",
                reporter,
            )
            return None
        assert found is not None
        if digital:
            return _Spot(place.offset, place.bit, "b1")
        offset, kind = place.offset, found
    low, high = INT_RANGE[kind]
    scale = channel.options.get("scale") or [channel.options["safe"]]
    if not all(low <= value <= high for value in scale):
        reporter.report(
            "E0604",
            f"the scale of {target} does not fit its type, which holds {low} to {high}",
            channel.scale_span,
            help="choose other values, or declare a wider type and address",
        )
        return None
    return _Spot(offset, None, kind)


def _report_type(channel: Channel, path: str, type_: Any, needs: str, reporter: Reporter) -> None:
    is_a = type_ if isinstance(type_, str) else type_[0].upper()
    reporter.report("E0613", f"{needs}, '{path}' is {is_a}", channel.key)


def _kind_at(address: Address, offset: int, channel: Channel, layout: dict[str, Any]) -> str:
    """Signed or not: as the program declares it at this address, else as the scale needs it."""
    unsigned, signed = _WORD_KINDS[address.size]
    for row in layout["vars"]:
        if row["offset"] == offset and scalar_kind(row["type"], layout["types"]) == signed:
            return signed
    values = channel.options.get("scale") or [channel.options["safe"]]
    return signed if min(values) < 0 else unsigned


def _check_used(channel: Channel, spot: _Spot, tasks: Iterable[Task], reporter: Reporter) -> None:
    """W0601 where no task reads the input or writes the output."""
    for task in tasks:
        ranges: Iterable[Sequence[int]] = task.outputs if channel.is_output else task.inputs
        for row in ranges:
            mask = row[2] if len(row) > 2 else 0xFF
            if row[0] <= spot.offset < row[0] + row[1] and (
                spot.bit is None or mask >> spot.bit & 1
            ):
                return
    verb = "writes" if channel.is_output else "reads"
    reporter.report(
        "W0601",
        f"no task {verb} {channel.target}",
        channel.key,
        help="use it in a program that a task runs, or remove this line",
    )


def _add(rows: Rows, channel: Channel, spot: _Spot) -> None:
    options = channel.options
    row: dict[str, Any] = {"address": str(channel.target), "offset": spot.offset}
    pin = channel.pin.name if channel.pin else None
    if channel.role == DIGITAL_INPUT:
        row |= {"bit": spot.bit, "pin": pin}
        row |= {k: options[k] for k in ("pull", "invert", "filter_ms")}
        rows.inputs.append(row)
    elif channel.role == ANALOGUE_INPUT:
        rows.inputs.append(row | {"kind": spot.kind, "adc": pin, "scale": options["scale"]})
    elif channel.role == DIGITAL_OUTPUT:
        row |= {"bit": spot.bit, "pin": pin}
        rows.outputs.append(row | {k: options[k] for k in ("invert", "safe")})
    elif channel.role == ANALOGUE_OUTPUT:
        row |= {"kind": spot.kind, "pwm": pin}
        rows.outputs.append(row | {k: options[k] for k in ("freq", "scale", "safe")})
    # Also for wired ones: a machine without pins keeps the same image.
    if channel.is_output and options["safe"]:
        bit = spot.bit if spot.kind == "b1" else None
        kind = "u8" if spot.kind == "b1" else spot.kind
        rows.safe.append([spot.offset, bit, kind, int(options["safe"])])
