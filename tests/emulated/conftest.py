"""What the tests on emulated boards share: firmware, and a freshly booted Pico."""

from __future__ import annotations

import os
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


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache for this test alone, for machine code that is no use to anybody later; what zig made
    of its own libraries is used again."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", os.path.join(cache, "zig"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"
