"""The far end of an SPI bus of the emulated Pico: devices with chip selects, bytes at its pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040


class SpiDevice(Protocol):
    """A device with an active-low chip select."""

    def select(self) -> None: ...

    def transfer(self, value: int) -> int:
        """A byte from the controller; the byte that went the other way meanwhile."""
        ...

    def deselect(self) -> None: ...


class SpiBus:
    """`selected` are the devices whose chip select is low; `silent` is a broken line from them."""

    def __init__(self, mcu: RP2040, number: int) -> None:
        self.selected: list[SpiDevice] = []
        self.silent = False
        self._controller: Any = mcu.spi[number]
        self._alarm = mcu.clock.create_alarm(self._passed)
        self._value = 0
        self._controller.on_transmit = self._transmit

    def chip_select(self, device: SpiDevice, low: bool) -> None:
        """The level at a device's chip select has changed, or is told for the first time."""
        if low and device not in self.selected:
            self.selected.append(device)
            device.select()
        elif not low and device in self.selected:
            self.selected.remove(device)
            device.deselect()

    def _transmit(self, value: int) -> None:
        self._value = value
        hertz = self._controller.clock_frequency or 1e6
        self._alarm.schedule(self._controller.data_bits * 1e9 / hertz)

    def _passed(self) -> None:
        # The line back is pulled up.
        answer = 0xFF
        for device in self.selected:
            answer &= device.transfer(self._value & 0xFF)
        self._controller.complete_transmit(0xFF if self.silent else answer)
