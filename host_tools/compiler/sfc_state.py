"""What a Sequential Function Chart remembers: the types of its steps and action controls.

A step has its flag X and its elapsed time T (IEC 61131-3:2013, 6.7.2). An action has the parts of
the ACTION_CONTROL block (Figure 23) that its qualifiers need; a timer is what has passed since
its input rose, plus one, and 0 while its input is FALSE.
"""

from __future__ import annotations

from functools import lru_cache

from host_tools.compiler import tree
from host_tools.compiler.source import Source, Span
from host_tools.compiler.types import BOOL, TIME, Field, StructType, Type, size_align

LATCHES = ("S", "SD", "DS", "SL")
"""Qualifiers with a flip-flop of their own."""
EDGES = ("P", "P1", "P0")
TIMERS = ("L", "D", "SD", "DS", "SL")

_NOWHERE = Span(Source("", ""), 0, 0)


def state_type(spec: tree.TypeSpec) -> StructType:
    """The type of a variable that the parser declared for a chart."""
    if isinstance(spec, tree.StepSpec):
        return step_type()
    if isinstance(spec, tree.ControlSpec):
        return control_type(spec.qualifiers)
    return chart_type()


@lru_cache(maxsize=1)
def step_type() -> StructType:
    return _structure("an SFC step", [("X", BOOL, False), ("T", TIME, False)])


@lru_cache(maxsize=1)
def chart_type() -> StructType:
    """STARTED: the chart ran before; LAST: the clock then."""
    return _structure("an SFC", [("STARTED", BOOL, True), ("LAST", TIME, True)])


@lru_cache(maxsize=256)
def control_type(qualifiers: frozenset[str]) -> StructType:
    """Q: the output Q; LATCH_x: flip-flop, EDGE_x: input before, TIMER_x; T: the duration."""
    fields: list[tuple[str, Type, bool]] = [("Q", BOOL, False)]
    fields += [(f"LATCH_{q}", BOOL, True) for q in LATCHES if q in qualifiers]
    fields += [(f"EDGE_{q}", BOOL, True) for q in EDGES if q in qualifiers]
    timers: list[tuple[str, Type, bool]] = []
    timers += [(f"TIMER_{q}", TIME, True) for q in TIMERS if q in qualifiers]
    if timers:
        fields += [*timers, ("T", TIME, True)]
    return _structure(f"an SFC action ({', '.join(sorted(qualifiers))})", fields)


def _structure(name: str, fields: list[tuple[str, Type, bool]]) -> StructType:
    t = StructType(name)
    for field_name, of, hidden in fields:
        size, align = size_align(of)
        offset = (t.size + align - 1) // align * align
        t.fields[field_name] = Field(field_name, of, offset, None, _NOWHERE, "VAR", hidden=hidden)
        t.size, t.align = offset + size, max(t.align, align)
    t.size = (t.size + t.align - 1) // t.align * t.align
    return t
