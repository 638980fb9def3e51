"""The kinds of instrument that bench.toml knows: their keys, and what makes them.

An instrument with channels is a place where wires end: `[signal.flow] to = "expander.P3"`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hil_tests.device import Device, Point
from hil_tests.instruments import model_kinds
from hil_tests.recording import Value
from host_tools.record import record
from host_tools.wiring.schema import Any_, Field, Text


class Instrument(Protocol):
    """Channels by name; `write` gives the instrument a level or volts, `watch` calls with
    (time_ns, value) at each change of what it has been given by the device."""

    channels: tuple[str, ...]

    def write(self, point: Point, value: Value) -> None: ...

    def watch(self, point: Point, callback: Callable[[int, Value], None]) -> None: ...

    def close(self) -> None: ...


@record(frozen=True)
class Kind:
    """`fields` besides `kind`. `make(options, device)` attaches it to a device that has `needs`,
    before its start; None for what has no channels of its own. `channels(options)` are those it
    will have."""

    fields: tuple[Field, ...]
    make: Callable[[dict[str, Any], Device], Instrument] | None = None
    needs: frozenset[str] = frozenset()
    channels: Callable[[dict[str, Any]], tuple[str, ...]] = model_kinds.no_channels


_I2C, _SPI, _UART = frozenset({"i2c"}), frozenset({"spi"}), frozenset({"uart"})

KINDS: dict[str, Kind] = {
    "pico": Kind(
        (
            Field("serial", Text(), "USB serial number of the board, as `takt devices` lists it"),
            Field("port", Text(), "serial port, in place of `serial`"),
            Field("wires", Any_(), "pin of the device = pin of the instrument"),
        )
    ),
    "pcf8574": Kind(model_kinds.PCF8574, model_kinds.pcf8574, _I2C, model_kinds.expander_channels),
    "mcp23017": Kind(model_kinds.MCP23017, model_kinds.mcp23017, _I2C, model_kinds.ports_channels),
    "ads1115": Kind(model_kinds.ADS1115, model_kinds.ads1115, _I2C, model_kinds.ads1115_channels),
    "mcp3208": Kind(model_kinds.MCP3208, model_kinds.mcp3208, _SPI, model_kinds.mcp3208_channels),
    "lm75": Kind(model_kinds.LM75, model_kinds.lm75, _I2C, model_kinds.lm75_channels),
    "mcp2515": Kind(model_kinds.MCP2515, model_kinds.can, _SPI),
    "modbus-slave": Kind(
        model_kinds.MODBUS_SLAVE, model_kinds.modbus_slave, _UART, model_kinds.slave_channels
    ),
}
