"""From sources to a program: parse, declare, lay out, lower, check across tasks."""

from __future__ import annotations

import gc
import re
import sys
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from host_tools.compiler import fields, ir, tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Diagnostic, Reporter, in_order
from host_tools.compiler.fields import MAX_BYTES, init_arguments
from host_tools.compiler.heritage import (
    check_block,
    check_interface,
    check_other,
    interface_type,
    own_members,
)
from host_tools.compiler.initial import Scope, runs, write_initial
from host_tools.compiler.layout import (
    AREA_UNIT,
    HEADER_SIZE,
    TASK_SIZE,
    Allocated,
    Image,
    area_of,
    describe,
    direct_offset,
)
from host_tools.compiler.lowering import construction
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.configuration import (
    TaskPlan,
    configure,
    connect_in_outs,
    mark_blocks,
)
from host_tools.compiler.lowering.crosscheck import (
    check_overlap,
    check_recursion,
    check_tasks,
    closure,
)
from host_tools.compiler.lowering.instances import Instances, Linked
from host_tools.compiler.lowering.notes import Notes
from host_tools.compiler.lowering.pou import Around, located_fits, located_symbol, lower_pou
from host_tools.compiler.lowering.test_units import collect, lower_tests, place_variables
from host_tools.compiler.lowering.testing import Harness
from host_tools.compiler.lreal import uses_lreal
from host_tools.compiler.parser import parse
from host_tools.compiler.source import Source, Span, position
from host_tools.compiler.suppression import without_suppressed
from host_tools.compiler.symbols import ProgramInstance, Symbol, Touch
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import (
    BOOL,
    UDINT,
    UNKNOWN,
    ArrayType,
    FbType,
    StructType,
    Type,
    Unknown,
    size_align,
)
from host_tools.record import field, record, replace

if TYPE_CHECKING:
    from host_tools.compiler.test_build import Suite

DEFAULT_BUDGET = 200_000
"""Back-edges a task release may take before it counts as a runaway loop."""

MAX_ADDRESS = 65_535
_OF_PROGRAM = ("VAR", "VAR_INPUT", "VAR_OUTPUT", "VAR_STAT", "STEP", "HIDDEN")
RECURSION = 20_000


@record(frozen=True)
class Options:
    """`areas`: least sizes in bytes of "IX", "IW", ... (what the wiring file needs). `rules`: also
    look for what compiles and is hardly meant; `outside` are folded names that the wiring file
    uses, so that these rules know of it. `tests`: build what runs the TEST blocks in place of the
    tasks; `coverage`: the indices of the sources whose statements note that they were reached;
    `test_sources` of those that hold tests alone."""

    areas: dict[str, int] = field(default_factory=dict)
    budget: int = DEFAULT_BUDGET
    rules: bool = False
    outside: frozenset[str] = frozenset()
    tests: bool = False
    coverage: frozenset[int] = frozenset()
    test_sources: frozenset[int] = frozenset()


@record()
class Compilation:
    """`program` and `layout` are None where there were errors; `suite` is there in a build for
    tests."""

    diagnostics: list[Diagnostic]
    sources: list[Source]
    program: ir.Program | None = None
    layout: dict[str, Any] | None = None
    suite: Suite | None = None

    @property
    def ok(self) -> bool:
        return self.program is not None


