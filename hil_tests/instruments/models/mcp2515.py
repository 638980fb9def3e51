"""The CAN controller MCP2515 on SPI (Microchip DS20001801), register by register."""

from __future__ import annotations

from collections.abc import Callable

from hil_tests.instruments.models.can_bus import CanBus, CanFrame
from host_tools.pico import EmulatedPico

# Registers (table 11-1).
_BFPCTRL, _TXRTSCTRL, _CANSTAT, _CANCTRL = 0x0C, 0x0D, 0x0E, 0x0F
_TEC, _REC = 0x1C, 0x1D
_CNF3, _CNF2, _CNF1, _CANINTE, _CANINTF, _EFLG = 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D
_TX = (0x30, 0x40, 0x50)
_RX = (0x60, 0x70)
_FILTERS = (0x00, 0x04, 0x08, 0x10, 0x14, 0x18)
_MASKS = (0x20, 0x24)
# Those that BIT MODIFY may change bit by bit (the shaded ones of table 11-1).
_BIT_MODIFY = {_BFPCTRL, _TXRTSCTRL, _CANCTRL, _CNF3, _CNF2, _CNF1, _CANINTE, _CANINTF, _EFLG}
_BIT_MODIFY |= {*_TX, *_RX}
# CANCTRL (register 10-1).
_ABAT, _OSM = 0x10, 0x08
NORMAL, SLEEP, LOOPBACK, LISTEN_ONLY, CONFIGURATION = range(5)
# TXBnCTRL (register 3-1).
_ABTF, _MLOA, _TXERR, _TXREQ = 0x40, 0x20, 0x10, 0x08
# RXBnCTRL (registers 4-1 and 4-2).
_RXRTR, _BUKT, _BUKT1 = 0x08, 0x04, 0x02
# CANINTF (register 7-2).
_MERR, _ERR = 0x80, 0x20
_TX0IF, _RX0IF = 0x04, 0x01
# EFLG (register 6-3).
_RX1OVR, _RX0OVR, _TXBO, _TXEP, _RXEP, _TXWAR, _RXWAR, _EWARN = (1 << n for n in range(7, -1, -1))
# Identifier bytes.
_EXIDE, _SRR, _RTR = 0x08, 0x10, 0x40

_WARNING, _PASSIVE, _BUS_OFF = 96, 128, 256
# Recovery from bus-off: 128 times eleven recessive bits (section 6.6).
_RECOVERY_BITS = 128 * 11


