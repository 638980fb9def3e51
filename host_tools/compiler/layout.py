"""Where everything is in the image: areas, globals, instances, retain range, task stacks."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from host_tools.compiler import tree
from host_tools.compiler.symbols import Symbol
from host_tools.compiler.types import (
    ArrayType,
    EnumType,
    FbType,
    InterfaceType,
    OpenArrayType,
    RefType,
    StringType,
    StructType,
    SubrangeType,
    Type,
    Unknown,
    size_align,
)
from host_tools.record import field, record

HEADER_SIZE = 80
TASK_SIZE = 160
AREA_UNIT = {"X": 1, "B": 1, "W": 2, "D": 4, "L": 8}
AREA_NAMES = [a + s for a in "IQM" for s in "XWDL"]


@record()
class Allocated:
    """A variable that has its place: what the layout lists."""

    path: str
    type: Type
    offset: int
    bit: int | None = None
    retain: bool = False
    section: str = "VAR"
    init: tree.Expr | None = None
    hidden: bool = False
    arguments: tree.InitArguments = None
    writable: bool = True
    symbols: dict[str, Symbol] = field(default_factory=dict)
    """the variables that REF(…) in `init` may mean, beside the global ones"""


@record()
class Image:
    """Hands out offsets: first all that is not retained, then the retain range, then stacks."""

    tasks: int
    areas: dict[str, tuple[int, int]] = field(default_factory=dict)
    variables: list[Allocated] = field(default_factory=list)
    at: int = 0
    state_start: int = 0

    def place_areas(self, sizes: dict[str, int]) -> None:
        self.at = self.state_start = HEADER_SIZE + TASK_SIZE * self.tasks
        for name in AREA_NAMES:
            size = (sizes.get(name, 0) + 7) // 8 * 8
            self.areas[name] = (self.at, sizes.get(name, 0))
            self.at += size

    def take(self, t: Type) -> int:
        size, align = size_align(t)
        offset = (self.at + align - 1) // align * align
        self.at = offset + size
        return offset

    def align(self) -> int:
        self.at = (self.at + 7) // 8 * 8
        return self.at


def area_of(node: tree.Direct) -> str:
    """The range a directly represented variable is in."""
    return node.area + ("X" if node.size in "XB" else node.size)


def direct_offset(node: tree.Direct) -> tuple[int, int | None] | None:
    """Byte offset in its range and bit of a directly represented variable; None where the number
    of levels does not fit (bits are byte.bit, all others one number)."""
    address = node.address
    if address is None:
        return None
    if node.size == "X":
        if len(address) != 2 or address[1] > 7:
            return None
        return address[0], address[1]
    if len(address) != 1:
        return None
    return address[0] * AREA_UNIT[node.size], None


# --- the layout as data ----------------------------------------------------------------------


def describe_type(t: Type, types: dict[str, Any]) -> Any:
    """JSON form of a type; structures, blocks and enumerations go by name into `types`."""
    if isinstance(t, StringType):
        return ["wstring" if t.wide else "string", t.length]
    if isinstance(t, ArrayType):
        element = describe_type(t.element, types)
        return ["array", [list(b) for b in t.bounds], element, size_align(t.element)[0]]
    if isinstance(t, EnumType):
        name = t.name or f"__enum_{len(types)}"
        spelling = {str(t.values[k]): t.spelling[k] for k in t.values}
        types.setdefault(name, {"kind": "enum", "base": t.base.name, "values": spelling})
        return ["enum", name]
    if isinstance(t, StructType | FbType):
        name = t.name or f"__struct_{id(t)}"
        if not t.name:
            for known, described in types.items():
                if described.get("identity") == id(t):
                    name = known
                    break
            else:
                name = f"__struct_{len(types)}"
        if name not in types:
            types[name] = {"kind": "struct", "identity": id(t)}
            types[name] = {
                "kind": "struct" if isinstance(t, StructType) else "block",
                "size": t.size,
                "fields": [
                    [
                        f.name,
                        ["ref", "?"]
                        if f.section == "VAR_IN_OUT"
                        else describe_type(f.type, types),
                        f.offset,
                        f.section,
                        f.retain,
                        *([] if f.bit is None else [f.bit]),
                    ]
                    for f in t.fields.values()
                    if not f.hidden
                ],
                "identity": id(t),
            }
            hidden = [
                f"{f.name} {f.type} {f.offset}" for f in t.fields.values() if f.section == "HIDDEN"
            ]
            if hidden:
                types[name]["hidden"] = hidden
        return ["struct", name]
    if isinstance(t, InterfaceType):
        return ["ref", t.name]
    if isinstance(t, RefType):
        return ["ref", str(t.target)]
    if isinstance(t, SubrangeType):
        return t.base.name
    if isinstance(t, Unknown | OpenArrayType):
        return "?"
    return t.name


def describe(
    image: Image, retain: tuple[int, int], stacks: int, tasks: list[str]
) -> dict[str, Any]:
    """The layout of a program as plain data; `hash` covers everything that decides what a byte
    of the state means."""
    types: dict[str, Any] = {}
    variables = []
    hidden = []
    for v in image.variables:
        if v.hidden:
            hidden.append(f"{v.path} {v.type} {v.offset}")
            continue
        entry: dict[str, Any] = {
            "path": v.path,
            "type": describe_type(v.type, types),
            "offset": v.offset,
            "section": v.section,
        }
        if v.bit is not None:
            entry["bit"] = v.bit
        if v.retain:
            entry["retain"] = True
        if not v.writable:
            entry["read_only"] = True
        variables.append(entry)
    for described in types.values():
        described.pop("identity", None)
    layout: dict[str, Any] = {
        "version": 1,
        "state": [image.state_start, retain[0] + retain[1] - image.state_start],
        "retain": list(retain),
        "areas": {name: list(a) for name, a in image.areas.items()},
        "tasks": tasks,
        "types": types,
        "vars": variables,
    }
    text = json.dumps([layout, hidden], sort_keys=True, separators=(",", ":"))
    for described in types.values():
        described.pop("hidden", None)
    layout["hash"] = hashlib.sha256(text.encode()).hexdigest()[:16]
    layout["size"] = stacks
    return layout
