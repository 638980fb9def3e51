"""Says on the terminal what a bench is doing while a test takes long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hil_tests.bench import Bench

_EVERY_S = 0.5
_LOOK_NS = 100_000_000


class Progress:
    """A line that is written anew and goes when it ends; nothing where there is no terminal."""

    def __init__(self, config: pytest.Config) -> None:
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self.on = reporter is not None and reporter.isatty and config.option.verbose >= 0
        self._reporter = reporter
        self._said = ""
        self._next_s = time.monotonic() + 2 * _EVERY_S

    def say(self, text: str) -> None:
        if not self.on:
            return
        if not self._said:
            self._reporter.ensure_newline()
        self._reporter.rewrite(text, erase=True)
        self._reporter.flush()
        self._said = text

    def end(self) -> None:
        if self._said:
            self._reporter.rewrite("", erase=True)
            self._reporter.write("\r")
            self._said = ""

    def follow(self, bench: Bench, test: str) -> None:
        """Tell the device's time, now and then."""
        if not self.on:
            return

        def look(now_ns: int) -> None:
            now_s = time.monotonic()
            if now_s >= self._next_s:
                self._next_s = now_s + _EVERY_S
                self.say(f"{test}: {now_ns / 1e9:.1f} s on {bench.dut_line.name}")

        bench.dut.every(_LOOK_NS, look)
