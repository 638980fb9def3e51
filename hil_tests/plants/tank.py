"""A pit that water runs into and two pumps lift it out of: what examples/tank controls.

    dV/dt = inflow - q_1 - q_2 - leak          V: volume, l; overflow keeps it at the capacity
    lag * dq_k/dt = Q_k - q_k                  Q_k: what pump k lifts when it is up to speed, l/s
    leak = 0.6 * hole * sqrt(2 * g * h)        Torricelli, h: height of the water over the hole

Inflow, pumps and leak are each exact over a step; together they are split (first the leak).
"""

from __future__ import annotations

from math import pi, sin, sqrt

from hil_tests.plants.response import first_order, is_on, not_negative, positive, step_ns
from hil_tests.recording import Value

GRAVITY_M_PER_S2 = 9.81
DISCHARGE = 0.6
"""Of a sharp-edged hole: the jet is narrower than the hole."""
LITRES = 1000.0
"""In a cubic metre."""


class PitPump:
    """One pump and its motor. Things to set: `is_blocked`, the rotor cannot turn (the protector
    opens after `trip_after_s`); `wear`, 0.0 new to 1.0 lifts nothing; `contactor_welded`, it runs
    whatever the controller wants."""

    def __init__(self) -> None:
        self.is_blocked = False
        self.contactor_welded = False
        self.wear = 0.0
        self.protector_closed = True
        self.runs = False
        self.flow_l_per_s = 0.0
        self.starts = 0
        self.running_s = 0.0
        self.dry_s = 0.0
        """How long it has run without water."""
        self.stalled_s = 0.0


