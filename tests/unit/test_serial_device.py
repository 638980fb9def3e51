"""Boards on serial ports: which one is meant, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.bench import program_of
from hil_tests.bench_file import read_bench
from hil_tests.devices.serial import port_of, serial_device
from host_tools import board_link
from host_tools.failure import DEVICE, Failure
from tests.unit.bench_story import FOLDER

PORTS = [
    {"port": "/dev/ttyACM0", "serial": "E6614", "usb": "2e8a:0005", "description": "Pico"},
    {"port": "/dev/ttyACM1", "serial": "E6615", "usb": "2e8a:0005", "description": "Pico"},
    {"port": "/dev/ttyS0", "serial": None, "usb": None, "description": ""},
]


@pytest.fixture
def _connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_link, "serial_ports", lambda: PORTS)


@pytest.mark.usefixtures("_connected")
def test_a_board_is_found_by_its_usb_serial_number() -> None:
    assert port_of("it", "E6615", None) == "/dev/ttyACM1"
    assert port_of("it", None, "/dev/ttyS0") == "/dev/ttyS0"
    with pytest.raises(Failure) as raised:
        port_of("the device 'left'", "E6624", None)
    assert raised.value.exit_code == DEVICE
    assert raised.value.message == (
        "the device 'left' with USB serial number 'E6624' is not connected"
    )
    assert raised.value.help == "did you mean 'E6614'?"
    with pytest.raises(Failure) as raised:
        port_of("it", "XYZ", None)
    assert raised.value.help == "there are: E6614 on /dev/ttyACM0, E6615 on /dev/ttyACM1"


def test_a_board_needs_an_instrument_at_its_pins(tmp_path: Path) -> None:
    text = (FOLDER / "bench.toml").read_text()
    text += '[dut.left]\nkind = "serial"\nport = "/dev/nowhere"\n'
    (tmp_path / "bench.toml").write_text(text)
    file = read_bench(tmp_path)
    program = program_of(FOLDER, "python", "serial")
    with pytest.raises(Failure, match="'left' has no instrument at its pins") as raised:
        serial_device(file.dut("left"), program, file)
    assert 'wires = { GP2 = "GP10", … }' in raised.value.help
    text += '[instrument.probe]\nkind = "pico"\nport = "/dev/none"\nwires = { GP2 = "GP10" }\n'
    (tmp_path / "bench.toml").write_text(text)
    file = read_bench(tmp_path)
    with pytest.raises(Failure, match="cannot open the port '/dev/none'"):
        serial_device(file.dut("left"), program, file)
