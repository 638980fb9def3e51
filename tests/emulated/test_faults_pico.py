"""Faults that only a board can have: the power goes while it writes its flash, its clocks jump."""

from __future__ import annotations

import pytest

from hil_tests.devices.pico import PicoDevice
from hil_tests.expect import expect
from hil_tests.faults import Faults
from tests.unit.bench_story import MS, opened

pytestmark = pytest.mark.emulated


@pytest.mark.slow
def test_flash_power_and_clocks() -> None:
    bench = opened("pico")
    signals, clock, faults = bench.signals, bench.clock, Faults(bench)
    device = bench.dut
    assert isinstance(device, PicoDevice)
    signals.level.drive(40.0)
    bench.begin()
    expect(signals.drive).near(40, tolerance=0.5, within="20ms")

    # A fault of the program is kept in the flash when its last task has ended.
    cut = faults.flash_cut("weak", seed=3)
    device.set_variable("main.divisor", 0)
    clock.until(signals.lamp.equals(None), timeout="1s")
    assert signals.drive.value is None
    clock.run("50ms")

    # The power is back; the counter of microseconds overflows when the program scans again.
    with faults.power_cut(overflow_in="1300ms"):
        cut.end()
    signals.button.set(True)
    expect(signals.drive).near(40, tolerance=0.5, within="1200ms")
    assert device.fault() is None
    before_ns, scans = clock.now, device.variable("main.scans")
    with faults.clock_step("1h"):
        expect(signals.lamp).blinks(period="240ms", tolerance="2ms", times=3)
    clock.run("300ms")
    assert clock.now > cut.span.end_ns + 1300 * MS  # type: ignore[operator]
    passed = (clock.now - before_ns) / (10 * MS)
    assert int(str(device.variable("main.scans"))) - int(str(scans)) == pytest.approx(
        passed, abs=1
    )
    assert device.fault() is None
