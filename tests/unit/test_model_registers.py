"""The register models of bench devices, without a board."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer.rtu import FramerRTU

from hil_tests.instruments.models import can_bus, mcp2515
from hil_tests.instruments.models.adc import Mcp3208
from hil_tests.instruments.models.can_bus import CanBus, CanFrame, CanStation
from hil_tests.instruments.models.expander import Mcp23017, Pcf8574
from hil_tests.instruments.models.mcp2515 import Mcp2515
from hil_tests.instruments.models.modbus_slave import ModbusSlave, Quantity, Registers, crc16
from hil_tests.instruments.models.temperature import Lm75

level = st.sampled_from([None, False, True])


class Time:
    """A clock for buses."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def schedule(self, ns: float, callback: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + ns, next(self._count), callback))

    def run(self, ns: float) -> None:
        end = self.now + ns
        while self._due and self._due[0][0] <= end:
            self.now, _, callback = heapq.heappop(self._due)
            callback()
        self.now = end


# -- expanders -------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 255), st.tuples(st.integers(0, 7), level)), max_size=12))
def test_a_pcf8574_reads_what_latch_and_outside_make_together(
    steps: list[int | tuple[int, bool | None]],
) -> None:
    chip = Pcf8574()
    low = [False]
    chip._interrupt = lambda active: low.__setitem__(0, active)
    latch, outside, seen = 0xFF, dict.fromkeys(range(8)), 0xFF
    edges: list[tuple[int, bool]] = []
    chip.watch(lambda pin, high: edges.append((pin, high)))
    levels = [True] * 8

    def expected() -> int:
        return sum(1 << n for n in range(8) if latch >> n & 1 and outside[n] is not False)

    for step in steps:
        if isinstance(step, int):
            chip.write(step)
            latch = step
            seen = expected()
        else:
            chip.set(*step)
            outside[step[0]] = step[1]
        assert low[0] == (expected() != seen)
    for pin, high in edges:
        assert levels[pin] is not high
        levels[pin] = high
    assert levels == [bool(expected() >> n & 1) for n in range(8)]
    assert chip.read() == expected()
    assert not low[0]


def i2c_write(chip: Mcp23017 | Lm75, *data: int) -> None:
    chip.start(False)
    for value in data:
        assert chip.write(value)
    chip.stop()


def i2c_read(chip: Mcp23017 | Lm75, register: int, count: int) -> list[int]:
    i2c_write(chip, register)
    chip.start(True)
    return [chip.read() for _ in range(count)]


@settings(derandomize=True, deadline=None)
@given(
    direction=st.integers(0, 255),
    latch=st.integers(0, 255),
    pull=st.integers(0, 255),
    polarity=st.integers(0, 255),
    outside=st.lists(level, min_size=8, max_size=8),
    port=st.integers(0, 1),
    bank=st.booleans(),
)
def test_an_mcp23017_port(
    direction: int,
    latch: int,
    pull: int,
    polarity: int,
    outside: list[bool | None],
    port: int,
    bank: bool,
) -> None:
    chip = Mcp23017()
    if bank:
        i2c_write(chip, 0x0A, 0x80)

    def at(register: int) -> int:
        return port << 4 | register if bank else register << 1 | port

    for register, value in ((0, direction), (1, polarity), (6, pull), (9, latch)):
        i2c_write(chip, at(register), value)
    for n, value in enumerate(outside):
        chip.set(8 * port + n, value)
    pins = 0
    for n in range(8):
        high = latch >> n & 1
        if direction >> n & 1:
            high = pull >> n & 1 if outside[n] is None else bool(outside[n])
        pins |= bool(high) << n
    assert i2c_read(chip, at(9), 1) == [pins ^ (polarity & direction)]
    assert i2c_read(chip, at(10), 1) == [latch]
    assert [chip.level(8 * port + n) for n in range(8)] == [bool(pins >> n & 1) for n in range(8)]


def test_an_mcp23017_interrupts_on_change_and_against_defval() -> None:
    chip = Mcp23017()
    shown: list[bool | None] = []
    chip._interrupts[0] = shown.append
    i2c_write(chip, 0x0C, 0xFF)  # GPPUA
    i2c_write(chip, 0x04, 0b11)  # GPINTENA
    i2c_write(chip, 0x06, 0b10)  # DEFVALA
    i2c_write(chip, 0x08, 0b10)  # INTCONA: bit 1 against DEFVAL
    assert shown[-1] is True
    chip.set(0, False)
    assert shown[-1] is False
    chip.set(0, True)
    # The levels at the time of the interrupt are kept.
    assert i2c_read(chip, 0x0E, 1) == [0b01]
    assert i2c_read(chip, 0x10, 1) == [0xFE]
    assert shown[-1] is True
    chip.set(1, False)
    # Against DEFVAL it comes again as long as it differs.
    assert i2c_read(chip, 0x12, 1) == [0xFD]
    assert shown[-1] is False


