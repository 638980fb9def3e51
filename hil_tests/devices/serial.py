"""The device `serial`: a board on a port, its pins wired to an instrument, in real time.

Edges come with the instrument's time stamps, some milliseconds after they happened. What a program
has in its variables cannot be read while it runs: wire what a test has to see.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol

from hil_tests.bench_file import BenchFile, Dut, InstrumentLine
from hil_tests.device import Point
from hil_tests.devices.beat import Beat
from hil_tests.recording import Recording, Value
from host_tools.build import Program
from host_tools.failure import DEVICE, USAGE, Failure

_POLL_NS = 2_000_000
_ANALOGUE_NS = 50_000_000
_ASKED = 3


class Pins(Protocol):
    """hil_tests/instruments/board_pins.py."""

    def write(self, pin: str, value: Value, analogue: bool) -> None: ...

    def read(self, pin: str, analogue: bool) -> Value: ...

    def begin(self, pins: list[str]) -> None: ...

    def edges(self) -> list[tuple[int, str, bool]]: ...

    def time_ns(self) -> int: ...

    def close(self) -> None: ...


class Timer(Protocol):
    """The time that passes for a board and its instrument alike."""

    def now_ns(self) -> int: ...

    def pass_ns(self, duration_ns: int) -> None: ...


class RealTime:
    def now_ns(self) -> int:
        return time.monotonic_ns()

    def pass_ns(self, duration_ns: int) -> None:
        time.sleep(duration_ns / 1e9)


class SerialDevice:
    """A `Device` (hil_tests/device.py). `restart` starts the program anew and returns when it
    scans; `fault` tells what the board has said of a fault. `release` gives the board back."""

    kind = "serial"
    capabilities = frozenset({"edges"})

    def __init__(
        self,
        pins: Pins,
        timer: Timer,
        restart: Callable[[], None],
        fault: Callable[[], dict[str, object] | None] = lambda: None,
        release: Callable[[], None] = lambda: None,
    ) -> None:
        self.recording = Recording()
        self._pins = pins
        self._timer = timer
        self._restart = restart
        self._fault = fault
        self._release = release
        self._beat = Beat()
        self._watchers: dict[str, list[Callable[[int, Value], None]]] = {}
        self._analogue: dict[str, Value] = {}
        self._analogue_due_ns = 0
        self._levels: dict[str, Value] = {}
        self._zero_ns: int | None = None
        self._capture_ns = 0
        self._stopped = False

    @property
    def time_ns(self) -> int:
        return self._timer.now_ns() - self._zero_ns if self._zero_ns is not None else 0

    def start(self) -> None:
        digital = [pin for pin in self._watchers if pin not in self._analogue]
        self._pins.begin(digital)
        capture_ns = self._began_ns() if digital else 0
        self._restart()
        self._zero_ns = self._timer.now_ns()
        self._capture_ns = capture_ns - self._zero_ns
        self._collect()

    def _began_ns(self) -> int:
        """When the instrument's time was 0, by the shortest of some requests: its answer is of the
        middle of a request, as far as can be known."""
        found = []
        for _ in range(_ASKED):
            before_ns = self._timer.now_ns()
            stamp_ns = self._pins.time_ns()
            after_ns = self._timer.now_ns()
            found.append((after_ns - before_ns, (before_ns + after_ns) // 2 - stamp_ns))
        return min(found)[1]

    def run_for(self, duration_ns: int) -> None:
        end_ns = self.time_ns + duration_ns
        self._stopped = False
        while (now_ns := self.time_ns) < end_ns and not self._stopped:
            if self._beat.next_ns <= now_ns:
                self._beat.serve(now_ns)
                continue
            until_ns = min(end_ns, self._beat.next_ns, now_ns + _POLL_NS)
            self._timer.pass_ns(until_ns - now_ns)
            self._collect()
        self.recording.end_ns = max(self.recording.end_ns, self.time_ns)

    def stop_run(self) -> None:
        self._stopped = True

    def _collect(self) -> None:
        for stamp_ns, pin, level in self._pins.edges() if self._watchers else []:
            time_ns = max(0, stamp_ns + self._capture_ns)
            if self._levels.get(pin) is not level:
                self._levels[pin] = level
                self._tell(time_ns, pin, level)
        now_ns = self.time_ns
        if self._analogue and now_ns >= self._analogue_due_ns:
            self._analogue_due_ns = now_ns + _ANALOGUE_NS
            for pin, last in self._analogue.items():
                volts = self._pins.read(pin, True)
                if volts != last:
                    self._analogue[pin] = volts
                    self._tell(now_ns, pin, volts)

    def _tell(self, time_ns: int, pin: str, value: Value) -> None:
        for callback in self._watchers.get(pin, ()):
            callback(time_ns, value)

    def write(self, point: Point, value: Value) -> None:
        self._pins.write(point.pin, value, point.analogue)

    def read(self, point: Point) -> Value:
        return self._pins.read(point.pin, point.analogue)

    def watch(self, point: Point, callback: Callable[[int, Value], None]) -> None:
        self._watchers.setdefault(point.pin, []).append(callback)
        if point.analogue:
            self._analogue.setdefault(point.pin, None)

    def every(self, period_ns: int, step: Callable[[int], None]) -> None:
        self._beat.add(period_ns, step, self.time_ns)

    def at(self, time_ns: int, call: Callable[[int], None]) -> None:
        self._beat.once(time_ns, call)

    def variable(self, path: str) -> object:
        raise _without("variables")

    def set_variable(self, path: str, value: object) -> None:
        raise _without("variables")

    def fault(self) -> dict[str, object] | None:
        return self._fault()

    def power_cut(self) -> None:
        raise _without("power")

    def power_on(self) -> None:
        raise _without("power")

    def close(self) -> None:
        self._pins.close()
        self._release()


def _without(capability: str) -> Failure:
    return Failure(
        f"a board on a serial port has no '{capability}' for a test",
        f'mark the test: @pytest.mark.needs("{capability}")',
        USAGE,
    )


# --- a real board ----------------------------------------------------------------------------


def port_of(what: str, serial: str | None, port: str | None) -> str:
    """The port of a board: the one that is named, or where this USB serial number is. Raises
    Failure, saying which ones there are."""
    if port is not None:
        return port
    from host_tools.board_link import serial_ports
    from host_tools.compiler.diagnostics import did_you_mean

    found = {str(p["serial"]): str(p["port"]) for p in serial_ports() if p["serial"]}
    if serial in found:
        return found[serial]
    there = did_you_mean(serial or "", list(found)) or (
        "there are: " + ", ".join(f"{s} on {p}" for s, p in found.items())
        if found
        else "no board is connected"
    )
    raise Failure(f"{what} with USB serial number '{serial}' is not connected", there, DEVICE)


_deployed: dict[str, tuple[Program, str]] = {}
"""By port: the program that this process has put there, and its slot."""


class _Board:
    """A board on a port: the program is deployed once, and restarted for each test."""

    def __init__(self, port: str, program: Program) -> None:
        from host_tools.board_link import SerialLink

        self._port = port
        self._link = SerialLink(port)
        self._program = program
        self._console: Any = None
        self._seen: dict[str, object] | None = None

    def restart(self) -> None:
        from host_tools.deployment import deploy, wait_until_it_scans

        there, slot = _deployed.get(self._port, (None, ""))
        if there is not self._program:
            board = self._program.project.wiring.board
            slot = deploy(self._link, self._program.bundle(), board, lambda text: None).slot
            _deployed[self._port] = self._program, slot
        # The program runs, since the deployment or the test before.
        self._link.interrupt()
        self._seen = None
        self._console = self._link.restart()
        wait_until_it_scans(self._console, slot)

    def fault(self) -> dict[str, object] | None:
        """The board's message of the first fault, if one has come."""
        from host_tools.remote import read_message

        for line in self._console.lines(quiet_s=0.05) if self._console is not None else ():
            message = read_message(line)
            if message["is"] == "fault" and self._seen is None:
                self._seen = {**message, "message": message.get("text")}
        return self._seen

    def close(self) -> None:
        self._link.close()


