"""What flows over the links of FBD and LD: values and power as expressions.

An element is evaluated once in each evaluation of its network, when its value is first needed; its
value is kept until all that are connected to it have had it.
"""

from __future__ import annotations

from collections.abc import Sequence

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.compiler.tree import fold
from host_tools.plcopen import model
from host_tools.plcopen.expressions import (
    FALSE,
    TRUE,
    argument,
    call,
    chain,
    conjunction,
    identifier,
    member,
    name,
    negation,
    read_expression,
    read_place,
    show,
    size,
)
from host_tools.plcopen.model import Item, Link, Pin
from host_tools.plcopen.network import Network, links_to
from host_tools.plcopen.report import Place, Report, Stop
from host_tools.plcopen.scope import BOOL, Scope
from host_tools.plcopen.statements import Held, Statements

_LONGEST = 24
"""A link that feeds several elements gets a variable when its expression has more operands."""

_LIMIT = 400
"""And any link when it has more than this; the compiler takes trees of about 1,000 levels."""

Factors = tuple[tree.Expr, ...]


class _Link:
    """The state of an output once it is known: `factors` whose AND it is (so that parallel
    branches can share what they have in common), and how often it will still be used."""

    __slots__ = ("held", "prefix")

    def __init__(self, prefix: Factors, held: Held) -> None:
        self.prefix = prefix
        self.held = held

    @property
    def factors(self) -> Factors:
        """As they are now: a value that was stored is one factor."""
        if self.prefix and conjunction(self.prefix) != self.held.expr:
            self.prefix = (self.held.expr,)
        return self.prefix