# -- converters and the temperature sensor -----------------------------------------------------


@settings(derandomize=True, deadline=None)
@given(volts=st.floats(0, 3.3), channel=st.integers(0, 7), lead=st.integers(0, 6))
def test_an_mcp3208_answers_wherever_the_start_bit_stands(
    volts: float, channel: int, lead: int
) -> None:
    chip = Mcp3208()
    chip.volts[channel] = volts
    chip.select()
    # 5 bits of command, then one of sample, one null bit and twelve of data.
    word = (1 << 4 | 1 << 3 | channel) << (32 - 5 - lead)
    answer = 0
    for shift in (24, 16, 8, 0):
        answer = answer << 8 | chip.transfer(word >> shift & 0xFF)
    assert answer >> (32 - 5 - lead - 14) & 0x1FFF == min(4095, int(volts / 3.3 * 4096))


@settings(derandomize=True, deadline=None)
@given(st.floats(-55, 125))
def test_an_lm75_tells_eighths_of_a_degree(celsius: float) -> None:
    chip = Lm75(celsius)
    high, low = i2c_read(chip, 0, 2)
    word = high << 8 | low
    told = (word - 0x10000 if word & 0x8000 else word) / 256
    assert abs(told - celsius) <= 0.0625


def test_an_lm75_watches_its_limits_with_a_fault_queue() -> None:
    chip = Lm75(20.0)
    i2c_write(chip, 1, 0b01000)  # two faults
    i2c_write(chip, 3, 30, 0x80)  # TOS 30.5
    i2c_write(chip, 2, 29, 0)
    seen = []
    for celsius in (30.5, 30.75, 30.75, 29.0, 28.5, 30.0, 28.0, 28.0):
        chip.temperature_c = celsius
        chip.convert()
        seen.append(chip.overtemperature)
    assert seen == [False, False, True, True, True, True, True, False]


# -- the Modbus slave against pymodbus ---------------------------------------------------------


class Asked(ModbusClientMixin[bytes]):
    """pymodbus' client functions, as the frames they send."""

    def execute(self, no_response_expected: bool, request: object) -> bytes:  # type: ignore[override]
        return request.encode()  # type: ignore[attr-defined,no-any-return]


REGISTERS = st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=8)


@settings(derandomize=True, deadline=None)
@given(address=st.integers(0, 12), values=REGISTERS, count=st.integers(1, 12))
def test_the_slave_serves_what_pymodbus_asks(address: int, values: list[int], count: int) -> None:
    slave = ModbusSlave(9, Registers(holding=dict.fromkeys(range(16), 7)))
    asked = Asked()

    def ask(function: int, body: bytes) -> bytes:
        frame = bytes([9, function]) + body
        check = FramerRTU.compute_CRC(frame).to_bytes(2, "big")
        answer = slave.receive(frame + check)
        assert FramerRTU.compute_CRC(answer[:-2]).to_bytes(2, "big") == answer[-2:]
        assert answer[0] == 9
        return answer[1:-2]

    model = dict.fromkeys(range(16), 7)
    written = ask(16, asked.write_registers(address, values, device_id=9))
    if address + len(values) <= 16:
        model |= {address + n: value for n, value in enumerate(values)}
        assert written == bytes([16, 0, address, 0, len(values)])
    else:
        assert written == b"\x90\x02"
    read = ask(3, asked.read_holding_registers(address, count=count, device_id=9))
    if address + count <= 16:
        words = b"".join(model[address + n].to_bytes(2, "big") for n in range(count))
        assert read == bytes([3, 2 * count]) + words
    else:
        assert read == b"\x83\x02"


@settings(derandomize=True, deadline=None)
@given(st.binary(min_size=1, max_size=40))
def test_the_slave_survives_any_request(data: bytes) -> None:
    slave = ModbusSlave(1, Registers(coils={0: True}, holding={0: 1}))
    frame = b"\x01" + data
    answer = slave.receive(frame + crc16(frame).to_bytes(2, "little"))
    assert answer[0] == 1
    assert answer[1] & 0x7F == data[0] & 0x7F
    assert slave.receive(frame + (crc16(frame) ^ 1).to_bytes(2, "little")) == b""
    assert slave.bad_frames == 1


