"""Random Sequential Function Charts, and what IEC 61131-3:2013, 6.7 says that they do.

The model is written from the standard and shares nothing with the compiler: action control is
Figure 23 with all of its blocks, whether the qualifiers need them or not. Where the standard
leaves a choice, the one of docs/sfc.md is taken: the first scan clears no transition, T of an
ACTION_CONTROL block keeps the last duration, actions that end run before those that begin.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from host_tools.compiler import compile_sources
from host_tools.compiler.source import Source
from tests.conformance.sfc_run import Run

SCAN_NS = 10_000_000
TIMED = ("L", "D", "SD", "DS", "SL")
PLAIN = ("N", "R", "S", "P", "P0", "P1")


# --- charts ----------------------------------------------------------------------------------


@dataclass
class Step:
    name: str
    initial: bool
    uses: list[tuple[int, str, int]] = field(default_factory=list)  # action, qualifier, ns


@dataclass
class Transition:
    sources: list[int]
    targets: list[int]
    priority: int | None
    pattern: list[bool]  # its condition, scan by scan


@dataclass
class Chart:
    """`actions`: whether each is a BOOL variable (and not statements)."""

    steps: list[Step]
    transitions: list[Transition]
    actions: list[bool]


def random_chart(rng: random.Random, scans: int) -> Chart:
    """One or two networks that seldom stand still; many are unsafe, which is no matter here."""
    actions = [rng.random() < 0.5 for _ in range(rng.randrange(1, 5))]
    steps: list[Step] = []
    transitions: list[Transition] = []
    for _ in range(rng.choice((1, 1, 2))):
        first = len(steps)
        count = rng.randrange(1, 7)
        steps += [Step(f"s{first + i}", i == 0) for i in range(count)]
        own = range(first, first + count)
        sides = [([i], [first + (i - first + 1) % count]) for i in own]  # a ring, and more
        for _ in range(rng.randrange(0, 2 * count)):
            few = [min(count, rng.choice((1, 1, 1, 2, 3))) for _ in range(2)]
            sides.append((rng.sample(own, few[0]), rng.sample(own, few[1])))
        rng.shuffle(sides)
        for sources, targets in sides:
            priority = rng.choice((None, None, rng.randrange(4)))
            often = rng.uniform(0.1, 0.9)
            pattern = [rng.random() < often for _ in range(scans)]
            transitions.append(Transition(sources, targets, priority, pattern))
    timed: set[int] = set()
    for step in steps:
        for _ in range(rng.randrange(0, 4)):
            action = rng.randrange(len(actions))
            if rng.random() < 0.5 and action not in timed:
                timed.add(action)
                step.uses.append((action, rng.choice(TIMED), rng.randrange(0, 8) * 5_000_000))
            else:
                step.uses.append((action, rng.choice(PLAIN), 0))
    return Chart(steps, transitions, actions)


def as_text(chart: Chart) -> str:
    """The chart in Structured Text; condition i is the variable `c<i>`."""
    names = [f"a{i}" for i in range(len(chart.actions))]
    lines = ["PROGRAM main", "VAR", "    order : DWORD;"]
    for i, boolean in enumerate(chart.actions):
        lines.append(f"    a{i} : BOOL;" if boolean else f"    on{i}, off{i} : INT;")
    lines += [f"    c{i} : BOOL;" for i in range(len(chart.transitions))]
    lines.append("END_VAR")
    for step in chart.steps:
        lines.append(f"{'INITIAL_STEP' if step.initial else 'STEP'} {step.name}:")
        for action, qualifier, ns in step.uses:
            time = f", LTIME#{ns}ns" if qualifier in TIMED else ""
            lines.append(f"    {names[action]}({qualifier}{time});")
        lines.append("END_STEP")
    for i, t in enumerate(chart.transitions):
        priority = "" if t.priority is None else f" (PRIORITY := {t.priority})"
        sides = [
            steps[0] if len(steps) == 1 else f"({', '.join(steps)})"
            for steps in ([chart.steps[n].name for n in side] for side in (t.sources, t.targets))
        ]
        lines.append(f"TRANSITION{priority} FROM {sides[0]} TO {sides[1]} := c{i};")
        lines.append("END_TRANSITION")
    used = {action for step in chart.steps for action, _, _ in step.uses}
    for i, boolean in enumerate(chart.actions):
        if boolean:
            continue
        flag = f"a{i}.Q" if i in used else "TRUE"
        lines += [
            f"ACTION a{i}:",
            f"    IF {flag} THEN on{i} := on{i} + 1; ELSE off{i} := off{i} + 1; END_IF;",
            f"    order := ROL(order, 5) XOR DWORD#{i + 1};",
            "END_ACTION",
        ]
    lines.append("END_PROGRAM")
    return "\n".join(lines)


# --- the standard ----------------------------------------------------------------------------


class Ton:
    def __init__(self) -> None:
        self.start: int | None = None

    def __call__(self, in_: bool, pt: int, now: int) -> bool:
        if not in_:
            self.start = None
            return False
        if self.start is None:
            self.start = now
        return now - self.start >= pt


class Rs:
    def __init__(self) -> None:
        self.q1 = False

    def __call__(self, s: bool, r1: bool) -> bool:
        self.q1 = not r1 and (s or self.q1)
        return self.q1


class Trigger:
    """R_TRIG, and F_TRIG that does not fire at the start."""

    def __init__(self, falling: bool = False) -> None:
        self.falling, self.before = falling, False

    def __call__(self, clk: bool) -> bool:
        q = (self.before and not clk) if self.falling else (clk and not self.before)
        self.before = clk
        return q


class ActionControl:
    """Figure 23 a): the body of ACTION_CONTROL with last scan."""

    def __init__(self) -> None:
        self.s_ff, self.sd_ff, self.ds_ff, self.sl_ff = Rs(), Rs(), Rs(), Rs()
        self.l_tmr, self.d_tmr, self.sd_tmr, self.ds_tmr, self.sl_tmr = (Ton() for _ in range(5))
        self.p_trig, self.p1_trig, self.p0_trig = Trigger(), Trigger(), Trigger(falling=True)
        self.q_trig = Trigger(falling=True)
        self.t = 0
        self.q = self.ending = self.entry = self.boolean = False

    def __call__(self, active: dict[str, bool], now: int) -> None:
        def on(name: str) -> bool:
            return active.get(name, False)

        r = on("R")
        stored = self.s_ff(on("S"), r)
        limited = on("L") and not self.l_tmr(on("L"), self.t, now)
        if not on("L"):
            self.l_tmr(False, self.t, now)
        delayed = self.d_tmr(on("D"), self.t, now)
        pulse = self.p_trig(on("P"))
        p1, p0 = self.p1_trig(on("P1")) and not r, self.p0_trig(on("P0")) and not r
        sd = self.sd_ff(on("SD"), r)
        stored_delayed = self.sd_tmr(sd, self.t, now)
        delayed_stored = self.ds_ff(self.ds_tmr(on("DS"), self.t, now), r)
        sl = self.sl_ff(on("SL"), r)
        stored_limited = not self.sl_tmr(sl, self.t, now) and sl
        any_ = on("N") or stored or limited or delayed or pulse
        any_ = any_ or stored_delayed or delayed_stored or stored_limited
        self.q = any_ and not r
        falls = self.q_trig(self.q)
        self.ending = not self.q and (falls or p0)
        self.entry = not self.q and p1 and not self.ending
        self.boolean = self.q or p0 or p1


def expected(chart: Chart, scans: int) -> Iterator[dict[str, Any]]:
    """What each variable is after each scan."""
    active = [step.initial for step in chart.steps]
    elapsed = [0] * len(active)
    controls = [ActionControl() for _ in chart.actions]
    on, off = [0] * len(controls), [0] * len(controls)
    order = 0
    for scan in range(scans):
        now = scan * SCAN_NS
        if scan > 0:
            for i, x in enumerate(active):
                elapsed[i] += SCAN_NS if x else 0
            _evolve(chart, active, elapsed, scan)
        for number, control in enumerate(controls):
            inputs: dict[str, bool] = {}
            for step, x in zip(chart.steps, active, strict=True):
                for action, qualifier, ns in step.uses:
                    if action == number and x:
                        inputs[qualifier] = True
                        control.t = ns if qualifier in TIMED else control.t
            control(inputs, now)
        tests: list[Callable[[ActionControl], bool]] = [
            lambda c: c.ending,
            lambda c: c.entry,
            lambda c: c.q,
        ]
        for test in tests:
            for number, control in enumerate(controls):
                if chart.actions[number] or not test(control):
                    continue
                on[number] += control.q
                off[number] += not control.q
                order = ((order << 5 | order >> 27) & 0xFFFFFFFF) ^ (number + 1)
        values: dict[str, Any] = {"main.order": order}
        for i, step in enumerate(chart.steps):
            values[f"main.{step.name}.X"] = active[i]
            values[f"main.{step.name}.T"] = elapsed[i]
        for i, boolean in enumerate(chart.actions):
            if boolean:
                values[f"main.a{i}"] = controls[i].boolean
            else:
                values[f"main.on{i}"], values[f"main.off{i}"] = on[i], off[i]
        yield values


def _evolve(chart: Chart, active: list[bool], elapsed: list[int], scan: int) -> None:
    """Table 61: a transition is enabled when all steps before it are active; of those that leave
    one step the first with a TRUE condition is cleared, by number, then from left to right."""
    before = list(active)
    free = list(active)
    cleared = []
    numbered = [t for t in chart.transitions if t.priority is not None]
    numbered.sort(key=lambda t: t.priority or 0)
    for t in [*numbered, *(t for t in chart.transitions if t.priority is None)]:
        if t.pattern[scan] and all(before[s] and free[s] for s in t.sources):
            cleared.append(t)
            for s in t.sources:
                free[s] = False
    for t in cleared:
        for s in t.sources:
            active[s] = False
    for t in cleared:
        for s in t.targets:
            active[s], elapsed[s] = True, 0


# --- both ------------------------------------------------------------------------------------


def difference(chart: Chart, scans: int) -> str | None:
    """Where the compiled chart and the model part, or None."""
    found = compile_sources([Source("chart.st", as_text(chart))])
    errors = [d.message for d in found.diagnostics if d.is_error]
    if errors:
        return f"{errors}\n{as_text(chart)}"
    run = Run(found)
    for scan, values in enumerate(expected(chart, scans)):
        for i, t in enumerate(chart.transitions):
            run.set(f"main.c{i}", t.pattern[scan])
        run.scan()
        for path, value in values.items():
            if run.get(path) != value:
                return f"scan {scan}: {path} is {run.get(path)}, not {value}\n{as_text(chart)}"
    return None
