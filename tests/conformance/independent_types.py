"""What the random programs are made of: types, expressions, variables, functions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.independent_values import REALS, arithmetic, single

DIVISION, INDEX, RANGE, NULL, SHIFT = 1, 2, 3, 4, 5
ANY = -1


class Fault(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Text:
    """STRING[n] or WSTRING[n]."""

    wide: bool
    length: int

    def __str__(self) -> str:
        return f"{'WSTRING' if self.wide else 'STRING'}[{self.length}]"


@dataclass(frozen=True)
class Enum:
    name: str
    values: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Subrange:
    name: str
    base: str
    low: int
    high: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Array:
    bounds: tuple[tuple[int, int], ...]
    element: Any

    def __str__(self) -> str:
        return f"ARRAY[{', '.join(f'{a}..{b}' for a, b in self.bounds)}] OF {self.element}"


@dataclass(frozen=True)
class Struct:
    name: str
    members: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return self.name


Type = Any  # the name of an elementary type, or one of the classes above


class Env(dict[str, Any]):
    """The variables of a POU; `g` are the global ones."""

    def __init__(self, values: dict[str, Any], g: dict[str, Any]) -> None:
        super().__init__(values)
        self.g = g


Eval = Callable[[Env], Any]


@dataclass(frozen=True)
class E:
    text: str
    type: Type
    ev: Eval

    @property
    def named(self) -> bool:
        """Whether a variable or function occurs, so that it cannot be folded."""
        return (
            re.search(r"\b[a-z]+\d|Fun", re.sub(r"'[^']*'|\"[^\"]*\"", "", self.text)) is not None
        )


@dataclass(frozen=True)
class V:
    """A variable: `where` gives what holds it, and under which key."""

    text: str
    type: Type
    where: Callable[[Env], tuple[Any, Any]]
    writable: bool = True
    root: str = ""
    static: bool = False

    def read(self, env: Env) -> Any:
        holder, key = self.where(env)
        return holder[key]

    def write(self, env: Env, value: Any) -> None:
        holder, key = self.where(env)
        put(holder, key, fitted(value, self.type))


def fitted(value: Any, t: Type) -> Any:
    """A value as a variable of type `t` keeps it."""
    if isinstance(t, Text):
        return value[: t.length]
    if isinstance(t, Subrange) and not t.low <= value <= t.high:
        raise Fault(RANGE)
    return copied(value)


def evaluated(v: V, e: E, env: Env) -> tuple[Any, Any, Any]:
    """What holds the target of an assignment, its key, and the value: the target is found first.
    Where both fault and nothing is called, either fault will do."""
    try:
        holder, key = v.where(env)
    except Fault as fault:
        if "Fun" not in e.text:
            try:
                e.ev(env)
            except Fault:
                raise Fault(ANY) from fault
        raise
    return holder, key, e.ev(env)


def put(holder: Any, key: Any, value: Any) -> None:
    """Assigns; structures and arrays stay where they are, since references may lead to them."""
    old = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, list) and isinstance(old, list):
        for i, x in enumerate(value):
            put(old, i, x)
    elif type(value) is dict and type(old) is dict:
        for k, x in value.items():
            put(old, k, x)
    else:
        holder[key] = value


def copied(value: Any) -> Any:
    if isinstance(value, list):
        return [copied(v) for v in value]
    if type(value) is dict:
        return {k: copied(v) for k, v in value.items()}
    return value


@dataclass(frozen=True)
class Function:
    name: str
    inputs: tuple[tuple[str, Type], ...]
    inouts: tuple[tuple[str, Type], ...]
    outputs: tuple[tuple[str, Type], ...]
    result: Type
    defaults: tuple[Any, ...]
    call: Callable[[Env, list[Any], list[Any]], tuple[Any, list[Any]]] | None = field(
        compare=False, default=None
    )


def whole(f: Callable[[float], int], x: float) -> float:
    return math.copysign(float(f(x)), x) if math.isfinite(x) else x


def fraction(x: float) -> float:
    """FRAC; of a whole number it is +0."""
    return (x - math.trunc(x) or 0.0) if math.isfinite(x) else math.nan


def squared(x: float, t: str) -> float:
    """x ** 2, which is x * x."""
    return float(arithmetic("*", t)(x, x))


def widened(ev: Eval, source: str, target: str) -> Eval:
    if target in REALS and source not in REALS:
        return lambda env: single(ev(env)) if target == "REAL" else float(ev(env))
    return lambda env: int(ev(env)) if source == "BOOL" else ev(env)


def holds(t: Type, wanted: Type) -> bool:
    """Whether a variable of type `t` has a part of type `wanted`, or is of that type."""
    if t == wanted:
        return True
    if isinstance(t, Array):
        return holds(t.element, wanted)
    return isinstance(t, Struct) and any(holds(m, wanted) for _, m in t.members)
