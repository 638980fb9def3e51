"""What types have from each other: EXTENDS, IMPLEMENTS, members and the rules about them.

IEC 61131-3:2013, 6.6.5 to 6.6.7. OVERRIDE is accepted and checked, but not asked for, since
CODESYS sources never have it; without a specifier a method is PUBLIC, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.source import Span
from host_tools.compiler.tree import fold
from host_tools.compiler.types import FbType, InterfaceType, Method, Type, Unknown, same

if TYPE_CHECKING:
    from host_tools.compiler.declarations import Declarations

ACCESS = ("PUBLIC", "PRIVATE", "PROTECTED", "INTERNAL")
PARAMETERS = ("VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT")
_MAX_ID = 0x3FFF_FFFF
"""Type ids are small integers on a 32-bit MicroPython, so that loading one costs no memory."""


def access_of(modifiers: frozenset[str]) -> str:
    return next((a for a in ACCESS if a in modifiers), "")


def own_members(
    methods: tuple[tree.Pou, ...], properties: tuple[tree.Property, ...]
) -> list[tuple[str, tree.Pou]]:
    """Methods and accessors with the keys they have in `members`."""
    found = [(fold(m.name.name), m) for m in methods]
    for p in properties:
        if p.getter is not None:
            found.append((f"GET {fold(p.name.name)}", p.getter))
        if p.setter is not None:
            found.append((f"SET {fold(p.name.name)}", p.setter))
    return found


def described(key: str, method: Method) -> str:
    """A member for a message: `METHOD Move`, `GET of PROPERTY Speed`."""
    word = key.partition(" ")[0]
    if word in ("GET", "SET") and " " in key:
        return f"{word} of PROPERTY {method.pou.name.name}"
    return f"METHOD {method.pou.name.name}"


def new_type_id(names: Declarations, name: str) -> int:
    """A number for a type that stays the same when other parts of the program change, so that an
    instance that is kept over a change of the program keeps its meaning."""
    number = crc32(fold(name).encode()) & _MAX_ID
    while number == 0 or number in names.type_ids:
        number = number + 1 & _MAX_ID
    names.type_ids.add(number)
    return number


def is_polymorphic(names: Declarations, pou: tree.Pou) -> bool:
    return bool(
        pou.extends or pou.implements or fold(tree.short_name(pou.name.name)) in names.base_names
    )


# --- resolving -------------------------------------------------------------------------------


def interface_type(names: Declarations, decl: tree.Interface) -> InterfaceType:
    known = names.interface_types.get(id(decl))
    if known is not None:
        return known
    t = InterfaceType(decl.name.name, decl)
    names.interface_types[id(decl)] = t
    for spec in decl.extends:
        base = _interface(names, spec, "EXTENDS of an INTERFACE")
        if base is None:
            continue
        if base is t or any(one is t for one in base.bases):
            names.circle([t.name, base.name] if base is not t else [t.name], spec.span)
            continue
        for one in (base, *base.bases):
            if all(one is not other for other in t.bases):
                t.bases.append(one)
        for key, method in base.members.items():
            t.members.setdefault(key, method)
    for key, pou in own_members(decl.methods, decl.properties):
        t.members[key] = Method(pou, t)
    return t


def _interface(names: Declarations, spec: tree.NamedType, what: str) -> InterfaceType | None:
    if not spec.name:
        return None
    decl = names.find_interface(spec.name, spec.span)
    if decl is not None:
        return interface_type(names, decl)
    known = [i.name.name for i in names.interfaces.values()]
    pou = names.find_pou(spec.name, spec.span)
    names.reporter.report(
        "E0303",
        f"'{spec.name}' is a {pou.kind}, not an INTERFACE"
        if pou is not None
        else f"there is no INTERFACE '{spec.name}'",
        spec.span,
        label=f"{what} takes interfaces",
        help=f"write EXTENDS {spec.name}"
        if pou is not None and pou.kind == "FUNCTION_BLOCK"
        else did_you_mean(spec.name, known) or "declare it with INTERFACE … END_INTERFACE",
    )
    return None


def inherit(names: Declarations, t: FbType) -> None:
    """Fill in what a function block has from its bases and its interfaces; its own fields are not
    there yet."""
    pou = t.pou
    if pou.extends:
        t.base = _base(names, pou)
    if t.base is not None:
        t.fields.update(t.base.fields)
        t.size, t.align = t.base.size, t.base.align
        t.interfaces += t.base.interfaces
        t.members.update(t.base.members)
    elif is_polymorphic(names, pou):
        t.size = t.align = 4
    if is_polymorphic(names, pou):
        t.type_id = new_type_id(names, t.name)
    for spec in pou.implements:
        found = _interface(names, spec, "IMPLEMENTS")
        for one in (found, *found.bases) if found is not None else ():
            if all(one is not other for other in t.interfaces):
                t.interfaces.append(one)
    for key, member in own_members(pou.methods, pou.properties):
        t.members[key] = Method(member, t)


def _base(names: Declarations, pou: tree.Pou) -> FbType | None:
    spec = pou.extends[0]
    if len(pou.extends) > 1:
        names.reporter.report(
            "E0301",
            f"'{pou.name.name}' extends more than one type",
            pou.extends[1].span,
            help="a function block has one base; add the others as members, or use interfaces",
        )
    if not spec.name:
        return None
    base = names.find_pou(spec.name, spec.span)
    if base is None or base.kind != "FUNCTION_BLOCK":
        known = [p.name.name for p in names.pous.values() if p.kind == "FUNCTION_BLOCK"]
        is_interface = names.find_interface(spec.name, spec.span) is not None
        what = "an INTERFACE" if is_interface else f"a {base.kind}" if base is not None else ""
        names.reporter.report(
            "E0303",
            f"'{spec.name}' is {what}, not a FUNCTION_BLOCK"
            if what
            else f"there is no function block '{spec.name}'",
            spec.span,
            label="EXTENDS takes a function block or class",
            help=f"write IMPLEMENTS {spec.name}"
            if is_interface
            else did_you_mean(spec.name, known) or "declare it, or remove EXTENDS",
        )
        return None
    if "FINAL" in base.modifiers:
        names.reporter.report(
            "E0304",
            f"'{base.name.name}' is FINAL and cannot be extended",
            spec.span,
            others=[Label(base.name.span, "declared FINAL here")],
            help="declare an instance of it as a member instead",
        )
    return names.fb_type(base, spec.span)


def heirs(names: Declarations, t: FbType | InterfaceType) -> list[FbType]:
    """All function blocks an instance of which can stand where `t` is written."""
    if names.families is None:
        names.families = {}
        for pou in list(names.pous.values()):
            if pou.kind != "FUNCTION_BLOCK" or not is_polymorphic(names, pou):
                continue
            found = names.fb_type(pou)
            one: FbType | None = found
            while one is not None:
                names.families.setdefault(id(one), []).append(found)
                one = one.base
            for i in found.interfaces:
                names.families.setdefault(id(i), []).append(found)
    known = names.families.get(id(t), [])
    if isinstance(t, FbType) and all(one is not t for one in known):
        return [t, *known]
    return known


# --- rules -----------------------------------------------------------------------------------


def check_interface(names: Declarations, t: InterfaceType) -> None:
    """Its members agree with those it inherits; their types exist."""
    _check_twice(names, t.decl.methods, t.decl.properties, {})
    for base in t.bases:
        for key, method in base.members.items():
            own = t.members[key]
            if own is not method:
                where = own if own.owner is t else None
                _check_signature(names, own, method, where.pou.name.span if where else None, t)


def check_block(names: Declarations, t: FbType) -> None:
    """The rules about the members of a function block (6.6.5.6 to 6.6.5.10, 6.6.6.4)."""
    pou = t.pou
    _check_modifiers(names, pou)
    _check_twice(names, pou.methods, pou.properties, t.fields)
    for key, one in own_members(pou.methods, pou.properties):
        _check_modifiers(names, one)
        _check_override(names, t, key, one)
    for p in pou.properties:
        if p.getter is None and p.setter is None:
            names.reporter.report(
                "E0316",
                f"PROPERTY '{p.name.name}' has neither GET nor SET",
                p.name.span,
                help=f"write GET {p.name.name} := …; END_GET",
            )
    if pou.is_class:
        _check_class(names, pou)
    _check_interfaces(names, t)
    if not t.is_abstract:
        for key, method in t.members.items():
            if "ABSTRACT" in method.pou.modifiers:
                _left_abstract(names, t, key, method)


def check_other(names: Declarations, pou: tree.Pou) -> None:
    """What FUNCTION and PROGRAM cannot have."""
    for spec in (*pou.extends, *pou.implements):
        names.reporter.report(
            "E0301",
            f"a {pou.kind} cannot extend or implement anything",
            spec.span,
            help="declare it as a FUNCTION_BLOCK, and an instance of it",
        )
    for word in ("ABSTRACT", "FINAL", "OVERRIDE"):
        if word in pou.modifiers:
            names.reporter.report(
                "E0313",
                f"a {pou.kind} cannot be {word}",
                pou.name.span,
                help=f"remove {word}; it goes with function blocks and methods",
            )
    _check_twice(names, pou.methods, pou.properties, {})
    for _, one in own_members(pou.methods, pou.properties):
        _check_modifiers(names, one)
        for word in ("ABSTRACT", "OVERRIDE"):
            if word in one.modifiers:
                names.reporter.report(
                    "E0313",
                    f"a method of a PROGRAM cannot be {word}",
                    one.name.span,
                    help="nothing extends a PROGRAM",
                )


def _check_modifiers(names: Declarations, pou: tree.Pou) -> None:
    words = [a for a in ACCESS if a in pou.modifiers]
    if len(words) > 1:
        both = " and ".join(words)
    elif {"ABSTRACT", "FINAL"} <= pou.modifiers:
        both = "ABSTRACT and FINAL"
    elif {"ABSTRACT", "PRIVATE"} <= pou.modifiers:
        both = "ABSTRACT and PRIVATE"
    else:
        return
    names.reporter.report(
        "E0313",
        f"'{pou.name.name}' cannot be {both}",
        pou.name.span,
        help="remove one of them",
    )


def _check_twice(
    names: Declarations,
    methods: tuple[tree.Pou, ...],
    properties: tuple[tree.Property, ...],
    fields: object,
) -> None:
    seen: dict[str, Span] = {}
    for ident in [m.name for m in methods] + [p.name for p in properties]:
        key = fold(ident.name)
        field = fields.get(key) if isinstance(fields, dict) else None
        first = seen.get(key) or (field.span if field is not None else None)
        if first is not None:
            names.duplicate(ident, first)
        seen.setdefault(key, ident.span)


def _check_override(names: Declarations, t: FbType, key: str, one: tree.Pou) -> None:
    inherited = t.base.members.get(key) if t.base is not None else None
    what = described(key, t.members[key])
    if "ABSTRACT" in one.modifiers and one.body:
        names.reporter.report(
            "E0300",
            f"{what} is ABSTRACT and has no statements",
            one.body[0].span,
            others=[Label(one.name.span, "declared ABSTRACT here")],
            help="remove ABSTRACT, or move the statements to the function blocks that extend it",
        )
    if inherited is None:
        if "OVERRIDE" in one.modifiers and not _in_interface(t, key):
            known = [m.pou.name.name for m in t.base.members.values()] if t.base else []
            names.reporter.report(
                "E0306",
                f"there is no {what} to override",
                one.name.span,
                label="declared OVERRIDE",
                help=did_you_mean(one.name.name, known)
                or (f"{t.base} has no such member; remove OVERRIDE" if t.base else "")
                or f"'{t}' extends nothing; remove OVERRIDE",
            )
        return
    if "FINAL" in inherited.pou.modifiers:
        names.reporter.report(
            "E0305",
            f"{what} is FINAL in {inherited.owner}",
            one.name.span,
            others=[Label(inherited.pou.name.span, "declared FINAL here")],
            help="give this one another name, or remove FINAL there",
        )
    elif "PRIVATE" in inherited.pou.modifiers:
        names.reporter.report(
            "E0305",
            f"{what} is PRIVATE in {inherited.owner}",
            one.name.span,
            others=[Label(inherited.pou.name.span, "declared PRIVATE here")],
            help="give this one another name, or declare the other one PROTECTED",
        )
    elif key not in ("FB_INIT", "FB_REINIT", "FB_EXIT"):
        _check_signature(names, t.members[key], inherited, one.name.span, t)


def _in_interface(t: FbType, key: str) -> bool:
    return any(key in i.members for i in t.interfaces)


def _check_class(names: Declarations, pou: tree.Pou) -> None:
    """A CLASS has methods only (6.6.5.1)."""
    for block in pou.blocks:
        if block.kind in PARAMETERS or block.kind == "VAR_TEMP":
            names.reporter.report(
                "E0318",
                f"a CLASS has no {block.kind}",
                block.span,
                help="give the parameters to its methods, or declare it as a FUNCTION_BLOCK",
            )
    if pou.body:
        names.reporter.report(
            "E0318",
            "a CLASS has no statements of its own",
            pou.body[0].span,
            help="put them into a METHOD, or declare it as a FUNCTION_BLOCK",
        )


def _check_interfaces(names: Declarations, t: FbType) -> None:
    inherited = t.base.interfaces if t.base is not None else []
    missing: list[tuple[str, Method]] = []
    for i in t.interfaces:
        is_new = all(i is not other for other in inherited)
        for key, method in i.members.items():
            own = t.members.get(key)
            if own is None:
                if is_new and all(key != k for k, _ in missing):
                    missing.append((key, method))
                continue
            if is_new or own.owner is t:
                at = own.pou.name.span if own.owner is t else None
                _check_signature(names, own, method, at, t)
                if access_of(own.pou.modifiers) in ("PRIVATE", "PROTECTED"):
                    names.reporter.report(
                        "E0312",
                        f"{described(key, own)} of INTERFACE {i} must be PUBLIC",
                        own.pou.name.span,
                        others=[Label(method.pou.name.span, "declared here")],
                        help="remove the access specifier",
                    )
    if missing and not t.is_abstract:
        listed = ", ".join(described(key, m) for key, m in missing)
        key, method = missing[0]
        names.reporter.report(
            "E0308",
            f"'{t}' does not have all of {method.owner}: {listed}",
            t.pou.name.span,
            others=[Label(m.pou.name.span, "declared here") for _, m in missing[:3]],
            help=f"add {_heading(key, method)}",
        )


def _heading(key: str, method: Method) -> str:
    pou = method.pou
    result = f" : {pou.result.span.text}" if pou.result is not None else ""
    if " " in key:
        word = key.partition(" ")[0]
        return f"PROPERTY {pou.name.name} with {word} … END_{word}"
    return f"METHOD {pou.name.name}{result} … END_METHOD"


def _left_abstract(names: Declarations, t: FbType, key: str, method: Method) -> None:
    if method.owner is t:
        names.reporter.report(
            "E0309",
            f"{described(key, method)} is ABSTRACT, but '{t}' is not",
            method.pou.name.span,
            help=f"write FUNCTION_BLOCK ABSTRACT {t}, or remove ABSTRACT here",
        )
        return
    names.reporter.report(
        "E0309",
        f"'{t}' leaves {described(key, method)} of {method.owner} ABSTRACT",
        t.pou.name.span,
        others=[Label(method.pou.name.span, "declared ABSTRACT here")],
        help=f"add {_heading(key, method)}, or declare '{t}' ABSTRACT",
    )


Signature = list[tuple[str, str, Type, Span]]


def _signature(names: Declarations, pou: tree.Pou) -> tuple[Signature, Type | None]:
    found: Signature = []
    for block in pou.blocks:
        if block.kind not in PARAMETERS:
            continue
        for decl in block.decls:
            t = names.resolve(decl.type)
            found += [(ident.name, block.kind, t, ident.span) for ident in decl.names]
    return found, names.resolve(pou.result) if pou.result is not None else None


def _check_signature(
    names: Declarations, own: Method, base: Method, at: Span | None, t: FbType | InterfaceType
) -> None:
    """Whoever calls `base` gets `own`: name, section and type of each parameter must agree."""
    mine, my_result = _signature(names, own.pou)
    theirs, their_result = _signature(names, base.pou)
    span = at or t_span(t)
    wrong = ""
    is_accessor = own.pou.result is None and len(mine) == 1 and own.pou.name.span == mine[0][3]
    for i in range(max(len(mine), len(theirs))):
        a = mine[i] if i < len(mine) else None
        b = theirs[i] if i < len(theirs) else None
        if a is None or b is None:
            missing = b if a is None else a
            assert missing is not None
            wrong = f"parameter '{missing[0]}' is " + ("missing" if a is None else "one too many")
        elif fold(a[0]) != fold(b[0]) and not is_accessor:
            wrong = f"parameter {i + 1} is '{a[0]}' here, '{b[0]}' there"
        elif a[1] != b[1]:
            wrong = f"'{a[0]}' is {a[1]} here, {b[1]} there"
        elif not same(a[2], b[2]):
            wrong = f"'{a[0]}' is {a[2]} here, {b[2]} there"
        if wrong:
            span = a[3] if a is not None and at is not None else span
            break
    if not wrong and not _same_result(my_result, their_result):
        wrong = f"the result is {my_result or 'missing'} here, {their_result or 'none'} there"
    if wrong:
        names.reporter.report(
            "E0307",
            f"'{own.pou.name.name}' differs from {base.owner}.{base.pou.name.name}: {wrong}",
            span,
            others=[Label(base.pou.name.span, "it must be as declared here")],
            help="give both the same parameters and the same result",
        )


def t_span(t: FbType | InterfaceType) -> Span:
    return t.pou.name.span if isinstance(t, FbType) else t.decl.name.span


def _same_result(a: Type | None, b: Type | None) -> bool:
    if a is None or b is None:
        return a is b
    return isinstance(a, Unknown) or same(a, b)
