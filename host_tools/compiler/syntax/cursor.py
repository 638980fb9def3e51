"""The parser's place in the tokens: looking, stepping, reporting once, and finding firm ground.

One mistake is told once. A report makes the statement or declaration at hand "broken": until its
end nothing more is said about it. An error where the last one was, or in a statement that the
lexer already complained about, is the same mistake and is not told either.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from host_tools.compiler.diagnostics import Label, Reporter, nearest
from host_tools.compiler.lexer import (
    END_KEYWORDS,
    KEYWORDS,
    STATEMENT_KEYWORDS,
    VAR_KEYWORDS,
    Token,
)
from host_tools.compiler.source import Source, Span
from host_tools.compiler.syntax import habits
from host_tools.compiler.tree import Direct, Identifier, Missing, Scope

# How deep parentheses, calls, statements and types may nest together. Three Python frames a level
# at most (a STRUCT counts as two levels), so that the parser stays below Python's default limit.
MAX_NESTING = 200
# How high the tree of one expression may become: a chain of left-associative operators makes a
# tree as high as it is long, and the passes after this one recurse over it.
MAX_HEIGHT = 1000

UNIT_KEYWORDS = frozenset({"FUNCTION", "FUNCTION_BLOCK", "PROGRAM", "CONFIGURATION", "TYPE"})
# Where skipping stops, whatever was broken.
FIRM = UNIT_KEYWORDS | VAR_KEYWORDS | END_KEYWORDS | STATEMENT_KEYWORDS
FIRM |= frozenset({"ELSE", "ELSIF", "UNTIL", "STRUCT", "eof"})


ADVICE = {
    "E0102": "add what is missing",
    "E0100": "remove it, or add what is missing before it",
    "E0104": "write a variable, a literal or a call",
    "E0115": "a name begins with a letter or an underscore",
    "E0116": "write a type, for example INT",
}
"""What to do where there is nothing more particular to say."""


_INDENTED = frozenset({"END_IF", "END_CASE", "END_FOR", "END_WHILE", "END_REPEAT"})
_GO_ON = frozenset({"ELSE", "ELSIF", "UNTIL", "THEN", "DO", "OF"})
_MOST_TOKENS = 10_000


class Cursor:
    """A place in a list of tokens. `tok` is the token at hand, `end` the end of the one before.

    `broken` says that an error was told in the statement or declaration at hand, which starts at
    `anchor`. `told` counts errors, `told_before` those before the declaration at hand. `forgiven`
    ENDs may be left over and `excused` ones missing, because of an error told before; `implied`
    is a keyword that was forgotten where the parser stands. `open` are the END keywords that the
    blocks around wait for, `depth` is how deep the parser stands, `height` the height of the
    expression parsed last. `pragmas` are those in front of the token with that index, without
    their braces. `owed` are words of other languages that follow from one that was told of.
    `firm_at` is where `next_firm` found what it looked for last; `is_cut_off` says
    that the file ends inside a comment. `namespace` is the full name of the namespace around;
    `scopes`, `internals`, `usings_of_pou` and `internal_names` belong to `syntax.namespaces`."""

    __slots__ = (
        "anchor",
        "broken",
        "depth",
        "directs",
        "end",
        "excused",
        "firm_at",
        "forgiven",
        "height",
        "implied",
        "index",
        "internal_names",
        "internals",
        "is_cut_off",
        "lexical",
        "namespace",
        "open",
        "owed",
        "pragmas",
        "reporter",
        "scopes",
        "source",
        "tok",
        "tokens",
        "told",
        "told_at",
        "told_before",
        "usings_of_pou",
    )

    def __init__(
        self, source: Source, tokens: Sequence[Token], reporter: Reporter, lexical: list[int]
    ) -> None:
        self.source = source
        self.reporter = reporter
        self.tokens: list[Token] = []
        self.pragmas: dict[int, tuple[str, ...]] = {}
        for token in tokens:
            if token.kind == "pragma":
                at = len(self.tokens)
                self.pragmas[at] = (*self.pragmas.get(at, ()), token.text[1:-1].strip())
            else:
                self.tokens.append(token)
        # Looking ahead never runs off the end.
        self.tokens += [self.tokens[-1]] * 3
        self.index = 0
        self.tok = self.tokens[0]
        self.end = 0
        self.anchor = 0
        self.firm_at = -1
        self.lexical = sorted(lexical)
        self.is_cut_off = False
        self.broken = False
        self.told = 0
        self.told_at = -1
        self.told_before = 0
        self.depth = 0
        self.height = 0
        self.open: list[str] = []
        self.owed: list[str] = []
        self.forgiven: list[str] = []
        self.excused: set[str] = set()
        self.implied: Token | None = None
        self.directs: list[Direct] = []
        self.namespace = ""
        self.scopes: list[Scope] = []
        self.usings_of_pou: list[Identifier] = []
        self.internals: list[Identifier] = []
        self.internal_names: set[Identifier] = set()

    # --- looking and stepping ---

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` (1 to 3) after the one at hand."""
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def advance(self) -> Token:
        """Step over the token at hand and return it; the end of the file stays."""
        token = self.tok
        if token.kind != "eof":
            self.end = token.end
            self.index += 1
            self.tok = self.tokens[self.index]
        return token

    def accept(self, kind: str) -> Token | None:
        """Step over a token of `kind`, if that is what stands here."""
        return self.advance() if self.tok.kind == kind else None

    def at_word(self, *words: str) -> bool:
        """Is the token at hand a name that is one of `words`, in any case?"""
        return self.tok.kind == "name" and self.tok.text.upper() in words

    def back_to(self, index: int, directs: int) -> None:
        """Return to an earlier token, as if nothing after it had been parsed."""
        self.index = index
        self.tok = self.tokens[index]
        self.end = self.tokens[index - 1].end if index else 0
        del self.directs[directs:]

    def on_new_line(self) -> bool:
        """Is there an end of line between the token before and the one at hand?"""
        return self.source.text.find("\n", self.end, self.tok.start) >= 0

    def span(self, start: int) -> Span:
        """From `start` to the end of the token before the one at hand."""
        return Span(self.source, start, max(start, self.end))

    def here(self) -> Span:
        """The token at hand."""
        return Span(self.source, self.tok.start, self.tok.end)

    def of(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def before(self) -> Span:
        """The empty span after the token before, where something is missing."""
        return Span(self.source, self.end, self.end)

    def missing(self) -> Missing:
        self.height = 0
        return Missing(Span(self.source, self.tok.start, self.tok.start))

    def ahead(self, *kinds: str) -> int | None:
        """The index of the first token of `kinds` before the next ';' or firm keyword."""
        at = self.index
        while self.tokens[at].kind not in FIRM and self.tokens[at].kind != ";":
            if self.tokens[at].kind in kinds:
                return at
            at += 1
        return None

    def identifier(self, token: Token) -> Identifier:
        return Identifier(Span(self.source, token.start, token.end), token.text)

    # --- reporting ---

    def error(
        self,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        label: str = "",
        others: Iterable[Label] = (),
        help: str = "",
    ) -> None:
        """Report at `span` (the token at hand where none is given), unless it was told already."""
        told = self.broken or self._is_near(self.index)
        self.broken = True
        self.told += 1
        self.told_at = self.index
        if told or self._lexer_complained():
            return
        span = span or self.here()
        help = help or habits.advice(self, code) or ADVICE.get(code, "")
        self.reporter.report(code, message, span, label=label, others=others, help=help)

    def _is_near(self, index: int) -> bool:
        """Is this where the last error was, or hardly past it on the same line?"""
        if index <= self.told_at:
            return True
        if index > self.told_at + 2 or self.told_at < 0:
            return False
        last = self.tokens[self.told_at]
        return self.source.text.find("\n", last.start, self.tok.start) < 0

    def _lexer_complained(self) -> bool:
        if self.tok.kind == "eof" and self.is_cut_off:
            return True
        at = bisect_left(self.lexical, self.anchor)
        return at < len(self.lexical) and self.lexical[at] <= self.tok.end

    def found(self) -> str:
        """The token at hand, for the end of a message."""
        if self.tok.kind == "eof":
            return "the end of the file"
        text = self.tok.text
        return f"'{text if len(text) <= 30 else text[:27] + '...'}'"

    # --- expecting ---

    def name(self, what: str) -> Identifier | None:
        """A name, or a report that `what` is missing here."""
        token = self.tok
        if token.kind == "name":
            return self.identifier(self.advance())
        if token.kind in KEYWORDS and not self.on_new_line():
            self.error(
                "E0115",
                f"'{token.text}' is a keyword and cannot be {what}",
                help="choose another name",
            )
            if token.kind not in FIRM or self.peek().kind in (":", ":=", ",", ";", "."):
                self.advance()
        else:
            self.error("E0115", f"expected {what}, found {self.found()}")
        return None

    def symbol(self, kind: str, where: str) -> bool:
        """A ':', '(' or the like; its absence is reported after the token before."""
        if self.accept(kind):
            return True
        self.error(
            "E0102",
            f"expected '{kind}' {where}, found {self.found()}",
            self.before(),
            label=f"add '{kind}' here",
            help=f"add '{kind}' here",
        )
        return False

    def closing(self, kind: str, opening: Token, *, of_list: bool = False) -> bool:
        """The bracket that closes `opening`; `of_list` where a ',' could stand as well."""
        if self.accept(kind):
            return True
        others = [Label(self.of(opening), "opened here")]
        if of_list and self.tok.kind in ("name", "literal", "direct") and not self.on_new_line():
            message = f"expected ',' or '{kind}', found {self.found()}"
            self.error(
                "E0113", message, others=others, help=f"separate values with ',', or add '{kind}'"
            )
            return False
        self.error(
            "E0113",
            f"'{opening.text}' is not closed: expected '{kind}', found {self.found()}",
            self.before(),
            label=f"add '{kind}' here",
            others=others,
            help=f"add '{kind}' here",
        )
        return False

    def semicolon(self, after: str) -> None:
        """The ';' at the end of `after`, and the end of being broken."""
        if self.tok.kind == ";":
            self.advance()
        elif self.broken:
            self.skip()
        elif self.at_beginning():
            self.error(
                "E0101",
                f"missing ';' after {after}",
                self.before(),
                label="add ';' here",
                help="add ';' here",
            )
        else:
            self.error("E0100", f"expected ';' after {after}, found {self.found()}")
            self.skip()
        self.broken = False

    def at_beginning(self) -> bool:
        """Does the token at hand start something new, so that only what ends the thing before is
        missing?"""
        kind = self.tok.kind
        if kind in FIRM:
            return True
        if kind == "name":
            return self.on_new_line() or self.peek().kind in (":=", ":", ",")
        return kind in ("direct", "literal", "(") and self.on_new_line()

    # --- going on after an error ---

    def skip(self) -> None:
        """Step over tokens to after the next ';', or to before a keyword that starts or ends
        something."""
        while self.tok.kind not in FIRM:
            if self.advance().kind == ";":
                return

    def skip_line(self) -> None:
        """Step over the rest of the line, up to a ';' or a keyword."""
        while self.tok.kind not in FIRM and self.tok.kind != ";" and not self.on_new_line():
            self.advance()

    def skip_block(self, openers: frozenset[str], closers: frozenset[str]) -> None:
        """Step over a nested block at its opening keyword, to after its end, without recursion."""
        depth = 0
        while self.tok.kind not in UNIT_KEYWORDS and self.tok.kind != "eof":
            kind = self.advance().kind
            if kind in openers:
                depth += 1
            elif kind in closers:
                depth -= 1
            if depth <= 0:
                return

    def nested_too_deeply(self, what: str, weight: int = 1) -> bool:
        """Report when `depth` (which the caller has counted up by `weight`) is beyond what is
        allowed."""
        if self.depth <= MAX_NESTING:
            return False
        self.error(
            "E0108",
            f"{what} nested too deeply",
            label=f"the limit is {MAX_NESTING // weight} levels",
            help="move an inner part into a function or a variable of its own",
        )
        return True

    # --- misspelt keywords ---

    def respell(self, keywords: Iterable[str]) -> bool:
        """When the name at hand is nearly one of `keywords`: report, and make it that keyword."""
        token = self.tok
        if token.kind != "name":
            return False
        keyword = near_keyword(token.text, frozenset(keywords))
        if keyword is None:
            return False
        self.error(
            "E0109",
            f"unknown keyword '{token.text}'",
            help=f"did you mean '{keyword}'?",
        )
        self.broken = False
        token.kind = keyword
        return True

    def respell_end(self) -> bool:
        """The same for `END_FI`, `ENDIF` and `END IF`."""
        token = self.tok
        if token.kind != "name" or token.text[:3].upper() != "END":
            return False
        follows = self.peek()
        joined = f"END_{follows.text.upper()}"
        if token.text.upper() == "END" and joined in END_KEYWORDS:
            self.error(
                "E0109",
                f"'{token.text} {follows.text}' is written as one word",
                self.of(token).to(self.of(follows)),
                help=f"write '{joined}'",
            )
            self.broken = False
            self.advance()
            follows.kind = joined
            return True
        if follows.kind in (":=", "(", ".", "[", "^", ":", ","):
            return False
        return self.respell(END_KEYWORDS)

    # --- blocks ---

    def close(self, opening: Token, end: str) -> None:
        """Step over the END keyword `end` of the block that `opening` began.

        A block that is not closed is reported with both places. An END of another kind that no
        block around waits for is taken for the right one, and should the right one still come,
        nothing is said of it."""
        if self.tok.kind != end and self.tok.kind == "name":
            self.respell_end()
        found = self.tok
        if found.kind == end:
            self.advance()
            return
        self.broken = False
        if end in self.excused:
            self.excused.remove(end)
            return
        others = [Label(self.of(opening), f"{opening.kind} begins here")]
        if not self._is_near(self.index):
            others += self._place_by_indentation(opening, end)
        if found.kind in END_KEYWORDS and found.kind not in self.open:
            self.error(
                "E0103",
                f"expected {end}, found {found.text}",
                others=others,
                help=f"write '{end}'",
            )
            self.forgiven.append(end)
            self.advance()
        else:
            self.error(
                "E0103",
                f"{opening.text.upper()} is not closed: expected {end}, found {self.found()}",
                others=others,
                help=f"add '{end}' before {self.found()}",
            )
        self.broken = False

    def _place_by_indentation(self, opening: Token, end: str) -> list[Label]:
        """Where the block that `opening` began ends to the eye: before the first line that does
        not stand further right."""
        if end not in _INDENTED:
            return []
        column = self._column(opening)
        at = bisect_left(self.tokens, opening.start, key=lambda t: t.start) + 1
        for number in range(at, min(self.index, at + _MOST_TOKENS)):
            token = self.tokens[number]
            before = self.tokens[number - 1]
            if self.source.text.find("\n", before.end, token.start) < 0:
                continue
            if self._column(token) > column or token.kind in _GO_ON:
                continue
            if end == "END_CASE" and self.tokens[number + 1].kind in (":", ",", ".."):
                continue  # a label
            return [Label(self.of(token), f"by the indentation, {end} belongs before this")]
        return []

    def _column(self, token: Token) -> int:
        return token.start - self.source.text.rfind("\n", 0, token.start) - 1

    def next_firm(self) -> str:
        """The next of the keywords that start or end something."""
        if self.firm_at <= self.index:
            at = self.index
            while self.tokens[at].kind not in FIRM:
                at += 1
            self.firm_at = at
        return self.tokens[self.firm_at].kind

    def forgive(self) -> bool:
        """Step over an END or ELSE that belongs to nothing, if that follows from an error told
        before: its own absence elsewhere, or anything in the same declaration."""
        if self.tok.kind in self.forgiven:
            self.forgiven.remove(self.tok.kind)
        elif self.told == self.told_before:
            return False
        self.advance()
        self.accept(";")
        return True


@lru_cache(maxsize=4096)
def near_keyword(name: str, keywords: frozenset[str]) -> str | None:
    """The keyword that `name` is a misspelling of, beyond doubt; None where it may be a name."""
    if len(name) > 24:
        return None
    keyword = nearest(name, sorted(keywords))
    if keyword is None or SequenceMatcher(None, name.upper(), keyword).ratio() < 0.74:
        return None
    return keyword
