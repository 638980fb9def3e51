"""Serves Modbus TCP: MBAP framing as a state machine without I/O, and asyncio around it.

Implements MODBUS Messaging on TCP/IP Implementation Guide V1.0b ("MG" below). A frame is the MBAP
header (MG 3.1.3: transaction identifier, protocol identifier 0, length of what follows, unit
identifier) and a PDU; at most 260 bytes.

Choices the guide leaves open:

- Unit identifier: the core answers those it was given, by default all 256, and echoes it. A
  request for another one is answered with exception 11 "gateway target device failed to respond",
  so that the client knows at once instead of waiting for its timeout. Unit 0 is not a broadcast
  here (MG 4.4.1.2: it is accepted for a directly addressed server).
- A wrong protocol identifier or length means that the boundaries of frames are lost: the
  connection is dropped (TCP gives no other way to find them again).
- Requests of one connection are answered one after the other, in order. A client may send several
  before it reads; what it has not read the answers of stays in the network's buffers.
- A write is confirmed when it has taken effect, if the store can tell (`settled`), so that a
  client that reads back sees what it wrote. When that takes longer than `settle_s`, say because
  the scan is stopped, it is confirmed all the same: it is queued and will not be lost.
- A connection is dropped when no request was completed for `idle_s`, when a frame was begun and
  not ended within `frame_s` (from its first byte: one byte now and then does not hold it open), or
  when an answer could not be handed to the network within `stall_s`.
- At `max_clients` connections a new client takes the place of the longest idle one, if that has
  been idle for `evict_s` at least; otherwise the new one is closed at once. So a client that lost
  its connection without a word gets back in, and a flood does not throw out those that work.
"""

import asyncio
import os
import socket

from bus.clock import sleep_ms, ticks_ms
from bus.modbus.pdu import PDU_MAX, const

_HEADER = const(7)  # bytes of the MBAP header with the unit identifier, MG 3.1.3
_FRAME_MAX = const(260)  # _HEADER + PDU_MAX

# Times are milliseconds modulo 2**30, the period of ticks_ms on 32-bit boards (12 days).
_TICKS = const(0x3FFFFFFF)

# States of a connection: what it waits for.
IDLE = const(0)  # for the first byte of a request
FRAME = const(1)  # for the rest of a request
SENDING = const(2)  # for the network to take an answer

_DROPS = ("idle", "half frame", "stalled")  # by state: why it is dropped when that takes too long


