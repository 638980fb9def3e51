"""Prints lines of code: blanks between tokens, long lines broken, comments behind them aligned.

A line of code becomes one row or more. An end of line that the author put inside a statement
stays where it may stand: after a comma or an opening bracket, before an operator, and before a
closing bracket whose opening one ends a row.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from host_tools.formatter.items import ENDS_OPERAND, TAB, Item
from host_tools.formatter.structure import Line

WIDTH = 99
INDENT = 4
# Blanks between code and the comment behind it, at least.
DISTANCE = 2

_OPENING = frozenset({"(", "["})
_CLOSING = frozenset({")", "]"})
# The weaker an operator binds, the rather a row is broken before it.
_STRENGTH = {
    **dict.fromkeys(("OR", "OR_ELSE"), 1),
    "XOR": 2,
    **dict.fromkeys(("AND", "AND_THEN"), 3),
    **dict.fromkeys(("=", "<>", "<", ">", "<=", ">="), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "MOD"), 6),
    "**": 7,
}


class Row:
    """A row of code or of comments. `blank` says that an empty one stands before it. `column` is
    where the comments behind it stood, and then where they will stand."""

    __slots__ = ("blank", "column", "comments", "indent", "is_code", "text")

    def __init__(self, text: str, comments: Sequence[Item], line: Line, blank: bool) -> None:
        self.text = text
        self.comments = comments
        self.indent = line.indent
        self.is_code = line.is_code
        self.blank = blank
        self.column = comments[0].column if comments else -1

    @property
    def end(self) -> int:
        return len(self.text) - self.text.rfind("\n") - 1


def text_of(lines: Sequence[Line]) -> str:
    """The text of a source, with the end of its last line."""
    rows = [row for line in lines for row in _rows(line)]
    _align(rows)
    printed: list[str] = []
    for n, row in enumerate(rows):
        text = row.text
        for comment in row.comments:
            column = len(text) - text.rfind("\n") - 1
            blanks = " " * (row.column - column if comment is row.comments[0] else 1)
            text += blanks + _moved(comment, column + len(blanks))
        printed.append("\n" + text if row.blank and n else text)
    return "\n".join(printed) + "\n" if printed else ""


# --- comments behind the code ----------------------------------------------------------------


def _align(rows: Sequence[Row]) -> None:
    """Comments that stand in the column of another one of the source stay in it, and those of
    one stretch of code move together; the others follow their code."""
    commented = [row for row in rows if row.comments]
    stretches = _stretches(rows)
    is_moving = True
    while is_moving:
        # Whoever has moved may have left another one alone in its column.
        count = Counter(row.column for row in commented)
        is_moving = False
        for stretch in stretches:
            columns: dict[int, int] = {}
            for row in stretch:
                least = max(row.column, row.end + DISTANCE)
                columns[row.column] = max(columns.get(row.column, 0), least)
            for row in stretch:
                column = columns[row.column] if count[row.column] > 1 else row.end + DISTANCE
                is_moving = is_moving or column != row.column
                row.column = column


def _stretches(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows with comments behind them, parted where a blank line, a comment or a step of
    indentation stands between them."""
    stretches: list[list[Row]] = [[]]
    indent = 0
    for row in rows:
        if row.blank or not row.is_code or row.indent != indent:
            stretches.append([])
        indent = row.indent
        if row.comments:
            stretches[-1].append(row)
    return stretches


def _moved(item: Item, column: int) -> str:
    """The text of a comment that now stands in `column`: what is below its first line moves with
    it as far as it can. A pragma is left alone."""
    if item.kind != "comment" or "\n" not in item.text:
        return item.text
    first, *rest = item.text.split("\n")
    bare = [line.lstrip() for line in rest]
    leads = [
        len(line[: len(line) - len(text)].expandtabs(TAB))
        for line, text in zip(rest, bare, strict=True)
    ]
    least = min((lead for lead, text in zip(leads, bare, strict=True) if text), default=0)
    shift = max(column - item.column, -least)
    moved = [
        " " * (lead + shift) + text if text else "" for lead, text in zip(leads, bare, strict=True)
    ]
    return "\n".join([first, *moved])


