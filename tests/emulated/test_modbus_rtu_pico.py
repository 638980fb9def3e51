"""The Modbus RTU server of a program on an emulated Pico, against pymodbus's frames, under the
portable scheduler; test_kernel_timing.py has it beside the scan kernel."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU, ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from host_tools.board_link import PicoLink
from host_tools.build import compile
from host_tools.deployment import install_runtime
from host_tools.pico import Edge, EmulatedPico
from host_tools.project import load
from host_tools.remote import staged_files

pytestmark = pytest.mark.emulated

UNIT = 9
DE_PIN = 10
BAUD = 19200
T35_NS = 3.5 * 11 * 1e9 / BAUD
PROGRAM = """\
PROGRAM Station
VAR n : UDINT; level : REAL; setpoint : REAL; go : BOOL; table : ARRAY[0..99] OF INT; END_VAR
    n := n + 1;
    level := setpoint * 2.0;
END_PROGRAM
CONFIGURATION plant
    TASK main(INTERVAL := T#10ms, PRIORITY := 1);
    PROGRAM station WITH main : Station;
END_CONFIGURATION
"""
WIRING = """\
[project]
name = "station"
board = "pico"
engine = "python"

[server.modbus-rtu]
uart = 1
tx = "GP8"
rx = "GP9"
de = "GP10"
unit = 9

[server.modbus-rtu.input]
0 = "station.n"

[server.modbus-rtu.holding]
0 = "station.level"
2 = "station.setpoint:rw"
"100..199" = "station.table:rw"

[server.modbus-rtu.coils]
0 = "station.go:rw"
"""
START = """\
import asyncio
from controller.session import Session
from controller.io import machine_pins
s = Session('/slot', machine_pins())
async def main():
    await s.serve()
    await s.run()
asyncio.run(main())
"""


class Bus:
    """The far end of the board's line: requests out, answers in, and the pin of the driver."""

    def __init__(self, pico: EmulatedPico) -> None:
        self.pico = pico
        self.line = pico.uart(1)
        self.reader = FramerRTU(DecodePDU(False))
        self.heard: list[tuple[int, int]] = []  # (time of the stop bit's end, byte)
        self.driver: list[Edge] = pico.capture(DE_PIN)
        self.line.on_byte = lambda value, time_ns: self.heard.append((time_ns, value))

    def send(self, data: bytes, *, errors: int = 0) -> int:
        """Put bytes on the line; the time at which the last one has gone."""
        self.line.send(data, errors=errors)
        self.pico.run_for(len(data) * self.line.character_ns + 1000)
        return self.pico.time_ns

    def answer(self, within_s: float = 0.1) -> bytes:
        """What begins within this time, until the line is quiet for three characters."""
        start = len(self.heard)

        def ended() -> bool:
            quiet_ns = 3 * self.line.character_ns
            return len(self.heard) > start and self.pico.time_ns > self.heard[-1][0] + quiet_ns

        if self.pico.run_until(lambda: len(self.heard) > start, within_s):
            assert self.pico.run_until(ended, 1)
        return bytes(value for _, value in self.heard[start:])

    def ask(self, request: ModbusPDU, unit: int = UNIT) -> ModbusPDU | None:
        """A request by pymodbus, and the answer as it reads it."""
        request.dev_id = unit
        del self.heard[:], self.driver[:]
        end_ns = self.send(self.reader.buildFrame(request))
        data = self.answer()
        if not data:
            return None
        # The silence was kept; the driver was on for the whole answer, and let go of the line
        # before somebody else may speak.
        first_ns = self.heard[0][0] - self.line.character_ns
        assert first_ns >= end_ns + T35_NS - 2000
        assert [edge.level for edge in self.driver] == [True, False]
        on, off = self.driver
        assert on.time_ns <= first_ns
        assert self.heard[-1][0] <= off.time_ns < self.heard[-1][0] + T35_NS / 3.5
        _, pdu = self.reader.handleFrame(data, unit, 0)
        assert pdu is not None
        assert self.reader.buildFrame(pdu) == data
        return pdu


@pytest.fixture(scope="module")
def bus(pico_uf2: Path, tmp_path_factory: pytest.TempPathFactory) -> Bus:
    folder = tmp_path_factory.mktemp("station")
    (folder / "takt.toml").write_text(WIRING, encoding="utf-8")
    (folder / "station.st").write_text(PROGRAM, encoding="utf-8")
    bundle = compile(load(str(folder))).bundle()
    pico = EmulatedPico(pico_uf2)
    link = PicoLink(pico)
    runtime = install_runtime(link, lambda text: None)
    link.put({f"/slot/{name}": content for name, content in staged_files(bundle).items()})
    link.start(runtime.use + START)
    made = Bus(pico)
    console = bytearray()

    def serving() -> bool:
        console.extend(pico.read_console())
        assert b"Error" not in console, console.decode()
        return b'"modbus-rtu"' in console and abs(made.line.baud - BAUD) < BAUD // 100

    assert pico.run_until(serving, 10), console.decode()
    pico.run_for(50_000_000)
    return made


def test_values_are_written_and_read_with_the_driver_on_just_for_the_answers(bus: Bus) -> None:
    written = bus.ask(WriteMultipleRegistersRequest(address=2, registers=[0x4120, 0]))
    assert written is not None
    assert not written.isError()
    read = bus.ask(ReadHoldingRegistersRequest(address=0, count=4))
    # 10.0 was there before the answer that confirmed it, and the program has seen it.
    assert read is not None
    assert read.registers == [0x41A0, 0, 0x4120, 0]
    assert bus.ask(WriteSingleCoilRequest(address=0, bits=[True])) is not None
    coil = bus.ask(ReadCoilsRequest(address=0, count=1))
    assert coil is not None
    assert coil.bits[0]


def test_the_longest_frames(bus: Bus) -> None:
    values = [k * 321 % 65536 for k in range(100)]
    assert bus.ask(WriteMultipleRegistersRequest(address=100, registers=values)) is not None
    read = bus.ask(ReadHoldingRegistersRequest(address=100, count=100))
    assert read is not None
    assert read.registers == values


def test_exceptions_broadcasts_and_other_addresses(bus: Bus) -> None:
    refused = bus.ask(WriteSingleRegisterRequest(address=0, registers=[1]))
    assert refused is not None
    assert (refused.function_code, refused.exception_code) == (0x86, 2)
    assert bus.ask(WriteSingleRegisterRequest(address=105, registers=[77]), unit=0) is None
    assert bus.ask(ReadHoldingRegistersRequest(address=105, count=1), unit=10) is None
    read = bus.ask(ReadHoldingRegistersRequest(address=105, count=1))
    assert read is not None
    assert read.registers == [77]


def test_noise_is_forgotten_at_the_next_silence(bus: Bus) -> None:
    request = bus.reader.buildFrame(ReadInputRegistersRequest(address=0, count=2, dev_id=UNIT))
    for noise in (
        b"\x55",
        request[:5],
        request[:-1] + b"\x00",
        bytes(300),
        request + b"\x01",
        b"\x00" + request[:-2],
    ):
        bus.send(noise)
        assert bus.answer(0.02) == b"", noise
    before = bus.ask(ReadInputRegistersRequest(address=0, count=2))
    after = bus.ask(ReadInputRegistersRequest(address=0, count=2))
    assert before is not None
    assert after is not None
    assert 0 < before.registers[1] < after.registers[1]


def test_a_request_right_behind_the_talk_of_others(bus: Bus) -> None:
    request = bus.reader.buildFrame(ReadInputRegistersRequest(address=0, count=2, dev_id=UNIT))
    talk = bus.reader.buildFrame(ReadInputRegistersRequest(address=0, count=2, dev_id=30))
    bus.send(talk)
    bus.pico.run_for(round(T35_NS) + 100_000)
    bus.send(request)
    assert len(bus.answer()) == 9
