"""Turns statements with jumps and labels into IF, WHILE and REPEAT, where they are structured.

Jumps of IL and of networks alike. A jump that goes into or across a loop or a branch has no
structured form; it is reported where it stands, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from host_tools.compiler import tree
from host_tools.compiler.tree import fold
from host_tools.plcopen.expressions import negation, show
from host_tools.plcopen.report import Place, Report, Stop

STEP = "    "


@dataclass(frozen=True, slots=True)
class Lines:
    """Finished lines of ST."""

    lines: tuple[str, ...]
    is_comment: bool = False


@dataclass(frozen=True, slots=True)
class Jump:
    """To `label`, where `condition` is TRUE (None: always)."""

    condition: tree.Expr | None
    label: str
    place: Place


@dataclass(frozen=True, slots=True)
class Mark:
    label: str
    place: Place


Entry = Lines | Jump | Mark


def structured(entries: Sequence[Entry], report: Report) -> list[str]:
    """The lines of ST. Raises Stop after an error was reported."""
    return _Structure(entries, report).block(
        0, len(entries), frozenset(), frozenset(), frozenset()
    )


def indented(lines: Sequence[str]) -> list[str]:
    return [STEP + line if line else "" for line in lines]


class _Structure:
    def __init__(self, entries: Sequence[Entry], report: Report) -> None:
        self.entries = entries
        self.report = report
        self.marks: dict[str, int] = {}
        self.jumps: dict[str, list[int]] = {}
        for k, entry in enumerate(entries):
            if isinstance(entry, Mark):
                if fold(entry.label) in self.marks:
                    raise report.stop(entry.place, f"label '{entry.label}' is there twice")
                self.marks[fold(entry.label)] = k
            elif isinstance(entry, Jump):
                self.jumps.setdefault(fold(entry.label), []).append(k)
        missing = False
        for entry in entries:
            if isinstance(entry, Jump) and fold(entry.label) not in self.marks:
                report.error(entry.place, f"there is no label '{entry.label}' to jump to")
                missing = True
        if missing:
            raise Stop("labels")

    def labels_at(self, at: int, high: int, after: frozenset[str]) -> frozenset[str]:
        """The labels that mean the same place as entry `at` of a range that ends at `high`."""
        found: set[str] = set()
        while at < high:
            entry = self.entries[at]
            if isinstance(entry, Mark):
                found.add(fold(entry.label))
            elif not (isinstance(entry, Lines) and entry.is_comment):
                return frozenset(found)
            at += 1
        return frozenset(found) | after

    def refuse(self, jump: Jump) -> Stop:
        return self.report.stop(
            jump.place,
            f"the jump to '{jump.label}' has no form in ST: it crosses a loop or a branch",
            "jump forward over code, or back to repeat it, without crossing other jumps",
        )

    def block(
        self,
        low: int,
        high: int,
        after: frozenset[str],
        breaks: frozenset[str],
        continues: frozenset[str],
    ) -> list[str]:
        """Entries low..high-1. `after` are labels where control goes from the end anyhow,
        `breaks` those behind the innermost loop, `continues` its head."""
        out: list[str] = []
        i = low
        while i < high:
            entry = self.entries[i]
            if isinstance(entry, Lines):
                out += entry.lines
                i += 1
            elif isinstance(entry, Mark):
                sources = self.jumps.get(fold(entry.label), [])
                for k in sources:
                    source = self.entries[k]
                    if not low <= k < high and isinstance(source, Jump):
                        raise self.refuse(source)
                back = [k for k in sources if k > i]
                if back:
                    out += self.loop(i, max(back), high, after)
                    i = max(back) + 1
                else:
                    i += 1
            else:
                lines, i = self.jump(entry, i, low, high, after, breaks, continues)
                out += lines
        return out

    def jump(
        self,
        entry: Jump,
        i: int,
        low: int,
        high: int,
        after: frozenset[str],
        breaks: frozenset[str],
        continues: frozenset[str],
    ) -> tuple[list[str], int]:
        label = fold(entry.label)
        target = self.marks[label]
        if label in after:
            return self.skip(entry, i + 1, high, after, breaks, continues), high
        if label in breaks:
            return _when(entry.condition, "EXIT;"), self.past(entry, i + 1, high)
        if label in continues:
            return _when(entry.condition, "CONTINUE;"), self.past(entry, i + 1, high)
        if not i < target < high:
            raise self.refuse(entry)
        last = self.entries[target - 1]
        if (
            isinstance(last, Jump)
            and last.condition is None
            and entry.condition is not None
            and target - 1 > i
            and self.jumps[label] == [i]
        ):
            join = fold(last.label)
            end = self.marks[join]
            if target < end < high or join in after:
                end = end if target < end < high else high
                joined = self.labels_at(end, high, after)
                no = self.block(i + 1, target - 1, joined, breaks, continues)
                yes = self.block(target + 1, end, joined, breaks, continues)
                return _if(entry.condition, yes, no), end
        joined = self.labels_at(target, high, after)
        return self.skip(entry, i + 1, target, joined, breaks, continues), target

    def skip(
        self,
        entry: Jump,
        low: int,
        high: int,
        after: frozenset[str],
        breaks: frozenset[str],
        continues: frozenset[str],
    ) -> list[str]:
        """The entries that `entry` jumps over, as an IF."""
        if entry.condition is None:
            self.past(entry, low, high, only_until=True)
            return [
                line for e in self.entries[low:high] if isinstance(e, Lines) for line in e.lines
            ]
        body = self.block(low, high, after, breaks, continues)
        return _if(entry.condition, [], body)

    def past(self, entry: Jump, low: int, high: int, only_until: bool = False) -> int:
        """Nothing may stand behind an unconditional jump: no way leads there."""
        if entry.condition is None:
            for e in self.entries[low:high]:
                if isinstance(e, Mark) and self.jumps.get(fold(e.label)):
                    if only_until:
                        raise self.refuse(entry)
                    break
                if not (isinstance(e, Mark) or (isinstance(e, Lines) and e.is_comment)):
                    raise self.report.stop(
                        entry.place,
                        f"what follows the jump to '{entry.label}' is never reached",
                        "remove it, or make the jump conditional",
                    )
        return low

    def loop(self, head: int, end: int, high: int, after: frozenset[str]) -> list[str]:
        """The loop from the label at `head` to the jump back at `end`."""
        mark, back = self.entries[head], self.entries[end]
        assert isinstance(mark, Mark)
        assert isinstance(back, Jump)
        label = frozenset({fold(mark.label)})
        breaks = self.labels_at(end + 1, high, after)
        first = head + 1
        entry = self.entries[first]
        inner = [k for k in self.jumps[fold(mark.label)] if head < k < end]
        if back.condition is None:
            if (
                isinstance(entry, Jump)
                and first < end
                and entry.condition is not None
                and fold(entry.label) in breaks
            ):
                body = self.block(first + 1, end, label, breaks, label)
                return [
                    f"WHILE {show(negation(entry.condition))} DO",
                    *indented(body),
                    "END_WHILE;",
                ]
            body = self.block(first, end, label, breaks, label)
            return ["WHILE TRUE DO", *indented(body), "END_WHILE;"]
        if not inner:
            body = self.block(first, end, frozenset(), breaks, frozenset())
            until = show(negation(back.condition))
            return ["REPEAT", *indented(body), f"UNTIL {until} END_REPEAT;"]
        body = self.block(first, end, frozenset(), breaks, label)
        body += _when(negation(back.condition), "EXIT;")
        return ["WHILE TRUE DO", *indented(body), "END_WHILE;"]


def _when(condition: tree.Expr | None, statement: str) -> list[str]:
    if condition is None:
        return [statement]
    return _if(condition, [statement], [])


def _if(condition: tree.Expr, yes: list[str], no: list[str]) -> list[str]:
    """IF with the parts that are not empty."""
    if not yes and not no:
        return []
    if not yes:
        condition, yes, no = negation(condition), no, []
    out = [f"IF {show(condition)} THEN", *indented(yes)]
    if no:
        out += ["ELSE", *indented(no)]
    return [*out, "END_IF;"]
