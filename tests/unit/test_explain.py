"""`takt explain`: the list by groups, a page, and a code that there is not."""

from __future__ import annotations

import pytest

from host_tools.cli import main
from host_tools.compiler.codes import CODES


def test_without_a_code_it_lists_every_code_under_a_heading(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["explain"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert sorted(listed) == sorted(CODES)
    assert "Warnings about programs" in lines


def test_a_code_in_any_case_gives_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "w0315"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# W0315: ")
    assert "## Fails" in shown
    assert "## Passes" in shown


def test_a_wrong_code_gives_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "W3015"]) == 2
    assert "did you mean 'W03" in capsys.readouterr().err
