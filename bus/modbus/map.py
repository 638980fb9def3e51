"""Maps Modbus tables onto the controller's process image.

The map is plain data, one JSON list a row, made by the host from the wiring file. A row maps a run
of addresses; rows of one table must not overlap.

    ["coil" | "discrete", address, count, image_offset, bit_offset, stride_bits, writable]

        stride_bits 1: packed bits of the I, Q or M area, the first one bit `bit_offset` (0..7) of
        byte `image_offset`. stride_bits 8, 16, 24, ...: BOOL variables, one byte 0/1 each,
        stride_bits / 8 bytes apart (8 for a variable or an ARRAY OF BOOL); bit_offset is 0.

    ["holding" | "input", address, registers, image_offset, kind, writable, low_word_first]

        kind is "bool", "u8", "i8" (one register for one byte of the image), "u16", "i16", "u32",
        "i32", "f32", "u64", "i64" or "f64". `registers` is a multiple of what one value takes, so
        a row may be an ARRAY or a stretch of %MW. Registers carry their high byte first (AP 4.2);
        values of several registers have the most significant word first, or the least significant
        one if `low_word_first` is true (it may be left out: false). "i8" is sign-extended.

`address` is the protocol address 0..65535. `writable` is for coils and holding registers only.

Rules of access:

- An address without a row is exception 2, also if only a part of the range lacks one. So is
  writing to a row that is not writable.
- A register written to a "bool", "u8" or "i8" must hold a value of that type, otherwise the
  request is exception 3: cutting a setpoint to eight bits in silence is worse.
- Registers are words of the image: writing one register of a REAL changes these two bytes and
  leaves the other two as they are when the write takes effect. So masters that can only write
  single registers work, and two such writes before a release do not undo each other; the value is
  half-written until the second one: a program that minds needs both registers in one request.
- A request is written as a whole or not at all: it first reserves all the room in the mailbox that
  it needs; if that is not free, it is exception 6. The most that a request takes is 246 bytes for
  registers and packed bits, and 1968 for BOOL variables.

The mailbox is anything with

    reserve(n, size) -> bool    are n entries with together `size` bytes free? Then the next n
                                posts cannot fail; a post_bits counts as two bytes
    post(offset, data)          write these bytes (it must copy them), one entry
    post_bits(offset, mask, value)  change the bits of `mask` in one byte to those of `value`, one
                                entry
    settled() -> bool           optional: has it applied all it was given?

and applies its entries, in order, at the next release. Reads take their bytes straight from the
image: with the portable scheduler asyncio code never runs inside a scan, so between two awaits the
image is a consistent snapshot. Nothing is allocated for a read; a write makes one memoryview for
each post of bytes.
"""

from bus.modbus.pdu import (
    COILS,
    DEVICE_BUSY,
    DISCRETE_INPUTS,
    HOLDING_REGISTERS,
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    INPUT_REGISTERS,
    const,
)

_TABLES = {
    "coil": COILS,
    "discrete": DISCRETE_INPUTS,
    "holding": HOLDING_REGISTERS,
    "input": INPUT_REGISTERS,
}

# How a register lies in the image: as a word, or as one of three kinds of byte.
_WORD = const(0)
_U8 = const(1)
_I8 = const(2)
_BOOL = const(3)

_KINDS = {  # name: (how, bytes in the image, registers)
    "bool": (_BOOL, 1, 1),
    "u8": (_U8, 1, 1),
    "i8": (_I8, 1, 1),
    "u16": (_WORD, 2, 1),
    "i16": (_WORD, 2, 1),
    "u32": (_WORD, 4, 2),
    "i32": (_WORD, 4, 2),
    "f32": (_WORD, 4, 2),
    "u64": (_WORD, 8, 4),
    "i64": (_WORD, 8, 4),
    "f64": (_WORD, 8, 4),
}

# Fields of a row as it is kept. _FIRST.._END are its addresses; _AT is the image offset in bits
# for bit rows, in bytes for register rows; _STRIDE is in bits. _FLIP: word k of the registers is
# word k ^ flip of the image, since values have 1, 2 or 4 words: flip is 0, 1 or 3.
_FIRST = const(0)
_END = const(1)
_WRITABLE = const(2)
_AT = const(3)
_STRIDE = const(4)
_HOW = const(4)
_FLIP = const(5)