class Flow:
    """The outputs that are known so far, and how to know the others. `kept` are the variables that
    hold outputs of functions from scan to scan."""

    def __init__(self, network: Network, scope: Scope, report: Report, is_ladder: bool) -> None:
        self.network = network
        self.scope = scope
        self.report = report
        self.is_ladder = is_ladder
        self.statements = Statements(scope, report)
        self.links: dict[tuple[str, str], _Link] = {}
        self.users = links_to(list(network.items.values()))
        self.kept: dict[tuple[str, str], tree.Expr] = {}
        self.parsed: dict[str, tree.Expr | None] = {}

    def read(self, item: Item) -> tree.Expr:
        """The expression of a variable. Raises Stop."""
        if item.id not in self.parsed:
            self.parsed[item.id] = read_expression(item.name)
        e = self.parsed[item.id]
        if e is None:
            raise self.report.stop(item.place, f"'{item.name}' is not an expression of ST")
        return e

    def input(self, item: Item, default: tree.Expr) -> tree.Expr:
        """The value at the only input of an item."""
        pin = item.inputs[0] if item.inputs else None
        if pin is None or (not pin.links and pin.expression is None):
            return default
        return self.pin(pin, item)

    def pin(self, pin: Pin, item: Item) -> tree.Expr:
        """The value at an input, with the modifiers of the pin."""
        return self.modified(conjunction(self.pin_factors(pin, item)), pin, item)

    def modified(self, value: tree.Expr, pin: Pin, item: Item) -> tree.Expr:
        value = negation(value) if pin.negated else value
        if pin.edge:
            owner = item.instance or item.name
            hint = identifier(f"{owner}_{pin.formal}" if pin.formal else owner)
            value = self.statements.trigger(value, pin.edge, hint, pin.place)
        return value

    def pin_factors(self, pin: Pin, item: Item) -> Factors:
        """What comes in over the links of a pin; several are in parallel."""
        if pin.expression is not None:
            e = read_expression(pin.expression)
            if e is None:
                raise self.report.stop(pin.place, f"'{pin.expression}' is not an expression of ST")
            return (e,)
        if not pin.links:
            raise self.report.stop(
                pin.place,
                f"nothing is connected to {where(pin, item)}",
                "connect it or delete it",
            )
        if len(pin.links) > 1 and not self.is_ladder:
            raise self.report.stop(
                pin.place,
                f"{len(pin.links)} links lead to {where(pin, item)}",
                "only LD joins links by OR; use an OR block",
            )
        branches = [self.link(link, item) for link in pin.links]
        return _parallel(branches)

    def link(self, link: Link, consumer: Item) -> Factors:
        """The state of one link."""
        source = self.network.items[link.ref]
        formal = link.formal
        # The connector's input is what the continuation puts out.
        seen: set[str] = set()
        is_back = False
        while source.kind == "continuation":
            if source.id in seen:
                raise self.report.stop(source.place, f"'{source.name}' continues itself")
            seen.add(source.id)
            connector = self.network.connectors[fold(source.name)]
            pin = connector.inputs[0] if connector.inputs else None
            if pin is None or not pin.links:
                raise self.report.stop(connector.place, "nothing is connected to the connector")
            if len(pin.links) > 1:
                return _parallel([self.link(one, connector) for one in pin.links])
            link = pin.links[0]
            edges = {(consumer.id, source.id), (source.id, connector.id), (connector.id, link.ref)}
            is_back = is_back or bool(edges & self.network.feedback)
            source, formal = self.network.items[link.ref], link.formal
        if source.kind == "leftPowerRail":
            return (TRUE,)
        is_back = is_back or (consumer.id, source.id) in self.network.feedback
        if source.kind == "block":
            return self.block_output(source, formal, link, is_back)
        if is_back and source.kind in ("contact", "coil"):
            raise self.report.stop(link.place, "power flows in a circle here")
        key = (source.id, "")
        if key not in self.links:
            self.evaluate(source)
        return self.used(key)

    def used(self, key: tuple[str, str]) -> Factors:
        found = self.links[key]
        factors = found.factors
        self.statements.use(found.held)
        return factors or (found.held.expr,)

    def evaluate(self, item: Item) -> None:
        """Find the states of variables, contacts and coils up to `item`, without recursion."""
        todo = [item]
        open_: set[str] = set()
        while todo:
            top = todo[-1]
            if (top.id, "") in self.links:
                todo.pop()
                continue
            waiting = []
            if top.kind in ("contact", "coil"):
                for pin in top.inputs:
                    for one in pin.links:
                        source = self.network.items[one.ref]
                        passes = source.kind in ("contact", "coil", "inVariable", "inOutVariable")
                        if passes and (source.id, "") not in self.links:
                            if source.id in open_ or source is top:
                                raise self.report.stop(one.place, "power flows in a circle here")
                            waiting.append(source)
            if waiting:
                open_.add(top.id)
                todo += reversed(waiting)
                continue
            open_.discard(top.id)
            self.settle(top)
            todo.pop()

    def settle(self, item: Item) -> None:
        factors: Factors
        if item.kind in ("inVariable", "inOutVariable"):
            e = self.read(item)
            if item.kind == "inOutVariable":
                pin = item.outputs[0]
                e = self.modified(e, pin, item)
                if pin.storage:
                    raise self.report.stop(pin.place, "an output cannot be set or reset")
            else:
                if item.storage:
                    raise self.report.stop(item.place, "an inVariable cannot be set or reset")
                e = negation(e) if item.negated else e
                if item.edge:
                    e = self.statements.trigger(e, item.edge, identifier(item.name), item.place)
            factors = (e,)
        else:
            pin = item.inputs[0] if item.inputs else Pin("", item.place)
            before = self.pin_factors(pin, item)
            if item.kind == "contact" and item.storage:
                raise self.report.stop(item.place, "a contact cannot be set or reset")
            if item.kind == "coil":
                factors = before
            else:
                e = self.read(item)
                if item.edge:
                    e = self.statements.trigger(e, item.edge, identifier(item.name), item.place)
                e = negation(e) if item.negated else e
                factors = (*(f for f in before if f != TRUE), e)
        hint = "power" if item.kind in ("contact", "coil") else identifier(item.name)
        self.keep(
            (item.id, ""), factors, f"{hint}_before" if hint != "power" else hint, item.place
        )

    def keep(self, key: tuple[str, str], factors: Factors, hint: str, place: Place) -> None:
        """Remember the state of an output until all its users have had it."""
        uses = self.uses(key[0], key[1])
        power = hint == "power" or key[1] == "ENO"
        held = self.statements.hold(
            conjunction(factors), hint, place, uses, BOOL if power else None
        )
        if uses == 0:
            self.statements.release(held)
        self.links[key] = _Link(factors, held)
        length = size(held.expr)
        if (uses > 1 and length > _LONGEST) or length > _LIMIT:
            self.statements.store(held)

    def uses(self, id_: str, formal: str) -> int:
        """How often the output `formal` ("": the only one, or the first) is still used."""
        count = 0
        todo = [(id_, formal)]
        while todo:
            source, output = todo.pop()
            for item, _, link in self.users.get(source, ()):
                if (item.id, source) in self.network.feedback:
                    continue
                if output and self.output_name(self.network.items[source], link) != output:
                    continue
                if item.kind == "connector":
                    for other in self.network.items.values():
                        if other.kind == "continuation" and fold(other.name) == fold(item.name):
                            todo.append((other.id, ""))
                elif item.kind != "rightPowerRail":
                    count += 1
        return count

    def output_name(self, block: Item, link: Link) -> str:
        """The folded formal name of the output that `link` starts at."""
        if link.formal is not None:
            return fold(link.formal)
        for pin in block.outputs:
            if fold(pin.formal) != "ENO":
                return fold(pin.formal)
        return ""

    def output(self, block: Item, formal: str) -> Pin | None:
        pins = (*block.outputs, *block.in_outs)
        return next((p for p in pins if fold(p.formal) == formal), None)

    def block_output(self, block: Item, formal: str | None, link: Link, is_back: bool) -> Factors:
        wanted = self.output_name(block, Link(link.ref, formal, link.place))
        pin = self.output(block, wanted)
        if pin is None:
            known = [p.formal for p in (*block.outputs, *block.in_outs)]
            raise self.report.stop(
                link.place,
                f"'{block.name}' has no output '{wanted}'",
                did_you_mean(wanted, known) or f"it has {', '.join(known) or 'none'}",
            )
        key = (block.id, wanted)
        if is_back:
            if key in self.links:
                return self.used(key)
            if block.instance and wanted != "ENO":
                e = self.instance_output(block, pin)
                return (negation(e) if pin.negated else e,)
            return (self.last_value(block, wanted, pin),)
        if key not in self.links:
            raise Stop("the block failed")
        return self.used(key)

    def instance_output(self, block: Item, pin: Pin) -> tree.Expr:
        instance = read_place(block.instance or "")
        assert instance is not None
        return member(instance, pin.formal)

    def last_value(self, block: Item, wanted: str, pin: Pin) -> tree.Expr:
        """The variable that keeps the output of a function for the next evaluation."""
        key = (block.id, wanted)
        if key not in self.kept:
            if self.scope.pou.kind == "FUNCTION":
                raise self.report.stop(
                    block.place, "a function has no memory, so it cannot have feedback"
                )
            type_ = BOOL if wanted == "ENO" else self.result_type(block)
            if type_ is None:
                raise self.report.stop(
                    block.place,
                    f"the type of the feedback from '{block.name}' is not known",
                    "lead the feedback over a variable",
                )
            hint = identifier(f"{block.name.lower()}_feedback")
            self.kept[key] = name(self.scope.fresh(hint, type_, True))
        return self.kept[key]

    def result_type(self, block: Item) -> model.Type | None:
        """The type of a function's result, from what its inputs are connected to."""
        values: list[tree.Expr] = []
        for pin in block.inputs:
            if fold(pin.formal) == "EN":
                continue
            for link in pin.links:
                source = self.network.items.get(link.ref)
                if source is not None and source.kind in ("inVariable", "inOutVariable"):
                    values.append(self.read(source))
                elif source is not None and source.instance:
                    out = self.output(source, self.output_name(source, link))
                    if out is not None:
                        values.append(self.instance_output(source, out))
        own = self.scope.type_of(call(name(block.name), [argument(None, v) for v in values]))
        if own in (model.Named("ANY_INT"), model.Named("ANY_REAL")):
            for item, _, _ in self.users.get(block.id, ()):
                if item.kind == "outVariable":
                    place = read_place(item.name)
                    if place is not None:
                        return self.scope.type_of(place) or own
            return model.Named("DINT" if own == model.Named("ANY_INT") else "REAL")
        return own

    def publish(
        self, item: Item, pin: Pin, value: tree.Expr, hint: str, plain: bool = False
    ) -> None:
        """Make an output known to what is connected to it; write the variable at the pin."""
        if not plain:
            if pin.negated:
                value = negation(value)
            if pin.edge:
                value = self.statements.trigger(value, pin.edge, identifier(hint), pin.place)
        if pin.expression is not None and pin in item.outputs:
            target = read_place(pin.expression)
            if target is None:
                raise self.report.stop(pin.place, f"'{pin.expression}' cannot be assigned to")
            self.put(target, value, "", pin.storage, False, pin.place)
            value = value if not isinstance(value, tree.Call) else target
        elif pin.storage and not plain:
            raise self.report.stop(pin.place, "this output has no variable to set or reset")
        feedback = (item.id, fold(pin.formal))
        if feedback in self.kept and value != self.kept[feedback]:
            self.statements.assign(self.kept[feedback], value)
            value = self.kept[feedback]
        self.keep(feedback, (value,), f"{hint}_result", item.place)

    def put(
        self,
        target: tree.Expr,
        value: tree.Expr,
        edge: str,
        storage: str,
        negated: bool,
        place: Place,
    ) -> None:
        value = negation(value) if negated else value
        if edge:
            value = self.statements.trigger(value, edge, identifier(show(target)), place)
        if storage:
            self.statements.assign(target, TRUE if storage == "set" else FALSE, value)
        else:
            self.statements.assign(target, value)


def _parallel(branches: Sequence[Factors]) -> Factors:
    """The OR of branches; what all start with stands once."""
    if len(branches) == 1:
        return branches[0]
    cleaned = [tuple(f for f in branch if f != TRUE) for branch in branches]
    cleaned = list(dict.fromkeys(cleaned))
    shared: list[tree.Expr] = []
    while all(cleaned) and len({branch[0] for branch in cleaned}) == 1:
        shared.append(cleaned[0][0])
        cleaned = [branch[1:] for branch in cleaned]
    if not all(cleaned):
        return tuple(shared) or (TRUE,)
    if len(cleaned) == 1:
        return (*shared, *cleaned[0])
    return (*shared, chain("OR", [conjunction(branch) for branch in cleaned]))


def where(pin: Pin, item: Item) -> str:
    if pin.formal:
        return f"input {pin.formal} of '{item.instance or item.name}'"
    return f"'{item.name}'" if item.name else f"this {item.kind}"
