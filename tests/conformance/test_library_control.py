"""Takt's own blocks for control against models of their headers, and what they promise."""

# ruff: noqa: SIM300 (OUT, Q … are outputs of the block, not constants)

from __future__ import annotations

import math
import random

import pytest

from tests.conformance.takt_blocks import INF, MS, NAN, Block, S, diagram, div32, f32, ulp32

# --- PID -----------------------------------------------------------------------------------------


class Model:
    """The PID of the header in binary32, or in binary64 where `r` is float."""

    def __init__(self, r=f32, **settings):
        self.r = r
        self.x = {"KP": 1.0, "TI": 0, "TD": 0, "N": 10.0, "FF": 0.0, "OUT_MIN": 0.0,
                  "OUT_MAX": 100.0, "AUTO": True, "MAN": 0.0, "MAN_RATE": 0.0, "PV": 0.0,
                  "SP": 0.0} | settings  # fmt: skip
        self.last = self.before = None
        self.out = self.i = self.rest = self.d = 0.0
        self.resume = self.invalid = False

    def __call__(self, now, **inputs):
        r, x = self.r, self.x
        x |= inputs
        dt = 0 if self.last is None or now < self.last else now - self.last
        self.last = now
        gained = r(x["KP"] * r(x["SP"] - x["PV"]))
        if x["TD"] <= 0 or self.before is None:
            self.d, self.before = 0.0, x["PV"]
        elif dt:
            td = r(x["TD"])
            tf = r(td / x["N"]) if x["N"] > 0 else 0.0
            kick = r(r(x["KP"] * td) * r(x["PV"] - self.before))
            self.d = r(r(r(tf * self.d) - kick) / r(tf + r(dt)))
            self.before = x["PV"]
        p = r(r(gained + x["FF"]) + self.d)
        if not math.isfinite(p):
            self.before = None
        lo, hi = x["OUT_MIN"], x["OUT_MAX"]
        self.invalid = not (math.isfinite(p) and lo <= hi and math.isfinite(r(hi - lo)))
        if not x["AUTO"]:
            self.resume = True
            if math.isfinite(x["MAN"]) and math.isfinite(x["MAN_RATE"]) and lo <= hi:
                step = r(x["MAN_RATE"] * r(r(dt) / S)) if x["MAN_RATE"] > 0 else INF
                self.out = min(max(x["MAN"], r(self.out - step)), r(self.out + step))
                self.out = min(max(self.out, lo), hi)
            else:
                self.invalid = True
        elif self.invalid:
            self.resume = True
        else:
            self.automatic(p, gained, dt, lo, hi)
        return self

    def automatic(self, p, gained, dt, lo, hi):
        r, x = self.r, self.x
        if x["TI"] <= 0:
            self.i = self.rest = 0.0
        elif self.resume:
            self.i, self.rest = r(self.out - p), 0.0
        else:
            step = r(gained * r(r(dt) / r(x["TI"])))
            inside = lo < r(p + self.i) < hi
            inwards = step < 0 if r(p + self.i) >= hi else step > 0
            if inside or (inwards and lo != hi):
                step = r(step + self.rest)
                i = r(self.i + step)
                self.rest = r(step - r(i - self.i))
                self.i = i
        self.resume = False
        v = r(p + self.i)
        self.out = min(max(v, lo), hi)
        edge = r(self.out - x["FF"])
        if v > hi and self.i > edge:
            self.i, self.rest = max(edge, r(hi - p)), 0.0
        elif v < lo and self.i < edge:
            self.i, self.rest = min(edge, r(lo - p)), 0.0


def scenario(rng: random.Random, k: int) -> dict[str, float | int | bool]:
    """Inputs that change at this scan."""
    changed: dict[str, float | int | bool] = {"PV": f32(50 + 40 * math.sin(k / 70) + rng.random())}
    for name, chance, choose in (
        ("SP", 0.01, lambda: f32(rng.uniform(0, 100))),
        ("KP", 0.003, lambda: f32(rng.uniform(-5, 5))),
        ("TI", 0.003, lambda: rng.choice([0, 200 * MS, 5 * S, 600 * S])),
        ("TD", 0.003, lambda: rng.choice([0, 50 * MS, 3 * S])),
        ("N", 0.002, lambda: f32(rng.choice([0, 3, 8.5]))),
        ("FF", 0.004, lambda: f32(rng.uniform(-60, 60))),
        ("OUT_MIN", 0.002, lambda: f32(rng.uniform(-100, 30))),
        ("OUT_MAX", 0.002, lambda: f32(rng.uniform(40, 150))),
        ("AUTO", 0.02, lambda: rng.random() < 0.7),
        ("MAN", 0.02, lambda: f32(rng.uniform(-20, 120))),
        ("MAN_RATE", 0.005, lambda: f32(rng.choice([0, 1, 100]))),
    ):
        if rng.random() < chance:
            changed[name] = choose()
    if rng.random() < 0.005:
        changed["PV"] = rng.choice([NAN, INF, -INF])
    return changed


