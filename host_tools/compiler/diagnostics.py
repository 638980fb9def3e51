"""Diagnostics as values: code, span, second span, help; printing is somebody else's work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from host_tools.compiler.source import Span
from host_tools.record import record


@record(frozen=True)
class Label:
    """A second place and what is there."""

    span: Span
    text: str


@record(frozen=True)
class Diagnostic:
    """`code` is a key of the registry (docs/errors/CODE.md); "E" errors stop the build, "W" warn.

    `message` says what is wrong, `label` what stands at `span`, `help` what to type instead.
    """

    code: str
    message: str
    span: Span
    label: str = ""
    others: tuple[Label, ...] = ()
    help: str = ""

    @property
    def is_error(self) -> bool:
        return self.code.startswith("E")


class Reporter:
    """Collects diagnostics; at most one per place and code, so that one mistake is told once."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._seen: set[tuple[str, int, int, str]] = set()
        self._syntax: dict[str, list[Span]] = {}

    def report(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        label: str = "",
        others: Iterable[Label] = (),
        help: str = "",
    ) -> None:
        key = (span.source.name, span.start, span.end, code)
        if key in self._seen or self._follows_syntax_error(span):
            return
        self._seen.add(key)
        self.diagnostics.append(Diagnostic(code, message, span, label, tuple(others), help))

    def end_of_syntax(self) -> None:
        """What was reported up to here is wrong in its form. Later reports that may be about the
        same mistakes are dropped: on the same line, or about a text that holds one."""
        for d in self.diagnostics:
            if d.is_error:
                self._syntax.setdefault(d.span.source.name, []).append(d.span)

    def _follows_syntax_error(self, span: Span) -> bool:
        return any(
            span.line == other.line or (span.start <= other.start < other.end <= span.end)
            for other in self._syntax.get(span.source.name, ())
        )

    @property
    def has_errors(self) -> bool:
        return any(d.is_error for d in self.diagnostics)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, or None."""
    by_fold = {k.upper(): k for k in known}
    close = get_close_matches(name.upper(), list(by_fold), n=1, cutoff=0.65)
    return by_fold[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A help sentence, empty where nothing is near."""
    best = nearest(name, known)
    return f"did you mean '{best}'?" if best else ""


def sort_key(d: Diagnostic) -> tuple[str, int, int, str]:
    return (d.span.source.name, d.span.start, d.span.end, d.code)


def in_order(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """By file and place."""
    return sorted(diagnostics, key=sort_key)