def serial_device(
    dut: Dut, program: Program, bench: BenchFile, timer: Timer | None = None
) -> SerialDevice:
    """The board of [dut.NAME] with its instrument, both locked; `timer` where their time is not
    that of the clock on the wall. Raises Failure."""
    from hil_tests.instruments.board_pins import BoardPins
    from hil_tests.instruments.link import SerialLink
    from hil_tests.instruments.pico import PicoInstrument
    from hil_tests.lock import locked

    line = _instrument(dut, bench)
    options = line.options
    with ExitStack() as stack:
        port = port_of(f"the device '{dut.name}'", dut.serial, dut.port)
        stack.enter_context(locked(port, f"the board on {port}"))
        probe = port_of(f"the instrument '{line.name}'", options["serial"], options["port"])
        stack.enter_context(locked(probe, f"the instrument on {probe}"))
        pins = BoardPins(PicoInstrument(SerialLink(probe)), options["wires"], line.name)
        stack.callback(pins.close)
        board = _Board(port, program)
        stack.callback(board.close)
        kept = stack.pop_all()
    return SerialDevice(pins, timer or RealTime(), board.restart, board.fault, kept.close)


def _instrument(dut: Dut, bench: BenchFile) -> InstrumentLine:
    """The one whose pins are wired to the board. Raises Failure."""
    wired = [line for line in bench.instruments.values() if line.options.get("wires")]
    for line in wired:
        if dut.instrument in (None, line.name):
            return line
    raise Failure(
        f"the device '{dut.name}' has no instrument at its pins",
        'add [instrument.NAME] with kind = "pico", serial = "…" and '
        'wires = { GP2 = "GP10", … }: pin of the device = pin of the instrument',
        USAGE,
    )
