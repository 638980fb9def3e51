"""Takt's own blocks for signals, alarms and switching times, against models of their headers."""

# ruff: noqa: SIM300 (OUT, Q … are outputs of the block, not constants)

from __future__ import annotations

import math
import random
from collections import deque
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from tests.conformance.library_support import Running
from tests.conformance.takt_blocks import (
    INF,
    MS,
    NAN,
    Block,
    S,
    bits,
    diagram,
    div32,
    f32,
    function,
    ulp32,
)

# --- SCALE ---------------------------------------------------------------------------------------

REALS = dict.fromkeys(("x", "a", "b", "lo", "hi"), "REAL")
INTS = dict.fromkeys(("x", "a", "b", "lo", "hi"), "INT")


def scale(x: float, a: float, b: float, lo: float, hi: float) -> float:
    part = div32(f32(x - a), f32(b - a))
    if part != part:
        return lo if x == a else NAN
    if part <= 0:
        return lo
    if part >= 1:
        return hi
    return f32(lo + f32(part * f32(hi - lo)))


def test_scale() -> None:
    call = function("SCALE(x, a, b, lo, hi)", REALS, "REAL")
    rng = random.Random("scale")
    for _ in range(3000):
        a, b, lo, hi = (f32(rng.uniform(-1, 1) * 10 ** rng.randrange(-3, 6)) for _ in range(4))
        x = f32(rng.choice([a, b, a + rng.uniform(-0.5, 1.5) * (b - a)]))
        y = call(x, a, b, lo, hi)
        assert y == scale(x, a, b, lo, hi)
        assert min(lo, hi) <= y <= max(lo, hi)
        exact = lo + min(max((x - a) / (b - a), 0.0), 1.0) * (hi - lo)
        # One rounding each of x - a, b - a, their quotient, hi - lo, the product, the sum.
        assert abs(y - exact) <= 6 * 2.0**-24 * (abs(lo) + abs(hi - lo))


def test_scale_is_monotonic_and_exact_at_its_ends() -> None:
    call = function("SCALE(x, a, b, lo, hi)", REALS, "REAL")
    row = [call(i, 0, 27648, 0.1, 0.3) for i in range(-5, 27660)]
    assert row == sorted(row)
    assert (row[5], row[27653], row[0], row[-1]) == (f32(0.1), f32(0.3), f32(0.1), f32(0.3))
    # The last value before the end, where hi - lo is rounded up.
    rng = random.Random("end")
    for _ in range(3000):
        lo = f32(rng.uniform(-1, 1))
        hi = f32(-lo * rng.uniform(0.01, 0.9))
        y = call(16777214.0, 0.0, 16777215.0, lo, hi)
        assert min(lo, hi) <= y <= max(lo, hi)


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ((5, 5, 5, 1, 2), 1), ((6, 5, 5, 1, 2), 2), ((4, 5, 5, 1, 2), 1),
        ((INF, 0, 1, 3, 4), 4), ((-INF, 0, 1, 3, 4), 3), ((INF, 1, 0, 3, 4), 3),
        ((NAN, 0, 1, 3, 4), NAN), ((0.5, NAN, 1, 3, 4), NAN), ((0.5, 0, 1, 3, NAN), NAN),
    ],
)  # fmt: skip
def test_scale_at_its_limits(arguments: tuple[float, ...], result: float) -> None:
    got = function("SCALE(x, a, b, lo, hi)", REALS, "REAL")(*arguments)
    assert got == result or (got != got and result != result)


def test_scale_takes_an_int_and_has_defaults() -> None:
    call = function("SCALE(IN := x, IN_MAX := 27648, OUT_MAX := 100.0)", {"x": "INT"}, "REAL")
    assert [call(0), call(13824), call(27648), call(32767), call(-4864)] == [0, 50, 100, 100, 0]


def test_scale_int() -> None:
    call = function("SCALE_INT(x, a, b, lo, hi)", INTS, "INT")
    rng = random.Random("scale_int")
    edges = [-32768, -32767, -1, 0, 1, 2, 100, 27648, 32767]
    for k in range(4000):
        x, a, b, lo, hi = (
            rng.choice(edges) if k % 3 else rng.randrange(-32768, 32768) for _ in range(5)
        )
        if a == b:
            exact = Fraction(hi if x > a else lo)
        else:
            exact = lo + min(max(Fraction(x - a, b - a), Fraction(0)), Fraction(1)) * (hi - lo)
        way = exact - lo
        nearest = math.floor(abs(way) + Fraction(1, 2)) * (1 if way > 0 else -1)
        assert call(x, a, b, lo, hi) == lo + nearest, (x, a, b, lo, hi)


