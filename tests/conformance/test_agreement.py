"""The same program gives the same image after every scan on CPython, MicroPython, as machine code
and, as far as the IR says what it means, in the reference interpreter; with generated programs.

The emulated Pico is in tests/emulated/test_pico_agreement.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.compiler import ir
from tests.conformance import corpus, foreign
from tests.conformance.agreement import (
    Job,
    Processes,
    Trace,
    differences,
    examples,
    job,
    native,
    reference,
)

PROGRAMS = 210


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Job], Processes]:
    folder = tmp_path_factory.mktemp("agreement")
    with pytest.MonkeyPatch.context() as patch:
        # The byte code of all these programs is no use to anybody later.
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        return corpus.generated(PROGRAMS), Processes(folder)


def test_generated_programs_on_the_host_and_in_micropython(
    generated: tuple[list[Job], Processes],
) -> None:
    made, processes = generated
    host, micropython = ("host", processes.host), ("MicroPython", processes.micropython)
    found = differences(made, host, micropython)
    assert not found, "\n".join([f"{len(found)} of {len(made)} programs differ", *found])


def test_generated_programs_do_what_their_ir_says(
    generated: tuple[list[Job], Processes],
) -> None:
    made, processes = generated
    found = differences(made, ("host", processes.host), ("the IR", reference))
    assert not found, "\n".join([f"{len(found)} of {len(made)} programs differ", *found])


def test_generated_programs_as_machine_code(generated: tuple[list[Job], Processes]) -> None:
    made, processes = generated
    sample = made[:40] + made[-20:] + corpus.hard()
    host = ("host", processes.host)
    found = differences(sample, host, ("native", foreign.runner(foreign.PROCESSORS["native"])))
    found += differences(sample, host, ("machine code", processes.shared_micropython))
    found += differences(sample[:8], host, ("native alone", native))
    found += differences(sample[:8], host, ("machine code alone", processes.native_micropython))
    assert not found, "\n".join([f"{len(found)} of {len(sample)} programs differ", *found])


def test_examples_on_every_engine_of_this_machine(tmp_path: Path) -> None:
    made = examples(400)
    assert made
    processes = Processes(tmp_path)
    host = ("host", processes.host)
    found = differences(made, host, ("MicroPython", processes.micropython))
    found += differences(made, host, ("the IR", reference))
    found += differences(made, host, ("native", native))
    machine_code = ("machine code in MicroPython", processes.native_micropython)
    found += differences(made, host, machine_code)
    assert not found, "\n".join(found)


COUNTER = "PROGRAM Main VAR a : INT; b : INT; END_VAR a := a + 1; b := b + {}; END_PROGRAM"


def test_a_difference_is_found_and_explained(tmp_path: Path) -> None:
    """What the tests above rely on: here the two targets run different programs."""
    one, other = (job("counter", COUNTER.format(n), (), tmp_path, 5) for n in (1, 2))

    def wrong(jobs: list[Job], scans: int | None) -> dict[str, Trace]:
        return reference([other], scans)

    (text,) = differences([one], ("right", reference), ("wrong", wrong))
    assert "after release instant 0" in text
    assert "Main.b: right 1 (0100), wrong 2 (0200)" in text
    assert "Main.a" not in text


OUTSIDE = """
TYPE Slot : INT (0..3); END_TYPE
PROGRAM Main
VAR i : Slot; a : ARRAY[0..3] OF INT; beyond : ARRAY[0..3] OF INT; END_VAR
    a[i] := 1;
END_PROGRAM
"""


def test_an_index_written_from_outside_its_subrange_is_a_fault(tmp_path: Path) -> None:
    made = job("outside", OUTSIDE, ((1, "Main.i", 6),), tmp_path, 4)
    for trace in (
        Processes(tmp_path).micropython([made])["outside"],
        reference([made])["outside"],
        native([made])["outside"],
    ):
        assert (trace.end["fault"]["code"], trace.end["fault"]["line"]) == (ir.Fault.INDEX, 5)


FAR = """
PROGRAM Main
VAR
    n : LINT; m : LINT; s : STRING[9] := 'abcdef'; w : WSTRING[9] := "abcdef";
    r : ARRAY[1..12] OF WSTRING[9]; i : INT;
END_VAR
    r[1] := LEFT(w, n); r[2] := RIGHT(w, n); r[3] := MID(w, n, 2); r[4] := MID(w, 3, n);
    r[5] := MID(w, n, m); r[6] := INSERT(w, "x", n); r[7] := DELETE(w, n, 3);
    r[8] := DELETE(w, 2, n); r[9] := REPLACE(w, "xy", n, m); r[10] := REPLACE(w, "xy", 1, n);
    s := CONCAT(LEFT(s, n), MID(s, n, m), RIGHT(s, n)); r[11] := DELETE(w, n, m);
END_PROGRAM
"""


def test_counts_and_positions_far_outside_of_a_string(tmp_path: Path) -> None:
    values = [1 << 62, (1 << 63) - 1, -(1 << 63), 1 << 31, (1 << 30) - 1, 4, -(1 << 30)]
    pairs = [(n, m) for n in values for m in values]
    stimulus = []
    for at, (n, m) in enumerate(pairs):
        stimulus += [(at, "Main.n", n), (at, "Main.m", m), (at, "Main.s", "abcdef")]
    made = [job("far", FAR, stimulus, tmp_path, len(pairs))]
    processes = Processes(tmp_path)
    found = differences(made, ("the IR", reference), ("MicroPython", processes.micropython))
    found += differences(made, ("the IR", reference), ("host", processes.host))
    found += differences(made, ("the IR", reference), ("native", native))
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_many_generated_programs() -> None:
    made = corpus.generated(corpus.MANY)
    processes = Processes(corpus.folder())
    found = corpus.differing(made, "MicroPython", processes.micropython, told=True)
    found += corpus.differing(made, "the IR", reference, told=True)
    assert not found, "\n".join([f"{len(found)} differences", *found])


@pytest.mark.slow
@pytest.mark.parametrize(
    "jobs", [lambda: corpus.generated(corpus.MANY), corpus.cases], ids=["generated", "cases"]
)
def test_all_as_machine_code_in_micropython(jobs: Callable[[], list[Job]]) -> None:
    runner = Processes(corpus.folder()).shared_micropython
    assert corpus.differing(jobs(), "machine code in MicroPython", runner, 100, told=True) == []
