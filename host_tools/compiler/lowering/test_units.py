"""Lowers TEST, SETUP and TEARDOWN blocks: their variables, their functions, and the one that runs
the test that is chosen.

The variables of a test stand at fixed places; all tests share them, for each starts from a fresh
image. SETUP is a function of its file, so are the tests and TEARDOWN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from host_tools.compiler import ir, tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.fields import init_arguments
from host_tools.compiler.initial import runs, write_initial
from host_tools.compiler.lowering import construction
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.pou import add_symbol, external, located
from host_tools.compiler.lowering.statements import statements
from host_tools.compiler.lowering.testing import Harness
from host_tools.compiler.source import Source, Span, position
from host_tools.compiler.symbols import Symbol, Touch
from host_tools.compiler.tree import declared
from host_tools.compiler.types import UNKNOWN, Type, Unknown, size_align
from host_tools.record import field, record

Initial = tuple[Symbol, tree.Expr | None]


@record(eq=False)
class Variables:
    """What a block declares: symbols that have their place, and what is looked up later."""

    symbols: list[Symbol] = field(default_factory=list)
    initial: list[Initial] = field(default_factory=list)
    arguments: dict[str, construction.Arguments] = field(default_factory=dict)
    elsewhere: list[tuple[tree.VarBlock, tree.VarDecl, tree.Identifier]] = field(
        default_factory=list
    )


@record(eq=False)
class Case:
    """A TEST; `number` counts from 1 through all files."""

    number: int
    name: str
    block: tree.TestBlock
    variables: Variables = field(default_factory=Variables)


@record(eq=False)
class TestFile:
    """The test blocks of one source."""

    __test__ = False

    source: Source
    setup: tree.TestBlock | None = None
    teardown: tree.TestBlock | None = None
    cases: list[Case] = field(default_factory=list)
    setup_variables: Variables = field(default_factory=Variables)
    teardown_variables: Variables = field(default_factory=Variables)

    def symbols(self) -> list[Symbol]:
        """All variables of its tests, once they have their places."""
        found = [*self.setup_variables.symbols, *self.teardown_variables.symbols]
        return found + [s for case in self.cases for s in case.variables.symbols]


def collect(names: Declarations, units: Iterable[tree.Unit]) -> list[TestFile]:
    """The tests of each source that has some; reports what is there twice."""
    files: list[TestFile] = []
    number = 0
    for unit in units:
        blocks = [d for d in unit.declarations if isinstance(d, tree.TestBlock)]
        if not blocks:
            continue
        one = TestFile(unit.span.source)
        files.append(one)
        known: dict[str, tree.TestBlock] = {}
        for block in blocks:
            name = str(block.name.value) if block.name is not None else block.kind
            key = f"TEST {name}" if block.kind == "TEST" else block.kind
            first = known.setdefault(key, block)
            if first is not block and (block.kind != "TEST" or block.name is not None):
                _twice(names, block, first, name)
            if block.kind == "SETUP":
                one.setup = one.setup or block
            elif block.kind == "TEARDOWN":
                one.teardown = one.teardown or block
            else:
                number += 1
                one.cases.append(Case(number, name, block))
    return files


def _twice(names: Declarations, block: tree.TestBlock, first: tree.TestBlock, name: str) -> None:
    is_test = block.kind == "TEST"
    names.reporter.report(
        "E0392",
        f"there is a second TEST '{name}' in this file"
        if is_test
        else f"there is a second {block.kind} in this file",
        _head(block),
        others=[Label(_head(first), "the first one")],
        help="rename one of them" if is_test else "put the statements of both into one",
    )


def _head(block: tree.TestBlock) -> Span:
    if block.name is not None:
        return block.name.span
    span = block.span
    return Span(span.source, span.start, span.start + len(block.kind))


# --- variables -------------------------------------------------------------------------------


def place_variables(names: Declarations, files: Iterable[TestFile], start: int) -> int:
    """Give every variable of a test its place from `start` on; where they end."""
    end = start
    for one in files:
        after = start
        if one.setup is not None:
            one.setup_variables, after = _placed(names, one.setup, start)
        if one.teardown is not None:
            one.teardown_variables, at = _placed(names, one.teardown, after)
            end = max(end, at)
        end = max(end, after)
        for case in one.cases:
            case.variables, at = _placed(names, case.block, after)
            end = max(end, at)
    return end


def _placed(names: Declarations, block: tree.TestBlock, at: int) -> tuple[Variables, int]:
    made = Variables()
    for of, decl, ident in declared(block.blocks):
        if of.kind not in ("VAR", "VAR_TEMP", "VAR_EXTERNAL"):
            names.reporter.report(
                "E0271",
                f"a {block.kind} cannot have {of.kind}",
                ident.span,
                label="nothing calls it with parameters" if "_IN" in of.kind else "",
                help="declare it in VAR",
            )
            made.symbols.append(Symbol(ident.name, UNKNOWN, "const", 0, ident.span))
            continue
        if of.kind == "VAR_EXTERNAL" or decl.location is not None:
            made.elsewhere.append((of, decl, ident))
            continue
        constant = "CONSTANT" in of.qualifiers
        symbol = names.constants.symbol(of, decl, ident) if constant else None
        if symbol is None:
            t = _type(names, decl.type)
            symbol = Symbol(ident.name, t, "static", 0, ident.span, of.kind)
            symbol.is_constant = constant
            if isinstance(t, Unknown):
                symbol.storage = "const"
            else:
                size, align = size_align(t)
                symbol.offset = (at + align - 1) // align * align
                at = symbol.offset + size
                init = decl.init if decl.init is not None else names.default_init(decl.type)
                made.initial.append((symbol, init))
                made.arguments[symbol.name] = init_arguments(decl.type, t)
        made.symbols.append(symbol)
    return made, at


def _type(names: Declarations, spec: tree.TypeSpec) -> Type:
    """A test may have instances of programs, too."""
    if isinstance(spec, tree.NamedType):
        pou = names.find_pou(spec.name, spec.span)
        if pou is not None and pou.kind == "PROGRAM":
            return names.fb_type(pou, spec.span)
    return names.resolve(spec)


def _enter(body: Body, variables: Variables) -> None:
    for symbol in variables.symbols:
        add_symbol(body, symbol)
    for block, decl, ident in variables.elsewhere:
        if decl.location is not None:
            located(body, block, decl, ident)
        else:
            external(body, block, decl, ident)


def _initialise(body: Body, variables: Variables) -> None:
    """The image is fresh: what is zero is so already."""
    for symbol, init in variables.initial:
        data = bytearray(size_align(symbol.type)[0])
        write_initial(body.declarations, data, 0, symbol.type, init)
        for at, piece in runs(data, 0):
            body.emit(ir.Init(ir.Addr("static", symbol.offset + at), piece))
    for symbol, init in variables.initial:
        given = variables.arguments[symbol.name]
        for one in construction.instances(symbol.type, symbol.offset, given, init, {}, {}):
            construction.emit_call(body, one)


# --- functions -------------------------------------------------------------------------------

Lowered = dict[str, tuple[ir.Func, Touch]]


def lower_tests(make_body: Callable[[], Body], files: Iterable[TestFile], h: Harness) -> Lowered:
    """The functions of all test blocks by name."""
    made: Lowered = {}
    for number, one in enumerate(files):
        setup = one.setup_variables
        if one.setup is not None:
            made[f"setup_{number}"] = _function(make_body, h, one.setup, [], setup, "SETUP")
        for case in one.cases:
            made[f"test_{case.number}"] = _function(
                make_body, h, case.block, [setup], case.variables, case.name
            )
        if one.teardown is not None:
            h.in_teardown = True
            made[f"teardown_{number}"] = _function(
                make_body, h, one.teardown, [setup], one.teardown_variables, "TEARDOWN"
            )
            h.in_teardown = False
    return made


def _function(
    make_body: Callable[[], Body],
    harness: Harness,
    block: tree.TestBlock,
    around: list[Variables],
    own: Variables,
    name: str,
) -> tuple[ir.Func, Touch]:
    body = make_body()
    body.harness = harness
    body.in_test = body.privileged = True
    for variables in around:
        _enter(body, variables)
    _enter(body, own)
    _initialise(body, own)
    statements(body, block.body)
    body.emit(ir.Return())
    func = ir.Func(
        name="",
        source_name=block.kind.lower(),
        parameters=0,
        locals=tuple(body.locals),
        result=None,
        has_self=False,
        frame=(body.frame + 7) // 8 * 8,
        body=tuple(body.block),
        pos=position(block.span),
    )
    return func, body.touch


def lower_choice(
    make_body: Callable[[], Body], files: list[TestFile], h: Harness, name: str
) -> Lowered:
    """`name`, which runs the test whose number is in the image: SETUP, the test, and TEARDOWN,
    whatever came of the two. Where there are many tests, it does so by functions for some each:
    what engines print has limits on nesting."""
    made: Lowered = {}
    every: list[tuple[int, tuple[ir.Stmt, ...], dict[str, Span]]] = []
    for number, one in enumerate(files):
        every += [(case.number, *_steps(number, one, case, h)) for case in one.cases]
    size = max(_FEW, math.isqrt(len(every)))
    groups = [every[at : at + size] for at in range(0, len(every), size)]
    if len(groups) > 1:
        for number, group in enumerate(groups):
            branches = [((first, first), steps, called) for first, steps, called in group]
            made[f"tests_{number}"] = _choice(make_body, h, branches)
        branches = [
            (
                (group[0][0], group[-1][0]),
                (ir.Call(f"tests_{number}"),),
                {f"tests_{number}": next(iter(group[0][2].values()))},
            )
            for number, group in enumerate(groups)
        ]
    else:
        branches = [((first, first), steps, called) for first, steps, called in every]
    made[name] = _choice(make_body, h, branches)
    return made


_FEW = 50

Branch = tuple[tuple[int, int], tuple[ir.Stmt, ...], dict[str, Span]]


def _choice(
    make_body: Callable[[], Body], h: Harness, branches: list[Branch]
) -> tuple[ir.Func, Touch]:
    body = make_body()
    chosen = ir.Local("u32", body.new_local("chosen", "u32"))
    body.emit(ir.SetLocal(chosen.index, ir.Load("u32", ir.Addr("static", h.selector))))
    body.emit(ir.Switch(chosen, tuple(((numbers,), steps) for numbers, steps, _ in branches)))
    body.emit(ir.Return())
    for _, _, called in branches:
        for name, span in called.items():
            body.touch.calls.setdefault(name, span)
    func = ir.Func("", "tests", 0, tuple(body.locals), None, False, 0, tuple(body.block), 0)
    return func, body.touch


def _steps(
    number: int, one: TestFile, case: Case, h: Harness
) -> tuple[tuple[ir.Stmt, ...], dict[str, Span]]:
    called: dict[str, Span] = {}

    def call(name: str) -> ir.Stmt:
        called[name] = case.block.span
        return ir.Call(name)

    test = call(f"test_{case.number}")
    steps = [test]
    if one.setup is not None:
        failed = ir.Load("u32", ir.Addr("static", h.failed))
        fine = ir.Compare("b1", "eq", failed, ir.Const("u32", 0))
        steps = [call(f"setup_{number}"), ir.If(fine, (test,))]
    if one.teardown is not None:
        steps.append(call(f"teardown_{number}"))
    return tuple(steps), called
