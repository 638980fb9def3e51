"""Writes PLCopen XML for tests, imports it, and runs what comes out."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from host_tools import compile, load, simulate
from host_tools.build import Rejected
from host_tools.plcopen.importer import Imported, import_project
from host_tools.simulation import Simulation

XMLNS = "http://www.plcopen.org/xml/tc6_0201"


def text(body: str) -> str:
    return f'<xhtml xmlns="http://www.w3.org/1999/xhtml">{escape(body)}</xhtml>'


def document(pous: str = "", types: str = "", instances: str = "", xmlns: str = XMLNS) -> bytes:
    return (
        f"<?xml version='1.0' encoding='utf-8'?>\n"
        f'<project xmlns="{xmlns}">\n'
        '<fileHeader companyName="Test" productName="Writer" productVersion="1" '
        'creationDateTime="2024-01-01T00:00:00"/>\n'
        '<contentHeader name="sample"><coordinateInfo/></contentHeader>\n'
        f"<types><dataTypes>{types}</dataTypes><pous>\n{pous}\n</pous></types>\n"
        f"<instances><configurations>{instances}</configurations></instances>\n</project>\n"
    ).encode()


def variable(name: str, type_: str, initial: str = "", address: str = "", doc: str = "") -> str:
    kind = f"<{type_}/>" if type_.isupper() and "_" not in type_ else type_
    if not kind.startswith("<"):
        kind = f"<derived name={quoteattr(type_)}/>"
    if type_ in ("R_TRIG", "F_TRIG", "TON", "TOF", "TP", "CTU", "CTD", "CTUD", "SR", "RS"):
        kind = f'<derived name="{type_}"/>'
    value = ""
    if initial:
        value = f"<initialValue><simpleValue value={quoteattr(initial)}/></initialValue>"
    at = f' address="{address}"' if address else ""
    said = f"<documentation>{text(doc)}</documentation>" if doc else ""
    return f'<variable name="{name}"{at}><type>{kind}</type>{value}{said}</variable>'


def variables(declared: str) -> str:
    """`a, b : BOOL; n : INT := 3` as variable elements."""
    out = []
    for one in declared.split(";"):
        if one.strip():
            names, _, rest = one.partition(":")
            type_, _, initial = rest.partition(":=")
            out += [variable(n.strip(), type_.strip(), initial.strip()) for n in names.split(",")]
    return "".join(out)


def pou(
    name: str,
    body: str,
    local: str = "",
    inputs: str = "",
    outputs: str = "",
    kind: str = "program",
    result: str = "",
    in_outs: str = "",
    external: str = "",
) -> str:
    returned = f"<returnType><{result}/></returnType>" if result else ""
    groups = (
        ("inputVars", inputs),
        ("outputVars", outputs),
        ("inOutVars", in_outs),
        ("localVars", local),
        ("externalVars", external),
    )
    lists = "".join(f"<{g}>{variables(v)}</{g}>" for g, v in groups if v)
    return (
        f'<pou name="{name}" pouType="{kind}"><interface>{returned}{lists}</interface>\n'
        f"<body>{body}</body></pou>\n"
    )


def st(body: str) -> str:
    return f"<ST>{text(body)}</ST>"


def il(body: str) -> str:
    return f"<IL>{text(body)}</IL>"


class Diagram:
    """Elements of one FBD or LD body; every method returns the new element's localId, or for
    `block` a Block whose outputs are links."""

    def __init__(self, language: str = "FBD") -> None:
        self.language = language
        self.parts: list[str] = []
        self.ids = itertools.count(1)
        self.y = 0

    def xml(self) -> str:
        return f"<{self.language}>\n" + "\n".join(self.parts) + f"\n</{self.language}>"

    def add(self, kind: str, content: str, **attributes: object) -> str:
        id_ = str(next(self.ids))
        self.y += 10
        attrs = "".join(f" {k}={quoteattr(str(v))}" for k, v in attributes.items())
        position = f'<position x="0" y="{self.y}"/>'
        self.parts.append(f'<{kind} localId="{id_}"{attrs}>{position}{content}</{kind}>')
        return id_

    @staticmethod
    def link(*sources: str) -> str:
        """`sources` are localIds, or "ID.FORMAL"."""
        out = []
        for source in sources:
            ref, _, formal = source.partition(".")
            at = f' formalParameter="{formal}"' if formal else ""
            out.append(f'<connection refLocalId="{ref}"{at}/>')
        return f"<connectionPointIn>{''.join(out)}</connectionPointIn>"

    def value(self, expression: str, **attributes: object) -> str:
        content = f"<connectionPointOut/><expression>{escape(expression)}</expression>"
        return self.add("inVariable", content, **attributes)

    def out(self, expression: str, source: str, **attributes: object) -> str:
        content = f"{self.link(source)}<expression>{escape(expression)}</expression>"
        return self.add("outVariable", content, **attributes)

    def in_out(self, expression: str, source: str, **attributes: object) -> str:
        content = f"{self.link(source)}<expression>{escape(expression)}</expression>"
        return self.add("inOutVariable", content, **attributes)

    def block(
        self,
        type_: str,
        inputs: Iterable[tuple[str, str]],
        outputs: Iterable[str] = ("OUT",),
        in_outs: Iterable[tuple[str, str]] = (),
        modifiers: dict[str, str] | None = None,
        **attributes: object,
    ) -> str:
        """`modifiers`: formal name -> attributes of its variable element."""
        extra = modifiers or {}

        def pins(given: Iterable[tuple[str, str]]) -> str:
            return "".join(
                f'<variable formalParameter="{f}" {extra.get(f, "")}>'
                f"{self.link(s) if s else '<connectionPointIn/>'}</variable>"
                for f, s in given
            )

        made = "".join(
            f'<variable formalParameter="{f}" {extra.get(f, "")}><connectionPointOut/></variable>'
            for f in outputs
        )
        content = (
            f"<inputVariables>{pins(inputs)}</inputVariables>"
            f"<inOutVariables>{pins(in_outs)}</inOutVariables>"
            f"<outputVariables>{made}</outputVariables>"
        )
        return self.add("block", content, typeName=type_, **attributes)

    def rail(self) -> str:
        return self.add("leftPowerRail", '<connectionPointOut formalParameter=""/>')

    def contact(self, name: str, *sources: str, **attributes: object) -> str:
        content = f"{self.link(*sources)}<connectionPointOut/><variable>{escape(name)}</variable>"
        return self.add("contact", content, **attributes)

    def coil(self, name: str, *sources: str, **attributes: object) -> str:
        content = f"{self.link(*sources)}<connectionPointOut/><variable>{escape(name)}</variable>"
        return self.add("coil", content, **attributes)

    def simple(self, kind: str, source: str = "", **attributes: object) -> str:
        return self.add(kind, self.link(source) if source else "", **attributes)


def imported(data: bytes) -> Imported:
    """The import of a document that must be right."""
    result = import_project(data)
    assert result.ok, [f"{r.place}: {r.message}" for r in result.report.remarks]
    return result


def errors(data: bytes) -> list[str]:
    """The errors of a document as "line:element: message"; it must have some."""
    result = import_project(data)
    assert not result.ok
    assert not result.files
    return [
        f"{r.place.line}:{r.place.element}: {r.message}"
        for r in result.report.remarks
        if r.severity == "error"
    ]


def start(data: bytes) -> Simulation:
    """The imported program before its first scan."""
    result = imported(data)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in result.files.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
        try:
            program = compile(load(*(Path(folder) / name for name in result.files)))
        except Rejected as rejected:
            raise AssertionError(f"{rejected}\n" + "\n".join(result.files.values())) from None
        return simulate(program)


def body_of(data: bytes, file: str = "main.st") -> list[str]:
    """The statements of an imported POU, without margin."""
    lines = imported(data).files[file].splitlines()
    first = max((k for k, line in enumerate(lines) if line.strip() == "END_VAR"), default=2)
    return [line[4:] for line in lines[first + 1 : -1] if line.strip()]


def scans(sim: Simulation, inputs: Iterable[dict[str, object]], *read: str) -> list[list[object]]:
    """Set `inputs` before each scan; what `read` was after it."""
    out = []
    for given in inputs:
        for path, value in given.items():
            sim[f"main.{path}"] = value
        sim.run(scans=1)
        assert sim.fault is None
        out.append([sim[f"main.{path}"] for path in read])
    return out
