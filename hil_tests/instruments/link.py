"""Ways to an instrument's console: a serial port, or an emulated board."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from hil_tests.instruments.wire import WiredBoards
from host_tools.failure import DEVICE, Failure
from host_tools.pico import EmulatedPico

_CHUNK_S = 0.05


class Link(Protocol):
    """Bytes to and from an instrument."""

    name: str

    def write(self, data: bytes) -> None: ...

    def read_line(self, timeout_s: float) -> bytes | None:
        """What came up to and including a newline; None when none came in time."""
        ...

    def close(self) -> None: ...


class EmulatedLink:
    """The console of an emulated board; virtual time passes while an answer is awaited: the
    board's own, and that of all it is wired to after `join`."""

    def __init__(self, board: EmulatedPico, name: str = "the emulated Pico") -> None:
        self.name = name
        self._board = board
        self._run_until: Callable[[Callable[[], bool], float], bool] = board.run_until
        self._received = bytearray()
        board.take_console(self._received.extend)

    def join(self, boards: WiredBoards) -> None:
        """The board is stepped by these from here on."""
        self._run_until = boards.run_until

    def write(self, data: bytes) -> None:
        self._board.write_console(data)

    def read_line(self, timeout_s: float) -> bytes | None:
        if not self._run_until(lambda: b"\n" in self._received, timeout_s):
            return None
        end = self._received.index(b"\n") + 1
        line = bytes(self._received[:end])
        del self._received[:end]
        return line

    def close(self) -> None:
        self._board.take_console(None)


class SerialLink:
    """A board on a serial port. Raises Failure when the port cannot be opened or is lost."""

    def __init__(self, port: str) -> None:
        try:
            import serial
        except ImportError as error:
            raise Failure("pyserial is not installed", "pip install mpremote", DEVICE) from error
        self.name = port
        self._lost = (serial.SerialException, OSError)
        self._received = bytearray()
        try:
            self._port: Any = serial.Serial(port, timeout=_CHUNK_S)
        except self._lost as error:
            raise Failure(
                f"cannot open the port '{port}' ({error})",
                "`takt devices` lists the ports",
                DEVICE,
            ) from None

    def write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except self._lost as error:
            raise self._gone(error) from None

    def read_line(self, timeout_s: float) -> bytes | None:
        deadline = time.monotonic() + timeout_s
        while b"\n" not in self._received:
            if time.monotonic() >= deadline:
                return None
            try:
                self._received += self._port.read(self._port.in_waiting or 1)
            except self._lost as error:
                raise self._gone(error) from None
        end = self._received.index(b"\n") + 1
        line = bytes(self._received[:end])
        del self._received[:end]
        return line

    def close(self) -> None:
        self._port.close()

    def _gone(self, error: Exception) -> Failure:
        return Failure(
            f"lost the instrument on {self.name} ({error})", "is it plugged in?", DEVICE
        )
