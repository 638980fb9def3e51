"""How deep the stack gets on a board with the scan kernel, read from its machine code.

ARMv6-M: a frame is what a function pushes and subtracts from the stack pointer, a call is BL or a
branch out of the function. There are no calls through pointers and no recursion, so the deepest
chain is known. What is counted may be more than what is used, never less.
"""

from __future__ import annotations

import struct

from host_tools.record import field, record

STACK = 7936
"""Of MicroPython on RP2040: 8 KiB, and 256 bytes that it keeps for itself."""
PYTHON = 4864
"""Of these, what Python may need below the scans; measured: docs/kernel.md."""

_EXCEPTION = 36  # a frame of eight words, and one to align it (ARMv6-M, B1.5.6)
_LEVELS = 3  # of tasks that interrupt each other, at the most


@record()
class Function:
    """One of the machine code."""

    name: str
    start: int
    end: int
    frame: int = 0
    calls: set[int] = field(default_factory=set)


@record(frozen=True)
class Depth:
    """`total` of `room` bytes at the worst; `scan` of them for one scan, `chain` its deepest calls
    with their frames; `levels` of scans interrupt each other."""

    total: int
    room: int
    scan: int
    chain: tuple[tuple[str, int], ...]
    levels: int

    def text(self) -> str:
        names = " > ".join(f"{name} {frame}" for name, frame in self.chain)
        return f"{self.total} of {self.room} bytes; deepest scan {self.scan}: {names}"


def functions(elf: bytes) -> dict[int, Function]:
    """Every function of a linked ELF file for ARMv6-M, by its address."""
    code, base, symbols = _read(elf)
    marks = sorted((value, name[1]) for name, value, _ in symbols if name[:2] in ("$t", "$d"))
    starts: dict[int, str] = {}
    for name, value, kind in symbols:
        if kind == 2 and name:  # STT_FUNC
            starts.setdefault(value & ~1, name)
    order = sorted(starts)
    found = {}
    for n, start in enumerate(order):
        end = order[n + 1] if n + 1 < len(order) else base + len(code)
        found[start] = Function(starts[start], start, end)
    data = _data_ranges(marks, base + len(code))
    for function in found.values():
        _decode(function, code, base, data, order)
    return found


def _read(elf: bytes) -> tuple[bytes, int, list[tuple[str, int, int]]]:
    """(.text, its address, symbols as (name, value, type))."""
    table, size, count, names_at = struct.unpack_from("<I10xHHH", elf, 32)
    sections = [struct.unpack_from("<10I", elf, table + k * size) for k in range(count)]
    names = sections[names_at]

    def text(section: tuple[int, ...], at: int) -> str:
        start = section[4] + at
        return elf[start : elf.index(b"\0", start)].decode()

    code, base = b"", 0
    symbols = []
    for section in sections:
        if text(names, section[0]) == ".text":
            code, base = elf[section[4] : section[4] + section[5]], section[3]
        elif section[1] == 2:  # SHT_SYMTAB
            strings = sections[section[6]]
            for at in range(section[4], section[4] + section[5], 16):
                name, value, _, info, _, _ = struct.unpack_from("<IIIBBH", elf, at)
                symbols.append((text(strings, name), value, info & 15))
    return code, base, symbols


def _data_ranges(marks: list[tuple[int, str]], end: int) -> list[tuple[int, int]]:
    ranges = []
    for n, (at, kind) in enumerate(marks):
        if kind == "d":
            ranges.append((at, marks[n + 1][0] if n + 1 < len(marks) else end))
    return ranges


