"""STRING and WSTRING for the python engine: bytes and UTF-16LE as values, records in the image."""

# A record: u16 capacity, u16 length, characters. u is the size of a character: 1 or 2.
# Positions count from 1, counts below 0 are 0, and what is outside of the string is cut off.


def str_load(image, at):
    return bytes(memoryview(image)[at + 4 : at + 4 + (image[at + 2] | image[at + 3] << 8)])


def wstr_load(image, at):
    return bytes(memoryview(image)[at + 4 : at + 4 + 2 * (image[at + 2] | image[at + 3] << 8)])


def str_store(image, at, s):
    n = min(len(s), image[at] | image[at + 1] << 8)
    image[at + 2] = n & 255
    image[at + 3] = n >> 8
    image[at + 4 : at + 4 + n] = s if n == len(s) else s[:n]


def wstr_store(image, at, s):
    n = min(len(s) // 2, image[at] | image[at + 1] << 8)
    image[at + 2] = n & 255
    image[at + 3] = n >> 8
    n *= 2
    image[at + 4 : at + 4 + n] = s if n == len(s) else s[:n]


def wstr_order(a, b):
    # Below, at or above 0 as a is less than, equal to or greater than b by code units.
    n = min(len(a), len(b))
    i = 0
    while i < n:
        if a[i] != b[i] or a[i + 1] != b[i + 1]:
            return (a[i] | a[i + 1] << 8) - (b[i] | b[i + 1] << 8)
        i += 2
    return len(a) - len(b)


def str_len(s, u):
    return len(s) // u


def _place(n):
    # The end of a slice must fit a machine word, or MicroPython raises; no string is this long.
    return 0 if n < 0 else n if n < 0xFFFFFFF else 0xFFFFFFF


def str_left(s, n, u):
    return s[: _place(n) * u]


def str_cut(s, n, u):
    return s[: n * u]


def str_right(s, n, u):
    n *= u
    return b"" if n <= 0 else s[-n:] if n < len(s) else s


def str_mid(s, n, pos, u):
    return s[_place(pos - 1) * u : _place(pos - 1 + max(n, 0)) * u]


def str_insert(a, b, pos, u):
    pos = _place(pos) * u
    return a[:pos] + b + a[pos:]


def str_replace(a, b, n, pos, u):
    start = _place(pos - 1) * u
    end = max(_place(pos - 1 + max(n, 0)) * u, start)
    return a[:start] + b + a[end:]


def str_delete(s, n, pos, u):
    return str_replace(s, b"", n, pos, u)


def str_find(a, b, u):
    i = a.find(b) if b else -1
    while i >= 0 and i % u:
        i = a.find(b, i + 1)
    return i // u + 1 if i >= 0 else 0


def str_char(s, pos, u):
    i = (pos - 1) * u
    if i < 0 or i >= len(s):
        return 0
    return s[i] if u == 1 else s[i] | s[i + 1] << 8


def str_from_char(c):
    return bytes((c,))


def wstr_from_char(c):
    return bytes((c & 255, c >> 8))


def to_wide(s):
    wide = bytearray(2 * len(s))
    i = 0
    for c in s:
        wide[i] = c
        i += 2
    return bytes(wide)


def to_narrow(s):
    narrow = bytearray(len(s) // 2)
    i = 0
    while i < len(narrow):
        narrow[i] = 63 if s[2 * i + 1] else s[2 * i]
        i += 1
    return bytes(narrow)


def int_to_str(x):
    return b"%d" % x


def str_to_int(s):
    i = 0
    while i < len(s) and s[i] in b" \t":
        i += 1
    negative = i < len(s) and s[i] == 45
    if negative or (i < len(s) and s[i] == 43):
        i += 1
    value = 0
    digits = False
    while i < len(s):
        c = s[i]
        if 48 <= c <= 57:
            digits = True
            value = min(value * 10 + c - 48, 0x8000000000000000)
        elif c != 95 or not digits:
            break
        i += 1
    return -value if negative else min(value, 0x7FFFFFFFFFFFFFFF)


_UNITS = (
    (86400000000000, b"d"),
    (3600000000000, b"h"),
    (60000000000, b"m"),
    (1000000000, b"s"),
    (1000000, b"ms"),
    (1000, b"us"),
    (1, b"ns"),
)


def time_to_str(ns):
    if not ns:
        return b"T#0s"
    text = b"T#-" if ns < 0 else b"T#"
    ns = abs(ns)
    for size, unit in _UNITS:
        if ns >= size:
            text += b"%d" % (ns // size) + unit
            ns %= size
    return text
