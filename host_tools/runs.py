"""Runs a compiled program on a target and gathers the result: the middle of `takt run`."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from host_tools.build import Program
from host_tools.failure import DEVICE, USAGE, Failure
from host_tools.record import field, record
from host_tools.render import Progress
from host_tools.stimuli import Write
from host_tools.variables import Variable, Variables

_CHUNK = 500


@record()
class Request:
    """How to run: until `scans` release instants or `until_ns` of logical time, or neither: until
    Ctrl-C. `quiet`: nothing while it runs."""

    scans: int | None = None
    until_ns: int | None = None
    clock: str = "virtual"
    sets: list[Write] = field(default_factory=list)
    script: list[Write] = field(default_factory=list)
    watch: list[Variable] = field(default_factory=list)
    crc: bool = False
    modbus_port: int | None = None
    quiet: bool = True

    def options(self) -> dict[str, Any]:
        """As controller/console.py takes it."""
        options: dict[str, Any] = {"clock": self.clock}
        if self.scans is not None:
            options["scans"] = self.scans
        if self.until_ns is not None:
            options["until_ns"] = self.until_ns
        if self.sets:
            options["set"] = [w.row(False) for w in self.sets]
        if self.script:
            options["script"] = [w.row(True) for w in self.script]
        if self.crc:
            options["crc"] = True
        if self.modbus_port is not None:
            options["port"] = self.modbus_port
        return options


@record()
class Result:
    """What a run left. `image` has header, task records and state; `shown`: values were shown
    while it ran."""

    image: bytes | bytearray
    scans: int
    time_ns: int
    tasks: list[dict[str, Any]]
    fault: dict[str, Any] | None
    crcs: list[int] = field(default_factory=list)
    interrupted: bool = False
    servers: list[dict[str, Any]] = field(default_factory=list)
    shown: bool = False
    end: dict[str, Any] = field(default_factory=dict)


def run_on(target: str, program: Program, request: Request) -> Result:
    """Run on "host", "micropython", "pico" or a serial port. Raises Failure."""
    if target == "host" and request.clock == "virtual":
        return _run_here(program, request)
    return _run_there(target, program, request)


# --- in this process -------------------------------------------------------------------------


def _run_here(program: Program, request: Request) -> Result:
    from host_tools.simulation import Simulation

    sim = Simulation(program)
    image = sim.image.data
    for write in request.sets:
        write.apply(image)
    crcs: list[int] = []
    script = iter(request.script)
    pending = next(script, None)

    def before(n: int) -> None:
        nonlocal pending
        while pending is not None and pending.at <= n:
            pending.apply(image)
            pending = next(script, None)

    view, due_ns = _live_view(program, request, request.watch), 0

    def after(n: int) -> None:
        nonlocal due_ns
        if request.crc:
            crcs.append(sim.crc())
        if view is not None and (now_ns := sim.release_ns) >= due_ns:
            due_ns = now_ns + REFRESH_NS
            view.update(now_ns, [bytes(image[o : o + s]) for o, s in view.ranges])

    sim.on_release(
        before if pending is not None else None,
        after if request.crc or view is not None else None,
    )
    with _interrupts() as interrupted, Progress("running") as progress:
        left = request.scans
        while left is None or left > 0:
            chunk = _CHUNK if left is None else min(left, _CHUNK)
            done = sim.run_until(chunk, request.until_ns)
            if left is not None:
                left -= done
            if done < chunk or interrupted.is_set():
                break
            progress.say(f"running, {sim.time_ns // 1_000_000_000} s of logical time")
    return Result(
        image,
        sim.scans,
        sim.time_ns,
        sim.tasks,
        sim.fault,
        crcs,
        interrupted.is_set(),
        shown=view is not None,
    )


REFRESH_NS = 250_000_000


@contextmanager
def _interrupts(on_press: Callable[[], None] = lambda: None) -> Iterator[threading.Event]:
    """Set on the first Ctrl-C, so that a scan or a message is not torn; the second one interrupts
    as usual."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def press(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        pressed.set()
        on_press()

    before = signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _live_view(program: Program, request: Request, which: list[Variable]) -> Any:
    if request.quiet or not which:
        return None
    from host_tools.report import LiveView

    return LiveView(Variables(program.layout), which, program.ir.image_size, sys.stdout)