class Connection:
    """Frames one connection: bytes of requests in, bytes of answers out (MG 3.1.3, 4.4.2).

    Read into `space()`, report it with `received`, then call `answer` until it gives 0, sending
    what `out` gives after each. `limits_ms` are the three times a state may last.
    """

    def __init__(self, core, limits_ms):
        self._core = core
        self._limits_ms = limits_ms
        # Both buffers live as long as the server: a connection allocates nothing for its frames
        # but the views below, and those only when a length differs from the one before.
        self._rx = bytearray(_FRAME_MAX)
        self._rx_view = memoryview(self._rx)
        self._tx = bytearray(_FRAME_MAX)
        self._tx_view = memoryview(self._tx)
        self._out = self._tx_view
        self._length = 0  # of the answer in _out
        self.open(0)

    def open(self, now_ms):
        """Begins a new connection."""
        self._start = 0  # of the frame in _rx that is next
        self._end = 0  # of the bytes received
        self.state = IDLE
        self.since_ms = now_ms
        self.fault = ""  # why the stream is beyond repair

    def space(self):
        """Where to put received bytes: a view of the free part of the buffer, never empty."""
        if self._start == self._end:
            self._start = self._end = 0
            return self._rx_view
        if self._start:
            # The rest of a frame after a complete one. Byte by byte and seldom.
            rx = self._rx
            n = self._end - self._start
            for k in range(n):
                rx[k] = rx[self._start + k]
            self._start = 0
            self._end = n
        return self._rx_view[self._end :]

    def received(self, n, now_ms):
        """Says that `n` bytes, at least one, were put into `space()`."""
        self._end += n
        if self.state == IDLE:
            self._enter(FRAME, now_ms)

    def answer(self, now_ms):
        """Answers the next request: 1 when `out` has an answer to send, 2 when that confirms a
        write, 0 when more bytes are needed, -1 when the connection must be dropped (`fault` says
        why).
        """
        rx = self._rx
        i = self._start
        n = self._end - i
        if self.state == SENDING:
            self._enter(FRAME if n else IDLE, now_ms)
        # Each field is judged as soon as it is there: what is no Modbus is dropped at once.
        if (n > 2 and rx[i + 2]) or (n > 3 and rx[i + 3]):
            self.fault = "protocol identifier"
            return -1
        if n < 6:
            return 0
        length = rx[i + 4] << 8 | rx[i + 5]
        if not 2 <= length <= 1 + PDU_MAX:
            self.fault = "length"
            return -1
        if n < 6 + length:
            return 0
        self._start += 6 + length
        tx = self._tx
        tx[0] = rx[i]
        tx[1] = rx[i + 1]
        tx[6] = rx[i + 6]
        if self._core.serves(rx[i + 6]):
            size = 1 + self._core.answer(rx, i + _HEADER, i + 6 + length, tx, _HEADER)
        else:
            size = 1 + self._core.no_target(rx, i + _HEADER, tx, _HEADER)
        tx[4] = size >> 8
        tx[5] = size & 0xFF
        if self._length != 6 + size:
            # Kept: a client that polls the same registers gets the same view each time.
            self._length = 6 + size
            self._out = self._tx_view[: self._length]
        self._enter(SENDING, now_ms)
        return 2 if self._core.wrote else 1

    def out(self):
        """The frame to send, valid until `answer` is called again."""
        return self._out

    def overdue(self, now_ms):
        """Why the connection is to be dropped now, or None."""
        if self.lasted_ms(now_ms) >= self._limits_ms[self.state]:
            return _DROPS[self.state]
        return None

    def lasted_ms(self, now_ms):
        """How long it has been in its state, in ms."""
        return (now_ms - self.since_ms) & _TICKS

    def _enter(self, state, now_ms):
        self.state = state
        self.since_ms = now_ms


# What differs between the two asyncios: a link has receive(view) -> bytes or None for "nothing
# after all", send(view), close() and peer() -> (host, port).

if hasattr(asyncio, "sleep_ms"):  # MicroPython

    class _Link:
        def __init__(self, reader, writer):
            self._stream = writer
            self.receive = reader.readinto
            if hasattr(socket, "TCP_NODELAY"):  # lwIP; CPython's asyncio sets it by itself
                writer.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        async def send(self, view):
            # Writes at once what the socket takes and copies only the rest; drain then yields in
            # any case, so clients take turns request by request.
            self._stream.write(view)
            await self._stream.drain()

        async def close(self):
            await self._stream.wait_closed()

        def peer(self):
            address = self._stream.get_extra_info("peername")
            if isinstance(address, tuple):
                return address[:2]
            # The unix port, which the stubs do not describe, has raw addresses.
            family, host, port = socket.sockaddr(address)[:3]  # type: ignore[attr-defined]
            return socket.inet_ntop(family, host), port  # type: ignore[attr-defined]

    async def _listen(client, host, port):
        if port:
            return await asyncio.start_server(client, host, port), port
        # Sockets here cannot tell which port the system chose, so it is chosen from the range for
        # that (RFC 6335, 6) until one is free.
        for _ in range(50):
            port = 49152 + (int.from_bytes(os.urandom(2), "little") & 0x3FFF)
            try:
                return await asyncio.start_server(client, host, port), port
            except OSError as fault:
                last = fault
        raise last

