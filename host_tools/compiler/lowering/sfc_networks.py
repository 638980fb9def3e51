"""Checks the networks of a Sequential Function Chart (IEC 61131-3:2013, 6.7.5)."""

from __future__ import annotations

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Label, Reporter, did_you_mean
from host_tools.compiler.tree import fold
from host_tools.record import field, record

MAX_SITUATIONS = 2_000
"""Situations of one network that are looked at; what lies beyond is not checked."""

Situation = frozenset[str]


@record()
class Arrow:
    """A transition whose steps are all there, by folded name."""

    node: tree.Transition
    sources: tuple[str, ...]
    targets: tuple[str, ...]


@record()
class Chart:
    """The steps by folded name, and the transitions in the order in which they are tried."""

    steps: dict[str, tree.Step] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)


def chart(reporter: Reporter, pou: tree.Pou) -> Chart:
    """The chart of `pou`; what is wrong with its networks is reported."""
    assert pou.sfc is not None
    made = Chart()
    for step in pou.sfc.steps:
        made.steps.setdefault(fold(step.name.name), step)
    names: dict[str, tree.Identifier] = {}
    for node in pou.sfc.transitions:
        if node.name is not None:
            _own_name(reporter, made, names, node.name)
        sources = _known(reporter, made, node.sources)
        targets = _known(reporter, made, node.targets)
        if sources is not None and targets is not None:
            made.arrows.append(Arrow(node, sources, targets))
    made.arrows.sort(
        key=lambda a: a.node.priority if a.node.priority is not None else float("inf")
    )
    if _has_initial_steps(reporter, pou, made):
        _explore(reporter, made)
    return made


def _own_name(
    reporter: Reporter, chart: Chart, names: dict[str, tree.Identifier], name: tree.Identifier
) -> None:
    key = fold(name.name)
    first = names.get(key) or (chart.steps[key].name if key in chart.steps else None)
    names.setdefault(key, name)
    if first is not None:
        reporter.report(
            "E0201",
            f"'{name.name}' is declared twice",
            name.span,
            label="declared again here",
            others=[Label(first.span, "first declared here")],
            help="rename one of them (upper and lower case make no difference)",
        )


def _known(
    reporter: Reporter, chart: Chart, names: tuple[tree.Identifier, ...]
) -> tuple[str, ...] | None:
    found: dict[str, tree.Identifier] = {}
    ok = True
    for name in names:
        key = fold(name.name)
        if key not in chart.steps:
            known = [s.name.name for s in chart.steps.values()]
            reporter.report(
                "E0372",
                f"there is no step '{name.name}'",
                name.span,
                help=did_you_mean(name.name, known) or f"declare it: STEP {name.name}: END_STEP",
            )
            ok = False
        elif key in found:
            reporter.report(
                "E0383",
                f"step '{name.name}' stands here twice",
                name.span,
                others=[Label(found[key].span, "first here")],
                help="name each step once",
            )
        found.setdefault(key, name)
    return tuple(found) if ok else None


# --- initial steps ---------------------------------------------------------------------------


def _has_initial_steps(reporter: Reporter, pou: tree.Pou, chart: Chart) -> bool:
    """One initial step for each network: what transitions connect."""
    root = {key: key for key in chart.steps}

    def find(key: str) -> str:
        while root[key] != key:
            root[key] = root[root[key]]
            key = root[key]
        return key

    for arrow in chart.arrows:
        first = find(arrow.sources[0])
        for key in (*arrow.sources, *arrow.targets):
            root[find(key)] = first
            first = find(first)
    initial: dict[str, tree.Step] = {}
    ok = True
    for key, step in chart.steps.items():
        if not step.initial:
            continue
        other = initial.setdefault(find(key), step)
        if other is not step:
            ok = False
            reporter.report(
                "E0371",
                f"a second initial step, '{step.name.name}', in one network",
                step.name.span,
                others=[Label(other.name.span, "the first one")],
                help="write STEP here; steps that begin together follow one initial step: "
                "TO (a, b)",
            )
    if initial:
        return ok
    assert pou.sfc is not None
    where = pou.sfc.steps[0].name if pou.sfc.steps else pou.name
    reporter.report(
        "E0370",
        "this SFC has no initial step",
        where.span,
        help="write INITIAL_STEP instead of STEP where it begins",
    )
    return False


