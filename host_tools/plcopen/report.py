"""What an import has to say: errors that stop it and notes, each at its place in the XML."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the XML: 1-based line and column, and the element's name."""

    line: int
    column: int
    element: str


@dataclass(frozen=True, slots=True)
class Remark:
    """`severity` is "error" (nothing is imported) or "note"."""

    severity: str
    place: Place
    message: str
    help: str = ""


class Stop(Exception):
    """Ends the translation of one element after its error was reported."""


@dataclass(slots=True)
class Report:
    """Collects remarks; the same one at the same place is kept once."""

    remarks: list[Remark] = field(default_factory=list)
    _seen: set[Remark] = field(default_factory=set)

    def error(self, place: Place, message: str, help: str = "") -> None:
        self._add(Remark("error", place, message, help))

    def note(self, place: Place, message: str, help: str = "") -> None:
        self._add(Remark("note", place, message, help))

    def stop(self, place: Place, message: str, help: str = "") -> Stop:
        """Report an error; the caller raises what is returned."""
        self.error(place, message, help)
        return Stop(message)

    def _add(self, remark: Remark) -> None:
        if remark not in self._seen:
            self._seen.add(remark)
            self.remarks.append(remark)

    @property
    def has_errors(self) -> bool:
        return any(r.severity == "error" for r in self.remarks)
