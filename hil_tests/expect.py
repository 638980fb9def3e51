"""Assertions that speak of signals and time: `expect(signals.pump).rises(within="50ms")`.

Times are counted from `after`, an event: from the latest time that it has happened, or, if it has
not, from when it does (`wait`, 10 s). Without `after` they are counted from what the test did
last: set a signal or a variable, injected a fault, cut the power. What has passed already is
looked up in the recording; where that does not decide, the clock runs. Bounds are widened by the
tolerance of the device (`edge`, `analogue` in bench.toml).

Each assertion is added to the recording as a Check; one that fails raises AssertionError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from hil_tests.clock import Clock, Duration, nanoseconds
from hil_tests.device import Device
from hil_tests.durations import Durations
from hil_tests.events import Event
from hil_tests.recording import Change, Check, Recording, Value
from hil_tests.signals import Signal
from hil_tests.where import calling_line
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.duration import duration_text
from host_tools.failure import USAGE, Failure

_WAIT: Duration = "10s"
__tracebackhide__ = True  # what a test sees of a failure is its own line


class Judge:
    """What expectations need of the bench they speak of."""

    def __init__(self, recording: Recording, clock: Clock, edge_ns: int, analogue: float) -> None:
        self.recording = recording
        self.clock = clock
        self.edge_ns = edge_ns
        self.analogue = analogue

    def decide(self, check: Check) -> None:
        """Record a check; AssertionError where it failed."""
        self.recording.checks.append(check)
        if check.passed:
            return
        from hil_tests.report.words import last_edges

        seen = f"seen: {check.detail}\n" if check.detail else ""
        raise AssertionError(f"{check.text}\n{seen}{last_edges(self.recording, check)}")


def scan_latency(device: Device, task: str | None = None) -> Durations:
    """From each release of a task (of all tasks) to the start of its scan. Raises Failure where
    the device does not measure it."""
    if "latency" not in device.capabilities:
        raise Failure(
            f"device '{device.kind}' does not measure the latency of scans",
            'mark the test: @pytest.mark.needs("latency")',
            USAGE,
        )
    releases = device.recording.releases
    names = list(dict.fromkeys(release.task for release in releases))
    if task is not None and task not in names:
        help = did_you_mean(task, names) or f"those that have been scanned: {', '.join(names)}"
        raise Failure(f"no task '{task}' has been scanned", help, USAGE)
    values = [r.latency_ns for r in releases if task in (None, r.task)]
    text = f"scan latency of {task}" if task is not None else "scan latency"
    return Durations(Judge(device.recording, Clock(device), 0, 0.0), text, values, ())


def expect(signal: Signal) -> Expectation:
    """What is expected of a signal."""
    if not isinstance(signal, Signal):
        raise Failure(f"expect takes a signal, not {signal!r}", "expect(signals.NAME)", USAGE)
    return Expectation(signal)


def _shown(signal: Signal, value: Value) -> str:
    if value is None:
        return "open"
    if signal.info.kind == "digital":
        return str(bool(value)).lower()
    return f"{value:g}{signal.info.unit and ' ' + signal.info.unit}"


class Expectation:
    """Of one signal. Durations are texts such as "50ms", or ns."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        assert isinstance(signal.judge, Judge)
        self._judge = signal.judge
        self._recording = signal.judge.recording
        self._clock = signal.judge.clock
        self._limits: tuple[tuple[str, float], ...] = ()

    # --- edges ---------------------------------------------------------------------------------

    def rises(
        self,
        within: Duration | None = None,
        after: Event | None = None,
        *,
        not_before: Duration = 0,
        wait: Duration = _WAIT,
    ) -> int:
        """It goes from false to true `within` that time, and not earlier than `not_before`; the
        delay in ns. Without `within`: it has done so by now."""
        return self._edge(self._signal.rises(), "rises", within, after, not_before, wait)

    def falls(
        self,
        within: Duration | None = None,
        after: Event | None = None,
        *,
        not_before: Duration = 0,
        wait: Duration = _WAIT,
    ) -> int:
        """As `rises`, from true to false."""
        return self._edge(self._signal.falls(), "falls", within, after, not_before, wait)

    def _edge(
        self,
        edge: Event,
        verb: str,
        within: Duration | None,
        after: Event | None,
        not_before: Duration,
        wait: Duration,
    ) -> int:
        name, tolerance_ns = self._signal.name, self._judge.edge_ns
        early_ns = nanoseconds(not_before)
        text = f"{name} {verb}"
        if within is not None:
            text += f" within {duration_text(nanoseconds(within))}"
        if early_ns:
            text += f", not before {duration_text(early_ns)}"
        start_ns = self._start(text, after, wait)
        text += self._after(after)
        if within is None:
            end_ns = self._clock.now
        else:
            end_ns = start_ns + nanoseconds(within) + tolerance_ns
        found = self._wait_for(edge, start_ns, end_ns)
        if found is None or found > end_ns:
            held = _shown(self._signal, self._recording.value_at(name, end_ns))
            seen = f"no such edge, it is {held}"
            late = edge.first(end_ns)
            if late is not None:
                seen = f"after {duration_text(late - start_ns)}"
            self._decide(start_ns, end_ns, text, False, seen, after)
            return 0
        delay_ns = found - start_ns
        good = delay_ns >= early_ns - tolerance_ns
        self._decide(start_ns, found, text, good, f"after {duration_text(delay_ns)}", after)
        return delay_ns

    def pulses(
        self,
        width: Duration | tuple[Duration, Duration],
        tolerance: Duration = 0,
        within: Duration = _WAIT,
        after: Event | None = None,
        *,
        level: bool = True,
        wait: Duration = _WAIT,
    ) -> int:
        """Its next pulse, begun and ended `within` that time, is as wide as `width`: a range, or
        one width ± `tolerance`; its width in ns. `level=False`: a pulse to false."""
        low_ns, high_ns = _bounds(width, tolerance)
        word = "pulses" if level else "pulses to false"
        text = f"{self._signal.name} {word} for {_range_text(low_ns, high_ns)}"
        start_ns = self._start(text, after, wait)
        end_ns = start_ns + nanoseconds(within)
        begins = self._signal.rises() if level else self._signal.falls()
        ends = self._signal.falls() if level else self._signal.rises()
        text += self._after(after)
        begin_ns = self._wait_for(begins, start_ns, end_ns)
        if begin_ns is None:
            self._decide(start_ns, end_ns, text, False, "it did not begin", after)
            return 0
        finish_ns = self._wait_for(ends, begin_ns, end_ns)
        if finish_ns is None:
            self._decide(begin_ns, end_ns, text, False, "it did not end", after)
            return 0
        width_ns = finish_ns - begin_ns
        slack_ns = self._judge.edge_ns
        good = low_ns - slack_ns <= width_ns <= high_ns + slack_ns
        self._decide(begin_ns, finish_ns, text, good, f"for {duration_text(width_ns)}", after)
        return width_ns

    def blinks(
        self,
        period: Duration | tuple[Duration, Duration],
        tolerance: Duration = 0,
        times: int = 3,
        after: Event | None = None,
        *,
        wait: Duration = _WAIT,
    ) -> list[int]:
        """It rises `times` + 1 times, from now on or after an event, each `period` after the one
        before; the periods in ns."""
        low_ns, high_ns = _bounds(period, tolerance)
        text = f"{self._signal.name} blinks every {_range_text(low_ns, high_ns)}, {times} times"
        start_ns = self._clock.now if after is None else self._start(text, after, wait)
        text += self._after(after)
        end_ns = start_ns + (times + 1) * (high_ns + self._judge.edge_ns) + self._judge.edge_ns
        rises: list[int] = []
        at_ns = start_ns
        while len(rises) <= times:
            found = self._wait_for(self._signal.rises(), at_ns, end_ns)
            if found is None:
                break
            rises.append(found)
            at_ns = found + 1
        periods = [late - early for early, late in pairwise(rises)]
        slack_ns = self._judge.edge_ns
        good = len(periods) == times and all(
            low_ns - slack_ns <= one <= high_ns + slack_ns for one in periods
        )
        seen = ", ".join(map(duration_text, periods)) or f"it rose {len(rises)} times"
        self._decide(start_ns, max(at_ns, start_ns), text, good, seen, after)
        return periods

    def period(self, since: int = 0) -> Durations:
        """The times from each rise to the next since `since`, an ns of the clock."""
        rises = list(self._signal.rises().times(since))
        found = [late - early for early, late in pairwise(rises)]
        return Durations(
            self._judge, f"period of {self._signal.name}", found, (self._signal.name,)
        )

    def latency(self, after: Event, since: int = 0, *, falls: bool = False) -> Durations:
        """The times from each occurrence of `after` to the next rise, or fall."""
        edge = self._signal.falls() if falls else self._signal.rises()
        causes = list(after.times(since))
        found = []
        for n, cause_ns in enumerate(causes):
            effect_ns = edge.first(cause_ns)
            if effect_ns is not None and (n + 1 == len(causes) or effect_ns <= causes[n + 1]):
                found.append(effect_ns - cause_ns)
        text = f"time from {after.text} to {edge.text}"
        return Durations(self._judge, text, found, (self._signal.name, *after.signals))

    # --- values --------------------------------------------------------------------------------

    def is_(
        self,
        value: Value,
        within: Duration = 0,
        after: Event | None = None,
        *,
        wait: Duration = _WAIT,
    ) -> None:
        """It has this value now, or takes it `within` that time."""
        text = f"{self._signal.name} is {_shown(self._signal, value)}"
        self._becomes(lambda seen: _same(seen, value), text, within, after, wait)

    def near(
        self,
        value: float,
        tolerance: float = 0.0,
        within: Duration = 0,
        after: Event | None = None,
        *,
        wait: Duration = _WAIT,
    ) -> None:
        """It is `value` ± `tolerance` now, or gets there `within` that time."""
        slack = tolerance + self._slack()
        self._limits = ((self._signal.name, value - slack), (self._signal.name, value + slack))
        text = f"{self._signal.name} is {_shown(self._signal, value)} ± {tolerance:g}"
        self._becomes(_close(value, slack), text, within, after, wait)

    def stays(
        self,
        value: Value,
        for_: Duration,
        after: Event | None = None,
        *,
        tolerance: float = 0.0,
        wait: Duration = _WAIT,
    ) -> None:
        """It has this value from now, or from an event, and keeps it that long."""
        near = self._signal.info.kind == "analogue" and value is not None
        text = f"{self._signal.name} stays {_shown(self._signal, value)}"
        if near:
            text += f" ± {tolerance:g}"
            assert value is not None
            slack = tolerance + self._slack()
            fits = _close(float(value), slack)
            self._limits = ((self._signal.name, value - slack), (self._signal.name, value + slack))
        else:
            fits = lambda seen: _same(seen, value)  # noqa: E731
        self._holds(fits, text, for_, after, wait)

    def changes_not(
        self, for_: Duration, after: Event | None = None, *, wait: Duration = _WAIT
    ) -> None:
        """It keeps the value it has, that long."""
        text = f"{self._signal.name} does not change"
        start_ns = self._clock.now if after is None else self._start(text, after, wait)
        value = self._recording.value_at(self._signal.name, start_ns)
        self._holds(lambda seen: _same(seen, value), text, for_, after, wait)

    def _becomes(
        self,
        fits: Callable[[Value], bool],
        text: str,
        within: Duration,
        after: Event | None,
        wait: Duration,
    ) -> None:
        within_ns = nanoseconds(within)
        if not within_ns and after is None:
            now_ns = self._clock.now
            seen = self._signal.value
            self._decide(now_ns, now_ns, text, fits(seen), _shown(self._signal, seen), after)
            return
        text += f" within {duration_text(within_ns)}"
        start_ns = self._start(text, after, wait)
        end_ns = start_ns + within_ns + self._judge.edge_ns
        text += self._after(after)
        found = self._wait_for(self._match(fits), start_ns, end_ns)
        value = self._recording.value_at(self._signal.name, start_ns if found is None else found)
        if found is None:
            value = self._recording.value_at(self._signal.name, end_ns)
        seen_text = _shown(self._signal, value)
        if found is not None:
            seen_text += f" after {duration_text(max(0, found - start_ns))}"
        ended_ns = end_ns if found is None else found
        self._decide(start_ns, ended_ns, text, found is not None, seen_text, after)

    def _holds(
        self,
        fits: Callable[[Value], bool],
        text: str,
        for_: Duration,
        after: Event | None,
        wait: Duration,
    ) -> None:
        start_ns = self._clock.now if after is None else self._start(text, after, wait)
        end_ns = start_ns + nanoseconds(for_)
        text += f" for {duration_text(nanoseconds(for_))}{self._after(after)}"
        name = self._signal.name
        first = self._recording.value_at(name, start_ns)
        broken = None if fits(first) else Change(start_ns, name, first)
        if broken is None:
            wrong = self._match(lambda value: not fits(value))
            found = self._wait_for(wrong, start_ns + 1, end_ns - 1)
            if found is not None and found < end_ns:
                broken = Change(found, name, self._recording.value_at(name, found))
        if broken is None:
            self._clock.run_to(end_ns)
            self._decide(start_ns, end_ns, text, True, "", after)
            return
        at = duration_text(broken.time_ns - start_ns)
        seen = f"{_shown(self._signal, broken.value)} after {at}"
        self._decide(start_ns, broken.time_ns, text, False, seen, after)

    def _match(self, fits: Callable[[Value], bool]) -> Event:
        """The times at which it has a value that fits, the begin of a search included."""
        name, recording = self._signal.name, self._recording
        changes = self._signal.when("fits", lambda old, new: fits(new))
        plain = changes.times

        def times(begin_ns: int) -> Iterator[int]:
            if recording.of(name, 0, begin_ns + 1) and fits(recording.value_at(name, begin_ns)):
                yield begin_ns
            yield from plain(begin_ns + 1)

        return Event(changes.text, changes.signals, times, changes.watch)

    # --- parts ---------------------------------------------------------------------------------

    def _slack(self) -> float:
        line = self._signal.wire.line
        return 0.0 if line is None else self._judge.analogue / 100 * abs(line.high - line.low)

    def _start(self, text: str, after: Event | None, wait: Duration) -> int:
        """When the time of an expectation begins."""
        if after is None:
            return self._recording.acted_ns
        found = after.latest()
        if found is None:
            begin_ns = self._clock.now
            found = self._clock.wait(after, nanoseconds(wait))
            if found is None:
                seen = f"{after.text} did not happen within {duration_text(nanoseconds(wait))}"
                text += self._after(after)
                self._decide(begin_ns, self._clock.now, text, False, seen, after)
                return self._clock.now
        return found

    def _wait_for(self, event: Event, start_ns: int, end_ns: int) -> int | None:
        """The first time in start_ns..end_ns that it happens."""
        found = event.first(start_ns)
        if found is None and self._clock.now < end_ns:
            found = self._clock.wait(event, end_ns + 1 - self._clock.now)
        return found if found is not None and found <= end_ns else None

    @staticmethod
    def _after(after: Event | None) -> str:
        return f" after {after.text}" if after is not None else ""

    def _decide(
        self, begin_ns: int, end_ns: int, text: str, passed: bool, detail: str, after: Event | None
    ) -> None:
        names: tuple[str, ...] = (self._signal.name,)
        limits = self._limits
        if after is not None:
            names += tuple(name for name in after.signals if name not in names)
            limits += after.limits
        check = Check(begin_ns, end_ns, text, passed, detail, names, calling_line(), limits)
        self._judge.decide(check)


def _same(seen: Value, value: Value) -> bool:
    if seen is None or value is None:
        return seen is value
    return seen == value


def _close(value: float, slack: float) -> Callable[[Value], bool]:
    return lambda seen: seen is not None and abs(float(seen) - value) <= slack


def _bounds(width: Duration | tuple[Duration, Duration], tolerance: Duration) -> tuple[int, int]:
    if isinstance(width, tuple):
        return nanoseconds(width[0]), nanoseconds(width[1])
    middle_ns, slack_ns = nanoseconds(width), nanoseconds(tolerance)
    return max(0, middle_ns - slack_ns), middle_ns + slack_ns


def _range_text(low_ns: int, high_ns: int) -> str:
    if low_ns == high_ns:
        return duration_text(low_ns)
    return f"{duration_text(low_ns)} to {duration_text(high_ns)}"
