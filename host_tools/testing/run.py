"""Runs chosen tests: in this process, in several, in MicroPython or on the emulated Pico."""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from controller import faults
from controller import image as im
from controller.testing import Tests
from host_tools.build import Program
from host_tools.bundle import Bundle, initial_part
from host_tools.compiler.layout import describe_type
from host_tools.compiler.lowering.test_units import Case
from host_tools.compiler.lowering.testing import Assertion
from host_tools.compiler.source import Source, Span, unpack_position
from host_tools.compiler.types import ELEMENTARY, StringType, Type
from host_tools.failure import DEVICE, USAGE, Failure
from host_tools.render import Progress
from host_tools.simulation import program_module
from host_tools.testing.build import TestBuild
from host_tools.testing.results import Broken, Result, Run
from host_tools.testing.subset import subset
from host_tools.values import time_text, value_text
from host_tools.variables import Variable, Variables

TARGETS = ("host", "micropython", "pico")
_ALONE_S = 0.5
"""How long tests run in this process before others are started to help."""
_WORTH = 20
"""Tests for each MicroPython process at least."""
AT_ONCE = {"host": 100_000, "micropython": 150, "pico": 30}
"""Tests that are loaded together at most: memory is short there."""


def run(build: TestBuild, cases: list[Case], *, on: str = "host", jobs: int | None = None) -> Run:
    """Run `cases`. Raises Failure where the target cannot run them."""
    if on not in TARGETS:
        raise Failure(
            f"there is no target '{on}' for tests", f"targets are {', '.join(TARGETS)}", USAGE
        )
    start = time.perf_counter()
    session = _Session(build, cases, on, jobs or os.cpu_count() or 1)
    with Progress("running tests") as progress:
        session.run(progress)
    coverage = None
    if build.suite.points:
        from host_tools.testing.coverage import summary

        coverage = summary(build, session.covered)
    results = tuple(session.results[case.number] for case in cases)
    seconds = time.perf_counter() - start
    return Run(build.project.name, on, results, seconds, coverage)


