"""SFC bodies to textual SFC: lines become FROM and TO, conditions expressions, blocks actions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from host_tools.compiler.tree import fold
from host_tools.plcopen import model
from host_tools.plcopen.document import Line
from host_tools.plcopen.expressions import negation, read_expression, show
from host_tools.plcopen.graph import translate_graph
from host_tools.plcopen.il import translate_il
from host_tools.plcopen.model import Body, ChartItem, Item, Link, NamedBody, Pin
from host_tools.plcopen.reader import is_name
from host_tools.plcopen.report import Place, Report, Stop
from host_tools.plcopen.scope import Scope
from host_tools.plcopen.statements import comment_lines
from host_tools.plcopen.structure import indented

_RESULT = "TRANSITION_RESULT"
_TIMED = ("L", "D", "SD", "DS", "SL")


def translate_chart(body: Body, scope: Scope, report: Report) -> list[str]:
    """The steps, transitions and inline actions of an SFC body. Raises Stop after an error."""
    before = len(report.remarks)
    lines = _Chart(body, scope, report).translate()
    if any(r.severity == "error" for r in report.remarks[before:]):
        raise Stop("SFC")
    return lines


def translate_actions(pou: model.Pou, scope: Scope, report: Report) -> list[str]:
    """The ACTION blocks of a POU."""
    lines: list[str] = []
    for action in pou.actions:
        inner: list[str] = []
        for body in action.bodies:
            try:
                inner += statements_of(body, scope, report)
            except Stop:
                continue
        lines += [*comment_lines(action.comment), *_block(action.name, inner)]
    return lines


def statements_of(body: Body, scope: Scope, report: Report) -> list[str]:
    """The statements of the body of an action."""
    if body.language == "ST":
        return [line.text for line in body.lines]
    if body.language == "IL":
        return translate_il(body.lines, scope, report)
    if body.language in ("FBD", "LD"):
        return translate_graph(body, scope, report)
    raise report.stop(
        body.place,
        "an action in SFC cannot be translated",
        "put the chart into a function block and call an instance of it in the action",
    )


def _block(name: str, lines: Iterable[str]) -> list[str]:
    return [f"ACTION {name}:", *indented(list(lines)), "END_ACTION"]


class _Chart:
    def __init__(self, body: Body, scope: Scope, report: Report) -> None:
        self.body = body
        self.scope = scope
        self.report = report
        self.items = {item.id: item for item in body.chart}
        self.steps = [item for item in body.chart if item.kind == "step"]
        self.named = {fold(t.name): t for t in scope.pou.transitions}
        self.sources: dict[str, list[str]] = {}
        self.targets: dict[str, list[str]] = {}
        self.inline: list[str] = []
        references = [fold(t.reference) for t in body.chart if t.reference]
        self.used: set[str] = set()
        self.is_misplaced = False
        self.once = {r for r in references if references.count(r) == 1}

    def translate(self) -> list[str]:
        if not self.steps:
            raise self.report.stop(
                self.body.place, f"the SFC of {self.scope.pou.name} has no steps"
            )
        self._check_names()
        self._connect()
        uses = self._uses()
        lines: list[str] = []
        transitions = [item for item in self.body.chart if item.kind == "transition"]
        transitions.sort(key=lambda t: t.x)  # from left to right, as the standard tries them
        written: set[str] = set()
        done: set[str] = set()
        for step in self._in_sequence(transitions):
            lines += self._step(step, uses.get(step.id, []))
            written.add(fold(step.name))
            for t in transitions:
                sources = {fold(s) for s in self.sources.get(t.id, ())}
                if t.id not in done and sources and sources <= written:
                    done.add(t.id)
                    lines += self._transition(t)
        return [*self._rest(), *lines, *self.inline]

    def _rest(self) -> list[str]:
        """The comments of the chart; other elements that no condition uses are errors."""
        lines: list[str] = []
        for item in sorted(self.body.items, key=lambda i: (i.y, i.x)):
            if item.kind == "comment":
                lines += comment_lines(item.comment)
            elif item.id not in self.used and not item.kind.endswith("PowerRail"):
                self.report.error(
                    item.place,
                    f"this '{item.kind}' belongs to no transition",
                    "put it into an action",
                )
        return lines

    def _check_names(self) -> None:
        seen: set[str] = set()
        for step in self.steps:
            if not is_name(step.name):
                self.report.error(step.place, f"'{step.name}' is not a name of a step")
            elif fold(step.name) in seen:
                self.report.error(step.place, f"step '{step.name}' is there twice")
            seen.add(fold(step.name))

    # --- lines ---------------------------------------------------------------------------------

    def _before(self, item: ChartItem) -> list[ChartItem]:
        found = []
        for pin in item.inputs:
            for link in pin.links:
                other = self.items.get(link.ref)
                if other is None:
                    self.report.error(link.place, f"there is no step or branch {link.ref}")
                else:
                    found.append(other)
        return found

    def _connect(self) -> None:
        """Which steps each transition leaves and activates."""
        for item in self.body.chart:
            if item.kind == "transition":
                self.sources[item.id] = list(dict.fromkeys(self._left_by(item, set())))
            elif item.kind in ("step", "jumpStep"):
                name = self._target(item)
                for t in self._activating(item, set()):
                    known = self.targets.setdefault(t.id, [])
                    if name not in known:
                        known.append(name)
        for item in self.body.chart:
            if item.kind != "transition" or self.is_misplaced:
                continue
            if not self.sources[item.id]:
                self.report.error(item.place, "no step leads to this transition")
            elif item.id not in self.targets:
                self.report.error(item.place, "this transition leads to no step")

    def _target(self, item: ChartItem) -> str:
        if item.kind == "step":
            return item.name
        for step in self.steps:
            if fold(step.name) == fold(item.name):
                return step.name
        self.report.error(item.place, f"there is no step '{item.name}' to jump to")
        return item.name

    def _left_by(self, item: ChartItem, seen: set[str]) -> list[str]:
        found = []
        for other in self._before(item):
            if other.id in seen:
                continue
            seen.add(other.id)
            if other.kind == "step":
                found.append(other.name)
            elif other.kind in ("simultaneousConvergence", "selectionDivergence"):
                found += self._left_by(other, seen)
            else:
                self._misplaced(item, other)
        return found

    def _activating(self, item: ChartItem, seen: set[str]) -> list[ChartItem]:
        found = []
        for other in self._before(item):
            if other.id in seen:
                continue
            seen.add(other.id)
            if other.kind == "transition":
                found.append(other)
            elif other.kind in ("simultaneousDivergence", "selectionConvergence"):
                found += self._activating(other, seen)
            else:
                self._misplaced(item, other)
        return found

    def _misplaced(self, item: ChartItem, other: ChartItem) -> None:
        self.is_misplaced = True
        self.report.error(
            item.place,
            f"a '{item.kind}' cannot follow a '{other.kind}'",
            "steps and transitions take turns",
        )

    def _in_sequence(self, transitions: list[ChartItem]) -> list[ChartItem]:
        """The steps as they follow each other, from the initial ones."""
        by_name = {fold(s.name): s for s in self.steps}
        order: dict[str, ChartItem] = {}

        def visit(first: ChartItem) -> None:
            todo = [first]
            while todo:
                step = todo.pop(0)
                if step.id in order:
                    continue
                order[step.id] = step
                for t in transitions:
                    if any(fold(s) == fold(step.name) for s in self.sources.get(t.id, ())):
                        names = [fold(n) for n in self.targets.get(t.id, ())]
                        todo += [by_name[n] for n in names if n in by_name]

        for step in sorted(self.steps, key=lambda s: not s.initial):
            visit(step)
        return list(order.values())

    # --- steps ---------------------------------------------------------------------------------

    def _uses(self) -> dict[str, list[model.ActionUse]]:
        found: dict[str, list[model.ActionUse]] = {}
        for item in self.body.chart:
            if item.kind != "actionBlock":
                continue
            steps = [other for other in self._before(item) if other.kind == "step"]
            if not steps:
                self.report.error(item.place, "this action block belongs to no step")
            for step in steps:
                found.setdefault(step.id, []).extend(item.uses)
        return found

    def _step(self, step: ChartItem, uses: list[model.ActionUse]) -> list[str]:
        inner = []
        for number, use in enumerate(uses):
            try:
                inner.append(self._association(step, number, use))
            except Stop:
                continue
        word = "INITIAL_STEP" if step.initial else "STEP"
        return [
            *comment_lines(step.comment),
            f"{word} {step.name}:",
            *indented(inner),
            "END_STEP",
        ]

    def _association(self, step: ChartItem, number: int, use: model.ActionUse) -> str:
        name = use.reference
        if use.inline is not None:
            name = self.scope.reserve(f"{step.name}_{use.qualifier}", f"_{number + 1}")
            lines = statements_of(use.inline, self.scope, self.report)
            self.inline += _block(name, lines)
        elif not is_name(name):
            raise self.report.stop(
                use.place,
                f"'{name}' is not the name of an action or a variable",
                "let an action of the POU assign to it",
            )
        given = [use.qualifier]
        if use.qualifier in _TIMED:
            given.append(self._duration(use))
        if use.indicator:
            given.append(use.indicator)
        return f"{name}({', '.join(given)});"

    def _duration(self, use: model.ActionUse) -> str:
        text = use.duration.replace("_", "") if "#" in use.duration else use.duration
        e = read_expression(text) if text else None
        if e is None:
            raise self.report.stop(
                use.place,
                f"qualifier {use.qualifier} needs a duration"
                + (f", and '{use.duration}' is none" if use.duration else ""),
                'write duration="T#5s"',
            )
        return show(e)

    # --- transitions ---------------------------------------------------------------------------

    def _transition(self, t: ChartItem) -> list[str]:
        try:
            name, condition = self._condition(t)
        except Stop:
            return []
        head = ["TRANSITION"]
        if name:
            head.append(name)
        if t.priority is not None:
            head.append(f"(PRIORITY := {t.priority})")
        sides = [
            one[0] if len(one) == 1 else f"({', '.join(one)})"
            for one in (self.sources[t.id], self.targets.get(t.id, ["?"]))
        ]
        head += ["FROM", sides[0], "TO", sides[1], ":=", f"{condition};"]
        return [*comment_lines(t.comment), " ".join(head), "END_TRANSITION"]

    def _condition(self, t: ChartItem) -> tuple[str, str]:
        """The name of a transition, where it has one, and its condition."""
        name, text = "", ""
        part = self.named.get(fold(t.reference))
        if part is not None:
            if fold(part.name) in self.once:
                name = part.name
            text = self._named_condition(part)
        elif t.reference:
            text = self._expression(t.reference, t.place)
        elif t.inline is not None:
            text = self._value(t.inline, "")
        elif t.power is not None:
            text = self._connected(t.power, t.place)
        else:
            raise self.report.stop(t.place, "the transition has no condition", "TRUE is one")
        if t.negated:
            e = read_expression(text)
            text = show(negation(e)) if e is not None else f"NOT ({text})"
        return name, text

    def _named_condition(self, part: NamedBody) -> str:
        if len(part.bodies) != 1:
            raise self.report.stop(part.place, f"transition '{part.name}' has no condition")
        return self._value(part.bodies[0], part.name)

    def _expression(self, text: str, place: Place) -> str:
        e = read_expression(text)
        if e is None:
            raise self.report.stop(place, f"'{text}' is not an expression of ST")
        return text

    def _value(self, body: Body, name: str) -> str:
        """The condition that a body gives: an expression, or what it assigns to its name."""
        if body.language == "ST":
            text = " ".join(line.text.strip() for line in body.lines).strip()
            text = re.sub(r"^(?:[^\W\d]\w*)?\s*:=", "", text).strip().removesuffix(";").strip()
            return self._expression(text, body.place)
        if body.language == "IL":
            end = Line(f"ST {_RESULT}", body.place)
            result = [] if self._stores(body, name) else [end]
            lines = translate_il([*body.lines, *result], self.scope, self.report)
        elif body.language in ("FBD", "LD"):
            lines = translate_graph(body, self.scope, self.report)
        else:
            raise self.report.stop(body.place, "a condition in SFC cannot be translated")
        return self._assigned(lines, name, body.place)

    def _stores(self, body: Body, name: str) -> bool:
        """Whether the last instruction of IL stores to the name of the transition."""
        last = body.lines[-1].text.split() if body.lines else []
        return bool(name) and [fold(w) for w in last[:2]] == ["ST", fold(name)]

    def _assigned(self, lines: list[str], name: str, place: Place) -> str:
        """The value of the only assignment there is."""
        code = [line for line in lines if line.strip() and not line.lstrip().startswith("//")]
        found = re.fullmatch(r"([^\W\d]\w*) := (.*);", code[0]) if len(code) == 1 else None
        if found is None:
            raise self.report.stop(
                place,
                "this condition needs more than an expression",
                "call blocks in an action, and read their outputs here",
            )
        target = fold(found[1])
        if name and target not in (fold(name), _RESULT):
            raise self.report.stop(place, f"nothing is assigned to '{name}' here")
        return found[2]

    def _connected(self, power: Pin, place: Place) -> str:
        """The value of the network that a condition is connected to."""
        by_id = {item.id: item for item in self.body.items}
        needed: dict[str, Item] = {}
        todo: list[Link] = list(power.links)
        while todo:
            link = todo.pop()
            item = by_id.get(link.ref)
            if item is None:
                raise self.report.stop(link.place, f"there is no element with localId {link.ref}")
            self.used.add(link.ref)
            if item.id not in needed:
                needed[item.id] = item
                for pin in (*item.inputs, *item.in_outs):
                    todo += pin.links
        if not power.links:
            raise self.report.stop(place, "the transition has no condition", "connect it")
        end = Item("outVariable", "transition", _RESULT, place, (replace(power, place=place),))
        ladder = any(i.kind in ("contact", "leftPowerRail") for i in needed.values())
        items = [i for i in self.body.items if i.id in needed]
        body = Body("LD" if ladder else "FBD", place, (), (*items, end))
        return self._assigned(translate_graph(body, self.scope, self.report), "", place)