# --- situations ------------------------------------------------------------------------------


def _explore(reporter: Reporter, chart: Chart) -> None:
    """Walk through the situations (sets of active steps) that can be reached when each
    condition may be TRUE, one transition at a time."""
    by_source: dict[str, list[Arrow]] = {}
    for arrow in chart.arrows:
        for key in arrow.sources:
            by_source.setdefault(key, []).append(arrow)
    reached: set[str] = set()
    cleared: set[int] = set()
    complete = True
    told: set[int] = set()
    timed = _timed(chart)
    clashes: set[str] = set()
    for key, step in chart.steps.items():
        if not step.initial:
            continue
        start: Situation = frozenset((key,))
        seen = {start}
        todo = [start]
        while todo:
            situation = todo.pop()
            reached |= situation
            _clash(reporter, chart, timed, situation, clashes)
            for active in situation:
                for arrow in by_source.get(active, ()):
                    if not situation.issuperset(arrow.sources):
                        continue
                    cleared.add(id(arrow))
                    rest = situation.difference(arrow.sources)
                    twice = next((t for t in arrow.targets if t in rest), None)
                    if twice is not None:
                        if id(arrow) not in told:
                            told.add(id(arrow))
                            _unsafe(reporter, chart, arrow, twice)
                        continue
                    after = rest.union(arrow.targets)
                    if after not in seen:
                        if len(seen) >= MAX_SITUATIONS:
                            complete = False
                            continue
                        seen.add(after)
                        todo.append(after)
    if not complete or told:
        return
    _never(reporter, chart, reached, cleared)


def _unsafe(reporter: Reporter, chart: Chart, arrow: Arrow, twice: str) -> None:
    step = chart.steps[twice]
    reporter.report(
        "W0331",
        f"unsafe: step '{step.name.name}' can be active when this transition activates it",
        arrow.node.targets[arrow.targets.index(twice)].span,
        label="from here, steps of parallel branches get mixed up",
        others=[Label(step.name.span, "this step")],
        help="leave parallel branches together: FROM (a, b) TO c",
    )


def _never(reporter: Reporter, chart: Chart, reached: set[str], cleared: set[int]) -> None:
    for key, step in chart.steps.items():
        if key not in reached:
            reporter.report(
                "W0330",
                f"step '{step.name.name}' can never become active",
                step.name.span,
                help="add a transition to it, or remove it",
            )
    for arrow in chart.arrows:
        if id(arrow) in cleared or not reached.issuperset(arrow.sources):
            continue
        names = " and ".join(f"'{s.name}'" for s in arrow.node.sources)
        reporter.report(
            "W0332",
            f"{names} are never active together, so this transition is never cleared",
            arrow.node.sources[0].span.to(arrow.node.sources[-1].span),
            help="alternatives end with a transition each: FROM a TO c, FROM b TO c",
        )


def _timed(chart: Chart) -> dict[str, list[tree.Association]]:
    """Associations with a duration, of actions that have several, by step."""
    found: dict[str, list[tuple[str, tree.Association]]] = {}
    for key, step in chart.steps.items():
        for a in step.associations:
            if a.time is not None:
                found.setdefault(fold(a.action.name), []).append((key, a))
    timed: dict[str, list[tree.Association]] = {}
    for uses in found.values():
        if len(uses) > 1:
            for key, a in uses:
                timed.setdefault(key, []).append(a)
    return timed


def _clash(
    reporter: Reporter,
    chart: Chart,
    timed: dict[str, list[tree.Association]],
    situation: Situation,
    told: set[str],
) -> None:
    """Two durations for one action at the same time (6.7.4.6, rule d)."""
    if not timed:
        return
    first: dict[str, tree.Association] = {}
    for key in chart.steps:
        if key not in situation:
            continue
        for a in timed.get(key, ()):
            action = fold(a.action.name)
            other = first.setdefault(action, a)
            if other is not a and action not in told:
                told.add(action)
                reporter.report(
                    "W0333",
                    f"two durations for action '{a.action.name}' can hold at the same time",
                    a.span,
                    others=[Label(other.span, "the other one")],
                    help="an action has one timer; use two actions",
                )
