"""The RP2040's UART (ARM PL011) in virtual time: FIFOs, baud-rate timing and interrupts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

# Register offsets (RP2040 data sheet, table 422).
_DR = 0x00
_RSR = 0x04
_FR = 0x18
_ILPR = 0x20
_IBRD = 0x24
_FBRD = 0x28
_LCR_H = 0x2C
_CR = 0x30
_IFLS = 0x34
_IMSC = 0x38
_RIS = 0x3C
_MIS = 0x40
_ICR = 0x44
_DMACR = 0x48
_IDS = (0xFE0, b"\x11\x10\x34\x00\x0d\xf0\x05\xb1")

# UARTFR.
_FR_BUSY = 1 << 3
_FR_RXFE = 1 << 4
_FR_TXFF = 1 << 5
_FR_RXFF = 1 << 6
_FR_TXFE = 1 << 7
# UARTLCR_H.
_LCR_BRK = 1 << 0
_LCR_PEN = 1 << 1
_LCR_STP2 = 1 << 3
_LCR_FEN = 1 << 4
# UARTCR.
_CR_UARTEN = 1 << 0
_CR_TXE = 1 << 8
_CR_RXE = 1 << 9
_CR_RESET = _CR_TXE | _CR_RXE
# UARTRIS, UARTIMSC, UARTMIS, UARTICR.
_RX = 1 << 4
_TX = 1 << 5
_RT = 1 << 6
_FE = 1 << 7
_PE = 1 << 8
_BE = 1 << 9
_OE = 1 << 10
# UARTDR error bits.
_DR_FE = 1 << 8
_DR_PE = 1 << 9
_DR_BE = 1 << 10
_DR_OE = 1 << 11

_FIFO_DEPTH = 32
# Trigger levels by UARTIFLS field: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO.
_LEVELS = (4, 8, 16, 24, 28)
_IFLS_RESET = 0x12
# A receive timeout is raised after 32 bit periods without a new character.
_TIMEOUT_BITS = 32
# CLK_PERI_CTRL.AUXSRC (RP2040 data sheet, table 233) of the sources that do not follow clk_sys.
_AUXSRC_HZ = {2: 48_000_000, 4: 12_000_000}


class Uart:
    """The far end of a UART line: bytes in, bytes out, at the line's own pace.

    `sent` collects what the board transmitted; `on_byte(value, time_ns)` is called at the end of
    each character's stop bit.
    """

    def __init__(self, port: _Port) -> None:
        self._port = port
        self.sent = bytearray()
        self.on_byte: Callable[[int, int], None] | None = None

    @classmethod
    def attach(cls, mcu: RP2040, number: int, wake: Callable[[], None]) -> Uart:
        """Put this model in the place of the emulator's own UART `number` and return its line."""
        port = _make_port(mcu, number)
        uart = cls(port)

        def transmitted(value: int, time_ns: int) -> None:
            uart.sent.append(value)
            if uart.on_byte is not None:
                uart.on_byte(value, time_ns)
            wake()

        port.transmitted = transmitted
        mcu.uart[number] = port
        mcu.peripherals[0x40034 + 4 * number] = port
        return uart

    def take(self) -> bytes:
        """What the board has sent since the last call."""
        data = bytes(self.sent)
        self.sent.clear()
        return data

    def send(self, data: bytes, *, errors: int = 0) -> None:
        """Send characters to the board, back to back at its own baud rate.

        `errors` ORs UARTDR error bits (8 framing, 9 parity, 10 break) onto each character.
        """
        self._port.line_in.extend(value | (errors & 0x700) for value in data)
        self._port.start_reception()

    @property
    def baud(self) -> int:
        """The line's speed in bits per second, 0 while the board has not set one."""
        return self._port.baud

    @property
    def character_ns(self) -> int:
        """How long one character takes on the line, in nanoseconds; 0 without a baud rate."""
        return self._port.character_ns


class _Port:
    """The register model; grafted onto the emulator's peripheral class at attach time."""

    line_in: deque[int]
    transmitted: Callable[[int, int], None]
    baud: int
    character_ns: int

    def start_reception(self) -> None:
        raise NotImplementedError