else:  # CPython

    class _Link:  # type: ignore[no-redef]
        def __init__(self, reader, writer):
            self._reader = reader
            self._writer = writer
            # drain() then waits until all is with the system: one answer in memory at most.
            writer.transport.set_write_buffer_limits(0)

        async def receive(self, view):
            data = await self._reader.read(len(view))
            view[: len(data)] = data
            return len(data)

        async def send(self, view):
            self._writer.write(bytes(view))
            await self._writer.drain()
            # Neither write nor read yields when all is ready: clients take turns here.
            await asyncio.sleep(0)

        async def close(self):
            # Nothing worth keeping can be in its buffer: every answer was drained, or is given up.
            self._writer.transport.abort()
            try:
                await self._writer.wait_closed()
            except OSError:
                pass  # it was reset by the peer: closed all the same

        def peer(self):
            # None when it has gone before it could be asked.
            return (self._writer.get_extra_info("peername") or ("", 0))[:2]

    async def _listen(client, host, port):
        limit = 2 * _FRAME_MAX
        server = await asyncio.start_server(client, host, port, limit=limit)  # type: ignore[call-arg]
        return server, server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]


async def serve(
    core,
    host="0.0.0.0",
    port=502,
    *,
    max_clients=4,
    idle_s=60,
    frame_s=2,
    stall_s=2,
    evict_s=10,
    settle_s=0.1,
    on_event=None,
    ticks=ticks_ms,
):
    """Starts serving `core` and returns the running Server; its `port` is what was asked for, or
    for port 0 the one that was chosen.

    The times are those of this module's opening, in seconds. `on_event(event, peer, reason)` is
    told "open", "close" and "refuse" with the peer's (host, port); it must not block. Raises
    ValueError for a bad argument and OSError, saying what to do, when it cannot listen.
    """
    if max_clients < 1 or min(idle_s, frame_s, stall_s) <= 0 or evict_s < 0 or settle_s < 0:
        raise ValueError("Modbus TCP: max_clients, idle_s, frame_s, stall_s must be positive")
    limits_ms = (int(idle_s * 1000), int(frame_s * 1000), int(stall_s * 1000))  # by state
    if max(limits_ms) > _TICKS // 2:
        raise ValueError("Modbus TCP: a time is above 6 days")
    server = Server(
        core, max_clients, limits_ms, int(evict_s * 1000), int(settle_s * 1000), on_event, ticks
    )
    await server.start(host, port)
    return server


class _Seat:
    def __init__(self, core, limits_ms):
        self.connection = Connection(core, limits_ms)
        self.task = None  # None while the seat is free
        self.reason = ""  # why the task was cancelled, "" while it was not
        self.heir = None  # the task that gets the seat after this one, when it was evicted