# --- RAMP ----------------------------------------------------------------------------------------


def test_ramp_against_exact_arithmetic() -> None:
    rng = random.Random("ramp")
    block = Block("RAMP")
    now, last, out = 0, 0, Fraction(0)
    up, down, target = f32(0.3), f32(1.7), 0.0
    for k in range(6000):
        if rng.random() < 0.02:
            target = f32(rng.uniform(-20, 20))
        if rng.random() < 0.005:
            up, down = f32(rng.choice([0, 0.01, 3])), f32(rng.choice([0, 0.01, 3]))
        hold, load = rng.random() < 0.1, rng.random() < 0.005
        block(now, IN=target, UP=up, DOWN=down, HOLD=hold, LOAD=load)
        gap = Fraction(target) - out
        rate = Fraction(up if gap > 0 else down)
        step = rate * (now - last if k else 0) / S
        if load or (not hold and (rate <= 0 or step >= abs(gap))):
            out = Fraction(target)
        elif not hold:
            out += step if gap > 0 else -step
        # Rounding of the steps only, not of their sum.
        assert abs(block.OUT - float(out)) <= 64 * 2.0**-24
        assert block.BUSY == (block.OUT != target)
        last, now = now, now + rng.choice([0, 1, 10, 10, 10, 35]) * MS


def test_ramp_arrives_however_slow() -> None:
    # A step is 1E-5, a sixth of what the last bit of OUT is worth.
    block = Block("RAMP := (OUT := 1000.0)", IN=1001.0, UP=0.001, DOWN=1.0)
    for k in range(50_001):
        block(k * 10 * MS)
    assert abs(block.OUT - 1000.5) < 0.0002
    for k in range(50_001, 100_010):
        block(k * 10 * MS)
    assert block.OUT == 1001.0
    assert not block.BUSY


def test_ramp_slope_never_exceeds_its_rates() -> None:
    rng = random.Random("slope")
    block = Block("RAMP", UP=5.0, DOWN=2.0)
    before = block(0, IN=100.0).OUT
    assert before == 0.0
    for k in range(1, 3000):
        out = block(k * 10 * MS, IN=f32(rng.uniform(-50, 50)) if k % 40 == 0 else block.IN).OUT
        slack = 2 * ulp32(max(abs(out), abs(before)))
        assert -0.02 - slack <= out - before <= 0.05 + slack
        before = out


def test_ramp_at_invalid_inputs_and_restored_clock() -> None:
    block = Block("RAMP", UP=1.0, DOWN=1.0)
    block(0, IN=5.0)
    block(S)
    for wrong in (NAN, INF, -INF):
        assert block(block.running.now + S, IN=wrong).OUT == 1.0
        assert block.BUSY
    assert block(9 * S, IN=5.0, UP=NAN).OUT == 1.0
    assert block(9 * S + 500 * MS, UP=1.0).OUT == 1.5
    assert block(0).OUT == 1.5  # a RETAIN instance after a restart
    assert block(S).OUT == 2.5
    assert Block("RAMP", UP=1.0)(7 * S, IN=3.0, LOAD=True).OUT == 3.0
    assert Block("RAMP", UP=1.0)(7 * S, IN=3.0).OUT == 0.0


# --- LOWPASS -------------------------------------------------------------------------------------


def test_lowpass_against_its_equation() -> None:
    rng = random.Random("lowpass")
    block = Block("LOWPASS", T1=300 * MS)
    now, value, x = 5 * S, 0.0, 0.0
    last = now
    for k in range(4000):
        if k % 50 == 0:
            x = f32(rng.uniform(-100, 100))
        block(now, IN=x)
        value = x if k == 0 else value + (x - value) * (now - last) / (300 * MS + now - last)
        assert abs(block.OUT - value) <= 200 * 2.0**-22
        last, now = now, now + rng.choice([0, 1, 10, 10, 500]) * MS


def test_lowpass_arrives_however_slow() -> None:
    # (IN - OUT) * dt / T1 is 1E-5 of the gap: below the last bit of OUT long before the end.
    block = Block("LOWPASS", IN=100.0, T1=1000 * S)
    block(0)
    block.set(IN=101.0)
    for k in range(1, 100_001):
        block(k * 10 * MS)
    assert abs(block.OUT - (101.0 - math.exp(-1.0))) < 1e-4