def _make_port(mcu: RP2040, number: int) -> Any:
    from rp2040py.peripherals.uart import RPUART

    class Pl011(RPUART):
        """PL011 with both FIFOs, character timing, level and timeout interrupts."""

        def __init__(self, replaced: RPUART) -> None:
            super().__init__(replaced.rp2040, replaced.name, replaced.irq, replaced.dreq)
            clock = self.rp2040.clock
            self.line_in: deque[int] = deque()
            self.transmitted: Callable[[int, int], None] = lambda value, time_ns: None
            self._shifting: int | None = None
            self._receiving: int | None = None
            self._shift_alarm = clock.create_alarm(self._shifted)
            self._receive_alarm = clock.create_alarm(self._received)
            self._timeout_alarm = clock.create_alarm(self._timed_out)
            self._clear()

        def _clear(self) -> None:
            self._tx: deque[int] = deque()
            self._rx: deque[int] = deque()
            self._lcr = 0
            self._cr = _CR_RESET
            self._ifls = _IFLS_RESET
            self._dmacr = 0
            self._mask = 0
            self._status = 0
            self._overrun = False
            self._ibrd = 0
            self._fbrd = 0
            self.character_ns = 0
            self.baud = 0

        def reset(self) -> None:
            """Registers and FIFOs as after power-on; what is on the line outside stays."""
            if not hasattr(self, "_shift_alarm"):
                return
            self._clear()
            self._shifting = None
            self._receiving = None
            for alarm in (self._shift_alarm, self._receive_alarm, self._timeout_alarm):
                alarm.cancel()
            self.rp2040.set_interrupt(self.irq, False)

        # -- the line ---------------------------------------------------------------------

        def _set_timing(self) -> None:
            divisor = self._ibrd * 64 + self._fbrd
            if not divisor:
                self.baud = self.character_ns = 0
                return
            # Bit time = 16 * divisor / 64 clocks (data sheet 4.2.7.1).
            bits = 1 + (5 + (self._lcr >> 5 & 3)) + 1
            bits += bool(self._lcr & _LCR_PEN) + bool(self._lcr & _LCR_STP2)
            source = self.rp2040.clocks.peri_ctrl >> 5 & 7
            hertz = _AUXSRC_HZ.get(source, self.rp2040.clk_sys)
            self._bit_ns = divisor / 4 * 1e9 / hertz
            self.character_ns = round(bits * self._bit_ns)
            self.baud = round(1e9 / self._bit_ns)

        def _depth(self) -> int:
            return _FIFO_DEPTH if self._lcr & _LCR_FEN else 1

        def _on(self, direction: int) -> bool:
            wanted = _CR_UARTEN | direction
            return self._cr & wanted == wanted and self.character_ns > 0

        def _start_shifting(self) -> None:
            if self._shifting is None and self._tx and self._on(_CR_TXE):
                self._shifting = self._tx.popleft()
                self._shift_alarm.schedule(self.character_ns)
                self._tx_level_fell()

        def _shifted(self) -> None:
            value, self._shifting = self._shifting, None
            self._start_shifting()
            if value is not None:
                self.transmitted(value, int(self.rp2040.clock.nanos))

        def start_reception(self) -> None:
            if self._receiving is None and self.line_in and self._on(_CR_RXE):
                self._receiving = self.line_in.popleft()
                self._timeout_alarm.cancel()
                self._receive_alarm.schedule(self.character_ns)

        def _received(self) -> None:
            value, self._receiving = self._receiving, None
            if value is not None:
                if len(self._rx) >= self._depth():
                    self._overrun = True
                    self._status |= _OE
                else:
                    self._rx.append(value | (_DR_OE if self._overrun else 0))
                    self._overrun = False
                    self._status |= (value & 0x100) >> 1 | (value & 0x200) >> 1
                    self._status |= (value & 0x400) >> 1
                    if len(self._rx) >= self._rx_level():
                        self._status |= _RX
            self._timeout_alarm.schedule(_TIMEOUT_BITS * self._bit_ns)
            self.start_reception()
            self._update()

        def _timed_out(self) -> None:
            if self._rx:
                self._status |= _RT
                self._update()

        # -- interrupts -------------------------------------------------------------------

        def _rx_level(self) -> int:
            return _LEVELS[min(self._ifls >> 3 & 7, 4)] if self._lcr & _LCR_FEN else 1

        def _tx_level(self) -> int:
            return _LEVELS[min(self._ifls & 7, 4)] if self._lcr & _LCR_FEN else 0

        def _tx_level_fell(self) -> None:
            if len(self._tx) == self._tx_level() or not self._tx:
                self._status |= _TX
            self._update()

        def _update(self) -> None:
            self.rp2040.set_interrupt(self.irq, bool(self._status & self._mask))
            dma = self.rp2040.dma
            if self._dmacr & 2 and self._cr & _CR_UARTEN and len(self._tx) < self._depth():
                dma.set_dreq(self.dreq.tx)
            else:
                dma.clear_dreq(self.dreq.tx)
            if self._dmacr & 1 and self._rx:
                dma.set_dreq(self.dreq.rx)
            else:
                dma.clear_dreq(self.dreq.rx)

        # -- registers --------------------------------------------------------------------

        def _flags(self) -> int:
            busy = self._shifting is not None or bool(self._tx)
            return (
                (_FR_BUSY if busy else 0)
                | (0 if self._rx else _FR_RXFE)
                | (_FR_TXFF if len(self._tx) >= self._depth() else 0)
                | (_FR_RXFF if len(self._rx) >= self._depth() else 0)
                | (0 if self._tx else _FR_TXFE)
            )

        def _read_data(self) -> int:
            if not self._rx:
                return 0
            value = self._rx.popleft()
            if len(self._rx) < self._rx_level():
                self._status &= ~_RX
            if not self._rx:
                self._status &= ~_RT
                self._timeout_alarm.cancel()
            self._update()
            return value

        def read_uint32(self, offset: int) -> int:
            if offset == _DR:
                return self._read_data()
            if offset == _FR:
                return self._flags()
            registers = {
                _RSR: 0,
                _ILPR: 0,
                _IBRD: self._ibrd,
                _FBRD: self._fbrd,
                _LCR_H: self._lcr,
                _CR: self._cr,
                _IFLS: self._ifls,
                _IMSC: self._mask,
                _RIS: self._status,
                _MIS: self._status & self._mask,
                _ICR: 0,
                _DMACR: self._dmacr,
            }
            if offset in registers:
                return registers[offset]
            first, values = _IDS
            if first <= offset < first + 4 * len(values):
                return values[(offset - first) // 4]
            return super().read_uint32(offset)

        def write_uint32_atomic(self, offset: int, value: int, atomic_type: int) -> None:
            # Write-one-to-clear: the set alias is the plain write of the bits given.
            if offset == _ICR:
                self.write_uint32(offset, value)
            else:
                super().write_uint32_atomic(offset, value, atomic_type)

        def write_uint32(self, offset: int, value: int) -> None:
            if offset == _DR:
                if len(self._tx) < self._depth():
                    self._tx.append(value & 0xFF)
                    if len(self._tx) > self._tx_level():
                        self._status &= ~_TX
                self._start_shifting()
            elif offset == _IBRD:
                self._ibrd = value & 0xFFFF
            elif offset == _FBRD:
                self._fbrd = value & 0x3F
            elif offset == _LCR_H:
                self._lcr = value & 0xFF
            elif offset == _CR:
                self._cr = value & 0xFFFF
            elif offset == _IFLS:
                self._ifls = value & 0x3F
            elif offset == _IMSC:
                self._mask = value & 0x7FF
            elif offset == _ICR:
                self._status &= ~value
            elif offset == _DMACR:
                self._dmacr = value & 7
            elif offset not in (_RSR, _ILPR):
                super().write_uint32(offset, value)
            if offset in (_LCR_H, _CR):
                # The divisors take effect with a write of UARTLCR_H (data sheet 4.2.8).
                self._set_timing()
                self._start_shifting()
                self.start_reception()
            self._update()

    return Pl011(mcu.uart[number])
