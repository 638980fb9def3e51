"""Lowers one POU: names and storage of its variables, prologue, body, return."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import constant_values, fields, ir, tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.fields import MAX_BYTES, static_name
from host_tools.compiler.heritage import own_members
from host_tools.compiler.lowering import control, edges, open_arrays
from host_tools.compiler.lowering.actions import check_names, shared_temporaries
from host_tools.compiler.lowering.body import Body, scalar_const
from host_tools.compiler.lowering.mocks import prologue
from host_tools.compiler.lowering.parameters import by_reference, parameters_of
from host_tools.compiler.lowering.sfc import lower_chart
from host_tools.compiler.lowering.statements import statements
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Symbol, Touch
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import (
    UNKNOWN,
    ArrayType,
    FbType,
    Field,
    Method,
    OpenArrayType,
    RefType,
    StringType,
    Type,
    Unknown,
    is_aggregate,
    kind_of,
    same,
    size_align,
)
from host_tools.record import record, replace

PARAMETER_SECTIONS = ("VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT")

MakeBody = Callable[[], Body]


@record(frozen=True)
class Around:
    """What a POU stands in: `block` for the methods of a function block; for a PROGRAM and its
    methods the `program` instance and its variables."""

    block: FbType | None = None
    pou: tree.Pou | None = None
    program: str = ""
    symbols: dict[str, Symbol] | None = None


NOTHING_AROUND = Around()


def lower_pou(
    make_body: MakeBody,
    pou: tree.Pou,
    name: str,
    around: Around = NOTHING_AROUND,
    action: tree.Action | None = None,
) -> tuple[ir.Func, Touch]:
    """Lower a POU, or one `action` of it, to a function. The variables of function blocks are
    members of the instance."""
    body = make_body()
    func = _lower(body, pou, name, around, action)
    in_memory = _without_address(body)
    if in_memory:
        body = make_body()
        body.in_memory = in_memory
        func = _lower(body, pou, name, around, action)
        assert not _without_address(body)
    return func, body.touch


def _without_address(body: Body) -> set[str]:
    """The locals whose address is taken: they must live in the frame."""
    return {key for key, symbol in body.symbols.items() if symbol.needs_address}


def _lower(
    body: Body, pou: tree.Pou, name: str, around: Around, action: tree.Action | None
) -> ir.Func:
    has_self = around.block is not None
    body.pou = pou
    body.privileged = pou.span.source.index in body.declarations.test_sources
    result: int | None = None
    count = 0
    shown = pou.name.name
    if around.pou is not None:
        body.program = around.program
        members = own_members(around.pou.methods, around.pou.properties)
        owner = FbType(around.pou.name.name, around.pou)
        body.program_members = {key: Method(member, owner) for key, member in members}
    if pou.kind == "METHOD":
        body.this = around.block
        body.scope = _scope(body, around)
        shown = f"{around.block or around.program}.{shown}"
    if pou.kind in ("FUNCTION", "METHOD"):
        count = _function_parameters(body, pou)
        result = _function_result(body, pou)
    elif around.symbols is not None:
        body.symbols.update(around.symbols)
    else:
        has_self = True
        _instance(body, pou)
    if action is not None:
        count = shared_temporaries(body, pou)
    _other_variables(body, pou, in_action=action is not None)
    if action is None:
        edges.detect(body)
        control.enter(body, pou)
        if body.harness is not None:
            prologue(body, pou)
    if body.frame > MAX_BYTES:
        fields.too_large(
            body.declarations, "the local variables would take", body.frame, pou.name.span
        )
        body.frame = 0
    if action is not None:
        statements(body, action.body)
    elif pou.sfc is not None:
        lower_chart(body, pou)
    else:
        statements(body, pou.body)
    if action is None:
        check_names(body, pou)
    body.make_return()
    return ir.Func(
        name=name,
        source_name=shown if action is None else f"{shown}.{action.name.name}",
        parameters=count,
        locals=tuple(body.locals),
        result=result,
        has_self=has_self,
        frame=(body.frame + 7) // 8 * 8,
        body=tuple(body.block),
        pos=position(pou.name.span if action is None else action.name.span),
    )


def add_symbol(body: Body, symbol: Symbol) -> None:
    key = fold(symbol.name)
    first = body.symbols.get(key)
    if first is not None:
        body.reporter.report(
            "E0201",
            f"'{symbol.name}' is declared twice",
            symbol.span,
            label="declared again here",
            others=[Label(first.span, "first declared here")],
            help="rename one of them (upper and lower case make no difference)",
        )
        return
    body.symbols[key] = symbol


# --- functions -------------------------------------------------------------------------------


def _function_parameters(body: Body, pou: tree.Pou) -> int:
    params = parameters_of(body, pou)
    for p in params:
        body.new_local(p.name, "u32" if by_reference(p) else kind_of(p.type))
    result = body.declarations.resolve(pou.result) if pou.result is not None else UNKNOWN
    count = len(params)
    if is_aggregate(result):
        body.new_local("result", "u32")
        count += 1
    for i, p in enumerate(params):
        symbol = Symbol(p.name, p.type, "local", i, p.span, p.section)
        symbol.is_constant = p.constant
        if isinstance(p.type, OpenArrayType):
            open_arrays.enter(body, symbol)
            symbol.is_constant = p.constant or p.section == "VAR_INPUT"
        elif p.section != "VAR_INPUT":
            symbol.storage = "ref"
        elif is_aggregate(p.type):
            slot = body.frame_slot(p.type)
            source = ir.Addr("ptr", 0, (), ir.Local("u32", i))
            body.emit(ir.Copy(slot, source, size_align(p.type)[0]))
            symbol.storage, symbol.offset = "frame", slot.offset
        elif isinstance(p.type, StringType) or fold(p.name) in body.in_memory:
            slot = body.frame_slot(p.type)
            if isinstance(p.type, StringType):
                body.emit(ir.Init(slot, p.type.length.to_bytes(2, "little") + b"\0\0"))
            body.emit(ir.Store(slot, ir.Local(kind_of(p.type), i)))
            symbol.storage, symbol.offset = "frame", slot.offset
        add_symbol(body, symbol)
        if p.section == "VAR_INPUT" and p.init is not None and not is_aggregate(p.type):
            body.declarations.constants.value(p.init, p.type, "a default value")
        if p.section == "VAR_OUTPUT" and not isinstance(p.type, OpenArrayType):
            body.initialise(ir.Addr("ptr", 0, (), ir.Local("u32", i)), p.type, p.init)
    return count


def _function_result(body: Body, pou: tree.Pou) -> int | None:
    if pou.result is None:
        return None
    t = body.declarations.resolve(pou.result)
    symbol = Symbol(tree.short_name(pou.name.name), t, "local", 0, pou.name.span, "RESULT")
    if isinstance(t, Unknown):
        add_symbol(body, symbol)
        return None
    if is_aggregate(t):
        _no_instances(body, t, pou.result.span)
        symbol.storage = "ref"
        symbol.offset = next(i for i, v in enumerate(body.locals) if v.name == "result")
        add_symbol(body, symbol)
        init = body.declarations.default_init(pou.result)
        body.initialise(ir.Addr("ptr", 0, (), ir.Local("u32", symbol.offset)), t, init)
        return None
    kind = kind_of(t)
    index = body.new_local("result", kind)
    init = body.declarations.default_init(pou.result)
    if isinstance(t, StringType) or fold(symbol.name) in body.in_memory:
        slot = body.frame_slot(t)
        symbol.storage, symbol.offset = "frame", slot.offset
        body.initialise(slot, t, init)
        limit = t.length if isinstance(t, StringType) else 0

        def leave() -> None:
            body.emit(ir.SetLocal(index, ir.Load(kind, slot, limit)))
            body.emit(ir.Return())

        body.make_return = leave
    else:
        symbol.offset = index
        body.emit(ir.SetLocal(index, _initial_scalar(body, t, init)))
    add_symbol(body, symbol)
    return index


def _initial_scalar(body: Body, t: Type, init: tree.Expr | None) -> ir.Expr:
    if init is not None:
        value = body.declarations.constants.value(init, t, "an initial value")
        if value is not None:
            return value.expr
    return scalar_const(t, constant_values.default_value(t))


# --- function blocks and the rest ------------------------------------------------------------


def _instance(body: Body, pou: tree.Pou) -> None:
    fb = body.declarations.fb_type(pou)
    body.this = fb
    if fb.base is not None:
        body.scope = _scope(body, Around(fb.base))
    for field in fb.fields.values():
        if "." not in field.name:
            add_symbol(body, _member(field))


def _member(field: Field) -> Symbol:
    storage = "selfref" if field.section == "VAR_IN_OUT" else "self"
    symbol = Symbol(field.name, field.type, storage, field.offset, field.span, field.section)
    symbol.owner, symbol.access = field.owner, field.access
    symbol.is_constant, symbol.edge = field.constant, field.edge
    symbol.is_input = field.location is not None and field.location.area == "I"
    if isinstance(field.type, OpenArrayType):
        open_arrays.bind(symbol, ir.Addr("self", field.offset))
    return symbol


def _scope(body: Body, around: Around) -> dict[str, Symbol]:
    """The variables that methods see: those of the instance, and all else that the POU and its
    bases declare, but what is temporary there."""
    of: object = around.block if around.block is not None else around.program or around.pou
    known = body.declarations.scopes.get(of)
    if known is not None:
        return known
    outer, body.symbols = body.symbols, {}
    block = around.block
    if block is not None:
        for field in block.fields.values():
            if "." not in field.name:
                add_symbol(body, _member(field))
    elif around.symbols is not None:
        body.symbols.update(around.symbols)
    pous = [around.pou] if around.pou is not None else []
    while block is not None:
        pous.append(block.pou)
        block = block.base
    for pou in pous:
        _other_variables(body, pou, only_lasting=True)
    found, body.symbols = body.symbols, outer
    for symbol in found.values():
        if symbol.edge is not None and (edge := found.get(fold(f"{symbol.name} edge"))):
            symbol.offset = edge.offset  # as in the body, the name means the edge
    body.declarations.scopes[of] = found
    return found


def _other_variables(
    body: Body, pou: tree.Pou, in_action: bool = False, only_lasting: bool = False
) -> None:
    """Constants, temporaries, function locals, externals and located variables; `only_lasting`:
    no temporaries."""
    is_function = pou.kind in ("FUNCTION", "METHOD")
    for block, decl, ident in declared(pou.blocks):
        if block.kind == "VAR_GLOBAL" or (only_lasting and block.kind == "VAR_TEMP"):
            continue
        if decl.edge is not None:
            edges.check(body, pou, block, decl)
        if block.kind == "VAR_EXTERNAL":
            external(body, block, decl, ident)
        elif "CONSTANT" in block.qualifiers and block.kind not in PARAMETER_SECTIONS:
            _constant(body, block, decl, ident)
        elif decl.location is not None and is_function:
            body.reporter.report(
                "E0271",
                f"a {pou.kind} cannot have located variables",
                ident.span,
                label="its variables start anew at each call",
                help="declare it in VAR_GLOBAL, or give it to the function as a parameter",
            )
            add_symbol(body, Symbol(ident.name, UNKNOWN, "const", 0, ident.span))
        elif decl.location is not None:
            later = decl.location.address is None and pou.kind != "METHOD"
            known = fold(ident.name) in body.symbols
            if not (known and (later or pou.kind == "PROGRAM")):
                located(body, block, decl, ident)
        elif block.kind == "VAR_INST" and pou.kind == "METHOD" and body.this is not None:
            field = body.this.fields.get(fold(static_name(pou, ident.name)))
            if field is not None:
                symbol = _member(field)
                symbol.name = ident.name
                add_symbol(body, symbol)
        elif block.kind == "VAR_INST" and pou.kind != "PROGRAM":
            body.reporter.report(
                "E0271",
                f"a {pou.kind} cannot have VAR_INST",
                ident.span,
                label="it is for the methods of function blocks",
                help="declare it in VAR of a FUNCTION_BLOCK, or in VAR_GLOBAL",
            )
            if is_function:
                add_symbol(body, Symbol(ident.name, UNKNOWN, "const", 0, ident.span))
        elif block.kind == "VAR_STAT" and (
            pou.kind != "PROGRAM" or fold(ident.name) not in body.symbols
        ):
            # The second POU of one name has none; it was reported.
            static = body.declarations.static_symbols.get(id(ident))
            add_symbol(body, static or Symbol(ident.name, UNKNOWN, "const", 0, ident.span))
        elif block.kind == "VAR_TEMP" and in_action:
            pass  # lives in the body that called the action
        elif block.kind == "VAR_TEMP" or (is_function and block.kind == "VAR"):
            _temporary_variable(body, block, decl, ident)


def external(body: Body, block: tree.VarBlock, decl: tree.VarDecl, ident: tree.Identifier) -> None:
    t = body.declarations.resolve(decl.type)
    key = body.declarations.naming.full(ident.name, ident.span)
    symbol = body.declarations.constants.global_symbol(key)
    symbol = symbol or body.declarations.global_symbols.get(key)
    if symbol is None:
        known = [g[2].name for g in body.declarations.globals.values()]
        body.reporter.report(
            "E0272",
            f"there is no global variable '{ident.name}'",
            ident.span,
            help=did_you_mean(ident.name, known) or "declare it in VAR_GLOBAL",
        )
        add_symbol(body, Symbol(ident.name, UNKNOWN, "const", 0, ident.span))
        return
    if not same(symbol.type, t):
        body.reporter.report(
            "E0273",
            f"'{ident.name}' is {symbol.type} where it is declared, {t} here",
            decl.type.span,
            others=[Label(symbol.span, "the global variable")],
            help=f"write {symbol.type}",
        )
        symbol = Symbol(ident.name, UNKNOWN, "const", 0, ident.span)
    if "CONSTANT" in block.qualifiers and not symbol.is_constant:
        symbol = replace(symbol, is_constant=True)  # this POU only reads it
    add_symbol(body, symbol)


def _constant(
    body: Body, block: tree.VarBlock, decl: tree.VarDecl, ident: tree.Identifier
) -> None:
    symbol = body.declarations.constants.symbol(block, decl, ident)
    if symbol is None:
        t = body.declarations.resolve(decl.type)
        init = decl.init or body.declarations.default_init(decl.type)
        assert body.statics is not None
        symbol = Symbol(ident.name, t, "static", 0, ident.span, block.kind, is_constant=True)
        symbol.offset = body.statics(t, init, ident.name)
    add_symbol(body, symbol)


def located(body: Body, block: tree.VarBlock, decl: tree.VarDecl, ident: tree.Identifier) -> None:
    assert body.direct is not None
    t = body.declarations.resolve(decl.type)
    assert decl.location is not None
    symbol = located_symbol(body.declarations, body.direct, block, decl, ident, t)
    if symbol is not None:
        add_symbol(body, symbol)


def located_symbol(
    declarations: Declarations,
    direct: Callable[[tree.Direct], tuple[int, int | None] | None],
    block: tree.VarBlock,
    decl: tree.VarDecl,
    ident: tree.Identifier,
    t: Type,
) -> Symbol | None:
    """The symbol of a variable declared AT an address."""
    location = decl.location
    assert location is not None
    where = direct(location)
    if where is None or isinstance(t, Unknown):
        return Symbol(ident.name, UNKNOWN, "const", 0, ident.span)
    if not located_fits(location, t):
        declarations.reporter.report(
            "E0274",
            f"{t} does not go with %{location.area}{location.size}",
            location.span,
            help=_location_help(location, t),
        )
    return Symbol(
        ident.name, t, "static", where[0], ident.span, block.kind, where[1], location.area
    )


def located_fits(location: tree.Direct, t: Type) -> bool:
    """X takes BOOL; B, W, D, L take types of that size, or arrays and structures made of them."""
    from host_tools.compiler.types import BOOL, ArrayType, base_of

    if location.size == "X":
        return base_of(t) is BOOL
    unit = {"B": 1, "W": 2, "D": 4, "L": 8}[location.size]
    if isinstance(t, ArrayType):
        return located_fits(location, t.element)
    if is_aggregate(t) or isinstance(t, StringType):
        return size_align(t)[1] <= unit
    return base_of(t) is not BOOL and size_align(t)[0] == unit


def _location_help(location: tree.Direct, t: Type) -> str:
    if isinstance(t, ArrayType):
        help_ = _location_help(location, t.element)
        return help_.replace(f" for {t.element}", f" for {t}")
    size, _ = size_align(t)
    letter = {1: "B", 2: "W", 4: "D", 8: "L"}.get(size)
    if kind_of(t) == "b1" and not is_aggregate(t):
        letter = "X"
    if letter is None or is_aggregate(t):
        return "bits take BOOL, words take types of their size"
    return f"use %{location.area}{letter}… for {t}"


def _no_instances(body: Body, t: Type, span: Span) -> None:
    """Report what is, or has elements that are, function block instances."""
    while isinstance(t, ArrayType):
        t = t.element
    if isinstance(t, FbType):
        body.reporter.report(
            "E0275",
            f"an instance of {t} cannot be temporary",
            span,
            help="a function block remembers; declare it in VAR of a PROGRAM or FUNCTION_BLOCK",
        )


def _temporary_variable(
    body: Body, block: tree.VarBlock, decl: tree.VarDecl, ident: tree.Identifier
) -> None:
    """Starts fresh at each call (VAR_TEMP, and VAR of a function)."""
    t = body.declarations.resolve(decl.type)
    if isinstance(t, Unknown):
        add_symbol(body, Symbol(ident.name, t, "const", 0, ident.span))
        return
    _no_instances(body, t, ident.span)
    init = decl.init or body.declarations.default_init(decl.type)
    symbol = Symbol(ident.name, t, "local", 0, ident.span, block.kind)
    bound = init if isinstance(t, RefType) and isinstance(init, tree.Call) else None
    init = init if bound is None else None
    if is_aggregate(t) or isinstance(t, StringType) or fold(ident.name) in body.in_memory:
        slot = body.frame_slot(t)
        symbol.storage, symbol.offset = "frame", slot.offset
        body.initialise(slot, t, init)
    else:
        symbol.offset = body.new_local(ident.name, kind_of(t))
        body.emit(ir.SetLocal(symbol.offset, _initial_scalar(body, t, init)))
    add_symbol(body, symbol)
    if bound is not None:
        name = tree.Name(ident.span, ident.name)
        statements(body, [tree.Assign(bound.span, name, bound, "REF=")])
