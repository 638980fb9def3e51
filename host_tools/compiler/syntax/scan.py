"""What a piece of the lexer needs: the text and where to report."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.source import Source, Span
from host_tools.record import Record


class Scan(Record):
    """A text that is being read, and the reporter for what is wrong with it."""

    source: Source
    text: str
    reporter: Reporter

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def error(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        *,
        label: str = "",
        others: Iterable[Label] = (),
        help: str = "",
    ) -> None:
        span = Span(self.source, start, end)
        self.reporter.report(code, message, span, label=label, others=others, help=help)
