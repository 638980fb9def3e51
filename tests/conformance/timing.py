"""Timing diagrams in text, in docs/library/: read, run and drawn.

    ```timing
    TON(PT := T#30ms)   10 ms
    IN  _-----__--_
    Q   ____--_____
    ET  00123300100     10 ms
    ```

The first line names the block, initial values of its inputs, and the time between two calls. A row
is a variable of the block and its value at each call: `_` FALSE, `-` TRUE, or a digit, which
counts in the unit behind the row (1 where there is none); `^` is more than nine of them. Inputs
are given, outputs are what a run made of them.
`python -m tests.conformance.timing` draws the outputs of all pages anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.duration import parse_duration
from host_tools.variables import Variables
from tests.conformance.library_support import Running

PAGES = sorted((Path(__file__).parents[2] / "docs/library").glob("*.md"))
FENCE = re.compile(r"```timing\n(.*?)```", re.DOTALL)
HEAD = re.compile(r"(\w+)(\(.*\))?\s+(\d+ m?s)$")
ROW = re.compile(r"(\w+)( +)(\S+)(?: +(.+))?$")


@dataclass
class Row:
    name: str
    gap: str
    drawn: str
    unit: str

    @property
    def text(self) -> str:
        return f"{self.name}{self.gap}{self.drawn}" + (f"     {self.unit}" if self.unit else "")


@dataclass
class Diagram:
    head: str
    block: str
    initial: str
    interval_ns: int
    rows: list[Row]

    @property
    def text(self) -> str:
        return "\n".join([self.head, *(row.text for row in self.rows)]) + "\n"


def nanoseconds(text: str) -> int:
    return parse_duration("T#" + text.replace(" ", ""))


def read(text: str) -> Diagram:
    lines = text.rstrip("\n").split("\n")
    head = HEAD.match(lines[0])
    assert head is not None, lines[0]
    rows = []
    for line in lines[1:]:
        m = ROW.match(line)
        assert m is not None, line
        rows.append(Row(m[1], m[2], m[3], m[4] or ""))
    assert len({len(row.drawn) for row in rows}) == 1, text
    initial = f" := {head[2]}" if head[2] else ""
    return Diagram(lines[0], head[1], initial, nanoseconds(head[3]), rows)


def diagrams(page: Path) -> list[Diagram]:
    return [read(m[1]) for m in FENCE.finditer(page.read_text(encoding="utf-8"))]


def drawn(d: Diagram) -> Diagram:
    """The diagram with its outputs as a run has them."""
    running = Running(f"PROGRAM p VAR b : {d.block}{d.initial}; END_VAR b(); END_PROGRAM")
    variables: Variables = running.variables
    sections = {row.name: section(d.block, row.name) for row in d.rows}
    made: dict[str, str] = {row.name: "" for row in d.rows}
    for i in range(len(d.rows[0].drawn)):
        for row in d.rows:
            if sections[row.name] == "VAR_INPUT":
                put(running, row, row.drawn[i])
        running.scan(i * d.interval_ns)
        for row in d.rows:
            if sections[row.name] != "VAR_INPUT":
                value = variables.read(running.image, f"p.b.{row.name}")
                made[row.name] += sign(row, value)
    rows = [Row(r.name, r.gap, made[r.name] or r.drawn, r.unit) for r in d.rows]
    return Diagram(d.head, d.block, d.initial, d.interval_ns, rows)


def section(block: str, name: str) -> str:
    from host_tools.compiler import library_index

    pou = library_index.parse_entry(library_index.index()[block.upper()], 0)
    for vars_ in pou.blocks:
        for decl in vars_.decls:
            if any(ident.name.upper() == name.upper() for ident in decl.names):
                return vars_.kind
    raise AssertionError(f"{block} has no {name}")


def unit_of(row: Row) -> Any:
    """What a digit counts."""
    if not row.unit:
        return 1
    return nanoseconds(row.unit) if row.unit[-1] == "s" else float(row.unit)


def put(running: Running, row: Row, c: str) -> None:
    value: Any = {"_": False, "-": True}.get(c)
    if value is None:
        value = int(c) * unit_of(row)
    offset, data, bit = running.variables.encode(f"p.b.{row.name}", value)
    assert bit is None
    running.image[offset : offset + len(data)] = data


def sign(row: Row, value: Any) -> str:
    if isinstance(value, bool):
        return "-" if value else "_"
    n = round(value / unit_of(row))
    return str(n) if 0 <= n <= 9 else "^"


def main() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        new = FENCE.sub(lambda m: f"```timing\n{drawn(read(m[1])).text}```", text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            print(f"drew {page.name}")


if __name__ == "__main__":
    main()
