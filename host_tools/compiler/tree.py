"""The syntax tree: what the parser makes of a source, before any name means anything.

Every node keeps its `span`; spans do not take part in comparison, so two trees are equal when they
say the same thing. Names keep the spelling of the source; IEC 61131-3 names are case-insensitive,
so everything that looks a name up does it by `fold(name)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from host_tools.compiler.source import Span
from host_tools.record import Record


def has_attribute(pragmas: tuple[str, ...], name: str) -> bool:
    """Is `{attribute 'name'}` among the pragmas?"""
    return any(p.replace('"', "'").split("'")[1:2] == [name] for p in pragmas if "attr" in p)


def fold(name: str) -> str:
    """The form in which identifiers are compared (IEC 61131-3:2013, 6.1.2)."""
    return name.upper()


def short_name(name: str) -> str:
    """A full name without the namespaces it is in."""
    return name.rpartition(".")[2]


class Node(Record):
    _ignored = frozenset({"span"})

    span: Span


class Identifier(Node):
    """A name where it is declared or mentioned on its own."""

    name: str


# --- expressions -----------------------------------------------------------------------------


class Expr(Node):
    pass


class Literal(Expr):
    """A literal. `kind` says what was written, `prefix` the explicit type before '#', upper case
    ("INT", "REAL", ...) or None.

    kind      value
    int       int (also based: 16#FF; underscores removed; sign is a Unary node)
    real      str, the digits as written without underscores ("1.5e3"), converted when the type of
              the context is known, so that a REAL literal is rounded once; REAL#2 is "real" too
    bool      bool (TRUE, FALSE, BOOL#TRUE; BOOL#1 is kind "int" with prefix "BOOL")
    string    str with $-escapes resolved ('single quoted', code points 0..255)
    wstring   str with $-escapes resolved ("double quoted")
    time      int, nanoseconds (T#, TIME#, LTIME#; prefix "TIME" or "LTIME"), sign included
    date      int, nanoseconds since 1970-01-01 (D#, DATE#, LD#, LDATE#: "DATE"/"LDATE")
    tod       int, nanoseconds since midnight ("TOD"/"LTOD")
    dt        int, nanoseconds since 1970-01-01 ("DT"/"LDT")
    typed     str: the name after '#' where the prefix is not an elementary type: an enumerated
              value `Colour#Red`; prefix keeps the spelling of the source
    """

    kind: str
    value: int | str | bool
    prefix: str | None = None


class Name(Expr):
    name: str


class Direct(Expr):
    """A directly represented variable, `%IX0.3`, `%QW4`, `%M*`: area I/Q/M, size X/B/W/D/L (X
    where none is written), address numbers left to right; `%I*` has address None."""

    area: str
    size: str
    address: tuple[int, ...] | None


class Member(Expr):
    """`base.name`; also a partial access, where name is "3", "%X3", "%B1", "%W0" or "%D1"."""

    base: Expr
    name: str


class Index(Expr):
    """`base[i, j]`"""

    base: Expr
    indices: tuple[Expr, ...]


class Deref(Expr):
    """`base^`"""

    base: Expr


class Unary(Expr):
    """op: "-", "+", "NOT" """

    op: str
    operand: Expr


class Binary(Expr):
    """op: "+", "-", "*", "/", "**", "MOD", "AND" (also "&"), "OR", "XOR", "AND_THEN", "OR_ELSE",
    "=", "<>", "<", "<=", ">", ">=" """

    op: str
    left: Expr
    right: Expr


class Argument(Node):
    """An argument of a call. `name` None: informal. `output` is True for `name => target`;
    `negated` for `NOT name => target`; `value` None for `name =>` and `name :=` left open. `task`
    of a program in a CONFIGURATION: `value WITH task` gives an instance to a task."""

    name: Identifier | None
    value: Expr | None
    output: bool = False
    negated: bool = False
    task: Identifier | None = None


class Call(Expr):
    callee: Expr
    arguments: tuple[Argument, ...]


class Repeat(Expr):
    """`n(value, ...)` inside an array initialiser; values empty means n defaults."""

    count: Expr
    values: tuple[Expr, ...]


class ArrayInit(Expr):
    """`[a, b, 3(0)]`; the elements may be Repeat nodes."""

    elements: tuple[Expr, ...]


class FieldInit(Node):
    name: Identifier
    value: Expr


class StructInit(Expr):
    """`(a := 1, b := 2)`"""

    fields: tuple[FieldInit, ...]


class Missing(Expr):
    """Stands where the parser found no expression; an error was reported there."""


# --- types -----------------------------------------------------------------------------------


class TypeSpec(Node):
    pass


class NamedType(TypeSpec):
    """An elementary or user type by name, with dots where it is qualified. The name is empty where
    the parser found no type; an error was reported there."""

    name: str


class StringSpec(TypeSpec):
    """STRING, STRING[20], STRING(20), WSTRING..."""

    wide: bool
    length: Expr | None


class RangeSpec(Node):
    """`low..high`; both None for `*`."""

    low: Expr | None
    high: Expr | None


class ArraySpec(TypeSpec):
    """`each`: what FB_Init of each element is given, `ARRAY[1..2] OF Axis[(id := 1), (id := 2)]`
    (CODESYS)."""

    ranges: tuple[RangeSpec, ...]
    element: TypeSpec
    each: tuple[EnumSpec, ...] = ()


class StructSpec(TypeSpec):
    """STRUCT; `overlap` for OVERLAP and UNION, `extends` the structure it adds members to."""

    fields: tuple[VarDecl, ...]
    overlap: bool = False
    extends: NamedType | None = None


class EnumValue(Node):
    name: Identifier
    value: Expr | None


class EnumSpec(TypeSpec):
    base: TypeSpec | None
    values: tuple[EnumValue, ...]


InitArguments = tuple[EnumValue, ...] | tuple[tuple[EnumValue, ...], ...] | None
"""What a declaration gives to FB_Init of an instance, or of each element of an array."""


class SubrangeSpec(TypeSpec):
    """`INT(0..10)`"""

    base: NamedType
    range: RangeSpec


class RefSpec(TypeSpec):
    """kind: "REF_TO", "POINTER TO", "REFERENCE TO" """

    kind: str
    target: TypeSpec


class StepSpec(TypeSpec):
    """The type of a step of an SFC: its flag X and its elapsed time T."""


class ControlSpec(TypeSpec):
    """What an SFC remembers of one action; `qualifiers` are those its steps use it with."""

    qualifiers: frozenset[str]


class SfcSpec(TypeSpec):
    """What an SFC remembers of itself."""


# --- declarations ----------------------------------------------------------------------------


class VarDecl(Node):
    """`a, b AT %IX0.0 : BOOL R_EDGE := TRUE;` `pragmas` are the texts inside `{...}` before it."""

    names: tuple[Identifier, ...]
    type: TypeSpec
    init: Expr | None = None
    location: Direct | None = None
    edge: str | None = None  # "R_EDGE", "F_EDGE"
    pragmas: tuple[str, ...] = ()


class VarBlock(Node):
    """kind: "VAR", "VAR_INPUT", "VAR_OUTPUT", "VAR_IN_OUT", "VAR_TEMP", "VAR_EXTERNAL",
    "VAR_GLOBAL", "VAR_CONFIG", "VAR_ACCESS", "VAR_STAT", "VAR_INST"; also "STEP" and "HIDDEN",
    which the parser makes for the state of an SFC; qualifiers upper case: "CONSTANT", "RETAIN",
    "NON_RETAIN", "PERSISTENT", "PUBLIC", "PRIVATE", ..."""

    kind: str
    qualifiers: frozenset[str]
    decls: tuple[VarDecl, ...]


class Declaration(Node):
    """What may stand at the top of a source."""


class TypeDecl(Declaration):
    """One definition of a TYPE block."""

    name: Identifier
    spec: TypeSpec
    init: Expr | None = None
    pragmas: tuple[str, ...] = ()


class Association(Node):
    """`Stir(L, T#5s, ready);` in a step. The qualifier is upper case, "N" where none is written;
    `time` stands where the qualifier needs one."""

    action: Identifier
    qualifier: str
    time: Expr | None = None
    indicators: tuple[Expr, ...] = ()


class Step(Node):
    name: Identifier
    initial: bool
    associations: tuple[Association, ...]


class Transition(Node):
    """`TRANSITION name (PRIORITY := 1) FROM (a, b) TO c := condition; END_TRANSITION`"""

    name: Identifier | None
    priority: int | None
    sources: tuple[Identifier, ...]
    targets: tuple[Identifier, ...]
    condition: Expr


class Action(Node):
    """`ACTION name: ... END_ACTION`, of an SFC or to be called by its name."""

    name: Identifier
    body: tuple[Statement, ...]


class Sfc(Node):
    """The Sequential Function Chart of a POU; the initial steps begin its networks."""

    steps: tuple[Step, ...]
    transitions: tuple[Transition, ...]


class Pou(Declaration):
    """kind: "FUNCTION", "FUNCTION_BLOCK", "PROGRAM", "METHOD". A CLASS is a FUNCTION_BLOCK with
    `is_class`; the accessors of a property are methods: GET has the property's name as its result,
    SET as its input. `modifiers` are upper case: "ABSTRACT", "FINAL", "OVERRIDE", "PUBLIC"...
    Where there is an `sfc`, the variables it needs are declared by the last of the `blocks`."""

    kind: str
    name: Identifier
    result: TypeSpec | None
    blocks: tuple[VarBlock, ...]
    body: tuple[Statement, ...]
    pragmas: tuple[str, ...] = ()
    modifiers: frozenset[str] = frozenset()
    extends: tuple[NamedType, ...] = ()
    implements: tuple[NamedType, ...] = ()
    methods: tuple[Pou, ...] = ()
    properties: tuple[Property, ...] = ()
    is_class: bool = False
    sfc: Sfc | None = None
    actions: tuple[Action, ...] = ()
    accesses: tuple[AccessDecl, ...] = ()


class Property(Node):
    """PROPERTY of a function block or INTERFACE. An accessor of an interface has no statements."""

    name: Identifier
    type: TypeSpec
    getter: Pou | None
    setter: Pou | None
    modifiers: frozenset[str] = frozenset()
    pragmas: tuple[str, ...] = ()


class Interface(Declaration):
    name: Identifier
    extends: tuple[NamedType, ...]
    methods: tuple[Pou, ...]
    properties: tuple[Property, ...]
    pragmas: tuple[str, ...] = ()


class GlobalVars(Declaration):
    """A VAR_GLOBAL block outside of a CONFIGURATION."""

    block: VarBlock
    pragmas: tuple[str, ...] = ()


class TaskDecl(Node):
    """`TASK fast(INTERVAL := T#10ms, PRIORITY := 1);`"""

    name: Identifier
    parameters: tuple[Argument, ...]


class AccessDecl(Node):
    """`LEVEL : main.tank.level : REAL READ_WRITE;` in VAR_ACCESS: a `path` with dots and indices
    as written, or a `location`; both None where that was reported."""

    name: Identifier
    path: Identifier | None
    location: Direct | None
    type: TypeSpec
    writable: bool = False


class ProgramDecl(Node):
    """`PROGRAM main WITH fast : Tank(level := %IW0, pump => %QX0.0);`"""

    name: Identifier
    task: Identifier | None
    type: NamedType
    arguments: tuple[Argument, ...] = ()
    retain: bool = False


class Resource(Node):
    """RESOURCE ... ON ...; a CONFIGURATION without one holds a resource with name None."""

    name: Identifier | None
    target: Identifier | None
    globals: tuple[VarBlock, ...]
    tasks: tuple[TaskDecl, ...]
    programs: tuple[ProgramDecl, ...]


class Configuration(Declaration):
    """`globals` holds the blocks of VAR_GLOBAL and VAR_CONFIG."""

    name: Identifier
    globals: tuple[VarBlock, ...]
    resources: tuple[Resource, ...]
    accesses: tuple[AccessDecl, ...] = ()


# --- statements ------------------------------------------------------------------------------


class Statement(Node):
    pass


class Assign(Statement):
    """op: ":=", "REF=", "?=", "S=", "R="; `more` holds the further targets of `a := b := c`, left
    to right."""

    target: Expr
    value: Expr
    op: str = ":="
    more: tuple[Expr, ...] = ()


class CallStatement(Statement):
    call: Call


class Branch(Node):
    condition: Expr
    body: tuple[Statement, ...]


class If(Statement):
    """IF and ELSIF branches in order; `orelse` None where there is no ELSE."""

    branches: tuple[Branch, ...]
    orelse: tuple[Statement, ...] | None


class CaseLabel(Node):
    """One value (high None) or `low..high`."""

    low: Expr
    high: Expr | None


class CaseBranch(Node):
    labels: tuple[CaseLabel, ...]
    body: tuple[Statement, ...]


class Case(Statement):
    selector: Expr
    branches: tuple[CaseBranch, ...]
    orelse: tuple[Statement, ...] | None


class For(Statement):
    variable: Identifier
    start: Expr
    stop: Expr
    step: Expr | None
    body: tuple[Statement, ...]


class While(Statement):
    condition: Expr
    body: tuple[Statement, ...]


class RepeatUntil(Statement):
    body: tuple[Statement, ...]
    condition: Expr


class Exit(Statement):
    pass


class Continue(Statement):
    pass


class Return(Statement):
    pass


# --- tests -----------------------------------------------------------------------------------


class TestBlock(Declaration):
    """kind: "TEST" with a `name`, "SETUP", "TEARDOWN". `directs` lists the Direct nodes inside,
    which are not among those of the Unit."""

    __test__ = False

    kind: str
    name: Literal | None
    blocks: tuple[VarBlock, ...]
    body: tuple[Statement, ...]
    directs: tuple[Direct, ...] = ()


class Mock(Statement):
    """`MOCK instance;`"""

    target: Expr


class MockFunction(Statement):
    """`MOCK_FUNCTION name RETURNS value;`"""

    name: Identifier
    value: Expr | None


class Cover(Statement):
    """Stands in no source: notes that `point` was reached (host_tools/compiler/coverage.py)."""

    point: int


# --- sources ---------------------------------------------------------------------------------


class Scope(Node):
    """A part of a source in which names of namespaces can be used without them: a NAMESPACE block
    (`name` is its full name), or a source or POU with USING directives (`name` is empty)."""

    name: str
    usings: tuple[Identifier, ...] = ()
    internal: bool = False


class Unit(Node):
    """One parsed source. What is declared in namespaces has its full name, with dots. `directs`
    lists every Direct node of the source, in order; `scopes` those of its parts, outer ones
    first; `internals` the names declared INTERNAL."""

    declarations: tuple[Declaration, ...]
    directs: tuple[Direct, ...] = ()
    scopes: tuple[Scope, ...] = ()
    internals: tuple[Identifier, ...] = ()


Declared = tuple[VarBlock, VarDecl, Identifier]


def declared(blocks: Iterable[VarBlock]) -> Iterator[Declared]:
    """Every declared name with its block and declaration, in order."""
    for block in blocks:
        for decl in block.decls:
            for name in decl.names:
                yield block, decl, name
