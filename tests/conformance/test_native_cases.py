"""The case files as machine code: with the same expectations, and the image after every scan the
one that the python engine makes. Many cases go into one library, or the compiler would be started
thousands of times."""

from __future__ import annotations

import ctypes
import json
import struct
import subprocess
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from controller.rt import Fault
from host_tools.compiler import ir
from host_tools.native.module import build_module, host_architecture
from host_tools.native.toolchain import compile_c
from tests.conformance import device_cases, foreign
from tests.conformance.case_files import Built, Case, differences
from tests.conformance.foreign import PROCESSORS
from tests.conformance.many_programs import number, together
from tests.conformance.test_cases import RUN, built
from tests.conformance.test_engine_ops import ROOT, executable

TOGETHER = 100
SAMPLE = 10
IN_MICROPYTHON = 150
"""One of so many cases is in the default run."""

_FAULT_AT = 76  # of the image's header (docs/image.md)


class Machine:
    """A program of a library, in the shape of the python engine's module."""

    def __init__(self, library: Any, place: int, program: ir.Program) -> None:
        self.TASKS = tuple(
            lambda n=n: self._run(library.takt_enter, number(place, n))
            for n in range(len(program.tasks))
        )

    def attach(self, image: bytearray) -> None:
        self._data = image
        self._held = (ctypes.c_char * len(image)).from_buffer(image)

    def _run(self, enter: Callable[..., int], task: int) -> None:
        code = enter(ctypes.c_void_p(ctypes.addressof(self._held)), ctypes.c_uint32(task))
        if code:
            raise Fault(code, struct.unpack_from("<I", self._data, _FAULT_AT)[0])


def wrong(cases: Sequence[Case]) -> Iterable[str]:
    """What is different in these cases, as machine code in one library."""
    programs = [built(case).program for case in cases]
    library = ctypes.CDLL(str(compile_c(together(programs), ("-shared", "-fPIC"), ".so")))
    return wrong_on(cases, lambda place, program: Machine(library, place, program))


def wrong_on_processor(cases: Sequence[Case], processor: foreign.Processor) -> list[str]:
    with foreign.Process(processor, [built(case).program for case in cases]) as process:
        machine = foreign.Machine
        return list(wrong_on(cases, lambda place, program: machine(process, place, program)))


def wrong_on(cases: Sequence[Case], machine: Callable[[int, ir.Program], Any]) -> Iterable[str]:
    for place, case in enumerate(cases):
        one = built(case)
        python = types.ModuleType("program")
        exec(compile(one.source, "program.py", "exec"), python.__dict__)
        job = one.job | {"keep": list(range(one.job["scans"] + 1))}
        images = device_cases.run(job, machine(place, one.program), one.initial)
        expected = device_cases.run(job, python, one.initial)
        pairs = zip(images, expected, strict=True)
        scans = [n for n, (a, b) in enumerate(pairs) if agreed(one, a) != agreed(one, b)]
        if scans:
            yield f"{case.name}: another image than the python engine's after scan {scans[0]}"
        kept = [images[n] for n in one.job["keep"]]
        yield from (f"{case.name}: {text}" for text in differences(one, kept))


def agreed(one: Built, image: bytes) -> tuple[bytes, bytes]:
    """What the engines must agree on: the first fault, and the state."""
    start, size = one.state
    return image[40:64], image[start : start + size]


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
def test_a_sample_on(processor: foreign.Processor) -> None:
    assert wrong_on_processor(RUN[5 :: 4 * SAMPLE], processor) == []


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(RUN), TOGETHER))
@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
def test_every_case_on(processor: foreign.Processor, start: int) -> None:
    assert wrong_on_processor(RUN[start : start + TOGETHER], processor) == []


def wrong_in_micropython(cases: Sequence[Case], folder: Path) -> Iterable[str]:
    """What does not come out as expected with the machine code in .mpy files."""
    jobs = []
    for case in cases:
        one = built(case)
        name = one.job["name"]
        module = build_module(one.program, ["case.st"], host_architecture()).mpy
        (folder / f"{name}.mpy").write_bytes(module)
        (folder / f"{name}.initial").write_bytes(one.initial)
        jobs.append(json.dumps(one.job))
    (folder / "cases").write_text("\n".join(jobs) + "\n")
    driver = ROOT / "tests/conformance/device_cases.py"
    run = [executable("micropython"), "-X", "heapsize=64m", driver, ROOT, folder]
    subprocess.run(run, check=True, timeout=120)
    for case in cases:
        one = built(case)
        content = (folder / f"{one.job['name']}.images").read_bytes()
        size = one.job["image"]
        images = [content[i : i + size] for i in range(0, len(content), size)]
        yield from (f"{case.name}: {text}" for text in differences(one, images))


def test_a_sample_in_micropython(tmp_path: Path) -> None:
    assert list(wrong_in_micropython(RUN[::IN_MICROPYTHON], tmp_path)) == []


@pytest.mark.slow
def test_more_in_micropython(tmp_path: Path) -> None:
    assert list(wrong_in_micropython(RUN[7 :: IN_MICROPYTHON // 10], tmp_path)) == []


@pytest.mark.parametrize("start", range(0, len(RUN[::SAMPLE]), TOGETHER))
def test_a_sample(start: int) -> None:
    assert list(wrong(RUN[::SAMPLE][start : start + TOGETHER])) == []


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(RUN), TOGETHER))
def test_every_case(start: int) -> None:
    assert list(wrong(RUN[start : start + TOGETHER])) == []
