"""A belt that carries parts past photo eyes and a pusher: what examples/conveyor controls.

    dv/dt = ± acceleration, until v is the belt's speed or 0     v: mm/s, exact over a step
    ds/dt = v                                                    s: travel of the belt, mm

A part moves with the belt as far as nothing is in its way: the part ahead, or an obstacle. Places
are mm from the entry eye. Parts are never lost: what was fed is on the belt, pushed off, arrived
or taken off.
"""

from __future__ import annotations

from hil_tests.plants.response import is_on, not_negative, positive, ramp, step_ns
from hil_tests.recording import Value
from host_tools.record import record


@record(eq=False)
class Part:
    """A part on the belt. `slips`: the pusher misses it. `unseen`: no eye notices it."""

    tall: bool = False
    length_mm: float = 80.0
    gap_mm: float = 200.0
    slips: bool = False
    unseen: bool = False
    front_mm: float = 0.0

    @property
    def end_mm(self) -> float:
        return self.front_mm - self.length_mm

    def covers(self, place_mm: float) -> bool:
        return self.end_mm <= place_mm < self.front_mm


class Conveyor:
    """Takes motor and pusher valve, gives encoder, eyes (True: dark) and whether the pusher is
    home.

    Things to set: `obstacle_mm`, a place that no part passes (a jam); `pusher_stuck`; `belt_torn`,
    the motor turns and the belt stands; `encoder_broken`; `dirty_eyes`, names of eyes that are
    always dark."""

    takes = ("motor", "pusher")
    gives = ("encoder", "entry_eye", "height_eye", "exit_eye", "pusher_home")

    def __init__(
        self,
        *,
        step_ms: float = 5.0,
        speed_mm_per_s: float = 250.0,
        acceleration_mm_per_s2: float = 2500.0,
        pulse_mm: float = 10.0,
        pusher_mm: float = 640.0,
        plate_mm: float = 80.0,
        pusher_stroke_s: float = 0.1,
        exit_eye_mm: float = 1100.0,
        length_mm: float = 1200.0,
    ) -> None:
        positive(
            "conveyor", speed_mm_per_s=speed_mm_per_s, pulse_mm=pulse_mm, plate_mm=plate_mm,
            acceleration_mm_per_s2=acceleration_mm_per_s2, pusher_stroke_s=pusher_stroke_s,
        )  # fmt: skip
        not_negative("conveyor", pusher_mm=pusher_mm, exit_eye_mm=exit_eye_mm)
        self.step_ns = step_ns("conveyor", step_ms)
        moved_mm = speed_mm_per_s * self.step_ns / 1e9
        if moved_mm > pulse_mm / 2:
            raise ValueError(
                f"conveyor: the belt moves {moved_mm:g} mm in a step of {step_ms:g} ms and the "
                f"encoder changes each {pulse_mm / 2:g} mm; take a shorter step"
            )
        if length_mm < exit_eye_mm:
            raise ValueError(
                f"conveyor: the belt is {length_mm:g} mm long and the exit eye is at "
                f"{exit_eye_mm:g} mm"
            )
        self.speed_mm_per_s = speed_mm_per_s
        self.acceleration_mm_per_s2 = acceleration_mm_per_s2
        self.pulse_mm = pulse_mm
        self.pusher_mm = pusher_mm
        self.plate_mm = plate_mm
        self.pusher_stroke_s = pusher_stroke_s
        self.exit_eye_mm = exit_eye_mm
        self.length_mm = length_mm

        self.motion_mm_per_s = 0.0
        self.travel_mm = 0.0
        self.pusher_out = 0.0
        """0.0: home; 1.0: all the way out."""
        self.waiting: list[Part] = []
        self.on_belt: list[Part] = []
        """The first one is the farthest."""
        self.pushed: list[Part] = []
        self.arrived: list[Part] = []
        self.taken: list[Part] = []
        self.fed = 0

        self.obstacle_mm: float | None = None
        self.pusher_stuck = False
        self.belt_torn = False
        self.encoder_broken = False
        self.dirty_eyes: set[str] = set()

    def feed(self, *parts: Part) -> None:
        """Let parts come, one behind the other, each `gap_mm` behind the one before it; 0 mm is a
        double part, which the eyes take for one."""
        self.waiting += parts
        self.fed += len(parts)

    def take_off(self) -> list[Part]:
        """Take all parts off the belt by hand."""
        off, self.on_belt = self.on_belt, []
        self.taken += off
        return off

    def put_down(self, part: Part, front_mm: float) -> None:
        """Lay a part on the belt by hand. Raises ValueError where another one lies."""
        for other in self.on_belt:
            if other.end_mm < front_mm and front_mm - part.length_mm < other.front_mm:
                raise ValueError(f"conveyor: another part lies at {front_mm:g} mm")
        part.front_mm = front_mm
        self.fed += 1
        self.on_belt.append(part)
        self.on_belt.sort(key=lambda p: -p.front_mm)

    def step(self, inputs: dict[str, Value]) -> dict[str, Value]:
        seconds = self.step_ns / 1e9
        turns = is_on(inputs.get("motor")) and not self.belt_torn
        self.motion_mm_per_s, moved_mm = ramp(
            self.motion_mm_per_s,
            self.speed_mm_per_s if turns else 0.0,
            seconds,
            self.acceleration_mm_per_s2,
        )
        self.travel_mm += moved_mm
        self._carry(moved_mm)
        self._push(is_on(inputs.get("pusher")), seconds)
        while self.on_belt and self.on_belt[0].end_mm > self.length_mm:
            self.arrived.append(self.on_belt.pop(0))
        return {
            "encoder": self._encoder(),
            "entry_eye": self._dark("entry_eye", 0.0),
            "height_eye": self._dark("height_eye", 0.0),
            "exit_eye": self._dark("exit_eye", self.exit_eye_mm),
            "pusher_home": self.pusher_out < 0.05,
        }

    def _carry(self, moved_mm: float) -> None:
        free_mm = float("inf")
        for part in self.on_belt:
            front_mm = part.front_mm + moved_mm
            if self.obstacle_mm is not None and part.front_mm <= self.obstacle_mm:
                front_mm = min(front_mm, self.obstacle_mm)
            # Never backwards: a part may have been laid down close behind.
            part.front_mm = max(part.front_mm, min(front_mm, free_mm))
            free_mm = part.end_mm
        while self.waiting:
            gap_mm = free_mm - self.waiting[0].gap_mm
            if gap_mm < 0.0 or self.motion_mm_per_s <= 0.0:
                break
            part = self.waiting.pop(0)
            # There has been room for a part of this step, or for long.
            part.front_mm = gap_mm if gap_mm <= moved_mm else 0.0
            self.on_belt.append(part)
            free_mm = part.end_mm

    def _push(self, valve: bool, seconds: float) -> None:
        if not self.pusher_stuck:
            way = seconds / self.pusher_stroke_s
            self.pusher_out = min(1.0, max(0.0, self.pusher_out + (way if valve else -way)))
        if self.pusher_out < 0.5:
            return
        for part in tuple(self.on_belt):
            middle_mm = part.front_mm - part.length_mm / 2
            if abs(middle_mm - self.pusher_mm) < self.plate_mm / 2 and not part.slips:
                self.on_belt.remove(part)
                self.pushed.append(part)

    def _encoder(self) -> bool:
        return not self.encoder_broken and int(self.travel_mm / (self.pulse_mm / 2)) % 2 == 1

    def _dark(self, eye: str, place_mm: float) -> bool:
        if eye in self.dirty_eyes:
            return True
        return any(
            part.covers(place_mm) and not part.unseen and (part.tall or eye != "height_eye")
            for part in self.on_belt
        )
