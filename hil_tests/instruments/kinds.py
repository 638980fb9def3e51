"""The kinds of instrument that bench.toml knows: their keys, and what makes them.

An instrument with channels is a place where wires end: `[signal.flow] to = "expander.P3"`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from hil_tests.device import Device, Point
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
    before its start; None for what has no channels of its own."""

    fields: tuple[Field, ...]
    make: Callable[[dict[str, Any], Device], Instrument] | None = None
    needs: frozenset[str] = frozenset()


KINDS: dict[str, Kind] = {
    "pico": Kind(
        (
            Field("serial", Text(), "USB serial number of the board, as `takt devices` lists it"),
            Field("port", Text(), "serial port, in place of `serial`"),
            Field("wires", Any_(), "pin of the device = pin of the instrument"),
        )
    ),
}
