"""The functions of a program: their names, which are lowered when something first calls them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from host_tools.compiler import ir, tree
from host_tools.compiler.declarations import Declarations
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.pou import Around, lower_pou
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Touch
from host_tools.compiler.tree import fold
from host_tools.compiler.types import FbType


class Functions:
    """What is lowered, by name, with what it touches. `around` is what the programs stand in, by
    the names of their instances."""

    def __init__(
        self, names: Declarations, make_body: Callable[[str], Body], for_tests: bool
    ) -> None:
        self._names = names
        self._make_body = make_body
        self._for_tests = for_tests
        self.made: dict[str, ir.Func] = {}
        self.touches: dict[str, Touch] = {}
        self.around: dict[str, Around] = {}
        self._queue: deque[tuple[str, tree.Pou, Around, tree.Action | None]] = deque()
        self._pou_names: dict[tuple[int, str], str] = {}
        self._action_names: dict[tuple[int, str], str] = {}
        self._taken: set[str] = set()
        self._depths: dict[str, int] = {}

    def add(self, name: str, func: ir.Func, touch: Touch) -> None:
        """Take in a function that was lowered elsewhere."""
        self.made[name], self.touches[name] = func, touch

    def of_pou(
        self, pou: tree.Pou, span: Span, owner: FbType | None = None, program: str = ""
    ) -> str:
        """The name of a POU's function. A method has an `owner`, or the instance of a `program`
        whose function it is one of."""
        name = self._pou_names.get((id(pou), program))
        if name is None and pou.kind == "PROGRAM" and not self._for_tests:
            return f"program {pou.name.name}"  # called by a test that is only checked
        if name is None:
            name = pou.name.name
            if pou.kind == "METHOD":
                name = f"{owner.name if owner is not None else program}.{name}"
                if pou.result is None and pou.blocks and pou.blocks[0].span == pou.name.span:
                    name += ".set"
            while name in self._taken:
                name += "_library"  # the library's, behind a POU of the user with that name
            self._taken.add(name)
            self._pou_names[id(pou), program] = name
            around = Around(owner)
            if program:
                around = self.around[program]
            self._queue.append((name, pou, around, None))
        return name

    def of_action(self, pou: tree.Pou, action: tree.Action, program: str) -> str:
        """The function of an action: one for a function block, one for each program instance."""
        if pou.kind != "PROGRAM":
            program = ""
        name = self._action_names.get((id(action), program))
        if name is None:
            name = f"{program or pou.name.name}__{action.name.name}"
            while name in self._taken or fold(name) in self._names.pous:
                name += "_"
            self._taken.add(name)
            self._action_names[id(action), program] = name
            around = self.around[program] if program else Around()
            self._queue.append((name, pou, around, action))
        return name

    def drain(self) -> None:
        """Lower what is waiting, and what that calls."""
        while self._queue:
            name, pou, around, action = self._queue.popleft()
            self.lower(name, pou, around, action)
            if action is None and pou.kind == "FUNCTION_BLOCK":
                for one in pou.actions:
                    self.of_action(pou, one, "")

    def lower(
        self, name: str, pou: tree.Pou, around: Around, action: tree.Action | None = None
    ) -> None:
        """Lower a POU or an action of it now."""
        self.made[name], self.touches[name] = lower_pou(
            lambda: self._make_body(around.program), pou, name, around, action
        )

    def in_call_order(self, roots: Iterable[str]) -> list[ir.Func]:
        """The functions that `roots` need, and those themselves, callees first."""
        ordered: dict[str, ir.Func] = {}

        def visit(name: str, path: tuple[str, ...]) -> None:
            if name in ordered or name in path or name not in self.made:
                return
            for callee in self.touches[name].calls:
                visit(callee, (*path, name))
            ordered[name] = self.made[name]

        for name in roots:
            visit(name, ())
        return list(ordered.values())

    def stack_depth(self, name: str, path: tuple[str, ...] = ()) -> int:
        """Bytes of the frames of a function and of the deepest of those that it calls."""
        if name in path or name not in self.made:
            return 0
        if name not in self._depths:
            deepest = 0
            for callee in self.touches[name].calls:
                deepest = max(deepest, self.stack_depth(callee, (*path, name)))
            self._depths[name] = self.made[name].frame + deepest
        return self._depths[name]
