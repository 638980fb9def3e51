"""Split expressions that are deeper than Python's parsers take into steps through new locals."""

from __future__ import annotations

from host_tools.compiler import ir
from host_tools.compiler.ir_walk import addr_children, children, faults_itself
from host_tools.record import record, replace

DEPTH = 24
"""Expressions up to this height stay whole. CPython takes 200 nested parentheses; one operation
can need several."""


@record()
class _Value:
    """An expression with its height and whether it may fault; `steps_fault`: the steps split off
    from it may."""

    expr: ir.Expr
    depth: int = 1
    faults: bool = False
    steps_fault: bool = False


def flatten(func: ir.Func) -> ir.Func:
    """The same function with no expression higher than DEPTH."""
    splitter = _Splitter(func)
    body = splitter.block(func.body)
    if len(splitter.locals) == len(func.locals):
        return func
    return replace(func, body=body, locals=tuple(splitter.locals))


class _Splitter:
    def __init__(self, func: ir.Func) -> None:
        self.locals = list(func.locals)

    def block(self, block: tuple[ir.Stmt, ...]) -> tuple[ir.Stmt, ...]:
        out: list[ir.Stmt] = []
        for s in block:
            self._statement(s, out)
        return tuple(out)

    def _statement(self, s: ir.Stmt, out: list[ir.Stmt]) -> None:
        match s:
            case ir.SetLocal(value=value):
                (v,) = self._all([value], out)
                out.append(replace(s, value=v.expr))
            case ir.Store(addr=addr, value=value) | ir.StoreBit(addr=addr, value=value):
                v, *parts = self._all([value, *addr_children(addr)], out)
                out.append(replace(s, addr=_with(addr, parts), value=v.expr))
            case ir.Copy(to=to, source=source):
                first = len(addr_children(to))
                parts = self._all([*addr_children(to), *addr_children(source)], out)
                new_to, new_source = _with(to, parts[:first]), _with(source, parts[first:])
                out.append(replace(s, to=new_to, source=new_source))
            case ir.Init(addr=addr):
                out.append(replace(s, addr=_with(addr, self._all(list(addr_children(addr)), out))))
            case ir.If(test=test, then=then, orelse=orelse):
                (v,) = self._all([test], out)
                out.append(ir.If(v.expr, self.block(then), self.block(orelse)))
            case ir.Switch(branches=branches, orelse=orelse):
                new = tuple((ranges, self.block(b)) for ranges, b in branches)
                out.append(replace(s, branches=new, orelse=self.block(orelse)))
            case ir.Loop(body=body, step=step):
                out.append(replace(s, body=self.block(body), step=self.block(step)))
            case ir.Call(args=args, instance=instance):
                inner = [] if instance is None else list(addr_children(instance))
                parts = self._all([*inner, *args], out)
                if instance is not None:
                    instance = _with(instance, parts[: len(inner)])
                new_args = tuple(p.expr for p in parts[len(inner) :])
                out.append(replace(s, args=new_args, instance=instance))
            case _:
                out.append(s)

    def _temp(self, value: ir.Expr, out: list[ir.Stmt]) -> ir.Local:
        index = len(self.locals)
        self.locals.append(ir.Variable("", value.kind))
        out.append(ir.SetLocal(index, value))
        return ir.Local(value.kind, index)

    def _short(self, v: _Value, out: list[ir.Stmt]) -> _Value:
        """`v` in a local where that is possible without having to fault."""
        return v if v.depth == 1 or v.faults else _Value(self._temp(v.expr, out))

    def _all(self, exprs: list[ir.Expr], out: list[ir.Stmt]) -> list[_Value]:
        """Each split. What may fault goes to a local before the steps of what comes later."""
        values: list[_Value] = []
        for e in exprs:
            steps: list[ir.Stmt] = []
            v = self._split(e, steps)
            if steps:
                for i, earlier in enumerate(values):
                    if earlier.faults:
                        values[i] = _Value(self._temp(earlier.expr, out), steps_fault=True)
                out.extend(steps)
            values.append(v)
        return values

    def _split(self, e: ir.Expr, out: list[ir.Stmt]) -> _Value:
        if isinstance(e, ir.Select | ir.Shortcut):
            return self._choice(e, out)
        parts = children(e)
        if not parts:
            return _Value(e, 1, faults_itself(e))
        values = self._all(list(parts), out)
        depth = 1
        faults = faults_itself(e)
        steps_fault = False
        for v in values:
            depth = max(depth, v.depth + 1)
            faults = faults or v.faults
            steps_fault = steps_fault or v.steps_fault
        if depth > DEPTH:
            steps_fault = steps_fault or faults
            values = [v if v.depth == 1 else _Value(self._temp(v.expr, out)) for v in values]
            depth, faults = 2, faults_itself(e) or any(v.faults for v in values)
        return _Value(rebuilt(e, [v.expr for v in values]), depth, faults, steps_fault)

    def _choice(self, e: ir.Select | ir.Shortcut, out: list[ir.Stmt]) -> _Value:
        """Where a side that is not always evaluated needs steps, the choice becomes an If."""
        sides = [e.a, e.b] if isinstance(e, ir.Select) else [e.b]
        test = self._split(e.test if isinstance(e, ir.Select) else e.a, out)
        blocks: list[list[ir.Stmt]] = [[] for _ in sides]
        values = [self._split(x, steps) for x, steps in zip(sides, blocks, strict=True)]
        steps_fault = test.steps_fault or values[0].steps_fault or values[-1].steps_fault
        if not (values[0].steps_fault or values[-1].steps_fault):
            # Steps that cannot fault may run for nothing: better than an If in an If in an If.
            for steps in blocks:
                out.extend(steps)
                steps.clear()
            if 1 + max(test.depth, values[0].depth, values[-1].depth) > DEPTH:
                test, *values = [self._short(v, out) for v in (test, *values)]
            depth = 1 + max(test.depth, values[0].depth, values[-1].depth)
            if depth <= DEPTH:
                faults = test.faults or values[0].faults or values[-1].faults
                whole = rebuilt(e, [test.expr, *(v.expr for v in values)])
                return _Value(whole, depth, faults, steps_fault)
        steps_fault = steps_fault or test.faults or values[0].faults or values[-1].faults
        result = self._temp(test.expr, out)
        if isinstance(e, ir.Select):
            test_local, index = result, len(self.locals)
            self.locals.append(ir.Variable("", e.kind))
            result = ir.Local(e.kind, index)
        else:
            test_local, index = result, result.index
        for v, steps in zip(values, blocks, strict=True):
            steps.append(ir.SetLocal(index, v.expr))
        first, last = tuple(blocks[0]), tuple(blocks[-1])
        if isinstance(e, ir.Select):
            out.append(ir.If(test_local, first, last))
        elif e.op == "and":
            out.append(ir.If(test_local, first))
        else:
            out.append(ir.If(test_local, (), first))
        return _Value(result, steps_fault=steps_fault)


