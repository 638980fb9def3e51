"""What is known of the values of scalars that a loop holds: between which bounds they lie.

A sum of narrow integers that stays inside of its kind need not be cut to it.
"""

from __future__ import annotations

from collections.abc import Container

from host_tools.compiler import ir
from host_tools.compiler.c_engine.effects import Held
from host_tools.compiler.ir_walk import children, int_const, stmt_parts, walk

Ranges = dict[Held, tuple[int, int]]

_TURNED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
_NOT = {"lt": "ge", "le": "gt", "gt": "le", "ge": "lt", "eq": "ne", "ne": "eq"}


def bounds(e: ir.Expr, known: Ranges) -> tuple[int, int]:
    """Least and greatest value of an integer."""
    kind = ir.INT_RANGE[e.kind]
    match e:
        case ir.Const(value=int() as v):
            return v, v
        case ir.Load(kind=k, addr=addr) if not addr.terms:
            return known.get(Held(addr.base, addr.offset, k), kind)
        case ir.Check(x=x, low=low, high=high):
            inner = bounds(x, known)
            return max(inner[0], low), min(inner[1], high)
        case ir.Convert(x=x) if x.kind in ir.INT_RANGE:
            inner = bounds(x, known)
            return inner if _fits(inner, kind) else kind
        case ir.Binary(op="add" | "sub" | "mul"):
            exact = _exact(e, known)
            return exact if _fits(exact, kind) else kind
    return kind


def within(e: ir.Binary, known: Ranges) -> bool:
    """The sum, difference or product surely is in its kind."""
    return _fits(_exact(e, known), ir.INT_RANGE[e.kind])


def _exact(e: ir.Binary, known: Ranges) -> tuple[int, int]:
    a, b = bounds(e.a, known), bounds(e.b, known)
    if e.op == "add":
        return a[0] + b[0], a[1] + b[1]
    if e.op == "sub":
        return a[0] - b[1], a[1] - b[0]
    products = [x * y for x in a for y in b]
    return min(products), max(products)


def _fits(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def learn(test: ir.Expr, holds: bool, known: Ranges, held: Container[Held]) -> None:
    """Take from a condition that holds, or does not."""
    match test:
        case ir.Unary(op="not", kind="b1", x=x):
            learn(x, not holds, known, held)
        case ir.Shortcut(op=op, a=a, b=b) if (op == "and") == holds:
            learn(a, holds, known, held)
            learn(b, holds, known, held)
        case ir.Binary(kind="b1", op="and" | "or" as op, a=a, b=b) if (op == "and") == holds:
            learn(a, holds, known, held)
            learn(b, holds, known, held)
        case ir.Compare(op=op, a=a, b=b) if a.kind in ir.INT_RANGE:
            checked(a, known, held)
            checked(b, known, held)
            op = op if holds else _NOT[op]
            _compare(op, a, b, known, held)
            _compare(_TURNED[op], b, a, known, held)


def checked(e: ir.Expr, known: Ranges, held: Container[Held]) -> None:
    """Take from the checks that an expression has passed once it is evaluated."""
    match e:
        case ir.Shortcut(a=a):
            checked(a, known, held)
            return
        case ir.Select(test=test):
            checked(test, known, held)
            return
        case ir.Check(x=x, low=low, high=high):
            one = _scalar(x)
            if one is not None and one in held:
                inner = bounds(x, known)
                known[one] = max(inner[0], low), min(inner[1], high)
    for inner_one in children(e):
        checked(inner_one, known, held)


def at_head(loop: ir.Loop, known: Ranges, held: Container[Held]) -> Ranges:
    """Bounds that hold each time the loop begins anew, from those in front of it: a scalar that is
    only counted up behind the test that ends the loop does not get less, one that is only counted
    down does not get more."""
    test = next((s for s in loop.body if not isinstance(s, ir.Mark)), None)
    if not (isinstance(test, ir.If) and test.then and isinstance(test.then[-1], ir.Break)):
        return {}
    behind: Ranges = {}
    learn(test.test, False, behind, held)
    found: Ranges = {}
    for one in behind:
        changes = [s for s in walk((loop,)) if isinstance(s, ir.Store) and _is(s.addr, one)]
        at_once = (*loop.body, *loop.step)
        if one not in known or len(changes) != 1 or not _once(changes[0], at_once):
            continue
        e = changes[0].value
        if not (isinstance(e, ir.Binary) and e.op in ("add", "sub") and _scalar(e.a) == one):
            continue
        step = int_const(e.b)
        if step is None or step < 0 or e.kind != one.kind or not within(e, behind):
            continue
        low, high = ir.INT_RANGE[one.kind]
        if e.op == "add":
            found[one] = known[one][0], min(high, max(known[one][1], behind[one][1] + step))
        else:
            found[one] = max(low, min(known[one][0], behind[one][0] - step)), known[one][1]
    return found


def _is(addr: ir.Addr, one: Held) -> bool:
    return not addr.terms and (addr.base, addr.offset) == (one.base, one.offset)


def _once(wanted: ir.Stmt, block: tuple[ir.Stmt, ...]) -> bool:
    """The statement is in the block, and in no loop inside of it."""
    for s in block:
        if s is wanted:
            return True
        if not isinstance(s, ir.Loop) and any(_once(wanted, b) for b in stmt_parts(s)[2]):
            return True
    return False


def _compare(op: str, a: ir.Expr, b: ir.Expr, known: Ranges, held: Container[Held]) -> None:
    one = _scalar(a)
    if one is None or one not in held:
        return
    low, high = bounds(a, known)
    least, most = bounds(b, known)
    if op in ("gt", "ge", "eq"):
        low = max(low, least + (op == "gt"))
    if op in ("lt", "le", "eq"):
        high = min(high, most - (op == "lt"))
    if low <= high:
        known[one] = low, high


def _scalar(e: ir.Expr) -> Held | None:
    """The scalar whose value it is, if it is one of at most 32 bits."""
    match e:
        case ir.Load(kind=kind, addr=addr) if not addr.terms:
            return Held(addr.base, addr.offset, kind)
        case ir.Convert(x=x, kind=kind) if x.kind in ir.INT_RANGE:
            if _fits(ir.INT_RANGE[x.kind], ir.INT_RANGE[kind]):
                return _scalar(x)
    return None
