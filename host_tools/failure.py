"""What ends a command that cannot do what it was asked: said in words, never as a traceback."""

from __future__ import annotations

OK = 0
PROGRAM = 1
"""The program, its wiring or a test is wrong."""
USAGE = 2
DEVICE = 3
"""The device or the way to it."""
INTERRUPTED = 130


class Failure(Exception):
    """`message` says what went wrong, `help` what to do next, `exit_code` is the command's."""

    def __init__(self, message: str, help: str = "", exit_code: int = PROGRAM) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.exit_code = exit_code
