"""Takes Modbus frames apart for people: RTU and TCP, requests and answers.

MODBUS Application Protocol Specification V1.1b3 ("AP"), Messaging on TCP/IP Guide V1.0b ("MG"),
Serial Line Guide V1.02 ("SL"). The check sum is computed here and not by bus/: what listens to a
device must not share its faults.
"""

from __future__ import annotations

from bus.modbus.pdu import (
    DEVICE_BUSY,
    DEVICE_FAILURE,
    GATEWAY_NO_TARGET,
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    PDU_MAX,
)
from host_tools.record import record

FUNCTIONS = {
    1: "read coils",
    2: "read discrete inputs",
    3: "read holding registers",
    4: "read input registers",
    5: "write coil",
    6: "write register",
    7: "read exception status",
    8: "diagnostics",
    11: "get event counter",
    12: "get event log",
    15: "write coils",
    16: "write registers",
    17: "report server id",
    20: "read file record",
    21: "write file record",
    22: "mask register",
    23: "read and write registers",
    24: "read FIFO queue",
    43: "read device identification",
}
"""AP 6."""

EXCEPTIONS = {
    int(ILLEGAL_FUNCTION): "illegal function",
    int(ILLEGAL_ADDRESS): "illegal data address",
    int(ILLEGAL_VALUE): "illegal data value",
    int(DEVICE_FAILURE): "server device failure",
    5: "acknowledge",
    int(DEVICE_BUSY): "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    int(GATEWAY_NO_TARGET): "gateway target device failed to respond",
}
"""AP 7."""

_MBAP = 7  # bytes of the header with the unit identifier, MG 3.1.3


@record(frozen=True)
class Message:
    """What a frame says. `protocol` is "rtu" or "tcp"; `address` and `values` are those of the
    table that the function speaks of, as far as the frame has them; of function 23 `address` and
    `quantity` are what is read, `write_address` and `values` of the request what is written; of
    function 22 `values` are the two masks. `data` is what is not taken apart. `wrong` says what is
    the matter with the frame; "" for a good one."""

    protocol: str
    unit: int = 0
    function: int = 0
    request: bool = True
    transaction: int | None = None
    address: int | None = None
    quantity: int | None = None
    values: tuple[int, ...] = ()
    write_address: int | None = None
    exception: int | None = None
    data: bytes = b""
    wrong: str = ""


def crc16(data: bytes) -> int:
    """Of an RTU frame (SL 6.2.2); the low byte goes first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def is_rtu(data: bytes) -> bool:
    """Whether it is a whole RTU frame with the right check sum."""
    return 4 <= len(data) <= 3 + PDU_MAX and crc16(data[:-2]) == int.from_bytes(
        data[-2:], "little"
    )


def is_tcp(data: bytes) -> bool:
    """Whether it is a whole frame of Modbus TCP."""
    return (
        _MBAP < len(data) <= _MBAP + PDU_MAX
        and data[2:4] == b"\0\0"
        and int.from_bytes(data[4:6], "big") == len(data) - 6
    )


def decode(data: bytes, protocol: str, request: bool) -> Message:
    """Take a frame apart; never raises: what is wrong with it is in the message."""
    return _tcp(data, request) if protocol == "tcp" else _rtu(data, request)


def _rtu(data: bytes, request: bool) -> Message:
    if len(data) < 4:
        return Message("rtu", request=request, data=data, wrong="too short for a frame")
    found, right = int.from_bytes(data[-2:], "little"), crc16(data[:-2])
    if found != right:
        wrong = f"CRC bad, {data[-2:].hex(' ')} where {right.to_bytes(2, 'little').hex(' ')} fits"
        unit, function = data[0], data[1] & 0x7F
        return Message("rtu", unit, function, request, data=data[2:-2], wrong=wrong)
    return _pdu("rtu", data[0], data[1:-2], request, None)


def _tcp(data: bytes, request: bool) -> Message:
    if len(data) <= _MBAP:
        return Message("tcp", request=request, data=data, wrong="too short for a frame")
    transaction = int.from_bytes(data[:2], "big")
    message = _pdu("tcp", data[6], data[_MBAP:], request, transaction)
    length = int.from_bytes(data[4:6], "big")
    if data[2:4] != b"\0\0":
        wrong = f"protocol identifier {int.from_bytes(data[2:4], 'big')} is not Modbus"
    elif length != len(data) - 6:
        wrong = f"length field {length}, but {len(data) - 6} bytes follow"
    else:
        return message
    return Message(
        "tcp", data[6], data[7] & 0x7F, request, transaction, data=data[8:], wrong=wrong
    )


def _pdu(protocol: str, unit: int, pdu: bytes, request: bool, transaction: int | None) -> Message:
    function, body = pdu[0], pdu[1:]
    exception: int | None = None
    fields: dict[str, object] = {}
    wrong = ""
    if function & 0x80:
        function &= 0x7F
        if request or len(body) != 1:
            wrong, fields = "no request, and no exception", {"data": body}
        else:
            exception = body[0]
    else:
        taken = _request(function, body) if request else _answer(function, body)
        if taken is None:
            wrong, fields = f"{len(pdu)} bytes do not fit the function", {"data": body}
        else:
            fields = taken
    return Message(
        protocol,
        unit,
        function,
        request,
        transaction,
        exception=exception,
        wrong=wrong,
        **fields,  # type: ignore[arg-type]
    )


def _words(data: bytes) -> tuple[int, ...]:
    return tuple(data[k] << 8 | data[k + 1] for k in range(0, len(data), 2))


def _bits(data: bytes, quantity: int) -> tuple[int, ...]:
    return tuple(data[k >> 3] >> (k & 7) & 1 for k in range(quantity))


def _single(function: int, body: bytes) -> dict[str, object] | None:
    """Functions 5, 6 and 22, whose answers repeat the request: AP 6.5, 6.6, 6.16."""
    if len(body) != (6 if function == 22 else 4):
        return None
    address, *values = _words(body)
    if function == 5:
        if values[0] not in (0, 0xFF00):
            return None
        values = [values[0] >> 15]
    return {"address": address, "quantity": 1, "values": tuple(values)}


def _request(function: int, body: bytes) -> dict[str, object] | None:
    """The fields of a request's data; None where their length does not fit."""
    n = len(body)
    if function in (1, 2, 3, 4):
        address, quantity = _words(body) if n == 4 else (0, 0)
        return {"address": address, "quantity": quantity} if n == 4 else None
    if function in (5, 6, 22):
        return _single(function, body)
    if function in (15, 16):
        if n < 5 or body[4] != n - 5:
            return None
        address, quantity = _words(body[:4])
        if body[4] != ((quantity + 7) >> 3 if function == 15 else 2 * quantity):
            return None
        values = _bits(body[5:], quantity) if function == 15 else _words(body[5:])
        return {"address": address, "quantity": quantity, "values": values}
    if function == 23:
        if n < 9 or body[8] != n - 9:
            return None
        address, quantity, write_address, written = _words(body[:8])
        if body[8] != 2 * written:
            return None
        fields = {"address": address, "quantity": quantity, "write_address": write_address}
        return {**fields, "values": _words(body[9:])}
    return {"data": body}


