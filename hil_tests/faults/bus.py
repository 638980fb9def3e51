"""Faults of a serial line: silence, and frames that are corrupted, cut off, late or there twice.

They act between the far end of an emulated Pico's UART and whoever speaks there, a master or a
slave, frame by frame. Frames from the board are told apart by silence, so while such a fault is
there they arrive after their end instead of byte by byte.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from hil_tests.clock import Duration, nanoseconds
from hil_tests.faults.injection import Fault, Faults
from host_tools.duration import duration_text
from host_tools.failure import USAGE, Failure

DIRECTIONS = ("to_device", "from_device", "both")

Stage = Callable[[int, bytes], list[tuple[int, bytes]]]
"""(number of the frame, frame) -> [(ns later, frame)]: what becomes of one frame."""

# MODBUS over Serial Line V1.02, 2.5.1.1.
_SILENCE_CHARACTERS = 3.5
_FAST_BAUD, _FAST_NS = 19200, 1_750_000


# --- what becomes of a frame -----------------------------------------------------------------


def silence() -> Stage:
    """Nothing comes."""
    return lambda _number, _frame: []


def flipped(bits: int, seed: int) -> Stage:
    """`bits` different bits of each frame are the other way round."""

    def flip(number: int, frame: bytes) -> list[tuple[int, bytes]]:
        chance = random.Random(f"{seed} {number}")
        value = int.from_bytes(frame, "big")
        for bit in chance.sample(range(8 * len(frame)), min(bits, 8 * len(frame))):
            value ^= 1 << bit
        return [(0, value.to_bytes(len(frame), "big"))]

    return flip


def wrong_crc() -> Stage:
    """The last two bytes, where Modbus RTU has its check sum, are wrong."""
    return lambda _number, frame: [(0, frame[:-2] + bytes(b ^ 0x55 for b in frame[-2:]))]


def cut_off(keep: int | None) -> Stage:
    """Only the first `keep` bytes come; None: half of them."""
    return lambda _number, frame: [(0, frame[: len(frame) // 2 if keep is None else keep])]


def late(by_ns: int) -> Stage:
    """It comes later."""
    return lambda _number, frame: [(by_ns, frame)]


def twice(after_ns: int) -> Stage:
    """It comes again, `after_ns` after its beginning."""
    return lambda _number, frame: [(0, frame), (after_ns, frame)]


# --- the line --------------------------------------------------------------------------------


class FaultyLine:
    """UART `uart` of a device with the capability "uart". Each fault is for frames in `direction`
    (one of DIRECTIONS), and for each `every`-th of them."""

    def __init__(self, faults: Faults, uart: int = 0) -> None:
        faults.need("uart", "with a UART that can be reached")
        self._faults = faults
        self._pico = faults.device.pico
        self._line = self._pico.uart(uart)
        self._name = f"UART {uart}"
        self._stages: dict[str, list[Stage]] = {"to_device": [], "from_device": []}
        self._counts = {"to_device": 0, "from_device": 0}
        self._frame = bytearray()
        self._alarms: list[Any] = []
        self._ended = self._pico.mcu.clock.create_alarm(self._frame_ended)
        self._send = self._line.send
        port = self._line._port
        self._arrive = port.transmitted
        self._line.send = self._sent
        port.transmitted = self._heard

    def silence(self, direction: str = "both", every: int = 1) -> Fault:
        """Nothing arrives."""
        return self._add("is silent", silence(), direction, every)

    def corrupted(
        self, bits: int = 1, seed: int = 1, direction: str = "both", every: int = 1
    ) -> Fault:
        """Bits are flipped, others in each frame."""
        return self._add(f"flips {bits} bits", flipped(bits, seed), direction, every)

    def wrong_crc(self, direction: str = "both", every: int = 1) -> Fault:
        """The check sum is wrong."""
        return self._add("has wrong check sums", wrong_crc(), direction, every)

    def cut_off(self, keep: int | None = None, direction: str = "both", every: int = 1) -> Fault:
        """Only the first `keep` bytes arrive, or half of them."""
        return self._add("cuts frames off", cut_off(keep), direction, every)

    def late(self, by: Duration, direction: str = "both", every: int = 1) -> Fault:
        """Frames arrive later."""
        by_ns = nanoseconds(by)
        return self._add(f"is late by {duration_text(by_ns)}", late(by_ns), direction, every)

    def twice(self, after: Duration = "20ms", direction: str = "both", every: int = 1) -> Fault:
        """Each frame arrives again."""
        return self._add("repeats frames", twice(nanoseconds(after)), direction, every)

    def _add(self, what: str, stage: Stage, direction: str, every: int) -> Fault:
        if direction not in DIRECTIONS:
            raise Failure(
                f"'{direction}' is no direction", f"one of: {', '.join(DIRECTIONS)}", USAGE
            )
        chosen = DIRECTIONS[:2] if direction == "both" else (direction,)

        def some(number: int, frame: bytes) -> list[tuple[int, bytes]]:
            return stage(number, frame) if number % every == 0 else [(0, frame)]

        for name in chosen:
            self._stages[name].append(some)

        def end() -> None:
            for name in chosen:
                self._stages[name].remove(some)

        which = "" if direction == "both" else f" {direction.replace('_', ' the ')}"
        often = "" if every == 1 else f", each {every}. frame"
        return self._faults.add(f"{self._name} {what}{which}{often}", end)

    # --- frames --------------------------------------------------------------------------------

    def _through(self, direction: str, frame: bytes) -> list[tuple[int, bytes]]:
        self._counts[direction] += 1
        number = self._counts[direction]
        pieces = [(0, frame)]
        for stage in self._stages[direction]:
            pieces = [
                (before + after, made)
                for before, piece in pieces
                for after, made in stage(number, piece)
            ]
        return [(delay_ns, piece) for delay_ns, piece in pieces if piece]

    def _later(self, delay_ns: float, call: Callable[[], None]) -> None:
        def due() -> None:
            self._alarms.remove(alarm)
            call()

        alarm = self._pico.mcu.clock.create_alarm(due)
        self._alarms.append(alarm)
        alarm.schedule(delay_ns)

    def _sent(self, data: bytes, *, errors: int = 0) -> None:
        """In the place of Uart.send."""
        if errors or not self._stages["to_device"]:
            self._send(data, errors=errors)
            return
        for delay_ns, piece in self._through("to_device", bytes(data)):
            if delay_ns:
                self._later(delay_ns, lambda piece=piece: self._send(piece))  # type: ignore[misc]
            else:
                self._send(piece)

    def _heard(self, value: int, time_ns: int) -> None:
        """In the place of what takes a character from the board."""
        if not self._frame and not self._stages["from_device"]:
            self._arrive(value, time_ns)
            return
        self._frame.append(value)
        fast = self._line.baud > _FAST_BAUD + _FAST_BAUD // 50
        silence_ns = _FAST_NS if fast else int(_SILENCE_CHARACTERS * self._line.character_ns)
        self._ended.cancel()
        self._ended.schedule(silence_ns)

    def _frame_ended(self) -> None:
        frame = bytes(self._frame)
        self._frame.clear()
        character_ns = self._line.character_ns
        for delay_ns, piece in self._through("from_device", frame):
            for place, value in enumerate(piece, 1):
                self._later(
                    delay_ns + place * character_ns,
                    lambda value=value: self._arrive(value, self._pico.time_ns),  # type: ignore[misc]
                )
