"""Lowers a Sequential Function Chart: evolution, action control, actions (IEC 61131-3:2013, 6.7).

One call of the POU is one evolution. Transitions are tried first, all against the steps that
were active after the last call, so that a step lasts at least from one call to the next and its
actions run at least once; then the actions are controlled and run. The first call tries no
transition. `Step.T` and all durations count with the clock of the task release.
"""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lowering import actions, places, storage, variables
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.expressions import constant_value, convert, expression
from host_tools.compiler.lowering.sfc_networks import Arrow, Chart, chart
from host_tools.compiler.lowering.statements import condition
from host_tools.compiler.symbols import Place, Symbol, Value
from host_tools.compiler.syntax.sfc import CHART
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    TIME,
    StringType,
    StructType,
    Unknown,
    base_of,
    is_duration,
)
from host_tools.record import record

FALSE, TRUE = ir.Const("b1", 0), ir.Const("b1", 1)
ZERO = ir.Const("i64", 0)


def lower_chart(body: Body, pou: tree.Pou) -> None:
    made = chart(body.reporter, pou)
    controls = _controls(body, pou, made)
    if not _is_declared(body, made):
        return
    dt = _clock(body)
    restart, running = _restart(body, made)
    with body.nested() as evolve:
        _evolve(body, made, dt)
    started = _member(body, _hidden(body, CHART), "STARTED")
    test: ir.Expr = ir.Load("b1", started)
    if restart is not None:
        test = ir.Shortcut("b1", "and", test, ir.Unary("b1", "not", restart))
    body.emit(ir.If(test, tuple(evolve)))
    body.emit(ir.Store(started, TRUE))
    _current_step(body, made)
    for control in controls:
        _control(body, control, dt, restart, running)
    _run(body, controls)


def _is_declared(body: Body, made: Chart) -> bool:
    """Whether each step got its variable: not where another one has its name."""
    return all(_is_step(body.symbols.get(key)) for key in made.steps)


def _is_step(symbol: Symbol | None) -> bool:
    return symbol is not None and symbol.section == "STEP"


def _member(body: Body, variable: str, member: str) -> ir.Addr:
    """Where a member of a state variable is."""
    symbol = body.symbols[fold(variable)]
    assert isinstance(symbol.type, StructType)
    base = "static" if symbol.storage == "static" else "self"
    return ir.Addr(base, symbol.offset + symbol.type.fields[member].offset)


def _hidden(body: Body, name: str) -> str:
    """The full name of a hidden variable of the chart."""
    assert body.pou is not None
    block = next(b for b in body.pou.blocks if b.kind == "HIDDEN")
    return name + block.decls[0].names[0].name.removeprefix(CHART)


def _is_active(body: Body, step: str) -> ir.Expr:
    return ir.Load("b1", _member(body, step, "X"))


def _any(tests: list[ir.Expr]) -> ir.Expr:
    found = tests[0]
    for test in tests[1:]:
        found = ir.Binary("b1", "or", found, test)
    return found


# --- the clock and the control variables -----------------------------------------------------


def _flag(body: Body, name: str) -> ir.Expr | None:
    """The value of a control variable such as SFCReset, where the POU declares it as BOOL."""
    symbol = body.symbols.get(fold(name))
    if symbol is None or base_of(symbol.type) is not BOOL or symbol.storage == "const":
        return None
    where = variables.symbol_place(body, symbol, symbol.span, False)
    return body.temporary(storage.load(body, where).expr)


def _clock(body: Body) -> ir.Expr:
    """What has passed since the last call: nothing at the first, and after a restart of the
    controller, which sets the clock back."""
    now = body.temporary(body.now())
    last = _member(body, _hidden(body, CHART), "LAST")
    pause = _flag(body, "SFCPause")
    if pause is not None:
        with body.nested() as then:
            body.emit(ir.Store(last, now))
            body.make_return()
        body.emit(ir.If(pause, tuple(then)))
    dt = body.new_local("", "i64")
    body.emit(ir.SetLocal(dt, ZERO))
    before = ir.Load("i64", last)
    passed = ir.Shortcut(
        "b1",
        "and",
        ir.Load("b1", _member(body, _hidden(body, CHART), "STARTED")),
        ir.Compare("b1", "gt", now, before),
    )
    body.emit(ir.If(passed, (ir.SetLocal(dt, ir.Binary("i64", "sub", now, before)),)))
    body.emit(ir.Store(last, now))
    return ir.Local("i64", dt)


