"""Where variables are in the image: alignment, retain range, areas, what tasks touch."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest

from host_tools.compiler.compilation import Compilation, Options, compile_sources
from host_tools.compiler.source import Source
from host_tools.variables import Variable, Variables
from tests.conformance.case_files import CASES, read_cases


def compiled(text: str, **areas: int) -> tuple[Compilation, dict[str, Any], Variables]:
    compilation = compile_sources([Source("test.st", text)], Options(areas=areas))
    assert [d.message for d in compilation.diagnostics if d.is_error] == []
    assert compilation.layout is not None
    return compilation, compilation.layout, Variables(compilation.layout)


def programs() -> list[str]:
    """The case programs that compile and whose variables have places by themselves."""
    paths = [p for p in sorted(CASES.glob("*.st")) if "relative_locations" not in p.name]
    found = [case for path in paths for case in read_cases(path)]
    whole = [case.text for case in found if not case.refusals]
    # Access paths are second names; members of a UNION share their places.
    return [text for text in whole if not re.search("VAR_ACCESS|UNION|OVERLAP", text)]


def extent(variables: Variables, v: Variable) -> tuple[int, int]:
    """First byte and the one behind the last, of a scalar or string."""
    if v.size:
        return v.offset, v.offset + v.size
    tag = v.type[0]
    if tag in ("string", "wstring"):
        return v.offset, v.offset + 4 + v.type[1] * (2 if tag == "wstring" else 1)
    if tag == "enum":
        base = variables.types[v.type[1]]["base"]
        return v.offset, v.offset + Variable("", base, 0).size
    return v.offset, v.offset + 4


@pytest.mark.parametrize("text", programs())
def test_everything_is_aligned_and_apart(text: str) -> None:
    _, layout, variables = compiled(text)
    areas = [(start, start + size) for start, size in layout["areas"].values()]
    found = []
    for root in variables.roots.values():
        for leaf in variables.leaves(root):
            start, end = extent(variables, leaf)
            assert layout["state"][0] <= start < end <= sum(layout["state"]), leaf.path
            size = end - start if isinstance(leaf.type, str) or leaf.type[0] == "enum" else 2
            assert start % size == 0, leaf.path
            if not any(low <= start < high for low, high in areas):
                found.append((start, end, leaf.path))
    found.sort()
    for (_, end, first), (start, _, second) in pairwise(found):
        assert end <= start, (first, second)


def test_what_is_retained_lies_together_at_the_end_of_the_state() -> None:
    _, layout, variables = compiled("""
        VAR_GLOBAL a : INT; END_VAR
        VAR_GLOBAL RETAIN b : LREAL; END_VAR
        VAR_GLOBAL PERSISTENT c : BOOL; END_VAR
        FUNCTION_BLOCK Meter
        VAR RETAIN sum : DINT; END_VAR VAR other : INT; END_VAR
            sum := sum + 1;
        END_FUNCTION_BLOCK
        TYPE Pair : STRUCT m : Meter; n : INT; END_STRUCT; END_TYPE
        PROGRAM p
        VAR m : Meter; n : INT; list : ARRAY[1..2] OF Meter; pair : Pair; END_VAR
        VAR NON_RETAIN lost : Meter; END_VAR
        VAR RETAIN t : TON; s : STRING[3]; END_VAR
            m(); list[1](); lost(); t(IN := TRUE);
        END_PROGRAM""")
    retained = {v.path for v in variables.roots.values() if v.retain}
    assert retained == {"b", "c", "p.m", "p.list", "p.pair", "p.t", "p.s"}
    start, size = layout["retain"]
    assert start + size == sum(layout["state"])
    for root in variables.roots.values():
        for leaf in variables.leaves(root):
            first, end = extent(variables, leaf)
            assert (start <= first and end <= start + size) == (root.path in retained), leaf.path


def test_a_retained_program_is_retained_whole() -> None:
    _, _, variables = compiled("""
        PROGRAM p VAR a : INT; END_VAR VAR NON_RETAIN b : INT; END_VAR a := b; END_PROGRAM
        CONFIGURATION c
            TASK t(INTERVAL := T#10ms);
            PROGRAM RETAIN x WITH t : p;
            PROGRAM y WITH t : p;
        END_CONFIGURATION""")
    assert {v.path for v in variables.roots.values() if v.retain} == {"x.a"}


def test_areas_are_as_large_as_program_and_wiring_need() -> None:
    _, layout, _ = compiled(
        """
        PROGRAM p
        VAR a AT %IX3.7 : BOOL; b AT %QW2 : ARRAY[0..4] OF INT; c AT %MD0 : REAL; END_VAR
            %QL1 := 5;
        END_PROGRAM""",
        IW=10,
        IX=1,
    )
    sizes = {name: size for name, (_, size) in layout["areas"].items() if size}
    assert sizes == {"IX": 4, "IW": 10, "QW": 14, "QL": 16, "MD": 4}
    assert all(start % 8 == 0 for start, _ in layout["areas"].values())


def test_a_task_has_the_inputs_and_outputs_it_touches() -> None:
    compilation, layout, _ = compiled("""
        FUNCTION_BLOCK Lamp VAR_INPUT x : BOOL; END_VAR %QX1.0 := x; END_FUNCTION_BLOCK
        FUNCTION Read : WORD Read := %IW1; END_FUNCTION
        PROGRAM First VAR l : Lamp; END_VAR l(x := %IX0.0); %QX0.3 := TRUE; END_PROGRAM
        PROGRAM Second VAR w : WORD; END_VAR w := Read(); %QW0 := w; END_PROGRAM
        CONFIGURATION c
            TASK a(INTERVAL := T#10ms, PRIORITY := 3);
            TASK b(INTERVAL := T#1s);
            PROGRAM f WITH a : First;
            PROGRAM s WITH b : Second;
        END_CONFIGURATION""")
    assert compilation.program is not None
    first, second = compilation.program.tasks
    at = {name: start for name, (start, _) in layout["areas"].items()}
    assert (first.interval_ns, first.priority) == (10_000_000, 3)
    assert (first.inputs, first.outputs) == (((at["IX"], 1),), ((at["QX"], 2),))
    assert (second.inputs, second.outputs) == (((at["IW"] + 2, 2),), ((at["QW"], 2),))


def test_the_hash_says_whether_the_bytes_mean_the_same() -> None:
    def digest(variables: str, body: str) -> str:
        text = f"PROGRAM p VAR {variables} END_VAR {body} END_PROGRAM"
        return str(compiled(text)[1]["hash"])

    plain = digest("a : INT; b : REAL;", "a := 1;")
    assert digest("a : INT; b : REAL;", "b := 2.0; a := a + 5;") == plain
    assert digest("a : INT := 7; b : REAL;", "a := 1;") == plain
    assert digest("a : UINT; b : REAL;", "a := 1;") != plain
    assert digest("b : REAL; a : INT;", "a := 1;") != plain
    assert digest("a : INT; c : REAL;", "a := 1;") != plain


def test_local_variables_are_not_state() -> None:
    _, layout, variables = compiled("""
        FUNCTION f : INT VAR a : ARRAY[1..10] OF DINT; END_VAR f := 1; END_FUNCTION
        PROGRAM p VAR x : INT; END_VAR VAR_TEMP t : LREAL; END_VAR x := f(); END_PROGRAM""")
    assert list(variables.roots) == ["P.X"]
    assert layout["size"] >= sum(layout["state"]) + 40
