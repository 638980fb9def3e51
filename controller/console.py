"""Runs a staged program and tells the host about it on the console: the other end of `takt run`.

    micropython -m controller.console '{"directory": "slot", "scans": 100}'
    import controller.console; controller.console.main({"directory": "/takt/run"})

Options, all but the first may be left out:

    directory   the staged bundle
    clock       "real" (left out: this) or "virtual"
    scans       release instants to run; until_ns: logical time to run to. Neither: until Ctrl-C
    set         [[offset, hex], ...] bytes put into the image before the first release; a third
                element is a mask, for one byte
    script      [[n, offset, hex(, mask)], ...] posted to the mailbox at the n-th release instant
    watch       [[offset, size], ...] ranges that are told every watch_ms (500)
    crc         true: CRC-32 of the state range after every release instant
    servers     false: do not start them (in virtual time they never are); port: overrides theirs
    pins        false: run without the board's pins
    tests       run these of a build for tests instead: controller/testing.py

Every message is one line: the marker `\\x1eTAKT `, then a JSON object whose "is" names it.
Anything else on the console is not from here.

    hello    platform, python, mem_free, name, version, layout, pins, board
    server   kind, port or uart and unit     note     text
    watch    time_ns, releases, data: [hex, ...]
    crc      first: n of the first one, crc: [...]
    image    at, hex                         a piece of the image: header, records and state
    end      scans, time_ns, tasks, fault, interrupted, mem_free, collections, ...
    error    text                            nothing was run; this is the only message then
"""

import asyncio
import binascii
import json
import struct
import sys

from controller import image as im
from controller.session import Session, hexed, mem_free, tell

_PIECE = 192  # bytes of the image in one line
_CRCS = 32  # in one line


class _Script:
    """Posts scripted writes at their release instants."""

    def __init__(self, rows, session):
        rows = [(row[0], row[1], binascii.unhexlify(row[2]), row[3:]) for row in rows]
        self._rows = sorted(rows, key=lambda row: row[0])
        self._mailbox = session.mailbox
        for _, offset, data, _ in rows:
            # Now, not in the middle of the run.
            if not 0 < len(data) <= 256 or not 0 <= offset <= len(session.image.data) - len(data):
                raise ValueError("a write of the script is outside the image, or too long")
        self._next = 0

    def __call__(self, n):
        rows = self._rows
        while self._next < len(rows) and rows[self._next][0] <= n:
            _, offset, data, mask = rows[self._next]
            if not self._mailbox.reserve(1):
                self._mailbox.apply()  # this release would do it next
            if mask:
                self._mailbox.post_bits(offset, mask[0], data[0])
            else:
                self._mailbox.post(offset, data)
            self._next += 1


class _Observer:
    """Tells CRCs after each release instant, and in virtual time the watched ranges."""

    def __init__(self, session, options, virtual):
        data = memoryview(session.image.data)
        offset, size = session.manifest["state"][:2]
        self._state = data[offset : offset + size]
        self._crc = options.get("crc")
        self._crcs = []
        self._image = session.image
        self._watch = [data[row[0] : row[0] + row[1]] for row in options.get("watch") or ()]
        self._every_ns = (options.get("watch_ms") or 500) * 1000000
        self._due_ns = 0
        self._virtual = virtual
        self.needed = self._crc or (self._watch and virtual)

    def __call__(self, n):
        if self._crc:
            crcs = self._crcs
            crcs.append(binascii.crc32(self._state))
            if len(crcs) == _CRCS:
                self._tell_crcs(n + 1)
        if self._watch and self._virtual:
            now_ns = struct.unpack("<q", self._image.now)[0]
            if now_ns >= self._due_ns:
                self._due_ns = now_ns + self._every_ns
                self.tell_watch()

    def _tell_crcs(self, end):
        tell({"is": "crc", "first": end - len(self._crcs), "crc": self._crcs})
        self._crcs.clear()

    def tell_watch(self):
        message = {"is": "watch", "time_ns": struct.unpack("<q", self._image.now)[0]}
        message["releases"] = self._image.words[im.RELEASES]
        message["data"] = [hexed(view) for view in self._watch]
        tell(message)

    def finish(self):
        if self._crcs:
            self._tell_crcs(self._image.words[im.RELEASES])

    async def watch(self):
        """Tells the watched ranges in real time, for ever."""
        pause_s = self._every_ns / 1000000000
        while self._watch:
            await asyncio.sleep(pause_s)
            self.tell_watch()


