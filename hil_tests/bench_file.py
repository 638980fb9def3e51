"""Reads bench.toml: devices under test, instruments, signals and the plant of a bench.

Checked like takt.toml, by the same validator: what is wrong is told with its place and the
nearest valid name.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hil_tests.device import CAPABILITIES
from host_tools.compiler.diagnostics import Diagnostic, Reporter, did_you_mean
from host_tools.compiler.source import Source, Span, read_source
from host_tools.duration import parse_duration
from host_tools.failure import USAGE, Failure
from host_tools.record import field, record
from host_tools.wiring.schema import (
    Any_,
    Field,
    Flag,
    Items,
    Node,
    Number,
    Text,
    Values,
    check_table,
    check_value,
    read_toml,
    report_unknown,
)

FILE = "bench.toml"
KINDS = ("host", "micropython", "pico", "serial")

BENCH = (
    Field("name", Text(), "what reports call the bench", required=True),
    Field("project", Text(), "folder of the Takt project, from this file", default="."),
    Field("text", Text(), "what it is, for people", default=""),
)
DUT = (
    Field("kind", Text(KINDS), "the kind of device; the section's name by default"),
    Field("engine", Text(("auto", "python", "native")), "what runs the logic", default="auto"),
    Field("firmware", Text(), "UF2 image for `pico`; Takt's own by default"),
    Field("serial", Text(), "USB serial number of the board, as `takt devices` lists it"),
    Field("port", Text(), "serial port, in place of `serial`"),
    Field("instrument", Text(), "the one at the board's pins; by default the first with `wires`"),
    Field("edge", Text(), 'how far off a time may be, as "2ms"; 1ms for pico, 20ms for serial'),
    Field("analogue", Number(0, 100, "%"), "tolerance of analogue values, of their range"),
    Field("has", Items(Text(CAPABILITIES)), "capabilities that instruments add", default=[]),
    Field("lacks", Items(Text(CAPABILITIES)), "capabilities that are not to be used", default=[]),
)
_EDGE_NS = {"pico": 1_000_000, "serial": 20_000_000}
"""`edge` by kind: on the emulated Pico a scan takes time; on a board requests to the instrument
do, too."""
_RANGE = Items(Number(-1e12, 1e12), 2, 2)
SIGNAL = (
    Field("to", Text(), 'where the wire ends: "%IX0.0", "GP2" or "instrument.channel"', True),
    Field("text", Text(), "what it is, for people", default=""),
    Field("unit", Text(), "of its values", default=""),
    Field("range", _RANGE, "values in that unit at the two ends of volts, milliamperes or raw"),
    Field("volts", _RANGE, "at the pin, at the ends of range"),
    Field("milliamperes", _RANGE, "through `ohms`, at the ends of range"),
    Field("ohms", Number(0.001, 1e9, "ohms"), "the resistor that makes volts of milliamperes"),
    Field("raw", _RANGE, "values of the channel of takt.toml, at the ends of range"),
    Field("initial", Any_(), "value from the start on"),
    Field("contact", Flag(), "closes for true and is open for false; default: where `pull` is"),
    Field("invert", Flag(), "true drives the pin low; default: what takt.toml says"),
    Field("direction", Text(("in", "out")), "of a pin that takt.toml does not name"),
)
PIN = re.compile(r"(GP|GPIO|IO)\d+")
PLANT = (
    Field("model", Text(), 'the class, as "module:Class"', required=True),
    Field("parameters", Any_(), "what the class is made with"),
    Field("connect", Any_(), "signal for each name of the model that differs"),
)
_SECTIONS = ("bench", "dut", "instrument", "signal", "plant", "campaign")


@record(frozen=True)
class Dut:
    """[dut.NAME]. Tolerances: `edge_ns` of times, `analogue` in percent of a signal's range."""

    name: str
    kind: str
    engine: str = "auto"
    firmware: str | None = None
    serial: str | None = None
    port: str | None = None
    edge_ns: int = 0
    analogue: float = 0.0
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    instrument: str | None = None


@record(frozen=True)
class SignalLine:
    """[signal.NAME], before it is joined with the program's channels (hil_tests/wires.py)."""

    name: str
    values: Values


@record(frozen=True)
class InstrumentLine:
    """[instrument.NAME]. `options` are those of its kind: for "pico" `serial` or `port`, and
    `wires`, pin of the device -> pin of the instrument."""

    name: str
    kind: str
    options: dict[str, Any]


@record(frozen=True)
class PlantLine:
    """[plant]. `connect`: the model's name -> the signal's."""

    model: str
    parameters: dict[str, Any]
    connect: dict[str, str]
    values: Values


