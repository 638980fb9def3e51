"""`takt test`: what it chooses, runs, prints and writes, and its exit codes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from host_tools import compile, load, run_tests
from host_tools.build import Rejected
from host_tools.cli import main
from host_tools.failure import DEVICE, Failure
from host_tools.testing.build import matches
from host_tools.testing.coverage import percent, ranges_text

PUMP = """\
FUNCTION_BLOCK Pump
VAR_INPUT
    wet, call : BOOL;
    mode : INT;
END_VAR
VAR_OUTPUT
    run : BOOL;
END_VAR
VAR
    starts : INT;
END_VAR
    IF call AND wet THEN
        IF NOT run THEN
            starts := starts + 1;
        END_IF;
        run := TRUE;
    ELSE
        run := FALSE;
    END_IF;
    CASE mode OF
        1:
            starts := 0;
        2, 3:
            starts := -1;
    END_CASE;
END_FUNCTION_BLOCK

PROGRAM main
VAR
    pump : Pump;
END_VAR
    pump(call := %IX0.0, wet := TRUE);
    %QX0.0 := pump.run;
END_PROGRAM
"""

TESTS = """\
TEST 'a dry pump stands'
VAR
    p : Pump;
END_VAR
    p(call := TRUE, wet := FALSE);
    ASSERT_FALSE(p.run);
END_TEST

TEST 'a wet pump runs'
VAR
    p : Pump;
END_VAR
    p(call := TRUE, wet := TRUE);
    ASSERT_TRUE(p.run);
    ASSERT_EQ(p.starts, 1, 'one start');
END_TEST
"""

FAILING = """
TEST 'it counts to seven'
VAR
    p : Pump;
END_VAR
    p(call := TRUE, wet := TRUE);
    ASSERT_EQ(p.starts, 7, 'starts <&>');
END_TEST

TEST 'it divides'
VAR
    n : INT;
END_VAR
    n := 1 / n;
END_TEST
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "pit"
    folder.mkdir()
    (folder / "takt.toml").write_text('[project]\nname = "pit"\nboard = "host"\n')
    (folder / "pump.st").write_text(PUMP)
    (folder / "pump_test.st").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return folder


