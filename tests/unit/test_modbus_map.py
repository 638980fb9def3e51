"""The register map: variables of every kind, packed bits, gaps, whole-or-nothing writes."""

import struct
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import controller.mailbox
from bus.modbus.map import RegisterMap
from bus.modbus.pdu import COILS, DISCRETE_INPUTS, HOLDING_REGISTERS, INPUT_REGISTERS


class Mailbox:
    """Queues writes until `release`, with room for `room` entries."""

    def __init__(self, image, room=1000):
        self.image = image
        self.room = room
        self.reserved = 0
        self.size = 0  # bytes reserved
        self.entries = []

    def reserve(self, n, size):
        if len(self.entries) + n > self.room:
            return False
        self.reserved += n
        self.size += size
        return True

    def post(self, offset, data):
        self._add((offset, bytes(data)))

    def post_bits(self, offset, mask, value):
        self._add((offset, mask, value))

    def _add(self, entry):
        self.reserved -= 1
        self.size -= len(entry[1]) if len(entry) == 2 else 2
        assert self.reserved >= 0, "posted more entries than it reserved"
        self.entries.append(entry)

    def release(self):
        assert (self.reserved, self.size) == (0, 0), "posted other than it reserved"
        for offset, *change in self.entries:
            if len(change) == 1:
                assert offset + len(change[0]) <= len(self.image)
                self.image[offset : offset + len(change[0])] = change[0]
            else:
                mask, value = change
                assert 0 < mask < 256
                assert value & ~mask == 0
                self.image[offset] = self.image[offset] & ~mask | value
        self.entries.clear()


def make(regions, image, room=1000):
    mailbox = Mailbox(image, room)
    return RegisterMap(regions, image, mailbox), mailbox


def words(store, table, address, quantity):
    out = bytearray(2 * quantity)
    code = store.read_words(table, address, quantity, out, 0)
    return code or [out[k] << 8 | out[k + 1] for k in range(0, len(out), 2)]


