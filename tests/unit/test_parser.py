"""The parser: trees of small programs, one diagnostic for one mistake, and any text survived."""

from __future__ import annotations

import random
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from work import calls

from host_tools.compiler import tree
from host_tools.compiler.codes import CODES
from host_tools.compiler.diagnostics import Diagnostic, Reporter
from host_tools.compiler.lexer import lex
from host_tools.compiler.parser import parse
from host_tools.compiler.source import Source, read_source
from host_tools.compiler.syntax.cursor import MAX_HEIGHT, MAX_NESTING

PAGES = Path(__file__).parents[2] / "docs" / "errors"


def parsed(text: str) -> tuple[tree.Unit, list[Diagnostic]]:
    reporter = Reporter()
    return parse(Source("test.st", text), reporter), reporter.diagnostics


def show(node: object) -> str:
    """A tree as an s-expression: `x := 1 + 2` is `(:= x (+ 1 2))`."""
    match node:
        case tree.Identifier(name=name) | tree.Name(name=name) | tree.NamedType(name=name):
            return name
        case tree.Literal(kind="int", value=value, prefix=None):
            return str(value)
        case tree.Literal(kind=kind, value=value, prefix=prefix):
            return f"{prefix}#{value!r}" if prefix else f"{kind}:{value!r}"
        case tree.Direct(area=area, size=size, address=None):
            return f"%{area}{size}*"
        case tree.Direct(area=area, size=size, address=address) if address is not None:
            return f"%{area}{size}{'.'.join(map(str, address))}"
        case tree.Member(base=base, name=name):
            return f"{show(base)}.{name}"
        case tree.Deref(base=base):
            return f"{show(base)}^"
        case tree.Index(base=base, indices=indices):
            return f"{show(base)}[{shows(indices)}]"
        case tree.Unary(op=op, operand=operand):
            return f"({op} {show(operand)})"
        case tree.Binary(op=op, left=left, right=right):
            return f"({op} {show(left)} {show(right)})"
        case tree.Call(callee=callee, arguments=arguments):
            return f"(call {shows((callee, *arguments))})"
        case tree.Argument(name=name, value=value, output=output, negated=negated):
            arrow = ("" if name is None else show(name)) + ("=>" if output else ":=")
            shown = "" if value is None else show(value)
            return ("NOT " if negated else "") + (shown if name is None else arrow + shown)
        case tree.Repeat(count=count, values=values):
            return f"{show(count)}({shows(values)})"
        case tree.ArrayInit(elements=elements):
            return f"[{shows(elements)}]"
        case tree.StructInit(fields=fields):
            return f"{{{shows(fields)}}}"
        case tree.FieldInit(name=name, value=value):
            return f"{show(name)}:={show(value)}"
        case tree.Missing():
            return "?"
        case tree.RangeSpec(low=None):
            return "*"
        case tree.RangeSpec(low=low, high=high) | tree.CaseLabel(low=low, high=high):
            return show(low) if high is None else f"{show(low)}..{show(high)}"
        case tree.Assign(target=target, value=value, op=op):
            return f"({op} {show(target)} {show(value)})"
        case tree.CallStatement(call=call):
            return show(call)
        case tuple():
            return f"({shows(node)})"
        case frozenset():
            return f"<{' '.join(sorted(node))}>"
        case tree.Node():
            fields = [getattr(node, name) for name in type(node).__match_args__ if name != "span"]
            kept = [f for f in fields if f not in (None, (), frozenset(), False)]
            return f"({shows((type(node).__name__, *kept))})"
        case _:
            return str(node)


def shows(nodes: tuple[object, ...]) -> str:
    return " ".join(map(show, nodes))


def body_of(statements: str) -> str:
    unit, diagnostics = parsed(f"PROGRAM p\n{statements}\nEND_PROGRAM")
    assert not diagnostics, diagnostics
    (pou,) = unit.declarations
    assert isinstance(pou, tree.Pou)
    return shows(pou.body)


def value_of(expression: str) -> str:
    shown = body_of(f"x := {expression};")
    assert shown.startswith("(:= x ")
    return shown[6:-1]


# --- expressions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", "(+ 1 (* 2 3))"),
        ("(1 + 2) * 3", "(* (+ 1 2) 3)"),
        ("1 - 2 - 3", "(- (- 1 2) 3)"),
        ("2 ** 3 ** 2", "(** (** 2 3) 2)"),
        ("-2 ** 2", "(** (- 2) 2)"),
        ("2 ** -2", "(** 2 (- 2))"),
        ("NOT a = b", "(= (NOT a) b)"),
        ("NOT -a", "(NOT (- a))"),
        ("- - +a", "(- (- (+ a)))"),
        ("a / b * c MOD d", "(MOD (* (/ a b) c) d)"),
        ("a < b = c > d", "(= (< a b) (> c d))"),
        ("a = b <> c", "(<> (= a b) c)"),
        ("a + b < c * d", "(< (+ a b) (* c d))"),
        ("a OR b XOR c AND d", "(OR a (XOR b (AND c d)))"),
        ("a AND b XOR c OR d", "(OR (XOR (AND a b) c) d)"),
        ("a & b AND_THEN c OR_ELSE d", "(OR_ELSE (AND_THEN (AND a b) c) d)"),
        ("a AND b = c", "(AND a (= b c))"),
        ("-a.b[1]^", "(- a.b[1]^)"),
        ("a.b[i + 1, 2][3].c^.%x3", "a.b[(+ i 1) 2][3].c^.%X3"),
        ("w.3 + w.%B1", "(+ w.3 w.%B1)"),
        ("(a.b).c", "a.b.c"),
        ("f()", "(call f)"),
        ("f(1, -2)", "(call f 1 (- 2))"),
        ("f(IN := a, q => b, NOT e => c, g =>)", "(call f IN:=a q=>b NOT e=>c g=>)"),
        ("f(NOT a)", "(call f (NOT a))"),
        ("a.f(g(1)).h", "(call a.f (call g 1)).h"),
        ("%IX0.3 AND %i1", "(AND %IX0.3 %IX1)"),
        ("%MW*", "%MW*"),
        ("T#1s + TOD#00:00:01", "(+ TIME#1000000000 TOD#1000000000)"),
        ("Colour#Red", "Colour#'Red'"),
        ("INT#-5", "(- INT#5)"),
        ("'a' + \"b\"", "(+ string:'a' wstring:'b')"),
        ("1.5 = REAL#2", "(= real:'1.5' REAL#'2')"),
        ("TRUE", "bool:True"),
    ],
)
def test_expressions(text: str, expected: str) -> None:
    assert value_of(text) == expected


def test_spans_cover_what_was_written() -> None:
    unit, _ = parsed("PROGRAM p x := (a + b) * f(1 , 2)[3].c; END_PROGRAM")
    (pou,) = unit.declarations
    assert isinstance(pou, tree.Pou)
    (assign,) = pou.body
    assert isinstance(assign, tree.Assign)
    assert pou.span.text.startswith("PROGRAM p")
    assert assign.span.text == "x := (a + b) * f(1 , 2)[3].c"
    assert isinstance(assign.value, tree.Binary)
    assert assign.value.span.text == "(a + b) * f(1 , 2)[3].c"
    assert assign.value.left.span.text == "a + b"
    assert assign.value.right.span.text == "f(1 , 2)[3].c"


