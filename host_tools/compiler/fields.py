"""Lays out the fields of structures and of the instances of function blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from host_tools.compiler import heritage, relative, tree
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.source import Span
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    ELEMENTARY,
    ArrayType,
    FbType,
    Field,
    OpenArrayType,
    StructType,
    Type,
    Unknown,
    size_align,
)

if TYPE_CHECKING:
    from host_tools.compiler.declarations import Declarations

FIELD_SECTIONS = ("VAR", "VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT", "STEP", "HIDDEN")
"""Blocks whose variables live in the instance."""

MAX_BYTES = 1 << 24
"""The largest array, structure, frame and image."""

MOCKED, CALLS = "mocked?", "calls?"
"""Hidden members of instances in a build for tests with mocks; no source can name them."""


def static_name(method: tree.Pou, name: str) -> str:
    """The field that holds a VAR_INST of a method; no name of a source has a point in it."""
    accessor = "" if method.result is not None else "()"
    return f"{method.name.name}{accessor}.{name}"


def init_arguments(spec: tree.TypeSpec, t: Type) -> tree.InitArguments:
    """What `Motor(axis := 3)` gives to FB_Init; to the parser it looks like an enumeration. For
    an array it may be given one by one."""
    while isinstance(spec, tree.ArraySpec) and isinstance(t, ArrayType):
        if spec.each:
            return tuple(one.values for one in spec.each)
        spec, t = spec.element, t.element
    return spec.values if isinstance(spec, tree.EnumSpec) and isinstance(t, FbType) else None


def _add_mock_fields(t: FbType) -> None:
    """Room for whether an instance is mocked and how often it was called."""
    for name, of in ((CALLS, ELEMENTARY["UDINT"]), (MOCKED, ELEMENTARY["BOOL"])):
        if name not in t.fields:
            size, align = size_align(of)
            offset = (t.size + align - 1) // align * align
            t.fields[name] = Field(name, of, offset, None, t.pou.name.span)
            t.size, t.align = offset + size, max(t.align, align)


def struct(names: Declarations, spec: tree.StructSpec, name: str) -> Type:
    """The type that STRUCT … END_STRUCT declares."""
    t = StructType(name, span=spec.span)
    if spec.extends is not None:
        _extend(names, t, spec.extends)
    if relative.is_relative(spec, names):
        relative.place_members(names, t, spec)
        close(names, t, spec.span)
        return t
    for decl in spec.fields:
        for ident in decl.names:
            add(names, t, decl, ident, "VAR", retain=False)
    close(names, t, spec.span)
    return t


def _extend(names: Declarations, t: StructType, spec: tree.NamedType) -> None:
    """`TYPE a EXTENDS b : STRUCT`: the members of the base come first."""
    base = names.named_type(spec.name, spec.span)
    if isinstance(base, StructType):
        t.base = base
        t.fields.update(base.fields)
        t.size, t.align = base.size, base.align
    elif not isinstance(base, Unknown):
        names.reporter.report(
            "E0303",
            f"'{spec.name}' is {base}, not a STRUCT",
            spec.span,
            label="EXTENDS of a type takes a structure",
            help="name a structure, or remove EXTENDS",
        )


def add(
    names: Declarations,
    owner: StructType | FbType,
    decl: tree.VarDecl,
    ident: tree.Identifier,
    section: str,
    retain: bool,
    access: str = "",
) -> None:
    """Give `owner` what `ident` declares, behind the fields that it has."""
    key = fold(ident.name)
    if key in owner.fields:
        names.duplicate(ident, owner.fields[key].span)
        return
    t = names.resolve(decl.type, parameter=section == "VAR_IN_OUT")
    if section != "VAR_IN_OUT":
        no_abstract(names, t, decl.type.span)
    size, align = (4, 4) if section == "VAR_IN_OUT" else size_align(t)
    if isinstance(t, OpenArrayType):
        size, align = size_align(t)
    offset = (owner.size + align - 1) // align * align
    init = decl.init if decl.init is not None else names.default_init(decl.type)
    made = Field(ident.name, t, offset, init, ident.span, section, retain)
    made.access, made.arguments = access, init_arguments(decl.type, t)
    made.owner = owner if isinstance(owner, FbType) else None
    made.hidden = section == "HIDDEN"
    owner.fields[key] = made
    owner.size = offset + size
    owner.align = max(owner.align, align)


def _edge_fields(
    names: Declarations, owner: FbType, decl: tree.VarDecl, ident: tree.Identifier, retain: bool
) -> None:
    """Room for the edge of an input and for its value at the last call; the input itself
    stands before them."""
    owner.fields[fold(ident.name)].edge = decl.edge
    for what in ("edge", "before"):
        name = f"{ident.name} {what}"
        field = Field(name, BOOL, owner.size, None, ident.span, "VAR", retain, hidden=True)
        owner.fields[fold(name)] = field
        owner.size += 1


def no_abstract(names: Declarations, t: Type, span: Span) -> None:
    """Report an instance of an ABSTRACT function block."""
    while isinstance(t, ArrayType):
        t = t.element
    if isinstance(t, FbType) and t.is_abstract:
        names.reporter.report(
            "E0310",
            f"'{t}' is ABSTRACT and has no instances",
            span,
            others=[Label(t.pou.name.span, "declared ABSTRACT here")],
            help="declare an instance of a function block that extends it",
        )


def close(names: Declarations, owner: StructType | FbType, span: Span) -> None:
    """Round the size up to the alignment; nothing has size 0."""
    owner.size = max((owner.size + owner.align - 1) // owner.align * owner.align, owner.align)
    if owner.size > MAX_BYTES:
        too_large(names, f"{owner} would take", owner.size, span)
        owner.fields.clear()
        owner.size = owner.align = 1


def too_large(names: Declarations, what: str, size: int, span: Span) -> None:
    names.reporter.report(
        "E0214",
        f"{what} {size:,} bytes",
        span,
        help=f"the limit is {MAX_BYTES:,} bytes; boards have far less",
    )


def _static_fields(names: Declarations, t: FbType, method: tree.Pou) -> None:
    """VAR_INST of a method: hidden variables of the instance."""
    for block, decl, ident in tree.declared(method.blocks):
        if block.kind == "VAR_INST" and "CONSTANT" not in block.qualifiers:
            name = tree.Identifier(ident.span, static_name(method, ident.name))
            add(names, t, decl, name, block.kind, retain=False)
            t.fields[fold(name.name)].hidden = True


def lay_out(names: Declarations, t: FbType) -> None:
    """Give a function block what it declares, behind the fields of its base."""
    for block, decl, ident in tree.declared(t.pou.blocks):
        constant = "CONSTANT" in block.qualifiers
        if block.kind not in FIELD_SECTIONS or (constant and block.kind == "VAR"):
            continue
        if decl.location is None or decl.location.address is None:
            retain = bool({"RETAIN", "PERSISTENT"} & block.qualifiers)
            access = heritage.access_of(block.qualifiers)
            add(names, t, decl, ident, block.kind, retain, access)
            if constant:
                t.fields[fold(ident.name)].constant = True
            if decl.location is not None:
                t.fields[fold(ident.name)].location = decl.location
            if decl.edge is not None and block.kind == "VAR_INPUT":
                _edge_fields(names, t, decl, ident, retain)
    for _, method in heritage.own_members(t.pou.methods, t.pou.properties):
        _static_fields(names, t, method)
    if names.has_mocks:
        _add_mock_fields(t)
