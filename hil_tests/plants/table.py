"""A table with two driven axes, end switches and hard stops. For each axis:

    dv/dt = ± acceleration, until v is the speed the drive is told     v: mm/s
    dx/dt = v, within the hard stops                                   x: mm

Exact over a step. At a hard stop v falls to 0, and the stop counts as hit.
"""

from __future__ import annotations

from hil_tests.plants.response import number, positive, ramp, step_ns
from hil_tests.recording import Value


class Axis:
    """One axis. Things to set: `is_blocked`; `slip`, the part of its motion that gets lost (a
    stepper that misses steps); `switch_stuck`, "home" or "end" to what the switch shows."""

    def __init__(
        self,
        name: str,
        *,
        position_mm: float,
        travel_mm: float,
        speed_mm_per_s: float,
        acceleration_mm_per_s2: float,
        switch_mm: float,
    ) -> None:
        positive(
            "table", travel_mm=travel_mm, speed_mm_per_s=speed_mm_per_s,
            acceleration_mm_per_s2=acceleration_mm_per_s2, switch_mm=switch_mm,
        )  # fmt: skip
        if not 0.0 <= position_mm <= travel_mm:
            raise ValueError(
                f"table: {name}_mm is {position_mm:g}, it must be within 0 and {travel_mm:g}"
            )
        self.position_mm = position_mm
        self.travel_mm = travel_mm
        self.speed_mm_per_s = speed_mm_per_s
        self.acceleration_mm_per_s2 = acceleration_mm_per_s2
        self.switch_mm = switch_mm
        self.motion_mm_per_s = 0.0
        self.commanded_mm = 0.0
        """The integral of the drive's speed: what counting steps would give."""
        self.stops_hit = 0
        self.hardest_mm_per_s = 0.0
        """The highest speed at which it has hit a stop."""
        self._leans = False  # on a stop
        self.is_blocked = False
        self.slip = 0.0
        self.switch_stuck: dict[str, bool] = {}

    def step(self, wanted_mm_per_s: float, seconds: float) -> None:
        limit = self.speed_mm_per_s
        self.motion_mm_per_s, moved_mm = ramp(
            self.motion_mm_per_s,
            min(limit, max(-limit, wanted_mm_per_s)),
            seconds,
            self.acceleration_mm_per_s2,
        )
        self.commanded_mm += moved_mm
        if self.is_blocked:
            self.motion_mm_per_s = 0.0
            return
        place_mm = self.position_mm + moved_mm * (1.0 - self.slip)
        inside_mm = min(self.travel_mm, max(0.0, place_mm))
        outside = inside_mm != place_mm
        if outside:
            if not self._leans:
                self.stops_hit += 1
                self.hardest_mm_per_s = max(self.hardest_mm_per_s, abs(self.motion_mm_per_s))
            self.motion_mm_per_s = 0.0
        self._leans = outside
        self.position_mm = inside_mm

    @property
    def at_home(self) -> bool:
        return self.switch_stuck.get("home", self.position_mm <= self.switch_mm)

    @property
    def at_end(self) -> bool:
        at_end = self.position_mm >= self.travel_mm - self.switch_mm
        return self.switch_stuck.get("end", at_end)


class Table:
    """Takes `x_speed` and `y_speed` (mm/s, either sign), gives `x` and `y` (mm) and the switches
    `x_home`, `x_end`, `y_home`, `y_end` (True: reached). `axes` holds "x" and "y"."""

    takes = ("x_speed", "y_speed")
    gives = ("x", "y", "x_home", "x_end", "y_home", "y_end")

    def __init__(
        self,
        *,
        step_ms: float = 5.0,
        x_mm: float = 100.0,
        y_mm: float = 100.0,
        x_travel_mm: float = 400.0,
        y_travel_mm: float = 300.0,
        speed_mm_per_s: float = 200.0,
        acceleration_mm_per_s2: float = 1000.0,
        switch_mm: float = 2.0,
    ) -> None:
        self.step_ns = step_ns("table", step_ms)

        def axis(name: str, position_mm: float, travel_mm: float) -> Axis:
            return Axis(
                name,
                position_mm=position_mm,
                travel_mm=travel_mm,
                speed_mm_per_s=speed_mm_per_s,
                acceleration_mm_per_s2=acceleration_mm_per_s2,
                switch_mm=switch_mm,
            )

        self.axes = {"x": axis("x", x_mm, x_travel_mm), "y": axis("y", y_mm, y_travel_mm)}

    def step(self, inputs: dict[str, Value]) -> dict[str, Value]:
        given: dict[str, Value] = {}
        for name, axis in self.axes.items():
            axis.step(number(inputs.get(f"{name}_speed")), self.step_ns / 1e9)
            given |= {
                name: axis.position_mm,
                f"{name}_home": axis.at_home,
                f"{name}_end": axis.at_end,
            }
        return given
