"""The standard function blocks, scan by scan against their timing diagrams."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.conformance.library_support import Running

MS = 1_000_000


def bits(text: str) -> list[bool]:
    """ "__--_" as in the diagrams of the library."""
    return [c == "-" for c in text if c in "_-"]


class Block:
    """One instance `b` of a function block, called once a scan."""

    def __init__(self, kind: str, inputs: dict[str, str], outputs: dict[str, str]) -> None:
        self.codes = {"BOOL": "?", "TIME": "q", "LTIME": "q", "INT": "h", "DINT": "i", "LINT": "q",
                      "UDINT": "I", "ULINT": "Q", "DT": "q"}  # fmt: skip
        self.types = inputs | outputs
        self.outputs = outputs
        declarations = "".join(f"{n} : {t};" for n, t in self.types.items())
        arguments = [f"{n} := {n}" for n in inputs] + [f"{n} => {n}" for n in outputs]
        call = f"b({', '.join(arguments)});"
        self.running = Running(
            f"PROGRAM p VAR b : {kind}; {declarations} END_VAR {call} END_PROGRAM"
        )

    def __call__(self, now: int | None = None, **inputs: Any) -> tuple[Any, ...]:
        for name, value in inputs.items():
            self.running.put(f"p.{name}", self.codes[self.types[name]], value)
        self.running.scan(now)
        return tuple(self.running.get(f"p.{n}", self.codes[t]) for n, t in self.outputs.items())


def trace(block: Block, **inputs: str) -> list[str]:
    """Drive BOOL inputs by diagrams; the outputs as diagrams (numbers as digits)."""
    rows = {name: bits(text) for name, text in inputs.items()}
    out = []
    for i in range(len(next(iter(rows.values())))):
        out.append(block(**{name: row[i] for name, row in rows.items()}))
    return [
        "".join(
            {True: "-", False: "_"}.get(v, str(v)) if isinstance(v, bool) else str(v)
            for v in column
        )
        for column in zip(*out, strict=True)
    ]


# --- bistables and edges -----------------------------------------------------------------------


def test_sr() -> None:
    block = Block("SR", {"S1": "BOOL", "R": "BOOL"}, {"Q1": "BOOL"})
    assert trace(block, S1="__--__--____", R="___---____-_") == ["__--__----__"]
    assert trace(block, S1="-_-", R="---") == ["-_-"]


def test_rs() -> None:
    block = Block("RS", {"S": "BOOL", "R1": "BOOL"}, {"Q1": "BOOL"})
    assert trace(block, S="_-__--__-", R1="____-_-_-") == ["_---_-___"]


def test_r_trig() -> None:
    block = Block("R_TRIG", {"CLK": "BOOL"}, {"Q": "BOOL"})
    assert trace(block, CLK="___-----____---") == ["___-________-__"]
    assert trace(Block("R_TRIG", {"CLK": "BOOL"}, {"Q": "BOOL"}), CLK="--_-") == ["-__-"]


def test_f_trig() -> None:
    block = Block("F_TRIG", {"CLK": "BOOL"}, {"Q": "BOOL"})
    assert trace(block, CLK="__-----____---__") == ["-______-______-_"]
    assert trace(Block("F_TRIG", {"CLK": "BOOL"}, {"Q": "BOOL"}), CLK="--__") == ["__-_"]


# --- counters ----------------------------------------------------------------------------------

LIMITS = {
    "": ("INT", -(2**15), 2**15 - 1),
    "_INT": ("INT", -(2**15), 2**15 - 1),
    "_DINT": ("DINT", -(2**31), 2**31 - 1),
    "_LINT": ("LINT", -(2**63), 2**63 - 1),
    "_UDINT": ("UDINT", 0, 2**32 - 1),
    "_ULINT": ("ULINT", 0, 2**64 - 1),
}
VARIANTS = pytest.mark.parametrize("suffix", LIMITS)


def test_ctu_diagram() -> None:
    block = Block("CTU", {"CU": "BOOL", "R": "BOOL", "PV": "INT"}, {"Q": "BOOL", "CV": "INT"})
    block(PV=3, CU=False, R=False)
    q, cv = trace(block, CU="-_-_-_-_-____-_", R="____________---")
    assert cv == "112233445555000"
    assert q == "____--------___"


@VARIANTS
def test_ctu_stops_at_the_limit(suffix: str) -> None:
    kind, _, high = LIMITS[suffix]
    block = Block(
        "CTU" + suffix, {"CU": "BOOL", "R": "BOOL", "PV": kind}, {"Q": "BOOL", "CV": kind}
    )
    block.running.put("p.PV", block.codes[kind], high)
    block.running.put("p.b.CV", block.codes[kind], high - 1)
    assert block(CU=True) == (True, high)
    block(CU=False)
    assert block(CU=True) == (True, high)
    assert block(CU=False, R=True) == (False, 0)
    assert block(CU=True, R=True) == (False, 0)
    assert block(CU=True, R=False) == (False, 0)


@VARIANTS
def test_ctd(suffix: str) -> None:
    kind, low, _ = LIMITS[suffix]
    block = Block(
        "CTD" + suffix, {"CD": "BOOL", "LD": "BOOL", "PV": kind}, {"Q": "BOOL", "CV": kind}
    )
    assert block(PV=2, CD=False, LD=False) == (True, 0)
    assert block(LD=True) == (False, 2)
    assert block(CD=True) == (False, 2)
    assert block(CD=False, LD=False) == (False, 2)
    assert block(CD=True) == (False, 1)
    assert block(CD=True) == (False, 1)
    block(CD=False)
    assert block(CD=True) == (True, 0)
    block(PV=low, LD=True, CD=False)
    assert block(LD=False, CD=True) == (True, low)


@VARIANTS
def test_ctud_against_a_model(suffix: str) -> None:
    kind, low, high = LIMITS[suffix]
    names = {"CU": "BOOL", "CD": "BOOL", "R": "BOOL", "LD": "BOOL", "PV": kind}
    block = Block("CTUD" + suffix, names, {"QU": "BOOL", "QD": "BOOL", "CV": kind})
    rng = random.Random(suffix)
    cv, last_up, last_down = 0, False, False
    for _ in range(300):
        cu, cd = rng.random() < 0.5, rng.random() < 0.5
        r, ld = rng.random() < 0.05, rng.random() < 0.15
        pv = rng.choice([low, low + 1, 0, 2, high - 1, high])
        up, down = cu and not last_up, cd and not last_down
        last_up, last_down = cu, cd
        if r:
            cv = 0
        elif ld:
            cv = pv
        elif up != down:
            cv = min(cv + 1, high) if up else max(cv - 1, low)
        assert block(CU=cu, CD=cd, R=r, LD=ld, PV=pv) == (cv >= pv, cv <= 0, cv)


# --- timers ------------------------------------------------------------------------------------

TIMES = pytest.mark.parametrize("suffix", ["", "_TIME", "_LTIME"])


def timer(name: str, suffix: str = "") -> Block:
    kind = "LTIME" if suffix == "_LTIME" else "TIME"
    return Block(name + suffix, {"IN": "BOOL", "PT": kind}, {"Q": "BOOL", "ET": kind})


def run(block: Block, inputs: str, start: int = 0, **changes: int) -> list[tuple[bool, int]]:
    """One scan every 10 ms; the outputs with ET in ms. `s3=50`: PT becomes 50 ms at scan 3."""
    out = []
    for i, value in enumerate(bits(inputs)):
        if f"s{i}" in changes:
            block.running.put("p.PT", "q", changes[f"s{i}"] * MS)
        q, et = block(start + i * 10 * MS, IN=value)
        out.append((q, et // MS))
    return out


def shape(result: list[tuple[bool, int]]) -> tuple[str, list[int]]:
    return "".join("-" if q else "_" for q, _ in result), [et for _, et in result]


@TIMES
def test_ton_diagram(suffix: str) -> None:
    q, et = shape(run(timer("TON", suffix), "_------_--__", 7 * 10**15, s0=30))
    assert q == "____---_____"
    assert et == [0, 0, 10, 20, 30, 30, 30, 0, 0, 10, 0, 0]


@TIMES
def test_tof_diagram(suffix: str) -> None:
    q, et = shape(run(timer("TOF", suffix), "_--_____-__-____", 7 * 10**15, s0=30))
    assert q == "_-----__-------_"
    assert et == [0, 0, 0, 0, 10, 20, 30, 30, 0, 0, 10, 0, 0, 10, 20, 30]


@TIMES
def test_tp_diagram(suffix: str) -> None:
    q, et = shape(run(timer("TP", suffix), "_------_-_-_-___", 7 * 10**15, s0=30))
    # the edge of scan 10 falls into the pulse that began at scan 8
    assert q == "_---____---_---_"
    assert et == [0, 0, 10, 20, 30, 30, 30, 0, 0, 10, 20, 0, 0, 10, 20, 0]


def test_preset_is_not_a_multiple_of_the_scan() -> None:
    q, et = shape(run(timer("TON"), "-----", s0=25))
    assert q == "___--"
    assert et == [0, 10, 20, 25, 25]


@pytest.mark.parametrize("pt", [0, -5])
def test_no_time_at_all(pt: int) -> None:
    assert shape(run(timer("TON"), "_--_-", s0=pt)) == ("_--_-", [0] * 5)
    assert shape(run(timer("TOF"), "_--_-", s0=pt)) == ("_--_-", [0] * 5)
    assert shape(run(timer("TP"), "_--_-", s0=pt)) == ("_____", [0] * 5)


def test_preset_changed_while_it_runs() -> None:
    # TON: longer before it is up: waits on; shorter: up at once, ET is the new PT
    q, et = shape(run(timer("TON"), "_-------", s0=30, s3=50))
    assert (q, et) == ("______--", [0, 0, 10, 20, 30, 40, 50, 50])
    q, et = shape(run(timer("TON"), "_------", s0=100, s4=20))
    assert (q, et) == ("____---", [0, 0, 10, 20, 20, 20, 20])
    # Q, once TRUE, stays until IN falls
    q, et = shape(run(timer("TON"), "_-------_", s0=20, s5=500))
    assert (q, et) == ("___-----_", [0, 0, 10, 20, 20, 20, 20, 20, 0])
    q, et = shape(run(timer("TOF"), "-_____", s0=100, s3=20))
    assert (q, et) == ("---___", [0, 0, 10, 20, 20, 20])
    q, et = shape(run(timer("TP"), "-_____", s0=100, s3=20))
    assert (q, et) == ("---___", [0, 10, 20, 0, 0, 0])


def test_input_of_the_first_scan_counts() -> None:
    assert shape(run(timer("TON"), "----", s0=20))[0] == "__--"
    assert shape(run(timer("TP"), "----", s0=20))[0] == "--__"
    assert shape(run(timer("TOF"), "____", s0=20)) == ("____", [0] * 4)


@pytest.mark.parametrize("name", ["TON", "TOF", "TP"])
def test_timers_against_a_model(name: str) -> None:
    """Random inputs at random instants against the definition in terms of the last edge."""
    block, rng = timer(name), random.Random(name)
    now, before, since, pulse = 0, False, None, None
    for _ in range(500):
        now += rng.choice([1, 3, 7, 10, 40]) * MS
        value = before if rng.random() < 0.7 else not before
        pt = 25 * MS
        if name == "TP":
            running = pulse is not None and now - pulse < pt
            if value and not before and pulse is None:
                pulse, running = now, True
            held = pulse is not None and (running or value)
            q = running
            et = min(now - pulse, pt) if held and pulse is not None else 0
            if not held:
                pulse = None
        else:
            active = value if name == "TON" else not value
            if active and (value != before):
                since = now
            elif not active:
                since = None
            elapsed = 0 if since is None else min(now - since, pt)
            done = since is not None and elapsed >= pt
            q = done if name == "TON" else value or (since is not None and not done)
            et = elapsed
        before = value
        assert block(now, IN=value, PT=pt) == (q, et), now


def test_rtc() -> None:
    block = Block("RTC", {"IN": "BOOL", "PDT": "DT"}, {"Q": "BOOL", "CDT": "DT"})
    noon = 1_709_208_000 * 10**9
    assert block(5 * MS, IN=False, PDT=noon) == (False, 0)
    assert block(10 * MS, IN=True) == (True, noon)
    assert block(30 * MS, PDT=0) == (True, noon + 20 * MS)
    assert block(40 * MS, IN=False) == (False, noon + 20 * MS)
    assert block(50 * MS, IN=True, PDT=noon) == (True, noon)
