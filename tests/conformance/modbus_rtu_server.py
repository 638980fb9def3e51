"""A Modbus RTU server over a small image on one end of a pty, for test_modbus_rtu_peer.py; runs on
CPython and MicroPython.

Arguments: the folder of the repository, the number of the pty's open file. Prints a line when it
listens; a line on its input ends it, and it prints its counters as JSON.
"""

import asyncio
import json
import select
import sys

sys.path.insert(0, sys.argv[1])

from bus.modbus.map import RegisterMap
from bus.modbus.pdu import Core
from bus.modbus.rtu import serve

UNIT = 17
BAUD = 2400  # A pty knows no times; a busy computer must not tear frames apart.
ROWS = [
    ["holding", 0, 200, 0, "u16", True],
    ["input", 0, 200, 0, "u16", False],
    ["coil", 0, 2000, 500, 3, 1, True],
    ["discrete", 0, 2003, 500, 0, 1, False],
]

if sys.implementation.name == "micropython":
    from io import IOBase
else:
    IOBase = object

_POLL = 3  # MP_STREAM_POLL


class Terminal(IOBase):
    """What a machine.UART is, with a terminal in the place of its pins."""

    def __init__(self, number):
        self.file = open(number, "r+b", 0)  # noqa: SIM115  as long as this
        self.poll = select.poll()
        self.poll.register(self.file, select.POLLIN)
        self.waiting = bytearray()

    def any(self):
        while self.poll.poll(0):
            self.waiting += self.file.read(1)
        return len(self.waiting)

    def readinto(self, view, n=None):
        n = min(len(view) if n is None else n, self.any())
        view[:n] = self.waiting[:n]
        self.waiting = self.waiting[n:]
        return n

    def write(self, view):
        return self.file.write(view)

    def txdone(self):
        return True

    def ioctl(self, request, flags):
        """For MicroPython's asyncio, which asks a stream whether it can be read."""
        if request != _POLL:
            return -22  # EINVAL
        return flags & select.POLLIN if self.any() else 0


class Mailbox:
    """Applied at the next release."""

    def __init__(self, image):
        self.image = image
        self.entries = []

    def reserve(self, n, size):
        return True

    def post(self, offset, data):
        self.entries.append((offset, None, bytes(data)))

    def post_bits(self, offset, mask, value):
        self.entries.append((offset, mask, value))

    def settled(self):
        return not self.entries

    def release(self):
        image = self.image
        for offset, mask, value in self.entries:
            if mask is None:
                image[offset : offset + len(value)] = value
            else:
                image[offset] = image[offset] & ~mask | value
        self.entries.clear()


async def main():
    image = bytearray(1000)
    for k in range(400):
        image[k] = k * 7 & 0xFF
    mailbox = Mailbox(image)
    server = await serve(
        Core(RegisterMap(ROWS, image, mailbox)), Terminal(int(sys.argv[2])), UNIT, BAUD
    )
    await asyncio.sleep(0.1)  # the first silence
    print("listening")
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()
    ended = select.poll()
    ended.register(sys.stdin, select.POLLIN)
    while not ended.poll(0):  # the scan
        mailbox.release()
        await asyncio.sleep(0.005)
    await server.close()
    print(json.dumps(server.stats()))


asyncio.run(main())
