"""`takt run` in a real MicroPython process: the same image, live values, servers, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.cli import main

ROOT = Path(__file__).parents[2]
SCRIPT = (
    "0,main.stop_closed,TRUE\nT#95ms,main.start,TRUE\n20,%IX0.0,FALSE\n90,main.stop_closed,0\n"
)


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "demo"]) == 0
    Path("in.csv").write_text(SCRIPT, encoding="utf-8")
    return Path("demo")


def result(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert main(["run", "demo", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_same_image_after_every_scan(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--scans", "120", "--script", "in.csv", "--trace-crc", "--set", "main.starts=7"]
    common += ["--clock", "virtual"]
    here = result(capsys, *common)
    there = result(capsys, *common, "--on", "micropython")
    assert here["variables"]["main.starts"] == 8
    assert len(set(here["crc"])) > 10
    assert here == there


def test_real_time_prints_live_values_and_a_summary(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    sets = ["--set", "main.stop_closed=TRUE", "--set", "main.start=TRUE"]
    assert main(["run", "demo", "--on", "micropython", "--scans", "60", *sets]) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert any(line.endswith("s  main.motor = TRUE") for line in lines)
    assert "demo on micropython, real clock: 60 scans" in captured.out
    fast = next(line for line in lines if line.startswith("fast")).split()
    assert fast[1] == "60"
    assert float(fast[3]) > 0  # average execution time, measured
    assert "bytes free" in captured.out


def test_a_fault_there_is_told_here(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (demo / "main.st").write_text(
        "PROGRAM main\nVAR n : INT := 3; x : INT; END_VAR\nn := n - 1;\nx := 10 / n;\n"
        "END_PROGRAM\nCONFIGURATION plant\nTASK fast(INTERVAL := T#10ms, PRIORITY := 1);\n"
        "PROGRAM main WITH fast : main;\nEND_CONFIGURATION\n",
        encoding="utf-8",
    )
    capsys.readouterr()
    run = ["run", "demo", "--json", "--clock", "virtual", "--scans", "9"]
    assert main(run) == 1
    here = json.loads(capsys.readouterr().out)
    assert main([*run, "--on", "micropython"]) == 1
    there = json.loads(capsys.readouterr().out)
    assert here == there
    assert (there["fault"]["code"], there["fault"]["line"]) == (1, 4)


# --- as a process ----------------------------------------------------------------------------


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "host_tools.cli", "run", "demo", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def next_line_with(stream: Iterator[str], part: str) -> str:
    return next(line for line in stream if part in line)


@pytest.mark.parametrize("on", ["host", "micropython"])
def test_ctrl_c_ends_a_run_with_its_result(demo: Path, on: str) -> None:
    with start("--on", on, "--clock", "real", "--watch", "main.motor") as run:
        assert run.stdout is not None
        next_line_with(run.stdout, "main.motor = FALSE")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert "Traceback" not in err
    assert "interrupted" in out
    assert "OVERRUNS" in out
    assert run.returncode == 0  # it was to run until then


def test_ctrl_c_before_the_end_is_told(demo: Path) -> None:
    with start("--for", "T#9d", "--watch", "main.motor") as run:
        assert run.stdout is not None
        next_line_with(run.stdout, "main.motor = FALSE")
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert err == ""
    assert "demo on host, virtual clock, interrupted: " in out
    assert run.returncode == 130


WIRED = """
[server.modbus-tcp]
port = 502
host = "127.0.0.1"
coils = { 0 = "main.stop_closed", 8 = "main.lamp:rw" }
holding = { 0 = "main.starts:rw" }
"""


@pytest.mark.parametrize("on", ["host", "micropython"])
def test_a_modbus_client_reads_and_writes_the_running_program(demo: Path, on: str) -> None:
    with (demo / "takt.toml").open("a", encoding="utf-8") as file:
        file.write(WIRED)
    arguments = ["--on", on, "--clock", "real", "--modbus-port", "0", "--json"]
    with start(*arguments, "--set", "main.starts=65543") as run:
        assert run.stderr is not None
        port = int(next_line_with(run.stderr, "modbus-tcp server on port").split()[-1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            # Read holding registers 0 and 1, write 0002 0003, read again (AP 6.3, 6.12).
            assert ask(client, struct.pack(">BHH", 3, 0, 2)) == bytes.fromhex("03 04 0001 0007")
            write = struct.pack(">BHHBHH", 16, 0, 2, 4, 2, 3)
            assert ask(client, write) == bytes.fromhex("10 0000 0002")
            assert ask(client, struct.pack(">BHH", 3, 0, 2)) == bytes.fromhex("03 04 0002 0003")
            # No such register; a coil that is read-only.
            assert ask(client, struct.pack(">BHH", 3, 2, 1)) == bytes.fromhex("83 02")
            assert ask(client, struct.pack(">BHH", 5, 0, 0xFF00)) == bytes.fromhex("85 02")
        run.send_signal(signal.SIGINT)
        out, _ = run.communicate(timeout=60)
    left = json.loads(out)
    assert left["variables"]["main.starts"] == 2 << 16 | 3
    assert left["servers"] == [{"kind": "modbus-tcp", "port": port}]


def ask(client: socket.socket, pdu: bytes) -> bytes:
    client.sendall(struct.pack(">HHHB", 1, 0, len(pdu) + 1, 1) + pdu)
    head = receive(client, 7)
    return receive(client, struct.unpack(">H", head[4:6])[0] - 1)


def receive(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = client.recv(count - len(data))
        assert more, "the server hung up"
        data += more
    return data
