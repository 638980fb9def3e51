"""Structures whose members say where they are: AT %B4, OVERLAP, UNION, BIT (IEC 61131-3:2013,
6.4.4.6, Table 11).

%B, %W, %D and %L count bytes, words, double words and long words from the start of the structure;
%X3.5 is bit 5 of byte 3. A member without a place comes after all before it; in OVERLAP and UNION
it starts at 0. BIT, as CODESYS has it, is a BOOL that shares its byte with the BITs beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from host_tools.compiler import fields, tree
from host_tools.compiler.diagnostics import Label
from host_tools.compiler.layout import AREA_UNIT
from host_tools.compiler.source import Span
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    ArrayType,
    FbType,
    Field,
    InterfaceType,
    RefType,
    StringType,
    StructType,
    Type,
    Unknown,
    base_of,
    is_aggregate,
    size_align,
)

if TYPE_CHECKING:
    from host_tools.compiler.declarations import Declarations

LAST = 65_535


def is_relative(spec: tree.StructSpec, names: Declarations) -> bool:
    """Whether the members of the structure do not simply follow each other."""
    if spec.overlap:
        return True
    return any(d.location is not None or is_bit(d.type, names) for d in spec.fields)


def is_bit(spec: tree.TypeSpec, names: Declarations) -> bool:
    named = isinstance(spec, tree.NamedType) and fold(spec.name) == "BIT"
    return named and "BIT" not in names.type_decls


def place_members(names: Declarations, t: StructType, spec: tree.StructSpec) -> None:
    """Give the structure its members."""
    t.overlap = spec.overlap
    bits = 8 * t.size  # where the free room begins, behind all members so far
    free_bit = 0  # behind the last BIT, if that was the last member
    for decl in spec.fields:
        single = is_bit(decl.type, names)
        kind = BOOL if single else names.resolve(decl.type)
        fields.no_abstract(names, kind, decl.type.span)
        for ident in decl.names:
            if fold(ident.name) in t.fields:
                names.duplicate(ident, t.fields[fold(ident.name)].span)
                continue
            size, align = size_align(kind)
            offset, bit = 0, 0 if single or (t.overlap and base_of(kind) is BOOL) else None
            if decl.location is not None:
                where = _located(names, decl.location, kind, decl.names)
                if where is None:
                    continue
                offset, bit = where[0], bit if where[1] is None else where[1]
            elif single and free_bit % 8 and not t.overlap:
                offset, bit = free_bit // 8, free_bit % 8
            elif not t.overlap:
                offset = ((bits + 7) // 8 + align - 1) // align * align
            init = decl.init if decl.init is not None else names.default_init(decl.type)
            made = Field(ident.name, kind, offset, init, ident.span)
            made.bit = bit
            made.unaligned = bit is None and offset % align != 0
            if made.unaligned and (is_aggregate(kind) or isinstance(kind, StringType)):
                _crooked(names, made, align, decl)
                continue
            t.fields[fold(ident.name)] = made
            end = 8 * offset + (bit + 1 if bit is not None else 8 * size)
            bits = max(bits, end)
            free_bit = end if single and end == bits else 0
            if not made.unaligned and bit is None:
                t.align = max(t.align, align)
    t.size = (bits + 7) // 8
    _check_overlap(names, t)


def _located(
    names: Declarations, location: tree.Direct, t: Type, idents: tuple[tree.Identifier, ...]
) -> tuple[int, int | None] | None:
    """Byte and bit of AT; None where that was reported."""
    address = location.address or ()
    message = help_ = ""
    if location.area:
        message = "a member has no address of its own in the I, Q or M areas"
        help_ = "write its place in the structure, such as %B4, or give the variable an address"
    elif len(idents) > 1:
        message = "several members cannot be at one place"
        help_ = "declare each on its own"
    elif location.size == "X":
        if base_of(t) is not BOOL and not isinstance(t, Unknown):
            message, help_ = f"{t} does not go with a bit", "bits take BOOL"
        elif len(address) == 1:
            address = (address[0] // 8, address[0] % 8)
        elif len(address) != 2 or address[1] > 7:
            message, help_ = "a bit is byte.bit, the bit from 0 to 7", "for example %X0.3"
    elif len(address) != 1:
        message, help_ = f"%{location.size} takes one number", f"for example %{location.size}4"
    unit = AREA_UNIT[location.size]
    if not message and address[0] * unit > LAST:
        message, help_ = f"places end at {LAST} bytes", "write a smaller number"
    if message:
        names.reporter.report("E0334", message, location.span, help=help_)
        return None
    return address[0] * unit, address[1] if location.size == "X" else None


def _crooked(names: Declarations, made: Field, align: int, decl: tree.VarDecl) -> None:
    names.reporter.report(
        "E0334",
        f"{made.type} must be at a multiple of {align} bytes",
        decl.location.span if decl.location is not None else decl.span,
        help=f"the next places are %B{made.offset // align * align} and "
        f"%B{(made.offset // align + 1) * align}; numbers may be anywhere",
    )


# --- what shares its bytes -------------------------------------------------------------------


def _extent(f: Field) -> tuple[int, int]:
    start = 8 * f.offset + (f.bit or 0)
    return start, start + (1 if f.bit is not None else 8 * size_align(f.type)[0])


def _check_overlap(names: Declarations, t: StructType) -> None:
    """Mark what shares its place with others, and report it where it must not."""
    last: Field | None = None
    for f in sorted(t.fields.values(), key=_extent):
        if last is not None and _extent(f)[0] < _extent(last)[1]:
            if not t.overlap:
                names.reporter.report(
                    "E0335",
                    f"'{f.name}' lies over '{last.name}'",
                    f.span,
                    others=[Label(last.span, "the other one")],
                    help="move it, or write STRUCT OVERLAP",
                )
            f.overlaid = last.overlaid = True
        if last is None or _extent(f)[1] > _extent(last)[1]:
            last = f
    for f in t.fields.values():
        if f.overlaid and t.overlap and not is_plain(f.type):
            what = "a reference" if isinstance(f.type, RefType) else str(f.type)
            names.reporter.report(
                "E0336",
                f"{what} cannot share its place",
                f.span,
                label="what is written there by another name would break it",
                help="strings, references and function blocks need a place of their own",
            )
            f.type = Unknown()


def is_plain(t: Type) -> bool:
    """Any bytes are a value of it (of BOOL, any that is not 0 counts as 1)."""
    if isinstance(t, ArrayType):
        return is_plain(t.element)
    if isinstance(t, StructType):
        return all(is_plain(f.type) for f in t.fields.values())
    return not isinstance(t, StringType | RefType | FbType | InterfaceType)


def holds_bool(t: Type) -> bool:
    """Whether a BOOL in it takes a byte of its own, which is 0 or 1 everywhere else."""
    while isinstance(t, ArrayType):
        t = t.element
    if isinstance(t, StructType):
        return any(holds_bool(f.type) and f.bit is None for f in t.fields.values())
    return base_of(t) is BOOL


def not_whole(span: Span, t: Type) -> tuple[str, str, Span, str]:
    """The diagnostic for using as a whole what shares its place and holds BOOL."""
    return (
        "E0337",
        f"{t} shares its place with others and holds BOOL",
        span,
        "use its members or elements one by one, or BIT instead of BOOL",
    )
