"""Prints diagnostics, tables and progress on a terminal, in colour only where that is wanted."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from io import StringIO
from types import TracebackType
from typing import IO, Any

from host_tools.compiler.diagnostics import Diagnostic, in_order
from host_tools.compiler.source import Span

_CODES = {"bold": "1", "red": "1;31", "yellow": "1;33", "blue": "1;34", "green": "32", "dim": "2"}


_COLUMNS = 160
"""Of output that is no terminal."""

_MOST_SHOWN = 100


class Style:
    """Paints text with ANSI colours, or leaves it as it is; `columns` is how wide it may be."""

    def __init__(self, stream: IO[str]) -> None:
        terminal = stream.isatty()
        self.on = (
            terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
        )
        self.columns = _COLUMNS
        if terminal:
            with suppress(OSError, ValueError):
                self.columns = os.get_terminal_size(stream.fileno()).columns or _COLUMNS

    @classmethod
    def plain(cls) -> Style:
        """For files: no colours."""
        return cls(StringIO())

    def __call__(self, color: str, text: str) -> str:
        return f"\033[{_CODES[color]}m{text}\033[0m" if self.on and text else text


# --- diagnostics -----------------------------------------------------------------------------


def diagnostics_text(diagnostics: Sequence[Diagnostic], style: Style) -> str:
    """The diagnostics in the order of the files, the first hundred of them, and how many there
    are."""
    parts = [diagnostic_text(d, style) for d in in_order(diagnostics)[:_MOST_SHOWN]]
    if len(diagnostics) > _MOST_SHOWN:
        parts.append(f"… and {len(diagnostics) - _MOST_SHOWN} more")
    errors = sum(d.is_error for d in diagnostics)
    counts = [
        style(color, f"{n} {word}{'s' if n > 1 else ''}")
        for n, word, color in (
            (errors, "error", "red"),
            (len(diagnostics) - errors, "warning", "yellow"),
        )
        if n
    ]
    return "\n\n".join(parts) + (f"\n\n{', '.join(counts)}" if counts else "")


def diagnostic_text(d: Diagnostic, style: Style) -> str:
    """One diagnostic with the lines it speaks of."""
    word, color = ("error", "red") if d.is_error else ("warning", "yellow")
    lines = [style(color, f"{word}[{d.code}]") + style("bold", f": {d.message}")]
    # A span without text, such as that of a file that is missing a section, has only a place.
    marks = [(d.span, d.label, "^", color)]
    marks += [(other.span, other.text, "-", "blue") for other in d.others]
    width = max(len(str(span.line)) for span, *_ in marks)
    bar = style("blue", " " * (width + 1) + "|")
    shown = ""
    for span, text, mark, paint in marks:
        if span.source.name != shown:
            arrow = "-->" if not shown else ":::"
            lines.append(" " * width + style("blue", arrow) + f" {span}")
            shown = span.source.name
            lines.append(bar)
        else:
            lines.append(style("blue", "..."))
        line, before, under = _excerpt(span, mark, max(style.columns - width - 3, 20))
        number = style("blue", f"{span.line:>{width}} |")
        lines.append(f"{number} {line}".rstrip())
        lines.append(f"{bar} {before}" + style(paint, f"{under} {text}".rstrip()))
    if d.help:
        first, *rest = d.help.splitlines()
        lines.append(" " * width + style("blue", " = ") + style("bold", "help") + f": {first}")
        lines += [" " * (width + 9) + line for line in rest]
    return "\n".join(lines)


def marked(span: Span, label: str, color: str, style: Style) -> list[str]:
    """Where a span is, its line, and marks under it; only the place where the text is not here."""
    width = len(str(span.line))
    place = " " * width + style("blue", "-->") + f" {span}"
    if not span.source.text:
        return [place]
    bar = style("blue", " " * (width + 1) + "|")
    line, before, under = _excerpt(span, "^", max(style.columns - width - 3, 20))
    number = style("blue", f"{span.line:>{width}} |")
    said = style(color, f"{under} {label}".rstrip())
    return [place, bar, f"{number} {line}".rstrip(), f"{bar} {before}{said}"]


def _excerpt(span: Span, mark: str, columns: int) -> tuple[str, str, str]:
    """The line of a span, cut to so many columns around it, blanks up to it and the marks under
    it; a span of several lines ends at the first."""
    line = span.source.line_text(span.line)
    start = span.column - 1
    end = min(start + max(span.end - span.start, 1), max(len(line), start + 1))
    lead = ""
    if len(line) * 2 > columns and _width(line) > columns:
        # What leads to a mistake says more than what follows.
        first = max(0, start - columns // 4)
        if line.isascii():
            first = max(0, min(start - columns // 2, len(line) - columns))
        lead = "…" if first else ""
        line, start, end = line[first + len(lead) :], start - first, end - first
        start, end = start - len(lead), end - len(lead)
        line, cut = _fitting(line, columns - len(lead))
        end = min(end, max(len(line), start + 1))
        shown = lead + _tabs(line) + cut
    else:
        shown = _tabs(line)
    before = " " * (len(lead) + _width(line[:start]))
    return shown, before, mark * max(_width(line[start:end]), 1)


def _fitting(line: str, columns: int) -> tuple[str, str]:
    """As much of a line as fits, and "…" where that is not all."""
    if _width(line) <= columns:
        return line, ""
    line = line[: columns - 1]
    while _width(line) > columns - 1:
        line = line[:-1]
    return line, "…"


def _tabs(text: str) -> str:
    return "".join(" " if c == "\t" or not c.isprintable() else c for c in text)


def _width(text: str) -> int:
    """Columns that `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in _tabs(text))


def diagnostic_json(d: Diagnostic) -> dict[str, Any]:
    """One diagnostic for `--json`."""
    line, column = d.span.source.line_col(d.span.end)
    return {
        "code": d.code,
        "severity": "error" if d.is_error else "warning",
        "message": d.message,
        **_place(d.span),
        "end_line": line,
        "end_column": column,
        "label": d.label,
        "others": [{**_place(other.span), "text": other.text} for other in d.others],
        "help": d.help,
    }


def _place(span: Span) -> dict[str, Any]:
    return {"file": span.source.name, "line": span.line, "column": span.column}


# --- tables ----------------------------------------------------------------------------------


def table_text(head: Sequence[str], rows: Sequence[Sequence[str]], style: Style) -> str:
    """Columns as wide as they need; what looks like a number is set to the right."""
    columns = list(zip(head, *rows, strict=True))
    widths = [max(_width(cell) for cell in column) for column in columns]
    right = [
        bool(rows) and all(not c.strip("-") or c[:1].isdigit() or c[:1] == "-" for c in column[1:])
        for column in columns
    ]

    def line(cells: Sequence[str]) -> str:
        padded = (
            " " * (w - _width(c)) + c if r else c + " " * (w - _width(c))
            for c, w, r in zip(cells, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([style("bold", line(head)), *map(line, rows)])


# --- progress --------------------------------------------------------------------------------


class Progress:
    """Says on a terminal what is being waited for, if it takes over a second.

    `with Progress("compiling the firmware"): …`; `say` changes the text on the way.
    """

    def __init__(self, text: str, stream: IO[str] | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._text = text
        self._shown = ""
        self._due = False
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Progress:
        if self._stream.isatty():
            self._timer = threading.Timer(1.0, self._show)
            self._timer.daemon = True
            self._timer.start()
        return self

    def say(self, text: str) -> None:
        """What is being waited for now."""
        with self._lock:
            self._text = text
            if self._due:
                self._write()

    def tell(self, text: str) -> None:
        """As say, for what may take minutes: without a terminal it becomes a line of its own."""
        if self._stream.isatty():
            self.say(text)
        else:
            print(text, file=self._stream, flush=True)

    def _show(self) -> None:
        with self._lock:
            self._due = True
            self._write()

    def _write(self) -> None:
        blank = " " * max(len(self._shown) - len(self._text), 0)
        self._shown = self._text
        self._stream.write(f"\r{self._text} …{blank}")
        self._stream.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def end(self) -> None:
        """The wait is over: what was shown is wiped out."""
        if self._timer:
            self._timer.cancel()
            with self._lock:
                self._due = False
                if self._shown:
                    self._stream.write("\r" + " " * (len(self._shown) + 2) + "\r")
                    self._stream.flush()
                    self._shown = ""
