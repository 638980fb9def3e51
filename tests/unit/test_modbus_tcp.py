"""Modbus TCP: framing in any chunking, deadlines on virtual time, and the asyncio server."""

import asyncio
import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.modbus.map import RegisterMap
from bus.modbus.pdu import Core
from bus.modbus.tcp import FRAME, IDLE, SENDING, Connection, serve

LIMITS_MS = (60000, 2000, 3000)


class Direct:
    """A mailbox that applies at once, or when told if `holding`."""

    def __init__(self, image):
        self.image = image
        self.holding = False
        self.held = []

    def reserve(self, n, size):
        return True

    def post(self, offset, data):
        self.held.append((offset, bytes(data)))
        if not self.holding:
            self.release()

    def post_bits(self, offset, mask, value):
        self.post(offset, bytes([self.image[offset] & ~mask | value]))

    def release(self):
        for offset, data in self.held:
            self.image[offset : offset + len(data)] = data
        self.held.clear()

    def settled(self):
        return not self.held


def make_core(units=None, mailbox=None):
    image = bytearray(range(250)) if mailbox is None else mailbox.image
    rows = [["holding", 0, 125, 0, "u16", True], ["coil", 0, 2000, 0, 0, 1, True]]
    return Core(RegisterMap(rows, image, mailbox or Direct(image)), units)


def make(units=None, now_ms=0):
    connection = Connection(make_core(units), LIMITS_MS)
    connection.open(now_ms)
    return connection


def put(connection, data, now_ms=0):
    """What a transport does with received bytes; all answers, and whether to drop."""
    sent = b""
    while data:
        space = connection.space()
        n = min(len(space), len(data))
        assert n > 0
        space[:n] = data[:n]
        data = data[n:]
        connection.received(n, now_ms)
        step = connection.answer(now_ms)
        while step > 0:
            sent += bytes(connection.out())
            step = connection.answer(now_ms)
        if step < 0:
            return sent, True
    return sent, False


def frame(transaction, unit, pdu, protocol=0, length=None):
    pdu = bytes.fromhex(pdu) if isinstance(pdu, str) else pdu
    return struct.pack(">HHHB", transaction, protocol, length or 1 + len(pdu), unit) + pdu


READ = "03 00 01 00 02"
READ_ANSWER = "03 04 03 02 05 04"


def test_header_is_echoed_and_the_length_is_of_the_answer():
    connection = make()
    for transaction, unit in [(0x1234, 1), (65535, 255), (0, 0), (1, 17)]:
        sent, drop = put(connection, frame(transaction, unit, READ))
        assert sent == frame(transaction, unit, READ_ANSWER)
        assert not drop


def test_the_longest_frames():
    connection = make()
    sent, _ = put(connection, frame(1, 1, "03 00 00 00 7d"))
    assert len(sent) == 259
    assert sent == frame(1, 1, b"\x03\xfa" + bytes(range(250))[::1].translate(SWAP))
    # FC 15 and 16 at their limits; 260 bytes, the most a frame has, comes as an unknown function.
    assert put(connection, frame(2, 1, b"\x0f\0\0\x07\xb0\xf6" + bytes(246))) == (
        frame(2, 1, "0f 00 00 07 b0"),
        False,
    )
    assert put(connection, frame(3, 1, b"\x10\0\0\0\x7b\xf6" + bytes(246)))[0] == (
        frame(3, 1, "10 00 00 00 7b")
    )
    longest = frame(4, 1, b"\x2b" + bytes(252))
    assert len(longest) == 260
    assert put(connection, longest) == (frame(4, 1, "ab 01"), False)


SWAP = bytes(b ^ 1 for b in range(256))  # of byte k at place k: the two bytes of each word


def test_pipelined_requests_are_answered_in_order():
    connection = make()
    requests = b"".join(frame(k, 1, f"03 00 {k:02x} 00 01") for k in range(100))
    answers = b"".join(frame(k, 1, f"03 02 {2 * k + 1:02x} {2 * k:02x}") for k in range(100))
    assert put(connection, requests) == (answers, False)
    assert connection.state == IDLE


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ("00 01 01", "protocol identifier"),
        ("00 01 00 01", "protocol identifier"),
        ("00 01 00 00 00 00", "length"),
        ("00 01 00 00 00 01", "length"),
        ("00 01 00 00 00 ff", "length"),
        ("00 01 00 00 01 00", "length"),
        ("00 01 00 00 ff ff", "length"),
        (b"GET / HTTP/1.1\r\n".hex(), "protocol identifier"),
        (b"\x16\x03\x01\x02\x00\x01".hex(), "protocol identifier"),
    ],
)
def test_what_is_not_modbus_is_dropped_at_once(data, fault):
    connection = make()
    answers, drop = put(connection, frame(1, 1, READ) + bytes.fromhex(data))
    assert drop
    assert connection.fault == fault
    assert answers == frame(1, 1, READ_ANSWER)


