"""Machine code: the text of the C, the .mpy around it, and what cannot be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.compiler import c_engine, compile_sources
from host_tools.compiler.source import Source
from host_tools.failure import Failure
from host_tools.mpy import compile_mpy
from host_tools.native.module import TARGETS, machine_code
from host_tools.native.mpy import MpyError, with_machine_code
from tests.conformance import generate
from tests.conformance.agreement import compiled

LOOP = """\
PROGRAM main
VAR_INPUT n : INT; END_VAR
VAR i : INT; sum : INT; list : ARRAY[0..3] OF INT; END_VAR
    FOR i := 0 TO n DO
        sum := sum + list[i] / n;
    END_FOR
END_PROGRAM
"""


def emit(text: str) -> str:
    program = compile_sources([Source("main.st", text)]).program
    assert program is not None
    return c_engine.emit(program)


def test_the_c_is_readable() -> None:
    text = emit(LOOP)
    assert "/* main.st:5 */" in text
    assert "static void main_2(mem m)" in text
    assert "div_i16(m, " in text
    assert "check_i16(m, " in text


def test_long_values_of_strings_are_refused_with_their_place() -> None:
    text = (
        "PROGRAM main\nVAR a, b, c : STRING[32000]; END_VAR\n"
        "    c := CONCAT(CONCAT(a, b), a);\nEND_PROGRAM\n"
    )
    with pytest.raises(c_engine.EngineError, match="96000 characters") as error:
        emit(text)
    assert error.value.pos & 0x3FFFFF == 3


@pytest.mark.parametrize("architecture", sorted(TARGETS))
def test_code_for_every_architecture_does_not_depend_on_its_place(architecture: str) -> None:
    program = compile_sources([Source("main.st", LOOP)]).program
    assert program is not None
    assert 100 < len(machine_code(program, architecture)) < 3000


@pytest.mark.parametrize("architecture", ["armv6m", "armv7m", "rv32imc"])
def test_code_of_generated_programs_does_not_depend_on_its_place(
    architecture: str, tmp_path: Path
) -> None:
    for n, p in enumerate(generate.collect(6, lreal=True)):
        assert machine_code(compiled(f"generated{n}", p.text, tmp_path).ir, architecture)


def test_an_unknown_architecture_is_refused() -> None:
    program = compile_sources([Source("main.st", LOOP)]).program
    assert program is not None
    with pytest.raises(Failure, match="cannot make code for xtensawin yet"):
        machine_code(program, "xtensawin")


MODULE = "X = 'text'\nY = 1 << 70\nZ = (1, b'ab')\n" + "".join(
    f"def f{n}(a):\n    def g():\n        return a + 1.5\n    return g\n" for n in range(3)
)


def test_machine_code_takes_the_place_of_one_function() -> None:
    module = compile_mpy(MODULE, "x.py")
    code = bytes(range(200))
    made = with_machine_code(module, 1, code, "x64")
    assert made[:4] == module[:2] + bytes((2 << 2 | 3,)) + module[3:4]
    assert made.count(code) == 1
    at = made.index(code)
    assert made[at + len(code)] == 0
    for child in (3, -1):
        with pytest.raises(MpyError, match="no function"):
            with_machine_code(module, child, code, "x64")


@pytest.mark.parametrize("cut", range(4, 40, 5))
def test_a_module_that_is_cut_off_is_refused(cut: int) -> None:
    module = compile_mpy(MODULE, "x.py")
    with pytest.raises(MpyError):
        with_machine_code(module[:cut], 0, b"x", "x64")
    with pytest.raises(MpyError, match="machine code already"):
        with_machine_code(with_machine_code(module, 0, b"x", "x64"), 1, b"y", "x64")