@settings(derandomize=True, deadline=None)
@given(st.integers(-1000, 1000))
def test_quantities_are_engineering_values(tenths: int) -> None:
    slave = ModbusSlave(1, Registers(), {"t": Quantity("inputs", 4, scale=0.1, offset=5)})
    slave.set("t", tenths / 10)
    assert slave.value("t") == pytest.approx(tenths / 10)
    with pytest.raises(ValueError, match="does not fit into t"):
        slave.set("t", 4000)


# -- CAN -----------------------------------------------------------------------------------------

frames = st.builds(
    lambda extended, identifier, data, remote: CanFrame(
        identifier if extended else identifier >> 18,
        b"" if remote else data,
        extended,
        remote,
        len(data) if remote else None,
    ),
    st.booleans(),
    st.integers(0, (1 << 29) - 1),
    st.binary(max_size=8),
    st.booleans(),
)


def spi(chip: Mcp2515, *data: int) -> list[int]:
    chip.select()
    answer = [chip.transfer(value) for value in data]
    chip.deselect()
    return answer


def controller(bus: CanBus, mode: int = mcp2515.NORMAL) -> Mcp2515:
    """At 500 kbit/s, with every frame for buffer 0 and on to buffer 1."""
    chip = Mcp2515(bus)
    spi(chip, 0x02, 0x28, 0x05, 0xB1, 0x00)
    spi(chip, 0x02, 0x60, 0x64)
    spi(chip, 0x02, 0x70, 0x60)
    spi(chip, 0x05, 0x0F, 0xE0, mode << 5)
    return chip


def load(chip: Mcp2515, buffer: int, frame: CanFrame) -> None:
    head = mcp2515._head(frame, received=False)
    if frame.remote and not frame.extended:
        head = head[:4] + bytes([head[4] | 0x40])
    spi(chip, 0x02, 0x31 + 16 * buffer, *head, *frame.data)


def test_the_length_of_a_frame_on_the_bus() -> None:
    # ISO 11898-1: 44 bits and 8 for each byte up to the acknowledge delimiter is 37 here, without
    # end of frame; a frame of zeros has the most stuff bits.
    assert can_bus.bits_of(CanFrame(0x555, b"\x55" * 8)) >= 37 + 64
    zeros = can_bus.bits_of(CanFrame(0, b"\0" * 8))
    assert 37 + 64 + 15 <= zeros <= 37 + 64 + 24
    assert can_bus.bits_of(CanFrame(0x15555555, b"", extended=True)) >= 57


@settings(derandomize=True, deadline=None)
@given(st.lists(frames, min_size=2, max_size=6, unique_by=can_bus.arbitration))
def test_the_lowest_identifier_goes_first(wanted: list[CanFrame]) -> None:
    time = Time()
    bus = CanBus(time.schedule)
    stations = [CanStation(bus, 250_000) for _ in wanted]
    bus.silence()
    for station, frame in zip(stations, wanted, strict=True):
        station.send(frame)
    assert bus.frames == []
    bus.release()
    time.run(10_000_000)
    assert bus.frames == sorted(wanted, key=can_bus.arbitration)
    for station, frame in zip(stations, wanted, strict=True):
        assert station.received_frames == [f for f in bus.frames if f is not frame]


@settings(derandomize=True, deadline=None)
@given(st.lists(frames, min_size=1, max_size=3))
def test_frames_pass_from_controller_to_station_and_back(wanted: list[CanFrame]) -> None:
    time = Time()
    bus = CanBus(time.schedule)
    chip, station = controller(bus), CanStation(bus, 500_000)
    for number, frame in enumerate(wanted):
        load(chip, number, frame)
        spi(chip, 0x80 | 1 << number)
        time.run(1_000_000)
    assert station.received_frames == wanted
    for frame in wanted:
        station.send(frame)
        time.run(1_000_000)
        head = spi(chip, 0x90, *[0] * 13)[1:]
        length = 0 if frame.remote else head[4] & 0x0F
        assert bytes(head[:5]) == mcp2515._head(frame, received=True)
        assert bytes(head[5 : 5 + length]) == frame.data
        # The flag is cleared by the end of READ RX BUFFER.
        assert spi(chip, 0x03, 0x2C, 0)[2] & 3 == 0


