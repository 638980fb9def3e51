"""An XML document as elements that know their line and column.

Document type declarations are refused: entities are never expanded, nothing outside is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from host_tools.plcopen.report import Place, Report

MAX_DEPTH = 150
"""How deep elements may nest; real projects stay below 40."""

_BREAKS = {"p", "br", "div", "li", "tr"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of characters and where it starts."""

    line: int
    column: int
    text: str


@dataclass(slots=True, eq=False)
class Element:
    """`content` holds the characters and elements inside, in order."""

    name: str
    namespace: str
    attributes: dict[str, str]
    place: Place
    content: list[Piece | Element] = field(default_factory=list)

    @property
    def children(self) -> list[Element]:
        return [c for c in self.content if isinstance(c, Element)]

    def child(self, name: str) -> Element | None:
        return next((c for c in self.children if c.name == name), None)

    def all(self, name: str) -> list[Element]:
        return [c for c in self.children if c.name == name]

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    @property
    def text(self) -> str:
        """The characters right inside, without blanks around them."""
        return "".join(c.text for c in self.content if isinstance(c, Piece)).strip()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text and its line in the XML."""

    text: str
    place: Place


def parse_document(data: bytes, report: Report) -> Element:
    """The root element. Raises Stop where `data` is not XML, or more than plain XML."""
    parser = expat.ParserCreate(namespace_separator=" ")
    open_: list[Element] = []
    roots: list[Element] = []

    def here(name: str) -> Place:
        return Place(parser.CurrentLineNumber, parser.CurrentColumnNumber + 1, name)

    def start(tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition(" ")
        plain = {k.rpartition(" ")[2]: v for k, v in attributes.items()}
        element = Element(name, namespace, plain, here(name))
        if len(open_) >= MAX_DEPTH:
            raise report.stop(here(name), f"elements nest more than {MAX_DEPTH} deep")
        if open_:
            open_[-1].content.append(element)
        else:
            roots.append(element)
        open_.append(element)

    def end(tag: str) -> None:
        open_.pop()

    def characters(text: str) -> None:
        place = here("")
        open_[-1].content.append(Piece(place.line, place.column, text))

    def doctype(*_: object) -> None:
        raise report.stop(
            here("!DOCTYPE"),
            "a document type declaration is not read",
            "PLCopen XML has none; remove it and the entities it defines",
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        place = Place(error.lineno, error.offset + 1, "")
        message = expat.errors.messages.get(error.code, str(error))
        raise report.stop(
            place, f"this is not well-formed XML: {message}", "export the project again"
        ) from None
    except (ValueError, LookupError) as error:  # an encoding that is not known
        raise report.stop(Place(1, 1, ""), f"the XML cannot be decoded: {error}") from None
    return roots[0]


def _runs(element: Element) -> Iterator[Piece]:
    """The characters of formatted text; paragraphs and breaks become line ends."""
    for item in element.content:
        if isinstance(item, Piece):
            yield item
        else:
            yield from _runs(item)
            if item.name in _BREAKS:
                yield Piece(item.place.line, item.place.column, "\n")


def text_lines(element: Element) -> list[Line]:
    """Formatted text as lines with their places, without empty lines at the ends; common blanks
    at the start of the lines are taken away."""
    lines: list[Line] = []
    text, place = "", element.place
    for piece in _runs(element):
        line = piece.line
        for k, part in enumerate(re.split("(\r\n|\r|\n)", piece.text)):
            if k % 2:
                lines.append(Line(text, place))
                text, line = "", line + 1
                place = Place(line, 1, element.name)
                continue
            if part and not text.strip():
                column = piece.column if k == 0 else 1
                place = Place(line, column + len(part) - len(part.lstrip()), element.name)
            text += part
    lines.append(Line(text, place))
    while lines and not lines[-1].text.strip():
        lines.pop()
    while lines and not lines[0].text.strip():
        lines.pop(0)
    clean = [Line(_plain(x.text.expandtabs(4).rstrip()), x.place) for x in lines]
    margins = [len(x.text) - len(x.text.lstrip()) for x in clean if x.text]
    # The first line stands behind the tag, so its own margin says nothing.
    margin = min(margins[1:], default=0) if clean and margins and margins[0] == 0 else None
    if margin is None:
        margin = min(margins, default=0)
    return [
        Line(x.text[min(margin, len(x.text) - len(x.text.lstrip())) :], x.place) for x in clean
    ]


def _plain(text: str) -> str:
    """Blanks instead of the no-break spaces that editors leave in formatted text."""
    return text.replace("\u00a0", " ")
