"""What a run leaves: JUnit XML, JSON and pages, with the hashes of what it was run on."""

from __future__ import annotations

import io
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from pages import Page
from recordings import S, tank

from hil_tests.mutants.campaign import Campaign, Verdict
from hil_tests.mutants.mutants import Mutant
from hil_tests.mutants.operators import Edit
from hil_tests.mutants.report import matrix
from hil_tests.recording import Recording
from hil_tests.report.matrix import Cell, Matrix, matrix_object, matrix_text
from hil_tests.report.results import CaseResult, RunResults
from hil_tests.report.run import failure_words, folder_name, write_failure, write_run
from hil_tests.report.run_page import write_matrix_page
from host_tools.compiler.source import Span
from host_tools.failure import Failure
from host_tools.project import load

EVIL = "<i>&\"'\x00\x1b"


def coverage() -> Matrix:
    made = Matrix("Faults of the tank", "fault")
    made.put("level open", "pump stops", Cell("good", "120 ms"))
    made.put("level open", "horn sounds", Cell("good"))
    made.put("level stuck", "pump stops", Cell("bad", "never", "it ran on", "stuck/timeline.html"))
    made.notes.append("2 of 3 seen")
    return made


def run() -> RunResults:
    recording = tank()
    made = RunResults("tank", "tank/bench.toml", "host", "2026-01-02T03:04:05")
    made.hashes = {"firmware": "f" * 64, "bundle": "b" * 64, "wiring": "a" * 64, "bench": "c" * 64}
    made.about = {"firmware version": "1.26.1"}
    made.figures = {"scan_p99_us": 21.5}
    made.tests = [
        CaseResult("test_fill", "passed", 0.25, 10 * S, "host", "tank/test_tank.py", 3,
                   checks=(recording.checks[0],), figures={"latency_p99_us": 12.5}),
        CaseResult("test_horn", "failed", 0.5, 20 * S, "host", "tank/test_tank.py", 9,
                   "horn rises within 1 s: stayed low", "the story", failure_words(recording),
                   "test_horn-host", tuple(recording.checks), tuple(recording.faults)),
        CaseResult(f"test_{EVIL}", "error", 0.1, 0, "host", "tank/test_more.py", 1, EVIL, EVIL),
        CaseResult("test_uart", "skipped", 0, 0, "host", "tank/test_more.py", 5, "no uart here"),
    ]  # fmt: skip
    made.matrices = [coverage()]
    return made


def test_junit_has_the_outcomes_and_the_hashes(tmp_path: Path) -> None:
    write_run(run(), tmp_path)
    root = ET.parse(tmp_path / "junit.xml").getroot()
    assert root.attrib == {
        "name": "tank", "tests": "4", "failures": "1", "errors": "1", "skipped": "1",
        "time": "0.850000",
    }  # fmt: skip
    suites = root.findall("testsuite")
    assert [(s.get("name"), s.get("tests")) for s in suites] == [
        ("tank/test_tank.py", "2"), ("tank/test_more.py", "2"),
    ]  # fmt: skip
    for suite in suites:
        found = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
        assert found["sha256.firmware"] == "f" * 64
        assert found["sha256.bundle"] == "b" * 64
        assert found["sha256.wiring"] == "a" * 64
        assert found["device"] == "host"
    cases = {c.get("name"): c for c in root.iter("testcase")}
    failure = cases["test_horn"].find("failure")
    assert failure is not None
    assert failure.get("message") == "horn rises within 1 s: stayed low"
    assert "horn rose only at 19.140 s" in (failure.text or "")
    own = {p.get("name"): p.get("value") for p in cases["test_fill"].iter("property")}
    assert own == {"latency_p99_us": "12.5", "virtual_ns": "10000000000"}
    assert cases["test_uart"].find("skipped") is not None
    assert cases["test_<i>&\"'\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"] is not None


def test_the_json_has_all_of_it(tmp_path: Path) -> None:
    write_run(run(), tmp_path)
    made = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert made["summary"] == {"passed": 1, "failed": 1, "error": 1, "skipped": 1}
    assert made["sha256"]["wiring"] == "a" * 64
    assert made["figures"] == {"scan_p99_us": 21.5}
    horn = made["tests"][1]
    assert horn["checks"][1]["where"] == "test_tank.py:21"
    assert horn["checks"][1]["passed"] is False
    assert horn["faults"][0] == {
        "begin_ns": 15 * S, "end_ns": 19 * S, "signal": "level", "text": "stuck at 77.6 %",
    }  # fmt: skip
    assert made["matrices"][0]["bad"] == 1