def test_other_units_get_exception_11():
    connection = make(units=(7,))
    assert put(connection, frame(5, 8, READ) + frame(6, 7, READ)) == (
        frame(5, 8, "83 0b") + frame(6, 7, READ_ANSWER),
        False,
    )


def test_deadlines_of_each_state():
    start = (1 << 30) - 1000  # the clock wraps in the middle
    connection = make(now_ms=start)

    def after(ms):
        return start + ms & (1 << 30) - 1

    assert connection.overdue(after(59999)) is None
    assert connection.overdue(after(60000)) == "idle"

    request = frame(1, 1, READ)
    put(connection, request[:1], after(50000))
    assert connection.state == FRAME
    put(connection, request[1:-1], after(51500))  # more bytes do not give more time
    assert connection.overdue(after(51999)) is None
    assert connection.overdue(after(52000)) == "half frame"

    space = connection.space()
    space[:1] = request[-1:]
    connection.received(1, after(51900))
    assert connection.answer(after(51900)) == 1
    assert connection.state == SENDING
    assert connection.overdue(after(54899)) is None
    assert connection.overdue(after(54900)) == "stalled"
    assert connection.answer(after(54000)) == 0
    assert connection.state == IDLE
    assert connection.overdue(after(113999)) is None
    assert connection.overdue(after(114000)) == "idle"


def test_half_a_frame_after_a_whole_one_has_its_own_deadline():
    connection = make()
    put(connection, frame(1, 1, READ) + b"\0\2\0", 5000)
    assert connection.state == FRAME
    assert connection.overdue(6999) is None
    assert connection.overdue(7000) == "half frame"


# Any bytes, in any chunks.

pdus = st.one_of(
    st.binary(min_size=1, max_size=253),
    st.builds(
        lambda f, a, n, rest: struct.pack(">BHH", f, a, n) + rest,
        st.sampled_from([1, 2, 3, 4, 5, 6, 15, 16, 22, 23]),
        st.integers(0, 130),
        st.one_of(st.integers(0, 130), st.sampled_from([0, 0xFF00])),
        st.one_of(st.just(b""), st.binary(max_size=20)),
    ),
    st.builds(
        lambda a, words: struct.pack(">BHHB", 16, a, len(words) // 2, len(words)) + words,
        st.integers(0, 130),
        st.binary(max_size=10).map(lambda b: b + b),
    ),
)
frames = st.builds(frame, st.integers(0, 65535), st.integers(0, 255), pdus)
streams = st.lists(st.one_of(frames, frames, frames, st.binary(max_size=30)), max_size=6).map(
    b"".join
)


def split(data):
    """The frames of a stream, by the definition in MG 3.1.3; True if it then is no Modbus."""
    found = []
    while len(data) >= 6:
        protocol, length = struct.unpack_from(">HH", data, 2)
        if protocol or not 2 <= length <= 254:
            return found, True
        if len(data) < 6 + length:
            return found, False
        found.append(data[: 6 + length])
        data = data[6 + length :]
    return found, any(data[2:4])


@settings(derandomize=True, max_examples=300, deadline=None)
@given(data=streams, cuts=st.lists(st.integers(1, 40), max_size=20))
def test_any_bytes_in_any_chunks_give_the_same_well_formed_answers(data, cuts):
    found, broken = split(data)
    whole = make()
    answers, dropped = put(whole, data)
    assert dropped is broken

    rest, sent, drop, connection = data, b"", False, make()
    for n in [*cuts, len(data)]:
        if rest and not drop:
            more, drop = put(connection, rest[:n])
            sent += more
            rest = rest[n:]
    assert (sent, drop) == (answers, broken)

    for request in found:
        length = 6 + (answers[4] << 8 | answers[5])
        answer, answers = answers[:length], answers[length:]
        assert len(answer) == length <= 260
        assert answer[:4] == request[:4]
        assert answer[6] == request[6]
        if answer[7] == request[7] | 0x80 and length == 9:
            assert answer[8] in (1, 2, 3)
        elif request[7] <= 4 or request[7] == 23:
            assert answer[7] == request[7]
            assert length == 9 + answer[8]
        else:
            assert answer[7:] == request[7 : 7 + (7 if request[7] == 22 else 5)]
    assert answers == b""


# The server, on real sockets; deadlines on a clock of the test.


class Clock:
    def __init__(self):
        self.ms = 0

    def __call__(self):
        return self.ms


class Client:
    """A connection that speaks raw bytes."""

    @classmethod
    async def to(cls, server):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", server.port)
        return self

    async def ask(self, data, n):
        self.writer.write(data)
        return await self.reader.readexactly(n)

    async def works(self, transaction=1):
        answer = frame(transaction, 1, READ_ANSWER)
        return await self.ask(frame(transaction, 1, READ), len(answer)) == answer

    async def is_dropped(self):
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True

    async def close(self):
        self.writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def serving(scenario, core=None, **options):
    """Runs `scenario(server, connect, log)` against a server of its own; its statistics after."""
    trouble = []
    log = []

    async def run():
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: trouble.append(context)
        )
        server = await serve(
            core or make_core(),
            "127.0.0.1",
            0,
            on_event=lambda event, peer, reason: log.append((event, reason)),
            **options,
        )
        clients = []

        async def connect():
            clients.append(await Client.to(server))
            return clients[-1]

        try:
            async with asyncio.timeout(20):
                await scenario(server, connect, log)
        finally:
            for client in clients:
                await client.close()
            await server.close()
            stats = server.stats()
        assert stats["clients"] == 0
        return stats

    stats = asyncio.run(run())
    assert trouble == [], "reached the event loop"
    return stats


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


