"""The examples of docs/library/ print what the pages say; the timing diagrams are of a run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from host_tools.cli import main
from host_tools.compiler import library_index
from tests.conformance import timing

PAGES = sorted((Path(__file__).parents[2] / "docs/library").glob("*.md"))
EXAMPLE = re.compile(
    r"```st\n(.*?)```\n\n```text\n\$ takt (run (\w+\.st)[^\n]*)\n(.*?)```", re.DOTALL
)


def examples() -> list[tuple[str, str, str, str]]:
    """Program, command, file name, output."""
    return [e for page in PAGES for e in EXAMPLE.findall(page.read_text(encoding="utf-8"))]


def printed(text: str) -> str:
    """What a run prints, without the summary of its tasks."""
    return text[: text.rindex("\n\n") + 1].rstrip() + "\n"


@pytest.mark.parametrize("example", examples(), ids=lambda e: e[2])
def test_example(
    example: tuple[str, str, str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, command, name, output = example
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(program, encoding="utf-8")
    assert main(shlex.split(command)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert printed(captured.out) == output


def test_every_own_block_has_an_example() -> None:
    own = {e.name for e in library_index.index().values()
           if e.file in ("control.st", "signals.st", "switching.st")}  # fmt: skip
    programs = " ".join(program for program, *_ in examples())
    assert own == {name for name in own if re.search(rf"\b{name}\b", programs)}
    assert len(own) == 13


DIAGRAMS = [d for page in PAGES for d in timing.diagrams(page)]


@pytest.mark.parametrize("diagram", DIAGRAMS, ids=lambda d: d.head)
def test_timing_diagram(diagram: timing.Diagram) -> None:
    assert timing.drawn(diagram).text == diagram.text


def test_every_standard_block_has_its_diagram() -> None:
    shown = {d.block.removesuffix("_UDINT") for d in DIAGRAMS}
    assert {"SR", "RS", "R_TRIG", "F_TRIG", "CTU", "CTD", "CTUD", "TP", "TON", "TOF"} <= shown
    text = (PAGES[0].parent / "blocks.md").read_text(encoding="utf-8")
    standard = {e.name for e in library_index.index().values()
                if e.kind == "FUNCTION_BLOCK"
                and e.file in ("blocks.st", "counters.st", "timers.st")}  # fmt: skip
    assert {name for name in standard if not re.search(rf"\b{name}\b", text)} == set()