@record(frozen=True)
class BenchFile:
    """bench.toml, checked as far as it can be without the program."""

    path: Path
    source: Source
    name: str
    project: Path
    text: str = ""
    duts: dict[str, Dut] = field(default_factory=dict)
    signals: dict[str, SignalLine] = field(default_factory=dict)
    instruments: dict[str, InstrumentLine] = field(default_factory=dict)
    plant: PlantLine | None = None
    campaigns: Node | None = None
    """[[campaign]], read by hil_tests/faults/campaign_file.py."""

    def dut(self, name: str) -> Dut:
        """The device of this name or, where there is no section for it, of this kind. Raises
        Failure."""
        if name in self.duts:
            return self.duts[name]
        if name in KINDS and name != "serial":
            return Dut(name, name, edge_ns=_EDGE_NS.get(name, 0))
        known = [*self.duts, *(k for k in KINDS if k != "serial" and k not in self.duts)]
        help = did_you_mean(name, known) or f"there are: {', '.join(known)}"
        if name == "serial":
            help = f'add [dut.board] with kind = "serial" and serial = "…" to {self.source.name}'
        raise Failure(f"the bench has no device '{name}'", help, USAGE)


class BenchRejected(Failure):
    """bench.toml has errors: `diagnostics`, which the text shows with their lines."""

    def __init__(self, name: str, diagnostics: list[Diagnostic]) -> None:
        errors = sum(d.is_error for d in diagnostics)
        super().__init__(f"{name} has {errors} error{'s' if errors != 1 else ''}", "", USAGE)
        self.diagnostics = diagnostics

    def __str__(self) -> str:
        from host_tools.render import Style, diagnostics_text

        return f"{self.message}\n{diagnostics_text(self.diagnostics, Style.plain())}"


def refuse(source: Source, reporter: Reporter) -> None:
    """Raises BenchRejected where an error was reported."""
    if any(d.is_error for d in reporter.diagnostics):
        raise BenchRejected(source.name, reporter.diagnostics)


