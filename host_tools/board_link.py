"""The way to a board's REPL: mpremote for serial ports, the emulated Pico's own for the emulation.

The only module that imports mpremote, whose Python interface is not stable, and of it only the
transport. Entering the raw REPL interrupts whatever the board runs.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from host_tools.failure import DEVICE, Failure

if TYPE_CHECKING:
    from host_tools.pico import EmulatedPico

_CHUNK = 1024
_END = b"\x04"
_QUIET_S = 0.1


class Console(Protocol):
    """What the board prints while it runs a program: see host_tools.remote.Agent."""

    def lines(self, quiet_s: float | None = None) -> Iterator[str]:
        """Lines until the program has ended, or nothing has come for `quiet_s`."""
        ...

    def interrupt(self) -> None: ...
    def close(self) -> None: ...


class Link(Protocol):
    """A board whose REPL answers."""

    name: str

    def execute(self, code: str, timeout_s: float = 10) -> str:
        """Run code on the board, return what it printed. Raises Failure with the last line of
        its traceback."""
        ...

    def put(self, files: dict[str, bytes]) -> None:
        """Write files, making their folders."""
        ...

    def start(self, code: str) -> Console:
        """Run code on the board and follow its console."""
        ...

    def restart(self) -> Console:
        """Restart MicroPython by a soft reset, so that it runs main.py, and follow that."""
        ...

    def close(self) -> None: ...


def _last_line(error: str) -> str:
    lines = error.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def _folders(paths: Iterator[str]) -> list[str]:
    found: dict[str, None] = {}
    for path in paths:
        parts = path.strip("/").split("/")[:-1]
        for n in range(len(parts)):
            found.setdefault("/" + "/".join(parts[: n + 1]))
    return list(found)


MAKE_FOLDERS = """\
import os
for d in {!r}:
    try:
        os.mkdir(d)
    except OSError as e:
        if e.errno != 17:
            raise
