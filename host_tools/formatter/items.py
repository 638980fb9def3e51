"""What the formatter arranges: the tokens and comments of a source, in normal spelling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from host_tools.compiler.lexer import END_KEYWORDS, KEYWORDS, Token
from host_tools.compiler.syntax.literals import INTEGER_TYPES, REAL_TYPES, STRING_TYPES
from host_tools.compiler.syntax.times import TIME_TYPES

TAB = 4
ENDS_OPERAND = frozenset({"name", "literal", "direct", "partial", ")", "]", "^"})
ELEMENTARY = INTEGER_TYPES | REAL_TYPES | STRING_TYPES | frozenset(TIME_TYPES)
# What may be declared with one name: T and D are prefixes of literals only.
TYPE_NAMES = ELEMENTARY - {"T", "D", "LT", "LD"}

_ASIDE = frozenset({"comment", "pragma"})
_MOVES = frozenset({";", ",", "THEN", "DO"})
# What a ';' ends; after anything else it is an empty statement.
_ENDED = ENDS_OPERAND | END_KEYWORDS | {"EXIT", "CONTINUE", "RETURN"}


class Item:
    """A token or comment and how it is printed.

    `kind` is the token's, or "comment"; `text` what is printed. `breaks` counts the ends of line
    between it and what stood before, `glued` says that nothing did; `column` is where it stood,
    tabs taken as steps of four. `role` is "" or one of "keyword" (a name that is a keyword here),
    "label" (the ':' after a label), "word" and "assign" (the parts of `S=`, `R=`, `REF=`) and
    "sign" (an operator with nothing before it)."""

    __slots__ = ("breaks", "column", "glued", "kind", "role", "text")

    def __init__(self, kind: str, text: str, breaks: int = 0, column: int = 0) -> None:
        self.kind = kind
        self.text = text
        self.breaks = breaks
        self.column = column
        self.glued = False
        self.role = ""

    @property
    def word(self) -> str:
        """A name in upper case; empty for anything else."""
        return self.text.upper() if self.kind == "name" else ""

    @property
    def is_aside(self) -> bool:
        return self.kind in _ASIDE

    @property
    def is_line_comment(self) -> bool:
        return self.kind == "comment" and self.text[:2] == "//"


def items(text: str, tokens: Sequence[Token]) -> list[Item]:
    """The items of `text` from its tokens with comments; its line ends are `\\n`."""
    found: list[Item] = []
    end = column = 0
    for token in tokens:
        gap = text[end : token.start]
        column = _after_gap(gap, column)
        item = Item(token.kind, _spelling(token), gap.count("\n"), column)
        item.glued = not gap
        found.append(item)
        newline = token.text.rfind("\n")
        column = column + len(token.text) if newline < 0 else len(token.text) - newline - 1
        end = token.end
    found = list(_before_comments(found))
    _mark_words([item for item in found if not item.is_aside])
    return found


def _after_gap(gap: str, column: int) -> int:
    newline = gap.rfind("\n")
    if newline >= 0:
        gap, column = gap[newline + 1 :], 0
    if "\t" not in gap:
        return column + len(gap)
    offset = column % TAB
    return column - offset + len((" " * offset + gap).expandtabs(TAB))


def _spelling(token: Token) -> str:
    """Keywords, addresses and the types of literals in upper case; everything else as it is."""
    kind, text = token.kind, token.text
    if kind == "comment":
        return "\n".join(line.rstrip() for line in text.split("\n"))
    if kind in ("direct", "partial") or (kind in KEYWORDS and text != "&"):
        return text.upper()
    if kind == "literal":
        prefix, mark, value = text.partition("#")
        if mark and prefix.upper() in ELEMENTARY:
            return prefix.upper() + mark + (value.upper() if prefix.upper() == "BOOL" else value)
        if text[0] not in "'\"" and text.upper() in ("TRUE", "FALSE"):
            return text.upper()
    return text


def _before_comments(found: list[Item]) -> Iterator[Item]:
    """Move ';' ',' THEN and DO to directly after what they end, before comments."""
    waiting: list[Item] = []
    ended = ""
    owed = 0  # ends of line that stood before an item that moved
    for item in found:
        item.breaks = max(item.breaks, owed)
        owed = 0
        if item.kind == "comment":
            waiting.append(item)
            continue
        if waiting and item.kind in _MOVES and (item.kind != ";" or ended in _ENDED):
            owed, item.breaks = item.breaks, 0
            yield item
        else:
            yield from waiting
            waiting.clear()
            yield item
        ended = item.kind
    yield from waiting


def _mark_words(code: list[Item]) -> None:
    """Find `S=`, `R=`, `REF=`, THIS, SUPER and signs."""
    before = Item("eof", "")
    for n, item in enumerate(code):
        follows = code[n + 1] if n + 1 < len(code) else item
        if item.kind == "name":
            word = item.word
            is_operator = word in ("S", "R", "REF") and before.kind in ENDS_OPERAND
            if is_operator and follows.kind == "=" and follows.glued:
                item.role, follows.role = "word", "assign"
                item.text = word
            elif word in ("THIS", "SUPER") and follows.kind in ("^", ".", "("):
                item.text = word
        elif item.kind in ("-", "+", "*") and before.kind not in ENDS_OPERAND:
            item.role = "sign"
        before = item
