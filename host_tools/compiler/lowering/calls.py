"""Lowers calls: user functions, function block instances, library and standard functions."""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler import constant_values, foreign, ir, tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lowering import (
    actions,
    control,
    expressions,
    members,
    methods,
    open_arrays,
    places,
    pointers,
    storage,
    variables,
)
from host_tools.compiler.lowering.body import Body
from host_tools.compiler.source import Span
from host_tools.compiler.symbols import Place, Value
from host_tools.compiler.tree import declared, fold
from host_tools.compiler.types import (
    BOOL,
    LINT,
    ArrayType,
    FbType,
    Field,
    InterfaceType,
    OpenArrayType,
    RefType,
    StringType,
    Type,
    Unknown,
    base_of,
    derives,
    is_aggregate,
    is_duration,
    is_integer,
    kind_of,
    same,
)
from host_tools.record import record, replace


@record(frozen=True)
class Parameter:
    """One parameter of a FUNCTION. section: VAR_INPUT, VAR_OUTPUT, VAR_IN_OUT."""

    name: str
    type: Type
    section: str
    init: tree.Expr | None
    span: Span
    constant: bool = False


def parameters(body: Body, pou: tree.Pou) -> list[Parameter]:
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


def call(
    body: Body, node: tree.Call, expected: Type | None = None, wants_value: bool = False
) -> Value | None:
    """Lower a call; None where it has no value or was reported. `wants_value`: to have none is a
    mistake."""
    from host_tools.compiler.lowering import standard, testing

    callee = node.callee
    if isinstance(callee, tree.Member):
        callee = places.qualified(body, callee)
        if callee is not node.callee:
            node = replace(node, callee=callee)
    if isinstance(callee, tree.Name):
        action = actions.find_action(body.pou, callee.name)
        if action is not None:
            if wants_value:
                no_value(body, node, "an action gives nothing back;")
            elif actions.without_arguments(body, node, action):
                actions.call_own(body, action, node.span)
            return None
        symbol = body.lookup(callee.name, callee.span)
        if symbol is None or symbol.section == "RESULT":
            if methods.own_member(body, fold(callee.name)) is not None:
                return methods.call_own(body, node, callee.name, wants_value)
            plain = not wants_value and not node.arguments
            if plain and actions.call_around(body, callee.name, node.span):
                return None
            if fold(callee.name) in methods.BUILTINS and not body.constants_only:
                return methods.builtin(body, node, fold(callee.name))
            if methods.self_word(callee):
                where = methods.self_place(body, fold(callee.name), callee.span)
                _instance(body, node, where, wants_value)
                return None
            full = body.declarations.naming.full(callee.name, callee.span)
            own = full in body.declarations.pous
            if not own or callee.span.source.library:
                if control.has_control(node) and standard.is_standard(callee.name):
                    return control.controlled(
                        body,
                        node,
                        (),
                        expected,
                        lambda n: standard.call(body, n, callee.name, expected),
                    )
                made = standard.call(body, node, callee.name, expected)
                if made is not None:
                    return made
            pou = body.declarations.find_pou(callee.name, callee.span)
            if pou is not None and pou.kind == "FUNCTION":
                if wants_value and pou.result is None and not body.constants_only:
                    no_value(body, node, "give the FUNCTION a result type, or")
                    return None
                if control.has_control(node):
                    known = [fold(p.name) for p in parameters(body, pou)]
                    return control.controlled(
                        body, node, known, expected, lambda n: _function(body, n, pou)
                    )
                return _function(body, node, pou)
            if pou is not None:
                _not_callable(body, callee, pou)
                return None
            if testing.is_for_tests(body, node, callee):
                return None
            if fold(callee.name) in body.unknown:
                return None
            body.unknown.add(fold(callee.name))
            known = body.declarations.pou_names() + standard.names() + body.names()
            body.reporter.report(
                "E0207",
                f"there is no function '{callee.name}'",
                callee.span,
                label="not found",
                help=foreign.function_advice(callee.name)
                or did_you_mean(callee.name, known)
                or "declare the function, or an instance of a function block, of this name",
            )
            return None
    if isinstance(callee, tree.Member) and not callee.name[:1].isdigit():
        base = members.member_base(body, callee, False)
        if base is None:
            return None
        found = actions.of_place(storage.opened(body, base), callee.name)
        if found is not None:
            if wants_value:
                no_value(body, node, "an action gives nothing back;")
            elif actions.without_arguments(body, node, found[1]):
                actions.call_of(body, *found, node.span)
            return None
        is_method, made = methods.call_member(body, node, base, wants_value)
        if is_method:
            return made
        where = members.member_of(body, base, callee, False)
        if where is not None and where.prop is not None:
            where = places.place(body, callee)
    else:
        where = places.place(body, callee)
    _instance(body, node, where, wants_value)
    return None


