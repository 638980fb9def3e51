"""What docs/testing.md shows is what is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from host_tools import run_tests
from host_tools.cli import main
from host_tools.compiler import compile_sources
from host_tools.compiler.lowering import testing
from host_tools.compiler.source import Source

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`(\w+\.st)`:\n\n```st\n(.*?)^```$", PAGE, re.M | re.S))
EXAMPLES = re.findall(r"^```st\n(.*?)^```$", PAGE, re.M | re.S)[len(FILES) :]
RUN = re.compile(r"^```console\n\$ takt (.*?)\n(.*?)^```$", re.M | re.S)


def test_the_output_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text, encoding="utf-8")
    runs = RUN.findall(PAGE)
    assert len(runs) == 1
    for command, shown in runs:
        assert main(command.split()) == 1
        seconds = re.compile(r"\d+\.\d s")
        assert seconds.sub("", capsys.readouterr()[0]) == seconds.sub("", shown)
    corrected = FILES["pump_test.st"].replace("ASSERT_EQ(p.starts, 3)", "ASSERT_EQ(p.starts, 2)")
    Path("pump_test.st").write_text(corrected)
    assert main(["test", "pump.st", "pump_test.st"]) == 0


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_pass(text: str, tmp_path: Path) -> None:
    assert compile_sources([Source("example.st", text)]).diagnostics == []
    file = tmp_path / "example.st"
    file.write_text(text, encoding="utf-8")
    assert run_tests(file).ok


def test_all_names_are_told() -> None:
    for name in (*testing.NAMES, "MOCK ", "MOCK_FUNCTION ", "SETUP ", "TEARDOWN "):
        assert f"`{name}" in PAGE
