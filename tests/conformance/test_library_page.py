"""The examples of docs/library.md print what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from host_tools.cli import main
from host_tools.compiler import library_index

PAGE = Path(__file__).parents[2] / "docs/library.md"
EXAMPLE = re.compile(
    r"```st\n(.*?)```\n\n```text\n\$ takt (run (\w+\.st)[^\n]*)\n(.*?)```", re.DOTALL
)


def examples() -> list[tuple[str, str, str, str]]:
    """Program, command, file name, output."""
    return EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))


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
