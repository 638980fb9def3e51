"""Random programs, each with a Python function that does what it says: types, global variables,
functions, function blocks and a PROGRAM that runs some scans; and their comparison with a run."""

from __future__ import annotations

import random
import struct
import types
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from controller.rt import Fault as EngineFault
from host_tools.compiler.compilation import compile_sources
from host_tools.compiler.python_engine import emit
from host_tools.compiler.source import Source
from host_tools.variables import Variables
from tests.conformance import independent_values as iv
from tests.conformance.independent_blocks import BLOCKS, Block
from tests.conformance.independent_bodies import INDENT, Body, Instance, Return, indented, sequence
from tests.conformance.independent_types import (
    ANY,
    Array,
    E,
    Enum,
    Env,
    Fault,
    Function,
    Struct,
    Subrange,
    Text,
    Type,
    copied,
    fitted,
)

SCANS = 4
NOW = 24  # offset of the logical clock in the image header
INTERVAL = 10_000_000


def initial_text(t: Type, v: Any) -> str:
    """A value as an initialiser has it."""
    if isinstance(t, Array):
        return f"[{', '.join(initial_text(t.element, x) for x in v)}]"
    if isinstance(t, Struct):
        return f"({', '.join(f'{n} := {initial_text(m, v[n])}' for n, m in t.members)})"
    if isinstance(t, Text):
        return iv.quoted(v, t.wide)
    if isinstance(t, Enum):
        return next(f"{t.name}#{n}" for n, number in t.values if number == v)
    if isinstance(t, Subrange):
        return str(v)
    return iv.literal(t, v)


@dataclass
class Program:
    text: str
    scan: Callable[[int], None]
    values: Callable[[], dict[str, tuple[Type, Any]]]


