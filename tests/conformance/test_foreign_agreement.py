"""The same programs give the same image after every scan as machine code of this computer and on
processors that it has not: rv32imc, Xtensa, armv7em and arm64 in QEMU's user mode, armv6m on the
RP2040's emulated core."""

from __future__ import annotations

from functools import partial

import pytest

from tests.conformance import corpus, foreign
from tests.conformance.agreement import examples
from tests.conformance.foreign import PROCESSORS

PROGRAMS = 30


@pytest.mark.parametrize("name", [name for name in PROCESSORS if name != "native"])
def test_examples_and_generated_programs(name: str) -> None:
    jobs = examples(100) + corpus.generated(PROGRAMS) + corpus.hard()
    assert corpus.differing(jobs, name, foreign.runner(PROCESSORS[name]), len(jobs)) == []


def test_code_with_addresses_put_right() -> None:
    """The way of code for ESP32 into a .mpy, by another compiler."""
    start = partial(foreign.Process, foreign.LOADED_XTENSA)
    jobs = corpus.generated(PROGRAMS)[-9:]
    assert corpus.differing(jobs, "loaded", foreign.runner(start)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", PROCESSORS)
def test_many_generated_programs(name: str) -> None:
    runner = foreign.runner(PROCESSORS[name])
    assert corpus.differing(corpus.generated(corpus.MANY), name, runner, told=True) == []