def _with(addr: ir.Addr, parts: list[_Value]) -> ir.Addr:
    return _readdressed(addr, [p.expr for p in parts])


def _readdressed(addr: ir.Addr, parts: list[ir.Expr]) -> ir.Addr:
    pointer = None
    if addr.pointer is not None:
        pointer, parts = parts[0], parts[1:]
    terms = tuple((e, scale) for e, (_, scale) in zip(parts, addr.terms, strict=True))
    return replace(addr, pointer=pointer, terms=terms)


def rebuilt(e: ir.Expr, parts: list[ir.Expr]) -> ir.Expr:
    """The expression with other operands, given in the order of `children`."""
    match e:
        case ir.Load(addr=addr) | ir.LoadBit(addr=addr) | ir.AddrOf(addr=addr):
            return replace(e, addr=_readdressed(addr, parts))
        case ir.Unary() | ir.Convert() | ir.Bits() | ir.Check() | ir.NotNull():
            return replace(e, x=parts[0])
        case ir.Binary() | ir.Compare() | ir.Shortcut():
            return replace(e, a=parts[0], b=parts[1])
        case ir.Select():
            return replace(e, test=parts[0], a=parts[1], b=parts[2])
        case ir.Intrinsic():
            return replace(e, args=tuple(parts))
    return e
