"""The [io] section: which pin, converter or PWM output belongs to which address or variable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from host_tools.compiler.diagnostics import Label, Reporter, did_you_mean
from host_tools.compiler.source import Span
from host_tools.record import record
from host_tools.wiring.addresses import Address, parse_address
from host_tools.wiring.boards import Board, Pin
from host_tools.wiring.schema import (
    Any_,
    Field,
    Flag,
    Items,
    Node,
    Text,
    Values,
    Whole,
    check_table,
    check_value,
    report_unknown,
)

DIGITAL_INPUT = "digital input"
DIGITAL_OUTPUT = "digital output"
ANALOGUE_INPUT = "analogue input"
ANALOGUE_OUTPUT = "analogue output"
SAFE_ONLY = "output without a wire"

_PIN = Field("pin", Any_(), 'the pin, as "GP2"', required=True)
_DIRECTION = Field("direction", Text(("in", "out")), "for a variable: is it read or driven?")
_SCALE = Field(
    "scale",
    Items(Whole(-(2**31), 2**32 - 1), 2, 2),
    "values of the lowest and the highest signal",
    default=[0, 65535],
)

FIELDS: dict[str, tuple[Field, ...]] = {
    DIGITAL_INPUT: (
        _PIN,
        Field("pull", Text(("up", "down")), "the chip's own resistor, none by default"),
        Field("invert", Flag(), "TRUE when the pin is low", default=False),
        Field(
            "filter_ms",
            Whole(0, 10_000, "ms"),
            "a level counts when it has lasted this long",
            default=0,
        ),
        _DIRECTION,
    ),
    DIGITAL_OUTPUT: (
        _PIN,
        Field("invert", Flag(), "TRUE drives the pin low", default=False),
        Field("safe", Flag(), "the value after a fault or stop", default=False),
        _DIRECTION,
    ),
    ANALOGUE_INPUT: (
        Field("adc", Any_(), 'a pin with an analogue input, as "GP26"', required=True),
        _SCALE,
    ),
    ANALOGUE_OUTPUT: (
        Field("pwm", Any_(), 'a pin with PWM, as "GP15"', required=True),
        Field("freq", Whole(10, 100_000, "Hz"), "of the PWM signal", default=1000),
        _SCALE,
        Field(
            "safe",
            Whole(-(2**31), 2**32 - 1),
            "the value after a fault or stop; 0, or the first of scale where 0 is outside",
        ),
    ),
    SAFE_ONLY: (Field("safe", Any_(), "the value after a fault or stop", required=True),),
}
"""The keys of a channel by what it is."""

_SIGNALS = ("pin", "adc", "pwm")
_LIKELY = {  # by: is it an output, is it a bit
    (False, True): DIGITAL_INPUT,
    (True, True): DIGITAL_OUTPUT,
    (False, False): ANALOGUE_INPUT,
    (True, False): ANALOGUE_OUTPUT,
}
_VARIABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*|\[-?\d+(,\s*-?\d+)*\])*")


@record(frozen=True)
class Channel:
    """One line of [io]. `target` is an address or the path of a variable; `options` has the values
    of FIELDS[role]; `key` is where the target stands, `span` the channel."""

    target: Address | str
    role: str
    pin: Pin | None
    options: dict[str, Any]
    key: Span
    span: Span
    pin_span: Span
    scale_span: Span

    @property
    def is_output(self) -> bool:
        return self.role in (DIGITAL_OUTPUT, ANALOGUE_OUTPUT, SAFE_ONLY)


def check_radio(channels: Iterable[Channel], board: Board, reporter: Reporter) -> None:
    """W0600 for converters that do not work while the board is on the network."""
    why = board.limit("adc 2 with network")
    for channel in channels:
        if why and channel.role == ANALOGUE_INPUT and channel.pin and channel.pin.adc == 2:
            reporter.report(
                "W0600",
                f"{channel.pin.name} cannot be read while the network is used",
                channel.pin_span,
                help=why,
            )


def check_channels(section: Node, board: Board | None, reporter: Reporter) -> list[Channel]:
    """The channels of [io] that are right. Without a board the pins are not checked."""
    if not isinstance(section.value, dict):
        reporter.report("E0603", "[io] must be a table of channels", section.span)
        return []
    channels = []
    for name, node in _dotted(section):
        channel = _check_channel(name, node, board, reporter)
        if channel is not None:
            channels.append(channel)
    _check_doubles(channels, reporter)
    return channels


def _dotted(section: Node, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Channels by name; `main.start = { … }` is read as the name it looks like."""
    for name, node in section.entries():
        inner = node.value
        if (
            isinstance(inner, dict)
            and inner
            and not name.startswith("%")
            and all(isinstance(n.value, dict) and k not in _all_keys() for k, n in inner.items())
        ):
            yield from _dotted(node, f"{prefix}{name}.")
        else:
            yield prefix + name, node


