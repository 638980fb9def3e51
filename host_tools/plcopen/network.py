"""The order in which the elements of FBD and LD bodies are evaluated (IEC 61131-3:2013, 8.1).

No element comes before the elements its inputs come from; networks go from top to bottom, elements
of one network from top left; executionOrderId, where it is given, overrides both. A loop is cut
where it needs no variable: at a function block, whose outputs keep their last value.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from host_tools.compiler.tree import fold
from host_tools.plcopen.model import Item, Link, Pin
from host_tools.plcopen.report import Report

_ENDS = ("outVariable", "jump", "return", "label", "rightPowerRail", "connector")
_RAILS = ("leftPowerRail", "rightPowerRail")


class Network:
    """The items of one body and how they hang together. `order` lists them as evaluated;
    `feedback` are the links (consumer id, producer id) with the value of the last evaluation."""

    def __init__(self, items: Sequence[Item], report: Report) -> None:
        self.report = report
        self.items = {item.id: item for item in items if item.kind != "comment"}
        self.index = {item.id: k for k, item in enumerate(items)}
        self.connectors: dict[str, Item] = {}
        for item in items:
            if item.kind == "connector":
                if fold(item.name) in self.connectors:
                    report.error(item.place, f"connector '{item.name}' is there twice")
                self.connectors[fold(item.name)] = item
        self._check()
        self.group = self._groups()
        self.comments = [item for item in items if item.kind == "comment"]
        self.rank = self._ranks()
        self.before = {id_: self._producers(item) for id_, item in self.items.items()}
        self.feedback: set[tuple[str, str]] = set()
        self.order = self._ordered()

    # --- links ---------------------------------------------------------------------------------

    def _check(self) -> None:
        for item in self.items.values():
            for pin in pins_in(item):
                for link in pin.links:
                    source = self.items.get(link.ref)
                    if source is None:
                        self.report.error(
                            link.place, f"there is no element with localId {link.ref}"
                        )
                    elif source.kind in _ENDS:
                        self.report.error(
                            link.place,
                            f"'{source.kind}' {source.name} has no output".replace("  ", " "),
                        )
            if item.kind == "continuation" and fold(item.name) not in self.connectors:
                self.report.error(item.place, f"there is no connector '{item.name}'")

    def sources(self, item: Item) -> Iterator[str]:
        """Ids of the items that `item` takes its inputs from."""
        for pin in pins_in(item):
            for link in pin.links:
                if link.ref in self.items:
                    yield link.ref
        if item.kind == "continuation" and fold(item.name) in self.connectors:
            yield self.connectors[fold(item.name)].id

    def _producers(self, item: Item) -> list[str]:
        return list(dict.fromkeys(self.sources(item)))

    # --- networks ------------------------------------------------------------------------------

    def _groups(self) -> dict[str, str]:
        """Item id -> the id that stands for its network. Power rails join nothing: all rungs
        may hang on one pair."""
        parent = {id_: id_ for id_ in self.items}

        def root(id_: str) -> str:
            while parent[id_] != id_:
                parent[id_] = parent[parent[id_]]
                id_ = parent[id_]
            return id_

        for item in self.items.values():
            if item.kind in _RAILS:
                continue
            for source in self.sources(item):
                if self.items[source].kind not in _RAILS:
                    parent[root(item.id)] = root(source)
        return {id_: root(id_) for id_ in self.items}

    def _ranks(self) -> dict[str, tuple[float, float, int]]:
        """Where each network, label and comment stands: y, x, and place in the document."""
        tops: dict[str, tuple[float, float, int]] = {}
        bottoms: dict[str, float] = {}
        for item in self.items.values():
            if item.kind in _RAILS or item.kind == "label":
                continue
            g, here = self.group[item.id], (item.y, item.x, self.index[item.id])
            first = tops.get(g, here)
            tops[g] = (min(first[0], here[0]), min(first[1], here[1]), min(first[2], here[2]))
            bottoms[g] = max(bottoms.get(g, here[0]), here[0])
        ranks = dict(tops)
        self.flat = len({t[0] for t in tops.values()}) <= 1
        for item in (*self.items.values(), *self.comments):
            if item.kind not in ("label", "comment"):
                continue
            y, x = item.y, item.x
            if not self.flat:
                # A label or comment beside a network belongs to it, so it comes before it.
                y = min([y, *(tops[g][0] for g in tops if bottoms[g] >= item.y)])
                x = -math.inf
            ranks[self._own(item)] = (y, x, self.index[item.id])
        return ranks

    def _own(self, item: Item) -> str:
        return self.group.get(item.id, f"comment {item.id} {self.index[item.id]}")

    # --- order ---------------------------------------------------------------------------------

    def _given(self) -> dict[str, int]:
        """executionOrderId of the items that have one; several zeros mean that it is unset."""
        given = {i.id: i.order for i in self.items.values() if i.order is not None}
        zeros = [id_ for id_, order in given.items() if order == 0]
        if len(zeros) > 1:
            for id_ in zeros:
                del given[id_]
        return given

    def _ordered(self) -> list[Item]:
        given = self._given()
        waits: dict[str, set[str]] = {}
        for id_, sources in self.before.items():
            waits[id_] = {
                s for s in sources
                if s != id_ and not (id_ in given and s in given and given[s] > given[id_])
            }  # fmt: skip
            self.feedback |= {(id_, s) for s in sources if s not in waits[id_]}
        if given:
            ordered = sorted(given, key=lambda id_: (given[id_], self.index[id_]))
            for one, two in pairwise(ordered):
                waits[two].add(one)
        self._cut(waits)
        return self._sorted(waits, given)

    def _sorted(self, waits: dict[str, set[str]], given: dict[str, int]) -> list[Item]:
        """The items so that none comes before what it waits for."""
        networks = sorted(self.rank, key=lambda g: self.rank[g])
        position = {g: k for k, g in enumerate(networks)}
        effective = self._effective(given, networks)
        followers: dict[str, list[str]] = {id_: [] for id_ in self.items}
        for id_, sources in waits.items():
            for s in sources:
                followers[s].append(id_)
        left = {id_: len(w) for id_, w in waits.items()}
        heap: list[tuple[float, int, bool, float, float, int, str]] = []

        def push(id_: str) -> None:
            item = self.items[id_]
            if id_ not in effective:
                # Right behind what it waits for; without any executionOrderId, network by network.
                effective[id_] = max((effective[s] for s in waits[id_]), default=-1.0)
            heapq.heappush(
                heap,
                (effective[id_], position.get(self.group[id_], -1),
                 item.kind in ("jump", "return"), item.y, item.x, self.index[id_], id_),
            )  # fmt: skip

        for id_, count in left.items():
            if count == 0:
                push(id_)
        out: list[Item] = []
        while heap:
            id_ = heapq.heappop(heap)[-1]
            out.append(self.items[id_])
            for f in followers[id_]:
                left[f] -= 1
                if left[f] == 0:
                    push(f)
        assert len(out) == len(self.items)
        return out

    def _effective(self, given: dict[str, int], networks: list[str]) -> dict[str, float]:
        """executionOrderIds, and what takes their place for jumps and labels without one: a jump
        ends its network, a label starts the next."""
        found: dict[str, float] = {id_: float(n) for id_, n in given.items()}
        if not given:
            return found
        last: dict[str, float] = {}
        first: dict[str, float] = {}
        for id_, n in given.items():
            g = self.group[id_]
            last[g] = max(last.get(g, n), n)
            first[g] = min(first.get(g, n), n)
        following = math.inf
        starts: dict[str, float] = {}
        for g in reversed(networks):
            following = first.get(g, following)
            starts[g] = following - 0.5
        for id_, item in self.items.items():
            if id_ in found:
                continue
            if item.kind in ("jump", "return") and self.group[id_] in last:
                found[id_] = last[self.group[id_]]
            elif item.kind == "label":
                found[id_] = starts[self.group[id_]]
        return found

    def _cut(self, waits: dict[str, set[str]]) -> None:
        """Open every loop: one of its elements goes first, with the value of the last
        evaluation."""
        while loops := _loops(waits):
            for loop in loops:
                first = min(loop, key=lambda id_: self._cost(id_, waits[id_] & loop))
                for s in waits[first] & loop:
                    self.feedback.add((first, s))
                    waits[first].discard(s)

    def _cost(self, id_: str, sources: set[str]) -> tuple[bool, bool, float, float, int]:
        """Least for a block that is fed by instances, which keep their outputs anyhow; then from
        top left."""
        item = self.items[id_]
        kept = all(
            self.items[s].instance or self.items[s].kind == "inOutVariable" for s in sources
        )
        return (not kept, item.kind != "block", item.y, item.x, self.index[id_])

    def comments_before(self) -> dict[str | None, list[Item]]:
        """Comments by the network they stand before; None: behind all."""
        networks = sorted(self.rank, key=lambda g: self.rank[g])
        own = {self._own(item): item for item in self.comments}
        found: dict[str | None, list[Item]] = {}
        waiting: list[Item] = []
        for g in networks:
            if g in own:
                waiting.append(own[g])
            elif waiting:
                found[g], waiting = waiting, []
        if waiting:
            found[None] = waiting
        return found


def _loops(waits: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected parts of more than one element (Tarjan)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[set[str]] = []

    def enter(id_: str) -> tuple[str, Iterator[str]]:
        number[id_] = low[id_] = len(number)
        stack.append(id_)
        on_stack.add(id_)
        return id_, iter(sorted(waits[id_]))

    for start in waits:
        if start in number:
            continue
        work = [enter(start)]
        while work:
            id_, rest = work[-1]
            for s in rest:
                if s not in number:
                    work.append(enter(s))
                    break
                if s in on_stack:
                    low[id_] = min(low[id_], number[s])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[id_])
                if low[id_] == number[id_]:
                    part = set(stack[stack.index(id_) :])
                    del stack[stack.index(id_) :]
                    on_stack -= part
                    if len(part) > 1:
                        found.append(part)
    return found


def pins_in(item: Item) -> tuple[Pin, ...]:
    return (*item.inputs, *item.in_outs)


def links_to(items: Sequence[Item]) -> dict[str, list[tuple[Item, Pin, Link]]]:
    """By the id of the producer: who is connected to it."""
    found: dict[str, list[tuple[Item, Pin, Link]]] = {}
    for item in items:
        for pin in pins_in(item):
            for link in pin.links:
                found.setdefault(link.ref, []).append((item, pin, link))
    return found
