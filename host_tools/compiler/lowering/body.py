"""The state of lowering one body: its names, locals, frame and the statements made so far."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering.notes import Notes
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Symbol, Touch, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    FbType,
    Method,
    StringType,
    Type,
    Unknown,
    kind_of,
    size_align,
)

if TYPE_CHECKING:
    from host_tools.compiler.declarations import Declarations
    from host_tools.compiler.lowering.testing import Harness


class Body:
    """What lowering one function, block body, program or task needs to know and collects.

    `function` gives the Func name of a callee and makes sure that it is lowered. `scope` holds
    what is known besides `symbols`: the variables around a method, constants of a base. `program`
    is the instance of a PROGRAM that a body or method belongs to, with its `program_members`.
    `harness` is there in a build for tests, and in the tests themselves (`in_test`); these, and
    what stands in test files, are `privileged`: they may write inputs and see inner variables.
    """

    def __init__(
        self,
        declarations: Declarations,
        *,
        constants_only: bool = False,
        function: Callable[[tree.Pou, Span, FbType | None, str], str] | None = None,
    ) -> None:
        self.declarations = declarations
        self.reporter = declarations.reporter
        self.constants_only = constants_only
        self._function = function
        self.symbols: dict[str, Symbol] = {}
        self.scope: dict[str, Symbol] = {}
        self.this: FbType | None = None
        self.program = ""
        self.program_members: dict[str, Method] = {}
        self.locals: list[ir.Variable] = []
        self.block: list[ir.Stmt] = []
        self.frame = 0
        self.in_memory: set[str] = set()
        self.unknown: set[str] = set()
        self.result: Symbol | None = None
        self.touch = Touch()
        self.notes: Notes | None = None
        self.loops = 0
        self.loop_variables: list[str] = []
        self.direct: Callable[[tree.Direct], tuple[int, int | None] | None] | None = None
        self.statics: Callable[[Type, tree.Expr | None, str], int] | None = None
        self.pou: tree.Pou | None = None
        self.action: Callable[[tree.Pou, tree.Action], str] | None = None
        self.harness: Harness | None = None
        self.in_test = False
        self.privileged = False
        self.image_range: Callable[[], int] | None = None
        self.make_return: Callable[[], None] = lambda: self.emit(ir.Return())
        self._last_mark = -1

    @classmethod
    def for_constants(cls, declarations: Declarations) -> Body:
        """A body in which only constant expressions can be evaluated."""
        return cls(declarations, constants_only=True)

    # --- statements --------------------------------------------------------------------------

    def emit(self, statement: ir.Stmt) -> None:
        self.block.append(statement)

    def mark(self, span: Span) -> None:
        """Note in the IR where the following statements come from."""
        pos = position(span)
        if pos != self._last_mark:
            self._last_mark = pos
            self.emit(ir.Mark(pos))

    def forget_mark(self) -> None:
        """The next statement notes its position again, whatever was noted before."""
        self._last_mark = -1

    @contextmanager
    def nested(self) -> Iterator[list[ir.Stmt]]:
        """Statements emitted inside go to a list of their own."""
        outer, self.block = self.block, []
        try:
            yield self.block
        finally:
            self.block = outer
            self._last_mark = -1

    # --- locals and frame --------------------------------------------------------------------

    def new_local(self, name: str, kind: str) -> int:
        self.locals.append(ir.Variable(name, kind))
        return len(self.locals) - 1

    def temporary(self, expr: ir.Expr) -> ir.Expr:
        """`expr` evaluated now, once, into a local that nothing else changes."""
        if isinstance(expr, ir.Const):
            return expr
        if isinstance(expr, ir.Local) and not self.locals[expr.index].name:
            return expr
        index = self.new_local("", expr.kind)
        self.emit(ir.SetLocal(index, expr))
        return ir.Local(expr.kind, index)

    def frame_slot(self, t: Type) -> ir.Addr:
        """Space for one value of type `t` in the frame."""
        size, align = size_align(t)
        offset = (self.frame + align - 1) // align * align
        self.frame = offset + size
        return ir.Addr("frame", offset)

    def initialise(self, addr: ir.Addr, t: Type, init: tree.Expr | None = None) -> None:
        """Give the variable at `addr` its initial value, at run time."""
        from host_tools.compiler.initial import write_initial

        if isinstance(t, Unknown):
            return
        data = bytearray(size_align(t)[0])
        write_initial(self.declarations, data, 0, t, init)
        if isinstance(t, StringType) and not data[2] and not data[3]:
            del data[4:]  # an empty string: capacity and length are all that matters
        self.emit(ir.Init(addr, bytes(data)))

    def copy(self, to: ir.Addr, value: Value) -> ir.Stmt:
        """The statement that copies the aggregate `value`."""
        assert value.addr is not None
        return ir.Copy(to, value.addr, size_align(value.type)[0])

    def now(self) -> ir.Expr:
        """The logical clock. That of a test stands until the test advances it."""
        if self.harness is not None:
            return ir.Load("i64", ir.Addr("static", self.harness.clock))
        return ir.Intrinsic("i64", "now")

    # --- names -------------------------------------------------------------------------------

    def function(self, pou: tree.Pou, span: Span) -> str:
        assert self._function is not None
        name = self._function(pou, span, None, "")
        self.touch.calls.setdefault(name, span)
        return name

    def method(self, method: Method, span: Span) -> str:
        """As `function`, for a method, or an accessor of a property."""
        assert self._function is not None
        owner = method.owner if isinstance(method.owner, FbType) else None
        if self.program and owner is not None and owner.pou.kind == "PROGRAM":
            owner = None
        name = self._function(method.pou, span, owner, self.program if owner is None else "")
        self.touch.calls.setdefault(name, span)
        return name

    def lookup(self, name: str, span: Span) -> Symbol | None:
        """A variable or constant by name: locals, members of this block, then globals. `span` is
        where the name stands: a constant expression knows the constants of the POU around it."""
        key = fold(name)
        symbol = self.symbols.get(key) or self.scope.get(key)
        if symbol is None and self.constants_only:
            symbol = self.declarations.constants.local_symbol(name, span)
        if symbol is not None or span.source.library:
            return symbol
        if not self.declarations.globals:
            return None
        key = self.declarations.naming.full(name, span)
        constant = self.declarations.constants.global_symbol(key)
        if constant is not None:
            return constant
        return self.declarations.global_symbols.get(key)

    def names(self) -> list[str]:
        return [s.name for s in (*self.symbols.values(), *self.scope.values())] + [
            s.name for s in self.declarations.global_symbols.values()
        ]

    # --- order of evaluation -----------------------------------------------------------------

    def in_order(self, steps: list[Callable[[], Value]]) -> list[Value]:
        """Evaluate in order. Where a later step emits statements (a call), the values before it
        are put into temporaries ahead of those statements."""
        values: list[Value] = []
        for step in steps:
            before = len(self.block)
            value = step()
            if len(self.block) > before:
                self._spill(values, before)
            values.append(value)
        return values

    def _spill(self, values: list[Value], at: int) -> None:
        later = self.block[at:]
        del self.block[at:]
        for v in values:
            if v.const is not None or isinstance(v.type, Unknown):
                continue
            if v.addr is None:
                v.expr = self.temporary(v.expr)
            else:
                slot = self.frame_slot(v.type)
                self.emit(ir.Copy(slot, v.addr, size_align(v.type)[0]))
                v.addr, v.expr = slot, ir.AddrOf("u32", slot)
        self.block.extend(later)


def scalar_const(t: Type, value: int | float | bytes) -> ir.Const:
    return ir.Const(kind_of(t), value)
