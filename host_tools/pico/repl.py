"""MicroPython's raw REPL, spoken to a board that runs in virtual time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from host_tools.pico.errors import PicoError

if TYPE_CHECKING:
    from host_tools.pico.board import EmulatedPico

# "Raw mode and raw-paste mode", MicroPython documentation, reference/repl.
_CTRL_A = b"\x01"
_CTRL_B = b"\x02"
_CTRL_C = b"\x03"
_CTRL_D = b"\x04"
_BANNER = b"raw REPL; CTRL-B to exit\r\n>"
_RAW_PASTE = b"\x05A\x01"
_RAW_PASTE_YES = b"R\x01"
_WINDOW_GRANT = 1
_END = 4

_ENTER_VIRTUAL_S = 5.0

# Runs on the board: takes the files' bytes from the console, with Ctrl-C read as data meanwhile.
_RECEIVE = """\
import os,sys,micropython
def _r(l):
 b=bytearray(2048);v=memoryview(b);i=sys.stdin.buffer
 for p,n in l:
  d=''
  for s in p.strip('/').split('/')[:-1]:
   d+='/'+s
   try:os.mkdir(d)
   except OSError as e:
    if e.errno!=17:raise
  with open(p,'wb') as f:
   while n:
    m=i.readinto(v[:min(n,2048)])
    f.write(v[:m]);n-=m
micropython.kbd_intr(-1)
print('go',end='')
try:_r(%s)
finally:micropython.kbd_intr(3)
"""

_SEND = """\
import sys,binascii
with open(%r,'rb') as f:
 while 1:
  b=f.read(512)
  if not b:break
  print(binascii.hexlify(b).decode(),end='')
"""


class RawRepl:
    """One conversation with a board's raw REPL; `execute` enters and leaves it."""

    def __init__(self, board: EmulatedPico) -> None:
        self._board = board
        self._received = bytearray()

    def execute(
        self, source: str | bytes, virtual_s: float, stdin: bytes = b""
    ) -> tuple[bytes, bytes]:
        """Run `source`; returns (stdout, stderr). With `stdin`, feed it that once it prints go."""
        board = self._board
        if not board.connected:
            board.boot()
        board.take_console(self._received.extend)
        try:
            self._enter()
            self._paste(source.encode() if isinstance(source, str) else source)
            if stdin:
                self._take(b"go", virtual_s, "the start of the transfer")
                board.write_console(stdin)
            stdout = self._take(_CTRL_D, virtual_s, "the end of the program")
            stderr = self._take(_CTRL_D, virtual_s, "the end of the traceback")
            self._take(b">", virtual_s, "the raw prompt")
            board.write_console(_CTRL_B)
            self._take(b">>> ", virtual_s, "the prompt")
        finally:
            board.take_console(None)
        return stdout[:-1], stderr[:-1]

    def put_files(self, files: Mapping[str, bytes], virtual_s: float) -> None:
        """Write files to the board's file system, making their folders."""
        if not files:
            return
        sizes = [(path, len(content)) for path, content in files.items()]
        _out, error = self.execute(_RECEIVE % sizes, virtual_s, b"".join(files.values()))
        if error:
            raise PicoError(
                f"the board could not store {len(files)} files "
                f"({sum(map(len, files.values()))} bytes): {_last_line(error)}"
            )

    def get_file(self, path: str, virtual_s: float) -> bytes:
        """Read one file from the board's file system."""
        out, error = self.execute(_SEND % path, virtual_s)
        if error:
            raise PicoError(f"cannot read {path} on the board: {_last_line(error)}")
        return bytes.fromhex(out.decode())

    def _enter(self) -> None:
        self._board.write_console(b"\r" + _CTRL_C + _CTRL_C + _CTRL_A)
        self._take(_BANNER, _ENTER_VIRTUAL_S, "the raw REPL")

    def _paste(self, source: bytes) -> None:
        """Send the program in raw-paste mode, never more than the window the board granted."""
        board = self._board
        board.write_console(_RAW_PASTE)
        self._need(4, "raw-paste mode")
        if self._received[:2] != _RAW_PASTE_YES:
            raise PicoError(
                "the board's MicroPython has no raw-paste mode (it came with 1.14). "
                "Make a newer image with: takt firmware build pico"
            )
        increment = int.from_bytes(self._received[2:4], "little")
        del self._received[:4]
        window, sent = increment, 0
        while sent < len(source):
            while window == 0 or self._received:
                self._need(1, "room for more of the program")
                token = self._received.pop(0)
                if token == _WINDOW_GRANT:
                    window += increment
                elif token == _END:
                    # The compiler has given up on the source: end it, its error follows.
                    board.write_console(_CTRL_D)
                    return
            chunk = source[sent : sent + window]
            board.write_console(chunk)
            sent += len(chunk)
            window -= len(chunk)
        board.write_console(_CTRL_D)
        self._take(_CTRL_D, _ENTER_VIRTUAL_S, "the end of the program's text")

    def _need(self, count: int, what: str) -> None:
        if not self._board.run_until(lambda: len(self._received) >= count, _ENTER_VIRTUAL_S):
            raise self._late(what, _ENTER_VIRTUAL_S)

    def _take(self, ending: bytes, virtual_s: float, what: str) -> bytes:
        """Everything received up to and including `ending`."""
        searched = 0

        def arrived() -> bool:
            nonlocal searched
            found = self._received.find(ending, max(0, searched - len(ending)))
            searched = len(self._received)
            return found >= 0

        if not self._board.run_until(arrived, virtual_s):
            raise self._late(what, virtual_s)
        end = self._received.index(ending) + len(ending)
        data = bytes(self._received[:end])
        del self._received[:end]
        return data

    def _late(self, what: str, virtual_s: float) -> PicoError:
        return PicoError(
            f"the board did not reach {what} within {virtual_s} virtual seconds; "
            f"its last output: {bytes(self._received[-200:])!r}"
        )


def _last_line(traceback: bytes) -> str:
    return traceback.decode(errors="replace").strip().splitlines()[-1]
