"""The emulated Pico: MicroPython's own RP2040 firmware, run in virtual time on this machine."""

from host_tools.pico.board import FLASH_BYTES, Edge, EmulatedPico
from host_tools.pico.repl import PicoError
from host_tools.pico.uart import Uart

__all__ = ["FLASH_BYTES", "Edge", "EmulatedPico", "PicoError", "Uart"]