def _instance(body: Body, node: tree.Call, where: Place | None, wants_value: bool) -> None:
    """Call an instance of a function block."""
    callee = node.callee
    if where is None:
        return
    where = storage.opened(body, where)
    if isinstance(where.type, FbType) and where.type.pou.is_class:
        _no_body(body, node, where.type)
        return
    if isinstance(where.type, InterfaceType):
        _no_body(body, node, where.type)
        return
    if not isinstance(where.type, FbType):
        if not isinstance(where.type, Unknown):
            many = isinstance(where.type, ArrayType) and isinstance(where.type.element, FbType)
            body.reporter.report(
                "E0244",
                f"{where.type} cannot be called",
                callee.span,
                help=f"call one of its elements: {callee.span.text}[…](…)"
                if many
                else f"an element of an array is written {callee.span.text}[…]"
                if isinstance(where.type, ArrayType)
                else "only functions and function block instances can",
            )
        return
    if wants_value:
        no_value(body, node, "read the outputs of the block, and")
        return
    instance, block = storage.frozen(body, where), where.type
    if control.has_control(node):
        known = list(block.fields)
        control.controlled(body, node, known, None, lambda n: _block(body, n, instance, block))
    else:
        _block(body, node, instance, block)


def _no_body(body: Body, node: tree.Call, t: FbType | InterfaceType) -> None:
    names = methods.names_of_members(t)
    body.reporter.report(
        "E0244",
        f"{t} has no statements that a call could run",
        node.callee.span,
        help=f"call a method of it: {node.callee.span.text}.{names[0] if names else '…'}(…)",
    )


def no_value(body: Body, node: tree.Call, help_: str) -> None:
    body.reporter.report(
        "E0244",
        "this call has no value",
        node.span,
        help=f"{help_} call it in a statement of its own",
    )


def _not_callable(body: Body, callee: tree.Name, pou: tree.Pou) -> None:
    if pou.kind == "FUNCTION_BLOCK":
        help_ = f"declare an instance: my_{callee.name.lower()} : {pou.name.name}; and call that"
    else:
        help_ = "programs are started by tasks: PROGRAM name WITH task : Type;"
    body.reporter.report(
        "E0206",
        f"'{callee.name}' is a {pou.kind} and cannot be called by its name",
        callee.span,
        help=help_,
    )


# --- functions -------------------------------------------------------------------------------


def _function(body: Body, node: tree.Call, pou: tree.Pou) -> Value | None:
    if body.constants_only:
        body.reporter.report(
            "E0210",
            f"a call of {pou.name.name} is not constant",
            node.span,
            help="call it in the body, or write its value as a literal",
        )
        return None
    name = body.function(pou, node.span)
    return invoke(
        body, node, pou, lambda args, result: body.emit(ir.Call(name, args, None, result))
    )


def invoke(
    body: Body,
    node: tree.Call,
    pou: tree.Pou,
    emit: Callable[[tuple[ir.Expr, ...], int | None], None],
) -> Value | None:
    """Evaluate the arguments of a function or method, let `emit` make the call, deliver its
    outputs."""
    params = parameters(body, pou)
    given = match_arguments(body, node, params, pou.name.name)
    if given is None:
        return None
    steps = []
    outputs: list[tuple[Place, ir.Addr, Type, bool]] = []
    after: list[tuple[Place, ir.Addr]] = []
    for p in params:
        steps.append(lambda p=p: _argument(body, p, given.get(fold(p.name)), node, outputs, after))
    values = body.in_order(steps)  # type: ignore[arg-type]
    if any(isinstance(v.type, Unknown) for v in values):
        return None
    args = [v.expr for v in values]
    result_type = body.declarations.resolve(pou.result) if pou.result is not None else None
    result_slot: ir.Addr | None = None
    if result_type is not None and is_aggregate(result_type):
        result_slot = body.frame_slot(result_type)
        args.append(ir.AddrOf("u32", result_slot))
    result = None
    if result_type is not None and result_slot is None and not isinstance(result_type, Unknown):
        result = body.new_local("", kind_of(result_type))
    emit(tuple(args), result)
    _copy_back(body, after)
    any_integer = pou.name.span.source.library and fold(pou.name.name).startswith("SPLIT_")
    for target, slot, t, negated in outputs:
        value = storage.load(body, Place(t, target.span, slot))
        wanted = base_of(target.type)
        if any_integer and is_integer(wanted):
            value = expressions.retype(value, wanted)  # the outputs are ANY_INT, Table 36
        _deliver(body, target, value, negated)
    if result_type is None:
        return None
    if result_slot is not None:
        return Value(result_type, ir.AddrOf("u32", result_slot), node.span, addr=result_slot)
    if result is None:
        return None
    return Value(result_type, ir.Local(kind_of(result_type), result), node.span)


