"""REAL where Python's float is binary32, exact also where the machine's arithmetic is not IEEE."""

# The RP2040's boot ROM reads subnormal operands as zero, gives zero for subnormal results, and
# says inf * -0.0 = inf; everything else is right. So: try the machine's operation, return what
# cannot have met one of these cases, and compute the rest in integers.

import math

from controller.rt import view

_cell = bytearray(4)
_f = view(_cell, "f")
_h = view(_cell, "H")
_i = view(_cell, "I")

_i[0] = 0x7FC00000
NAN = _f[0]


def f_from_bits(n):
    _i[0] = n
    x = _f[0]
    return x if x == x else NAN


_SAFE_SUM = f_from_bits(0x0E000000)  # 2**-99: no subnormal can have part in a larger sum
_SAFE = f_from_bits(0x01000000)  # 2**-125: not rounded from below the normal numbers
_MAX = f_from_bits(0x7F7FFFFF)
_INT_LOW = f_from_bits(0xDF000000)  # -2**63
_INT_HIGH = f_from_bits(0x5F800000)  # 2**64


def f_bits(x):
    if x != x:
        return 0x7FC00000
    _f[0] = x
    return _i[0]


def _is_zero(x):
    # The machine's comparison takes subnormals for zero.
    if x != 0.0:
        return False
    _f[0] = x
    return not (_h[0] or _h[1] & 0x7FFF)


def fadd(a, b):
    r = a + b
    if r > _SAFE_SUM or r < -_SAFE_SUM:
        return r
    return _add(a, b, r)


def fsub(a, b):
    r = a - b
    if r > _SAFE_SUM or r < -_SAFE_SUM:
        return r
    return _add(a, -b, r)


def _add(a, b, r):
    if r != r:
        return NAN
    if (a != 0.0 and a == -b) or (_is_zero(a) and _is_zero(b)):
        return r
    return f_from_bits(soft_add(f_bits(a), f_bits(b)))


def fmul(a, b):
    r = a * b
    if _SAFE < r <= _MAX or -_MAX <= r < -_SAFE:
        return r
    if r == 0.0 and (_is_zero(a) or _is_zero(b)):
        return r
    return f_from_bits(soft_mul(f_bits(a), f_bits(b)))


def fdiv(a, b):
    if b != 0.0:
        r = a / b
        if _SAFE < r <= _MAX or -_MAX <= r < -_SAFE:
            return r
        if r == 0.0 and _is_zero(a):
            return r
    return f_from_bits(soft_div(f_bits(a), f_bits(b)))


def _order(x):
    # Bits of x, which is zero or subnormal, as an integer that sorts like x.
    _f[0] = x
    n = (_h[1] & 0x7F) << 16 | _h[0]
    return -n if _h[1] & 0x8000 else n


def feq(a, b):
    return a == b and (a != 0.0 or _order(a) == _order(b))


def fne(a, b):
    return not feq(a, b)


def flt(a, b):
    return a < b or (a == 0.0 and b == 0.0 and _order(a) < _order(b))


def fle(a, b):
    if a == 0.0 and b == 0.0:
        return _order(a) <= _order(b)
    return a <= b


def fgt(a, b):
    return flt(b, a)


def fge(a, b):
    return fle(b, a)


def fbool(x):
    return not _is_zero(x)


def fmin(a, b):
    return a if flt(a, b) else b


def fmax(a, b):
    return a if flt(b, a) else b


def fsqrt(x):
    if x != x or (math.copysign(1.0, x) < 0.0 and not _is_zero(x)):
        return NAN
    return math.sqrt(x)


def fround(x, low, high):
    # Nearest, ties to even; out of range saturates.
    if x != x:
        return 0
    if _INT_LOW <= x <= _INT_HIGH:
        x = round(x)
        return low if x < low else high if x > high else x
    return high if x > 0.0 else low


def ftrunc(x, low, high):
    if x != x:
        return 0
    if _INT_LOW <= x <= _INT_HIGH:
        x = int(x)
        return low if x < low else high if x > high else x
    return high if x > 0.0 else low


def ffloor(x):
    # Zero keeps the sign: floor(-0.0), ceil(-0.5).
    if -8388608.0 < x < 8388608.0:
        return math.copysign(float(math.floor(x)), x)
    return x


def fceil(x):
    if -8388608.0 < x < 8388608.0:
        return math.copysign(float(math.ceil(x)), x)
    return x


def f_of_int(x):
    if -0x8000000000 < x < 0x8000000000:
        return float(x)
    # MicroPython rounds several times on the way from a long integer to a float.
    return f_from_bits(_pack(x < 0, abs(x), 0))


# --- binary32 in integers: bit patterns in, bit pattern out ---


def _exponent(n):
    # A finite number is _mantissa(n) * 2**_exponent(n).
    return (n >> 23 & 0xFF or 1) - 150


def _mantissa(n):
    return n & 0x7FFFFF | (0x800000 if n & 0x7F800000 else 0)


def _is_special(n):
    return n & 0x7F800000 == 0x7F800000


def _is_nan(n):
    return n & 0x7FFFFFFF > 0x7F800000


def _pack(negative, m, e):
    # m * 2**e rounded to nearest, ties to even.
    sign = 0x80000000 if negative else 0
    size = 0
    rest = m
    while rest > 0xFFFF:
        rest >>= 16
        size += 16
    while rest:
        rest >>= 1
        size += 1
    drop = max(size - 24, -149 - e)
    if drop > 0:
        half = 1 << (drop - 1)
        low = m & (half << 1) - 1
        m >>= drop
        if low > half or (low == half and m & 1):
            m += 1
    else:
        m <<= -drop
    # A carry out of the mantissa counts the exponent up by itself, to infinity too.
    e += drop + 150
    n = m + ((e - 1) << 23 if m & 0x1800000 else 0)
    return sign | (n if n < 0x7F800000 else 0x7F800000)


def soft_add(a, b):
    if _is_nan(a) or _is_nan(b):
        return 0x7FC00000
    if _is_special(a):
        return 0x7FC00000 if _is_special(b) and a != b else a
    if _is_special(b):
        return b
    e = min(_exponent(a), _exponent(b))
    m = _mantissa(a) << _exponent(a) - e
    n = _mantissa(b) << _exponent(b) - e
    m = (-m if a & 0x80000000 else m) + (-n if b & 0x80000000 else n)
    if not m:
        # Only -0.0 + -0.0 is -0.0.
        return a & b & 0x80000000
    return _pack(m < 0, abs(m), e)


def soft_mul(a, b):
    sign = (a ^ b) & 0x80000000
    if _is_nan(a) or _is_nan(b):
        return 0x7FC00000
    if _is_special(a) or _is_special(b):
        return sign | 0x7F800000 if a & 0x7FFFFFFF and b & 0x7FFFFFFF else 0x7FC00000
    return _pack(sign, _mantissa(a) * _mantissa(b), _exponent(a) + _exponent(b))


def soft_div(a, b):
    sign = (a ^ b) & 0x80000000
    if _is_nan(a) or _is_nan(b):
        return 0x7FC00000
    if _is_special(a):
        return 0x7FC00000 if _is_special(b) else sign | 0x7F800000
    if _is_special(b):
        return sign
    m, n = _mantissa(a), _mantissa(b)
    if not n:
        return sign | 0x7F800000 if m else 0x7FC00000
    # 50 more bits make the quotient longer than a mantissa; its last bit tells of a rest.
    m <<= 50
    q = m // n << 1 | (1 if m % n else 0)
    return _pack(sign, q, _exponent(a) - _exponent(b) - 51)
