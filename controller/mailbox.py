"""The mailbox: what Modbus, monitor and tests write into the image, kept until the next release.

Everything is allocated once. A writer first reserves what it needs; if that is not free it is told
so (a Modbus client gets exception 6) and nothing is lost in silence.
"""

from array import array


class Mailbox:
    """At most `entries` writes with together `size` bytes between two releases."""

    def __init__(self, image, entries=128, size=512):
        self._data = image.data
        self._offsets = array("I", bytes(4 * entries))
        self._lengths = array("H", bytes(2 * entries))  # 0: a mask and a value, for bits
        self._bytes = bytearray(size)
        self._entries = entries
        self._used = 0  # of _bytes
        self.count = 0  # entries that wait

    def reserve(self, n, size=256):
        """True when `n` writes with together `size` bytes are free; then these cannot fail.

        The bits of a post_bits count as two bytes.
        """
        return self.count + n <= self._entries and self._used + size <= len(self._bytes)

    def post(self, offset, data):
        """Queues bytes for image[offset:]; they are copied here.

        Raises ValueError when they leave the image, OverflowError when they were not reserved and
        there is no room.
        """
        length = len(data)
        if not length:
            return
        self._check(offset, length, length)
        used = self._used
        self._bytes[used : used + length] = data
        self._enter(offset, length, used + length)

    def post_bits(self, offset, mask, value):
        """Queues a change of the bits of `mask` in one byte to those of `value`; as `post`."""
        self._check(offset, 1, 2)
        used = self._used
        self._bytes[used] = mask
        self._bytes[used + 1] = value & mask
        self._enter(offset, 0, used + 2)

    def settled(self):
        """True when all that was posted has been applied."""
        return self.count == 0

    def apply(self):
        """Writes all entries into the image, in the order they were posted."""
        data = self._data
        source = self._bytes
        at = 0
        for k in range(self.count):
            offset = self._offsets[k]
            length = self._lengths[k]
            if length:
                # Byte by byte: a slice of a view would be garbage in the middle of a release.
                for i in range(offset, offset + length):
                    data[i] = source[at]
                    at += 1
            else:
                data[offset] = data[offset] & ~source[at] | source[at + 1]
                at += 2
        self._used = 0
        self.count = 0

    def _check(self, offset, length, size):
        if offset < 0 or offset + length > len(self._data):
            raise ValueError(
                "a write to bytes %d..%d is outside the image of %d bytes"
                % (offset, offset + length - 1, len(self._data))
            )
        if self.count == self._entries or self._used + size > len(self._bytes):
            raise OverflowError("the mailbox is full until the next release")

    def _enter(self, offset, length, used):
        self._offsets[self.count] = offset
        self._lengths[self.count] = length
        self._used = used
        self.count += 1
