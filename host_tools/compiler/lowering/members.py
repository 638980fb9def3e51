"""Lowers members of structures and instances, and bits and bytes of numbers."""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lowering import methods, places, storage
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Place
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    BYTE,
    DWORD,
    WORD,
    ArrayType,
    Elementary,
    FbType,
    Field,
    InterfaceType,
    RefType,
    StructType,
    Type,
    Unknown,
    base_of,
    derives,
    size_align,
)


def member(body: Body, node: tree.Member, write: bool) -> Place | None:
    name = node.name
    if name[:1].isdigit() or name[:1] == "%":
        return _part(body, node, write)
    base = member_base(body, node, write)
    return member_of(body, base, node, write) if base is not None else None


def member_base(body: Body, node: tree.Member, write: bool) -> Place | None:
    """What stands before the point."""
    word = methods.self_word(node.base)
    if word and body.lookup(word, node.base.span) is None:
        return methods.self_place(body, word, node.base.span)
    base = places.base_place(body, node.base, write)
    return storage.opened(body, base) if base is not None else None


def member_of(body: Body, base: Place, node: tree.Member, write: bool) -> Place | None:
    """The member of `base` that `node` names."""
    name = node.name
    t = base.type
    if isinstance(t, Unknown):
        return None
    if isinstance(t, FbType | InterfaceType) and t.members:
        key = fold(name)
        if f"GET {key}" in t.members or f"SET {key}" in t.members:
            return methods.property_of(body, base, node)
        if key in t.members:
            _is_method(body, t, node)
            return None
    if isinstance(t, InterfaceType):
        methods.no_member(body, t, name, node.span)
        return None
    if not isinstance(t, StructType | FbType):
        body.reporter.report(
            "E0232",
            f"{t} has no members",
            node.span,
            label=f"'.{name}' asks for one",
            help=_no_members(t, node),
        )
        return None
    field = t.member(fold(name)) if isinstance(t, FbType) else t.fields.get(fold(name))
    if field is None and body.privileged and isinstance(t, FbType):
        from host_tools.compiler.lowering.mocks import hidden_member

        located = hidden_member(body, t, node, write)
        if located is not None:
            return located
    if field is None and isinstance(t, FbType):
        methods.no_member(body, t, name, node.span)
        return None
    if field is None:
        names = [f.name for f in t.fields.values()]
        near = did_you_mean(name, names)
        if not near and not body.reporter.is_first("E0231", str(t), fold(name)):
            return None
        body.reporter.report(
            "E0231",
            f"{t} has no member '{name}'",
            node.span,
            help=near or f"it has {', '.join(names[:12]) or 'none'}",
        )
        return None
    if isinstance(t, FbType) and not _is_inside(body, field, base):
        if field.access in ("PRIVATE", "PROTECTED") and not body.privileged:
            methods.told_access(body, field.name, field.owner, field.access, node.span, field.span)
            return None
        guarded = field.access == "INTERNAL" and not body.in_test
        if guarded and methods.told_internal(body, field.name, node.span, field.span):
            return None
        readable = field.section in ("VAR_INPUT", "VAR_OUTPUT", "STEP")
        if field.section == "VAR" and field.access in ("PUBLIC", "INTERNAL"):
            readable = True
        open_ = body.privileged and field.section not in ("VAR_IN_OUT", "STEP")
        if not open_ and (not readable or (write and field.section in ("VAR_OUTPUT", "STEP"))):
            body.reporter.report(
                "E0233",
                f"'{field.name}' of {t} cannot be {'written' if write else 'read'} from outside",
                node.span,
                label=f"it is {field.section}",
                others=[Label(field.span, "declared here")],
                help=_private(field, write),
            )
            return None
    if field.section == "VAR_IN_OUT":
        pointer = storage.bound(
            body, ir.Load("u32", storage.shifted(storage.address(base), field.offset)), node.span
        )
        return Place(field.type, node.span, ir.Addr("ptr", 0, (), pointer), dynamic=True)
    return Place(
        field.type,
        node.span,
        storage.shifted(storage.address(base), field.offset),
        field.bit,
        symbol=base.symbol,
        section=field.section,
        unaligned=field.unaligned,
        overlaid=field.overlaid or base.overlaid,
    )


def _is_inside(body: Body, field: Field, base: Place) -> bool:
    """Whether the code at hand belongs to the function block that has the field: by THIS and SUPER
    it can use all of it, of other instances all but what stands for the variables of a call."""
    if body.this is None or field.owner is None or not derives(body.this, field.owner):
        return False
    if field.access == "PRIVATE" and field.owner is not body.this:
        return False
    return base.is_self or field.section != "VAR_IN_OUT"


def _is_method(body: Body, t: FbType | InterfaceType, node: tree.Member) -> None:
    method = t.members[fold(node.name)]
    body.reporter.report(
        "E0206",
        f"'{node.name}' is a METHOD of {t}, not a variable",
        node.span,
        others=[Label(method.pou.name.span, "declared here")],
        help=f"call it: {node.span.text}(…)",
    )


def _no_members(t: Type, node: tree.Member) -> str:
    if isinstance(t, RefType):
        return "write ^ before the point to go through the reference"
    if isinstance(t, ArrayType):
        return f"name an element first: {node.base.span.text}[…].{node.name}"
    return "structures and function block instances have members"


def _private(field: Field, write: bool) -> str:
    if field.section == "VAR_IN_OUT":
        return f"it stands for the variable given in the call: {field.name} := …"
    if field.section == "STEP":
        return "transitions activate and leave steps"
    if field.section == "VAR_OUTPUT":
        return "only the block itself sets its outputs; give it an input for this"
    return f"declare it {'VAR_INPUT' if write else 'VAR_OUTPUT'}"


PARTS = {"X": (1, BOOL), "B": (8, BYTE), "W": (16, WORD), "D": (32, DWORD)}


def _part(body: Body, node: tree.Member, write: bool) -> Place | None:
    """`x.3`, `x.%X3`, `w.%B1` (IEC 61131-3:2013 6.5.6, Table 17)."""
    base = places.base_place(body, node.base, write)
    if base is None:
        return None
    base = storage.opened(body, base)
    if base.addr is None and base.symbol is None:  # of a value: SHR(x, 3).%X0
        slot = body.frame_slot(base.type)
        body.emit(ir.Store(slot, storage.load(body, base).expr))
        base = Place(base.type, base.span, slot)
    t = base_of(base.type)
    size, part = PARTS["X"]
    digits = node.name
    if digits.startswith("%"):
        size, part = PARTS[digits[1].upper()]
        digits = digits[2:]
    number = int(digits)
    if not isinstance(t, Elementary) or t.group not in ("bit", "sint", "uint"):
        if not isinstance(t, Unknown):
            body.reporter.report(
                "E0234",
                f"{t} has no bits or bytes to take apart",
                node.span,
                help="partial access works on bit strings and integers",
            )
        return None
    width = size_align(t)[0] * 8
    if (number + 1) * size > width or size == width:
        body.reporter.report(
            "E0235",
            f"{t} has no part '{node.name}'",
            node.span,
            help=f"the last one is {node.name.rstrip('0123456789')}{width // size - 1}"
            if size < width
            else f"{t} is no larger than that; use it as a whole",
        )
        return None
    bit = number % 8 if size == 1 else None
    made = Place(
        part,
        node.span,
        storage.shifted(storage.address(base), number * size // 8),
        bit,
        symbol=base.symbol,
    )
    made.unaligned = base.unaligned and size > 8
    return made
