"""Reads tables of sources with the diagnostic each is to give: compiler_errors.txt, warnings.txt,
syntax_errors.txt."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from host_tools.compiler.diagnostics import Diagnostic
from host_tools.compiler.source import Span


@dataclass
class Case:
    """A source, and the one diagnostic it is to give. Places are (start, end) in the source. The
    code is empty where it is to give none."""

    text: str = ""
    place: tuple[int, int] = (0, 0)
    others: list[tuple[int, int]] = field(default_factory=list)
    code: str = ""
    message: str = ""
    help: str = ""
    labels: list[str] = field(default_factory=list)


def unmarked(marked: str, case: Case) -> None:
    """Take the marks out of a source and note where they were."""
    opened: list[tuple[str, int]] = []
    text = ""
    for c in marked:
        if c in "⟦⟪":
            opened.append((c, len(text)))
        elif c in "⟧⟫":
            mark, start = opened.pop()
            if mark == "⟦":
                case.place = (start, len(text))
            else:
                case.others.append((start, len(text)))
        else:
            text += c
    case.text = text


def parsed(block: str) -> Case:
    case = Case()
    source: list[str] = []
    for line in block.splitlines():
        if re.match(r"[EW]\d{4} ", line):
            case.code, case.message = line.split(" ", 1)
        elif line.startswith("? "):
            case.help = line[2:]
        elif line.startswith("+ "):
            case.labels.append(line[2:])
        elif not line.startswith("#") and line != "none":
            source.append(line)
    text = "\n".join(source)
    if re.search(r"\|(?= |$)", text, re.MULTILINE):
        declarations, _, statements = text.partition("|")
        text = f"PROGRAM p\nVAR {declarations} END_VAR\n{statements}\nEND_PROGRAM"
    unmarked(text, case)
    return case


def cases(table: Path) -> list[Case]:
    """The cases of a table, in its order."""
    return [
        parsed(block)
        for block in re.split(r"\n\n+", table.read_text(encoding="utf-8"))
        if re.search(r"^([EW]\d{4} |none$)", block, re.MULTILINE)
    ]


def names(found: list[Case]) -> list[str]:
    """For pytest: the code, or "none", and a number."""
    return [f"{c.code or 'none'}-{i}" for i, c in enumerate(found)]


def at(span: Span) -> tuple[int, int, str]:
    return (span.line, span.column, span.text)


def expected_at(text: str, place: tuple[int, int]) -> tuple[int, int, str]:
    before = text[: place[0]]
    column = len(before) - (before.rfind("\n") + 1) + 1
    return (before.count("\n") + 1, column, text[place[0] : place[1]])


def check(case: Case, found: list[Diagnostic]) -> None:
    """Exactly the diagnostic of the case, with all its places."""
    assert [(d.code, d.message) for d in found if case.message not in d.message] == []
    assert [d.code for d in found] == [case.code] * bool(case.code)
    if not case.code:
        return
    (d,) = found
    assert at(d.span) == expected_at(case.text, case.place)
    assert case.help
    assert case.help in d.help
    assert [at(o.span) for o in d.others] == [expected_at(case.text, o) for o in case.others]
    assert len(d.others) == len(case.labels)
    for other, label in zip(d.others, case.labels, strict=True):
        assert label in other.text
