"""Reads the graphical elements of FBD and LD bodies into items with pins and links."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from host_tools.plcopen.document import Element, text_lines
from host_tools.plcopen.model import Item, Link, Pin
from host_tools.plcopen.report import Report, Stop

_COMMON = {"position", "addData", "documentation"}
_KNOWN = {
    "block": {"inputVariables", "inOutVariables", "outputVariables"},
    "inVariable": {"connectionPointOut", "expression"},
    "outVariable": {"connectionPointIn", "expression"},
    "inOutVariable": {"connectionPointIn", "connectionPointOut", "expression"},
    "connector": {"connectionPointIn"},
    "continuation": {"connectionPointOut"},
    "label": set(),
    "jump": {"connectionPointIn"},
    "return": {"connectionPointIn"},
    "leftPowerRail": {"connectionPointOut"},
    "rightPowerRail": {"connectionPointIn"},
    "contact": {"connectionPointIn", "connectionPointOut", "variable"},
    "coil": {"connectionPointIn", "connectionPointOut", "variable"},
    "comment": {"content"},
}
CHART = frozenset(
    {"step", "macroStep", "jumpStep", "transition", "actionBlock", "selectionDivergence",
     "selectionConvergence", "simultaneousDivergence", "simultaneousConvergence"}
)  # fmt: skip
"""The elements of SFC; what else stands in its bodies are elements of FBD and LD."""
_LADDER = {"leftPowerRail", "rightPowerRail", "contact", "coil"}


def read_items(
    body: Element, report: Report, vendor_data: Callable[[Element], None]
) -> Iterator[Item]:
    """The FBD and LD items of a body; what is not understood is reported."""
    reader = ItemReader(report, vendor_data)
    seen: set[str] = set()
    for element in body.children:
        if element.name in ("addData", "documentation"):
            continue
        if body.name == "SFC" and element.name in CHART:
            continue
        if element.name in _LADDER and body.name == "FBD":
            report.error(element.place, f"'{element.name}' does not belong into FBD")
            continue
        try:
            item = reader.item(element)
        except Stop:
            continue
        if item.id in seen:
            report.error(element.place, f'localId="{item.id}" is there twice')
            continue
        seen.add(item.id)
        yield item


class ItemReader:
    def __init__(self, report: Report, vendor_data: Callable[[Element], None]) -> None:
        self.report = report
        self.vendor_data = vendor_data

    def item(self, element: Element) -> Item:
        kind = element.name
        if kind == "vendorElement":
            return self.vendor_element(element)
        if kind not in _KNOWN:
            raise self.report.stop(
                element.place,
                f"'{kind}' cannot be translated",
                "it belongs to SFC" if kind in CHART else "",
            )
        self.known(element, _KNOWN[kind])
        id_ = element.get("localId").strip()
        if not id_:
            raise self.report.stop(element.place, "'localId' is missing")
        x, y = self.position(element)
        inputs: tuple[Pin, ...] = ()
        in_outs: tuple[Pin, ...] = ()
        outputs: tuple[Pin, ...] = ()
        if kind == "block":
            inputs = self.pins(element, "inputVariables")
            in_outs = self.pins(element, "inOutVariables")
            outputs = self.pins(element, "outputVariables")
        elif kind in ("inOutVariable", "outVariable", "coil", "contact", "connector", "jump",
                      "return", "rightPowerRail"):  # fmt: skip
            suffix = "In" if kind == "inOutVariable" else ""
            points = element.all("connectionPointIn")
            if len(points) > 1 and kind != "rightPowerRail":
                self.report.error(points[1].place, f"'{kind}' has one input")
            inputs = tuple(self.pin(p, element, "", suffix) for p in points)
        if kind == "inOutVariable":
            outputs = (self.pin(None, element, "", "Out"),)
        return Item(
            kind,
            id_,
            self.what(element),
            element.place,
            inputs,
            in_outs,
            outputs,
            element.get("instanceName").strip() or None,
            self.flag(element, "negated"),
            self.choice(element, "edge", ("rising", "falling")),
            self.choice(element, "storage", ("set", "reset")),
            self.order(element),
            x,
            y,
            self.comment(element),
        )

    def vendor_element(self, element: Element) -> Item:
        """One without connections is text that a tool shows; others do something unknown."""
        said = element.child("alternativeText")
        lines = tuple(x.text for x in text_lines(said)) if said is not None else ()
        for name in ("inputVariables", "inOutVariables", "outputVariables"):
            holder = element.child(name)
            if holder is not None and holder.children:
                raise self.report.stop(
                    element.place,
                    "a vendor's own element cannot be translated"
                    + "".join(f": {x}" for x in lines),
                    "replace it by elements of the standard",
                )
        for child in element.all("addData"):
            self.vendor_data(child)
        x, y = self.position(element)
        return Item("comment", element.get("localId"), "", element.place, x=x, y=y, comment=lines)

    def known(self, element: Element, names: set[str]) -> None:
        for child in element.children:
            if child.name == "addData":
                self.vendor_data(child)
            elif child.name not in names and child.name not in _COMMON:
                self.report.error(
                    child.place, f"'{child.name}' is not known inside '{element.name}'"
                )

    def what(self, element: Element) -> str:
        kind = element.name
        if kind in ("contact", "coil"):
            child = element.child("variable")
        elif kind in ("inVariable", "outVariable", "inOutVariable"):
            child = element.child("expression")
        else:
            attribute = {"block": "typeName", "label": "label", "jump": "label"}.get(kind, "name")
            return element.get(attribute).strip()
        if child is None or not child.text:
            raise self.report.stop(element.place, f"'{kind}' names no variable")
        return child.text

    def comment(self, element: Element) -> tuple[str, ...]:
        lines: list[str] = []
        for name in ("content", "documentation"):
            for child in element.all(name):
                lines += [x.text for x in text_lines(child)]
        return tuple(lines)

    # --- pins ----------------------------------------------------------------------------------

    def pins(self, element: Element, group: str) -> tuple[Pin, ...]:
        found: list[Pin] = []
        for holder in element.all(group):
            self.known(holder, {"variable"})
            for variable in holder.all("variable"):
                self.known(variable, {"connectionPointIn", "connectionPointOut"})
                source = (
                    "connectionPointOut" if group == "outputVariables" else "connectionPointIn"
                )
                point = variable.child(source)
                formal = variable.get("formalParameter").strip()
                found.append(self.pin(point, variable, formal, ""))
        return tuple(found)

    def pin(self, point: Element | None, owner: Element, formal: str, suffix: str) -> Pin:
        """The pin at a connection point; `owner` has its modifiers."""
        links: list[Link] = []
        expression: str | None = None
        if point is not None:
            self.known(point, {"relPosition", "connection", "expression"})
            for link in point.all("connection"):
                self.known(link, set())
                ref = link.get("refLocalId").strip()
                if not ref:
                    self.report.error(link.place, "'refLocalId' is missing")
                    continue
                links.append(Link(ref, link.get("formalParameter").strip() or None, link.place))
            text = point.child("expression")
            expression = (text.text or None) if text is not None else None
        # What stands at an item that is not a block belongs to the item, not to the pin.
        mine = owner.name in ("variable", "inOutVariable")
        return Pin(
            formal,
            owner.place,
            tuple(links),
            expression,
            mine and self.flag(owner, f"negated{suffix}"),
            self.choice(owner, f"edge{suffix}", ("rising", "falling")) if mine else "",
            self.choice(owner, f"storage{suffix}", ("set", "reset")) if mine else "",
        )

    # --- attributes ----------------------------------------------------------------------------

    def flag(self, element: Element, attribute: str) -> bool:
        value = element.get(attribute, "false").strip()
        if value not in ("true", "false", "0", "1"):
            self.report.error(element.place, f'{attribute}="{value}" is neither true nor false')
        return value in ("true", "1")

    def choice(self, element: Element, attribute: str, known: tuple[str, ...]) -> str:
        value = element.get(attribute, "none").strip()
        if value in ("none", ""):
            return ""
        if value not in known:
            self.report.error(
                element.place,
                f'{attribute}="{value}" is not known',
                f"none, {' or '.join(known)}",
            )
        return value

    def order(self, element: Element) -> int | None:
        value = element.get("executionOrderId").strip()
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            self.report.error(element.place, f'executionOrderId="{value}" is not a number')
            return None
        return int(value)

    def position(self, element: Element) -> tuple[float, float]:
        place = element.child("position")
        if place is None:
            return 0.0, 0.0
        try:
            x, y = float(place.get("x", "0")), float(place.get("y", "0"))
        except ValueError:
            x = math.nan
            y = math.nan
        if not (math.isfinite(x) and math.isfinite(y)):
            self.report.error(place.place, "the position is not a pair of numbers")
            return 0.0, 0.0
        return x, y
