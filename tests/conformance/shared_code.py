"""Bundles that have their machine code together in one .mpy: the compiler, and its linker, is
started once for many programs. What calls that code and what it is told is as in any bundle."""

from __future__ import annotations

from collections.abc import Sequence

from host_tools.bundle import Bundle
from host_tools.compiler import ir
from host_tools.mpy import compile_mpy
from host_tools.native.module import ENTRY, code_of
from host_tools.native.mpy import with_machine_code
from host_tools.native.relocated import Code
from tests.conformance.many_programs import number, together

_LIBRARY = "def enter(at, number):\n    return 0  # machine code stands here\n"
_MODULE = """\
import uctypes
from controller.faults import Fault
from {library} import enter

_at = 0
_image = None


def attach(image):
    global _at, _image
    _image = image
    _at = uctypes.addressof(image)


def _run(number):
    code = enter(_at, number)
    if code:
        raise Fault(code, int.from_bytes(_image[76:80], "little"))


TASKS = ({tasks})
"""


def library(programs: Sequence[ir.Program], architecture: str) -> bytes:
    """A .mpy with the machine code of programs. Raises Failure."""
    code, _ = code_of(together(programs) + ENTRY, architecture)
    return with_machine_code(compile_mpy(_LIBRARY, "library.py"), 0, Code(code), architecture)


def module(program: ir.Program, name: str, place: int) -> bytes:
    """Module `program` for one of the programs of the library of that name."""
    tasks = "".join(f"lambda: _run({number(place, n)}), " for n in range(len(program.tasks)))
    return compile_mpy(_MODULE.format(library=name, tasks=tasks), "program.py")


def sharing(
    bundle: Bundle, program: ir.Program, name: str, place: int, architecture: str
) -> Bundle:
    """A bundle of the python engine, with the code in the library of that name instead."""
    parts = {k: v for k, v in bundle.parts.items() if k != "program.py"}
    parts["program.mpy"] = module(program, name, place)
    manifest = bundle.manifest | {"architecture": architecture, "kernel": False}
    return Bundle(manifest, parts)
