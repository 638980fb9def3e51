"""Serves Modbus RTU: frames told apart by silence as a state machine without I/O, and asyncio
around it.

Implements MODBUS over Serial Line, Specification and Implementation Guide V1.02 ("SL" below). A
frame is the address of a server, a PDU and a CRC, 4 to 256 bytes (SL 2.5.1); t3.5 of silence ends
it, and more than t1.5 within it make it invalid (SL 2.5.1.1).

Nobody here sees when a byte arrives: a controller looks now and then, after a collection of
garbage some ms late. So a gap is judged by what the looks prove. Between a look that found the
line quiet and the one before it that saw a byte there *surely* was silence, but for a character
that may be on its way; between looks that both saw bytes there *may* have been some, as long as
these bytes did not take.

- A frame has ended when t3.5 of silence are sure. Only then it is answered.
- It is invalid when more than t1.5 are sure and t3.5 cannot have been.
- Where t3.5 may have been, two frames may lie behind each other: others' talk, and then a request.
  The whole is tried as a frame, then what can begin after such a gap: a request to this server,
  as long as its function code says and with a right CRC.
- What is neither is ignored, and the next silence begins anew. So is what is heard before the
  first silence (SL 2.4.1, "initial state").

Requests to address 0 are executed and not answered (SL 2.2). What a transceiver hears of an answer
that it sends itself is no request: it is dropped where it repeats the answer byte by byte.
"""

import asyncio
from array import array

from bus.clock import sleep_ms, ticks_us
from bus.modbus.pdu import const

FRAME_MAX = const(256)  # address, PDU, CRC: SL 2.5.1
_FRAME_MIN = const(4)
_ROOM = const(512)  # bytes heard between two silences at the most
_TICKS = const(0x3FFFFFFF)  # times are µs modulo the period of ticks on 32-bit boards

# From this rate on the silences do not get shorter, SL 2.5.1.1.
_FAST_BAUD = const(19200)
_FAST_T15_US = const(750)
_FAST_T35_US = const(1750)


def _crc_table():
    table = array("H", bytes(512))
    for byte in range(256):
        crc = byte
        for _ in range(8):
            # x^16 + x^15 + x^2 + 1, reflected: SL 6.2.2.
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
        table[byte] = crc
    return table


_CRC = _crc_table()


def crc16(data, start, end):
    """The CRC of data[start:end], SL 6.2.2; over a frame with its CRC (low byte first) it is 0."""
    table = _CRC
    crc = 0xFFFF
    for k in range(start, end):
        crc = table[(crc ^ data[k]) & 0xFF] ^ crc >> 8
    return crc


