"""What the names in a POU mean, as far as an import must know: variables, blocks, types.

Types are only inferred to declare temporaries and to tell functions from function blocks; where
they cannot be known the answer is None, and the compiler has the last word on the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from host_tools.compiler import tree
from host_tools.compiler.library_index import index as library
from host_tools.compiler.lowering.standard import names as function_names
from host_tools.compiler.tree import fold
from host_tools.plcopen import model
from host_tools.plcopen.expressions import NOWHERE, names, walk
from host_tools.plcopen.model import Named
from host_tools.plcopen.reader import ELEMENTARY, is_name

BOOL = Named("BOOL")
_INTEGERS = ("SINT", "INT", "DINT", "LINT", "USINT", "UINT", "UDINT", "ULINT")
_WIDER = (
    ("BOOL", "BYTE", "WORD", "DWORD", "LWORD"),
    ("SINT", "INT", "DINT", "LINT"),
    ("USINT", "UINT", "UDINT", "ULINT"),
    ("USINT", "INT", "DINT", "LINT"),
    ("USINT", "UINT", "DINT", "LINT"),
    ("SINT", "INT", "REAL", "LREAL"),
    ("USINT", "UINT", "REAL", "LREAL"),
    ("DINT", "LREAL"),
    ("UDINT", "LREAL"),
    ("TIME", "LTIME"),
)
_BLOCK_OUTPUTS = {"Q": "BOOL", "Q1": "BOOL", "QU": "BOOL", "QD": "BOOL", "ET": "TIME"}
_SAME_AS_INPUT = {"ABS", "MOVE", "SHL", "SHR", "ROL", "ROR", "LEFT", "RIGHT", "MID", "NOT",
                  "INSERT", "DELETE", "REPLACE", "SQRT", "LN", "LOG", "EXP", "SIN", "COS", "TAN",
                  "ASIN", "ACOS", "ATAN", "EXPT", "CONCAT"}  # fmt: skip
_COMMON_OF_ALL = {"ADD", "SUB", "MUL", "DIV", "MOD", "AND", "OR", "XOR", "MAX", "MIN", "LIMIT"}
_COMPARISONS = {"GT", "GE", "EQ", "NE", "LE", "LT"}
# Functions of the standard that the compiler knows by their names' form.
_CONVERSION = re.compile(
    r"(?:[A-Z_]+_)?(?:BCD_)?TO_([A-Z_]+)|TRUNC(?:_([A-Z]+))?|[A-Z]+_TRUNC_([A-Z]+)"
)


@dataclass(slots=True)
class Declared:
    """All POUs, types and globals of the project, by folded name."""

    pous: dict[str, model.Pou] = field(default_factory=dict)
    types: dict[str, model.DataType] = field(default_factory=dict)
    globals: dict[str, model.Variable] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)


def declared(project: model.Project) -> Declared:
    """What `project` declares."""
    found = Declared()
    for pou in project.pous:
        found.pous.setdefault(fold(pou.name), pou)
    for data_type in project.types:
        found.types.setdefault(fold(data_type.name), data_type)
        if isinstance(data_type.type, model.Enum):
            found.taken |= {fold(n) for n, _ in data_type.type.values}
    found.taken |= {fold(one.name) for one in project.interfaces}
    lists = list(project.globals)
    for configuration in project.configurations:
        found.taken.add(fold(configuration.name))
        lists += configuration.globals
        for resource in configuration.resources:
            lists += resource.globals
            found.taken |= {fold(t.name) for t in resource.tasks} | {fold(resource.name)}
            found.taken |= {fold(p.name) for p in resource.programs}
            found.taken |= {fold(p.name) for t in resource.tasks for p in t.programs}
    for one in lists:
        for variable in one.variables:
            found.globals.setdefault(fold(variable.name), variable)
    found.taken |= found.pous.keys() | found.types.keys() | found.globals.keys()
    found.taken |= {fold(n) for n in function_names()} | set(library()) | ELEMENTARY
    return found


def is_standard_function(name: str) -> bool:
    """Does the compiler's library have a function of this name?"""
    key = fold(name)
    entry = library().get(key)
    if entry is not None:
        return entry.kind == "FUNCTION"
    return key in {fold(n) for n in function_names()} or bool(_CONVERSION.fullmatch(key))


def is_standard_block(name: str) -> bool:
    entry = library().get(fold(name))
    return entry is not None and entry.kind == "FUNCTION_BLOCK"


