"""The intermediate representation that every engine reads: typed, resolved, structured.

Everything a program remembers is an address in the one image. What is left are expressions without
side effects (calls are statements; the lowering put their operands into locals first, in the order
of evaluation) and structured statements. An expression may still fault: engines evaluate operands
left to right as far as a fault could tell the difference.

Kinds name machine values: "b1" BOOL (0/1, one byte in the image); "i8" ... "u64"; "f32", "f64";
"str" and "wstr" (bytes and UTF-16 code units). Enumerations, CHAR, dates and references have the
kind of their representation. In the image every scalar is aligned to its size. A string is a
record: u16 capacity, u16 length (both in characters), then the characters (1 or 2 bytes each);
the capacity is part of the initial image and never changes.
"""

from __future__ import annotations

from host_tools.record import Record

SIZE = {
    "b1": 1,
    "i8": 1,
    "u8": 1,
    "i16": 2,
    "u16": 2,
    "i32": 4,
    "u32": 4,
    "i64": 8,
    "u64": 8,
    "f32": 4,
    "f64": 8,
}
"""Bytes of a scalar kind."""

INT_RANGE = {
    "b1": (0, 1),
    "i8": (-(1 << 7), (1 << 7) - 1),
    "u8": (0, (1 << 8) - 1),
    "i16": (-(1 << 15), (1 << 15) - 1),
    "u16": (0, (1 << 16) - 1),
    "i32": (-(1 << 31), (1 << 31) - 1),
    "u32": (0, (1 << 32) - 1),
    "i64": (-(1 << 63), (1 << 63) - 1),
    "u64": (0, (1 << 64) - 1),
}


class Fault:
    """Fault codes of the image header (docs/faults.md)."""

    DIVISION = 1  # integer division or MOD by zero
    INDEX = 2  # array index out of its bounds
    RANGE = 3  # value outside of its subrange
    NULL = 4  # null reference
    SHIFT = 5  # negative shift count
    STEP = 6  # FOR with step 0
    BUDGET = 7  # back-edge budget of the task release used up
    WATCHDOG = 8  # a task ran longer than its watchdog_ms
    OVERRUN = 9  # overrun with on_overrun = "fault"
    INTERNAL = 10  # an exception inside the runtime itself


# --- addresses -------------------------------------------------------------------------------


class Addr(Record):
    """An image address: base + offset + sum of index * scale.

    base     what the offset counts from
    static   the start of the image
    self     the instance of a function block body
    frame    this call's frame (locals that need an address, and temporaries)
    ptr      the value of `pointer`, a u32 expression holding an image address

    Each scale is a multiple of the alignment of what is addressed, and so is the offset; so an
    engine may divide all of them by the size of the access.
    """

    base: str
    offset: int = 0
    terms: tuple[tuple[Expr, int], ...] = ()
    pointer: Expr | None = None


# --- expressions -----------------------------------------------------------------------------


class Expr(Record):
    """`kind` is the kind of the value."""

    kind: str


class Const(Expr):
    """int for integers and b1; float (already of the kind's precision; inf and NaN possible) for
    f32/f64; bytes for "str" and "wstr" (UTF-16LE)."""

    value: int | float | bytes


class Local(Expr):
    """Value of local number `index` of the function (parameters first)."""

    index: int


class Load(Expr):
    """`limit`: the characters that a string there has at most, 0 where that is not known."""

    addr: Addr
    limit: int = 0


class LoadBit(Expr):
    """Bit 0..7 of the byte at `addr`; kind "b1"."""

    addr: Addr
    bit: int


class AddrOf(Expr):
    """The address itself; kind "u32"."""

    addr: Addr


class Unary(Expr):
    """op "neg" (wraps; for floats the sign bit flips), "not" (b1: logical; integers: all bits)."""

    op: str
    x: Expr


