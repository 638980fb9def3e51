"""Models of devices on buses, used by MicroPython's own machine.I2C, SPI and UART on a Pico."""

from __future__ import annotations

import pytest

from hil_tests.instruments.models.adc import Ads1115, Mcp3208
from hil_tests.instruments.models.can_bus import CanBus, CanFrame, CanStation
from hil_tests.instruments.models.expander import Mcp23017, Pcf8574
from hil_tests.instruments.models.mcp2515 import Mcp2515
from hil_tests.instruments.models.modbus_slave import ModbusSlave, Quantity, Registers
from hil_tests.instruments.models.temperature import Lm75
from host_tools.pico import EmulatedPico, PicoError

pytestmark = pytest.mark.emulated

I2C = "from machine import I2C, Pin\ni = I2C(0, scl=Pin(5), sda=Pin(4), freq=400_000)\n"
SPI = (
    "from machine import SPI, Pin\n"
    "s = SPI(0, baudrate=2_000_000, sck=Pin(18), mosi=Pin(19), miso=Pin(16))\n"
    "def chip(n):\n return Pin(n, Pin.OUT, value=1)\n"
    "def talk(cs, *data):\n"
    " b = bytearray(data)\n cs(0)\n s.write_readinto(b, b)\n cs(1)\n return list(b)\n"
)


def run(pico: EmulatedPico, source: str) -> list[str]:
    out, error = pico.raw_exec(source)
    assert not error, error.decode()
    return out.decode().split("\r\n")[:-1]


def test_devices_on_one_i2c_bus(pico: EmulatedPico) -> None:
    expander, ports, adc, sensor = Pcf8574(), Mcp23017(), Ads1115(), Lm75(21.5)
    expander.attach(pico, 0, 0x38, interrupt=6)
    ports.attach(pico, 0, 0x20, interrupt_a=7)
    adc.attach(pico, 0, 0x49, alert=8)
    sensor.attach(pico, 0, 0x4F)
    with pytest.raises(PicoError, match="a device at 0x20 of this bus already"):
        Pcf8574().attach(pico, 0, 0x20)
    expander.set(3, False)
    ports.set(9, True)
    adc.volts[:] = [1.0, 0.25, 0.0, 3.0]
    source = I2C + (
        "def there(a):\n"
        " try: return bool(i.readfrom(a, 1))\n"
        " except OSError as e: return e.errno\n"
        "print([hex(a) for a in range(8, 0x78) if there(a) is True], there(0x50))\n"
        # PCF8574: P0 low, the others released; P3 is held low from outside.
        "i.writeto(0x38, b'\\xfe')\nprint(i.readfrom(0x38, 1).hex())\n"
        # MCP23017: port A outputs, port B inputs with pull-ups.
        "i.writeto_mem(0x20, 0x00, b'\\x00\\xff')\ni.writeto_mem(0x20, 0x0c, b'\\x00\\x0f')\n"
        "i.writeto_mem(0x20, 0x14, b'\\xa5')\nprint(i.readfrom_mem(0x20, 0x12, 2).hex())\n"
        # ADS1115: AIN0 to ground, AIN0 minus AIN1, single shot, ±4.096 V, 860 SPS.
        "import time\n"
        "def volts(mux):\n"
        " i.writeto_mem(0x49, 1, bytes([0x83 | mux << 4, 0xe3]))\n"
        " n = 0\n"
        " while not i.readfrom_mem(0x49, 1, 2)[0] & 0x80: n += 1\n"
        " v = i.readfrom_mem(0x49, 0, 2)\n"
        " return v[0] << 8 | v[1], n > 3\n"
        "print(volts(4), volts(0))\n"
        "time.sleep_ms(150)\nt = i.readfrom_mem(0x4f, 0, 2)\n"
        "print(((t[0] << 8 | t[1]) >> 5) / 8)\n"
    )
    assert run(pico, source) == [
        "['0x20', '0x38', '0x49', '0x4f'] 5",
        "f6",
        "a50f",
        "(8000, True) (6000, True)",
        "21.5",
    ]
    assert [ports.level(n) for n in range(8)] == [bool(0xA5 >> n & 1) for n in range(8)]
    assert not expander.level(0)
    pico.i2c(0).silent = True
    assert run(pico, "print(there(0x20))") == ["5"]


def test_interrupts_of_devices_reach_pins(pico: EmulatedPico) -> None:
    expander, sensor = Pcf8574(), Lm75(20.0)
    expander.attach(pico, 0, 0x20, interrupt=6)
    sensor.attach(pico, 0, 0x48, os=7)
    source = I2C + (
        "inputs = [Pin(n, Pin.IN, Pin.PULL_UP) for n in (6, 7)]\n"
        "def show(): print([p() for p in inputs])\n"
        "i.writeto(0x20, b'\\xff')\nshow()\n"
    )
    assert run(pico, source) == ["[1, 1]"]
    expander.set(5, False)
    assert run(pico, "show()") == ["[0, 1]"]
    assert run(pico, "print(i.readfrom(0x20, 1).hex())\nshow()") == ["df", "[1, 1]"]
    sensor.temperature_c = 80.5
    pico.run_for(110_000_000)
    assert run(pico, "show()") == ["[1, 0]"]
    sensor.temperature_c = 76.0
    pico.run_for(110_000_000)
    assert run(pico, "show()") == ["[1, 0]"]
    sensor.temperature_c = 74.0
    pico.run_for(110_000_000)
    assert run(pico, "show()") == ["[1, 1]"]