class Scope:
    """The names that a body can use. `made` are the variables that the translation adds."""

    def __init__(self, pou: model.Pou, project: Declared) -> None:
        self.pou = pou
        self.project = project
        self.variables: dict[str, tuple[str, model.Variable]] = {}
        for one in pou.lists:
            for variable in one.variables:
                self.variables.setdefault(fold(variable.name), (one.kind, variable))
        self.made: list[tuple[str, str, model.Type]] = []
        own = [part.name for part in (*pou.actions, *pou.transitions)]
        own += [item.name for body in pou.bodies for item in body.chart]
        self.reserved = {fold(n) for n in own}

    # --- making names --------------------------------------------------------------------------

    def fresh(self, wanted: str, type_: model.Type, lasting: bool) -> str:
        """Declare a variable; `lasting` ones keep their value from scan to scan."""
        name, n = wanted, 1
        while not is_name(name) or fold(name) in self.variables or self._taken(fold(name)):
            n += 1
            name = f"{wanted}_{n}" if is_name(f"{wanted}_{n}") else f"v_{wanted}_{n}"
        kind = "VAR_TEMP" if not lasting and self.pou.kind != "FUNCTION" else "VAR"
        made = model.Variable(name, type_, None, None, (), self.pou.place)
        self.variables[fold(name)] = (kind, made)
        self.made.append((kind, name, type_))
        return name

    def reserve(self, wanted: str, suffix: str) -> str:
        """A name that nothing else has, for a part of the POU: `wanted`, or with `suffix`."""
        name = wanted
        while fold(name) in self.variables or self._taken(fold(name)):
            name += suffix
        self.reserved.add(fold(name))
        return name

    def _taken(self, key: str) -> bool:
        return key in self.project.taken or key in self.reserved or key == fold(self.pou.name)

    # --- kinds of names ------------------------------------------------------------------------

    def variable(self, name: str) -> model.Variable | None:
        found = self.variables.get(fold(name))
        return found[1] if found else self.project.globals.get(fold(name))

    def is_shared(self, key: str) -> bool:
        """May something outside of this POU read or write what `key` names?"""
        if key in self.variables:
            kind, variable = self.variables[key]
            shared = kind in ("VAR_EXTERNAL", "VAR_IN_OUT") or variable.address is not None
            return shared or isinstance(self.resolve(variable.type), model.Pointer)
        return True

    def touched(self, e: tree.Expr) -> set[str]:
        """What the value of `e` depends on: folded names, and "@" for what is shared with
        others (globals, in-outs, addresses, targets of references)."""
        found: set[str] = set()
        for key in names(e):
            found.add(key)
            if key == "%" or (self.is_shared(key) and not self._is_function(key)):
                found.add("@")
        if any(isinstance(part, tree.Deref) for part in walk(e)) or self.has_effects(e):
            found.add("@")
        return found

    def _is_function(self, key: str) -> bool:
        if key in self.project.globals:
            return False
        data = self.project.types.values()
        return (
            key in self.project.pous
            or key in self.project.types
            or is_standard_function(key)
            or any(
                isinstance(t.type, model.Enum) and key in {fold(n) for n, _ in t.type.values}
                for t in data
            )
        )

    def has_effects(self, e: tree.Expr) -> bool:
        """Does `e` call something that is not a function of the standard?"""
        return any(
            isinstance(part, tree.Call)
            and not (isinstance(part.callee, tree.Name) and is_standard_function(part.callee.name))
            for part in walk(e)
        )

    def block_type(self, name: str) -> str | None:
        """The folded function block type that the variable `name` is an instance of."""
        type_ = self.type_of(tree.Name(NOWHERE, name))
        if isinstance(type_, Named) and (
            is_standard_block(type_.name) or self._is_user_block(type_.name)
        ):
            return fold(type_.name)
        return None

    def _is_user_block(self, name: str) -> bool:
        pou = self.project.pous.get(fold(name))
        return pou is not None and pou.kind == "FUNCTION_BLOCK"

    # --- types ---------------------------------------------------------------------------------

    def resolve(self, type_: model.Type | None) -> model.Type | None:
        """`type_` without names of aliases, subranges by their base."""
        for _ in range(50):
            if isinstance(type_, model.Subrange):
                type_ = type_.base
            elif isinstance(type_, Named) and fold(type_.name) in self.project.types:
                found = self.project.types[fold(type_.name)].type
                if isinstance(found, model.Enum | model.Struct):
                    return type_
                type_ = found
            else:
                return type_
        return None

    def type_of(self, e: tree.Expr) -> model.Type | None:
        """The type of a value, or None; ANY_INT and ANY_REAL for literals."""
        if isinstance(e, tree.Name):
            variable = self.variable(e.name)
            if variable is not None:
                return self.resolve(variable.type)
            if fold(e.name) == fold(self.pou.name):
                return self.resolve(self.pou.result)
            for data_type in self.project.types.values():
                if isinstance(data_type.type, model.Enum) and any(
                    fold(n) == fold(e.name) for n, _ in data_type.type.values
                ):
                    return Named(data_type.name)
            return None
        if isinstance(e, tree.Literal):
            return _literal_type(e)
        if isinstance(e, tree.Direct):
            return Named(
                {"X": "BOOL", "B": "BYTE", "W": "WORD", "D": "DWORD"}.get(e.size, "LWORD")
            )
        if isinstance(e, tree.Unary):
            return self.type_of(e.operand)
        if isinstance(e, tree.Binary):
            if e.op in ("=", "<>", "<", "<=", ">", ">=", "AND_THEN", "OR_ELSE"):
                return BOOL
            return self.common([e.left] if e.op == "**" else [e.left, e.right])
        if isinstance(e, tree.Index):
            base = self.type_of(e.base)
            return self.resolve(base.element) if isinstance(base, model.Array) else None
        if isinstance(e, tree.Deref):
            base = self.type_of(e.base)
            return self.resolve(base.target) if isinstance(base, model.Pointer) else None
        if isinstance(e, tree.Member):
            return self._member(e)
        if isinstance(e, tree.Call) and isinstance(e.callee, tree.Name):
            return self._result(e.callee.name, [a for a in e.arguments if not a.output])
        return None

    def _member(self, e: tree.Member) -> model.Type | None:
        base = self.type_of(e.base)
        partial = re.fullmatch("(?:%([XBWD]))?[0-9]+", fold(e.name))
        if partial:
            return Named({"B": "BYTE", "W": "WORD", "D": "DWORD"}.get(partial[1] or "X", "BOOL"))
        if not isinstance(base, Named):
            if isinstance(base, model.Struct):
                return self._field(base.fields, e.name)
            return None
        key = fold(base.name)
        data_type = self.project.types.get(key)
        if data_type is not None and isinstance(data_type.type, model.Struct):
            return self._field(data_type.type.fields, e.name)
        pou = self.project.pous.get(key)
        if pou is not None:
            return self._field([v for one in pou.lists for v in one.variables], e.name)
        if not is_standard_block(key):
            return None
        if fold(e.name) == "CV":
            return Named(key.rpartition("_")[2] if "_" in key else "INT")
        type_ = _BLOCK_OUTPUTS.get(fold(e.name))
        if type_ == "TIME" and key.endswith("_LTIME"):
            type_ = "LTIME"
        return Named(type_) if type_ else None

    def _field(self, fields: Iterable[model.Variable], name: str) -> model.Type | None:
        for v in fields:
            if fold(v.name) == fold(name):
                return self.resolve(v.type)
        return None

    def _result(self, name: str, arguments: list[tree.Argument]) -> model.Type | None:
        key = fold(name)
        pou = self.project.pous.get(key)
        if pou is not None:
            return self.resolve(pou.result)
        values = [a.value for a in arguments if a.value is not None]
        if key in _COMPARISONS:
            return BOOL
        if key in ("LEN", "FIND"):
            return Named("INT")
        if key in ("SEL", "MUX"):
            return self.common(values[1:])
        if key in _SAME_AS_INPUT:
            return self.common(values[:1])
        if key in _COMMON_OF_ALL:
            return self.common(values)
        entry = library().get(key)
        if entry is not None:
            return None
        conversion = _CONVERSION.fullmatch(key)
        if conversion and not key.startswith("TRUNC") and conversion[1] in ELEMENTARY:
            return Named(conversion[1])
        if conversion and (conversion[2] or conversion[3]) in ELEMENTARY:
            return Named(conversion[2] or conversion[3])
        return None

    def common(self, operands: list[tree.Expr]) -> model.Type | None:
        """The type that all operands convert to."""
        found: model.Type | None = None
        for e in operands:
            type_ = self.type_of(e)
            if type_ is None:
                return None
            found = type_ if found is None else _common(found, type_)
            if found is None:
                return None
        return found

    def storable(self, e: tree.Expr) -> model.Type | None:
        """The type for a variable that holds `e`."""
        type_ = self.type_of(e)
        if type_ == Named("ANY_INT"):
            return Named("DINT")
        if type_ == Named("ANY_REAL"):
            return Named("REAL")
        return type_


