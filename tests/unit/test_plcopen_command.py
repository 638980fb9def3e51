"""`takt import`: what it writes, and that it writes all of it or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plcopen_support import document, pou, st

from host_tools.cli import main

GOOD = document(pou("main", st("a := a + 1;"), "a : INT"))
BAD = document(pou("main", "<SFC/>", "a : INT"))


@pytest.fixture
def xml(tmp_path: Path) -> Path:
    path = tmp_path / "line 3.xml"
    path.write_bytes(GOOD)
    return path


def test_import_checks_and_runs(
    xml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    assert main(["import", str(xml), "-o", str(folder)]) == 0
    assert sorted(p.name for p in folder.iterdir()) == ["main.st", "takt.toml"]
    assert "takt check" in capsys.readouterr().out
    assert main(["check", str(folder)]) == 0
    capsys.readouterr()
    assert main(["run", str(folder), "--scans", "4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["variables"]["main.a"] == 4


def test_nothing_is_overwritten_without_force(
    xml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "main.st").write_text("mine")
    (folder / "takt.toml").write_text("mine, too")
    assert main(["import", str(xml), "-o", str(folder)]) == 2
    assert "main.st is in" in capsys.readouterr().err
    assert (folder / "main.st").read_text() == "mine"
    assert main(["import", str(xml), "-o", str(folder), "--force"]) == 0
    assert "a := a + 1;" in (folder / "main.st").read_text()
    assert (folder / "takt.toml").read_text() == "mine, too"


def test_errors_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.xml"
    path.write_bytes(BAD)
    assert main(["import", str(path), "--json"]) == 1
    out, err = capsys.readouterr()
    line = next(k for k, text in enumerate(BAD.decode().splitlines(), 1) if "<SFC" in text)
    assert f"{path}:{line}:7: <SFC> error: the SFC of main has no steps" in err
    found = json.loads(out)
    assert not found["ok"]
    assert found["files"] == []
    assert found["remarks"][0]["line"] == line
    assert not (tmp_path / "bad").exists()


def test_a_failed_write_leaves_nothing_behind(
    xml: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out"
    (folder / "main.st").mkdir(parents=True)
    assert main(["import", str(xml), "-o", str(folder), "--force"]) == 1
    assert "is a folder" in capsys.readouterr().err
    assert [p.name for p in folder.iterdir()] == ["main.st"]


def test_what_the_compiler_refuses_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.xml"
    path.write_bytes(document(pou("main", st("a := nothing;"), "a : INT")))
    assert main(["import", str(path)]) == 1
    err = capsys.readouterr().err
    assert "there is no variable 'nothing'" in err
    assert "it has to be corrected there" in err
    assert (tmp_path / "wrong" / "main.st").exists()


def test_missing_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "none.xml")]) == 2
    assert main(["import", str(tmp_path)]) == 2
    assert "cannot read" in capsys.readouterr().err
