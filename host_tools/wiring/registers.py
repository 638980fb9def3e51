"""Makes the rows of bus/modbus/map.py out of the tables of a Modbus server."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.variables import Variable, Variables
from host_tools.wiring.addresses import Address
from host_tools.wiring.modbus_map import AUTOMATIC, TABLES, Entry, ModbusMap
from host_tools.wiring.places import NotFound, element_count, find, scalar_kind

_REGISTERS = {
    "b1": 1,
    "u8": 1,
    "i8": 1,
    "u16": 1,
    "i16": 1,
    "u32": 2,
    "i32": 2,
    "f32": 2,
    "u64": 4,
    "i64": 4,
    "f64": 4,
}
_AREA_KINDS = {"B": "u8", "W": "u16", "D": "u32", "L": "u64"}

Row = list[Any]


def modbus_rows(tables: ModbusMap, layout: dict[str, Any], reporter: Reporter) -> list[Row]:
    """All rows of the map, ordered by table and address."""
    low_first = tables.low_first
    made: dict[str, list[tuple[Row, Entry]]] = {table: [] for table in TABLES}
    for entry in tables.entries:
        row = (
            _area_row(entry, layout, low_first)
            if isinstance(entry.target, Address)
            else _variable_row(entry, entry.target, layout, low_first, reporter)
        )
        if row is None:
            continue
        if row[1] + row[2] > 65536:
            reporter.report(
                "E0615",
                f"the {row[2]} addresses from {row[1]} go beyond 65535",
                entry.key,
            )
            continue
        made[entry.table].append((row, entry))
    rows: list[Row] = []
    for table, pairs in made.items():
        pairs.sort(key=lambda pair: (pair[0][1], pair[1].key.start))
        for (row, entry), (next_row, next_entry) in pairwise(pairs):
            if next_row[1] < row[1] + row[2]:
                _report_overlap(table, row, entry, next_row, next_entry, reporter)
        rows += [row for row, _ in pairs]
    for table, first, area, most, writable in AUTOMATIC:
        if table in tables.automatic:
            rows += _automatic_row(table, first, area, most, writable, layout, low_first)
    return rows


def _report_overlap(
    table: str, row: Row, entry: Entry, next_row: Row, next_entry: Entry, reporter: Reporter
) -> None:
    # The one that stands later in the file is the one to complain about.
    late, early = (next_entry, entry)
    if late.key.start < early.key.start:
        late, early = early, late
    reporter.report(
        "E0617",
        f"'{table}' has two variables at address {next_row[1]}",
        late.key,
        label=f"{late.target}",
        others=[Label(early.key, f"{early.target}")],
        help=f"{entry.target} takes {row[1]} to {row[1] + row[2] - 1}",
    )


def _automatic_row(
    table: str,
    first: int,
    area: str,
    most: int,
    writable: bool,
    layout: dict[str, Any],
    low_first: bool,
) -> list[Row]:
    offset, size = layout["areas"].get(area, (0, 0))
    if not size:
        return []
    if area.endswith("X"):
        return [[TABLES[table], first, min(size * 8, most), offset, 0, 1, writable]]
    kind = _AREA_KINDS[area[1]]
    return [[TABLES[table], first, min(size // 2, most), offset, kind, writable, low_first]]


def _area_row(entry: Entry, layout: dict[str, Any], low_first: bool) -> Row:
    address = entry.target
    assert isinstance(address, Address)
    offset = address.offset(layout["areas"])
    assert offset is not None, "the compiler was told the least sizes of the areas"
    name = TABLES[entry.table]
    if address.size == "X":
        bit = address.bit or 0
        return [name, entry.first, entry.count or 1, offset, bit, 1, entry.writable]
    kind = _AREA_KINDS[address.size]
    count = entry.count or _REGISTERS[kind]
    return [name, entry.first, count, offset, kind, entry.writable, low_first]


def _variable_row(
    entry: Entry, path: str, layout: dict[str, Any], low_first: bool, reporter: Reporter
) -> Row | None:
    place = find(Variables(layout), path)
    if isinstance(place, NotFound):
        reporter.report("E0613", place.text, entry.span, help=place.help)
        return None
    if entry.writable and not _may_write(place, layout, entry, reporter):
        return None
    is_array = isinstance(place.type, list) and place.type[0] == "array"
    element = place.type[2] if is_array else place.type
    kind = scalar_kind(element, layout["types"])
    count = element_count(place.type)
    name = TABLES[entry.table]
    if kind is None or (entry.bits and kind != "b1"):
        what = "coils and discrete inputs show BOOL" if entry.bits else "registers show numbers"
        is_a = element if isinstance(element, str) else str(element[0]).upper()
        reporter.report(
            "E0616",
            f"{what}, '{place.path}' is {'ARRAY OF ' if is_array else ''}{is_a}",
            entry.span,
            help="map its elements one by one" if kind is None else "map it under 'holding'",
        )
        return None
    if place.bit is not None and not entry.bits:
        reporter.report(
            "E0616",
            f"'{place.path}' is one bit of a byte, a register cannot show it alone",
            entry.span,
            help="map it under 'coils' or 'discrete'",
        )
        return None
    each = 1 if entry.bits else _REGISTERS[kind]
    if entry.count is not None:
        if entry.count % each or entry.count > count * each:
            reporter.report(
                "E0615",
                f"{entry.count} addresses do not fit '{place.path}', which takes {count * each}",
                entry.key,
                help=f'write "{entry.first}..{entry.first + count * each - 1}", or {entry.first}',
            )
            return None
        count = entry.count // each
    if entry.bits:
        stride = 8 if place.bit is None else 1
        return [name, entry.first, count, place.offset, place.bit or 0, stride, entry.writable]
    shown = "bool" if kind == "b1" else kind
    return [name, entry.first, count * each, place.offset, shown, entry.writable, low_first]


def _may_write(place: Variable, layout: dict[str, Any], entry: Entry, reporter: Reporter) -> bool:
    if place.read_only:
        reporter.report(
            "E0618",
            f"'{place.path}' is an access path READ_ONLY",
            entry.span,
            help="leave ':rw' out, or declare it READ_WRITE",
        )
        return False
    for name, (offset, size) in layout["areas"].items():
        if name.startswith("I") and offset <= place.offset < offset + size:
            reporter.report(
                "E0618",
                f"'{place.path}' is an input: the wires write it, not Modbus",
                entry.span,
                help="leave ':rw' out",
            )
            return False
    return True
