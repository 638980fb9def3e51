"""One loaded program with all it runs with, and the messages that tell others about it."""

import asyncio
import binascii
import gc
import json
import sys

_PLATFORM = sys.platform
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


def forget(names):
    """Unloads modules of the controller that are not needed while a program scans, where memory is
    short; importing them loads them again."""
    package = sys.modules["controller"]
    for name in names:
        sys.modules.pop("controller." + name, None)
        if hasattr(package, name):
            delattr(package, name)
    gc.collect()


_FOR_THE_START = ("bundle", "faults", "io", "kernel_tables", "rt")
_NOT_WHILE_IT_RUNS = (
    "areas built_from engine image_size io mailbox parts retain safe takt architecture".split()
)


def _by_kernel(manifest, image, program, pins):
    from controller.kernel import Kernel

    kernel = Kernel(manifest, image, program, pins)
    for key in _NOT_WHILE_IT_RUNS:
        manifest.pop(key, None)
    for task in manifest["tasks"]:
        del task["inputs"], task["outputs"]
    program.__dict__.clear()
    return kernel, kernel.image, kernel


def _portably(manifest, image, program, pins):
    from controller.clock import Clock
    from controller.garbage import Collector
    from controller.io import Exchange
    from controller.mailbox import Mailbox
    from controller.scheduler import Scheduler

    tasks = manifest["tasks"]
    # Room for the largest write that the servers' maps allow, as the host has worked it out.
    mailbox = Mailbox(image, *manifest.get("mailbox", ()))
    exchange = Exchange(manifest.get("io"), image.data, tasks, manifest.get("areas", {}), pins)
    clock = Clock()
    collector = Collector(clock)
    safe = manifest.get("safe", ())
    scheduler = Scheduler(image, tasks, program, exchange, mailbox, clock, safe, collector)
    return scheduler, image, collector


class Session:
    """The program in the folder `directory`: manifest, image, mailbox, scheduler, servers.

    `pins` is a provider (controller.io) or None. Making it drives the outputs to their safe state.
    Raises BundleError, and ValueError for wiring the board refuses.
    """

    def __init__(self, directory, pins=None, kernel=False):
        """`kernel`: by the native scan kernel, where the program has it and the board can."""
        from controller import bundle

        self.manifest, image, program = bundle.load(directory)
        self.servers = []  # (kind, place, server)
        self.pins = pins
        self.kernel = bool(kernel and self.manifest.get("kernel") and _PLATFORM == "rp2")
        if pins is not None and not self.kernel and "hardware_watchdog_ms" in self.manifest:
            tell(
                {"is": "note", "text": "hardware_watchdog_ms does nothing without the scan kernel"}
            )
        made = _by_kernel if self.kernel else _portably
        self.scheduler, self.image, self.collector = made(self.manifest, image, program, pins)

    @property
    def mailbox(self):
        return self.scheduler.mailbox

    def slim(self):
        """Gives back the memory of what only a start needs. To be called when nothing refers to
        controller.bundle and controller.io any more."""
        if self.kernel:
            forget(_FOR_THE_START)

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
        # A map is large, and a server makes its own of it.
        rows = self.manifest.pop("servers", None)
        if not rows:
            return
        from controller import servers

        settle_s = _settle_s(self.manifest["tasks"])
        self.servers, notes = await servers.start(rows, self, port, settle_s)
        for kind, place, _ in self.servers:
            message = {"is": "server", "kind": kind}
            message.update(place)
            tell(message)
        for text in notes:
            tell({"is": "note", "text": text})
        if self.kernel and not self.servers:
            forget(("servers",))

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
