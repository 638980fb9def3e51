"""Checks tables of takt.toml against field lists that stand beside the component they configure.

The values keep their places in the text from reading to the last check, so every message points at
what was typed. One validator serves `check`, `build`, `run` and whoever edits the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from host_tools.compiler.diagnostics import Label, Reporter, did_you_mean, nearest
from host_tools.compiler.source import Source, Span
from host_tools.record import field, record
from host_tools.wiring.toml_positions import Path, Place, ScanError, places


@record(frozen=True, eq=False)
class Node:
    """One value of the file: a scalar as tomllib gives it, a dict of Nodes or a list of Nodes.
    `key` is where its name stands, `span` the value."""

    value: Any
    key: Span
    span: Span

    def get(self, name: str) -> Node | None:
        """The entry `name` of a table, None where there is none or this is no table."""
        return self.value.get(name) if isinstance(self.value, dict) else None

    def entries(self) -> Iterator[tuple[str, Node]]:
        """Names and values of a table, in the order of the file."""
        if isinstance(self.value, dict):
            yield from self.value.items()


# --- reading ---------------------------------------------------------------------------------

_NESTING = 50
_WORD = re.compile(r"[%A-Za-z][\w.]*")
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_toml(source: Source, reporter: Reporter) -> Node | None:
    """The document, or None after reporting E0600 where it is not TOML."""
    bad = source.text.find("\ufffd")
    if bad >= 0:
        reporter.report(
            "E0600",
            f"{source.name} is not UTF-8 text",
            Span(source, bad, bad + 1),
            help="save the file as UTF-8",
        )
        return None
    try:
        data = tomllib.loads(source.text)
        if _is_deep(data):
            raise RecursionError  # as where Python's limit is lower
        scan = places(source.text)
    except tomllib.TOMLDecodeError as error:
        _report_syntax(source, str(error), reporter)
        return None
    except (RecursionError, ValueError):
        # ValueError: a number of more digits than Python converts.
        _report_syntax(source, "nested too deeply, or a number too long", reporter)
        return None
    except ScanError as error:
        span = Span(source, error.offset, error.offset + 1)
        reporter.report("E0600", "this is not valid TOML", span)
        return None
    whole = Span(source, 0, 0)

    def node(value: Any, path: Path) -> Node:
        place = scan.at[path] if path else Place((0, 0), (0, 0))
        key = Span(source, *place.key) if path else whole
        span = Span(source, *place.value) if path else whole
        if isinstance(value, dict):
            value = {name: node(inner, (*path, name)) for name, inner in value.items()}
        elif isinstance(value, list):
            value = [node(inner, (*path, n)) for n, inner in enumerate(value)]
        return Node(value, key, span)

    return node(data, ())


def _is_deep(data: Any) -> bool:
    """Whether tables and lists are nested deeper than any wiring is, whatever Python allows."""
    level = [data]
    for _ in range(_NESTING):
        level = [
            inner
            for value in level
            for inner in (value.values() if isinstance(value, dict) else value)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _report_syntax(source: Source, message: str, reporter: Reporter) -> None:
    try:
        twice = places(source.text).twice
    except (ScanError, RecursionError):
        twice = []
    if twice:
        path, first, second = min(twice, key=lambda found: len(found[0]))
        reporter.report(
            "E0600",
            f"'{path[-1]}' is given twice",
            Span(source, *second.key),
            label="again here",
            others=[Label(Span(source, *first.key), "first here")],
            help="keep one of the two",
        )
        return
    found = _POSITION.search(message)
    at = len(source.text)
    if found:
        message = message[: found.start()]
        if found[1]:
            at = _offset(source, int(found[1]), int(found[2]))
    if at >= len(source.text):
        at = max(len(source.text.rstrip()) - 1, 0)
    help = ""
    line = source.text.rfind("\n", 0, at) + 1
    if source.text[at : at + 1] in ("\n", "\r") and "{" in source.text[line:at]:
        help = "a table in braces ends on its line; write a long one as a section, [a.b]"
    elif "invalid value" in message.lower() and source.text[at : at + 1].isalpha():
        help = 'text stands in quotes: name = "demo"'
    elif source.text[at : at + 1] == "%":
        help = 'an address stands in quotes: "%QX0.0"'
    elif source.text[at : at + 1] == ":":
        help = "a value follows '=': name = \"demo\""
    end = min(at + 1, len(source.text))
    word = _WORD.match(source.text, at)
    span = Span(source, at, word.end() if word else end)
    if word and 'name = "demo"' in help:
        help = f'text stands in quotes: "{word.group()}"'
    elif word and help.startswith("an address"):
        help = f'an address stands in quotes: "{word.group()}"'
    reporter.report(
        "E0600", f"this is not valid TOML: {message[:1].lower()}{message[1:]}", span, help=help
    )


def _offset(source: Source, line: int, column: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = source.text.find("\n", at) + 1
    return at + column - 1


# --- what a value may be ---------------------------------------------------------------------


@record(frozen=True)
class Text:
    """A string; `options` are all it may be, `pattern` what it must match as a whole, told to the
    user as `form`."""

    options: tuple[str, ...] = ()
    pattern: str = ""
    form: str = ""
    empty: bool = False


@record(frozen=True)
class Flag:
    """true or false."""


@record(frozen=True)
class Whole:
    """A whole number low..high of `unit`."""

    low: int
    high: int
    unit: str = ""


@record(frozen=True)
class Number:
    """A number low..high of `unit`, whole or not."""

    low: float
    high: float
    unit: str = ""


@record(frozen=True)
class Items:
    """A list of `low` to `high` values of one kind."""

    of: Text | Whole | Number
    low: int = 0
    high: int = 1000


@record(frozen=True)
class Any_:
    """Checked by the component itself; the value is the Node."""


Kind = Text | Flag | Whole | Number | Items | Any_


@record(frozen=True)
class Field:
    """One key of a table. `doc` is a line for docs/wiring.md and for help messages."""

    name: str
    kind: Kind
    doc: str
    required: bool = False
    default: Any = None


@record()
class Values:
    """The fields of one table: value, or the default where the key is absent or was wrong."""

    node: Node
    values: dict[str, Any] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def given(self, name: str) -> bool:
        """Did the user write this key?"""
        return self.node.get(name) is not None

    def span(self, name: str) -> Span:
        """Where the value of `name` stands; the table's name where it is absent."""
        node = self.node.get(name)
        return node.span if node else self.node.key


