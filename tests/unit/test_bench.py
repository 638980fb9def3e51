"""The bench's arithmetic, and the structure of its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from host_tools.bench.bars import bars
from host_tools.bench.cycles import ALARM, LEVELS, release_cycles
from host_tools.bench.figures import (
    bucket_percentile,
    bucket_rows,
    counted,
    geometric_mean,
    percentile,
)
from host_tools.bench.page import histogram, page
from host_tools.bench.releases import Observed, determinism, edges, latencies, phase
from host_tools.bench.report import report_text
from host_tools.bench.speed import Measured, program_names, speed_row, speed_summary
from host_tools.bench.traffic import Traffic
from host_tools.cli import main


def test_percentiles_are_values_that_occurred() -> None:
    values = list(range(1, 10_001))
    assert percentile(values, 50) == 5000
    assert percentile(values, 99.99) == 9999
    assert percentile(values, 100) == 10_000
    assert percentile(values[:1000], 99.99) == 1000
    assert percentile([7], 0) == 7
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_percentiles_of_buckets_are_from_above() -> None:
    # docs/image.md: bucket n is 2^(n-1) <= µs < 2^n
    histogram = [0] * 24
    histogram[2], histogram[4] = 9999, 1
    assert bucket_percentile(histogram, 99.99, 11) == 3
    assert bucket_percentile(histogram, 100, 11) == 11
    assert bucket_percentile([5, *[0] * 23], 99.99, 0) == 0
    histogram[23] = 10_000
    assert bucket_percentile(histogram, 99.99, 9_000_000) == 9_000_000


def test_the_mean_of_ratios_is_geometric() -> None:
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    assert geometric_mean([1.0, 1.0, 8.0]) == pytest.approx(2.0)
    for wrong in ([], [1.0, 0.0]):
        with pytest.raises(ValueError, match="positive"):
            geometric_mean(wrong)


def test_buckets_have_names_in_microseconds() -> None:
    assert bucket_rows([1, 2, 3, 0, 4, 0]) == [
        ("0", 1),
        ("1", 2),
        ("2-3", 3),
        ("4-7", 0),
        ("8-15", 4),
    ]
    assert bucket_rows([0, 0]) == []
    assert counted([5, 3, 5]) == {3: 1, 5: 2}


def test_cycles_of_a_release_are_those_of_its_interrupts() -> None:
    steps = [
        (0, 5),
        *[(ALARM, 10), (LEVELS[0], 20), (ALARM, 7), (LEVELS[0], 1)],
        *[(0, 9), (19, 50)],
        *[(ALARM, 4), (0, 1), (LEVELS[2], 6), (0, 1)],
    ]
    found = release_cycles(steps)
    assert (found["releases"], found["cycles"], found["max_cycles"]) == (2, 22, 38)
    assert (found["checks"], found["check_cycles"]) == (1, 4)


def seen() -> Observed:
    return Observed([3, 4, 40, 3], [6000, 7000, 43_500, 6200], [False, False, True, False], 5)


def test_flash_operations_are_counted_apart() -> None:
    found = latencies(seen())
    assert (found["p9999_us"], found["max_us"]) == (4, 4)
    assert found["counts"] == {3: 2, 4: 1}
    assert found["flash"] == {"operations": 5, "releases": 1, "max_us": 40}
    assert found["stall"] == {"us": 40, "cause": "flash operation"}
    outside = edges(seen())
    assert (outside["min_us"], outside["max_us"]) == (6.0, 7.0)
    assert outside["after_start_us"] == [3.0, 3.5]
    assert outside["spread_us"] == 0.5


def told() -> dict[str, Any]:
    histogram = [0, 0, 3, 0, 0, 0, 1, *[0] * 17]
    task = {"scans": 4, "overruns": 0, "skipped": 1, "histogram": histogram}
    task |= {"exec_max": 7, "latency_min": 3, "latency_max": 40}
    return {"tasks": [task, task], "rounds": [9, 1], "fault": None}


def whole() -> dict[str, Any]:
    slow, fast = Measured((90, 110), (1,), 200, 30), Measured((50, 50), (1,), 90, 40)
    rows = [speed_row("a", slow, fast), speed_row("b", fast, slow)]
    idle = phase(told() | {"rounds": None}, None)
    report = {
        "target": "pico",
        "emulated": True,
        "seconds": 2.0,
        "speed": {"scans": 2, **speed_summary(rows), "compiler": "gcc <1>", "programs": rows},
        "release": release_cycles([(ALARM, 10), (LEVELS[0], 20), (0, 1)]),
        "determinism": determinism(idle, phase(told(), seen(), Traffic(72, 40, 32, 72, 0, 9.5))),
        "size": {
            "program": "tank",
            "bundle": 20_000,
            "image": 1000,
            "heap_before": 1,
            "heap_used": 40_000,
            "heap_free": 100_000,
        },
        "turnaround": {"compile_s": 0.5, "deploy_s": 1.0, "total_s": 1.5},
        "not_measured": ["the weather"],
    }
    return report | {"bars": bars(report)}


def test_the_report_has_the_figures_that_are_promised() -> None:
    report = json.loads(json.dumps(whole()))
    assert report["speed"]["geomean_ratio_to_c"] == 1.0
    assert report["speed"]["worst"] == "b"
    assert [row["ratio"] for row in report["speed"]["programs"]] == [0.5, 2.0]
    assert {"overruns", "skipped", "p9999_us", "max_us"} <= report["determinism"].keys()
    assert report["determinism"]["skipped"] == 2
    assert report["determinism"]["idle"]["p9999_us"] == 40
    assert report["determinism"]["load"]["load"] == {"rounds": 9, "files": 1}
    assert report["determinism"]["load"]["modbus"]["requests"] == 72
    missed = {row["figure"] for row in report["bars"] if not row["met"]}
    expected = {"speed.worst_ratio", "determinism.skipped", "size.bundle", "size.heap_free"}
    assert missed == expected


def test_a_report_without_plain_c_says_nothing_of_ratios() -> None:
    row = speed_row("a", None, Measured((1,), (1,), 1, 1))
    assert row["ratio"] is row["cycles_c"] is None
    assert speed_summary([row])["geomean_ratio_to_c"] is None


def test_text_and_page_show_the_report() -> None:
    report = whole()
    text = report_text(report)
    assert "geometric mean 1.0, worst 2.0 (b)" in text
    assert "longest stall 40 µs: flash operation" in text
    assert "MISSED bytes of the tank's bundle: 20000 (at most 16384)" in text
    assert "  the weather" in text
    made = page(report)
    assert made.count("<svg") == 3
    assert "gcc &lt;1&gt;" in made
    assert "http" not in made, "a page that needs nothing else"
    assert histogram([]) == ""


def test_what_cannot_be_measured_is_refused_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["bench", "--seconds", "soon"]) == 2
    assert "--seconds takes a number" in capsys.readouterr().err
    assert main(["bench", "--html", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert main(["bench", "--only", "spede"]) == 2
    assert "speed" in capsys.readouterr().err


def test_every_program_of_the_bench_is_there_in_both_languages() -> None:
    names = program_names()
    assert len(names) >= 8
    folder = Path(__file__).parents[2] / "host_tools" / "bench" / "programs"
    assert names == sorted(path.stem for path in folder.glob("*.c"))