def bits(store, table, address, quantity):
    out = bytearray(b"\xff" * ((quantity + 7) // 8 + 2))
    code = store.read_bits(table, address, quantity, out, 1)
    assert out[0] == out[-1] == 0xFF
    return code or out[1:-1].hex(" ")


def write(store, address, *registers):
    return store.write_words(
        address, len(registers), struct.pack(f">x{len(registers)}H", *registers), 1
    )


@pytest.mark.parametrize(
    ("kind", "form", "value", "registers"),
    [
        ("bool", "<B", 1, [1]),
        ("u8", "<B", 0xFE, [0x00FE]),
        ("i8", "<b", -2, [0xFFFE]),
        ("i8", "<b", 127, [0x007F]),
        ("u16", "<H", 0xFEDC, [0xFEDC]),
        ("i16", "<h", -2, [0xFFFE]),
        ("u32", "<I", 0x01020304, [0x0102, 0x0304]),
        ("i32", "<i", -2, [0xFFFF, 0xFFFE]),
        ("f32", "<f", 1.5, [0x3FC0, 0x0000]),
        ("u64", "<Q", 0x0102030405060708, [0x0102, 0x0304, 0x0506, 0x0708]),
        ("i64", "<q", -2, [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE]),
        ("f64", "<d", -2.5, [0xC004, 0, 0, 0]),
    ],
)
@pytest.mark.parametrize("low_word_first", [False, True])
def test_a_value_of_each_kind(kind, form, value, registers, low_word_first):
    image = bytearray(20)
    size = struct.calcsize(form)
    struct.pack_into(form, image, 4 + size, value)
    if low_word_first:
        registers = registers[::-1]
    # A row of two values; the second one holds the value.
    n = len(registers)
    row = ["holding", 7, 2 * n, 4, kind, True, low_word_first]
    store, mailbox = make([row, ["input", *row[1:5], False, low_word_first]], image)
    assert words(store, HOLDING_REGISTERS, 7, 2 * n) == [0] * n + registers
    assert words(store, INPUT_REGISTERS, 7 + n, n) == registers
    for k in range(n):
        assert words(store, HOLDING_REGISTERS, 7 + n + k, 1) == [registers[k]]

    assert write(store, 7, *registers) == 0
    assert words(store, HOLDING_REGISTERS, 7, n) == [0] * n, "applied before the release"
    assert len(mailbox.entries) == 1
    mailbox.release()
    assert struct.unpack_from(form, image, 4) == (value,)
    assert image[:4] == bytes(4)
    assert image[4 + 2 * size :] == bytes(16 - 2 * size)


def test_packed_bits_are_read_from_any_bit_to_any_bit():
    image = bytearray.fromhex("00 b1 5a 0f 80")
    value = int.from_bytes(image, "little")
    store, _ = make(
        [["coil", 100, 27, 1, 2, 1, False], ["discrete", 0, 40, 0, 0, 1, False]], image
    )
    for first in range(27):
        for n in range(1, 28 - first):
            expected = (value >> (10 + first) & (1 << n) - 1).to_bytes((n + 7) // 8, "little")
            assert bits(store, COILS, 100 + first, n) == expected.hex(" ")
    assert bits(store, DISCRETE_INPUTS, 39, 1) == "01"


def test_boolean_variables_and_packed_bits_in_one_read():
    image = bytearray.fromhex("01 00 01 01 5a 00")
    rows = [
        ["coil", 0, 3, 0, 0, 8, True],  # three BOOLs
        ["coil", 3, 4, 4, 1, 1, True],  # packed: 1 0 1 1
        ["coil", 7, 2, 0, 0, 24, True],  # a BOOL of each of two structures of 3 bytes
    ]
    store, mailbox = make(rows, image)
    assert bits(store, COILS, 0, 9) == f"{0b1_1101_101:02x} 01"
    assert store.write_bits(0, 7, b"\x1a", 0) == 0  # 0 1 0, 1 1 0 0
    assert mailbox.entries == [(0, b"\x00\x01\x00"), (4, 0x1E, 0x06)]
    mailbox.release()
    assert image.hex(" ") == "00 01 00 01 46 00"


@pytest.mark.parametrize(
    ("address", "count", "entries"),
    [
        (0, 8, [(3, b"\xff")]),
        (0, 1968, [(3, b"\xff" * 246)]),
        (3, 7, [(3, 0xF8, 0xF8), (4, 0x03, 0x03)]),
        (5, 1, [(3, 0x20, 0x20)]),
        (1, 1967, [(3, 0xFE, 0xFE), (4, b"\xff" * 245)]),
    ],
)
def test_packed_coils_become_few_entries(address, count, entries):
    store, mailbox = make([["coil", 0, 1976, 3, 0, 1, True]], bytearray(250))
    assert store.write_bits(address, count, b"\xff" * 246, 0) == 0
    assert mailbox.entries == entries


def test_a_run_of_values_becomes_one_entry():
    rows = [["holding", 2 * k, 2, 4 * k, "f32", True] for k in range(61)]
    store, mailbox = make(rows, bytearray(244))
    assert write(store, 0, *range(122)) == 0
    assert len(mailbox.entries) == 1
    mailbox.release()
    assert words(store, HOLDING_REGISTERS, 0, 122) == list(range(122))


def test_1968_boolean_variables_in_one_write():
    image = bytearray(1968)
    store, mailbox = make([["coil", 0, 1968, 0, 0, 8, True]], image)
    assert store.write_bits(0, 1968, b"\x91" * 246, 0) == 0
    assert len(mailbox.entries) == 8  # of 256 bytes at most
    mailbox.release()
    assert image == b"\1\0\0\0\1\0\0\1" * 246


GAPS = [
    ["holding", 10, 2, 0, "u16", True],
    ["holding", 12, 2, 4, "u16", False],
    ["holding", 15, 1, 8, "u8", True],
    ["holding", 16, 1, 9, "bool", True],
    ["holding", 17, 1, 10, "i8", True],
    ["coil", 10, 2, 11, 0, 1, True],
    ["coil", 12, 2, 11, 2, 1, False],
    ["coil", 15, 1, 12, 0, 8, True],
]


def test_a_gap_or_a_read_only_row_is_exception_2_and_nothing_is_written():
    store, mailbox = make(GAPS, bytearray(16))
    for address in range(8, 20):
        for n in range(1, 10):
            span = range(address, address + n)
            mapped = all(a in (10, 11, 12, 13, 15, 16, 17) for a in span)
            writable = all(a in (10, 11, 15, 16, 17) for a in span)
            assert (words(store, HOLDING_REGISTERS, address, n) == 2) is not mapped
            assert store.has_words(address, n) is mapped
            assert write(store, address, *[0] * n) == (0 if writable else 2)
            assert bool(mailbox.entries) is writable
            mailbox.release()
            mapped = all(a in (10, 11, 12, 13, 15) for a in span)
            writable = all(a in (10, 11, 15) for a in span)
            assert (bits(store, COILS, address, n) == 2) is not mapped
            assert store.write_bits(address, n, bytes(2), 0) == (0 if writable else 2)
            assert bool(mailbox.entries) is writable
            mailbox.release()
    for address in (9, 12, 14, 18, 65535):
        assert store.mask_word(address, 0, 0) == 2
    assert words(store, INPUT_REGISTERS, 10, 1) == 2
    assert bits(store, DISCRETE_INPUTS, 10, 1) == 2
    assert mailbox.entries == []


@pytest.mark.parametrize(
    ("address", "register", "code"),
    [
        (15, 0x00FF, 0),
        (15, 0x0100, 3),
        (16, 1, 0),
        (16, 2, 3),
        (16, 0xFF00, 3),
        (17, 0x007F, 0),
        (17, 0x0080, 3),
        (17, 0xFF80, 0),
        (17, 0xFF7F, 3),
    ],
)
def test_a_register_that_does_not_fit_its_byte_is_exception_3(address, register, code):
    store, mailbox = make(GAPS, bytearray(16))
    assert write(store, address, register) == code
    values = {15: 0, 16: 0, 17: 0, address: register}
    mailbox.entries.clear()
    assert write(store, 15, *values.values()) == code
    assert bool(mailbox.entries) is (code == 0)
    # The address of the range comes before the value.
    assert write(store, 14, 0xFFFF, *values.values()) == 2


def test_a_full_mailbox_is_exception_6_and_takes_nothing():
    image = bytearray(16)
    rows = [["holding", k, 1, 4 * k, "u16", True] for k in range(4)]
    store, mailbox = make([*rows, ["coil", 0, 20, 0, 4, 1, True]], image, room=3)
    assert write(store, 0, 1, 2, 3, 4) == 6
    assert mailbox.entries == []
    assert write(store, 0, 1, 2, 3) == 0
    assert store.write_bits(0, 20, bytes(3), 0) == 6
    assert store.mask_word(3, 0, 0) == 6
    assert store.mask_word(3, 0xFFFF, 0xFFFF) == 0, "changes nothing, needs no room"
    mailbox.release()
    assert image == struct.pack("<HxxHxxHxxHxx", 1, 2, 3, 0)


def test_halves_of_a_real_written_one_by_one_make_the_real():
    image = bytearray(struct.pack("<f", 100.0))  # 42C8 0000
    store, mailbox = make([["holding", 0, 2, 0, "f32", True]], image)
    high, low = struct.unpack(">HH", struct.pack(">f", 0.1))
    # Both before one release: the second write must not bring back the old first half.
    assert write(store, 0, high) == 0
    assert write(store, 1, low) == 0
    mailbox.release()
    assert struct.unpack("<f", image) == struct.unpack(">f", struct.pack(">f", 0.1))
    # One alone: the other half stays what it is when the write takes effect.
    assert write(store, 0, 0x42C8) == 0
    image[0:2] = b"\x34\x12"
    mailbox.release()
    assert image.hex() == "3412c842"


def test_mask_write_keeps_what_the_program_changes_meanwhile():
    image = bytearray.fromhex("12 34")
    store, mailbox = make([["holding", 0, 1, 0, "u16", True]], image)
    # AP 6.16 has this example: 0012h AND F2h OR 25h gives 0017h.
    assert store.mask_word(0, 0x00F2, 0x0025) == 0
    image[0] |= 0x80
    mailbox.release()
    assert image.hex(" ") == "97 00"


@pytest.mark.parametrize("flip", [False, True])
def test_mask_write_of_one_word_of_a_value(flip):
    image = bytearray.fromhex("11 22 33 44")
    store, mailbox = make([["holding", 0, 2, 0, "u32", True, flip]], image)
    assert store.mask_word(0, 0xFF00, 0x00AA) == 0
    assert mailbox.entries == [(0 if flip else 2, b"\xaa")]


@pytest.mark.parametrize(
    ("kind", "old", "and_mask", "or_mask", "new"),
    [
        ("u8", 0x12, 0xF2, 0x25, 0x17),
        ("u8", 0x12, 0xF2, 0x125, None),
        ("u8", 0x12, 0xFFF2, 0x125, 0x17),
        ("bool", 1, 0xFFFE, 0, 0),
        ("bool", 0, 0, 1, 1),
        ("bool", 0, 0, 2, None),
        ("i8", 0x80, 0xFFFF, 0, 0x80),
        ("i8", 0x80, 0x00FF, 0, None),
        ("i8", 0x80, 0xFFF0, 0x0F, 0x8F),
        ("i8", 0x70, 0x0000, 0xFFFE, 0xFE),
    ],
)
def test_mask_write_of_a_byte(kind, old, and_mask, or_mask, new):
    image = bytearray([0xEE, old, 0xEE])
    store, mailbox = make([["holding", 0, 1, 1, kind, True]], image)
    assert store.mask_word(0, and_mask, or_mask) == (3 if new is None else 0)
    mailbox.release()
    assert image == bytes([0xEE, old if new is None else new, 0xEE])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[]], "row 0 .*must begin with one of coil, discrete, holding, input"),
        ([["coils", 0, 1, 0, 0, 1, True]], "row 0 .*must begin with"),
        ([["coil", 0, 1, 0, 0, 1]], "7 fields, this has 6"),
        ([["coil", 0, "1", 0, 0, 1, True]], "field 2 must be a whole number"),
        ([["coil", 0, 0, 0, 0, 1, True]], "at least one"),
        ([["coil", -1, 1, 0, 0, 1, True]], "within 0..65535"),
        ([["coil", 65535, 2, 0, 0, 1, True]], "within 0..65535"),
        ([["coil", 0, 1, 0, 8, 1, True]], "bit_offset must be 0..7"),
        ([["coil", 0, 1, 0, 0, 4, True]], "stride_bits"),
        ([["coil", 0, 1, 0, 1, 8, True]], "stride_bits"),
        ([["coil", 0, 65, 0, 0, 1, True]], "outside the image of 8 bytes"),
        ([["coil", 0, 2, 0, 0, 64, True]], "outside the image of 8 bytes"),
        ([["coil", 0, 1, -1, 0, 1, True]], "outside the image"),
        ([["discrete", 0, 1, 0, 0, 1, True]], "read-only"),
        ([["holding", 0, 1, 0, "u16"]], "6 or 7 fields, this has 5"),
        ([["holding", 0, 1, 0, "int", True]], "kind must be one of bool, f32,"),
        ([["holding", 0, 3, 0, "f32", True]], "kind f32 takes 2 registers"),
        ([["holding", 0, 4, 1, "f64", True]], "outside the image of 8 bytes"),
        ([["input", 0, 1, 0, "u16", True]], "read-only"),
        (
            [["input", 4, 2, 0, "u32", False], ["input", 0, 5, 0, "u8", False]],
            "input 4 is in two rows",
        ),
    ],
)
def test_a_bad_map_says_which_row_and_why(rows, message):
    with pytest.raises(ValueError, match=message):
        RegisterMap(rows, bytearray(8), None)


