"""Events: when something happened on the bench, and how to be told when it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from host_tools.record import record

Times = Callable[[int], Iterator[int]]
Watch = Callable[[Callable[[int], None]], Callable[[], None]]


@record(frozen=True, eq=False)
class Event:
    """What signals do, told in words by `text`; `limits` are the values it speaks of, by signal.

    `times(begin_ns)` gives when it has happened from then on, in order; `watch(happened)` calls
    with each later time until what it returned is called. `a | b` is either one, `a & b` the time
    at which the later one of the two has happened.
    """

    text: str
    signals: tuple[str, ...]
    times: Times
    watch: Watch
    limits: tuple[tuple[str, float], ...] = ()

    def latest(self, begin_ns: int = 0) -> int | None:
        """When it happened last, None if not since `begin_ns`."""
        found = None
        for found in self.times(begin_ns):  # noqa: B007
            pass
        return found

    def first(self, begin_ns: int = 0) -> int | None:
        return next(self.times(begin_ns), None)

    def __or__(self, other: Event) -> Event:
        def times(begin_ns: int) -> Iterator[int]:
            return iter(sorted({*self.times(begin_ns), *other.times(begin_ns)}))

        def watch(happened: Callable[[int], None]) -> Callable[[], None]:
            ends = [self.watch(happened), other.watch(happened)]
            return lambda: _call_all(ends)

        return self._joined("or", other, times, watch)

    def __and__(self, other: Event) -> Event:
        def times(begin_ns: int) -> Iterator[int]:
            first = self.first(begin_ns), other.first(begin_ns)
            if first[0] is not None and first[1] is not None:
                yield max(first[0], first[1])

        def watch(happened: Callable[[int], None]) -> Callable[[], None]:
            seen: set[int] = set()

            def one(which: int, time_ns: int) -> None:
                seen.add(which)
                if len(seen) == 2:
                    seen.clear()
                    happened(time_ns)

            ends = [self.watch(lambda ns: one(0, ns)), other.watch(lambda ns: one(1, ns))]
            return lambda: _call_all(ends)

        return self._joined("and", other, times, watch)

    def _joined(self, word: str, other: Event, times: Times, watch: Watch) -> Event:
        text = f"{self.text} {word} {other.text}"
        limits = self.limits + other.limits
        return Event(text, self.signals + other.signals, times, watch, limits)


def _call_all(ends: list[Callable[[], None]]) -> None:
    for end in ends:
        end()
