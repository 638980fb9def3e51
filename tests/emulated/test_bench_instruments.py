"""Models of bus devices as instruments of bench.toml: their channels are signals."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil_tests.bench import Bench, open_bench
from hil_tests.bench_file import read_bench
from hil_tests.instruments.models.can_bus import CanFrame
from host_tools.failure import Failure
from tests.unit.bench_story import FOLDER

pytestmark = pytest.mark.emulated

BENCH = """\
[bench]
name = "buses"
project = {project!r}
[instrument]
expander = {{ kind = "pcf8574", address = 0x21 }}
ports = {{ kind = "mcp23017", interrupt_a = "GP6" }}
adc = {{ kind = "ads1115", address = 0x49 }}
converter = {{ kind = "mcp3208", bus = 1, chip_select = "GP13" }}
sensor = {{ kind = "lm75" }}
can = {{ kind = "mcp2515", chip_select = "GP14" }}
[instrument.meter]
kind = "modbus-slave"
unit = 5
coils = 2
[instrument.meter.quantities]
flow = {{ table = "inputs", address = 10, scale = 0.1 }}
setpoint = {{ table = "holding", address = 0, scale = 0.5, words = 2 }}
[signal]
lamp = {{ to = "%QX0.0" }}
flap = {{ to = "expander.P3", direction = "out" }}
limit = {{ to = "expander.P7", direction = "in", invert = true }}
door = {{ to = "ports.GPB1", direction = "in" }}
air = {{ to = "sensor.temperature", direction = "in", range = [0, 1], volts = [0, 1] }}
hot = {{ to = "sensor.overtemperature", direction = "out" }}
flow = {{ to = "meter.flow", direction = "in", range = [0, 1], volts = [0, 1] }}
setpoint = {{ to = "meter.setpoint", direction = "out", range = [0, 1], volts = [0, 1] }}
relay = {{ to = "meter.coil1", direction = "out" }}
[signal.pressure]
to = "adc.AIN1"
direction = "in"
unit = "bar"
range = [0, 10]
volts = [0, 2.5]
[signal.current]
to = "converter.CH2"
direction = "in"
unit = "mA"
range = [4, 20]
volts = [0.6, 3]
"""


def opened(folder: Path, kind: str, text: str = BENCH) -> Bench:
    file = folder / "bench.toml"
    file.write_text(text.format(project=str(FOLDER)), encoding="utf-8")
    return open_bench(read_bench(file), kind)


def test_channels_of_models_are_signals(tmp_path: Path, pico_uf2: Path) -> None:
    bench = opened(tmp_path, "pico")
    signals = bench.signals
    model = {name: instrument.model for name, instrument in bench.instruments.items()}  # type: ignore[attr-defined]
    assert signals.flap.value is True
    model["expander"].write(0xF7)
    assert signals.flap.value is False
    signals.limit.set(True)
    assert model["expander"].read() == 0x77
    signals.limit.set(None)
    assert model["expander"].read() == 0xF7
    signals.door.set(True)
    assert model["ports"].level(9)
    signals.pressure.set(4.0)
    assert model["adc"].volts[1] == pytest.approx(1.0)
    signals.current.set(12.0)
    assert model["converter"].volts[2] == pytest.approx(1.8)
    signals.flow.set(-12.3)
    assert model["meter"].registers.inputs[10] == 0x10000 - 123
    assert model["meter"]._serve(16, bytes([0, 0, 0, 2, 4, 0, 0, 0, 9])) == b"\x10\0\0\0\2"
    assert signals.setpoint.value == 4.5
    model["meter"]._serve(5, b"\0\1\xff\0")
    assert signals.relay.value is True
    can = bench.instruments["can"]
    can.station.send(CanFrame(1))  # type: ignore[attr-defined]
    bench.begin()
    assert signals.hot.value is False
    signals.air.set(90.0)
    bench.clock.run("120ms")
    # The sensor converts in the board's time; alone on its bus the station is not acknowledged.
    assert signals.hot.value is True
    at_ns = bench.dut.recording.of("hot")[-1].time_ns
    assert 0 < at_ns <= 120_000_000
    assert can.station.failures > 10  # type: ignore[attr-defined]
    bench.close()


def test_a_device_without_the_bus_has_no_such_signals(tmp_path: Path) -> None:
    bench = opened(tmp_path, "host")
    assert list(bench.instruments) == []
    with pytest.raises(Failure, match="the instrument 'expander' needs i2c, which device 'host'"):
        bench.signals["flap"]
    bench.close()


def test_a_direction_that_cannot_be_is_refused(tmp_path: Path, pico_uf2: Path) -> None:
    text = BENCH.replace("sensor.overtemperature", "sensor.temperature")
    with pytest.raises(Failure, match="'temperature' gives nothing"):
        opened(tmp_path, "pico", text)
    text = BENCH.replace("address = 0x21", "address = 0x20")
    with pytest.raises(Failure, match="there is a device at 0x20 of this bus already"):
        opened(tmp_path, "pico", text)
    text = BENCH.replace('chip_select = "GP13"', 'chip_select = "GP31"')
    with pytest.raises(Failure, match="an RP2040 has GP0 to GP29, not GP31"):
        opened(tmp_path, "pico", text)
    text = BENCH.replace('table = "inputs", address', 'table = "input", address')
    with pytest.raises(Failure, match="'flow' is in no table 'input'"):
        opened(tmp_path, "pico", text)
