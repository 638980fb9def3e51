"""A table of two kinds of things: faults against expectations, mutants against tests."""

from __future__ import annotations

from html import escape

from host_tools.record import field, record

STATES = ("good", "bad", "none")
"""Of a cell: what was wanted has happened, has not, or was not tried."""


@record(frozen=True)
class Cell:
    """What came out; `text` is short ("120 ms"), `about` says more, `link` leads to a timeline,
    relative to the folder of the run."""

    state: str
    text: str = ""
    about: str = ""
    link: str = ""


@record()
class Matrix:
    """`rows` and `columns` are names; what is not in `cells` was not tried. `notes` stand below,
    such as how many mutants were killed."""

    title: str
    row_kind: str
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, row: str, column: str, cell: Cell) -> None:
        """Set a cell; names that are new are added at the end."""
        if row not in self.rows:
            self.rows.append(row)
        if column not in self.columns:
            self.columns.append(column)
        self.cells[row, column] = cell

    def at(self, row: str, column: str) -> Cell:
        return self.cells.get((row, column), Cell("none"))

    def count(self, state: str) -> int:
        """Of the cells that are there."""
        return sum(cell.state == state for cell in self.cells.values())


_UPRIGHT = 8
"""Columns up to which their names are written horizontally."""

_SIGNS = {"good": "✓", "bad": "✗", "none": "–"}


def cell_text(cell: Cell) -> str:
    return f"{_SIGNS[cell.state]} {cell.text}".strip()


def matrix_text(matrix: Matrix) -> str:
    """To print: columns are numbered, their names stand below."""
    numbers = [str(n) for n in range(1, len(matrix.columns) + 1)]
    table = [
        [cell_text(matrix.at(row, column)) for column in matrix.columns] for row in matrix.rows
    ]
    widths = [
        max([len(number), *(len(line[n]) for line in table)]) for n, number in enumerate(numbers)
    ]
    first = max([len(matrix.row_kind), *map(len, matrix.rows)])
    lines = [matrix.title]
    for name, cells in zip([matrix.row_kind, *matrix.rows], [numbers, *table], strict=True):
        shown = "  ".join(f"{c:{w}}" for c, w in zip(cells, widths, strict=True))
        lines.append(f"{name:{first}}  {shown}".rstrip())
    lines += [f"{n}: {column}" for n, column in zip(numbers, matrix.columns, strict=True)]
    return "\n".join([*lines, *matrix.notes]) + "\n"


def matrix_object(matrix: Matrix) -> dict[str, object]:
    """For JSON: a list of the cells that were tried."""
    cells = []
    for (row, column), cell in matrix.cells.items():
        entry = {"row": row, "column": column, "state": cell.state}
        for name in ("text", "about", "link"):
            if value := getattr(cell, name):
                entry[name] = value
        cells.append(entry)
    return {
        "title": matrix.title,
        "rows": matrix.rows,
        "columns": matrix.columns,
        "good": matrix.count("good"),
        "bad": matrix.count("bad"),
        "cells": cells,
        "notes": matrix.notes,
    }


def matrix_html(matrix: Matrix) -> str:
    """A table for a page of the run; its style is that of run_page."""
    head = "".join(f'<th scope="col"><span>{escape(c)}</span></th>' for c in matrix.columns)
    rows = ""
    for row in matrix.rows:
        cells = "".join(_cell(matrix.at(row, column), row, column) for column in matrix.columns)
        rows += f'<tr><th scope="row">{escape(row)}</th>{cells}</tr>\n'
    notes = "".join(f"<p>{escape(note)}</p>" for note in matrix.notes)
    kind = "matrix many" if len(matrix.columns) > _UPRIGHT else "matrix"
    return (
        f'<section><h2>{escape(matrix.title)}</h2><div class="wide"><table class="{kind}">'
        f'<thead><tr><th scope="col">{escape(matrix.row_kind)}</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{notes}</section>"
    )


def _cell(cell: Cell, row: str, column: str) -> str:
    about = escape(f"{row} × {column}: {cell.about or cell.text or cell.state}")
    text = escape(cell_text(cell))
    if cell.link:
        text = f'<a href="{escape(cell.link)}">{text}</a>'
    return f'<td class="{cell.state}" title="{about}">{text}</td>'