# --- rows of a line --------------------------------------------------------------------------


def _rows(line: Line) -> Iterator[Row]:
    """The rows of `line`, the trailing comments at the last."""
    breaking = _Breaking(line)
    blank = line.items[0].breaks > 1
    for start, end, indent in breaking.rows():
        stop = breaking.code_end(start, end)
        text = " " * indent
        for n in range(start, stop):
            if n > start:
                text += breaking.blanks[n]
            text += _moved(line.items[n], len(text) - text.rfind("\n") - 1)
        behind = line.items[stop:end]
        if end == len(line.items):
            behind = behind + line.trailing
        yield Row(text, behind, line, blank)
        blank = False


class _Breaking:
    """Where the items of one line are parted. `blanks[n]` stands between item n and the one
    before. `places[level]` are those before which a row may be broken, gladly where the level is
    low; `wanted` those where the author broke it or a comment makes it necessary. Those of them
    that are `dependent`, before closing brackets, count only if the opening one ends a row."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.items = line.items
        count = len(line.items)
        self.blanks = [""] * count
        self.places: dict[tuple[int, int], list[int]] = {}
        self.wanted: list[int] = []
        self.dependent: set[int] = set()
        self.opening: dict[int, int] = {}  # of closing brackets
        self.before: list[int] = [-1] * count  # the item of code before
        self._look()
        self.levels = sorted(self.places)
        self.edge = [0] * (count + 1)  # width up to before item n, with the blanks before it
        for n, item in enumerate(line.items):
            self.edge[n] += len(self.blanks[n])
            self.edge[n + 1] = self.edge[n] + len(item.text.partition("\n")[0])
        # brackets around the place that `rows` has reached: its number, the indentation of its
        # row, whether it ended that row
        self.stack: list[list[int]] = []
        self.hanging: set[int] = set()

    def _look(self) -> None:
        items = self.items
        stack: list[int] = []  # numbers of the brackets around; -1 for those of an index
        last = -1
        for n, item in enumerate(items):
            self.before[n] = last
            if n:
                self.blanks[n] = self._blank(n, last)
                self._place(n, last, stack)
            if item.kind in _OPENING:
                is_index = item.kind == "[" and last >= 0 and _takes_index(items[last])
                stack.append(-1 if is_index or (stack and stack[-1] < 0) else n)
            elif item.kind in _CLOSING and stack:
                self.opening[n] = stack.pop()
            if not item.is_aside:
                last = n

    def _blank(self, n: int, last: int) -> str:
        """What stands between item n and the one before, by the rules of decision 3."""
        before, item = self.items[n - 1], self.items[n]
        code = self.items[last] if last >= 0 else before
        if before.kind in _OPENING or item.kind in _CLOSING or item.kind in (",", ";", "^"):
            return ""
        if item.kind == ".":
            follows = self.items[n + 1] if n + 1 < len(self.items) else item
            return " " if before.kind == follows.kind == "literal" else ""
        if before.kind == "." or ".." in (before.kind, item.kind):
            return ""
        if before.role == "sign" and before.kind != "pragma":
            return " " if item.role == "sign" else ""
        if item.role in ("label", "assign"):
            return ""
        if item.kind == "(" and before is code:
            return "" if _is_operand(before) or before.kind == "STRUCT" else " "
        if item.kind == "[" and before is code:
            return "" if _takes_index(before) else " "
        return " "

    def _place(self, n: int, last: int, stack: list[int]) -> None:
        """May, or must, a row end before item n?"""
        before, item = self.items[n - 1], self.items[n]
        if before.is_line_comment or (item.breaks and (before.is_aside or item.is_aside)):
            self.wanted.append(n)
            return
        depth = len(stack)
        if stack and stack[-1] < 0:
            return
        is_operator = item.kind in _STRENGTH and not item.role
        if is_operator and last >= 0 and _is_operand(self.items[last]):
            self.places.setdefault((depth, _STRENGTH[item.kind]), []).append(n)
            follows = self.items[n + 1] if n + 1 < len(self.items) else item
            if item.breaks or (follows.breaks and not follows.is_aside):
                self.wanted.append(n)
        elif before.kind == ",":
            self.places.setdefault((depth, 0), []).append(n)
            if item.breaks:
                self.wanted.append(n)
        elif item.breaks and before.kind in _OPENING:
            self.wanted.append(n)
        elif item.breaks and item.kind in _CLOSING:
            self.wanted.append(n)
            self.dependent.add(n)

    def rows(self) -> Iterator[tuple[int, int, int]]:
        """First item, item after the last, and columns of indentation of each row."""
        start, count = 0, len(self.items)
        while start < count:
            indent = self._indent(start)
            end = self._wanted_end(start)
            while indent + self._width(start, end) > WIDTH:
                broken = self._broken(start, end, WIDTH - indent)
                if broken is None:
                    break
                end = broken
            yield start, end, indent
            self._pass(start, end, indent)
            start = end

    def _wanted_end(self, start: int) -> int:
        for at in range(bisect_right(self.wanted, start), len(self.wanted)):
            n = self.wanted[at]
            if n not in self.dependent or self.opening.get(n) in self.hanging:
                return n
        return len(self.items)

    def _broken(self, start: int, end: int, width: int) -> int | None:
        """The last of the best places between `start` and `end` up to which a row fits, or the
        first of them."""
        for level in self.levels:
            places = self.places[level]
            at = bisect_right(places, start)
            if at < len(places) and places[at] < end:
                break
        else:
            return None
        while at + 1 < len(places) and places[at + 1] < end:
            if self._width(start, places[at + 1]) > width:
                break
            at += 1
        return places[at]

    def code_end(self, start: int, end: int) -> int:
        """The end of the row without the comments behind its code."""
        stop = end
        while stop > start and self.items[stop - 1].kind == "comment":
            stop -= 1
        return stop if stop > start else end

    def _width(self, start: int, end: int) -> int:
        stop = self.code_end(start, end)
        return self.edge[stop] - self.edge[start] - (len(self.blanks[stop]) if stop < end else 0)

    def _pass(self, start: int, end: int, indent: int) -> None:
        """Keep track of the brackets of a row that is done."""
        for n in range(start, end):
            if self.items[n].kind in _OPENING:
                self.stack.append([n, indent])
            elif self.items[n].kind in _CLOSING and self.stack:
                self.stack.pop()
        if self.stack and end < len(self.items):
            # Nothing but comments after the bracket?
            opening = self.stack[-1][0]
            if opening >= start and self.before[end] == opening:
                self.hanging.add(opening)

    def _indent(self, start: int) -> int:
        """Columns in front of the row that begins with item `start`."""
        base = self.line.indent * INDENT
        if start == 0:
            return base
        hanging = [k for k, (n, _) in enumerate(self.stack) if n in self.hanging]
        around = self.stack[hanging[-1]][1] + INDENT if hanging else base
        # one level for the line itself, and one for each bracket inside of the first
        inside = len(self.stack) - (hanging[-1] + 1 if hanging else 0)
        step = INDENT * max(inside, 1) + (INDENT if self.line.opens and not hanging else 0)
        if self.stack and not inside:
            opening, indent = self.stack[-1]
            code = start
            while code < len(self.items) - 1 and self.items[code].is_aside:
                code += 1
            is_end = self.items[code].kind in _CLOSING
            if is_end and code == start:
                return indent
            last = self.before[start]
            if is_end or last == opening or self.items[last].kind == ",":
                return around
        return around + step


def _is_operand(item: Item) -> bool:
    return item.kind in ENDS_OPERAND and item.role not in ("keyword", "word")


def _takes_index(item: Item) -> bool:
    return _is_operand(item) or item.kind == "ARRAY"