# --- statements ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a := b; ; c.d[1]^ := %IX0.0;", "(:= a b) (:= c.d[1]^ %IX0.0)"),
        ("%QX0.0 := TRUE;", "(:= %QX0.0 bool:True)"),
        ("x S= a; x R= b; p REF= y; p ?= q;", "(S= x a) (R= x b) (REF= p y) (?= p q)"),
        ("f(); t(IN := a); a.b(1);", "(call f) (call t IN:=a) (call a.b 1)"),
        ("IF a THEN b(); END_IF", "(If ((Branch a ((call b)))))"),
        ("if a then ; end_if;", "(If ((Branch a)))"),
        (
            "IF a THEN b(); ELSIF c THEN d(); ELSE e(); END_IF",
            "(If ((Branch a ((call b))) (Branch c ((call d)))) ((call e)))",
        ),
        (
            "CASE x OF 1: a(); 2, 4..6: b(); -1: c(); ELSE d(); END_CASE",
            "(Case x ((CaseBranch (1) ((call a))) (CaseBranch (2 4..6) ((call b)))"
            " (CaseBranch ((- 1)) ((call c)))) ((call d)))",
        ),
        (
            "CASE x OF Red: a := b; Colour#Blue, c.d: e.f(); g[1] := 2; N + 1: ; END_CASE",
            "(Case x ((CaseBranch (Red) ((:= a b)))"
            " (CaseBranch (Colour#'Blue' c.d) ((call e.f) (:= g[1] 2)))"
            " (CaseBranch ((+ N 1)))))",
        ),
        (
            "FOR i := 1 TO n BY -1 DO EXIT; CONTINUE; END_FOR",
            "(For i 1 n (- 1) ((Exit) (Continue)))",
        ),
        ("FOR i := 1 TO 2 DO END_FOR", "(For i 1 2)"),
        ("WHILE a < 3 DO RETURN; END_WHILE;", "(While (< a 3) ((Return)))"),
        ("REPEAT a(); UNTIL b END_REPEAT", "(RepeatUntil ((call a)) b)"),
        ("REPEAT a(); UNTIL b; END_REPEAT;", "(RepeatUntil ((call a)) b)"),
        ("{region 'a'} x := {b} 1; {endregion}", "(:= x 1)"),
        (
            "step := 1; action.x := 2; r := s; on(1); n := d; p := task; interval := at;",
            "(:= step 1) (:= action.x 2) (:= r s) (call on 1) (:= n d) (:= p task)"
            " (:= interval at)",
        ),
    ],
)
def test_statements(text: str, expected: str) -> None:
    assert body_of(text) == expected


# --- declarations ----------------------------------------------------------------------------


def declared(text: str) -> str:
    unit, diagnostics = parsed(text)
    assert not diagnostics, diagnostics
    return shows(unit.declarations)


def variable(text: str) -> str:
    shown = declared(f"VAR_GLOBAL {text} END_VAR")
    return shown.removeprefix("(GlobalVars (VarBlock VAR_GLOBAL (").removesuffix(")))")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a : INT;", "(VarDecl (a) INT)"),
        ("a, b : lib.T := 5;", "(VarDecl (a b) lib.T 5)"),
        ("a AT %IX0.0 : BOOL := TRUE;", "(VarDecl (a) BOOL bool:True %IX0.0)"),
        ("AT %QW4 : INT; b AT %I* : BOOL;", "(VarDecl INT %QW4) (VarDecl (b) BOOL %IX*)"),
        (
            "a : BOOL R_EDGE; b : BOOL f_edge;",
            "(VarDecl (a) BOOL R_EDGE) (VarDecl (b) BOOL F_EDGE)",
        ),
        ("{a := '1'} { b } a : INT; c : INT;", "(VarDecl (a) INT (a := '1' b)) (VarDecl (c) INT)"),
        (
            "a : STRING; b : WSTRING[20];",
            "(VarDecl (a) (StringSpec)) (VarDecl (b) (StringSpec True 20))",
        ),
        ("a : STRING(N + 1);", "(VarDecl (a) (StringSpec (+ N 1)))"),
        ("a : INT(-5..5);", "(VarDecl (a) (SubrangeSpec INT (- 5)..5))"),
        (
            "a : (Red, Green := 5);",
            "(VarDecl (a) (EnumSpec ((EnumValue Red) (EnumValue Green 5))))",
        ),
        (
            "a : ARRAY[0..N - 1, 1..2] OF ARRAY[*] OF INT;",
            "(VarDecl (a) (ArraySpec (0..(- N 1) 1..2) (ArraySpec (*) INT)))",
        ),
        (
            "a : ARRAY[0..5] OF INT := [1, 2(0), 3(), N(4)];",
            "(VarDecl (a) (ArraySpec (0..5) INT) [1 2(0) 3() (call N 4)])",
        ),
        (
            "a : ARRAY[0..5] OF INT := 1, 2(0, 1), 3;",
            "(VarDecl (a) (ArraySpec (0..5) INT) [1 2(0 1) 3])",
        ),
        ("a : ARRAY[0..5] OF INT := 6(0);", "(VarDecl (a) (ArraySpec (0..5) INT) [6(0)])"),
        (
            "a : S := (x := 1, y := [(z := 2)], w := (v := Colour#Red));",
            "(VarDecl (a) S {x:=1 y:=[{z:=2}] w:={v:=Colour#'Red'}})",
        ),
        ("a : INT := (1 + 2) * 3;", "(VarDecl (a) INT (* (+ 1 2) 3))"),
        (
            "a : REF_TO INT; b : POINTER TO T; c : REFERENCE TO ARRAY[1..2] OF T;",
            "(VarDecl (a) (RefSpec REF_TO INT)) (VarDecl (b) (RefSpec POINTER TO T))"
            " (VarDecl (c) (RefSpec REFERENCE TO (ArraySpec (1..2) T)))",
        ),
        (
            "at : INT; retain : BOOL; pointer : T;",
            "(VarDecl (at) INT) (VarDecl (retain) BOOL) (VarDecl (pointer) T)",
        ),
        ("a : STRUCT b : INT; END_STRUCT;", "(VarDecl (a) (StructSpec ((VarDecl (b) INT))))"),
    ],
)
def test_variables(text: str, expected: str) -> None:
    assert variable(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "TYPE A : INT; B : REAL := 1.5; END_TYPE",
            "(TypeDecl A INT) (TypeDecl B REAL real:'1.5')",
        ),
        (
            "TYPE C : (Red, Green) := Green; D : BYTE (On := 1, Off); E : (X) WORD; END_TYPE",
            "(TypeDecl C (EnumSpec ((EnumValue Red) (EnumValue Green))) Green)"
            " (TypeDecl D (EnumSpec BYTE ((EnumValue On 1) (EnumValue Off))))"
            " (TypeDecl E (EnumSpec WORD ((EnumValue X))))",
        ),
        (
            "{q} TYPE {a} S : STRUCT x : INT := 1; {b} y : S2; END_STRUCT"
            " T : INT(0..9); END_TYPE;",
            "(TypeDecl S (StructSpec ((VarDecl (x) INT 1) (VarDecl (y) S2 (b)))) (q a))"
            " (TypeDecl T (SubrangeSpec INT 0..9) (q))",
        ),
        (
            "TYPE U : UNION a : INT; END_UNION; V : STRUCT OVERLAP b : INT; END_STRUCT; END_TYPE",
            "(TypeDecl U (StructSpec ((VarDecl (a) INT)) True))"
            " (TypeDecl V (StructSpec ((VarDecl (b) INT)) True))",
        ),
        (
            "FUNCTION f : INT VAR_INPUT a : INT; END_VAR f := a; END_FUNCTION",
            "(Pou FUNCTION f INT ((VarBlock VAR_INPUT ((VarDecl (a) INT)))) ((:= f a)))",
        ),
        ("FUNCTION f END_FUNCTION", "(Pou FUNCTION f)"),
        (
            "{p} FUNCTION_BLOCK f VAR_OUTPUT RETAIN q : BOOL; END_VAR VAR CONSTANT PERSISTENT"
            " c : INT := 1; END_VAR VAR_TEMP END_VAR END_FUNCTION_BLOCK",
            "(Pou FUNCTION_BLOCK f ((VarBlock VAR_OUTPUT <RETAIN> ((VarDecl (q) BOOL)))"
            " (VarBlock VAR <CONSTANT PERSISTENT> ((VarDecl (c) INT 1))) (VarBlock VAR_TEMP))"
            " (p))",
        ),
        (
            "PROGRAM p VAR_EXTERNAL CONSTANT x : INT; END_VAR"
            " VAR_IN_OUT y : INT; END_VAR END_PROGRAM",
            "(Pou PROGRAM p ((VarBlock VAR_EXTERNAL <CONSTANT> ((VarDecl (x) INT)))"
            " (VarBlock VAR_IN_OUT ((VarDecl (y) INT)))))",
        ),
        (
            "VAR_GLOBAL RETAIN a : INT; END_VAR",
            "(GlobalVars (VarBlock VAR_GLOBAL <RETAIN> ((VarDecl (a) INT))))",
        ),
        (
            "CONFIGURATION c VAR_GLOBAL g : INT; END_VAR RESOURCE r ON cpu"
            " VAR_GLOBAL h : INT; END_VAR TASK t(INTERVAL := T#10ms, PRIORITY := 1);"
            " PROGRAM RETAIN m WITH t : Main(level := %IW0, pump => %QX0.0); END_RESOURCE"
            " VAR_CONFIG r.m.x AT %IX0.0 : BOOL; END_VAR END_CONFIGURATION",
            "(Configuration c ((VarBlock VAR_GLOBAL ((VarDecl (g) INT)))"
            " (VarBlock VAR_CONFIG ((VarDecl (r.m.x) BOOL %IX0.0))))"
            " ((Resource r cpu ((VarBlock VAR_GLOBAL ((VarDecl (h) INT))))"
            " ((TaskDecl t (INTERVAL:=TIME#10000000 PRIORITY:=1)))"
            " ((ProgramDecl m t Main (level:=%IW0 pump=>%QX0.0) True)))))",
        ),
        (
            "CONFIGURATION c TASK t(SINGLE := go); PROGRAM a WITH t : A;"
            " PROGRAM b : B; END_CONFIGURATION",
            "(Configuration c ((Resource ((TaskDecl t (SINGLE:=go)))"
            " ((ProgramDecl a t A) (ProgramDecl b B)))))",
        ),
    ],
)
def test_declarations(text: str, expected: str) -> None:
    assert declared(text) == expected


