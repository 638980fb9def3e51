"""Lowers the names of variables and %I, %Q, %M, and notes what a body reads and writes by them."""

from __future__ import annotations

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.foreign import variable_advice
from host_tools.compiler.lowering import methods, storage
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Place, Symbol, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    BYTE,
    DWORD,
    LWORD,
    WORD,
    OpenArrayType,
    RefType,
    Type,
    Unknown,
    size_align,
)


def named(body: Body, node: tree.Name, write: bool) -> Place | None:
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
    return storage.held(
        body, Value(RefType(here.type), ir.AddrOf("u32", storage.address(here)), node.span)
    )


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
        pointer = storage.bound(body, ir.Load("u32", ir.Addr("self", symbol.offset)), span)
        made.addr = ir.Addr("ptr", 0, (), pointer)
        made.dynamic = True
    else:
        made.local = symbol.offset
    return made


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


def direct(body: Body, node: tree.Direct, write: bool) -> Place | None:
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
