"""Lowers tasks: programs in their order, what is connected to them, and their stacks."""

from __future__ import annotations

import re
from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.allocation import Allocation
from host_tools.compiler.functions import Functions
from host_tools.compiler.layout import Image
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.configuration import (
    TaskPlan,
    connect_inputs,
    connect_outputs,
    run_block,
)
from host_tools.compiler.lowering.crosscheck import closure
from host_tools.compiler.lowering.instances import Instances, Linked
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import ProgramInstance, Symbol, Touch
from host_tools.compiler.tree import fold


class Tasks:
    """The tasks of `plans`; `instances` are the symbols of the program instances."""

    def __init__(
        self,
        plans: list[TaskPlan],
        instances: dict[str, dict[str, Symbol]],
        configured: Instances,
        functions: Functions,
        make_body: Callable[[], Body],
    ) -> None:
        self._plans = plans
        self._instances = instances
        self._configured = configured
        self._functions = functions
        self._make_body = make_body

    def _linked(self, plan: TaskPlan) -> list[Linked]:
        """The variables of function blocks whose addresses this task copies."""
        mine = [f"{fold(i.name)}." for i in plan.programs]
        blocks = [_path_of(i, a) for i, a in plan.blocks]
        others = [_path_of(i, a) for one in self._plans for i, a in one.blocks]
        found = []
        for one in self._configured.linked:
            owner = max((o for o in others if one.path.startswith(o)), key=len, default=None)
            if owner is not None:
                belongs = owner in blocks
            elif any(one.path.startswith(f"{fold(n)}.") for n in self._instances):
                belongs = any(one.path.startswith(m) for m in mine)
            else:
                belongs = self._uses(plan, one.path)
            if belongs:
                found.append(one)
        return found

    def _uses(self, plan: TaskPlan, path: str) -> bool:
        """Does a program of the task call the global instance that `path` begins with?"""
        root = re.split(r"[.\[]", path)[0]
        users = []
        for other in self._plans:
            names = [f"program_{i.name}" for i in other.programs]
            touched = {fold(g) for n in names for g in closure(self._functions.touches, n).globals}
            if root in touched or any(t.startswith(root + ".") for t in touched):
                users.append(other)
        return plan is (users or self._plans)[0]

    def function(self, plan: TaskPlan, name: str) -> tuple[ir.Func, Touch]:
        """The function of a task: what it calls, with what is connected before and after."""
        body = self._make_body()
        after = self._configured.take_in(body, self._linked(plan))
        for instance in plan.programs:
            symbols = self._instances[instance.name]
            connect_inputs(body, instance, symbols)
            called = f"program_{instance.name}"
            body.touch.calls.setdefault(called, instance.span)
            body.emit(ir.Call(called))
            connect_outputs(body, instance, symbols)
        for instance, a in plan.blocks:
            body.symbols = self._instances[instance.name]
            run_block(body, instance, a)
            body.symbols = {}
        for give in after:
            give()
        body.emit(ir.Return())
        func = ir.Func(
            name,
            plan.name,
            0,
            tuple(body.locals),
            None,
            False,
            (body.frame + 7) // 8 * 8,
            tuple(body.block),
            position(plan.span) if plan.span is not None else 0,
        )
        return func, body.touch

    def table(self, image: Image, allocation: Allocation) -> tuple[list[ir.Task], int]:
        """The tasks and the size of the image with their stacks."""
        tasks = []
        for number, plan in enumerate(self._plans):
            name = f"task_{number}"
            touch = closure(self._functions.touches, name)
            stack = image.align()
            image.at += self._functions.stack_depth(name)
            if plan.span is not None:
                allocation.check_size(plan.span)
            single = plan.single(self._make_body()) if plan.single is not None else None
            tasks.append(
                ir.Task(
                    plan.name,
                    name,
                    plan.interval_ns,
                    plan.priority,
                    stack,
                    _ranges(touch.reads, "I"),
                    _ranges(touch.writes, "Q"),
                    single,
                    tuple(p.name for p in plan.programs),
                )
            )
        return tasks, image.align()


def _path_of(instance: ProgramInstance, a: tree.Argument) -> str:
    """The beginning of the paths into an instance that has a task of its own."""
    return f"{fold(instance.name)}.{fold(a.value.span.text if a.value is not None else '')}."


def _ranges(
    touched: dict[tuple[str, int, int, int], Span], area: str
) -> tuple[tuple[int, int], ...]:
    """Byte ranges (offset, size), joined where they meet."""
    found: list[list[int]] = []
    for offset, size in sorted({(k[1], k[3]) for k in touched if k[0] == area}):
        if found and offset <= found[-1][0] + found[-1][1]:
            found[-1][1] = max(found[-1][1], offset + size - found[-1][0])
        else:
            found.append([offset, size])
    return tuple((a, b) for a, b in found)
