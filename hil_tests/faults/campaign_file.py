"""Reads [[campaign]] of bench.toml: faults and expectations as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hil_tests.bench import Bench
from hil_tests.bench_file import BenchFile, plain, refuse
from hil_tests.faults.campaign import Campaign, Expected, FaultCase
from hil_tests.faults.injection import Fault, Faults
from hil_tests.recording import Value
from host_tools.compiler.diagnostics import Reporter, did_you_mean
from host_tools.duration import parse_duration
from host_tools.failure import Failure
from host_tools.wiring.schema import (
    Any_,
    Field,
    Flag,
    Node,
    Number,
    Text,
    Values,
    Whole,
    check_table,
)

CAMPAIGN = (
    Field("name", Text(), "what the table is called", required=True),
    Field("settle", Text(), "time before the fault", default="1s"),
    Field("run", Text(), "time from the fault on", default="10s"),
    Field("plant", Flag(), "with the model of [plant]; default: where there is one"),
    Field("set", Any_(), "values of signals from the start on"),
    Field("step", Any_(), "tables with `at`, a time since the fault, and `set`"),
    Field("fault", Any_(), "tables: the faults", required=True),
    Field("expect", Any_(), "tables: the expectations", required=True),
)
STEP = (
    Field("at", Text(), "time since the fault", required=True),
    Field("set", Any_(), "values of signals", required=True),
)
_SIGNAL_KINDS = ("stuck", "open", "noise", "drift", "bounce", "late")
FAULT_KINDS = (*_SIGNAL_KINDS, "plant", "power_cut", "flash_cut")
FAULT = (
    Field("kind", Text(FAULT_KINDS), "what happens", required=True),
    Field("name", Text(), "what the table calls it"),
    Field("signal", Text(), "to which signal it happens"),
    Field("attribute", Text(), 'of the plant, such as "leak_mm2"'),
    Field("to", Any_(), "stuck, plant: the value; stuck without it: as it is"),
    Field("by", Any_(), "noise, drift: how much, in the signal's unit; late: how long"),
    Field("per", Text(), "drift: the time in which it drifts so much", default="1m"),
    Field("for", Text(), "bounce: how long", default="5ms"),
    Field("edges", Whole(0, 1000), "bounce: how often", default=4),
    Field("seed", Whole(0, 2**31), "of chance", default=1),
    Field("lasts", Text(), "it ends after this time; default: to the end of the run"),
    Field("tolerated", Flag(), "it is to make no difference", default=False),
)
EXPECT = (
    Field("name", Text(), "what the table calls it"),
    Field("signal", Text(), "of which signal", required=True),
    Field("becomes", Any_(), "it has this value at some time"),
    Field("stays", Any_(), "it has this value all the time"),
    Field("below", Number(-1e12, 1e12), "it is below all the time"),
    Field("above", Number(-1e12, 1e12), "it is above all the time"),
    Field("after", Text(), "looked at from this time since the fault on"),
    Field("within", Text(), "and up to this time since the fault"),
)
_CLAIMS = ("becomes", "stays", "below", "above")


def read_campaigns(bench: BenchFile) -> list[Campaign]:
    """Raises Failure (BenchRejected) for what is wrong in the file."""
    reporter = Reporter()
    reader = _Reader(bench, reporter)
    found = [reader.campaign(node) for node in reader.rows(bench.campaigns, "[[campaign]]")]
    refuse(bench.source, reporter)
    return [campaign for campaign in found if campaign is not None]


class _Reader:
    def __init__(self, bench: BenchFile, reporter: Reporter) -> None:
        self._bench = bench
        self._reporter = reporter

    def rows(self, node: Node | None, what: str) -> list[Node]:
        """The tables of an array of tables."""
        if node is None:
            return []
        if not isinstance(node.value, list):
            self._reporter.report("E0603", f"{what} must be a list of tables", node.span)
            return []
        return list(node.value)

    def campaign(self, node: Node) -> Campaign | None:
        values = check_table(node, CAMPAIGN, self._reporter, "[[campaign]]")
        if values is None or values.bad:
            return None
        steps = []
        for row in self.rows(values["step"], "step"):
            step = check_table(row, STEP, self._reporter, "a step")
            if step is not None and not step.bad:
                steps.append((self._time(step, "at") or 0, self._settings(step)))
        has_plant = self._bench.plant is not None
        return Campaign(
            values["name"],
            self._named(self._fault, values["fault"], "fault"),
            self._named(self._expected, values["expect"], "expect"),
            self._time(values, "settle") or 0,
            self._time(values, "run") or 0,
            self._settings(values),
            tuple(steps),
            has_plant if values["plant"] is None else values["plant"],
        )

    def _named(self, read: Callable[[Node], Any], node: Node, what: str) -> tuple[Any, ...]:
        found: list[Any] = []
        for row in self.rows(node, what):
            made = read(row)
            if made is None:
                continue
            if made.name in [other.name for other in found]:
                self._reporter.report(
                    "E0604",
                    f"'{made.name}' is there twice",
                    row.span,
                    help="give each a name of its own",
                )
            found.append(made)
        return tuple(found)

    # --- values --------------------------------------------------------------------------------

    def _time(self, values: Values, name: str) -> int | None:
        if values[name] is None:
            return None
        try:
            return parse_duration(values[name], zero=True)
        except Failure as failure:
            self._reporter.report("E0604", failure.message, values.span(name), help=failure.help)
            return None

    def _signal(self, name: str, node: Node) -> None:
        known = list(self._bench.signals)
        if name not in known:
            self._reporter.report(
                "E0604",
                f"the bench has no signal '{name}'",
                node.span,
                help=did_you_mean(name, known) or f"there are: {', '.join(known)}",
            )

    def _settings(self, values: Values) -> dict[str, Value]:
        node = values["set"]
        if node is None:
            return {}
        found: dict[str, Value] = {}
        for name, entry in node.entries():
            self._signal(name, entry)
            value = plain(entry)
            if not isinstance(value, bool | int | float):
                self._reporter.report(
                    "E0603", f"'{name}' is set to a number, true or false", entry.span
                )
            found[name] = value
        return found

    def _needs(self, values: Values, kind: str, *names: str) -> bool:
        """Are they given?"""
        missing = [name for name in names if values[name] is None]
        for name in missing:
            self._reporter.report("E0602", f"'{kind}' needs '{name}'", values.span("kind"))
        return not missing

    # --- rows ----------------------------------------------------------------------------------

    def _fault(self, node: Node) -> FaultCase | None:
        values = check_table(node, FAULT, self._reporter, "a fault")
        if values is None or values.bad:
            return None
        kind, signal = values["kind"], values["signal"]
        if signal is not None:
            self._signal(signal, node.value["signal"])
        needs: tuple[str, ...] = ("signal",) if kind in _SIGNAL_KINDS else ()
        needs += {"noise": ("by",), "drift": ("by",), "late": ("by",)}.get(kind, ())
        needs += ("attribute", "to") if kind == "plant" else ()
        if not self._needs(values, kind, *needs):
            return None
        by, to = plain(values["by"]), plain(values["to"])
        if by is not None and isinstance(by, str) != (kind == "late"):
            wanted = 'a time, such as "100ms"' if kind == "late" else "a number"
            self._reporter.report("E0603", f"'by' of '{kind}' is {wanted}", values.span("by"))
            return None
        for name in ("per", "for"):
            self._time(values, name)
        return FaultCase(
            values["name"] or " ".join(filter(None, (signal or values["attribute"], kind))),
            _put(kind, values, by, to, values.given("to")),
            self._time(values, "lasts"),
            values["tolerated"],
        )

    def _expected(self, node: Node) -> Expected | None:
        values = check_table(node, EXPECT, self._reporter, "an expectation")
        if values is None or values.bad:
            return None
        signal = values["signal"]
        self._signal(signal, node.value["signal"])
        claims = [name for name in _CLAIMS if values[name] is not None]
        if len(claims) != 1:
            self._reporter.report(
                "E0604",
                f"an expectation has one of {', '.join(_CLAIMS)}",
                node.span,
                help="this has none" if not claims else f"this has {' and '.join(claims)}",
            )
            return None
        claim = claims[0]
        limit = plain(values[claim])
        after_ns = self._time(values, "after") or 0
        within_ns = self._time(values, "within")
        shown = str(limit).lower() if isinstance(limit, bool) else limit
        name = values["name"] or f"{signal} {claim} {shown}"
        return Expected(name, _holds(signal, claim, limit, after_ns, within_ns))


def _put(
    kind: str, values: Values, by: Any, to: Any, is_to: bool
) -> Callable[[Bench, Faults], Fault]:
    signal, seed = values["signal"], values["seed"]

    def put(bench: Bench, faults: Faults) -> Fault:
        if kind == "stuck":
            return faults.stuck(signal, to) if is_to else faults.stuck(signal)
        if kind == "open":
            return faults.open(signal)
        if kind == "noise":
            return faults.noise(signal, by, seed)
        if kind == "drift":
            return faults.drift(signal, by, values["per"])
        if kind == "bounce":
            return faults.bounce(signal, values["for"], values["edges"], seed)
        if kind == "late":
            return faults.late(signal, by)
        if kind == "plant":
            return faults.plant(values["attribute"], to)
        return faults.power_cut() if kind == "power_cut" else faults.flash_cut(seed=seed)

    return put


def _holds(
    signal: str, claim: str, limit: Any, after_ns: int, within_ns: int | None
) -> Callable[[Bench, int, int], bool]:
    def holds(bench: Bench, begin_ns: int, end_ns: int) -> bool:
        recording = bench.dut.recording
        first_ns = begin_ns + after_ns
        last_ns = end_ns if within_ns is None else min(end_ns, begin_ns + within_ns)
        seen = [recording.value_at(signal, first_ns)]
        seen += [change.value for change in recording.of(signal, first_ns, last_ns + 1)]
        if claim == "becomes":
            return any(value == limit for value in seen)
        if claim == "stays":
            return all(value == limit for value in seen)
        # An open line is neither below nor above.
        if claim == "below":
            return all(value is not None and value < limit for value in seen)
        return all(value is not None and value > limit for value in seen)

    return holds
