"""A board without a chip: real MicroPython as a process, its files in the image of a Pico's flash.

The file system is MicroPython's own littlefs driver with a Pico's geometry, so the operations on
the flash are those that a Pico does; the program runs as byte code. It costs a tenth of a second
where the emulated Pico costs ten.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from hil_tests.faults.flash import Cut, Flash, FlashOperation
from host_tools.board_link import Console
from host_tools.failure import DEVICE, Failure
from host_tools.pico.flash import FILE_SYSTEM_BYTES
from host_tools.record import record
from host_tools.remote import find_micropython

_SCRIPT = Path(__file__).with_name("flash_board.py")
_MARK = "\x1eBOARD "
_CHUNK = 1024


def empty_flash() -> bytes:
    """The file system's part of a flash that nobody has written yet."""
    return b"\xff" * FILE_SYSTEM_BYTES


class ProcessBoard:
    """A link (host_tools.board_link.Link) to a MicroPython process; `with` ends it.

    `flash` is the content of its flash at first, `operations` what has been done to it since.
    """

    name = "process"

    def __init__(self, flash: bytes, boot: bool = False) -> None:
        self._first = flash
        self._earlier: list[FlashOperation] = []
        self._folder = Path(tempfile.mkdtemp(prefix="takt-board-"))
        self._start(flash, boot)

    def __enter__(self) -> ProcessBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def execute(self, code: str, timeout_s: float = 10) -> str:
        self._type(code)
        printed: list[str] = []
        for line in self._lines():
            if line.startswith(_MARK):
                error = json.loads(line[len(_MARK) :]).get("error")
                if error:
                    raise Failure(f"the process says: {error}", "", DEVICE)
                return "\n".join(printed).strip("\n") + "\n"
            printed.append(line)
        raise Failure("the process has ended", "\n".join(printed[-8:]), DEVICE)

    def _type(self, code: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps(code) + "\n").encode())
        self._process.stdin.flush()

    def put(self, files: dict[str, bytes]) -> None:
        from host_tools.board_link import MAKE_FOLDERS, _folders

        self.execute(MAKE_FOLDERS.format(_folders(iter(files))))
        for path, content in files.items():
            # As mpremote does it.
            self.execute(f"f = open({path!r}, 'wb')")
            for at in range(0, len(content), _CHUNK):
                self.execute(f"f.write({content[at : at + _CHUNK]!r})")
            self.execute("f.close()")

    def start(self, code: str) -> Console:
        self._type(code)
        return self

    def restart(self) -> Console:
        self.boot()
        return self

    def boot(self) -> None:
        """Start it anew, as a reset does, so that it runs main.py; see `lines`."""
        flash = self.flash()
        self._earlier = self.operations
        self._end()
        self._start(flash, True)

    def lines(self, quiet_s: float | None = None) -> Iterator[str]:
        """What main.py or the code that was started prints; ends with it, and says why. A soft
        reset starts main.py again."""
        while True:
            for line in self._lines():
                if line.startswith(_MARK):
                    told = json.loads(line[len(_MARK) :])
                    if told.get("repl") != "soft reset":
                        yield told.get("repl") or told["error"]
                        return
                    self.boot()
                    break
                yield line
            else:
                return

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    @property
    def operations(self) -> list[FlashOperation]:
        """What was done to the flash up to now."""
        log = self._folder / "log"
        return self._earlier + (list(_read_log(log.read_bytes())) if log.exists() else [])

    def flash(self) -> bytes:
        """The content of the flash now."""
        flash = Flash(self._first)
        for operation in self.operations:
            flash.apply(operation)
        return bytes(flash.content)

    def close(self) -> None:
        self._end()
        self._earlier = self.operations
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, flash: bytes, boot: bool) -> None:
        (self._folder / "flash").write_bytes(flash)
        (self._folder / "log").write_bytes(b"")
        if boot:
            (self._folder / "boot").touch()
        self._process = subprocess.Popen(
            _command("board", self._folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _lines(self) -> Iterator[str]:
        assert self._process.stdout is not None
        for line in iter(self._process.stdout.readline, b""):
            yield line.decode(errors="replace").rstrip("\r\n")


def _command(what: str, folder: Path) -> list[str]:
    return [find_micropython(), "-X", "heapsize=6m", str(_SCRIPT), what, str(folder)]


def _read_log(log: bytes) -> Iterator[FlashOperation]:
    at = 0
    while at + 9 <= len(log):
        kind, address, size = struct.unpack_from("<cII", log, at)
        at += 9
        if kind == b"e":
            yield FlashOperation(address, 4096, None)
        elif at + size <= len(log):
            yield FlashOperation(address, size, log[at : at + size])
        at += size


@record(frozen=True)
class Found:
    """What MicroPython's littlefs finds after a cut: a hash of all files, a hash of the blocks
    that hold them, whether there is a main.py, and what went wrong in reading them or in a first
    write ("" if nothing)."""

    tree: str
    used: str
    main: bool
    error: str


def survey(flash: bytes, steps: Iterable[Cut | FlashOperation]) -> list[Found]:
    """Mount, read and write after each cut, in one process; operations between them are done."""
    with tempfile.TemporaryDirectory(prefix="takt-survey-") as name:
        folder = Path(name)
        (folder / "flash").write_bytes(flash)
        content = Flash(flash)
        with (folder / "cuts").open("w") as file:
            for step in steps:
                if isinstance(step, Cut):
                    address, data = step.patch or (0, b"")
                    file.write(json.dumps(["cut", address, data.hex()]) + "\n")
                else:
                    address, data = content.apply(step)
                    file.write(json.dumps(["apply", address, data.hex()]) + "\n")
        run = subprocess.run(_command("survey", folder), capture_output=True, check=False)
    if run.returncode:
        raise Failure("the survey of the flash broke off", run.stdout.decode()[-500:], DEVICE)
    rows = [json.loads(line) for line in run.stdout.splitlines()]
    return [Found(r["tree"] or "", r["used"], r["main"], r["error"] or "") for r in rows]
