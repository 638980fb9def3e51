"""FBD and LD of PLCopen XML: readable ST that does what the diagrams say, scan by scan."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from plcopen_support import Diagram, body_of, document, errors, imported, pou, scans, start

# --- LD --------------------------------------------------------------------------------------


def test_latch() -> None:
    d = Diagram("LD")
    rail = d.rail()
    branch = [d.contact("on", rail), d.contact("motor", rail)]
    last = d.contact("stop", *branch, negated="true")
    d.simple("rightPowerRail", d.coil("motor", last))
    data = document(pou("main", d.xml(), "on, stop, motor : BOOL"))
    assert body_of(data) == ["motor := (on OR motor) AND NOT stop;"]
    steps = [{}, {"on": True}, {"on": False}, {"stop": True}, {"stop": False}]
    rows = scans(start(data), steps, "motor")
    assert [r[0] for r in rows] == [False, True, True, False, False]


def test_branches_share_what_they_have_in_common() -> None:
    d = Diagram("LD")
    first = d.contact("a", d.rail())
    d.coil("q", d.contact("b", first), d.contact("c", first))
    assert body_of(document(pou("main", d.xml(), "a, b, c, q : BOOL"))) == ["q := a AND (b OR c);"]


def test_coils() -> None:
    d = Diagram("LD")
    rail = d.rail()
    d.coil("inverse", d.contact("a", rail), negated="true")
    d.coil("set_", d.contact("a", rail), storage="set")
    d.coil("set_", d.contact("b", rail), storage="reset")
    d.coil("rise", d.contact("a", rail), edge="rising")
    d.coil("fall", d.contact("a", rail), edge="falling")
    d.coil("edge_of_a", d.contact("a", rail, edge="rising"))
    data = document(pou("main", d.xml(), "a, b, inverse, set_, rise, fall, edge_of_a : BOOL"))
    steps: list[dict[str, object]] = [{}, {"a": True}, {}, {"a": False}, {"b": True}]
    rows = scans(start(data), steps, "inverse", "set_", "rise", "fall", "edge_of_a")
    assert rows == [
        # F_TRIG of the standard takes FALSE in its first evaluation for a falling edge.
        [True, False, False, True, False],
        [False, True, True, False, True],
        [False, True, False, False, False],
        [True, True, False, True, False],
        [True, False, False, False, False],
    ]
    assert "rise_rising(CLK := a);" in body_of(data)


def test_a_link_keeps_its_state_when_a_coil_changes_the_contact() -> None:
    d = Diagram("LD")
    contact = d.contact("x", d.rail())
    d.coil("x", contact, negated="true")
    d.coil("y", contact)
    data = document(pou("main", d.xml(), "x, y : BOOL"))
    assert body_of(data) == ["power := x;", "x := NOT power;", "y := power;"] or body_of(data) == [
        "power := x;",
        "x := NOT x;",
        "y := power;",
    ]
    rows = scans(start(data), [{}, {}, {}], "x", "y")
    assert rows == [[True, False], [False, True], [True, False]]


def test_rungs_run_from_top_to_bottom() -> None:
    d = Diagram("LD")
    rail = d.rail()
    d.coil("b", d.contact("a", rail))
    d.coil("c", d.contact("b", rail))
    data = document(pou("main", d.xml(), "a, b, c : BOOL"))
    assert scans(start(data), [{"a": True}], "b", "c") == [[True, True]]


def test_counter_in_a_rung() -> None:
    d = Diagram("LD")
    rail = d.rail()
    preset = d.value("2")
    block = d.block(
        "CTU",
        [("CU", d.contact("pulse", rail)), ("R", d.contact("clear", rail)), ("PV", preset)],
        ("Q", "CV"),
        instanceName="parts",
    )
    d.coil("full", d.contact("enable", f"{block}.Q"))
    d.out("count", f"{block}.CV")
    data = document(
        pou("main", d.xml(), "pulse, clear, enable, full : BOOL; count : INT; parts : CTU")
    )
    assert body_of(data) == [
        "parts(CU := pulse, R := clear, PV := 2);",
        "full := parts.Q AND enable;",
        "count := parts.CV;",
    ]
    steps: list[dict[str, object]] = [
        {"enable": True, "pulse": True},
        {"pulse": False},
        {"pulse": True},
        {"clear": True},
    ]
    assert scans(start(data), steps, "count", "full") == [
        [1, False],
        [1, False],
        [2, True],
        [0, False],
    ]


def test_enable_in_a_rung() -> None:
    d = Diagram("LD")
    run = d.contact("run", d.rail())
    block = d.block(
        "ADD",
        [("EN", run), ("IN1", d.value("n")), ("IN2", d.value("5"))],
        ("ENO", "OUT"),
    )
    d.out("n", f"{block}.OUT")
    d.coil("done", f"{block}.ENO")
    data = document(pou("main", d.xml(), "run, done : BOOL; n : INT"))
    assert body_of(data) == ["IF run THEN", "    n := n + 5;", "END_IF;", "done := run;"]
    steps: list[dict[str, object]] = [{}, {"run": True}, {}, {"run": False}]
    assert scans(start(data), steps, "n", "done") == [
        [0, False],
        [5, True],
        [10, True],
        [10, False],
    ]


def test_enable_of_blocks_and_eno_when_en_changes() -> None:
    # The block's own in-out is what enables it; ENO is what EN was.
    inc = pou(
        "inc",
        "<ST>n := n + 1; active := FALSE;</ST>",
        in_outs="n : INT; active : BOOL",
        kind="functionBlock",
    )
    d = Diagram("LD")
    en = d.contact("go", d.rail())
    block = d.block(
        "inc",
        [("EN", en)],
        ("ENO",),
        [("n", d.value("count")), ("active", d.value("go"))],
        instanceName="counter",
    )
    d.coil("was", f"{block}.ENO")
    data = document(inc + pou("main", d.xml(), "go, was : BOOL; count : INT; counter : inc"))
    rows = scans(start(data), [{}, {"go": True}, {}], "count", "was", "go")
    assert rows == [[0, False, False], [1, True, False], [1, False, False]]


# --- FBD -------------------------------------------------------------------------------------


def test_counter_with_feedback_over_a_variable() -> None:
    d = Diagram()
    total = d.block("ADD", [("IN1", d.value("count")), ("IN2", d.value("step_"))])
    d.out("count", total)
    d.out("copy", total)
    data = document(pou("main", d.xml(), "count, copy : INT; step_ : INT := 3"))
    assert body_of(data) == ["count := count + step_;", "copy := count;"]
    assert scans(start(data), [{}] * 3, "count", "copy") == [[3, 3], [6, 6], [9, 9]]


def test_feedback_without_a_variable_keeps_the_last_value() -> None:
    d = Diagram()
    one = d.value("1")
    total = d.block("ADD", [("IN1", "2"), ("IN2", one)])
    assert total == "2"
    d.out("count", total)
    data = document(pou("main", d.xml(), "count : INT"))
    assert body_of(data) == ["add_feedback := add_feedback + 1;", "count := add_feedback;"]
    assert scans(start(data), [{}] * 3, "count") == [[1], [2], [3]]


def test_loops_are_cut_at_instances() -> None:
    # A blinker: the timer restarts itself through a NOT.
    d = Diagram()
    timer = d.block("TON", [("IN", "2"), ("PT", "3")], ("Q", "ET"), instanceName="pause")
    d.block("NOT", [("IN", f"{timer}.Q")])
    d.value("T#20ms")
    d.out("pulse", f"{timer}.Q")
    data = document(pou("main", d.xml(), "pulse : BOOL; pause : TON"))
    assert body_of(data) == ["pause(IN := NOT pause.Q, PT := T#20ms);", "pulse := pause.Q;"]
    rows = scans(start(data), [{}] * 8, "pulse")
    assert [r[0] for r in rows] == [False, False, True, False, False, False, True, False]


def test_modifiers_of_pins() -> None:
    d = Diagram()
    block = d.block(
        "AND",
        [("IN1", d.value("a")), ("IN2", d.value("b")), ("IN3", d.value("c"))],
        modifiers={"IN2": 'negated="true"', "IN3": 'edge="rising"', "OUT": 'negated="true"'},
    )
    d.out("q", block)
    d.out("latched", block, storage="reset", negated="true")
    data = document(pou("main", d.xml(), "a, b, c, q : BOOL; latched : BOOL := TRUE"))
    steps: list[dict[str, object]] = [{"a": True}, {"c": True}, {}, {"b": True}]
    assert scans(start(data), steps, "q", "latched") == [
        [True, True],
        [False, False],
        [True, False],
        [True, False],
    ]


def test_execution_order_ids() -> None:
    d = Diagram()
    one = d.value("1")
    late = d.block("ADD", [("IN1", d.value("x")), ("IN2", one)], executionOrderId="2")
    d.out("y", late, executionOrderId="3")
    early = d.block("MUL", [("IN1", d.value("x")), ("IN2", d.value("2"))], executionOrderId="0")
    d.out("x", early, executionOrderId="1")
    data = document(pou("main", d.xml(), "x : INT := 1; y : INT"))
    assert body_of(data) == ["x := x * 2;", "y := x + 1;"]
    assert scans(start(data), [{}, {}], "x", "y") == [[2, 3], [4, 5]]


def test_execution_order_against_the_flow_uses_last_values() -> None:
    d = Diagram()
    source = d.block("ADD", [("IN1", d.value("n")), ("IN2", d.value("1"))], executionOrderId="2")
    d.out("n", source, executionOrderId="3")
    d.out("before", source, executionOrderId="1")
    data = document(pou("main", d.xml(), "n, before : INT"))
    assert scans(start(data), [{}] * 3, "n", "before") == [[1, 0], [2, 1], [3, 2]]


def test_connectors_and_in_out_variables() -> None:
    d = Diagram()
    total = d.block("ADD", [("IN1", d.value("a")), ("IN2", d.value("b"))])
    d.simple("connector", total, name="sum")
    more = d.add("continuation", "<connectionPointOut/>", name="sum")
    stored = d.in_out("c", more)
    d.out("d", d.block("MUL", [("IN1", stored), ("IN2", d.value("2"))]))
    data = document(pou("main", d.xml(), "a, b, c, d : INT"))
    assert body_of(data) == ["c := a + b;", "d := c * 2;"]
    assert scans(start(data), [{"a": 2, "b": 5}], "c", "d") == [[7, 14]]


def test_jumps_labels_and_return() -> None:
    d = Diagram()
    d.simple("jump", d.value("skip"), label="past")
    d.out("n", d.block("ADD", [("IN1", d.value("n")), ("IN2", d.value("1"))]))
    d.add("label", "", label="past")
    d.simple("return", d.value("leave"))
    d.out("m", d.block("ADD", [("IN1", d.value("m")), ("IN2", d.value("1"))]))
    data = document(pou("main", d.xml(), "skip, leave : BOOL; n, m : INT"))
    assert body_of(data)[:3] == ["IF NOT skip THEN", "    n := n + 1;", "END_IF;"]
    steps: list[dict[str, object]] = [{}, {"skip": True}, {"leave": True}, {"skip": False}]
    assert scans(start(data), steps, "n", "m") == [[1, 1], [1, 2], [1, 2], [2, 2]]


def test_a_value_on_both_sides_of_a_jump() -> None:
    d = Diagram()
    total = d.block("ADD", [("IN1", d.value("n")), ("IN2", d.value("1"))], executionOrderId="1")
    late = d.block("MUL", [("IN1", total), ("IN2", d.value("2"))], executionOrderId="5")
    d.simple("jump", d.value("skip"), label="past", executionOrderId="2")
    d.out("n", total, executionOrderId="3")
    d.add("label", "", label="past", executionOrderId="4")
    d.out("m", late, executionOrderId="6")
    data = document(pou("main", d.xml(), "skip : BOOL; n, m : INT"))
    steps: list[dict[str, object]] = [{}, {"skip": True}, {}]
    assert scans(start(data), steps, "n", "m") == [[1, 2], [1, 4], [1, 4]]


def test_user_functions_with_outputs() -> None:
    parts = pou(
        "parts",
        "<ST>parts := a / b; rest := a MOD b;</ST>",
        inputs="a : INT; b : INT := 10",
        outputs="rest : INT",
        kind="function",
        result="INT",
    )
    d = Diagram()
    block = d.block("parts", [("a", d.value("n")), ("b", "")], ("parts", "rest"))
    d.out("tens", f"{block}.parts")
    d.out("ones", f"{block}.rest")
    data = document(parts + pou("main", d.xml(), "n, tens, ones : INT"))
    assert scans(start(data), [{"n": 47}], "tens", "ones") == [[4, 7]]


def test_two_calls_of_one_instance() -> None:
    d = Diagram()
    pv = d.value("9")
    first = d.block("CTU", [("CU", d.value("a")), ("PV", pv)], ("Q", "CV"), instanceName="c")
    second = d.block("CTU", [("CU", d.value("b"))], ("Q", "CV"), instanceName="c")
    d.out("m", f"{second}.CV")
    d.out("n", f"{first}.CV")
    data = document(pou("main", d.xml(), "a, b : BOOL; n, m : INT; c : CTU"))
    # n is what the first call gave, although it is written behind the second.
    rows = scans(start(data), [{"a": True}, {"a": False, "b": True}], "n", "m")
    assert rows == [[1, 1], [0, 0]] or rows == [[1, 1], [1, 2]]


def test_comments_stay() -> None:
    d = Diagram("LD")
    d.add("comment", "<content><p>Start and stop</p></content>", height="1", width="1")
    d.coil("q", d.contact("a", d.rail()))
    assert body_of(document(pou("main", d.xml(), "a, q : BOOL"))) == [
        "// Start and stop",
        "q := a;",
    ]


def _wrong(kind: str) -> bytes:
    d = Diagram("LD" if kind.startswith("ld") else "FBD")
    local = "a, b, q : BOOL; n : INT; t : TON"
    if kind == "nothing connected":
        d.add("outVariable", "<expression>q</expression>")
    elif kind == "two links":
        d.add(
            "outVariable",
            f"{d.link(d.value('a'), d.value('b'))}<expression>q</expression>",
        )
    elif kind == "unknown element":
        d.out("q", "77")
    elif kind == "unknown function":
        d.out("q", d.block("FROB", [("IN", d.value("a"))]))
    elif kind == "no instance":
        d.out("q", d.block("TON", [("IN", d.value("a"))], ("Q",)) + ".Q")
    elif kind == "not declared":
        d.out("q", d.block("TON", [("IN", d.value("a"))], ("Q",), instanceName="tt") + ".Q")
    elif kind == "no such output":
        d.out("q", d.block("TON", [("IN", d.value("a"))], ("Q",), instanceName="t") + ".QQ")
    elif kind == "bad expression":
        d.out("q", d.value("a +"))
    elif kind == "bad target":
        d.out("3", d.value("a"))
    elif kind == "ld circle":
        d.parts.append(
            '<contact localId="50"><position x="0" y="0"/><connectionPointIn><connection '
            'refLocalId="50"/></connectionPointIn><variable>a</variable></contact>'
        )
        d.coil("q", "50")
    elif kind == "sfc":
        d.add("actionBlock", "")
    elif kind == "contact in fbd":
        d.contact("a")
    elif kind == "same id":
        d.parts += [d.parts[0]] if d.value("a") and d.parts else []
    elif kind == "label":
        d.simple("jump", d.value("a"), label="nowhere")
    elif kind == "connector":
        d.out("q", d.add("continuation", "", name="x"))
    elif kind == "set input":
        d.out("q", d.block("NOT", [("IN", d.value("a"))], modifiers={"IN": 'storage="set"'}))
    return document(pou("main", d.xml(), local))


@pytest.mark.parametrize(
    ("kind", "element", "message"),
    [
        ("nothing connected", "outVariable", "nothing is connected to 'q'"),
        ("two links", "outVariable", "2 links lead to 'q'"),
        ("unknown element", "connection", "no element with localId 77"),
        ("unknown function", "block", "no function 'FROB'"),
        ("no instance", "block", "has no instance name"),
        ("not declared", "block", "the instance 'tt' of TON is not declared"),
        ("no such output", "connection", "'TON' has no output 'QQ'"),
        ("bad expression", "inVariable", "'a +' is not an expression"),
        ("bad target", "outVariable", "'3' cannot be assigned to"),
        ("ld circle", "connection", "power flows in a circle"),
        ("sfc", "actionBlock", "'actionBlock' cannot be translated"),
        ("contact in fbd", "contact", "does not belong into FBD"),
        ("same id", "inVariable", "is there twice"),
        ("label", "jump", "no label 'nowhere'"),
        ("connector", "continuation", "no connector 'x'"),
        ("set input", "variable", "cannot be set or reset"),
    ],
)
def test_what_cannot_be_translated(kind: str, element: str, message: str) -> None:
    found = errors(_wrong(kind))
    assert len(found) == 1, found
    assert found[0].split(":")[1] == element
    assert message in found[0]


# --- random networks -------------------------------------------------------------------------

_NAMES = ("a", "b", "c", "d", "x", "y", "z")


@some.composite
def rungs(draw: some.DrawFn) -> list[list[dict[str, Any]]]:
    """Rungs of contacts and coils; each refers to elements before it in its rung, -1 the rail."""
    found = []
    for _ in range(draw(some.integers(1, 3))):
        rung: list[dict[str, Any]] = []
        for _ in range(draw(some.integers(1, 8))):
            sources = draw(some.lists(some.integers(-1, len(rung) - 1), min_size=1, max_size=3))
            rung.append(
                {
                    "kind": draw(some.sampled_from(["contact", "contact", "contact", "coil"])),
                    "name": draw(some.sampled_from(_NAMES)),
                    "negated": draw(some.booleans()),
                    "from": sorted(set(sources)),
                    "storage": draw(some.sampled_from(["none", "none", "none", "set", "reset"])),
                }
            )
        rung.append(
            {"kind": "coil", "name": draw(some.sampled_from(_NAMES)), "negated": False,
             "from": [len(rung) - 1], "storage": "none"}
        )  # fmt: skip
        found.append(rung)
    return found


def evaluate(rung: list[dict[str, Any]], state: dict[str, bool]) -> None:
    """Coils from top to bottom; each link has one state, found when it is first needed."""
    flow: dict[int, bool] = {-1: True}

    def power(k: int) -> bool:
        if k not in flow:
            inflow = [power(s) for s in rung[k]["from"]]
            flow[k] = any(inflow)
            if rung[k]["kind"] == "contact":
                flow[k] = flow[k] and state[rung[k]["name"]] != rung[k]["negated"]
        return flow[k]

    for e in rung:
        if e["kind"] == "coil":
            inflow = [power(s) for s in e["from"]]
            value = any(inflow) != e["negated"]
            if e["storage"] == "none":
                state[e["name"]] = value
            elif value:
                state[e["name"]] = e["storage"] == "set"


@settings(max_examples=60, deadline=None, derandomize=True)
@given(some.data())
def test_random_diagrams_agree_with_direct_evaluation(data: some.DataObject) -> None:
    """Blocks that calculate and variables they write, which other elements read."""
    names = ("i", "j", "k")
    d = Diagram()
    elements: list[tuple[str, str, list[int]]] = []
    ids: list[str] = []
    for _ in range(data.draw(some.integers(2, 10))):
        sources = [n for n, e in enumerate(elements) if e[0] != "out"]
        kinds = ["in", "ADD", "SUB", "MAX", "out"] if sources else ["in"]
        kind = data.draw(some.sampled_from(kinds))
        name = data.draw(some.sampled_from(names))
        count = {"in": 0, "out": 1}.get(kind, 2)
        inputs = [data.draw(some.sampled_from(sources)) for _ in range(count)]
        elements.append((kind, name, inputs))
        if kind == "in":
            ids.append(d.value(name))
        elif kind == "out":
            ids.append(d.out(name, ids[inputs[0]]))
        else:
            ids.append(d.block(kind, [(f"IN{n}", ids[s]) for n, s in enumerate(inputs, 1)]))
    part = list(range(len(elements)))
    for n, (_, _, inputs) in enumerate(elements):
        for s in inputs:
            old, new = part[n], part[s]
            part = [new if p == old else p for p in part]
    values = {name: data.draw(some.integers(-9, 9)) for name in names}
    sim = start(document(pou("main", d.xml(), "i, j, k : LINT")))
    rows = scans(sim, [dict(values), {}], *names)
    for row in rows:
        for p in dict.fromkeys(part):
            known: dict[int, int] = {}
            for n, (kind, name, inputs) in enumerate(elements):
                if part[n] != p or kind == "in":
                    continue
                for s in inputs:
                    if elements[s][0] == "in":
                        known.setdefault(s, values[elements[s][1]])
                operands = [known[s] for s in inputs]
                if kind == "out":
                    values[name] = operands[0]
                else:
                    a, b = operands
                    known[n] = {"ADD": a + b, "SUB": a - b, "MAX": max(a, b)}[kind]
        assert row == [values[name] for name in names]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(rungs(), some.lists(some.booleans(), min_size=7, max_size=7))
def test_random_ladders_agree_with_direct_evaluation(
    network: list[list[dict[str, Any]]], values: list[bool]
) -> None:
    d = Diagram("LD")
    rail = d.rail()
    for rung in network:
        ids: list[str] = []
        for e in rung:
            sources = [ids[s] if s >= 0 else rail for s in e["from"]]
            negated = "true" if e["negated"] else "false"
            if e["kind"] == "contact":
                ids.append(d.contact(e["name"], *sources, negated=negated))
            else:
                ids.append(d.coil(e["name"], *sources, negated=negated, storage=e["storage"]))
    parts = _connected(network)
    sim = start(document(pou("main", d.xml(), ", ".join(_NAMES) + " : BOOL")))
    state = dict(zip(_NAMES, values, strict=True))
    rows = scans(sim, [dict(state), {}], *_NAMES)
    for row in rows:
        for part in parts:
            evaluate(part, state)
        assert row == [state[name] for name in _NAMES]


def _connected(network: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Rungs are networks of their own where only the rail joins their parts."""
    found = []
    for rung in network:
        part = list(range(len(rung)))
        for k, e in enumerate(rung):
            for s in e["from"]:
                if s >= 0:
                    old, new = part[k], part[s]
                    part = [new if p == old else p for p in part]
        for p in dict.fromkeys(part):
            own = [k for k in range(len(rung)) if part[k] == p]
            place = {k: n for n, k in enumerate(own)}
            found.append(
                [{**rung[k], "from": [place.get(s, -1) for s in rung[k]["from"]]} for k in own]
            )
    return found


def test_long_rungs_get_no_deep_expressions() -> None:
    d = Diagram("LD")
    at = d.rail()
    for k in range(1500):
        at = d.contact("a" if k % 2 else "b", at)
    d.coil("q", at)
    data = document(pou("main", d.xml(), "a, b, q : BOOL"))
    assert scans(start(data), [{"a": True, "b": True}, {"b": False}], "q") == [[True], [False]]


def test_many_parallel_stages_stay_small() -> None:
    d = Diagram("LD")
    at = (d.rail(),)
    for _ in range(40):
        at = (d.contact("a", *at), d.contact("b", *at))
    d.coil("q", *at)
    data = document(pou("main", d.xml(), "a, b, q : BOOL"))
    assert len("".join(imported(data).files.values())) < 4000
    assert scans(start(data), [{"a": True}, {"a": False}], "q") == [[True], [False]]