def compile_sources(sources: Iterable[Source], options: Options | None = None) -> Compilation:
    """Compile Structured Text. Source indices are set here, in the order given. Where the syntax
    of declarations is wrong, nothing else is told: much of it would follow from that."""
    numbered = [Source(s.name, s.text, i, s.library) for i, s in enumerate(sources)]
    reporter = Reporter()
    before, collecting = sys.getrecursionlimit(), gc.isenabled()
    sys.setrecursionlimit(max(before, RECURSION))
    gc.disable()  # trees and IR stay until the end; looking through them takes a quarter longer
    try:
        units = [parse(s, reporter) for s in numbered]
        if not _are_whole(units, reporter.diagnostics):
            return Compilation(in_order(reporter.diagnostics), numbered)
        reporter.end_of_syntax()
        options = options or Options()
        linker = Linker
        if options.tests:
            from host_tools.compiler.test_build import TestLinker as linker
        linked = linker(units, numbered, reporter, options)
        program, layout = linked.link()
    finally:
        sys.setrecursionlimit(before)
        if collecting:
            gc.enable()
    told = without_suppressed(reporter.diagnostics)
    result = Compilation(in_order(told), numbered)
    if not reporter.has_errors:
        result.program, result.layout, result.suite = program, layout, linked.suite
    return result


def _are_whole(units: list[tree.Unit], errors: list[Diagnostic]) -> bool:
    """Whether all that was reported so far lies among the statements of POUs, so that nothing that
    is declared got lost."""
    wrong = [d for d in errors if d.is_error]
    if not wrong:
        return True
    bodies = [
        where
        for unit in units
        for d in unit.declarations
        if isinstance(d, tree.Pou | tree.TestBlock)
        for where in _bodies(d)
    ]
    return all(
        d.code != "E0119"
        and any(
            source is d.span.source and start <= d.span.start <= end
            for source, start, end in bodies
        )
        for d in wrong
    )


def _bodies(pou: tree.Pou | tree.TestBlock) -> Iterable[tuple[Source, int, int]]:
    """Where the statements, the chart or the actions of a POU and of its methods stand: from the
    first to the end of the POU, or to the next of its methods."""
    if isinstance(pou, tree.TestBlock):
        if pou.body:
            yield pou.span.source, pou.body[0].span.start, pou.span.end
        return
    members = [m for _, m in own_members(pou.methods, pou.properties)]
    chart = [*pou.sfc.steps, *pou.sfc.transitions] if pou.sfc is not None else []
    within = pou.span
    starts = [n.span.start for n in (*pou.body[:1], *chart, *pou.actions)]
    start = min((s for s in starts if within.start <= s <= within.end), default=-1)
    if start >= 0:
        later = [m.span.start for m in (*members, *pou.properties) if m.span.start > start]
        yield within.source, start, min([within.end, *later])
    for member in members:
        yield from _bodies(member)


