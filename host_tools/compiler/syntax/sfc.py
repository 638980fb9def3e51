"""Steps, transitions and actions: textual Sequential Function Charts (IEC 61131-3:2013, 6.7),
and the ACTION blocks of POUs that are none."""

from __future__ import annotations

from host_tools.compiler.diagnostics import Label, did_you_mean
from host_tools.compiler.lexer import VAR_KEYWORDS, Token
from host_tools.compiler.source import Span
from host_tools.compiler.syntax.cursor import FIRM, UNIT_KEYWORDS, Cursor
from host_tools.compiler.syntax.expressions import equals_for_assignment, expression
from host_tools.compiler.syntax.statements import at_part, statements, stray
from host_tools.compiler.syntax.type_specs import var_block
from host_tools.compiler.tree import (
    Action,
    Association,
    ControlSpec,
    Declaration,
    Expr,
    FieldInit,
    Identifier,
    Literal,
    Pou,
    Sfc,
    SfcSpec,
    Statement,
    Step,
    StepSpec,
    StructInit,
    Transition,
    TypeSpec,
    VarBlock,
    VarDecl,
    fold,
)
from host_tools.record import field, record, replace

TIMED = ("L", "D", "SD", "DS", "SL")
QUALIFIERS = ("N", "R", "S", "P", "P0", "P1", *TIMED)
"""IEC 61131-3:2013, Table 59."""

CHART = "__SFC"
"""What a chart remembers of itself: a hidden variable, named so and after its POU."""

CHART_WORDS = ("STEP", "INITIAL_STEP", "TRANSITION")
WORDS = (*CHART_WORDS, "ACTION", "ACTIONS")
_HOLDERS = ("END_FUNCTION_BLOCK", "END_PROGRAM", "END_CLASS", "END_INTERFACE")


@record()
class Parts:
    """The parts of a chart found so far in one POU."""

    steps: list[Step] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    def found(self) -> bool:
        return bool(self.steps or self.transitions or self.actions)


def chart_part(c: Cursor, parts: Parts) -> None:
    """Parse the STEP, TRANSITION, ACTION or ACTIONS at hand."""
    word = c.tok.text.upper()
    if word == "TRANSITION":
        transition = _transition(c)
        if transition is not None:
            parts.transitions.append(transition)
    elif word == "ACTION":
        action = _action(c)[1]
        if action is not None:
            parts.actions.append(action)
    elif word == "ACTIONS":
        parts.actions += _actions(c)[1]
    else:
        step = _step(c)
        if step is not None:
            parts.steps.append(step)


def _opening(c: Cursor) -> Token:
    opening = c.advance()
    opening.kind = opening.text.upper()
    return opening


def _end(c: Cursor, opening: Token, end: str) -> Span:
    c.broken = False
    c.open.pop()
    c.close(opening, end)
    span = c.span(opening.start)
    c.accept(";")
    return span


# --- steps -----------------------------------------------------------------------------------


def _step(c: Cursor) -> Step | None:
    opening = _opening(c)
    initial = opening.kind == "INITIAL_STEP"
    c.open.append("END_STEP")
    name = c.name("the name of a step")
    if name is not None:
        c.symbol(":", "after the name of the step")
    c.broken = False
    found: list[Association] = []
    while True:
        c.anchor = c.tok.start
        if c.tok.kind == ";":
            c.advance()
        elif c.tok.kind in FIRM or at_part(c) or c.respell_end():
            break
        else:
            index = c.index
            association = _association(c)
            if association is not None:
                found.append(association)
            if c.index == index:
                c.advance()
    span = _end(c, opening, "END_STEP")
    return Step(span, name, initial, tuple(found)) if name is not None else None


def _association(c: Cursor) -> Association | None:
    start = c.tok.start
    name = c.name("the name of an action")
    if name is not None and c.tok.kind in (":=", "."):
        c.error(
            "E0100",
            f"expected '(' after the name of an action, found {c.found()}",
            help="a step names actions, Fill(N); statements stand in ACTION … END_ACTION",
        )
    opening = c.tok
    if name is None or not c.symbol("(", "after the name of the action"):
        c.semicolon("the action")
        return None
    qualifier, time, indicators = _qualified(c, name)
    if not c.broken:
        c.closing(")", opening, of_list=True)
    span = c.span(start)
    c.semicolon("the action")
    if qualifier is None:
        return None
    return Association(span, name, qualifier, time, tuple(indicators))


