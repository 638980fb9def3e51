"""The generated case files are what their tables make."""

from __future__ import annotations

from tests.conformance.generate_cases import FOLDER, texts


def test_they_are_up_to_date() -> None:
    """If this fails: python -m tests.conformance.generate_cases"""
    on_disk = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.st")}
    made = texts()
    assert sorted(on_disk) == sorted(made)
    assert [path.name for path, text in made.items() if on_disk[path] != text] == []
