"""The bench's Modbus master at a board that booted its program by itself, under the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.bench import Bench
from hil_tests.bench_file import Dut, read_bench
from hil_tests.devices.pico import PicoDevice
from hil_tests.faults import Faults
from hil_tests.instruments.modbus_master import ModbusMaster, ModbusRefusal
from hil_tests.report.bus_log import frame_texts
from host_tools.build import compile
from host_tools.failure import Failure
from host_tools.project import load

pytestmark = pytest.mark.emulated

PROGRAM = """\
PROGRAM Station
VAR n : UDINT; twice : INT; setpoint : INT; END_VAR
    n := n + 1;
    twice := setpoint * 2;
    %QX0.0 := %IX0.0 OR %QX1.0;
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

[io]
"%IX0.0" = { pin = "GP2", pull = "down" }
"%QX0.0" = { pin = "GP3" }

[server.modbus-rtu]
uart = 0
tx = "GP16"
rx = "GP17"
unit = 9
baud = 115200
parity = "none"
discrete = { 0 = "%IX0.0" }
coils = { "0..15" = "%QX0.0:rw" }
input = { 0 = "station.n" }
holding = { 0 = "station.twice", 1 = "station.setpoint:rw" }
"""


@pytest.fixture(scope="module")
def dut(pico_uf2: Path, tmp_path_factory: pytest.TempPathFactory) -> PicoDevice:
    folder = tmp_path_factory.mktemp("station")
    (folder / "takt.toml").write_text(WIRING, encoding="utf-8")
    (folder / "station.st").write_text(PROGRAM, encoding="utf-8")
    device = PicoDevice(compile(load(str(folder), engine="native")), pico_uf2)
    device.start()
    device.run_for(100_000_000)
    return device


@pytest.fixture
def master(dut: PicoDevice) -> ModbusMaster:
    return ModbusMaster(dut, uart=0, unit=9, timeout="100ms")


def test_values_go_both_ways(dut: PicoDevice, master: ModbusMaster) -> None:
    master.write(1, 1234)
    assert master.read(0, 2) == [2468, 1234]
    assert master.read_bits(0, inputs=True) == [False]
    dut.pico.drive(2, True)
    dut.run_for(20_000_000)
    assert master.read_bits(0, inputs=True) == [True]
    assert dut.pico.level(3) is True
    dut.pico.drive(2, False)
    master.write_coil(8, True)
    assert dut.pico.level(3) is True
    assert master.read_bits(0, 9) == [True, *[False] * 7, True]
    before = master.read(0, 2, inputs=True)
    assert master.read(0, 2, inputs=True) > before


def test_refusals_and_what_is_spoilt(dut: PicoDevice, master: ModbusMaster) -> None:
    with pytest.raises(ModbusRefusal, match="exception 2, illegal data address") as refused:
        master.write(0, 1)
    assert refused.value.code == 2
    master.spoil = lambda frame: frame[:-1] + bytes((frame[-1] ^ 1,))
    with pytest.raises(AssertionError, match="no answer of unit 9"):
        master.read(0)
    master.spoil = lambda frame: frame[:5]
    with pytest.raises(AssertionError, match="no answer"):
        master.read(0)
    master.spoil = None
    assert len(master.read(0)) == 1
    with pytest.raises(Failure, match="has not set up UART 1"):
        ModbusMaster(dut, uart=1, unit=9).read(0)


def test_frames_are_recorded_as_they_went(dut: PicoDevice, master: ModbusMaster) -> None:
    del dut.recording.frames[:]
    master.read(1)
    asked, answered = dut.recording.frames
    assert (asked.to_device, answered.to_device, asked.good, answered.good) == (
        True,
        False,
        True,
        True,
    )
    # Eight characters of ten bits, and the silence.
    assert answered.time_ns - asked.time_ns > 8 * 10 * 1e9 / 115200 + 1_750_000
    texts = frame_texts(dut.recording.frames)
    assert "read holding registers" in texts[0]
    assert "1234" in texts[1]


def test_faults_of_the_line(dut: PicoDevice, master: ModbusMaster, tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text('[bench]\nname = "station"\n', encoding="utf-8")
    faults = Faults(Bench(read_bench(tmp_path), Dut("pico", "pico"), dut.program, dut))
    line = faults.line(0)
    master.write(1, 55)
    for make in (
        lambda: line.silence("to_device"),
        lambda: line.silence("from_device"),
        lambda: line.corrupted(bits=1, seed=4, direction="to_device"),
        lambda: line.corrupted(bits=3, seed=5, direction="from_device"),
        lambda: line.wrong_crc("to_device"),
        lambda: line.wrong_crc("from_device"),
        lambda: line.cut_off(direction="to_device"),
        lambda: line.cut_off(3, direction="from_device"),
        lambda: line.late("200ms", direction="to_device"),
    ):
        with make() as fault, pytest.raises(AssertionError, match="no answer"):
            master.read(1)
        dut.run_for(300_000_000)
        assert master.read(1) == [55], fault.span.text
    # Nothing wrong was ever written.
    with line.corrupted(bits=2, seed=9, direction="to_device"), pytest.raises(AssertionError):
        master.write(1, 56)
    assert master.read(1) == [55]
    with line.late("30ms"):
        assert master.read(1) == [55]
    with line.twice("10ms", direction="to_device"):
        assert master.read(1) == [55]
        dut.run_for(50_000_000)
    with line.silence(every=2):
        heard = 0
        for _ in range(4):
            heard += bool(master.exchange(bytes.fromhex("09 03 00 01 00 01 d4 82")))
        assert 0 < heard < 4
    assert [f.text for f in dut.recording.faults[:2]] == [
        "UART 0 is silent to the device",
        "UART 0 is silent from the device",
    ]
    assert all(f.end_ns is not None for f in dut.recording.faults)
