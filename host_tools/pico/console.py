"""The emulated board's console as a serial port of this machine, so that mpremote can use it."""

from __future__ import annotations

import os
import select
import threading
import time
import tty
from types import TracebackType

from host_tools.pico.board import EmulatedPico
from host_tools.pico.errors import PicoError

_SLICE_NS = 2_000_000
_READ_BYTES = 4096
# Further behind than this, the board runs on from where it is and does not make up for it.
_LARGEST_LAG_S = 0.05
_KEPT_OUTPUT_BYTES = 65536


class Terminal:
    """A board's console on a pseudo-terminal at `path`, from now until `close`; `serve` and
    `flush` are for what steps the board."""

    def __init__(self, board: EmulatedPico) -> None:
        self._board = board
        self.output = bytearray()
        self.master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._slave)
        board.take_console(self.output.extend)

    def close(self) -> None:
        self._board.take_console(None)
        os.close(self.master)
        os.close(self._slave)

    @property
    def wants_input(self) -> bool:
        """Input waits in the terminal while the board still has some to take."""
        return self._board.unsent == 0

    def serve(self) -> None:
        """Give the board what was written to the terminal; only where there is something."""
        self._board.write_console(os.read(self.master, _READ_BYTES))

    def flush(self) -> None:
        """Give the terminal what the board has printed."""
        if not self.output:
            return
        try:
            sent = os.write(self.master, self.output)
        except BlockingIOError:
            sent = 0
        del self.output[:sent]
        # Nobody reads: a USB console loses what nobody takes, the oldest first.
        del self.output[: max(0, len(self.output) - _KEPT_OUTPUT_BYTES)]


class Pace:
    """Keeps virtual time from running ahead of the clock on the wall."""

    def __init__(self, time_ns: int) -> None:
        self._started_ns = time_ns
        self._started_s = time.monotonic()

    def ahead_s(self, time_ns: int) -> float:
        """By how much virtual time is ahead, 0 when it is behind."""
        ahead = (time_ns - self._started_ns) / 1e9 - (time.monotonic() - self._started_s)
        if ahead < -_LARGEST_LAG_S:
            self._started_s -= ahead
        return max(0.0, ahead)


class SerialConsole:
    """Runs a board in a thread of its own, its console on a pseudo-terminal, while `with` lasts.

    `path` is the terminal's name, to be given where a serial port is asked for. Virtual time does
    not run ahead of the clock on the wall meanwhile, and the board must not be stepped by others.
    """

    def __init__(self, board: EmulatedPico) -> None:
        self._board = board
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="emulated-pico", daemon=True)
        self.path = ""

    def __enter__(self) -> SerialConsole:
        if not self._board.connected:
            self._board.boot()
        self._terminal = Terminal(self._board)
        self.path = self._terminal.path
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._terminal.close()
        if self._failure is not None and error is None:
            raise PicoError(f"the emulated board stopped: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self._failure = error

    def _serve(self) -> None:
        board, terminal = self._board, self._terminal
        pace = Pace(board.time_ns)
        while not self._stop.is_set():
            wanted = [terminal.master] if terminal.wants_input else []
            ready, _, _ = select.select(wanted, [], [], pace.ahead_s(board.time_ns))
            if ready:
                terminal.serve()
            board.run_until(lambda: bool(terminal.output), _SLICE_NS / 1e9)
            terminal.flush()
