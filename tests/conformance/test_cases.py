"""The case files, on CPython and all together in one MicroPython process."""

from __future__ import annotations

import json
import subprocess
import types
from pathlib import Path

import pytest

from tests.conformance import device_cases
from tests.conformance.case_files import (
    CASES,
    Built,
    Case,
    build,
    differences,
    read_cases,
    refused,
)
from tests.conformance.test_engine_ops import ROOT, executable

EVERY = [case for path in sorted(CASES.rglob("*.st")) for case in read_cases(path)]
RUN = [case for case in EVERY if case.expectations]
REFUSED = [case for case in EVERY if case.refusals]
NAMES = {case.name: f"case_{i}" for i, case in enumerate(EVERY)}
BUILT: dict[str, Built] = {}


def built(case: Case) -> Built:
    if case.name not in BUILT:
        BUILT[case.name] = build(case, NAMES[case.name])
    return BUILT[case.name]


@pytest.mark.parametrize("case", REFUSED, ids=[c.name for c in REFUSED])
def test_refused(case: Case) -> None:
    assert refused(case) == case.refusals


@pytest.mark.parametrize("case", RUN, ids=[c.name for c in RUN])
def test_on_cpython(case: Case) -> None:
    one = built(case)
    module = types.ModuleType("program")
    exec(compile(one.source, "program.py", "exec"), module.__dict__)
    images = device_cases.run(one.job, module, one.initial)
    assert differences(one, images) == []


def test_on_micropython(tmp_path: Path) -> None:
    jobs = []
    for case in RUN:
        one = built(case)
        name = one.job["name"]
        (tmp_path / f"{name}.py").write_text(one.source, encoding="utf-8")
        (tmp_path / f"{name}.initial").write_bytes(one.initial)
        jobs.append(json.dumps(one.job))
    (tmp_path / "cases").write_text("\n".join(jobs) + "\n")
    driver = ROOT / "tests/conformance/device_cases.py"
    run = [executable("micropython"), "-X", "heapsize=64m", driver, ROOT, tmp_path]
    subprocess.run(run, check=True, timeout=120)
    wrong = []
    for case in RUN:
        one = built(case)
        content = (tmp_path / f"{one.job['name']}.images").read_bytes()
        size = one.job["image"]
        images = [content[i : i + size] for i in range(0, len(content), size)]
        wrong += [f"{case.name}: {d}" for d in differences(one, images)]
    assert wrong == []


def test_there_are_enough_expectations() -> None:
    assert sum(len(case.expectations) for case in EVERY) > 300
    assert len({case.name for case in EVERY}) == len(EVERY)
    assert [case.name for case in EVERY if not case.expectations and not case.refusals] == []
