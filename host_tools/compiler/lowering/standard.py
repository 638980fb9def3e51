"""The standard functions that the compiler knows itself (IEC 61131-3:2013, 6.6.2.5).

Generic and extensible functions need their arguments' types, so they are lowered here; what can be
written as an ordinary function is Structured Text in `library/`. Conversions are in `conversions`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

from host_tools.compiler import ir, library_index, tree
from host_tools.compiler.constants import wrap
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lowering import (
    conversions,
    expressions,
    open_arrays,
    operators,
    places,
    pointers,
    representation,
    rounding,
    typed_functions,
)
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span, position
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ANY_INT,
    ANY_REAL,
    BOOL,
    DINT,
    DWORD,
    ELEMENTARY,
    INT,
    LREAL,
    LWORD,
    REAL,
    TIME,
    UDINT,
    UNKNOWN,
    Elementary,
    OpenArrayType,
    StringType,
    Type,
    Unknown,
    base_of,
    common,
    is_aggregate,
    is_bits,
    is_duration,
    is_integer,
    is_number,
    is_real,
    is_string,
    kind_of,
    size_align,
)

Handler = Callable[[Body, tree.Call, list[tree.Expr], Type | None], Value]

# --- arguments -------------------------------------------------------------------------------


def _bind(
    body: Body, node: tree.Call, name: str, formal: tuple[str, ...], extensible: bool
) -> list[tree.Expr] | None:
    """The argument expressions in the order of the formal names; extensible functions go on
    counting from the last one (IN1, IN2, IN3, …)."""
    by_position: list[tree.Expr] = []
    by_name: dict[int, tree.Expr] = {}
    for a in node.arguments:
        if a.value is None and not a.output:
            continue  # told below: one is missing
        if a.output or a.value is None:
            body.reporter.report(
                "E0252", f"{name} has no output parameter", a.span, help="its result is its value"
            )
            return None
        if a.name is None:
            by_position.append(a.value)
            continue
        key = fold(a.name.name)
        index = _formal_index(key, formal, extensible)
        if index is None:
            body.reporter.report(
                "E0252",
                f"{name} has no parameter '{a.name.name}'",
                a.name.span,
                help=did_you_mean(a.name.name, formal) or f"it has {', '.join(formal)}",
            )
            return None
        by_name[index] = a.value
    for i, value in enumerate(by_position):
        if i in by_name:
            body.reporter.report(
                "E0249",
                f"parameter {i + 1} of {name} is given twice",
                by_name[i].span,
                others=[Label(value.span, "first here")],
                help="remove one of them",
            )
            return None
        by_name[i] = value
    args = [by_name[i] for i in sorted(by_name)]
    complete = sorted(by_name) == list(range(len(by_name)))
    enough = len(args) >= len(formal) if extensible else len(args) == len(formal)
    if not (enough and complete):
        count = f"{len(formal)} parameter{'s' * (len(formal) != 1)}"
        body.reporter.report(
            "E0245",
            f"{name} takes {'at least ' if extensible else ''}{count}, "
            f"{len(args)} {'is' if len(args) == 1 else 'are'} given",
            node.span,
            help=f"write {name}({', '.join(formal)}{', …' if extensible else ''})",
        )
        return None
    return args


def _formal_index(key: str, formal: tuple[str, ...], extensible: bool) -> int | None:
    if key in formal:
        return formal.index(key)
    last = formal[-1] if formal else ""
    if extensible and last[-1:].isdigit():
        stem, first = last.rstrip("0123456789"), int(last[len(last.rstrip("0123456789")) :])
        digits = key[len(stem) :]
        if key.startswith(stem) and digits.isdigit() and int(digits) > first:
            return len(formal) - 1 + int(digits) - first
    return None


def evaluate(
    body: Body, args: list[tree.Expr], expected: Type | None = None
) -> list[Value] | None:
    """The values in order of evaluation; None where one was reported."""
    values = body.in_order(
        [lambda a=a: expressions.expression(body, a, expected) for a in args]  # type: ignore[misc]
    )
    return None if any(isinstance(v.type, Unknown) for v in values) else values


def together(
    body: Body, values: list[Value], name: str, span: Span, expected: Type | None = None
) -> Type | None:
    """The common type of the values, which are converted to it in place; None after an error."""
    t: Type | None = base_of(values[0].type)
    for v in values[1:]:
        t = common(t, v.type) if t is not None else None
    if t is None:
        kinds = " and ".join(dict.fromkeys(str(v.type) for v in values))
        body.reporter.report(
            "E0250", f"{name} does not go with {kinds}", span, help="give all the same type"
        )
        return None
    if isinstance(t, Elementary) and t.universal:
        wants = isinstance(expected, Elementary) and (
            is_real(expected) or (is_integer(expected) and t is ANY_INT)
        )
        t = expected if wants and expected is not None else (REAL if t is ANY_REAL else DINT)
    for i, v in enumerate(values):
        values[i] = expressions.convert(body, v, t)
        if isinstance(values[i].type, Unknown):
            return None
    return t


def nothing(node: tree.Call) -> Value:
    return expressions.unknown(node.span)


def refuse(body: Body, name: str, t: Type, node: tree.Call, wanted: str) -> Value:
    body.reporter.report(
        "E0250", f"{name} does not go with {t}", node.span, help=f"it needs {wanted}"
    )
    return nothing(node)


def library_call(body: Body, name: str, values: list[Value], span: Span) -> Value:
    """Call a function of the library whose parameters are scalars or strings."""
    if body.constants_only:
        body.reporter.report(
            "E0210",
            "this function is not evaluated in constants",
            span,
            help="compute the value beforehand and write it as a literal",
        )
        return expressions.unknown(span)
    pou = body.declarations.library_pou(name)
    if pou is None or pou.result is None:
        raise AssertionError(f"the library has no {name}")
    result = body.declarations.resolve(pou.result)
    func = body.function(pou, span)
    index = body.new_local("", kind_of(result))
    body.emit(ir.Call(func, tuple(v.expr for v in values), None, index))
    return Value(result, ir.Local(kind_of(result), index), span)


# --- numeric ---------------------------------------------------------------------------------


def _abs(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    values = evaluate(body, args, expected)
    if values is None:
        return nothing(node)
    value = values[0]
    if isinstance(value.const, int) and value.type is ANY_INT:
        return expressions.constant_value(ANY_INT, abs(value.const), node.span)
    value = expressions.settle(body, value)
    t = base_of(value.type)
    if not (is_number(t) or (isinstance(t, Elementary) and t.group == "time")):
        return refuse(body, "ABS", t, node, "a number")
    if isinstance(value.const, int):
        return expressions.constant_value(t, wrap(abs(value.const), kind_of(t)), node.span)
    if isinstance(t, Elementary) and t.group == "uint":
        return value
    return Value(t, ir.Intrinsic(kind_of(t), "abs", (value.expr,)), node.span)


def real_argument(
    body: Body, name: str, node: tree.Call, args: list[tree.Expr], expected: Type | None
) -> list[Value] | None:
    wanted = expected if expected is LREAL else None
    values = evaluate(body, args, wanted)
    if values is None:
        return None
    t: Type | None = base_of(values[0].type)
    for v in values[1:]:
        t = common(t, v.type) if t is not None else None
    if t is None or not is_number(t):
        refuse(body, name, values[0].type if t is None else t, node, "REAL or LREAL")
        return None
    if not is_real(t) or (isinstance(t, Elementary) and t.universal):
        t = LREAL if wanted is LREAL else REAL
    made = [expressions.convert(body, v, t) for v in values]
    return None if any(isinstance(v.type, Unknown) for v in made) else made


def _engine_real(name: str) -> Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = real_argument(body, name.upper(), node, args, expected)
        if values is None:
            return nothing(node)
        t = values[0].type
        return Value(t, ir.Intrinsic(kind_of(t), name, (values[0].expr,)), node.span)

    return handler


def _library_real(name: str) -> Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = real_argument(body, name, node, args, expected)
        if values is None:
            return nothing(node)
        return library_call(body, f"__{name}_{values[0].type}", values, node.span)

    return handler


def power(body: Body, left: Value, right: Value, span: Span, expected: Type | None) -> Value:
    """`**` and EXPT: ANY_REAL to the power of ANY_NUM."""
    if isinstance(left.type, Unknown) or isinstance(right.type, Unknown):
        return expressions.unknown(span)
    a, b = base_of(left.type), base_of(right.type)
    if not (is_number(a) and is_number(b)):
        body.reporter.report(
            "E0250", f"'**' does not go with {a} and {b}", span, help="it needs numbers"
        )
        return expressions.unknown(span)
    if (
        (
            a is ANY_INT
            and b is ANY_INT
            and isinstance(left.const, int)
            and isinstance(right.const, int)
        )
        and 0 <= right.const <= 64
        and abs(left.const) <= 1 << 32
    ):
        return expressions.constant_value(ANY_INT, left.const**right.const, span)
    t = LREAL if LREAL in (a, b) or (expected is LREAL and REAL not in (a, b)) else REAL
    values = []
    for v in (left, right):
        source = base_of(v.type)
        if isinstance(source, Elementary) and source.universal:
            values.append(expressions.convert(body, v, t))
        elif is_integer(source):
            values.append(expressions.retype(v, t))
        else:
            values.append(expressions.convert(body, v, t))
    return library_call(body, f"__EXPT_{t}", values, span)


def _expt(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    values = evaluate(body, args, expected)
    if values is None:
        return nothing(node)
    return power(body, values[0], values[1], node.span, expected)


def _arithmetic(op: str, symbol: str) -> Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = evaluate(body, args, expected)
        if values is None:
            return nothing(node)
        result = values[0]
        for v in values[1:]:
            result = operators.arithmetic(body, op, result, v, node.span, symbol, expected)
        return result

    return handler


def _logic(op: str, symbol: str) -> Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = evaluate(body, args, expected)
        if values is None:
            return nothing(node)
        result = values[0]
        for v in values[1:]:
            result = operators.logic(body, op, result, v, node.span, symbol, expected)
        return result

    return handler


def _scaled_time(op: str, symbol: str) -> Handler:
    """MUL_TIME, DIV_TIME and their like: a duration times or by any number (Table 33)."""

    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = evaluate(body, args)
        if values is None:
            return nothing(node)
        first = base_of(values[0].type)
        if not is_duration(first):
            return refuse(body, "a time function", first, node, "TIME or LTIME as the first")
        return operators.arithmetic(body, op, values[0], values[1], node.span, symbol, expected)

    return handler


def _compare(op: str, symbol: str) -> Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = evaluate(body, args)
        if values is None:
            return nothing(node)
        for v in values:
            if v.const is None:
                v.expr = body.temporary(v.expr)
        result: Value | None = None
        for a, b in itertools.pairwise(values):
            one = operators.compare(body, op, a, b, node.span, symbol)
            if result is None:
                result = one
            else:
                result = operators.logic(body, "and", result, one, node.span, "AND")
        assert result is not None
        return result

    return handler


def _move(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    return expressions.expression(body, args[0], expected)


# --- bits ------------------------------------------------------------------------------------


def _shift(op: str) -> Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = evaluate(body, args)
        if values is None:
            return nothing(node)
        value, count = values
        t = base_of(value.type)
        if t is ANY_INT:
            wants = isinstance(expected, Elementary) and (
                is_bits(expected) or is_integer(expected)
            )
            t = expected if wants and expected is not None else DWORD
            value = expressions.convert(body, value, t)
        if not (is_bits(t) or is_integer(t)):
            return refuse(body, op.upper(), t, node, "a bit string")
        n = base_of(count.type)
        if n is ANY_INT:
            count = expressions.convert(body, count, DINT)
        elif not (is_integer(n) or is_bits(n)):
            return refuse(body, op.upper(), n, node, "an integer as the number of places")
        if isinstance(value.type, Unknown) or isinstance(count.type, Unknown):
            return nothing(node)
        if isinstance(count.const, int) and count.const < 0:
            body.reporter.report(
                "E0255",
                f"{op.upper()} by {count.const} places",
                count.span,
                help="the number of places cannot be negative; use the opposite direction",
            )
            return nothing(node)
        kind = kind_of(t)
        unsigned = "u8" if kind == "b1" else "u" + kind[1:]
        x = value.expr if kind == unsigned else ir.Convert(unsigned, value.expr)
        shifted: ir.Expr = ir.Binary(unsigned, op, x, count.expr, position(node.span))
        if kind == "b1":
            # A BOOL is one bit wide: rotating keeps it, shifting by one or more clears it.
            if op in ("rol", "ror"):
                return value
            zero = ir.Compare("b1", "eq", count.expr, ir.Const(count.expr.kind, 0))
            return Value(t, ir.Binary("b1", "and", value.expr, zero), node.span)
        if kind != unsigned:
            shifted = ir.Convert(kind, shifted)
        return Value(t, shifted, node.span)

    return handler


def _swap(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    values = evaluate(body, args)
    if values is None:
        return nothing(node)
    t = base_of(values[0].type)
    if not (isinstance(t, Elementary) and t.group in ("bit", "uint") and t.kind != "u8"):
        return refuse(body, "SWAP", t, node, "WORD, DWORD or LWORD")
    return Value(t, ir.Intrinsic(t.kind, "swap", (values[0].expr,)), node.span)


# --- selection -------------------------------------------------------------------------------


def _chosen(t: Type, expr: ir.Expr, node: tree.Call) -> Value:
    """The value that was selected; of structures and arrays, the address was."""
    if is_aggregate(t):
        return Value(t, expr, node.span, addr=ir.Addr("ptr", pointer=expr))
    return Value(t, expr, node.span)


def _sel(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    steps = [lambda: expressions.expression(body, args[0], BOOL)]
    steps += [lambda a=a: expressions.expression(body, a, expected) for a in args[1:]]  # type: ignore[misc]
    values = body.in_order(steps)
    if any(isinstance(v.type, Unknown) for v in values):
        return nothing(node)
    test = expressions.convert(body, values[0], BOOL, "G of SEL")
    pair = values[1:]
    t = together(body, pair, "SEL", node.span, expected)
    if t is None or isinstance(test.type, Unknown):
        return nothing(node)
    _evaluate_all(body, pair)
    if isinstance(test.const, int):
        return pair[1] if test.const else pair[0]
    return _chosen(t, ir.Select(kind_of(t), test.expr, pair[1].expr, pair[0].expr), node)


def _evaluate_all(body: Body, values: list[Value]) -> None:
    """All inputs of a function are evaluated: let those that could fault not be skipped."""
    for v in values:
        if may_fault(v.expr):
            v.expr = body.temporary(v.expr)


def may_fault(e: ir.Expr) -> bool:
    """Whether evaluating `e` could raise a fault, so that it must not be skipped."""
    match e:
        case ir.Check() | ir.NotNull():
            return True
        case ir.Binary():
            checked = e.op in ("div", "mod", "shl", "shr", "rol", "ror")
            sure = isinstance(e.b, ir.Const) and isinstance(e.b.value, int) and e.b.value > 0
            if checked and not sure and e.kind not in ("f32", "f64"):
                return True
            return may_fault(e.a) or may_fault(e.b)
        case ir.Compare() | ir.Shortcut():
            return may_fault(e.a) or may_fault(e.b)
        case ir.Unary() | ir.Convert() | ir.Bits():
            return may_fault(e.x)
        case ir.Select():
            return may_fault(e.test) or may_fault(e.a) or may_fault(e.b)
        case ir.Intrinsic():
            return any(may_fault(a) for a in e.args)
        case ir.Load() | ir.LoadBit() | ir.AddrOf():
            pointer = e.addr.pointer
            inside = any(may_fault(t) for t, _ in e.addr.terms)
            return inside or (pointer is not None and may_fault(pointer))
    return False


def _extreme(name: str) -> Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = evaluate(body, args, expected)
        if values is None:
            return nothing(node)
        t = together(body, values, name.upper(), node.span, expected)
        if t is None:
            return nothing(node)
        result = values[0]
        for v in values[1:]:
            result = _two(body, name, t, result, v, node)
        return result

    return handler


def _two(body: Body, name: str, t: Type, a: Value, b: Value, node: tree.Call) -> Value:
    """MIN or MAX of two values of type `t`."""
    if isinstance(a.const, int) and isinstance(b.const, int):
        chosen = min(a.const, b.const) if name == "min" else max(a.const, b.const)
        return expressions.constant_value(t, chosen, node.span)
    if is_string(t):
        x, y = body.temporary(a.expr), body.temporary(b.expr)
        test = ir.Compare("b1", "lt" if name == "min" else "gt", x, y)
        return Value(t, ir.Select(kind_of(t), test, x, y), node.span)
    if not isinstance(t, Elementary):
        return refuse(body, name.upper(), t, node, "numbers, times or strings")
    if t.group == "bool":
        op = "and" if name == "min" else "or"
        return Value(t, ir.Binary("b1", op, a.expr, b.expr, position(node.span)), node.span)
    return Value(t, ir.Intrinsic(t.kind, name, (a.expr, b.expr)), node.span)


def _limit(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    values = evaluate(body, args, expected)
    if values is None:
        return nothing(node)
    t = together(body, values, "LIMIT", node.span, expected)
    if t is None:
        return nothing(node)
    low, value, high = values
    return _two(body, "min", t, _two(body, "max", t, value, low, node), high, node)


def _mux(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    steps = [lambda: expressions.expression(body, args[0], None)]
    steps += [lambda a=a: expressions.expression(body, a, expected) for a in args[1:]]  # type: ignore[misc]
    values = body.in_order(steps)
    if any(isinstance(v.type, Unknown) for v in values):
        return nothing(node)
    selector, choices = expressions.settle(body, values[0]), values[1:]
    if not is_integer(base_of(selector.type)):
        return refuse(body, "MUX", selector.type, node, "an integer K")
    t = together(body, choices, "MUX", node.span, expected)
    if t is None:
        return nothing(node)
    last = len(choices) - 1
    if isinstance(selector.const, int) and 0 <= selector.const <= last:
        _evaluate_all(body, choices)
    if isinstance(selector.const, int):
        if 0 <= selector.const <= last:
            return choices[selector.const]
        body.reporter.report(
            "E0239",
            f"MUX has inputs 0..{last}, not {selector.const}",
            selector.span,
            help="K counts the inputs from 0",
        )
        return nothing(node)
    kind = selector.expr.kind
    check = ir.Check(kind, selector.expr, 0, last, ir.Fault.INDEX, position(node.span))
    k = body.temporary(check)
    _evaluate_all(body, choices)
    result = choices[last].expr
    for i in range(last - 1, -1, -1):
        test = ir.Compare("b1", "eq", k, ir.Const(kind, i))
        result = ir.Select(kind_of(t), test, choices[i].expr, result)
    return _chosen(t, result, node)


# --- strings ---------------------------------------------------------------------------------


def _string_function(name: str, shape: str) -> Handler:
    """shape: a letter for each argument, s string, n integer; a final 'i': the result is INT."""
    wanted, gives_int = shape.removesuffix("i"), shape.endswith("i")

    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = evaluate(body, args)
        if values is None:
            return nothing(node)
        wide: bool | None = None
        length = 0
        for i, (letter, v) in enumerate(zip(wanted, values, strict=False)):
            t = base_of(v.type)
            if letter == "n":
                if t is ANY_INT:
                    v = expressions.convert(body, v, DINT)
                elif not is_integer(t):
                    return refuse(body, name.upper(), t, node, "integers as lengths and positions")
                values[i] = v
                continue
            if isinstance(t, Elementary) and t.group == "char":
                v = expressions.convert(body, v, StringType(t.kind == "u16", 1))
                t = v.type
                values[i] = v
            if not isinstance(t, StringType) or (wide is not None and t.wide != wide):
                return refuse(body, name.upper(), t, node, "strings of one kind")
            wide = t.wide
            length += t.length
        if any(isinstance(v.type, Unknown) for v in values):
            return nothing(node)
        exprs = tuple(v.expr for v in values)
        if gives_int:
            found: ir.Expr = ir.Intrinsic("i32", name, exprs)
            return Value(INT, ir.Convert("i16", found), node.span)
        t = StringType(bool(wide), min(max(length, 1), 32_767))
        return Value(t, ir.Intrinsic(t.kind, name, exprs), node.span)

    return handler


def _concat(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    two = _string_function("concat", "ss")
    if len(args) == 2:
        return two(body, node, args, expected)
    values = evaluate(body, args)
    if values is None:
        return nothing(node)
    for i, v in enumerate(values):
        one = base_of(v.type)
        if isinstance(one, Elementary) and one.group == "char":
            values[i] = expressions.convert(body, v, StringType(one.kind == "u16", 1))
    result = values[0]
    for v in values[1:]:
        a, b = base_of(result.type), base_of(v.type)
        if not (isinstance(a, StringType) and isinstance(b, StringType) and a.wide == b.wide):
            return refuse(body, "CONCAT", b, node, "strings of one kind")
        t = StringType(a.wide, min(a.length + b.length, 32_767))
        result = Value(t, ir.Intrinsic(t.kind, "concat", (result.expr, v.expr)), node.span)
    return result


# --- time, references, bits of floats --------------------------------------------------------


def _time(body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None) -> Value:
    return Value(TIME, body.now(), node.span)


def _day_of_week(
    body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
) -> Value:
    """0 Sunday … 6 Saturday, in the integer type that the context wants (Table 36, 13)."""
    values = evaluate(body, args)
    if values is None:
        return nothing(node)
    day = expressions.convert(body, values[0], ELEMENTARY["LDATE"], "IN of DAY_OF_WEEK")
    if isinstance(day.type, Unknown):
        return nothing(node)
    made = library_call(body, "__DAY_OF_WEEK", [day], node.span)
    wanted = base_of(expected) if expected is not None else INT
    if isinstance(made.type, Unknown) or not is_integer(wanted) or wanted is ANY_INT:
        return made
    return expressions.retype(made, wanted)


def _ref(kind: str) -> Handler:
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
        return nothing(node)
    if where is not None and isinstance(t, OpenArrayType):
        return Value(UDINT, open_arrays.size_of(where), node.span)
    return expressions.constant_value(ANY_INT, size_align(t)[0], node.span)


def _bits_of(source: Elementary, target: Elementary) -> Handler:
    def handler(
        body: Body, node: tree.Call, args: list[tree.Expr], expected: Type | None
    ) -> Value:
        values = evaluate(body, args, source)
        if values is None:
            return nothing(node)
        value = expressions.convert(body, values[0], source)
        return Value(target, ir.Bits(target.kind, value.expr), node.span)

    return handler


# --- the table -------------------------------------------------------------------------------


@cache
def _functions() -> dict[str, tuple[tuple[str, ...], bool, Handler]]:
    """Folded name -> formal parameters, extensible, handler."""
    one, two = ("IN",), ("IN1", "IN2")
    table: dict[str, tuple[tuple[str, ...], bool, Handler]] = {
        "ABS": (one, False, _abs),
        "SQRT": (one, False, _engine_real("sqrt")),
        "FLOOR": (one, False, rounding.whole("floor")),
        "CEIL": (one, False, rounding.whole("ceil")),
        "ROUND": (one, False, rounding.nearest),
        "FRAC": (one, False, rounding.fraction),
        "SQR": (one, False, rounding.square),
        "NORM_X": (("MIN", "VALUE", "MAX"), False, rounding.normed),
        "SCALE_X": (("MIN", "VALUE", "MAX"), False, rounding.scaled),
        "ATAN2": (("Y", "X"), False, _library_real("ATAN2")),
        "EXPT": (two, False, _expt),
        "ADD": (two, True, _arithmetic("add", "+")),
        "MUL": (two, True, _arithmetic("mul", "*")),
        "SUB": (two, False, _arithmetic("sub", "-")),
        "DIV": (two, False, _arithmetic("div", "/")),
        "MOD": (two, False, _arithmetic("mod", "MOD")),
        "AND": (two, True, _logic("and", "AND")),
        "OR": (two, True, _logic("or", "OR")),
        "XOR": (two, True, _logic("xor", "XOR")),
        "MOVE": (one, False, _move),
        "SWAP": (one, False, _swap),
        "SEL": (("G", "IN0", "IN1"), False, _sel),
        "MIN": (two, True, _extreme("min")),
        "MAX": (two, True, _extreme("max")),
        "LIMIT": (("MN", "IN", "MX"), False, _limit),
        "MUX": (("K", "IN0"), True, _mux),
        "LEN": (one, False, _string_function("len", "si")),
        "LEFT": (("IN", "L"), False, _string_function("left", "sn")),
        "RIGHT": (("IN", "L"), False, _string_function("right", "sn")),
        "MID": (("IN", "L", "P"), False, _string_function("mid", "snn")),
        "CONCAT": (two, True, _concat),
        "INSERT": (("IN1", "IN2", "P"), False, _string_function("insert", "ssn")),
        "DELETE": (("IN", "L", "P"), False, _string_function("delete", "snn")),
        "REPLACE": (("IN1", "IN2", "L", "P"), False, _string_function("replace", "ssnn")),
        "FIND": (two, False, _string_function("find", "ssi")),
        "TIME": ((), False, _time),
        "REF": (one, False, _ref("REF_TO")),
        "ADR": (one, False, _ref("POINTER TO")),
        "LOWER_BOUND": (("ARR", "DIM"), False, open_arrays.bound(False)),
        "UPPER_BOUND": (("ARR", "DIM"), False, open_arrays.bound(True)),
        "__ISVALIDREF": (one, False, pointers.is_valid),
        "SIZEOF": (one, False, _sizeof),
        "__REAL_BITS": (("X",), False, _bits_of(REAL, DWORD)),
        "__BITS_REAL": (("D",), False, _bits_of(DWORD, REAL)),
        "__LREAL_BITS": (("X",), False, _bits_of(LREAL, LWORD)),
        "__BITS_LREAL": (("D",), False, _bits_of(LWORD, LREAL)),
    }
    table["IS_VALID"] = (one, False, representation.is_valid)
    table["IS_VALID_BCD"] = (one, False, representation.is_valid_bcd)
    for name in ("TO_BIG_ENDIAN", "FROM_BIG_ENDIAN", "BIG_ENDIAN_TO"):
        table[name] = (one, False, representation.byte_order(name, swapped=True))
    for name in ("TO_LITTLE_ENDIAN", "FROM_LITTLE_ENDIAN", "LITTLE_ENDIAN_TO"):
        table[name] = (one, False, representation.byte_order(name, swapped=False))
    table["DAY_OF_WEEK"] = (one, False, _day_of_week)
    for name in ("SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN", "EXP", "LN", "LOG"):
        table[name] = (one, False, _library_real(name))
    for name in ("MUL_TIME", "MUL_LTIME", "MULTIME"):
        table[name] = (two, False, _scaled_time("mul", "*"))
    for name in ("DIV_TIME", "DIV_LTIME", "DIVTIME"):
        table[name] = (two, False, _scaled_time("div", "/"))
    for op in ("shl", "shr", "rol", "ror"):
        table[op.upper()] = (("IN", "N"), False, _shift(op))
    for name, op, symbol in (
        ("GT", "gt", ">"),
        ("GE", "ge", ">="),
        ("EQ", "eq", "="),
        ("LE", "le", "<="),
        ("LT", "lt", "<"),
        ("NE", "ne", "<>"),
    ):
        table[name] = (two, name != "NE", _compare(op, symbol))
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
    args = _bind(body, node, key, formal, extensible)
    if args is None:
        return nothing(node)
    if wanted is not None:
        args = typed_functions.typed(key.rpartition("_")[0], args, wanted)
    return handler(body, node, args, expected)
