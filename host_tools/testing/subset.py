"""Cuts a build for tests down to some of them: what is not run need not be loaded."""

from __future__ import annotations

from collections.abc import Iterable

from host_tools.build import Program
from host_tools.compiler import ir
from host_tools.compiler.ir_walk import walk
from host_tools.record import replace


def subset(program: Program, numbers: Iterable[int]) -> Program:
    """The program with the tests of these numbers alone; the image stays as it is."""
    wanted = frozenset(numbers)
    functions = {f.name: f for f in program.ir.functions}
    needed: set[str] = set()
    todo = [(program.ir.tasks[0].func, True)]
    while todo:
        name, chooses = todo.pop()
        if name in needed:
            continue
        needed.add(name)
        if chooses:
            functions[name] = _chosen(functions[name], wanted)
        for statement in walk(functions[name].body):
            if isinstance(statement, ir.Call):
                # Only what chooses among tests calls what chooses among fewer.
                todo.append((statement.func, chooses and statement.func.startswith("tests_")))
    kept = tuple(functions[f.name] for f in program.ir.functions if f.name in needed)
    return replace(program, ir=replace(program.ir, functions=kept))


def _chosen(func: ir.Func, wanted: frozenset[int]) -> ir.Func:
    """A function that chooses, without the branches of tests that are not wanted."""
    body: list[ir.Stmt] = []
    for statement in func.body:
        if isinstance(statement, ir.Switch):
            branches = tuple(
                branch
                for branch in statement.branches
                if any(low <= n <= high for low, high in branch[0] for n in wanted)
            )
            statement = ir.Switch(statement.value, branches, statement.orelse)
        body.append(statement)
    return replace(func, body=tuple(body))
