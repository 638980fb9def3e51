"""Runs one bundle on several targets and says where their images differ first."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller import image as im
from controller.mailbox import Mailbox
from controller.scheduler import Scheduler
from host_tools import build, project
from host_tools.build import Program
from host_tools.bundle import Bundle, initial_part
from host_tools.compiler import ir
from host_tools.compiler.compilation import Options, compile_sources
from host_tools.device_files import runtime_files
from host_tools.native.host import NativeProgram
from host_tools.native.module import host_architecture
from host_tools.record import replace
from host_tools.remote import find_micropython, read_message, stage
from host_tools.stimuli import write
from host_tools.variables import Variables
from host_tools.wiring.resolve import Rows
from tests.conformance.reference import Interpreter
from tests.conformance.shared_code import library, sharing

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / "tests/conformance/device_agreement.py"
OPTIONS = Options(areas={"IX": 8, "IW": 12, "ID": 24, "IL": 24}, budget=3000)
"""Few back-edges, so that a runaway loop is no long wait; areas as a wiring file makes them."""

EXPLAINED = 5
"""How many programs that differ are run once more to say where."""

Row = tuple[int, str, Any]


@dataclass(frozen=True)
class Job:
    """A program, its bundle and what to do with it."""

    name: str
    text: str
    program: Program
    bundle: Bundle
    stimulus: tuple[Row, ...]
    scans: int

    def native(self, architecture: str) -> Bundle:
        """The bundle with machine code."""
        found = self.program.project
        wiring = replace(found.wiring, engine="native")
        program = replace(self.program, project=replace(found, wiring=wiring))
        return program.bundle(architecture)

    @property
    def script(self) -> list[list[Any]]:
        """The stimulus as controller/console.py has it."""
        variables = Variables(self.program.layout)
        return [write(variables, path, value, at).row(True) for at, path, value in self.stimulus]

    def options(self, directory: str, scans: int | None = None) -> dict[str, Any]:
        return {
            "name": self.name,
            "directory": directory,
            "clock": "virtual",
            "scans": self.scans if scans is None else scans,
            "script": self.script,
            "crc": True,
            "pins": 0,
        }


@dataclass
class Trace:
    """What a run told: a CRC of the state after every release instant, and the end."""

    crcs: list[int] = field(default_factory=list)
    image: bytearray = field(default_factory=bytearray)
    end: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    def outcome(self) -> dict[str, Any]:
        """What must be equal besides the state."""
        keys = ("scans", "time_ns", "tasks", "fault")
        return {key: self.end.get(key) for key in keys} | {"error": self.error}


Runner = Callable[[list[Job], int | None], dict[str, Trace]]
"""Runs jobs on a target, each for so many scans (None: its own); traces by name."""


# --- jobs ------------------------------------------------------------------------------------


def job(name: str, text: str, stimulus: Iterable[Row], folder: Path, scans: int) -> Job:
    """A job for one source text. Raises AssertionError where it does not compile."""
    return of_program(name, text, compiled(name, text, folder), stimulus, scans)


def compiled(name: str, text: str, folder: Path) -> Program:
    path = folder / f"{name}.st"
    path.write_text(text, encoding="utf-8")
    found = project.load(path)
    compilation = compile_sources(found.sources, OPTIONS)
    errors = [d for d in compilation.diagnostics if d.is_error]
    assert compilation.program is not None, "\n".join(
        [f"{path} does not compile:", *(f"{d.span.line}: {d.code} {d.message}" for d in errors)]
    )
    assert compilation.layout is not None
    return Program(found, compilation.program, compilation.layout, Rows(), ())


def of_program(name: str, text: str, program: Program, stimulus: Iterable[Row], scans: int) -> Job:
    return Job(name, text, program, program.bundle(), tuple(stimulus), scans)


def examples(scans: int) -> list[Job]:
    """Jobs for the projects in examples/, with inputs that change at random."""
    made = []
    for file in sorted((ROOT / "examples").glob("*/takt.toml")):
        found = project.load(file.parent)
        program = build.compile(found)
        text = "\n".join(source.text for source in found.sources)
        name = file.parent.name
        made.append(of_program(name, text, program, inputs(name, program, scans), scans))
    return made


def inputs(name: str, program: Program, scans: int) -> list[Row]:
    """Changes of the located inputs of a program, always the same ones."""
    rng = random.Random(name)
    areas = [a for key, a in program.layout["areas"].items() if key[0] == "I" and a[1]]
    located = [
        v
        for v in Variables(program.layout).roots.values()
        if any(start <= v.offset < start + size for start, size in areas)
    ]
    rows: list[Row] = []
    for at in range(0, scans, 3):
        v = rng.choice(located)
        low, high = ir.INT_RANGE[v.kind or "b1"]
        rows.append((at, v.path, rng.randint(low, high)))
    return rows


# --- the targets -----------------------------------------------------------------------------


def heard(lines: Iterable[str], jobs: list[Job]) -> dict[str, Trace]:
    """The traces in what a driver printed."""
    sizes = {j.name: j.program.ir.image_size for j in jobs}
    traces: dict[str, Trace] = {}
    current = Trace()
    for line in lines:
        message = read_message(line)
        kind = message["is"]
        if kind == "job":
            current = traces[message["name"]] = Trace()
            current.image = bytearray(sizes[message["name"]])
        elif kind == "crc":
            current.crcs += message["crc"]
        elif kind == "image":
            piece = bytes.fromhex(message["hex"])
            current.image[message["at"] : message["at"] + len(piece)] = piece
        elif kind == "end":
            current.end = message
            current.error += message["error"] or ""
        elif kind in ("error", "print") and message["text"].strip():
            current.error += message["text"] + "\n"
    for j in jobs:
        trace = traces.setdefault(j.name, Trace(error="this program was not come to"))
        if not trace.end and not trace.error:
            trace.error = "this program did not come to its end"
    return traces


class Processes:
    """CPython and MicroPython processes that run staged bundles from one folder. What was run to
    its own end on the host is remembered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._host: dict[tuple[str, int], Trace] = {}
        for name, content in runtime_files().items():
            path = folder / "lib" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def host(self, jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
        if scans is not None:
            return self._run("host", lambda j: j.bundle, jobs, scans)
        new = [j for j in jobs if (j.name, j.scans) not in self._host]
        if new:
            traces = self._run("host", lambda j: j.bundle, new, None)
            self._host |= {(j.name, j.scans): traces[j.name] for j in new}
        return {j.name: self._host[j.name, j.scans] for j in jobs}

    def micropython(self, jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
        return self._run("micropython", lambda j: j.bundle, jobs, scans)

    def native_micropython(self, jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
        """Machine code in the .mpy of the unix port."""
        architecture = host_architecture()
        return self._run("native", lambda j: j.native(architecture), jobs, scans)

    def shared_micropython(self, jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
        """The same, with the code of all these jobs in one .mpy (shared_code.py)."""
        name, architecture = f"code_of_{jobs[0].name}", host_architecture()
        made: dict[str, Bundle] = {}

        def bundle(j: Job) -> Bundle:
            if not made:
                programs = [j.program.ir for j in jobs]
                (self.folder / "lib" / f"{name}.mpy").write_bytes(library(programs, architecture))
                for place, one in enumerate(jobs):
                    made[one.name] = sharing(one.bundle, one.program.ir, name, place, architecture)
            return made[j.name]

        return self._run("shared", bundle, jobs, scans)

    def _run(
        self, target: str, bundle: Callable[[Job], Bundle], jobs: list[Job], scans: int | None
    ) -> dict[str, Trace]:
        on_host = target == "host"
        executable = sys.executable if on_host else find_micropython()
        without = "program.mpy" if on_host else "program.py"
        lines = []
        for j in jobs:
            slot = self.folder / target / j.name
            if not slot.exists():
                stage(bundle(j), slot, skip=("layout.json", without))
            lines.append(json.dumps(j.options(str(slot), scans)) + "\n")
        file = self.folder / f"{target}.jobs"
        file.write_text("".join(lines))
        heap = [] if on_host else ["-X", "heapsize=16m"]
        environment = {**os.environ, "MICROPYPATH": f".frozen:{self.folder}/lib"}
        environment["PYTHONPATH"] = str(ROOT)
        try:
            output = subprocess.run(
                [executable, *heap, str(DRIVER), str(file)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=60 + len(jobs) / 2,
                check=False,
            ).stdout
        except subprocess.TimeoutExpired as error:
            output = error.stdout or b""
        return heard(output.decode(errors="replace").split("\n"), jobs)


class _Machine:
    """The reference interpreter in the shape of an engine's module."""

    def __init__(self, program: ir.Program) -> None:
        self._program = program
        self.TASKS = tuple(lambda k=k: self._machine.run(k) for k in range(len(program.tasks)))

    def attach(self, image: bytearray) -> None:
        self._machine = Interpreter(self._program, image)


def reference(jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
    """The same by the interpreter of the IR, in this process."""
    return {j.name: in_process(j, _Machine, j.scans if scans is None else scans) for j in jobs}


def native(jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
    """The same as machine code of this computer."""
    return {
        j.name: in_process(j, NativeProgram, j.scans if scans is None else scans) for j in jobs
    }


def in_process(j: Job, engine: Callable[[ir.Program], Any], scans: int) -> Trace:
    program, manifest = j.program, j.program.manifest()
    tasks = len(manifest["tasks"])
    layout = bytes.fromhex(manifest["layout"])
    image = im.create(manifest["image_size"], tasks, layout, initial_part(program.ir.initial))
    mailbox = Mailbox(image)
    machine = engine(program.ir)
    rows, safe = manifest["tasks"], manifest["safe"]
    scheduler: Any = Scheduler(image, rows, machine, None, mailbox, safe=safe)
    trace = Trace(image=image.data)
    start, size = manifest["state"]
    script = sorted(j.script, key=lambda row: row[0])

    def before(n: int) -> None:
        while script and script[0][0] <= n:
            _, offset, data, *mask = script.pop(0)
            if not mailbox.reserve(1):
                mailbox.apply()
            if mask:
                mailbox.post_bits(offset, mask[0], bytes.fromhex(data)[0])
            else:
                mailbox.post(offset, bytes.fromhex(data))

    scheduler.stimulus = before
    scheduler.observe = lambda n: trace.crcs.append(
        zlib.crc32(memoryview(image.data)[start : start + size])
    )
    scheduler.run_virtual(scans)
    scheduler.stop()
    trace.end = {
        "scans": image.words[im.RELEASES],
        "time_ns": scheduler.time_ns(),
        "tasks": [im.read_task(image.data, k) for k in range(tasks)],
        "fault": im.read_fault(image.data),
    }
    trace.error = "" if scheduler.error is None else repr(scheduler.error)
    return trace


# --- comparison ------------------------------------------------------------------------------


def differences(jobs: list[Job], one: tuple[str, Runner], other: tuple[str, Runner]) -> list[str]:
    """What is different between two targets, a text for each job that is."""
    (name, run), (other_name, other_run) = one, other
    traces, others = run(jobs, None), other_run(jobs, None)
    differing = [j for j in jobs if not agree(traces[j.name], others[j.name])]
    return [
        explain(j, (name, run, traces[j.name]), (other_name, other_run, others[j.name]))
        if n < EXPLAINED
        else j.name
        for n, j in enumerate(differing)
    ]


def agree(a: Trace, b: Trace) -> bool:
    """An error of the runtime itself is no agreement, even if both have it."""
    return not a.error and a.crcs == b.crcs and bool(a.end) and a.outcome() == b.outcome()


def explain(j: Job, a: tuple[str, Runner, Trace], b: tuple[str, Runner, Trace]) -> str:
    """The first difference, by variable; the program is kept in a file that is named."""
    file = Path(tempfile.mkdtemp(prefix="takt-differs-")) / f"{j.name}.st"
    file.write_text(j.text, encoding="utf-8")
    file.with_suffix(".json").write_text(json.dumps(j.stimulus))
    lines = [f"{j.name}: python -m tests.conformance.reduce {file}"]
    n = first_difference(a[2].crcs, b[2].crcs)
    if n is None or any(trace.error and not trace.end for _, _, trace in (a, b)):
        lines += [f"  {name}: {trace.outcome()}" for name, _, trace in (a, b)]
        return "\n".join(lines)
    lines.append(f"  after release instant {n}, counted from 0:")
    images = [runner([j], n + 1)[j.name].image for _, runner, _ in (a, b)]
    variables = Variables(j.program.layout)
    for leaf in (leaf for root in variables.roots.values() for leaf in variables.leaves(root)):
        values = [variables.read(image, leaf) for image in images]
        raw = [image[leaf.offset : leaf.offset + max(leaf.size, 1)].hex() for image in images]
        if values[0] != values[1] or (raw[0] != raw[1] and leaf.bit is None):
            shown = f"{a[0]} {values[0]!r} ({raw[0]}), {b[0]} {values[1]!r} ({raw[1]})"
            lines.append(f"  {leaf.path}: {shown}")
        if len(lines) > 8:
            break
    lines += [f"  {name}: {trace.end.get('fault')} {trace.error}" for name, _, trace in (a, b)]
    return "\n".join(lines)


def first_difference(a: list[int], b: list[int]) -> int | None:
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return n
    return None if len(a) == len(b) else min(len(a), len(b))
