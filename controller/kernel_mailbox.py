"""The mailbox of the scan kernel: what was posted is handed over, to be applied at a release."""

import uctypes

from controller.image import const
from controller.mailbox import Mailbox

_MAILS = const(26)  # a word of the kernel (kernel.h): entries that it has
_RARE_MAILS = const(2)  # a bit of its `rare`


class KernelMailbox(Mailbox):
    def __init__(self, kernel):
        super().__init__(kernel.image, *kernel.room)
        self._words = kernel.words
        self._tell = kernel.tell
        self._base = kernel.base
        self._at = kernel.mail_at

    def settled(self):
        return self.count == 0 and self._words[_MAILS] == 0

    def hand_over(self):
        """Gives the kernel what waits here, unless it has some still."""
        count = self.count
        if not count or self._words[_MAILS]:
            return
        # As bytes: MicroPython puts no wider items into a bytearray.
        for source, to, size in zip(
            (self._offsets, self._lengths, self._bytes),
            self._at,
            (4 * count, 2 * count, self._used),
        ):
            posted = uctypes.bytearray_at(uctypes.addressof(source), size)
            uctypes.bytearray_at(self._base + to, size)[:] = posted
        self._used = 0
        self.count = 0
        self._words[_MAILS] = count
        self._tell(_RARE_MAILS, True)
