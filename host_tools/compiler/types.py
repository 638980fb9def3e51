"""The one model of types: what a declaration means once its names are resolved.

Elementary types are singletons; user types compare by identity where they have a name (the
standard makes two structures of the same shape two types) and by shape where they have none
(arrays, strings).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from host_tools.compiler import tree
from host_tools.compiler.ir import INT_RANGE, SIZE
from host_tools.compiler.source import Span
from host_tools.record import field, record

if TYPE_CHECKING:
    from host_tools.compiler.symbols import Symbol


@record(frozen=True, eq=False)
class Elementary:
    """An elementary type of IEC 61131-3:2013 Table 10, one object for each. `group`: bool, bit,
    sint, uint, real, time, date, tod, dt, char; `universal` for the types of literals that have
    not met a context."""

    name: str
    kind: str
    group: str
    universal: bool = False

    def __str__(self) -> str:
        return self.name


@record(frozen=True)
class StringType:
    wide: bool
    length: int

    @property
    def kind(self) -> str:
        return "wstr" if self.wide else "str"

    def __str__(self) -> str:
        return f"{'WSTRING' if self.wide else 'STRING'}[{self.length}]"


@record(frozen=True)
class ArrayType:
    """`bounds` holds (low, high) for each dimension; the last varies fastest. `init` is the value
    that the element starts with by the TYPE declaration of its name; it makes no other type."""

    _ignored: ClassVar[frozenset[str]] = frozenset({"init"})

    bounds: tuple[tuple[int, int], ...]
    element: Type
    init: tree.Expr | None = None

    @property
    def count(self) -> int:
        n = 1
        for low, high in self.bounds:
            n *= high - low + 1
        return n

    def __str__(self) -> str:
        ranges = ", ".join(f"{low}..{high}" for low, high in self.bounds)
        return f"ARRAY[{ranges}] OF {self.element}"


@record(frozen=True)
class OpenArrayType:
    """ARRAY[*, *] OF …: a parameter whose bounds come with the argument."""

    dims: int
    element: Type

    def __str__(self) -> str:
        return f"ARRAY[{', '.join('*' * self.dims)}] OF {self.element}"


@record(eq=False)
class EnumType:
    name: str
    base: Elementary
    values: dict[str, int] = field(default_factory=dict)
    """folded name -> value"""
    spelling: dict[str, str] = field(default_factory=dict)
    default: int = 0
    span: Span | None = None
    strict: bool = False
    """never becomes a number by itself"""
    qualified: bool = False
    """its values are only written with its name"""

    def __str__(self) -> str:
        return self.name


@record(eq=False)
class SubrangeType:
    name: str
    base: Elementary
    low: int
    high: int

    def __str__(self) -> str:
        return self.name or f"{self.base}({self.low}..{self.high})"


@record(eq=False)
class RefType:
    """kind: "REF_TO", "POINTER TO", "REFERENCE TO". `target` is only known when the types are that
    stand around it: a structure may hold references to itself."""

    target: Type
    kind: str = "REF_TO"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, RefType):
            return NotImplemented
        return self.kind == other.kind and self.target == other.target

    def __hash__(self) -> int:
        return hash(self.kind)

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


@record(eq=False)
class Field:
    """A member of a structure or function block. `offset` counts from its start."""

    name: str
    type: Type
    offset: int
    init: tree.Expr | None
    span: Span
    section: str = "VAR"
    retain: bool = False
    symbol: Symbol | None = None
    constant: bool = False
    edge: str | None = None
    hidden: bool = False
    bit: int | None = None
    unaligned: bool = False
    overlaid: bool = False
    access: str = ""
    """The specifier of the block it is declared in: "PUBLIC", "PRIVATE", ... or "" for none."""
    owner: FbType | None = None
    arguments: tree.InitArguments = None
    """What its declaration gives to FB_Init."""
    location: tree.Direct | None = None
    """`AT %I*`: the address is given to each instance in VAR_CONFIG."""


@record(eq=False)
class StructType:
    name: str
    fields: dict[str, Field] = field(default_factory=dict)
    size: int = 0
    align: int = 1
    span: Span | None = None
    base: StructType | None = None
    overlap: bool = False

    def __str__(self) -> str:
        return self.name or "STRUCT"


@record(eq=False)
class Method:
    """A method, or an accessor of a property, with the type that it is written in."""

    pou: tree.Pou
    owner: FbType | InterfaceType

    @property
    def is_abstract(self) -> bool:
        return "ABSTRACT" in self.pou.modifiers or isinstance(self.owner, InterfaceType)


@record(eq=False)
class InterfaceType:
    """An interface. A value of it is the address of an instance, 0 for none. `members` as those of
    function blocks, with the inherited ones; `bases` all that it extends, near or far."""

    name: str
    decl: tree.Interface
    members: dict[str, Method] = field(default_factory=dict)
    bases: list[InterfaceType] = field(default_factory=list)

    def __str__(self) -> str:
        return self.name


@record(eq=False)
class FbType:
    """A function block: its instance is laid out like a structure, the fields of its base first.

    `members` are its methods, the inherited ones too, by folded name; accessors of properties by
    "GET NAME" and "SET NAME". `interfaces` are all that it implements, by its bases and theirs
    too. An instance of a type that extends, is extended or implements begins with the u32
    `type_id`; for other types that is 0."""

    name: str
    pou: tree.Pou
    fields: dict[str, Field] = field(default_factory=dict)
    size: int = 0
    align: int = 1
    aliases: dict[str, str] = field(default_factory=dict)
    """Second names of inputs, folded: SET1 of SR is S1."""

    base: FbType | None = None
    interfaces: list[InterfaceType] = field(default_factory=list)
    members: dict[str, Method] = field(default_factory=dict)
    type_id: int = 0

    def member(self, key: str) -> Field | None:
        """The field of a folded name."""
        return self.fields.get(self.aliases.get(key, key))

    def __str__(self) -> str:
        return self.name

    @property
    def is_abstract(self) -> bool:
        return "ABSTRACT" in self.pou.modifiers


@record(frozen=True)
class Unknown:
    """The type of what has already been reported; it goes with everything."""

    def __str__(self) -> str:
        return "?"


Type = (
    Elementary
    | StringType
    | ArrayType
    | OpenArrayType
    | EnumType
    | SubrangeType
    | RefType
    | StructType
    | FbType
    | InterfaceType
    | Unknown
)

UNKNOWN = Unknown()


def _table() -> Iterator[Elementary]:
    yield Elementary("BOOL", "b1", "bool")
    for name, bits in (("BYTE", 8), ("WORD", 16), ("DWORD", 32), ("LWORD", 64)):
        yield Elementary(name, f"u{bits}", "bit")
    for name, bits in (("SINT", 8), ("INT", 16), ("DINT", 32), ("LINT", 64)):
        yield Elementary(name, f"i{bits}", "sint")
        yield Elementary("U" + name, f"u{bits}", "uint")
    yield Elementary("REAL", "f32", "real")
    yield Elementary("LREAL", "f64", "real")
    for name, group in (("TIME", "time"), ("DATE", "date"), ("TOD", "tod"), ("DT", "dt")):
        yield Elementary(name, "i64", group)
        yield Elementary("L" + name, "i64", group)
    yield Elementary("CHAR", "u8", "char")
    yield Elementary("WCHAR", "u16", "char")


ELEMENTARY: dict[str, Elementary] = {t.name: t for t in _table()}
ALIASES = {
    "TIME_OF_DAY": "TOD",
    "DATE_AND_TIME": "DT",
    "LTIME_OF_DAY": "LTOD",
    "LDATE_AND_TIME": "LDT",
}
for _alias, _name in ALIASES.items():
    ELEMENTARY[_alias] = ELEMENTARY[_name]

BOOL, BYTE, WORD = ELEMENTARY["BOOL"], ELEMENTARY["BYTE"], ELEMENTARY["WORD"]
DWORD, LWORD = ELEMENTARY["DWORD"], ELEMENTARY["LWORD"]
INT, DINT, LINT, ULINT = (ELEMENTARY[n] for n in ("INT", "DINT", "LINT", "ULINT"))
UINT, UDINT = ELEMENTARY["UINT"], ELEMENTARY["UDINT"]
REAL, LREAL, TIME = ELEMENTARY["REAL"], ELEMENTARY["LREAL"], ELEMENTARY["TIME"]
CHAR, WCHAR = ELEMENTARY["CHAR"], ELEMENTARY["WCHAR"]
ANY_INT = Elementary("an integer literal", "i64", "sint", universal=True)
ANY_REAL = Elementary("a real literal", "f64", "real", universal=True)
DEFAULT_STRING = StringType(False, 80)

INTEGER_GROUPS = ("sint", "uint")


def is_integer(t: Type) -> bool:
    return isinstance(t, Elementary) and t.group in INTEGER_GROUPS


def is_real(t: Type) -> bool:
    return isinstance(t, Elementary) and t.group == "real"


def is_number(t: Type) -> bool:
    return is_integer(t) or is_real(t)


def is_bits(t: Type) -> bool:
    """ANY_BIT: BOOL, BYTE, WORD, DWORD, LWORD."""
    return isinstance(t, Elementary) and t.group in ("bit", "bool")


def is_string(t: Type) -> bool:
    return isinstance(t, StringType)


def is_duration(t: Type) -> bool:
    return isinstance(t, Elementary) and t.group == "time"


def is_moment(t: Type) -> bool:
    return isinstance(t, Elementary) and t.group in ("date", "tod", "dt")


def is_time(t: Type) -> bool:
    """A duration or a moment."""
    return is_duration(t) or is_moment(t)


def is_aggregate(t: Type) -> bool:
    """Types whose values are moved as blocks of the image."""
    return isinstance(t, ArrayType | StructType | FbType)


def kind_of(t: Type) -> str:
    """The IR kind of a scalar type."""
    if isinstance(t, Elementary | StringType):
        return t.kind
    if isinstance(t, EnumType | SubrangeType):
        return t.base.kind
    if isinstance(t, RefType):
        return "u32"
    return "u32"


def size_align(t: Type) -> tuple[int, int]:
    """Size in bytes and alignment in the image."""
    if isinstance(t, StringType):
        n = 4 + t.length * (2 if t.wide else 1)
        return n + n % 2, 2
    if isinstance(t, ArrayType):
        size, align = size_align(t.element)
        return t.count * size, align
    if isinstance(t, StructType | FbType):
        return t.size, t.align
    if isinstance(t, OpenArrayType):
        return 4 + 8 * t.dims, 4
    size = SIZE[kind_of(t)]
    return size, size


def base_of(t: Type) -> Type:
    """The type in which a value of `t` takes part in operations: subranges are their base."""
    return t.base if isinstance(t, SubrangeType) else t


def fits(value: int, t: Elementary) -> bool:
    low, high = INT_RANGE[t.kind]
    return low <= value <= high


_ORDER = {"u8": 1, "i8": 1, "u16": 2, "i16": 2, "u32": 3, "i32": 3, "u64": 4, "i64": 4}


def derives(t: Type, base: Type) -> bool:
    """Whether `t` is `base` or extends it, near or far: an instance of it serves as one."""
    if isinstance(t, InterfaceType):
        return t is base or any(one is base for one in t.bases)
    if isinstance(t, FbType) and isinstance(base, InterfaceType):
        return any(one is base for one in t.interfaces)
    one: Type | None = t
    while isinstance(one, FbType | StructType):
        if one is base:
            return True
        one = one.base
    return False


def converts_implicitly(source: Type, target: Type) -> bool:
    """The lossless conversions of IEC 61131-3:2013 Figure 12 (and an enumeration to its base)."""
    source = base_of(source)
    if isinstance(source, Unknown) or isinstance(target, Unknown) or source == target:
        return True
    if isinstance(target, SubrangeType):
        return converts_implicitly(source, target.base)
    if isinstance(source, EnumType):
        return (
            not source.strict
            and isinstance(target, Elementary)
            and converts_implicitly(source.base, target)
        )
    if isinstance(source, StringType) and isinstance(target, StringType):
        return source.wide == target.wide
    if isinstance(source, RefType) and isinstance(target, RefType):
        if same(source.target, target.target) or isinstance(source.target, Unknown):
            return True
        return derives(source.target, target.target) and target.target is not source.target
    if isinstance(target, InterfaceType):
        if isinstance(source, RefType):
            return isinstance(source.target, Unknown) or derives(source.target, target)
        return derives(source, target)
    if isinstance(source, Elementary) and isinstance(target, StringType):
        return source.group == "char" and (source.kind == "u16") == target.wide
    if isinstance(source, ArrayType) and isinstance(target, ArrayType):
        return source == target
    if not (isinstance(source, Elementary) and isinstance(target, Elementary)):
        return False
    s, t = source.group, target.group
    if target.universal:
        return source is ANY_INT and target is ANY_REAL
    if source.universal:
        if source is ANY_INT:
            return t in ("sint", "uint", "real", "bit", "bool")
        return t == "real"
    if s in INTEGER_GROUPS and t in INTEGER_GROUPS:
        if s == t:
            return _ORDER[source.kind] <= _ORDER[target.kind]
        return s == "uint" and _ORDER[source.kind] < _ORDER[target.kind]
    if s in INTEGER_GROUPS and t == "real":
        return _ORDER[source.kind] <= (2 if target.kind == "f32" else 3)
    if s == t == "real":
        return source.kind == "f32"
    if s in ("bool", "bit") and t == "bit":
        return s == "bool" or _ORDER[source.kind] <= _ORDER[target.kind]
    if s == t and s in ("time", "date", "tod", "dt"):
        return not source.name.startswith("L") or target.name.startswith("L")
    return s == t == "char" and source.kind == "u8"


def same(a: Type, b: Type) -> bool:
    return a == b or isinstance(a, Unknown) or isinstance(b, Unknown)


def common(a: Type, b: Type) -> Type | None:
    """The smallest type both convert to without loss, or None."""
    a, b = base_of(a), base_of(b)
    if (isinstance(a, EnumType) and a.strict) or (isinstance(b, EnumType) and b.strict):
        return a if a is b else None
    if isinstance(a, EnumType) and a is not b:
        a = a.base
    if isinstance(b, EnumType) and a is not b:
        b = b.base
    if isinstance(a, Elementary) and isinstance(b, Elementary) and a.universal and b.universal:
        return ANY_REAL if ANY_REAL in (a, b) else ANY_INT
    if isinstance(a, StringType) and isinstance(b, StringType) and a.wide == b.wide:
        return a if a.length >= b.length else b
    if converts_implicitly(a, b):
        return b
    if converts_implicitly(b, a):
        return a
    if is_integer(a) and is_integer(b):
        for name in ("INT", "DINT", "LINT"):
            if converts_implicitly(a, ELEMENTARY[name]) and converts_implicitly(
                b, ELEMENTARY[name]
            ):
                return ELEMENTARY[name]
    for one, other in ((a, b), (b, a)):
        if one is ANY_REAL and is_integer(other) and converts_implicitly(other, REAL):
            return REAL
    return None


BETWEEN_TIMES = (
    "DT converts to DATE and TOD, DATE to DT; CONCAT_DATE_TOD(…) puts a DATE and a TOD together"
)
_BETWEEN_TIMES = (
    ("date", "dt"),
    ("dt", "date"),
    ("dt", "tod"),
    ("time", "tod"),
    ("tod", "time"),
)


def conversion_name(source: Type, target: Type) -> str | None:
    """Name of the standard function that converts, for help texts."""
    source, target = base_of(source), base_of(target)

    def short(t: Type) -> str | None:
        if isinstance(t, StringType):
            return "WSTRING" if t.wide else "STRING"
        if isinstance(t, EnumType):
            return t.base.name
        if t is ANY_REAL:
            return REAL.name
        return t.name if isinstance(t, Elementary) and not t.universal else None

    if is_time(source) and is_time(target):
        assert isinstance(source, Elementary)
        assert isinstance(target, Elementary)
        pair = (source.group, target.group)
        if pair[0] != pair[1] and pair not in _BETWEEN_TIMES:
            return None
    a, b = short(source), short(target)
    if a == b and isinstance(source, EnumType):
        return f"TO_{b}"
    return f"{a}_TO_{b}" if a and b else None