def test_lowpass_never_overshoots() -> None:
    block = Block("LOWPASS", T1=20 * MS)
    rng = random.Random("overshoot")
    now = 0
    for _ in range(3000):
        x, before = f32(rng.uniform(-10, 10)), block.OUT
        out = block(now, IN=x).OUT
        assert min(x, before) <= out <= max(x, before) or now == 0
        now += rng.choice([1, 10, 10_000]) * MS


def test_lowpass_starts_resets_and_leaves_out_what_is_no_number() -> None:
    block = Block("LOWPASS", T1=S)
    assert block(0, IN=NAN).OUT == 0.0
    assert block(S, IN=7.0).OUT == 7.0
    assert block(2 * S, IN=9.0).OUT == 8.0
    assert block(3 * S, IN=INF).OUT == 8.0
    assert block(4 * S, IN=9.0).OUT == 8.5
    assert block(4 * S, IN=100.0).OUT == 8.5  # twice in one scan
    assert block(0).OUT == 8.5  # the clock starts anew
    assert block(S, IN=3.0, RESET=True).OUT == 3.0
    assert block(2 * S, IN=4.0, RESET=False, T1=0).OUT == 4.0


# --- MOVING_AVERAGE ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 10, 64])
def test_moving_average_of_integers_is_exact(n: int) -> None:
    rng = random.Random(n)
    block = Block("MOVING_AVERAGE", N=n)
    window: deque[int] = deque(maxlen=n)
    for k in range(500):
        window.append(rng.randrange(-100_000, 100_000))
        block(k * 10 * MS, IN=window[-1])
        assert block.OUT == f32(sum(window) / len(window))
        assert (block.COUNT, block.READY) == (len(window), len(window) == n)


def test_moving_average_does_not_drift() -> None:
    rng = random.Random("drift")
    block = Block("MOVING_AVERAGE", N=50)
    window: deque[float] = deque(maxlen=50)
    worst = 0.0
    for k in range(50_000):
        # Bursts of large values leave their rounding errors in the sum.
        window.append(f32(rng.uniform(0, 1e6 if k % 1000 < 20 else 1.0)))
        block(k * 10 * MS, IN=window[-1])
        if k % 1000 > 200:
            worst = max(worst, abs(block.OUT - math.fsum(window) / len(window)))
    assert worst < 1e-5


def test_moving_average_diagram_limits_and_reset() -> None:
    block = Block("MOVING_AVERAGE", N=3)
    rows = [block(k, IN=x).OUT for k, x in enumerate((3, 6, 9, 9, 9, 0))]
    assert rows == [3, 4.5, 6, 8, 9, 6]
    assert block(9, IN=NAN).OUT == 6
    assert block(10, IN=INF).OUT == 6
    assert block(11, IN=3).OUT == 4
    assert block(12, IN=8, RESET=True).OUT == 8
    assert (block.COUNT, block.READY) == (1, False)
    assert block(13, IN=4, RESET=False).OUT == 6
    assert block(14, IN=1, N=100).OUT == 1
    assert block.N == 64
    for k in range(63):
        block(15 + k, IN=1, N=100)
    assert block.READY
    assert block(90, IN=7, N=-5).OUT == 7
    assert block(91, IN=9, N=-5).OUT == 9


def test_moving_average_takes_a_value_every_so_often() -> None:
    block = Block("MOVING_AVERAGE", N=4, EVERY=25 * MS)
    taken = []
    for k in range(12):
        before = block.COUNT, block.OUT
        block(k * 10 * MS, IN=k * k)
        if (block.COUNT, block.OUT) != before:
            taken.append(k)
    assert taken == [0, 3, 6, 9] or taken == [3, 6, 9]  # 0 is the mean of nothing and of 0
    assert block.OUT == (0 + 9 + 36 + 81) / 4


# --- HYSTERESIS ----------------------------------------------------------------------------------


def test_hysteresis() -> None:
    block = Block("HYSTERESIS", HIGH=80.0, LOW=20.0)
    values = [50, 79.9, 80, 50, 20.1, 20, 50, 81, NAN, 19]
    assert diagram([block(0, IN=x).Q for x in values]) == "__---__--_"
    assert diagram([block(0, IN=x, LOW=NAN).Q for x in (90, 10, 90)]) == "---"
    assert diagram([block(0, IN=x, LOW=90, HIGH=50).Q for x in (10, 49, 50, 95, 60)]) == "__---"


