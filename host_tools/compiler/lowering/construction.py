"""FB_Init: what CODESYS runs for each instance before the first scan, run here when it is built.

All calls become one function that nothing else calls. The python engine runs it on the initial
image, and what comes out is the initial image: a device knows nothing of it. So FB_Init can see no
input, no output and no time. In a TEST the calls stand where its variables get their values.

The instances inside of an instance come first; for a block that extends another, FB_Init of the
base runs before its own, with the same values. What the declaration assigns after them
(`:= (a := 1)`) stays.
"""

from __future__ import annotations

import types as python_types
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.compiler.ir_walk import expressions_of, walk
from host_tools.compiler.lowering import calls
from host_tools.compiler.source import Source, Span, unpack_position
from host_tools.compiler.symbols import Symbol, Touch
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ArrayType,
    FbType,
    Method,
    StructType,
    Type,
    size_align,
)
from host_tools.record import record

if TYPE_CHECKING:
    from host_tools.compiler.declarations import Declarations
    from host_tools.compiler.lowering.body import Body

NAME = "FB_Init of all instances"
_GIVEN = {"BINITRETAINS": True, "BINCOPYCODE": False}
"""What the system gives: this is a cold start, and no online change."""

Arguments = tree.InitArguments


@record(frozen=True)
class Construction:
    """An instance at `at` whose FB_Init is to be called. `init` is what its declaration assigns,
    `symbols` what the expressions there may name."""

    type: FbType
    at: int
    arguments: tuple[tree.EnumValue, ...]
    init: tree.Expr | None
    symbols: dict[str, Symbol]


def _chain(t: FbType) -> list[Method]:
    """FB_Init of a type and of its bases, the farthest first."""
    found: list[Method] = []
    one: FbType | None = t
    while one is not None:
        method = one.members.get("FB_INIT")
        if method is not None and method.owner is one and not method.is_abstract:
            found.insert(0, method)
        one = one.base
    return found


def _constructs(t: Type, known: dict[int, bool]) -> bool:
    """Whether there is something to call in a value of type `t`."""
    while isinstance(t, ArrayType):
        t = t.element
    if not isinstance(t, StructType | FbType):
        return False
    if id(t) not in known:
        known[id(t)] = (isinstance(t, FbType) and "FB_INIT" in t.members) or any(
            f.arguments is not None or _constructs(f.type, known)
            for f in t.fields.values()
            if f.section != "VAR_IN_OUT"
        )
    return known[id(t)]


def instances(
    t: Type,
    at: int,
    arguments: Arguments,
    init: tree.Expr | None,
    symbols: dict[str, Symbol],
    known: dict[int, bool],
) -> Iterator[Construction]:
    """What is to be called in a variable of type `t` at `at`, in order."""
    if arguments is None and not _constructs(t, known):
        return
    if isinstance(t, ArrayType):
        step = size_align(t.element)[0]
        values = init.elements if isinstance(init, tree.ArrayInit) else ()
        for i in range(t.count):
            one = values[i] if i < len(values) else None
            given_here = arguments
            if arguments and isinstance(arguments[0], tuple):
                given_here = arguments[i] if i < len(arguments) else ()
            yield from instances(t.element, at + i * step, given_here, one, symbols, known)
        return
    if not isinstance(t, StructType | FbType):
        return
    given = init.fields if isinstance(init, tree.StructInit) else ()
    for key, f in t.fields.items():
        if f.section != "VAR_IN_OUT":
            own = next((g.value for g in given if fold(g.name.name) == key), f.init)
            yield from instances(f.type, at + f.offset, f.arguments, own, {}, known)
    if isinstance(t, FbType) and ("FB_INIT" in t.members or arguments is not None):
        values_given = [a for a in arguments or () if isinstance(a, tree.EnumValue)]
        yield Construction(t, at, tuple(values_given), init, symbols)


def emit_call(body: Body, one: Construction) -> None:
    """Call FB_Init of an instance."""
    chain = _chain(one.type)
    if not _fits(body.declarations, one, chain):
        return
    outer, body.symbols = body.symbols, {**body.symbols, **one.symbols}
    instance = ir.Addr("static", one.at)
    for method in chain:
        span = method.pou.name.span
        if one.arguments:
            span = one.arguments[0].span.to(one.arguments[-1].span)
        node = tree.Call(span, tree.Name(span, "FB_Init"), tuple(_arguments(one, method, span)))
        name = body.method(method, span)

        def emit(args: tuple[ir.Expr, ...], result: int | None, name: str = name) -> None:
            body.emit(ir.Call(name, args, instance, result))

        calls.invoke(body, node, method.pou, emit)
    body.symbols = outer