def test_settled_is_the_mailbox_s():
    store, mailbox = make(GAPS, bytearray(16))
    assert store.settled is None
    mailbox.settled = lambda: not mailbox.entries
    store = RegisterMap(GAPS, bytearray(16), mailbox)
    assert store.settled()


def test_the_controller_s_mailbox_takes_all_or_nothing():
    image = SimpleNamespace(data=bytearray(2300))
    rows = [["coil", 0, 1968, 0, 3, 1, True], ["coil", 2000, 200, 300, 0, 80, True]]
    mailbox = controller.mailbox.Mailbox(image, entries=128, size=512)
    store = RegisterMap(rows, image.data, mailbox)
    assert store.write_bits(2000, 129, b"\xff" * 20, 0) == 6
    assert store.settled()
    assert store.write_bits(0, 1968, b"\xff" * 246, 0) == 0
    assert store.write_bits(2000, 100, b"\xff" * 20, 0) == 0
    assert store.write_bits(0, 1968, bytes(246), 0) == 6, "too many bytes"
    assert not store.settled()
    assert not any(image.data)
    mailbox.apply()
    assert store.settled()
    assert bits(store, COILS, 0, 1968) == " ".join(["ff"] * 246)
    assert sum(image.data[300:]) == 100


# An independent model: a variable is a Python value, struct makes registers of it.

