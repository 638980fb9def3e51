"""The bench's clock: lets the device's time pass."""

from __future__ import annotations

from hil_tests.device import Device
from hil_tests.events import Event
from host_tools.duration import duration_text, parse_duration
from host_tools.failure import USAGE, Failure

Duration = str | int
"""A text such as "50ms", "2s", "1m30s" or "T#2s"; a whole number is ns."""


def nanoseconds(duration: Duration) -> int:
    """Of a duration. Raises Failure."""
    if isinstance(duration, str):
        return parse_duration(duration, zero=True)
    if isinstance(duration, bool) or not isinstance(duration, int) or duration < 0:
        raise Failure(f"{duration!r} is not a duration", 'write it as "50ms" or "2s"', USAGE)
    return duration


__tracebackhide__ = True


class Clock:
    def __init__(self, device: Device) -> None:
        self._device = device

    @property
    def now(self) -> int:
        """ns since the program was started."""
        return self._device.time_ns

    def run(self, duration: Duration) -> None:
        """Let time pass."""
        self._device.run_for(nanoseconds(duration))

    def run_to(self, time_ns: int) -> None:
        """Let time pass up to `time_ns`; nothing if that is over."""
        left_ns = time_ns - self._device.time_ns
        if left_ns > 0:
            self._device.run_for(left_ns)

    def until(self, event: Event, timeout: Duration = "10s") -> int:
        """Let time pass until an event happens; when it did. Raises AssertionError if it does not
        within `timeout`."""
        found = self.wait(event, nanoseconds(timeout))
        if found is None:
            raise AssertionError(
                f"{event.text}: not within {duration_text(nanoseconds(timeout))} "
                f"(at {duration_text(self.now)})"
            )
        return found

    def wait(self, event: Event, timeout_ns: int) -> int | None:
        """As `until`, None where it does not happen."""
        found: list[int] = []

        def happened(time_ns: int) -> None:
            found.append(time_ns)
            self._device.stop_run()

        forget = event.watch(happened)
        end_ns = self.now + timeout_ns
        try:
            while not found and self.now < end_ns:
                self._device.run_for(end_ns - self.now)
        finally:
            forget()
        return found[0] if found else None
