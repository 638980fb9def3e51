"""Declarations, configuration, notes and errors of PLCopen XML imports."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from plcopen_support import (
    XMLNS,
    Diagram,
    document,
    errors,
    il,
    imported,
    pou,
    scans,
    st,
    start,
    text,
    variable,
)

from host_tools.plcopen.importer import import_project
from host_tools.plcopen.reader import iso_time

TYPES = f"""
<dataType name="Colour"><baseType><enum><values><value name="red"/><value name="green" value="5"/>
</values></enum></baseType><initialValue><simpleValue value="green"/></initialValue>
<documentation>{text("Of the lamp")}</documentation></dataType>
<dataType name="Level"><baseType><subrangeSigned><range lower="-5" upper="100"/>
<baseType><INT/></baseType></subrangeSigned></baseType></dataType>
<dataType name="Row"><baseType><array><dimension lower="0" upper="2"/><dimension lower="1"
 upper="2"/><baseType><INT/></baseType></array></baseType></dataType>
<dataType name="Label"><baseType><string length="12"/></baseType></dataType>
<dataType name="Tank"><baseType><struct>
{variable("level", "Level", "7", doc="in percent")}
<variable name="limits"><type><array><dimension lower="1" upper="4"/><baseType><REAL/></baseType>
</array></type><initialValue><arrayValue><value repetitionValue="3">
<simpleValue value="1.5"/></value><value><simpleValue value="2.5"/></value></arrayValue>
</initialValue></variable>
{variable("name", "Label", "'north'")}
</struct></baseType></dataType>
"""

INSTANCES = f"""
<configuration name="plant"><resource name="cpu">
<task name="fast" interval="PT0.02S" priority="1"><pouInstance name="main" typeName="main"/></task>
<task name="event" single="trigger" priority="3">
<pouInstance name="other" typeName="Second"/></task>
<globalVars>{variable("trigger", "BOOL")}</globalVars>
<documentation>{text("The only one")}</documentation>
</resource>
<globalVars constant="true">{variable("limit", "INT", "40")}</globalVars>
<globalVars retain="true">{variable("hours", "UDINT", doc="of operation")}</globalVars>
<globalVars>{variable("lamp", "BOOL", "", "%QX0.0", "green lamp")}</globalVars>
</configuration>
"""


def test_types_globals_and_tasks() -> None:
    data = document(
        pou("main", st("tank.level := limit; hours := hours + 1; lamp := TRUE;"), "tank : Tank")
        + pou("Second", st("n := n + 1;"), "n : INT"),
        TYPES,
        INSTANCES,
    )
    files = imported(data).files
    assert list(files) == ["types.st", "main.st", "Second.st", "configuration.st"]
    assert files["types.st"].splitlines()[2:] == [
        "TYPE",
        "    // Of the lamp",
        "    Colour : (red, green := 5) := green;",
        "",
        "    Level : INT(-5..100);",
        "",
        "    Row : ARRAY[0..2, 1..2] OF INT;",
        "",
        "    Label : STRING[12];",
        "",
        "    Tank : STRUCT",
        "        level : Level := 7;  // in percent",
        "        limits : ARRAY[1..4] OF REAL := [3(1.5), 2.5];",
        "        name : Label := 'north';",
        "    END_STRUCT;",
        "END_TYPE",
    ]
    assert files["configuration.st"].splitlines()[2:] == [
        "CONFIGURATION plant",
        "    VAR_GLOBAL CONSTANT",
        "        limit : INT := 40;",
        "    END_VAR",
        "    VAR_GLOBAL RETAIN",
        "        hours : UDINT;  // of operation",
        "    END_VAR",
        "    VAR_GLOBAL",
        "        lamp AT %QX0.0 : BOOL;  // green lamp",
        "    END_VAR",
        "    // The only one",
        "    RESOURCE cpu ON PLC",
        "        VAR_GLOBAL",
        "            trigger : BOOL;",
        "        END_VAR",
        "        TASK fast(INTERVAL := T#20ms, PRIORITY := 1);",
        "        TASK event(SINGLE := trigger, PRIORITY := 3);",
        "        PROGRAM main WITH fast : main;",
        "        PROGRAM other WITH event : Second;",
        "    END_RESOURCE",
        "END_CONFIGURATION",
    ]
    sim = start(data)
    assert sim["main.tank"]["name"] == "north"
    assert scans(sim, [{}], "tank.level", "tank.limits") == [[40, [1.5, 1.5, 1.5, 2.5]]]
    sim.run(for_ns=190_000_000)  # with the first scan: releases at 0, 20, … 180 ms
    assert sim["hours"] == 10


def test_structured_text_stays_as_it_was() -> None:
    body = (
        "\n      (* count *)\n      IF a < 3 AND b > 2 THEN\n        a := a + 1; // up\n"
        "      END_IF;\n   "
    )
    files = imported(document(pou("main", f"<ST>{text(body)}</ST>", "a, b : INT"))).files
    assert files["main.st"].splitlines()[-5:] == [
        "    (* count *)",
        "    IF a < 3 AND b > 2 THEN",
        "      a := a + 1; // up",
        "    END_IF;",
        "END_PROGRAM",
    ]


def test_paragraphs_and_cdata() -> None:
    body = '<ST><p xmlns="http://www.w3.org/1999/xhtml"><![CDATA[a := 1;\nb := a < 2;]]></p></ST>'
    files = imported(document(pou("main", body, "a : INT; b : BOOL"))).files
    assert "    a := 1;\n    b := a < 2;\n" in files["main.st"]


def test_all_kinds_of_variables() -> None:
    block = pou(
        "Adder",
        st("total := total + x; y := total; io := io + 1;"),
        local="total : INT",
        inputs="x : INT := 2",
        outputs="y : INT",
        in_outs="io : INT",
        kind="functionBlock",
    )
    main = pou(
        "main",
        st("f(x := 3, io := n, y => m); g := m;"),
        "f : Adder; n, m : INT",
        external="g : INT",
    )
    instances = (
        '<configuration name="c"><resource name="r"><task name="t" interval="T#10ms" priority="0">'
        '<pouInstance name="main" typeName="main"/></task></resource>'
        f"<globalVars>{variable('g', 'INT')}</globalVars></configuration>"
    )
    sim = start(document(block + main, "", instances))
    assert scans(sim, [{}, {}], "n", "m") == [[1, 3], [2, 6]]
    assert sim["g"] == 6


@pytest.mark.parametrize("name", ["", "_0101", "_0200", "_0201"])
def test_namespaces(name: str) -> None:
    xmlns = f"http://www.plcopen.org/xml/tc6{name}"
    assert imported(document(pou("main", st("a := 1;"), "a : INT"), xmlns=xmlns)).files


def test_vendor_data_is_noted_once_and_its_variables_are_read() -> None:
    extra = (
        '<addData><data name="urn:vendor:globals" handleUnknown="implementation">'
        f'<globalVars name="GVL">{variable("g", "INT", "4")}</globalVars></data>'
        '<data name="urn:vendor:colours" handleUnknown="discard"><c xmlns=""/></data></addData>'
    )
    other = '<addData><data name="urn:vendor:colours" handleUnknown="discard"/></addData>'
    body = st("a := g;").replace("</ST>", "</ST>" + other)
    data = document(pou("main", body, "a : INT")).replace(
        b"</project>", extra.encode() + b"</project>"
    )
    result = imported(data)
    assert [(r.severity, r.message) for r in result.report.remarks] == [
        ("note", "vendor data 'urn:vendor:colours', 2 times is not translated")
    ]
    assert "    g : INT := 4;" in result.files["globals.st"]
    assert scans(start(data), [{}], "a") == [[4]]


def test_an_application_in_vendor_data() -> None:
    """The whole application inside of addData, with durations of ISO 8601 and instances whose
    type is left out."""
    application = (
        '<addData><data name="urn:vendor:application" handleUnknown="implementation">'
        '<resource name="Application"><task name="Cyclic" interval="PT0.05S" priority="1">'
        '<pouInstance name="main" typeName=""/></task>'
        f'<globalVars name="GVL">{variable("total", "DINT", "10")}</globalVars>'
        '<addData><data name="urn:vendor:pou" handleUnknown="implementation">'
        f"{pou('main', st('total := total + 1;'))}</data></addData></resource></data></addData>"
    )
    data = document().replace(b"</project>", application.encode() + b"</project>")
    sim = start(data)
    sim.run(for_ns=200_000_000)
    assert sim["total"] == 14
    assert not imported(data).report.remarks


def test_names_of_files_do_not_collide() -> None:
    data = document(pou("types", st("a := 1;"), "a : INT"), TYPES)
    assert list(imported(data).files) == ["types.st", "types_.st"]


def test_comments_cannot_become_code() -> None:
    doc = "first\nsecond *) a := 1;\u2028x := 2;"
    data = document(
        '<pou name="main" pouType="program"><interface><localVars>'
        + variable("a", "INT", doc=doc)
        + f"</localVars></interface><body>{st('a := 5;')}</body></pou>"
    )
    assert scans(start(data), [{}], "a") == [[5]]


def test_iso_durations() -> None:
    assert iso_time([("0.02", "s")]) == "T#20ms"
    assert iso_time([("1", "h"), ("30", "m")]) == "T#1h30m"
    assert iso_time([("0.0005", "s")]) == "T#500us"


MAIN = pou("main", st("a := 1;"), "a : INT")


@pytest.mark.parametrize(
    ("data", "element", "message"),
    [
        (b"", "", "not well-formed XML: no element found"),
        (b"<a>", "", "not well-formed XML"),
        (b"<a/>", "a", "not a PLCopen XML project"),
        (b"\xff\xfe\x00", "", "not well-formed XML"),
        (b"<?xml version='1.0' encoding='nonsense'?><a/>", "", ""),
        (
            b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
            "!DOCTYPE",
            "document type declaration",
        ),
        (b"<a>" * 400 + b"</a>" * 400, "a", "nest more than"),
        (document(), "project", "holds no types, POUs or variables"),
        (document(MAIN + MAIN), "pou", "'main' is there twice"),
        (document(pou("end_if", st("a := 1;"))), "pou", "'end_if' is not a name"),
        (document(pou("a b", st("a := 1;"))), "pou", "'a b' is not a name"),
        (document(MAIN.replace("program", "nothing")), "pou", 'pouType="nothing"'),
        (document(pou("main", "<SFC/>")), "SFC", "the SFC of main has no steps"),
        (document(MAIN.replace("<INT/>", "<INTT/>")), "INTT", "'INTT' is not a type"),
        (document(MAIN.replace("<INT/>", "<ANY_INT/>")), "ANY_INT", "is not a type"),
        (document(MAIN.replace("<INT/>", "")), "type", "exactly one type"),
        (document(MAIN.replace("<body>", "<thing/><body>")), "thing", "'thing' is not known"),
        (
            document(
                MAIN.replace(
                    "</interface>",
                    "</interface><actions><action name='x y'><body/></action></actions>",
                )
            ),
            "action",
            "'x y' is not a name",
        ),
        (
            document(pou("main", st("a := 1;"), "a : INT := 1; b : INT := 2 3")),
            "simpleValue",
            "'2 3'",
        ),
        (document(MAIN.replace('name="a"', 'name="a" address="%ZX1"')), "variable", "'%ZX1'"),
        (
            document(MAIN, instances=INSTANCES.replace("PT0.02S", "often")),
            "task",
            'interval="often" is not a duration',
        ),
        (
            document(MAIN, instances=INSTANCES.replace('single="trigger"', "")),
            "task",
            "nothing releases it",
        ),
        (document(MAIN, instances=INSTANCES), "pouInstance", "no program 'Second'"),
        (
            document(
                MAIN,
                instances=INSTANCES.replace(
                    "<globalVars>", "<accessVars><x/></accessVars><globalVars>", 1
                ),
            ),
            "accessVars",
            "",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(data: bytes, element: str, message: str) -> None:
    found = errors(data)
    assert any(f.split(":")[1] == element and message in f for f in found), found


def test_places() -> None:
    data = document(MAIN.replace("<INT/>", "\n   <INTT/>"))
    (remark,) = import_project(data).report.remarks
    lines = data.decode().splitlines()
    assert lines[remark.place.line - 1][remark.place.column - 1 :].startswith("<INTT/>")


# --- nothing makes it fall over --------------------------------------------------------------


def _sample() -> str:
    d = Diagram("LD")
    rail = d.rail()
    block = d.block(
        "CTU", [("CU", d.contact("a", rail)), ("PV", d.value("3"))], ("Q", "CV"), instanceName="c"
    )
    d.coil("q", d.contact("b", f"{block}.Q", rail), storage="set")
    f = Diagram()
    f.out(
        "n", f.block("ADD", [("IN1", f.value("n")), ("IN2", f.value("1"))], executionOrderId="1")
    )
    f.simple("jump", f.value("a"), label="end")
    f.add("label", "", label="end")
    local = "a, b, q : BOOL; n : INT; c : CTU"
    code = "LD a\nAND( b\nOR q\n)\nJMPC end\nLD n\nADD 1\nST n\nend: LD a\nCALC c(CU := a)"
    return document(
        pou("main", d.xml(), local)
        + pou("Second", f.xml(), local)
        + pou("Third", il(code), local),
        TYPES,
        INSTANCES,
    ).decode()


def test_the_sample_is_right() -> None:
    assert imported(_sample().encode()).files


@settings(max_examples=150, deadline=None, derandomize=True)
@given(some.data())
def test_damaged_documents_never_raise(data: some.DataObject) -> None:
    """Pieces of a right document removed, doubled or replaced."""
    xml = _sample()
    for _ in range(data.draw(some.integers(1, 3))):
        tags = [k for k, c in enumerate(xml) if c in '<>"=']
        low = data.draw(some.sampled_from(tags))
        high = low + data.draw(some.integers(0, 60))
        piece = data.draw(
            some.sampled_from(
                ["", xml[low:high] * 2, "<x/>", '"', "0", "&lt;", "a b", "true", "ß"]
            )
        )
        xml = xml[:low] + piece + xml[high:]
    result = import_project(xml.encode())
    assert result.ok == (not result.report.has_errors)


_WORDS = some.sampled_from(
    ["project", "types", "dataTypes", "dataType", "baseType", "pous", "pou", "interface",
     "localVars", "variable", "type", "INT", "BOOL", "array", "dimension", "enum", "values",
     "value", "struct", "body", "FBD", "LD", "ST", "IL", "block", "inVariable", "outVariable",
     "contact", "coil", "leftPowerRail", "connectionPointIn", "connection", "expression",
     "instances", "configurations", "configuration", "resource", "task", "pouInstance",
     "globalVars", "addData", "data", "documentation", "derived", "initialValue",
     "simpleValue", "arrayValue", "structValue", "inputVariables", "outputVariables",
     "position", "label", "jump", "connector", "continuation"]
)  # fmt: skip


def _elements() -> some.SearchStrategy[str]:
    keys = some.sampled_from(
        [
            "name",
            "localId",
            "refLocalId",
            "typeName",
            "pouType",
            "value",
            "lower",
            "upper",
            "x",
            "y",
            "label",
            "executionOrderId",
        ]
    )
    attributes = some.dictionaries(
        keys, some.sampled_from(["1", "2", "main", "program", "", "a+", "-1"])
    )

    def element(children: some.SearchStrategy[str]) -> some.SearchStrategy[str]:
        return some.builds(
            lambda name, given, inner: (
                f"<{name}"
                + "".join(f' {k}="{v}"' for k, v in given.items())
                + f">{''.join(inner)}</{name}>"
            ),
            _WORDS,
            attributes,
            some.lists(children, max_size=4),
        )

    return some.recursive(some.sampled_from(["", "a", "a := 1;", "LD a"]), element, max_leaves=25)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_elements(), some.sampled_from(["types", "instances", "pou", "body"]))
def test_random_documents_never_raise(inner: str, where: str) -> None:
    if where == "pou":
        xml = document(f'<pou name="main" pouType="program">{inner}</pou>')
    elif where == "body":
        xml = document(pou("main", f"<LD>{inner}</LD>", "a : INT"))
    else:
        xml = f'<project xmlns="{XMLNS}"><{where}>{inner}</{where}></project>'.encode()
    result = import_project(xml)
    assert result.ok == bool(result.files)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(some.binary(max_size=60))
def test_random_bytes_never_raise(data: bytes) -> None:
    assert not import_project(data).ok
