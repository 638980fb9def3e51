"""Machine code: the text of the C, the .mpy around it, and what cannot be made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from host_tools.cli import main
from host_tools.compiler import c_engine, compile_sources
from host_tools.compiler.c_engine.runtime import defined_names
from host_tools.compiler.source import Source
from host_tools.failure import Failure
from host_tools.mpy import compile_mpy
from host_tools.native.module import TARGETS, build_module, machine_code
from host_tools.native.mpy import MpyError, with_machine_code
from host_tools.native.relocated import Code
from host_tools.wiring.boards import board_names, load_board
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
    assert "DIVIDED(1, QUOTIENT, i16" in text
    assert "CHECK(1, i16, held_" in text


def test_names_of_the_runtime_and_the_kernel_are_free_for_programs() -> None:
    names = sorted(n for n in defined_names() if not n.startswith("_") and "__" not in n)
    assert {"late", "scan", "start", "trace", "WATCHDOG", "rounded"} <= set(names)
    words = {}
    for name in names:
        text = f"FUNCTION_BLOCK {name}\nVAR {name}_ : INT; END_VAR\n    {name}_ := 1;\n"
        text += "END_FUNCTION_BLOCK\n"
        if not any(d.is_error for d in compile_sources([Source("a.st", text)]).diagnostics):
            words[name.upper()] = text
    assert len(words) > 150
    text = "".join(words.values()) + "FUNCTION locals : DINT\nVAR "
    text += "".join(f"{name} : DINT; " for name in sorted(words))
    text += "END_VAR\n" + "".join(f"    {name} := {name} + 1;\n" for name in sorted(words))
    text += (
        "    locals := " + " + ".join(sorted(words)[:50]) + ";\nEND_FUNCTION\nPROGRAM main\nVAR "
    )
    text += "".join(f"b_{name} : {name}; " for name in words) + "d : DINT; END_VAR\n"
    text += "".join(f"    b_{name}();\n" for name in words) + "    d := locals();\nEND_PROGRAM\n"
    program = compile_sources([Source("main.st", text)]).program
    assert program is not None
    assert machine_code(program, "armv6m", kernel=True)


KNOWN = """PROGRAM main
VAR i : INT; j : SINT; list : ARRAY[0..9] OF INT; n : UDINT; k : INT; END_VAR
    FOR i := 0 TO 9 DO
        list[i] := list[i] + UDINT_TO_INT(n MOD 7);
        j := TO_SINT(i) - 1;
        WHILE j >= 0 AND_THEN list[j] > 3 DO j := j - 1; END_WHILE
    END_FOR
    FOR i := 0 TO {last} DO {inside} END_FOR
END_PROGRAM
"""


def test_what_is_proven_is_not_checked() -> None:
    text = emit(KNOWN.format(last=9, inside="list[i] := i;"))
    assert "CHECK(" not in text
    assert "same_" in text.split("for (;;)")[0]  # n MOD 7, in front of the loop


@pytest.mark.parametrize(
    ("last", "inside"),
    [
        ("10", "list[i] := i;"),
        ("9", "list[i + 1] := i;"),
        ("k", "list[i] := i;"),
        ("9", "IF i > 3 THEN k := i; END_IF list[k] := i;"),
        ("9", "k := k - 1; list[k] := i;"),
    ],
)
def test_what_is_not_proven_is_checked(last: str, inside: str) -> None:
    assert emit(KNOWN.format(last=last, inside=inside)).count("CHECK(") == 1


LENGTH = """PROGRAM main
VAR b : BOOL; s : STRING[9]; u : UDINT; n : INT; END_VAR
    n := LEN(SEL(b, s, UDINT_TO_STRING(u)));
END_PROGRAM
"""


def test_the_length_of_a_string_that_is_chosen() -> None:
    program = compile_sources([Source("main.st", LENGTH)]).program
    assert program is not None
    assert machine_code(program, "armv7m")


SHARED = """PROGRAM one
VAR_EXTERNAL sum : DINT; END_VAR
VAR i, own : DINT; END_VAR
    FOR i := 0 TO 9 DO sum := sum + 1; own := own + 1; END_FOR
END_PROGRAM
PROGRAM two
VAR_EXTERNAL sum : DINT; END_VAR
    IF sum > 5 THEN sum := 0; END_IF