class _Session:
    """Tests that are being run."""

    def __init__(self, build: TestBuild, cases: list[Case], on: str, jobs: int) -> None:
        self.build = build
        self.cases = cases
        self.on = on
        self.jobs = jobs
        self.results: dict[int, Result] = {}
        self.covered = bytearray(len(build.suite.points))
        self.reader = _Reader(build)
        self._by_number = {case.number: case for case in cases}
        self._agents: list[Any] = []
        self._stopping = False

    def run(self, progress: Progress) -> None:
        left = self.cases
        workers = 1
        if self.on == "host":
            left = self._here(progress)
            workers = min(self.jobs, len(left))
        elif self.on == "micropython":
            workers = max(1, min(self.jobs, len(left) // _WORTH))
        if not left:
            return
        shares = [left[k::workers] for k in range(workers)]
        most = AT_ONCE[self.on]
        with ThreadPoolExecutor(workers) as pool:
            try:
                for _ in pool.map(lambda share: self._all_there(share, most, progress), shares):
                    pass
            except BaseException:  # Ctrl-C as well: the others need not come to their end
                self._stopping = True
                for agent in list(self._agents):
                    agent.close()
                raise

    def _enter(self, message: dict[str, Any], progress: Progress) -> None:
        case = self._by_number[message["number"]]
        self.results[case.number] = self.reader.result(case, message)
        progress.say(f"running tests, {len(self.results)} of {len(self.cases)}")

    # --- in this process ---------------------------------------------------------------------

    def _here(self, progress: Progress) -> list[Case]:
        """Run tests for a while; those that are left where others should help."""
        program = subset(self.build.program, [case.number for case in self.cases])
        module = program_module(program)
        size, initial = program.ir.image_size, initial_part(program.ir.initial)
        image: Any = im.create(size, 1, bytes(8), initial).data
        tests: Any = Tests(module, image, self.reader.suite)
        begin = time.perf_counter()
        left: list[Case] = []
        for at, case in enumerate(self.cases):
            start = time.perf_counter()
            late = start - begin > _ALONE_S and program.engine == "python"
            if late and self.jobs > 1 and at < len(self.cases) - 1:
                left = self.cases[at:]
                break
            failed, code, position, error = tests.run(case.number)
            message = {"number": case.number, "failed": failed, "error": error and repr(error)}
            message["us"] = (time.perf_counter() - start) * 1e6
            message["fault"] = [code, position] if code else None
            message["image"] = image
            self._enter(message, progress)
        self._cover(0, tests.covered)
        return left

    def _cover(self, at: int, piece: bytes) -> None:
        for k, reached in enumerate(piece, at):
            self.covered[k] |= reached

    # --- elsewhere ---------------------------------------------------------------------------

    def _all_there(self, cases: list[Case], most: int, progress: Progress) -> None:
        for at in range(0, len(cases), most):
            if not self._stopping:
                self._there(cases[at : at + most], progress)

    def _there(self, cases: list[Case], progress: Progress) -> None:
        from host_tools.remote import read_message

        numbers = [case.number for case in cases]
        options = {"tests": numbers, "suite": self.reader.suite}
        prints: list[str] = []
        with self._agent(subset(self.build.program, numbers), options, progress) as agent:
            self._agents.append(agent)
            for line in agent.lines():
                message = read_message(line)
                kind = message["is"]
                if kind == "test":
                    self._enter(message, progress)
                elif kind == "cover":
                    self._cover(message["at"], bytes.fromhex(message["hex"]))
                elif kind == "error":
                    text = f"the tests cannot run there: {message['text']}"
                    raise Failure(text, "", DEVICE)
                elif kind == "print":
                    prints.append(message["text"])
                elif kind == "end":
                    if message["interrupted"]:
                        raise KeyboardInterrupt
                    return
        last = "\n".join(prints[-8:])
        help_ = f"the last that was heard:\n{last}" if last else ""
        raise Failure("the tests broke off before they came to their end", help_, DEVICE)

    @contextmanager
    def _agent(
        self, program: Program, options: dict[str, Any], progress: Progress
    ) -> Iterator[Any]:
        from host_tools.remote import ProcessAgent, find_micropython
        from host_tools.runs import architecture

        native = architecture(self.on, program) if self.on != "host" else None
        if self.on == "pico":
            from host_tools.deployment import check_board, start_run
            from host_tools.runs import open_link

            with open_link("pico", progress) as link:
                check_board(link, None)
                yield start_run(link, program.bundle(native), options, progress.say)
            return
        if self.on == "host":
            # Python source is all that another Python needs.
            parts = {"program.py": program.python().encode()}
            parts["initial"] = initial_part(program.ir.initial)
            bundle, executable = Bundle(program.manifest(), parts), sys.executable
        else:
            bundle, executable = program.bundle(native), find_micropython()
        agent = ProcessAgent(executable, bundle, options, progress.say)
        try:
            yield agent
        finally:
            agent.close()


# --- reading results -------------------------------------------------------------------------


class _Reader:
    """Makes results of what a target says."""

    def __init__(self, build: TestBuild) -> None:
        self.build = build
        self.variables = Variables(build.program.layout)
        suite = build.suite
        keep: dict[int, int] = {}
        for a in suite.assertions:
            for kept in (a.actual, a.expected, a.tolerance):
                if kept is not None:
                    size = 8 if not isinstance(kept[0], StringType) else kept[0].length * 2 + 4
                    keep[kept[1]] = max(keep.get(kept[1], 0), size)
            if isinstance(a.message, int):
                keep[a.message] = 4 + 2 * 1024
        end = build.program.ir.image_size
        self.keep = [(at, min(size, end - at)) for at, size in sorted(keep.items())]
        self.suite = {
            "selector": suite.selector,
            "failed": suite.failed,
            "keep": [list(row) for row in self.keep],
            "cover": [suite.cover, len(suite.points)],
        }

    def result(self, case: Case, message: dict[str, Any]) -> Result:
        span = case.block.span
        broken = None
        if message["fault"] is not None:
            broken = self._fault(case, message)
        elif message["failed"]:
            image = message.get("image") or self._image(message["keep"])
            broken = self._assertion(image, self.build.suite.assertions[message["failed"] - 1])
        return Result(case.name, span.source.name, span.line, message["us"] / 1e6, broken)

    def _image(self, pieces: list[str]) -> bytearray:
        """An image with what was kept, at its place."""
        image = bytearray(self.build.program.ir.image_size)
        for (at, _), piece in zip(self.keep, pieces, strict=True):
            data = bytes.fromhex(piece)
            image[at : at + len(data)] = data
        return image

    def _fault(self, case: Case, message: dict[str, Any]) -> Broken:
        code, position = message["fault"]
        said = faults.message(code)
        if message["error"]:
            said += f": {message['error']}"
        number, line = unpack_position(position)
        span = case.block.span
        if line:
            span = _line(self.build.sources[number], line)
        return Broken("fault", f"fault {code}", said, span)

    def _assertion(self, image: bytearray, a: Assertion) -> Broken:
        values, texts = [], []
        for kept in (a.actual, a.expected, a.tolerance):
            value, text = self._value(image, *kept) if kept is not None else (None, "")
            values.append(value)
            texts.append(text)
        message = a.message
        if isinstance(message, int):
            message = str(self.variables.read(image, _text_at(message)))
        said = in_words(a.name, *texts)
        details: tuple[str, ...] = ()
        if a.name == "ASSERT_EQ" and len(said) > _LONG:
            said, details = "differs", _difference(*texts[:2])
        actual, expected, tolerance = values
        return Broken(
            "assertion", a.name, said, a.span, actual, expected, tolerance, message, details
        )

    def _value(self, image: bytearray, t: Type, at: int) -> tuple[Any, str]:
        described = describe_type(t, self.variables.types)
        if isinstance(t, StringType):
            capacity = struct.unpack_from("<H", image, at)[0]
            described = [described[0], capacity]
        variable = Variable("", described, at)
        value = self.variables.read(image, variable)
        if t in BIT_STRINGS:
            return value, f"16#{value:X}"
        return value, value_text(self.variables, variable, value)


BIT_STRINGS = tuple(ELEMENTARY[name] for name in ("BYTE", "WORD", "DWORD", "LWORD"))


def _text_at(offset: int) -> Variable:
    return Variable("", ["string", 1024], offset)


def _line(source: Source, line: int) -> Span:
    """What stands on a line, without the blanks around it; of a library file only its place."""
    text = source.line_text(line)
    if not text.strip():
        return Span(source, 0, 0)
    start = source.text.find(text.strip(), _start_of(source, line))
    return Span(source, start, start + len(text.strip()))


def _start_of(source: Source, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = source.text.find("\n", at) + 1
    return at


_RELATIONS = {
    "ASSERT_GT": "more than",
    "ASSERT_GE": "at least",
    "ASSERT_LT": "less than",
    "ASSERT_LE": "at most",
}


_LONG = 60
"""What is longer does not stand beside the assertion but below it."""


def _difference(actual: str, expected: str) -> tuple[str, ...]:
    """Two long values one below the other, and where they part."""
    at = next((i for i, (a, b) in enumerate(zip(actual, expected, strict=False)) if a != b), 0)
    first = max(0, at - _LONG // 2)
    lead = "…" if first else ""
    shown = []
    for name, text in (("actual", actual), ("expected", expected)):
        piece = text[first : first + 2 * _LONG]
        shown.append(f"{name:8} {lead}{piece}{'…' if first + len(piece) < len(text) else ''}")
    return (*shown, " " * (9 + len(lead) + at - first) + "^ from here")


def in_words(name: str, actual: str, expected: str, tolerance: str) -> str:
    """What does not hold."""
    if name == "ASSERT_EQ":
        return f"is {actual}, expected {expected}"
    if name == "ASSERT_NEQ":
        return f"both are {actual}"
    if name in _RELATIONS:
        return f"is {actual}, expected {_RELATIONS[name]} {expected}"
    if name == "ASSERT_NEAR":
        return f"is {actual}, expected {expected} within {tolerance}"
    if name == "ADVANCE_TIME":
        ns = int(actual) if actual.lstrip("-").isdigit() else actual
        return f"time cannot go back, by {time_text(ns) if isinstance(ns, int) else ns}"
    if name == "MOCK_VERIFY_CALLED":
        return "was never called"
    if name == "MOCK_VERIFY_CALL_COUNT":
        return f"was called {actual} time{'s' * (actual != '1')}, expected {expected}"
    return f"is {actual}"
