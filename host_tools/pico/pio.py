"""The RP2040's two PIO blocks in virtual time (data sheet, chapter 3), exact to the clock cycle.

The emulator's own blocks do at most one instruction for each of the processor's, and one for a
whole sleep; these run by alarms, whatever the processor does, and cost nothing where nothing
happens. Not modelled: OUT_STICKY, INLINE_OUT_EN, and the two cycles of the inputs' synchronisers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from host_tools.pico.pads import level_at
from host_tools.pico.pio_machine import NEVER, Machine

if TYPE_CHECKING:
    from rp2040py.rp2040 import RP2040

# Register offsets (data sheet, table 381).
_CTRL = 0x000
_FSTAT = 0x004
_FDEBUG = 0x008
_FLEVEL = 0x00C
_TXF0 = 0x010
_RXF0 = 0x020
_IRQ = 0x030
_IRQ_FORCE = 0x034
_SYNC_BYPASS = 0x038
_DBG_PADOUT = 0x03C
_DBG_PADOE = 0x040
_DBG_CFGINFO = 0x044
_INSTR_MEM0 = 0x048
_SM0 = 0x0C8
_SM_SIZE = 0x18
_INTR = 0x128
_IRQ0_INTE = 0x12C
_IRQ0_INTF = 0x130
_IRQ0_INTS = 0x134
_IRQ1_INTE = 0x138
_IRQ1_INTF = 0x13C
_IRQ1_INTS = 0x140
# Of a state machine, from its first register.
_CLKDIV, _EXECCTRL, _SHIFTCTRL, _ADDR, _INSTR, _PINCTRL = range(0, 0x18, 4)

_MACHINES = 4
_INSTRUCTIONS = 32
# 32 instructions, 4 machines, FIFOs of 4 words.
_CFGINFO = 0x200404
_INT_MASK = 0xFFF
_PIN_MASK = 0x3FFFFFFF
# FDEBUG and FSTAT: one byte for each of four conditions.
_RXSTALL, _RXUNDER, _TXOVER, _TXSTALL = 0, 8, 16, 24
_RXFULL, _RXEMPTY, _TXFULL, _TXEMPTY = 0, 8, 16, 24

_BASE = 0x50200000
_FIRST_IRQ = (7, 9)
# Times of machines are in 1/256 cycles of 8 ns.
_PER_NS = 32
_ATOMIC_XOR, _ATOMIC_SET, _ATOMIC_CLEAR = 1, 2, 3


class PioBlocks:
    """Puts the two blocks in the place of the emulator's own."""

    def __init__(self, mcu: RP2040) -> None:
        self._blocks = [PioBlock(mcu, n) for n in (0, 1)]
        for n, block in enumerate(self._blocks):
            mcu.peripherals[(_BASE >> 12) + 0x100 * n] = block
        # The emulator's inner loop iterates over the blocks, everything else takes one by index.
        setattr(mcu, "pio", _ByIndex(self._blocks))  # noqa: B010

    def pin_changed(self, pin: int) -> None:
        """The level at a pin was changed from outside."""
        for block in self._blocks:
            block.pin_changed(pin)


class _ByIndex(dict[int, Any]):
    """Iterates over nothing, answers by index."""

    def __init__(self, blocks: list[PioBlock]) -> None:
        super().__init__()
        self._blocks = blocks

    def __missing__(self, index: int) -> PioBlock:
        return self._blocks[index]


