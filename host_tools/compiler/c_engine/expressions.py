"""Print IR expressions as C."""

from __future__ import annotations

import math

from host_tools.compiler import ir
from host_tools.compiler.c_engine import strings
from host_tools.compiler.c_engine.effects import Held
from host_tools.compiler.c_engine.ranges import bounds, learn, within
from host_tools.compiler.c_engine.scope import Place, Scope
from host_tools.compiler.c_engine.text import (
    ATOM,
    BIT,
    COMPARE,
    COND,
    CTYPE,
    LAND,
    LOR,
    NARROW,
    PRODUCT,
    SHIFT,
    SIGN,
    SUM,
    UNSIGNED,
    EngineError,
    Text,
    integer,
)
from host_tools.compiler.ir_walk import addr_children, int_const, may_fault, walk_expr
from host_tools.record import replace

_REAL = ("f32", "f64")
_ARITHMETIC = {"add": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT)}
_BITWISE = {"and": "&", "or": "|", "xor": "^"}
_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def value(e: ir.Expr, scope: Scope) -> Text:
    if scope.same and isinstance(e, ir.Binary) and (known := scope.same.get(e)):
        return Text(known)
    match e:
        case ir.Const():
            return const(e)
        case ir.Local(index=index):
            if index in scope.pointers:
                return Text(f"(u32)({scope.locals[index]} - m)", SIGN)
            return Text(scope.locals[index])
        case ir.Load(kind=kind, addr=addr):
            if kind in ("str", "wstr"):
                return Text(f"str_load({address(addr, scope).text})")
            name = scope.held.get(Held(addr.base, addr.offset, kind)) if not addr.terms else None
            return Text(name) if name else access(kind, addr, scope)
        case ir.LoadBit(addr=addr, bit=bit):
            for one, name in scope.held.items():
                n = (addr.offset - one.offset) * 8 + bit
                if addr.terms or one.base != addr.base or one.kind not in ir.INT_RANGE:
                    continue
                if 0 <= n < ir.SIZE[one.kind] * 8:
                    return Text(f"{name} >> {n} & 1" if n else f"{name} & 1", BIT)
            byte = access("u8", addr, scope).text
            return Text(f"{byte} >> {bit} & 1" if bit else f"{byte} & 1", BIT)
        case ir.AddrOf(addr=addr):
            return image_offset(addr, scope)
        case ir.Unary():
            return _unary(e, scope)
        case ir.Binary():
            return _binary(e, scope)
        case ir.Compare():
            return _compare(e, scope)
        case ir.Shortcut(op=op, a=a, b=b):
            sign, prec = ("&&", LAND) if op == "and" else ("||", LOR)
            other = _where(a, op == "and", b, scope)
            return Text(f"{value(a, scope).at(BIT)} {sign} {other.at(BIT)}", prec)
        case ir.Select(test=test, a=a, b=b):
            texts = [value(test, scope)]
            texts += [_where(test, True, a, scope), _where(test, False, b, scope)]
            return Text(f"{texts[0].at(BIT)} ? {texts[1].at(LOR)} : {texts[2].at(COND)}", COND)
        case ir.Convert():
            return _convert(e, scope)
        case ir.Bits(kind=kind, x=x):
            t = value(x, scope)
            if x.kind in _REAL:
                return Text(f"stored_{x.kind}({t.text})")
            return Text(f"{kind}_of_bits({t.text})")
        case ir.Check(x=x, low=low, high=high, code=code, pos=pos):
            t = value(x, scope)
            k = "u8" if x.kind == "b1" else x.kind
            least, most = ir.INT_RANGE[k]
            low, high = max(low, least), min(high, most)
            if low > high:  # no value of the kind passes
                low, high = 1, 0
            if scope.ranges:
                inner = bounds(x, scope.ranges)
                if low <= inner[0] and inner[1] <= high:
                    return t
            limits = f"{integer(low, k).text}, {integer(high, k).text}"
            if scope.fail:
                return Text(f"CHECK({scope.fail}, {CTYPE[k]}, {t.text}, {limits}, {code}, {pos}u)")
            return Text(f"check_{k}(m, {t.text}, {limits}, {code}, {pos}u)")
        case ir.NotNull(x=x, pos=pos):
            if scope.fail:
                return Text(f"NOT_NULL({scope.fail}, {value(x, scope).text}, {pos}u)")
            return Text(f"not_null(m, {value(x, scope).text}, {pos}u)")
        case ir.Intrinsic():
            return _intrinsic(e, scope)
    raise EngineError(f"the native engine does not know {type(e).__name__}")


def _where(test: ir.Expr, holds: bool, e: ir.Expr, scope: Scope) -> Text:
    """The text of what is evaluated only where a condition holds, or does not."""
    known = scope.ranges
    scope.ranges = dict(known)
    learn(test, holds, scope.ranges, scope.held)
    t = value(e, scope)
    scope.ranges = known
    return t


