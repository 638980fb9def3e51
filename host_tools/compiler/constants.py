"""Arithmetic on constants, exactly as the engines do it."""

from __future__ import annotations

import math
import struct
from fractions import Fraction

from host_tools.compiler.ir import INT_RANGE

NAN = math.nan


def wrap(value: int, kind: str) -> int:
    """`value` modulo the width of the integer `kind`, two's complement."""
    if kind == "b1":
        return int(value != 0)
    low, high = INT_RANGE[kind]
    return (value - low) % (high - low + 1) + low


def round_float(value: float | int | Fraction, kind: str) -> float:
    """The nearest binary32 ("f32") or binary64 number, ties to even, overflow to infinity; rounds
    once, also from a Fraction or a big integer."""
    if isinstance(value, float) and (math.isnan(value) or math.isinf(value) or value == 0.0):
        return value
    if kind == "f64":
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    exact = Fraction(value)
    sign = -1.0 if exact < 0 else 1.0
    exact = abs(exact)
    if exact == 0:
        return 0.0
    if exact >= 1 << 128:
        return sign * math.inf
    over, under = exact.numerator, exact.denominator
    # The quotient of numbers of m and n bits has m - n bits or one more.
    exponent = max(over.bit_length() - under.bit_length() - 24, -149)
    if over >= under << (exponent + 24) if exponent > -24 else over << -exponent - 24 >= under:
        exponent += 1
    if exponent >= 0:
        under <<= exponent
    else:
        over <<= -exponent
    mantissa, rest = divmod(over, under)
    mantissa += 2 * rest > under or (2 * rest == under and mantissa & 1)  # ties to even
    result = math.ldexp(mantissa, exponent)
    return sign * (math.inf if result > 3.4028234663852886e38 else result)


def to_integer(value: float, kind: str, truncate: bool = False) -> int:
    """REAL to integer: half to even (or towards zero), NaN 0, saturating."""
    low, high = INT_RANGE[kind]
    if math.isnan(value):
        return 0
    if math.isinf(value):
        return high if value > 0 else low
    n = math.trunc(value) if truncate else round(value)
    return min(max(n, low), high)


def float_bits(value: float, kind: str) -> int:
    """The IEEE 754 pattern; every NaN is the canonical one."""
    if math.isnan(value):
        return 0x7FC00000 if kind == "f32" else 0x7FF8000000000000
    code = "<fI" if kind == "f32" else "<dQ"
    return int(struct.unpack("<" + code[2], struct.pack("<" + code[1], value))[0])


def bits_float(bits: int, kind: str) -> float:
    codes = ("<I", "<f") if kind == "f32" else ("<Q", "<d")
    value = float(struct.unpack(codes[1], struct.pack(codes[0], bits))[0])
    return NAN if math.isnan(value) else value


def pack_scalar(value: int | float, kind: str) -> bytes:
    """The bytes of a scalar in the image."""
    if kind in ("f32", "f64"):
        return float_bits(float(value), kind).to_bytes(4 if kind == "f32" else 8, "little")
    low, _ = INT_RANGE[kind]
    size = 1 if kind == "b1" else int(kind[1:]) // 8
    return int(value).to_bytes(size, "little", signed=low < 0)


def divide(a: int, b: int) -> int:
    """Towards zero; `b` is not 0."""
    q = abs(a) // abs(b)
    return -q if (a < 0) != (b < 0) else q


def binary(
    op: str, kind: str, a: int | float | Fraction, b: int | float | Fraction
) -> int | float | Fraction | None:
    """Value of `a op b` in `kind` ("" for literals that have no type yet), None where it would
    fault or is not computed here."""
    if kind == "":
        if op == "div" and isinstance(a, int) and isinstance(b, int):
            return None if b == 0 else divide(a, b)
        if op == "mod" and isinstance(a, int) and isinstance(b, int):
            return None if b == 0 else a - divide(a, b) * b
        if isinstance(a, float) or isinstance(b, float):
            return None
        x, y = Fraction(a), Fraction(b)
        if op == "div":
            return None if y == 0 else x / y
        if op not in ("add", "sub", "mul"):
            return None
        z = x + y if op == "add" else x - y if op == "sub" else x * y
        return int(z) if isinstance(a, int) and isinstance(b, int) else z
    if kind in ("f32", "f64"):
        return _float(op, kind, float(a), float(b))
    if not (isinstance(a, int) and isinstance(b, int)):
        return None
    if op in ("div", "mod"):
        if b == 0:
            return None
        q = divide(a, b)
        return wrap(q if op == "div" else a - q * b, kind)
    if op in ("shl", "shr", "rol", "ror"):
        return None
    result = {
        "add": lambda: a + b,
        "sub": lambda: a - b,
        "mul": lambda: a * b,
        "and": lambda: a & b,
        "or": lambda: a | b,
        "xor": lambda: a ^ b,
    }[op]()
    return wrap(result, kind)


def _float(op: str, kind: str, a: float, b: float) -> float | None:
    if not (math.isfinite(a) and math.isfinite(b)):
        return None
    x, y = Fraction(a), Fraction(b)
    if op == "div":
        if y == 0:
            return None
        exact = x / y
        negative = math.copysign(1.0, a) * math.copysign(1.0, b) < 0
    elif op == "mul":
        exact = x * y
        negative = math.copysign(1.0, a) * math.copysign(1.0, b) < 0
    elif op in ("add", "sub"):
        exact = x + y if op == "add" else x - y
        b_sign = math.copysign(1.0, b) * (1.0 if op == "add" else -1.0)
        negative = math.copysign(1.0, a) < 0 and b_sign < 0
    else:
        return None
    if exact == 0:
        return -0.0 if negative else 0.0
    return round_float(exact, kind)


def compare(op: str, a: object, b: object, wide: bool = False) -> bool:
    """`wide`: the values are WSTRINGs, whose code units count, not their bytes."""
    x, y = a, b
    if wide:
        assert isinstance(a, bytes)
        assert isinstance(b, bytes)
        x, y = (struct.unpack(f"<{len(s) // 2}H", s) for s in (a, b))
    match op:
        case "eq":
            return x == y
        case "ne":
            return x != y
        case "lt":
            return bool(x < y)  # type: ignore[operator]
        case "le":
            return bool(x <= y)  # type: ignore[operator]
        case "gt":
            return bool(x > y)  # type: ignore[operator]
        case _:
            return bool(x >= y)  # type: ignore[operator]
