"""What a printer may name: the module's helpers, views and constants, a function's locals."""

from __future__ import annotations

import struct
from collections.abc import Callable

from host_tools.compiler import ir
from host_tools.compiler.python_engine.text import Names

VIEW_CODE = {
    "i8": "b",
    "i16": "h",
    "u16": "H",
    "i32": "i",
    "u32": "I",
    "i64": "q",
    "u64": "Q",
    "f32": "f",
    "f64": "d",
}
"""Type code of the view for a kind; b1 and u8 are read from the image itself."""


_RT = """
    Fault fault view copy clear div mod shl shr rol ror i8 i16 i32 i64 bcd_to to_bcd swap
    require_double
"""
_RT_REAL = """
    NAN fadd fsub fmul fdiv feq fne flt fle fgt fge fbool fround ftrunc f_of_int f_of_d f_bits
    f_from_bits fsqrt ffloor fceil fmin fmax
    ddiv dround dtrunc d_of_int d_bits d_from_bits dsqrt dfloor dceil dmin dmax
"""
_RT_STRINGS = """
    str_load wstr_load str_store wstr_store wstr_order str_len str_left str_right str_mid
    str_insert str_delete str_replace str_find str_cut str_char str_from_char wstr_from_char
    to_wide to_narrow int_to_str str_to_int time_to_str
"""
HELPERS = {"rt": _RT.split(), "rt_real": _RT_REAL.split(), "rt_strings": _RT_STRINGS.split()}
"""What generated modules may import, by module of controller/; other names never get these."""


class Module:
    """Collects what the generated module needs while its functions are printed."""

    bytes = "_u8"

    def __init__(self, names: Names) -> None:
        for room in HELPERS.values():
            for name in room:
                names.reserve(name)
        self.names = names
        self.helpers: dict[str, set[str]] = {
            "rt": set(),
            "rt_real": set(),
            "rt_strings": set(),
        }
        self.views: set[str] = set()
        self.constants: dict[tuple[str, int], str] = {}
        self.steps = names.reserve("_steps")
        names.reserve(self.bytes)
        for kind in VIEW_CODE:
            names.reserve(f"_{kind}")

    def use(self, room: str, name: str) -> str:
        assert name in HELPERS[room], name
        self.helpers[room].add(name)
        return name

    def view(self, kind: str) -> str:
        if kind in ("b1", "u8"):
            return self.bytes
        self.views.add(kind)
        return f"_{kind}"

    def real_const(self, kind: str, v: float) -> str:
        """A module constant made from its bits: MicroPython's parser of decimals is inexact."""
        if v != v:
            bits = 0x7FC00000 if kind == "f32" else 0x7FF8000000000000
        elif kind == "f32":
            (bits,) = struct.unpack("<I", struct.pack("<f", v))
        else:
            (bits,) = struct.unpack("<Q", struct.pack("<d", v))
        key = (kind, bits)
        if key not in self.constants:
            shown = f"{v:.9g}" if kind == "f32" else repr(v).removesuffix(".0")
            text = shown.replace("-", "m").replace(".", "p").replace("+", "")
            name = f"_{'R' if kind == 'f32' else 'L'}_{text}"
            # Two decimals of nine digits can look the same only for NaN patterns: there is one.
            self.constants[key] = name
        return self.constants[key]


class Scope:
    """The view of one function on its names."""

    def __init__(self, module: Module, func: ir.Func) -> None:
        self.module = module
        names = module.names.inner()
        self.self_name = names.take("self")
        self.frame_name = names.take("_fp")
        self.temp = names.take("_t")
        self.index_temp = names.take("_k")
        self.value_temp = names.take("_v")
        self.names = [names.take(v.name or f"_{i}") for i, v in enumerate(func.locals)]
        self.bases: dict[tuple[str, int], str] = {}
        self.bytes = module.bytes
        self.view: Callable[[str], str] = module.view
        self._take = names.take

    def local(self, index: int) -> str:
        return self.names[index]

    def helper(self, name: str) -> str:
        return self.module.use("rt", name)

    def real(self, name: str) -> str:
        return self.module.use("rt_real", name)

    def string(self, name: str) -> str:
        return self.module.use("rt_strings", name)

    def base(self, base: str, size: int) -> str:
        """Name of the instance or frame address divided by `size`."""
        name = self.self_name if base == "self" else self.frame_name
        if size == 1:
            return name
        key = (base, size)
        if key not in self.bases:
            self.bases[key] = self._take(f"_{'s' if base == 'self' else 'f'}{size}")
        return self.bases[key]

    def prologue(self) -> list[str]:
        """The lines that compute the divided base addresses that were used."""
        return [
            f"{name} = {self.base(base, 1)} >> {size.bit_length() - 1}"
            for (base, size), name in sorted(self.bases.items())
        ]
