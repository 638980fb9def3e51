"""What happened on the bench, on one axis of time: signals, tasks, faults, checks, bus frames.

Everything that takes part in a run adds to a `Recording`; reports (hil_tests/report/) are made
from it alone. Times are ns of the device's own time since its program was started.
"""

from __future__ import annotations

from bisect import bisect_right, insort_right
from collections.abc import Callable

from host_tools.record import field, record

Value = bool | int | float | None
"""Of a signal: BOOL as bool; None where nothing drives a line."""


@record(frozen=True)
class SignalInfo:
    """A named signal. `kind` is "digital" or "analogue", `unit` such as "%" or "" for none;
    `to_device`: it is a stimulus, an input of the device under test."""

    name: str
    kind: str
    unit: str = ""
    to_device: bool = False
    about: str = ""


@record(frozen=True)
class Change:
    """A signal has taken a value."""

    time_ns: int
    signal: str
    value: Value


@record()
class FaultSpan:
    """An injected fault, from `begin_ns` until it was taken back (None: to the end)."""

    begin_ns: int
    text: str
    signal: str | None = None
    end_ns: int | None = None


@record(frozen=True)
class Check:
    """An assertion on signals and time, as `expect(…)` makes them. `text` says what was expected,
    `detail` what was seen, `where` is the line of the test ("test_tank.py:42"); `limits` are the
    values of signals that it speaks of, in their units."""

    begin_ns: int
    end_ns: int
    text: str
    passed: bool
    detail: str = ""
    signals: tuple[str, ...] = ()
    where: str = ""
    limits: tuple[tuple[str, float], ...] = ()


@record(frozen=True)
class Frame:
    """What went over a bus: the bytes of one frame, and what they mean."""

    time_ns: int
    bus: str
    to_device: bool
    data: bytes
    text: str = ""
    good: bool = True


@record(frozen=True)
class Release:
    """A scan of a task: when it was released, how late it began, how long it took (both 0 where
    time is logical)."""

    time_ns: int
    task: str
    latency_ns: int = 0
    duration_ns: int = 0


@record()
class Recording:
    """Lists in the order of time. `listeners` are called with each change of a signal. `acted_ns`
    is when the test did something last: set a signal, injected a fault, cut the power."""

    signals: dict[str, SignalInfo] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    faults: list[FaultSpan] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    notes: list[tuple[int, str]] = field(default_factory=list)
    end_ns: int = 0
    acted_ns: int = 0
    listeners: list[Callable[[Change], None]] = field(default_factory=list)
    _of: dict[str, list[Change]] = field(default_factory=dict)

    def add_signal(self, info: SignalInfo) -> None:
        self.signals[info.name] = info
        self._of[info.name] = []

    def change(self, time_ns: int, signal: str, value: Value) -> None:
        """Note the value of a signal; only a change is kept."""
        of = self._of[signal]
        if of and of[-1].value == value and type(of[-1].value) is type(value):
            return
        made = Change(time_ns, signal, value)
        of.append(made)
        if self.changes and time_ns < self.changes[-1].time_ns:
            # An instrument tells of edges some time after they happened.
            insort_right(self.changes, made, key=lambda c: c.time_ns)
        else:
            self.changes.append(made)
        self.end_ns = max(self.end_ns, time_ns)
        for listener in tuple(self.listeners):
            listener(made)

    def of(self, signal: str, begin_ns: int = 0, end_ns: int | None = None) -> list[Change]:
        """The changes of one signal from `begin_ns` to before `end_ns`."""
        return [
            c
            for c in self._of[signal]
            if c.time_ns >= begin_ns and (end_ns is None or c.time_ns < end_ns)
        ]

    def value_at(self, signal: str, time_ns: int) -> Value:
        """The value a signal has at a time; None before its first one."""
        of = self._of[signal]
        k = bisect_right(of, time_ns, key=lambda c: c.time_ns)
        return of[k - 1].value if k else None
