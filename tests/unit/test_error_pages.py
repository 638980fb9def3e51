"""Every diagnostic has a code with a title and a page, and the examples there do what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from host_tools.compiler import Options, compile_sources
from host_tools.compiler.codes import CODES
from host_tools.compiler.diagnostics import Diagnostic
from host_tools.compiler.source import Source

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "errors"
CODE = re.compile(r"\"([EW]0\d{3})\"")
OF_THE_COMPILER = sorted(
    code for code in CODES if code[:3] in ("E00", "E01", "E02", "E03", "E04", "W03")
)


def example(code: str, heading: str) -> str:
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {heading}\n\n```st\n(.*?)^```$", page, re.S | re.M)
    assert found is not None, heading
    return found[1]


def diagnose(code: str, text: str) -> list[Diagnostic]:
    """Errors where the page is about one; the page of a warning must not give other warnings."""
    options = Options(rules="W0303" <= code <= "W0329")
    return compile_sources([Source("example.st", text)], options).diagnostics


def test_what_is_reported_is_registered_and_reverse() -> None:
    reported: set[str] = set()
    for path in (*(ROOT / "host_tools").rglob("*.py"), *(ROOT / "hil_tests").rglob("*.py")):
        if path.name != "codes.py":
            reported |= set(CODE.findall(path.read_text(encoding="utf-8")))
    assert reported == set(CODES)


def test_what_is_registered_has_a_page_and_reverse() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_page_begins_with_code_and_title(code: str) -> None:
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {code}: {CODES[code]}\n\n")


@pytest.mark.parametrize("code", OF_THE_COMPILER)
def test_the_failing_example_gives_this_code_and_nothing_else(code: str) -> None:
    found = diagnose(code, example(code, "Fails"))
    assert [(d.code, d.message) for d in found if d.code != code] == []
    assert len(found) == 1
    assert found[0].help


@pytest.mark.parametrize("code", OF_THE_COMPILER)
def test_the_passing_example_gives_none(code: str) -> None:
    found = diagnose(code, example(code, "Passes"))
    assert [(d.code, d.message) for d in found] == []
