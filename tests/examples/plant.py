"""Drives an example through its addresses, on the virtual clock of the host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_tools import compile as build
from host_tools import load, simulate

ROOT = Path(__file__).resolve().parents[2]


class Plant:
    """A simulated controller with the names its wires have. `wires`: name -> path or address."""

    def __init__(self, example: str, wires: dict[str, str]) -> None:
        self.sim = simulate(build(load(ROOT / "examples" / example)))
        self.wires = wires

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            self.sim.set(self.wires.get(name, name), value)

    def get(self, name: str) -> Any:
        return self.sim[self.wires.get(name, name)]

    def run(self, seconds: float) -> None:
        self.sim.run(for_ns=round(seconds * 1e9))
        assert self.sim.fault is None

    def until(self, condition: Callable[[], bool], limit: float) -> float:
        """Seconds until `condition` holds after a scan; fails after `limit` seconds."""
        start = self.sim.time_ns
        while not condition():
            self.sim.run(scans=1)
            assert self.sim.fault is None
            assert self.sim.time_ns - start <= limit * 1e9, "it never came"
        return (self.sim.time_ns - start) / 1e9