_STAGE = const(256)  # bytes posted as one mailbox entry at most; FC 16 has 246


def _bad(index, row, text):
    return ValueError("Modbus map row %d %r: %s" % (index, row, text))


def _compile_bits(index, row, image_size):
    if len(row) != 7:
        raise _bad(index, row, "a row of bits has 7 fields, this has %d" % len(row))
    count, offset, bit, stride = row[2:6]
    if not 0 <= bit <= 7:
        raise _bad(index, row, "bit_offset must be 0..7")
    if stride != 1 and (stride < 8 or stride % 8 or bit):
        raise _bad(index, row, "stride_bits must be 1, or 8, 16, ... with bit_offset 0 for BOOL")
    at = offset * 8 + bit
    if offset < 0 or (at + (count - 1) * stride) // 8 >= image_size:
        raise _bad(index, row, "ends outside the image of %d bytes" % image_size)
    return (row[1], row[1] + count, bool(row[6]), at, stride)


def _compile_words(index, row, image_size):
    if len(row) not in (6, 7):
        raise _bad(index, row, "a row of registers has 6 or 7 fields, this has %d" % len(row))
    count, offset, kind = row[2:5]
    how, size, words = _KINDS[kind]
    if count % words:
        raise _bad(index, row, "a value of kind %s takes %d registers" % (kind, words))
    if offset < 0 or offset + count // words * size > image_size:
        raise _bad(index, row, "ends outside the image of %d bytes" % image_size)
    flip = 0 if len(row) == 7 and row[6] else words - 1
    return (row[1], row[1] + count, bool(row[5]), offset, how, flip)


def _compile(regions, image_size):
    """Four lists of rows, one a table, sorted by address. Raises ValueError naming the bad row."""
    tables: tuple = ([], [], [], [])
    for index, row in enumerate(regions):
        if not row or row[0] not in _TABLES:
            raise _bad(index, row, "must begin with one of " + ", ".join(sorted(_TABLES)))
        table = _TABLES[row[0]]
        for k, field in enumerate(row):
            if k == 4 and table in (HOLDING_REGISTERS, INPUT_REGISTERS):
                if field not in _KINDS:
                    raise _bad(index, row, "kind must be one of " + ", ".join(sorted(_KINDS)))
            elif k and not isinstance(field, (int, bool)):  # two types on MicroPython
                raise _bad(index, row, "field %d must be a whole number, not %r" % (k, field))
        if len(row) < 3 or row[2] < 1 or row[1] < 0 or row[1] + row[2] > 0x10000:
            raise _bad(index, row, "addresses must be within 0..65535, at least one")
        bits = table in (COILS, DISCRETE_INPUTS)
        compiled = (_compile_bits if bits else _compile_words)(index, row, image_size)
        if compiled[_WRITABLE] and table in (DISCRETE_INPUTS, INPUT_REGISTERS):
            raise _bad(index, row, "this table is read-only, writable must be false")
        tables[table].append(compiled)
    for name, table in _TABLES.items():
        rows = tables[table]
        rows.sort(key=lambda row: row[_FIRST])
        for i in range(1, len(rows)):
            if rows[i][_FIRST] < rows[i - 1][_END]:
                raise ValueError(
                    "Modbus map: %s %d is in two rows; give each address one variable"
                    % (name, rows[i][_FIRST])
                )
    return tables


def _cover(rows, address, quantity, writing):
    """Index of the row with `address` if rows without a gap cover the whole range, else -1."""
    low = 0
    high = len(rows)
    while low < high:
        middle = (low + high) >> 1
        if rows[middle][_END] <= address:
            low = middle + 1
        else:
            high = middle
    end = address + quantity
    i = low
    while i < len(rows):
        row = rows[i]
        if row[_FIRST] > address or (writing and not row[_WRITABLE]):
            return -1
        if row[_END] >= end:
            return low
        address = row[_END]
        i += 1
    return -1


