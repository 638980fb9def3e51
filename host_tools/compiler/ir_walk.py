"""What the printers ask about IR: children, depth, possible faults, and which bases are used."""

from __future__ import annotations

from collections.abc import Iterator

from host_tools.compiler import ir

_COUNTED = {"shl", "shr", "rol", "ror"}


def addr_children(addr: ir.Addr) -> tuple[ir.Expr, ...]:
    """Expressions of an address in the order of evaluation."""
    first = () if addr.pointer is None else (addr.pointer,)
    return first + tuple(e for e, _ in addr.terms)


def children(e: ir.Expr) -> tuple[ir.Expr, ...]:
    """Operands in the order of evaluation."""
    match e:
        case ir.Load(addr=addr) | ir.LoadBit(addr=addr) | ir.AddrOf(addr=addr):
            return addr_children(addr)
        case ir.Unary(x=x) | ir.Convert(x=x) | ir.Bits(x=x) | ir.Check(x=x) | ir.NotNull(x=x):
            return (x,)
        case ir.Binary(a=a, b=b) | ir.Compare(a=a, b=b) | ir.Shortcut(a=a, b=b):
            return (a, b)
        case ir.Select(test=test, a=a, b=b):
            return (test, a, b)
        case ir.Intrinsic(args=args):
            return args
        case _:
            return ()


def int_const(e: ir.Expr) -> int | None:
    if isinstance(e, ir.Const) and isinstance(e.value, int):
        return e.value
    return None


def faults_itself(e: ir.Expr) -> bool:
    """The operation may fault, whatever its operands do."""
    if isinstance(e, ir.Check | ir.NotNull):
        return True
    if isinstance(e, ir.Binary) and e.kind in ir.INT_RANGE:
        right = int_const(e.b)
        if e.op in ("div", "mod") and (right is None or right == 0):
            return True
        if e.op in _COUNTED and ir.INT_RANGE[e.b.kind][0] < 0 and (right is None or right < 0):
            return True
    return False


def may_fault(e: ir.Expr) -> bool:
    """False only where evaluation surely ends without a fault."""
    return faults_itself(e) or any(may_fault(c) for c in children(e))


def addr_may_fault(addr: ir.Addr) -> bool:
    return any(may_fault(c) for c in addr_children(addr))


def stmt_parts(s: ir.Stmt) -> tuple[list[ir.Addr], list[ir.Expr], list[tuple[ir.Stmt, ...]]]:
    """Addresses, expressions and blocks directly under a statement."""
    match s:
        case ir.SetLocal(value=value):
            return [], [value], []
        case ir.Store(addr=addr, value=value) | ir.StoreBit(addr=addr, value=value):
            return [addr], [value], []
        case ir.Copy(to=to, source=source):
            return [to, source], [], []
        case ir.Init(addr=addr):
            return [addr], [], []
        case ir.If(test=test, then=then, orelse=orelse):
            return [], [test], [then, orelse]
        case ir.Switch(value=value, branches=branches, orelse=orelse):
            return [], [value], [b for _, b in branches] + [orelse]
        case ir.Loop(body=body, step=step):
            return [], [], [body, step]
        case ir.Call(args=args, instance=instance):
            return [instance] if instance else [], list(args), []
        case _:
            return [], [], []


def walk(block: tuple[ir.Stmt, ...]) -> Iterator[ir.Stmt]:
    """Every statement of a block, nested ones too, in the order of the text."""
    open_blocks = [iter(block)]
    while open_blocks:
        for s in open_blocks[-1]:
            yield s
            inner = stmt_parts(s)[2]
            if inner:
                open_blocks.extend(iter(b) for b in reversed(inner))
                break
        else:
            open_blocks.pop()


def walk_expr(e: ir.Expr) -> Iterator[ir.Expr]:
    yield e
    for c in children(e):
        yield from walk_expr(c)


def expressions_of(s: ir.Stmt) -> Iterator[ir.Expr]:
    """Every expression of a statement itself, nested ones too."""
    addrs, exprs, _ = stmt_parts(s)
    for addr in addrs:
        for e in addr_children(addr):
            yield from walk_expr(e)
    for e in exprs:
        yield from walk_expr(e)


def expressions(func: ir.Func) -> Iterator[ir.Expr]:
    """Every expression of a function, nested ones too."""
    for s in walk(func.body):
        yield from expressions_of(s)


def accesses(func: ir.Func) -> Iterator[tuple[str, str]]:
    """(base, what) of every image access: what is a kind, or "" for an address itself."""
    for s in walk(func.body):
        match s:
            case ir.Store(addr=addr, value=value):
                yield addr.base, value.kind
            case ir.StoreBit(addr=addr):
                yield addr.base, "u8"
            case _:
                for addr in stmt_parts(s)[0]:
                    yield addr.base, ""
    for e in expressions(func):
        match e:
            case ir.Load(addr=addr):
                yield addr.base, e.kind
            case ir.LoadBit(addr=addr):
                yield addr.base, "u8"
            case ir.AddrOf(addr=addr):
                yield addr.base, ""