FORMS = {
    "bool": "?",
    "u8": "B",
    "i8": "b",
    "u16": "H",
    "i16": "h",
    "u32": "I",
    "i32": "i",
    "f32": "f",
    "u64": "Q",
    "i64": "q",
    "f64": "d",
}


class Variable:
    def __init__(self, address, offset, kind, low_word_first):
        self.form = FORMS[kind]
        self.size = struct.calcsize(self.form)
        self.offset = offset
        self.registers = (self.size + 1) // 2
        self.address = address
        self.low_word_first = low_word_first

    def words(self, image):
        (value,) = struct.unpack_from("<" + self.form, image, self.offset)
        if self.size == 1:
            return [int(value) & 0xFFFF]
        # Through the value, not through its bytes; a NaN would lose its bits on that way.
        form = {"f": "I", "d": "Q"}.get(self.form, self.form)
        (value,) = struct.unpack_from("<" + form, image, self.offset)
        found = list(struct.unpack(f">{self.registers}H", struct.pack(">" + form, value)))
        return found[::-1] if self.low_word_first else found

    def store(self, image, registers):
        """False if they do not fit."""
        if self.size == 1:
            low, high = {"?": (0, 1), "B": (0, 255), "b": (-128, 127)}[self.form]
            value = registers[0] - (0x10000 if self.form == "b" and registers[0] >= 0x8000 else 0)
            if not low <= value <= high:
                return False
            struct.pack_into("<" + self.form, image, self.offset, value)
            return True
        if self.low_word_first:
            registers = registers[::-1]
        raw = struct.pack(f">{self.registers}H", *registers)
        image[self.offset : self.offset + self.size] = raw[::-1]
        return True


