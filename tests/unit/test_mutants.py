"""Mutants of a program: where they are found, and what a suite makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hil_tests.mutants import report
from hil_tests.mutants.__main__ import main
from hil_tests.mutants.campaign import open_campaign, run
from hil_tests.mutants.mutants import all_edits, choose
from hil_tests.mutants.operators import RULES, duration, edits
from host_tools import load
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.parser import parse
from host_tools.compiler.source import Source
from host_tools.failure import Failure

EXAMPLES = Path(__file__).parents[2] / "examples"

PROGRAM = """PROGRAM Main
VAR
    a AT %IX0.0 : BOOL;
    b AT %IX0.1 : BOOL;
    out AT %QX0.0 : BOOL;
    c, d : BOOL;
    n : INT := 8;
    r : REAL;
    t : TON;
END_VAR
    STATEMENT
END_PROGRAM
"""


def found(statement: str) -> list[tuple[str, str]]:
    """(rule, the line after the edit) of the edits of one statement."""
    source = Source("main.st", PROGRAM.replace("STATEMENT", statement))
    reporter = Reporter()
    unit = parse(source, reporter)
    assert not reporter.diagnostics
    return [
        (edit.rule, edit.text().splitlines()[edit.span.line - 1].strip())
        for edit in edits(unit)
        if edit.span.line == 11
    ]


@pytest.mark.parametrize(
    ("statement", "rule", "expected"),
    [
        ("c := NOT a;", "contact", ["c := a;"]),
        ("c := a AND (b OR d);", "contact",
         ["c := NOT a AND (b OR d);", "c := a AND (NOT b OR d);", "c := a AND (b OR NOT d);"]),
        ("IF a THEN n := 1; END_IF;", "contact", ["IF NOT a THEN n := 1; END_IF;"]),
        ("t(IN := a);", "contact", ["t(IN := NOT a);"]),
        ("c := a AND (b OR d);", "and-or", ["c := a OR (b OR d);", "c := a AND (b AND d);"]),
        ("c := a (* AND *) AND b;", "and-or", ["c := a (* AND *) OR b;"]),
        ("c := a & b;", "and-or", ["c := a OR b;"]),
        ("c := (a OR b) AND d;", "interlock", ["c := d;", "c := (a OR b);", "c := (b) AND d;",
                                               "c := (a) AND d;"]),
        ("c := n >= 5;", "comparison", ["c := n > 5;", "c := n < 5;"]),
        ("c := n = 5;", "comparison", ["c := n <> 5;"]),
        ("t(PT := T#1m30s);", "time", ["t(PT := T#15m);", "t(PT := T#9s);"]),
        ("t(PT := T#0s);", "time", ["t(PT := T#1s);"]),
        ("n := 12_000;", "constant", ["n := 15000;"]),
        ("n := n + 1;", "constant", ["n := n + 2;"]),
        ("r := 0.0;", "constant", ["r := 1.0;"]),
        ("r := 20.0;", "constant", ["r := 25.0;"]),
        ("c := TRUE;", "literal", ["c := FALSE;"]),
        ("n := n * 2 - 1;", "arithmetic", ["n := n * 2 + 1;", "n := n / 2 - 1;"]),
        ("c := a;", "deletion", [";"]),
        ("CASE n OF 1, 2: c := a; 3..4: c := b; END_CASE;", "branches",
         ["CASE n OF 3..4: c := a; 1, 2: c := b; END_CASE;"]),
        ("IF a THEN n := 1; ELSIF b THEN n := 2; END_IF;", "branches",
         ["IF b THEN n := 1; ELSIF a THEN n := 2; END_IF;"]),
    ],
)  # fmt: skip
def test_each_rule_makes_its_edits(statement: str, rule: str, expected: list[str]) -> None:
    assert sorted(text for r, text in found(statement) if r == rule) == sorted(expected)


def test_terminals_change_places_within_their_kind() -> None:
    unit = parse(Source("main.st", PROGRAM.replace("STATEMENT", "c := a;")), Reporter())
    (edit,) = (e for e in edits(unit) if e.rule == "terminals")
    lines = edit.text().splitlines()
    assert lines[2:5] == [
        "    a AT %IX0.1 : BOOL;",
        "    b AT %IX0.0 : BOOL;",
        "    out AT %QX0.0 : BOOL;",
    ]


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(0, "T#0s"), (1, "T#1ns"), (20_000_000_000, "T#20s"), (90_061_001_000_000, "T#1d1h1m1s1ms")],
)
def test_durations_are_written_as_literals(nanoseconds: int, text: str) -> None:
    assert duration(nanoseconds) == text


@pytest.mark.parametrize("example", ["tank", "conveyor", "traffic", "lift", "packaging"])
def test_every_edit_of_an_example_is_still_a_text_that_parses(example: str) -> None:
    project = load(EXAMPLES / example)
    made = all_edits(project, project.names)
    assert len(made) > 50
    for _, edit in made:
        reporter = Reporter()
        parse(Source("x.st", edit.text()), reporter)
        assert not reporter.has_errors, edit.what
        assert edit.text() != edit.source.text


def test_the_choice_depends_on_the_seed_alone_and_takes_each_rule() -> None:
    project = load(EXAMPLES / "tank", engine="python")
    chosen = choose(project, 22, files=["tank.st"])
    assert [m.name for m in chosen] == [m.name for m in choose(project, 22, files=["tank.st"])]
    assert [m.name for m in chosen] != [m.name for m in choose(project, 22, 2, ["tank.st"])]
    assert {m.edit.rule for m in chosen} == set(RULES)
    assert [m.number for m in chosen] == list(range(1, 23))
    assert len({m.edit.text() for m in chosen}) == 22


# --- a small suite -----------------------------------------------------------------------------

VALVE = """PROGRAM Valve
VAR
    button AT %IX0.0 : BOOL;
    full AT %IX0.1 : BOOL;
    valve AT %QX0.0 : BOOL;
