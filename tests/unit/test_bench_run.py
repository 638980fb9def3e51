"""`takt bench-run`: what it prints, what it leaves, and its exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.bench_story import FOLDER

ROOT = Path(__file__).parents[2]
TESTS = """
from hil_tests.expect import expect

def test_good(signals, clock):
    signals.sensor.set(True)
    signals.level.set(80.0)
    expect(signals.valve).is_(True, within="15ms")

def test_bad(signals, clock):
    expect(signals.lamp).rises(within="15ms")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    (tmp_path / "test_it.py").write_text(TESTS)
    return tmp_path


def takt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "host_tools.cli", "bench-run", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_json_and_exit_code_of_a_failing_test(folder: Path) -> None:
    done = takt(folder, "--json", "--out", "left")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["summary"] == {"passed": 1, "failed": 1, "error": 0, "skipped": 0}
    assert [case["outcome"] for case in found["tests"]] == ["passed", "failed"]
    assert "lamp rises within 15 ms" in done.stderr
    assert (folder / "left" / "index.html").is_file()


def test_all_is_well(folder: Path) -> None:
    done = takt(folder, "test_it.py", "-k", "good")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 passed, 1 deselected" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message", "help_"),
    [
        (["nowhere"], "there is no file or folder 'nowhere'", ""),
        (["--dut", "hots"], "the bench has no device 'hots'", "did you mean 'host'?"),
        (["--bench", "no.toml"], "cannot read 'no.toml'", "the name of a file"),
        (["-k", "nothing"], "there are no tests to run", "take `signals`, `clock` or `dut`"),
    ],
)
def test_what_is_wrong_is_said(
    folder: Path, arguments: list[str], message: str, help_: str
) -> None:
    done = takt(folder, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert help_ in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_wrong_bench_file_is_told_with_its_place(folder: Path) -> None:
    with (folder / "bench.toml").open("a") as file:
        file.write('[signal.more]\nto = "%QX0.9"\nrange = 3\n')
    done = takt(folder)
    assert done.returncode == 2
    assert "error[E0603]: 'range' must be a list" in done.stderr
    assert "bench.toml:17:9" in done.stderr


def test_without_pytest_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from host_tools.cli import main
    from host_tools.commands import bench_run

    monkeypatch.setattr(bench_run, "find_spec", lambda name: None)
    assert main(["bench-run", str(folder)]) == 2
    assert "pip install 'takt-plc[bench]'" in capsys.readouterr().err
