"""The project as the XML describes it: types, POUs, bodies, configuration; no XML any more."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.plcopen.document import Line
from host_tools.plcopen.report import Place

# --- types and values ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Named:
    """An elementary type, STRING[n], or a type by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Array:
    ranges: tuple[tuple[str, str], ...]
    element: Type


@dataclass(frozen=True, slots=True)
class Enum:
    values: tuple[tuple[str, str | None], ...]
    base: Type | None


@dataclass(frozen=True, slots=True)
class Struct:
    fields: tuple[Variable, ...]


@dataclass(frozen=True, slots=True)
class Subrange:
    base: Type
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Pointer:
    target: Type


Type = Named | Array | Enum | Struct | Subrange | Pointer


@dataclass(frozen=True, slots=True)
class ArrayValue:
    """Elements with how often each is repeated."""

    elements: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class StructValue:
    fields: tuple[tuple[str, Value], ...]


Value = str | ArrayValue | StructValue


# --- declarations ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    type: Type
    initial: Value | None
    address: str | None
    comment: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class VarList:
    """`kind` as in ST ("VAR_INPUT"); qualifiers in the order in which they are written."""

    kind: str
    qualifiers: tuple[str, ...]
    variables: tuple[Variable, ...]
    comment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DataType:
    name: str
    type: Type
    initial: Value | None
    comment: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Pou:
    """`kind`: "FUNCTION", "FUNCTION_BLOCK", "PROGRAM", "METHOD"."""

    name: str
    kind: str
    result: Type | None
    lists: tuple[VarList, ...]
    bodies: tuple[Body, ...]
    comment: tuple[str, ...]
    place: Place
    actions: tuple[NamedBody, ...] = ()
    transitions: tuple[NamedBody, ...] = ()
    modifiers: tuple[str, ...] = ()
    extends: str = ""
    implements: tuple[str, ...] = ()
    methods: tuple[Pou, ...] = ()
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a function block or an interface (an extension of CODESYS). The accessors
    are methods."""

    name: str
    type: Type
    modifiers: tuple[str, ...]
    getter: Pou | None
    setter: Pou | None
    comment: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Interface:
    """An INTERFACE (an extension of CODESYS). Its methods have no bodies."""

    name: str
    extends: tuple[str, ...]
    methods: tuple[Pou, ...]
    properties: tuple[Property, ...]
    comment: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ProgramInstance:
    name: str
    type: str
    comment: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Task:
    """`interval` is a TIME literal of ST."""

    name: str
    interval: str | None
    single: str | None
    priority: int
    programs: tuple[ProgramInstance, ...]
    comment: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Resource:
    name: str
    globals: tuple[VarList, ...]
    tasks: tuple[Task, ...]
    programs: tuple[ProgramInstance, ...]
    comment: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Configuration:
    name: str
    globals: tuple[VarList, ...]
    resources: tuple[Resource, ...]
    comment: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Project:
    """`globals` are lists that stand outside of a configuration (an extension of CODESYS)."""

    name: str
    origin: str
    comment: tuple[str, ...]
    types: tuple[DataType, ...]
    pous: tuple[Pou, ...]
    globals: tuple[VarList, ...]
    configurations: tuple[Configuration, ...]
    interfaces: tuple[Interface, ...] = ()


# --- bodies ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Link:
    """A connection to the output `formal` (None: the first) of the item `ref`."""

    ref: str
    formal: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Pin:
    """An input or output of an item. `links` are what an input is connected to, `expression` is
    what stands at the pin instead. edge: "", "rising", "falling"; storage: "", "set", "reset"."""

    formal: str
    place: Place
    links: tuple[Link, ...] = ()
    expression: str | None = None
    negated: bool = False
    edge: str = ""
    storage: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A graphical element; `kind` is its name in the XML. `name` is the variable, the expression,
    the label or the type of the block. Modifiers of inOutVariable are on its pins."""

    kind: str
    id: str
    name: str
    place: Place
    inputs: tuple[Pin, ...] = ()
    in_outs: tuple[Pin, ...] = ()
    outputs: tuple[Pin, ...] = ()
    instance: str | None = None
    negated: bool = False
    edge: str = ""
    storage: str = ""
    order: int | None = None
    x: float = 0.0
    y: float = 0.0
    comment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionUse:
    """An action of an action block: the name it refers to, or what stands in it."""

    place: Place
    reference: str = ""
    inline: Body | None = None
    qualifier: str = "N"
    duration: str = ""
    indicator: str = ""


@dataclass(frozen=True, slots=True)
class ChartItem:
    """An element of SFC; `kind` is its name in the XML. `inputs` has one pin for each connection
    point. `name`: of a step, the target of a jump. A transition has one of `reference`,
    `inline` and `power`, what its condition is connected to."""

    kind: str
    id: str
    name: str
    place: Place
    inputs: tuple[Pin, ...] = ()
    initial: bool = False
    priority: int | None = None
    reference: str = ""
    inline: Body | None = None
    power: Pin | None = None
    negated: bool = False
    uses: tuple[ActionUse, ...] = ()
    x: float = 0.0
    y: float = 0.0
    comment: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """`language`: "ST", "IL", "FBD", "LD", "SFC"; text languages have lines, graphical ones
    items. SFC has a chart, and items that conditions are connected to."""

    language: str
    place: Place
    lines: tuple[Line, ...] = ()
    items: tuple[Item, ...] = ()
    worksheet: str = ""
    comment: tuple[str, ...] = ()
    chart: tuple[ChartItem, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedBody:
    """An action or a named transition of a POU."""

    name: str
    bodies: tuple[Body, ...]
    comment: tuple[str, ...]
    place: Place
