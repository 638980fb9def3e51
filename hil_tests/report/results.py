"""What a run of the bench has shown: its tests and what they were run on."""

from __future__ import annotations

from hil_tests.recording import Check, FaultSpan
from host_tools.record import field, record

Figure = int | float | str

OUTCOMES = ("passed", "failed", "error", "skipped")
"""Of a test: "error" where something but the test itself broke, in a fixture or the device."""


@record(frozen=True)
class CaseResult:
    """One test. `message` says why it did not pass, in a line, `text` all that is to be told;
    `folder` holds the files of its failure, relative to that of the run. `figures` are what it
    measured, by names with their units ("latency_p99_us")."""

    name: str
    outcome: str
    seconds: float = 0.0
    virtual_ns: int = 0
    file: str = ""
    line: int = 0
    message: str = ""
    text: str = ""
    folder: str = ""
    checks: tuple[Check, ...] = ()
    faults: tuple[FaultSpan, ...] = ()
    figures: dict[str, Figure] = field(default_factory=dict)


@record()
class RunResults:
    """A run: `bench` is the path of bench.toml, `device` the kind of the device under test.
    `hashes` are SHA-256 in hex of "firmware", "bundle", "wiring" and "bench", as far as the kind
    has them; `about` is more to know, such as the firmware's version or the port."""

    name: str
    bench: str = ""
    device: str = ""
    started: str = ""
    hashes: dict[str, str] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    tests: list[CaseResult] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        return sum(test.outcome == outcome for test in self.tests)
