"""The programs of the bench compute the same in plain C, as machine code, and in Python."""

from __future__ import annotations

import shutil

import pytest

from host_tools.bench.speed import GCC, native, on_the_host, plain_c, program_names

SCANS = 12


@pytest.mark.parametrize("name", program_names())
def test_results_are_the_same(name: str) -> None:
    expected = on_the_host(name, SCANS)
    assert any(expected), "a result of zeros shows nothing"
    assert native(name, SCANS).result == expected
    if shutil.which(GCC):
        assert plain_c(name, SCANS).result == expected