def _literal_type(e: tree.Literal) -> model.Type | None:
    if e.kind == "typed":
        return Named(e.prefix) if e.prefix else None
    if e.prefix:
        return Named(e.prefix)
    plain = {"int": "ANY_INT", "real": "ANY_REAL", "bool": "BOOL", "string": "STRING",
             "wstring": "WSTRING"}  # fmt: skip
    return Named(plain[e.kind]) if e.kind in plain else None


def _common(a: model.Type, b: model.Type) -> model.Type | None:
    if a == b:
        return a
    if not (isinstance(a, Named) and isinstance(b, Named)):
        return None
    for x, y in ((a.name, b.name), (b.name, a.name)):
        if x == "ANY_INT" and (
            y in _INTEGERS
            or y in ("ANY_REAL", "REAL", "LREAL", "TIME", "BYTE", "WORD", "DWORD", "LWORD", "BOOL")
        ):
            return Named(y)  # fmt: skip
        if x == "ANY_REAL" and y in ("REAL", "LREAL", "TIME"):
            return Named(y)
        if x.startswith("STRING") and y.startswith("STRING"):
            return Named("STRING")
        if x in ("TOD", "DT") and y == "TIME":
            return Named(x)
    for group in _WIDER:
        if a.name in group and b.name in group:
            return a if group.index(a.name) > group.index(b.name) else b
    return None
