"""The bus log, and its reading of Modbus against pymodbus's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from recordings import MS, tank

from hil_tests.recording import Frame, Recording
from hil_tests.report.bus_log import (
    bus_protocol,
    frame_texts,
    log_json_lines,
    log_text,
    messages,
    write_bus_log,
)
from hil_tests.report.modbus_frames import crc16, decode, is_rtu, is_tcp, words
from host_tools.failure import Failure

_ADDRESS = st.integers(0, 0xFFFF)
_WORDS = st.lists(_ADDRESS, min_size=1, max_size=120)
_BITS = st.binary(min_size=1, max_size=200)


def w(*numbers: int) -> bytes:
    return b"".join(n.to_bytes(2, "big") for n in numbers)


def rtu(unit: int, pdu: bytes) -> bytes:
    body = bytes([unit]) + pdu
    return body + crc16(body).to_bytes(2, "little")


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    function = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 15, 16, 22, 23]))
    address = draw(_ADDRESS)
    if function <= 4:
        body = w(address, draw(st.integers(1, 125)))
    elif function == 5:
        body = w(address, draw(st.sampled_from([0, 0xFF00])))
    elif function == 6:
        body = w(address, draw(_ADDRESS))
    elif function == 22:
        body = w(address, draw(_ADDRESS), draw(_ADDRESS))
    elif function == 15:
        data = draw(_BITS)
        count = 8 * len(data) - draw(st.integers(0, 7))
        body = w(address, count) + bytes([len(data)]) + data
    else:
        values = draw(_WORDS)
        written = w(address, len(values)) + bytes([2 * len(values)]) + w(*values)
        body = (
            written if function == 16 else w(draw(_ADDRESS), draw(st.integers(1, 125))) + written
        )
    return bytes([function]) + body


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    function = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 0x83, 0x90]))
    if function in (1, 2):
        data = draw(_BITS)
        return bytes([function, len(data)]) + data
    if function in (3, 4, 23):
        values = draw(_WORDS)
        return bytes([function, 2 * len(values)]) + w(*values)
    if function & 0x80:
        return bytes([function, draw(st.integers(1, 11))])
    second = draw(st.sampled_from([0, 0xFF00]) if function == 5 else st.integers(1, 100))
    more = (draw(_ADDRESS),) if function == 22 else ()
    return bytes([function]) + w(draw(_ADDRESS), second, *more)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    unit=st.integers(1, 247),
    tid=_ADDRESS,
    sent=st.one_of(st.tuples(st.just(True), requests()), st.tuples(st.just(False), answers())),
)
def test_pymodbus_reads_the_same(unit: int, tid: int, sent: tuple[bool, bytes]) -> None:
    request, pdu = sent
    theirs = DecodePDU(request).decode(pdu)
    framers = {"rtu": FramerRTU(DecodePDU(request)), "tcp": FramerSocket(DecodePDU(request))}
    for protocol, framer in framers.items():
        frame = framer.encode(pdu, unit, tid)
        assert is_rtu(frame) == (protocol == "rtu")
        assert is_tcp(frame) == (protocol == "tcp")
        ours = decode(frame, protocol, request)
        assert (ours.unit, ours.function) == (unit, pdu[0] & 0x7F)
        assert not ours.wrong
        assert theirs is not None
        if pdu[0] & 0x80:
            assert ours.exception == theirs.exception_code
            continue
        if ours.address is not None:
            expected = theirs.read_address if pdu[0] == 23 else theirs.address
            assert ours.address == expected
        if pdu[0] in (1, 2, 5, 15) and ours.values:
            assert list(ours.values) == [int(b) for b in theirs.bits[: len(ours.values)]]
        elif pdu[0] == 23 and request:
            assert (ours.write_address, list(ours.values)) == (
                theirs.write_address, theirs.write_registers,
            )  # fmt: skip
        elif pdu[0] == 22:
            assert ours.values == (theirs.and_mask, theirs.or_mask)
        elif ours.values:
            assert list(ours.values) == theirs.registers
        if ours.quantity is not None and pdu[0] in (1, 2, 3, 4, 15, 16):
            assert ours.quantity == theirs.count


@settings(derandomize=True, max_examples=200, deadline=None)
@given(pdu=st.one_of(requests(), answers()), unit=st.integers(0, 255))
def test_a_request_is_never_refused_and_a_flipped_bit_never_passes(pdu: bytes, unit: int) -> None:
    frame = rtu(unit, pdu)
    assert not (decode(frame, "rtu", True).wrong and decode(frame, "rtu", False).wrong)
    for k in range(0, 8 * len(frame), 7):
        flipped = bytearray(frame)
        flipped[k >> 3] ^= 1 << (k & 7)
        assert "CRC bad" in decode(bytes(flipped), "rtu", True).wrong


@settings(derandomize=True, max_examples=300, deadline=None)
@given(
    data=st.binary(max_size=40), request=st.booleans(), protocol=st.sampled_from(["rtu", "tcp"])
)
def test_any_bytes_can_be_told(data: bytes, request: bool, protocol: str) -> None:
    for frame in (data, rtu(1, data) if data else data, b"\0\1\0\0\0" + bytes([len(data)]) + data):
        assert isinstance(words(decode(frame, protocol, request)), str)


CASES = [
    ("field", "050300000002", "050304001 1002a",
     "unit 5, read holding registers 0-1", "unit 5, read holding registers 0-1: 17, 42"),
    ("field", "01010013000a", "010102cd02",
     "unit 1, read coils 19-28", "unit 1, read coils 19-28: 1011001101"),
    ("field", "010500acff00", "010500acff00",
     "unit 1, write coil 172: on", "unit 1, write coil 172: on"),
    ("field", "010f0013000a02cd01", "010f0013000a",
     "unit 1, write coils 19-28: 1011001110", "unit 1, write coils 19-28: done"),
    ("field", "1103006b0003", "118302",
     "unit 17, read holding registers 107-109",
     "unit 17, read holding registers 107-109: exception 2, illegal data address"),
    ("field", "01160004 00f2 0025", "01160004 00f2 0025",
     "unit 1, mask register 4: and 00F2, or 0025", "unit 1, mask register 4: and 00F2, or 0025"),
    ("field", "0117 0003 0002 000e 0001 02 00ff", "0117 04 00fe 0acd",
     "unit 1, read and write registers 3-4, write from 14 on: 255",
     "unit 1, read and write registers 3-4: 254, 2765"),
    ("field", "010800001234", "010800001234",
     "unit 1, diagnostics: 00 00 12 34", "unit 1, diagnostics: 00 00 12 34"),
]  # fmt: skip


@pytest.mark.parametrize(("bus", "ask", "answer", "asked", "answered"), CASES)
@pytest.mark.parametrize("server", [True, False])
def test_a_question_and_its_answer(
    bus: str, ask: str, answer: str, asked: str, answered: str, server: bool
) -> None:
    frames = []
    for data, to_device in ((ask, server), (answer, not server)):
        body = bytes.fromhex(data.replace(" ", ""))
        frames.append(Frame(0, bus, to_device, body + crc16(body).to_bytes(2, "little")))
    # Which side asks cannot be told from one exchange of equal frames: one that can comes first.
    lead = rtu(9, b"\x03\0\0\0\1"), rtu(9, b"\x03\2\0\0")
    first = [Frame(0, bus, server, lead[0]), Frame(0, bus, not server, lead[1])]
    assert frame_texts(first + frames)[2:] == [asked, answered]


def test_tcp_pairs_by_transaction() -> None:
    ask = [bytes.fromhex(f"000{n}00000006 01 030{n}000001".replace(" ", "")) for n in (1, 2)]
    answer = [bytes.fromhex(f"000{n}00000005 01 030200{n}0".replace(" ", "")) for n in (2, 1)]
    frames = [Frame(k, "eth", k < 2, data) for k, data in enumerate(ask + answer)]
    assert frame_texts(frames) == [
        "unit 1, read holding registers 256",
        "unit 1, read holding registers 512",
        "unit 1, read holding registers 512: 32",
        "unit 1, read holding registers 256: 16",
    ]


def test_what_is_wrong_is_named() -> None:
    good = rtu(5, b"\x03\0\0\0\2")
    bad = good[:-1] + bytes([good[-1] ^ 0xFF])
    frames = [
        Frame(0, "field", True, good),
        Frame(1, "field", True, bad),
        Frame(2, "field", True, b"\1"),
        Frame(3, "field", True, rtu(5, b"\x03\0\0")),
        Frame(4, "field", True, good, good=False),
        Frame(5, "field", True, good, text="late by 3 ms", good=False),
        Frame(6, "spi", True, b"\xab\xcd"),
        Frame(7, "tcp", True, bytes.fromhex("0001000900020103")),
        Frame(8, "tcp", True, bytes.fromhex("0001000000090103")),
    ]
    right, wrong = good[-2:].hex(" "), bad[-2:].hex(" ")
    assert frame_texts(frames) == [
        "unit 5, read holding registers 0-1",
        f"unit 5, read holding registers? CRC bad, {wrong} where {right} fits",
        "too short for a frame",
        "unit 5, read holding registers? 3 bytes do not fit the function",
        "bad: unit 5, read holding registers 0-1",
        "bad: late by 3 ms",
        "ab cd",
        "unit 1, read holding registers? protocol identifier 9 is not Modbus",
        "unit 1, read holding registers? length field 9, but 2 bytes follow",
    ]
    assert messages(frames)[6] is None
    assert bus_protocol("plant", [Frame(0, "plant", True, b"12345")]) == ""
    assert bus_protocol("MODBUS-RTU", []) == "rtu"


def test_the_log_of_the_tank(tmp_path: Path) -> None:
    recording = tank()
    lines = log_text(recording).splitlines()
    assert lines[0] == (
        " 0.007 s  field  < device  unit 5, read holding registers 0-1  [05 03 00 00 00 02 c5 8f]"
    )
    assert lines[11].startswith(
        "10.013 s  field  > device  unit 5, read holding registers? CRC bad"
    )
    made = write_bus_log(recording, tmp_path)
    assert [path.name for path in made] == ["bus.txt", "bus.jsonl"]
    objects = [json.loads(line) for line in made[1].read_text("utf-8").splitlines()]
    assert len(objects) == 16
    assert objects[1] == {
        "time_ns": 13 * MS, "bus": "field", "to_device": True, "data": "0503040011002a6e29",
        "good": True, "text": "unit 5, read holding registers 0-1: 17, 42",
        "modbus": {
            "protocol": "rtu", "unit": 5, "function": 3, "name": "read holding registers",
            "request": False, "address": 0, "quantity": 2, "values": [17, 42],
        },
    }  # fmt: skip
    assert objects[11]["good"] is False
    assert "CRC bad" in objects[11]["modbus"]["wrong"]
    assert write_bus_log(Recording(), tmp_path) == []
    assert log_json_lines(Recording()) == ""
    with pytest.raises(Failure, match="cannot write"):
        write_bus_log(recording, tmp_path / "no")
