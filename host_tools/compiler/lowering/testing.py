"""Lowers what stands in tests only: assertions, the clock, and what is said of mocks.

A test is ordinary IR. An assertion that does not hold stores its number and the values into the
image and returns; `Harness` knows where. Nothing of this is in a program that is not built for its
tests.
"""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.lowering import expressions, mocks
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.lowering.mocks import static
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    BOOL,
    LINT,
    UDINT,
    Elementary,
    EnumType,
    FbType,
    RefType,
    StringType,
    Type,
    Unknown,
    base_of,
    common,
    conversion_name,
    is_aggregate,
    is_duration,
    is_number,
    is_real,
)
from host_tools.record import field, record

MAX_TEXT = 1024
"""Characters of a string that are kept of an assertion that does not hold."""


@record()
class Assertion:
    """One that stands in a test: `actual`, `expected`, `tolerance` are the (type, image offset) of
    its values, where it has them; `message` a text, or the offset of one."""

    name: str
    span: Span
    actual: tuple[Type, int] | None = None
    expected: tuple[Type, int] | None = None
    tolerance: tuple[Type, int] | None = None
    message: str | int = ""


@record()
class MockedFunction:
    """Offsets: whether it is mocked, how often it was called, and what it returns then."""

    flag: int
    calls: int
    value: int


@record(eq=False)
class Harness:
    """What a build for tests keeps in the image, and what its tests say. `take` gives space for a
    value. `impossible` are points of coverage that cannot be reached. `dry`: the tests are only
    checked and nothing of them reaches the program."""

    take: Callable[[Type], int]
    dry: bool = True
    in_teardown: bool = False
    selector: int = 0
    clock: int = 0
    failed: int = 0
    cover: int = 0
    values: dict[str, int] = field(default_factory=dict)
    assertions: list[Assertion] = field(default_factory=list)
    blocks: set[int] = field(default_factory=set)
    functions: dict[int, MockedFunction] = field(default_factory=dict)
    impossible: set[int] = field(default_factory=set)
    _texts: dict[tuple[str, bool, int], int] = field(default_factory=dict)

    def slot(self, which: str, t: Type) -> int:
        """Where a value of type `t` is kept: `which` is "actual", "expected" or the like."""
        if not isinstance(t, StringType):
            return self.values.get(which, 0)
        length = 16
        while length < min(t.length, MAX_TEXT):
            length *= 4
        key = (which, t.wide, length)
        if key not in self._texts:
            self._texts[key] = self.take(StringType(t.wide, length))
        return self._texts[key]

    def function(self, pou: tree.Pou, result: Type | None) -> MockedFunction:
        """What is kept of a mocked or watched function."""
        known = self.functions.get(id(pou))
        if known is None:
            value = self.take(result) if result is not None else 0
            known = MockedFunction(self.take(BOOL), self.take(UDINT), value)
            self.functions[id(pou)] = known
        return known


# --- statements ------------------------------------------------------------------------------

_COMPARED = {
    "ASSERT_EQ": ("eq", "="),
    "ASSERT_NEQ": ("ne", "<>"),
    "ASSERT_GT": ("gt", ">"),
    "ASSERT_LT": ("lt", "<"),
    "ASSERT_GE": ("ge", ">="),
    "ASSERT_LE": ("le", "<="),
}
NAMES = (
    *_COMPARED,
    "ASSERT_TRUE",
    "ASSERT_FALSE",
    "ASSERT_NEAR",
    "ADVANCE_TIME",
    "MOCK_VERIFY_CALLED",
    "MOCK_VERIFY_CALL_COUNT",
)


def call(body: Body, node: tree.Call) -> bool:
    """Lower the call of an assertion or the like; False where it is none."""
    callee = node.callee
    if not isinstance(callee, tree.Name) or fold(callee.name) not in NAMES:
        return False
    name = fold(callee.name)
    if name in body.declarations.pous or body.lookup(callee.name, callee.span) is not None:
        return False
    if name in _COMPARED:
        _assert_compared(body, node, name)
    elif name in ("ASSERT_TRUE", "ASSERT_FALSE"):
        _assert_truth(body, node, name)
    elif name == "ASSERT_NEAR":
        _assert_near(body, node)
    elif name == "ADVANCE_TIME":
        _advance_time(body, node)
    else:
        _verify(body, node, name)
    return True


