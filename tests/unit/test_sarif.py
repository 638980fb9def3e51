"""SARIF: what OASIS requires of a log, and that places and fixes are those of the diagnostics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from host_tools.cli import main

PROGRAM = """\
PROGRAM main
VAR
    level : INT;
    text : STRING := 'é';
END_VAR
    levle := 1;
    level := 'x';
    text := TRUE;
END_PROGRAM
"""
WARNINGS = """\
PROGRAM main
VAR motor AT %QX0.0 : BOOL; a AT %IX0.0 : BOOL; END_VAR
    (* 😀 *) motor := a; motor := NOT a;
END_PROGRAM
"""


@pytest.fixture
def sarif(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    def run(text: str, *options: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "my program.st").write_text(text, encoding="utf-8")
        code = main(["check", "my program.st", "--sarif", "-", *options])
        return code, json.loads(capsys.readouterr().out)

    return run


def check_location(location: dict[str, Any]) -> None:
    """SARIF 2.1.0, 3.28 location, 3.29 physicalLocation, 3.30 region."""
    place = location["physicalLocation"]
    assert place["artifactLocation"]["uri"]
    assert " " not in place["artifactLocation"]["uri"]
    region = place["region"]
    assert all(region[k] >= 1 for k in ("startLine", "startColumn", "endLine", "endColumn"))
    assert (region["endLine"], region["endColumn"]) >= (region["startLine"], region["startColumn"])
    if "message" in location:
        assert location["message"]["text"]


def check_log(log: dict[str, Any]) -> None:
    """The properties that SARIF 2.1.0 requires: 3.13 sarifLog, 3.14 run, 3.18 tool, 3.19
    toolComponent, 3.49 reportingDescriptor, 3.27 result, 3.55 fix, 3.56 artifactChange, 3.57
    replacement."""
    assert log["version"] == "2.1.0"
    assert log["$schema"].startswith("https://")
    assert isinstance(log["runs"], list)
    for run in log["runs"]:
        driver = run["tool"]["driver"]
        assert driver["name"] == "takt"
        ids = [rule["id"] for rule in driver["rules"]]
        assert len(ids) == len(set(ids))
        for rule in driver["rules"]:
            assert rule["shortDescription"]["text"]
            assert rule["fullDescription"]["text"]
            assert "## Fails" in rule["help"]["markdown"]
            assert rule["help"]["text"]
            assert rule["defaultConfiguration"]["level"] in ("none", "note", "warning", "error")
        assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
        for result in run["results"]:
            assert result["message"]["text"]
            assert result["level"] in ("none", "note", "warning", "error")
            assert ids[result["ruleIndex"]] == result["ruleId"]
            assert len(result["locations"]) == 1
            for location in result["locations"] + result.get("relatedLocations", []):
                check_location(location)
            numbers = [r["id"] for r in result.get("relatedLocations", [])]
            assert len(numbers) == len(set(numbers))
            for fix in result.get("fixes", []):
                assert fix["artifactChanges"]
                for change in fix["artifactChanges"]:
                    assert change["artifactLocation"]["uri"]
                    assert change["replacements"]
                    for replacement in change["replacements"]:
                        assert replacement["deletedRegion"]["startLine"] >= 1
                        assert isinstance(replacement["insertedContent"]["text"], str)


def test_errors_with_their_places_and_a_fix(sarif: Any) -> None:
    code, log = sarif(PROGRAM)
    assert code == 1
    check_log(log)
    (run,) = log["runs"]
    assert [r["ruleId"] for r in run["results"]] == ["E0200", "E0230", "E0230"]
    assert {r["level"] for r in run["results"]} == {"error"}
    first = run["results"][0]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20program.st"
    region = {"startLine": 6, "startColumn": 5, "endLine": 6, "endColumn": 10}
    assert place["region"] == region
    replacement = first["fixes"][0]["artifactChanges"][0]["replacements"][0]
    assert replacement["deletedRegion"] == region
    assert replacement["insertedContent"]["text"] == "level"


def test_warnings_with_second_places_in_utf_16_columns(sarif: Any) -> None:
    code, log = sarif(WARNINGS)
    assert code == 0
    check_log(log)
    (result,) = log["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("W0317", "warning")
    assert result["locations"][0]["physicalLocation"]["region"]["startColumn"] == 14
    (other,) = result["relatedLocations"]
    assert other["message"]["text"] == "overwritten here"
    assert other["physicalLocation"]["region"]["startColumn"] == 26


def test_denied_warnings_are_errors(sarif: Any) -> None:
    code, log = sarif(WARNINGS, "--werror")
    assert code == 1
    check_log(log)
    assert log["runs"][0]["results"][0]["level"] == "error"


def test_nothing_found_is_a_log_without_results(sarif: Any) -> None:
    code, log = sarif("PROGRAM main END_PROGRAM")
    assert code == 0
    check_log(log)
    assert log["runs"][0]["results"] == []


def test_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "a.st", tmp_path / "a.sarif"
    source.write_text(WARNINGS, encoding="utf-8")
    assert main(["check", str(source), "--sarif", str(target)]) == 0
    check_log(json.loads(target.read_text(encoding="utf-8")))
    assert "a: ok" in capsys.readouterr().out


def test_two_outputs_on_stdout_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json", "--sarif", "-"]) == 2
    assert "name a file" in capsys.readouterr().err


def test_a_file_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.st"
    source.write_text(WARNINGS, encoding="utf-8")
    assert main(["check", str(source), "--sarif", str(tmp_path / "no" / "a.sarif")]) == 2
    assert "cannot write" in capsys.readouterr().err
