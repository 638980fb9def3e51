"""One instance of a library block, driven scan by scan; binary32 arithmetic for models of it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from host_tools.variables import FORMATS
from tests.conformance.library_support import Running

MS = 1_000_000
S = 1_000_000_000
NAN, INF = float("nan"), float("inf")


def f32(x: float) -> float:
    """`x` rounded to binary32. For + - * / of binary32 values this is the operation in binary32:
    binary64 is wide enough that rounding twice makes no difference."""
    if x - x == 0.0 and abs(x) >= 3.4028235677973366e38:
        return INF if x > 0 else -INF
    return float(struct.unpack("<f", struct.pack("<f", x))[0])


def div32(a: float, b: float) -> float:
    if b == 0.0:
        return NAN if a == 0.0 or a != a else INF if a > 0 else -INF
    return f32(a / b)


def ulp32(x: float) -> float:
    bits = struct.unpack("<I", struct.pack("<f", abs(x)))[0]
    return float(struct.unpack("<f", struct.pack("<I", bits + 1))[0]) - abs(x)


class Block:
    """Instance `b` of the block `kind`. A call sets the inputs it names and scans; outputs and
    inputs are attributes."""

    def __init__(self, kind: str, **inputs: Any) -> None:
        self.running = Running(f"PROGRAM p VAR b : {kind}; END_VAR b(); END_PROGRAM")
        self._places: dict[str, tuple[str, int]] = {}
        self.set(**inputs)

    def _place(self, name: str) -> tuple[str, int]:
        if name not in self._places:
            variable = self.running.variables.find(f"p.b.{name}")
            assert variable.kind is not None
            code = "<?" if variable.kind == "b1" else FORMATS[variable.kind]
            self._places[name] = code, variable.offset
        return self._places[name]

    def set(self, **inputs: Any) -> None:
        for name, value in inputs.items():
            code, offset = self._place(name)
            struct.pack_into(code, self.running.image, offset, value)

    def __call__(self, now: int, **inputs: Any) -> Block:
        self.set(**inputs)
        self.running.scan(now)
        return self

    def __getattr__(self, name: str) -> Any:
        code, offset = self._place(name)
        return struct.unpack_from(code, self.running.image, offset)[0]


def bits(text: str) -> list[bool]:
    """ "__--_" as in the diagrams of the library."""
    return [c == "-" for c in text if c in "_-"]


def diagram(values: list[bool]) -> str:
    return "".join("-" if v else "_" for v in values)


def function(text: str, inputs: dict[str, str], result: str) -> Callable[..., Any]:
    """A library function called with variables of these types."""
    declared = "".join(f"{n} : {t};" for n, t in inputs.items())
    running = Running(f"PROGRAM p VAR {declared} q_ : {result}; END_VAR q_ := {text}; END_PROGRAM")
    codes = {"REAL": "f", "INT": "h"}

    def call(*values: Any) -> Any:
        for (name, kind), value in zip(inputs.items(), values, strict=True):
            running.put(f"p.{name}", codes[kind], value)
        running.scan()
        return running.get("p.q_", codes[result])

    return call
