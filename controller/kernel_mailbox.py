"""The mailbox of the scan kernel: what was posted is handed over, to be applied at a release."""

import uctypes

from controller.image import const
from controller.mailbox import Mailbox

_MAILS = const(20)  # a word of the kernel (kernel.h): entries that it has


class KernelMailbox(Mailbox):
    def __init__(self, kernel):
        super().__init__(kernel.image, *kernel.room)
        self._words = kernel.words
        self._base = kernel.base
        self._at = kernel.mail_at

    def settled(self):
        return self.count == 0 and self._words[_MAILS] == 0

    def hand_over(self):
        """Gives the kernel what waits here, unless it has some still."""
        count = self.count
        if not count or self._words[_MAILS]:
            return
        base = self._base
        at = self._at
        uctypes.bytearray_at(base + at[0], 4 * count)[:] = memoryview(self._offsets)[:count]
        uctypes.bytearray_at(base + at[1], 2 * count)[:] = memoryview(self._lengths)[:count]
        used = self._used
        uctypes.bytearray_at(base + at[2], used)[:] = memoryview(self._bytes)[:used]
        self._used = 0
        self.count = 0
        self._words[_MAILS] = count