# --- ALARM_DELAY ---------------------------------------------------------------------------------


@pytest.mark.parametrize("latch", [False, True])
def test_alarm_delay_diagrams(latch: bool) -> None:
    rows = [
        ("__-----_------____________", "_______-__-________-______",
         "____--------------________", "____---___________________", "____--------------________"),
        ("__----____________________", "______________-___________",
         "____------________________", "____----------____________", "____----------____________"),
    ]  # fmt: skip
    for condition, ack, active, unack, q in rows:
        block = Block("ALARM_DELAY", ON_DELAY=20 * MS, OFF_DELAY=40 * MS, LATCH=latch)
        got = [
            (block(k * 10 * MS, IN=i, ACK=a).ACTIVE, block.UNACK, block.Q)
            for k, (i, a) in enumerate(zip(bits(condition), bits(ack), strict=True))
        ]
        assert [diagram(list(c)) for c in zip(*got, strict=True)] == [
            active,
            unack,
            q if latch else active,
        ]


def test_alarm_delay_against_a_model_of_events() -> None:
    rng = random.Random("alarm")
    on, off = 35 * MS, 60 * MS
    block = Block("ALARM_DELAY", ON_DELAY=on, OFF_DELAY=off)
    now, changed, was, acked, active, unack = 0, 0, False, False, False, False
    condition = ack = False
    rises = 0
    for _ in range(5000):
        condition ^= rng.random() < 0.12
        ack ^= rng.random() < 0.1
        if condition != was:
            was, changed = condition, now
        if ack and not acked:
            unack = False
        acked = ack
        if condition and not active and now - changed >= on:
            active = unack = True
            rises += 1
        elif not condition and active and now - changed >= off:
            active = False
        block(now, IN=condition, ACK=ack)
        assert (block.ACTIVE, block.UNACK, block.Q) == (active, unack, active or unack)
        now += rng.choice([0, 5, 10, 10]) * MS
    assert rises > 50


