"""The far end of an I2C bus of the emulated Pico: devices at addresses, bytes at its pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from host_tools.pico.errors import PicoError

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

_BITS = 9  # eight and the acknowledge


class I2cDevice(Protocol):
    """A target on the bus (NXP UM10204)."""

    def start(self, read: bool) -> bool:
        """Addressed after a start or a repeated start; whether it acknowledges."""
        ...

    def write(self, value: int) -> bool:
        """A byte from the controller; whether it acknowledges."""
        ...

    def read(self) -> int:
        """A byte for the controller."""
        ...

    def stop(self) -> None: ...


class I2cBus:
    """`devices` by their 7-bit addresses; may be changed at any time. `silent` is a bus without
    devices, as with a broken wire."""

    def __init__(self, mcu: RP2040, number: int) -> None:
        self.devices: dict[int, I2cDevice] = {}
        self.silent = False
        self._mcu = mcu
        self._controller: Any = mcu.i2c[number]
        self._active: list[I2cDevice] = []
        self._alarm = mcu.clock.create_alarm(self._passed)
        self._then: Callable[[], None] = lambda: None
        self._controller.on_start = self._start
        self._controller.on_connect = self._connect
        self._controller.on_write_byte = self._write
        self._controller.on_read_byte = self._read
        self._controller.on_stop = self._stop

    def attach(self, address: int, device: I2cDevice) -> None:
        """Put a device on the bus. Raises PicoError when the address is taken or is none."""
        if not 0x08 <= address <= 0x77:
            raise PicoError(f"0x{address:02x} is no address for a device: use 0x08 to 0x77")
        if address in self.devices:
            raise PicoError(f"there is a device at 0x{address:02x} of this bus already")
        self.devices[address] = device

    @property
    def hertz(self) -> float:
        """The clock of the bus."""
        cycles: int = self._controller.scl_high_period + self._controller.scl_low_period
        return self._mcu.clk_sys / max(1, cycles)

    def _after(self, bits: int, then: Callable[[], None]) -> None:
        self._then = then
        self._alarm.schedule(bits * 1e9 / self.hertz)

    def _passed(self) -> None:
        self._then()

    def _start(self, _repeated: bool) -> None:
        self._after(1, self._controller.complete_start)

    def _connect(self, address: int, mode: int) -> None:
        def addressed() -> None:
            device = None if self.silent else self.devices.get(address)
            self._active = [device] if device is not None else []
            acknowledged = device is not None and device.start(mode == 1)
            self._controller.complete_connect(acknowledged)

        self._after(_BITS, addressed)

    def _write(self, value: int) -> None:
        def written() -> None:
            acknowledged = not self.silent and all(d.write(value) for d in self._active)
            self._controller.complete_write(acknowledged)

        self._after(_BITS, written)

    def _read(self, _acknowledge: bool) -> None:
        def got() -> None:
            value = 0xFF
            for device in self._active:
                value &= device.read()
            self._controller.complete_read(0xFF if self.silent else value & 0xFF)

        self._after(_BITS, got)

    def _stop(self) -> None:
        for device in self._active:
            device.stop()
        self._active = []
        self._controller.complete_stop()