@st.composite
def register_rows(draw):
    """Rows with gaps between addresses and between offsets, and their variables."""
    rows, variables = [], []
    address, offset = draw(st.integers(0, 3)), 0
    for _ in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(sorted(FORMS)))
        flip = draw(st.booleans())
        count = draw(st.integers(1, 4))
        made = []
        for _ in range(count):
            made.append(Variable(address, offset, kind, flip))
            address += made[-1].registers
            offset += made[-1].size
        rows.append(
            [
                "holding",
                made[0].address,
                address - made[0].address,
                made[0].offset,
                kind,
                True,
                flip,
            ]
        )
        variables += made
        address += draw(st.sampled_from([0, 0, 0, 1]))
        offset += draw(st.sampled_from([0, 0, 3]))
    return draw(st.permutations(rows)), variables, offset


@settings(derandomize=True, max_examples=200, deadline=None)
@given(data=st.data())
def test_registers_agree_with_the_model(data):
    rows, variables, size = data.draw(register_rows())
    image = bytearray(data.draw(st.binary(min_size=size, max_size=size)))
    for v in variables:
        if v.form == "?":
            image[v.offset] &= 1
    store, mailbox = make(rows, image)
    top = variables[-1].address + 5
    for _ in range(4):
        model = {}
        for v in variables:
            model.update(zip(range(v.address, top), v.words(image), strict=False))
        first = data.draw(st.integers(0, top))
        n = data.draw(st.integers(1, 40))
        expected = [model.get(a) for a in range(first, first + n)]
        assert words(store, HOLDING_REGISTERS, first, n) == (2 if None in expected else expected)

        small = st.one_of(st.integers(0, 1), st.integers(0, 0xFFFF))
        new = data.draw(st.lists(small, min_size=n, max_size=n))
        before = bytes(image)
        code = write(store, first, *new)
        mailbox.release()
        wanted = bytearray(before)
        if None in expected:
            assert code == 2
        else:
            model.update(zip(range(first, first + n), new, strict=True))
            fits = all(
                v.store(wanted, [model[v.address + k] for k in range(v.registers)])
                for v in variables
            )
            assert code == (0 if fits else 3)
            if not fits:
                wanted = bytearray(before)
        assert image == wanted


