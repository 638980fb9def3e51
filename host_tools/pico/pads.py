"""What is at the pads: an output's own level is read back, as on the chip (data sheet, 2.19.4).

The emulator's input register knows only what comes from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

_GPIO_IN = 0x004
_FUNCTION_MASK = 0x1F
_FUNCTION_NONE = 0x1F


def level_at(gpio: Any) -> int:
    """What the chip reads at a pin."""
    if gpio.ctrl & _FUNCTION_MASK != _FUNCTION_NONE and gpio.output_enable and gpio.input_enable:
        return int(gpio.output_value)
    return int(gpio.input_value)


def read_outputs_back(mcu: RP2040) -> None:
    """Let the register GPIO_IN show the levels of outputs."""
    sio = mcu.sio
    read = sio.read_uint32
    pins = list(enumerate(mcu.gpio))

    def read_uint32(offset: int) -> Any:
        if offset != _GPIO_IN:
            return read(offset)
        value = mcu.gpio_values
        for number, gpio in pins:
            if gpio.ctrl & _FUNCTION_MASK != _FUNCTION_NONE and gpio.output_enable:
                value = value & ~(1 << number) | level_at(gpio) << number
        return value

    setattr(sio, "read_uint32", read_uint32)  # noqa: B010