def is_for_tests(body: Body, node: tree.Call, callee: tree.Name) -> bool:
    """Whether what is called here exists in tests only, and there as a statement; reports it."""
    name = fold(callee.name)
    if name not in NAMES:
        return False
    body.reporter.report(
        "E0391",
        f"{name} has no value" if body.in_test else f"{name} outside of a TEST",
        callee.span,
        help="write it as a statement of its own"
        if body.in_test
        else "tests stand beside the program: TEST 'name' … END_TEST",
    )
    return True


def statement(body: Body, node: tree.Cover | tree.Mock | tree.MockFunction) -> None:
    """Lower a statement that has a form of its own."""
    if isinstance(node, tree.Cover):
        if body.harness is not None:
            at = static(body.harness.cover + node.point)
            body.emit(ir.Store(at, ir.Const("u8", 1)))
        return
    if not body.in_test:
        word = "MOCK" if isinstance(node, tree.Mock) else "MOCK_FUNCTION"
        body.reporter.report(
            "E0391",
            f"{word} outside of a TEST",
            node.span,
            help="tests stand beside the program: TEST 'name' … END_TEST",
        )
    elif isinstance(node, tree.Mock):
        mocks.mock_instance(body, node)
    else:
        mocks.mock_function(body, node)


def complete(body: Body, node: tree.Case, t: EnumType, handled: list[tuple[int, int]]) -> None:
    """A CASE that handles all values of its enumeration has no other way that tests could take."""
    if node.orelse is None or len(node.orelse) != 1 or body.harness is None:
        return
    other = node.orelse[0]
    every = all(any(a <= v <= b for a, b in handled) for v in t.values.values())
    if isinstance(other, tree.Cover) and every:
        body.harness.impossible.add(other.point)


# --- assertions ------------------------------------------------------------------------------


def _arguments(
    body: Body, node: tree.Call, name: str, formal: tuple[str, ...]
) -> list[tree.Expr] | None:
    """The arguments by place or by name; a message may be the last."""
    from host_tools.compiler.lowering import arguments

    if len(node.arguments) == len(formal) + 1:
        formal = (*formal, "MESSAGE")
    return arguments.bind(body, node, name, formal, False)


def _assert_compared(body: Body, node: tree.Call, name: str) -> None:
    args = _arguments(body, node, name, ("ACTUAL", "EXPECTED"))
    values = _evaluate(body, args[:2]) if args is not None else None
    if args is None or values is None:
        return
    op, symbol = _COMPARED[name]
    t = _common(body, node, name, values)
    if t is None:
        return
    if op not in ("eq", "ne") and isinstance(t, RefType):
        _cannot_compare(
            body, node, f"'{symbol}' does not go with {t}", "compare what it refers to"
        )
        return
    values = _settled(body, values, t)
    if values is None:
        return
    test = ir.Compare("b1", op, values[0].expr, values[1].expr)
    _judge(body, node, name, test, values, args[2:])


def _assert_truth(body: Body, node: tree.Call, name: str) -> None:
    args = _arguments(body, node, name, ("ACTUAL",))
    if args is None:
        return
    value = expressions.expression(body, args[0], BOOL)
    value = expressions.convert(body, value, BOOL, f"what {name} tests")
    if isinstance(value.type, Unknown):
        return
    value.expr = body.temporary(value.expr)
    test = value.expr if name == "ASSERT_TRUE" else ir.Unary("b1", "not", value.expr)
    _judge(body, node, name, test, [value], args[1:])


