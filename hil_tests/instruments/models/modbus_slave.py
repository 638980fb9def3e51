"""A Modbus RTU server at the far end of a UART (Modbus over Serial Line V1.02; Modbus Application
Protocol V1.1b3), written apart from bus/modbus so that both can be held against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from host_tools.pico import EmulatedPico, Uart
from host_tools.record import field, record

_BROADCAST = 0
# Exception codes (application protocol, section 7).
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 1, 2, 3
# Above 19200 baud the silences are fixed (serial line, 2.5.1.1).
_FIXED_SILENCE_NS = 1_750_000
_FIXED_FROM_BAUD = 19200


@record()
class Registers:
    """The four tables: address -> value. An address that is not there is an illegal one."""

    coils: dict[int, bool] = field(default_factory=dict)
    discrete_inputs: dict[int, bool] = field(default_factory=dict)
    holding: dict[int, int] = field(default_factory=dict)
    inputs: dict[int, int] = field(default_factory=dict)


@record(frozen=True)
class Quantity:
    """An engineering value in a register: value = raw * scale + offset; two words are sent high
    word first."""

    table: str
    """ "holding" or "inputs"."""
    address: int
    scale: float = 1.0
    offset: float = 0.0
    words: int = 1
    signed: bool = True


class ModbusSlave:
    """Answers on a line as unit `unit`. `requests` are the frames it took, whoever they were for.

    Faults: `silent`; `corrupt` answers with a wrong CRC, that many times; `turnaround_ns` is how
    long after the end of a request (the silence that ends it included) the answer begins.
    """

    def __init__(
        self,
        unit: int,
        registers: Registers,
        quantities: dict[str, Quantity] | None = None,
    ) -> None:
        self.unit = unit
        self.registers = registers
        self.quantities = quantities or {}
        self.silent = False
        self.corrupt = 0
        self.turnaround_ns = 0
        self.requests: list[bytes] = []
        self.bad_frames = 0
        self.on_write: Callable[[str, int, int], None] = lambda table, address, value: None
        self._frame = bytearray()
        self._line: Uart | None = None
        self._silence: Any = None
        self._answer_alarm: Any = None
        self._answer = b""
        for quantity in self.quantities.values():
            for n in range(quantity.words):
                self._table(quantity).setdefault(quantity.address + n, 0)

    def attach(self, pico: EmulatedPico, uart: int = 0) -> None:
        """At the far end of a UART of a board; takes the pace from that UART's baud rate."""
        line = pico.uart(uart)
        self._line = line
        self._silence = pico.mcu.clock.create_alarm(self._ended)
        self._answer_alarm = pico.mcu.clock.create_alarm(self._send)
        line.on_byte = self._heard

    # -- engineering units --

    def set(self, name: str, value: float) -> None:
        """Put an engineering value into its registers. Raises ValueError when it does not fit."""
        quantity = self.quantities[name]
        raw = round((value - quantity.offset) / quantity.scale)
        bits = 16 * quantity.words
        low, high = (-(1 << bits - 1), 1 << bits - 1) if quantity.signed else (0, 1 << bits)
        if not low <= raw < high:
            raise ValueError(f"{value} does not fit into {name}: {raw} in {bits} bits")
        for n in range(quantity.words):
            shift = 16 * (quantity.words - 1 - n)
            self._table(quantity)[quantity.address + n] = raw >> shift & 0xFFFF

    def value(self, name: str) -> float:
        """The engineering value in the registers."""
        quantity = self.quantities[name]
        raw = 0
        for n in range(quantity.words):
            raw = raw << 16 | self._table(quantity)[quantity.address + n]
        if quantity.signed and raw >> 16 * quantity.words - 1:
            raw -= 1 << 16 * quantity.words
        return raw * quantity.scale + quantity.offset

    def _table(self, quantity: Quantity) -> dict[int, int]:
        return self.registers.holding if quantity.table == "holding" else self.registers.inputs

    # -- the line --

    def _silence_ns(self) -> int:
        assert self._line is not None
        if self._line.baud > _FIXED_FROM_BAUD:
            return _FIXED_SILENCE_NS
        return round(3.5 * self._line.character_ns)

    def _heard(self, value: int, _time_ns: int) -> None:
        self._frame.append(value)
        self._silence.schedule(self._silence_ns())

    def _ended(self) -> None:
        frame = bytes(self._frame)
        self._frame.clear()
        answer = self.receive(frame)
        if answer and not self.silent:
            self._answer = answer
            self._answer_alarm.schedule(max(0, self.turnaround_ns - self._silence_ns()))

    def _send(self) -> None:
        assert self._line is not None
        self._line.send(self._answer)

    def receive(self, frame: bytes) -> bytes:
        """The answer to a frame, b"" for none."""
        if len(frame) < 4 or crc16(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
            self.bad_frames += 1
            return b""
        self.requests.append(frame)
        unit = frame[0]
        if unit not in (self.unit, _BROADCAST):
            return b""
        answer = bytes([unit]) + self._serve(frame[1], frame[2:-2])
        if unit == _BROADCAST:
            return b""
        check = crc16(answer)
        if self.corrupt:
            self.corrupt -= 1
            check ^= 0x5555
        return answer + check.to_bytes(2, "little")

    # -- functions (application protocol, section 6) --

    def _serve(self, function: int, data: bytes) -> bytes:
        functions = {
            1: lambda d: self._read_bits(1, self.registers.coils, d),
            2: lambda d: self._read_bits(2, self.registers.discrete_inputs, d),
            3: lambda d: self._read_words(3, self.registers.holding, d),
            4: lambda d: self._read_words(4, self.registers.inputs, d),
            5: self._write_coil,
            6: self._write_register,
            15: self._write_coils,
            16: self._write_registers,
            22: self._mask_register,
            23: self._read_and_write,
        }
        try:
            if function not in functions:
                raise _Refused(_ILLEGAL_FUNCTION)
            return functions[function](data)
        except _Refused as refused:
            return bytes([function | 0x80, refused.code])

    def _read_bits(self, function: int, table: dict[int, bool], data: bytes) -> bytes:
        values = _range(table, data, 2000)
        packed = bytearray((len(values) + 7) // 8)
        for n, value in enumerate(values):
            packed[n // 8] |= bool(value) << n % 8
        return bytes([function, len(packed)]) + packed

    def _read_words(self, function: int, table: dict[int, int], data: bytes) -> bytes:
        values = _range(table, data, 125)
        return bytes([function, 2 * len(values)]) + b"".join(v.to_bytes(2, "big") for v in values)

    def _write_coil(self, data: bytes) -> bytes:
        address, value = _words(data, 2)
        if value not in (0, 0xFF00):
            raise _Refused(_ILLEGAL_VALUE)
        self._put("coils", address, [bool(value)])
        return b"\x05" + data

    def _write_register(self, data: bytes) -> bytes:
        address, value = _words(data, 2)
        self._put("holding", address, [value])
        return b"\x06" + data

    def _write_coils(self, data: bytes) -> bytes:
        address, count = _words(data[:4], 2)
        if not 1 <= count <= 1968 or len(data) != 5 + data[4] or data[4] != (count + 7) // 8:
            raise _Refused(_ILLEGAL_VALUE)
        bits = data[5:]
        self._put("coils", address, [bits[n // 8] >> n % 8 & 1 == 1 for n in range(count)])
        return b"\x0f" + data[:4]

    def _write_registers(self, data: bytes) -> bytes:
        address, count = _words(data[:4], 2)
        if not 1 <= count <= 123 or len(data) != 5 + data[4] or data[4] != 2 * count:
            raise _Refused(_ILLEGAL_VALUE)
        self._put("holding", address, _words(data[5:], count))
        return b"\x10" + data[:4]

    def _mask_register(self, data: bytes) -> bytes:
        address, and_mask, or_mask = _words(data, 3)
        (old,) = _range(self.registers.holding, data[:2] + b"\x00\x01", 1)
        self._put("holding", address, [old & and_mask | or_mask & ~and_mask & 0xFFFF])
        return b"\x16" + data

    def _read_and_write(self, data: bytes) -> bytes:
        _, _, address, count = _words(data[:8], 4)
        if not 1 <= count <= 121 or len(data) != 9 + data[8] or data[8] != 2 * count:
            raise _Refused(_ILLEGAL_VALUE)
        # Both are checked before anything is written; the write comes first.
        _range(self.registers.holding, data[:4], 125)
        self._put("holding", address, _words(data[9:], count))
        return b"\x17" + self._read_words(23, self.registers.holding, data[:4])[1:]

    def _put(self, name: str, address: int, values: list[bool] | list[int]) -> None:
        table: dict[int, Any] = getattr(self.registers, name)
        if any(address + n not in table for n in range(len(values))):
            raise _Refused(_ILLEGAL_ADDRESS)
        for n, value in enumerate(values):
            table[address + n] = value
            self.on_write(name, address + n, int(value))


class _Refused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def _words(data: bytes, count: int) -> list[int]:
    if len(data) != 2 * count:
        raise _Refused(_ILLEGAL_VALUE)
    return [int.from_bytes(data[2 * n : 2 * n + 2], "big") for n in range(count)]


def _range(table: dict[int, Any], data: bytes, most: int) -> list[Any]:
    address, count = _words(data, 2)
    if not 1 <= count <= most:
        raise _Refused(_ILLEGAL_VALUE)
    if any(address + n not in table for n in range(count)):
        raise _Refused(_ILLEGAL_ADDRESS)
    return [table[address + n] for n in range(count)]


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS (serial line, 6.2.2)."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc
