"""pymodbus against a controller: a compiled program that scans under real MicroPython while
several clients read and write it. The server alone is in test_modbus_peer.py."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.modbus_client import closed, good, peer, raw

ROOT = Path(__file__).parents[2]

PROGRAM = """
PROGRAM Station
VAR
    // inputs and outputs
    gate AT %IX0.3 : BOOL;
    weight AT %IW2 : INT;
    lamp AT %QX0.0 : BOOL;
    valve AT %QX1.2 : BOOL;             // nobody here writes it
    first AT %MW10 : WORD;
    last AT %MW19 : WORD;
    // what clients write
    go : BOOL;
    a, b : INT;
    setpoint : REAL;
    small : SINT;
    table : ARRAY [0..249] OF WORD;
    flags : ARRAY [0..1967] OF BOOL;
    // what the program makes of it
    scans, starts : UDINT;
    edge : R_TRIG;
    open : BOOL;
    sum : DINT;
    half : REAL;
    mirror : ARRAY [0..249] OF WORD;
    raised, n : INT;
END_VAR
    scans := scans + 1;
    edge(CLK := go);
    IF edge.Q THEN
        starts := starts + 1;
    END_IF;
    lamp := go;
    open := valve;
    sum := a + b;
    half := setpoint / 2.0;
    last := NOT first;
    FOR n := 0 TO 249 DO
        mirror[n] := NOT table[n];
    END_FOR;
    raised := 0;
    FOR n := 0 TO 1967 DO
        IF flags[n] THEN
            raised := raised + 1;
        END_IF;
    END_FOR;
END_PROGRAM

