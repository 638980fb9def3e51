"""The lexer: a source text becomes tokens; comments and white space disappear, pragmas stay.

IEC 61131-3:2013, 6.1 (character set, identifiers, keywords, comments, pragmas) and 6.3 (literals).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from host_tools.compiler.diagnostics import Label, Reporter
from host_tools.compiler.source import Source, Span
from host_tools.compiler.syntax import literals
from host_tools.compiler.syntax.scan import Scan
from host_tools.compiler.tree import Expr, Literal


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


VAR_KEYWORDS = _words(
    """VAR VAR_INPUT VAR_OUTPUT VAR_IN_OUT VAR_TEMP VAR_EXTERNAL VAR_GLOBAL VAR_CONFIG VAR_ACCESS
    VAR_STAT VAR_INST"""
)
STATEMENT_KEYWORDS = _words("IF CASE FOR WHILE REPEAT EXIT CONTINUE RETURN")
END_KEYWORDS = _words(
    """END_IF END_CASE END_FOR END_WHILE END_REPEAT END_VAR END_TYPE END_STRUCT END_UNION
    END_FUNCTION END_FUNCTION_BLOCK END_PROGRAM END_CONFIGURATION END_RESOURCE END_METHOD
    END_PROPERTY END_INTERFACE END_CLASS END_NAMESPACE END_ACTION END_ACTIONS END_STEP
    END_TRANSITION END_TEST END_SETUP END_TEARDOWN END_GET END_SET"""
)
# Everything else that has a meaning somewhere (AT, STEP, TASK, R_EDGE, OVERLAP, METHOD, ...) is a
# name to the lexer and a keyword only where the parser looks for it.
KEYWORDS = (
    VAR_KEYWORDS
    | STATEMENT_KEYWORDS
    | END_KEYWORDS
    | _words(
        """THEN ELSIF ELSE OF TO BY DO UNTIL NOT AND OR XOR MOD AND_THEN OR_ELSE TYPE STRUCT ARRAY
        REF_TO FUNCTION FUNCTION_BLOCK PROGRAM CONFIGURATION"""
    )
)

# What programmers of other languages write: the kind the parser is given instead, and the help.
_FOREIGN = {
    "==": ("=", "comparison is written '='"),
    "!=": ("<>", "'not equal' is written '<>'"),
    "=<": ("<=", "'less or equal' is written '<='"),
    "&&": ("AND", "write 'AND', or 'AND_THEN' to skip the right side when the left is FALSE"),
    "||": ("OR", "write 'OR', or 'OR_ELSE' to skip the right side when the left is TRUE"),
    "|": ("OR", "write 'OR'"),
    "!": ("NOT", "write 'NOT'"),
    "~": ("NOT", "write 'NOT'"),
    "%": ("MOD", "the remainder of a division is written 'MOD'"),
    "<<": ("*", "shift with the function SHL(value, count)"),
    ">>": ("*", "shift with the function SHR(value, count)"),
    "->": (".", "write 'pointer^.member'"),
    "+=": (":=", "write 'x := x + ...'"),
    "-=": (":=", "write 'x := x - ...'"),
    "*=": (":=", "write 'x := x * ...'"),
    "/=": (":=", "write 'x := x / ...'; 'not equal' is '<>'"),
}

_LOOKALIKES = {
    **dict.fromkeys("‘’‚‛`´", "the straight quote '"),
    **dict.fromkeys("“”„«»", 'the straight quote "'),
    **dict.fromkeys("–—−‐‑", "-"),
    "×": "*",
    "·": "*",
    "÷": "/",
    "≤": "<=",
    "≥": ">=",
    "≠": "<>",
    "≔": ":=",
    "；": ";",
    "（": "(",
    "）": ")",
    "\\": "/, or $ for an escape in a string",
}

_TOKEN = re.compile(
    r"""(?:\s++|//[^\r\n]*+)*+
    (?:
      (?P<name>[^\W\d]\w*+)(?P<hash>\#)?
    | (?P<comment>\(\*|/\*)
    | (?P<foreign>==|!=|=<|&&|\|\||<<|>>|->|[-+*/]=|[|!~])
    | (?P<op>:=|=>|<=|>=|<>|\*\*|\.\.|\?=|[-+*/()\[\],;:.=<>&^])
    | (?P<int>[0-9]++)(?![\w\#.])
    | (?P<number>[0-9])
    | (?P<string>'(?:[^$'\r\n]++|\$[^\r\n])*+'|"(?:[^$"\r\n]++|\$[^\r\n])*+")
    | (?P<open>['"])
    | (?P<direct>%[IQMiqm][XBWDLxbwdl]?(?:\*|[0-9]++(?:\.[0-9]++)*+)(?!\w))
    | (?P<partial>%[XBWDLxbwdl][0-9]++(?!\w))
    | (?P<percent>%)
    | (?P<pragma>\{)
    | (?P<end>\Z)
    | (?P<bad>[^\s\w'"(){}\[\]:;.,=<>+\-*/&^%|!~\#?]++|.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_BRACKET = {"(*": re.compile(r"\(\*|\*\)"), "/*": re.compile(r"/\*|\*/")}
_COMMENT = re.compile(r"//[^\r\n]*+|\(\*|/\*")
_BRACE = re.compile(r"[{}]")
_FLAT_PRAGMA = re.compile(r"\{[^{}]*+\}")
_DIRECT_TAIL = re.compile(r"%[\w.*]*")
_WORD_START = re.compile(r"[^\W\d]")  # `#x` is a local name in SCL
_LINE_REST = re.compile(r"[^\r\n]*")
_ENDS_OPERAND = frozenset({"name", "literal", ")", "]", "^", "direct"})


class Token:
    """`kind` is a keyword in upper case, an operator as written ('&' is "AND"), or one of "name",
    "literal", "direct", "partial" (`%X3` after a dot), "pragma" and "eof".

    `value` of a literal is its tree node, with the sign of `INT#-5` as a Unary around it. The text
    of a pragma includes its braces."""

    __slots__ = ("end", "kind", "start", "text", "value")

    def __init__(
        self, kind: str, text: str, start: int, end: int, value: Expr | None = None
    ) -> None:
        self.kind = kind
        self.text = text
        self.start = start
        self.end = end
        self.value = value


def lex(source: Source, reporter: Reporter, text: str = "") -> list[Token]:
    """The tokens of `source`, the last of kind "eof"; linear in the length of the text. `text` is
    read in place of the source's; it has the same length."""
    text = text or source.text
    scan = Scan(source, text, reporter)
    tokens: list[Token] = []
    expr: Expr
    add = tokens.append
    match = _TOKEN.match
    kinds: dict[str, str] = {}
    nested_pragmas = True
    at = 0
    while True:
        m = match(text, at)
        assert m is not None
        group = m.lastgroup
        at = m.end()
        if group == "name":
            word = m["name"]
            kind = kinds.get(word)
            if kind is None:
                kind = kinds[word] = _word_kind(word)
            start = at - len(word)
            if kind == "literal":
                add(Token(kind, word, start, at, _boolean(source, word, start)))
            elif kind == "bad":
                _bad(scan, start, start + 1)
                at = start + 1
            else:
                add(Token(kind, word, start, at))
        elif group == "op":
            word = m["op"]
            add(Token("AND" if word == "&" else word, word, at - len(word), at))
        elif group == "int":
            word = m["int"]
            start = at - len(word)
            add(Token("literal", word, start, at, literals.integer(scan, word, start)))
        elif group == "comment":
            at = _comment_end(scan, m.start("comment"), m["comment"])
        elif group in ("number", "hash", "string", "open"):
            start = m.start("name" if group == "hash" else group)
            if group == "number":
                expr, at = literals.number(scan, start)
            elif group == "hash":
                expr, at = literals.prefixed(scan, start, at)
            else:
                expr, at = literals.quoted(scan, start)
            add(Token("literal", text[start:at], start, at, expr))
        elif group == "direct" or (group == "partial" and _after_place(tokens)):
            add(Token(group, m[group], m.start(group), at))
        elif group == "foreign":
            start = m.start("foreign")
            kind, advice = _FOREIGN[m["foreign"]]
            if kind == ":=" and tokens and tokens[-1].kind == "name":
                advice = advice.replace("x", tokens[-1].text[:30])
            _foreign(scan, m["foreign"], start, advice)
            add(Token(kind, m["foreign"], start, at))
        elif group in ("percent", "partial"):
            start = m.start(group)
            if tokens and tokens[-1].kind in _ENDS_OPERAND and not _after_place(tokens):
                at = start + 1
                _foreign(scan, "%", start, _FOREIGN["%"][1])
                add(Token("MOD", "%", start, at))
            else:
                at = _malformed_direct(scan, start)
                add(Token("direct", "%M*", start, at))
        elif group == "pragma":
            start = m.start("pragma")
            end = _pragma_end(text, start, nested_pragmas)
            if end is None:
                nested_pragmas = False
                line = _LINE_REST.match(text, start)
                at = line.end() if line else at
                scan.error(
                    "E0014",
                    "pragma is not closed",
                    start,
                    start + 1,
                    label="opened here",
                    help="close it with '}'; blocks are written with keywords, not with braces",
                )
            else:
                add(Token("pragma", text[start:end], start, end))
                at = end
        elif group == "end":
            add(Token("eof", "", len(text), len(text)))
            return tokens
        elif m["bad"] != "#" or not _WORD_START.match(text, at):
            _bad(scan, m.start("bad"), at)
            hash_ = m["bad"] == "#" and text[at : at + 1] in " \t#!"
            line = _LINE_REST.match(text, at) if hash_ else None
            if line is not None and _is_first_on_line(text, m.start("bad")):
                at = line.end()  # a comment of another language


def with_comments(source: Source, tokens: Sequence[Token]) -> list[Token]:
    """The tokens of a source in which the lexer found no errors, and its comments among them as
    tokens of kind "comment"."""
    text = source.text
    scan = Scan(source, text, Reporter())
    found: list[Token] = []
    at = 0
    for token in tokens:
        while m := _COMMENT.search(text, at, token.start):
            opening = m.group()[:2]
            at = m.end() if opening == "//" else _comment_end(scan, m.start(), opening)
            found.append(Token("comment", text[m.start() : at], m.start(), at))
        found.append(token)
        at = token.end
    return found


def _word_kind(word: str) -> str:
    upper = word.upper()
    if upper in KEYWORDS:
        return upper
    if upper in ("TRUE", "FALSE"):
        return "literal"
    # The regular expression takes superscripts and the like for the start of a word.
    return "name" if word[0] == "_" or word[0].isalpha() else "bad"


def _after_place(tokens: list[Token]) -> bool:
    """Can a partial access or an address stand here, and '%' be no operator?"""
    return bool(tokens) and (tokens[-1].kind == "." or tokens[-1].text.upper() == "AT")


def _boolean(source: Source, word: str, start: int) -> Literal:
    return Literal(Span(source, start, start + len(word)), "bool", word.upper() == "TRUE")


def _comment_end(scan: Scan, start: int, opening: str) -> int:
    """Where the comment that opens at `start` ends; comments of one kind nest (6.1.5)."""
    open_at = [start]
    for m in _BRACKET[opening].finditer(scan.text, start + 2):
        if m.group() == opening:
            open_at.append(m.start())
        else:
            open_at.pop()
            if not open_at:
                return m.end()
    inner = open_at[-1]
    others = []
    if len(open_at) > 1:
        others.append(Label(scan.span(start, start + 2), "inside the comment opened here"))
    closing = "*)" if opening == "(*" else "*/"
    scan.error(
        "E0002",
        "comment is not closed",
        inner,
        inner + 2,
        label="opened here",
        others=others,
        help=f"close it with '{closing}'"
        + ("; comments nest, so each opening needs its own" if others else ""),
    )
    return len(scan.text)


def _pragma_end(text: str, start: int, nested: bool) -> int | None:
    """The end of `{...}`. Nesting is followed until it once led nowhere: that keeps a text of
    opening braces linear."""
    if not nested:
        flat = _FLAT_PRAGMA.match(text, start)
        return flat.end() if flat else None
    depth = 0
    for m in _BRACE.finditer(text, start):
        depth += 1 if m.group() == "{" else -1
        if depth == 0:
            return m.end()
    return None


def _foreign(scan: Scan, operator: str, start: int, advice: str) -> None:
    scan.error(
        "E0008",
        f"'{operator}' is not an operator of Structured Text",
        start,
        start + len(operator),
        help=advice,
    )


def _malformed_direct(scan: Scan, start: int) -> int:
    m = _DIRECT_TAIL.match(scan.text, start)
    end = m.end() if m else start + 1
    if scan.text[end - 1] == "." and end - start > 1:
        end -= 1
    scan.error(
        "E0013",
        f"'{scan.text[start:end][:40]}' is not a direct address",
        start,
        end,
        help="write area I, Q or M, size X, B, W, D or L and the number: %IX0.3, %QW4, %MD8",
    )
    return end


def _is_first_on_line(text: str, start: int) -> bool:
    return not text[text.rfind("\n", 0, start) + 1 : start].strip()


def _bad(scan: Scan, start: int, end: int) -> None:
    char = scan.text[start]
    advice = ""
    if char == "\ufffd":
        message = "the file is not valid UTF-8 here"
        advice = "save the file with UTF-8 encoding"
    else:
        shown = char if char.isprintable() else f"U+{ord(char):04X}"
        message = f"unexpected character '{shown}'"
        if char in _LOOKALIKES:
            advice = f"did you mean {_LOOKALIKES[char]}?"
        elif char == "}":
            advice = "blocks end with a keyword such as END_IF; braces enclose pragmas"
        elif char == "?":
            advice = "choose between two values with SEL(condition, if_false, if_true) or IF"
        elif char == "#":
            advice = "'#' stands between a type or a base and a value: INT#5, 16#FF"
            if _is_first_on_line(scan.text, start):
                advice = "a comment begins with '//', or stands between '(*' and '*)'"
        elif char == "@":
            advice = "an address is written AT %IX0.0; a reference to a variable REF(x)"
    scan.error("E0001", message, start, end, help=advice or "remove it")
