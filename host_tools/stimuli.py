"""Inputs for a run: `--set PATH=VALUE` and scripts of timed writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from host_tools.duration import parse_duration
from host_tools.failure import USAGE, Failure
from host_tools.record import record
from host_tools.variables import VariableError, Variables

_FREEWHEELING_NS = 10_000_000
_MOST_INSTANTS = 5_000_000


@record(frozen=True)
class Write:
    """Bytes to be written at the release instant `at`, counted from 0; for a packed bit `mask`
    says which, and the byte has that bit or not."""

    at: int
    offset: int
    data: bytes
    mask: int | None = None

    def row(self, with_instant: bool) -> list[Any]:
        """As the options `set` and `script` of controller/console.py have it."""
        row: list[Any] = [self.at] if with_instant else []
        row += [self.offset, self.data.hex()]
        return row if self.mask is None else [*row, self.mask]

    def apply(self, image: bytearray) -> None:
        """Write it into an image."""
        if self.mask is None:
            image[self.offset : self.offset + len(self.data)] = self.data
        else:
            image[self.offset] = image[self.offset] & ~self.mask | self.data[0] & self.mask


def write(variables: Variables, path: str, value: Any, at: int = 0) -> Write:
    """One write. Raises Failure for a path or value that does not fit."""
    try:
        offset, data, bit = variables.encode(path.strip(), value)
    except VariableError as error:
        text, _, help = str(error).partition("; ")
        raise Failure(text, help, USAGE) from None
    if bit is None:
        return Write(at, offset, data)
    return Write(at, offset, bytes([1 << bit if data[0] else 0]), 1 << bit)


def parse_sets(variables: Variables, texts: Iterable[str]) -> list[Write]:
    """The writes of `--set PATH=VALUE` options."""
    writes = []
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise Failure(f"'{text}' is not PATH=VALUE", "such as --set main.level=80", USAGE)
        writes.append(write(variables, path.removesuffix(":"), value.strip()))
    return writes


def read_script(path: str, variables: Variables, intervals_ns: Sequence[int]) -> list[Write]:
    """The writes of a script file, by instant.

    Lines are `AT,PATH,VALUE`; AT is a release instant counted from 0 or a logical time such as
    T#1.5s, which means the first instant at or after it. Empty lines and lines that begin with #
    say nothing. A file NAME.json has a list of objects {"scan": n or "time": "T#1s", "path",
    "value"} instead. Raises Failure with file and line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise Failure(f"cannot read '{path}': {reason}", "", USAGE) from None
    rows = _json_rows(path, text) if path.lower().endswith(".json") else _line_rows(path, text)
    instants = _Instants(intervals_ns)
    writes = []
    for where, at, name, value in rows:
        try:
            number = (
                at if isinstance(at, int) else instants.first_from(parse_duration(at, zero=True))
            )
            writes.append(write(variables, name, value, number))
        except Failure as failure:
            raise Failure(f"{where}: {failure.message}", failure.help, USAGE) from None
    return sorted(writes, key=lambda w: w.at)


def _line_rows(path: str, text: str) -> Iterator[tuple[str, int | str, str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(",", 2)]
        # Two indices have a comma between them: the brackets keep them together.
        while len(parts) == 3 and parts[1].count("[") > parts[1].count("]"):
            more, comma, parts[2] = parts[2].partition(",")
            if not comma:
                break
            parts[1] += "," + more
        if len(parts) != 3 or not parts[0]:
            raise Failure(
                f"{path}:{number}: '{line}' is not AT,PATH,VALUE",
                "such as 100,main.level,80 or T#1s,main.start,TRUE",
                USAGE,
            )
        at: int | str = int(parts[0]) if parts[0].isdecimal() else parts[0]
        yield f"{path}:{number}", at, parts[1], parts[2].strip()


def _json_rows(path: str, text: str) -> Iterator[tuple[str, int | str, str, Any]]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Failure(f"'{path}' is not JSON: {error}", "", USAGE) from None
    if not isinstance(rows, list):
        raise Failure(f"'{path}' is not a list of writes", "", USAGE)
    for number, row in enumerate(rows):
        where = f"{path}, entry {number}"
        at = row.get("scan", row.get("time")) if isinstance(row, dict) else None
        if (
            not isinstance(at, int | str)
            or isinstance(at, bool)
            or not isinstance(row.get("path"), str)
            or "value" not in row
        ):
            raise Failure(
                f"{where} is not a write",
                'such as {"scan": 100, "path": "main.level", "value": 80}',
                USAGE,
            )
        if isinstance(at, int) and at < 0:
            raise Failure(f"{where} is before the start", "count from 0", USAGE)
        yield where, at, row["path"], row["value"]


class _Instants:
    """The release instants of a program, counted: every multiple of every interval."""

    def __init__(self, intervals_ns: Sequence[int]) -> None:
        self._intervals = sorted({n or _FREEWHEELING_NS for n in intervals_ns})

    def first_from(self, time_ns: int) -> int:
        """Number of the first instant at or after a logical time. Raises Failure for one so far
        away that nobody would wait for it."""
        if len(self._intervals) == 1:
            return -(-time_ns // self._intervals[0])
        if time_ns // self._intervals[0] > _MOST_INSTANTS:
            raise Failure("that is too far away", "", USAGE)
        # Instants before time_ns: multiples below it, each counted once.
        seen: set[int] = set()
        for interval in self._intervals:
            seen.update(n * interval for n in range(-(-time_ns // interval)))
        return len(seen)