def const(e: ir.Const) -> Text:
    v = e.value
    if isinstance(v, bytes):
        unit = 1 if e.kind == "str" else 2
        return Text(f"str_const({strings.literal(v)}, {len(v) // unit})")
    if e.kind in _REAL:
        suffix = "f" if e.kind == "f32" else ""
        x = float(v)
        if math.isnan(x):
            return Text(f'__builtin_nan{suffix}("")')
        if math.isinf(x):
            return Text(f"{'-' if x < 0 else ''}__builtin_inf{suffix}()", ATOM if x > 0 else SIGN)
        text = repr(x) if float(repr(x)) == x and abs(x) < 1e15 else x.hex()
        if e.kind == "f32" and not text.startswith(("0x", "-0x")) and "e" in text:
            text = x.hex()
        return Text(text + suffix, SIGN if text.startswith("-") else ATOM)
    return integer(int(v), e.kind)


# --- addresses -------------------------------------------------------------------------------

_BASE = {"static": "m", "self": "s", "frame": "f"}


def ordered(exprs: list[ir.Expr], scope: Scope) -> tuple[list[Text], str]:
    """The operands, and declarations that make their faults happen from left to right ("" where
    at most one may fault: C says nothing about the order)."""
    faulting = [i for i, e in enumerate(exprs) if may_fault(e)]
    if len(faulting) < 2:
        return [value(e, scope) for e in exprs], ""
    texts, declared = [], ""
    for i, e in enumerate(exprs):
        t = value(e, scope)
        if i in faulting:
            name = scope.fresh()
            declared += f"{CTYPE[e.kind]} {name} = {t.text}; "
            t = Text(name)
        texts.append(t)
    return texts, declared


def in_order(declared: str, text: str, prec: int) -> Text:
    """An expression behind the declarations of `ordered`."""
    return Text(f"({{ {declared}{text}; }})") if declared else Text(text, prec)


def _parts(addr: ir.Addr, scope: Scope) -> tuple[str | None, list[str], int, str]:
    """Pointer part, index parts, constant part and declarations of an address."""
    exprs = list(addr_children(addr))
    base = scope.pointer(addr.pointer) or _BASE.get(addr.base)
    if base and addr.base == "ptr":
        exprs = exprs[1:]
    texts, declared = ordered(exprs, scope)
    constant = addr.offset
    parts: list[str] = []
    if base is None:
        parts.append(texts.pop(0).at(SUM))
    for t, (e, scale) in zip(texts, addr.terms, strict=True):
        known = int_const(e)
        if known is not None:
            constant += known * scale
        elif e.kind in ("i64", "u64"):
            parts.append(f"(i32){t.at(SIGN)} * {scale}" if scale != 1 else f"(i32){t.at(SIGN)}")
        else:
            parts.append(f"{t.at(PRODUCT)} * {scale}" if scale != 1 else t.at(SUM))
    return base, parts, constant, declared


def place(addr: ir.Addr, scope: Scope) -> Place | None:
    """What the address of an element depends on; None where a scalar that is not held does."""
    pointer = scope.pointer(addr.pointer)
    if addr.base == "ptr" and pointer is None:
        return None
    terms = tuple((_plain(e), scale) for e, scale in addr.terms)
    for e, _ in terms:
        for x in walk_expr(e):
            match x:
                case ir.Load(kind=kind, addr=a):
                    if a.terms or Held(a.base, a.offset, kind) not in scope.held:
                        return None
                case ir.Const() | ir.Local() | ir.Check() | ir.Convert() | ir.Binary():
                    pass
                case _:
                    return None
    return addr.base, pointer or "", terms


def _plain(e: ir.Expr) -> ir.Expr:
    """The same without positions."""
    match e:
        case ir.Check(x=x):
            return replace(e, x=_plain(x), pos=0)
        case ir.Convert(x=x):
            return replace(e, x=_plain(x))
        case ir.Binary(a=a, b=b):
            return replace(e, a=_plain(a), b=_plain(b), pos=0)
    return e


def address(addr: ir.Addr, scope: Scope) -> Text:
    """A pointer into the image."""
    known = place(addr, scope) if scope.places and addr.terms else None
    if known and (near := scope.places.get(known)):
        d = addr.offset - near[1]
        if not d:
            return Text(near[0])
        return Text(f"{near[0]} {'+' if d > 0 else '-'} {abs(d)}", SUM)
    base, parts, constant, declared = _parts(addr, scope)
    terms = [base or "m", *parts]
    text = " + ".join(terms)
    if constant:
        text += f" + {constant}" if constant > 0 else f" - {-constant}"
    return in_order(declared, text, ATOM if text.isidentifier() else SUM)