def _argument(
    body: Body,
    p: Parameter,
    given: tree.Argument | None,
    node: tree.Call,
    outputs: list[tuple[Place, ir.Addr, Type, bool]],
    after: list[tuple[Place, ir.Addr]],
) -> Value:
    span = given.span if given is not None else node.span
    if isinstance(p.type, OpenArrayType):
        array = given.value if given is not None else None
        write = p.section != "VAR_INPUT" and not p.constant
        return open_arrays.argument(body, array, p.type, p.name, p.span, span, write=write)
    if p.section == "VAR_OUTPUT":
        slot = body.frame_slot(p.type)
        if given is not None and given.value is not None:
            target = places.place(body, given.value, write=True, properties=True)
            if target is not None:
                outputs.append((storage.frozen(body, target), slot, p.type, given.negated))
        return Value(p.type, ir.AddrOf("u32", slot), span)
    if p.section == "VAR_IN_OUT":
        if given is None or given.value is None:
            _no_variable(body, node, p.name, p.type, p.span)
            return expressions.unknown(span)
        return _reference_to(body, given.value, p, after)
    if given is None or given.value is None:
        return _default(body, p, span)
    if isinstance(p.type, RefType) and pointers.is_reference(p.type):
        return pointers.argument(body, given.value, p.type, p.name, p.span)
    value = expressions.expression(body, given.value, p.type)
    if p.type is LINT and p.span.source.library and is_integer(base_of(value.type)):
        value = expressions.retype(value, LINT)  # what CONCAT_DATE and the like take is ANY_INT
    value = expressions.convert(body, value, p.type, f"parameter '{p.name}'")
    if isinstance(p.type, StringType) and not isinstance(value.type, Unknown):
        value.expr = as_argument(p.type, value)
    return value


def as_argument(t: Type, value: Value) -> ir.Expr:
    """The expression that passes a value by value: text is cut to its length, an aggregate goes
    by its address."""
    if isinstance(t, StringType):
        return ir.Intrinsic(t.kind, "cut", (value.expr, ir.Const("i32", t.length)))
    if value.addr is not None:
        return ir.AddrOf("u32", value.addr)
    return value.expr


def _no_variable(body: Body, node: tree.Call, name: str, t: Type, declared_at: Span) -> None:
    body.reporter.report(
        "E0246",
        f"the VAR_IN_OUT parameter '{name}' needs a variable",
        node.span,
        others=[Label(declared_at, "declared here")],
        help=f"write {name} := <a variable of type {t}>",
    )


def _default(body: Body, p: Parameter, span: Span) -> Value:
    if is_aggregate(p.type) and p.init is not None and not isinstance(p.type, FbType):
        slot = body.frame_slot(p.type)
        body.initialise(slot, p.type, p.init)
        return Value(p.type, ir.AddrOf("u32", slot), span, addr=slot)
    if is_aggregate(p.type):
        body.reporter.report(
            "E0245",
            f"parameter '{p.name}' is missing",
            span,
            others=[Label(p.span, "declared here")],
            help=f"write {p.name} := <a variable of type {p.type}>",
        )
        return expressions.unknown(span)
    if p.init is not None:
        value = body.declarations.constants.value(p.init, p.type, "a default value")
        return value if value is not None else expressions.unknown(span)
    return expressions.constant_value(p.type, constant_values.default_value(p.type), span)