def _check_channel(
    name: str, node: Node, board: Board | None, reporter: Reporter
) -> Channel | None:
    target: Address | str = name.strip()
    if name.lstrip().startswith("%"):
        parsed = parse_address(name)
        if isinstance(parsed, str):
            reporter.report("E0607", f"'{name}' is not an address", node.key, help=parsed)
            return None
        target = parsed
    elif not _VARIABLE.fullmatch(name.strip()):
        reporter.report(
            "E0607",
            f"'{name}' is neither an address nor a variable",
            node.key,
            help='a channel is written "%IX0.0" = { … } or variable = { … }',
        )
        return None
    if not isinstance(node.value, dict):
        reporter.report(
            "E0603",
            f"the channel of {target} must be a table",
            node.span,
            help='write it as { pin = "GP2" }',
        )
        return None
    role = _role(target, node, reporter)
    if role is None:
        return None
    values = _options(target, role, node, reporter)
    if values is None:
        return None
    pin, pin_span = None, node.span
    signal = FIELDS[role][0].name
    if signal in _SIGNALS and isinstance(values[signal], Node):
        pin_span = values[signal].span
        if board is not None:
            pin = check_pin(values[signal], role, values, board, reporter)
            if pin is None:
                values.bad.add(signal)
    _check_scale(values, reporter)
    if role == SAFE_ONLY and not isinstance(values["safe"].value, bool | int):
        reporter.report(
            "E0603", "'safe' must be true, false or a whole number", values.span("safe")
        )
        values.bad.add("safe")
    if values.bad:
        return None
    options = {n: v.value if isinstance(v, Node) else v for n, v in values.values.items()}
    return Channel(target, role, pin, options, node.key, node.span, pin_span, values.span("scale"))


def _role(target: Address | str, node: Node, reporter: Reporter) -> str | None:
    """What kind of channel the keys and the address make, None after reporting."""
    signals = [(s, n) for s in _SIGNALS if (n := node.get(s))]
    if len(signals) > 1:
        (one, at), (two, earlier) = signals[1], signals[0]
        reporter.report(
            "E0608",
            f"a channel has one signal, this has '{two}' and '{one}'",
            at.key,
            others=[Label(earlier.key, "first here")],
            help="give each its own address",
        )
        return None
    signal = signals[0][0] if signals else ""
    if isinstance(target, str):
        return _role_of_variable(target, signal, node, reporter)
    if target.area == "M":
        reporter.report(
            "E0608",
            f"{target} is memory, a channel is an input %I or an output %Q",
            node.key,
        )
        return None
    output = target.area == "Q"
    if not signal:
        if output and node.get("safe"):
            return SAFE_ONLY
        near = [n for n in (node.value or {}) if n not in _all_keys()]
        if near:
            report_unknown(
                near[0],
                node.value[near[0]].key,
                [f.name for f in FIELDS[_LIKELY[output, target.size == "X"]]],
                reporter,
                f"a channel has no key '{near[0]}'",
            )
        else:
            reporter.report(
                "E0602",
                f"the channel of {target} needs a signal",
                node.key,
                help='pin = "GP2" for a digital signal, '
                + ('pwm = "GP15"' if output else 'adc = "GP26"')
                + " for an analogue one",
            )
        return None
    if signal == "pin":
        if target.size != "X":
            first = Address(target.area, "X", target.index, 0)
            reporter.report(
                "E0608",
                f"a pin is one bit, {target} is {target.width * 8} bits",
                node.key,
                help=f"use a bit address such as {first}",
            )
            return None
        return DIGITAL_OUTPUT if output else DIGITAL_INPUT
    if output != (signal == "pwm"):
        direction = "an output" if output else "an input"
        other = "pwm" if output else "adc"
        reporter.report(
            "E0608",
            f"'{signal}' does not go with {target}, which is {direction}",
            node.value[signal].key,
            help=f"an analogue {'output' if output else 'input'} has '{other}'",
        )
        return None
    if target.size not in ("W", "D"):
        reporter.report(
            "E0608",
            f"an analogue channel is a word or double word, {target} is neither",
            node.key,
            help=f"use %{target.area}W{target.index}",
        )
        return None
    return ANALOGUE_OUTPUT if signal == "pwm" else ANALOGUE_INPUT