def _put(rows, mailbox):
    for row in rows:
        data = binascii.unhexlify(row[1])
        if len(row) > 2:
            mailbox.post_bits(row[0], row[2], data[0])
        else:
            mailbox.post(row[0], data)
        mailbox.apply()


async def _run_real(session, options, observer):
    try:
        if options.get("servers", True):
            await session.serve(options.get("port"))
        await session.run(options.get("scans"), options.get("until_ns"), observer.watch())
    finally:
        await session.close()


def _tell_end(session, interrupted):
    scheduler = session.scheduler
    image = session.image
    data = memoryview(image.data)
    offset, size = session.manifest["state"][:2]
    head = im.HEADER_SIZE + im.RECORD_SIZE * image.tasks
    for start, end in ((0, head), (offset, offset + size)):
        for at in range(start, end, _PIECE):
            tell({"is": "image", "at": at, "hex": hexed(data[at : min(at + _PIECE, end)])})
    error = scheduler.error
    collector = session.collector
    tell(
        {
            "is": "end",
            "scans": image.words[im.RELEASES],
            "time_ns": scheduler.time_ns(),
            "tasks": [im.read_task(data, k) for k in range(image.tasks)],
            "fault": im.read_fault(data),
            "error": None if error is None else repr(error),
            "interrupted": interrupted,
            "mem_free": mem_free(),
            "collections": collector.collections,
            "collections_forced": collector.forced,
            "collection_longest_us": collector.longest_us,
        }
    )


def _open(options):
    """(session, observer, virtual), or None and why nothing can be run."""
    from controller.bundle import BundleError
    from controller.io import machine_pins

    try:
        virtual = options.get("clock") == "virtual"
        pins = machine_pins() if options.get("pins", 1) else None
        # Scripts and CRCs need every release: they are for the portable scheduler.
        kernel = not (virtual or options.get("crc") or options.get("script"))
        session = Session(options["directory"], pins, kernel)
        scheduler = session.scheduler
        if options.get("set"):
            _put(options["set"], session.mailbox)
        observer = _Observer(session, options, virtual)
        if observer.needed:
            scheduler.observe = observer
        if options.get("script"):
            scheduler.stimulus = _Script(options["script"], session)
    except BundleError as error:
        return None, str(error), False
    except Exception as error:
        return None, "the options or the wiring do not fit: %r" % (error,), False
    return session, observer, virtual


def main(options):
    """Runs as `options` say (a dict, or JSON of one); False if nothing could be run."""
    if isinstance(options, str):
        try:
            options = json.loads(options)
        except ValueError as error:
            tell({"is": "error", "text": "the options or the wiring do not fit: %r" % (error,)})
            return False
    if "tests" in options:
        from controller import testing

        return testing.main(options)
    session, observer, virtual = _open(options)
    if session is None:
        tell({"is": "error", "text": observer})
        return False
    session.slim()
    scheduler = session.scheduler
    hello = session.about()
    hello["is"] = "hello"
    tell(hello)
    interrupted = False
    try:
        if virtual:
            scheduler.run_virtual(options.get("scans"), options.get("until_ns"))
        else:
            asyncio.run(_run_real(session, options, observer))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        # MicroPython's asyncio does not unwind its tasks on Ctrl-C.
        scheduler.stop()
    observer.finish()
    _tell_end(session, interrupted)
    return True


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: controller.console OPTIONS, a JSON object; see the opening of this module")
        sys.exit(2)
    sys.exit(0 if main(sys.argv[1]) else 1)
