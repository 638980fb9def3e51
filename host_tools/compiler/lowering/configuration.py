"""Tasks and program instances: what CONFIGURATION says, or what stands in for it."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lowering import expressions, methods, places, storage, variables
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.parameters import no_parameter, wrong_arrow
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import ProgramInstance, Symbol
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import BOOL, TIME, UINT, UNKNOWN, FbType, Type, Unknown, base_of
from host_tools.record import field, record

DEFAULT_INTERVAL_NS = 10_000_000
LOWEST_PRIORITY = 65_535


@record()
class TaskPlan:
    """A task before lowering. `single` finds the image byte and bit of its BOOL."""

    name: str
    interval_ns: int
    priority: int
    span: Span | None = None
    single: Callable[[Body], tuple[int, int] | None] | None = None
    programs: list[ProgramInstance] = field(default_factory=list)
    blocks: list[tuple[ProgramInstance, tree.Argument]] = field(default_factory=list)
    """Instances of function blocks in programs that this task runs, and not the program."""


def configure(names: Declarations) -> tuple[list[TaskPlan], list[ProgramInstance]]:
    """Tasks in the order of declaration; programs without a task share one that is freewheeling.
    Without CONFIGURATION each PROGRAM has one instance of its name in the 10 ms task `main`."""
    if not names.configurations:
        return _default(names)
    plans: list[TaskPlan] = []
    instances: list[ProgramInstance] = []
    free: list[ProgramInstance] = []
    for resource in names.configurations[0].resources:
        local: dict[str, TaskPlan] = {}
        for task in resource.tasks:
            plan = _task(names, task)
            first = local.get(fold(task.name.name))
            if first is not None:
                assert first.span is not None
                names.duplicate(task.name, first.span)
                continue
            local[fold(task.name.name)] = plan
            plans.append(plan)
        for wanted in resource.programs:
            instance = _instance(names, wanted, instances)
            if instance is None:
                continue
            instances.append(instance)
            _blocks(names, wanted, instance, local)
            if wanted.task is None:
                free.append(instance)
                continue
            found = local.get(fold(wanted.task.name))
            if found is None:
                names.reporter.report(
                    "E0276",
                    f"there is no task '{wanted.task.name}'",
                    wanted.task.span,
                    help=did_you_mean(wanted.task.name, [p.name for p in plans])
                    or f"declare it: TASK {wanted.task.name}(INTERVAL := T#10ms);",
                )
                continue
            found.programs.append(instance)
    if free:
        plans.append(TaskPlan("freewheeling", 0, LOWEST_PRIORITY, free[0].span, None, free))
    if not any(r.programs for r in names.configurations[0].resources):
        names.reporter.report(
            "E0277",
            "this CONFIGURATION starts no program",
            names.configurations[0].name.span,
            help="add, for example: PROGRAM main WITH task1 : Main;",
        )
    return plans, instances


def _blocks(
    names: Declarations,
    declared: tree.ProgramDecl,
    instance: ProgramInstance,
    tasks: dict[str, TaskPlan],
) -> None:
    """`block WITH task` among the arguments of a program (Table 63, 3b)."""
    for a in declared.arguments:
        if a.task is None:
            continue
        plan = tasks.get(fold(a.task.name))
        if plan is None:
            names.reporter.report(
                "E0276",
                f"there is no task '{a.task.name}'",
                a.task.span,
                help=did_you_mean(a.task.name, [p.name for p in tasks.values()])
                or f"declare it: TASK {a.task.name}(INTERVAL := T#10ms);",
            )
        else:
            plan.blocks.append((instance, a))


def mark_blocks(
    names: Declarations, instance: ProgramInstance, symbols: dict[str, Symbol]
) -> None:
    """Note which instances of a program have a task of their own: it cannot call them."""
    for a in instance.arguments:
        if a.task is not None and isinstance(a.value, tree.Name):
            symbol = symbols.get(fold(a.value.name))
            if symbol is not None:
                symbol.task = a.task.name


def run_block(body: Body, instance: ProgramInstance, a: tree.Argument) -> None:
    """Run the body of an instance in the task it is given to; its inputs keep their values."""
    assert a.value is not None
    variable = isinstance(a.value, tree.Name | tree.Member | tree.Index)
    where = places.place(body, a.value) if variable else None
    if where is None and variable:
        return
    if where is None or not isinstance(where.type, FbType):
        body.reporter.report(
            "E0357",
            f"{a.value.span.text} is no instance of a function block",
            a.value.span,
            help=f"name one that PROGRAM {instance.pou.name.name} declares",
        )
        return
    call = tree.Call(a.span, a.value, ())
    methods.call_body(body, where, where.type, call, storage.address(where))


def _default(names: Declarations) -> tuple[list[TaskPlan], list[ProgramInstance]]:
    plan = TaskPlan("main", DEFAULT_INTERVAL_NS, 1)
    for unit in names.units:
        for d in unit.declarations:
            if isinstance(d, tree.Pou) and d.kind == "PROGRAM":
                plan.programs.append(
                    ProgramInstance(d.name.name, d, "main", (), False, d.name.span)
                )
                plan.span = plan.span or d.name.span
    return [plan], list(plan.programs)


def _instance(
    names: Declarations, declared: tree.ProgramDecl, before: list[ProgramInstance]
) -> ProgramInstance | None:
    pou = names.find_pou(declared.type.name, declared.type.span)
    if pou is None or pou.kind != "PROGRAM":
        programs = [p.name.name for p in names.pous.values() if p.kind == "PROGRAM"]
        names.reporter.report(
            "E0278",
            f"there is no PROGRAM '{declared.type.name}'",
            declared.type.span,
            label=f"this is a {pou.kind}" if pou is not None else "",
            help=did_you_mean(declared.type.name, programs)
            or (f"the programs are {', '.join(programs)}" if programs else "declare one: PROGRAM"),
        )
        return None
    taken = names.globals.get(fold(declared.name.name))
    if taken is not None:
        names.duplicate(declared.name, taken[2].span)
        return None
    for other in before:
        if fold(other.name) == fold(declared.name.name):
            names.duplicate(declared.name, other.span)
            return None
    return ProgramInstance(
        declared.name.name,
        pou,
        declared.task.name if declared.task is not None else None,
        declared.arguments,
        declared.retain,
        declared.name.span,
    )


def _task(names: Declarations, task: tree.TaskDecl) -> TaskPlan:
    plan = TaskPlan(task.name.name, 0, LOWEST_PRIORITY, task.name.span)
    known = ("INTERVAL", "PRIORITY", "SINGLE")
    released = False
    for a in task.parameters:
        key = fold(a.name.name) if a.name is not None else ""
        if key in known and a.value is None:
            continue  # `INTERVAL :=`, left open
        if key not in known or a.value is None or a.output:
            released = True  # or so it was meant
            names.reporter.report(
                "E0279",
                f"a TASK has no parameter '{a.name.name if a.name else a.span.text}'",
                a.span,
                help=did_you_mean(key, known) or "it has INTERVAL, PRIORITY and SINGLE",
            )
        elif key == "PRIORITY":
            value = names.constants.value(a.value, UINT, "PRIORITY")
            if value is not None:
                assert isinstance(value.const, int)
                plan.priority = value.const
        elif key == "SINGLE":
            released = True
            plan.single = _single(a.value)
        else:
            released = True
            plan.interval_ns = _interval(names, a.value)
    if not released:
        names.reporter.report(
            "E0281",
            f"task '{plan.name}' is never released",
            task.name.span,
            help="give it INTERVAL := T#10ms (cyclic) or SINGLE := <BOOL variable> (on an event)",
        )
    return plan


def _interval(names: Declarations, node: tree.Expr) -> int:
    value = names.constants.value(node, TIME, "INTERVAL")
    if value is None:
        return 0
    assert isinstance(value.const, int)
    if value.const <= 0:
        names.reporter.report(
            "E0281",
            "INTERVAL must be longer than zero",
            node.span,
            help="for example INTERVAL := T#10ms",
        )
    return max(value.const, 0)


def _single(node: tree.Expr) -> Callable[[Body], tuple[int, int] | None]:
    def find(body: Body) -> tuple[int, int] | None:
        variable = isinstance(node, tree.Name | tree.Direct | tree.Member | tree.Index)
        where = places.place(body, node) if variable else None
        if variable and where is None:
            return None
        addr = where.addr if where is not None else None
        plain = addr is not None and addr.base == "static" and not addr.terms
        if where is None or base_of(where.type) is not BOOL or not plain:
            body.reporter.report(
                "E0282",
                "SINGLE needs a global BOOL variable",
                node.span,
                help="declare it in VAR_GLOBAL, or use an input such as %IX0.0",
            )
            return None
        assert where.addr is not None
        return where.addr.offset, where.bit or 0

    return find


# --- connections of a program instance -------------------------------------------------------


def _field(
    body: Body, instance: ProgramInstance, a: tree.Argument, symbols: dict[str, Symbol]
) -> Symbol | None:
    known = [s.name for s in symbols.values() if s.section in ("VAR_INPUT", "VAR_OUTPUT")]
    symbol = symbols.get(fold(a.name.name)) if a.name is not None else None
    if symbol is None or symbol.section not in ("VAR_INPUT", "VAR_OUTPUT"):
        name = a.name if a.name is not None else tree.Identifier(a.span, a.span.text)
        no_parameter(body, name, instance.pou.name.name, known)
        return None
    if a.output != (symbol.section == "VAR_OUTPUT"):
        wrong_arrow(body, a, symbol.name, symbol.section)
        return None
    return symbol


def connect_in_outs(
    body: Body, instance: ProgramInstance, symbols: dict[str, Symbol], names: Declarations
) -> None:
    """A VAR_IN_OUT of a program is another name for the variable that is connected to it."""
    given = {fold(a.name.name): a for a in instance.arguments if a.name is not None}
    for block, decl, ident in declared(instance.pou.blocks):
        if block.kind != "VAR_IN_OUT":
            continue
        t, key = names.resolve(decl.type), fold(ident.name)
        a = given.get(key)
        symbols[key] = Symbol(ident.name, UNKNOWN, "const", 0, ident.span, "VAR_IN_OUT")
        if a is None or a.value is None:
            names.reporter.report(
                "E0246",
                f"the VAR_IN_OUT '{ident.name}' of program '{instance.name}' needs a variable",
                instance.span,
                others=[Label(ident.span, "declared here")],
                help=f"connect one in a CONFIGURATION: {instance.pou.name.name}"
                f"({ident.name} := <a variable of type {t}>)",
            )
        elif a.output:
            wrong_arrow(body, a, ident.name, block.kind)
        else:
            symbols[key] = _connected(body, a.value, t, symbols[key])


def _connected(body: Body, node: tree.Expr, t: Type, unknown: Symbol) -> Symbol:
    if not isinstance(node, tree.Name | tree.Direct | tree.Member | tree.Index):
        expressions.expression(body, node, t)
        body.reporter.report(
            "E0246",
            f"the VAR_IN_OUT '{unknown.name}' needs a variable",
            node.span,
            label="this is a value",
            help="declare a variable in VAR_GLOBAL and connect that",
        )
        return unknown
    where = places.place(body, node, write=True)
    if where is None or isinstance(t, Unknown):
        return unknown
    if isinstance(node, tree.Direct):
        where.type = expressions.direct_type(node, where.type, t)
    if where.type != t or where.addr is None or where.addr.terms:
        body.reporter.report(
            "E0247",
            f"the VAR_IN_OUT '{unknown.name}' is {t}, this is {where.type}",
            node.span,
            help=f"connect a variable of type {t}",
        )
        return unknown
    area = node.area if isinstance(node, tree.Direct) else ""
    if isinstance(node, tree.Name) and where.symbol is not None:
        return where.symbol
    name, section = node.span.text, where.section
    made = Symbol(name, t, "static", where.addr.offset, unknown.span, section, where.bit, area)
    made.is_input = area == "I"
    return made


def connect_inputs(body: Body, instance: ProgramInstance, symbols: dict[str, Symbol]) -> None:
    """Copy what is connected to the inputs of a program before it runs."""
    in_outs = {
        fold(ident.name)
        for block, _, ident in declared(instance.pou.blocks)
        if block.kind == "VAR_IN_OUT"
    }
    for a in instance.arguments:
        if a.task is not None or (a.name is not None and fold(a.name.name) in in_outs):
            continue
        symbol = _field(body, instance, a, symbols)
        if symbol is None or a.output or a.value is None:
            continue
        value = expressions.expression(body, a.value, symbol.type)
        value = expressions.convert(body, value, symbol.type, f"input '{symbol.name}'")
        if not isinstance(value.type, Unknown):
            target = variables.symbol_place(body, symbol, a.span, write=True)
            storage.store(body, target, value)


def connect_outputs(body: Body, instance: ProgramInstance, symbols: dict[str, Symbol]) -> None:
    """Copy the outputs of a program to what they are connected to."""
    for a in instance.arguments:
        symbol = symbols.get(fold(a.name.name)) if a.name is not None else None
        if symbol is None or not a.output or a.value is None or symbol.section != "VAR_OUTPUT":
            continue
        target = places.place(body, a.value, write=True)
        if target is None:
            continue
        if isinstance(a.value, tree.Direct):
            target.type = expressions.direct_type(a.value, target.type, symbol.type)
        value = storage.load(body, variables.symbol_place(body, symbol, a.span, False))
        value = expressions.convert(body, value, target.type, f"output '{symbol.name}'")
        if not isinstance(value.type, Unknown):
            storage.store(body, target, value)
