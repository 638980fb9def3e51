"""Rules about instances of function blocks that keep time or edges: W0315, W0316.

Timers, counters and edge detectors compare with what they saw in the call before. One that is not
called in a scan stands still, one that is called twice sees two scans in one.
"""

from __future__ import annotations

import re

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.rules.facts import REST, Facts, Site
from host_tools.compiler.types import ArrayType, FbType, Type

_STANDARD = re.compile(r"(TON|TOF|TP|CTU|CTD|CTUD)(_\w+)?\Z|(R|F)_TRIG\Z", re.IGNORECASE)
_MOST_SITES = 12


def check(reporter: Reporter, facts: Facts) -> None:
    keeps: dict[int, bool] = {}
    for (_, _), sites in facts.sites.items():
        if not all(s.in_body for s in sites):
            continue
        t = sites[0].type
        if _is_standard(t):
            _conditional(reporter, facts, sites)
        if _keeps_time(t, keeps):
            _twice(reporter, sites)


def _is_standard(t: Type) -> bool:
    return isinstance(t, FbType) and t.pou.span.source.library and bool(_STANDARD.match(t.name))


def _keeps_time(t: Type, known: dict[int, bool]) -> bool:
    """A timer, counter or edge detector, or a block with one inside."""
    if isinstance(t, ArrayType):
        return _keeps_time(t.element, known)
    if not isinstance(t, FbType):
        return False
    if id(t) not in known:
        known[id(t)] = False
        known[id(t)] = _is_standard(t) or any(
            _keeps_time(f.type, known) for f in t.fields.values() if f.section != "VAR_IN_OUT"
        )
    return known[id(t)]


def _resets(site: Site) -> bool:
    """Whether the call sets its BOOL inputs to literals: it starts or resets on purpose."""
    values = [a.value for a in site.call.arguments if not a.output and a.value is not None]
    booleans = [v for v in values if isinstance(v, tree.Literal) and v.kind == "bool"]
    return bool(booleans)


def _conditional(reporter: Reporter, facts: Facts, sites: list[Site]) -> None:
    """W0315. No warning where every branch calls it, or where one of several calls has a literal
    for IN, CLK or the like: then somebody thought of starting it anew."""
    if _covered(facts, [s.path for s in sites]):
        return
    if len(sites) > 1 and any(_resets(s) for s in sites):
        return
    site = next((s for s in sites if not s.in_loop), None)
    if site is None:
        return  # W0316 tells of that
    name, t = site.call.callee.span.text, site.type
    what = "the time stands still" if t.name.upper().startswith("T") else "it misses edges"
    first = "IN" if t.name.upper().startswith("T") else "CLK"
    if t.name.upper().startswith("CT"):
        first = "CD" if t.name.upper().startswith("CTD") else "CU"
    if t.name.upper().startswith("CTUD"):
        first = "CU"
    others = [Label(site.symbol.span, f"{t} declared here")]
    left = [facts.leaving[s] for s, branch in site.path if branch == REST and s in facts.leaving]
    if left:
        others.append(Label(left[0], "some ways through this leave before the call"))
    reporter.report(
        "W0315",
        f"'{name}' is not called in every scan",
        site.call.span,
        label=f"where it is not called, {what}",
        others=others,
        help="call it once in every scan, outside of IF, CASE and loops, and put the condition "
        f"into the call: {name}({first} := <condition> AND …)",
    )


def _covered(facts: Facts, paths: list[tuple[tuple[int, int], ...]]) -> bool:
    """Whether every way through the body passes one of the paths."""
    by_statement: dict[int, dict[int, list[tuple[tuple[int, int], ...]]]] = {}
    for path in paths:
        if not path:
            return True
        statement, branch = path[0]
        by_statement.setdefault(statement, {}).setdefault(branch, []).append(path[1:])
    return any(
        all(
            branch in branches and _covered(facts, branches[branch])
            for branch in facts.alternatives.get(statement, {REQUIRED})
        )
        for statement, branches in by_statement.items()
    )


REQUIRED = -2
"""A branch that no path has."""


def _exclusive(a: Site, b: Site) -> bool:
    """Whether no pass through the body makes both calls."""
    for (one, branch), (other, other_branch) in zip(a.path, b.path, strict=False):
        if one != other:
            return False
        if branch != other_branch:
            return True
    return False


def _twice(reporter: Reporter, sites: list[Site]) -> None:
    """W0316. A call with a literal for a BOOL input is the usual way to reset and start anew."""
    told = [s for s in sites if not _resets(s)]
    for n, site in enumerate(told[:_MOST_SITES]):
        name = site.call.callee.span.text
        if site.in_loop:
            reporter.report(
                "W0316",
                f"'{name}' is called in a loop: several times in one scan",
                site.call.span,
                label="it takes each pass for a scan",
                others=[Label(site.symbol.span, f"{site.type} declared here")],
                help="call it once, before the loop; for several things declare "
                f"ARRAY[…] OF {site.type} and call {name}[i](…)",
            )
            return
        for other in told[n + 1 : _MOST_SITES]:
            if not _exclusive(site, other):
                reporter.report(
                    "W0316",
                    f"'{name}' is called twice in one scan",
                    other.call.span,
                    label="called again here",
                    others=[Label(site.call.span, "first called here")],
                    help=f"declare a second instance of {site.type} for the second call, "
                    "or join the two calls",
                )
                return
