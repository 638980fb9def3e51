"""The case files as machine code: with the same expectations, and the image after every scan the
one that the python engine makes. Many cases go into one library, or the compiler would be started
thousands of times."""

from __future__ import annotations

import json
import subprocess
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from host_tools.compiler import ir
from host_tools.native.module import build_module, host_architecture
from tests.conformance import device_cases, foreign
from tests.conformance.case_files import Built, Case, differences
from tests.conformance.foreign import PROCESSORS
from tests.conformance.test_cases import RUN, built
from tests.conformance.test_engine_ops import ROOT, executable

TOGETHER = 100
SAMPLE = 10
IN_MICROPYTHON = 150
"""One of so many cases is in the default run."""


def wrong(cases: Sequence[Case], name: str) -> list[str]:
    found = wrong_with(cases, PROCESSORS[name])
    second = foreign.SECOND.get(name)
    return wrong_with(cases, second) if found and second else found


def wrong_with(cases: Sequence[Case], start: foreign.Start) -> list[str]:
    with start([built(case).program for case in cases]) as process:
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


@pytest.mark.parametrize("name", [name for name in PROCESSORS if name != "native"])
def test_a_sample_on(name: str) -> None:
    assert wrong(RUN[5 :: 4 * SAMPLE], name) == []


@pytest.mark.slow
@pytest.mark.parametrize("start", range(0, len(RUN), TOGETHER))
@pytest.mark.parametrize("name", PROCESSORS)
def test_every_case_on(name: str, start: int) -> None:
    assert wrong(RUN[start : start + TOGETHER], name) == []


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


@pytest.mark.parametrize("start", range(0, len(RUN[::SAMPLE]), TOGETHER))
def test_a_sample(start: int) -> None:
    assert wrong(RUN[::SAMPLE][start : start + TOGETHER], "native") == []
