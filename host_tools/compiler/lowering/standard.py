"""The standard functions that the compiler knows itself (IEC 61131-3:2013, 6.6.2.5): their table.

Generic and extensible functions need their arguments' types, so they are lowered here, each
family in a module of its own; what can be written as an ordinary function is Structured Text in
`library/`. Conversions, which have no fixed names, are in `conversions`.
"""

from __future__ import annotations

from functools import cache

from host_tools.compiler import library_index, tree
from host_tools.compiler.lowering import (
    arguments,
    bits,
    conversions,
    expressions,
    numeric,
    open_arrays,
    operators,
    places,
    pointers,
    representation,
    rounding,
    selection,
    strings,
    times,
    typed_functions,
)
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ANY_INT,
    DWORD,
    LREAL,
    LWORD,
    REAL,
    UDINT,
    UNKNOWN,
    OpenArrayType,
    Type,
    Unknown,
    size_align,
)


def _ref(kind: str) -> arguments.Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        return pointers.reference_to(body, args[0], kind, node.span)

    return handler


def _sizeof(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    arg = args[0]
    where: Place | None = None
    if isinstance(arg, tree.Name) and body.lookup(arg.name, arg.span) is None:
        t: Type = body.declarations.named_type(arg.name, arg.span)
    else:
        where = places.place(body, arg)
        t = where.type if where is not None else UNKNOWN
    if isinstance(t, Unknown):
        return arguments.nothing(node)
    if where is not None and isinstance(t, OpenArrayType):
        return Value(UDINT, open_arrays.size_of(where), node.span)
    return expressions.constant_value(ANY_INT, size_align(t)[0], node.span)


@cache
def _functions() -> dict[str, tuple[tuple[str, ...], bool, arguments.Handler]]:
    """Folded name -> formal parameters, extensible, handler."""
    one, two = ("IN",), ("IN1", "IN2")
    table: dict[str, tuple[tuple[str, ...], bool, arguments.Handler]] = {
        "ABS": (one, False, numeric.absolute),
        "SQRT": (one, False, numeric.engine_real("sqrt")),
        "FLOOR": (one, False, rounding.whole("floor")),
        "CEIL": (one, False, rounding.whole("ceil")),
        "ROUND": (one, False, rounding.nearest),
        "FRAC": (one, False, rounding.fraction),
        "SQR": (one, False, rounding.square),
        "NORM_X": (("MIN", "VALUE", "MAX"), False, rounding.normed),
        "SCALE_X": (("MIN", "VALUE", "MAX"), False, rounding.scaled),
        "ATAN2": (("Y", "X"), False, numeric.library_real("ATAN2")),
        "EXPT": (two, False, numeric.exponential),
        "ADD": (two, True, numeric.repeated(operators.arithmetic, "add", "+")),
        "MUL": (two, True, numeric.repeated(operators.arithmetic, "mul", "*")),
        "SUB": (two, False, numeric.repeated(operators.arithmetic, "sub", "-")),
        "DIV": (two, False, numeric.repeated(operators.arithmetic, "div", "/")),
        "MOD": (two, False, numeric.repeated(operators.arithmetic, "mod", "MOD")),
        "AND": (two, True, numeric.repeated(operators.logic, "and", "AND")),
        "OR": (two, True, numeric.repeated(operators.logic, "or", "OR")),
        "XOR": (two, True, numeric.repeated(operators.logic, "xor", "XOR")),
        "MOVE": (one, False, numeric.move),
        "SWAP": (one, False, bits.swap),
        "SEL": (("G", "IN0", "IN1"), False, selection.select),
        "MIN": (two, True, selection.extreme("min")),
        "MAX": (two, True, selection.extreme("max")),
        "LIMIT": (("MN", "IN", "MX"), False, selection.limit),
        "MUX": (("K", "IN0"), True, selection.multiplex),
        "LEN": (one, False, strings.string_function("len", "si")),
        "LEFT": (("IN", "L"), False, strings.string_function("left", "sn")),
        "RIGHT": (("IN", "L"), False, strings.string_function("right", "sn")),
        "MID": (("IN", "L", "P"), False, strings.string_function("mid", "snn")),
        "CONCAT": (two, True, strings.concat),
        "INSERT": (("IN1", "IN2", "P"), False, strings.string_function("insert", "ssn")),
        "DELETE": (("IN", "L", "P"), False, strings.string_function("delete", "snn")),
        "REPLACE": (("IN1", "IN2", "L", "P"), False, strings.string_function("replace", "ssnn")),
        "FIND": (two, False, strings.string_function("find", "ssi")),
        "TIME": ((), False, times.time),
        "REF": (one, False, _ref("REF_TO")),
        "ADR": (one, False, _ref("POINTER TO")),
        "LOWER_BOUND": (("ARR", "DIM"), False, open_arrays.bound(False)),
        "UPPER_BOUND": (("ARR", "DIM"), False, open_arrays.bound(True)),
        "__ISVALIDREF": (one, False, pointers.is_valid),
        "SIZEOF": (one, False, _sizeof),
        "__REAL_BITS": (("X",), False, bits.bits_of(REAL, DWORD)),
        "__BITS_REAL": (("D",), False, bits.bits_of(DWORD, REAL)),
        "__LREAL_BITS": (("X",), False, bits.bits_of(LREAL, LWORD)),
        "__BITS_LREAL": (("D",), False, bits.bits_of(LWORD, LREAL)),
    }
    table["IS_VALID"] = (one, False, representation.is_valid)
    table["IS_VALID_BCD"] = (one, False, representation.is_valid_bcd)
    for name in ("TO_BIG_ENDIAN", "FROM_BIG_ENDIAN", "BIG_ENDIAN_TO"):
        table[name] = (one, False, representation.byte_order(name, swapped=True))
    for name in ("TO_LITTLE_ENDIAN", "FROM_LITTLE_ENDIAN", "LITTLE_ENDIAN_TO"):
        table[name] = (one, False, representation.byte_order(name, swapped=False))
    table["DAY_OF_WEEK"] = (one, False, times.day_of_week)
    for name in ("SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN", "EXP", "LN", "LOG"):
        table[name] = (one, False, numeric.library_real(name))
    for name in ("MUL_TIME", "MUL_LTIME", "MULTIME"):
        table[name] = (two, False, times.scaled("mul", "*"))
    for name in ("DIV_TIME", "DIV_LTIME", "DIVTIME"):
        table[name] = (two, False, times.scaled("div", "/"))
    for op in ("shl", "shr", "rol", "ror"):
        table[op.upper()] = (("IN", "N"), False, bits.shift(op))
    for name, op, symbol in (
        ("GT", "gt", ">"),
        ("GE", "ge", ">="),
        ("EQ", "eq", "="),
        ("LE", "le", "<="),
        ("LT", "lt", "<"),
        ("NE", "ne", "<>"),
    ):
        table[name] = (two, name != "NE", numeric.compare(op, symbol))
    return table


def names() -> list[str]:
    """The names of the standard functions, for suggestions."""
    return [n for n in _functions() if not n.startswith("__")]


def is_standard(name: str) -> bool:
    if fold(name) in _functions() or conversions.is_conversion(name):
        return True
    return typed_functions.named(name) is not None


def call(body: Body, node: tree.Call, name: str, expected: Type | None) -> Value | None:
    """Lower a call of a standard function; None where `name` is none."""
    key = fold(name)
    entry = _functions().get(key)
    wanted: Type | None = None
    if entry is None and key not in library_index.index():
        typed = typed_functions.named(key)
        if typed is not None:
            entry, wanted = _functions().get(typed[0]), typed[1]
    if entry is None:
        return conversions.call(body, node, name, expected)
    formal, extensible, handler = entry
    args = arguments.bind(body, node, key, formal, extensible)
    if args is None:
        return arguments.nothing(node)
    if wanted is not None:
        args = typed_functions.typed(key.rpartition("_")[0], args, wanted)
    return handler(body, node, args, expected)