def _qualified(c: Cursor, name: Identifier) -> tuple[str | None, Expr | None, list[Expr]]:
    """What stands in the parentheses of an action: qualifier, time, indicator variables."""
    if c.tok.kind == ")":
        return "N", None, []
    word = c.tok.text.upper() if c.tok.kind == "name" else ""
    if word not in QUALIFIERS:
        c.error(
            "E0374",
            f"expected an action qualifier, found {c.found()}",
            help=did_you_mean(c.tok.text, QUALIFIERS)
            or f"the qualifiers are {', '.join(QUALIFIERS)}",
        )
        return None, None, []
    qualifier = c.here()
    c.advance()
    rest: list[Expr] = []
    while not c.broken and c.accept(","):
        rest.append(expression(c))
    if word in TIMED:
        if not rest and not c.broken:
            c.error(
                "E0375",
                f"qualifier {word} needs a duration",
                qualifier,
                help=f"write {name.name}({word}, T#5s)",
            )
            c.broken = False
            return None, None, []
        return word, rest[0] if rest else None, rest[1:]
    if rest and isinstance(rest[0], Literal):
        c.error(
            "E0375",
            f"qualifier {word} takes no duration",
            rest[0].span,
            label="only L, D, SD, DS and SL do",
            help=f"write {name.name}({word})",
        )
        c.broken = False
    return word, None, rest


# --- transitions -----------------------------------------------------------------------------


def _transition(c: Cursor) -> Transition | None:
    opening = _opening(c)
    c.open.append("END_TRANSITION")
    name = None
    if c.tok.kind == "name" and not c.at_word("FROM"):
        name = c.identifier(c.advance())
    priority = _priority(c)
    sources = _steps(c, "FROM")
    targets = _steps(c, "TO") if not c.broken else ()
    condition: Expr = c.missing()
    if not c.broken:
        if c.tok.kind == "=":
            equals_for_assignment(c)
            c.tok.kind = ":="
        if c.accept(":="):
            condition = expression(c)
            c.semicolon("the condition of the transition")
        elif c.tok.kind == ":":
            c.error(
                "E0382",
                "the condition of a transition is a network here",
                help="write the condition in Structured Text: := level > 10.0;",
            )
        else:
            c.symbol(":=", "before the condition of the transition")
    if c.tok.kind != "END_TRANSITION":
        while c.tok.kind not in FIRM and not at_part(c):
            c.advance()
    span = _end(c, opening, "END_TRANSITION")
    if not sources or not targets:
        return None
    return Transition(span, name, priority, sources, targets, condition)


def _priority(c: Cursor) -> int | None:
    opening = c.accept("(")
    if opening is None:
        return None
    value: Expr = c.missing()
    if c.at_word("PRIORITY"):
        c.advance()
        c.symbol(":=", "after PRIORITY")
        at = c.here()
        value = expression(c)
        if not isinstance(value, Literal) or value.kind != "int":
            c.error("E0100", "a PRIORITY is a whole number", at, help="0 is the highest")
    else:
        c.error("E0102", f"expected PRIORITY, found {c.found()}", help="write (PRIORITY := 1)")
    if not c.broken:
        c.closing(")", opening)
    number = value.value if isinstance(value, Literal) else None
    return number if isinstance(number, int) else None


def _steps(c: Cursor, word: str) -> tuple[Identifier, ...]:
    """`FROM a`, `TO (b, c)`"""
    if c.broken:
        return ()
    if not (c.accept("TO") if word == "TO" else c.at_word("FROM") and c.advance()):
        c.error(
            "E0102",
            f"expected {word}, found {c.found()}",
            help="write TRANSITION FROM step TO step := condition;",
        )
        return ()
    opening = c.accept("(")
    found: list[Identifier] = []
    while True:
        name = c.name("the name of a step")
        if name is None:
            return ()
        found.append(name)
        if opening is None:
            return tuple(found)
        if not c.accept(","):
            c.closing(")", opening, of_list=True)
            return tuple(found)


# --- actions ---------------------------------------------------------------------------------