class Writer:
    def __init__(self, seed: int) -> None:
        self.r = random.Random(seed)
        self.lreal = self.r.random() < 0.6
        self.lines: list[str] = []
        self.number = 0
        self.enums: list[Enum] = []
        self.subranges: list[Subrange] = []
        self.structs: list[Struct] = []
        self.functions: list[Function] = []
        self.blocks: list[Block] = []
        self.globals: list[tuple[str, Type, Any]] = []
        self.block_inits: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.plain = Body(self.r, self.lreal)
        self.constants: list[E] = []
        self.risk = 0.03 if self.r.random() < 0.25 else 0.0

    def name(self, stem: str) -> str:
        self.number += 1
        return f"{stem}{self.number}"

    def chance(self, p: float) -> bool:
        return self.r.random() < p

    # --- types -------------------------------------------------------------------------------

    def scalar(self) -> Type:
        r = self.r
        kinds: list[Type] = [*self.plain.scalars, *self.plain.scalars]
        kinds += [Text(False, 10), Text(True, 10), Text(False, 10), Text(False, 4), Text(True, 3)]
        return r.choice([*kinds, *self.enums, *self.subranges])

    def type(self) -> Type:
        r = self.r
        if self.structs and self.chance(0.15):
            return r.choice(self.structs)
        if self.chance(0.2):
            low = r.choice((-2, 0, 1))
            bounds = [(low, low + r.randint(1, 3))]
            if self.chance(0.3):
                bounds.append((0, 1))
            element = r.choice(self.structs) if self.structs and self.chance(0.3) else None
            return Array(tuple(bounds), element or self.scalar())
        return self.scalar()

    def declare_types(self) -> None:
        r = self.r
        lines = []
        for _ in range(r.randint(1, 2)):
            name, at, values = self.name("Enum"), r.choice((0, 3)), []
            for _ in range(r.randint(2, 4)):
                values.append((self.name("e"), at))
                at += r.choice((1, 1, 4))
            self.enums.append(Enum(name, tuple(values)))
            base = r.choice(("", "USINT ", "DINT "))
            shown = ", ".join(f"{n} := {v}" for n, v in values)
            lines.append(f"{name} : {base}({shown});")
        for _ in range(r.randint(0, 2)):
            base = r.choice(("SINT", "INT", "UDINT"))
            low = r.choice((0, 1)) if base == "UDINT" else r.choice((-3, 0))
            t = Subrange(self.name("Range"), base, low, low + r.randint(1, 9))
            self.subranges.append(t)
            lines.append(f"{t.name} : {base} ({t.low}..{t.high}) := {t.low};")
        for _ in range(r.randint(1, 2)):
            members = tuple((self.name("m"), self.type()) for _ in range(r.randint(1, 4)))
            made = Struct(self.name("Struct"), members)
            inside = " ".join(f"{n} : {m};" for n, m in members)
            lines.append(f"{made.name} : STRUCT {inside} END_STRUCT;")
            self.structs.append(made)
        self.lines += ["TYPE", *(INDENT + line for line in lines), "END_TYPE"]

    # --- POUs --------------------------------------------------------------------------------

    def body(self) -> Body:
        b = Body(self.r, self.lreal)
        b.functions = list(self.functions)
        b.enums, b.subranges = self.enums, self.subranges
        b.risk = self.risk
        b.constants = self.constants
        for name, t, _ in self.globals:
            b.declare(name, t, lambda env, name=name: (env.g, name), static=True)
        return b

    def local(
        self, b: Body, stem: str, t: Type, writable: bool = True, static: bool = False
    ) -> tuple[str, Type, Any]:
        name = self.name(stem)
        b.declare(name, t, lambda env: (env, name), writable, static)
        return name, t, b.value(t)

    def declared(self, head: str, rows: list[tuple[str, Type, Any]]) -> list[str]:
        lines = [f"{INDENT}{n} : {t} := {initial_text(t, v)};" for n, t, v in rows]
        return [head, *lines, "END_VAR"] if rows else []

    def loops(self, b: Body) -> list[tuple[str, Type, Any]]:
        rows = []
        for stem, found in (("k", b.counters), ("n", b.guards)):
            row = self.local(b, stem, self.r.choice(iv.INTEGERS), writable=stem == "k")
            found.append(b.variables[-1])
            rows.append(row)
        return rows

    def function(self) -> None:
        r = self.r
        b = self.body()
        name = self.name("Fun")
        inputs = [self.local(b, "p", self.scalar()) for _ in range(r.randint(1, 3))]
        inouts: list[tuple[str, Type]] = []
        outputs: list[tuple[str, Type, Any]] = []
        if self.chance(0.5):
            t = r.choice([*self.structs, *(x for x in self.plain.scalars if x != "BOOL")])
            inout = self.name("io")
            key = "&" + inout
            b.declare(inout, t, lambda env: env[key])
            inouts.append((inout, t))
            outputs = [self.local(b, "o", self.scalar()) for _ in range(r.randint(0, 2))]
        result = self.scalar()
        while isinstance(result, Subrange):
            result = self.scalar()
        start = {"str": ""}.get("str" if isinstance(result, Text) else "", zero(result))
        b.declare(name, result, lambda env: (env, name))
        rows = [self.local(b, "x", self.type()) for _ in range(r.randint(0, 2))] + self.loops(b)
        statements = b.block(1, 1, 4)
        if self.chance(0.2):
            statements.insert(r.randrange(len(statements)), b.finish())
        value = b.expr(result, 2)
        run_body, given = sequence(statements), [n for n, _, _ in inputs]

        def call(env: Env, args: list[Any], references: list[Any]) -> tuple[Any, list[Any]]:
            here = Env(dict(zip(given, args, strict=True)), env.g)
            for (n, _), reference in zip(inouts, references, strict=True):
                here["&" + n] = reference
            here.update({n: copied(v) for n, _, v in (*outputs, *rows)})
            here[name] = start
            try:
                run_body(here)
                here[name] = fitted(value.ev(here), result)
            except Return:
                pass
            return here[name], [here[n] for n, _, _ in outputs]

        self.lines += [f"FUNCTION {name} : {result}"]
        self.lines += self.declared("VAR_INPUT", inputs)
        if inouts:
            shown = [f"{INDENT}{n} : {t};" for n, t in inouts]
            self.lines += ["VAR_IN_OUT", *shown, "END_VAR"]
        self.lines += self.declared("VAR_OUTPUT", outputs) + self.declared("VAR", rows)
        self.lines += [*indented(statements), f"{INDENT}{name} := {value.text};", "END_FUNCTION"]
        self.functions.append(
            Function(
                name,
                tuple((n, t) for n, t, _ in inputs),
                tuple(inouts),
                tuple((n, t) for n, t, _ in outputs),
                result,
                tuple(v for _, _, v in inputs),
                call,
            )
        )

    def instances(self, b: Body, count: int) -> tuple[list[str], dict[str, Any]]:
        """Declarations of instances, and what makes them anew: name -> function of the globals."""
        r, lines, made = self.r, [], {}
        for _ in range(count):
            own = bool(self.blocks) and self.chance(0.4)
            block = r.choice(self.blocks if own else BLOCKS)
            name = self.name("f")
            start: dict[str, Any] = {n: zero(t) for n, t in (*block.inputs, *block.outputs)}
            shown = ""
            for n, t in block.inputs:
                if n in ("PT", "PV") and not own:
                    start[n] = r.choice((1, 2, 3)) * (INTERVAL // 2 if n == "PT" else 1)
                    shown = f" := ({n} := {iv.literal(t, start[n])})"
            if own:
                made[name] = self.block_inits[block.name]
            else:
                made[name] = lambda g, start=start: dict(start)
            lines.append(f"{INDENT}{name} : {block.name}{shown};")
            b.instances.append(Instance(name, block))
            for n, t in block.outputs:
                where = lambda env, name=name, n=n: (env[name], n)  # noqa: E731
                b.declare(f"{name}.{n}", t, where, writable=False)
        return lines, made

    def function_block(self) -> None:
        r = self.r
        b = self.body()
        name = self.name("Block")
        inputs = [self.local(b, "p", self.scalar()) for _ in range(r.randint(1, 3))]
        outputs = [self.local(b, "o", self.scalar()) for _ in range(r.randint(1, 2))]
        static = [self.local(b, "x", self.type()) for _ in range(r.randint(1, 3))] + self.loops(b)
        temporary = [self.local(b, "t", self.type()) for _ in range(r.randint(0, 2))]
        inside, made = self.instances(b, r.randint(0, 2))
        statements = b.block(2, 2, 6)
        if self.chance(0.2):
            statements.insert(r.randrange(len(statements)), b.finish())
        run_body = sequence(statements)

        def init(g: dict[str, Any]) -> Env:
            here = Env({n: copied(v) for n, _, v in (*inputs, *outputs, *static)}, g)
            here.update({n: make(g) for n, make in made.items()})
            return here

        def step(here: Any, now: int) -> None:
            here.update({n: copied(v) for n, _, v in temporary})
            with suppress(Return):
                run_body(here)

        self.lines += [f"FUNCTION_BLOCK {name}"]
        self.lines += self.declared("VAR_INPUT", inputs) + self.declared("VAR_OUTPUT", outputs)
        self.lines += self.declared("VAR", static) + self.declared("VAR_TEMP", temporary)
        self.lines += ["VAR", *inside, "END_VAR"] if inside else []
        self.lines += [*indented(statements), "END_FUNCTION_BLOCK"]
        self.block_inits[name] = init
        ins, outs = (tuple((n, t) for n, t, _ in rows) for rows in (inputs, outputs))
        self.blocks.append(Block(name, ins, outs, step))

    def program(self) -> Program:
        r = self.r
        self.declare_types()
        self.globals = [(self.name("g"), t, self.plain.value(t))
                        for t in (self.type() for _ in range(r.randint(2, 5)))]  # fmt: skip
        self.lines += self.declared("VAR_GLOBAL", self.globals)
        kinds = [r.choice(self.plain.scalars) for _ in range(r.randint(0, 6))]
        named = [(self.name("C"), t, self.plain.value(t)) for t in kinds]
        self.lines += self.declared("VAR_GLOBAL CONSTANT", named)
        self.constants = [E(n, t, lambda _, v=v: v) for n, t, v in named]
        for _ in range(r.randint(0, 3)):
            self.function()
        for _ in range(r.randint(0, 2)):
            self.function_block()
        b = self.body()
        rows = [self.local(b, "x", self.type(), static=True) for _ in range(r.randint(6, 14))]
        rows += self.loops(b)
        for _ in range(r.randint(0, 2)):
            b.references.append((self.name("r"), r.choice(self.plain.scalars)))
        inside, made = self.instances(b, r.randint(0, 4))
        statements = b.block(3, 6, 16)
        run_body = sequence(statements)
        self.lines += ["PROGRAM p", *self.declared("VAR", rows)]
        if b.references:
            shown = [f"{INDENT}{n} : REF_TO {t};" for n, t in b.references]
            self.lines += ["VAR", *shown, "END_VAR"]
        self.lines += ["VAR", *inside, "END_VAR"] if inside else []
        self.lines += [*indented(statements), "END_PROGRAM"]
        g = {n: copied(v) for n, _, v in self.globals}
        env = Env({n: copied(v) for n, _, v in rows}, g)
        env.update({n: make(g) for n, make in made.items()})
        env.update({n: None for n, _ in b.references})

        def scan(now: int) -> None:
            g["now"] = now
            run_body(env)

        def values() -> dict[str, tuple[Type, Any]]:
            found = {n: (t, g[n]) for n, t, _ in self.globals}
            found |= {f"p.{n}": (t, env[n]) for n, t, _ in rows}
            for one in b.instances:
                for n, t in one.block.outputs:
                    found[f"p.{one.name}.{n}"] = (t, env[one.name][n])
            return found

        return Program("\n".join(self.lines) + "\n", scan, values)


def zero(t: Type) -> Any:
    """What a variable without an initial value starts with."""
    if isinstance(t, Text):
        return ""
    if isinstance(t, Enum):
        return t.values[0][1]
    if isinstance(t, Subrange):
        return t.low
    return {"BOOL": False, "REAL": 0.0, "LREAL": 0.0, "CHAR": "\0", "WCHAR": "\0"}.get(t, 0)


# --- comparison ------------------------------------------------------------------------------


def flat(t: Type, v: Any, made: list[tuple[Type, Any]]) -> list[tuple[Type, Any]]:
    """The scalars of a value, in order, each with its type."""
    if isinstance(t, Array):
        for x in v:
            flat(t.element, x, made)
    elif isinstance(t, Struct):
        for n, m in t.members:
            flat(m, v[n], made)
    else:
        made.append((t, v))
    return made


def leaves(v: Any, made: list[Any]) -> list[Any]:
    """The same of a value that was read from the image."""
    if isinstance(v, list):
        for x in v:
            leaves(x, made)
    elif isinstance(v, dict):
        for x in v.values():
            leaves(x, made)
    else:
        made.append(v)
    return made


def equal(t: Type, want: Any, got: Any) -> bool:
    if t in iv.REALS:
        if want != want:
            return bool(got == "NaN")
        number = {"Infinity": float("inf"), "-Infinity": -float("inf")}.get(got, got)
        code = "<f" if t == "REAL" else "<d"
        return struct.pack(code, want) == struct.pack(code, number)
    if isinstance(t, Enum):
        return bool(got in [n for n, v in t.values if v == want] or got == want)
    return bool(got == want) and isinstance(got, bool) == isinstance(want, bool)


def fault_of(run: Callable[[], None]) -> int:
    """Runs something; the code of the fault it ends with, or 0."""
    try:
        run()
    except (EngineFault, Fault) as fault:
        return int(fault.code)
    return 0


def differences(seed: int) -> tuple[str, list[str]]:
    """The text of the program of this seed, and where its run is not what it says."""
    program = Writer(seed).program()
    compilation = compile_sources([Source("test.st", program.text)])
    errors = [d for d in compilation.diagnostics if d.is_error]
    if errors or compilation.program is None or compilation.layout is None:
        return program.text, [f"line {d.span.line}: {d.code} {d.message}" for d in errors]
    module: Any = types.ModuleType("program")
    exec(compile(emit(compilation.program), "program.py", "exec"), module.__dict__)
    image = bytearray(compilation.program.image_size)
    for offset, data in compilation.program.initial:
        image[offset : offset + len(data)] = data
    module.attach(image)
    variables = Variables(compilation.layout)
    wrong: list[str] = []
    for n in range(SCANS):
        struct.pack_into("<q", image, NOW, n * INTERVAL)
        codes = [fault_of(module.TASKS[0]), fault_of(partial(program.scan, n * INTERVAL))]
        if codes[0] and codes[1] == ANY:
            break
        if codes[0] != codes[1]:
            return program.text, [f"scan {n}: fault {codes[0]}, not {codes[1]}"]
        for path, (t, v) in program.values().items():
            read = variables.read(image, path)
            for (kind, want), got in zip(flat(t, v, []), leaves(read, []), strict=True):
                if not equal(kind, want, got):
                    wrong.append(f"scan {n}: {path}: {kind} = {got!r}, not {want!r}")
        if wrong or codes[0]:
            break
    return program.text, wrong
