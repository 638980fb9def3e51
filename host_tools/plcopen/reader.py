"""Reads a PLCopen XML document (schema tc6_xml_v201) into the model.

Every element is either understood or an error at its place; `addData` of vendors is read where it
holds ordinary elements of the schema (CODESYS puts global variables and POUs there), else noted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from host_tools.compiler.lexer import KEYWORDS
from host_tools.plcopen import members, model
from host_tools.plcopen.document import Element, parse_document, text_lines
from host_tools.plcopen.expressions import is_initial, read_expression
from host_tools.plcopen.graph_reader import read_items
from host_tools.plcopen.report import Place, Report, Stop
from host_tools.plcopen.sfc_reader import read_chart

NAMESPACE = re.compile(r"http://www\.plcopen\.org/xml/tc6(_0101|_0200|_0201)?(\.xsd)?")

ELEMENTARY = frozenset(
    {"BOOL", "BYTE", "WORD", "DWORD", "LWORD", "SINT", "INT", "DINT", "LINT", "USINT", "UINT",
     "UDINT", "ULINT", "REAL", "LREAL", "TIME", "LTIME", "DATE", "LDATE", "TOD", "LTOD", "DT",
     "LDT", "TIME_OF_DAY", "DATE_AND_TIME", "CHAR", "WCHAR"}
)  # fmt: skip
_LISTS = {
    "localVars": "VAR",
    "tempVars": "VAR_TEMP",
    "inputVars": "VAR_INPUT",
    "outputVars": "VAR_OUTPUT",
    "inOutVars": "VAR_IN_OUT",
    "externalVars": "VAR_EXTERNAL",
}
_QUALIFIERS = {
    "constant": "CONSTANT",
    "retain": "RETAIN",
    "nonretain": "NON_RETAIN",
    "persistent": "PERSISTENT",
}
_KINDS = {"function": "FUNCTION", "functionBlock": "FUNCTION_BLOCK", "program": "PROGRAM"}
_IGNORED = {"addData", "documentation", "addDataInfo"}
_ADDRESS = re.compile(r"%[IQM]([XBWDL]?\d+(\.\d+)*|[XBWDL]?\*)", re.IGNORECASE)
_ISO_TIME = re.compile(
    r"P(?:(\d+(?:\.\d+)?)D)?(?:T(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
# Elements of the schema that vendors put into addData, and that are read there as well.
_EXTRA = ("dataType", "pou", "globalVars", "configuration", "resource", "Interface")


def read_project(data: bytes, report: Report) -> model.Project:
    """The project in `data`. Raises Stop where it cannot be read at all; other errors are in
    `report`, and what they stand at is left out of the model."""
    root = parse_document(data, report)
    if root.name != "project" or not NAMESPACE.fullmatch(root.namespace):
        raise report.stop(
            root.place,
            f"this is not a PLCopen XML project: the root is '{root.name}'"
            + (f" of {root.namespace}" if root.namespace else " without a namespace"),
            "expected 'project' of http://www.plcopen.org/xml/tc6_0201, _0200 or _0101",
        )
    return Reader(report).project(root)


class Reader:
    """Keeps what is read from anywhere in the document."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.types: list[model.DataType] = []
        self.pous: list[model.Pou] = []
        self.globals: list[model.VarList] = []
        self.configurations: list[model.Configuration] = []
        self.loose: list[model.Resource] = []
        self.vendor: Counter[str] = Counter()
        self.vendor_place: dict[str, Place] = {}
        self.interfaces: list[model.Interface] = []
        self.understood: set[int] = set()  # vendor data that was read, by id

    # --- common --------------------------------------------------------------------------------

    def known(self, element: Element, *names: str) -> None:
        """Report children that are not among `names`; look into addData."""
        for child in element.children:
            if child.name == "addData":
                self.vendor_data(child)
            elif child.name not in names and child.name not in _IGNORED:
                self.report.error(
                    child.place, f"'{child.name}' is not known inside '{element.name}'"
                )

    def vendor_data(self, element: Element) -> None:
        for data in element.all("data"):
            if id(data) in self.understood:
                continue
            read = 0
            for child in data.children:
                if child.name in _EXTRA and NAMESPACE.fullmatch(child.namespace):
                    self.extra(child)
                    read += 1
            if read and read == len(data.children):
                continue
            name = data.get("name") or "without a name"
            self.vendor[name] += 1
            self.vendor_place.setdefault(name, data.place)

    def extra(self, element: Element) -> None:
        if element.name == "dataType":
            self.data_type(element)
        elif element.name == "pou":
            self.pou(element)
        elif element.name == "Interface":
            members.interface(self, element)
        elif element.name == "configuration":
            self.configuration(element)
        elif element.name == "resource":
            resource = self.resource(element)
            if resource is not None:
                self.loose.append(resource)
        else:
            self.globals.append(self.var_list(element, "VAR_GLOBAL"))

    def comment(self, element: Element) -> tuple[str, ...]:
        found: list[str] = []
        for child in element.all("documentation"):
            found += [line.text for line in text_lines(child)]
        return tuple(found)

    def name(self, element: Element, attribute: str = "name") -> str:
        """A name that ST takes, too. Raises Stop."""
        name = element.get(attribute)
        if not is_name(name):
            raise self.report.stop(
                element.place,
                f"'{name}' is not a name in ST" if name else f"'{attribute}' is missing",
                "letters, digits and '_', no keyword; rename it in the tool that exported it",
            )
        return name

    def flag(self, element: Element, attribute: str) -> bool:
        value = element.get(attribute, "false").strip()
        if value not in ("true", "false", "0", "1"):
            self.report.error(element.place, f'{attribute}="{value}" is neither true nor false')
        return value in ("true", "1")

    # --- project -------------------------------------------------------------------------------

    def project(self, root: Element) -> model.Project:
        self.known(root, "fileHeader", "contentHeader", "types", "instances")
        name, origin, comment = "project", "", ()  # type: tuple[str, str, tuple[str, ...]]
        header = root.child("fileHeader")
        if header is not None:
            parts = [header.get(k) for k in ("companyName", "productName", "productVersion")]
            origin = " ".join(p for p in parts if p)
        content = root.child("contentHeader")
        if content is not None:
            self.known(content, "Comment", "coordinateInfo")
            name = content.get("name") or name
            said = content.child("Comment")
            comment = tuple(x.text for x in text_lines(said)) if said is not None else ()
        comment += self.comment(root)
        for types in root.all("types"):
            self.known(types, "dataTypes", "pous")
            for group in types.all("dataTypes"):
                self.known(group, "dataType")
                for element in group.all("dataType"):
                    self.data_type(element)
            for group in types.all("pous"):
                self.known(group, "pou")
                for element in group.all("pou"):
                    self.pou(element)
        for instances in root.all("instances"):
            self.known(instances, "configurations")
            for group in instances.all("configurations"):
                self.known(group, "configuration")
                for element in group.all("configuration"):
                    self.configuration(element)
        if self.loose:
            first = self.loose[0]
            made = model.Configuration("plant", (), tuple(self.loose), (), first.place)
            self.configurations.append(made)
        for other in self.configurations[1:]:
            self.report.error(
                other.place,
                f"a second configuration, '{other.name}': a controller has one",
                "export the configurations separately",
            )
        for vendor, count in self.vendor.items():
            times = f", {count} times" if count > 1 else ""
            self.report.note(
                self.vendor_place[vendor], f"vendor data '{vendor}'{times} is not translated"
            )
        return model.Project(
            name, origin, comment, tuple(self.types), tuple(self.pous), tuple(self.globals),
            tuple(self.configurations[:1]), tuple(self.interfaces),
        )  # fmt: skip

    # --- types ---------------------------------------------------------------------------------

    def data_type(self, element: Element) -> None:
        self.known(element, "baseType", "initialValue")
        try:
            name = self.name(element)
            made = self.type_of(element, "baseType")
            initial = self.initial(element)
        except Stop:
            return
        self.types.append(
            model.DataType(name, made, initial, self.comment(element), element.place)
        )

    def type_of(self, element: Element, child: str) -> model.Type:
        """The type inside the child element `child`. Raises Stop."""
        holder = element.child(child)
        if holder is None:
            raise self.report.stop(element.place, f"'{child}' is missing")
        self.known(holder, *(c.name for c in holder.children))
        inner = [c for c in holder.children if c.name not in _IGNORED]
        if len(inner) != 1:
            raise self.report.stop(holder.place, f"'{child}' does not hold exactly one type")
        return self.type(inner[0])

    def type(self, element: Element) -> model.Type:
        kind = element.name
        if kind.upper() in ELEMENTARY:
            return model.Named(kind.upper())
        if kind.lower() in ("string", "wstring"):
            length = element.get("length").strip()
            if length and read_expression(length) is None:
                raise self.report.stop(element.place, f"'{length}' is not a length")
            return model.Named(kind.upper() + (f"[{length}]" if length else ""))
        if kind == "derived":
            self.known(element)
            name = element.get("name")
            if not all(is_name(part) for part in name.split(".")):
                raise self.report.stop(element.place, f"'{name}' is not the name of a type")
            return model.Named(name)
        if kind == "array":
            self.known(element, "dimension", "baseType")
            ranges = tuple(self.range(d) for d in element.all("dimension"))
            if not ranges:
                raise self.report.stop(element.place, "the array has no dimension")
            return model.Array(ranges, self.type_of(element, "baseType"))
        if kind in ("subrangeSigned", "subrangeUnsigned"):
            self.known(element, "range", "baseType")
            limits = element.child("range")
            if limits is None:
                raise self.report.stop(element.place, "'range' is missing")
            low, high = self.range(limits)
            return model.Subrange(self.type_of(element, "baseType"), low, high)
        if kind == "enum":
            return self.enum(element)
        if kind == "struct":
            self.known(element, "variable")
            fields = self.variables(element)
            if not fields:
                raise self.report.stop(element.place, "the structure has no members")
            return model.Struct(fields)
        if kind == "pointer":
            self.known(element, "baseType")
            return model.Pointer(self.type_of(element, "baseType"))
        help = "generic types belong to the standard functions" if kind.startswith("ANY") else ""
        raise self.report.stop(element.place, f"'{kind}' is not a type", help)

    def range(self, element: Element) -> tuple[str, str]:
        limits = element.get("lower").strip(), element.get("upper").strip()
        for limit in limits:
            if read_expression(limit) is None:
                raise self.report.stop(element.place, f"'{limit}' is not a limit of a range")
        return limits

    def enum(self, element: Element) -> model.Enum:
        self.known(element, "values", "baseType")
        values: list[tuple[str, str | None]] = []
        for group in element.all("values"):
            self.known(group, "value")
            for one in group.all("value"):
                number = one.get("value").strip() or None
                if number is not None and read_expression(number) is None:
                    raise self.report.stop(one.place, f"'{number}' is not a value")
                values.append((self.name(one), number))
        if not values:
            raise self.report.stop(element.place, "the enumeration has no values")
        base = self.type_of(element, "baseType") if element.child("baseType") else None
        return model.Enum(tuple(values), base)

    # --- values --------------------------------------------------------------------------------

    def initial(self, element: Element) -> model.Value | None:
        holder = element.child("initialValue")
        return None if holder is None else self.value(holder)

    def value(self, holder: Element) -> model.Value | None:
        self.known(holder, "simpleValue", "arrayValue", "structValue")
        inner = [c for c in holder.children if c.name not in _IGNORED]
        if not inner:
            return None
        if len(inner) > 1:
            raise self.report.stop(inner[1].place, "a second value")
        element = inner[0]
        if element.name == "simpleValue":
            text = element.get("value").strip()
            if not text:
                return None
            if not is_initial(text):
                raise self.report.stop(element.place, f"'{text}' is not a value in ST")
            return text
        self.known(element, "value")
        if element.name == "structValue":
            fields = [(self.name(v, "member"), self.value(v)) for v in element.all("value")]
            return model.StructValue(tuple((n, v) for n, v in fields if v is not None))
        elements: list[tuple[str, model.Value]] = []
        for one in element.all("value"):
            count = one.get("repetitionValue", "1").strip()
            made = self.value(one)
            if read_expression(count) is None or made is None:
                raise self.report.stop(one.place, "an element without a value or a count")
            elements.append((count, made))
        if not elements:
            return None
        return model.ArrayValue(tuple(elements))

    # --- variables -----------------------------------------------------------------------------

    def variables(self, element: Element) -> tuple[model.Variable, ...]:
        found: list[model.Variable] = []
        for v in element.all("variable"):
            self.known(v, "type", "initialValue")
            try:
                name = self.name(v)
                address = v.get("address").strip() or None
                if address is not None and not _ADDRESS.fullmatch(address):
                    raise self.report.stop(
                        v.place, f"'{address}' is not an address", "such as %IX0.0 or %QW4"
                    )
                made = self.type_of(v, "type")
                initial = self.initial(v)
            except Stop:
                continue
            found.append(model.Variable(name, made, initial, address, self.comment(v), v.place))
        return tuple(found)

    def var_list(self, element: Element, kind: str) -> model.VarList:
        self.known(element, "variable")
        qualifiers = tuple(q for k, q in _QUALIFIERS.items() if self.flag(element, k))
        return model.VarList(kind, qualifiers, self.variables(element), self.comment(element))

    # --- POUs ----------------------------------------------------------------------------------

    def pou(self, element: Element) -> None:
        members.mark(self, element)
        self.known(element, "interface", "actions", "transitions", "body")
        kind = _KINDS.get(element.get("pouType"))
        try:
            name = self.name(element)
        except Stop:
            return
        if kind is None:
            self.report.error(
                element.place,
                f'pouType="{element.get("pouType")}" is not function, functionBlock or program',
            )
            return
        heritage = members.heritage(self, element)
        methods, properties = members.of_pou(self, element)
        try:
            result, lists, comment = self.interface(element)
        except Stop:
            return
        parts = [
            [p for group in element.all(f"{one}s") for p in self.named_bodies(group, one)]
            for one in ("action", "transition")
        ]
        bodies = [body for b in element.all("body") for body in self.body(b)]
        self.pous.append(
            model.Pou(
                name,
                kind,
                result,
                tuple(lists),
                tuple(bodies),
                comment,
                element.place,
                tuple(parts[0]),
                tuple(parts[1]),
                *heritage,
                methods,
                properties,
            )
        )

    def interface(
        self, element: Element
    ) -> tuple[model.Type | None, list[model.VarList], tuple[str, ...]]:
        """The result, the variables and the comment of a POU or method. Raises Stop."""
        lists: list[model.VarList] = []
        comment = self.comment(element)
        interface = element.child("interface")
        if interface is None:
            return None, lists, comment
        self.known(interface, "returnType", "globalVars", "accessVars", *_LISTS)
        for child in interface.children:
            if child.name in _LISTS:
                lists.append(self.var_list(child, _LISTS[child.name]))
            elif child.name in ("globalVars", "accessVars") and child.children:
                self.report.error(
                    child.place,
                    f"'{child.name}' inside the interface of a POU is not supported",
                    "move the variables to the configuration",
                )
        result = None
        if interface.child("returnType") is not None:
            result = self.type_of(interface, "returnType")
        return result, lists, self.comment(interface) + comment

    def named_bodies(self, group: Element, kind: str) -> Iterable[model.NamedBody]:
        """The actions or transitions of a POU."""
        self.known(group, kind)
        for part in group.all(kind):
            self.known(part, "body")
            bodies = tuple(body for b in part.all("body") for body in self.body(b))
            try:
                name = self.name(part)
            except Stop:
                continue
            yield model.NamedBody(name, bodies, self.comment(part), part.place)

    def body(self, element: Element) -> Iterable[model.Body]:
        self.known(element, "ST", "IL", "FBD", "LD", "SFC")
        for child in element.children:
            if child.name not in ("ST", "IL", "FBD", "LD", "SFC"):
                continue
            graphical = child.name in ("FBD", "LD", "SFC")
            chart: tuple[model.ChartItem, ...] = ()
            if graphical:
                self.known(child, *(c.name for c in child.children))
            if child.name == "SFC":
                chart = tuple(read_chart(child, self.report, self.vendor_data, self.body))
            yield model.Body(
                child.name,
                child.place,
                tuple(text_lines(child)) if child.name in ("ST", "IL") else (),
                tuple(read_items(child, self.report, self.vendor_data)) if graphical else (),
                element.get("WorksheetName"),
                self.comment(element),
                chart,
            )

    # --- configuration -------------------------------------------------------------------------

    def configuration(self, element: Element) -> None:
        self.known(element, "resource", "globalVars", "accessVars", "configVars")
        try:
            name = self.name(element)
        except Stop:
            return
        for child in element.children:
            if child.name in ("accessVars", "configVars") and child.children:
                kind = "VAR_ACCESS" if child.name == "accessVars" else "VAR_CONFIG"
                self.report.error(child.place, f"{kind} is not supported yet")
        lists = tuple(self.var_list(g, "VAR_GLOBAL") for g in element.all("globalVars"))
        resources = [r for r in map(self.resource, element.all("resource")) if r is not None]
        self.configurations.append(
            model.Configuration(
                name, lists, tuple(resources), self.comment(element), element.place
            )
        )

    def resource(self, element: Element) -> model.Resource | None:
        self.known(element, "task", "globalVars", "pouInstance")
        try:
            name = self.name(element)
        except Stop:
            return None
        return model.Resource(
            name,
            tuple(self.var_list(g, "VAR_GLOBAL") for g in element.all("globalVars")),
            tuple(t for t in map(self.task, element.all("task")) if t is not None),
            self.programs(element),
            self.comment(element),
            element.place,
        )

    def task(self, element: Element) -> model.Task | None:
        self.known(element, "pouInstance")
        try:
            name = self.name(element)
            interval = self.interval(element)
            single = element.get("single").strip() or None
            if single is not None and read_expression(single) is None:
                raise self.report.stop(element.place, f'single="{single}" is not a variable')
            priority = element.get("priority", "0").strip()
            if not re.fullmatch("[0-9]{1,5}", priority):
                raise self.report.stop(element.place, f'priority="{priority}" is not a number')
        except Stop:
            return None
        if interval is None and single is None:
            self.report.error(
                element.place,
                f"task '{name}' has neither 'interval' nor 'single', so nothing releases it",
                'give it interval="T#10ms", or take its programs out of the task',
            )
        return model.Task(
            name, interval, single, int(priority), self.programs(element),
            self.comment(element), element.place,
        )  # fmt: skip

    def interval(self, element: Element) -> str | None:
        text = element.get("interval").strip()
        if not text:
            return None
        iso = _ISO_TIME.fullmatch(text)
        if iso and any(iso.groups()):
            units = zip(iso.groups(), ("d", "h", "m", "s"), strict=True)
            return iso_time([(n, unit) for n, unit in units if n])
        if not re.fullmatch(r"(?i)(T|TIME|LT|LTIME)#-?[0-9._dhmsun]+", text):
            raise self.report.stop(
                element.place,
                f'interval="{text}" is not a duration',
                "such as T#10ms or PT0.01S",
            )
        if read_expression(text) is None:
            raise self.report.stop(element.place, f'interval="{text}" is not a TIME literal')
        return text

    def programs(self, element: Element) -> tuple[model.ProgramInstance, ...]:
        found: list[model.ProgramInstance] = []
        for one in element.all("pouInstance"):
            self.known(one)
            try:
                name = self.name(one)
                # CODESYS leaves the type empty where instance and program have one name.
                made = self.name(one, "typeName") if one.get("typeName") else name
            except Stop:
                continue
            found.append(model.ProgramInstance(name, made, self.comment(one), one.place))
        return tuple(found)


def is_name(text: str) -> bool:
    """Is `text` an identifier that ST can use?"""
    if not re.fullmatch(r"[^\W\d]\w*|_\w+", text):
        return False
    return text.upper() not in KEYWORDS and text.upper() not in ("TRUE", "FALSE")


def iso_time(parts: list[tuple[str, str]]) -> str:
    """A TIME literal of an ISO 8601 duration, in whole units: PT0.02S is T#20ms."""
    from decimal import Decimal

    from host_tools.values import time_text

    units = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    total = sum(Decimal(n) * units[unit] for n, unit in parts)
    return time_text(int(total * 1_000_000_000))
