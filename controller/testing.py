"""Runs the tests of a build for tests, each on a fresh image, and tells what came of them.

controller.console hands over to this where its options have "tests". They and the messages are
like its own:

    tests     numbers of the tests to run
    suite     {"selector": offset, "failed": offset, "keep": [[offset, size], ...],
              "cover": [offset, size]}; what is kept is told of a test that fails

    hello     platform, python
    test      number, us, failed: number of the assertion or 0, fault: null or [code, position],
              error: of an internal fault, keep: [hex, ...]
    cover     at, hex: bytes that are 1 where the point was reached by any of the tests
    end       interrupted
    error     text: nothing was run
"""

import struct
import sys
import time

from controller import bundle
from controller.bundle import BundleError
from controller.faults import INTERNAL
from controller.image import WHOLE
from controller.session import hexed, tell

_PIECE = 192  # bytes of coverage in one line


class Tests:
    """The tests of a loaded program: `program` is the engine's module, `image` its bytes as they
    are at the start. `covered` sums up the coverage bytes."""

    __test__ = False

    def __init__(self, program, image, suite):
        program.attach(image)
        self._image = image
        self._fresh = bytes(image)
        self._logic = program.TASKS[0]
        self._selector = suite["selector"]
        self._failed = suite["failed"]
        self._cover, size = suite["cover"]
        self.covered = bytearray(size)

    def run(self, number):
        """Runs one test: (number of the assertion that failed or 0, code, position, exception)."""
        image = self._image
        image[WHOLE] = self._fresh
        struct.pack_into("<I", image, self._selector, number)
        code, position, error = 0, 0, None
        try:
            self._logic()
        except Exception as caught:
            code = getattr(caught, "code", 0)
            position = getattr(caught, "pos", 0)
            if not isinstance(code, int) or not 0 < code < INTERNAL:
                code, position, error = INTERNAL, 0, caught
        covered, at = self.covered, self._cover
        for k in range(len(covered)):
            if image[at + k]:
                covered[k] = 1
        return struct.unpack_from("<I", image, self._failed)[0], code, position, error


def _run(tests, image, number, keep):
    start = time.time_ns()
    failed, code, position, error = tests.run(number)
    message = {"is": "test", "number": number, "us": (time.time_ns() - start) // 1000}
    message["failed"] = failed
    message["fault"] = [code, position] if code else None
    message["error"] = None if error is None else repr(error)
    if failed:
        message["keep"] = [hexed(image[row[0] : row[0] + row[1]]) for row in keep]
    tell(message)


def main(options):
    """Runs the tests as `options` say; False if nothing could be run."""
    try:
        _, image, program = bundle.load(options["directory"])
        suite = options["suite"]
        tests = Tests(program, image.data, suite)
    except BundleError as error:
        tell({"is": "error", "text": str(error)})
        return False
    except MemoryError:
        text = "the tests do not fit this board's memory; choose some of them with -k"
        tell({"is": "error", "text": text})
        return False
    tell({"is": "hello", "platform": sys.platform, "python": sys.version})
    interrupted = False
    try:
        for number in options["tests"]:
            _run(tests, image.data, number, suite["keep"])
    except KeyboardInterrupt:
        interrupted = True
    for at in range(0, len(tests.covered), _PIECE):
        piece = tests.covered[at : at + _PIECE]
        tell({"is": "cover", "at": at, "hex": hexed(piece)})
    tell({"is": "end", "interrupted": interrupted})
    return True
