"""[check] in takt.toml and --werror: which warnings are told, and which stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from host_tools.cli import main

HEAD = '[project]\nname = "demo"\nboard = "pico"\n'
PROGRAM = """\
PROGRAM main
VAR a : INT; same : BOOL; x : INT; END_VAR
    x := 1;
    same := a = a;
END_PROGRAM
"""
ALL = ["W0304", "W0304", "W0305", "W0325"]


@pytest.fixture
def found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(section: str, *options: str) -> tuple[int, list[dict[str, Any]]]:
        (tmp_path / "takt.toml").write_text(HEAD + section, encoding="utf-8")
        (tmp_path / "main.st").write_text(PROGRAM, encoding="utf-8")
        code = main(["check", str(tmp_path), "--json", *options])
        return code, json.loads(capsys.readouterr().out)["diagnostics"]

    return run


def codes(diagnostics: list[dict[str, Any]], severity: str = "warning") -> list[str]:
    return sorted(d["code"] for d in diagnostics if d["severity"] == severity)


def test_warnings_are_told_and_do_not_stop(found: Any) -> None:
    code, diagnostics = found("")
    assert (code, codes(diagnostics)) == (0, ALL)


def test_allowed_codes_are_not_told(found: Any) -> None:
    code, diagnostics = found('[check]\nallow = ["W0304", "w0305"]\n')
    assert (code, codes(diagnostics)) == (0, ["W0325"])


def test_denied_codes_are_errors(found: Any) -> None:
    code, diagnostics = found('[check]\nwarnings = "off"\ndeny = ["W0325"]\n')
    assert (code, codes(diagnostics)) == (1, [])
    assert codes(diagnostics, "error") == ["W0325"]


@pytest.mark.parametrize("how", [('[check]\nwarnings = "error"\n',), ("", "--werror")])
def test_all_warnings_are_errors(found: Any, how: tuple[str, ...]) -> None:
    code, diagnostics = found(*how)
    assert (code, codes(diagnostics, "error")) == (1, ALL)


@pytest.mark.parametrize(
    ("section", "code", "place", "text", "help_"),
    [
        ('[check]\nalow = ["W0304"]\n', "E0601", (5, 1), "no key 'alow'", "'allow'"),
        ("[chek]\nallow = []\n", "E0601", (4, 2), "no section [chek]", "'check'"),
        ('[check]\nallow = "W0304"\n', "E0603", (5, 9), "must be a list", '["W0304"]'),
        ('[check]\nallow = ["W0399"]\n', "E0604", (5, 10), "no warning 'W0399'", "W03"),
        ('[check]\ndeny = ["E0200"]\n', "E0604", (5, 9), "is an error", "remove it"),
        ('[check]\nwarnings = "erorr"\n', "E0604", (5, 12), "cannot be", "'error'"),
        ('[check]\nallow = ["W0304"]\ndeny = ["W0304"]\n', "E0604", (6, 8), "both", "one of"),
        ("check = 3\n", "E0601", (4, 1), "no key 'check'", "known are"),
    ],
)
def test_a_wrong_section(
    found: Any, section: str, code: str, place: tuple[int, int], text: str, help_: str
) -> None:
    exit_code, diagnostics = found(section)
    errors = [d for d in diagnostics if d["severity"] == "error"]
    assert exit_code == 1
    (d,) = errors
    assert d["code"] == code
    assert (d["line"], d["column"]) == place
    assert text in d["message"]
    assert help_ in d["help"]
