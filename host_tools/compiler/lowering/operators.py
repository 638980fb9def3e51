"""Lowers unary and binary operators: which types go together, and what the result is."""

from __future__ import annotations

from fractions import Fraction

from host_tools.compiler import constants, ir, tree
from host_tools.compiler.constants import wrap
from host_tools.compiler.lowering import expressions, pointers
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Value
from host_tools.compiler.types import (
    ANY_INT,
    ANY_REAL,
    BETWEEN_TIMES,
    BOOL,
    ELEMENTARY,
    LINT,
    LREAL,
    REAL,
    Elementary,
    EnumType,
    FbType,
    InterfaceType,
    RefType,
    StringType,
    Type,
    Unknown,
    base_of,
    common,
    conversion_name,
    is_bits,
    is_duration,
    is_integer,
    is_moment,
    is_number,
    is_real,
    is_string,
    is_time,
    kind_of,
)

ARITHMETIC = {"+": "add", "-": "sub", "*": "mul", "/": "div", "MOD": "mod"}
LOGIC = {"AND": "and", "OR": "or", "XOR": "xor"}
COMPARISONS = {"=": "eq", "<>": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
SHORTCUTS = {"AND_THEN": "and", "OR_ELSE": "or"}

SPINE = 40
"""After so many chained operators the value so far goes into a temporary: engines print
expressions, and what reads them has limits on nesting."""


def unary(body: Body, node: tree.Unary, expected: Type | None) -> Value:
    literal = node.operand
    if isinstance(literal, tree.Literal) and literal.span == node.span and literal.kind == "int":
        # The sign of `SINT#-128` belongs to the literal (IEC 61131-3:2013, Table 5).
        assert isinstance(literal.value, int)
        number = -literal.value if node.op == "-" else literal.value
        signed = tree.Literal(literal.span, "int", number, literal.prefix)
        return expressions.expression(body, signed, expected)
    value = expressions.expression(body, node.operand, expected)
    t = base_of(value.type)
    if isinstance(t, Unknown):
        return value
    if node.op == "NOT":
        if t is ANY_INT and isinstance(expected, Elementary) and is_bits(expected):
            value = expressions.convert(body, value, expected)
            t = expected
        if not (is_bits(t) or is_integer(t)) or t is ANY_INT:
            return _wrong(body, "NOT", t, node.span, "NOT works on BOOL and bit strings")
        kind = kind_of(t)
        if isinstance(value.const, int):
            const = 1 - value.const if kind == "b1" else wrap(~value.const, kind)
            return expressions.constant_value(t, const, node.span)
        return Value(t, ir.Unary(kind, "not", value.expr), node.span)
    if not (is_number(t) or is_duration(t)):
        return _wrong(body, node.op, t, node.span, f"'{node.op}' works on numbers and durations")
    if node.op == "+":
        return value
    if isinstance(t, Elementary) and t.universal:
        assert isinstance(value.const, int | Fraction)
        if value.const == 0 and t is ANY_REAL:
            return expressions.constant_value(REAL, -0.0, node.span)
        return expressions.constant_value(t, -value.const, node.span)
    if isinstance(value.const, int):
        return expressions.constant_value(t, wrap(-value.const, kind_of(t)), node.span)
    if isinstance(value.const, float):
        return expressions.constant_value(t, -value.const, node.span)
    return Value(t, ir.Unary(kind_of(t), "neg", value.expr), node.span)


def _wrong(body: Body, op: str, t: Type, span: Span, help_: str) -> Value:
    body.reporter.report("E0250", f"'{op}' does not go with {t}", span, help=help_)
    return expressions.unknown(span)


def binary(body: Body, node: tree.Binary, expected: Type | None) -> Value:
    """A chain of left-associative operators is walked from its left end, not by recursion."""
    chain: list[tree.Binary] = []
    left: tree.Expr = node
    while isinstance(left, tree.Binary):
        chain.append(left)
        left = left.left
    if any(step.op == "=" and _was_assignment(step) for step in chain):
        return expressions.unknown(node.span)
    outer = _operand_context(chain[-1].op, expected)
    value = expressions.expression(body, left, outer)
    for count, step in enumerate(reversed(chain), 1):
        value = _step(body, step, value, expected)
        if body.notes is not None:
            body.notes.values[id(step)] = value
        if count % SPINE == 0 and value.const is None and not isinstance(value.type, Unknown):
            value.expr = body.temporary(value.expr)
    return value


def _was_assignment(node: tree.Binary) -> bool:
    """Whether ':=' is written; the parser has reported that and takes it for '='."""
    between = node.span.source.text[node.left.span.end : node.right.span.start]
    return ":=" in between and "(*" not in between and "//" not in between


def _operand_context(op: str, expected: Type | None) -> Type | None:
    return None if op in COMPARISONS else expected


def _step(body: Body, node: tree.Binary, left: Value, expected: Type | None) -> Value:
    op = node.op
    if op in SHORTCUTS:
        return _shortcut(body, node, left)
    context: Type | None = left.type
    if isinstance(left.type, Elementary) and left.type.universal:
        context = _operand_context(op, expected)
    before = len(body.block)
    right = expressions.expression(body, node.right, context)
    if len(body.block) > before:
        body._spill([left], before)
    # A literal or a bare enumerated value on the left may have needed to know the right side.
    if op in COMPARISONS:
        return compare(body, COMPARISONS[op], left, right, node.span, op)
    if op in LOGIC:
        return logic(body, LOGIC[op], left, right, node.span, op, expected)
    if op == "**":
        from host_tools.compiler.lowering import numeric

        return numeric.power(body, left, right, node.span, expected)
    return arithmetic(body, ARITHMETIC[op], left, right, node.span, op, expected)


def _shortcut(body: Body, node: tree.Binary, left: Value) -> Value:
    op = SHORTCUTS[node.op]
    left = expressions.convert(body, left, BOOL, f"operand of {node.op}")
    with body.nested() as statements:
        right = expressions.expression(body, node.right, BOOL)
        right = expressions.convert(body, right, BOOL, f"operand of {node.op}")
    if isinstance(left.type, Unknown) or isinstance(right.type, Unknown):
        return expressions.unknown(node.span)
    if left.const is not None and right.const is not None:
        both = left.const and right.const if op == "and" else left.const or right.const
        return expressions.constant_value(BOOL, int(bool(both)), node.span)
    if not statements:
        return Value(BOOL, ir.Shortcut("b1", op, left.expr, right.expr), node.span)
    index = body.new_local("", "b1")
    body.emit(ir.SetLocal(index, left.expr))
    statements.append(ir.SetLocal(index, right.expr))
    result = ir.Local("b1", index)
    test = result if op == "and" else ir.Unary("b1", "not", result)
    body.emit(ir.If(test, tuple(statements)))
    return Value(BOOL, result, node.span)


def _fold(body: Body, t: Type, op: str, left: Value, right: Value, span: Span) -> Value | None:
    a, b = left.const, right.const
    if a is None or b is None or isinstance(a, bytes) or isinstance(b, bytes):
        return None
    universal = isinstance(t, Elementary) and t.universal
    result = constants.binary(op, "" if universal else kind_of(t), a, b)
    if result is None:
        return None
    if universal:
        t = ANY_INT if isinstance(result, int) and t is ANY_INT else ANY_REAL
        if t is ANY_REAL:
            result = Fraction(result)
    return expressions.constant_value(t, result, span)


def _make(body: Body, t: Type, op: str, left: Value, right: Value, span: Span) -> Value:
    folded = _fold(body, t, op, left, right, span)
    if folded is not None:
        return folded
    if isinstance(t, Elementary) and t.universal:
        # Only a division by zero is left unfolded.
        body.reporter.report("E0251", "division by zero", span, help="the divisor is always 0")
        return expressions.unknown(span)
    if op in ("div", "mod") and right.const == 0 and is_integer(t):
        body.reporter.report("E0251", "division by zero", span, help="the divisor is always 0")
        return expressions.unknown(span)
    kind = kind_of(t)
    return Value(t, ir.Binary(kind, op, left.expr, right.expr, position(span)), span)


def arithmetic(
    body: Body,
    op: str,
    left: Value,
    right: Value,
    span: Span,
    symbol: str,
    expected: Type | None = None,
) -> Value:
    """+ - * / MOD on numbers, durations, dates and times of day (IEC Tables 29, 30, 35)."""
    a, b = base_of(left.type), base_of(right.type)
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return expressions.unknown(span)
    pointed = pointers.arithmetic(body, op, left, right, span)
    if pointed is not None:
        return pointed
    timed = _time_arithmetic(body, op, left, right, a, b, span)
    if timed is not None:
        return timed
    t = common(a, b)
    if ANY_REAL in (a, b) and expected is LREAL:
        counted = a if b is ANY_REAL else b
        if is_integer(counted) and counted is not ANY_INT:
            t = common(counted, LREAL)
    if t is None or not is_number(t) or (op == "mod" and is_real(t)):
        return _mismatch(body, symbol, a, b, span)
    if is_real(t) and t is LREAL and REAL in (a, b) and not (a is LREAL or b is LREAL):
        # DINT with REAL meets at LREAL; say so rather than widen silently.
        return _mismatch(body, symbol, a, b, span)
    left, right = expressions.convert(body, left, t), expressions.convert(body, right, t)
    if isinstance(left.type, Unknown) or isinstance(right.type, Unknown):
        return expressions.unknown(span)
    return _make(body, t, op, left, right, span)


def _time_arithmetic(
    body: Body, op: str, left: Value, right: Value, a: Type, b: Type, span: Span
) -> Value | None:
    """None where neither operand is a time."""
    if not (isinstance(a, Elementary) and isinstance(b, Elementary)):
        return None
    long_ = a.name.startswith("L") or b.name.startswith("L")
    duration = ELEMENTARY["LTIME" if long_ else "TIME"]
    if is_duration(a) and is_duration(b) and op in ("add", "sub"):
        return _make(body, duration, op, left, right, span)
    if is_moment(a) and a.group != "date" and is_duration(b) and op in ("add", "sub"):
        t: Elementary = ELEMENTARY["LDT" if a.group == "dt" else "LTOD"] if long_ else a
        return _make(body, t, op, left, right, span)
    if is_moment(a) and a.group == b.group and op == "sub":
        return _make(body, duration, op, left, right, span)
    if is_number(a) and is_duration(b) and op == "mul":
        left, right, a, b = right, left, b, a
    if is_duration(a) and is_number(b) and op in ("mul", "div"):
        result = a
        if is_real(b):
            real = LREAL if b is LREAL else REAL
            factor = expressions.convert(body, right, real)
            scaled = ir.Convert(real.kind, left.expr)
            product = ir.Binary(real.kind, op, scaled, factor.expr, position(span))
            return Value(result, ir.Convert("i64", product), span)
        factor = right if right.type is not ANY_INT else expressions.convert(body, right, LINT)
        if isinstance(factor.type, Unknown):
            return factor
        return _make(body, result, op, left, expressions.retype(factor, LINT), span)
    return None


_COUNTED = {"BYTE": "USINT", "WORD": "UINT", "DWORD": "UDINT", "LWORD": "ULINT"}


def _mismatch(body: Body, symbol: str, a: Type, b: Type, span: Span) -> Value:
    if is_number(a) and is_number(b) and symbol != "MOD":
        target = REAL if REAL in (a, b) else (a if is_real(a) else b)
        other = b if target is a else a
        help_ = f"convert one side, for example {conversion_name(other, target)}(…)"
    elif symbol == "MOD":
        help_ = "MOD works on integers"
    elif (is_bits(a) or is_bits(b)) and not (is_time(a) or is_time(b)):
        bit, other = (a, b) if is_bits(a) else (b, a)
        name = conversion_name(bit, other) if is_number(other) else None
        call = name or f"{bit}_TO_{_COUNTED.get(str(bit))}"
        help_ = f"bit strings do not count; convert, for example {call}(…)"
        if bit is BOOL:
            help_ = "BOOL does not count; use AND, OR, NOT, or SEL(…)"
    elif is_string(a) and is_string(b):
        help_ = "strings are joined with CONCAT(…)"
    elif is_string(a) or is_string(b):
        text, number = (a, b) if is_string(a) else (b, a)
        name = conversion_name(text, number) or "STRING_TO_DINT"
        help_ = f"text does not count; convert it, for example {name}(…)"
    elif is_duration(a) and is_duration(b):
        help_ = "a duration is multiplied and divided by numbers"
    elif is_duration(a) or is_duration(b):
        help_ = "write the other side as a duration, for example T#5s"
        if is_moment(a) or is_moment(b):
            help_ = "a duration is added to or taken from a DT or TOD"
    elif is_moment(a) or is_moment(b):
        help_ = "add a duration to it, or subtract two of the same type"
    else:
        help_ = "it needs numbers; name the member or element that is one"
    body.reporter.report("E0250", f"'{symbol}' does not go with {a} and {b}", span, help=help_)
    return expressions.unknown(span)


def logic(
    body: Body,
    op: str,
    left: Value,
    right: Value,
    span: Span,
    symbol: str,
    expected: Type | None = None,
) -> Value:
    """AND, OR, XOR on BOOL and bit strings; on integers as a common extension."""
    a, b = base_of(left.type), base_of(right.type)
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return expressions.unknown(span)
    t = common(a, b)
    if (
        t is ANY_INT
        and isinstance(expected, Elementary)
        and (is_bits(expected) or is_integer(expected))
    ):
        t = expected
    if t is None or not (is_bits(t) or is_integer(t)):
        help_ = f"{symbol} works on BOOL, bit strings and integers of one type"
        if BOOL in (a, b):
            help_ = "compare the other side, for example (… <> 0)"
        body.reporter.report("E0250", f"'{symbol}' does not go with {a} and {b}", span, help=help_)
        return expressions.unknown(span)
    left, right = expressions.convert(body, left, t), expressions.convert(body, right, t)
    if isinstance(left.type, Unknown) or isinstance(right.type, Unknown):
        return expressions.unknown(span)
    if isinstance(t, Elementary) and t.universal:
        assert isinstance(left.const, int)
        assert isinstance(right.const, int)
        number = {
            "and": left.const & right.const,
            "or": left.const | right.const,
            "xor": left.const ^ right.const,
        }[op]
        return expressions.constant_value(ANY_INT, number, span)
    return _make(body, t, op, left, right, span)


def _is_character(t: Type) -> bool:
    return isinstance(t, Elementary) and t.group == "char"


def _compare_instances(op: str, left: Value, right: Value, span: Span) -> Value | None:
    """Whether two interfaces refer to one instance; None where that makes no sense."""
    if op not in ("eq", "ne"):
        return None
    sides: list[ir.Expr] = []
    for value in (left, right):
        if isinstance(value.type, FbType) and value.addr is not None:
            sides.append(ir.AddrOf("u32", value.addr))
        elif value.type is ANY_INT and value.const == 0:
            sides.append(ir.Const("u32", 0))
        elif isinstance(value.type, InterfaceType | RefType):
            sides.append(value.expr)
        else:
            return None
    return Value(BOOL, ir.Compare("b1", op, sides[0], sides[1]), span)


def compare(body: Body, op: str, left: Value, right: Value, span: Span, symbol: str) -> Value:
    """= <> < <= > >= on two values of one type (IEC Table 33)."""
    a, b = base_of(left.type), base_of(right.type)
    if isinstance(a, Unknown) or isinstance(b, Unknown):
        return expressions.unknown(span)
    if isinstance(a, InterfaceType) or isinstance(b, InterfaceType):
        same_instance = _compare_instances(op, left, right, span)
        if same_instance is not None:
            return same_instance
    t = common(a, b)
    if t is None and isinstance(left.const, bytes) and _is_character(b):
        t = b  # 'A' compared with a CHAR
    elif t is None and isinstance(right.const, bytes) and _is_character(a):
        t = a
    for one, other in ((left, b), (right, a)):
        if pointers.is_pointer(other) and one.const == 0 and one.type is ANY_INT:
            t = other  # `p <> 0`, as CODESYS has it
            one.expr, one.const = ir.Const("u32", 0), None
    ordered = op not in ("eq", "ne") and not (t is not None and pointers.is_pointer(t))
    scalar = isinstance(t, Elementary | EnumType | StringType) or (
        isinstance(t, RefType) and not ordered
    )
    mixed = (
        is_real(t) and t is LREAL and REAL in (a, b) and not (a is LREAL or b is LREAL) if t else 0
    )
    if t is None or not scalar or mixed:
        help_ = "both sides must have the same type"
        name = conversion_name(a, b)
        if is_number(a) and is_number(b):
            name = conversion_name(b, a) if is_real(a) else name
            help_ = f"convert one side, for example {name}(…)"
        elif name:
            help_ = f"convert one side, for example {name}(…)"
        elif is_time(a) and is_time(b):
            help_ = BETWEEN_TIMES
        elif t is not None:
            help_ = "compare their members or elements"
        body.reporter.report("E0250", f"'{symbol}' does not go with {a} and {b}", span, help=help_)
        return expressions.unknown(span)
    if not isinstance(t, RefType):
        left, right = expressions.convert(body, left, t), expressions.convert(body, right, t)
    if isinstance(left.type, Unknown) or isinstance(right.type, Unknown):
        return expressions.unknown(span)
    if left.const is not None and right.const is not None:
        wide = isinstance(t, StringType) and t.wide
        result = constants.compare(op, left.const, right.const, wide)
        return expressions.constant_value(BOOL, int(result), span)
    if isinstance(t, Elementary) and t.universal:
        t = LINT
    return Value(BOOL, ir.Compare("b1", op, left.expr, right.expr), span)
