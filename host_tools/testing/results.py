"""What came of tests, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from host_tools.compiler.source import Span
from host_tools.record import record

if TYPE_CHECKING:
    from host_tools.testing.coverage import Coverage


@record(frozen=True)
class Broken:
    """Why a test failed. `kind` is "assertion" or "fault"; `name` the assertion, or what the fault
    is; `said` puts the values in words, `details` are lines that say more, `message` is what the
    test says to it. The values are in
    the JSON form of `takt run`, None where the assertion has none. `span` is where it happened;
    its source has no text for files of the library."""

    kind: str
    name: str
    said: str
    span: Span
    actual: Any = None
    expected: Any = None
    tolerance: Any = None
    message: str = ""
    details: tuple[str, ...] = ()


@record(frozen=True)
class Result:
    """One test that ran. `file` and `line` say where it stands, `broken` why it failed."""

    name: str
    file: str
    line: int
    seconds: float
    broken: Broken | None = None

    @property
    def passed(self) -> bool:
        return self.broken is None


@record(frozen=True)
class Run:
    """The tests that ran, in the order of the files, on target `on`."""

    name: str
    on: str
    results: tuple[Result, ...]
    seconds: float
    coverage: Coverage | None = None

    @property
    def failed(self) -> list[Result]:
        return [r for r in self.results if not r.passed]

    @property
    def ok(self) -> bool:
        return not self.failed
