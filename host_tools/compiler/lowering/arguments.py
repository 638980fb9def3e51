"""The arguments of standard functions: bound to formal names, evaluated, given a common type."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import ir, tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lowering import expressions
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Value
from host_tools.compiler.tree import fold
from host_tools.compiler.types import (
    ANY_INT,
    ANY_REAL,
    DINT,
    LREAL,
    REAL,
    Elementary,
    Type,
    Unknown,
    base_of,
    common,
    is_integer,
    is_number,
    is_real,
    kind_of,
)

Handler = Callable[[Body, tree.Call, list[tree.Expr], Type | None], Value]


def bind(
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
