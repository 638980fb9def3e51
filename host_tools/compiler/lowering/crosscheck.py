"""Rules that need the whole program: recursion, and what two tasks write."""

from __future__ import annotations

import itertools

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.layout import area_of, direct_offset
from host_tools.compiler.lowering.configuration import TaskPlan
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Touch


def closure(touches: dict[str, Touch], name: str) -> Touch:
    """What `name` and everything it calls reads and writes."""
    total = Touch()
    stack, seen = [name], {name}
    while stack:
        one = touches.get(stack.pop())
        if one is None:
            continue
        for key, span in one.reads.items():
            total.reads.setdefault(key, span)
        for key, span in one.writes.items():
            total.writes.setdefault(key, span)
        for variable, span in one.globals.items():
            total.globals.setdefault(variable, span)
        for callee in one.calls:
            if callee not in seen:
                seen.add(callee)
                stack.append(callee)
    return total


def check_recursion(
    reporter: Reporter, touches: dict[str, Touch], functions: dict[str, ir.Func]
) -> None:
    """Recursion is an error: without it the stack depth is known (design, semantics)."""
    done: set[str] = set()
    for start in touches:
        path: list[str] = []
        todo: list[tuple[str, bool]] = [(start, False)]
        while todo:
            name, leaving = todo.pop()
            if leaving:
                done.add(path.pop())
            elif name in path:
                _report_recursion(reporter, touches, functions, [*path[path.index(name) :], name])
                return
            elif name not in done:
                path.append(name)
                todo.append((name, True))
                todo += [(callee, False) for callee in touches[name].calls if callee in touches]


def _report_recursion(
    reporter: Reporter, touches: dict[str, Touch], functions: dict[str, ir.Func], cycle: list[str]
) -> None:
    called = [functions[n].source_name for n in cycle]
    steps = [
        (touches[a].calls[b], f"{functions[a].source_name} calls {functions[b].source_name}")
        for a, b in itertools.pairwise(cycle)
    ]
    reporter.report(
        "E0283",
        f"recursion: {' → '.join(called)}",
        steps[0][0],
        label=steps[0][1],
        others=[Label(span, text) for span, text in steps[1:]],
        help="use a loop; a PLC must know how deep its stack gets",
    )


def check_tasks(reporter: Reporter, plans: list[TaskPlan], touches: dict[str, Touch]) -> None:
    """Two tasks that write one output: an error. One variable: a warning."""
    outputs: dict[int, list[tuple[int, int, str, Span]]] = {}  # by their bytes
    variables: dict[str, tuple[str, Span]] = {}
    for number, plan in enumerate(plans):
        touch = closure(touches, f"task_{number}")
        mine: list[tuple[int, int, str, Span]] = []
        for (area, offset, bit, size), span in touch.writes.items():
            if area != "Q":
                continue
            first = offset * 8 + max(bit, 0)
            last = first if bit >= 0 else (offset + size) * 8 - 1
            others = [o for byte in _bytes(first, last) for o in outputs.get(byte, ())]
            for other_first, other_last, task, other in others:
                if first <= other_last and other_first <= last:
                    reporter.report(
                        "E0280",
                        f"tasks '{task}' and '{plan.name}' write the same output",
                        span,
                        label=f"written by '{plan.name}' here",
                        others=[Label(other, f"written by '{task}' here")],
                        help="let one task own the output and pass it the wish in a variable",
                    )
            mine.append((first, last, plan.name, span))
        for one in mine:
            for byte in _bytes(one[0], one[1]):
                outputs.setdefault(byte, []).append(one)
        for variable, span in touch.globals.items():
            if variable in variables:
                task, other = variables[variable]
                reporter.report(
                    "W0301",
                    f"tasks '{task}' and '{plan.name}' both write '{variable}'",
                    span,
                    label=f"written by '{plan.name}' here",
                    others=[Label(other, f"written by '{task}' here")],
                    help="the last one wins; give each task a variable of its own",
                )
            else:
                variables[variable] = (plan.name, span)


def _bytes(first: int, last: int) -> range:
    """The bytes in which the bits from `first` to `last` lie."""
    return range(first // 8, last // 8 + 1)


def check_overlap(reporter: Reporter, directs: list[tree.Direct]) -> None:
    """Where a program uses M addresses of two sizes that would overlap in shared bytes, say that
    they do not here (docs/decisions/0002-located-variables.md)."""
    first: dict[int, tree.Direct] = {}
    units = {"X": 1, "B": 1, "W": 2, "D": 4, "L": 8}
    for node in directs:
        where = direct_offset(node)
        if node.area != "M" or where is None:
            continue
        for byte in range(where[0], where[0] + units[node.size]):
            other = first.setdefault(byte, node)
            if area_of(other) != area_of(node):
                reporter.report(
                    "W0302",
                    f"{node.span.text} and {other.span.text} do not share memory",
                    node.span,
                    others=[Label(other.span, "each size has a range of its own")],
                    help="take a word apart with word.%X0 or word.%B1",
                )
                return