def test_the_page_links_the_timelines(tmp_path: Path) -> None:
    recording = tank()
    about = {"device": "host", "SHA-256 of bundle": "b" * 64}
    made = write_failure(recording, tmp_path / "test_horn-host", "test_horn", about)
    assert [path.name for path in made] == [
        "timeline.html", "failure.json", "bus.txt", "bus.jsonl", "trace.vcd",
    ]  # fmt: skip
    write_run(run(), tmp_path)
    read = Page((tmp_path / "index.html").read_text("utf-8"))
    links = [a["href"] for tag, a in read.elements if tag == "a"]
    assert links == [
        "test_horn-host/timeline.html", "test_horn-host/trace.vcd", "test_horn-host/bus.txt",
        "test_horn-host/failure.json", "stuck/timeline.html",
    ]  # fmt: skip
    for link in links[:-1]:
        assert (tmp_path / link).is_file()
    text = " ".join(read.texts)
    assert "f" * 64 in text
    assert "✗ test_horn on host" in text
    assert "no uart here" in text
    assert "latency_p99_us = 12.5" in text
    assert "i" not in [tag for tag, a in read.elements if "class" not in a]
    failure = json.loads((tmp_path / "test_horn-host" / "failure.json").read_text("utf-8"))
    assert failure["about"]["SHA-256 of bundle"] == "b" * 64
    assert "horn rose only at 19.140 s" in failure["checks"][1]["last_edges"]
    assert "last_edges" not in failure["checks"][0]
    assert failure["signals"]["level"]["unit"] == "%"


def test_a_failure_without_a_check_is_a_note(tmp_path: Path) -> None:
    write_failure(Recording(), tmp_path, "x", message="KeyError: 'pump'")
    assert "KeyError: &#x27;pump&#x27;" in (tmp_path / "timeline.html").read_text("utf-8")


def test_a_missing_package_costs_the_vcd_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vcd", None)
    with pytest.raises(Failure, match="pyvcd"):
        write_failure(tank(), tmp_path, "x")
    assert {p.name for p in tmp_path.iterdir()} == {
        "timeline.html", "failure.json", "bus.txt", "bus.jsonl",
    }  # fmt: skip


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot make"):
        write_run(run(), tmp_path / "file")
    (tmp_path / "results.json").mkdir()
    with pytest.raises(Failure, match="cannot write"):
        write_run(run(), tmp_path)


def test_folders_have_safe_names() -> None:
    name = "suites/tank/test_tank.py::test_horn[pico-x/y]"
    assert folder_name(name) == "suites-tank-test_tank.py-test_horn-pico-x-y"
    assert folder_name("..") == "test"
    long = [folder_name("x" * 500 + end) for end in "ab"]
    assert [len(name) for name in long] == [120, 120]
    assert long[0] != long[1]


def test_a_matrix_as_text() -> None:
    assert matrix_text(coverage()) == (
        "Faults of the tank\n"
        "fault        1         2\n"
        "level open   ✓ 120 ms  ✓\n"
        "level stuck  ✗ never   –\n"
        "1: pump stops\n"
        "2: horn sounds\n"
        "2 of 3 seen\n"
    )
    made = matrix_object(coverage())
    assert (made["good"], made["bad"]) == (2, 1)
    assert json.load(io.StringIO(json.dumps(made)))["cells"][2] == {
        "row": "level stuck", "column": "pump stops", "state": "bad", "text": "never",
        "about": "it ran on", "link": "stuck/timeline.html",
    }  # fmt: skip


def test_mutants_have_a_table_of_their_own(tmp_path: Path) -> None:
    project = load(Path(__file__).parents[2] / "examples" / "tank")
    span = Span(project.sources[0], 0, 3)
    mutants = [
        Mutant(n, "tank.st", Edit("contact", what, ((span, "x"),)))
        for n, what in ((1, "run → NOT run"), (2, "a & b < c"))
    ]
    campaign = Campaign(Path("suite"), project, "host", 1, ["test_one_pump", "test_a_horn"])
    campaign.verdicts = [
        Verdict(mutants[0], {"test_a_horn": "horn rises <within> 1 s"}, 1.0),
        Verdict(mutants[1], {}, 1.0),
    ]
    made = matrix(campaign)
    assert made.columns == ["killed by", "one pump", "a horn"]
    assert made.notes == ["1 of 2 mutants killed (50 %) by 2 tests."]
    assert [made.at(row, "killed by").state for row in made.rows] == ["good", "bad"]
    assert made.at(made.rows[0], "a horn").about == "horn rises <within> 1 s"
    assert made.at(made.rows[0], "one pump").state == "none"
    write_matrix_page(tmp_path / "x.html", made.title, [made])
    read = Page((tmp_path / "x.html").read_text("utf-8"))
    assert any("a & b < c" in text for text in read.texts)
    with pytest.raises(Failure, match="cannot write"):
        write_matrix_page(tmp_path / "no" / "x.html", "x", [made])