END_VAR
    valve := button AND NOT full;
END_PROGRAM

CONFIGURATION c
    TASK t(INTERVAL := T#10ms);
    PROGRAM main WITH t : Valve;
END_CONFIGURATION
"""
WIRING = """[project]
name = "valve"
board = "pico"

[io]
"%IX0.0" = { pin = "GP2" }
"%IX0.1" = { pin = "GP3" }
"%QX0.0" = { pin = "GP16" }
"""
BENCH = """[bench]
name = "valve"
project = "../project"

[signal]
button = { to = "%IX0.0" }
full = { to = "%IX0.1" }
valve = { to = "%QX0.0" }
"""
TESTS = """from hil_tests.expect import expect


def test_the_button_opens_the_valve(signals, clock):
    clock.run("20ms")
    expect(signals.valve).is_(False)
    signals.button.set(True)
    expect(signals.valve).rises(within="20ms")
"""
UNNOTICED = "without NOT full in button AND NOT full"
INTERLOCK = """

def test_a_full_tank_closes_it(signals, clock):
    signals.button.set(True)
    signals.full.set(True)
    expect(signals.valve).stays(False, for_="50ms")
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    for name, text in (
        ("project/valve.st", VALVE), ("project/takt.toml", WIRING),
        ("suite/bench.toml", BENCH), ("suite/test_valve_suite.py", TESTS),
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "suite"


def test_a_missing_test_lets_a_mutant_survive(
    suite: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out, table = tmp_path / "report.json", tmp_path / "table.md"
    arguments = [str(suite), "--count", "3", "--seed", "4", f"--json={out}", f"--markdown={table}"]
    assert main([*arguments, "--least", "100"]) == 1
    told = json.loads(out.read_text())
    assert [m["what"] for m in told["mutants"] if not m["killed"]] == [UNNOTICED]
    assert told["made"] == 3
    printed = capsys.readouterr().out
    assert f"valve.st:7 interlock: {UNNOTICED}" in printed
    assert "SURVIVED" in printed
    rows = table.read_text().splitlines()
    assert rows[0] == "| | place | rule | from → to | killed by |"
    assert rows[-1] == "2 of 3 mutants killed (67 %)."
    assert any(f"| valve.st:7 | interlock | `{UNNOTICED}` | **survived** |" in r for r in rows)

    (suite / "test_valve_suite.py").write_text(TESTS + INTERLOCK)
    assert main([*arguments, "--least", "100"]) == 0
    told = json.loads(out.read_text())
    assert told["killed"] == 3
    assert told["tests"] == ["test_the_button_opens_the_valve", "test_a_full_tank_closes_it"]
    (mutant,) = (m for m in told["mutants"] if m["what"] == UNNOTICED)
    assert list(mutant["killers"]) == ["test_a_full_tank_closes_it"]
    assert "valve stays false" in mutant["killers"]["test_a_full_tank_closes_it"]
    assert (mutant["file"], mutant["line"]) == ("valve.st", 7)


def test_a_suite_that_fails_as_it_is_is_refused(suite: Path) -> None:
    (suite / "test_valve_suite.py").write_text(TESTS.replace("is_(False)", "is_(True)"))
    campaign = open_campaign(suite)
    with pytest.raises(Failure, match="does not pass with the program as it is: test_the_button"):
        run(campaign, choose(campaign.project, 1))


def test_a_suite_that_cannot_run_kills_nothing(suite: Path) -> None:
    campaign = open_campaign(suite)
    with pytest.raises(Failure, match=r"pytest cannot run .*suite with the program as it is"):
        run(campaign, choose(campaign.project, 1), ["no_such_file.py"])


def test_a_mutant_that_hangs_is_killed_by_the_time(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = (
        "def test_hangs(signals, clock):\n    signals.button.set(True)\n    clock.run('20ms')\n"
    )
    hangs += "    while not signals.valve.value:\n        pass\n"
    (suite / "test_valve_suite.py").write_text(hangs)
    monkeypatch.setattr("hil_tests.mutants.campaign.PATIENCE", 1.0)
    monkeypatch.setattr("hil_tests.mutants.campaign.SPARE_S", 1.0)
    campaign = open_campaign(suite)
    dead = [m for m in choose(campaign.project, None) if m.edit.rule == "deletion"]
    run(campaign, dead)
    assert list(campaign.verdicts[0].killers) == ["(the suite did not end in time)"]
    assert "(the suite did not end in time)" in report.summary(campaign)


def test_mutants_are_listed_and_wrong_arguments_told(
    suite: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([str(suite / "bench.toml"), "--list"]) == 0
    assert "valve.st:7 deletion: without valve := button AND NOT full" in capsys.readouterr().out
    assert main([str(suite), "--source", "valv.st"]) == 2
    told = capsys.readouterr().err
    assert "'valve' has no source 'valv.st'" in told
    assert "did you mean 'valve.st'?" in told
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "cannot read" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([str(suite), "--count", "-1"])
    assert main([str(suite), "--count", "1", "--json", str(tmp_path / "no" / "folder")]) == 2
    assert "cannot write" in capsys.readouterr().err


# --- the tank ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_suite_of_the_pump_pit_kills_nine_mutants_of_ten() -> None:
    place = EXAMPLES.parent / "hil_tests" / "suites" / "tank"
    campaign = open_campaign(place)
    mutants = choose(campaign.project, 40, files=["tank.st"])
    run(campaign, mutants, [str(place), "-x"], tell=lambda verdict: print(report.line(verdict)))
    print(report.summary(campaign))
    assert len(campaign.verdicts) == 40
    assert campaign.killed >= 36