def test_directs_are_listed_in_order() -> None:
    unit, _ = parsed(
        "VAR_GLOBAL a AT %IX0.0 : BOOL; END_VAR PROGRAM p %QW0 := %IW2 + f(%MD4); END_PROGRAM"
    )
    assert shows(unit.directs) == "%IX0.0 %QW0 %IW2 %MD4"


# --- mistakes --------------------------------------------------------------------------------

# A body, with the place of the only message between «», its code, and a part of its help.
BODY_MISTAKES = [
    ("x := 1«»\ny := 2;", "E0101", "add ';' here"),
    ("x := 1«» y := 2;", "E0101", "add ';' here"),
    ("f(1)«»\nIF a THEN END_IF", "E0101", "';'"),
    ("x := a «b»;", "E0100", ""),
    ("x := a «b»[1];", "E0100", ""),
    ("IF «IF» a THEN x(); END_IF", "E0100", "remove"),
    ("x := 1«)»;", "E0100", ""),
    ("«]» := 1;", "E0100", "opening bracket"),
    ("x «: =» 1;", "E0100", "':='"),
    ("RETURN «x»;", "E0100", "function's name"),
    ("IF a «=>» b THEN x(); END_IF", "E0100", "'>='"),
    ("IF a THEN x(); ELSE y(); «ELSE» z(); END_IF", "E0100", "last part"),
    ("IF a THEN x(); ELSE y(); «ELSIF» b THEN z(); END_IF", "E0100", "last part"),
    ("«THEN» x := 1;", "E0100", "belongs to IF"),
    ("IF a«»\nx := 1; END_IF", "E0102", "THEN"),
    ("IF a = 1«» x := 1; END_IF", "E0102", "THEN"),
    ("IF a «DO» x := 1; END_IF", "E0102", "THEN"),
    ("IF a«:» x := 1; END_IF", "E0102", "THEN"),
    ("IF a «b» c THEN x := 1; END_IF", "E0102", ""),
    ("WHILE a«»\nx := 1; END_WHILE", "E0102", "DO"),
    ("FOR i := 1 TO 2«»\nx := 1; END_FOR", "E0102", "DO"),
    ("FOR i := 1 «2» DO x := 1; END_FOR", "E0102", "TO"),
    ("FOR i«» 1 TO 2 DO x := 1; END_FOR", "E0102", "':='"),
    ("CASE x«»\n1: y := 1; END_CASE", "E0102", "OF"),
    ("«»a > b THEN x(); END_IF", "E0102", "'IF'"),
    ("«»a.b = c DO x(); END_WHILE", "E0102", "'WHILE'"),
    ("«»i := 1 TO 2 DO x(); END_FOR", "E0102", "'FOR'"),
    ("«»x OF 1: y(); ELSE z(); END_CASE", "E0102", "'CASE'"),
    ("IF a «b».c = d THEN x(); END_IF", "E0102", "operator"),
    ("CASE x OF 1«» y := 1; END_CASE", "E0102", "':'"),
    ("CASE x OF «y» := 1; END_CASE", "E0102", "values before"),
    ("REPEAT x(); «END_REPEAT»", "E0102", "UNTIL"),
    ("IF a THEN x := 1;\n«END_PROGRAM»", "E0103", "END_IF"),
    ("IF a THEN x := 1; «END_WHILE»", "E0103", "'END_IF'"),
    ("IF a THEN x := 1; «END_WHILE»; y(); END_IF", "E0103", "'END_IF'"),
    ("WHILE a DO IF b THEN x(); «END_WHILE» y();", "E0103", "END_IF"),
    ("IF a THEN WHILE b DO x(); «ELSE» y(); END_IF", "E0103", "END_WHILE"),
    ("x := «;»", "E0104", ""),
    ("x := 1 + «;»", "E0104", ""),
    ("x := 1 «+»\n;", "E0104", ""),
    ("x := (a + «)» * 2;", "E0104", ""),
    ("f(a, «)»;", "E0104", ""),
    ("x := «IF»;", "E0104", ""),
    ("IF «THEN» x(); END_IF", "E0104", ""),
    ("x := «.»5;", "E0104", "0.5"),
    ("x := 1 + «[»1];", "E0104", "initial value"),
    ("x «=» 5;", "E0105", "':='"),
    ("FOR i «=» 1 TO 2 DO x(); END_FOR", "E0105", "':='"),
    ("IF x «:=» 1 THEN y(); END_IF", "E0106", "'='"),
    ("WHILE (x «:=» 1) DO y(); END_WHILE", "E0106", "'='"),
    ("x := 2 * (y «:=» 1);", "E0106", "'='"),
    ("STEP s«» a(N); END_STEP", "E0102", "':'"),
    ("STEP s: a«» N); END_STEP", "E0102", "'('"),
    ("STEP s: a «:=» 1; END_STEP", "E0100", "ACTION"),
    ("STEP s: a(N«»; END_STEP", "E0113", "')'"),
    ("STEP s: a(N)«» END_STEP", "E0101", "';'"),
    ("STEP s: a(«M»); END_STEP", "E0374", "qualifiers"),
    ("STEP s: a(«DL», T#1s); END_STEP", "E0374", ""),
    ("STEP s: a(«L»); END_STEP", "E0375", "a(L, T#5s)"),
    ("STEP s: a(N, «T#5s»); END_STEP", "E0375", "a(N)"),
    ("STEP s: a(N); «ACTION» b: END_ACTION", "E0103", "END_STEP"),
    ("TRANSITION t «TO» b := c; END_TRANSITION", "E0102", "FROM"),
    ("TRANSITION t FROM a «:=» c; END_TRANSITION", "E0102", "FROM step TO step"),
    ("TRANSITION FROM a TO b«» c; END_TRANSITION", "E0102", "':='"),
    ("TRANSITION FROM a TO b «=» c; END_TRANSITION", "E0105", "':='"),
    ("TRANSITION FROM a TO b := c«» END_TRANSITION", "E0101", "';'"),
    ("TRANSITION FROM a TO b «:» c; END_TRANSITION", "E0382", "Structured Text"),
    ("TRANSITION FROM (a, b«» TO c := d; END_TRANSITION", "E0113", "')'"),
    ("TRANSITION (PRIORITY := «high») FROM a TO b := c; END_TRANSITION", "E0100", "highest"),
    ("TRANSITION t FROM a TO b := c; «STEP» b: END_STEP", "E0103", "END_TRANSITION"),
    ("ACTION a: x := «;» END_ACTION", "E0104", ""),
    ("ACTION a: x := 1; «ACTION» b: END_ACTION", "E0103", "END_ACTION"),
    ("ACTION a: «VAR» x : INT; END_VAR x := 1; END_ACTION", "E0119", "POU"),
    ("ACTION a: «STEP» s: END_STEP STEP t: END_STEP x := 1; END_ACTION", "E0380", ""),
    ("«x := 1»; INITIAL_STEP s: END_STEP", "E0377", "ACTION"),
    ("«WHLE» a DO x(); END_WHILE", "E0109", "'WHILE'"),
    ("«WHLE»(a) DO x(); END_WHILE", "E0109", "'WHILE'"),
    ("IF a «THNE» x(); END_IF", "E0109", "'THEN'"),
    ("IF a THEN x(); «ELSEIF» b THEN y(); END_IF", "E0109", "'ELSIF'"),
    ("IF a THEN x();\n«ELES»\ny(); END_IF", "E0109", "'ELSE'"),
    ("IF a THEN x(); «END_FI»", "E0109", "'END_IF'"),
    ("IF a THEN x(); «ENDIF»;", "E0109", "'END_IF'"),
    ("IF a THEN x(); «END IF»;", "E0109", "'END_IF'"),
    ("«RETRUN»;", "E0109", "'RETURN'"),
    ("IF (a) «{» x(); }", "E0110", "THEN ... END_IF"),
    ("IF (a) «{»\n x();\n} ELSE {\n y();\n}\nz();", "E0110", "THEN ... END_IF"),
    ("WHILE (a) «{» IF (b) { x(); } }", "E0110", "DO ... END_WHILE"),
    ("x S= y «:=» z;", "E0111", ""),
    ("x := y := z «?=» w;", "E0111", ""),
    ("«x»;", "E0112", "x();"),
    ("«a.b»;", "E0112", "a.b();"),
    ("«x +» 1;", "E0112", "':='"),
    ("x := (1 + 2«»;", "E0113", "')'"),
    ("f(a := 1, b => c«»;", "E0113", "')'"),
    ("f(a «b»);", "E0113", ""),
    ("x := a[1«»;", "E0113", "']'"),
    ("x := a[1«»);", "E0113", ""),
    ("«END_IF»; x();", "E0114", "IF"),
    ("«ELSE» x();", "E0114", "IF"),
    ("«UNTIL» x END_REPEAT", "E0114", "REPEAT"),
    ("«END_VAR» x();", "E0114", "VAR"),
    ("x.«IF» := 1;", "E0115", ""),
    ("f(«IF» := 1);", "E0115", ""),
    ("FOR «a[»1] := 1 TO 2 DO x(); END_FOR", "E0115", "inside the loop"),
    ("for «(»i = 0; i < 10; i++) { x(); }", "E0115", "FOR i := "),
    ("«5» := x;", "E0118", "left"),
    ("«f()» := x;", "E0118", "left"),
    ("x(); «VAR» y : INT; END_VAR", "E0119", "before the first"),
    ("x(); «y» : INT;\nx();", "E0119", "END_VAR"),
    ("«a», b : INT; c : INT := 1; d AT %IX0.0 : BOOL; END_VAR x();", "E0119", "END_VAR"),
    ("x«++»;", "E0008", "x := x + 1"),
    ("x := y«++»;", "E0008", ""),
    ("x «+=» 1;", "E0008", ""),
    ("x := «'abc»;", "E0003", ""),
    ("IF a THEN x := «'abc; END_IF»", "E0003", ""),
    ("x := 5 «@» 3;", "E0001", ""),
    ("x := a «?» 1 : 2;", "E0001", "SEL"),
]

