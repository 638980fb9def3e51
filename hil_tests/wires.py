"""Joins the signals of bench.toml with the channels of takt.toml: levels and volts for values."""

from __future__ import annotations

from typing import Any

from hil_tests.bench_file import PIN, BenchFile, SignalLine, plain, refuse
from hil_tests.device import Point
from hil_tests.devices.stepped import FULL_SCALE_V
from hil_tests.instruments.kinds import KINDS
from hil_tests.recording import SignalInfo, Value
from host_tools.build import Program
from host_tools.compiler.diagnostics import Reporter, did_you_mean
from host_tools.record import record
from host_tools.wiring.schema import Values


@record(frozen=True)
class Line:
    """A straight line through (low, low_v) and (high, high_v): engineering values and volts."""

    low: float
    high: float
    low_v: float
    high_v: float

    def volts(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.low_v + share * (self.high_v - self.low_v)

    def value(self, volts: float) -> float:
        share = (volts - self.low_v) / (self.high_v - self.low_v)
        return self.low + share * (self.high - self.low)


@record(frozen=True)
class Wire:
    """From a named signal to a point of the device, or to a channel of an instrument (then
    `instrument` is its name and the point's pin the channel).

    `contact`: true connects the pin to its active level and false leaves it open. `line` is that
    of an analogue signal.
    """

    info: SignalInfo
    point: Point
    active_low: bool = False
    contact: bool = False
    line: Line | None = None
    initial: Value = None
    instrument: str = ""

    def applied(self, value: Value) -> Value:
        """The level or the volts at the pin for a value of the signal; None is an open wire."""
        if value is None:
            return None
        if self.line is not None:
            return self.line.volts(float(value))
        if not value and self.contact:
            return None
        return bool(value) is not self.active_low

    def seen(self, applied: Value) -> Value:
        """The value of the signal for what is at the pin."""
        if applied is None:
            return None
        if self.line is not None:
            return self.line.value(float(applied))
        return bool(applied) is not self.active_low


def wires_of(bench: BenchFile, program: Program) -> dict[str, Wire]:
    """A wire for each signal, by name. Raises BenchRejected."""
    reporter = Reporter()
    io = program.manifest()["io"]
    rows = {row["address"].upper(): (row, False) for row in io["outputs"]}
    rows |= {row["address"].upper(): (row, True) for row in io["inputs"]}
    found = {}
    for line in bench.signals.values():
        wire = _wire(line, bench, rows, reporter)
        if wire is not None:
            found[line.name] = wire
    refuse(bench.source, reporter)
    return found


def _wire(
    line: SignalLine, bench: BenchFile, rows: dict[str, tuple[Any, bool]], reporter: Reporter
) -> Wire | None:
    values, to = line.values, line.values["to"]
    if to.upper() in rows:
        return _channel_wire(line, *rows[to.upper()], reporter)
    head, dot, channel = to.partition(".")
    instrument = bench.instruments.get(head) if dot else None
    if instrument is not None and KINDS[instrument.kind].make is not None:
        channels = KINDS[instrument.kind].channels(instrument.options)
        if channel in channels:
            return _free_wire(line, channel, head, reporter)
        reporter.report(
            "E0700",
            f"the instrument '{head}' has no channel '{channel}'",
            values.span("to"),
            help=did_you_mean(channel, channels) or f"channels are: {', '.join(channels)}",
        )
        return None
    if PIN.fullmatch(to):
        return _free_wire(line, to, "", reporter)
    known = [row["address"] for row, _ in rows.values()]
    reporter.report(
        "E0700",
        f"'{to}' is no channel of takt.toml, no pin and no channel of an instrument",
        values.span("to"),
        help=did_you_mean(to, known) or f"channels are: {', '.join(known)}",
    )
    return None


def _channel_wire(
    line: SignalLine, row: dict[str, Any], to_device: bool, reporter: Reporter
) -> Wire | None:
    values = line.values
    pin = str(row.get("pin") or row.get("adc") or row.get("pwm"))
    analogue = "pin" not in row
    point = Point(row["address"], pin, to_device, analogue)
    if analogue:
        scale = _scale(values, row["scale"], reporter)
        return None if scale is None else _made(line, point, reporter, scale=scale)
    invert = row["invert"] if values["invert"] is None else values["invert"]
    contact = bool(row.get("pull")) if values["contact"] is None else values["contact"]
    _no_scale(values, reporter)
    return _made(line, point, reporter, active_low=invert, contact=contact and to_device)


def _free_wire(line: SignalLine, pin: str, instrument: str, reporter: Reporter) -> Wire | None:
    """A wire to what takt.toml does not describe."""
    values = line.values
    if values["direction"] is None:
        reporter.report(
            "E0602",
            f"[signal.{line.name}] needs 'direction'",
            values.span("to"),
            help='"in" for an input of the device, "out" for an output',
        )
        return None
    analogue = values["range"] is not None
    point = Point(pin, pin, values["direction"] == "in", analogue)
    scale = None
    if analogue:
        scale = _scale(values, None, reporter)
        if scale is None:
            return None
    return _made(
        line,
        point,
        reporter,
        active_low=bool(values["invert"]),
        contact=bool(values["contact"]),
        scale=scale,
        instrument=instrument,
    )


def _no_scale(values: Values, reporter: Reporter) -> None:
    for name in ("range", "volts", "milliamperes", "ohms", "raw"):
        if values[name] is not None:
            node = values.node.get(name)
            assert node is not None
            reporter.report(
                "E0701",
                f"'{name}' is for analogue signals, {values['to']} is digital",
                node.key,
                help="remove it",
            )


def _scale(values: Values, raw_scale: list[int] | None, reporter: Reporter) -> Line | None:
    """`raw_scale`: the channel's own, for 0 V and for full scale."""
    given = [n for n in ("volts", "milliamperes", "raw") if values[n] is not None]
    if len(given) > 1:
        reporter.report(
            "E0701",
            f"'{given[0]}' and '{given[1]}' say the same",
            values.span(given[1]),
            help="keep one of the two",
        )
        return None
    if values["milliamperes"] is not None and values["ohms"] is None:
        reporter.report(
            "E0602", "'milliamperes' needs 'ohms'", values.span("milliamperes"), help="ohms = 150"
        )
        return None
    low_v, high_v = 0.0, FULL_SCALE_V
    if values["volts"] is not None:
        low_v, high_v = values["volts"]
    elif values["milliamperes"] is not None:
        low_v, high_v = (ma / 1000 * values["ohms"] for ma in values["milliamperes"])
    elif values["raw"] is not None:
        if raw_scale is None:
            reporter.report(
                "E0701", "'raw' is for channels of takt.toml", values.span("raw"), help="use volts"
            )
            return None
        whole = Line(raw_scale[0], raw_scale[1], 0.0, FULL_SCALE_V)
        low_v, high_v = (whole.volts(raw) for raw in values["raw"])
    low, high = values["range"] or values["raw"] or raw_scale or (0, 1)
    if low == high or low_v == high_v:
        reporter.report(
            "E0604",
            "the two ends of a range are the same",
            values.span("range"),
            help="give the values at the two ends",
        )
        return None
    return Line(low, high, low_v, high_v)


def _made(
    line: SignalLine,
    point: Point,
    reporter: Reporter,
    scale: Line | None = None,
    **options: Any,
) -> Wire | None:
    values = line.values
    kind = "analogue" if point.analogue else "digital"
    info = SignalInfo(line.name, kind, values["unit"], point.to_device, values["text"])
    initial = plain(values["initial"])
    if initial is not None:
        wanted = "a number" if point.analogue else "true or false"
        fits = isinstance(initial, int | float) and isinstance(initial, bool) != point.analogue
        if not fits:
            reporter.report(
                "E0603",
                f"'initial' must be {wanted}",
                values.span("initial"),
                help="such as 20.5" if point.analogue else "without quotes",
            )
            return None
        if not point.to_device:
            reporter.report(
                "E0701",
                f"'initial' is for inputs, {point.address} is an output",
                values.span("initial"),
                help="remove it",
            )
            return None
    elif point.to_device:
        initial = scale.low if scale is not None else False
    return Wire(info, point, line=scale, initial=initial, **options)
