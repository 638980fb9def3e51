"""Elementary functions to more digits than binary64 has, in decimal arithmetic: the reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal, localcontext
from functools import cache

DIGITS = 60


@cache
def pi(digits: int) -> Decimal:
    """By Machin's formula, pi = 16 atan(1/5) - 4 atan(1/239)."""

    def arc(n: int) -> int:
        term = scale // n
        total, k, sign = term, 1, 1
        while term:
            term //= n * n
            k, sign = k + 2, -sign
            total += sign * (term // k)
        return total

    scale = 10 ** (digits + 10)
    with localcontext(Context(prec=digits)):
        return Decimal(16 * arc(5) - 4 * arc(239)) / scale


def _series(x: Decimal, first: Decimal, k: int) -> Decimal:
    """first - first x^2/(k (k+1)) + ..., the series of sine (k = 2) and cosine (k = 1)."""
    total, term, square = first, first, -x * x
    while abs(term) > abs(total) * Decimal(10) ** -DIGITS:
        term = term * square / (k * (k + 1))
        total += term
        k += 2
    return total


def _sine_cosine(x: float) -> tuple[Decimal, Decimal]:
    exact = Decimal(x)
    digits = DIGITS + 30 + max(0, exact.adjusted())
    with localcontext(Context(prec=digits)):
        quarter = pi(digits) / 2
        n = (exact / quarter).to_integral_value()
        r = exact - n * quarter
    with localcontext(Context(prec=DIGITS)):
        s, c = _series(r, +r, 2), _series(r, Decimal(1), 1)
    return ((s, c), (c, -s), (-s, -c), (-c, s))[int(n) % 4]


def sin(x: float) -> Decimal:
    return _sine_cosine(x)[0]


def cos(x: float) -> Decimal:
    return _sine_cosine(x)[1]


def tan(x: float) -> Decimal:
    with localcontext(Context(prec=DIGITS)):
        s, c = _sine_cosine(x)
        return s / c


def _atan(x: Decimal) -> Decimal:
    if abs(x) > 1:
        half = pi(DIGITS) / 2
        return (half if x > 0 else -half) - _atan(1 / x)
    halvings = 0
    while abs(x) > Decimal("0.05"):
        x = x / (1 + (1 + x * x).sqrt())
        halvings += 1
    total, power, k = x, x, 1
    while abs(power) > abs(total) * Decimal(10) ** -DIGITS:
        power = -power * x * x
        k += 2
        total += power / k
    return total * 2**halvings


def atan(x: float) -> Decimal:
    with localcontext(Context(prec=DIGITS)):
        return _atan(Decimal(x))


def asin(x: float) -> Decimal:
    with localcontext(Context(prec=DIGITS)):
        d = Decimal(x)
        return pi(DIGITS) / 2 * int(d) if abs(d) == 1 else _atan(d / ((1 - d) * (1 + d)).sqrt())


def acos(x: float) -> Decimal:
    with localcontext(Context(prec=DIGITS)):
        d = Decimal(x)
        return pi(DIGITS) if d == -1 else 2 * _atan(((1 - d) / (1 + d)).sqrt())


def atan2(y: float, x: float) -> Decimal:
    with localcontext(Context(prec=DIGITS)):
        if x == 0:
            return pi(DIGITS) / 2 * int(math.copysign(1, y))
        angle = _atan(Decimal(y) / Decimal(x))
        return angle if x > 0 else angle + pi(DIGITS) * int(math.copysign(1, y))


def _decimal(f: Callable[[Decimal], Decimal]) -> Callable[[float], Decimal]:
    def of(x: float) -> Decimal:
        with localcontext(Context(prec=DIGITS)):
            return f(Decimal(x))

    return of


exp = _decimal(Decimal.exp)
ln = _decimal(Decimal.ln)
log10 = _decimal(Decimal.log10)


def power(x: float, y: float) -> Decimal:
    with localcontext(Context(prec=DIGITS)):
        exact: Decimal = Decimal(abs(x)) ** Decimal(y)
        return -exact if x < 0 and y % 2 == 1 else exact


def ulps(value: float, exact: Decimal, precision: int, lowest: int) -> float:
    """The error of `value` in units of the last place of `exact` in a format of `precision` bits
    whose smallest value is 2^lowest."""
    with localcontext(Context(prec=DIGITS)):
        if exact == 0:
            return abs(value) / 2.0**lowest
        exponent = math.frexp(float(exact))[1] if float(exact) else lowest
        unit = Decimal(2) ** max(exponent - precision, lowest)
        return float(abs(Decimal(value) - exact) / unit)
