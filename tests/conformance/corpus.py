"""The programs that all targets must agree on: generated ones, the conformance suite's cases, and
what compilers were seen to get wrong. Made, and run on the host, once for all tests of a
process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.conformance import foreign, generate
from tests.conformance.agreement import Job, Processes, Runner, Trace, agree, differences, job
from tests.conformance.case_files import typed
from tests.conformance.test_cases import NAMES, RUN

MANY = 2000
"""So many generated programs run on every target in the slow suite."""


@cache
def folder() -> Path:
    """Where all of this lies, until the process ends."""
    made = Path(tempfile.mkdtemp(prefix="takt-corpus-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def _processes() -> Processes:
    return Processes(folder())


def host(jobs: list[Job], scans: int | None = None) -> dict[str, Trace]:
    """Runs jobs by the python engine on CPython."""
    return _processes().host(jobs, scans)


@cache
def generated(count: int) -> list[Job]:
    """Generated programs; a third of them may use LREAL."""
    made = [*generate.collect(count - count // 3), *generate.collect(count // 3, lreal=True)]
    return [
        job(f"generated{n}_of_{count}", p.text, p.stimulus, folder(), generate.SCANS)
        for n, p in enumerate(made)
    ]


@cache
def cases(every: int = 1, first: int = 0) -> list[Job]:
    """Every so many of the conformance suite's programs that run, for as many scans as they have
    expectations for."""
    made = []
    for case in RUN[first::every]:
        stimulus = [(scan, path, typed(value)) for scan, path, value in case.sets]
        scans = max(e.scan for e in case.expectations)
        made.append(job(f"{NAMES[case.name]}", case.text, stimulus, folder(), scans))
    return made


QUOTIENTS = """
PROGRAM Main
VAR a, b, q : REAL; c, d, p : LREAL; sum : REAL; END_VAR
    q := a / b;
    p := c / d;
    sum := q * 2.0 + a / 3.0;
END_PROGRAM
"""
_REALS = [1e-38, 1.1754944e-38, 3e-39, 1e-45, -7e-42, 1.5, -3.0, 1e30, 5e5, -3.4e38, 1.1754942e-38]
_LREALS = [1e-308, 2.2250738585072014e-308, 3e-309, 5e-324, -7e-320, 1.5, -3.0, 1e300, -9e307]

CONSTANTS = """
PROGRAM Main
VAR n, x : LINT; u, v : ULINT; d : DINT; END_VAR
    {}
END_PROGRAM
"""


def _twice(k: int, m: int) -> str:
    """Statements that use a constant more than once, which compilers then keep in registers."""
    return f"""
    x := n * {k}; n := n + x * {k}; n := n - {k}; v := u * {m}; u := u / 3 + v * {m};
    d := LINT_TO_DINT(n); x := x + DINT_TO_LINT(d) * {k};"""


def _numbers() -> list[tuple[int, int]]:
    """Sums and differences of two powers of two, as LINT and as ULINT."""
    powers = [(a, b) for a in range(1, 63, 4) for b in range(0, a, 5)]
    return [((1 << b) - (1 << a), (1 << a) + (1 << b)) for a, b in powers]


@cache
def hard() -> list[Job]:
    """Quotients among and below the normal numbers, and constants that are used twice."""
    pairs = [(a, b) for a in _REALS for b in _REALS]
    longs = [(c, d) for c in _LREALS for d in _LREALS]
    longs += longs[: len(pairs) - len(longs)]
    stimulus: list[tuple[int, str, float]] = []
    for at, ((a, b), (c, d)) in enumerate(zip(pairs, longs, strict=True)):
        values = {"a": a, "b": b, "c": c, "d": d}
        stimulus += [(at, f"Main.{name}", value) for name, value in values.items()]
    made = [job("quotients", QUOTIENTS, stimulus, folder(), len(pairs))]
    numbers = _numbers()
    for n, start in enumerate(range(0, len(numbers), 25)):
        body = "".join(_twice(k, m) for k, m in numbers[start : start + 25])
        text = CONSTANTS.format(body)
        rows = [(1, "Main.n", 5), (2, "Main.u", 77), (4, "Main.n", 12345 - (1 << 62))]
        made.append(job(f"constants{n}", text, rows, folder(), 8))
    return made


def differing(
    jobs: Sequence[Job], name: str, runner: Runner, together: int = 50, told: bool = False
) -> list[str]:
    """What is different between the host and a target, so many jobs in a run of it."""
    found: list[str] = []
    doubted = 0
    for start in range(0, len(jobs), together):
        some = list(jobs[start : start + together])
        second = foreign.SECOND.get(name)
        if second is not None:
            expected, traces = host(some), runner(some, None)
            some = [j for j in some if not agree(expected[j.name], traces[j.name])]
            runner_of_some, doubted = foreign.runner(second), doubted + len(some)
        else:
            runner_of_some = runner
        found += differences(some, ("host", host), (name, runner_of_some)) if some else []
        if told:
            done = min(start + together, len(jobs))
            asked = f", {doubted} looked at twice" if second else ""
            print(f"{name}: {done} of {len(jobs)}, {len(found)} differ{asked}", flush=True)
    return found
