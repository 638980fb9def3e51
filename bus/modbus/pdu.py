"""Answers Modbus requests: the protocol core of a server, bytes in and bytes out, no I/O.

Implements MODBUS Application Protocol Specification V1.1b3 ("AP" below): function codes 1, 2, 3,
4, 5, 6, 15, 16, 22 and 23 and the exceptions of AP 7. The framing around a PDU (TCP, RTU) is not
known here.

The order of the checks is that of the state diagrams in AP 6: function code (exception 1), then
quantity, byte count and length of the request (3), then addresses (2), then values (3), then
execution (4, 6). Nothing is written unless every check of the request has passed.

A **store** holds the four tables. Each method gives 0 or an exception code; a code means that
nothing was changed. `quantity` is within the limits of the function code and `address + quantity`
is at most 65536 when they are called:

    read_bits(table, address, quantity, out, at)    bits into out[at:], first one in bit 0, the
                                                    unused bits of the last byte 0 (AP 6.1)
    read_words(table, address, quantity, out, at)   registers into out[at:], high byte first
    write_bits(address, quantity, data, at)         coils from data[at:], first one in bit 0
    write_words(address, quantity, data, at)        holding registers from data[at:]
    mask_word(address, and_mask, or_mask)           register = (it AND and_mask) OR
                                                    (or_mask AND NOT and_mask) (AP 6.16)
    has_words(address, quantity)                    True when all these holding registers can be
                                                    read; used by function 23 before it writes

    settled()                                       optional: True when all that was written has
                                                    taken effect

A write may take effect later (the controller's mailbox): function 23 puts what it has just written
into its own answer, so that it "writes before it reads" (AP 6.17) for such stores too. A transport
may hold an answer back until `settled`, see `Core.wrote`.

Answers are built in a buffer of the caller and nothing here allocates per request: garbage made
here would cost the controller a collection between two scans.
"""

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):  # type: ignore[misc]
        return value


# Tables, AP 4.3.
COILS = const(0)
DISCRETE_INPUTS = const(1)
HOLDING_REGISTERS = const(2)
INPUT_REGISTERS = const(3)

# Exception codes, AP 7.
ILLEGAL_FUNCTION = const(1)
ILLEGAL_ADDRESS = const(2)
ILLEGAL_VALUE = const(3)
DEVICE_FAILURE = const(4)
DEVICE_BUSY = const(6)
GATEWAY_NO_TARGET = const(11)

PDU_MAX = const(253)  # bytes, AP 4.1

# Quantity limits: AP 6.1, 6.3, 6.11, 6.12, 6.17.
_READ_BITS_MAX = const(2000)
_READ_WORDS_MAX = const(125)
_WRITE_BITS_MAX = const(1968)
_WRITE_WORDS_MAX = const(123)
_READ_WRITE_MAX = const(121)


def _u16(data, i):
    return data[i] << 8 | data[i + 1]