def silences_us(baud, bits=11):
    """(a character, t1.5, t3.5) in µs, rounded up; `bits` of a character with start, parity and
    stop bits, 11 by the standard (SL 2.5.1)."""
    character = -(-bits * 1000000 // baud)
    if baud > _FAST_BAUD:
        return character, _FAST_T15_US, _FAST_T35_US
    return character, -(-bits * 1500000 // baud), -(-bits * 3500000 // baud)


def _request_length(data, start, end):
    """Bytes of the request frame that begins at `start`, 0 where its function is not known."""
    if end - start < _FRAME_MIN:
        return 0
    function = data[start + 1]
    if 1 <= function <= 6:
        return 8
    if function in (15, 16) and end - start > 6:
        return 9 + data[start + 6]
    if function == 22:
        return 10
    if function == 23 and end - start > 10:
        return 13 + data[start + 10]
    return 0


class Station:
    """One server on a line: bytes and the time in, frames out.

    Read what has come into `space()` and report it with `received`, also that nothing has. That
    gives 1 when `out()` is to be sent, 2 when that confirms a write, else 0. Then call `sent` or
    `withdrawn`.

    Counters, after those of SL 2.1 of the diagnostic functions: `messages` to this address or to
    all, `broken` frames (CRC, length, a gap within), `answers`, `broadcasts`, `overruns` (no
    silence for 512 bytes), `late` (withdrawn answers).
    """

    def __init__(self, core, unit, baud, bits=11):
        if not 1 <= unit <= 247:
            raise ValueError("Modbus RTU: address %r is not within 1..247" % (unit,))
        if not 300 <= baud <= 4000000:
            raise ValueError("Modbus RTU: %r baud are not within 300..4000000" % (baud,))
        self._core = core
        self._unit = unit
        self.character_us, self.t15_us, self.t35_us = silences_us(baud, bits)
        self._rx = bytearray(_ROOM)
        self._rx_view = memoryview(self._rx)
        self._tx = bytearray(FRAME_MAX)
        self._tx_view = memoryview(self._tx)
        self._out = self._tx_view
        self._size = 0  # of the answer in _out
        self._length = 0  # of what was heard since the last silence
        self._spoilt = True  # what began first is no frame; also before the first silence
        self._loose = -1  # the first place where another frame may begin, -1 for none
        self._seen_us = 0  # when the latest byte was seen: it came then at the latest
        self._early_us = 0  # when it came at the earliest
        self._quiet_us = 0  # until then surely nothing has come after it
        self._echoing = False  # a part of what was sent has been heard
        self.messages = 0
        self.broken = 0
        self.answers = 0
        self.broadcasts = 0
        self.overruns = 0
        self.late = 0

    def start(self, now_us):
        """Begins to listen: what comes before the first silence is not understood."""
        self._length = 0
        self._spoilt = True
        self._loose = -1
        self._seen_us = self._early_us = self._quiet_us = now_us
        self._echoing = False

    def idle(self):
        """Nothing is to be done before the next byte comes."""
        return not self._length and not self._spoilt

    def space(self, n=0):
        """Where to put received bytes, `n` of which lie there already: a view of the free part of
        the buffer, not empty for n < 512 after a silence and n = 0 else."""
        n += self._length
        return self._rx_view[n:] if n else self._rx_view

    def received(self, n, now_us):
        """Says that `n` bytes were put into `space()` since the last call. For n = 0 `now_us` is
        a time before it was looked, else one after it."""
        if not n:
            self._quiet_us = now_us
            if self.idle() or self._sure_us() < self.t35_us:
                return 0
            return self._end()
        least_us = (n - 1) * self.character_us
        early_us = now_us  # where the sender's rate is a little higher
        if least_us < (now_us - self._quiet_us & _TICKS):
            early_us = self._quiet_us + least_us & _TICKS
        if self.idle():
            self._begin(n, now_us)
        else:
            # Before these bytes, or within them: the first one takes a character as well.
            may_end = self._may_us(self._early_us, n, now_us) >= self.t35_us
            if self._sure_us() <= self.t15_us:
                if may_end and self._loose < 0:
                    self._loose = self._length
            elif may_end:
                # It has ended, for within a frame there is no such gap.
                self._move_to_the_front(n)
                self._begin(n, now_us)
            else:
                self._spoilt = True
                self._loose = -1
        self._length += n
        self._early_us = early_us
        self._seen_us = self._quiet_us = now_us
        if self._length == _ROOM:
            self.overruns += 1
            self._length = 0
            self._spoilt = True
            self._loose = -1
        return 0

    def out(self):
        """The frame to send, valid until the next one."""
        return self._out

    def sent(self, now_us):
        """The answer has left; what came meanwhile was reported."""
        self.answers += 1
        self._seen_us = self._early_us = self._quiet_us = now_us
        self._drop_echo()

    def withdrawn(self):
        """The answer came too late: somebody else speaks."""
        self.late += 1

    def _drop_echo(self):
        k = 0
        while k < self._size and k < self._length and self._rx[k] == self._tx[k]:
            k += 1
        self._echoing = 0 < k == self._length < self._size
        if k == self._size:
            rest = self._length - k
            self._length = k
            self._move_to_the_front(rest)
            self._length = rest

    def _sure_us(self):
        """The silence that is sure: one character may have been on its way."""
        return (self._quiet_us - self._seen_us & _TICKS) - self.character_us

    def _may_us(self, since_us, n, now_us):
        """The longest silence that fits between `since_us` and now beside n bytes."""
        return (now_us - since_us & _TICKS) - n * self.character_us

    def _begin(self, n, now_us):
        self._length = 0
        self._spoilt = self._echoing = False
        self._loose = 0 if self._may_us(self._quiet_us, n - 1, now_us) >= self.t35_us else -1

    def _move_to_the_front(self, n):
        """Drops what was heard before the n bytes that lie behind it."""
        rx = self._rx
        length = self._length
        for k in range(n):
            rx[k] = rx[length + k]

    def _end(self):
        """A silence: what was heard is a frame, or none."""
        if self._echoing:
            self._drop_echo()
            self._echoing = False
        length = self._length
        start = -1
        if not self._spoilt and _FRAME_MIN <= length <= FRAME_MAX:
            address = self._rx[0]
            if address and address != self._unit:
                start = length  # not for us, unless a part of it is
            elif not crc16(self._rx, 0, length):
                start = 0
        if start and self._loose >= 0:
            found = self._search(self._loose, length)
            if found >= 0:
                start = found
        self._length = 0
        self._spoilt = False
        self._loose = -1
        if start < 0:
            self.broken += length > 0
            return 0
        if start == length:
            return 0
        return self._answer(start, length)

    def _search(self, first, length):
        """Where a request to this server begins that ends at `length`, or -1."""
        rx = self._rx
        for start in range(max(first, length - FRAME_MAX), length - 7):
            if rx[start] and rx[start] != self._unit:
                continue
            if start + _request_length(rx, start, length) == length and not crc16(
                rx, start, length
            ):
                return start
        return -1

    def _answer(self, start, length):
        tx = self._tx
        self.messages += 1
        size = 1 + self._core.answer(self._rx, start + 1, length - 2, tx, 1)
        if not self._rx[start]:
            self.broadcasts += 1
            return 0
        tx[0] = self._unit
        crc = crc16(tx, 0, size)
        tx[size] = crc & 0xFF
        tx[size + 1] = crc >> 8
        size += 2
        if self._size != size:
            # Kept: a client that polls the same registers gets the same view each time.
            self._size = size
            self._out = self._tx_view[:size]
        return 2 if self._core.wrote else 1


# --- asyncio around it -----------------------------------------------------------------------

# A driver that is switched off late drives against the next request. Where the port has hardware
# timers that do not wait for Python, one of them does it; else the end of an answer is waited for
# without giving way to others.
_WATCH_US = const(500)
_FAULT_MS = const(20)

if hasattr(asyncio, "sleep_ms"):  # MicroPython

    def _waiter(uart):
        """An async function that waits for a byte and reads it into a view of one."""
        return asyncio.StreamReader(uart).readinto

else:  # CPython, for tests

    def _waiter(uart):
        async def wait(view):
            while not uart.any():
                await sleep_ms(1)
            return uart.readinto(view, 1)

        return wait


class Server:
    """A running Modbus RTU server; made by `serve`.

    `station` has the counters of the line; `faults` counts errors of the UART, `last_fault` says
    which was the last.
    """

    def __init__(self, core, uart, station, de, timer, settle_ms, ticks):
        self._core = core
        self._uart = uart
        self.station = station
        self._de = de
        self._timer = timer
        self._off = self._switch_off  # bound once, for an interrupt
        self._settle_us = settle_ms * 1000
        self._ticks = ticks
        # The line is looked at about twice in t1.5, as asyncio can: it counts ms.
        self._pause_ms = max(1, station.t15_us // 2000)
        self._wait = _waiter(uart)
        self._first = memoryview(bytearray(1))
        self.faults = 0
        self.last_fault = ""
        self._sending = False
        self._task = None

    def start(self):
        self._drive(0)
        self._task = asyncio.create_task(self._run())

    async def close(self):
        """Stops listening and lets go of the line; an answer that has begun goes out whole."""
        start_us = self._ticks()
        longest_us = 300 * self.station.character_us  # of 256 characters, and some patience
        while self._sending and (self._ticks() - start_us & _TICKS) < longest_us:
            await sleep_ms(1)
        self._task.cancel()  # type: ignore[union-attr]
        try:
            await self._task  # type: ignore[misc]
        except asyncio.CancelledError:
            pass
        if self._timer is not None:
            self._timer.deinit()
        self._drive(0)
        if hasattr(self._uart, "deinit"):
            self._uart.deinit()

    def stats(self):
        """All counters, the core's as well, as a dict for logs and the monitor."""
        station = self.station
        core = self._core
        return {
            "messages": station.messages,
            "broken": station.broken,
            "answers": station.answers,
            "broadcasts": station.broadcasts,
            "overruns": station.overruns,
            "late": station.late,
            "requests": core.requests,
            "exceptions": core.exceptions,
            "busy": core.busy,
            "faults": core.faults + self.faults,
        }

    def _switch_off(self, timer):
        # In an interrupt, perhaps in the middle of a collection: nothing may be allocated.
        if self._uart.txdone():
            self._de(0)

    def _arm(self, after_us):
        """Has the driver switched off by the timer; where it has to be watched for, `_timer` is
        None then."""
        try:
            self._timer.init(
                mode=self._timer.ONE_SHOT,
                period=after_us,
                tick_hz=1000000,
                callback=self._off,
                hard=True,
            )
        except (ValueError, TypeError):  # a port without such timers
            self._timer = None

    def _drive(self, level):
        if self._de is not None:
            self._de(level)

    async def _run(self):
        while True:
            try:
                self.station.start(self._ticks())
                await self._listen()
            except Exception as fault:
                # Nothing of the line may reach the event loop, where it would end the
                # controller's other work.
                self.faults += 1
                self.last_fault = repr(fault)
                await sleep_ms(_FAULT_MS)

    async def _listen(self):
        station = self.station
        first = self._first
        while True:
            n = 0
            if station.idle():
                n = await self._wait(first) or 0
                station.space()[0] = first[0]
            else:
                await sleep_ms(self._pause_ms)
            step = self._look(n)
            if step:
                await self._answer(step == 2)

    def _look(self, n=0):
        """Takes what has come from the UART, behind `n` bytes that lie there already."""
        station = self.station
        now_us = self._ticks()
        more = self._uart.any()
        if more:
            space = station.space(n)
            n += self._uart.readinto(space, min(more, len(space))) or 0
        if n:
            now_us = self._ticks()
        return station.received(n, now_us)

    async def _answer(self, wrote):
        if wrote and self._core.settled:
            start_us = self._ticks()
            while not self._core.settled():
                if (self._ticks() - start_us & _TICKS) >= self._settle_us:
                    break
                await sleep_ms(1)
        if self._uart.any():
            self.station.withdrawn()
            return
        self._drive(1)
        self._sending = True
        try:
            await self._send(self.station.out())
        finally:
            self._drive(0)
            self._sending = False
        # What it heard of itself; then the bytes behind it are judged as those of others.
        self._look()
        self.station.sent(self._ticks())

    async def _send(self, frame):
        uart = self._uart
        start_us = self._ticks()
        takes_us = len(frame) * self.station.character_us
        at = uart.write(frame) or 0
        while at < len(frame):
            await sleep_ms(1)
            at += uart.write(frame[at:]) or 0
            start_us = self._ticks()
        if self._de is not None and self._timer is not None:
            self._arm(takes_us + self.station.character_us // 2)
        is_watched = self._de is not None and self._timer is None
        while not uart.txdone():
            gone_us = self._ticks() - start_us & _TICKS
            left_us = takes_us - gone_us
            if left_us > _WATCH_US:
                # asyncio may come back late by the time that another task takes.
                await sleep_ms(max(0, left_us // 1000 - 2))
            elif not is_watched:
                await sleep_ms(1)
            if gone_us > 2 * takes_us + 100000:
                raise OSError("the UART does not send")


async def serve(
    core, uart, unit, baud, bits=11, *, de=None, timer=None, settle_s=0.1, ticks=ticks_us
):
    """Starts serving `core` at address `unit` (1..247) of a line and returns the running Server.

    `uart` is a machine.UART that was set to `baud`, with room for 512 bytes received and for a
    whole answer, or anything with its any, readinto, write and txdone. `bits` are those of a
    character. `de` is called with 1 before an answer and with 0 as soon as its last bit has left:
    the pin that enables the driver. `timer` is a machine.Timer for that, or None. Raises
    ValueError for a bad argument.
    """
    station = Station(core, unit, baud, bits)
    server = Server(core, uart, station, de, timer, int(settle_s * 1000), ticks)
    server.start()
    return server
