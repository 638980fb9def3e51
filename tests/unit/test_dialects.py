"""What is pasted from other systems compiles, or is told exactly why not and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.compiler.compilation import compile_sources
from host_tools.compiler.source import Source
from host_tools.formatter import format_source


def _cases() -> dict[str, tuple[str, list[str]]]:
    text = Path(__file__).with_name("dialects.txt").read_text(encoding="utf-8")
    found = {}
    for part in text.split("\n=== ")[1:]:
        title, _, rest = part.partition("\n")
        source, _, expected = rest.partition("\n---\n")
        found[title] = (source, expected.split("\n") if expected else [])
    return found


CASES = _cases()


def test_there_are_many() -> None:
    assert len(CASES) >= 60


@pytest.mark.parametrize("title", CASES)
def test_dialect(title: str) -> None:
    source, expected = CASES[title]
    result = compile_sources([Source("pasted.st", source)])
    errors = [d for d in result.diagnostics if d.is_error]
    wanted = [line for line in expected if line.strip()]
    codes = [line for line in wanted if not line.startswith("? ")]
    told = [f"{d.code} {d.message} | {d.help}" for d in errors]
    assert [d.code for d in errors] == [line.split()[0] for line in codes], told
    number = -1
    for line in wanted:
        if line.startswith("? "):
            assert line[2:] in errors[number].help, told
        else:
            number += 1
            assert line.partition(" ")[2] in errors[number].message, told


@pytest.mark.parametrize("title", [t for t, (_, expected) in CASES.items() if not expected])
def test_dialect_can_be_formatted(title: str) -> None:
    source = Source("pasted.st", CASES[title][0])
    text = format_source(source).text
    assert text is not None
    assert format_source(Source("pasted.st", text)).text == text