def _decode(
    function: Function, code: bytes, base: int, data: list[tuple[int, int]], starts: list[int]
) -> None:
    inside = [r for r in data if r[0] < function.end and r[1] > function.start]
    literals: dict[int, int] = {}
    at, ends = function.start, False
    while at + 2 <= function.end:
        skip = next((r[1] for r in inside if r[0] <= at < r[1]), None)
        if skip is not None:
            at = skip
            continue
        word = struct.unpack_from("<H", code, at - base)[0]
        if word not in (0x46C0, 0xBF00, 0):  # what fills up to a boundary
            # B, POP {PC}, BX, UDF, MOV PC: else it goes on in the next function.
            ends = word >> 11 == 0x1C or word >> 8 in (0xBD, 0x47, 0xDE) or word & 0xFF87 == 0x4687
        if word >> 9 == 0x5A:  # PUSH {registers, LR}
            function.frame += 4 * (word & 0x1FF).bit_count()
        elif word >> 7 == 0x161:  # SUB SP, #n
            function.frame += 4 * (word & 0x7F)
        elif word >> 11 == 0x09:  # LDR Rt, [PC, #n]
            place = (at + 4 & ~3) + 4 * (word & 0xFF) - base
            if place + 4 <= len(code):
                literals[word >> 8 & 7] = struct.unpack_from("<i", code, place)[0]
        elif word & 0xFF87 == 0x4485:  # ADD SP, Rm
            less = literals.get(word >> 3 & 15, 0)
            if less < 0:
                function.frame -= less
        elif word >> 11 == 0x1E and at + 4 <= function.end:
            second = struct.unpack_from("<H", code, at + 2 - base)[0]
            if second & 0xD000 == 0xD000:  # BL
                _branch(function, at + 4 + _offset(word, second), starts)
                ends = True  # or it comes back, and there is more
            at += 4
            continue
        elif word >> 12 == 0xD and word >> 8 & 15 < 14:  # B<c>
            _branch(function, at + 4 + 2 * ((word & 0xFF ^ 0x80) - 0x80), starts)
        elif word >> 11 == 0x1C:  # B
            _branch(function, at + 4 + 2 * ((word & 0x7FF ^ 0x400) - 0x400), starts)
        at += 2
    if not ends and function.end in starts:
        function.calls.add(function.end)


def _branch(function: Function, target: int, starts: list[int]) -> None:
    """A call, also by a jump, and into the middle of a function."""
    if function.start <= target < function.end:
        return
    whole = [start for start in starts if start <= target]
    if whole:
        function.calls.add(whole[-1])


def _offset(first: int, second: int) -> int:
    sign = first >> 10 & 1
    i1 = 1 - (second >> 13 & 1 ^ sign)
    i2 = 1 - (second >> 11 & 1 ^ sign)
    offset = i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | (second & 0x7FF) << 1
    return offset - (sign << 24)


def _deepest(
    start: int, found: dict[int, Function], known: dict[int, tuple[int, tuple[int, ...]]]
) -> tuple[int, tuple[int, ...]]:
    """(bytes, the functions of the chain) from `start` on."""
    if start not in known:
        known[start] = (0, ())  # a jump back is no deeper call
        function = found[start]
        below = [
            _deepest(call, found, known)
            for call in function.calls
            if call in found and call != start
        ]
        depth, chain = max(below, default=(0, ()))
        known[start] = (function.frame + depth, (start, *chain))
    return known[start]


def depth_of(elf: bytes, priorities: int) -> Depth:
    """The worst case of a program with the scan kernel, whose tasks have so many priorities. It
    may be more than there is."""
    found = functions(elf)
    by_name = {function.name: at for at, function in found.items()}
    known: dict[int, tuple[int, tuple[int, ...]]] = {}
    level, chain = _deepest(by_name["takt_level"], found, known)
    alarm, _ = _deepest(by_name["takt_alarm"], found, known)
    entry = _EXCEPTION  # the stubs push nothing
    levels = max(1, min(_LEVELS, priorities))
    total = levels * (entry + level) + entry + alarm
    room = STACK - PYTHON
    names = tuple((found[at].name, found[at].frame) for at in chain)
    return Depth(total, room, level, names, levels)
