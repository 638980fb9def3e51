"""A DC motor with inertia, friction, load and an encoder.

    i = (V - k * w) / R                                 i: current, A (no inductance)
    J * dw/dt = k * i - b * w - load - T_c * sign(w)    w: speed, rad/s
    dphi/dt = w                                         phi: angle, rad

k: V s/rad and N m/A alike; J: kg m²; b: N m s/rad; load and dry friction T_c: N m. Exact over a
step as long as w keeps its sign; a step in which it would change it ends at rest. The mechanical
time constant is J / (b + k² / R).
"""

from __future__ import annotations

from math import floor, log, pi

from hil_tests.plants.response import first_order, not_negative, number, positive, step_ns
from hil_tests.recording import Value


class Motor:
    """Takes `voltage` (V, either sign), gives `encoder_a` and `encoder_b` in quadrature (A leads
    when it turns forward), `speed` (1/min) and `current` (A).

    Things to set: `rotor_blocked`; `load_nm`, against forward motion (a torque that can turn it);
    `encoder_broken`, both tracks stay where they are; `track_broken`, "a" or "b" is low; `slip`,
    the part of the motion that the encoder does not see."""

    takes = ("voltage",)
    gives = ("encoder_a", "encoder_b", "speed", "current")

    def __init__(
        self,
        *,
        step_ms: float = 0.25,
        resistance_ohm: float = 2.0,
        constant_v_s_per_rad: float = 0.1,
        inertia_kg_m2: float = 0.001,
        friction_nm_s_per_rad: float = 0.0001,
        dry_friction_nm: float = 0.0,
        load_nm: float = 0.0,
        lines: int = 16,
        supply_v: float = 24.0,
    ) -> None:
        positive(
            "motor", resistance_ohm=resistance_ohm, constant_v_s_per_rad=constant_v_s_per_rad,
            inertia_kg_m2=inertia_kg_m2, lines=lines, supply_v=supply_v,
        )  # fmt: skip
        not_negative(
            "motor", friction_nm_s_per_rad=friction_nm_s_per_rad, dry_friction_nm=dry_friction_nm
        )
        self.step_ns = step_ns("motor", step_ms)
        self.resistance_ohm = resistance_ohm
        self.constant = constant_v_s_per_rad
        self.inertia_kg_m2 = inertia_kg_m2
        self.damping = friction_nm_s_per_rad + constant_v_s_per_rad**2 / resistance_ohm
        """b + k² / R, in N m s/rad."""
        self.dry_friction_nm = dry_friction_nm
        self.load_nm = load_nm
        self.lines = lines
        self.supply_v = supply_v
        self.speed_rad_per_s = 0.0
        self.angle_rad = 0.0
        self.seen_rad = 0.0
        """The angle that the encoder shows."""
        self.current_a = 0.0
        self.rotor_blocked = False
        self.encoder_broken = False
        self.track_broken = ""
        self.slip = 0.0
        fastest = supply_v / constant_v_s_per_rad * lines * 4 / (2 * pi) * self.step_ns / 1e9
        if fastest > 1.0:
            raise ValueError(
                f"motor: at {supply_v:g} V the encoder changes {fastest:.1f} times in a step of "
                f"{step_ms:g} ms; take a shorter step or fewer lines"
            )

    @property
    def time_constant_s(self) -> float:
        return self.inertia_kg_m2 / self.damping

    @property
    def speed_rpm(self) -> float:
        return self.speed_rad_per_s * 60.0 / (2.0 * pi)

    def step(self, inputs: dict[str, Value]) -> dict[str, Value]:
        seconds = self.step_ns / 1e9
        volts = min(self.supply_v, max(-self.supply_v, number(inputs.get("voltage"))))
        drive_nm = self.constant * volts / self.resistance_ohm - self.load_nm
        moved = 0.0
        if self.rotor_blocked:
            self.speed_rad_per_s = 0.0
        else:
            moved = self._turn(drive_nm, seconds)
        self.angle_rad += moved
        if not self.encoder_broken:
            self.seen_rad += moved * (1.0 - self.slip)
        self.current_a = (volts - self.constant * self.speed_rad_per_s) / self.resistance_ohm
        quarter = floor(self.seen_rad * self.lines * 4 / (2.0 * pi)) % 4
        return {
            "encoder_a": quarter in (1, 2) and self.track_broken != "a",
            "encoder_b": quarter in (2, 3) and self.track_broken != "b",
            "speed": self.speed_rpm,
            "current": self.current_a,
        }

    def _turn(self, drive_nm: float, seconds: float) -> float:
        """Advance the speed; the angle turned, in rad."""
        before = self.speed_rad_per_s
        direction = before or drive_nm
        if before == 0.0 and abs(drive_nm) <= self.dry_friction_nm:
            return 0.0
        dry_nm = self.dry_friction_nm if direction > 0 else -self.dry_friction_nm
        at_rest = (drive_nm - dry_nm) / self.damping
        after, moved = first_order(before, at_rest, seconds, self.time_constant_s)
        if self.dry_friction_nm and before * after < 0.0:
            # Dry friction stops it; whether it turns the other way is the next step's matter.
            stops_s = self.time_constant_s * log((before - at_rest) / -at_rest)
            after, moved = 0.0, at_rest * stops_s + self.time_constant_s * before
        self.speed_rad_per_s = after
        return moved
