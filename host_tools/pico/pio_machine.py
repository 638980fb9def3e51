"""One PIO state machine (RP2040 data sheet, chapter 3), exact to the clock cycle.

A machine is run lazily: what nobody outside can see is executed when somebody asks, a loop that
only counts in one step. `at` is the time of the next instruction, in 1/256 of a system clock.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from host_tools.pico.pio_loops import iterations_of

NEVER = 1 << 62
"""The time of what does not happen unless something changes outside."""

_ALL = 0xFFFFFFFF
# Instructions executed ahead at a time when no loop is found to be skipped.
_AHEAD = 2048

# Bits 15:13 of an instruction (data sheet, table 365).
JMP, WAIT, IN, OUT, PUSH_PULL, MOV, IRQ, SET = range(8)
# Registers by their number as a source or destination of MOV.
PINS, X, Y, NULL, PINDIRS_EXEC, PC_STATUS, ISR, OSR = range(8)

# SMx_SHIFTCTRL.
_AUTOPUSH = 1 << 16
_AUTOPULL = 1 << 17
_IN_RIGHT = 1 << 18
_OUT_RIGHT = 1 << 19
_FJOIN_TX = 1 << 30
_FJOIN_RX = 1 << 31
# SMx_EXECCTRL.
_STATUS_RX = 1 << 4
_SIDE_PINDIR = 1 << 29
_SIDE_EN = 1 << 30
_STALLED = 1 << 31

_CLKDIV_RESET = 1 << 16
_EXECCTRL_RESET = 0x1F << 12
_SHIFTCTRL_RESET = _IN_RIGHT | _OUT_RIGHT
_PINCTRL_RESET = 5 << 26

_FIFO_DEPTH = 4


class Instruction(NamedTuple):
    """An instruction word, taken apart."""

    op: int
    argument: int
    delay: int
    side: int | None
    """The bits to set aside, None for none."""
    silent: bool
    """Neither pins, FIFOs nor flags see it."""


class Surroundings(Protocol):
    """What a machine shares with the others of its block."""

    pins: int
    flags: int

    def set_pins(self, value: int, base: int, count: int) -> None: ...
    def set_directions(self, value: int, base: int, count: int) -> None: ...
    def set_flag(self, number: int, up: bool) -> None: ...
    def fifo_changed(self, machine: Machine) -> None: ...
    def stalled_on(self, machine: Machine, transmit: bool) -> None: ...


_State = tuple[int, int, int, int, int, int, int, int, int | None, bool]


class Machine:
    """Registers and FIFOs of state machine `index`, with the instruction memory of its block."""

    def __init__(self, block: Surroundings, index: int, instructions: list[int]) -> None:
        self._block = block
        self.index = index
        self.reset(instructions)

    def reset(self, instructions: list[int]) -> None:
        """As after power-on, with the block's instruction memory."""
        self.instructions = instructions
        self.enabled = False
        self.x = self.y = self.isr = self.osr = 0
        self.isr_count, self.osr_count = 0, 32
        self.pc = 0
        self.at = 0
        self.executee: int | None = None
        self.stalled = False
        # What an IN that waits for room, and an IRQ that waits for its flag, have done before.
        self._shifted = self._flagged = False
        self.event = NEVER
        self._ahead: _State | None = None
        self.clkdiv = _CLKDIV_RESET
        self.execctrl = _EXECCTRL_RESET
        self.shiftctrl = _SHIFTCTRL_RESET
        self.pinctrl = _PINCTRL_RESET
        self.tx: list[int] = []
        self.rx: list[int] = []
        self.configure()

    def configure(self) -> None:
        """Take the configuration registers apart; call it after each change of one."""
        integer = self.clkdiv >> 16 or 65536
        self.divider = integer << 8 | self.clkdiv >> 8 & 0xFF
        self._wrap_bottom = self.execctrl >> 7 & 0x1F
        self._wrap_top = self.execctrl >> 12 & 0x1F
        self._jmp_pin = self.execctrl >> 24 & 0x1F
        self._push_at = self.shiftctrl >> 20 & 0x1F or 32
        self._pull_at = self.shiftctrl >> 25 & 0x1F or 32
        self._autopush = bool(self.shiftctrl & _AUTOPUSH)
        self._autopull = bool(self.shiftctrl & _AUTOPULL)
        self._out_base = self.pinctrl & 0x1F
        self._set_base = self.pinctrl >> 5 & 0x1F
        self._side_base = self.pinctrl >> 10 & 0x1F
        self._in_base = self.pinctrl >> 15 & 0x1F
        self._out_count = self.pinctrl >> 20 & 0x3F
        self._set_count = self.pinctrl >> 26 & 7
        self._side_bits = self.pinctrl >> 29 & 7
        joined = self.shiftctrl & (_FJOIN_TX | _FJOIN_RX)
        self.tx_depth = {0: _FIFO_DEPTH, _FJOIN_TX: 2 * _FIFO_DEPTH}.get(joined, 0)
        self.rx_depth = {0: _FIFO_DEPTH, _FJOIN_RX: 2 * _FIFO_DEPTH}.get(joined, 0)
        self._decoded: dict[int, Instruction] = {}

    def join(self, shiftctrl: int) -> None:
        """Write SHIFTCTRL; a change of FJOIN empties both FIFOs (data sheet, 3.5.4.1)."""
        if (self.shiftctrl ^ shiftctrl) & (_FJOIN_TX | _FJOIN_RX):
            self.tx.clear()
            self.rx.clear()
        self.shiftctrl = shiftctrl
        self.configure()

    def restart(self) -> None:
        """CTRL.SM_RESTART: shift counters, ISR, delay, whatever it waits for."""
        self.isr = 0
        self.isr_count, self.osr_count = 0, 32
        self.executee = None
        self.stalled = self._shifted = self._flagged = False

    @property
    def instruction(self) -> int:
        """The word that is executed next."""
        return self.instructions[self.pc] if self.executee is None else self.executee

    @property
    def execctrl_now(self) -> int:
        """EXECCTRL with EXEC_STALLED."""
        waits = self.stalled and self.executee is not None
        return self.execctrl & ~_STALLED | (_STALLED if waits else 0)

    # -- time ------------------------------------------------------------------------------

    def sync(self, now: int) -> None:
        """Execute what is silent and begins before `now`."""
        if not self.enabled or self.at >= now:
            return
        if self._ahead is not None and self._ahead[7] <= now:
            self._load(self._ahead)
            self._ahead = None
        self._run(now)

    def nudge(self, now: int) -> None:
        """Something changed that the machine may wait for: let it try again."""
        if self.stalled:
            self.stalled = False
            if self.at < now:
                self.at += -((self.at - now) // self.divider) * self.divider

    def predict(self) -> None:
        """Find out when the next instruction comes that is not silent, if nothing changes."""
        self._ahead = None
        self.event = NEVER
        if self.stalled:
            return
        if not self.enabled:
            if self.executee is not None:
                self.event = self.at
            return
        before = self._save()
        if self._run(NEVER) and not self.stalled:
            self.event = self.at
        self._ahead = self._save() if self.event != NEVER else None
        self._load(before)

    def act(self) -> None:
        """Execute the instruction that `predict` found, at `event`."""
        if self._ahead is not None:
            self._load(self._ahead)
            self._ahead = None
        instruction = self._next()
        if not instruction.silent:
            self._step(instruction)

    def force(self, word: int, now: int) -> None:
        """Execute an instruction written to SMx_INSTR, now."""
        self.at = max(self.at, now) if self.enabled else now
        self.executee = word & 0xFFFF
        self.stalled = False
        self._step(self._next())

    def _save(self) -> _State:
        return (
            self.x,
            self.y,
            self.isr,
            self.osr,
            self.isr_count,
            self.osr_count,
            self.pc,
            self.at,
            self.executee,
            self.stalled,
        )

    def _load(self, state: _State) -> None:
        self.x, self.y, self.isr, self.osr, self.isr_count, self.osr_count = state[:6]
        self.pc, self.at, self.executee, self.stalled = state[6:]

    def _run(self, until: int) -> bool:
        """Silent instructions before `until`; False when nothing else can come."""
        heads: dict[int, tuple[_State, int]] = {}
        path: list[Instruction] = []
        for _ in range(_AHEAD):
            if self.at >= until or self.stalled:
                return not self.stalled
            instruction = self._next()
            if not instruction.silent:
                return True
            pc = self.pc
            path.append(instruction)
            self._step(instruction)
            if self.pc > pc or self.stalled or self.executee is not None:
                continue
            now = self._save()
            head = heads.get(self.pc)
            heads[self.pc] = (now, len(path))
            if head is None or head[0][4:6] != now[4:6] or head[0][8] is not None:
                continue
            period = self.at - head[0][7]
            most = (until - self.at) // period
            found = iterations_of(path[head[1] :], head[0][:4], now[:4])
            if found is None:
                continue
            step, changing, count = found
            if count is None and until == NEVER:
                return False
            times = most if count is None else min(most, count)
            self.x, self.y, self.isr, self.osr = (
                (value - times * step) & _ALL if moves else value
                for value, moves in zip(now[:4], changing, strict=True)
            )
            self.at += times * period
            heads.clear()
            path.clear()
        return True

    # -- instructions ----------------------------------------------------------------------

    def _next(self) -> Instruction:
        word = self.instruction
        found = self._decoded.get(word)
        if found is None:
            found = self._decoded[word] = self._decode(word)
        return found

    def _decode(self, word: int) -> Instruction:
        op, argument = word >> 13, word & 0xFF
        field = word >> 8 & 0x1F
        bits = self._side_bits
        delay = field & ((1 << (5 - bits)) - 1)
        side: int | None = None
        if bits and (not self.execctrl & _SIDE_EN or field & 0x10):
            side = field >> (5 - bits)
        to = argument >> 5
        silent = (
            side is None
            and {
                JMP: True,
                WAIT: argument >> 5 & 3 != 2,
                IN: not self._autopush,
                OUT: not self._autopull and to not in (PINS, PINDIRS_EXEC),
                PUSH_PULL: False,
                # The status changes when a FIFO does.
                MOV: to != PINS and argument & 7 != PC_STATUS,
                IRQ: False,
                SET: to in (X, Y),
            }[op]
        )
        return Instruction(op, argument, delay, side, silent)

    def _step(self, instruction: Instruction) -> None:
        """One instruction, or one more try of it."""
        was_executee = self.executee is not None
        self._jumped = False
        self._made = None
        done = self._execute(instruction.op, instruction.argument)
        if instruction.side is not None:
            self._set_aside(instruction.side)
        self.stalled = done is False
        if not done:
            self.at += 0 if self.stalled else self.divider
            return
        self.executee = self._made
        delay = instruction.delay if self._made is None else 0
        self.at += (1 + delay) * self.divider
        if not (was_executee or self._jumped):
            self.pc = self._wrap_bottom if self.pc == self._wrap_top else (self.pc + 1) & 0x1F

    _jumped = False
    _made: int | None = None

    def _jump(self, to: int) -> None:
        self.pc = to & 0x1F
        self._jumped = True

    def _set_aside(self, value: int) -> None:
        count = self._side_bits - bool(self.execctrl & _SIDE_EN)
        if self.execctrl & _SIDE_PINDIR:
            self._block.set_directions(value, self._side_base, count)
        else:
            self._block.set_pins(value, self._side_base, count)

    def _execute(self, op: int, argument: int) -> bool | None:
        """Data sheet, 3.4; False when the machine has to wait, None when the instruction is to be
        executed again in the next cycle."""
        if op == JMP:
            if self._condition(argument >> 5):
                self._jump(argument)
            return True
        if op == WAIT:
            return self._wait(argument)
        if op == IN:
            return self._in(argument >> 5, argument & 0x1F or 32)
        if op == OUT:
            return self._out(argument >> 5, argument & 0x1F or 32)
        if op == PUSH_PULL:
            return self._pull(argument) if argument & 0x80 else self._push(argument)
        if op == MOV:
            value = self._source(argument & 7)
            how = argument >> 3 & 3
            if how == 1:
                value = ~value & _ALL
            elif how == 2:
                value = int(f"{value:032b}"[::-1], 2)
            self._move(argument >> 5, value)
            return True
        if op == IRQ:
            return self._irq(argument)
        value, to = argument & 0x1F, argument >> 5
        if to == PINS:
            self._block.set_pins(value, self._set_base, self._set_count)
        elif to == PINDIRS_EXEC:
            self._block.set_directions(value, self._set_base, self._set_count)
        elif to == X:
            self.x = value
        elif to == Y:
            self.y = value
        return True

    def _condition(self, number: int) -> bool:
        if number == 0:
            return True
        if number == 1:
            return self.x == 0
        if number == 2:
            self.x, was = (self.x - 1) & _ALL, self.x
            return was != 0
        if number == 3:
            return self.y == 0
        if number == 4:
            self.y, was = (self.y - 1) & _ALL, self.y
            return was != 0
        if number == 5:
            return self.x != self.y
        if number == 6:
            return bool(self._block.pins >> self._jmp_pin & 1)
        return self.osr_count < self._pull_at

    def _flag(self, number: int) -> int:
        """Flag numbers with bit 4 are relative to the machine (data sheet, 3.4.9)."""
        if number & 0x10:
            return number & 4 | (number + self.index) & 3
        return number & 7

    def _wait(self, argument: int) -> bool:
        wanted, source, number = argument >> 7, argument >> 5 & 3, argument & 0x1F
        if source == 2:
            flag = self._flag(number)
            if self._block.flags >> flag & 1 != wanted:
                return False
            if wanted:
                self._block.set_flag(flag, False)
            return True
        pin = number if source == 0 else (self._in_base + number) & 0x1F
        return self._block.pins >> pin & 1 == wanted

    def _irq(self, argument: int) -> bool:
        flag = self._flag(argument & 0x1F)
        if argument & 0x40:
            self._block.set_flag(flag, False)
            return True
        if self._flagged:
            self._flagged = bool(self._block.flags >> flag & 1)
        else:
            self._block.set_flag(flag, True)
            self._flagged = bool(argument & 0x20)
        return not self._flagged

    def _source(self, number: int) -> int:
        if number == PINS:
            base, pins = self._in_base, self._block.pins
            return (pins >> base | pins << (32 - base)) & _ALL
        if number == X:
            return self.x
        if number == Y:
            return self.y
        if number == ISR:
            return self.isr
        if number == OSR:
            return self.osr
        if number == PC_STATUS:
            fifo = self.rx if self.execctrl & _STATUS_RX else self.tx
            return _ALL if len(fifo) < (self.execctrl & 0xF) else 0
        return 0

    def _move(self, to: int, value: int) -> None:
        if to == PINS:
            self._block.set_pins(value, self._out_base, self._out_count)
        elif to == X:
            self.x = value
        elif to == Y:
            self.y = value
        elif to == PINDIRS_EXEC:
            self._made = value & 0xFFFF
        elif to == PC_STATUS:
            self._jump(value)
        elif to == ISR:
            self.isr, self.isr_count = value, 0
        elif to == OSR:
            self.osr, self.osr_count = value, 0

    def _in(self, source: int, count: int) -> bool:
        if not self._shifted:
            value = self._source(source) & ((1 << count) - 1)
            if self.shiftctrl & _IN_RIGHT:
                self.isr = (self.isr >> count | value << (32 - count)) & _ALL
            else:
                self.isr = (self.isr << count | value) & _ALL
            self.isr_count = min(32, self.isr_count + count)
        full = self._autopush and self.isr_count >= self._push_at
        self._shifted = full and not self._to_rx()
        return not self._shifted

    def _to_rx(self) -> bool:
        if len(self.rx) >= self.rx_depth:
            self._block.stalled_on(self, False)
            return False
        self.rx.append(self.isr)
        self.isr = self.isr_count = 0
        self._block.fifo_changed(self)
        return True

    def _from_tx(self) -> bool:
        if not self.tx:
            self._block.stalled_on(self, True)
            return False
        self.osr = self.tx.pop(0)
        self.osr_count = 0
        self._block.fifo_changed(self)
        return True

    def refill(self) -> None:
        """Autopull in the background: a word for an empty OSR (data sheet, 3.5.4.2)."""
        empty = self.osr_count >= self._pull_at
        if self._autopull and self.enabled and empty and self.tx and not self.stalled:
            self._from_tx()

    def _out(self, to: int, count: int) -> bool | None:
        if self._autopull and self.osr_count >= self._pull_at:
            # The word can be shifted from the next cycle on.
            return None if self._from_tx() else False
        if self.shiftctrl & _OUT_RIGHT:
            value = self.osr & ((1 << count) - 1)
            self.osr >>= count
        else:
            value = self.osr >> (32 - count)
            self.osr = self.osr << count & _ALL
        self.osr_count = min(32, self.osr_count + count)
        if to == PINDIRS_EXEC:
            self._block.set_directions(value, self._out_base, self._out_count)
        elif to == OSR:
            self._made = value & 0xFFFF
        elif to == ISR:
            self.isr, self.isr_count = value, count
        else:
            self._move(to, value)
        self.refill()
        return True

    def _push(self, argument: int) -> bool:
        if argument & 0x40 and self.isr_count < self._push_at:
            return True
        if self._to_rx():
            return True
        if argument & 0x20:
            return False
        self.isr = self.isr_count = 0
        return True

    def _pull(self, argument: int) -> bool:
        if argument & 0x40 and self.osr_count < self._pull_at:
            return True
        if self._autopull and self.osr_count == 0:
            return True
        if self._from_tx():
            return True
        if argument & 0x20:
            return False
        self.osr, self.osr_count = self.x, 0
        return True
