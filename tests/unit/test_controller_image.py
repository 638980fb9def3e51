"""The image: header, task records, the initial part, 64-bit sums, and the same on MicroPython."""

import struct

import pytest
from controller_support import IMAGE_SIZE, image, micropython
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import image as im


def run(offset, data):
    return struct.pack("<II", offset, len(data)) + data


def test_a_new_image_has_its_header_and_the_initial_values():
    made = image(2, initial=run(600, b"abc") + run(IMAGE_SIZE - 1, b"z"))
    assert made.data[:16] == b"TAKT\2\0\2\0" + bytes(range(8))
    assert made.data[16:400] == bytes(384)
    assert made.data[600:604] == b"abc\0"
    assert made.data[-1:] == b"z"


@pytest.mark.parametrize(
    ("initial", "text"),
    [
        (b"1234567", "in the middle of a run"),
        (run(600, b"abc")[:-1], "in the middle of a run"),
        (run(IMAGE_SIZE - 2, b"abc"), "outside the image"),
        (run(0xFFFFFFFF, b"abc"), "outside the image"),
        (struct.pack("<II", 0, 0xFFFFFFFF), "in the middle of a run"),
    ],
)
def test_a_bad_initial_part_is_refused(initial, text):
    with pytest.raises(ValueError, match=text):
        image(1, initial=initial)


def test_the_initial_part_does_not_touch_header_and_records():
    made = image(1, initial=run(0, b"\xff" * 300))
    assert made.data[16:240] == bytes(224)
    assert made.data[240:300] == b"\xff" * 60


@settings(derandomize=True, deadline=None)
@given(st.integers(0, (1 << 64) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
def test_add64_adds_and_wraps(start, value):
    data = bytearray(struct.pack("<QQ", start, 7))
    im.add64(im.halves(data), 0, value)
    assert struct.unpack("<QQ", data) == ((start + value) % (1 << 64), 7)


def test_counters_wrap_at_32_bits():
    made = image()
    record = im.TaskRecord(made, 0)
    made.words[80 // 4] = 0xFFFFFFFF
    record.scanned(1, 0)
    assert record.scans() == 0
    made.words[80 // 4] = 0xFFFFFFFF
    record.scanned_virtually()
    assert record.scans() == 0
    made.words[88 // 4] = 0xFFFFFFFE
    record.skipped(3)
    assert im.read_task(made.data, 0)["skipped"] == 1


def test_only_the_first_fault_is_in_the_header():
    made = image(2)
    assert im.read_fault(made.data) is None
    made.now[:] = struct.pack("<q", 123456789012345)
    im.record_fault(made, 2, 3 << 22 | 99, 1, 7)
    im.record_fault(made, 5, 1, 0, 8)
    assert im.read_fault(made.data) == {
        "code": 2,
        "source": 3,
        "line": 99,
        "task": 1,
        "scan": 7,
        "time_ns": 123456789012345,
    }
    header = im.read_header(made.data)
    assert header["state"] == im.FAULTED
    assert header["tasks"] == 2
    assert header["layout"] == bytes(range(8))


def test_micropython_updates_the_same_bytes():
    # The record after the same calls, on both.
    calls = [(0, 0), (5, 3), (70000, 1 << 22), (1, (1 << 24) + 5), (3, 1)]
    made = image()
    record = im.TaskRecord(made, 0)
    for exec_us, latency_us in calls:
        record.scanned(exec_us, latency_us)
    record.overran()
    record.skipped(70000)
    im.add64(record._halves, record._release, 10_000_000_000_123)
    im.add64(record._halves, record._release, -23)
    made.words[im.SEQUENCE] = 0xFEDCBA98
    record.faulted(3)
    im.record_fault(made, 3, 0xFFC00001, 0, 2)
    script = f"""
from controller import image as im
made = im.create({IMAGE_SIZE}, 1, bytes(range(8)), b"")
record = im.TaskRecord(made, 0)
for exec_us, latency_us in {calls}:
    record.scanned(exec_us, latency_us)
record.overran()
record.skipped(70000)
im.add64(record._halves, record._release, 10000000000123)
im.add64(record._halves, record._release, -23)
made.words[im.SEQUENCE] = 0xFEDCBA98
record.faulted(3)
im.record_fault(made, 3, 0xFFC00001, 0, 2)
import binascii
print(binascii.hexlify(made.data).decode(), im.read_task(made.data, 0)["release"])
"""
    expected = f"{made.data.hex()} 10000000000100"
    assert micropython("-c", script).strip() == expected
