"""SFC of PLCopen XML: readable textual SFC that does what the chart says, scan by scan."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest
from plcopen_support import Diagram, body_of, document, errors, il, imported, pou, scans, st, start


class Chart(Diagram):
    """Elements of an SFC body."""

    def __init__(self) -> None:
        super().__init__("SFC")

    def step(self, name: str, *sources: str, initial: bool = False) -> str:
        content = self.link(*sources) if sources else ""
        content += '<connectionPointOut formalParameter="sfc"/>'
        content += '<connectionPointOutAction formalParameter="action"/>'
        return self.add("step", content, name=name, initialStep=str(initial).lower())

    def transition(self, source: str, condition: str = "", **attributes: object) -> str:
        """`condition` is ST, or an element."""
        if condition and not condition.startswith("<"):
            condition = f"<inline name=''>{st(condition)}</inline>"
        inner = f"<condition>{condition}</condition>" if condition else ""
        content = f"{self.link(source)}<connectionPointOut/>{inner}"
        return self.add("transition", content, **attributes)

    def branch(self, kind: str, *sources: str) -> str:
        points = "".join(self.link(s) for s in sources)
        return self.add(kind, f"{points}<connectionPointOut/>")

    def jump(self, source: str, name: str) -> str:
        return self.add("jumpStep", self.link(source), targetName=name)

    def actions(self, step: str, *uses: str) -> str:
        """`uses`: "N name", "L T#5s name", or with an element in the place of the name."""
        content = self.link(f"{step}.action")
        for use in uses:
            head, _, inner = use.partition("<")
            words = head.split()
            timed = len(words) > 1 and "#" in words[1]
            duration = f" duration={quoteattr(words.pop(1))}" if timed else ""
            inner = "<" + inner if inner else f"<reference name={quoteattr(words[1])}/>"
            content += f'<action localId="1{next(self.ids)}" qualifier="{words[0]}"{duration}>'
            content += f'<relPosition x="0" y="0"/>{inner}</action>'
        return self.add("actionBlock", content)


def with_parts(data: bytes, actions: str = "", transitions: str = "") -> bytes:
    """The document with actions and transitions in its first POU."""
    parts = f"<actions>{actions}</actions><transitions>{transitions}</transitions>"
    return data.replace(b"</interface>", b"</interface>" + parts.encode(), 1)


def part(kind: str, name: str, body: str) -> str:
    return f'<{kind} name="{name}"><body>{body}</body></{kind}>'


def test_a_sequence_with_a_jump() -> None:
    c = Chart()
    idle = c.step("Idle", initial=True)
    work = c.step("Work", c.transition(idle, "go"))
    c.actions(work, "N lamp", "L T#20ms horn")
    c.jump(c.transition(work, "NOT go;"), "Idle")
    data = document(pou("main", c.xml(), "go, lamp, horn : BOOL"))
    assert body_of(data) == [
        "INITIAL_STEP Idle:",
        "END_STEP",
        "TRANSITION FROM Idle TO Work := go;",
        "END_TRANSITION",
        "STEP Work:",
        "    lamp(N);",
        "    horn(L, T#20ms);",
        "END_STEP",
        "TRANSITION FROM Work TO Idle := NOT go;",
        "END_TRANSITION",
    ]
    rows = scans(start(data), [{}, {"go": True}, {}, {}, {"go": False}], "lamp", "horn")
    assert rows == [[False, False], [True, True], [True, True], [True, False], [False, False]]


def test_a_line_back_to_the_initial_step() -> None:
    c = Chart()
    c.parts.append("")  # the initial step, whose line comes from below
    work = c.step("Work", "90")
    c.transition("91", "go")
    last = c.transition(work, "TRUE")
    c.parts[0] = (
        '<step localId="91" name="Idle" initialStep="true"><position x="0" y="0"/>'
        f"{c.link(last)}<connectionPointOut/></step>"
        f'<transition localId="90"><position x="0" y="5"/>{c.link("91")}<connectionPointOut/>'
        f"<condition><inline name=''>{st('go')}</inline></condition></transition>"
    )
    c.parts = [p for p in c.parts if 'localId="2"' not in p]
    data = document(pou("main", c.xml(), "go : BOOL"))
    assert "TRANSITION FROM Work TO Idle := TRUE;" in body_of(data)


def test_a_selection_from_left_to_right_and_its_end() -> None:
    c = Chart()
    idle = c.step("Idle", initial=True)
    choice = c.branch("selectionDivergence", idle)
    right = c.transition(choice, "b")
    left = c.transition(choice, "a")
    number = next(k for k, p in enumerate(c.parts) if f'localId="{right}"' in p)
    c.parts[number] = c.parts[number].replace('x="0"', 'x="900"', 1)
    one, two = c.step("One", left), c.step("Two", right)
    end = c.branch(
        "selectionConvergence", c.transition(one, "TRUE"), c.transition(two, "NOT b", priority=3)
    )
    c.jump(end, "Idle")
    data = document(pou("main", c.xml(), "a, b : BOOL"))
    heads = [line for line in body_of(data) if line.startswith("TRANSITION")]
    assert heads == [
        "TRANSITION FROM Idle TO One := a;",
        "TRANSITION FROM Idle TO Two := b;",
        "TRANSITION FROM One TO Idle := TRUE;",
        "TRANSITION (PRIORITY := 3) FROM Two TO Idle := NOT b;",
    ]
    rows = scans(start(data), [{}, {"a": True, "b": True}, {"a": False}, {}, {}], "One.X", "Two.X")
    assert rows == [[False, False], [True, False], [False, False], [False, True], [False, True]]


def test_parallel_branches() -> None:
    c = Chart()
    idle = c.step("Idle", initial=True)
    begin = c.branch("simultaneousDivergence", c.transition(idle, "go"))
    left, right = c.step("Left", begin), c.step("Right", begin)
    c.actions(left, "P1 Count")
    end = c.branch("simultaneousConvergence", left, right)
    c.step("Done", c.transition(end, "NOT go"))
    data = document(pou("main", c.xml(), "go : BOOL; n : INT"))
    data = with_parts(data, part("action", "Count", st("n := n + 1;")))
    assert body_of(data)[-3:] == ["ACTION Count:", "    n := n + 1;", "END_ACTION"]
    assert "TRANSITION FROM Idle TO (Left, Right) := go;" in body_of(data)
    assert "TRANSITION FROM (Left, Right) TO Done := NOT go;" in body_of(data)
    rows = scans(start(data), [{}, {"go": True}, {}, {"go": False}], "Right.X", "Done.X", "n")
    assert rows == [[False, False, 0], [True, False, 1], [True, False, 1], [False, True, 1]]


def test_conditions_of_contacts_and_functions() -> None:
    c = Chart()
    idle = c.step("Idle", initial=True)
    rail = c.rail()
    power = c.contact("b", c.contact("a", rail), negated="true")
    work = c.step("Work", c.transition(idle, c.link(power)))
    high = c.block("GT", [("IN1", c.value("level")), ("IN2", c.value("10"))])
    c.step("Done", c.transition(work, c.link(f"{high}.OUT")))
    data = document(pou("main", c.xml(), "a, b : BOOL; level : INT"))
    lines = body_of(data)
    assert "TRANSITION FROM Idle TO Work := a AND NOT b;" in lines
    assert "TRANSITION FROM Work TO Done := level > 10;" in lines
    rows = scans(start(data), [{"a": True, "b": True}, {"b": False}, {"level": 11}], "Done.X")
    assert rows == [[False], [False], [True]]


def test_named_transitions_in_four_languages() -> None:
    c = Chart()
    at = c.step("S0", initial=True)
    for n, name in enumerate(("InSt", "InIl", "InFbd", "InLd")):
        at = c.step(f"S{n + 1}", c.transition(at, f'<reference name="{name}"/>'))
    fbd = Diagram()
    fbd.out("InFbd", fbd.block("AND", [("IN1", fbd.value("a")), ("IN2", fbd.value("b"))]))
    ld = Diagram("LD")
    ld.coil("InLd", ld.contact("b", ld.contact("a", ld.rail())))
    data = with_parts(
        document(pou("main", c.xml(), "a, b : BOOL")),
        "",
        part("transition", "InSt", st(":= a AND b;"))
        + part("transition", "InIl", il("LD a\nAND b"))
        + part("transition", "InFbd", fbd.xml())
        + part("transition", "InLd", ld.xml()),
    )
    heads = [line for line in body_of(data) if line.startswith("TRANSITION")]
    assert heads == [
        "TRANSITION InSt FROM S0 TO S1 := a AND b;",
        "TRANSITION InIl FROM S1 TO S2 := a AND b;",
        "TRANSITION InFbd FROM S2 TO S3 := a AND b;",
        "TRANSITION InLd FROM S3 TO S4 := a AND b;",
    ]
    rows = scans(start(data), [{"a": True, "b": True}, {}, {}, {}, {}], "S4.X")
    assert [r[0] for r in rows] == [False, False, False, False, True]


def test_a_named_transition_used_twice_has_its_name_nowhere() -> None:
    c = Chart()
    a = c.step("A", initial=True)
    b = c.step("B", c.transition(a, '<reference name="T"/>'))
    c.jump(c.transition(b, '<reference name="T"/>'), "A")
    data = with_parts(
        document(pou("main", c.xml(), "x : BOOL")), "", part("transition", "T", st("x"))
    )
    heads = [line for line in body_of(data) if line.startswith("TRANSITION")]
    assert heads == ["TRANSITION FROM A TO B := x;", "TRANSITION FROM B TO A := x;"]


def test_conditions_that_are_variables_or_negated() -> None:
    c = Chart()
    a = c.step("A", initial=True)
    first = c.transition(a, '<reference name="x"/>')
    c.parts[-1] = c.parts[-1].replace("<condition>", '<condition negated="true">')
    c.jump(c.transition(c.step("B", first), '<reference name="x"/>'), "A")
    data = document(pou("main", c.xml(), "x : BOOL"))
    heads = [line for line in body_of(data) if line.startswith("TRANSITION")]
    assert heads == ["TRANSITION FROM A TO B := NOT x;", "TRANSITION FROM B TO A := x;"]


def test_actions_in_four_languages_and_inline() -> None:
    fbd, ld = Diagram(), Diagram("LD")
    fbd.out("c", fbd.value("a"))
    ld.coil("d", ld.contact("a", ld.rail()))
    c = Chart()
    only = c.step("Only", initial=True)
    c.actions(only, "N InSt", "N InIl", "N InFbd", "N InLd", f"N <inline>{st('e := a;')}</inline>")
    data = with_parts(
        document(pou("main", c.xml(), "a, b, c, d, e, f : BOOL")),
        part("action", "InSt", st("f := a;"))
        + part("action", "InIl", il("LD a\nST b"))
        + part("action", "InFbd", fbd.xml())
        + part("action", "InLd", ld.xml()),
    )
    assert "    Only_N(N);" in body_of(data)
    rows = scans(start(data), [{}, {"a": True}], "b", "c", "d", "e", "f")
    assert rows == [[False] * 5, [True] * 5]


def test_all_qualifiers() -> None:
    c = Chart()
    only = c.step("Only", initial=True)
    plain = [f"{q} v{q}" for q in ("N", "R", "S", "P", "P0", "P1")]
    timed = [f"{q} T#10ms v{q}" for q in ("L", "D", "SD", "DS", "SL")]
    c.actions(only, *plain, *timed)
    names = ", ".join(f"v{q.split()[0]}" for q in plain + timed)
    data = document(pou("main", c.xml(), f"{names} : BOOL"))
    rows = scans(start(data), [{}, {}], "vN", "vS", "vP", "vL", "vD", "vSD", "vDS", "vSL")
    assert rows[0] == [True, True, True, True, False, False, False, True]
    assert rows[1] == [True, True, False, False, True, True, True, False]


def test_actions_without_a_chart() -> None:
    data = document(pou("main", st("Reset();"), "n : INT"))
    data = with_parts(data, part("action", "Reset", st("n := n + 5;")))
    assert body_of(data) == ["Reset();", "ACTION Reset:", "    n := n + 5;", "END_ACTION"]
    assert scans(start(data), [{}], "n") == [[5]]


def test_comments_stay() -> None:
    c = Chart()
    c.add("comment", "<content><p>the chart</p></content>")
    step = c.step("Only", initial=True)
    c.parts[-1] = c.parts[-1].replace(
        "<connectionPointOut ",
        "<documentation><p>waits</p></documentation><connectionPointOut ",
        1,
    )
    assert step
    text = imported(document(pou("main", c.xml(), "x : BOOL"))).files["main.st"]
    assert "// the chart\n    // waits\n    INITIAL_STEP Only:" in text


def _wrong(kind: str) -> bytes:
    c = Chart()
    a = c.step("A", initial=True)
    if kind == "macro":
        c.add("macroStep", c.link(c.transition(a, "x")), name="M")
    elif kind == "jump":
        c.jump(c.transition(a, "x"), "Nowhere")
    elif kind == "no target":
        c.transition(a, "x")
    elif kind == "no condition":
        c.jump(c.transition(a), "A")
    elif kind == "bad condition":
        c.jump(c.transition(a, "x +"), "A")
    elif kind == "block":
        timer = c.block("TON", [("IN", c.value("x"))], ("Q",), instanceName="t")
        c.jump(c.transition(a, c.link(f"{timer}.Q")), "A")
    elif kind == "step after step":
        c.step("B", a)
    elif kind == "transition after transition":
        c.jump(c.transition(c.transition(a, "x"), "x"), "A")
    elif kind == "same name":
        c.jump(c.transition(a, "x"), "A")
        c.step("a", c.transition(a, "x"))
    elif kind == "no name":
        c.jump(c.transition(a, "x"), "A")
        c.step("two words", c.transition(a, "x"))
    elif kind == "qualifier":
        c.actions(a, "DL x")
    elif kind == "duration":
        c.actions(a, "SD x")
    elif kind == "member":
        c.actions(a, "N x.y")
    elif kind == "loose":
        c.contact("x", c.rail())
    elif kind == "block of nothing":
        c.actions("77", "N x")
    elif kind == "chart in action":
        c.actions(a, "N <inline><SFC/></inline>")
    return document(pou("main", c.xml(), "x : BOOL; t : TON"))


@pytest.mark.parametrize(
    ("kind", "element", "message"),
    [
        ("macro", "macroStep", "the macro step 'M' cannot be translated"),
        ("jump", "jumpStep", "no step 'Nowhere'"),
        ("no target", "transition", "leads to no step"),
        ("no condition", "transition", "has no condition"),
        ("bad condition", "ST", "'x +' is not an expression"),
        ("block", "transition", "more than an expression"),
        ("step after step", "step", "a 'step' cannot follow a 'step'"),
        ("transition after transition", "transition", "cannot follow a 'transition'"),
        ("same name", "step", "step 'a' is there twice"),
        ("no name", "step", "'two words' is not a name"),
        ("qualifier", "action", 'qualifier="DL"'),
        ("duration", "action", "qualifier SD needs a duration"),
        ("member", "action", "'x.y' is not the name of an action"),
        ("loose", "contact", "belongs to no transition"),
        ("block of nothing", "connection", "no step or branch 77"),
        ("chart in action", "SFC", "an action in SFC"),
    ],
)
def test_what_cannot_be_translated(kind: str, element: str, message: str) -> None:
    found = errors(_wrong(kind))
    assert any(f":{element}: " in e and message in e for e in found), found
    assert len(found) <= 2