# --- elsewhere -------------------------------------------------------------------------------


def _place(message: dict[str, Any]) -> str:
    """Where a server listens."""
    if "uart" in message:
        return f"UART {message['uart']}, address {message['unit']}"
    return f"port {message['port']}"


def _run_there(target: str, program: Program, request: Request) -> Result:
    from host_tools.remote import Outcome, listen
    from host_tools.report import REFRESH_MS, default_watch
    from host_tools.simulation import fault_of

    bundle = program.bundle(architecture(target, program))
    manifest = bundle.manifest
    options = request.options()
    variables = Variables(program.layout)
    which = request.watch or default_watch(variables)
    view = _live_view(program, request, which)
    if view is not None:
        options |= {"watch": [list(r) for r in view.ranges], "watch_ms": REFRESH_MS}
    servers: list[dict[str, Any]] = []
    heard: set[str] = set()

    def on_message(message: dict[str, Any]) -> None:
        kind = message["is"]
        if kind == "watch" and view is not None:
            view.update(message["time_ns"], [bytes.fromhex(h) for h in message["data"]])
        elif kind == "server":
            servers.append({key: value for key, value in message.items() if key != "is"})
            _tell(f"{message['kind']} server on {_place(message)}")
        elif kind == "note":
            _tell(f"note: {message['text']}")
        elif kind == "print" and not (pressed.is_set() and "hello" not in heard):
            _tell(message["text"])
        heard.add(kind)

    outcome: Outcome
    with (
        Progress(f"starting on {target}") as progress,
        _agent(target, program, bundle, options, progress) as agent,
    ):
        progress.end()
        with _interrupts(agent.interrupt) as pressed:
            try:
                outcome = listen(agent, program.ir.image_size, on_message)
            except Failure:
                if pressed.is_set():  # before the program ran: there is no result to tell
                    raise KeyboardInterrupt from None
                raise
    return Result(
        outcome.image,
        outcome.scans,
        outcome.time_ns,
        outcome.tasks,
        fault_of(outcome.fault, manifest, outcome.error),
        outcome.crcs,
        outcome.interrupted,
        servers,
        view is not None,
        outcome.end,
    )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def architecture(target: str, program: Program) -> str | None:
    """Of the machine code for a target that is not the project's board."""
    if program.engine == "python":
        return None
    if target == "pico":
        return "armv6m"
    if target == "micropython":
        from host_tools.native.module import host_architecture

        return host_architecture()
    if target == "host":
        raise Failure(
            "the native engine runs on the host in virtual time only",
            "leave --clock out, or use --on micropython",
            USAGE,
        )
    return None


@contextmanager
def _agent(
    target: str, program: Program, bundle: Any, options: dict[str, Any], progress: Progress
) -> Iterator[Any]:
    """The console of the program on its target."""
    from host_tools.remote import ProcessAgent, find_micropython

    if target in ("host", "micropython"):
        executable = sys.executable if target == "host" else find_micropython()
        agent = ProcessAgent(executable, bundle, options, progress.say)
        try:
            yield agent
        finally:
            agent.close()
        return
    from host_tools.deployment import check_board, has_program, start_run

    with open_link(target, progress) as link:
        board = program.project.wiring.board
        check_board(link, None if target == "pico" else board)
        yield start_run(link, bundle, options, progress.say)
        if target != "pico" and has_program(link):
            # What is deployed was interrupted; it goes on.
            link.restart()


@contextmanager
def open_link(target: str, progress: Progress) -> Iterator[Any]:
    """A Link to the emulated Pico or to the board on a port. Raises Failure."""
    from host_tools.board_link import PicoLink, SerialLink

    if target != "pico":
        link = SerialLink(target)
        try:
            yield link
        finally:
            link.close()
        return
    from host_tools import firmware
    from host_tools.pico import EmulatedPico, PicoError

    try:
        image = firmware.ensure("pico", progress=progress.tell)
        progress.say("starting the emulated Pico")
        pico = EmulatedPico(image)
    except (firmware.FirmwareError, PicoError) as error:
        raise Failure(str(error), "", DEVICE) from None
    yield PicoLink(pico)