def check_table(
    node: Node, fields: Sequence[Field], reporter: Reporter, what: str
) -> Values | None:
    """The values of table `node` by `fields`; None after reporting that it is no table.

    `what` names the table in messages. Unknown keys are E0601, absent ones E0602, wrong types
    E0603, values out of range E0604.
    """
    if not isinstance(node.value, dict):
        reporter.report(
            "E0603",
            f"{what} must be a table, this is {_a(node.value)}",
            node.span,
            help=f"write it as {{ {fields[0].name} = … }}" if fields else "",
        )
        return None
    names = [f.name for f in fields]
    meant: set[str | None] = set()
    for name, entry in node.entries():
        if name not in names:
            meant.add(nearest(name, names))
            report_unknown(name, entry.key, names, reporter, f"{what} has no key '{name}'")
    result = Values(node)
    for each in fields:
        inner = node.value.get(each.name)
        result.values[each.name] = each.default
        if inner is None:
            if each.required and each.name in meant:
                result.bad.add(each.name)  # it is there, misspelt
            elif each.required:
                reporter.report(
                    "E0602",
                    f"{what} needs '{each.name}'",
                    node.key,
                    help=f"{each.name}: {each.doc}",
                )
                result.bad.add(each.name)
            continue
        value = check_value(inner, each.kind, reporter, f"'{each.name}'")
        if value is None:
            result.bad.add(each.name)
        else:
            result.values[each.name] = value
    return result


def report_unknown(
    name: str, span: Span, names: Sequence[str], reporter: Reporter, message: str
) -> None:
    """E0601 with the nearest of `names`, or all of them."""
    help = did_you_mean(name, names) or ("known are: " + ", ".join(names) if names else "")
    reporter.report("E0601", message, span, help=help)


