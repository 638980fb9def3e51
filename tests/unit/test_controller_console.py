"""The agent of `takt run` in CPython and in real MicroPython: same images, same messages."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys

import pytest
from controller_support import (
    MS,
    ROOT,
    STATE,
    bundle_bytes,
    messages,
    micropython,
    micropython_tool,
    task,
)

from controller import bundle
from controller import image as im

COUNT, KEPT, SUM = 1100, 1101, 1104
"""Image bytes: releases of task 0 modulo 256, a byte from outside, and an i32 of both tasks."""

SOURCE = f"""
import struct
def attach(image):
    global data
    data = image
def fast():
    data[{COUNT}] = data[{COUNT}] + 1 & 255
    now = struct.unpack_from("<q", data, 24)[0]
    struct.pack_into("<I", data, {SUM}, struct.unpack_from("<I", data, {SUM})[0] * 31 + now
        + data[{KEPT}] & 0xFFFFFFFF)
def slow():
    struct.pack_into("<I", data, {SUM}, struct.unpack_from("<I", data, {SUM})[0] ^ 0x5A5A)
TASKS = (fast, slow)
"""
ROWS = [task(2, 1, outputs=[]), task(7, 2)]
MAP = [["holding", 0, 2, SUM, "u32", False], ["holding", 10, 1, KEPT, "u8", True]]


@pytest.fixture(scope="module")
def slots(tmp_path_factory):
    """The same bundle staged for CPython and for MicroPython."""
    folder = tmp_path_factory.mktemp("console")
    path = folder / "plant.taktb"
    servers = {"modbus-tcp": {"port": 502, "host": "127.0.0.1", "map": MAP}}
    path.write_bytes(bundle_bytes(ROWS, SOURCE, compiled=True, servers=servers))
    bundle.stage(str(path), str(folder / "host"), ("layout.json", "program.mpy"))
    bundle.stage(str(path), str(folder / "micropython"))
    return {"host": str(folder / "host"), "micropython": str(folder / "micropython")}


def host(*arguments):
    run = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


RUNNERS = {"host": host, "micropython": micropython}


def run(kind, slots, **options):
    """The messages of a run, each in the list of its kind."""
    options = {"directory": slots[kind], "clock": "virtual", **options}
    text = RUNNERS[kind]("-m", "controller.console", json.dumps(options))
    found = {}
    for message in messages(text):
        found.setdefault(message.pop("is"), []).append(message)
    return found


def image_of(found):
    data = bytearray(2048)
    for piece in found["image"]:
        raw = bytes.fromhex(piece["hex"])
        data[piece["at"] : piece["at"] + len(raw)] = raw
    return data


def test_both_have_the_same_image_after_every_release(slots):
    script = [[3, KEPT, "2a"], [3, STATE, "ff"], [3, STATE, "00", 15], [50, KEPT, "0102"]]
    options = {"scans": 100, "crc": True, "script": script, "set": [[SUM, "01020304"]]}
    here, there = (run(kind, slots, **options) for kind in RUNNERS)
    assert here["crc"] == there["crc"]
    assert sum(len(batch["crc"]) for batch in here["crc"]) == 100
    assert [batch["first"] for batch in here["crc"]] == [0, 32, 64, 96]
    assert here["image"] == there["image"]
    data = image_of(here)
    assert data[KEPT] == 1
    assert data[STATE] == 0xF0
    assert data[:8] == b"TAKT\2\0\2\0"


def test_the_end_tells_scans_time_tasks_and_no_fault(slots):
    for kind in RUNNERS:
        found = run(kind, slots, until_ns=1000 * MS)
        end = found["end"][0]
        # Releases at multiples of 2 and of 7 ms, those of 14 counted once.
        assert end["scans"] == 500 + 143 - 72
        assert end["time_ns"] == 1000 * MS
        assert [got["scans"] for got in end["tasks"]] == [500, 143]
        assert end["fault"] is None
        assert end["interrupted"] is False
        assert image_of(found)[COUNT] == 500 % 256
        assert im.read_task(image_of(found), 1)["scans"] == 143
        hello = found["hello"][0]
        assert (hello["name"], hello["layout"]) == ("plant", "0001020304050607")
        assert hello["pins"] is False


def test_watched_ranges_are_told_in_virtual_time(slots):
    for kind in RUNNERS:
        watch = run(kind, slots, until_ns=1000 * MS, watch=[[COUNT, 1]], watch_ms=250)["watch"]
        assert [(row["time_ns"] // MS, row["data"]) for row in watch] == [
            (0, ["01"]),
            (250, ["7e"]),
            (500, ["fb"]),
            (750, ["78"]),
        ]


def test_a_real_run_of_50_releases_and_its_servers(slots):
    for kind in RUNNERS:
        options = {"clock": "real", "scans": 50, "port": 0, "watch": [[COUNT, 1]], "watch_ms": 20}
        found = run(kind, slots, **options)
        end = found["end"][0]
        assert end["scans"] == 50
        served = end["tasks"][0]
        due = end["time_ns"] // (2 * MS)
        # What was not served in time is counted, whatever the machine was busy with.
        assert served["scans"] + served["skipped"] <= due + 1
        assert sum(served["histogram"]) == served["scans"]
        server = found["server"][0]
        assert server["kind"] == "modbus-tcp"
        assert 1024 <= server["port"] <= 65535
        assert found["watch"]


def test_a_server_that_cannot_listen_is_a_note_and_the_program_runs(slots):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for kind in RUNNERS:
            found = run(kind, slots, clock="real", scans=3, port=port)
            assert "modbus-tcp is not started" in found["note"][0]["text"]
            assert found["end"][0]["scans"] == 3


def request(port, pdu):
    """One Modbus request over TCP; the PDU of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(struct.pack(">HHHB", 1, 0, len(pdu) + 1, 1) + pdu)
        head = client.recv(7, socket.MSG_WAITALL)
        return client.recv(struct.unpack(">HHHB", head)[2] - 1, socket.MSG_WAITALL)


