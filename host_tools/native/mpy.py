"""Puts machine code into a .mpy file, in the place of a function that was compiled to byte code.

The format is that of MicroPython's py/persistentcode.c, version 6.3: a header, names and objects,
then the raw code of the module with that of its functions as children. Machine code is a child of
the kind "viper": MicroPython calls its first byte as f(self, n_args, n_kw, args) with objects.
"""

from __future__ import annotations

from host_tools.native.relocated import Code
from host_tools.record import record

ARCHITECTURES = {
    "x64": 2,
    "armv6m": 4,
    "armv7m": 5,
    "armv7em": 6,
    "armv7emsp": 7,
    "xtensawin": 10,
    "rv32imc": 11,
}
"""MP_NATIVE_ARCH_… by name."""

_VERSION, _SUB_VERSION = 6, 3
_BYTECODE, _VIPER = 0, 2
_HAS_ADDRESSES, _HAS_RODATA = 0x10, 0x20  # MP_SCOPE_FLAG_VIPER…


class MpyError(ValueError):
    """Not the .mpy that was expected."""


@record(frozen=True)
class _Raw:
    """Raw code: `body` begins behind the word that holds kind and length."""

    kind: int
    body: bytes
    children: tuple[_Raw, ...]
    code: Code | None = None
    """What is machine code, in the place of `body`."""

    def pack(self) -> bytes:
        if self.code is not None:
            return _packed(self.code)
        word = len(self.body) << 3 | bool(self.children) << 2 | self.kind
        packed = _vuint(word) + self.body
        if self.children:
            packed += _vuint(len(self.children)) + b"".join(c.pack() for c in self.children)
        return packed


def _packed(code: Code) -> bytes:
    """Machine code, its constants, and the words of both that get an address added."""
    flags = _HAS_RODATA * bool(code.rodata) | _HAS_ADDRESSES * bool(code.addresses)
    packed = _vuint(len(code.text) << 3 | _VIPER) + code.text + _vuint(flags)
    if code.rodata:
        packed += _vuint(len(code.rodata)) + code.rodata
    if code.addresses:
        for part, word, of in code.addresses:
            packed += bytes((of << 2 | 1,)) + _vuint(word << 1 | part)
        packed += b"\xff"
    return packed


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def vuint(self) -> int:
        n = 0
        while True:
            byte = self.take(1)[0]
            n = n << 7 | byte & 0x7F
            if byte < 0x80:
                return n

    def take(self, n: int) -> bytes:
        taken = self.data[self.at : self.at + n]
        if len(taken) != n:
            raise MpyError("the .mpy is cut off")
        self.at += n
        return taken


def _vuint(n: int) -> bytes:
    """Seven bits a byte, the highest first."""
    groups = [n & 0x7F]
    while n > 0x7F:
        n >>= 7
        groups.append(n & 0x7F | 0x80)
    return bytes(reversed(groups))


def with_machine_code(module: bytes, child: int, code: Code, architecture: str) -> bytes:
    """The .mpy `module`, all of it byte code, with function `child` (from 0, in the order of their
    definitions) replaced by machine code whose entry is its first byte. Raises MpyError."""
    if module[:2] != bytes((0x4D, _VERSION)) or module[2] & 3 not in (0, _SUB_VERSION):
        raise MpyError("mpy-cross writes a version of .mpy that is not known")
    if module[2] >> 2:
        raise MpyError("the module holds machine code already")
    reader = _Reader(module, 4)
    names, objects = reader.vuint(), reader.vuint()
    for _ in range(names):
        word = reader.vuint()
        if not word & 1:
            reader.take((word >> 1) + 1)
    for _ in range(objects):
        _skip_object(reader)
    start = reader.at
    raw = _raw(reader)
    if not 0 <= child < len(raw.children):
        raise MpyError(f"the module has no function {child}")
    children = list(raw.children)
    children[child] = _Raw(_VIPER, b"", (), code)
    head = module[:2] + bytes((ARCHITECTURES[architecture] << 2 | _SUB_VERSION,)) + module[3:start]
    return head + _Raw(raw.kind, raw.body, tuple(children)).pack()


def _skip_object(reader: _Reader) -> None:
    kind = reader.take(1)[0]
    if kind in (1, 2, 3, 4):  # None, False, True, ...
        return
    if kind in (5, 6):  # str, bytes
        reader.take(reader.vuint() + 1)
    elif kind in (7, 8, 9):  # int, float, complex
        reader.take(reader.vuint())
    elif kind == 10:  # tuple
        for _ in range(reader.vuint()):
            _skip_object(reader)
    elif kind:  # 0 is the function table
        raise MpyError(f"the module has an object of the unknown kind {kind}")


def _raw(reader: _Reader) -> _Raw:
    word = reader.vuint()
    kind, has_children, length = word & 3, word >> 2 & 1, word >> 3
    if kind != _BYTECODE:
        raise MpyError("the module holds machine code already")
    body = reader.take(length)
    count = reader.vuint() if has_children else 0
    return _Raw(kind, body, tuple(_raw(reader) for _ in range(count)))
