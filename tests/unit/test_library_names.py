"""The library means the library's names, whatever the user has called his own."""

from __future__ import annotations

from host_tools.compiler import compile_sources
from host_tools.compiler.python_engine import emit
from host_tools.compiler.source import Source
from host_tools.variables import Variables

OWN_NAMES = """
VAR_GLOBAL ABS, TRUNC, SQRT : REAL; END_VAR
FUNCTION SHL : INT
VAR_INPUT a : INT; END_VAR
    SHL := a + 1;
END_FUNCTION
FUNCTION __SIN_REAL : REAL
VAR_INPUT x : REAL; END_VAR
    __SIN_REAL := 5.0;
END_FUNCTION
FUNCTION_BLOCK TON
VAR_INPUT x : INT; END_VAR
VAR_OUTPUT y : INT; END_VAR
    y := x * 2;
END_FUNCTION_BLOCK
PROGRAM main
VAR t : TON; sine : REAL; n : INT; week : WEEK_TIMER; alarm : ALARM_DELAY; END_VAR
    t(x := 4);
    n := SHL(t.y);
    sine := SIN(0.0);
    ABS := 3.0;
    week();
    alarm();
END_PROGRAM
"""


def test_names_of_the_user_do_not_reach_into_the_library() -> None:
    made = compile_sources([Source("main.st", OWN_NAMES)])
    assert made.program is not None, made.diagnostics
    assert made.layout is not None
    module: dict[str, object] = {}
    exec(compile(emit(made.program), "program", "exec"), module)
    image = bytearray(made.program.image_size)
    for offset, data in made.program.initial:
        image[offset : offset + len(data)] = data
    module["attach"](image)  # type: ignore[operator]
    module["TASKS"][0]()  # type: ignore[index]
    variables = Variables(made.layout)
    assert variables.read(image, "main.n") == 9
    assert variables.read(image, "main.sine") == 0.0
    assert variables.read(image, "ABS") == 3.0
