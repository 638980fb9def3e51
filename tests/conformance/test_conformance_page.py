"""docs/conformance.md is up to date, and what it claims is shown."""

from __future__ import annotations

from tests.conformance.features import extensions, rows, tables
from tests.conformance.page import PAGE, found_cases, text


def test_it_is_up_to_date() -> None:
    """If this fails: python -m tests.conformance.page"""
    assert PAGE.read_text(encoding="utf-8") == text()


def test_all_tables_are_there() -> None:
    assert [table.number for table in tables()] == list(range(1, 77))


def test_every_row_that_is_claimed_has_a_case() -> None:
    found = found_cases()
    claimed = [row.tag for table in tables() for row in table.rows if row.claimed]
    assert [tag for tag in claimed if tag not in found] == []
    assert [row.tag for row in extensions() if row.tag not in found] == []


def test_no_case_shows_a_row_that_is_not_claimed() -> None:
    assert [tag for tag in found_cases() if not rows()[tag].claimed] == []