def image_offset(addr: ir.Addr, scope: Scope) -> Text:
    """An address as a number that counts from the start of the image."""
    base, parts, constant, declared = _parts(addr, scope)
    if base not in (None, "m"):
        parts.insert(0, f"(u32)({base} - m)")
    terms = list(parts)
    if constant or not terms:
        terms.append(f"{constant}u")
    text = " + ".join(terms).replace("+ -", "- ")
    return in_order(declared, f"(u32)({text})", SIGN)


def access(kind: str, addr: ir.Addr, scope: Scope) -> Text:
    """A scalar in the image, to be read or written."""
    macro = "U8" if kind == "b1" else kind.upper()
    return Text(f"{macro}({address(addr, scope).text})")


# --- operators -------------------------------------------------------------------------------


def _unary(e: ir.Unary, scope: Scope) -> Text:
    t = value(e.x, scope)
    if e.op == "not":
        if e.kind == "b1":
            return Text(f"!{t.at(SIGN)}", SIGN)
        return _cast(e.kind, Text(f"~{t.at(SIGN)}", SIGN))
    if e.kind in _REAL:
        return Text(f"neg_{e.kind}({t.text})")
    return _cast(e.kind, Text(f"-{t.at(ATOM)}", SIGN))


def _cast(kind: str, t: Text) -> Text:
    """`t`, which C has computed as an int, in its own width."""
    return Text(f"({kind}){t.at(SIGN)}", SIGN) if kind in NARROW else t


def _binary(e: ir.Binary, scope: Scope) -> Text:
    op, kind = e.op, e.kind
    if kind == "b1" and op == "and":
        # In one instruction, where C would have a test and a branch; BOOLs are 0 or 1.
        turned, other = (e.a, e.b) if _is_not(e.a) else (e.b, e.a)
        if _is_not(turned) and not _is_not(other):
            assert isinstance(turned, ir.Unary)
            text = f"{value(other, scope).at(SHIFT)} & ~{value(turned.x, scope).at(SIGN)}"
            if not may_fault(turned) or not may_fault(other):
                return Text(text, BIT)
    (a, b), declared = ordered([e.a, e.b], scope)
    t = _operation(e, a, b, scope)
    return in_order(declared, t.text, t.prec)


def _is_not(e: ir.Expr) -> bool:
    """NOT of a BOOL that is read from somewhere."""
    return (
        isinstance(e, ir.Unary)
        and e.op == "not"
        and isinstance(e.x, ir.Load | ir.LoadBit | ir.Local)
        and e.x.kind == "b1"
    )


def _operation(e: ir.Binary, a: Text, b: Text, scope: Scope) -> Text:
    op, kind, fail = e.op, e.kind, scope.fail
    if kind in _REAL and op == "div":
        return Text(f"quotient_{kind}({a.text}, {b.text})")
    if kind in _REAL or op in ("add", "sub", "mul"):
        sign, prec = _ARITHMETIC[op]
        t = Text(f"{a.at(prec)} {sign} {b.at(prec + 1)}", prec)
        if kind in NARROW and scope.ranges and within(e, scope.ranges):
            return t
        return t if kind in _REAL else _cast(kind, t)
    if op in ("div", "mod"):
        divisor = int_const(e.b)
        if divisor is not None and divisor not in (0, -1):
            return _by_constant(op, kind, a, b, divisor)
        if fail:
            what = "QUOTIENT" if op == "div" else "REST"
            wide = kind if ir.SIZE[kind] > 2 else "i32" if kind in UNSIGNED else "u32"
            return Text(f"DIVIDED({fail}, {what}, {kind}, {wide}, {a.text}, {b.text}, {e.pos}u)")
        return Text(f"{op}_{kind}(m, {a.text}, {b.text}, {e.pos}u)")
    if op in _BITWISE:
        t = Text(f"{a.at(SHIFT)} {_BITWISE[op]} {b.at(SHIFT)}", BIT)
        return _cast(kind, t) if kind in ("i8", "i16") else t
    return _shift(e, a, b, fail)


def _by_constant(op: str, kind: str, a: Text, b: Text, divisor: int) -> Text:
    power = divisor > 0 and divisor & (divisor - 1) == 0
    if power:
        sign = "/" if op == "div" else "%"
        return _cast(kind, Text(f"{a.at(PRODUCT)} {sign} {b.at(SIGN)}", PRODUCT))
    if kind in ("i64", "u64"):
        factors = _factors(divisor)
        if factors is None:
            what = "QUOTIENT" if op == "div" else "REST"
            return Text(f"{what}_{kind}({a.text}, {b.text})")
        quotient = f"{'s' if kind == 'i64' else ''}div_by"
        shift, one, other = factors
        if op == "div":
            return Text(f"{quotient}({a.text}, {shift}, {one}, {other})")
        divided = f"{quotient}(v_, {shift}, {one}, {other})"
        return Text(f"({{ {kind} v_ = {a.text}; v_ - {divided} * {b.text}; }})")
    wide = "i32" if kind in UNSIGNED else "u32"
    what = "QUOTIENT" if op == "div" else "REST"
    return Text(f"({kind}){what}_{wide}({a.text}, {b.text})", SIGN)