class Mcp2515:
    """One controller with its transceiver on `bus`; `crystal_hz` is its oscillator."""

    def __init__(self, bus: CanBus, crystal_hz: int = 16_000_000) -> None:
        self.crystal_hz = crystal_hz
        self._bus = bus
        self._interrupt: Callable[[bool | None], None] = lambda level: None
        self._handler: Callable[[int], int] = lambda value: 0xFF
        self._selected = False
        self._clear: int = 0
        self.reset()
        bus.join(self)

    def attach(
        self, pico: EmulatedPico, bus: int = 0, chip_select: int = 17, interrupt: int | None = None
    ) -> None:
        """On an SPI bus of a board, INT (low active) at a pin of it."""
        pico.attach_spi(bus, self, chip_select)
        if interrupt is not None:
            pin = interrupt
            self._interrupt = lambda level: pico.drive(pin, level)
        self._show()

    def reset(self) -> None:
        """As after power-on or RESET: configuration mode (section 9.0, register 10-1)."""
        self._registers = bytearray(0x80)
        self._registers[_CANCTRL] = 0x87
        self._registers[_CANSTAT] = CONFIGURATION << 5
        self._tec = self._rec = 0
        self._sending: int | None = None
        self._off = False
        self._show()

    # -- what it is ------------------------------------------------------------------------

    @property
    def mode(self) -> int:
        """NORMAL, SLEEP, LOOPBACK, LISTEN_ONLY or CONFIGURATION."""
        return self._registers[_CANSTAT] >> 5

    @property
    def bit_rate(self) -> float:
        """In bit/s, from CNF1 to CNF3 (section 5.0)."""
        cnf1, cnf2, cnf3 = (self._registers[r] for r in (_CNF1, _CNF2, _CNF3))
        phase1, propagation = (cnf2 >> 3 & 7) + 1, (cnf2 & 7) + 1
        phase2 = (cnf3 & 7) + 1 if cnf2 & 0x80 else max(phase1, 2)
        quanta = 1 + propagation + phase1 + phase2
        return self.crystal_hz / (2 * ((cnf1 & 0x3F) + 1)) / quanta

    @property
    def error_counters(self) -> tuple[int, int]:
        """Transmit and receive error counter."""
        return self._tec, self._rec

    @property
    def bus_off(self) -> bool:
        """Whether it has left the bus after too many errors."""
        return self._off

    # -- the CAN side ----------------------------------------------------------------------

    @property
    def bit_ns(self) -> float:
        on = self.mode in (NORMAL, LISTEN_ONLY) and not self._off
        return 1e9 / self.bit_rate if on else 0.0

    @property
    def acknowledges(self) -> bool:
        return self.mode == NORMAL

    def pending(self) -> CanFrame | None:
        number = self._next_buffer()
        if number is None or self.mode != NORMAL:
            return None
        return self._frame_in(_TX[number])

    def _next_buffer(self) -> int | None:
        """The highest TXP, then the highest number (section 3.3)."""
        wanting = [n for n in range(3) if self._registers[_TX[n]] & _TXREQ]
        if not wanting:
            return None
        return max(wanting, key=lambda n: (self._registers[_TX[n]] & 3, n))

    def sent(self, frame: CanFrame) -> None:
        number = self._next_buffer()
        if number is not None:
            self._registers[_TX[number]] &= ~(_TXREQ | _TXERR | _MLOA)
            self._raise(_TX0IF << number)
        self._tec = max(0, self._tec - 1)
        self._count()

    def lost_arbitration(self, frame: CanFrame) -> None:
        self._give_up(_MLOA)

    def failed(self, transmitting: bool, acknowledge: bool) -> None:
        """Section 6.0: fault confinement."""
        if transmitting:
            # Error-passive, it does not count a missing acknowledge (ISO 11898-1, 12.1.4).
            if not (acknowledge and self._tec >= _PASSIVE):
                self._tec += 8
            self._give_up(_TXERR)
        else:
            self._rec = min(255, self._rec + 1)
        self._raise(_MERR)
        if self._tec >= _BUS_OFF and not self._off:
            self._off = True
            wait_ns = _RECOVERY_BITS * 1e9 / self.bit_rate
            self._bus.schedule(wait_ns, self._recover)
        self._count()

    def _give_up(self, reason: int) -> None:
        number = self._next_buffer()
        if number is None:
            return
        self._registers[_TX[number]] |= reason
        if self._registers[_CANCTRL] & _OSM:
            self._registers[_TX[number]] &= ~_TXREQ

    def _recover(self) -> None:
        if self._off:
            self._off = False
            self._tec = self._rec = 0
            self._count()
            self._bus.kick()

    def _count(self) -> None:
        flags = self._registers[_EFLG] & (_RX0OVR | _RX1OVR)
        flags |= _TXBO if self._off else 0
        flags |= _TXEP if self._tec >= _PASSIVE else 0
        flags |= _RXEP if self._rec >= _PASSIVE else 0
        flags |= _TXWAR if self._tec >= _WARNING else 0
        flags |= _RXWAR if self._rec >= _WARNING else 0
        flags |= _EWARN if flags & (_TXWAR | _RXWAR) else 0
        if flags & ~self._registers[_EFLG]:
            self._raise(_ERR)
        self._registers[_EFLG] = flags

    def received(self, frame: CanFrame) -> None:
        if self.mode == NORMAL and self._rec:
            # From error-passive it comes back at once (ISO 11898-1, 12.1.4.2 h).
            self._rec = 119 if self._rec >= _PASSIVE else self._rec - 1
            self._count()
        self._accept(frame)

    def _accept(self, frame: CanFrame) -> None:
        """Section 4.2: buffer 0 with filters 0 and 1, then buffer 1 with 2 to 5."""
        hit = self._matching(frame, 0)
        if hit is not None:
            if not self._registers[_CANINTF] & _RX0IF:
                self._store(0, frame, hit)
                return
            if not self._registers[_RX[0]] & _BUKT:
                self._overflow(0)
                return
            if self._registers[_CANINTF] & _RX0IF << 1:
                self._overflow(1)
                return
            self._store(1, frame, hit)
            return
        hit = self._matching(frame, 1)
        if hit is None:
            return
        if self._registers[_CANINTF] & _RX0IF << 1:
            self._overflow(1)
        else:
            self._store(1, frame, hit)

    def _matching(self, frame: CanFrame, buffer: int) -> int | None:
        """The number of the filter that lets a frame into a buffer (section 4.5)."""
        if self._registers[_RX[buffer]] & 0x60 == 0x60:
            return 0 if buffer == 0 else 2
        standard, extension = self._fields(frame)
        mask_standard, mask_extension, _ = self._identifier(_MASKS[buffer])
        for number in (0, 1) if buffer == 0 else (2, 3, 4, 5):
            wanted_standard, wanted_extension, extended = self._identifier(_FILTERS[number])
            if (
                extended == frame.extended
                and not (standard ^ wanted_standard) & mask_standard
                and not (extension ^ wanted_extension) & mask_extension
            ):
                return number
        return None

    @staticmethod
    def _fields(frame: CanFrame) -> tuple[int, int]:
        """What is compared: of a standard frame the first two data bytes are the extension."""
        if frame.extended:
            return frame.identifier >> 18, frame.identifier & 0x3FFFF
        return frame.identifier, int.from_bytes(frame.data[:2].ljust(2, b"\0"), "big")

    def _identifier(self, address: int) -> tuple[int, int, bool]:
        high, low, ext_high, ext_low = self._registers[address : address + 4]
        extension = (low & 3) << 16 | ext_high << 8 | ext_low
        return high << 3 | low >> 5, extension, bool(low & _EXIDE)

    def _store(self, buffer: int, frame: CanFrame, hit: int) -> None:
        address = _RX[buffer]
        control = self._registers[address] & ~(_RXRTR | (0x01 if buffer == 0 else 0x07))
        if buffer == 0 or hit < 2:
            control |= hit & 1
        else:
            control |= hit
        if frame.remote:
            control |= _RXRTR
        if buffer == 0:
            # A read-only copy of BUKT.
            control = control & ~_BUKT1 | (_BUKT1 if control & _BUKT else 0)
        self._registers[address] = control
        self._registers[address + 1 : address + 6] = _head(frame, received=True)
        self._registers[address + 6 : address + 6 + len(frame.data)] = frame.data
        self._raise(_RX0IF << buffer)

    def _overflow(self, buffer: int) -> None:
        self._registers[_EFLG] |= _RX0OVR if buffer == 0 else _RX1OVR
        self._raise(_ERR)

    def _frame_in(self, address: int) -> CanFrame:
        standard, extension, extended = self._identifier(address + 1)
        dlc = self._registers[address + 5]
        length = min(8, dlc & 0x0F)
        remote = bool(dlc & _RTR)
        data = b"" if remote else bytes(self._registers[address + 6 : address + 6 + length])
        identifier = standard << 18 | extension if extended else standard
        return CanFrame(identifier, data, extended, remote, length if remote else None)

    # -- registers -------------------------------------------------------------------------

    def _raise(self, flags: int) -> None:
        self._registers[_CANINTF] |= flags
        self._show()

    def _show(self) -> None:
        active = self._registers[_CANINTF] & self._registers[_CANINTE]
        self._interrupt(not active)

    def _read_register(self, address: int) -> int:
        if address & 0x0F == 0x0E:
            return self._status()
        if address & 0x0F == 0x0F:
            return self._registers[_CANCTRL]
        if address == _TEC:
            return min(255, self._tec)
        if address == _REC:
            return self._rec
        return self._registers[address]

    def _status(self) -> int:
        """CANSTAT with the interrupt code (register 10-2)."""
        active = self._registers[_CANINTF] & self._registers[_CANINTE]
        # In the order of priority: error, wake-up, TXB0 to TXB2, RXB0, RXB1.
        for code, flag in enumerate((_ERR, 0x40, 0x04, 0x08, 0x10, 0x01, 0x02), 1):
            if active & flag:
                return self._registers[_CANSTAT] & 0xE0 | code << 1
        return self._registers[_CANSTAT] & 0xE0

    def _write_register(self, address: int, value: int, mask: int = 0xFF) -> None:
        if address & 0x0F == 0x0F:
            address = _CANCTRL
        if address & 0x0F == 0x0E or address in (_TEC, _REC):
            return
        if mask != 0xFF and address not in _BIT_MODIFY:
            mask = 0xFF
        only_in_configuration = (
            address < 0x0C
            or 0x10 <= address < 0x1C
            or 0x20 <= address <= _CNF1
            or address == _TXRTSCTRL
        )
        if only_in_configuration and self.mode != CONFIGURATION:
            return
        writable = {_EFLG: 0xC0, _TX[0]: 0x0B, _TX[1]: 0x0B, _TX[2]: 0x0B}
        writable |= {_RX[0]: 0x64, _RX[1]: 0x60}
        mask &= writable.get(address, 0xFF)
        # What was received cannot be written.
        if _RX[0] < address < _RX[0] + 0x0E or _RX[1] < address < _RX[1] + 0x0E:
            return
        before = self._registers[address]
        self._registers[address] = before & ~mask | value & mask
        if address == _CANCTRL:
            self._control()
        elif address in _TX:
            self._request(_TX.index(address), before)
        self._show()

    def _request(self, number: int, before: int) -> None:
        address = _TX[number]
        if self._registers[address] & _TXREQ and not before & _TXREQ:
            self._registers[address] &= ~(_ABTF | _MLOA | _TXERR)
            self._transmit()
        elif before & _TXREQ and not self._registers[address] & _TXREQ:
            self._registers[address] |= _ABTF

    def _control(self) -> None:
        control = self._registers[_CANCTRL]
        mode = control >> 5
        if mode <= CONFIGURATION:
            self._registers[_CANSTAT] = mode << 5
            if mode == CONFIGURATION:
                self._tec = self._rec = 0
                self._off = False
                self._count()
        if control & _ABAT:
            for address in _TX:
                if self._registers[address] & _TXREQ:
                    self._registers[address] = self._registers[address] & ~_TXREQ | _ABTF
        else:
            self._transmit()

    def _transmit(self) -> None:
        if self.mode == NORMAL:
            self._bus.kick()
        while self.mode == LOOPBACK and (number := self._next_buffer()) is not None:
            frame = self._frame_in(_TX[number])
            self.sent(frame)
            self._accept(frame)

    # -- SPI instructions (table 12-1) -----------------------------------------------------

    def select(self) -> None:
        self._handler = self._instruction
        self._clear = 0

    def deselect(self) -> None:
        if self._clear:
            # READ RX BUFFER clears the flag at its end (section 12.4).
            self._registers[_CANINTF] &= ~self._clear
            self._clear = 0
            self._show()

    def transfer(self, value: int) -> int:
        return self._handler(value)

    def _instruction(self, value: int) -> int:
        if value == 0xC0:
            self.reset()
        elif value == 0x03:
            self._handler = lambda address: self._then(self._reading(address))
        elif value == 0x02:
            self._handler = lambda address: self._then(self._writing(address))
        elif value == 0x05:
            self._handler = self._bit_modify
        elif value == 0xA0:
            self._handler = lambda _: self._read_status()
        elif value == 0xB0:
            self._handler = lambda _: self._rx_status()
        elif value & 0xF9 == 0x90:
            buffer = value >> 2 & 1
            self._clear = _RX0IF << buffer
            self._handler = self._reading(_RX[buffer] + (6 if value & 2 else 1))
        elif value & 0xF8 == 0x40 and value & 7 < 6:
            self._handler = self._writing(_TX[(value & 7) >> 1] + (6 if value & 1 else 1))
        elif value & 0xF8 == 0x80:
            for n in range(3):
                if value >> n & 1:
                    self._write_register(_TX[n], _TXREQ, _TXREQ)
        return 0xFF

    def _then(self, handler: Callable[[int], int]) -> int:
        self._handler = handler
        return 0xFF

    def _reading(self, address: int) -> Callable[[int], int]:
        def read(_value: int) -> int:
            nonlocal address
            value = self._read_register(address & 0x7F)
            address += 1
            return value

        return read

    def _writing(self, address: int) -> Callable[[int], int]:
        def write(value: int) -> int:
            nonlocal address
            self._write_register(address & 0x7F, value)
            address += 1
            return 0xFF

        return write

    def _bit_modify(self, address: int) -> int:
        def masked(mask: int) -> int:
            def modify(value: int) -> int:
                self._handler = lambda _: 0xFF
                if mask:
                    self._write_register(address & 0x7F, value, mask)
                return 0xFF

            return self._then(modify)

        return self._then(masked)

    def _read_status(self) -> int:
        """Figure 12-8."""
        flags = self._registers[_CANINTF]
        value = flags & 3
        for n in range(3):
            value |= bool(self._registers[_TX[n]] & _TXREQ) << 2 + 2 * n
            value |= bool(flags & _TX0IF << n) << 3 + 2 * n
        return value

    def _rx_status(self) -> int:
        """Figure 12-9: where a message is, what it is and which filter it passed."""
        flags = self._registers[_CANINTF] & 3
        if not flags:
            return 0
        buffer = 0 if flags & 1 else 1
        address = _RX[buffer]
        control, low, dlc = (self._registers[address + n] for n in (0, 2, 5))
        extended = bool(low & _EXIDE)
        remote = bool(dlc & _RTR) if extended else bool(low & _SRR)
        hit = control & (1 if buffer == 0 else 7)
        if buffer == 1 and hit < 2:
            # Rolled over from buffer 0.
            hit += 6
        return flags << 6 | extended << 4 | remote << 3 | hit


def _head(frame: CanFrame, received: bool) -> bytes:
    """SIDH, SIDL, EID8, EID0 and DLC of a frame (registers 3-3 to 3-7, 4-4 to 4-8)."""
    standard, extension = frame.identifier, 0
    if frame.extended:
        standard, extension = frame.identifier >> 18, frame.identifier & 0x3FFFF
    low = (standard & 7) << 5 | extension >> 16
    dlc = frame.dlc
    if frame.extended:
        low |= _EXIDE
        dlc |= _RTR if frame.remote else 0
    elif frame.remote and received:
        low |= _SRR
    return bytes([standard >> 3, low, extension >> 8 & 0xFF, extension & 0xFF, dlc])
