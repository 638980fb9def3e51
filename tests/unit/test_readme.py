"""The README shows what is really printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from host_tools.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown(start: str, end: str) -> str:
    """The indented block of the README from the line `start` to the line `end`."""
    lines = README.splitlines()
    first = lines.index(f"    {start}")
    last = lines.index(f"    {end}", first)
    return "\n".join(line[4:] for line in lines[first : last + 1])


def test_the_mistakes_shown_are_answered_like_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "demo"]) == 0
    for file, right, wrong in (
        ("main.st", "starts := starts + 1;", "starts := strts + 1;"),
        ("main.st", "PT := T#500ms", "PT := 500"),
        ("takt.toml", 'pull = "up"', 'pul = "up"'),
    ):
        path = tmp_path / "demo" / file
        text = path.read_text(encoding="utf-8")
        assert right in text
        path.write_text(text.replace(right, wrong, 1), encoding="utf-8")
    capsys.readouterr()
    assert main(["check", "demo"]) == 1
    first = "error[E0200]: there is no variable 'strts'"
    assert capsys.readouterr().err.rstrip("\n") == shown(first, "3 errors")


def test_the_levels_shown_are_those_of_the_tank(capsys: pytest.CaptureFixture[str]) -> None:
    """The logic goes by logical time, so the host has the same values at the same instants."""
    lines = re.findall(r"^ +(\d+\.\d+) s  tank\.level = ([\d.]+)$", README, re.MULTILINE)
    assert len(lines) > 5
    for at, level in lines:
        scans = str(round(float(at) * 100))
        tank = str(ROOT / "examples" / "tank")
        assert main(["run", tank, "--set", "simulate=TRUE", "--scans", scans, "--json"]) == 0
        value = json.loads(capsys.readouterr().out)["variables"]["tank.level"]
        assert round(value, 2) == float(level), at


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
