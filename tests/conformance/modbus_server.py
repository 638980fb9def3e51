"""A Modbus TCP server over a small image, for the peer tests; runs on CPython and MicroPython.

Arguments: the folder of the repository, and the options of the server as JSON. Prints its port,
then a line of JSON for each event.
"""

import asyncio
import json
import sys

sys.path.insert(0, sys.argv[1])

from bus.modbus.map import RegisterMap
from bus.modbus.pdu import Core
from bus.modbus.tcp import serve

ROWS = [
    ["holding", 0, 200, 0, "u16", True],
    ["holding", 200, 2, 400, "f32", True],
    ["holding", 202, 2, 404, "f32", True, True],
    ["holding", 204, 1, 408, "u8", True],
    ["holding", 205, 1, 409, "bool", True],
    ["holding", 206, 4, 410, "f64", False],
    ["input", 0, 200, 0, "u16", False],
    ["coil", 0, 2000, 500, 3, 1, True],
    ["coil", 3000, 2000, 1000, 0, 8, True],
    ["coil", 6000, 40, 3000, 0, 16, True],  # each an entry of its own in the mailbox
    ["discrete", 0, 2003, 500, 0, 1, False],
]


class Mailbox:
    """Up to 16 writes, applied at the next release."""

    def __init__(self, image):
        self.image = image
        self.entries = []

    def reserve(self, n, size):
        return len(self.entries) + n <= 16

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
    options = json.loads(sys.argv[2])
    image = bytearray(3080)
    for k in range(500):
        image[k] = k * 7 & 0xFF
    mailbox = Mailbox(image)

    def event(what, peer, reason):
        print(json.dumps([what, peer[0], reason]))

    core = Core(RegisterMap(ROWS, image, mailbox), options.pop("units", None))
    server = await serve(core, "127.0.0.1", 0, on_event=event, **options)
    print(server.port)
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()
    while True:  # the scan
        mailbox.release()
        await asyncio.sleep(0.005)


asyncio.run(main())
