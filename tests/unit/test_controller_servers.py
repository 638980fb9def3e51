"""Servers of a manifest are started with what their rows say, or it is said why not."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import pytest

from bus.modbus.rtu import crc16
from controller import servers
from controller.io import MachinePins

ROW = {"uart": 1, "tx": "GP8", "rx": "GP9", "de": "GP10", "unit": 9, "baud": 9600}
REQUEST = bytes([9, 3, 0, 0, 0, 2, 0xC5, 0x43])
MAP = [["holding", 0, 2, 0, "u16", True]]


class Pin:
    IN, OUT = 0, 1

    def __init__(self, name: int, mode: int = 0, *, value: int = 0) -> None:
        self.name = name
        self.levels = [value]

    def __call__(self, level: int) -> None:
        self.levels.append(level)


class Uart:
    """A line on which `come` is heard; what is answered is kept."""

    made: ClassVar[list[Uart]] = []

    def __init__(self, number: int) -> None:
        self.number = number
        self.come = b""
        self.sent = b""
        self.gone = False
        self.made.append(self)

    def init(self, **options: Any) -> None:
        self.options = options

    def any(self) -> int:
        return len(self.come)

    def readinto(self, view: memoryview, n: int) -> int:
        view[:n] = self.come[:n]
        self.come = self.come[n:]
        return n

    def write(self, view: memoryview) -> int:
        self.sent += bytes(view)
        return len(view)

    def txdone(self) -> bool:
        return True

    def deinit(self) -> None:
        self.gone = True


class Machine:
    Pin = Pin
    UART = Uart

    @staticmethod
    def Timer() -> None:
        raise TypeError("this port has numbered ones")


class Session:
    def __init__(self, pins: Any) -> None:
        self.pins = pins
        self.image = type("Image", (), {"data": bytearray((1, 2, 3, 4))})
        self.mailbox = None


def start(rows: dict[str, Any], pins: Any) -> tuple[list[dict[str, Any]], list[str]]:
    async def main() -> tuple[list[dict[str, Any]], list[str]]:
        running, notes = await servers.start(rows, Session(pins))
        await asyncio.sleep(0.05)  # the first silence
        for uart in Uart.made if running else ():
            uart.come = REQUEST
        await asyncio.sleep(0.1)
        for _, _, server in running:
            await server.close()
        return [{"kind": kind, **place} for kind, place, _ in running], notes

    return asyncio.run(main())


@pytest.mark.parametrize(("parity", "given"), [("even", 0), ("odd", 1), ("none", None)])
def test_a_server_on_a_uart_gets_pins_rate_and_character(parity: str, given: int | None) -> None:
    Uart.made.clear()
    row = {**ROW, "parity": parity, "stop": 2 if parity == "none" else 1, "map": MAP}
    running, notes = start({"modbus-rtu": row}, MachinePins(Machine))
    assert (running, notes) == ([{"kind": "modbus-rtu", "uart": 1, "unit": 9}], [])
    (uart,) = Uart.made
    assert uart.number == 1
    options = uart.options
    assert (options.pop("tx").name, options.pop("rx").name) == (8, 9)
    assert options.pop("rxbuf") >= 512
    assert options.pop("txbuf") >= 256
    assert options == {"baudrate": 9600, "bits": 8, "parity": given, "stop": row["stop"]}
    answer = bytes([9, 3, 4, 2, 1, 4, 3])
    assert uart.sent == answer + crc16(answer, 0, 7).to_bytes(2, "little")
    assert uart.gone


def test_what_cannot_be_started_is_told() -> None:
    row = {**ROW, "parity": "even", "stop": 1, "map": MAP}
    assert start({"modbus-rtu": row}, None) == (
        [],
        ["server modbus-rtu is not started: no UART here"],
    )
    assert start({"profinet": {}}, None)[1] == [
        "server profinet is not known to this version; it is not started"
    ]
    _, (note,) = start({"modbus-rtu": {**row, "unit": 300}}, MachinePins(Machine))
    assert "address 300 is not within 1..247" in note
