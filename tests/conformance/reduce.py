"""Makes a program on which two targets differ smaller, as long as they still do.

    python -m tests.conformance.reduce FILE.st [TARGET] [TARGET]

TARGET is one of host, micropython, ir, native, native-micropython, rv32 and xtensa; host and
micropython if not given.

FILE.st and the inputs beside it, FILE.json, are what a failed agreement test names. Lines are left
out, and then parts of expressions are replaced by simpler ones; FILE.small.st is the result.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from host_tools.variables import VariableError, Variables
from tests.conformance import foreign
from tests.conformance.agreement import (
    Job,
    Processes,
    Row,
    Runner,
    agree,
    compiled,
    differences,
    native,
    of_program,
    reference,
)
from tests.conformance.generate import SCANS

_BRACKETS = re.compile(r"\b\w*\([^()]*\)")
_IN_BRACKETS = re.compile(r"\(([^()]*?)(?: [-+*/&<>=A-Z_]+ |, )([^()]*)\)")


def smaller(text: str) -> Iterator[str]:
    """Texts with something less, the largest steps first."""
    lines = text.splitlines(keepends=True)
    size = len(lines) // 2
    while size:
        for at in range(0, len(lines), size):
            yield "".join(lines[:at] + lines[at + size :])
        size //= 2
    # A block and its end together.
    for first in range(len(lines)):
        for last in range(first + 1, min(first + 12, len(lines))):
            if lines[last].lstrip().startswith(("END_", "UNTIL")):
                inside = lines[first + 1 : last]
                yield "".join(lines[:first] + inside + lines[last + 1 :])
                yield "".join(lines[:first] + lines[last + 1 :])
    for m in _IN_BRACKETS.finditer(text):
        for part in (m[1], m[2]):
            yield text[: m.start()] + f"({part})" + text[m.end() :]
    for m in _BRACKETS.finditer(text):
        inside = m[0][m[0].index("(") + 1 : -1]
        yield text[: m.start()] + inside + text[m.end() :]


def reduced(text: str, differs: Callable[[str], bool], tries: int = 3000) -> str:
    """The smallest text found for which `differs` still holds."""
    went_on = True
    while went_on and tries > 0:
        went_on = False
        for candidate in smaller(text):
            tries -= 1
            if candidate != text and differs(candidate):
                text, went_on = candidate, True
                break
            if tries <= 0:
                break
    return text


def main(path: Path, names: list[str]) -> None:
    rows: list[Row] = [tuple(row) for row in json.loads(path.with_suffix(".json").read_text())]
    folder = Path(tempfile.mkdtemp(prefix="takt-reduce-"))
    processes = Processes(folder)
    runners: dict[str, Runner] = {
        "host": processes.host,
        "micropython": processes.micropython,
        "native-micropython": processes.native_micropython,
        "ir": reference,
        "native": native,
    }
    runners |= {name: foreign.runner(p) for name, p in foreign.PROCESSORS.items()}
    one, other = ((name, runners[name]) for name in names)
    count = 0

    def made(text: str) -> Job:
        nonlocal count
        count += 1
        program = compiled(f"r{count}", text, folder)
        known = Variables(program.layout)
        return of_program(
            f"r{count}", text, program, [row for row in rows if there(known, row[1])], SCANS
        )

    def differs(text: str) -> bool:
        try:
            j = made(text)
        except AssertionError:
            return False
        return not agree(one[1]([j], None)[j.name], other[1]([j], None)[j.name])

    text = path.read_text(encoding="utf-8")
    assert differs(text), "the two targets agree on this program"
    text = reduced(text, differs)
    path.with_suffix(".small.st").write_text(text, encoding="utf-8")
    print(text, *differences([made(text)], one, other), sep="\n")


def there(variables: Variables, path: str) -> bool:
    try:
        variables.find(path)
    except VariableError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), [*sys.argv[2:], "host", "micropython"][:2])
