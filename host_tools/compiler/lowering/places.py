"""Lowers what can be read, written and pointed at: which place an expression designates."""

from __future__ import annotations

from host_tools.compiler import tree
from host_tools.compiler.lowering import elements, members, methods, storage, variables
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Place
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ArrayType,
    FbType,
    InterfaceType,
    RefType,
    StructType,
    Type,
    Unknown,
)


def place(
    body: Body, node: tree.Expr, write: bool = False, properties: bool = False
) -> Place | None:
    """What `node` designates, None where that was reported. `write` also checks that it may be
    assigned to. `properties`: it may be one, which is read and written but has no address."""
    made = _designated(body, node, write)
    if made is not None and made.prop is not None:
        made.type = methods.property_type(body, made.prop)
        if isinstance(made.type, Unknown):
            return None
        if not properties:
            _no_variable(body, made.prop.name, node.span)
            return None
    return made


def _no_variable(body: Body, name: str, span: Span) -> None:
    body.reporter.report(
        "E0317",
        f"'{name}' is a PROPERTY, not a variable",
        span,
        label="it has no place of its own",
        help="copy it to a variable, use that, and assign the property afterwards",
    )


def base_place(body: Body, node: tree.Expr, write: bool) -> Place | None:
    """What a '.', '[' or '^' goes on from: a place, or a value that a call or property gives."""
    if isinstance(node, tree.Call | tree.Binary):
        from host_tools.compiler.lowering.expressions import expression

        value = expression(body, node)
        if isinstance(value.type, Unknown):
            return None
        if isinstance(node, tree.Binary) and not isinstance(value.type, RefType):
            return place(body, node, write)
        is_there = value.addr is not None and value.addr.base == "ptr"  # by a reference
        if write and not is_there and not isinstance(value.type, RefType | InterfaceType):
            body.reporter.report(
                "E0228",
                "this is a value, not a variable",
                node.span,
                label="nothing can be stored here",
                help="assign it to a variable first",
            )
            return None
        return storage.held(body, value)
    made = place(body, node, write, properties=True)
    if made is None or made.prop is None:
        return made
    if write and not isinstance(made.type, RefType | InterfaceType):
        _no_variable(body, made.prop.name, node.span)
        return None
    value = methods.get_property(body, made)
    return None if isinstance(value.type, Unknown) else storage.held(body, value)


def _designated(body: Body, node: tree.Expr, write: bool) -> Place | None:
    match node:
        case tree.Name():
            return variables.named(body, node, write)
        case tree.Direct():
            return variables.direct(body, node, write)
        case tree.Member():
            collapsed = qualified(body, node)
            if collapsed is not node:
                return place(body, collapsed, write)
            return members.member(body, node, write)
        case tree.Index():
            return elements.element(body, node, write)
        case tree.Deref():
            return _dereferenced(body, node)
    if not isinstance(node, tree.Missing):
        body.reporter.report(
            "E0228",
            "this is a value, not a variable",
            node.span,
            label="nothing can be stored here" if write else "",
            help="assign it to a variable first",
        )
    return None


def qualified(body: Body, node: tree.Expr) -> tree.Expr:
    """`node` with the full name of what is declared in a namespace as one Name; `node` itself
    where it does not begin with a namespace, or its beginning is the name of a variable."""
    scopes = body.declarations.naming
    if not scopes.namespaces or node.span.source.library:
        return node
    root = node
    while isinstance(root, tree.Member):
        root = root.base
    if not isinstance(root, tree.Name) or root is node or "." in root.name:
        return node
    if not scopes.begins(root.name, root.span) or body.lookup(root.name, root.span) is not None:
        return node
    collapsed = scopes.collapsed(node)
    if collapsed is node and scopes.full(root.name, root.span) not in body.declarations.type_decls:
        body.reporter.report(
            "E0352",
            f"there is no '{node.span.text}'",
            node.span,
            label=f"'{root.name}' is a namespace",
            help=scopes.suggestion(node.span.text),
        )
        return tree.Missing(node.span)
    return collapsed


def _plain_type(body: Body, node: tree.Expr) -> Type | None:
    """The type of a variable, found without lowering or reporting anything."""
    if isinstance(node, tree.Name):
        symbol = body.lookup(node.name, node.span)
        t = symbol.type if symbol is not None else None
    elif isinstance(node, tree.Deref):
        t = _plain_type(body, node.base)
        return t.target if isinstance(t, RefType) else None
    elif isinstance(node, tree.Index):
        t = _plain_type(body, node.base)
        t = t.element if isinstance(t, ArrayType) else None
    elif isinstance(node, tree.Member):
        t = _plain_type(body, node.base)
        field = t.fields.get(fold(node.name)) if isinstance(t, StructType | FbType) else None
        t = field.type if field is not None else None
    else:
        return None
    return t.target if isinstance(t, RefType) and t.kind == "REFERENCE TO" else t


def is_variable(body: Body, node: tree.Expr) -> bool:
    """Whether `node` is a variable, a part of one or goes through a reference; not a value, such
    as a property has."""
    while isinstance(node, tree.Member | tree.Index | tree.Deref):
        if isinstance(node, tree.Member):
            t = _plain_type(body, node.base)
            if isinstance(t, FbType | InterfaceType) and methods.has_property(t, node.name):
                return False
        node = node.base
    if isinstance(node, tree.Name):
        symbol = body.lookup(node.name, node.span)
        return symbol is not None and symbol.storage != "const"
    return isinstance(node, tree.Direct)


def _dereferenced(body: Body, node: tree.Deref) -> Place | None:
    word = methods.self_word(node)
    if word and body.lookup(word, node.span) is None:
        return methods.self_place(body, word, node.span)
    base = base_place(body, node.base, False)
    if base is None:
        return None
    if not isinstance(base.type, RefType):
        if not isinstance(base.type, Unknown):
            body.reporter.report(
                "E0243",
                f"{base.type} is not a reference",
                node.span,
                label="^ goes through one",
                help="remove the ^",
            )
        return None
    return storage.through(body, base, node.span)