"""


# --- a serial port ---------------------------------------------------------------------------


class SerialLink:
    """A board on a serial port, or whatever pyserial opens by URL (socket://host:port)."""

    def __init__(self, port: str) -> None:
        try:
            from mpremote.transport import TransportError
            from mpremote.transport_serial import SerialTransport
            from serial import SerialException
        except ImportError as error:
            raise Failure(
                f"mpremote is not installed ({error})", "pip install mpremote", DEVICE
            ) from None
        if port.startswith("/") and not os.path.exists(port):
            raise Failure(f"there is no port '{port}'", "`takt devices` lists the ports", DEVICE)
        self.name = port
        self._errors = (TransportError, SerialException, OSError)
        with self._talking("open"):
            self._transport: Any = SerialTransport(port)
        with self._talking("reach the REPL of the board on"):
            self._transport.enter_raw_repl(soft_reset=False)

    @contextlib.contextmanager
    def _talking(self, what: str) -> Iterator[None]:
        try:
            # mpremote prints what it received before it raises.
            with contextlib.redirect_stdout(io.StringIO()):
                yield
        except self._errors as error:
            help = (
                "is it the right port, is MicroPython on the board, is another program using it?"
            )
            if isinstance(error, PermissionError) or "Permission denied" in str(error):
                help = (
                    "your user may not open serial ports: join the group `dialout`, log in again"
                )
            raise Failure(f"cannot {what} '{self.name}': {error}", help, DEVICE) from None

    def execute(self, code: str, timeout_s: float = 10) -> str:
        with self._talking("talk to the board on"):
            output, error = self._transport.exec_raw(code, timeout=timeout_s)
        if error:
            last = _last_line(error.decode(errors="replace"))
            raise Failure(f"the board on '{self.name}' says: {last}", "", DEVICE)
        text: str = output.decode(errors="replace")
        return text

    def put(self, files: dict[str, bytes]) -> None:
        self.execute(MAKE_FOLDERS.format(_folders(iter(files))))
        for path, content in files.items():
            with self._talking(f"write {path} to the board on"):
                self._transport.fs_writefile(path, content, chunk_size=_CHUNK)

    def start(self, code: str) -> Console:
        with self._talking("start the program on"):
            self._transport.exec_raw_no_follow(code)
        return _SerialConsole(self._transport.serial)

    def interrupt(self) -> None:
        """End what the board runs and be at its REPL again, after `start` or `restart`."""
        with self._talking("reach the REPL of the board on"):
            self._transport.enter_raw_repl(soft_reset=False)

    def restart(self) -> Console:
        with self._talking("restart the board on"):
            # From the friendly REPL; from the raw one main.py would not be run.
            self._transport.exit_raw_repl()
            self._transport.serial.write(_END)
        return _SerialConsole(self._transport.serial)

    def close(self) -> None:
        with contextlib.suppress(*self._errors):
            self._transport.close()


class _SerialConsole:
    """In the raw REPL a Ctrl-D ends the output and another one the traceback."""

    def __init__(self, serial: Any) -> None:
        self._serial = serial
        self._serial.timeout = _QUIET_S
        self._buffer = b""
        self._ends = 0
        self._quiet_s: float | None = None

    def lines(self, quiet_s: float | None = None) -> Iterator[str]:
        self._quiet_s = quiet_s
        return self

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        since = time.monotonic()
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            end = line.find(_END)
            if end >= 0:
                self._ends += 1
                line, rest = line[:end], self._buffer[end + 1 :]
            if newline or end >= 0:
                self._buffer = rest
                text = line.decode(errors="replace").rstrip("\r")
                if text or end < 0:
                    return text
                continue
            if self._ends >= 2:
                raise StopIteration
            if self._quiet_s is not None and time.monotonic() - since > self._quiet_s:
                raise StopIteration
            try:
                self._buffer += self._serial.read(max(1, self._serial.in_waiting))
            except OSError as error:  # SerialException is one
                raise Failure(f"the board went away: {error}", "", DEVICE) from None

    def interrupt(self) -> None:
        self._serial.write(b"\x03")

    def close(self) -> None:
        """Nothing of its own: the link is closed by who opened it."""


# --- the emulated Pico -----------------------------------------------------------------------


class PicoLink:
    """The emulated Pico; its time passes while something is waited for.

    Files go straight into its flash, which resets it; while `upload` is set they go through its
    REPL, as on a real board.
    """

    def __init__(self, pico: EmulatedPico) -> None:
        from host_tools.pico import PicoError

        self.name = "pico"
        self.pico = pico
        self.upload = False
        self._error = PicoError
        with self._talking():
            if not pico.connected:
                pico.boot()

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise Failure(f"the emulated Pico: {error}", "", DEVICE) from None

    def execute(self, code: str, timeout_s: float = 10) -> str:
        with self._talking():
            output, error = self.pico.raw_exec(code, timeout_s)
        if error:
            text = _last_line(error.decode(errors="replace"))
            raise Failure(f"the emulated Pico says: {text}", "", DEVICE)
        return output.decode(errors="replace")

    def put(self, files: dict[str, bytes]) -> None:
        with self._talking():
            if self.upload:
                self.pico.upload_files(files)
            else:
                self.pico.put_files(files)
                self.pico.boot()

    def start(self, code: str) -> Console:
        self.pico.read_console()
        # As one line of the friendly REPL, so that its output is followed while it comes.
        self.pico.write_console(f"exec({code!r})\r".encode())
        return _PicoConsole(self.pico, self._talking)

    def restart(self) -> Console:
        with self._talking():
            self.pico.read_console()
            self.pico.write_console(b"\x03\x04")
        return _PicoConsole(self.pico, self._talking, echo=False)

    def press_reset(self) -> Console:
        """Reset the board by its button, and follow what it prints."""
        with self._talking():
            self.pico.read_console()
            self.pico.reset()
        return _PicoConsole(self.pico, self._talking, echo=False)

    def close(self) -> None:
        """The emulation ends with its last reference."""


class _PicoConsole:
    """Seconds are the board's own, virtual ones. The prompt ends the output of a program."""

    _STEP_NS = 20_000_000

    def __init__(self, pico: EmulatedPico, talking: Any, echo: bool = True) -> None:
        self._pico = pico
        self._talking = talking
        self._buffer = b""
        self._echo = echo  # the line that `start` typed is still to come
        self._prompt = echo
        self._pressed = False
        self._quiet_s: float | None = None

    def lines(self, quiet_s: float | None = None) -> Iterator[str]:
        self._quiet_s = quiet_s
        return self

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        since_ns = self._pico.time_ns
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                if self._echo:
                    # The board's greeting may come first.
                    self._echo = not line.startswith(b">>> exec(")
                    continue
                return line.decode(errors="replace").rstrip("\r")
            if line == b">>> " and self._prompt and not self._echo:
                raise StopIteration
            quiet_ns = self._pico.time_ns - since_ns
            if self._quiet_s is not None and quiet_ns > self._quiet_s * 1e9:
                raise StopIteration
            with self._talking():
                if self._pressed:
                    self._pressed = False
                    self._pico.write_console(b"\x03")
                self._pico.run_for(self._STEP_NS)
            self._buffer += self._pico.read_console()

    def interrupt(self) -> None:
        # Not at once: the emulation may be in the middle of an instruction.
        self._pressed = True

    def close(self) -> None:
        """Nothing of its own."""


# --- what is connected -----------------------------------------------------------------------


def serial_ports() -> list[dict[str, Any]]:
    """Serial ports with USB ids: port, description, usb ("2e8a:0005"), serial number. Raises
    Failure where pyserial is not installed."""
    try:
        from serial.tools.list_ports import comports
    except ImportError:
        raise Failure("pyserial is not installed", "pip install mpremote", DEVICE) from None
    found = []
    for port in sorted(comports(), key=lambda p: str(p.device)):
        usb = f"{port.vid:04x}:{port.pid:04x}" if port.vid is not None else None
        found.append(
            {
                "port": port.device,
                "description": port.description if port.description != "n/a" else "",
                "usb": usb,
                "serial": port.serial_number,
            }
        )
    return found