def _reference_to(
    body: Body, node: tree.Expr, p: Parameter, after: list[tuple[Place, ir.Addr]]
) -> Value:
    """The address of the variable given for a VAR_IN_OUT parameter. What has no address of its own
    (a bit of a word) is copied to the frame, and back in `after`; so are the values that a
    VAR_IN_OUT CONSTANT takes as well."""
    wanted, name = p.type, p.name
    if p.constant and not places.is_variable(body, node):
        value = expressions.convert(body, expressions.expression(body, node, wanted), wanted)
        if isinstance(value.type, Unknown):
            return value
        slot = body.frame_slot(wanted)
        body.initialise(slot, wanted)
        storage.store(body, Place(wanted, node.span, slot), value)
        return Value(wanted, ir.AddrOf("u32", slot), node.span)
    where = places.place(body, node, write=not p.constant)
    if where is None:
        return expressions.unknown(node.span)
    where = storage.opened(body, where)
    strings = isinstance(where.type, StringType) and isinstance(wanted, StringType)
    if isinstance(wanted, InterfaceType) and isinstance(where.type, FbType):
        return _as_interface(body, where, wanted, node)
    is_instance = isinstance(where.type, FbType) and isinstance(wanted, FbType)
    fits = (
        (is_instance and derives(where.type, wanted))
        or same(where.type, wanted)
        or (
            strings and where.type.wide == wanted.wide  # type: ignore[union-attr]
        )
    )
    if not fits:
        body.reporter.report(
            "E0247",
            f"VAR_IN_OUT '{name}' is {wanted}, this variable is {where.type}",
            node.span,
            others=[Label(p.span, "declared here")],
            help="both must have the same type, since the block works on the variable itself",
        )
        return expressions.unknown(node.span)
    if where.overlaid and not storage.has_address(body, where, node.span):
        return expressions.unknown(node.span)
    if where.bit is not None or where.unaligned:
        where = storage.frozen(body, where)
        slot = body.frame_slot(where.type)
        body.emit(ir.Store(slot, storage.load(body, where).expr))
        after.append((where, slot))
        return Value(wanted, ir.AddrOf("u32", slot), node.span)
    return Value(wanted, ir.AddrOf("u32", storage.address(where)), node.span)


def _as_interface(body: Body, where: Place, wanted: InterfaceType, node: tree.Expr) -> Value:
    """An instance for a VAR_IN_OUT that is an interface: a variable of that type refers to it."""
    instance = expressions.convert(body, storage.load(body, where), wanted)
    if isinstance(instance.type, Unknown):
        return instance
    slot = body.frame_slot(wanted)
    body.emit(ir.Store(slot, instance.expr))
    return Value(wanted, ir.AddrOf("u32", slot), node.span)


def match_arguments(
    body: Body, node: tree.Call, params: list[Parameter], name: str
) -> dict[str, tree.Argument] | None:
    """Which argument goes to which parameter, by folded name; None after an error."""
    given: dict[str, tree.Argument] = {}
    by_name = {fold(p.name): p for p in params}
    ok = True
    position_ = 0
    for a in node.arguments:
        if a.name is None:
            if _meant_assignment(body, a, list(by_name)):
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
            _no_parameter(body, a.name, name, [x.name for x in params])
            ok = False
            continue
        if a.name is not None and a.output != (p.section == "VAR_OUTPUT"):
            _wrong_arrow(body, a, p.name, p.section)
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


def _meant_assignment(body: Body, a: tree.Argument, names: list[str]) -> bool:
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


def _no_parameter(body: Body, ident: tree.Identifier, callee: str, known: list[str]) -> None:
    near = did_you_mean(ident.name, known)
    if not near and not body.reporter.is_first("E0252", callee, fold(ident.name)):
        return
    body.reporter.report(
        "E0252",
        f"{callee} has no parameter '{ident.name}'",
        ident.span,
        help=near or (f"it has {', '.join(known)}" if known else "it has no parameters at all"),
    )


def _wrong_arrow(body: Body, a: tree.Argument, name: str, section: str) -> None:
    help_ = f"write {name} := …" if a.output else f"write {name} => …"
    body.reporter.report("E0253", f"'{name}' is {section}", a.span, help=help_)


# --- function blocks -------------------------------------------------------------------------


