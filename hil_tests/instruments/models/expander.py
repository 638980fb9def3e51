"""I/O expanders on I2C: PCF8574 (TI SCPS068) and MCP23017 (Microchip DS20001952)."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.pico import EmulatedPico

Level = bool | None
Watcher = Callable[[int, bool], None]
"""(pin, level): what is at a pin has changed."""


class Pcf8574:
    """Eight quasi-bidirectional pins: a latch of 1 pulls a pin up weakly and lets the outside pull
    it down, a latch of 0 drives it low (section 8.3). The interrupt is low from a change of a pin
    until the next read or write, or until the pin is back (8.4)."""

    pins = 8

    def __init__(self) -> None:
        self._latch = 0xFF
        self._outside: dict[int, Level] = {}
        self._read_as = 0xFF
        self._watchers: list[Watcher] = []
        self._interrupt: Callable[[bool], None] = lambda low: None

    def attach(
        self,
        pico: EmulatedPico,
        bus: int = 0,
        address: int = 0x20,
        interrupt: int | None = None,
    ) -> None:
        """On a bus of a board, the interrupt (open drain) at one of its pins."""
        pico.i2c(bus).attach(address, self)
        if interrupt is not None:
            pin = interrupt
            self._interrupt = lambda low: pico.drive(pin, False if low else None)

    # -- what is wired to the pins --

    def set(self, pin: int, level: Level) -> None:
        """Drive a pin from outside; None lets go of it."""
        self._change(lambda: self._outside.__setitem__(pin, level))

    def level(self, pin: int) -> bool:
        """What is at a pin."""
        return bool(self._port() >> pin & 1)

    def watch(self, callback: Watcher) -> None:
        """Call at each change of a pin."""
        self._watchers.append(callback)

    # -- the bus --

    def start(self, read: bool) -> bool:
        return True

    def write(self, value: int) -> bool:
        def latch() -> None:
            self._latch = value

        self._change(latch)
        self._acknowledge()
        return True

    def read(self) -> int:
        value = self._port()
        self._acknowledge()
        return value

    def stop(self) -> None: ...

    def _acknowledge(self) -> None:
        self._read_as = self._port()
        self._interrupt(False)

    def _port(self) -> int:
        low = sum(1 << pin for pin, level in self._outside.items() if level is False)
        return self._latch & ~low

    def _change(self, change: Callable[[], object]) -> None:
        before = self._port()
        change()
        after = self._port()
        for pin in range(self.pins):
            if (before ^ after) >> pin & 1:
                for watcher in self._watchers:
                    watcher(pin, bool(after >> pin & 1))
        self._interrupt(after != self._read_as)


# Registers of one port, in the order of IOCON.BANK = 0 (DS20001952, table 3-5).
_IODIR, _IPOL, _GPINTEN, _DEFVAL, _INTCON, _IOCON, _GPPU, _INTF, _INTCAP, _GPIO, _OLAT = range(11)
_REGISTERS = 11
# IOCON (register 3-6).
_BANK, _MIRROR, _SEQOP, _ODR, _INTPOL = 0x80, 0x40, 0x20, 0x04, 0x02


class Mcp23017:
    """Two ports of eight pins; pins 0 to 7 are GPA, 8 to 15 GPB. An open input floats low, with
    its pull-up high."""

    pins = 16

    def __init__(self) -> None:
        self._outside: dict[int, Level] = {}
        self._watchers: list[Watcher] = []
        self._interrupts: list[Callable[[Level], None]] = [lambda level: None] * 2
        self.reset()

    def reset(self) -> None:
        """As after power-on or with RESET low (table 3-3)."""
        self._ports = [[0] * _REGISTERS for _ in (0, 1)]
        for port in self._ports:
            port[_IODIR] = 0xFF
        self._pointer = 0
        self._expects_pointer = False
        self._before = [self._pins(0), self._pins(1)]
        self._tell()

    def attach(
        self,
        pico: EmulatedPico,
        bus: int = 0,
        address: int = 0x20,
        interrupt_a: int | None = None,
        interrupt_b: int | None = None,
    ) -> None:
        """On a bus of a board, its interrupt outputs at pins of that."""
        pico.i2c(bus).attach(address, self)
        for port, pin in enumerate((interrupt_a, interrupt_b)):
            if pin is not None:
                self._interrupts[port] = _driver(pico, pin)
        self._tell()

    # -- what is wired to the pins --

    def set(self, pin: int, level: Level) -> None:
        """Drive an input from outside; None lets go of it."""
        self._outside[pin] = level
        self._update()

    def level(self, pin: int) -> bool:
        """What is at a pin."""
        return bool(self._pins(pin >> 3) >> (pin & 7) & 1)

    def watch(self, callback: Watcher) -> None:
        """Call at each change of a pin."""
        self._watchers.append(callback)

    # -- the bus: a pointer, then data (section 3.2) --

    def start(self, read: bool) -> bool:
        self._expects_pointer = not read
        return True

    def write(self, value: int) -> bool:
        if self._expects_pointer:
            self._pointer = value
            self._expects_pointer = False
            return True
        port, register = self._addressed()
        self._advance()
        if register is not None:
            self._write_register(port, register, value)
        return True

    def read(self) -> int:
        port, register = self._addressed()
        self._advance()
        return 0 if register is None else self._read_register(port, register)

    def stop(self) -> None: ...

    @property
    def _iocon(self) -> int:
        return self._ports[0][_IOCON]

    def _addressed(self) -> tuple[int, int | None]:
        if self._iocon & _BANK:
            port, register = self._pointer >> 4 & 1, self._pointer & 0x0F
            known = register < _REGISTERS and self._pointer < 0x20
        else:
            port, register = self._pointer & 1, self._pointer >> 1
            known = register < _REGISTERS
        return port, register if known else None

    def _advance(self) -> None:
        """The pointer goes on, with SEQOP only from one port to the other (section 3.2.1)."""
        if not self._iocon & _SEQOP:
            last = 0x1A if self._iocon & _BANK else 0x15
            self._pointer = 0 if self._pointer >= last else self._pointer + 1
        elif not self._iocon & _BANK:
            self._pointer ^= 1

    def _write_register(self, port: int, register: int, value: int) -> None:
        registers = self._ports[port]
        if register == _IOCON:
            for each in self._ports:
                each[_IOCON] = value & 0xFE
        elif register in (_GPIO, _OLAT):
            registers[_OLAT] = value
        elif register not in (_INTF, _INTCAP):
            registers[register] = value
        self._update()

    def _read_register(self, port: int, register: int) -> int:
        registers = self._ports[port]
        if register == _GPIO:
            value = self._pins(port) ^ registers[_IPOL] & registers[_IODIR]
        else:
            value = registers[register]
        if register in (_GPIO, _INTCAP):
            registers[_INTF] = 0
            self._update()
        return value

    # -- pins and interrupts --

    def _pins(self, port: int) -> int:
        registers = self._ports[port]
        value = registers[_OLAT] & ~registers[_IODIR]
        for bit in range(8):
            if registers[_IODIR] >> bit & 1:
                outside = self._outside.get(8 * port + bit)
                high = registers[_GPPU] >> bit & 1 if outside is None else outside
                value |= bool(high) << bit
        return value

    def _update(self) -> None:
        """Look at the pins anew: section 3.6, interrupt logic."""
        for port, registers in enumerate(self._ports):
            before, now = self._before[port], self._pins(port)
            self._before[port] = now
            enabled = registers[_GPINTEN] & registers[_IODIR]
            against = before & ~registers[_INTCON] | registers[_DEFVAL] & registers[_INTCON]
            fired = (now ^ against) & enabled
            if fired and not registers[_INTF]:
                registers[_INTF] = fired
                registers[_INTCAP] = now
            for bit in range(8):
                if (before ^ now) >> bit & 1:
                    for watcher in self._watchers:
                        watcher(8 * port + bit, bool(now >> bit & 1))
        self._tell()

    def _tell(self) -> None:
        active = [bool(registers[_INTF]) for registers in self._ports]
        if self._iocon & _MIRROR:
            active = [any(active)] * 2
        for interrupt, on in zip(self._interrupts, active, strict=True):
            if self._iocon & _ODR:
                interrupt(False if on else None)
            else:
                interrupt(on is bool(self._iocon & _INTPOL))


def _driver(pico: EmulatedPico, pin: int) -> Callable[[Level], None]:
    return lambda level: pico.drive(pin, level)
