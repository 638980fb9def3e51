"""What the tests on the emulated Pico share: its firmware and a freshly booted board."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools import firmware
from host_tools.pico import EmulatedPico


@pytest.fixture(scope="session")
def pico_uf2(pytestconfig: pytest.Config) -> Path:
    """The Pico's firmware image, built when the cache does not have it (some minutes)."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def tell(phase: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"firmware: {phase}", flush=True)

    return firmware.ensure("pico", progress=tell)


@pytest.fixture
def pico(pico_uf2: Path) -> EmulatedPico:
    """A board that has just booted, with an empty file system."""
    board = EmulatedPico(pico_uf2)
    board.boot()
    return board
