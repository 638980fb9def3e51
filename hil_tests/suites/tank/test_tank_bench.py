"""The pump pit on the bench: the same on every device."""

from __future__ import annotations

from typing import Any

from hil_tests.expect import expect


def test_a_high_level_starts_a_pump_once_the_selector_allows_it(signals: Any, clock: Any) -> None:
    signals.level.set(85)
    clock.run("1s")
    expect(signals.pump_1).is_(False)
    signals.selector.set(True)
    expect(signals.pump_1).rises(within="50ms", not_before="20ms")
    expect(signals.pump_2).rises(within="50ms", after=signals.selector.rises())
    signals.level.set(15)
    expect(signals.pump_1).falls(within="30ms", after=signals.level.falls_below(20))
    expect(signals.pump_2).stays(False, for_="2s")