@pytest.mark.parametrize("seed", range(6))
def test_pid_bit_for_bit(seed: int) -> None:
    rng = random.Random(seed)
    settings = {"KP": 2.0, "TI": 5 * S, "TD": 300 * MS, "SP": 40.0}
    block, model = Block("PID", **settings), Model(**settings)
    now = rng.choice([0, 5 * S])
    at_limits = 0
    for k in range(4000):
        inputs = scenario(rng, k)
        block(now, **inputs)
        model(now, **inputs)
        assert block.OUT == model.out, k
        assert block.INVALID == model.invalid, k
        assert block.AT_MAX == (model.out >= model.x["OUT_MAX"])
        assert block.AT_MIN == (model.out <= model.x["OUT_MIN"])
        at_limits += block.AT_MAX or block.AT_MIN
        now += rng.choice([0, 10, 10, 10, 10, 3, 500]) * MS
    assert 400 < at_limits < 3600


def test_pid_against_the_equation() -> None:
    # Inside the limits: E, its integral and the filtered derivative, each by themselves.
    rng = random.Random("equation")
    kp, ti, td, n = 0.8, 20.0, 2.0, 8.0
    block = Block("PID", KP=kp, TI=int(ti * S), TD=int(td * S), N=n, OUT_MIN=-1e4, OUT_MAX=1e4)
    pv, integral, rate, before = 20.0, 0.0, 0.0, None
    for k in range(5000):
        pv = f32(pv + rng.uniform(-0.1, 0.1))
        sp = f32(20 + k // 1000)
        dt = 0.0 if before is None else 0.01
        integral += (sp - pv) * dt
        if before is not None:
            alpha = dt / (td / n + dt)
            rate += alpha * ((pv - before) / dt - rate)
        before = pv
        out = kp * ((sp - pv) + integral / ti - td * rate)
        assert abs(block(k * 10 * MS, PV=pv, SP=sp).OUT - out) < 2e-4
        assert abs(block.E - (sp - pv)) < 1e-5


def test_pid_integrates_the_smallest_errors() -> None:
    # KP * E * dt / TI is 1E-7, a fortieth of what the last bit of the integral is worth.
    block = Block("PID", KP=1.0, TI=1000 * S, SP=0.01, AUTO=False, MAN=50.0)
    block(0)
    block.set(AUTO=True)
    for k in range(1, 100_002):
        block(k * 10 * MS)
    assert abs(block.OUT - 50.01) < 1e-5


def test_pid_first_call_and_second_call_in_a_scan() -> None:
    block = Block("PID", KP=2.0, TI=S, TD=S, SP=30.0, PV=20.0, FF=1.0)
    assert block(77 * S).OUT == 21.0
    assert block(77 * S).OUT == 21.0
    assert block(78 * S).OUT == 41.0
    assert block(78 * S).OUT == 41.0
    assert block(0).OUT == 41.0  # a RETAIN instance after a restart
    assert block(S).OUT == 61.0


def test_pid_has_no_derivative_of_the_set_point() -> None:
    block = Block("PID", KP=1.0, TD=10 * S, PV=20.0, SP=20.0, FF=50.0)
    block(0)
    assert block(10 * MS, SP=30.0).OUT == 60.0
    # 59.9 and the filtered derivative of 10 per second: TD * 10 * dt / (TD / N + dt)
    assert abs(block(20 * MS, PV=20.1).OUT - (59.9 - 0.1 * 10 / 1.01)) < 1e-4


def tank(valve: float, level: float, dt: float) -> float:
    return level + (valve * 0.02 - level * 0.01) * dt


@pytest.mark.parametrize("kp", [2.0, -2.0])
def test_pid_does_not_wind_up(kp: float) -> None:
    """Saturated for long, OUT leaves the limit at the call at which the error turns."""
    for ff in (0.0, 30.0, 140.0, -140.0):
        for high in (False, True):
            block = Block("PID", KP=kp, TI=2 * S, SP=50.0, FF=ff)
            sign = 1 if high == (kp > 0) else -1
            now = 0
            for _ in range(3000):
                now += 10 * MS
                block(now, PV=50.0 - sign * 30.0)
            saturated = block.AT_MAX if high else block.AT_MIN
            assert saturated
            block(now + 10 * MS, PV=50.0 + sign * 0.5)
            assert 0.0 < block.OUT < 100.0, (ff, high)


def test_pid_does_not_wind_up_whatever_happened_before() -> None:
    # The claim for every state: at a limit, and the error turns, without the derivative's help.
    rng = random.Random("windup")
    turned = 0
    for _ in range(150):
        block = Block("PID", KP=1.5, TI=rng.choice([100 * MS, S]), SP=50.0, MAN=f32(rng.random()))
        now = 0
        for _ in range(12):
            sp, auto = f32(rng.uniform(-200, 300)), rng.random() < 0.8
            ff = f32(rng.uniform(-50, 50))
            for _ in range(rng.randrange(1, 40)):
                now += 10 * MS
                block(now, PV=50.0, SP=sp, AUTO=auto, FF=ff, MAN=f32(rng.uniform(0, 100)))
                assert 0.0 <= block.OUT <= 100.0
            if auto and block.AT_MAX and sp > 50.0:
                turned += 1
                assert not block(now + 10 * MS, SP=49.0).AT_MAX
            elif auto and block.AT_MIN and sp < 50.0:
                turned += 1
                assert not block(now + 10 * MS, SP=51.0).AT_MIN
            now += 10 * MS
    assert turned > 200


def test_pid_overshoots_less_than_one_that_winds_up() -> None:
    block, winding = Block("PID", KP=4.0, TI=20 * S, SP=100.0), 0.0
    level = other = highest = other_highest = 0.0
    for k in range(60_000):
        level = tank(block(k * 10 * MS, PV=f32(level)).OUT, level, 0.01)
        winding += 4.0 * (100 - other) * 0.01 / 20
        other = tank(min(max(4.0 * (100 - other) + winding, 0), 100), other, 0.01)
        highest, other_highest = max(highest, level), max(other_highest, other)
    assert abs(level - 100) < 0.01
    assert highest < 110 < 140 < other_highest


@pytest.mark.parametrize("ff", [0.0, 25.0])
def test_pid_switches_without_a_bump(ff: float) -> None:
    rng = random.Random("bump")
    block = Block("PID", KP=3.0, TI=5 * S, TD=S, FF=ff, SP=60.0, MAN_RATE=10.0)
    now, pv, switches = 0, 20.0, 0
    block(now, PV=pv, AUTO=False, MAN=35.0)
    for k in range(6000):
        now += 10 * MS
        auto, before, out = block.AUTO, block.OUT, 0.0
        if k % 100 == 0:
            pv, auto = f32(rng.uniform(30, 90)), not auto
            switches += 1
            out = block(now, PV=pv, AUTO=auto, MAN=f32(rng.uniform(0, 100))).OUT
            # Automatic: what rounding costs. Manual: MAN_RATE, whatever MAN.
            allowed = 1e-4 if auto else 0.1001
            assert abs(out - before) <= allowed, (k, auto)
        else:
            block(now)
            if not auto:
                assert abs(block.OUT - before) <= 0.1001
    assert switches == 60


def test_pid_manual_operation() -> None:
    block = Block("PID", KP=1.0, TI=S, SP=50.0, AUTO=False, MAN=40.0)
    assert block(0).OUT == 40.0
    assert block(S, MAN=140.0).OUT == 100.0
    assert block.AT_MAX
    assert block(2 * S, MAN=-3.0).OUT == 0.0
    assert block(3 * S, PV=NAN, MAN=20.0).OUT == 20.0  # needs no sensor
    assert block.INVALID
    assert block(4 * S, MAN=NAN).OUT == 20.0
    assert block(5 * S, PV=30.0, MAN=60.0, MAN_RATE=5.0).OUT == 25.0
    assert not block.INVALID


def test_pid_holds_at_invalid_inputs_and_goes_on_without_a_bump() -> None:
    for name in ("PV", "SP", "KP", "FF", "OUT_MAX"):
        for wrong in (NAN, INF, -INF):
            block = Block("PID", KP=1.0, TI=10 * S, TD=S, SP=60.0, PV=30.0, FF=0.0)
            for k in range(500):
                block(k * 10 * MS)
            out, right = block.OUT, getattr(block, name)
            block.set(**{name: wrong})
            for k in range(500, 600):
                assert block(k * 10 * MS).OUT == out
                assert block.INVALID
            block(600 * 10 * MS, **{name: right})
            assert abs(block.OUT - out) < 1e-4
            assert not block.INVALID
            assert out < block(601 * 10 * MS).OUT < out + 0.1
    block = Block("PID", OUT_MIN=5.0, OUT_MAX=4.0, SP=50.0)
    assert block(0).OUT == 0.0
    assert block.INVALID


def test_pid_without_integral_is_the_equation_after_manual_operation_too() -> None:
    block = Block("PID", KP=2.0, FF=10.0, SP=20.0, PV=5.0, AUTO=False, MAN=70.0)
    assert block(0).OUT == 70.0
    assert block(S, AUTO=True).OUT == 40.0


# --- TWO_POINT -----------------------------------------------------------------------------------


def test_two_point_against_a_model() -> None:
    rng = random.Random("two")
    for cool in (False, True):
        block = Block("TWO_POINT", SP=20.0, HYST=2.0, COOL=cool, MIN_ON=40 * MS, MIN_OFF=70 * MS)
        now = changed = 3 * S
        on, temperature, enable, switches = False, 20.0, True, 0
        for _ in range(6000):
            temperature += rng.uniform(-1, 1) + 0.05 * (20 - temperature)
            pv = NAN if rng.random() < 0.005 else f32(temperature)
            enable ^= rng.random() < 0.01
            want_on, want_off = (pv > 21, pv < 19) if cool else (pv < 19, pv > 21)
            if pv != pv or not enable:
                new = False
            elif on:
                new = not (want_off and now - changed >= 40 * MS)
            else:
                new = want_on and now - changed >= 70 * MS
            if new != on:
                on, changed, switches = new, now, switches + 1
            block(now, PV=pv, ENABLE=enable)
            assert (block.Q, block.INVALID) == (on, pv != pv)
            now += rng.choice([0, 10, 10, 25]) * MS
        assert switches > 60


def test_two_point_at_its_limits() -> None:
    block = Block("TWO_POINT", SP=20.0, HYST=0.0)
    assert diagram([block(k, PV=x).Q for k, x in enumerate((20, 19, 20, 21, 20))]) == "_--__"
    block = Block("TWO_POINT", SP=20.0)
    for wrong in ({"PV": NAN}, {"PV": INF}, {"SP": NAN}, {"HYST": -1.0}, {"HYST": NAN}):
        block = Block("TWO_POINT", SP=20.0)
        assert block(0, PV=10.0).Q
        assert not block(1, **wrong).Q
        assert block.INVALID
    block = Block("TWO_POINT", SP=20.0, MIN_OFF=S)
    assert [block(t).Q for t in (99 * S, 0, S // 2, S)] == [False, False, False, True]


# --- THREE_POINT ---------------------------------------------------------------------------------


def test_three_point_against_a_model() -> None:
    rng = random.Random("three")
    block = Block("THREE_POINT", SP=20.0, DEAD=0.5, HYST=1.0, PAUSE=50 * MS)
    now = idle = 3 * S
    way, temperature, enable, turns = 0, 20.0, True, [0, 0]
    for _ in range(8000):
        temperature += rng.uniform(-1.5, 1.5) + 0.05 * (20 - temperature)
        pv = NAN if rng.random() < 0.005 else f32(temperature)
        enable ^= rng.random() < 0.01
        e = 20.0 - pv
        ok = enable and e == e
        if way and not (ok and way * e > 0.5):
            way, idle = 0, now
        if not way and ok and abs(e) > 1.5 and now - idle >= 50 * MS:
            way = 1 if e > 0 else -1
            turns[e > 0] += 1
        block(now, PV=pv, ENABLE=enable)
        assert (block.UP, block.DOWN) == (way == 1, way == -1)
        assert block.INVALID == (pv != pv)
        now += rng.choice([0, 10, 10, 25]) * MS
    assert min(turns) > 50


def test_three_point_turns_round_at_once_without_a_pause() -> None:
    block = Block("THREE_POINT", SP=0.0, DEAD=0.0, HYST=0.0)
    got = [(block(k, PV=x).UP, block.DOWN) for k, x in enumerate((0, -1, 1, 0, 1, -1))]
    assert diagram([u for u, _ in got]) == "_-___-"
    assert diagram([d for _, d in got]) == "__-_-_"
    for wrong in ({"DEAD": -1.0}, {"HYST": NAN}, {"SP": INF}):
        assert Block("THREE_POINT", **wrong)(0, PV=-9.0).INVALID
        assert not Block("THREE_POINT", **wrong)(0, PV=-9.0).UP


# --- PWM_OUTPUT ----------------------------------------------------------------------------------


def pulses(block: Block, scans: int, interval: int) -> tuple[list[bool], list[int]]:
    """Q at each scan, and the lengths of its runs in scans (the first and last left out)."""
    row = [block(k * interval).Q for k in range(scans)]
    runs, length = [], 0
    for k, q in enumerate(row):
        length += 1
        if k + 1 < scans and row[k + 1] != q:
            runs.append(length)
            length = 0
    return row, runs[1:]


@pytest.mark.parametrize("percent", [0.3, 1.0, 12.34, 25.0, 50.0, 66.6, 97.7, 99.9])
@pytest.mark.parametrize("minimum", [0, 130])
def test_pwm_output_mean_and_lengths(percent: float, minimum: int) -> None:
    block = Block("PWM_OUTPUT", IN=percent, PERIOD=S, MIN_PULSE=minimum * MS)
    row, runs = pulses(block, 30_000, 10 * MS)
    # Never away from the wanted mean by more than a pulse that waits and one that runs.
    on = 0
    for k in range(100, 30_000, 100):
        on = on + sum(row[k - 100 : k])
        assert abs(on / 100 - k / 100 * percent / 100) <= 0.02 + 2 * minimum / 1000
    assert runs
    assert min(runs) >= minimum / 10
    assert all(r <= 1000 / 10 for r in runs) or minimum or not 1 <= percent <= 99
    starts = [k for k in range(1, len(row)) if row[k] and not row[k - 1]]
    assert all(k % 100 == 0 for k in starts)


def test_pwm_output_period_does_not_drift() -> None:
    block = Block("PWM_OUTPUT", IN=30.0, PERIOD=85 * MS)
    row = [block(k * 10 * MS).Q for k in range(8500)]
    assert sum(row[k] and not row[k - 1] for k in range(1, len(row))) == 1000 - 1
    assert abs(sum(row) / len(row) - 0.3) < 0.001


def test_pwm_output_diagram() -> None:
    block = Block("PWM_OUTPUT", PERIOD=80 * MS)
    row = [block(k * 10 * MS, IN=25 if k < 9 else 75).Q for k in range(32)]
    assert diagram(row) == "--______--______------__------__"


def test_pwm_output_at_its_limits() -> None:
    block = Block("PWM_OUTPUT", PERIOD=100 * MS, MIN_PULSE=20 * MS)
    assert all(block(k * 10 * MS, IN=250.0).Q for k in range(50))
    assert not block(500 * MS, IN=0.0).Q
    assert not any(block(500 * MS + k * 10 * MS, IN=-INF).Q for k in range(50))
    assert not any(block(S + k * 10 * MS, IN=NAN).Q for k in range(50))
    assert not any(block(2 * S + k * 10 * MS, IN=50.0, PERIOD=0).Q for k in range(50))
    block = Block("PWM_OUTPUT", PERIOD=100 * MS, IN=50.0)
    assert block(99 * S).Q
    assert block(0).Q  # a RETAIN instance after a restart
    assert not block(10 * MS, IN=0.0).Q  # at once
    assert not block(20 * MS, IN=50.0).Q  # one pulse a period
    assert block(100 * MS).Q


def test_ulp_is_that_of_binary32() -> None:
    assert ulp32(1.0) == 2.0**-23
    assert div32(1.0, 3.0) == f32(1 / 3)
