"""The tables of a Modbus server in takt.toml: which address shows which variable."""

from __future__ import annotations

import re

from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.source import Span
from host_tools.record import record
from host_tools.wiring.addresses import LAST, Address, parse_address
from host_tools.wiring.schema import Any_, Field, Flag, Node, Text, Values

TABLES = {"coils": "coil", "discrete": "discrete", "input": "input", "holding": "holding"}
"""Keys of the section and what the rows of bus/modbus/map.py call these tables."""

_BITS = ("coils", "discrete")
_WRITABLE = ("coils", "holding")

FIELDS = (
    Field(
        "word_order",
        Text(("high-first", "low-first")),
        "of values that take several registers",
        default="high-first",
    ),
    Field(
        "automatic",
        Flag(),
        "map I, Q and M areas as OpenPLC does; true where no table is given",
    ),
    *(Field(name, Any_(), f"{name}: address = variable") for name in TABLES),
)
"""The keys of every Modbus server."""

AUTOMATIC = (
    ("coils", 0, "QX", 65536, True),
    ("discrete", 0, "IX", 65536, False),
    ("input", 0, "IW", 65536, False),
    ("holding", 0, "QW", 1024, True),
    ("holding", 1024, "MW", 1024, True),
    ("holding", 2048, "MD", 2048, True),
    ("holding", 4096, "ML", 4096, True),
)
"""table, first address, image range, most addresses, writable: the map users of OpenPLC know."""

REGISTERS = {"D": 2, "L": 4}
"""Registers of a located value; one for the other sizes."""


@record(frozen=True)
class Entry:
    """One line of a table. `count` is None where only the first address is given; `target` is an
    address or the path of a variable."""

    table: str
    first: int
    count: int | None
    target: Address | str
    writable: bool
    key: Span
    span: Span

    @property
    def bits(self) -> bool:
        return self.table in _BITS


@record(frozen=True)
class ModbusMap:
    """The tables of a server, checked as far as the file alone tells."""

    entries: tuple[Entry, ...]
    automatic: tuple[str, ...]
    low_first: bool


def check_map(values: Values, reporter: Reporter) -> ModbusMap:
    """What the keys FIELDS of a server's section say; what is wrong with them is reported."""
    entries: list[Entry] = []
    for table in TABLES:
        section = values[table]
        if section is None:
            continue
        if not isinstance(section.value, dict):
            reporter.report(
                "E0603",
                f"'{table}' must be a table of addresses",
                section.span,
                help=f'write it as {{ 0 = "{"%QX0.0" if table in _BITS else "%MW0"}" }}',
            )
            continue
        for name, inner in section.entries():
            entry = _check_entry(table, name, inner, reporter)
            if entry is not None:
                entries.append(entry)
    given = [t for t in TABLES if values.given(t)]
    automatic = values["automatic"]
    if automatic is None:
        automatic = not given
    return ModbusMap(
        tuple(entries),
        tuple(t for t in TABLES if automatic and t not in given),
        values["word_order"] == "low-first",
    )


def _check_entry(table: str, name: str, node: Node, reporter: Reporter) -> Entry | None:
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:\.\.\s*(\d{1,6})\s*)?", name)
    if not found:
        reporter.report(
            "E0615",
            f"'{name}' is not a Modbus address",
            node.key,
            help='an address is 0 to 65535, a range is written in quotes: "0..9"',
        )
        return None
    first = int(found[1])
    last = int(found[2]) if found[2] else first
    if last > 65535 or last < first:
        reporter.report(
            "E0615",
            f"the range {name} ends before it begins"
            if last < first
            else f"Modbus addresses go up to 65535, this is {last}",
            node.key,
            help=_reference_number(table, first),
        )
        return None
    if not isinstance(node.value, str):
        reporter.report(
            "E0603",
            "what a Modbus address maps must be text",
            node.span,
            help='a variable or an address, as "main.level" or "%MW0", with :rw to allow writing',
        )
        return None
    text = node.value.strip()
    writable = False
    path, colon, suffix = text.partition(":")
    path = path.strip()
    if colon:
        if suffix.strip().lower() not in ("rw", "ro"):
            reporter.report(
                "E0604",
                f"':{suffix}' is not an access",
                node.span,
                help='":ro" to read, ":rw" to read and write',
            )
            return None
        writable = suffix.strip().lower() == "rw"
    if writable and table not in _WRITABLE:
        other = "coils" if table in _BITS else "holding"
        reporter.report(
            "E0618",
            f"Modbus has no function that writes to '{table}'",
            node.span,
            help=f"put it under '{other}', or leave ':rw' out",
        )
        return None
    target = _check_target(table, path, node, writable, reporter)
    if target is None:
        return None
    count = last - first + 1 if found[2] else None
    if isinstance(target, Address) and not _fits(target, count, node, reporter):
        return None
    return Entry(table, first, count, target, writable, node.key, node.span)


def _check_target(
    table: str, path: str, node: Node, writable: bool, reporter: Reporter
) -> Address | str | None:
    if not path:
        reporter.report("E0604", "this maps nothing", node.span, help="name a variable")
        return None
    if not path.startswith("%"):
        return path
    address = parse_address(path)
    if isinstance(address, str):
        reporter.report("E0607", f"'{path}' is not an address", node.span, help=address)
        return None
    if (address.size == "X") != (table in _BITS):
        what = "bits" if table in _BITS else "registers"
        example = f"%{address.area}{'X0.0' if table in _BITS else 'W0'}"
        reporter.report(
            "E0616",
            f"'{table}' holds {what}, {address} is {'a bit' if address.size == 'X' else 'none'}",
            node.span,
            help=f"map an address such as {example}",
        )
        return None
    if writable and address.area == "I":
        reporter.report(
            "E0618",
            f"{address} is an input: the wires write it, not Modbus",
            node.span,
            help="leave ':rw' out",
        )
        return None
    return address


def _fits(target: Address, count: int | None, node: Node, reporter: Reporter) -> bool:
    """Does the range hold whole values, and end where addresses end?"""
    each = REGISTERS.get(target.size, 1)
    if count is not None and count % each:
        reporter.report(
            "E0615",
            f"{count} registers do not hold whole values of {target}",
            node.key,
            help=f"each takes {each} registers",
        )
        return False
    if target.size == "X":
        last = (target.index * 8 + (target.bit or 0) + (count or 1) - 1) // 8
    else:
        last = target.index + (count or each) // each - 1
    if last > LAST:
        reporter.report(
            "E0607",
            f"the range ends at element {last} of %{target.area}{target.size}",
            node.span,
            help=f"addresses go up to {LAST}",
        )
        return False
    return True


def _reference_number(table: str, first: int) -> str:
    """Help for those who typed a five- or six-digit reference such as 40001."""
    for digit, name in (("0", "coils"), ("1", "discrete"), ("3", "input"), ("4", "holding")):
        text = str(first)
        if len(text) == 6 and text[0] == digit and 1 <= int(text[1:]) <= 65536:
            return f"{text} is address {int(text[1:]) - 1} of '{name}'"
    return ""
