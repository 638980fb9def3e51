"""Source texts and the spans that every node, from token to fault record, carries."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

from host_tools.record import field, record


@record(frozen=True, eq=False)
class Source:
    """One source text. `name` is what diagnostics print; `index` is its place in the program
    (library sources come after the user's), used in the 32-bit position of a fault record."""

    name: str
    text: str
    index: int = 0
    library: bool = False
    _starts: list[int] = field(default_factory=list)

    def line_col(self, offset: int) -> tuple[int, int]:
        """1-based line and column (in characters) of `offset`."""
        if not self._starts:
            self._starts.append(0)
            at = self.text.find("\n")
            while at >= 0:
                self._starts.append(at + 1)
                at = self.text.find("\n", at + 1)
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line_start(self, line: int) -> int:
        """The offset of 1-based `line`; the end of the text where there is no such line."""
        self.line_col(0)
        return self._starts[line - 1] if 1 <= line <= len(self._starts) else len(self.text)

    def line_text(self, line: int) -> str:
        """The text of 1-based `line`, without its end of line."""
        self.line_col(0)
        if not 1 <= line <= len(self._starts):
            return ""
        start = self._starts[line - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


def read_source(path: Path, index: int = 0, name: str | None = None) -> Source:
    """Read `path` as UTF-8 (a byte-order mark is dropped, bytes that are not UTF-8 are replaced
    by U+FFFD so that the lexer can point at them)."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    return Source(name if name is not None else str(path), text, index)


@record(frozen=True)
class Span:
    """Half-open range of characters in one source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.line_col(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.line_col(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.source, self.start, max(self.end, other.end))

    def __str__(self) -> str:
        line, column = self.source.line_col(self.start)
        return f"{self.source.name}:{line}:{column}"


def position(span: Span) -> int:
    """Pack a span into the position of a fault record: source index << 22 | line. It fits the
    31-bit small integers of a 32-bit MicroPython, so carrying it costs nothing there."""
    return min(span.source.index, 255) << 22 | min(span.line, (1 << 22) - 1)


def unpack_position(pos: int) -> tuple[int, int]:
    """Source index and 1-based line of a packed position."""
    return pos >> 22, pos & ((1 << 22) - 1)