def test_a_converter_on_spi(pico: EmulatedPico) -> None:
    adc = Mcp3208()
    adc.attach(pico, 0, chip_select=17)
    adc.volts[5] = 1.65
    adc.volts[2], adc.volts[3] = 3.0, 1.0
    source = SPI + (
        "c = chip(17)\n"
        "def read(single, n):\n"
        " b = talk(c, 4 | single << 1 | n >> 2, (n & 3) << 6, 0)\n"
        " return (b[1] & 0x1f) << 8 | b[2]\n"
        "print(read(1, 5), read(0, 2), read(0, 3), read(1, 7))\n"
    )
    assert run(pico, source) == [f"2048 {int(2.0 / 3.3 * 4096)} 0 0"]


CAN = SPI + (
    "def write(c, a, *d): talk(c, 2, a, *d)\n"
    "def read(c, a, n=1): return talk(c, 3, a, *[0] * n)[2:]\n"
    "a, b = chip(17), chip(20)\n"
    "ia, ib = Pin(21, Pin.IN), Pin(22, Pin.IN)\n"
    "for c in (a, b):\n"
    " talk(c, 0xc0)\n"
    " assert read(c, 0x0e) == [0x80]\n"
    # 500 kbit/s of 16 MHz: 16 quanta of 125 ns.
    " write(c, 0x28, 0x05, 0xb1, 0x00)\n"
    " write(c, 0x2b, 0x3f)\n"
    # Buffer 0: standard identifiers 0x120 to 0x127; buffer 1: 0x300 alone.
    " write(c, 0x20, 0xff, 0, 0, 0, 0xff, 0xe0, 0, 0)\n"
    " write(c, 0x00, 0x24, 0, 0, 0, 0x24, 0, 0, 0, 0x60, 0, 0, 0)\n"
    " write(c, 0x10, *[0x60, 0, 0, 0] * 3)\n"
    " talk(c, 5, 0x0f, 0xe0, 0x00)\n"
)


def test_can_controllers_talk_over_their_bus(pico: EmulatedPico) -> None:
    bus = CanBus.on_clock_of(pico)
    first, second = Mcp2515(bus), Mcp2515(bus)
    first.attach(pico, 0, chip_select=17, interrupt=21)
    second.attach(pico, 0, chip_select=20, interrupt=22)
    station = CanStation(bus, 500_000)
    source = CAN + (
        "talk(a, 0x40, 0x24, 0x60, 0, 0, 3, 1, 2, 3)\ntalk(a, 0x81)\n"
        "import time; time.sleep_ms(1)\n"
        "print(ia(), ib(), read(a, 0x2c), read(b, 0x2c))\n"
        "print(talk(b, 0xb0, 0)[1], talk(b, 0xa0, 0)[1])\n"
        "print(talk(b, 0x90, *[0] * 8)[1:], ib(), talk(a, 5, 0x2c, 0x04, 0) and ia())\n"
    )
    assert run(pico, source) == [
        "0 0 [4] [1]",
        "64 1",
        "[36, 96, 0, 0, 3, 1, 2, 3] 1 1",
    ]
    assert first.bit_rate == second.bit_rate == 500_000
    assert station.received_frames == [CanFrame(0x123, b"\x01\x02\x03")]
    # From the station: one that a filter of buffer 1 takes, one that none does, one extended.
    station.send(CanFrame(0x300, b"\xaa"))
    station.send(CanFrame(0x301, b"\xbb"))
    station.send(CanFrame(0x12345678, b"", extended=True))
    pico.run_for(2_000_000)
    told = run(pico, "print(read(b, 0x2c), read(b, 0x70, 7), read(a, 0x2c))")
    assert told == ["[2] [2, 96, 0, 0, 0, 1, 170] [2]"]
    # Disturbed frames are sent again and counted.
    bus.destroy(3)
    run(pico, "talk(a, 0x81); time.sleep_ms(2)")
    assert len(station.received_frames) == 2
    assert bus.errors == 3
    assert first.error_counters == (23, 0)
    assert second.error_counters[1] == 2


def test_a_modbus_slave_answers_on_the_uart(pico: EmulatedPico) -> None:
    slave = ModbusSlave(
        5,
        Registers(coils={0: False, 1: True}),
        {"level": Quantity("inputs", 10, scale=0.1), "flow": Quantity("holding", 2, words=2)},
    )
    slave.set("level", -12.3)
    slave.attach(pico, 1)
    slave.turnaround_ns = 5_000_000
    source = (
        "from machine import UART, Pin\nimport time\n"
        "u = UART(1, 19200, tx=Pin(8), rx=Pin(9), timeout=30, timeout_char=5)\n"
        "def crc(d):\n"
        " c = 0xffff\n"
        " for x in d:\n"
        "  c ^= x\n"
        "  for _ in range(8): c = c >> 1 ^ 0xa001 if c & 1 else c >> 1\n"
        " return bytes((c & 255, c >> 8))\n"
        "def ask(h):\n"
        " d = bytes.fromhex(h)\n u.write(d + crc(d))\n u.flush()\n t = time.ticks_us()\n"
        " r = u.read(60)\n"
        " return r and (r[:-2].hex(), r[-2:] == crc(r[:-2]))\n"
        "print(ask('0504000a0001'), ask('05010000000a'), ask('0510000200020400012345'))\n"
        "print(ask('060300020001'))\n"
    )
    assert run(pico, source) == [
        "('050402ff85', True) ('058102', True) ('051000020002', True)",
        "None",
    ]
    assert slave.value("flow") == 0x12345
    slave.corrupt = 1
    assert run(pico, "print(ask('050100000002'), ask('050100000002'))") == [
        "('05010102', False) ('05010102', True)"
    ]
    slave.silent = True
    assert run(pico, "print(ask('050100000002'))") == ["None"]
