"""Campaigns: which fault is seen by which expectation, and what is wrong with a [[campaign]]."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hil_tests.bench import Bench, open_bench
from hil_tests.bench_file import BenchRejected, read_bench
from hil_tests.expect import expect
from hil_tests.faults.campaign import Campaign, Expected, FaultCase, main, run_campaign
from hil_tests.faults.campaign_file import read_campaigns
from hil_tests.report.matrix import matrix_text
from host_tools.device_files import ROOT
from tests.unit.bench_story import FOLDER, MS, opened

TANK = ROOT / "hil_tests" / "suites" / "tank"


def is_driven(bench: Bench, begin_ns: int, end_ns: int) -> bool:
    expect(bench.signals.drive).near(40, tolerance=2)
    return True


def is_lit(bench: Bench, begin_ns: int, end_ns: int) -> bool:
    lit = [change for change in bench.dut.recording.of("lamp", begin_ns) if change.value]
    return len(lit) > 1


CASES = (
    FaultCase("level open", lambda bench, faults: faults.open("level")),
    FaultCase("button open", lambda bench, faults: faults.open(bench.signals.button)),
    FaultCase("level noisy", lambda bench, faults: faults.noise("level", 1.0), tolerated=True),
    FaultCase("sensor stuck", lambda bench, faults: faults.stuck("sensor", True)),
    FaultCase("level open for a while", lambda bench, faults: faults.open("level"), 200 * MS),
)
EXPECTED = (Expected("it follows the level", is_driven), Expected("it blinks", is_lit))


@pytest.mark.parametrize("kind", ["host", "micropython"])
def test_faults_against_expectations(kind: str) -> None:
    campaign = Campaign(
        "both",
        CASES,
        EXPECTED,
        settle_ns=100 * MS,
        run_ns=1000 * MS,
        set={"level": 40.0},
        steps=((10 * MS, {"button": True}),),
    )
    said: list[str] = []
    coverage = run_campaign(campaign, lambda: opened(kind), said.append)
    assert coverage.sound == {"it follows the level": True, "it blinks": True}
    assert [coverage.seen_by(case.name) for case in CASES] == [
        ["it follows the level"],
        ["it blinks"],
        [],
        [],
        [],
    ]
    assert coverage.unnoticed == ["level noisy", "sensor stuck", "level open for a while"]
    assert coverage.wrong == ["sensor stuck", "level open for a while"]
    assert coverage.idle == []
    assert said[3] == "sensor stuck: unnoticed"
    lines = matrix_text(coverage.matrix()).splitlines()
    assert lines[:3] == ["Coverage: both", "fault                   1  2", lines[2]]
    assert lines[2].split() == ["level", "open", "✓", "–"]
    assert "2 of 5 are seen" in lines
    assert "tolerated: level noisy" in lines
    assert "unnoticed: sensor stuck" in lines


def test_the_faults_of_the_tank(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(TANK), "--json"]) == 0
    (table,) = json.loads(capsys.readouterr().out)
    assert len(table["rows"]) == 16
    assert table["bad"] == 0
    assert table["good"] > 40
    assert "sees no fault" not in str(table["notes"])


WRONG = """
[[campaign]]
name = "wrong"
set = { buton = true }
fault = [
    { kind = "stuk", signal = "level" },
    { kind = "noise", signal = "level" },
    { kind = "late", signal = "button", by = 5 },
    { kind = "drift", signal = "level", by = 5, per = "soon" },
    { kind = "open", signal = "lever" },
    { kind = "plant", attribute = "leak" },
    { kind = "open" },
    { kind = "open", signal = "level" },
    { kind = "open", signal = "level" },
]
expect = [
    { signal = "lamp" },
    { signal = "lamp", becomes = true, stays = true },
    { signal = "lamp", above = "high" },
]
"""


def test_what_is_wrong_in_a_campaign_is_told_with_its_place(tmp_path: Path) -> None:
    for path in FOLDER.iterdir():
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    bench = tmp_path / "bench.toml"
    bench.write_text(bench.read_text(encoding="utf-8") + WRONG, encoding="utf-8")
    first = bench.read_text(encoding="utf-8").split("[[campaign]]")[0].count("\n")
    with pytest.raises(BenchRejected) as rejected:
        read_campaigns(read_bench(bench))
    told = [(d.code, d.span.line - first, d.message) for d in rejected.value.diagnostics]
    assert told == [
        ("E0604", 5, "'kind' cannot be \"stuk\""),
        ("E0602", 6, "'noise' needs 'by'"),
        ("E0603", 7, "'by' of 'late' is a time, such as \"100ms\""),
        ("E0604", 8, "'soon' is not a duration"),
        ("E0604", 9, "the bench has no signal 'lever'"),
        ("E0602", 10, "'plant' needs 'to'"),
        ("E0602", 11, "'open' needs 'signal'"),
        ("E0604", 13, "'level open' is there twice"),
        ("E0604", 16, "an expectation has one of becomes, stays, below, above"),
        ("E0604", 17, "an expectation has one of becomes, stays, below, above"),
        ("E0603", 18, "'above' must be a number, this is text"),
        ("E0604", 3, "the bench has no signal 'buton'"),
    ]


def test_the_command_says_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(TANK), "--dut", "pica"]) == 2
    assert "no device 'pica'" in capsys.readouterr().err
    assert (
        run_campaign(
            Campaign("none", (), (), 0, 0), lambda: open_bench(read_bench(TANK), "host")
        ).found
        == {}
    )
