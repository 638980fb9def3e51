"""Random well-typed IR programs over a small image: any choice gives a program with a meaning."""

from __future__ import annotations

import random
import struct

from host_tools.compiler import ir
from host_tools.compiler.ir import Addr
from tests.conformance.reference import CODE

SIZE = 1024
STACK = 704
BOOLS, NUMBERS = (256, 16), (272, 128)  # (first byte, bytes)
STRINGS = {"str": ((400, 6), (412, 10)), "wstr": ((428, 4), (440, 7))}  # (address, capacity)
POINTERS = (564, 568)
INSTANCES = (576, 624)  # 48 bytes: 8 BOOLs, 32 bytes of numbers, a STRING of 4
FRAME = 48  # 8 BOOLs, 40 bytes of numbers
INTS = ("i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64")
NUMBER_KINDS = (*INTS, "f32", "f64")
KINDS = ("b1", *NUMBER_KINDS, "str", "wstr")
COUNTS = {"mul": 3, "add": 5, "sub": 5, "div": 2, "mod": 2, "and": 2, "or": 2, "xor": 2,
          "shl": 1, "shr": 1, "rol": 1, "ror": 1}  # fmt: skip
INT_OPS = [op for op, n in COUNTS.items() for _ in range(n)]


class Writer:
    """Writes one function at a time with the choices of `rng`."""

    def __init__(self, rng: random.Random, double: bool = True) -> None:
        self.rng = rng
        self.pos = 0
        self.kinds = KINDS if double else tuple(k for k in KINDS if k != "f64")
        self.numbers = tuple(k for k in self.kinds if k in NUMBER_KINDS)
        self.functions: list[ir.Func] = []

    def program(self) -> ir.Program:
        for name, has_self in (("leaf", False), ("block", True), ("main", False)):
            self.functions.append(self.function(name, has_self))
        initial = [(at, struct.pack("<H", cap)) for group in STRINGS.values() for at, cap in group]
        initial += [(at + 40, struct.pack("<H", 4)) for at in INSTANCES]
        initial += [(POINTERS[0], struct.pack("<I", NUMBERS[0] + 16))]
        initial += [(NUMBERS[0], bytes(self.rng.randrange(256) for _ in range(NUMBERS[1])))]
        task = ir.Task("t", "main", 10_000_000, 1, STACK)
        sources = ("one.st", "two.st")
        return ir.Program(
            tuple(self.functions), (task,), SIZE, tuple(initial), 60, sources, "f64" in self.kinds
        )

    def function(self, name: str, has_self: bool) -> ir.Func:
        rng = self.rng
        self.has_self, self.in_loop = has_self, 0
        kinds = [rng.choice(self.kinds) for _ in range(rng.randrange(3, 8))] + ["i16"]
        self.locals = [ir.Variable(rng.choice(["", "x", "Level", "if"]), k) for k in kinds]
        parameters = 0 if name == "main" else rng.randrange(3)
        # Temporaries and parameters hold no strings.
        for i in range(parameters):
            if self.locals[i].kind in ("str", "wstr"):
                self.locals[i] = ir.Variable("p", "i32")
        body: list[ir.Stmt] = [ir.Init(Addr("frame", 0), bytes(8))]
        body.append(ir.Init(Addr("frame", 8), bytes(rng.randrange(256) for _ in range(40))))
        for i in range(parameters, len(self.locals)):
            body.append(ir.SetLocal(i, self.const(self.locals[i].kind)))
        body += self.block(rng.randrange(3, 9), 3)
        result = rng.randrange(len(self.locals)) if name == "leaf" else None
        if result is not None and self.locals[result].kind in ("str", "wstr"):
            result = len(self.locals) - 1
        return ir.Func(
            name, name, parameters, tuple(self.locals), result, has_self, FRAME, tuple(body), 1
        )

    # --- addresses

    def at(self) -> int:
        self.pos += 1
        return (self.rng.randrange(2) << 22) | self.pos

    def index(self, count: int) -> ir.Expr:
        """0..count-1, or a fault."""
        safe = self.rng.randrange(20)
        kind = self.rng.choice(INTS if safe == 0 else INTS[1::2])
        if self.rng.randrange(3) == 0:
            return ir.Const("i32", self.rng.randrange(count))
        x = self.expr(kind, 1)
        if safe > 1:
            x = ir.Binary(kind, "mod", x, ir.Const(kind, count), self.at())
        return ir.Check(kind, x, 0, count - 1, ir.Fault.INDEX, self.at())

    def place(self, kind: str) -> Addr:
        """Where a value of the kind may be read and written."""
        rng = self.rng
        if kind in STRINGS:
            if kind == "str" and self.has_self and rng.randrange(2):
                return Addr("self", 40)
            return Addr("static", rng.choice(STRINGS[kind])[0])
        size = ir.SIZE[kind]
        choices = ["static", "static", "frame", "index", "pointer"]
        base = rng.choice([*choices, "self", "self", "self"] if self.has_self else choices)
        if kind == "b1":
            if base in ("self", "frame"):
                return Addr(base, rng.randrange(8))
            if base == "pointer":
                return Addr("ptr", 3, (), ir.AddrOf("u32", Addr("static", BOOLS[0])))
            if base == "index":
                return Addr("static", BOOLS[0], ((self.index(BOOLS[1]), 1),))
            return Addr("static", BOOLS[0] + rng.randrange(BOOLS[1]))
        if base in ("self", "frame"):
            count = 32 // size
            if rng.randrange(3) == 0:
                return Addr(base, 8, ((self.index(count), size),))
            return Addr(base, 8 + rng.randrange(count) * size)
        if base == "index" and size <= 4:
            terms = ((self.index(4), 32), (self.index(8), 4))
            return Addr("static", NUMBERS[0], terms)
        if base == "pointer":
            pointer = ir.Load("u32", Addr("static", POINTERS[rng.randrange(20) == 0]))
            checked = ir.NotNull("u32", pointer, self.at())
            return Addr("ptr", rng.randrange(32 // size) * size, (), checked)
        return Addr("static", NUMBERS[0] + rng.randrange(NUMBERS[1] // size) * size)

    # --- expressions

    def const(self, kind: str) -> ir.Const:
        rng = self.rng
        if kind in STRINGS:
            text = "".join(rng.choice("abcB1é -_") for _ in range(rng.randrange(6)))
            return ir.Const(kind, text.encode("latin-1" if kind == "str" else "utf-16-le"))
        if kind in ("f32", "f64"):
            if rng.randrange(4):
                x = rng.choice([0.0, -0.0, 1.0, 0.1, -2.5, 100.0, 1e-30, 3e38, 1e-42])
            else:
                (x,) = struct.unpack(CODE[kind], rng.randbytes(ir.SIZE[kind]))
            if kind == "f32":
                (x,) = struct.unpack("<f", struct.pack("<f", x))
            return ir.Const(kind, x)
        low, high = ir.INT_RANGE[kind]
        edge = rng.choice([low, high, 0, 1, 2, 3, 10, 100, -1, rng.randint(low, high)])
        return ir.Const(kind, min(max(edge, low), high))

    def leaf(self, kind: str) -> ir.Expr:
        rng = self.rng
        names = [i for i, v in enumerate(self.locals) if v.kind == kind]
        pick = rng.randrange(4)
        if pick == 0:
            return self.const(kind)
        if pick == 1 and names:
            return ir.Local(kind, rng.choice(names))
        if kind == "b1" and pick == 2:
            return ir.LoadBit("b1", self.plain("u8"), rng.randrange(8))
        return ir.Load(kind, self.plain(kind))

    def plain(self, kind: str) -> Addr:
        """A place whose address has no operands, to end the recursion."""
        while True:
            addr = self.place(kind) if kind in STRINGS else self._plain_number(kind)
            if not addr.terms and addr.pointer is None:
                return addr

    def _plain_number(self, kind: str) -> Addr:
        size = ir.SIZE[kind]
        base = self.rng.choice(["static", "frame", "self"] if self.has_self else ["static"])
        if base == "static":
            first, count = BOOLS if kind == "b1" else NUMBERS
            return Addr(base, first + self.rng.randrange(count // size) * size)
        if kind == "b1":
            return Addr(base, self.rng.randrange(8))
        return Addr(base, 8 + self.rng.randrange(32 // size) * size)

    def expr(self, kind: str, depth: int) -> ir.Expr:
        rng = self.rng
        if depth <= 0 or rng.randrange(6) == 0:
            return self.leaf(kind)
        pick = rng.randrange(12)
        if pick == 0:
            return ir.Load(kind, self.place(kind))
        if pick == 1:
            return ir.Select(
                kind,
                self.expr("b1", depth - 1),
                self.expr(kind, depth - 1),
                self.expr(kind, depth - 1),
            )
        if kind == "b1":
            return self.boolean(depth)
        if kind in STRINGS:
            return self.string(kind, depth)
        if pick == 2:
            return ir.Unary(kind, "not" if kind in INTS and rng.randrange(2) else "neg",
                            self.expr(kind, depth - 1))  # fmt: skip
        if pick in (3, 4):
            source = rng.choice(("b1", *self.numbers))
            return ir.Convert(kind, self.expr(source, depth - 1), bool(rng.randrange(2)))
        if pick == 5:
            return self.intrinsic(kind, depth)
        if pick == 6 and kind in INTS:
            low, high = sorted(int(self.const(kind).value) for _ in range(2))
            if rng.randrange(6):
                low, high = rng.choice([ir.INT_RANGE[kind], (low, ir.INT_RANGE[kind][1])])
            checked = self.expr(kind, depth - 1)
            return ir.Check(kind, checked, low, high, ir.Fault.RANGE, self.at())
        if kind not in INTS:
            op = rng.choice(["add", "sub", "mul", "div"])
            return ir.Binary(kind, op, self.expr(kind, depth - 1), self.expr(kind, depth - 1))
        op = rng.choice(INT_OPS)
        right = kind
        if op in ("shl", "shr", "rol", "ror"):
            right = rng.choice(INTS)
        b = self.expr(right, depth - 1)
        if rng.randrange(5) and op in ("div", "mod", "shl", "shr", "rol", "ror"):
            b = ir.Const(right, rng.choice([1, 2, 3, 7, 15, 31, 100]))
        return ir.Binary(kind, op, self.expr(kind, depth - 1), b, self.at())

    def boolean(self, depth: int) -> ir.Expr:
        rng = self.rng
        pick = rng.randrange(6)
        if pick == 0:
            return ir.Unary("b1", "not", self.expr("b1", depth - 1))
        if pick == 1:
            op = rng.choice(["and", "or", "xor"])
            return ir.Binary("b1", op, self.expr("b1", depth - 1), self.expr("b1", depth - 1))
        if pick == 2:
            op = rng.choice(["and", "or"])
            return ir.Shortcut("b1", op, self.expr("b1", depth - 1), self.expr("b1", depth - 1))
        if pick == 3:
            return ir.Convert("b1", self.expr(rng.choice(self.numbers), depth - 1))
        kind = rng.choice(self.kinds)
        op = rng.choice(["eq", "ne", "lt", "le", "gt", "ge"])
        return ir.Compare("b1", op, self.expr(kind, depth - 1), self.expr(kind, depth - 1))

    def intrinsic(self, kind: str, depth: int) -> ir.Expr:
        rng = self.rng
        if kind in ("f32", "f64"):
            name = rng.choice(["abs", "sqrt", "floor", "ceil", "min", "max"])
        elif kind == "i64" and rng.randrange(2):
            if rng.randrange(2):
                return ir.Intrinsic("i64", "now")
            return ir.Intrinsic("i64", "str_to_int", (self.expr("str", depth - 1),))
        elif kind == "i32" and rng.randrange(2):
            text = rng.choice(("str", "wstr"))
            if rng.randrange(2):
                return ir.Intrinsic(kind, "len", (self.expr(text, depth - 1),))
            a, b = self.expr(text, depth - 1), self.expr(text, depth - 1)
            return ir.Intrinsic(kind, "find", (a, b))
        elif kind in ("u8", "u16") and rng.randrange(2):
            s = self.expr("str" if kind == "u8" else "wstr", depth - 1)
            return ir.Intrinsic(kind, "char", (s, self.small()))
        else:
            name = rng.choice(["abs", "swap", "min", "max", "bcd_to", "to_bcd"])
            if name in ("bcd_to", "to_bcd") and kind[0] != "u":
                name = "abs"
        a = self.expr(kind, depth - 1)
        if name in ("min", "max"):
            return ir.Intrinsic(kind, name, (a, self.expr(kind, depth - 1)))
        return ir.Intrinsic(kind, name, (a,))

    def small(self) -> ir.Expr:
        if self.rng.randrange(4) == 0:
            return self.expr("i32", 1)
        return ir.Const("i32", self.rng.randrange(-2, 12))

    def string(self, kind: str, depth: int) -> ir.Expr:
        rng = self.rng
        s = self.expr(kind, depth - 1)
        pick = rng.randrange(10)
        if pick == 0:
            other = "wstr" if kind == "str" else "str"
            name = "to_narrow" if kind == "str" else "to_wide"
            return ir.Intrinsic(kind, name, (self.expr(other, depth - 1),))
        if pick == 1:
            code = "u8" if kind == "str" else "u16"
            return ir.Intrinsic(kind, "from_char", (self.expr(code, depth - 1),))
        if pick == 2 and kind == "str":
            return ir.Intrinsic(kind, "int_to_str", (self.expr(rng.choice(INTS), depth - 1),))
        if pick == 3 and kind == "str":
            return ir.Intrinsic(kind, "time_to_str", (self.expr("i64", depth - 1),))
        if pick == 4:
            return ir.Intrinsic(kind, "cut", (s, ir.Const("i32", rng.randrange(8))))
        if pick == 5:
            return ir.Intrinsic(kind, rng.choice(["left", "right"]), (s, self.small()))
        if pick == 6:
            name = rng.choice(["mid", "delete"])
            return ir.Intrinsic(kind, name, (s, self.small(), self.small()))
        b = self.leaf(kind)
        if pick == 7:
            return ir.Intrinsic(kind, "insert", (s, b, self.small()))
        if pick == 8:
            return ir.Intrinsic(kind, "replace", (s, b, self.small(), self.small()))
        return ir.Intrinsic(kind, "concat", (s, b))

    # --- statements

    def block(self, count: int, depth: int) -> tuple[ir.Stmt, ...]:
        out: list[ir.Stmt] = []
        for _ in range(count):
            if self.rng.randrange(2):
                out.append(ir.Mark(self.at()))
            out.append(self.statement(depth))
        return tuple(out)

    def statement(self, depth: int) -> ir.Stmt:
        rng = self.rng
        pick = rng.randrange(24)
        if depth > 0 and pick < 9:
            if pick < 4:
                then = self.block(rng.randrange(3), depth - 1)
                orelse = self.block(rng.randrange(3), depth - 1)
                return ir.If(self.expr("b1", 2), then, orelse)
            if pick < 6:
                return self.switch(depth)
            return self.loop(depth)
        if pick == 9 and len(self.functions) > 0:
            return self.call()
        if pick == 10:
            return ir.StoreBit(self.place("u8"), rng.randrange(8), self.expr("b1", 2))
        if pick == 11:
            size = rng.choice([1, 2, 4, 7, 8, 12, 24])
            return ir.Copy(self.bytes_place(size), self.bytes_place(size), size)
        if pick == 12:
            data = rng.randbytes(rng.randrange(1, 9))
            return ir.Init(Addr("frame", 8 + rng.randrange(30)), data)
        if pick == 13 and self.in_loop:
            return rng.choice([ir.Break(), ir.Continue(), ir.Continue()])
        if pick == 14 and rng.randrange(4) == 0:
            return ir.Return() if rng.randrange(8) else ir.RaiseFault(6, self.at())
        if pick < 18:
            index = rng.randrange(len(self.locals))
            return ir.SetLocal(index, self.expr(self.locals[index].kind, 3))
        kind = rng.choice(self.kinds)
        return ir.Store(self.place(kind), self.expr(kind, 3))

    def bytes_place(self, size: int) -> Addr:
        if self.rng.randrange(3) == 0:
            return Addr("frame", 8 + self.rng.randrange(40 - size))
        if self.rng.randrange(3) == 0:
            return Addr("static", NUMBERS[0], ((self.index(8), 8),))
        return Addr("static", NUMBERS[0] + self.rng.randrange(NUMBERS[1] - size))

    def switch(self, depth: int) -> ir.Stmt:
        rng = self.rng
        names = [(i, v.kind) for i, v in enumerate(self.locals) if v.kind in INTS]
        index, kind = rng.choice(names)
        low, high = ir.INT_RANGE[kind]
        branches, label = [], max(low, rng.choice([-5, 0]))
        for _ in range(rng.choice([1, 2, 3, 12])):
            ranges = []
            for _ in range(rng.choice([1, 1, 2])):
                end = min(label + rng.choice([0, 0, 0, 5]), high)
                ranges.append((label, end))
                label = min(end + 1, high)
            branches.append((tuple(ranges), self.block(rng.randrange(2), depth - 1)))
        if rng.randrange(2):
            rng.shuffle(branches)
        orelse = self.block(rng.randrange(3), depth - 1)
        return ir.Switch(ir.Local(kind, index), tuple(branches), orelse)

    def loop(self, depth: int) -> ir.Stmt:
        rng = self.rng
        counter = len(self.locals) - 1
        i = ir.Local("i16", counter)
        self.in_loop += 1
        body = self.block(rng.randrange(3), depth - 1)
        self.in_loop -= 1
        step: tuple[ir.Stmt, ...] = (
            ir.SetLocal(counter, ir.Binary("i16", "add", i, ir.Const("i16", 1))),
        )
        leave = ir.If(
            ir.Compare("b1", "ge", i, ir.Const("i16", rng.choice([3, 10]))), (ir.Break(),)
        )
        form = rng.randrange(4)
        if form == 0:
            body = (leave, *body)
        elif form == 1:
            body = (ir.If(self.expr("b1", 1), (), (ir.Break(),)), *body, leave)
        elif form == 2:
            step = (leave, *step)
        else:
            body, step = (*body, *step, leave), ()
        return ir.Loop(body, step, self.at())

    def call(self) -> ir.Stmt:
        f = self.rng.choice(self.functions)
        args = tuple(self.expr(v.kind, 2) for v in f.locals[: f.parameters])
        result = None
        if f.result is not None:
            kind = f.locals[f.result].kind
            names = [i for i, v in enumerate(self.locals) if v.kind == kind]
            result = self.rng.choice(names) if names else None
        instance = None
        if f.has_self:
            first, second = INSTANCES
            instance = Addr("static", first, ((self.index(2), second - first),))
            if self.rng.randrange(2):
                instance = Addr("static", self.rng.choice(INSTANCES))
        return ir.Call(f.name, args, instance, result)


def fresh_image(program: ir.Program) -> bytearray:
    image = bytearray(program.image_size)
    for at, data in program.initial:
        image[at : at + len(data)] = data
    return image


def before_scan(image: bytearray, scan: int) -> None:
    """What changes from outside: the clock and some inputs."""
    image[24:32] = (10_000_000 * scan).to_bytes(8, "little")
    for i in range(8):
        image[NUMBERS[0] + 16 * i + scan] = 37 * scan + 11 * i & 255
        image[BOOLS[0] + i] = scan >> i % 3 & 1