def _block(body: Body, node: tree.Call, where: Place, t: FbType) -> Value | None:
    """Inputs are stored into the instance in the order written, the body runs, outputs are copied
    out. Inputs that are not given keep their value. A block has no value."""
    if where.symbol is not None and where.symbol.task:
        body.reporter.report(
            "E0357",
            f"'{where.symbol.name}' is run by task '{where.symbol.task}'",
            node.span,
            others=[Label(where.symbol.span, "declared here")],
            help="assign to its inputs and read its outputs instead of calling it",
        )
        return None
    after: list[tuple[Place, ir.Addr]] = []
    instance = storage.address(where)
    inputs = [f for f in t.fields.values() if f.section in ("VAR_INPUT", "VAR_IN_OUT")]
    outputs: list[tuple[tree.Argument, Field]] = []
    seen: dict[str, tree.Argument] = {}
    position_ = 0
    for a in node.arguments:
        if a.name is None:
            if _meant_assignment(body, a, list(t.fields)):
                return None
            if position_ >= len(inputs):
                body.reporter.report(
                    "E0245",
                    f"{t} has {len(inputs)} input{'s' * (len(inputs) != 1)}",
                    a.span,
                    label="one too many",
                    help="name the parameters: inputs with :=, outputs with =>",
                )
                return None
            field: Field | None = inputs[position_]
            position_ += 1
        else:
            field = t.member(fold(a.name.name))
            if field is not None and field.section not in (
                "VAR_INPUT",
                "VAR_IN_OUT",
                "VAR_OUTPUT",
            ):
                field = None
        if field is None:
            assert a.name is not None
            known = [
                f.name
                for f in t.fields.values()
                if f.section in ("VAR_INPUT", "VAR_IN_OUT", "VAR_OUTPUT")
            ]
            _no_parameter(body, a.name, str(t), known)
            continue
        if a.name is not None and a.output != (field.section == "VAR_OUTPUT"):
            _wrong_arrow(body, a, field.name, field.section)
            continue
        key = fold(field.name)
        if key in seen:
            body.reporter.report(
                "E0249",
                f"'{field.name}' is given twice",
                a.span,
                others=[Label(seen[key].span, "first here")],
                help="remove one of them",
            )
            continue
        seen[key] = a
        if a.output:
            outputs.append((a, field))
        elif a.value is not None:
            _input(body, a.value, field, instance, after)
    for field in inputs:
        # By THIS and SUPER the variables of the call at hand are there already.
        needed = field.section == "VAR_IN_OUT" and not where.is_self
        if needed and not _is_given(seen, field.name):
            _no_variable(body, node, field.name, field.type, field.span)
    variables.note_write(body, where, node.span)
    methods.call_body(body, where, t, node, instance)
    _copy_back(body, after)
    for a, field in outputs:
        if a.value is None:
            continue
        target = places.place(body, a.value, write=True, properties=True)
        if target is None:
            continue
        source = Place(field.type, a.span, storage.shifted(instance, field.offset))
        _deliver(body, target, storage.load(body, source), a.negated)
    return None


def _is_given(given: dict[str, tree.Argument], name: str) -> bool:
    argument = given.get(fold(name))
    return argument is not None and argument.value is not None


def _copy_back(body: Body, after: list[tuple[Place, ir.Addr]]) -> None:
    """Give the variables that stood in for VAR_IN_OUT parameters their new values."""
    for target, slot in after:
        value = storage.load(body, Place(target.type, target.span, slot))
        storage.store(body, target, value)


def _input(
    body: Body,
    node: tree.Expr,
    field: Field,
    instance: ir.Addr,
    after: list[tuple[Place, ir.Addr]],
) -> None:
    slot = Place(field.type, node.span, storage.shifted(instance, field.offset))
    if isinstance(field.type, OpenArrayType):
        open_arrays.argument(
            body,
            node,
            field.type,
            field.name,
            field.span,
            node.span,
            write=not field.constant,
            into=slot.addr,
        )
        return
    if field.section == "VAR_IN_OUT":
        wanted = Parameter(field.name, field.type, field.section, None, field.span, field.constant)
        value = _reference_to(body, node, wanted, after)
        if not isinstance(value.type, Unknown):
            assert slot.addr is not None
            body.emit(ir.Store(slot.addr, value.expr))
        return
    if isinstance(field.type, RefType) and pointers.is_reference(field.type):
        value = pointers.argument(body, node, field.type, field.name, field.span)
        if not isinstance(value.type, Unknown):
            storage.store(body, slot, value)
        return
    value = expressions.expression(body, node, field.type)
    if field.name == "PT" and field.span.source.library and is_duration(base_of(value.type)):
        value = expressions.retype(value, field.type)  # TP, TON and TOF take LTIME too, Table 46
    value = expressions.convert(body, value, field.type, f"input '{field.name}'")
    if not isinstance(value.type, Unknown):
        storage.store(body, slot, value)


def _deliver(body: Body, target: Place, value: Value, negated: bool) -> None:
    """`output => target`"""
    if negated:
        value = Value(BOOL, ir.Unary("b1", "not", value.expr), value.span)
    value = expressions.convert(body, value, target.type, "output")
    if not isinstance(value.type, Unknown):
        storage.store(body, target, value)