def _restart(body: Body, made: Chart) -> tuple[ir.Expr | None, ir.Expr | None]:
    """SFCReset and SFCInit put the chart into its initial situation. The first value is whether
    one of them is TRUE, the second whether actions may run: not while SFCInit is."""
    init = _flag(body, "SFCInit")
    reset = _flag(body, "SFCReset")
    both = [flag for flag in (init, reset) if flag is not None]
    if not both:
        return None, None
    with body.nested() as then:
        for key, step in made.steps.items():
            body.emit(ir.Store(_member(body, key, "X"), TRUE if step.initial else FALSE))
            body.emit(ir.Store(_member(body, key, "T"), ZERO))
    restart = body.temporary(_any(both))
    body.emit(ir.If(restart, tuple(then)))
    running = None
    if init is not None:
        running = body.temporary(ir.Unary("b1", "not", init))
    return restart, running


def _current_step(body: Body, made: Chart) -> None:
    """SFCCurrentStep: the name of the active step, of the last one where several are."""
    symbol = body.symbols.get("SFCCURRENTSTEP")
    if symbol is None or not isinstance(symbol.type, StringType) or symbol.type.wide:
        return
    where = variables.symbol_place(body, symbol, symbol.span, True)
    for key, step in made.steps.items():
        text = constant_value(symbol.type, step.name.name.encode("latin-1", "replace"), step.span)
        with body.nested() as then:
            storage.store(body, where, text)
        body.emit(ir.If(_is_active(body, key), tuple(then)))


# --- evolution -------------------------------------------------------------------------------


def _evolve(body: Body, made: Chart, dt: ir.Expr) -> None:
    for key in made.steps:
        elapsed = _member(body, key, "T")
        longer = ir.Binary("i64", "add", ir.Load("i64", elapsed), dt)
        body.emit(ir.If(_is_active(body, key), (ir.Store(elapsed, longer),)))
    cleared: list[tuple[Arrow, ir.Expr]] = []
    leaving: dict[str, list[ir.Expr]] = {}
    for arrow in made.arrows:
        body.mark(arrow.node.span)
        flag = body.new_local("", "b1")
        body.emit(ir.SetLocal(flag, FALSE))
        rivals: list[ir.Expr] = []
        for key in arrow.sources:
            rivals += [r for r in leaving.get(key, ()) if r not in rivals]
        test = _is_active(body, arrow.sources[0])
        for key in arrow.sources[1:]:
            test = ir.Shortcut("b1", "and", test, _is_active(body, key))
        for rival in rivals:
            test = ir.Shortcut("b1", "and", test, ir.Unary("b1", "not", rival))
        with body.nested() as then:
            value = condition(body, arrow.node.condition, "condition of the transition")
            body.emit(ir.SetLocal(flag, value.expr))
        body.emit(ir.If(test, tuple(then)))
        local = ir.Local("b1", flag)
        cleared.append((arrow, local))
        for key in arrow.sources:
            leaving.setdefault(key, []).append(local)
    for arrow, flag_ in cleared:
        off = tuple(ir.Store(_member(body, key, "X"), FALSE) for key in arrow.sources)
        body.emit(ir.If(flag_, off))
    for arrow, flag_ in cleared:
        on: list[ir.Stmt] = []
        for key in arrow.targets:
            on.append(ir.Store(_member(body, key, "X"), TRUE))
            on.append(ir.Store(_member(body, key, "T"), ZERO))
        body.emit(ir.If(flag_, tuple(on)))


# --- action control --------------------------------------------------------------------------


@record()
class _Control:
    """One action and where it is used. `variable`: the Boolean variable that it is, or None.
    `state`: the name of its control block, "" where it needs none. `ending`, `entry`: whether
    it is to run for the last time (also for P0), or once for P1; `runs`: whether it has
    an output Q at all."""

    name: tree.Identifier
    uses: list[tuple[str, tree.Association]]
    action: tree.Action | None = None
    variable: Place | None = None
    state: str = ""
    ending: ir.Expr | None = None
    entry: ir.Expr | None = None
    runs: bool = False


