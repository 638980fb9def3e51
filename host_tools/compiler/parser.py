"""The parser: tokens become a syntax tree, and mistakes become diagnostics, whatever the text.

Hand-written recursive descent over IEC 61131-3:2013, Annex A. This module holds the top of a
source; the modules of `syntax` hold the rest, and `syntax.cursor`
says how errors are told once and where parsing goes on after them.
"""

from __future__ import annotations

import gc

from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.lexer import END_KEYWORDS, VAR_KEYWORDS, lex
from host_tools.compiler.source import Source, Span
from host_tools.compiler.syntax import scl
from host_tools.compiler.syntax.conditional import has_conditions, selected
from host_tools.compiler.syntax.cursor import UNIT_KEYWORDS, Cursor
from host_tools.compiler.syntax.declarations import (
    at_program_decl,
    configuration,
    global_vars,
    pou,
    type_block,
    unsupported_part,
)
from host_tools.compiler.syntax.members import interface
from host_tools.compiler.syntax.namespaces import at_using, namespace, scope_of_pou, using
from host_tools.compiler.syntax.sfc import trailing_actions
from host_tools.compiler.syntax.simple_statements import at_declaration
from host_tools.compiler.syntax.statements import PARTS, stray
from host_tools.compiler.syntax.test_blocks import at_test_block, test_block
from host_tools.compiler.tree import Declaration, Identifier, Scope, Unit

# The END that comes next, and what was forgotten before the declarations it ends.
_BLOCK_WITHOUT = {"END_VAR": "VAR_GLOBAL", "END_TYPE": "TYPE", "STRUCT": "TYPE"}
_TOP = UNIT_KEYWORDS | {"VAR_GLOBAL"}
_AT_TOP = tuple(word for word in PARTS if word not in ("METHOD", "PROPERTY"))


def parse(source: Source, reporter: Reporter) -> Unit:
    """The syntax tree of `source`. Never raises: what is wrong with the text is reported, and
    the tree holds what could be understood."""
    collecting = gc.isenabled()
    gc.disable()  # a tree has no cycles, and looking for them doubles the time
    try:
        return _unit(source, reporter)
    finally:
        if collecting:
            gc.enable()


def _unit(source: Source, reporter: Reporter) -> Unit:
    told_before = len(reporter.diagnostics)
    if scl.is_scl(source.text):
        tokens = lex(source, reporter, scl.standard_text(source.text))
        tokens = scl.standard_tokens(source, tokens, reporter)
    else:
        tokens = lex(source, reporter)
    if has_conditions(source):
        tokens = selected(source, tokens, reporter)
    lexical = reporter.diagnostics[told_before:]
    c = Cursor(source, tokens, reporter, [d.span.start for d in lexical])
    c.is_cut_off = any(d.code == "E0002" for d in lexical)
    found: list[Declaration] = []
    told: set[str] = set()
    usings: list[Identifier] = []
    whole = Span(source, 0, len(source.text))
    while c.tok.kind != "eof":
        c.anchor = c.tok.start
        c.broken = False
        if at_using(c):
            usings += using(c)
            continue
        declaration = _declaration(c, found, told)
        if declaration is not None:
            found.append(declaration)
    if usings:
        c.scopes.insert(0, Scope(whole, "", tuple(usings)))
    return Unit(whole, tuple(found), tuple(c.directs), tuple(c.scopes), tuple(c.internals))


def _declaration(c: Cursor, found: list[Declaration], told: set[str]) -> Declaration | None:
    """Parse or step over one thing at the top of a source or in a namespace."""
    c.told_before = c.told
    c.excused.clear()
    declaration = _one(c, found, told)
    if declaration is not None:
        scope_of_pou(c, declaration)
    return declaration


def _one(c: Cursor, found: list[Declaration], told: set[str]) -> Declaration | None:
    kind = c.tok.kind
    if kind == "TYPE":
        found.extend(type_block(c))
    elif kind == "CONFIGURATION":
        return configuration(c)
    elif kind in ("VAR_GLOBAL", "VAR_CONFIG"):
        return global_vars(c)
    elif kind in UNIT_KEYWORDS:
        return pou(c)
    elif kind == ";":
        c.advance()
    elif c.at_word("ACTION", "ACTIONS"):
        trailing_actions(c, found)
    elif at_test_block(c):
        return test_block(c)
    elif c.at_word("CLASS") and c.peek().kind == "name":
        return pou(c)
    elif c.at_word("INTERFACE") and c.peek().kind == "name":
        return interface(c)
    elif c.at_word("NAMESPACE"):
        found += namespace(c, lambda c, inner: _declaration(c, inner, told))
    elif c.at_word(*PARTS):
        unsupported_part(c, told)
    elif kind in END_KEYWORDS or kind in ("ELSE", "ELSIF", "UNTIL"):
        if not c.forgive():
            stray(c)
    elif kind == "name" and c.peek().kind == "name" and c.respell(_TOP):
        pass
    elif kind == "name" and at_declaration(c) and c.next_firm() in _BLOCK_WITHOUT:
        return _without_first_keyword(c, found)
    else:
        _skip(c)
    return None


def _without_first_keyword(c: Cursor, found: list[Declaration]) -> Declaration | None:
    """Declarations whose VAR_GLOBAL or TYPE was forgotten."""
    keyword = _BLOCK_WITHOUT[c.next_firm()]
    c.error(
        "E0117",
        f"expected {keyword} before '{c.tok.text[:30]}'",
        help=f"add '{keyword}' before the declarations",
    )
    c.broken = False
    if keyword == "VAR_GLOBAL":
        return global_vars(c, implied=True)
    found.extend(type_block(c, implied=True))
    return None


def _skip(c: Cursor) -> None:
    """Report what is no declaration, and step to before the next one."""
    kind = c.tok.kind
    if kind in VAR_KEYWORDS:
        message = f"{kind} outside of a FUNCTION, FUNCTION_BLOCK or PROGRAM"
        advice = "put it into a PROGRAM; variables for the whole project stand in VAR_GLOBAL"
    else:
        message = f"expected a declaration, found {c.found()}"
        advice = "statements stand inside a FUNCTION, FUNCTION_BLOCK or PROGRAM"
    c.error("E0117", message, help=advice)
    while c.tok.kind != "eof" and c.tok.kind not in c.open and not c.at_word(*_AT_TOP):
        if c.tok.kind in _TOP and not (c.tok.kind == "PROGRAM" and at_program_decl(c)):
            break
        c.advance()