def check_value(node: Node, kind: Kind, reporter: Reporter, what: str) -> Any:
    """The value of `node` as `kind`, None after reporting what is wrong with it."""
    value = node.value
    if isinstance(kind, Any_):
        return node
    if isinstance(kind, Text):
        return _check_text(node, kind, reporter, what)
    if isinstance(kind, Flag):
        if isinstance(value, bool):
            return value
        meant = {"true": True, "yes": True, "on": True, "1": True, "high": True}.get(
            str(value).lower(), False
        )
        help = f"write {str(meant).lower()}, without quotes"
        reporter.report(
            "E0603", f"{what} must be true or false, this is {_a(value)}", node.span, help=help
        )
        return None
    if isinstance(kind, Whole):
        return _check_whole(node, kind, reporter, what)
    if isinstance(kind, Number):
        if isinstance(value, bool) or not isinstance(value, int | float):
            _report_number(node, kind.unit, reporter, f"{what} must be a number")
            return None
        if not kind.low <= value <= kind.high:
            _report_range(node, kind.low, kind.high, kind.unit, reporter, what)
            return None
        return value
    if not isinstance(value, list):
        help = f"write [{node.span.text}]" if isinstance(value, str) else ""
        reporter.report(
            "E0603", f"{what} must be a list, this is {_a(value)}", node.span, help=help
        )
        return None
    if not kind.low <= len(value) <= kind.high:
        wanted = (
            f"{kind.low} values" if kind.low == kind.high else f"{kind.low} to {kind.high} values"
        )
        reporter.report("E0604", f"{what} must have {wanted}, this has {len(value)}", node.span)
        return None
    checked = [check_value(n, kind.of, reporter, f"each value of {what}") for n in value]
    return None if None in checked else checked


def _check_text(node: Node, kind: Text, reporter: Reporter, what: str) -> str | None:
    value = node.value
    if not isinstance(value, str):
        help = (
            f'write it in quotes: "{node.span.text}"' if not isinstance(value, dict | list) else ""
        )
        reporter.report("E0603", f"{what} must be text, this is {_a(value)}", node.span, help=help)
        return None
    if kind.options and value not in kind.options:
        options = ", ".join(f'"{o}"' for o in kind.options)
        reporter.report(
            "E0604",
            f'{what} cannot be "{value}"',
            node.span,
            help=did_you_mean(value, kind.options) or f"it must be one of {options}",
        )
        return None
    if not kind.options and not value and not kind.empty:
        reporter.report("E0604", f"{what} is empty", node.span, help=kind.form)
        return None
    if kind.pattern and not re.fullmatch(kind.pattern, value):
        reporter.report("E0604", f'{what} cannot be "{value}"', node.span, help=kind.form)
        return None
    return value


def _check_whole(node: Node, kind: Whole, reporter: Reporter, what: str) -> int | None:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int):
        _report_number(node, kind.unit, reporter, f"{what} must be a whole number")
        return None
    if not kind.low <= value <= kind.high:
        _report_range(node, kind.low, kind.high, kind.unit, reporter, what)
        return None
    return value


def _report_number(node: Node, unit: str, reporter: Reporter, message: str) -> None:
    of = f" of {unit}" if unit else ""
    value = node.value
    help = ""
    if isinstance(value, float) and value == round(value, 0) and abs(value) < 1e15:
        help = f"write {int(value)}"
    elif isinstance(value, str) and (digits := re.match(r"\s*([-+]?\d+)\s*(\w*)\s*$", value)):
        help = f"write {int(digits[1])}, without quotes"
        if digits[2]:
            help += f" and without the unit{': it counts ' + unit if unit else ''}"
    reporter.report("E0603", f"{message}{of}, this is {_a(value)}", node.span, help=help)


def _report_range(
    node: Node, low: float, high: float, unit: str, reporter: Reporter, what: str
) -> None:
    of = f" {unit}" if unit else ""
    help = f"write a value from {low} to {high}"
    reporter.report("E0604", f"{what} must be {low} to {high}{of}", node.span, help=help)


def _a(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "text"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number with a fraction"
    if isinstance(value, dict):
        return "a table"
    return "a list" if isinstance(value, list) else "a date or time"


__all__ = [
    "Any_",
    "Field",
    "Flag",
    "Items",
    "Kind",
    "Node",
    "Number",
    "Text",
    "Values",
    "Whole",
    "check_table",
    "check_value",
    "nearest",
    "read_toml",
    "report_unknown",
]