def test_several_clients_at_once():
    async def scenario(server, connect, log):
        clients = [await connect() for _ in range(4)]
        for k in range(50):
            assert await clients[k % 4].works(65530 + k & 0xFFFF)
        results = await asyncio.gather(*(c.works() for c in clients))
        assert results == [True] * 4
        assert server.clients == 4
        await clients[0].close()
        await until(lambda: server.clients == 3)
        assert log[:4] == [("open", "")] * 4
        assert log[4:] in ([("close", "closed")], [("close", "reset")])

    stats = serving(scenario)
    assert stats["requests"] == 54
    assert stats["accepted"] == 4
    assert stats["exceptions"] == stats["faults"] == 0


def test_idle_and_half_open_clients_are_dropped_and_others_go_on():
    clock = Clock()

    async def scenario(server, connect, log):
        idle, half, good = await connect(), await connect(), await connect()
        for client in (idle, half, good):
            assert await client.works()
        half.writer.write(frame(2, 1, READ)[:9])
        await until(lambda: any(s.connection.state == FRAME for s in server._seats))
        clock.ms = 1999
        assert await good.works()
        clock.ms = 2000
        assert await half.is_dropped()
        assert await good.works()
        assert server.clients == 2
        clock.ms = 59999
        assert await good.works()
        clock.ms = 60000
        assert await idle.is_dropped()
        assert await good.works()
        assert log[-2:] == [("close", "half frame"), ("close", "idle")]

    assert serving(scenario, ticks=clock)["dropped"] == {"half frame": 1, "idle": 1}


def test_one_client_too_many_is_closed_but_takes_an_idle_one_s_place():
    clock = Clock()

    async def scenario(server, connect, log):
        first, second = await connect(), await connect()
        assert await first.works()
        clock.ms = 5000
        assert await second.works()
        third = await connect()
        assert await third.is_dropped()
        assert log[-1] == ("refuse", "")
        assert await first.works()
        clock.ms = 14000  # second is idle for 9 s now
        assert await first.works()
        assert await (await connect()).is_dropped()
        clock.ms = 15000
        fourth = await connect()
        assert await fourth.works()
        assert await second.is_dropped()
        assert await first.works()
        assert log[-2:] == [("close", "evicted"), ("open", "")] or log[-2:] == [
            ("open", ""),
            ("close", "evicted"),
        ]

    stats = serving(scenario, max_clients=2, ticks=clock)
    assert stats["refused"] == 2
    assert stats["dropped"] == {"evicted": 1}


def test_a_flood_leaves_the_working_clients_alone():
    async def scenario(server, connect, log):
        good = [await connect() for _ in range(3)]
        for client in good:
            assert await client.works()
        flood = [await connect() for _ in range(40)]
        dropped = 0
        for client in flood[1:]:
            dropped += await client.is_dropped()
        assert dropped == 39
        assert await flood[0].works()
        assert [await client.works() for client in good] == [True] * 3

    stats = serving(scenario, max_clients=4)
    assert stats["refused"] == 39


def test_evictions_all_at_once_give_each_newcomer_one_seat():
    clock = Clock()

    async def scenario(server, connect, log):
        old = [await connect() for _ in range(3)]
        for client in old:
            assert await client.works()
        clock.ms = 10000
        new = await asyncio.gather(*(connect() for _ in range(3)))
        assert await asyncio.gather(*(client.works() for client in new)) == [True] * 3
        assert [await client.is_dropped() for client in old] == [True] * 3
        assert server.clients == 3

    stats = serving(scenario, max_clients=3, ticks=clock)
    assert stats["dropped"] == {"evicted": 3}


