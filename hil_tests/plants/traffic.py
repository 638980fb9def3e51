"""A road with a pedestrian crossing: cars and people who keep to the lights, and lamps that break.

Discrete events on a fixed step. Cars arrive every `car_every_s` and queue; under green the first
one drives off every `headway_s`. People arrive every `person_every_s`, press the button for
`press_s` unless its lamp is lit, set off under their green and are on the road for `walk_s`.
Nobody is lost: who has arrived waits, is on the road, or is through.
"""

from __future__ import annotations

from hil_tests.plants.response import is_on, not_negative, positive, step_ns
from hil_tests.recording import Value

LAMPS = ("cars_red", "cars_yellow", "cars_green", "people_red", "people_green", "please_wait")
RED = ("cars_red", "people_red")


class Traffic:
    """Takes the lamps, gives `button` (True: pressed), `night` (the night switch) and `lamps_ok`,
    the guard relay of the red lamps: it keeps its verdict while they are off. Periods of 0 mean
    that nobody comes.

    Things to set: `night`; `button_stuck`, True pressed, False dead; `broken`, names of lamps
    without light."""

    takes = LAMPS
    gives = ("button", "night", "lamps_ok")

    def __init__(
        self,
        *,
        step_ms: float = 20.0,
        car_every_s: float = 3.0,
        headway_s: float = 1.5,
        person_every_s: float = 0.0,
        walk_s: float = 2.5,
        press_s: float = 0.3,
    ) -> None:
        positive("traffic", headway_s=headway_s, walk_s=walk_s, press_s=press_s)
        not_negative("traffic", car_every_s=car_every_s, person_every_s=person_every_s)
        self.step_ns = step_ns("traffic", step_ms)
        self.car_every_s = car_every_s
        self.person_every_s = person_every_s
        self._headway_ns = round(headway_s * 1e9)
        self._walk_ns = round(walk_s * 1e9)
        self._press_ns = round(press_s * 1e9)
        self._time_ns = 0
        self._car_at_ns = 0
        self._person_at_ns = 0
        self._drive_at_ns = 0
        self._pressed_until_ns = 0
        self._guard_ok = True

        self.night = False
        self.button_stuck: bool | None = None
        self.broken: set[str] = set()

        self.cars_arrived = 0
        self.cars_waiting = 0
        self.cars_through = 0
        self.people_arrived = 0
        self.people_waiting = 0
        self.people_through = 0
        self.on_road: list[int] = []
        """When each of those who walk is on the other side, in ns."""
        self.near_misses = 0
        """Cars that drove off while somebody was on the road."""

    def press(self) -> None:
        """Somebody comes, presses the button, and waits to walk."""
        self.people_arrived += 1
        self.people_waiting += 1
        self._pressed_until_ns = self._time_ns + self._press_ns

    def step(self, inputs: dict[str, Value]) -> dict[str, Value]:
        lit = {n for n in LAMPS if is_on(inputs.get(n))}
        if not lit.isdisjoint(RED):
            self._guard_ok = lit.isdisjoint(self.broken & set(RED))
        shown = lit - self.broken
        self._people(shown)
        self._cars(shown)
        pressed = self._time_ns < self._pressed_until_ns
        self._time_ns += self.step_ns
        return {
            "button": pressed if self.button_stuck is None else self.button_stuck,
            "night": self.night,
            "lamps_ok": self._guard_ok,
        }

    def _people(self, shown: set[str]) -> None:
        now = self._time_ns
        through = sum(until <= now for until in self.on_road)
        self.people_through += through
        self.on_road = [until for until in self.on_road if until > now]
        if self.person_every_s and now - self._person_at_ns >= self.person_every_s * 1e9:
            self._person_at_ns = now
            pressed_until_ns = self._pressed_until_ns
            self.press()
            if "please_wait" in shown or "people_green" in shown:
                self._pressed_until_ns = pressed_until_ns
        if "people_green" in shown:
            self.on_road += [now + self._walk_ns] * self.people_waiting
            self.people_waiting = 0

    def _cars(self, shown: set[str]) -> None:
        now = self._time_ns
        if self.car_every_s and now - self._car_at_ns >= self.car_every_s * 1e9:
            self._car_at_ns = now
            self.cars_arrived += 1
            self.cars_waiting += 1
        if "cars_green" in shown and self.cars_waiting and now >= self._drive_at_ns:
            self._drive_at_ns = now + self._headway_ns
            self.cars_waiting -= 1
            self.cars_through += 1
            self.near_misses += bool(self.on_road)
