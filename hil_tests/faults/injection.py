"""The fixture `faults`: puts faults in and takes them back, each noted with its virtual times."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hil_tests.clock import Duration, nanoseconds
from hil_tests.faults import transforms
from hil_tests.recording import FaultSpan, Value
from hil_tests.signals import Signal, Transform
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.duration import duration_text
from host_tools.failure import USAGE, Failure

if TYPE_CHECKING:
    from hil_tests.bench import Bench
    from hil_tests.faults.bus import FaultyLine

_NOISE_STEP: Duration = "10ms"
_DRIFT_STEPS = 600  # in the time that `per` is, if they are not too short or long
_SHORTEST_NS, _LONGEST_NS = 10_000_000, 1_000_000_000
_NOTHING: Any = object()


class Fault:
    """One that is there, until `end` or the end of the `with` takes it back."""

    def __init__(self, span: FaultSpan, end: Callable[[], None]) -> None:
        self.span = span
        self._end: Callable[[], None] | None = end

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def active(self) -> bool:
        return self._end is not None

    def end(self) -> None:
        """Take it back, now; nothing if that was done."""
        end, self._end = self._end, None
        if end is not None:
            end()


class Faults:
    """Faults of one bench. Signals are given as `signals.NAME` or by name; durations are texts
    such as "5ms". Raises Failure for what a signal or the device cannot do."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.device: Any = bench.dut
        self._lines: dict[int, FaultyLine] = {}
        self.all: list[Fault] = []

    # --- signals -------------------------------------------------------------------------------

    def stuck(self, signal: Signal | str, value: Value = _NOTHING) -> Fault:
        """The signal does not change any more: an input as the device sees it, an output as the
        plant and the test see it. Without `value` it stays as it is."""
        signal = self._signal(signal)
        stays = signal.value if value is _NOTHING else _checked(signal, value)
        text = f"{signal.name} is stuck at {_shown(signal, stays)}"
        return self._through(signal, text, transforms.stuck(stays))

    def open(self, signal: Signal | str) -> Fault:
        """The wire is broken: nothing drives the input any more, or nobody sees the output."""
        signal = self._signal(signal)
        return self._through(signal, f"{signal.name} is open", transforms.stuck(None))

    def noise(
        self,
        signal: Signal | str,
        amplitude: float,
        seed: int = 1,
        every: Duration = _NOISE_STEP,
    ) -> Fault:
        """Up to `amplitude`, in the signal's unit, is added or taken; another amount `every`."""
        signal = self._analogue(signal, "noise")
        step_ns = _positive(every)
        text = f"{signal.name} is noisy by {amplitude:g}{_unit(signal)}"
        transform = transforms.noise(amplitude, step_ns, seed)
        return self._through(signal, text, transform, step_ns)

    def drift(self, signal: Signal | str, by: float, per: Duration = "1m") -> Fault:
        """The signal runs away by `by`, in its unit, in each `per`."""
        signal = self._analogue(signal, "drift")
        per_ns = _positive(per)
        text = f"{signal.name} drifts by {by:g}{_unit(signal)} in {duration_text(per_ns)}"
        transform = transforms.drift(by, per_ns, self.device.time_ns)
        step_ns = min(max(per_ns // _DRIFT_STEPS, _SHORTEST_NS), _LONGEST_NS)
        return self._through(signal, text, transform, step_ns)

    def bounce(
        self, signal: Signal | str, for_: Duration = "5ms", edges: int = 4, seed: int = 1
    ) -> Fault:
        """Each change of a contact is followed by `edges` more, an even number, within `for_`."""
        signal = self._signal(signal)
        for_ns = _positive(for_)
        if signal.info.kind != "digital":
            raise Failure(f"'{signal.name}' is no contact that bounces", "use noise", USAGE)
        if edges < 0 or edges % 2 or edges > for_ns:
            raise Failure(
                f"a contact does not bounce with {edges} edges",
                "an even number: it ends where it was going",
                USAGE,
            )
        text = f"{signal.name} bounces for {duration_text(for_ns)}"
        transform = transforms.Bounce(for_ns, edges, seed, self._look_at(signal))
        return self._through(signal, text, transform)

    def late(self, signal: Signal | str, by: Duration) -> Fault:
        """Each change comes `by` later."""
        signal = self._signal(signal)
        by_ns = _positive(by)
        text = f"{signal.name} is late by {duration_text(by_ns)}"
        return self._through(signal, text, transforms.Late(by_ns, self._look_at(signal)))

    # --- what is not a signal ------------------------------------------------------------------

    def plant(self, path: str, value: object) -> Fault:
        """An attribute of the plant takes another value: "leak_mm2", or "pumps.0.is_blocked"."""
        plant: Any = self._bench.plant
        if plant is None:
            raise Failure("the test has no plant", "add the fixture `plant`", USAGE)
        *steps, name = path.split(".")
        for step in steps:
            plant = plant[int(step)] if step.isdigit() else _attribute(plant, step)
        before = _attribute(plant, name)
        setattr(plant, name, value)
        text = f"the plant's {path} is {value}"
        return self.add(text, lambda: setattr(plant, name, before))

    def power_cut(self, overflow_in: Duration | None = None) -> Fault:
        """The power is off, until the end of the fault. `overflow_in`: that long after it is back
        the board's counter of microseconds overflows, as it else does after more than an hour."""
        self.need("power", "whose power can be cut")
        end = self.device.power_on
        text = "the power is cut"
        if overflow_in is not None:
            self.need("flash", "with a counter that can be set")
            left_ns = _positive(overflow_in)
            text += f"; when it is back the counter overflows in {duration_text(left_ns)}"

            def end() -> None:
                from hil_tests.faults.board_clock import overflow_in as let_overflow

                device = self.device
                device.power_on()
                let_overflow(device.pico, left_ns)

        self.device.power_cut()
        return self.add(text, end)

    def clock_step(self, by: Duration, back: bool = False) -> Fault:
        """The board's calendar jumps forward, or `back`; at the end of the fault it jumps back.
        What a program calls time must not."""
        from hil_tests.faults.board_clock import step_calendar

        self.need("flash", "with a calendar that can be set")
        device = self.device
        by_ns = _positive(by)
        by_s = by_ns / -1e9 if back else by_ns / 1e9
        step_calendar(device.pico, by_s)
        text = f"the calendar jumps {'back' if back else 'forward'} by {duration_text(by_ns)}"
        return self.add(text, lambda: step_calendar(device.pico, -by_s))

    def flash_cut(self, tear: str | None = "weak", seed: int = 1) -> Fault:
        """The power goes off in the next flash operation, which is left torn (`tear`: "prefix" or
        "weak", see hil_tests/faults/flash.py) or, with None, not begun. At the end of the fault
        it is on again, and the flash is as the cut has left it."""
        from hil_tests.faults.flash import FlashProbe

        self.need("flash", "with a flash that can be looked into")
        device = self.device
        probe = FlashProbe.of(device.pico)
        probe.cut_next(tear, seed, device.power_cut)

        def end() -> None:
            cut = probe.left is not None
            probe.cancel()
            if cut:
                device.power_on()

        state = "not begun" if tear is None else f"torn ({tear})"
        return self.add(f"the power is cut in the next flash operation, which is {state}", end)

    def line(self, uart: int = 0) -> FaultyLine:
        """A serial line of the board, for faults of its frames."""
        from hil_tests.faults.bus import FaultyLine

        if uart not in self._lines:
            self._lines[uart] = FaultyLine(self, uart)
        return self._lines[uart]

    # --- the ledger ----------------------------------------------------------------------------

    def add(self, text: str, end: Callable[[], None], signal: str | None = None) -> Fault:
        """Note a fault that has just begun; `end` takes it back. For faults of one's own."""
        span = FaultSpan(self.device.time_ns, text, signal)
        recording = self.device.recording
        recording.faults.append(span)
        recording.acted_ns = span.begin_ns

        def ended() -> None:
            end()
            span.end_ns = self.device.time_ns
            recording.acted_ns = span.end_ns

        fault = Fault(span, ended)
        self.all.append(fault)
        return fault

    def end_all(self) -> None:
        """Take back what is still there, the last one first."""
        for fault in reversed(self.all):
            fault.end()

    def _through(
        self, signal: Signal, text: str, transform: Transform, refresh_ns: int = 0
    ) -> Fault:
        signal.transforms.append(transform)

        def end() -> None:
            signal.transforms.remove(transform)
            signal.refresh()

        fault = self.add(text, end, signal.name)
        signal.refresh()
        if refresh_ns:

            def again(now_ns: int) -> None:
                if fault.active:
                    signal.refresh()
                    self.device.at(now_ns - now_ns % refresh_ns + refresh_ns, again)

            again(self.device.time_ns)
        return fault

    def _look_at(self, signal: Signal) -> Callable[[int], None]:
        return lambda time_ns: self.device.at(time_ns, lambda _: signal.refresh())

    def _signal(self, signal: Signal | str) -> Signal:
        return self._bench.signals[signal] if isinstance(signal, str) else signal

    def _analogue(self, signal: Signal | str, what: str) -> Signal:
        found = self._signal(signal)
        if found.info.kind != "analogue":
            raise Failure(f"'{found.name}' is digital: {what} is for analogue signals", "", USAGE)
        return found

    def need(self, capability: str, which: str) -> None:
        """Raises Failure where the device has not this capability."""
        if capability not in self._bench.capabilities:
            raise Failure(
                f"'{self._bench.dut_line.name}' is no device {which}",
                f'mark the test with @pytest.mark.needs("{capability}")',
                USAGE,
            )


def _attribute(plant: Any, name: str) -> Any:
    if not hasattr(plant, name):
        known = [n for n in vars(plant) if not n.startswith("_")]
        help = did_you_mean(name, known) or f"it has: {', '.join(known)}"
        raise Failure(f"the plant has no '{name}'", help, USAGE)
    return getattr(plant, name)


def _positive(duration: Duration) -> int:
    found = nanoseconds(duration)
    if not found:
        raise Failure(f"{duration!r} is no time", 'write it as "5ms"', USAGE)
    return found


def _checked(signal: Signal, value: Value) -> Value:
    if value is None:
        return None
    analogue = signal.info.kind == "analogue"
    if not isinstance(value, int | float) or isinstance(value, bool) == analogue:
        wanted = "a number" if analogue else "True or False"
        raise Failure(f"'{signal.name}' is stuck at {wanted}, not at {value!r}", "", USAGE)
    return float(value) if analogue else value


def _unit(signal: Signal) -> str:
    return signal.info.unit and f" {signal.info.unit}"


def _shown(signal: Signal, value: Value) -> str:
    if value is None:
        return "open"
    return f"{value:g}{_unit(signal)}" if signal.info.kind == "analogue" else str(value).lower()