def find_bench(start: Path) -> Path | None:
    """bench.toml in a folder or the nearest one above it."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    return None


def read_bench(path: Path) -> BenchFile:
    """Read and check. Raises Failure (BenchRejected for what is wrong inside)."""
    if path.is_dir():
        path = path / FILE
    try:
        source = read_source(path, name=_shown(path))
    except OSError as error:
        raise Failure(
            f"cannot read '{path}': {error.strerror}", "give --bench the name of a file", USAGE
        ) from None
    reporter = Reporter()
    found = check_bench(path, source, reporter)
    refuse(source, reporter)
    assert found is not None
    return found


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def check_bench(path: Path, source: Source, reporter: Reporter) -> BenchFile | None:
    """The bench, with everything wrong with it reported; None where nothing can be read."""
    root = read_toml(source, reporter)
    if root is None:
        return None
    for name, node in root.entries():
        if name not in _SECTIONS:
            report_unknown(name, node.key, _SECTIONS, reporter, f"there is no section [{name}]")
    bench = root.get("bench")
    values = None
    if bench is None:
        reporter.report(
            "E0602",
            "the section [bench] is missing",
            Span(source, 0, min(1, len(source.text))),
            help='begin with [bench], name = "…" and project = "…"',
        )
    else:
        values = check_table(bench, BENCH, reporter, "[bench]")
    return BenchFile(
        path=path,
        source=source,
        name=(values["name"] if values else None) or "unnamed",
        project=(path.parent / (values["project"] if values else ".")).resolve(),
        text=values["text"] if values else "",
        duts={dut.name: dut for dut in _duts(root, reporter)},
        signals={line.name: line for line in _signals(root, reporter)},
        instruments={line.name: line for line in _instruments(root, reporter)},
        plant=_plant(root, reporter),
        campaigns=root.get("campaign"),
    )


def _tables(root: Node, name: str, reporter: Reporter) -> list[tuple[str, Node]]:
    node = root.get(name)
    if node is None:
        return []
    if not isinstance(node.value, dict):
        reporter.report("E0603", f"[{name}] must be a table of {name}s", node.span)
    return list(node.entries())


def _duts(root: Node, reporter: Reporter) -> list[Dut]:
    found = []
    for name, node in _tables(root, "dut", reporter):
        values = check_table(node, DUT, reporter, f"[dut.{name}]")
        if values is None:
            continue
        kind = values["kind"] or name
        if kind not in KINDS:
            if "kind" not in values.bad:
                reporter.report(
                    "E0602",
                    f"[dut.{name}] needs 'kind'",
                    node.key,
                    help=did_you_mean(name, KINDS) or f"one of: {', '.join(KINDS)}",
                )
            continue
        if kind == "serial" and not (values["serial"] or values["port"]):
            reporter.report(
                "E0602",
                f"[dut.{name}] needs 'serial'",
                node.key,
                help="the USB serial number that `takt devices` lists; or a port",
            )
        found.append(
            Dut(
                name,
                kind,
                values["engine"],
                values["firmware"],
                values["serial"],
                values["port"],
                _duration(values, "edge", _EDGE_NS.get(kind, 0), reporter),
                values["analogue"] or 0.0,
                tuple(values["has"]),
                tuple(values["lacks"]),
                values["instrument"],
            )
        )
    return found


def _duration(values: Values, name: str, default_ns: int, reporter: Reporter) -> int:
    if values[name] is None:
        return default_ns
    try:
        return parse_duration(values[name], zero=True)
    except Failure as failure:
        reporter.report("E0604", failure.message, values.span(name), help=failure.help)
        return default_ns


def _signals(root: Node, reporter: Reporter) -> list[SignalLine]:
    found = []
    for name, node in _tables(root, "signal", reporter):
        if not name.isidentifier():
            reporter.report(
                "E0604",
                f"'{name}' cannot be the name of a signal",
                node.key,
                help="letters, digits and '_', as in a Python name",
            )
            continue
        values = check_table(node, SIGNAL, reporter, f"[signal.{name}]")
        if values is not None and "to" not in values.bad:
            found.append(SignalLine(name, values))
    return found


def _instruments(root: Node, reporter: Reporter) -> list[InstrumentLine]:
    from hil_tests.instruments.kinds import KINDS as INSTRUMENTS

    found = []
    for name, node in _tables(root, "instrument", reporter):
        named = node.get("kind")
        kind = named.value if named is not None else None
        known = INSTRUMENTS[kind].fields if kind in INSTRUMENTS else ()
        first = Field("kind", Text(tuple(INSTRUMENTS)), "what it is", required=True)
        if not known and named is not None and isinstance(node.value, dict):
            check_value(named, first.kind, reporter, "'kind'")
            continue
        values = check_table(node, (first, *known), reporter, f"[instrument.{name}]")
        if values is None or values.bad:
            continue
        options = {n: plain(value) for n, value in values.values.items() if n != "kind"}
        if kind == "pico":
            if not (options["serial"] or options["port"]):
                reporter.report(
                    "E0602",
                    f"[instrument.{name}] needs 'serial'",
                    node.key,
                    help="the USB serial number that `takt devices` lists; or a port",
                )
            options["wires"] = _wires(name, values, reporter)
        found.append(InstrumentLine(name, values["kind"], options))
    return found


def _wires(name: str, values: Values, reporter: Reporter) -> dict[str, str]:
    """Pin of the device -> pin of the instrument."""
    node = values["wires"]
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        reporter.report(
            "E0603",
            f"[instrument.{name}.wires] must be a table",
            node.span,
            help='{ GP2 = "GP10" }',
        )
        return {}
    found: dict[str, str] = {}
    for pin, inner in node.entries():
        to = inner.value
        if not isinstance(to, str) or not PIN.fullmatch(to):
            reporter.report(
                "E0604",
                f"{pin} is wired to no pin of the instrument",
                inner.span,
                help='as "GP10"',
            )
        elif to in found.values():
            reporter.report(
                "E0604",
                f"{to} of the instrument has two wires",
                inner.span,
                help="each pin of the instrument is for one pin of the device",
            )
        else:
            found[pin] = to
    return found


def _plant(root: Node, reporter: Reporter) -> PlantLine | None:
    node = root.get("plant")
    values = check_table(node, PLANT, reporter, "[plant]") if node is not None else None
    if values is None or values.bad:
        return None
    parameters = plain(values["parameters"])
    connect = plain(values["connect"])
    for name, value in (("parameters", parameters), ("connect", connect)):
        if value is not None and not isinstance(value, dict):
            reporter.report("E0603", f"[plant.{name}] must be a table", values.span(name))
            return None
    return PlantLine(values["model"], parameters or {}, connect or {}, values)


def plain(node: Any) -> Any:
    """What a Node holds, without the places."""
    if not isinstance(node, Node):
        return node
    if isinstance(node.value, dict):
        return {name: plain(inner) for name, inner in node.value.items()}
    return [plain(inner) for inner in node.value] if isinstance(node.value, list) else node.value
