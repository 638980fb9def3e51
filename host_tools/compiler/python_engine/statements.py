"""Print IR statements and functions as Python."""

from __future__ import annotations

from itertools import pairwise

from host_tools.compiler import ir
from host_tools.compiler.ir_walk import (
    addr_children,
    addr_may_fault,
    may_fault,
    walk,
)
from host_tools.compiler.python_engine import reals
from host_tools.compiler.python_engine.expressions import address, index_of, negated, test, value
from host_tools.compiler.python_engine.outline import Piece
from host_tools.compiler.python_engine.scope import Module, Scope
from host_tools.compiler.python_engine.text import OR, EngineError
from host_tools.record import record

_LOOPS = 20  # CPython: "too many statically nested blocks"
_LEVELS = 90  # CPython: "too many levels of indentation" (100)
_FEW = 8  # branches of CASE that are tried one after the other
_SMALL = 3  # statements of an ELSE that may be printed once for each group of branches
_BIT_OFF = {bit: 0xFF ^ (1 << bit) for bit in range(8)}


class FunctionPrinter:
    """Prints one function; `lines` is the result."""

    def __init__(
        self,
        module: Module,
        program: ir.Program,
        func: ir.Func,
        takes: tuple[int, ...] | None = None,
    ) -> None:
        """`takes`: the locals that are parameters, where they are not the first ones."""
        self.module = module
        self.program = program
        self.func = func
        self._takes = range(func.parameters) if takes is None else takes
        self.scope = Scope(module, func)
        self.lines: list[str] = []
        self._level = 1
        self._steps: list[ir.Loop] = []
        self._mark = 0  # position to print before the next statement
        self._printed = 0
        self._pos = func.pos  # of the statement being printed

    def print(self, callables: dict[str, Callable]) -> list[str]:
        """The function's lines."""
        self._callables = callables
        me = callables[self.func.name]
        body = self.func.body
        if self.func.result is None and body and isinstance(body[-1], ir.Return):
            body = body[:-1]
        self._block(body)
        if self.func.result is not None and not ends(body):
            self._line(f"return {self.scope.local(self.func.result)}")
        parameters = [self.scope.self_name] if self.func.has_self else []
        parameters += [self.scope.frame_name] if me.takes_frame else []
        parameters += [self.scope.local(i) for i in self._takes]
        head = [f"# {self.place(self.func.pos)}", f"def {me.name}({', '.join(parameters)}):"]
        if any(isinstance(s, ir.Loop) for s in walk(self.func.body)):
            head.append(f"    global {self.module.steps}")
        head += ["    " + line for line in self.scope.prologue()]
        return head + (self.lines or ["    pass"])

    def place(self, pos: int) -> str:
        """Source name and line of a position."""
        source, line = pos >> 22, pos & 0x3FFFFF
        names = self.program.sources
        name = names[source] if source < len(names) else f"source {source}"
        return f"{name}:{line}"

    def _line(self, text: str) -> None:
        if self._mark and self._mark != self._printed:
            self._printed = self._mark
            self.lines.append("    " * self._level + f"# {self.place(self._mark)}")
        self._mark = 0
        self.lines.append("    " * self._level + text)

    def _indented(self, block: tuple[ir.Stmt, ...]) -> None:
        self._level += 1
        if self._level > _LEVELS:
            raise EngineError(
                f"statements are nested more than {_LEVELS} levels deep; move the inner ones "
                "to a function or function block",
                self._pos,
            )
        before = len(self.lines)
        self._block(block)
        if len(self.lines) == before:
            self._line("pass")
        self._level -= 1

    def _block(self, block: tuple[ir.Stmt, ...]) -> None:
        for s in block:
            self._statement(s)
            if isinstance(s, ir.Break | ir.Continue | ir.Return | ir.RaiseFault):
                break  # the rest is never reached

    def _statement(self, s: ir.Stmt) -> None:
        scope = self.scope
        match s:
            case ir.Mark(pos=pos):
                self._mark = self._pos = pos
            case ir.SetLocal(index=index, value=v):
                self._line(f"{scope.local(index)} = {value(v, scope).text}")
            case ir.Store():
                self._store(s)
            case ir.StoreBit():
                self._store_bit(s)
            case ir.Copy(to=to, source=source, size=size):
                texts = address(to, scope).text, address(source, scope).text
                copy = scope.helper("copy")
                self._line(f"{copy}({scope.bytes}, {texts[0]}, {texts[1]}, {size})")
            case ir.Init(addr=addr, data=data):
                self._init(address(addr, scope).text, data)
            case ir.If():
                self._if(s)
            case ir.Switch():
                self._switch(s)
            case ir.Loop():
                self._loop(s)
            case ir.Break():
                self._line("break")
            case ir.Continue():
                if self._back_edge(self._steps[-1]):
                    self._line("continue")
            case ir.Return():
                result = self.func.result
                self._line("return" if result is None else f"return {scope.local(result)}")
            case ir.Call():
                self._call(s)
            case Piece():
                self._piece(s)
            case ir.RaiseFault(code=code, pos=pos):
                self._line(f"{scope.helper('fault')}({code}, {pos})")
            case _:
                raise EngineError(f"the python engine does not know {type(s).__name__}", self._pos)

    def _store(self, s: ir.Store) -> None:
        scope, kind = self.scope, s.value.kind
        if kind in ("str", "wstr"):
            store = scope.string(kind + "_store")
            place = address(s.addr, scope).text
            self._line(f"{store}({scope.bytes}, {place}, {value(s.value, scope).text})")
            return
        index = index_of(s.addr, ir.SIZE[kind], scope).text
        v = value(s.value, scope)
        text = reals.canonical(s.value, v, scope) if kind in ("f32", "f64") else v.text
        self._line(f"{scope.view(kind)}[{index}] = {text}")

    def _store_bit(self, s: ir.StoreBit) -> None:
        scope, on, off = self.scope, 1 << s.bit, _BIT_OFF[s.bit]
        index = index_of(s.addr, 1, scope).text
        place = f"{scope.bytes}[{index}]"
        if isinstance(s.value, ir.Const):
            self._line(f"{place} {f'|= {on}' if s.value.value else f'&= {off}'}")
            return
        condition = test(s.value, scope).at(OR)
        if addr_children(s.addr):
            if addr_may_fault(s.addr) and may_fault(s.value):
                # The value comes first: of two faults it is the one that happens.
                self._line(f"{scope.value_temp} = {condition}")
                condition = scope.value_temp
            self._line(f"{scope.index_temp} = {index}")
            place = f"{scope.bytes}[{scope.index_temp}]"
        self._line(f"{place} = {place} | {on} if {condition} else {place} & {off}")

    def _init(self, at: str, data: bytes) -> None:
        scope = self.scope
        if len(data) > 32 and not any(data):
            self._line(f"{scope.helper('clear')}({scope.bytes}, {at}, {len(data)})")
        elif at.isdigit():
            self._line(f"{scope.bytes}[{at}:{int(at) + len(data)}] = {data!r}")
        else:
            k = scope.index_temp
            self._line(f"{k} = {at}")
            self._line(f"{scope.bytes}[{k}:{k} + {len(data)}] = {data!r}")

    # --- branches ------------------------------------------------------------------------------

    def _if(self, s: ir.If, word: str = "if") -> None:
        if not s.then and s.orelse:
            self._line(f"{word} {negated(s.test, self.scope).text}:")
            self._indented(s.orelse)
            return
        self._line(f"{word} {test(s.test, self.scope).text}:")
        self._indented(s.then)
        if not s.orelse:
            return
        inner = [x for x in s.orelse if not isinstance(x, ir.Mark)]
        if len(inner) == 1 and isinstance(inner[0], ir.If):
            # A comment must not stand between the branches at their level: it may here.
            for x in s.orelse:
                if isinstance(x, ir.Mark):
                    self._mark = self._pos = x.pos
            self._if(inner[0], "elif")
            return
        self._line("else:")
        self._indented(s.orelse)

    def _switch(self, s: ir.Switch) -> None:
        x = value(s.value, self.scope).text
        branches = [
            Branch(min(low for low, _ in ranges), max(high for _, high in ranges), ranges, block)
            for ranges, block in s.branches
            if ranges
        ]
        in_order = sorted(branches, key=lambda b: b.low)
        if all(a.high < b.low for a, b in pairwise(in_order)):
            self._search(x, in_order, s.orelse)
        else:
            self._chain(x, branches, s.orelse)

    def _search(self, x: str, branches: list[Branch], orelse: tuple[ir.Stmt, ...]) -> None:
        """Halve the branches until few are left; they are in order and do not overlap."""
        if len(branches) <= _FEW or (len(branches) > _FEW and _size(orelse) > _SMALL):
            self._chain(x, branches, orelse)
            return
        middle = len(branches) // 2
        for word, half in (
            (f"if {x} < {branches[middle].low}:", branches[:middle]),
            ("else:", branches[middle:]),
        ):
            self._line(word)
            self._level += 1
            self._search(x, half, orelse)
            self._level -= 1

    def _chain(self, x: str, branches: list[Branch], orelse: tuple[ir.Stmt, ...]) -> None:
        word = "if"
        for branch in branches:
            tests = [
                f"{x} == {low}" if low == high else f"{low} <= {x} <= {high}"
                for low, high in branch.ranges
            ]
            self._line(f"{word} {' or '.join(tests)}:")
            self._indented(branch.block)
            word = "elif"
        if word == "if":
            self._block(orelse)
        elif orelse:
            self._line("else:")
            self._indented(orelse)

    # --- loops ---------------------------------------------------------------------------------

    def _loop(self, s: ir.Loop) -> None:
        if len(self._steps) >= _LOOPS:
            raise EngineError(
                f"loops are nested more than {_LOOPS} deep; move the inner ones to a function",
                s.pos,
            )
        self._steps.append(s)
        body = s.body
        while body and isinstance(body[0], ir.Mark):
            self._mark = self._pos = body[0].pos
            body = body[1:]
        condition = "True"
        match body[:1]:
            case (ir.If(test=t, then=(ir.Break(),), orelse=()),):
                condition, body = negated(t, self.scope).text, body[1:]
            case (ir.If(test=t, then=(), orelse=(ir.Break(),)),):
                condition, body = test(t, self.scope).text, body[1:]
        self._line(f"while {condition}:")
        self._level += 1
        if self._level > _LEVELS:
            raise EngineError(f"statements are nested more than {_LEVELS} levels deep", s.pos)
        self._block(body)
        if not ends(body):
            self._back_edge(s)
        self._level -= 1
        self._steps.pop()

    def _back_edge(self, s: ir.Loop) -> bool:
        """The step and the charge for going back; False where the step leaves the loop."""
        self._block(s.step)
        if ends(s.step):
            return False
        steps = self.module.steps
        self._line(f"{steps} -= 1")
        self._line(f"if {steps} < 0:")
        self._line(f"    {self.scope.helper('fault')}({ir.Fault.BUDGET}, {s.pos})")
        return True

    # --- calls ---------------------------------------------------------------------------------

    def _call(self, s: ir.Call) -> None:
        callee = self._callables.get(s.func)
        if callee is None:
            raise EngineError(f"call of an unknown function {s.func}", self._pos)
        args = [address(s.instance, self.scope).text] if s.instance else []
        if callee.takes_frame:
            args.append(
                f"{self.scope.frame_name} + {self.func.frame}"
                if self.func.frame
                else self.scope.frame_name
            )
        args += [value(a, self.scope).text for a in s.args]
        call = f"{callee.name}({', '.join(args)})"
        self._line(call if s.result is None else f"{self.scope.local(s.result)} = {call}")

    def _piece(self, s: Piece) -> None:
        piece = self._callables[s.name]
        args = [self.scope.self_name] if self.func.has_self else []
        args += [self.scope.frame_name] if piece.takes_frame else []
        args += [self.scope.local(i) for i in s.takes]
        call = f"{piece.name}({', '.join(args)})"
        self._line(call if s.gives is None else f"{self.scope.local(s.gives)} = {call}")


@record(frozen=True)
class Branch:
    """A branch of CASE: the lowest and highest of its labels, all of them, its statements."""

    low: int
    high: int
    ranges: tuple[tuple[int, int], ...]
    block: tuple[ir.Stmt, ...]


def _size(block: tuple[ir.Stmt, ...]) -> int:
    return sum(1 for s in walk(block) if not isinstance(s, ir.Mark))


class Callable:
    """How a function is called from others."""

    def __init__(self, name: str, takes_frame: bool) -> None:
        self.name = name
        self.takes_frame = takes_frame


def ends(block: tuple[ir.Stmt, ...]) -> bool:
    """The end of the block is never reached."""
    for s in block:
        match s:
            case ir.Break() | ir.Continue() | ir.Return() | ir.RaiseFault():
                return True
            case ir.If(then=then, orelse=orelse) if ends(then) and ends(orelse):
                return True
    return False
