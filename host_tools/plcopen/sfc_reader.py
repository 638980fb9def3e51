"""Reads the elements of SFC bodies: steps, transitions, branches, action blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from host_tools.plcopen import model
from host_tools.plcopen.document import Element
from host_tools.plcopen.graph_reader import CHART, ItemReader
from host_tools.plcopen.model import ChartItem
from host_tools.plcopen.report import Report, Stop

_POINTS = {"connectionPointIn", "connectionPointOut"}
_QUALIFIERS = ("N", "R", "S", "L", "D", "P", "P0", "P1", "SD", "DS", "SL")
ReadBody = Callable[[Element], Iterable[model.Body]]


def read_chart(
    body: Element,
    report: Report,
    vendor_data: Callable[[Element], None],
    read_body: ReadBody,
) -> Iterator[ChartItem]:
    """The elements of a chart, in the order in which they stand there."""
    reader = _ChartReader(report, vendor_data, read_body)
    seen: set[str] = set()
    for element in body.children:
        if element.name not in CHART:
            continue
        try:
            item = reader.chart_item(element)
        except Stop:
            continue
        if item.id in seen:
            report.error(element.place, f'localId="{item.id}" is there twice')
            continue
        seen.add(item.id)
        yield item


class _ChartReader(ItemReader):
    def __init__(
        self, report: Report, vendor_data: Callable[[Element], None], read_body: ReadBody
    ) -> None:
        super().__init__(report, vendor_data)
        self.read_body = read_body

    def chart_item(self, element: Element) -> ChartItem:
        kind = element.name
        if kind == "macroStep":
            raise self.report.stop(
                element.place,
                f"the macro step '{element.get('name')}' cannot be translated",
                "put its steps into the chart itself, or into a function block with a chart",
            )
        known = set(_POINTS)
        if kind == "step":
            known.add("connectionPointOutAction")
        elif kind == "transition":
            known.add("condition")
        elif kind == "actionBlock":
            known.add("action")
        self.known(element, known)
        id_ = element.get("localId").strip()
        if not id_:
            raise self.report.stop(element.place, "'localId' is missing")
        inputs = tuple(self.pin(p, element, "", "") for p in element.all("connectionPointIn"))
        x, y = self.position(element)
        name = element.get("targetName" if kind == "jumpStep" else "name").strip()
        if kind == "transition":
            return self.transition(element, id_, inputs, x, y)
        uses = [self.use(a) for a in element.all("action")]
        return ChartItem(
            kind,
            id_,
            name,
            element.place,
            inputs,
            initial=kind == "step" and self.flag(element, "initialStep"),
            uses=tuple(u for u in uses if u is not None),
            x=x,
            y=y,
            comment=self.comment(element),
        )

    def transition(
        self, element: Element, id_: str, inputs: tuple[model.Pin, ...], x: float, y: float
    ) -> ChartItem:
        reference, inline, power, negated = "", None, None, False
        condition = element.child("condition")
        if condition is not None:
            self.known(condition, {"reference", "inline", "connectionPointIn", "connection"})
            negated = self.flag(condition, "negated")
            reference, inline = self.named(condition)
            point = condition.child("connectionPointIn")
            if point is None and condition.child("connection") is not None:
                point = condition  # as version 1.01 has it
            if point is not None:
                power = self.pin(point, condition, "", "")
        return ChartItem(
            "transition",
            id_,
            "",
            element.place,
            inputs,
            priority=self.priority(element),
            reference=reference,
            inline=inline,
            power=power,
            negated=negated,
            x=x,
            y=y,
            comment=self.comment(element),
        )

    def priority(self, element: Element) -> int | None:
        text = element.get("priority").strip()
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            self.report.error(element.place, f'priority="{text}" is not a number')
            return None
        return int(text) if text else None

    def named(self, element: Element) -> tuple[str, model.Body | None]:
        """What a condition or an action refers to, or what stands in it."""
        reference = element.child("reference")
        if reference is not None:
            return reference.get("name").strip(), None
        inline = element.child("inline")
        if inline is None:
            return "", None
        bodies = list(self.read_body(inline))
        if len(bodies) != 1:
            raise self.report.stop(inline.place, "'inline' holds exactly one body")
        return "", bodies[0]

    def use(self, element: Element) -> model.ActionUse | None:
        self.known(element, {"reference", "inline", "relPosition", *_POINTS})
        qualifier = element.get("qualifier").strip() or "N"
        if qualifier not in _QUALIFIERS:
            self.report.error(
                element.place,
                f'qualifier="{qualifier}" is not known',
                f"the standard has {', '.join(_QUALIFIERS)}",
            )
            return None
        try:
            reference, inline = self.named(element)
        except Stop:
            return None
        if not reference and inline is None:
            self.report.error(element.place, "the action has no name and no body")
            return None
        return model.ActionUse(
            element.place,
            reference,
            inline,
            qualifier,
            element.get("duration").strip(),
            element.get("indicator").strip(),
        )
