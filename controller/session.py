"""One loaded program with all it runs with, and the messages that tell others about it."""

import asyncio
import binascii
import gc
import json
import sys

from controller import bundle
from controller.clock import Clock
from controller.garbage import Collector
from controller.io import Exchange
from controller.mailbox import Mailbox
from controller.scheduler import Scheduler

MARKER = "\x1eTAKT "
"""What a message on the console begins with; JSON and the end of the line follow."""


def tell(message):
    """Prints a message, a dict whose "is" names it, as one marked line."""
    print(MARKER + json.dumps(message))


def hexed(data):
    return binascii.hexlify(data).decode()


def mem_free():
    """Bytes of free heap after a collection; None on CPython."""
    gc.collect()
    return gc.mem_free() if hasattr(gc, "mem_free") else None


def _settle_s(tasks):
    """How long to hold back the confirmation of a write: two releases of the fastest task, for the
    next one may be late; never so long that clients give up, which they do after 1 to 3 s."""
    shortest_ns = min([task["interval_ns"] for task in tasks])
    return max(0.1, min(1.0, shortest_ns / 500000000))


class Session:
    """The program in the folder `directory`: manifest, image, mailbox, scheduler, servers.

    `pins` is a provider (controller.io) or None. Making it drives the outputs to their safe state.
    Raises BundleError, and ValueError for wiring the board refuses.
    """

    def __init__(self, directory, pins=None, kernel=False):
        """`kernel`: by the native scan kernel, where the program has it and the board can."""
        self.manifest, self.image, program = bundle.load(directory)
        manifest = self.manifest
        tasks = manifest["tasks"]
        self.servers = []  # (kind, port, server)
        self.pins = pins
        self.kernel = bool(kernel and manifest.get("kernel") and sys.platform == "rp2")
        if self.kernel:
            from controller.kernel import Kernel

            self.scheduler = Kernel(manifest, self.image, program, pins)
            self.image = self.scheduler.image
            self.mailbox = self.scheduler.mailbox
            self.collector = self.scheduler.collector
            return
        # Room for the largest write that the servers' maps allow, as the host has worked it out.
        self.mailbox = Mailbox(self.image, *manifest.get("mailbox", ()))
        exchange = Exchange(
            manifest.get("io"), self.image.data, tasks, manifest.get("areas", {}), pins
        )
        clock = Clock()
        self.collector = Collector(clock)
        self.scheduler = Scheduler(
            self.image,
            tasks,
            program,
            exchange,
            self.mailbox,
            clock,
            manifest.get("safe", ()),
            self.collector,
        )

    def about(self):
        """Who this is, for hello and running messages."""
        manifest = self.manifest
        return {
            "platform": sys.platform,
            "python": sys.version,
            "mem_free": mem_free(),
            "name": manifest["name"],
            "version": manifest.get("version"),
            "board": manifest.get("board"),
            "layout": manifest["layout"],
            "pins": self.pins is not None,
        }

    async def serve(self, port=None):
        """Starts the servers of the manifest and tells about each."""
        rows = self.manifest.get("servers")
        if not rows:
            return
        from controller import servers

        settle_s = _settle_s(self.manifest["tasks"])
        self.servers, notes = await servers.start(rows, self.image, self.mailbox, port, settle_s)
        for kind, port, _ in self.servers:
            tell({"is": "server", "kind": kind, "port": port})
        for text in notes:
            tell({"is": "note", "text": text})

    async def close(self):
        """Stops the servers."""
        for _, _, server in self.servers:
            await server.close()
        self.servers = []

    async def run(self, scans=None, until_ns=None, beside=None):
        """Scheduler.run with the coroutine `beside` next to it, cancelled at the end."""
        task = asyncio.create_task(beside) if beside is not None else None
        try:
            return await self.scheduler.run(scans, until_ns)
        finally:
            if task is not None:
                task.cancel()
