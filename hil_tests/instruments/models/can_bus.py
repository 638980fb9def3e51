"""A CAN bus in virtual time (ISO 11898-1): frames, arbitration, acknowledgement, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from host_tools.record import record

# After a frame: end of frame and intermission (ISO 11898-1, 10.4.2.7 and 10.4.6).
_AFTER_BITS = 7 + 3
# An error frame with the superposition of flags at its longest, and intermission.
_ERROR_BITS = 6 + 6 + 8 + 3
_CRC = 0x4599


@record(frozen=True)
class CanFrame:
    """`identifier` has 11 bits, 29 when `extended`; a `remote` frame has a length and no data."""

    identifier: int
    data: bytes = b""
    extended: bool = False
    remote: bool = False
    length: int | None = None
    """DLC of a remote frame."""

    @property
    def dlc(self) -> int:
        """Data length code."""
        return len(self.data) if self.length is None else self.length


class CanNode(Protocol):
    """What takes part in the bus."""

    @property
    def bit_ns(self) -> float:
        """Nominal bit time; 0 while the node is off the bus."""
        ...

    def pending(self) -> CanFrame | None:
        """The frame it would send next."""
        ...

    @property
    def acknowledges(self) -> bool: ...

    def received(self, frame: CanFrame) -> None:
        """A frame of another node is complete."""
        ...

    def sent(self, frame: CanFrame) -> None:
        """Its own frame is complete and acknowledged."""
        ...

    def lost_arbitration(self, frame: CanFrame) -> None: ...

    def failed(self, transmitting: bool, acknowledge: bool) -> None:
        """An error frame; `acknowledge`: because nobody acknowledged."""
        ...


class CanBus:
    """`schedule(ns, callback)` is its clock. `frames` are those that were complete.

    `destroy(n)` makes the next `n` frames end in an error, as disturbances do; `silence` holds the
    bus dominant, so that nothing goes over it, until `release`.
    """

    def __init__(self, schedule: Callable[[float, Callable[[], None]], None]) -> None:
        self.frames: list[CanFrame] = []
        self.errors = 0
        self.schedule = schedule
        self._nodes: list[CanNode] = []
        self._busy = False
        self._destroy = 0
        self._silent = False

    @classmethod
    def on_clock_of(cls, pico: Any) -> CanBus:
        """A bus in the time of an emulated board."""
        return cls(lambda ns, callback: pico.mcu.clock.create_alarm(callback).schedule(ns))

    def join(self, node: CanNode) -> None:
        self._nodes.append(node)

    def destroy(self, frames: int = 1) -> None:
        """The next frames are disturbed."""
        self._destroy += frames

    def silence(self) -> None:
        """Hold the bus dominant: nothing can be sent."""
        self._silent = True

    def release(self) -> None:
        """End of `silence`."""
        self._silent = False
        self.kick()

    def kick(self) -> None:
        """A node has something to send."""
        if self._busy or self._silent:
            return
        wanting = [(n, f) for n in self._nodes if n.bit_ns and (f := n.pending()) is not None]
        if not wanting:
            return
        self._busy = True
        winner, frame = min(wanting, key=lambda pair: arbitration(pair[1]))
        for node, other in wanting:
            if node is not winner and arbitration(other) != arbitration(frame):
                node.lost_arbitration(other)
        self.schedule(bits_of(frame) * winner.bit_ns, lambda: self._end(winner, frame))

    def _end(self, sender: CanNode, frame: CanFrame) -> None:
        others = [n for n in self._nodes if n is not sender and n.bit_ns]
        # Clocks may differ by 1.58 % at the most (ISO 11898-1, 11.3.2).
        strangers = [n for n in others if abs(n.bit_ns / sender.bit_ns - 1) > 0.0158]
        acknowledged = any(n.acknowledges for n in others if n not in strangers)
        if self._destroy or strangers or not acknowledged:
            disturbed = bool(self._destroy or strangers)
            self._destroy -= bool(self._destroy)
            self.errors += 1
            sender.failed(True, not disturbed)
            for node in others:
                if disturbed:
                    node.failed(False, False)
            self.schedule(_ERROR_BITS * sender.bit_ns, self._idle)
            return
        self.frames.append(frame)
        sender.sent(frame)
        for node in others:
            node.received(frame)
        self.schedule(_AFTER_BITS * sender.bit_ns, self._idle)

    def _idle(self) -> None:
        self._busy = False
        self.kick()


class CanStation:
    """A node without limits, for tests: `send` queues, `received_frames` collects."""

    def __init__(self, bus: CanBus, bit_rate: int) -> None:
        self.bit_ns = 1e9 / bit_rate
        self.received_frames: list[CanFrame] = []
        self.failures = 0
        self._queue: list[CanFrame] = []
        self._bus = bus
        bus.join(self)

    def send(self, frame: CanFrame) -> None:
        self._queue.append(frame)
        self._bus.kick()

    def pending(self) -> CanFrame | None:
        return self._queue[0] if self._queue else None

    @property
    def acknowledges(self) -> bool:
        return True

    def received(self, frame: CanFrame) -> None:
        self.received_frames.append(frame)

    def sent(self, frame: CanFrame) -> None:
        self._queue.remove(frame)

    def lost_arbitration(self, frame: CanFrame) -> None: ...

    def failed(self, transmitting: bool, acknowledge: bool) -> None:
        self.failures += transmitting


def arbitration(frame: CanFrame) -> tuple[int, ...]:
    """What is compared bit by bit on the bus, dominant first: identifier, SRR or RTR, IDE, …"""
    if not frame.extended:
        return frame.identifier, int(frame.remote), 0
    return frame.identifier >> 18, 1, 1, frame.identifier & 0x3FFFF, int(frame.remote)


def bits_of(frame: CanFrame) -> int:
    """Bits on the bus up to and with the acknowledge delimiter, stuff bits included."""
    stream = _stream(frame)
    stuffed = run = 0
    last = None
    for bit in stream:
        run = run + 1 if bit == last else 1
        last = bit
        if run == 5:
            # The stuff bit is the first of the next run.
            stuffed += 1
            run, last = 1, bit ^ 1
    # CRC delimiter, acknowledge slot and delimiter are not stuffed.
    return len(stream) + stuffed + 3


def _stream(frame: CanFrame) -> list[int]:
    """From the start of the frame to the CRC."""

    def bits(value: int, count: int) -> list[int]:
        return [value >> n & 1 for n in range(count - 1, -1, -1)]

    remote = int(frame.remote)
    if frame.extended:
        head = [*bits(frame.identifier >> 18, 11), 1, 1, *bits(frame.identifier, 18), remote, 0, 0]
    else:
        head = [*bits(frame.identifier, 11), remote, 0, 0]
    stream = [0, *head, *bits(frame.dlc, 4)]
    for byte in frame.data:
        stream += bits(byte, 8)
    crc = 0
    for bit in stream:
        crc = (crc << 1) ^ (_CRC if (crc >> 14 & 1) ^ bit else 0)
        crc &= 0x7FFF
    return [*stream, *bits(crc, 15)]