class Binary(Expr):
    """Both operands have the kind of the result, except for the count of shifts (any integer).

    op            on
    add sub mul   integers: wraps; floats: rounded to the kind
    div           integers: towards zero, min/-1 wraps, by zero faults DIVISION; floats: IEEE 754
    mod           integers: sign of the dividend (a - (a div b) * b), by zero faults DIVISION
    and or xor    b1 and integers, bitwise, both sides evaluated
    shl shr       integers (unsigned kinds; logical): count >= width gives 0, negative faults SHIFT
    rol ror       integers (unsigned kinds): count modulo width, negative faults SHIFT
    """

    op: str
    a: Expr
    b: Expr
    pos: int = 0


class Compare(Expr):
    """op: eq ne lt le gt ge; operands of one kind, strings too (by character code, a prefix is
    less); kind "b1". NaN: every comparison but ne is false."""

    op: str
    a: Expr
    b: Expr


class Shortcut(Expr):
    """op "and", "or" of AND_THEN/OR_ELSE: `b` is evaluated only where it decides; kind "b1"."""

    op: str
    a: Expr
    b: Expr


class Select(Expr):
    """`a` where `test` (b1) is true, else `b`; only that one is evaluated."""

    test: Expr
    a: Expr
    b: Expr


class Convert(Expr):
    """Value of `x` in kind `kind`.

    integers and b1 -> integers    the low bits (wraps)
    anything -> b1                 not equal to zero (NaN counts as not zero)
    integers -> floats             nearest, ties to even
    floats -> integers             nearest, ties to even; NaN -> 0; out of range saturates
                                   (`truncate`: towards zero instead of nearest)
    f32 <-> f64                    IEEE 754
    """

    x: Expr
    truncate: bool = False


class Bits(Expr):
    """The bit pattern of a float as an unsigned integer of its size, or back (by the kinds);
    a NaN pattern becomes the canonical NaN when it becomes a float."""

    x: Expr


class Check(Expr):
    """`x` where low <= x <= high, else a fault `code` (INDEX, RANGE); kind of x."""

    x: Expr
    low: int
    high: int
    code: int
    pos: int


class NotNull(Expr):
    """`x` (u32 address) where it is not 0, else a fault NULL."""

    x: Expr
    pos: int


class Intrinsic(Expr):
    """An operation of the engine itself.

    name       arguments -> value
    now        () -> i64 ns, the logical clock of this task release
    abs        (x) -> x's kind; integers wrap at the minimum; floats clear the sign
    sqrt       (x) float, correctly rounded
    floor      (x) float -> float; also ceil
    min max    (a, b) of one kind, numbers; floats: `a if a < b else b` / `a if a > b else b`
    bcd_to     (x) unsigned -> unsigned: decimal value of a BCD pattern (a digit over 9 counts as
               its value); to_bcd the reverse, digits over the width are dropped
    swap       (x) byte order reversed
    Strings: positions from 1, counts below 0 count as 0, what is outside is cut off, no faults:
    len        (s) -> i32
    left right (s, n); mid (s, n, pos); concat (a, b); insert (a, b, pos); delete (s, n, pos)
    replace    (a, b, n, pos); find (a, b) -> i32, 0 where b is not in a or empty
    cut        (s, n Const) the first n characters: a value put into a parameter of length n
    char       (s, pos) -> u8/u16 of the character, 0 outside; from_char (c) -> str/wstr
    to_wide    (str) -> wstr, code by code; to_narrow (wstr) -> str, codes over 255 become '?'
    int_to_str (x) decimal -> str; str_to_int (s) -> i64: optional blanks, sign, digits with '_',
               the rest is ignored, no digits give 0, saturates; time_to_str (i64 ns) -> str in the
               form T#1d2h3m4s5ms6us7ns, zero parts left out, T#0s for zero, T#-1s for negative
    """

    name: str
    args: tuple[Expr, ...] = ()


# --- statements ------------------------------------------------------------------------------


class Stmt(Record):
    pass


class Mark(Stmt):
    """What follows comes from this position (source index << 22 | line); for comments."""

    pos: int


