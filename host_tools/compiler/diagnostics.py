"""Diagnostics as values: code, span, second span, help; printing is somebody else's work."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from heapq import nlargest
from operator import itemgetter

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
    `denied`: a warning that the project takes for an error.
    """

    code: str
    message: str
    span: Span
    label: str = ""
    others: tuple[Label, ...] = ()
    help: str = ""
    denied: bool = False

    @property
    def is_error(self) -> bool:
        return self.denied or self.code.startswith("E")


class _Places:
    """Where a source has syntax errors."""

    def __init__(self, spans: list[Span]) -> None:
        spans = sorted((s for s in spans), key=lambda s: (s.start, s.end))
        self.lines = {s.line for s in spans}
        spans = [s for s in spans if s.start < s.end]
        self._starts = [s.start for s in spans]
        # The first end of all that start here or later: something lies inside of a text when
        # that is not beyond its end.
        self._ends = [s.end for s in spans]
        for i in range(len(spans) - 2, -1, -1):
            self._ends[i] = min(self._ends[i], self._ends[i + 1])

    def any_inside(self, span: Span) -> bool:
        at = bisect_left(self._starts, span.start)
        return at < len(self._ends) and self._ends[at] <= span.end


class Reporter:
    """Collects diagnostics; at most one per place and code, so that one mistake is told once."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._seen: set[tuple[str, int, int, str]] = set()
        self._syntax: dict[str, _Places] = {}

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

    def is_first(self, *what: str) -> bool:
        """Whether this is asked for the first time: what is missing is missed wherever it is
        used, and told once."""
        key = ("", 0, 0, "\0".join(what))
        first = key not in self._seen
        self._seen.add(key)
        return first

    def end_of_syntax(self) -> None:
        """What was reported up to here is wrong in its form. Later reports that may be about the
        same mistakes are dropped: on the same line, or about a text that holds one."""
        spans: dict[str, list[Span]] = {}
        for d in self.diagnostics:
            if d.is_error:
                spans.setdefault(d.span.source.name, []).append(d.span)
        self._syntax = {name: _Places(found) for name, found in spans.items()}

    def _follows_syntax_error(self, span: Span) -> bool:
        if not self._syntax:
            return False
        places = self._syntax.get(span.source.name)
        return places is not None and (span.line in places.lines or places.any_inside(span))

    @property
    def has_errors(self) -> bool:
        return any(d.is_error for d in self.diagnostics)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, or None."""
    wanted = name.upper()
    size, letters = len(wanted), _letters(wanted)
    candidates: list[tuple[float, str]] = []
    for k in known:
        # A letter that only one of the two has is left over, whatever the order.
        other, length = _letters(k), len(k)
        common = min(
            size - (letters & ~other).bit_count(), length - (other & ~letters).bit_count()
        )
        if 2 * common >= _NEAR * (size + length):
            candidates.append((common / (size + length), k))
    if len(candidates) > _LOOKED_AT:
        candidates = nlargest(_LOOKED_AT, candidates, key=itemgetter(0))
    by_fold = {k.upper(): k for _, k in candidates}
    close = get_close_matches(wanted, list(by_fold), n=1, cutoff=_NEAR)
    return by_fold[close[0]] if close else None


_NEAR = 0.65
_LOOKED_AT = 40
"""Names compared closely; that is a hundred times slower than comparing their letters."""


@lru_cache(maxsize=1 << 16)
def _letters(name: str) -> int:
    """The letters and digits of a name, as bits."""
    bits = 0
    for c in name.upper():
        bits |= 1 << (ord(c) & 63)
    return bits


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A help sentence, empty where nothing is near."""
    best = nearest(name, known)
    return f"did you mean '{best}'?" if best else ""


def sort_key(d: Diagnostic) -> tuple[str, int, int, str]:
    return (d.span.source.name, d.span.start, d.span.end, d.code)


def in_order(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """By file and place."""
    return sorted(diagnostics, key=sort_key)