# Whole sources.
SOURCE_MISTAKES = [
    ("«x» := 1;", "E0117", "PROGRAM"),
    ("«VAR» x : INT; END_VAR", "E0117", "VAR_GLOBAL"),
    ("«PROGRM» p x(); END_PROGRAM", "E0109", "'PROGRAM'"),
    (
        "«FUNCTON_BLOCK» f VAR x : INT; END_VAR x(); END_FUNCTION_BLOCK",
        "E0109",
        "'FUNCTION_BLOCK'",
    ),
    ("PROGRAM p «VAR_INPT» x : INT; END_VAR x(); END_PROGRAM", "E0109", "'VAR_INPUT'"),
    ("PROGRAM p VAR «CONSTAN» x : INT; END_VAR x(); END_PROGRAM", "E0109", "'CONSTANT'"),
    ("PROGRAM p VAR x : INT; «END_VR» x(); END_PROGRAM", "E0109", "'END_VAR'"),
    ("PROGRAM p VAR x : INT; «END VAR» x(); END_PROGRAM", "E0109", "'END_VAR'"),
    ("PROGRAM p VAR x : INT;\n«x» := 1; END_PROGRAM", "E0103", "END_VAR"),
    ("PROGRAM p VAR x : INT; «END_PROGRAM»", "E0103", "END_VAR"),
    ("PROGRAM p VAR x : INT; «VAR» y : INT; END_VAR END_PROGRAM", "E0103", "END_VAR"),
    ("PROGRAM p x := 1; «END_FUNCTION»", "E0103", "'END_PROGRAM'"),
    ("PROGRAM p x := 1; «PROGRAM» q END_PROGRAM", "E0103", "END_PROGRAM"),
    ("PROGRAM p x := 1; «»", "E0103", "END_PROGRAM"),
    ("PROGRAM p IF a THEN WHILE b DO x(); «»", "E0103", "END_WHILE"),
    ("PROGRAM«»\nx := 1; END_PROGRAM", "E0115", "name"),
    ("FUNCTION f«» INT f := 1; END_FUNCTION", "E0102", "':'"),
    ("PROGRAM p «:» INT x(); END_PROGRAM", "E0100", "FUNCTION"),
    ("FUNCTION p «VAR_GLOBAL» x : INT; END_VAR END_FUNCTION", "E0119", "before the FUNCTION"),
    ("«END_PROGRAM» PROGRAM q END_PROGRAM", "E0114", "PROGRAM"),
    ("«METHOD» m : INT m := 1; END_METHOD", "E0302", "FUNCTION_BLOCK"),
    ("FUNCTION f : INT «METHOD» m : INT m := 1; END_METHOD END_FUNCTION", "E0302", ""),
    ("FUNCTION_BLOCK f EXTENDS «;» END_FUNCTION_BLOCK", "E0115", ""),
    ("FUNCTION_BLOCK f METHOD m x := 1; «END_FUNCTION_BLOCK»", "E0103", "END_METHOD"),
    ("FUNCTION_BLOCK f METHOD m «METHOD» n END_METHOD END_FUNCTION_BLOCK", "E0103", "END_METHOD"),
    ("CLASS c METHOD m x := 1; «VAR» y : INT; END_VAR END_METHOD END_CLASS", "E0119", "before"),
    ("CLASS c METHOD m END_METHOD «END_FUNCTION_BLOCK»", "E0103", "'END_CLASS'"),
    ("INTERFACE i METHOD m «x := 1»; END_METHOD END_INTERFACE", "E0300", "IMPLEMENTS"),
    ("INTERFACE i «VAR» x : INT; END_VAR END_INTERFACE", "E0100", "no variables"),
    ("INTERFACE i METHOD m END_METHOD «»", "E0103", "END_INTERFACE"),
    ("«INTERFACE»\nMETHOD m END_METHOD END_INTERFACE", "E0115", "name"),
    (
        "INTERFACE i «m»\nVAR_INPUT x : INT; END_VAR END_METHOD END_INTERFACE",
        "E0100",
        "no variables",
    ),
    ("INTERFACE i PROPERTY p :«»\nGET END_GET END_PROPERTY END_INTERFACE", "E0116", "INT"),
    ("INTERFACE i PROPERTY p : INT «END_GET» END_PROPERTY END_INTERFACE", "E0114", "GET"),
    ("CLASS c METHOD PUBLIC ABSTRACT«» : INT END_METHOD END_CLASS", "E0115", "name"),
    ("TYPE a : INT; «INTERFACE» i END_INTERFACE", "E0103", "END_TYPE"),
    ("CLASS c PROPERTY p«» GET END_GET END_PROPERTY END_CLASS", "E0102", "':'"),
    ("CLASS c PROPERTY p : INT «VAR» x : INT; END_VAR END_PROPERTY END_CLASS", "E0119", "GET"),
    ("CLASS c PROPERTY p : INT «x» := 1; END_PROPERTY END_CLASS", "E0100", "GET"),
    ("CLASS c PROPERTY p : INT GET p := 1; «END_PROPERTY» END_CLASS", "E0103", "END_GET"),
    (
        "CLASS c PROPERTY p : INT GET p := 1; «SET» x := p; END_SET END_PROPERTY END_CLASS",
        "E0103",
        "",
    ),
    ("TYPE A EXTENDS «B» : INT; END_TYPE", "E0301", "STRUCT"),
    ("PROGRAM p x(); «TEST» 'a' IF x THEN y(); END_IF END_TEST END_PROGRAM", "E0390", "below"),
    ("PROGRAM p x(); «SETUP» x(); END_SETUP END_PROGRAM", "E0390", "below"),
    ("TEST 'a' x(); «METHOD» m END_METHOD END_TEST", "E0390", "outside"),
    ("TEST «a» x(); END_TEST TEST 'b' END_TEST", "E0395", "TEST 'a'"),
    ("TEST«»\nx(); END_TEST", "E0395", "what must hold"),
    ("TEST «''» x(); END_TEST", "E0395", "what must hold"),
    ("TEST 'a' IF x«» END_TEST TEST 'b' END_TEST", "E0102", "THEN"),
    ("TEST 'a' x(); «TEST» 'b' y(); END_TEST", "E0103", "END_TEST"),
    ("TEST 'a' x(); «VAR» y : INT; END_VAR END_TEST", "E0119", "before the first statement"),
    ("TEST 'a' MOCK_FUNCTION f «:=» 1; x(); END_TEST", "E0102", "RETURNS"),
    ("TEST 'a' MOCK f«»\nx(); END_TEST", "E0101", "';'"),
    ("NAMESPACE a NAMESPACE b PROGRAM «p» END_PROGRAM END_NAMESPACE END_NAMESPACE", "E0353", ""),
    ("NAMESPACE a CONFIGURATION «c» END_CONFIGURATION END_NAMESPACE", "E0353", "move it out"),
    ("NAMESPACE a FUNCTION_BLOCK f END_FUNCTION_BLOCK «»", "E0103", "END_NAMESPACE"),
    ("NAMESPACE a FUNCTION_BLOCK f x := 1; «END_NAMESPACE»", "E0103", "END_FUNCTION_BLOCK"),
    ("NAMESPACE «:=» FUNCTION_BLOCK f END_FUNCTION_BLOCK END_NAMESPACE", "E0115", ""),
    ("USING a.b«» PROGRAM p END_PROGRAM", "E0101", "';'"),
    ("VAR_GLOBAL x : INT«» END_VAR", "E0101", "';'"),
    ("VAR_GLOBAL x : INT«»\ny : INT; END_VAR", "E0101", "';'"),
    ("VAR_GLOBAL x«» INT; END_VAR", "E0102", "':'"),
    ("VAR_GLOBAL INT «x»; END_VAR", "E0102", "x : INT;"),
    ("VAR_GLOBAL x «:=» 5; y : INT; END_VAR", "E0102", "x : INT"),
    ("VAR_GLOBAL x : ARRAY[1..2] «INT»; END_VAR", "E0102", "OF"),
    ("VAR_GLOBAL x : ARRAY[1«]» OF INT; END_VAR", "E0102", "lowest..highest"),
    ("VAR_GLOBAL x : ARRAY[1..2«» OF INT; END_VAR", "E0113", "']'"),
    ("VAR_GLOBAL x : «;» END_VAR", "E0116", ""),
    ("VAR_GLOBAL x : «5»; END_VAR", "E0116", ""),
    ("VAR_GLOBAL x : INT «=» 5; END_VAR", "E0105", "':='"),
    ("VAR_GLOBAL «IF» : INT; y : INT; END_VAR", "E0115", "another name"),
    ("VAR_GLOBAL x, «:» INT; END_VAR", "E0115", ""),
    ("VAR_GLOBAL «5» : INT; END_VAR", "E0115", ""),
    ("VAR_GLOBAL x AT «IX0» : INT; END_VAR", "E0013", "%IX0.3"),
    ("VAR_GLOBAL x AT «%IX» : INT; END_VAR", "E0013", "%IX0.3"),
    ("TYPE A : INT«»\nB : INT; END_TYPE", "E0101", "';'"),
    ("TYPE A : STRUCT x : INT; END_STRUCT; «END_STRUCT»; B : INT; END_TYPE", "E0114", "STRUCT"),
    ("TYPE A : x «:» INT; END_STRUCT; B : INT; END_TYPE", "E0100", ""),
    ("TYPE A«» STRUCT x : INT; END_STRUCT; END_TYPE", "E0102", "':'"),
    ("TYPE A : STRUCT x : INT; «END_TYPE»", "E0103", "END_STRUCT"),
    ("TYPE A : (Red, Green«»; END_TYPE", "E0113", "')'"),
    ("TYPE A : (Red «Green»); END_TYPE", "E0113", ""),
    ("TYPE A : (Red, «,» Green); END_TYPE", "E0115", ""),
    ("TYPE A : (Red)«»\nB : INT; END_TYPE", "E0101", ""),
    ("TYPE A : INT; «PROGRAM» p END_PROGRAM", "E0103", "END_TYPE"),
    ("CONFIGURATION c «x» := 1; END_CONFIGURATION", "E0100", "tasks"),
    ("CONFIGURATION«» RESOURCE r ON x END_RESOURCE END_CONFIGURATION", "E0115", "name"),
    ("CONFIGURATION c PROGRAM «WITH» t : P; END_CONFIGURATION", "E0115", ""),
    ("CONFIGURATION c «r» ON x TASK t(); END_RESOURCE END_CONFIGURATION", "E0100", ""),
    ("CONFIGURATION c TASK t«»; END_CONFIGURATION", "E0102", "'('"),
    ("CONFIGURATION c TASK t(INTERVAL := T#1s)«»\nPROGRAM p : P; END_CONFIGURATION", "E0101", ""),
    (
        "CONFIGURATION c RESOURCE r ON x PROGRAM p : P; «END_CONFIGURATION»",
        "E0103",
        "END_RESOURCE",
    ),
    ("CONFIGURATION c PROGRAM p WITH «:» P; END_CONFIGURATION", "E0115", ""),
    ("CONFIGURATION c «PROGRAM» p END_PROGRAM", "E0103", "END_CONFIGURATION"),
    ("CONFIGURATION c VAR_ACCESS a : b.c«»; END_VAR END_CONFIGURATION", "E0102", "':'"),
    (
        "CONFIGURATION c VAR_ACCESS a : b.c : INT«»\nd : e : INT; END_VAR END_CONFIGURATION",
        "E0101",
        "",
    ),
    ("CONFIGURATION c VAR_ACCESS a : b : INT; «END_CONFIGURATION»", "E0103", "END_VAR"),
    ("PROGRAM p x(a «WITH» b); END_PROGRAM", "E0357", "CONFIGURATION"),
    ("CONFIGURATION c «VAR» a : INT; END_VAR END_CONFIGURATION", "E0119", "VAR_GLOBAL"),
    ("PROGRAM p x := 1; «(*» END_PROGRAM", "E0002", "*)"),
    ("PROGRAM p IF a THEN x := 1; «(*» END_IF END_PROGRAM", "E0002", "*)"),
]


