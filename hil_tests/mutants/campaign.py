"""Runs a bench suite against mutants of its project, one process each."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from hil_tests.bench_file import FILE, BenchFile, read_bench
from hil_tests.mutants.mutants import Mutant
from host_tools.compiler.diagnostics import Reporter
from host_tools.failure import PROGRAM, USAGE, Failure
from host_tools.project import Project, load
from host_tools.record import field, record
from host_tools.wiring.schema import read_toml

TIMEOUT = "(the suite did not end in time)"
"""Stands for the test where a mutant keeps the suite from ending."""
PATIENCE, SPARE_S = 5.0, 30.0
"""How many times as long as with the sound program a suite may take, and so much more."""


@record(frozen=True)
class Verdict:
    """What the suite said of a mutant. `killers`: tests that failed, in their order, with the
    first line of what they said; none: it has survived."""

    mutant: Mutant
    killers: dict[str, str]
    seconds: float

    @property
    def killed(self) -> bool:
        return bool(self.killers)


@record()
class Campaign:
    """`tests` of the suite; `seconds` it takes with the sound program."""

    suite: Path
    project: Project
    dut: str
    seed: int = 1
    tests: list[str] = field(default_factory=list)
    seconds: float = 0.0
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def killed(self) -> int:
        return sum(v.killed for v in self.verdicts)

    @property
    def survivors(self) -> list[Mutant]:
        return [v.mutant for v in self.verdicts if not v.killed]


def open_campaign(suite: Path, dut: str = "host", seed: int = 1) -> Campaign:
    """`suite` is a folder with a bench.toml and tests. Raises Failure."""
    bench = read_bench(suite / FILE)
    return Campaign(suite, load(bench.project), dut, seed)


def run(
    campaign: Campaign,
    mutants: Sequence[Mutant],
    tests: Sequence[str] = (),
    jobs: int = 1,
    tell: Callable[[Verdict], None] = lambda verdict: None,
) -> None:
    """Run the suite with the sound program, then with each mutant; `tests` are further arguments
    of pytest. Raises Failure where the suite does not pass as it is."""
    bench = read_bench(campaign.suite / FILE)
    with TemporaryDirectory(prefix="takt-mutants-") as name:
        folder = Path(name)
        sound = _outcome(campaign, bench, None, folder / "sound", tests, None)
        if sound.failed:
            first, said = next(iter(sound.failed.items()))
            raise Failure(
                f"the suite does not pass with the program as it is: {first}: {said}",
                "make it pass, then look for mutants that it lets through",
                PROGRAM,
            )
        if not sound.passed:
            raise Failure(f"no test of {campaign.suite} ran on '{campaign.dut}'", "", PROGRAM)
        campaign.tests, campaign.seconds = sound.passed, sound.seconds
        timeout_s = SPARE_S + PATIENCE * sound.seconds

        def one(mutant: Mutant) -> Verdict:
            place = folder / str(mutant.number)
            ran = _outcome(campaign, bench, mutant, place, tests, timeout_s)
            shutil.rmtree(place)
            return Verdict(mutant, ran.failed, ran.seconds)

        with ThreadPoolExecutor(jobs) as pool:
            for verdict in pool.map(one, mutants):
                campaign.verdicts.append(verdict)
                tell(verdict)


@record(frozen=True)
class _Outcome:
    passed: list[str]
    failed: dict[str, str]
    seconds: float


def _outcome(
    campaign: Campaign,
    bench: BenchFile,
    mutant: Mutant | None,
    folder: Path,
    tests: Sequence[str],
    timeout_s: float | None,
) -> _Outcome:
    project = bench.project
    if mutant is not None:
        project = folder / "project"
        mutant.write(campaign.project, project)
    _write_bench(bench, project, folder / "bench")
    result = folder / "result.xml"
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line",
        "--bench-out=", f"--bench={folder / 'bench' / FILE}", f"--dut={campaign.dut}",
        f"--junitxml={result}",
        *(tests or [str(campaign.suite)]),
    ]  # fmt: skip
    begin = time.monotonic()
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=_environment()
        )
    except subprocess.TimeoutExpired:
        return _Outcome([], {TIMEOUT: ""}, time.monotonic() - begin)
    seconds = time.monotonic() - begin
    if ran.returncode not in (0, 1) or not result.is_file():
        lines = (ran.stdout + ran.stderr).strip().splitlines() or ["it said nothing"]
        what = "the program as it is" if mutant is None else f"mutant {mutant.name}"
        raise Failure(f"pytest cannot run {campaign.suite} with {what}: {lines[-1]}", "", USAGE)
    passed, failed = _results(result, campaign.dut)
    return _Outcome(passed, failed, seconds)


def _environment() -> dict[str, str]:
    """This process's, with its import path: a test may live where pytest finds no settings."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}


def _write_bench(bench: BenchFile, project: Path, folder: Path) -> None:
    """bench.toml for another project, with the models that lie beside it."""
    folder.mkdir(parents=True)
    text = bench.source.text
    root = read_toml(bench.source, Reporter())
    table = root.get("bench") if root is not None else None
    assert table is not None, "it has been read before"
    named = table.get("project")
    quoted = json.dumps(str(project))
    if named is not None:
        text = text[: named.span.start] + quoted + text[named.span.end :]
    else:
        text = text.replace("[bench]", f"[bench]\nproject = {quoted}", 1)
    (folder / FILE).write_text(text, encoding="utf-8")
    for path in bench.path.parent.glob("*.py"):
        if not path.name.startswith("test_") and path.name != "conftest.py":
            shutil.copy(path, folder)


def _results(path: Path, dut: str) -> tuple[list[str], dict[str, str]]:
    """The tests that passed, and those that failed with the first line of what they said."""
    device = re.compile(rf"\[{re.escape(dut)}(?:-(.*))?\]$")
    passed: list[str] = []
    failed: dict[str, str] = {}
    for case in xml.parse(path).getroot().iter("testcase"):
        # The device is a parameter of each test, and the same for all.
        name = device.sub(lambda m: f"[{m[1]}]" if m[1] else "", case.get("name", ""))
        wrong = [e for tag in ("failure", "error") if (e := case.find(tag)) is not None]
        if wrong:
            said = (wrong[0].get("message") or wrong[0].text or "").strip().splitlines()
            failed[name] = said[0] if said else ""
        elif case.find("skipped") is None:
            passed.append(name)
    return passed, failed