def test_buffers_roll_over_and_then_overflow() -> None:
    time = Time()
    bus = CanBus(time.schedule)
    chip, station = controller(bus), CanStation(bus, 500_000)
    for number in range(3):
        station.send(CanFrame(number, bytes([number])))
    time.run(3_000_000)
    assert spi(chip, 0x03, 0x2C, 0, 0)[2:] == [0x23, 0x80]
    assert spi(chip, 0x92, 0)[1] == 0
    assert spi(chip, 0x96, 0)[1] == 1


def test_loopback_needs_no_bus_and_listening_only_does_not_acknowledge() -> None:
    time = Time()
    bus = CanBus(time.schedule)
    chip = controller(bus, mcp2515.LOOPBACK)
    load(chip, 2, CanFrame(0x7FF, b"loop"))
    spi(chip, 0x84)
    assert bytes(spi(chip, 0x92, 0, 0, 0, 0)[1:]) == b"loop"
    assert bus.frames == []
    spi(chip, 0x05, 0x0F, 0xE0, mcp2515.LISTEN_ONLY << 5)
    station = CanStation(bus, 500_000)
    station.send(CanFrame(1))
    time.run(2_000_000)
    assert bus.frames == []
    assert station.failures > 5


def test_errors_lead_to_bus_off_and_back() -> None:
    time = Time()
    bus = CanBus(time.schedule)
    chip = controller(bus)
    CanStation(bus, 500_000)
    load(chip, 0, CanFrame(5))
    bus.destroy(32)
    spi(chip, 0x81)
    flags = set()
    while not chip.bus_off:
        time.run(10_000)
        flags.add(spi(chip, 0x03, 0x2D, 0)[2])
    # Warning, passive, off.
    assert {0x00, 0x05, 0x15, 0x35} == flags
    assert bus.frames == []
    time.run(128 * 11 * 2000 + 1_000_000)
    assert not chip.bus_off
    assert bus.frames == [CanFrame(5)]
    assert chip.error_counters == (0, 0)


def test_alone_on_the_bus_a_controller_is_passive_but_not_off() -> None:
    time = Time()
    bus = CanBus(time.schedule)
    chip = controller(bus)
    load(chip, 0, CanFrame(5))
    spi(chip, 0x81)
    time.run(20_000_000)
    assert chip.error_counters == (128, 0)
    # One shot: one more try, then it gives up.
    spi(chip, 0x05, 0x0F, 0x08, 0x08)
    time.run(2_000_000)
    assert spi(chip, 0x03, 0x30, 0)[2] & 0x18 == 0x10


def test_other_bit_rates_disturb() -> None:
    time = Time()
    bus = CanBus(time.schedule)
    chip, station = controller(bus), CanStation(bus, 250_000)
    load(chip, 0, CanFrame(5))
    spi(chip, 0x81)
    time.run(1_000_000)
    assert station.received_frames == []
    assert chip.error_counters[0] >= 8


@settings(derandomize=True, deadline=None)
@given(st.lists(st.lists(st.integers(0, 255), min_size=1, max_size=18), max_size=12))
def test_a_controller_survives_any_bytes(transfers: list[list[int]]) -> None:
    time = Time()
    chip = controller(CanBus(time.schedule))
    for data in transfers:
        spi(chip, *data)
        time.run(100_000)
    spi(chip, 0xC0)
    assert spi(chip, 0x03, 0x0E, 0, 0)[2:] == [0x80, 0x87]


def test_bits_are_modified_only_where_the_data_sheet_says() -> None:
    chip = controller(CanBus(Time().schedule))
    spi(chip, 0x05, 0x0F, 0xE0, 0x80)
    spi(chip, 0x02, 0x2B, 0xFF)
    spi(chip, 0x05, 0x2B, 0x0F, 0x00)
    assert spi(chip, 0x03, 0x2B, 0)[2] == 0xF0
    # A filter is written whole.
    spi(chip, 0x02, 0x00, 0xFF)
    spi(chip, 0x05, 0x00, 0x0F, 0x00)
    assert spi(chip, 0x03, 0x00, 0)[2] == 0x00
    # In normal mode it cannot be written at all.
    spi(chip, 0x05, 0x0F, 0xE0, 0x00)
    spi(chip, 0x02, 0x00, 0x55)
    assert spi(chip, 0x03, 0x00, 0)[2] == 0x00
