"""Where a program can be broken: edits of a source, found in its syntax tree.

Each rule of RULES looks at one node and yields edits of the text it came from. What an edit makes
may not compile, or may mean the same as before: hil_tests/mutants/mutants.py sorts those out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from host_tools.compiler import tree
from host_tools.compiler.source import Source, Span
from host_tools.record import record

_OPPOSITES = {
    "AND": "OR", "&": "OR", "OR": "AND", "AND_THEN": "OR_ELSE", "OR_ELSE": "AND_THEN",
}  # fmt: skip
_COMPARISONS = {
    ">=": (">", "<"), ">": (">=", "<="), "<=": ("<", ">"), "<": ("<=", ">="),
    "=": ("<>",), "<>": ("=",),
}  # fmt: skip
_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*"}
_LOGIC = (*_OPPOSITES, "XOR")
_COMMENT = re.compile(r"//[^\n]*|\(\*.*?\*\)|/\*.*?\*/", re.DOTALL)
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_PLAIN = (tree.Name, tree.Member, tree.Direct, tree.Index)


@record(frozen=True)
class Edit:
    """Texts in place of spans. `rule` is a key of RULES; `what` says it to a person."""

    rule: str
    what: str
    changes: tuple[tuple[Span, str], ...]

    @property
    def span(self) -> Span:
        return self.changes[0][0]

    @property
    def source(self) -> Source:
        return self.span.source

    def text(self) -> str:
        """The whole source after the edit."""
        text = self.source.text
        for span, new in sorted(self.changes, key=lambda c: -c[0].start):
            text = text[: span.start] + new + text[span.end :]
        return text


def _one(rule: str, span: Span, new: str, what: str = "") -> Edit:
    if not what:
        what = f"{_short(span.text)} → {_short(new)}"
    return Edit(rule, what, ((span, new),))


def _short(text: str) -> str:
    words = " ".join(_COMMENT.sub(" ", text).split())
    return words if len(words) <= 60 else words[:57] + "…"


def _operator(node: tree.Binary) -> Span:
    """Where the operator of a binary expression stands: outside of comments and parentheses."""
    source, start, end = node.span.source, node.left.span.end, node.right.span.start
    between = source.text[start:end]
    blank = _COMMENT.sub(lambda m: " " * len(m.group()), between)
    pattern = re.escape(node.op) if not node.op[0].isalpha() else rf"\b{node.op}\b|&"
    found = re.search(pattern, blank, re.IGNORECASE)
    assert found is not None, between
    return Span(source, start + found.start(), start + found.end())


def _sides(node: tree.Binary) -> tuple[Span, Span]:
    """Both operands with their parentheses."""
    operator, whole = _operator(node), node.span
    return (
        _stripped(Span(whole.source, whole.start, operator.start)),
        _stripped(Span(whole.source, operator.end, whole.end)),
    )


def _stripped(span: Span) -> Span:
    text = span.text
    start = span.start + len(text) - len(text.lstrip())
    return Span(span.source, start, start + len(text.strip()))


def _contact(node: tree.Node) -> Iterator[Edit]:
    """An opener where a closer should be: NOT is added or left out."""
    operands: list[Span] = []
    match node:
        case tree.Unary(op="NOT"):
            yield _one("contact", node.span, node.operand.span.text)
        case tree.Binary() if node.op in _LOGIC:
            sides = zip((node.left, node.right), _sides(node), strict=True)
            operands = [span for e, span in sides if isinstance(e, (*_PLAIN, tree.Call))]
        case tree.Branch(condition=e) if isinstance(e, _PLAIN):
            operands = [e.span]
        case tree.Argument(value=e, output=False) if isinstance(e, _PLAIN):
            operands = [e.span]
        case tree.Assign(value=e) if isinstance(e, _PLAIN):
            operands = [e.span]
    for span in operands:
        yield _one("contact", span, f"NOT {span.text}")


def _and_or(node: tree.Node) -> Iterator[Edit]:
    """AND for OR and the other way round."""
    if isinstance(node, tree.Binary) and node.op in _OPPOSITES:
        at, new = _operator(node), _OPPOSITES[node.op]
        before = _short(node.span.text)
        yield _one("and-or", at, new, f"{at.text} → {new} in {before}")


def _interlock(node: tree.Node) -> Iterator[Edit]:
    """One of the conditions is missing."""
    if isinstance(node, tree.Binary) and node.op in _LOGIC:
        for missing, kept in zip(_sides(node), reversed(_sides(node)), strict=True):
            what = f"without {_short(missing.text)} in {_short(node.span.text)}"
            yield _one("interlock", node.span, kept.text, what)


def _comparison(node: tree.Node) -> Iterator[Edit]:
    """A limit that is missed by one, or that works the wrong way."""
    if isinstance(node, tree.Binary) and node.op in _COMPARISONS:
        at = _operator(node)
        for new in _COMPARISONS[node.op]:
            yield _one("comparison", at, new, f"{at.text} → {new} in {_short(node.span.text)}")


def _arithmetic(node: tree.Node) -> Iterator[Edit]:
    """The wrong sign, or a division for a multiplication."""
    if isinstance(node, tree.Binary) and node.op in _ARITHMETIC:
        at, new = _operator(node), _ARITHMETIC[node.op]
        yield _one("arithmetic", at, new, f"{at.text} → {new} in {_short(node.span.text)}")


def duration(nanoseconds: int) -> str:
    """A TIME literal."""
    if nanoseconds % 1_000_000:
        return f"T#{nanoseconds}ns"
    left, text = nanoseconds // 1_000_000, ""
    for unit, size in _UNITS:
        text += f"{left // size}{unit}" if left >= size else ""
        left %= size
    return f"T#{text or '0s'}"


def _time(node: tree.Node) -> Iterator[Edit]:
    """A timer that is ten times too long or too short; one of nothing takes a second."""
    if isinstance(node, tree.Literal) and node.kind == "time":
        value = int(node.value)
        for new in (value * 10, value // 10) if value else (1_000_000_000,):
            yield _one("time", node.span, duration(new))


def _constant(node: tree.Node) -> Iterator[Edit]:
    """A number that is off by a quarter, or by 1."""
    if isinstance(node, tree.Literal) and node.prefix is None:
        if node.kind == "int":
            value = int(node.value)
            yield _one("constant", node.span, str(value + max(1, value // 4)))
        elif node.kind == "real":
            exact = float(node.value)
            yield _one("constant", node.span, repr(exact * 1.25 if exact else 1.0))


def _literal(node: tree.Node) -> Iterator[Edit]:
    """TRUE for FALSE and the other way round."""
    if isinstance(node, tree.Literal) and node.kind == "bool":
        yield _one("literal", node.span, "FALSE" if node.value else "TRUE")


def _deletion(node: tree.Node) -> Iterator[Edit]:
    """A statement that is missing."""
    if isinstance(node, tree.Assign | tree.CallStatement | tree.If | tree.Exit | tree.Return):
        yield _one("deletion", node.span, "", f"without {_short(node.span.text)}")


def _branches(node: tree.Node) -> Iterator[Edit]:
    """Neighbours that have changed places: labels of a CASE, conditions of an IF."""
    spans: list[Span] = []
    match node:
        case tree.Case():
            spans = [b.labels[0].span.to(b.labels[-1].span) for b in node.branches]
        case tree.If():
            spans = [b.condition.span for b in node.branches]
    for a, b in pairwise(spans):
        what = f"{_short(a.text)} and {_short(b.text)} have changed places"
        yield Edit("branches", what, ((a, b.text), (b, a.text)))


def _terminals(node: tree.Node) -> Iterator[Edit]:
    """Two neighbouring terminals that have been mistaken for each other."""
    if not isinstance(node, tree.VarBlock):
        return
    located = [d for d in node.decls if d.location is not None]
    for a, b in pairwise(located):
        first, second = a.location, b.location
        assert first is not None
        assert second is not None
        if (first.area, first.size) != (second.area, second.size):
            continue
        what = f"{a.names[0].name} and {b.names[0].name} have changed places"
        texts = (first.span, second.span.text), (second.span, first.span.text)
        yield Edit("terminals", what, texts)


RULES: dict[str, Callable[[tree.Node], Iterator[Edit]]] = {
    "contact": _contact,
    "and-or": _and_or,
    "interlock": _interlock,
    "comparison": _comparison,
    "time": _time,
    "constant": _constant,
    "literal": _literal,
    "deletion": _deletion,
    "branches": _branches,
    "terminals": _terminals,
    "arithmetic": _arithmetic,
}
"""What can be wrong with a program, by name."""


def edits(unit: tree.Unit) -> list[Edit]:
    """All edits of the POUs and the global variables of a source, in the order of the text."""
    found: list[Edit] = []
    for declaration in unit.declarations:
        if isinstance(declaration, tree.Pou | tree.GlobalVars):
            for node in _nodes(declaration):
                for rule in RULES.values():
                    found += rule(node)
    return sorted(found, key=lambda e: e.span.start)


def _nodes(node: tree.Node) -> Iterator[tree.Node]:
    """A node and what it holds, without types, labels, located addresses and what the parser has
    made itself."""
    if isinstance(node, tree.TypeSpec | tree.CaseLabel | tree.Direct | tree.Sfc):
        return
    if isinstance(node, tree.VarBlock) and node.kind in ("STEP", "HIDDEN"):
        return
    yield node
    for name in node._fields:
        value = getattr(node, name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, tree.Node):
                yield from _nodes(inner)
