"""What people type wrong, and what else goes wrong on a computer: told in words, with the exit
code that belongs to it, as JSON where that was asked for, never as a traceback."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.cli import main
from host_tools.compiler.diagnostics import Diagnostic
from host_tools.compiler.source import Source, Span
from host_tools.render import Style, diagnostic_text, diagnostics_text

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "host_tools.cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
MAIN = "PROGRAM main\nVAR x : INT; END_VAR\n    x := x + 1;\nEND_PROGRAM\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "demo"]) == 0
    Path("main.st").write_text(MAIN, encoding="utf-8")
    Path("empty.st").touch()
    Path("function.st").write_text("FUNCTION f : INT\nf := 1;\nEND_FUNCTION\n", encoding="utf-8")
    Path("binary.st").write_bytes(b"\x7fELF\x02\0\0\0" * 1000)
    Path("wide.st").write_bytes("\ufeffPROGRAM main".encode("utf-16-le"))
    Path("old.taktb").write_bytes(b"TAKTB1\n\0\0")
    Path("folder").mkdir()
    Path("script.csv").write_text("5,main.foo,1\n", encoding="utf-8")


WRONG = [
    ("new", 2, "takt new needs NAME"),
    ("new main.st", 2, "'main.st' cannot be the name"),
    ("new demo", 2, "'demo' is not empty"),
    ("new main.st/x", 2, "cannot"),
    ("new a b", 2, "'b' is one argument too many"),
    ("new x --bord pico", 2, "has no option '--bord'.*did you mean '--board'"),
    ("new x --board picoo", 2, "did you mean 'pico'"),
    ("check --jso", 2, "has no option '--jso'"),
    ("check nope", 2, "there is no file or folder 'nope'"),
    ("check mian.st", 2, "did you mean 'main.st'"),
    ("check folder", 2, "no takt.toml in 'folder'"),
    ("check demo main.st", 2, "'demo' is a project, which cannot be joined"),
    ("check old.taktb", 2, "is a bundle, not Structured Text"),
    ("run empty.st", 1, "'empty' has no PROGRAM"),
    ("build function.st", 1, "'function' has no PROGRAM"),
    ("run demo --scans 0", 2, "--scans takes a whole number, 1 to"),
    ("run demo --scans 1 --for 1s", 2, "--for does not go with --scans"),
    ("run demo --for 10", 2, "'10' is not a duration"),
    ("run demo --clock rael", 2, "'rael' is no value for --clock.*did you mean 'real'"),
    ("run demo --clock x", 2, "one of: virtual, real"),
    ("run demo --on", 2, "--on needs a value"),
    ("run demo --on pcio", 2, "did you mean 'pico'"),
    ("run demo --on /dev/nosuch", 3, "there is no port '/dev/nosuch'.*takt devices"),
    ("run demo --on folder/x", 3, "cannot open 'folder/x'"),
    ("run demo --engine native --clock real", 2, "virtual time only"),
    ("run demo --engin python", 2, "did you mean '--engine'"),
    ("run demo --set main.foo=1", 2, "there is no variable 'main.foo'"),
    ("run demo --set main.start", 2, "is not PATH=VALUE"),
    ("run demo --set main.start=7", 2, "BOOL takes 0 to 1"),
    ("run demo --set %IX0.9=1", 2, "the bits of a byte are 0 to 7"),
    ("run demo --watch nothing", 2, "no variable matches 'nothing'"),
    ("run demo --script nope.csv", 2, "cannot read 'nope.csv'"),
    ("run demo --script script.csv", 2, "script.csv:1: there is no variable 'main.foo'"),
    ("run demo --modbus-port 70000", 2, "0 to 65535"),
    ("run demo --modbus-port 0", 2, "needs the real clock"),
    ("build demo -o main.st", 2, "bundles end in .taktb, such as main.taktb"),
    ("build demo -o main.st/x.taktb", 2, "'main.st' is a file"),
    ("deploy", 2, "deploy needs the port of a board"),
    ("deploy demo", 2, "the port comes first: takt deploy PORT demo"),
    ("deploy host demo", 2, "nothing to deploy to on host"),
    ("deploy /dev/nosuch demo", 3, "there is no port '/dev/nosuch'"),
    ("deploy /dev/nosuch nope.taktb", 2, "cannot read 'nope.taktb'"),
    ("deploy /dev/nosuch old.taktb", 1, "'old.taktb' cannot be used"),
    ("firmware", 2, "needs build|status|path"),
    ("firmware biuld", 2, "did you mean 'build'"),
    ("firmware build nope", 3, "no firmware recipe for the board 'nope'"),
    ("firmware build --image nope.uf2", 2, "there is no file 'nope.uf2'"),
    ("firmware build --image main.st", 3, "not a whole UF2 image"),
    ("firmware build --download abc", 2, "'abc' is no SHA-256"),
    ("explain E9999", 2, "there is no code 'E9999'"),
    ("explain E0101 E0102", 2, "'E0102' is one argument too many"),
    ("chek", 2, "did you mean 'check'"),
]


@pytest.mark.parametrize(("command", "code", "says"), WRONG, ids=[row[0] for row in WRONG])
def test_it_is_told_in_words(
    command: str, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(command.split()) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert re.search(says.replace("|", r"\|"), err, re.DOTALL)
    assert main([*command.split(), "--json"]) == code
    out, err = capsys.readouterr()
    told = json.loads(out)["error"]
    assert err.startswith(f"error: {told['message']}")
    # Nothing was changed, and nothing new lies about.
    after = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("file", ["binary.st", "wide.st"])
def test_what_is_no_text_is_told_once(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["check", file, "--json"]) == 1
    out, err = capsys.readouterr()
    (found,) = json.loads(out)["diagnostics"]
    assert found["message"] == "this file is not text: it has a byte 0 here"
    assert found["line"] == 1
    assert err.endswith("1 error\n")


def test_a_library_checks_though_it_does_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["check", "function.st"]) == 0
    assert "no PROGRAM: there is nothing to run" in capsys.readouterr().out


def test_a_project_here(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    here = tmp_path / "station"
    here.mkdir()
    os.chdir(here)
    assert main(["new", "."]) == 0
    assert main(["check"]) == 0
    assert "station: ok" in capsys.readouterr().out
    assert main(["new", ""]) == 2


def test_a_working_folder_that_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert main(["check"]) == 2
    assert main(["check", str(tmp_path / "main.st")]) == 2
    assert capsys.readouterr().err.count("the working folder cannot be used") == 2
    assert main(["check", str(tmp_path / "demo")]) == 0


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("[project]\nname = demo\n", 'text stands in quotes: "demo"'),
        ("[io]\n%QX0.1 = 1\n", 'an address stands in quotes: "%QX0.1"'),
        (
            '[project]\nname = "a"\nboard = "host"\nsources = ["x.st"]\n',
            "there is main.st",
        ),
    ],
)
def test_slips_in_takt_toml_are_helped(
    text: str, help: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("demo", "takt.toml").write_text(text, encoding="utf-8")
    assert main(["check", "demo"]) == 1
    assert help.replace("%QX0.1", "%QX0.0") in capsys.readouterr().err.replace("%QX0.1", "%QX0.0")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from host_tools.pico.errors import PicoError
    from host_tools.pico.flash import FLASH_BYTES, with_files

    monkeypatch.setitem(sys.modules, "littlefs", None)
    with pytest.raises(PicoError, match=re.escape("pip install 'takt-plc[pico]'")):
        with_files(bytes(FLASH_BYTES), {"/main.py": b""})


# --- output ----------------------------------------------------------------------------------


def test_a_thousand_mistakes_do_not_flood_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = "".join(f"    y{n} := 1;\n" for n in range(1000))
    text = f"PROGRAM main\nVAR x : INT; END_VAR\n{lines}END_PROGRAM\n"
    Path("many.st").write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert main(["check", "many.st", "--json"]) == 1
    out, err = capsys.readouterr()
    assert len(json.loads(out)["diagnostics"]) == 1000
    assert err.endswith("\n… and 900 more\n\n1000 errors\n")
    assert err.count("error[E0200]") == 100


class Narrow(Style):
    def __init__(self, columns: int) -> None:
        super().__init__(sys.stderr)
        self.on, self.columns = False, columns


@pytest.mark.parametrize(
    ("line", "part", "shown", "under"),
    [
        ("x := yes;", "yes", "1 | x := yes;", "  |      ^^^"),
        # A line that is too long is cut around the place, which stays in sight.
        (
            "x := " + "a + " * 30 + "zzz;",
            "zzz",
            "1 | … + a + a + a + zzz;",
            "  |" + " " * 17 + "^^^",
        ),
        ("zzz := " + "a + " * 30, "zzz", "1 | zzz := a + a + a + …", "  | ^^^"),
        ("x := '" + "é" * 60 + "' zzz", "zzz", "1 | …éé' zzz", "  |      ^^^"),
        ("x := '" + "日" * 60 + "' zzz", "zzz", "1 | …日日' zzz", "  |        ^^^"),
        ("x := '" + "日" * 60 + "'", "'日", "1 | x := '日日日日日日…", "  |      ^^^"),
    ],
)
def test_long_lines_are_cut_around_the_mistake(
    line: str, part: str, shown: str, under: str
) -> None:
    source = Source("main.st", line + "\n")
    start = line.index(part)
    diagnostic = Diagnostic("E0200", "text", Span(source, start, start + len(part)))
    lines = diagnostic_text(diagnostic, Narrow(24)).splitlines()
    assert lines[3:5] == [shown, under]


def test_a_narrow_terminal_gets_narrow_lines() -> None:
    source = Source("main.st", "x := " + "abc + " * 50 + ";\n")
    found = [Diagnostic("E0200", "text", Span(source, at, at + 3)) for at in range(5, 250, 6)]
    for columns in (40, 80, 120):
        text = diagnostics_text(found, Narrow(columns))
        assert max(map(len, text.splitlines())) <= columns


def command(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(
        [*COMMAND, *arguments], env=ENVIRONMENT, text=True, check=False, timeout=60, **options
    )  # type: ignore[call-overload, no-any-return]


def test_a_full_disk_is_told() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        for more in ([], ["--json"]):
            run = command("run", "demo", "--scans", "1", *more, stdout=full)
            assert run.returncode == 1
            assert run.stderr == "error: cannot write the output: No space left on device\n"


def test_output_in_another_encoding_or_closed() -> None:
    ascii_only = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    for arguments, code in ((["run", "demo", "--scans", "1"], 0), (["check", "\udcff"], 2)):
        run = subprocess.run(
            [*COMMAND, *arguments], env=ascii_only, capture_output=True, check=False, timeout=60
        )
        assert run.returncode == code
        assert b"internal" not in run.stderr
    closed = " ".join([*COMMAND, "check", "demo", ">&-"])
    assert subprocess.run(closed, shell=True, env=ENVIRONMENT, check=False).returncode == 0


def test_whoever_reads_may_stop() -> None:
    running = " ".join([*COMMAND, "run", "demo", "--for", "T#1h", "--watch", "'main.*'"])
    run = subprocess.run(
        f"{running} | head -1", shell=True, env=ENVIRONMENT, capture_output=True, check=False
    )
    assert run.stdout.endswith(b"main.start = FALSE\n")
    assert run.stderr == b""


def on_a_terminal(columns: int, *arguments: str, press: str = "") -> tuple[int, str]:
    """Exit code and output of a command on a terminal; Ctrl-C after `press` was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        size = struct.pack("HHHH", 24, columns, 0, 0)
        import fcntl
        import termios

        fcntl.ioctl(1, termios.TIOCSWINSZ, size)
        os.execve(sys.executable, [*COMMAND, *arguments], {**ENVIRONMENT, "TERM": "xterm"})
    text = ""
    while select.select([terminal], [], [], 60)[0]:
        try:
            text += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # its end
            break
        if press and press in text:
            press = ""
            os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), text


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = on_a_terminal(80, "check", "nope")
    assert code == 2
    assert "\033[1;31merror\033[0m" in text
    monkeypatch.setitem(ENVIRONMENT, "NO_COLOR", "1")
    assert "\033" not in on_a_terminal(80, "check", "nope")[1]