def _arguments(one: Construction, method: Method, span: Span) -> Iterator[tree.Argument]:
    given = {fold(a.name.name): a for a in one.arguments}
    for block in method.pou.blocks:
        if block.kind != "VAR_INPUT":
            continue
        for decl in block.decls:
            for ident in decl.names:
                key = fold(ident.name)
                a = given.get(key)
                if a is not None:
                    yield tree.Argument(a.span, a.name, a.value)
                elif key in _GIVEN:
                    value = tree.Literal(span, "bool", _GIVEN[key])
                    yield tree.Argument(span, tree.Identifier(span, ident.name), value)


def _fits(names: Declarations, one: Construction, chain: list[Method]) -> bool:
    """Whether all parameters without a default value are given, and no others."""
    wanted: dict[str, tuple[str, bool, Span]] = {}
    for method in chain:
        for block in method.pou.blocks:
            for decl in block.decls if block.kind == "VAR_INPUT" else ():
                for ident in decl.names:
                    wanted[fold(ident.name)] = (ident.name, decl.init is None, ident.span)
    given = [fold(a.name.name) for a in one.arguments]
    listed = [w[0] for key, w in wanted.items() if key not in _GIVEN]
    for a in one.arguments:
        if fold(a.name.name) not in wanted or fold(a.name.name) in _GIVEN or a.value is None:
            names.reporter.report(
                "E0320",
                f"FB_Init of {one.type} has no parameter '{a.name.name}'"
                if chain
                else f"{one.type} has no FB_Init that could take this",
                a.span,
                help=did_you_mean(a.name.name, listed)
                or (f"it has {', '.join(listed)}" if listed else "remove the parentheses")
                if chain
                else f"add METHOD FB_Init to {one.type}, or write := ({a.name.name} := …)",
            )
            return False
    for key, (name, needed, span) in wanted.items():
        if needed and key not in given and key not in _GIVEN:
            names.reporter.report(
                "E0320",
                f"FB_Init of {one.type} needs a value for '{name}'",
                span,
                label="an instance is declared without it",
                help=f"declare instances as: name : {one.type}({name} := …);",
            )
            return False
    return True


def run(program: ir.Program, data: bytearray, stack: int) -> tuple[int, int] | None:
    """Run the calls on the image `data`; the code and the position of the fault, if there is
    one."""
    from host_tools.compiler.python_engine import emit

    module: Any = python_types.ModuleType("construction")
    exec(compile(emit(program), "construction.py", "exec"), module.__dict__)
    from controller.rt import Fault

    image = data + bytes(stack + -(len(data) + stack) % 8)
    module.attach(image)
    try:
        module.TASKS[0]()
    except Fault as fault:
        return fault.code, fault.pos
    data[:] = image[: len(data)]
    return None


def check_world(
    names: Declarations, touch: Touch, functions: list[ir.Func], sources: list[Source]
) -> bool:
    """Report inputs, outputs and the time, which FB_Init cannot see."""
    for (area, _, _, _), span in (*touch.reads.items(), *touch.writes.items()):
        if area in ("I", "Q"):
            what = "an input" if area == "I" else "an output"
            _no_world(names, what, span)
            return False
    for function in functions:
        pos = function.pos
        for statement in walk(function.body):
            if isinstance(statement, ir.Mark):
                pos = statement.pos
            for e in expressions_of(statement):
                if isinstance(e, ir.Intrinsic) and e.name == "now":
                    _no_world(names, "the time", line_span(sources, pos))
                    return False
    return True


def _no_world(names: Declarations, what: str, span: Span) -> None:
    names.reporter.report(
        "E0321",
        f"FB_Init uses {what}",
        span,
        label="it runs when the program is built",
        help="do this in the body or in a method, at the first call",
    )


def faulted(names: Declarations, sources: list[Source], fault: tuple[int, int]) -> None:
    """Report a fault in FB_Init."""
    from controller.faults import message

    code, pos = fault
    names.reporter.report(
        "E0321",
        f"FB_Init faults: {message(code)}",
        line_span(sources, pos),
        label="it runs when the program is built",
        help="give it values with which it comes to its end",
    )


def line_span(sources: list[Source], pos: int) -> Span:
    """The text of the line at a position of the IR."""
    index, line = unpack_position(pos)
    source = sources[min(index, len(sources) - 1)]
    text = source.line_text(line)
    start = 0
    while source.line_col(start)[0] < line:
        start = source.text.index("\n", start) + 1
    return Span(source, start + len(text) - len(text.lstrip()), start + len(text.rstrip()))
