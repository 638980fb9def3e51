"""FBD and LD bodies to ST: power flow and links become expressions, elements statements."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.compiler.tree import fold
from host_tools.plcopen import model
from host_tools.plcopen.expressions import (
    OPERATORS,
    TRUE,
    argument,
    call,
    chain,
    identifier,
    member,
    name,
    negation,
    read_place,
    root_name,
    show,
)
from host_tools.plcopen.flow import Flow, where
from host_tools.plcopen.model import Item, Pin
from host_tools.plcopen.network import Network
from host_tools.plcopen.report import Report, Stop
from host_tools.plcopen.scope import BOOL, Scope, is_standard_block, is_standard_function
from host_tools.plcopen.statements import Held
from host_tools.plcopen.structure import Jump, Mark


def translate_graph(body: model.Body, scope: Scope, report: Report) -> list[str]:
    """The lines of ST for a body in FBD or LD. Raises Stop after an error was reported."""
    before = len([r for r in report.remarks if r.severity == "error"])
    network = Network(body.items, report)
    if len([r for r in report.remarks if r.severity == "error"]) > before:
        raise Stop("network")
    graph = _Graph(network, scope, report, body.language == "LD")
    graph.translate()
    return graph.statements.lines()


class _Graph:
    """Goes through the elements in their order and writes the statements they stand for."""

    def __init__(self, network: Network, scope: Scope, report: Report, is_ladder: bool) -> None:
        self.network = network
        self.scope = scope
        self.report = report
        self.flow = Flow(network, scope, report, is_ladder)
        self.statements = self.flow.statements
        self.position = {item.id: k for k, item in enumerate(network.order)}
        self.in_if: set[str] = set()

    def translate(self) -> None:
        failed = False
        comments = self.network.comments_before()
        for item in self.network.order:
            for said in comments.pop(self.network.group[item.id], ()):
                self.statements.comment(said.comment)
            try:
                self.element(item)
            except Stop:
                failed = True
        for rest in comments.values():
            for said in rest:
                self.statements.comment(said.comment)
        if failed:
            raise Stop("graph")

    def element(self, item: Item) -> None:
        if item.kind in ("leftPowerRail", "rightPowerRail", "connector", "continuation"):
            return
        if item.kind in ("inVariable", "contact"):
            self.check_used(item)
            return
        if item.kind == "block":
            self.block(item)
            return
        self.statements.comment(item.comment)
        if item.kind == "label":
            if not item.name:
                raise self.report.stop(item.place, "the label has no name")
            if self.statements.held and item.name:
                self.refuse_crossing(item)
            self.statements.entries.append(Mark(item.name, item.place))
        elif item.kind == "jump":
            condition = self.flow.input(item, TRUE)
            if not item.name:
                raise self.report.stop(item.place, "the jump names no label")
            condition = negation(condition) if item.negated else condition
            # What is used on both sides of the jump is stored where every way comes by.
            for held in list(self.statements.held):
                self.statements.store(held)
            self.statements.entries.append(
                Jump(None if condition == TRUE else condition, item.name, item.place)
            )
        elif item.kind == "return":
            condition = self.flow.input(item, TRUE)
            condition = negation(condition) if item.negated else condition
            if condition == TRUE:
                self.statements.raw("RETURN;")
            else:
                self.statements.raw(f"IF {show(condition)} THEN", "    RETURN;", "END_IF;")
        elif item.id not in self.in_if:
            self.write(item)

    def refuse_crossing(self, label: Item) -> None:
        """A value from before a label that is jumped to may not be there behind it."""
        jumps = [i for i in self.network.items.values() if i.kind == "jump"]
        if any(fold(j.name) == fold(label.name) for j in jumps) and any(
            not isinstance(held.expr, tree.Name) for held in self.statements.held
        ):
            raise self.report.stop(
                self.statements.held[0].place,
                f"what comes out here is used behind the label '{label.name}'",
                "lead it over a variable",
            )

    def check_used(self, item: Item) -> None:
        if item.id not in self.flow.users:
            self.report.note(
                item.place, f"'{item.name}' leads nowhere, so it is left out of the translation"
            )
        self.flow.read(item)

    def target(self, item: Item) -> tree.Expr:
        e = read_place(item.name)
        if e is None:
            raise self.report.stop(item.place, f"'{item.name}' cannot be assigned to")
        return e

    def write(self, item: Item) -> None:
        """outVariable, inOutVariable and coil."""
        pin = item.inputs[0] if item.inputs else None
        if pin is None or (not pin.links and pin.expression is None):
            if item.kind == "inOutVariable":
                self.flow.read(item)
                return
            raise self.report.stop(item.place, f"nothing is connected to '{item.name}'")
        target = self.target(item)
        value = self.flow.pin(pin, item)
        storage = pin.storage if item.kind == "inOutVariable" else item.storage
        self.flow.put(target, value, item.edge, storage, item.negated, item.place)
        # What an earlier element read from it was the value before.
        old = self.flow.links.pop((item.id, ""), None) if item.kind == "inOutVariable" else None
        if old is not None:
            self.statements.release(old.held)

    def block(self, item: Item) -> None:
        if not item.name:
            raise self.report.stop(item.place, "the block has no type")
        self.statements.comment(item.comment)
        for pin in (*item.inputs, *item.in_outs):
            if pin.storage:
                raise self.report.stop(pin.place, "an input cannot be set or reset")
        enable = self.enable(item)
        if item.instance is not None:
            self.instance(item, enable)
        else:
            self.function(item, enable)
        if enable is not None:
            self.statements.release(enable)
        eno = self.flow.output(item, "ENO")
        if eno is not None:
            value = enable.expr if enable is not None else TRUE
            self.flow.publish(item, eno, value, f"{identifier(item.instance or item.name)}_eno")

    def enable(self, item: Item) -> Held | None:
        """The value at EN; None where it is not connected. ENO has this value, too, so it is held
        until then."""
        pin = next((p for p in item.inputs if fold(p.formal) == "EN"), None)
        if pin is None or (not pin.links and pin.expression is None):
            return None
        value = self.flow.pin(pin, item)
        if value == TRUE:
            return None
        held = self.statements.hold(
            value, f"{identifier(item.name.lower())}_enabled", pin.place, 1, BOOL
        )
        eno = self.flow.output(item, "ENO")
        if eno is None or (self.flow.uses(item.id, "ENO") == 0 and not eno.expression):
            self.statements.release(held)
        return held

    def arguments(self, item: Item, formal: bool) -> list[tree.Argument]:
        """The connected inputs in their order."""
        found: list[tree.Argument] = []
        for pin in (*item.inputs, *item.in_outs):
            if fold(pin.formal) == "EN":
                continue
            if not pin.links and pin.expression is None:
                if pin in item.in_outs:
                    raise self.report.stop(
                        pin.place, f"the in-out {pin.formal} of '{item.name}' is not connected"
                    )
                if not formal:
                    raise self.report.stop(
                        pin.place, f"nothing is connected to {where(pin, item)}"
                    )
                continue
            found.append(argument(pin.formal if formal else None, self.flow.pin(pin, item)))
        return found

    def instance(self, item: Item, enable: Held | None) -> None:
        """The call of a function block instance."""
        instance = read_place(item.instance or "")
        root = root_name(instance) if instance is not None else None
        if instance is None or root is None:
            raise self.report.stop(item.place, f"'{item.instance}' is not the name of an instance")
        if self.scope.variable(root) is None:
            known = [v.name for _, v in self.scope.variables.values()]
            raise self.report.stop(
                item.place,
                f"the instance '{item.instance}' of {item.name} is not declared",
                did_you_mean(item.instance or "", known) or "add it to the local variables",
            )
        called = call(instance, self.arguments(item, True))
        self.statements.before_write(self.statements.changed_by(called))
        self.statements.invoke(called, enable.expr if enable else None)
        for pin in (*item.outputs, *item.in_outs):
            if fold(pin.formal) != "ENO":
                hint = identifier(f"{item.instance}_{pin.formal}")
                value = member(instance, pin.formal)
                if pin in item.in_outs:
                    value = next(
                        a.value for a in called.arguments
                        if a.value is not None and a.name and a.name.name == pin.formal
                    )  # fmt: skip
                    self.flow.publish(item, pin, value, hint, plain=True)
                else:
                    self.flow.publish(item, pin, value, hint)

    def function(self, item: Item, enable: Held | None) -> None:
        key = fold(item.name)
        pou = self.scope.project.pous.get(key)
        is_user = pou is not None and pou.kind == "FUNCTION"
        if (pou is not None and pou.kind != "FUNCTION") or (
            pou is None and is_standard_block(item.name)
        ):
            raise self.report.stop(item.place, f"the block of {item.name} has no instance name")
        is_operator = key in OPERATORS or key in ("NOT", "MOVE")
        if not is_user and not is_operator and not is_standard_function(item.name):
            raise self.report.stop(
                item.place,
                f"there is no function '{item.name}'",
                did_you_mean(item.name, [*self.scope.project.pous, *OPERATORS, "SEL", "MUX",
                                         "LIMIT", "MAX", "MIN"]),
            )  # fmt: skip
        arguments = self.arguments(item, is_user)
        results = [p for p in item.outputs if fold(p.formal) != "ENO"]
        more = results[1:] if results else []
        if pou is not None:
            names = {
                fold(v.name) for o in pou.lists if o.kind == "VAR_OUTPUT" for v in o.variables
            }
            more = [p for p in results if fold(p.formal) in names]
        first = next((p for p in results if p not in more), None)
        value: tree.Expr
        operator = OPERATORS.get(key)
        if operator is not None and not is_user and len(arguments) >= 2 and key != "MOVE":
            operands = [a.value for a in arguments if a.value is not None]
            value = _operation(operator, operands)
        elif key == "NOT" and not is_user and len(arguments) == 1 and arguments[0].value:
            value = negation(arguments[0].value)
        elif key == "MOVE" and not is_user and len(arguments) == 1 and arguments[0].value:
            value = arguments[0].value
        else:
            value = call(name(item.name), arguments)
        self.results(item, value, first, more, enable, pou)

    def results(
        self,
        item: Item,
        value: tree.Expr,
        first: Pin | None,
        more: list[Pin],
        enable: Held | None,
        pou: model.Pou | None,
    ) -> None:
        """Give the outputs of a function to what is connected to them."""
        hint = identifier(item.name.lower())
        if more and isinstance(value, tree.Call) and pou is not None:
            types = {fold(v.name): v.type for one in pou.lists for v in one.variables}
            outputs = []
            for pin in more:
                if self.flow.uses(item.id, fold(pin.formal)) or pin.expression:
                    made = name(
                        self.scope.fresh(identifier(f"{hint}_{pin.formal}"),
                                         types[fold(pin.formal)], enable is not None)
                    )  # fmt: skip
                    outputs.append((pin, made))
            given = [argument(pin.formal, made, True) for pin, made in outputs]
            value = call(value.callee, [*value.arguments, *given])
        else:
            outputs = []
            if any(self.flow.uses(item.id, fold(p.formal)) for p in more):
                raise self.report.stop(item.place, f"'{item.name}' has one output")
        used = first is not None and (
            self.flow.uses(item.id, fold(first.formal)) > 0 or bool(first.expression)
        )
        effects = self.scope.has_effects(value)
        feedback = (item.id, fold(first.formal)) if first is not None else None
        lasting = feedback is not None and feedback in self.flow.kept
        if not used and first is not None and not effects and not outputs:
            self.report.note(item.place, f"the result of '{item.name}' is not used; left out")
            return
        if first is None or not used:
            if isinstance(value, tree.Call):
                self.statements.before_write(self.statements.changed_by(value))
                self.statements.invoke(value, enable.expr if enable else None)
        elif enable is not None:
            self.enabled_result(item, value, first, enable, hint)
        elif lasting or outputs or effects:
            self.stored_result(item, value, first, hint, lasting)
        else:
            self.flow.publish(item, first, value, hint)
        for pin, made in outputs:
            self.flow.publish(item, pin, made, made.name)

    def stored_result(
        self, item: Item, value: tree.Expr, first: Pin, hint: str, lasting: bool
    ) -> None:
        """A result that must be computed here: put it where it goes, or into a variable."""
        key = (item.id, fold(first.formal))
        direct = self.only_target(item, first)
        if direct is not None and not lasting:
            self.statements.assign(self.target(direct), value)
            self.in_if.add(direct.id)
            return
        if lasting:
            made = self.flow.kept[key]
        else:
            made = name(self.scope.fresh(f"{hint}_result", self.type_to_store(item, value), False))
        self.statements.assign(made, value)
        self.flow.publish(item, first, made, hint)

    def type_to_store(self, item: Item, value: tree.Expr) -> model.Type:
        type_ = self.scope.storable(value) or self.flow.result_type(item)
        if type_ is None:
            raise self.report.stop(
                item.place,
                f"the type of the result of '{item.name}' is not known",
                "lead it to a variable of its own",
            )
        return type_

    def only_target(self, item: Item, first: Pin) -> Item | None:
        """The outVariable that alone takes the result as it is, right behind the block."""
        users = [
            other
            for other, _, link in self.flow.users.get(item.id, ())
            if self.flow.output_name(item, link) == fold(first.formal)
        ]
        if len(users) != 1 or users[0].kind != "outVariable" or first.expression:
            return None
        other = users[0]
        if (
            other.negated or other.edge or other.storage
            or first.negated or first.edge or first.storage
        ):  # fmt: skip
            return None
        order = self.network.order
        between = order[self.position[item.id] + 1 : self.position[other.id]]
        silent = {"inVariable", "contact", "connector", "continuation"}
        return other if all(b.kind in silent for b in between) else None

    def enabled_result(
        self, item: Item, value: tree.Expr, first: Pin, enable: Held, hint: str
    ) -> None:
        """With EN: the variable that the result goes to is written inside of the IF; elsewhere
        the result keeps its last value while EN is FALSE."""
        key = (item.id, fold(first.formal))
        direct = self.only_target(item, first)
        if direct is not None and key not in self.flow.kept:
            target = self.target(direct)
            self.statements.before_write(self.statements.written(target))
            self.statements.assign(target, value, enable.expr)
            self.in_if.add(direct.id)
            return
        if key not in self.flow.kept:
            lasting = self.scope.pou.kind != "FUNCTION"
            type_ = self.type_to_store(item, value)
            self.flow.kept[key] = name(self.scope.fresh(f"{hint}_result", type_, lasting))
        if isinstance(value, tree.Call):
            self.statements.before_write(self.statements.changed_by(value))
        self.statements.assign(self.flow.kept[key], value, enable.expr)
        self.flow.publish(item, first, self.flow.kept[key], hint)


def _operation(operator: str, operands: Sequence[tree.Expr]) -> tree.Expr:
    """Comparisons of more than two operands hold between neighbours (6.6.2.5.10)."""
    if operator in ("<", "<=", "=", ">", ">=") and len(operands) > 2:
        pairs = pairwise(operands)
        return chain("AND", [chain(operator, pair) for pair in pairs])
    return chain(operator, operands)
