"""Methods, properties, interfaces and inheritance, as CODESYS adds them to PLCopen XML."""

from __future__ import annotations

from plcopen_support import Diagram, document, imported, pou, scans, st, start, text, variables

NAMES = "http://www.3s-software.com/plcopenxml/"


def data(name: str, content: str) -> str:
    return f'<addData><data name="{NAMES}{name}">{content}</data></addData>'


def plain(declaration: str) -> str:
    return f"<InterfaceAsPlainText>{text(declaration)}</InterfaceAsPlainText>"


def method(name: str, body: str, inputs: str = "", result: str = "", head: str = "") -> str:
    returned = f"<returnType><{result}/></returnType>" if result else ""
    given = f"<inputVars>{variables(inputs)}</inputVars>" if inputs else ""
    return data(
        "method",
        f'<Method name="{name}"><interface>{returned}{given}</interface>'
        f"<body>{body}</body>{plain(head) if head else ''}</Method>",
    )


def with_members(block: str, *members: str, inherits: str = "") -> str:
    block = block.replace("</pou>", "".join(members) + "</pou>")
    return block.replace("</interface>", f"{inherits}</interface>", 1)


def inheritance(extends: str = "", *implements: str) -> str:
    content = f"<Extends>{extends}</Extends>" if extends else ""
    content += "".join(f"<Implements>{i}</Implements>" for i in implements)
    return data("pouinheritance", f"<Inheritance>{content}</Inheritance>")


PROPERTY = data(
    "property",
    '<Property name="Level"><interface><returnType><INT/></returnType></interface>'
    f"<GetAccessor><interface/><body>{st('Level := n;')}</body></GetAccessor>"
    f"<SetAccessor><interface/><body>{st('n := Level;')}</body></SetAccessor></Property>",
)
COUNTER = with_members(
    pou("Counter", st("n := n + 1;"), "n : INT", kind="functionBlock"),
    method("Add", st("n := n + by_much;\nAdd := n;"), "by_much : INT", "INT"),
    method("Hidden", st("n := 0;"), head="METHOD PRIVATE FINAL Hidden"),
    PROPERTY,
)


def test_methods_and_properties_of_a_block() -> None:
    body = "c();\na := c.Add(by_much := 5);\nc.Level := c.Level * 2;\nb := c.Level;"
    main = pou("main", st(body), "c : Counter; a, b : INT")
    xml = document(COUNTER + main)
    lines = imported(xml).files["Counter.st"].splitlines()
    assert "    METHOD Add : INT" in lines
    assert "    METHOD PRIVATE FINAL Hidden" in lines
    assert "    PROPERTY Level : INT" in lines
    assert not [r for r in imported(xml).report.remarks if r.severity == "note"]
    assert scans(start(xml), [{}, {}], "a", "b") == [[6, 12], [18, 36]]


def test_inheritance_and_interfaces() -> None:
    interface = data(
        "interface",
        '<Interface name="ICounter"><Methods><Method name="Add"><interface>'
        f"<returnType><INT/></returnType><inputVars>{variables('by_much : INT')}</inputVars>"
        f"</interface></Method></Methods>{plain('INTERFACE ICounter')}</Interface>",
    )
    base = with_members(COUNTER, inherits=inheritance("", "ICounter"))
    derived = with_members(
        pou("Twice", st("SUPER^();"), "m : INT", kind="functionBlock"),
        method("Add", st("Add := SUPER^.Add(by_much * 2);"), "by_much : INT", "INT"),
        inherits=inheritance("Counter"),
    )
    main = pou("main", st("i := c;\na := i.Add(5);"), "c : Twice; i : ICounter; a : INT")
    xml = document(base + derived + main).replace(b"</project>", f"{interface}</project>".encode())
    files = imported(xml).files
    assert "FUNCTION_BLOCK Counter IMPLEMENTS ICounter" in files["Counter.st"]
    assert "FUNCTION_BLOCK Twice EXTENDS Counter" in files["Twice.st"]
    assert files["ICounter.st"].splitlines()[2:4] == ["INTERFACE ICounter", "    METHOD Add : INT"]
    assert scans(start(xml), [{}], "a") == [[10]]


def test_a_method_in_function_block_diagram() -> None:
    d = Diagram()
    total = d.block("ADD", [("IN1", d.value("n")), ("IN2", d.value("by_much"))])
    d.out("n", total)
    block = with_members(
        pou("Counter", st(""), "n : INT", kind="functionBlock"),
        method("Up", d.xml(), "by_much : INT"),
    )
    main = pou("main", st("c.Up(by_much := 3);"), "c : Counter")
    assert scans(start(document(block + main)), [{}, {}], "c.n") == [[3], [6]]