def test_alarm_delay_without_delays_and_after_a_restart() -> None:
    block = Block("ALARM_DELAY")
    assert block(0, IN=True, ACK=True).Q
    assert block.UNACK  # the edge of ACK came with the alarm, not after it
    block = Block("ALARM_DELAY", ON_DELAY=S)
    block(100 * S, IN=True)
    assert [block(t).Q for t in (0, S // 2, S)] == [False, False, True]


# --- BLINK ---------------------------------------------------------------------------------------


def test_blink_diagram() -> None:
    block = Block("BLINK", TIMEHIGH=20 * MS, TIMELOW=30 * MS)
    enable = bits("__---------------____")
    got = [block(k * 10 * MS, ENABLE=e).OUT for k, e in enumerate(enable)]
    assert diagram(got) == "__--___--___--_______"[: len(enable)]


def test_blink_keeps_its_phase_at_any_call_rate() -> None:
    rng = random.Random("blink")
    for high, low in ((25, 10), (1, 999), (500, 500)):
        block = Block("BLINK", TIMEHIGH=high * MS, TIMELOW=low * MS)
        start = now = 12_345_678
        for _ in range(1000):
            assert block(now, ENABLE=True).OUT == ((now - start) % ((high + low) * MS) < high * MS)
            now += rng.choice([0, 1, 10, 10, 777]) * MS
        assert not block(now, ENABLE=False).OUT
        assert block(now + 3, ENABLE=True).OUT
        assert block(0).OUT  # the clock starts anew
        assert not block(high * MS).OUT


def test_blink_without_a_phase() -> None:
    assert {Block("BLINK", TIMEHIGH=0, ENABLE=True)(t).OUT for t in range(0, S, 10 * MS)} == {
        False
    }
    block = Block("BLINK", TIMELOW=0, ENABLE=True)
    assert {block(t).OUT for t in range(0, 2 * S, 10 * MS)} == {True}


# --- WEEK_TIMER ----------------------------------------------------------------------------------

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def week_timer(now: datetime, entries: list[tuple[int, int, int]]) -> bool:
    """Entries of day mask, start and stop in seconds: is one of the last eight days' on?"""
    for mask, start, stop in entries:
        for back in range(3):
            midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
            midnight -= timedelta(days=back)
            if mask >> midnight.isoweekday() % 7 & 1:
                begin = midnight + timedelta(seconds=start)
                end = midnight + timedelta(seconds=stop, days=stop <= start)
                if begin <= now < end:
                    return True
    return False


def test_week_timer_against_the_calendar() -> None:
    rng = random.Random("week")
    hours = [0, 3600, 21600, 21601, 64800, 86399]
    on = 0
    for _ in range(12):
        entries = [
            (rng.choice([0, 0x3E, 0x41, 1 << rng.randrange(7)]), *rng.choices(hours, k=2))
            for _ in range(8)
        ]
        block = Block("WEEK_TIMER")
        for i, (mask, start, stop) in enumerate(entries, 1):
            block.set(**{f"DAYS[{i}]": mask, f"START[{i}]": start * S, f"STOP[{i}]": stop * S})
        for _ in range(300):
            day = datetime(1950 + rng.randrange(150), 1, 1, tzinfo=UTC)
            now = day + timedelta(
                days=rng.randrange(365), seconds=rng.choice(hours) + rng.choice([-1, 0, 1, 777])
            )
            block(0, NOW=(now - EPOCH) // timedelta(seconds=1) * S)
            on += block.Q
            assert block.Q == week_timer(now, entries), (now, entries)
    assert 600 < on < 3000


def test_week_timer_switches_at_the_second() -> None:
    running = Running("""PROGRAM p
        VAR w : WEEK_TIMER := (DAYS := [2#0011_1110, 2#0100_0001],
                               START := [TOD#06:00:00, TOD#14:00:00],
                               STOP := [TOD#18:00:00, TOD#20:00:00]);
            n : DT := DT#2024-02-26-00:00:00; END_VAR
        w(NOW := n); END_PROGRAM""")
    start = running.get("p.n", "q")
    edges, q = [], False
    for second in range(0, 7 * 86400, 600):
        for t in (second, second + 599):
            running.put("p.n", "q", start + t * S + 999 * MS)
            running.scan()
            if running.get("p.w.Q", "?") != q:
                q = not q
                edges.append(t)
    week = [(d * 24 + h) * 3600 for d in range(5) for h in (6, 18)]
    assert edges == week + [(d * 24 + h) * 3600 for d in (5, 6) for h in (14, 20)]


# --- names ---------------------------------------------------------------------------------------

BLOCKS = ("PID", "RAMP", "LOWPASS", "MOVING_AVERAGE", "HYSTERESIS", "TWO_POINT", "THREE_POINT",
          "PWM_OUTPUT", "ALARM_DELAY", "BLINK", "WEEK_TIMER")  # fmt: skip
OWN = {
    "block": "FUNCTION_BLOCK {0} VAR_OUTPUT z : INT; END_VAR z := 7; END_FUNCTION_BLOCK"
    " PROGRAM p VAR x : {0}; r : INT; END_VAR x(); r := x.z; END_PROGRAM",
    "function": "FUNCTION {0} : INT VAR_INPUT a : INT; END_VAR {0} := a + 1; END_FUNCTION"
    " PROGRAM p VAR r : INT; END_VAR r := {0}(6); END_PROGRAM",
    "type": "TYPE {0} : STRUCT z : INT := 7; END_STRUCT; END_TYPE"
    " PROGRAM p VAR x : {0}; r : INT; END_VAR r := x.z; END_PROGRAM",
    "enumeration": "TYPE s : (none, {0} := 7); END_TYPE PROGRAM p VAR x : s; r : INT; END_VAR"
    " x := {0}; CASE x OF {0}: r := 7; END_CASE; END_PROGRAM",
    "global": "VAR_GLOBAL {0} : INT; END_VAR PROGRAM p VAR r : INT; END_VAR"
    " {0} := 7; r := {0}; END_PROGRAM",
    "variable": "PROGRAM p VAR {0}, r : INT; END_VAR {0} := 7; r := {0}; END_PROGRAM",
}


@pytest.mark.parametrize("use", OWN)
def test_names_of_the_program_win(use: str) -> None:
    for name in (*BLOCKS, "SCALE", "SCALE_INT"):
        running = Running(OWN[use].format(name.lower()))
        running.scan(0)
        assert running.get("p.r", "h") == 7


def test_instances_may_have_the_name_of_their_block() -> None:
    declared = "".join(f"{name.lower()} : {name};" for name in BLOCKS)
    calls = "".join(f"{name.lower()}();" for name in BLOCKS)
    Running(f"PROGRAM p VAR {declared} END_VAR {calls} END_PROGRAM").scan(0)
