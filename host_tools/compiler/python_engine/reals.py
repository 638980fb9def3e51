"""Print operations on REAL and LREAL: calls of controller/rt_real.py where Python differs."""

from __future__ import annotations

from host_tools.compiler import ir
from host_tools.compiler.python_engine.scope import Scope
from host_tools.compiler.python_engine.text import (
    ATOM,
    PRODUCT,
    SUM,
    EngineError,
    Text,
)

_F32_EXACT = 1 << 24
_F64_EXACT = 1 << 53
_OPERATORS = {"add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT)}


def const(kind: str, v: float, scope: Scope) -> Text:
    return Text(scope.module.real_const(kind, v))


def binary(kind: str, op: str, a: Text, b: Text, scope: Scope) -> Text:
    """REAL always by a call: the sum of two binary32 has to be rounded to binary32, and boards
    with single precision have to mind subnormal numbers. LREAL is Python's float, but for /."""
    if kind == "f64" and op in _OPERATORS:
        sign, prec = _OPERATORS[op]
        return Text(f"{a.at(prec)} {sign} {b.at(prec + 1)}", prec)
    return Text(f"{scope.real(('f' if kind == 'f32' else 'd') + op)}({a.text}, {b.text})")


def convert(kind: str, source: str, x: Text, truncate: bool, scope: Scope) -> Text:
    if kind in ir.INT_RANGE:
        if kind == "b1":
            return Text(f"{scope.real('fbool')}({x.text})", ATOM, 0, 1)
        low, high = ir.INT_RANGE[kind]
        name = ("f" if source == "f32" else "d") + ("trunc" if truncate else "round")
        return Text(f"{scope.real(name)}({x.text}, {low}, {high})", ATOM, low, high)
    if source in ir.INT_RANGE:
        exact = _F32_EXACT if kind == "f32" else _F64_EXACT
        if -exact <= x.lo and x.hi <= exact:
            return Text(f"float({x.text})")
        return Text(f"{scope.real('f_of_int' if kind == 'f32' else 'd_of_int')}({x.text})")
    if (source, kind) == ("f32", "f64"):
        return x
    if (source, kind) == ("f64", "f32"):
        return Text(f"{scope.real('f_of_d')}({x.text})")
    raise EngineError(f"the python engine cannot convert {source} to {kind}")


def bits(kind: str, source: str, x: str, scope: Scope) -> Text:
    if source in ("f32", "f64"):
        name = "f_bits" if source == "f32" else "d_bits"
        return Text(f"{scope.real(name)}({x})", ATOM, *ir.INT_RANGE[kind])
    return Text(f"{scope.real('f_from_bits' if kind == 'f32' else 'd_from_bits')}({x})")


def intrinsic(kind: str, name: str, args: list[str], scope: Scope) -> Text:
    if name == "abs":
        return Text(f"abs({args[0]})")
    return Text(f"{scope.real(('f' if kind == 'f32' else 'd') + name)}({', '.join(args)})")


def canonical(e: ir.Expr, x: Text, scope: Scope) -> str:
    """`x`, the text of `e`, with every NaN made the canonical one."""
    match e:
        case ir.Const():
            return x.text
        case ir.Convert(x=ir.Expr(kind=kind)) if kind in ir.INT_RANGE:
            return x.text
    nan = scope.real("NAN")
    if x.is_name:
        return f"{x.text} if {x.text} == {x.text} else {nan}"
    return f"{scope.temp} if ({scope.temp} := {x.text}) == {scope.temp} else {nan}"
