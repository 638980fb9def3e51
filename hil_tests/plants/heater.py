"""A heated room or vessel that feels its heater late: first order with dead time.

    C * dT/dt = P * u(t - dead time) - G * (T - ambient)     T: temperature, °C
    lag_s * dT_s/dt = T - T_s                                T_s: what the sensor shows, °C

C: heat capacity, J/K; G: loss, W/K; u: 0 to 1. T is exact over a step; its time constant is C/G
and it comes to rest at ambient + P * u / G. The dead time is rounded to whole steps.
"""

from __future__ import annotations

from collections import deque

from hil_tests.plants.response import first_order, not_negative, number, positive, step_ns
from hil_tests.recording import Value


class Heater:
    """Takes `heating` (%, or BOOL of a contactor: True is 100 %), gives `temperature` (°C).

    Things to set: `element_broken`, it gives no heat; `contactor_welded`, it heats always;
    `loss_factor`, above 1.0: a window is open; `ambient_c`; `sensor_fell_off`, the sensor feels
    the ambient temperature; `load_w`, heat that comes from elsewhere."""

    takes = ("heating",)
    gives = ("temperature",)

    def __init__(
        self,
        *,
        step_ms: float = 100.0,
        power_w: float = 2000.0,
        heat_capacity_j_per_k: float = 20_000.0,
        loss_w_per_k: float = 20.0,
        ambient_c: float = 20.0,
        temperature_c: float | None = None,
        dead_time_s: float = 5.0,
        sensor_lag_s: float = 0.0,
    ) -> None:
        positive("heater", heat_capacity_j_per_k=heat_capacity_j_per_k, loss_w_per_k=loss_w_per_k)
        not_negative("heater", power_w=power_w, dead_time_s=dead_time_s, sensor_lag_s=sensor_lag_s)
        self.step_ns = step_ns("heater", step_ms)
        self.power_w = power_w
        self.heat_capacity_j_per_k = heat_capacity_j_per_k
        self.loss_w_per_k = loss_w_per_k
        self.ambient_c = ambient_c
        self.temperature_c = ambient_c if temperature_c is None else temperature_c
        self.sensor_c = self.temperature_c
        self.sensor_lag_s = sensor_lag_s
        steps = round(dead_time_s * 1e9 / self.step_ns)
        self._on_its_way = deque([0.0] * steps)

        self.element_broken = False
        self.contactor_welded = False
        self.sensor_fell_off = False
        self.loss_factor = 1.0
        self.load_w = 0.0

        self.heated_j = 0.0
        """What the element has given off; a part of it is on its way."""
        self.arrived_j = 0.0
        self.lost_j = 0.0

    def step(self, inputs: dict[str, Value]) -> dict[str, Value]:
        seconds = self.step_ns / 1e9
        self._on_its_way.append(self._given_w(inputs.get("heating")))
        self.heated_j += self._on_its_way[-1] * seconds
        arriving_w = self._on_its_way.popleft() + self.load_w
        self.arrived_j += arriving_w * seconds
        loss = self.loss_w_per_k * self.loss_factor
        at_rest_c = self.ambient_c + arriving_w / loss
        before_c = self.temperature_c
        self.temperature_c, degree_seconds = first_order(
            before_c, at_rest_c, seconds, self.heat_capacity_j_per_k / loss
        )
        self.lost_j += loss * (degree_seconds - self.ambient_c * seconds)
        felt_c = self.ambient_c if self.sensor_fell_off else (before_c + self.temperature_c) / 2
        if not self.sensor_lag_s and not self.sensor_fell_off:
            felt_c = self.temperature_c
        self.sensor_c, _ = first_order(self.sensor_c, felt_c, seconds, self.sensor_lag_s)
        return {"temperature": self.sensor_c}

    def _given_w(self, heating: Value) -> float:
        if self.element_broken:
            return 0.0
        percent = 100.0 if heating is True or self.contactor_welded else number(heating)
        return self.power_w * min(100.0, max(0.0, percent)) / 100.0