CONFIGURATION plant
    TASK main(INTERVAL := T#{interval_ms}ms, PRIORITY := 1);
    PROGRAM station WITH main : Station;
END_CONFIGURATION
"""
WIRING = """
[project]
name = "station"
board = "host"

[server.modbus-tcp]
host = "127.0.0.1"
max_clients = 6
{options}

[server.modbus-tcp.coils]
"0..15" = "%QX0.0:rw"
100 = "station.go:rw"
101 = "station.open"
"1000..2967" = "station.flags:rw"

[server.modbus-tcp.discrete]
"0..7" = "%IX0.0"
8 = "station.edge.Q"
9 = "station.go"

[server.modbus-tcp.input]
0 = "%IW2"
1 = "station.raised"
2 = "station.starts"
4 = "station.half"
6 = "station.scans"

[server.modbus-tcp.holding]
0 = "station.a:rw"
1 = "station.b:rw"
2 = "station.sum"
4 = "station.setpoint:rw"
6 = "station.half:ro"
8 = "station.small:rw"
9 = "station.go:rw"
"20..29" = "%MW10:rw"
1000 = "station.table:rw"
2000 = "station.mirror"
"""
INPUT_BIT, INPUT_WORD = 3, 0
GO, OPEN, FLAGS = 100, 101, 1000
RAISED, STARTS, SCANS = 1, 2, 6
A, SUM, SETPOINT, HALF, SMALL, GO_REGISTER, WORDS = 0, 2, 4, 6, 8, 9, 20
TABLE, MIRROR = 1000, 2000


class Controller:
    """`takt run --on micropython` of the station; `port` is where its server listens."""

    def __init__(self, folder: Path, interval_ms: int = 20, options: str = "") -> None:
        folder.joinpath("takt.toml").write_text(WIRING.format(options=options), encoding="utf-8")
        text = PROGRAM.replace("{interval_ms}", str(interval_ms))
        folder.joinpath("station.st").write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "host_tools.cli", "run", str(folder)]
        command += ["--on", "micropython", "--clock", "real", "--modbus-port", "0", "--json"]
        command += ["--set", "%IX0.3=TRUE", "--set", "station.weight=-1234"]
        self._interval_ns = interval_ms * 1_000_000
        self._process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        told = []
        for line in self._process.stderr:
            told.append(line)
            if "modbus-tcp server on port" in line:
                self.port = int(line.split()[-1])
                return
        self.kill()
        raise AssertionError("".join(told))

    def stop(self) -> dict[str, Any]:
        """Ctrl-C: what the run left. Every release must have been served once, or counted as
        skipped, and the program must have seen each scan. Ctrl-C may fall into a scan: then its
        release is counted, perhaps the program has seen it, and the scan is not counted."""
        self._process.send_signal(signal.SIGINT)
        out, err = self._process.communicate(timeout=60)
        assert err == ""
        left: dict[str, Any] = json.loads(out)
        (task,) = left["tasks"]
        assert left["fault"] is None
        seen = left["variables"]["station.scans"]
        assert 0 < task["scans"] <= seen <= left["scans"] <= task["scans"] + 1
        releases = left["time_ns"] // self._interval_ns
        assert releases - 1 <= task["scans"] + task["skipped"] <= releases + 1
        return left

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Iterator[Controller]:
    controller = Controller(folder, **options)
    try:
        yield controller
    finally:
        controller.kill()


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with running(tmp_path_factory.mktemp("station")) as made:
        yield made
        made.stop()


@pytest.fixture
def client(controller: Controller) -> Iterator[Any]:
    with peer(controller) as client:
        yield client


def holding(client: Any, address: int, count: int = 1) -> list[int]:
    registers: list[int] = good(client.read_holding_registers(address, count=count)).registers
    return registers


def inputs(client: Any, address: int, count: int = 1) -> list[int]:
    registers: list[int] = good(client.read_input_registers(address, count=count)).registers
    return registers


def eventually(read: Callable[[], Any], expected: Any) -> None:
    """What is read becomes this: at once, unless the machine is so busy that a release came later
    than a write is held back for it."""
    end = time.monotonic() + 20
    while (value := read()) != expected:
        assert time.monotonic() < end, f"{value}, not {expected}"


def real(client: Any, registers: list[int]) -> float:
    value: float = client.convert_from_registers(registers, client.DATATYPE.FLOAT32)
    return value


def test_inputs_are_read_as_the_program_sees_them(client: Any) -> None:
    assert good(client.read_discrete_inputs(0, count=8)).bits == [n == 3 for n in range(8)]
    assert inputs(client, INPUT_WORD) == [-1234 & 0xFFFF]


def test_a_coil_becomes_an_output_at_the_next_release(client: Any) -> None:
    before = inputs(client, STARTS, 2)[1]
    for round in (1, 2):
        for value in (True, False):
            good(client.write_coil(GO, value))
            eventually(lambda: good(client.read_coils(0, count=1)).bits[0], value)
            assert good(client.read_discrete_inputs(9, count=1)).bits[0] is value
        assert inputs(client, STARTS, 2) == [0, before + round]


def test_output_bits_are_coils_that_keep_their_neighbours(client: Any) -> None:
    good(client.write_coils(8, [True, False, True, True]))
    eventually(lambda: good(client.read_coils(8, count=8)).bits[:5], [True, False, True, True, 0])
    eventually(lambda: good(client.read_coils(OPEN, count=1)).bits[0], True)
    good(client.write_coil(10, False))
    eventually(lambda: good(client.read_coils(8, count=5)).bits[:5], [True, False, False, True, 0])
    eventually(lambda: good(client.read_coils(OPEN, count=1)).bits[0], False)
    # What the program writes it keeps writing.
    good(client.write_coil(0, True))
    eventually(lambda: good(client.read_coils(0, count=1)).bits[0], False)


def test_integers_go_in_and_their_sum_comes_out(client: Any) -> None:
    for a, b in ((3, 4), (-30000, -30000), (32767, 1)):
        good(client.write_registers(A, [a & 0xFFFF, b & 0xFFFF]))
        eventually(lambda: holding(client, SUM, 2), list(struct.unpack(">2H", total(a, b))))
    good(client.write_register(A, 100))
    eventually(lambda: holding(client, SUM, 2), [0, 101])


def total(a: int, b: int) -> bytes:
    # INT plus INT wraps at 16 bits, and becomes a DINT then.
    return struct.pack(">i", (a + b + 0x8000 & 0xFFFF) - 0x8000)


def test_a_real_takes_two_registers(client: Any) -> None:
    for value in (21.5, -0.015625, 0.0):
        registers = client.convert_to_registers(value, client.DATATYPE.FLOAT32)
        good(client.write_registers(SETPOINT, registers))
        assert real(client, holding(client, SETPOINT, 2)) == value
        eventually(lambda: real(client, holding(client, HALF, 2)), value / 2)
        assert real(client, inputs(client, 4, 2)) == value / 2


def test_memory_words_mask_write_and_read_write(client: Any) -> None:
    good(client.write_registers(WORDS, [0x1234]))
    eventually(lambda: holding(client, WORDS + 9), [0x1234 ^ 0xFFFF])
    good(client.mask_write_register(address=WORDS, and_mask=0xF0F0, or_mask=0x0505))
    eventually(lambda: holding(client, WORDS + 9), [0x1535 ^ 0xFFFF])
    answer = client.readwrite_registers(
        read_address=WORDS, read_count=3, write_address=WORDS + 1, values=[7, 8]
    )
    assert good(answer).registers == [0x1535, 7, 8]
    assert holding(client, WORDS, 3) == [0x1535, 7, 8]


def test_125_registers_in_one_read_and_123_in_one_write(client: Any) -> None:
    values = random.Random(5).choices(range(65536), k=250)
    good(client.write_registers(TABLE, values[:123]))
    good(client.write_registers(TABLE + 123, values[123:246]))
    answer = client.readwrite_registers(
        read_address=TABLE, read_count=125, write_address=TABLE + 129, values=values[129:]
    )
    assert good(answer).registers == values[:125]
    assert holding(client, TABLE, 125) == values[:125]
    assert holding(client, TABLE + 125, 125) == values[125:]
    mirrored = [value ^ 0xFFFF for value in values]
    eventually(lambda: holding(client, MIRROR + 125, 125), mirrored[125:])
    assert holding(client, MIRROR, 125) == mirrored[:125]


def test_1968_variables_in_one_write_of_coils(client: Any) -> None:
    for seed in (1, 2):
        values = random.Random(seed).choices([False, True], k=1968)
        good(client.write_coils(FLAGS, values))
        assert good(client.read_coils(FLAGS, count=1968)).bits == values
        eventually(lambda: inputs(client, RAISED), [sum(values)])


def test_exceptions_say_what_was_wrong_and_change_nothing(
    client: Any, controller: Controller
) -> None:
    good(client.write_registers(A, [1, 2]))
    good(client.write_register(SMALL, 0xFF80))
    for answer, code in (
        (client.read_holding_registers(10, count=1), 2),
        (client.read_holding_registers(TABLE + 249, count=2), 2),
        (client.read_coils(16, count=1), 2),
        (client.read_input_registers(65535, count=1), 2),
        (client.write_registers(A, [5, 5, 5]), 2),  # the third is read-only
        (client.write_register(SUM, 0), 2),
        (client.write_coil(OPEN, True), 2),
        (client.write_register(SMALL, 128), 3),  # a SINT holds -128 to 127
        (client.write_register(GO_REGISTER, 2), 3),
        (client.read_exception_status(), 1),
        (client.read_device_information(), 1),
    ):
        assert answer.exception_code == code, answer
    with raw(controller) as other:
        assert other.ask("03 03 e8 00 7e") == "83 03"  # 126 registers
        assert other.ask("01 03 e8 07 d1") == "81 03"  # 2001 coils
        assert other.ask("05 00 64 12 34") == "85 03"  # neither on nor off
        assert other.ask("10 03 e8 00 7c f8" + "00" * 247) == "90 03"  # 124 registers
        assert other.ask("42 00 00") == "c2 01"
    assert holding(client, A, 2) == [1, 2]
    assert holding(client, SMALL) == [0xFF80]
    assert holding(client, GO_REGISTER) == [0]


def test_transaction_identifiers_wrap(client: Any, controller: Controller) -> None:
    numbers = iter([65534, 65535, 0, 1])
    client.transaction.getNextTID = lambda: next(numbers)
    for value in range(4):
        good(client.write_register(WORDS + 5, value))
    with raw(controller) as other:
        for transaction in (65534, 65535, 0, 1):
            assert other.ask("03 00 19 00 01", transaction) == "03 02 00 03"


def test_three_clients_at_once(controller: Controller) -> None:
    def work(k: int) -> int:
        first = 80 * k
        with peer(controller) as mine:
            for turn in range(25):
                values = [k << 12 | turn << 6 | n for n in range(60)]
                good(mine.write_registers(TABLE + first, values))
                assert holding(mine, TABLE + first, 60) == values
                mirrored = [value ^ 0xFFFF for value in values]
                eventually(lambda: holding(mine, MIRROR + first, 60), mirrored)
        return k

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [0, 1, 2]


def test_requests_of_three_clients_interleaved(controller: Controller) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(raw(controller)) for _ in range(3)]
        for turn in range(20):
            requests = [
                struct.pack(">HHHBBHH", turn << 8 | k, 0, 6, k, 6, TABLE + k, turn)
                for k in range(3)
            ]
            for client, request in zip(clients, requests, strict=True):
                client.send(request[:7])
            for client, request in zip(clients, requests, strict=True):
                client.send(request[7:])
            # The first to have asked is read last.
            for client, request in reversed(list(zip(clients, requests, strict=True))):
                assert client.receive(12) == request.hex(" ")


def test_half_a_frame_and_silence_are_dropped_and_others_go_on(tmp_path: Path) -> None:
    with running(tmp_path, options="idle_s = 4") as controller, contextlib.ExitStack() as stack:
        half, silent = (stack.enter_context(raw(controller)) for _ in range(2))
        mine = stack.enter_context(peer(controller))
        half.send("00 01 00 00 00 09 01 10 03 e8 00")
        assert silent.ask("03 00 00 00 01") == "03 02 00 00"
        rounds, order = 0, []
        while len(order) < 2:
            rounds += 1
            good(mine.write_register(A, rounds & 0x7FFF))
            eventually(lambda: holding(mine, SUM, 2), [0, rounds & 0x7FFF])
            for name, other in (("half", half), ("silent", silent)):
                if name not in order and closed(other):
                    order.append(name)
        # A frame may take 2 s, a client may be silent for the 4 s of takt.toml.
        assert order == ["half", "silent"]
        assert holding(mine, TABLE) == [0]
        # Their places are free again.
        for _ in range(5):
            assert stack.enter_context(raw(controller)).ask("03 00 01 00 01") == "03 02 00 00"
        left = controller.stop()
    assert left["variables"]["station.a"] == rounds & 0x7FFF
    assert left["scans"] > 100


def test_a_write_is_confirmed_when_a_slow_task_has_seen_it(tmp_path: Path) -> None:
    with running(tmp_path, interval_ms=300) as controller:
        with peer(controller) as mine:
            before = inputs(mine, SCANS, 2)
            confirmed = []
            for value in range(1, 6):
                good(mine.write_register(A, value))
                confirmed.append(holding(mine, SUM, 2)[1])
            scans = inputs(mine, SCANS, 2)[1] - before[1]
        controller.stop()
    assert confirmed == [1, 2, 3, 4, 5]
    # Each had to wait for a release of its own.
    assert scans >= 5