@settings(derandomize=True, max_examples=200, deadline=None)
@given(data=st.data())
def test_coils_agree_with_the_model(data):
    size = 40
    rows, where = [], {}
    address, position = data.draw(st.integers(0, 3)), 0
    for _ in range(data.draw(st.integers(1, 5))):
        stride = data.draw(st.sampled_from([1, 1, 8, 24]))
        if stride > 1:
            position = (position + 7) // 8 * 8
        fitting = (8 * size - position + stride - 1) // stride
        if fitting < 1:
            break
        count = data.draw(st.integers(1, min(fitting, 30)))
        rows.append(["coil", address, count, position // 8, position % 8, stride, True])
        for k in range(count):
            where[address + k] = position + k * stride, stride
        address += count + data.draw(st.sampled_from([0, 0, 1]))
        position += count * stride + data.draw(st.integers(0, 5))
    image = bytearray(data.draw(st.binary(min_size=size, max_size=size)))
    for at, stride in where.values():
        if stride > 1:
            image[at // 8] &= 1
    store, mailbox = make(rows, image)
    for _ in range(4):
        first = data.draw(st.integers(0, address + 3))
        n = data.draw(st.integers(1, 80))
        span = range(first, first + n)
        mapped = all(a in where for a in span)
        whole = int.from_bytes(image, "little")
        if mapped:
            expected = sum((whole >> where[a][0] & 1) << k for k, a in enumerate(span))
            expected = expected.to_bytes((n + 7) // 8, "little").hex(" ")
            assert bits(store, COILS, first, n) == expected
        else:
            assert bits(store, COILS, first, n) == 2
        new = data.draw(st.binary(min_size=(n + 7) // 8, max_size=(n + 7) // 8))
        assert store.write_bits(first, n, b"\x55" + new, 1) == (0 if mapped else 2)
        if mapped:
            for k, a in enumerate(span):
                at = where[a][0]
                whole = whole & ~(1 << at) | (new[k // 8] >> k % 8 & 1) << at
        mailbox.release()
        assert image == whole.to_bytes(size, "little")