class Core:
    """Answers requests from one store; any number of connections may share it.

    `units` are the unit identifiers it answers, None for all of them. Counters: `requests`,
    `exceptions` (answers with one), `busy` (those with code 6), `faults` (the store raised: code
    4, and `last_fault` says what).
    """

    def __init__(self, store, units=None):
        if units is not None:
            for unit in units:
                if not 0 <= unit <= 255:
                    raise ValueError("Modbus unit identifier %r is not within 0..255" % (unit,))
        self._store = store
        self._units = units
        self.settled = getattr(store, "settled", None)
        self.wrote = False  # the last answer confirms a write
        self._length = 0  # of the answer a handler has built, 2..253
        # Bound once: looking a method up by name at each request would allocate it.
        self._handlers = {
            1: self._read_bits,
            2: self._read_bits,
            3: self._read_words,
            4: self._read_words,
            5: self._write_coil,
            6: self._write_register,
            15: self._write_coils,
            16: self._write_registers,
            22: self._mask_register,
            23: self._read_write_registers,
        }
        self.requests = 0
        self.exceptions = 0
        self.busy = 0
        self.faults = 0
        self.last_fault = ""

    def serves(self, unit):
        return self._units is None or unit in self._units

    def answer(self, req, start, end, out, at):
        """Writes the answer to the PDU req[start:end] into out[at:]; its length, 2..253 bytes.

        The PDU holds at least the function code; `out` needs 253 bytes of room.
        """
        self.requests += 1
        self.wrote = False
        function = req[start]
        handler = self._handlers.get(function)
        if handler is None:
            return self._exception(function, ILLEGAL_FUNCTION, out, at)
        try:
            code = handler(req, start, end - start, out, at)
        except Exception as fault:
            # AP 7 code 4: whatever is wrong with the store, the client gets an answer and the
            # server goes on; the counter and the text are for the controller's log.
            self.faults += 1
            self.last_fault = repr(fault)
            code = DEVICE_FAILURE
        if code:
            return self._exception(function, code, out, at)
        out[at] = function
        self.wrote = function > 4
        return self._length

    def no_target(self, req, start, out, at):
        """Writes exception 11 (AP 7): no device of that unit identifier is here; its length."""
        self.requests += 1
        self.wrote = False
        return self._exception(req[start], GATEWAY_NO_TARGET, out, at)

    def _exception(self, function, code, out, at):
        self.exceptions += 1
        if code == DEVICE_BUSY:
            self.busy += 1
        out[at] = function | 0x80
        out[at + 1] = code
        return 2

    # Handlers: the request is the `n` bytes of req from `i`; they give 0 and set _length, or give
    # an exception code. A length that does not fit the function is code 3 (AP 7: "the implied
    # length is incorrect").

    def _read_bits(self, req, i, n, out, at):  # AP 6.1, 6.2
        if n != 5:
            return ILLEGAL_VALUE
        address = _u16(req, i + 1)
        quantity = _u16(req, i + 3)
        if not 1 <= quantity <= _READ_BITS_MAX:
            return ILLEGAL_VALUE
        if address + quantity > 0x10000:
            return ILLEGAL_ADDRESS
        table = COILS if req[i] == 1 else DISCRETE_INPUTS
        size = (quantity + 7) >> 3
        out[at + 1] = size
        self._length = 2 + size
        return self._store.read_bits(table, address, quantity, out, at + 2)

    def _read_words(self, req, i, n, out, at):  # AP 6.3, 6.4
        if n != 5:
            return ILLEGAL_VALUE
        address = _u16(req, i + 1)
        quantity = _u16(req, i + 3)
        if not 1 <= quantity <= _READ_WORDS_MAX:
            return ILLEGAL_VALUE
        if address + quantity > 0x10000:
            return ILLEGAL_ADDRESS
        table = HOLDING_REGISTERS if req[i] == 3 else INPUT_REGISTERS
        out[at + 1] = 2 * quantity
        self._length = 2 + 2 * quantity
        return self._store.read_words(table, address, quantity, out, at + 2)

    def _write_coil(self, req, i, n, out, at):  # AP 6.5
        if n != 5 or req[i + 4] or (req[i + 3] != 0 and req[i + 3] != 0xFF):
            return ILLEGAL_VALUE
        self._echo(req, i, 5, out, at)
        # Bit 0 of the value's high byte, FF or 00, is the coil.
        return self._store.write_bits(_u16(req, i + 1), 1, req, i + 3)

    def _write_register(self, req, i, n, out, at):  # AP 6.6
        if n != 5:
            return ILLEGAL_VALUE
        self._echo(req, i, 5, out, at)
        return self._store.write_words(_u16(req, i + 1), 1, req, i + 3)

    def _write_coils(self, req, i, n, out, at):  # AP 6.11
        if n < 6:
            return ILLEGAL_VALUE
        address = _u16(req, i + 1)
        quantity = _u16(req, i + 3)
        size = (quantity + 7) >> 3
        if not 1 <= quantity <= _WRITE_BITS_MAX or req[i + 5] != size or n != 6 + size:
            return ILLEGAL_VALUE
        if address + quantity > 0x10000:
            return ILLEGAL_ADDRESS
        self._echo(req, i, 5, out, at)
        return self._store.write_bits(address, quantity, req, i + 6)

    def _write_registers(self, req, i, n, out, at):  # AP 6.12
        if n < 6:
            return ILLEGAL_VALUE
        address = _u16(req, i + 1)
        quantity = _u16(req, i + 3)
        size = 2 * quantity
        if not 1 <= quantity <= _WRITE_WORDS_MAX or req[i + 5] != size or n != 6 + size:
            return ILLEGAL_VALUE
        if address + quantity > 0x10000:
            return ILLEGAL_ADDRESS
        self._echo(req, i, 5, out, at)
        return self._store.write_words(address, quantity, req, i + 6)

    def _mask_register(self, req, i, n, out, at):  # AP 6.16
        if n != 7:
            return ILLEGAL_VALUE
        self._echo(req, i, 7, out, at)
        return self._store.mask_word(_u16(req, i + 1), _u16(req, i + 3), _u16(req, i + 5))

    def _read_write_registers(self, req, i, n, out, at):  # AP 6.17
        if n < 10:
            return ILLEGAL_VALUE
        source = _u16(req, i + 1)
        quantity = _u16(req, i + 3)
        target = _u16(req, i + 5)
        written = _u16(req, i + 7)
        size = 2 * written
        if not 1 <= quantity <= _READ_WORDS_MAX or not 1 <= written <= _READ_WRITE_MAX:
            return ILLEGAL_VALUE
        if req[i + 9] != size or n != 10 + size:
            return ILLEGAL_VALUE
        if source + quantity > 0x10000 or target + written > 0x10000:
            return ILLEGAL_ADDRESS
        store = self._store
        if not store.has_words(source, quantity):
            return ILLEGAL_ADDRESS
        code = store.write_words(target, written, req, i + 10)
        if code:
            return code
        code = store.read_words(HOLDING_REGISTERS, source, quantity, out, at + 2)
        if code:
            return code
        for register in range(max(source, target), min(source + quantity, target + written)):
            to = at + 2 + 2 * (register - source)
            of = i + 10 + 2 * (register - target)
            out[to] = req[of]
            out[to + 1] = req[of + 1]
        out[at + 1] = 2 * quantity
        self._length = 2 + 2 * quantity
        return 0

    def _echo(self, req, i, length, out, at):
        # Byte by byte: a slice of the request would be a new object.
        for k in range(1, length):
            out[at + k] = req[i + k]
        self._length = length
