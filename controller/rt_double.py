"""REAL and LREAL where Python's float is binary64: CPython and MicroPython's unix port."""

import math

from controller.rt import view

NAN = float("nan")
_INF = float("inf")

_cell = bytearray(8)
_f = view(_cell, "f")
_i = view(_cell, "I")
_d = view(_cell, "d")
_q = view(_cell, "Q")

# --- REAL ---
# For + - * / and the square root, rounding the binary64 result to binary32 gives what rounding
# once would: 53 bits are at least twice 24 bits and two (Figueroa 1995). A store into a binary32
# cell rounds, to infinity too. Subnormal results are exact in binary64, so they round once too.


def fadd(a, b):
    _f[0] = a + b
    return _f[0]


def fsub(a, b):
    _f[0] = a - b
    return _f[0]


def fmul(a, b):
    _f[0] = a * b
    return _f[0]


def fdiv(a, b):
    _f[0] = a / b if b else ddiv(a, b)
    return _f[0]


def feq(a, b):
    return a == b


def fne(a, b):
    return a != b


def flt(a, b):
    return a < b


def fle(a, b):
    return a <= b


def fgt(a, b):
    return a > b


def fge(a, b):
    return a >= b


def fbool(x):
    return x != 0.0


def fsqrt(x):
    _f[0] = dsqrt(x)
    return _f[0]


def f_of_d(x):
    _f[0] = x
    return _f[0]


def f_of_int(x):
    if not -0x20000000000000 <= x <= 0x20000000000000:
        # More than binary64 holds: the bits below the 53rd only tell that there are some.
        x = x >> 12 << 12 | (2048 if x & 4095 else 0)
    _f[0] = float(x)
    return _f[0]


def f_bits(x):
    if x != x:
        return 0x7FC00000
    _f[0] = x
    return _i[0]


def f_from_bits(n):
    _i[0] = n
    x = _f[0]
    return x if x == x else NAN


# --- LREAL ---


def ddiv(a, b):
    if b:
        return a / b
    if a != a or a == 0.0:
        return NAN
    return math.copysign(_INF, a) * math.copysign(1.0, b)


def dsqrt(x):
    return math.sqrt(x) if x >= 0.0 else NAN


def dround(x, low, high):
    # Nearest, ties to even; out of range saturates.
    if low < x < high:
        return round(x)
    if x >= high:
        return high
    return low if x <= low else 0


def dtrunc(x, low, high):
    if low < x < high:
        return int(x)
    if x >= high:
        return high
    return low if x <= low else 0


def dfloor(x):
    # Zero keeps the sign: floor(-0.0), ceil(-0.5).
    if -4503599627370496.0 < x < 4503599627370496.0:
        return math.copysign(math.floor(x), x)
    return x


def dceil(x):
    if -4503599627370496.0 < x < 4503599627370496.0:
        return math.copysign(math.ceil(x), x)
    return x


def dmin(a, b):
    return a if a < b else b


def dmax(a, b):
    return a if a > b else b


def d_of_int(x):
    # Two exact halves, one rounding. (MicroPython's float() of a long integer rounds repeatedly.)
    return (x >> 32) * 4294967296.0 + (x & 0xFFFFFFFF)


def d_bits(x):
    if x != x:
        return 0x7FF8000000000000
    _d[0] = x
    return _q[0]


def d_from_bits(n):
    _q[0] = n
    x = _d[0]
    return x if x == x else NAN


fround = dround
ftrunc = dtrunc
ffloor = dfloor
fceil = dceil
fmin = dmin
fmax = dmax
