"""From a project to a compiled program and its bundle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from host_tools.compiler.diagnostics import Diagnostic, Label, Reporter
from host_tools.compiler.source import Source, Span
from host_tools.failure import PROGRAM, USAGE, Failure
from host_tools.project import Project
from host_tools.record import record
from host_tools.wiring.file import task_options
from host_tools.wiring.resolve import Rows, resolve

if TYPE_CHECKING:
    from host_tools.bundle import Bundle
    from host_tools.compiler.compilation import Compilation
    from host_tools.compiler.ir import Program as Ir
    from host_tools.native.stack import Depth


class Rejected(Failure):
    """The program or its wiring has errors; `diagnostics` has them and the warnings."""

    def __init__(self, project: Project, diagnostics: Sequence[Diagnostic]) -> None:
        errors = sum(d.is_error for d in diagnostics)
        super().__init__(
            f"'{project.name}' has {errors} error{'s' if errors != 1 else ''}",
            exit_code=PROGRAM,
        )
        self.project = project
        self.diagnostics = list(diagnostics)

    def __str__(self) -> str:
        from io import StringIO

        from host_tools.render import Style, diagnostics_text

        return f"{self.message}\n{diagnostics_text(self.diagnostics, Style(StringIO()))}"


@record(frozen=True)
class Checked:
    """Everything `takt check` finds. The program is None where there are errors."""

    project: Project
    diagnostics: list[Diagnostic]
    compilation: Compilation
    rows: Rows

    @property
    def runs(self) -> bool:
        """Is there a PROGRAM in any task? A library has none."""
        program = self.compilation.program
        return program is not None and any(task.programs for task in program.tasks)

    @property
    def ok(self) -> bool:
        return not any(d.is_error for d in self.diagnostics)


@record(frozen=True)
class Program:
    """A program without errors, ready to be simulated or bundled."""

    project: Project
    ir: Ir
    layout: dict[str, Any]
    rows: Rows
    diagnostics: tuple[Diagnostic, ...]

    @property
    def source_names(self) -> list[str]:
        """Names by source index, as they stand in the bundle."""
        own = list(self.project.names)
        return own + list(self.ir.sources[len(own) :])

    def python(self) -> str:
        """Source text of the module `program` (the python engine). Raises Failure."""
        from host_tools.compiler.python_engine import EngineError, emit
        from host_tools.record import replace

        try:
            # Names as in the bundle, so that it does not depend on the folder it was built in.
            return emit(replace(self.ir, sources=tuple(self.source_names)))
        except EngineError as error:
            raise Failure(f"the python engine cannot run '{self.project.name}': {error}") from None

    def manifest(self) -> dict[str, Any]:
        """The manifest without its parts; see docs/bundle.md."""
        from host_tools.version import version
        from host_tools.wiring.mailbox import mailbox_room

        wiring, layout = self.project.wiring, self.layout
        watchdog_ms = wiring.hardware_watchdog_ms
        written = [row for server in self.rows.servers.values() for row in server["map"]]
        return {
            "format": 1,
            "name": wiring.name,
            "version": wiring.version,
            "takt": version(),
            "board": wiring.board.name if wiring.board else "host",
            "engine": self.engine,
            "built_from": _sources_hash(self.project),
            "layout": layout["hash"],
            "image_size": self.ir.image_size,
            "state": layout["state"],
            "retain": layout["retain"],
            "areas": {k: v for k, v in layout["areas"].items() if v[1]},
            "sources": self.source_names,
            "tasks": [
                {
                    "name": task.name,
                    "interval_ns": task.interval_ns,
                    "priority": task.priority,
                    "single": list(task.single) if task.single else None,
                    "inputs": [list(row) for row in task.inputs],
                    "outputs": [list(row) for row in task.outputs],
                    **task_options(wiring, task.name),
                }
                for task in self.ir.tasks
            ],
            "io": {"inputs": self.rows.inputs, "outputs": self.rows.outputs},
            "safe": self.rows.safe,
            "servers": self.rows.servers,
            "mailbox": list(mailbox_room(written)),
            **({"hardware_watchdog_ms": watchdog_ms} if watchdog_ms else {}),
        }

    @property
    def engine(self) -> str:
        """ "python" or "native"."""
        return "native" if self.project.wiring.engine == "native" else "python"

    def bundle(self, architecture: str | None = None) -> Bundle:
        """The bundle, with byte code or with machine code for `architecture` (None: the board's).
        Raises Failure where a compiler is missing, Rejected where the stack is too small."""
        from host_tools.bundle import Bundle, initial_part
        from host_tools.mpy import compile_mpy

        manifest, depth = self.manifest(), None
        if self.engine == "native":
            from host_tools.native.module import build_module

            architecture = architecture or self._architecture()
            manifest["architecture"] = architecture
            # The kernel is written for the RP2040; others run machine code portably.
            kernel = architecture == "armv6m"
            manifest["kernel"] = kernel
            module = build_module(self.ir, self.source_names, architecture, kernel)
            if module.depth is not None:
                depth = module.depth
                if depth.total > depth.room:
                    raise Rejected(self.project, [*self.diagnostics, self._too_deep(depth)])
                manifest["stack"] = [depth.total, depth.room]
            program = {"program.mpy": module.mpy}
        else:
            source = self.python()
            program = {
                "program.py": source.encode(),
                "program.mpy": compile_mpy(source, "program.py"),
            }
        parts = program | {
            "initial": initial_part(self.ir.initial),
            "layout.json": _layout_part(self.layout),
        }
        return Bundle(manifest, parts, depth)

    def _too_deep(self, depth: Depth) -> Diagnostic:
        """E0800, at the POU of the deepest calls that needs most of the stack."""
        from host_tools.compiler.c_engine.module import functions_by_name

        pous = functions_by_name(self.ir)
        tasks = {task.func for task in self.ir.tasks}
        sizes = dict(depth.chain)
        # What the compiler has put into its callers is in no chain: then it is a task's.
        found = [f for name, f in pous.items() if name in sizes or f.name in tasks]
        own = [f for f in found if f.pos and f.pos >> 22 < len(self.project.sources)]
        frame = {f.name: sizes.get(name, 0) for name, f in pous.items()}
        pou = max(own or self.ir.functions, key=lambda f: frame[f.name])
        source = self.project.sources[pou.pos >> 22 if own else 0]
        calls = " > ".join(f"{name} ({size})" for name, size in depth.chain)
        return Diagnostic(
            "E0800",
            f"the tasks may need {depth.total} bytes of stack, and the board has {depth.room}",
            _named(source, pou.pos & 0x3FFFFF, pou.source_name),
            (
                f"{depth.levels} levels of tasks can interrupt each other, each"
                if depth.levels > 1
                else "a scan goes"
            )
            + f" as deep as {calls}",
            help="pass long strings and structures as VAR_IN_OUT, call less deep, give tasks the "
            'same priority, or write engine = "python" under [project]',
        )

    def _architecture(self) -> str:
        """That of the project's board, or of this computer's MicroPython."""
        board = self.project.wiring.board
        if board is not None and board.native:
            return board.native
        from host_tools.native.module import host_architecture

        return host_architecture()


def _named(source: Source, line: int, name: str) -> Span:
    """Where a name stands in a line, or the line."""
    import re

    start, text = source.line_start(line), source.line_text(line)
    found = re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)
    first, last = found.span() if found else (0, len(text))
    return Span(source, start + first, start + last)


_COLUMNS = ("path", "type", "offset", "section", "retain", "bit")


def _layout_part(layout: dict[str, Any]) -> bytes:
    """The layout with a row for each variable, by _COLUMNS: half as long as with their names."""
    rows = []
    for variable in layout["vars"]:
        row = [variable.get(name) for name in _COLUMNS]
        row += [variable[name] for name in sorted(set(variable) - set(_COLUMNS))]
        while row[-1] is None:
            row.pop()
        rows.append(row)
    return json.dumps({**layout, "vars": rows}, separators=(",", ":")).encode()


def chosen_engine(project: Project, target: str = "") -> tuple[str, str]:
    """("python" or "native", and a note where it is not the one that would be best), for a run on
    `target`, or for the project's board. "auto" is native where the board has the scan kernel."""
    wiring = project.wiring
    if wiring.engine != "auto":
        return wiring.engine, ""
    kernel = wiring.board is not None and wiring.board.kernel
    if target in ("host", "micropython", "pico"):
        kernel = target == "pico"
    if not kernel:
        return "python", ""
    from importlib.util import find_spec

    if find_spec("ziglang") is None:
        return "python", (
            "the python engine runs this: machine code and the scan kernel need ziglang "
            "(pip install ziglang)"
        )
    return "native", ""


def with_engine(project: Project, target: str = "") -> Project:
    """The project with its engine chosen, a note said where it is not the best one."""
    import sys

    from host_tools.record import replace

    engine, note = chosen_engine(project, target)
    if note:
        print(f"note: {note}", file=sys.stderr)
    return replace(project, wiring=replace(project.wiring, engine=engine))


def check(project: Project, rules: bool = False, tests: bool = False) -> Checked:
    """Check wiring and program, together as far as each is sound alone. `rules`: also look for
    what compiles and is hardly meant; `tests`: also look into the test files."""
    from host_tools.compiler.compilation import Options, compile_sources

    outside = project.wiring.variable_names()
    options = Options(areas=project.wiring.areas(), rules=rules, outside=outside)
    compilation = compile_sources(project.sources, options)
    diagnostics = [*project.diagnostics, *compilation.diagnostics]
    rows = Rows()
    if compilation.program is not None and compilation.layout is not None:
        reporter = Reporter()
        rows = resolve(project.wiring, compilation.layout, compilation.program.tasks, reporter)
        _check_floats(project, compilation, reporter)
        diagnostics += reporter.diagnostics
        if tests and project.tests:
            from host_tools.testing.build import test_diagnostics

            diagnostics += test_diagnostics(project)
    return Checked(project, project.wiring.policy.applied(diagnostics), compilation, rows)


def compile(project: Project) -> Program:
    """The program of a project. Raises Rejected, which carries the diagnostics, where it has
    errors, and Failure where it has no PROGRAM."""
    checked = check(project)
    compilation = checked.compilation
    if not checked.ok or compilation.program is None or compilation.layout is None:
        raise Rejected(project, checked.diagnostics)
    if not checked.runs:
        raise Failure(
            f"'{project.name}' has no PROGRAM: there is nothing to run",
            "add a PROGRAM; `takt new NAME` makes a project with one",
        )
    return Program(
        project,
        compilation.program,
        compilation.layout,
        checked.rows,
        tuple(checked.diagnostics),
    )


def _check_floats(project: Project, compilation: Compilation, reporter: Reporter) -> None:
    """E0620 where the program needs double precision and the board's Python has none."""
    board, program = project.wiring.board, compilation.program
    if board is None or program is None or board.floats == "double" or not program.uses_lreal:
        return
    if chosen_engine(project)[0] == "native":
        return
    span = _first_lreal(compilation)
    wiring = project.wiring.source
    at = wiring.text.find(f'"{board.name}"')
    others = [Label(Span(wiring, at, at + len(board.name) + 2), "the board")] if at >= 0 else []
    reporter.report(
        "E0620",
        f"LREAL needs the native engine on board '{board.name}', "
        "whose MicroPython has single-precision floats",
        span,
        others=others,
        help='use REAL, or write engine = "native" under [project]',
    )


def _first_lreal(compilation: Compilation) -> Span:
    import re

    for source in compilation.sources:
        found = re.search(r"\bLREAL\b", source.text, re.IGNORECASE)
        if found and not source.library:
            return Span(source, *found.span())
    return Span(compilation.sources[0], 0, 0)


def _sources_hash(project: Project) -> str:
    """SHA-256 over names and texts of the sources and takt.toml."""
    digest = hashlib.sha256()
    named = zip(project.names, project.sources, strict=True)
    texts = [(name, source.text) for name, source in named]
    for name, text in [*texts, ("takt.toml", project.wiring.source.text)]:
        content = text.encode("utf-8", errors="surrogatepass")
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def bundle_path(project: Project, output: str | None) -> Path:
    """Where `takt build` writes: `output`, or build/NAME.taktb in the project's folder. Raises
    Failure for another suffix: a slip must not overwrite a source file."""
    if output is None:
        return project.folder / "build" / f"{project.name}.taktb"
    path = Path(output)
    if path.is_dir():
        return path / f"{project.name}.taktb"
    if path.suffix != ".taktb":
        raise Failure(
            f"'{output}' is no name for a bundle",
            f"bundles end in .taktb, such as {path.with_suffix('.taktb').name or 'NAME.taktb'}",
            USAGE,
        )
    return path
