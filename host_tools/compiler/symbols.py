"""What names mean: symbols, values and places that the lowering works with."""

from __future__ import annotations

from fractions import Fraction

from host_tools.compiler import ir, tree
from host_tools.compiler.source import Span
from host_tools.compiler.types import FbType, Method, Type
from host_tools.record import field, record

ConstValue = int | float | Fraction | bytes
"""int for integers, BOOL, times, enumerations; float for REAL/LREAL; Fraction for a real literal
that has not met its type; bytes for strings (WSTRING as UTF-16LE)."""


Bounds = tuple[tuple[ir.Expr, ir.Expr], ...]


@record(eq=False)
class Symbol:
    """A variable or constant.

    storage   where it lives
    static    at image `offset` (globals, program variables, located variables; `bit` for packed)
    self      at `offset` in the instance of the function block
    local     local number `offset` of the function
    frame     at `offset` in the function's frame
    ref       local number `offset` holds its address (VAR_IN_OUT, VAR_OUTPUT of functions)
    selfref   a u32 at `offset` in the instance holds its address (VAR_IN_OUT of function blocks)
    const     no storage; `constant` is the value

    `edge` "R_EDGE" or "F_EDGE": inside of the block the variable means the edge of the input.
    `bounds` of ARRAY[*]: lower and upper, as i32, for each dimension.
    `needs_address` is set on a local whose address was asked for.
    """

    name: str
    type: Type
    storage: str
    offset: int
    span: Span
    section: str = "VAR"
    bit: int | None = None
    area: str = ""
    constant: ConstValue | None = None
    is_constant: bool = False
    owner: FbType | None = None
    edge: str | None = None
    bounds: Bounds = ()
    needs_address: bool = False
    is_input: bool = False
    """AT %I*, of a function block"""
    task: str = ""
    """the task that runs this instance, where that is not the program's"""
    access: str = ""


@record()
class Value:
    """An evaluated expression: a scalar in `expr`, or an aggregate at `addr`; `const` where it is
    known at compile time."""

    type: Type
    expr: ir.Expr
    span: Span
    const: ConstValue | None = None
    addr: ir.Addr | None = None
    temporary: Symbol | None = None
    """the variable that a reference is to, where it ends with the call"""


@record(frozen=True)
class PropertyUse:
    """A property that is read or written by its accessors; no receiver: one of a PROGRAM."""

    receiver: Place | None
    getter: Method | None
    setter: Method | None
    name: str


@record()
class Place:
    """Something that can be read, written or pointed at: exactly one of `addr` and `local`, or
    `prop`, which has no address. `dynamic`: what is there may be an instance of a type that
    extends `type`. `is_self`: it is the instance of this function. `unaligned`: a number that is
    read and written byte by byte. `overlaid`: other names mean the same bytes."""

    type: Type
    span: Span
    addr: ir.Addr | None = None
    bit: int | None = None
    local: int | None = None
    symbol: Symbol | None = None
    section: str = ""
    dynamic: bool = False
    is_self: bool = False
    prop: PropertyUse | None = None
    bounds: Bounds = ()
    unaligned: bool = False
    overlaid: bool = False


@record()
class Touch:
    """What a function or body reads and writes outside of itself, for latching and for the rules
    about two tasks: (image byte, bit or -1, size) -> first place in the source."""

    reads: dict[tuple[str, int, int, int], Span] = field(default_factory=dict)
    writes: dict[tuple[str, int, int, int], Span] = field(default_factory=dict)
    globals: dict[str, Span] = field(default_factory=dict)
    calls: dict[str, Span] = field(default_factory=dict)


@record(frozen=True)
class ProgramInstance:
    name: str
    pou: tree.Pou
    task: str | None
    arguments: tuple[tree.Argument, ...]
    retain: bool
    span: Span
