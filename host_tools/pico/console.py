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


class SerialConsole:
    """Runs a board in a thread of its own, its console on a pseudo-terminal, while `with` lasts.

    `path` is the terminal's name, to be given where a serial port is asked for. Virtual time does
    not run ahead of the clock on the wall meanwhile, and the board must not be stepped by others.
    """

    def __init__(self, board: EmulatedPico) -> None:
        self._board = board
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._output = bytearray()
        self._thread = threading.Thread(target=self._run, name="emulated-pico", daemon=True)
        self.path = ""

    def __enter__(self) -> SerialConsole:
        if not self._board.connected:
            self._board.boot()
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._board.take_console(self._output.extend)
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
        self._board.take_console(None)
        os.close(self._master)
        os.close(self._slave)
        if self._failure is not None and error is None:
            raise PicoError(f"the emulated board stopped: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self._failure = error

    def _serve(self) -> None:
        board = self._board
        started_ns = board.time_ns
        started_s = time.monotonic()
        while not self._stop.is_set():
            ahead_s = (board.time_ns - started_ns) / 1e9 - (time.monotonic() - started_s)
            if ahead_s < -_LARGEST_LAG_S:
                started_s -= ahead_s
            # Input waits in the terminal while the board still has some to take.
            wanted = [self._master] if board.unsent == 0 else []
            ready, _, _ = select.select(wanted, [], [], max(0.0, ahead_s))
            if ready:
                board.write_console(os.read(self._master, _READ_BYTES))
            board.run_until(lambda: bool(self._output), _SLICE_NS / 1e9)
            self._flush()

    def _flush(self) -> None:
        if not self._output:
            return
        try:
            sent = os.write(self._master, self._output)
        except BlockingIOError:
            sent = 0
        del self._output[:sent]
        # Nobody reads: a USB console loses what nobody takes, the oldest first.
        del self._output[: max(0, len(self._output) - _KEPT_OUTPUT_BYTES)]
