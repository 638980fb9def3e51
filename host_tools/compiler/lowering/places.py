"""Lowers what can be read, written, called and pointed at: variables, members, elements, parts."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir, relative, tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.foreign import variable_advice
from host_tools.compiler.lowering import methods
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Place, PropertyUse, Symbol, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    BYTE,
    DINT,
    DWORD,
    ELEMENTARY,
    LWORD,
    UNKNOWN,
    WORD,
    ArrayType,
    Elementary,
    EnumType,
    FbType,
    Field,
    InterfaceType,
    OpenArrayType,
    RefType,
    StringType,
    StructType,
    Type,
    Unknown,
    base_of,
    conversion_name,
    derives,
    is_aggregate,
    is_integer,
    kind_of,
    size_align,
)


def place(
    body: Body, node: tree.Expr, write: bool = False, properties: bool = False
) -> Place | None:
    """What `node` designates, None where that was reported. `write` also checks that it may be
    assigned to. `properties`: it may be one, which is read and written but has no address."""
    made = _place(body, node, write)
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
        return _held(body, value)
    made = place(body, node, write, properties=True)
    if made is None or made.prop is None:
        return made
    if write and not isinstance(made.type, RefType | InterfaceType):
        _no_variable(body, made.prop.name, node.span)
        return None
    value = methods.get_property(body, made)
    return None if isinstance(value.type, Unknown) else _held(body, value)


def _held(body: Body, value: Value) -> Place:
    """A place that holds a value which was just computed."""
    if value.addr is not None:
        return Place(value.type, value.span, value.addr)
    if isinstance(value.type, StringType):
        slot = body.frame_slot(value.type)
        body.initialise(slot, value.type)
        body.emit(ir.Store(slot, value.expr))
        return Place(value.type, value.span, slot)
    expr = body.temporary(value.expr)
    if isinstance(expr, ir.Local):
        return Place(value.type, value.span, local=expr.index)
    index = body.new_local("", expr.kind)
    body.emit(ir.SetLocal(index, expr))
    return Place(value.type, value.span, local=index)


def _place(body: Body, node: tree.Expr, write: bool) -> Place | None:
    match node:
        case tree.Name():
            return _name_place(body, node, write)
        case tree.Direct():
            return _direct_place(body, node, write)
        case tree.Member():
            collapsed = qualified(body, node)
            if collapsed is not node:
                return place(body, collapsed, write)
            return _member_place(body, node, write)
        case tree.Index():
            return _index_place(body, node, write)
        case tree.Deref():
            return _deref_place(body, node)
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


# --- names -----------------------------------------------------------------------------------


def _name_place(body: Body, node: tree.Name, write: bool) -> Place | None:
    symbol = body.lookup(node.name, node.span)
    if symbol is None:
        word = methods.self_word(node)
        if word:
            return _self_reference(body, node, word, write)
        own = methods.own_property(body, node.name, node.span)
        if own is None:
            _not_found(body, node)
        return own
    if symbol.access == "PRIVATE" and symbol.owner is not body.this:
        methods.told_access(body, symbol.name, symbol.owner, symbol.access, node.span, symbol.span)
        return None
    if body.notes is not None:
        body.notes.symbols[id(node.span)] = symbol
    if body.constants_only and symbol.storage != "const":
        body.reporter.report(
            "E0210",
            f"'{symbol.name}' is a variable; a constant is needed here",
            node.span,
            others=[Label(symbol.span, "declared here")],
            help="declare it CONSTANT, or use a literal",
        )
        return None
    if isinstance(symbol.type, Unknown):
        return None
    if symbol.storage == "const":
        if write:
            _is_constant(body, symbol, node.span)
        else:
            body.reporter.report(
                "E0228",
                f"'{symbol.name}' is a constant and has no address",
                node.span,
                others=[Label(symbol.span, "declared here")],
                help="copy it to a variable first",
            )
        return None
    if write:
        if symbol.is_constant:
            _is_constant(body, symbol, node.span)
            return None
        if symbol.section == "STEP":
            _is_step(body, symbol, node.span)
            return None
        if fold(node.name) in body.loop_variables:
            body.reporter.report(
                "E0241",
                f"'{symbol.name}' counts the loop around this",
                node.span,
                label="cannot be changed inside of its FOR",
                help="use WHILE, or leave the loop with EXIT",
            )
        if symbol.area == "I" or symbol.is_input:
            _input_write(body, node.span)
    return symbol_place(body, symbol, node.span, write)


def _self_reference(body: Body, node: tree.Name, word: str, write: bool) -> Place | None:
    """THIS as a value: a reference to the instance."""
    here = methods.self_place(body, word, node.span)
    if here is None:
        return None
    if write or word == "SUPER":
        body.reporter.report(
            "E0228",
            f"{word} is not a variable",
            node.span,
            help=f"write {word}^.name for a member of the instance",
        )
        return None
    return _held(body, Value(RefType(here.type), ir.AddrOf("u32", address(here)), node.span))


def _is_constant(body: Body, symbol: Symbol, span: Span) -> None:
    body.reporter.report(
        "E0240",
        f"'{symbol.name}' is CONSTANT"
        if symbol.section != "VAR_INPUT" or not isinstance(symbol.type, OpenArrayType)
        else f"'{symbol.name}' is an input",
        span,
        label="cannot be changed",
        others=[Label(symbol.span, "declared here")],
        help="declare it without CONSTANT, or use another variable"
        if not isinstance(symbol.type, OpenArrayType)
        else "declare it in VAR_IN_OUT, without CONSTANT: an input ARRAY[*] is the caller's array",
    )


def _is_step(body: Body, symbol: Symbol, span: Span) -> None:
    body.reporter.report(
        "E0378",
        f"'{symbol.name}' belongs to the SFC and cannot be assigned to",
        span,
        others=[Label(symbol.span, "declared here")],
        help="transitions activate and leave steps, and steps control actions",
    )


def _input_write(body: Body, span: Span) -> None:
    if body.privileged:
        return
    body.reporter.report(
        "E0242",
        "an input cannot be assigned to",
        span,
        help="the next latch would overwrite it; use a variable, or force it with the tools",
    )


def symbol_place(body: Body, symbol: Symbol, span: Span, write: bool) -> Place:
    """The place of a symbol, noting what it touches outside of the body."""
    made = Place(symbol.type, span, symbol=symbol, section=symbol.section, bounds=symbol.bounds)
    if symbol.storage == "static":
        made.addr = ir.Addr("static", symbol.offset)
        made.bit = symbol.bit
        if symbol.area:
            touch_area(body, symbol.area, symbol.offset, symbol.bit, symbol.type, span, write)
        elif write and symbol.section == "VAR_GLOBAL":
            body.touch.globals.setdefault(symbol.name, span)
    elif symbol.storage == "self":
        made.addr = ir.Addr("self", symbol.offset)
    elif symbol.storage == "frame":
        made.addr = ir.Addr("frame", symbol.offset)
    elif symbol.storage == "ref":
        made.addr = ir.Addr("ptr", 0, (), ir.Local("u32", symbol.offset))
        made.dynamic = True
    elif symbol.storage == "selfref":
        pointer = _bound(body, ir.Load("u32", ir.Addr("self", symbol.offset)), span)
        made.addr = ir.Addr("ptr", 0, (), pointer)
        made.dynamic = True
    else:
        made.local = symbol.offset
    return made


def _bound(body: Body, pointer: ir.Expr, span: Span) -> ir.Expr:
    """The address that a VAR_IN_OUT stands for. A method may be called before the block itself
    has ever been, and then there is none."""
    if body.pou is not None and body.pou.kind == "METHOD":
        return ir.NotNull("u32", pointer, position(span))
    return pointer


def touch_area(
    body: Body, area: str, offset: int, bit: int | None, t: Type, span: Span, write: bool
) -> None:
    """Note that a located variable is read or written."""
    size = 1 if bit is not None else size_align(t)[0]
    key = (area, offset, -1 if bit is None else bit, size)
    (body.touch.writes if write else body.touch.reads).setdefault(key, span)


def note_write(body: Body, base: Place, span: Span) -> None:
    """A part of `base` is written: check and note what whole variable that is."""
    symbol = base.symbol
    if symbol is None:
        return
    if symbol.is_constant:
        _is_constant(body, symbol, span)
    elif symbol.section == "VAR_GLOBAL" and not symbol.area:
        body.touch.globals.setdefault(symbol.name, span)
    if symbol.is_input:
        _input_write(body, span)
    if symbol.area:
        if symbol.area == "I":
            _input_write(body, span)
        touch_area(body, symbol.area, symbol.offset, symbol.bit, symbol.type, span, True)


_OTHER_LANGUAGES = {
    **dict.fromkeys(("NONE", "NIL", "NULLPTR"), "a reference to nothing is written NULL"),
    **dict.fromkeys(
        ("DEFAULT", "OTHERS", "OTHERWISE"),
        "the branch of CASE for all other values is written ELSE",
    ),
    **dict.fromkeys(("SELF", "ME"), "the instance itself is written THIS^"),
}
"""Words that people write for what has another name here."""


def _not_found(body: Body, node: tree.Name) -> None:
    # One forgotten declaration is one mistake, however often the name is used.
    if fold(node.name) in body.unknown:
        return
    body.unknown.add(fold(node.name))
    pou = body.declarations.find_pou(node.name, node.span)
    if pou is not None and pou.kind == "FUNCTION_BLOCK":
        body.reporter.report(
            "E0206",
            f"'{node.name}' is a function block; declare an instance of it",
            node.span,
            help=f"for example, in VAR: my_{node.name.lower()} : {pou.name.name};",
        )
        return
    if pou is not None:
        body.reporter.report(
            "E0206",
            f"'{node.name}' is a {pou.kind}, not a variable",
            node.span,
            help=f"call it: {node.name}(…)"
            if pou.kind == "FUNCTION"
            else "programs share values in VAR_GLOBAL, or by their connections in CONFIGURATION",
        )
        return
    lists = body.declarations.naming.qualified_only.get(fold(node.name))
    if lists:
        body.reporter.report(
            "E0358",
            f"'{node.name}' is only found with the name of its list",
            node.span,
            help=f"write {' or '.join(lists)}",
        )
        return
    foreign = _OTHER_LANGUAGES.get(fold(node.name))
    enums = body.declarations.enum_values
    known = body.names() + [found[0][0].spelling[key] for key, found in enums.items() if found]
    body.reporter.report(
        "E0200",
        f"there is no variable '{node.name}'",
        node.span,
        label="not declared",
        help=foreign
        or did_you_mean(node.name, known)
        or variable_advice(node.name)
        or f"declare it: {node.name} : <type>;",
    )


DIRECT_TYPES = {"X": BOOL, "B": BYTE, "W": WORD, "D": DWORD, "L": LWORD}


def _direct_place(body: Body, node: tree.Direct, write: bool) -> Place | None:
    if body.direct is None:
        body.reporter.report(
            "E0210",
            "a constant is needed here",
            node.span,
            label="this is only known when the program runs",
            help="assign the value in the body instead",
        )
        return None
    where = body.direct(node)
    if where is None:
        return None
    t = DIRECT_TYPES[node.size]
    if write and node.area == "I":
        _input_write(body, node.span)
    touch_area(body, node.area, where[0], where[1], t, node.span, write)
    return Place(t, node.span, ir.Addr("static", where[0]), where[1])


# --- members and parts -----------------------------------------------------------------------


def shifted(addr: ir.Addr, by: int) -> ir.Addr:
    return ir.Addr(addr.base, addr.offset + by, addr.terms, addr.pointer)


def opened(body: Body, base: Place) -> Place:
    """REFERENCE TO goes through by itself."""
    if isinstance(base.type, RefType) and base.type.kind == "REFERENCE TO":
        return through(body, base, base.span)
    return base


def _member_place(body: Body, node: tree.Member, write: bool) -> Place | None:
    name = node.name
    if name[:1].isdigit() or name[:1] == "%":
        return _partial_place(body, node, write)
    base = member_base(body, node, write)
    return member_of(body, base, node, write) if base is not None else None


def member_base(body: Body, node: tree.Member, write: bool) -> Place | None:
    """What stands before the point."""
    word = methods.self_word(node.base)
    if word and body.lookup(word, node.base.span) is None:
        return methods.self_place(body, word, node.base.span)
    base = base_place(body, node.base, write)
    return opened(body, base) if base is not None else None


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
        pointer = _bound(body, ir.Load("u32", shifted(address(base), field.offset)), node.span)
        return Place(field.type, node.span, ir.Addr("ptr", 0, (), pointer), dynamic=True)
    return Place(
        field.type,
        node.span,
        shifted(address(base), field.offset),
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


PARTS = {"X": (1, BOOL), "B": (8, BYTE), "W": (16, WORD), "D": (32, DWORD)}


def _partial_place(body: Body, node: tree.Member, write: bool) -> Place | None:
    """`x.3`, `x.%X3`, `w.%B1` (IEC 61131-3:2013 6.5.6, Table 17)."""
    base = base_place(body, node.base, write)
    if base is None:
        return None
    base = opened(body, base)
    if base.addr is None and base.symbol is None:  # of a value: SHR(x, 3).%X0
        slot = body.frame_slot(base.type)
        body.emit(ir.Store(slot, load(body, base).expr))
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
        part, node.span, shifted(address(base), number * size // 8), bit, symbol=base.symbol
    )
    made.unaligned = base.unaligned and size > 8
    return made


# --- elements --------------------------------------------------------------------------------


def _index_place(body: Body, node: tree.Index, write: bool) -> Place | None:
    base = base_place(body, node.base, write)
    if base is None:
        return None
    base = opened(body, base)
    t: Type = base.type
    if isinstance(t, Unknown):
        return None
    pointed = isinstance(t, RefType) and t.kind == "POINTER TO" and len(node.indices) == 1
    if pointed and isinstance(t, RefType) and not isinstance(t.target, ArrayType | Unknown):
        from host_tools.compiler.lowering import pointers

        return pointers.element(body, base, node.indices[0], node.span)
    if isinstance(t, StringType):
        return _character_place(body, base, t, node)
    if not isinstance(t, ArrayType | OpenArrayType):
        body.reporter.report(
            "E0236",
            f"{t} is not an array",
            node.span,
            label="an index does not go with it",
            help=f"write ^ first: {node.base.span.text}^[…]"
            if isinstance(t, RefType)
            else f"write {node.base.span.text} without an index, or declare it as an ARRAY",
        )
        return None
    addr = address(base)
    indices = list(node.indices)
    while indices and isinstance(t, ArrayType | OpenArrayType):
        dims = t.dims if isinstance(t, OpenArrayType) else len(t.bounds)
        here, indices = indices[:dims], indices[dims:]
        if len(here) < dims:
            body.reporter.report(
                "E0237",
                f"this array has {dims} dimensions, not {len(here)}",
                node.span,
                help="give an index for each dimension: "
                f"{node.base.span.text}[{', '.join('…' for _ in range(dims))}]",
            )
            return None
        if isinstance(t, OpenArrayType):
            from host_tools.compiler.lowering import open_arrays

            found = open_arrays.element(body, base, here, node.span)
            if found is None:
                return None
            addr, t = address(found), t.element
            continue
        made = _index_terms(body, addr, t, here)
        if made is None:
            return None
        addr, t = made, t.element
    if indices:
        body.reporter.report(
            "E0237",
            "there are more indices than dimensions",
            node.span,
            help=f"remove {'one' if len(indices) == 1 else len(indices)}",
        )
        return None
    made_place = Place(t, node.span, addr, symbol=base.symbol, section=base.section)
    made_place.overlaid = base.overlaid
    return made_place


def _index_terms(
    body: Body, addr: ir.Addr, t: ArrayType, indices: list[tree.Expr]
) -> ir.Addr | None:
    from host_tools.compiler.lowering.expressions import expression

    scale = size_align(t.element)[0]
    scales: list[int] = []
    for low, high in reversed(t.bounds):
        scales.append(scale)
        scale *= high - low + 1
    scales.reverse()

    def evaluate(node: tree.Expr) -> Callable[[], Value]:
        return lambda: expression(body, node)

    values = body.in_order([evaluate(n) for n in indices])
    for (low, high), step, value in zip(t.bounds, scales, values, strict=True):
        index_type = base_of(value.type)
        if isinstance(index_type, Unknown):
            return None
        if isinstance(index_type, EnumType):
            index_type = index_type.base
        if not is_integer(index_type):
            name = conversion_name(index_type, DINT)
            body.reporter.report(
                "E0238",
                f"an array index must be an integer, not {index_type}",
                value.span,
                help=f"convert it, for example {name}(…)" if name else "use an integer",
            )
            return None
        if isinstance(value.const, int):
            if not low <= value.const <= high:
                body.reporter.report(
                    "E0239",
                    f"index {value.const} is outside of {low}..{high}",
                    value.span,
                    help=f"indices go from {low} to {high}",
                )
                return None
            addr = shifted(addr, (value.const - low) * step)
            continue
        # A subrange is not sure to be inside either: Modbus and the tools write what they like.
        at = position(value.span)
        index = ir.Check(value.expr.kind, value.expr, low, high, ir.Fault.INDEX, at)
        terms = (*addr.terms, (index, step))
        addr = ir.Addr(addr.base, addr.offset - low * step, terms, addr.pointer)
    return addr


def _character_place(body: Body, base: Place, t: StringType, node: tree.Index) -> Place | None:
    """`text[i]`: character i of a string, from 1, within its declared length (IEC 6.4.2)."""
    if len(node.indices) != 1:
        body.reporter.report(
            "E0237",
            "a string has one index",
            node.span,
            help="the position of the character, from 1",
        )
        return None
    characters = ArrayType(((1, t.length),), ELEMENTARY["WCHAR" if t.wide else "CHAR"])
    addr = _index_terms(body, shifted(address(base), 4), characters, list(node.indices))
    if addr is None:
        return None
    return Place(characters.element, node.span, addr, symbol=base.symbol)


def has_address(body: Body, where: Place, span: Span) -> bool:
    """Whether a reference to the place is possible; reported where not."""
    if where.bit is not None:
        no_address(body, span)
        return False
    if where.overlaid and relative.holds_bool(where.type):
        not_whole(body, where.type, span)
        return False
    if where.unaligned:
        body.reporter.report(
            "E0248",
            f"{where.type} at an odd place has no address",
            span,
            help="copy it to a variable of its own, use that, and copy it back",
        )
        return False
    return True


def not_whole(body: Body, t: Type, span: Span) -> None:
    code, message, at, help_ = relative.not_whole(span, t)
    body.reporter.report(code, message, at, help=help_)


def no_address(body: Body, span: Span) -> None:
    """A bit that is not a variable of its own cannot be pointed at."""
    body.reporter.report(
        "E0248",
        "a single bit has no address",
        span,
        help="copy it to a BOOL variable, use that, and copy it back",
    )


# --- references ------------------------------------------------------------------------------


def _deref_place(body: Body, node: tree.Deref) -> Place | None:
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
    return through(body, base, node.span)


def through(body: Body, base: Place, span: Span) -> Place:
    """The place a reference refers to; null is a fault."""
    assert isinstance(base.type, RefType)
    stored = Place(RefType(base.type.target), base.span, base.addr, None, base.local, base.symbol)
    pointer = ir.NotNull("u32", load(body, stored).expr, position(span))
    return Place(base.type.target, span, ir.Addr("ptr", 0, (), pointer), dynamic=True)


# --- reading and writing ---------------------------------------------------------------------


def address(where: Place) -> ir.Addr:
    """The image address of a place. A local that has none gets one when its POU is lowered for a
    second time; until then any will do."""
    if where.addr is None:
        assert where.symbol is not None
        where.symbol.needs_address = True
        return ir.Addr("frame", 0)
    return where.addr


def load(body: Body, where: Place) -> Value:
    """The value at a place; aggregates are their address."""
    t = where.type
    if where.prop is not None:
        value = methods.get_property(body, where)
        if isinstance(t, RefType) and t.kind == "REFERENCE TO" and value.type == t:
            return load(body, _held(body, value))
        return value
    if isinstance(t, RefType) and t.kind == "REFERENCE TO":
        return load(body, through(body, where, where.span))
    if is_aggregate(t) or isinstance(t, OpenArrayType):
        addr = address(where)
        if where.overlaid and relative.holds_bool(t):
            not_whole(body, t, where.span)
            return Value(UNKNOWN, ir.Const("i32", 0), where.span)
        return Value(t, ir.AddrOf("u32", addr), where.span, addr=addr)
    kind = kind_of(t)
    if where.local is not None:
        return Value(t, ir.Local(kind, where.local), where.span)
    assert where.addr is not None
    if where.bit is not None:
        return Value(t, ir.LoadBit("b1", where.addr, where.bit), where.span)
    if where.unaligned:
        return Value(t, _load_bytes(body, where, kind), where.span)
    if where.overlaid and kind == "b1":
        byte = ir.Load("u8", where.addr)
        return Value(t, ir.Compare("b1", "ne", byte, ir.Const("u8", 0)), where.span)
    limit = t.length if isinstance(t, StringType) and not _any_length(where) else 0
    return Value(t, ir.Load(kind, where.addr, limit), where.span)


def _load_bytes(body: Body, where: Place, kind: str) -> ir.Expr:
    """A number that is not aligned, put together from its bytes."""
    addr = frozen(body, where).addr
    assert addr is not None
    size = size_align(where.type)[0]
    plain = f"u{8 * size}"
    made: ir.Expr = ir.Const(plain, 0)
    for i in range(size):
        byte: ir.Expr = ir.Convert(plain, ir.Load("u8", shifted(addr, i)))
        if i:
            byte = ir.Binary(plain, "shl", byte, ir.Const("u8", 8 * i))
        made = byte if not i else ir.Binary(plain, "or", made, byte)
    if kind == plain:
        return made
    return ir.Bits(kind, made) if kind in ("f32", "f64") else ir.Convert(kind, made)


def _store_bytes(body: Body, where: Place, value: ir.Expr) -> None:
    size = size_align(where.type)[0]
    plain = f"u{8 * size}"
    value = body.temporary(value)
    addr = frozen(body, where).addr
    assert addr is not None
    if value.kind in ("f32", "f64"):
        value = body.temporary(ir.Bits(plain, value))
    elif value.kind != plain:
        value = body.temporary(ir.Convert(plain, value))
    for i in range(size):
        part = value if not i else ir.Binary(plain, "shr", value, ir.Const("u8", 8 * i))
        body.emit(ir.Store(shifted(addr, i), ir.Convert("u8", part)))


def _any_length(where: Place) -> bool:
    """A VAR_IN_OUT string may stand for a longer one."""
    symbol = where.symbol
    return symbol is not None and symbol.section == "VAR_IN_OUT" and symbol.type is where.type


def store(body: Body, where: Place, value: Value) -> None:
    """Store a value that already has the type of the place."""
    if where.prop is not None:
        methods.set_property(body, where, value)
        return
    if where.local is not None:
        body.emit(ir.SetLocal(where.local, value.expr))
        return
    assert where.addr is not None
    if is_aggregate(where.type):
        assert value.addr is not None
        size = size_align(where.type)[0]
        to, source = where.addr, value.addr
        if isinstance(where.type, FbType) and where.type.type_id:
            # What it is stays; only what it holds is copied.
            size, to, source = size - 4, shifted(to, 4), shifted(source, 4)
        if size:
            body.emit(ir.Copy(to, source, size))
    elif where.bit is not None:
        body.emit(ir.StoreBit(where.addr, where.bit, value.expr))
    elif where.unaligned:
        _store_bytes(body, where, value.expr)
    else:
        body.emit(ir.Store(where.addr, value.expr))


def frozen(body: Body, where: Place) -> Place:
    """The place with every index and pointer evaluated now, so that later statements do not change
    what it designates."""
    addr = where.addr
    if where.prop is not None and where.prop.receiver is not None:
        use = where.prop
        receiver = frozen(body, where.prop.receiver)
        kept = PropertyUse(receiver, use.getter, use.setter, use.name)
        return Place(where.type, where.span, prop=kept)
    if addr is None or (not addr.terms and addr.pointer is None):
        return where
    if not addr.terms and isinstance(addr.pointer, ir.Local):
        return where
    pointer = body.temporary(ir.AddrOf("u32", addr))
    return Place(
        where.type,
        where.span,
        ir.Addr("ptr", 0, (), pointer),
        where.bit,
        None,
        where.symbol,
        where.section,
        where.dynamic,
        where.is_self,
        None,
        where.bounds,
        where.unaligned,
        where.overlaid,
    )
