"""The emulated Pico: MicroPython's own RP2040 firmware, run in virtual time on this machine."""

from host_tools.pico.board import Edge, EmulatedPico
from host_tools.pico.console import Pace, SerialConsole, Terminal
from host_tools.pico.errors import PicoError
from host_tools.pico.flash import FLASH_BYTES
from host_tools.pico.uart import Uart

__all__ = [
    "FLASH_BYTES",
    "Edge",
    "EmulatedPico",
    "Pace",
    "PicoError",
    "SerialConsole",
    "Terminal",
    "Uart",
]
