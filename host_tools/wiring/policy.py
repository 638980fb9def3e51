"""[check]: what becomes of warnings in this project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from host_tools.compiler.codes import CODES
from host_tools.compiler.diagnostics import Diagnostic, Reporter, did_you_mean
from host_tools.record import record, replace
from host_tools.wiring.schema import Field, Items, Node, Text, check_table

_WARNINGS = tuple(sorted(code for code in CODES if code.startswith("W")))

CHECK = (
    Field(
        "warnings",
        Text(("tell", "error", "off")),
        "tell them, take them for errors, or keep silent",
        default="tell",
    ),
    Field("allow", Items(Text()), "codes of warnings that are not told", default=[]),
    Field("deny", Items(Text()), "codes of warnings that are errors", default=[]),
)


@record(frozen=True)
class WarningPolicy:
    """`warnings`: "tell", "error" or "off"; the lists of codes go before it."""

    warnings: str = "tell"
    allow: frozenset[str] = frozenset()
    deny: frozenset[str] = frozenset()

    def applied(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """What is to be told; warnings that are denied count as errors."""
        told = []
        for d in diagnostics:
            if d.is_error:
                told.append(d)
            elif d.code in self.deny:
                told.append(replace(d, denied=True))
            elif d.code in self.allow or self.warnings == "off":
                continue
            else:
                told.append(replace(d, denied=True) if self.warnings == "error" else d)
        return told


def check_policy(node: Node | None, reporter: Reporter) -> WarningPolicy:
    """The section [check], with everything wrong with it reported."""
    values = check_table(node, CHECK, reporter, "[check]") if node is not None else None
    if node is None or values is None:
        return WarningPolicy()
    lists = {name: _codes(node, name, values[name], reporter) for name in ("allow", "deny")}
    for code in sorted(lists["allow"] & lists["deny"]):
        reporter.report(
            "E0604",
            f"{code} is both allowed and denied",
            values.span("deny"),
            help="take it out of one of the lists",
        )
    return WarningPolicy(values["warnings"], lists["allow"], lists["deny"] - lists["allow"])


def _codes(node: Node, name: str, codes: Sequence[str], reporter: Reporter) -> frozenset[str]:
    entry = node.get(name)
    places = entry.value if entry is not None and isinstance(entry.value, list) else []
    found = set()
    for code, place in zip(codes, places, strict=False):
        upper = code.upper()
        if upper in _WARNINGS:
            found.add(upper)
            continue
        is_error = upper in CODES
        reporter.report(
            "E0604",
            f"{upper} is an error, not a warning" if is_error else f"there is no warning '{code}'",
            place.span,
            help="errors cannot be switched off; remove it from the list"
            if is_error
            else did_you_mean(upper, _WARNINGS) or "`takt explain` lists the codes",
        )
    return frozenset(found)