class SetLocal(Stmt):
    index: int
    value: Expr


class Store(Stmt):
    """Store a value of its kind; the value is evaluated before the address. Strings are cut to the
    capacity at `addr`. A stored NaN is the canonical one (f32 7FC00000, f64 7FF8000000000000), so
    that images can be compared."""

    addr: Addr
    value: Expr


class StoreBit(Stmt):
    addr: Addr
    bit: int
    value: Expr


class Copy(Stmt):
    """`size` bytes; the two may be the same or overlap (as by memmove)."""

    to: Addr
    source: Addr
    size: int


class Init(Stmt):
    """Write constant bytes: the initial value of a frame variable."""

    addr: Addr
    data: bytes


class If(Stmt):
    test: Expr
    then: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...] = ()


class Switch(Stmt):
    """CASE: the first branch one of whose inclusive ranges holds the value, else `orelse`. `value`
    is a Local or Const."""

    value: Expr
    branches: tuple[tuple[tuple[tuple[int, int], ...], tuple[Stmt, ...]], ...]
    orelse: tuple[Stmt, ...] = ()


class Loop(Stmt):
    """Repeat `body` then `step` until a Break; a Continue goes to `step`. After `step`, going back
    costs one of the task release's back-edge budget; when it is used up: fault BUDGET at `pos`."""

    body: tuple[Stmt, ...]
    step: tuple[Stmt, ...]
    pos: int


class Break(Stmt):
    pass


class Continue(Stmt):
    pass


class Return(Stmt):
    """Leave the function; its result, if it has one, is what local `Func.result` holds."""


class Call(Stmt):
    """Call function `func` with scalar arguments (by-reference arguments are u32 addresses), the
    instance address where it is a function block body, and put its result into local `result`."""

    func: str
    args: tuple[Expr, ...] = ()
    instance: Addr | None = None
    result: int | None = None


class RaiseFault(Stmt):
    code: int
    pos: int


# --- the program -----------------------------------------------------------------------------


class Variable(Record):
    """A local: its name in the source (or "" for a temporary) and its kind."""

    name: str
    kind: str


class Func(Record):
    """One callable: a FUNCTION, a function block body (`has_self`), or a task's logic.

    `locals` holds the parameters first (`parameters` of them). All locals but the parameters start
    undefined; the body sets them before it reads them. `result` is the local that holds the
    result. `frame` is the size of the frame in bytes, a multiple of 8: the caller passes the
    frame pointer, a callee's frame starts at the caller's frame pointer + the caller's `frame`.
    Functions are listed so that a callee comes before its callers.
    """

    name: str
    source_name: str
    parameters: int
    locals: tuple[Variable, ...]
    result: int | None
    has_self: bool
    frame: int
    body: tuple[Stmt, ...]
    pos: int


class Task(Record):
    """`func` is called with the frame pointer `stack`, an offset in the image: each task has a
    range of its own. `inputs`/`outputs`: byte ranges (offset, size) of the I and Q areas the task
    reads and writes. interval_ns 0: freewheeling. `single`: image byte and bit of the BOOL."""

    name: str
    func: str
    interval_ns: int
    priority: int
    stack: int
    inputs: tuple[tuple[int, int], ...] = ()
    outputs: tuple[tuple[int, int], ...] = ()
    single: tuple[int, int] | None = None
    programs: tuple[str, ...] = ()


class Program(Record):
    """A compiled program. `initial` lists (offset, bytes) runs over an image of zeros; `sources`
    the names by source index; `budget` the back-edges a task release may take; `longest_string`
    the length of the longest string declared; `objects` offset and size of every variable, in
    order: what is made of the address of one does not lead to another."""

    functions: tuple[Func, ...]
    tasks: tuple[Task, ...]
    image_size: int
    initial: tuple[tuple[int, bytes], ...]
    budget: int
    sources: tuple[str, ...] = ()
    uses_lreal: bool = False
    longest_string: int = 80
    objects: tuple[tuple[int, int], ...] = ()
