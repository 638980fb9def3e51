"""Makes edges of the records that the instrument's capture delivers."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from host_tools.record import record

_ALL = 0xFFFFFFFF
_TURN = 1 << 32


@record(frozen=True)
class Stamp:
    """A pin has taken a level, `time_ns` after the start of the capture."""

    time_ns: int
    pin: int
    level: bool


@record()
class Stamps:
    """Follows the counter through its turns; `count_ns` is the time of one count."""

    first_pin: int
    pins: int
    count_ns: float
    counter: int = _ALL
    """Of the last record; at first where it begins."""
    elapsed: int = 0
    levels: int | None = None
    lost: int = 0
    """Records that were lost, in all."""
    held_up: bool = False
    """The instrument's clock stood still once: times are wrong from then on."""
    records: int = 0

    def feed(self, data: bytes) -> Iterator[Stamp]:
        """The edges in records of 8 bytes: levels, counter."""
        for levels, counter in struct.iter_unpack("<II", data):
            self.records += 1
            before = self.levels
            self._count(counter, levels == before)
            self.levels = levels
            changed = (levels ^ before) if before is not None else _ALL
            time_ns = round(self.elapsed * self.count_ns)
            for bit in range(self.pins):
                if changed >> bit & 1:
                    yield Stamp(time_ns, self.first_pin + bit, bool(levels >> bit & 1))

    def miss(self, count: int) -> None:
        """`count` records were lost here: less than a turn of the counter, or times are wrong."""
        self.lost += count
        self.records += count

    def _count(self, counter: int, unchanged: bool) -> None:
        step = (self.counter - counter) & _ALL
        # The capture makes a record of each turn, but for one in the middle of a record; two that
        # tell of nothing else are a turn apart.
        if self.counter in (0, _ALL) and counter == _ALL and unchanged:
            step += _TURN
        self.elapsed += step
        self.counter = counter
