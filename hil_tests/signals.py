"""Named signals of a bench, in engineering units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from hil_tests.device import Device, Point
from hil_tests.events import Event
from hil_tests.recording import Change, Value
from hil_tests.wires import Wire
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.failure import USAGE, Failure
from host_tools.record import replace

Transform = Callable[[int, Value], Value]
"""(ns, value) -> value; None is an open wire."""

SEEN = "_seen"
"""Ends the name of the trace of what the device sees of a stimulus while a transform is there."""


class Place(Protocol):
    """Where wires end: a device, or an instrument."""

    def write(self, point: Point, value: Value) -> None: ...

    def watch(self, point: Point, callback: Callable[[int, Value], None]) -> None: ...


class Signal:
    """A signal. `transforms` stand between it and the device: faults put themselves there."""

    def __init__(self, wire: Wire, device: Device, place: Place) -> None:
        self.name = wire.info.name
        self.info = wire.info
        self.wire = wire
        self.transforms: list[Transform] = []
        self.owner = ""
        """Who else sets it, such as the plant: then a test cannot."""
        self.driven = False
        """A value was given to it."""
        self.judge: object = None
        """Of hil_tests/expect.py."""
        self._device = device
        self._place = place
        self._recording = device.recording
        self._value: Value = wire.initial
        self._raw: Value = None
        self._is_output = not wire.info.to_device
        self._recording.add_signal(wire.info)
        if self._is_output:
            place.watch(wire.point, self._from_device)

    def __repr__(self) -> str:
        return f"<signal {self.name} = {self._value}{self.info.unit and ' ' + self.info.unit}>"

    @property
    def value(self) -> Value:
        """As it was set; of an output of the device, as it is seen through the transforms. None
        where nothing drives it."""
        return self._value

    def set(self, value: Value) -> None:
        """Apply a value, now; None opens the wire. Raises Failure for an output of the device and
        for what the plant gives."""
        if self.owner:
            raise Failure(
                f"'{self.name}' comes from {self.owner}, a test cannot set it",
                "use a fault, or write the test without `plant`",
                USAGE,
            )
        now_ns = self._device.time_ns  # in real time, driving takes some
        self.drive(value)
        self._recording.acted_ns = now_ns

    def drive(self, value: Value) -> None:
        """As `set`, for what is not the test: plants and instruments."""
        if self._is_output:
            raise Failure(
                f"'{self.name}' is an output of the device and cannot be set",
                "signals of inputs can",
                USAGE,
            )
        analogue = self.info.kind == "analogue"
        if value is not None:
            if not isinstance(value, int | float) or isinstance(value, bool) == analogue:
                wanted = "a number" if analogue else "True or False"
                raise Failure(f"'{self.name}' takes {wanted}, not {value!r}", "", USAGE)
            value = float(value) if analogue else bool(value)
        self._value = value
        self.driven = True
        self._recording.change(self._device.time_ns, self.name, value)
        self.refresh()

    def refresh(self) -> None:
        """Pass the present value through the transforms again: they have changed, or time has."""
        now_ns = self._device.time_ns
        if self._is_output:
            self._show(now_ns)
            return
        seen = self._through(now_ns, self._value)
        trace = self.name + SEEN
        if self.transforms and trace not in self._recording.signals:
            about = f"{self.name} as the device sees it"
            self._recording.add_signal(replace(self.info, name=trace, about=about))
        if trace in self._recording.signals:
            self._recording.change(now_ns, trace, seen)
        self._place.write(self.wire.point, self.wire.applied(seen))

    def _through(self, now_ns: int, value: Value) -> Value:
        for transform in self.transforms:
            value = transform(now_ns, value)
        return value

    def _from_device(self, time_ns: int, applied: Value) -> None:
        self._raw = self.wire.seen(applied)
        self._show(time_ns)

    def _show(self, time_ns: int) -> None:
        self._value = self._through(time_ns, self._raw)
        self._recording.change(time_ns, self.name, self._value)

    # --- events --------------------------------------------------------------------------------

    def rises(self) -> Event:
        """From false to true."""
        return self.when("rises", lambda old, new: old is not None and not old and bool(new))

    def falls(self) -> Event:
        """From true to false, or to an open line."""
        return self.when("falls", lambda old, new: bool(old) and not new)

    def changes(self) -> Event:
        return self.when("changes", lambda old, new: True)

    def equals(self, value: Value) -> Event:
        return self.when(f"becomes {value}", lambda old, new: new == value)

    def exceeds(self, limit: float) -> Event:
        """From `limit` or less, or from nothing, to more."""
        text = f"exceeds {limit:g}{self._unit}"
        rising = lambda old, new: _above(new, limit) and not _above(old, limit)  # noqa: E731
        return self.when(text, rising, ((self.name, limit),))

    def falls_below(self, limit: float) -> Event:
        text = f"falls below {limit:g}{self._unit}"
        falling = lambda old, new: _below(new, limit) and not _below(old, limit)  # noqa: E731
        return self.when(text, falling, ((self.name, limit),))

    @property
    def _unit(self) -> str:
        return self.info.unit and f" {self.info.unit}"

    def when(
        self,
        what: str,
        is_one: Callable[[Value, Value], bool],
        limits: tuple[tuple[str, float], ...] = (),
    ) -> Event:
        """The event that `is_one(value before, value)` at a change; `what` says it in words."""
        name = self.name

        def times(begin_ns: int) -> Iterator[int]:
            before: Value = None
            for change in self._recording.of(name):
                if change.time_ns >= begin_ns and is_one(before, change.value):
                    yield change.time_ns
                before = change.value

        def watch(happened: Callable[[int], None]) -> Callable[[], None]:
            last = self._recording.value_at(name, self._device.time_ns)

            def listen(change: Change) -> None:
                nonlocal last
                if change.signal == name:
                    before, last = last, change.value
                    if is_one(before, change.value):
                        happened(change.time_ns)

            self._recording.listeners.append(listen)
            return lambda: self._recording.listeners.remove(listen)

        return Event(f"{name} {what}", (name,), times, watch, limits)


def _above(value: Value, limit: float) -> bool:
    return value is not None and value > limit


def _below(value: Value, limit: float) -> bool:
    return value is not None and value < limit


class Signals:
    """The signals of a bench as attributes, `signals.pump_1`, or by name, `signals["pump_1"]`."""

    def __init__(self, signals: dict[str, Signal], missing: dict[str, str] | None = None) -> None:
        """`missing`: why a signal is not there with this device, by its name."""
        self._signals = signals
        self._missing = missing or {}

    def __getitem__(self, name: str) -> Signal:
        if name in self._missing:
            help = "mark the test with what it needs: @pytest.mark.needs(…)"
            raise Failure(f"there is no signal '{name}': {self._missing[name]}", help, USAGE)
        if name not in self._signals:
            help = did_you_mean(name, list(self._signals)) or (
                "there are: " + ", ".join(self._signals)
            )
            raise Failure(f"the bench has no signal '{name}'", help, USAGE)
        return self._signals[name]

    def __getattr__(self, name: str) -> Signal:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[Signal]:
        return iter(self._signals.values())

    def __contains__(self, name: object) -> bool:
        return name in self._signals
