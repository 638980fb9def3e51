"""Print IR expressions as Python, wrapping integers only where their range asks for it."""

from __future__ import annotations

from host_tools.compiler import ir
from host_tools.compiler.ir_walk import int_const, may_fault
from host_tools.compiler.python_engine import reals
from host_tools.compiler.python_engine.scope import Scope
from host_tools.compiler.python_engine.text import (
    AND,
    ATOM,
    BITAND,
    BITOR,
    BITS,
    BITXOR,
    COMPARE,
    MASK,
    NOT,
    OR,
    PRODUCT,
    SHIFT,
    SIGN,
    SUM,
    TERNARY,
    EngineError,
    Text,
    number,
)

_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_INVERSE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_WIDE = 1 << 200  # a value modulo the width is kept unwrapped up to this magnitude


def bool_text(text: str, prec: int = ATOM) -> Text:
    return Text(text, prec, 0, 1)


def wrap(t: Text, kind: str, scope: Scope) -> Text:
    """`t`, an integer modulo the width of `kind`, as a value of `kind`."""
    low, high = ir.INT_RANGE[kind]
    if low <= t.lo and t.hi <= high:
        return t
    if kind == "b1":
        return Text(f"{t.at(BITAND)} & 1", BITAND, 0, 1)
    if low == 0 and BITS[kind] <= 16:
        return Text(f"{t.at(BITAND)} & {MASK[kind]}", BITAND, 0, high)
    # Testing first keeps small values from becoming long ones on boards with 31-bit integers.
    held = f"({scope.temp} := {t.at(TERNARY)})"
    if low <= t.lo:
        test = f"{held} <= {high}"
    elif t.hi <= high:
        test = f"{held} >= {low}"
    else:
        test = f"{low} <= {held} <= {high}"
    other = f"{scope.temp} & {MASK[kind]}" if low == 0 else f"{scope.helper(kind)}({scope.temp})"
    return Text(f"{scope.temp} if {test} else {other}", TERNARY, low, high)


def value(e: ir.Expr, scope: Scope) -> Text:
    """The expression's value, in the range of its kind."""
    t = modulo(e, scope)
    return wrap(t, e.kind, scope) if e.kind in ir.INT_RANGE else t


def modulo(e: ir.Expr, scope: Scope) -> Text:
    """An integer that is equal to the expression's value modulo 2**width; other kinds: the
    value."""
    match e:
        case ir.Const(kind=kind, value=v):
            if isinstance(v, bytes):
                return Text(repr(v))
            return number(int(v)) if kind in ir.INT_RANGE else reals.const(kind, float(v), scope)
        case ir.Local(index=index):
            return Text(scope.local(index), ATOM, *ir.INT_RANGE.get(e.kind, (0, 0)))
        case ir.Load(kind=kind, addr=addr):
            if kind in ("str", "wstr"):
                place = address(addr, scope).text
                return Text(f"{scope.string(kind + '_load')}({scope.bytes}, {place})")
            place = f"{scope.view(kind)}[{index_of(addr, ir.SIZE[kind], scope).text}]"
            return Text(place, ATOM, *ir.INT_RANGE.get(kind, (0, 0)))
        case ir.LoadBit(addr=addr, bit=bit):
            byte = f"{scope.bytes}[{index_of(addr, 1, scope).text}]"
            if bit == 0:
                return bool_text(f"{byte} & 1", BITAND)
            if bit == 7:
                return bool_text(f"{byte} >> 7", SHIFT)
            return bool_text(f"{byte} >> {bit} & 1", BITAND)
        case ir.AddrOf(addr=addr):
            t = address(addr, scope)
            return Text(t.text, t.prec, *ir.INT_RANGE["u32"])
        case ir.Unary():
            return _unary(e, scope)
        case ir.Binary(op=op, kind=kind):
            if kind in ("f32", "f64"):
                return reals.binary(kind, op, value(e.a, scope), value(e.b, scope), scope)
            return _BINARY[op](e, scope)
        case ir.Compare():
            return _compare(e, scope)
        case ir.Shortcut(op=op, a=a, b=b):
            return _logical(op, value(a, scope), value(b, scope))
        case ir.Select(test=t, a=a, b=b):
            ta, tb = modulo(a, scope), modulo(b, scope)
            text = f"{ta.at(OR)} if {test(t, scope).at(OR)} else {tb.at(TERNARY)}"
            return Text(text, TERNARY, min(ta.lo, tb.lo), max(ta.hi, tb.hi))
        case ir.Convert():
            return _convert(e, scope)
        case ir.Bits(kind=kind, x=x):
            return reals.bits(kind, x.kind, value(x, scope).text, scope)
        case ir.Check():
            return _check(e, scope)
        case ir.NotNull(x=x, pos=pos):
            t = value(x, scope)
            text = f"{t.at(AND)} or {scope.helper('fault')}({ir.Fault.NULL}, {pos})"
            return Text(text, OR, t.lo, t.hi)
        case ir.Intrinsic():
            return _intrinsic(e, scope)
    raise EngineError(f"the python engine does not know {type(e).__name__}")