class Linker:
    """Puts one program together."""

    def __init__(
        self, units: list[tree.Unit], sources: list[Source], reporter: Reporter, options: Options
    ) -> None:
        self.sources = sources
        self.reporter = reporter
        self.options = options
        self.units = units
        self.names = Declarations(units, sources, reporter)
        self.image = Image(0)
        self.names.new_body = self._body
        self.constants: dict[tuple[int, int], tuple[int, Type, tree.Expr | None]] = {}
        self.functions: dict[str, ir.Func] = {}
        self.touches: dict[str, Touch] = {}
        self.queue: deque[tuple[str, tree.Pou, Around, tree.Action | None]] = deque()
        self.function_names: dict[tuple[int, str], str] = {}
        self.action_names: dict[tuple[int, str], str] = {}
        self.taken_names: set[str] = set()
        self.instances: dict[str, dict[str, Symbol]] = {}
        self._around: dict[str, Around] = {}
        self.constructions: list[construction.Construction] = []
        self._waiting: dict[int, Symbol] = {}
        self._depths: dict[str, int] = {}
        self.plans: list[TaskPlan] = []
        self.configured = Instances(self.names, self.direct)
        self.notes = Notes() if options.rules else None
        self._range_cell: int | None = None
        self._oversized = False
        self.harness: Harness | None = None
        self.suite: Suite | None = None
        self.tests = collect(self.names, units)

    # --- the order of things -----------------------------------------------------------------

    def link(self) -> tuple[ir.Program, dict[str, Any]]:
        plans, instances = self._configure()
        self.image = Image(len(plans))
        self.image.place_areas(self._area_sizes())
        self.configured = Instances(self.names, self.direct)
        retained = self._allocate(instances)
        self.image.align()
        retain_start = self.image.at
        for variable in retained:
            variable.offset = self.image.take(variable.type)
            self._retained_symbol(variable)
            self._check_size(self._waiting[id(variable)].span)
        retain = (retain_start, self.image.align() - retain_start)
        self.configured.finish(self.image)
        for instance in instances:
            connect_in_outs(self._body(), instance, self.instances[instance.name], self.names)
        self._lower_tests()
        self._lower_everything(plans, instances)
        self._check_unused()
        tasks, size = self._tasks(plans)
        initial = self._initial() if not self._oversized else []
        self.configured.accesses(self.image, ((i.name, i.pou) for i in instances))
        layout = describe(self.image, retain, size, [p.name for p in plans])
        header = b"TAKT" + (2).to_bytes(2, "little") + len(plans).to_bytes(2, "little")
        header += bytes.fromhex(layout["hash"])
        functions = tuple(self._in_call_order(f"task_{i}" for i in range(len(plans))))
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
        rules.check(self.names, notes, self.units, programs, self.touches, outside)

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

    def _check_size(self, span: Span) -> None:
        """Report, once, that the image becomes too large with what stands at `span`."""
        if self.image.at > MAX_BYTES and not self._oversized:
            self._oversized = True
            fields.too_large(self.names, "with this the image would take", self.image.at, span)

    # --- located variables -------------------------------------------------------------------

    def _area_sizes(self) -> dict[str, int]:
        sizes = dict(self.options.areas)

        def need(name: str, size: int) -> None:
            sizes[name] = max(sizes.get(name, 0), size)

        for unit in self.units:
            for node in self._directs(unit):
                where = direct_offset(node)
                if where is not None and where[0] <= MAX_ADDRESS:
                    unit_size = {"X": 1, "B": 1, "W": 2, "D": 4, "L": 8}[node.size]
                    need(area_of(node), where[0] + unit_size)
        for blocks in self._all_blocks():
            for _, decl, _ in declared(blocks):
                if decl.location is not None:
                    where = direct_offset(decl.location)
                    t = self.names.resolve(decl.type)
                    if (
                        where is not None
                        and where[0] <= MAX_ADDRESS
                        and not isinstance(t, Unknown)
                    ) and located_fits(decl.location, t):
                        need(area_of(decl.location), where[0] + size_align(t)[0])
        return sizes

    def _directs(self, unit: tree.Unit) -> Iterable[tree.Direct]:
        return unit.directs

    def _all_blocks(self) -> Iterable[Iterable[tree.VarBlock]]:
        for unit in self.units:
            for d in unit.declarations:
                if isinstance(d, tree.Pou):
                    yield d.blocks
        for block, decl, _ in (*self.names.globals.values(), *self.names.configured):
            yield [tree.VarBlock(block.span, block.kind, block.qualifiers, (decl,))]

    def direct(self, node: tree.Direct) -> tuple[int, int | None] | None:
        """Image offset and bit of a directly represented variable; reports what is wrong."""
        where = direct_offset(node)
        if where is None or where[0] > MAX_ADDRESS:
            if node.address is None:
                message, help_ = (
                    f"%{node.area}* has no address yet",
                    f"write the address, for example %{node.area}{node.size}0"
                    + (".0" if node.size == "X" else ""),
                )
            elif where is not None:
                message = f"%{node.area}{node.size} addresses end at {MAX_ADDRESS} bytes"
                last = MAX_ADDRESS // AREA_UNIT[node.size]
                help_ = f"the last one is %{node.area}{node.size}{last}"
            elif node.size == "X":
                message = "a bit address is byte.bit, the bit from 0 to 7"
                help_ = f"for example %{node.area}X{node.address[0]}.0"
            else:
                message, help_ = (
                    f"%{node.area}{node.size} takes one number",
                    f"for example %{node.area}{node.size}{node.address[0]}; "
                    f"a bit of it is %{node.area}{node.size}{node.address[0]}.%X0",
                )
            self.reporter.report("E0270", message, node.span, help=help_)
            return None
        return self.image.areas[area_of(node)][0] + where[0], where[1]

    # --- allocation --------------------------------------------------------------------------

    def _allocate(self, instances: list[ProgramInstance]) -> list[Allocated]:
        """Place globals and program variables; returns those for the retain range, unplaced."""
        retained: list[Allocated] = []
        for key, (block, decl, ident) in self.names.globals.items():
            if self.names.constants.global_symbol(ident.name) is not None:
                continue
            symbol = self._variable(block, decl, ident, ident.name, retained, False)
            if symbol is not None:
                self.names.global_symbols[key] = symbol
        for instance in instances:
            symbols: dict[str, Symbol] = {}
            for block, decl, ident in declared(instance.pou.blocks):
                if block.kind not in _OF_PROGRAM:
                    continue
                if "CONSTANT" in block.qualifiers:
                    continue
                path = f"{instance.name}.{ident.name}"
                at = len(self.image.variables)
                symbol = self._variable(block, decl, ident, path, retained, instance.retain)
                for entry in self.image.variables[at:]:
                    entry.symbols = symbols
                if symbol is None:
                    continue
                if fold(ident.name) in symbols:
                    self.names.duplicate(ident, symbols[fold(ident.name)].span)
                symbols.setdefault(fold(ident.name), symbol)
                if decl.edge is not None and block.kind == "VAR_INPUT":
                    symbol.edge = decl.edge
                    for what in ("edge", "before"):
                        name = f"{ident.name} {what}"
                        offset = self.image.take(BOOL)
                        hidden = Symbol(name, BOOL, "static", offset, ident.span)
                        symbols[fold(name)] = hidden
            mark_blocks(self.names, instance, symbols)
            self.instances[instance.name] = symbols
            self._around[instance.name] = Around(None, instance.pou, instance.name, symbols)
        self._allocate_static(retained, {id(i.pou) for i in instances})
        self._locate_hidden({id(i.pou) for i in instances})
        return retained

    def _allocate_static(self, retained: list[Allocated], used: set[int]) -> None:
        """VAR_STAT of functions and function blocks: one variable for all calls and instances.
        A program that no task runs is only checked, unless tests do."""
        owners = [(p.name.name, p) for p in self.names.pous.values() if id(p) not in used]
        for pou in self.names.pous.values():
            for _, method in own_members(pou.methods, pou.properties):
                owners.append((f"{pou.name.name}.{method.name.name}", method))
        for owner, pou in owners:
            for block, decl, ident in declared(pou.blocks):
                if block.kind != "VAR_STAT" or "CONSTANT" in block.qualifiers:
                    continue
                if pou.kind == "PROGRAM" and self.harness is None:
                    t = self.names.resolve(decl.type)
                    symbol = Symbol(ident.name, t, "static", 0, ident.span, block.kind)
                    self.names.static_symbols[id(ident)] = symbol
                    continue
                path = f"{owner}.{ident.name}"
                made = self._variable(block, decl, ident, path, retained, False)
                if made is not None:
                    self.names.static_symbols[id(ident)] = made

    def _locate_hidden(self, used: set[int]) -> None:
        """Initial values of what function blocks declare AT an address; it has no path. In a build
        for tests a program is one."""
        kinds = ("FUNCTION_BLOCK",) if self.harness is None else ("FUNCTION_BLOCK", "PROGRAM")
        for unit in self.units:
            for d in unit.declarations:
                if not isinstance(d, tree.Pou) or id(d) in used or d.kind not in kinds:
                    continue
                for block, decl, ident in declared(d.blocks):
                    if decl.location is None or decl.init is None:
                        continue
                    if decl.location.address is None:
                        continue
                    t = self.names.resolve(decl.type)
                    symbol = located_symbol(self.names, self.direct, block, decl, ident, t)
                    if symbol is not None and symbol.storage == "static":
                        place = Allocated(ident.name, t, symbol.offset, symbol.bit, init=decl.init)
                        place.hidden = True
                        self.image.variables.append(place)

    def _variable(
        self,
        block: tree.VarBlock,
        decl: tree.VarDecl,
        ident: tree.Identifier,
        path: str,
        retained: list[Allocated],
        always: bool,
    ) -> Symbol | None:
        t = self.names.resolve(decl.type)
        init = decl.init if decl.init is not None else self.names.default_init(decl.type)
        if decl.location is not None:
            if decl.location.address is None:
                decl = self.configured.completed(path, decl, ident)
                init = decl.init if decl.init is not None else init
                if decl.location is None or decl.location.address is None:
                    return Symbol(ident.name, UNKNOWN, "const", 0, ident.span)
            symbol = located_symbol(self.names, self.direct, block, decl, ident, t)
            if symbol is not None and symbol.storage == "static":
                self.image.variables.append(
                    Allocated(path, t, symbol.offset, symbol.bit, False, block.kind, init)
                )
            return symbol
        fields.no_abstract(self.names, t, decl.type.span)
        retain = always or bool({"RETAIN", "PERSISTENT"} & block.qualifiers) or _has_retained(t)
        retain = retain and "NON_RETAIN" not in block.qualifiers
        symbol = Symbol(ident.name, t, "static", 0, ident.span, block.kind)
        symbol.is_constant = "CONSTANT" in block.qualifiers
        entry = Allocated(path, t, 0, None, retain, block.kind, init, block.kind == "HIDDEN")
        entry.arguments = init_arguments(decl.type, t)
        self.image.variables.append(entry)
        if isinstance(t, Unknown):
            return symbol
        if retain:
            retained.append(entry)
            self._waiting[id(entry)] = symbol
        else:
            entry.offset = symbol.offset = self.image.take(t)
        self._check_size(ident.span)
        return symbol

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

    def _retained_symbol(self, variable: Allocated) -> None:
        self._waiting[id(variable)].offset = variable.offset

    def _image_range(self) -> int:
        """Two UDINT in the image: where what pointers may point at begins and ends."""
        if self._range_cell is None:
            self._range_cell = self.image.take(ArrayType(((0, 1),), UDINT))
        return self._range_cell

    def static_constant(self, t: Type, init: tree.Expr | None, name: str) -> int:
        """Space for a constant array or structure of a POU, after the retain range."""
        key = (id(t), id(init))
        known = self.constants.get(key)
        if known is None:
            known = self.constants[key] = (self.image.take(t), t, init)
        return known[0]

    # --- lowering ----------------------------------------------------------------------------

    def _body(self, program: str = "") -> Body:
        """A body to lower into; `program` names the instance whose program it belongs to."""
        body = Body(self.names, function=self._function)
        body.direct = self.direct
        body.statics = self.static_constant
        body.notes = self.notes
        body.action = lambda pou, action: self._action(pou, action, program)
        body.harness = self.harness
        body.image_range = self._image_range
        return body

    def _function(
        self, pou: tree.Pou, span: Span, owner: FbType | None = None, program: str = ""
    ) -> str:
        """The name of a POU's function. A method has an `owner`, or the instance of a `program`
        whose function it is one of."""
        name = self.function_names.get((id(pou), program))
        if name is None and pou.kind == "PROGRAM" and self.harness is None:
            return f"program {pou.name.name}"  # called by a test that is only checked
        if name is None:
            name = pou.name.name
            if pou.kind == "METHOD":
                name = f"{owner.name if owner is not None else program}.{name}"
                if pou.result is None and pou.blocks and pou.blocks[0].span == pou.name.span:
                    name += ".set"
            while name in self.taken_names:
                name += "_library"  # the library's, behind a POU of the user with that name
            self.taken_names.add(name)
            self.function_names[id(pou), program] = name
            around = Around(owner)
            if program:
                around = self._around[program]
            self.queue.append((name, pou, around, None))
        return name

    def _action(self, pou: tree.Pou, action: tree.Action, program: str) -> str:
        """The function of an action: one for a function block, one for each program instance."""
        if pou.kind != "PROGRAM":
            program = ""
        name = self.action_names.get((id(action), program))
        if name is None:
            name = f"{program or pou.name.name}__{action.name.name}"
            while name in self.taken_names or fold(name) in self.names.pous:
                name += "_"
            self.taken_names.add(name)
            self.action_names[id(action), program] = name
            around = self._around[program] if program else Around()
            self.queue.append((name, pou, around, action))
        return name

    def _drain(self) -> None:
        while self.queue:
            name, pou, around, action = self.queue.popleft()
            self._lower(name, pou, around, action)
            if action is None and pou.kind == "FUNCTION_BLOCK":
                for one in pou.actions:
                    self._action(pou, one, "")

    def _lower(
        self, name: str, pou: tree.Pou, around: Around, action: tree.Action | None = None
    ) -> None:
        self.functions[name], self.touches[name] = lower_pou(
            lambda: self._body(around.program), pou, name, around, action
        )

    def _lower_everything(self, plans: list[TaskPlan], instances: list[ProgramInstance]) -> None:
        used = {id(i.pou) for i in instances}
        for unit in self.units:
            for d in unit.declarations:
                if isinstance(d, tree.Pou):
                    self._check_members(d)
                    if d.kind != "PROGRAM" or self.harness is not None:
                        self._function(d, d.name.span)
                        self._methods(d)
                    elif id(d) not in used:
                        self._unused_program(d)
                elif isinstance(d, tree.Interface):
                    check_interface(self.names, interface_type(self.names, d))
        for instance in instances:
            name = f"program_{instance.name}"
            around = self._around[instance.name]
            self._lower(name, instance.pou, around)
            for action in instance.pou.actions:
                self._action(instance.pou, action, instance.name)
            for _, method in own_members(instance.pou.methods, instance.pou.properties):
                self._function(method, method.name.span, program=instance.name)
        self._drain()
        self.plans = plans
        for number, plan in enumerate(plans):
            name = f"task_{number}"
            self.functions[name], self.touches[name] = self._task_function(plan, name)
        self._construct()
        self._drain()
        check_recursion(self.reporter, self.touches, self.functions)
        check_tasks(self.reporter, plans, self.touches)
        check_overlap(self.reporter, [d for u in self.units for d in u.directs])

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
        self.functions[name], self.touches[name] = made, body.touch

    def _run_construction(self, data: bytearray) -> None:
        """Run FB_Init on the initial image."""
        name = construction.NAME
        functions = tuple(self._in_call_order([name]))
        if self.reporter.has_errors or not construction.check_world(
            self.names, closure(self.touches, name), list(functions), self.sources
        ):
            return
        size = len(data) + -len(data) % 8
        task = ir.Task(name, name, 0, 0, size)
        depth = self._stack_depth(name)
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
            self._function(method, method.name.span, owner)

    def _unused_program(self, pou: tree.Pou) -> None:
        """Check a PROGRAM that has no instance: its variables are taken for those of a block."""
        name = f"unused {pou.name.name}"
        symbols = {
            key: Symbol(f.name, f.type, "static", 0, f.span, f.section)
            for key, f in self.names.fb_type(pou).fields.items()
            if f.section != "VAR_IN_OUT"
        }
        self._around[name] = Around(None, pou, name, symbols)
        around = self._around[name]
        lower_pou(lambda: self._body(name), pou, pou.name.name, around)
        for action in pou.actions:
            self._action(pou, action, name)
        for _, method in own_members(pou.methods, pou.properties):
            self._function(method, method.name.span, program=name)

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

    def _linked(self, plan: TaskPlan) -> list[Linked]:
        """The variables of function blocks whose addresses this task copies."""
        mine = [f"{fold(i.name)}." for i in plan.programs]
        blocks = [_path_of(i, a) for i, a in plan.blocks]
        others = [_path_of(i, a) for one in self.plans for i, a in one.blocks]
        found = []
        for one in self.configured.linked:
            owner = max((o for o in others if one.path.startswith(o)), key=len, default=None)
            if owner is not None:
                belongs = owner in blocks
            elif any(one.path.startswith(f"{fold(n)}.") for n in self.instances):
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
        for other in self.plans:
            names = [f"program_{i.name}" for i in other.programs]
            touched = {fold(g) for n in names for g in closure(self.touches, n).globals}
            if root in touched or any(t.startswith(root + ".") for t in touched):
                users.append(other)
        return plan is (users or self.plans)[0]

    def _task_function(self, plan: TaskPlan, name: str) -> tuple[ir.Func, Touch]:
        from host_tools.compiler.lowering.configuration import (
            connect_inputs,
            connect_outputs,
            run_block,
        )

        body = self._body()
        after = self.configured.take_in(body, self._linked(plan))
        for instance in plan.programs:
            symbols = self.instances[instance.name]
            connect_inputs(body, instance, symbols)
            called = f"program_{instance.name}"
            body.touch.calls.setdefault(called, instance.span)
            body.emit(ir.Call(called))
            connect_outputs(body, instance, symbols)
        for instance, a in plan.blocks:
            body.symbols = self.instances[instance.name]
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

    def _in_call_order(self, roots: Iterable[str]) -> list[ir.Func]:
        """The functions that `roots` need, and those themselves, callees first."""
        ordered: dict[str, ir.Func] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in ordered or name in path or name not in self.functions:
                return
            for callee in self.touches[name].calls:
                visit(callee, (*path, name))
            ordered[name] = self.functions[name]

        for name in roots:
            visit(name, ())
        return list(ordered.values())

    # --- tasks and initial image -------------------------------------------------------------

    def _stack_depth(self, name: str, path: tuple[str, ...] = ()) -> int:
        if name in path or name not in self.functions:
            return 0
        if name not in self._depths:
            deepest = 0
            for callee in self.touches[name].calls:
                deepest = max(deepest, self._stack_depth(callee, (*path, name)))
            self._depths[name] = self.functions[name].frame + deepest
        return self._depths[name]

    def _tasks(self, plans: list[TaskPlan]) -> tuple[list[ir.Task], int]:
        tasks = []
        for number, plan in enumerate(plans):
            name = f"task_{number}"
            touch = closure(self.touches, name)
            stack = self.image.align()
            self.image.at += self._stack_depth(name)
            if plan.span is not None:
                self._check_size(plan.span)
            single = plan.single(self._body()) if plan.single is not None else None
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
        return tasks, self.image.align()

    def _initial(self) -> list[tuple[int, bytes]]:
        data = bytearray(self.image.at)
        for v in self.image.variables:
            if v.bit is not None:
                self._initial_bit(data, v)
            else:
                scope = Scope(v.symbols)
                write_initial(self.names, data, v.offset, v.type, v.init, scope)
        if self._range_cell is not None:
            ends = (self.image.state_start, len(data))
            data[self._range_cell : self._range_cell + 8] = b"".join(
                e.to_bytes(4, "little") for e in ends
            )
        for offset, t, init in self.constants.values():
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


def _path_of(instance: ProgramInstance, a: tree.Argument) -> str:
    """The beginning of the paths into an instance that has a task of its own."""
    return f"{fold(instance.name)}.{fold(a.value.span.text if a.value is not None else '')}."


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


def _has_retained(t: Type) -> bool:
    while isinstance(t, ArrayType):
        t = t.element
    return isinstance(t, FbType | StructType) and any(
        f.retain or _has_retained(f.type) for f in t.fields.values()
    )


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
