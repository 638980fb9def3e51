"""The [server] sections: Modbus over TCP and over a serial line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.source import Span
from host_tools.record import record
from host_tools.wiring import modbus_map
from host_tools.wiring.boards import Board
from host_tools.wiring.channels import (
    DIGITAL_INPUT,
    DIGITAL_OUTPUT,
    Channel,
    check_pin,
    check_radio,
)
from host_tools.wiring.modbus_map import ModbusMap, check_map
from host_tools.wiring.schema import (
    Any_,
    Field,
    Node,
    Number,
    Text,
    Values,
    Whole,
    check_table,
    report_unknown,
)

MODBUS_TCP = (
    Field("port", Whole(1, 65535), "TCP port", default=502),
    Field("host", Text(), "address to listen on; all of them by default", default="0.0.0.0"),
    Field("unit", Whole(0, 255), "answer this unit identifier only; any by default"),
    Field("max_clients", Whole(1, 16), "connections at once", default=4),
    Field(
        "idle_s",
        Number(1, 86_400, "s"),
        "a client that asks nothing for so long is dropped",
        default=60,
    ),
)

MODBUS_RTU = (
    Field("uart", Whole(0, 9), "number of the UART", required=True),
    Field("tx", Any_(), 'the pin that sends, as "GP0"', required=True),
    Field("rx", Any_(), 'the pin that receives, as "GP1"', required=True),
    Field("de", Any_(), "the pin that enables the driver of an RS-485 transceiver"),
    Field("unit", Whole(1, 247), "address of this server on the line", required=True),
    Field("baud", Whole(300, 1_000_000, "baud"), "bits per second", default=19_200),
    Field("parity", Text(("even", "odd", "none")), "of a character", default="even"),
    Field("stop", Whole(1, 2, "bits"), "stop bits: 1, without parity 2"),
)

_PINS = {"tx": DIGITAL_OUTPUT, "rx": DIGITAL_INPUT, "de": DIGITAL_OUTPUT}


@record(frozen=True)
class Server:
    """A section, checked as far as the file alone tells. `options` are its row in the manifest,
    but for the map."""

    kind: str
    options: dict[str, Any]
    map: ModbusMap
    span: Span


def check_servers(
    node: Node | None, board: Board | None, channels: Iterable[Channel], reporter: Reporter
) -> list[Server]:
    """The servers, with everything wrong with them reported. Without a board the pins are not
    checked."""
    if node is None:
        return []
    if not isinstance(node.value, dict):
        reporter.report("E0603", "[server] must be a table of servers", node.span)
    servers: list[Server] = []
    for name, inner in node.entries():
        if name not in KINDS:
            report_unknown(name, inner.key, list(KINDS), reporter, f"there is no server '{name}'")
            continue
        fields, check = KINDS[name]
        values = check_table(inner, (*fields, *modbus_map.FIELDS), reporter, f"[server.{name}]")
        if values is not None:
            options = check(values, board, list(channels), reporter)
            servers.append(Server(name, options, check_map(values, reporter), inner.key))
    return servers


def _check_tcp(
    values: Values, board: Board | None, channels: list[Channel], reporter: Reporter
) -> dict[str, Any]:
    if board:
        check_radio(channels, board, reporter)
    return {field.name: values[field.name] for field in MODBUS_TCP}


def _check_rtu(
    values: Values, board: Board | None, channels: list[Channel], reporter: Reporter
) -> dict[str, Any]:
    options = {field.name: values[field.name] for field in MODBUS_RTU}
    if options["stop"] is None:
        # Characters have 11 bits (MODBUS over Serial Line V1.02, 2.5.1).
        options["stop"] = 2 if options["parity"] == "none" else 1
    for name in _PINS:
        node = options[name]
        if isinstance(node, Node):
            options[name] = node.value
    if board is None:
        return options
    if board.pins and not _has_uart(values, board, reporter):
        return options
    taken = {c.pin.name: (c.pin_span, f"for {c.target}") for c in channels if c.pin}
    for name, role in _PINS.items():
        node = values[name]
        pin = check_pin(node, role, values, board, reporter) if isinstance(node, Node) else None
        if pin is None:
            continue
        if name != "de" and not _can_be(pin.name, name, values["uart"], node, board, reporter):
            continue
        if pin.name in taken:
            span, what = taken[pin.name]
            reporter.report(
                "E0611",
                f"pin {pin.name} is used twice",
                node.span,
                label=f"as '{name}'",
                others=[Label(span, f"and {what}")],
                help="choose another pin for one of them",
            )
        taken.setdefault(pin.name, (node.span, f"as '{name}'"))
    return options


def _has_uart(values: Values, board: Board, reporter: Reporter) -> bool:
    number = values["uart"]
    if number is None or number in board.uarts:
        return True
    known = " and ".join(f"UART {n}" for n in board.uarts) or "no UART"
    reporter.report(
        "E0604",
        f"UART {number} is not free on board '{board.name}'",
        values.span("uart"),
        help=f"it has {known}",
    )
    return False


def _can_be(
    pin: str, name: str, uart: int | None, node: Node, board: Board, reporter: Reporter
) -> bool:
    """Can the pin be TX or RX of the UART? Where the chip connects any pin, none says."""
    roles = {p.name: p.uart for p in board.pins.values() if p.uart}
    wanted = f"{uart}{name.upper()}"
    if uart is None or not roles or roles.get(pin) == wanted:
        return True
    able = [p for p, role in roles.items() if role == wanted and not board.pins[p].taken]
    reporter.report(
        "E0610",
        f"{pin} of board '{board.name}' cannot be {name.upper()} of UART {uart}",
        node.span,
        help=f"these can: {', '.join(able)}",
    )
    return False


_Check = Callable[[Values, Board | None, list[Channel], Reporter], dict[str, Any]]
KINDS: dict[str, tuple[tuple[Field, ...], _Check]] = {
    "modbus-tcp": (MODBUS_TCP, _check_tcp),
    "modbus-rtu": (MODBUS_RTU, _check_rtu),
}
"""Server -> its keys beside those of the map, and what checks them."""
