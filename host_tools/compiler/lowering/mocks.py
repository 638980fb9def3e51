"""Lowers mocks: which instances and functions stand in for themselves, and the prologue of a body
that looks at that."""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.compiler.fields import CALLS, MOCKED
from host_tools.compiler.lowering import expressions, places, storage, variables
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Place
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import FbType, Type, Unknown


def static(offset: int) -> ir.Addr:
    return ir.Addr("static", offset)


def mock_instance(body: Body, node: tree.Mock) -> None:
    """`MOCK instance;`"""
    where = _instance(body, node.target, "MOCK")
    member = _member(where, MOCKED) if where is not None else None
    if member is not None:
        body.emit(ir.Store(member, ir.Const("b1", 1)))


def _instance(body: Body, node: tree.Expr, word: str) -> Place | None:
    """The function block instance that is mocked or asked about; its body gets a prologue."""
    where = places.place(body, node)
    if where is None or isinstance(where.type, Unknown):
        return None
    if not isinstance(where.type, FbType):
        body.reporter.report(
            "E0393",
            f"{word} needs an instance of a function block, this is {where.type}",
            node.span,
            help="to give a variable a value, assign it",
        )
        return None
    assert body.harness is not None
    of: FbType | None = where.type
    while of is not None:
        body.harness.blocks.add(id(of.pou))
        of = of.base
    return where


def _member(where: Place, name: str) -> ir.Addr | None:
    """The address of a hidden member; None where the tests are only checked."""
    assert isinstance(where.type, FbType)
    found = where.type.fields.get(name)
    return storage.shifted(storage.address(where), found.offset) if found is not None else None


def _own_function(body: Body, name: str, span: Span, word: str) -> tree.Pou | None:
    """The FUNCTION of the project that `name` is; reports everything else."""
    pou = body.declarations.find_pou(name, span)
    is_own = pou is not None and not pou.span.source.library
    if is_own and pou is not None and pou.kind == "FUNCTION":
        return pou
    functions = [p.name.name for p in body.declarations.pous.values() if p.kind == "FUNCTION"]
    if is_own and pou is not None:
        message = f"'{name}' is a {pou.kind}, not a FUNCTION"
        help_ = f"declare an instance of it, and write {word.removesuffix('_FUNCTION')} <instance>"
    elif pou is not None or _is_standard(name):
        message = f"{name} is a standard function, which cannot be mocked"
        help_ = "call it in a FUNCTION of your own, and mock that"
    else:
        message = f"there is no FUNCTION '{name}'"
        help_ = did_you_mean(name, functions) or "only functions that the project declares can be"
    body.reporter.report("E0393", message, span, help=help_)
    return None


def _is_standard(name: str) -> bool:
    from host_tools.compiler.lowering import standard

    return fold(name) in standard.names()


def _result(body: Body, pou: tree.Pou) -> Type | None:
    return body.declarations.resolve(pou.result) if pou.result is not None else None


def mock_function(body: Body, node: tree.MockFunction) -> None:
    if not node.name.name:
        return  # the parser has reported it
    pou = _own_function(body, node.name.name, node.name.span, "MOCK_FUNCTION")
    if pou is None:
        return
    h = body.harness
    assert h is not None
    t = _result(body, pou)
    if (node.value is None) != (t is None):
        body.reporter.report(
            "E0393",
            f"{pou.name.name} returns nothing"
            if t is None
            else f"what does {pou.name.name} return?",
            node.value.span if node.value is not None else node.span,
            help=f"write MOCK_FUNCTION {pou.name.name}"
            + (";" if t is None else f" RETURNS <a value of type {t}>;"),
        )
        return
    if isinstance(t, Unknown):
        return
    kept = h.function(pou, t)
    if node.value is not None and t is not None:
        value = expressions.expression(body, node.value, t)
        value = expressions.convert(body, value, t, f"what {pou.name.name} returns")
        if isinstance(value.type, Unknown):
            return
        storage.store(body, Place(t, node.span, static(kept.value)), value)
    body.emit(ir.Store(static(kept.flag), ir.Const("b1", 1)))


def calls_of(body: Body, node: tree.Expr, word: str) -> ir.Addr | None:
    """Where the calls of an instance or a function are counted."""
    node = places.qualified(body, node)
    if isinstance(node, tree.Name) and body.lookup(node.name, node.span) is None:
        pou = _own_function(body, node.name, node.span, word)
        if pou is None or body.harness is None:
            return None
        return static(body.harness.function(pou, _result(body, pou)).calls)
    where = _instance(body, node, word)
    if where is None:
        return None
    return _member(where, CALLS) or static(0)


def prologue(body: Body, pou: tree.Pou) -> None:
    """What stands before the statements of a POU that tests mock or watch: count the call, and
    leave where it is mocked."""
    h = body.harness
    assert h is not None
    function = h.functions.get(id(pou))
    if function is not None:
        t = _result(body, pou)
        with body.nested() as leaving:
            if t is not None and not isinstance(t, Unknown):
                result = next(v for v in body.symbols.values() if v.section == "RESULT")
                target = variables.symbol_place(body, result, pou.name.span, True)
                kept = Place(t, pou.name.span, static(function.value))
                storage.store(body, target, storage.load(body, kept))
            body.make_return()
        _count(body, static(function.calls))
        body.emit(ir.If(ir.Load("b1", static(function.flag)), tuple(leaving)))
    elif body.this is not None and id(body.this.pou) in h.blocks and MOCKED in body.this.fields:
        fields = body.this.fields
        if pou is body.this.pou:
            _count(body, ir.Addr("self", fields[CALLS].offset))
        mocked = ir.Load("b1", ir.Addr("self", fields[MOCKED].offset))
        with body.nested() as leaving:
            body.make_return()
        body.emit(ir.If(mocked, tuple(leaving)))


def _count(body: Body, at: ir.Addr) -> None:
    more = ir.Binary("u32", "add", ir.Load("u32", at), ir.Const("u32", 1))
    body.emit(ir.Store(at, more))


def hidden_member(body: Body, t: FbType, node: tree.Member, write: bool) -> Place | None:
    """A variable that a block or program declares AT an address or as VAR_STAT, by the name it
    has there."""
    from host_tools.compiler.lowering.pou import located_symbol

    for block, decl, ident in declared(t.pou.blocks):
        if fold(ident.name) != fold(node.name):
            continue
        symbol = body.declarations.static_symbols.get(id(ident))
        if decl.location is not None and body.direct is not None:
            of = body.declarations.resolve(decl.type)
            symbol = located_symbol(body.declarations, body.direct, block, decl, ident, of)
        if symbol is not None and symbol.storage == "static":
            return variables.symbol_place(body, symbol, node.span, write)
    return None