def check_mistake(marked: str, code: str, advice: str, tail: str = "") -> tree.Unit:
    start = marked.index("«")
    end = marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    unit, diagnostics = parsed(text + tail)
    told = [(d.code, d.span.text, d.span.start) for d in diagnostics]
    assert told == [(code, text[start:end], start)], diagnostics
    assert advice in diagnostics[0].help
    return unit


@pytest.mark.parametrize(("body", "code", "advice"), BODY_MISTAKES)
def test_one_mistake_in_a_body_is_one_diagnostic(body: str, code: str, advice: str) -> None:
    marked = f"PROGRAM p\n{body}\n"
    if "END_PROGRAM" not in body:
        marked += "END_PROGRAM\n"
    unit = check_mistake(marked, code, advice, "PROGRAM q x := 1; END_PROGRAM")
    names = [d.name.name for d in unit.declarations if isinstance(d, tree.Pou)]
    assert names == ["p", "q"]


@pytest.mark.parametrize(("source", "code", "advice"), SOURCE_MISTAKES)
def test_one_mistake_in_a_source_is_one_diagnostic(source: str, code: str, advice: str) -> None:
    check_mistake(source, code, advice)


@pytest.mark.parametrize(
    ("text", "label", "at"),
    [
        ("PROGRAM p IF a THEN x(); END_WHILE END_PROGRAM", "IF begins here", 10),
        ("PROGRAM p WHILE a DO x(); END_PROGRAM", "WHILE begins here", 10),
        ("PROGRAM p x(); END_FUNCTION", "PROGRAM begins here", 0),
        ("PROGRAM p VAR x : INT; END_PROGRAM", "VAR begins here", 10),
        ("TYPE A : STRUCT x : INT; END_TYPE", "STRUCT begins here", 9),
        ("PROGRAM p x := (1; END_PROGRAM", "opened here", 15),
    ],
)
def test_what_is_not_closed_cites_where_it_begins(text: str, label: str, at: int) -> None:
    _, diagnostics = parsed(text)
    assert [(o.text, o.span.start) for o in diagnostics[0].others] == [(label, at)]


