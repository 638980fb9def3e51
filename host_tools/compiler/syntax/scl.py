"""Siemens SCL as TIA Portal exports it, read as Structured Text where that is the same thing.

A source is taken for SCL when a block in it has a quoted name, or when it has an
ORGANIZATION_BLOCK, a DATA_BLOCK, a line with BEGIN alone or a REGION. Then "..." is a name, in
which everything that cannot stand in one becomes '_'; a keyword gets '_' in front. REGION,
VERSION, TITLE and the like are stepped over; a DATA_BLOCK is a global variable and an
ORGANIZATION_BLOCK a PROGRAM. (`#x` for a local name is taken in every source.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from host_tools.compiler.diagnostics import Reporter
from host_tools.compiler.lexer import KEYWORDS, Token
from host_tools.compiler.source import Source, Span

_IS_SCL = re.compile(
    r"^[ \t]*(?:(?:FUNCTION_BLOCK|FUNCTION|TYPE)[ \t]+\""
    r"|(?:ORGANIZATION_BLOCK|DATA_BLOCK)[ \t]+[\"\w]"
    r"|BEGIN[ \t\r]*$|REGION[ \t]+[\"\w][^\n;:(=]*$)",
    re.IGNORECASE | re.MULTILINE,
)
_OTHER = re.compile(
    r"""(?P<kept>//[^\n]*+|\(\*.*?\*\)|/\*.*?\*/|'(?:[^'$\n]|\$.)*+')
    | (?P<quoted>\#?+"[^"\n]*+")
    | (?P<gone>^[ \t]*REGION\b[^\n]*+|\bEND_REGION\b[^\n;]*+;?
        |^[ \t]*TITLE[ \t]*=[^\n]*+
        |^[ \t]*(?:VERSION|AUTHOR|FAMILY|NAME)[ \t]*:[^\n;]*+$
        |^[ \t]*(?:KNOW_HOW_PROTECT|NON_RETAIN|RETAIN|READ_ONLY|UNLINKED)[ \t\r]*$
        |\bDB_SPECIFIC\b|\b(?:B|W|DW|L)\#(?=\d))
    | (?P<time>\bS5T(?:IME)?\#)
    """,
    re.IGNORECASE | re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_TIMERS = {
    "TON_TIME": "TON",
    "TOF_TIME": "TOF",
    "TP_TIME": "TP",
}
_BLOCKS = {"ORGANIZATION_BLOCK": "PROGRAM", "END_ORGANIZATION_BLOCK": "END_PROGRAM"}


def is_scl(text: str) -> bool:
    return _IS_SCL.search(text) is not None


def standard_text(text: str) -> str:
    """The text with what only SCL has replaced by blanks and names of the same length, so that
    every place stays where it is."""
    return _OTHER.sub(_standard, text)


def _standard(m: re.Match[str]) -> str:
    found = m.group()
    if m["kept"] is not None:
        return found
    if m["quoted"] is not None:
        blank, _, rest = found.partition('"')
        name = "".join(c if c.isalnum() or c == "_" else "_" for c in rest[:-1])
        is_taken = name[:1].isdigit() or name.upper() in KEYWORDS
        return f"{' ' * len(blank)}{'_' if is_taken else ' '}{name} "
    if m["time"] is not None:
        return ("  " + found[2:]) if len(found) == 7 else "  T#"
    return re.sub(r"[^\r\n]", " ", found)


def standard_tokens(source: Source, tokens: Sequence[Token], reporter: Reporter) -> list[Token]:
    """The tokens of the same blocks in Structured Text."""
    return _Rewriter(source, tokens, reporter).run()


class _Rewriter:
    def __init__(self, source: Source, tokens: Sequence[Token], reporter: Reporter) -> None:
        self._source = source
        self._reporter = reporter
        self._tokens = list(tokens)
        self._at = 0
        self._made: list[Token] = []

    def run(self) -> list[Token]:
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            word = token.text.upper()
            if word in _BLOCKS and token.kind == "name":
                token.kind = _BLOCKS[word]
                self._take()
            elif word == "DATA_BLOCK" and token.kind == "name":
                self._data_block()
            elif token.kind == "FUNCTION":
                self._take()
                self._function()
            elif token.kind == "TYPE":
                self._type()
            elif word == "BEGIN" and self._after("END_VAR", "pragma", "name"):
                self._at += 1
            elif word in _TIMERS and token.kind == "name":
                token.text = _TIMERS[word]
                self._take()
            else:
                self._take()
        return self._made

    # --- tokens ------------------------------------------------------------------------------

    def _take(self) -> Token:
        token = self._tokens[self._at]
        self._made.append(token)
        self._at += 1
        return token

    def _skip_pragmas(self) -> None:
        while self._tokens[self._at].kind == "pragma":
            self._at += 1

    def _insert(self, kind: str) -> None:
        at = self._made[-1].end
        self._made.append(Token(kind, kind, at, at))

    def _is(self, ahead: int, *words: str) -> bool:
        at = min(self._at + ahead, len(self._tokens) - 1)
        return self._tokens[at].text.upper() in words

    def _after(self, *kinds: str) -> bool:
        return bool(self._made) and self._made[-1].kind in kinds

    # --- blocks ------------------------------------------------------------------------------

    def _function(self) -> None:
        """`FUNCTION "name" : Void` has no result."""
        if self._tokens[self._at].kind == "name":
            self._take()
        self._skip_pragmas()
        if self._is(0, ":") and self._is(1, "VOID"):
            self._at += 2

    def _type(self) -> None:
        """`TYPE "name" STRUCT … END_STRUCT; END_TYPE`"""
        self._take()
        if self._tokens[self._at].kind == "name":
            self._take()
            self._skip_pragmas()
            if self._tokens[self._at].kind == "STRUCT":
                self._insert(":")

    def _data_block(self) -> None:
        """A variable: of a structure, or an instance of a function block or type."""
        first = self._tokens[self._at]
        first.kind = "VAR_GLOBAL"
        self._take()
        if self._tokens[self._at].kind != "name":
            return
        self._take()
        self._skip_pragmas()
        self._insert(":")
        token = self._tokens[self._at]
        if token.kind in ("VAR", "STRUCT"):
            end = "END_VAR" if token.kind == "VAR" else "END_STRUCT"
            token.kind = "STRUCT"
            self._members(end)
        elif token.kind == "name" and not self._is(0, "BEGIN", "END_DATA_BLOCK"):
            token.text = _TIMERS.get(token.text.upper(), token.text)
            self._take()
        if self._is(0, ";"):
            self._at += 1
        if self._is(0, "BEGIN"):
            self._at += 1
            self._values()
        self._insert(";")
        if self._is(0, "END_DATA_BLOCK"):
            self._tokens[self._at].kind = "END_VAR"
            self._take()
        else:
            self._insert("END_VAR")

    def _members(self, end: str) -> None:
        """To after the END of the outer structure; several VAR blocks become one."""
        depth = 0
        while self._tokens[self._at].kind != "eof":
            token = self._tokens[self._at]
            depth += token.kind == "STRUCT"
            if token.kind in ("END_STRUCT", end):
                depth -= 1
            if depth == 0:
                if end == "END_VAR" and self._tokens[self._at + 1].kind == "VAR":
                    self._at += 2
                    while self._is(0, "RETAIN", "NON_RETAIN", "CONSTANT"):
                        self._at += 1
                    depth = 1
                    continue
                token.kind = "END_STRUCT"
                self._take()
                return
            self._take()

    def _values(self) -> None:
        """`BEGIN a := 1; b := 2; END_DATA_BLOCK`: initial values."""
        given: list[Token] = []
        while self._tokens[self._at].kind != "eof" and not self._is(0, "END_DATA_BLOCK"):
            token = self._tokens[self._at]
            if token.kind == "pragma":
                self._at += 1
                continue
            plain = token.kind == "name" and self._is(1, ":=")
            start = self._at
            while self._tokens[self._at].kind not in (";", "eof"):
                self._at += 1
            if plain:
                given += self._tokens[start : self._at]
                given.append(Token(",", ",", token.start, token.start))
            elif start < self._at:
                last = self._tokens[self._at - 1]
                self._reporter.report(
                    "E0360",
                    "a value for a part of a member cannot be taken over",
                    Span(self._source, token.start, last.end),
                    help="write the value where the member is declared: name : type := value;",
                )
            if self._tokens[self._at].kind == ";":
                self._at += 1
        if given:
            self._insert(":=")
            self._insert("(")
            self._made += given[:-1]
            self._insert(")")
