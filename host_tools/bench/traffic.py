"""A Modbus master at the emulated Pico's UART that asks without a pause and checks each answer."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from bus.modbus.rtu import crc16, silences_us
from host_tools.record import field, record

if TYPE_CHECKING:
    from host_tools.pico import EmulatedPico

UART = 0
UNIT = 17
BAUD = 115200
DE_PIN = 5
SCAN_PIN = 2
"""As projects/three_tasks/takt.toml has them."""

_TIMEOUT_NS = 200_000_000
_START_NS = 20_000_000
_RECIPE = (10, 20)  # first address, registers
_COUNTERS = 4  # input registers: two UDINT


@record()
class Traffic:
    """What went over the line. `wrong` are answers that are not what they must be, in words;
    `frames` are requests, each with what came in answer."""

    requests: int = 0
    reads: int = 0
    writes: int = 0
    answers: int = 0
    timeouts: int = 0
    longest_ms: float = 0.0
    wrong: list[str] = field(default_factory=list)
    frames: list[tuple[bytes, bytes]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """For the report."""
        return {
            "requests": self.requests,
            "reads": self.reads,
            "writes": self.writes,
            "timeouts": self.timeouts,
            "wrong": len(self.wrong),
            "longest_ms": round(self.longest_ms, 3),
        }


def frame(pdu: bytes) -> bytes:
    """A request to the bench's server."""
    data = bytes([UNIT]) + pdu
    return data + struct.pack("<H", crc16(data, 0, len(data)))


class Master:
    """Asks from shortly after the first scan until `finish`, by the emulator's own alarms, so that
    it needs no steps of the caller. The driver enable is watched as well: whatever the board sends
    outside of it is wrong.

    It writes a setpoint, reads it back, writes 20 registers and reads them back, and reads two
    counters, which must not run backwards.
    """

    def __init__(self, pico: EmulatedPico) -> None:
        self.traffic = Traffic()
        self._pico = pico
        self._line = pico.uart(UART)
        self._line.take()
        self._line.on_byte = self._heard
        self._gap_ns = silences_us(BAUD)[2] * 1000
        self._alarm = pico.mcu.clock.create_alarm(self._silence)
        self._answer = bytearray()
        self._request = b""
        self._asked_ns = 0
        self._ended_ns = 0
        self._counters = (0, 0)
        self._expected = b""
        self._driving = False
        self._forget = [pico.watch(DE_PIN, self._enabled), pico.watch(SCAN_PIN, self._scanned)]
        self._begun = self._done = False

    def finish(self) -> Traffic:
        """Stops asking. A request that is under way is not counted."""
        self._done = True
        self._alarm.cancel()
        self._line.on_byte = None
        for forget in self._forget:
            forget()
        return self.traffic

    def _scanned(self, _: object) -> None:
        # Before the tasks run, nobody listens yet, whatever the UART is set to.
        if not self._begun:
            self._begun = True
            self._alarm.schedule(_START_NS)

    def _enabled(self, edge: Any) -> None:
        self._driving = bool(edge.level)
        if not self._driving and self._answer:
            late_ns = edge.time_ns - self._ended_ns
            if late_ns > self._gap_ns:
                self.traffic.wrong.append(f"the driver was on for {late_ns} ns after an answer")

    def _heard(self, value: int, time_ns: int) -> None:
        if not self._driving:
            self.traffic.wrong.append(f"a byte at {time_ns} ns with the driver off")
        self._answer.append(value)
        self._ended_ns = time_ns
        self._alarm.cancel()
        self._alarm.schedule(self._gap_ns)

    def _silence(self) -> None:
        """After an answer, or where none came."""
        if self._request:
            self._judge(bytes(self._answer))
        self._answer.clear()
        if self._done:
            return
        self._request = frame(self._next())
        self._asked_ns = self._pico.time_ns
        self._line.send(self._request)
        self._alarm.schedule(_TIMEOUT_NS)

    def _next(self) -> bytes:
        n = self.traffic.requests
        self.traffic.requests += 1
        turn, step = divmod(n, 5)
        value = turn * 7 % 30000
        first, count = _RECIPE
        recipe = struct.pack(f">{count}h", *((value + k * k) % 30000 for k in range(count)))
        if step in (0, 2):
            self.traffic.writes += 1
        else:
            self.traffic.reads += 1
        if step == 0:
            pdu = struct.pack(">BHh", 6, 0, value)
            self._expected = pdu
        elif step == 1:
            pdu = struct.pack(">BHH", 3, 0, 1)
            self._expected = struct.pack(">BBh", 3, 2, value)
        elif step == 2:
            pdu = struct.pack(">BHHB", 16, first, count, len(recipe)) + recipe
            self._expected = pdu[:5]
        elif step == 3:
            pdu = struct.pack(">BHH", 3, first, count)
            self._expected = bytes([3, len(recipe)]) + recipe
        else:
            pdu = struct.pack(">BHH", 4, 0, _COUNTERS)
            self._expected = b""
        return pdu

    def _judge(self, answer: bytes) -> None:
        traffic = self.traffic
        traffic.frames.append((self._request, answer))
        if not answer:
            traffic.timeouts += 1
            return
        traffic.answers += 1
        taken_ns = self._ended_ns - self._asked_ns
        traffic.longest_ms = max(traffic.longest_ms, taken_ns / 1e6)
        if self._expected:
            if answer != frame(self._expected):
                traffic.wrong.append(f"{self._request.hex()} was answered by {answer.hex()}")
            return
        counters = struct.unpack(">II", answer[3:11]) if len(answer) == 13 else (-1, -1)
        head = bytes([4, 2 * _COUNTERS])
        if (
            answer != frame(head + answer[3:11])
            or min(now - before for now, before in zip(counters, self._counters, strict=True)) < 0
        ):
            traffic.wrong.append(f"counters {self._counters}, then {answer.hex()}")
        self._counters = counters
