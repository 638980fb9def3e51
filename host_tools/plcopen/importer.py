"""From the bytes of a PLCopen XML file to the files of a Takt project."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from host_tools.compiler.tree import fold
from host_tools.plcopen import declarations, model
from host_tools.plcopen.member_text import interface_lines, member_lines
from host_tools.plcopen.reader import read_project
from host_tools.plcopen.report import Place, Report, Stop
from host_tools.plcopen.scope import Declared, Scope, declared
from host_tools.plcopen.sfc import statements_of, translate_actions, translate_chart
from host_tools.plcopen.statements import comment_lines

_RECURSION = 20_000


@dataclass(frozen=True, slots=True)
class Imported:
    """`files` are name -> text, in the order in which to read them; none where the report has
    errors. `wiring` is a takt.toml to start from."""

    name: str
    files: dict[str, str]
    wiring: str
    report: Report

    @property
    def ok(self) -> bool:
        return not self.report.has_errors


def import_project(data: bytes, shown: str = "project.xml") -> Imported:
    """Translate the project in `data`; `shown` is its file's name. Never raises: what is wrong
    is in the report."""
    report = Report()
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _RECURSION))
    try:
        project = read_project(data, report)
        files = _files(project, report, shown)
    except Stop:
        return Imported("", {}, "", report)
    finally:
        sys.setrecursionlimit(before)
    if report.has_errors:
        return Imported(project.name, {}, "", report)
    return Imported(project.name, files, _wiring(project, shown), report)


def _files(project: model.Project, report: Report, shown: str) -> dict[str, str]:
    origin = f"Imported from {shown}" + (
        f", written by {project.origin}" if project.origin else ""
    )
    texts: dict[str, list[str]] = {}
    _check_names(project, report)
    names = declared(project)
    if project.types:
        texts["types.st"] = declarations.data_types(project.types)
    if any(one.variables for one in project.globals):
        texts["globals.st"] = declarations.global_lists(project.globals)
    parts: list[tuple[str, list[str]]] = [(i.name, interface_lines(i)) for i in project.interfaces]
    parts += [(one.name, _pou(one, names, report)) for one in project.pous]
    for name, lines in parts:
        file = f"{declarations.file_name(name)}.st"
        while fold(file) in {"TYPES.ST", "GLOBALS.ST", "CONFIGURATION.ST"} | {
            fold(f) for f in texts
        }:
            file = file.replace(".st", "_.st")
        texts[file] = lines
    for configuration in project.configurations:
        _check_programs(configuration, names, report)
        texts["configuration.st"] = declarations.configuration(configuration)
    if not texts:
        report.error(Place(1, 1, "project"), "the project holds no types, POUs or variables")
    head = comment_lines([f"{origin}.", *project.comment])
    return {
        file: "\n".join([*(head if k == 0 else comment_lines([f"{origin}."])), "", *lines, ""])
        for k, (file, lines) in enumerate(texts.items())
    }


def _pou(one: model.Pou, names: Declared, report: Report) -> list[str]:
    scope = Scope(one, names)
    body: list[str] = []
    for part in one.bodies:
        try:
            lines = _body(part, scope, report)
        except Stop:
            continue
        if part.worksheet and len(one.bodies) > 1:
            lines = [*comment_lines([part.worksheet]), *lines]
        if body and lines:
            body.append("")
        body += [*comment_lines(part.comment), *lines]
    if one.actions:
        body += [*([""] if body else []), *translate_actions(one, scope, report)]
    body += member_lines(one, names, report)
    return declarations.pou(one, scope, body)


def _body(body: model.Body, scope: Scope, report: Report) -> list[str]:
    if body.language == "SFC":
        return translate_chart(body, scope, report)
    return statements_of(body, scope, report)


# --- checks ----------------------------------------------------------------------------------


def _check_names(project: model.Project, report: Report) -> None:
    """Names of types and POUs stand once in a project."""
    seen: dict[str, str] = {}
    both: list[model.DataType | model.Pou | model.Interface] = [
        *project.types,
        *project.pous,
        *project.interfaces,
    ]
    for one in both:
        if fold(one.name) in seen:
            report.error(one.place, f"'{one.name}' is there twice")
        seen[fold(one.name)] = one.name


def _check_programs(one: model.Configuration, names: Declared, report: Report) -> None:
    for resource in one.resources:
        for program in (*resource.programs, *(p for t in resource.tasks for p in t.programs)):
            pou = names.pous.get(fold(program.type))
            if pou is None or pou.kind != "PROGRAM":
                what = "there is no program" if pou is None else "not a program:"
                report.error(program.place, f"{what} '{program.type}'")


# --- takt.toml -------------------------------------------------------------------------------


def _wiring(project: model.Project, shown: str) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", project.name).strip("_-")[:32]
    if not name[:1].isalpha():
        name = f"p{name}"[:32]
    lines = [
        f"# Made from {declarations.file_name(shown)}. Keys: docs/wiring.md of Takt.",
        "",
        "[project]",
        f'name = "{name}"',
        'board = "host"      # the board that shall run it, such as "pico"',
    ]
    wired = sorted(
        (v.address, v.name) for v in _located(project) if v.address and "*" not in v.address
    )
    if wired:
        lines += ["", "# [io]              # the addresses that the program uses"]
        for address, variable in wired:
            pin = '{ pin = "" }' if re.match("(?i)%[IQ]X?[0-9]", address) else "{ }"
            if address[1:2].upper() != "M":
                lines.append(f'# "{address}" = {pin}  # {variable}')
    return "\n".join([*lines, ""])


def _located(project: model.Project) -> list[model.Variable]:
    lists = [*project.globals, *(one for p in project.pous for one in p.lists)]
    for c in project.configurations:
        lists += c.globals
        lists += [g for r in c.resources for g in r.globals]
    return [v for one in lists for v in one.variables]
