"""Many programs in one translation unit of C: a compiler is started once for all of them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from host_tools.compiler import ir
from host_tools.compiler.c_engine import emit

_FUNCTION = re.compile(r"^static \w+ (\w+)\(", re.MULTILINE)
_INCLUDE = re.compile(r'^#include "(.*)"\n', re.MULTILINE)


def number(program: int, task: int) -> int:
    """What `takt_enter` is given for a task of one of the programs."""
    return program << 8 | task


def together(programs: Sequence[ir.Program]) -> str:
    """The C text of all programs. Their functions have the names that they always have, as macros
    for longer ones."""
    parts, head, cases = [], "", []
    for n, program in enumerate(programs):
        text = emit(program)
        head = head or "".join(m[0] for m in _INCLUDE.finditer(text))
        names = ["takt_run", *dict.fromkeys(_FUNCTION.findall(text))]
        parts += [f"#define {name} {name}__{n}" for name in names]
        # As in the C of one program, where it is called from an assembler routine.
        parts += ["ROUTINE void takt_run(mem m, u32 number);", _INCLUDE.sub("", text)]
        parts += [f"#undef {name}" for name in names]
        cases.append(f"    case {n}: takt_run__{n}(m, number & 255); break;")
    run = ["void takt_run(mem m, u32 number)", "{", "    switch (number >> 8) {", *cases, "    }"]
    return "\n".join([head, *parts, *run, "}"]) + "\n"
