"""Cuts the items of a source into lines of code, each with its indentation.

It reads blocks, declarations and statements of a text that is known to parse, and leaves the
inside of statements alone. Words that are keywords only where they stand become upper case here.
"""

from __future__ import annotations

from collections.abc import Callable

from host_tools.compiler.lexer import END_KEYWORDS, STATEMENT_KEYWORDS, VAR_KEYWORDS
from host_tools.compiler.syntax.expressions import OPERATORS
from host_tools.formatter.items import TYPE_NAMES, Item
from host_tools.record import Record


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ENDS = END_KEYWORDS | {"ELSE", "ELSIF", "UNTIL", "eof"}
_POUS = _words("FUNCTION FUNCTION_BLOCK PROGRAM")
# Begin something, so that a statement in front of them has ended.
_FIRM = _ENDS | STATEMENT_KEYWORDS | VAR_KEYWORDS | _POUS | {"TYPE", "CONFIGURATION"}
_QUALIFIERS = _words("CONSTANT RETAIN NON_RETAIN PERSISTENT PUBLIC PRIVATE PROTECTED INTERNAL")
_MODIFIERS = _words("ABSTRACT FINAL PUBLIC PRIVATE PROTECTED INTERNAL OVERRIDE")
_AFTER_TYPE = _words("R_EDGE F_EDGE READ_WRITE READ_ONLY")
_TASK_WORDS = _words("INTERVAL PRIORITY SINGLE")
_NOT_A_PART = frozenset({":=", "(", ".", "[", "^", "?=", "=", ":", ",", ";"})
_GENERIC = _words(
    """ANY ANY_DERIVED ANY_ELEMENTARY ANY_MAGNITUDE ANY_NUM ANY_REAL ANY_INT ANY_UNSIGNED
    ANY_SIGNED ANY_DURATION ANY_BIT ANY_CHARS ANY_STRING ANY_CHAR ANY_DATE"""
)


class Line(Record):
    """One statement, declaration or first line of a block; or comments, where `is_code` is False.

    `trailing` are the comments behind it. `opens` says that indented lines follow."""

    indent: int
    items: list[Item]
    trailing: list[Item]
    opens: bool = False
    is_code: bool = True


def lines(found: list[Item]) -> list[Line]:
    """The lines of a source; every item but "eof" is in one of them, in order."""
    reader = _Reader(found)
    while reader.tok.kind != "eof":
        reader.statement()
    reader.take()
    return reader.lines


