"""Names across sources: lists of global variables, namespaces, access paths from outside."""

from __future__ import annotations

import pytest

from host_tools.compiler.compilation import Compilation, Options, compile_sources
from host_tools.compiler.source import Source
from host_tools.variables import VariableError, Variables

_USER = """
PROGRAM main
VAR n : INT; END_VAR
    n := {0};
END_PROGRAM
"""


def _compiled(**sources: str) -> Compilation:
    return compile_sources([Source(f"{name}.st", text) for name, text in sources.items()])


def _codes(**sources: str) -> list[str]:
    return [f"{d.code} {d.span.text}" for d in _compiled(**sources).diagnostics]


def test_list_of_globals_is_named_like_its_file() -> None:
    one = "VAR_GLOBAL speed : INT := 3; END_VAR"
    assert _codes(GVL=one, main=_USER.format("GVL.speed + gvl.SPEED + speed")) == []


def test_name_of_a_list_with_what_it_does_not_have() -> None:
    one = "VAR_GLOBAL speed : INT := 3; END_VAR"
    assert _codes(GVL=one, main=_USER.format("GVL.sped")) == ["E0352 GVL.sped"]


def test_source_with_more_than_globals_is_no_list() -> None:
    one = "VAR_GLOBAL speed : INT := 3; END_VAR FUNCTION f : INT f := 1; END_FUNCTION"
    assert _codes(GVL=one, main=_USER.format("GVL.speed")) == ["E0200 GVL"]


def test_two_qualified_lists_may_have_the_same_names() -> None:
    one = "{{attribute 'qualified_only'}} VAR_GLOBAL speed : INT := {0}; END_VAR"
    result = _compiled(
        Left=one.format(1), Right=one.format(2), main=_USER.format("10 * Left.speed + Right.speed")
    )
    assert result.layout is not None
    assert [v["path"] for v in result.layout["vars"]] == ["Left.speed", "Right.speed", "main.n"]


def test_qualified_list_without_its_name_tells_all_that_it_may_be() -> None:
    one = "{attribute 'qualified_only'} VAR_GLOBAL speed : INT; END_VAR"
    found = _compiled(Left=one, Right=one, main=_USER.format("speed")).diagnostics
    assert [(d.code, d.help) for d in found] == [("E0358", "write Left.speed or Right.speed")]


def test_variable_hides_the_name_of_a_list() -> None:
    one = "VAR_GLOBAL level : INT; END_VAR"
    user = """
TYPE T : STRUCT level : INT; END_STRUCT; END_TYPE
PROGRAM main
VAR tank : T; n : INT; END_VAR
    n := tank.level;
END_PROGRAM
"""
    assert _codes(tank=one, main=user) == []


def test_constants_of_a_list_in_declarations() -> None:
    one = "{attribute 'qualified_only'} VAR_GLOBAL CONSTANT size : INT := 4; END_VAR"
    user = (
        "PROGRAM main VAR a : ARRAY[1..Param.size] OF INT; END_VAR a[Param.size] := 1; END_PROGRAM"
    )
    assert _codes(Param=one, main=user) == []


def test_namespace_in_several_sources() -> None:
    one = "NAMESPACE Plant FUNCTION One : INT One := 1; END_FUNCTION END_NAMESPACE"
    two = "NAMESPACE Plant FUNCTION Two : INT Two := One() + 1; END_FUNCTION END_NAMESPACE"
    assert _codes(one=one, two=two, main=_USER.format("Plant.Two()")) == []


def test_using_of_a_source_holds_in_that_source() -> None:
    one = "NAMESPACE Plant FUNCTION One : INT One := 1; END_FUNCTION END_NAMESPACE"
    two = "USING Plant; FUNCTION Two : INT Two := One(); END_FUNCTION"
    assert _codes(one=one, two=two, main=_USER.format("One() + Two()")) == ["E0207 One"]


def test_rules_know_full_names() -> None:
    one = "NAMESPACE Plant VAR_GLOBAL level : INT := 1; END_VAR END_NAMESPACE"
    user = "PROGRAM main Plant.level := Plant.level + 1; END_PROGRAM"
    sources = [Source("one.st", one), Source("main.st", user)]
    assert compile_sources(sources, Options(rules=True)).diagnostics == []


def test_rules_know_what_the_configuration_uses() -> None:
    text = """
FUNCTION_BLOCK Count
VAR_OUTPUT n : INT; END_VAR
    n := n + 1;
END_FUNCTION_BLOCK
PROGRAM Control
VAR counter : Count; hidden : INT; out AT %Q* : BOOL; END_VAR
    out := TRUE;
END_PROGRAM
CONFIGURATION plant
    TASK t(INTERVAL := T#10ms);
    PROGRAM main WITH t : Control(counter WITH t);
    VAR_CONFIG main.out AT %QX0.0 : BOOL; END_VAR
    VAR_ACCESS HIDDEN : main.hidden : INT READ_WRITE; END_VAR
END_CONFIGURATION
"""
    assert compile_sources([Source("x.st", text)], Options(rules=True)).diagnostics == []


def test_access_path_says_what_may_be_written() -> None:
    text = """
PROGRAM main
VAR a, b : INT; END_VAR
VAR_ACCESS
    READ : a : INT READ_ONLY;
    WRITE : b : INT READ_WRITE;
END_VAR
    a := b;
END_PROGRAM
"""
    layout = _compiled(x=text).layout
    assert layout is not None
    variables = Variables(layout)
    assert variables.encode("main.WRITE", 5) == variables.encode("main.b", 5)
    with pytest.raises(VariableError, match="READ_ONLY"):
        variables.encode("main.READ", 5)
    assert variables.find("main.READ").offset == variables.find("main.a").offset