def _factors(n: int) -> tuple[int, int, int] | None:
    """(shift, a, b) with n = 2^shift * a * b and a, b below 2^16; None where there are none."""
    if n <= 0:
        return None
    shift = (n & -n).bit_length() - 1
    n >>= shift
    if n < 1 << 16:
        return shift, n, 1
    for a in range(65535, 2, -2):
        if n % a == 0:
            return (shift, a, n // a) if n // a < 1 << 16 else None
    return None


def _shift(e: ir.Binary, a: Text, b: Text, fail: int) -> Text:
    op, kind = e.op, e.kind
    u = UNSIGNED.get(kind, kind)
    n = int_const(e.b)
    x = f"({u}){a.at(SIGN)}" if u != kind else a.at(SHIFT)
    if n is not None and 0 <= n < ir.SIZE[kind] * 8 and op in ("shl", "shr"):
        t = Text(f"{x} {'<<' if op == 'shl' else '>>'} {n}", SHIFT)
        return Text(f"({kind}){t.at(SIGN)}", SIGN) if u != kind or kind in NARROW else t
    counted = b.text
    if ir.INT_RANGE[e.b.kind][0] < 0 and (n is None or n < 0):
        counted = f"count(m, {b.text}, {e.pos}u)"
        if fail:
            counted = f"COUNT({fail}, {b.text}, {e.pos}u)"
    t = Text(f"{op}_{u}({x}, {counted})")
    return Text(f"({kind}){t.text}", SIGN) if u != kind else t


def _compare(e: ir.Compare, scope: Scope) -> Text:
    (a, b), declared = ordered([e.a, e.b], scope)
    sign = _COMPARE[e.op]
    if e.a.kind in ("str", "wstr"):
        unit = 1 if e.a.kind == "str" else 2
        if e.op in ("eq", "ne"):
            t = Text(f"{'' if e.op == 'eq' else '!'}str_same({a.text}, {b.text}, {unit})", SIGN)
        else:
            t = Text(f"str_order({a.text}, {b.text}, {unit}) {sign} 0", COMPARE)
    elif e.a.kind in _REAL:
        t = Text(f"{e.op}_{e.a.kind}({a.text}, {b.text})")
    else:
        t = Text(f"{a.at(SHIFT)} {sign} {b.at(SHIFT)}", COMPARE)
    return in_order(declared, t.text, t.prec)


def _convert(e: ir.Convert, scope: Scope) -> Text:
    kind, source = e.kind, e.x.kind
    t = value(e.x, scope)
    if kind == source:
        return t
    if kind == "b1":
        if source in _REAL:
            return Text(f"any_{source}({t.text})")
        return Text(f"{t.at(SHIFT)} != 0", COMPARE)
    if source in _REAL and kind in ir.INT_RANGE:
        return Text(f"{source}_to_{kind}({t.text}, {int(e.truncate)})")
    return Text(f"({CTYPE[kind]}){t.at(SIGN)}", SIGN)


# --- intrinsics ------------------------------------------------------------------------------


def _intrinsic(e: ir.Intrinsic, scope: Scope) -> Text:
    name, kind = e.name, e.kind
    if name == "now":
        return Text("NOW(m)")
    if name in ("abs", "sqrt", "floor", "ceil", "min", "max", "bcd_to", "to_bcd", "swap"):
        texts, declared = ordered(list(e.args), scope)
        t = _number(name, kind, texts)
        return in_order(declared, t.text, t.prec)
    return strings.intrinsic(e, scope, value, ordered, in_order)


def _number(name: str, kind: str, args: list[Text]) -> Text:
    if kind in _REAL:
        return Text(f"{name}_{kind}({', '.join(t.text for t in args)})")
    if name in ("bcd_to", "to_bcd", "swap"):
        u = UNSIGNED.get(kind, kind)
        t = Text(f"{name}_{u}({args[0].text})")
        return Text(f"({kind}){t.text}", SIGN) if u != kind else t
    if name == "abs":
        if kind not in UNSIGNED:
            return args[0]
        return Text(f"({{ {kind} v_ = {args[0].text}; ({kind})(v_ < 0 ? -v_ : v_); }})")
    sign = "<" if name == "min" else ">"
    k = CTYPE[kind]
    return Text(
        f"({{ {k} v_ = {args[0].text}, w_ = {args[1].text}; ({k})(v_ {sign} w_ ? v_ : w_); }})"
    )
