"""Says where in a TOML text each key and value stands; tomllib gives the values, this the places.

`places` follows the structure of TOML 1.0 (toml.io/en/v1.0.0) only as far as places need it: it is
meant for texts that tomllib has accepted, and for finding the first of two equal keys in one that
it has not. Any other text raises ScanError or gives places of no use, but ends.
"""

from __future__ import annotations

import tomllib

from host_tools.record import record

Path = tuple[str | int, ...]
"""Keys, and indices of array elements, from the root of the document."""

Range = tuple[int, int]
"""Half-open range of characters."""

_BARE_END = frozenset(" \t\r\n=.]#,[{}\"'")
_SCALAR_END = frozenset(",]}#\r\n")


class ScanError(Exception):
    """The text is not TOML at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"not TOML at offset {offset}")
        self.offset = offset


@record(frozen=True)
class Place:
    """`key` is the range of the key (of the element itself in an array, of the name in a header),
    `value` that of the value (of the whole header for a table with a header)."""

    key: Range
    value: Range


@record()
class Places:
    """`at` has every path of the document but the root; `twice` the keys that were given two
    values, in order: path, first and second place."""

    at: dict[Path, Place]
    twice: list[tuple[Path, Place, Place]]


def places(text: str) -> Places:
    """The place of each key and array element of `text`. Raises ScanError."""
    scanner = _Scanner(text)
    scanner.document()
    return Places(scanner.at, scanner.twice)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.at: dict[Path, Place] = {}
        self.twice: list[tuple[Path, Place, Place]] = []
        self.headers: set[Path] = set()
        self.counts: dict[Path, int] = {}  # elements so far of arrays of tables

    def peek(self, length: int = 1) -> str:
        return self.text[self.pos : self.pos + length]

    def expect(self, mark: str) -> None:
        if not self.text.startswith(mark, self.pos):
            raise ScanError(self.pos)
        self.pos += len(mark)

    def blanks(self) -> None:
        while self.peek() in (" ", "\t"):
            self.pos += 1

    def blank_lines(self) -> None:
        """Blanks, ends of line and comments."""
        while (c := self.peek()) and c in " \t\r\n#":
            if c == "#":
                end = self.text.find("\n", self.pos)
                self.pos = end if end >= 0 else len(self.text)
            else:
                self.pos += 1

    def document(self) -> None:
        table: Path = ()
        while True:
            self.blank_lines()
            if not self.peek():
                return
            if self.peek() == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> Path:
        start = self.pos
        mark = "[[" if self.peek(2) == "[[" else "["
        self.expect(mark)
        parts = self.key()
        self.expect("]" * len(mark))
        whole = (start, self.pos)
        path: Path = ()
        for n, (name, at) in enumerate(parts):
            path = (*path, name)
            last = n == len(parts) - 1
            place = Place(at, whole)
            if last and mark == "[" and path in self.headers:
                self.twice.append((path, self.at[path], place))
            elif last and mark == "[":
                self.headers.add(path)
                self.at[path] = place
            self.at.setdefault(path, place)
            if last and mark == "[[":
                index = self.counts.get(path, 0)
                self.counts[path] = index + 1
                path = (*path, index)
                self.at[path] = place
                # A table of this name below the new element may have a header again.
                self.headers = {p for p in self.headers if p[: len(path)] != path}
            elif path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def key(self) -> list[tuple[str, Range]]:
        """A dotted key: its parts and their ranges."""
        parts = []
        while True:
            self.blanks()
            start = self.pos
            quote = self.peek()
            if quote in ('"', "'") and quote:
                name = self.string(quote)
            else:
                while (c := self.peek()) and c not in _BARE_END:
                    self.pos += 1
                name = self.text[start : self.pos]
                if not name:
                    raise ScanError(start)
            parts.append((name, (start, self.pos)))
            self.blanks()
            if self.peek() != ".":
                return parts
            self.pos += 1

    def string(self, quote: str) -> str:
        """A one-line string; its value."""
        start = self.pos
        self.pos += 1
        while (c := self.peek()) != quote:
            if c in ("", "\n"):
                raise ScanError(start)
            self.pos += 2 if c == "\\" and quote == '"' else 1
        self.pos += 1
        raw = self.text[start : self.pos]
        if quote == "'" or "\\" not in raw:
            return raw[1:-1]
        try:
            value = tomllib.loads("k=" + raw)["k"]
        except tomllib.TOMLDecodeError:
            raise ScanError(start) from None
        return str(value)

    def long_string(self, quotes: str) -> None:
        start = self.pos
        self.pos += 3
        while self.peek(3) != quotes:
            c = self.peek()
            if not c:
                raise ScanError(start)
            self.pos += 2 if c == "\\" and quotes[0] == '"' else 1
        self.pos += 3
        for _ in range(2):  # up to two quotes may stand before the closing three
            if self.peek() == quotes[0]:
                self.pos += 1

    def pair(self, table: Path) -> None:
        parts = self.key()
        self.expect("=")
        self.blanks()
        path = table
        outer = []
        for name, at in parts:
            path = (*path, name)
            outer.append((path, at))
        start = self.pos
        first = self.at.get(path)
        self.value(path)
        value = (start, self.pos)
        for higher, at in outer[:-1]:
            self.at.setdefault(higher, Place(at, (at[0], value[1])))
        place = Place(outer[-1][1], value)
        if first is not None:
            self.twice.append((path, first, place))
        else:
            self.at[path] = place

    def value(self, path: Path) -> None:
        c = self.peek()
        if c in ('"', "'") and c:
            if self.peek(3) == c * 3:
                self.long_string(c * 3)
            else:
                self.string(c)
        elif c == "[":
            self.array(path)
        elif c == "{":
            self.inline_table(path)
        else:
            start = self.pos
            while (c := self.peek()) and c not in _SCALAR_END:
                self.pos += 1
            self.pos = start + len(self.text[start : self.pos].rstrip(" \t"))
            if self.pos == start:
                raise ScanError(start)

    def array(self, path: Path) -> None:
        self.expect("[")
        index = 0
        self.blank_lines()
        while self.peek() != "]":
            start = self.pos
            element = (*path, index)
            self.value(element)
            self.at[element] = Place((start, self.pos), (start, self.pos))
            index += 1
            self.comma("]")
        self.pos += 1

    def inline_table(self, path: Path) -> None:
        self.expect("{")
        self.blank_lines()
        while self.peek() != "}":
            self.pair(path)
            self.comma("}")
        self.pos += 1

    def comma(self, closing: str) -> None:
        self.blank_lines()
        if self.peek() != closing:
            self.expect(",")
            self.blank_lines()