def test_several_mistakes_are_several_diagnostics() -> None:
    _, diagnostics = parsed(
        "PROGRAM p\nVAR x INT; END_VAR\nx = 1;\ny := ;\nIF a\nx(); END_FI\nz := 1\nEND_PROGRAM\n"
    )
    codes = [d.code for d in diagnostics]
    assert codes == ["E0102", "E0105", "E0104", "E0102", "E0109", "E0101"]


def test_what_was_broken_keeps_its_names() -> None:
    unit, _ = parsed("PROGRAM p VAR a INT; b : ; c : INT; END_VAR x := ; y := 1; END_PROGRAM")
    assert shows(unit.declarations) == (
        "(Pou PROGRAM p ((VarBlock VAR ((VarDecl (a) INT) (VarDecl (b) )"
        " (VarDecl (c) INT)))) ((:= x ?) (:= y 1)))"
    )


def test_declarations_survive_the_loss_of_their_first_keyword() -> None:
    unit, diagnostics = parsed(
        "A : INT; B : (x, y); END_TYPE c, d : INT; END_VAR"
        " PROGRAM p RETAIN e : INT; f : BOOL; END_VAR e := 1; END_PROGRAM"
    )
    assert [d.code for d in diagnostics] == ["E0117", "E0117", "E0119"]
    assert shows(unit.declarations) == (
        "(TypeDecl A INT) (TypeDecl B (EnumSpec ((EnumValue x) (EnumValue y))))"
        " (GlobalVars (VarBlock VAR_GLOBAL ((VarDecl (c d) INT))))"
        " (Pou PROGRAM p ((VarBlock VAR <RETAIN> ((VarDecl (e) INT) (VarDecl (f) BOOL))))"
        " ((:= e 1)))"
    )


