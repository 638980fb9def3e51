"""The standard function blocks by their definitions (IEC 61131-3:2013, Tables 43 to 46), as Python
functions that take one call of an instance. `now` is the logical clock in nanoseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.conformance.independent_values import limits

Instance = dict[str, Any]


@dataclass(frozen=True)
class Block:
    name: str
    inputs: tuple[tuple[str, str], ...]
    outputs: tuple[tuple[str, str], ...]
    step: Callable[[Instance, int], None]


def edge(b: Instance, name: str) -> bool:
    """Whether an input has become TRUE."""
    before, b["was " + name] = b.get("was " + name, False), b[name]
    return b[name] and not before


def sr(b: Instance, now: int) -> None:
    b["Q1"] = b["S1"] or (b["Q1"] and not b["R"])


def rs(b: Instance, now: int) -> None:
    b["Q1"] = not b["R1"] and (b["S"] or b["Q1"])


def r_trig(b: Instance, now: int) -> None:
    b["Q"] = edge(b, "CLK")


def f_trig(b: Instance, now: int) -> None:
    b["Q"] = not b["CLK"] and not b.get("low", False)
    b["low"] = not b["CLK"]


def ton(b: Instance, now: int) -> None:
    if edge(b, "IN"):
        b["since"] = now
    b["ET"] = min(now - b["since"], b["PT"]) if b["IN"] else 0
    b["Q"] = b["IN"] and b["ET"] >= b["PT"]


def tof(b: Instance, now: int) -> None:
    fell = b.get("was IN", False) and not b["IN"]
    edge(b, "IN")
    if fell:
        b["since"] = now
    running = not b["IN"] and "since" in b
    b["ET"] = min(now - b["since"], b["PT"]) if running else 0
    b["Q"] = b["IN"] or (running and b["ET"] < b["PT"])


def tp(b: Instance, now: int) -> None:
    rose = edge(b, "IN")
    if b["Q"]:
        b["ET"] = min(now - b["since"], b["PT"])
        b["Q"] = b["ET"] < b["PT"]
    elif rose:
        b["since"], b["ET"], b["Q"] = now, 0, True
    if not b["Q"] and not b["IN"]:
        b["ET"] = 0


def ctu(t: str) -> Callable[[Instance, int], None]:
    def step(b: Instance, now: int) -> None:
        rose = edge(b, "CU")
        if b["R"]:
            b["CV"] = 0
        elif rose and b["CV"] < limits(t)[1]:
            b["CV"] += 1
        b["Q"] = b["CV"] >= b["PV"]

    return step


def ctd(t: str) -> Callable[[Instance, int], None]:
    def step(b: Instance, now: int) -> None:
        rose = edge(b, "CD")
        if b["LD"]:
            b["CV"] = b["PV"]
        elif rose and b["CV"] > limits(t)[0]:
            b["CV"] -= 1
        b["Q"] = b["CV"] <= 0

    return step


def ctud(t: str) -> Callable[[Instance, int], None]:
    def step(b: Instance, now: int) -> None:
        up, down = edge(b, "CU"), edge(b, "CD")
        if b["R"]:
            b["CV"] = 0
        elif b["LD"]:
            b["CV"] = b["PV"]
        elif up and not down and b["CV"] < limits(t)[1]:
            b["CV"] += 1
        elif down and not up and b["CV"] > limits(t)[0]:
            b["CV"] -= 1
        b["QU"], b["QD"] = b["CV"] >= b["PV"], b["CV"] <= 0

    return step


BOOL = "BOOL"
BLOCKS = [
    Block("SR", (("S1", BOOL), ("R", BOOL)), (("Q1", BOOL),), sr),
    Block("RS", (("S", BOOL), ("R1", BOOL)), (("Q1", BOOL),), rs),
    Block("R_TRIG", (("CLK", BOOL),), (("Q", BOOL),), r_trig),
    Block("F_TRIG", (("CLK", BOOL),), (("Q", BOOL),), f_trig),
]
for suffix, duration in (("", "TIME"), ("_TIME", "TIME"), ("_LTIME", "LTIME")):
    for stem, step in (("TON", ton), ("TOF", tof), ("TP", tp)):
        ins, outs = (("IN", BOOL), ("PT", duration)), (("Q", BOOL), ("ET", duration))
        BLOCKS.append(Block(stem + suffix, ins, outs, step))
for suffix in ("", "_INT", "_DINT", "_LINT", "_UDINT", "_ULINT"):
    t = suffix[1:] or "INT"
    up = (("CU", BOOL), ("R", BOOL), ("PV", t))
    down = (("CD", BOOL), ("LD", BOOL), ("PV", t))
    both = (("CU", BOOL), ("CD", BOOL), ("R", BOOL), ("LD", BOOL), ("PV", t))
    BLOCKS.append(Block("CTU" + suffix, up, (("Q", BOOL), ("CV", t)), ctu(t)))
    BLOCKS.append(Block("CTD" + suffix, down, (("Q", BOOL), ("CV", t)), ctd(t)))
    outputs = (("QU", BOOL), ("QD", BOOL), ("CV", t))
    BLOCKS.append(Block("CTUD" + suffix, both, outputs, ctud(t)))