class Server:
    """A running Modbus TCP server; made by `serve`.

    `port` is where it listens. Counters: `accepted`, `refused`, and `dropped`, a dict by reason:
    "idle", "half frame", "stalled", "evicted", "protocol identifier", "length", "reset" (by the
    peer), "fault" (an error in here, `last_fault` says which).
    """

    def __init__(self, core, max_clients, limits_ms, evict_ms, settle_ms, on_event, ticks):
        self._core = core
        self._seats = [_Seat(core, limits_ms) for _ in range(max_clients)]
        self._evict_ms = evict_ms
        self._settle_ms = settle_ms
        self._on_event = on_event
        self._ticks = ticks
        # Drops are late by this at most.
        self._tick_ms = max(5, min(250, min(limits_ms) // 4))
        self._listener = None
        self._watch_task = None
        self._closing = False
        self._links = 0  # connections not closed yet, with a seat or without
        self.port = None
        self.accepted = 0
        self.refused = 0
        self.dropped = {}
        self.last_fault = ""

    @property
    def clients(self):
        """How many are connected."""
        return sum(1 for seat in self._seats if seat.task is not None)

    def stats(self):
        """All counters, the core's as well, as a dict for logs and the monitor."""
        core = self._core
        return {
            "clients": self.clients,
            "accepted": self.accepted,
            "refused": self.refused,
            "dropped": dict(self.dropped),
            "requests": core.requests,
            "exceptions": core.exceptions,
            "busy": core.busy,
            "faults": core.faults,
        }

    async def start(self, host, port):
        try:
            self._listener, self.port = await _listen(self._client, host, port)
        except OSError as fault:
            raise OSError(
                fault.errno,
                "Modbus TCP cannot listen on %s:%d (%s): choose another port, or stop what uses it"
                % (host, port, fault),
            )
        self._watch_task = asyncio.create_task(self._watch())

    async def close(self):
        """Stops listening and drops all clients."""
        self._closing = True
        self._watch_task.cancel()  # type: ignore[union-attr]
        self._listener.close()  # type: ignore[union-attr]
        while self._links:
            for seat in self._seats:
                self._drop(seat, "stopped")
            await sleep_ms(0)
        await self._listener.wait_closed()  # type: ignore[union-attr]

    async def _client(self, reader, writer):
        link = _Link(reader, writer)
        self._links += 1
        try:
            peer = link.peer() if self._on_event else None
            seat = await self._take_seat()
            if seat is None:
                self.refused += 1
                self._tell("refuse", peer, "")
            else:
                reason = await self._attend(seat, link, peer)
                self._tell("close", peer, reason)
        except Exception as fault:
            # Nothing of one client may reach the event loop, where it would end the controller's
            # other work; on_event can fail here as well.
            self._count("fault")
            self.last_fault = repr(fault)
        finally:
            await link.close()
            self._links -= 1

    async def _take_seat(self):
        if self._closing:
            return None
        for seat in self._seats:
            if seat.task is None:
                seat.task = asyncio.current_task()
                return seat
        seat = self._longest_idle()
        if seat is None:
            return None
        # The seat passes from task to task without being free, so no third client slips in.
        task = asyncio.current_task()
        seat.heir = task
        self._drop(seat, "evicted")
        while seat.task is not task:
            await sleep_ms(0)
        return seat

    def _longest_idle(self):
        now = self._ticks()
        longest = None
        longest_ms = self._evict_ms
        for seat in self._seats:
            if seat.connection.state == IDLE and not seat.reason:
                idle_ms = seat.connection.lasted_ms(now)
                if idle_ms >= longest_ms:
                    longest = seat
                    longest_ms = idle_ms
        return longest

    async def _attend(self, seat, link, peer):
        """Serves one client to its end; says why it ended."""
        self.accepted += 1
        seat.connection.open(self._ticks())
        try:
            self._tell("open", peer, "")
            reason = await self._converse(seat.connection, link)
        except asyncio.CancelledError:
            reason = seat.reason or "stopped"
        except OSError:
            reason = "reset"
        finally:
            seat.task = seat.heir
            seat.heir = None
            seat.reason = ""
        if reason not in ("closed", "stopped"):
            self._count(reason)
        return reason

    async def _converse(self, connection, link):
        while True:
            n = await link.receive(connection.space())
            if n is None:
                continue
            if n == 0:
                return "closed"
            connection.received(n, self._ticks())
            step = connection.answer(self._ticks())
            while step > 0:
                if step == 2 and self._core.settled:
                    await self._settle()
                await link.send(connection.out())
                step = connection.answer(self._ticks())
            if step < 0:
                return connection.fault

    async def _settle(self):
        settled = self._core.settled
        start = self._ticks()
        while not settled() and (self._ticks() - start) & _TICKS < self._settle_ms:
            await sleep_ms(1)

    async def _watch(self):
        # One task looks at all deadlines: a timeout around each read would cost a task object a
        # frame on MicroPython.
        while True:
            await sleep_ms(self._tick_ms)
            now = self._ticks()
            for seat in self._seats:
                if seat.task is not None:
                    reason = seat.connection.overdue(now)
                    if reason:
                        self._drop(seat, reason)

    def _drop(self, seat, reason):
        if seat.task is not None and not seat.reason:
            seat.reason = reason
            seat.task.cancel()

    def _count(self, reason):
        self.dropped[reason] = self.dropped.get(reason, 0) + 1

    def _tell(self, event, peer, reason):
        if self._on_event:
            self._on_event(event, peer, reason)