@pytest.mark.parametrize("kind", RUNNERS)
def test_a_client_writes_and_ctrl_c_ends_it_cleanly(slots, kind):
    options = json.dumps({"directory": slots[kind], "port": 0})
    command = {"host": sys.executable, "micropython": micropython_tool()}[kind]
    process = subprocess.Popen(
        [command, "-m", "controller.console", options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"MICROPYPATH": f"{ROOT}:.frozen"},
    )
    try:
        told = []
        while not any(message["is"] == "server" for message in told):
            line = process.stdout.readline()
            assert line, process.stderr.read()
            told += messages(line)
        port = next(message for message in told if message["is"] == "server")["port"]
        assert request(port, bytes((6, 0, 10, 0, 0x2A))) == bytes((6, 0, 10, 0, 0x2A))
        assert request(port, bytes((3, 0, 10, 0, 1))) == bytes((3, 2, 0, 0x2A))
        process.send_signal(signal.SIGINT)
        text, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    assert process.returncode == 0
    assert errors == ""
    found = messages(text)
    assert found[-1]["is"] == "end"
    assert found[-1]["interrupted"] is True
    pieces = {"image": [message for message in found if message["is"] == "image"]}
    assert image_of(pieces)[KEPT] == 0x2A
    assert im.read_header(image_of(pieces))["state"] == im.STOPPED


def failed(kind, text):
    command = {"host": sys.executable, "micropython": micropython_tool()}[kind]
    run = subprocess.run(
        [command, "-m", "controller.console", text],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"MICROPYPATH": f"{ROOT}:.frozen"},
        timeout=60,
    )
    assert run.returncode == 1
    assert run.stderr == ""
    (message,) = messages(run.stdout)
    assert message["is"] == "error"
    return message["text"]


@pytest.mark.parametrize("kind", RUNNERS)
def test_what_cannot_run_is_one_error_message(slots, kind, tmp_path):
    assert "holds no complete program" in failed(kind, json.dumps({"directory": str(tmp_path)}))
    assert "options" in failed(kind, "{")
    assert "options" in failed(kind, "{}")
    row = [[0, 4000, "00"]]
    options = {"directory": slots[kind], "script": row}
    assert "outside the image" in failed(kind, json.dumps(options))
    options = {"directory": slots[kind], "set": [row[0][1:]]}
    assert "outside the image" in failed(kind, json.dumps(options))
