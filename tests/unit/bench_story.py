"""What is done to a device of any kind to see that it behaves as every other kind."""

from __future__ import annotations

from pathlib import Path

from hil_tests.bench import Bench, open_bench
from hil_tests.bench_file import read_bench
from hil_tests.expect import expect
from hil_tests.recording import Value

MS = 1_000_000
FOLDER = Path(__file__).parent / "bench_project"
OUTPUTS = ("lamp", "valve", "drive")


def opened(kind: str) -> Bench:
    return open_bench(read_bench(FOLDER), kind)


def play(bench: Bench) -> None:
    """Some two seconds: digital and analogue signals, a variable, a fault of the program."""
    signals, clock = bench.signals, bench.clock
    signals.level.drive(40.0)
    bench.begin()
    clock.run("45ms")
    signals.button.set(True)
    expect(signals.lamp).rises(within="140ms", not_before="120ms")
    # A glitch shorter than the filter.
    signals.button.set(False)
    clock.run("15ms")
    signals.button.set(True)
    expect(signals.lamp).blinks(period="240ms", tolerance="5ms", times=2)
    signals.sensor.set(True)
    expect(signals.valve).stays(False, for_="55ms")
    bench.dut.set_variable("main.limit", 300)
    expect(signals.valve).rises(within="20ms")
    signals.sensor.set(None)  # an open wire, without a resistor
    expect(signals.valve).falls(within="20ms")
    expect(signals.drive).near(40, tolerance=0.5)
    signals.level.set(90.0)
    expect(signals.drive).near(90, tolerance=0.5, within="15ms")
    assert bench.dut.variable("main.level") in (899, 900, 901)
    assert bench.dut.fault() is None
    signals.sensor.set(True)
    clock.run("35ms")
    bench.dut.set_variable("main.divisor", 0)
    expect(signals.lamp).is_(False, within="20ms")
    expect(signals.valve).is_(True, within="20ms")
    clock.run("50ms")
    fault = bench.dut.fault()
    assert fault is not None
    assert (fault["task"], fault["file"]) == ("main", "main.st")


def cut_power(bench: Bench, boot: str) -> None:
    """The device forgets what has happened, its inputs are as they were."""
    signals, clock, dut = bench.signals, bench.clock, bench.dut
    cut_ns = clock.now
    dut.power_cut()
    assert [signals[name].value for name in OUTPUTS] == [None] * 3
    clock.run("100ms")
    signals.level.set(20.0)
    dut.power_on()
    expect(signals.drive).near(20, tolerance=0.5, within=boot)
    clock.run("50ms")
    assert dut.fault() is None
    assert dut.variable("main.limit") == 500
    assert clock.now >= cut_ns + 150 * MS


def edges(bench: Bench) -> list[tuple[str, Value, int]]:
    """What the outputs did: analogue values in whole percent, times in ms."""
    found = []
    for change in bench.dut.recording.changes:
        if change.signal in OUTPUTS:
            value = change.value
            if isinstance(value, float):
                value = round(value)
            found.append((change.signal, value, change.time_ns // MS))
    return found
