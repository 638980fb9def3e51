"""What programs of the python engine call: faults, views of the image, integer operations."""

import sys

from controller.faults import Fault


def fault(code, pos):
    raise Fault(code, pos)


# --- views of the image ---

if sys.byteorder != "little":
    raise RuntimeError("the image is little-endian and so must be the machine")

if sys.implementation.name == "micropython":
    import uctypes

    def view(image, code):
        # The image as an array of numbers; code as in module struct. The image must stay alive.
        kind, size = {
            "b": (uctypes.INT8, 1),
            "h": (uctypes.INT16, 2),
            "H": (uctypes.UINT16, 2),
            "i": (uctypes.INT32, 4),
            "I": (uctypes.UINT32, 4),
            "q": (uctypes.INT64, 8),
            "Q": (uctypes.UINT64, 8),
            "f": (uctypes.FLOAT32, 4),
            "d": (uctypes.FLOAT64, 8),
        }[code]
        return uctypes.struct(
            uctypes.addressof(image), (uctypes.ARRAY | 0, kind | len(image) // size)
        )

else:

    def view(image, code):
        # The image as an array of numbers; code as in module struct.
        return memoryview(image).cast(code)


def copy(image, to, source, size):
    if size <= 8 and (to <= source or source + size <= to):
        # Slices would be garbage of more than that.
        while size:
            image[to] = image[source]
            to += 1
            source += 1
            size -= 1
    else:
        # A bytes-like slice on the right is taken before the left one is written.
        image[to : to + size] = memoryview(image)[source : source + size]


_ZEROS = bytes(64)


def clear(image, start, size):
    while size >= 64:
        image[start : start + 64] = _ZEROS
        start += 64
        size -= 64
    while size:
        image[start] = 0
        start += 1
        size -= 1


# --- integers ---


def i8(x):
    return (x & 0xFF ^ 0x80) - 0x80


def i16(x):
    return (x & 0xFFFF ^ 0x8000) - 0x8000


def i32(x):
    return (x & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


def i64(x):
    return (x & 0xFFFFFFFFFFFFFFFF ^ 0x8000000000000000) - 0x8000000000000000


def div(a, b, pos):
    # Towards zero; the caller wraps (minimum / -1).
    if a >= 0:
        if b > 0:
            return a // b
        if b:
            return -(a // -b)
    elif b > 0:
        return -(-a // b)
    elif b:
        return -a // -b
    raise Fault(1, pos)


def mod(a, b, pos):
    # Sign of the dividend.
    if not b:
        raise Fault(1, pos)
    if b < 0:
        b = -b
    return a % b if a >= 0 else -(-a % b)


def shl(x, n, width, pos):
    if n < 0:
        raise Fault(5, pos)
    return x << n & (1 << width) - 1 if n < width else 0


def shr(x, n, width, pos):
    if n < 0:
        raise Fault(5, pos)
    return x >> n if n < width else 0


def rol(x, n, width, pos):
    if n < 0:
        raise Fault(5, pos)
    n %= width
    return (x << n | x >> width - n) & (1 << width) - 1


def ror(x, n, width, pos):
    if n < 0:
        raise Fault(5, pos)
    n %= width
    return (x >> n | x << width - n) & (1 << width) - 1


def bcd_to(x, width):
    # Decimal value of the BCD digits in x, modulo the width.
    value = 0
    place = 1
    while x:
        value += (x & 15) * place
        place *= 10
        x >>= 4
    return value & (1 << width) - 1


def to_bcd(x, width):
    # The digits that fit.
    value = 0
    n = 0
    while n < width:
        value |= x % 10 << n
        x //= 10
        n += 4
    return value


def swap(x, size):
    value = 0
    while size:
        value = value << 8 | x & 255
        x >>= 8
        size -= 1
    return value


def require_double():
    if 1.0 + 1e-10 == 1.0:
        raise RuntimeError(
            "this program uses LREAL, but this board's MicroPython has single precision: "
            'build it with engine = "native"'
        )