class PioBlock:
    """Registers, interrupts and pins of one block with its four state machines."""

    def __init__(self, mcu: RP2040, number: int) -> None:
        self._mcu = mcu
        self._number = number
        self._alarm = mcu.clock.create_alarm(self._work)
        self._working = False
        self._unwatch: list[Callable[[], None]] = []
        self._instructions = [0] * _INSTRUCTIONS
        self.machines = [Machine(self, n, self._instructions) for n in range(_MACHINES)]
        self._clear()

    def _clear(self) -> None:
        self.pins = 0
        self.flags = 0
        self.pin_values = 0
        self.pin_directions = 0
        self._fdebug = 0
        self._bypass = 0
        self._enables = [0, 0]
        self._forces = [0, 0]

    def reset(self) -> None:
        """As after power-on."""
        self._alarm.cancel()
        self._instructions = [0] * _INSTRUCTIONS
        for machine in self.machines:
            machine.reset(self._instructions)
            self._tell_dma(machine)
        self._clear()
        self._watch(False)
        self._interrupt()

    # -- time ------------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        return round(self._mcu.clock.nanos * _PER_NS)

    def _sync(self) -> int:
        now = self._now
        for machine in self.machines:
            machine.sync(now)
        return now

    def _work(self) -> None:
        """Do what is due, and set the alarm for what comes next."""
        self._working = True
        now = self._sync()
        while True:
            due = [machine for machine in self.machines if machine.event <= now]
            if not due:
                break
            for machine in due:
                machine.act()
                machine.predict()
        self._working = False
        at = min(machine.event for machine in self.machines)
        self._alarm.cancel()
        if at != NEVER:
            self._alarm.schedule(at / _PER_NS - self._mcu.clock.nanos)

    def _plan(self, *machines: Machine) -> None:
        """These have changed: find out anew what they do."""
        for machine in machines:
            machine.predict()
        if not self._working:
            self._work()

    # -- pins ------------------------------------------------------------------------------

    def pin_changed(self, pin: int) -> None:
        """Something may have changed the level at a pin."""
        if not self._unwatch:
            return
        pins = self.pins & ~(1 << pin) | level_at(self._mcu.gpio[pin]) << pin
        if pins == self.pins:
            return
        now = self._sync()
        self.pins = pins
        for machine in self.machines:
            machine.nudge(now)
        self._plan(*self.machines)

    def _watch(self, on: bool) -> None:
        """Follow the chip's own outputs while a machine runs."""
        if on and not self._unwatch:
            for pin, gpio in enumerate(self._mcu.gpio):
                changed = self._listener(pin)
                self._unwatch.append(gpio.add_listener(changed))
                self.pins = self.pins & ~(1 << pin) | level_at(gpio) << pin
        elif not on:
            for end in self._unwatch:
                end()
            self._unwatch = []

    def _listener(self, pin: int) -> Callable[[Any, Any], None]:
        return lambda _state, _before: self.pin_changed(pin)

    def set_pins(self, value: int, base: int, count: int) -> None:
        """Levels from a machine: pin base + n gets bit n, modulo 32."""
        before = self.pin_values
        self.pin_values = _spread(before, value, base, count)
        self._drive(before ^ self.pin_values)

    def set_directions(self, value: int, base: int, count: int) -> None:
        """As `set_pins`, the output enables."""
        before = self.pin_directions
        self.pin_directions = _spread(before, value, base, count)
        self._drive(before ^ self.pin_directions)

    def _drive(self, changed: int) -> None:
        while changed:
            pin = (changed & -changed).bit_length() - 1
            changed &= changed - 1
            self._mcu.gpio[pin].check_for_updates()

    # -- FIFOs, flags and interrupts --------------------------------------------------------

    def fifo_changed(self, machine: Machine) -> None:
        """A machine has taken or given a word."""
        self._tell_dma(machine)
        self._interrupt()

    def stalled_on(self, machine: Machine, transmit: bool) -> None:
        """A machine has found its FIFO empty (transmit) or full."""
        self._fdebug |= 1 << machine.index + (_TXSTALL if transmit else _RXSTALL)

    def set_flag(self, number: int, up: bool) -> None:
        """Raise or clear an IRQ flag; machines may wait for it."""
        self._set_flags(self.flags | 1 << number if up else self.flags & ~(1 << number))

    def _set_flags(self, flags: int) -> None:
        if flags == self.flags:
            return
        now = self._sync()
        self.flags = flags
        for machine in self.machines:
            if machine.stalled:
                machine.nudge(now)
                machine.predict()
        self._interrupt()

    def _tell_dma(self, machine: Machine) -> None:
        dma = self._mcu.dma
        first = 8 * self._number + machine.index
        (dma.set_dreq if len(machine.tx) < machine.tx_depth else dma.clear_dreq)(first)
        (dma.set_dreq if machine.rx else dma.clear_dreq)(first + 4)

    @property
    def _raw(self) -> int:
        raw = (self.flags & 0xF) << 8
        for n, machine in enumerate(self.machines):
            raw |= bool(machine.rx) << n | (len(machine.tx) < machine.tx_depth) << n + 4
        return raw

    def _interrupt(self) -> None:
        raw = self._raw
        for line in (0, 1):
            active = raw & self._enables[line] | self._forces[line]
            self._mcu.set_interrupt(_FIRST_IRQ[self._number] + line, bool(active))

    # -- registers -------------------------------------------------------------------------

    def read_uint32(self, offset: int) -> int:
        machines = self.machines
        if offset == _CTRL:
            return sum(m.enabled << n for n, m in enumerate(machines))
        self._sync()
        if _SM0 <= offset < _SM0 + _MACHINES * _SM_SIZE:
            machine = machines[(offset - _SM0) // _SM_SIZE]
            return _read_machine(machine, (offset - _SM0) % _SM_SIZE)
        if _RXF0 <= offset < _RXF0 + 4 * _MACHINES:
            return self._pull(machines[(offset - _RXF0) // 4])
        if offset == _FSTAT:
            return self._fstat()
        if offset == _FLEVEL:
            return sum(len(m.tx) << 8 * n | len(m.rx) << 8 * n + 4 for n, m in enumerate(machines))
        raw = self._raw
        registers = {
            _FDEBUG: self._fdebug,
            _IRQ: self.flags,
            _SYNC_BYPASS: self._bypass,
            _DBG_PADOUT: self.pin_values,
            _DBG_PADOE: self.pin_directions,
            _DBG_CFGINFO: _CFGINFO,
            _INTR: raw,
            _IRQ0_INTE: self._enables[0],
            _IRQ0_INTF: self._forces[0],
            _IRQ0_INTS: raw & self._enables[0] | self._forces[0],
            _IRQ1_INTE: self._enables[1],
            _IRQ1_INTF: self._forces[1],
            _IRQ1_INTS: raw & self._enables[1] | self._forces[1],
        }
        # TXF, IRQ_FORCE and the instruction memory can only be written.
        return registers.get(offset, 0)

    def _fstat(self) -> int:
        value = 0
        for n, m in enumerate(self.machines):
            value |= (len(m.rx) >= m.rx_depth) << n + _RXFULL | (not m.rx) << n + _RXEMPTY
            value |= (len(m.tx) >= m.tx_depth) << n + _TXFULL | (not m.tx) << n + _TXEMPTY
        return value

    def _pull(self, machine: Machine) -> int:
        if not machine.rx:
            self._fdebug |= 1 << machine.index + _RXUNDER
            return 0
        value = machine.rx.pop(0)
        self.fifo_changed(machine)
        machine.nudge(self._now)
        self._plan(machine)
        return value

    def write_uint32_atomic(self, offset: int, value: int, atomic_type: int) -> None:
        # Write-one-to-clear: the aliases are plain writes of the bits given.
        if atomic_type and offset not in (_IRQ, _IRQ_FORCE, _FDEBUG):
            old = self.read_uint32(offset)
            value = {
                _ATOMIC_XOR: old ^ value,
                _ATOMIC_SET: old | value,
                _ATOMIC_CLEAR: old & ~value,
            }[atomic_type]
        self.write_uint32(offset, value)

    def write_uint32(self, offset: int, value: int) -> None:
        now = self._sync()
        if _SM0 <= offset < _SM0 + _MACHINES * _SM_SIZE:
            machine = self.machines[(offset - _SM0) // _SM_SIZE]
            self._write_machine(machine, (offset - _SM0) % _SM_SIZE, value, now)
        elif _INSTR_MEM0 <= offset < _SM0:
            self._instructions[(offset - _INSTR_MEM0) // 4] = value & 0xFFFF
            self._plan(*self.machines)
        elif _TXF0 <= offset < _RXF0:
            self._push(self.machines[(offset - _TXF0) // 4], value, now)
        elif offset == _CTRL:
            self._control(value, now)
        elif offset == _FDEBUG:
            self._fdebug &= ~value
            for machine in self.machines:
                # A machine that is still stalled raises its flag again.
                machine.nudge(now)
            self._plan(*self.machines)
        elif offset == _IRQ:
            self._set_flags(self.flags & ~value)
            self._plan()
        elif offset == _IRQ_FORCE:
            self._set_flags(self.flags | value & 0xFF)
            self._plan()
        elif offset == _SYNC_BYPASS:
            self._bypass = value
        elif offset in (_IRQ0_INTE, _IRQ1_INTE):
            self._enables[offset == _IRQ1_INTE] = value & _INT_MASK
            self._interrupt()
        elif offset in (_IRQ0_INTF, _IRQ1_INTF):
            self._forces[offset == _IRQ1_INTF] = value & _INT_MASK
            self._interrupt()

    def _push(self, machine: Machine, value: int, now: int) -> None:
        if len(machine.tx) >= machine.tx_depth:
            self._fdebug |= 1 << machine.index + _TXOVER
            return
        machine.tx.append(value)
        machine.refill()
        self.fifo_changed(machine)
        machine.nudge(now)
        self._plan(machine)

    def _control(self, value: int, now: int) -> None:
        """CTRL: enables, restarts, restarts of the dividers, each with a bit for each machine."""
        self._watch(bool(value & 0xF))
        for n, machine in enumerate(self.machines):
            if value >> n + 4 & 1:
                machine.restart()
            enable = bool(value >> n & 1)
            if (enable and not machine.enabled) or value >> n + 8 & 1:
                # On the next edge of the system clock.
                machine.at = -(-now // 256) * 256
                machine.stalled = False
            machine.enabled = enable
        self._plan(*self.machines)

    def _write_machine(self, machine: Machine, offset: int, value: int, now: int) -> None:
        if offset == _INSTR:
            self._working = True
            machine.force(value, now)
            self._working = False
        elif offset == _SHIFTCTRL:
            machine.join(value)
            self.fifo_changed(machine)
        elif offset == _CLKDIV:
            machine.clkdiv = value
        elif offset == _EXECCTRL:
            machine.execctrl = value
        elif offset == _PINCTRL:
            machine.pinctrl = value
        machine.configure()
        self._plan(machine)


def _read_machine(machine: Machine, offset: int) -> int:
    return {
        _CLKDIV: machine.clkdiv,
        _EXECCTRL: machine.execctrl_now,
        _SHIFTCTRL: machine.shiftctrl,
        _ADDR: machine.pc,
        _INSTR: machine.instruction,
        _PINCTRL: machine.pinctrl,
    }[offset]


def _spread(word: int, value: int, base: int, count: int) -> int:
    """`word` with `count` bits of `value` from bit `base` on, modulo 32."""
    mask = (1 << min(count, 32)) - 1
    shifted, mask = (value & mask) << base, mask << base
    shifted, mask = shifted | shifted >> 32, mask | mask >> 32
    return (word & ~mask | shifted & mask) & _PIN_MASK
