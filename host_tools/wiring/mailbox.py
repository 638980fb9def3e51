"""Sizes the controller's mailbox so that the largest write a Modbus map allows fits into it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

Row = list[Any]
"""As bus/modbus/map.py takes it."""

LEAST = (128, 512)
"""Entries and bytes of a mailbox that nothing asks more of."""

_OTHERS = (32, 240)
"""Kept free beside the largest write, for what others write before the same release."""

_LIMITS = {"coil": 1968, "holding": 123}
"""Addresses that one request writes at most: FC 15, FC 16 (AP 6.11, 6.12)."""

_MORE = (12, 8)
"""Entries and bytes for ends in the middle of a value, and for long runs of bytes, which
RegisterMap posts in entries of 256: eight for 1968 BOOLs."""

_SINGLE_BYTES = ("bool", "u8", "i8")


def mailbox_room(rows: Iterable[Row]) -> tuple[int, int]:
    """Entries and bytes of the mailbox for a map; LEAST where its writes are small."""
    largest = largest_write(rows)
    return (
        max(LEAST[0], largest[0] + _OTHERS[0]),
        max(LEAST[1], largest[1] + _OTHERS[1]),
    )


def largest_write(rows: Iterable[Row]) -> tuple[int, int]:
    """At least as many entries and bytes as any single request takes; (0, 0) for a map without
    writable rows."""
    most = (0, 0)
    writable = sorted(row for row in rows if row[0] in _LIMITS and _is_writable(row))
    for table, some in groupby(writable, key=lambda row: row[0]):
        for run in _runs(list(some)):
            found = _largest_of_run(run, _LIMITS[table])
            most = (max(most[0], found[0]), max(most[1], found[1]))
    return most


def _is_writable(row: Row) -> bool:
    return bool(row[6] if row[0] == "coil" else row[5])


def _runs(rows: list[Row]) -> list[list[Row]]:
    """Rows whose addresses follow each other without a gap: no request goes beyond those."""
    runs: list[list[Row]] = []
    end = -1
    for row in rows:
        if row[1] != end:
            runs.append([])
        runs[-1].append(row)
        end = row[1] + row[2]
    return runs


def _largest_of_run(rows: list[Row], limit: int) -> tuple[int, int]:
    costs = [_cost(row, before, limit) for row, before in zip(rows, [None, *rows], strict=False)]
    most = (0, 0)
    entries = size = last = 0
    for first, row in enumerate(rows):
        # All rows that a request which begins in this one can reach.
        end = row[1] + row[2] - 1 + limit
        while last < len(rows) and rows[last][1] < end:
            entries += costs[last][0]
            size += costs[last][1]
            last += 1
        most = (max(most[0], entries), max(most[1], size))
        entries -= costs[first][0]
        size -= costs[first][1]
    # Of rows at the ends only a part may be covered, but every address costs something at most.
    each = 2 if rows[0][0] == "coil" and any(row[5] == 1 for row in rows) else _bytes_each(rows[0])
    return (
        min(most[0], limit) + _MORE[0],
        min(most[1], limit * each) + _MORE[1],
    )


def _bytes_each(row: Row) -> int:
    return 1 if row[0] == "coil" else 2


def _cost(row: Row, before: Row | None, limit: int) -> tuple[int, int]:
    """Entries and bytes that a row adds to a request, of which it is one of several."""
    count = min(row[2], limit)
    if row[0] == "coil" and row[5] == 1:
        # Whole bytes are one run; those at the ends are a mask and a value each.
        return min(count, 3), min(2 * count, count // 8 + 4)
    if row[0] == "coil" and row[5] != 8:
        return count, count
    size = _image_bytes(row, count)
    joins = before is not None and _ends_at(before) == row[3]
    return int(not joins), size


def _image_bytes(row: Row, count: int) -> int:
    return count if row[0] == "coil" or row[4] in _SINGLE_BYTES else 2 * count


def _ends_at(row: Row) -> int | None:
    """Image offset after a row whose bytes follow each other."""
    if row[0] == "coil" and row[5] != 8:
        return None
    return int(row[3]) + _image_bytes(row, row[2])
