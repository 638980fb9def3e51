"""R_EDGE and F_EDGE: inputs that mean their edges (IEC 61131-3:2013, 6.6.3.4, Table 40).

The caller gives the input as usual. At the start of the body its edge is found as R_TRIG and
F_TRIG do, with two hidden BOOLs behind the input: the edge, which the body reads, and the input
before.
"""

from __future__ import annotations

import re

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import storage, variables
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Symbol, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import BOOL, Unknown, base_of

_SUPER = re.compile(r"\bSUPER\s*\^?\s*\(", re.IGNORECASE)


def check(body: Body, pou: tree.Pou, block: tree.VarBlock, decl: tree.VarDecl) -> None:
    """Report R_EDGE and F_EDGE where there is no edge to find."""
    is_function = pou.kind in ("FUNCTION", "METHOD")
    if is_function or block.kind != "VAR_INPUT" or decl.location is not None:
        kind = f"VAR_INPUT of a {pou.kind}" if is_function else block.kind
        body.reporter.report(
            "E0330",
            f"{decl.edge} does not go with {kind}",
            decl.span,
            label="nothing remembers its last value",
            help="it goes with VAR_INPUT of function blocks and programs; elsewhere, declare an "
            f"{'R_TRIG' if decl.edge == 'R_EDGE' else 'F_TRIG'} and call it",
        )
        return
    t = body.declarations.resolve(decl.type)
    if base_of(t) is not BOOL and not isinstance(t, Unknown):
        body.reporter.report(
            "E0330",
            f"{decl.edge} does not go with {t}",
            decl.span,
            label="only BOOL has edges",
            help=f"declare it as BOOL {decl.edge}",
        )


def detect(body: Body) -> None:
    """Find the edges at the start of a body; from there on the names of the inputs mean them."""
    for key, symbol in list(body.symbols.items()):
        if symbol.edge is None or base_of(symbol.type) is not BOOL:
            continue
        inherited = symbol.owner is not None and symbol.owner is not body.this
        if inherited and body.pou is not None and _SUPER.search(body.pou.span.text):
            continue  # the body of the base finds the edges of its own inputs
        edge = body.symbols.get(fold(f"{symbol.name} edge"))
        before = body.symbols.get(fold(f"{symbol.name} before"))
        if edge is None or before is None:
            continue
        rising = symbol.edge == "R_EDGE"

        def read(s: Symbol) -> ir.Expr:
            return storage.load(body, variables.symbol_place(body, s, s.span, False)).expr

        def write(s: Symbol, value: ir.Expr) -> None:
            where = variables.symbol_place(body, s, s.span, True)
            storage.store(body, where, Value(BOOL, value, s.span))

        now, last = read(symbol), read(before)
        if rising:
            write(edge, ir.Binary("b1", "and", now, ir.Unary("b1", "not", last)))
            write(before, now)
        else:
            write(edge, ir.Unary("b1", "not", ir.Binary("b1", "or", now, last)))
            write(before, ir.Unary("b1", "not", now))
        made = Symbol(symbol.name, BOOL, edge.storage, edge.offset, symbol.span, symbol.section)
        made.is_constant = symbol.is_constant
        body.symbols[key] = made
