"""Recordings for the tests of the reports: one made by hand, and any at all."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from hil_tests.recording import (
    Check,
    FaultSpan,
    Frame,
    Recording,
    Release,
    SignalInfo,
)

MS = 1_000_000
S = 1_000_000_000


def tank() -> Recording:
    """A tank that overfills: the level sensor sticks, so that the horn comes too late."""
    r = Recording()
    r.add_signal(SignalInfo("selector", "digital", to_device=True, about="manual / automatic"))
    r.add_signal(SignalInfo("level", "analogue", "%", to_device=True))
    r.add_signal(SignalInfo("flow", "analogue", "l/min", to_device=True))
    r.add_signal(SignalInfo("pump_1", "digital"))
    r.add_signal(SignalInfo("pump_2", "digital"))
    r.add_signal(SignalInfo("horn", "digital"))
    for name, value in (("selector", False), ("pump_1", False), ("pump_2", False)):
        r.change(0, name, value)
    r.change(0, "level", 40.0)
    r.change(0, "horn", False)
    r.change(500 * MS, "selector", True)
    r.change(520 * MS, "pump_1", True)
    for k in range(200):
        t = 520 * MS + k * 100 * MS
        level = 40.0 + 2.6 * (k / 10) + 0.4 * math.sin(k / 3)
        if t < 15 * S or t > 19 * S:
            r.change(t, "level", round(level, 3))
        r.change(t, "flow", round(12 + 1.5 * math.sin(k / 7), 3))
    r.change(16 * S, "pump_2", True)
    r.change(18 * S, "pump_2", None)
    r.change(18 * S + 200 * MS, "pump_2", True)
    r.change(19 * S + 140 * MS, "horn", True)
    r.change(19 * S + 160 * MS, "pump_1", False)
    r.faults.append(FaultSpan(15 * S, "stuck at 77.6 %", "level", 19 * S))
    r.faults.append(FaultSpan(18 * S, "open wire", "pump_2", 18 * S + 200 * MS))
    r.checks.append(
        Check(500 * MS, 520 * MS, "pump_1 rises within 50 ms after selector rises", True,
              "after 20 ms", ("pump_1", "selector"), "test_tank.py:14")
    )  # fmt: skip
    r.checks.append(
        Check(15 * S + 900 * MS, 16 * S + 900 * MS, "horn rises within 1 s after level > 80 %",
              False, "horn stayed low", ("horn", "level"), "test_tank.py:21", (("level", 80.0),))
    )  # fmt: skip
    for k in range(201):
        r.releases.append(Release(k * 100 * MS, "main", 3_000 + k * 10, 210_000))
    ask = bytes.fromhex("050300000002c58f")
    for k in range(8):
        r.frames.append(Frame(k * 2 * S + 7 * MS, "field", False, ask))
        answer = "050304001100 2a6e29".replace(" ", "")
        good = k != 5
        data = bytes.fromhex(answer if good else answer[:-2] + "ff")
        r.frames.append(Frame(k * 2 * S + 13 * MS, "field", True, data, good=good))
    r.notes.append((12 * S, "operator at the panel"))
    r.end_ns = 20 * S + 500 * MS
    return r


_times = st.integers(0, 40).map(lambda k: k * 250_000_000)
_texts = st.text(max_size=12)
_numbers = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Any recording with up to four signals and a few dozen changes."""
    r = Recording()
    names = draw(st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=4))
    for name in names:
        kind = draw(st.sampled_from(["digital", "analogue"]))
        r.add_signal(SignalInfo(name, kind, draw(st.sampled_from(["", "%", "µm/s"])),
                                draw(st.booleans())))  # fmt: skip
    for at in sorted(draw(st.lists(_times, max_size=30))) if names else ():
        name = draw(st.sampled_from(names))
        digital = r.signals[name].kind == "digital"
        r.change(at, name, draw(st.one_of(st.none(), st.booleans() if digital else _numbers)))
    some = st.lists(st.sampled_from(names), max_size=2).map(tuple) if names else st.just(())
    for begin in sorted(draw(st.lists(_times, max_size=3))):
        r.checks.append(Check(begin, begin + draw(_times), draw(_texts), draw(st.booleans()),
                              draw(_texts), draw(some)))  # fmt: skip
    for begin in sorted(draw(st.lists(_times, max_size=3))):
        end = draw(st.one_of(st.none(), _times.map(lambda t, b=begin: b + t)))
        signal = draw(st.sampled_from([None, *names]))
        r.faults.append(FaultSpan(begin, draw(_texts), signal, end))
    for at in sorted(draw(st.lists(_times, max_size=5))):
        task, late = draw(st.sampled_from(["main", "fast"])), draw(st.integers(0, 10_000))
        r.releases.append(Release(at, task, late, draw(st.integers(0, 10**9))))
    for at in sorted(draw(st.lists(_times, max_size=5))):
        r.frames.append(Frame(at, draw(st.sampled_from(["field", "plant tcp"])),
                              draw(st.booleans()), draw(st.binary(max_size=20))))  # fmt: skip
    for at in sorted(draw(st.lists(_times, max_size=2))):
        r.notes.append((at, draw(_texts)))
    r.end_ns = max(r.end_ns, draw(_times))
    return r
