"""Modbus RTU against pymodbus: our server on CPython and on MicroPython at one end of a pty, an
independent client at the other."""

import json
import os
import pty
import random
import subprocess
import tty
from pathlib import Path

import pytest
from pymodbus.client import ModbusSerialClient

from tests.conformance.modbus_client import good
from tests.conformance.test_modbus_peer import INTERPRETERS, interpreter

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("modbus_rtu_server.py")
UNIT = 17


@pytest.fixture(scope="module", params=INTERPRETERS)
def client(request):
    """pymodbus's client, at the terminal whose other end the server has."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with subprocess.Popen(
        [*interpreter(request.param), str(SERVER), str(ROOT), str(ours)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=(ours,),
    ) as server:
        try:
            assert server.stdout.readline() == "listening\n"
            made = ModbusSerialClient(os.ttyname(theirs), baudrate=2400, timeout=5, retries=0)
            assert made.connect()
            yield made
            made.close()
            out, err = server.communicate("\n", timeout=10)
            assert err == ""
            assert json.loads(out)["faults"] == 0
        finally:
            server.kill()
            os.close(ours)
            os.close(theirs)


def silent(client):
    """No answer, and the line is free again."""
    client.socket.timeout = 0.1
    data = client.socket.read(1)
    client.socket.timeout = 5
    return data == b""


def initial(first, count):
    return [2 * k * 7 & 0xFF | ((2 * k + 1) * 7 & 0xFF) << 8 for k in range(first, first + count)]


def test_values_of_every_table(client):
    good(client.write_registers(0, initial(0, 10), device_id=UNIT))
    holding = client.read_holding_registers(0, count=10, device_id=UNIT)
    assert good(holding).registers == initial(0, 10)
    read = client.read_input_registers(3, count=7, device_id=UNIT)
    assert good(read).registers == initial(3, 7)
    for value in (True, False):
        good(client.write_coil(8, value, device_id=UNIT))
        assert good(client.read_coils(8, count=1, device_id=UNIT)).bits[0] is value
        read = client.read_discrete_inputs(10, count=3, device_id=UNIT)
        assert good(read).bits[:3] == [False, value, False]


@pytest.mark.parametrize("count", [1, 57, 123])
def test_writes_and_reads_up_to_the_limits(client, count):
    values = random.Random(count).choices(range(65536), k=count)
    good(client.write_registers(30, values, device_id=UNIT))
    read = client.read_holding_registers(30, count=count, device_id=UNIT)
    assert good(read).registers == values
    longest = client.read_holding_registers(28, count=125, device_id=UNIT)
    assert good(longest).registers[2 : 2 + count] == values
    bits = random.Random(count).choices([False, True], k=16 * count)
    good(client.write_coils(0, bits, device_id=UNIT))
    read = client.read_coils(0, count=16 * count, device_id=UNIT)
    assert good(read).bits == bits


def test_mask_write_and_read_write(client):
    good(client.write_registers(20, [0x0012, 1, 2, 3], device_id=UNIT))
    good(client.mask_write_register(address=20, and_mask=0x00F2, or_mask=0x0025, device_id=UNIT))
    answer = client.readwrite_registers(
        read_address=20, read_count=4, write_address=21, values=[0xAAAA, 0x5555], device_id=UNIT
    )
    assert good(answer).registers == [0x0017, 0xAAAA, 0x5555, 3]


def test_exceptions(client):
    refused = client.read_holding_registers(150, count=51, device_id=UNIT)
    assert (refused.function_code, refused.exception_code) == (0x83, 2)
    refused = client.diag_query_data(b"\x12\x34", device_id=UNIT)
    assert (refused.function_code, refused.exception_code) == (0x88, 1)


def test_a_broadcast_is_executed_and_others_are_not_answered(client):
    good(client.write_register(5, 1, device_id=UNIT))
    client.write_register(5, 4711, device_id=0, no_response_expected=True)
    assert silent(client)
    client.write_register(5, 1, device_id=18, no_response_expected=True)
    assert silent(client)
    read = client.read_holding_registers(5, count=1, device_id=UNIT)
    assert good(read).registers == [4711]


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_forgotten_at_the_next_silence(client, seed):
    made = random.Random(seed)
    for length in (1, 2, 7, 300, 700):
        client.socket.write(made.randbytes(length))
        assert silent(client)
        read = client.read_input_registers(190, count=10, device_id=UNIT)
        assert good(read).registers == initial(190, 10)