def test_ctrl_c_while_values_are_shown() -> None:
    arguments = ["run", "demo", "--for", "T#9d", "--watch", "main.*"]
    code, text = on_a_terminal(40, *arguments, press="main.lamp")
    assert code == 130
    assert "interrupted: " in text
    assert "Traceback" not in text
    drawn = re.sub(r"\033\[[0-9;]*\w", "", text.partition("interrupted")[0])
    assert all(len(line) < 40 for line in drawn.splitlines()[:-1])


def test_ctrl_c_before_a_program_runs_elsewhere() -> None:
    # The process there is still starting: it has no result to tell.
    code = (
        "import host_tools.remote as remote, os, signal, sys\n"
        "from host_tools.cli import main\n"
        "made = remote.ProcessAgent.__init__\n"
        "def interrupted(self, *rest):\n"
        "    made(self, *rest)\n"
        "    self._process.send_signal(signal.SIGSTOP)\n"
        "    lines = self.lines\n"
        "    def pressed():\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        self._process.send_signal(signal.SIGCONT)\n"
        "        yield from lines()\n"
        "    self.lines = pressed\n"
        "remote.ProcessAgent.__init__ = interrupted\n"
        "sys.exit(main(['run', 'demo', '--on', 'micropython', '--for', 'T#1h']))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in run.stderr
    # Where MicroPython was quick, it had begun and has a result.
    assert run.returncode == 130
    assert run.stderr == "\ninterrupted\n" or "interrupted" in run.stdout
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