def _controls(body: Body, pou: tree.Pou, made: Chart) -> list[_Control]:
    """The actions in the order of their declaration, then Boolean variables in the order in
    which steps name them."""
    uses: dict[str, list[tuple[str, tree.Association]]] = {}
    for key, step in made.steps.items():
        for a in step.associations:
            uses.setdefault(fold(a.action.name), []).append((key, a))
            _indicators(body, a)
    found: list[_Control] = []
    for action in pou.actions:
        key = fold(action.name.name)
        if key in uses and _is_step(body.symbols.get(key)):
            found.append(_Control(action.name, uses.pop(key), action, None, key))
    declared = {fold(a.name.name) for a in pou.actions}
    for key, named in uses.items():
        if key in declared:
            continue
        name = named[0][1].action
        where = _boolean(body, name, pou)
        if where is None:
            continue
        state = _hidden(body, f"__{key}")
        if fold(state) not in body.symbols:
            state = ""
        found.append(_Control(name, named, None, where, state))
    return found


def _indicators(body: Body, a: tree.Association) -> None:
    """They say what an action reports; nothing is done with them (6.7.4.3)."""
    for node in a.indicators:
        where = places.place(body, node)
        if where is not None and not isinstance(where.type, Unknown):
            convert(body, Value(where.type, FALSE, node.span), BOOL, "indicator variable")


def _boolean(body: Body, name: tree.Identifier, pou: tree.Pou) -> Place | None:
    symbol = body.lookup(name.name, name.span)
    if symbol is None or _is_step(symbol):
        known = [a.name.name for a in pou.actions] + [
            s.name for s in body.symbols.values() if base_of(s.type) is BOOL
        ]
        body.reporter.report(
            "E0373",
            f"there is no action '{name.name}'",
            name.span,
            help=did_you_mean(name.name, known)
            or f"declare it: ACTION {name.name}: … END_ACTION, or as a BOOL variable",
        )
        return None
    if isinstance(symbol.type, Unknown):
        return None
    if base_of(symbol.type) is not BOOL:
        body.reporter.report(
            "E0373",
            f"'{name.name}' is {symbol.type}, not an action",
            name.span,
            others=[Label(symbol.span, "declared here")],
            help="an action is an ACTION of this POU or a BOOL variable",
        )
        return None
    return places.place(body, tree.Name(name.span, name.name), write=True)


def _control(
    body: Body, c: _Control, dt: ir.Expr, restart: ir.Expr | None, running: ir.Expr | None
) -> None:
    """The ACTION_CONTROL block of one action, as far as its qualifiers need it."""
    body.mark(c.name.span)
    inputs: dict[str, ir.Expr] = {}
    for qualifier in dict.fromkeys(a.qualifier for _, a in c.uses):
        steps = [_is_active(body, key) for key, a in c.uses if a.qualifier == qualifier]
        test = _any(steps)
        inputs[qualifier] = test if running is None else ir.Binary("b1", "and", running, test)
    _durations(body, c)
    q, pulses = _outputs(body, c, inputs, dt, restart)
    if c.variable is not None:
        if pulses:
            q = _any([*([q] if q is not None else []), *pulses.values()])
        storage.store(body, c.variable, Value(BOOL, q or FALSE, c.name.span))
        return
    stored = _member(body, c.state, "Q")
    before = body.temporary(ir.Load("b1", stored))
    body.emit(ir.Store(stored, q or FALSE))
    off = ir.Unary("b1", "not", ir.Load("b1", stored))
    endings = [ir.Binary("b1", "and", before, off)] if q is not None else []
    if "P0" in pulses:
        endings.append(ir.Binary("b1", "and", pulses["P0"], off))
    if endings:
        c.ending = body.temporary(_any(list(endings)))
    if "P1" in pulses:
        c.entry = ir.Binary("b1", "and", pulses["P1"], off)
        if c.ending is not None:
            c.entry = ir.Binary("b1", "and", c.entry, ir.Unary("b1", "not", c.ending))
    c.runs = q is not None


def _durations(body: Body, c: _Control) -> None:
    """The input T: the duration of the association that is active, kept when it no longer is."""
    for key, a in c.uses:
        if a.time is None:
            continue
        with body.nested() as then:
            value = expression(body, a.time, TIME)
            target = value.type if is_duration(value.type) else TIME
            value = convert(body, value, target, "duration")
            if not isinstance(value.type, Unknown):
                body.emit(ir.Store(_member(body, c.state, "T"), value.expr))
        body.emit(ir.If(_is_active(body, key), tuple(then)))