def _role_of_variable(target: str, signal: str, node: Node, reporter: Reporter) -> str | None:
    if signal == "adc":
        return ANALOGUE_INPUT
    if signal == "pwm":
        return ANALOGUE_OUTPUT
    if direction := node.get("direction"):
        value = check_value(direction, _DIRECTION.kind, reporter, "'direction'")
        return {"in": DIGITAL_INPUT, "out": DIGITAL_OUTPUT}.get(value)
    if node.get("pull") or node.get("filter_ms"):
        return DIGITAL_INPUT
    if node.get("safe"):
        return DIGITAL_OUTPUT if signal else SAFE_ONLY
    reporter.report(
        "E0602",
        f"is the pin of {target} an input or an output?"
        if signal
        else f"the channel of {target} needs a signal",
        node.key,
        help='add direction = "in" or direction = "out"'
        if signal
        else 'pin = "GP2", adc = "GP26" or pwm = "GP15"',
    )
    return None


def _all_keys() -> dict[str, str]:
    """Every key a channel may have, and the first role that has it."""
    keys: dict[str, str] = {}
    for role, fields in FIELDS.items():
        for each in fields:
            keys.setdefault(each.name, role)
    return keys


def _options(target: Address | str, role: str, node: Node, reporter: Reporter) -> Values | None:
    """The values of the channel; keys of other kinds of channel are E0608."""
    fields = FIELDS[role]
    names = [f.name for f in fields]
    known = _all_keys()
    foreign = False
    for name, inner in node.entries():
        if name in names or name not in known:
            continue
        owners = [r for r, fs in FIELDS.items() if r != SAFE_ONLY for f in fs if f.name == name]
        reporter.report(
            "E0608",
            f"'{name}' does not go with {target}, which is an {role}".replace(
                "an digital", "a digital"
            ),
            inner.key,
            help=f"'{name}' is for {_either(f'{r}s' for r in owners)}",
        )
        foreign = True
    kept = Node(
        {n: v for n, v in node.entries() if n in names or n not in known}, node.key, node.span
    )
    values = check_table(kept, fields, reporter, f"the {role} {target}")
    if values is not None and foreign:
        values.bad.add("")
    return values