class RegisterMap:
    """The store (see bus.modbus.pdu) of a controller: `regions` over `image`, writes to `mailbox`.

    Raises ValueError, naming row and reason, if a row is malformed, leaves the image or overlaps.
    """

    def __init__(self, regions, image, mailbox):
        self._tables = _compile(regions, len(image))
        self._image = image
        self._mailbox = mailbox
        self.settled = getattr(mailbox, "settled", None)
        # Bytes of the image that follow each other become one mailbox entry. A write walks its
        # range twice, first only counting the entries.
        self._stage = memoryview(bytearray(_STAGE))
        self._run = 0  # image offset of the first staged byte
        self._staged = 0  # bytes
        self._counting = True
        self._entries = 0
        self._size = 0  # bytes of the entries

    def has_words(self, address, quantity):
        return _cover(self._tables[HOLDING_REGISTERS], address, quantity, False) >= 0

    def read_bits(self, table, address, quantity, out, at):
        rows = self._tables[table]
        i = _cover(rows, address, quantity, False)
        if i < 0:
            return ILLEGAL_ADDRESS
        for k in range(at, at + ((quantity + 7) >> 3)):
            out[k] = 0
        image = self._image
        end = address + quantity
        to = at * 8
        while address < end:
            row = rows[i]
            stride = row[_STRIDE]
            of = row[_AT] + (address - row[_FIRST]) * stride
            count = min(end, row[_END]) - address
            address += count
            i += 1
            if stride == 1:
                while count:
                    # As many bits as fit the byte of the answer: 2000 coils are 250 rounds.
                    shift = to & 7
                    n = min(8 - shift, count)
                    k = of >> 3
                    bits = image[k] >> (of & 7)
                    if (of & 7) + n > 8:
                        bits |= image[k + 1] << (8 - (of & 7))
                    out[to >> 3] |= (bits & ((1 << n) - 1)) << shift
                    of += n
                    to += n
                    count -= n
            else:
                of >>= 3
                stride >>= 3
                for to in range(to, to + count):
                    if image[of]:
                        out[to >> 3] |= 1 << (to & 7)
                    of += stride
                to += 1
        return 0

    def read_words(self, table, address, quantity, out, at):
        rows = self._tables[table]
        i = _cover(rows, address, quantity, False)
        if i < 0:
            return ILLEGAL_ADDRESS
        image = self._image
        end = address + quantity
        while address < end:
            row = rows[i]
            i += 1
            offset = row[_AT]
            flip = row[_FLIP]
            first = address - row[_FIRST]
            address = min(end, row[_END])
            for k in range(first, address - row[_FIRST]):
                if row[_HOW] == _WORD:
                    of = offset + 2 * (k ^ flip)
                    out[at] = image[of + 1]
                    out[at + 1] = image[of]
                else:
                    low = image[offset + k]
                    out[at] = 0xFF if row[_HOW] == _I8 and low & 0x80 else 0
                    out[at + 1] = low
                at += 2
        return 0

    def write_bits(self, address, quantity, data, at):
        i = _cover(self._tables[COILS], address, quantity, True)
        if i < 0:
            return ILLEGAL_ADDRESS
        self._count()
        self._put_coils(i, address, quantity, data, at)
        if not self._reserved():
            return DEVICE_BUSY
        self._put_coils(i, address, quantity, data, at)
        self._flush()
        return 0

    def write_words(self, address, quantity, data, at):
        i = _cover(self._tables[HOLDING_REGISTERS], address, quantity, True)
        if i < 0:
            return ILLEGAL_ADDRESS
        if not self._words_fit(i, address, quantity, data, at):
            return ILLEGAL_VALUE
        self._count()
        self._put_words(i, address, quantity, data, at)
        if not self._reserved():
            return DEVICE_BUSY
        self._put_words(i, address, quantity, data, at)
        self._flush()
        return 0

    def mask_word(self, address, and_mask, or_mask):
        rows = self._tables[HOLDING_REGISTERS]
        i = _cover(rows, address, 1, True)
        if i < 0:
            return ILLEGAL_ADDRESS
        row = rows[i]
        k = address - row[_FIRST]
        change = ~and_mask & 0xFFFF
        value = or_mask & change
        if row[_HOW] == _WORD:
            offset = row[_AT] + 2 * (k ^ row[_FLIP])
        else:
            offset = row[_AT] + k
            low = self._image[offset]
            high = 0xFF00 if row[_HOW] == _I8 and low & 0x80 else 0
            if not _fits(row[_HOW], (high | low) & and_mask | value):
                return ILLEGAL_VALUE
            change &= 0xFF
        # As bits, not as a value: what the program does to the other bits meanwhile is kept.
        self._count()
        self._put_mask(offset, change, value)
        if not self._reserved():
            return DEVICE_BUSY
        self._put_mask(offset, change, value)
        return 0

    def _words_fit(self, i, address, quantity, data, at):
        rows = self._tables[HOLDING_REGISTERS]
        end = address + quantity
        start = address
        while address < end:
            row = rows[i]
            i += 1
            stop = min(end, row[_END])
            if row[_HOW] != _WORD:
                for k in range(at + 2 * (address - start), at + 2 * (stop - start), 2):
                    if not _fits(row[_HOW], data[k] << 8 | data[k + 1]):
                        return False
            address = stop
        return True

    def _put_words(self, i, address, quantity, data, at):
        rows = self._tables[HOLDING_REGISTERS]
        end = address + quantity
        while address < end:
            row = rows[i]
            i += 1
            offset = row[_AT]
            first = address - row[_FIRST]
            stop = min(end, row[_END]) - row[_FIRST]
            address = stop + row[_FIRST]
            if row[_HOW] == _WORD:
                flip = row[_FLIP]
                # In the order of the image, so that a run of REALs is one entry.
                for word in range(first & ~flip, (stop - 1 | flip) + 1):
                    k = word ^ flip
                    if first <= k < stop:
                        of = at + 2 * (k - first)
                        self._put(offset + 2 * word, data[of + 1])
                        self._put(offset + 2 * word + 1, data[of])
            else:
                for k in range(first, stop):
                    self._put(offset + k, data[at + 2 * (k - first) + 1])
            at += 2 * (stop - first)

    def _put_coils(self, i, address, quantity, data, at):
        rows = self._tables[COILS]
        end = address + quantity
        of = at * 8
        while address < end:
            row = rows[i]
            i += 1
            stride = row[_STRIDE]
            to = row[_AT] + (address - row[_FIRST]) * stride
            count = min(end, row[_END]) - address
            address += count
            while count:
                if stride == 1:
                    # As many bits as lie in one byte of the image; whole bytes join a run.
                    n = min(8 - (to & 7), count)
                    k = of >> 3
                    bits = data[k] >> (of & 7)
                    if (of & 7) + n > 8:
                        bits |= data[k + 1] << (8 - (of & 7))
                    mask = ((1 << n) - 1) << (to & 7)
                    self._put_bits(to >> 3, mask, bits << (to & 7) & mask)
                else:
                    n = 1
                    self._put(to >> 3, data[of >> 3] >> (of & 7) & 1)
                of += n
                to += n * stride
                count -= n

    def _put_mask(self, offset, change, value):
        if change & 0xFF:
            self._put_bits(offset, change & 0xFF, value & 0xFF)
        if change >> 8:
            self._put_bits(offset + 1, change >> 8, value >> 8)
        self._flush()

    # Entries: counted in the first pass, posted in the second.

    def _count(self):
        self._counting = True
        self._entries = 0
        self._size = 0
        self._staged = 0

    def _reserved(self):
        self._flush()
        self._counting = False
        return self._entries == 0 or self._mailbox.reserve(self._entries, self._size)

    def _put(self, offset, value):
        if offset != self._run + self._staged or self._staged == _STAGE:
            self._flush()
        if not self._staged:
            self._run = offset
        if not self._counting:
            self._stage[self._staged] = value
        self._staged += 1

    def _put_bits(self, offset, mask, value):
        if mask == 0xFF:
            self._put(offset, value)
            return
        self._flush()
        if self._counting:
            self._entries += 1
            self._size += 2
        else:
            self._mailbox.post_bits(offset, mask, value)

    def _flush(self):
        if self._staged:
            if self._counting:
                self._entries += 1
                self._size += self._staged
            else:
                self._mailbox.post(self._run, self._stage[: self._staged])
            self._staged = 0


def _fits(how, register):
    if how == _BOOL:
        return register <= 1
    if how == _U8:
        return register <= 0xFF
    return register <= 0x7F or register >= 0xFF80
