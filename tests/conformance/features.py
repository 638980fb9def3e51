"""The feature tables of IEC 61131-3:2013 (features.toml), and what of them is claimed."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "features.toml"


@dataclass(frozen=True)
class Row:
    """`tag` is TABLE.ROW, as in the case files. `why` says what a claimed row lacks, or why a row
    is not claimed."""

    tag: str
    name: str
    claimed: bool
    why: str


@dataclass(frozen=True)
class Table:
    number: int
    title: str
    clause: str
    sure: bool
    rows: tuple[Row, ...]


@cache
def tables() -> tuple[Table, ...]:
    """All tables, in order; ValueError when a list names a row that there is not."""
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return tuple(_table(entry) for entry in data["table"])


def _table(entry: dict[str, object]) -> Table:
    number, names = entry["number"], entry["rows"]
    partly, without = entry.get("partly", {}), entry.get("not_claimed", {})
    assert isinstance(number, int)
    assert isinstance(names, dict)
    assert isinstance(partly, dict)
    assert isinstance(without, dict)
    strange = ({*partly, *without} - {*names, "*"}) | ({*partly} & {*without})
    if strange:
        raise ValueError(f"features.toml, table {number}: {', '.join(sorted(strange))}")
    rows = []
    for key, name in names.items():
        why = partly.get(key) or without.get(key) or without.get("*", "")
        claimed = key in partly or not why
        rows.append(Row(f"{number}.{key}", name, claimed, why))
    sure = entry.get("numbering", "sure") == "sure"
    return Table(number, str(entry["title"]), str(entry["clause"]), sure, tuple(rows))


@cache
def extensions() -> tuple[Row, ...]:
    """What is accepted beyond the standard; tags `x.NAME`."""
    data = tomllib.loads(DATA.read_text(encoding="utf-8"))
    return tuple(Row(f"x.{key}", name, True, "") for key, name in data["extensions"].items())


@cache
def rows() -> dict[str, Row]:
    """Every row and extension by its tag."""
    found = [row for table in tables() for row in table.rows]
    return {row.tag: row for row in (*found, *extensions())}