def _action(c: Cursor) -> tuple[Identifier | None, Action | None]:
    """An ACTION, and the POU it says it belongs to: `ACTION Tank.Reset:`."""
    opening = _opening(c)
    owner = None
    c.open.append("END_ACTION")
    name = c.name("the name of an action")
    if name is not None and c.accept("."):
        owner, name = name, c.name("the name of an action")
    c.accept(":")
    c.broken = False
    body: list[Statement] = []
    while True:
        c.anchor = c.tok.start
        index = c.index
        kind = c.tok.kind
        if kind in VAR_KEYWORDS:
            c.error(
                "E0119",
                f"{kind} cannot stand inside an ACTION",
                help="an action uses the variables of its POU; declare it there",
            )
            c.broken = False
            var_block(c)
        elif kind == "name" and at_part(c):
            if not c.at_word(*CHART_WORDS):
                break
            _nested(c)
        elif kind in FIRM:
            body += statements(c)
            if c.index == index:
                break
        else:
            body += statements(c)
            if c.index == index:
                c.advance()
    span = _end(c, opening, "END_ACTION")
    return owner, Action(span, name, tuple(body)) if name is not None else None


def _nested(c: Cursor) -> None:
    """A chart inside of an action is stepped over."""
    c.error(
        "E0380",
        "an ACTION cannot hold an SFC of its own",
        help="put it into a FUNCTION_BLOCK and call an instance of that here",
    )
    _step_over(c, CHART_WORDS)


def _step_over(c: Cursor, words: tuple[str, ...]) -> None:
    """Step over the parts of a chart at hand; what is wrong with them is not told."""
    c.broken = False
    told = c.told_at
    while c.at_word(*words) and at_part(c):
        index = c.index
        c.told_at = len(c.tokens)
        chart_part(c, Parts())
        if c.index == index:
            c.advance()
    c.told_at = max(told, c.index - 1)


def closes_first(c: Cursor, kind: str) -> bool:
    """Whether the METHOD, GET or SET around ends before anything else does that holds parts."""
    for token in c.tokens[c.index :]:
        if token.kind == f"END_{kind}" or token.text.upper() == f"END_{kind}":
            return True
        if token.kind in UNIT_KEYWORDS or token.kind in _HOLDERS or token.kind == "eof":
            return False
        if token.text.upper() in ("METHOD", "PROPERTY"):
            return False
    return False


def misplaced_chart(c: Cursor, kind: str) -> None:
    """Report a chart or an action in a METHOD, and step over it."""
    c.error(
        "E0376",
        f"a {kind} cannot have {'actions' if c.at_word('ACTION', 'ACTIONS') else 'an SFC'}",
        help="a METHOD remembers nothing; put it into the FUNCTION_BLOCK",
    )
    _step_over(c, WORDS)


def _actions(c: Cursor) -> tuple[Identifier | None, list[Action]]:
    """ACTIONS Tank ... END_ACTIONS"""
    opening = _opening(c)
    c.open.append("END_ACTIONS")
    owner = None
    if not (c.at_word("ACTION") and c.peek().kind == "name"):
        owner = c.name("the name of a POU")
    c.accept(":")
    found: list[Action] = []
    while c.tok.kind != "END_ACTIONS" and not (c.tok.kind in UNIT_KEYWORDS or c.tok.kind == "eof"):
        c.anchor = c.tok.start
        if c.at_word("ACTION") and at_part(c):
            action = _action(c)[1]
            if action is not None:
                found.append(action)
        elif c.tok.kind == ";":
            c.advance()
        else:
            c.error("E0100", f"expected ACTION, found {c.found()}")
            c.advance()
            while c.tok.kind not in FIRM and not at_part(c):
                c.advance()
            if c.tok.kind in FIRM and c.tok.kind not in UNIT_KEYWORDS | {"END_ACTIONS", "eof"}:
                stray(c) if c.tok.kind.startswith("END") else c.advance()
            c.broken = False
    _end(c, opening, "END_ACTIONS")
    return owner, found