def _assert_near(body: Body, node: tree.Call) -> None:
    name = "ASSERT_NEAR"
    args = _arguments(body, node, name, ("ACTUAL", "EXPECTED", "TOLERANCE"))
    values = _evaluate(body, args[:3]) if args is not None else None
    if args is None or values is None:
        return
    t = _common(body, node, name, values)
    if t is None:
        return
    if not (is_number(t) or is_duration(t)):
        help_ = "it compares numbers and durations; write ASSERT_EQ"
        _cannot_compare(body, node, f"{name} does not go with {t}", help_)
        return
    values = _settled(body, values, t)
    if values is None:
        return
    a, b, limit = (v.expr for v in values)
    kind = a.kind
    if is_real(base_of(values[0].type)):
        distance: ir.Expr = ir.Intrinsic(kind, "abs", (ir.Binary(kind, "sub", a, b),))
        within: ir.Expr = ir.Compare("b1", "le", distance, limit)
    else:
        # Exact as an unsigned number, however far the two are apart.
        unsigned = "u" + kind[1:]
        up = ir.Binary(kind, "sub", a, b)
        down = ir.Binary(kind, "sub", b, a)
        apart = ir.Select(kind, ir.Compare("b1", "gt", a, b), up, down)
        distance = apart if kind == unsigned else ir.Convert(unsigned, apart)
        most = limit if kind == unsigned else ir.Convert(unsigned, limit)
        positive = ir.Compare("b1", "ge", limit, ir.Const(kind, 0))
        close = ir.Compare("b1", "le", distance, most)
        within = close if kind == unsigned else ir.Binary("b1", "and", positive, close)
    same = ir.Compare("b1", "eq", a, b)  # of infinities the distance is no number
    _judge(body, node, name, ir.Binary("b1", "or", same, within), values, args[3:])


def _evaluate(body: Body, args: list[tree.Expr]) -> list[Value] | None:
    """The values in order; a literal or enumerated value takes its type from those before."""
    context: Type | None = None

    def evaluate(node: tree.Expr) -> Value:
        nonlocal context
        value = expressions.expression(body, node, context)
        if not (isinstance(value.type, Elementary) and value.type.universal):
            context = context or value.type
        return value

    values = body.in_order([lambda a=a: evaluate(a) for a in args])  # type: ignore[misc]
    return None if any(isinstance(v.type, Unknown) for v in values) else values


def _common(body: Body, node: tree.Call, name: str, values: list[Value]) -> Type | None:
    """The type in which the values are compared; None after a report."""
    t: Type | None = base_of(values[0].type)
    for v in values[1:]:
        other = base_of(v.type)
        joined = common(t, other) if t is not None else None
        if joined is None and isinstance(v.const, bytes) and _is_character(t):
            joined = t
        elif joined is None and isinstance(values[0].const, bytes) and _is_character(other):
            joined = other
        t = joined
    a, b = base_of(values[0].type), base_of(values[1].type)
    if t is None:
        to_call = conversion_name(b, a) or conversion_name(a, b)
        help_ = f"convert one of them, for example {to_call}(…)" if to_call else ""
        help_ = help_ or "both must have the same type"
        _cannot_compare(body, node, f"{name} does not go with {a} and {b}", help_)
    elif is_aggregate(t) or not isinstance(t, Elementary | EnumType | StringType | RefType):
        help_ = "compare their members or elements"
        if isinstance(t, FbType):
            help_ = "compare its outputs"
        _cannot_compare(body, node, f"{name} does not go with {t}", help_)
        t = None
    return t


def _is_character(t: Type | None) -> bool:
    return isinstance(t, Elementary) and t.group == "char"


def _cannot_compare(body: Body, node: tree.Call, message: str, help_: str) -> None:
    body.reporter.report("E0394", message, node.span, help=help_)


def _settled(body: Body, values: list[Value], t: Type) -> list[Value] | None:
    """The values in type `t`, evaluated into locals."""
    made = []
    for v in values:
        one = v if isinstance(t, RefType) else expressions.convert(body, v, t)
        one = expressions.settle(body, one)
        if isinstance(one.type, Unknown):
            return None
        made.append(one)
    if len({v.expr.kind for v in made}) > 1:  # literals of two sizes
        made = [expressions.convert(body, v, LINT) for v in values]
    for v in made:
        v.expr = body.temporary(v.expr)
    return made