END_PROGRAM
CONFIGURATION config
VAR_GLOBAL sum : DINT; END_VAR
TASK slow(INTERVAL := T#10ms, PRIORITY := 1);
TASK fast(INTERVAL := T#1ms, PRIORITY := 0);
PROGRAM a WITH slow : one;
PROGRAM b WITH fast : two;
END_CONFIGURATION
"""


def stored_in_loop(text: str) -> int:
    body = emit(text).split("for (;;)")[1].split("BACK_EDGE")[0]
    return sum(line.strip().startswith("I32(m") for line in body.splitlines())


def test_what_another_task_sees_is_stored_at_once() -> None:
    assert stored_in_loop(SHARED) == 1
    assert stored_in_loop(SHARED.replace("PROGRAM b WITH fast : two;", "")) == 0


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


@pytest.mark.parametrize("name", board_names())
def test_what_a_board_loads_can_be_made(name: str) -> None:
    board = load_board(name)
    assert board is not None
    assert not board.native or board.native in (*TARGETS, "xtensawin")


@pytest.mark.parametrize("architecture", ["armv6m", "armv7m", "armv7em", "rv32imc"])
def test_code_of_generated_programs_does_not_depend_on_its_place(
    architecture: str, tmp_path: Path
) -> None:
    for n, p in enumerate(generate.collect(6, lreal=True)):
        assert machine_code(compiled(f"generated{n}", p.text, tmp_path).ir, architecture)


def test_an_unknown_architecture_is_refused() -> None:
    program = compile_sources([Source("main.st", LOOP)]).program
    assert program is not None
    with pytest.raises(Failure, match="cannot make code for sparc yet"):
        machine_code(program, "sparc")


MODULE = "X = 'text'\nY = 1 << 70\nZ = (1, b'ab')\n" + "".join(
    f"def f{n}(a):\n    def g():\n        return a + 1.5\n    return g\n" for n in range(3)
)


def test_machine_code_takes_the_place_of_one_function() -> None:
    module = compile_mpy(MODULE, "x.py")
    code = bytes(range(200))
    made = with_machine_code(module, 1, Code(code), "x64")
    assert made[:4] == module[:2] + bytes((2 << 2 | 3,)) + module[3:4]
    assert made.count(code) == 1
    at = made.index(code)
    assert made[at + len(code)] == 0
    for child in (3, -1):
        with pytest.raises(MpyError, match="no function"):
            with_machine_code(module, child, Code(code), "x64")


@pytest.mark.parametrize("cut", range(4, 40, 5))
def test_a_module_that_is_cut_off_is_refused(cut: int) -> None:
    module = compile_mpy(MODULE, "x.py")
    with pytest.raises(MpyError):
        with_machine_code(module[:cut], 0, Code(b"x"), "x64")
    with pytest.raises(MpyError, match="machine code already"):
        with_machine_code(with_machine_code(module, 0, Code(b"x"), "x64"), 1, Code(b"y"), "x64")


DEEP = """\
FUNCTION tail : STRING[{length}]
VAR_INPUT s : STRING[{length}]; END_VAR
    tail := CONCAT(RIGHT(s, 1), s);
END_FUNCTION
PROGRAM main
VAR s : STRING[{length}] := 'a'; END_VAR
    s := tail(s);
END_PROGRAM
"""


def test_the_depth_of_the_stack_is_known(tmp_path: Path) -> None:
    depths = []
    for length in (80, 200):
        program = compiled(f"deep{length}", DEEP.format(length=length), tmp_path)
        depth = build_module(program.ir, program.source_names, "armv6m", True).depth
        assert depth is not None
        assert depth.scan == sum(frame for _, frame in depth.chain)
        assert depth.chain[0][0] == "takt_level"
        assert depth.scan < depth.total <= depth.room
        depths.append(depth.scan)
    assert depths[1] - depths[0] >= 120
    program = compiled("deep", DEEP.format(length=4000), tmp_path)
    depth = build_module(program.ir, program.source_names, "armv6m", True).depth
    assert depth is not None
    assert depth.total > depth.room
    # Without the kernel the stack is Python's matter.
    assert build_module(program.ir, program.source_names, "armv6m", False).depth is None


def test_the_c_of_a_program_is_written_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("main.st").write_text(LOOP)
    assert main(["build", "main.st", "--c", "c"]) == 0
    assert "/* main.st:5 */" in Path("c/program.c").read_text()
    command = [sys.executable, "-m", "ziglang", "cc", "-w", "-c", "c/program.c", "-o", "x.o"]
    assert subprocess.run(command, check=False).returncode == 0
    assert main(["build", "main.st", "--c", "main.st/c"]) == 2
