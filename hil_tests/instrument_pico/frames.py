"""The line protocol between host and instrument.

A frame is one line of ASCII: `@SEQUENCE WORD…*CRC\\n`; CRC is the CRC-32 (as in zlib) of what
stands between `@` and `*`, eight hexadecimal digits. A request is answered by a frame with its
sequence number and `ok` or `error`. What does not parse is passed over: the sender asks again, and
a request that was executed before is answered with the same words.
"""

import binascii

PROTOCOL = 1
LINE_MAX = 4096

_START = b"@"
_END = b"*"


def encode(sequence, words):
    """The line for `words`, a string of words separated by a space."""
    body = ("%d %s" % (sequence, words)).encode()
    return b"@%s*%08x\n" % (body, binascii.crc32(body))


def decode(line):
    """(sequence, list of words) of a line; None when it is no frame, or a damaged one."""
    start = line.rfind(_START)
    end = line.rfind(_END)
    if start < 0 or end < start:
        return None
    body = line[start + 1 : end]
    try:
        if int(line[end + 1 :].strip(), 16) != binascii.crc32(body):
            return None
        words = body.decode().split(" ")
        return int(words[0]), words[1:]
    except ValueError:
        return None