def _judge(
    body: Body,
    node: tree.Call,
    name: str,
    test: ir.Expr,
    values: list[Value],
    message: list[tree.Expr],
) -> None:
    """Leave the test with number and values stored, where `test` is false."""
    h = body.harness
    assert h is not None
    made = Assertion(name, node.span)
    with body.nested() as failing:
        stores: list[ir.Stmt] = []
        for which, v in zip(("actual", "expected", "tolerance"), values, strict=False):
            at = h.slot(which, v.type)
            setattr(made, which, (v.type, at))
            stores.append(ir.Store(static(at), v.expr))
        if message:
            _message(body, message[0], made)
        body.block.extend(stores)
        h.assertions.append(made)
        body.emit(ir.Store(static(h.failed), ir.Const("u32", len(h.assertions))))
        if h.in_teardown:  # what failed before it is what is told
            first = ir.Compare("b1", "eq", ir.Load("u32", static(h.failed)), ir.Const("u32", 0))
            body.block[:] = [ir.If(first, tuple(body.block))]
        body.emit(ir.Return())
    body.emit(ir.If(ir.Unary("b1", "not", test), tuple(failing)))


def _message(body: Body, node: tree.Expr, made: Assertion) -> None:
    value = expressions.expression(body, node)
    t = base_of(value.type)
    if isinstance(t, Unknown):
        return
    if not isinstance(t, StringType):
        body.reporter.report(
            "E0394",
            f"the message of {made.name} is a text, not {t}",
            node.span,
            help="write it in quotes, or join it with CONCAT(…)",
        )
        return
    if isinstance(value.const, bytes):
        made.message = value.const.decode("utf-16-le" if t.wide else "latin-1", "replace")
        return
    assert body.harness is not None
    at = body.harness.slot("message", StringType(False, MAX_TEXT))
    text = ir.Intrinsic("str", "to_narrow", (value.expr,)) if t.wide else value.expr
    body.emit(ir.Store(static(at), text))
    made.message = at


# --- time ------------------------------------------------------------------------------------


def _advance_time(body: Body, node: tree.Call) -> None:
    from host_tools.compiler.lowering import arguments

    args = arguments.bind(body, node, "ADVANCE_TIME", ("NS",), False)
    if args is None:
        return
    value = expressions.expression(body, args[0], LINT)
    if not is_duration(base_of(value.type)):
        value = expressions.convert(body, value, LINT, "nanoseconds, or a TIME")
    if isinstance(value.type, Unknown):
        return
    h = body.harness
    assert h is not None
    if isinstance(value.const, int) and value.const < 0:
        body.reporter.report(
            "E0396",
            "time cannot go back",
            args[0].span,
            help="write how long it is until what follows, for example T#100ms",
        )
        return
    value.expr = body.temporary(value.expr)
    if value.const is None:
        forward = ir.Compare("b1", "ge", value.expr, ir.Const("i64", 0))
        _judge(body, node, "ADVANCE_TIME", forward, [value], [])
    clock = static(h.clock)
    later = ir.Binary("i64", "add", ir.Load("i64", clock), value.expr)
    body.emit(ir.Store(clock, later))


# --- calls that are counted ---------------------------------------------------------------


def _verify(body: Body, node: tree.Call, name: str) -> None:
    formal = ("WHAT",) if name == "MOCK_VERIFY_CALLED" else ("WHAT", "COUNT")
    args = _arguments(body, node, name, formal)
    if args is None:
        return
    calls = mocks.calls_of(body, args[0], name)
    if calls is None:
        return
    count = Value(UDINT, body.temporary(ir.Load("u32", calls)), args[0].span)
    if name == "MOCK_VERIFY_CALLED":
        test: ir.Expr = ir.Compare("b1", "gt", count.expr, ir.Const("u32", 0))
        _judge(body, node, name, test, [count], args[1:])
        return
    wanted = expressions.expression(body, args[1], UDINT)
    t = base_of(wanted.type)
    if isinstance(t, Elementary) and t.group in ("sint", "uint") and not t.universal:
        wanted = expressions.retype(wanted, UDINT)
    wanted = expressions.convert(body, wanted, UDINT, "a number of calls")
    if isinstance(wanted.type, Unknown):
        return
    wanted.expr = body.temporary(wanted.expr)
    test = ir.Compare("b1", "eq", count.expr, wanted.expr)
    _judge(body, node, name, test, [count, wanted], args[2:])
