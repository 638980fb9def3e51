"""Reads the case files (cases/README.md): programs with what they expect, compiled for a run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller import faults
from host_tools.bundle import initial_part
from host_tools.compiler import ir
from host_tools.compiler.compilation import compile_sources
from host_tools.compiler.python_engine import emit
from host_tools.compiler.source import Source
from host_tools.variables import VariableError, Variables
from tests.conformance.features import rows

CASES = Path(__file__).parent / "cases"
COMMENT = re.compile(r"//(?: |.*:\s+)(set|expect) (?!below)(?:after (\d+) scans?: )?(.+?)\s*$")
FAULT = re.compile(r"fault = (\w+) here$")
REFUSAL = re.compile(r"//(?: |.*:\s+)(error|warning): ([EW]\d{4}) at '(.*)'\s*$")
FEATURES = "// feature: "
AREAS = "QX", "QW", "QD", "QL"


@dataclass
class Expectation:
    """A variable and its value after a scan, or a fault (`path` empty, `value` (code, line))."""

    line: int
    scan: int
    path: str
    value: Any


@dataclass(frozen=True)
class Refusal:
    """A diagnostic that the compiler must give: code, line, and the text it points at."""

    line: int
    code: str
    text: str


@dataclass
class Case:
    name: str
    text: str
    sets: list[tuple[int, str, str]] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def read_cases(path: Path) -> list[Case]:
    """The cases of a file. Line numbers stay those of the file."""
    cases: list[Case] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("// case: "):
            cases.append(Case(f"{path.stem}: {line[9:]}", "\n" * (number - 1)))
        if cases:
            cases[-1].text += line + "\n"
            read_line(cases[-1], number, line)
    return cases


def read_line(case: Case, number: int, line: str) -> None:
    if line.startswith(FEATURES):
        tags = [tag.strip() for tag in line.removeprefix(FEATURES).split(",")]
        unknown = [tag for tag in tags if tag not in rows()]
        assert not unknown, f"{case.name}, line {number}: no row of features.toml: {unknown}"
        case.features += tags
    elif not line.startswith("// case: "):
        refusal, found = REFUSAL.search(line), COMMENT.search(line)
        if refusal is not None:
            case.refusals.append(Refusal(number, refusal[2], refusal[3]))
        elif found is not None:
            note(case, number, found[1], found[2], found[3])


def note(case: Case, line: int, verb: str, scan: str | None, what: str) -> None:
    fault = FAULT.match(what)
    path, equals, value = what.partition(" = ")
    if verb == "set":
        assert equals, f"{case.name}, line {line}: {what}"
        case.sets.append((int(scan or 0), path, value))
    elif fault is not None:
        code = getattr(faults, fault[1])
        case.expectations.append(Expectation(line, int(scan or 1), "", (code, line)))
    elif what == "no fault":
        case.expectations.append(Expectation(line, int(scan or 1), "", (0, 0)))
    else:
        assert equals, f"{case.name}, line {line}: {what}"
        case.expectations.append(Expectation(line, int(scan or 1), path, value))


@dataclass
class Built:
    """A compiled case: what device_cases.py needs, and what to read its images with."""

    case: Case
    source: str
    initial: bytes
    job: dict[str, Any]
    variables: Variables
    program: ir.Program
    state: tuple[int, int]
    """Start and size of what the engines must agree on (docs/image.md)."""


def refused(case: Case) -> list[Refusal]:
    """What the compiler says of a case: all errors, and warnings that are asked for."""
    warnings = {r.code for r in case.refusals}
    return sorted(
        (
            Refusal(d.span.line, d.code, case.text[d.span.start : d.span.end])
            for d in compile_sources([Source("case.st", case.text)]).diagnostics
            if d.is_error or d.code in warnings
        ),
        key=lambda r: r.line,
    )


def build(case: Case, name: str) -> Built:
    compilation = compile_sources([Source("case.st", case.text)])
    assert compilation.program is not None, [
        f"{case.name}: line {d.span.line}: {d.code} {d.message}" for d in compilation.diagnostics
    ]
    assert compilation.layout is not None
    program, variables = compilation.program, Variables(compilation.layout)
    sets = []
    for scan, path, value in case.sets:
        offset, data, bit = variables.encode(path, typed(value))
        sets.append([scan, offset, data.hex(), bit])
    keep = sorted({e.scan for e in case.expectations})
    job = {
        "name": name,
        "image": program.image_size,
        "layout": compilation.layout["hash"],
        "tasks": [
            {
                "name": t.name,
                "interval_ns": t.interval_ns,
                "priority": t.priority,
                "single": list(t.single) if t.single else None,
                "outputs": [list(r) for r in t.outputs],
            }
            for t in program.tasks
        ],
        "safe": [
            [start + i, None, "u8", 0]
            for area in AREAS
            for start, size in [compilation.layout["areas"][area]]
            for i in range(size)
        ],
        "sets": sets,
        "keep": keep,
        "scans": keep[-1],
    }
    start, size = compilation.layout["state"]
    initial = initial_part(program.initial)
    return Built(case, emit(program), initial, job, variables, program, (start, size))


def typed(text: str) -> Any:
    """A value as JSON has it, or the text where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def expected_value(variables: Variables, path: str, text: str) -> Any:
    """The JSON form of what a case expects of the variable at `path`."""
    value = typed(text)
    if isinstance(value, str) and value == text:  # not JSON: as a person types it
        offset, data, bit = variables.encode(path, text)
        image = bytearray(offset) + data
        if bit is not None:
            return bool(data[0])
        return variables.read(image, path)
    return value


def differences(built: Built, images: list[bytes]) -> list[str]:
    """What does not come out as expected, each with its line."""
    by_scan = dict(zip(built.job["keep"], images, strict=True))
    found = []
    for e in built.case.expectations:
        got, want = compared(built.variables, by_scan[e.scan], e)
        if got != want or isinstance(got, bool) is not isinstance(want, bool):
            found.append(f"line {e.line}, scan {e.scan}: {e.path or 'fault'} = {got}, not {want}")
    expected = {e.scan for e in built.case.expectations if not e.path and e.value[0]}
    if not expected and fault_of(images[-1]) != (0, 0):
        found.append(f"fault {faults.message(fault_of(images[-1])[0])} at {fault_of(images[-1])}")
    return found


def compared(variables: Variables, image: bytes, e: Expectation) -> tuple[Any, Any]:
    if not e.path:
        return fault_of(image), e.value
    try:
        return variables.read(image, e.path), expected_value(variables, e.path, e.value)
    except VariableError as error:
        return str(error), e.value


def fault_of(image: bytes) -> tuple[int, int]:
    """Code and line of the fault record."""
    code = int.from_bytes(image[40:44], "little")
    position = int.from_bytes(image[44:48], "little")
    return code, position & 0x3FFFFF