def trailing_actions(c: Cursor, declarations: list[Declaration]) -> None:
    """ACTION and ACTIONS after the END of a POU, as some systems write them: they belong to the
    POU they name, or to the one before. `declarations` are those of this source so far."""
    start = c.here()
    if c.at_word("ACTIONS"):
        owner, found = _actions(c)
    else:
        owner, action = _action(c)
        found = [action] if action is not None else []
    for at in range(len(declarations) - 1, -1, -1):
        pou = declarations[at]
        if isinstance(pou, Pou) and (owner is None or _is_named(pou, owner)):
            declarations[at] = finished(c, pou, Parts([], [], found))
            return
    if owner is None and is_cut_open(c):
        return
    known = [d.name.name for d in declarations if isinstance(d, Pou)]
    c.reporter.report(
        "E0376",
        f"there is no POU '{owner.name}' in this file" if owner else "ACTION outside of a POU",
        owner.span if owner is not None else start,
        help=(did_you_mean(owner.name, known) if owner is not None else "")
        or "put the ACTION into the FUNCTION_BLOCK or PROGRAM it belongs to",
    )


def is_cut_open(c: Cursor) -> bool:
    """Whether it was told that the beginning of a POU is missing, or a part outside of one: more
    such parts follow from that."""
    return any(
        d.code in ("E0117", "E0376") and d.span.source is c.source for d in c.reporter.diagnostics
    )


def _is_named(pou: Pou, name: Identifier) -> bool:
    """Whether `name` means `pou`, which may stand in a namespace."""
    own, wanted = fold(pou.name.name), fold(name.name)
    return own == wanted or own.endswith(f".{wanted}")


# --- the POU as a whole ----------------------------------------------------------------------


def finished(c: Cursor, pou: Pou, parts: Parts) -> Pou:
    """`pou` with the parts of a chart that were found in it, and with what they remember."""
    actions = (*pou.actions, *parts.actions)
    sfc = pou.sfc
    first = parts.steps[0] if parts.steps else parts.transitions[0] if parts.transitions else None
    if first is not None:
        sfc = Sfc(first.span, tuple(parts.steps), tuple(parts.transitions))
    at: Step | Transition | Action | None = first or (actions[0] if actions else None)
    if at is not None and pou.kind == "FUNCTION":
        c.reporter.report(
            "E0376",
            f"a FUNCTION cannot have {'an SFC' if sfc is not None else 'actions'}",
            at.name.span if isinstance(at, Action | Step) else at.span,
            help="a FUNCTION remembers nothing; make it a FUNCTION_BLOCK",
        )
        return pou
    if sfc is not None and pou.body and c.told == c.told_before:
        c.reporter.report(
            "E0377",
            "statements beside the steps of an SFC",
            pou.body[0].span,
            others=[Label(sfc.span, "the SFC begins here")],
            help="put them into an ACTION of a step that is always active, or into another POU",
        )
    blocks = tuple(b for b in pou.blocks if b.kind not in ("STEP", "HIDDEN"))
    if sfc is not None:
        blocks += _state(sfc, actions, pou.name.name.rpartition(".")[2])
    return replace(pou, blocks=blocks, sfc=sfc, actions=actions)


def _state(sfc: Sfc, actions: tuple[Action, ...], pou: str) -> tuple[VarBlock, ...]:
    """Declarations of what a chart remembers: its steps, and a control block for each action.
    The hidden ones have the name of the POU behind theirs: what it extends has a chart, too."""
    steps = []
    used: dict[str, tuple[Identifier, set[str]]] = {}
    for step in sfc.steps:
        init: Expr | None = None
        at = step.name.span
        if step.initial:
            true = Literal(at, "bool", True)
            init = StructInit(at, (FieldInit(at, Identifier(at, "X"), true),))
        steps.append(VarDecl(at, (step.name,), StepSpec(at), init))
        for a in step.associations:
            used.setdefault(fold(a.action.name), (a.action, set()))[1].add(a.qualifier)
    known = {fold(a.name.name): a for a in actions}
    hidden = [_variable(f"{CHART} {pou}", SfcSpec(sfc.span))]
    for key, (name, qualifiers) in used.items():
        spec = ControlSpec(name.span, frozenset(qualifiers))
        if key in known:
            steps.append(VarDecl(known[key].name.span, (known[key].name,), spec))
        elif qualifiers != {"N"}:
            hidden.append(_variable(f"__{key} {pou}", spec))
    none: frozenset[str] = frozenset()
    return VarBlock(sfc.span, "STEP", none, tuple(steps)), VarBlock(
        sfc.span, "HIDDEN", none, tuple(hidden)
    )


def _variable(name: str, spec: TypeSpec) -> VarDecl:
    return VarDecl(spec.span, (Identifier(spec.span, name),), spec)
