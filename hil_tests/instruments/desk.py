"""Wired emulated boards with their consoles on serial ports: a desk with boards on it."""

from __future__ import annotations

import select
import threading
from collections.abc import Sequence
from types import TracebackType

from hil_tests.instruments.wire import WiredBoards
from host_tools.pico import EmulatedPico, Pace, PicoError, Terminal

_SLICE_NS = 1_000_000


class Desk:
    """Runs `wired` in a thread while `with` lasts; `paths` are the ports of `boards`. The virtual
    time goes on by itself, not faster than that on the wall: for what talks to the ports, `now_ns`
    and `pass_ns` stand for the clock (hil_tests/devices/serial.py, Timer)."""

    def __init__(self, wired: WiredBoards, boards: Sequence[EmulatedPico]) -> None:
        self._wired = wired
        self._boards = boards
        self._terminals: list[Terminal] = []
        self._moved = threading.Condition()
        self._now_ns = wired.time_ns
        self._stop = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    @property
    def paths(self) -> list[str]:
        return [terminal.path for terminal in self._terminals]

    def now_ns(self) -> int:
        """Time of the boards."""
        return self._now_ns

    def pass_ns(self, duration_ns: int) -> None:
        """Wait for time to pass. Raises PicoError when a board has died."""
        end_ns = self._now_ns + duration_ns
        with self._moved:
            self._moved.wait_for(lambda: self._now_ns >= end_ns or self._failure is not None)
        self._check()

    def __enter__(self) -> Desk:
        self._terminals = [Terminal(board) for board in self._boards]
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop = True
        self._thread.join()
        for terminal in self._terminals:
            terminal.close()
        if error is None:
            self._check()

    def _check(self) -> None:
        if self._failure is not None:
            raise PicoError(f"a board on the desk stopped: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self._failure = error
        with self._moved:
            self._moved.notify_all()

    def _serve(self) -> None:
        pace = Pace(self._now_ns)
        while not self._stop:
            wanted = {t.master: t for t in self._terminals if t.wants_input}
            ready, _, _ = select.select(list(wanted), [], [], pace.ahead_s(self._now_ns))
            for descriptor in ready:
                wanted[descriptor].serve()
            self._wired.run_until(self._printed, _SLICE_NS / 1e9)
            for terminal in self._terminals:
                terminal.flush()
            with self._moved:
                self._now_ns = self._wired.time_ns
                self._moved.notify_all()

    def _printed(self) -> bool:
        return any(terminal.output for terminal in self._terminals)
