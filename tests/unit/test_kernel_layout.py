"""The words of kernel.h stand in the kernel's Python as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADER = (ROOT / "firmware" / "kernel" / "kernel.h").read_text(encoding="utf-8")
MODULES = ("kernel", "kernel_mailbox", "kernel_tables", "kernel_trace")
TEXTS = {m: (ROOT / "controller" / f"{m}.py").read_text(encoding="utf-8") for m in MODULES}
# Constants of Python that have another name than the member of the structure.
OTHER_NAMES = {"task_outputs": "outputs", "task_analogue_outputs": "analogue_outputs"}


def words(structure: str) -> dict[str, int]:
    found = re.findall(rf"WORD_OF\({structure}, (\w+), (\d+)\)", HEADER)
    assert found
    return {name: int(n) for name, n in found}


def constants(text: str) -> dict[str, int]:
    found = re.findall(r"^_([A-Z0-9_]+) = const\((\d+)\)", text, re.M)
    return {name.lower(): int(n) for name, n in found}


def compare(text: str, structure: str) -> int:
    known, compared = words(structure), 0
    for name, n in constants(text).items():
        member = OTHER_NAMES.get(name, name)
        if member in known:
            assert n == known[member], name
            compared += 1
    return compared


def test_words_of_the_kernel() -> None:
    for module in ("kernel", "kernel_mailbox"):
        assert compare(TEXTS[module], "kernel")
    tables = TEXTS["kernel_tables"]
    of_kernel, _, of_task = tables.partition("\n\n_INTERVAL_NS")
    assert compare(of_kernel, "kernel") > 15
    of_task = "_INTERVAL_NS" + of_task.partition("# Operations")[0]
    assert compare(of_task, "scan_task") > 12


def test_sizes_and_operations() -> None:
    size = re.search(
        r"sizeof\(kernel\) == 4 \* (\d+) && sizeof\(scan_task\) == 4 \* (\d+)", HEADER
    )
    assert size is not None
    tables = constants(TEXTS["kernel_tables"])
    assert (tables["kernel_words"], tables["task_words"]) == (int(size[1]), int(size[2]))
    operations = {"base": 1, "length": 2, "start": 3, "stop": 4, "scan": 5}
    numbers = constants(TEXTS["kernel"]) | tables
    for name, n in operations.items():
        assert numbers[name] == 256 + n
        assert f"case {n}:" in HEADER


def test_words_of_the_trace() -> None:
    assert compare(TEXTS["kernel_trace"], "trace") > 12


def test_reasons_are_in_the_order_of_the_header() -> None:
    named = re.search(r"enum \{ BY_PYTHON = 1, ([A-Z_, ]+) \}", HEADER)
    assert named is not None
    reasons = re.search(r"REASONS = \((.*)\)", TEXTS["kernel"])
    assert reasons is not None
    assert len(reasons[1].split(",")) == 2 + len(named[1].split(","))
