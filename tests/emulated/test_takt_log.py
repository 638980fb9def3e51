"""A program deployed with machine code: started by the kernel after a reset, and its log."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.board_link import PicoLink
from host_tools.build import compile
from host_tools.cli import main
from host_tools.deployment import MAIN, MAIN_TEXT, wait_until_it_scans
from host_tools.device_files import runtime_files
from host_tools.pico import EmulatedPico
from host_tools.project import load
from host_tools.remote import staged_files

pytestmark = pytest.mark.emulated

PROGRAM = """\
PROGRAM good
VAR q AT %QX0.0 : BOOL; END_VAR
    q := NOT q;
END_PROGRAM
PROGRAM bad
VAR n : DINT; d : DINT; END_VAR
    n := n + 1;
    IF n > 20 THEN
        d := n / d;
    END_IF
END_PROGRAM
CONFIGURATION c
    TASK fast(INTERVAL := T#2ms, PRIORITY := 1);
    TASK slow(INTERVAL := T#10ms, PRIORITY := 2);
    PROGRAM good WITH fast : good;
    PROGRAM bad WITH slow : bad;
END_CONFIGURATION
"""
WIRING = """\
[project]
name = "plant"
board = "pico"
engine = "native"

[io]
"%QX0.0" = { pin = "GP2" }
"""


def test_a_deployed_program_is_scanned_by_the_kernel_and_its_fault_is_told(
    pico: EmulatedPico,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "main.st").write_text(PROGRAM)
    (tmp_path / "takt.toml").write_text(WIRING)
    bundle = compile(load(tmp_path)).bundle()
    files = {f"/lib/{name}": content for name, content in runtime_files().items()}
    files |= {f"/takt/a/{n}": content for n, content in staged_files(bundle).items()}
    # As deploy leaves it, without its way through the REPL.
    files |= {"/takt/active": b"a", "/takt/trial": b"a new", MAIN: MAIN_TEXT.encode()}
    pico.put_files(files)
    link = PicoLink(pico)
    heard = wait_until_it_scans(link.restart(), "a")
    assert heard["releases"] >= 10
    pico.run_for(300_000_000)
    assert "/takt/trial" not in pico.files()

    @contextlib.contextmanager
    def here(target: str, progress: object) -> Iterator[PicoLink]:
        yield link

    monkeypatch.setattr("host_tools.runs.open_link", here)
    edges = pico.capture(2)
    assert main(["log", "pico", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "faulted"
    assert told["kernel"] is True
    assert (told["active"], told["trial"], told["restarted"]) == ("a", None, False)
    fault = told["fault"]
    assert (fault["code"], fault["file"], fault["line"]) == (1, "main.st", 9)
    assert (fault["task"], fault["scan"]) == ("slow", 20)
    fast, slow = told["tasks"]
    assert (fast["faulted"], slow["faulted"], slow["scans"]) == (False, True, 21)
    assert fast["scans"] > 150
    assert [(entry["is"], entry["line"]) for entry in told["log"]] == [("fault", 9)]
    # Nothing scans any more, the output is safe.
    edges.clear()
    pico.run_for(10_000_000)
    assert edges == []
    assert pico.level(2) is False
    # What is kept is still there when Python starts anew.
    pico.reset()
    pico.boot()
    assert main(["log", "pico", "--stay"]) == 0
    text = capsys.readouterr().out
    assert "fault: plant, slot a: integer division by zero, main.st:9, task slow" in text
    assert "it stays stopped" in text