def _outputs(
    body: Body,
    c: _Control,
    inputs: dict[str, ir.Expr],
    dt: ir.Expr,
    restart: ir.Expr | None,
) -> tuple[ir.Expr | None, dict[str, ir.Expr]]:
    """The output Q without the pulses of P0 and P1, and those pulses."""
    terms: list[ir.Expr] = []
    if "N" in inputs:
        terms.append(inputs["N"])
    off = inputs.get("R")
    clear = off if restart is None else _any([restart, *([off] if off is not None else [])])

    def latch(name: str, on: ir.Expr) -> ir.Expr:
        """RS: resetting wins."""
        at = _member(body, c.state, f"LATCH_{name}")
        body.emit(ir.If(on, (ir.Store(at, TRUE),)))
        if clear is not None:
            body.emit(ir.If(clear, (ir.Store(at, FALSE),)))
        return ir.Load("b1", at)

    def timer(name: str, on: ir.Expr) -> ir.Expr:
        """TON: whether T has passed since `on` became TRUE."""
        at = _member(body, c.state, f"TIMER_{name}")
        value = ir.Load("i64", at)
        idle = ir.Compare("b1", "eq", value, ZERO)
        count = ir.Select("i64", idle, ir.Const("i64", 1), ir.Binary("i64", "add", value, dt))
        body.emit(ir.If(on, (ir.Store(at, count),), (ir.Store(at, ZERO),)))
        return ir.Compare("b1", "gt", value, ir.Load("i64", _member(body, c.state, "T")))

    def edge(name: str, falling: bool = False) -> ir.Expr:
        at = _member(body, c.state, f"EDGE_{name}")
        before = body.temporary(ir.Load("b1", at))
        now = body.temporary(inputs[name])
        body.emit(ir.Store(at, now))
        on, other = (before, now) if falling else (now, before)
        return body.temporary(ir.Binary("b1", "and", on, ir.Unary("b1", "not", other)))

    def both(a: ir.Expr, b: ir.Expr) -> ir.Expr:
        return ir.Binary("b1", "and", a, b)

    def inverse(x: ir.Expr) -> ir.Expr:
        return ir.Unary("b1", "not", x)

    if "S" in inputs:
        terms.append(latch("S", inputs["S"]))
    if "L" in inputs:
        terms.append(both(inputs["L"], inverse(timer("L", inputs["L"]))))
    if "D" in inputs:
        terms.append(both(inputs["D"], timer("D", inputs["D"])))
    if "P" in inputs:
        terms.append(edge("P"))
    if "SD" in inputs:
        stored = latch("SD", inputs["SD"])
        terms.append(both(stored, timer("SD", stored)))
    if "DS" in inputs:
        delayed = both(inputs["DS"], timer("DS", inputs["DS"]))
        terms.append(latch("DS", delayed))
    if "SL" in inputs:
        stored = latch("SL", inputs["SL"])
        terms.append(both(stored, inverse(timer("SL", stored))))
    pulses: dict[str, ir.Expr] = {}
    pulses |= {p: edge(p, falling=p == "P0") for p in ("P0", "P1") if p in inputs}
    q = _any(terms) if terms else None
    if off is not None:
        q = both(q, inverse(off)) if q is not None else None
        pulses = {p: both(pulses[p], inverse(off)) for p in pulses}
    return q, pulses


def _run(body: Body, controls: list[_Control]) -> None:
    """Run each action whose output A is TRUE once: first those that end, then what begins with
    P1, then the others, each time in the order of declaration."""
    for c in controls:
        if c.ending is not None:
            _call_if(body, c, c.ending)
    for c in controls:
        if c.entry is not None:
            _call_if(body, c, c.entry)
    for c in controls:
        if c.runs:
            _call_if(body, c, ir.Load("b1", _member(body, c.state, "Q")))


def _call_if(body: Body, c: _Control, test: ir.Expr) -> None:
    assert c.action is not None
    with body.nested() as then:
        actions.call_own(body, c.action, c.name.span)
    body.emit(ir.If(test, tuple(then)))
