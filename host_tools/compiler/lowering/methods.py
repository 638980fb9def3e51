"""Lowers methods and properties: their scope, calls on instances and interfaces, dispatch.

All types are known, so a call whose target depends on the instance is a switch over the type ids
of those that exist, with a direct call for each (docs/decisions/0004-dispatch.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from host_tools.compiler import heritage, ir, tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lowering import (
    calls,
    control,
    expressions,
    parameters,
    passing,
    places,
    storage,
    variables,
)
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Place, PropertyUse, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    UNKNOWN,
    FbType,
    InterfaceType,
    Method,
    RefType,
    Type,
    Unknown,
    derives,
)

if TYPE_CHECKING:
    from host_tools.compiler.lowering.body import Body

_NULL = ir.Const("u32", 0)


# --- THIS, SUPER and members of the block around ---------------------------------------------


def self_word(node: tree.Expr) -> str:
    """ "THIS" or "SUPER" where `node` is that, with or without ^; else ""."""
    if isinstance(node, tree.Deref):
        node = node.base
    if isinstance(node, tree.Name) and len(node.name) in (4, 5):
        word = fold(node.name)
        return word if word in ("THIS", "SUPER") else ""
    return ""


def self_place(body: Body, word: str, span: Span) -> Place | None:
    """The instance at hand: by THIS as whatever it is, by SUPER as its base."""
    t = body.this
    if t is None:
        body.reporter.report(
            "E0314",
            f"{word} outside of a function block",
            span,
            label="there is no instance here",
            help="THIS and SUPER stand in the body and the methods of a FUNCTION_BLOCK or CLASS",
        )
        return None
    made = Place(t, span, ir.Addr("self"), dynamic=True, is_self=True)
    if word == "THIS":
        return made
    if t.base is None:
        body.reporter.report(
            "E0314",
            f"'{t}' extends nothing, so there is no SUPER",
            span,
            help=f"write FUNCTION_BLOCK {t} EXTENDS …, or use THIS",
        )
        return None
    made.type, made.dynamic = t.base, False
    return made


def own_member(body: Body, key: str) -> Method | None:
    """A member of the POU around, by its key."""
    if body.this is not None:
        return body.this.members.get(key)
    return body.program_members.get(key)


def has_property(t: FbType | InterfaceType, name: str) -> bool:
    return any(f"{word} {fold(name)}" in t.members for word in ("GET", "SET"))


def is_own_property(body: Body, key: str) -> bool:
    return any(own_member(body, f"{word} {key}") is not None for word in ("GET", "SET"))


def own_property(body: Body, name: str, span: Span) -> Place | None:
    """The property `name` of the POU around."""
    key = fold(name)
    getter, setter = own_member(body, f"GET {key}"), own_member(body, f"SET {key}")
    if getter is None and setter is None:
        return None
    receiver = self_place(body, "THIS", span) if body.this is not None else None
    return property_place(receiver, getter, setter, name, span)


def property_of(body: Body, receiver: Place, node: tree.Member) -> Place | None:
    """The property `node` names of an instance or interface, None where there is none."""
    t = receiver.type
    if not isinstance(t, FbType | InterfaceType) or not t.members:
        return None
    key = fold(node.name)
    getter, setter = t.members.get(f"GET {key}"), t.members.get(f"SET {key}")
    if getter is None and setter is None:
        return None
    for method in (getter, setter):
        if method is not None and not _may_use(body, method, node.name, node.span):
            return None
    return property_place(receiver, getter, setter, node.name, node.span)


def property_place(
    receiver: Place | None, getter: Method | None, setter: Method | None, name: str, span: Span
) -> Place:
    return Place(UNKNOWN, span, prop=PropertyUse(receiver, getter, setter, name))


def property_type(body: Body, use: PropertyUse) -> Type:
    method = use.getter or use.setter
    assert method is not None
    if use.getter is not None and use.getter.pou.result is not None:
        return body.declarations.resolve(use.getter.pou.result)
    return body.declarations.resolve(method.pou.blocks[0].decls[0].type)


def get_property(body: Body, where: Place) -> Value:
    use = where.prop
    assert use is not None
    if use.getter is None:
        _no_accessor(body, use, "GET", "read", where.span)
        return expressions.unknown(where.span)
    node = tree.Call(where.span, tree.Name(where.span, use.name), ())
    made = _invoke(body, node, use.receiver, f"GET {fold(use.name)}", use.getter)
    return made if made is not None else expressions.unknown(where.span)


def set_property(body: Body, where: Place, value: Value) -> None:
    """`fb.P := value`, the value already has the type of the property."""
    use = where.prop
    assert use is not None
    if use.setter is None:
        _no_accessor(body, use, "SET", "assigned to", where.span)
        return
    key = f"SET {fold(use.name)}"
    receiver = use.receiver
    if receiver is not None:
        receiver = _frozen_receiver(body, receiver)
        if receiver.symbol is not None and not receiver.is_self:
            variables.note_write(body, receiver, where.span)
    args = (passing.as_argument(where.type, value),)
    _dispatch(body, receiver, key, use.setter, args, None, where.span)


def _no_accessor(body: Body, use: PropertyUse, word: str, what: str, span: Span) -> None:
    method = use.getter or use.setter
    assert method is not None
    body.reporter.report(
        "E0316",
        f"PROPERTY '{use.name}' has no {word} and cannot be {what}",
        span,
        others=[Label(method.pou.name.span, "declared here")],
        help=f"add {word} … END_{word} to the property",
    )


# --- access ----------------------------------------------------------------------------------


def _may_use(body: Body, method: Method, name: str, span: Span) -> bool:
    access = heritage.access_of(method.pou.modifiers)
    owner = method.owner
    if body.privileged:
        return True
    if access == "PRIVATE":
        fine = body.this is owner
    elif access == "PROTECTED":
        fine = body.this is not None and derives(body.this, owner)
    elif access == "INTERNAL":
        return not told_internal(body, name, span, method.pou.name.span)
    else:
        return True
    if not fine:
        told_access(body, name, owner, access, span, method.pou.name.span)
    return fine


def told_internal(body: Body, name: str, span: Span, declared: Span) -> bool:
    """Whether an INTERNAL member is used outside of its namespace, which is reported."""
    inside = body.declarations.naming.closed_to(span, declared)
    if inside:
        body.reporter.report(
            "E0350",
            f"'{name}' is INTERNAL",
            span,
            label=f"only what stands in {inside} may use it",
            others=[Label(declared, "declared here")],
            help=f"declare it PUBLIC, or use it inside of NAMESPACE {inside}",
        )
    return bool(inside)


def told_access(
    body: Body, name: str, owner: Type | None, access: str, span: Span, declared: Span
) -> None:
    who = f"'{owner}'" if access == "PRIVATE" else f"'{owner}' and what extends it"
    body.reporter.report(
        "E0312",
        f"'{name}' is {access} in {owner}",
        span,
        label=f"only {who} can use it",
        others=[Label(declared, "declared here")],
        help="declare it PUBLIC"
        + (", or PROTECTED for the function blocks that extend it" if access == "PRIVATE" else ""),
    )


# --- calls -----------------------------------------------------------------------------------


def call_own(body: Body, node: tree.Call, name: str, wants_value: bool) -> Value | None:
    """`M(…)` in the POU that has M, or that inherits it."""
    method = own_member(body, fold(name))
    assert method is not None
    receiver = None
    if body.this is not None:
        if not _may_use(body, method, name, node.callee.span):
            return None
        receiver = self_place(body, "THIS", node.callee.span)
    return _call(body, node, receiver, fold(name), method, wants_value)


def call_member(
    body: Body, node: tree.Call, receiver: Place, wants_value: bool
) -> tuple[bool, Value | None]:
    """`x.M(…)`: whether M is a method, and the value of the call."""
    t = receiver.type
    callee = node.callee
    assert isinstance(callee, tree.Member)
    if not isinstance(t, FbType | InterfaceType):
        return False, None
    key = fold(callee.name)
    method = t.members.get(key)
    if method is None:
        return False, None
    if not _may_use(body, method, callee.name, callee.span):
        return True, None
    return True, _call(body, node, receiver, key, method, wants_value)


def _call(
    body: Body,
    node: tree.Call,
    receiver: Place | None,
    key: str,
    method: Method,
    wants_value: bool,
) -> Value | None:
    if body.constants_only:
        body.reporter.report(
            "E0210",
            f"a call of {method.pou.name.name} is not constant",
            node.span,
            help="call it in the body, or write its value as a literal",
        )
        return None
    if wants_value and method.pou.result is None:
        calls.no_value(body, node, "give the METHOD a result type, or")
        return None
    if control.has_control(node):
        known = [fold(p.name) for p in parameters.parameters_of(body, method.pou)]
        return control.controlled(
            body, node, known, None, lambda n: _invoke(body, n, receiver, key, method)
        )
    return _invoke(body, node, receiver, key, method)


def _invoke(
    body: Body, node: tree.Call, receiver: Place | None, key: str, method: Method
) -> Value | None:
    if receiver is not None:
        receiver = _frozen_receiver(body, receiver)
        if receiver.symbol is not None and not receiver.is_self:
            variables.note_write(body, receiver, node.span)

    def emit(args: tuple[ir.Expr, ...], result: int | None) -> None:
        _dispatch(body, receiver, key, method, args, result, node.span)

    return calls.invoke(body, node, method.pou, emit)


def _frozen_receiver(body: Body, receiver: Place) -> Place:
    """The instance that is meant now; for an interface, what it refers to."""
    if not isinstance(receiver.type, InterfaceType):
        return storage.frozen(body, receiver)
    pointer = ir.NotNull("u32", storage.load(body, receiver).expr, position(receiver.span))
    addr = ir.Addr("ptr", 0, (), body.temporary(pointer))
    return Place(receiver.type, receiver.span, addr, dynamic=True)


def _dispatch(
    body: Body,
    receiver: Place | None,
    key: str,
    method: Method,
    args: tuple[ir.Expr, ...],
    result: int | None,
    span: Span,
) -> None:
    """Call what `key` is for the instance."""
    if receiver is None:
        body.emit(ir.Call(body.method(method, span), args, None, result))
        return
    if isinstance(receiver.type, InterfaceType) and receiver.addr is None:
        receiver = _frozen_receiver(body, receiver)
    t = receiver.type
    assert isinstance(t, FbType | InterfaceType)
    if receiver.is_self and not receiver.dynamic and t.members[key].is_abstract:
        body.reporter.report(
            "E0311",
            f"'{method.pou.name.name}' is ABSTRACT in {t}: there is nothing to call",
            span,
            others=[Label(t.members[key].pou.name.span, "declared ABSTRACT here")],
            help="remove the call, or call it without SUPER",
        )
        return
    exact = isinstance(t, FbType) and not receiver.dynamic
    kinds = [t] if exact and isinstance(t, FbType) else concrete(body, t)
    targets: list[tuple[FbType, Method]] = [
        (k, m) for k in kinds if (m := k.members.get(key)) is not None and not m.is_abstract
    ]
    by_name: dict[str, list[int]] = {}
    for k, m in targets:
        by_name.setdefault(body.method(m, span), []).append(k.type_id)
    choose(body, receiver, by_name, args, result, span)


def choose(
    body: Body,
    receiver: Place,
    by_name: dict[str, list[int]],
    args: tuple[ir.Expr, ...],
    result: int | None,
    span: Span,
) -> None:
    """Call the function for the type id of the instance."""
    addr = storage.address(receiver)
    fault = ir.RaiseFault(ir.Fault.NULL, position(span))
    if len(by_name) == 1:
        body.emit(ir.Call(next(iter(by_name)), args, addr, result))
        return
    if result is not None:
        # No engine may find it unset where the id is none of those known.
        kind = body.locals[result].kind
        empty: dict[str, float | bytes] = {"str": b"", "wstr": b"", "f32": 0.0, "f64": 0.0}
        body.emit(ir.SetLocal(result, ir.Const(kind, empty.get(kind, 0))))
    if not by_name:
        body.emit(fault)
        return
    number = body.temporary(ir.Load("u32", addr))
    branches = []
    for name, ids in by_name.items():
        ranges = tuple((i, i) for i in sorted(ids))
        branches.append((ranges, (ir.Call(name, args, addr, result),)))
    body.emit(ir.Switch(number, tuple(branches), (fault,)))


def concrete(body: Body, t: FbType | InterfaceType) -> list[FbType]:
    """The types of instances that can stand where `t` is written: those that exist; where none
    does (a library), all that could."""
    names = body.declarations
    able = [one for one in heritage.heirs(names, t) if not one.is_abstract]
    existing = [one for one in able if id(one) in names.instantiated]
    return existing or able


def call_body(body: Body, where: Place, t: FbType, node: tree.Call, instance: ir.Addr) -> None:
    """Run the body of an instance whose inputs are set."""
    receiver = Place(t, node.span, instance, dynamic=where.dynamic)
    kinds = concrete(body, t) if where.dynamic and t.type_id else [t]
    by_name: dict[str, list[int]] = {}
    for k in kinds:
        by_name.setdefault(body.function(body_of(k), node.span), []).append(k.type_id)
    choose(body, receiver, by_name, (), None, node.span)


def body_of(t: FbType) -> tree.Pou:
    """The POU whose statements run when an instance is called: a block without statements of its
    own has those of its base."""
    one = t
    while not one.pou.body and one.pou.sfc is None and one.base is not None:
        one = one.base
    return one.pou


def names_of_members(t: FbType | InterfaceType) -> list[str]:
    """Methods and properties that can be used from outside, for suggestions."""
    return list(
        dict.fromkeys(
            m.pou.name.name
            for m in t.members.values()
            if heritage.access_of(m.pou.modifiers) not in ("PRIVATE", "PROTECTED")
        )
    )


def no_member(body: Body, t: FbType | InterfaceType, name: str, span: Span) -> None:
    names = names_of_members(t)
    if isinstance(t, FbType):
        names = [
            f.name
            for f in t.fields.values()
            if f.section in ("VAR_INPUT", "VAR_OUTPUT")
            or f.access == "PUBLIC"
            or (body.privileged and f.name.isidentifier())
        ] + names
    near = did_you_mean(name, names)
    if not near and not body.reporter.is_first("E0231", str(t), name.upper()):
        return
    body.reporter.report(
        "E0231",
        f"{t} has no member '{name}'",
        span,
        help=near or f"it has {', '.join(names[:12]) or 'none'}",
    )


# --- what an instance is ---------------------------------------------------------------------


def attempt(body: Body, where: Place, source: Value, span: Span) -> ir.Expr | None:
    """`target ?= source` (6.6.6.7): the address where the instance is of the type of the target,
    else NULL. The value, still to be stored."""
    wanted = where.type.target if isinstance(where.type, RefType) else where.type
    known = source.type.target if isinstance(source.type, RefType) else source.type
    if isinstance(wanted, Unknown) or isinstance(source.type, Unknown):
        return None
    if isinstance(source.type, RefType) and isinstance(known, Unknown):
        return _NULL
    good = isinstance(known, InterfaceType) or (isinstance(known, FbType) and known.type_id)
    if not isinstance(wanted, FbType | InterfaceType) or not good:
        wrong = wanted if not isinstance(wanted, FbType | InterfaceType) else known
        body.reporter.report(
            "E0319",
            f"'?=' does not go with {where.type} and {source.type}",
            span,
            label=f"what {wrong} is, is known without asking",
            help="it asks what instance an interface or a reference to a function block has",
        )
        return None
    expr = source.expr if source.addr is None else ir.AddrOf("u32", source.addr)
    pointer = body.temporary(expr)
    result = body.new_local("", "u32")
    body.emit(ir.SetLocal(result, _NULL))
    ids = tuple(sorted((k.type_id, k.type_id) for k in concrete(body, wanted) if k.type_id))
    with body.nested() as inside:
        number = body.temporary(ir.Load("u32", ir.Addr("ptr", 0, (), pointer)))
        if ids:
            body.emit(ir.Switch(number, ((ids, (ir.SetLocal(result, pointer),)),)))
    body.emit(ir.If(ir.Compare("b1", "ne", pointer, _NULL), tuple(inside)))
    return ir.Local("u32", result)


BUILTINS = ("__QUERYINTERFACE", "__QUERYPOINTER", "__ISVALIDREF")


def builtin(body: Body, node: tree.Call, name: str) -> Value:
    """`__QUERYINTERFACE(from, to)`, `__QUERYPOINTER(from, to)`, `__ISVALIDREF(r)` (CODESYS)."""
    wanted = 1 if name == "__ISVALIDREF" else 2
    given = [a.value for a in node.arguments if a.value is not None]
    if len(given) != wanted:
        body.reporter.report(
            "E0245",
            f"{name} takes {wanted} parameter{'s' * (wanted != 1)}, {len(given)} are given",
            node.span,
            help=f"write {name}({'reference' if wanted == 1 else 'source, target'})",
        )
        return expressions.unknown(node.span)
    if wanted == 1:
        return _is_valid(body, given[0])
    source = expressions.expression(body, given[0])
    where = places.place(body, given[1], write=True)
    if where is None or isinstance(source.type, Unknown):
        return expressions.unknown(node.span)
    found = attempt(body, where, source, node.span)
    if found is None:
        return expressions.unknown(node.span)
    storage.store(body, where, Value(where.type, found, node.span))
    return Value(BOOL, ir.Compare("b1", "ne", found, _NULL), node.span)


def _is_valid(body: Body, node: tree.Expr) -> Value:
    where = places.place(body, node)
    if where is None or isinstance(where.type, Unknown):
        return expressions.unknown(node.span)
    if not isinstance(where.type, RefType | InterfaceType):
        body.reporter.report(
            "E0243",
            f"{where.type} is not a reference",
            node.span,
            help="__ISVALIDREF asks whether a reference or interface refers to something",
        )
        return expressions.unknown(node.span)
    if isinstance(where.type, RefType):
        where.type = RefType(where.type.target)
    value = storage.load(body, where)
    return Value(BOOL, ir.Compare("b1", "ne", value.expr, _NULL), node.span)
