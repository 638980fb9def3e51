"""Lowers ACTION blocks: functions that work on the variables of their POU.

An action of a function block gets the instance, an action of a program instance knows where its
variables are. VAR_TEMP of the POU are handed over by reference, so an action shares them, too.
"""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.lowering import storage, variables
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Place, Symbol
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import FbType, Unknown
from host_tools.record import replace


def find_action(pou: tree.Pou | None, name: str) -> tree.Action | None:
    """The action `name` of `pou`."""
    if pou is None or not pou.actions:
        return None
    key = fold(name)
    return next((a for a in pou.actions if fold(a.name.name) == key), None)


def _temporaries(pou: tree.Pou) -> list[tuple[tree.VarDecl, tree.Identifier]]:
    return [
        (decl, ident)
        for block, decl, ident in declared(pou.blocks)
        if block.kind == "VAR_TEMP" and "CONSTANT" not in block.qualifiers
    ]


def shared_temporaries(body: Body, pou: tree.Pou) -> int:
    """The parameters of an action: where the VAR_TEMP of its POU are. Returns their number."""
    found = _temporaries(pou)
    for number, (decl, ident) in enumerate(found):
        body.new_local(ident.name, "u32")
        t = body.declarations.resolve(decl.type)
        symbol = Symbol(ident.name, t, "ref", number, ident.span, "VAR_TEMP")
        body.symbols.setdefault(fold(ident.name), symbol)
    return len(found)


def call_own(body: Body, action: tree.Action, span: Span) -> None:
    """Call an action of the POU that `body` belongs to."""
    assert body.pou is not None
    arguments = []
    for _, ident in _temporaries(body.pou):
        symbol = body.symbols[fold(ident.name)]
        if isinstance(symbol.type, Unknown):
            return
        where = variables.symbol_place(body, symbol, span, True)
        arguments.append(ir.AddrOf("u32", storage.address(where)))
    instance = ir.Addr("self") if body.this is not None else None
    body.emit(ir.Call(_name(body, body.pou, action, span), tuple(arguments), instance))


def of_block(t: FbType | None, name: str) -> tuple[FbType, tree.Action] | None:
    """The action `name` of a function block, with the type in whose text it stands."""
    while t is not None:
        action = find_action(t.pou, name)
        if action is not None:
            return t, action
        t = t.base
    return None


def call_around(body: Body, name: str, span: Span) -> bool:
    """Call an action of the function block that a method, or a block that extends it, is in."""
    found = of_block(body.this, name)
    if found is not None:
        call_of(body, Place(found[0], span, ir.Addr("self"), is_self=True), found[1], span)
    return found is not None


def of_place(base: Place, name: str) -> tuple[Place, tree.Action] | None:
    """The instance and action that `base.name` means, where it means one."""
    if not isinstance(base.type, FbType):
        return None
    found = of_block(base.type, name)
    return (replace(base, type=found[0]), found[1]) if found is not None else None


def call_of(body: Body, where: Place, action: tree.Action, span: Span) -> None:
    """`instance.Action();` VAR_TEMP start with their initial values."""
    assert isinstance(where.type, FbType)
    pou = where.type.pou
    where = storage.frozen(body, where)
    variables.note_write(body, where, span)
    arguments = []
    for decl, _ in _temporaries(pou):
        t = body.declarations.resolve(decl.type)
        slot = body.frame_slot(t)
        body.initialise(slot, t, decl.init or body.declarations.default_init(decl.type))
        arguments.append(ir.AddrOf("u32", slot))
    name = _name(body, pou, action, span)
    body.emit(ir.Call(name, tuple(arguments), storage.address(where)))


def _name(body: Body, pou: tree.Pou, action: tree.Action, span: Span) -> str:
    assert body.action is not None
    name = body.action(pou, action)
    body.touch.calls.setdefault(name, span)
    return name


def without_arguments(body: Body, node: tree.Call, action: tree.Action) -> bool:
    """Whether the call of an action gives it nothing, as it must."""
    if not node.arguments:
        return True
    body.reporter.report(
        "E0379",
        f"action '{action.name.name}' has no parameters",
        node.arguments[0].span.to(node.arguments[-1].span),
        others=[Label(action.name.span, "declared here")],
        help=f"write {node.callee.span.text}(); an action works on the variables of its POU",
    )
    return False


def check_names(body: Body, pou: tree.Pou) -> None:
    """An action has a name of its own."""
    first: dict[str, tree.Action] = {}
    for action in pou.actions:
        key = fold(action.name.name)
        other = first.setdefault(key, action)
        symbol = body.symbols.get(key)
        if other is not action:
            body.declarations.duplicate(action.name, other.name.span)
        elif symbol is not None and symbol.span != action.name.span:
            body.declarations.duplicate(action.name, symbol.span)