def takt(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["test", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_all_pass(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = takt(capsys, "pit")
    assert (code, err) == (0, "")
    assert out.startswith("2 tests passed: pit on host, ")


def test_failures_show_values_line_and_message(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "pump_test.st").open("a") as f:
        f.write(FAILING)
    code, out, _ = takt(capsys, "pit")
    assert code == 1
    *failures, summary = out.strip().split("\n\n")
    assert failures[0] == (
        "failed: it counts to seven\n"
        "  --> pit/pump_test.st:23:5\n"
        "   |\n"
        "23 |     ASSERT_EQ(p.starts, 7, 'starts <&>');\n"
        "   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ is 1, expected 7\n"
        "   = starts <&>"
    )
    assert failures[1] == (
        "failed: it divides\n"
        "  --> pit/pump_test.st:30:5\n"
        "   |\n"
        "30 |     n := 1 / n;\n"
        "   |     ^^^^^^^^^^^ integer division by zero\n"
        "   = a fault ended the test of pit/pump_test.st:26"
    )
    assert summary.startswith("2 of 4 tests failed, 2 passed: pit on host, ")


def test_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (project / "pump_test.st").open("a") as f:
        f.write(FAILING)
    code, out, _ = takt(capsys, "pit", "--json", "--coverage")
    shown = json.loads(out)
    assert code == 1
    assert (shown["ok"], shown["passed"], shown["failed"]) == (False, 2, 2)
    assert [t["passed"] for t in shown["tests"]] == [True, True, False, False]
    failure = shown["tests"][2]["failure"]
    assert (failure["actual"], failure["expected"], failure["tolerance"]) == (1, 7, None)
    assert (failure["line"], failure["column"], failure["kind"]) == (23, 5, "assertion")
    assert shown["tests"][3]["failure"]["kind"] == "fault"
    assert shown["coverage"]["files"]["pit/pump.st"]["missing_lines"] == [22, 24, 32, 33]


def test_list(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = takt(capsys, "pit", "--list")
    assert code == 0
    assert out.splitlines() == [
        "pit/pump_test.st:1: a dry pump stands",
        "pit/pump_test.st:9: a wet pump runs",
    ]
    code, out, _ = takt(capsys, "pit", "--list", "--json", "-k", "wet")
    assert json.loads(out) == {
        "tests": [{"name": "a wet pump runs", "file": "pit/pump_test.st", "line": 9}]
    }


@pytest.mark.parametrize(
    ("pattern", "count"), [("pump", 2), ("WET", 1), ("a * runs", 1), ("a *", 2), ("?", 0)]
)
def test_choosing(
    project: Path, capsys: pytest.CaptureFixture[str], pattern: str, count: int
) -> None:
    code, out, err = takt(capsys, "pit", "-k", pattern)
    if count:
        assert code == 0
        assert out.startswith(f"{count} test{'s' * (count > 1)} passed")
    else:
        assert code == 2
        assert "no test matches '?'" in err


def test_matches() -> None:
    assert matches("Fills up", "fill")
    assert matches("Fills up", "")
    assert not matches("Fills up", "fills?")
    assert matches("Fills up", "fill?*")


def test_a_test_file_alone_belongs_to_its_project(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "more_test.st").write_text("TEST 'other' ASSERT_EQ(1, 2); END_TEST")
    assert takt(capsys, "pit/pump_test.st")[0] == 0
    assert takt(capsys, "pit/more_test.st")[0] == 1
    assert takt(capsys, "pit")[0] == 1
    code, _, err = takt(capsys, "pit/takt.toml", "-k", "other")
    assert code == 1
    assert err == ""


def test_files_without_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.st"
    file.write_text("TEST 'sum' ASSERT_EQ(1 + 1, 2); END_TEST")
    other = tmp_path / "a_test.st"
    other.write_text("TEST 'sum' ASSERT_EQ(1 + 1, 3); END_TEST")
    assert takt(capsys, str(file))[0] == 0
    assert takt(capsys, str(other))[0] == 1
    code, out, _ = takt(capsys, str(file), str(other))
    assert code == 1
    assert "1 of 2 tests failed" in out


def test_tests_folder(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests" / "deep").mkdir(parents=True)
    (project / "tests" / "deep" / "all.st").write_text("TEST 'deep' ASSERT_TRUE(TRUE); END_TEST")
    assert takt(capsys, "pit", "-k", "deep")[0] == 0
    assert takt(capsys, "pit/tests/deep/all.st", "-k", "deep")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["pit", "--on", "moon"], 2, "there is no target 'moon' for tests"),
        (["pit", "--on", "hots"], 2, "did you mean 'host'?"),
        (["pit", "--jobs", "0"], 2, "--jobs takes a whole number, 1 to 256"),
        (["pit", "-k", "wett"], 2, "no test matches 'wett'"),
        (["pti"], 2, "there is no file or folder 'pti'"),
        (["pit", "--job", "2"], 2, "no option '--job'"),
        (["pit", "--junit", "pit/takt.toml/x.xml"], 2, "cannot write"),
        (["pit", "--coverage-html", "pit/takt.toml"], 2, "cannot write"),
    ],
)
def test_wrong_use(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    got, _, err = takt(capsys, *arguments)
    assert got == code
    assert said in err
    assert "Traceback" not in err


def test_a_project_without_tests(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pump_test.st").unlink()
    code, _, err = takt(capsys, "pit")
    assert code == 2
    assert "'pit' has no tests" in err
    assert "TEST 'name' … END_TEST" in err


def test_errors_of_the_compiler(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pump_test.st").write_text("TEST 'a' x := 1; END_TEST")
    code, _, err = takt(capsys, "pit")
    assert code == 1
    assert "error[E0200]: there is no variable 'x'" in err
    code, out, _ = takt(capsys, "pit", "--json")
    assert json.loads(out)["diagnostics"][0]["code"] == "E0200"


def test_other_commands_and_test_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = compile(load(project))
    assert main(["check", "pit"]) == 0
    assert "2 files" in capsys.readouterr()[0]
    (project / "pump_test.st").write_text("TEST 'a' x := 1; END_TEST")
    assert main(["check", "pit"]) == 1
    assert "E0200" in capsys.readouterr()[1]
    after = compile(load(project))
    assert after.manifest() == before.manifest()
    assert after.python() == before.python()


def test_tests_beside_the_program_are_no_part_of_it(project: Path) -> None:
    before = compile(load(project))
    (project / "pump.st").write_text(PUMP + TESTS + "TEST 'far' %QX99.0 := %IX80.1; END_TEST")
    after = compile(load(project))
    assert after.layout == before.layout
    assert after.python() == before.python()


def test_mistakes_in_tests_beside_the_program_stop_it(project: Path) -> None:
    (project / "pump.st").write_text(PUMP + "TEST 'a' x := 1; END_TEST")
    with pytest.raises(Rejected):
        compile(load(project))


# --- reports ---------------------------------------------------------------------------------


def test_junit(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "bad_test.st").write_text(FAILING)
    code, *_ = takt(capsys, "pit", "--junit", "out/report.xml")
    assert code == 1
    root = ET.parse("out/report.xml").getroot()
    assert root.tag == "testsuites"
    assert {k: root.get(k) for k in ("name", "tests", "failures", "errors")} == {
        "name": "pit",
        "tests": "4",
        "failures": "1",
        "errors": "1",
    }
    suites = root.findall("testsuite")
    assert [s.get("name") for s in suites] == ["pit/bad_test.st", "pit/pump_test.st"]
    for suite in suites:
        assert [c.tag for c in suite] == [
            "properties",
            "testcase",
            "testcase",
            "system-out",
            "system-err",
        ]
        assert set(suite.keys()) == {
            *("name", "id", "package", "tests", "failures", "errors", "skipped"),
            *("time", "timestamp", "hostname"),
        }
        assert suite.get("timestamp", "")[10] == "T"
    cases = root.findall("testsuite/testcase")
    assert [c.get("classname") for c in cases] == ["bad_test"] * 2 + ["pump_test"] * 2
    (failure,) = root.findall("testsuite/testcase/failure")
    assert failure.get("type") == "ASSERT_EQ"
    assert failure.get("message") == "is 1, expected 7 (starts <&>)"
    assert "ASSERT_EQ(p.starts, 7, 'starts <&>');" in (failure.text or "")
    (error,) = root.findall("testsuite/testcase/error")
    assert error.get("message") == "integer division by zero"


def test_coverage_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = takt(capsys, "pit", "--coverage")
    assert code == 0
    assert out.split("\n\n")[1].splitlines() == [
        "coverage     statements       branches",
        "pit/pump.st        6/10  60%       4/7  57%",
        "pit/pump.st: lines not reached: 22, 24, 32-33",
        "pit/pump.st: branches not taken: 13 (FALSE), 21 (1), 23 (2, 3)",
    ]


class Page(HTMLParser):
    """Rows of the table of a page: (class, line number, text, note)."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("meta", "link"):
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([dict(attrs).get("class") or ""])
        if tag == "td":
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            self.rows[-1][-1] += data


def page(path: Path) -> Page:
    made = Page()
    made.feed(path.read_text(encoding="utf-8"))
    made.close()
    assert made.open == []
    return made


def test_coverage_pages(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert takt(capsys, "pit", "--coverage-html", "cov")[0] == 0
    names = sorted(p.name for p in Path("cov").iterdir())
    assert names == ["index.html", "pump_st.html"]
    index = page(Path("cov/index.html"))
    assert index.rows[1][1:4] == ["pump.st", "6/10", "60%"]
    source = page(Path("cov/pump_st.html"))
    assert len(source.rows) == len(PUMP.splitlines())
    states = {int(row[1]): (row[0], row[3]) for row in source.rows}
    assert states[12] == ("hit", "")
    assert states[13] == ("part", "never FALSE")
    assert states[21] == ("part", "never 1")
    assert states[22] == ("miss", "")
    assert states[1] == ("", "")


def test_percent_and_ranges() -> None:
    assert percent(999, 1000) == "99%"
    assert percent(0, 0) == "-"
    assert ranges_text([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"


# --- running ---------------------------------------------------------------------------------


def many(count: int) -> str:
    """Tests that take a while, one of which fails."""
    slow = "FOR i := 1 TO 5_000 DO n := n + i; END_FOR;"
    return "".join(
        f"TEST 'number {k}' VAR i, n : DINT; END_VAR {slow} ASSERT_NEQ({k}, 37); END_TEST\n"
        for k in range(count)
    )


def test_several_processes_share_the_work(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host_tools.testing.run._ALONE_S", 0.005)
    (project / "many_test.st").write_text(many(50))
    alone = run_tests(project, pattern="number", jobs=1, coverage=True)
    shared = run_tests(project, pattern="number", jobs=3, coverage=True)
    assert [r.name for r in shared.results] == [r.name for r in alone.results]
    assert [r.name for r in shared.failed] == ["number 37"]
    for one in (shared, alone):
        broken = one.failed[0].broken
        assert broken is not None
        assert (broken.said, broken.span.line) == ("both are 37", 38)
    assert alone.coverage is not None
    assert shared.coverage is not None
    assert shared.coverage.json() == alone.coverage.json()


def test_run_tests(project: Path) -> None:
    done = run_tests(project, pattern="wet")
    assert done.ok
    (result,) = done.results
    assert (result.name, result.file, result.line) == ("a wet pump runs", "pit/pump_test.st", 9)
    assert done.coverage is None
    with pytest.raises(Failure, match="no test matches"):
        run_tests(project, pattern="nothing")
    with pytest.raises(Failure, match="there is no target"):
        run_tests(project, on="mars")


def test_without_micropython(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> str:
        raise Failure("there is no micropython executable here", "install one", DEVICE)

    monkeypatch.setattr("host_tools.remote.find_micropython", missing)
    code, _, err = takt(capsys, "pit", "--on", "micropython")
    assert code == 3
    assert "there is no micropython executable here" in err


# --- what counts as reached ------------------------------------------------------------------

WAYS = """\
TYPE Colour : (red, green); END_TYPE
FUNCTION_BLOCK F
VAR_INPUT n : INT; c : Colour; END_VAR
VAR i, sum : INT; END_VAR
METHOD Never
    sum := 0;
END_METHOD
METHOD Once
    sum := 1;
END_METHOD
ACTION act:
    sum := 2;
END_ACTION
    FOR i := 1 TO n DO
        sum := sum + i;
    END_FOR;
    WHILE sum > 10 DO
        sum := sum - 1;
    END_WHILE;
    REPEAT
        sum := sum + 1;
    UNTIL sum > 0
    END_REPEAT;
    IF n = 1 THEN
        Once();
    ELSIF n = 2 THEN
        act();
    ELSIF n = 3 THEN
        RETURN;
    END_IF;
    CASE c OF
        red: ;
        green: sum := 0;
    END_CASE;
    CASE n OF
        1, 5..6: sum := 0;
    END_CASE;
END_FUNCTION_BLOCK
"""


def missed(tmp_path: Path, calls: str) -> tuple[list[int], list[tuple[int, str]]]:
    file = tmp_path / "ways.st"
    file.write_text(f"{WAYS}TEST 'a' VAR f : F; END_VAR {calls} END_TEST", encoding="utf-8")
    done = run_tests(file, coverage=True)
    assert done.coverage is not None
    (one,) = done.coverage.files
    return one.missing_lines, [(p.span.line, p.branch) for p in one.missed_branches]


def test_ways_of_statements(tmp_path: Path) -> None:
    lines, branches = missed(tmp_path, "f(n := 0, c := red);")
    assert lines == [6, 9, 12, 15, 18, 25, 27, 29, 33, 36]
    assert branches == [
        (14, "the loop"),
        (17, "the loop"),
        (24, "TRUE"),
        (26, "TRUE"),
        (28, "TRUE"),
    ]


def test_all_ways_but_one(tmp_path: Path) -> None:
    calls = "f(n := 1); f(n := 2, c := green); f(n := 3); f(n := 9); f(n := 4);"
    assert missed(tmp_path, calls) == ([6], [])


def test_a_fault_ends_what_is_reached(tmp_path: Path) -> None:
    file = tmp_path / "fault.st"
    file.write_text(
        "FUNCTION F : INT VAR_INPUT d : INT; END_VAR\nF := 1;\nF := 1 / d;\nF := 2;\n"
        "END_FUNCTION TEST 'a' F(0); END_TEST",
        encoding="utf-8",
    )
    done = run_tests(file, coverage=True)
    assert not done.ok
    assert done.coverage is not None
    assert done.coverage.files[0].missing_lines == [4]