class Tank:
    """Takes the contactors, gives level (%), floats (True: in water) and motor protectors (True:
    closed, healthy). A protector cuts its motor off by itself and stays open until
    `reset_protector`."""

    takes = ("pump_1", "pump_2")
    gives = ("level", "low_float", "high_float", "protector_1", "protector_2")

    def __init__(
        self,
        *,
        step_ms: float = 10.0,
        area_m2: float = 0.25,
        height_m: float = 2.0,
        level_percent: float = 50.0,
        inflow_l_per_s: float = 5.0,
        pump_l_per_s: float = 12.0,
        pump_lag_s: float = 0.2,
        suction_percent: float = 4.0,
        low_float_percent: float = 8.0,
        high_float_percent: float = 97.0,
        float_hysteresis_percent: float = 1.0,
        trip_after_s: float = 1.0,
    ) -> None:
        positive("tank", area_m2=area_m2, height_m=height_m)
        not_negative(
            "tank", inflow_l_per_s=inflow_l_per_s, pump_l_per_s=pump_l_per_s,
            pump_lag_s=pump_lag_s, suction_percent=suction_percent, trip_after_s=trip_after_s,
            float_hysteresis_percent=float_hysteresis_percent,
        )  # fmt: skip
        self.step_ns = step_ns("tank", step_ms)
        self.height_m = height_m
        self.capacity_l = area_m2 * height_m * LITRES
        self.inflow_l_per_s = inflow_l_per_s
        self.pump_l_per_s = pump_l_per_s
        self.pump_lag_s = pump_lag_s
        self.suction_percent = suction_percent
        self.trip_after_s = trip_after_s
        self.pumps = (PitPump(), PitPump())
        self._floats = {"low_float": low_float_percent, "high_float": high_float_percent}
        self._hysteresis_percent = float_hysteresis_percent
        self._in_water: dict[str, bool] = {}
        self._time_ns = 0

        self.leak_mm2 = 0.0
        """Area of a hole in the bottom."""
        self.outlet_open = 1.0
        """1.0: the rising main is free; 0.0: it is blocked."""
        self.wave_percent = 0.0
        """Height of waves above and below the level, as sensors feel them."""
        self.wave_period_s = 0.4
        self.float_stuck: dict[str, bool] = {}
        """Floats that hang: name to what they show."""

        self.run_in_l = 0.0
        self.pumped_l = 0.0
        self.leaked_l = 0.0
        self.overflowed_l = 0.0
        self.volume_l = 0.0
        self.level_percent = level_percent

    @property
    def level_percent(self) -> float:
        """Of the capacity. Can be set: water is poured in or taken out."""
        return self.volume_l / self.capacity_l * 100.0

    @level_percent.setter
    def level_percent(self, percent: float) -> None:
        if not 0.0 <= percent <= 100.0:
            raise ValueError(f"tank: a level of {percent} %, it is within 0 and 100 %")
        self.volume_l = percent / 100.0 * self.capacity_l

    def trip(self, pump: int) -> None:
        """Open the protector of pump 1 or 2."""
        self.pumps[pump - 1].protector_closed = False

    def reset_protector(self, pump: int) -> None:
        """Close it again, by hand."""
        self.pumps[pump - 1].protector_closed = True
        self.pumps[pump - 1].stalled_s = 0.0

    def step(self, inputs: dict[str, Value]) -> dict[str, Value]:
        seconds = self.step_ns / 1e9
        self._leak(seconds)
        came = self.inflow_l_per_s * seconds
        self.run_in_l += came
        self.volume_l += came
        for name, pump in zip(self.takes, self.pumps, strict=True):
            self._pump(pump, is_on(inputs.get(name)), seconds)
        over = max(0.0, self.volume_l - self.capacity_l)
        self.overflowed_l += over
        self.volume_l -= over
        self._time_ns += self.step_ns
        felt = self._felt_percent()
        return {
            "level": felt,
            **{name: self._float(name, felt) for name in self._floats},
            "protector_1": self.pumps[0].protector_closed,
            "protector_2": self.pumps[1].protector_closed,
        }

    def _leak(self, seconds: float) -> None:
        if self.leak_mm2 <= 0.0:
            return
        # dV/dt = -k * sqrt(V) has the solution sqrt(V) = sqrt(V_0) - k * t / 2.
        full_m3_per_s = (
            DISCHARGE * self.leak_mm2 * 1e-6 * sqrt(2.0 * GRAVITY_M_PER_S2 * self.height_m)
        )
        k = full_m3_per_s * LITRES / sqrt(self.capacity_l)
        left = max(0.0, sqrt(self.volume_l) - k * seconds / 2.0) ** 2
        self.leaked_l += self.volume_l - left
        self.volume_l = left

    def _pump(self, pump: PitPump, called: bool, seconds: float) -> None:
        powered = (called or pump.contactor_welded) and pump.protector_closed
        if powered and pump.is_blocked:
            pump.stalled_s += seconds
            if pump.stalled_s >= self.trip_after_s:
                pump.protector_closed = powered = False
        elif not powered:
            pump.stalled_s = 0.0
        runs = powered and not pump.is_blocked
        pump.starts += runs and not pump.runs
        pump.runs = runs
        wet = self.level_percent > self.suction_percent
        target = 0.0
        if runs:
            pump.running_s += seconds
            if wet:
                target = self.pump_l_per_s * (1.0 - pump.wear) * self.outlet_open
            else:
                pump.dry_s += seconds
        pump.flow_l_per_s, lifted = first_order(
            pump.flow_l_per_s, target, seconds, self.pump_lag_s
        )
        lifted = min(lifted, self.volume_l)
        self.pumped_l += lifted
        self.volume_l -= lifted

    def _felt_percent(self) -> float:
        wave = self.wave_percent * sin(2.0 * pi * self._time_ns / 1e9 / self.wave_period_s)
        return min(100.0, max(0.0, self.level_percent + wave))

    def _float(self, name: str, felt_percent: float) -> bool:
        side = -0.5 if self._in_water.get(name) else 0.5
        threshold = self._floats[name] + side * self._hysteresis_percent
        self._in_water[name] = felt_percent > threshold
        return self.float_stuck.get(name, self._in_water[name])
