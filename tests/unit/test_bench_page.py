"""The example of docs/bench.md is complete, and does what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hil_tests import bench_file
from hil_tests.device import CAPABILITIES
from hil_tests.expect import Expectation
from hil_tests.instruments.kinds import KINDS
from host_tools.wiring.schema import Field

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bench.md").read_text(encoding="utf-8")
LANGUAGES = {"main.st": "st", "takt.toml": "toml", "bench.toml": "toml"}


@pytest.fixture
def incubator(tmp_path: Path) -> Path:
    for name in ("main.st", "takt.toml", "bench.toml", "incubator.py", "test_incubator.py"):
        language = LANGUAGES.get(name, "python")
        found = re.search(rf"`{re.escape(name)}`[^\n]*\n\n```{language}\n(.*?)```", PAGE, re.S)
        assert found is not None, name
        (tmp_path / name).write_text(found[1], encoding="utf-8")
    return tmp_path


def bench_run(incubator: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "host_tools.cli", "bench-run", *arguments],
        cwd=incubator,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout + done.stderr


def said(number: int) -> list[str]:
    """The lines of an output on the page."""
    return re.findall(r"```text\n(.*?)```", PAGE, re.S)[number].splitlines()


def test_the_example_passes_and_prints_what_the_page_shows(incubator: Path) -> None:
    output = bench_run(incubator, "--dut", "host").splitlines()
    assert [line for line in said(0) if line not in output] == []


def test_a_mistake_is_told_as_the_page_shows(incubator: Path) -> None:
    program = incubator / "main.st"
    program.write_text(program.read_text().replace("thermometer > 2150", "thermometer > 2550"))
    output = bench_run(incubator, "-k", "in_time").splitlines()
    assert [line for line in said(1) if line not in output] == []
    assert (incubator / "bench-results" / "incubator-test_the_heater_is_off_in_time-host").is_dir()


def test_every_key_and_capability_is_on_the_page() -> None:
    tables: list[tuple[Field, ...]] = [
        bench_file.BENCH,
        bench_file.DUT,
        bench_file.SIGNAL,
        bench_file.PLANT,
        KINDS["pico"].fields,
    ]
    names = {field.name for table in tables for field in table} | set(CAPABILITIES) - {"tcp"}
    names |= {name for name in vars(Expectation) if not name.startswith("_")}
    shown = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", PAGE))))
    assert names - shown == set()