def _answer(function: int, body: bytes) -> dict[str, object] | None:
    """The same of an answer."""
    n = len(body)
    if function in (1, 2, 3, 4, 23):
        if n < 2 or body[0] != n - 1:
            return None
        if function in (1, 2):
            return {"values": _bits(body[1:], 8 * body[0])}
        return None if body[0] & 1 else {"values": _words(body[1:])}
    if function in (5, 6, 22):
        return _single(function, body)
    if function in (15, 16):
        if n != 4:
            return None
        address, quantity = _words(body)
        return {"address": address, "quantity": quantity}
    return {"data": body}


def joined(answer: Message, request: Message | None) -> Message:
    """An answer with the address and quantity of its request, where that is known and fits."""
    if (
        request is None
        or answer.function != request.function
        or answer.unit != request.unit
        or answer.transaction != request.transaction
        or answer.wrong
    ):
        return answer
    if answer.exception is not None:
        return _with(answer, request, ())
    if answer.function in (1, 2) and request.quantity is not None:
        if len(answer.values) != (request.quantity + 7) // 8 * 8:
            return answer
        return _with(answer, request, answer.values[: request.quantity])
    if answer.function in (3, 4, 23) and len(answer.values) == request.quantity:
        return _with(answer, request, answer.values)
    return answer


def _with(answer: Message, request: Message, values: tuple[int, ...]) -> Message:
    return Message(
        answer.protocol,
        answer.unit,
        answer.function,
        False,
        answer.transaction,
        request.address,
        request.quantity,
        values,
        request.write_address,
        answer.exception,
    )


def words(message: Message) -> str:
    """What the frame says, in words: "unit 5, read holding registers 0-1: 17, 42"."""
    name = FUNCTIONS.get(message.function, f"function {message.function}")
    if message.wrong:
        said = f"unit {message.unit}, {name}? " if message.function else ""
        return f"{said}{message.wrong}"
    said = f"unit {message.unit}, {name}"
    if message.address is not None:
        quantity = message.quantity or 1
        last = message.address + quantity - 1
        said += f" {message.address}" if quantity == 1 else f" {message.address}-{last}"
    if message.exception is not None:
        named = EXCEPTIONS.get(message.exception, "unknown")
        return f"{said}: exception {message.exception}, {named}"
    shown = _values(message)
    if message.function == 22 and shown:
        shown = "and {:04X}, or {:04X}".format(*message.values)
    if message.function == 23 and message.request and message.write_address is not None:
        said += f", write from {message.write_address} on"
    if message.data:
        shown = message.data.hex(" ")
    if message.request:
        return f"{said}: {shown}" if shown else said
    return f"{said}: {shown}" if shown else f"{said}: done"


def _values(message: Message) -> str:
    if message.function in (1, 2, 15):
        return "".join("1" if v else "0" for v in message.values)
    if message.function == 5 and message.values:
        return "on" if message.values[0] else "off"
    shown = [str(v) for v in message.values[:16]]
    more = len(message.values) - len(shown)
    return ", ".join(shown) + (f", … {more} more" if more else "")