def test(e: ir.Expr, scope: Scope) -> Text:
    """Text that is true in Python's sense where `e` (b1) is true."""
    match e:
        case ir.LoadBit(addr=addr, bit=bit):
            place = f"{scope.bytes}[{index_of(addr, 1, scope).text}]"
            return Text(f"{place} & {1 << bit}", BITAND)
        case ir.Unary(op="not", x=x):
            return negated(x, scope)
        case ir.Binary(op="and" | "or" as op, a=a, b=b) if not may_fault(b):
            return _logical(op, test(a, scope), test(b, scope))
        case ir.Shortcut(op=op, a=a, b=b):
            return _logical(op, test(a, scope), test(b, scope))
        case ir.Convert(kind="b1", x=x) if x.kind in ir.INT_RANGE:
            return value(x, scope)
    return value(e, scope)


def negated(e: ir.Expr, scope: Scope) -> Text:
    """Text that is true in Python's sense where `e` (b1) is false."""
    match e:
        case ir.Unary(op="not", x=x):
            return test(x, scope)
        case ir.Compare(op=op, a=a, b=b) if a.kind in ir.INT_RANGE and a.kind != "b1":
            return value(ir.Compare("b1", _INVERSE[op], a, b), scope)
    return bool_text(f"not {test(e, scope).at(NOT)}", NOT)


# --- addresses -------------------------------------------------------------------------------


def index_of(addr: ir.Addr, size: int, scope: Scope) -> Text:
    """Index of the address in a view whose items have `size` bytes."""
    constant = addr.offset // size
    parts: list[str] = []
    if addr.base == "ptr":
        assert addr.pointer is not None
        pointer = value(addr.pointer, scope)
        shift = size.bit_length() - 1
        parts.append(f"({pointer.at(SHIFT)} >> {shift})" if shift else pointer.at(SUM))
    elif addr.base != "static":
        parts.append(scope.base(addr.base, size))
    for e, scale in addr.terms:
        t = value(e, scope)
        factor = scale // size
        if t.lo == t.hi and not may_fault(e):
            constant += t.lo * factor
        elif factor == 1:
            parts.append(t.at(PRODUCT))
        else:
            parts.append(f"{t.at(PRODUCT)} * {factor}")
    if not parts:
        return number(constant)
    text = " + ".join(parts)
    if constant:
        text += f" + {constant}" if constant > 0 else f" - {-constant}"
    prec = ATOM if len(parts) == 1 and not constant and text.isidentifier() else SUM
    return Text(text, prec)


def address(addr: ir.Addr, scope: Scope) -> Text:
    """The address in bytes."""
    return index_of(addr, 1, scope)


# --- operators -------------------------------------------------------------------------------


def _unary(e: ir.Unary, scope: Scope) -> Text:
    if e.op == "not":
        if e.kind == "b1":
            # The operand of a double negation may be true without being 1.
            if isinstance(e.x, ir.Unary):
                return value(e.x.x, scope)
            return negated(e.x, scope)
        t = modulo(e.x, scope)
        if ir.INT_RANGE[e.kind][0] == 0:
            t = wrap(t, e.kind, scope)
            return Text(f"{t.at(BITXOR)} ^ {MASK[e.kind]}", BITXOR, 0, MASK[e.kind])
        return Text(f"~{t.at(SIGN)}", SIGN, ~t.hi, ~t.lo)
    t = modulo(e.x, scope)
    if int_const(e.x) is not None:
        return number(-t.lo)
    return Text(f"-{t.at(SIGN)}", SIGN, -t.hi, -t.lo)