class _Reader:
    """A place among the items. `tok` is the next that is no comment or pragma, `line` what has
    been taken since the line before."""

    def __init__(self, found: list[Item]) -> None:
        self.items = found
        self.code = [n for n, item in enumerate(found) if not item.is_aside]
        self.index = 0  # in code
        self.at = 0  # in items: what has not been taken
        self.tok = found[self.code[0]]
        self.indent = 0
        self.line: list[Item] = []
        self.lines: list[Line] = []
        self.last_code = (0, 0)  # indentation and column of the line of code before
        self.in_property = 0

    # --- stepping ---

    def peek(self, ahead: int = 1) -> Item:
        return self.items[self.code[min(self.index + ahead, len(self.code) - 1)]]

    def take(self, *, closing: bool = False) -> Item:
        """Put the next item into the line, with the comments before it; `closing` where it ends
        the block that the comments may belong to."""
        item = self.tok
        place = self.code[self.index]
        between = self.items[self.at : place]
        if between and not self.line:
            self._comments(between, item, closing)
        else:
            self.line += between
        self.at = place
        if item.kind != "eof":
            self.line.append(item)
            self.skip()
        return item

    def skip(self) -> None:
        """Step over the item at hand without taking it."""
        self.at += 1
        self.index += 1
        self.tok = self.items[self.code[self.index]]

    def keyword(self) -> Item:
        """Take a name that is a keyword here."""
        self.tok.text = self.tok.text.upper()
        if self.tok.kind == "name":
            self.tok.role = "keyword"
        return self.take()

    def end_line(self, opens: bool = False) -> None:
        trailing: list[Item] = []
        while self.items[self.at].kind == "comment" and not self.items[self.at].breaks:
            trailing.append(self.items[self.at])
            self.at += 1
        if self.line:
            first = next((item for item in self.line if not item.is_aside), self.line[0])
            self.last_code = (self.indent, first.column)
            self.lines.append(Line(self.indent, self.line, trailing, opens))
            self.line = []

    def _comments(self, between: list[Item], item: Item, closing: bool) -> None:
        """Comments and pragmas in front of a line: on lines of their own, or in it."""
        rows: list[list[Item]] = []
        for part in between:
            if part.breaks or not rows:
                rows.append([part])
            else:
                rows[-1].append(part)
        if not item.breaks and item.kind != "eof":
            self.line += rows.pop()
        column = self.line[0].column if self.line else item.column
        for row in rows:
            indent = self._comment_indent(row[0].column, column) if closing else self.indent
            self.lines.append(Line(indent, row, [], is_code=False))

    def _comment_indent(self, column: int, closing_column: int) -> int:
        """A comment before an END, ELSE or label belongs to the block above unless it was not
        indented more than that keyword."""
        if column <= closing_column:
            return self.indent
        indent, code_column = self.last_code
        return indent if indent > self.indent and column >= code_column else self.indent + 1

    # --- statements ---

    def statements(self, in_case: bool = False) -> None:
        while self.tok.kind not in _ENDS and not self._at_end_of_accessor():
            if in_case and self._at_label():
                return
            self.statement()

    def statement(self) -> None:
        """A statement, or anything else that begins a line."""
        kind, word = self.tok.kind, self.tok.word
        read = _READERS.get(kind)
        if read is None and word in _PARTS and self._at_part(word):
            read = _PARTS[word]
        if read is not None:
            read(self)
        elif kind in VAR_KEYWORDS:
            self.var_block()
        else:
            self.simple()

    def _at_part(self, word: str) -> bool:
        follows = self.peek()
        if word in ("SETUP", "TEARDOWN"):
            return follows.kind not in _NOT_A_PART and follows.role != "word"
        if word in ("GET", "SET"):
            return self.in_property > 0 and follows.kind not in _NOT_A_PART
        if word == "TEST" and follows.kind == "literal":
            return True
        if word == "TRANSITION" and follows.kind == "(":
            return self.peek(2).word == "PRIORITY"
        return follows.kind == "name" and follows.role != "word"

    def _at_end_of_accessor(self) -> bool:
        return self.in_property > 0 and self.tok.word in ("END_GET", "END_SET")

    def simple(self) -> None:
        """An assignment, a call, or whatever ends with ';'."""
        follows = self.peek()
        is_before_name = follows.kind == "name" and follows.role != "word"
        if is_before_name and self.tok.word in ("MOCK", "MOCK_FUNCTION", "USING"):
            self.keyword()
        depth = 0
        while True:
            if self.tok.word == "RETURNS" and self.line and self.line[0].role == "keyword":
                self.keyword()
                if self.tok.kind in ("-", "+"):
                    self.tok.role = "sign"
            kind = self.take().kind
            depth += (kind in "([") - (kind in ")]")
            if kind == ";" or self.tok.kind in _FIRM or (not depth and self._at_end_of_accessor()):
                break
        self.end_line()

    def until(self, keyword: str, *, closing: bool = False) -> None:
        """Everything up to `keyword`, and the end of the line."""
        self.take(closing=closing)
        while self.tok.kind not in _FIRM and self.take().kind != keyword:
            pass
        self.end_line(opens=True)

    def body(self) -> None:
        self.indent += 1
        self.statements()
        self.indent -= 1

    def close(self, semicolon: bool) -> None:
        """The END of a block, with ';' or without, as the standard has it."""
        if self.tok.kind in END_KEYWORDS or self._at_end_of_accessor():
            self.tok.text = self.tok.text.upper()
            self.take(closing=True)
            self.semicolon(semicolon)
        self.end_line()

    def semicolon(self, wanted: bool) -> None:
        """Take, add or leave out the ';' that may stand here."""
        is_here = self.tok.kind == ";" and self.code[self.index] == self.at
        if is_here and wanted:
            self.take()
        elif is_here:
            # All of them: the next pass would take the second one for this one's.
            while self.tok.kind == ";" and self.code[self.index] == self.at:
                self.skip()
        elif wanted and self.tok.kind != ";":
            self.line.append(Item(";", ";"))
        elif wanted:
            self.take()

    def if_(self) -> None:
        self.until("THEN")
        self.body()
        while self.tok.kind == "ELSIF":
            self.until("THEN", closing=True)
            self.body()
        self._else()
        self.close(True)

    def _else(self) -> None:
        if self.tok.kind == "ELSE":
            self.take(closing=True)
            self._label_colon()
            self.end_line(opens=True)
            self.body()

    def case(self) -> None:
        self.until("OF")
        self.indent += 1
        while self.tok.kind not in _ENDS:
            if self._at_label():
                self.take(closing=True)
                while self.tok.kind != ":" and self.tok.kind not in _FIRM:
                    self.take()
                self._label_colon()
                self.end_line(opens=True)
            self.indent += 1
            self.statements(in_case=True)
            self.indent -= 1
        self.indent -= 1
        self._else()
        self.close(True)

    def _at_label(self) -> bool:
        """As the parser sees it: constants up to ':', ',' or '..'."""
        kind = self.tok.kind
        if kind in ("literal", "-", "+"):
            return True
        if kind != "name":
            return False
        ahead = 1
        while self.peek(ahead).kind in (".", "name", "literal") or (
            self.peek(ahead).kind in OPERATORS and self.peek(ahead).role != "assign"
        ):
            ahead += 1
        return self.peek(ahead).kind in (":", ",", "..")

    def _label_colon(self) -> None:
        if self.tok.kind == ":":
            self.tok.role = "label"
            self.take()

    def loop(self) -> None:
        """FOR and WHILE."""
        self.until("DO")
        self.body()
        self.close(True)

    def repeat(self) -> None:
        self.take()
        self.end_line(opens=True)
        self.body()
        if self.tok.kind == "UNTIL":
            self.take(closing=True)
            while self.tok.kind != ";" and self.tok.kind not in _FIRM:
                self.take()
            self.semicolon(False)
            self.end_line()
        self.close(True)

    # --- declarations ---

    def var_block(self) -> None:
        self.take()
        while self.tok.word in _QUALIFIERS and self.peek().kind not in (":", ","):
            self.keyword()
        self.declarations()
        self.close(False)

    def type_block(self) -> None:
        self.take()
        if self.tok.word == "INTERNAL" and self.peek().kind == "name":
            self.keyword()
        self.declarations()
        self.close(False)

    def declarations(self) -> None:
        """The lines of VAR, TYPE and STRUCT, after the first has been taken."""
        self.end_line(opens=True)
        self.indent += 1
        while self.tok.kind not in _ENDS:
            self.declaration()
        self.indent -= 1

    def declaration(self) -> None:
        """`a, b AT %IX0.0 : BOOL R_EDGE := TRUE;` or `Name : type := value;`"""
        while self.tok.kind not in (":", ":=", ";") and self.tok.kind not in _ENDS:
            is_at = self.tok.word == "AT" and self.peek().kind in ("direct", "partial")
            is_heir = self.tok.word == "EXTENDS" and self.peek().kind == "name"
            if self.line and (is_at or is_heir):
                self.keyword()
            else:
                self.take()
        has_value = False
        while self.tok.kind != ";" and self.tok.kind not in _ENDS:
            has_value = has_value or self.tok.kind == ":="
            if self._after_struct() and not has_value:
                break
            if self.tok.word in _AFTER_TYPE and not has_value:
                self.keyword()
            elif self.take().kind == ":" and not has_value:
                self.type_spec()
        if self.tok.kind == ";":
            self.take()
        elif self._after_struct():
            self.line.append(Item(";", ";"))
        self.end_line()

    def _after_struct(self) -> bool:
        return bool(self.line) and self.line[-1].kind in ("END_STRUCT", "END_UNION")

    def type_spec(self) -> None:
        kind, word, follows = self.tok.kind, self.tok.word, self.peek()
        if kind == "STRUCT" or (word == "UNION" and follows.kind in ("name", "END_UNION")):
            self.keyword()
            if self.tok.word == "OVERLAP" and self.peek().kind not in (":", ","):
                self.keyword()
            self.declarations()
            if self.tok.kind in END_KEYWORDS:
                self.take(closing=True)
        elif kind == "ARRAY":
            self.take()
            self.brackets()
            if self.tok.kind == "OF":
                self.take()
                self.type_spec()
        elif kind == "REF_TO":
            self.take()
            self.type_spec()
        elif word in ("POINTER", "REFERENCE") and follows.kind == "TO":
            self.keyword()
            self.take()
            self.type_spec()
        elif kind == "(":
            self.brackets()
            if self.tok.kind == "name" and self.tok.word not in _AFTER_TYPE:
                self.type_name()
        elif kind == "name":
            self.type_name()
            self.brackets()

    def type_name(self) -> None:
        if self.tok.word in TYPE_NAMES or self.tok.word in _GENERIC:
            self.tok.text = self.tok.text.upper()
        self.dotted()

    def dotted(self) -> None:
        """A name, and more after dots."""
        if self.tok.kind in ("name", "literal"):
            self.take()
        while self.tok.kind == "." and self.peek().kind == "name":
            self.take()
            self.take()

    def brackets(self) -> None:
        """Everything from an opening bracket to its end, where one stands here."""
        depth = 0
        while self.tok.kind in ("(", "[") or (depth and self.tok.kind not in _ENDS):
            kind = self.take().kind
            depth += (kind in ("(", "[")) - (kind in (")", "]"))
            if not depth:
                return

    # --- parts of a program ---

    def pou(self) -> None:
        """FUNCTION, METHOD, CLASS and the like: VAR blocks are not indented, the rest is."""
        is_property = self.tok.word == "PROPERTY"
        self.in_property += is_property
        self.keyword()
        while self.tok.word in _MODIFIERS and self.peek().kind == "name":
            self.keyword()
        self.dotted()
        if self.tok.kind == ":":
            self.take()
            self.type_spec()
        while self.tok.word in ("EXTENDS", "IMPLEMENTS") and self.peek().kind == "name":
            self.keyword()
            self.dotted()
            while self.tok.kind == ",":
                self.take()
                self.dotted()
        self.semicolon(False)
        self.members()
        self.in_property -= is_property

    def plain_part(self) -> None:
        """SETUP, TEARDOWN, GET and SET have no name."""
        self.keyword()
        self.members()

    def members(self, *, indented: bool = False) -> None:
        """Up to the END. `indented`: VAR blocks are so as well."""
        self.end_line(opens=True)
        while self.tok.kind not in _ENDS and not self._at_end_of_accessor():
            if self.tok.kind in VAR_KEYWORDS and not indented:
                self.var_block()
            else:
                self.indent += 1
                self.statement()
                self.indent -= 1
        self.close(False)

    def labelled_part(self) -> None:
        """STEP, ACTION and ACTIONS: a name, often with ':'."""
        self.keyword()
        if not (self.tok.word == "ACTION" and self.peek().kind == "name"):
            self.dotted()
            self._label_colon()
        self.members()

    def transition(self) -> None:
        """`TRANSITION name (PRIORITY := 1) FROM a TO b := condition;`"""
        self.keyword()
        while self.tok.kind not in _FIRM and self.tok.kind not in (";", ":"):
            if self.tok.word in ("FROM", "PRIORITY"):
                self.keyword()
            else:
                self.take()
        self._label_colon()
        if self.tok.kind == ";":
            self.take()
        self.members()

    def namespace(self) -> None:
        self.keyword()
        if self.tok.word == "INTERNAL" and self.peek().kind == "name":
            self.keyword()
        self.dotted()
        self.semicolon(False)
        self.members(indented=True)

    def configuration(self) -> None:
        self.take()
        self._configured()

    def resource(self) -> None:
        self.keyword()
        self._configured()

    def _configured(self) -> None:
        self.dotted()
        if self.tok.word == "ON" and self.peek().kind == "name":
            self.keyword()
            self.take()
        self.end_line(opens=True)
        self.indent += 1
        while self.tok.kind not in _ENDS:
            if self.tok.word == "RESOURCE" and self.peek().kind == "name":
                self.resource()
            elif self.tok.kind in VAR_KEYWORDS:
                self.var_block()
            else:
                self._task_or_program()
        self.indent -= 1
        self.close(False)

    def _task_or_program(self) -> None:
        is_task = self.tok.word == "TASK"
        if is_task:
            self.keyword()
        while True:
            word, follows = self.tok.word, self.peek().kind
            is_parameter = is_task and word in _TASK_WORDS and follows == ":="
            is_word = word in ("WITH", "RETAIN", "NON_RETAIN") and follows == "name"
            if is_parameter:
                self.tok.text = word
                self.take()
            elif is_word and self.line:
                self.keyword()
            elif self.take().kind == ";":
                break
            if self.tok.kind in _FIRM:
                break
        self.end_line()


_READERS: dict[str, Callable[[_Reader], None]] = {
    "IF": _Reader.if_,
    "CASE": _Reader.case,
    "FOR": _Reader.loop,
    "WHILE": _Reader.loop,
    "REPEAT": _Reader.repeat,
    "TYPE": _Reader.type_block,
    "CONFIGURATION": _Reader.configuration,
    **dict.fromkeys(_POUS, _Reader.pou),
}
_PARTS: dict[str, Callable[[_Reader], None]] = {
    **dict.fromkeys(_words("METHOD PROPERTY INTERFACE CLASS TEST"), _Reader.pou),
    **dict.fromkeys(_words("SETUP TEARDOWN GET SET"), _Reader.plain_part),
    **dict.fromkeys(_words("STEP INITIAL_STEP ACTION ACTIONS"), _Reader.labelled_part),
    "TRANSITION": _Reader.transition,
    "NAMESPACE": _Reader.namespace,
}