# --- limits ----------------------------------------------------------------------------------

DEEP = 10_000
TOO_DEEP = {
    "parentheses": "x := " + "(" * DEEP + "1" + ")" * DEEP + ";",
    "open parentheses": "x := " + "(" * DEEP,
    "calls": "x := " + "f(" * DEEP + "1" + ")" * DEEP + ";",
    "call statements": "f(" * DEEP + "1" + ")" * DEEP + ";",
    "indices": "x := " + "a[" * DEEP + "1" + "]" * DEEP + ";",
    "operators": "x := " + "1 + " * DEEP + "1;",
    "right operands": "x := " + "1 + (" * DEEP + "1" + ")" * DEEP + ";",
    "rising operators": "x := " + "a OR b AND c = d + e * (" * DEEP,
    "signs": "x := " + "-" * DEEP + "1;",
    "nots": "x := " + "NOT " * DEEP + "a;",
    "members": "x := a" + ".b" * DEEP + ";",
    "dereferences": "x := a" + "^" * DEEP + ";",
    "IF": "IF a THEN " * DEEP + "x();" + " END_IF" * DEEP,
    "IF without END": "IF a THEN " * DEEP,
    "FOR": "FOR i := 1 TO 2 DO " * DEEP + "x();" + " END_FOR" * DEEP,
    "CASE": "CASE a OF 1: " * DEEP + "x();" + " END_CASE" * DEEP,
    "REPEAT": "REPEAT " * DEEP + "x(); " + "UNTIL a END_REPEAT " * DEEP,
    "WHILE": "WHILE a DO " * DEEP + "x();" + " END_WHILE" * DEEP,
}
TOO_DEEP_VARIABLES = {
    "arrays": "x : " + "ARRAY[1..2] OF " * DEEP + "INT;",
    "references": "x : " + "REF_TO " * DEEP + "INT;",
    "pointers": "x : " + "POINTER TO " * DEEP + "INT;",
    "structures": "x : " + "STRUCT a : " * DEEP + "INT;" + " END_STRUCT;" * DEEP,
    "array values": "x : INT := " + "[" * DEEP + "1" + "]" * DEEP + ";",
    "structure values": "x : INT := " + "(a := " * DEEP + "1" + ")" * DEEP + ";",
    "repetitions": "x : INT := " + "3(" * DEEP + "1" + ")" * DEEP + ";",
}


@pytest.mark.parametrize("name", TOO_DEEP)
def test_deep_nesting_is_a_diagnostic(name: str) -> None:
    check_deep(f"PROGRAM p\n{TOO_DEEP[name]}\nEND_PROGRAM\n")


@pytest.mark.parametrize("name", TOO_DEEP_VARIABLES)
def test_deep_nesting_in_declarations_is_a_diagnostic(name: str) -> None:
    check_deep(f"PROGRAM p VAR {TOO_DEEP_VARIABLES[name]} END_VAR\nx();\nEND_PROGRAM\n")


def check_deep(text: str) -> None:
    unit, diagnostics = parsed(text + "PROGRAM q END_PROGRAM")
    assert [d.code for d in diagnostics] == ["E0108"]
    assert len(unit.declarations) == 2


def test_deep_comments_are_fine() -> None:
    text = "PROGRAM p " + "(* " * DEEP + "*)" * DEEP + " x := 1; END_PROGRAM"
    assert declared(text) == "(Pou PROGRAM p ((:= x 1)))"


