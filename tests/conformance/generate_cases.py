"""Writes cases/generated/ from case_tables/: python -m tests.conformance.generate_cases"""

from __future__ import annotations

from pathlib import Path

from tests.conformance.case_files import CASES
from tests.conformance.case_tables import (
    bits,
    conversions,
    enumerations,
    integers,
    literals,
    located,
    names,
    reals,
    strings,
    times,
    types,
)

FOLDER = CASES / "generated"
TABLES = (
    bits,
    conversions,
    enumerations,
    integers,
    literals,
    located,
    names,
    reals,
    strings,
    times,
    types,
)


def texts() -> dict[Path, str]:
    """What belongs into each file."""
    made = [f for table in TABLES for f in table.files()]
    found = {FOLDER / f"{f.stem}.st": f.text for f in made}
    assert len(found) == len(made)
    return found


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    written = texts()
    for path in FOLDER.glob("*.st"):
        if path not in written:
            path.unlink()
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
