"""Print IR statements and functions as C."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from host_tools.compiler import ir
from host_tools.compiler.c_engine import strings
from host_tools.compiler.c_engine.effects import Held, Knowledge, unchanged
from host_tools.compiler.c_engine.expressions import access, address, ordered, place, value
from host_tools.compiler.c_engine.ranges import at_head, bounds, checked, learn
from host_tools.compiler.c_engine.scope import NEEDS_ROOM, Callable, Place, Scope, room
from host_tools.compiler.c_engine.text import COND, CTYPE, HELD, UNIT, EngineError, integer
from host_tools.compiler.c_engine.values import Values
from host_tools.compiler.ir_walk import addr_may_fault, int_const, may_fault, walk, walk_expr
from host_tools.record import record


@record()
class _Exits:
    """A loop or switch around the statement; `next` and `done` are the labels that were used."""

    number: int
    is_loop: bool
    counts: bool = False
    next: bool = False
    done: bool = False


class FunctionPrinter:
    """Prints one function; `print` gives its lines."""

    def __init__(
        self,
        program: ir.Program,
        func: ir.Func,
        callables: dict[str, Callable],
        known: Knowledge,
    ) -> None:
        self.known = known
        self.program = program
        self.func = func
        self.callables = callables
        self.scope = Scope(program, func, callables)
        self.lines: list[str] = []
        self._level = 1
        self._values = Values(known)
        self._around: list[_Exits] = []
        self._loops = 0
        self._failing = 0
        self._stored: tuple[Held, int] | None = None  # by the statement just printed
        self._mark = 0
        self._printed = 0
        self._pos = func.pos

    def head(self) -> str:
        func, scope = self.func, self.scope
        result = "void" if func.result is None else CTYPE[func.locals[func.result].kind]
        takes = ["mem m"]
        takes += ["mem s"] if func.has_self else []
        takes += ["mem f"] if scope.takes_frame else []
        takes += [
            f"{CTYPE[v.kind]} {scope.locals[i]}"
            for i, v in enumerate(func.locals[: func.parameters])
        ]
        if result == "str":
            takes.append("u8 *room_result")
        return f"static {result} {self.callables[func.name].name}({', '.join(takes)})"

    def print(self) -> list[str]:
        func, scope = self.func, self.scope
        try:
            self._block(func.body)
        except EngineError as error:
            raise EngineError(str(error), error.pos or self._pos) from None
        if func.result is not None and not _ends(func.body):
            self._line(f"return {scope.locals[func.result]};")
        declared = []
        for i, v in enumerate(func.locals):
            if i in scope.references:
                at = f"at_{scope.locals[i]}"
                declared.append(f"    mem {at} = m + {scope.locals[i]}; PLACE({at});")
            if i >= func.parameters:
                kind = "mem" if i in scope.pointers else HELD[v.kind]
                declared.append(f"    {kind} {scope.locals[i]};")
                if v.kind in UNIT and i != func.result:
                    declared.append(
                        "    " + room(f"room_{scope.locals[i]}", v.kind, scope.bounds[i])
                    )
        return [f"/* {self.place(func.pos)} */", self.head(), "{", *declared, *self.lines, "}"]

    @property
    def bound(self) -> int:
        """Characters of the result at most, where it is a string."""
        func = self.func
        if func.result is None or func.locals[func.result].kind not in UNIT:
            return 0
        return self.scope.bounds[func.result]

    def place(self, pos: int) -> str:
        source, line = pos >> 22, pos & 0x3FFFFF
        names = self.program.sources
        name = names[source] if source < len(names) else f"source {source}"
        return f"{name}:{line}".replace("*/", "* /")

    # --- lines -------------------------------------------------------------------------------

    def _line(self, text: str) -> None:
        if self._mark and self._mark != self._printed:
            self._printed = self._mark
            self.lines.append("    " * self._level + f"/* {self.place(self._mark)} */")
        self._mark = 0
        self.lines.append("    " * self._level + text)

    def _simple(self, text: str) -> None:
        """A statement, in a block of its own with the room that its strings need."""
        rooms, self.scope.rooms = self.scope.rooms, []
        if not rooms:
            self._line(text)
            return
        self._line("{")
        self._level += 1
        for one in rooms:
            self._line(one)
        self._line(text)
        self._level -= 1
        self._line("}")

    def _indented(self, block: tuple[ir.Stmt, ...]) -> None:
        self._level += 1
        scope = self.scope
        places, ranges = dict(scope.places), dict(scope.ranges)
        values = self._values.saved()
        self._block(block)
        self._values.merge(values)
        # What was found inside may not be reached; what was changed there is not known.
        scope.places = {k: v for k, v in places.items() if scope.places.get(k) == v}
        scope.ranges = ranges
        self._forget_of(block)
        self._level -= 1

    def _forget(self, changed: set[int | str | Held]) -> None:
        """Places that depend on a local, a pointer or a held scalar are no longer known."""
        for one in changed:
            if isinstance(one, Held):
                self.scope.ranges.pop(one, None)
        self._values.forget(changed)
        if not self.scope.places:
            return
        kept = {}
        for known, found in self.scope.places.items():
            used: set[int | str | Held] = {found[0], known[1]}
            for e in _indexes(known):
                if isinstance(e, ir.Local):
                    used.add(e.index)
                elif isinstance(e, ir.Load):
                    used.add(Held(e.addr.base, e.addr.offset, e.kind))
            if not used & changed:
                kept[known] = found
        self.scope.places = kept

    def _forget_of(self, block: tuple[ir.Stmt, ...]) -> None:
        """The same for all that a block may change."""
        changed: set[int | str | Held] = set()
        for s in walk(block):
            match s:
                case ir.SetLocal(index=index) | ir.Call(result=int() as index):
                    changed |= {index, self.scope.locals[index]}
                case ir.Store(addr=addr, value=value) if not addr.terms:
                    changed.add(Held(addr.base, addr.offset, value.kind))
        self._forget(changed)
        self._values.after_all(block)

    def _block(self, block: tuple[ir.Stmt, ...]) -> None:
        for s in block:
            self._statement(s)
            self._values.after(s)
            if isinstance(s, ir.Break | ir.Continue | ir.Return | ir.RaiseFault):
                break  # the rest is never reached

    # --- statements --------------------------------------------------------------------------

    def _statement(self, s: ir.Stmt) -> None:
        scope = self.scope
        if not isinstance(s, ir.Mark | ir.Loop):
            self._stored = None
        match s:
            case ir.Mark(pos=pos):
                self._mark = self._pos = pos
            case ir.SetLocal(index=index, value=v):
                self._set_local(index, v)
            case ir.Store():
                self._store(s)
            case ir.StoreBit():
                self._store_bit(s)
            case ir.Copy(to=to, source=source, size=size):
                target, origin = address(to, scope).text, address(source, scope).text
                if addr_may_fault(to) and addr_may_fault(source):
                    self._simple(f"{{ mem t_ = {target}; memmove(t_, {origin}, {size}); }}")
                else:
                    self._simple(f"memmove({target}, {origin}, {size});")
            case ir.Init(addr=addr, data=data):
                at = address(addr, scope).text
                if any(data):
                    self._simple(f"memcpy({at}, {strings.literal(data)}, {len(data)});")
                else:
                    self._simple(f"memset({at}, 0, {len(data)});")
            case ir.If():
                self._if(s)
            case ir.Switch():
                self._switch(s)
            case ir.Loop():
                self._loop(s)
            case ir.Break():
                self._break()
            case ir.Continue():
                loop = next(x for x in reversed(self._around) if x.is_loop)
                loop.next = True
                self._line(f"goto next_{loop.number};")
            case ir.Return():
                result = self.func.result
                if any(x.is_loop for x in self._around):
                    self._pay()
                    self._line("STEPS(m) = steps;")
                self._line("return;" if result is None else f"return {scope.locals[result]};")
            case ir.Call():
                self._call(s)
            case ir.RaiseFault(code=code, pos=pos):
                if scope.fail:
                    self._line(f"FAIL({scope.fail}, {code}, {pos}u);")
                else:
                    self._line(f"fault(m, {code}, {pos}u);")
            case _:
                raise EngineError(f"the native engine does not know {type(s).__name__}", self._pos)

    def _set_local(self, index: int, v: ir.Expr) -> None:
        scope = self.scope
        if index in self.scope.pointers:
            assert isinstance(v, ir.AddrOf)
            name = self.scope.locals[index]
            self._simple(f"{name} = {address(v.addr, self.scope).text}; PLACE({name});")
            self._forget({name, index})
            checked(v, scope.ranges, scope.held)
            known = place(v.addr, self.scope) if v.addr.terms else None
            if known and not any(x == ir.Local("u32", index) for x in _indexes(known)):
                self.scope.places[known] = name, v.addr.offset
            return
        self._forget({index})
        if index not in scope.references and (same := self._values.find(v)) is not None:
            self._values.note(index, v, scope.held)
            self._simple(f"{scope.locals[index]} = {scope.locals[same]};")
            return
        name, text = self.scope.locals[index], value(v, self.scope).text
        if v.kind in UNIT:
            kept = "room_result" if index == self.func.result else f"room_{name}"
            text = f"str_keep({kept}, {text}, {UNIT[v.kind]})"
        self._simple(f"{name} = {text};")
        self._values.note(index, v, scope.held)
        checked(v, scope.ranges, scope.held)

    def _store(self, s: ir.Store) -> None:
        scope, kind = self.scope, s.value.kind
        v = value(s.value, scope).text
        if kind in UNIT:
            target = address(s.addr, scope).text
            if addr_may_fault(s.addr) and may_fault(s.value):
                name = scope.fresh()
                self._simple(f"{{ str {name} = {v}; str_store({target}, {name}, {UNIT[kind]}); }}")
            else:
                self._simple(f"str_store({target}, {v}, {UNIT[kind]});")
            return
        held = scope.held.get(Held(s.addr.base, s.addr.offset, kind)) if not s.addr.terms else None
        checked(s.value, scope.ranges, scope.held)
        if held:
            one = Held(s.addr.base, s.addr.offset, kind)
            self._simple(f"{held} = {v};")
            if self._is_count(s.value, one):
                self._line(f"PLACE({held});")
            found = bounds(s.value, scope.ranges) if kind in ir.INT_RANGE else None
            self._forget({one})
            if found:
                scope.ranges[one] = found
            if one in scope.owed:
                return
            # The image has it, too: it must be right when a fault ends the loop.
            v = held
        stored = kind
        if kind in ("f32", "f64") and not _is_canonical(s.value):
            v, stored = f"stored_{kind}({v})", "u32" if kind == "f32" else "u64"
        elif isinstance(s.value, ir.Const) and isinstance(s.value.value, int) and not s.addr.terms:
            self._stored = Held(s.addr.base, s.addr.offset, kind), s.value.value
        target = access(stored, s.addr, scope).text
        if addr_may_fault(s.addr) and may_fault(s.value):
            name = scope.fresh()
            self._simple(f"{{ {CTYPE[stored]} {name} = {v}; {target} = {name}; }}")
        else:
            self._simple(f"{target} = {v};")
        for e, _ in s.addr.terms:
            checked(e, scope.ranges, scope.held)

    def _is_count(self, e: ir.Expr, one: Held) -> bool:
        """A scalar that a WHILE or REPEAT counts: where the compiler knows, it makes more of it
        than small processors have registers for."""
        loop = next(x for x in reversed(self._around) if x.is_loop)
        return (
            not loop.counts
            and isinstance(e, ir.Binary)
            and e.op in ("add", "sub")
            and int_const(e.b) is not None
            and isinstance(e.a, ir.Load)
            and one == Held(e.a.addr.base, e.a.addr.offset, e.a.kind)
            and one.kind in ir.INT_RANGE
            and ir.SIZE[one.kind] < 8
        )

    def _store_bit(self, s: ir.StoreBit) -> None:
        scope, on = self.scope, 1 << s.bit
        v = value(s.value, scope)
        at = address(s.addr, scope)
        if isinstance(s.value, ir.Const):
            change = f"|= {on}" if s.value.value else f"&= {255 ^ on}"
            self._simple(f"U8({at.text}) {change};")
            return
        p, n = scope.fresh(), scope.fresh()
        test = v.at(COND)
        self._simple(
            f"{{ u32 {n} = {test}; mem {p} = {at.text}; "
            f"U8({p}) = (U8({p}) & {255 ^ on}) | ({n} ? {on} : 0); }}"
        )

    # --- branches ----------------------------------------------------------------------------

    def _test(self, e: ir.Expr) -> str:
        """The condition; where it works on strings, it is computed before, in its own block."""
        text = value(e, self.scope).text
        if not self.scope.rooms:
            return text
        name = self.scope.fresh()
        self._line(f"u8 {name};")
        self._simple(f"{name} = {text};")
        return name

    def _if(self, s: ir.If) -> None:
        scope = self.scope
        self._line(f"if ({self._test(s.test)}) {{")
        known = dict(scope.ranges)
        learn(s.test, True, scope.ranges, scope.held)
        self._indented(s.then)
        scope.ranges = known
        self._forget_of(s.then)
        if s.then and isinstance(s.then[-1], ir.Break | ir.Return) and not s.orelse:
            learn(s.test, False, scope.ranges, scope.held)
        while s.orelse:
            inner = [x for x in s.orelse if not isinstance(x, ir.Mark)]
            if len(inner) == 1 and isinstance(inner[0], ir.If) and not _has_rooms(inner[0].test):
                s = inner[0]
                self._line(f"}} else if ({value(s.test, self.scope).text}) {{")
                self._indented(s.then)
                continue
            self._line("} else {")
            self._indented(s.orelse)
            break
        self._line("}")

    def _switch(self, s: ir.Switch) -> None:
        kind = s.value.kind
        x = value(s.value, self.scope).text
        ranges = sorted(r for rs, _ in s.branches for r in rs)
        if not all(a[1] < b[0] for a, b in pairwise(ranges)):
            self._chain(x, s)
            return
        self._around.append(_Exits(0, False))
        self._line(f"switch ({x}) {{")
        for rs, block in s.branches:
            if not rs:
                continue
            for low, high in rs:
                label = integer(low, kind).text
                if high != low:
                    label += f" ... {integer(high, kind).text}"
                self._line(f"case {label}:")
            self._level += 1
            self._line("{")
            self._indented(block)
            self._line("}")
            self._line("break;")
            self._level -= 1
        if s.orelse:
            self._line("default:")
            self._level += 1
            self._line("{")
            self._indented(s.orelse)
            self._line("}")
            self._level -= 1
        self._line("}")
        self._around.pop()

    def _chain(self, x: str, s: ir.Switch) -> None:
        """Branches that overlap: the first one that fits."""
        kind, word = s.value.kind, "if"
        for rs, block in s.branches:
            tests = [
                f"({x} >= {integer(low, kind).text} && {x} <= {integer(high, kind).text})"
                for low, high in rs
            ]
            self._line(f"{word} ({' || '.join(tests) or '0'}) {{")
            self._indented(block)
            word = "} else if"
        if s.orelse:
            self._line("} else {")
            self._indented(s.orelse)
        self._line("}")

    def _loop(self, s: ir.Loop) -> None:
        if any(x.is_loop for x in self._around):
            self._inner_loop(s)
            return
        # The outermost loop holds what it can in registers: the budget of back-edges, and scalars.
        scope = self.scope
        held, owed = self.known.held(s, self.func)
        self._line("{")
        self._level += 1
        self._line("i32 steps = STEPS(m);")
        before = self._stored
        for one in held:
            name = scope.fresh("held_")
            at = access(one.kind, ir.Addr(one.base, one.offset), scope).text
            self._line(f"{HELD[one.kind]} {name} = {at};")
            scope.held[one] = name
            if before and before[0] == one:
                scope.ranges[one] = before[1], before[1]
        if owed:
            self._failing += 1
            scope.fail = self._failing
            scope.owed = {one: scope.held[one] for one in owed}
            self._line(f"u32 fail_code_{scope.fail}, fail_pos_{scope.fail};")
        self._inner_loop(s)
        self._pay()
        self._line("STEPS(m) = steps;")
        if owed:
            self._line("if (0) {")
            self._line(f"fail_{scope.fail}:;")
            self._level += 1
            self._pay()
            self._line(f"fault(m, fail_code_{scope.fail}, fail_pos_{scope.fail});")
            self._level -= 1
            self._line("}")
        scope.held.clear()
        scope.owed.clear()
        scope.places.clear()
        scope.ranges.clear()
        self._values.known.clear()
        scope.fail = 0
        self._level -= 1
        self._line("}")

    def _pay(self) -> None:
        """Store what the loop owes to the image."""
        for one, name in self.scope.owed.items():
            kind, v = one.kind, name
            if kind in ("f32", "f64"):
                v, kind = f"stored_{kind}({name})", "u32" if kind == "f32" else "u64"
            at = access(kind, ir.Addr(one.base, one.offset), self.scope).text
            self._line(f"{at} = {v};")

    def _inner_loop(self, s: ir.Loop) -> None:
        self._loops += 1
        exits = _Exits(self._loops, True, bool(s.step))
        scope, same = self.scope, self.scope.same
        head = at_head(s, scope.ranges, scope.held)
        self._forget_of((s,))
        costly = [e for e in unchanged(s, scope.held) if e not in same]
        if costly:
            self._line("{")
            self._level += 1
            scope.same = dict(same)
            for e in costly:
                name = scope.fresh("same_")
                self._line(f"{HELD[e.kind]} {name} = {value(e, scope).text};")
                scope.same[e] = name
        self._around.append(exits)
        scope.ranges |= head
        self._line("for (;;) {")
        self._indented(s.body)
        if exits.next:
            self._line(f"next_{exits.number}:;")
        self._indented(s.step)
        self._level += 1
        if not s.step:  # nothing is counted: let nobody look for it
            self._line("steps--;")
            self._line("PLACE(steps);")
        less = "--steps" if s.step else "steps"
        if scope.fail:
            self._line(f"BACK_EDGE({scope.fail}, {less}, {s.pos}u);")
        else:
            self._line(f"back_edge(m, {less}, {s.pos}u);")
        self._level -= 1
        self._line("}")
        self._around.pop()
        if exits.done:
            self._line(f"done_{exits.number}:;")
        if head and sum(isinstance(x, ir.Break) for x in walk((s,))) == 1:
            scope.ranges |= head  # the way out is the test at the head
        if costly:
            self._level -= 1
            self._line("}")
            scope.same = same

    def _break(self) -> None:
        if self._around[-1].is_loop:
            self._line("break;")
            return
        loop = next(x for x in reversed(self._around) if x.is_loop)
        loop.done = True
        self._line(f"goto done_{loop.number};")

    def _call(self, s: ir.Call) -> None:
        scope = self.scope
        callee = self.callables[s.func]
        args = ["m"]
        texts, declared = ordered(list(s.args), scope)
        if s.instance is not None:
            at = address(s.instance, scope).text
            if addr_may_fault(s.instance) and any(may_fault(a) for a in s.args):
                name = scope.fresh()
                declared = f"mem {name} = {at}; " + declared
                at = name
            args.append(at)
        if callee.takes_frame:
            args.append(f"f + {self.func.frame}" if self.func.frame else "f")
        args += [t.text for t in texts]
        text = ""
        if s.result is not None:
            name = scope.locals[s.result]
            text = f"{name} = "
            if self.func.locals[s.result].kind in UNIT:
                args.append("room_result" if s.result == self.func.result else f"room_{name}")
        elif callee.bound:
            unused = scope.fresh("room_")
            scope.rooms.append(room(unused, "wstr", callee.bound))
            args.append(unused)
        if s.result is not None:
            self._forget({s.result})
        text += f"{callee.name}({', '.join(args)});"
        if any(x.is_loop for x in self._around) and self.known.functions[s.func].loops:
            text = f"STEPS(m) = steps; {text} steps = STEPS(m);"
            declared = declared or " "
        self._simple(f"{{ {declared}{text} }}" if declared else text)


def _indexes(place: Place) -> Iterator[ir.Expr]:
    for e, _ in place[2]:
        yield from walk_expr(e)


def _is_canonical(e: ir.Expr) -> bool:
    """A float that is not NaN, or the canonical one."""
    return isinstance(e, ir.Const) or (isinstance(e, ir.Convert) and e.x.kind in ir.INT_RANGE)


def _has_rooms(e: ir.Expr) -> bool:
    return any(isinstance(x, ir.Intrinsic) and x.name in NEEDS_ROOM for x in walk_expr(e))


def _ends(block: tuple[ir.Stmt, ...]) -> bool:
    return bool(block) and isinstance(block[-1], ir.Return)
