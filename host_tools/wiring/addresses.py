"""Addresses of located variables as text: `%IX0.3`, `%QW4` (IEC 61131-3:2013, 6.5.5)."""

from __future__ import annotations

import re

from host_tools.record import record

LAST = 4095
"""Highest element number the wiring may name."""

BITS = {"X": 1, "B": 8, "W": 16, "D": 32, "L": 64}

_FORM = re.compile(r"%([IQM])([XBWDL]?)([0-9]+)(?:\.([0-9]+))?", re.IGNORECASE)


@record(frozen=True, order=True)
class Address:
    """area "I", "Q", "M"; size "X", "B", "W", "D", "L"; `index` counts bytes for X and B, elements
    of the size otherwise; `bit` 0..7 for X."""

    area: str
    size: str
    index: int
    bit: int | None = None

    def __str__(self) -> str:
        bit = "" if self.bit is None else f".{self.bit}"
        return f"%{self.area}{self.size}{self.index}{bit}"

    @property
    def range_name(self) -> str:
        """The image range it lies in: bytes share that of the bits."""
        return self.area + ("X" if self.size == "B" else self.size)

    @property
    def width(self) -> int:
        """Bytes of the element; 1 for the byte of a bit."""
        return max(BITS[self.size] // 8, 1)

    @property
    def end(self) -> int:
        """Bytes the range must have for this address to exist."""
        return (self.index + 1) * self.width

    def offset(self, areas: dict[str, list[int]]) -> int | None:
        """Image byte of the element in a layout's `areas`, None where the layout has none."""
        start, size = areas.get(self.range_name, (0, 0))
        return start + self.index * self.width if self.end <= size else None


def parse_address(text: str) -> Address | str:
    """The address, or a sentence that says what is wrong with `text`."""
    found = _FORM.fullmatch(text.strip())
    if not found:
        return (
            "an address is % I, Q or M, a size X, B, W, D or L and a number, "
            "such as %IX0.3 or %QW4"
        )
    area, size, index, bit = found[1].upper(), found[2].upper() or "X", found[3], found[4]
    if len(index) > 6 or int(index) > LAST:
        return f"{index} is too high: addresses go up to {LAST}"
    if size != "X":
        if bit is not None:
            word, of_bit = f"%{area}{size}{int(index)}", f"%{area}X{int(index)}.{bit}"
            return f"only bits have a second number: {word}, or {of_bit}"
        return Address(area, size, int(index))
    if bit is None:
        return f"a bit address needs its bit: %{area}X{int(index)}.0"
    if len(bit) > 3 or int(bit) > 7:
        meant = f"%{area}X{_carry(index, bit)}"
        return f"a byte has the bits 0 to 7, there is no bit {bit}: did you mean {meant}?"
    return Address(area, "X", int(index), int(bit))


def _carry(index: str, bit: str) -> str:
    whole = int(index) * 8 + int(bit[:6])
    return f"{whole // 8}.{whole % 8}"
