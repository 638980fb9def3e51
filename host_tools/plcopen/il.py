"""Instruction List to ST (IEC 61131-3:2013, 7.2): the current result becomes expressions.

Instructions are taken one by one; the current result is an expression that is written where it is
stored, compared or tested. Jumps become IF and loops in `structure`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from host_tools.compiler import tree
from host_tools.compiler.diagnostics import did_you_mean
from host_tools.compiler.tree import fold
from host_tools.plcopen.document import Line
from host_tools.plcopen.expressions import (
    FALSE,
    TRUE,
    argument,
    binary,
    call,
    name,
    negation,
    read_expression,
    read_place,
    show,
)
from host_tools.plcopen.report import Place, Report, Stop
from host_tools.plcopen.scope import Scope, is_standard_function
from host_tools.plcopen.statements import Held, Statements
from host_tools.plcopen.structure import Jump, Mark

_LOGIC = {"AND": "AND", "&": "AND", "OR": "OR", "XOR": "XOR"}
_ARITHMETIC = {
    "ADD": "+", "SUB": "-", "MUL": "*", "DIV": "/", "MOD": "MOD",
    "GT": ">", "GE": ">=", "EQ": "=", "NE": "<>", "LE": "<=", "LT": "<",
}  # fmt: skip
_OPERATORS = {
    **_LOGIC, **{f"{k}N": v for k, v in _LOGIC.items()}, **_ARITHMETIC,
}  # fmt: skip
_NEGATED = {f"{k}N" for k in _LOGIC}
_PLAIN = {"LD", "LDN", "ST", "STN", "S", "R", "NOT", "JMP", "JMPC", "JMPCN", "CAL", "CALC",
          "CALCN", "RET", "RETC", "RETCN", ")"}  # fmt: skip
_INPUTS = {
    "SR": {"S1", "R"}, "RS": {"S", "R1"}, "CTU": {"CU", "R", "RESET", "PV"},
    "CTD": {"CD", "LD", "LOAD", "PV"}, "CTUD": {"CU", "CD", "R", "LD", "RESET", "LOAD", "PV"},
    "TP": {"IN", "PT"}, "TON": {"IN", "PT"}, "TOF": {"IN", "PT"},
    "R_TRIG": {"CLK"}, "F_TRIG": {"CLK"},
}  # fmt: skip
"""Inputs of standard blocks that are operators, too (Table 70, feature 3)."""

_LABEL = re.compile(r"\s*([A-Za-z_]\w*)\s*:(?!=)\s*")
_WORD = re.compile(r"([A-Za-z_]\w*|&N?|\))\s*")


@dataclass(frozen=True, slots=True)
class _Instruction:
    label: str | None
    text: str
    comment: tuple[str, ...]
    place: Place


def translate_il(lines: Sequence[Line], scope: Scope, report: Report) -> list[str]:
    """The lines of ST for a body in IL. Raises Stop after an error was reported."""
    instructions = _instructions(lines, report)
    body = _Body(scope, report, instructions)
    failed = False
    for k, instruction in enumerate(instructions):
        try:
            body.is_last_use = not body.stack and _loads(instructions[k + 1 :])
            body.instruction(instruction)
        except Stop:
            failed = True
            body.reset()
    if failed:
        raise Stop("IL")
    if body.stack:
        raise report.stop(body.stack[-1].place, "')' is missing")
    body.discard()
    return body.statements.lines()


def _loads(rest: Sequence[_Instruction]) -> bool:
    """Does the next instruction not need the current result?"""
    for i in rest:
        if i.text:
            word = _WORD.match(i.text)
            return word is not None and fold(word[1]) in ("LD", "LDN", "CAL", "JMP", "RET")
    return True


# --- text ------------------------------------------------------------------------------------


def _instructions(lines: Sequence[Line], report: Report) -> list[_Instruction]:
    """Instructions without their comments; calls that span lines are put together."""
    found: list[_Instruction] = []
    comments: list[str] = []
    pending, place = "", lines[0].place if lines else Place(1, 1, "IL")
    depth = 0
    for line in lines:
        code, said, depth = _without_comments(line.text, depth)
        comments += said
        if not pending:
            place = line.place
        pending = f"{pending} {code.strip()}".strip()
        if not pending or (_is_call(pending) and _open(pending)):
            continue
        found.append(_split(pending, tuple(comments), place))
        pending, comments = "", []
    if pending:
        raise report.stop(place, "the ')' of this call is missing")
    if comments:
        found.append(_Instruction(None, "", tuple(comments), place))
    return found


def _split(text: str, comments: tuple[str, ...], place: Place) -> _Instruction:
    m = _LABEL.match(text)
    label = m[1] if m else None
    rest = text[m.end() :] if m else text
    return _Instruction(label, rest.strip().rstrip(";").rstrip(), comments, place)


def _without_comments(text: str, depth: int) -> tuple[str, list[str], int]:
    """Code, comments, and how deep in comments the line ends."""
    code, said, k = "", "", 0
    found: list[str] = []
    quote = ""
    while k < len(text):
        two = text[k : k + 2]
        if depth == 0 and quote:
            if text[k] == "$":
                code += two
                k += 2
                continue
            quote = "" if text[k] == quote else quote
        elif depth == 0 and text[k] in "'\"":
            quote = text[k]
        elif depth == 0 and two == "//":
            found.append(text[k + 2 :].strip())
            break
        elif two == "(*":
            depth += 1
            k += 2
            continue
        elif depth and two == "*)":
            depth -= 1
            k += 2
            if depth == 0:
                found.append(said.strip())
                said, code = "", code + " "
            continue
        if depth:
            said += text[k]
        else:
            code += text[k]
        k += 1
    if said.strip():
        found.append(said.strip())
    return code, [f for f in found if f], depth


def _is_call(text: str) -> bool:
    """Does a list of arguments follow, that may go on on other lines?"""
    m = _LABEL.match(text)
    rest = text[m.end() :] if m else text
    word = _WORD.match(rest)
    if not word:
        return False
    operator = fold(word[1])
    return operator in ("CAL", "CALC", "CALCN") or (
        operator not in _OPERATORS and operator not in _PLAIN and rest[word.end() :][:1] == "("
    )


def _open(text: str) -> bool:
    bare = re.sub(r"'(?:\$.|[^'$])*'|\"(?:\$.|[^\"$])*\"", "", text)
    return bare.count("(") > bare.count(")")


# --- instructions ----------------------------------------------------------------------------


@dataclass(slots=True)
class _Group:
    """An operator that waits for its ')'."""

    operator: str
    is_negated: bool
    left: Held
    place: Place


class _Body:
    def __init__(self, scope: Scope, report: Report, instructions: list[_Instruction]) -> None:
        self.scope = scope
        self.report = report
        self.statements = Statements(scope, report)
        self.result: Held | None = None
        self.stack: list[_Group] = []
        self.lost = "nothing was loaded"
        self.is_last_use = False
        words = [_WORD.match(i.text) for i in instructions]
        self.targets = {
            fold(i.text[w.end() :].strip())
            for i, w in zip(instructions, words, strict=True)
            if w and fold(w[1]) in ("JMP", "JMPC", "JMPCN")
        }

    def reset(self) -> None:
        """After an error: go on as if something had been loaded, so that it is told once."""
        self.set(TRUE, Place(0, 0, "IL"))

    def set(self, expr: tree.Expr, place: Place) -> None:
        if self.result is not None:
            self.statements.release(self.result)
        self.result = self.statements.hold(expr, "result", place)

    def lose(self, why: str) -> None:
        if self.result is not None:
            self.statements.release(self.result)
        self.result, self.lost = None, why

    def discard(self) -> None:
        """The current result is not used any more; calls in it are made all the same."""
        held = self.result
        if held is not None and self.scope.has_effects(held.expr):
            if isinstance(held.expr, tree.Call):
                self.statements.release(held)
                self.statements.invoke(held.expr)
            else:
                self.statements.store(held)
            self.result = None

    def current(self, place: Place) -> tree.Expr:
        if self.result is None:
            raise self.report.stop(
                place, f"the current result is not defined here: {self.lost}", "load a value first"
            )
        return self.result.expr

    def instruction(self, i: _Instruction) -> None:
        self.statements.comment(i.comment)
        if i.label is not None:
            if self.stack:
                raise self.report.stop(i.place, "a label inside of parentheses")
            self.statements.entries.append(Mark(i.label, i.place))
            if fold(i.label) in self.targets:
                self.lose(f"'{i.label}' is reached in more than one way")
        if not i.text:
            return
        word = _WORD.match(i.text)
        if not word:
            raise self.report.stop(i.place, f"'{i.text}' is not an instruction")
        operator, rest = fold(word[1]), i.text[word.end() :].strip()
        if operator == ")":
            self.close(i.place)
            if rest:
                raise self.report.stop(i.place, f"'{rest}' behind ')'")
        elif operator in _OPERATORS:
            self.operate(operator, rest, i.place)
        elif operator in ("LD", "LDN") and not self.is_block(rest):
            value = self.operand(rest, i.place)
            if not self.stack or self.result is not None:
                self.discard()
            self.set(negation(value) if operator == "LDN" else value, i.place)
        elif operator == "NOT" and not rest:
            self.set(negation(self.current(i.place)), i.place)
        elif operator in ("ST", "STN"):
            self.store(operator, rest, i.place)
        elif operator in ("S", "R") and not self.is_block(rest):
            self.set_reset(operator, rest, i.place)
        elif operator in ("JMP", "JMPC", "JMPCN"):
            self.jump(operator, rest, i.place)
        elif operator in ("RET", "RETC", "RETCN"):
            self.leave(operator, rest, i.place)
        elif operator in ("CAL", "CALC", "CALCN"):
            self.call(operator, rest, i.place)
        else:
            self.other(word[1], rest, i.place)

    # --- operands ------------------------------------------------------------------------------

    def operand(self, text: str, place: Place) -> tree.Expr:
        value = read_expression(text) if text else None
        if value is None:
            raise self.report.stop(
                place, f"'{text}' is not an operand" if text else "an operand is missing"
            )
        return value

    def place_of(self, text: str, place: Place) -> tree.Expr:
        target = read_place(text) if text else None
        if target is None:
            raise self.report.stop(place, f"'{text}' cannot be assigned to")
        return target

    def is_block(self, text: str) -> bool:
        return bool(re.fullmatch(r"\w+", text)) and self.scope.block_type(text) is not None

    def operate(self, operator: str, rest: str, place: Place) -> None:
        left = self.current(place)
        if rest.startswith("("):
            if self.result is None:
                return
            self.stack.append(
                _Group(_OPERATORS[operator], operator in _NEGATED, self.result, place)
            )
            self.result, self.lost = None, "nothing was loaded inside of '('"
            inner = rest[1:].strip()
            if inner:
                bare = re.sub(r"'(?:\$.|[^'$])*'", "", inner)
                closed = bare.endswith(")") and bare.count(")") > bare.count("(")
                value = inner[:-1].strip() if closed else inner
                self.set(self.operand(value, place), place)
                if closed:
                    self.close(place)
            return
        right = self.operand(rest, place)
        self.combine(_OPERATORS[operator], operator in _NEGATED, left, right, place)

    def combine(
        self, operator: str, is_negated: bool, left: tree.Expr, right: tree.Expr, place: Place
    ) -> None:
        right = negation(right) if is_negated else right
        self.set(binary(operator, left, right), place)

    def close(self, place: Place) -> None:
        if not self.stack:
            raise self.report.stop(place, "')' without '('")
        right = self.current(place)
        group = self.stack.pop()
        self.statements.release(group.left)
        self.combine(group.operator, group.is_negated, group.left.expr, right, group.place)

    # --- statements ----------------------------------------------------------------------------

    def store(self, operator: str, rest: str, place: Place) -> None:
        target = self.place_of(rest, place)
        value = self.current(place)
        if operator == "STN":
            self.assign(target, negation(value), value)
            if self.result is not None and self.result.expr is target:
                self.set(negation(target), place)
        else:
            self.assign(target, value, value)

    def assign(self, target: tree.Expr, stored: tree.Expr, value: tree.Expr) -> None:
        """`target := stored`; what was stored is the current result from then on, unless that
        is as short and stays what it was."""
        held = self.result
        assert held is not None
        self.statements.release(held)
        self.statements.assign(target, stored)
        again = isinstance(value, tree.Literal) or (
            isinstance(value, tree.Name)
            and not self.statements.written(target) & self.scope.touched(value)
        )
        self.set(value if again else target, held.place)

    def set_reset(self, operator: str, rest: str, place: Place) -> None:
        target = self.place_of(rest, place)
        condition = self.current(place)
        held = self.result
        assert held is not None
        if self.is_last_use:
            self.statements.release(held)
        elif (
            self.statements.written(target) & self.scope.touched(condition)
            or self.scope.has_effects(condition)
        ):  # fmt: skip
            self.statements.store(held)
        self.statements.assign(target, TRUE if operator == "S" else FALSE, held.expr)
        if self.is_last_use:
            self.set(TRUE, place)

    def jump(self, operator: str, rest: str, place: Place) -> None:
        if not re.fullmatch(r"[A-Za-z_]\w*", rest):
            raise self.report.stop(place, f"'{rest}' is not a label")
        if self.stack:
            raise self.report.stop(place, "a jump inside of parentheses")
        condition = self.condition(operator, place)
        self.statements.entries.append(Jump(condition, rest, place))
        if condition is None:
            self.lose("it stands behind a jump")

    def condition(self, operator: str, place: Place) -> tree.Expr | None:
        """The condition of JMP, CAL, RET with their modifiers."""
        if not operator.endswith(("C", "CN")) or operator in ("JMP", "RET", "CAL"):
            return None
        value = self.current(place)
        if self.result is not None and self.scope.has_effects(value):
            self.statements.store(self.result)
            value = self.result.expr
        return negation(value) if operator.endswith("N") else value

    def leave(self, operator: str, rest: str, place: Place) -> None:
        if rest:
            raise self.report.stop(place, f"'{rest}' behind {operator}")
        condition = self.condition(operator, place)
        if condition is None:
            self.statements.raw("RETURN;")
            self.lose("it stands behind RET")
        else:
            self.statements.raw(f"IF {show(condition)} THEN", "    RETURN;", "END_IF;")

    # --- calls ---------------------------------------------------------------------------------

    def call(self, operator: str, rest: str, place: Place) -> None:
        text = rest if rest.endswith(")") else f"{rest}()"
        called = read_expression(text)
        if not isinstance(called, tree.Call):
            raise self.report.stop(place, f"'{rest}' is not a call of a function block")
        self.refuse_en(called, place)
        condition = self.condition(operator, place)
        if self.is_last_use and self.result is not None:
            if condition is None:
                self.discard()
            self.lose("it stands behind CAL")
        self.statements.invoke(called, condition)

    def refuse_en(self, called: tree.Call, place: Place) -> None:
        for a in called.arguments:
            if a.name is not None and fold(a.name.name) in ("EN", "ENO"):
                raise self.report.stop(
                    place, f"{a.name.name.upper()} in IL is not supported", "use CALC or JMPC"
                )

    def other(self, word: str, rest: str, place: Place) -> None:
        """A function, an input of a block as an operator, or a call without CAL."""
        operator = fold(word)
        if self.is_block(rest):
            self.input_operator(operator, rest, place)
            return
        if self.scope.block_type(word) is not None and rest.startswith("("):
            self.call("CAL", f"{word}{rest}", place)
            return
        pou = self.scope.project.pous.get(operator)
        if not (is_standard_function(word) or (pou is not None and pou.kind == "FUNCTION")):
            known = [*_PLAIN - {")"}, *_OPERATORS, *self.scope.project.pous]
            help = did_you_mean(word, known) if len(word) > 1 else ""
            raise self.report.stop(place, f"there is no operator or function '{word}'", help)
        if rest.startswith("("):
            called = read_expression(f"{word}{rest}")
            if not isinstance(called, tree.Call) or any(a.name is None for a in called.arguments):
                raise self.report.stop(
                    place, f"'{word}{rest}' is not a call with named parameters"
                )
            self.refuse_en(called, place)
        else:
            first = self.current(place)
            text = f"{word}({rest})"
            more = read_expression(text) if rest else call(name(word), [])
            if not isinstance(more, tree.Call) or any(a.name is not None for a in more.arguments):
                raise self.report.stop(place, f"'{rest}' is not a list of operands")
            called = call(name(word), [argument(None, first), *more.arguments])
        self.set(called, place)
        if any(a.output for a in called.arguments) and self.result is not None:
            held = self.result
            self.statements.release(held)
            self.statements.before_write(self.statements.changed_by(called))
            self.statements.held.append(held)
            self.statements.store(held)

    def input_operator(self, operator: str, rest: str, place: Place) -> None:
        block = self.scope.block_type(rest) or ""
        inputs = _INPUTS.get(block.partition("_")[0] if block not in _INPUTS else block, set())
        if operator not in inputs:
            raise self.report.stop(
                place,
                f"{operator} is not an input of {block} that can be an operator",
                f"write CAL {rest}({operator} := …)",
            )
        value = self.current(place)
        formal = {"RESET": "R", "LOAD": "LD"}.get(operator, operator)
        if self.is_last_use:
            self.lose(f"it stands behind {operator}")
        self.statements.invoke(call(name(rest), [argument(formal, value)]))