@pytest.mark.parametrize(
    "text",
    [
        "x := " + "(" * MAX_NESTING + "1" + ")" * MAX_NESTING + ";",
        "x := " + "f(" * MAX_NESTING + "1" + ")" * MAX_NESTING + ";",
        "x := " + "a[" * MAX_NESTING + "1" + "]" * MAX_NESTING + ";",
        "x := " + "1 + " * MAX_HEIGHT + "1;",
        "x := a" + ".b" * MAX_HEIGHT + ";",
        "IF a THEN " * MAX_NESTING + "x := 1; " + "END_IF " * MAX_NESTING,
        "CASE a OF 1: " * (MAX_NESTING // 2)
        + "x := "
        + "f(" * (MAX_NESTING // 2)
        + "1"
        + ")" * (MAX_NESTING // 2)
        + "; "
        + "END_CASE " * (MAX_NESTING // 2),
    ],
)
def test_what_the_limits_allow_parses_in_a_default_interpreter(text: str) -> None:
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(1000)
        _, diagnostics = parsed(f"PROGRAM p {text} END_PROGRAM")
    finally:
        sys.setrecursionlimit(limit)
    assert not diagnostics


PIECES_TO_REPEAT = """IF |IF a |a |a b |( |x := |VAR a |VAR a := 1; |a := 1; |CASE a OF |TYPE a : |
STRUCT |END_IF |ELSE |ENDIF |END IF |WHLE |a + |1: |FOR |PROGRAM |CONFIGURATION c |METHOD m |
NAMESPACE n |RETRUN; |x++; |IF (a) { b } |[|a.|IF a\nb |f(a, |x : INT := |EXIT a |STEP s |
TEST 'a' |a THEN |a = 1 DO |a, |a : INT; |i := 1 TO """.replace("|\n", "|").split("|")


@pytest.mark.parametrize("piece", PIECES_TO_REPEAT)
@pytest.mark.parametrize("head", ["", "PROGRAM p ", "PROGRAM p VAR "])
def test_time_grows_linearly(head: str, piece: str) -> None:
    """Twice the text costs twice the calls, not four times."""
    times = 3_000 // len(piece)
    once = calls(lambda: parsed(head + piece * times))
    assert calls(lambda: parsed(head + piece * (2 * times))) < 2.5 * once + 500


# --- any text --------------------------------------------------------------------------------

STATEMENTS = """\
IF level > 80.0 AND NOT pump1.running THEN
    pump1(start := TRUE, speed := LIMIT(0.0, (level - 20.0) * 1.5, 100.0), done => q);
    counter := counter + 1; (* count it *)
ELSIF values[i].x.3 = 16#FF OR_ELSE w.%B1 THEN
    timer(IN := x, PT := T#1m30s, Q => done, NOT ET => e); // start
ELSE
    total := (total + values[i + 1, 2].y) ** 2 / 10 - offset MOD 7;
END_IF;
CASE state OF
    1, 3..5: x := NOT y;
    Idle, Colour#Red: %QX0.3 := %IX0.3;
    ELSE RETURN;
END_CASE
{pragma 'text'}
FOR i := 0 TO 10 BY -2 DO sum := sum + a[i]; CONTINUE; END_FOR
WHILE p^.next <> NULL DO p := p^.next; EXIT; END_WHILE
REPEAT name := 'it$'s'; wide := "$20AC"; UNTIL d >= D#2024-02-29 END_REPEAT;
flag S= x; flag R= y; ref REF= z;
"""

SOURCE = f"""\
TYPE
    Colour : (Red, Green := 5, Blue) := Red;
    Level : INT(0..100) := 50;
    Tank : STRUCT level : Level; names : ARRAY[1..3] OF STRING[20] := ['a', 2('b')]; END_STRUCT;
    Link : REF_TO Tank;
END_TYPE
VAR_GLOBAL CONSTANT N : INT := 3; END_VAR
FUNCTION scale : REAL
VAR_INPUT raw : INT; lo, hi : REAL := 0.0; END_VAR
    scale := lo + INT_TO_REAL(raw) * (hi - lo) / 27648.0;
END_FUNCTION
{{attribute 'reflection'}}
FUNCTION_BLOCK Pump
VAR_INPUT start : BOOL R_EDGE; END_VAR
VAR_OUTPUT RETAIN running : BOOL; END_VAR
VAR timer : TON := (PT := T#5s); END_VAR
    timer(IN := start);
END_FUNCTION_BLOCK
PROGRAM Main
VAR_EXTERNAL CONSTANT N : INT; END_VAR
VAR
    i, j : INT;
    lamp AT %QX0.0 : BOOL;
    grid : ARRAY[0..3, 1..2] OF INT := 1, 2, 3(0);
END_VAR
{STATEMENTS}END_PROGRAM
CONFIGURATION c
    RESOURCE r ON pico
        TASK fast(INTERVAL := T#10ms, PRIORITY := 1);
        PROGRAM m WITH fast : Main(level := %IW0, pump => %QX0.1);
    END_RESOURCE
END_CONFIGURATION
"""


def check_sane(text: str) -> None:
    unit, diagnostics = parsed(text)
    for d in diagnostics:
        assert d.code in CODES
        assert 0 <= d.span.start <= d.span.end <= len(text)
        assert d.message
        assert all(0 <= o.span.start <= o.span.end <= len(text) for o in d.others)
    assert 0 <= unit.span.start <= unit.span.end <= len(text)


def test_the_source_to_mutilate_is_whole() -> None:
    _, diagnostics = parsed(SOURCE)
    assert not diagnostics


@given(st.text())
@settings(derandomize=True, max_examples=300, deadline=None)
def test_any_text_parses(text: str) -> None:
    check_sane(text)


WORDS = sorted({t.text for t in lex(Source("", SOURCE), Reporter())} | {"METHOD", "STEP", "TEST"})


@given(st.lists(st.sampled_from([*WORDS, "(*", "'", "{", "\n", "END", "==", "++"]), max_size=60))
@settings(derandomize=True, max_examples=500, deadline=None)
def test_any_words_parse(words: list[str]) -> None:
    check_sane(" ".join(words))


@given(st.binary())
@settings(derandomize=True, deadline=None)
def test_any_bytes_parse(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "any.st"
    path.write_bytes(data)
    reporter = Reporter()
    source = read_source(path)
    parse(source, reporter)
    for d in reporter.diagnostics:
        assert 0 <= d.span.start <= d.span.end <= len(source.text)


@pytest.mark.parametrize("seed", range(10))
def test_ten_kilobytes_of_noise_parse(seed: int) -> None:
    noise = random.Random(seed)
    check_sane("".join(chr(noise.randrange(32, 127)) for _ in range(10_000)))
    check_sane("".join(noise.choice([*WORDS, " ", "\n"]) for _ in range(3_000)))


def pieces(source: str) -> list[str]:
    """The tokens of a source, each with the space before it."""
    tokens = lex(Source("", source), Reporter())
    ends = [0, *(t.end for t in tokens)]
    return [source[a:b] for a, b in pairwise(ends)]


PIECES = pieces(SOURCE)


@given(st.data())
@settings(derandomize=True, max_examples=150, deadline=None)
def test_any_mutilated_program_parses(data: st.DataObject) -> None:
    tokens = list(PIECES)
    for _ in range(data.draw(st.integers(1, 4))):
        if len(tokens) < 3:
            break
        at = data.draw(st.integers(0, len(tokens) - 2))
        match data.draw(st.sampled_from(["delete", "double", "swap", "cut"])):
            case "delete":
                del tokens[at]
            case "double":
                tokens.insert(at, tokens[at])
            case "swap":
                tokens[at], tokens[at + 1] = tokens[at + 1], tokens[at]
            case _:
                del tokens[at + 1 :]
                tokens.append("")
    check_sane("".join(tokens))


def test_every_single_token_can_be_missing() -> None:
    """A deletion may leave a valid program; where it does not, one message tells of it."""
    for at in range(len(PIECES) - 1):
        text = "".join(PIECES[:at] + PIECES[at + 1 :])
        _, diagnostics = parsed(text)
        for d in diagnostics:
            assert 0 <= d.span.start <= d.span.end <= len(text)
        assert len(diagnostics) <= 1, (text, diagnostics)


# --- pages -----------------------------------------------------------------------------------

OWN = sorted(code for code in CODES if code[:3] in ("E00", "E01") and code[1:] < "0150")


def example(page: str, heading: str) -> str:
    found = re.search(rf"^## {heading}\n\n```st\n(.*?)^```$", page, re.S | re.M)
    assert found is not None, heading
    return found[1]


@pytest.mark.parametrize("code", OWN)
def test_pages_show_what_they_say(code: str) -> None:
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {code}: {CODES[code]}\n")
    assert [d.code for d in parsed(example(page, "Fails"))[1]] == [code]
    assert parsed(example(page, "Passes"))[1] == []
