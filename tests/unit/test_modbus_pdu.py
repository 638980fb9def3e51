"""The Modbus server core: exact bytes of every function code, and the order of its checks."""

import pytest

from bus.modbus.pdu import COILS, DISCRETE_INPUTS, HOLDING_REGISTERS, INPUT_REGISTERS, Core

MAPPED = range(0x10, 0x30)  # addresses the store below has, in every table


class Store:
    """Four tables at MAPPED, which records what it was told to write."""

    def __init__(self):
        self.bits = {a: a % 3 == 0 for a in MAPPED}
        self.words = {a: 0x0100 * a + 0xFF - a for a in MAPPED}
        self.writes = []
        self.busy = False
        self.broken = False

    def _check(self, address, quantity):
        if self.broken:
            raise RuntimeError("store on fire")
        return 0 if all(a in MAPPED for a in range(address, address + quantity)) else 2

    def has_words(self, address, quantity):
        return self._check(address, quantity) == 0

    def read_bits(self, table, address, quantity, out, at):
        code = self._check(address, quantity)
        if not code:
            for k in range((quantity + 7) // 8):
                out[at + k] = 0
            for k in range(quantity):
                bit = self.bits[address + k] ^ (table == DISCRETE_INPUTS)
                out[at + k // 8] |= bit << k % 8
        assert table in (COILS, DISCRETE_INPUTS)
        return code

    def read_words(self, table, address, quantity, out, at):
        code = self._check(address, quantity)
        if not code:
            for k in range(quantity):
                word = self.words[address + k] ^ (0xFFFF if table == INPUT_REGISTERS else 0)
                out[at + 2 * k : at + 2 * k + 2] = word.to_bytes(2, "big")
        assert table in (HOLDING_REGISTERS, INPUT_REGISTERS)
        return code

    def _write(self, what, address, quantity):
        code = self._check(address, quantity) or (6 if self.busy else 0)
        if not code:
            self.writes.append(what)
        return code

    def write_bits(self, address, quantity, data, at):
        bits = [data[at + k // 8] >> k % 8 & 1 for k in range(quantity)]
        return self._write(("bits", address, bits), address, quantity)

    def write_words(self, address, quantity, data, at):
        words = [data[at + 2 * k] << 8 | data[at + 2 * k + 1] for k in range(quantity)]
        return self._write(("words", address, words), address, quantity)

    def mask_word(self, address, and_mask, or_mask):
        return self._write(("mask", address, and_mask, or_mask), address, 1)


def ask(core, request):
    """The answer to a request in hex, computed in the middle of two larger buffers."""
    request = bytes.fromhex(request)
    out = bytearray(b"\xaa" * 300)
    n = core.answer(b"\x55\x55" + request + b"\x55", 2, 2 + len(request), out, 20)
    assert out[:20] == b"\xaa" * 20
    assert out[20 + 253 :] == b"\xaa" * 27  # the room a PDU has is scratch, what follows is not
    return out[20 : 20 + n].hex(" ")


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def core(store):
    return Core(store)


@pytest.mark.parametrize(
    ("request_", "answer", "writes"),
    [
        # 0x12, 0x15, 0x18, 0x1b are the coils that are on; the discrete inputs are the inverse.
        ("01 00 10 00 0a", "01 02 24 01", []),
        ("02 00 10 00 0a", "02 02 db 02", []),
        ("01 00 12 00 01", "01 01 01", []),
        ("03 00 10 00 02", "03 04 10 ef 11 ee", []),
        ("04 00 10 00 02", "04 04 ef 10 ee 11", []),
        ("05 00 10 ff 00", "05 00 10 ff 00", [("bits", 0x10, [1])]),
        ("05 00 10 00 00", "05 00 10 00 00", [("bits", 0x10, [0])]),
        ("06 00 2f 12 34", "06 00 2f 12 34", [("words", 0x2F, [0x1234])]),
        (
            "0f 00 13 00 0a 02 cd 01",
            "0f 00 13 00 0a",
            [("bits", 0x13, [1, 0, 1, 1, 0, 0, 1, 1, 1, 0])],
        ),
        (
            "10 00 11 00 02 04 00 0a 01 02",
            "10 00 11 00 02",
            [("words", 0x11, [0x000A, 0x0102])],
        ),
        ("16 00 14 00 f2 00 25", "16 00 14 00 f2 00 25", [("mask", 0x14, 0xF2, 0x25)]),
        # Apart: the registers read are those of the store.
        (
            "17 00 10 00 01 00 20 00 01 02 ab cd",
            "17 02 10 ef",
            [("words", 0x20, [0xABCD])],
        ),
        # Overlapping: the answer has what was written, although the store applies it later.
        (
            "17 00 10 00 04 00 11 00 02 04 ab cd 12 34",
            "17 08 10 ef ab cd 12 34 13 ec",
            [("words", 0x11, [0xABCD, 0x1234])],
        ),
        (
            "17 00 12 00 02 00 10 00 03 06 00 01 00 02 00 03",
            "17 04 00 03 13 ec",
            [("words", 0x10, [1, 2, 3])],
        ),
    ],
)
def test_each_function_answers_exactly(core, store, request_, answer, writes):
    assert ask(core, request_) == answer
    assert store.writes == writes
    assert core.wrote == bool(writes)
    assert (core.requests, core.exceptions) == (1, 0)


@pytest.mark.parametrize(
    "function", [0, 7, 8, 9, 10, 11, 12, 14, 17, 20, 21, 24, 43, 65, 127, 128, 131, 255]
)
def test_other_functions_are_exception_1(core, function):
    assert ask(core, f"{function:02x} 00 10 00 01") == f"{function | 0x80:02x} 01"
    assert ask(core, f"{function:02x}") == f"{function | 0x80:02x} 01"


# Each request is bad in the way named and in all the ways checked after it.
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ("01 ff ff 00 00", 3),
        ("01 ff ff 07 d1", 3),
        ("01 ff ff 07 d0", 2),
        ("02 ff ff 00 00", 3),
        ("02 00 00 07 d1", 3),
        ("03 ff ff 00 00", 3),
        ("03 ff ff 00 7e", 3),
        ("03 ff ff 00 7d", 2),
        ("04 ff ff 00 7e", 3),
        ("04 00 0f 00 02", 2),
        ("03 00 2f 00 02", 2),
        ("05 ff ff 00 01", 3),
        ("05 ff ff ff ff", 3),
        ("05 ff ff 01 00", 3),
        ("05 00 10 ff 01", 3),
        ("05 00 0f ff 00", 2),
        ("06 00 0f 00 00", 2),
        ("0f ff ff 00 00 00", 3),
        ("0f ff ff 07 b1 f7" + "00" * 247, 3),
        ("0f ff ff 07 b0 f6" + "00" * 246, 2),
        ("0f ff ff 00 09 01 00", 3),
        ("0f ff ff 00 08 02 00 00", 3),
        ("0f 00 2f 00 02 01 03", 2),
        ("10 ff ff 00 00 00", 3),
        ("10 ff ff 00 7c f8" + "00" * 248, 3),
        ("10 ff ff 00 7b f6" + "00" * 246, 2),
        ("10 ff ff 00 02 03 00 00 00", 3),
        ("10 00 2f 00 02 04 00 00 00 00", 2),
        ("16 00 0f 00 00 00 00", 2),
        ("17 ff ff 00 00 ff ff 00 01 02 00 00", 3),
        ("17 ff ff 00 7e ff ff 00 01 02 00 00", 3),
        ("17 ff ff 00 01 ff ff 00 00 00", 3),
        ("17 ff ff 00 01 ff ff 00 7a f4" + "00" * 244, 3),
        ("17 ff ff 00 01 ff ff 00 01 01 00 00", 3),
        ("17 00 0f 00 01 00 10 00 01 02 00 00", 2),
        ("17 00 10 00 01 00 0f 00 01 02 00 00", 2),
        ("17 00 10 00 7d 00 10 00 01 02 00 00", 2),
        ("17 00 10 00 01 ff ff 00 02 04 00 00 00 00", 2),
        ("17 ff ff 00 02 00 10 00 01 02 00 00", 2),
    ],
)
def test_checks_come_in_order_and_nothing_is_written(core, store, request_, code):
    store.busy = True
    function = int(request_[:2], 16)
    assert ask(core, request_) == f"{function | 0x80:02x} {code:02x}"
    assert store.writes == []
    assert not core.wrote
    assert core.exceptions == 1


FULL = [
    "01 00 10 00 01",
    "02 00 10 00 01",
    "03 00 10 00 01",
    "04 00 10 00 01",
    "05 00 10 ff 00",
    "06 00 10 00 01",
    "0f 00 10 00 0a 02 ff 03",
    "10 00 10 00 01 02 00 01",
    "16 00 10 00 00 00 00",
    "17 00 10 00 01 00 10 00 01 02 00 00",
]


@pytest.mark.parametrize("request_", FULL)
def test_a_request_cut_short_or_too_long_is_exception_3(core, store, request_):
    whole = bytes.fromhex(request_)
    for n in range(1, len(whole)):
        assert ask(core, whole[:n].hex()) == f"{whole[0] | 0x80:02x} 03"
    assert ask(core, request_ + "00") == f"{whole[0] | 0x80:02x} 03"
    assert store.writes == []


@pytest.mark.parametrize("request_", FULL[4:])
def test_a_store_without_room_is_exception_6(core, store, request_):
    store.busy = True
    function = int(request_[:2], 16)
    assert ask(core, request_) == f"{function | 0x80:02x} 06"
    assert (core.busy, core.exceptions) == (1, 1)


@pytest.mark.parametrize("request_", FULL)
def test_a_store_that_fails_is_exception_4_and_counted(core, store, request_):
    store.broken = True
    function = int(request_[:2], 16)
    assert ask(core, request_) == f"{function | 0x80:02x} 04"
    assert core.faults == 1
    assert "store on fire" in core.last_fault
    store.broken = False
    assert ask(core, "03 00 10 00 01") == "03 02 10 ef"


def test_unit_identifiers():
    out = bytearray(2)
    assert all(Core(Store()).serves(unit) for unit in range(256))
    core = Core(Store(), units=(1, 17))
    assert [unit for unit in range(256) if core.serves(unit)] == [1, 17]
    assert core.no_target(b"\x03\x00\x10\x00\x01", 0, out, 0) == 2
    assert out.hex() == "830b"
    with pytest.raises(ValueError, match="identifier 256"):
        Core(Store(), units=(1, 256))
