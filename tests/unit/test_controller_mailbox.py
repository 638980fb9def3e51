"""The mailbox: order, whole or not at all, limits, and a model of it."""

import pytest
from controller_support import IMAGE_SIZE, image
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.mailbox import Mailbox


def test_nothing_is_written_before_apply_and_then_in_order():
    made = image()
    box = Mailbox(made)
    box.post(1000, b"\x11\x22\x33")
    box.post_bits(1001, 0x0F, 0x35)
    box.post(1002, memoryview(b"\x44"))
    assert made.data[1000:1003] == bytes(3)
    assert not box.settled()
    box.apply()
    assert made.data[1000:1003] == b"\x11\x25\x44"
    assert box.settled()
    made.data[1000] = 0
    box.apply()
    assert made.data[1000] == 0


def test_what_is_reserved_fits_and_what_is_not_is_refused():
    box = Mailbox(image(), entries=3, size=10)
    assert box.reserve(3, 10)
    assert not box.reserve(4, 1)
    assert not box.reserve(1, 11)
    box.post(1000, bytes(8))
    assert box.reserve(2, 2)
    assert not box.reserve(2, 3)
    box.post_bits(1000, 1, 1)
    with pytest.raises(OverflowError, match="full until the next release"):
        box.post(1000, b"1")
    assert box.count == 2
    box.apply()
    assert box.reserve(3, 10)


@pytest.mark.parametrize("offset", [-1, IMAGE_SIZE - 1, IMAGE_SIZE, 1 << 40])
def test_writes_outside_the_image_are_refused(offset):
    box = Mailbox(image())
    with pytest.raises(ValueError, match="outside the image of 2048 bytes"):
        box.post(offset, b"ab")
    with pytest.raises(ValueError, match="outside the image"):
        box.post_bits(IMAGE_SIZE, 1, 1)
    assert box.settled()


def test_an_empty_write_is_none():
    box = Mailbox(image(), entries=1)
    box.post(1000, b"")
    assert box.settled()


WRITES = st.one_of(
    st.tuples(st.integers(1000, 1020), st.binary(min_size=1, max_size=12)),
    st.tuples(st.integers(1000, 1020), st.integers(0, 255), st.integers(0, 255)),
)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.lists(WRITES, max_size=12), max_size=6))
def test_it_does_what_a_list_of_writes_would(rounds):
    made = image()
    model = bytearray(made.data)
    box = Mailbox(made, entries=8, size=64)
    for writes in rounds:
        for write in writes:
            size = len(write[1]) if len(write) == 2 else 2
            if not box.reserve(1, size):
                continue
            if len(write) == 2:
                offset, data = write
                box.post(offset, data)
                model[offset : offset + len(data)] = data
            else:
                offset, mask, value = write
                box.post_bits(offset, mask, value)
                model[offset] = model[offset] & ~mask | value & mask
        box.apply()
        assert made.data == model
