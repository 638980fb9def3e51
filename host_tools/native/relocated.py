"""Machine code that has to be told where it lies: what of it is an address is found by linking it
to several places."""

from __future__ import annotations

import struct
from collections.abc import Callable

from host_tools.failure import Failure
from host_tools.record import record

TEXT, RODATA = 0, 1


@record(frozen=True)
class Code:
    """Code whose entry is its first byte, and constants, which may lie elsewhere."""

    text: bytes
    rodata: bytes = b""
    addresses: tuple[tuple[int, int, int], ...] = ()
    """Words that hold an address: whether in TEXT or RODATA, which 32-bit word of it, and of what.
    They hold the offset there."""

    def placed(self, text: int, rodata: int) -> tuple[bytes, bytes]:
        """What stands in memory where the parts lie at these addresses."""
        parts, places = (bytearray(self.text), bytearray(self.rodata)), (text, rodata)
        for part, word, of in self.addresses:
            (offset,) = struct.unpack_from("<I", parts[part], 4 * word)
            struct.pack_into("<I", parts[part], 4 * word, offset + places[of] & 0xFFFFFFFF)
        return bytes(parts[TEXT]), bytes(parts[RODATA])


Link = Callable[[int, int], tuple[bytes, bytes]]
"""Links code and constants to two addresses; gives the bytes of both, whole words."""

_FIRST = (0x400000, 0x3F400000)
_MOVES = (0x31000, 0x57000)


def relocated(link: Link) -> Code:
    """The code that `link` makes, with its addresses found. Raises Failure where they are not
    whole words."""
    first = link(*_FIRST)
    moved = (
        link(_FIRST[TEXT] + _MOVES[TEXT], _FIRST[RODATA]),
        link(_FIRST[TEXT], _FIRST[RODATA] + _MOVES[RODATA]),
    )
    parts: list[bytes] = []
    addresses = []
    for part in (TEXT, RODATA):
        words = _words(first[part])
        others = [_words(other[part]) for other in moved]
        if any(len(other) != len(words) for other in others):
            raise _refused()
        for n, word in enumerate(words):
            for of, other in enumerate(others):
                if other[n] == word:
                    continue
                if other[n] - word != _MOVES[of]:
                    raise _refused()
                addresses.append((part, n, of))
                words[n] = word - _FIRST[of]
        parts.append(struct.pack(f"<{len(words)}I", *(word & 0xFFFFFFFF for word in words)))
    code = Code(parts[TEXT], parts[RODATA], tuple(addresses))
    places = (_FIRST[TEXT] + 0x2A4000, _FIRST[RODATA] + 0x6B000)
    if code.placed(*places) != link(*places):
        raise _refused()
    return code


def _words(data: bytes) -> list[int]:
    if len(data) % 4:
        raise _refused()
    return list(struct.unpack(f"<{len(data) // 4}I", data))


def _refused() -> Failure:
    return Failure(
        "the machine code has addresses in it that cannot be put right",
        "this is a fault of Takt: please report it with the program; use --engine python",
    )
