"""Puts one program together: places variables, lowers functions and tasks, writes the image."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from host_tools.compiler import ir, tree
from host_tools.compiler.allocation import Allocation
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.functions import Functions
from host_tools.compiler.heritage import (
    check_block,
    check_interface,
    check_other,
    interface_type,
    own_members,
)
from host_tools.compiler.initial import Scope, runs, write_initial
from host_tools.compiler.layout import HEADER_SIZE, TASK_SIZE, Allocated, Image, describe
from host_tools.compiler.located import address, area_sizes
from host_tools.compiler.lowering import construction
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.configuration import TaskPlan, configure, connect_in_outs
from host_tools.compiler.lowering.crosscheck import (
    check_overlap,
    check_recursion,
    check_tasks,
    closure,
)
from host_tools.compiler.lowering.instances import Instances
from host_tools.compiler.lowering.notes import Notes
from host_tools.compiler.lowering.pou import Around, lower_pou
from host_tools.compiler.lowering.tasks import Tasks
from host_tools.compiler.lowering.test_units import collect, lower_tests, place_variables
from host_tools.compiler.lowering.testing import Harness
from host_tools.compiler.lreal import uses_lreal
from host_tools.compiler.source import Source
from host_tools.compiler.symbols import ProgramInstance, Symbol, Touch
from host_tools.compiler.tree import fold
from host_tools.compiler.types import ArrayType, FbType, StructType, Type, Unknown, size_align
from host_tools.record import replace

if TYPE_CHECKING:
    from host_tools.compiler.compilation import Options
    from host_tools.compiler.test_build import Suite


class Linker:
    """Puts one program together. `image`, and what is in it, is there from `link` on."""

    image: Image
    configured: Instances
    allocation: Allocation

    def __init__(
        self, units: list[tree.Unit], sources: list[Source], reporter: Reporter, options: Options
    ) -> None:
        self.sources = sources
        self.reporter = reporter
        self.options = options
        self.units = units
        self.names = Declarations(units, sources, reporter)
        self.names.new_body = self._body
        self.functions = Functions(self.names, self._body, options.tests)
        self.constructions: list[construction.Construction] = []
        self.notes = Notes() if options.rules else None
        self.harness: Harness | None = None
        self.suite: Suite | None = None
        self.tests = collect(self.names, units)

    # --- the order of things -----------------------------------------------------------------

    def link(self) -> tuple[ir.Program, dict[str, Any]]:
        plans, instances = self._configure()
        self._begin_image(len(plans))
        self.allocation.place(instances)
        symbols = self.allocation.instances
        for instance in instances:
            around = Around(None, instance.pou, instance.name, symbols[instance.name])
            self.functions.around[instance.name] = around
        retain = self.allocation.place_retained()
        self.configured.finish(self.image)
        for instance in instances:
            connect_in_outs(self._body(), instance, symbols[instance.name], self.names)
        self._lower_tests()
        lowered = Tasks(plans, symbols, self.configured, self.functions, self._body)
        self._lower_everything(plans, instances, lowered)
        self._check_unused()
        tasks, size = lowered.table(self.image, self.allocation)
        initial = self._initial() if not self.allocation.oversized else []
        self.configured.accesses(self.image, ((i.name, i.pou) for i in instances))
        layout = describe(self.image, retain, size, [p.name for p in plans])
        header = b"TAKT" + (2).to_bytes(2, "little") + len(plans).to_bytes(2, "little")
        header += bytes.fromhex(layout["hash"])
        functions = tuple(self.functions.in_call_order(f"task_{i}" for i in range(len(plans))))
        program = ir.Program(
            functions=functions,
            tasks=tuple(tasks),
            image_size=size,
            initial=((0, header), *initial),
            budget=self.options.budget,
            sources=tuple(s.name for s in self.sources),
            uses_lreal=uses_lreal(functions),
            longest_string=self.names.longest_string,
            objects=_objects(self.image),
        )
        if self.notes is not None and not self.reporter.has_errors:
            self._check_rules(self.notes, plans)
        return program, layout

    def _check_rules(self, notes: Notes, plans: list[TaskPlan]) -> None:
        from host_tools.compiler import rules

        programs = [[p.name for p in plan.programs] for plan in plans]
        outside = self.options.outside | self.configured.names()
        for plan in plans:
            outside |= {fold(re.split(r"\W", a.span.text)[0]) for _, a in plan.blocks}
        rules.check(self.names, notes, self.units, programs, self.functions.touches, outside)

    def _configure(self) -> tuple[list[TaskPlan], list[ProgramInstance]]:
        return configure(self.names)

    def _lower_tests(self) -> None:
        """Tests are no part of the program: they are checked and thrown away."""
        self._find_instantiated()
        if not self.tests:
            return

        def make_body() -> Body:
            body = self._body()
            body.notes = None
            body.statics = lambda t, init, name: 0
            return body

        place_variables(self.names, self.tests, 0)
        lower_tests(make_body, self.tests, Harness(lambda t: 0))

    # --- the image ---------------------------------------------------------------------------

    def _begin_image(self, tasks: int) -> None:
        self.image = Image(tasks)
        directs = (d for unit in self.units for d in self._directs(unit))
        sizes = area_sizes(self.names, self.options.areas, directs, self._all_blocks())
        self.image.place_areas(sizes)
        self.configured = Instances(self.names, self._address)
        self.allocation = Allocation(
            self.names, self.image, self.configured, self._address, self.options.tests
        )

    def _address(self, node: tree.Direct) -> tuple[int, int | None] | None:
        return address(self.image, self.reporter, node)

    def _directs(self, unit: tree.Unit) -> Iterable[tree.Direct]:
        return unit.directs

    def _all_blocks(self) -> Iterable[Iterable[tree.VarBlock]]:
        for unit in self.units:
            for d in unit.declarations:
                if isinstance(d, tree.Pou):
                    yield d.blocks
        for block, decl, _ in (*self.names.globals.values(), *self.names.configured):
            yield [tree.VarBlock(block.span, block.kind, block.qualifiers, (decl,))]

    def _find_instantiated(self) -> None:
        """Note the types of all instances: calls of others cannot happen."""
        found = self.names.instantiated
        todo: list[Type] = [v.type for v in self.image.variables]
        if self.harness is not None:
            todo += [symbol.type for one in self.tests for symbol in one.symbols()]
        seen: set[int] = set()
        while todo:
            t = todo.pop()
            while isinstance(t, ArrayType):
                t = t.element
            if isinstance(t, FbType | StructType) and id(t) not in seen:
                seen.add(id(t))
                todo += [f.type for f in t.fields.values() if f.section != "VAR_IN_OUT"]
                if isinstance(t, FbType):
                    found.add(id(t))

    # --- lowering ----------------------------------------------------------------------------

    def _body(self, program: str = "") -> Body:
        """A body to lower into; `program` names the instance whose program it belongs to."""
        body = Body(self.names, function=self.functions.of_pou)
        body.direct = self._address
        body.statics = self.allocation.static_constant
        body.notes = self.notes
        body.action = lambda pou, action: self.functions.of_action(pou, action, program)
        body.harness = self.harness
        body.image_range = self.allocation.image_range
        return body

    def _lower_everything(
        self, plans: list[TaskPlan], instances: list[ProgramInstance], tasks: Tasks
    ) -> None:
        used = {id(i.pou) for i in instances}
        for unit in self.units:
            for d in unit.declarations:
                if isinstance(d, tree.Pou):
                    self._check_members(d)
                    if d.kind != "PROGRAM" or self.harness is not None:
                        self.functions.of_pou(d, d.name.span)
                        self._methods(d)
                    elif id(d) not in used:
                        self._unused_program(d)
                elif isinstance(d, tree.Interface):
                    check_interface(self.names, interface_type(self.names, d))
        for instance in instances:
            name = f"program_{instance.name}"
            around = self.functions.around[instance.name]
            self.functions.lower(name, instance.pou, around)
            for action in instance.pou.actions:
                self.functions.of_action(instance.pou, action, instance.name)
            for _, method in own_members(instance.pou.methods, instance.pou.properties):
                self.functions.of_pou(method, method.name.span, program=instance.name)
        self.functions.drain()
        for number, plan in enumerate(plans):
            name = f"task_{number}"
            self.functions.add(name, *self._task_function(tasks, plan, name))
        self._construct()
        self.functions.drain()
        check_recursion(self.reporter, self.functions.touches, self.functions.made)
        check_tasks(self.reporter, plans, self.functions.touches)
        check_overlap(self.reporter, [d for u in self.units for d in u.directs])

    def _task_function(self, tasks: Tasks, plan: TaskPlan, name: str) -> tuple[ir.Func, Touch]:
        return tasks.function(plan, name)

    def _construct(self) -> None:
        """The function that calls FB_Init of every instance."""
        known: dict[int, bool] = {}
        for v in self.image.variables:
            if v.bit is None:
                self.constructions += construction.instances(
                    v.type, v.offset, v.arguments, v.init, v.symbols, known
                )
        if not self.constructions:
            return
        body = self._body()
        for one in self.constructions:
            construction.emit_call(body, one)
        body.emit(ir.Return())
        name = construction.NAME
        frame = (body.frame + 7) // 8 * 8
        locals_ = tuple(body.locals)
        made = ir.Func(name, name, 0, locals_, None, False, frame, tuple(body.block), 0)
        self.functions.add(name, made, body.touch)

    def _run_construction(self, data: bytearray) -> None:
        """Run FB_Init on the initial image."""
        name = construction.NAME
        functions = tuple(self.functions.in_call_order([name]))
        if self.reporter.has_errors or not construction.check_world(
            self.names, closure(self.functions.touches, name), list(functions), self.sources
        ):
            return
        size = len(data) + -len(data) % 8
        task = ir.Task(name, name, 0, 0, size)
        depth = self.functions.stack_depth(name)
        program = ir.Program(functions, (task,), size + depth, (), self.options.budget)
        program = replace(program, uses_lreal=uses_lreal(functions))
        fault = construction.run(program, data, size - len(data) + depth)
        if fault is not None:
            construction.faulted(self.names, self.sources, fault)
        for one in self.constructions:
            for given in one.init.fields if isinstance(one.init, tree.StructInit) else ():
                member = one.type.fields[fold(given.name.name)]
                at = one.at + member.offset
                write_initial(self.names, data, at, member.type, given.value, Scope(one.symbols))

    def _check_members(self, pou: tree.Pou) -> None:
        if pou.kind == "FUNCTION_BLOCK":
            check_block(self.names, self.names.fb_type(pou))
        else:
            check_other(self.names, pou)

    def _methods(self, pou: tree.Pou) -> None:
        """Lower all methods that a function block declares, called or not."""
        members = own_members(pou.methods, pou.properties)
        owner = self.names.fb_type(pou) if members else None
        for _, method in members:
            self.functions.of_pou(method, method.name.span, owner)

    def _unused_program(self, pou: tree.Pou) -> None:
        """Check a PROGRAM that has no instance: its variables are taken for those of a block."""
        name = f"unused {pou.name.name}"
        symbols = {
            key: Symbol(f.name, f.type, "static", 0, f.span, f.section)
            for key, f in self.names.fb_type(pou).fields.items()
            if f.section != "VAR_IN_OUT"
        }
        self.functions.around[name] = Around(None, pou, name, symbols)
        around = self.functions.around[name]
        lower_pou(lambda: self._body(name), pou, pou.name.name, around)
        for action in pou.actions:
            self.functions.of_action(pou, action, name)
        for _, method in own_members(pou.methods, pou.properties):
            self.functions.of_pou(method, method.name.span, program=name)

    def _check_unused(self) -> None:
        """Types and function blocks that no variable has are checked like those that are used."""
        for unit in self.units:
            for d in unit.declarations:
                if isinstance(d, tree.TypeDecl):
                    t = self.names.declared_type(d)
                    init = d.init if d.init is not None else self.names.default_init(d.spec)
                elif isinstance(d, tree.Pou) and d.kind == "FUNCTION_BLOCK":
                    t, init = self.names.fb_type(d), None
                else:
                    continue
                if not isinstance(t, Unknown):
                    write_initial(self.names, bytearray(size_align(t)[0]), 0, t, init)

    # --- the initial image -------------------------------------------------------------------

    def _initial(self) -> list[tuple[int, bytes]]:
        data = bytearray(self.image.at)
        for v in self.image.variables:
            if v.bit is not None:
                self._initial_bit(data, v)
            else:
                scope = Scope(v.symbols)
                write_initial(self.names, data, v.offset, v.type, v.init, scope)
        cell = self.allocation.range_cell
        if cell is not None:
            ends = (self.image.state_start, len(data))
            data[cell : cell + 8] = b"".join(e.to_bytes(4, "little") for e in ends)
        for offset, t, init in self.allocation.constants.values():
            write_initial(self.names, data, offset, t, init)
        if self.constructions:
            self._run_construction(data)
        return runs(data, HEADER_SIZE + TASK_SIZE * self.image.tasks)

    def _initial_bit(self, data: bytearray, v: Allocated) -> None:
        if v.init is None or v.bit is None:
            return
        value = self.names.constants.value(v.init, v.type, "an initial value")
        if value is not None and value.const:
            data[v.offset] |= 1 << v.bit


def _objects(image: Image) -> tuple[tuple[int, int], ...]:
    """Offset and size of what is declared; variables at one address are one."""
    found: list[tuple[int, int]] = []
    sizes = [
        (v.offset, 1 if v.bit is not None else size_align(v.type)[0]) for v in image.variables
    ]
    for offset, size in sorted(sizes):
        if found and offset < found[-1][0] + found[-1][1]:
            first, before = found[-1]
            found[-1] = (first, max(before, offset + size - first))
        else:
            found.append((offset, size))
    return tuple(found)
