"""Exact solutions over one step, so that what a model does hardly depends on its step.

Each function gets what is constant during the step and gives the state at its end.
"""

from __future__ import annotations

from math import exp

from hil_tests.recording import Value


def first_order(value: float, target: float, seconds: float, lag_s: float) -> tuple[float, float]:
    """`value` on its way to `target`, lag_s * d(value)/dt = target - value: the value after
    `seconds`, and its integral over them. A lag of 0 follows at once."""
    if lag_s <= 0.0:
        return target, target * seconds
    left = (value - target) * exp(-seconds / lag_s)
    return target + left, target * seconds + lag_s * (value - target - left)


def ramp(value: float, target: float, seconds: float, rate: float) -> tuple[float, float]:
    """`value` on its way to `target` with at most `rate` a second: the value after `seconds`, and
    its integral over them."""
    needed_s = abs(target - value) / rate
    if needed_s <= seconds:
        return target, (value + target) / 2 * needed_s + target * (seconds - needed_s)
    end = value + (rate if target > value else -rate) * seconds
    return end, (value + end) / 2 * seconds


def is_on(value: Value) -> bool:
    """Whether a contactor, valve or lamp on this line is on; a line that nothing drives is off."""
    return value is not None and value >= 0.5


def number(value: Value) -> float:
    """A set point on this line; 0 where nothing drives it."""
    return 0.0 if value is None else float(value)


def positive(model: str, **parameters: float) -> None:
    """Raise ValueError for a parameter that is not above 0."""
    for name, value in parameters.items():
        if not value > 0:
            raise ValueError(f"{model}: {name} is {value}, it must be above 0")


def not_negative(model: str, **parameters: float) -> None:
    """Raise ValueError for a parameter that is below 0."""
    for name, value in parameters.items():
        if not value >= 0:
            raise ValueError(f"{model}: {name} is {value}, it cannot be below 0")


def step_ns(model: str, step_ms: float) -> int:
    """A step in ns. Raises ValueError where it is not above 0."""
    positive(model, step_ms=step_ms)
    return round(step_ms * 1_000_000)
