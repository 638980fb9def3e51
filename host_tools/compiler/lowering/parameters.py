"""The parameters of functions and methods, and which argument of a call is for which."""

from __future__ import annotations

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import OpenArrayType, Type, is_aggregate
from host_tools.record import record


@record(frozen=True)
class Parameter:
    """One parameter of a FUNCTION. section: VAR_INPUT, VAR_OUTPUT, VAR_IN_OUT."""

    name: str
    type: Type
    section: str
    init: tree.Expr | None
    span: Span
    constant: bool = False


def parameters_of(body: Body, pou: tree.Pou) -> list[Parameter]:
    """The parameters of a FUNCTION in the order of their declaration."""
    found = []
    for block, decl, ident in declared(pou.blocks):
        if block.kind in ("VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT"):
            t = body.declarations.resolve(decl.type, parameter=True)
            init = decl.init or body.declarations.default_init(decl.type)
            constant = "CONSTANT" in block.qualifiers
            found.append(Parameter(ident.name, t, block.kind, init, ident.span, constant))
    return found


def by_reference(p: Parameter) -> bool:
    """Parameters that are passed as an image address."""
    return p.section != "VAR_INPUT" or is_aggregate(p.type) or isinstance(p.type, OpenArrayType)


def matched(
    body: Body, node: tree.Call, params: list[Parameter], name: str
) -> dict[str, tree.Argument] | None:
    """Which argument goes to which parameter, by folded name; None after an error."""
    given: dict[str, tree.Argument] = {}
    by_name = {fold(p.name): p for p in params}
    ok = True
    position_ = 0
    for a in node.arguments:
        if a.name is None:
            if meant_assignment(body, a, list(by_name)):
                return None
            if position_ >= len(params):
                body.reporter.report(
                    "E0245",
                    f"{name} takes {len(params)} parameter{'s' * (len(params) != 1)}, "
                    f"{len(node.arguments)} are given",
                    a.span,
                    label="one too many",
                    help=f"its parameters are {', '.join(p.name for p in params)}"
                    if params
                    else f"write {name}()",
                )
                return None
            key = fold(params[position_].name)
            position_ += 1
        else:
            key = fold(a.name.name)
        p = by_name.get(key)
        if p is None:
            assert a.name is not None
            no_parameter(body, a.name, name, [x.name for x in params])
            ok = False
            continue
        if a.name is not None and a.output != (p.section == "VAR_OUTPUT"):
            wrong_arrow(body, a, p.name, p.section)
            ok = False
            continue
        if key in given:
            body.reporter.report(
                "E0249",
                f"'{p.name}' is given twice",
                a.span,
                others=[Label(given[key].span, "first here")],
                help="remove one of them",
            )
            ok = False
            continue
        given[key] = a
    if position_ and ok:
        missing = [
            p
            for p in params
            if p.section == "VAR_INPUT" and fold(p.name) not in given and not p.init
        ]
        if missing:
            body.reporter.report(
                "E0245",
                f"{name} needs a value for '{missing[0].name}'",
                node.span,
                others=[Label(missing[0].span, "declared here")],
                help="give all parameters, or name the ones you give: "
                f"{name}({missing[0].name} := …)",
            )
            ok = False
    return given if ok else None


def meant_assignment(body: Body, a: tree.Argument, names: list[str]) -> bool:
    """Whether `IN = x` was written for `IN := x`; reports it."""
    test = a.value
    if not (isinstance(test, tree.Binary) and test.op == "=" and isinstance(test.left, tree.Name)):
        return False
    name = test.left.name
    if fold(name) not in names or body.lookup(name, test.left.span) is not None:
        return False
    body.reporter.report(
        "E0105",
        f"'=' compares; a value is given to the parameter '{name}' with ':='",
        test.span,
        help=f"write {name} := {test.right.span.text}",
    )
    return True


def no_parameter(body: Body, ident: tree.Identifier, callee: str, known: list[str]) -> None:
    near = did_you_mean(ident.name, known)
    if not near and not body.reporter.is_first("E0252", callee, fold(ident.name)):
        return
    body.reporter.report(
        "E0252",
        f"{callee} has no parameter '{ident.name}'",
        ident.span,
        help=near or (f"it has {', '.join(known)}" if known else "it has no parameters at all"),
    )


def wrong_arrow(body: Body, a: tree.Argument, name: str, section: str) -> None:
    help_ = f"write {name} := …" if a.output else f"write {name} => …"
    body.reporter.report("E0253", f"'{name}' is {section}", a.span, help=help_)