def _narrowed(e: ir.Expr, scope: Scope) -> Text:
    """Modulo the width, but not so large that Python's long integers would dominate."""
    t = modulo(e, scope)
    return wrap(t, e.kind, scope) if t.lo < -_WIDE or t.hi > _WIDE else t


def _sum(e: ir.Binary, scope: Scope) -> Text:
    a, b = _narrowed(e.a, scope), _narrowed(e.b, scope)
    if e.op == "add":
        return Text(f"{a.at(SUM)} + {b.at(PRODUCT)}", SUM, a.lo + b.lo, a.hi + b.hi)
    return Text(f"{a.at(SUM)} - {b.at(PRODUCT)}", SUM, a.lo - b.hi, a.hi - b.lo)


def _product(e: ir.Binary, scope: Scope) -> Text:
    a, b = _narrowed(e.a, scope), _narrowed(e.b, scope)
    ends = (a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi)
    return Text(f"{a.at(PRODUCT)} * {b.at(SIGN)}", PRODUCT, min(ends), max(ends))


def _div(e: ir.Binary, scope: Scope) -> Text:
    a, b = value(e.a, scope), value(e.b, scope)
    largest = max(abs(a.lo), abs(a.hi))
    divisor = int_const(e.b)
    if b.lo >= 0:
        low, high = min(a.lo, 0), max(a.hi, 0)
    else:
        low, high = -largest, largest
    if divisor is not None and divisor > 0:
        low, high = -(-a.lo // divisor) if a.lo < 0 else a.lo // divisor, max(a.hi, 0) // divisor
        if a.lo >= 0:
            return Text(f"{a.at(PRODUCT)} // {divisor}", PRODUCT, low, high)
        return Text(_by_magnitude(a, "//", divisor, scope), TERNARY, low, high)
    if a.lo >= 0 and b.lo > 0:
        return Text(f"{a.at(PRODUCT)} // {b.at(SIGN)}", PRODUCT, low, high)
    return Text(f"{scope.helper('div')}({a.text}, {b.text}, {e.pos})", ATOM, low, high)


def _by_magnitude(a: Text, sign: str, divisor: int, scope: Scope) -> str:
    """Python rounds down, the IR towards zero: work on the magnitude, then put the sign back."""
    name = a.text if a.is_name else scope.temp
    held = name if a.is_name else f"({name} := {a.at(TERNARY)})"
    return f"{name} {sign} {divisor} if {held} >= 0 else -(-{name} {sign} {divisor})"


def _mod(e: ir.Binary, scope: Scope) -> Text:
    a, b = value(e.a, scope), value(e.b, scope)
    reach = max(abs(b.lo), abs(b.hi), 1) - 1
    low, high = max(min(a.lo, 0), -reach), min(max(a.hi, 0), reach)
    if a.lo >= 0 and b.lo > 0:
        return Text(f"{a.at(PRODUCT)} % {b.at(SIGN)}", PRODUCT, low, high)
    divisor = int_const(e.b)
    if divisor is not None and divisor > 0:
        return Text(_by_magnitude(a, "%", divisor, scope), TERNARY, low, high)
    return Text(f"{scope.helper('mod')}({a.text}, {b.text}, {e.pos})", ATOM, low, high)


_BITWISE = {"and": ("&", BITAND), "or": ("|", BITOR), "xor": ("^", BITXOR)}


def _bitwise(e: ir.Binary, scope: Scope) -> Text:
    if e.kind == "b1":
        a, b = value(e.a, scope), value(e.b, scope)
        if e.op == "xor":
            return bool_text(f"{a.at(BITOR)} != {b.at(BITOR)}", COMPARE)
        if not may_fault(e.b):
            return _logical(e.op, a, b)
        sign, prec = _BITWISE[e.op]
        return bool_text(f"{a.at(prec)} {sign} {b.at(prec + 1)}", prec)
    a, b = _narrowed(e.a, scope), _narrowed(e.b, scope)
    sign, prec = _BITWISE[e.op]
    text = f"{a.at(prec)} {sign} {b.at(prec + 1)}"
    bits = max(v.bit_length() for v in (a.lo, a.hi, b.lo, b.hi))
    low, high = (0 if min(a.lo, b.lo) >= 0 else -(1 << bits)), (1 << bits) - 1
    if e.op == "and":
        tops = [t.hi for t in (a, b) if t.lo >= 0]
        if tops:
            low, high = 0, min(tops)
    return Text(text, prec, low, high)


def _unsigned(e: ir.Expr, scope: Scope) -> Text:
    """The bits of an integer as a number that is not negative."""
    t = modulo(e, scope)
    mask = MASK[e.kind]
    if t.lo >= 0 and t.hi <= mask:
        return t
    if ir.INT_RANGE[e.kind][0] == 0:
        return wrap(t, e.kind, scope)
    return Text(f"{t.at(BITAND)} & {mask}", BITAND, 0, mask)


def _shift(e: ir.Binary, scope: Scope) -> Text:
    width, mask = BITS[e.kind], MASK[e.kind]
    count = int_const(e.b)
    if count is not None and 0 <= count < width:
        if e.op == "shl":
            t = _narrowed(e.a, scope)
            return Text(f"{t.at(SHIFT)} << {count}", SHIFT, t.lo << count, t.hi << count)
        t = _unsigned(e.a, scope)
        return Text(f"{t.at(SHIFT)} >> {count}", SHIFT, t.lo >> count, t.hi >> count)
    a, b = _unsigned(e.a, scope), value(e.b, scope)
    return Text(f"{scope.helper(e.op)}({a.text}, {b.text}, {width}, {e.pos})", ATOM, 0, mask)


def _rotate(e: ir.Binary, scope: Scope) -> Text:
    a, b = _unsigned(e.a, scope), value(e.b, scope)
    text = f"{scope.helper(e.op)}({a.text}, {b.text}, {BITS[e.kind]}, {e.pos})"
    return Text(text, ATOM, 0, MASK[e.kind])


_BINARY = {
    "add": _sum,
    "sub": _sum,
    "mul": _product,
    "div": _div,
    "mod": _mod,
    "and": _bitwise,
    "or": _bitwise,
    "xor": _bitwise,
    "shl": _shift,
    "shr": _shift,
    "rol": _rotate,
    "ror": _rotate,
}


def _logical(op: str, a: Text, b: Text) -> Text:
    prec = AND if op == "and" else OR
    return bool_text(f"{a.at(prec)} {op} {b.at(prec + 1)}", prec)


def _compare(e: ir.Compare, scope: Scope) -> Text:
    a, b = value(e.a, scope), value(e.b, scope)
    if e.a.kind == "f32":
        return bool_text(f"{scope.real('f' + e.op)}({a.text}, {b.text})")
    if e.a.kind == "wstr":
        if e.op not in ("eq", "ne"):
            # UTF-16LE does not sort by character code byte by byte.
            text = f"{scope.string('wstr_order')}({a.text}, {b.text}) {_COMPARE[e.op]} 0"
            return bool_text(text, COMPARE)
    elif e.a.kind == "b1" and e.op in ("eq", "ne") and int_const(e.b) is not None:
        if (e.op == "eq") == bool(int_const(e.b)):
            return a
        return bool_text(f"not {test(e.a, scope).at(NOT)}", NOT)
    return bool_text(f"{a.at(BITOR)} {_COMPARE[e.op]} {b.at(BITOR)}", COMPARE)


def _convert(e: ir.Convert, scope: Scope) -> Text:
    x, kind, source = e.x, e.kind, e.x.kind
    if kind == source:
        return modulo(x, scope)
    if source not in ir.INT_RANGE or kind not in ir.INT_RANGE:
        if kind == "b1" and source == "f64":
            return bool_text(f"{value(x, scope).at(BITOR)} != 0.0", COMPARE)
        return reals.convert(kind, source, value(x, scope), e.truncate, scope)
    if kind == "b1":
        return bool_text(f"{value(x, scope).at(BITOR)} != 0", COMPARE)
    if source == "b1":
        t = value(x, scope)
        # A Python bool must not get into integer variables: `+` makes it 0 or 1.
        return t if isinstance(x, ir.Load | ir.LoadBit) else Text(f"+{t.at(SIGN)}", SIGN, 0, 1)
    return modulo(x, scope) if BITS[kind] <= BITS[source] else value(x, scope)


def _check(e: ir.Check, scope: Scope) -> Text:
    t = value(e.x, scope)
    if e.low <= t.lo and t.hi <= e.high:
        return t
    fault = f"{scope.helper('fault')}({e.code}, {e.pos})"
    if int_const(e.x) is not None:
        return Text(fault, ATOM, e.low, e.high)
    name = t.text if t.is_name else scope.temp
    held = name if t.is_name else f"({name} := {t.at(TERNARY)})"
    if e.low == e.high:
        check = f"{held} == {e.low}"
    elif t.lo >= e.low:
        check = f"{held} <= {e.high}"
    elif t.hi <= e.high:
        check = f"{held} >= {e.low}"
    else:
        check = f"{e.low} <= {held} <= {e.high}"
    low, high = max(e.low, t.lo), min(e.high, t.hi)
    if low > high:  # no value passes
        low, high = t.lo, t.hi
    return Text(f"{name} if {check} else {fault}", TERNARY, low, high)


# --- intrinsics ------------------------------------------------------------------------------


def _intrinsic(e: ir.Intrinsic, scope: Scope) -> Text:
    name, kind = e.name, e.kind
    if name == "now":
        return Text(f"{scope.view('i64')}[3]", ATOM, *ir.INT_RANGE["i64"])
    args = [value(a, scope) for a in e.args]
    if kind in ("f32", "f64") and name in ("abs", "sqrt", "floor", "ceil", "min", "max"):
        return reals.intrinsic(kind, name, [a.text for a in args], scope)
    if name == "abs":
        (x,) = args
        if x.lo >= 0:
            return x
        low = 0 if x.lo <= 0 <= x.hi else min(abs(x.lo), abs(x.hi))
        return Text(f"abs({x.text})", ATOM, low, max(abs(x.lo), abs(x.hi)))
    if name in ("min", "max") and kind in ir.INT_RANGE:
        a, b = args
        pick = min if name == "min" else max
        low, high = pick(a.lo, b.lo), pick(a.hi, b.hi)
        if a.is_name and b.is_name:
            sign = "<" if name == "min" else ">"
            text = f"{a.text} if {a.text} {sign} {b.text} else {b.text}"
            return Text(text, TERNARY, low, high)
        return Text(f"{name}({a.text}, {b.text})", ATOM, low, high)
    if name in ("bcd_to", "to_bcd"):
        text = f"{scope.helper(name)}({args[0].text}, {BITS[kind]})"
        return Text(text, ATOM, *ir.INT_RANGE[kind])
    if name == "swap":
        x = _unsigned(e.args[0], scope)
        return Text(f"{scope.helper('swap')}({x.text}, {ir.SIZE[kind]})", ATOM, 0, MASK[kind])
    return _string(e, args, scope)


def _string(e: ir.Intrinsic, args: list[Text], scope: Scope) -> Text:
    """A call of controller/rt_strings.py; the last argument is the size of a character."""
    name, kind = e.name, e.kind
    texts = [a.text for a in args]
    if name == "concat":
        a, b = args
        return Text(f"{a.at(SUM)} + {b.at(PRODUCT)}", SUM)
    if name in ("to_wide", "to_narrow", "int_to_str", "str_to_int", "time_to_str"):
        function = scope.string(name)
    elif name == "from_char":
        function = scope.string(kind + "_from_char")
    else:
        function = scope.string("str_" + name)
        texts.append("2" if e.args[0].kind == "wstr" else "1")
    low, high = ir.INT_RANGE.get(kind, (0, 0))
    return Text(f"{function}({', '.join(texts)})", ATOM, low, high)
