"""The native scan kernel from Python's side: starts, stops and reads it.

firmware/kernel/kernel.h says what the tables hold and what the interrupts do; kernel_tables.py
makes them. Python takes no part in a scan: `run` counts a heartbeat up, hands over what was posted
to the mailbox, and scans freewheeling tasks.
"""

import asyncio
import struct

import machine

from controller import image as im
from controller.image import const

# Words of the kernel (kernel.h).
_UNTIL = const(0)
_RUNNING = const(5)
_RARE = const(11)
_FORCES = const(24)
_HEARTBEAT = const(31)
_WATCHDOG = const(35)
_WATCHDOG_LOAD = const(36)
_STOPPED = const(39)
_RELEASES_LEFT = const(40)
_FREEWHEELING = const(41)

_RARE_FORCES = const(4)  # a bit of `rare`: there are forces

# Operations of the machine code, beyond the numbers of tasks.
_START = const(259)
_STOP = const(260)
_SCAN = const(261)

_ALARM_NUMBER = const(1)
_FIRST_SPARE = const(26)

REASONS = ("", "Python", "no heartbeat", "soft reset", "hard fault", "all tasks faulted", "end")


class Kernel:
    """In the place of a Scheduler, for a program with machine code and kernel on an RP2040.

    `image` and `mailbox` are in the kernel's block. Making it drives the outputs to their safe
    state. Raises ValueError for wiring that the board or the kernel refuses.
    """

    # As of a Collector: nothing here waits for a collection.
    collections = forced = longest_us = 0

    def __init__(self, manifest, image, program, pins):
        from controller import kernel_tables

        self.error = None
        self.stopping = False
        self.observe = self.stimulus = None
        self.collector = self
        made = kernel_tables.Tables(manifest, image, program, pins)
        self._free = made.free
        self._watchdog_ms = manifest.get("hardware_watchdog_ms")
        self._keeper = made.telltale
        self._block = made.block
        self.words = made.words
        self._force_at = made.force_at
        self.base, self.room, self.mail_at = made.base, made.mailbox, made.mail_at
        self._enter = made.enter
        self.image = made.image
        self._mailbox = None
        self.trace = None  # the one that is being taken: controller.kernel_trace
        self._started = False
        self._priorities = None

    @property
    def mailbox(self):
        """Made when it is asked for: without a network nobody may."""
        if self._mailbox is None:
            from controller.kernel_mailbox import KernelMailbox

            self._mailbox = KernelMailbox(self)
        return self._mailbox

    def _start(self, scans, until_ns):
        words = self.words
        words[_RELEASES_LEFT] = 0xFFFFFFFF if scans is None else scans
        until_ns = (1 << 64) - 1 if until_ns is None else until_ns
        words[_UNTIL] = until_ns & 0xFFFFFFFF
        words[_UNTIL + 1] = until_ns >> 32
        # Interrupts of MicroPython below the tasks; NVIC_IPR0 to 7 take whole words only.
        mem32 = machine.mem32
        self._priorities = [mem32[0xE000E400 + 4 * k] & 0xFFFFFFFF for k in range(8)]
        levels = bytearray(b"\xc0" * 32)
        levels[_ALARM_NUMBER] = 0
        levels[_FIRST_SPARE] = 0x40
        levels[_FIRST_SPARE + 1] = 0x80
        for k in range(8):
            mem32[0xE000E400 + 4 * k] = struct.unpack_from("<I", levels, 4 * k)[0]
        self._started = True
        if self._watchdog_ms:
            words[_WATCHDOG] = 0x40058004  # LOAD (RP2040 data sheet 4.7.6)
            # It counts down twice a µs: erratum RP2040-E1.
            words[_WATCHDOG_LOAD] = self._watchdog_ms * 2000
            machine.WDT(timeout=self._watchdog_ms)
        self._enter(self.base, _START)

    async def run(self, scans=None, until_ns=None):
        """Runs for `scans` release instants, until `until_ns` of logical time, or for ever.

        Returns how many release instants there were, after all outputs were driven to their safe
        state; also when it is cancelled or `stopping` was set, and when every task has faulted.
        """
        words = self.words
        try:
            self._start(scans, until_ns)
            while words[_RUNNING] and not self.stopping:
                words[_HEARTBEAT] = (words[_HEARTBEAT] + 1) & 0x3FFFFFFF
                if self._mailbox is not None:
                    self._mailbox.hand_over()
                for k in self._free:
                    words[_FREEWHEELING] = k
                    self._enter(self.base, _SCAN)
                # Where nobody posts, the heartbeat is all there is to do, and has no hurry.
                pause_ms = 20 if self._mailbox is None else 4
                await asyncio.sleep_ms(0 if self._free else pause_ms)
        finally:
            self.stop()
        return self.image.words[im.RELEASES]

    def stop(self):
        """Ends the scans and drives all outputs to their safe state; the image stays."""
        if self._started:
            # The kernel drives the outputs; they are safe already where it has stopped by itself.
            self._enter(self.base, _STOP)
            if self._priorities is not None:
                for k in range(8):
                    machine.mem32[0xE000E400 + 4 * k] = self._priorities[k]
                self._priorities = None

    def force(self, rows):
        """Forces bits: rows of (offset, mask, value), imposed around every scan; none ends it."""
        from controller.kernel_tables import FORCE_ROWS

        if len(rows) > FORCE_ROWS:
            raise ValueError("no more than %d bytes can be forced" % FORCE_ROWS)
        words = self.words
        words[_FORCES] = 0
        at = self._force_at
        for row in rows:
            for value in row:
                words[at] = value
                at += 1
        words[_FORCES] = len(rows)
        self.tell(_RARE_FORCES, bool(rows))

    def tell(self, bit, on):
        """Sets or clears a bit of the word that says whether a scan has more to do than others."""
        words = self.words
        words[_RARE] = words[_RARE] & ~bit | (bit if on else 0)

    def time_ns(self):
        """Logical time after the latest release, as far as its task is periodic."""
        latest = 0
        for k in range(self.image.tasks):
            record = im.read_task(self.image.data, k)
            latest = max(latest, record["release"])
        return latest

    def why_stopped(self):
        """In words, "" while it runs."""
        return REASONS[self.words[_STOPPED]]