def _either(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def check_pin(
    node: Node, role: str, values: Values, board: Board, reporter: Reporter
) -> Pin | None:
    """The pin that `node` names where it exists on the board and can do what is asked; None after
    reporting. `values` may have its pull."""
    if not board.pins:
        reporter.report(
            "E0609",
            f"board '{board.name}' has no pins",
            node.span,
            help="name the board that the program is for under [project]",
        )
        return None
    name = node.value
    if not isinstance(name, str):
        numbered = [p for p in board.pins if p.lstrip("GPIO") == str(name)]
        reporter.report(
            "E0603",
            "a pin is named by text",
            node.span,
            help=f'write "{numbered[0]}"' if numbered else f'such as "{next(iter(board.pins))}"',
        )
        return None
    pin = board.pins.get(name)
    if pin is None:
        reporter.report(
            "E0609",
            f"board '{board.name}' has no pin '{name}'",
            node.span,
            help=did_you_mean(name, board.pins) or f"pins are {_pin_range(board)}",
        )
        return None
    if pin.taken:
        reporter.report(
            "E0610",
            f"{name} is not free on board '{board.name}'",
            node.span,
            label=f"it is {pin.taken}",
        )
        return None
    lacks, able = "", []
    if role == DIGITAL_INPUT and not pin.input:
        lacks, able = "cannot be an input", [p for p in board.pins.values() if p.input]
    elif role == DIGITAL_OUTPUT and not pin.output:
        lacks, able = "cannot be an output", []
    elif role == ANALOGUE_INPUT and pin.adc is None:
        lacks = "has no analogue input"
        able = [p for p in board.pins.values() if p.adc is not None and not p.taken]
    elif role == ANALOGUE_OUTPUT and not pin.pwm:
        lacks = "has no PWM"
    if lacks:
        reporter.report(
            "E0610",
            f"{name} of board '{board.name}' {lacks}",
            node.span,
            help=f"these have: {', '.join(p.name for p in able)}" if 0 < len(able) < 20 else "",
        )
        return None
    pull = values.values.get("pull") if role == DIGITAL_INPUT else None
    if pull and pull not in pin.pulls:
        reporter.report(
            "E0610",
            f"{name} of board '{board.name}' has no pull-{pull} of its own",
            values.span("pull"),
            help="use an external resistor",
        )
        return None
    if pin.strap:
        reporter.report(
            "W0600",
            f"the level of {name} at reset matters to the chip",
            node.span,
            label=pin.strap,
            help="make sure that what is connected leaves it alone, or use another pin",
        )
    if pull == "down" and (why := board.limit("pull-down")):
        reporter.report(
            "W0600", f"the pull-down of {name} may not hold", values.span("pull"), help=why
        )
    return pin


def _pin_range(board: Board) -> str:
    names = list(board.pins)
    return f"{names[0]} to {names[-1]}"


def _check_scale(values: Values, reporter: Reporter) -> None:
    scale = values.values.get("scale")
    if not scale:
        return
    if scale[0] == scale[1]:
        reporter.report("E0604", "'scale' must have two different values", values.span("scale"))
        values.bad.add("scale")
    if "safe" not in values.values:
        return
    low, high = min(scale), max(scale)
    safe = values["safe"]
    if safe is None:
        values.values["safe"] = 0 if low <= 0 <= high else scale[0]
    elif not low <= safe <= high:
        reporter.report(
            "E0604",
            f"'safe' must be within scale, {low} to {high}",
            values.span("safe"),
            others=[Label(values.span("scale"), "the scale")] if values.given("scale") else [],
        )
        values.bad.add("safe")


def _check_doubles(channels: list[Channel], reporter: Reporter) -> None:
    """One channel for an address, one for a pin, one PWM signal for a PWM channel."""
    targets: dict[str, Channel] = {}
    pins: dict[str, Channel] = {}
    signals: dict[str, Channel] = {}
    slices: dict[str, Channel] = {}
    for channel in channels:
        name = str(channel.target).upper()
        first = targets.setdefault(name, channel)
        if first is not channel:
            reporter.report(
                "E0612",
                f"{channel.target} has two channels",
                channel.key,
                label="again here",
                others=[Label(first.key, "first here")],
                help="keep one of the two lines",
            )
        if channel.pin is None:
            continue
        first = pins.setdefault(channel.pin.name, channel)
        if first is not channel:
            reporter.report(
                "E0611",
                f"pin {channel.pin.name} is used twice",
                channel.pin_span,
                label=f"for {channel.target}",
                others=[Label(first.pin_span, f"and for {first.target}")],
                help="choose another pin for one of them",
            )
            continue
        if channel.role != ANALOGUE_OUTPUT or not isinstance(channel.pin.pwm, str):
            continue
        first = signals.setdefault(channel.pin.pwm, channel)
        if first is not channel and first.pin:
            reporter.report(
                "E0611",
                f"{channel.pin.name} and {first.pin.name} share PWM channel {channel.pin.pwm}",
                channel.pin_span,
                label=f"for {channel.target}",
                others=[Label(first.pin_span, f"and for {first.target}")],
                help="both would carry the same signal; use another pin for one of them",
            )
            continue
        first = slices.setdefault(channel.pin.pwm[:-1], channel)
        if first.options["freq"] != channel.options["freq"] and first.pin:
            reporter.report(
                "E0611",
                f"{channel.pin.name} and {first.pin.name} share PWM slice "
                f"{channel.pin.pwm[:-1]} and so one 'freq'",
                channel.span,
                label=f"{channel.options['freq']} Hz",
                others=[Label(first.span, f"{first.options['freq']} Hz")],
                help="use the same 'freq', or a pin of another slice",
            )
