"""Runs a bench suite of hil_tests/suites as a person would, on one kind of device."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUITES = ("tank", "conveyor", "traffic")


def run_suite(suite: str, dut: str, marks: str, out: Path) -> int:
    """How many tests passed; AssertionError with pytest's words if one did not, or none ran."""
    ran = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-m", marks, "-p", "no:cacheprovider",
            f"--dut={dut}", f"--bench-out={out}", f"hil_tests/suites/{suite}",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "skipped" not in ran.stdout, ran.stdout
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed is not None, ran.stdout
    return int(passed[1])
