"""`takt bench` on the emulated Pico, short."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_tools.cli import main

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


def test_a_short_bench_measures_everything(
    pico_uf2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "bench.html"
    assert main(["bench", "--seconds", "0.2", "--json", "--html", str(page)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["speed"]["programs"]) >= 8
    for row in report["speed"]["programs"]:
        assert row["cycles_native"] > 100
        if row["cycles_c"]:
            assert row["ratio"] == pytest.approx(row["cycles_native"] / row["cycles_c"], rel=0.01)
    python = {row["name"]: row for row in report["speed"]["programs"] if row["cycles_python"]}
    assert python["nested"]["cycles_python"] > 10 * python["nested"]["cycles_native"]
    assert report["release"]["cycles"] > 100
    assert report["determinism"]["idle"]["releases"] == 200
    assert report["determinism"]["load"]["load"]["rounds"] > 3
    assert report["determinism"]["overruns"] == report["determinism"]["skipped"] == 0
    assert report["ten_khz"]["scans"] == 500
    assert report["size"]["heap_free"] > report["size"]["bundle"] > 1000
    assert report["turnaround"]["deploy_s"] > 0
    assert any("flash" in text for text in report["not_measured"])
    assert {row["figure"] for row in report["bars"]} >= {"size.bundle", "determinism.max_us"}
    assert page.read_text("utf-8").count("<svg") >= 2