def test_a_client_that_never_reads_is_dropped_and_blocks_nobody():
    clock = Clock()

    async def scenario(server, connect, log):
        deaf, good = await connect(), await connect()
        assert await good.works()
        # Ask for long answers without reading them until the server can send no more.
        deaf.writer.transport.pause_reading()
        deaf.writer.transport.set_write_buffer_limits(0)
        ask = asyncio.create_task(flood(deaf))
        seat = server._seats[0]
        count = None
        while seat.connection.state != SENDING or count != server.stats()["requests"]:
            count = server.stats()["requests"]
            for _ in range(100):
                await asyncio.sleep(0)
        assert await good.works()
        clock.ms = 2000
        await until(lambda: server.clients == 1)
        ask.cancel()
        assert await good.works()
        assert log[-1] == ("close", "stalled")

    async def flood(client):
        requests = b"".join(frame(k, 1, "03 00 00 00 7d") for k in range(100))
        while True:
            client.writer.write(requests)
            await client.writer.drain()

    assert serving(scenario, ticks=clock)["dropped"] == {"stalled": 1}


def test_garbage_drops_only_its_sender():
    async def scenario(server, connect, log):
        good = await connect()
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 5000, bytes(5000), b"\0\1\0\0\0\1\1"):
            bad = await connect()
            bad.writer.write(data)
            assert await bad.is_dropped()
            assert await good.works()

    dropped = serving(scenario)["dropped"]
    assert dropped.pop("protocol identifier") + dropped.pop("length") == 4
    assert dropped == {}


def test_a_client_that_resets_in_the_middle_of_its_answers():
    async def scenario(server, connect, log):
        good = await connect()
        for _ in range(5):
            bad = await connect()
            bad.writer.write(b"".join(frame(k, 1, "03 00 00 00 7d") for k in range(200)))
            await bad.reader.readexactly(100)
            bad.writer.transport.abort()
            assert await good.works()
        await until(lambda: server.clients == 1)
        assert await good.works()

    serving(scenario)


def test_a_write_is_confirmed_when_it_has_taken_effect():
    clock = Clock()
    mailbox = Direct(bytearray(250))
    mailbox.holding = True

    async def scenario(server, connect, log):
        client, other = await connect(), await connect()
        client.writer.write(frame(1, 1, "06 00 01 12 34"))
        await until(lambda: mailbox.held)
        assert await other.ask(frame(1, 1, READ), 13) == frame(1, 1, "03 04 00 00 00 00")
        assert len(client.reader._buffer) == 0
        mailbox.release()
        assert await client.reader.readexactly(12) == frame(1, 1, "06 00 01 12 34")
        assert await client.ask(frame(2, 1, READ), 13) == frame(2, 1, "03 04 12 34 00 00")
        # A scan that has stopped does not hold the confirmation for ever.
        client.writer.write(frame(3, 1, "05 00 00 ff 00"))
        await until(lambda: mailbox.held)
        clock.ms = 100
        assert await client.reader.readexactly(12) == frame(3, 1, "05 00 00 ff 00")

    serving(scenario, core=make_core(mailbox=mailbox), ticks=clock)


def test_an_error_of_the_event_hook_ends_one_client_only():
    async def run():
        calls = []

        def hook(event, peer, reason):
            assert peer[0] == "127.0.0.1"
            assert isinstance(peer[1], int)
            calls.append(event)
            if len(calls) == 1:
                raise RuntimeError("disk full")

        server = await serve(make_core(), "127.0.0.1", 0, on_event=hook)
        bad = await Client.to(server)
        assert await bad.is_dropped()
        good = await Client.to(server)
        assert await good.works()
        assert server.stats()["dropped"] == {"fault": 1}
        assert "disk full" in server.last_fault
        await bad.close()
        await good.close()
        await server.close()

    asyncio.run(run())


def test_a_port_in_use_and_bad_arguments_say_so():
    async def run():
        server = await serve(make_core(), "127.0.0.1", 0)
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{server.port}.*choose"):
            await serve(make_core(), "127.0.0.1", server.port)
        await server.close()
        again = await serve(make_core(), "127.0.0.1", server.port)
        await again.close()
        for bad in ({"max_clients": 0}, {"idle_s": 0}, {"frame_s": -1}, {"idle_s": 10**6}):
            with pytest.raises(ValueError, match="Modbus TCP"):
                await serve(make_core(), "127.0.0.1", 0, **bad)

    asyncio.run(run())
