"""Instruction List of PLCopen XML: what it becomes, and that it does what IL says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from plcopen_support import body_of, document, errors, il, imported, pou, scans, start

from host_tools.plcopen.importer import import_project


def program(body: str, local: str = "a, b, c, q, r : BOOL; n, m : INT") -> bytes:
    return document(pou("main", il(body), local))


def test_parentheses_and_modifiers() -> None:
    data = program("LD a\nAND( b\nORN c\n)\nST q\nSTN r")
    assert body_of(data) == ["q := a AND (b OR NOT c);", "r := NOT q;"]
    sim = start(data)
    bits = [False, True]
    for a in bits:
        for b in bits:
            for c in bits:
                q = a and (b or not c)
                assert scans(sim, [{"a": a, "b": b, "c": c}], "q", "r") == [[q, not q]]


def test_nested_parentheses_and_arithmetic() -> None:
    data = program("LD n\nMUL( n\nSUB( 10\nDIV 3\n)\n)\nADD 1\nST m\nGT 5\nST q")
    assert body_of(data) == ["m := n * (n - 10 / 3) + 1;", "q := m > 5;"]
    # 7 * (7 - 3) + 1; division towards zero
    assert scans(start(data), [{"n": 7}, {"n": 3}], "m", "q") == [[29, True], [1, False]]


def test_set_reset_and_store_keep_the_result() -> None:
    # The result is still the old q when r is stored, though q was reset in between.
    data = program("LD q\nR q\nST r")
    assert scans(start(data), [{"q": True}, {}], "q", "r") == [[False, True], [False, False]]
    assert "result := q;" in body_of(data)
    # Where nothing needs the result any more, there is no temporary.
    assert not any("result" in line for line in body_of(program("LD q\nR q\nLD a\nST r")))


def test_forward_jumps_become_if() -> None:
    data = program(
        "LD n\nGE 3\nJMPC full\nLD n\nADD 1\nST n\nJMP done\nfull: LD 0\nST n\ndone: LD n\nST m"
    )
    assert body_of(data) == [
        "IF n >= 3 THEN",
        "    n := 0;",
        "ELSE",
        "    n := n + 1;",
        "END_IF;",
        "m := n;",
    ]
    assert [row[0] for row in scans(start(data), [{}] * 6, "m")] == [1, 2, 3, 0, 1, 2]


def test_skip_over_skip() -> None:
    data = program("LD a\nJMPCN end\nLD 1\nST n\nLD b\nJMPCN end\nLD 2\nST n\nend:")
    assert body_of(data) == [
        "IF a THEN",
        "    n := 1;",
        "    IF b THEN",
        "        n := 2;",
        "    END_IF;",
        "END_IF;",
    ]


def test_loops() -> None:
    # 1 + 2 + … + 5
    repeat = program(
        "LD 0\nST n\nST m\nmore:\nLD n\nADD 1\nST n\nADD m\nST m\nLD n\nLT 5\nJMPC more"
    )
    assert "REPEAT" in body_of(repeat)
    assert scans(start(repeat), [{}], "m") == [[15]]
    loop = program(
        "LD 0\nST n\nST m\nmore: LD n\nGE 5\nJMPC end\nLD n\nADD 1\nST n\nADD m\nST m\nJMP more\n"
        "end:"
    )
    assert "WHILE NOT (n >= 5) DO" in body_of(loop)
    assert scans(start(loop), [{}], "m") == [[15]]
    leave = program(
        "LD 0\nST n\nmore: LD n\nADD 1\nST n\nGT 3\nJMPC end\nLD a\nJMPC more\nLD n\nADD 10\n"
        "ST n\nJMP more\nend: LD n\nST m"
    )
    assert "WHILE TRUE DO" in body_of(leave)
    assert scans(start(leave), [{"a": True}, {"a": False}], "m") == [[4], [12]]


def test_calls_of_blocks() -> None:
    data = program(
        "CAL t1(IN := a,\n   PT := T#20ms) (* wait *)\nLD t1.Q\nST q\nLD b\n"
        "CALC up(CU := a, PV := 3)\n"
        "LD c\nST t2.IN\nLD T#10ms\nST t2.PT\nCAL t2\nLD up.CV\nST n",
        "a, b, c, q : BOOL; n : INT; t1, t2 : TON; up : CTU",
    )
    assert body_of(data)[:3] == [
        "// wait",
        "t1(IN := a, PT := T#20ms);",
        "q := t1.Q;",
    ]
    rows = scans(start(data), [{"a": True}, {}, {"b": True}, {"a": False}, {"a": True}], "q", "n")
    assert rows == [[False, 0], [False, 0], [True, 1], [False, 1], [False, 2]]


def test_input_operators() -> None:
    data = program(
        "LD 3\nPV up\nLD a\nCU up\nLD up.Q\nST q\nLD b\nR up", "a, b, q : BOOL; up : CTU"
    )
    assert "up(CU := a);" in body_of(data)
    rows = scans(start(data), [{"a": True}, {"a": False}] * 3, "q")
    assert [r[0] for r in rows] == [False, False, False, False, True, True]


def test_functions() -> None:
    twice = pou(
        "twice", "<ST>twice := a * 2;</ST>", inputs="a : INT", kind="function", result="INT"
    )
    data = document(
        twice
        + pou(
            "main",
            il(
                "LD n\nMAX 4, m\nST m\nLD n\ntwice\nADD 1\nST k\n"
                "LIMIT(\n MN := 0,\n IN := k,\n MX := 9\n)\nST k"
            ),
            "n, m, k : INT",
        )
    )
    assert body_of(data) == [
        "m := MAX(n, 4, m);",
        "k := twice(n) + 1;",
        "k := LIMIT(MN := 0, IN := k, MX := 9);",
    ]
    assert scans(start(data), [{"n": 3}, {"n": 8}], "m", "k") == [[4, 7], [8, 9]]


def test_calls_that_nobody_uses_are_made() -> None:
    note = pou(
        "note",
        "<ST>seen := seen + a; note := seen;</ST>",
        inputs="a : INT",
        in_outs="seen : INT",
        kind="function",
        result="INT",
    )
    data = document(note + pou("main", il("note(a := 2, seen := n)\nLD 1\nST m"), "n, m : INT"))
    assert scans(start(data), [{}, {}], "n", "m") == [[2, 1], [4, 1]]


def test_return() -> None:
    data = program("LD a\nRETC\nLD n\nADD 1\nST n\nRET")
    assert scans(start(data), [{}, {"a": True}, {}], "n") == [[1], [1], [1]]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("LD a\nJMPC x\nLD b\ny: LD c\nST q\nx: LD a\nJMPC y", "2:IL: "),
        ("LD a\nFOO b", "no operator or function 'FOO'"),
        ("LD a\nAND( b\nST q", "')' is missing"),
        ("LD a\n)\nST q", "')' without '('"),
        ("ST q", "nothing was loaded"),
        ("LD a\nJMPC x\nLD b\nx: ST q", "'x' is reached in more than one way"),
        ("LD a\nJMPC nowhere", "no label 'nowhere'"),
        ("x: LD a\nx: ST q", "label 'x' is there twice"),
        ("LD a +\nST q", "'a +' is not an operand"),
        ("LD a\nST 3", "'3' cannot be assigned to"),
        ("CAL t1(IN := a", "the ')' of this call is missing"),
        ("JMP x\nLD a\nST q\nx:", "never reached"),
    ],
)
def test_what_cannot_be_translated(body: str, message: str) -> None:
    found = errors(program(body))
    assert len(found) == 1 or body.startswith("LD a\nJMPC x\nLD b\ny")
    if message == "2:IL: ":
        assert "crosses a loop or a branch" in found[0]
    else:
        assert message in found[0]


def test_errors_name_their_line() -> None:
    data = program("LD a\nST q\n\nFOO b\nLD b")
    line = next(k for k, text in enumerate(data.decode().splitlines(), 1) if "FOO" in text)
    result = import_project(data)
    (remark,) = result.report.remarks
    assert (remark.place.line, remark.place.column) == (line, 1)


# --- against an interpreter ------------------------------------------------------------------

_BITS = ("a", "b", "c", "q", "r")


@some.composite
def straight(draw: some.DrawFn) -> list[tuple[str, str]]:
    """IL without jumps; parentheses are balanced."""
    out = [("LD", draw(some.sampled_from(_BITS)))]
    depth = 0
    for _ in range(draw(some.integers(1, 14))):
        op = draw(
            some.sampled_from(
                ["LD", "LDN", "ST", "STN", "S", "R", "NOT", "AND", "ANDN", "OR", "ORN", "XOR",
                 "XORN", "AND(", "ORN(", "XOR(", ")"]
            )
        )  # fmt: skip
        if op == ")":
            if depth:
                out.append((")", ""))
                depth -= 1
        elif op.endswith("("):
            if depth < 3:
                out.append((op, draw(some.sampled_from(_BITS))))
                depth += 1
        elif depth == 0 or op not in ("ST", "STN", "S", "R", "LD", "LDN"):
            out.append((op, "" if op == "NOT" else draw(some.sampled_from(_BITS))))
    return [*out, *[(")", "")] * depth, ("ST", "q")]


def interpret(code: list[tuple[str, str]], state: dict[str, bool]) -> None:
    """The accumulator machine of IEC 61131-3:2013, 7.2."""
    result, stack = False, []

    def logic(op: str, left: bool, right: bool) -> bool:
        right = right != op.endswith("N")
        name = op.removesuffix("N")
        return {"AND": left and right, "OR": left or right, "XOR": left != right}[name]

    for op, operand in code:
        value = state.get(operand, False)
        if op in ("LD", "LDN"):
            result = value != (op == "LDN")
        elif op in ("ST", "STN"):
            state[operand] = result != (op == "STN")
        elif op in ("S", "R"):
            state[operand] = (op == "S") if result else value
        elif op == "NOT":
            result = not result
        elif op == ")":
            before, left = stack.pop()
            result = logic(before, left, result)
        elif op.endswith("("):
            stack.append((op[:-1], result))
            result = value
        else:
            result = logic(op, result, value)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(straight(), some.lists(some.booleans(), min_size=5, max_size=5))
def test_random_code_agrees_with_an_interpreter(
    code: list[tuple[str, str]], values: list[bool]
) -> None:
    sim = start(program("\n".join(f"{op} {operand}" for op, operand in code)))
    state = dict(zip(_BITS, values, strict=True))
    rows = scans(sim, [dict(state)], *_BITS)
    interpret(code, state)
    assert rows == [[state[name] for name in _BITS]]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(some.data())
def test_random_forward_jumps_agree_with_an_interpreter(data: some.DataObject) -> None:
    """Sections 'n := n * 2 + k' with jumps forward between them; those that are structured."""
    count = data.draw(some.integers(2, 6))
    jumps = [
        (data.draw(some.integers(k + 1, count)), data.draw(some.sampled_from(["", *_BITS[:3]])))
        for k in range(count)
    ]
    code = []
    for k, (target, condition) in enumerate(jumps):
        code.append(f"l{k}: LD n\nMUL 2\nADD {k}\nST n")
        if target > k + 1 or condition:
            code.append(f"LD {condition}\nJMPC l{target}" if condition else f"JMP l{target}")
    xml = program("\n".join([*code, f"l{count}: LD n\nST m"]), "a, b, c : BOOL; n, m : DINT")
    if not import_project(xml).ok:
        return
    values = {name: data.draw(some.booleans()) for name in _BITS[:3]}
    expected, k = 0, 0
    while k < count:
        expected = expected * 2 + k
        target, condition = jumps[k]
        k = target if not condition or values[condition] else k + 1
    assert scans(start(xml), [values], "m") == [[expected]]


def test_most_forward_jumps_are_structured() -> None:
    assert imported(
        program("LD a\nJMPC x\nLD b\nJMPC x\nLD 1\nST n\nx: LD c\nJMPC y\nLD 2\nST n\ny:")
    )
