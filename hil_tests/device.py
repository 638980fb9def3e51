"""What a device under test can do for a bench, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hil_tests.recording import Recording, Value
from host_tools.record import record

CAPABILITIES = (
    "virtual-time",
    "edges",
    "power",
    "uart",
    "i2c",
    "spi",
    "tcp",
    "flash",
    "variables",
    "latency",
)


@record(frozen=True)
class Point:
    """Where a wire ends at the device: a channel of takt.toml by its `address`, such as "%IX0.0",
    with what the device sees there before `invert`, `filter_ms` and `scale`: a level of the `pin`
    or a voltage at the ADC, both as the wiring file has it."""

    address: str
    pin: str
    to_device: bool
    analogue: bool


def pin_number(pin: str) -> int:
    """Of GP16: 16."""
    return int("".join(c for c in pin if c.isdigit()))


class Device(Protocol):
    """The device under test: its program is loaded; nothing moves until `start`, then only in
    `run_for`. Time is the device's own, in ns since `start`.

    `capabilities` are of: "virtual-time" (it stands still between two calls), "edges" (times of
    output changes are finer than a scan), "power" (it can be cut off), "uart", "i2c", "spi",
    "tcp", "flash", "variables" (they can be read by path), "latency" (releases are measured).
    """

    kind: str
    capabilities: frozenset[str]
    recording: Recording

    @property
    def time_ns(self) -> int: ...

    def start(self) -> None:
        """Begin to scan; inputs written before are there in the first scan."""

    def run_for(self, duration_ns: int) -> None:
        """Let time pass: what `every`, `at` and `watch` ask for happens within."""

    def stop_run(self) -> None:
        """End the `run_for` that is under way, from one of its callbacks, as soon as it can."""

    def write(self, point: Point, value: Value) -> None:
        """Apply a level (True: high; None: open) or a voltage to an input, now. What is open and
        has no pull resistor is low."""

    def read(self, point: Point) -> Value:
        """The level or voltage at an output now."""

    def watch(self, point: Point, callback: Callable[[int, Value], None]) -> None:
        """Call with (time_ns, value) at each change of an output."""

    def every(self, period_ns: int, step: Callable[[int], None]) -> None:
        """Call `step(time_ns)` at each multiple of `period_ns` from `start` on."""

    def at(self, time_ns: int, call: Callable[[int], None]) -> None:
        """Call `call(time_ns)` once, at that time or as soon as time goes on."""

    def variable(self, path: str) -> object:
        """A variable of the program, as in `takt run --json`."""

    def set_variable(self, path: str, value: object) -> None:
        """Write one, as a fieldbus would: between two scans."""

    def fault(self) -> dict[str, object] | None:
        """The first fault of the program, as in `takt run --json`."""

    def power_cut(self) -> None:
        """Take the power away: nothing runs, all outputs are open."""

    def power_on(self) -> None:
        """Bring it back: the device boots and scans what it has; its time goes on."""

    def close(self) -> None: ...


class Plant(Protocol):
    """A model of a machine: equations with a fixed step, independent of wall time.

    `step` gets the values of the signals that it takes (by the names in `takes`) and returns those
    it gives (`gives`), all in engineering units; one call is `step_ns` of time.
    """

    step_ns: int
    takes: tuple[str, ...]
    gives: tuple[str, ...]

    def step(self, inputs: dict[str, Value]) -> dict[str, Value]: ...
